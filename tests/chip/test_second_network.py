"""Networks that do not ship, on the chip: TinySpeech-XS keeps the budgets; what cannot go in pairs goes one by one."""

import numpy as np
import pytest

from tinyspeech import paths, toolchain
from tinyspeech.board.direct import Board, report_firmware
from tinyspeech.chip import firmware
from tinyspeech.integer import plan as integer_plan
from tinyspeech.integer.header import c_header
from tinyspeech.integer.network import IntegerModel
from tinyspeech.integer.trials import worst_case_clip
from tinyspeech.measure import stages
from tinyspeech.paths import model_file
from tinyspeech.toolchain import compile as compiling

NAME = "tinyspeech_xs"


@pytest.fixture
def xs() -> IntegerModel:
    return IntegerModel.load(model_file(NAME, ".npz"))


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """Builds of networks that are made here do not fill the checkout."""
    monkeypatch.setattr(compiling, "CACHE", tmp_path / "build")


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


def test_the_chip_equals_the_integers(xs):
    assert differences(xs) == 0


def test_xs_keeps_the_budgets_of_the_chip(xs):
    """In real time at 24 MHz, asleep half of it. Cycles are deterministic: this is the noise of `bench`."""
    figures = stages.bench(NAME)
    assert figures["clock_hz"] == 24_000_000
    assert figures["cycles_per_audio_second"] <= 12_000_000
    assert 0.99 < sum(figures["stages"].values()) / figures["cycles_per_audio_second"] < 1.01
    report = report_firmware(firmware.firmware_folder(xs))
    assert report["flash_bytes"] <= 16384 - 4096
    assert report["data_bytes"] + report["bss_bytes"] + report["stack_bytes"] <= 2048 - 64


def test_a_stride_of_three_frames_is_not_for_pairs(xs, cache, tmp_path, monkeypatch):
    """Each frame by itself then, by the kernels of one frame, and the same integers; `bench` sees those kernels."""
    next(layer for layer in xs.layers if layer.name == "block1_depthwise").stride = 3
    assert "#define MODEL_PAIRED 0\n" in c_header(xs)
    assert differences(xs) == 0
    xs.save(tmp_path / f"{NAME}.npz")
    monkeypatch.setattr(paths, "MODELS", tmp_path)
    figures = stages.bench(NAME)
    for stage in stages.ONE_BY_ONE.values():
        assert figures["stages"][stage] > 0 and figures["stage_bytes"][stage] > 0
    assert figures["kernels"]["shipped"]["cycles_per_mac"] > 0


def test_sums_beyond_half_a_word_are_not_paired(cache):
    """Of one layer: the largest weights that there are."""
    model = IntegerModel.load(model_file("tinyspeech_s", ".npz"))
    stem = model.layers[0]
    stem.weight = np.where(stem.weight < 0, -8, 7).astype(np.int8)
    model.check()
    assert 2**15 <= model.worst()[0].accumulator
    assert "#define MODEL_PAIRED 0\n" in c_header(model)
    assert differences(model) == 0
    stem.weight[:, ::2] = 0
    assert "#define MODEL_PAIRED 1\n" in c_header(model)
    assert differences(model) == 0


def test_where_the_sums_of_subsets_find_no_room_frames_are_not_paired(xs, monkeypatch):
    plan = integer_plan.memory_plan(xs)
    monkeypatch.setattr(integer_plan, "WORK_BYTES", plan["scratch_bytes"] - 4)
    smaller = integer_plan.memory_plan(xs)
    assert (plan["paired"], smaller["paired"]) == (1, 0)
    assert smaller["scratch_bytes"] < plan["scratch_bytes"]


def test_no_kernel_of_single_frames_is_in_the_firmware_that_ships():
    symbols = toolchain.sizes(toolchain.build_firmware().elf)["symbols"]
    assert {"kernel_dense_pair", "kernel_depthwise_pair"} <= set(symbols)
    assert not stages.ONE_BY_ONE.keys() & set(symbols)


def test_tinyspeech_z_keeps_its_promise(cache):
    """As many weights as the paper's, a third of them pruned, gates in each block, in time, and bit for bit."""
    z = IntegerModel.load(model_file("tinyspeech_z", ".npz"))
    weights = np.concatenate([layer.weight.ravel() for layer in z.layers if layer.weight is not None])
    assert len(weights) == z.parameters <= 2720 and (weights == 0).mean() >= 0.3 and np.abs(weights).max() <= 7
    assert [layer.kind for layer in z.layers].count("gated_add") == 3 and z.layers[-1].kind == "weighed_classifier"
    assert differences(z) == 0
    figures = stages.bench("tinyspeech_z")
    assert figures["stages"]["gates"] > 0 and figures["cycles_per_audio_second"] <= 12_000_000
