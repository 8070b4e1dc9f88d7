"""A submission's function by itself on the virtual chip: called with a stack and buffers of its own, every byte that it
writes looked at, every cycle counted. Projects 1 and 2.

    function = OnChip("dense", source, "c", buffers={"out": 4})
    function(function.at["out"], 3)      # cycles from call to return
    function.read("out", 4)

What breaks a rule raises `Refused`: code that does not compile, that faults, that does not return, that changes a
register which it must keep, or that writes to memory which is not its own.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from tinyspeech import paths, toolchain
from tinyspeech.chip.emulator import SRAM_BYTES, WRITTEN, Chip, ChipFault
from tinyspeech.errors import UserError
from tinyspeech.exercises.projects.scored import Refused
from tinyspeech.toolchain.elf import SRAM_BASE

MOST_CYCLES = 5_000_000
"""Of one call: what takes longer is taken for a loop without an end."""
STACK_TOP = SRAM_BASE + SRAM_BYTES
SP = STACK_TOP - 16
"""At the call; above it lie the arguments from the seventh on."""
KEPT = {2: "sp", 3: "gp", 8: "s0", 9: "s1"}
"""Registers that a function leaves as they were."""
LENIENT = """#pragma clang diagnostic ignored "-Wunused"
#pragma clang diagnostic ignored "-Wunused-parameter"
#line 1
"""
"""Before a reader's C: what is defined and not used is no error."""
EMPTY = "    .text\n    .globl {entry}\n    .type {entry}, @function\n{entry}:\n    ret\n"
HINTS = {
    "illegal instruction": "The compiler puts one where C has no meaning, as at the end of a loop without an end.",
    "multiplication or division": "The core has none: shift and add, or let C call the compiler's product.",
    "register above x15": "RV32E has x0 to x15: a0 to a5, t0 to t2, s0 and s1 are yours.",
    "misaligned access": "A halfword lies at an even address, a word at a multiple of four.",
    "write to flash": "Constants lie in flash, weights too. What changes lies in RAM.",
    "access to an unmapped address": "A pointer leads out of RAM, or the stack is too deep. Does a loop run too far?",
    "execution outside flash and RAM": "Is the return address kept where the function calls another?",
}


class OnChip:
    """See above.

    entry : the function's name
    source : what the reader wrote
    language : "c", or "S" for assembly
    buffers : {name: bytes} in RAM, each on a word
    constants : {name: bytes} in flash, each on a word
    firmware : sources of the firmware that it may call
    """

    def __init__(self, entry: str, source: str, language: str = "c", buffers: Mapping[str, int] | None = None,
                 constants: Mapping[str, bytes] | None = None, firmware: Sequence[str] = ()):
        self.entry, buffers = entry, buffers or {}
        built = _built(entry, source, language, buffers, constants or {}, firmware)
        empty = _built(entry, EMPTY.format(entry=entry), "S", buffers, {}, ())
        sizes = toolchain.sizes(built.elf)
        self.flash_bytes = sizes["flash_bytes"] - toolchain.sizes(empty.elf)["flash_bytes"]
        """What the submission and its constants add to an image."""
        self.at = toolchain.symbol_addresses(built.elf)
        """{name: address} of its functions, buffers and constants."""
        self.variables = {name: size for name, size in sizes["ram_symbols"].items() if name not in buffers}
        """{name: bytes} of its own, in RAM."""
        self._regions = {name: range(self.at[name], self.at[name] + size)
                         for name, size in {**buffers, **self.variables}.items()}
        self._written = np.zeros(SRAM_BYTES, bool)
        self._chip = Chip(built.bin.read_bytes())
        self._chip.run()  # to the breakpoint before the call
        self._free = max((region.stop for region in self._regions.values()), default=SRAM_BASE)
        """Where the stack ends at last."""

    def __call__(self, *arguments: int, writes: Mapping[str, int] | None = None) -> int:
        """Call it: cycles from call to return. arguments : numbers and addresses, as C passes them. writes : {buffer:
        bytes of it, from the first, that it may write}"""
        chip, state = self._chip, self._chip.state
        for number, value in enumerate(arguments):
            if number < 6:
                state.x[10 + number] = value & 0xFFFF_FFFF
            else:
                self.put(SP + 4 * (number - 6), (value & 0xFFFF_FFFF).to_bytes(4, "little"))
        state.x[2], before = SP, [SP, *(state.x[number] for number in list(KEPT)[1:])]
        chip.watch_sram({self.at[self.entry]: 1})
        state.lowest_sp = SP
        state.pc += 2  # over the breakpoint
        try:
            stop = chip.run(MOST_CYCLES)
        except ChipFault as fault:
            self._look_at_stack()
            raise Refused(f"{self.entry} faults: {fault.reason}, address {fault.address:#x}",
                          _hint(fault.reason)) from fault
        if stop != "break":
            raise Refused(f"{self.entry} has not returned after {MOST_CYCLES:,} cycles",
                          "Does every loop end? Is the return address kept where it calls another function?")
        for (number, name), value in zip(KEPT.items(), before, strict=True):
            if state.x[number] != value:
                raise Refused(f"{self.entry} changes {name} and does not bring it back",
                              "Save sp, gp, s0 and s1 on the stack before you use them, and restore them at the end.")
        self._look(chip.touched(), writes or {})
        return int(chip.stage_cycles()[1])

    def _look(self, touched: np.ndarray, writes: Mapping[str, int]) -> None:
        """Refuse what was written outside of the function's own memory; keep what was written inside."""
        written = (touched & WRITTEN).astype(bool)
        mine = np.zeros(SRAM_BYTES, bool)
        mine[self._look_at_stack() - SRAM_BASE :] = True  # the stack: below its pointer nothing is safe
        for name in self.variables:
            mine[self._slice(name)] = True
        for name, count in writes.items():
            mine[self._slice(name, count)] = True
        if stray := np.flatnonzero(written & ~mine).tolist():
            raise Refused(f"{self.entry} writes to {self._place(SRAM_BASE + stray[0])}, which is not its to write",
                          "Does a loop run one step too far? Is a pointer of the right type?")
        self._written |= written

    def _look_at_stack(self) -> int:
        """The lowest address of the stack; refused where that is in other memory."""
        if (lowest := self._chip.state.lowest_sp) < self._free:
            raise Refused(f"the stack of {self.entry} takes {SP - lowest:,} bytes, and there are {SP - self._free:,}",
                          "Use the memory that is given, in place of large local arrays.")
        return lowest

    def _slice(self, name: str, count: int | None = None) -> slice:
        region = self._regions[name]
        return slice(region.start - SRAM_BASE, (region.stop if count is None else region.start + count) - SRAM_BASE)

    def _place(self, address: int) -> str:
        """In words: of the variable or buffer that begins last before it, where that is near."""
        begun = [(region, name) for name, region in self._regions.items() if region.start <= address]
        region, name = max(begun, key=lambda one: one[0].start, default=(range(0), ""))
        return f"byte {address - region.start} of {name}" if address < region.stop + 64 else f"address {address:#x}"

    def ram_bytes(self, without: Sequence[str] = ()) -> int:
        """How many bytes all calls have written, of the stack, of variables and of buffers other than these."""
        counted = self._written.copy()
        for name in without:
            counted[self._slice(name)] = False
        return int(counted.sum())

    def put(self, address: int, data: bytes) -> None:
        """Bytes into RAM."""
        self._chip.state.sram[address - SRAM_BASE : address - SRAM_BASE + len(data)] = data

    def read(self, name: str, count: int) -> bytes:
        """The first bytes of a buffer."""
        return self._chip.read_memory(self.at[name], count)


