"""The runs of the command line that the introduction and the README show, in text and picture, are what they print."""

import re
import shlex

import pytest

from tinyspeech.__main__ import main
from tinyspeech.pages import cover
from tinyspeech.paths import ROOT

PAGES = [ROOT / "book" / "intro.md", ROOT / "README.md"]
RUN = re.compile(r"^```console\n\$ python -m tinyspeech (.*)\n((?:[^$`\n].*\n)*)```$", flags=re.MULTILINE)
"""A block with one command and all that it prints."""
RUNS = [(page.name, *run) for page in PAGES for run in RUN.findall(page.read_text(encoding="utf-8"))]


def test_each_page_shows_a_run():
    assert [name for name, *_ in RUNS] == [page.name for page in PAGES]


@pytest.mark.parametrize(("name", "arguments", "shown"), RUNS)
def test_a_run_prints_what_the_page_shows(name, arguments, shown, capsys, monkeypatch):
    monkeypatch.chdir(ROOT)
    assert main(shlex.split(arguments)) == 0
    assert capsys.readouterr().out == shown, f"{name} shows another run: put in what this one prints"


def test_stored_picture_is_what_the_code_draws():
    stored = cover.PICTURE.read_text(encoding="utf-8")
    assert stored == cover.picture(), "run `python -m tinyspeech book pictures`"
    arguments, shown = next((arguments, shown) for name, arguments, shown in RUNS if name == "README.md")
    lines = [f"$ python -m tinyspeech {arguments}", *shown.splitlines()]
    assert re.findall(r"xml:space='preserve'>(.*)</text>", stored) == lines
