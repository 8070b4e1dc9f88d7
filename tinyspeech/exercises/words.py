"""Exercises of the chapter "Your own words": the bytes of a template, a take that does not belong, time warping."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tinyspeech.exercises.trying import Exercise, checker
from tinyspeech.integer import words
from tinyspeech.measure.words import warped

COEFFICIENTS, VALUES = 10, 32
"""Of a part: of 4 bits each, and of as many as one likes."""


def template_bytes(parts: int, bits: int) -> int:
    return parts * (COEFFICIENTS * 4 + VALUES * bits) // 8


# ---------------------------------------------------------------- a take that does not belong


def apart(parts: np.ndarray, others: np.ndarray) -> np.ndarray:
    """[n, 4, 42] twice -> [n]."""
    return words.distances(parts, others).sum(axis=1)


def of_parts(parts: np.ndarray, how: Callable[[np.ndarray], np.ndarray]) -> int:
    """How far each take is from the others, by part: [n, 4]. `how` makes one distance of the four: the farthest."""
    return int(how(words.distances((len(parts) - 1) * parts, parts.sum(axis=0) - parts)).argmax())


def outlier(parts: np.ndarray) -> int:
    return of_parts(parts, lambda each: each.sum(axis=1))


def unweighted(parts: np.ndarray) -> int:
    """All coefficients count once."""
    others = parts.sum(axis=0) - parts
    return int(np.abs((len(parts) - 1) * parts - others).sum(axis=(1, 2)).argmax())


def takes(number: int, other: int, seed: int, shift: np.ndarray) -> np.ndarray:
    """[n, 4, 42]: like takes of a word, all but one, which is `shift` from them."""
    dice = np.random.default_rng(seed)
    word = np.concatenate([dice.integers(-6, 7, (4, 10)), dice.integers(0, 13, (4, 32))], axis=1)
    parts = word + dice.integers(-1, 2, (number, 4, 42))
    parts[other] += shift
    return parts


def towards(coefficients: int, values: int) -> np.ndarray:
    """[42]: a shift of the coefficients that count twice, and of the block's values."""
    return np.repeat([coefficients, 0, values], [7, 3, VALUES])


def two_doubtful() -> np.ndarray:
    """One is off in what counts twice, and another a little more in what counts once."""
    parts = np.zeros((5, 4, 42), int)
    parts[:, :, 10:] = 6
    parts[1, :, :7] = 4
    parts[3, :, 10:] += 1
    return parts


def in_one_part(part: int) -> np.ndarray:
    """One is far off in one part, and another off in all four, which is more in sum, though not in squares."""
    parts = np.zeros((6, 4, 42), int)
    parts[:, :, 10:] = 6
    parts[2, part, :7] = 7
    parts[4, :, :7] = -3
    return parts


def in_values() -> np.ndarray:
    """One is off in the block's values, and another a little in the coefficients."""
    parts = np.zeros((5, 4, 42), int)
    parts[0, :, :7] = 1
    parts[2, :, 10:] = 3
    return parts


SETS = (takes(5, 0, 1, towards(3, 3)), takes(5, 2, 2, towards(-2, -4)), takes(4, 3, 3, towards(0, 4)), two_doubtful(),
        in_one_part(0), in_one_part(3), in_values())


# ---------------------------------------------------------------- time warping


def table(between: np.ndarray, diagonal: int = 2, first: int = 2, edge: float = np.inf) -> float:
    """The cheapest way from corner to corner. first : how often the first corner's distance counts; edge : what stands
    beside it"""
    n, m = between.shape
    total = np.full((n + 1, m + 1), edge)
    total[0, 0] = 0
    for i in range(n):
        for j in range(m):
            d = between[i, j]
            here = first * d if not i and not j else total[i, j] + diagonal * d
            total[i + 1, j + 1] = min(here, total[i, j + 1] + d, total[i + 1, j] + d)
    return total[n, m].item()


def greedy(between: np.ndarray) -> float:
    """At each place on to what is nearest."""
    (n, m), i, j, total = between.shape, 0, 0, 2 * between[0, 0]
    while (i, j) != (n - 1, m - 1):
        steps = [(between[a, b] * (1 + (a > i and b > j)), a, b) for a, b in ((i + 1, j), (i, j + 1), (i + 1, j + 1))
                 if a < n and b < m]
        cost, i, j = min(steps)
        total += cost
    return total / (n + m)


