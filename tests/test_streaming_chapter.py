"""What chapter 10 rests on: accesses to RAM are noted, a recording adds up, and pictures show what they are given."""

from itertools import pairwise

import numpy as np
import pytest

from tinyspeech import toolchain
from tinyspeech.chip import Board, Chip
from tinyspeech.chip.emulator import READ, SRAM_BASE, WRITTEN
from tinyspeech.chip.recorder import record
from tinyspeech.errors import UserError


@pytest.fixture
def assemble(tmp_path):
    """Assembly text -> chip with it in flash, and its ELF file."""

    def build(text: str):
        source = tmp_path / "program.S"
        source.write_text(f'.option norelax\n.section .init, "ax", @progbits\n.globl reset\nreset:\n{text}\nebreak\n')
        built = toolchain.build_firmware([source], "program")
        return Chip(built.bin.read_bytes()), built.elf

    return build


# ---------------------------------------------------------------- accesses


def test_loads_and_stores_of_every_width_are_noted_at_their_bytes(assemble):
    chip, _ = assemble("""
        li a0, 0x20000100
        sb a1, 1(a0)
        sh a1, 4(a0)
        sw a1, 8(a0)
        lb a2, 17(a0)
        lhu a2, 20(a0)
        lw a2, 24(a0)
        lbu a2, 8(a0)
        lw a2, 0(x0)
    """)
    chip.watch_sram()
    assert chip.run() == "break"
    touched = chip.touched()
    expected = np.zeros(2048, np.uint8)
    for at, size, what in ((1, 1, WRITTEN), (4, 2, WRITTEN), (8, 4, WRITTEN), (17, 1, READ), (20, 2, READ),
                           (24, 4, READ), (8, 1, READ)):
        expected[0x100 + at : 0x100 + at + size] |= what
    assert np.array_equal(touched, expected)
    assert not chip.touched().any()  # reading it begins anew


def test_watching_changes_no_cycle():
    clip = np.random.default_rng(3).integers(-3000, 3000, 8000).astype(np.int16)
    plain, watched = (Board(toolchain.build_firmware().elf) for _ in range(2))
    watched.chip.watch_sram()
    one, other = plain.classify(clip), watched.classify(clip)
    assert one.cycles == other.cycles and np.array_equal(one.logits, other.logits)


# ---------------------------------------------------------------- recording


def test_a_recording_adds_up_and_tells_stages_apart(assemble):
    chip, elf = assemble("""
    1:  jal work
        j 1b
        .type work, @function
    work:
        li a0, 0x20000010
        sw a0, 0(a0)
        ret
        .size work, . - work
    """)
    recording = record(chip, elf, {"work": "at work"}, 5, 100)
    busy = recording.busy
    assert [*busy] == ["other", "at work", "asleep"]
    assert all(len(row) == 5 for row in busy.values()) and not busy["asleep"].any()
    assert abs(sum(row.sum() for row in busy.values()) - 500) < 5
    assert min(busy["at work"].min(), busy["other"].min()) > 20
    assert (recording.bytes_of(SRAM_BASE + 16, SRAM_BASE + 20) == WRITTEN).all()
    assert not np.delete(recording.touched, range(16, 20), axis=1).any()


def test_a_recording_of_a_chip_that_stops_or_of_no_such_function_is_refused(assemble):
    chip, elf = assemble("li a0, 1")
    with pytest.raises(UserError, match=r"stop \(break\) in step 0"):
        record(chip, elf, {}, 2, 1000)
    with pytest.raises(UserError, match="no function nothing"):
        record(chip, elf, {"nothing": "x"}, 1, 10)


def test_variables_in_ram_do_not_overlap_and_fill_what_the_linker_says():
    elf = toolchain.build_firmware().elf
    rows = toolchain.ram_objects(elf)
    assert all(end <= following for (_, end, _), (following, _, _) in pairwise(rows))
    sizes = toolchain.sizes(elf)
    padding = sizes["data_bytes"] + sizes["bss_bytes"] - sum(end - start for start, end, _ in rows)
    assert 0 <= padding < 16
