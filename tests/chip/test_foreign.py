"""What programs that were not written here need of the chip, each as a small program of our own: start-up code, WCH's
instructions, control registers, interrupts within interrupts, pins, timers, the DMA.

Registers and bits: WCH's reference manual; what start-up code writes: read in ch32fun and WCH's own, and written anew.
"""

import subprocess
import sys

import pytest
from elftools.elf.elffile import ELFFile

from tinyspeech import toolchain
from tinyspeech.chip.assumptions import Assumptions
from tinyspeech.chip.emulator import INFO_BASE, Chip, ChipFault
from tinyspeech.toolchain import SRAM_BASE, assemble

pytestmark = pytest.mark.usefixtures("the_table")


def run(text: str, said: Assumptions | None = None, cycles: int = 1_000_000) -> Chip:
    """A program up to its ebreak."""
    chip = Chip(assemble(text + "\nebreak\n"), said)
    assert chip.run(cycles) == "break"
    return chip


def poke(*writes: tuple[int, int]) -> str:
    """Assembly of register writes; uses a0 and a1."""
    return "".join(f"li a0, {address:#x}\nli a1, {value:#x}\nsw a1, 0(a0)\n" for address, value in writes)


def table(handlers: dict[int, str]) -> str:
    """A jump over a table of handlers, which stands at 0."""
    return "j start\n" + "".join(f".org {4 * n}\n.word {label}\n" for n, label in sorted(handlers.items())) \
        + ".org 160\n"


# --- the core ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def xw(tmp_path_factory):
    """{assembly: halfword} of WCH's own instructions, as LLVM encodes them: every register and every constant."""
    low = [f"x{i}" for i in range(8, 16)]
    lines = [f"qk.c.{op} {a}, {2 * n if op[1] == 'h' else n}({b})" for op in ("lbu", "lhu", "sb", "sh")
             for n in range(32) for a, b in zip(low, low[1:] + low[:1], strict=True)]
    lines += [f"qk.c.{op}sp {a}, {2 * n if op[1] == 'h' else n}(sp)" for op in ("lbu", "lhu", "sb", "sh")
              for n in range(16) for a in low]
    folder = tmp_path_factory.mktemp("xw")
    (folder / "xw.S").write_text("\n".join(lines) + "\n")
    target = [flag + "+xwchc" if flag.startswith("-mcpu") else flag for flag in toolchain.RV32EC]
    subprocess.run([sys.executable, "-m", "ziglang", "cc", *target, "-c", folder / "xw.S", "-o", folder / "xw.o"],
                   check=True)
    with (folder / "xw.o").open("rb") as file:
        code = ELFFile(file).get_section_by_name(".text").data()
    return {line: int.from_bytes(code[2 * i : 2 * i + 2], "little") for i, line in enumerate(lines)}


def test_wchs_own_loads_and_stores_run_as_llvm_encodes_them(xw):
    """Each beside the same long instruction: all registers and all of memory agree."""
    assert len(xw) == len(set(xw.values())) == 1536
    names = [*xw]
    for part in range(0, len(names), 256):
        setup = "".join(f"li x{i}, {SRAM_BASE + 0x100 + 16 * i:#x}\n" for i in range(2, 16))
        fill = "".join(f"li x5, {0x9E3779B1 * (i + 1) & 0xFFFFFFFF:#x}\nsw x5, {4 * i}(x4)\n" for i in range(128))
        body = {"short": "", "long": ""}
        for name in names[part : part + 256]:
            register = name.split()[1].rstrip(",")  # what was loaded is noted, then it is an address again
            body["short"] += f".half {xw[name]:#x}\n"
            body["long"] += f".option norvc\n{name.removeprefix('qk.c.').replace('sp ', ' ')}\n.option rvc\n"
            back = f"xor x6, x6, {register}\nslli x7, x6, 7\nsrli x6, x6, 25\nor x6, x6, x7\n" \
                   f"li {register}, {SRAM_BASE + 0x100 + 16 * int(register[1:]):#x}\n"
            back = back if name.startswith("qk.c.l") else ""
            body["short"] += back
            body["long"] += back
        chips = [run(f"li x4, {SRAM_BASE + 0x100:#x}\n{fill}{setup}{text}", Assumptions(sram_at_power_on="zeros"))
                 for text in body.values()]
        assert chips[0].registers() == chips[1].registers()
        assert chips[0].read_memory(SRAM_BASE, 2048) == chips[1].read_memory(SRAM_BASE, 2048)


