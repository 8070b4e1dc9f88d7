"""The chip's RAM byte by byte, moment by moment. Chapter 10."""

from __future__ import annotations

import ipywidgets
import numpy as np

from tinyspeech.chip.recorder import Recording
from tinyspeech.pages.plots.memory import Regions, region_colors
from tinyspeech.pages.widgets.markup import render
from tinyspeech.pages.widgets.sliders import flip_book


def _runs(marked: np.ndarray, row: int) -> str:
    """SVG path of the marked bytes, bool [bytes], eight units a byte, as few rectangles as rows allow."""
    parts = []
    for y, line in enumerate(marked.reshape(-1, row)):
        steps = np.flatnonzero(np.diff(np.concatenate([[0], line.astype(np.int8), [0]])))
        parts += [f"M{8 * a} {8 * y}h{8 * (b - a)}v8h{8 * (a - b)}z" for a, b in steps.reshape(-1, 2)]
    return "".join(parts)


def byte_page(touched: np.ndarray, regions: Regions, title: str, row: int = 64) -> str:
    """All bytes of RAM in one stretch of time: what was written in full colour, what was only read half pale, the rest
    paler still. A pointer over a byte shows whose it is.

    Parameters
    ----------
    touched : uint8 [bytes], 1 for read, more for written
    regions : (start, end, name) of the whole memory, by address
    row : bytes side by side
    """
    base, colors, shapes, spoken = regions[0][0], region_colors(regions), [], []
    for start, end, name in regions:
        part = np.zeros(len(touched), bool)
        part[start - base : end - base] = True
        written, read = part & (touched > 1), part & (touched == 1)
        paths = ((part, 0.18), (read, 0.45), (written, 1))
        shapes.append({
            "color": "#ffffff" if name == "never used" else colors[name],
            "text": f"{name}, {end - start:,} bytes from +{start - base:,}",
            "paths": [(_runs(which, row), opacity) for which, opacity in paths if which.any()],
        })
        if written.any() or read.any():
            spoken.append(f"{name} {written.sum()} + {read.sum()}")
    told = f"{title}. Bytes written + only read: {'; '.join(spoken) or 'none'}."
    return render("bytes.html", text=told, shapes=shapes, width=8 * row, height=8 * len(touched) // row)


def ram_film(
    recording: Recording, regions: Regions, every: int, clock_hz: int
) -> ipywidgets.VBox:
    """A recording of RAM as a slider over `byte_page`s, each over `every` of its steps."""
    pages, labels = [], []
    for start in range(0, len(recording.touched), every):
        part = slice(start, start + every)
        first, last = (1000 * step * recording.step_cycles / clock_hz for step in (start, start + every))
        labels.append(f"{first:.1f} to {last:.1f} ms")
        busy = [f"{name} {cycles[part].sum() / (every * recording.step_cycles):.0%}"
                for name, cycles in recording.busy.items() if cycles[part].any()]
        title = f"{labels[-1]}: {', '.join(busy)}"
        pages.append(byte_page(np.bitwise_or.reduce(recording.touched[part]), regions, title))
    return flip_book(pages, labels, "time")
