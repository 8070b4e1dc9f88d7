"""What things cost: against a limit, format by format, and as a race. Chapters 3, 6 and 9."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import ipywidgets

from tinyspeech.pages.widgets.markup import render
from tinyspeech.pages.widgets.sliders import explorer

RACE_PLACES = {"flash, 24 MHz": ("cycles_per_mac", 24), "flash, 48 MHz": ("cycles_per_mac_48_mhz", 48),
               "SRAM, 24 MHz": ("cycles_per_mac_sram", 24), "SRAM, 48 MHz": ("cycles_per_mac_sram_48_mhz", 48)}
"""Where the code of a race lies and how fast the clock is -> key of `ways.multiplier_race`, and MHz."""
RACE_MS = (0.1, 0.2, 0.3, 0.4, 0.6, 0.8, 1, 1.2, 1.5, 2, 5, 11)


def cost_page(costs: Sequence[tuple[str, float, float, str]], title: str) -> str:
    """What a network needs against what there is, as HTML bars: a page of an `explorer`.

    Parameters
    ----------
    costs : for each its name, the number, the limit that fills the bar, and the text behind it; a number above its
        limit stands out in colour
    title : of the page, which names the network
    """
    rows = [(name, min(100 * value / limit, 100), text, value > limit) for name, value, limit, text in costs]
    spoken = "; ".join(f"{name} {text}{', too much' if over else ''}" for name, _, text, over in rows)
    return render("cost.html", label=f"{title}: {spoken}.", title=title, rows=rows)


def formats_page(row: Mapping, layer: str) -> str:
    """What one pruned layer costs in each format, as two sets of bars filled by what the shipped kernel costs: a page
    of an `explorer`. What costs more stands out.

    Parameters
    ----------
    row : of the record `pruning.formats`: "formats" {name: {"bytes", "code_bytes", "cycles"}} with `shipped`,
        "zeros"
    layer : its name in the title
    """
    shipped = row["formats"]["shipped"]
    parts = []
    for key, unit, title in (("bytes", "B", "bytes"), ("cycles", "cycles", "time")):
        costs = []
        for name, cost in row["formats"].items():
            value = cost[key] or cost["code_bytes"]
            costs.append((name, value, shipped[key], f"{value:,} {unit}"))
        parts.append(cost_page(costs, f"{layer}, {row['zeros']:.0f} % zeros: {title}"))
    return "".join(parts)


def race_page(cycles: Mapping[str, float | None], mhz: int, ms: float, title: str) -> str:
    """How far each way has come in a race through one layer, as HTML bars: a page of an `explorer`.

    Parameters
    ----------
    cycles : way -> clock cycles that it needs for the layer, None where it does not take part
    mhz : of the clock
    ms : since the start
    title : of the page
    """
    rows = []
    for name, needed in cycles.items():
        share = 0.0 if needed is None else min(ms * 1000 * mhz / needed, 1.0)
        if needed is None:
            text = "does not fit"
        else:
            text = f"{needed / (1000 * mhz):.2f} ms" if share == 1 else f"{100 * share:.0f} %"
        rows.append((name, 100 * share, text, share == 1))
    label = f"{title}: {'; '.join(f'{name} {text}' for name, _, text, _ in rows)}."
    return render("race.html", label=label, title=title, rows=rows)


def cycle_race(rows: Mapping[str, Mapping[str, float | None]], macs: int) -> ipywidgets.VBox:
    """Sliders for time and place over a race of `ways.multiplier_race`'s ways through a layer.

    Parameters
    ----------
    rows : way -> its row of the race
    macs : products in the layer
    """
    def page(i: int, j: int) -> str:
        place = list(RACE_PLACES)[j]
        key, mhz = RACE_PLACES[place]
        cycles = {name: None if row[key] is None else row[key] * macs for name, row in rows.items()}
        return race_page(cycles, mhz, RACE_MS[i], f"{RACE_MS[i]:g} ms after the start; {place}")

    dials = {"time": [f"{ms:g} ms" for ms in RACE_MS], "place and clock": list(RACE_PLACES)}
    return explorer(dials, page, start=(3, 0))
