"""A word taught to the emulated board in the live panel, in Chromium: what the board keeps is what the definition makes
of the same frames, and the board says the word afterwards."""

import numpy as np
import pytest
from support.scripts import CHROMIUM, QUIET

from tinyspeech import paths
from tinyspeech.board import taught
from tinyspeech.integer import listening, words
from tinyspeech.integer.network import IntegerModel
from tinyspeech.pages import widgets
from tinyspeech.sound import audio, takes

WATCH = """
  window.heard = { lines: [], frames: [], verdicts: [] };
  const root = document.getElementById("live-board");
  root.addEventListener("live-line", ({ detail }) => heard.lines.push(detail));
  root.addEventListener("live-frame", ({ detail }) => // behind the one of live_teach.js
    detail.coefficients && heard.frames.push([...detail.coefficients]));
  root.addEventListener("live-take", ({ detail }) => heard.verdicts.push([detail, heard.frames.length + 1]));
"""
PIECE = 8000
"""Of a sound at the board's rate, at a time."""
SETTLES = 5
"""Frames of live_teach.js from the first sound on that are not judged."""


@pytest.fixture
def page(tmp_path):
    """The panel alone, from a file, in a browser without a microphone."""
    if not CHROMIUM:
        pytest.skip("no Chromium is installed")
    from playwright.sync_api import sync_playwright

    (tmp_path / "panel.html").write_text(f"<!doctype html><meta charset='utf-8'>{widgets.live_page().data}",
                                         encoding="utf-8")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        page, page.wrong = browser.new_page(), []
        page.on("pageerror", lambda error: page.wrong.append(str(error)))
        page.goto((tmp_path / "panel.html").as_uri())
        page.wait_for_function("!document.querySelector('[data-part=teach-recordings]').disabled")
        page.evaluate(WATCH)
        page.locator("[data-part=teach] summary").click()
        yield page
        assert page.wrong == []
        browser.close()


def part(page, name):
    return page.locator(f"[data-part=teach-{name}]")


def said(page, *sounds: np.ndarray) -> None:
    """The board hears these, int16 at 8 kHz each, one behind the other, as fast as it goes."""
    wave = audio.resample(np.concatenate(sounds) / 32768, 8000, listening.ADC_HZ)
    for at in range(0, len(wave), PIECE):
        page.evaluate("(sound) => document.getElementById('live-board').live.sound(Float32Array.from(sound))",
                      wave[at : at + PIECE].tolist())


def recordings(word: str) -> list[np.ndarray]:
    return [audio.read(path)[0] for path in takes.files(word, "heart")]


def heard(page) -> dict:
    return page.evaluate("heard")


def defined(frames: list, name: str) -> tuple[list, bytes]:
    """Verdicts, each with the frames so far, and the page, of the definition that hears what the chip computed."""
    model = IntegerModel.load(paths.model_file(paths.SHIPPED, ".npz"))
    loud = np.flatnonzero(np.array(frames)[:, 0] > -128)
    teaching, found = words.Teaching(model, name), []
    for at in range(int(loud[SETTLES - 1]) + 1, len(frames) - 1, 2):
        if verdict := teaching.hear(np.array(frames[at : at + 2], np.int8)):
            found.append([verdict, at + 2])
        if teaching.done:
            return found, teaching.word().pack()
    pytest.fail(f"the definition wants more takes: {found}")


def test_five_recordings_make_the_word_of_the_definition_and_the_board_says_it(page):
    part(page, "recordings").click()
    page.wait_for_function("heard.lines.some((line) => line.startsWith('word lamp '))", timeout=60_000)
    got = heard(page)
    verdicts, want = defined(got["frames"], "lamp")
    assert got["verdicts"] == verdicts and verdicts[-1][0] == words.OK
    kept = page.evaluate("(place) => [...document.getElementById('live-board').live.board().board.read(...place)]",
                         [taught.PLACES, words.PAGE_BYTES])
    assert bytes(kept) == want
    assert part(page, "words").inner_text().split() == ["lamp", "forget", "it"]
    assert "Say it" in part(page, "status").inner_text()


def test_a_forgotten_word_is_not_said_any_more(page):
    part(page, "recordings").click()
    page.wait_for_function("heard.lines.some((line) => line.startsWith('word lamp '))", timeout=60_000)
    part(page, "words").get_by_role("button", name="forget lamp").click()
    page.wait_for_function("document.querySelector('[data-part=teach-status]').textContent.includes('forgotten')")
    page.evaluate("heard.lines.length = 0")
    said(page, *recordings("lamp")[6:9])
    assert part(page, "words").inner_text() == ""
    assert not [line for line in heard(page)["lines"] if line.startswith("word lamp ")]


def test_a_take_that_is_none_is_told_and_names_are_checked(page):
    page.evaluate("document.getElementById('live-board').live.play = () => {}")  # the sound comes from here
    part(page, "recordings").click()
    hiss = np.random.default_rng(1).normal(0, 40, 8000).astype(np.int16)
    lamp = recordings("lamp")
    said(page, hiss, lamp[0], recordings("garage")[0])
    assert [verdict for verdict, _ in heard(page)["verdicts"]] == ["ok", "unlike"]
    assert "Take 2 of 5" in part(page, "status").inner_text() and "unlike" in part(page, "status").inner_text()
    part(page, "stop").click()
    assert part(page, "status").inner_text() == "Nothing was taught." and not part(page, "stop").is_visible()
    part(page, "name").fill("the lamp")
    part(page, "voice").click()
    assert "A name has 1 to 8 letters" in part(page, "status").inner_text()
