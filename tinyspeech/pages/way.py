"""The strip at the head of every chapter: the whole way from sound to word, its stations lit, what comes in, what goes
out, in bytes.

    python -m tinyspeech book pictures      draws book/images/way-NN.svg anew, and writes the line that shows it

Between sound, coefficients, scores and word stand three stages, and each is there up to three times: in float, where it
learns; in integers, where it is defined; in C, where it runs. A plain picture: a notebook shows it wherever it is
opened. Every size is asked of the definition, of the network that ships or of the firmware; none is written here.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from pathlib import Path

import numpy as np

from tinyspeech import CLASSES, toolchain
from tinyspeech.chip.emulator import FLASH_BYTES, SRAM_BYTES
from tinyspeech.errors import UserError
from tinyspeech.integer import frontend, sparse, words
from tinyspeech.integer.network import IntegerModel, Layer
from tinyspeech.integer.packing import layer_words, pack_dense, packed
from tinyspeech.integer.plan import memory_plan
from tinyspeech.pages.notebooks import dumps, load
from tinyspeech.pages.plots.theme import GRID, INK, PALETTE, PAPER, SANS
from tinyspeech.pages.site import chapter_files
from tinyspeech.paths import ROOT, SHIPPED, model_file
from tinyspeech.sound import audio

LINE = re.compile(r"^!\[[^\]\n]*\]\(images/way-\d\d\.svg\)$", re.MULTILINE)
"""Of a notebook's first cell: the picture, and in words what one would see."""

FLOAT, INTEGERS, C = "float", "integers", "C"
STAGES = {"front end": (FLOAT, INTEGERS, C), "network": (FLOAT, INTEGERS, C), "decision": (INTEGERS, C)}
"""In the order of the way; a decision is never trained."""
FILLS = {FLOAT: ("#e6f1f8", PALETTE["blue"]), INTEGERS: ("#fdf1dc", "#b26a00"), C: ("#e3f4ee", "#007a59")}
"""Those of the plan of the house and of the figure of the way."""
SOUND, WORD = "sound", "word"
EVERYWHERE = tuple((stage, form) for stage, forms in STAGES.items() for form in forms)

SAMPLE_BYTES, FLOAT_BYTES, SCORE_BYTES = 2, 4, 4
WIDTH, HEIGHT = 440, 152
"""So few units that letters can be read where the picture is as wide as a phone."""
SHOWN = 560
"""Pixels, where there is room: letters are then as large as those of the text."""
BOX, ROW = 74, 22
LEFT = {"front end": 70, "network": 188, "decision": 306}
"""Of the boxes of a stage."""
MIDDLE = {SOUND: 34, "coefficients": 166, "scores": 284, WORD: 410}
"""Of what flows between them."""


@dataclass(frozen=True)
class Chapter:
    """Where on the way a chapter is. lit : (stage, form), or the sound or the word itself."""

    lit: tuple[tuple[str, str] | str, ...]
    comes_in: Callable[[], str]
    goes_out: Callable[[], str]


def _bytes(count: int) -> str:
    return f"{count:,} bytes"


def _model() -> IntegerModel:
    return IntegerModel.load(model_file(SHIPPED, ".npz"))


def _second(rate_hz: int = frontend.SAMPLE_RATE_HZ) -> str:
    return f"{rate_hz:,} samples, {_bytes(rate_hz * SAMPLE_BYTES)}"


def _coefficients() -> str:
    shape = f"{frontend.N_FRAMES} × {frontend.N_COEFFICIENTS} coefficients"
    return f"{shape}, {_bytes(frontend.N_FRAMES * frontend.N_COEFFICIENTS)}"


def _scores() -> str:
    return f"{len(CLASSES)} scores, {_bytes(len(CLASSES) * SCORE_BYTES)}"


def _weights(how: str, each: int = FLOAT_BYTES) -> str:
    count = _model().parameters
    return f"{count:,} weights{how}, {_bytes(count * each)}"


def _few_bits(layers: Callable[[Layer], np.ndarray] = packed) -> int:
    return sum(layers(layer).nbytes for layer in _model().layers if layer.weight is not None)


def _half_left(layer: Layer) -> np.ndarray:
    """A dense layer without the smaller half of its weights, zeros not stored; what is no dense layer stays."""
    if layer.kind == "depthwise":
        return packed(layer)
    return sparse.pack_bitmap(sparse.prune_integers(layer.weight, 0.5))


