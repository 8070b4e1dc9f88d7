"""How fast the interpreter is: the shipped firmware hears a second of noise, natively and as WebAssembly (chapter 13).

    python -m tinyspeech measure speed

Millions of instructions a second of processor time, the best of several runs: of the computer at hand, so no test
asserts it. WebAssembly runs in node, where that is installed.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from tinyspeech import toolchain
from tinyspeech.board.protocol import Command
from tinyspeech.chip.emulator import SOURCES, Chip
from tinyspeech.integer.trials import worst_case_clip

RUNS = 12
CYCLES = 11_500_000
"""Of a run: nearly all of a clip. Behind it the chip would wait for the next command, and instructions that wait prove
little."""
WASM_EXPORTS = ("chip_size", "chip_reset", "chip_run", "__heap_base")
NODE = Path(__file__).with_suffix(".js").read_text("utf-8")
"""The same measurement in JavaScript."""


def _input() -> bytes:
    """A command and a clip, as the serial port brings them."""
    return Command.CLASSIFY + worst_case_clip().astype("<i2").tobytes()


def native_mips(runs: int = RUNS) -> tuple[float, int]:
    """Millions of instructions a second, and how many a run was."""
    image, best, instructions = toolchain.build_firmware().bin.read_bytes(), 0.0, 0
    for _ in range(runs):
        chip = Chip(image)
        chip.send(_input())
        began = time.process_time()
        while chip.run(CYCLES - chip.cycles) == "transmit":
            chip.received()
        instructions = chip.instructions
        best = max(best, instructions / (time.process_time() - began) / 1e6)
    return best, instructions


def wasm_mips(runs: int = RUNS) -> tuple[float, int] | None:
    """The same of the interpreter as WebAssembly in node, or None where there is no node."""
    node = shutil.which("node")
    if node is None:
        return None
    wasm = toolchain.build_wasm(SOURCES, WASM_EXPORTS, "chip")
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "clip"
        clip.write_bytes(_input())
        command = [node, "-e", NODE, wasm, toolchain.build_firmware().bin, clip, str(runs), str(CYCLES)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    best, instructions = done.stdout.split()
    return float(best), int(instructions)
