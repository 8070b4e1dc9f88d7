"""The emulated chip itself in the page: the interpreter as WebAssembly, with buttons to step and to run. Chapter 13."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence

import numpy as np
from IPython.display import HTML
from markupsafe import Markup

from tinyspeech import CLASSES, toolchain
from tinyspeech.chip import emulator, trace
from tinyspeech.pages.widgets.markup import render, script


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
    exports = [f"page_{name}" for name in ("image", "received", "reset", "receive", "run", "sent", "value")]
    wasm = toolchain.build_wasm([emulator.CORE / "page.c", *emulator.SOURCES], exports, "page")
    data = {"wasm": base64.b64encode(wasm.read_bytes()).decode(), "programs": list(programs), "stops": emulator.STOPS,
            "faults": emulator.FAULTS, "registers": trace.REGISTERS, "classes": CLASSES}
    text = json.dumps(data, separators=(",", ":")).replace("</", "<\\/")
    return HTML(render("chip_page.html", script=script("page.js"), json=Markup(text)))
