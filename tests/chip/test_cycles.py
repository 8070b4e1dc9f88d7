"""Cycles of whole loops as counted by hand, instruction by instruction, against the interpreter's profile.

The rules are the table in rv32ec.c. Behind each instruction stand its cycles: in flash at 24 MHz; in flash at 48 MHz,
with one wait state; and in SRAM at 48 MHz, where that differs from the first. "9*3 + 1": nine times three cycles and
once one, so it runs ten times.
"""

import ctypes
import math

import pytest
from elftools.elf.elffile import ELFFile
from support.encodings import FAST

from tinyspeech import toolchain
from tinyspeech.chip.emulator import Chip, slot
from tinyspeech.toolchain.elf import SRAM_BASE

pytestmark = pytest.mark.usefixtures("the_table")

FLASH_START = 0x1000
SLOW = "ebreak\n"
"""After reset the HSI runs, divided by 3, and no wait state is set: what counts is cycles."""
POINTERS = {12: SRAM_BASE + 0x700, 13: 0x2000, 14: SRAM_BASE + 0x780}
"""a2 and a4 point into SRAM, a3 into flash."""

LOOPS = {
    "five long instructions behind a jump take 8 cycles, as measured": """
        c.j 1f                  | 3       | 5
        c.nop                   | 0*1     | 0*1
     1: addi a1, a1, 1000       | 1       | 1
        addi a1, a1, 1000       | 1       | 1
        addi a1, a1, 1000       | 1       | 2
        addi a1, a1, 1000       | 1       | 2
        addi a1, a1, 1000       | 1       | 2
    """,
    "a short load leaves the fetching a cycle": """
        c.j 1f                  | 3       | 5
        c.nop                   | 0*1     | 0*1
     1: addi a1, a1, 1000       | 1       | 1
        addi a1, a1, 1000       | 1       | 1
        c.lw a5, 0(a2)          | 2       | 2
        addi a1, a1, 1000       | 1       | 1
        addi a1, a1, 1000       | 1       | 2
    """,
    "count down: 4 cycles a turn, 6 with the wait state": """
        c.li a0, 10             | 1       | 1
     1: c.addi a0, -1           | 10*1    | 10*1
        c.bnez a0, 1b           | 9*3 + 1 | 9*5 + 1
    """,
    "a long instruction that begins on a multiple of 4 as the target": """
        c.li a0, 10             | 1       | 1
        c.nop                   | 1       | 1
     1: addi a1, a1, 1000       | 10*1    | 10*1
        c.addi a0, -1           | 10*1    | 10*1
        c.bnez a0, 1b           | 9*3 + 1 | 9*5 + 1
    """,
    "the same instruction across two words: the jump takes one cycle more, the instruction does not": """
        c.li a0, 10             | 1       | 1
     1: addi a1, a1, 1000       | 10*1    | 10*1
        c.addi a0, -1           | 10*1    | 10*1
        c.bnez a0, 1b           | 9*4 + 1 | 9*6 + 1
    """,
    "a short target off a multiple of 4 costs nothing more": """
        c.li a0, 10             | 1       | 1
     1: c.addi a1, 1            | 10*1    | 10*1
        c.addi a1, 1            | 10*1    | 10*1
        c.addi a0, -1           | 10*1    | 10*1
        c.bnez a0, 1b           | 9*3 + 1 | 9*5 + 1
    """,
    "long instructions in a row, across words, behind a short one": """
        c.li a0, 7              | 1       | 1
     1: c.nop                   | 7*1     | 7*1
        xori a1, a1, 1          | 7*1     | 7*1
        lui a5, 0x12345         | 7*1     | 7*1
        slt a5, a1, a0          | 7*1     | 7*2
        c.addi a0, -1           | 7*1     | 7*1
        c.bnez a0, 1b           | 6*3 + 1 | 6*5 + 1
    """,
    "a long branch, not taken in the end: then it is a long instruction": """
        c.li a0, 10             | 1       | 1
     1: c.addi a0, -1           | 10*1    | 10*1
        bne a0, zero, 1b        | 9*3 + 1 | 9*5 + 1
    """,
    "a branch that never is taken, one that always is": """
        c.li a0, 5              | 1       | 1
     1: c.beqz a0, 2f           | 5*1     | 5*1
        beq a0, zero, 2f        | 5*1     | 5*1
        c.addi a0, -1           | 5*1     | 5*1
        beq zero, zero, 3f      | 5*3     | 5*5
     2: c.nop                   | 0*1     | 0*1
     3: c.bnez a0, 1b           | 4*3 + 1 | 4*5 + 1
    """,
    "short and long loads and stores, all in SRAM": """
        c.li a0, 6              | 1       | 1
     1: c.lw a1, 0(a2)          | 6*2     | 6*2
        c.sw a1, 4(a2)          | 6*2     | 6*2
        lh a1, 2(a2)            | 6*2     | 6*2
        sb a1, 9(a2)            | 6*2     | 6*2
        c.addi a0, -1           | 6*1     | 6*1
        c.bnez a0, 1b           | 5*3 + 1 | 5*5 + 1
    """,
    "data from flash wait as instructions do, wherever the code is": """
        c.li a0, 6              | 1       | 1       | 1
     1: c.lw a1, 0(a3)          | 6*2     | 6*3     | 6*3
        lbu a1, 3(a3)           | 6*2     | 6*3     | 6*3
        c.addi a0, -1           | 6*1     | 6*1     | 6*1
        c.bnez a0, 1b           | 5*3 + 1 | 5*5 + 1 | 5*3 + 1
    """,
    "copying words, source and target in SRAM": """
        c.li a0, 8              | 1       | 1
     1: c.lw a1, 0(a2)          | 8*2     | 8*2
        c.addi a2, 4            | 8*1     | 8*1
        c.sw a1, 0(a4)          | 8*2     | 8*2
        c.addi a4, 4            | 8*1     | 8*1
        c.addi a0, -1           | 8*1     | 8*1
        c.bnez a0, 1b           | 7*3 + 1 | 7*5 + 1
    """,
    "calls to a short and to a long instruction across words, and a return to such a one": """
        c.li a0, 3              | 1       | 1
        c.nop                   | 1       | 1
     1: c.jal 2f                | 3*3     | 3*5
        jal ra, 3f              | 3*4     | 3*6
        c.addi a0, -1           | 3*1     | 3*1
        c.bnez a0, 1b           | 2*3 + 1 | 2*5 + 1
        c.j 4f                  | 3       | 5
     2: c.jr ra                 | 3*4     | 3*6
     3: addi a1, a1, 1000       | 3*1     | 3*1
        jalr zero, 0(ra)        | 3*3     | 3*5
     4: c.nop                   | 1       | 1
    """,
    "a loop within a loop": """
        c.li a0, 4              | 1       | 1
     1: c.li a5, 5              | 4*1     | 4*1
     2: c.addi a5, -1           | 20*1    | 20*1
        c.bnez a5, 2b           | 16*3 + 4*1 | 16*5 + 4*1
        c.addi a0, -1           | 4*1     | 4*1
        c.bnez a0, 1b           | 3*3 + 1 | 3*5 + 1
    """,
    "shifts take one cycle whatever their amount": """
        c.li a0, 9              | 1       | 1
     1: c.slli a1, 31           | 9*1     | 9*1
        c.srai a1, 1            | 9*1     | 9*1
        sll a1, a1, a0          | 9*1     | 9*1
        c.addi a0, -1           | 9*1     | 9*1
        c.bnez a0, 1b           | 8*3 + 1 | 8*5 + 1
    """,
}


