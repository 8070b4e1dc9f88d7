"""What lies in a built program: its flat image, sizes, addresses of functions, lines and variables (chapter 13).

ELF files are read by pyelftools, instructions by capstone.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import capstone
from capstone import riscv_const
from elftools.common.exceptions import ELFError
from elftools.elf.constants import SH_FLAGS
from elftools.elf.elffile import ELFFile

from tinyspeech.errors import UserError

FLASH_ALIAS = 0x0800_0000
"""The flash's own address; after reset it is seen at 0 as well, where our firmware is linked."""
SRAM_BASE = 0x2000_0000
"""From here on an address of ours is in RAM."""
HIGH_REGISTERS = range(riscv_const.RISCV_REG_X16, riscv_const.RISCV_REG_X31 + 1)
"""x16 .. x31 as capstone numbers them: RV32E has none of them."""


@contextlib.contextmanager
def opened(elf: Path) -> Iterator[ELFFile]:
    """An ELF file, to be read; one that cannot be, or is none, raises `UserError`."""
    try:
        with elf.open("rb") as file:
            yield ELFFile(file)
    except OSError as error:
        raise UserError(f"cannot read firmware {elf}: {error.strerror}") from error
    except ELFError as error:
        raise UserError(f"{elf} is no ELF file; `python -m tinyspeech firmware` builds one") from error


def flat_image(elf: Path) -> bytes:
    """The bytes of flash, linked at 0 or 0x08000000, the image of .data included: what `objcopy -O binary` writes.

    The compiler's own objcopy is first compiled from source on every new computer (15 s), hence this one. A file that
    cannot be read or is no ELF file raises `UserError`.
    """
    with opened(elf) as file:
        loads = [(s["p_paddr"] & ~FLASH_ALIAS, s.data()) for s in file.iter_segments("PT_LOAD") if s["p_filesz"]]
    image = bytearray(max((at + len(data) for at, data in loads), default=0))
    for at, data in loads:
        image[at : at + len(data)] = data
    return bytes(image)


def sizes(elf: Path) -> dict:
    """Bytes of a firmware: `flash_bytes` (code, tables and the image of .data), `data_bytes`, `bss_bytes`, `symbols`
    {name: bytes} of functions and objects in flash, and `ram_symbols`, the same of objects in RAM."""
    flash = data = bss = 0
    symbols: dict[str, int] = {}
    ram_symbols: dict[str, int] = {}
    with opened(elf) as image:
        for section in image.iter_sections():
            if not section["sh_flags"] & SH_FLAGS.SHF_ALLOC:
                continue
            if section["sh_type"] == "SHT_NOBITS":
                bss += section["sh_size"]
            else:
                flash += section["sh_size"]
                data += section["sh_size"] if section["sh_addr"] >= SRAM_BASE else 0
        for symbol in image.get_section_by_name(".symtab").iter_symbols():
            if symbol["st_info"]["type"] in ("STT_FUNC", "STT_OBJECT") and symbol["st_size"]:
                place = symbols if symbol["st_value"] < SRAM_BASE else ram_symbols
                place[symbol.name] = place.get(symbol.name, 0) + symbol["st_size"]
    return {"flash_bytes": flash, "data_bytes": data, "bss_bytes": bss, "symbols": symbols,
            "ram_symbols": ram_symbols}


def function_addresses(elf: Path) -> list[tuple[int, int, str]]:
    """(start, end, name) of every function, by address, one name each: what a profile by symbol needs."""
    with opened(elf) as image:
        rows = {s["st_value"]: (s["st_value"], s["st_value"] + s["st_size"], s.name)
                for s in image.get_section_by_name(".symtab").iter_symbols()
                if s["st_info"]["type"] == "STT_FUNC" and s["st_size"]}
    return sorted(rows.values())


