"""Every instruction of RV32EC against an independent model, one step at a time.

What is tried follows the published architecture tests: operands at the edges of each sign, every shift amount, ranges
and signs of every constant, x0 as target and source, targets on every halfword, misaligned access, links, and all that
must be refused. Encodings are made by clang; the model below is written from the ISA manual (unprivileged, 2019-12-13,
chapters 2, 4 and 16) and shares nothing with the interpreter.
"""

import ctypes
import random
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile
from support.encodings import FIELDS, HINTS, RESERVED

from tinyspeech import toolchain
from tinyspeech.chip.emulator import FLASH_BYTES, INFO_BASE, INFO_BYTES, SRAM_BYTES, Chip, ChipFault
from tinyspeech.toolchain.elf import SRAM_BASE

ALIAS = 0x0800_0000
PLACES = (0x2000, ALIAS + 0x2000, SRAM_BASE + 0x400)
"""Where an instruction is tried: the middle of flash by both addresses, and of SRAM."""
MASK = 0xFFFFFFFF
EDGES = (0, 1, 2, 0x7FFFFFFF, 0x80000000, 0x80000001, 0xFFFFFFFE, MASK, 0x55555555, 0xAAAAAAAA)
IMMEDIATES = (0, 1, -1, 2, 31, 32, -32, 0x555, -0x556, 2047, -2048)
IMAGE = random.Random(0).randbytes(FLASH_BYTES)
"""What loads find in flash."""


@dataclass(frozen=True)
class Case:
    text: str
    """For the assembler, or a number as a .half or .word."""
    op: str
    """The instruction that it stands for, of the base set: a compressed one is another spelling."""
    rd: int = 0
    rs1: int = 0
    rs2: int = 0
    imm: int = 0
    x: dict = field(default_factory=dict)
    """Registers that matter; the others are random."""


# --- the model --------------------------------------------------------------------------------------------------------


def signed(value: int, bits: int = 32) -> int:
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> (bits - 1) else value


ARITHMETIC = {
    "add": lambda a, b: a + b, "sub": lambda a, b: a - b, "and": lambda a, b: a & b, "or": lambda a, b: a | b,
    "xor": lambda a, b: a ^ b, "sll": lambda a, b: a << b % 32, "srl": lambda a, b: a >> b % 32,
    "sra": lambda a, b: signed(a) >> b % 32, "slt": lambda a, b: signed(a) < signed(b), "sltu": lambda a, b: a < b,
}
WITH_CONSTANT = {"addi": "add", "andi": "and", "ori": "or", "xori": "xor", "slti": "slt", "sltiu": "sltu",
                 "slli": "sll", "srli": "srl", "srai": "sra"}
CONDITIONS = {
    "beq": lambda a, b: a == b, "bne": lambda a, b: a != b, "blt": lambda a, b: signed(a) < signed(b),
    "bge": lambda a, b: signed(a) >= signed(b), "bltu": lambda a, b: a < b, "bgeu": lambda a, b: a >= b,
}
LOADS = {"lb": (1, True), "lh": (2, True), "lw": (4, True), "lbu": (1, False), "lhu": (2, False)}
STORES = {"sb": 1, "sh": 2, "sw": 4}


class Refused(Exception):
    """The reason, a part of the fault's text."""


def in_flash(address: int) -> bool:
    return address < FLASH_BYTES or ALIAS <= address < ALIAS + FLASH_BYTES


def in_sram(address: int) -> bool:
    return SRAM_BASE <= address < SRAM_BASE + SRAM_BYTES


