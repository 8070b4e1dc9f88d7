"""The panel in which a reader speaks to the emulated chip, in Chromium: a page from a file, a microphone that plays a
recording, or none, refused, held back, in the background, by keyboard, on a phone."""

import functools
import http.server
import io
import re
import threading
from itertools import pairwise

import numpy as np
import pytest
import soundfile
from support.panels import natively
from support.scripts import CHROMIUM, QUIET

from tinyspeech import CLASSES, paths
from tinyspeech.board.protocol import Command
from tinyspeech.integer import decision, frontend
from tinyspeech.integer.network import IntegerModel
from tinyspeech.pages import widgets
from tinyspeech.pages.widgets import live
from tinyspeech.sound import audio

SAID = ("yes", "up", "left", "on", "right")
"""In the microphone's file, in this order, again and again."""
PAUSE_S, SILENCE_S = 1.5, 2.0
"""Before each word, and at the end of the file: there it begins anew."""
LISTEN = """
  window.heard = { lines: [], frames: [], volts: [] };
  const root = document.getElementById("live-board"), volts = window.microphoneVolts;
  window.microphoneVolts = (samples, gain) => {
    const wave = volts(samples, gain);
    heard.volts.push(wave);
    return wave;
  };
  root.addEventListener("live-line", ({ detail }) => heard.lines.push([detail, root.live.board().frames()]));
  root.addEventListener("live-frame", ({ detail }) =>
    heard.frames.push([detail.frame, detail.coefficients && detail.coefficients[0]]));
"""
LIVE = "document.getElementById('live-board').live"
WORDS = "heard.lines.filter(([line]) => line.startsWith('word '))"
MARKS = "[...document.querySelectorAll('.live-sum > :nth-child(2)')]"
SUMS = 320_000
"""At the end of a bar's track, as in live_view.js."""
LOUD = -40
"""Of the first coefficient, the loudness: above it somebody speaks; silence is at -128."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A page with nothing but the panel, and the sound that microphones play."""
    folder = tmp_path_factory.mktemp("panel")
    page = widgets.live_page().data
    (folder / "panel.html").write_text(
        "<!doctype html><html lang='en'><head><meta charset='utf-8'><title>The panel</title>"
        "<link rel='icon' href='data:,'><meta name='viewport' content='width=device-width, initial-scale=1'></head>"
        f"<body>{page}</body></html>")
    clips = live.clips()
    parts = []
    for word in SAID:
        samples, _ = soundfile.read(io.BytesIO(clips[word]), dtype="int16")
        parts += [np.zeros(round(PAUSE_S * audio.SAMPLE_RATE_HZ)), samples]
    row = np.concatenate([*parts, np.zeros(round(SILENCE_S * audio.SAMPLE_RATE_HZ))]) / 32768
    audio.write(folder / "said.wav", 0.5 * audio.resample(row, audio.SAMPLE_RATE_HZ, 48_000), 48_000)
    return folder


@pytest.fixture(scope="module")
def playwright():
    if not CHROMIUM:
        pytest.skip("no Chromium is installed")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="module")
def speaking(playwright, folder):
    """A browser whose microphone plays the file, and is always allowed."""
    browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[
        *QUIET, "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream",
        f"--use-file-for-fake-audio-capture={folder / 'said.wav'}"])
    yield browser
    browser.close()


@pytest.fixture(scope="module")
def mute(playwright):
    """A browser that never gets a microphone: whoever is asked says no."""
    browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[
        *QUIET, "--use-fake-device-for-media-stream", "--deny-permission-prompts"])
    yield browser
    browser.close()


@pytest.fixture
def opened(folder):
    """A function that opens the panel and returns it with all that went wrong on it."""
    contexts = []

    def open_(browser, before="", address=None, **looks):
        contexts.append(browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **looks}))
        page, wrong = contexts[-1].new_page(), []
        address = address or (folder / "panel.html").as_uri()
        page.on("request", lambda r: r.url.startswith((address, "data:", "blob:")) or wrong.append(f"asks {r.url}"))
        page.on("console", lambda m: m.type == "error" and wrong.append(m.text))
        page.on("pageerror", lambda e: wrong.append(str(e)))
        page.add_init_script(before)
        page.goto(address)
        page.wait_for_function("!document.querySelector('[data-part=microphone]').disabled")
        page.evaluate(LISTEN)
        return page, wrong

    yield open_
    for context in contexts:
        context.close()


