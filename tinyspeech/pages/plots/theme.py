"""The look of the book's figures: one palette, one style, and axes of the sizes that chapters use.

Colours are Okabe and Ito's, which stay apart for colour-blind readers; maps are `cividis` or blue-white-orange.
The background is light and opaque, so that a figure stays readable on a dark page. Introduced in the first chapter.
"""

from __future__ import annotations

import io
from collections.abc import Sequence

import matplotlib.pyplot as plt
from cycler import cycler
from IPython import get_ipython
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from PIL import Image

INK = "#1f2933"
PAPER = "#fbfaf7"
GRID = "#d9d6cf"
PALE = "#b8b5ae"
"""For what stands beside the thing that a figure is about."""
PALETTE = {
    "blue": "#0072b2",
    "vermilion": "#d55e00",
    "green": "#009e73",
    "amber": "#e69f00",
    "pink": "#cc79a7",
    "sky": "#56b4e9",
    "grey": "#6b7280",
}
"""Named so that one thing keeps one colour through the book: blue is sound, green the chip, vermilion the answer."""
SEQUENTIAL = "cividis"
DIVERGING = LinearSegmentedColormap.from_list("blue-white-orange", [PALETTE["blue"], "#ffffff", PALETTE["vermilion"]])
THOUSANDS = "{x:,.0f}"
"""Numbers along an axis with a comma every three digits."""
SANS = "system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif"
"""Font of the drawings that are SVG: whatever the reader's computer has."""
WIDTH = 7.2
"""Inches: of every figure, so that all fill a page's column."""


def style() -> None:
    """Set matplotlib's defaults for the book; a chapter calls it once, before its first figure."""
    plt.rcParams.update(
        {
            "figure.figsize": (WIDTH, 2.8),  # inches
            "figure.dpi": 120,
            "savefig.dpi": 120,
            "figure.constrained_layout.use": True,
            "figure.facecolor": PAPER,
            "savefig.facecolor": PAPER,
            "axes.facecolor": PAPER,
            "axes.edgecolor": INK,
            "axes.labelcolor": INK,
            "axes.titlesize": 11,
            "axes.titlelocation": "left",
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.prop_cycle": cycler(color=list(PALETTE.values())),
            "axes.grid": False,
            "grid.color": GRID,
            "text.color": INK,
            "xtick.color": INK,
            "ytick.color": INK,
            "font.family": "DejaVu Sans",  # ships with matplotlib: the same figure everywhere
            "font.size": 10,
            "lines.linewidth": 1.6,
            "legend.frameon": False,
            "image.cmap": SEQUENTIAL,
            "image.interpolation": "nearest",
        }
    )
    shell = get_ipython()
    if shell is not None:
        import matplotlib_inline.backend_inline  # noqa: F401  (on import it sets its own way to show a figure; ours comes after)

        shell.display_formatter.formatters["image/png"].for_type(Figure, png)


def png(figure: Figure) -> bytes:
    """A figure as a PNG of at most 256 colours, half as large as usual: notebooks are kept small this way."""
    full, small = io.BytesIO(), io.BytesIO()
    figure.savefig(full, format="png", bbox_inches="tight")
    picture = Image.open(full).convert("RGB")
    picture.quantize(256, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(small, format="png", optimize=True)
    return small.getvalue()


def pair(widths: tuple[float, float] = (1, 1), height: float = 2.8) -> tuple[Axes, Axes]:
    """Two axes side by side in a new figure, `widths` to one another, `height` inches."""
    _, (left, right) = plt.subplots(1, 2, figsize=(WIDTH, height), width_ratios=widths)
    return left, right


def stack(rows: int, height: float, **options) -> list[Axes]:
    """`rows` axes below one another in a new figure, `height` inches in all; options as of `plt.subplots`."""
    _, axes = plt.subplots(rows, 1, figsize=(WIDTH, height), **options)
    return list(axes)


def tall(height: float) -> Axes:
    """One pair of axes in a new figure, `height` inches."""
    return stack(1, height, squeeze=False)[0][0]


def legend_above(
    ax: Axes, columns: int, fontsize: int = 9, gap: float = 0.0, handles: Sequence[Patch] | None = None
) -> None:
    """A legend over the axes.

    Parameters
    ----------
    columns : of its entries
    gap : between axes and legend, as a share of the axes' height
    handles : of what it names; by default all that was drawn with a label
    """
    named = {} if handles is None else {"handles": handles}
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0 + gap), ncols=columns, fontsize=fontsize, **named)


def legend_beside(ax: Axes) -> None:
    """A legend to the right of the axes, of all that was drawn with a label."""
    ax.legend(fontsize=9, loc="center left", bbox_to_anchor=(1.0, 0.5))


def hide_spines(ax: Axes, *sides: str) -> None:
    """Leave out the lines at these sides of the axes."""
    for side in sides:
        ax.spines[side].set_visible(False)
