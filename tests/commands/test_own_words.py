"""A network with other words than the ten English ones: they are printed wherever it answers, to the board itself."""

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from tinyspeech import KEYWORDS, paths
from tinyspeech.__main__ import main
from tinyspeech.board import monitor
from tinyspeech.board.cable import Cable
from tinyspeech.board.virtual import VirtualBoard, in_background, our_image
from tinyspeech.chip.firmware import exported_hash
from tinyspeech.integer import listening
from tinyspeech.integer.network import IntegerModel
from tinyspeech.lowbit.saved import load_checkpoint
from tinyspeech.paths import BUNDLED, ROOT
from tinyspeech.sound.mulaw import mulaw_decode

WORDS = ["naam", "la", "aala", "asfal", "yasar", "yamin", "iftah", "ighlaq", "qif", "ibda"]
CLASSES = ["_silence_", "_unknown_", *WORDS]


@pytest.fixture
def renamed(run, tmp_path, monkeypatch) -> Path:
    """The shipped network, exported as one that calls its words otherwise; the folder that model.h was written to."""
    content = load_checkpoint(ROOT / "data" / "models" / "tinyspeech_s.pt")
    content["config"]["words"] = WORDS
    for name in ("models", "firmware"):
        (tmp_path / name).mkdir()
        monkeypatch.setattr(paths, name.upper(), tmp_path / name)
    torch.save(content, tmp_path / "models" / "renamed.pt")
    shutil.copy(ROOT / "data" / "models" / "tinyspeech_s.npz", tmp_path / "models")
    run("export", "--model", "renamed")
    return tmp_path / "firmware"


@pytest.fixture
def said(folder, tmp_path) -> Path:
    """The small folder of bundled words, called by the other names."""
    out = tmp_path / "said"
    shutil.copytree(folder, out)
    for old, new in zip(KEYWORDS, WORDS, strict=True):
        (out / old).rename(out / new)
    listed = (out / "validation_list.txt").read_text().splitlines()
    name_of = dict(zip(KEYWORDS, WORDS, strict=True))
    (out / "validation_list.txt").write_text("\n".join(
        f"{name_of.get(word, word)}/{file}" for word, file in (line.split("/") for line in listed)))
    return out


def test_export_writes_the_words(renamed):
    model = IntegerModel.load(paths.MODELS / "renamed.npz")
    assert list(model.classes) == CLASSES
    assert r'model_words[] = "naam\0la\0aala\0' in (renamed / "model.h").read_text()
    assert exported_hash(renamed) == model.digest != exported_hash(ROOT / "firmware")


@pytest.mark.parametrize("engine", ["fake", "int", "c"])
def test_evaluate_counts_them(renamed, run, said, engine):
    """As often right as with the English names: the network is the same."""
    other = json.loads(run("evaluate", "--model", "renamed", "--engine", engine, "--data", said, "--json"))
    assert other["classes"] == CLASSES == list(other["per_class"])
    english = [sum(row) for row in other["confusion"]]
    assert english == [2, 2] + [2] * 10 and other["accuracy"] > 0.4


def test_classify_says_them_on_the_chip(renamed, run, word):
    told = json.loads(run("classify", word, "--model", "renamed", "--engine", "chip", "--json"))
    assert told["word"] == "naam" and list(told["scores"]) == CLASSES
    assert run("classify", word, "--model", "renamed", "--engine", "int").splitlines()[0] == "naam"


def test_a_board_says_them_and_is_armed_by_them(renamed):
    """On the board's own clock: the lines are the definition's, and the first word is found by the board's network."""
    model = IntegerModel.load(paths.MODELS / "renamed.npz")
    for wav in sorted((BUNDLED / "yes").iterdir()):
        samples = monitor.recording(wav)
        expected = listening.words(model, mulaw_decode(np.frombuffer(samples, np.uint8)))
        if [name for _, name in expected] == ["naam"]:
            break
    line = Cable(VirtualBoard(our_image("renamed")))
    words, notices = [], []
    asked = monitor.Monitor(line, words.append, notices.append, lambda: line.board.now)
    told = asked.settings(lambda kept: dataclasses.replace(kept, first_word="naam"))
    assert told.first_word == "naam" and asked.network.digest == model.digest
    monitor.listen(line, words.append, notices.append, samples, now=lambda: line.board.now)
    assert [(word.frame, word.word) for word in words] == expected and not notices


def test_listen_arms_a_board_by_its_own_words(renamed, capsys):
    port = in_background(VirtualBoard(our_image("renamed")))
    assert main(["listen", "--port", port, "--seconds", "0.2", "--armed", "la", "--json"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[0]) == {"sensitivity": "normal", "armed": "la"}
    assert main(["listen", "--port", port, "--armed", "yes"]) == 2
    assert "choose from naam, la" in capsys.readouterr().err


def test_a_model_and_an_image_exclude_each_other(refused):
    refused("not allowed with", "board", "--image", "x.bin", "--model", "tinyspeech_s")
    refused("--blank and --model", "board", "--blank", "--model", "tinyspeech_s")
    refused("no trained model 'gpt'", "board", "--model", "gpt")
    refused("no trained model 'gpt'", "flash", "--port", "/dev/null", "--model", "gpt")
