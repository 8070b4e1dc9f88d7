"""Pictures of the board and of what is wired to it, drawn as SVG: where each pin is, and which wire goes where.

    python -m tinyspeech book pictures      draws book/images/{board,wiring-microphone,wiring-esp32}.svg anew, too

The order of the pins is that of the maker's published footprint (github.com/vsdip/vsdsquadron_pio, pcb_libraries); the
parts on the board are not to scale. Chapter 14 and the page "Hardware and wiring".
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from tinyspeech.pages.plots.theme import INK, PALETTE, PAPER, SANS
from tinyspeech.paths import IMAGES

MM = 9.0
"""Units of the drawing for a millimetre of the board."""
PITCH_MM = 2.54
BOARD_MM = (-13.83, -12.16, 50.0, 28.0)
"""Left, top, width and height; the origin is the middle of the four rows of pins."""
ROWS = {
    "left": ((-11.94, -5.78), (0, 1), ("PD6", "PD7", "PA1", "PA2", "3.3V", "GND", "PD0")),
    "bottom": ((-7.47, 13.94), (1, 0), ("PC0", "PC1", "PC2", "PC3", "PC4", "PC5", "PC6")),
    "right": ((12.26, 9.45), (0, -1), ("GND", "3.3V", "RST", "TX", "RX", "SWDIO", "SWCLK")),
    "top": ((7.78, -10.26), (-1, 0), ("5V", "PC7", "PD1", "PD2", "PD3", "PD4", "PD5")),
}
"""Row -> place of its first pin in mm, the direction to the next, and the names of the pins."""
Point = tuple[float, float]


def _text(at: Point, text: str, anchor: str = "middle", size: float = 13, color: str = INK, bold: bool = False) -> str:
    weight = " font-weight='600'" if bold else ""
    return (f"<text x='{at[0]:.0f}' y='{at[1]:.0f}' text-anchor='{anchor}' font-size='{size:g}' fill='{color}'{weight}>"
            f"{escape(text)}</text>")


def _box(at: Point, size: Point, text: str = "", fill: str = "#ffffff", color: str = INK) -> str:
    """A part: its upper left corner, its size, and its name in the middle."""
    middle = (at[0] + size[0] / 2, at[1] + size[1] / 2 + 4)
    return (f"<rect x='{at[0]:.0f}' y='{at[1]:.0f}' width='{size[0]:.0f}' height='{size[1]:.0f}' rx='4' fill='{fill}' "
            f"stroke='{color}' stroke-width='1.5'/>{_text(middle, text, size=12) if text else ''}")


def _wire(points: Sequence[Point], color: str, dots: slice = slice(None)) -> str:
    """A wire from point to point, with a dot at each end, or at the chosen of the two."""
    path = " ".join(f"{x:.0f},{y:.0f}" for x, y in points)
    ends = "".join(f"<circle cx='{x:.0f}' cy='{y:.0f}' r='4' fill='{color}'/>"
                   for x, y in (points[0], points[-1])[dots])
    return (f"<polyline points='{path}' fill='none' stroke='{color}' stroke-width='3' stroke-linejoin='round'/>{ends}")


def _capacitor(middle: Point, upright: bool) -> str:
    """Two plates across a wire; upright: those of a wire from left to right."""
    x, y = middle
    plates = ((x - 4, y - 12, "v24"), (x + 4, y - 12, "v24")) if upright else ((x - 12, y - 4, "h24"),
                                                                               (x - 12, y + 4, "h24"))
    return "".join(f"<path d='M{a:.0f} {b:.0f}{line}' stroke='{INK}' stroke-width='3'/>" for a, b, line in plates)


class Board:
    """The VSDSquadron Mini, with the middle of its pins at a point of the drawing."""

    def __init__(self, middle: Point):
        self.middle = middle

    def at(self, x_mm: float, y_mm: float) -> Point:
        return self.middle[0] + MM * x_mm, self.middle[1] + MM * y_mm

    def pin(self, row: str, name: str) -> Point:
        """Where a pin is."""
        (x, y), (dx, dy), names = ROWS[row]
        i = names.index(name)
        return self.at(x + PITCH_MM * i * dx, y + PITCH_MM * i * dy)

    def draw(self, used: dict[tuple[str, str], str]) -> str:
        """The board; used : (row, pin) -> colour of a pin that something is wired to."""
        left, top, width, height = BOARD_MM
        parts = [_box(self.at(left, top), (MM * width, MM * height), fill="#e7efe9", color=PALETTE["green"]),
                 _box(self.at(-3.6, -1.8), (7.2 * MM, 7.2 * MM), "CH32V003", "#39424e", INK),
                 _box(self.at(18, -1.5), (8.5 * MM, 6.5 * MM), "WCH-Link", "#ffffff", INK),
                 _box(self.at(30.5, -2.8), (7 * MM, 9 * MM), "USB-C", "#d9d6cf", INK)]
        parts[1] = parts[1].replace(f"fill='{INK}'>CH32V003", "fill='#ffffff'>CH32V003")
        for row, (_, (dx, _), names) in ROWS.items():
            for name in names:
                x, y = self.pin(row, name)
                color = used.get((row, name))
                parts.append(f"<rect x='{x - 7:.0f}' y='{y - 7:.0f}' width='14' height='14' "
                             f"fill='{color or '#ffffff'}' stroke='{INK}'/>")
                if dx:
                    above = 24 if row == "top" else -12
                    label = _text((x, y + above), name, size=9, bold=bool(color))
                else:
                    aside = 11 if row == "left" else -11
                    label = _text((x + aside, y + 4), name, "start" if row == "left" else "end", 10.5, bold=bool(color))
                parts.append(label)
        return "".join(parts)


def _picture(size: Point, title: str, parts: Sequence[str]) -> str:
    return (f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {size[0]:g} {size[1]:g}' role='img' "
            f"font-family=\"{SANS}\">\n<title>{escape(title)}</title>\n"
            f"<rect width='{size[0]:g}' height='{size[1]:g}' fill='{PAPER}'/>\n" + "\n".join(parts) + "\n</svg>\n")


BLUE, GREEN, RED, AMBER, PINK = (PALETTE[name] for name in ("blue", "green", "vermilion", "amber", "pink"))


def board() -> str:
    """The board alone: which pins this book uses, and for what."""
    mini = Board((375, 215))
    roles = {("top", "PD5"): (BLUE, (313, 62), "PD5: TX, to the computer", "end"),
             ("top", "PD4"): (GREEN, (325, 36), "PD4: a button to ground", "end"),
             ("top", "PD2"): (AMBER, (385, 36), "PD2: microphone (channel 3 of the ADC)", "start"),
             ("top", "PD1"): (PINK, (485, 62), "PD1: SWIO, where a WCH-Link writes", "start"),
             ("left", "PD6"): (BLUE, (215, 167), "PD6: RX, and the board's LED", "end"),
             ("left", "PD7"): ("#ffffff", (215, 190), "PD7: reset, if the option says so", "end"),
             ("left", "3.3V"): (RED, (215, 258), "3.3 V", "end"),
             ("left", "GND"): (INK, (215, 281), "ground", "end"),
             ("left", "PD0"): (GREEN, (215, 304), "PD0: our LED", "end")}
    parts = [mini.draw({pin: color for pin, (color, *_) in roles.items()})]
    for (row, name), (_, at, text, anchor) in roles.items():
        x, y = mini.pin(row, name)
        end = (x, y - 8) if row == "top" else (x - 8, y)
        start = (at[0] + 4, at[1] - 4) if anchor == "end" else (at[0] - 4, at[1] - 4) if anchor == "start" else \
            (at[0], at[1] + 4)
        parts.append(f"<path d='M{start[0]:.0f} {start[1]:.0f}L{end[0]:.0f} {end[1]:.0f}' stroke='{INK}'/>")
        parts.append(_text(at, text, anchor))
    parts.append(_text((500, 392), "the programmer's own pins, for other boards: not needed here", "middle", 12))
    parts.append(f"<path d='M500 379L492 {mini.pin('right', 'GND')[1] + 9:.0f}' stroke='{INK}'/>")
    return _picture((840, 410), "The VSDSquadron Mini and the pins that this book uses", parts)


def microphone() -> str:
    """A microphone module on PD2, through a capacitor, a bias and a low-pass filter; an LED on PD0, a button on PD4."""
    mini = Board((440, 240))
    out, power, ground, led = (mini.pin("top", "PD2"), mini.pin("left", "3.3V"), mini.pin("left", "GND"),
                               mini.pin("left", "PD0"))
    button = mini.pin("top", "PD4")
    used = {("top", "PD2"): AMBER, ("left", "3.3V"): RED, ("left", "GND"): INK, ("left", "PD0"): GREEN,
            ("top", "PD4"): GREEN}
    pins = {"OUT": (170, 60), "VDD": (170, 95), "GND": (170, 130)}
    parts = [mini.draw(used), _box((30, 35), (150, 120), "", "#ffffff"),
             f"<circle cx='70' cy='95' r='24' fill='#d9d6cf' stroke='{INK}' stroke-width='1.5'/>",
             _text((30, 25), "microphone module (MAX9814)", "start", 12.5, bold=True)]
    parts += [_text((x - 12, y + 4), name, "end", 12) for name, (x, y) in pins.items()]
    ohms, none, first, last = "#f3e6c8", slice(0), slice(1), slice(1, None)
    bias, shunt = 270, out[0] + 60
    parts += [_wire([pins["OUT"], (221, 60)], AMBER, first), _capacitor((225, 60), True),
              _text((225, 40), "1 µF", size=11), _wire([(229, 60), (335, 60)], AMBER, none),
              _wire([(bias, 20), (bias, 60), (bias, 122)], AMBER, none), _wire([(bias, 60), (bias, 60)], AMBER),
              _box((bias - 10, 22), (20, 24), "", ohms), _box((bias - 10, 76), (20, 24), "", ohms),
              _text((bias + 15, 38), "100 kΩ", "start", 11), _text((bias + 15, 92), "100 kΩ", "start", 11),
              _text((bias, 15), "3.3 V", size=11), _text((bias, 136), "ground", size=11),
              _box((335, 50), (60, 20), "1 kΩ", ohms), _wire([(395, 60), (out[0], 60), out], AMBER, last),
              _wire([(out[0], 60), (shunt, 60), (shunt, 81)], AMBER, first), _capacitor((shunt, 85), False),
              _text((shunt + 18, 89), "39 nF", "start", 11), _wire([(shunt, 89), (shunt, 104)], AMBER, none),
              _text((shunt, 118), "ground", size=11),
              _wire([pins["VDD"], (240, 95), (240, power[1]), power], RED),
              _wire([pins["GND"], (218, 130), (218, ground[1]), ground], INK),
              _box((230, 215), (20, 30), "", ohms), _text((255, 234), "47 Ω", "start", 11),
              _wire([(240, 185), (233, 185)], RED, first), _wire([(218, 185), (225, 185)], INK, first),
              _capacitor((229, 185), True), _text((210, 189), "47 µF", "end", 11),
              _wire([led, (200, led[1])], GREEN), _box((130, led[1] - 10), (70, 20), "330 Ω", "#f3e6c8"),
              _wire([(130, led[1]), (92, led[1])], GREEN),
              f"<path d='M92 {led[1] - 14:.0f}v28l-26 -14z' fill='{RED}'/>"
              f"<path d='M64 {led[1] - 14:.0f}v28' stroke='{INK}' stroke-width='3'/>",
              _text((80, led[1] + 32), "LED", size=12.5, bold=True),
              _wire([button, (button[0], 104), (button[0] - 12, 104)], GREEN, first),
              _wire([(button[0] - 40, 104), (button[0] - 48, 104), (button[0] - 48, 112)], INK, none),
              f"<path d='M{button[0] - 42:.0f} 98h32' stroke='{INK}' stroke-width='2.5'/>"
              f"<path d='M{button[0] - 26:.0f} 98v-9' stroke='{INK}' stroke-width='2.5'/>",
              _text((button[0] - 26, 84), "button", size=11), _text((button[0] - 48, 124), "ground", size=11),
              _wire([(64, led[1]), (40, led[1]), (40, ground[1]), (218, ground[1])], INK)]
    return _picture((780, 410), "A microphone module, an LED and a button wired to the board", parts)


def esp32() -> str:
    """An ESP32 with an I2S microphone, which sends samples over the serial line."""
    mini = Board((570, 240))
    rx, tx, ground = mini.pin("left", "PD6"), mini.pin("top", "PD5"), mini.pin("left", "GND")
    used = {("left", "PD6"): BLUE, ("top", "PD5"): PINK, ("left", "GND"): INK}
    right = {"16 (RX)": (330, 90), "17 (TX)": (330, 125), "GND": (330, 160)}
    left = {"3V3": 90, "26 (SCK)": 125, "25 (WS)": 160, "33 (SD)": 195, "GND": 230}
    module = {"VDD": 90, "SCK": 125, "WS": 160, "SD": 195, "GND, L/R": 230}
    colors = (RED, AMBER, GREEN, BLUE, INK)
    parts = [mini.draw(used), _box((200, 60), (140, 200), "", "#ffffff"), _box((20, 60), (90, 200), "", "#ffffff"),
             _text((270, 50), "ESP32-WROOM", size=12.5, bold=True), _text((65, 50), "INMP441", size=12.5, bold=True)]
    parts += [_text((x - 14, y + 4), name, "end", 11) for name, (x, y) in right.items()]
    parts += [_text((214, y + 4), name, "start", 11) for name, y in left.items()]
    parts += [_text((97, y + 4), name, "end", 11) for name, y in module.items()]
    parts += [_wire([(106, a), (204, b)], color)
              for a, b, color in zip(module.values(), left.values(), colors, strict=True)]
    parts += [_wire([right["16 (RX)"], (tx[0], 90), tx], PINK),
              _wire([right["17 (TX)"], (400, 125), (400, rx[1]), rx], BLUE),
              _wire([right["GND"], (370, 160), (370, ground[1]), ground], INK)]
    return _picture((920, 410), "An ESP32 with a digital microphone wired to the board's serial port", parts)


PICTURES = {
    IMAGES / "board.svg": board,
    IMAGES / "wiring-microphone.svg": microphone,
    IMAGES / "wiring-esp32.svg": esp32,
}
"""File -> what draws it."""