def part(page, name):
    return page.locator(f"[data-part={name}]")


def wait_for_frames(page, more: int) -> int:
    """Until the chip has heard so many frames more: how many they are then."""
    before = page.evaluate("heard.frames.length")
    page.wait_for_function(f"heard.frames.length >= {before + more}", timeout=60_000)
    return page.evaluate("heard.frames.length")


def wait_for_status(page, text: str) -> str:
    said = "document.querySelector('[data-part=status]').textContent"
    return page.wait_for_function(f"(text) => {said}.includes(text) && {said}", arg=text).json_value()


def reported(page, count: int) -> list[str]:
    """The first words that it said, when there are so many."""
    page.wait_for_function(f"{WORDS}.length >= {count}", timeout=90_000)
    return [line.split()[1] for line, _ in page.evaluate(WORDS)][:count]


def at_rate(rate_hz: int) -> str:
    return f"""const Context = window.AudioContext;
      window.AudioContext = class extends Context {{ constructor() {{ super({{ sampleRate: {rate_hz} }}); }} }};"""


# ---------------------------------------------------------------- with a microphone


@pytest.mark.parametrize("rate_hz", [44_100, 48_000])
def test_words_appear_in_order_and_at_once(speaking, opened, rate_hz):
    """The file may be anywhere when the page begins to hear it; from there on its words come one after the other, each
    within a second of the chip's time after somebody spoke. (One in a round may be missed: where the chip's frames fall
    on it is chance here.) And what it says is what the virtual board says of the same samples."""
    page, wrong = opened(speaking, at_rate(rate_hz))
    part(page, "microphone").click()
    words = reported(page, len(SAID) + 2)
    assert page.evaluate(f"{LIVE}.microphone().rate") == rate_hz
    steps = [(SAID.index(word) - SAID.index(before)) % len(SAID) for before, word in pairwise(words)]
    held_up = page.evaluate(f"{LIVE}.microphone().dropped > 0")  # a computer that does much else besides
    assert held_up or (set(steps) <= {1, 2} and steps.count(2) <= 2), words
    part(page, "microphone").click()
    wait_for_status(page, "Press the button")
    lines, parts = page.evaluate("[heard.lines.map(([line]) => line), heard.volts.map((wave) => [...wave])]")
    by_board = natively(np.concatenate(parts).astype(np.uint16), Command.MICROPHONE).decode().splitlines()
    assert by_board[: len(lines)] == lines and len(by_board) <= len(lines) + 1

    loud = [frame for frame, loudness in page.evaluate("heard.frames") if loudness is not None and loudness > LOUD]
    for _, frame in page.evaluate(WORDS):
        assert any(0 <= frame - heard <= 50 for heard in loud), f"nobody spoke before frame {frame}"
    assert part(page, "words").locator("li b").all_inner_texts() == page.evaluate(
        f"{WORDS}.slice(-5).reverse().map(([line]) => line.split(' ')[1])")
    assert part(page, "word").inner_text() == page.evaluate(f"{WORDS}.at(-1)[0].split(' ')[1]")
    assert re.search(rf"{words[-1]}, at \d+\.\d\d seconds", part(page, "said").text_content())
    assert wrong == []


def test_the_chip_is_described_while_it_listens(speaking, opened):
    page, wrong = opened(speaking)
    part(page, "microphone").click()
    reported(page, 1)
    page.wait_for_function("document.querySelector('[data-part=asleep]').textContent.includes('%')")
    busy = float(re.match(r"([\d.]+) of 24 million at work", part(page, "cycles").inner_text())[1])
    asleep = int(part(page, "asleep").inner_text().split(" ")[0])
    assert 8 < busy < 14 and abs(100 - asleep - 100 * busy / 24) < 3
    assert part(page, "firmware").inner_text().startswith("tinyspeech_s ")
    assert re.match(r"[\d.,]+ times", part(page, "speed").inner_text())
    for name, least in (("spectrum", 20), ("coefficients", 20), ("weights", 3)):
        colours = page.evaluate("""(name) => {
          const canvas = document.querySelector(`[data-part=${name}]`), seen = new Set();
          const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
          for (let i = 0; i < data.length; i += 4) seen.add(`${data.slice(i, i + 3)}`);
          return seen.size;
        }""", name)
        assert colours > least, name
    assert wrong == []


