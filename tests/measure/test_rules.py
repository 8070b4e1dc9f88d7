"""Rules beside the least lead: each refuses what it should, and nothing else."""

from functools import partial

import numpy as np
import pytest

from tinyspeech import CLASSES
from tinyspeech.integer import decision
from tinyspeech.measure import live, negatives, positives, rules
from tinyspeech.measure.figures import hours as figures

YES, NO = CLASSES.index("yes"), CLASSES.index("no")
STEPS = 60


def scores(*leads: tuple[int, int, int, int]) -> np.ndarray:
    """int64 [120, 12]: from one row to another a class leads by so much a row, and silence else."""
    made = np.zeros((STEPS * decision.STEP_FRAMES, len(CLASSES)), np.int64)
    made[:, 0] = 1
    for first, last, word, lead in leads:
        made[first:last, word] = lead
    return made


def with_loudness(made: np.ndarray, loud) -> np.ndarray:
    """Rows int64 [120, 13] of scores and the loudness of each step."""
    return np.concatenate([made, np.repeat(loud, decision.STEP_FRAMES)[:, None]], axis=1).astype(np.int64)


def words(rule, rows, least=90_000):
    return [(row // 2, word) for row, word in rule(least_lead=least).words(rows)]


def test_without_a_rule_it_is_the_decision():
    made = np.random.default_rng(0).integers(-9000, 9000, (2000, len(CLASSES)))
    for begin in range(20, 1900, 37):
        made[begin : begin + 9, begin % len(CLASSES)] += 60_000
    assert rules.RULES["the least lead alone"]().words(made) == decision.words(made) != []


def test_a_lead_must_last():
    short, long = scores((40, 42, YES, 60_000)), scores((40, 50, YES, 60_000))
    assert words(rules.Judge, short) == [(20, YES)]
    for more in (1, 2):
        rule = partial(rules.Lasting, more=more)
        assert words(rule, short) == [] and words(rule, long) == [(20 + more, YES)]
    turned = scores((40, 42, YES, 60_000), (42, 44, NO, 100_000))
    assert words(partial(rules.Lasting, more=1), turned) == []


def test_a_second_look_waits_and_asks_for_half():
    kept, gone = scores((40, 48, YES, 60_000)), scores((40, 42, YES, 60_000), (42, 46, NO, 90_000))
    assert words(rules.SecondLook, kept) == [(22, YES)]
    assert YES not in [word for _, word in words(rules.SecondLook, gone)]


def test_a_word_that_stands_alone_has_quiet_before_it():
    made = scores((80, 84, YES, 60_000))
    quiet, talk = np.full(STEPS, 29), np.full(STEPS, 169)
    quiet[37:40] = talk[37:40] = 209
    talk[:3] = 29  # there was silence once: what follows is loud beside it
    for rule in (rules.StandsAlone, rules.Judge):
        assert words(rule, with_loudness(made, quiet)) == [(40, YES)]
    assert words(rules.StandsAlone, with_loudness(made, talk)) == []
    alike = with_loudness(made, np.full(STEPS, 134))  # nothing is loud, and nothing need stand out
    assert words(partial(rules.StandsAlone, stands_out=None), alike) == [(40, YES)]


@pytest.fixture
def heard(monkeypatch):
    """Half an hour in which yes leads by little now and then, and a row in which it leads by much."""
    talk = np.tile(scores((40, 44, YES, 10_000)), (20, 1))
    said = scores((40, 44, YES, 90_000))
    stream = negatives.Stream("a", "talk", 1800.0, talk)
    row = positives.Row(said, [live.Event(YES, 1.0, 1.6, 1.8)])
    monkeypatch.setattr(negatives, "speech", lambda *_, **__: [stream])
    monkeypatch.setattr(positives, "rows", lambda *_: {"clean": row, "10 dB": row})


def test_leads_are_chosen_by_what_they_let_through(heard):
    choice, chosen = figures.choice(None, None, None, [])
    assert (choice.key, chosen.key) == ("hours.choice", "hours.chosen")
    ours = [row for row in choice.value if row["leak_bits"] == decision.LEAK_BITS]
    loud = [row["least_lead"] for row in ours if row["per_hour"]]
    assert loud and all(row["per_hour"] == 40 for row in ours if row["per_hour"])
    assert chosen.value == dict.fromkeys(figures.WANTED, figures.LEADS[decision.LEAK_BITS][len(loud)])
    assert ours[0]["heard"] == {"clean": 100.0, "10 dB": 100.0} and ours[0]["latency_p99"] is not None


def test_every_rule_has_its_curve(heard):
    (figure,) = figures.rules_compared(None, None, None, [])
    assert {row["rule"] for row in figure.value} == set(rules.RULES)
    first = {name: next(row for row in figure.value if row["rule"] == name) for name in rules.RULES}
    assert first["leads for three steps"]["heard"]["clean"] <= first["the least lead alone"]["heard"]["clean"] == 100


def test_what_standing_out_spares_and_costs(heard, monkeypatch):
    loud = scores((40, 44, YES, 2 * decision.LEAST_LEAD // 3))
    steady = negatives.Stream("a", "music", 1800.0, with_loudness(loud, np.full(STEPS, 180)))
    monkeypatch.setattr(negatives, "noise", lambda *_: [steady])
    (figure,) = figures.standing_out(None, None, None, None)
    first, *others = figure.value
    assert [row["asked"] for row in figure.value] == [*figures.ASKED] and first["asked"] == "nothing"
    assert [figures.ASKED[row["asked"]] for row in figure.value if row["ships"]] == [{}]
    assert first["music"]["per_hour"] == first["noise"]["per_hour"] == 2
    assert all(row["music"]["events"] == 0 for row in others)  # nothing is louder than anything
    assert all(row["heard"]["clean"] == 100 for row in figure.value)
