"""The book as a site: which pages it has and in what order, how Sphinx builds it, and a look at what was built."""

from __future__ import annotations

import functools
import http.server
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from sphinx_external_toc.api import FileItem
from sphinx_external_toc.parsing import parse_toc_yaml

from tinyspeech.errors import UserError
from tinyspeech.paths import ROOT

FONT_HINT = r'<link rel="preload" as="font"[^>]*>\n?'


def toc_files(root: Path = ROOT) -> list[str]:
    """What _toc.yml lists, in reading order, as written there (paths without suffix)."""
    pages = parse_toc_yaml(root / "_toc.yml")

    def below(name: str) -> Iterator[str]:
        yield name
        for tree in pages[name].subtrees:
            for item in tree.items:
                if isinstance(item, FileItem):
                    yield from below(item)

    return [str(name) for name in below(pages.root.docname)]


def notebook_files(root: Path = ROOT) -> list[Path]:
    """The book's notebooks: those that _toc.yml lists, in that order, then any other."""
    listed = [p for f in toc_files(root) if (p := root / f"{f.removesuffix('.ipynb')}.ipynb").exists()]
    found = sorted(p for p in (root / "book").rglob("*.ipynb") if ".ipynb_checkpoints" not in p.parts)
    return listed + [p for p in found if p not in listed]


def chapter_files(root: Path = ROOT) -> list[Path]:
    """The numbered chapters among `notebook_files`: their names begin with two digits. Projects have no number."""
    return [path for path in notebook_files(root) if path.name[:2].isdigit()]


def missing_from_toc(root: Path = ROOT) -> list[str]:
    """Notebooks and pages below book/ that no reader would find."""
    listed = {f.removesuffix(".ipynb").removesuffix(".md") for f in toc_files(root)}
    pages = [*notebook_files(root), *(root / "book").glob("*.md")]
    return [name for p in pages if (name := p.relative_to(root).with_suffix("").as_posix()) not in listed]


def setup(app: Any) -> dict[str, bool]:
    """Make this module a Sphinx extension: it takes out sphinx_thebe, which jupyter-book loads on every page, numbers
    the chapters from 0, as their files are, and knows the directive `live-board`, the panel of `widgets.live_page`.

    Live code needs a server that this book does not have, and its script is declared twice, an error in every console.
    """
    from docutils import nodes  # here: the rest of this module needs no Sphinx
    from sphinx.util.docutils import SphinxDirective
    from sphinx_external_toc.collectors import TocTreeCollectorWithStyles

    class LiveBoard(SphinxDirective):
        """The panel, made when the book is built: it is of the firmware that is here then."""

        def run(self) -> list[nodes.Node]:
            from tinyspeech.pages.widgets import live_page  # here: it needs the compiler

            self.env.note_reread()  # whatever of it has changed since the last build
            return [nodes.raw("", live_page().data, format="html")]

    def take_out(app: Any, config: Any) -> None:
        for event in ("env-before-read-docs", "doctree-resolved"):
            for listener in list(app.events.listeners[event]):
                if listener.handler.__module__ == "sphinx_thebe":
                    app.disconnect(listener.id)

    def from_zero(app: Any, config: Any) -> None:
        """What numbers the chapters, Sphinx with two extensions upon it, begins with 1."""
        assign = TocTreeCollectorWithStyles.assign_section_numbers
        if hasattr(assign, "from_zero"):  # another build in this very Python
            return

        def less(number: Any, by: int = 1) -> Any:
            return number and type(number)([number[0] - by, *number[1:]])

        def shift(numbers: dict[str, Any], by: int) -> dict[str, Any]:
            return {anchor: less(number, by) for anchor, number in numbers.items()}

        def assign_from_zero(self: Any, env: Any) -> list[str]:
            # it compares with the numbers of the build before, to write those pages anew that have others
            env.toc_secnumbers = {page: shift(numbers, -1) for page, numbers in env.toc_secnumbers.items()}
            rewrite = assign(self, env)
            env.toc_secnumbers = {page: shift(numbers, 1) for page, numbers in env.toc_secnumbers.items()}
            for page in env.toc_secnumbers:
                for node in [env.titles[page], *env.tocs[page].findall(nodes.reference)]:
                    node["secnumber"] = less(node.get("secnumber"))
            return rewrite

        assign_from_zero.from_zero = True
        TocTreeCollectorWithStyles.assign_section_numbers = assign_from_zero

    def without_hints(app: Any, failed: Exception | None) -> None:
        """The theme's hints to load fonts early: a browser that has the page from a file refuses them aloud."""
        for page in Path(app.outdir).rglob("*.html") if failed is None else ():
            text = page.read_text(encoding="utf-8")
            if (plain := re.sub(FONT_HINT, "", text)) != text:
                page.write_text(plain, encoding="utf-8")

    app.connect("config-inited", take_out)
    app.connect("config-inited", from_zero)
    app.connect("build-finished", without_hints)
    app.add_directive("live-board", LiveBoard)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


class Pages(http.server.SimpleHTTPRequestHandler):
    """The files of a folder. A path that no file can have is not found, and what lies in a folder is not told."""

    def send_head(self):
        try:
            return super().send_head()
        except (ValueError, OSError):
            self.send_error(404, "File not found")
            return None

    def list_directory(self, path):
        self.send_error(404, "File not found")


def serve(port: int, say: Callable[[str], None], root: Path = ROOT) -> None:
    """Serve the built book on this machine until Ctrl-C.

    Parameters
    ----------
    port : 0 takes any free one
    say : gets a line with the address, once it can be visited

    Raises
    ------
    UserError
        The book is not built, or the port is not free.
    """
    built = root / "_build" / "html"
    if not (built / "index.html").exists():
        raise UserError("the book is not built yet: make html")
    handler = functools.partial(Pages, directory=built)
    try:
        server = http.server.ThreadingHTTPServer(("127.0.0.1", port), handler)
    except (OSError, OverflowError) as error:
        raise UserError(f"port {port} cannot be had ({error}): choose another, or leave it out") from error
    port = server.server_port
    say(f"Serving HTTP on 127.0.0.1 port {port} (http://127.0.0.1:{port}/) ...")
    with server, suppress(KeyboardInterrupt):
        server.serve_forever()
