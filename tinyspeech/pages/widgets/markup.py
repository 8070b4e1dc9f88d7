"""The HTML and SVG of the widgets: templates in `templates/`, scripts beside this file, filled in here.

A template's line breaks and indentation are for those who read it: what is shown has neither, and a page stays small.
Every value is escaped, unless it is `Markup` already.
"""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from tinyspeech.pages.plots import theme

HERE = Path(__file__).resolve().parent


class OneLine(FileSystemLoader):
    """Templates with their lines, stripped, one behind the other."""

    def get_source(self, environment: Environment, template: str) -> tuple[str, str, Callable[[], bool]]:
        text, file, fresh = super().get_source(environment, template)
        return "".join(line.strip() for line in text.splitlines()), file, fresh


def _escaped(value: Any) -> Markup:
    """As `html.escape` does it, by names where HTML has them."""
    return value if isinstance(value, Markup) else Markup(escape(str(value)))


_ENVIRONMENT = Environment(
    loader=OneLine(HERE / "templates"), autoescape=True, finalize=_escaped, undefined=StrictUndefined)
_ENVIRONMENT.globals.update(ink=theme.INK, paper=theme.PAPER, grid=theme.GRID, pale=theme.PALE, palette=theme.PALETTE)


def render(template: str, **values: Any) -> str:
    """A template with values in it, and the colours of `theme`."""
    return _ENVIRONMENT.get_template(template).render(**values)


def script(name: str) -> Markup:
    """The text of a script beside this file, to stand in a page as it is."""
    return Markup((HERE / name).read_text(encoding="utf-8"))
