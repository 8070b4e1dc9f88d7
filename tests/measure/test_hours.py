"""Hours of sound by the definition: in blocks as in one piece, rates with their intervals, a first word that opens."""

import numpy as np
import pytest
from support.small_networks import MEMORY, features_of, network

from tinyspeech.errors import UserError
from tinyspeech.integer import decision, frontend, listening
from tinyspeech.integer.frontend import to_8khz
from tinyspeech.integer.network import IntegerModel
from tinyspeech.lowbit import grids, lower, quant
from tinyspeech.measure import hours
from tinyspeech.paths import BUNDLED, SHIPPED, model_file
from tinyspeech.sound import audio


@pytest.mark.parametrize("events, low, high", [(0, 0, 3.689), (1, 0.0253, 5.572), (10, 4.795, 18.390)])
def test_intervals_are_those_of_the_tables(events, low, high):
    """Garwood's exact limits; four times the hours, a quarter of the rate."""
    assert hours.poisson(events, 1) == pytest.approx((low, high), abs=6e-4)
    assert hours.poisson(events, 4) == pytest.approx((low / 4, high / 4), abs=2e-4)


def test_no_time_has_no_rate():
    with pytest.raises(UserError, match="needs time"):
        hours.poisson(0, 0)


@pytest.mark.parametrize("block", [6, 50, 1500])
def test_blocks_change_nothing(block, monkeypatch):
    """Of blocks shorter and longer than what a frame of scores hears: the definition's reports, some of them."""
    model = IntegerModel.load(model_file(SHIPPED, ".npz"))
    clips = [audio.load_clip(path) for path in sorted(BUNDLED.glob("*/*.flac"))[4::6][:12]]
    samples = to_8khz(audio.in_a_row(clips, audio.SAMPLE_RATE_HZ)[0][: 16_000 * 14])
    monkeypatch.setattr(hours, "BLOCK_FRAMES", block)
    found = hours.reports(hours.scores_of(model, samples))
    assert found == listening.words(model, samples) and found


def test_nothing_is_reported_of_less_than_a_batch():
    model = IntegerModel.load(model_file(SHIPPED, ".npz"))
    for n in (0, 256, 256 + 3 * 160):
        assert hours.reports(hours.scores_of(model, np.zeros(n, np.int16))) == []


def test_a_first_word_opens_for_one_command():
    found = [(0, "yes"), (76, "no"), (80, "up"), (100, "yes"), (177, "no"), (200, "yes"), (220, "yes"), (230, "go")]
    assert hours.armed(found, "yes") == [(76, "no"), (220, "yes")]
    assert hours.armed(found, "stop") == []


def test_armed_reports_are_the_decisions_own():
    """Of random scores: what an armed board reports is its first words and the commands that they let in."""
    rng = np.random.default_rng(0)
    for first in (2, 5):
        scores = np.zeros((2000, 12), np.int64)
        for at in range(0, 2000, 20):
            scores[at : at + 4, rng.choice((2, 3, 5))] = 40_000
        found, said = decision.words(scores), decision.words(scores, first_word=first)
        commands = hours.armed(found, first)
        opened = [one for one in said if one not in commands]
        print(len(found), len(said), len(commands))
        assert set(commands) <= set(said) and commands and {word for _, word in opened} == {first}
        assert len(found) > len(said)


def test_a_network_that_remembers_is_heard_in_one_piece(monkeypatch):
    trained = quant.prepare(network(MEMORY), 4)
    quant.calibrate(trained, features_of(50, 16) * grids.INPUT_STEP)
    quant.finish(trained)
    model = lower.integer_twin(trained, "remembers")
    samples = np.random.default_rng(1).integers(-9000, 9000, 160 * 300).astype(np.int16)
    monkeypatch.setattr(hours, "BLOCK_FRAMES", 50)
    features = frontend.FrontendStream().push(samples)
    scores = hours.scores_of(model, samples)
    rows = decision.frame_rows(decision.frame_scores(model, features), features)
    assert np.array_equal(scores, rows[: len(scores)]) and len(scores) > 100
