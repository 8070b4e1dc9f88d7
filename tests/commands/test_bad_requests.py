"""What is asked for and cannot be: one line on standard error and exit code 2."""

import importlib.util
import json
import shutil

import pytest

from tinyspeech import ENGINES, paths
from tinyspeech.__main__ import main
from tinyspeech.chip import firmware
from tinyspeech.integer.network import IntegerModel
from tinyspeech.measure import engines, store
from tinyspeech.paths import BUNDLED, DATA
from tinyspeech.toolchain import compile as compiling


@pytest.mark.parametrize("arguments, match", [
    ([], "COMMAND"), (["dance"], "dance"), (["evaluate", "--colour", "red"], "--colour"), (["classify"], "file"),
    (["data"], "ACTION"), (["data", "eat"], "eat"), (["evaluate", "--engine", "abacus"], "abacus.*float.*chip"),
    (["evaluate", "--limit", "few"], "few"), (["evaluate", "--limit", "0"], "limit"),
    (["evaluate", "--limit"], "limit"), (["evaluate", "--limit", "-3"], "limit"),
    (["evaluate", "--split", "exam"], "exam.*training.*all"),
    (["evaluate", "--seed", "x"], "seed"), (["evaluate", "--data", "/nowhere/at/all"], "does not exist"),
    (["evaluate", "--data", __file__], "is a file"),
    *((["evaluate", "--snr", ratio], f"ratio of {ratio} dB.*-100 to 100") for ratio in ("nan", "inf", "100.1", "-101")),
    (["evaluate", "--snr", "loud"], "loud"), (["evaluate", "--snr"], "snr"),
    (["evaluate", "--noise", "x"], "give --snr"),
    (["evaluate", "--snr", "5", "--noise", "/nowhere"], "/nowhere does not exist.*--noise"),
    (["evaluate", "--model", "gpt"], "no trained model 'gpt'.*tinyspeech_s"),
    (["evaluate", "--model", "gpt", "--engine", "float"], "no trained model 'gpt'"),
    (["evaluate", "--model", "../x", "--engine", "c"], "no trained model"),
    (["evaluate", "--dump", "/nowhere/d.npz"], "cannot write /nowhere/d.npz"),
    (["evaluate", "--dump", "/"], "cannot write /: .*folder"),
    (["classify", "x.wav", "--engine", "abacus"], "abacus"), (["data", "info", "/nowhere"], "does not exist"),
    (["export", "--model", "gpt"], "no trained model 'gpt'"), (["models", "gpt"], "gpt"), (["train"], "--config"),
    (["book"], "ACTION"), (["book", "eat"], "eat.*execute.*pictures"), (["book", "publish"], "address"),
    (["book", "publish", "nowhere"], "nowhere: give the repository's address"), (["book", "serve", "--port", "x"], "x"),
    (["train", "--config", "nothing.yaml"], "cannot read config nothing.yaml"),
    (["train", "--config", "tinyspeech_s.yaml", "--epochs", "many"], "many"),
    (["train", "--config", "tinyspeech_s_clips.yaml", "--epochs", "0"], "'epochs'.*1 or more"),
    (["train", "--config", "tinyspeech_s.yaml", "--lr", "-1"], "'lr'"),
    *((["train", "--config", "tinyspeech_s.yaml", "--threads", n], f"--threads.*not {n}") for n in ("0", str(10**11))),
    (["train", "--config", "tinyspeech_s.yaml", "--save-pth", ""], "give the name of a file"),
    (["board", "--baud", "12"], "300 to 3000000, not 12"),
    (["board", "--assume", "luck=yes"], "no assumption is called"),
    (["board", "--assume", "crystal=maybe"], "crystal is none of"),
    (["board", "--wav", ""], "is a folder"), (["board", "--image", ""], "is a folder"),
    (["flash", "--port", "none", "--image", ""], "is a folder"),
    (["train", "--config", "tinyspeech_s.yaml", "--device", "tpu"], "unknown device 'tpu'"),
    (["train", "--config", "tinyspeech_s_clips.yaml", "--data", "/nowhere"], "no training data at /nowhere"),
], ids=lambda value: " ".join(value) or "nothing" if isinstance(value, list) else "")
def test_bad_requests(refused, arguments, match, monkeypatch):
    for engine in engines.CLASSES_OF.values():
        monkeypatch.setattr(engine, "run", lambda *_: pytest.fail("computed before all was checked"))
    refused(match, *arguments)


def test_unknown_config_key(refused, tmp_path):
    (tmp_path / "c.yaml").write_text("model: tinyspeech_s\ncolour: red\n")
    refused("unknown key 'colour'.*known: .*epochs", "train", "--config", tmp_path / "c.yaml")


