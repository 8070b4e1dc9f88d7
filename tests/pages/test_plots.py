"""Figures show what they are given, in colours that stay apart, on paper that does not let a dark page through."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_rgb

from tinyspeech import CLASSES
from tinyspeech.pages import plots

pytestmark = pytest.mark.usefixtures("figure")


def test_waveform_ends_at_the_clips_length():
    plots.waveform(np.arange(8000, dtype=np.int16), 8000)
    assert plt.gca().lines[0].get_xdata()[-1] == pytest.approx(7999 / 8000)
    assert plt.gca().lines[0].get_ydata()[-1] == 7999


def test_spectrogram_is_relative_to_the_loudest_point():
    power = np.full((49, 129), 1e-12)
    power[10, 20] = 100.0
    plots.spectrogram(power, 8000, 160, floor_db=-60)
    image = plt.gcf().axes[0].images[0]
    assert image.get_array()[20, 10] == 0
    assert image.get_array().min() == -60
    assert image.get_extent() == [0, 0.98, 0, 4.0]


def test_silence_can_be_drawn():
    plots.spectrogram(np.zeros((49, 129)), 8000, 160)
    plots.feature_map(np.zeros((49, 12)))
    plt.gcf().canvas.draw()


def test_signed_features_are_white_at_zero():
    plots.feature_map(np.array([[-128, 0, 5]] * 4), hop_ms=20)
    image = plt.gcf().axes[0].images[0]
    assert image.get_clim() == (-128, 128)
    assert image.get_array()[0, 0] == -128
    assert image.get_extent()[1] == pytest.approx(0.08)


def test_frame_weights_are_bars_and_what_follows_the_clip_is_shaded():
    plots.frame_weights([0.5, 1.0, 0.25], 2, hop_ms=40)
    bars = plt.gca().containers[0]
    assert [bar.get_height() for bar in bars] == [0.5, 1.0, 0.25]
    assert [bar.get_x() for bar in bars] == pytest.approx([0, 0.04, 0.08])
    (shade,) = set(plt.gca().patches) - set(bars)
    assert (shade.get_x(), shade.get_width()) == pytest.approx((0.08, 0.04))
    plt.clf()
    plots.frame_weights([0.5, 1.0], 2, hop_ms=40)
    assert len(plt.gca().patches) == 2


def test_scores_mark_the_answer():
    logits = np.arange(12)
    logits[CLASSES.index("yes")] = 99
    plots.scores(logits, CLASSES)
    assert [t.get_text() for t in plt.gca().texts if t.get_text()] == ["yes"]
    assert len(plt.gca().patches) == 12


def test_memory_map_is_to_scale_and_names_the_rest():
    plots.memory_map({"ring": 512, "work": 512}, 2048, name="RAM")
    assert plt.gca().get_ylabel() == "RAM"
    assert [p.get_width() for p in plt.gca().patches] == [512, 512, 1024]
    assert [t.get_text() for t in plt.gca().get_legend().get_texts()] == ["ring  512 B", "work  512 B", "free  1,024 B"]


def test_spectrum_is_in_decibels_over_kilohertz():
    plots.spectrum([1.0, 0.0, 100.0], bin_hz=2000)
    line = plt.gca().lines[0]
    assert line.get_ydata()[[0, 2]].tolist() == [0, 20] and np.isnan(line.get_ydata()[1])
    assert line.get_xdata()[-1] == 4.0


def test_bands_are_drawn_one_by_one_over_frequency():
    plots.bands(np.eye(3, 5), bin_hz=1000)
    assert len(plt.gca().lines) == 3
    assert plt.gca().lines[1].get_xdata().tolist() == [0, 1, 2, 3, 4]


def test_window_is_drawn_as_recorded_and_scaled():
    plots.window(np.array([0, 100, -100]), 3, 8000)
    assert [line.get_ydata().tolist() for line in plt.gca().lines[:2]] == [[0, 800, -800], [0, 100, -100]]


def test_tiles_have_a_colour_for_each_level_and_a_line_between_frames():
    plots.tiles(np.array([[-7, 0, 7, 3]]), group=2)
    image = plt.gca().images[0]
    assert image.get_cmap().N == 15 and image.get_clim() == (-7.5, 7.5)
    assert plt.gca().lines[0].get_xdata()[0] == 1.5


def test_a_stored_figure_has_few_colours_and_the_same_size():
    from io import BytesIO

    from PIL import Image

    plots.feature_map(np.random.default_rng(0).normal(size=(49, 12)))
    full, small = BytesIO(), plots.png(plt.gcf())
    plt.gcf().savefig(full, format="png", bbox_inches="tight")
    picture = Image.open(BytesIO(small))
    assert picture.mode == "P" and picture.size == Image.open(full).size
    assert len(small) < 0.8 * len(full.getvalue())
    assert np.abs(np.asarray(picture.convert("RGB"), int) - np.asarray(Image.open(full).convert("RGB"), int)).mean() < 1


def test_axes_in_pairs_and_stacks():
    left, _ = plots.pair((3, 1))
    assert left.get_subplotspec().get_gridspec().get_width_ratios() == (3, 1)
    assert len(plots.stack(3, 5.0)) == 3 and plt.gcf().get_figheight() == 5.0


def test_memory_map_refuses_what_does_not_fit():
    with pytest.raises(ValueError, match="1 more than the 2,048"):
        plots.memory_map({"everything": 2049}, 2048)


def test_paper_is_opaque_and_light():
    assert plt.gcf().get_facecolor()[3] == 1.0
    assert min(to_rgb(plots.PAPER)) > 0.95


def test_colours_differ_in_lightness_or_hue_without_red_and_green():
    """Every pair still differs for a viewer without red or green cones (matrices: Machado et al. 2009, severity 1)."""
    without_red = np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    )
    without_green = np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    )
    colours = [np.array(to_rgb(c)) ** 2.2 for c in plots.PALETTE.values()]
    for seen in (without_red, without_green):
        points = [np.clip(seen @ c, 0, 1) ** (1 / 2.2) for c in colours]
        for i, a in enumerate(points):
            for b in points[:i]:
                assert np.linalg.norm(a - b) > 0.12


def test_a_correlation_is_white_at_zero():
    plots.correlation(np.array([[1.0, -0.5], [-0.5, 1.0]]), label="coefficient")
    image = plt.gcf().axes[0].images[0]
    assert image.get_clim() == (-1, 1)
    assert plt.gcf().axes[0].get_xlabel() == "coefficient"


def test_envelopes_are_points_then_lines():
    plots.envelopes({"bands": [1, 2, 3], "from 1": [2, 2, 2]})
    points, line = plt.gca().lines
    assert points.get_linestyle() == "None" and line.get_linestyle() == "-"
    assert [t.get_text() for t in plt.gca().get_legend().get_texts()] == ["bands", "from 1"]
