"""Accuracy against bits: one float network each for S, XS and M, brought to few bits in every way (chapter 5).

    python -m tinyspeech measure bits --logmel FILE --speech FOLDER [--only NETWORK ...] [--workers 2]
    python -m tinyspeech measure bits --logmel FILE --speech FOLDER --row "XS, QAT, 4, channel, learned"

`data/bits.yaml` lists networks and rows. Every row starts from the same float network and is judged on the same clips,
the complete validation set of the log-mel archive, as the chip computes. What is finished is skipped the
next time. The rows go into `data/results.json` as `experiments.bits`; one by itself goes nowhere and is told beside
what is recorded of it (`again`). Not here: quantisation (`lowbit/quant.py`),
training (`training/train.py`), comparisons of schedules and networks (`experiments.py`).
"""

from __future__ import annotations

import hashlib
import itertools
import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict, replace
from pathlib import Path

import torch
import yaml

from tinyspeech import paths
from tinyspeech.errors import UserError
from tinyspeech.lowbit import quant, saved
from tinyspeech.measure import store
from tinyspeech.measure.figures import PICTURES
from tinyspeech.measure.store import Figure, figure
from tinyspeech.measure.workers import LOADED, chosen, digest, merged, pool, reports, spread
from tinyspeech.networks.counting import weight_bytes
from tinyspeech.outside import files
from tinyspeech.paths import CONFIGS
from tinyspeech.training import train
from tinyspeech.training.config import TrainConfig
from tinyspeech.training.data import epoch_order, training_batches, validation_set

RUNS = paths.RUNS / "bits"
KEY = "experiments.bits"
"""Under which name the rows stand in data/results.json."""
STORED_BITS = {"ternary": 8 / 5, None: 32}
"""Bits that a weight takes where it is not the grid's own number: five of three values fit in a byte; float."""


def plan() -> dict:
    """{"networks": {name: {...}}, "static": [...], "qat": [...]} of data/bits.yaml."""
    return yaml.safe_load((paths.DATA / "bits.yaml").read_text("utf-8"))


def label_of(network: str, mode: str, bits=None, granularity: str = "", clipping: str = "", norms: bool = False) -> str:
    """A row's name, as `S, SQ, 4, channel, max`."""
    parts = (network, mode, bits, granularity, clipping, "norms" if norms else None)
    return ", ".join(str(part) for part in parts if part)


def ways(rows: list[dict], network: str, labels: Iterable[str] | None = None) -> dict[str, dict]:
    """Every combination of the lists in each row: {label: {"mode", "bits", "granularity", "clipping", "norms"}}, and
    "seeds" where the row has its own. labels: of those that are wanted, None: all."""
    keys = ("weight_bits", "granularity", "clipping")
    found = {}
    for row in rows:
        if network in row.get("networks", [network]):
            for values in itertools.product(*(row[key] for key in keys)):
                way = {"mode": row.get("mode", "QAT"), **dict(zip(("bits", *keys[1:]), values, strict=True)),
                       "norms": row.get("norms", False)}
                found[label_of(network, **way)] = {**way, **({"seeds": row["seeds"]} if "seeds" in row else {})}
    return {label: way for label, way in found.items() if labels is None or label in labels}


def train_config(network: dict) -> TrainConfig:
    """The training that a network's rows share."""
    base = yaml.safe_load((CONFIGS / network["config"]).read_text("utf-8"))
    return TrainConfig(**merged(base, network["change"]))


def plain(config: TrainConfig) -> dict:
    """A config as JSON gives it back."""
    return json.loads(json.dumps(asdict(config)))


def finished(config: dict, on: str) -> dict | None:
    """What an earlier run of this config measured on data of this digest, if there was one."""
    return next((row["result"] for row in reports(RUNS) if row["config"] == config and row.get("data", on) == on), None)


def keep(name: str, config: dict, on: str, result: dict) -> dict:
    """Write down what was measured, for `finished`."""
    kept = json.dumps({"config": config, "data": on, "result": result})
    files.keep(RUNS / f"{name}.json", lambda path: path.write_text(kept, encoding="utf-8"))
    return result


def line(name: str, model, values: list[float], n: int, bits=None, **way) -> dict:
    """A line of the table: {"label", "network", "mode", .., "accuracy": {"values", "mean", "sd"}, "bytes", "n"}.

    The accuracies, in percent, are of one seed each; the standard deviation is of a sample (n - 1).
    """
    accuracy = spread(values)
    found = {"label": label_of(name, bits=bits, **way), "network": name, **way, "bits": bits, "accuracy": accuracy,
             "bytes": weight_bytes(model, STORED_BITS.get(bits, bits)), "n": n}
    print(found["label"], accuracy["mean"], file=sys.stderr, flush=True)
    return found


def without_training(name: str, model, config, data, labels: Iterable[str] | None) -> Iterator[dict]:
    """The network in float, and under every DQ and SQ that is listed; steps are set on the first of some batches."""
    generator = torch.Generator().manual_seed(0)
    order = epoch_order(data, config.unknown_share, config.silence_share, generator)
    batches = training_batches(data, config.augmentation(), order, config.batch_size, generator)
    some = [x for x, _ in itertools.islice(batches, train.NORM_BATCHES)]
    features, targets = validation_set(data)
    if labels is None or label_of(name, "UN") in labels:
        yield line(name, model, [saved.accuracy(model, features, targets)], len(targets), mode="UN")
    for way in ways(plan()["static"], name, labels).values():
        grid = quant.QuantConfig(way["mode"], way["bits"], granularity=way["granularity"], clipping=way["clipping"])
        score = saved.evaluate_quantised(model, grid, some[0], features, targets, some if way["norms"] else ())
        yield line(name, model, [score], len(targets), **way)


