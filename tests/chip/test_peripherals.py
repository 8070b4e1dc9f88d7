"""Around the core: interrupts and sleep, timer -> ADC -> DMA, serial timing, flash, resets. Programs in assembly."""

import numpy as np
import pytest

from tinyspeech import toolchain
from tinyspeech.chip.assumptions import Assumptions, assuming
from tinyspeech.chip.emulator import FLASH_BYTES, INFO_BASE, RESETS, Chip, ChipFault
from tinyspeech.toolchain.elf import SRAM_BASE

pytestmark = pytest.mark.usefixtures("the_table")

HEAD = '.option norelax\n.section .init, "ax", @progbits\n.globl reset\nreset:\nj start\n'


def poke(*writes) -> str:
    """Assembly of register writes: (address, value) pairs. Uses a0 and a1."""
    return "".join(f"li a0, {address:#x}\nli a1, {value:#x}\nsw a1, 0(a0)\n" for address, value in writes)


CLOCK_24 = poke((0x40021004, 0))
"""HSI undivided."""
TABLE, UNMASK = "csrwi mtvec, 3\n", "li x5, 0x88\ncsrs mstatus, x5\n"
INTERRUPTS_ON = TABLE + UNMASK
"""MIE is only taken together with MPIE. Uses x5."""


@pytest.fixture
def assemble(tmp_path):
    """Assembly text behind a table of interrupt handlers {number: label} -> chip with it in flash."""

    def build(text: str, handlers: dict[int, str] | None = None) -> Chip:
        table = "".join(f".org {4 * n}\n.word {label}\n" for n, label in sorted((handlers or {}).items()))
        source = tmp_path / "program.S"
        source.write_text(f"{HEAD}{table}.org 160\nstart:\n{text}\nebreak\n")
        return Chip(toolchain.build_firmware([source], "program").bin.read_bytes())

    return build


def word(chip: Chip, address: int) -> int:
    return int.from_bytes(chip.read_memory(address, 4), "little")


# --- interrupts and sleep ---------------------------------------------------------------------------------------------

SYSTICK = {"ctlr": 0xE000F000, "sr": 0xE000F004, "cmp": 0xE000F010}
COUNT_TICKS = """
    j forever
tick:
    li a2, 0xe000f004
    sw x0, 0(a2)
    addi a5, a5, 1
    mret
forever:
"""


def test_systick_interrupts_a_loop_at_every_compare(assemble):
    """1,000 cycles a tick, reloading: the count after 100,000 cycles, and the loop goes on where it was."""
    chip = assemble(CLOCK_24 + COUNT_TICKS + "li a5, 0\nli x6, 0\n" + INTERRUPTS_ON
                    + poke((0xE000E100, 1 << 12), (SYSTICK["cmp"], 1000), (SYSTICK["ctlr"], 0xF))
                    + "1: addi x6, x6, 1\nj 1b\n", {12: "tick"})
    began = chip.cycles
    assert chip.run(100_000) == "budget"
    assert chip.registers()[15] in (99, 100)
    assert chip.registers()[6] > 20_000 and chip.cycles - began < 100_010


def test_sleep_ends_with_the_interrupt_and_passes_the_time(assemble):
    chip = assemble(CLOCK_24 + COUNT_TICKS + "li a5, 0\n" + INTERRUPTS_ON
                    + poke((0xE000E100, 1 << 12), (SYSTICK["cmp"], 24_000), (SYSTICK["ctlr"], 0xF))
                    + "li x6, 10\n1: wfi\nblt a5, x6, 1b\n", {12: "tick"})
    assert chip.run() == "break"
    assert chip.registers()[15] == 10
    assert 10 * 24_000 <= chip.cycles < 10 * 24_000 + 300
    assert chip.state.slept / chip.cycles > 0.99


