"""What no manual settles: one table for C and Python, and every switch does what its row says."""

import subprocess
import sys

import pytest

from tinyspeech.chip import assumptions, emulator
from tinyspeech.chip.assumptions import (
    VARIABLE,
    Assumptions,
    assumed,
    assuming,
    hostile,
    kind,
    parse,
    rows,
    single,
)
from tinyspeech.chip.emulator import RESETS, SRAM_BYTES, Chip, ChipFault
from tinyspeech.errors import UserError
from tinyspeech.toolchain.compile import assemble
from tinyspeech.toolchain.elf import SRAM_BASE

pytestmark = pytest.mark.usefixtures("the_table")

CLOCK_24 = "li a0, 0x40021004\nsw x0, 0(a0)\n"
PORT = CLOCK_24 + """
    li a0, 0x40021018
    li a1, 0x4020
    sw a1, 0(a0)
    li a0, 0x40011400
    li a1, 0x48b44444
    sw a1, 0(a0)
    li a1, 0x40
    sw a1, 12(a0)
    li a0, 0x40013800
    li a1, 208
    sw a1, 8(a0)
    li a1, 0x200c
    sw a1, 12(a0)
"""
"""The clock at 24 MHz, the serial port at 115,385 baud, a0 at its registers."""


def run(text: str, said: Assumptions | None = None, cycles: int = 1_000_000) -> list[int]:
    """Registers where the program's ebreak stands."""
    chip = Chip(assemble(text + "\nebreak\n"), said)
    assert chip.run(cycles) == "break"
    return chip.registers()


# --- the table --------------------------------------------------------------------------------------------------------


def test_python_reads_the_rows_that_the_c_has(layout):
    numbers = {"ASSUMED": len(rows())}
    for i, row in enumerate(rows()):
        numbers |= {f"ASSUME_{row.name}": i, f"DEFAULT_{row.name}": row.value}
    layout.check(emulator.CORE / "chip.h", numbers)


def test_every_row_says_what_it_is_and_where_that_comes_from():
    for row in rows():
        assert row.what and row.source and len(row.choices) > 1 and row.value in row.choices.values()
        assert row.hostile and set(row.hostile) <= set(row.choices), row.name


def test_values_are_labels_numbers_or_yes_and_no():
    said = Assumptions(mie_needs_mpie="merged", lsi_hz=99_000, watchdog_survives_reset=True, hsi_error_ppm="-7")
    assert [said[name] for name in ("mie_needs_mpie", "lsi_hz", "watchdog_survives_reset", "hsi_error_ppm")] \
        == [1, 99_000, 1, -7]
    assert parse(str(said)) == said and parse(f"hostile,{said}")["sram_at_power_on"] == 2
    assert parse("") == Assumptions() != kind() != hostile()[0] != hostile()[1] == parse("hostile2")
    assert len(set(single())) == len(single()) > len(rows())


@pytest.mark.parametrize("text, message", [("mad", "'mad' is no assumption"), ("mad=1", "called mad"),
                                           ("sram_at_power_on=full", "none of zeros")])
def test_what_the_table_does_not_have_is_one_line(text, message):
    with pytest.raises(UserError, match=message):
        parse(text)


def test_what_is_assumed_comes_from_the_call_the_block_or_the_environment(monkeypatch):
    monkeypatch.setattr(assumptions, "_assumed", [])
    monkeypatch.setenv(VARIABLE, "sram_seed=7")
    assert assumed()["sram_seed"] == 7
    with assuming(Assumptions(sram_seed=8)):
        assert Chip(b"").assumptions["sram_seed"] == 8
        assert Chip(b"", Assumptions()).assumptions["sram_seed"] == 1
    assert Chip(b"").assumptions["sram_seed"] == 7


def test_the_table_is_printed():
    done = subprocess.run([sys.executable, "-m", "tinyspeech", "probe", "--table"], capture_output=True, text=True,
                          check=True)
    assert all(f"{row.name} = " in done.stdout and row.source in done.stdout for row in rows())


