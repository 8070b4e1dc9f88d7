"""Every exercise of every chapter: its stub and its solution stand in the notebook, and three mistakes are known."""

import importlib
import json
import pkgutil
import re

import pytest

import tinyspeech.exercises
from tinyspeech import paths
from tinyspeech.exercises.trying import Exercise, judged

MISTAKES = 3
CHAPTERS = sorted(name for _, name, package in pkgutil.iter_modules(tinyspeech.exercises.__path__)
                  if name != "trying" and not package)
EXERCISES = [(chapter, name) for chapter in CHAPTERS
             for name in importlib.import_module(f"tinyspeech.exercises.{chapter}").EXERCISES]
NOTEBOOKS = {path: json.loads(path.read_text("utf-8"))["cells"] for path in sorted(paths.BOOK.glob("[0-9]*.ipynb"))}


def exercise(chapter: str, name: str) -> Exercise:
    return importlib.import_module(f"tinyspeech.exercises.{chapter}").EXERCISES[name]


def tries(name: str) -> list[tuple[str, str]]:
    """Of all cells that define the function and check it: source, and what was printed."""
    return [("".join(cell["source"]), "".join("".join(out.get("text", "")) for out in cell["outputs"]))
            for cells in NOTEBOOKS.values() for cell in cells
            if cell["cell_type"] == "code" and f"check({name})" in "".join(cell["source"])]


@pytest.mark.parametrize(("chapter", "name"), EXERCISES)
def test_its_stub_hears_a_hint_and_its_solution_that_it_is_right(chapter, name):
    (stub, to_the_stub), (solution, to_the_solution) = tries(name)
    assert re.search(rf"^def {name}\(.*\):\n    \.\.\.$", stub, re.MULTILINE)
    assert "gives nothing yet.\nHint: " + exercise(chapter, name).hints[0] in to_the_stub
    assert "..." not in solution and f"{name}: right, on all {len(exercise(chapter, name).examples)}" in to_the_solution


@pytest.mark.parametrize(("chapter", "name"), EXERCISES)
def test_each_mistake_is_told_from_the_others_and_from_what_is_right(chapter, name):
    known = exercise(chapter, name)
    assert len(known.mistakes) >= MISTAKES
    for said, mistake in known.mistakes.items():
        mistake.__name__ = name
        assert judged(mistake, known).endswith(f"Hint: {said}"), said


def test_every_chapter_tries_its_exercises_by_its_module():
    """No check without a module, and no exercise that is shown and not tried."""
    shown = {found for cells in NOTEBOOKS.values() for cell in cells if cell["cell_type"] == "code"
             for found in re.findall(r"(?<![\w.])check\((\w+)\)", "".join(cell["source"]))}
    assert shown == {name for _, name in EXERCISES}
