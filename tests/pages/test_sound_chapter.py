"""Pictures and players of the chapter on sound show what they are given."""

import base64
import io
import re

import matplotlib.pyplot as plt
import numpy as np
import pytest
import soundfile

from tinyspeech.pages import plots, widgets

pytestmark = pytest.mark.usefixtures("figure")


def played(html):
    return soundfile.read(io.BytesIO(base64.b64decode(re.search(r"base64,([^\"]+)", html)[1])), dtype="int16")


def test_eight_bits_keep_the_upper_half_of_a_sample_rounded():
    samples = np.array([0, 127, 128, -129, 32767, -32768, 512], np.int16)
    got, rate = played(widgets.player(samples, 8000, "steps", bits=8))
    assert rate == 8000 and got.tolist() == [0, 0, 256, -256, 127 * 256, -32768, 512]
    assert widgets.small_sound(samples, 8000, "steps").data == widgets.player(samples, 8000, "steps", 8)


def test_sixteen_bits_are_untouched():
    samples = np.arange(-50, 50, dtype=np.int16)
    assert (played(widgets.player(samples, 16000, "steps"))[0] == samples).all()


def test_panels_draw_each_curve_between_its_limits():
    html = widgets.panels([("a < b", ([0, 5, 10], [99, -99]), (0, 10)), ("c", ([1, 1],), (0, 2))], 'say "hello"')
    curves = [[tuple(map(int, p.split(","))) for p in line.split()] for line in re.findall(r"points='([^']+)'", html)]
    assert [y for _, y in curves[0]] == [142, 82, 22] and [y for _, y in curves[1]] == [22, 142]
    assert curves[2][0][0] > curves[0][-1][0]  # beside, not over
    assert "a &lt; b" in html and "aria-label='say &quot;hello&quot;'" in html and "role='img'" in html


def test_a_tone_is_bright_at_its_frequency_and_parts_are_named():
    tone = 1000 * np.sin(2 * np.pi * 2000 * np.arange(16000) / 16000)
    plots.sound_picture(tone, 16000, {"whistle": (0.2, 0.4)})
    upper, lower = plt.gcf().axes[:2]
    level = lower.images[0].get_array()  # (bins, frames)
    assert (level.argmax(axis=0) * 40 == 2000).all() and lower.images[0].get_extent()[1] == pytest.approx(0.98)
    assert [t.get_text() for t in upper.texts] == ["whistle"]


def test_each_sample_is_a_dot_on_a_stem():
    plots.dots(np.array([3, -2, 5]), 1000)
    drawn = plt.gca().lines[0]
    assert drawn.get_xdata().tolist() == [0, 1, 2] and drawn.get_ydata().tolist() == [3, -2, 5]
    assert len(plt.gca().collections[0].get_segments()) == 3


def test_curves_that_alias_meet_at_every_sample():
    plots.same_samples((3000, 5000), 8000, 1.0)
    slow, fast, samples = plt.gca().lines
    assert len(samples.get_xdata()) == 9
    for curve in (slow, fast):
        there = np.interp(samples.get_xdata(), curve.get_xdata(), curve.get_ydata())
        assert np.allclose(there, samples.get_ydata(), atol=1e-3)


def test_scatter_shows_each_pair():
    plots.scatter([1, 2], [3, 4], "x (s)", "y (dB)")
    assert plt.gca().lines[0].get_ydata().tolist() == [3, 4] and plt.gca().get_xlabel() == "x (s)"


def test_splits_have_a_row_each_and_their_borders():
    plots.splits({"training": [30, 90], "testing": [15]}, (10, 20))
    assert [line.get_xdata()[0] for line in plt.gca().lines] == [30, 15, 10, 20]
    assert [t.get_text() for t in plt.gca().get_yticklabels()] == ["training", "testing"]


def test_a_gallery_has_a_map_for_each_class():
    plots.gallery(np.random.default_rng(0).random((12, 49, 16)), [f"_c{i}_" for i in range(12)])
    axes = plt.gcf().axes
    assert [ax.get_title(loc="left") for ax in axes] == [f"c{i}" for i in range(12)]
    assert axes[0].images[0].get_array().shape == (16, 49)
    with pytest.raises(ValueError):
        plots.gallery(np.zeros((12, 49, 16)), ["one"])
