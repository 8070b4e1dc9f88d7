"""Cycles and bytes of every function of the firmware, counted on the emulated chip (chapter 9).

One second of audio is one clip: 8000 samples in over the serial port, 49 frames, the answer out.
"""

from __future__ import annotations

from tinyspeech import frontend, toolchain
from tinyspeech.chip.emulator import Board, worst_case_clip
from tinyspeech.evaluate import model_file
from tinyspeech.integer import IntegerModel

STAGES = {
    "fill": "samples in", "cepstrum": "log2 and cosine transform", "normalise": "block exponent",
    "transform": "Fourier transform", "untangle": "real spectrum", "mel_energies": "window, power, mel bands",
    "network_frame": "network bookkeeping", "kernel_dense": "dense layers", "kernel_depthwise": "depthwise layers",
    "kernel_requantise": "requantisation", "kernel_gated_add": "residual additions", "remember": "histories",
}
"""Functions of the firmware that begin a stage; what they call counts as theirs."""
FRONT_END = ("log2 and cosine transform", "block exponent", "Fourier transform", "real spectrum",
             "window, power, mel bands")
"""The stages between samples and coefficients."""


def dense_macs(model: IntegerModel, frames: int = frontend.N_FRAMES) -> int:
    """Multiply-accumulates of the dense and classifier layers in one clip."""
    total, frames = 0, frames + model.flush
    for layer in model.layers:
        frames = -(-frames // layer.stride)
        if layer.weight is not None and layer.kind != "depthwise":
            total += frames * layer.weight.size
    return total


def bench(model: str = "tinyspeech_s") -> dict:
    """{"cycles_per_audio_second", "front_end_cycles", "cycles_per_mac", "clock_hz", "stages" {name: cycles}, "kernels"
    {name: {"cycles_per_mac", "bytes"}}, "stage_bytes" {name: bytes of code}}, deterministic: one clip of seeded
    full-scale noise.

    A stage has its functions' cycles and those of the multiplications that they call. `cycles_per_mac` is the dense
    kernel's, which has nearly all of the network's products.
    """
    firmware = toolchain.build_firmware()
    board = Board(firmware.elf)
    clip = worst_case_clip()
    total = board.classify(clip).cycles
    stages = board.stages(clip, STAGES)
    integer = IntegerModel.load(model_file(model, ".npz"))
    per_mac = stages["dense layers"] / dense_macs(integer)
    sizes = toolchain.sizes(firmware.elf)["symbols"]
    return {
        "cycles_per_audio_second": total, "front_end_cycles": sum(stages[name] for name in FRONT_END),
        "cycles_per_mac": per_mac, "clock_hz": board.chip.state.clock_hz,
        "stages": stages, "kernels": {"subset_sums": {"cycles_per_mac": per_mac, "bytes": sizes["kernel_dense"]}},
        "stage_bytes": {stage: sizes[function] for function, stage in STAGES.items()},
    }
