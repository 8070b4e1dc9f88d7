"""16-bit samples in 8 bits each, as the serial port carries them: ITU-T G.711's mu-law (chapter 14).

    from tinyspeech.sound import mulaw
    line = mulaw.mulaw_encode(samples)                      # uint8, one byte a sample
"""

from __future__ import annotations

import numpy as np

from tinyspeech.errors import UserError

MULAW_BIAS, MULAW_CLIP = 132, 32635
"""Added to a magnitude, so that every segment of G.711's curve begins at a power of two; and the largest magnitude
taken. The standard counts in 14 bits (33, and less than 8159), int16 in four times as many steps."""
MULAW_ZERO = 0xFF
"""Zero has two codes. This one is sent; the other, 0x7F, is free to mean the end."""


def mulaw_encode(samples: np.ndarray) -> np.ndarray:
    """16-bit samples in 8 bits each, by the mu-law of ITU-T G.711: steps that grow with the magnitude.

    A magnitude plus `MULAW_BIAS` is a binary floating-point number: 3 bits of exponent, 4 of mantissa, the rest is cut
    off; louder than `MULAW_CLIP` is `MULAW_CLIP`. With the sign on top, all bits are inverted. A magnitude on a
    decision value takes the larger level; small negative values are zero's one code, so that 0x7F is never made.

    Parameters
    ----------
    samples : int16 [...]

    Returns
    -------
    uint8 [...]

    Raises
    ------
    UserError : samples of another type, whose scale is not known.
    """
    samples = np.asarray(samples)
    if samples.dtype != np.int16:
        raise UserError(f"mulaw_encode takes int16 samples, not {samples.dtype}")
    magnitude = np.minimum(np.abs(samples.astype(np.int32)), MULAW_CLIP) + MULAW_BIAS  # 132 .. 32767
    exponent = np.frexp(magnitude)[1] - 8  # 0 .. 7: the leading bit is bit 7 .. 14
    code = ~((samples < 0) << 7 | exponent << 4 | (magnitude >> (exponent + 3)) & 15) & 0xFF
    return np.where(code == 0x7F, MULAW_ZERO, code).astype(np.uint8)


def mulaw_decode(codes: np.ndarray) -> np.ndarray:
    """What `mulaw_encode` keeps: the level in the middle of each code's interval, -32124 .. 32124.

    Parameters
    ----------
    codes : uint8 [...]; 0x7F and 0xFF are both zero

    Returns
    -------
    int16 [...]
    """
    bits = ~np.asarray(codes, np.uint8)
    magnitude = ((((bits & 15).astype(np.int32) << 3) + MULAW_BIAS) << (bits >> 4 & 7)) - MULAW_BIAS
    return np.where(bits & 0x80, -magnitude, magnitude).astype(np.int16)