def test_an_interrupt_costs_a_jump_and_a_load_and_masks_others(assemble):
    """From the software trigger to behind mret: 4 + 3 + 2 in, 3 out (no wait state), and the handler's instructions."""
    program = CLOCK_24 + INTERRUPTS_ON + poke((0xE000E100, 1 << 14)) + """
    li a0, 0xe000e200
    li a1, 0x4000
    sw a1, 0(a0)
    j done
    .balign 4
handler:
    csrr a5, mstatus
    csrr a4, mcause
    mret
done:
"""
    chip = assemble(program, {14: "handler"})
    assert chip.run() == "break"
    taken = chip.cycles
    assert chip.registers()[15] & 0x88 == 0x80 and chip.registers()[14] == 0x8000000E
    quiet = assemble(program.replace("csrs mstatus, x5", "nop"), {14: "handler"})
    assert quiet.run() == "break"
    assert taken - quiet.cycles == 4 + 3 + 2 + 1 + 1 + 3


def test_the_more_urgent_interrupt_comes_first(assemble):
    text = TABLE + "li x5, 0x88\n" + """
    li a0, 0xe000e400
    li a1, 0x80
    sb a1, 12(a0)
    li a0, 0xe000e100
    li a1, 0x5000
    sw a1, 0(a0)
    sw a1, 0x100(a0)
    li a5, 0
    csrs mstatus, x5
    j done
first: slli a5, a5, 4
    ori a5, a5, 1
    mret
second: slli a5, a5, 4
    ori a5, a5, 2
    mret
done:
"""
    chip = assemble(text, {12: "first", 14: "second"})
    assert chip.run() == "break"
    assert chip.registers()[15] == 0x21  # 14 has the lower value, so 12 waits


@pytest.fixture
def latch():
    with assuming(Assumptions(wfe_latches=True)):
        yield


def test_waiting_for_an_event_does_not_lose_one_that_came_before(assemble, latch):
    """WFITOWFE and SEVONPEND: with the latch the first wfi finds the event, the second sleeps until the next."""
    chip = assemble(CLOCK_24 + poke((0xE000ED10, 0x18), (SYSTICK["cmp"], 5000), (SYSTICK["ctlr"], 0xF))
                    + ".rept 6000\nnop\n.endr\nwfi\nli a0, 0xe000f004\nsw x0, 0(a0)\nwfi\n")
    assert chip.run() == "break"
    assert 9_900 < chip.cycles < 10_100 and 3_000 < chip.state.slept < 4_100


@pytest.mark.parametrize("period", range(21, 40))  # below, there is time for nothing but the handler
def test_an_event_in_the_very_cycle_of_falling_asleep_wakes(assemble, latch, period):
    """At every distance from event to sleep: a line that fell while the core was awake is new when it rises again."""
    chip = assemble(CLOCK_24 + COUNT_TICKS + "li a5, 0\n" + INTERRUPTS_ON
                    + poke((0xE000E100, 1 << 12), (0xE000ED10, 8), (SYSTICK["cmp"], period), (SYSTICK["ctlr"], 0xF))
                    + "li x6, 500\n1: wfi\nblt a5, x6, 1b\n", {12: "tick"})
    assert chip.run(100_000) == "break"
    assert chip.registers()[15] == 500


# --- timer, ADC, DMA --------------------------------------------------------------------------------------------------

ADC, TIM1, DMA = 0x40012400, 0x40012C00, 0x40020000
BUFFER, LENGTH = SRAM_BASE + 0x100, 32


CALIBRATE = "".join(poke((ADC + 8, 1 | bit)) + f"1: lw a1, 0(a0)\nandi a1, a1, {bit}\nbnez a1, 1b\n" for bit in (8, 4))
"""Forget the calibration, then calibrate, each until it is over."""


