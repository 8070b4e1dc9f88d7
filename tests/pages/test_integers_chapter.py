"""Pictures of chapter 7 show the numbers that they are given."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_hex

from tinyspeech.pages import plots

pytestmark = pytest.mark.usefixtures("figure")


def test_differences_counts_each_number_and_gathers_the_rest_at_the_ends():
    plots.differences(np.array([[0, 0, 1], [-9, 3, 0]]), "units", most=2)
    bars = plt.gca().patches
    assert [bar.get_height() for bar in bars] == [1, 0, 3, 1, 1]
    colours = [to_hex(bar.get_facecolor()) for bar in bars]
    assert colours[2] == plots.PALETTE["green"] and set(colours) == {colours[2], plots.PALETTE["vermilion"]}


def test_roundings_have_a_panel_and_a_mean_each():
    plots.roundings([0, 1, 2], {"a": [0, 0.5, 0.25], "b": [0, 0, 0], "c": [1, 1, 1], "d": [-1, 0, 0]})
    axes = plt.gcf().axes
    assert len(axes) == 6 and axes[0].get_title(loc="left") == "a: mean +0.25"
    assert list(axes[0].lines[1].get_ydata()) == [0, 0.5, 0.25] and set(axes[0].lines[2].get_ydata()) == {0.25}


def test_drift_draws_each_rule_over_the_layers():
    plots.drift({"up": [0, 1], "down": [-1, 0]}, ["stem", "head"])
    ax = plt.gca()
    assert [list(line.get_ydata()) for line in ax.lines[1:]] == [[0, 1], [-1, 0]]
    assert [t.get_text() for t in ax.get_xticklabels()] == ["stem", "head"]


def test_headroom_shows_what_is_there_and_both_limits():
    plots.headroom({"sum": [3, 4], "product": [0, 9]}, {"sum": [30, 40], "product": [0, 90]}, ["stem", "add"])
    ax = plt.gca()
    assert [bar.get_height() for bar in ax.patches] == [30, 40, 90]
    dots = [list(line.get_ydata()) for line in ax.lines]
    assert [3, 4] in dots and [9] in dots
    assert {line[0] for line in dots if len(set(line)) == 1} >= {2.0**15, 2.0**31}
