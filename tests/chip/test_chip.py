"""The emulated chip: instructions, cycles, rules, serial port; and the shipped firmware in it, bit for bit."""

import ctypes
import hashlib
import random
import re
import shutil
import struct
import subprocess

import capstone
import numpy as np
import pytest

from tinyspeech import paths, toolchain
from tinyspeech.board.direct import Board, classify_many, report_firmware
from tinyspeech.chip import emulator, firmware, native
from tinyspeech.chip.emulator import Chip, ChipFault
from tinyspeech.errors import UserError
from tinyspeech.integer import frontend
from tinyspeech.measure import speed
from tinyspeech.measure.stages import bench
from tinyspeech.sound import datasets
from tinyspeech.toolchain import compile as compiling
from tinyspeech.toolchain.elf import SRAM_BASE

pytestmark = pytest.mark.usefixtures("the_table")

PROLOGUE = ".option norelax\n.section .init, \"ax\", @progbits\n.globl reset\nreset:\n"
FAST_CLOCK = """
    li a0, 0x40022000
    li a1, 1
    sw a1, 0(a0)
    li a0, 0x40021000
    li a1, 0x01000081
    sw a1, 0(a0)
    li a1, 2
    sw a1, 4(a0)
"""
SERIAL_PORT = """
    li a0, 0x40021018
    li a1, 0x4020
    sw a1, 0(a0)
    li a0, 0x40011400 # PD5 sends, PD6 receives
    li a1, 0x44b44444
    sw a1, 0(a0)
    li a0, 0x40013800
    li a1, 0x200c
    sw a1, 12(a0)
"""


@pytest.fixture
def assemble(tmp_path):
    """Assembly text -> chip with it in flash."""

    def build(text: str) -> Chip:
        source = tmp_path / "program.S"
        source.write_text(PROLOGUE + text + "\nebreak\n")
        return Chip(toolchain.build_firmware([source], "program").bin.read_bytes())

    return build


@pytest.fixture(scope="module")
def board():
    return Board(toolchain.build_firmware().elf)


@pytest.fixture(scope="module")
def clips():
    task = datasets.load_task(paths.BUNDLED, "validation", limit=24)
    return frontend.to_8khz(task.arrays()[0])


X15 = "register above x15, which RV32E does not have"

# --- instructions -----------------------------------------------------------------------------------------------------


def signed(x):
    return x - (1 << 32) if x & 0x80000000 else x


OPERATIONS = {  # an independent model of the ISA manual's text
    "add": lambda a, b: a + b, "sub": lambda a, b: a - b, "and": lambda a, b: a & b, "or": lambda a, b: a | b,
    "xor": lambda a, b: a ^ b, "sll": lambda a, b: a << (b & 31), "srl": lambda a, b: a >> (b & 31),
    "sra": lambda a, b: signed(a) >> (b & 31), "slt": lambda a, b: signed(a) < signed(b), "sltu": lambda a, b: a < b,
}
IMMEDIATE = {"addi": "add", "andi": "and", "ori": "or", "xori": "xor", "slti": "slt", "sltiu": "sltu"}
SHIFTS = {"slli": "sll", "srli": "srl", "srai": "sra"}