def _in_flash() -> str:
    held = sum(part.nbytes for layer in _model().layers for part in layer_words(layer))
    return f"weights, biases and scales, {_bytes(held)}"


def _one_layer() -> tuple[str, str]:
    """The widest layer of a block, and what it makes of a frame."""
    layer = max((x for x in _model().layers if x.kind == "dense" and x.kernel == 1), key=lambda x: x.weight.size)
    outputs, inputs = layer.weight.shape
    return (f"a frame of {_bytes(inputs)}, weights of {_bytes(pack_dense(layer.weight).nbytes)}",
            f"a frame of {_bytes(outputs)}")


def _firmware() -> str:
    size = toolchain.sizes(toolchain.build_firmware().elf)["flash_bytes"]
    return f"a firmware of {_bytes(size)}"


CHAPTERS = {
    0: Chapter((SOUND, *EVERYWHERE, WORD), _second, lambda: f"a word, one of {len(CLASSES)} answers"),
    1: Chapter((SOUND,), lambda: _second(audio.SAMPLE_RATE_HZ), _second),
    2: Chapter((("front end", FLOAT),), _second, _coefficients),
    3: Chapter((("network", FLOAT),), _coefficients, _scores),
    4: Chapter((("network", FLOAT),), lambda: _weights(" at random"), lambda: _weights(" that know words")),
    5: Chapter((("network", FLOAT), ("network", INTEGERS)), lambda: _weights(" in float"),
               lambda: f"the same in 4 bits each, {_bytes(_few_bits())}"),
    6: Chapter((("network", FLOAT), ("network", INTEGERS), ("network", C)),
               lambda: f"4-bit weights, {_bytes(_few_bits())}",
               lambda: f"half of the dense ones zero and not stored, {_bytes(_few_bits(_half_left))}"),
    7: Chapter((("network", INTEGERS),), lambda: f"4-bit weights, {_bytes(_few_bits())}", _in_flash),
    8: Chapter((("front end", INTEGERS),),
               lambda: f"a window of {frontend.WINDOW} samples, {_bytes(frontend.WINDOW * SAMPLE_BYTES)}",
               lambda: f"a frame of {_bytes(frontend.N_COEFFICIENTS)}"),
    9: Chapter((("network", C),), lambda: _one_layer()[0], lambda: _one_layer()[1]),
    10: Chapter((("front end", C), ("network", C), ("decision", INTEGERS), ("decision", C)),
                lambda: f"a frame of {_bytes(frontend.N_COEFFICIENTS)} every "
                        f"{1000 * frontend.HOP // frontend.SAMPLE_RATE_HZ} ms",
                lambda: f"words; kept from frame to frame: {_bytes(memory_plan(_model())['state_bytes'])}"),
    11: Chapter((("decision", INTEGERS), WORD),
                lambda: f"an hour of sound, {_bytes(3600 * frontend.SAMPLE_RATE_HZ * SAMPLE_BYTES)}",
                lambda: "a list of reports, true and false"),
    12: Chapter((("decision", INTEGERS), ("decision", C), WORD), lambda: f"{words.TAKES} takes of a word of yours",
                lambda: f"its template, {_bytes(words.PAGE_BYTES)}"),
    13: Chapter((*((stage, C) for stage in STAGES),),
                lambda: f"a chip: {_bytes(FLASH_BYTES)} of flash, {SRAM_BYTES:,} of memory", _firmware),
    14: Chapter((SOUND, *((stage, C) for stage in STAGES), WORD), _firmware, lambda: "a board that hears a word"),
}
"""By the number that a chapter's file begins with."""


def number_of(path: Path) -> int:
    """Of a chapter, by its file's name."""
    return int(path.name[:2])


def picture_of(number: int) -> Path:
    return ROOT / "book" / "images" / f"way-{number:02d}.svg"


def alt(number: int) -> str:
    """What one would see, for who does not."""
    chapter = CHAPTERS[number]
    if set(chapter.lit) >= {SOUND, *EVERYWHERE, WORD}:
        lit = "all of it"
    else:
        of = [one if isinstance(one, str) else f"{one[0]} in {one[1]}" for one in chapter.lit]
        lit = of[0] if len(of) == 1 else f"{', '.join(of[:-1])} and {of[-1]}"
    return f"The way from sound to word; lit: {lit}. In: {chapter.comes_in()}. Out: {chapter.goes_out()}."


