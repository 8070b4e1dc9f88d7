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


def words(rule, made, loud=None, least=90_000):
    return [(row // 2, word) for row, word in rule(least_lead=least).words(made, loud)]


def test_without_a_rule_it_is_the_decision():
    made = np.random.default_rng(0).integers(-9000, 9000, (2000, len(CLASSES)))
    for begin in range(20, 1900, 37):
        made[begin : begin + 9, begin % len(CLASSES)] += 60_000
    assert rules.RULES["the least lead alone"]().words(made, None) == decision.words(made) != []


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
    quiet, talk = np.full(STEPS, -100.0), np.full(STEPS, 40.0)
    quiet[38:42] = talk[38:42] = 50
    talk[:3] = -100  # there was silence once: what follows is loud beside it
    assert words(rules.StandsAlone, made, quiet) == words(rules.Judge, made) == [(40, YES)]
    assert words(rules.StandsAlone, made, talk) == []
    assert words(rules.StandsAlone, made, np.full(STEPS, 5.0)) == [(40, YES)]  # all alike: nothing is loud


def test_a_word_that_stands_out_is_louder_than_what_came_before():
    made = scores((80, 84, YES, 60_000))
    level = np.full(STEPS, 10.0)
    level[36:40] = 40  # just before the report, and the mean has hardly moved
    heard = words(rules.Judge, made)
    assert words(rules.StandsOut, made, level) == heard == [(40, YES)]
    assert words(partial(rules.StandsOut, rise=31), made, level) == []
    assert words(rules.StandsOut, made, np.roll(level, -9)) == []  # too long ago
    assert words(rules.StandsOut, made, np.full(STEPS, 40.0)) == []  # as loud all the time


def test_loudness_is_the_first_coefficient_over_a_step():
    features = np.zeros((11, 12), np.int8)
    features[:, 0] = np.arange(11)
    assert rules.loudness(features).tolist() == [1.5, 5.5]


@pytest.fixture
def heard(monkeypatch):
    """Half an hour in which yes leads by little now and then, and a row in which it leads by much."""
    talk = np.tile(scores((40, 44, YES, 10_000)), (20, 1))
    said = scores((40, 44, YES, 90_000))
    stream = negatives.Stream("a", "talk", 1800.0, talk, (), np.zeros(len(talk) // 2))
    row = positives.Row(said, [live.Event(YES, 1.0, 1.6, 1.8)], np.zeros(STEPS))
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


def test_rules_are_compared_in_music_at_the_lead_that_ships(heard, monkeypatch):
    loud = scores((40, 44, YES, 2 * decision.LEAST_LEAD // 3))
    stream = negatives.Stream("a", "music", 1800.0, loud, (), np.zeros(STEPS))
    monkeypatch.setattr(negatives, "noise", lambda *_: [stream])
    (figure,) = figures.rules_in_music(None, None, None, None)
    rows = {row["rule"]: row for row in figure.value}
    assert [*rows] == [*rules.RULES_IN_MUSIC]
    assert rows["the least lead alone"]["music"]["per_hour"] == rows["the least lead alone"]["noise"]["per_hour"] == 2
    assert rows["stands out by 15 dB"]["music"]["events"] == 0  # nothing is louder than anything
    assert rows["the least lead alone"]["heard"]["clean"] == 100 > rows["stands out by 15 dB"]["heard"]["clean"]
