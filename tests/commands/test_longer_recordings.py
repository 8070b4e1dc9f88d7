"""Which second is judged, and what a longer recording holds: by the ears that the chip has, and with times."""

import json

import numpy as np
import pytest
import soundfile

from tinyspeech.integer import listening, words
from tinyspeech.integer.frontend import HOP, to_8khz
from tinyspeech.integer.network import IntegerModel
from tinyspeech.measure import spoken
from tinyspeech.paths import BUNDLED, SHIPPED, model_file
from tinyspeech.sound import audio

RATE = audio.SAMPLE_RATE_HZ


def offset(peak, tau_s):
    return lambda t: peak * np.exp(-t / tau_s)


def thump(peak, hz, at_s):
    return lambda t: np.where(t >= at_s, peak * np.sin(2 * np.pi * hz * (t - at_s)) * np.exp(-(t - at_s) / 0.04), 0)


NOISES = {
    "an offset that settles": offset(0.1, 0.3), "a large one": offset(0.9, 0.2), "a slow one": offset(-0.4, 1.5),
    "an offset that stays": lambda t: np.full(len(t), 0.3), "hum at 50 Hz": lambda t: 0.2 * np.sin(100 * np.pi * t),
    "hum that stops": lambda t: np.where(t < 1, 0.5 * np.sin(120 * np.pi * t), 0), "a thump": thump(0.9, 45, 0.3),
    "a later one": thump(0.9, 30, 0.05), "a switch": lambda t: np.where((t > 0.2) & (t < 0.21), 0.8, 0.0),
}


@pytest.fixture
def spoilt(word, tmp_path):
    """A second of quiet, and then the word: with this noise, at this rate."""
    def make(noise, rate=RATE):
        clip = audio.resample(audio.load_clip(word) / 32768, RATE, rate)
        sound = np.concatenate([np.zeros(rate), clip, np.zeros(rate // 2)])
        sound = sound + noise(np.arange(len(sound)) / rate)
        soundfile.write(tmp_path / "x.wav", np.clip(sound, -1, 0.99997), rate)
        return tmp_path / "x.wav"

    return make


@pytest.mark.parametrize("rate", [16_000, 44_100])
@pytest.mark.parametrize("noise", NOISES)
def test_what_the_front_end_does_not_hear_chooses_no_second(spoilt, noise, rate):
    _, begin, length = audio.second_of(spoilt(NOISES[noise], rate))
    assert length == pytest.approx(2.5, abs=0.001) and 0.7 <= begin <= 1.35


@pytest.mark.parametrize("noise", [name for name in NOISES if "offset" in name or name == "a large one"])
def test_the_word_is_heard_behind_it(run, spoilt, noise):
    for more in ([], ["--second"]):
        result = json.loads(run("classify", spoilt(NOISES[noise]), "--engine", "int", "--json", *more))
        assert result["word"] == "yes" == max(result["scores"], key=result["scores"].get)


@pytest.fixture(scope="module")
def model():
    return IntegerModel.load(model_file(SHIPPED, ".npz"))


@pytest.fixture(scope="module")
def long(model, tmp_path_factory):
    """Bundled words in a row, the file and what the definition reports in it."""
    clips = [audio.load_clip(sorted((BUNDLED / name).iterdir())[i]) for i in (0, 3, 6)
             for name in ("yes", "no", "stop", "go")]
    sound, _ = audio.in_a_row(clips, RATE)
    path = tmp_path_factory.mktemp("long") / "long.wav"
    soundfile.write(path, sound, RATE)
    x8 = to_8khz(sound[: len(sound) // 2 * 2][None])[0]
    return path, listening.words(model, words.with_silence(x8))


def test_a_long_recording_is_gone_through_by_the_definition(run, long):
    path, reported = long
    assert len({name for _, name in reported}) >= 2
    result = json.loads(run("classify", path, "--engine", "int", "--json"))
    assert {"word", "scores", "engine", "words", "begin", "length"} <= result.keys()
    assert [(one["word"], one["seconds"]) for one in result["words"]] == [
        (name, round(frame * HOP / 8000, 2)) for frame, name in reported]
    assert result["word"] in [name for _, name in reported]
    near = min(abs(one["seconds"] - result["begin"] - 1) for one in result["words"] if one["word"] == result["word"])
    assert near < 0.7


def test_in_words_each_has_its_time(run, long):
    path, reported = long
    lines = run("classify", path, "--engine", "c").splitlines()
    assert [line.split() for line in lines[1 : 1 + len(reported)]] == [
        [f"{frame * HOP / 8000:.2f}", "s", name] for frame, name in reported]
    assert " of the second from " in lines[-1]


def test_second_is_the_old_way(run, long):
    result = json.loads(run("classify", long[0], "--engine", "int", "--json", "--second"))
    assert len(result["words"]) <= 1 and result["length"] > 5
    out = run("classify", long[0], "--engine", "int", "--second").splitlines()
    assert len(out) == 2 and "of the second from" in out[1]


@pytest.mark.parametrize("engine", ["float", "fake", "int", "c", "chip"])
def test_all_engines_hear_the_same_words_there(run, long, engine):
    result = json.loads(run("classify", long[0], "--engine", engine, "--json"))
    assert [one["word"] for one in result["words"]] == [name for _, name in long[1]]
    assert (result["cycles"] is not None) == (engine == "chip")


def test_a_clip_of_a_second_is_as_it_was(run, word):
    result = json.loads(run("classify", word, "--engine", "int", "--json"))
    assert result["words"] == [{"word": "yes", "seconds": pytest.approx(1, abs=0.3)}] and result["begin"] == 0
    assert len(run("classify", word, "--engine", "int").splitlines()) == 2


def test_where_nothing_is_said_nothing_is(run, tmp_path):
    soundfile.write(tmp_path / "x.wav", np.zeros(5 * RATE, np.int16), RATE)
    result = json.loads(run("classify", tmp_path / "x.wav", "--engine", "int", "--json"))
    assert result["words"] == [] and result["word"] == "_silence_"
    assert "no word is reported" in run("classify", tmp_path / "x.wav", "--engine", "int")


def test_a_network_that_cannot_listen_is_asked_for_a_second(run, long):
    result = json.loads(run("classify", long[0], "--engine", "float", "--model", "printed_z", "--json"))
    assert len(result["words"]) <= 1 and result["word"] in result["scores"]


def test_hours_too_many_are_refused(refused, long, monkeypatch):
    monkeypatch.setattr(spoken, "LONGEST_S", 3)
    refused("longer than.*--second", "classify", long[0], "--engine", "int")


def test_taught_words_have_their_times_too(run, tmp_path):
    marvin, dice = audio.load_clip(sorted(BUNDLED.glob("marvin/*.flac"))[0]), np.random.default_rng(0)
    takes = [np.rint(gain * np.pad(marvin, 8000) + dice.normal(0, 3, 32_000)).astype(np.int16)
             for gain in (1, 0.7, 0.5)]
    files = [tmp_path / f"{i}.wav" for i in range(3)]
    for file, take in zip(files, takes, strict=True):
        audio.write(file, take)
    run("teach", "--word", "robot", "--wav", *files, "--out", tmp_path / "w.npz")
    audio.write(tmp_path / "long.wav", np.concatenate(takes[:2]))
    result = json.loads(run("classify", tmp_path / "long.wav", "--engine", "int", "--json", "--words",
                            tmp_path / "w.npz"))
    assert result["word"] == result["taught"] == "robot" and "robot" in [one["word"] for one in result["words"]]