@pytest.mark.parametrize("seed", range(3))
def test_random_arithmetic_agrees_with_an_independent_model(assemble, seed):
    """1,000 random instructions, compressed where the assembler can; registers compared at the end."""
    rng = random.Random(seed)
    edge = (0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
    values = [0] + [rng.choice(edge) if rng.random() < 0.4 else rng.getrandbits(32) for _ in range(15)]
    text = "".join(f"li x{i}, {signed(v)}\n" for i, v in enumerate(values) if i)
    for _ in range(1000):
        kind = rng.random()
        rd, rs1, rs2 = rng.randrange(16), rng.randrange(16), rng.randrange(16)
        rs1 = rd if rng.random() < 0.5 else rs1  # two-address forms compress
        if kind < 0.5:
            name = rng.choice(sorted(OPERATIONS))
            text += f"{name} x{rd}, x{rs1}, x{rs2}\n"
            result = OPERATIONS[name](values[rs1], values[rs2])
        elif kind < 0.8:
            name, constant = rng.choice(sorted(IMMEDIATE)), rng.choice((rng.randint(-2048, 2047), rng.randint(-32, 31)))
            text += f"{name} x{rd}, x{rs1}, {constant}\n"
            result = OPERATIONS[IMMEDIATE[name]](values[rs1], constant & 0xFFFFFFFF)
        elif kind < 0.95:
            name, amount = rng.choice(sorted(SHIFTS)), rng.randrange(32)
            text += f"{name} x{rd}, x{rs1}, {amount}\n"
            result = OPERATIONS[SHIFTS[name]](values[rs1], amount)
        else:
            constant = rng.getrandbits(20)
            text += f"lui x{rd}, {constant}\n"
            result = constant << 12
        if rd:
            values[rd] = int(result) & 0xFFFFFFFF
    chip = assemble(text)
    assert chip.run() == "break"
    assert chip.registers() == values


SHIM = """
#include "{path}"
/* {digest}: the build's cache sees this file only */
void decode_one(uint32_t word, int32_t *out);
void decode_one(uint32_t word, int32_t *out)
{{
    struct decoded d = decode16(word);
    int32_t row[] = {{d.op, d.rd, d.rs1, d.rs2, d.imm, d.reason}};
    for (int i = 0; i < 6; i++) out[i] = row[i];
}}
"""
REGISTERS = {name: i for i, name in enumerate(
    "zero ra sp gp tp t0 t1 t2 s0 s1 a0 a1 a2 a3 a4 a5 a6 a7 s2 s3 s4 s5 s6 s7 s8 s9 s10 s11 t3 t4 t5 t6".split())}
EXPANSIONS = {  # compressed mnemonic -> (operation, rd, rs1, rs2, constant) from its operands, as the ISA manual has it
    **{op: lambda v, op=op: (op, v[0], v[0], v[1], 0) for op in ("add", "sub", "and", "or", "xor")},
    **{op: lambda v, op=op: (op, v[0], v[0], 0, v[1]) for op in ("addi", "andi", "slli", "srli", "srai")},
    "nop": lambda v: ("addi", 0, 0, 0, 0), "li": lambda v: ("addi", v[0], 0, 0, v[1]),
    "lui": lambda v: ("lui", v[0], 0, 0, (((v[1] & 63) ^ 32) - 32) << 12), "mv": lambda v: ("add", v[0], 0, v[1], 0),
    "addi4spn": lambda v: ("addi", v[0], 2, 0, v[2]), "addi16sp": lambda v: ("addi", 2, 2, 0, v[1]),
    "beqz": lambda v: ("beq", 0, v[0], 0, v[1]), "bnez": lambda v: ("bne", 0, v[0], 0, v[1]),
    "j": lambda v: ("jal", 0, 0, 0, v[0]), "jal": lambda v: ("jal", 1, 0, 0, v[0]),
    "jr": lambda v: ("jalr", 0, v[0], 0, 0), "jalr": lambda v: ("jalr", 1, v[0], 0, 0),
    "lw": lambda v: ("lw", v[0], v[2], 0, v[1]), "lwsp": lambda v: ("lw", v[0], v[2], 0, v[1]),
    "sw": lambda v: ("sw", 0, v[2], v[0], v[1]), "swsp": lambda v: ("sw", 0, v[2], v[0], v[1]),
    "ebreak": lambda v: ("ebreak", 0, 0, 0, 0),
}


XW = {(0, 1), (2, 1), (0, 5), (2, 5), (0, 4)}
"""Quadrant and highest bits of WCH's own compressed instructions, which capstone does not know."""


def test_every_compressed_encoding_agrees_with_an_independent_disassembler(tmp_path):
    """All but WCH's own: operation, registers and constant as capstone reads them; what it does not know does not
    run, except hints, which write x0 only."""
    path = emulator.CORE / "rv32ec.c"
    shim = tmp_path / "shim.c"
    shim.write_text(SHIM.format(path=path.as_posix(), digest=hashlib.sha256(path.read_bytes()).hexdigest()))
    library = ctypes.CDLL(str(toolchain.build_host_library([shim, *emulator.SOURCES[:-1]])))
    names = [n.strip()[3:].lower() for n in re.search(r"enum op \{(.*?)\}", path.read_text(), re.S)[1].split(",")]
    reader = capstone.Cs(capstone.CS_ARCH_RISCV, capstone.CS_MODE_RISCV32 | capstone.CS_MODE_RISCVC)
    out, executed, refused = (ctypes.c_int32 * 6)(), 0, 0
    for word in range(65536):
        if word & 3 == 3 or (word & 3, word >> 13) in XW:  # WCH's own: test_foreign.py
            continue
        library.decode_one(word, out)
        ours = (names[out[0]].removesuffix("_sp"), *out[1:5])
        read = next(reader.disasm(word.to_bytes(2, "little"), 0), None)
        name = read.mnemonic.removeprefix("c.") if read else ""
        if name not in EXPANSIONS:  # reserved, floating point, or a hint
            assert ours[0] == "bad" or ours[1] == 0, hex(word)
            continue
        operands = [t for t in re.split(r"[,\s()]+", read.op_str) if t]
        theirs = EXPANSIONS[name]([REGISTERS[t] if t in REGISTERS else int(t, 0) for t in operands])
        reserved = theirs[4] > 31 if name in SHIFTS else name == "lui" and theirs[4] == 0
        if max(theirs[1:4]) > 15 or reserved:
            assert ours[0] == "bad" and (reserved or out[5] == emulator.FAULTS.index(X15)), hex(word)
            refused += 1
        else:
            assert ours == theirs or name == "nop", hex(word)
            executed += 1
    assert executed > 20_000 and refused > 7_000


@pytest.mark.parametrize("compressed", [True, False])
def test_memory_of_every_width_and_sign(assemble, compressed):
    chip = assemble(f"""
    .option {"rvc" if compressed else "norvc"}
    li a0, 0x20000100
    li a1, 0x80ff7f01
    sw a1, 4(a0)
    sh a1, 8(a0)
    sb a1, 10(a0)
    lw a2, 4(a0)
    lh a3, 6(a0)
    lhu a4, 6(a0)
    lb a5, 7(a0)
    lbu x5, 7(a0)
    lw x6, 8(a0)
    mv sp, a0
    sw a1, 12(sp)
    lw x7, 12(sp)
    """)
    assert chip.run() == "break"
    x = chip.registers()
    assert x[12] == 0x80FF7F01 and x[13] == 0xFFFF80FF and x[14] == 0x80FF
    assert x[15] == 0xFFFFFF80 and x[5] == 0x80 and x[6] & 0xFFFFFF == 0x017F01 and x[7] == 0x80FF7F01
    assert chip.read_memory(SRAM_BASE + 0x104, 4) == struct.pack("<I", 0x80FF7F01)


def test_branches_and_jumps(assemble):
    tests = [("beq", 5, 5, 1), ("beq", 5, 6, 0), ("bne", 5, 6, 1), ("blt", -1, 1, 1), ("bltu", -1, 1, 0),
             ("bge", 1, -1, 1), ("bgeu", 1, -1, 0), ("bge", 3, 3, 1), ("blt", 3, 3, 0), ("bne", 0, 0, 0)]
    text = "li a5, 0\n"
    for i, (name, a, b, _) in enumerate(tests):
        text += f"li a0, {a}\nli a1, {b}\n{name} a0, a1, 1f\nj 2f\n1: ori a5, a5, {1 << i}\n2:\n"
    chip = assemble(text + "jal x1, function\nj end\nfunction: addi x9, x0, 77\nret\nend:\n")
    assert chip.run() == "break"
    assert chip.registers()[15] == sum(taken << i for i, (*_, taken) in enumerate(tests))
    assert chip.registers()[9] == 77


# --- rules ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text, reason", [
    (".word 0x02c58533", "multiplication"),  # mul a0, a1, a2
    (".word 0x02c5c533", "multiplication"),  # div a0, a1, a2
    (".word 0x00000833", "x15"),  # add x16, x0, x0
    (".half 0x0000", "illegal"),
    (".word 0xffffffff", "illegal"),
    (".word 0x0000202f", "illegal"),  # atomics
    ("li a0, 0x20000001\nlw a1, 0(a0)", "misaligned"),
    ("li a0, 0x20000002\nsw a1, 0(a0)", "misaligned"),
    ("li a0, 0x20000800\nlw a1, 0(a0)", "unmapped"),
    ("li a0, 0x4000\nlw a1, 0(a0)", "unmapped"),
    ("li a0, 0x1ffffffc\nsw a1, 0(a0)", "unmapped"),
    ("li a0, 0x100\nsw a1, 0(a0)", "write to flash"),
    ("li a0, 0x08000100\nsw a1, 0(a0)", "write to flash"),
    ("li a0, 0x40012345\nlb a1, 0(a0)", "not emulated"),
    ("li a0, 0x30000000\njr a0", "execution outside"),
    ("li a0, 0x40021000\nli a1, 0x01000081\nsw a1, 0(a0)\nli a1, 2\nsw a1, 4(a0)", "no flash wait state"),
    ("li a0, 0x40013800\nlw a1, 0(a0)", "clock is off"),
    ("li a0, 0x40011400\nsw x0, 0(a0)", "clock is off"),
    (SERIAL_PORT + "li a1, 0x300c\nsw a1, 12(a0)", "not emulated"),  # nine bits
    ("wfi", "sleep while interrupts are off"),
    ("li a0, 0x88\ncsrs mstatus, a0\nwfi", "sleep without an interrupt"),
    ("csrr a0, mie", "control register"),
])
def test_broken_rules_stop_with_reason_and_place(assemble, text, reason):
    chip = assemble("nop\n" + text)
    with pytest.raises(ChipFault, match=reason) as caught:
        chip.run()
    assert caught.value.pc > 0


