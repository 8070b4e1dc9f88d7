"""The table of accuracy against bits: every listed row can be measured, once, and says what it is."""

import json
import re
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from support.small_training import NETWORK, bands

from tinyspeech import paths
from tinyspeech.__main__ import main
from tinyspeech.errors import UserError
from tinyspeech.lowbit import saved
from tinyspeech.lowbit.quant import QuantConfig
from tinyspeech.measure import bits, store, workers
from tinyspeech.training import train
from tinyspeech.training.data import validation_set

TINY = {"config": "tinyspeech_s_clips.yaml", "start": "t.pt", "seeds": [0, 1],
        "change": {"network": {**NETWORK, "attention": None, "pool": None, "flush": None}, "epochs": 1, "qat_epochs": 1,
                   "batch_size": 32, "average": 0.9}}
PLAN = {"networks": {"T": TINY},
        "static": [{"mode": "DQ", "weight_bits": [8], "granularity": ["channel"], "clipping": ["max"]},
                   {"mode": "SQ", "weight_bits": [4, "ternary"], "granularity": ["tensor"], "clipping": ["optimum"]},
                   {"mode": "SQ", "weight_bits": [2], "granularity": ["channel"], "clipping": ["max"], "norms": True}],
        "qat": [{"weight_bits": [4, "ternary"], "granularity": ["channel"], "clipping": ["learned"]},
                {"weight_bits": [8], "granularity": ["channel"], "clipping": ["max"], "networks": ["other"]}]}


def test_every_listed_network_and_row_can_be_made():
    listed = bits.plan()
    assert list(listed["networks"]) == ["S", "XS", "M"]
    for name, network in listed["networks"].items():
        train.build(bits.train_config(network))
        assert len(network["seeds"]) >= 2
        labels = []
        for kind in ("static", "qat"):
            for label, way in bits.ways(listed[kind], name).items():
                assert set(way.get("seeds", network["seeds"])) <= set(network["seeds"])
                QuantConfig(way["mode"], way["bits"], granularity=way["granularity"], clipping=way["clipping"])
                labels.append(label)
        assert len(set(labels)) == len(labels)
        wanted = [("DQ", 8), ("SQ", 8), ("SQ", 4), ("QAT", 8), ("QAT", 4), ("QAT", 2), ("QAT", "ternary")]
        assert all(any(label.startswith(f"{name}, {mode}, {b},") for label in labels) for mode, b in wanted)


def test_networks_shape_their_own_plan():
    assert list(bits.ways(PLAN["qat"], "T")) == ["T, QAT, 4, channel, learned", "T, QAT, ternary, channel, learned"]
    assert [way["bits"] for way in bits.ways(PLAN["qat"], "other").values()] == [4, "ternary", 8]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(bits, "RUNS", tmp_path)
    monkeypatch.setattr(bits, "plan", lambda: PLAN)
    return tmp_path


@pytest.fixture
def data():
    return bands(clips=240)


@pytest.fixture
def start(folder, data, monkeypatch):
    """The float network that TINY's rows start from, trained."""
    path = folder / "models" / "t.pt"
    monkeypatch.setattr(paths, "MODELS", path.parent)
    train.train(bits.replace(bits.train_config(TINY), qat_epochs=0), data, path, quiet=True)
    return path


def test_rows_are_measured_once_and_say_what_they_are(folder, data, start, monkeypatch):
    rows = bits.measured("T", TINY, data)
    assert [row["label"] for row in rows] == [
        "T, UN", "T, DQ, 8, channel, max", "T, SQ, 4, tensor, optimum", "T, SQ, ternary, tensor, optimum",
        "T, SQ, 2, channel, max, norms", "T, QAT, 4, channel, learned", "T, QAT, ternary, channel, learned"]
    features, labels = validation_set(data)
    first = rows[0]["accuracy"]
    assert first["mean"] == round(saved.accuracy(saved.load_model(start), features, labels), 2)
    assert first["sd"] is None and rows[0]["bits"] is None and {row["n"] for row in rows} == {len(labels)}
    four = rows[5]["accuracy"]
    assert len(four["values"]) == 2 and four["sd"] is not None
    again = saved.load_model(folder / "T-4-channel-learned-1.pt")
    assert four["values"][1] == round(saved.accuracy(again, features, labels), 2)
    floats, eights, fours, thirds = (rows[i]["bytes"] for i in (0, 1, 2, 3))
    assert floats > eights > fours > thirds
    assert not list(folder.glob("*.checkpoint"))
    with monkeypatch.context() as patch:
        patch.setattr(train, "train", lambda *_a, **_k: pytest.fail("trained again"))
        assert bits.measured("T", TINY, data) == rows
        other = torch.load(start, weights_only=True)
        other["state_dict"]["classifier.weight"] += 1
        torch.save(other, start)
        with pytest.raises(pytest.fail.Exception):  # another float network has other rows
            bits.measured("T", TINY, data)