def test_a_short_load_costs_what_a_short_load_costs():
    chips = [run("li x8, 0x20000100\nli x10, 1\n" + ".half 0x2008\n" * n) for n in (1, 11)]  # lbu x10, 0(x8)
    assert chips[1].cycles - chips[0].cycles == 20


def test_the_core_says_what_it_is():
    x = run("csrr a0, misa\ncsrr a1, marchid\ncsrr a2, mimpid\ncsrr a3, mvendorid\ncsrr a4, mhartid\n"
            "csrw misa, x0\ncsrr a5, misa\nfence\n.word 0x0000100f\n").registers()
    assert x[10] == x[15] == 1 << 30 | 1 << 23 | 1 << 4 | 1 << 2
    assert x[11] == 0xDC68D841 and x[12] >> 16 == 0xDC68 and x[13:15] == [0, 0]


def test_the_hardware_saves_what_a_handler_may_spoil():
    """INTSYSCR bit 0: ten registers are as before behind a handler that saves none; they lie on the stack."""
    spoil = "".join(f"li x{i}, {i}\n" for i in (1, *range(5, 8), *range(10, 16)))
    values = "".join(f"li x{i}, {i * 0x01010101:#x}\n" for i in range(5, 16))
    chip = run(table({14: "handler"}) + f"handler: addi x4, x4, 1\nc.mv x8, sp\n{spoil}mret\nstart:\n"
               "li sp, 0x20000400\nli x4, 0\ncsrwi 0x804, 1\ncsrwi mtvec, 3\nli a0, 0x88\ncsrs mstatus, a0\n"
               + poke((0xE000E100, 1 << 14)) + values + "li x9, 0xe000e200\nli x3, 0x4000\nsw x3, 0(x9)\nnop\n",
               Assumptions())
    x = chip.registers()
    assert x[4] == 1 and x[5:8] + x[10:16] == [i * 0x01010101 for i in (5, 6, 7, 10, 11, 12, 13, 14, 15)]
    assert x[2] == 0x20000400 and x[8] == 0x20000400 - 48
    assert chip.read_memory(0x20000400 - 48 + 4, 4) == b"\x05" * 4  # x5


@pytest.mark.parametrize("nesting, order", [(2, [1, 2, 1]), (0, [1, 1, 2])])
def test_a_more_urgent_interrupt_may_interrupt_a_handler(nesting, order):
    """14 asks for 12, which is more urgent by bit 7, and writes a 1 before and behind it."""
    note = "slli a5, a5, 4\naddi a5, a5, {}\n"
    chip = run(table({12: "urgent", 14: "handler"}) + f"urgent: {note.format(2)}mret\n"
               f"handler: {note.format(1)}li a2, 0xe000e200\nli a3, 1 << 12\nsw a3, 0(a2)\n{note.format(1)}mret\n"
               f"start:\nli a5, 0\ncsrwi 0x804, {nesting}\ncsrwi mtvec, 3\nli a0, 0x88\ncsrs mstatus, a0\n"
               "li a0, 0xe000e400\nli a1, 0x80\nsb a1, 14(a0)\nsb x0, 12(a0)\n"
               + poke((0xE000E100, 1 << 12 | 1 << 14), (0xE000E200, 1 << 14)) + "nop\ncsrr a4, mstatus\n")
    assert chip.registers()[15] == sum(n << 4 * (2 - i) for i, n in enumerate(order))
    assert chip.registers()[14] & 8


