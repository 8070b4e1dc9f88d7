"""The firmware's C as WebAssembly, for widgets that classify or teach in the page without a chip. Chapters 10, 12."""

from __future__ import annotations

from pathlib import Path

from tinyspeech import toolchain
from tinyspeech.chip.native import SOURCES
from tinyspeech.integer import words
from tinyspeech.pages.widgets.markup import HERE
from tinyspeech.paths import FIRMWARE

EXPORTS = tuple(f"engine_{name}" for name in (
    "clip", "classify", "logit", "heard", "name", "begin", "ask", "take", "takes", "word"))
VERDICTS = (None, words.OK, "empty", "cut", "long", "clipped", "unlike")
"""What the numbers of teach.h's `enum verdict` mean; the first is said while a take goes on."""


def engine_wasm(firmware: Path = FIRMWARE) -> Path:
    """Front end, network and teaching, with a face for a page: `engine.js` wraps it."""
    sources = [HERE / "engine.c", *(firmware / name for name in SOURCES)]
    return toolchain.build_wasm(sources, EXPORTS, "engine", headers=firmware)
