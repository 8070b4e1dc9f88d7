"""From an archive in the layout of the public one to a network that is judged: download, train, export, evaluate."""

import hashlib
import json
import shutil
import tarfile

import pytest

from tinyspeech import KEYWORDS, paths
from tinyspeech.__main__ import main
from tinyspeech.paths import BUNDLED
from tinyspeech.sound import audio, download


@pytest.fixture
def archive(tmp_path, monkeypatch):
    """Bundled recordings, a few of each word and split, as wav, with lists and noise, at the archive's address."""
    listed = {split: (BUNDLED / f"{split}_list.txt").read_text().split() for split in ("validation", "testing")}
    split_of = {name.rsplit(".", 1)[0]: split for split, names in listed.items() for name in names}
    kept = []
    for word in (*KEYWORDS, "bed", "cat", "dog"):
        found = {"training": [], "validation": [], "testing": []}
        for file in sorted((BUNDLED / word).glob("*.flac")):
            found[split_of.get(f"{word}/{file.stem}", "training")].append(file)
        kept += found["training"][:5] + found["validation"][:2] + found["testing"][:2]
    with tarfile.open(tmp_path / "speech_commands_v0.02.tar.gz", "w:gz", compresslevel=1) as tar:
        for file in [*kept, *sorted((BUNDLED / "_background_noise_").glob("*.flac"))]:
            wav = tmp_path / "one.wav"
            samples, rate = audio.read(file)
            audio.write(wav, samples, rate)
            tar.add(wav, f"./{file.parent.name}/{file.stem}.wav")
        for split, names in listed.items():
            (tmp_path / "list.txt").write_text("\n".join(name.replace(".flac", ".wav") for name in names))
            tar.add(tmp_path / "list.txt", f"./{split}_list.txt")
    made = tmp_path / "speech_commands_v0.02.tar.gz"
    monkeypatch.setattr(download, "URL", made.as_uri())
    monkeypatch.setattr(download, "SHA256", hashlib.sha256(made.read_bytes()).hexdigest())


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """Networks and firmware in folders of their own, so that those that ship stay as they are."""
    shutil.copytree(paths.FIRMWARE, tmp_path / "firmware")
    (tmp_path / "models").mkdir()
    monkeypatch.setattr(paths, "FIRMWARE", tmp_path / "firmware")
    monkeypatch.setattr(paths, "MODELS", tmp_path / "models")
    return tmp_path


def test_an_archive_becomes_a_network(archive, repository, run, capsys):
    folder, models = repository / "commands", repository / "models"
    assert main(["data", "download", "--out", str(folder)]) == 0
    capsys.readouterr()  # and its progress
    assert json.loads(run("data", "info", folder, "--json"))["splits"] == {"training": 65, "validation": 26,
                                                                           "testing": 26}
    trained = json.loads(run("train", "--config", "tinyspeech_s_clips.yaml", "--data", folder, "--epochs", 1,
                             "--qat-epochs", 1, "--batch-size", 16, "--device", "cpu", "--quiet", "--json",
                             "--save-pth", models / "mine.pt"))
    assert trained["file"] == str(models / "mine.pt")
    assert run("export", "--model", "mine").startswith("firmware/model.h and data/models/mine.npz")
    told = {engine: json.loads(run("evaluate", "--model", "mine", "--engine", engine, "--data", folder, "--json"))
            for engine in ("fake", "int", "c")}
    assert {n["n"] for n in told.values()} == {24}  # 20 keywords, 2 other words, 2 seconds of silence
    assert told["fake"]["confusion"] == told["int"]["confusion"] == told["c"]["confusion"]
