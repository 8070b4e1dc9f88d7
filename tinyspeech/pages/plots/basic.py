"""Curves, dots and bars that say nothing of a topic: several chapters draw other things with them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from tinyspeech.pages.plots.theme import INK, PALETTE, PAPER, THOUSANDS, WIDTH, legend_above, tall


def legend(ax: Axes | None = None) -> None:
    """Name the curves that were drawn with a label."""
    (ax or plt.gca()).legend()


def scatter(x: ArrayLike, y: ArrayLike, xlabel: str, ylabel: str, ax: Axes | None = None) -> None:
    """One dot for each pair of numbers."""
    ax = ax or plt.gca()
    ax.plot(x, y, ".", color=PALETTE["blue"], markersize=6, markeredgewidth=0, antialiased=False)
    ax.set(xlabel=xlabel, ylabel=ylabel)


def line(x: ArrayLike, y: ArrayLike, xlabel: str, ylabel: str, ax: Axes | None = None) -> None:
    """One curve, and a thin line at zero."""
    ax = ax or plt.gca()
    ax.axhline(0, color=INK, linewidth=0.8)
    ax.plot(np.asarray(x), np.asarray(y), color=PALETTE["blue"], linewidth=1)
    ax.margins(x=0)
    ax.xaxis.set_major_formatter(THOUSANDS)
    ax.set(xlabel=xlabel, ylabel=ylabel)


def budget(values: Mapping[str, float], xlabel: str, ax: Axes | None = None) -> None:
    """What has accumulated after each stage, as horizontal bars in the stages' order, with the number behind each."""
    ax = ax or plt.gca()
    bars = ax.barh(list(values), list(values.values()), color=PALETTE["green"], height=0.6)
    ax.bar_label(bars, [f" {value:.2f}" for value in values.values()])
    ax.invert_yaxis()
    ax.margins(x=0.12)
    ax.set_xlabel(xlabel)


def curves(
    x: ArrayLike, ys: Mapping[str, ArrayLike], xlabel: str, ylabel: str, ax: Axes | None = None, legend: bool = True
) -> None:
    """Several curves over one axis, named; every second one is dashed and lies above, so that equal ones both show."""
    ax = ax or plt.gca()
    for i, (name, y) in enumerate(ys.items()):
        ax.plot(np.asarray(x), np.asarray(y), label=name, linestyle="--" if i % 2 else "-", zorder=2 + i % 2)
    ax.margins(x=0)
    ax.set(xlabel=xlabel, ylabel=ylabel)
    if legend:
        ax.legend(fontsize=9)


def parts(
    bars: Mapping[str, Mapping[str, int]], xlabel: str, hatched: Sequence[str] = (), ax: Axes | None = None
) -> None:
    """A horizontal bar for each thing, made of its parts one after another, with the sum behind it.

    Parameters
    ----------
    bars : thing -> part -> size; the same parts for all
    hatched : parts to be drawn hatched, as what could be left out
    """
    ax = ax or plt.gca()
    names = list(bars)
    start = np.zeros(len(names))
    for i, part in enumerate(bars[names[0]]):
        size = np.array([bars[name][part] for name in names])
        look = {"color": PALETTE[("blue", "green", "amber", "sky", "pink")[i % 5]]}
        if part in hatched:
            look = {"hatch": "///", "facecolor": PAPER, "edgecolor": PALETTE["vermilion"]}
        drawn = ax.barh(names, size, left=start, height=0.6, label=part, **look)
        start += size
    ax.bar_label(drawn, [f" {int(total):,}" for total in start])
    ax.invert_yaxis()
    ax.margins(x=0.1)
    ax.xaxis.set_major_formatter(THOUSANDS)
    ax.set_xlabel(xlabel)
    legend_above(ax, 5)


def differences(values: ArrayLike, xlabel: str, most: int, ax: Axes | None = None) -> None:
    """How often each whole number occurs, one bar each from -most to most; what lies beyond counts for the ends.

    Zero, where nothing differs, is green.
    """
    ax = ax or plt.gca()
    whole = np.arange(-most, most + 1)
    counts = (np.clip(np.asarray(values).reshape(-1, 1), -most, most) == whole).sum(axis=0)
    ax.bar(whole, counts, color=[PALETTE["green" if n == 0 else "vermilion"] for n in whole], width=0.8)
    ax.set(xlabel=xlabel, ylabel="how many")


