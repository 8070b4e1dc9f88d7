"""`classify`: one word, from any sound file that can be read, and one line for those that cannot."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tinyspeech import CLASSES
from tinyspeech.measure import evaluate
from tinyspeech.sound import audio


@pytest.mark.parametrize("engine", ["float", "fake", "int", "c", "chip"])
def test_classify_json(run, engine, word):
    result = json.loads(run("classify", word, "--engine", engine, "--json"))
    assert {"word", "scores", "engine"} <= result.keys()
    assert result["engine"] == engine and tuple(result["scores"]) == CLASSES
    assert sum(result["scores"].values()) == pytest.approx(1) and max(result["scores"].values()) < 1
    assert result["word"] == max(result["scores"], key=result["scores"].get)
    assert (result["cycles"] is not None) == (engine == "chip")
    if engine != "float":
        assert result["word"] == "yes"
    if engine in ("c", "chip"):
        assert result["logits"] == evaluate.classify(word, "int")["logits"]


def test_classify_in_words(run, word):
    out = run("classify", word, "--engine", "c").splitlines()
    assert out[0] == "yes" and re.match(r"  yes \d+\.\d %   ", out[1])


def variant(word: Path, folder: Path, kind: str) -> Path:
    """The word as another recorder would keep it."""
    x = audio.load_clip(word)
    path = folder / "x.wav"
    match kind:
        case "stereo":
            soundfile.write(path, np.stack([x, x], 1), 16000)
        case "flac":
            soundfile.write(path := folder / "x.flac", x, 16000)
        case "float":
            soundfile.write(path, x / 32768, 16000, subtype="FLOAT")
        case "24 bits":
            soundfile.write(path, x.astype(np.int32) << 16, 16000, subtype="PCM_24")
        case "44.1 kHz" | "48 kHz" | "8 kHz":
            rate = {"44.1 kHz": 44100, "48 kHz": 48000, "8 kHz": 8000}[kind]
            soundfile.write(path, audio.resample(x, 16000, rate), rate)
        case "ten minutes":
            long = np.zeros(600 * 16000, np.int16)
            long[437 * 16000 :][:16000] = x
            soundfile.write(path, long, 16000)
        case "one sample":
            soundfile.write(path, x[:1], 16000)
        case "no suffix":
            soundfile.write(folder / "x.wav", x, 16000)
            path = path.rename(folder / "with ünusual name")
    return path


@pytest.mark.parametrize("kind", ["stereo", "flac", "float", "24 bits", "no suffix"])
def test_other_formats_of_the_same_samples_are_the_same(run, kind, word, tmp_path):
    got = json.loads(run("classify", variant(word, tmp_path, kind), "--engine", "int", "--json"))
    assert got["logits"] == evaluate.classify(word, "int")["logits"]


@pytest.mark.parametrize("kind", ["44.1 kHz", "48 kHz", "8 kHz", "ten minutes"])
def test_other_rates_and_lengths_are_the_same_word(run, kind, word, tmp_path):
    assert run("classify", variant(word, tmp_path, kind), "--engine", "int").startswith("yes\n")


def test_one_sample_is_heard_as_something(run, word, tmp_path):
    result = json.loads(run("classify", variant(word, tmp_path, "one sample"), "--engine", "int", "--json"))
    assert result["word"] in CLASSES


@pytest.mark.parametrize("kind, match", [
    ("missing", "does not exist"), ("a folder", "is a folder"), ("empty", "empty"), ("text", "cannot be read as sound"),
    ("cut header", "cannot be read|damaged|0 samples"), ("0 samples", "0 samples"), ("cut sound", "damaged|cannot be"),
    ("not a number", "not numbers"),
])
def test_classify_bad_files(refused, kind, match, word, tmp_path):
    path = tmp_path / "bad.wav"
    if kind == "a folder":
        path.mkdir()
    elif kind in ("empty", "text"):
        path.write_text("hello, world\n" * (kind == "text"))
    elif kind == "cut header":
        soundfile.write(path, audio.load_clip(word), 16000)
        path.write_bytes(path.read_bytes()[:30])
    elif kind == "0 samples":
        soundfile.write(path, np.zeros(0, np.int16), 16000)
    elif kind == "cut sound":
        path = tmp_path / "bad.flac"
        path.write_bytes(word.read_bytes()[: word.stat().st_size // 2])
    elif kind == "not a number":
        soundfile.write(path, np.full(100, np.nan), 16000, subtype="FLOAT")
    refused(match, "classify", path, "--engine", "int")
