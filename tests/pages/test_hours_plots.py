"""Figures of hours: curves on a logarithmic axis, words with their intervals, reports over time."""

import re

import matplotlib.pyplot as plt
import pytest

from tinyspeech.pages import plots, widgets
from tinyspeech.pages.widgets import hours

pytestmark = pytest.mark.usefixtures("figure")
POINTS = [{"ships": True, "events": 9, "per_hour": 10.0, "interval_95": [4.6, 19.0],
           "heard": {"clean": 90, "10 dB": 80}},
          {"ships": False, "events": 0, "per_hour": 0.0, "interval_95": [0.0, 4.1],
           "heard": {"clean": 50, "10 dB": 40}}]


def test_a_curve_marks_what_ships_and_shows_no_event_at_its_upper_end():
    plots.det(POINTS, ["clean", "10 dB"])
    ax = plt.gca()
    assert ax.get_xscale() == "log" and [t.get_text() for t in ax.get_legend().get_texts()] == ["clean", "10 dB"]
    curve, ships, rest = ax.lines[:3]
    assert curve.get_xydata().tolist() == [[10, 10]] and rest.get_xydata().tolist() == [[4.1, 50]]
    assert ships.get_markersize() > 2 * rest.get_markersize()
    assert rest.get_markerfacecolor() == "none" and ships.get_markerfacecolor() != "none"
    (segment,) = ax.collections[0].get_segments()
    assert segment.tolist() == [[4.6, 10], [19.0, 10]]


def test_another_curve_lies_over_it_and_is_named():
    plots.det(POINTS, ["clean"])
    plots.det_over([9, 4], [11, 51], "by hand")
    ax = plt.gca()
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["clean", "by hand"]
    assert ax.lines[-1].get_xydata().tolist() == [[9, 11], [4, 51]]


def test_networks_are_numbered_points_and_none_an_hour_has_a_place():
    plots.operating([{"label": "a", "false_per_hour": 540.0, "heard": 90, "heard_10_db": 80},
                     {"label": "b", "false_per_hour": 0.0, "heard": 88, "heard_10_db": 75}])
    ax = plt.gca()
    points = [line.get_xydata()[0].tolist() for line in ax.lines if len(line.get_xydata())]
    assert points == [[540, 90], [540, 80], [0.01, 88], [0.01, 75]] and ax.get_xscale() == "log"
    assert [t.get_text() for t in ax.texts] == ["1", "1", "2", "2"]
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["clean", "10 dB"]


def test_words_lie_by_their_rate_with_both_ends():
    plots.by_word({"yes": {"per_hour": 3.0, "interval_95": [1.0, 6.0]},
                   "no": {"per_hour": 1.0, "interval_95": [0, 4.0]}})
    ax = plt.gca()
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["no", "yes"]
    assert [bar.get_width() for bar in ax.patches] == [1.0, 3.0]
    assert [s.tolist() for s in ax.collections[0].get_segments()] == [[[0, 0], [4, 0]], [[1, 1], [6, 1]]]


def test_reports_lie_in_the_row_of_their_word():
    plots.reports_over_time([(60, "yes"), (120, "no"), (180, "yes")], [(30, 90)], 240)
    ax = plt.gca()
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["yes", "no"]
    assert ax.lines[0].get_xdata().tolist() == [1, 2, 3] and ax.lines[0].get_ydata().tolist() == [0, 1, 0]
    assert ax.get_xlim() == (0, 4) and len(ax.patches) == 1


def test_an_hour_without_a_report_can_be_drawn():
    plots.reports_over_time([], [], 3600)
    plt.gcf().canvas.draw()
    assert plt.gca().get_xlim() == (0, 60)


def test_a_timeline_puts_each_report_in_the_row_of_its_word_and_tells_true_from_false():
    page = widgets.timeline_page([(0, "yes", False), (300, "go", True)], [(600, "no")], 600, "least lead <1>")
    left, right, first, step = hours.LEFT, hours.LEFT + hours.WIDTH, hours.TOP + hours.ROW / 2, hours.ROW
    paths = dict(zip(("said", "false", "true"), re.findall(r"<path d='([^']*)'", page)[:3], strict=True))
    assert paths["false"] == f"M{left} {first:.0f}h0"
    assert paths["true"] == f"M{(left + right) / 2:.0f} {first + 9 * step:.0f}h0"
    assert paths["said"] == f"M{right} {first + step - 4:.0f}v8"
    assert "1 false reports and 1 true ones in 10 minutes" in page and "least lead &lt;1&gt;" in page
    assert re.findall(r">(\d+)</text>", page) == ["0", "2", "4", "6", "8", "10"]


@pytest.mark.parametrize(("seconds", "last"), [(30, "0"), (54 * 60, "50"), (10 * 3600, "600"), (30 * 3600, "1800")])
def test_a_timeline_has_few_ticks_however_long(seconds, last):
    ticks = re.findall(r">(\d+)</text>", widgets.timeline_page([], [], seconds, "none"))
    assert ticks[0] == "0" and ticks[-1] == last and len(ticks) <= 16
