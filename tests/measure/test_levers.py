"""What each lever of training gives: the table's configs, and a network judged at equal hearing."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from tinyspeech import CLASSES, paths
from tinyspeech.measure import live, negatives, positives
from tinyspeech.measure.figures import levers
from tinyspeech.training import streams, train

YES = CLASSES.index("yes")


def test_each_row_pulls_one_lever_more_and_the_last_is_what_ships():
    alone, heard, remembers, taught = levers.configs().values()
    assert not alone.streams and alone.epochs == 0 and "memory" not in alone.network
    assert heard.streams and "memory" not in heard.network and not heard.teacher
    assert remembers.network["memory"] and not remembers.teacher and remembers.streams == heard.streams
    assert taught.teacher and taught.network == remembers.network
    assert len({(c.weight_bits, c.start, c.seed, c.qat_epochs) for c in (alone, heard, remembers, taught)}) == 1


def scores(leads):
    """int64 [n * 60, 12]: silence, and once in 60 rows yes leads by so much for two."""
    made = np.zeros((60 * len(leads), len(CLASSES)), np.int64)
    made[:, 0] = 1
    for i, lead in enumerate(leads):
        made[60 * i + 20 : 60 * i + 22, YES] = lead
    return made


@pytest.fixture
def heard(monkeypatch):
    """A hundred words of which ten are hardly heard, and an hour of talk in which something now and then sounds so."""
    words = scores([5_000] * 10 + [200_000] * 90)
    begin = [live.seconds_of(60 * i + 20) for i in range(100)]
    row = positives.Row(words, [live.Event(YES, at - 0.5, at - 0.2, at + 0.1) for at in begin])
    stream = negatives.Stream("a", "talk", 3600.0, scores([60_000] * 7 + [400_000] * 2))
    monkeypatch.setattr(positives, "rows", lambda *_: {"clean": row, "10 dB": row, "clean, room": row})
    monkeypatch.setattr(negatives, "speech", lambda *_, **__: [stream])


def test_a_network_is_judged_where_it_hears_enough(heard, monkeypatch):
    found = levers.at_equal_hearing(None, None, [], None, None)
    assert found["heard"] == found["heard_10_db"] == 90.0 and found["events"] == 2
    assert 200_000 < found["least_lead"] < 400_000  # two rows of it, of which the first has leaked
    monkeypatch.setattr(levers, "HEARD", 95.0)
    assert levers.at_equal_hearing(None, None, [], None, None)["events"] == 9
    monkeypatch.setattr(levers, "HEARD", 101.0)
    assert levers.at_equal_hearing(None, None, [], None, None)["least_lead"] == levers.LEADS[0]


def test_rows_are_trained_in_turn_and_their_integers_measured(heard, monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr(paths, "RUNS", tmp_path)
    monkeypatch.setattr(streams, "load", lambda *args: args[2])
    monkeypatch.setattr(levers, "data_of", lambda *_: None)
    monkeypatch.setattr(train, "train", lambda config, data, out, **rest: asked.append((config, out.name, rest)))
    monkeypatch.setattr(levers.saved, "load_model", lambda path: path)
    twin = SimpleNamespace(run=lambda x: np.eye(12)[np.zeros(len(x), int)])  # silence, whatever it hears
    monkeypatch.setattr(levers.lower, "integer_twin", lambda path, name: twin)
    monkeypatch.setattr(levers, "validation_set", lambda data: (torch.zeros(4, 49, 12), torch.tensor([0, 0, 0, 5])))
    (figure,) = levers.levers(tmp_path, tmp_path, [tmp_path], tmp_path / "noise", tmp_path)
    assert [row["label"] for row in figure.value] == list(levers.configs()) and figure.key == "hours.levers"
    assert {row["clips"] for row in figure.value} == {75.0} and figure.value[0]["events"] == 2
    assert [name for _, name, _ in asked] == [f"lever_{i}.pt" for i in range(4)]
    assert [rest["sounds"] is None for *_, rest in asked] == [True, False, False, False]
    assert asked[1][2]["sounds"] == [tmp_path / "noise", tmp_path / "_background_noise_"] and not asked[0][2]["resume"]
