"""The strip at the head of every chapter is what the code draws, of the network and the firmware that are here."""

import re
from xml.etree import ElementTree

import pytest

from tinyspeech.errors import UserError
from tinyspeech.integer.network import IntegerModel
from tinyspeech.pages import way
from tinyspeech.pages.notebooks import load
from tinyspeech.pages.site import chapter_files
from tinyspeech.paths import model_file


@pytest.fixture(scope="module")
def drawn():
    return way.drawn()


def test_what_is_stored_is_what_the_code_draws(drawn):
    """Pictures, and the words beside them in the notebooks: with another network, some of both change."""
    stale = [path.name for path, text in drawn.items() if path.read_text(encoding="utf-8") != text]
    assert stale == [], "run `python -m tinyspeech book pictures`"


def test_every_chapter_has_a_place_on_the_way():
    assert [way.number_of(path) for path in chapter_files()] == list(way.CHAPTERS)
    stations = {*way.EVERYWHERE, way.SOUND, way.WORD}
    assert all(set(chapter.lit) <= stations for chapter in way.CHAPTERS.values())
    lit = set().union(*(chapter.lit for number, chapter in way.CHAPTERS.items() if number))
    assert lit == stations  # and no part of it is without a chapter of its own


def test_a_picture_says_what_is_said_for_those_who_do_not_see_it():
    for number, chapter in way.CHAPTERS.items():
        svg = ElementTree.fromstring(way.picture(number))
        assert svg.attrib["aria-label"] == way.alt(number)
        texts = [node.text for node in svg.iter("{http://www.w3.org/2000/svg}text")]
        assert {chapter.comes_in(), chapter.goes_out()} <= {*texts}
        bold = [node for node in svg.iter("{http://www.w3.org/2000/svg}text") if node.get("font-weight")]
        assert len(bold) == len(chapter.lit) + 2  # and "in" and "out"


def test_sizes_are_asked_of_the_network_that_ships(monkeypatch):
    before = way.alt(5)
    small = IntegerModel.load(model_file("tinyspeech_xs", ".npz"))
    monkeypatch.setattr(way, "_model", lambda: small)
    assert way.alt(5) != before and f"{small.parameters:,} weights" in way.alt(5)


def test_what_goes_into_a_chapter_came_out_of_one_before():
    out = [re.findall(r"[\d,]+ bytes", way.CHAPTERS[number].goes_out()) for number in way.CHAPTERS]
    for number, before in ((2, 1), (3, 2), (6, 5), (7, 5), (14, 13)):
        assert re.findall(r"[\d,]+ bytes", way.CHAPTERS[number].comes_in()) == out[before], number


def test_a_notebook_without_a_place_for_it_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "03_page.ipynb"
    source = chapter_files()[0].read_text(encoding="utf-8")
    path.write_text(source.replace("images/way-00.svg", "images/other.svg"), encoding="utf-8")
    monkeypatch.setattr(way, "chapter_files", lambda: [path])
    with pytest.raises(UserError, match=r"03_page\.ipynb: its first cell has no line .*way-03"):
        way.drawn()
    path.write_text(source, encoding="utf-8")
    assert "images/way-03.svg" in way.drawn()[path] and load(path)
