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
from tinyspeech.toolchain.compile import assemble
from tinyspeech.toolchain.elf import SRAM_BASE

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
    chip = run(table({14: "handler"}) + f"handler: addi x4, x4, 1\nc.mv x8, sp\n{spoil}mret\n"
               "start:\nli sp, 0x20000400\n"
               "li x4, 0\ncsrwi 0x804, 1\ncsrwi mtvec, 3\nli a0, 0x88\ncsrs mstatus, a0\n"
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
