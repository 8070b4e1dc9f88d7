"""Tables of training runs: every listed row can be trained, rows are measured as they say, figures add up."""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from support.small_training import bands

from tinyspeech import paths
from tinyspeech.__main__ import build_parser, main
from tinyspeech.errors import UserError
from tinyspeech.lowbit import saved
from tinyspeech.measure import experiments, workers
from tinyspeech.measure.figures import training
from tinyspeech.networks import counting
from tinyspeech.networks.models import build_model
from tinyspeech.networks.streaming import CausalConv, StreamingConfig, TinySpeechS
from tinyspeech.training import train
from tinyspeech.training.config import TrainConfig
from tinyspeech.training.data import validation_set

NETWORK = {"channels": 8, "expansion": 8, "kernels": [3], "strides": [2], "condenser": 4, "head": 8}


def test_every_listed_row_is_a_config_that_builds():
    listed = experiments.groups()
    assert {"z_ablation", "family_our_recipe", "attention", "condensers"} <= listed.keys()
    for name, group in listed.items():
        assert group["about"] and group["rows"] and group["seeds"], name
        for label in group["rows"]:
            seeds = experiments.seeds_of(group, label)
            assert set(seeds) <= set(group["seeds"]), (name, label)
            for seed in seeds:
                config = experiments.row_config(group, label, seed)
                assert config.seed == seed
            train.build(config)


def test_every_row_of_a_group_differs():
    for name, group in experiments.groups().items():
        configs = [json.dumps(vars(experiments.row_config(group, label, 0)), sort_keys=True) for label in group["rows"]]
        assert len(set(configs)) == len(configs), name


def test_merging_reaches_into_dictionaries_and_alters_nothing():
    base = {"a": 1, "network": {"b": 2, "c": 3}}
    assert workers.merged(base, {"network": {"c": 4}, "d": 5}) == {"a": 1, "network": {"b": 2, "c": 4}, "d": 5}
    assert workers.merged(base, {"a": None, "network": {"b": None}}) == {"network": {"c": 3}}
    assert base == {"a": 1, "network": {"b": 2, "c": 3}}


def test_runs_from_before_a_key_was_there_are_not_made_again():
    now = vars(TrainConfig(qat_epochs=0))
    before = {k: v for k, v in now.items() if k not in ("granularity", "clipping")}
    assert experiments.what_counts(before) == experiments.what_counts(now)
    assert experiments.what_counts({**now, "weight_bits": 2}) == experiments.what_counts(now)
    assert experiments.what_counts({**now, "qat_epochs": 1, "weight_bits": 2}) != experiments.what_counts(
        {**now, "qat_epochs": 1})


