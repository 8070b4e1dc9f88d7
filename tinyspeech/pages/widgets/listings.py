"""A function of the firmware beside the same one in Python, line by line. Chapters 8 and 9."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from pathlib import Path

from IPython.display import HTML

from tinyspeech.errors import UserError
from tinyspeech.pages.widgets.markup import render


def lines_of_c(text: str, name: str, braces: bool = False) -> list[str]:
    """The lines of a C function that say something, its head in one: no comments, and no braces that stand alone unless
    they are asked for.

    Raises `UserError` where no such function is defined in the text.
    """
    text = re.sub(r"\s*/\*.*?\*/", "", text, flags=re.DOTALL)
    found = re.search(rf"^(\w[\w \t*()]*\b{name}\([^;{{]*\))\s*\{{\n(.*?)^\}}", text, flags=re.DOTALL | re.MULTILINE)
    if not found:
        raise UserError(f"{name} is not defined there")
    head, body = found.groups()
    head, lines = re.sub(r"\s+", " ", head), [line.rstrip() for line in body.splitlines() if line.strip()]
    if braces:
        return [f"{head} {{", *lines, "}"]
    return [head, *(line for line in lines if line.strip(" {}"))]


def beside(function: Callable, file: Path) -> HTML:
    """A Python function and the C function of its name in a file, as a table of two columns, a row for each line.

    Both are read when this runs, so they are what is computed and what is compiled. `UserError` where one has more
    lines than the other.
    """
    name = function.__name__
    ours = [line for line in inspect.getsource(function).splitlines() if line.strip()]
    theirs = lines_of_c(file.read_text(encoding="utf-8"), name)
    if len(ours) != len(theirs):
        raise UserError(f"{name} has {len(ours)} lines in Python and {len(theirs)} in {file.name}")
    return HTML(render("beside.html", name=name, file=file.name, rows=zip(ours, theirs, strict=True)))
