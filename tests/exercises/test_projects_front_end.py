"""Scores of front ends, exactly; each kind of wrong submission told from the others; the judge cannot be changed."""

import numpy as np
import pytest
from support.submissions import submissions

from tinyspeech import paths
from tinyspeech.chip.native import Native
from tinyspeech.exercises.projects import front_end
from tinyspeech.integer import frontend
from tinyspeech.measure.stages import bench
from tinyspeech.sound.corpora import open_corpus

PAGE = submissions("project_front_end")
BASELINE = PAGE["baseline"]
NAMES = ("right, as recorded", "right, softer and in noise", "cycles a second", "code and tables", "RAM",
         "features a second")


def replaced(old: str, new: str, source: str = BASELINE) -> str:
    assert old in source
    return source.replace(old, new)


def bands(count: int, end: str = "}") -> str:
    """The page's tree of so many bands, ended otherwise."""
    return replaced("BANDS", str(count), PAGE["tree"]).rstrip().removesuffix("}") + end


def figures(score) -> tuple:
    return tuple(score[name] for name in NAMES) + (score.points,)


@pytest.mark.parametrize(("source", "features", "wanted"), [
    (BASELINE, 2, (164, 137, 211_600, 80, 0, 100, 299)), (PAGE["mine"], 2, (164, 137, 211_600, 80, 0, 100, 299)),
    (PAGE["pyramid"], 6, (209, 154, 300_200, 116, 8, 300, 360)),
    (bands(8), 8, (251, 216, 670_600, 176, 8, 400, 461)),
    (front_end.SHIPPED_SOURCE, 12, (286, 245, 6_242_950, 1952, 76, 600, 469))])
def test_scores(source, features, wanted):
    assert figures(front_end.score(source, features)) == wanted


CENTRED = """
    int32_t mean = 4;
    for (int i = 0; i < 8; i++) mean += features[i];
    for (int i = 0; i < 8; i++) features[i] = (int8_t)(features[i] - (mean >> 3));
"""


def test_what_the_page_says_of_directions_that_were_tried():
    ships = front_end.score(front_end.SHIPPED_SOURCE, 12)
    eight, sixteen = (front_end.score(bands(count), count) for count in (8, 16))
    assert sixteen.points > ships.points and all(sixteen[name] < ships[name] for name in NAMES[:2])
    without = front_end.score(bands(8, CENTRED + "}"), 8)
    with_mean = front_end.score(bands(8, CENTRED + "    features[8] = (int8_t)(mean >> 3);\n}"), 9)
    assert all(without[name] < eight[name] for name in NAMES[:2]) and with_mean[NAMES[1]] > eight[NAMES[1]]
    eighths = front_end.score(replaced("octave << 2 | (e >> 29 & 3)", "octave << 3 | (e >> 28 & 7)", PAGE["pyramid"]),
                              6)
    pyramid = front_end.score(PAGE["pyramid"], 6)
    lost = 1 - sum(eighths[name] for name in NAMES[:2]) / sum(pyramid[name] for name in NAMES[:2])
    assert 0.28 < lost < 0.38


def test_what_ships_gives_the_coefficients_of_the_library_and_nearly_its_cycles():
    """The slowest of all windows, not the mean of one clip's: not far above that."""
    windows = front_end.clips().windows[:40, ::9].reshape(-1, frontend.WINDOW)
    native = Native()
    given = front_end._computed(front_end.SHIPPED_SOURCE, 12, windows)
    assert (given == np.array([native.frame(window) for window in windows])).all()
    cycles = front_end.score(front_end.SHIPPED_SOURCE, 12)["cycles a second"]
    assert 1 <= cycles / bench()["front_end_cycles"] < 1.1


