"""Interactive parts of the book, made to stay alive in the static page: no kernel answers there.

What can be moved is computed beforehand, one page for each position of a slider, and the browser alone turns the pages.
Only widgets that lie in book/vendor are used, and drawings are HTML with a description for readers who cannot see them.
Introduced in the first chapter.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from html import escape

import ipywidgets
import numpy as np
import soundfile
from IPython.display import HTML
from numpy.typing import ArrayLike
from traitlets import Instance

from tinyspeech.plots import GRID, INK, PALETTE


def sound(samples: np.ndarray, sample_rate_hz: int, label: str) -> HTML:
    """A player with the samples inside, as 16-bit WAV.

    Parameters
    ----------
    samples : int16 [N], played as they are: nothing is made louder
    label : what one would hear
    """
    file = io.BytesIO()
    soundfile.write(file, samples, sample_rate_hz, format="WAV", subtype="PCM_16")
    data = base64.b64encode(file.getvalue()).decode()
    return HTML(
        f'<audio controls preload="metadata" aria-label="{escape(label)}" src="data:audio/wav;base64,{data}"></audio>'
        f'<div style="font-size: 0.9em">{escape(label)}</div>'
    )


def bars(shares: ArrayLike, classes: Sequence[str]) -> str:
    """Class scores as HTML bars, the answer in colour.

    Parameters
    ----------
    shares : [classes], each 0 .. 1
    """
    shares = np.asarray(shares, dtype=float)  # (K,)
    best = int(shares.argmax())
    rows = []
    for i, (name, share) in enumerate(zip(classes, shares, strict=True)):
        color = PALETTE["vermilion"] if i == best else "#b8b5ae"
        left, right = escape(name.strip("_")), f"{100 * share:.0f} %"
        if i == best:
            left, right = f"<b>{left}</b>", f"<b>{right}</b>"
        fill = f"background:linear-gradient(90deg,{color} {100 * share:.1f}%,{GRID} 0)"
        rows.append(f"<tr><td>{left}</td><td width=70% style='{fill}'></td><td align=right>{right}</td></tr>")
    text = f"Bars of twelve scores; the answer is {classes[best].strip('_')} with {100 * shares[best]:.0f} per cent."
    look = "display:table;width:100%;border:0;border-spacing:9px 2px;border-collapse:separate;white-space:nowrap"
    look += f";color:{INK}"
    return f"<div role=img aria-label='{escape(text)}'><table style='{look}'>{''.join(rows)}</table></div>"


class LinkedSlider(ipywidgets.SelectionSlider):
    """A slider that carries its link to the pages, so that the link is stored with what is shown."""

    link = Instance(ipywidgets.Widget, allow_none=True).tag(sync=True, **ipywidgets.widget_serialization)


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
    stack = ipywidgets.Stack([ipywidgets.HTML(page, layout=wide, style=style) for page in pages], selected_index=0)
    slider = LinkedSlider(options=list(labels), description=name, layout=wide, style={"description_width": "initial"})
    slider.link = ipywidgets.jslink((slider, "index"), (stack, "selected_index"))
    return ipywidgets.VBox([slider, stack], layout=ipywidgets.Layout(width="100%"))