def test_a_threshold_holds_back_what_is_less_urgent():
    text = table({14: "handler"}) + "handler: addi a5, a5, 1\nmret\nstart:\nli a5, 0\ncsrwi mtvec, 3\nli a0, 0x88\n" \
        "csrs mstatus, a0\nli a0, 0xe000e400\nli a1, 0x80\nsb a1, 14(a0)\n"
    for threshold, served in ((0, 1), (0x40, 0), (0xC0, 1)):
        assert run(text + poke((0xE000E040, threshold), (0xE000E100, 1 << 14), (0xE000E200, 1 << 14)) + "nop\n"
                   ).registers()[15] == served


def test_sleeping_on_exit_lets_only_handlers_run():
    text = table({12: "tick"}) + "tick: li a2, 0xe000f004\nsw x0, 0(a2)\naddi a5, a5, 1\nmret\nstart:\nli a5, 0\n" \
        "csrwi mtvec, 3\nli a0, 0x88\ncsrs mstatus, a0\n" \
        + poke((0xE000ED10, 2), (0xE000E100, 1 << 12), (0xE000F010, 1000), (0xE000F000, 15)) \
        + "li a4, 0\nwfi\nli a4, 1\n1: j 1b\n"
    chip = Chip(assemble(text))
    assert chip.run(20_000) == "budget"
    assert chip.registers()[14:16] == [0, 19] and chip.state.slept > 19_000


@pytest.mark.parametrize("text, cause", [
    (".half 0\n", 2), (".word 0x02c58533\n", 2),
    ("li a0, 0x20000001\nlw a1, 0(a0)\n", 4),
    ("li a0, 0x20000002\nsw a1, 0(a0)\n", 6), ("li a0, 0x30000000\nlw a1, 0(a0)\n", 5),
    ("li a0, 0x30000000\njr a0\n", 1),
])
def test_a_fault_may_enter_the_handler_of_exceptions_as_on_silicon(text, cause):
    program = table({3: "fault"}) + f"fault: csrr a5, mcause\nebreak\nstart:\ncsrwi mtvec, 3\n{text}"
    assert run(program, Assumptions(faults="trap")).registers()[15] == cause
    with pytest.raises(ChipFault):
        Chip(assemble(program)).run(1_000)


def test_a_fault_in_a_handler_resets_the_core():
    program = table({3: "fault"}) + "fault: .half 0\nstart:\nli a0, 0x40021024\nlw a1, 0(a0)\nli a2, 1 << 24\n" \
        "sw a2, 0(a0)\nsrli a1, a1, 27\nandi a1, a1, 1\nbeqz a1, 1f\ncsrwi mtvec, 3\n.half 0\n1: ebreak\n"
    chip = Chip(assemble(program), Assumptions(faults="trap"))
    assert chip.run(10_000) == "break" and chip.state.resets == 2


# --- start-up code ----------------------------------------------------------------------------------------------------

