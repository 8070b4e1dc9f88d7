"""Watch the emulated chip instruction by instruction: what it read, what it changed, what it cost (chapter 13).

It is for the first few thousand instructions after a reset; what a whole clip costs is counted by the interpreter
itself (`Chip.start_profile`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from capstone import CsInsn, riscv

from tinyspeech import toolchain
from tinyspeech.chip.emulator import FLASH_BYTES, INFO_BASE, INFO_BYTES, SRAM_BYTES, Chip
from tinyspeech.errors import UserError
from tinyspeech.paths import FIRMWARE
from tinyspeech.toolchain.elf import SRAM_BASE, ShortAccess

REGISTERS = ("zero", "ra", "sp", "gp", "tp", "t0", "t1", "t2", "s0", "s1", "a0", "a1", "a2", "a3", "a4", "a5")
"""x0 .. x15 by the names that the calling convention gives them."""
PERIPHERALS = 0x4000_0000
"""From here on an address is a register of a peripheral or of the core's own (the interrupt controller, SysTick)."""
MEMORY_MAP = (
    (0x0000_0000, FLASH_BYTES, "flash, as the core starts in it"),
    (toolchain.FLASH_ALIAS, FLASH_BYTES, "the same flash, once more"), (0x1FFF_F000, 1_920, "boot ROM"),
    (INFO_BASE, INFO_BYTES, "vendor and option bytes"), (SRAM_BASE, SRAM_BYTES, "SRAM"),
    (PERIPHERALS, 0x2_3000, "peripherals' registers"), (0xE000_E000, 0x1100, "interrupts, SysTick, reset"),
)
"""What answers at which address: (first address, bytes of the range, what); of the last two, few addresses do."""
STORED_BYTES = {riscv.RISCV_INS_SB: 1, riscv.RISCV_INS_SH: 2, riscv.RISCV_INS_SW: 4, riscv.RISCV_INS_C_SW: 4,
                riscv.RISCV_INS_C_SWSP: 4}
"""Of the core's stores."""
JUMPS = (riscv.RISCV_INS_JAL, riscv.RISCV_INS_C_J, riscv.RISCV_INS_C_JAL)
"""To an address at a distance; branches are a group of capstone's own."""


@dataclass(frozen=True)
class Instruction:
    """One instruction as it lies in memory."""

    address: int
    code: bytes
    """Two bytes or four, the lowest first."""
    text: str
    """As assemblers write it; where a branch or jump goes is an address, and not a distance."""
    store: tuple[int, str, str, int] | None = field(default=None, repr=False)
    """Of one that writes to memory: how many bytes, of which register, to which register's address and how far on."""
    deeper: int = field(default=0, repr=False)
    """1 of a call, -1 of a return."""


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
    found, at = [], 0
    while at < len(code):
        if short := ShortAccess.of(code[at:]):
            found.append(_short(address + at, code[at : at + 2], short))
        elif i := next(toolchain.decoder().disasm(code[at : at + 4], address + at, 1), None):
            found.append(Instruction(i.address, bytes(i.bytes), _text(i), _store(i), _deeper(i)))
        else:
            break
        at += len(found[-1].code)
    return found


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
        yield Step(cycle, chip.cycles - cycle, instruction, changed, _stored(instruction, before))


def until_return(steps: Iterable[Step]) -> Iterator[Step]:
    """Steps up to the `mret` that ends an interrupt's handler."""
    for step in steps:
        yield step
        if step.instruction.text == "mret":
            return


def calls(steps: Iterable[Step], functions: Iterable[tuple[int, int, str]]) -> list[Call]:
    """The functions that begin in these steps, but for the parts that they share (save.S); functions as of
    `toolchain.function_addresses`."""
    starts = {start: name for start, _, name in functions if not name.startswith("__riscv_")}
    found, depth = [], 0
    for step in steps:
        if name := starts.get(step.instruction.address):
            found.append(Call(step.cycle, depth, name))
        depth += step.instruction.deeper
    return found


def register_names() -> dict[int, str]:
    """{address: name} of the peripherals' registers that the firmware uses, from its header."""
    text = (FIRMWARE / "ch32v003.h").read_text("utf-8")
    return {int(at, 16): name for name, at in re.findall(r"(\w+) (?:= )?(0x[0-9a-fA-F]{8})", text)}


