"""The HTML and SVG of the widgets: templates in `templates/`, scripts and their one style sheet beside this file.

A template's line breaks and indentation are for those who read it: what is shown has neither, and a page stays small.
Every value is escaped, unless it is `Markup` already. A template with `{{ style() }}` brings the look along: the rules
of `widgets.css` for the classes in it, no others.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
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
_STYLE = Markup("<style></style>")
"""Where the sheet goes: which rules it needs is known once the rest is there."""
_ENVIRONMENT.globals.update(ink=theme.INK, paper=theme.PAPER, grid=theme.GRID, pale=theme.PALE, palette=theme.PALETTE,
                            style=lambda: _STYLE)


def render(template: str, **values: Any) -> str:
    """A template with values in it, and the colours of `theme`."""
    text = _ENVIRONMENT.get_template(template).render(**values)
    return text.replace(_STYLE, f"<style>{sheet(text)}</style>") if _STYLE in text else text


@cache
def _rules() -> tuple[tuple[str, str, str], ...]:
    """`widgets.css` as (condition, selector, declarations); the condition is `@media ...` or empty."""
    text = re.sub(r"/\*.*?\*/", "", (HERE / "widgets.css").read_text(encoding="utf-8"), flags=re.DOTALL)
    text = re.sub(r"\s*([{};,])\s*", r"\1", re.sub(r"\s+", " ", text)).replace(": ", ":")
    rules, condition = [], ""
    for opened, selector, declarations, closed in re.findall(r"(@[^{]+)\{|([^{}]+)\{([^{}]*)\}|(\})", text):
        if selector:
            rules.append((condition, selector.strip(), declarations.strip("; ")))
        condition = opened.strip() if opened else "" if closed else condition
    return tuple(rules)


def sheet(html: str) -> Markup:
    """The rules of `widgets.css` that a page uses: those of which every class of ours and every attribute is somewhere
    in it, its scripts included; before them the colours that they and the page name."""
    used, parts = set(re.findall(r"(?<![\w-])ts-[a-z]+", html)), []
    for condition, selectors, declarations in _rules():
        kept = [one for one in selectors.split(",") if {*re.findall(r"\.(ts-[a-z]+)", one)} <= used
                and all(name in html for name in re.findall(r"\[([a-z-]+)", one))]
        if kept:
            rule = f"{','.join(kept)}{{{declarations}}}"
            parts.append(f"{condition}{{{rule}}}" if condition else rule)
    colours = {"ink": theme.INK, "paper": theme.PAPER, "grid": theme.GRID, "pale": theme.PALE, **theme.PALETTE}
    named = {*re.findall(r"var\(--ts-(\w+)", "".join(parts) + html)}
    values = ";".join(f"--ts-{name}:{value}" for name, value in colours.items() if name in named)
    return Markup(f".ts-widget{{{values}}}{''.join(parts)}")


def script(name: str) -> Markup:
    """The text of a script beside this file, to stand in a page; indentation and lines of comment stay here."""
    return Markup(re.sub(r"^ *(//.*\n)?", "", (HERE / name).read_text(encoding="utf-8"), flags=re.MULTILINE))
