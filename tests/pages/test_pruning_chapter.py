"""Pictures and pages of chapter 6 show the numbers that they are given."""

import re

import matplotlib.pyplot as plt
import numpy as np
import pytest

from tinyspeech.integer import sparse
from tinyspeech.measure.formats import FORMAT_CALLS
from tinyspeech.pages import plots, widgets

pytestmark = pytest.mark.usefixtures("figure")


def test_zeros_are_left_as_paper():
    plots.weight_maps({"a": [[0, 3], [-7, 7]], "b": np.zeros((2, 2), int)})
    first, second = plt.gcf().axes[:2]
    assert first.get_title(loc="left") == "a" and first.images[0].get_clim() == (-7, 7)
    assert first.images[0].get_array().mask.tolist() == [[True, False], [False, False]]
    assert second.images[0].get_array().mask.all()


def test_what_a_threshold_takes_is_hatched_and_nothing_is_lost():
    plots.pruned_sizes([[-1.0, 0.1], [0.3, 0.9]], 0.3)
    ax = plt.gca()
    pruned, kept = ax.containers
    assert sum(bar.get_height() for bar in pruned) == 2 and sum(bar.get_height() for bar in kept) == 2
    assert {bar.get_hatch() for bar in pruned} == {"////"}
    assert [line.get_xdata()[0] for line in ax.lines] == [-0.3, 0.3]


def test_formats_keep_their_colours():
    plots.over_zeros({"dense": ([0, 50], [768, 768]), "runs": ([0, 50], [1362, 817]), "else": ([0, 50], [1, 2])}, "B",
                     level=700)
    ax = plt.gca()
    assert [line.get_label() for line in ax.lines[:3]] == ["dense", "runs", "else"]
    assert ax.lines[1].get_color() == plots.PALETTE["amber"] and list(ax.lines[1].get_ydata()) == [1362, 817]
    assert ax.lines[3].get_ydata()[0] == 700 and ax.get_yscale() == "linear"
    assert {*plots.FORMAT_LOOKS} == {*FORMAT_CALLS}
    plt.clf()
    plots.over_zeros({"dense": ([0], [2])}, "B", log=True)
    assert plt.gca().get_yscale() == "log"


def test_a_stored_row_is_drawn_to_scale():
    plots.stored_row({"dense": [("3", 4, "weight"), ("0", 4, "zero")],
                      "bitmap": [("01", 2, "place"), ("3", 4, "weight")]})
    ax = plt.gca()
    assert [(bar.get_x(), bar.get_width()) for bar in ax.patches] == [(0, 4), (4, 4), (0, 2), (2, 4)]
    assert [t.get_text() for t in ax.texts] == ["3", "0", "8 bits", "01", "3", "6 bits"]


def test_fields_of_a_row_are_as_wide_as_packed():
    row = np.array([0, 0, 3, 0, -7, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0])
    fields = plots.row_fields(row)
    bits = {name: sum(width for _, width, _ in parts) for name, parts in fields.items()}
    assert bits == {"dense": 64, "bitmap": 28, "runs": 32, "groups": 52}
    assert [text for text, _, _ in fields["runs"]] == ["3", "2", "3", "1", "-7", "8", "1"]
    assert "".join(text for text, _, kind in fields["groups"] if kind == "place") == "1101"
    one, many = row[None], np.tile(row, (16, 1))
    assert sparse.pack_runs(one).nbytes * 8 == bits["runs"]
    assert sparse.pack_groups(many).nbytes * 8 == 16 * bits["groups"]


def test_accuracy_over_a_cost_has_a_dot_for_each_seed():
    plots.trade({"weights": {"0 %": (6000, [95.0, 96.0]), "50 %": (4000, [94.0, 94.0])},
                 "channels": {"33 %": (4500, [93])}}, "bytes")
    ax = plt.gca()
    through = [line for line in ax.lines if line.get_label() in ("weights", "channels")]
    assert list(through[0].get_ydata()) == [95.5, 94.0] and list(through[1].get_xdata()) == [4500]
    assert [t.get_text() for t in ax.texts] == ["0 %", "50 %", "33 %"]
    assert sum(len(line.get_xdata()) for line in ax.lines if line.get_marker() == ".") == 5


def test_a_page_of_formats_compares_with_the_shipped_kernel():
    row = {"zeros": 50.4, "formats": {"shipped": {"bytes": 768, "code_bytes": 226, "cycles": 20_000},
                                      "straight": {"bytes": 0, "code_bytes": 6_970, "cycles": 3_832}}}
    page = widgets.formats_page(row, "expand")
    labels = re.findall("aria-label='([^']*)'", page)
    assert labels == ["expand, 50 % zeros: bytes: shipped 768 B; straight 6,970 B, too much.",
                      "expand, 50 % zeros: time: shipped 20,000 cycles; straight 3,832 cycles."]
    assert page.count("'--ts-share:100.0'") == 2 and "'--ts-share:19.2'" in page