def model(case: Case, length: int, pc: int, x: list[int], sram: bytearray, flash: bytes) -> int:
    """Carry out one instruction on registers and SRAM, in place; returns the next pc."""
    a, b, imm, result, target = x[case.rs1], x[case.rs2], case.imm & MASK, None, None
    address = (a + imm) & MASK
    if case.op in ARITHMETIC:
        result = ARITHMETIC[case.op](a, b)
    elif case.op in WITH_CONSTANT:
        result = ARITHMETIC[WITH_CONSTANT[case.op]](a, imm)
    elif case.op == "lui":
        result = imm << 12
    elif case.op == "auipc":
        result = pc + (imm << 12)
    elif case.op in CONDITIONS:
        target = pc + imm if CONDITIONS[case.op](a, b) else None
    elif case.op == "jal":
        result, target = pc + length, pc + imm
    elif case.op == "jalr":
        result, target = pc + length, address & ~1
    elif case.op in LOADS:
        size, sign = LOADS[case.op]
        if address % size:
            raise Refused("misaligned")
        if in_sram(address):
            data = sram[address - SRAM_BASE :][:size]
        elif in_flash(address):
            data = flash[address % FLASH_BYTES :][:size]
        else:
            raise Refused("unmapped")
        result = int.from_bytes(data, "little", signed=sign)
    elif case.op in STORES:
        size = STORES[case.op]
        if address % size:
            raise Refused("misaligned")
        if not in_sram(address):
            raise Refused("write to flash" if in_flash(address) else "unmapped")
        at = address - SRAM_BASE
        sram[at : at + size] = (b & ((1 << 8 * size) - 1)).to_bytes(size, "little")
    elif case.op != "fence":
        raise Refused(case.op)
    if case.rd and result is not None:
        x[case.rd] = int(result) & MASK
    if target is None:
        return pc + length
    if not (in_flash(target & MASK) or in_sram(target & MASK)):
        raise Refused("execution outside")
    return target & MASK


# --- one step on the chip ---------------------------------------------------------------------------------------------


def assemble(texts: list[str]) -> list[bytes]:
    """Each instruction by clang; its length is in its lowest bits."""
    with tempfile.TemporaryDirectory() as folder:
        source, compiled = Path(folder) / "cases.S", Path(folder) / "cases.o"
        lines = (f".option {'rvc' if text.startswith('c.') else 'norvc'}\n{text}" for text in texts)
        source.write_text(".option norelax\n.text\n" + "\n".join(lines) + "\n")
        toolchain.zig("cc", *toolchain.RV32EC, "-c", source, "-o", compiled)
        with compiled.open("rb") as file:
            code = ELFFile(file).get_section_by_name(".text").data()
    out, at = [], 0
    while at < len(code):
        length = 4 if code[at] & 3 == 3 else 2
        out.append(code[at : at + length])
        at += length
    assert len(out) == len(texts)
    return out


class Stepper:
    """A chip that carries out single instructions, and what of it is compared."""

    def __init__(self):
        self.chip = Chip(IMAGE)

    def load(self, code: bytes, pc: int, x: list[int], sram: bytes) -> None:
        """Code, registers and SRAM; `sram` and `flash` are what the memories then hold."""
        self.flash, self.sram = bytearray(IMAGE), bytearray(sram)
        memory, at = (self.sram, pc - SRAM_BASE) if in_sram(pc) else (self.flash, pc % FLASH_BYTES)
        memory[at : at + len(code)] = code
        self.chip.image = bytes(self.flash)
        self.chip.reset()
        ctypes.memmove(self.chip.state.sram, bytes(self.sram), SRAM_BYTES)
        self.chip.state.x[:] = x
        self.chip.state.pc = pc

    def step(self) -> str:
        """One instruction: any takes a cycle at least, so a budget of one cycle is one instruction."""
        return self.chip.run(1)


def check(cases: list[Case], seed: int) -> Counter:
    """Each case in chip and model: registers, pc and all of SRAM must be equal. Counts the cases by instruction."""
    rng, stepper, counted = random.Random(seed), Stepper(), Counter()
    for case, code in zip(cases, assemble([case.text for case in cases]), strict=True):
        pc = rng.choice(PLACES)
        x = [0] + [rng.choice(EDGES) if rng.random() < 0.3 else rng.getrandbits(32) for _ in range(15)]
        for register, value in case.x.items():
            x[register] = value & MASK if register else 0
        stepper.load(code, pc, x, rng.randbytes(SRAM_BYTES))
        where = f"{case} = {code.hex()} at {pc:#x}, registers {[hex(v) for v in x]}"
        sram = bytearray(stepper.sram)
        try:
            after = model(case, len(code), pc, x, sram, bytes(stepper.flash))
        except Refused as reason:
            with pytest.raises(ChipFault, match=str(reason)):
                stepper.step()
        else:
            assert stepper.step() == "budget", where
            assert stepper.chip.state.pc == after, where
            assert stepper.chip.registers() == x, where
            assert stepper.chip.instructions == 1, where
        assert bytes(stepper.chip.state.sram) == sram, where
        counted[case.text.split()[0]] += 1
    print(f"{sum(counted.values())} cases of {len(counted)} instructions: no difference")
    return counted


