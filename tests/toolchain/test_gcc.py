"""Debian's gcc builds the same firmware: same answers, same limits; and what is said where it is missing.

Tests that need the compiler are skipped where the package gcc-riscv64-unknown-elf is not installed.
"""

import json
import shutil

import numpy as np
import pytest

from tinyspeech import paths, toolchain
from tinyspeech.__main__ import main
from tinyspeech.board.direct import Board, report_firmware
from tinyspeech.chip import native
from tinyspeech.chip.emulator import Chip
from tinyspeech.chip.firmware import exported_hash
from tinyspeech.errors import UserError
from tinyspeech.integer import frontend
from tinyspeech.integer.trials import worst_case_clip
from tinyspeech.measure import store
from tinyspeech.sound import datasets
from tinyspeech.toolchain import compile as compiling

needs_gcc = pytest.mark.skipif(not toolchain.has_gcc(), reason="gcc-riscv64-unknown-elf is not installed")


@pytest.fixture
def no_gcc(monkeypatch):
    find = shutil.which
    monkeypatch.setattr(shutil, "which", lambda name, *a, **k: None if name == compiling.GCC else find(name, *a, **k))


@pytest.fixture(scope="module")
def firmware():
    return toolchain.build_firmware(compiler="gcc")


@needs_gcc
def test_the_chip_equals_the_c_when_gcc_built_it(firmware):
    clips = frontend.to_8khz(datasets.load_task(paths.BUNDLED, "validation", limit=24).arrays()[0])
    x = np.concatenate([clips, worst_case_clip()[None], np.full((1, 8000), -32768, np.int16)])
    board, host = Board(firmware.elf), native.Native()
    features = host.features(x)
    differences = 0
    for clip, f, z in zip(x, features, host.logits(features), strict=True):
        result = board.classify(clip, features=True)
        differences += int((result.features != f).sum() + (result.logits != z).sum())
        assert result.best == z.argmax()
    print(f"{len(x)} clips: {differences} differences")
    assert differences == 0
    assert board.version() == f"tinyspeech tinyspeech_s {exported_hash()}"


@needs_gcc
def test_gccs_build_keeps_the_limits_of_the_chip(firmware):
    report = report_firmware(compiler="gcc")
    assert report["flash_bytes"] <= 16384
    assert report["data_bytes"] + report["bss_bytes"] + report["stack_bytes"] <= 2048
    assert toolchain.forbidden_instructions(firmware.elf) == []
    assert toolchain.flat_image(firmware.elf) == firmware.bin.read_bytes()


@needs_gcc
def test_gcc_knows_control_registers_and_brings_its_own_division(tmp_path):
    """Startup code sets CSRs; the compiler's routines must be those for 16 registers and no multiplier."""
    (tmp_path / "start.S").write_text("""
    .option norelax
    .section .init, "ax", @progbits
    .globl reset
    reset: la sp, stack_top
    csrwi mscratch, 13
    csrr a0, mscratch
    li a1, -7
    jal divide
    ebreak
    """)
    (tmp_path / "divide.c").write_text("int divide(int a, int b);\nint divide(int a, int b) { return a * 100 / b; }\n")
    built = toolchain.build_firmware([tmp_path / "start.S", tmp_path / "divide.c"], "divide", compiler="gcc")
    assert toolchain.forbidden_instructions(built.elf) == []
    chip = Chip(built.bin.read_bytes())
    assert chip.run() == "break"
    assert chip.registers()[10] == 2**32 - 185


@needs_gcc
def test_two_builds_by_gcc_give_the_same_bytes_and_are_not_taken_for_zigs(firmware, tmp_path, monkeypatch):
    monkeypatch.setattr(compiling, "CACHE", tmp_path / "elsewhere")
    again = toolchain.build_firmware(compiler="gcc")
    assert again.elf.read_bytes() == firmware.elf.read_bytes()
    assert str(paths.ROOT).encode() not in again.elf.read_bytes()  # nothing says where it was built
    assert toolchain.build_firmware().bin.parent != again.bin.parent


@needs_gcc
def test_both_compilers_side_by_side(capsys):
    assert main(["firmware", "--compiler", "both", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    sizes = ("flash_bytes", "data_bytes", "bss_bytes", "stack_bytes")
    assert list(result["compilers"]) == ["zig", "gcc"]
    assert all(result[key] == result["compilers"]["zig"][key] for key in sizes)
    assert main(["firmware", "--compiler", "both"]) == 0
    head, *rows = capsys.readouterr().out.splitlines()
    assert head.split() == ["zig", "gcc"]
    for name in ("zig", "gcc"):
        column = [row.split()[-2:][head.split().index(name)] for row in rows]
        assert column[:4] == [f"{result['compilers'][name][key]:,}" for key in sizes]


def test_a_missing_gcc_is_one_line(no_gcc, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(compiling, "CACHE", tmp_path / "build")
    assert main(["firmware", "--compiler", "gcc"]) == 2
    said = capsys.readouterr().err
    assert "gcc-riscv64-unknown-elf" in said and said.count("\n") == 1


def test_an_unknown_compiler_is_refused():
    with pytest.raises(UserError, match="zig, gcc"):
        toolchain.build_firmware(compiler="cc")


def test_figures_leave_a_missing_compiler_out_and_say_so(no_gcc, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(paths, "RESULTS", tmp_path / "results.json")
    assert main(["measure", "--only", "firmware.compilers"]) == 0
    entry = store.load()["firmware.compilers"]
    assert list(entry["value"]) == ["zig"] and "gcc" in entry["note"]
    assert entry["value"]["zig"]["flash_bytes"] == toolchain.sizes(toolchain.build_firmware().elf)["flash_bytes"]
    assert "not installed" in capsys.readouterr().out
