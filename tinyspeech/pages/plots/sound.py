"""Sound: over time, over frequency, over both, and the clips of a data set. Chapters 1, 2 and 8."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from tinyspeech.pages.plots.theme import GRID, INK, PALETTE, SEQUENTIAL, THOUSANDS, WIDTH, stack, tall


def waveform(samples: ArrayLike, sample_rate_hz: int, ax: Axes | None = None, color: str = PALETTE["blue"]) -> None:
    """Sound over time.

    Parameters
    ----------
    samples : [N], any number type, drawn as it is
    sample_rate_hz : samples per second
    """
    ax = ax or plt.gca()
    samples = np.asarray(samples)  # (N,)
    ax.plot(np.arange(len(samples)) / sample_rate_hz, samples, color=color, linewidth=0.7)
    ax.margins(x=0)
    ax.set(xlabel="time (s)", ylabel="sample value" if np.issubdtype(samples.dtype, np.integer) else "amplitude")


def spectrogram(
    power: ArrayLike, sample_rate_hz: int, hop_length: int, ax: Axes | None = None, floor_db: float = -70.0
) -> None:
    """Energy over time and frequency, in decibels below the loudest point.

    Parameters
    ----------
    power : [frames, bins], squared magnitudes of frequencies from 0 to half the sample rate
    hop_length : samples from one frame to the next
    floor_db : what lies below is drawn as if it were this quiet
    """
    ax = ax or plt.gca()
    power = np.asarray(power, dtype=float)  # (T, F)
    level_db = 10 * np.log10(np.maximum(power / max(power.max(), 1e-30), 10 ** (floor_db / 10)))
    extent = (0, len(power) * hop_length / sample_rate_hz, 0, sample_rate_hz / 2000)
    image = ax.imshow(level_db.T, origin="lower", aspect="auto", extent=extent, cmap=SEQUENTIAL, vmin=floor_db, vmax=0)
    ax.set(xlabel="time (s)", ylabel="frequency (kHz)")
    ax.figure.colorbar(image, ax=ax, label="dB below the loudest")


def spectrum(
    power: ArrayLike, bin_hz: float, ax: Axes | None = None, label: str = "", color: str = PALETTE["blue"]
) -> None:
    """Power over frequency, in decibels: 10 log10 of what is given.

    Parameters
    ----------
    power : [bins], squared magnitudes of frequencies from 0 on; zeros are left out
    bin_hz : distance of two neighbouring bins
    """
    ax = ax or plt.gca()
    power = np.asarray(power, dtype=float)  # (F,)
    level_db = 10 * np.log10(power, where=power > 0, out=np.full(len(power), np.nan))
    ax.plot(np.arange(len(power)) * bin_hz / 1000, level_db, color=color, label=label, linewidth=1.2)
    ax.margins(x=0)
    ax.set(xlabel="frequency (kHz)", ylabel="power (dB)")


def sound_picture(samples: ArrayLike, sample_rate_hz: int, parts: Mapping[str, tuple[float, float]]) -> None:
    """A clip twice in a new figure: its samples over time and, below on the same axis, its energy by frequency.

    Parameters
    ----------
    samples : [N], any number type
    sample_rate_hz : samples per second
    parts : name -> (begin, end) in seconds; marked and named above the waveform
    """
    samples = np.asarray(samples, dtype=float)  # (N,)
    hop, size = sample_rate_hz // 100, sample_rate_hz // 40  # 10 ms and 25 ms
    frames = samples[hop * np.arange((len(samples) - size) // hop + 1)[:, None] + np.arange(size)]  # (T, size)
    power = np.abs(np.fft.rfft(frames * np.hanning(size))) ** 2  # (T, bins)
    upper, lower = stack(2, 4.4, sharex=True, height_ratios=(2, 3))
    waveform(samples, sample_rate_hz, upper)
    upper.xaxis.label.set_visible(False)
    upper.set_ylabel("sample value")
    upper.yaxis.set_major_formatter(THOUSANDS)
    spectrogram(power, sample_rate_hz, hop, lower, floor_db=-50)
    for name, (begin, end) in parts.items():
        upper.axvspan(begin, end, color=PALETTE["amber"], alpha=0.3, linewidth=0)
        upper.annotate(name, ((begin + end) / 2, 1.0), xycoords=("data", "axes fraction"), ha="center", va="bottom")


def dots(samples: ArrayLike, sample_rate_hz: int, ax: Axes | None = None) -> None:
    """A few milliseconds of sound, each sample as a dot on a stem.

    Parameters
    ----------
    samples : [N], any number type
    """
    ax = ax or plt.gca()
    samples = np.asarray(samples)  # (N,)
    time_ms = np.arange(len(samples)) * 1000 / sample_rate_hz
    ax.vlines(time_ms, 0, samples, color="#a9d4f0", linewidth=0.8, antialiased=False)
    ax.plot(time_ms, samples, ".", color=PALETTE["blue"], markersize=3, antialiased=False)
    ax.axhline(0, color=GRID, linewidth=0.8, zorder=0)
    ax.margins(x=0.01)
    ax.set(xlabel="time (ms)", ylabel="sample value")
    ax.yaxis.set_major_formatter(THOUSANDS)


def same_samples(frequencies_hz: Sequence[float], sample_rate_hz: int, ms: float, ax: Axes | None = None) -> None:
    """Cosines that cannot be told apart once they are sampled: each as a curve, and the samples as dots."""
    ax = ax or tall(2.2)
    fine_ms = np.linspace(0, ms, 1000)
    for frequency_hz, color in zip(frequencies_hz, ("blue", "vermilion", "green"), strict=False):
        label = f"{frequency_hz / 1000:g} kHz"
        wave = np.cos(2 * np.pi * frequency_hz * fine_ms / 1000)
        ax.plot(fine_ms, wave, color=PALETTE[color], linewidth=1.1, label=label)
    sample_ms = np.arange(int(ms * sample_rate_hz / 1000) + 1) * 1000 / sample_rate_hz
    value = np.cos(2 * np.pi * frequencies_hz[0] * sample_ms / 1000)
    ax.plot(sample_ms, value, "o", color=INK, markersize=5, label=f"samples, {sample_rate_hz / 1000:g} kHz")
    ax.margins(x=0.01)
    ax.set(xlabel="time (ms)", ylabel="amplitude", ylim=(-1.2, 1.6))
    ax.legend(loc="upper right", ncols=len(frequencies_hz) + 1, fontsize=9)


SPLIT_COLORS = {"training": PALETTE["grey"], "validation": PALETTE["amber"], "testing": PALETTE["vermilion"]}


def splits(percent: Mapping[str, Sequence[float]], borders: Sequence[float], ax: Axes | None = None) -> None:
    """Speakers along a line of 0 to 100 per cent, one row for each split.

    Parameters
    ----------
    percent : split -> place of each of its speakers
    borders : where one split ends and the next begins
    """
    ax = ax or plt.gca()
    for row, (split, places) in enumerate(percent.items()):
        ax.plot(places, np.full(len(places), row), "o", color=SPLIT_COLORS[split], markersize=7, alpha=0.8)
    for border in borders:
        ax.axvline(border, color=INK, linewidth=1, linestyle="--")
    ax.set(xlim=(0, 100), ylim=(-0.6, len(percent) - 0.4), xlabel="hash of the speaker (per cent)")
    ax.set_yticks(range(len(percent)), percent.keys())


def gallery(maps: ArrayLike, titles: Sequence[str], ax: ArrayLike | None = None) -> None:
    """A map for each class in rows of six, time to the right and frequency upwards; each in its own range of colours.

    Parameters
    ----------
    maps : [classes, frames, bands]
    ax : as many axes as maps, by default those of a new figure
    """
    if ax is None:
        _, ax = plt.subplots(-(-len(titles) // 6), 6, figsize=(WIDTH, 3.2), sharex=True, sharey=True, squeeze=False)
    for one, image, title in zip(np.ravel(ax), np.asarray(maps), titles, strict=True):
        floor = image.min() + (image.max() - image.min()) / 3  # what is quieter is all one colour
        one.imshow(image.T, origin="lower", aspect="auto", extent=(0, 1, 0, 4), cmap=SEQUENTIAL, vmin=floor)
        one.set_title(title.strip("_"), fontsize=10)
        one.set(xticks=(0, 1), yticks=(0, 4))
    np.ravel(ax)[0].figure.supxlabel("time (s)", fontsize=10)
    np.ravel(ax)[0].figure.supylabel("frequency (kHz)", fontsize=10)