# --- interrupts and sleep ---------------------------------------------------------------------------------------------

ENABLED = "csrr a5, mstatus\nandi a5, a5, 8\n"


@pytest.mark.parametrize("text, enabled", [
    ("csrsi mstatus, 8\n", {"no"}),
    ("li a0, 0x80\ncsrs mstatus, a0\ncsrsi mstatus, 8\n", {"no", "merged"}),
    ("li a0, 0x88\ncsrs mstatus, a0\n", {"no", "merged", "operand"}),
    ("li a0, 0x1888\ncsrw mstatus, a0\n", {"no", "merged", "operand"}),
    ("li a0, 0x80\ncsrw mstatus, a0\nla a0, 1f\ncsrw mepc, a0\nmret\n1:\n", {"no", "merged", "operand"}),  # MIE = MPIE
])
def test_mie_is_taken_only_together_with_mpie(text, enabled):
    for rule in ("no", "merged", "operand"):
        assert (run(text + ENABLED, Assumptions(mie_needs_mpie=rule))[15] == 8) == (rule in enabled), rule
    assert Assumptions() == Assumptions(mie_needs_mpie="operand")


def test_mie_that_is_set_stays_whatever_else_is_written():
    assert run("li a0, 0x88\ncsrs mstatus, a0\nli a0, 0x1000\ncsrs mstatus, a0\n" + ENABLED)[15] == 8
    assert run("li a0, 0x88\ncsrs mstatus, a0\ncsrci mstatus, 8\n" + ENABLED)[15] == 0


def test_the_table_of_interrupts_begins_at_a_multiple_of_1024():
    text = "li a0, 0x1147\ncsrw mtvec, a0\ncsrr a5, mtvec\n"
    assert run(text)[15] == 0x1003 and run(text, Assumptions(mtvec_granularity=4))[15] == 0x1147


TICKS = """
    j start
    .org 4 * 12
    .word tick
    .org 160
tick:
    li a2, 0xe000f004
    addi a5, a5, 1
    {clear}
    mret
start:
    li a5, 0
    li a0, 0xe000e100
    li a1, 1 << 12
    sw a1, 0(a0)
    li a0, 0xe000ed10
    li a1, {sctlr}
    sw a1, 0(a0)
    li a0, 0xe000f000
    li a1, {period}
    sw a1, 16(a0)
    li a1, 15
    sw a1, 0(a0)
    csrwi mtvec, 3
    li a1, 0x88
    csrs mstatus, a1
    {body}
"""


def ticks(said: Assumptions, sctlr: int = 8, clear: str = "sw x0, 0(a2)", body: str = "1: wfi\nj 1b",
          cycles: int = 50_000) -> tuple[int, Chip]:
    """How often SysTick's handler ran, of once in 1,000 cycles."""
    chip = Chip(assemble(TICKS.format(sctlr=sctlr, clear=clear, body=body, period=1000)), said)
    assert chip.run(cycles) == "budget"
    return chip.registers()[15], chip


def test_waiting_for_an_event_may_never_end():
    assert ticks(Assumptions())[0] in (49, 50)
    assert ticks(Assumptions(wfe_wakes=False))[0] == 0
    assert ticks(Assumptions(wfe_wakes=False), sctlr=0)[0] in (49, 50)  # wfi does


def test_an_event_before_the_wait_may_be_lost():
    """1,500 cycles of other work, in which an interrupt comes, then a wait: with the latch it ends at once."""
    body = "2: li a4, 375\n1: addi a4, a4, -1\nbnez a4, 1b\nwfi\nj 2b"
    latched, lost = (ticks(Assumptions(wfe_latches=latch), body=body)[1].state.slept for latch in (True, False))
    assert latched == 0 and lost > 10_000