def test_the_light_goes_on_with_a_word_and_off_again(speaking, opened):
    page, _ = opened(speaking)
    lit = "document.querySelector('[data-part=board]').classList.contains('live-lit')"
    colour = "getComputedStyle(document.querySelector('.live-light')).fill"
    dark = page.evaluate(colour)
    assert not page.evaluate(lit)
    part(page, "microphone").click()
    assert page.wait_for_function(f"{lit} && {colour}", timeout=60_000).json_value() != dark
    page.wait_for_function(f"!{lit}", timeout=60_000)
    assert page.evaluate(WORDS)


def test_it_stops_and_listens_again(speaking, opened):
    page, wrong = opened(speaking)
    button = part(page, "microphone")
    button.click()
    wait_for_status(page, "It listens")
    assert button.get_attribute("aria-pressed") == "true" and button.inner_text() == "Stop listening"
    wait_for_frames(page, 20)
    page.evaluate(f"() => {{ window.context = {LIVE}.source().opened.context; }}")
    button.click()
    assert wait_for_status(page, "Press the button") and button.get_attribute("aria-pressed") == "false"
    page.wait_for_function("context.state === 'closed'")  # the browser's own sign that it records is gone
    button.click()
    wait_for_status(page, "It listens")
    wait_for_frames(page, 20)
    assert wrong == []


def test_held_back_sound_goes_on_when_the_button_is_pressed(speaking, opened):
    page, wrong = opened(speaking)
    part(page, "microphone").click()
    wait_for_frames(page, 10)
    page.evaluate(f"{LIVE}.source().opened.context.suspend()")
    wait_for_status(page, "holds the sound back (the audio is suspended)")
    assert part(page, "microphone").inner_text() == "Go on"
    part(page, "microphone").click()
    wait_for_status(page, "It listens")
    wait_for_frames(page, 20)
    assert wrong == []


def test_in_the_background_it_listens_on_and_says_so(speaking, opened):
    page, _ = opened(speaking)
    part(page, "microphone").click()
    wait_for_frames(page, 10)
    hide = """(hidden) => {
      Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
      document.dispatchEvent(new Event("visibilitychange"));
    }"""
    page.evaluate(hide, True)
    wait_for_frames(page, 60)
    page.evaluate(hide, False)
    assert re.search(r"listened on, for \d\.\d s; nothing was lost|gave it \d+\.\d s of \d+\.\d s",
                     wait_for_status(page, "While you were away"))


def test_sound_that_the_page_was_too_late_for_is_left_out_and_counted(speaking, opened):
    """The page stands still for longer than it may be late: what came meanwhile is not heard later, and it says so."""
    page, _ = opened(speaking)
    part(page, "microphone").click()
    wait_for_frames(page, 20)
    page.evaluate("() => { const until = performance.now() + 4000; while (performance.now() < until); }")
    wait_for_status(page, "left out")
    page.wait_for_function(f"{LIVE}.microphone().late < 1.5")
    assert re.fullmatch(r"\d+ blocks, \d\.\d\d s", part(page, "dropped").inner_text())
    assert page.evaluate(f"{LIVE}.board().board.value('gaps')") == 0


def test_a_slow_computer_is_told(speaking, opened):
    """Each second of the chip's time takes two of this computer's: half of the sound is left out, no word is late."""
    page, _ = opened(speaking)
    page.evaluate(f"""() => {{
      const {{ board }} = {LIVE}.board(), {{ advance }} = board;
      board.advance = (seconds) => {{
        const until = performance.now() + 2000 * seconds, stop = advance(seconds);
        while (performance.now() < until);
        return stop;
      }};
    }}""")
    part(page, "microphone").click()
    said = wait_for_status(page, "emulates the chip")
    assert re.search(r"only 0\.\d times as fast as it is: sound is left out", said)
    page.wait_for_function(f"{LIVE}.microphone().late < 1.5")
    assert "blocks" in part(page, "dropped").inner_text()


