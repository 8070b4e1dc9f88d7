"""What moves in the static page works without Python: pages are complete, and the link travels with the slider."""

import base64
import io
import re
from html import escape

import ipywidgets
import jinja2
import numpy as np
import pytest
import soundfile

from tinyspeech import CLASSES
from tinyspeech.pages import rules, widgets
from tinyspeech.pages.plots import theme
from tinyspeech.pages.widgets import markup


def test_a_sound_is_played_sample_for_sample():
    samples = np.arange(-800, 800, dtype=np.int16)
    html = widgets.sound(samples, 16000, 'a "rising" tone').data
    data = re.search(r"base64,([^']+)", html)[1]
    played, rate = soundfile.read(io.BytesIO(base64.b64decode(data)), dtype="int16")
    assert rate == 16000 and (played == samples).all()
    assert "aria-label='a &quot;rising&quot; tone'" in html


def test_bars_mark_and_describe_the_answer():
    shares = np.full(12, 0.01)
    shares[CLASSES.index("yes")] = 0.89
    html = widgets.bars(shares, CLASSES)
    assert "the answer is yes with 89 per cent" in html
    assert html.count("<tr") == 12 and re.findall(r"<b>(.*?)</b>", html) == ["yes", "89 %"]
    assert "--ts-share:89.0;--ts-bar:var(--ts-vermilion)" in html
    assert html.count("--ts-share:1.0;--ts-bar:var(--ts-pale)") == 11


def test_a_flip_book_turns_its_pages_in_the_browser():
    book = widgets.flip_book(["<b>one</b>", "<b>two</b>"], ["1", "2"], "page")
    slider, stack, _ = book.children
    assert [page.value for page in stack.children] == ["<b>one</b>", "<b>two</b>"]
    assert (slider.link.source, slider.link.target) == ((slider, "index"), (stack, "selected_index"))
    assert slider.get_state()["link"] == f"IPY_MODEL_{slider.link.model_id}"


def test_a_flip_book_uses_only_widgets_that_the_page_has():
    book = widgets.flip_book(["a"], ["1"], "page")
    seen, pending = set(), [book]
    while pending:
        widget = pending.pop()
        seen.add(widget._model_module)
        pending += [*getattr(widget, "children", ()), widget.layout] if hasattr(widget, "layout") else []
    assert seen <= rules.WIDGET_MODULES


@pytest.mark.parametrize(("pages", "labels"), [([], []), (["a"], []), (["a"], ["1", "2"])])
def test_a_flip_book_needs_a_label_for_each_page(pages, labels):
    with pytest.raises(ValueError, match="as many labels"):
        widgets.flip_book(pages, labels, "page")


def test_a_band_page_says_what_it_shows():
    weights = np.array([[0, 1, 0, 0], [0, 0, 1, 0.5]])
    page = widgets.band_page([0, 1, 8, 0], weights, 100.0, 0)
    assert "Band 0: 1 frequencies, 100 to 100 Hz; 3.0 octaves below the loudest band." in page
    assert page.count("V200") == 3 and page.count("#d55e00") == 1
    assert "the loudest band" in widgets.band_page([0, 1, 8, 0], weights, 100.0, 1)


def test_an_explorer_has_a_page_for_each_combination_and_starts_where_it_should():
    book = widgets.explorer({"a": "xyz", "b": "uv"}, lambda i, j: f"page {i}{j}", start=(2, 1))
    first, second, outer, _ = book.children
    assert [[page.value for page in inner.children] for inner in outer.children] == [
        ["page 00", "page 01"], ["page 10", "page 11"], ["page 20", "page 21"]]
    assert (first.value, second.value) == ("z", "v")
    assert outer.selected_index == 2 and {inner.selected_index for inner in outer.children} == {1}


def test_each_slider_of_an_explorer_turns_all_its_stacks_in_the_browser():
    book = widgets.explorer({"a": "xyz", "b": "uv"}, lambda i, j: "")
    first, second, outer, _ = book.children
    for slider, stacks in ((first, [outer]), (second, outer.children)):
        assert [link.target for link in slider.links] == [(stack, "selected_index") for stack in stacks]
        assert {link.source for link in slider.links} == {(slider, "index")}
        assert slider.get_state()["links"] == [f"IPY_MODEL_{link.model_id}" for link in slider.links]