def test_a_request_that_lasts_is_served_once_or_for_ever():
    assert ticks(Assumptions(), sctlr=0, clear="")[0] > 1_000
    assert ticks(Assumptions(pending_until_served=True), sctlr=0, clear="")[0] == 1
    assert ticks(Assumptions(pending_until_served=True), sctlr=0)[0] in (49, 50)


def test_entering_an_interrupt_may_take_longer():
    """The same work beside 49 interrupts."""
    counts = []
    for more in (0, 5):
        chip = ticks(Assumptions(interrupt_entry_cycles=more), body="1: addi x4, x4, 1\nj 1b")[1]
        counts.append(chip.registers()[4])
    assert counts[0] - counts[1] == pytest.approx(49 * 5 / 4, abs=3)


def test_an_interrupt_that_is_masked_may_wake():
    text = TICKS.format(sctlr=0, clear="", period=1000, body="csrci mstatus, 8\nwfi\nebreak")
    with pytest.raises(ChipFault, match="off globally"):
        Chip(assemble(text)).run(5_000)
    assert Chip(assemble(text), Assumptions(masked_interrupt_wakes=True)).run(5_000) == "break"


# --- resets, memories, clocks -----------------------------------------------------------------------------------------

RESET = "li a0, 0xe000e048\nli a1, 0xbeef0080\nsw a1, 0(a0)\n"


@pytest.mark.parametrize("survives", [False, True])
def test_the_watchdog_may_survive_a_reset_by_software(survives):
    """Started, then one reset by software, then nobody feeds it: 1 ms."""
    text = f"""
    li a0, 0x40021024
    lw a1, 0(a0)
    srli a1, a1, 27
    andi a1, a1, 1
    beqz a1, 9f
    li a2, 1 << 24
    sw a2, 0(a0)
    li a0, 0x40003000
    li a1, 0x5555
    sw a1, 0(a0)
    sw x0, 4(a0)
    li a1, 31
    sw a1, 8(a0)
3:  lw a1, 12(a0)
    bnez a1, 3b
    li a1, 0xcccc
    sw a1, 0(a0)
    {RESET}
9:  j 9b
"""
    chip = Chip(assemble(text), Assumptions(watchdog_survives_reset=survives))
    chip.run(100_000)
    assert bool(chip.state.reset_flags & RESETS["watchdog"]) == survives and chip.state.resets == 2 + survives


@pytest.mark.parametrize("periods", [0, 5])
def test_what_the_watchdog_is_told_takes_a_while(periods):
    """Started at once it counts from its longest without a prescaler, 128 ms; STATR tells when it knows better."""
    text = """
    li a0, 0x40003000
    li a1, 0x5555
    sw a1, 0(a0)
    li a1, 1
    sw a1, 4(a0)
    li a1, 31
    sw a1, 8(a0)
    li a1, 0xcccc
    sw a1, 0(a0)
    lw a5, 12(a0)
1:  lw a4, 12(a0)
    bnez a4, 1b
    ebreak
"""
    chip = Chip(assemble(text), Assumptions(watchdog_update_periods=periods))
    assert chip.run() == "break" and chip.registers()[15] == (3 if periods else 0)
    assert chip.watchdog_left() == pytest.approx(0.128 if periods else 0.002, rel=0.03)
    assert periods / 128_000 <= chip.seconds < periods / 128_000 + 1e-5


@pytest.mark.parametrize("survives", [False, True])
def test_systick_may_run_on_through_a_reset(survives):
    text = f"""
    li a0, 0xe000f000
    lw a5, 8(a0)
    lw a4, 0(a0)
    li a2, {SRAM_BASE:#x}
    lw a3, 0(a2)
    bnez a3, 9f
    sw a2, 0(a2)
    li a1, 5
    sw a1, 0(a0)
    .rept 500
    nop
    .endr
    {RESET}
9:
"""
    chip = Chip(assemble(text + "ebreak\n"), Assumptions(systick_survives_reset=survives, sram_at_power_on="zeros"))
    assert chip.run(10_000) == "break"
    count, control = chip.registers()[15], chip.registers()[14]
    assert (count > 500, control) == ((True, 5) if survives else (False, 0))


