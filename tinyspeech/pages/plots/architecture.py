"""A network that is streamed, block by block, as its code has it: shapes, weights, remembered bytes. Chapter 3.

Drawn from the modules of the network that it is given, a `tinyspeech.networks.streaming.TinySpeechS`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.patches import Patch

from tinyspeech.integer.frontend import N_COEFFICIENTS, N_FRAMES
from tinyspeech.pages.plots.theme import GRID, INK, PALE, PALETTE, legend_above, tall

COLORS = {"along time": PALETTE["amber"], "across channels": PALETTE["sky"], "attention": PALETTE["pink"]}
"""Of a bar, by where its layer looks."""
BYTES_OF_A_MEAN = 2
"""A leaking mean has more digits than what it is the mean of, a byte each."""
ROW, BAR = 0.27, 0.62
"""Inches of a row, and the share of it that a bar fills."""


@dataclass(frozen=True)
class Stage:
    """One bar of the drawing."""

    part: str
    """What it belongs to: `stem`, `block 0`, `attention`, ..."""
    name: str
    look: str
    """A key of `COLORS`, or nothing for what has no layer."""
    kernel: int
    """Frames that it sees."""
    frames: int
    """That it hands on for a clip, with the zeros that follow one."""
    channels: int
    weights: int
    remembers: int
    """Bytes from frame to frame."""


def stages(net: Any) -> list[Stage]:
    """What a network consists of, in the order in which a frame goes through it."""
    config, frames, found = net.config, N_FRAMES + net.config.flush, []
    found.append(Stage("input", "features", "", 1, frames, N_COEFFICIENTS, 0, 0))
    layers = [(name, module) for name, module in net.named_modules() if hasattr(module, "kernel")]
    last = [pair for pair in layers if pair[0] == "classifier"]  # it and the condenser both follow the head
    for path, layer in [pair for pair in layers if pair not in last] + last:
        *above, name = path.split(".")
        inputs, kernel = layer.weight.shape[1] * layer.groups, layer.kernel
        frames = -(-frames // layer.stride)
        attends = "condenser" in above
        part = f"block {above[1]}" if "blocks" in above else "attention" if attends else name
        look = "attention" if attends else "along time" if kernel > 1 else "across channels"
        found.append(Stage(part, name, look, kernel, frames, len(layer.weight), layer.weight.numel(),
                           (kernel - 1) * inputs))
        if attends and name == "squeeze" and config.memory:
            found.append(Stage(part, "leaking mean", look, 1, frames, config.condenser, 0,
                               BYTES_OF_A_MEAN * config.condenser))
    how = "average" if net.condenser is None else "weighed average"
    found.append(Stage("answer", how, "", 1, 1, found[-1].channels, 0, 0))
    return found


def architecture(net: Any) -> None:
    """A network as bars from top to bottom, each as long as it has channels, with its numbers, in a new figure.

    Lines on the left go round layers: in a block they add what came in, behind the head they lead to the scores. A
    condenser in a block stands behind the layer that it gates.
    """
    rows = stages(net)
    ax = tall(ROW * (len(rows) + 2.2))
    widest = max(row.channels for row in rows)
    columns = {"frames × channels": 1.28, "weights": 1.62, "bytes kept": 1.98}  # right edges, in widths of a bar
    for y, row in enumerate(rows):
        share = row.channels / widest
        ax.barh(y, share, BAR, left=0.5 - share / 2, color=COLORS.get(row.look, PALE))
        if y and not (row.name == "classifier" and rows[y - 1].part == "attention"):
            ax.plot((0.5, 0.5), (y - 1 + BAR / 2, y - BAR / 2), color=INK, linewidth=1)
        name = f"{row.name}, {row.kernel} frames" if row.kernel > 1 else row.name
        ax.text(-0.2, y, name, ha="right", va="center", fontsize=9)
        numbers = (f"{row.frames} × {row.channels}", f"{row.weights:,}" if row.weights else "",
                   f"{row.remembers:,}" if row.remembers else "")
        for text, x in zip(numbers, columns.values(), strict=True):
            ax.text(x, y, text, ha="right", va="center", fontsize=9)
    sums = ("", f"{sum(row.weights for row in rows):,}", f"{sum(row.remembers for row in rows):,}")
    for (name, x), total in zip(columns.items(), sums, strict=True):
        ax.text(x, -1, name, ha="right", va="center", fontsize=9, color=PALETTE["grey"])
        ax.text(x, len(rows), total, ha="right", va="center", fontsize=9, fontweight="bold")
    for part in dict.fromkeys(row.part for row in rows):
        where = [y for y, row in enumerate(rows) if row.part == part]
        if part.startswith("block") or part == "attention":
            ax.axhspan(where[0] - 0.45, where[-1] + 0.45, color=GRID, alpha=0.6, linewidth=0, zorder=0)
            ax.text(-0.83, sum(where) / len(where), part, ha="left", va="center", fontsize=9, fontweight="bold")
        if part.startswith("block"):
            _round(ax, where[0] - 1, where[-1], "+", at=(-0.06, sum(where) / len(where)))
    names = [row.name for row in rows]
    if rows[-3].part == "attention":
        _round(ax, names.index("head"), names.index("classifier"))
        _round(ax, names.index("classifier") - 1, len(rows) - 1, "×", at=(1.0, len(rows) - 1.5), side=1.0)
    ax.set(xlim=(-0.85, 2.0), ylim=(len(rows) + 0.6, -1.6))
    ax.set_axis_off()
    looks = [look for look in COLORS if look in {row.look for row in rows}]
    legend_above(ax, len(looks), handles=[Patch(color=COLORS[look], label=look) for look in looks])


def _round(
    ax: Axes, start: int, end: int, sign: str = "", at: tuple[float, float] = (0, 0), side: float = -0.06
) -> None:
    """A line from behind one row round all between it and another, or behind that where it adds; `sign` stands `at`."""
    begin, stop = start + BAR / 2 + 0.08, end + (BAR / 2 + 0.08 if sign == "+" else 0)
    ax.plot((0.5, side, side, 0.5), (begin, begin, stop, stop), color=INK, linewidth=1, zorder=0.5)
    if sign:
        ax.text(*at, sign, ha="center", va="center", fontsize=10,
                bbox={"boxstyle": "circle,pad=0.1", "facecolor": "white", "edgecolor": INK, "linewidth": 0.8})
