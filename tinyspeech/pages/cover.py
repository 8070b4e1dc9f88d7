"""The picture at the top of README.md, drawn as SVG: one word in, what the chip computes of it, and what it answers.

    python -m tinyspeech book pictures      draws book/images/answer.svg anew, too

Nothing in it is made up: samples, features and scores are those of the clip that README's first run is about, the last
two as the emulated chip sends them, and the lines below are what that run prints. tests/pages/test_intro.py draws it
again.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from html import escape

import numpy as np
from matplotlib.colors import to_hex

from tinyspeech import CLASSES, toolchain
from tinyspeech.board.direct import Board
from tinyspeech.integer import frontend
from tinyspeech.pages.plots.theme import DIVERGING, INK, PALETTE, PAPER, SANS
from tinyspeech.paths import IMAGES, ROOT
from tinyspeech.sound import audio

PICTURE = IMAGES / "answer.svg"
CLIP = "data/bundled/yes/6156aa59_nohash_0.flac"
WIDTH, HEIGHT = 866, 344
TOP, BOTTOM = 44, 204
"""Between these the three panels lie; x grows to the right, y downwards."""
LEVELS = 15
"""Colours of the map of features."""
MONO = "ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace"
ALT = ("One word through the chip. Left, the waveform of a voice that says yes; middle, its map of 49 frames by 12 "
       "coefficients; right, twelve scores as bars, yes by far the longest; below, the command and what it prints.")


def printed(path: str) -> list[str]:
    """The lines that `python -m tinyspeech classify PATH` prints, in the folder of this repository."""
    command = [sys.executable, "-m", "tinyspeech", "classify", path]
    return subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()


def _wave(samples: np.ndarray, left: float, right: float) -> str:
    """One vertical stroke for every unit of width, from the least to the greatest of its samples."""
    columns = np.array_split(samples.astype(int), int(right - left))
    scale = (BOTTOM - TOP) / 2 / np.abs(samples.astype(int)).max()
    middle = (TOP + BOTTOM) / 2
    strokes = (f"M{left + i:g} {middle - c.max() * scale - 0.5:.0f}V{middle - c.min() * scale + 0.5:.0f}"
               for i, c in enumerate(columns))
    return f"<path d='{''.join(strokes)}' stroke='{PALETTE['blue']}' stroke-width='1.2' fill='none'/>"


def _map(features: np.ndarray, left: float, right: float) -> list[str]:
    """A field for each feature, coefficient 0 at the bottom; fields of one colour make one path."""
    frames, count = features.shape
    wide, high = (right - left) / frames, (BOTTOM - TOP) / count
    most = np.abs(features.astype(int)).max()
    level = np.rint((features / most + 1) / 2 * (LEVELS - 1)).astype(int)
    parts = []
    for k in np.unique(level):
        fields = "".join(f"M{left + t * wide:.1f} {BOTTOM - (c + 1) * high:.1f}h{wide + 0.2:.1f}v{high + 0.2:.1f}"
                         f"h-{wide + 0.2:.1f}z" for t, c in np.argwhere(level == k))
        parts.append(f"<path d='{fields}' fill='{to_hex(DIVERGING(k / (LEVELS - 1)))}'/>")
    return parts


def _bars(logits: np.ndarray, left: float, right: float) -> list[str]:
    """A bar for each class, to the right of a line at zero or to its left."""
    row = (BOTTOM - TOP) / len(CLASSES)
    low, high = min(0, int(logits.min())), max(0, int(logits.max()))
    scale = (right - left) / (high - low)
    zero, best = left - low * scale, int(logits.argmax())
    parts = []
    for i, (name, score) in enumerate(zip(CLASSES, logits.tolist(), strict=True)):
        y, color = TOP + i * row, PALETTE["vermilion"] if i == best else "#9aa5b1"
        weight = " font-weight='700'" if i == best else ""
        length = score * scale
        parts.append(f"<rect x='{min(zero, zero + length):.1f}' y='{y + 2:.1f}' width='{abs(length):.1f}' "
                     f"height='{row - 4:.1f}' fill='{color}'/>")
        parts.append(f"<text x='{left - 8:g}' y='{y + row - 3:.1f}' font-size='12' text-anchor='end'{weight}>"
                     f"{escape(name.strip('_'))}</text>")
    parts.append(f"<path d='M{zero:.1f} {TOP}V{BOTTOM}' stroke='{INK}'/>")
    return parts


def _terminal(lines: Sequence[str]) -> list[str]:
    parts = [f"<rect x='20' y='226' width='{WIDTH - 40}' height='100' rx='8' fill='{INK}'/>"]
    for i, line in enumerate(lines):
        color = PALETTE["amber"] if i == 1 else "#ffffff"  # the word
        parts.append(f"<text x='38' y='{252 + 21 * i}' font-family=\"{MONO}\" font-size='14' fill='{color}' "
                     f"xml:space='preserve'>{escape(line)}</text>")
    return parts


def picture() -> str:
    """The drawing, from a run of the firmware on the emulated chip."""
    sound = frontend.to_8khz(audio.load_clip(ROOT / CLIP))
    answer = Board(toolchain.build_firmware().elf).classify(sound, features=True)
    parts = [f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {HEIGHT}' role='img' "
             f"aria-label='{ALT}' font-family=\"{SANS}\" fill='{INK}'>",
             f"<rect width='{WIDTH}' height='{HEIGHT}' fill='{PAPER}'/>"]
    titles = {150: "a word: 8,000 samples", 435: "its features: 49 × 12 bytes", 732: "its twelve scores"}
    parts += [f"<text x='{x}' y='28' font-size='14' font-weight='600' text-anchor='middle'>{text}</text>"
              for x, text in titles.items()]
    parts += [_wave(sound, 20, 280), *_map(answer.features, 310, 560), *_bars(answer.logits, 660, 846)]
    parts += _terminal([f"$ python -m tinyspeech classify {CLIP}", *printed(CLIP)])
    return "\n".join([*parts, "</svg>"]) + "\n"
