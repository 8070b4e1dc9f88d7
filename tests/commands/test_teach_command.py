"""`teach` and `classify --words`: a word of one's own from recordings, and one line for those that are none."""

import errno
import json
import os
import shutil

import numpy as np
import pytest

from tinyspeech import CLASSES
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


@pytest.mark.parametrize("engine", ["int", "c", "chip"])
def test_a_word_is_taught_and_heard(run, recorded, lamp, engine):
    result = json.loads(run("classify", recorded["take3"], "--words", lamp, "--engine", engine, "--json"))
    assert (result["word"], result["taught"], result["engine"]) == ("lamp", "lamp", engine)
    without = json.loads(run("classify", recorded["take3"], "--engine", engine, "--json"))
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
    refused("run `python -m tinyspeech teach`", "classify", take, "--words", tmp_path / "no.npz", "--engine", "int")
    refused("holds no taught words", "classify", take, "--words", take, "--engine", "int")
    refused("another network", "classify", take, "--words", lamp, "--engine", "int", "--model", "tinyspeech_xs")
    refused("no last block", "teach", "--word", "lamp", "--wav", take, "--out", tmp_path / "x.npz", "--model",
            "tinyspeech_z")


def test_a_file_that_was_cut_off(refused, recorded, lamp, tmp_path):
    half = tmp_path / "half.npz"
    half.write_bytes(lamp.read_bytes()[:200])
    refused("holds no taught words", "classify", recorded["take0"], "--words", half, "--engine", "int")


@pytest.fixture
def home(recorded, folder, tmp_path):
    """A folder of words with a taught one among them, all validation."""
    home = shutil.copytree(folder, tmp_path / "home")
    (home / "lamp").mkdir()
    for name in ("take0", "take1", "take2", "take3"):
        shutil.copy(recorded[name], home / "lamp")
    with open(home / "validation_list.txt", "a") as listed:
        listed.writelines(f"\nlamp/take{i}.wav" for i in range(4))
    return home


def test_a_taught_word_is_a_class_of_an_evaluation(run, home, lamp, tmp_path):
    """What is not taught counts as before, and every clip of the taught one counts."""
    arguments = ("evaluate", "--data", home, "--dump", tmp_path / "dump.npz", "--json")
    result, dump = json.loads(run(*arguments, "--words", lamp)), np.load(tmp_path / "dump.npz")
    assert result["classes"] == [*CLASSES, "lamp"] == dump["classes"].tolist()
    assert result["n"] == len(dump["taught"]) == 28
    assert result["per_class"]["lamp"] == 1 and np.array(result["confusion"]).shape == (13, 13)
    assert [str(name).split("/")[0] for name in dump["name"][dump["label"] == 12]] == ["lamp"] * 4
    assert dump["taught"][dump["label"] == 12].tolist() == [0] * 4
    guesses = np.where(dump["taught"] == 0, 12, dump["logits"].argmax(1))
    assert result["accuracy"] == (guesses == dump["label"]).mean() == np.trace(result["confusion"]) / 28
    assert result["interval_95"][0] < result["accuracy"] < result["interval_95"][1]
    before = json.loads(run(*arguments))
    assert before["classes"] == list(CLASSES) and before["n"] == 24 and "taught" not in np.load(tmp_path / "dump.npz")
    assert "lamp       100.00 %" in run("evaluate", "--data", home, "--words", lamp)


def test_a_limit_takes_from_taught_words_in_their_turn(run, home, lamp):
    result = json.loads(run("evaluate", "--data", home, "--words", lamp, "--limit", 13, "--json"))
    assert [sum(row) for row in result["confusion"]] == [1] * 13


def test_taught_words_alone_are_evaluated(run, home, lamp, tmp_path):
    shutil.copytree(home / "lamp", tmp_path / "own" / "lamp")
    result = json.loads(run("evaluate", "--data", tmp_path / "own", "--split", "all", "--words", lamp, "--json"))
    assert (result["n"], result["accuracy"]) == (4, 1) and result["per_class"]["yes"] is None


def test_a_word_that_is_called_as_one_of_the_ten_counts_as_it(run, recorded, home, tmp_path):
    yes = tmp_path / "yes.npz"
    run("teach", "--word", "yes", "--wav", recorded["take0"], "--out", yes)
    (home / "yes" / "take1.wav").write_bytes(recorded["take1"].read_bytes())
    result = json.loads(run("evaluate", "--data", home, "--split", "all", "--words", yes, "--json"))
    assert result["classes"] == list(CLASSES)


def test_a_file_keeps_several_words(run, refused, recorded, lamp):
    """The one of the same name goes."""
    run("teach", "--word", "happy", "--wav", recorded["other"], "--out", lamp)
    run("teach", "--word", "lamp", "--wav", recorded["take0"], "--out", lamp)
    for name, word in (("take3", "lamp"), ("other", "happy")):
        assert run("classify", recorded[name], "--words", lamp, "--engine", "int").startswith(f"{word}\n")
    for i in range(6):
        run("teach", "--word", f"word{i}", "--wav", recorded["take0"], "--out", lamp)
    before = lamp.read_bytes()
    refused("holds 8 words, as many as a board", "teach", "--word", "ninth", "--wav", recorded["take0"], "--out", lamp)
    assert lamp.read_bytes() == before
    refused("16 words are too many", "evaluate", "--words", lamp, lamp)


def test_a_disk_that_is_full_leaves_the_file_as_it_was(refused, recorded, lamp, monkeypatch):
    def full(*_, **more):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(np, "savez", full)
    before = lamp.read_bytes()
    refused("cannot write .*No space left", "teach", "--word", "tea", "--wav", recorded["take0"], "--out", lamp)
    assert lamp.read_bytes() == before and list(lamp.parent.iterdir()) == [lamp]


def test_a_file_of_anything_else_is_not_written_over(refused, recorded, tmp_path):
    notes = tmp_path / "notes.txt"
    notes.write_text("buy a lamp")
    refused("holds no taught words", "teach", "--word", "lamp", "--wav", recorded["take0"], "--out", notes)
    assert notes.read_text() == "buy a lamp"


@pytest.mark.parametrize("engine", ["float", "fake"])
def test_engines_that_hear_no_taught_words(refused, recorded, home, lamp, engine):
    refused(f"not heard by {engine}", "classify", recorded["take0"], "--words", lamp, "--engine", engine)
    refused(f"not heard by {engine}", "evaluate", "--data", home, "--words", lamp, "--engine", engine)
