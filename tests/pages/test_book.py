"""The stored notebooks keep the rules of tinyspeech/pages/rules.py, each rule catches what it is for, the book builds.

What the cells compute is compared by `pytest --nbval book/`, not here.
"""

import copy
import hashlib
import json
import queue
import re
import socket
import sys
import threading
import urllib.request
from pathlib import Path

import nbformat
import pytest

from tinyspeech.errors import UserError
from tinyspeech.pages import notebooks, numbers, rules
from tinyspeech.pages.site import chapter_files, missing_from_toc, notebook_files, serve, toc_files
from tinyspeech.paths import ROOT

NOTEBOOKS = notebook_files(ROOT)
PAGES = [ROOT / "README.md", *sorted((ROOT / "book").glob("*.md"))]


# ---------------------------------------------------------------- the book as it is


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.name)
def test_stored_notebook(path):
    assert rules.complaints_about(notebooks.load(path)) == []
    assert path.stat().st_size <= rules.MAX_BYTES


def test_toc_lists_every_page():
    assert missing_from_toc(ROOT) == []


def test_figure_names_are_unique():
    names = [c["metadata"]["mystnb"]["figure"]["name"] for p in NOTEBOOKS for c in notebooks.figures(notebooks.load(p))]
    assert sorted(names) == sorted(set(names))


@pytest.mark.parametrize("path", PAGES, ids=lambda p: p.name)
def test_pictures_of_pages_are_described(path):
    text = path.read_text(encoding="utf-8")
    assert rules.images_described(text) == []
    for picture in re.findall(r"!\[[^\]]*\]\(([^)\s]+)\)|^`{3}\{figure\}\s*(\S+)", text, flags=re.MULTILINE):
        assert (path.parent / "".join(picture)).exists()


@pytest.mark.parametrize("path", PAGES, ids=lambda p: p.name)
def test_numbers_of_pages_have_a_source(path):
    assert rules.unbacked(path.read_text(encoding="utf-8")) == []


def test_quoted_numbers_are_the_measured_ones():
    assert numbers.renumber(ROOT) == []


def test_vendored_scripts_are_unchanged():
    vendor = ROOT / "book" / "vendor"
    sums = re.findall(
        r"^([0-9a-f]{64})  (\S+)$", (vendor / "README.md").read_text(encoding="utf-8"), flags=re.MULTILINE
    )
    files = {p.relative_to(vendor).as_posix() for p in vendor.rglob("*") if p.is_file()} - {"README.md"}
    assert {name for _, name in sums} == files
    for digest, name in sums:
        assert hashlib.sha256((vendor / name).read_bytes()).hexdigest() == digest, name


def test_every_page_is_built(site):
    for name in toc_files(ROOT):
        assert (site / name).with_suffix(".html").exists()


def test_chapters_have_the_numbers_of_their_files_and_six_parts(site):
    for path in chapter_files(ROOT):
        page = (site / "book" / path.name).with_suffix(".html").read_text(encoding="utf-8")
        shown = re.search(r'<h1><span class="section-number">(\d+)\. </span>', page)
        assert shown and int(shown[1]) == int(path.name[:2]), path.name
    intro = (site / "book" / "intro.html").read_text(encoding="utf-8")
    parts = dict.fromkeys(re.findall(r'class="caption-text">([^<]*)<', intro))
    assert list(parts)[:6] == ["Hear", "Learn", "Shrink", "Run", "Projects", "Appendices"]
    assert re.search(r'href="03_attention_condensers.html">3\. ', intro)


def test_figures_are_numbered_within_chapters_that_begin_with_0(site):
    for number, name in ((0, "00_one_word"), (2, "02_mfcc"), (13, "13_the_chip")):
        page = (site / "book" / f"{name}.html").read_text(encoding="utf-8")
        found = re.findall(r'class="caption-number">Fig\. (\d+)\.(\d+) ', page)
        assert found == [(str(number), str(i + 1)) for i in range(len(found))] and found


