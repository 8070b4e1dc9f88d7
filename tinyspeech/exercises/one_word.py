"""Exercises of chapter 0, one word all the way: a clock, the bits of a sum, frames that all count the same.

    from tinyspeech.exercises.one_word import check
"""

from __future__ import annotations

import numpy as np

from tinyspeech.exercises.trying import Exercise, checker

MEGAHERTZ = 10**6


def _bits(largest: int) -> int:
    """Of a number of this size or less, sign included."""
    return int(largest).bit_length() + 1


def _evenly(score: np.ndarray) -> np.ndarray:
    return score.sum(axis=0) // len(score)


_CYCLES = (11_475_492, 12_000_000, 12_000_001, 7_600_000, 400_000)
_WEIGHTS = (
    np.array([[7, -7, 7, -7, 7, -7], [1, 1, 1, 0, 0, 0]]),
    np.array([[5, 5], [5, 5], [5, 5], [5, 5]]),
    np.array([[7, 0, 0, 0], [1, 2, -1, 1]]),
)
_SCORES = (np.array([[3, -4], [4, -5]]), np.array([[1, -1], [2, -2], [4, -5]]), np.array([[600, -300, 12]]))

EXERCISES = {
    "lowest_clock": Exercise(
        examples=[((cycles,), -(-cycles // MEGAHERTZ)) for cycles in _CYCLES],
        hints=["One megahertz is a million cycles a second. How many millions are there, and what of the rest?",
               "A whole number of megahertz needs no further one.",
               "A single cycle too many is late."],
        mistakes={
            "Rounded down: a clock of so many megahertz is through a little after the second is over.":
                lambda cycles: cycles // MEGAHERTZ,
            "Rounded to the nearest: nearly in time is too late. Which way must every rest go?":
                lambda cycles: round(cycles / MEGAHERTZ),
            "One more than the whole megahertz, always: what if the cycles are a whole number of millions?":
                lambda cycles: cycles // MEGAHERTZ + 1,
            "That is in hertz; asked for are whole megahertz.": lambda cycles: cycles,
            "That is in kilohertz; asked for are whole megahertz.": lambda cycles: -(-cycles // 1000),
        }),
    "bits_of_sum": Exercise(
        examples=[((weights,), _bits(128 * np.abs(weights).sum(axis=1).max())) for weights in _WEIGHTS],
        hints=["A row of the weights makes one sum. The worst input has the sign of each weight, and is 128 in size.",
               "A sum takes the weights of its own row, whatever the other rows hold.",
               "The bound is a sum of sizes: not each weight is as large as the largest."],
        mistakes={
            "A bit is missing: the sum may be negative, too.":
                lambda weights: _bits(128 * np.abs(weights).sum(axis=1).max()) - 1,
            "Weights of opposite signs cancel there; an input may have opposite signs as well.":
                lambda weights: _bits(128 * np.abs(weights.sum(axis=1)).max()),
            "Those are the sums of columns: an input's weights to all outputs. Which axis runs along the inputs?":
                lambda weights: _bits(128 * np.abs(weights).sum(axis=0).max()),
            "All outputs were added up. Each has an accumulator of its own.":
                lambda weights: _bits(128 * np.abs(weights).sum()),
            "That is a bound, but a loose one: it takes every weight for as large as the largest.":
                lambda weights: _bits(128 * np.abs(weights).max() * weights.shape[1]),
            "The inputs are missing: each weight meets a number of up to 128 in size.":
                lambda weights: _bits(np.abs(weights).sum(axis=1).max()),
        }),
    "evenly": Exercise(
        examples=[((score,), _evenly(score)) for score in _SCORES],
        hints=["Where all weights are equal, their weighted average is a plain one, over the frames.",
               "Divide by the number of frames, as `//` does it.",
               "A single frame's scores are the answer."],
        mistakes={
            "The average runs over the classes there. A class's scores stand in a column.":
                lambda score: score.sum(axis=1) // score.shape[1],
            "The sum still has to be divided by the number of frames.": lambda score: score.sum(axis=0),
            "There are fractions in it, and the chip has none: it rounds down.": lambda score: score.mean(axis=0),
            "Rounded to the nearest. The chip's division rounds down.":
                lambda score: np.round(score.mean(axis=0)).astype(int),
            "Rounded towards zero, as C divides. Down is away from zero for what is negative.":
                lambda score: np.trunc(score.mean(axis=0)).astype(int),
            "Divided by the number of classes: `len` of the first row, where the number of rows is wanted.":
                lambda score: score.sum(axis=0) // score.shape[1],
        }),
}
"""What the reader writes, by name."""

check = checker(EXERCISES)
