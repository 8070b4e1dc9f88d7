"""Endless sound, and the words that were reported in it. Chapters 10 and 14."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from tinyspeech.pages.plots.basic import line
from tinyspeech.pages.plots.sound import waveform
from tinyspeech.pages.plots.theme import PALETTE, pair


def heard(
    samples: ArrayLike, sample_rate_hz: int, words: Sequence[tuple[float, str]], ax: Axes | None = None
) -> None:
    """Sound over time, and the words that were reported: a line at the moment of each.

    Parameters
    ----------
    samples : [N]
    words : seconds and word
    """
    ax = ax or plt.gca()
    waveform(samples, sample_rate_hz, ax)
    for seconds, word in words:
        ax.axvline(seconds, color=PALETTE["vermilion"])
        ax.annotate(word, (seconds, 1.02), xycoords=("data", "axes fraction"), ha="center", fontweight="bold")


def endless(
    steps: Sequence[tuple[float, str, float]], threshold: float, said: Sequence[tuple[float, float, str]],
    heard: Sequence[tuple[float, str]], until_s: float, ax: Axes | None = None,
) -> None:
    """The lead of the best class over time, where words were said (bands) and where they were reported (large dots).

    Parameters
    ----------
    steps : (second, the class that leads, its lead in thousands); the line breaks where classes change
    threshold : a line
    said : (first second, last second, word)
    heard : (second, word), at the seconds of steps
    until_s : what comes later is left out
    """
    ax = ax or plt.gca()
    steps = [step for step in steps if step[0] <= until_s]
    t, labels, leads = (list(column) for column in zip(*steps, strict=True))
    for i in reversed(range(1, len(t))):
        if labels[i] != labels[i - 1]:
            t.insert(i, t[i])
            leads.insert(i, np.nan)
    ax.plot(t, leads, ".-", color=PALETTE["blue"], linewidth=1.2, markersize=2.5)
    reported = {at: lead for at, _, lead in steps}
    ax.axhline(threshold, color=PALETTE["grey"], linestyle="--", linewidth=1)
    top = 1.12 * max(np.nanmax(leads), threshold)
    for first, last, word in said:
        if first < until_s:
            ax.axvspan(first, min(last, until_s), color=PALETTE["sky"], alpha=0.25, linewidth=0)
            ax.text((first + min(last, until_s)) / 2, 1.18 * top, word, ha="center", va="bottom", fontsize=8)
    for at, word in heard:
        if at <= until_s:
            ax.plot(at, reported[at], "o", color=PALETTE["vermilion"], markersize=5, zorder=3)
            ax.annotate(word, (at, reported[at]), (at, 1.04 * top), ha="center", fontsize=8, color=PALETTE["vermilion"],
                        arrowprops={"arrowstyle": "-", "color": PALETTE["vermilion"], "linestyle": ":", "shrinkB": 4})
    ax.set(xlim=(0, until_s), ylim=(0, 1.16 * top), xlabel="time (s)", ylabel="lead (thousands)")


def least_leads(leads: ArrayLike, heard: ArrayLike, alarms: ArrayLike, chosen: float) -> None:
    """What a least lead lets through: words heard (%), and false alarms a minute; a dot at the chosen one."""
    leads, chosen = np.asarray(leads) / 1000, chosen / 1000
    for ax, values, label in zip(pair(), (heard, alarms), ("words heard (%)", "false alarms a minute"), strict=True):
        line(leads, values, "least lead (thousands)", label, ax)
        ax.plot(chosen, np.interp(chosen, leads, values), "o", color=PALETTE["vermilion"])
