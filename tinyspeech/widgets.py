"""Interactive parts of the book, made to stay alive in the static page: no kernel answers there.

What can be moved is computed beforehand, one page for each position of a slider, and the browser alone turns the pages.
Only widgets that lie in book/vendor are used, and drawings are HTML with a description for readers who cannot see them.
Introduced in the first chapter.
"""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable, Mapping, Sequence
from html import escape
from pathlib import Path

import ipywidgets
import numpy as np
import soundfile
from IPython.display import HTML
from numpy.typing import ArrayLike
from traitlets import Instance, List

from tinyspeech.chip import rom
from tinyspeech.chip.emulator import FLASH_BYTES
from tinyspeech.chip.recorder import Recording
from tinyspeech.plots import BANK_COLORS, GRID, INK, PALETTE, PAPER, region_colors


def sound(samples: np.ndarray, sample_rate_hz: int, label: str) -> HTML:
    """A player with the samples inside, as 16-bit WAV.

    Parameters
    ----------
    samples : int16 [N], played as they are: nothing is made louder
    label : what one would hear
    """
    file = io.BytesIO()
    soundfile.write(file, samples, sample_rate_hz, format="WAV", subtype="PCM_16")
    data = base64.b64encode(file.getvalue()).decode()
    return HTML(
        f'<audio controls preload="metadata" aria-label="{escape(label)}" src="data:audio/wav;base64,{data}"></audio>'
        f'<div style="font-size: 0.9em">{escape(label)}</div>'
    )


def bars(shares: ArrayLike, classes: Sequence[str]) -> str:
    """Class scores as HTML bars, the answer in colour.

    Parameters
    ----------
    shares : [classes], each 0 .. 1
    """
    shares = np.asarray(shares, dtype=float)  # (K,)
    best = int(shares.argmax())
    rows = []
    for i, (name, share) in enumerate(zip(classes, shares, strict=True)):
        color = PALETTE["vermilion"] if i == best else "#b8b5ae"
        left, right = escape(name.strip("_")), f"{100 * share:.0f} %"
        if i == best:
            left, right = f"<b>{left}</b>", f"<b>{right}</b>"
        fill = f"background:linear-gradient(90deg,{color} {100 * share:.1f}%,{GRID} 0)"
        rows.append(f"<tr><td>{left}</td><td width=70% style='{fill}'></td><td align=right>{right}</td></tr>")
    text = f"Bars of twelve scores; the answer is {classes[best].strip('_')} with {100 * shares[best]:.0f} per cent."
    look = "display:table;width:100%;border:0;border-spacing:9px 2px;border-collapse:separate;white-space:nowrap"
    look += f";color:{INK}"
    return f"<div role=img aria-label='{escape(text)}'><table style='{look}'>{''.join(rows)}</table></div>"


class LinkedSlider(ipywidgets.SelectionSlider):
    """A slider that carries its link to the pages, so that the link is stored with what is shown."""

    link = Instance(ipywidgets.Widget, allow_none=True).tag(sync=True, **ipywidgets.widget_serialization)


def turned_by(slider: ipywidgets.SelectionSlider, children: Sequence[ipywidgets.Widget],
              **look: object) -> tuple[ipywidgets.Widget, ipywidgets.Widget | None]:
    """What shows one of the children, the one at the slider's position, and the link that turns it in the browser.

    ipywidgets 7, which Colab had for long, knows no such widget: there a box is filled anew, with Python behind it, and
    no link is returned.
    """
    if hasattr(ipywidgets, "Stack"):
        stack = ipywidgets.Stack(children, selected_index=slider.index, **look)
        return stack, ipywidgets.jslink((slider, "index"), (stack, "selected_index"))
    box = ipywidgets.VBox([children[slider.index]], **look)
    slider.observe(lambda change: setattr(box, "children", [children[change["new"]]]), "index")
    return box, None


