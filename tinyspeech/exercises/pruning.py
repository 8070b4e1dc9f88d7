"""Exercises of chapter 6: when a bitmap pays, what straight lines add, and a format that lists places by value."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tinyspeech.exercises.trying import Exercise, checker
from tinyspeech.integer import sparse

VALUES = [value for value in range(-7, 8) if value]

BITMAP_PAYS_BEYOND = Exercise(
    examples=[((bits,), 1 / bits) for bits in (4, 2, 8, 3)],
    hints=["Per weight, the bitmap takes one bit, and `bits` more for each that is not zero. For which share of zeros "
           "is that as much as `bits`?"],
    mistakes={
        "That is the share of weights that may stay. Asked for is that of zeros.": lambda bits: 1 - 1 / bits,
        "A weight that is not zero costs its bits and one; the rival costs its bits alone. Compare both sums again.":
            lambda bits: 1 / (bits + 1),
        "That is in per cent. A share lies between 0 and 1.": lambda bits: 100 / bits,
        "A weight of so many bits has that many values; what counts here is how many bits it takes.":
            lambda bits: 1 / 2**bits,
        "Four bits beside each weight that is there are what runs take. The bitmap has one, for every weight.":
            lambda bits: 1 - bits / (bits + 4),
    },
    rel=1e-6)


def _each(weights: np.ndarray) -> list[int]:
    return np.ravel(weights).tolist()


ROW = np.array([0, 0, 3, 0, -7, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0])
"""The row that the chapter stores in four formats."""

STRAIGHT_ADDITIONS = Exercise(
    examples=[((weights,), sum(len(sparse.digits(w)) for w in _each(weights))) for weights in (
        np.array([3]), ROW, np.array([[7, 0], [-5, 4]]), np.array([-1, -2, -6, 7, 6]), np.arange(-7, 8))],
    hints=["A weight is a sum of as few powers of two as there can be, with signs: 3 is 2 + 1, so that one input is "
           "added twice.",
           "A zero adds nothing, and the sign of a weight changes nothing about how many there are.",
           "The weights may stand in rows: count those of all."],
    mistakes={
        "The ones of a binary number are not the fewest terms: 7 is 8 − 1.":
            lambda weights: sum(abs(w).bit_count() for w in _each(weights)),
        "That counts the weights. Some of them take two additions.":
            lambda weights: sum(w != 0 for w in _each(weights)),
        "In two's complement −1 has four ones. With signed digits it has one.":
            lambda weights: sum((w & 15).bit_count() for w in _each(weights)),
        "That adds an input as many times as its weight says. It may be doubled, which is free here.":
            lambda weights: sum(abs(w) for w in _each(weights)),
        "Two for each weight that is there is too many: 1, 2 and 4 are powers themselves.":
            lambda weights: 2 * sum(w != 0 for w in _each(weights)),
    },
    rel=0)


def _by_value(row: Sequence[int], values: Sequence[int] = VALUES, first: int = 0, count: bool = True) -> list[int]:
    """For each value its count, if wanted, and the places that have it, the first one being `first`."""
    listed = []
    for value in values:
        places = [place for place, weight in enumerate(row, first) if weight == value]
        listed += [len(places)] * count + places
    return listed


def _gaps(row: Sequence[int]) -> list[int]:
    """As `_by_value`, with the distance to the place before in place of a place."""
    listed = []
    for value in VALUES:
        places = [place for place, weight in enumerate(row) if weight == value]
        listed += [len(places), *np.diff([0, *places]).tolist()]
    return listed


BY_VALUE = Exercise(
    examples=[((row,), _by_value(row)) for row in (
        np.array([0, 3, 0, -7]), ROW, np.array([1, 1, -1, 0, 1, 2, -1, 0]), np.arange(7, -8, -1))],
    hints=["Fourteen values, from −7 to 7 without 0; for each the count, and then its places. A value that is not "
           "there is a count of 0."],
    mistakes={
        "Zeros have a list there, the longest of all. They are what need not be stored.":
            lambda row: _by_value(row, range(-7, 8)),
        "The values begin at −7; there they begin at 7.": lambda row: _by_value(row, VALUES[::-1]),
        "The first place of a row is 0: five bits count from 0 to 31.": lambda row: _by_value(row, first=1),
        "Without the counts nobody knows where the places of one value end.": lambda row: _by_value(row, count=False),
        "That lists distances, as runs do. Here each place is written as it is.": _gaps,
        "Small values come first there: the order is −7, −6, … and not by size.":
            lambda row: _by_value(row, sorted(VALUES, key=abs)),
    },
    rel=0)

EXERCISES = {"bitmap_pays_beyond": BITMAP_PAYS_BEYOND, "straight_additions": STRAIGHT_ADDITIONS, "by_value": BY_VALUE}
check = checker(EXERCISES)