def test_pages_load_nothing_from_elsewhere(site):
    """A link may lead out of the site; a script, style sheet, picture, font or frame may not come from outside."""
    loads = r"<(?:script|img|iframe|audio|video|source|embed)\b[^>]*\bsrc=[\"'](https?:)?//"
    loads += r"|<link\b(?=[^>]*rel=[\"']?(?:stylesheet|preload|icon))[^>]*\bhref=[\"'](https?:)?//"
    pages = list(site.rglob("*.html"))
    assert pages
    for page in pages:
        found = re.search(loads, page.read_text(encoding="utf-8"))
        assert found is None, f"{page.name}: {found.group()}"
    for sheet in (site / "_static").glob("*.css"):
        assert not re.search(r"(?:@import|url\()\s*[\"']?(?:https?:)?//", sheet.read_text(encoding="utf-8")), sheet.name


def test_formulas_and_widgets_come_from_the_site(site):
    for name in ("mathjax/tex-chtml-full.js", "widgets/require.js", "widgets/embed-amd.js", "widgets-local.js"):
        assert (site / "_static" / name).exists()


# ---------------------------------------------------------------- each rule, shown a bad notebook


def code(text, *outputs, count=1, **metadata):
    return {
        "cell_type": "code",
        "source": text,
        "outputs": list(outputs),
        "execution_count": count,
        "metadata": metadata,
    }


def stream(text, name="stdout"):
    return {"output_type": "stream", "name": name, "text": text}


def shown(**data):
    names = {"png": "image/png", "html": "text/html", "text": "text/plain", "view": notebooks.WIDGET_VIEW}
    return {"output_type": "display_data", "metadata": {}, "data": {names[k]: v for k, v in data.items()}}


ERROR = {"output_type": "error", "ename": "ValueError", "evalue": "no", "traceback": ["ValueError: no"]}
DESCRIBED = {
    "image": {"alt": "a line that rises from left to right"},
    "figure": {"caption": "A line.", "name": "fig-line"},
}


def model(module="@jupyter-widgets/controls", **state):
    return {"model_module": module, "model_module_version": "2.0.0", "model_name": "M", "state": state}


