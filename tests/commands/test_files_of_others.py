"""Paths that lead nowhere, networks with code in them, outputs that are closed: a line and exit code 2, everywhere.
"""

import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest
import torch

from tinyspeech import paths
from tinyspeech.__main__ import main
from tinyspeech.integer.network import IntegerModel
from tinyspeech.lowbit import saved
from tinyspeech.outside import arrays

ROOT_USER = hasattr(os, "geteuid") and os.geteuid() == 0


@pytest.fixture
def closed(tmp_path):
    """A place inside a folder of somebody else's, or for root, whom no folder keeps out, one that no system can have.
    """
    if ROOT_USER:
        yield tmp_path / ("x" * 300)
        return
    (tmp_path / "private").mkdir(mode=0)
    yield tmp_path / "private" / "x"
    (tmp_path / "private").chmod(0o700)


@pytest.mark.parametrize("arguments", [
    ["classify", "{}"], ["classify", "{yes}", "--engine", "int", "--words", "{}"],
    ["train", "--config", "{}"], ["train", "--config", "tinyspeech_s_clips.yaml", "--data", "{}"],
    ["train", "--config", "tinyspeech_s_clips.yaml", "--save-pth", "{}.pt"],
    ["train", "--config", "tinyspeech_s.yaml", "--negatives", "{}", "--ambience", "{}", "--rooms", "{}"],
    ["evaluate", "--engine", "int", "--data", "{}"], ["evaluate", "--engine", "int", "--limit", "2", "--dump", "{}"],
    ["evaluate", "--engine", "int", "--snr", "5", "--noise", "{}"],
    ["data", "info", "{}"], ["data", "download", "--out", "{}"], ["board", "--wav", "{}"], ["board", "--image", "{}"],
    ["teach", "--word", "tea", "--wav", "{}", "--out", "new.npz"],
    ["teach", "--word", "tea", "--wav", "{yes}", "--out", "{}"],
    ["listen", "--port", "none", "--wav", "{}"], ["listen", "--port", "none", "--wav", "{yes}", "--keep", "{}"],
    ["listen", "--port", "{}"], ["flash", "--port", "{}"], ["flash", "--port", "none", "--image", "{}"],
    ["measure", "live", "--negatives", "{}"], ["measure", "--only", "live.seconds", "--speech", "{}"],
    ["book", "check", "{}"],
], ids=" ".join)
def test_any_path_of_any_command(refused, closed, word, arguments):
    refused(".", *(text.format(closed, yes=word) for text in arguments))


@pytest.mark.parametrize("name", ["", "x" * 5000, "no\x1b]0;such\x07", "a\nb", "\udcff.wav"])
@pytest.mark.parametrize("command", [["classify"], ["train", "--config"], ["data", "info"], ["board", "--image"],
                                     ["evaluate", "--engine", "int", "--data"], ["listen", "--wav", "x", "--port"],
                                     ["evaluate", "--engine", "int", "--model"], ["book", "check"]], ids=" ".join)
def test_odd_names(refused, command, name):
    refused(r"^error: [ -~]*$", *command, name)


def test_a_name_that_is_not_utf8_is_a_name(run, word, tmp_path):
    path = os.fsencode(tmp_path) + b"/n\xff.flac"
    try:
        with open(path, "wb") as file:
            file.write(word.read_bytes())
    except OSError:
        pytest.skip("this system has no such names")
    assert run("classify", os.fsdecode(path), "--engine", "int").startswith("yes\n")
    assert json.loads(run("data", "info", "--json"))["clips"]


@pytest.mark.parametrize("engine", ["int", "c", "chip"])
@pytest.mark.parametrize("command", [["classify", "{yes}", "--engine", "{engine}"], ["bench"], ["export", "--dump"],
                                     ["firmware"], ["evaluate", "--limit", "2", "--engine", "{engine}"]],
                         ids=lambda command: command[0])
def test_no_code_of_a_network_is_compiled(refused, word, tmp_path, monkeypatch, command, engine):
    held = arrays.load(paths.model_file(paths.SHIPPED, ".npz"), 1 << 24, "")
    meta = json.loads(str(held.pop("meta")))
    meta["name"] = 'x"\n#error executed\n//'
    monkeypatch.setattr(paths, "MODELS", tmp_path)
    np.savez_compressed(tmp_path / "sent.npz", meta=json.dumps(meta), **held)
    refused("name is made of letters and digits", *(text.format(yes=word, engine=engine) for text in command),
            "--model", "sent")


