"""Give the book a public address: what its buttons and the first cells of its notebooks need to work elsewhere.

    python -m tinyspeech book publish https://github.com/OWNER/NAME

It writes the address into _config.yml, which turns on the buttons for the repository, its issues, edits, Binder and (on
GitHub) Colab, and into the first cell of every notebook, which clones the repository where it is missing. It uploads
nothing and may be run again with another address. Appendix on contributing.
"""

from __future__ import annotations

import re
from pathlib import Path

from tinyspeech.errors import UserError
from tinyspeech.pages.notebooks import code_cells, dumps, load
from tinyspeech.pages.site import notebook_files
from tinyspeech.paths import ROOT

_ADDRESS = re.compile(r"https://[\w.-]+/[\w.-]+/[\w.-]+?(\.git)?/?")
_CELL = re.compile(r'^ADDRESS = "[^"\n]*"', re.MULTILINE)


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

    Raises `UserError` where the address is none, or a notebook's first cell has no place for it.
    """
    if not _ADDRESS.fullmatch(address):
        raise UserError(f"{address}: give the repository's address in a browser, as https://github.com/OWNER/NAME")
    address = re.sub(r"(\.git)?/?$", "", address)
    config = root / "_config.yml"
    new = {config: settings(config.read_text(encoding="utf-8"), address)}
    for path in notebook_files(root):
        nb = load(path)
        cell = code_cells(nb)[0]
        text, found = _CELL.subn(f'ADDRESS = "{address}"', cell.source)
        if found != 1:
            raise UserError(f'{path.name}: its first cell has no line ADDRESS = "..."')
        cell.source = text
        new[path] = dumps(nb)
    changed = [path for path, text in new.items() if path.read_text(encoding="utf-8") != text]
    for path in changed:
        path.write_text(new[path], encoding="utf-8")
    return changed
