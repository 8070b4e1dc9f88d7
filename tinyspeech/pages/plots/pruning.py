"""Zeros among the weights: where they are, what stores them, and what they save. Chapter 6."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Patch
from numpy.typing import ArrayLike

from tinyspeech.pages.plots.theme import (
    DIVERGING,
    INK,
    PALETTE,
    PAPER,
    THOUSANDS,
    WIDTH,
    hide_spines,
    legend_above,
    tall,
)

FORMAT_LOOKS = {"dense": ("grey", "o"), "bitmap": ("blue", "s"), "runs": ("amber", "^"), "groups": ("vermilion", "D"),
                "shipped": ("sky", "P"), "straight": ("green", "v")}
"""Colour and marker of each format of `tinyspeech.measure.formats.FORMAT_CALLS`, the same in every figure."""


def weight_maps(matrices: Mapping[str, ArrayLike]) -> None:
    """Integer weights side by side in a new figure, negative blue, positive orange, zeros left as paper.

    Parameters
    ----------
    matrices : title -> [outputs, inputs]
    """
    figure, axes = plt.subplots(1, len(matrices), figsize=(WIDTH, 3.6), sharey=True, squeeze=False)
    for ax, (title, matrix) in zip(axes[0], matrices.items(), strict=True):
        matrix = np.asarray(matrix)  # (O, I)
        image = ax.imshow(np.ma.masked_equal(matrix, 0), cmap=DIVERGING, vmin=-7, vmax=7, aspect="auto")
        ax.set_title(title, fontsize=10)
        ax.set(xlabel="input")
    axes[0][0].set_ylabel("output")
    figure.colorbar(image, ax=axes, label="weight")


def pruned_sizes(values: ArrayLike, threshold: float, ax: Axes | None = None) -> None:
    """How large weights are, and which of them a threshold takes.

    Parameters
    ----------
    values : float weights of any shape; what is below the threshold in size is drawn hatched
    threshold : at least 0
    """
    ax = ax or plt.gca()
    values = np.asarray(values, dtype=float).reshape(-1)
    edges = np.linspace(-np.abs(values).max(), np.abs(values).max(), 61)
    small = np.abs(values) <= threshold
    hatched = {"hatch": "////", "facecolor": PAPER, "edgecolor": PALETTE["vermilion"], "linewidth": 0.5}
    ax.hist([values[small]], edges, label="pruned", **hatched)
    ax.hist([values[~small]], edges, color=PALETTE["blue"], label="kept")
    for side in (-threshold, threshold):
        ax.axvline(side, color=INK, linewidth=1, linestyle="--")
    ax.set(xlabel="weight", ylabel="weights")
    ax.legend(fontsize=9)


def over_zeros(
    lines: Mapping[str, tuple[Sequence[float], Sequence[float]]], ylabel: str, ax: Axes | None = None,
    level: float | None = None, log: bool = False,
) -> None:
    """Something over the share of zeros, one line a thing; formats have their own colours.

    Parameters
    ----------
    lines : thing -> (zeros in percent, values)
    level : drawn as a dashed horizontal line, to compare with
    log : whether the values' axis is logarithmic
    """
    ax = ax or plt.gca()
    spare = iter(zip(("blue", "amber", "vermilion", "green"), "os^D", strict=True))
    for name, (x, y) in lines.items():
        color, marker = FORMAT_LOOKS[name] if name in FORMAT_LOOKS else next(spare)
        ax.plot(x, y, marker=marker, markersize=5, color=PALETTE[color], label=name)
    if level is not None:
        ax.axhline(level, color=INK, linewidth=1, linestyle="--", zorder=0)
    if log:
        ax.set_yscale("log")
    elif max(max(y) for _, y in lines.values()) >= 1000:
        ax.yaxis.set_major_formatter(THOUSANDS)
    ax.set(xlabel="zeros (%)", ylabel=ylabel)
    ax.legend(fontsize=8)


def row_fields(row: Sequence[int], group: int = 4) -> dict[str, list[tuple[str, int, str]]]:
    """The fields of a row of 4-bit weights in the formats of `integer.sparse` with a table: for `stored_row`."""

    def weight(w: int) -> tuple[str, int, str]:
        return f"{w}", 4, "weight" if w else "zero"

    there = np.flatnonzero(row)
    gaps = np.diff([-1, *there]) - 1
    groups = np.reshape(row, (-1, group))
    return {
        "dense": [weight(w) for w in row],
        "bitmap": [(f"{int(w != 0)}", 1, "place") for w in row] + [weight(row[i]) for i in there],
        "runs": [(f"{len(there)}", 8, "place")]
        + [field for gap, i in zip(gaps, there, strict=True) for field in ((f"{gap}", 4, "place"), weight(row[i]))],
        "groups": [(f"{int(words.any())}", 1, "place") for words in groups]
        + [weight(w) for words in groups if words.any() for w in words],
    }


def stored_row(formats: Mapping[str, Sequence[tuple[str, int, str]]]) -> None:
    """One row of weights as each format stores it, drawn to scale in a new figure: a bit is always as wide.

    Parameters
    ----------
    formats : format -> its fields in order: text, width in bits, and what it is: `weight`, `place` (where weights are)
        or `zero` (a zero that is stored)
    """
    looks = {"weight": PALETTE["sky"], "place": PALETTE["amber"], "zero": PAPER}
    ax = tall(0.8 + 0.55 * len(formats))
    for row, fields_ in enumerate(formats.values()):
        at = 0
        for text, bits, kind in fields_:
            ax.barh(row, bits, left=at, height=0.6, color=looks[kind], edgecolor=INK, linewidth=0.8)
            ax.text(at + bits / 2, row, text, ha="center", va="center", fontsize=8 if bits > 2 else 6)
            at += bits
        ax.text(at + 0.6, row, f"{at} bits", va="center", fontsize=9)
    ax.set_yticks(range(len(formats)), list(formats))
    ax.invert_yaxis()
    ax.set_xlabel("bits")
    ax.margins(x=0.1)
    hide_spines(ax, "left")
    ax.tick_params(axis="y", length=0)
    names = {"weight": "a weight", "zero": "a stored zero", "place": "says where weights are"}
    handles = [Patch(facecolor=looks[kind], edgecolor=INK, label=label) for kind, label in names.items()]
    legend_above(ax, 3, 8, handles=handles)


def trade(
    points: Mapping[str, Mapping[str, tuple[float, Sequence[float]]]], xlabel: str, ax: Axes | None = None,
    legend: bool = True,
) -> None:
    """Accuracy over a cost: a colour for each kind of network, a dot for each seed, joined through the means.

    Parameters
    ----------
    points : kind -> name of a network -> (cost, accuracies in percent by seed); at most four kinds
    """
    ax = ax or plt.gca()
    beside = ((12, 8), (0, -14)), ((14, 2),) * 2, ((-14, 2),) * 2, ((0, 8),) * 2  # names: dots of kinds may meet
    looks = zip(("blue", "vermilion", "green", "amber"), "oDsv", beside, strict=True)
    for (kind, networks), (color, marker, places) in zip(points.items(), looks, strict=False):
        costs = [cost for cost, _ in networks.values()]
        means = [float(np.mean(values)) for _, values in networks.values()]
        ax.plot(costs, means, color=PALETTE[color], linewidth=1, marker=marker, markersize=5, label=kind)
        for cost, values in networks.values():
            ax.plot([cost] * len(values), values, ".", color=PALETTE[color], markersize=4, alpha=0.7)
        for i, (name, cost, mean) in enumerate(zip(networks, costs, means, strict=True)):
            ax.annotate(name, (cost, mean), xytext=places[i % 2], textcoords="offset points", fontsize=8, ha="center",
                        color=PALETTE[color])
    ax.set(xlabel=xlabel, ylabel="accuracy (%)")
    ax.margins(x=0.15, y=0.15)
    if legend:
        ax.legend(fontsize=8, loc="lower right")
