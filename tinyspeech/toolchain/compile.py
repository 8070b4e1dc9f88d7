"""The C compiler: ziglang, one package for the host, for RV32EC and for WebAssembly (chapter 13).
Debian's gcc builds the firmware as well.

Builds are kept in a cache folder under the hash of everything that went in, so that a second call costs nothing and
processes that build at once do not disturb each other. What is no longer whole there is built anew, and where the
folder cannot be written, builds last as long as the program.
"""

from __future__ import annotations

import atexit
import contextlib
import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from tinyspeech import COMPILERS
from tinyspeech.errors import Notice, UserError
from tinyspeech.paths import FIRMWARE, ROOT, build_folder, to_install
from tinyspeech.toolchain.elf import flat_image

CACHE = build_folder()
"""Where builds are kept."""
WHOLE = ".whole.json"
"""In each build: the size and hash of every file, so that what somebody removed or a full disk cut is seen."""
FIRMWARE_SOURCES = ("startup.S", "dense.S", "requantise.S", "handler.S", "frontend.c", "teach.S", "words.c", "board.c",
                    "listen.c", "depthwise.S", "usart.c", "main.c", "multiply.c", "kernels.c", "save.S", "decision.c",
                    "decide.S", "matching.S", "network.c")
"""In the order in which they lie in flash: main.c in the middle, since a call over more than 2 KB takes two bytes more,
and the weights, network.c's, last of all constants. The rest by trial: this order is the smallest."""

WARNINGS = ("-std=gnu11", "-Wall", "-Wextra", "-Werror", "-fno-strict-aliasing")
"""And no aliasing by type: the one work buffer holds samples, energies and sums in turn."""
HOST = ("-O2", "-shared", "-fPIC", "-fvisibility=default", *WARNINGS)
RV32EC = ("-target", "riscv32-freestanding-none", "-mcpu=generic_rv32-i+e+c+relax")
"""The QingKe V2A core: 16 registers, compressed instructions, no multiplier."""
XW = "+xwchc"
"""And WCH's own: loads and stores of bytes and halfwords in 16 bits. gcc does not know them."""
WASM = ("-target", "wasm32-freestanding", "-nostdlib", "-mbulk-memory", "-fno-sanitize=all", "-Wl,--strip-all",
        *WARNINGS)
"""For a browser: no C library, no names, memory filled and copied by the machine's own instructions."""
FIRMWARE_FLAGS = (
    "-Os", "-g", *WARNINGS, "-ffreestanding", "-fno-builtin", "-ffunction-sections", "-fdata-sections",
    "-fno-sanitize=all", "-fomit-frame-pointer", "-fno-unwind-tables", "-fno-asynchronous-unwind-tables",
    "-fno-jump-tables",
)
"""A table of addresses for nine command letters takes more flash than comparing them."""
ZIG_COMPILE = (*RV32EC, "-fdebug-compilation-dir=.", "-mllvm", "-disable-machine-licm")
"""Nothing says in which folder a build was made. What is hoisted out of a loop would end on the stack: there are few
registers."""
ZIG_MAPS = ("-ffile-prefix-map",)
"""Flags that give a folder another name, of several that fit the last."""
ZIG_WITH_SAVE = "-msave-restore"
"""For C beside save.S, whose routines then save registers for every function."""
ZIG_SMALL = {
    "main.c": ("-Xclang", "-Oz", "-mllvm", "-tail-merge-size=1", "-mllvm", "-disable-cgp", "-mllvm",
               "-disable-machine-cse", "-mllvm", "-disable-block-placement", "-fno-optimize-sibling-calls"),
    "usart.c": ("-Xclang", "-Oz", "-mllvm", "-enable-misched=false", "-fno-optimize-sibling-calls"),
    "board.c": ("-mllvm", "-disable-lsr", "-mllvm", "-enable-ipra"),
    "listen.c": ("-Xclang", "-Oz"),
    "words.c": ("-mllvm", "-enable-ipra", "-mllvm", "-disable-machine-sink", "-mllvm", "-disable-lsr"),
    "decision.c": ("-Xclang", "-Oz", "-mllvm", "-disable-machine-sink"),
    "network.c": ("-Xclang", "-Oz", "-mllvm", "-disable-machine-cse", "-mllvm", "-enable-ipra", "-mllvm",
                  "-enable-load-pre=0", "-mllvm", "-disable-tail-duplicate", "-fno-optimize-sibling-calls"),
}
"""What else makes a file of the firmware smaller. (zig takes -Oz for -Os, and clang, for other files, a product.)"""
GCC = "riscv64-unknown-elf-gcc"
GCC_COMPILE = ("-march=rv32ec_zicsr_zifencei", "-mabi=ilp32e", "-DMODEL_TAP=0")
"""Its code is larger: without taught words. gcc wants the instructions of control registers and fence.i named ..."""
GCC_LINK = ("-march=rv32ec", "-mabi=ilp32e", "-nostdlib")
"""... but knows no library for a core that has them: with them it links one for another core."""
GCC_MAPS = ("-fdebug-prefix-map", "-ffile-prefix-map")
"""It tells its assembler of the first alone."""


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
        raise UserError(f"no C compiler: install the package ziglang ({to_install('ziglang')})")
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
        done = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace", check=False, cwd=ROOT,
                              env=_compiler_environment())
    except OSError as error:
        raise UserError(f"the C compiler cannot be run: {error}") from error
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [
            f"it says nothing and ends with {done.returncode}. Is there room on the disks of {CACHE} and of the "
            "compiler's own cache (zig env tells it)? What lies in both may be removed"]
        first = next((line for line in lines if "error" in line), lines[0])
        raise UserError(f"the C compiler failed: {first.strip()}")
    return done.stdout


