"""`teach` and `classify --words`: a word of one's own from recordings, and one line for those that are none."""

import json

import numpy as np
import pytest

from tinyspeech.integer import words
from tinyspeech.paths import BUNDLED
from tinyspeech.sound import audio


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """{name: file}: *marvin* three times as loud as three people would say it, another word, and what is no take."""
    folder, dice, files = tmp_path_factory.mktemp("takes"), np.random.default_rng(0), {}

    def write(name: str, sound: np.ndarray) -> None:
        files[name] = folder / f"{name}.wav"
        audio.write(files[name], np.clip(np.rint(np.pad(sound, 8000) + dice.normal(0, 3, len(sound) + 16_000)),
                                         -32768, 32767).astype(np.int16))

    marvin, happy = (audio.load_clip(sorted(BUNDLED.glob(f"{word}/*.flac"))[0]) for word in ("marvin", "happy"))
    for i, gain in enumerate((1, 0.7, 0.5, 0.4)):
        write(f"take{i}", gain * marvin)
    write("other", happy)
    write("silence", np.zeros(16_000))
    write("clipped", 60.0 * marvin)
    return files


@pytest.fixture
def lamp(run, recorded, tmp_path):
    """A file of the word, taught on the command line."""
    out = tmp_path / "lamp.npz"
    run("teach", "--word", "lamp", "--wav", *(recorded[f"take{i}"] for i in range(3)), "--out", out)
    return out


def test_a_word_is_taught_and_heard(run, recorded, lamp):
    result = json.loads(run("classify", recorded["take3"], "--words", lamp, "--engine", "int", "--json"))
    assert (result["word"], result["taught"], result["engine"]) == ("lamp", "lamp", "int")
    without = json.loads(run("classify", recorded["take3"], "--engine", "int", "--json"))
    assert without["word"] != "lamp" and "taught" not in without and without["logits"] == result["logits"]


def test_another_word_is_the_networks(run, recorded, lamp):
    result = json.loads(run("classify", recorded["other"], "--words", lamp, "--engine", "int", "--json"))
    without = json.loads(run("classify", recorded["other"], "--engine", "int", "--json"))
    assert result["taught"] is None and result["word"] == without["word"]


def test_of_several_files_the_closest_word(run, recorded, lamp, tmp_path):
    happy = tmp_path / "happy.npz"
    run("teach", "--word", "happy", "--wav", recorded["other"], "--out", happy)
    for name, word in (("take3", "lamp"), ("other", "happy")):
        assert run("classify", recorded[name], "--words", happy, lamp, "--engine", "int").startswith(f"{word}\n")


def test_what_teach_prints(run, recorded, tmp_path):
    result = json.loads(run("teach", "--word", "lamp", "--wav", recorded["take0"], recorded["take1"], "--out",
                            tmp_path / "x", "--json"))
    assert (result["word"], result["takes"], result["bytes"]) == ("lamp", 2, words.PAGE_BYTES)
    assert all(200 < long < 1200 for long in result["milliseconds"])
    assert all(far < words.UNLIKE for far in result["distances"])
    text = run("teach", "--word", "lamp", "--wav", recorded["take0"], "--out", tmp_path / "x")
    assert str(recorded["take0"]) in text and f"lamp is taught, in {words.PAGE_BYTES} bytes" in text


@pytest.mark.parametrize("takes, match", [
    (("silence",), "silence.wav: the take is empty"), (("clipped",), "clipped.wav: the take is clipped"),
    (("take0", "take1", "other"), "take 3 is unlike")])
def test_takes_that_are_none(refused, recorded, takes, match, tmp_path):
    out = tmp_path / "x.npz"
    refused(match, "teach", "--word", "lamp", "--wav", *(recorded[name] for name in takes), "--out", out)
    assert not out.exists()


def test_bad_requests(refused, recorded, lamp, tmp_path):
    take = recorded["take0"]
    refused("name", "teach", "--word", "a lamp", "--wav", take, "--out", tmp_path / "x.npz")
    refused("does not exist", "teach", "--word", "lamp", "--wav", tmp_path / "no.wav", "--out", tmp_path / "x.npz")
    refused("cannot write", "teach", "--word", "lamp", "--wav", take, "--out", tmp_path / "no" / "x.npz")
    refused("--engine int", "classify", take, "--words", lamp, "--engine", "c")
    refused("run `python -m tinyspeech teach`", "classify", take, "--words", tmp_path / "no.npz", "--engine", "int")
    refused("holds no taught words", "classify", take, "--words", take, "--engine", "int")
    refused("another network", "classify", take, "--words", lamp, "--engine", "int", "--model", "tinyspeech_xs")
    refused("no last block", "teach", "--word", "lamp", "--wav", take, "--out", tmp_path / "x.npz", "--model",
            "tinyspeech_z")


def test_a_file_that_was_cut_off(refused, recorded, lamp, tmp_path):
    half = tmp_path / "half.npz"
    half.write_bytes(lamp.read_bytes()[:200])
    refused("holds no taught words", "classify", recorded["take0"], "--words", half, "--engine", "int")