def test_an_image_larger_than_the_flash_is_refused():
    with pytest.raises(UserError, match="16385"):
        Chip(bytes(16385))


# --- cycles -----------------------------------------------------------------------------------------------------------


def cycles_of(chip, text_cycles=0):
    assert chip.run() == "break"
    return chip.cycles - text_cycles


@pytest.mark.parametrize("setup, per_turn", [("", 4), (FAST_CLOCK, 6)])
def test_a_counted_loop_takes_the_measured_cycles(assemble, setup, per_turn):
    """c.addi + c.bnez: 4 cycles without wait state, 6 at 48 MHz; the difference of two counts removes the frame."""
    loop = ".balign 4\n1: addi a0, a0, -1\nbnez a0, 1b\n"
    cycles = [cycles_of(assemble(f"{setup} li a0, {n}\n{loop}")) for n in (10, 30)]
    assert cycles[1] - cycles[0] == 20 * per_turn


@pytest.mark.parametrize("setup, body, cost", [
    ("", "addi a0, a0, 1", 1), (FAST_CLOCK, "addi a0, a0, 1", 1),
    ("", "addi a0, a0, 1000", 1), (FAST_CLOCK, "addi a0, a0, 1000", 2),
    ("", "lw a1, 0(a2)", 2), (FAST_CLOCK, "lw a1, 0(a2)", 2), (FAST_CLOCK, "sw a1, 0(a2)", 2),
    ("", "lw a1, 0(a3)", 2), (FAST_CLOCK, "lw a1, 0(a3)", 3),
    (FAST_CLOCK, "beqz a2, 1f\n1:", 1),
])
def test_straight_line_costs(assemble, setup, body, cost):
    start = f"{setup} li a2, 0x20000100\nli a3, 0\n"
    once, many = (cycles_of(assemble(start + f"{body}\n" * n)) for n in (3, 13))  # behind what was fetched ahead
    assert many - once == 10 * cost


