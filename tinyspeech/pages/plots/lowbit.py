"""Fewer bits: levels, ranges and clipping of weights, what rounding does, and what integers need. Chapters 5 and 7."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from tinyspeech.pages.plots.theme import (
    DIVERGING,
    GRID,
    INK,
    PALETTE,
    PAPER,
    THOUSANDS,
    WIDTH,
    legend_beside,
    pair,
    tall,
)


def tiles(weights: ArrayLike, group: int, ax: Axes | None = None) -> None:
    """A matrix of small integers, one coloured tile each: blue below zero, white at zero, orange above.

    Parameters
    ----------
    weights : [outputs, inputs]
    group : inputs of one frame; a line is drawn between frames
    """
    ax = ax or plt.gca()
    weights = np.asarray(weights)  # (O, I)
    top = int(np.abs(weights).max(initial=1))
    colors = DIVERGING.resampled(2 * top + 1)  # one for each level
    image = ax.imshow(weights, aspect="auto", cmap=colors, vmin=-top - 0.5, vmax=top + 0.5)
    for edge in range(group, weights.shape[1], group):
        ax.axvline(edge - 0.5, color=INK, linewidth=1.2)
    ax.set(xlabel="input", ylabel="output channel")
    ax.figure.colorbar(image, ax=ax, label="weight", ticks=range(-top + top % 2, top + 1, 2))


def roundings(x: ArrayLike, errors: Mapping[str, ArrayLike]) -> None:
    """What each rule of rounding adds to a number, in small panels of three a row, in a new figure.

    Parameters
    ----------
    x : the exact values
    errors : for each rule, rounded minus exact, [len(x)]; their mean is drawn and written
    """
    rows = -(-len(errors) // 3)
    _, axes = plt.subplots(rows, 3, figsize=(WIDTH, 1.75 * rows), sharex=True, sharey=True, squeeze=False)
    for ax, (name, error) in zip(axes.flat, errors.items(), strict=False):
        mean = float(np.mean(error))
        ax.axhline(0, color=INK, linewidth=0.8)
        ax.plot(x, error, ".", color=PALETTE["blue"], markersize=3)
        ax.axhline(mean, color=PALETTE["vermilion"], linestyle="--")
        ax.set_title(f"{name}: mean {mean:+.2f}", fontsize=9)
    for ax in axes[-1]:
        ax.set_xlabel("exact value")
    for ax in axes[:, 0]:
        ax.set_ylabel("error")


def drift(means: Mapping[str, Sequence[float]], layers: Sequence[str], ax: Axes | None = None) -> None:
    """How far each layer's numbers lie off on average, layer after layer, one line for each way of computing."""
    ax = ax or plt.gca()
    ax.axhline(0, color=INK, linewidth=0.8)
    for (name, values), marker in zip(means.items(), "osD^vx", strict=False):
        ax.plot(range(len(layers)), values, marker=marker, markersize=4, linewidth=1.2, label=name)
    ax.set_xticks(range(len(layers)), layers, rotation=45, ha="right", fontsize=8)
    ax.set_ylabel("mean error (units)")
    ax.legend(fontsize=9, ncols=2)


def headroom(seen: Mapping[str, Sequence[float]], worst: Mapping[str, Sequence[float]], layers: Sequence[str]) -> None:
    """How large numbers get, layer by layer, on a doubling scale, in a new figure: bars of what can be at worst, with
    a dot for the largest that was seen, and lines where 16 and 32 bits end.

    Parameters
    ----------
    seen, worst : for each kind of number its sizes, [layers]; 0 where a layer has none
    """
    ax = tall(3.6)
    place, width = np.arange(len(layers)), 0.8 / len(worst)
    for i, (name, sizes) in enumerate(worst.items()):
        at, has = place + (i + 0.5) * width - 0.4, np.asarray(sizes) > 0
        ax.bar(at[has], np.asarray(sizes)[has], width=width, color=PALETTE[("green", "amber", "sky")[i]],
               label=f"{name}, at worst")
        dots = np.asarray(seen[name], dtype=float)
        ax.plot(at[dots > 0], dots[dots > 0], "o", color=INK, markersize=3, label=None if i else "largest seen")
    ax.set_yscale("log", base=2)
    for bits in (16, 32):
        ax.axhline(2.0 ** (bits - 1), color=PALETTE["vermilion"], linestyle="--")
        ax.text(len(layers) - 0.4, 2.0 ** (bits - 1), f" {bits} bits", va="center", backgroundcolor=PAPER)
    ax.set_xticks(place, layers, rotation=45, ha="right", fontsize=8)
    ax.set(ylabel="size", ylim=(16, 2.0**35), xlim=(-0.6, len(layers) + 0.5))
    ax.legend(loc="upper left", fontsize=8, ncols=4)


