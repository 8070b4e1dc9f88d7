"""WCH's own instructions: compiler, reader and emulated core have one encoding, and the firmware is built with it."""

import re

import pytest

from tinyspeech import toolchain
from tinyspeech.board.direct import Board
from tinyspeech.chip import trace
from tinyspeech.chip.emulator import Chip
from tinyspeech.chip.trace import REGISTERS
from tinyspeech.errors import UserError
from tinyspeech.toolchain import SRAM_BASE


@pytest.mark.parametrize("text, mnemonic", [
    ("lbu a2, 31(s0)", "xw.c.lbu a2, 0x1f(s0)"), ("lbu s1, 17(a5)", "xw.c.lbu s1, 0x11(a5)"),
    ("sb a0, 14(a1)", "xw.c.sb a0, 0xe(a1)"), ("lhu a4, 62(a3)", "xw.c.lhu a4, 0x3e(a3)"),
    ("sh s0, 36(s1)", "xw.c.sh s0, 0x24(s1)"), ("qk.c.lbusp a0, 13(sp)", "xw.c.lbusp a0, 0xd(sp)"),
    ("qk.c.lhusp a0, 22(sp)", "xw.c.lhusp a0, 0x16(sp)"), ("qk.c.sbsp a3, 5(sp)", "xw.c.sbsp a3, 0x5(sp)"),
    ("qk.c.shsp a2, 28(sp)", "xw.c.shsp a2, 0x1c(sp)"),
])
def test_short_accesses_read_back_as_they_were_written(tmp_path, text, mnemonic):
    """LLVM's assembler against our reader and the emulated core: the same bytes, place and width."""
    source = tmp_path / "program.S"
    source.write_text(f'.section .init, "ax", @progbits\n.globl reset\nreset:\n{text}\nebreak\n')
    code = toolchain.build_firmware([source], "program", xw=True).bin.read_bytes()[:2]
    assert [i.text for i in trace.disassemble(code)] == [mnemonic]
    long = text.replace("qk.c.", "").replace("sp a", " a")
    chips = []
    for program in (code + b"\x02\x90", toolchain.assemble(long + "\nebreak")):
        chip = Chip(program)
        chip.state.x[:] = [0, *(SRAM_BASE + 64 + i for i in range(1, 16))]
        chip.state.x[int(REGISTERS.index(re.search(r"\((\w+)\)", text)[1]))] = SRAM_BASE + 128
        assert chip.run() == "break"
        chips.append((list(chip.state.x), bytes(chip.state.sram)))
    assert chips[0] == chips[1]


def test_the_firmware_is_smaller_with_them_and_does_without():
    with_them, without = (toolchain.build_firmware(xw=xw) for xw in (True, False))
    assert toolchain.build_firmware() == with_them
    assert toolchain.sizes(without.elf)["flash_bytes"] - toolchain.sizes(with_them.elf)["flash_bytes"] > 104
    texts = [[i.text for a, b, _ in toolchain.function_addresses(built.elf)
              for i in trace.disassemble(built.bin.read_bytes()[a:b], a)] for built in (with_them, without)]
    assert any(text.startswith("xw.") for text in texts[0]) and not any(text.startswith("xw.") for text in texts[1])
    assert Board(without.elf).self_test() == "test ok"
    assert toolchain.forbidden_instructions(with_them.elf) == toolchain.forbidden_instructions(without.elf) == []
    with pytest.raises(UserError, match="gcc does not know"):
        toolchain.build_firmware(compiler="gcc", xw=True)
