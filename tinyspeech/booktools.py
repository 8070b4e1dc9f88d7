"""The book's own tools: run its notebooks and store them, check them, keep quoted numbers true.

    python -m tinyspeech.booktools execute [NOTEBOOK ...]   run all (or these) and store them with clean metadata
    python -m tinyspeech.booktools check [NOTEBOOK ...]     what is wrong, and size, cells, words, figures
    python -m tinyspeech.booktools numbers [--check]        rewrite (or compare) what is quoted from data/results.json
    python -m tinyspeech.booktools serve [--port N]         show the built book to a browser on this machine

It does not build the book (`make html`) and does not compare outputs (`pytest --nbval book/`). The rules that a stored
notebook is checked against are in bookrules.py.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import http.server
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tinyspeech.bookrules import (
    KERNELSPEC,
    LANGUAGE_INFO,
    WIDGET_STATE,
    Notebook,
    cell_lines,
    code_cells,
    complaints_about,
    dumps,
    figures,
    markdown_cells,
    reachable,
    shape_of,
    shown_widgets,
    source,
    where,
    widget_state,
    words_of,
)
from tinyspeech.errors import UserError
from tinyspeech.paths import ROOT

CELL_TIMEOUT_S = 120

# ---------------------------------------------------------------- the book's files


def load(path: Path) -> Notebook:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: no such notebook") from None
    except ValueError as error:
        raise UserError(f"{path}: not a notebook ({error})") from None


def toc_files(root: Path = ROOT) -> list[str]:
    """What _toc.yml lists, in reading order, as written there (paths without suffix)."""
    import yaml

    toc = yaml.safe_load((root / "_toc.yml").read_text(encoding="utf-8"))

    def walk(node: Any) -> Iterator[str]:
        if isinstance(node, dict):
            yield from (node[k] for k in ("root", "file") if k in node)
            for key in ("parts", "chapters", "sections"):
                yield from walk(node.get(key))
        elif isinstance(node, list):
            for item in node:
                yield from walk(item)

    return list(walk(toc))


def notebooks(root: Path = ROOT) -> list[Path]:
    """The book's notebooks: those that _toc.yml lists, in that order, then any other."""
    listed = [p for f in toc_files(root) if (p := root / f"{f.removesuffix('.ipynb')}.ipynb").exists()]
    found = sorted(p for p in (root / "book").rglob("*.ipynb") if ".ipynb_checkpoints" not in p.parts)
    return listed + [p for p in found if p not in listed]


def missing_from_toc(root: Path = ROOT) -> list[str]:
    """Notebooks and pages below book/ that no reader would find."""
    listed = {f.removesuffix(".ipynb").removesuffix(".md") for f in toc_files(root)}
    pages = [*notebooks(root), *(root / "book").glob("*.md")]
    return [name for p in pages if (name := p.relative_to(root).with_suffix("").as_posix()) not in listed]


# ---------------------------------------------------------------- running


def clean(nb: Notebook) -> Notebook:
    """Drop, in place, what differs between two runs: widget ids, tracebacks' paths, versions, editors' traces."""
    for cell in nb["cells"]:
        cell["metadata"] = {
            k: v for k, v in cell.get("metadata", {}).items() if k in ("tags", "mystnb", "nbval", "slideshow")
        }
        for output in cell.get("outputs", []):
            if output["output_type"] == "error":
                output["traceback"] = [f"{output['ename']}: {output['evalue']}"]
    state = widget_state(nb)
    shown = [m for m in reachable(state, shown_widgets(nb)) if m in state]
    nb["metadata"] = {"kernelspec": KERNELSPEC, "language_info": LANGUAGE_INFO}
    if not shown:
        return nb
    for model in shown:
        if "msg_id" in state[model]["state"]:
            state[model]["state"]["msg_id"] = ""
    nb["metadata"]["widgets"] = {
        WIDGET_STATE: {"state": {m: state[m] for m in shown}, "version_major": 2, "version_minor": 0}
    }
    text = json.dumps(nb)
    for number, model in enumerate(shown, start=1):
        text = text.replace(model, f"widget{number:04d}")
    nb.clear()
    nb.update(json.loads(text))
    return nb


def execute(path: Path) -> None:
    """Run a notebook from top to bottom in a fresh kernel of this very environment and store its outputs.

    Raises
    ------
    UserError
        A cell failed that is not tagged `raises-exception`; the stored notebook is left as it was.
    """
    import nbformat
    from ipykernel.kernelspec import RESOURCES, get_kernel_dict
    from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError

    class ThisEnvironment(KernelSpecManager):
        """Whatever kernels the user has installed: the one that runs is this Python."""

        def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
            return KernelSpec(resource_dir=RESOURCES, **get_kernel_dict())

    nb = nbformat.read(path, as_version=4)
    client = NotebookClient(
        nb,
        timeout=CELL_TIMEOUT_S,
        record_timing=False,
        coalesce_streams=True,
        resources={"metadata": {"path": str(path.parent)}},
    )
    client.create_kernel_manager().kernel_spec_manager = ThisEnvironment()
    try:
        client.execute()
    except CellExecutionError as error:
        raise UserError(f"{path.name}: {error}") from None
    path.write_text(dumps(clean(json.loads(nbformat.writes(nb)))), encoding="utf-8")


# ---------------------------------------------------------------- numbers quoted from data/results.json