def test_what_it_heard_can_be_played_saved_and_classified(speaking, opened, tmp_path):
    page, wrong = opened(speaking)
    part(page, "microphone").click()
    (word,) = reported(page, 1)
    part(page, "words").locator("button").first.click()
    part(page, "answers").locator("p").nth(1).wait_for()
    assert part(page, "answers").inner_text().startswith(f"the chip: {word} (")
    page.wait_for_function("Math.abs(document.querySelector('[data-part=play]').duration - 2) < 0.01")
    with page.expect_download() as download:
        part(page, "save").click()
    download.value.save_as(tmp_path / "heard.wav")
    samples, rate_hz = audio.read(tmp_path / "heard.wav")
    assert rate_hz == audio.SAMPLE_RATE_HZ and len(samples) == 2 * rate_hz and samples.dtype == np.int16
    assert np.abs(samples).max() > 3_000
    part(page, "keep").click()  # of now
    part(page, "answers").locator("p").nth(1).wait_for()
    assert wrong == []


# ---------------------------------------------------------------- without one


def test_refused_it_says_so_and_the_clips_still_work(mute, opened):
    page, wrong = opened(mute)
    part(page, "microphone").click()
    assert "allow it for this page" in wait_for_status(page, "The microphone was refused")
    assert part(page, "microphone").get_attribute("aria-pressed") == "false"
    page.get_by_role("button", name="yes", exact=True).click()
    assert reported(page, 1) == ["yes"]
    assert wrong == []


@pytest.mark.parametrize(("name", "says"), [
    ("NotFoundError", "No microphone was found"), ("NotReadableError", "another program may hold it"),
    ("TypeError", "cannot be had (so it is)"),
])
def test_a_browser_without_a_microphone_says_why(mute, opened, name, says):
    page, wrong = opened(mute, f"""navigator.mediaDevices.getUserMedia =
      async () => {{ throw Object.assign(new Error("so it is"), {{ name: "{name}" }}); }};""")
    part(page, "microphone").click()
    assert "a file of yours work without it" in wait_for_status(page, says)
    assert wrong == []


def test_over_plain_http_from_another_computer_it_says_what_to_do(playwright, opened, folder):
    """There navigator.mediaDevices is undefined; from this computer's own address it is not."""

    class Silent(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Silent, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[
        *QUIET, "--host-resolver-rules=MAP elsewhere.example 127.0.0.1", "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream", f"--use-file-for-fake-audio-capture={folder / 'said.wav'}"])
    try:
        page, wrong = opened(browser, address=f"http://elsewhere.example:{server.server_port}/panel.html")
        assert "over https" in wait_for_status(page, "plain http from another computer")
        part(page, "microphone").click()
        wait_for_status(page, "plain http from another computer")
        page.get_by_role("button", name="go", exact=True).click()
        assert reported(page, 1) == ["go"] and wrong == []
        page, wrong = opened(browser, address=f"http://127.0.0.1:{server.server_port}/panel.html")
        part(page, "microphone").click()
        wait_for_status(page, "It listens")
        wait_for_frames(page, 20)
        assert wrong == []
    finally:
        browser.close()
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("word", ["stop", "down"])
def test_a_clip_is_heard_as_its_word(mute, opened, word):
    page, wrong = opened(mute)
    page.get_by_role("button", name=word, exact=True).click()
    assert reported(page, 1) == [word]
    wait_for_status(page, "Press the button")  # it is over
    assert wrong == []


