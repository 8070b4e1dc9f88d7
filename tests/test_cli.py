"""The command line as a user meets it: figures on standard output, or one line on standard error and exit code 2."""

import dataclasses
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tinyspeech import CLASSES, KEYWORDS, __version__, audio, evaluate, native, paths, toolchain
from tinyspeech.__main__ import build_parser, main
from tinyspeech.integer import IntegerModel
from tinyspeech.paths import BUNDLED, DATA, ROOT

COMMANDS = ("data", "train", "evaluate", "classify", "export", "firmware", "bench", "board", "listen", "flash")


def run(capsys, *arguments) -> str:
    """A command that works: what it prints."""
    code = main([str(a) for a in arguments])
    out, err = capsys.readouterr()
    assert (code, err) == (0, "")
    return out


def refused(capsys, match: str, *arguments) -> None:
    """A command that does not: one line that matches, and exit code 2."""
    code = main([str(a) for a in arguments])
    out, err = capsys.readouterr()
    assert code == 2 and out == ""
    assert err.startswith("error: ") and err.endswith("\n") and err.count("\n") == 1, err
    assert re.search(match, err), err


def python(*arguments, **options) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-m", "tinyspeech", *map(str, arguments)], cwd=ROOT, text=True,
                          capture_output=True, check=False, **options)


