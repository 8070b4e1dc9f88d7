"""The compiler's wrapper: builds for this computer, the cache, and what happens when something is missing."""

import ctypes
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tinyspeech import toolchain
from tinyspeech.errors import UserError
from tinyspeech.paths import FIRMWARE
from tinyspeech.toolchain import compile as compiling


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> Path:
    """An empty cache, so that every build happens."""
    monkeypatch.setattr(compiling, "CACHE", tmp_path / "build")
    return tmp_path / "build"


@pytest.fixture
def calls(monkeypatch) -> list[tuple]:
    """The compiler's calls, in order."""
    seen, original = [], toolchain.zig
    monkeypatch.setattr(compiling, "zig", lambda *a: (seen.append(a), original(*a))[1])
    return seen


def source(folder: Path, text: str, name: str = "sum.c") -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(text)
    return path


SUM = '#include <stdint.h>\n#include "scale.h"\nint32_t sum(int32_t a, int32_t b) { return (a + b) * SCALE; }\n'


@pytest.fixture
def code(tmp_path) -> Path:
    source(tmp_path / "src", "#define SCALE 1\n", "scale.h")
    return source(tmp_path / "src", SUM)


def test_builds_and_runs(code, cache):
    path = toolchain.build_host_library([code])
    assert path.is_file() and path.parent.parent == cache and path.stem == "libsum"
    assert ctypes.CDLL(str(path)).sum(20, 22) == 42
    assert [p.name for p in cache.iterdir()] == [path.parent.name]  # nothing temporary is left


def test_second_build_costs_nothing(code, calls):
    first = toolchain.build_host_library([code])
    stamp = first.stat().st_mtime_ns
    assert toolchain.build_host_library([code]) == first
    assert len(calls) == 1 and first.stat().st_mtime_ns == stamp


def test_a_touched_source_is_the_same_source(code, calls):
    toolchain.build_host_library([code])
    os.utime(code, (1, 1))
    toolchain.build_host_library([code])
    assert len(calls) == 1


def test_source_header_and_flags_each_make_another_build(code, calls):
    paths = [toolchain.build_host_library([code]), toolchain.build_host_library([code], sanitize=True),
             toolchain.build_host_library([code], optimise="-O3")]
    (code.parent / "scale.h").write_text("#define SCALE 2\n")
    paths.append(toolchain.build_host_library([code]))
    assert ctypes.CDLL(str(paths[-1])).sum(20, 22) == 84
    code.write_text(SUM.replace("+", "-"))
    paths.append(toolchain.build_host_library([code]))
    assert ctypes.CDLL(str(paths[-1])).sum(20, 22) == -4
    assert len(set(paths)) == len(calls) == 5


def test_sources_of_one_name_in_two_folders_do_not_mix(code, tmp_path):
    source(tmp_path / "other", "#define SCALE 3\n", "scale.h")
    other = source(tmp_path / "other", SUM)
    assert ctypes.CDLL(str(toolchain.build_host_library([code]))).sum(1, 1) == 2
    assert ctypes.CDLL(str(toolchain.build_host_library([other]))).sum(1, 1) == 6


def test_several_sources_are_one_library(code, tmp_path):
    two = source(code.parent, "int sum(int, int);\nint twice(int a) { return sum(a, a); }\n", "twice.c")
    assert ctypes.CDLL(str(toolchain.build_host_library([code, two]))).twice(21) == 42


@pytest.mark.parametrize("text, match", [
    ("int sum(int a) { return a +; }\n", "error"),
    ("int sum(int a) { int unused; return a; }\n", "unused"),  # warnings are errors
    ('#include "nowhere.h"\n', "nowhere.h"),
    ("int sum(void) { return missing(); }\n", "missing"),
])
def test_code_that_does_not_compile_is_one_line(text, match, tmp_path, cache):
    with pytest.raises(UserError, match=match) as caught:
        toolchain.build_host_library([source(tmp_path / "src", text)])
    assert "\n" not in str(caught.value) and str(caught.value).startswith("the C compiler failed")
    assert not list(cache.iterdir())  # a failure is not remembered


def test_missing_sources_are_one_line(tmp_path):
    for path in (tmp_path / "none.c", tmp_path):
        with pytest.raises(UserError, match="cannot read source") as caught:
            toolchain.build_host_library([path])
        assert "\n" not in str(caught.value)


def test_missing_compiler(code, monkeypatch):
    original = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *a: None if name == "ziglang" else original(name, *a))
    with pytest.raises(UserError, match=r"install the package ziglang.*requirements\.txt"):
        toolchain.build_host_library([code])


def test_a_cached_build_needs_no_compiler(code, monkeypatch):
    path = toolchain.build_host_library([code])
    monkeypatch.setattr(compiling, "zig", lambda *_: pytest.fail("the compiler was called"))
    assert toolchain.build_host_library([code]) == path