# --- what is tried ----------------------------------------------------------------------------------------------------


def registers(rng: random.Random, count: int) -> list[int]:
    """Of x0 .. x15; a third of the time the same one twice, a tenth of the time x0."""
    first = [0 if rng.random() < 0.1 else rng.randrange(16) for _ in range(count)]
    return [first[0]] * count if rng.random() < 0.3 else first


def test_arithmetic_of_registers():
    rng, cases = random.Random(1), []
    for op in ARITHMETIC:
        for a in EDGES:
            for b in (*EDGES, 31, 32, 33):
                rd, rs1, rs2 = registers(rng, 3)
                cases.append(Case(f"{op} x{rd}, x{rs1}, x{rs2}", op, rd, rs1, rs2, x={rs1: a, rs2: b}))
    assert check(cases, 1).total() == len(ARITHMETIC) * 130


def test_arithmetic_with_constants():
    rng, cases = random.Random(2), []
    for op in WITH_CONSTANT:
        for imm in range(32) if op in ("slli", "srli", "srai") else (*IMMEDIATES, *rng.sample(range(-2048, 2048), 21)):
            for a in (*EDGES, rng.getrandbits(32)):
                rd, rs1 = registers(rng, 2)
                cases.append(Case(f"{op} x{rd}, x{rs1}, {imm}", op, rd, rs1, imm=imm, x={rs1: a}))
    for op in ("lui", "auipc"):
        for imm in (0, 1, 2, 0x7FFFF, 0x80000, 0xFFFFF, 0x55555, 0xAAAAA, *(1 << bit for bit in range(20))):
            rd = rng.randrange(16)
            cases.append(Case(f"{op} x{rd}, {imm}", op, rd, imm=imm))
    assert check(cases, 2).total() == 9 * 32 * 11 + 2 * 28


def test_branches():
    rng, cases = random.Random(3), []
    offsets = (2, -2, 4, -4, 4094, -4096, *(1 << bit for bit in range(1, 12)), *(-(1 << bit) for bit in range(1, 13)))
    for op in CONDITIONS:
        for a in EDGES:
            for b in EDGES:
                rs1, rs2 = registers(rng, 2)
                imm = rng.choice(offsets)
                cases.append(Case(f"{op} x{rs1}, x{rs2}, {imm}", op, 0, rs1, rs2, imm, {rs1: a, rs2: b}))
        for imm in offsets:
            cases.append(Case(f"{op} x5, x6, {imm}", op, 0, 5, 6, imm, {5: 1, 6: 1 + (op in ("bne", "blt", "bltu"))}))
    assert check(cases, 3).total() == 6 * (100 + len(offsets))


def test_jumps():
    rng, cases = random.Random(4), []
    bits = [1 << bit for bit in range(1, 20)]
    near = [rng.randrange(-0x1000, 0x1000, 2) for _ in range(99)]
    for imm in (*bits, *(-bit for bit in bits), -(1 << 20), (1 << 20) - 2, *near):
        rd = rng.choice((0, 1, 5, rng.randrange(16)))
        cases.append(Case(f"jal x{rd}, {imm}", "jal", rd, imm=imm))
    for base in (0, 0x2000, FLASH_BYTES - 2, ALIAS, ALIAS + 0x123, SRAM_BASE + 1, SRAM_BASE + 0x7FE, 0x1000_0000, MASK):
        for imm in (*IMMEDIATES, 3, -3):  # odd sums: bit 0 is dropped
            rd, rs1 = registers(rng, 2)
            cases.append(Case(f"jalr x{rd}, {imm}(x{rs1})", "jalr", rd, rs1, imm=imm, x={rs1: base}))
    assert check(cases, 4).total() == 139 + 9 * 13