def test_sram_holds_noise_when_the_power_comes():
    memory = {label: Chip(b"", Assumptions(sram_at_power_on=label)).read_memory(SRAM_BASE, SRAM_BYTES)
              for label in ("zeros", "ones", "noise")}
    assert memory["zeros"] == bytes(SRAM_BYTES) and memory["ones"] == b"\xff" * SRAM_BYTES
    ones = sum(byte.bit_count() for byte in memory["noise"]) / (8 * SRAM_BYTES)
    assert 0.47 < ones < 0.53 and len(set(memory["noise"])) > 250
    assert Chip(b"").read_memory(SRAM_BASE, SRAM_BYTES) == memory["noise"]
    assert Chip(b"", Assumptions(sram_seed=2)).read_memory(SRAM_BASE, SRAM_BYTES) != memory["noise"]


@pytest.mark.parametrize("taken, resets_until", [("at_once", 0), ("reset", 1), ("power_on", 2)])
def test_option_bytes_count_at_once_after_a_reset_or_after_power_on(taken, resets_until):
    chip = Chip(assemble("1: j 1b\n"), Assumptions(options_taken=taken))
    chip.state.info[128 + 2] = 0xF7 & ~1  # USER: the watchdog runs from the start
    for action in (lambda: chip.restart("pin"), chip.power_on)[: resets_until]:
        action()
    if taken == "at_once":
        chip.restart("pin")  # written from outside: the controller did not see it
    before = chip.state.resets
    chip.run(8_000_000)
    assert chip.state.resets > before


def test_the_boot_area_leaves_its_mark_in_the_causes_of_a_reset():
    text = "li a0, 0x40021024\nlw a5, 0(a0)\n"
    assert run(text)[15] == 0x1C000000 and run(text, Assumptions(boot_area_first=False))[15] == 0x0C000000
    chip = Chip(assemble(text + "li a1, 1 << 24\nsw a1, 0(a0)\nebreak\n"))
    assert chip.run() == "break"
    chip.restart("pin")
    assert chip.run() == "break" and chip.registers()[15] == 0x14000000


@pytest.mark.parametrize("ppm", [-20_000, 0, 20_000])
def test_time_outside_does_not_run_with_the_chips_clock(ppm):
    said = Assumptions(hsi_error_ppm=ppm)
    chip = Chip(assemble(CLOCK_24 + "1: j 1b\n"), said)
    chip.run(24_000_000)
    assert chip.seconds == pytest.approx(1 / (1 + ppm / 1e6), rel=1e-4)
    assert chip.state.clock_hz == pytest.approx(24_000_000 * (1 + ppm / 1e6), rel=1e-4)


@pytest.mark.parametrize("ppm, heard", [(-60_000, False), (-40_000, True), (0, True), (35_000, True), (60_000, False)])
def test_a_byte_is_heard_and_said_while_clocks_differ_by_less_than_4_percent(ppm, heard):
    """Half a bit in nine and a half is 5 %; looking three times takes some of it."""
    wait = "1: lw a1, 0(a0)\nandi a1, a1, 32\nbeqz a1, 1b\nlw a5, 4(a0)\n"
    for byte in (0x00, 0x55, 0x80, 0xFF):
        chip = Chip(assemble(PORT + wait + "2: li a1, 0x55\nsw a1, 4(a0)\n3: j 3b\n"), Assumptions(hsi_error_ppm=ppm))
        chip.take_time()
        chip.run(2_000)
        chip.send(bytes([byte]))
        chip.run(20_000)
        if byte == 0x80 or heard:
            assert (chip.registers()[15] == byte and chip.received() == b"\x55") == heard, byte


