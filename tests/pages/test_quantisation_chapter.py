"""Pictures and pages of chapter 5 show the numbers that they are given."""

import re

import matplotlib.pyplot as plt
import numpy as np
import pytest

from tinyspeech.pages import plots, rules, widgets

pytestmark = pytest.mark.usefixtures("figure")


def test_accuracy_is_drawn_over_the_bits_that_there_are():
    plots.accuracy_against_bits({"QAT": {"ternary": 80, "2": 90, "8": 95}, "SQ": {"2": 30, "8": 94}}, 96)
    ax = plt.gca()
    assert [t.get_text() for t in ax.get_xticklabels()] == ["ternary", "2", "8"]
    assert [(list(line.get_xdata()), list(line.get_ydata())) for line in ax.lines[:2]] == [
        ([0, 1, 2], [80, 90, 95]), ([1, 2], [30, 94])]
    assert ax.lines[2].get_ydata()[0] == 96
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["QAT", "SQ", "float"]


def test_ranges_are_bars_under_the_largest():
    plots.ranges([0.5, 2.0, 1.0], title="one layer")
    ax = plt.gca()
    assert [bar.get_height() for bar in ax.patches] == [0.5, 2.0, 1.0]
    assert ax.lines[0].get_ydata()[0] == 2.0 and ax.get_title(loc="left") == "one layer"


def test_clipping_marks_what_was_found_on_each_curve():
    plots.clipping([0.5, 1.0], {"4 bits": [1e-3, 2e-3], "2 bits": [0.1, 0.3]}, {"4 bits": (0.5, 1e-3),
                                                                                 "2 bits": (0.6, 0.09)})
    curves = [line for line in plt.gca().lines if len(line.get_xdata()) == 2]
    points = [line.get_xydata()[0].tolist() for line in plt.gca().lines if len(line.get_xdata()) == 1]
    assert [line.get_label() for line in curves] == ["4 bits", "2 bits"] and points == [[0.5, 1e-3], [0.6, 0.09]]
    assert plt.gca().get_yscale() == "log"


def test_a_staircase_stands_beside_its_gradients():
    plots.staircase([0, 1, 2], [0, 0, 2], [0, 0, 0], [1, 1, 0])
    left, right = plt.gcf().axes
    assert left.lines[1].get_ydata().tolist() == [0, 0, 2]
    assert [line.get_ydata().tolist() for line in right.lines] == [[0, 0, 0], [1, 1, 0]]
    assert right.lines[1].get_linestyle() == "--"


def test_hops_show_what_is_held_and_what_is_used():
    plots.hops([0.1, 0.6], [0.0, 1.0], 0.5)
    assert [line.get_label() for line in plt.gca().lines] == ["best", "used", "held"]
    assert plt.gca().lines[1].get_drawstyle() == "steps-post"


def test_levels_have_the_colours_of_their_tiles():
    plots.tiles_and_levels([[-3, 0], [3, 1]], [-3, 0, 0, 3, 1, 1, 1])
    left, right = plt.gcf().axes[:2]
    assert left.images[0].get_array().tolist() == [[-3, 0], [3, 1]]
    assert [(bar.get_x() + bar.get_width() / 2, bar.get_height()) for bar in right.patches] == [
        (-3, 1), (0, 2), (1, 3), (3, 1)]
    assert right.patches[1].get_facecolor() == pytest.approx((1, 1, 1, 1), abs=0.02)  # zero is white, as its tile
    assert np.allclose(right.patches[0].get_facecolor(), left.images[0].cmap(0))


def row(network, mode, bits, mean, size, granularity="channel", clipping="optimum", norms=False):
    return {"network": network, "mode": mode, "bits": bits, "accuracy": {"mean": mean}, "bytes": size,
            "granularity": granularity, "clipping": clipping, "norms": norms}


ROWS = [row("S", "UN", None, 95.5, 60_000), row("S", "DQ", 8, 95.4, 15_000), row("S", "SQ", 8, 95.3, 15_000),
        row("S", "SQ", 8, 1.0, 15_000, clipping="max"), row("S", "SQ", 8, 2.0, 15_000, granularity="tensor"),
        row("S", "SQ", "ternary", 20.0, 4_000), row("S", "SQ", "ternary", 3.0, 4_000, norms=True),
        row("S", "QAT", "ternary", 93.0, 4_000, clipping="learned"), row("Z", "UN", None, 80.0, 9_000),
        row("Z", "QAT", 4, 79.0, 1_500, clipping="learned"), row("Z", "QAT", 4, 4.0, 1_500, clipping="max")]


def test_a_bits_page_says_what_it_shows():
    page = widgets.bits_page(ROWS[7], ROWS[0], "S, QAT, ternary")
    assert "aria-label='S, QAT, ternary: accuracy 93.0 % (-2.5 points); size 4,000 B (7 % of float).'" in page
    assert "--ts-share:93.0;--ts-bar:#d55e00" in page and "--ts-share:6.7;--ts-bar:#009e73" in page
    assert "not measured" in widgets.bits_page(None, ROWS[0], "S, DQ, 3 bits")


def test_the_bits_explorer_finds_each_measured_row():
    book = widgets.bits_explorer(ROWS)
    network, mode, bits, outer, _ = book.children
    assert (network.options, mode.options, bits.options) == (("S", "Z"), ("DQ", "SQ", "QAT"), ("ternary", "4", "8"))
    assert (network.value, mode.value, bits.value) == ("S", "SQ", "8")
    pages = [[[page.value for page in inner.children] for inner in middle.children] for middle in outer.children]
    shown = [[[re.search(r"[\d.]+ %|not measured", page)[0] for page in inner] for inner in middle] for middle in pages]
    no = "not measured"
    assert shown == [[[no, no, "95.4 %"], ["20.0 %", no, "95.3 %"], ["93.0 %", no, no]],
                     [[no, no, no], [no, no, no], [no, "79.0 %", no]]]


def test_the_bits_explorer_uses_only_widgets_that_the_page_has():
    seen, pending = set(), [widgets.bits_explorer(ROWS)]
    while pending:
        widget = pending.pop()
        seen.add(widget._model_module)
        pending += [*getattr(widget, "children", ()), *([widget.layout] if hasattr(widget, "layout") else ())]
    assert seen <= rules.WIDGET_MODULES