def flip_book(pages: Sequence[str], labels: Sequence[str], name: str) -> ipywidgets.VBox:
    """A slider over pages of HTML: position i shows page i. The browser does it, with or without Python behind it.

    Parameters
    ----------
    pages : HTML, one each
    labels : what the slider reads at each page
    name : of what is moved

    Raises
    ------
    ValueError
        There is not one label for each page, or there are no pages.
    """
    if not pages or len(pages) != len(labels):
        raise ValueError(f"{len(pages)} pages need as many labels, not {len(labels)}")
    wide = ipywidgets.Layout(width="100%", max_width="36em")
    style = ipywidgets.HTML().style  # one layout and one style for all pages: the stored state stays small
    slider = LinkedSlider(options=list(labels), description=name, layout=wide, style={"description_width": "initial"})
    stack, slider.link = turned_by(slider, [ipywidgets.HTML(page, layout=wide, style=style) for page in pages])
    return ipywidgets.VBox([slider, stack], layout=ipywidgets.Layout(width="100%"))


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
    bars = f"<path d='{''.join(outlines)}' fill='#b8b5ae'/><path d='{outlines[chosen]}' fill='{PALETTE['vermilion']}'/>"
    low, high = under[0] * bin_hz, under[-1] * bin_hz
    text = f"Band {chosen}: {len(under)} frequencies, {low:,.0f} to {high:,.0f} Hz; "
    text += "the loudest band." if octaves[chosen] == 0 else f"{-octaves[chosen]:.1f} octaves below the loudest band."
    words = f"font-size='13' fill='{INK}'"
    return (
        f"<svg role=img aria-label='{escape(text)}' viewBox='0 -4 480 232' width='100%'>"
        f"<polygon points='{left:.0f},120 {slopes} {right:.0f},120' fill='{PALETTE['amber']}' fill-opacity='.5'/>"
        f"<polyline points='{curve}' fill='none' stroke='{PALETTE['blue']}' stroke-width='1.3'/>"
        f"<path d='M0 120H480M0 200H480' stroke='{INK}'/>{bars}"
        f"<text x='0' y='135' {words}>0 Hz</text>"
        f"<text x='480' y='135' text-anchor='end' {words}>{(len(power) - 1) * bin_hz / 1000:g} kHz</text>"
        f"<text x='0' y='218' {words}>band 0</text>"
        f"<text x='480' y='218' text-anchor='end' {words}>band {len(weights) - 1}</text></svg>"
        f"<div style='color:{INK}'>{escape(text)}</div>"
    )


# ---------------------------------------------------------------- chapter "Sound and data"


def player(samples: np.ndarray, sample_rate_hz: int, label: str, bits: int = 16) -> str:
    """The HTML of a player, for a page of a flip book.

    Parameters
    ----------
    samples : int16 [N]
    bits : 16, or 8 for a WAV of half the size, which keeps the upper eight bits of each sample (rounded)
    """
    file = io.BytesIO()
    if bits == 8:
        samples = np.clip((samples.astype(int) + 128) >> 8, -128, 127).astype(np.int16) * 256
    subtype = {8: "PCM_U8", 16: "PCM_16"}[bits]
    soundfile.write(file, samples.astype(np.int16), sample_rate_hz, format="WAV", subtype=subtype)
    data = base64.b64encode(file.getvalue()).decode()
    return (
        f'<audio controls preload="metadata" aria-label="{escape(label)}" src="data:audio/wav;base64,{data}"></audio>'
        f'<div style="font-size: 0.9em">{escape(label)}</div>'
    )


def small_sound(samples: np.ndarray, sample_rate_hz: int, label: str) -> HTML:
    """A player as of `sound`, with 8-bit samples: a page carries more sounds this way. int16 [N] in."""
    return HTML(player(samples, sample_rate_hz, label, bits=8))