@pytest.mark.parametrize("pad, extra", [("", 0), ("nop\n", 1)])
def test_a_jump_to_a_misaligned_long_instruction_costs_one_more(assemble, pad, extra):
    """The target is a 32-bit instruction on (or off) a multiple of 4."""
    text = f"{FAST_CLOCK}.balign 4\nj 1f\n.balign 4\nnop\nnop\n{pad}1: addi a0, a0, 1000\n"
    cycles = cycles_of(assemble(text))
    baseline = cycles_of(assemble(f"{FAST_CLOCK}.balign 4\n addi a0, a0, 1000\n"))
    assert cycles - baseline == 5 + extra


def test_code_in_ram_has_no_wait_state_and_may_be_rewritten(assemble):
    """A loop is copied to RAM, run, patched and run again: the new instruction counts."""
    chip = assemble(f"""{FAST_CLOCK}
    la a0, body
    li a1, 0x20000200
    li a2, 8
1:  lhu a3, 0(a0)
    sh a3, 0(a1)
    addi a0, a0, 2
    addi a1, a1, 2
    addi a2, a2, -1
    bnez a2, 1b
    li a5, 0
    li a1, 0x20000200
    jalr a1
    lhu a3, 2(a1)
    sh a3, 0(a1)
    jalr a1
    j end
    .balign 4
body:
    .option norvc
    .option rvc
    c.addi a5, 1
    c.addi a5, 10
    ret
    .balign 4
end:
    """)
    assert chip.run() == "break"
    assert chip.registers()[15] == 11 + 20


