"""Keywords in a row, in noise and in a room: where they stand, how loud, and what counts as heard."""

from dataclasses import replace

import numpy as np
import pytest
import soundfile

from tinyspeech import CLASSES
from tinyspeech.errors import UserError
from tinyspeech.integer import decision
from tinyspeech.integer.network import IntegerModel
from tinyspeech.measure import leads, live, negatives, positives
from tinyspeech.paths import BUNDLED, SHIPPED, model_file
from tinyspeech.sound.splits import speaker_split

DICE = np.random.default_rng(0)
NOISE = DICE.normal(0, 1000, 50_000).astype(np.int16)


@pytest.fixture
def clips():
    """Six, with a word of a third of a second each, one ten times as loud as another."""
    clips = np.zeros((6, 16_000), np.int16)
    clips[:, 5_000:10_000] = DICE.normal(0, 300, (6, 5_000)) * np.array([1, 2, 3, 4, 5, 10])[:, None]
    return clips


def test_conditions_begin_at_the_same_places(clips):
    room = np.zeros(3_000)
    room[0], room[2_000] = 1, 0.5
    rows = [positives.sound(clips, range(2, 8), NOISE, *condition)
            for condition in ((None,), (10,), (None, [room]), (10, [room]))]
    (clean, events), (noisy, _), (wet, _), _ = rows
    assert all(row[1] == events and len(row[0]) == len(clean) for row in rows)
    begins = np.array([event.begin_s for event in events])
    gaps = np.diff(begins) - 1
    assert (gaps >= 1).all() and (gaps <= 4).all() and [event.label for event in events] == list(range(2, 8))
    at = round(events[3].end_s * 16_000)
    tail = slice(at, at + 1_500)  # echoes, where the dry row is quiet
    assert np.std(wet[tail].astype(float)) > 4 * np.std(clean[tail].astype(float))
    assert np.std(noisy[tail].astype(float)) > 4 * np.std(clean[tail].astype(float))


def test_the_ratio_is_what_it_says(clips):
    """Mean square of every clip over the noise's."""
    noisy, events = positives.sound(clips, range(2, 8), NOISE, 10)
    first = round(events[0].at_s * 16_000)
    noise = noisy[: first - 100].astype(float)
    clip = noisy[first : first + 16_000].astype(float)
    assert 10 * np.log10(((clip**2).mean() - (noise**2).mean()) / (noise**2).mean()) == pytest.approx(10, abs=0.7)


def test_nothing_clips(clips):
    noisy, _ = positives.sound((clips * 8).clip(-32768, 32767), range(2, 8), NOISE, 0)
    assert np.abs(noisy.astype(int)).max() == 32767 and (np.abs(noisy.astype(int)) == 32767).sum() == 1


def row_of(*reports):
    """Two keywords, "yes" and "no", and reports of these words at these seconds."""
    scores = np.zeros((250, len(CLASSES)), np.int64)
    for at, word in reports:
        scores[2 * round((at - 0.072) * 12.5) + 1, CLASSES.index(word)] = 4 * decision.LEAST_LEAD
    yes, no = (CLASSES.index(word) for word in ("yes", "no"))
    return positives.Row(scores, [live.Event(yes, 1.0, 1.2, 1.6), live.Event(no, 5.0, 5.2, 5.6)])


def test_what_is_heard():
    result = positives.result(row_of((1.7, "yes"), (3.5, "up"), (5.5, "go")))
    assert (result["keywords"], result["heard"], result["wrong"], result["stray"]) == (2, 50.0, 1, 1)
    assert result["latency_median"] == result["latency_p99"] and 50 < result["latency_median"] < 200
    assert result["interval_95"][0] < 50 < result["interval_95"][1]
    nothing = positives.result(row_of((1.7, "yes")), least_lead=9 * decision.LEAST_LEAD)
    assert (nothing["heard"], nothing["latency_p99"]) == (0, None)


def test_a_curve_over_the_threshold():
    stream = negatives.Stream("x", "a", 7200.0, row_of((1.7, "yes")).scores)
    curve = positives.det([stream], {"clean": row_of((1.7, "yes"))})
    assert [point["least_lead"] for point in curve if point["ships"]] == [decision.LEAST_LEAD]
    assert (curve[0]["events"], curve[0]["per_hour"], curve[0]["heard"]) == (1, 0.5, {"clean": 50.0})
    assert len(curve) == len(positives.FACTORS) and curve[0]["interval_95"] == [0.013, 2.786]
    heard = [point["heard"]["clean"] for point in curve]
    assert heard == sorted(heard, reverse=True)


def test_a_network_is_judged_in_units_of_its_own_scores():
    """Of a network whose scores count for sixteen times as much: a lead of the same size in logits is as good."""
    row = row_of((1.7, "yes"))
    small = replace(row, scores=row.scores // 16, constants={"lead_bits": decision.LEAD_BITS - 4})
    assert positives.result(small) == positives.result(row)
    assert positives.result(replace(small, constants={}))["heard"] == 0
    stream = negatives.Stream("x", "a", 7200.0, small.scores, constants=small.constants)
    ships = [point for point in positives.det([stream], {"clean": small}) if point["ships"]]
    assert [(point["least_lead"], point["events"]) for point in ships] == [(decision.LEAST_LEAD // 16, 1)]
    assert ships[0]["heard"] == {"clean": 50.0}
    track, same = leads.of_row(small), leads.of_row(row)
    assert np.array_equal(track.step, same.step) and len(track.step)
    assert np.abs(16 * track.lead - same.lead).max() < 16 * 8  # each leak is rounded, and an eighth of that leaks again


def test_rows_of_a_corpus(tmp_path):
    """Six conditions with a room; the keywords of the bundled corpus are heard, most of them."""
    soundfile.write(tmp_path / "hall.wav", np.eye(1, 800)[0], 16_000)
    model = IntegerModel.load(model_file(SHIPPED, ".npz"))
    who = "training" if speaker_split("hall") == "training" else "validation"
    rows = positives.rows(model, BUNDLED, rooms=tmp_path, who=who, count=10)
    assert list(rows) == ["clean", "20 dB", "10 dB", "clean, room", "20 dB, room", "10 dB, room"]
    results = {name: positives.result(row) for name, row in rows.items()}
    assert results["clean"]["keywords"] == 10 and results["clean"]["heard"] >= 50


def test_silence_is_no_noise(tmp_path):
    soundfile.write(tmp_path / "x.wav", np.zeros(16_000), 16_000)
    with pytest.raises(UserError, match="holds silence"):
        positives.noise_of(tmp_path, "all")