def panels(curves: Sequence[tuple[str, Sequence[ArrayLike], tuple[float, float]]], text: str) -> str:
    """Small plots side by side as one drawing in HTML, for a page of a flip book.

    Parameters
    ----------
    curves : for each panel its title, its curves (grey, vermilion; spread evenly over the width; no axes), and
        the values at the bottom and at the top
    text : what one would see, for readers who cannot
    """
    colors, width, height = ("#8a8f98", PALETTE["vermilion"]), 220, 120
    parts = []
    for i, (title, lines, (low, high)) in enumerate(curves):
        left = i * (width + 20) + 8
        parts.append(f"<text x='{left}' y='14' font-size='11' fill='{INK}'>{escape(title)}</text>")
        for line, color in zip(lines, colors, strict=False):
            line = np.clip((np.asarray(line, dtype=float) - low) / (high - low), 0, 1)
            x = left + np.linspace(0, width, len(line))
            points = " ".join(f"{a:.0f},{b:.0f}" for a, b in zip(x, 22 + height * (1 - line), strict=True))
            parts.append(f"<polyline fill='none' stroke='{color}' stroke-width='1.5' points='{points}'/>")
    box = f"0 0 {len(curves) * (width + 20)} {height + 30}"
    look = f"width:100%;background:{PAPER};border-radius:4px"
    return f"<svg role='img' aria-label='{escape(text)}' viewBox='{box}' style='{look}'>{''.join(parts)}</svg>"


# ---------------------------------------------------------------- chapter "Attention condensers"


class ManyLinkedSlider(ipywidgets.SelectionSlider):
    """A slider that turns several stacks of pages at once, and carries its links as `LinkedSlider` does."""

    links = List(Instance(ipywidgets.Widget)).tag(sync=True, **ipywidgets.widget_serialization)


def explorer(
    dials: Mapping[str, Sequence[str]], page: Callable[..., str], start: Sequence[int] | None = None
) -> ipywidgets.VBox:
    """Several sliders over pages of HTML, one page for each combination, computed beforehand: a `flip_book` of more
    than one dimension, just as alive in the browser alone.

    Parameters
    ----------
    dials : name -> what the slider reads at each position
    page : takes a position of each dial, whole numbers from 0, and returns HTML
    start : where the sliders stand at first; by default all the way to the left

    Raises
    ------
    ValueError
        There is no dial, a dial without positions, or not one start for each dial.
    """
    sizes = [len(labels) for labels in dials.values()]
    start = [0] * len(sizes) if start is None else list(start)
    if not sizes or 0 in sizes or len(start) != len(sizes):
        raise ValueError(f"{len(start)} starts for dials of {sizes} positions")
    wide = ipywidgets.Layout(width="100%", max_width="36em")
    style = ipywidgets.HTML().style  # one layout and one style for all: the stored state stays small
    links: list[list[ipywidgets.Widget | None]] = [[] for _ in sizes]
    look = {"layout": wide, "style": {"description_width": "8em"}}
    sliders = [ManyLinkedSlider(options=list(labels), index=first, description=name, **look)
               for (name, labels), first in zip(dials.items(), start, strict=True)]

    def pages(*chosen: int) -> ipywidgets.Widget:
        depth = len(chosen)
        if depth == len(sizes):
            return ipywidgets.HTML(page(*chosen), layout=wide, style=style)
        children = [pages(*chosen, i) for i in range(sizes[depth])]
        stack, link = turned_by(sliders[depth], children, layout=wide)
        links[depth].append(link)
        return stack

    book = pages()
    for slider, turning in zip(sliders, links, strict=True):
        slider.links = [link for link in turning if link]
    return ipywidgets.VBox([*sliders, book], layout=ipywidgets.Layout(width="100%"))


