"""What the front end makes of sound: one mel band at a time, curves side by side. Chapters 1, 2 and 8."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from tinyspeech.pages.plots.theme import PALETTE
from tinyspeech.pages.widgets.markup import render


def band_page(power: ArrayLike, weights: ArrayLike, bin_hz: float, chosen: int) -> str:
    """One mel band over a spectrum, and its energy among those of all bands: a page for `flip_book`.

    Parameters
    ----------
    power : [bins], squared magnitudes, from 0 Hz on
    weights : [bands, bins], each 0 .. 1
    bin_hz : distance of two neighbouring bins
    chosen : the band that stands out
    """
    power, weights = np.asarray(power, dtype=float), np.asarray(weights, dtype=float)  # (F,), (B, F)
    level_db = np.maximum(10 * np.log10(np.maximum(power / power.max(), 1e-30)), -80)
    energy = weights @ power
    octaves = np.log2(energy / energy.max())
    x = np.linspace(0, 480, len(power))
    curve = " ".join(f"{a:.0f},{-1.5 * b:.0f}" for a, b in zip(x, level_db, strict=True))
    slopes = " ".join(f"{a:.0f},{120 - 120 * w:.0f}" for a, w in zip(x, weights[chosen], strict=True) if w > 0)
    under = np.flatnonzero(weights[chosen])
    left, right = x[max(under[0] - 1, 0)], x[min(under[-1] + 1, len(x) - 1)]
    width, deepest = 480 / len(weights), 15.0
    tops = 200 - 3 * np.maximum(deepest + octaves, 0)  # three units an octave, up from the line at 200
    outlines = [f"M{b * width + 2:.0f} 200V{top:.0f}h{width - 4:.0f}V200" for b, top in enumerate(tops)]
    low, high = under[0] * bin_hz, under[-1] * bin_hz
    text = f"Band {chosen}: {len(under)} frequencies, {low:,.0f} to {high:,.0f} Hz; "
    text += "the loudest band." if octaves[chosen] == 0 else f"{-octaves[chosen]:.1f} octaves below the loudest band."
    return render(
        "band.html", text=text, left=f"{left:.0f}", right=f"{right:.0f}", slopes=slopes, curve=curve,
        bars="".join(outlines), bar=outlines[chosen], top_khz=f"{(len(power) - 1) * bin_hz / 1000:g}",
        last=len(weights) - 1,
    )


def panels(curves: Sequence[tuple[str, Sequence[ArrayLike], tuple[float, float]]], text: str) -> str:
    """Small plots side by side as one drawing in HTML, for a page of a flip book.

    Parameters
    ----------
    curves : for each panel its title, its curves (grey, vermilion; spread evenly over the width; no axes), and
        the values at the bottom and at the top
    text : what one would see, for readers who cannot
    """
    colors, width, height = ("#8a8f98", PALETTE["vermilion"]), 220, 120
    drawn = []
    for i, (title, lines, (low, high)) in enumerate(curves):
        left, shown = i * (width + 20) + 8, []
        for line, color in zip(lines, colors, strict=False):
            line = np.clip((np.asarray(line, dtype=float) - low) / (high - low), 0, 1)
            x = left + np.linspace(0, width, len(line))
            y = 22 + height * (1 - line)
            shown.append((color, " ".join(f"{a:.0f},{b:.0f}" for a, b in zip(x, y, strict=True))))
        drawn.append({"left": left, "title": title, "curves": shown})
    return render("panels.svg", text=text, box=f"0 0 {len(curves) * (width + 20)} {height + 30}", panels=drawn)