BASES = (0, 1, 2, 3, 0x100, FLASH_BYTES - 4, FLASH_BYTES, ALIAS, ALIAS + FLASH_BYTES - 1, ALIAS + FLASH_BYTES,
         *(SRAM_BASE + offset for offset in (-4, 0, 1, 2, 0x3FF, 0x400, SRAM_BYTES - 4, SRAM_BYTES - 1, SRAM_BYTES)),
         0x1000_0000, MASK)


def test_loads_and_stores():
    """Both ends of each memory, every alignment, constants that lead in and out of them and around 2^32."""
    rng, cases = random.Random(5), []
    for op in (*LOADS, *STORES):
        for base in BASES:
            for imm in (0, 1, 2, 3, 4, -1, -2, -3, -4, 0x400, -0x400, 2047, -2048):
                other, rs1 = registers(rng, 2)
                if 0 <= base + imm - INFO_BASE < INFO_BYTES:
                    continue  # vendor and option bytes: test_peripherals.py
                text = f"{op} x{other}, {imm}(x{rs1})"
                if op in LOADS:
                    cases.append(Case(text, op, other, rs1, imm=imm, x={rs1: base}))
                else:
                    cases.append(Case(text, op, 0, rs1, other, imm, {rs1: base}))
    assert check(cases, 5).total() > 2000


def compressed_cases() -> list[Case]:
    """Every compressed instruction: every constant, every register at least once."""
    rng, cases = random.Random(6), []
    every, low, named = range(16), range(8, 16), range(1, 16)
    for imm in range(4, 1024, 4):
        rd = rng.choice(low)
        cases.append(Case(f"c.addi4spn x{rd}, sp, {imm}", "addi", rd, 2, imm=imm))
    for imm in range(0, 128, 4):
        for base in (SRAM_BASE, SRAM_BASE + SRAM_BYTES - 64, SRAM_BASE + 2, 0x300, 0x1000_0000):
            rd, rs1 = rng.choice(low), rng.choice(low)
            cases.append(Case(f"c.lw x{rd}, {imm}(x{rs1})", "lw", rd, rs1, imm=imm, x={rs1: base}))
            cases.append(Case(f"c.sw x{rd}, {imm}(x{rs1})", "sw", 0, rs1, rd, imm, {rs1: base}))
    for imm in range(0, 256, 4):
        for base in (SRAM_BASE, SRAM_BASE + SRAM_BYTES - 128, SRAM_BASE + 1):
            rd, rs2 = rng.choice(named), rng.choice(every)
            cases.append(Case(f"c.lwsp x{rd}, {imm}(sp)", "lw", rd, 2, imm=imm, x={2: base}))
            cases.append(Case(f"c.swsp x{rs2}, {imm}(sp)", "sw", 0, 2, rs2, imm, {2: base}))
    for imm in range(-32, 32):
        for a in EDGES:
            rd, high = rng.choice(named), rng.choice(low)
            cases.append(Case(f"c.li x{rd}, {imm}", "addi", rd, 0, imm=imm, x={rd: a}))
            cases.append(Case(f"c.andi x{high}, {imm}", "andi", high, high, imm=imm, x={high: a}))
            if imm:
                cases.append(Case(f"c.addi x{rd}, {imm}", "addi", rd, rd, imm=imm, x={rd: a}))
        rd = rng.choice([r for r in named if r != 2])
        if imm:
            cases.append(Case(f"c.lui x{rd}, {imm & 0xFFFFF}", "lui", rd, imm=imm))
            cases.append(Case(f"c.addi16sp sp, {16 * imm}", "addi", 2, 2, imm=16 * imm))
    for amount in range(1, 32):
        for a in EDGES:
            rd, high = rng.choice(named), rng.choice(low)
            cases.append(Case(f"c.slli x{rd}, {amount}", "slli", rd, rd, imm=amount, x={rd: a}))
            cases.append(Case(f"c.srli x{high}, {amount}", "srli", high, high, imm=amount, x={high: a}))
            cases.append(Case(f"c.srai x{high}, {amount}", "srai", high, high, imm=amount, x={high: a}))
    for op in ("sub", "xor", "or", "and"):
        for a in EDGES:
            for b in EDGES:
                rd, rs2 = rng.choice(low), rng.choice(low)
                cases.append(Case(f"c.{op} x{rd}, x{rs2}", op, rd, rd, rs2, x={rd: a, rs2: b}))
    for rd in named:
        for rs2 in named:
            cases.append(Case(f"c.mv x{rd}, x{rs2}", "add", rd, 0, rs2))
            cases.append(Case(f"c.add x{rd}, x{rs2}", "add", rd, rd, rs2))
    for imm in range(-2048, 2048, 2):
        cases.append(Case(f"c.j {imm}", "jal", 0, imm=imm))
        cases.append(Case(f"c.jal {imm}", "jal", 1, imm=imm))
    for imm in range(-256, 256, 2):
        for a in (0, 1, 0x80000000):
            rs1 = rng.choice(low)
            cases.append(Case(f"c.beqz x{rs1}, {imm}", "beq", 0, rs1, 0, imm, {rs1: a}))
            cases.append(Case(f"c.bnez x{rs1}, {imm}", "bne", 0, rs1, 0, imm, {rs1: a}))
    for rs1 in named:
        for target in (0x100, 0x103, ALIAS + 2, SRAM_BASE + 0x7FE, SRAM_BASE + 0x800, 0x4000):
            cases.append(Case(f"c.jr x{rs1}", "jalr", 0, rs1, x={rs1: target}))
            cases.append(Case(f"c.jalr x{rs1}", "jalr", 1, rs1, x={rs1: target}))
    cases.append(Case("c.nop", "fence"))
    return cases