def test_bytes_by_hand():
    model = TinySpeechS(StreamingConfig.from_dict({**NETWORK, "kernels": [3], "strides": [2]}))
    layers = [m for m in model.modules() if isinstance(m, CausalConv)]
    assert counting.weight_bytes(model) == sum(-(-m.weight.numel() // 2) + 4 * m.weight.shape[0] for m in layers)
    assert counting.weight_bytes(model, bits=8) == sum(m.weight.numel() + 4 * m.weight.shape[0] for m in layers)
    thirds = sum(-(-m.weight.numel() // 5) + 4 * m.weight.shape[0] for m in layers)
    assert counting.weight_bytes(model, bits=8 / 5) == thirds  # five ternary weights in a byte
    z = build_model("Z")
    assert counting.weight_bytes(z) > 2712 // 2


def test_summary_is_mean_and_deviation():
    rows = [{"seed": s, "parameters": 1, "macs": 2, "bytes": 3, "loss": 0.5, "seconds": 10, "float": v, "int": v - 1,
             "config": {"epochs": 4, "qat_epochs": 2, "network": {}}} for s, v in enumerate((90.0, 92.0, 94.0))]
    line = experiments.summary("x", rows)
    assert line["float"] == {"values": [90.0, 92.0, 94.0], "mean": 92.0, "sd": 2.0} and line["int"]["mean"] == 91.0
    assert line["seeds"] == [0, 1, 2] and "int_recordings" not in line
    assert experiments.summary("x", rows[:1])["float"]["sd"] is None
    assert line["seconds"] is None  # of a clock on the wall, as runs without curves have them
    of_processor = [{**row, "curves": {}, "seconds": 10 + row["seed"]} for row in rows]
    assert experiments.summary("x", of_processor)["seconds"] == 11


def test_a_row_is_trained_measured_and_not_trained_again(tmp_path, monkeypatch):
    monkeypatch.setattr(experiments, "RUNS", tmp_path)
    data = bands()
    features = np.random.default_rng(0).integers(-60, 60, (6, 49, 12)).astype(np.int8)
    monkeypatch.setattr(workers.LOADED, "bands", data, raising=False)
    monkeypatch.setattr(workers.LOADED, "speech", (features, np.arange(6)))
    config = TrainConfig(network=NETWORK, epochs=1, qat_epochs=1, batch_size=32)
    row = experiments.run_row("x-0-0", config)
    model = saved.load_model(tmp_path / "x-0-0.pt")
    want = saved.predict(model, torch.from_numpy(features)).argmax(1).numpy()
    assert row["int_recordings"] == pytest.approx(100 * (want == np.arange(6)).mean())
    assert row["n"] == len(validation_set(data)[1])
    assert row["parameters"] > 0 and row["macs"] > 0 and 0 <= row["int"] <= 100
    assert not list(tmp_path.glob("*.checkpoint"))
    assert len(row["curves"]["loss"]) == len(row["curves"]["accuracy"]) == 2
    monkeypatch.setattr(train, "train", lambda *_a, **_k: pytest.fail("trained again"))
    for broken in ("", "[]", "{}", '{"config"'):  # no report of a run
        (tmp_path / "a-0-0.json").write_text(broken)
        assert experiments.run_row("x-0-0", config) == {**row, "read_back": True}
    with pytest.raises(pytest.fail.Exception):
        experiments.run_row("x-0-0", TrainConfig(network=NETWORK, epochs=2, qat_epochs=1, batch_size=32))
    monkeypatch.setattr(workers.LOADED, "speech", None)  # other data are another run
    with pytest.raises(pytest.fail.Exception):
        experiments.run_row("x-0-0", config)


@pytest.mark.parametrize("given", [("--logmel", "{empty}"), ("--logmel", "{cut}"),
                                   ("--logmel", "{speech}", "--speech", "{empty}")])
@pytest.mark.parametrize("what", [("experiments", "--only", "improved", "--row", "X", "--seed", "0"),
                                  ("experiments", "--only", "improved"), ("bits", "--row", "XS, UN"), ("bits",)])
def test_data_that_are_none_are_a_line(given, what, tmp_path, monkeypatch, capsys):
    """What a worker finds out when it starts is said in the main process."""
    monkeypatch.setattr(workers, "ProcessPoolExecutor",
                        lambda count, initializer, initargs: ThreadPoolExecutor(count, "", initializer, initargs))
    monkeypatch.setattr(workers, "LOADED", workers.Loaded())
    (tmp_path / "empty").mkdir()
    (tmp_path / "cut.tar.gz").write_bytes(b"\x1f\x8b\x08\0 cut short")
    places = {"empty": tmp_path / "empty", "cut": tmp_path / "cut.tar.gz", "speech": paths.BUNDLED}
    if what[0] == "bits" and "--speech" not in given:
        given = (*given, "--speech", "{speech}")
    assert main(["measure", *what, *(word.format(**places) for word in given)]) == 2
    out, err = capsys.readouterr()
    assert not out and len(err.splitlines()) == 1 and "Traceback" not in err


def test_an_interrupted_row_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(experiments, "RUNS", tmp_path)
    monkeypatch.setattr(workers.LOADED, "bands", bands(), raising=False)
    config = TrainConfig(network=NETWORK, epochs=2, qat_epochs=0, batch_size=32)
    save = train.save_atomically

    def stop(*arguments):
        save(*arguments)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(train, "save_atomically", stop)
        with pytest.raises(KeyboardInterrupt):
            experiments.run_row("x-0-0", config)
    epochs, real = [], train.epoch_order
    monkeypatch.setattr(train, "epoch_order", lambda *arguments: epochs.append(1) or real(*arguments))
    row = experiments.run_row("x-0-0", config)
    assert len(epochs) == 2  # to count the steps, and the one epoch that was missing
    assert len(row["curves"]["loss"]) == 2 and row["seconds"] is not None


def test_another_row_s_checkpoint_is_not_taken(tmp_path):
    config = TrainConfig(network=NETWORK, epochs=1, qat_epochs=0, batch_size=32)
    train.train(config, bands(), tmp_path / "net.pt", quiet=True)
    checkpoint, values = tmp_path / "net.checkpoint", json.loads(json.dumps(vars(config)))
    assert experiments.left_by(checkpoint, values)
    assert not experiments.left_by(checkpoint, {**values, "seed": 1})
    assert not experiments.left_by(tmp_path / "none.checkpoint", values)


def test_curves_are_told_where_they_are_asked_for():
    row = {"seed": 0, "parameters": 1, "macs": 2, "bytes": 3, "loss": 0.5, "seconds": 10, "float": 90.0,
           "config": {"epochs": 1, "qat_epochs": 0, "network": {}}, "curves": {"loss": [0.5], "accuracy": [90.0]}}
    assert experiments.summary("x", [row], curves=True)["curves"] == [row["curves"]]
    assert "curves" not in experiments.summary("x", [row])


def test_minutes_are_of_rows_own_seconds_and_of_epochs_where_there_are_none(tmp_path, monkeypatch):
    row = {"seeds": [0, 1], "epochs": 30, "qat_epochs": 6, "seconds": 600}
    entries = {"tinyspeech_s_clips.seconds_per_epoch": {"value": {"float": 10, "quantised": 20}},
               "experiments.wall": {"value": [row]},
               "experiments.processor": {"value": [row, {**row, "seconds": None}], "seconds": experiments.SECONDS}}
    (tmp_path / "results.json").write_text(json.dumps(entries))
    monkeypatch.setattr(paths, "RESULTS", tmp_path / "results.json")
    monkeypatch.setattr(training, "load_checkpoint", lambda path: {"metrics": {"seconds": 4200}})
    (made,) = training.minutes()
    assert made.value["train"] == 70
    assert (made.value["wall"], made.value["processor"]) == (20, 20 + 14)


def test_a_pruned_row_says_its_zeros_and_what_they_save(tmp_path, monkeypatch):
    monkeypatch.setattr(experiments, "RUNS", tmp_path)
    monkeypatch.setattr(workers.LOADED, "bands", bands(), raising=False)
    whole = TrainConfig(network=NETWORK, epochs=1, qat_epochs=1, batch_size=32)
    first = experiments.run_row("x-0-0", whole)
    wide = TrainConfig(**{**vars(whole), "network": {**NETWORK, "expansion": 16}, "qat_epochs": 0})
    experiments.run_row("x-1-0", wide)
    pruned = {**vars(wide), "start": str(tmp_path / "x-1-0.pt"), "qat_epochs": 1}
    row = experiments.run_row("x-2-0", TrainConfig(**{**pruned, "prune": {"share": 0.5}}))
    assert row["zeros_float"] == pytest.approx(50, abs=0.5) and row["formats"]["zeros"] >= row["zeros_float"] - 0.1
    assert row["formats"]["groups"]["cycles"] > 0
    channels = {"share": 0.5, "of": "channels", "scope": "layer"}
    row = experiments.run_row("x-3-0", TrainConfig(**{**pruned, "prune": channels}))
    assert {key: row[key] for key in ("parameters", "macs", "bytes")} == {
        key: first[key] for key in ("parameters", "macs", "bytes")}  # what is left is the narrow network
    assert experiments.summary("x", [row])["formats"] == row["formats"]


def test_an_unknown_group_is_one_line():
    with pytest.raises(UserError, match="no group nothing; there are seeds, attention") as caught:
        next(experiments.measure("x", only=["nothing"]))
    assert "\n" not in str(caught.value)


def test_bad_input_of_the_command_is_one_line_and_exit_code_2():
    done = subprocess.run([sys.executable, "-m", "tinyspeech", "measure", "experiments", "--logmel", "x", "--only",
                           "nothing"], capture_output=True, text=True)
    assert done.returncode == 2 and done.stderr.startswith("error: no group nothing") and done.stderr.count("\n") == 1


def test_a_row_by_itself_is_told_beside_what_is_recorded_of_it(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(experiments, "RUNS", tmp_path)
    groups = {"g": {"about": "a", "base": "tinyspeech_xs.yaml", "seeds": [0, 1],
                    "rows": {"a": {}, "b": {"network": {"head": 20}}}}}
    monkeypatch.setattr(experiments, "groups", lambda: groups)
    monkeypatch.setattr(experiments, "pool", lambda *arguments: ThreadPoolExecutor(1))
    monkeypatch.setattr(experiments, "run_row", lambda name, config: {
        "float": 90.123 + config.seed + config.network["head"], "int": 80.0, "config": vars(config), "name": name})
    recorded = {"label": "b", "seeds": [0, 1], "float": {"values": [1.0, 2.0]}}
    (tmp_path / "results.json").write_text(json.dumps({"experiments.g": {"value": [recorded]}}))
    monkeypatch.setattr(paths, "RESULTS", tmp_path / "results.json")
    before = paths.RESULTS.read_bytes()
    run = ["measure", "experiments", "--logmel", str(tmp_path), "--only", "g", "--row", "b"]
    run_command(run)
    assert capsys.readouterr().out.splitlines() == [
        "g: b, seed 0: float 110.12 % (recorded: 1.00), int 80.00 % (not recorded)",
        "g: b, seed 1: float 111.12 % (recorded: 2.00), int 80.00 % (not recorded)"]
    run_command([*run, "--seed", "7", "--json"])
    (row,) = json.loads(capsys.readouterr().out)
    assert row == {"group": "g", "row": "b", "seed": 7, "measured": {"float": 117.12, "int": 80.0}, "recorded": {},
                   "read_back": False}
    assert paths.RESULTS.read_bytes() == before
    for wrong, said in ((["--row", "c"], "no row 'c' in g; there are 'a', 'b'"),
                        (["--seed", "0"], "--seed is of --row"),
                        (["--row", "b", "--seed", "-1"], "'seed' must be 0 to"),
                        (["--only", "g", "g", "--row", "b"], "--row names rows of one group")):
        with pytest.raises(UserError, match=said):
            run_command([*run[:6], *wrong])


def run_command(words: list[str]) -> None:
    args = build_parser().parse_args(words)
    args.run(args)


def test_a_group_of_several_bases_is_recorded_too(tmp_path, monkeypatch):
    """Each row is over its own; a group with one base says which."""
    monkeypatch.setattr(experiments, "RUNS", tmp_path)
    groups = {"one": {"about": "a", "base": "tinyspeech_xs.yaml", "seeds": [0], "rows": {"r": {}}},
              "several": {"about": "b", "seeds": [0], "rows": {"x": {"base": "tinyspeech_x.yaml"},
                                                              "y": {"base": "tinyspeech_y.yaml", "epochs": 3}}}}
    monkeypatch.setattr(experiments, "groups", lambda: groups)
    monkeypatch.setattr(experiments, "pool", lambda *arguments: ThreadPoolExecutor(1))
    row = {"parameters": 1, "macs": 1, "bytes": 1, "loss": 1.0, "float": 90.0, "n": 5, "seconds": None}
    monkeypatch.setattr(experiments, "run_row", lambda name, config: {
        **row, "seed": config.seed, "config": {**vars(config)}})
    one, several = experiments.measure(tmp_path)
    assert one.about["config"] == "data/experiments.yaml over tinyspeech_xs.yaml"
    assert several.about["config"] == "data/experiments.yaml"
    assert [line["epochs"] for line in several.value] == [80, 3]
    assert several.value[0]["network"]["channels"] > several.value[1]["network"]["channels"]