def test_the_serial_port_echoes_and_waiting_returns_to_the_host(assemble):
    chip = assemble(SERIAL_PORT + """
1:  lw a1, 0(a0)
    andi a1, a1, 32
    beqz a1, 1b
    lw a2, 4(a0)
    addi a2, a2, 1
    sw a2, 4(a0)
    j 1b
    """)
    assert chip.run() == "starved"
    chip.send(b"HAL")
    sent = b""
    for _ in range(3):
        assert chip.run() == "transmit"
        sent += chip.received()
    assert sent == b"IBM"
    assert chip.run() == "starved"


def test_a_serial_port_that_is_switched_off_neither_sends_nor_hears(assemble):
    """Its clock runs, but UE, TE and RE are not set: as on the silicon, bytes go nowhere."""
    chip = assemble(SERIAL_PORT + "sw x0, 12(a0)\nsw a1, 4(a0)\nlw a2, 0(a0)\nlw a3, 4(a0)\n")
    chip.send(b"x")
    assert chip.run() == "break"
    assert chip.received() == b"" and chip.registers()[12] & 0x20 == 0 and chip.registers()[13] == 0


@pytest.mark.parametrize("ctlr, status, hz", [(0x01000081, 2, 48_000_000), (0x00000081, 0, 24_000_000)])
def test_the_clock_changes_over_to_the_pll_only_when_it_runs(assemble, ctlr, status, hz):
    chip = assemble(f"""
    li a0, 0x40022000
    li a1, 1
    sw a1, 0(a0)
    li a0, 0x40021000
    li a1, {ctlr}
    sw a1, 0(a0)
    li a1, 2
    sw a1, 4(a0)
    lw a2, 4(a0)
    """)
    assert chip.run() == "break"
    assert chip.registers()[12] >> 2 & 3 == status and chip.state.clock_hz == hz


def test_systick_counts_the_clock_or_an_eighth_and_stands_still_when_off(assemble):
    chip = assemble("""
    li a0, 0xe000f000
    lw a1, 8(a0)
    lw a2, 8(a0)
    li a5, 5
    sw a5, 0(a0)
    lw a3, 8(a0)
    lw a4, 8(a0)
    sw x0, 0(a0)
    lw x5, 8(a0)
    lw x6, 8(a0)
    li a5, 1
    sw x0, 8(a0)
    sw a5, 0(a0)
    .rept 20
    lw x7, 8(a0)
    .endr
    """)
    assert chip.run() == "break"
    x = chip.registers()
    assert x[11] == x[12] == 0 and x[14] - x[13] == 2 and x[5] == x[6] > 0
    assert x[7] == 20 * 2 // 8


# --- the firmware -----------------------------------------------------------------------------------------------------


def test_the_chip_equals_the_c_on_real_paths(board, clips):
    """Features and logits of bundled clips and of hostile ones: zero differences, and the firmware's own choice."""
    rng = np.random.default_rng(1)
    hostile = [np.zeros(8000), np.full(8000, -32768), np.tile([32767, -32768], 4000), rng.integers(-32768, 32768, 8000),
               rng.integers(-3, 4, 8000)]
    x = np.concatenate([clips, np.array(hostile, np.int16)])
    host = native.Native()
    features, logits = host.features(x), None
    logits = host.logits(features)
    differences = 0
    for clip, f, z in zip(x, features, logits, strict=True):
        result = board.classify(clip, features=True)
        differences += int((result.features != f).sum() + (result.logits != z).sum())
        assert result.best == z.argmax()
    print(f"{len(x)} clips: {differences} differences")
    assert differences == 0


