"""Taught words: loudness and weight, quarters of a word, templates, the way through them, distances. Chapter 12."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from tinyspeech.pages.plots.theme import DIVERGING, INK, PALE, PALETTE, WIDTH, stack

FRAME_S = 0.04
BIN = 4
"""Of `margins`: so many thresholds a bar."""


def standing(loudness: ArrayLike, floor: ArrayLike, peak: ArrayLike, weights: ArrayLike) -> None:
    """A recording's loudness between its floor and its peak and, below on the same axis, what each frame weighs, in a
    new figure. Each [frames] of 40 ms, the first three in one unit."""
    top, bottom = stack(2, 3.6, sharex=True, height_ratios=(3, 2))
    time = FRAME_S * np.arange(len(np.asarray(loudness)))
    top.plot(time, loudness, color=PALETTE["blue"], label="loudness")
    top.plot(time, peak, "--", color=PALETTE["vermilion"], linewidth=1.2, label="peak")
    top.plot(time, floor, "--", color=PALETTE["green"], linewidth=1.2, label="floor")
    top.set_ylabel("first coefficient")
    top.legend(fontsize=9, loc="upper right")
    bottom.bar(time, weights, 0.8 * FRAME_S, color=PALETTE["amber"])
    bottom.margins(x=0)
    bottom.set(xlabel="time (s)", ylabel="weight")


def quarters(takes: Mapping[str, ArrayLike], ax: Axes | None = None) -> None:
    """How much of its weight each take has had by when, from its first frame on, and where a quarter of it is over.

    Parameters
    ----------
    takes : name -> weights [frames] of 40 ms
    """
    ax = ax or plt.gca()
    for quarter in (25, 50, 75):
        ax.axhline(quarter, color=PALE, linewidth=0.8)
    for name, weights in takes.items():
        share = np.append(0, 100 * np.cumsum(weights) / np.sum(weights))
        time = 1000 * FRAME_S * np.arange(len(share))
        (curve,) = ax.plot(time, share, label=name)
        ax.plot(np.interp((25, 50, 75), share, time), (25, 50, 75), "o", color=curve.get_color(), markersize=6)
    ax.set(xlabel="time since its first frame (ms)", ylabel="of its weight (%)", ylim=(0, 102))
    ax.set_yticks((0, 25, 50, 75, 100))
    ax.margins(x=0.02)
    ax.legend(fontsize=9, loc="lower right")


def templates(words: Mapping[str, ArrayLike], coefficients: int) -> None:
    """What each word's parts look like, a row a part, in a new figure: coefficients left, the block's values right.

    Parameters
    ----------
    words : name -> [parts, values]
    coefficients : how many of the values these are
    """
    _, axes = plt.subplots(len(words), 2, figsize=(WIDTH, 0.7 + 1.05 * len(words)), squeeze=False,
                           width_ratios=(1, 2.6))
    for (left, right), (name, rows) in zip(axes, words.items(), strict=True):
        rows = np.asarray(rows)
        left.imshow(rows[:, :coefficients], cmap=DIVERGING, vmin=-8, vmax=8, aspect="auto")
        right.imshow(rows[:, coefficients:], vmin=0, vmax=11, aspect="auto")
        left.set_ylabel(name, rotation=0, ha="right", va="center", fontweight="bold")
        for ax in (left, right):
            ax.set_yticks(range(len(rows)), range(1, len(rows) + 1), fontsize=8)
            ax.set_xticks([])
    axes[-1][0].set_xlabel("coefficients 1 to 10")
    axes[-1][1].set_xlabel("values of the last block")


def way(excess: ArrayLike, path: Sequence[int], ax: Axes | None = None) -> None:
    """How far each frame is beyond what is allowed, for each part of a word, and the cheapest way through.

    Parameters
    ----------
    excess : [frames, parts]; below 0 is blue: nearer than the threshold
    path : [frames], the part that each is taken for, from 0
    """
    ax = ax or plt.gca()
    excess = np.asarray(excess, dtype=float).T
    most = np.abs(excess).max()
    picture = ax.imshow(excess, cmap=DIVERGING, vmin=-most, vmax=most, aspect="auto", origin="lower",
                        extent=(0.5, len(path) + 0.5, 0.5, len(excess) + 0.5))
    ax.plot(1 + np.arange(len(path)), 1 + np.asarray(path), "o-", color=INK, markersize=5, linewidth=1.5)
    ax.set_yticks(range(1, len(excess) + 1))
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set(xlabel="frame with weight", ylabel="part")
    ax.figure.colorbar(picture, ax=ax, label="beyond the threshold")


def margins(groups: Mapping[str, ArrayLike], threshold: float, ax: Axes | None = None) -> None:
    """From which threshold on a word would be heard: how often each, one colour a group; a line at one threshold.

    Parameters
    ----------
    groups : name -> thresholds; none of them is infinite
    """
    ax = ax or plt.gca()
    values = [np.asarray(group, dtype=float) for group in groups.values()]
    every = np.concatenate(values)
    bins = np.arange(BIN * np.floor(every.min() / BIN), every.max() + BIN + 1, BIN)
    ax.hist(values, bins, stacked=True, label=list(groups),
            color=[PALETTE[name] for name in ("green", "amber", "sky", "grey", "pink")[: len(values)]])
    ax.axvline(threshold, color=INK, linestyle="--", linewidth=1.2)
    ax.annotate("threshold", (threshold, 1), xycoords=("data", "axes fraction"), ha="center", va="bottom")
    ax.yaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set(xlabel="heard from this threshold on", ylabel="recordings")
    ax.legend(fontsize=9)