STARTUPS = {
    "stacking and nesting, MPIE, then mret into main, PLL": """
        li sp, 0x20000800
        li a0, 0x80
        csrw mstatus, a0
        li a3, 3
        csrw 0x804, a3
        la a0, reset
        or a0, a0, a3
        csrw mtvec, a0
        la a0, main
        csrw mepc, a0
        mret
    """,
    "all of mstatus at once, then the system's clock, then mret": """
        li sp, 0x20000800
        li t0, 0x1880
        csrw mstatus, t0
        li t0, 3
        csrw 0x804, t0
        la t0, reset
        ori t0, t0, 3
        csrw mtvec, t0
        jal ra, early
        la t0, main
        csrw mepc, t0
        mret
    early:
        li a0, 0x40021000
        lw a1, 0(a0)
        ori a1, a1, 1
        sw a1, 0(a0)
        lw a1, 4(a0)
        li a2, 0xf8ff0000
        and a1, a1, a2
        sw a1, 4(a0)
        lw a1, 0(a0)
        li a2, 0xfef6ffff
        and a1, a1, a2
        sw a1, 0(a0)
        lw a1, 0(a0)
        li a2, 0xfffbffff
        and a1, a1, a2
        sw a1, 0(a0)
        lw a1, 4(a0)
        li a2, 0xfffeffff
        and a1, a1, a2
        sw a1, 4(a0)
        ret
    """,
}
MAIN = """
main:
    li a0, 0x40021000
    sw x0, 4(a0)
    li a1, 0x01000081
    sw a1, 0(a0)
    li a2, 0x40022000
    li a1, 1
    sw a1, 0(a2)
    li a1, 0x009f0000
    sw a1, 8(a0)
1:  lw a1, 0(a0)
    slli a1, a1, 6
    bgez a1, 1b
    lw a1, 4(a0)
    ori a1, a1, 2
    sw a1, 4(a0)
1:  lw a1, 4(a0)
    andi a1, a1, 12
    li a2, 8
    bne a1, a2, 1b
    lw a5, 8(a0)
    csrr a4, mstatus
    ebreak
"""


@pytest.mark.parametrize("name", STARTUPS)
def test_start_up_code_runs(name):
    """As frameworks do it: to main with interrupts on, at 48 MHz, the clock's flags cleared."""
    chip = run(table({}) + "start:\n" + STARTUPS[name] + MAIN)
    assert chip.state.clock_hz == 48_000_000 and chip.registers()[14] & 8 and chip.registers()[15] == 0


def test_the_unique_id_is_one_that_clients_accept():
    """Its last halfword is the sum of the first three."""
    words = [int.from_bytes(Chip(b"").read_memory(INFO_BASE + 0x68 + 2 * i, 2), "little") for i in range(4)]
    assert words[3] == sum(words[:3]) & 0xFFFF


# --- peripherals ------------------------------------------------------------------------------------------------------

PORTS, RCC = 0x4001_1400, 0x4002_1018


def test_pins_read_what_is_at_them():
    """Port D: 0 high output, 1 open drain high, 2 analogue, 3 floating, 4 pulled up, 5 the idle transmitter, 6 the
    receiver, 7 pulled down."""
    text = poke((RCC, 1 << 14 | 1 << 5), (PORTS, 0x84B84051), (PORTS + 12, 0x17), (0x4001380C, 0x2008)) \
        + "li a0, 0x40011400\nlw a5, 8(a0)\n"
    chip = run(text)
    assert chip.registers()[15] == 1 << 0 | 1 << 4 | 1 << 5 | 1 << 6  # the receiver's line idles high
    assert chip.pin("PD0") is True and chip.pin("PD5") is True and chip.pin("PD2") is None
    chip = Chip(assemble(text + "ebreak\n"))
    for name, high in (("PD1", True), ("PD2", True), ("PD3", True), ("PD4", False), ("PD6", False), ("PD7", True)):
        chip.drive(name, high)
    assert chip.run() == "break" and chip.registers()[15] == 1 << 0 | 1 << 1 | 1 << 3 | 1 << 5 | 1 << 7


def test_set_wins_over_reset_and_both_leave_the_others():
    assert run(poke((RCC, 1 << 5), (PORTS + 12, 0xF0), (PORTS + 16, 0x00330011)) + "lw a5, -4(a0)\n").registers()[15] \
        == (0xF0 & ~0x33 | 0x11)


