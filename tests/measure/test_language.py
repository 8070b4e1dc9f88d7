"""How the Arabic network is measured: on whose takes, and that C, chip and board agree about them."""

import numpy as np
import pytest

from tinyspeech.integer.network import IntegerModel
from tinyspeech.measure.figures import language
from tinyspeech.paths import BUNDLED, CONFIGS, model_file
from tinyspeech.sound import audio, corpora
from tinyspeech.training.config import load_config

MODEL = language.MODELS[0]
SPOKEN = ("yes", "no", "stop", "zero")


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Bundled voices as takes in the layout of the extract: two of validation's, one of training's; and noise."""
    takes, noise = tmp_path_factory.mktemp("takes"), tmp_path_factory.mktemp("noise")
    table = ["file\tstart_sample\tword\tspeaker\ttake\tsplit"]
    for word in SPOKEN:
        files = sorted(BUNDLED.glob(f"{word}/*.flac"))[:6]
        for i, split in enumerate(("train", "train", "val", "val", "val", "val")):
            table.append(f"{word}.wav\t{16_000 * i}\t{word}\t{i // 2 + 1:08}\t{i % 2 + 1:02}\t{split}")
        audio.write(takes / f"{word}.wav", np.concatenate([audio.load_clip(path) for path in files]))
    (takes / "index.tsv").write_text("\n".join(table) + "\n")
    audio.write(noise / "hiss.wav", np.random.default_rng(0).normal(0, 0.02, 400_000))
    return takes, noise


@pytest.fixture(scope="module")
def model():
    return IntegerModel.load(model_file(MODEL, ".npz"))


@pytest.mark.parametrize("name", language.MODELS)
def test_its_words_are_those_of_its_config_and_of_the_corpus(name):
    classes = IntegerModel.load(model_file(name, ".npz")).classes
    assert classes == load_config(CONFIGS / f"{name}.yaml").classes
    assert set(classes[2:]) <= set(corpora.ARABIC_WORDS.values())


def test_the_task_is_validations_with_silence_from_other_noise(model, folders):
    task = language.task_of(model, *folders)
    assert {task.corpus.speaker(name) for name in task.names if name not in task.silence} == {"00000002", "00000003"}
    count = dict(zip(task.classes, np.bincount(task.labels, minlength=12).tolist(), strict=True))
    assert {name: n for name, n in count.items() if n} == {"_silence_": 2, "_unknown_": 2, "naam": 4, "la": 4,
                                                           "tawaqaf": 4}
    assert all(name.startswith("_silence_/hiss_") for name in task.silence)


def test_takes_are_counted_and_the_chip_agrees(folders):
    made = {figure.key.split(".")[1]: figure for figure in language.on_takes(MODEL, *folders)}
    assert [*made] == ["accuracy_int_validation", "per_class_validation", "confusion_validation", "mismatches_int_c",
                       "mismatches_int_chip"]
    confusion = np.array(made["confusion_validation"].value)
    assert confusion.sum() == 16 and made["mismatches_int_c"].value == made["mismatches_int_chip"].value == 0
    assert made["accuracy_int_validation"].value == round(100 * confusion.trace() / 16, 2)
    assert made["accuracy_int_validation"].about["speakers"] == 2


def test_a_row_is_heard_and_the_board_agrees(folders, model, monkeypatch):
    monkeypatch.setattr(language, "BOARD_WORDS", 4)
    keywords, board = language.in_a_row(MODEL, *folders)
    assert [*keywords.value] == ["clean", "20 dB", "10 dB"]
    assert all(one["keywords"] == 12 for one in keywords.value.values())
    assert board.value["differ"] == 0 and set(board.value["words"]) <= set(model.classes[2:])
