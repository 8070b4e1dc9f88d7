"""The C compiler: ziglang, one package for the host, for RV32EC and for WebAssembly (chapter 11).
Debian's gcc builds the firmware as well.

Builds are kept in a cache folder under the hash of everything that went in, so that a second call costs nothing and
processes that build at once do not disturb each other.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import capstone
from capstone import riscv_const
from elftools.common.exceptions import ELFError
from elftools.elf.constants import SH_FLAGS
from elftools.elf.elffile import ELFFile

from tinyspeech.errors import UserError
from tinyspeech.paths import FIRMWARE, ROOT

CACHE = ROOT / "build"
"""Where builds are kept; git-ignored."""
FIRMWARE_SOURCES = ("startup.S", "main.c", "board.c", "listen.c", "handler.S", "usart.c", "decision.c", "frontend.c",
                    "multiply.c", "kernels.c", "dense.S", "depthwise.S", "requantise.S", "lanes.S", "bands.c",
                    "network.c")

WARNINGS = ("-std=gnu11", "-Wall", "-Wextra", "-Werror", "-fno-strict-aliasing")
"""And no aliasing by type: the one work buffer holds samples, energies and sums in turn."""
HOST = ("-O2", "-shared", "-fPIC", "-fvisibility=default", *WARNINGS)
RV32EC = ("-target", "riscv32-freestanding-none", "-mcpu=generic_rv32-i+e+c+relax")
"""The QingKe V2A core: 16 registers, compressed instructions, no multiplier."""
XW = "+xwchc"
"""And WCH's own: loads and stores of bytes and halfwords in 16 bits. gcc does not know them."""
WASM = ("-target", "wasm32-freestanding", "-O3", "-nostdlib", "-mbulk-memory", "-fno-sanitize=all", "-Wl,--strip-all",
        *WARNINGS)
"""For a browser: no C library, no names, memory filled and copied by the machine's own instructions."""
FIRMWARE_FLAGS = (
    "-Os", "-g", *WARNINGS, "-ffreestanding", "-fno-builtin", "-ffunction-sections", "-fdata-sections",
    "-fno-sanitize=all", "-fomit-frame-pointer", "-fno-unwind-tables", "-fno-asynchronous-unwind-tables",
)
ZIG_COMPILE = (*RV32EC, "-mllvm", "-disable-machine-licm")
"""What is hoisted out of a loop would end on the stack: there are few registers."""
GCC = "riscv64-unknown-elf-gcc"
GCC_COMPILE = ("-march=rv32ec_zicsr_zifencei", "-mabi=ilp32e")
"""gcc wants the instructions of control registers and fence.i named ..."""
GCC_LINK = ("-march=rv32ec", "-mabi=ilp32e", "-nostdlib")
"""... but knows no library for a core that has them: with them it links one for another core."""
COMPILERS = ("zig", "gcc")
"""What builds the firmware; the first is the one that ships."""


@dataclass(frozen=True)
class Firmware:
    """A built firmware."""

    elf: Path
    """With symbols and line tables."""
    bin: Path
    """The bytes that are flashed, from address 0."""


def zig(*arguments: str | Path) -> str:
    """Run the compiler and return what it printed; a failure raises `UserError` with its first error line.

    It always runs in the repository's root, whose name debug information repeats: give absolute paths.
    """
    if importlib.util.find_spec("ziglang") is None:
        raise UserError("no C compiler: install the package ziglang (pip install -r requirements.txt)")
    return _compile([sys.executable, "-m", "ziglang", *map(str, arguments)])


def gcc(*arguments: str | Path) -> str:
    """The same for Debian's gcc."""
    if not has_gcc():
        raise UserError(f"no {GCC}: install Debian's package gcc-riscv64-unknown-elf, or build with zig")
    return _compile([GCC, *map(str, arguments)])


def has_gcc() -> bool:
    """Whether Debian's gcc for RISC-V is installed."""
    return shutil.which(GCC) is not None


