"""Exercises of chapter 9: what share of a second a way takes, a Gray code's changes, and the price of a call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from tinyspeech.exercises.trying import Exercise, checker

SHARE_OF_A_SECOND = Exercise(
    examples=[((macs, cycles, mhz), macs * cycles / (mhz * 1e6)) for macs, cycles, mhz in (
        (400_000, 30.0, 24), (400_000, 156.0, 24), (400_000, 30.0, 48), (120_000, 4.5, 8))],
    hints=["How many cycles do all products take? And how many does the clock have in a second?",
           "A share may be above 1: then it is too slow.", "The clock is given, in millions of cycles a second."],
    mistakes={
        "A clock of 1 MHz has a million cycles a second.": lambda macs, cycles, mhz: macs * cycles / mhz,
        "Upside down: that is how many such seconds would fit into one.":
            lambda macs, cycles, mhz: mhz * 1e6 / (macs * cycles),
        "In per cent. A share of 1 is the whole second.": lambda macs, cycles, mhz: 100 * macs * cycles / (mhz * 1e6),
        "The clock is not always 24 MHz.": lambda macs, cycles, mhz: macs * cycles / 24e6,
        "Each product takes its cycles: they multiply.": lambda macs, cycles, mhz: macs / cycles / (mhz * 1e6),
    },
    rel=1e-6)


def _changes(order: Sequence[int], before: Sequence[int]) -> list[int]:
    return [(a ^ b).bit_count() for a, b in zip(before, order, strict=True)]


def _from_nothing(order: Sequence[int]) -> list[int]:
    return [0, *order[:-1]]


BITS_CHANGED = Exercise(
    examples=[((order,), _changes(order, _from_nothing(order))) for order in (
        [1, 3, 2, 6], [1, 2, 3], [7, 8, 0], [5], [12, 4, 5, 13, 10])],
    hints=["`a ^ b` has a one where two subsets differ; `int.bit_count` counts ones. Nothing is chosen before the "
           "first.",
           "From 1 to 2 one activation goes and another comes: two changes."],
    mistakes={
        "The first subset comes after the empty one: that is a change, too.":
            lambda order: _changes(order[1:], order[:-1]),
        "Those are the subsets' differences as numbers. How many bits are another?":
            lambda order: [abs(a - b) for a, b in zip(order, _from_nothing(order), strict=True)],
        "Only what comes is counted there. What goes is subtracted, and costs as much.":
            lambda order: [(a & ~b).bit_count() for a, b in zip(order, _from_nothing(order), strict=True)],
        "That is which bits changed, not how many.":
            lambda order: [a ^ b for a, b in zip(order, _from_nothing(order), strict=True)],
        "That is how many activations each subset has, and not what changed since the one before.":
            lambda order: [a.bit_count() for a in order],
        "Before the first there is nothing, and not the last: the table is built once.":
            lambda order: _changes(order, [order[-1], *order[:-1]]),
    },
    rel=0)


def _taken(price: Sequence[int], layers: Sequence[tuple[int, int]] = ((24, 4), (24, 8), (48, 4), (48, 8))) -> dict:
    a, b, c, d = price
    return {(n, g): a + b * n + g * (c + d * n) for n, g in layers}


def _solved(taken: Mapping[tuple[int, int], float]) -> list[float]:
    return np.linalg.solve([[1, n, g, g * n] for n, g in taken], list(taken.values())).tolist()


def _without(column: int, taken: Mapping[tuple[int, int], float]) -> list[float]:
    """The best three numbers, where one column of the four is left out."""
    table = np.delete([[1, n, g, g * n] for n, g in taken], column, axis=1)
    found = np.linalg.lstsq(table, np.array(list(taken.values()), float), rcond=None)[0].tolist()
    return [*found[:column], 0.0, *found[column:]]


PRICE_OF_A_CALL = Exercise(
    examples=[((_taken(price, layers),), [float(one) for one in price]) for price, layers in (
        ((20, 7, 78, 38), ((24, 4), (24, 8), (48, 4), (48, 8))), ((5, 1, 2, 3), ((8, 2), (16, 2), (8, 5), (16, 5))),
        ((100, 30, 10, 4), ((12, 3), (12, 6), (36, 3), (40, 7))))],
    hints=["Four layers, four equations: in each stand 1, n, g and g n, times what you look for. `np.linalg.solve` "
           "does the rest."],
    mistakes={
        "b and c are in each other's place: b stands with the outputs, c with the groups.":
            lambda taken: [_solved(taken)[i] for i in (0, 2, 1, 3)],
        "The last number stands with the product of both, groups times outputs; without it none of the four is right.":
            lambda taken: _without(3, taken),
        "A call costs something before it has done anything: a is not 0.": lambda taken: _without(0, taken),
        "The numbers come in the order a, b, c, d.": lambda taken: _solved(taken)[::-1],
        "That is for one frame of the two. Asked for is the price of a call.":
            lambda taken: [one / 2 for one in _solved(taken)],
        "That is of an output. Asked for is the price of a whole call, whatever it is for.":
            lambda taken: _solved({(n, g): cycles / n for (n, g), cycles in taken.items()}),
    },
    rel=1e-6)

EXERCISES = {"share_of_a_second": SHARE_OF_A_SECOND, "bits_changed": BITS_CHANGED, "price_of_a_call": PRICE_OF_A_CALL}
check = checker(EXERCISES)