def test_a_crystal_does_not_drift_and_may_be_absent():
    text = "li a0, 0x40021000\nli a1, 0x10083\nsw a1, 0(a0)\nlw a5, 0(a0)\n" \
           "li a1, 1\nsw a1, 4(a0)\nlw a4, 4(a0)\n1: j 1b\n"
    for crystal in (True, False):
        chip = Chip(assemble(text), Assumptions(crystal=crystal, hsi_error_ppm=20_000))
        chip.run(1_000)
        assert chip.registers()[15] >> 17 & 1 == crystal and chip.registers()[14] == (5 if crystal else 1)
        assert (chip.state.clock_hz == 24_000_000) == crystal


def test_the_hsi_can_be_trimmed():
    """HSITRIM, a quarter of a percent a step: what is 2 % too fast is right eight steps lower."""
    chip = Chip(assemble(CLOCK_24 + f"li a0, 0x40021000\nli a1, {8 << 3 | 3}\nsw a1, 0(a0)\n1: j 1b\n"),
                Assumptions(hsi_error_ppm=20_000))
    chip.run(1_000)
    assert chip.state.clock_hz == 24_000_000


@pytest.mark.parametrize("hz", [100_000, 128_000, 150_000])
def test_the_watchdog_counts_its_own_clock(hz):
    start = "".join(f"li a1, {value}\nsw a1, {offset}(a0)\n"
                    for offset, value in ((0, 0x5555), (4, 0), (8, 31), (0, 0xCCCC)))
    chip = Chip(assemble(CLOCK_24 + f"li a0, 0x40003000\n{start}1: j 1b\n"), Assumptions(lsi_hz=hz))
    chip.run(10_000_000)
    assert chip.seconds / (chip.state.resets - 1) == pytest.approx(128 / hz, rel=0.05)


# --- peripherals ------------------------------------------------------------------------------------------------------

ADC = CLOCK_24 + """
    li a0, 0x40021018
    li a1, 1 << 9
    sw a1, 0(a0)
    li a0, 0x40012400
    li a1, 1
    sw a1, 8(a0)
"""
CONVERT = "li a1, 0x4e0001\nsw a1, 8(a0)\n3: lw a1, 0(a0)\nandi a1, a1, 2\nbeqz a1, 3b\nlw {}, 0x4c(a0)\n"


def test_calibrating_takes_its_time_and_without_it_the_adc_is_off():
    calibrate = "".join(f"li a1, {1 | bit}\nsw a1, 8(a0)\n2: addi a4, a4, 1\nlw a1, 8(a0)\nandi a1, a1, {bit}\n"
                        "bnez a1, 2b\n" for bit in (8, 4))
    text = ADC + CONVERT.format("a5") + "li a4, 0\n" + calibrate + CONVERT.format("a3")
    x = run(text)
    assert (x[15], x[13]) == (512 + 12, 512) and 2 * 84 * 2 <= 7 * x[14] < 2 * 84 * 2 + 3 * 7  # 7 cycles a turn
    assert run(text, Assumptions(adc_offset=-12))[15] == 500
    assert run(text, Assumptions(adc_calibration_clocks=0))[14] == 2


def test_a_calibration_that_does_not_wait_for_the_first_is_lost():
    text = ADC + "li a1, 9\nsw a1, 8(a0)\nli a1, 5\nsw a1, 8(a0)\n.rept 3000\nnop\n.endr\n" + CONVERT.format("a5")
    assert run(text)[15] == 524 and run(text, Assumptions(adc_calibration_clocks=0))[15] == 512


def test_the_dma_may_take_cycles_from_the_core():
    """100 words from memory to memory, all at once."""
    text = """
    li a0, 0x40021014
    li a1, 5
    sw a1, 0(a0)
    li a0, 0x40020000
    li a1, 100
    sw a1, 12(a0)
    li a1, 0x20000000
    sw a1, 16(a0)
    li a1, 0x20000200
    sw a1, 20(a0)
    li a1, 0x4ac1
    sw a1, 8(a0)
    lw a5, 0(a0)
    ebreak
"""
    cycles = []
    for steal in (0, 3):
        chip = Chip(assemble(text), Assumptions(dma_steals_cycles=steal))
        assert chip.run() == "break" and chip.registers()[15] & 2
        assert chip.read_memory(SRAM_BASE, 400) == chip.read_memory(SRAM_BASE + 0x200, 400)
        cycles.append(chip.cycles)
    assert cycles[1] - cycles[0] == 300