def test_asking_for_a_gpu_that_is_not_there(refused, monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    refused("no GPU", "train", "--config", "tinyspeech_s.yaml", "--device", "cuda")


@pytest.mark.parametrize("engine", ["c", "chip"])
def test_missing_compiler(refused, engine, word, tmp_path, monkeypatch):
    original = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *a: None if name == "ziglang" else original(name, *a))
    monkeypatch.setattr(compiling, "CACHE", tmp_path / "build")
    refused("no C compiler: install the package ziglang", "classify", word, "--engine", engine)


@pytest.mark.parametrize("engine", ["c", "chip"])
def test_a_network_that_the_firmware_does_not_hold(engine, word, capsys):
    """It gets a build of its own, and `model.h` stays as it is."""
    answers = {}
    for who in ("int", engine):
        assert main(["classify", str(word), "--model", "tinyspeech_xs", "--engine", who, "--json"]) == 0
        answers[who] = json.loads(capsys.readouterr().out)["scores"]
    assert answers[engine] == answers["int"]
    assert IntegerModel.load(paths.MODELS / "tinyspeech_xs.npz").digest != firmware.exported_hash()


def test_nothing_is_trained_yet(refused, word, tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "MODELS", tmp_path)
    for engine in ENGINES:
        refused("no trained model.*python -m tinyspeech train", "classify", word, "--engine", engine)


def test_damaged_models(refused, word, tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "MODELS", tmp_path)
    for name in ("tinyspeech_s.npz", "tinyspeech_s.pt", "tinyspeech_s_float.pt"):
        (tmp_path / name).write_bytes((DATA / "models" / name).read_bytes()[:3000])
    for engine in ENGINES:
        refused("not a checkpoint|not an integer model", "classify", word, "--engine", engine)


def test_a_network_that_has_no_integers(refused, word, tmp_path, monkeypatch):
    """Paper networks are float: the other engines say so."""
    monkeypatch.setattr(paths, "MODELS", tmp_path)
    shutil.copy(DATA / "models" / "tinyspeech_s_float.pt", tmp_path / "tinyspeech_z_float.pt")
    refused("'tinyspeech_z' is trained in float alone: `evaluate --engine float`", "classify", word, "--engine", "int",
            "--model", "tinyspeech_z")
    refused("no trained model 'printed_z' of this kind", "classify", word, "--engine", "int", "--model",
            "printed_z")
    (tmp_path / "tinyspeech_z_float.pt").rename(tmp_path / "mine.pt")  # as `train --save-pth` leaves it
    refused("'mine' is trained but has no integers", "classify", word, "--engine", "int", "--model", "mine")
    assert main(["classify", str(word), "--engine", "float", "--model", "mine"]) == 0


def test_a_network_that_was_not_exported_yet(refused, word, tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "MODELS", tmp_path)
    shutil.copy(DATA / "models" / "tinyspeech_xs.pt", tmp_path / "mine.pt")
    refused("no integers yet: run `python -m tinyspeech export --model mine`", "evaluate", "--model", "mine")


def test_what_a_new_user_ran_into(refused, tmp_path):
    (tmp_path / "odd.yaml").write_text("model: resnet\n")
    refused("resnet", "train", "--config", tmp_path / "odd.yaml")
    refused("a seed of -1: give 0 or more", "evaluate", "--seed", -1)
    refused("no trained model '../models/tinyspeech_s'", "evaluate", "--model", "../models/tinyspeech_s")
    refused("--gain and --noise are of a recording", "board", "--gain", 2)
    word = next(BUNDLED.glob("yes/*.flac"))
    refused("noise -5 at least 0", "board", "--wav", word, "--noise", -5)


@pytest.mark.parametrize("arguments, match", [
    ([], "give --only NAME, or one of the actions"), (["eat"], "eat.*all.*bits"), (["all"], "--speech.*--logmel"),
    (["all", "--speech", "nowhere", "--logmel", "nowhere"], "nowhere"), (["live", "--speech", "nowhere"], "nowhere"),
    (["choose", "--speech", "nowhere"], "--negatives, --noise, --rooms"),
    (["choose"], "--speech"), (["experiments", "--logmel", "nowhere"], "nowhere"), (["experiments"], "--logmel"),
    (["experiments", "--logmel", "nowhere", "--only", "nothing"], "no group nothing; there are .*attention"),
    (["bits", "--logmel", "nowhere", "--speech", "nowhere"], "nowhere"),
    (["bits", "--logmel", "nowhere", "--speech", "nowhere", "--only", "Q"], "no network Q; there are"),
    (["bits", "--logmel", "nowhere", "--speech", "nowhere", "--workers", "0"], "--workers must be 1 or more"),
    (["--only", "nothing.at.all"], "nothing.at.all"), (["--only"], "--only"),
    (["--only", "live.seconds"], "--speech"), (["--only", "live.seconds", "--speech", "nowhere"], "nowhere"),
], ids=lambda value: " ".join(value) or "nothing" if isinstance(value, list) else "")
def test_bad_requests_to_measure(refused, arguments, match, monkeypatch):
    monkeypatch.setattr(store, "record", lambda *_, **__: pytest.fail("recorded"))
    refused(match, "measure", *arguments)
