"""Figures of the book: one palette, one style, and the pictures that several chapters need.

Plotting code that teaches nothing lives here, so that a chapter's cells stay about the idea. Each function draws into
`ax` (by default the current axes) and returns nothing, so that it can end a notebook's cell without a stray output.
Colours are Okabe and Ito's, which stay apart for colour-blind readers; maps are `cividis` or blue-white-orange.
The background is light and opaque, so that a figure stays readable on a dark page. Introduced in the first chapter.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from textwrap import fill
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np
from cycler import cycler
from IPython import get_ipython
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, ListedColormap, to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike
from PIL import Image

if TYPE_CHECKING:
    from tinyspeech.chip.cable import Frame

INK = "#1f2933"
PAPER = "#fbfaf7"
GRID = "#d9d6cf"
PALETTE = {
    "blue": "#0072b2",
    "vermilion": "#d55e00",
    "green": "#009e73",
    "amber": "#e69f00",
    "pink": "#cc79a7",
    "sky": "#56b4e9",
    "grey": "#6b7280",
}
"""Named so that one thing keeps one colour through the book: blue is sound, green the chip, vermilion the answer."""

SEQUENTIAL = "cividis"
DIVERGING = LinearSegmentedColormap.from_list("blue-white-orange", [PALETTE["blue"], "#ffffff", PALETTE["vermilion"]])
THOUSANDS = "{x:,.0f}"
"""Numbers along an axis with a comma every three digits."""
HATCHES = ("", "//", "..", "\\\\", "xx", "--", "oo")


def style() -> None:
    """Set matplotlib's defaults for the book; a chapter calls it once, before its first figure."""
    plt.rcParams.update(
        {
            "figure.figsize": (7.2, 2.8),  # inches
            "figure.dpi": 120,
            "savefig.dpi": 120,
            "figure.constrained_layout.use": True,
            "figure.facecolor": PAPER,
            "savefig.facecolor": PAPER,
            "axes.facecolor": PAPER,
            "axes.edgecolor": INK,
            "axes.labelcolor": INK,
            "axes.titlesize": 11,
            "axes.titlelocation": "left",
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.prop_cycle": cycler(color=list(PALETTE.values())),
            "axes.grid": False,
            "grid.color": GRID,
            "text.color": INK,
            "xtick.color": INK,
            "ytick.color": INK,
            "font.family": "DejaVu Sans",  # ships with matplotlib: the same figure everywhere
            "font.size": 10,
            "lines.linewidth": 1.6,
            "legend.frameon": False,
            "image.cmap": SEQUENTIAL,
            "image.interpolation": "nearest",
        }
    )
    shell = get_ipython()
    if shell is not None:
        import matplotlib_inline.backend_inline  # noqa: F401  (on import it sets its own way to show a figure; ours comes after)

        shell.display_formatter.formatters["image/png"].for_type(Figure, png)


