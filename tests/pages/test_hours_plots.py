"""Figures of hours: curves on a logarithmic axis, words with their intervals, reports over time."""

import matplotlib.pyplot as plt
import pytest

from tinyspeech.pages import plots

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
    assert list(curve.get_xdata()) == [10.0, 4.1] and list(curve.get_ydata()) == [10, 50]
    assert ships.get_markersize() > 2 * rest.get_markersize()
    assert rest.get_markerfacecolor() == "none" and ships.get_markerfacecolor() != "none"
    (segment,) = ax.collections[0].get_segments()
    assert segment.tolist() == [[4.6, 10], [19.0, 10]]


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
