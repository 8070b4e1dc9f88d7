"""Cycles and bytes of every function of the firmware, counted on the emulated chip (chapter 9).

One second of audio is one clip: 8000 samples in over the serial port, 49 frames, the answer out.
"""

from __future__ import annotations

from tinyspeech import frontend, toolchain
from tinyspeech.chip.emulator import Board, worst_case_clip
from tinyspeech.evaluate import model_file
from tinyspeech.integer import IntegerModel


def dense_macs(model: IntegerModel, frames: int = frontend.N_FRAMES) -> int:
    """Multiply-accumulates of the dense and classifier layers in one clip."""
    total = 0
    for layer in model.layers:
        frames = -(-frames // layer.stride)
        if layer.kind in ("dense", "classifier"):
            total += frames * layer.weight.size
    return total


def bench(model: str = "tinyspeech_s") -> dict:
    """{"cycles_per_audio_second", "cycles_per_mac", "clock_hz", "stages" {function: cycles}, "kernels" {name:
    {"cycles_per_mac", "bytes"}}}, deterministic: one clip of seeded full-scale noise.

    A stage is a function of the firmware with the cycles spent in it and in what was inlined into it; `multiply` serves
    front end and network. `cycles_per_mac` is the dense kernel's, which has nearly all of the network's products.
    """
    firmware = toolchain.build_firmware()
    board = Board(firmware.elf)
    clip = worst_case_clip()
    total = board.classify(clip).cycles
    stages = board.profile(clip)
    integer = IntegerModel.load(model_file(model, ".npz"))
    per_mac = stages["kernel_dense"] / dense_macs(integer)
    size = toolchain.sizes(firmware.elf)["symbols"]["kernel_dense"]
    return {
        "cycles_per_audio_second": total, "cycles_per_mac": per_mac, "clock_hz": board.chip.state.clock_hz,
        "stages": stages, "kernels": {"subset_sums": {"cycles_per_mac": per_mac, "bytes": size}},
    }