def _compiler_environment() -> dict[str, str] | None:
    """zig keeps a cache of its own, in the home folder: `TINYSPEECH_CACHE` moves that, too, and where it cannot be
    written it lasts as long as the program."""
    if "ZIG_GLOBAL_CACHE_DIR" in os.environ:
        return None
    own = build_folder() / "zig" if os.environ.get("TINYSPEECH_CACHE") else None
    home = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    if not _may_write(own or home):
        own = _spare_folder() / "zig"
    return None if own is None else {**os.environ, "ZIG_GLOBAL_CACHE_DIR": str(own), "ZIG_LOCAL_CACHE_DIR": str(own)}


def _may_write(folder: Path) -> bool:
    """Whether files can be made in it, or it can be made itself."""
    there = next(path for path in (folder, *folder.parents) if path.exists() or path == path.parent)
    return there.is_dir() and os.access(there, os.W_OK)


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
        (out / "model.h").write_text(header, encoding="utf-8")

    return _cached("network", _digest([header, *sources], []), build)


def _cached(name: str, digest: str, build) -> Path:
    """The folder build/name-digest, made by `build(folder)` in a temporary place and moved there in one step; anew
    where what is there is not whole. Where a read-only `build_folder` has no room for it, it lasts as long as the
    program; otherwise `UserError`."""
    folder = CACHE / f"{name}-{digest}"
    if _is_whole(folder):
        return folder
    try:
        CACHE.mkdir(parents=True, exist_ok=True)
        if folder.exists():
            _remove(folder)
        return _build(folder, name, build)
    except OSError as error:
        if CACHE != build_folder() or (os.access(CACHE, os.W_OK) and CACHE.is_dir()):
            raise UserError(f"cannot write the build {folder}: {error.strerror or error}; what lies in {CACHE} may be "
                            "removed") from error
        if not (folder := _spare(error) / folder.name).exists():
            folder.mkdir()
            build(folder)
        return folder


@cache
def _spare_folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="tinyspeech-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _spare(error: OSError) -> Path:
    """A folder for builds that do not last, which is said."""
    warnings.warn(f"{CACHE} cannot be written ({error.strerror}), and so builds are made again each time: "
                  "TINYSPEECH_CACHE names another folder", Notice, stacklevel=2)
    return _spare_folder()


def _is_whole(folder: Path) -> bool:
    """Whether a build is there and every file of it is what it was."""
    try:
        kept = json.loads((folder / WHOLE).read_text("utf-8"))
        return all(_hash_of(folder / name) == digest for name, digest in kept.items())
    except (OSError, ValueError, AttributeError):
        return False