def grouped(names: Iterable[str], series: Mapping[str, Sequence[float]], xlabel: str, ax: Axes | None = None) -> None:
    """Horizontal bars in groups, with the number behind each.

    Parameters
    ----------
    names : of the groups
    series : what the bars of one colour are -> a value for each group; at most three
    """
    ax = ax or plt.gca()
    names, height = list(names), 0.8 / len(series)
    for i, (name, numbers) in enumerate(series.items()):
        places = np.arange(len(names)) + (i - (len(series) - 1) / 2) * height
        drawn = ax.barh(places, numbers, height, label=name, color=PALETTE[("green", "amber", "sky")[i]])
        ax.bar_label(drawn, [f" {number:g}" for number in numbers], fontsize=9)
    ax.set_yticks(range(len(names)), names)
    ax.invert_yaxis()
    ax.margins(x=0.1)
    ax.set_xlabel(xlabel)
    legend_above(ax, len(series))


def ways(values: Mapping[str, float], xlabel: str, marks: Mapping[str, float] | None = None) -> None:
    """Ways to do the same thing as horizontal bars on a logarithmic scale, the dearest at the top, in a new figure.

    Parameters
    ----------
    values : way -> cost, above 0
    marks : label -> a cost to compare with, as a dashed line
    """
    ax = tall(0.8 + 0.3 * len(values))
    ordered = dict(sorted(values.items(), key=lambda item: -item[1]))
    bars = ax.barh(list(ordered), list(ordered.values()), color=PALETTE["green"], height=0.6)
    ax.bar_label(bars, [f" {value:.1f}" for value in ordered.values()], backgroundcolor=PAPER)
    for label, cost in (marks or {}).items():
        ax.axvline(cost, color=PALETTE["vermilion"], linewidth=1.2, linestyle="--", label=label)
        ax.legend(fontsize=9, loc="lower right")
    ax.invert_yaxis()
    ax.set_xscale("log")
    ax.set_xlim(1, 1.6 * max(ordered.values()))
    ax.xaxis.set_major_formatter("{x:g}")
    ax.set_xlabel(xlabel)


def marked(x: ArrayLike, ys: Mapping[str, ArrayLike], xlabel: str, ylabel: str, ax: Axes | None = None) -> None:
    """Values at whole numbers, a marker each and no line between, since there is nothing between."""
    ax = ax or plt.gca()
    for (name, y), color, marker in zip(ys.items(), PALETTE.values(), "os^Dv", strict=False):
        ax.plot(np.asarray(x), np.asarray(y), marker, color=color, markersize=5, label=name)
    ax.set(xlabel=xlabel, ylabel=ylabel, ylim=(0, None))
    ax.legend(fontsize=9)


def places(costs: Mapping[str, Mapping[str, float | None]], ylabel: str) -> None:
    """What each way costs in each place, as groups of bars, in a new figure; a place that is None is left out.

    Parameters
    ----------
    costs : way -> place -> cost; the same places for all, up to four
    """
    ax = tall(3.0)
    names = list(next(iter(costs.values())))
    looks = (("green", ""), ("amber", ""), ("green", "////"), ("amber", "////"))
    width = 0.8 / len(names)
    for i, (name, (color, hatch)) in enumerate(zip(names, looks, strict=False)):
        there = [(at, row[name]) for at, row in enumerate(costs.values()) if row[name] is not None]
        look = {"facecolor": PAPER if hatch else PALETTE[color], "edgecolor": PALETTE[color], "hatch": hatch}
        at, heights = [at + (i + 0.5) * width - 0.4 for at, _ in there], [cost for _, cost in there]
        ax.bar(at, heights, width, label=name, **look)
    ax.set_xticks(range(len(costs)), list(costs), rotation=20, ha="right", rotation_mode="anchor")
    ax.set_ylabel(ylabel)
    ax.legend(fontsize=9, ncols=2)


def columns(costs: Mapping[str, Mapping[str, float]], best: str = "") -> None:
    """A column of horizontal bars for each kind of cost, on logarithmic scales from 1, in a new figure.

    Parameters
    ----------
    costs : thing -> kind -> cost, 1 or more; the same kinds for all
    best : a thing that stands out
    """
    kinds = list(next(iter(costs.values())))
    _, axes = plt.subplots(1, len(kinds), figsize=(WIDTH, 0.8 + 0.3 * len(costs)), sharey=True, squeeze=False)
    colors = [PALETTE["vermilion" if name == best else "green"] for name in costs]
    for ax, kind in zip(axes[0], kinds, strict=True):
        values = [row[kind] for row in costs.values()]
        bars = ax.barh(list(costs), values, color=colors, height=0.6)
        ax.bar_label(bars, [f" {value:,.0f}" if value >= 100 else f" {value:.3g}" for value in values], fontsize=8)
        ax.set(xscale="log", xlim=(1, 8 * max(values)), xlabel=kind)
        ax.xaxis.set_major_formatter("{x:g}")
        ax.minorticks_off()
    axes[0][0].invert_yaxis()