def line_addresses(elf: Path) -> list[tuple[int, int, str, int]]:
    """(start, end, file, line) of every stretch of code, by address: what a profile by line needs."""
    rows = []
    with opened(elf) as image:
        dwarf = image.get_dwarf_info()
        for unit in dwarf.iter_CUs():
            program = dwarf.line_program_for_CU(unit)
            files, first = program["file_entry"], 0 if program["version"] >= 5 else 1  # DWARF 5 counts from 0
            last, last_name, discarded = None, "", False
            for state in (entry.state for entry in program.get_entries() if entry.state):
                name = Path(files[state.file - first].name.decode()).name
                if last is None:  # code that the linker dropped is said to begin at 0, where the first unit's is
                    discarded = state.address == 0 and bool(rows)
                elif state.address > last.address and not discarded:
                    rows.append((last.address, state.address, last_name, last.line))
                last, last_name = None if state.end_sequence else state, name
    return sorted(rows)


def function_files(elf: Path) -> dict[str, str]:
    """{function: name of the source file that it begins in}, for those that the line table knows."""
    lines = line_addresses(elf)
    found = ((name, next((file for a, b, file, _ in lines if a <= start < b), None))
             for start, _, name in function_addresses(elf))
    return {name: file for name, file in found if file}


def symbol_addresses(elf: Path) -> dict[str, int]:
    """{name: address} of every function and object."""
    with opened(elf) as image:
        return {s.name: s["st_value"] for s in image.get_section_by_name(".symtab").iter_symbols()
                if s["st_info"]["type"] in ("STT_FUNC", "STT_OBJECT")}


def ram_objects(elf: Path) -> list[tuple[int, int, str]]:
    """(start, end, name) of every variable in RAM, by address, as the linker placed them; of a structure its members,
    `name.member`, with what pads them counted to the one before (chapter 10).

    The compiler gives some variables a common label of its own beside their names; those are left out.
    """
    with opened(elf) as image:
        rows = {(s["st_value"], s["st_size"], s.name) for s in image.get_section_by_name(".symtab").iter_symbols()
                if s["st_info"]["type"] == "STT_OBJECT" and s["st_size"] and s["st_value"] >= SRAM_BASE}
        members = _members_of_variables(image.get_dwarf_info()) if image.has_dwarf_info() else {}
    found = []
    for start, size, name in sorted(row for row in rows if not row[2].startswith(".L")):
        parts = members.get((name, size)) or [(0, name)]
        ends = [*(offset for offset, _ in parts[1:]), size]
        found += [(start + offset, start + end, part) for (offset, part), end in zip(parts, ends, strict=True)]
    return found


def _members_of_variables(dwarf) -> dict[tuple[str, int], list[tuple[int, str]]]:
    """{(variable, bytes): [(offset, name.member)]} of all structures, inner ones taken apart as well."""

    def plain(die):
        while die.tag in ("DW_TAG_typedef", "DW_TAG_volatile_type", "DW_TAG_const_type"):
            die = die.get_DIE_from_attribute("DW_AT_type")
        return die

    def parts(die, offset: int, name: str) -> list[tuple[int, str]]:
        die = plain(die)
        if die.tag != "DW_TAG_structure_type":
            return [(offset, name)]
        return [part for member in die.iter_children() if member.tag == "DW_TAG_member"
                for part in parts(member.get_DIE_from_attribute("DW_AT_type"),
                                  offset + member.attributes["DW_AT_data_member_location"].value,
                                  f"{name}.{member.attributes['DW_AT_name'].value.decode()}")]

    found = {}
    for unit in dwarf.iter_CUs():
        for die in unit.iter_DIEs():
            if die.tag == "DW_TAG_variable" and {"DW_AT_name", "DW_AT_type"} <= {*die.attributes}:
                kind = plain(die.get_DIE_from_attribute("DW_AT_type"))
                if kind.tag == "DW_TAG_structure_type" and "DW_AT_byte_size" in kind.attributes:
                    name = die.attributes["DW_AT_name"].value.decode()
                    found[name, kind.attributes["DW_AT_byte_size"].value] = parts(kind, 0, name)
    return found