@pytest.mark.parametrize("edge, times", [(8, 2), (12, 2), (None, 4)])
def test_an_edge_at_a_pin_interrupts(edge, times):
    """EXTI line 4 from PD4: rising, falling, both."""
    edges = poke((0x40010408, 1 << 4)) if edge == 8 else poke((0x4001040C, 1 << 4)) if edge == 12 \
        else poke((0x40010408, 1 << 4), (0x4001040C, 1 << 4))
    handler = "edge: li a2, 0x40010414\nli a3, 16\nsw a3, 0(a2)\naddi a5, a5, 1\nmret\n" \
              "start:\nli a5, 0\n"
    chip = Chip(assemble(
        table({20: "edge"}) + handler + edges
        + poke((RCC, 1 << 5 | 1), (0x40010008, 3 << 8), (0x40010400, 1 << 4), (0xE000E100, 1 << 20))
        + "csrwi mtvec, 3\nli a0, 0x88\ncsrs mstatus, a0\n1: j 1b\n"))
    chip.run(1_000)
    for high in (False, True, False, True, False)[: 5]:
        chip.drive("PD4", high)
        chip.run(200)
    assert chip.registers()[15] == times


def test_a_programs_own_edge_and_a_pins_output_interrupt_as_well():
    text = table({20: "edge"}) + "edge: li a2, 0x40010414\nlw a3, 0(a2)\nsw a3, 0(a2)\nslli a5, a5, 8\n" \
        "or a5, a5, a3\nmret\nstart:\nli a5, 0\n" \
        + poke((RCC, 1 << 5 | 1), (0x40010008, 3), (0x40010400, 3), (0x40010408, 1), (PORTS, 1),
               (0xE000E100, 1 << 20)) \
        + "csrwi mtvec, 3\nli a0, 0x88\ncsrs mstatus, a0\n" + poke((PORTS + 12, 1), (0x40010410, 2)) + "nop\n"
    assert run(text).registers()[15] == 0x0102


def test_a_timers_channel_is_seen_at_its_pin():
    """TIM2 CH1 at PD4: PWM of 30 in 100."""
    chip = Chip(assemble(poke((RCC, 1 << 5), (0x4002101C, 1), (PORTS, 0x9 << 16), (0x4000002C, 99), (0x40000034, 30),
                              (0x40000018, 0x60), (0x40000020, 1), (0x40000000, 1)) + "1: j 1b\n"))
    chip.run(1_000)
    levels = []
    for _ in range(2_000):
        chip.run(1)
        levels.append(chip.pin("PD4"))
    assert sum(levels) / len(levels) == pytest.approx(0.3, abs=0.02)


def test_the_clock_may_leave_by_a_pin():
    """MCO at PC4: the system's clock."""
    program = poke((RCC, 1 << 4), (0x40011000, 0xB << 16), (0x40021004, 4 << 24)) + ".rept 20\nnop\n.endr\n1: j 1b\n"
    chip = Chip(assemble(program))
    chip.run(40)
    levels = [(chip.run(1), chip.pin("PC4"))[1] for _ in range(6)]
    assert levels in ([True, False] * 3, [False, True] * 3)


def test_tim2_interrupts():
    text = table({38: "tick"}) + "tick: li a2, 0x40000010\nsw x0, 0(a2)\naddi a5, a5, 1\nmret\nstart:\nli a5, 0\n" \
        + poke((0x4002101C, 1), (0x4000002C, 999), (0x4000000C, 1), (0x40000000, 1), (0xE000E104, 1 << 6)) \
        + "csrwi mtvec, 3\nli a0, 0x88\ncsrs mstatus, a0\n1: j 1b\n"
    chip = Chip(assemble(text))
    chip.run(20_500)
    assert chip.registers()[15] == 20


SERIAL = poke((0x40021004, 0), (0x40021014, 5), (RCC, 1 << 14 | 1 << 5), (PORTS, 0x44B44444), (0x40013808, 208),
              (0x4001380C, 0x200C))


