"""A function by itself on the emulated chip, with its cycles: pieces of the firmware, or what a reader writes
(chapters 6 and 9).

    triple = Routine("triple", "slli a1, a0, 1\n add a0, a0, a1\n ret")
    triple(14)   # (42, 5)
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tinyspeech import paths, toolchain
from tinyspeech.chip.emulator import Chip, slot
from tinyspeech.errors import UserError
from tinyspeech.toolchain.elf import SRAM_BASE

MOST_CYCLES = 20_000_000
"""What takes longer is taken for a loop without an end."""


@dataclass(frozen=True)
class LayerRun:
    """What one call of a layer's function gave and took."""

    accumulator: np.ndarray
    """int32 [outputs]."""
    cycles: int
    """From call to return."""
    stack_bytes: int
    """Below its caller's: its own, and that of what it calls."""


@dataclass(frozen=True)
class Instruction:
    """One instruction of a listing."""

    text: str
    """As the disassembler writes it; c. in front marks those of two bytes."""
    bytes: int
    cycles: int
    """That it took in the last call, all its executions together."""


class Program:
    """A function by itself on the emulated chip: firmware/formats/layer_main.c with a `layer_run` that calls it.

    files : {name: text}, compiled beside layer_main.c; one of them has `layer_run`
    sources : of the firmware, by name
    name : under which the build is kept
    in_sram : objects whose code layer_main.c copies to SRAM
    runtime : the program may call the compiler's own products
    """

    def __init__(self, files: Mapping[str, str], sources: Iterable[str], name: str, in_sram: Iterable[str] = (),
                 runtime: bool = False):
        given = [paths.FIRMWARE / source for source in ("startup.S", "formats/layer_main.c", *sources)]
        with tempfile.TemporaryDirectory() as folder:
            for file, text in files.items():
                (Path(folder) / file).write_text(text, encoding="utf-8")
            script = None
            if in_sram:
                script = Path(folder) / "sram.ld"
                plain = (paths.FIRMWARE / "ch32v003.ld").read_text("utf-8")
                script.write_text(code_to_sram(plain, in_sram), encoding="utf-8")
            built = toolchain.build_firmware([*given, *(Path(folder) / file for file in files)], name, script,
                                             runtime)
        sizes = toolchain.sizes(built.elf)
        self.sizes = {**sizes["symbols"], **sizes["ram_symbols"]}
        self._at = toolchain.symbol_addresses(built.elf)
        self._chip = Chip(built.bin.read_bytes())
        self._chip.run()  # to the first breakpoint

    def call(self, function: str, x: np.ndarray, outputs: int, mhz: int, index: int = 0) -> LayerRun:
        """Let `layer_run(index, x, out)` run, and count what `function` takes in it. x: int8, at most 128. A function
        that does not return raises `UserError`, one that breaks a rule of the chip `ChipFault`."""
        chip, at, state = self._chip, self._at, self._chip.state
        for symbol, value in (("layer_format", np.int32(index).tobytes()), ("layer_mhz", np.int32(mhz).tobytes()),
                              ("layer_in", np.asarray(x, np.int8).tobytes())):
            start = at[symbol] - SRAM_BASE
            state.sram[start : start + len(value)] = value
        chip.start_profile({at[function]: 1})
        state.pc += 2  # over the breakpoint
        while state.pc != at[function] and chip.run(1) == "budget":  # an instruction
            pass
        at_entry = state.lowest_sp = state.x[2]
        if chip.run(MOST_CYCLES) != "break":
            raise UserError(f"{function} has not returned after {MOST_CYCLES:,} cycles")
        out = np.frombuffer(chip.read_memory(at["layer_out"], 4 * outputs), "<i4").astype(np.int32)
        return LayerRun(out, int(chip.stage_cycles()[1]), at_entry - state.lowest_sp)

    def listing(self, function: str) -> list[Instruction]:
        """The instructions of a function, with their cycles in the last call."""
        start, cycles = self._at[function], self._chip.profile()
        code = self._chip.read_memory(start, self.sizes[function])
        return [Instruction(f"{i.mnemonic} {i.op_str}".strip(), i.size, int(cycles[slot(i.address)]))
                for i in toolchain.decoder().disasm(code, start)]


def code_to_sram(script: str, objects: Iterable[str]) -> str:
    """The linker script, with the code of these objects in .data."""
    files = " ".join(f"*{name}*" for name in objects)
    moved = "".join(f"*{name}*(.text .text.*) " for name in objects)
    script = script.replace("*(.text .text.*)", f"*(EXCLUDE_FILE({files}) .text EXCLUDE_FILE({files}) .text.*)")
    return script.replace("data_start = .;", f"data_start = .; {moved}")


class Routine(Program):
    r"""A function of up to four whole numbers that returns one, written down where it is used.

        triple = Routine("triple", "slli a1, a0, 1\n add a0, a0, a1\n ret")
        triple(14)   # (42, 5): what it returns, and its cycles with its return

    source : assembly, which gets its arguments in a0, a1, a2, a3 and leaves its result in a0; or with language "c"
        the file that defines `int32_t name(int32_t, ...)`
    arguments : how many there are
    """

    def __init__(self, name: str, source: str, arguments: int = 1, language: str = "S"):
        if language == "S":
            source = (f"    .text\n    .globl {name}\n    .type {name}, @function\n    .balign 4\n{name}:\n"
                      f"{source}\n    .size {name}, . - {name}\n")
        harness = (f"#include <stdint.h>\nint32_t {name}({', '.join(['int32_t'] * arguments)});\n"
                   "void layer_run(int format, const int8_t *in, int32_t *out);\n"
                   "static int32_t word(const int8_t *in)\n{\n    uint32_t all = 0;\n"
                   "    for (int i = 3; i >= 0; i--) all = all << 8 | (uint8_t)in[i];\n    return (int32_t)all;\n}\n"
                   "void layer_run(int format, const int8_t *in, int32_t *out)\n{\n    (void)format;\n"
                   f"    out[0] = {name}({', '.join(f'word(in + {4 * i})' for i in range(arguments))});\n}}\n")
        super().__init__({f"routine.{language}": source, "layer.c": harness}, (), "routine",
                         runtime=language == "c")
        self._name, self._arguments = name, arguments

    def __call__(self, *arguments: int, mhz: int = 24) -> tuple[int, int]:
        """(What it returns, cycles from call to return)."""
        if len(arguments) != self._arguments:
            raise UserError(f"{self._name} takes {self._arguments} numbers, not {len(arguments)}")
        words = np.array(arguments, np.int64).astype("<i4").view(np.int8)
        run = self.call(self._name, words, 1, mhz)
        return int(run.accumulator[0]), run.cycles
