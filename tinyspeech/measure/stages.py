"""Cycles and bytes of every stage of the firmware, counted on the emulated chip (chapter 9).

    python -m tinyspeech bench

One second of audio is one clip: 8000 samples in over the serial port, 49 frames, the answer out.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from tinyspeech import paths, toolchain
from tinyspeech.board.direct import Board
from tinyspeech.chip.firmware import firmware_folder
from tinyspeech.integer import frontend
from tinyspeech.integer.network import IntegerModel
from tinyspeech.integer.trials import worst_case_clip
from tinyspeech.measure import power
from tinyspeech.measure.ways import multiplier_race
from tinyspeech.paths import SHIPPED, model_file

STAGES = {
    "frontend_push": "samples in", "usart_get": "samples in", "cepstrum": "log2 and cosine transform",
    "normalise": "block exponent",
    "transform": "Fourier transform", "untangle": "real spectrum", "mel_energies": "window, power, mel bands",
    "network_frame": "network bookkeeping", "kernel_dense_pair": "dense layers",
    "kernel_depthwise_pair": "depthwise layers",
    "kernel_requantise": "requantisation", "kernel_add": "residual additions",
}
"""Functions of the firmware that begin a stage; what they call counts as theirs."""
ONE_BY_ONE = {"kernel_dense": "dense layers", "kernel_depthwise": "depthwise layers"}
"""The same for a network whose frames do not go in pairs."""
GATES = {"kernel_gated_add": "gates"}
"""The same for a network whose blocks have condensers (chapter 6)."""
FRONT_END = ("log2 and cosine transform", "block exponent", "Fourier transform", "real spectrum",
             "window, power, mel bands")
"""The stages between samples and coefficients."""

ACTIVITIES = {"listen_handler": "samples in", "frontend_frame": "front end", "network_frame": "network"}
"""What the chip is about while it listens, by the functions that begin it."""


def dense_macs(model: IntegerModel, frames: int = frontend.N_FRAMES) -> int:
    """Multiply-accumulates of the dense and classifier layers in one clip."""
    total, frames = 0, frames + model.flush
    for layer in model.layers:
        frames = -(-frames // layer.stride)
        if layer.weight is not None and layer.kind != "depthwise":
            total += frames * layer.weight.size
    return total


def bench(model: str = SHIPPED, race: bool = False) -> dict:
    """{"cycles_per_audio_second", "front_end_cycles", "cycles_per_mac", "clock_hz", "stages" {name: cycles}, "kernels"
    {name: {"cycles_per_mac", "bytes"}}, "stage_bytes" {name: bytes of code}, "power" (`power.estimate`, or None for a
    network that does not keep up)}, deterministic: one clip of seeded full-scale noise.

    A stage has its functions' cycles and those of the multiplications that they call. `cycles_per_mac` is the dense
    kernel's, which has nearly all of the network's products. `race` adds the others of `ways.WAYS` to the kernels, and
    what they take elsewhere.
    """
    integer = IntegerModel.load(model_file(model, ".npz"))
    firmware = toolchain.build_firmware(firmware_folder(integer))
    board = Board(firmware.elf)
    clip = worst_case_clip()
    total = board.classify(clip).cycles
    sizes = toolchain.sizes(firmware.elf)["symbols"]
    functions = {name: stage for name, stage in {**STAGES, **ONE_BY_ONE, **GATES}.items() if name in sizes}
    stages = board.stages(clip, functions)
    per_mac = stages["dense layers"] / dense_macs(integer)
    dense = next(name for name in ("kernel_dense_pair", "kernel_dense") if name in sizes)
    others = multiplier_race() if race else {}
    clock_hz = board.chip.state.clock_hz
    return {
        "cycles_per_audio_second": total, "front_end_cycles": sum(stages[name] for name in FRONT_END),
        "cycles_per_mac": per_mac, "clock_hz": clock_hz,
        "power": power.estimate(total, clock_hz) if total <= clock_hz else None,
        "stages": stages,
        "kernels": {"shipped": {"cycles_per_mac": per_mac, "bytes": sizes[dense]}, **others},
        "stage_bytes": {stage: sum(sizes[name] for name in functions if functions[name] == stage) for stage in stages
                        if stage != "other"},
    }


def firmware_at_48_mhz() -> toolchain.Firmware:
    """The shipped firmware, but with the clock doubled by the PLL and so with one wait state of the flash: chapter 13
    compares them."""
    changes = {"SET(RCC_CFGR0, 0)": "SET(FLASH_BASE, 1), SET(RCC_CFGR0, 2)",  # FLASH_ACTLR: one wait state
               "void board_start(void)\n{\n": "void board_start(void)\n{\n    REGISTER(RCC_BASE) = 1 << 24 | 0x83;\n",
               "CLOCK_HZ = 24000000": "CLOCK_HZ = 48000000"}  # RCC_CTLR: PLLON, HSI
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(shutil.copytree(paths.FIRMWARE, Path(folder) / "firmware"))
        for slow, fast in changes.items():
            setting = [path for path in copy.glob("*.[ch]") if slow in path.read_text("utf-8")]
            if len(setting) != 1:
                raise AssertionError(f"the clock is set in {len(setting)} files by `{slow}`, not in one")
            setting[0].write_text(setting[0].read_text("utf-8").replace(slow, fast), encoding="utf-8")
        return toolchain.build_firmware(copy)