def cost_page(costs: Sequence[tuple[str, float, float, str]], title: str) -> str:
    """What a network needs against what there is, as HTML bars: a page of an `explorer`.

    Parameters
    ----------
    costs : for each its name, the number, the limit that fills the bar, and the text behind it; a number above its
        limit stands out in colour
    title : of the page, which names the network
    """
    rows, spoken = [], []
    for name, value, limit, text in costs:
        over = value > limit
        share = min(100 * value / limit, 100)
        color = PALETTE["vermilion"] if over else PALETTE["green"]
        fill = f"background:linear-gradient(90deg,{color} {share:.1f}%,{GRID} 0)"
        shown = f"<b>{escape(text)}</b>" if over else escape(text)
        rows.append(f"<tr><td>{escape(name)}</td><td width=35% style='{fill}'></td><td align=right>{shown}</td></tr>")
        spoken.append(f"{name} {text}{', too much' if over else ''}")
    look = "display:table;width:100%;border:0;border-spacing:9px 3px;border-collapse:separate;line-height:1.35"
    text = f"{title}: {'; '.join(spoken)}."
    return (
        f"<div role=img aria-label='{escape(text)}' style='color:{INK}'><b>{escape(title)}</b>"
        f"<table style='{look};color:{INK}'>{''.join(rows)}</table></div>"
    )


# ---------------------------------------------------------------- chapter "Training"


