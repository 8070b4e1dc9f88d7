"""What chapter 11 rests on: leads and figures of one network, counts by hand that are the library's, exercises."""

import re
from functools import partial

import numpy as np
import pytest
from support.chapters import functions, printed

from tinyspeech import paths
from tinyspeech.integer import decision
from tinyspeech.measure import leads, store
from tinyspeech.pages.notebooks import code_cells, load, text_outputs

CELLS = code_cells(load(paths.BOOK / "11_hours_of_speech.ipynb"))
MORE = 0.02
"""By how much a count may differ: the stored sums are not forgotten after a report, the decision's are."""


@pytest.fixture(scope="module")
def by_hand() -> dict:
    """The chapter's own functions."""
    return functions(CELLS, "at_a_word|events|false_alarms|heard", np=np, decision=decision)


output = partial(printed, CELLS)


def test_the_stored_leads_are_of_the_network_whose_figures_are_recorded(by_hand):
    tracks, results = leads.load(), store.load()
    assert leads.FILE.stat().st_size < 500_000
    for point in results["hours.det"]["value"]:
        false = len(by_hand["false_alarms"](tracks["speech"], point["least_lead"]))
        assert abs(false - point["events"]) <= 2 + MORE * point["events"], point["least_lead"]
        for name, share in point["heard"].items():
            assert abs(by_hand["heard"](tracks[name], point["least_lead"]) - share) <= 1, (name, point["least_lead"])
    assert tracks["speech"].hours == pytest.approx(results["hours.false_per_hour"]["hours"], abs=1e-3)


def test_a_stub_gets_a_hint_and_a_solution_is_right():
    names = ("hours_needed", "episodes", "lasting")
    for name in names:
        stub, solution = [cell for cell in CELLS if cell.source.startswith(f"def {name}(")]
        assert "gives nothing yet.\nHint: " in "".join(text_outputs(stub)), name
        assert "".join(text_outputs(solution)).startswith(f"{name}: right, on all "), name
        assert "hide-cell" in solution["metadata"]["tags"] and "tags" not in stub["metadata"]


def test_what_is_counted_by_hand_stands_beside_the_librarys():
    rows = re.findall(r":\s+(\d+) false, library\s+(\d+); heard\s+([\d.]+) %, library\s+([\d.]+)",
                      output("det = results"))
    assert len(rows) == len(store.load()["hours.det"]["value"])
    assert all(abs(int(a) - int(b)) <= 2 + MORE * int(b) and abs(float(c) - float(d)) <= 1 for a, b, c, d in rows)


def test_the_evening_holds_the_talks_reports_and_one_true_word():
    reports = dict(re.findall(r"'(near|report)': (\d+)", output("model = IntegerModel")))
    counted = re.search(r"'events': (\d+), 'said': (\d+), 'true': (\d+)", output("asked = report.Request"))
    assert counted[1] == reports.get("report", "0") and counted[2] == "1"


def test_what_was_before_is_whole():
    before = store.load()["hours.before"]["value"]
    assert [point["heard"].keys() for point in before["det"]] == [before["keywords"].keys()] * len(before["det"])
    (ships,) = (point for point in before["det"] if point["ships"])
    assert ships["per_hour"] == before["false_per_hour"]


def test_what_each_lever_gives_is_told_as_it_was_measured():
    """The prose: streams are an eighth; what the others move is within the intervals."""
    alone, heard, *others = store.load()["hours.levers"]["value"]
    assert 7 < alone["false_per_hour"] / heard["false_per_hour"] < 9 and 0.4 < alone["clips"] - heard["clips"] < 0.6
    low, high = heard["interval_95"]
    assert all(low < row["false_per_hour"] < high for row in others)
    told = output("for row in results[\"hours.levers\"]").splitlines()
    for row, line in zip([alone, heard, *others], told, strict=True):
        assert line.removeprefix(row["label"]).split()[0] == f"{row['false_per_hour']:.0f}"
        assert line.endswith(f"clips {row['clips']:.1f} %") and f"room {row['heard_in_a_room']:.0f}" in line
