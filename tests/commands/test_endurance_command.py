"""`measure endurance`: what it prints, and how it ends where something went wrong."""

import json

import pytest

from tinyspeech.__main__ import main
from tinyspeech.measure import endurance


def test_it_says_what_it_counted(run):
    assert json.loads(run("measure", "endurance", "--hours", "0.002", "--json"))["hours"] == pytest.approx(0.002)
    assert "lines_differ: 0\n" in run("measure", "endurance", "--hours", "0.001", "--seed", "5")


def test_it_fails_where_something_went_wrong(capsys, monkeypatch):
    whole = endurance.endure(0.001)
    monkeypatch.setattr(endurance, "endure", lambda *_: whole | {"samples_lost": 7})
    with pytest.raises(SystemExit, match="not sound: samples_lost 7"):
        main(["measure", "endurance"])
    assert "samples_lost: 7" in capsys.readouterr().out


def test_hours_that_are_none_are_a_line(refused):
    refused("a board can listen for more than 0 hours", "measure", "endurance", "--hours", "0")
    refused("does not exist", "measure", "endurance", "--hours", "0.001", "--negatives", "nowhere")
