"""`book`: its notebooks, numbers and pictures from the command line."""

import json
import re

import pytest

from tinyspeech import paths
from tinyspeech.__main__ import main
from tinyspeech.pages import cover, house, notebooks, numbers, way, wiring
from tinyspeech.paths import ROOT


def test_book_checks_a_notebook_and_says_what_is_wrong(run, tmp_path, capsys):
    notebook = next((ROOT / "book").glob("00_*.ipynb"))
    out = run("book", "check", notebook)
    assert re.match(rf"{notebook.name}: \d+ code cells .*, \d+ words, \d+ computed figures, \d+ kB\n$", out)
    worse = tmp_path / "worse.ipynb"
    content = json.loads(notebook.read_text(encoding="utf-8"))
    next(cell for cell in content["cells"] if cell["cell_type"] == "code")["execution_count"] = 99
    worse.write_text(json.dumps(content), encoding="utf-8")
    assert main(["book", "check", str(notebook), str(worse)]) == 1
    assert re.search(r"^worse.ipynb: .*\n(  .*\n)*  .*execution counts are \[.*99, ", capsys.readouterr().out, re.M)


@pytest.mark.parametrize("action", ["check", "execute"])
def test_what_is_no_notebook_is_refused_before_anything_runs(refused, action, tmp_path, monkeypatch):
    monkeypatch.setattr(notebooks, "execute", lambda path: pytest.fail("ran one before all were looked at"))
    good = next((ROOT / "book").glob("00_*.ipynb"))
    for text in ("", "hello", "{", "{}", "[]", "3", "null", '{"cells": 3}', '{"cells": [3], "nbformat": 4}',
                 '{"nbformat": 3}', '{"nbformat": 9, "cells": []}'):
        (tmp_path / "bad.ipynb").write_text(text)
        refused("bad.ipynb: not a notebook", "book", action, good, tmp_path / "bad.ipynb")
    refused("no such notebook", "book", action, good, tmp_path / "none.ipynb")
    refused("cannot be read .*directory", "book", action, good, tmp_path)


def test_book_compares_or_rewrites_numbers(monkeypatch, capsys):
    calls = []
    for stale in ([], ["README.md: quotes a number that data/results.json has otherwise"]):
        monkeypatch.setattr(numbers, "renumber", lambda write, stale=stale: calls.append(write) or stale)
        assert main(["book", "numbers", "--check"]) == bool(stale)
        assert main(["book", "numbers"]) == 0
        assert capsys.readouterr().out == 2 * f"{(stale or ['every quoted number is what was measured'])[0]}\n"
    assert calls == [False, True, False, True]


def test_book_draws_its_pictures(run, refused, tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    monkeypatch.setattr(wiring, "PICTURES", {tmp_path / file.name: draw for file, draw in wiring.PICTURES.items()})
    monkeypatch.setattr(cover, "PICTURE", tmp_path / "answer.svg")
    monkeypatch.setattr(house, "PICTURE", tmp_path / "house.svg")
    strips = {tmp_path / file.name: text for file, text in way.drawn().items()}  # and the notebooks that show them
    monkeypatch.setattr(way, "drawn", lambda: strips)
    printed = run("book", "pictures").split()
    assert printed[:5] == ["answer.svg", "house.svg", "board.svg", "wiring-microphone.svg", "wiring-esp32.svg"]
    assert printed[5:] == [file.name for file in strips] and "way-00.svg" in printed and "02_mfcc.ipynb" in printed
    for name in printed:
        stored = ROOT / "book" / ("images" if name.endswith(".svg") else ".") / name
        assert (tmp_path / name).read_text("utf-8") == stored.read_text("utf-8"), name
    monkeypatch.setattr(cover, "PICTURE", tmp_path / "nowhere" / "answer.svg")
    monkeypatch.setattr(cover, "picture", lambda: "<svg/>")
    refused("cannot write .*nowhere", "book", "pictures")
