"""What the introduction shows as a run of the command line is what that run prints."""

import re
import shlex
from pathlib import Path

import pytest

from tinyspeech.__main__ import main

ROOT = Path(__file__).resolve().parent.parent
INTRO = (ROOT / "book" / "intro.md").read_text(encoding="utf-8")
RUNS = re.findall(r"^```console\n\$ python -m tinyspeech (.*)\n((?:.*\n)*?)```$", INTRO, flags=re.MULTILINE)


def test_the_introduction_ends_with_a_run():
    assert len(RUNS) == 1
    assert INTRO.index("```console") > INTRO.rindex("```bash")


@pytest.mark.parametrize(("arguments", "shown"), RUNS)
def test_a_run_prints_what_the_page_shows(arguments, shown, capsys, monkeypatch):
    monkeypatch.chdir(ROOT)
    assert main(shlex.split(arguments)) == 0
    assert capsys.readouterr().out == shown, "book/intro.md shows another run: put in what this one prints"
