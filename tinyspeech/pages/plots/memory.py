"""The chip's memory to scale: by region, by byte, over time, and shared. Chapters 7, 10 and 13."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import fill

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap, to_rgb
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from tinyspeech.pages.plots.theme import (
    GRID,
    INK,
    PALE,
    PALETTE,
    PAPER,
    THOUSANDS,
    WIDTH,
    hide_spines,
    legend_above,
    tall,
)

HATCHES = ("", "//", "..", "\\\\", "xx", "--", "oo")
"""Regions that are more than the palette has colours for are hatched, in this order."""


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
    hide_spines(ax, "left")
    legend_above(ax, 3, gap=0.02, handles=handles)


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


LETTERS, LINES = 16, 8
"""Of a name in a treemap's field, in a unit of the drawing."""


def treemap(groups: Mapping[str, Mapping[str, int]], room: int, unit: str = "B") -> None:
    """Sizes as areas in a new figure: a field for each group, divided among its parts; large parts carry their names.

    Parameters
    ----------
    groups : group -> part -> size; at most as many as `PALETTE` has colours
    room : size of the whole; what is left of it is a hatched field, "free"
    """
    ax = tall(4.4)
    groups = {**groups, "free": {"": room - sum(sum(parts_.values()) for parts_ in groups.values())}}
    order = sorted(groups, key=lambda name: -sum(groups[name].values()))
    total = {name: sum(groups[name].values()) for name in order}
    handles = []
    colors = dict(zip((name for name in order if name != "free"), PALETTE.values(), strict=False))
    for name, field in zip(order, squarified(list(total.values()), 0, 0, WIDTH, 3.6), strict=True):
        look = {"facecolor": PAPER, "hatch": "//"} if name == "free" else {"facecolor": colors[name], "alpha": 0.75}
        parts_ = dict(sorted(groups[name].items(), key=lambda item: -item[1]))
        for part, (x, y, w, h) in zip(parts_, squarified(list(parts_.values()), *field), strict=True):
            ax.add_patch(plt.Rectangle((x, y), w, h, edgecolor=PAPER if name != "free" else PALETTE["grey"], **look))
            text = fill(part.replace("_", " "), max(int(w * LETTERS), 1), break_long_words=False)
            lines = text.split("\n")
            if w * LETTERS >= max(map(len, lines)) and h * LINES >= len(lines) and len(parts_) > 1:
                ax.text(x + w / 2, y + h / 2, text, ha="center", va="center", fontsize=6)
        handles.append(Patch(label=f"{name}  {total[name]:,} {unit}", **look))
    ax.set(xlim=(0, WIDTH), ylim=(3.6, 0))
    ax.axis("off")
    legend_above(ax, 3, 8, handles=handles)


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
    legend_above(ax, len(looks), handles=handles)


Regions = Sequence[tuple[int, int, str]]
"""(start, end, name) of stretches of RAM, as `tinyspeech.chip.recorder.regions` gives them."""
REGION_COLORS = [color for name, color in PALETTE.items() if name != "grey"] + ["#8c6d31", "#332288", "#999933"]


def region_colors(regions: Regions) -> dict[str, str]:
    """A colour for each name: paper for what is never used, grey for padding and the stack, the palette for all others,
    in turn."""
    fixed = {"never used": PAPER, "padding": PALE, "stack": PALETTE["grey"]}
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
    rows = (("the whole second", clip, -0.2, PALE), ("held in a stream", stream, 0.2, PALETTE["green"]))
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
    legend_above(ax, 3, 8, handles=handles)
