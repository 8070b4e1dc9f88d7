"""What the processor does: the order of things, cycles by function, registers, time by stage. Chapters 9, 10 and 13."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.patches import Patch
from numpy.typing import ArrayLike

from tinyspeech.pages.plots.theme import GRID, INK, PALETTE, PAPER, THOUSANDS, hide_spines, legend_above, tall


def sequence(starts: Mapping[str, float], end: float, xlabel: str, ax: Axes | None = None) -> None:
    """What came after what, a row each, and how long it took.

    Parameters
    ----------
    starts : what -> when it began, in their order; each ends where the next begins, and the last at `end`
    """
    ax = ax or plt.gca()
    ends = [*list(starts.values())[1:], end]
    for row, ((name, start), stop) in enumerate(zip(starts.items(), ends, strict=True)):
        ax.barh(row, stop - start, left=start, height=0.6, color=PALETTE["green"], edgecolor=PALETTE["green"])
        ax.text(stop, row, f"  {name}: {stop - start:,}", va="center", fontsize=9)
    ax.set_yticks([])
    ax.invert_yaxis()
    ax.set_xlim(0, 1.4 * end)
    ax.xaxis.set_major_formatter(THOUSANDS)
    ax.set_xlabel(xlabel)


def function_costs(cycles: Mapping[str, int], kinds: Mapping[str, str], most: int = 16) -> None:
    """Cycles by function in a new figure, the dearest first, a colour for each kind; the rest is one bar.

    Parameters
    ----------
    cycles : function -> cycles, the dearest first
    kinds : function -> kind, at most six
    """
    shown = dict(list(cycles.items())[:most])
    colors = dict(zip(dict.fromkeys(kinds[name] for name in cycles), PALETTE.values(), strict=False))
    ax = tall(4.2)
    total = sum(cycles.values())
    looks = [colors[kinds[name]] for name in shown]
    if len(cycles) > most:
        rest = f"{len(cycles) - most} others"
        shown[rest], looks = total - sum(shown.values()), [*looks, GRID]
    bars_ = ax.barh(list(shown), list(shown.values()), color=looks, height=0.7)
    ax.bar_label(bars_, [f" {100 * value / total:.1f} %" for value in shown.values()], fontsize=8)
    ax.invert_yaxis()
    ax.tick_params(axis="y", labelsize=8)
    ax.margins(x=0.1)
    ax.xaxis.set_major_formatter(lambda value, _: f"{value / 1e6:g}")
    ax.set_xlabel("million cycles")
    ax.legend(handles=[Patch(color=color, label=kind) for kind, color in colors.items()], loc="lower right")


def registers(words: Mapping[str, int], texts: Sequence[str] = ()) -> None:
    """32-bit words as rows of tiles, the two halves in their own colours, ones filled, in a new figure.

    Parameters
    ----------
    words : label -> word, 0 .. 2^32 - 1
    texts : what each row's upper and lower half are worth, written behind it
    """
    ax = tall(0.6 + 0.42 * len(words))
    for row, word in enumerate(words.values()):
        for bit in range(32):
            color = PALETTE["amber" if bit >= 16 else "blue"] if word >> bit & 1 else PAPER
            left = 31 - bit + (0.5 if bit < 16 else 0)
            ax.barh(row, 1, left=left, height=0.62, color=color, edgecolor=PALETTE["grey"], linewidth=0.5)
    for row, text in enumerate(texts):
        ax.text(33.2, row, text, va="center", fontsize=9)
    ax.set_yticks(range(len(words)), list(words))
    ax.set(xticks=[8, 24.5], xticklabels=["upper half", "lower half"], xlim=(-0.3, 43 if texts else 33))
    ax.invert_yaxis()
    ax.tick_params(length=0)
    hide_spines(ax, "left", "bottom")


BUSY_COLORS = {"front end": "blue", "network": "vermilion", "samples in": "amber", "asleep": "sky"}
"""What the processor does, by the names that chapter 10 gives it; the rest is grey."""


def busy_over_time(busy: Mapping[str, ArrayLike], step_ms: float, ax: Axes | None = None) -> None:
    """What the processor is busy with, as shares of each step of time, stacked.

    Parameters
    ----------
    busy : stage -> cycles in each step
    step_ms : length of a step
    """
    ax = ax or plt.gca()
    shares = np.array([np.asarray(row, dtype=float) for row in busy.values()])  # (stages, steps)
    shares = 100 * shares / np.maximum(shares.sum(axis=0), 1)
    edges = step_ms * np.arange(shares.shape[1] + 1)
    under = np.zeros(shares.shape[1])
    for name, share in zip(busy, shares, strict=True):
        color = PALETTE[BUSY_COLORS.get(name, "grey")]
        ax.stairs(under + share, edges, baseline=under, fill=True, color=color, label=name, linewidth=0)
        under = under + share
    ax.set(xlim=(0, edges[-1]), ylim=(0, 100), ylabel="busy (%)", xlabel="time (ms)")
    legend_above(ax, len(busy), 8)


def timeline(
    busy: Mapping[str, ArrayLike], step_ms: float, first_ms: float, every_ms: float, ax: Axes | None = None
) -> None:
    """Who works when: a row for each stage, the darker the larger its share of a step.

    Parameters
    ----------
    busy : stage -> cycles in each step
    step_ms : length of a step
    first_ms, every_ms : dotted lines, where frames are due
    """
    ax = ax or plt.gca()
    whole = np.maximum(sum(np.asarray(row, dtype=float) for row in busy.values()), 1)
    shown = [name for name, row in busy.items() if name in BUSY_COLORS and np.any(row)]
    edges = step_ms * np.arange(len(whole) + 1)
    for i, name in enumerate(shown):
        share, color = np.asarray(busy[name]) / whole, np.array(to_rgb(PALETTE[BUSY_COLORS[name]]))
        share = np.where(share > 0, np.maximum(share, 0.3), 0)  # or it could not be seen
        picture = np.array(to_rgb(PAPER)) * (1 - share[:, None]) + color * share[:, None]
        ax.imshow(picture[None], aspect="auto", extent=(0, edges[-1], i + 0.4, i - 0.4))
    for due in np.arange(first_ms % every_ms, edges[-1], every_ms):
        ax.axvline(due, color=INK, linestyle=":", linewidth=1)
    ax.set_yticks(range(len(shown)), shown)
    ax.set(xlim=(0, edges[-1]), ylim=(len(shown) - 0.5, -0.5), xlabel="time (ms)")


def hand_over(seen: Mapping[str, Sequence[int]], cycles_per_us: float, ax: Axes | None = None) -> None:
    """One sample's way from the timer to the core: a row each, and dotted lines from who has done to who goes on.

    Parameters
    ----------
    seen : as of `trace.hand_over`, with as many numbers as beats, two at least, and one stay in the handler
    """
    ax = ax or plt.gca()
    beats, numbers, enter, leave = (np.asarray(times) / cycles_per_us
                                    for times in (seen["beat"], seen["number"], seen["enter"], seen["leave"]))
    ax.vlines(beats, -0.35, 0.35, color=PALETTE["green"], linewidth=3)
    ax.barh(np.ones(len(beats)), numbers - beats, left=beats, height=0.7, color=PALETTE["blue"])
    ax.plot(numbers, np.full(len(numbers), 2), "s", color=PALETTE["amber"], markersize=9)
    for i, at in enumerate(numbers):
        ax.text(at + 1.6, 2, str(i + 1), va="center", fontsize=9)
    whole = len(beats) * (beats[1] - beats[0])
    ax.barh(3, whole, height=0.7, color=PALETTE["sky"], alpha=0.4)
    ax.barh(3, leave[0] - enter[0], left=enter[0], height=0.7, color=PALETTE["vermilion"])
    for times, row in ((beats, 0), (numbers, 1), (numbers[-1:], 2)):
        ax.vlines(times, row + 0.35, row + 0.65, color=INK, linestyle=":", linewidth=1)
    ax.set_yticks(range(4), ["TIM1: a beat", "ADC: converts", "DMA: stores", "core: handler"])
    ax.set(xlim=(-2, whole), ylim=(3.6, -0.6), xlabel="time (\u00b5s)")
