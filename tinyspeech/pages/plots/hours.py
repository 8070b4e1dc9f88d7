"""Hours of sound: what is falsely reported against what is heard, which words, and when. Chapter 11."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from tinyspeech.pages.plots.theme import INK, PALETTE, PAPER

LEAST_RATE = 0.01
"""Reports an hour: where a logarithmic axis ends that zero events would make endless."""


def det(points: Sequence[Mapping], conditions: Sequence[str], ax: Axes | None = None) -> None:
    """Keywords missed against false reports an hour, a curve for each condition; the point that ships is large.

    A point without an event lies at the upper end of its interval, hollow and off the curve: that is all that its hours
    can tell.

    Parameters
    ----------
    points : `hours.det` of data/results.json
    conditions : which of its conditions
    """
    ax = ax or plt.gca()
    for name, color in zip(conditions, PALETTE.values(), strict=False):
        rate = [point["per_hour"] or point["interval_95"][1] for point in points]
        missed = [100 - point["heard"][name] for point in points]
        counted = [(x, y) for x, y, point in zip(rate, missed, points, strict=True) if point["events"]]
        ax.plot(*zip(*counted, strict=True), "-", color=color, label=name, linewidth=1.2)
        for x, y, point in zip(rate, missed, points, strict=True):
            ax.plot(x, y, "o", color=color, markersize=9 if point["ships"] else 3.5,
                    markerfacecolor=color if point["events"] else "none")
            if point["ships"]:
                low, high = point["interval_95"]
                ax.hlines(y, max(low, LEAST_RATE), high, color=color, linewidth=4, alpha=0.3)
    ax.set(xscale="log", xlabel="false reports an hour", ylabel="keywords missed (%)")
    ax.legend(fontsize=9)


def det_over(rates: Sequence[float], missed: Sequence[float], label: str, ax: Axes | None = None) -> None:
    """Another curve over `det`'s, dashed: false reports an hour, and keywords missed in percent."""
    ax = ax or plt.gca()
    ax.plot(rates, missed, "--", color=INK, linewidth=1.2, label=label)
    ax.legend(fontsize=9)


def operating(rows: Sequence[Mapping], ax: Axes | None = None) -> None:
    """Networks or settings as points: keywords heard, clean and in noise, over false reports an hour, each with its
    number among the rows, from 1.

    Parameters
    ----------
    rows : `false_per_hour`, and what is `heard` clean and at 10 dB, `heard_10_db`, in percent, of each
    """
    ax = ax or plt.gca()
    for i, row in enumerate(rows, 1):
        rate = max(row["false_per_hour"], LEAST_RATE)
        for key, color in (("heard", PALETTE["blue"]), ("heard_10_db", PALETTE["sky"])):
            ax.plot(rate, row[key], "o", color=color, markersize=13)
            ax.annotate(str(i), (rate, row[key]), ha="center", va="center", fontsize=8, color=PAPER)
    for name, color in (("clean", PALETTE["blue"]), ("10 dB", PALETTE["sky"])):
        ax.plot([], [], "o", color=color, label=name)
    ax.legend(fontsize=9)
    ax.set(xscale="log", xlabel="false reports an hour", ylabel="keywords heard (%)")
    ax.margins(0.12)


def by_word(rates: Mapping[str, Mapping], ax: Axes | None = None) -> None:
    """False reports an hour of each word, with their intervals, the most frequent on top.

    Parameters
    ----------
    rates : word -> `events`, `per_hour`, `interval_95`: `hours.by_word` or `hours.armed` of data/results.json
    """
    ax = ax or plt.gca()
    names = sorted(rates, key=lambda name: rates[name]["per_hour"])
    values = [rates[name]["per_hour"] for name in names]
    reach = [[value - rates[name]["interval_95"][0] for name, value in zip(names, values, strict=True)],
             [rates[name]["interval_95"][1] - value for name, value in zip(names, values, strict=True)]]
    ax.barh(names, values, xerr=reach, color=PALETTE["vermilion"], ecolor=INK, capsize=2)
    ax.set(xlabel="an hour, with the interval of 95 %")


def reports_over_time(
    found: Sequence[tuple[float, str]], said: Sequence[tuple[float, float]], seconds: float, ax: Axes | None = None
) -> None:
    """A recording's reports as dots, a row for each word, over the minutes; bands where a keyword was truly said.

    Parameters
    ----------
    found : (second, word)
    said : (first second, last second)
    seconds : of the recording
    """
    ax = ax or plt.gca()
    words = sorted({word for _, word in found}, reverse=True)
    for first, last in said:
        ax.axvspan(first / 60, last / 60, color=PALETTE["green"], alpha=0.3, linewidth=0)
    ax.plot([at / 60 for at, _ in found], [words.index(word) for _, word in found], "o", color=PALETTE["vermilion"],
            markersize=4)
    ax.set(xlim=(0, seconds / 60), ylim=(-0.6, max(len(words), 1) - 0.4), xlabel="time (min)")
    ax.set_yticks(range(len(words)), words)
