"""Hours of sound by the definition: in blocks as in one piece, rates with their intervals, a first word that opens."""

import numpy as np
import pytest

from tinyspeech.errors import UserError
from tinyspeech.integer import listening
from tinyspeech.integer.frontend import to_8khz
from tinyspeech.integer.network import IntegerModel
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
    clips = [audio.load_clip(path) for path in sorted(BUNDLED.glob("*/*.flac"))[::6][:12]]
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