def register_writes(steps: Iterable[Step]) -> list[tuple[int, str, int]]:
    """(cycle, register, value) of every write to a peripheral; a register that the firmware has no name for shows its
    address."""
    names = register_names()
    writes = [(step.cycle, *step.store) for step in steps if step.store and step.store[0] >= PERIPHERALS]
    return [(cycle, names.get(address, f"{address:#x}"), value) for cycle, address, value in writes]


def hand_over(chip: Chip, handler: tuple[int, int], cycles: int) -> dict[str, list[int]]:
    """Watch timer, ADC, DMA and core while a program samples: when what happened, in cycles from the first beat on.

    handler : where it begins and ends; cycles : of which nothing is left out, from where the chip stands now.

    Returns {"beat": the timer triggers the ADC, "number": a conversion is over, and the DMA has stored it, "enter",
    "leave": the handler's first instruction, and the one behind its last}.
    """
    seen: dict[str, list[int]] = {"beat": [], "number": [], "enter": [], "leave": []}
    until = chip.cycles + cycles
    while chip.cycles < until:
        beat, count, inside = chip.state.converted_at, chip.state.conversions, handler[0] <= chip.state.pc < handler[1]
        chip.run(1)
        if chip.state.converted_at != beat:
            seen["beat"].append(chip.state.converted_at)
        if chip.state.conversions != count:
            seen["number"].append(chip.cycles)
        if (handler[0] <= chip.state.pc < handler[1]) != inside:
            seen["leave" if inside else "enter"].append(chip.cycles)
    return {what: [at - seen["beat"][0] for at in times] for what, times in seen.items()}


def _text(i: CsInsn) -> str:
    """Mnemonic and operands; capstone gives the distance of a branch or jump as its last operand."""
    operands = i.op_str
    if i.id in JUMPS or riscv.RISCV_GRP_BRANCH_RELATIVE in i.groups:
        before, comma, _ = operands.rpartition(", ")
        operands = f"{before}{comma}{(i.address + i.operands[-1].imm) & 0xFFFFFFFF:#x}"
    return f"{i.mnemonic} {operands}".rstrip()


def _store(i: CsInsn) -> tuple[int, str, str, int] | None:
    """`Instruction.store`. capstone takes the long ones' place in memory for one operand, the short ones' for two."""
    if i.id not in STORED_BYTES:
        return None
    source, *place = i.operands
    base, offset = (place[0].mem.base, place[0].mem.disp) if len(place) == 1 else (place[1].reg, place[0].imm)
    return STORED_BYTES[i.id], i.reg_name(source.reg), i.reg_name(base), offset


def _short(address: int, code: bytes, short: ShortAccess) -> Instruction:
    """One of WCH's own instructions."""
    register, base = REGISTERS[short.register], REGISTERS[short.base]
    width = {"b": 1, "h": 2}[short.mnemonic[6]] if short.mnemonic[5] == "s" else 0
    store = (width, register, base, short.offset) if width else None
    return Instruction(address, code, f"{short.mnemonic} {register}, {short.offset:#x}({base})", store, 0)


def _deeper(i: CsInsn) -> int:
    """`Instruction.deeper`. A jump that keeps no way back, or keeps it elsewhere than in ra, as those to save.S do, is
    neither; nor is one through another register."""
    if i.mnemonic in ("jal", "jalr", "c.jal", "c.jalr"):
        return int(i.mnemonic != "jal" or len(i.operands) == 1 or i.operands[0].reg == riscv.RISCV_REG_RA)
    return -(i.mnemonic == "ret" or (i.id == riscv.RISCV_INS_C_JR and i.operands[0].reg == riscv.RISCV_REG_RA))


def _at(chip: Chip, pc: int) -> Instruction:
    try:
        low = chip.read_memory(pc, 2)
        code = chip.read_memory(pc, 4) if low[0] & 3 == 3 else low
    except UserError:  # nothing is there: running it will say so
        code = b""
    return next(iter(disassemble(code, pc)), Instruction(pc, code, "not an instruction"))


def _stored(instruction: Instruction, x: list[int]) -> tuple[int, int] | None:
    """Address and value of a store, from the registers before it."""
    if instruction.store is None:
        return None
    count, source, base, offset = instruction.store
    return (x[REGISTERS.index(base)] + offset) & 0xFFFFFFFF, x[REGISTERS.index(source)] & (1 << 8 * count) - 1