@dataclass(frozen=True)
class ShortAccess:
    """One of WCH's own instructions (`compile.XW`), which no disassembler of ours knows."""

    mnemonic: str
    register: int
    """x8 .. x15: loaded or stored."""
    base: int
    offset: int

    @classmethod
    def of(cls, code: bytes) -> ShortAccess | None:
        """What the first two bytes are, or None. Encoding: LLVM's xwchc; jnk0le."""
        h = int.from_bytes(code[:2], "little")
        quadrant, kind, register, base = h & 3, h >> 13, 8 + (h >> 2 & 7), 8 + (h >> 7 & 7)
        if len(code) < 2 or quadrant & 1:
            return None
        if kind in (1, 5):
            offset = (h >> 10 & (7 if quadrant else 3)) << 3 | (h >> 5 & 3) << 1 | (0 if quadrant else h >> 12 & 1)
            return cls(("xw.c.lbu", "xw.c.sb", "xw.c.lhu", "xw.c.sh")[quadrant + (kind == 5)], register, base, offset)
        if kind == 4 and not quadrant and not h & 0x1800:
            mnemonic = ("xw.c.lbusp", "xw.c.lhusp", "xw.c.sbsp", "xw.c.shsp")[h >> 5 & 3]
            return cls(mnemonic, register, 2, (h >> 8 & 7) << 1 | (h >> 7 & 1) << 4 if h & 0x20 else h >> 7 & 15)
        return None


@cache
def decoder() -> capstone.Cs:
    """A disassembler for the core's instructions, and for those of other RISC-V cores that it lacks; with operands."""
    made = capstone.Cs(capstone.CS_ARCH_RISCV, capstone.CS_MODE_RISCV32 | capstone.CS_MODE_RISCVC)
    made.detail = True
    return made


def forbidden(instruction: capstone.CsInsn) -> bool:
    """Whether it multiplies, divides, names a register above x15, or is made to be no instruction."""
    if instruction.id in (riscv_const.RISCV_INS_UNIMP, riscv_const.RISCV_INS_C_UNIMP):
        return True
    return riscv_const.RISCV_GRP_HASSTDEXTM in instruction.groups or any(
        (o.mem.base if o.type == riscv_const.RISCV_OP_MEM else o.reg) in HIGH_REGISTERS
        for o in instruction.operands if o.type in (riscv_const.RISCV_OP_MEM, riscv_const.RISCV_OP_REG))


def forbidden_instructions(elf: Path) -> list[str]:
    """Disassemble every executable section: what the core cannot execute, as text; empty is right.

    Forbidden are registers above x15, every multiplication, division and remainder, and bytes that are no instruction
    (zero halfwords between functions are padding). Nothing is skipped: code without a symbol is read as well.
    """
    inside = [range(start, end) for start, end, _ in function_addresses(elf)]
    found = []
    with opened(elf) as image:
        data = [range(s["st_value"], s["st_value"] + s["st_size"])
                for s in image.get_section_by_name(".symtab").iter_symbols()
                if s["st_info"]["type"] == "STT_OBJECT"]  # addresses in the vector table
        for section in image.iter_sections():
            if not section["sh_flags"] & SH_FLAGS.SHF_EXECINSTR:
                continue
            code, at, base = section.data(), 0, section["sh_addr"]
            while at < len(code):
                if ShortAccess.of(code[at:]):
                    at += 2
                    continue
                i = next(decoder().disasm(code[at : at + 4], base + at, 1), None)
                length = i.size if i else 4 if code[at] & 3 == 3 else 2
                if any(base + at in span for span in data):
                    pass
                elif i is None:
                    found.append(f"{base + at:#x}: not an instruction: {code[at : at + length][::-1].hex()}")
                elif i.id == riscv_const.RISCV_INS_C_UNIMP and not any(i.address in span for span in inside):
                    pass
                elif forbidden(i):
                    found.append(f"{i.address:#x}: {i.mnemonic} {i.op_str}".rstrip())
                at += length
    return found
