"""Which recordings a taught word is heard in, under a threshold that the reader moves. Chapter 12."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tinyspeech.pages.plots.theme import GRID, PALETTE
from tinyspeech.pages.widgets.markup import render

LEFT, WIDTH, TOP, ROW = 118, 340, 24, 30
"""Of the drawing, in its own units: where thresholds begin, how far they go, and the rows."""


def threshold_page(rows: Mapping[str, Sequence[float]], own: str, threshold: float, reach: tuple[float, float]) -> str:
    """Recordings as dots where a word begins to be heard in them, a row for each kind: a page of an `explorer`.

    Parameters
    ----------
    rows : name -> from which threshold on the word is heard in each
    own : the row in which hearing it is right
    threshold : those below it are heard, and coloured
    reach : of the axis; dots beyond lie at its ends
    """
    low, high = reach

    def place(value: float) -> float:
        return LEFT + WIDTH * (min(max(value, low), high) - low) / (high - low)

    def marks(values: Sequence[float], y: float) -> str:
        return "".join(f"M{place(value):.0f} {y + 5 * (i % 3 - 1)}h0" for i, value in enumerate(values))

    drawn, spoken = [], []
    for i, (name, values) in enumerate(rows.items()):
        heard = [value for value in values if value < threshold]
        y = TOP + ROW * (i + 0.5)
        count = f"{len(heard)} of {len(values)}"
        colour = PALETTE["green" if name == own else "vermilion"]
        dots = ((GRID, marks([value for value in values if value >= threshold], y)), (colour, marks(heard, y)))
        drawn.append({"name": name, "count": count, "y": y + 4, "dots": dots})
        spoken.append(f"{name}: {count} heard")
    bottom = TOP + ROW * len(rows)
    return render(
        "threshold.svg", text=f"Threshold {threshold:g}. {'; '.join(spoken)}.", title=f"threshold {threshold:g}",
        box=f"0 0 {LEFT + WIDTH + 62} {bottom + 32}", rows=drawn, left=LEFT, right=LEFT + WIDTH, bottom=bottom,
        at=f"{place(threshold):.0f}", top=TOP, low=f"{low:g}", high=f"{high:g}",
    )