def test_compressed_instructions():
    counted = check(compressed_cases(), 6)
    assert len(counted) == 26 and counted.total() > 10_000


@pytest.mark.parametrize("kind", HINTS)
def test_hints_change_nothing(kind):
    check([Case(f".half {word}", "fence") for word in HINTS[kind]], 7)


@pytest.mark.parametrize("kind", RESERVED)
def test_reserved_compressed_encodings_are_refused(kind):
    check([Case(f".half {word}", "illegal") for word in RESERVED[kind]], 8)


def base_encoding(opcode: int, f3: int, f7: int) -> str:
    """'runs', or why not, for a 32-bit encoding by the manual's table; fields above bit 24 are f7 where it matters."""
    if opcode in (0x37, 0x17, 0x6F):
        return "runs"
    if opcode == 0x33:
        return "runs" if f7 == 0 or (f7 == 0x20 and f3 in (0, 5)) else "multiplication" if f7 == 1 else "illegal"
    if opcode == 0x13:
        return "illegal" if (f3 == 1 and f7) or (f3 == 5 and f7 not in (0, 0x20)) else "runs"
    legal = {0x67: (0,), 0x63: (0, 1, 4, 5, 6, 7), 0x03: (0, 1, 2, 4, 5), 0x23: (0, 1, 2), 0x0F: (0, 1)}
    return "runs" if f3 in legal.get(opcode, ()) else "illegal"


def test_every_operation_field_of_32_bits_runs_or_is_refused_by_the_manuals_table():
    """All of opcode, funct3 and funct7, but for SYSTEM, which has a test of its own: 31,744 encodings."""
    stepper, seen = Stepper(), Counter()
    for opcode in range(3, 128, 4):
        if opcode == 0x73:
            continue
        for f3 in range(8):
            for f7 in range(128):
                word = f7 << 25 | 4 << 20 | 5 << 15 | f3 << 12 | 6 << 7 | opcode
                x = [0] * 16
                x[5] = SRAM_BASE + 0x400 - signed(f7 << 5 | (6 if opcode == 0x23 else 4), 12)  # loads, stores: inside
                x[4] = x[5]  # and branches compare equals
                if opcode == 0x67:
                    x[5] += 0x100 - 4
                stepper.load(word.to_bytes(4, "little"), 0x2000, x, bytes(SRAM_BYTES))
                expected = base_encoding(opcode, f3, f7)
                try:
                    stepper.step()
                except ChipFault as fault:
                    if expected == "runs" and opcode == 0x6F:
                        assert fault.reason.startswith("execution outside")  # far jumps leave the flash
                    else:
                        assert expected in fault.reason, hex(word)
                else:
                    assert expected == "runs", hex(word)
                seen[expected] += 1
    assert sum(seen.values()) == 31 * 1024 and seen["multiplication"] == 8
    print(dict(seen))