def test_voices_that_are_asked_about_are_not_fitted():
    corpus = open_corpus(paths.BUNDLED)
    voices = {split: {corpus.speaker(name) for word in front_end.WORDS for name in corpus.by_word()[word]
                      if corpus.split_of(name) == split} for split in front_end.EACH}
    assert not voices["training"] & (voices["validation"] | voices["testing"])
    heard = front_end.clips()
    asked = len(heard.labels) - heard.fitted
    assert heard.fitted == 1200 and asked == 2 * 420 and len(heard.windows) == len(heard.labels)
    first, second = (heard.windows[heard.fitted :][part] for part in (slice(420), slice(420, None)))
    assert (first != second).mean() > 0.9


def test_a_front_end_that_says_nothing_is_right_by_chance():
    score = front_end.score(replaced("log2_q2(energy)", "0", replaced("(int8_t)(crossings >> 1)", "0")), 2)
    assert score["right, as recorded"] == score["right, softer and in noise"] == 42


@pytest.mark.parametrize(("source", "features", "wrong", "hint"), [
    (replaced("energy = 0", "energy = none"), 2, "yours.c:", "compiler's first error"),
    (replaced("void front_end", "void end"), 2, "undefined symbol: front_end", "is called front_end"),
    (replaced("features[1]", "features[2]"), 2, "front_end writes to byte 2 of features", "one step too far"),
    (BASELINE, 3, "features[2] is not written for window 0", "as many as"),
    (BASELINE, 17, "17 features a frame", "each byte counts"), (BASELINE, 0, "0 features a frame", "each byte counts"),
    (replaced("crossings = 0;", "crossings = 0; static uint32_t n; energy = n++;"), 2, "front_end.n outlives a call",
     "A window is all"),
    (replaced("crossings = 0;", "crossings = 0; while (*(volatile int16_t *)window < 32767) {}"), 2,
     "has not returned after", "Does every loop end"),
    (replaced("crossings = 0;", "crossings = 0; window[256] = 1;"), 2, "byte 512 of window", "one step too far"),
    (replaced("crossings = 0;", "crossings = (uint32_t)(window[3] << (window[4] & 63));"), 2, "breaks a rule of C",
     "shift"),
    (replaced("crossings = 0;", "crossings = 0; volatile char x[1200]; x[window[3] & 7] = 1;"), 2, "takes 1,2",
     "Use the memory"),
    (replaced("crossings = 0;", "crossings = (uint32_t)(uintptr_t)window >> 4;"), 2, "on the chip and", "read before"),
])
def test_each_mistake_is_told_in_one_line_with_its_hint(source, features, wrong, hint):
    score = front_end.score(source, features)
    assert wrong in score.wrong and hint in score.hint and score.points == 0
    assert "\n" not in score.wrong and "/tmp" not in str(score)


def test_cycles_are_limited():
    slow = replaced("crossings = 0;", "crossings = 0; for (volatile int n = 0; n < 30000; n++) {}")
    assert front_end.score(slow, 2).wrong.startswith("cycles a second: ")


def test_a_submission_that_ends_the_process_ends_only_its_own():
    """On the chip it reads what is there; on this computer nothing is, for a window that the chip is not asked about."""
    rare = front_end.clips().windows.reshape(-1, frontend.WINDOW)[1]
    test = " && ".join(f"window[{i}] == {rare[i]}" for i in range(8))
    source = replaced("crossings = 0;", f"crossings = 0; if ({test}) energy = *(volatile uint32_t *)16;")
    assert "breaks a rule of C at window 1 of 57120" in front_end.score(source, 2).wrong


def test_the_perceptron_learns_what_can_be_told():
    rng = np.random.default_rng(1)
    labels = np.arange(200) % len(front_end.WORDS)
    x = rng.integers(-20, 21, (200, 30))
    x[np.arange(200), labels] += 100
    assert ((x @ front_end.perceptron(x, labels).T).argmax(1) == labels).mean() > 0.98
    shuffled = rng.permutation(labels)
    assert ((x[100:] @ front_end.perceptron(x[:100], shuffled[:100]).T).argmax(1) == shuffled[100:]).mean() < 0.3
