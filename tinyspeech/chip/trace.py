"""Watch the emulated chip instruction by instruction: what it read, what it changed, what it cost (chapter 11).

It is for the first few thousand instructions after a reset; what a whole clip costs is counted by the interpreter
itself (`Chip.start_profile`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache

from tinyspeech import toolchain
from tinyspeech.chip.emulator import Chip
from tinyspeech.errors import UserError

REGISTERS = ("zero", "ra", "sp", "gp", "tp", "t0", "t1", "t2", "s0", "s1", "a0", "a1", "a2", "a3", "a4", "a5")
"""x0 .. x15 by the names that the calling convention gives them."""
MEMORY_MAP = (
    (0x0000_0000, 16_384, "flash, as the core starts in it"), (0x0800_0000, 16_384, "the same flash, once more"),
    (0x1FFF_F000, 1_920, "boot ROM"), (0x1FFF_F780, 192, "vendor and option bytes"), (0x2000_0000, 2_048, "SRAM"),
    (0x4000_0000, 0x2_3000, "peripherals' registers"), (0xE000_E000, 0x1100, "interrupts, SysTick, reset"),
)
"""What answers at which address: (first address, bytes of the range, what); of the last two, few addresses do."""
PERIPHERALS = 0x4000_0000
"""From here on an address is a register of a peripheral or of the core's own (the interrupt controller, SysTick)."""


@dataclass(frozen=True)
class Instruction:
    """One instruction as it lies in memory."""

    address: int
    code: bytes
    """Two bytes or four, the lowest first."""
    text: str
    """As assemblers write it; where a branch or jump goes is an address, and not a distance."""


@dataclass(frozen=True)
class Step:
    """One instruction that ran."""

    cycle: int
    """At which it began, counted from reset."""
    cycles: int
    """That it took."""
    instruction: Instruction
    changed: dict[str, int]
    """Registers that have another value now."""
    store: tuple[int, int] | None
    """Address and value, if it wrote to memory."""

    def __str__(self) -> str:
        changes = ", ".join(f"{name} = {value:#x}" for name, value in self.changed.items())
        return f"{self.cycle:5,}  {self.instruction.address:4x}  {self.instruction.text:22} {changes}".rstrip()


@dataclass(frozen=True)
class Call:
    """A function that began."""

    cycle: int
    depth: int
    """How many functions wait for it."""
    name: str


def disassemble(code: bytes, address: int = 0) -> list[Instruction]:
    """Read machine code from `address` on, up to the end or to what is no instruction."""
    return [Instruction(i.address, bytes(i.bytes), _text(i)) for i in _reader().disasm(code, address)]


def walk(chip: Chip, until: int | None = None, most: int = 100_000) -> Iterator[Step]:
    """Run instruction by instruction, up to the one at address `until`, a breakpoint, a reset into the boot area, or
    `most` instructions. A broken rule raises `ChipFault`."""
    known: dict[int, Instruction] = {}
    for _ in range(most):
        pc, before, cycle, count = chip.state.pc, chip.registers(), chip.cycles, chip.instructions
        if pc == until:
            return
        if pc not in known:
            known[pc] = _at(chip, pc)
        instruction = known[pc]
        if chip.run(1) in ("break", "boot"):
            return
        if chip.instructions == count:  # it slept, or entered an interrupt
            continue
        changed = {name: new for name, old, new in zip(REGISTERS, before, chip.registers(), strict=True) if old != new}
        yield Step(cycle, chip.cycles - cycle, instruction, changed, _stored(instruction.text, before))


def calls(steps: Iterable[Step], functions: Iterable[tuple[int, int, str]]) -> list[Call]:
    """The functions that begin in these steps; functions as of `toolchain.function_addresses`."""
    starts = {start: name for start, _, name in functions}
    found, depth = [], 0
    for step in steps:
        if name := starts.get(step.instruction.address):
            found.append(Call(step.cycle, depth, name))
        text = step.instruction.text
        depth += text.startswith(("jal", "c.jal")) - (text in ("c.jr ra", "ret"))
    return found


def register_names() -> dict[int, str]:
    """{address: name} of the peripherals' registers that the firmware uses, from its header."""
    text = (toolchain.FIRMWARE / "ch32v003.h").read_text()
    return {int(at, 16): name for name, at in re.findall(r"#define (\w+) REGISTER\((0x[0-9a-fA-F]+)\)", text)}


def register_writes(steps: Iterable[Step]) -> list[tuple[int, str, int]]:
    """(cycle, register, value) of every write to a peripheral; a register that the firmware has no name for shows its
    address."""
    names = register_names()
    writes = [(step.cycle, *step.store) for step in steps if step.store and step.store[0] >= PERIPHERALS]
    return [(cycle, names.get(address, f"{address:#x}"), value) for cycle, address, value in writes]


@cache
def _reader():
    import capstone

    return capstone.Cs(capstone.CS_ARCH_RISCV, capstone.CS_MODE_RISCV32 | capstone.CS_MODE_RISCVC)


def _text(i) -> str:
    """Mnemonic and operands; capstone gives the distance of a branch or jump as its last operand."""
    *operands, last = i.op_str.split(", ")
    if re.fullmatch(r"(c\.)?(b\w+|j|jal)", i.mnemonic) and re.fullmatch(r"-?(0x)?[0-9a-f]+", last):
        last = f"{(i.address + int(last, 0)) & 0xFFFFFFFF:#x}"
    return f"{i.mnemonic} {', '.join([*operands, last])}".rstrip()


def _at(chip: Chip, pc: int) -> Instruction:
    try:
        low = chip.read_memory(pc, 2)
        code = chip.read_memory(pc, 4) if low[0] & 3 == 3 else low
    except UserError:  # nothing is there: running it will say so
        code = b""
    return next(iter(disassemble(code, pc)), Instruction(pc, code, "not an instruction"))


def _stored(text: str, x: list[int]) -> tuple[int, int] | None:
    """Address and value of a store, from the registers before it."""
    found = re.fullmatch(r"(?:c\.)?s([bhw])(?:sp)? (\w+), (-?\w+)\((\w+)\)", text)
    if not found:
        return None
    width, source, offset, base = found.groups()
    mask = {"b": 0xFF, "h": 0xFFFF, "w": 0xFFFFFFFF}[width]
    address = (x[REGISTERS.index(base)] + int(offset, 0)) & 0xFFFFFFFF
    return address, x[REGISTERS.index(source)] & mask
