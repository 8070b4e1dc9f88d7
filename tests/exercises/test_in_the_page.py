"""The forms behind exercises: every example that they ask, answered rightly and by each known mistake, in Chromium."""

import json

import pytest
from support import scripts

from tinyspeech.exercises import in_the_page
from tinyspeech.exercises.in_the_page import BY_HAND, STUB, form, known, questions
from tinyspeech.exercises.trying import Exercise
from tinyspeech.paths import BOOK

ASKED = {name: asked for name, exercise in known().items() if (asked := questions(name, exercise))}
SCRIPT = BOOK / "style" / "exercises.js"


@pytest.fixture(scope="module")
def chapter(site):
    """A chapter with exercises, opened from its file."""
    sync_api = pytest.importorskip("playwright.sync_api")
    if not scripts.CHROMIUM:
        pytest.skip("Chromium is not installed")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=scripts.CHROMIUM, args=scripts.QUIET)
        page = browser.new_page()
        page.goto((site / "book" / "01_sound_and_data.html").as_uri())
        yield page
        browser.close()


def said(page, answers: list[tuple[str, dict]]) -> list:
    return page.evaluate("([answers, share]) => answers.map(([text, q]) => judgedByHand(text, q, share))",
                         [answers, BY_HAND])


def text(numbers: list) -> str:
    return ", ".join(map(str, numbers))


def test_most_exercises_can_be_tried_without_python():
    assert len(ASKED) > 0.6 * len(known())
    assert form(next(iter(ASKED))) and not any(form(name) for name in known() if name not in ASKED)


def test_what_is_right_is_right(chapter):
    answers = [(text(q["wanted"]), q) for asked in ASKED.values() for q in asked]
    assert said(chapter, answers) == [[True, f"{q['call']}: right."] for _, q in answers]


def test_each_mistake_hears_what_it_is(chapter):
    """Where two mistakes give the same on an example, the first is told."""
    answers = [(text(wrong), q, words) for asked in ASKED.values() for q in asked for wrong, words in q["mistakes"]]
    assert len(answers) > 200
    for [right, heard], (_, q, words) in zip(said(chapter, [a[:2] for a in answers]), answers, strict=True):
        others = [other for _, other in q["mistakes"]]
        assert not right and heard.removeprefix("Not so. Hint: ") in others[:others.index(words) + 1]


@pytest.mark.parametrize(("answer", "wanted", "heard"), [
    ("1,000", [1000], "f(): right."),
    ("1 000", [1000], "f(): right."),
    ("[0, 64, 128]", [0, 64, 128], "f(): right."),
    ("0 64 128", [0, 64, 128], "f(): right."),
    ("\u22121", [-1], "f(): right."),
    ("1/3", [0.3333], "f(): right."),
    ("0.333", [0.33333], "f(): right."),
    ("0.33", [0.33333], "Not so. Hint: h"),
    ("1001", [1000], "Not so. Hint: h"),
    ("7", [1000], "Not so. Hint: seven"),
    ("seven", [1000], "A number is asked for."),
    ("1e400", [1000], "A number is asked for."),
    ("1//2", [1000], "A number is asked for."),
    ("1, two", [1, 2], "2 numbers are asked for, with commas."),
    ("1, 2, 3", [1, 2], "2 numbers are asked for; these are 3."),
    ("", [1], "Hint: h"),
])
def test_what_people_type(chapter, answer, wanted, heard):
    question = {"call": "f()", "wanted": wanted, "hint": "h", "mistakes": [[[7], "seven"]]}
    assert said(chapter, [(answer, question)])[0][1] == heard


def test_a_reader_answers_and_goes_on(chapter):
    first, second = ASKED["folds_to"][:2]
    form = chapter.locator("form.by-hand").first
    assert form.locator("code").inner_text() == first["call"]
    form.locator("input").fill("7000")
    form.get_by_role("button", name="Check").click()
    assert "Hint: " in form.locator("output").inner_text()
    form.locator("input").fill(text(first["wanted"]))
    form.locator("input").press("Enter")
    assert form.locator("output").inner_text() == f"{first['call']}: right."
    form.get_by_role("button", name="Another one").click()
    assert form.locator("code").inner_text() == second["call"] and form.locator("output").inner_text() == ""


def test_every_stub_in_the_book_has_its_form_in_the_page(site):
    for path in BOOK.glob("[0-9]*.ipynb"):
        cells = json.loads(path.read_text("utf-8"))["cells"]
        stubs = [m[1] for cell in cells if (m := STUB.search("".join(cell["source"])))]
        page = (site / "book" / f"{path.stem}.html").read_text("utf-8")
        assert [name in ASKED for name in stubs].count(True) == page.count('class="by-hand"'), path.name


def test_long_arguments_and_long_or_odd_answers_are_not_asked():
    asked = questions("f", Exercise(
        examples=[((list(range(99)),), 1), ((1,), list(range(9))), ((1,), [[1]]), ((1,), float("nan")), ((1,), "one"),
                  ((1,), [[1], [1, 2]]), ((1,), []), ((2,), (3, 4))],
        hints=["no", "last"], mistakes={"fails": lambda x: 1 / 0, "right": lambda x: (3, 4), "sum": lambda x: 7}))
    assert asked == [{"call": "f(2)", "wanted": [3, 4], "mistakes": [[[7], "sum"]], "hint": "last"}]


def test_a_stub_is_told_from_a_solution():
    stub = "def f(x):\n    ...\n\ncheck(f)"
    assert STUB.search(stub)[1] == "f"
    assert not STUB.search(stub.replace("...", "return x")) and not STUB.search(stub.replace("check(f)", "check(g)"))
    assert in_the_page.form("folds_to").count("<input") == 1
