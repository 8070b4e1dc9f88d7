"""`evaluate`: figures in JSON and in words, dumps, splits, noise; engines that agree bit for bit."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from tinyspeech import CLASSES
from tinyspeech.paths import BUNDLED


@pytest.mark.parametrize("engine", ["float", "fake", "int", "c"])
def test_evaluate_json_and_dump(run, engine, folder, tmp_path):
    dump = tmp_path / "dump.npz"
    out = run("evaluate", "--engine", engine, "--data", folder, "--dump", dump, "--json")
    result = json.loads(out)
    assert result.keys() == {"model", "engine", "n", "accuracy", "per_class", "confusion", "classes", "split", "snr_db",
                             "interval_95", "calibration", "rejection", "rejection_by_margin"}
    assert (result["model"], result["engine"], result["n"]) == ("tinyspeech_s", engine, 24)
    assert tuple(result["classes"]) == CLASSES and tuple(result["per_class"]) == CLASSES
    confusion = np.array(result["confusion"])
    assert confusion.shape == (12, 12) and confusion.sum() == 24
    assert result["accuracy"] == pytest.approx(np.trace(confusion) / 24)
    assert result["accuracy"] > 0.4  # guessing gives 0.08
    for i, name in enumerate(CLASSES):
        assert result["per_class"][name] == pytest.approx(confusion[i, i] / confusion[i].sum())

    kept = np.load(dump)
    assert set(kept.files) >= {"name", "label", "features", "logits"}
    assert kept["name"].shape == kept["label"].shape == (24,) and len(set(kept["name"])) == 24
    assert kept["features"].dtype == np.int8 and kept["features"].shape == (24, 49, 12)
    assert kept["logits"].shape == (24, 12)
    assert kept["logits"].dtype == np.int32
    assert (kept["logits"].argmax(1) == kept["label"]).mean() == result["accuracy"]
    want = np.zeros((12, 12), int)
    np.add.at(want, (kept["label"], kept["logits"].argmax(1)), 1)
    assert np.array_equal(confusion, want)  # rows: truth
    for name, label in zip(kept["name"], kept["label"], strict=True):
        first = name.split("/")[0]
        assert CLASSES[label] == (first if first in CLASSES else "_unknown_")


def test_the_chip_engine_agrees_and_counts_cycles(run, tmp_path):
    """The same command on the emulated chip: every feature and logit as in integers, and what each clip cost."""
    dumps = {}
    for engine in ("int", "chip"):
        out = run("evaluate", "--engine", engine, "--limit", 24, "--dump", tmp_path / engine, "--json")
        dumps[engine] = np.load(tmp_path / engine)
    for key in ("name", "label", "features", "logits"):
        assert np.array_equal(dumps["chip"][key], dumps["int"][key])
    assert dumps["chip"]["logits"].dtype == np.int32
    cycles = json.loads(out)["cycles_per_clip"]
    assert 1_000_000 < cycles["mean"] <= cycles["max"] <= 24_000_000


def test_engines_agree_bit_for_bit(run, tmp_path):
    """Features and logits of int and C in every bundled validation clip; the quantised torch network in every logit."""
    dumps = {}
    for engine in ("fake", "int", "c"):
        run("evaluate", "--engine", engine, "--dump", tmp_path / engine)
        dumps[engine] = np.load(tmp_path / engine)
    want = dumps["int"]
    n = len(want["name"])
    mismatches = sum(int((dumps["c"][key] != want[key]).sum()) for key in ("features", "logits"))
    print(f"{mismatches} mismatches between int and C in {n} clips")
    assert n > 200 and mismatches == 0
    assert np.array_equal(dumps["fake"]["features"], want["features"])
    assert np.array_equal(dumps["fake"]["logits"], want["logits"])
    for key in ("name", "label"):
        assert np.array_equal(dumps["c"][key], want[key]) and np.array_equal(dumps["fake"][key], want[key])


def test_evaluate_in_words(run, folder):
    out = run("evaluate", "--data", folder).splitlines()
    assert re.fullmatch(r"tinyspeech_s on int: \d+\.\d\d % of 24 clips", out[0])
    assert [line.split()[0] for line in out[1:]] == list(CLASSES)


def test_evaluate_in_noise_and_in_full(run, folder):
    arguments = ["evaluate", "--data", folder, "--snr", 5, "--noise", BUNDLED]
    out = run(*arguments, "--confusion", "--rejection").splitlines()
    assert re.fullmatch(r"tinyspeech_s on int: \d+\.\d\d % of 24 clips, words in noise at 5 dB", out[0])
    assert max(map(len, out)) <= 100
    result = json.loads(run(*arguments, "--json"))
    assert result["snr_db"] == 5 and sum(row["n"] for row in result["per_noise"].values()) == 22
    rows = {line.split()[0]: line.split()[1:] for line in out[14:] if line and line.split()[0] in CLASSES}
    assert [[int(n) if n != "." else 0 for n in rows[name]] for name in CLASSES] == result["confusion"]
    assert out[-1] == f"calibration error {100 * result['calibration']['ece']:.2f} % (15 bins)"
    quiet = run(*arguments).splitlines()
    assert quiet == out[:13]
    assert run(*arguments, "--mulaw").splitlines()[0].endswith("words in noise at 5 dB, through 8-bit mu-law")


def test_evaluate_without_noise_recordings(run, refused, word, tmp_path):
    for name in ("yes", "_unknown_", "_silence_"):
        (tmp_path / "test" / name).mkdir(parents=True)
        shutil.copy(word, tmp_path / "test" / name)
    (tmp_path / "empty").mkdir()
    arguments = ["evaluate", "--data", tmp_path / "test", "--snr", 5]
    refused("_background_noise_ does not exist: .*--noise", *arguments)
    refused("nowhere does not exist: .*--noise", *arguments, "--noise", tmp_path / "nowhere")
    refused("is a file: .*--noise", *arguments, "--noise", word)
    refused("no wav or flac recording whose testing part .90 to 100 %.*--noise", *arguments, "--noise",
            tmp_path / "empty")
    refused("no wav or flac recording whose testing part", *arguments, "--noise", tmp_path / "test" / "yes")
    (tmp_path / "empty" / "noise.wav").write_text("hello")
    refused("noise.wav cannot be read as sound", *arguments, "--noise", tmp_path / "empty")
    assert run(*arguments, "--noise", BUNDLED / "_background_noise_").startswith("tinyspeech_s on int")


def test_evaluate_split_limit_and_seed(run, tmp_path):
    names = {}
    for seed in (0, 0, 1):
        run("evaluate", "--split", "testing", "--limit", 30, "--seed", seed, "--dump", tmp_path / "d.npz")
        names.setdefault(seed, []).append(np.load(tmp_path / "d.npz")["name"].tolist())
    assert len(names[0][0]) == 30 and names[0][0] == names[0][1] != names[1][0]
    listed = (BUNDLED / "testing_list.txt").read_text()
    assert all(Path(n).stem in listed for n in names[0][0] if not n.startswith("_silence_"))


def test_evaluate_a_folder_in_the_layout_of_the_test_set(run, folder, tmp_path):
    for name, source in (("_unknown_", "bed"), ("_silence_", "cat"), ("yes", "yes")):
        shutil.copytree(folder / source, tmp_path / name)
    result = json.loads(run("evaluate", "--data", tmp_path, "--json"))
    assert result["n"] == 6 and result["per_class"]["no"] is None
    assert "no clips" in run("evaluate", "--data", tmp_path)


def test_one_bad_clip_in_a_folder_is_named(refused, folder, tmp_path):
    shutil.copytree(folder, tmp_path / "f")
    bad = next((tmp_path / "f" / "no").iterdir())
    bad.write_bytes(b"RIFF")
    refused(bad.name, "evaluate", "--data", tmp_path / "f")
