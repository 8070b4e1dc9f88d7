"""A chapter's code cells: what they printed, and the functions that the reader writes in them."""

import re

from nbformat import NotebookNode

from tinyspeech.pages.notebooks import text_outputs


def functions(cells: list[NotebookNode], names: str, **space) -> dict:
    """A chapter's own functions, by name, of cells that begin with one of them; with what these need.

    names : a regular expression of theirs
    """
    for cell in cells:
        if re.match(rf"def ({names})\(", cell.source):
            exec(re.split(r"\n\n(?=\S)", cell.source)[0], space)
    return space


def printed(cells: list[NotebookNode], start: str) -> str:
    """What the one cell printed that begins so."""
    (cell,) = (cell for cell in cells if cell.source.startswith(start))
    return "".join(text_outputs(cell))
