"""The official test set is for finished networks: its figure is of integers with a digest, and asked for by name."""

import shutil

import pytest

from tinyspeech import CLASSES, paths
from tinyspeech.errors import UserError
from tinyspeech.integer.network import IntegerModel
from tinyspeech.measure import registry, store
from tinyspeech.measure.evaluate import evaluate
from tinyspeech.measure.figures import network
from tinyspeech.measure.metrics import wilson_interval
from tinyspeech.paths import BUNDLED


@pytest.fixture
def test_set(tmp_path):
    """Bundled clips in the layout of the official archive: a folder a class, with those of silence and other words."""
    for name, source in {word: word for word in CLASSES if word[0] != "_"}.items():
        (tmp_path / "set" / name).mkdir(parents=True)
        for file in sorted((BUNDLED / source).iterdir())[:2]:
            shutil.copy(file, tmp_path / "set" / name)
    for name, source in (("_unknown_", "bed"), ("_silence_", "_background_noise_")):
        (tmp_path / "set" / name).mkdir()
        for file in sorted((BUNDLED / source).iterdir())[:2]:
            shutil.copy(file, tmp_path / "set" / name)
    return tmp_path / "set"


@pytest.fixture
def results(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "RESULTS", tmp_path / "results.json")


@pytest.mark.parametrize("model", registry.TESTED)
def test_a_figure_says_of_which_integers_it_is(model, test_set, results, monkeypatch):
    monkeypatch.setattr(network, "OFFICIAL_CLIPS", 24)
    key = f"{model}.official_test"
    made = dict(registry.make([key], test_set=test_set))[key]
    told = evaluate(model, "int", test_set)
    low, high = wilson_interval(round(told["accuracy"] * 24), 24)
    assert (made["n"], made["value"]) == (24, round(100 * told["accuracy"], 2))
    assert made["interval_95"] == [round(100 * low, 2), round(100 * high, 2)]
    assert made["model_hash"] == IntegerModel.load(paths.model_file(model, ".npz")).digest
    assert {"date", "commit", "engine"} <= made.keys() and made["command"] == registry.command_of(key)


def test_published_figures_have_all_that_belongs_to_them():
    published = [model for model in registry.TESTED if f"{model}.official_test" in store.load()]
    assert {"tinyspeech_s", "tinyspeech_xs"} <= {*published}
    for model in published:
        entry = store.load()[f"{model}.official_test"]
        right = round(entry["value"] / 100 * entry["n"])
        assert entry["n"] == 4890 and round(100 * right / 4890, 2) == entry["value"]
        assert entry["interval_95"] == [round(100 * end, 2) for end in wilson_interval(right, 4890)]
        assert len(entry["model_hash"]) == 12 and entry["date"] and entry["commit"]


def test_another_folder_is_refused(results):
    with pytest.raises(UserError, match=r"is not the official test set.*data download --test-set"):
        dict(registry.make(["tinyspeech_s.official_test"], test_set=BUNDLED))
    assert store.load() == {}


def test_a_part_of_the_test_set_is_refused(test_set, results):
    with pytest.raises(UserError, match=r"has 24 clips, not 4,890"):
        dict(registry.make(["tinyspeech_s.official_test"], test_set=test_set))
    assert store.load() == {}


def test_whoever_measures_everything_leaves_it_alone():
    assert not [key for key in registry.names(long=True) if "official_test" in key]
    assert registry.command_of("tinyspeech_s.official_test").endswith("--test-set FOLDER")
