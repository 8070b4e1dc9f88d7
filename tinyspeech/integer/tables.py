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


def c_header() -> str:
    """The text of `firmware/frontend_tables.h`: constants and the chip's tables.

    `turns` stands in place of the cosine; of the DCT there is one half; of `mel` the steps from bin to bin, in 4 bits.
    """
    table = tables()
    constants = {
        "WINDOW": WINDOW, "HOP": HOP, "N_FRAMES": N_FRAMES, "N_BANDS": N_BANDS, "N_COEFFICIENTS": N_COEFFICIENTS,
        "TWIDDLE_BITS": TWIDDLE_BITS, "RAMP_BITS": RAMP_BITS, "LOG_BITS": LOG_BITS, "DCT_SHIFT": DCT_SHIFT,
        "MAX_EXPONENT": MAX_EXPONENT, "LOG_FLOOR": LOG_FLOOR,
    }
    arrays = {
        "turn": ("uint16_t", turns()), "mel_steps": ("uint8_t", nibbles(np.diff(table["mel"], prepend=0))),
        "log2": ("uint8_t", table["log2"]),
        "dct": ("int16_t", table["dct"][:, : N_BANDS // 2]), "offset": ("int32_t", table["offset"]),
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
