"""Exercises of chapter 8: a circle from its quarter, what a shift takes away, and a logarithm without a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tinyspeech.exercises.trying import Exercise, checker
from tinyspeech.integer import frontend

QUARTER = frontend.tables()["cosine"].astype(int)
"""256 times the cosine of 0, 1 ... 64 256ths of a circle."""


def _cosine(k: int, quarter: Sequence[int], *, mirror: int = 128, second: int = -1, third: int = -1) -> int:
    """From the quarter: `mirror` less the angle in the second, with a sign for the second and for the third."""
    if k > 128:
        return third * abs(_cosine(256 - k, quarter)) if k < 192 else _cosine(256 - k, quarter)
    return quarter[k] if k <= 64 else second * quarter[mirror - k]


COSINE_OF = Exercise(
    examples=[((k, QUARTER), round(256 * np.cos(2 * np.pi * k / 256))) for k in (
        10, 100, 64, 65, 128, 150, 192, 200, 255)],
    hints=["The first quarter is the table itself.", "Beyond a quarter the wave comes back through its mirror image, "
           "with the other sign; half a circle is 128.", "At a quarter of the circle the wave is zero.",
           "One step beyond zero is as far from it as one step before.", "Half a circle away it is all the way down.",
           "The second half of the wave is the first one's mirror image."],
    mistakes={
        "The sizes are right. In the second and third quarter a cosine is negative.":
            lambda k, quarter: abs(_cosine(k, quarter)),
        "The mirror is one step off: half a circle, at 128, is the first entry again, with the other sign.":
            lambda k, quarter: _cosine(k, quarter, mirror=129) if 64 < k <= 128 else _cosine(k, quarter),
        "The third quarter is still below zero: only at three quarters of the circle the wave comes up.":
            lambda k, quarter: _cosine(k, quarter, third=1),
        "The quarter does not begin anew: where it ends the wave goes on downward.":
            lambda k, quarter: quarter[k % 64],
        "The second half is no copy of the first: it begins at the bottom, where that begins at the top.":
            lambda k, quarter: _cosine(k % 128, quarter),
        "That is the sine: a quarter of the circle too late.":
            lambda k, quarter: _cosine((k - 64) % 256, quarter),
    },
    rel=0)


def _lean(bits: int, half: int, measure: Any = np.mean, *, sign: int = 1, rule: Any = None) -> float:
    x = np.arange(2**bits)
    shifted = (x + half) >> bits if rule is None else rule((x + half) / 2**bits)
    return float(measure(sign * (shifted - x / 2**bits)))


LEAN_OF_SHIFT = Exercise(
    examples=[((bits, half), _lean(bits, half)) for bits, half in ((1, 0), (1, 1), (9, 0), (9, 256), (3, 2))],
    hints=["Try every number of so many bits: shift it, and take away what exact division gives. Then the mean.",
           "The half is added before the shift.", "The more bits go, the nearer it comes to half a unit."],
    mistakes={
        "The sign: what came out, minus what would be exact. Rounding down is negative.":
            lambda bits, half: _lean(bits, half, sign=-1),
        "Nearly. Half a unit is what the lean comes close to where many bits go; with one bit it is another.":
            lambda bits, half: -0.5 + half / 2**bits,
        "The half is forgotten: it is added before the shift.": lambda bits, half: _lean(bits, 0),
        "That is the mean size. What matters for a lean is the mean with its signs.":
            lambda bits, half: _lean(bits, half, lambda error: np.abs(error).mean()),
        "That is in units of what goes in. One unit of what comes out is 2**bits of those.":
            lambda bits, half: _lean(bits, half) * 2**bits,
        "That is the root of the mean square, which has no sign.":
            lambda bits, half: _lean(bits, half, lambda error: np.sqrt((error**2).mean())),
    },
    rel=1e-6)


def _straight(e: int, *, top: int = -1, mask: int = 63, half: int = 0) -> int:
    place = e.bit_length() + top
    return 64 * place + ((((e << 6) + (half << place >> 1)) >> place) & mask)


LOG2_STRAIGHT = Exercise(
    examples=[((e,), _straight(e)) for e in (1, 2, 3, 5, 100, 20_000, 2**30 - 1)],
    hints=["The place of the top bit, counted from 0, times 64; and the six bits behind it are the fraction.",
           "One octave is 64 units.", "Of 3, which is binary 11, the bit behind the top one counts half an octave.",
           "Where less than six bits stand behind the top one, zeros follow them: shift up before you shift down."],
    mistakes={
        "The top bit is counted from 0: the logarithm of 1 is 0.": lambda e: _straight(e, top=0),
        "The top bit itself is still among the fraction's: it is worth 64 units too many.":
            lambda e: _straight(e, mask=127),
        "The lowest six bits are not those behind the top bit.": lambda e: 64 * (e.bit_length() - 1) + (e & 63),
        "That is the whole part alone, in steps of an octave.": lambda e: 64 * (e.bit_length() - 1),
        "That is the logarithm itself. Asked for is the straight line from one power of two to the next.":
            lambda e: int(64 * np.log2(e)),
        "The fraction has six bits: an octave is 64 units, not 32.":
            lambda e: 32 * (e.bit_length() - 1) + ((e << 5 >> (e.bit_length() - 1)) & 31),
    },
    rel=0)

EXERCISES = {"cosine_of": COSINE_OF, "lean_of_shift": LEAN_OF_SHIFT, "log2_straight": LOG2_STRAIGHT}
check = checker(EXERCISES)