def test_erasing_may_take_longer():
    keys = "".join(f"li a1, {key:#x}\nsw a1, 4(a0)\n" for key in (0x45670123, 0xCDEF89AB))
    text = f"li a0, 0x40022000\n{keys}li a1, 2\nsw a1, 16(a0)\n" \
           "li a1, 0x08002000\nsw a1, 20(a0)\nli a1, 0x42\nsw a1, 16(a0)\n"
    for us in (0, 3000, 6000):
        chip = Chip(assemble(text + "ebreak\n"), Assumptions(flash_us=us))
        assert chip.run() == "break"
        assert chip.cycles == pytest.approx(8 * us, abs=100)


FLASH_KEYS = "li a0, 0x40022000\n" + "".join(f"li a1, {key:#x}\nsw a1, 4(a0)\nsw a1, 36(a0)\n"
                                             for key in (0x45670123, 0xCDEF89AB))
ERASE = FLASH_KEYS + "li a1, 0x20000\nsw a1, 16(a0)\nli a1, 0x08002000\nsw a1, 20(a0)\n" \
                     "li a1, 0x20040\nsw a1, 16(a0)\n"
"""A page, its STRT last; a0 is at the registers."""
WAIT = "1: lw a5, 12(a0)\nandi a5, a5, 1\nbnez a5, 1b\n"
FLASH_US, FLASH_CYCLES = 3_000, 24_000
"""At 8 MHz."""


def in_ram(text: str, said: Assumptions | None = None) -> Chip:
    """A chip that begins with this program in RAM. Its flash has an ebreak at 0, and behind it a word."""
    chip = Chip(assemble(".option norvc\nebreak\n.word 0x1234\n"), said)
    chip.state.flash[0x2000:0x2080] = bytes(128)
    code = assemble(text + "\nebreak\n")
    chip.state.sram[: len(code)] = code
    chip.state.pc = SRAM_BASE
    return chip


@pytest.mark.parametrize("late", [0, 4])
def test_code_in_ram_sees_bsy_and_runs_on(late):
    """Turns of a loop while it is busy, at 7 cycles, then EOP. A BSY that comes late is missed by who looks at once."""
    text = ERASE + "li a2, 0\nnop\nnop\nnop\n1: addi a2, a2, 1\nlw a5, 12(a0)\nandi a4, a5, 1\nbnez a4, 1b\n"
    chip = in_ram(text, Assumptions(bsy_late_cycles=late))
    assert chip.run() == "break"
    assert chip.registers()[12] == pytest.approx(FLASH_CYCLES / 7, abs=2) and chip.registers()[15] & 0x20
    assert chip.read_memory(0x2000, 128) == b"\xff" * 64 + bytes(64)
    chip = in_ram(ERASE + "lw a5, 12(a0)\n", Assumptions(bsy_late_cycles=late))
    assert chip.run() == "break" and chip.registers()[15] & 0x21 == (0 if late else 1)


def test_code_in_flash_never_sees_bsy():
    chip = Chip(assemble(ERASE + "lw a5, 12(a0)\nebreak\n"))
    assert chip.run() == "break" and chip.registers()[15] & 0x21 == 0x20


@pytest.mark.parametrize("second", ["li a1, 0x20040\nsw a1, 16(a0)\n", "li a1, 0x10000\nsw a1, 16(a0)\n",
                                    "li a1, 0x08002040\nsw a1, 20(a0)\n", "li a1, 0x08002040\nsw a1, 0(a1)\n"],
                         ids=["start", "mode", "address", "word"])