def test_a_row_by_itself_is_told_beside_what_is_recorded_of_it(folder, data, start, monkeypatch, capsys):
    monkeypatch.setattr(paths, "RESULTS", folder / "results.json")
    monkeypatch.setattr(workers, "ProcessPoolExecutor", lambda *_a, **_k: ThreadPoolExecutor(1))
    monkeypatch.setattr(workers.LOADED, "bands", data, raising=False)
    store.record("experiments.bits", [{"label": "T, QAT, 4, channel, learned", "network": "T",
                                       "accuracy": {"values": [1.0, 2.0]}}], "%")
    before = (folder / "results.json").read_text()
    run = ["measure", "bits", "--logmel", str(folder), "--speech", str(folder)]
    assert main([*run, "--row", "T, UN", "T, QAT, 4, channel, learned"]) == 0
    plain, *trained = capsys.readouterr().out.splitlines()
    score = saved.accuracy(saved.load_model(start), *validation_set(data))
    assert plain == f"bits: T, UN: accuracy {score:.2f} % (not recorded)"
    for seed, line in enumerate(trained):
        score = saved.accuracy(saved.load_model(folder / f"T-4-channel-learned-{seed}.pt"), *validation_set(data))
        assert line == (f"bits: T, QAT, 4, channel, learned, seed {seed}: "
                        f"accuracy {score:.2f} % (recorded: {1 + seed}.00)")
    assert len(trained) == 2 and not (folder / "T-ternary-channel-learned-0.pt").exists()  # no other row's
    assert (folder / "results.json").read_text() == before
    for wrong, said in ((["--row", "T"], "no row 'T'; there are T, UN; T, DQ, 8"),
                        (["--row", "Q, UN"], "no row 'Q, UN'; there are rows of T"),
                        (["--row", "T, UN", "--only", "T"], "--row names rows by themselves")):
        assert main([*run, *wrong]) == 2
        assert said in capsys.readouterr().err


def test_the_command_records_its_rows_and_keeps_the_others(folder, monkeypatch):
    monkeypatch.setattr(paths, "RESULTS", folder / "results.json")
    kept = [{"label": "U, UN", "network": "U", "n": 3}, {"label": "T, UN", "network": "T", "n": 3}]
    store.record("experiments.bits", kept, "%")
    monkeypatch.setattr(bits, "plan", lambda: {**PLAN, "networks": {"U": TINY, "T": TINY}})

    monkeypatch.setattr(workers, "ProcessPoolExecutor", lambda *_a, **_k: ThreadPoolExecutor(1))
    monkeypatch.setattr(bits, "run_network", lambda name, network: [{"label": f"{name}, UN", "network": name, "n": 5}])
    assert main(["measure", "bits", "--logmel", str(folder), "--speech", str(folder), "--only", "T"]) == 0
    entry = json.loads((folder / "results.json").read_text())["experiments.bits"]
    assert [(row["label"], row["n"]) for row in entry["value"]] == [("U, UN", 3), ("T, UN", 5)]
    with pytest.raises(UserError, match="no network Q; there are U, T"):
        next(bits.measure("x", "y", only=["Q"]))


def test_every_row_that_the_chapter_quotes_is_measured():
    root = paths.ROOT
    pages = [p for folder in ("book", "drafts") for p in (root / folder).glob("05_*.ipynb")]
    text = "".join("".join(cell["source"]) for p in pages for cell in json.loads(p.read_text("utf-8"))["cells"])
    quoted = set(re.findall(r"results:experiments\.bits#([^#|<>]+)#", text))
    listed = bits.plan()
    labels = {bits.label_of(name, "UN") for name in listed["networks"]}
    for name in listed["networks"]:
        labels |= {label for kind in ("static", "qat") for label in bits.ways(listed[kind], name)}
    assert len(quoted) > 5 and quoted <= labels
