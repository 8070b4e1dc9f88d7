"""Inside a network: what it attends to, what it sees of its input, and what it answers. Chapters 0, 3 and 4."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from tinyspeech.pages.plots.features import feature_map
from tinyspeech.pages.plots.theme import DIVERGING, GRID, INK, PALE, PALETTE, SEQUENTIAL, THOUSANDS, WIDTH, stack


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
    colors = [PALETTE["vermilion"] if i == best else PALE for i in range(len(logits))]
    bars = ax.bar([name.strip("_") for name in classes], logits, color=colors)
    ax.bar_label(bars, [classes[best].strip("_") if i == best else "" for i in range(len(logits))], fontweight="bold")
    ax.axhline(0, color=INK, linewidth=0.8)
    ax.margins(y=0.15)
    ax.set_xticks(ax.get_xticks(), ax.get_xticklabels(), rotation=45, ha="right", rotation_mode="anchor")
    ax.yaxis.set_major_formatter(THOUSANDS)
    ax.set_ylabel("score (logit)")


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
    figure, axes = plt.subplots(rows, columns, figsize=(WIDTH, height), squeeze=False)
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
    rows = -(-len(gradients) // 2)
    figure, axes = plt.subplots(rows, 2, figsize=(WIDTH, 3.4), sharex=True, sharey=True, squeeze=False)
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
