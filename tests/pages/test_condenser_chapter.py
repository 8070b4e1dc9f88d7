"""Pictures of chapter 3 show the numbers that they are given."""

from collections import Counter

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from tinyspeech import paths
from tinyspeech.integer import plan
from tinyspeech.integer.network import IntegerModel
from tinyspeech.lowbit import saved
from tinyspeech.networks.streaming import StreamingConfig, TinySpeechS
from tinyspeech.pages import plots
from tinyspeech.pages.plots.architecture import stages

pytestmark = pytest.mark.usefixtures("figure")


def test_a_gate_is_clear_where_it_is_half_open():
    gate = np.full((49, 12), 0.5)
    gate[20:22, 4:6] = 1.0
    plots.gate_over(np.zeros((49, 12)), gate, window=(20, 4, 2, 2))
    overlay = plt.gca().images[1]
    assert overlay.get_clim() == (0, 1) and overlay.get_array()[4, 20] == 1
    alpha = overlay.get_alpha()
    assert alpha[4, 20] == 1 and np.count_nonzero(alpha) == 4
    outline = plt.gca().patches[0]
    assert (outline.get_x(), outline.get_width()) == pytest.approx((0.4, 0.04))
    assert (outline.get_y(), outline.get_height()) == (3.5, 2)


def test_a_gated_word_is_bands_over_coefficients():
    plots.gated_word(np.ones((49, 20)), np.ones((49, 12)), np.ones((49, 12)), (0, 0, 2, 2))
    upper, lower = plt.gcf().axes[:2]
    assert (upper.get_ylabel(), lower.get_ylabel()) == ("mel band", "coefficient")
    assert upper.images[0].get_extent()[1] == lower.images[1].get_extent()[1] == pytest.approx(0.98)


def test_maps_have_their_own_colours_or_one_range():
    images = {"signed": [[-2.0, 1.0]], "positive": [[0.0, 3.0], [1.0, 1.0]], "zero": np.zeros((2, 2))}
    plots.maps(images, columns=2, height=3)
    axes = plt.gcf().axes
    assert [ax.get_title(loc="left") for ax in axes[:3]] == list(images) and not axes[3].axison
    assert [ax.images[0].get_clim() for ax in axes[:3]] == [(-2, 2), (0, 3), (0, 1)]
    assert axes[1].images[0].get_extent()[1] == 2
    plots.maps(images, columns=3, height=3, limits=(0, 1))
    assert {ax.images[0].get_clim() for ax in plt.gcf().axes[:3]} == {(0, 1)}


def test_what_is_not_seen_is_not_drawn():
    gradient = np.zeros((49, 12))
    gradient[20, 5], gradient[21, 5] = 1.0, 1e-3
    plots.fields({"one": gradient, "two": gradient + 1}, (24, 6))
    left, right = plt.gcf().axes[:2]
    drawn = left.images[0].get_array()
    assert drawn.count() == 2 and drawn[5, 21] == pytest.approx(-3)
    assert right.images[0].get_array().count() == 588
    assert (left.lines[0].get_xdata()[0], left.lines[0].get_ydata()[0]) == (24, 6)


def test_curves_are_named_and_every_second_one_is_dashed():
    plots.curves([0, 1], {"a": [1, 2], "b": [1, 2]}, "step", "loss")
    assert [line.get_linestyle() for line in plt.gca().lines] == ["-", "--"]
    assert [t.get_text() for t in plt.gca().get_legend().get_texts()] == ["a", "b"]
    plots.curves([0, 1], {"c": [0, 0]}, "x", "y", plt.figure().gca(), legend=False)
    assert plt.gca().get_legend() is None


def test_losses_are_smoothed():
    plots.losses({"a": [1, 2, 3, 4], "b": [0, 0, 0, 0]}, width=2)
    assert plt.gca().lines[0].get_xdata().tolist() == [2, 3, 4]
    assert plt.gca().lines[0].get_ydata().tolist() == [1.5, 2.5, 3.5]


def test_parts_follow_one_another_and_add_up():
    plots.parts({"X": {"a": 1000, "b": 500}, "Z": {"a": 30, "b": 20}}, "weights", hatched=["b"])
    bars = plt.gca().patches
    assert [(b.get_x(), b.get_width()) for b in bars] == [(0, 1000), (0, 30), (1000, 500), (30, 20)]
    assert [bool(b.get_hatch()) for b in bars] == [False, False, True, True]
    assert [t.get_text().strip() for t in plt.gca().texts] == ["1,500", "50"]


CONFIGS = {"S": StreamingConfig(memory=5), "other widths, no condenser": StreamingConfig(
    channels=8, expansion=36, kernels=(3, 5), strides=(2, 2), condenser=0, flush=3, head=16),
    "gates in blocks": StreamingConfig(channels=16, attention="both", memory=3)}


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_the_drawing_has_all_weights_and_the_frames_that_the_network_has(config):
    net = TinySpeechS(config)
    rows = stages(net)
    assert sum(row.weights for row in rows) == sum(p.numel() for p in net.parameters() if p.ndim == 3)
    scores, h = net.scores(torch.zeros(1, 49 + config.flush, 12))
    by_name = {row.name: row for row in rows}
    assert (by_name["classifier"].frames, by_name["classifier"].channels) == scores.shape[1:]
    assert (by_name["head"].frames, by_name["head"].channels) == h.shape[1:]
    layers = 3 + 3 * (config.attention == "both")
    assert Counter(row.part for row in rows if "block" in row.part) == {
        f"block {i}": layers for i in range(len(config.kernels))}  # as in the names of the weights


def test_the_drawing_of_what_ships_remembers_what_the_firmware_keeps():
    net = saved.load_model(paths.MODELS / "tinyspeech_s_float.pt")
    config = net.config
    integers = IntegerModel.load(paths.MODELS / "tinyspeech_s.npz")
    assert sum(row.remembers for row in stages(net)) == plan.memory_plan(integers)["state_bytes"]
    plots.architecture(net)
    ax = plt.gca()
    bars = [bar.patches[0].get_width() for bar in ax.containers]
    widest = max(config.expansion, config.head)
    assert np.multiply(bars[:4], widest) == pytest.approx([12, config.channels, config.channels, config.expansion])
    shown = [t.get_text() for t in ax.texts]
    assert f"29 × {config.expansion}" in shown and shown.count("+") == len(config.kernels) and shown.count("×") == 1