@pytest.mark.parametrize("timed", [False, True])
def test_the_dma_sends_and_receives_for_the_serial_port(timed):
    """Channel 4 sends eight bytes of flash, channel 5 fills eight of SRAM."""
    text = SERIAL + poke((0x40020060, 0x40013804), (0x40020064, SRAM_BASE + 0x100), (0x4002005C, 8), (0x40020058, 0x81),
                         (0x40013814, 0xC0), (0x4002004C, 0x40013804), (0x40020048, 8)) \
        + "la a1, text\nsw a1, 8(a0)\nli a1, 0x91\nsw a1, -4(a0)\n1: j 1b\ntext: .ascii \"ten cent\"\n"
    chip = Chip(assemble(text))
    chip.take_time(timed)
    chip.run(1_000)
    chip.send(b"ABCDEFGH")
    heard = b""
    for _ in range(40):
        chip.run(1_000)
        heard += chip.received()
    assert heard == b"ten cent"
    if timed:
        assert chip.read_memory(SRAM_BASE + 0x100, 8) == b"ABCDEFGH"


def test_a_serial_port_without_its_pins_says_and_hears_nothing():
    text = SERIAL.replace("li a1, 0x44b44444", "li a1, 0x44444444") + "li a1, 65\nsw a1, -8(a0)\n1: j 1b\n"
    chip = Chip(assemble(text))
    chip.run(10_000)
    assert chip.received() == b""


def test_the_serial_port_may_be_at_other_pins():
    """AFIO_PCFR1 bit 2: PD0 sends, PD1 receives."""
    moved = poke((RCC, 1 << 14 | 1 << 5 | 1), (0x40010004, 4), (PORTS, 0x4444444B))
    chip = Chip(assemble(SERIAL + moved + "li a0, 0x40013804\nli a1, 65\nsw a1, 0(a0)\n1: j 1b\n"))
    chip.run(1_000)
    assert chip.received() == b"A"


def test_what_a_program_prints_to_its_debugger_is_heard():
    """Bytes 1 to 3 of DATA0 and those of DATA1; the first byte of DATA0 is how many, and that there are some."""
    say = poke((0xE00000F8, 0x21212121), (0xE00000F4, 0x6968_0080 | (6 + 4)))
    chip = run(say.replace("0x6968008a", f"{0x2C696880 | (6 + 4):#x}") + "lw a5, 0(a0)\n")
    assert chip.said() == b"hi,!!!" and chip.said() == b"" and chip.registers()[15] & 0x80 == 0


def test_a_byte_of_the_clocks_register_can_be_written():
    chip = run("li a0, 0x40021004\nsb x0, 0(a0)\nlw a5, 0(a0)\nli a0, 0x40021018\nli a1, 1 << 11\nsw a1, 0(a0)\n"
               "li a0, 0x40012c00\nlw a4, 20(a0)\n")
    assert chip.state.clock_hz == 24_000_000 and chip.registers()[14:16] == [0, 0]


def test_single_peripherals_are_reset():
    """By their bits of RCC_APB2PRSTR and RCC_APB1PRSTR; others stay as they are."""
    text = SERIAL + poke((0x4002101C, 1), (0x4000002C, 99), (0x4002100C, 1 << 14), (0x4002100C, 0), (0x40021010, 1),
                         (0x40021010, 0))
    read = "".join(f"li a0, {at:#x}\nlw {to}, 0(a0)\n"
                   for at, to in ((0x4001380C, "a5"), (0x40011400, "a4"), (0x4000002C, "a3")))
    assert run(text + read).registers()[13:16] == [0xFFFF, 0x44B44444, 0]


def test_what_is_not_there_says_its_name():
    for address, name in ((0x40013000, "SPI1_CTLR1"), (0x40007004, "PWR_CSR"), (0x40023800, "EXTEN_CTR")):
        with pytest.raises(ChipFault, match=rf"\({name}\); tinyspeech/chip/core has what is"):
            Chip(assemble(poke((RCC, 0xFFFF), (0x4002101C, 0xFFFFFFFF), (address, 1)))).run(1_000)