def test_many_clips_on_several_boards_are_the_same_clips(board, clips):
    one_by_one = [board.classify(clip, features=True) for clip in clips[:5]]
    together = classify_many(board.elf, clips[:5], features=True, workers=2)
    for a, b in zip(one_by_one, together, strict=True):
        assert (a.features == b.features).all() and (a.logits == b.logits).all() and a.cycles == b.cycles
    assert classify_many(board.elf, clips[:0]) == []


def test_a_clip_leaves_no_trace_in_the_next(board, clips):
    first = board.classify(clips[0])
    board.classify(clips[1], features=True)
    again = board.classify(clips[0])
    assert (again.logits == first.logits).all() and again.cycles == first.cycles


def test_the_serial_port_has_the_baud_rate_of_the_protocol(board):
    assert board.chip.baud == pytest.approx(115200, rel=0.01)
    assert board.chip.state.clock_hz == 24_000_000


def test_the_firmware_says_which_network_it_holds(board):
    assert board.version() == f"tinyspeech tinyspeech_s {firmware.exported_hash()}"


def test_a_wrong_clip_is_refused(board):
    with pytest.raises(UserError, match="8000"):
        board.classify(np.zeros(100, np.int16))
    with pytest.raises(UserError, match="int16"):
        board.classify(np.zeros(8000))


def test_the_budgets_of_the_chip_are_kept():
    report = report_firmware()
    assert report["flash_bytes"] <= 16384
    assert report["data_bytes"] + report["bss_bytes"] + report["stack_bytes"] <= 2048
    assert 100 < report["stack_bytes"]  # measured, not absent


def test_real_time_at_24_mhz_asleep_half_the_time():
    figures = bench()
    assert figures["clock_hz"] == 24_000_000
    assert figures["cycles_per_audio_second"] <= 12_000_000
    assert 0.99 < sum(figures["stages"].values()) / figures["cycles_per_audio_second"] < 1.01


def test_no_forbidden_instruction_is_in_the_firmware(tmp_path):
    assert toolchain.forbidden_instructions(toolchain.build_firmware().elf) == []
    source = tmp_path / "bad.S"
    source.write_text(PROLOGUE + ".type reset, @function\n.word 0x02c58533\n.word 0x00000833\n.size reset, . - reset\n")
    assert len(toolchain.forbidden_instructions(toolchain.build_firmware([source], "bad").elf)) == 2


@pytest.mark.parametrize("frame", [".type reset, @function\n{}\n.size reset, . - reset\n", "{}\n"])
def test_forbidden_instructions_are_found_behind_garbage_and_without_symbols(tmp_path, frame):
    source = tmp_path / "hidden.S"
    source.write_text(PROLOGUE + frame.format(".half 0x9c41\n.word 0x02c58533"))  # a reserved encoding, then mul
    found = toolchain.forbidden_instructions(toolchain.build_firmware([source], "hidden").elf)
    assert len(found) == 2 and "not an instruction" in found[0] and "mul" in found[1]


def test_the_flat_image_is_code_then_the_image_of_data(tmp_path):
    source = tmp_path / "data.S"
    program = PROLOGUE + "nop\nebreak\nla a0, word\n.data\nword: .word 0x12345678\n"
    source.write_text(program)
    with pytest.raises(UserError, match="copies no "):
        toolchain.build_firmware([source], "data")
    source.write_text(program + ".globl copy_data\ncopy_data = 0\n")  # as if it did
    built = toolchain.build_firmware([source], "data")
    image = toolchain.flat_image(built.elf)
    assert image == built.bin.read_bytes() and image[:4] == bytes.fromhex("01000290")
    assert image[-4:] == bytes.fromhex("78563412") and toolchain.sizes(built.elf)["data_bytes"] == 4


def test_two_builds_give_the_same_bytes(tmp_path, monkeypatch):
    first = toolchain.build_firmware()
    monkeypatch.setattr(compiling, "CACHE", tmp_path / "elsewhere")
    monkeypatch.chdir(tmp_path)
    second = toolchain.build_firmware()
    assert second.bin != first.bin and second.bin.read_bytes() == first.bin.read_bytes()
    assert second.elf.read_bytes() == first.elf.read_bytes()
    assert str(paths.ROOT).encode() not in second.elf.read_bytes()  # nothing says where it was built