def test_a_python_that_cannot_start(code, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(UserError, match="cannot be run"):
        toolchain.build_host_library([code])


def test_a_cache_that_cannot_be_written(code, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setattr(compiling, "CACHE", tmp_path / "file" / "build")
    with pytest.raises(UserError, match="cannot write") as caught:
        toolchain.build_host_library([code])
    assert "\n" not in str(caught.value)


def test_the_cache_is_made_with_its_parents(code, tmp_path, monkeypatch):
    monkeypatch.setattr(compiling, "CACHE", tmp_path / "not" / "yet" / "there")
    assert toolchain.build_host_library([code]).is_file()


def test_another_process_was_faster(code, cache, monkeypatch):
    """Two builds of the same thing at once: the second finds the first one's folder and uses it."""
    original = toolchain.zig

    def slow(*arguments):
        monkeypatch.setattr(compiling, "zig", original)
        toolchain.build_host_library([code])  # meanwhile
        return original(*arguments)

    monkeypatch.setattr(compiling, "zig", slow)
    path = toolchain.build_host_library([code])
    assert ctypes.CDLL(str(path)).sum(1, 2) == 3 and len(list(cache.iterdir())) == 1


UNDEFINED = {
    "overflow": ("int f(int x) { return x + 2147483647; }", 0, 1),
    "shift too far": ("int f(int x) { return 1 << x; }", 3, 40),
    "out of an array": ("int f(int x) { static int a[4]; return a[x]; }", 3, 4),
    "negative to a shift": ("int f(int x) { return x << 3; }", 1, -1),
    "division by zero": ("int f(int x) { return 5 / x; }", 5, 0),
}


@pytest.mark.parametrize("what", UNDEFINED)
def test_sanitised_code_stops_at_undefined_behaviour(what, tmp_path):
    text, fine, bad = UNDEFINED[what]
    path = toolchain.build_host_library([source(tmp_path / "src", text + "\n")], sanitize=True)

    def run(x: int) -> int:
        code = f"import ctypes; print(ctypes.CDLL({str(path)!r}).f({x}))"
        return subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode

    assert run(fine) == 0
    assert run(bad) < 0  # killed by a trap


def test_firmware_sources_exist_and_are_all_there():
    assert all((FIRMWARE / name).is_file() for name in toolchain.FIRMWARE_SOURCES)
    there = {p.name for p in FIRMWARE.iterdir() if p.suffix in (".c", ".S")}
    twins = {"dense.c", "depthwise.c", "matching.c", "requantise.c", "teach.c"}  # of the .S, for other computers
    assert there - twins == {*toolchain.FIRMWARE_SOURCES}


# --- reading what was built -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code, text", [
    (0x02C58533, "mul a0, a1, a2"), (0x02C5D533, "divu a0, a1, a2"), (0x02C5F533, "remu a0, a1, a2"),
    (0x00A80533, "add a0, a6, a0"), (0x00A50833, "add a6, a0, a0"), (0x01052533, "slt a0, a0, a6"),
    (0x000E2503, "lw a0, 0(t3)"), (0x01C52023, "sw t3, 0(a0)"), (0x01F50463, "beq a0, t6, 8"), (0xC0001073, "unimp"),
])
def test_what_the_core_has_not_is_found_wherever_a_register_stands(code, text, cache):
    program = source(cache.parent / "src", f'.section .init, "ax"\n.globl reset\nreset:\n.4byte {code}\n nop\n', "a.S")
    assert toolchain.forbidden_instructions(toolchain.build_firmware([program]).elf) == [f"0x0: {text}"]


def test_what_the_core_has_is_not_found(cache):
    text = "sw a5, 124(a4)\n sw a5, 4(sp)\n lw s1, 0(s0)\n jal t2, reset\n beqz a5, reset\n lui a5, 31\n"
    program = source(cache.parent / "src", f'.section .init, "ax"\n.globl reset\nreset:\n{text}', "a.S")
    assert toolchain.forbidden_instructions(toolchain.build_firmware([program]).elf) == []


@pytest.mark.parametrize("read", [toolchain.flat_image, toolchain.sizes, toolchain.function_addresses,
                                  toolchain.line_addresses, toolchain.symbol_addresses, toolchain.ram_objects,
                                  toolchain.forbidden_instructions], ids=lambda read: read.__name__)
def test_a_file_that_is_no_firmware_is_one_line(read, tmp_path):
    (tmp_path / "text.elf").write_text("no ELF file")
    for name, match in (("text.elf", "is no ELF file"), ("none.elf", "cannot read firmware")):
        with pytest.raises(UserError, match=match) as caught:
            read(tmp_path / name)
        assert "\n" not in str(caught.value)