def rejection_page(curve: Mapping[str, Sequence[float]], chosen: int, unit: str = "score") -> str:
    """What one threshold does to a hundred keywords and to a hundred other sounds: a page for `flip_book`.

    Parameters
    ----------
    curve : of `tinyspeech.metrics.rejection`, the shares 0 .. 1
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
        drawn.append(
            f"<div style='margin-top:8px'>Of 100 {name}:</div>"
            f"<div style='height:18px;background:linear-gradient(90deg,{','.join(stops)})'></div>"
            f"<div style='font-size:0.9em'>{escape(words)}</div>"
        )
        spoken.append(f"of 100 {name}: {words}")
    title = f"Accepted from a {unit} of {curve['threshold'][chosen]:g}"
    label = f"{title}; {'; '.join(spoken)}."
    return (
        f"<div role=img aria-label='{escape(label)}' style='color:{INK};line-height:1.35'><b>{escape(title)}</b>"
        f"{''.join(drawn)}</div>"
    )


def rejection_book(curve: Mapping[str, Sequence[float]], unit: str = "score") -> ipywidgets.VBox:
    """A slider over the thresholds of a rejection curve; curve and unit as of `rejection_page`."""
    labels = [f"{threshold:g}" for threshold in curve["threshold"]]
    return flip_book([rejection_page(curve, i, unit) for i in range(len(labels))], labels, "threshold")


# ---------------------------------------------------------------- chapter "Quantisation-aware training"


def bits_page(row: Mapping[str, object] | None, whole: Mapping[str, object], title: str) -> str:
    """What a network at few bits still understands, and its size, against itself in float: a page of an `explorer`.

    Parameters
    ----------
    row : of `experiments.bits`, with "accuracy" and "bytes"; None where nothing was measured
    whole : the same network's row in float
    title : names network, mode and bits
    """
    if row is None:
        text = f"{title}: not measured."
        return f"<div role=img aria-label='{escape(text)}' style='color:{INK}'>{escape(text)}</div>"
    accuracy, full = row["accuracy"]["mean"], whole["accuracy"]["mean"]
    share = row["bytes"] / whole["bytes"]
    parts = [
        ("accuracy", accuracy / 100, f"{accuracy:.1f} % ({accuracy - full:+.1f} points)", PALETTE["vermilion"]),
        ("size", share, f"{row['bytes']:,} B ({100 * share:.0f} % of float)", PALETTE["green"]),
    ]
    rows = "".join(
        f"<tr><td>{name}</td><td width=45% style='background:linear-gradient(90deg,{color} {100 * filled:.1f}%,"
        f"{GRID} 0)'></td><td>{escape(text)}</td></tr>" for name, filled, text, color in parts)
    look = f"display:table;width:100%;border:0;border-spacing:9px 3px;border-collapse:separate;color:{INK}"
    label = f"{title}: {'; '.join(f'{name} {text}' for name, _, text, _ in parts)}."
    return (
        f"<div role=img aria-label='{escape(label)}' style='color:{INK};line-height:1.35'><b>{escape(title)}</b>"
        f"<table style='{look}'>{rows}</table></div>"
    )


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


# ---------------------------------------------------------------- chapter "Pruning"


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


# ---------------------------------------------------------------- chapter "Attention condensers"


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
    pens = {"3": "orange: 3", "-3": "blue: -3", "0": "paper: 0", "back": "as it was"}
    channels = "".join(f"<option value={i}>{i + 1}</option>" for i in range(len(net["expand"]["weights"])))
    canvas = (f"width={12 * word.shape[0]} height={12 * word.shape[1]} style='width:100%;max-width:40em;"
              f"border:1px solid {GRID}")
    script = (Path(__file__).parent / "painter.js").read_text()
    return HTML(
        f"<div id='gate-painter' role='group' aria-label='A word to paint on, and the gates of a condenser' "
        f"style='color:{INK};line-height:1.4'><div style='display:flex;flex-wrap:wrap;gap:6px 12px'>"
        "<label>pen <select data-part='pen'>"
        + "".join(f"<option value={value}>{name}</option>" for value, name in pens.items())
        + f"</select></label><label>channel <select data-part='channel'>{channels}</select></label>"
        "<button data-part='again'>the word again</button><button data-part='empty'>an empty page</button></div>"
        "<div style='margin:6px 0 2px'>input: paint here (or arrow keys and space bar)</div>"
        f"<canvas data-part='input' tabindex=0 {canvas};touch-action:none;cursor:crosshair' "
        "aria-label='The input, time to the right, coefficients upwards'></canvas>"
        "<div style='margin:6px 0 2px'>gates: orange is open, blue is shut; framed: moved by the paint</div>"
        f"<canvas data-part='gate' {canvas}' aria-label='The gates'></canvas>"
        "<div data-part='note' aria-live='polite' style='min-height:2.8em'>This part needs a browser that runs scripts."
        f"</div></div><script>{script}gatePainter(document.getElementById('gate-painter'), "
        f"{json.dumps(net, separators=(',', ':'))});</script>"
    )


# ---------------------------------------------------------------- chapter "The CH32V003"


def chip_program(name: str, note: str, image: bytes, functions: Sequence[tuple[int, int, str]] | None = None,
                 clips: Mapping[str, np.ndarray] | None = None) -> dict:
    """A program for `chip_page`.

    Parameters
    ----------
    name, note : what the reader chooses, and what is said of it
    image : bytes of flash from address 0
    functions : (start, end, name) of the code among them, as of `toolchain.function_addresses`; by default all of it
    clips : word -> int16 [8000] at 8 kHz, that the page says to our firmware
    """
    from tinyspeech.chip import trace

    functions = functions or [(0, len(image), "reset")]
    listing = [f"{i.address:x} {i.text}" for start, end, _ in functions
               for i in trace.disassemble(image[start:end], start)]
    return {
        "name": name, "note": note, "image": base64.b64encode(image).decode(), "functions": list(functions),
        "listing": "\n".join(listing),
        "clips": {word: base64.b64encode(x.astype("<i2").tobytes()).decode() for word, x in (clips or {}).items()},
    }


def chip_page(programs: Sequence[dict]) -> HTML:
    """The emulated chip itself in the page: the interpreter as WebAssembly, with buttons to step and to run.

    It needs no Python behind it and loads nothing. One a page. programs : of `chip_program`, the first is shown.
    """
    from tinyspeech import CLASSES, toolchain
    from tinyspeech.chip import emulator, trace

    exports = [f"page_{name}" for name in ("image", "received", "reset", "receive", "run", "sent", "value")]
    core = emulator.CORE
    wasm = toolchain.build_wasm([core / "page.c", *emulator.SOURCES], exports, "page")
    data = {"wasm": base64.b64encode(wasm.read_bytes()).decode(), "programs": list(programs), "stops": emulator.STOPS,
            "faults": emulator.FAULTS, "registers": trace.REGISTERS, "classes": CLASSES}
    buttons = {"step": "step", "steps": "100 steps", "run": "run", "reset": "reset"}
    columns = "display:grid;grid-template-columns:repeat(auto-fill,minmax(8.5em,1fr));font-family:monospace;gap:2px 8px"
    text = json.dumps(data, separators=(",", ":")).replace("</", "<\\/")
    script = core.with_name("page.js").read_text()
    return HTML(
        f"<div id='chip-page' role='group' aria-label='The emulated chip: a program, its registers and buttons to run "
        f"it' style='color:{INK};line-height:1.4'>"
        "<div style='display:flex;flex-wrap:wrap;gap:6px'><select data-part='program' aria-label='program'></select>"
        + "".join(f"<button data-part='{part}'>{label}</button>" for part, label in buttons.items())
        + "<span data-part='clips'></span></div><div data-part='note' aria-live='polite' style='margin:6px 0;"
        "min-height:1.4em'>This part needs a browser that runs scripts.</div>"
        f"<div data-part='code' style='font-family:monospace;white-space:pre;overflow-x:auto;min-height:17em;"
        f"background:{PAPER};border:1px solid {GRID};padding:6px'></div>"
        f"<div data-part='registers' style='{columns};margin:6px 0'></div><div data-part='state'></div>"
        f"<div data-part='answer' style='{columns};margin:6px 0'></div></div>"
        f"<script>{script}chipPage(document.getElementById('chip-page'), {text});</script>"
    )


# ---------------------------------------------------------------- chapter "Integer kernels"

RACE_PLACES = {"flash, 24 MHz": ("cycles_per_mac", 24), "flash, 48 MHz": ("cycles_per_mac_48_mhz", 48),
               "SRAM, 24 MHz": ("cycles_per_mac_sram", 24), "SRAM, 48 MHz": ("cycles_per_mac_sram_48_mhz", 48)}
"""Where the code of a race lies and how fast the clock is -> key of `bench.multiplier_race`, and MHz."""
RACE_MS = (0.1, 0.2, 0.3, 0.4, 0.6, 0.8, 1, 1.2, 1.5, 2, 5, 11)


def race_page(cycles: Mapping[str, float | None], mhz: int, ms: float, title: str) -> str:
    """How far each way has come in a race through one layer, as HTML bars: a page of an `explorer`.

    Parameters
    ----------
    cycles : way -> clock cycles that it needs for the layer, None where it does not take part
    mhz : of the clock
    ms : since the start
    title : of the page
    """
    rows, spoken = [], []
    for name, needed in cycles.items():
        if needed is None:
            share, text = 0.0, "does not fit"
        else:
            share = min(ms * 1000 * mhz / needed, 1.0)
            text = f"{needed / (1000 * mhz):.2f} ms" if share == 1 else f"{100 * share:.0f} %"
        color = PALETTE["green" if share == 1 else "amber"]
        fill = f"background:linear-gradient(90deg,{color} {100 * share:.1f}%,{GRID} 0)"
        shown = f"<b>{text}</b>" if share == 1 else text
        rows.append(f"<tr><td>{escape(name)}</td><td width=40% style='{fill}'></td><td nowrap>{shown}</td></tr>")
        spoken.append(f"{name} {text}")
    look = f"display:table;width:100%;border:0;border-spacing:9px 2px;border-collapse:separate;color:{INK}"
    label = f"{title}: {'; '.join(spoken)}."
    return (
        f"<div role=img aria-label='{escape(label)}' style='color:{INK};line-height:1.35'>"
        f"<b>{escape(title)}</b><table style='{look}'>{''.join(rows)}</table></div>"
    )


def cycle_race(rows: Mapping[str, Mapping[str, float | None]], macs: int) -> ipywidgets.VBox:
    """Sliders for time and place over a race of `bench.multiplier_race`'s ways through a layer.

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


