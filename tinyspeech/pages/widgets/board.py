"""A flashing session request by request, and what a power cut would leave. Chapter 14."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import ipywidgets
from markupsafe import Markup

from tinyspeech.board import rom
from tinyspeech.chip.emulator import FLASH_BYTES
from tinyspeech.pages.plots.board import BANK_COLORS, PAGE_KINDS
from tinyspeech.pages.widgets.markup import render
from tinyspeech.pages.widgets.sliders import explorer

ERASED, OLD, PROGRAMMED, COMPARED, HALF_DONE = range(len(PAGE_KINDS))
FLASHING_STEPS = {
    rom.IDENTIFY: "identify: the password, and what chip is it?",
    rom.READ_CONFIG: "configuration: option bytes, version, unique id",
    rom.KEY: "key: here is a seed",
    rom.ERASE: "erase everything",
    rom.PROGRAM: "program a page",
    rom.VERIFY: "compare a page",
    rom.END: "end: reset into the new program",
}


def bank_drawing(pages: Sequence[int], text: str, columns: int = 32) -> str:
    """A memory as tiles, one a page, as an SVG.

    Parameters
    ----------
    pages : what is in each page, as an index into `PAGE_KINDS`
    text : what one would see, for readers who cannot
    """
    size, rows = 14, -(-len(pages) // columns)
    tiles: list[list[int]] = []  # kind, left, right, top, bottom: neighbours are one, and the page stays small
    for row in range(rows):
        start = row * columns
        while start < (stop := min((row + 1) * columns, len(pages))):
            end = next((at for at in range(start, stop) if pages[at] != pages[start]), stop)
            run = [pages[start], start - row * columns, end - row * columns]
            above = next((tile for tile in tiles if tile[:3] == run and tile[4] == row), None)
            if above:
                above[4] += 1
            else:
                tiles.append([*run, row, row + 1])
            start = end
    paths: dict[int, list[str]] = {}
    for kind, left, right, top, bottom in tiles:
        run = f"M{left * size} {top * size}h{(right - left) * size}v{(bottom - top) * size}H{left * size}z"
        paths.setdefault(kind, []).append(run)
    fills = [(BANK_COLORS[kind], "".join(runs)) for kind, runs in paths.items()]
    return render("bank.svg", text=text, width=columns * size, height=rows * size, size=size, fills=fills)


def flashing_page(title: str, pages: Sequence[int], lines: Sequence[tuple[str, str]]) -> str:
    """One moment of a flashing session: the memory, and below it what was said: a page of an `explorer`.

    Parameters
    ----------
    pages : as of `bank_drawing`
    lines : name and text of each line
    """
    seen = [f"{list(pages).count(kind)} pages {name}" for kind, name in enumerate(PAGE_KINDS) if kind in pages]
    drawing = Markup(bank_drawing(pages, f"{title}: {', '.join(seen)}."))
    return render("flashing.html", title=title, drawing=drawing, lines=lines,
                  kinds=list(zip(PAGE_KINDS, BANK_COLORS, strict=True)))


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
            kinds.append(ERASED)
        elif page == after:
            kinds.append(COMPARED if start < compared else PROGRAMMED)
        else:
            kinds.append(OLD if page == before else HALF_DONE)
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
