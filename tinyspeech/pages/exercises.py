"""A reader's own attempt at an exercise, tried on examples: what is wrong, a hint, and when it is right.

    check(hours_needed, [((1.0,), 3.0)], hints=["None in T hours has the probability exp(-rate T)."])

A stub, whose body is `...`, is told to be one. Chapter 11.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np


def _short(value: Any) -> str:
    text = repr(value.tolist() if isinstance(value, np.ndarray | np.generic) else value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _equal(given: Any, wanted: Any, rel: float) -> bool:
    """Numbers, and sequences of them, to a share `rel`; everything else exactly."""
    given, wanted = np.asarray(given), np.asarray(wanted)
    if given.shape != wanted.shape:
        return False
    if given.dtype.kind in "biuf" and wanted.dtype.kind in "biuf":
        return bool(np.allclose(given, wanted, rtol=rel, atol=0))
    return bool((given == wanted).all())


def check(attempt: Callable, examples: Sequence[tuple[tuple, Any]], hints: Sequence[str], rel: float = 1e-3) -> None:
    """Try `attempt` on examples, and print what comes of it.

    Parameters
    ----------
    examples : (arguments, what is right)
    hints : of the first example that goes wrong one is printed, its own or the last that there is
    rel : numbers may differ by this share
    """
    name = attempt.__name__
    for i, (arguments, wanted) in enumerate(examples):
        call = f"{name}({', '.join(map(_short, arguments))})"
        try:
            given = attempt(*arguments)
        except Exception as error:
            complaint = f"{call} fails: {type(error).__name__}: {error}"
        else:
            if _equal(given, wanted, rel):
                continue
            complaint = f"{call} gives {_short(given)}; {_short(wanted)} is right"
            if given is None or given is ...:
                complaint = f"{call} gives nothing yet"
        print(f"{complaint}.\nHint: {hints[min(i, len(hints) - 1)]}")
        return
    print(f"{name}: right, on all {len(examples)} examples.")