def sampler(period: int = 3000, prescaler: int = 0, control: int = 0x0010_0101) -> str:
    """TIM1's update triggers the ADC at 24 MHz / period, DMA fills a ring and interrupts at its half and its end."""
    return CLOCK_24 + INTERRUPTS_ON + poke(
        (0x40021014, 5), (0x40021018, 1 << 9 | 1 << 11 | 1 << 4), (0xE000E100, 1 << 22),
        (DMA + 0x10, ADC + 0x4C), (DMA + 0x14, BUFFER), (DMA + 0x0C, LENGTH), (DMA + 0x08, 0x05A7),
        (ADC + 0x08, 1)) + CALIBRATE + poke(
        (ADC + 0x34, 2), (ADC + 0x10, 3 << 6), (ADC + 0x08, control),
        (TIM1 + 0x28, prescaler), (TIM1 + 0x2C, period - 1), (TIM1 + 0x04, 0x20), (TIM1 + 0x14, 1), (TIM1, 1),
    ) + """
    li a4, 0
    li a5, 0
1:  wfi
    j 1b
handler:
    li a2, 0x40020000
    lw a3, 0(a2)
    sw a3, 4(a2)
    andi x5, a3, 4
    beqz x5, 2f
    addi a4, a4, 1
2:  andi x5, a3, 2
    beqz x5, 3f
    addi a5, a5, 1
3:  mret
"""


def sine(rate_hz: int, seconds: float, hz: float, amplitude: int) -> np.ndarray:
    t = np.arange(int(rate_hz * seconds)) / rate_hz
    return (32768 + amplitude * np.sin(2 * np.pi * hz * t)).astype(np.uint16)