# ---------------------------------------------------------------- chapter "Flashing the board"


def bank_drawing(pages: Sequence[int], text: str, columns: int = 32) -> str:
    """A memory as tiles, one a page, as an SVG.

    Parameters
    ----------
    pages : what is in each page, as an index into `plots.BANK_COLORS`
    text : what one would see, for readers who cannot
    """
    size, rows = 14, -(-len(pages) // columns)
    paths: dict[int, list[str]] = {}
    for row in range(rows):  # neighbours of one kind are one rectangle: the page stays small
        start = row * columns
        while start < min((row + 1) * columns, len(pages)):
            end = start
            while end < min((row + 1) * columns, len(pages)) and pages[end] == pages[start]:
                end += 1
            run = f"M{start % columns * size} {row * size}h{(end - start) * size}v{size}H{start % columns * size}z"
            paths.setdefault(pages[start], []).append(run)
            start = end
    fills = "".join(f"<path d='{''.join(runs)}' fill='{BANK_COLORS[kind]}'/>" for kind, runs in paths.items())
    lines = "".join(f"M{size * i} 0v{rows * size}" for i in range(columns + 1))
    lines += "".join(f"M0 {size * i}h{columns * size}" for i in range(rows + 1))
    return (
        f"<svg role=img aria-label='{escape(text)}' viewBox='-1 -1 {columns * size + 2} {rows * size + 2}' "
        f"width='100%'>{fills}<path d='{lines}' stroke='{GRID}'/>"
        f"<rect width='{columns * size}' height='{rows * size}' fill='none' stroke='{INK}'/></svg>"
    )


def flashing_page(title: str, pages: Sequence[int], lines: Sequence[tuple[str, str]]) -> str:
    """One moment of a flashing session: the memory, and below it what was said: a page of an `explorer`.

    Parameters
    ----------
    pages : as of `bank_drawing`
    lines : name and text of each line
    """
    kinds = ("erased", "old program", "programmed", "compared", "half done")
    seen = [f"{list(pages).count(kind)} pages {name}" for kind, name in enumerate(kinds) if kind in pages]
    key = " ".join(
        f"<span style='white-space:nowrap'><span style='background:{BANK_COLORS[kind]};border:1px solid {INK};"
        f"display:inline-block;width:.8em;height:.8em'></span> {name}</span>" for kind, name in enumerate(kinds)
    )
    rows = "".join(f"<div><b>{escape(name)}</b> {escape(text)}</div>" for name, text in lines)
    return (
        f"<div style='color:{INK};line-height:1.4'><b>{escape(title)}</b>"
        f"{bank_drawing(pages, f'{title}: ' + ', '.join(seen) + '.')}"
        f"<div style='font-size:.85em'>{key}</div><div style='overflow-wrap:anywhere'>{rows}</div></div>"
    )


FLASHING_STEPS = {
    rom.IDENTIFY: "identify: the password, and what chip is it?",
    rom.READ_CONFIG: "configuration: option bytes, version, unique id",
    rom.KEY: "key: here is a seed",
    rom.ERASE: "erase everything",
    rom.PROGRAM: "program a page",
    rom.VERIFY: "compare a page",
    rom.END: "end: reset into the new program",
}


def flashing_memory(request: bytes, old: bytes, new: bytes, cut: bool) -> tuple[bytes, list[int]]:
    """The flash after a request of a session that replaces old by new: its bytes, and its pages as of `bank_drawing`.

    cut : power fails half way through the request, instead.
    """
    command, at, compared = request[2], int.from_bytes(request[5:9], "little"), 0
    if command in (rom.IDENTIFY, rom.READ_CONFIG, rom.KEY):
        memory, new = old, b""
    elif command == rom.ERASE:
        half = FLASH_BYTES // 2
        memory = b"\xff" * half + old[half:] if cut else b""
    elif command == rom.PROGRAM:
        page = new[at : at + rom.PAGE_BYTES]
        memory = new[:at] + page[: len(page) // 2 if cut else None]
    else:
        memory = new
        compared = at + rom.PAGE_BYTES * (not cut) if command == rom.VERIFY else FLASH_BYTES
    memory, old, new = (image.ljust(FLASH_BYTES, b"\xff") for image in (memory, old, new))
    kinds = []
    for start in range(0, FLASH_BYTES, rom.PAGE_BYTES):
        page, before, after = (image[start : start + rom.PAGE_BYTES] for image in (memory, old, new))
        if page == b"\xff" * rom.PAGE_BYTES:
            kinds.append(0)
        elif page == after:
            kinds.append(3 if start < compared else 2)
        else:
            kinds.append(1 if page == before else 4)
    return memory, kinds


def flashing_explorer(
    requests: Sequence[tuple[float, bytes]], old: bytes, new: bytes, wakes: Callable[[bytes], str]
) -> ipywidgets.VBox:
    """A flashing session request by request, and what a power cut at each of them would leave.

    Parameters
    ----------
    requests : seconds and bytes of each
    old, new : the images before and after
    wakes : says what runs on a chip with these 16,384 bytes of flash when it is switched on
    """

    def page(i: int, cut: int) -> str:
        seconds, request = requests[i]
        memory, kinds = flashing_memory(request, old, new, bool(cut))
        shown = request.hex(" ") if len(request) <= 24 else f"{request[:16].hex(' ')} ... {request[-1:].hex()}"
        lines = [("sent:", shown), ("power:", "on")]
        if cut:
            lines[1] = ("power:", f"fails half way. When it is back, {wakes(memory)} wakes up.")
        return flashing_page(f"{seconds:.2f} s: {FLASHING_STEPS[request[2]]}", kinds, lines)

    labels = [f"{i + 1} of {len(requests)}" for i in range(len(requests))]
    return explorer({"step": labels, "power": ["on", "fails here"]}, page)


# ---------------------------------------------------------------- chapter "Streaming in 2 KB"


def _runs(marked: np.ndarray, row: int) -> str:
    """SVG path of the marked bytes, bool [bytes], eight units a byte, as few rectangles as rows allow."""
    parts = []
    for y, line in enumerate(marked.reshape(-1, row)):
        steps = np.flatnonzero(np.diff(np.concatenate([[0], line.astype(np.int8), [0]])))
        parts += [f"M{8 * a} {8 * y}h{8 * (b - a)}v8h{8 * (a - b)}z" for a, b in steps.reshape(-1, 2)]
    return "".join(parts)


def byte_page(touched: np.ndarray, regions: Sequence[tuple[int, int, str]], title: str, row: int = 64) -> str:
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
        text = f"{name}, {end - start:,} bytes from +{start - base:,}"
        fill = "#ffffff" if name == "never used" else colors[name]
        paths = ((part, 0.18), (read, 0.45), (written, 1))
        drawn = "".join(f"<path d='{_runs(which, row)}' fill-opacity='{share}'/>"
                        for which, share in paths if which.any())
        shapes.append(f"<g fill='{fill}'><title>{escape(text)}</title>{drawn}</g>")
        if written.any() or read.any():
            spoken.append(f"{name} {written.sum()} + {read.sum()}")
    told = f"{title}. Bytes written + only read: {'; '.join(spoken) or 'none'}."
    height = 8 * len(touched) // row
    return (
        f"<svg role='img' aria-label='{escape(told)}' viewBox='0 0 {8 * row} {height}' "
        f"style='width:100%;background:{PAPER}'>{''.join(shapes)}</svg>"
        f"<div style='color:{INK};line-height:1.35;min-height:4.2em;font-size:0.9em'>{escape(told)}</div>"
    )


def ram_film(
    recording: Recording, regions: Sequence[tuple[int, int, str]], every: int, clock_hz: int
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