@pytest.mark.parametrize("name", FIELDS)
def test_registers_above_x15_are_refused_in_every_field(name):
    """RV32E: 16 registers; a constant in the same bits is none."""
    word, shifts = FIELDS[name]
    stepper = Stepper()
    for shift in shifts:
        for register in range(16, 32):
            stepper.load((word | register << shift).to_bytes(4, "little"), 0x2000, [0] * 16, bytes(SRAM_BYTES))
            with pytest.raises(ChipFault, match="above x15"):
                stepper.step()


@pytest.mark.parametrize("text, stop", [("ecall", "break"), ("ebreak", "break"), ("c.ebreak", "break")])
def test_environment_calls_stop_where_they_are(text, stop):
    stepper = Stepper()
    stepper.load(assemble([text])[0], 0x2000, [0] * 16, bytes(SRAM_BYTES))
    assert stepper.step() == stop
    assert stepper.chip.state.pc == 0x2000 and stepper.chip.instructions == 0


def test_fences_change_nothing_whatever_they_order():
    check([Case(f"fence {a}, {b}", "fence") for a in ("i", "o", "r", "w", "iorw") for b in ("r", "w", "rw", "iorw")], 9)


@pytest.mark.parametrize("name, change", [
    ("csrrw", lambda old, new: new), ("csrrs", lambda old, new: old | new), ("csrrc", lambda old, new: old & ~new),
])
@pytest.mark.parametrize("constant", [False, True])
def test_control_registers(name, change, constant):
    """Old value out, new value in, for each pair of edges; rd and rs1 may be the same, or x0."""
    stepper, rng = Stepper(), random.Random(10)
    operands = range(32) if constant else (0, *range(1, 16))
    texts = [f"{name}{'i' if constant else ''} x{rd}, mscratch, {'' if constant else 'x'}{operand}"
             for operand in operands for rd in (0, 7, operand % 16)]
    code = assemble(["csrw mscratch, x5", "csrr x9, mscratch", *texts])
    for text, middle in zip(texts, code[2:], strict=True):
        rd, operand = int(text.split()[1][1:-1]), int(text.split()[-1].lstrip("x"))
        for old in EDGES:
            x = [0] + [rng.choice(EDGES) for _ in range(15)]
            x[5] = old
            stepper.load(code[0] + middle + code[1], 0x2000, x, bytes(SRAM_BYTES))
            new = change(old, operand if constant else x[operand]) & MASK
            for _ in range(3):
                assert stepper.step() == "budget"
            if rd:
                x[rd] = old
            x[9] = new
            assert stepper.chip.registers() == x, text


@pytest.mark.parametrize("end, pc", [(FLASH_BYTES, FLASH_BYTES - 2), (ALIAS + FLASH_BYTES, ALIAS + FLASH_BYTES - 2),
                                     (SRAM_BASE + SRAM_BYTES, SRAM_BASE + SRAM_BYTES - 2)])
def test_execution_stops_at_the_end_of_a_memory(end, pc):
    """The last halfword may hold a short instruction and no half of a long one; behind it is nothing."""
    stepper = Stepper()
    stepper.load(assemble(["c.nop"])[0], pc, [0] * 16, bytes(SRAM_BYTES))
    assert stepper.step() == "budget" and stepper.chip.state.pc == end
    with pytest.raises(ChipFault, match="execution outside"):
        stepper.step()
    stepper.load(assemble(["addi x5, x5, 1000"])[0][:2], pc, [0] * 16, bytes(SRAM_BYTES))
    with pytest.raises(ChipFault, match="execution outside"):
        stepper.step()
