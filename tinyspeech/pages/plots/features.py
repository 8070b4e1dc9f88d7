"""What the front end makes of sound: windows, mel bands, coefficients. Chapters 2 and 8."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from tinyspeech.pages.plots.theme import DIVERGING, INK, PALETTE, SEQUENTIAL, THOUSANDS


def bands(weights: ArrayLike, bin_hz: float, ax: Axes | None = None) -> None:
    """Mel bands as the slopes that they are: which share of a frequency's power goes to which band.

    Parameters
    ----------
    weights : [bands, bins], each 0 .. 1
    bin_hz : distance of two neighbouring bins
    """
    ax = ax or plt.gca()
    weights = np.asarray(weights)  # (B, F)
    frequency_khz = np.arange(weights.shape[1]) * bin_hz / 1000
    for i, row in enumerate(weights):
        color = PALETTE["blue"] if i % 2 else PALETTE["amber"]
        ax.fill_between(frequency_khz, row, color=color, alpha=0.35, linewidth=0)
        ax.plot(frequency_khz, row, color=color, linewidth=0.8)
    ax.margins(x=0)
    ax.set(xlabel="frequency (kHz)", ylabel="weight", ylim=(0, 1.15), yticks=(0, 1))


def window(samples: ArrayLike, exponent: int, sample_rate_hz: int, ax: Axes | None = None) -> None:
    """One window as recorded and as the chip scales it, by two to the `exponent`.

    Parameters
    ----------
    samples : [N] integers
    """
    ax = ax or plt.gca()
    samples = np.asarray(samples, dtype=float)  # (N,)
    time_ms = np.arange(len(samples)) * 1000 / sample_rate_hz
    ax.plot(time_ms, samples * 2.0**exponent, color=PALETTE["blue"], linewidth=1, label=f"times {2.0**exponent:g}")
    ax.plot(time_ms, samples, color=PALETTE["grey"], linewidth=1, label="as recorded")
    for limit in (-(2**14), 2**14):
        ax.axhline(limit, color=PALETTE["vermilion"], linewidth=1, linestyle="--")
    ax.margins(x=0)
    ax.set(xlabel="time (ms)", ylabel="sample value", ylim=(-21000, 27000))
    ax.legend(loc="upper right", ncols=2, fontsize=9)


def feature_map(
    features: ArrayLike,
    ax: Axes | None = None,
    hop_ms: float | None = None,
    ylabel: str = "coefficient",
    label: str = "value",
) -> None:
    """Numbers over time: coefficients, activations, attention. Signed ones are drawn around white.

    Parameters
    ----------
    features : [frames, channels]
    hop_ms : milliseconds from one frame to the next; without it the axis counts frames
    ylabel, label : what a row is, and what a number is
    """
    ax = ax or plt.gca()
    features = np.asarray(features, dtype=float)  # (T, C)
    signed = features.size > 0 and features.min() < 0
    top = np.abs(features).max() if signed else None
    end = len(features) if hop_ms is None else len(features) * hop_ms / 1000
    image = ax.imshow(
        features.T,
        origin="lower",
        aspect="auto",
        extent=(0, end, -0.5, features.shape[1] - 0.5),
        cmap=DIVERGING if signed else SEQUENTIAL,
        vmin=-top if signed else None,
        vmax=top,
    )
    ax.set(xlabel="frame" if hop_ms is None else "time (s)", ylabel=ylabel)
    ax.figure.colorbar(image, ax=ax, label=label)


def correlation(matrix: ArrayLike, ax: Axes | None = None, label: str = "band") -> None:
    """How far each number moves with each other one: orange together, blue against, white independently.

    Parameters
    ----------
    matrix : [N, N], each -1 .. 1
    label : what a row and a column are
    """
    ax = ax or plt.gca()
    matrix = np.asarray(matrix)  # (N, N)
    image = ax.imshow(matrix, origin="lower", cmap=DIVERGING, vmin=-1, vmax=1)
    ax.set(xlabel=label, ylabel=label)
    ax.figure.colorbar(image, ax=ax, label="correlation", shrink=0.75)


def envelopes(curves: Mapping[str, ArrayLike], ax: Axes | None = None, xlabel: str = "mel band") -> None:
    """Spectra in octaves on one picture: the first as points, what stands for it as lines.

    Parameters
    ----------
    curves : label -> [bands]
    """
    ax = ax or plt.gca()
    colors = list(PALETTE.values())
    for i, (name, values) in enumerate(curves.items()):
        look = {"marker": "o", "linestyle": "none", "color": INK} if i == 0 else {"color": colors[i - 1]}
        ax.plot(np.asarray(values), label=name, markersize=4, **look)
    ax.set(xlabel=xlabel, ylabel="octaves")
    ax.legend(fontsize=9)


def growth(
    largest: Sequence[float], bounds: Sequence[float], limit: float, word: Sequence[float], ax: Axes | None = None
) -> None:
    """The largest number after each round of a transform, the bound that it must keep, and the limit of its type.

    Parameters
    ----------
    largest, bounds, word : for the input and then for each round; of hostile input, as proved, and of a word
    """
    ax = ax or plt.gca()
    rounds = np.arange(len(largest))
    ax.bar(rounds, largest, width=0.6, color=PALETTE["blue"], label="hostile")
    ax.plot(rounds, word, "o", color=PALETTE["amber"], markeredgecolor=INK, label="our word")
    ax.step(rounds, bounds, where="mid", color=PALETTE["vermilion"], linestyle="--", label="bound")
    ax.axhline(limit, color=INK, label=f"16 bits: {limit:,.0f}")
    ax.set_xticks(rounds, ["input", *map(str, rounds[1:])])
    ax.yaxis.set_major_formatter(THOUSANDS)
    ax.set(xlabel="round", ylabel="modulus", ylim=(0, 1.35 * limit))
    ax.legend(loc="upper center", ncols=4, fontsize=9)
