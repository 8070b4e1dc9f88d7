"""What leads, step by step: by the decision itself, and enough to count its reports at any threshold."""

from pathlib import Path

import numpy as np
import pytest

from tinyspeech import CLASSES
from tinyspeech.errors import UserError
from tinyspeech.integer import decision
from tinyspeech.measure import leads, live, negatives, positives
from tinyspeech.sound import truth

STEPS = 400


@pytest.fixture
def scores() -> np.ndarray:
    """int64 [800, 12]: unknown leads, and now and then a keyword does for a second or so."""
    dice = np.random.default_rng(3)
    made = dice.integers(-9000, 9000, (STEPS * decision.STEP_FRAMES, len(CLASSES)))
    made[:, 1] += 20_000
    for i, begin in enumerate(range(40, len(made) - 40, 60)):
        made[begin : begin + 12, 2 + i % 10] += dice.integers(40_000, 80_000)
    return made


def stream(scores, spans=()):
    return negatives.Stream("a.flac", "talk", 0.04 * len(scores), scores, tuple(spans))


def reports(track: leads.Track, least: int) -> list[tuple[int, int]]:
    """(Step, class) as a reader of the chapter counts."""
    found, rest = [], -1
    for step, word, lead in zip(track.step, track.word, track.lead, strict=True):
        if lead >= least and step > rest:
            found.append((int(step), int(word)))
            rest = step + decision.REFRACTORY_STEPS
    return found


def test_leads_above_the_threshold_are_the_decisions_reports(scores):
    track = leads.of_streams([stream(scores)])
    found = [(row // decision.STEP_FRAMES, label) for row, label in decision.words(scores)]
    assert len(found) > 5 and len({label for _, label in found}) > 3
    assert reports(track, decision.LEAST_LEAD) == found
    assert (track.word >= decision.REJECTED).all() and (track.lead * leads.LEAST_SHARE >= decision.LEAST_LEAD).all()
    assert leads.seconds_of(track.step[:1])[0] == live.seconds_of(2 * int(track.step[0]) + 1)


def test_recordings_stand_one_after_the_other_with_what_is_said_in_them(scores):
    spans = [truth.Span(1.0, 1.5, "yes"), truth.Span(3.0, 5.0, None)]
    one, both = leads.of_streams([stream(scores)]), leads.of_streams([stream(scores), stream(scores, spans)])
    n, later = len(one.step), STEPS + leads.GAP_STEPS
    assert np.array_equal(both.step[n:], one.step + later) and np.array_equal(both.lead[n:], one.lead)
    shift = later * leads.STEP_S
    wanted = [[1 + shift, 1.5 + shift, 2], [3 + shift, 5 + shift, leads.NO_WORD]]
    assert np.allclose(both.spans, wanted, atol=1e-4)
    assert both.hours == pytest.approx((2 * 0.04 * len(scores) - 1.5 - 3.0) / 3600)  # half a second around each


def test_they_are_read_back_and_other_files_are_refused(scores, tmp_path):
    row = positives.Row(scores, [live.Event(3, 0.0, 0.25, 0.75)])
    path = tmp_path / "leads.npz"
    made = {"clean, room": leads.of_row(row), leads.NOISE: leads.of_streams([stream(np.zeros_like(scores))])}
    leads.save(made, path)
    again = leads.load(path)
    assert list(again) == list(made) and len(again[leads.NOISE].step) == 0
    for name, track in made.items():
        for key, value in vars(track).items():
            assert np.array_equal(getattr(again[name], key), value)
    (tmp_path / "text.npz").write_text("no")
    np.savez(tmp_path / "other.npz", x=1)
    for name in ("text.npz", "other.npz"):
        with pytest.raises(UserError, match="holds no leads"):
            leads.load(tmp_path / name)
    with pytest.raises(FileNotFoundError, match=r"nobody\.npz"):
        leads.load(tmp_path / "nobody.npz")
    with pytest.raises(UserError, match="cannot write"):
        leads.save(made, Path(tmp_path / "no" / "leads.npz"))