def test_what_does_not_wait_for_bsy_stops(second):
    with pytest.raises(ChipFault, match="still busy"):
        in_ram(ERASE + second).run()
    if "(a1)" not in second:  # a word is only taken while programming is switched on
        assert in_ram(ERASE + WAIT + second).run() == "break"


@pytest.mark.parametrize("waits", [False, True])
def test_the_page_buffer_takes_a_moment_that_code_in_ram_waits_for(waits):
    wait = WAIT if waits else ""
    text = FLASH_KEYS + "li a1, 0x10000\nsw a1, 16(a0)\nli a1, 0x90000\nsw a1, 16(a0)\n" + wait + \
        "li a2, 0x08002000\nli a1, 0x50000\nli a3, 16\n" \
        "2: sw a3, 0(a2)\nsw a1, 16(a0)\naddi a2, a2, 4\naddi a3, a3, -1\n" + wait + "bnez a3, 2b\n"
    if waits:
        assert in_ram(text).run() == "break"
        return
    with pytest.raises(ChipFault, match="still busy"):
        in_ram(text).run()
    assert Chip(assemble(text + "ebreak\n")).run() == "break"  # in flash it stands still


@pytest.mark.parametrize("reads", ["lw a5, 4(x0)\n", "li a4, 0x1ffff800\nlw a5, 0(a4)\n", "jr x0\n"],
                         ids=["a word", "option bytes", "an instruction"])
def test_what_is_read_from_busy_flash_comes_when_it_is_done(reads):
    chip = in_ram(ERASE + reads)
    assert chip.run() == "break" and chip.cycles == pytest.approx(FLASH_CYCLES, abs=150)
    free = in_ram(ERASE + f"li a4, {SRAM_BASE:#x}\nlw a5, 0(a4)\n")
    assert free.run() == "break" and free.cycles < 150


def test_an_interrupt_whose_handler_is_in_flash_waits_until_it_is_done():
    """SysTick's, 100 cycles into the erasing; the handler is the ebreak at 0."""
    tick = "li a2, 0xe000f000\nli a1, 100\nsw a1, 16(a2)\nsw x0, 8(a2)\nli a3, 0xe000e100\nli a4, 0x1000\n" \
           "sw a4, 0(a3)\ncsrw mtvec, x0\nli a4, 0x88\ncsrs mstatus, a4\nli a1, 7\nsw a1, 0(a2)\n"
    chip = in_ram(tick + ERASE + "1: j 1b\n")
    assert chip.run(1_000_000) == "break" and chip.state.pc == 0
    assert FLASH_CYCLES < chip.cycles < FLASH_CYCLES + 300


@pytest.mark.parametrize("alone", [False, True])
def test_an_overrun_is_cleared_by_the_status_then_the_data(alone):
    """Three bytes that nobody fetches, then the data alone, then the status and the data."""
    text = PORT + "li a1, 3000\n1: addi a1, a1, -1\nbnez a1, 1b\n" \
                  "lw a1, 4(a0)\nlw a5, 0(a0)\nlw a1, 4(a0)\nlw a4, 0(a0)\n"
    chip = Chip(assemble(text + "ebreak\n"), Assumptions(ore_by_data_alone=alone))
    chip.take_time()
    chip.send(b"abc")
    assert chip.run() == "break"
    assert chip.registers()[15] & 8 == (0 if alone else 8) and chip.registers()[14] & 8 == 0


def test_our_own_stops_can_be_lifted():
    text = "li a0, 0x40011400\nli a1, 3\nsw a1, 0(a0)\nlw a5, 0(a0)\n"
    with pytest.raises(ChipFault, match="clock is off"):
        run(text)
    assert run(text, Assumptions(unclocked_access="ignored"))[15] == 0
    fast = "li a0, 0x40021000\nli a1, 0x01000001\nsw a1, 0(a0)\nli a1, 2\nsw a1, 4(a0)\n"
    with pytest.raises(ChipFault, match="no flash wait state"):
        run(fast)
    run(fast, Assumptions(overclocked_flash="works"))
