"""Numbers that pages quote: each stands between marks that name its figure in data/results.json, and comes from there.

    <!-- results:KEY|.1f -->93.9<!-- /results -->

`reading.NN` is no measurement of data/results.json but the minutes that chapter NN takes to read (`rules.py`).
A figure of the official test set, KEY.official_test, is of the integers whose digest it keeps. Beside it must stand
KEY.official_test.whose, and that comes from comparing the digest with that of the network at hand.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from tinyspeech.errors import UserError
from tinyspeech.integer.network import IntegerModel
from tinyspeech.outside import files
from tinyspeech.pages.notebooks import dumps, load, markdown_cells, where
from tinyspeech.pages.rules import reading_minutes
from tinyspeech.pages.site import chapter_files, notebook_files
from tinyspeech.paths import ROOT

_MARK = re.compile(
    r"<!--\s*results:(?P<key>[\w.+,-]+(?: [\w.+,-]+)*(?:#[^#|<>]+#[\w.+-]+)?)(?:[|@](?P<format>[^\s>]+))?\s*-->"
    r"(?P<shown>.*?)<!--\s*/results\s*-->", re.DOTALL
)

TEST = ".official_test"
"""How the keys of figures of the official test set end, behind the network's name."""


def _at(entry: Any, path: str) -> Any:
    """What lies under a path of keys with dots, of places from 0 where there is a list, or None."""
    for part in path.split("."):
        if isinstance(entry, list):
            entry = dict(enumerate(entry)).get(int(part) if part.isdigit() else None)
        else:
            entry = entry.get(part) if isinstance(entry, dict) else None
    return entry


def _below(results: dict[str, Any], key: str) -> Any:
    """What stands beside a figure's value: `s.accuracy.n` is the `n` of the top-level key `s.accuracy`."""
    parts = key.split(".")
    tables = ((".".join(parts[:i]), ".".join(parts[i:])) for i in range(len(parts) - 1, 0, -1))
    return next((_at(results[table], path) for table, path in tables if table in results), None)


def quoted(results: dict[str, Any], key: str, spec: str | None = None) -> str:
    """A measured figure as text.

    Parameters
    ----------
    results : what data/results.json holds
    key : a top-level key, or a path of keys with dots; an entry with a `value` stands for that value; KEY.n is what
        stands beside it, KEY.value.NAME one of several, KEY.NAME.0 the first of a list; KEY#LABEL#PATH is of the row
        with that label, where KEY's value is a list of rows
    spec : a Python format specification such as `.1f`; by default integers get thousands separators, floats `g`
    """
    table, *of_row = key.split("#")
    entry: Any = results.get(table)
    if of_row:
        label, path = of_row
        rows = entry.get("value") if isinstance(entry, dict) else None
        entry = _at(next((r for r in rows or () if isinstance(r, dict) and r.get("label") == label), None), path)
    elif entry is None:
        entry = _at(results, key) or _below(results, key)
    if isinstance(entry, dict):
        entry = entry.get("value")
    if entry is None or isinstance(entry, list):
        raise UserError(f"{key}: no such figure in data/results.json")
    if isinstance(entry, str):
        return entry
    return format(entry, spec or ("," if isinstance(entry, int) else "g"))


def whose(entry: dict[str, Any], digest: str | None) -> str:
    """Of which network a figure of the official test set is, in words that follow "accuracy".

    entry : of data/results.json, with `model_hash`; digest : of the network that bears the name now, None for none
    """
    if entry["model_hash"] == digest:
        return f"of the network that is here (digest {digest})"
    now = "none is here now" if digest is None else f"the one that is here has {digest}"
    return f"of the previous network (digest {entry['model_hash']}; {now})"


def with_owners(results: dict[str, Any], models: Path) -> dict[str, Any]:
    """The results, each figure of the official test set with `whose`. models : the folder of the integer networks"""
    files = {key: models / f"{key.removesuffix(TEST)}.npz" for key in results if key.endswith(TEST)}
    digests = {key: IntegerModel.load(file).digest if file.exists() else None for key, file in files.items()}
    return results | {key: {**results[key], "whose": whose(results[key], digest)} for key, digest in digests.items()}


def ownerless(text: str) -> list[str]:
    """Figures of the official test set, or their intervals, that a line of the text quotes without saying of which
    network they are."""
    complaints = []
    for line in text.splitlines():
        keys = [match["key"] for match in _MARK.finditer(line)]
        told = {key.removesuffix(".0").removesuffix(".1").removesuffix(".interval_95") for key in keys}
        complaints += [f"quotes {key} without {key}.whose in the same line" for key in sorted(told)
                       if key.endswith(TEST) and f"{key}.whose" not in keys]
    return complaints


def renumbered(text: str, results: dict[str, Any]) -> str:
    """The text with each `<!-- results:KEY|.1f -->93.9<!-- /results -->` (format optional) brought up to date.

    In a table, where `|` would end the cell, it is written `KEY@.1f`; the other raises `UserError`, as does a mark of
    another form.
    """

    def put(match: re.Match[str]) -> str:
        start, end = match.start("shown") - match.start(), match.end("shown") - match.start()
        return match[0][:start] + quoted(results, match["key"], match["format"]) + match[0][end:]

    if len(_MARK.findall(text)) != text.count("<!-- results:"):
        raise UserError(f"a mark is not of the form <!-- results:KEY|FORMAT -->VALUE<!-- /results -->: {text[:60]!r}")
    for line in text.splitlines():
        if line.startswith("|") and (ends := re.search(r"<!-- results:[^>|]*\|[^>]*-->", line)):
            raise UserError(f"a mark in a table has `|` for `@`, which ends the cell: {ends[0]}")
    return _MARK.sub(put, text)


def renumber(root: Path = ROOT, write: bool = False) -> list[str]:
    """Compare (or rewrite) the marked numbers of README.md and of the book's pages, drawings and notebooks; a line for
    each stale text, and for each figure of the official test set that could be taken for another network's."""
    path = root / "data" / "results.json"
    results = {}
    if path.exists():
        text = files.text(path, "give the measured figures")
        with files.parsing(path, "does not hold figures: bring it back from the repository"):
            results = dict(json.loads(text))
    results = with_owners(results, root / "data" / "models")
    chapters, pages = chapter_files(root), {page: load(page) for page in notebook_files(root)}
    results["reading"] = {page.name[:2]: reading_minutes(nb) for page, nb in pages.items() if page in chapters}
    stale = []
    for page in [root / "README.md", *sorted((root / "book").glob("*.md")), *sorted((root / "book").rglob("*.svg"))]:
        old = page.read_text(encoding="utf-8")
        new = renumbered(old, results)
        stale += [f"{page.relative_to(root)}: {complaint}" for complaint in ownerless(old)]
        if old != new:
            stale.append(f"{page.relative_to(root)}: quotes a number that data/results.json has otherwise")
            if write:
                page.write_text(new, encoding="utf-8")
    for page, nb in pages.items():
        changed = False
        for cell in markdown_cells(nb):
            new = renumbered(cell.source, results)
            stale += [f"{page.relative_to(root)}: {where(cell)} {complaint}" for complaint in ownerless(cell.source)]
            if new != cell.source:
                stale.append(
                    f"{page.relative_to(root)}: {where(cell)} quotes a number that data/results.json has otherwise"
                )
                cell.source, changed = new, True
        if write and changed:
            page.write_text(dumps(nb), encoding="utf-8")
    return stale
