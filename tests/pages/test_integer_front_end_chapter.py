"""Pictures of chapter 8 show the numbers that they are given."""

import matplotlib.pyplot as plt
import pytest

from tinyspeech.pages import plots

pytestmark = pytest.mark.usefixtures("figure")


def test_growth_shows_rounds_bound_and_limit():
    plots.growth([10, 12, 11], [11, 13, 14], 20, [5, 4, 3])
    ax = plt.gca()
    assert [bar.get_height() for bar in ax.patches] == [10, 12, 11]
    assert [list(line.get_ydata()) for line in ax.lines[:2]] == [[5, 4, 3], [11, 13, 14]]
    assert set(ax.lines[2].get_ydata()) == {20}
    assert [t.get_text() for t in ax.get_xticklabels()] == ["input", "1", "2"]


def test_line_is_drawn_over_zero():
    plots.line([1, 2, 3], [0.1, -0.1, 0.2], "energy", "error (octaves)")
    assert list(plt.gca().lines[1].get_ydata()) == [0.1, -0.1, 0.2]
    assert plt.gca().get_ylabel() == "error (octaves)"


def test_budget_names_each_number_from_the_top():
    plots.budget({"first": 0.25, "second": 1.5}, "units")
    ax = plt.gca()
    assert [t.get_text().strip() for t in ax.texts] == ["0.25", "1.50"]
    assert ax.get_ylim()[0] > ax.get_ylim()[1]