def line(number: int) -> str:
    """The line of Markdown that shows a chapter's strip."""
    return f"![{alt(number)}](images/{picture_of(number).name})"


def _text(x: float, y: float, text: str, size: int = 13, extra: str = "text-anchor='middle'") -> str:
    return f"<text x='{x:g}' y='{y:g}' font-size='{size}' {extra}>{escape(text)}</text>"


def _flow(name: str, size: str, lit: bool) -> list[str]:
    """What flows, and how much of it: sound and word by name, what lies between two stages as an arrow."""
    x, wide = MIDDLE[name], 62 if name == SOUND else 52
    if name not in (SOUND, WORD):
        return [_text(x, 52, size, 12),
                f"<path d='M{x - 17} 60h34m-5 -4 5 4 -5 4' fill='none' stroke='{INK}'/>"]
    edge = [f"<rect x='{x - wide / 2:g}' y='35' width='{wide}' height='44' rx='6' fill='#fff' "
            f"stroke='{PALETTE['vermilion']}' stroke-width='2'/>"] if lit else []
    bold = " font-weight='700'" if lit else ""
    return [*edge, _text(x, 53, name, extra=f"text-anchor='middle'{bold}"), _text(x, 70, size, 12)]


def picture(number: int) -> str:
    """A chapter's strip, as SVG."""
    chapter = CHAPTERS[number]
    bytes_of = {SOUND: f"{frontend.CLIP_SAMPLES * SAMPLE_BYTES:,} B",
                "coefficients": f"{frontend.N_FRAMES * frontend.N_COEFFICIENTS} B",
                "scores": f"{len(CLASSES) * SCORE_BYTES} B", WORD: f"1 of {len(CLASSES)}"}
    parts = [f"<svg xmlns='http://www.w3.org/2000/svg' width='{SHOWN}' height='{SHOWN * HEIGHT // WIDTH}' "
             f"viewBox='0 0 {WIDTH} {HEIGHT}' role='img' aria-label='{escape(alt(number))}' font-family=\"{SANS}\" "
             f"fill='{INK}'>", f"<rect width='{WIDTH}' height='{HEIGHT}' rx='6' fill='{PAPER}'/>"]
    for name, below in bytes_of.items():
        parts += _flow(name, below, name in chapter.lit)
    for stage, forms in STAGES.items():
        parts.append(_text(LEFT[stage] + BOX / 2, 18, stage))
        for form in forms:
            y, lit = 25 + ROW * (FLOAT, INTEGERS, C).index(form), (stage, form) in chapter.lit
            fill, edge = FILLS[form] if lit else ("none", GRID)
            look = "font-weight='700'" if lit else f"fill='{PALETTE['grey']}'"
            parts.append(f"<rect x='{LEFT[stage]}' y='{y}' width='{BOX}' height='{ROW - 3}' rx='4' fill='{fill}' "
                         f"stroke='{edge}' stroke-width='{2 if lit else 1}'/>")
            parts.append(_text(LEFT[stage] + BOX / 2, y + 14, form, 12, f"text-anchor='middle' {look}"))
    parts.append(f"<path d='M8 101H{WIDTH - 8}' stroke='{GRID}'/>")
    for y, name, text in ((120, "in", chapter.comes_in()), (140, "out", chapter.goes_out())):
        parts += [_text(8, y, name, extra="font-weight='700'"), _text(40, y, text, extra="")]
    return "\n".join([*parts, "</svg>"]) + "\n"


def drawn() -> dict[Path, str]:
    """All that this module writes: pictures, and notebooks with the line that shows theirs. `UserError` where a
    notebook has no place for it."""
    files = {picture_of(number): picture(number) for number in CHAPTERS}
    for path in chapter_files():
        nb = load(path)
        cell = nb.cells[0]
        cell.source, found = LINE.subn(lambda _, path=path: line(number_of(path)), cell.source)
        if found != 1:
            raise UserError(f"{path.name}: its first cell has no line ![...](images/way-{number_of(path):02d}.svg)")
        files[path] = dumps(nb)
    return files