@pytest.mark.parametrize(("dials", "start"), [({}, None), ({"a": []}, None), ({"a": "xy"}, (0, 0))])
def test_an_explorer_needs_dials_with_positions(dials, start):
    with pytest.raises(ValueError, match="starts for dials"):
        widgets.explorer(dials, lambda *_: "", start)


def test_a_cost_above_its_limit_stands_out():
    page = widgets.cost_page([("RAM", 3000, 2048, "3,000 B"), ("flash", 4096, 16384, "4,096 B")], "C < 9")
    assert "aria-label='C &lt; 9: RAM 3,000 B, too much; flash 4,096 B.'" in page
    assert "--ts-share:100.0;--ts-bar:var(--ts-vermilion)" in page and "'--ts-share:25.0'" in page
    assert re.findall(r"<b>(.*?)</b>", page) == ["C &lt; 9", "3,000 B"]


def test_without_a_stack_python_turns_the_pages(monkeypatch):
    """As with ipywidgets 7."""
    monkeypatch.delattr(ipywidgets, "Stack")
    slider, box, _ = widgets.flip_book(["<b>one</b>", "<b>two</b>"], ["1", "2"], "page").children
    assert slider.link is None and box.children[0].value == "<b>one</b>"
    slider.index = 1
    assert box.children[0].value == "<b>two</b>"
    first, second, box, _ = widgets.explorer({"a": "xy", "b": "pqr"}, lambda i, j: f"{i}{j}", (1, 0)).children
    assert box.children[0].children[0].value == "10"
    first.index, second.index = 0, 2
    assert box.children[0].children[0].value == "02"


def test_what_is_put_into_a_template_is_escaped_as_html_escape_does():
    text = "a \"b\" <c> & 'd'"
    assert escape(text) in markup.render("unmeasured.html", text=text)
    page = widgets.flashing_page(text, [0, 4], [(text, text)])
    assert page.count(escape(text)) == 4 and text not in page  # title, label, name and line
    with pytest.raises(jinja2.UndefinedError, match="'text' is undefined"):
        markup.render("unmeasured.html")


def test_a_template_keeps_no_line_break_and_no_indentation():
    page = widgets.cost_page([("RAM", 1, 2, "1 B"), ("flash", 3, 2, "3 B")], "title")
    assert "\n" not in page and "  " not in page and page.count("<tr><td>") == 2


def test_a_page_has_the_rules_of_its_classes_and_no_others():
    sheet = markup.sheet("<div class='ts-widget'><button class='ts-button'>x</button></div>")
    assert "var(--ts-grey)" in sheet and "--ts-grey:#6b7280" in sheet  # the edge of a button, and its colour
    assert "@media (pointer:coarse){.ts-button{min-height:2.75rem}}" in sheet
    assert {*re.findall(r"\.(ts-[a-z]+)", sheet)} == {"ts-widget", "ts-button"} and "--ts-pink" not in sheet
    assert ".ts-select" in markup.sheet("const box = 'ts-select';")  # a script makes it


def test_the_style_sheet_uses_no_colour_that_the_theme_lacks():
    text = (markup.HERE / "widgets.css").read_text(encoding="utf-8")
    named = {*re.findall(r"var\(--ts-(\w+)", text)} - {"bar", "share"}
    assert named <= {"ink", "paper", "grid", "pale", *theme.PALETTE}


def test_every_class_in_a_template_or_a_script_has_a_rule():
    rules = {*re.findall(r"\.(ts-[a-z]+)", (markup.HERE / "widgets.css").read_text(encoding="utf-8"))}
    for file in [*markup.HERE.glob("templates/*"), *markup.HERE.glob("*.js")]:
        assert {*re.findall(r"(?<![\w-])ts-[a-z]+", file.read_text(encoding="utf-8"))} <= rules, file.name


def test_a_slider_stands_in_the_box_of_all_widgets_with_what_its_pages_need():
    book = widgets.flip_book([widgets.bars([0.2, 0.8], ["a", "b"])], ["1"], "page")
    assert book._dom_classes == ("ts-widget",)
    look = book.children[-1]
    assert ".ts-widget > .widget-html{display:none}" in look.value
    assert "table.ts-bars" in look.value and ".ts-log" not in look.value and "[hidden]" not in look.value