def accuracy_against_bits(
    curves_: Mapping[str, Mapping[str, float]], float_accuracy: float, ax: Axes | None = None
) -> None:
    """Accuracy over the bits of a weight, a line for each way to get there, and float as a dashed line.

    Parameters
    ----------
    curves_ : way -> bits -> accuracy in percent, fewest bits first; up to four ways, which need not have all bits
    """
    ax = ax or plt.gca()
    names = list(dict.fromkeys(bits for curve in curves_.values() for bits in curve))
    sizes = (9, 6, 5, 4)  # a line that lies on another one leaves a rim of it
    for (way, curve), color, marker, size in zip(curves_.items(), PALETTE.values(), "osD^", sizes, strict=False):
        places = [names.index(bits) for bits in curve]
        ax.plot(places, list(curve.values()), marker=marker, markersize=size, color=color, linewidth=1.4, label=way)
    ax.axhline(float_accuracy, color=INK, linewidth=1, linestyle="--", label="float")
    ax.set_xticks(range(len(names)), names)
    ax.set(xlabel="bits of a weight", ylabel="accuracy (%)")
    ax.legend(fontsize=9)


def ranges(largest: ArrayLike, ax: Axes | None = None, title: str = "") -> None:
    """The largest weight of each output channel as bars, and a dashed line at the largest of all.

    Parameters
    ----------
    largest : [channels], positive
    """
    ax = ax or plt.gca()
    largest = np.asarray(largest, dtype=float)  # (C,)
    ax.bar(range(len(largest)), largest, color=PALETTE["blue"], width=0.8)
    ax.axhline(largest.max(), color=PALETTE["vermilion"], linewidth=1.4, linestyle="--")
    ax.margins(x=0.01)
    ax.set(xlabel="output channel", ylabel="largest weight")
    ax.set_title(title, loc="left", fontsize=10)


def clipping(
    clips: ArrayLike, errors: Mapping[str, ArrayLike], found: Mapping[str, tuple[float, float]],
    ax: Axes | None = None,
) -> None:
    """The error of a grid over the point where it ends, a curve for each number of bits, and a point found on each.

    Parameters
    ----------
    clips : where the grid ends, as a share of the largest number; the last one is no clipping at all
    errors : bits -> mean squared errors, one for each clip
    found : bits -> (clip, error) of the iteration
    """
    ax = ax or plt.gca()
    looks = zip(errors.items(), PALETTE.values(), "osD^v<>", strict=False)
    for (bits, error), color, marker in looks:
        ax.semilogy(clips, error, color=color, linewidth=1.4, label=bits)
        ax.plot(*found[bits], marker, color=color, markersize=7, markeredgecolor=INK)
    ax.margins(x=0.03)
    ax.set(xlabel="end of the grid / largest weight", ylabel="mean squared error")
    legend_beside(ax)


def staircase(x: ArrayLike, y: ArrayLike, slope: ArrayLike, assumed: ArrayLike) -> None:
    """What rounding does to a number, and two gradients of it, in a new figure.

    Parameters
    ----------
    x, y : numbers, and where on the grid they go
    slope, assumed : the staircase's true gradient, and the one that training uses
    """
    left, right = pair(height=2.7)
    left.plot(x, x, color=GRID, linewidth=1.4, label="as it is")
    left.plot(x, y, color=PALETTE["blue"], linewidth=1.6, label="on the grid")
    left.set(xlabel="weight", ylabel="what is used")
    left.legend(fontsize=9)
    right.plot(x, slope, color=PALETTE["blue"], linewidth=1.6, label="true")
    right.plot(x, assumed, color=PALETTE["vermilion"], linewidth=1.6, linestyle="--", label="straight through")
    right.set(xlabel="weight", ylabel="gradient", ylim=(-0.1, 1.25))
    right.legend(fontsize=9, loc="upper right", ncols=2)


def hops(latent: ArrayLike, used: ArrayLike, wanted: float, ax: Axes | None = None) -> None:
    """A weight while it is trained: as the optimiser holds it, as the network uses it, and what would be best."""
    ax = ax or plt.gca()
    steps = np.arange(len(np.asarray(latent)))
    ax.axhline(wanted, color=INK, linewidth=1, linestyle="--", label="best")
    ax.step(steps, used, where="post", color=PALETTE["blue"], linewidth=1.2, label="used")
    ax.plot(steps, latent, color=PALETTE["vermilion"], linewidth=1.6, label="held")
    ax.margins(x=0)
    ax.set(xlabel="step", ylabel="weight")
    legend_beside(ax)


def tiles_and_levels(weights: ArrayLike, everything: ArrayLike) -> None:
    """One layer's whole numbers as tiles, and how many of all weights stand on each level, in a new figure.

    Parameters
    ----------
    weights : [outputs, inputs] whole numbers of one layer
    everything : [N] whole numbers of all layers
    """
    left, right = pair((3, 2), height=3.2)
    tiles(weights, np.asarray(weights).shape[1], left)
    levels, counts = np.unique(np.asarray(everything), return_counts=True)
    top = int(np.abs(levels).max())
    colors = DIVERGING.resampled(2 * top + 1)
    right.bar(levels, counts, color=[colors(int(level) + top) for level in levels], edgecolor=INK, linewidth=0.6)
    right.yaxis.set_major_formatter(THOUSANDS)
    right.set(xlabel="level", ylabel="weights")