def pair(n: int, m: int, seed: int) -> tuple[np.ndarray, float]:
    """The distances between two recordings, and their distance by the library."""
    dice = np.random.default_rng(seed)
    a, b = dice.integers(0, 9, (n, 1)).astype(float), dice.integers(0, 9, (m, 1)).astype(float)
    return np.abs(a - b.T), warped([a], b)[0].item()


def length(between: np.ndarray) -> int:
    return sum(between.shape)


PAIRS = (pair(1, 1, 0), pair(2, 3, 3), pair(3, 5, 2), pair(7, 4, 5))

EXERCISES = {
    "template_bytes": Exercise(
        examples=[(case, template_bytes(*case)) for case in ((4, 2), (5, 2), (4, 4), (6, 1))],
        hints=["A part has 10 * 4 + 32 * bits bits.", "Eight bits are a byte."],
        mistakes={
            "Those are bits; eight of them are a byte.": lambda parts, bits: 8 * template_bytes(parts, bits),
            "The coefficients have 4 bits, however many the 32 values have.":
                lambda parts, bits: parts * (COEFFICIENTS + VALUES) * bits // 8,
            "It is the other way round: the ten coefficients keep their 4 bits.":
                lambda parts, bits: parts * (COEFFICIENTS * bits + VALUES * 4) // 8,
            "Each part has ten coefficients and 32 values, not all parts together.":
                lambda parts, bits: (COEFFICIENTS * 4 + parts * VALUES * bits) // 8,
        }),
    "outlier": Exercise(
        examples=[((parts,), outlier(parts)) for parts in SETS],
        hints=["parts.sum(axis=0) - parts is, for each take, the sum of the others.",
               "Compare (n - 1) * parts with it: then nothing has to be divided.",
               "The farthest has the largest distance, summed over its four parts.",
               "`distance` counts the first seven coefficients twice."],
        mistakes={
            "The sum of the others is n - 1 times as large as a take: multiply the take, too.":
                lambda parts: int(apart(parts, parts.sum(axis=0) - parts).argmax()),
            "That is the take that fits best; the one that does not is farthest.":
                lambda parts: of_parts(parts, lambda each: -each.sum(axis=1)),
            "Comparing with the first take alone fails when it is the first that is another word.":
                lambda parts: int(apart(parts, parts[:1]).argmax()),
            "Seven coefficients count twice: use `distance`.": unweighted,
            "Add the distances of all four parts as they are, not squared: one part alone may be far off.":
                lambda parts: of_parts(parts, lambda each: each.max(axis=1)),
            "That looks at the first part alone; there are four.":
                lambda parts: of_parts(parts, lambda each: each[:, 0]),
            "That looks at the last part alone; there are four.":
                lambda parts: of_parts(parts, lambda each: each[:, -1]),
            "The block's 32 values count, too.": lambda parts: outlier(parts * (np.arange(42) < COEFFICIENTS)),
            "Sum the distances over a take's four parts before you look for the largest.":
                lambda parts: of_parts(parts, lambda each: each),
        }),
    "warp": Exercise(
        examples=[((between,), wanted) for between, wanted in PAIRS],
        hints=["The first corner counts twice, too: it is reached by a step in both.",
               "Fill a table of [n + 1, m + 1] that is infinite but for its corner, 0.",
               "total[i, j] = min(total[i-1, j] + d, total[i, j-1] + d, total[i-1, j-1] + 2 d)"],
        mistakes={
            "A step in both recordings counts its distance twice.":
                lambda between: table(between, 1, 1) / length(between),
            "The first corner counts twice, too: it is reached by a step in both.":
                lambda between: table(between, 2, 1) / length(between),
            "Divide by n + m.": table,
            "Each step must be able to go on in either recording; yours always goes on in both.":
                lambda between: 2 * sum(between[min(i, len(between) - 1), min(i, len(between.T) - 1)]
                                        for i in range(max(between.shape))) / length(between),
            "The nearest next place need not lie on the cheapest way: keep the cost of every place.": greedy,
            "A way begins in the corner: everywhere else the edge of the table must be infinite.":
                lambda between: table(between, edge=0.0) / length(between),
            "Divide by n + m, not by the longer of the two.": lambda between: table(between) / max(between.shape),
        }),
}
check = checker(EXERCISES)
