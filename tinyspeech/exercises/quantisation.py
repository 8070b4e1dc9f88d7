"""Exercises of chapter 5: a channel on its grid, three values a weight in bytes, a step better than the last."""

from __future__ import annotations

import numpy as np

from tinyspeech.exercises.trying import Exercise, checker

LOW_BITS = (0.70, -0.36, 0.12, 0.02)
"""The channel that the chapter rounds by hand."""


def _halves_up(ratio: np.ndarray) -> np.ndarray:
    return np.floor(ratio + 0.5).astype(int)


def _steps(weights: list, limit: int) -> np.ndarray:
    """The weights in steps of a grid that ends at the largest of them."""
    weights = np.array(weights)
    return weights / (abs(weights).max() / limit)


def _stored(weights: list, limit: int) -> list:
    return _halves_up(_steps(weights, limit)).tolist()


def _from_the_largest_positive(weights: list, limit: int) -> list:
    return np.clip(_halves_up(np.array(weights) / (max(weights) / limit)), -limit, limit).tolist()


def _one_level_more(weights: list, limit: int) -> list:
    return np.clip(_halves_up(_steps(weights, limit) * (limit + 1) / limit), -limit, limit).tolist()


def _away_from_zero(weights: list, limit: int) -> list:
    steps = _steps(weights, limit)
    return (np.sign(steps) * _halves_up(abs(steps))).astype(int).tolist()


STORED = Exercise(
    examples=[((list(weights), limit), _stored(list(weights), limit)) for weights, limit in (
        (LOW_BITS, 7), (LOW_BITS, 1), ((-1.0, 0.25, -0.75, 0.5), 2), ((0.1, -0.8, 0.3, 0.35), 127))],
    hints=["The grid's end, `limit` steps, is the largest weight: that makes the step. Then divide, and round.",
           "Three values are a grid with the limit 1: its step is the largest weight itself.",
           "Halves go up here, those of negative numbers, too: add a half, then round down.",
           "The largest weight is the largest in size, whatever its sign."],
    mistakes={
        "That rounds halves to the even neighbour, as Python does; here they go up.":
            lambda weights, limit: np.round(_steps(weights, limit)).astype(int).tolist(),
        "That cuts off. Of a weight at 6.9 steps nearly a whole step is lost: round to the nearest.":
            lambda weights, limit: np.trunc(_steps(weights, limit)).astype(int).tolist(),
        "That rounds every number down: something has to be added before.":
            lambda weights, limit: np.floor(_steps(weights, limit)).astype(int).tolist(),
        "Halves below zero go away from zero there. Up is up, on both sides of zero.": _away_from_zero,
        "The largest weight may be a negative one: compare sizes.": _from_the_largest_positive,
        "The largest weight is `limit` steps, not one more: then it is stored as the last level.": _one_level_more,
        "That is what is used. What is stored are the whole numbers, before they are multiplied by the step.":
            lambda weights, limit: (np.array(_stored(weights, limit)) * abs(np.array(weights)).max() / limit).tolist(),
    },
    rel=1e-9)


def _fives(weights: list, fill: int = 0) -> np.ndarray:
    """In rows of five, the last one filled up; [n, 5]."""
    return np.array(list(weights) + [fill] * (-len(weights) % 5)).reshape(-1, 5)


def _places(base: int) -> np.ndarray:
    return base ** np.arange(5)


TERNARY_BYTES = Exercise(
    examples=[((weights,), ((_fives(weights) + 1) @ _places(3)).tolist()) for weights in (
        [1, 0, -1, 0, 1], [-1, -1, -1, -1, -1, 1, 1, 1, 1, 1], [1, -1], [0, 0, 1, 1, -1, -1, 0, 1])],
    hints=["A weight plus one is a digit of 0, 1 or 2. Five digits are a number in base 3: the first counts 1, the "
           "next 3, then 9.",
           "A byte each five weights: five times −1 is the smallest of them, five times 1 the largest.",
           "What is missing to five is filled up with weights that are zero."],
    mistakes={
        "The first weight is the digit that counts 1, and the last one counts 81; there it is the other way round.":
            lambda weights: ((_fives(weights) + 1) @ _places(3)[::-1]).tolist(),
        "A digit cannot be negative: first make 0, 1 and 2 of −1, 0 and 1.":
            lambda weights: (_fives(weights) @ _places(3)).tolist(),
        "Two bits a weight are base 4, and five of them would not fit a byte.":
            lambda weights: ((_fives(weights) + 1) @ _places(4)).tolist(),
        "What fills up the last five is the digit 0 there, and that means −1.":
            lambda weights: ((_fives(weights, -1) + 1) @ _places(3)).tolist(),
        "The last weights are lost: there may be fewer than five of them.":
            lambda weights: ((_fives(weights[: len(weights) // 5 * 5]) + 1) @ _places(3)).tolist(),
        "The digit of −1 is 0, that of 0 is 1 and that of 1 is 2; the remainder by three is another order.":
            lambda weights: (_fives(weights) % 3 @ _places(3)).tolist(),
    },
    rel=0)


def _numbers(x: np.ndarray, step: float, limit: int) -> np.ndarray:
    return np.clip(np.floor(x / step + 0.5), -limit, limit)


def _better(x: np.ndarray, step: float, limit: int) -> float:
    q = _numbers(x, step, limit)
    return float(x @ q / (q @ q))


def _without_clip(x: np.ndarray, step: float, limit: int) -> float:
    q = np.floor(x / step + 0.5)
    return float(x @ q / (q @ q))


def _mean_of_ratios(x: np.ndarray, step: float, limit: int) -> float:
    q = _numbers(x, step, limit)
    return float((x[q != 0] / q[q != 0]).mean())


BETTER_STEP = Exercise(
    examples=[((np.array(x), step, limit), _better(np.array(x), step, limit)) for x, step, limit in (
        ((0.9, -0.4, 0.2, 0.1, -0.6), 0.5, 1), ((0.9, -0.4, 0.2, 0.1, -0.6), 0.1, 7),
        ((3.0, 1.2, -0.3, -1.1, 0.4, 0.1), 0.4, 3), ((-2.0, 2.6, 0.2), 1.0, 1))],
    hints=["First the numbers: divide by the step, round, and clip to the limit. Then the step: where is the "
           "derivative of the sum of (x − s q)² by s zero?"],
    mistakes={
        "The numbers are not clipped: beyond the limit the grid has none.": _without_clip,
        "A mean of the ratios counts each number alike. In a squared error the large numbers weigh more.":
            _mean_of_ratios,
        "That is the old step again. The numbers found with it allow a better one.": lambda x, step, limit: step,
        "That divides by the weights' squares. Set the derivative by s to zero once more: what stands with s?":
            lambda x, step, limit: float(x @ _numbers(x, step, limit) / (x @ x)),
        "Sizes over sizes balances the sum of all, not their squared errors.":
            lambda x, step, limit: float(abs(x).sum() / abs(_numbers(x, step, limit)).sum()),
        "That is where the grid ends. The step is smaller, by the limit.":
            lambda x, step, limit: limit * _better(x, step, limit),
    },
    rel=1e-6)

EXERCISES = {"stored": STORED, "ternary_bytes": TERNARY_BYTES, "better_step": BETTER_STEP}
check = checker(EXERCISES)
