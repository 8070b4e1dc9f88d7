"""What came of training: losses, accuracy by seed, confusion, noise, and how sure a network may be. Chapter 4."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import fill

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from tinyspeech.pages.plots.basic import curves
from tinyspeech.pages.plots.theme import GRID, INK, PALETTE, PAPER, hide_spines, legend_beside, tall


def losses(curves_: Mapping[str, Sequence[float]], ax: Axes | None = None, width: int = 10) -> None:
    """Losses of several trainings, step by step, each point the mean of `width` steps up to there."""
    smooth = {name: np.convolve(loss, np.ones(width) / width, mode="valid") for name, loss in curves_.items()}
    steps = np.arange(width, width + len(next(iter(smooth.values()))))
    curves(steps, smooth, "step", f"loss (mean of {width} steps)", ax)


def runs(values: Mapping[str, Sequence[float]], marks: Mapping[str, float] | None = None) -> None:
    """What was trained, one row each, in a new figure: a dot for every seed, and the mean as a number.

    Parameters
    ----------
    values : thing -> its accuracies in percent, one for each seed
    marks : thing -> a number that others have published, drawn as a hollow diamond
    """
    marks = marks or {}
    ax = tall(0.9 + 0.26 * max(len(values), 4))
    beside = {"xytext": (8, 0), "textcoords": "offset points", "va": "center", "fontsize": 9}
    for row, (name, seeds) in enumerate(values.items()):
        ax.axhline(row, color=GRID, linewidth=0.8, zorder=0)
        ax.plot(seeds, [row] * len(seeds), "o", color=PALETTE["blue"], markersize=6, alpha=0.8)
        ax.annotate(f"{np.mean(seeds):.1f}", (max(seeds), row), **beside)
        if name in marks:
            look = {"markerfacecolor": PAPER, "markeredgecolor": PALETTE["vermilion"], "markeredgewidth": 1.6}
            ax.plot(marks[name], row, "D", markersize=7, **look)
            beside_left = {**beside, "xytext": (-8, 0), "ha": "right"}
            ax.annotate(f"{marks[name]:.1f}, published", (marks[name], row), **beside_left)
    ax.set_yticks(range(len(values)), list(values), fontsize=9)
    ax.set(ylim=(len(values) - 0.5, -0.5), xlabel="accuracy (%)")
    ax.margins(x=0.08)
    hide_spines(ax, "left")
    ax.tick_params(axis="y", length=0)


def paired(values: Mapping[str, Sequence[float]], seeds: Sequence[int] | None = None, ax: Axes | None = None) -> None:
    """Things side by side, and a line for each seed through them: what counts is which way the lines go.

    Parameters
    ----------
    values : thing -> its accuracies in percent, one for each seed, in one order
    seeds : their numbers, by default 0, 1, 2 ...
    """
    ax = ax or plt.gca()
    table = np.array(list(values.values()))  # (things, seeds)
    seeds = range(table.shape[1]) if seeds is None else seeds
    for seed, through, marker in zip(seeds, table.T, "osD^v<>ph*" * len(table.T), strict=False):
        ax.plot(through, marker=marker, markersize=6, linewidth=1.2, label=f"seed {seed}")
    places = np.arange(len(table))
    ax.hlines(table.mean(axis=1), places - 0.12, places + 0.12, color=INK, linewidth=2.4, label="mean", zorder=3)
    ax.set_xticks(places, [fill(name, 54 // len(table)) for name in values], fontsize=9)
    ax.set(xlim=(-0.5, len(values) - 0.5), ylabel="accuracy (%)")
    legend_beside(ax)


def confusion(matrix: ArrayLike, classes: Sequence[str], ax: Axes | None = None) -> None:
    """How often each class was taken for each: counts, shaded by their share of the row; rows are the truth.

    Parameters
    ----------
    matrix : int [classes, classes]
    """
    ax = ax or tall(4.6)
    matrix = np.asarray(matrix)  # (K, K)
    share = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    image = ax.imshow(np.sqrt(share), cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for (i, j), count in np.ndenumerate(matrix):
        if count:
            color = PAPER if share[i, j] > 0.4 else INK
            ax.text(j, i, f"{count}", ha="center", va="center", fontsize=9, color=color)
    names = [name.strip("_") for name in classes]
    ax.set_xticks(range(len(names)), names, rotation=45, ha="right", rotation_mode="anchor")
    ax.set_yticks(range(len(names)), names)
    ax.set(xlabel="the network's answer", ylabel="what was said")
    bar = ax.figure.colorbar(image, ax=ax, label="share of the row (%)", ticks=np.sqrt((0, 0.05, 0.25, 0.5, 1)))
    bar.ax.set_yticklabels(["0", "5", "25", "50", "100"])


def against_noise(
    kinds: Mapping[str, ArrayLike], snr_db: ArrayLike, ax: Axes | None = None
) -> None:
    """Accuracy over the ratio of speech to noise, a curve for each kind of noise.

    Parameters
    ----------
    kinds : name -> accuracies in percent, one for each ratio
    snr_db : in dB
    """
    ax = ax or plt.gca()
    for (name, y), color, marker in zip(kinds.items(), PALETTE.values(), "osD^v<>", strict=False):
        ax.plot(snr_db, y, marker=marker, markersize=5, color=color, label=name)
    ax.set(xlabel="speech over noise (dB)", ylabel="accuracy (%)", xticks=snr_db)
    ax.legend(fontsize=8, loc="lower right")


def reliability(bins: Mapping[str, Sequence[float | None]], ax: Axes | None = None) -> None:
    """How often a network is right when it is so sure: on the diagonal it knows what it knows.

    Parameters
    ----------
    bins : "count", "confidence" and "accuracy" of `measure.metrics.calibration`; an empty bin's means are None
    """
    ax = ax or plt.gca()
    full = [i for i, count in enumerate(bins["count"]) if count]
    x, y = ([bins[key][i] for i in full] for key in ("confidence", "accuracy"))
    area = [8 + 250 * bins["count"][i] / max(bins["count"]) for i in full]
    ax.plot([0, 1], [0, 1], color=INK, linewidth=1, linestyle="--")
    ax.plot(x, y, color=PALETTE["blue"], linewidth=1)
    ax.scatter(x, y, s=area, color=PALETTE["blue"], alpha=0.7, linewidths=0)
    ax.set(xlim=(0, 1.05), ylim=(0, 1.05), xlabel="confidence", ylabel="share that is right")
