"""Sliders over pages of HTML, alive in the static page: all pages are computed beforehand, the browser turns them.

Only widgets that lie in book/vendor are used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import ipywidgets
from traitlets import Instance, List

from tinyspeech.pages.widgets.markup import sheet


class LinkedSlider(ipywidgets.SelectionSlider):
    """A slider that carries its link to the pages, so that the link is stored with what is shown."""

    link = Instance(ipywidgets.Widget, allow_none=True).tag(sync=True, **ipywidgets.widget_serialization)


class ManyLinkedSlider(ipywidgets.SelectionSlider):
    """A slider that turns several stacks of pages at once, and carries its links as `LinkedSlider` does."""

    links = List(Instance(ipywidgets.Widget)).tag(sync=True, **ipywidgets.widget_serialization)


def turned_by(slider: ipywidgets.SelectionSlider, children: Sequence[ipywidgets.Widget],
              **look: object) -> tuple[ipywidgets.Widget, ipywidgets.Widget | None]:
    """What shows one of the children, the one at the slider's position, and the link that turns it in the browser.

    ipywidgets 7, which Colab had for long, knows no such widget: there a box is filled anew, with Python behind it, and
    no link is returned.
    """
    if hasattr(ipywidgets, "Stack"):
        stack = ipywidgets.Stack(children, selected_index=slider.index, **look)
        return stack, ipywidgets.jslink((slider, "index"), (stack, "selected_index"))
    box = ipywidgets.VBox([children[slider.index]], **look)
    slider.observe(lambda change: setattr(box, "children", [children[change["new"]]]), "index")
    return box, None


def boxed(children: Sequence[ipywidgets.Widget], pages: Sequence[ipywidgets.HTML]) -> ipywidgets.VBox:
    """Widgets in the box that all of the book's have, and behind them the style sheet, which hides itself.

    pages : all in them, for the rules that they use
    """
    shown = "".join(page.value for page in pages)
    style = f"<style>{sheet(f'ts-widget {shown}')}</style>"
    look = ipywidgets.HTML(style, layout=pages[0].layout, style=pages[0].style)
    box = ipywidgets.VBox([*children, look], layout=ipywidgets.Layout(width="100%"))
    return box.add_class("ts-widget")


def flip_book(pages: Sequence[str], labels: Sequence[str], name: str) -> ipywidgets.VBox:
    """A slider over pages of HTML: position i shows page i. The browser does it, with or without Python behind it.

    Parameters
    ----------
    pages : HTML, one each
    labels : what the slider reads at each page
    name : of what is moved

    Raises
    ------
    ValueError
        There is not one label for each page, or there are no pages.
    """
    if not pages or len(pages) != len(labels):
        raise ValueError(f"{len(pages)} pages need as many labels, not {len(labels)}")
    wide = ipywidgets.Layout(width="100%", max_width="36em")
    style = ipywidgets.HTML().style  # one layout and one style for all pages: the stored state stays small
    slider = LinkedSlider(options=list(labels), description=name, layout=wide, style={"description_width": "initial"})
    shown = [ipywidgets.HTML(page, layout=wide, style=style) for page in pages]
    stack, slider.link = turned_by(slider, shown)
    return boxed([slider, stack], shown)


def explorer(
    dials: Mapping[str, Sequence[str]], page: Callable[..., str], start: Sequence[int] | None = None
) -> ipywidgets.VBox:
    """Several sliders over pages of HTML, one page for each combination, computed beforehand: a `flip_book` of more
    than one dimension, just as alive in the browser alone.

    Parameters
    ----------
    dials : name -> what the slider reads at each position
    page : takes a position of each dial, whole numbers from 0, and returns HTML
    start : where the sliders stand at first; by default all the way to the left

    Raises
    ------
    ValueError
        There is no dial, a dial without positions, or not one start for each dial.
    """
    sizes = [len(labels) for labels in dials.values()]
    start = [0] * len(sizes) if start is None else list(start)
    if not sizes or 0 in sizes or len(start) != len(sizes):
        raise ValueError(f"{len(start)} starts for dials of {sizes} positions")
    wide = ipywidgets.Layout(width="100%", max_width="36em")
    style = ipywidgets.HTML().style  # one layout and one style for all: the stored state stays small
    links: list[list[ipywidgets.Widget | None]] = [[] for _ in sizes]
    shown: list[ipywidgets.HTML] = []
    look = {"layout": wide, "style": {"description_width": "8em"}}
    sliders = [ManyLinkedSlider(options=list(labels), index=first, description=name, **look)
               for (name, labels), first in zip(dials.items(), start, strict=True)]

    def pages(*chosen: int) -> ipywidgets.Widget:
        depth = len(chosen)
        if depth == len(sizes):
            shown.append(ipywidgets.HTML(page(*chosen), layout=wide, style=style))
            return shown[-1]
        children = [pages(*chosen, i) for i in range(sizes[depth])]
        stack, link = turned_by(sliders[depth], children, layout=wide)
        links[depth].append(link)
        return stack

    book = pages()
    for slider, turning in zip(sliders, links, strict=True):
        slider.links = [link for link in turning if link]
    return boxed([*sliders, book], shown)
