"""Layers with bands on the chip: two bands share each weight, by hand in lanes.S; TinySpeech-Z keeps the budgets."""

import re

import numpy as np
import pytest

from tinyspeech import toolchain
from tinyspeech.board.direct import Board, report_firmware
from tinyspeech.chip import firmware
from tinyspeech.chip.program import Program
from tinyspeech.integer import packing
from tinyspeech.integer import plan as integer_plan
from tinyspeech.integer.header import c_header
from tinyspeech.integer.network import IntegerModel, Layer
from tinyspeech.integer.trials import worst_case_clip
from tinyspeech.measure import stages
from tinyspeech.paths import model_file
from tinyspeech.toolchain.elf import SRAM_BASE

NAME = "tinyspeech_z_causal"


@pytest.fixture(scope="module")
def z() -> IntegerModel:
    return IntegerModel.load(model_file(NAME, ".npz"))


def clips() -> np.ndarray:
    """int16 [5, 8000]: noise, silence, both ends and a whisper."""
    rng = np.random.default_rng(1)
    return np.array([worst_case_clip(), np.zeros(8000), np.full(8000, -32768), np.tile([32767, -32768], 4000),
                     rng.integers(-3, 4, 8000)], np.int16)


def differences(model: IntegerModel) -> int:
    """Between the chip's logits and the integers', on the features that the chip makes."""
    board = Board(toolchain.build_firmware(firmware.firmware_folder(model)).elf)
    found = 0
    for clip in clips():
        result = board.classify(clip, features=True)
        found += int((result.logits != model.run(result.features[None])[0]).sum())
    return found


def test_the_chip_equals_the_integers(z):
    assert differences(z) == 0


def test_z_keeps_the_budgets_of_the_chip(z):
    """In real time at 24 MHz, asleep a fifth of it. Cycles are deterministic: this is the noise of `bench`."""
    figures = stages.bench(NAME)
    assert figures["clock_hz"] == 24_000_000
    assert figures["cycles_per_audio_second"] <= 20_000_000
    assert 0.99 < sum(figures["stages"].values()) / figures["cycles_per_audio_second"] < 1.01
    assert all(figures["stages"][stage] > 0 for stage in stages.WITH_BANDS.values())
    report = report_firmware(firmware.firmware_folder(z))
    assert report["flash_bytes"] <= 16384 - 1024
    assert report["data_bytes"] + report["bss_bytes"] + report["stack_bytes"] <= 2048 - 64


def test_nothing_of_it_is_in_the_firmware_that_ships():
    symbols = toolchain.sizes(toolchain.build_firmware().elf)["symbols"]
    assert "network_frame" in symbols
    assert not [name for name in symbols if re.search("band|lanes|gather", name)]


def test_sums_beyond_half_a_word_are_not_paired(z):
    """Of one layer: the largest weights that there are."""
    head = next(layer for layer in z.layers if layer.name == "head")
    head.weight = np.where(head.weight < 0, -8, 7).astype(np.int8)
    z.check()
    assert 2**15 <= next(row for row in z.worst() if row.layer == "head").accumulator
    header = c_header(z)
    assert "#define MODEL_BANDED 1\n" in header and "#define MODEL_BAND_PAIRS 0\n" in header
    assert differences(z) == 0
    head.weight[:, ::2] = 0
    assert "#define MODEL_BAND_PAIRS 1\n" in c_header(z)
    assert differences(z) == 0


def test_where_the_sums_of_subsets_find_no_room_bands_are_not_paired(z, monkeypatch):
    plan = integer_plan.memory_plan(z)
    monkeypatch.setattr(integer_plan, "WORK_BYTES", plan["scratch_bytes"] - 4)
    smaller = integer_plan.memory_plan(z)
    assert (plan["band_pairs"], smaller["band_pairs"]) == (1, 0)
    assert smaller["scratch_bytes"] < plan["scratch_bytes"]


def test_slots_share_a_place_only_when_never_live_at_once(z):
    """What conv2 writes lies where the condensers were, beside what it reads; a gate's argument stays to its end."""
    at = integer_plan.memory_plan(z)["slots"]
    assert at["wide"] == at["pooled"] < at["squeezed"] < at["pooled"] + 104  # 6 bands of 17, in fours
    assert at["branch"] + 44 <= at["pooled"]
    live = {"stream": range(3), "branch": range(1, 4), "wide": range(3, 5), "pooled": range(2, 5)}
    sizes = {"stream": 12, "branch": 8, "wide": 12, "pooled": 4, "squeezed": 0}
    places = integer_plan._places(sizes, live)
    assert places["wide"] == places["stream"] == 0 and places["branch"] == 12 and places["pooled"] == 20
    layers = [Layer("dense", "a", "stream", "pooled"), Layer("dense", "b", "stream", "branch"),
              Layer("gated_add", "c", "branch", "stream"), Layer("weighed_classifier", "d", "stream", "stream")]
    model = IntegerModel("gated", z.classes, layers, 12, 1.0)
    assert integer_plan._live(model) == {"stream": range(4), "pooled": range(4), "branch": range(1, 3)}


