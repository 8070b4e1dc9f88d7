"""Ten words of one's own, in a config and from another network's start."""

import pytest
import torch
from support.small_training import NETWORK, bands, config

from tinyspeech import KEYWORDS
from tinyspeech.errors import UserError
from tinyspeech.lowbit.saved import load_checkpoint
from tinyspeech.training import data, train
from tinyspeech.training.config import TrainConfig

WORDS = ["naam", "la", "aala", "asfal", "yasar", "yamin", "fath", "ighlaq", "qif", "ibda"]
CLASSES = ("_silence_", "_unknown_", *WORDS)


def test_training_takes_ten_words_of_its_own():
    assert TrainConfig(words=WORDS).classes == CLASSES
    assert TrainConfig().words == [*KEYWORDS]
    for wrong in (WORDS[:9], [*WORDS[:9], "naam"], [*WORDS[:9], "Ibda"], [*WORDS[:9], "tawaqqafa"], [*WORDS[:9], 3]):
        with pytest.raises(UserError, match="'words' must be 10 different words"):
            TrainConfig(words=wrong)
    with pytest.raises(UserError, match="'words' must be of type list"):
        TrainConfig(words="naam")


def test_they_are_labels_and_stay_in_the_file(tmp_path):
    assert data.label_of(["la", "yes", "ibda", "asfal"], CLASSES).tolist() == [3, data.UNKNOWN, 11, 5]
    train.train(config(words=WORDS, epochs=1), bands(), tmp_path / "net.pt", quiet=True)
    assert load_checkpoint(tmp_path / "net.pt")["config"]["words"] == WORDS


def test_a_start_of_other_words_gives_all_but_the_classifier(tmp_path):
    train.train(config(qat_epochs=0, epochs=1), bands(), tmp_path / "english.pt", quiet=True)
    start = {"start": str(tmp_path / "english.pt"), "network": NETWORK}
    want = train.load_model(tmp_path / "english.pt").state_dict()
    for words, same in ((None, True), (WORDS, False)):
        settings = config(**start, **({} if words is None else {"words": words}))
        model = train.build(settings)
        fresh = model.classifier.weight.detach().clone()
        train.load_start(settings, model)
        got = model.state_dict()
        assert all(torch.equal(got[key], value) for key, value in want.items() if not key.startswith("classifier"))
        assert torch.equal(got["classifier.weight"], want["classifier.weight"]) is same
        assert torch.equal(got["classifier.weight"], fresh) is not same