def test_the_microphone_arrives_in_the_ring_at_the_timers_rate(assemble):
    """8,000 samples a second, half and full interrupts, asleep in between, and the 10 bits are the signal's."""
    chip = assemble(sampler(), {22: "handler"})
    chip.connect_microphone(sine(192_000, 1.0, 440, 20_000), 192_000)
    assert chip.run(24_000_000 // 10) == "budget"
    assert abs(chip.state.conversions - 800) <= 1
    halves, ends = chip.registers()[14:16]
    assert halves == 25 and ends in (24, 25)
    assert chip.state.slept / chip.cycles > 0.98
    ring = np.frombuffer(chip.read_memory(BUFFER, 2 * LENGTH), np.uint16)
    last = chip.state.conversions
    order = [(last - LENGTH + i) % LENGTH for i in range(LENGTH)]  # oldest first
    found = ring[order].astype(float)
    t = (last - LENGTH + np.arange(LENGTH)) / 8000
    fits = [np.abs(found - (512 + 312.5 * np.sin(2 * np.pi * 440 * (t + shift)))).max()
            for shift in np.linspace(0, 3e-4, 301)]
    assert min(fits) < 1.2  # quantisation, wherever in the first 300 us the timer began


def test_without_a_microphone_the_adc_reads_half_the_supply(assemble):
    chip = assemble(sampler(), {22: "handler"})
    chip.run(24_000_000 // 100)
    assert set(np.frombuffer(chip.read_memory(BUFFER, 2 * LENGTH), np.uint16)) == {512}
    chip.connect_microphone(np.full(100, 65535, np.uint16), 100_000)  # a millisecond
    chip.run(24_000_000 // 100)
    assert set(np.frombuffer(chip.read_memory(BUFFER, 2 * LENGTH), np.uint16)) <= {512, 1023}


def test_compare_events_trigger_as_well_and_prescalers_divide(assemble):
    text = sampler(300, 9, 0x0012_0101).replace("li a4, 0\n", poke((TIM1 + 0x34, 100), (TIM1 + 0x20, 1)) + "li a4, 0\n")
    chip = assemble(text, {22: "handler"})
    chip.run(24_000_000 // 10)
    assert abs(chip.state.conversions - 800) <= 1


def test_a_trigger_that_comes_too_early_is_lost(assemble):
    """41 ADC clocks of 2 cycles a conversion: a timer of 50 cycles is heard every second time."""
    chip = assemble(sampler(50), {22: "handler"})
    chip.run(240_000)
    assert abs(chip.state.conversions - chip.state.dropped_triggers) < 5
    assert abs(chip.state.conversions - 2_400) < 10


def test_a_conversion_by_software_takes_its_clocks(assemble):
    """Sampling 43 + 11 clocks of HCLK / 2, polled."""
    chip = assemble(CLOCK_24 + poke((0x40021018, 1 << 9), (ADC + 0x08, 1)) + CALIBRATE
                    + poke((ADC + 0x10, 4 << 24), (ADC + 0x34, 8), (ADC + 0x08, 0x004E_0001)) + """
1:  lw a2, -8(a0)
    andi a2, a2, 2
    beqz a2, 1b
    lw a3, 0x44(a0)
    lw a4, -8(a0)
""")
    assert chip.run() == "break"
    x = chip.registers()
    assert x[13] == 1200 * 1024 // 3300 and x[14] & 2 == 0  # the reference; reading clears EOC


@pytest.mark.parametrize("text, reason", [
    (poke((0x40020008, 1)), "clock is off"),
    (poke((0x4002101C, 1 << 21), (0x40005400, 1)), r"not emulated \(I2C1_CTLR1\); tinyspeech/chip/core"),
    (poke((0x40021018, 1 << 11), (TIM1, 0x11)), "setting"),  # counting down
    (poke((0x40021018, 1 << 11), (TIM1 + 8, 7)), "setting"),  # slave mode
    (poke((0x40021018, 1 << 9), (ADC + 8, 1 << 21)), "setting"),  # injected
    (poke((0x40021018, 1 << 9), (ADC + 8, 1), (ADC + 0x2C, 1 << 20), (ADC + 8, 0x4E0001)), "setting"),  # a sequence
    (poke((0x40021018, 1), (0x40010004, 1 << 6)), "setting"),  # AFIO: a timer's pins elsewhere
    (poke((0xE000ED10, 4)), "setting"),  # standby
    ("csrwi 0x804, 4\n", "setting"),  # neither hardware stacking nor nesting
    (sampler().replace(f"{BUFFER:#x}", "0x20000800"), "DMA to or from"),
    (poke((0x40022010, 0x40)), "write to flash"),  # erase without the keys
])
def test_what_is_not_there_stops_the_chip(assemble, text, reason):
    chip = assemble(text, {22: "start"})
    with pytest.raises(ChipFault, match=reason):
        chip.run(10_000_000)


# --- serial port ------------------------------------------------------------------------------------------------------

USART = 0x40013800
SERIAL = CLOCK_24 + poke((0x40021018, 1 << 14 | 1 << 5), (0x40011400, 0x44B44444),
                         (USART + 8, 208), (USART + 12, 0x200C))
"""115,385 baud at 24 MHz."""
BYTE_CYCLES = 2080


def test_bytes_take_ten_bits_each_way(assemble):
    """An echo in a loop: four bytes in a row come back after five times ten bits, and none is lost."""
    chip = assemble(SERIAL + """
1:  lw a1, -12(a0)
    andi a1, a1, 32
    beqz a1, 1b
    lw a2, -8(a0)
    sw a2, -8(a0)
    j 1b
""")
    chip.take_time()
    chip.run(1_000)
    began = chip.cycles
    chip.send(b"echo")
    times, heard = [], b""
    while len(heard) < 4:
        chip.run(100)
        if new := chip.received():
            heard += new
            times.append((chip.cycles - began) / BYTE_CYCLES)
    assert heard == b"echo" and chip.state.overruns == 0
    assert times == pytest.approx([2, 3, 4, 5], abs=0.1)


def test_a_byte_that_nobody_fetches_loses_the_next(assemble):
    chip = assemble(SERIAL + "1: j 1b\n")
    chip.take_time()
    chip.run(1_000)
    chip.send(b"abc")
    chip.run(10 * BYTE_CYCLES)
    assert chip.state.overruns == 2


def test_a_wrong_baud_rate_gives_wrong_bytes(assemble):
    program = SERIAL + "1: lw a1, -12(a0)\nandi a1, a1, 32\nbeqz a1, 1b\nlw a2, -8(a0)\n"
    for brr, same in ((208, True), (214, True), (250, False)):
        chip = assemble(program.replace("li a1, 0xd0", f"li a1, {brr:#x}"))
        chip.take_time()
        chip.run(1_000)
        chip.send(b"x")
        assert chip.run() == "break"
        assert (chip.registers()[12] == ord("x")) == same


@pytest.mark.parametrize("timed", [False, True])
def test_a_byte_wakes_a_sleeping_core(assemble, timed):
    chip = assemble(SERIAL.replace("0x200c", "0x202c") + INTERRUPTS_ON + poke((0xE000E104, 1)) + """
1:  wfi
    j 1b
handler:
    li a2, 0x40013800
    lw a3, 0(a2)
    lw a4, 4(a2)
    sw a4, 4(a2)
    mret
""", {32: "handler"})
    chip.take_time(timed)
    assert chip.run(50_000) == ("budget" if timed else "starved")
    chip.send(b"hi")
    heard = b""
    for _ in range(4):
        chip.run(BYTE_CYCLES)
        heard += chip.received()
    assert heard == b"hi"


# --- flash, resets, watchdog ------------------------------------------------------------------------------------------

KEYS = (0x45670123, 0xCDEF89AB)
UNLOCK = poke(*((0x40022004, k) for k in KEYS), *((0x40022024, k) for k in KEYS))
PAGE = 0x0800_2000
LOADS = [step for i in range(16) for step in ((PAGE + 4 * i, 0x1000 + i), (0x40022010, 0x50000))]


def test_a_page_is_erased_and_programmed_with_its_keys(assemble):
    chip = assemble(UNLOCK + poke(
        (0x40022010, 0x20000), (0x40022014, PAGE), (0x40022010, 0x20040), (0x40022010, 0),
        (0x40022010, 0x10000), (0x40022010, 0x90000),
        *LOADS,
        (0x40022014, PAGE), (0x40022010, 0x10040), (0x40022010, 0)) + "lw a5, -4(a0)\n")
    chip.state.flash[0x2000:0x2100] = bytes(256)
    before = chip.cycles
    assert chip.run() == "break"
    page = np.frombuffer(chip.read_memory(0x2000, 64), "<u4")
    assert page.tolist() == [0x1000 + i for i in range(16)]
    assert chip.read_memory(0x2040, 64) == bytes(64)  # the neighbour
    assert chip.registers()[15] & 0x20  # EOP
    assert chip.cycles - before > 2 * 0.003 * 8_000_000


def test_programming_can_only_clear_bits_and_protected_pages_stay(assemble):
    loads = [(at, 0x0F0F0F0F if at < 0x4000_0000 else value) for at, value in LOADS]
    program = poke((0x40022010, 0x10000), (0x40022010, 0x90000), *loads,
                   (0x40022014, PAGE), (0x40022010, 0x10040))
    chip = assemble(UNLOCK + program + "lw a5, -4(a0)\n")
    chip.state.flash[0x2000:0x2040] = b"\xf3" * 64
    assert chip.run() == "break"
    assert chip.read_memory(0x2000, 64) == b"\x03" * 64
    chip = assemble(UNLOCK + program + "lw a5, -4(a0)\n")
    chip.state.info[128 + 10] = 0xFE  # WRPR1, first bit: 8 KB .. 9 KB
    chip.power_on()
    assert chip.run() == "break"
    assert chip.read_memory(0x2000, 64) == b"\xff" * 64 and chip.registers()[15] & 0x10


def test_a_word_that_is_not_loaded_is_not_programmed(assemble):
    """All words stored, then one BUFLOAD: the last alone is in the buffer."""
    chip = assemble(UNLOCK + poke((0x40022010, 0x10000), (0x40022010, 0x90000),
                                  *(step for step in LOADS if step[0] < 0x4000_0000), (0x40022010, 0x50000),
                                  (0x40022014, PAGE), (0x40022010, 0x10040)))
    chip.state.flash[0x2000:0x2040] = b"\xff" * 64
    assert chip.run() == "break"
    assert chip.read_memory(0x2000, 64) == b"\xff" * 60 + (0x100F).to_bytes(4, "little")


@pytest.mark.parametrize("early", [0x90000, 0x50000, 0x10040, 0x20040])
def test_a_mode_is_switched_on_before_it_is_used(assemble, early):
    chip = assemble(UNLOCK + poke((0x40022014, PAGE), (0x40022010, early)))
    with pytest.raises(ChipFault, match="setting"):
        chip.run()


def test_option_bytes_are_erased_and_programmed_with_their_inverse(assemble):
    options = INFO_BASE + 128
    chip = assemble(UNLOCK + poke(*((0x40022008, k) for k in KEYS), (0x40022010, 0x220), (0x40022010, 0x260),
                                  (0x40022010, 0x210)) + f"li a0, {options:#x}\nli a1, 0xa5\nsh a1, 0(a0)\n"
                    "li a1, 0xd7\nsh a1, 2(a0)\n")
    assert chip.run() == "break"
    assert chip.read_memory(options, 6) == bytes([0xA5, 0x5A, 0xD7, 0x28, 0xFF, 0xFF])


BOOT = poke(*((0x40022028, k) for k in KEYS), (0x4002200C, 0x4000)) + "li a0, 0x40021024\nlw a1, 0(a0)\n" \
    "li a2, 0x1000000\nor a1, a1, a2\nsw a1, 0(a0)\n" + poke((0xE000E048, 0xBEEF0080))


def test_software_reaches_the_boot_area_and_comes_back(assemble):
    chip = assemble(BOOT)
    assert chip.state.reset_flags == RESETS["power"] | RESETS["pin"] | RESETS["software"]
    assert chip.run() == "boot" and chip.run() == "boot"
    assert chip.state.in_boot and chip.state.reset_flags == RESETS["software"]
    chip.restart("software")
    assert chip.state.in_boot == 0 and chip.state.pc == 0
    assert chip.run() == "boot"


@pytest.mark.parametrize("text, start_mode", [
    (BOOT.replace("li a2, 0x1000000", "li a2, 0"), True),  # the flags of power-on are still there
    (BOOT.replace("0xcdef89ab", "0xcdef89aa"), True),
    (BOOT, False),
])
def test_without_every_condition_the_boot_area_is_left_at_once(assemble, text, start_mode):
    count = f"li a3, {SRAM_BASE:#x}\nlw a4, 0(a3)\naddi a4, a4, 1\nsw a4, 0(a3)\nli a5, 2\nbeq a4, a5, 9f\n"
    chip = assemble(count + text + "9:\n")
    chip.state.info[128 + 2] = 0xF7 if start_mode else 0xD7
    chip.power_on()
    chip.state.sram[:4] = bytes(4)
    assert chip.run() == "break"
    assert chip.state.resets == 2 and word(chip, SRAM_BASE) == 2  # SRAM outlives a reset


def test_the_watchdog_resets_a_program_that_forgets_it(assemble):
    """LSI 128 kHz / 4, 32 ticks: a millisecond. Fed in time it stays quiet."""
    start = CLOCK_24 + poke((0x40003000, 0x5555), (0x40003004, 0), (0x40003008, 31), (0x40003000, 0xCCCC))
    chip = assemble(start + "li a1, 0xaaaa\n1: sw a1, 0(a0)\nj 1b\n")
    chip.run(1_000_000)
    assert chip.state.resets == 1
    chip = assemble(start + "1: j 1b\n")
    chip.run(1_000_000)
    assert chip.state.resets > 30 and chip.state.reset_flags & RESETS["watchdog"]
    assert abs(chip.seconds / (chip.state.resets - 1) - 1e-3) < 1e-4


def test_power_off_forgets_ram_and_keeps_flash(assemble):
    chip = assemble("li a0, 0x20000000\nsw a0, 0(a0)\n")
    image = chip.read_memory(0, FLASH_BYTES)
    assert chip.run() == "break" and word(chip, SRAM_BASE)
    chip.power_on()
    assert word(chip, SRAM_BASE) != SRAM_BASE and chip.cycles == 0 and chip.read_memory(0, FLASH_BYTES) == image
    assert chip.run() == "break"


def test_time_is_counted_across_changes_of_the_clock(assemble):
    """4,000 cycles at 8 MHz and 24,000 at 24 MHz are one and a half milliseconds."""
    chip = assemble(".rept 3990\nnop\n.endr\n" + CLOCK_24 + "li a1, 6000\n1: addi a1, a1, -1\nbnez a1, 1b\n")
    assert chip.run() == "break"
    assert chip.seconds == pytest.approx(1.5e-3, rel=0.01)
