"""The front end's tables as C: `firmware/frontend_tables.h`, printed from the definition (chapter 8).

    python -m tinyspeech export --tables
"""

from __future__ import annotations

import numpy as np

from tinyspeech import __version__
from tinyspeech.integer.frontend import (
    DCT_SHIFT,
    HOP,
    LOG_BITS,
    LOG_FLOOR,
    MAX_EXPONENT,
    N_BANDS,
    N_COEFFICIENTS,
    N_FRAMES,
    RAMP_BITS,
    TWIDDLE_BITS,
    WINDOW,
    tables,
    turns,
)

HEADER = """\
/* Tables of the integer front end. Made by `python -m tinyspeech export --tables` (tinyspeech {version}); do not edit.
   Formulas: tinyspeech/integer/frontend.py, tables(). */
#ifndef TINYSPEECH_FRONTEND_TABLES_H
#define TINYSPEECH_FRONTEND_TABLES_H
#include <stdint.h>

"""


def nibbles(values: np.ndarray) -> np.ndarray:
    """Numbers 0 .. 15, an even count, two to a byte, the first in the low half."""
    assert values.min() >= 0 and values.max() <= 15
    return values[0::2] | values[1::2] << 4


def dct_rows(dct: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """For each coefficient its offset, times 1024, and a bit for each negative number in its half row of the DCT, the
    first number's lowest. dct: [12, 10]; offset: [12]; int64 [12], which fits int32."""
    return offset << dct.shape[1] | (dct < 0) @ (1 << np.arange(dct.shape[1]))


def c_header() -> str:
    """The text of `firmware/frontend_tables.h`: constants and the chip's tables.

    `turns` stands in place of the cosine; of the DCT there is one half, signs apart (`dct_rows`); of `mel` the steps
    from bin to bin, and of `log2` what is above a straight line, in 4 bits.
    """
    table = tables()
    dct = table["dct"][:, : N_BANDS // 2]
    constants = {
        "WINDOW": WINDOW, "HOP": HOP, "N_FRAMES": N_FRAMES, "N_BANDS": N_BANDS, "N_COEFFICIENTS": N_COEFFICIENTS,
        "TWIDDLE_BITS": TWIDDLE_BITS, "RAMP_BITS": RAMP_BITS, "LOG_BITS": LOG_BITS, "DCT_SHIFT": DCT_SHIFT,
        "MAX_EXPONENT": MAX_EXPONENT, "LOG_FLOOR": LOG_FLOOR,
    }
    arrays = {
        "turn": ("uint16_t", turns()), "mel_steps": ("uint8_t", nibbles(np.diff(table["mel"], prepend=0))),
        "log2": ("uint8_t", nibbles(table["log2"] - np.arange(len(table["log2"])))),
        "dct_sizes": ("uint8_t", abs(dct)), "dct_rows": ("int32_t", dct_rows(dct, table["offset"])),
    }
    text = HEADER.format(version=__version__)
    for name, value in constants.items():
        text += f"#define FRONTEND_{name} {value}\n"
    for name, (kind, values) in arrays.items():
        rows = [", ".join(str(v) for v in row) for row in (values if values.ndim == 2 else values.reshape(1, -1))]
        shape = "".join(f"[{n}]" for n in values.shape)
        body = ",\n    ".join("{" + row + "}" for row in rows) if values.ndim == 2 else rows[0]
        text += f"\nstatic const {kind} frontend_{name}{shape} = {{\n    {body}\n}};\n"
    return text + "\n#endif\n"