def notebook(*cells, widgets=None):
    metadata = {"kernelspec": notebooks.KERNELSPEC, "language_info": notebooks.LANGUAGE_INFO}
    if widgets is not None:
        metadata["widgets"] = {notebooks.WIDGET_STATE: {"state": widgets, "version_major": 2, "version_minor": 0}}
    cells = [{**cell, "id": f"c{i}"} for i, cell in enumerate(cells)]
    return nbformat.from_dict({"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5})


def markdown(text):
    return {"cell_type": "markdown", "source": text, "metadata": {}}


def test_a_good_notebook_has_no_complaints():
    good = notebook(
        markdown(
            "# Good\n![a waveform with one loud syllable](images/wave.svg)\n"
            "[a link](https://example.org/home/x) and /dev/ttyUSB0"
        ),
        code("1 + 1", shown(text="2"), count=1),
        code("draw()", shown(png="iVBOR", text="<Figure size 864x336 with 1 Axes>"), count=2, mystnb=DESCRIBED),
        markdown("Of 2,048 bytes, 2 are left; `1,234 bytes` is code. Others reach 99 % {cite:p}`wong2020tinyspeech`."),
        code("fail()", ERROR, count=3, tags=["raises-exception"]),
        code("slider", shown(view={"model_id": "a"}, text="IntSlider(value=3)"), count=4),
        code("", count=None),
        widgets={"a": model(layout="IPY_MODEL_b"), "b": model("@jupyter-widgets/base")},
    )
    assert rules.complaints_about(good) == []


BAD = {
    "a share from nowhere": (rules.numbers_backed, notebook(markdown("It hears 97.3 % of them."), code("1", count=1))),
    "bytes from nowhere": (rules.numbers_backed, notebook(markdown("It takes 1,234 {term}`bytes <byte>`."))),
    "cycles from nowhere": (rules.numbers_backed, notebook(markdown("A clip takes 7.5 M cycles."))),
    "not executed": (rules.executed_in_order, notebook(code("1", count=None))),
    "out of order": (rules.executed_in_order, notebook(code("1", count=2), code("2", count=1))),
    "a gap": (rules.executed_in_order, notebook(code("1", count=1), code("2", count=3))),
    "stderr": (rules.no_stderr, notebook(code("1", stream("careful", "stderr")))),
    "error": (rules.no_errors, notebook(code("1", ERROR))),
    "widget without state": (rules.widgets_whole, notebook(code("s", shown(view={"model_id": "a"})))),
    "widget without a part's state": (
        rules.widgets_whole,
        notebook(code("s", shown(view={"model_id": "a"})), widgets={"a": model(children=["IPY_MODEL_b"])}),
    ),
    "state that nothing shows": (rules.widgets_whole, notebook(code("s"), widgets={"a": model()})),
    "foreign widget": (
        rules.widgets_whole,
        notebook(code("s", shown(view={"model_id": "a"})), widgets={"a": model("ipyleaflet")}),
    ),
    "image in a widget": (
        rules.widgets_whole,
        notebook(code("s", shown(view={"model_id": "a"})), widgets={"a": model(outputs=[shown(png="iVBOR")])}),
    ),
    "figure without anything": (rules.figures_described, notebook(code("draw()", shown(png="iVBOR")))),
    "short alt": (
        rules.figures_described,
        notebook(code("draw()", shown(png="iVBOR"), mystnb={**DESCRIBED, "image": {"alt": "a line"}})),
    ),
    "no caption": (
        rules.figures_described,
        notebook(code("draw()", shown(png="iVBOR"), mystnb={**DESCRIBED, "figure": {"name": "fig-line"}})),
    ),
    "no name": (
        rules.figures_described,
        notebook(code("draw()", shown(png="iVBOR"), mystnb={**DESCRIBED, "figure": {"caption": "A line."}})),
    ),
    "two figures, one caption": (
        rules.figures_described,
        notebook(code("draw()", shown(png="iVBOR"), shown(png="iVBOR"), mystnb=DESCRIBED)),
    ),
    "picture in text": (rules.figures_described, notebook(markdown("![](images/wave.svg)"))),
    "picture in HTML": (rules.figures_described, notebook(code("show()", shown(html="<img src='x.png' alt='x'>")))),
    "drawing in HTML": (rules.figures_described, notebook(code("show()", shown(html="<svg width='9'></svg>")))),
    "figure directive": (rules.figures_described, notebook(markdown("```{figure} x.svg\n:name: x\n\nCaption.\n```"))),
    "too large": (rules.small, notebook(code("1", stream("x" * rules.MAX_BYTES)))),
    "too many words": (rules.few_words, notebook(markdown("word " * (rules.MAX_WORDS + 1)))),
    "too much ignored": (
        rules.few_ignored,
        notebook(code("1", tags=["nbval-ignore-output"], nbval={"reason": "the sound's HTML holds a random id"})),
    ),
    "ignored by comment": (rules.few_ignored, notebook(code("# NBVAL_IGNORE_OUTPUT\nx"), *[code("1")] * 40)),
    "ignored without a reason": (rules.few_ignored, notebook(code("1", tags=["nbval-skip"]), *[code("1")] * 40)),
    "median": (rules.short_cells, notebook(*[code("x\n" * 5)] * 2, code("x"))),
    "p90": (rules.short_cells, notebook(*[code("x")] * 4, *[code("x\n" * 13)] * 2)),
    "longest": (rules.short_cells, notebook(*[code("x")] * 20, code("x\n" * 26))),
    "path in an output": (rules.no_machine, notebook(code("p", stream("/home/ada/tinyspeech/data")))),
    "path in a cell": (rules.no_machine, notebook(code("open('/Users/ada/x.wav')"))),
    "path in a traceback": (
        rules.no_machine,
        notebook(code("f()", {**ERROR, "traceback": ["File /usr/lib/python3/x.py"]}, tags=["raises-exception"])),
    ),
    "address": (rules.no_machine, notebook(code("f", shown(text="<function f at 0x7f1c2a3b4c5d>")))),
    "terminal": (rules.no_machine, notebook(code("board", stream("port: /dev/pts/3")))),
    "progress bar": (rules.no_progress_bars, notebook(code("train()", stream("10%\r20%\r")))),
    "speed": (rules.no_progress_bars, notebook(code("train()", stream("100/100 [00:01, 85.1it/s]")))),
    "editor's traces": (rules.clean_metadata, notebook(code("1", ExecuteTime={"start": 0}))),
    "another kernel": (
        rules.clean_metadata,
        {**notebook(code("1")), "metadata": {"kernelspec": {"name": "conda-env"}}},
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_rule_catches(case):
    rule, bad = BAD[case]
    assert rule in rules.RULES
    assert rule(bad) != []


def test_no_rule_is_untested():
    assert {rule for rule, _ in BAD.values()} == set(rules.RULES)


# ---------------------------------------------------------------- the tools


def test_clean_keeps_what_is_shown_and_names_it_in_order():
    nb = notebook(
        code("1", shown(view={"model_id": "f00"}), ExecuteTime={}, tags=["x"]),
        widgets={"dead": model(), "f00": model(layout="IPY_MODEL_ba2"), "ba2": model("@jupyter-widgets/base")},
    )
    nb["metadata"]["kernelspec"] = {"name": "conda-env"}
    once = notebooks.clean(copy.deepcopy(nb))
    assert rules.complaints_about(once) == []
    assert list(once["metadata"]["widgets"][notebooks.WIDGET_STATE]["state"]) == ["widget0001", "widget0002"]
    assert once["cells"][0]["outputs"][0]["data"][notebooks.WIDGET_VIEW] == {"model_id": "widget0001"}
    assert once["cells"][0]["metadata"] == {"tags": ["x"]}


def test_what_the_page_folds_is_folded_in_jupyterlab():
    """And what somebody folded there while reading is not stored."""
    nb = notebook(code("1", tags=["hide-cell"]), code("2", count=2, jupyter={"source_hidden": True}))
    once = notebooks.clean(copy.deepcopy(nb))
    assert [cell["metadata"].get("jupyter") for cell in once["cells"]] == [notebooks.FOLDED, None]
    assert rules.complaints_about(once) == []


def small_book(root, cell):
    (root / "book").mkdir()
    (root / "_toc.yml").write_text("format: jb-book\nroot: book/intro\nchapters:\n- file: book/01_one\n")
    (root / "README.md").write_text("")
    (root / "book" / "intro.md").write_text("")
    nb = notebook(code(cell, count=7))
    (root / "book" / "01_one.ipynb").write_text(notebooks.dumps(nb))
    return root / "book" / "01_one.ipynb"


def test_execute_stores_outputs_and_repeats_itself(tmp_path):
    path = small_book(
        tmp_path, "import sys, os\nprint(os.path.basename(os.getcwd()), sys.executable == os.environ['HERE'])"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HERE", sys.executable)
        notebooks.execute(path)
        first = path.read_text()
        notebooks.execute(path)
    nb = nbformat.reads(first, as_version=4)
    assert nb.cells[0].outputs[0].text == "book True\n"
    assert rules.complaints_about(nb) == []
    assert path.read_text() == first


def test_a_failing_notebook_is_left_as_it_was(tmp_path):
    path = small_book(tmp_path, "1 / 0")
    before = path.read_text()
    with pytest.raises(UserError, match="ZeroDivisionError"):
        notebooks.execute(path)
    assert path.read_text() == before


def test_an_unlisted_notebook_is_found(tmp_path):
    path = small_book(tmp_path, "1")
    assert missing_from_toc(tmp_path) == []
    path.with_name("02_two.ipynb").write_text(path.read_text())
    assert missing_from_toc(tmp_path) == ["book/02_two"]
    assert [p.name for p in notebook_files(tmp_path)] == ["01_one.ipynb", "02_two.ipynb"]


RESULTS = {"flash": {"value": 12345, "unit": "B"}, "s": {"accuracy": {"value": 93.876}}, "name": {"value": "S"},
           "z.right": {"value": 91.2, "n": 4445}}


@pytest.mark.parametrize(
    ("mark", "text"),
    [("flash", "12,345"), ("s.accuracy", "93.876"),
     ("s.accuracy|.1f", "93.9"), ("s.accuracy@.1f", "93.9"), ("name", "S"),
     ("z.right", "91.2"), ("z.right.n", "4,445")],
)
def test_a_quoted_number_is_brought_up_to_date(mark, text):
    page = f"a <!-- results:{mark} -->0<!-- /results --> b"
    good = f"a <!-- results:{mark} -->{text}<!-- /results --> b"
    assert numbers.renumbered(page, RESULTS) == good
    assert numbers.renumbered(good, RESULTS) == good


@pytest.mark.parametrize("key", ["speed", "s.speed", "flash.value.x", "s", "z.right.seed", "z"])
def test_a_number_that_was_never_measured_is_refused(key):
    with pytest.raises(UserError, match=re.escape(key)):
        numbers.renumbered(f"<!-- results:{key} -->1<!-- /results -->", RESULTS)


def test_stale_numbers_are_reported_and_rewritten(tmp_path):
    path = small_book(tmp_path, "1")
    nb = notebook(markdown("It takes <!-- results:flash -->1<!-- /results --> bytes.\n"), code("1"))
    path.write_text(notebooks.dumps(nb))
    (tmp_path / "README.md").write_text("<!-- results:flash -->12,345<!-- /results -->")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "results.json").write_text(json.dumps(RESULTS))
    assert len(numbers.renumber(tmp_path)) == 1
    assert len(numbers.renumber(tmp_path, write=True)) == 1
    assert numbers.renumber(tmp_path) == []
    assert "12,345" in path.read_text()


def test_what_is_no_notebook_is_refused_in_a_line(tmp_path):
    with pytest.raises(UserError, match=r"^nowhere\.ipynb: no such notebook$"):
        rules.report(Path("nowhere.ipynb"))
    for text in ("", "{", "{}", "[]", '{"cells": 3}', '{"cells": [3], "nbformat": 4}', '{"nbformat": 4}'):
        (tmp_path / "no.ipynb").write_text(text)
        with pytest.raises(UserError, match=r"no\.ipynb: not a notebook \([^\n]+\)$"):
            notebooks.load(tmp_path / "no.ipynb")
    with pytest.raises(UserError, match="cannot be read"):
        notebooks.load(tmp_path)


def test_a_report_has_numbers_and_complaints(tmp_path):
    text, complaints = rules.report(small_book(tmp_path, "a\nb"))
    assert text.startswith("01_one.ipynb: 1 code cells (lines: median 2, p90 2, longest 2), 0 words, 0 computed")
    assert len(complaints) == 1 and complaints[0].startswith("executed_in_order: execution counts are [7], not 1 to 1")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.name)
def test_a_notebook_is_stored_as_it_was_read(path):
    assert notebooks.dumps(notebooks.load(path)) == path.read_text(encoding="utf-8")


def test_names_may_hold_blanks_and_lists_are_counted_from_0():
    results = {"hours": {"value": {"10 dB": {"heard": 83.4}, "clean, room": {"heard": 62}}, "interval_95": [0.5, 4.1]}}
    marks = ("hours.value.10 dB.heard|.0f", "hours.value.clean, room.heard", "hours.interval_95.1")
    page = " ".join(f"<!-- results:{mark} --><!-- /results -->" for mark in marks)
    assert re.findall(r">([\d.]+)<", numbers.renumbered(page, results)) == ["83", "62", "4.1"]
    with pytest.raises(UserError, match="no such figure"):
        numbers.renumbered("<!-- results:hours.interval_95.2 -->0<!-- /results -->", results)


def test_a_figure_of_several_is_quoted_by_its_name():
    results = {"minutes.all": {"value": {"train": 27, "qat": 1.25}}}
    page = "".join(f"<!-- results:minutes.all.value.{x} -->0<!-- /results -->" for x in ("train", "qat@.1f"))
    assert re.findall(r">([\d.]+)<", numbers.renumbered(page, results)) == ["27", "1.2"]
    with pytest.raises(UserError, match="no such figure"):
        numbers.renumbered("<!-- results:minutes.all.value.x -->0<!-- /results -->", results)


@pytest.mark.parametrize("mark", ["results:a  b", "results:a#b#c#d", "results:a|"])
def test_a_mark_that_is_none_is_refused(mark):
    with pytest.raises(UserError, match="a mark is not of the form"):
        numbers.renumbered(f"<!-- {mark} -->1<!-- /results -->", {})


def test_a_mark_does_not_end_the_cell_of_a_table():
    row = "| speed | <!-- results:{} -->0<!-- /results --> |"
    with pytest.raises(UserError, match=r"has `\|` for `@`, which ends the cell: <!-- results:z.right\|.2f -->"):
        numbers.renumbered("words\n" + row.format("z.right|.2f"), RESULTS)
    assert numbers.renumbered(row.format("z.right@.2f"), RESULTS) != row.format("z.right@.2f")


def test_the_glossary_is_in_the_order_of_the_alphabet():
    text = (ROOT / "book" / "glossary.md").read_text()
    terms = re.findall(r"(?:\{glossary\}|\n)\n(\S[^\n]*)\n  ", text)
    assert len(terms) > 100
    plain = [re.sub(r"[^a-z0-9 ]", "", term.lower().replace("-", " ")) for term in terms]
    assert plain == sorted(plain) and len(set(plain)) == len(plain)


def test_only_words_that_are_read_are_counted():
    text = ":::{tip}\nA {term}`frame <x>` in [it](12.ipynb): <!-- results:a.b|.1f -->9<!-- /results --> %.\n:::"
    assert rules.read_words(text) == ["A", "frame", "in", "[it", ":", "9", "%."]
    assert rules.read_words("> Seen\n>\n![not seen](x.svg)\n> too > this") == ["Seen", "too", ">", "this"]


def test_the_strip_s_numbers_are_its_own_and_no_other_picture_s():
    assert rules.unbacked("![In: 7,654 bytes.](images/way-03.svg)") == []
    assert rules.unbacked("![In: 7,654 bytes.](images/other.svg)") == ["7,654 bytes"]


def test_a_chapter_may_have_three_thousand_words_and_no_more():
    title, most = markdown("# Title"), "word " * 2_998  # the title is two words, its sign included
    assert rules.few_words(notebook(title, markdown(most), code("not " * 9, stream("counted ")))) == []
    assert rules.few_words(notebook(title, markdown(most + "more"))) == ["3,001 words, more than 3,000"]


def test_the_time_to_read_is_counted_in_words_and_in_cells_that_are_shown():
    words, shown, folded = markdown("word " * 2_000), [code("1")] * 20, [code("1", tags=["hide-cell"])] * 20
    assert rules.reading_minutes(notebook(words)) == 10
    assert rules.reading_minutes(notebook(words, *shown, *folded)) == 20


@pytest.mark.parametrize("path", chapter_files(ROOT), ids=lambda p: p.name)
def test_a_chapter_says_at_its_head_how_long_it_takes_to_read(path):
    """The number itself is one of the quoted ones, which `renumber` compares."""
    assert f"**Reading time** <!-- results:reading.{path.name[:2]} -->" in notebooks.load(path).cells[0].source


def test_the_built_book_is_served(tmp_path):
    said = queue.Queue()
    with pytest.raises(UserError, match="not built yet"):
        serve(0, said.put, tmp_path)
    built = tmp_path / "_build" / "html"
    built.mkdir(parents=True)
    (built / "index.html").write_text("a book")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(UserError, match="cannot be had"):
            serve(taken.getsockname()[1], said.put, tmp_path)
    with pytest.raises(UserError, match="cannot be had"):
        serve(70_000, said.put, tmp_path)
    threading.Thread(target=serve, args=(0, said.put, tmp_path), daemon=True).start()
    with urllib.request.urlopen(re.search(r"\((http://127.0.0.1:\d+/)\)", said.get(timeout=60))[1]) as reply:
        assert reply.read() == b"a book"
