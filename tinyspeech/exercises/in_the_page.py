"""Exercises in the static page, where no Python runs: an example of the function to work out by hand, and its check.

A Sphinx extension. Behind each stub of a chapter it puts a form, made of what `check` knows (`trying.Exercise`): a call
whose arguments and answer are short, a field for the answer, and the hints and known mistakes of that example.
book/style/exercises.js compares. Exercises without a short example have none: they need the notebook. All chapters
with exercises.
"""

from __future__ import annotations

import importlib
import json
import pkgutil
import re
from functools import cache
from html import escape
from typing import Any

import numpy as np

from tinyspeech import exercises
from tinyspeech.exercises.trying import Exercise, equal, given_by

STUB = re.compile(r"^def (\w+)\(.*\):\n    \.\.\.$.*^check\(\1\)$", re.MULTILINE | re.DOTALL)
MOST_CHARACTERS = 70
"""Of a call's arguments: what is longer is nothing to work out by hand."""
MOST_NUMBERS = 8
"""Of an answer."""
BY_HAND = 5e-3
"""Share by which an answer may be off where it is no whole number: three digits are enough."""


@cache
def known() -> dict[str, Exercise]:
    """Every exercise of every chapter, by the function's name."""
    modules = [importlib.import_module(f"{exercises.__name__}.{found.name}")
               for found in pkgutil.iter_modules(exercises.__path__)]
    return {name: exercise for module in modules for name, exercise in getattr(module, "EXERCISES", {}).items()}


def questions(name: str, exercise: Exercise) -> list[dict[str, Any]]:
    """The examples that can be worked out by hand: call, wanted, hint, and mistakes as [what they give, what is said].

    Answers are lists of numbers, of one number in most. A mistake that gives what is right is left out.
    """
    found = []
    for i, (arguments, wanted) in enumerate(exercise.examples):
        call, right = ", ".join(map(_written, arguments)), _numbers(wanted)
        if not right or len(call) > MOST_CHARACTERS:
            continue
        mistakes = [[wrong, said] for said, mistake in exercise.mistakes.items()
                    if (wrong := _numbers(given_by(mistake, arguments))) and not equal(wrong, right, BY_HAND)]
        found.append({"call": f"{name}({call})", "wanted": right, "mistakes": mistakes,
                      "hint": exercise.hints[min(i, len(exercise.hints) - 1)]})
    return found


def form(name: str) -> str:
    """HTML, or "" for an exercise that needs the notebook."""
    asked = questions(name, known()[name])
    if not asked:
        return ""
    return (f'<form class="by-hand" data-questions="{escape(json.dumps({"share": BY_HAND, "asked": asked}))}">'
            '<label>Without Python, by hand: <code></code> gives <input autocomplete="off" spellcheck="false"></label> '
            '<button>Check</button> <button type="button">Another one</button><output></output></form>')


def setup(app: Any) -> dict[str, bool]:
    """Make this module a Sphinx extension."""
    from docutils import nodes  # here: the rest of this module needs no Sphinx

    def put_forms(app: Any, doctree: nodes.document) -> None:
        for cell in list(doctree.findall(lambda node: "cell" in getattr(node, "attributes", {}).get("classes", ()))):
            stub = next((m for code in cell.findall(nodes.literal_block) if (m := STUB.search(code.astext()))), None)
            if stub and (html := form(stub[1])):
                cell.parent.insert(cell.parent.index(cell) + 1, nodes.raw("", html, format="html"))

    app.connect("doctree-read", put_forms)
    app.add_js_file("exercises.js", loading_method="defer")
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _written(argument: Any) -> str:
    return " ".join(repr(argument.tolist() if hasattr(argument, "tolist") else argument).split())


def _numbers(value: Any) -> list[int | float]:
    """A number or a few as a list; [] for everything else, numbers that are infinite or none included."""
    try:
        found = np.asarray(value)
    except ValueError:  # sequences of unlike lengths
        return []
    few = found.dtype.kind in "iuf" and found.ndim <= 1 and found.size <= MOST_NUMBERS
    return found.reshape(-1).tolist() if few and np.isfinite(found).all() else []
