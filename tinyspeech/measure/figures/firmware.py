"""Figures of the firmware: flash, RAM, cycles, what compilers make of it, formats without zeros (chapters 6, 13)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from tinyspeech import COMPILERS, toolchain
from tinyspeech.board.direct import report_firmware
from tinyspeech.chip.firmware import firmware_folder
from tinyspeech.integer.network import IntegerModel
from tinyspeech.measure import endurance, formats, speed
from tinyspeech.measure.figures.network import of_model
from tinyspeech.measure.stages import bench
from tinyspeech.measure.store import Figure, figure
from tinyspeech.paths import SHIPPED, model_file

DAY_HOURS, SEED = 24.0, 0
"""Of `endured`."""


def costs(model: str) -> Iterator[Figure]:
    """What the firmware with a network takes of the chip; `firmware.*` is the one that ships."""
    about, integer = of_model(model), IntegerModel.load(model_file(model, ".npz"))
    report, figures = report_firmware(firmware_folder(integer)), bench(model)
    name = "firmware" if model == SHIPPED else f"{model}.firmware"
    for key in ("flash_bytes", "data_bytes", "bss_bytes", "stack_bytes"):
        yield figure(f"{name}.{key}", report[key], "bytes", **about)
    yield figure(f"{name}.sha256", report["sha256"], "of the bytes that are flashed", **about)
    ram = report["data_bytes"] + report["bss_bytes"] + report["stack_bytes"]
    yield figure(f"{name}.ram_bytes", ram, "bytes", note=".data + .bss + deepest measured stack", **about)
    yield figure(f"{name}.cycles_per_audio_second", figures["cycles_per_audio_second"], "cycles", **about)
    yield figure(f"{name}.duty", round(100 * figures["cycles_per_audio_second"] / figures["clock_hz"], 1), "%",
                 note=f"of {figures['clock_hz'] / 1e6:.0f} MHz", **about)
    yield figure(f"{name}.cycles_per_mac", round(figures["cycles_per_mac"], 2), "cycles", **about)


def compilers(model: str = SHIPPED) -> Iterator[Figure]:
    """What each compiler makes of the firmware (chapter 13); one that is not installed is left out, and said so."""
    integer = IntegerModel.load(model_file(model, ".npz"))
    there = [name for name in COMPILERS if toolchain.compiler_version(name)]
    rows = {}
    for name in there:
        report = report_firmware(firmware_folder(integer), name)
        del report["symbols"], report["sha256"]
        rows[name] = {"version": toolchain.compiler_version(name), **report}
    missing = [name for name in COMPILERS if name not in there]
    note = f"not installed where this was measured: {', '.join(missing)}" if missing else "the same sources"
    yield figure("firmware.compilers", rows, "bytes; cycles", note=note, model_hash=integer.digest)


def endured(negatives: Sequence[Path]) -> Iterator[Figure]:
    """A day and a night of one virtual board (chapter 13)."""
    found = endurance.endure(DAY_HOURS, SEED, negatives)
    yield figure("firmware.endurance", found, "counts; s of each kind of sound", seed=SEED,
                 model_hash=IntegerModel.load(model_file(SHIPPED, ".npz")).digest,
                 data="words, noise, rails, hum, and running speech, at one virtual board; a busy serial port")


def of_formats(model: str = SHIPPED) -> dict:
    """What belongs to the figures of formats."""
    return {"model_hash": IntegerModel.load(model_file(model, ".npz")).digest,
            "note": "shipped integer weights, pruned by magnitude, not retrained: for size and time, not for accuracy"}


def formats_of_layers() -> Iterator[Figure]:
    """Bytes and cycles of a block's two dense layers in formats that do not store zeros (chapter 6)."""
    yield figure("pruning.formats", formats.formats(), "bytes, and cycles for one frame at 24 MHz", **of_formats())


def formats_of_clip() -> Iterator[Figure]:
    """The same of all dense layers, for a clip."""
    yield figure("pruning.clip", formats.clip_formats(), "bytes, and cycles for one clip at 24 MHz", **of_formats())


def interpreter() -> Iterator[Figure]:
    """How fast the emulated chip is on this computer (chapter 13)."""
    rates = {"native": speed.native_mips(), "wasm": speed.wasm_mips()}
    yield figure("chip.mips", {name: round(rate[0]) for name, rate in rates.items() if rate},
                 "million instructions a second", note="one core of the computer at hand; wasm: in node")
