"""Hours in which nothing is meant for the board: what is counted, of whom, for how long; the board against it."""

import numpy as np
import pytest

from tinyspeech import CLASSES
from tinyspeech.errors import UserError
from tinyspeech.integer import decision, listening
from tinyspeech.integer.frontend import to_8khz
from tinyspeech.integer.network import IntegerModel
from tinyspeech.measure import hours, negatives, registry
from tinyspeech.measure.figures import hours as figures
from tinyspeech.paths import BUNDLED, SHIPPED, model_file
from tinyspeech.sound import audio


@pytest.fixture(scope="module")
def model():
    return IntegerModel.load(model_file(SHIPPED, ".npz"))


@pytest.fixture(scope="module")
def talk(tmp_path_factory):
    """A folder with a table: twelve bundled words in a row, and seconds of noise; where the definition reports."""
    folder = tmp_path_factory.mktemp("talk")
    clips = [audio.load_clip(path) for path in sorted(BUNDLED.glob("*/*.flac"))[4::6][:12]]
    sound = audio.in_a_row(clips, audio.SAMPLE_RATE_HZ)[0][: 16_000 * 14]
    audio.write(folder / "one.wav", sound)
    audio.write(folder / "coffee.flac", np.random.default_rng(0).normal(0, 0.01, 32_000))
    return folder, to_8khz(sound)


def stream(words, seconds=3600.0, spans=(), group="a"):
    """Scores in which, at each (row, word), that word leads by far, and silence otherwise."""
    scores = np.zeros((1500, len(CLASSES)), np.int64)
    for row, word in words:
        scores[row, CLASSES.index(word)] = 4 * decision.LEAST_LEAD
    return negatives.Stream("x", group, seconds, scores, tuple(spans))


@pytest.mark.parametrize("name", [SHIPPED, "tinyspeech_z"])
def test_reports_are_the_definitions(name, talk):
    """Of a network, too, whose scores have other units."""
    (folder, samples), model = talk, IntegerModel.load(model_file(name, ".npz"))
    streams = negatives.speech(model, [folder])
    assert [s.name for s in streams] == ["coffee.flac", "one.wav"] and streams[1].seconds == len(samples) / 8000
    found = negatives.counted(streams[1])["false"]
    assert [word for _, word in found] == [word for _, word in listening.words(model, samples)] and found
    frame = listening.words(model, samples)[0][0]  # frames so far: the last of them ends then
    assert found[0][0] == pytest.approx((256 + 160 * (frame - 1)) / 8000)
    quieter = negatives.speech(model, [folder], level=0.01)
    assert quieter[1].scores.shape == streams[1].scores.shape and (quieter[1].scores != streams[1].scores).any()


def test_what_was_said_is_apart(model, talk, tmp_path):
    folder, samples = talk
    at, word = negatives.counted(negatives.speech(model, [folder])[1])["false"][0]
    table = tmp_path / "t.tsv"
    table.write_text(f"file\tstart\tend\tword\nany/one.wav\t{at - 0.2}\t{at}\t{word}\n")
    result = negatives.rates(negatives.speech(model, [folder], [table]))
    assert (result["said"], result["true"]) == (1, 1)
    assert result["hours"] == pytest.approx((len(samples) / 8000 + 2 - 1.2) / 3600, abs=1e-4)


def test_rates_by_word_and_group():
    """Three in two hours, an hour a stream; intervals are exact."""
    streams = [stream([(101, "no"), (301, "no")]), stream([(101, "up")], group="b")]
    groups = negatives.by_group(streams)
    assert list(groups) == ["a", "b", "all"] and "all" not in negatives.by_group(streams[:1])
    assert (groups["a"]["events"], groups["b"]["events"], groups["all"]["per_hour"]) == (2, 1, 1.5)
    assert groups["all"]["by_word"]["no"] == {"events": 2, "per_hour": 1.0, "interval_95": [0.121, 3.612]}
    assert groups["all"]["by_word"]["go"]["events"] == 0
    assert negatives.rates(streams, least_lead=9 * decision.LEAST_LEAD)["events"] == 0


def test_a_command_counts_where_a_first_word_came_before():
    found = negatives.armed([stream([(101, "yes"), (151, "no"), (301, "up"), (501, "up"), (601, "no")])])
    assert list(found) == list(CLASSES[decision.REJECTED :])
    assert {word: one["events"] for word, one in found.items() if one["events"]} == {"yes": 1}
    assert hours.ARMED_FRAMES < 100  # as the rows above are apart


def test_noise_by_kind_and_the_part_that_training_does_not_hear(model, talk):
    whole, part = (negatives.noise(model, talk[0], who) for who in ("all", "validation"))
    assert [s.group for s in whole] == ["babble", "one"]
    assert [round(p.seconds / w.seconds, 3) for p, w in zip(part, whole, strict=True)] == [0.2, 0.2]


def test_the_board_says_what_the_definition_says(model, talk, monkeypatch):
    """Of eight seconds in pieces of five, a board each: not a line differs, and a wrong definition is told."""
    folder, _ = talk
    monkeypatch.setattr(negatives, "BOARD_S", 5)
    result = negatives.on_board(model, [folder], board_hours=8 / 3600)
    assert result["mismatches"] == 0 and result["lines"] > 0 and result["hours"] == round(8 / 3600, 3)
    monkeypatch.setattr(negatives.listening, "words", lambda *_, **__: [])
    assert negatives.on_board(model, [folder], board_hours=8 / 3600)["mismatches"] == result["lines"]


@pytest.mark.parametrize("time", [0, -1, float("nan"), float("inf")])
def test_no_time_for_the_board_is_one_line(model, talk, time):
    with pytest.raises(UserError, match="--board takes hours above 0"):
        negatives.on_board(model, [talk[0]], board_hours=time)


def test_figures_have_their_hours_and_intervals(model, talk, monkeypatch):
    """What a group promises is what it makes, of nobody but those whom training does not hear."""
    monkeypatch.setattr(figures, "WHO", "all")
    made = {f.key: f for f in figures.in_speech([talk[0]])}
    assert sorted(made) == sorted(registry.group_of("hours.by_word").keys)
    whole = made["hours.false_per_hour"]
    assert whole.about["events"] > 0 and whole.about["interval_95"][0] < whole.value < whole.about["interval_95"][1]
    assert list(made["hours.by_level"].value) == ["as recorded", *(f"peak at {n} of full scale" for n in (0.1, 0.5))]
    noisy = {f.key: f for f in figures.in_noise(talk[0])}
    assert sorted(noisy) == sorted(registry.group_of("hours.noise_by_kind").keys)
    assert list(noisy["hours.noise_by_kind"].value) == ["babble", "one", "all"]
    assert "by_word" not in noisy["hours.noise_by_kind"].value["babble"]


def test_measure_all_leaves_out_what_it_has_no_data_for():
    given = registry.names(given=("speech", "logmel"))
    assert "live.seconds" in given and not [key for key in given if key.startswith("hours.")]
    assert {key for key in registry.names() if key not in given} >= {"hours.det", "hours.mismatches"}
