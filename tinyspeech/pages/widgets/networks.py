"""Networks: scores as bars, a threshold on them, and a condenser whose input the reader paints. Chapters 0, 3 and 4."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import ipywidgets
import numpy as np
from IPython.display import HTML
from markupsafe import Markup
from numpy.typing import ArrayLike

from tinyspeech.pages.plots.theme import GRID, PALETTE
from tinyspeech.pages.widgets.markup import render, script
from tinyspeech.pages.widgets.sliders import flip_book


def bars(shares: ArrayLike, classes: Sequence[str]) -> str:
    """Class scores as HTML bars, the answer in colour.

    Parameters
    ----------
    shares : [classes], each 0 .. 1
    """
    shares = np.asarray(shares, dtype=float)  # (K,)
    best = int(shares.argmax())
    rows = [(name.strip("_"), 100 * share, i == best)
            for i, (name, share) in enumerate(zip(classes, shares, strict=True))]
    text = f"Bars of twelve scores; the answer is {classes[best].strip('_')} with {100 * shares[best]:.0f} per cent."
    return render("bars.html", text=text, rows=rows)


def rejection_page(curve: Mapping[str, Sequence[float]], chosen: int, unit: str = "score") -> str:
    """What one threshold does to a hundred keywords and to a hundred other sounds: a page for `flip_book`.

    Parameters
    ----------
    curve : of `tinyspeech.measure.metrics.rejection`, the shares 0 .. 1
    chosen : the threshold's place in the curve
    unit : what the threshold is one of
    """
    share = {key: 100 * curve[key][chosen] for key in ("right", "confused", "rejected", "false_accept")}
    good, bad = PALETTE["green"], PALETTE["vermilion"]
    bars = {
        "keywords": (("understood", share["right"], good), ("taken for another", share["confused"], bad),
                     ("not accepted", share["rejected"], GRID)),
        "other sounds": (("accepted", share["false_accept"], bad), ("not accepted", 100 - share["false_accept"], GRID)),
    }
    drawn, spoken = [], []
    for name, parts in bars.items():
        left, stops = 0.0, []
        for _, value, color in parts:
            stops.append(f"{color} {left:.1f}% {left + value:.1f}%")
            left += value
        words = "; ".join(f"{text} {value:.1f}" for text, value, _ in parts)
        drawn.append({"name": name, "stops": ",".join(stops), "words": words})
        spoken.append(f"of 100 {name}: {words}")
    title = f"Accepted from a {unit} of {curve['threshold'][chosen]:g}"
    return render("rejection.html", label=f"{title}; {'; '.join(spoken)}.", title=title, bars=drawn)


def rejection_book(curve: Mapping[str, Sequence[float]], unit: str = "score") -> ipywidgets.VBox:
    """A slider over the thresholds of a rejection curve; curve and unit as of `rejection_page`."""
    labels = [f"{threshold:g}" for threshold in curve["threshold"]]
    return flip_book([rejection_page(curve, i, unit) for i in range(len(labels))], labels, "threshold")


def gate_painter(word: ArrayLike, stem: Sequence[ArrayLike], squeeze: Sequence[ArrayLike],
                 expand: Sequence[ArrayLike], pool: int = 2) -> HTML:
    """A condenser in the page: the reader paints its input and sees which gates move. One a page, no Python behind it.

    Parameters
    ----------
    word : float [T, F], what it starts from, in standard deviations
    stem : weights [C, ..., 3, 3] of the convolution in front, and what normalisation multiplies [C] and adds [C]
    squeeze, expand : weights [o, C] and [C, o], multiplied out (`condenser.collapsed_weight`), each with its own two
    pool : side of the pooling windows
    """
    def layer(weights: ArrayLike, times: ArrayLike, plus: ArrayLike) -> dict:
        rows = np.asarray(weights, dtype=float).reshape(len(weights), -1)
        return {"weights": rows.round(5).tolist(), "times": np.asarray(times, dtype=float).round(5).tolist(),
                "plus": np.asarray(plus, dtype=float).round(5).tolist()}

    word = np.asarray(word, dtype=float)
    net = {"time": word.shape[0], "bands": word.shape[1], "pool": pool, "word": word.ravel().round(3).tolist(),
           "stem": layer(*stem), "squeeze": layer(*squeeze), "expand": layer(*expand)}
    return HTML(render("gate_painter.html", net=net, channels=len(net["expand"]["weights"]),
                       script=script("painter.js"), json=Markup(json.dumps(net, separators=(",", ":")))))
