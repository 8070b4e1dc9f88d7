"""What networks of few bits still understand, and how small they are. Chapter 5."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import ipywidgets

from tinyspeech.pages.plots.theme import PALETTE
from tinyspeech.pages.widgets.markup import render
from tinyspeech.pages.widgets.sliders import explorer


def bits_page(row: Mapping[str, object] | None, whole: Mapping[str, object], title: str) -> str:
    """What a network at few bits still understands, and its size, against itself in float: a page of an `explorer`.

    Parameters
    ----------
    row : of `experiments.bits`, with "accuracy" and "bytes"; None where nothing was measured
    whole : the same network's row in float
    title : names network, mode and bits
    """
    if row is None:
        return render("unmeasured.html", text=f"{title}: not measured.")
    accuracy, full = row["accuracy"]["mean"], whole["accuracy"]["mean"]
    share = row["bytes"] / whole["bytes"]
    rows = [
        ("accuracy", accuracy / 100, f"{accuracy:.1f} % ({accuracy - full:+.1f} points)", PALETTE["vermilion"]),
        ("size", share, f"{row['bytes']:,} B ({100 * share:.0f} % of float)", PALETTE["green"]),
    ]
    label = f"{title}: {'; '.join(f'{name} {text}' for name, _, text, _ in rows)}."
    return render("bits.html", label=label, title=title, rows=rows)


def bits_explorer(rows: Sequence[Mapping[str, object]]) -> ipywidgets.VBox:
    """Sliders for network, mode and bits over all measured rows of `experiments.bits` with a step per channel.

    Without training a row's grid ends at the optimum, with training where that moved it.
    """
    whole = {row["network"]: row for row in rows if row["mode"] == "UN"}
    kept = {(row["network"], row["mode"], str(row["bits"])): row for row in rows
            if row.get("granularity") == "channel" and not row.get("norms")
            and row["clipping"] == ("learned" if row["mode"] == "QAT" else "optimum")}
    modes = ("DQ", "SQ", "QAT")
    names = [name for name in ("ternary", *map(str, range(2, 9))) if any(bits == name for _, _, bits in kept)]

    def page(i: int, j: int, k: int) -> str:
        network, mode, bits = list(whole)[i], modes[j], names[k]
        title = f"{network}, {mode}, {bits}{'' if bits == 'ternary' else ' bits'}"
        return bits_page(kept.get((network, mode, bits)), whole[network], title)

    return explorer({"network": list(whole), "mode": modes, "bits of a weight": names}, page,
                    start=(0, 1, len(names) - 1))