def _hint(reason: str) -> str:
    return next((hint for start, hint in HINTS.items() if reason.startswith(start)),
                "The page of chapter 13 says what the chip can do.")


def _built(entry: str, source: str, language: str, buffers: Mapping[str, int], constants: Mapping[str, bytes],
           firmware: Sequence[str]) -> toolchain.Firmware:
    """A program of startup, a loop that calls the function, and the submission. What does not compile is refused."""
    if language not in ("c", "S"):
        raise UserError(f'a language is "c" or "S", not {language!r}')
    harness = [f"    .text\n    .globl main\n    .balign 4\nmain:\n    c.ebreak\n    call {entry}\n    j main"]
    for name, size in buffers.items():
        harness.append(f'    .section .bss.{name}, "awR", @nobits\n    .balign 4\n    .type {name}, @object\n{name}:\n'
                       f"    .space {size}\n    .size {name}, {size}")
    for name, data in constants.items():
        lines = [f"    .byte {', '.join(map(str, data[at : at + 16]))}" for at in range(0, len(data), 16)]
        harness += [f'    .section .rodata.{name}, "aR", @progbits\n    .balign 4\n    .type {name}, @object\n{name}:',
                    *lines, f"    .size {name}, {len(data)}"]
    with tempfile.TemporaryDirectory() as folder:
        mine, calls = Path(folder) / f"yours.{language}", Path(folder) / "harness.S"
        mine.write_text(f"{LENIENT if language == 'c' else ''}{source}\n", encoding="utf-8")
        calls.write_text("\n".join(harness) + "\n", encoding="utf-8")
        given = [paths.FIRMWARE / name for name in ("startup.S", *firmware)]
        try:
            return toolchain.build_firmware([*given, calls, mine], "project", runtime=True, xw=True)
        except UserError as error:
            raise not_built(str(error), entry) from error


def not_built(text: str, entry: str) -> Refused:
    """The compiler's first error, without the folder that it lay in, and a hint."""
    said = re.sub(r"\S*[/\\](yours\.[cS])", r"\1", text.removeprefix("the C compiler failed: "))
    if "undefined symbol" in said or "undefined reference" in said:
        return Refused(said, f"The function is called {entry}, and is not static. What it calls must be there, too.")
    if "will not fit in region" in said or "overflow" in said and "region" in said:
        return Refused(f"it does not fit: {said}", "16 KB of flash, 2 KB of RAM. Tables and weights count, too.")
    if "startup.S copies no .data" in said:
        return Refused("a variable in RAM has a value before the first call",
                       "Make it const, so that it lies in flash, or let it begin with zero.")
    return Refused(said, "This is the compiler's first error; what follows it often comes from it.")