def assemble(text: str, folder) -> bytes:
    source, compiled = folder / "loop.S", folder / "loop.o"
    source.write_text(text)
    toolchain.zig("cc", *toolchain.RV32EC, "-c", source, "-o", compiled)
    with compiled.open("rb") as file:
        return ELFFile(file).get_section_by_name(".text").data()


def terms(count: str) -> list[tuple[int, int]]:
    """'9*3 + 1' -> [(9, 3), (1, 1)]: how often, and cycles each time."""
    pairs = (term.split("*") for term in count.split("+"))
    return [(int(pair[0]), int(pair[1])) if len(pair) == 2 else (1, int(pair[0])) for pair in pairs]


def test_terms():
    assert terms(" 9*3 + 1 ") == [(9, 3), (1, 1)] and sum(map(math.prod, terms("16*5 + 4*1"))) == 84


@pytest.mark.parametrize("where, column", [("flash at 24 MHz", 1), ("flash at 48 MHz", 2), ("SRAM at 48 MHz", 3)])
@pytest.mark.parametrize("name", LOOPS)
def test_a_loop_counted_by_hand(name, where, column, tmp_path):
    rows = [[cell.strip() for cell in line.split("|")] for line in LOOPS[name].strip().splitlines()]
    lines = [f".option {'rvc' if 'c.' in row[0] else 'norvc'}\n{row[0]}\n" for row in rows]
    code = assemble(".option norelax\n" + "".join(lines) + ".option rvc\nc.ebreak\n", tmp_path)
    setup = assemble(SLOW if column == 1 else FAST, tmp_path)
    start = SRAM_BASE if column == 3 else FLASH_START
    chip = Chip(setup.ljust(FLASH_START, b"\xff") + code)
    assert chip.run() == "break"
    ctypes.memmove(chip.state.sram, code, len(code))
    for register, value in POINTERS.items():
        chip.state.x[register] = value
    chip.state.pc = start
    instructions, cycles = chip.instructions, chip.cycles
    chip.start_profile()
    assert chip.run() == "break"
    profile, at = chip.profile(), start
    expected = []
    for row in rows:
        expected += [terms(row[column] if column < len(row) else row[1])]
        assert profile[slot(at)] == sum(map(math.prod, expected[-1])), f"{row[0]} in {where}"
        at += 4 if code[at - start] & 3 == 3 else 2
    assert chip.instructions - instructions == sum(n for count in expected for n, _ in count)
    assert chip.cycles - cycles == sum(n * c for count in expected for n, c in count) == profile.sum()