def test_a_file_that_is_no_firmware_is_one_line(tmp_path):
    text = tmp_path / "text.elf"
    text.write_text("not a firmware")
    with pytest.raises(UserError, match="no ELF file"):
        Board(text)
    with pytest.raises(UserError, match="cannot read firmware"):
        Board(tmp_path / "nowhere.elf")


def test_a_stuck_firmware_is_reported(assemble, tmp_path):
    source = tmp_path / "stuck.S"
    source.write_text(PROLOGUE + "ebreak\n")
    with pytest.raises(UserError, match="does not wait"):
        Board(toolchain.build_firmware([source], "stuck").elf)


def test_stages_sum_to_the_clip_and_multiplications_belong_to_their_caller(board, clips):
    from tinyspeech.measure.stages import FRONT_END, STAGES

    stages = board.stages(clips[0], STAGES)
    assert sum(stages.values()) == board.chip.profile().sum()
    assert stages["Fourier transform"] > board.profile(clips[0])["transform"]  # its products count
    assert all(stages[name] > 0 for name in STAGES.values())
    assert sum(stages[name] for name in FRONT_END) <= 8_000_000
    with pytest.raises(UserError, match="no function nowhere"):
        board.stages(clips[0], {"nowhere": "x"})


def test_lines_sum_to_the_functions_of_our_own_sources(board, clips):
    """Every cycle in a function of the firmware's sources is some line's, and none is counted twice."""
    lines = board.profile_lines(clips[0])
    functions = board.profile(clips[0])
    files = {name.split(":")[0] for name in lines}
    files = {file for file in files if not file.endswith(".zig")}  # the compiler's runtime
    assert files <= {path.name for path in paths.FIRMWARE.iterdir()} and {"frontend.c", "usart.c"} <= files
    assert 0.98 < sum(lines.values()) / sum(functions.values()) <= 1
    usart = sum(cycles for name, cycles in lines.items() if name.startswith("usart.c"))
    assert usart == sum(functions[name] for name in ("usart_get", "usart_put", "usart_bytes"))


NODE = """
const fs = require("fs");
WebAssembly.instantiate(fs.readFileSync(process.argv[1]), {}).then(({instance: {exports: e}}) => {
  const image = fs.readFileSync(process.argv[2]), chip = (e.__heap_base.value + 15) & ~15, size = e.chip_size();
  e.memory.grow(1 + ((size + image.length) >> 16));
  new Uint8Array(e.memory.buffer).set(image, chip + size);
  e.chip_reset(chip, chip + size, image.length);
  const stop = e.chip_run(chip, 1000000000n), view = new DataView(e.memory.buffer);
  console.log(stop, view.getUint32(chip + 64, true), view.getBigUint64(chip + 80, true).toString());
});
"""


def test_the_interpreter_runs_in_a_browsers_machine_as_well(assemble, tmp_path):
    """Compiled to WebAssembly it needs nothing from its host; where node is there, it counts the same cycles."""
    exports = ("chip_size", "chip_reset", "chip_run", "__heap_base")
    wasm = toolchain.build_wasm(emulator.SOURCES, exports, "chip")
    assert wasm.read_bytes()[:4] == b"\0asm"
    chip = assemble("li a0, 1000\n1: addi a0, a0, -1\nbnez a0, 1b\n")
    assert chip.run() == "break"
    if node := shutil.which("node"):
        (tmp_path / "image").write_bytes(chip.image)
        done = subprocess.run([node, "-e", NODE, wasm, tmp_path / "image"], capture_output=True, text=True, check=True)
        assert done.stdout.split() == [str(emulator.STOPS.index("break")), str(chip.state.pc), str(chip.cycles)]


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
def test_a_clip_takes_as_many_instructions_in_a_browsers_machine():
    """What is timed natively and as WebAssembly is the same work: all of a clip."""
    instructions = speed.native_mips(1)[1]
    assert speed.wasm_mips(1)[1] == instructions > 5_000_000


def test_executions_and_cycles_are_counted_together(board, clips):
    """Without a wait state an instruction takes one to four cycles; all of them together are all that ran."""
    before = board.chip.instructions
    board.chip.start_profile()
    board.classify(clips[0])
    executed, cycles = board.chip.executed(), board.chip.profile()
    assert executed.sum() == board.chip.instructions - before
    assert ((executed <= cycles) & (cycles <= 4 * executed)).all()