def with_training(name: str, path: Path, model, config, seeds: Iterable[int], data,
                  labels: Iterable[str] | None) -> Iterator[dict]:
    """The network of a file, trained on under every QAT that is listed, once for each seed."""
    float_network, on = hashlib.sha256(path.read_bytes()).hexdigest(), digest(data)
    for way in ways(plan()["qat"], name, labels).values():
        way.pop("norms")  # training measures them after every epoch as it is
        values = []
        for seed in way.pop("seeds", seeds):
            run = replace(config, weight_bits=way["bits"], granularity=way["granularity"], clipping=way["clipping"],
                          seed=seed, start=str(path), epochs=0)
            key = f"{name}-{run.weight_bits}-{run.granularity}-{run.clipping}-{seed}"
            identity = {**plain(run), "start": float_network}
            done = finished(identity, on)
            if done is None:
                out = RUNS / f"{key}.pt"
                done = keep(key, identity, on, train.train(run, data, out, quiet=True))
                saved.beside(out, ".checkpoint").unlink(missing_ok=True)
                saved.beside(out, "_float.pt").unlink(missing_ok=True)
            values.append(done["accuracy"])
        yield line(name, model, values, len(validation_set(data)[1]), **way)


def measured(name: str, network: dict, data, labels: Iterable[str] | None = None) -> list[dict]:
    """All rows of one network, or those with these labels."""
    path = paths.MODELS / network["start"]
    model, config = saved.load_model(path).float(), train_config(network)
    return [*without_training(name, model, config, data, labels),
            *with_training(name, path, model, config, network["seeds"], data, labels)]


def run_network(name: str, network: dict, labels: Iterable[str] | None = None) -> list[dict]:
    """`measured` in a worker process, on the data that it has loaded."""
    return measured(name, network, LOADED.bands, labels)


def again(logmel: str | Path, speech: str | Path, labels: Iterable[str], workers: int = 2) -> Iterator[dict]:
    """Rows by themselves, without the others: for whoever doubts a line of the table, and has not hours for all of it.

    Nothing is recorded. Yields {"group", "row", "seed", "measured", "recorded"}: `bits`, the label, a seed or None
    where nothing is trained, {"accuracy"}, and that again as data/results.json has it, {} where it has no such row.

    Parameters
    ----------
    logmel, speech, workers : as of `measure`
    labels : of rows, as `label_of` makes them

    Raises
    ------
    UserError : no such row or data
    """
    listed, seeds = plan(), {}
    networks = listed["networks"]
    for name, network in networks.items():
        untrained = (label_of(name, "UN"), *ways(listed["static"], name))
        trained = {label: way.get("seeds", network["seeds"]) for label, way in ways(listed["qat"], name).items()}
        seeds[name] = {**{label: [None] for label in untrained}, **trained}
    named = {label: label.split(",")[0] for label in labels}
    for label, name in named.items():
        if label not in seeds.get(name, ()):
            there = "; ".join(seeds[name]) if name in seeds else f"rows of {', '.join(networks)}"
            raise UserError(f"no row {label!r}; there are {there}")
    recorded = {row["label"]: row for row in store.load().get(KEY, {"value": []})["value"]}
    with pool(workers, logmel, speech) as processes:
        RUNS.mkdir(parents=True, exist_ok=True)
        jobs = {label: processes.submit(run_network, name, networks[name], [label]) for label, name in named.items()}
        for label, job in jobs.items():
            (row,) = job.result()
            for i, seed in enumerate(seeds[named[label]][label]):
                measured, told = ({"accuracy": entry["accuracy"]["values"][i]} if entry else {}
                                  for entry in (row, recorded.get(label)))
                yield {"group": "bits", "row": label, "seed": seed, "measured": measured, "recorded": told}


def measure(logmel: str | Path, speech: str | Path, only: Iterable[str] | None = None,
            workers: int = 2) -> Iterator[Figure]:
    """Measure what is not finished; prints each row, yields the table.

    Parameters
    ----------
    logmel : the log-mel set, or a folder in Speech Commands layout
    speech : recordings in Speech Commands layout, for their noise
    only : networks of data/bits.yaml to measure, the rows of others stay as they are recorded; None: all
    workers : networks side by side, the cores shared among them

    Raises
    ------
    UserError : no such network, no such data
    """
    listed = plan()["networks"]
    only = chosen(listed, only, "network")
    before = store.load().get(KEY, {"value": []})["value"]
    rows = {name: [row for row in before if row["network"] == name] for name in listed}
    with pool(workers, logmel, speech) as processes:
        RUNS.mkdir(parents=True, exist_ok=True)
        jobs = {name: processes.submit(run_network, name, listed[name]) for name in only}
        for name, job in jobs.items():
            rows[name] = job.result()
    value = list(itertools.chain(*rows.values()))
    yield figure(KEY, value, "%", about="S, XS and M at few bits, in every mode, from one float network each",
                 n=value[0]["n"], data=PICTURES,
                 config="data/bits.yaml",
                 note="bytes: weights packed at their bits, ternary five in a byte, and 4 bytes a channel; "
                      "accuracies as the chip computes; seeds are of the stage at few bits")
