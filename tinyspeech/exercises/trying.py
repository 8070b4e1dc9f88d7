"""A reader's own attempt at an exercise, tried on examples: what is wrong, a hint, and when it is right.

    check = checker({"hours_needed": Exercise(
        examples=[((3.0,), 1.0), ((1.0,), 3.0)],
        hints=["A rate r leaves T hours silent with probability exp(-r T).", "Solve exp(-r T) = 1/20 for T."],
        mistakes={"That is the mean time between two.": lambda rate: 1 / rate})})
    check(hours_needed)

A stub, whose body is `...`, is told to be one. What a known mistake gives on the examples is answered by what that
mistake is; everything else by the hint of the first example that goes wrong. All chapters with exercises.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Exercise:
    """What is known of an exercise."""

    examples: Sequence[tuple[tuple, Any]]
    """(arguments, what is right)."""
    hints: Sequence[str]
    """Of the first example that goes wrong one is told, its own or the last that there is."""
    mistakes: Mapping[str, Callable] = field(default_factory=dict)
    """What to say of a common mistake: the mistake itself, a function like the reader's."""
    rel: float = 1e-3
    """Numbers may differ by this share."""


def checker(exercises: Mapping[str, Exercise]) -> Callable[[Callable], None]:
    """The `check` of a chapter. exercises : by the names of the functions that a reader writes"""

    def check(attempt: Callable) -> None:
        """Try a function that has an exercise's name on its examples, and print what comes of it."""
        print(judged(attempt, exercises[attempt.__name__]))

    return check


def judged(attempt: Callable, exercise: Exercise) -> str:
    """What is said of an attempt."""
    name, given = attempt.__name__, [given_by(attempt, arguments) for arguments, _ in exercise.examples]
    right = [equal(got, wanted, exercise.rel) for got, (_, wanted) in zip(given, exercise.examples, strict=True)]
    if all(right):
        return f"{name}: right, on all {len(right)} examples."
    first = right.index(False)
    arguments, wanted = exercise.examples[first]
    call, got = f"{name}({', '.join(map(_short, arguments))})", given[first]
    if isinstance(got, Exception):
        complaint = f"{call} fails: {type(got).__name__}: {got}"
    elif got is None or got is ...:
        complaint = f"{call} gives nothing yet"
    else:
        complaint = f"{call} gives {_short(got)}; {_short(wanted)} is right"
    return f"{complaint}.\nHint: {_mistake(given, exercise) or exercise.hints[min(first, len(exercise.hints) - 1)]}"


def _mistake(given: list, exercise: Exercise) -> str | None:
    """What is to be said of the known mistake that gives the same on every example, if one does."""
    if any(isinstance(got, Exception) for got in given):
        return None
    for said, mistake in exercise.mistakes.items():
        others = [given_by(mistake, arguments) for arguments, _ in exercise.examples]
        if all(equal(got, other, exercise.rel) for got, other in zip(given, others, strict=True)):
            return said
    return None


def given_by(attempt: Callable, arguments: tuple) -> Any:
    """What it returns of copies of the arguments, or the exception that it raises."""
    try:
        return attempt(*copy.deepcopy(arguments))
    except Exception as error:
        return error


def _short(value: Any) -> str:
    text = " ".join(repr(value.tolist() if hasattr(value, "tolist") else value).split())
    return text if len(text) <= 60 else f"{text[:57]}..."


def equal(given: Any, wanted: Any, rel: float) -> bool:
    """Numbers, and sequences of them, to a share `rel`; everything else exactly."""
    if isinstance(given, Exception) or isinstance(wanted, Exception):
        return False
    try:
        given, wanted = np.asarray(given), np.asarray(wanted)
    except ValueError:  # sequences of unlike lengths
        return False
    if given.shape != wanted.shape:
        return False
    if given.dtype.kind in "biufc" and wanted.dtype.kind in "biufc":
        tiny = 1e-9 * np.abs(wanted).max(initial=0)  # beside the others, what a rounding leaves of zero is zero
        return bool(np.allclose(given, wanted, rtol=rel, atol=tiny))
    return bool((given == wanted).all())
