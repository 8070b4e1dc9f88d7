"""A board being flashed: packets, who is busy when, and the memory page by page. Chapter 14."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Patch
from numpy.typing import ArrayLike

from tinyspeech.pages.plots.theme import GRID, PALE, PALETTE, PAPER, hide_spines, legend_above, tall

if TYPE_CHECKING:
    from tinyspeech.board.cable import Frame

PAGE_KINDS = ("erased", "old program", "programmed", "compared", "half done")
"""What may be in a page of flash while it is programmed anew; a page's kind is its place in here."""
BANK_COLORS = (PAPER, PALE, PALETTE["sky"], PALETTE["green"], PALETTE["vermilion"])
"""Of each kind."""


def packets(rows: Mapping[str, Sequence[tuple[str, bytes]]]) -> None:
    """Packets byte by byte in a new figure, each field in a colour of its own and named below.

    Parameters
    ----------
    rows : name of a packet -> its fields in order: what they are, and their bytes
    """
    ax = tall(0.5 + 0.85 * len(rows))
    looks = [PALETTE[name] for name in ("grey", "vermilion", "amber", "sky", "green", "pink")]
    for row, fields_ in enumerate(rows.values()):
        at = 0
        for number, ((name, data), color) in enumerate(zip(fields_, looks, strict=False)):
            for i, byte in enumerate(data):
                ax.barh(row, 1, left=at + i, height=0.42, color=color, alpha=0.45, edgecolor=PAPER)
                ax.text(at + i + 0.5, row, f"{byte:02x}", ha="center", va="center", fontsize=8, family="monospace")
            below = row + 0.33 + number % 2 * 0.16  # neighbours on two lines
            ax.text(at + len(data) / 2, below, name, ha="center", va="center", fontsize=7)
            at += len(data)
    ax.set_yticks(range(len(rows)), list(rows))
    ax.set(xticks=[], xlim=(0, max(sum(len(d) for _, d in f) for f in rows.values())), ylim=(len(rows) - 0.35, -0.4))
    hide_spines(ax, "left", "bottom")
    ax.tick_params(axis="y", length=0)


def phases(values: Mapping[str, tuple[float, float]], moved: Mapping[str, tuple[ArrayLike, ArrayLike]],
           ax: Axes | None = None) -> None:
    """A session from end to end: its phases as stripes, and how many bytes have gone each way.

    Parameters
    ----------
    values : phase -> (start, end) in seconds
    moved : way -> (seconds, bytes so far)
    """
    ax = ax or plt.gca()
    for i, (name, (start, end)) in enumerate(values.items()):
        ax.axvspan(start, end, color=(PALETTE["sky"], PALETTE["amber"])[i % 2], alpha=0.22, linewidth=0)
        ax.annotate(name, ((start + end) / 2, 1.02), xycoords=("data", "axes fraction"), ha="center", fontsize=8)
    for (name, (seconds, count)), color in zip(moved.items(), ("blue", "vermilion"), strict=False):
        ax.plot(seconds, np.asarray(count) / 1000, color=PALETTE[color], label=name, drawstyle="steps-post")
    ax.set(xlabel="time (s)", ylabel="kilobytes")
    ax.margins(x=0)
    ax.set_ylim(bottom=0)
    ax.legend(loc="upper left", fontsize=8)


def conversation(turns: Sequence[Frame], busy_s: float, ax: Axes | None = None) -> None:
    """Who is busy when, while a chip is sent packets: rows for the cable to it, for itself and for its answers.

    Parameters
    ----------
    turns : of `tinyspeech.board.cable.frames`
    busy_s : how long the chip works after each that it gets
    """
    ax = ax or plt.gca()
    begin = turns[0].start
    bars = []
    for turn in turns:
        bars.append((0 if turn.way == "to" else 2, turn.start, turn.end, f"{len(turn.data)} B"))
        if turn.way == "to":
            bars.append((1, turn.end, turn.end + busy_s, "page"))
    for row, start, end, text in bars:
        look = {"height": 0.6, "color": PALETTE[("blue", "amber", "vermilion")[row]], "alpha": 0.55}
        ax.barh(row, 1000 * (end - start), left=1000 * (start - begin), **look)
        ax.text(500 * (start + end) - 1000 * begin, row, text, ha="center", va="center", fontsize=7)
    ax.set_yticks(range(3), ["to the chip", "in the chip", "from the chip"])
    ax.set_xlabel("time (ms)")
    ax.invert_yaxis()


def bank(pages: ArrayLike, names: Mapping[int, str], columns: int = 32, ax: Axes | None = None) -> None:
    """A memory as a board of tiles, one a page, coloured by what is in it.

    Parameters
    ----------
    pages : [n] small integers
    names : number -> what it stands for; the colours are `BANK_COLORS`
    """
    ax = ax or plt.gca()
    pages = np.asarray(pages)
    rows = -(-len(pages) // columns)
    for i, kind in enumerate(pages.tolist()):
        look = {"color": BANK_COLORS[kind], "edgecolor": GRID, "linewidth": 0.5}
        ax.barh(i // columns, 0.9, left=i % columns, height=0.86, **look)
    ax.set(xlim=(-0.1, columns), ylim=(rows - 0.5, -0.5), xticks=[], yticks=range(rows))
    ax.set_yticklabels([f"{i * columns * 64:,}" for i in range(rows)], fontsize=7)
    ax.set_ylabel("address", fontsize=8)
    hide_spines(ax, "left", "bottom")
    ax.tick_params(length=0)
    handles = [Patch(facecolor=BANK_COLORS[kind], edgecolor=GRID, label=name) for kind, name in names.items()]
    legend_above(ax, len(handles), 8, handles=handles)