@pytest.mark.parametrize("change, match", [
    (lambda c: next(iter(c["state_dict"].values())).view(-1)[:1].fill_(float("nan")), "not numbers"),
    (lambda c: next(iter(c["state_dict"].values())).view(-1)[:1].fill_(float("inf")), "not numbers"),
    (lambda c: c["config"].update(words=["a"] * 10), "words"), (lambda c: c["config"].update(words=5), "words"),
    (lambda c: c["config"].update(words=[f"w{chr(27)}"] * 10), "words"), (lambda c: c.update(config=None), "fit"),
    (lambda c: c["config"].update(network={"channels": 10**9}), "at most 1024"),
    (lambda c: c["config"].update(network={"kernels": [3] * 10**4, "strides": [1] * 10**4}), "lists too much"),
    (lambda c: c["config"].update(model=["x"]), "fit"), (lambda c: c.update(state_dict={}), "fit"),
    (lambda c: c.update(state_dict=5), "fit"), (lambda c: c["config"].update(network=7), "fit"),
])
def test_a_float_network_is_checked_too(refused, word, tmp_path, monkeypatch, change, match):
    content = torch.load(paths.model_file(paths.SHIPPED, "_float.pt"), weights_only=True)
    change(content)
    torch.save(content, tmp_path / "sent_float.pt")
    monkeypatch.setattr(paths, "MODELS", tmp_path)
    refused(match, "classify", word, "--engine", "float", "--model", "sent")


def test_two_networks_share_no_checkpoint(tmp_path):
    names = ["net.pt", "net.4bit", "net.8bit", "net.pth", "net.2.pt", "v1.0", "v1.1"]
    for suffix in (".checkpoint", "_float.pt"):
        assert len({saved.beside(tmp_path / name, suffix) for name in names} - {tmp_path / n for n in names}) == 7
    assert saved.beside(tmp_path / "net.pt", ".checkpoint") == tmp_path / "net.checkpoint"


@pytest.mark.parametrize("text, match", [
    ("network:\n  channels: 1000000000\n", "channels must be at most 1024"), ("a: " + "[" * 3000, "nests too deep"),
    ("a: " + "{a: " * 3000, "YAML"), ("batch_size: 1000000000", "batch_size"), ("epochs: 100000000000", "epochs"),
    ("lr: 1e999", "lr"), ("augment: {gain_db: [1, 1" + "0" * 400 + "]}", "augment|none"),
    ("epochs: 1" + "0" * 5000, "."),
    ("? [a]\n: b", "."), ("words: {a: 1}", "words"), ("- 1", "key: value"), ("\x00", "YAML"),
    ("a: !!python/none x", "YAML"),
    ("1: 2", "unknown key '1'"), ("a: &x [*x]", "."), ("seed: 2026-01-01", "seed"), ("model: [x]", "model"),
    ("\ufeffepochs: 0", "'epochs'"), ("network: {kernels: [[[[3]]]]}", "kernels"),
])
def test_configs_of_others(refused, tmp_path, text, match):
    (tmp_path / "c.yaml").write_text(text, "utf-8")
    refused(match, "train", "--config", tmp_path / "c.yaml", "--data", "/nowhere")


def started(word, *arguments, **options):
    """The program in a process of its own."""
    return subprocess.run([sys.executable, "-m", "tinyspeech", *arguments], text=True, cwd=paths.ROOT, timeout=120,
                          check=False, stderr=subprocess.PIPE, **options)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no /dev/full, and closes no output")
def test_an_output_that_is_closed_or_full(word):
    closed = started(word, "models", stdout=None, preexec_fn=lambda: os.close(1))
    assert closed.returncode == 2 and re.fullmatch("error: standard output is closed.*\n", closed.stderr)
    with open("/dev/full", "w") as full:
        done = started(word, "models", stdout=full)
    assert done.returncode == 2 and re.fullmatch("error: the output cannot be written: .*\n", done.stderr)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_any_encoding_prints_any_name(encoding):
    done = started(None, "classify", "größe言葉.wav", stdout=subprocess.PIPE,
                   env={**os.environ, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}, encoding=encoding)
    assert done.returncode == 2 and re.fullmatch("error: gr.*wav does not exist.*\n", done.stderr)


def test_memory_that_is_not_there_is_a_line(refused, word, monkeypatch):
    def load(*_):
        raise MemoryError

    monkeypatch.setattr(IntegerModel, "load", load)
    refused("not enough memory", "classify", word, "--engine", "int")


def test_an_error_nobody_thought_of_is_a_line(capsys, word, monkeypatch):
    def load(*_):
        raise OSError(116, "Stale file handle", "a/b\nc")

    monkeypatch.setattr(IntegerModel, "load", load)
    assert main(["classify", str(word), "--engine", "int"]) == 2
    assert capsys.readouterr().err == "error: a/b c: Stale file handle\n"