def _hash_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _remove(folder: Path) -> None:
    """Away with what is not whole: at once, so that others that build the same see it whole or not at all."""
    with contextlib.suppress(OSError):
        away = folder.with_name(f".{folder.name}-{os.getpid()}")
        os.replace(folder, away)
        shutil.rmtree(away, ignore_errors=True)
    if folder.exists() and not _is_whole(folder):
        shutil.rmtree(folder)


def _build(folder: Path, name: str, build) -> Path:
    """Build beside `folder` and move the whole there; whoever builds the same at the same time may be faster."""
    with tempfile.TemporaryDirectory(dir=CACHE, prefix=f".{name}-") as temporary:
        work = Path(temporary) / "out"
        work.mkdir()
        build(work)
        kept = {path.name: _hash_of(path) for path in sorted(work.iterdir()) if path.is_file()}
        (work / WHOLE).write_text(json.dumps(kept), "utf-8")
        try:
            os.replace(work, folder)
        except OSError:
            if not folder.exists():  # another process was not faster: a real failure
                raise
    return folder


def build_host_library(sources: Sequence[Path], sanitize: bool = False, optimise: str = "-O2") -> Path:
    """Compile C sources to a shared library for this computer; returns its path.

    sanitize traps at once on undefined behaviour (overflow, stray shift, misaligned access, array bounds known to the
    compiler). Raises `UserError` for a missing compiler or source, or code that does not compile.
    """
    checks = ("-fsanitize=undefined", "-fsanitize-trap=undefined") if sanitize else ("-fno-sanitize=all",)
    flags, sources = [*HOST, optimise, *checks], [Path(source).resolve() for source in sources]
    digest = _digest([*flags, *sources], [source.parent for source in sources])
    suffix = {"win32": ".dll", "darwin": ".dylib"}.get(sys.platform, ".so")
    name = f"lib{sources[-1].stem}{suffix}"
    return _cached("host", digest, lambda out: zig("cc", *flags, *sources, "-o", out / name)) / name


def build_wasm(sources: Sequence[Path], exports: Sequence[str], name: str, optimise: str = "-O3",
               headers: Path | None = None) -> Path:
    """Compile C sources to WebAssembly that needs nothing from its host; returns the path of `name`.wasm.

    exports : functions (and `__heap_base`, where free memory begins) that the page calls. optimise : for speed, or with
    "-Os" for size. headers : a folder with some that do not lie beside the sources
    """
    sources = [Path(source).resolve() for source in sources]
    flags = [*WASM, optimise, "-Wl,--no-entry", *(f"-Wl,--export={export}" for export in exports)]
    folders = [*(source.parent for source in sources), *([headers] if headers else [])]
    include = [f"-I{headers}"] if headers else []
    digest = _digest([*flags, *sources], folders)
    return _cached("wasm", digest, lambda out: zig(
        "cc", *flags, *include, *sources, "-o", out / f"{name}.wasm")) / f"{name}.wasm"


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
    small = {}
    if compiler == "zig" and any(source.name == "save.S" for source in sources):
        small = {source: (ZIG_WITH_SAVE, *ZIG_SMALL.get(source.name, ())) for source in sources
                 if source.suffix == ".c"}
    maps = GCC_MAPS if compiler == "gcc" else ZIG_MAPS
    digest = _digest([*compile_flags, *link_flags, *maps, *FIRMWARE_FLAGS, *(str(flags) for flags in small.values()),
                      str(runtime), script, *sources], [FIRMWARE, *(source.parent for source in sources)], compiler)

    def build(out: Path) -> None:
        # mapped names keep this computer's paths out of the debug information
        flags = [*FIRMWARE_FLAGS, f"-I{FIRMWARE}"]
        mapped = {**{folder: "firmware" for folder in sorted({out, *(s.parent for s in sources)})}, ROOT: "."}
        flags += [f"{flag}={folder}={name}" for flag in maps for folder, name in reversed(mapped.items())]
        objects = [out / f"{source.stem}.o" for source in sources]
        for source, compiled in zip(sources, objects, strict=True):
            run(*compile_flags, *flags, *small.get(source, ()), "-c", source, "-o", compiled)
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
        start = '.option norelax\n.section .init, "ax", @progbits\n.globl reset\nreset:\n'
        source.write_text(f"{start}{text}\n", encoding="utf-8")
        return build_firmware([source], "program").bin.read_bytes()