_MARK = re.compile(
    r"<!--\s*results:(?P<key>[\w.+-]+(?:#[^#|<>]+#[\w.+-]+)?)(?:[|@](?P<format>[^\s>]+))?\s*-->"
    r"(?P<shown>.*?)<!--\s*/results\s*-->", re.DOTALL
)


def _at(entry: Any, path: str) -> Any:
    """What lies under a path of keys with dots, or None."""
    for part in path.split("."):
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
        stands beside it, KEY.value.NAME one of several; KEY#LABEL#PATH is of the row with that label, where KEY's value
        is a list of rows
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


def renumbered(text: str, results: dict[str, Any]) -> str:
    """The text with each `<!-- results:KEY|.1f -->93.9<!-- /results -->` (format optional) brought up to date.

    In a table, where `|` would end the cell, it is written `KEY@.1f`.
    """

    def put(match: re.Match[str]) -> str:
        start, end = match.start("shown") - match.start(), match.end("shown") - match.start()
        return match[0][:start] + quoted(results, match["key"], match["format"]) + match[0][end:]

    if len(_MARK.findall(text)) != text.count("<!-- results:"):
        raise UserError(f"a mark is not of the form <!-- results:KEY|FORMAT -->VALUE<!-- /results -->: {text[:60]!r}")
    return _MARK.sub(put, text)


def renumber(root: Path = ROOT, write: bool = False) -> list[str]:
    """Compare (or rewrite) the marked numbers of README.md and of the book's pages, drawings and notebooks; a line for
    each stale text."""
    path = root / "data" / "results.json"
    results = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    stale = []
    for page in [root / "README.md", *sorted((root / "book").glob("*.md")), *sorted((root / "book").rglob("*.svg"))]:
        old = page.read_text(encoding="utf-8")
        new = renumbered(old, results)
        if old != new:
            stale.append(f"{page.relative_to(root)}: quotes a number that data/results.json has otherwise")
            if write:
                page.write_text(new, encoding="utf-8")
    for page in notebooks(root):
        nb = load(page)
        changed = False
        for cell in markdown_cells(nb):
            new = renumbered(source(cell), results)
            if new != source(cell):
                stale.append(
                    f"{page.relative_to(root)}: {where(cell)} quotes a number that data/results.json has otherwise"
                )
                cell["source"], changed = new.splitlines(keepends=True), True
        if write and changed:
            page.write_text(dumps(nb), encoding="utf-8")
    return stale


# ---------------------------------------------------------------- the build


def setup(app: Any) -> dict[str, bool]:
    """Make this module a Sphinx extension: it takes out sphinx_thebe, which jupyter-book loads on every page.

    Live code needs a server that this book does not have, and its script is declared twice, an error in every console.
    """

    def take_out(app: Any, config: Any) -> None:
        for event in ("env-before-read-docs", "doctree-resolved"):
            for listener in list(app.events.listeners[event]):
                if listener.handler.__module__ == "sphinx_thebe":
                    app.disconnect(listener.id)

    app.connect("config-inited", take_out)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def serve(port: int = 0, root: Path = ROOT) -> None:
    """Serve the built book on this machine until Ctrl-C, and print its address. port : 0 takes any free one.

    Raises `UserError` where it is not built, or the port is not free.
    """
    site = root / "_build" / "html"
    if not (site / "index.html").exists():
        raise UserError("the book is not built yet: make html")
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=site)
    try:
        server = http.server.ThreadingHTTPServer(("127.0.0.1", port), handler)
    except (OSError, OverflowError) as error:
        raise UserError(f"port {port} cannot be had ({error}): choose another, or leave it out") from error
    port = server.server_port
    print(f"Serving HTTP on 127.0.0.1 port {port} (http://127.0.0.1:{port}/) ...", flush=True)
    with server, contextlib.suppress(KeyboardInterrupt):
        server.serve_forever()


# ---------------------------------------------------------------- command line


def _report(path: Path) -> list[str]:
    nb = load(path)
    shape = shape_of(cell_lines(nb))
    lines = ", ".join(f"{name} {value:g}" for name, value in shape.items())
    kilobytes = path.stat().st_size / 1000
    print(
        f"{path.name}: {len(code_cells(nb))} code cells (lines: {lines}), {words_of(nb)} words, "
        f"{len(figures(nb))} computed figures, {kilobytes:.0f} kB"
    )
    return complaints_about(nb)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tinyspeech.booktools", description="run, check and renumber the book"
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for name, text in (
        ("execute", "run notebooks and store their outputs"),
        ("check", "say what is wrong with stored notebooks"),
    ):
        commands.add_parser(name, help=text).add_argument(
            "notebook", nargs="*", type=Path, help="default: all, in reading order"
        )
    numbers = commands.add_parser("numbers", help="rewrite the numbers that are quoted from data/results.json")
    numbers.add_argument("--check", action="store_true", help="only compare; exit code 1 if one is stale")
    show = commands.add_parser("serve", help="show the built book to a browser on this machine")
    show.add_argument("--port", type=int, default=0, help="0: any free one (default)")
    options = parser.parse_args(arguments)

    try:
        if options.command == "serve":
            serve(options.port)
            return 0
        if options.command == "numbers":
            stale = renumber(write=not options.check)
            print("\n".join(stale) or "every quoted number is what was measured")
            return int(options.check and bool(stale))
        failed = False
        for path in options.notebook or notebooks():
            if options.command == "execute":
                load(path)
                execute(path)
            complaints = _report(path)
            print("".join(f"  {c}\n" for c in complaints), end="")
            failed = failed or bool(complaints)
        return int(failed)
    except UserError as error:
        print(error, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
