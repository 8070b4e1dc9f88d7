"""Project "half a chip": exact scores of the networks that come with the page, and each way to be wrong."""

import numpy as np
import pytest
import torch
from support import small_training

from tinyspeech import paths
from tinyspeech.board.direct import ChipResult
from tinyspeech.chip.emulator import ChipFault
from tinyspeech.errors import UserError
from tinyspeech.exercises.projects import budget
from tinyspeech.integer.network import IntegerModel

NAMES = ("flash", "RAM", "time", "clean", "in noise")
NARROW = paths.PROJECTS / "narrow.npz"


def saved(folder, network):
    path = folder / "mine.npz"
    budget.untrained(network).save(path)
    return path


@pytest.mark.parametrize(("name", "figures", "points"), [
    ("narrow", (8_088, 1_548, 8_306_137, 191, 165), 706), ("plain", (8_008, 1_612, 8_792_625, 203, 183), 765),
    ("often", (8_032, 1_660, 10_203_959, 209, 187), 785)])
def test_scores_of_the_networks_that_come_with_the_page(name, figures, points):
    score = budget.score(paths.PROJECTS / f"{name}.npz")
    assert score.passed and score.points == points
    assert tuple(score[name] for name in NAMES) == figures
    assert budget.cost(budget.SHAPES[name]).keys() == {*NAMES[:3]}


def test_what_ships_needs_more_than_half_a_chip():
    score = budget.score(paths.model_file(paths.SHIPPED, ".npz"))
    assert score.points == 0 and "flash: " in score.wrong and "BROKEN" in str(score)
    assert score["clean"] > 209


def test_other_voices_to_choose_by():
    assert budget.score(NARROW, "validation").points == 668


def test_together_they_are_small():
    assert sum(path.stat().st_size for path in paths.PROJECTS.iterdir()) < 60_000


# ---------------------------------------------------------------- what is wrong


@pytest.mark.parametrize(("network", "wrong"), [
    ({"channels": 32, "expansion": 48, "condenser": 0}, "flash: "),
    ({"channels": 20, "expansion": 8, "head": 8, "condenser": 0, "kernels": (9, 9, 9)}, "RAM: "),
    ({**budget.SHAPES["often"], "flush": 48}, "time: ")])
def test_a_broken_limit_is_told(tmp_path, network, wrong):
    limit = next(one for one in budget._figures(budget.untrained(network)) if not one.kept)
    score = budget.score(saved(tmp_path, network))
    assert score.points == 0 and score.wrong.startswith(wrong) and score.hint == limit.hint


def test_a_network_that_no_chip_holds(tmp_path):
    score = budget.score(saved(tmp_path, {"channels": 64, "expansion": 96, "condenser": 0}))
    assert score.wrong.startswith("the firmware cannot hold this network") and score.hint == budget.SMALLER
    with pytest.raises(UserError, match="cannot hold"):
        budget.cost({"channels": 64, "expansion": 96, "condenser": 0})


def test_numbers_that_the_firmware_has_not(tmp_path):
    model = IntegerModel.load(NARROW)
    model.layers[0].bias[0] = 3000
    model.save(tmp_path / "mine.npz")
    score = budget.score(tmp_path / "mine.npz")
    assert "layer stem: the firmware takes biases of 12 bits" in score.wrong and score.hint == budget.OTHERWISE


def test_a_shape_that_there_is_not():
    with pytest.raises(UserError, match="positive multiple of 4"):
        budget.cost({"channels": 13})


def test_files_that_are_no_networks(tmp_path):
    (foreign := tmp_path / "foreign.npz").write_bytes(b"PK\3\4 no")
    for file, wrong in ((tmp_path / "none.npz", "no integer model at"), (foreign, "is not an integer model"),
                        (tmp_path, "folder")):
        score = budget.score(file)
        assert wrong in score.wrong and "budget.train" in score.hint and score.points == 0


def test_another_task_is_none():
    score = budget.score(paths.model_file("arabic", ".npz"))
    assert score.wrong.startswith("it answers _silence_, _unknown_") and "The classes are" in score.hint


def test_a_chip_that_answers_otherwise(monkeypatch):
    model = IntegerModel.load(NARROW)
    x8, features, _ = budget._clips("validation")
    right = model.run(features[:2])
    wrong = right.copy()
    wrong[1, 3] += 1
    monkeypatch.setattr(budget, "classify_many", lambda elf, x: [ChipResult(row, 0, None, 0, 0) for row in wrong])
    with pytest.raises(budget.Refused, match=f"clip 1 on the chip: score 3 is {wrong[1, 3]}, {right[1, 3]} is right"):
        budget._compare(model, x8[:2], right)


def test_a_chip_that_stops(monkeypatch):
    def stops(*_):
        raise ChipFault("stack overflow", 0x100, 0x20000000)

    for name in ("classify_many", "report_firmware"):
        with monkeypatch.context() as patch:
            patch.setattr(budget, name, stops)
            score = budget.score(NARROW, "validation")
            assert score.wrong.startswith("the chip stops: stack overflow") and score.hint == budget.REMEMBERED


# ---------------------------------------------------------------- what judges it


def test_what_judges_cannot_be_changed():
    for array in budget._clips("validation"):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


def test_clips_in_noise_are_a_tenth_as_loud_as_the_clip_and_whole_numbers():
    dice = np.random.default_rng(0)
    clip, noise = (dice.integers(-2000, 2000, 16000).astype(np.int16) for _ in range(2))
    added = budget.in_noise(clip, noise).astype(float) - clip
    assert (clip.astype(float) ** 2).sum() / (added**2).sum() == pytest.approx(budget.SNR, rel=0.01)
    assert (budget.in_noise(np.zeros(16000, np.int16), noise) == 0).all()
    loud = budget.in_noise(np.full(16000, 32767, np.int16), noise)
    assert loud.dtype == np.int16 and loud.min() > 0


# ---------------------------------------------------------------- training


def test_training_writes_a_file_that_can_be_scored(tmp_path, monkeypatch):
    monkeypatch.setattr(budget, "_bands", small_training.bands)
    file = budget.train(small_training.NETWORK, tmp_path / "new" / "mine.npz", epochs=1, few_bits=1, weight_bits=2)
    model = IntegerModel.load(file)
    assert model.provenance["seed"] == 0 and {*np.unique(model.layers[0].weight)} <= {-3, -1, 1, 3}
    assert [*file.parent.iterdir()] == [file]


def test_training_refuses_what_it_cannot_do(tmp_path, monkeypatch):
    monkeypatch.setattr(budget, "_bands", small_training.bands)
    with pytest.raises(UserError, match="epochs"):
        budget.train(small_training.NETWORK, tmp_path / "mine.npz", epochs=0)
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot write"):
        budget.train(small_training.NETWORK, tmp_path / "file" / "mine.npz", epochs=1)


def test_random_numbers_of_the_reader_stay_what_they_were():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    budget.untrained(budget.SHAPES["narrow"])
    assert torch.equal(torch.rand(3), expected)
