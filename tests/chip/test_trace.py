"""What an instruction does, as the trace reads it: where it stores, where it goes, whether it calls or returns."""

import pytest

from tinyspeech import toolchain
from tinyspeech.chip import trace
from tinyspeech.chip.emulator import Chip


def first(text: str) -> trace.Instruction:
    return trace.disassemble(toolchain.assemble(text))[0]


@pytest.mark.parametrize("text, size, store", [
    ("sw a5, 124(a4)", 2, (4, "a5", "a4", 124)), ("sw a5, 4(sp)", 2, (4, "a5", "sp", 4)),
    ("sw t0, -8(a4)", 4, (4, "t0", "a4", -8)), ("sh a1, 2047(gp)", 4, (2, "a1", "gp", 2047)),
    ("sb zero, 0(a0)", 4, (1, "zero", "a0", 0)), ("lw a5, 124(a4)", 2, None), ("addi a5, a4, 4", 4, None),
])
def test_a_store_says_what_and_where(text, size, store):
    instruction = first(text)
    assert (len(instruction.code), instruction.store) == (size, store)


@pytest.mark.parametrize("text, deeper", [
    ("jal ra, reset", 1), ("jal t0, reset", 0), ("jalr a0", 1), ("j reset", 0), ("jr a0", 0), ("ret", -1),
    (".option norvc\n ret", -1), ("beqz a0, reset", 0), ("nop", 0),
])
def test_a_call_goes_deeper_and_a_return_comes_back(text, deeper):
    assert first(text).deeper == deeper


@pytest.mark.parametrize("text", ["beqz a0, 1b", "bltu a0, t0, 1b", "j 1b", "jal t0, 1b", "jal 1b"])
def test_where_a_jump_goes_is_an_address(text):
    """From address 2 back to 0."""
    code = toolchain.assemble(f"1: c.nop\n{text}")
    assert trace.disassemble(code)[1].text.replace(",", "").split()[-1] == "0x0"


def test_the_steps_of_a_program_say_what_it_stored():
    chip = Chip(toolchain.assemble("lui a0, 0x20000\n li a1, -2\n sb a1, 5(a0)\n sh a1, 6(a0)\n sw a1, 8(a0)\n ebreak"))
    stores = [step.store for step in trace.walk(chip) if step.store]
    assert stores == [(0x2000_0005, 0xFE), (0x2000_0006, 0xFFFE), (0x2000_0008, 0xFFFF_FFFE)]
    assert chip.read_memory(0x2000_0005, 7) == b"\xfe\xfe\xff\xfe\xff\xff\xff"
