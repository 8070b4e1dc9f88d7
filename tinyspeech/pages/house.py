"""The plan of the library: its rooms floor by floor, and their picture in README.md.

    python -m tinyspeech book pictures      draws book/images/house.svg anew, among others

A room is a folder or file of `tinyspeech/`; whatever stands on a floor may use what stands below it, never what stands
above or beside it. Left the chip's wing, right the networks', which never meet below `measure`. The definition lies at
the bottom of both. tests/test_house.py holds the code's own imports against `FLOORS`.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

from tinyspeech.pages.plots.theme import INK, PALETTE, PAPER, SANS
from tinyspeech.paths import IMAGES

PICTURE = IMAGES / "house.svg"
WIDTH, ROW, GAP = 866, 58, 12
"""Of the picture, of a floor and between floors; in units of the drawing."""
ALT = ("The library as a house of nine floors. From the top: commands and exercises; measure; pages on the left and "
       "training on the right; board and lowbit; chip, sound and networks; integer, the definition; outside and "
       "toolchain; paths; errors. Chip, board and pages are one wing, networks, lowbit and training the other. Each "
       "floor uses only what lies below.")


@dataclass(frozen=True)
class Room:
    """A part of the library: where it lies in `tinyspeech/`, what it holds, and its wing."""

    name: str
    holds: str
    wing: str = ""
    """`chip`, `torch`, or none: rooms of the two wings do not know each other."""


FLOORS = (
    (Room("commands", "one file a command: parse, call, print"), Room("exercises", "the reader's own code, tried")),
    (Room("measure", "engines, accuracy, cycles, hours: every figure of data/results.json; sees both wings"),),
    (Room("pages", "plots, widgets, tools of the book", "chip"),
     Room("training", "float front end, data, the loop", "torch")),
    (Room("board", "bootloader, port, microphone", "chip"),
     Room("lowbit", "few bits, pruning, lowering to integers", "torch")),
    (Room("chip", "emulator, programs on it", "chip"), Room("sound", "clips, splits, noise"),
     Room("networks", "condensers, family, streaming", "torch")),
    (Room("integer", "the definition: front end, network, decision, listening, and their form in C; numpy only"),),
    (Room("outside", "files and words of others: a value, or one clear line"),
     Room("toolchain", "compilers, and what lies in a built program")),
    (Room("paths", "where files lie: the repository's folders, the trained networks, the cache"),),
    (Room("errors", "what a user did wrong, in one clear line"),),
)
"""From the top. `__main__` stands on the roof, the package's own constants are the ground."""
ROOF, GROUND = "__main__", "tinyspeech"
FILLS = {"chip": ("#e3f4ee", PALETTE["green"]), "torch": ("#e6f1f8", PALETTE["blue"]),
         "": ("#fdf1dc", PALETTE["amber"])}


def heights() -> dict[str, int]:
    """{room: floor}, the ground being 0 and the roof highest."""
    floors = {room.name: len(FLOORS) - i for i, rooms in enumerate(FLOORS) for room in rooms}
    return {GROUND: 0, **floors, ROOF: len(FLOORS) + 1}


def picture() -> str:
    """The drawing, as SVG."""
    high = len(FLOORS) * (ROW + GAP) + GAP
    parts = [f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {high}' role='img' aria-label='{ALT}' "
             f"font-family=\"{SANS}\" fill='{INK}'>", f"<rect width='{WIDTH}' height='{high}' fill='{PAPER}'/>"]
    for i, rooms in enumerate(FLOORS):
        wide = (WIDTH - GAP) / len(rooms) - GAP
        for k, room in enumerate(rooms):
            x, y, (fill, line) = GAP + k * (wide + GAP), GAP + i * (ROW + GAP), FILLS[room.wing]
            middle = x + wide / 2
            parts += [f"<rect x='{x:.0f}' y='{y}' width='{wide:.0f}' height='{ROW}' rx='8' fill='{fill}' "
                      f"stroke='{line}' stroke-width='2'/>",
                      f"<text x='{middle:.0f}' y='{y + 24}' font-size='17' font-weight='600' text-anchor='middle'>"
                      f"{room.name}</text>",
                      f"<text x='{middle:.0f}' y='{y + 45}' font-size='14' text-anchor='middle'>{escape(room.holds)}"
                      "</text>"]
    return "\n".join([*parts, "</svg>"]) + "\n"