def _compile(command: list[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    except OSError as error:
        raise UserError(f"the C compiler cannot be run: {error}") from error
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["no message"]
        first = next((line for line in lines if "error" in line), lines[0])
        raise UserError(f"the C compiler failed: {first.strip()}")
    return done.stdout


def compiler_version(compiler: str) -> str:
    """Of one of `COMPILERS`; "" where it is not installed, which is reported when it is called."""
    if compiler == "gcc":
        return gcc("-dumpfullversion").strip() if has_gcc() else ""
    try:
        return version("ziglang")
    except PackageNotFoundError:
        return ""


def _digest(parts: Sequence[str | Path], folders: Sequence[Path], compiler: str = "zig") -> str:
    """Hash of compiler, flags, sources and every header beside them."""
    sha = hashlib.sha256(compiler_version(compiler).encode())
    for part in parts:
        sha.update(str(Path(part).name if isinstance(part, Path) else part).encode() + b"\0")
        if isinstance(part, Path):
            sha.update(_read(part))
    for folder in sorted(set(folders)):
        for header in sorted(folder.glob("*.h")):
            sha.update(header.name.encode() + b"\0" + header.read_bytes())
    return sha.hexdigest()[:16]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read source {path}: {error.strerror}") from error


def firmware_with(header: str) -> Path:
    """A folder with the firmware's sources and this text as its `model.h`: another network for `build_firmware` and
    `build_host_library`, while the one that ships stays where it is."""
    sources = sorted(path for pattern in ("*.[chS]", "*.ld") for path in FIRMWARE.glob(pattern))

    def build(out: Path) -> None:
        for path in sources:
            shutil.copy(path, out)
        (out / "model.h").write_text(header)

    return _cached("network", _digest([header, *sources], []), build)


def _cached(name: str, digest: str, build) -> Path:
    """The folder build/name-digest, made by `build(folder)` in a temporary place and moved there in one step."""
    folder = CACHE / f"{name}-{digest}"
    if folder.exists():
        return folder
    try:
        CACHE.mkdir(parents=True, exist_ok=True)
        return _build(folder, name, build)
    except OSError as error:
        raise UserError(f"cannot write the build {folder}: {error.strerror}") from error


def _build(folder: Path, name: str, build) -> Path:
    """Build beside `folder` and move the whole there; whoever builds the same at the same time may be faster."""
    with tempfile.TemporaryDirectory(dir=CACHE, prefix=f".{name}-") as temporary:
        work = Path(temporary) / "out"
        work.mkdir()
        build(work)
        try:
            os.replace(work, folder)
        except OSError:
            if not folder.exists():  # another process was not faster: a real failure
                raise
    return folder


def build_host_library(sources: Sequence[Path], sanitize: bool = False, optimise: str = "-O2") -> Path:
    """Compile C99 sources to a shared library for this computer; returns its path.

    sanitize traps at once on undefined behaviour (overflow, stray shift, misaligned access, array bounds known to the
    compiler). Raises `UserError` for a missing compiler or source, or code that does not compile.
    """
    checks = ("-fsanitize=undefined", "-fsanitize-trap=undefined") if sanitize else ("-fno-sanitize=all",)
    flags, sources = [*HOST, optimise, *checks], [Path(source).resolve() for source in sources]
    digest = _digest([*flags, *sources], [source.parent for source in sources])
    suffix = {"win32": ".dll", "darwin": ".dylib"}.get(sys.platform, ".so")
    name = f"lib{sources[-1].stem}{suffix}"
    return _cached("host", digest, lambda out: zig("cc", *flags, *sources, "-o", out / name)) / name


def build_wasm(sources: Sequence[Path], exports: Sequence[str], name: str) -> Path:
    """Compile C99 sources to WebAssembly that needs nothing from its host; returns the path of `name`.wasm.

    exports : functions (and `__heap_base`, where free memory begins) that the page calls.
    """
    sources = [Path(source).resolve() for source in sources]
    flags = [*WASM, "-Wl,--no-entry", *(f"-Wl,--export={export}" for export in exports)]
    digest = _digest([*flags, *sources], [source.parent for source in sources])
    return _cached("wasm", digest, lambda out: zig("cc", *flags, *sources, "-o", out / f"{name}.wasm")) / f"{name}.wasm"


def build_firmware(sources: Path | Sequence[Path] | None = None, name: str = "firmware",
                   script: Path | None = None, runtime: bool = False, compiler: str = COMPILERS[0],
                   xw: bool | None = None) -> Firmware:
    """Compile and link for the CH32V003; returns the paths of the ELF and of the flat binary.

    sources: by default the shipped firmware; a folder means the firmware in it. Two builds of the same sources give the
    same bytes. script: the linker's, by default the firmware's. runtime: let the program call the compiler's own
    products and divisions, as gcc's always may. compiler: one of `COMPILERS`. xw: with WCH's own instructions (`XW`);
    by default where zig builds the firmware, and not in other programs.
    """
    if compiler not in COMPILERS:
        raise UserError(f"unknown compiler '{compiler}'; there are {', '.join(COMPILERS)}")
    if xw and compiler == "gcc":
        raise UserError("gcc does not know WCH's own instructions: build with zig, or without them")
    if sources is None or isinstance(sources, Path):
        xw = compiler == "zig" if xw is None else xw
        sources = [(sources or FIRMWARE) / source for source in FIRMWARE_SOURCES]
    sources = [Path(source).resolve() for source in sources]
    script = script or FIRMWARE / "ch32v003.ld"
    compile_flags, link_flags = (GCC_COMPILE, GCC_LINK) if compiler == "gcc" else (ZIG_COMPILE, RV32EC)
    if xw:
        compile_flags = [flag + XW if flag.startswith("-mcpu=") else flag for flag in compile_flags]
    run = gcc if compiler == "gcc" else partial(zig, "cc")
    digest = _digest([*compile_flags, *link_flags, *FIRMWARE_FLAGS, str(runtime), script, *sources],
                     [FIRMWARE, *(source.parent for source in sources)], compiler)

    def build(out: Path) -> None:
        # mapped names keep this computer's paths out of the debug information
        flags = [*FIRMWARE_FLAGS, f"-I{FIRMWARE}"]
        flags += [f"-ffile-prefix-map={folder}=firmware" for folder in sorted({out, *(s.parent for s in sources)})]
        objects = [out / f"{source.stem}.o" for source in sources]
        for source, compiled in zip(sources, objects, strict=True):
            run(*compile_flags, *flags, "-c", source, "-o", compiled)
        elf = out / f"{name}.elf"
        if compiler == "gcc":
            gcc(*link_flags, *flags, "-T", script, "-Wl,--gc-sections", *objects, "-lgcc", "-o", elf)
        elif runtime:
            zig("cc", *link_flags, *flags, "-T", script, "-Wl,--gc-sections", *objects, "-o", elf)
        else:  # the linker itself, since the compiler does not pass this option on: RAM is reached by offsets from gp
            zig("ld.lld", "-m", "elf32lriscv", "-T", script, "--gc-sections", "--relax-gp", *objects, "-o", elf)
        (out / f"{name}.bin").write_bytes(flat_image(elf))

    folder = _cached(name, digest, build)
    return Firmware(folder / f"{name}.elf", folder / f"{name}.bin")


def assemble(text: str) -> bytes:
    """Machine code of a few instructions, as they lie in flash from address 0: small programs for the emulated chip.

    What does not assemble raises `UserError`.
    """
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "program.S"
        source.write_text(f'.option norelax\n.section .init, "ax", @progbits\n.globl reset\nreset:\n{text}\n')
        return build_firmware([source], "program").bin.read_bytes()


# ---------------------------------------------------------------- reading what was built

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
    """One of WCH's own instructions (`XW`), which no disassembler of ours knows."""

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