@pytest.mark.parametrize("sensitivity", ["normal", "high"])
def test_a_doubtful_word_s_mark_is_farther(mute, opened, sensitivity):
    """Beside the second highest sum stands, for each class, by how much its own must lead: *up*'s by a third more."""
    page, wrong = opened(mute)
    page.get_by_text("How sure it has to be").click()
    page.get_by_label(sensitivity, exact=True).check()
    page.wait_for_function(f"{LIVE}.board().settings().sensitivity === {sensitivity!r}")
    page.get_by_role("button", name="stop", exact=True).click()
    wait_for_frames(page, 10)
    marks = page.evaluate(f"{MARKS}.map((mark) => parseFloat(mark.style.left))")
    usual = marks[CLASSES.index("stop")]
    leads = decision.least_leads(IntegerModel.load(paths.model_file(paths.SHIPPED, ".npz")), sensitivity)
    least, more = (leads[CLASSES.index(word)] for word in ("stop", "up"))
    assert marks == pytest.approx([usual + 50 * (more - least) / SUMS * (name == "up") for name in CLASSES], abs=1e-3)
    assert more > 1.3 * least and 50 < usual < 100
    assert wrong == []


def test_a_file_of_the_reader_is_heard_as_fast_as_it_goes(mute, opened, folder):
    page, wrong = opened(mute)
    part(page, "fast").check()
    part(page, "file").set_input_files(folder / "said.wav")
    assert reported(page, len(SAID)) == list(SAID)
    wait_for_status(page, "Press the button")
    seconds = len(audio.read(folder / "said.wav")[0]) / 48_000
    frames = page.evaluate("heard.frames.length")
    assert frames >= (seconds * frontend.SAMPLE_RATE_HZ - frontend.WINDOW) // frontend.HOP - 2
    assert wrong == []


def test_channels_of_a_file_are_averaged(mute, opened, tmp_path):
    page, _ = opened(mute)
    sound = np.random.default_rng(0).uniform(-0.4, 0.4, (640, 2))
    soundfile.write(tmp_path / "stereo.wav", sound, 32_000, subtype="FLOAT")
    mixed = page.evaluate("async (bytes) => [...await soundOfFile(Uint8Array.from(bytes).buffer, 32000)]",
                          [*(tmp_path / "stereo.wav").read_bytes()])
    np.testing.assert_allclose(mixed, sound.mean(axis=1), atol=1e-6)


def test_a_file_that_is_no_sound_is_one_line(mute, opened, tmp_path):
    page, wrong = opened(mute)
    (tmp_path / "letter.txt").write_text("Dear reader")
    part(page, "file").set_input_files(tmp_path / "letter.txt")
    assert "try a wav, mp3 or flac file" in wait_for_status(page, "cannot read that as sound")
    page.get_by_role("button", name="yes", exact=True).click()
    assert reported(page, 1) == ["yes"] and wrong == []


# ---------------------------------------------------------------- in the book


@pytest.mark.parametrize("name", ["intro", "10_streaming"])
def test_the_book_has_it(site, mute, name):
    """On the front page, and where streaming is taught: served as `make book` serves it, with nothing from outside."""

    class Silent(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    file = site / "book" / f"{name}.html"
    assert file.stat().st_size < 1_500_000
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Silent, directory=site))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address, context = f"http://127.0.0.1:{server.server_port}/", mute.new_context()
    try:
        page, wrong = context.new_page(), []
        page.on("request", lambda r: r.url.startswith((address, "data:", "blob:")) or wrong.append(f"asks {r.url}"))
        page.on("console", lambda m: m.type == "error" and wrong.append(m.text))
        page.on("pageerror", lambda e: wrong.append(str(e)))
        page.goto(f"{address}book/{name}.html")
        page.evaluate(f"() => {{ {LISTEN} }}")
        page.locator("#live-board").get_by_role("button", name="yes", exact=True).click()
        assert reported(page, 1) == ["yes"] and wrong == []
        top = page.locator("#live-board").bounding_box()["y"] + page.evaluate("scrollY")
        assert name != "intro" or top < 720  # where a reader begins
    finally:
        context.close()
        server.shutdown()
        server.server_close()


# ---------------------------------------------------------------- hands and eyes


