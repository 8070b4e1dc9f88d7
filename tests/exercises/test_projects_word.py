"""Project "your own word": exact scores of the bundled takes on the virtual board, and each way to be wrong."""

import numpy as np
import pytest

from tinyspeech import paths
from tinyspeech.errors import UserError
from tinyspeech.exercises.projects import word
from tinyspeech.integer import words
from tinyspeech.integer.network import IntegerModel
from tinyspeech.sound import audio, takes
from tinyspeech.sound.mulaw import mulaw_decode, mulaw_encode

LAMP = takes.files("lamp", "heart")
SOUNDS = [audio.read(file)[0] for file in LAMP]
NAMES = ("takes that teach", "heard, clean", "heard, in noise", "false reports, clean", "false reports, in noise",
         "false reports, in talk")


def defined(sounds, one):
    """`word.reports` by the definition."""
    model = IntegerModel.load(paths.model_file(paths.SHIPPED, ".npz"))
    return [[words.report_frame(frame) for frame, _ in
             words.heard(model, mulaw_decode(mulaw_encode(words.with_silence(sound))), [one])] for sound in sounds]


@pytest.fixture
def quickly(monkeypatch):
    monkeypatch.setattr(word, "reports", defined)


def folder_of(path, sounds):
    for i, sound in enumerate(sounds):
        (path / f"take_{i:02}.wav").write_bytes(audio.as_wav(sound, 8000))
    return path


@pytest.mark.parametrize(("settings", "figures", "points"), [
    ({"teach": (1,)}, (1, 5, 4, 2, 0, 0), 500), ({"threshold": 50}, (5, 5, 3, 0, 0, 0), 800)])
def test_scores_on_the_board(settings, figures, points):
    score = word.score(LAMP, "lamp", **settings)
    assert score.passed and score.points == points and tuple(score[name] for name in NAMES) == figures


@pytest.mark.parametrize(("settings", "figures", "points"), [
    ({"teach": (1,)}, (1, 5, 4, 2, 0, 0), 500), ({"threshold": 50}, (5, 5, 3, 0, 0, 0), 800),
    ({}, (5, 5, 3, 3, 0, 0), 200)])
def test_the_definition_gives_the_same(quickly, settings, figures, points):
    score = word.score(LAMP, "lamp", **settings)
    assert score.points == points and tuple(score[name] for name in NAMES) == figures


def test_a_folder_is_its_files_in_the_order_of_their_names(quickly, tmp_path):
    assert str(word.score(folder_of(tmp_path, SOUNDS), "lamp")) == str(word.score(LAMP, "lamp"))


def test_what_is_mistaken_is_named(quickly):
    assert word.mistaken(LAMP, "lamp") == {"clean": ["left", "garage", "garage"], "in noise": [], "in talk": []}
    with pytest.raises(UserError, match="threshold of 300: a byte holds"):
        word.mistaken(LAMP, "lamp", threshold=300)


def test_a_threshold_that_lets_everything_in_is_worth_nothing(quickly):
    score = word.score(LAMP, "lamp", threshold=200)
    assert score.points == 0 and score.passed and score["false reports, in talk"] > 0


def test_the_board_keeps_what_was_taught():
    model = IntegerModel.load(paths.model_file(paths.SHIPPED, ".npz"))
    taught = word._taught(model, "tea", LAMP, SOUNDS, (1, 2), 80)
    assert word.on_a_board(taught).pack() == taught.pack()


# ---------------------------------------------------------------- what is wrong


def test_folders_that_hold_no_takes(tmp_path):
    assert "does not exist" in word.score(tmp_path / "none", "tea").wrong
    assert "holds no recordings" in word.score(tmp_path, "tea").wrong
    assert word.score(LAMP[:5], "lamp").wrong.startswith("5 takes: the last 5 are played")
    (tmp_path / "take.wav").write_bytes(b"RIFF")
    assert "take.wav" in word.score([*LAMP, tmp_path / "take.wav"], "lamp").wrong


