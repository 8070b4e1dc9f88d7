"""Takes of words that are none of the ten: what is there is what is planned, and a word can be taught with them."""

import csv

import numpy as np
import pytest

from tinyspeech import KEYWORDS, paths
from tinyspeech.errors import UserError
from tinyspeech.integer import words
from tinyspeech.integer.network import IntegerModel
from tinyspeech.sound import audio, takes, voices


def test_the_table_is_of_these_files_and_none_is_of_the_ten_words():
    with (paths.TAKES / takes.TABLE).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    assert sorted(row["file"] for row in rows) == sorted(path.name for path in paths.TAKES.glob("*.flac"))
    assert not {row["word"] for row in rows} & set(KEYWORDS)
    for speaker, word in takes.TAKES:
        there = [row for row in rows if (row["speaker"], row["word"]) == (speaker, word)]
        said = [" ".join(f"{name}={value}" for name, value in job.parameters.items())
                for job in takes.jobs(speaker, word)]
        assert [row["parameters"] for row in there] == said
        assert [path.name for path in takes.files(word, speaker)] == [row["file"] for row in there]
    assert sum(path.stat().st_size for path in paths.TAKES.iterdir()) < 300_000


def test_five_takes_teach_a_word_and_the_others_are_heard():
    model = IntegerModel.load(paths.model_file(paths.SHIPPED, ".npz"))
    sound = {word: [audio.read(path)[0] for path in takes.files(word, "heart")] for word in ("lamp", "coffee")}
    taught = [words.teach(word, [words.take(model, one) for one in clips[:5]]) for word, clips in sound.items()]
    heard = [[words.heard_in_clip(model, one, taught) for one in clips[5:]] for clips in sound.values()]
    assert heard == [[0] * 5, [1] * 5]


def engine(jobs, folder):
    """A tone as long as its word, in the middle of silence."""
    return [(np.pad(np.sin(np.arange(1600 * len(job.word))), 3200), 16_000) for job in jobs]


def test_they_are_made_again(tmp_path, monkeypatch):
    monkeypatch.setattr(voices, "ENGINES", dict.fromkeys(voices.ENGINES, engine))
    monkeypatch.setattr(voices, "engine_versions", lambda engines: {name: "1.0" for name in engines})
    assert not takes.make(tmp_path) and takes.make(tmp_path)  # the same samples
    assert len(list(tmp_path.glob("*.flac"))) == sum(takes.TAKES.values())
    samples, rate = audio.read(tmp_path / "coffee_heart_01.flac")
    sides = takes.BEFORE_S + takes.BEHIND_S
    assert rate == 8000 and len(samples) / rate == pytest.approx(sides + 0.6, abs=0.05)
    assert samples[: round(rate * takes.BEFORE_S) - 200].std() < 100 < 1500 < samples[5000:7000].std()
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot be written"):
        takes.make(tmp_path / "file" / "takes")
