"""Give the book a public address: what its buttons and the first cells of its notebooks need to work elsewhere.

    python -m tinyspeech book publish https://github.com/OWNER/NAME

It writes the address into _config.yml, which turns on the buttons for the repository, its issues, edits, Binder and (on
GitHub) Colab, and into the first cell of every notebook, which then clones the repository where it is missing; until
somebody publishes, that cell is one line. It uploads nothing and may be run again with another address. Appendix on
contributing.
"""

from __future__ import annotations

import re
from pathlib import Path

from tinyspeech.errors import UserError
from tinyspeech.pages.notebooks import code_cells, dumps, load
from tinyspeech.pages.site import notebook_files
from tinyspeech.paths import ROOT

_ADDRESS = re.compile(r"https://[\w.-]+/[\w.-]+/[\w.-]+?(\.git)?/?")
_LINE = "import set_up  # finds the library in this clone, and installs what is missing"
"""All that the first cell of a notebook has to do where the clone is: book/set_up.py lies beside it."""
_CLONE = """\
import os
if not os.path.exists("set_up.py"):  # as on Colab
    os.system("git clone -q --depth=1 {address} book")
    os.chdir("book/book")
"""
_CELL = re.compile(re.escape(_CLONE).replace(re.escape("{address}"), r"\S+").join(("(?:", ")?")) + re.escape(_LINE))
"""A first cell, published or not."""


def first_cell(address: str) -> str:
    """What a notebook begins with; without an address, it has to lie in a clone."""
    return (_CLONE.format(address=address) if address else "") + _LINE


def settings(config: str, address: str) -> str:
    """The text of _config.yml with the address in it, comments kept.

    Raises `UserError` where it lacks one of the lines.
    """
    colab = "https://colab.research.google.com" if address.startswith("https://github.com/") else ""
    lines = {r"^(  url: ).*$": f'"{address}"', r'^(  binderhub_url: )"[^"\n]*"': '"https://mybinder.org"',
             r'^(  colab_url: )"[^"\n]*"': f'"{colab}"', r"^(  use_repository_button: )\w+$": "true",
             r"^(  use_issues_button: )\w+$": "true", r"^(  use_edit_page_button: )\w+$": "true"}
    for pattern, value in lines.items():
        config, found = re.subn(pattern, lambda match, value=value: match[1] + value, config, flags=re.MULTILINE)
        if found != 1:
            raise UserError(f"_config.yml: one line like {pattern} is needed, {found} are there")
    return config


def publish(address: str, root: Path = ROOT) -> list[Path]:
    """Write an address into _config.yml and the notebooks of a repository; returns the files that changed.

    Raises `UserError` where the address is none, or a notebook's first cell is another one.
    """
    if not _ADDRESS.fullmatch(address):
        raise UserError(f"{address}: give the repository's address in a browser, as https://github.com/OWNER/NAME")
    address = re.sub(r"(\.git)?/?$", "", address)
    config = root / "_config.yml"
    new = {config: settings(config.read_text(encoding="utf-8"), address)}
    for path in notebook_files(root):
        nb = load(path)
        cell = code_cells(nb)[0]
        if not _CELL.fullmatch(cell.source):
            raise UserError(f"{path.name}: its first cell is not the one that sets a page up")
        cell.source = first_cell(address)
        new[path] = dumps(nb)
    changed = [path for path, text in new.items() if path.read_text(encoding="utf-8") != text]
    for path in changed:
        path.write_text(new[path], encoding="utf-8")
    return changed