LOUD = np.clip(12 * SOUNDS[1].astype(int), -32768, 32767).astype(np.int16)


@pytest.mark.parametrize(("bad", "wrong", "hint"), [
    (SOUNDS[0][4600:], "take_01.wav: the take is cut", "Half a second of quiet"),
    (SOUNDS[0][:3000], "take_01.wav: the take is empty", "closer to the microphone"),
    (LOUD, "take_01.wav: the take is clipped", "more softly"),
    (np.concatenate([np.zeros(4000, np.int16), np.tile(SOUNDS[0][4000:8000], 5), np.zeros(4000, np.int16)]),
     "take_01.wav: the take is too long", "a pause of 0.28 s"),
    (np.zeros(8000, np.int16), "take_01.wav holds silence", "which microphone"),
    (np.tile(SOUNDS[0], 3), "take_01.wav lasts 4.5 s", "holds the word once")])
def test_a_bad_take_is_told(tmp_path, bad, wrong, hint):
    score = word.score(folder_of(tmp_path, [SOUNDS[0], bad, *SOUNDS[2:]]), "lamp")
    assert score.points == 0 and score.wrong.startswith(wrong) and hint in score.hint


def test_another_word_among_the_takes_is_told(tmp_path):
    coffee = audio.read(takes.files("coffee", "heart")[0])[0]
    score = word.score(folder_of(tmp_path, [*SOUNDS[:3], coffee, *SOUNDS[3:]]), "lamp", teach=(2, 1, 3, 4, 5))
    assert score.wrong.startswith("take_03.wav: the take is unlike the others") and "leave it out" in score.hint


def test_bad_takes_are_of_no_account_where_they_do_not_teach(quickly, tmp_path):
    folder = folder_of(tmp_path, [SOUNDS[0], SOUNDS[0][4600:], *SOUNDS[2:]])
    assert word.score(folder, "lamp", teach=(1, 3, 4, 5)).passed


@pytest.mark.parametrize("teach", [(), (0,), (6,), (1, 1)])
def test_takes_that_may_not_teach(teach):
    score = word.score(LAMP, "lamp", teach)
    assert "cannot teach: there are 1 to 5" in score.wrong and "The last 5 files are played" in score.hint


def test_names_and_thresholds_that_no_board_keeps():
    assert "a byte holds 0 to 255" in word.score(LAMP, "lamp", threshold=-1).wrong
    assert "a word's name is" in word.score(LAMP, "much too long").wrong


# ---------------------------------------------------------------- what judges it


def test_the_words_own_clips_are_not_among_the_others():
    for name in ("garage", "left"):
        assert name in [other for other, _ in word.other_words("lamp")]
        assert name not in [other for other, _ in word.other_words(name)]


def test_each_report_is_about_one_sound():
    row = word.Row(np.zeros(0, np.int16), ((word.SAID, 50, 100), ("left", 100, 150), (word.SAID, 150, 200)))
    assert row.about([60, 90, 120, 180, 210]) == [word.SAID, word.AGAIN, "left", word.SAID, word.AGAIN]


def test_the_noise_has_a_quarter_of_the_takes_power():
    said = SOUNDS[5:]
    row = word.in_a_row(said, word.other_words("lamp"))
    added = word.in_noise(row, said).sound.astype(float) - row.sound
    power = np.mean(np.concatenate(said).astype(float) ** 2)
    assert power / np.mean(added**2) == pytest.approx(word.SNR, rel=0.05)


def test_the_hiss_is_as_loud_as_the_loudest_room():
    quiet, loud = (np.concatenate([np.full(4000, level, np.int16), np.full(4000, 5000, np.int16)]) for level in (3, 40))
    assert (word.room(quiet), word.room(loud), word.room(np.zeros(8000, np.int16))) == (9, 1600, 0)
    row = word.in_a_row([quiet, loud], [])
    assert row.sound[:4000].std() == pytest.approx(40, rel=0.05)