# --- the kernels, by hand ---------------------------------------------------------------------------------------------


def array(kind: str, name: str, values: np.ndarray) -> str:
    return f"static const {kind} {name}[] = {{{', '.join(map(str, values.reshape(-1).tolist()))}}};\n"


class OnChip(Program):
    """C statements over `in` (int8 [128]) and `out` (int32 [64]) as a program of its own."""

    def __init__(self, tables: str, call: str):
        text = (f'#include "kernels.h"\n{tables}void layer_run(int format, const int8_t *in, int32_t *out);\n'
                f"void layer_run(int format, const int8_t *in, int32_t *out)\n{{\n    (void)format;\n    {call};\n}}\n")
        super().__init__({"layer.c": text}, ("lanes.S", "multiply.c"), "lanes")

    def __call__(self, x: np.ndarray, function: str) -> tuple[np.ndarray, int]:
        """Up to 128 bytes -> (int32 [64], cycles of the function)."""
        whole = np.zeros(128, np.int8)
        whole[: x.nbytes] = np.ascontiguousarray(x).reshape(-1).view(np.int8)
        start = self._at["layer_out"] - SRAM_BASE
        self._chip.state.sram[start : start + 256] = bytes(256)
        run = self.call(function, whole, 64, 24)
        return run.accumulator, run.cycles


@pytest.mark.parametrize("taps, channels", [(1, 1), (2, 3), (3, 16), (9, 2), (9, 7)])
def test_depthwise_lanes_with_every_weight_and_both_ends(taps, channels):
    """Two windows anywhere, each lane at one end while the other is at the other; an odd number of taps ends a row."""
    rng = np.random.default_rng(taps)
    weight = rng.permutation(np.arange(channels * taps) % 16 - 8).reshape(channels, taps).astype(np.int8)
    table = array("uint8_t", "weights", packing.pack_nibbles(weight))
    program = OnChip(table, f"kernel_depthwise_lanes(in, in + 64, {channels}, {taps}, weights, out)")
    worst = np.where(weight.T > 0, 127, -128)
    pairs = [*rng.integers(-128, 128, (4, 2, taps, channels)), (worst, -1 - worst), (-1 - worst, worst),
             (worst, worst), (np.full_like(worst, -128), np.full_like(worst, -128))]
    cycles = set()
    for first, second in pairs:
        x = np.zeros(128, np.int8)
        x[: taps * channels], x[64 : 64 + taps * channels] = np.ravel(first), np.ravel(second)
        sums = [(weight.T.astype(np.int64) * window).sum(axis=0) for window in (first, second)]
        got, taken = program(x, "kernel_depthwise_lanes")
        assert got[:channels].tolist() == (sums[0] + (sums[1] << 16)).tolist()
        assert not got[channels:].any()
        cycles.add(taken)
    assert len(cycles) == 1  # whatever the values


@pytest.mark.parametrize("low", [-128, 0])
def test_requantise_lanes_at_every_shift_and_both_ends(low):
    """Of every pair of halves; rounding, both clamps, and what a negative first lane takes from the second."""
    rng, outputs = np.random.default_rng(5), 24
    layer = Layer("dense", "x", "stream", "stream", low=low, bias=rng.choice([-2048, 2047, -1, 0, 1, 77], outputs)
                  .astype(np.int16), multiplier=rng.choice([128, 129, 171, 255], outputs).astype(np.uint8),
                  shift=(np.arange(outputs) % 15 + 1).astype(np.uint8))
    program = OnChip(array("uint16_t", "table", packing.pack_requant(layer)),
                     f"kernel_requantise_lanes((const int32_t *)(const void *)in, table, {outputs}, {low}, "
                     "(int8_t *)out, (int8_t *)out + 32)")
    ends = np.array([-32768, 32767, -1, 0])
    lanes = [*rng.integers(-32768, 32768, (6, 2, outputs)), *rng.choice(ends, (6, 2, outputs)),
             *rng.integers(-200, 200, (6, 2, outputs))]
    seen = []
    for first, second in lanes:
        words = ((first + (second << 16)) & 0xFFFFFFFF).astype(np.uint32)
        got = program(words, "kernel_requantise_lanes")[0].view(np.int8)
        want = [layer.requantise(lane.astype(np.int64)) for lane in (first, second)]
        assert got[:outputs].tolist() == want[0].tolist() and got[32 : 32 + outputs].tolist() == want[1].tolist()
        assert not got[outputs:32].any() and not got[32 + outputs :].any()
        seen += [*want[0], *want[1]]
    assert {low, 127} < set(seen) and len(set(seen)) > 20
