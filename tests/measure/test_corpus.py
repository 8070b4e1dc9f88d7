"""What the data hold, and what training on recordings gives beside training on pictures: on bundled clips."""

import shutil

import numpy as np
import pytest
import torch

from tinyspeech import KEYWORDS
from tinyspeech.measure import store
from tinyspeech.measure.figures import corpus, training
from tinyspeech.paths import BUNDLED, ROOT
from tinyspeech.sound import audio
from tinyspeech.training.data import Bands, load
from tinyspeech.training.features import logmel_pixels


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Ten keywords and two other words, six clips each to train on and two to judge, and noise."""
    root, validation = tmp_path_factory.mktemp("words"), (BUNDLED / "validation_list.txt").read_text().split()
    for word in (*KEYWORDS, "bed", "cat"):
        (root / word).mkdir()
        files = sorted((BUNDLED / word).glob("*.flac"))
        kept = [file for file in files if f"{word}/{file.name}" in validation][:2]
        for file in [*kept, *[file for file in files if f"{word}/{file.name}" not in validation][:6]]:
            shutil.copy(file, root / word)
    shutil.copytree(BUNDLED / "_background_noise_", root / "_background_noise_")
    (root / "validation_list.txt").write_text("\n".join(validation))
    return root


@pytest.fixture(scope="module")
def pictures(folder, tmp_path_factory):
    """The same clips twice, as a log-mel set."""
    files = sorted(folder.glob("[a-z]*/*.flac"))
    clips = torch.tensor(np.stack([audio.load_clip(file) for file in files])) / 32768
    x = logmel_pixels(clips.float()).round().numpy().astype(np.uint8)
    listed = (folder / "validation_list.txt").read_text().split()
    splits = ["validation" if f"{file.parent.name}/{file.name}" in listed else "training" for file in files]
    path = tmp_path_factory.mktemp("pictures") / "set.npz"
    words, names = zip(*((file.parent.name, file.stem) for file in files), strict=True)
    np.savez(path, x=np.concatenate([x, x]), noise=x[:10], word=words * 2, name=names * 2, split=splits * 2)
    return path


def test_clips_are_counted(folder, pictures):
    (told,) = corpus.pictures(pictures)
    assert told.value["keywords"] == {"training": 120, "validation": 40} and told.value["noise"] == 10
    assert told.value["others"] == {"training": 24, "validation": 8} and told.value["other_words"] == 2
    (told,) = corpus.recordings(folder)
    assert told.value["keywords"] == {"training": 60, "validation": 20} and told.value["all"] == 96
    assert told.value["others"] == {"training": 12, "validation": 4} and told.value["least"] == 6
    assert list(corpus.pictures(folder)) == [] == list(corpus.trained_on_either(folder, folder))


def test_as_many_clips_of_each_class_and_split():
    like = Bands(torch.zeros(5, 98, 20), torch.tensor([2, 2, 1, 2, 3]), torch.tensor([0, 0, 0, 1, 1]).bool(),
                 torch.zeros(4, 98, 20), torch.zeros(2, 98, 20))
    many = Bands(torch.arange(60.0)[:, None, None].expand(60, 98, 20), torch.arange(60) % 6, torch.arange(60) > 29,
                 torch.ones(5, 98, 20))
    fewer = corpus.as_many(many, like)
    assert sorted(zip(fewer.label.tolist(), fewer.validation.tolist(), strict=True)) == [
        (1, False), (2, False), (2, False), (2, True), (3, True)]
    assert len(fewer.x[:, 0, 0].unique()) == 5 and fewer.noise is like.noise
    assert torch.equal(fewer.x[:, 0, 0].long() % 6, fewer.label)


def test_recordings_and_their_pictures_are_of_one_scale(folder, pictures):
    """Octaves of the same clips, but for the lowest band, which the chip copies from its neighbour."""
    heard, seen = load(folder), corpus.as_many(load(pictures), load(folder))
    by_word = [(bands.x[bands.label == 2].float()[..., 1:].clamp(min=4).mean()) for bands in (heard, seen)]
    assert by_word[0] == pytest.approx(by_word[1], abs=0.25)


def test_either_is_trained_on_and_both_are_judged(folder, pictures):
    short = {"epochs": 1, "qat_epochs": 0, "average": 0.0, "batch_size": 16}
    right, front_end = corpus.trained_on_either(folder, pictures, short)
    assert right.value.keys() == right.value["pictures"].keys() == {"recordings", "pictures"}
    assert all(len(row["values"]) == len(corpus.SEEDS) for rows in right.value.values() for row in rows.values())
    assert right.about["n"] == 24 and right.about["clips"] == 72
    assert front_end.value["archive_minutes"] == pytest.approx(
        corpus.ARCHIVE * front_end.value["clip_ms"] / 60_000, rel=0.1, abs=1)


EPOCH = {"float": 6.0, "quantised": 12.0}


@pytest.mark.parametrize("entry, minutes, by", [
    ({"seconds": training.SECONDS, "value": [{"seconds": 90, "seeds": [0, 1]}, {"seconds": 60, "seeds": [0]}]}, 4,
     "processor"),
    ({"value": [{"seconds": 90, "seeds": [0, 1]}, {"seconds": 60, "seeds": [0]}]}, 4, "wall"),
    ({"seconds": training.SECONDS, "value": [{"seconds": None, "seeds": [0, 1], "epochs": 10, "qat_epochs": 5},
                                             {"seconds": 60, "seeds": [0]}]}, 5, "epochs"),
])
def test_minutes_are_the_seconds_of_all_rows_and_seeds(entry, minutes, by):
    assert training.minutes_of(entry, EPOCH) == (minutes, by)


def test_recorded_minutes_add_up():
    entry = store.load()["reproduce.minutes"]
    groups = [key for key in entry["value"] if key not in ("all", "train", "train_t", "train_clips")]
    assert entry["value"]["all"] == sum(entry["value"][key] for key in groups)
    assert entry["by"].keys() == entry["value"].keys() - {"all"}


def test_every_measured_group_of_experiments_has_its_line_on_the_page():
    """With its minutes and how they are known."""
    page = (ROOT / "book" / "reproducing.md").read_text()
    for group in store.load()["reproduce.minutes"]["by"].keys() - {"train", "train_t", "train_clips"}:
        line = next(line for line in page.splitlines() if f"--only {group}`" in line)
        assert f"results:reproduce.minutes.value.{group} " in line and f"results:reproduce.minutes.by.{group} " in line
