"""Pictures, pages and quoted numbers of chapter 4 show the numbers that they are given."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from tinyspeech.errors import UserError
from tinyspeech.pages import numbers, plots, widgets

pytestmark = pytest.mark.usefixtures("figure")


def texts(ax):
    return [t.get_text() for t in ax.texts]


def test_runs_are_dots_with_their_mean_and_what_others_published():
    plots.runs({"as printed": [40.0, 42.0], "changed": [80.0]}, {"as printed": 92.4})
    ax = plt.gca()
    assert texts(ax) == ["41.0", "92.4, published", "80.0"]
    dots = [line for line in ax.lines if line.get_marker() == "o"]
    assert [list(line.get_xdata()) for line in dots] == [[40.0, 42.0], [80.0]]
    assert [line.get_xdata()[0] for line in ax.lines if line.get_marker() == "D"] == [92.4]
    assert ax.get_ylim()[0] > ax.get_ylim()[1]  # the first row is on top
    assert [t.get_text() for t in ax.get_yticklabels()] == ["as printed", "changed"]


def test_more_runs_need_a_taller_figure():
    plots.runs({"a": [1.0]})
    low = plt.gcf().get_figheight()
    plots.runs({str(i): [float(i)] for i in range(14)})
    assert plt.gcf().get_figheight() > low


def test_paired_draws_a_line_for_each_seed_through_all_things():
    plots.paired({"with": [95.0, 95.4], "without": [94.8, 95.0]}, seeds=[3, 5])
    ax = plt.gca()
    assert [list(line.get_ydata()) for line in ax.lines] == [[95.0, 94.8], [95.4, 95.0]]
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["seed 3", "seed 5", "mean"]
    means = [segment[0, 1] for segment in ax.collections[0].get_segments()]
    assert means == pytest.approx([95.2, 94.9])


def test_confusion_writes_every_count_and_shades_by_row():
    plots.confusion([[9, 1], [0, 300]], ["_silence_", "yes"])
    ax = plt.gcf().axes[0]
    assert texts(ax) == ["9", "1", "300"]
    assert ax.images[0].get_array()[0, 0] ** 2 == pytest.approx(0.9)
    assert ax.images[0].get_array()[1, 1] == 1
    assert [t.get_text() for t in ax.get_yticklabels()] == ["silence", "yes"]


def test_a_class_without_clips_can_be_drawn():
    plots.confusion(np.zeros((2, 2), int), ["yes", "no"])
    plt.gcf().canvas.draw()


def test_each_kind_of_noise_has_its_curve():
    plots.against_noise({"babble": [70, 90], "music": [75, 94]}, (0, 20))
    assert [(line.get_label(), list(line.get_ydata())) for line in plt.gca().lines] == [("babble", [70, 90]),
                                                                                       ("music", [75, 94])]


def test_reliability_leaves_empty_bins_out():
    plots.reliability({"count": [0, 5, 20], "confidence": [None, 0.5, 0.9], "accuracy": [None, 0.4, 0.95]})
    _diagonal, line = plt.gca().lines
    assert list(line.get_xdata()) == [0.5, 0.9] and list(line.get_ydata()) == [0.4, 0.95]
    assert len(plt.gca().collections[0].get_sizes()) == 2


def test_a_weighed_word_puts_each_weight_under_what_it_scores():
    plots.weighed_word(np.full((49, 20), -1.0), np.ones(29), heard=25)
    upper, lower = plt.gcf().axes[:2]
    assert upper.images[0].get_array().min() == 0
    assert len(lower.patches) == 29 + 1  # and the shade
    assert lower.patches[28].get_x() == pytest.approx(28 * 0.04)
    assert upper.get_xlim() == lower.get_xlim() == pytest.approx((0, 29 * 0.04))


CURVE = {"threshold": [0.0, 0.9], "right": [0.95, 0.8], "confused": [0.03, 0.01], "rejected": [0.02, 0.19],
         "false_accept": [0.1, 0.025]}


def test_a_rejection_page_says_what_it_shows():
    page = widgets.rejection_page(CURVE, 1, "probability")
    assert "<b>Accepted from a probability of 0.9</b>" in page
    assert "of 100 keywords: understood 80.0; taken for another 1.0; not accepted 19.0" in page
    assert "of 100 other sounds: accepted 2.5; not accepted 97.5" in page
    assert "#009e73 0.0% 80.0%,#d55e00 80.0% 81.0%," in page and "#d55e00 0.0% 2.5%," in page


def test_a_rejection_book_has_a_page_for_each_threshold():
    slider, stack, _ = widgets.rejection_book(CURVE).children
    assert list(slider.options) == ["0", "0.9"] and len(stack.children) == 2


ROWS = {"experiments.z": {"value": [{"label": "as printed: kernel 1", "epochs": 4, "float": {"mean": 44.117}}]}}


@pytest.mark.parametrize(("mark", "text"), [("epochs", "4"), ("float.mean|.1f", "44.1")])
def test_a_row_of_a_table_is_quoted_by_its_label(mark, text):
    page = f"<!-- results:experiments.z#as printed: kernel 1#{mark} -->0<!-- /results -->"
    good = f"<!-- results:experiments.z#as printed: kernel 1#{mark} -->{text}<!-- /results -->"
    assert numbers.renumbered(page, ROWS) == good == numbers.renumbered(good, ROWS)


@pytest.mark.parametrize("key", ["experiments.z#no such row#epochs", "experiments.z#as printed: kernel 1#sd",
                                 "experiments.y#a#epochs"])
def test_a_row_that_is_not_there_is_refused(key):
    with pytest.raises(UserError, match="no such figure"):
        numbers.renumbered(f"<!-- results:{key} -->0<!-- /results -->", ROWS)