def png(figure: Figure) -> bytes:
    """A figure as a PNG of at most 256 colours, half as large as usual: notebooks are kept small this way."""
    full, small = io.BytesIO(), io.BytesIO()
    figure.savefig(full, format="png", bbox_inches="tight")
    picture = Image.open(full).convert("RGB")
    picture.quantize(256, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(small, format="png", optimize=True)
    return small.getvalue()


def pair(widths: tuple[float, float] = (1, 1), height: float = 2.8) -> tuple[Axes, Axes]:
    """Two axes side by side in a new figure, `widths` to one another, `height` inches."""
    _, (left, right) = plt.subplots(1, 2, figsize=(7.2, height), width_ratios=widths)
    return left, right


def stack(rows: int, height: float, **options) -> list[Axes]:
    """`rows` axes below one another in a new figure, `height` inches in all; options as of `plt.subplots`."""
    _, axes = plt.subplots(rows, 1, figsize=(7.2, height), **options)
    return list(axes)


def tall(height: float) -> Axes:
    """One pair of axes in a new figure, `height` inches."""
    return stack(1, height, squeeze=False)[0][0]


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


def legend(ax: Axes | None = None) -> None:
    """Name the curves that were drawn with a label."""
    (ax or plt.gca()).legend()


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


def frame_weights(weights: ArrayLike, heard: int, hop_ms: float, ax: Axes | None = None) -> None:
    """How much each frame counts in an average, one bar a frame; what comes after the clip is shaded.

    Parameters
    ----------
    weights : [frames], at least 0
    heard : how many of the frames begin within the clip
    hop_ms : milliseconds from one frame to the next
    """
    ax = ax or plt.gca()
    weights, hop_s = np.asarray(weights, dtype=float), hop_ms / 1000  # (T,)
    ax.bar(np.arange(len(weights)) * hop_s, weights, 0.85 * hop_s, align="edge", color=PALETTE["vermilion"])
    if heard < len(weights):
        ax.axvspan(heard * hop_s, len(weights) * hop_s, color=GRID, zorder=0)
    ax.set(xlabel="time (s)", ylabel="weight", xlim=(0, len(weights) * hop_s), ylim=(0, 1.1))


def scores(logits: ArrayLike, classes: Sequence[str], ax: Axes | None = None) -> None:
    """One bar a class; the largest, which is the answer, stands out in colour and is written out.

    Parameters
    ----------
    logits : [classes], in the network's own units
    """
    ax = ax or plt.gca()
    logits = np.asarray(logits)  # (K,)
    best = int(logits.argmax())
    colors = [PALETTE["vermilion"] if i == best else "#b8b5ae" for i in range(len(logits))]
    bars = ax.bar([name.strip("_") for name in classes], logits, color=colors)
    ax.bar_label(bars, [classes[best].strip("_") if i == best else "" for i in range(len(logits))], fontweight="bold")
    ax.axhline(0, color=INK, linewidth=0.8)
    ax.margins(y=0.15)
    ax.set_xticks(ax.get_xticks(), ax.get_xticklabels(), rotation=45, ha="right", rotation_mode="anchor")
    ax.yaxis.set_major_formatter(THOUSANDS)
    ax.set_ylabel("score (logit)")


def memory_map(regions: Mapping[str, int], total: int, ax: Axes | None = None, unit: str = "B", name: str = "") -> None:
    """A memory as one bar, region after region, to scale; what is left over is drawn empty and named.

    Parameters
    ----------
    regions : name -> size, in the order of their addresses
    total : size of the whole memory, in the same unit
    unit : bytes by default; with cycles and a budget the same picture shows time
    name : of the memory, written before the bar

    Raises
    ------
    ValueError
        The regions are larger than the memory.
    """
    ax = ax or plt.gca()
    spare = total - sum(regions.values())
    if spare < 0:
        raise ValueError(
            f"the regions need {sum(regions.values()):,} {unit}, {-spare:,} more than the {total:,} there are"
        )
    colors = list(PALETTE.values())
    handles, start = [], 0
    for i, (region, size) in enumerate(regions.items()):
        look = {
            "facecolor": colors[i % len(colors)],
            "edgecolor": PAPER,
            "hatch": HATCHES[i // len(colors) % len(HATCHES)],
        }
        ax.barh(0, size, left=start, height=1, **look)
        handles.append(Patch(label=f"{region}  {size:,} {unit}", **look))
        start += size
    look = {"facecolor": PAPER, "edgecolor": PALETTE["grey"], "hatch": "//"}
    ax.barh(0, spare, left=start, height=1, **look)
    handles.append(Patch(label=f"free  {spare:,} {unit}", **look))
    ax.set(xlim=(0, total), ylim=(-0.5, 0.5), xticks=np.linspace(0, total, 9), yticks=[], xlabel=unit)
    ax.xaxis.set_major_formatter(THOUSANDS)
    ax.set_ylabel(name, rotation=0, ha="right", va="center")
    ax.spines["left"].set_visible(False)
    ax.legend(handles=handles, loc="lower center", bbox_to_anchor=(0.5, 1.02), ncols=3, fontsize=9)


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


# ---------------------------------------------------------------- chapter "Sound and data"


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
    ax = ax or plt.subplots(figsize=(7.2, 2.2))[1]
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


def scatter(x: ArrayLike, y: ArrayLike, xlabel: str, ylabel: str, ax: Axes | None = None) -> None:
    """One dot for each pair of numbers."""
    ax = ax or plt.gca()
    ax.plot(x, y, ".", color=PALETTE["blue"], markersize=6, markeredgewidth=0, antialiased=False)
    ax.set(xlabel=xlabel, ylabel=ylabel)


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
        _, ax = plt.subplots(-(-len(titles) // 6), 6, figsize=(7.2, 3.2), sharex=True, sharey=True, squeeze=False)
    for one, image, title in zip(np.ravel(ax), np.asarray(maps), titles, strict=True):
        floor = image.min() + (image.max() - image.min()) / 3  # what is quieter is all one colour
        one.imshow(image.T, origin="lower", aspect="auto", extent=(0, 1, 0, 4), cmap=SEQUENTIAL, vmin=floor)
        one.set_title(title.strip("_"), fontsize=10)
        one.set(xticks=(0, 1), yticks=(0, 4))
    np.ravel(ax)[0].figure.supxlabel("time (s)", fontsize=10)
    np.ravel(ax)[0].figure.supylabel("frequency (kHz)", fontsize=10)


def shares(values: Mapping[str, float], xlabel: str, chance: float | None = None, ax: Axes | None = None) -> None:
    """Horizontal bars of shares of one, with the number behind each, and a line for pure guessing."""
    ax = ax or plt.gca()
    colors = [PALETTE["grey"], *[PALETTE["vermilion"]] * (len(values) - 1)]
    bars = ax.barh(list(values), [100 * v for v in values.values()], color=colors, height=0.6)
    ax.bar_label(bars, [f" {100 * v:.0f} %" for v in values.values()])
    if chance is not None:
        ax.axvline(100 * chance, color=INK, linewidth=1, linestyle="--")
        ax.annotate("guessing", (100 * chance, 1), xycoords=("data", "axes fraction"), ha="center", va="bottom")
    ax.invert_yaxis()
    ax.set(xlim=(0, 100), xlabel=xlabel)


# ---------------------------------------------------------------- chapter "The integer front end"


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


# ---------------------------------------------------------------- chapter "Attention condensers"


def gate_over(
    background: ArrayLike, gate: ArrayLike, ax: Axes | None = None, hop_ms: float = 20, window: Sequence[int] = ()
) -> None:
    """A map in grey, and over it where a gate stands: orange where it is open, blue where it is shut, clear at 1/2.

    Parameters
    ----------
    background : [frames, rows]
    gate : [frames, rows], each 0 .. 1
    hop_ms : milliseconds from one frame to the next
    window : first frame, first row, frames, rows of a rectangle to be outlined, if any
    """
    ax = ax or plt.gca()
    background, gate = np.asarray(background, dtype=float), np.asarray(gate, dtype=float)  # (T, C)
    extent = (0, len(gate) * hop_ms / 1000, -0.5, gate.shape[1] - 0.5)
    look = {"origin": "lower", "aspect": "auto", "extent": extent}
    ax.imshow(background.T, cmap="gray_r", alpha=0.6, **look)
    ax.imshow(gate.T, cmap=DIVERGING, vmin=0, vmax=1, alpha=np.abs(2 * gate.T - 1), **look)
    if len(window):
        frame, row, frames, rows = window
        ax.add_patch(
            plt.Rectangle(
                (frame * hop_ms / 1000, row - 0.5), frames * hop_ms / 1000, rows, fill=False, edgecolor=INK, linewidth=2
            )
        )
    ax.set(xlabel="time (s)", ylabel="coefficient")
    opaque = plt.cm.ScalarMappable(plt.Normalize(0, 1), DIVERGING)
    ax.figure.colorbar(opaque, ax=ax, label="gate", ticks=(0, 0.5, 1))


def gated_word(
    octaves: ArrayLike, features: ArrayLike, gate: ArrayLike, window: Sequence[int], hop_ms: float = 20
) -> None:
    """A word's mel bands and, below on the same axis, a gate over its coefficients, in a new figure.

    Parameters
    ----------
    octaves : [frames, bands]
    features, gate : [frames, coefficients]
    window : of `gate_over`
    """
    upper, lower = stack(2, 4.4, sharex=True)
    feature_map(octaves, upper, hop_ms, ylabel="mel band", label="octaves")
    upper.xaxis.label.set_visible(False)
    gate_over(features, gate, lower, hop_ms, window)


def maps(
    images: Mapping[str, ArrayLike], columns: int, height: float, limits: tuple[float, float] | None = None
) -> None:
    """Small maps of frames and coefficients, each under its title, in a new figure.

    Parameters
    ----------
    images : title -> [frames, coefficients]
    limits : one range of colours for all, with a bar beside them; without it each has its own, around white if signed
    """
    rows = -(-len(images) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(7.2, height), squeeze=False)
    for ax, (title, image) in zip(np.ravel(axes), images.items(), strict=False):
        image = np.asarray(image, dtype=float)  # (T, F)
        top = np.abs(image).max()
        look = {"cmap": SEQUENTIAL, "vmin": 0, "vmax": top or 1}
        if limits is not None:
            look = {"cmap": DIVERGING, "vmin": limits[0], "vmax": limits[1]}
        elif image.min() < 0:
            look = {"cmap": DIVERGING, "vmin": -top, "vmax": top}
        extent = (0, len(image), -0.5, image.shape[1] - 0.5)
        drawn = ax.imshow(image.T, origin="lower", aspect="auto", extent=extent, **look)
        ax.set_title(title, fontsize=10)
        ax.set(xticks=(0, len(image)), yticks=(0, image.shape[1] - 1))
    for ax in np.ravel(axes)[len(images) :]:
        ax.set_axis_off()
    figure.supxlabel("frame", fontsize=10)
    figure.supylabel("coefficient", fontsize=10)
    if limits is not None:
        figure.colorbar(drawn, ax=axes)


def fields(gradients: Mapping[str, ArrayLike], place: tuple[int, int]) -> None:
    """What one place of a network sees of its input: the size of the gradients, each step of colour ten times more.

    Parameters
    ----------
    gradients : title -> [frames, coefficients], at least 0; zero stays paper
    place : frame and coefficient of the one that looks, marked by a cross
    """
    figure, axes = plt.subplots(-(-len(gradients) // 2), 2, figsize=(7.2, 3.4), sharex=True, sharey=True, squeeze=False)
    for ax, (title, gradient) in zip(np.ravel(axes), gradients.items(), strict=True):
        gradient = np.asarray(gradient, dtype=float)  # (T, F)
        with np.errstate(divide="ignore"):
            level = np.log10(gradient / gradient.max())
        seen = np.ma.masked_where(gradient == 0, level)
        extent = (-0.5, len(gradient) - 0.5, -0.5, gradient.shape[1] - 0.5)
        image = ax.imshow(seen.T, origin="lower", aspect="auto", extent=extent, cmap=SEQUENTIAL, vmin=-6, vmax=0)
        ax.plot(*place, "x", color=PALETTE["vermilion"], markersize=7, markeredgewidth=2)
        ax.set_title(title, fontsize=10)
    figure.supxlabel("frame", fontsize=10)
    figure.supylabel("coefficient", fontsize=10)
    figure.colorbar(image, ax=axes, label="power of ten, to the largest", extend="min")


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


def losses(curves_: Mapping[str, Sequence[float]], ax: Axes | None = None, width: int = 10) -> None:
    """Losses of several trainings, step by step, each point the mean of `width` steps up to there."""
    smooth = {name: np.convolve(loss, np.ones(width) / width, mode="valid") for name, loss in curves_.items()}
    steps = np.arange(width, width + len(next(iter(smooth.values()))))
    curves(steps, smooth, "step", f"loss (mean of {width} steps)", ax)


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
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=5, fontsize=9)


# ---------------------------------------------------------------- chapter "Training"


def runs(values: Mapping[str, Sequence[float]], marks: Mapping[str, float] | None = None) -> None:
    """What was trained, one row each, in a new figure: a dot for every seed, and the mean as a number.

    Parameters
    ----------
    values : thing -> its accuracies in percent, one for each seed
    marks : thing -> a number that others have published, drawn as a hollow diamond
    """
    marks = marks or {}
    _, ax = plt.subplots(figsize=(7.2, 0.9 + 0.26 * max(len(values), 4)))
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
    ax.spines["left"].set_visible(False)
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
    ax.legend(fontsize=9, loc="center left", bbox_to_anchor=(1.0, 0.5))


def confusion(matrix: ArrayLike, classes: Sequence[str], ax: Axes | None = None) -> None:
    """How often each class was taken for each: counts, shaded by their share of the row; rows are the truth.

    Parameters
    ----------
    matrix : int [classes, classes]
    """
    ax = ax or plt.subplots(figsize=(7.2, 4.6))[1]
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
    ours: Mapping[str, ArrayLike], published: Mapping[str, ArrayLike], snr_db: ArrayLike, ax: Axes | None = None
) -> None:
    """Accuracy over the ratio of speech to noise: ours drawn through, what others have published dashed.

    Parameters
    ----------
    ours, published : name -> accuracies in percent, one for each ratio
    snr_db : in dB
    """
    ax = ax or plt.gca()
    looks = zip((*ours, *published), (*ours.values(), *published.values()), PALETTE.values(), "osD^v<>", strict=False)
    for name, y, color, marker in looks:
        line_ = "-" if name in ours else "--"
        ax.plot(snr_db, y, line_, marker=marker, markersize=5, color=color, label=name)
    ax.set(xlabel="speech over noise (dB)", ylabel="accuracy (%)", xticks=snr_db)
    ax.legend(fontsize=8, loc="lower right")


def reliability(bins: Mapping[str, Sequence[float | None]], ax: Axes | None = None) -> None:
    """How often a network is right when it is so sure: on the diagonal it knows what it knows.

    Parameters
    ----------
    bins : "count", "confidence" and "accuracy" of `tinyspeech.metrics.calibration`; an empty bin's means are None
    """
    ax = ax or plt.gca()
    full = [i for i, count in enumerate(bins["count"]) if count]
    x, y = ([bins[key][i] for i in full] for key in ("confidence", "accuracy"))
    area = [8 + 250 * bins["count"][i] / max(bins["count"]) for i in full]
    ax.plot([0, 1], [0, 1], color=INK, linewidth=1, linestyle="--")
    ax.plot(x, y, color=PALETTE["blue"], linewidth=1)
    ax.scatter(x, y, s=area, color=PALETTE["blue"], alpha=0.7, linewidths=0)
    ax.set(xlim=(0, 1.05), ylim=(0, 1.05), xlabel="confidence", ylabel="share that is right")


def weighed_word(octaves: ArrayLike, weights: ArrayLike, heard: int, hop_ms: float = 20) -> None:
    """A word's mel bands and, below on the same axis, how much each of its scored frames counts, in a new figure.

    Parameters
    ----------
    octaves : [frames, bands]; what is below 0 is drawn as 0
    weights, heard : of `frame_weights`; `heard` of the weights share out the frames
    hop_ms : milliseconds from one frame of `octaves` to the next
    """
    octaves = np.maximum(np.asarray(octaves, dtype=float), 0)  # (T, B)
    upper, lower = stack(2, 3.8, sharex=True)
    feature_map(octaves, upper, hop_ms, ylabel="mel band", label="octaves")
    upper.xaxis.label.set_visible(False)
    frame_weights(weights, heard, hop_ms * round(len(octaves) / heard), lower)


# ---------------------------------------------------------------- chapter "Integers only"


def differences(values: ArrayLike, xlabel: str, most: int, ax: Axes | None = None) -> None:
    """How often each whole number occurs, one bar each from -most to most; what lies beyond counts for the ends.

    Zero, where nothing differs, is green.
    """
    ax = ax or plt.gca()
    whole = np.arange(-most, most + 1)
    counts = (np.clip(np.asarray(values).reshape(-1, 1), -most, most) == whole).sum(axis=0)
    ax.bar(whole, counts, color=[PALETTE["green" if n == 0 else "vermilion"] for n in whole], width=0.8)
    ax.set(xlabel=xlabel, ylabel="how many")


def roundings(x: ArrayLike, errors: Mapping[str, ArrayLike]) -> None:
    """What each rule of rounding adds to a number, in small panels of three a row, in a new figure.

    Parameters
    ----------
    x : the exact values
    errors : for each rule, rounded minus exact, [len(x)]; their mean is drawn and written
    """
    rows = -(-len(errors) // 3)
    _, axes = plt.subplots(rows, 3, figsize=(7.2, 1.75 * rows), sharex=True, sharey=True, squeeze=False)
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
    _, ax = plt.subplots(figsize=(7.2, 3.6))
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


# ---------------------------------------------------------------- chapter "Quantisation-aware training"


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
    ax.legend(fontsize=9, loc="center left", bbox_to_anchor=(1.0, 0.5))


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
    ax.legend(fontsize=9, loc="center left", bbox_to_anchor=(1.0, 0.5))


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


# ---------------------------------------------------------------- chapter "Pruning"

FORMAT_LOOKS = {"dense": ("grey", "o"), "bitmap": ("blue", "s"), "runs": ("amber", "^"), "groups": ("vermilion", "D"),
                "shipped": ("sky", "P"), "straight": ("green", "v")}
"""Colour and marker of each format of `bench.FORMAT_CALLS`, the same in every figure."""


def weight_maps(matrices: Mapping[str, ArrayLike]) -> None:
    """Integer weights side by side in a new figure, negative blue, positive orange, zeros left as paper.

    Parameters
    ----------
    matrices : title -> [outputs, inputs]
    """
    figure, axes = plt.subplots(1, len(matrices), figsize=(7.2, 3.6), sharey=True, squeeze=False)
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
    """The fields of one row of 4-bit weights in the formats of `tinyspeech.sparse` with a table: for `stored_row`."""

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
    _, ax = plt.subplots(figsize=(7.2, 0.8 + 0.55 * len(formats)))
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
    ax.spines["left"].set_visible(False)
    ax.tick_params(axis="y", length=0)
    names = {"weight": "a weight", "zero": "a stored zero", "place": "says where weights are"}
    handles = [Patch(facecolor=looks[kind], edgecolor=INK, label=label) for kind, label in names.items()]
    ax.legend(handles=handles, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, fontsize=8)


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
    beside = ((0, 8), (0, -14)), ((14, 2),) * 2, ((13, -11),) * 2, ((0, 8),) * 2  # names: dots of kinds may meet
    looks = zip(("blue", "vermilion", "green", "amber"), "oDsv", beside, strict=True)
    for (kind, networks), (color, marker, places) in zip(points.items(), looks, strict=False):
        costs = [cost for cost, _ in networks.values()]
        means = [float(np.mean(values)) for _, values in networks.values()]
        ax.plot(costs, means, color=PALETTE[color], linewidth=1, marker=marker, markersize=5, label=kind)
        for cost, values in networks.values():
            ax.plot([cost] * len(values), values, ".", color=PALETTE[color], markersize=4, alpha=0.7)
        for i, (name, cost, mean) in enumerate(zip(networks, costs, means, strict=True)):
            ax.annotate(name, (cost, mean), xytext=places[i % 2], textcoords="offset points", fontsize=8, ha="center")
    ax.set(xlabel=xlabel, ylabel="accuracy (%)")
    ax.margins(x=0.15, y=0.15)
    if legend:
        ax.legend(fontsize=8, loc="lower right")


# ---------------------------------------------------------------- chapter "The CH32V003"


def address_space(regions: Sequence[tuple[int, int, str]], ax: Axes | None = None) -> None:
    """Memory from the lowest address (at the bottom) to the highest, a box each, not to scale.

    Parameters
    ----------
    regions : (first address, bytes, name), ascending
    """
    ax = ax or plt.gca()
    for row, (start, size, name) in enumerate(regions):
        color = {"SRAM": "blue"}.get(name, "amber" if "flash" in name else "grey" if start < 0x2000_0000 else "green")
        ax.barh(row, 1, height=0.8, color=PALETTE[color], alpha=0.35, edgecolor=INK, linewidth=0.8)
        ax.text(0.02, row, name, va="center", fontsize=9)
        ax.text(0.98, row, f"{size:,} B", va="center", ha="right", fontsize=9)
        ax.text(-0.02, row, f"{start:#010x}", va="center", ha="right", family="monospace", fontsize=9)
    ax.set(xlim=(-0.22, 1.005), ylim=(-0.6, len(regions) - 0.4))
    ax.axis("off")


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
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=len(series), fontsize=9)


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


def squarified(sizes: Sequence[float], x: float, y: float, width: float, height: float) -> list[tuple[float, ...]]:
    """Rectangles (x, y, width, height) that fill one, areas in proportion to the descending sizes, nearly square."""
    if not sizes:
        return []
    scale, short = width * height / sum(sizes), min(width, height)

    def worst(count: int) -> float:
        row = sum(sizes[:count]) * scale
        return max(max(short**2 * s * scale / row**2, row**2 / (short**2 * s * scale)) for s in sizes[:count])

    count = 1
    while count < len(sizes) and worst(count + 1) <= worst(count):
        count += 1
    thick = sum(sizes[:count]) * scale / short
    found, at = [], 0.0
    for size in sizes[:count]:
        long = size * scale / thick
        found.append((x, y + at, thick, long) if width >= height else (x + at, y, long, thick))
        at += long
    rest = (x + thick, y, width - thick, height) if width >= height else (x, y + thick, width, height - thick)
    return found + squarified(sizes[count:], *rest)


def treemap(groups: Mapping[str, Mapping[str, int]], room: int, unit: str = "B") -> None:
    """Sizes as areas in a new figure: a field for each group, divided among its parts; large parts carry their names.

    Parameters
    ----------
    groups : group -> part -> size; at most as many as `PALETTE` has colours
    room : size of the whole; what is left of it is a hatched field, "free"
    """
    _, ax = plt.subplots(figsize=(7.2, 4.4))
    groups = {**groups, "free": {"": room - sum(sum(parts_.values()) for parts_ in groups.values())}}
    order = sorted(groups, key=lambda name: -sum(groups[name].values()))
    total = {name: sum(groups[name].values()) for name in order}
    handles = []
    colors = dict(zip((name for name in order if name != "free"), PALETTE.values(), strict=False))
    for name, field in zip(order, squarified(list(total.values()), 0, 0, 7.2, 3.6), strict=True):
        look = {"facecolor": PAPER, "hatch": "//"} if name == "free" else {"facecolor": colors[name], "alpha": 0.75}
        parts_ = dict(sorted(groups[name].items(), key=lambda item: -item[1]))
        for part, (x, y, w, h) in zip(parts_, squarified(list(parts_.values()), *field), strict=True):
            ax.add_patch(plt.Rectangle((x, y), w, h, edgecolor=PAPER if name != "free" else PALETTE["grey"], **look))
            text = fill(part.replace("_", " "), max(int(w * 13), 1), break_long_words=False)
            lines = text.split("\n")
            if w * 13 >= max(map(len, lines)) and h * 6.5 >= len(lines) and len(parts_) > 1:
                ax.text(x + w / 2, y + h / 2, text, ha="center", va="center", fontsize=6)
        handles.append(Patch(label=f"{name}  {total[name]:,} {unit}", **look))
    ax.set(xlim=(0, 7.2), ylim=(3.6, 0))
    ax.axis("off")
    ax.legend(handles=handles, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, fontsize=8)


def painted(memory: ArrayLike, names: Mapping[str, str], ax: Axes | None = None, row: int = 128) -> None:
    """A memory byte by byte, each in the colour of what became of it; lowest address at the top left.

    Parameters
    ----------
    memory : int [bytes], 0 .. len(names) - 1
    names : what a number means -> colour of the palette, in order
    row : bytes in a row
    """
    ax = ax or plt.gca()
    looks = [PALETTE.get(color, color) for color in names.values()]
    ax.imshow(np.asarray(memory).reshape(-1, row), cmap=ListedColormap(looks), vmin=-0.5, vmax=len(looks) - 0.5,
              aspect="auto")
    ax.yaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set(xlabel="byte of the row", ylabel=f"row of {row} bytes")
    handles = [Patch(facecolor=look, edgecolor=INK, label=name) for name, look in zip(names, looks, strict=True)]
    ax.legend(handles=handles, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=len(looks), fontsize=9)


def function_costs(cycles: Mapping[str, int], kinds: Mapping[str, str], most: int = 16) -> None:
    """Cycles by function in a new figure, the dearest first, a colour for each kind; the rest is one bar.

    Parameters
    ----------
    cycles : function -> cycles, the dearest first
    kinds : function -> kind, at most six
    """
    shown = dict(list(cycles.items())[:most])
    colors = dict(zip(dict.fromkeys(kinds[name] for name in cycles), PALETTE.values(), strict=False))
    _, ax = plt.subplots(figsize=(7.2, 4.2))
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


# ---------------------------------------------------------------- chapter "Integer kernels"


def ways(values: Mapping[str, float], xlabel: str, marks: Mapping[str, float] | None = None) -> None:
    """Ways to do the same thing as horizontal bars on a logarithmic scale, the dearest at the top, in a new figure.

    Parameters
    ----------
    values : way -> cost, above 0
    marks : label -> a cost to compare with, as a dashed line
    """
    _, ax = plt.subplots(figsize=(7.2, 0.8 + 0.3 * len(values)))
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


def registers(words: Mapping[str, int], texts: Sequence[str] = ()) -> None:
    """32-bit words as rows of tiles, the two halves in their own colours, ones filled, in a new figure.

    Parameters
    ----------
    words : label -> word, 0 .. 2^32 - 1
    texts : what each row's upper and lower half are worth, written behind it
    """
    _, ax = plt.subplots(figsize=(7.2, 0.6 + 0.42 * len(words)))
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
    for side in ("left", "bottom"):
        ax.spines[side].set_visible(False)


def places(costs: Mapping[str, Mapping[str, float | None]], ylabel: str) -> None:
    """What each way costs in each place, as groups of bars, in a new figure; a place that is None is left out.

    Parameters
    ----------
    costs : way -> place -> cost; the same places for all, up to four
    """
    _, ax = plt.subplots(figsize=(7.2, 3.0))
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
    _, axes = plt.subplots(1, len(kinds), figsize=(7.2, 0.8 + 0.3 * len(costs)), sharey=True, squeeze=False)
    colors = [PALETTE["vermilion" if name == best else "green"] for name in costs]
    for ax, kind in zip(axes[0], kinds, strict=True):
        values = [row[kind] for row in costs.values()]
        bars = ax.barh(list(costs), values, color=colors, height=0.6)
        ax.bar_label(bars, [f" {value:,.0f}" if value >= 100 else f" {value:.3g}" for value in values], fontsize=8)
        ax.set(xscale="log", xlim=(1, 8 * max(values)), xlabel=kind)
        ax.xaxis.set_major_formatter("{x:g}")
        ax.minorticks_off()
    axes[0][0].invert_yaxis()


# ---------------------------------------------------------------- chapter "Flashing the board"


def packets(rows: Mapping[str, Sequence[tuple[str, bytes]]]) -> None:
    """Packets byte by byte in a new figure, each field in a colour of its own and named below.

    Parameters
    ----------
    rows : name of a packet -> its fields in order: what they are, and their bytes
    """
    _, ax = plt.subplots(figsize=(7.2, 0.5 + 0.85 * len(rows)))
    looks = [PALETTE[name] for name in ("grey", "vermilion", "amber", "sky", "green", "pink")]
    for row, fields_ in enumerate(rows.values()):
        at = 0
        for number, ((name, data), color) in enumerate(zip(fields_, looks, strict=False)):
            for i, byte in enumerate(data):
                ax.barh(row, 1, left=at + i, height=0.42, color=color, alpha=0.45, edgecolor=PAPER)
                ax.text(at + i + 0.5, row, f"{byte:02x}", ha="center", va="center", fontsize=8, family="monospace")
            below = row + 0.33 + number % 2 * 0.16  # neighbours on two lines
            ax.text(at + len(data) / 2, below, name, ha="center", va="center", fontsize=7)
            at += len(data)
    ax.set_yticks(range(len(rows)), list(rows))
    ax.set(xticks=[], xlim=(0, max(sum(len(d) for _, d in f) for f in rows.values())), ylim=(len(rows) - 0.35, -0.4))
    for side in ("left", "bottom"):
        ax.spines[side].set_visible(False)
    ax.tick_params(axis="y", length=0)


def phases(values: Mapping[str, tuple[float, float]], moved: Mapping[str, tuple[ArrayLike, ArrayLike]],
           ax: Axes | None = None) -> None:
    """A session from end to end: its phases as stripes, and how many bytes have gone each way.

    Parameters
    ----------
    values : phase -> (start, end) in seconds
    moved : way -> (seconds, bytes so far)
    """
    ax = ax or plt.gca()
    for i, (name, (start, end)) in enumerate(values.items()):
        ax.axvspan(start, end, color=(PALETTE["sky"], PALETTE["amber"])[i % 2], alpha=0.22, linewidth=0)
        ax.annotate(name, ((start + end) / 2, 1.02), xycoords=("data", "axes fraction"), ha="center", fontsize=8)
    for (name, (seconds, count)), color in zip(moved.items(), ("blue", "vermilion"), strict=False):
        ax.plot(seconds, np.asarray(count) / 1000, color=PALETTE[color], label=name, drawstyle="steps-post")
    ax.set(xlabel="time (s)", ylabel="kilobytes")
    ax.margins(x=0)
    ax.set_ylim(bottom=0)
    ax.legend(loc="upper left", fontsize=8)


def conversation(turns: Sequence[Frame], busy_s: float, ax: Axes | None = None) -> None:
    """Who is busy when, while a chip is sent packets: rows for the cable to it, for itself and for its answers.

    Parameters
    ----------
    turns : of `chip.cable.frames`
    busy_s : how long the chip works after each that it gets
    """
    ax = ax or plt.gca()
    begin = turns[0].start
    bars = []
    for turn in turns:
        bars.append((0 if turn.way == "to" else 2, turn.start, turn.end, f"{len(turn.data)} B"))
        if turn.way == "to":
            bars.append((1, turn.end, turn.end + busy_s, "page"))
    for row, start, end, text in bars:
        look = {"height": 0.6, "color": PALETTE[("blue", "amber", "vermilion")[row]], "alpha": 0.55}
        ax.barh(row, 1000 * (end - start), left=1000 * (start - begin), **look)
        ax.text(500 * (start + end) - 1000 * begin, row, text, ha="center", va="center", fontsize=7)
    ax.set_yticks(range(3), ["to the chip", "in the chip", "from the chip"])
    ax.set_xlabel("time (ms)")
    ax.invert_yaxis()


def bank(pages: ArrayLike, names: Mapping[int, str], columns: int = 32, ax: Axes | None = None) -> None:
    """A memory as a board of tiles, one a page, coloured by what is in it.

    Parameters
    ----------
    pages : [n] small integers
    names : number -> what it stands for; the colours are `BANK_COLORS`
    """
    ax = ax or plt.gca()
    pages = np.asarray(pages)
    rows = -(-len(pages) // columns)
    for i, kind in enumerate(pages.tolist()):
        look = {"color": BANK_COLORS[kind], "edgecolor": GRID, "linewidth": 0.5}
        ax.barh(i // columns, 0.9, left=i % columns, height=0.86, **look)
    ax.set(xlim=(-0.1, columns), ylim=(rows - 0.5, -0.5), xticks=[], yticks=range(rows))
    ax.set_yticklabels([f"{i * columns * 64:,}" for i in range(rows)], fontsize=7)
    ax.set_ylabel("address", fontsize=8)
    for side in ("left", "bottom"):
        ax.spines[side].set_visible(False)
    ax.tick_params(length=0)
    handles = [Patch(facecolor=BANK_COLORS[kind], edgecolor=GRID, label=name) for kind, name in names.items()]
    ax.legend(handles=handles, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=len(handles), fontsize=8)


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


BANK_COLORS = (PAPER, "#b8b5ae", PALETTE["sky"], PALETTE["green"], PALETTE["vermilion"])
"""Erased, the old program, programmed, compared, half done."""


# ---------------------------------------------------------------- chapter "Streaming in 2 KB"

Regions = Sequence[tuple[int, int, str]]
"""(start, end, name) of stretches of RAM, as `tinyspeech.chip.recorder.regions` gives them."""


REGION_COLORS = [color for name, color in PALETTE.items() if name != "grey"] + ["#8c6d31", "#332288", "#999933"]


def region_colors(regions: Regions) -> dict[str, str]:
    """A colour for each name: paper for what is never used, grey for padding and the stack, the palette for all others,
    in turn."""
    fixed = {"never used": PAPER, "padding": "#b8b5ae", "stack": PALETTE["grey"]}
    names = [*dict.fromkeys(name for _, _, name in regions)]
    others = [name for name in names if name not in fixed]
    colors = fixed | {name: REGION_COLORS[i % len(REGION_COLORS)] for i, name in enumerate(others)}
    return {name: colors[name] for name in names}


def byte_map(regions: Regions, ax: Axes | None = None, row: int = 64) -> None:
    """A memory drawn byte by byte, rows from the lowest address down, each region in its colour; the legend has sizes.

    Parameters
    ----------
    regions : of the whole memory, by address
    row : bytes side by side
    """
    ax = ax or plt.gca()
    colors, base = region_colors(regions), regions[0][0]
    sizes: dict[str, int] = {}
    for start, end, name in regions:
        sizes[name] = sizes.get(name, 0) + end - start
        at = start - base
        while at < end - base:
            stop = min((at // row + 1) * row, end - base)
            ax.barh(at // row, stop - at, left=at % row, height=1, color=colors[name])
            at = stop
    rows = -(-(regions[-1][1] - base) // row)
    ax.set(xlim=(0, row), ylim=(rows - 0.5, -0.5), xlabel=f"byte in a row of {row}", ylabel="address")
    ax.set_xticks(np.arange(0, row + 1, row // 4))
    ax.set_yticks(np.arange(0, rows, 4) - 0.5, [f"+{row * i:,}" for i in range(0, rows, 4)])
    ax.vlines(np.arange(row), -0.5, rows - 0.5, color=PAPER, linewidth=0.25)
    ax.hlines(np.arange(rows) - 0.5, 0, row, color=PAPER, linewidth=0.5)
    handles = [Patch(facecolor=colors[name], edgecolor=GRID, label=f"{name}  {n:,} B") for name, n in sizes.items()]
    ax.legend(handles=handles, loc="center left", bbox_to_anchor=(1.01, 0.5), fontsize=9)


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
    ax.legend(fontsize=8, ncols=len(busy), loc="lower center", bbox_to_anchor=(0.5, 1.0))


def ram_over_time(
    touched: ArrayLike, regions: Regions, step_ms: float, ax: Axes | None = None, group: int = 8
) -> None:
    """Address over time: what is written in a region's colour, what is only read in a pale one, the rest empty.

    Parameters
    ----------
    touched : uint8 [steps, bytes], as `tinyspeech.chip.recorder.Recording` has it: 1 is read, more is written
    regions : of the whole memory
    step_ms : length of a step
    group : bytes that are drawn as one, in the colour of the first of them
    """
    ax = ax or plt.gca()
    touched, base = np.asarray(touched), regions[0][0]
    colors = {name: np.array(to_rgb(color)) for name, color in region_colors(regions).items()}
    drawn = touched.T.reshape(-1, group, len(touched)).max(axis=1)  # (groups, steps)
    picture = np.ones((*drawn.shape, 3)) * np.array(to_rgb(PAPER))
    for start, end, name in regions:
        rows = slice(-(-(start - base) // group), -(-(end - base) // group))
        picture[rows][drawn[rows] == 1] = 0.45 * colors[name] + 0.55
        picture[rows][drawn[rows] > 1] = colors[name]
    extent = (0, step_ms * len(touched), touched.shape[1], 0)
    ax.imshow(picture, aspect="auto", extent=extent)
    edges = [start - base for start, _, _ in regions]
    ax.hlines(edges[1:], *extent[:2], color=GRID, linewidth=0.5)
    ax.set(ylabel="address", xlabel="time (ms)")
    gap = 0.045 * touched.shape[1]
    named = [edge for i, edge in enumerate(edges) if i == 0 or edge - edges[i - 1] > gap]  # others would overlap
    ax.set_yticks([*named, touched.shape[1]], [f"+{edge:,}" for edge in [*named, touched.shape[1]]])
    labels: list[tuple[int, int, list[str]]] = []  # neighbours that are thin have one together
    thin = [end - start <= gap / 3 for start, end, _ in regions]
    for i, (start, end, name) in enumerate(regions):
        if i and thin[i - 1] and thin[i]:
            first, _, names = labels.pop()
            labels.append((first, end - base, [*names, name]))
        else:
            labels.append((start - base, end - base, [name]))
    middles = [(first + last) / 2 for first, last, _ in labels]
    places = middles.copy()
    for i in range(1, len(places)):  # names of small regions move apart, and away from the lower end
        places[i] = max(places[i], places[i - 1] + gap)
    for i in reversed(range(len(places))):
        places[i] = min(places[i], places[i + 1] - gap if i + 1 < len(places) else touched.shape[1])
    where = ("axes fraction", "data")
    for (_, _, names), middle, place in zip(labels, middles, places, strict=True):
        ax.annotate(", ".join(dict.fromkeys(names)), (1.0, middle), (1.04, place), xycoords=where, textcoords=where,
                    va="center", fontsize=8, arrowprops={"arrowstyle": "-", "color": PALETTE["grey"], "linewidth": 0.6,
                                                         "shrinkA": 1, "shrinkB": 0, "relpos": (0, 0.5)})


def held(clip: Mapping[str, int], stream: Mapping[str, int], limit: int, ax: Axes | None = None) -> None:
    """Bytes of everything that a clip would need, and of what streaming keeps of it, on a doubling scale.

    Parameters
    ----------
    clip, stream : name -> bytes, the same names; what keeps nothing has no bar
    limit : a line: the bytes that there are
    """
    ax = ax or plt.gca()
    at = np.arange(len(clip))
    rows = (("the whole second", clip, -0.2, "#b8b5ae"), ("held in a stream", stream, 0.2, PALETTE["green"]))
    for label, sizes, shift, color in rows:
        values = [sizes[name] for name in clip]
        ax.barh(at + shift, values, height=0.38, color=color, label=label)
        for place, value in zip(at + shift, values, strict=True):
            ax.text(max(value, 8) * 1.08, place, f"{value:,}", va="center", fontsize=7)
    ax.axvline(limit, color=PALETTE["vermilion"], linestyle="--", linewidth=1)
    ax.set_xscale("log", base=2)
    ax.set(xlim=(8, 2 * max(clip.values())), xlabel="bytes", ylim=(len(clip) - 0.5, -0.5))
    ax.xaxis.set_major_formatter(THOUSANDS)
    ax.set_yticks(at, list(clip), fontsize=8)
    ax.legend(fontsize=8, loc="lower right")


def shared_buffer(tenants: Mapping[str, Sequence[tuple[int, int, str]]], total: int, ax: Axes | None = None) -> None:
    """One buffer at several moments, a row each: who has which of its bytes.

    Parameters
    ----------
    tenants : moment -> (start, end, name)
    total : bytes of the buffer
    """
    ax = ax or plt.gca()
    names = [*dict.fromkeys(name for rows in tenants.values() for _, _, name in rows)]
    colors = dict(zip(names, REGION_COLORS, strict=False))
    for i, rows in enumerate(tenants.values()):
        ax.barh(i, total, height=0.7, facecolor=PAPER, edgecolor=PALETTE["grey"], hatch="//", linewidth=0)
        for start, end, name in rows:
            ax.barh(i, end - start, left=start, height=0.7, color=colors[name], edgecolor=PAPER)
            if end - start >= total / 40:
                ax.text((start + end) / 2, i, f"{end - start}", ha="center", va="center", fontsize=8, color="white")
    ax.set_yticks(range(len(tenants)), list(tenants), fontsize=9)
    ax.invert_yaxis()
    ax.set(xlim=(0, total), xlabel="byte of the work buffer", xticks=np.linspace(0, total, 9))
    handles = [Patch(facecolor=colors[name], label=name) for name in names]
    ax.legend(handles=handles, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, fontsize=8)


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