@pytest.fixture(scope="module")
def word() -> Path:
    """A bundled "yes" that the shipped network hears as one."""
    for path in sorted((BUNDLED / "yes").iterdir()):
        if evaluate.classify(path, "int")["word"] == "yes":
            return path
    pytest.fail("no bundled 'yes' is understood")


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A small folder in Speech Commands layout, cut from the bundled clips; its every clip is validation."""
    root = tmp_path_factory.mktemp("words")
    names = []
    for name in [*KEYWORDS, "bed", "cat", "_background_noise_"]:
        (root / name).mkdir()
        for path in sorted((BUNDLED / name).iterdir())[:2]:
            shutil.copy(path, root / name)
            names.append(f"{name}/{path.name}")
    (root / "validation_list.txt").write_text("\n".join(names))
    return root


# --- as a process of its own ------------------------------------------------------------------------------------------


def test_as_a_process():
    done = python("--version")
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, f"tinyspeech {__version__}", "")
    done = python("classify", "no such file.wav", "--engine", "int")
    assert done.returncode == 2 and done.stdout == "" and done.stderr.count("\n") == 1
    assert done.stderr.startswith("error: ") and "does not exist" in done.stderr and "Traceback" not in done.stderr
    done = python()
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and "COMMAND" in done.stderr


def test_from_any_folder(tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-m", "tinyspeech", "data", "info", "--json"], cwd=tmp_path, text=True,
                          capture_output=True, check=False, env=environment)
    assert done.returncode == 0 and json.loads(done.stdout)["clips"] > 1000
    assert not list(tmp_path.iterdir())


def test_a_reader_that_goes_away_is_no_error():
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONUNBUFFERED"}
    process = subprocess.Popen([sys.executable, "-m", "tinyspeech", "data", "info"], cwd=ROOT, stderr=subprocess.PIPE,
                               stdout=subprocess.PIPE, text=True, env=environment)
    process.stdout.close()
    assert process.stderr.read() == ""
    assert process.wait() == 0


def test_help_and_version_do_not_load_torch():
    code = ("import sys; from tinyspeech.__main__ import main\n"
            "try: main(['train', '--help'])\nexcept SystemExit: pass\n"
            "sys.exit('torch' in sys.modules)")
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=False).returncode == 0


# --- help -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [[], *([c] for c in COMMANDS), ["data", "info"], ["data", "synthesize"],
                                       ["data", "download"]], ids=" ".join)
def test_help(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        main([*arguments, "--help"])
    out, err = capsys.readouterr()
    assert caught.value.code == 0 and err == ""
    assert out.startswith("usage: python -m tinyspeech") and len(out.splitlines()) >= 4
    if not arguments:
        assert all(re.search(rf"^ +{c} ", out, re.M) for c in COMMANDS)


def test_every_flag_is_explained():
    def actions(parser):
        for action in parser._actions:
            if action.choices and hasattr(action.choices, "values"):
                for child in action.choices.values():
                    yield from actions(child)
            elif action.dest not in ("help", "version"):
                yield parser.prog, action

    rows = list(actions(build_parser()))
    assert len(rows) > 25
    for program, action in rows:
        assert action.help and len(action.help) > 5, f"{program} {action.dest}"


# --- evaluate ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ["float", "fake", "int", "c"])
def test_evaluate_json_and_dump(engine, folder, tmp_path, capsys):
    dump = tmp_path / "dump.npz"
    out = run(capsys, "evaluate", "--engine", engine, "--data", folder, "--dump", dump, "--json")
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


def test_the_chip_engine_agrees_and_counts_cycles(tmp_path, capsys):
    """The same command on the emulated chip: every feature and logit as in integers, and what each clip cost."""
    dumps = {}
    for engine in ("int", "chip"):
        out = run(capsys, "evaluate", "--engine", engine, "--limit", 24, "--dump", tmp_path / engine, "--json")
        dumps[engine] = np.load(tmp_path / engine)
    for key in ("name", "label", "features", "logits"):
        assert np.array_equal(dumps["chip"][key], dumps["int"][key])
    assert dumps["chip"]["logits"].dtype == np.int32
    cycles = json.loads(out)["cycles_per_clip"]
    assert 1_000_000 < cycles["mean"] <= cycles["max"] <= 24_000_000


def test_engines_agree_bit_for_bit(tmp_path, capsys):
    """Features and logits of int and C in every bundled validation clip; the quantised torch network in every logit."""
    dumps = {}
    for engine in ("fake", "int", "c"):
        run(capsys, "evaluate", "--engine", engine, "--dump", tmp_path / engine)
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


def test_evaluate_in_words(folder, capsys):
    out = run(capsys, "evaluate", "--data", folder).splitlines()
    assert re.fullmatch(r"tinyspeech_s on int: \d+\.\d\d % of 24 clips", out[0])
    assert [line.split()[0] for line in out[1:]] == list(CLASSES)


def test_evaluate_in_noise_and_in_full(folder, capsys):
    arguments = ["evaluate", "--data", folder, "--snr", 5, "--noise", BUNDLED]
    out = run(capsys, *arguments, "--confusion", "--rejection").splitlines()
    assert re.fullmatch(r"tinyspeech_s on int: \d+\.\d\d % of 24 clips, words in noise at 5 dB", out[0])
    assert max(map(len, out)) <= 100
    result = json.loads(run(capsys, *arguments, "--json"))
    assert result["snr_db"] == 5 and sum(row["n"] for row in result["per_noise"].values()) == 22
    rows = {line.split()[0]: line.split()[1:] for line in out[14:] if line and line.split()[0] in CLASSES}
    assert [[int(n) if n != "." else 0 for n in rows[name]] for name in CLASSES] == result["confusion"]
    assert out[-1] == f"calibration error {100 * result['calibration']['ece']:.2f} % (15 bins)"
    quiet = run(capsys, *arguments).splitlines()
    assert quiet == out[:13]
    assert run(capsys, *arguments, "--mulaw").splitlines()[0].endswith("words in noise at 5 dB, through 8-bit mu-law")


def test_evaluate_without_noise_recordings(word, tmp_path, capsys):
    for name in ("yes", "_unknown_", "_silence_"):
        (tmp_path / "test" / name).mkdir(parents=True)
        shutil.copy(word, tmp_path / "test" / name)
    (tmp_path / "empty").mkdir()
    arguments = ["evaluate", "--data", tmp_path / "test", "--snr", 5]
    refused(capsys, "_background_noise_ does not exist: .*--noise", *arguments)
    refused(capsys, "nowhere does not exist: .*--noise", *arguments, "--noise", tmp_path / "nowhere")
    refused(capsys, "is a file: .*--noise", *arguments, "--noise", word)
    refused(capsys, "no wav or flac recording whose testing part .90 to 100 %.*--noise", *arguments, "--noise",
            tmp_path / "empty")
    refused(capsys, "no wav or flac recording whose testing part", *arguments, "--noise", tmp_path / "test" / "yes")
    (tmp_path / "empty" / "noise.wav").write_text("hello")
    refused(capsys, "noise.wav cannot be read as sound", *arguments, "--noise", tmp_path / "empty")
    assert run(capsys, *arguments, "--noise", BUNDLED / "_background_noise_").startswith("tinyspeech_s on int")


def test_evaluate_split_limit_and_seed(tmp_path, capsys):
    names = {}
    for seed in (0, 0, 1):
        run(capsys, "evaluate", "--split", "testing", "--limit", 30, "--seed", seed, "--dump", tmp_path / "d.npz")
        names.setdefault(seed, []).append(np.load(tmp_path / "d.npz")["name"].tolist())
    assert len(names[0][0]) == 30 and names[0][0] == names[0][1] != names[1][0]
    listed = (BUNDLED / "testing_list.txt").read_text()
    assert all(Path(n).stem in listed for n in names[0][0] if not n.startswith("_silence_"))


def test_evaluate_a_folder_in_the_layout_of_the_test_set(folder, tmp_path, capsys):
    for name, source in (("_unknown_", "bed"), ("_silence_", "cat"), ("yes", "yes")):
        shutil.copytree(folder / source, tmp_path / name)
    result = json.loads(run(capsys, "evaluate", "--data", tmp_path, "--json"))
    assert result["n"] == 6 and result["per_class"]["no"] is None
    assert "no clips" in run(capsys, "evaluate", "--data", tmp_path)


# --- classify ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ["float", "fake", "int", "c", "chip"])
def test_classify_json(engine, word, capsys):
    result = json.loads(run(capsys, "classify", word, "--engine", engine, "--json"))
    assert {"word", "scores", "engine"} <= result.keys()
    assert result["engine"] == engine and tuple(result["scores"]) == CLASSES
    assert sum(result["scores"].values()) == pytest.approx(1) and max(result["scores"].values()) < 1
    assert result["word"] == max(result["scores"], key=result["scores"].get)
    assert (result["cycles"] is not None) == (engine == "chip")
    if engine != "float":
        assert result["word"] == "yes"
    if engine in ("c", "chip"):
        assert result["logits"] == evaluate.classify(word, "int")["logits"]


def test_classify_in_words(word, capsys):
    out = run(capsys, "classify", word, "--engine", "c").splitlines()
    assert out[0] == "yes" and re.match(r"  yes \d+\.\d %   ", out[1])


def variant(word: Path, folder: Path, kind: str) -> Path:
    """The word as another recorder would keep it."""
    x = audio.load_clip(word)
    path = folder / "x.wav"
    match kind:
        case "stereo":
            soundfile.write(path, np.stack([x, x], 1), 16000)
        case "flac":
            soundfile.write(path := folder / "x.flac", x, 16000)
        case "float":
            soundfile.write(path, x / 32768, 16000, subtype="FLOAT")
        case "24 bits":
            soundfile.write(path, x.astype(np.int32) << 16, 16000, subtype="PCM_24")
        case "44.1 kHz" | "48 kHz" | "8 kHz":
            rate = {"44.1 kHz": 44100, "48 kHz": 48000, "8 kHz": 8000}[kind]
            soundfile.write(path, audio.resample(x, 16000, rate), rate)
        case "ten minutes":
            long = np.zeros(600 * 16000, np.int16)
            long[437 * 16000 :][:16000] = x
            soundfile.write(path, long, 16000)
        case "one sample":
            soundfile.write(path, x[:1], 16000)
        case "no suffix":
            soundfile.write(folder / "x.wav", x, 16000)
            path = path.rename(folder / "with ünusual name")
    return path


@pytest.mark.parametrize("kind", ["stereo", "flac", "float", "24 bits", "no suffix"])
def test_other_formats_of_the_same_samples_are_the_same(kind, word, tmp_path, capsys):
    got = json.loads(run(capsys, "classify", variant(word, tmp_path, kind), "--engine", "int", "--json"))
    assert got["logits"] == evaluate.classify(word, "int")["logits"]


@pytest.mark.parametrize("kind", ["44.1 kHz", "48 kHz", "8 kHz", "ten minutes"])
def test_other_rates_and_lengths_are_the_same_word(kind, word, tmp_path, capsys):
    assert run(capsys, "classify", variant(word, tmp_path, kind), "--engine", "int").startswith("yes\n")


def test_one_sample_is_heard_as_something(word, tmp_path, capsys):
    result = json.loads(run(capsys, "classify", variant(word, tmp_path, "one sample"), "--engine", "int", "--json"))
    assert result["word"] in CLASSES


# --- bad files --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind, match", [
    ("missing", "does not exist"), ("a folder", "is a folder"), ("empty", "empty"), ("text", "cannot be read as sound"),
    ("cut header", "cannot be read|damaged|0 samples"), ("0 samples", "0 samples"), ("cut sound", "damaged|cannot be"),
    ("not a number", "not numbers"),
])
def test_classify_bad_files(kind, match, word, tmp_path, capsys):
    path = tmp_path / "bad.wav"
    if kind == "a folder":
        path.mkdir()
    elif kind in ("empty", "text"):
        path.write_text("hello, world\n" * (kind == "text"))
    elif kind == "cut header":
        soundfile.write(path, audio.load_clip(word), 16000)
        path.write_bytes(path.read_bytes()[:30])
    elif kind == "0 samples":
        soundfile.write(path, np.zeros(0, np.int16), 16000)
    elif kind == "cut sound":
        path = tmp_path / "bad.flac"
        path.write_bytes(word.read_bytes()[: word.stat().st_size // 2])
    elif kind == "not a number":
        soundfile.write(path, np.full(100, np.nan), 16000, subtype="FLOAT")
    refused(capsys, match, "classify", path, "--engine", "int")


def test_one_bad_clip_in_a_folder_is_named(folder, tmp_path, capsys):
    shutil.copytree(folder, tmp_path / "f")
    bad = next((tmp_path / "f" / "no").iterdir())
    bad.write_bytes(b"RIFF")
    refused(capsys, bad.name, "evaluate", "--data", tmp_path / "f")


# --- bad requests -----------------------------------------------------------------------------------------------------


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
    (["export", "--model", "gpt"], "no trained model 'gpt'"), (["train"], "--config"),
    (["train", "--config", "nothing.yaml"], "cannot read config nothing.yaml"),
    (["train", "--config", "tinyspeech_s.yaml", "--epochs", "many"], "many"),
    (["train", "--config", "tinyspeech_s.yaml", "--epochs", "0"], "'epochs'.*1 or more"),
    (["train", "--config", "tinyspeech_s.yaml", "--lr", "-1"], "'lr'"),
    (["train", "--config", "tinyspeech_s.yaml", "--threads", "0"], "--threads"),
    (["train", "--config", "tinyspeech_s.yaml", "--device", "tpu"], "unknown device 'tpu'"),
    (["train", "--config", "tinyspeech_s.yaml", "--data", "/nowhere"], "no training data at /nowhere"),
], ids=lambda value: " ".join(value) or "nothing" if isinstance(value, list) else "")
def test_bad_requests(arguments, match, capsys, monkeypatch):
    monkeypatch.setattr(evaluate.Engine, "run", lambda *_: pytest.fail("computed before all was checked"))
    refused(capsys, match, *arguments)


def test_unknown_config_key(tmp_path, capsys):
    (tmp_path / "c.yaml").write_text("model: tinyspeech_s\ncolour: red\n")
    refused(capsys, "unknown key 'colour'.*known: .*epochs", "train", "--config", tmp_path / "c.yaml")


def test_asking_for_a_gpu_that_is_not_there(capsys, monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    refused(capsys, "no GPU", "train", "--config", "tinyspeech_s.yaml", "--device", "cuda")


@pytest.mark.parametrize("engine", ["c", "chip"])
def test_missing_compiler(engine, word, tmp_path, monkeypatch, capsys):
    original = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *a: None if name == "ziglang" else original(name, *a))
    monkeypatch.setattr(toolchain, "CACHE", tmp_path / "build")
    refused(capsys, "no C compiler: install the package ziglang", "classify", word, "--engine", engine)


@pytest.mark.parametrize("engine", ["c", "chip"])
def test_a_network_that_the_firmware_does_not_hold(engine, word, capsys):
    """It gets a build of its own, and `model.h` stays as it is."""
    answers = {}
    for who in ("int", engine):
        assert main(["classify", str(word), "--model", "tinyspeech_xs", "--engine", who, "--json"]) == 0
        answers[who] = json.loads(capsys.readouterr().out)["scores"]
    assert answers[engine] == answers["int"]
    assert IntegerModel.load(evaluate.MODELS / "tinyspeech_xs.npz").digest != native.exported_hash()


def test_nothing_is_trained_yet(word, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(paths, "MODELS", tmp_path)
    for engine in evaluate.ENGINES:
        refused(capsys, "no trained model.*python -m tinyspeech train", "classify", word, "--engine", engine)


def test_damaged_models(word, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(paths, "MODELS", tmp_path)
    for name in ("tinyspeech_s.npz", "tinyspeech_s.pt", "tinyspeech_s_float.pt"):
        (tmp_path / name).write_bytes((DATA / "models" / name).read_bytes()[:3000])
    for engine in evaluate.ENGINES:
        refused(capsys, "not a checkpoint|not an integer model", "classify", word, "--engine", engine)


def test_a_network_that_has_no_integers(word, tmp_path, monkeypatch, capsys):
    """Paper networks are float: the other engines say so."""
    monkeypatch.setattr(paths, "MODELS", tmp_path)
    shutil.copy(DATA / "models" / "tinyspeech_s_float.pt", tmp_path / "tinyspeech_z_float.pt")
    refused(capsys, "no trained model 'tinyspeech_z' of this kind", "classify", word, "--engine", "int", "--model",
            "tinyspeech_z")


def test_ctrl_c(word, monkeypatch, capsys):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(evaluate.Engine, "run", interrupted)
    assert main(["classify", str(word), "--engine", "int"]) == 130
    assert capsys.readouterr().err == "stopped\n"


# --- data, export -----------------------------------------------------------------------------------------------------


def test_data_info(folder, capsys):
    result = json.loads(run(capsys, "data", "info", folder, "--json"))
    assert result["clips"] == 24 and result["splits"]["validation"] == 24
    assert "24 clips of 12 words" in run(capsys, "data", "info", folder)


def test_download_without_network_is_one_line(tmp_path, capsys, monkeypatch):
    import urllib.error
    import urllib.request

    def offline(*_, **__):
        raise urllib.error.URLError("no route to host")

    monkeypatch.setattr(urllib.request, "urlopen", offline)
    refused(capsys, "cannot be reached.*no route to host", "data", "download", "--out", tmp_path / "sc")


def test_export_gives_the_shipped_header(tmp_path, monkeypatch, capsys):
    """The shipped integers and header were made of the shipped checkpoint, and exporting again changes nothing."""
    monkeypatch.setattr(paths, "MODELS", tmp_path)
    monkeypatch.setattr(paths, "FIRMWARE", tmp_path)
    shutil.copy(DATA / "models" / "tinyspeech_s.pt", tmp_path)
    out = run(capsys, "export")
    shipped = ROOT / "firmware"
    assert native.exported_hash(shipped) in out
    for name in ("model.h", "sigmoid.h"):
        same = (tmp_path / name).read_text() == (shipped / name).read_text()
        assert same, f"{name} is stale: run `python -m tinyspeech export`"
    from tinyspeech.integer import IntegerModel

    assert IntegerModel.load(tmp_path / "tinyspeech_s.npz").digest == native.exported_hash(shipped)


def test_export_dump_shows_every_layer_and_writes_nothing(tmp_path, monkeypatch, capsys):
    from tinyspeech.integer import IntegerModel

    monkeypatch.setattr(paths, "MODELS", tmp_path)
    shutil.copy(DATA / "models" / "tinyspeech_s.npz", tmp_path)
    before = {path: path.stat().st_mtime_ns for path in (*tmp_path.iterdir(), ROOT / "firmware" / "model.h")}
    out = run(capsys, "export", "--dump")
    assert before == {path: path.stat().st_mtime_ns for path in before} and len(list(tmp_path.iterdir())) == 1
    model = IntegerModel.load(tmp_path / "tinyspeech_s.npz")
    assert model.digest in out and all(f"\n{layer.name}: {layer.kind}" in out for layer in model.layers)
    assert " ".join(map(str, model.layers[0].weight[0, :20])) in out
    for row in model.worst():
        assert f"at worst: sum {row.accumulator:,}" in out
    refused(capsys, "no trained model 'gpt'", "export", "--dump", "--model", "gpt")


def test_export_that_is_refused_writes_nothing(tmp_path, monkeypatch, capsys):
    """An overflow, a network that the firmware cannot hold, a folder that cannot be written: one line each."""
    from tinyspeech import export
    from tinyspeech.integer import IntegerModel

    monkeypatch.setattr(paths, "MODELS", tmp_path)
    monkeypatch.setattr(paths, "FIRMWARE", tmp_path / "nowhere")
    shutil.copy(DATA / "models" / "tinyspeech_s.pt", tmp_path)
    shipped = IntegerModel.load(DATA / "models" / "tinyspeech_s.npz")
    original = export.quantised
    for change, match in (({"flush": 10**7}, "classifier.*beyond 32 bits"), ({"inputs": 8}, "stem: weights must be")):
        changed = dataclasses.replace(shipped, **change)
        monkeypatch.setattr(export, "quantised", lambda *_, changed=changed: changed)
        refused(capsys, match, "export")
        assert [path.name for path in tmp_path.iterdir()] == ["tinyspeech_s.pt"]
    monkeypatch.setattr(export, "quantised", original)
    refused(capsys, "cannot write .*nowhere", "export")


def test_what_a_new_user_ran_into(capsys, tmp_path):
    (tmp_path / "odd.yaml").write_text("model: resnet\n")
    refused(capsys, "resnet", "train", "--config", tmp_path / "odd.yaml")
    refused(capsys, "a seed of -1: give 0 or more", "evaluate", "--seed", -1)
    refused(capsys, "no trained model '../models/tinyspeech_s'", "evaluate", "--model", "../models/tinyspeech_s")
    refused(capsys, "--gain and --noise are of a recording", "board", "--gain", 2)
    word = next(BUNDLED.glob("yes/*.flac"))
    refused(capsys, "noise -5 at least 0", "board", "--wav", word, "--noise", -5)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_full_disk_is_one_line():
    word = next(BUNDLED.glob("yes/*.flac"))
    with open("/dev/full", "w") as full:
        done = subprocess.run([sys.executable, "-m", "tinyspeech", "classify", word, "--engine", "int"], stdout=full,
                              stderr=subprocess.PIPE, text=True, cwd=ROOT)
    assert done.returncode == 2 and done.stderr == "error: the output cannot be written: No space left on device\n"


def test_a_library_that_does_not_load_is_not_taken_for_a_full_disk(monkeypatch):
    def fails(*_):
        raise OSError("libc10_cuda.so: cannot open shared object file")

    monkeypatch.setattr("tinyspeech.evaluate.classify", fails)
    with pytest.raises(OSError, match="libc10_cuda"):
        main(["classify", str(next(BUNDLED.glob("yes/*.flac")))])


def test_a_package_that_is_missing_is_one_line(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "serial", None)
    refused(capsys, "the package serial is missing: pip install -r requirements.txt", "flash", "--port", "/dev/null")


@pytest.mark.parametrize("module", ["experiments", "bits", "results", "live"])
def test_measuring_without_data_is_one_line(module, tmp_path):
    arguments = ["--speech", tmp_path / "nowhere"] + ([] if module == "live" else ["--logmel", tmp_path / "nowhere"])
    done = subprocess.run([sys.executable, "-m", f"tinyspeech.{module}", *arguments], capture_output=True, text=True,
                          cwd=ROOT)
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and "nowhere" in done.stderr, done.stderr


def test_help_tells_only_defaults_that_say_something(capsys):
    for command in ("train", "evaluate", "listen", "board", "flash"):
        with pytest.raises(SystemExit):
            main([command, "--help"])
        text = capsys.readouterr().out
        assert "(default: None)" not in text and "(default: False)" not in text and "usage:" in text