def test_settings_are_kept_by_the_board_and_shown(mute, opened):
    page, wrong = opened(mute)
    page.get_by_text("How sure it has to be").click()
    page.get_by_label("high", exact=True).check()
    page.wait_for_function(f"{LIVE}.board().settings().sensitivity === 'high'")
    part(page, "first").select_option("yes")
    page.wait_for_function(f"{LIVE}.board().settings().first === 'yes'")
    assert page.evaluate(f"{LIVE}.board().settings().sensitivity") == "high"
    wait_for_status(page, "say yes first: then one word counts, for 3 seconds")
    for word, heard in (("no", []), ("yes", ["yes"])):  # armed: only the first word counts until it has been said
        page.get_by_role("button", name=word, exact=True).click()
        wait_for_status(page, "The chip hears it")
        wait_for_status(page, "Press the button")
        assert [line.split()[1] for line, _ in page.evaluate(WORDS)] == heard
    assert wrong == []


def test_everything_is_done_by_keyboard(mute, opened):
    page, wrong = opened(mute)
    names, focus = [], "(document.activeElement.innerText || document.activeElement.type || '').trim()"
    for _ in range(30):
        page.keyboard.press("Tab")
        names.append(page.evaluate(focus))
        if page.evaluate("document.activeElement === document.body"):
            break  # once round
        ring = page.evaluate("""(() => {
          const here = document.activeElement, seen = here.type === "file" ? here.parentElement : here;
          return getComputedStyle(seen).outlineStyle;
        })()""")
        assert ring != "none", names[-1]
    wanted = ["Speak to the chip", *SAID, "file", "checkbox", "How sure it has to be, and when it listens",
              "What did it hear?"]
    assert [name for name in wanted if name not in names] == []
    button = page.get_by_role("button", name="left", exact=True)
    button.focus()
    page.keyboard.press("Enter")
    assert reported(page, 1) == ["left"]
    assert wrong == []


def test_who_cannot_see_is_told(mute, opened):
    page, _ = opened(mute)
    assert part(page, "said").get_attribute("aria-live") == "assertive"
    assert part(page, "status").get_attribute("role") == "status"
    unnamed = page.evaluate("""(() => {
      const all = document.querySelectorAll("#live-board :is(button, input, select, canvas, audio, progress)");
      const name = (one) => one.getAttribute("aria-label") || one.textContent ||
        [...(one.labels || [])].map((label) => label.textContent).join("");
      return [...all].filter((one) => !name(one).trim()).map((one) => one.outerHTML);
    })()""")
    assert unnamed == []
    assert "Nothing leaves this page" in page.locator("#live-board").inner_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 390, 1280])
def test_it_fits_the_screen(mute, opened, width, scheme):
    page, wrong = opened(mute, viewport={"width": width, "height": 844}, color_scheme=scheme)
    for summary in page.locator("#live-board summary").all():
        summary.click()
    page.get_by_role("button", name="The last two seconds").click()
    part(page, "answers").locator("p").nth(1).wait_for()
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
    paper = page.evaluate("getComputedStyle(document.getElementById('live-board')).backgroundColor")
    assert paper == "rgb(251, 250, 247)"  # light paper in either mode, as all widgets
    assert wrong == []


def test_little_moves_for_who_wants_it_still(mute, opened):
    """The picture then stands and is drawn twice a second, in place of flowing with each frame."""
    page, _ = opened(mute, reduced_motion="reduce")
    page.evaluate("""() => {
      window.drawn = 0;
      const { picture } = document.getElementById("live-board").live.view, { draw } = picture;
      picture.draw = () => { drawn++; draw(); };
    }""")
    part(page, "fast").check()
    page.get_by_role("button", name="yes", exact=True).click()
    assert reported(page, 1) == ["yes"]
    assert 5 * page.evaluate("drawn") < page.evaluate("heard.frames.length")


def test_another_engine_can_be_asked(mute, opened):
    page, wrong = opened(mute)
    page.evaluate("""document.getElementById("live-board").live.classifiers.push(
      { name: "a test", classify: async (clip) => Array.from({ length: 12 }, (_, c) => c === 3 ? clip.length : 0) })""")
    page.get_by_text("What did it hear?").click()
    part(page, "keep").click()
    page.wait_for_function("document.querySelectorAll('[data-part=answers] p').length === 3")
    assert "a test: no (no 100.0 %" in part(page, "answers").inner_text() and wrong == []
