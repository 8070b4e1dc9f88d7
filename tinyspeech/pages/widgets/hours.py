"""Hours of sound under a threshold that the reader moves. Chapter 11."""

from __future__ import annotations

from collections.abc import Sequence

from tinyspeech import KEYWORDS
from tinyspeech.pages.plots.theme import PALETTE
from tinyspeech.pages.widgets.markup import render

LEFT, WIDTH, TOP, ROW = 44, 500, 22, 17
"""Of the drawing, in its own units: where time begins, how far it goes, and the rows of the words."""
TICKS = 6
"""Along the axis of time, at most."""


def timeline_page(found: Sequence[tuple[float, str, bool]], said: Sequence[tuple[float, str]], seconds: float,
                  title: str) -> str:
    """Reports as dots over time, a row for each word, as a drawing in HTML: a page of an `explorer`.

    Parameters
    ----------
    found : (second, word, whether it was said)
    said : (second, word) of what was truly said, a mark behind the dots
    seconds : of all the sound
    title : above the drawing, with its figures
    """
    def marks(places: Sequence[tuple[float, str]], stroke: str, up: float) -> str:
        return "".join(f"M{LEFT + WIDTH * at / seconds:.0f} {TOP + ROW * (KEYWORDS.index(word) + 0.5) - up:.0f}{stroke}"
                       for at, word in places)

    minutes = seconds / 60
    step = next(size for size in (1, 2, 5, 10, 20, 30, 60, 120) if minutes / size <= TICKS or size == 120)
    wrong, right = ([(at, word) for at, word, true in found if true == kind] for kind in (False, True))
    bottom = TOP + ROW * len(KEYWORDS)
    text = f"{title}. {len(wrong)} false reports and {len(right)} true ones in {minutes:.0f} minutes, as dots over time"
    return render(
        "timeline.svg", text=f"{text}, a row for each word.", title=title, box=f"0 0 {LEFT + WIDTH + 16} {bottom + 32}",
        left=LEFT, right=LEFT + WIDTH, bottom=bottom, said=marks(said, "v8", 4),
        dots=[(PALETTE["vermilion"], marks(wrong, "h0", 0)), (PALETTE["green"], marks(right, "h0", 0))],
        rows=[(name, TOP + ROW * (i + 0.5) + 4) for i, name in enumerate(KEYWORDS)],
        ticks=[(f"{LEFT + WIDTH * at / minutes:.0f}", at) for at in range(0, int(minutes) + 1, step)],
    )
