"""Training runs that are compared with each other, as `data/experiments.yaml` lists them (chapters 3 and 4).

    python -m tinyspeech.experiments --logmel FILE --speech FOLDER [--only GROUP ...] [--workers 2]

A group is a table of one question: a base config and what each row changes. Every row is trained for each seed with
`train.train`, single-threaded, `--workers` at a time; what is finished is skipped the next time. Accuracies are of the
complete validation set of the log-mel archive, and, where a row is trained to few bits, of the integer network on the
recordings of FOLDER too. The rows go into `data/results.json` as `experiments.GROUP`, with means and deviations.
Not here: training itself, and the figures of the network that ships (`results.py`).
"""

from __future__ import annotations

import argparse
import json
import math
import os
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import yaml

from tinyspeech import datasets
from tinyspeech.errors import UserError, run_or_say

CONFIGS = datasets.ROOT / "data" / "configs"
RUNS = Path("runs") / "experiments"


def groups() -> dict:
    """{group: {"about", "base" (a config), "change" {...}, "seeds" [...], "once" [labels], "rows" {label: {...}}}}.

    `once`: rows of one seed. `curves`: true where loss and accuracy of each epoch are to be recorded, too.
    """
    return yaml.safe_load((datasets.ROOT / "data" / "experiments.yaml").read_text("utf-8"))


def merged(base: dict, change: dict) -> dict:
    """`base` with `change` laid over it, dictionaries within too; null takes a key out. Neither is altered."""
    both = {**base, **{key: merged(base[key], value) if isinstance(base.get(key), dict) and isinstance(value, dict)
                       else value for key, value in change.items()}}
    return {key: value for key, value in both.items() if value is not None}


def seeds_of(group: dict, label: str) -> list[int]:
    """Seeds of a row: the group's, or the first of them for a row that is listed under `once`."""
    return group["seeds"][:1] if label in group.get("once", ()) else group["seeds"]


def row_config(group: dict, label: str, seed: int):
    """The `train.TrainConfig` of one row and seed."""
    from tinyspeech.train import TrainConfig

    base = yaml.safe_load((CONFIGS / group["base"]).read_text("utf-8"))
    values = merged(merged(base, group.get("change") or {}), group["rows"][label] or {})
    return TrainConfig(**{**values, "seed": seed})


def weight_bytes(model, bits: float = 4) -> int:
    """Bytes of a network's numbers in flash: weights at `bits`, and for each output channel 4 B of bias, multiplier and
    shift; a condenser's scale is one byte a channel. What `export.c_header` stores, for any network of the library."""
    from torch import nn

    from tinyspeech.streaming import CausalConv, StreamingCondenser

    total = 0
    for module in model.modules():
        if isinstance(module, (nn.Conv1d, nn.Conv2d, nn.Linear, CausalConv)):
            total += math.ceil(module.weight.numel() * bits / 8) + 4 * len(module.weight)
        if isinstance(module, StreamingCondenser):
            total += module.scale.numel()
    return total


def what_counts(config: dict) -> dict:
    """A run's config without what it does not use: without epochs at few bits, how they would go is nothing.

    Keys that came later have their defaults, so that runs from before are not made again.
    """
    from tinyspeech.train import TrainConfig

    config = {**vars(TrainConfig()), **config}
    of_few_bits = ("qat_lr", "weight_bits", "granularity", "clipping")
    return {key: value for key, value in config.items() if config["qat_epochs"] or key not in of_few_bits}


_worker: dict = {}
"""What a worker process loads once: bands, and features and labels of the recordings."""


def start_worker(logmel: str, speech: str | None, threads: int) -> None:
    """Runs once in each worker process."""
    import torch

    from tinyspeech import frontend, training_data

    torch.set_num_threads(threads)
    noise = Path(speech) / datasets.BACKGROUND if speech else None
    _worker["bands"] = training_data.load(logmel, noise)
    if speech:
        clips, labels, *_ = datasets.load_task(speech, "validation").arrays()
        _worker["speech"] = frontend.features(frontend.to_8khz(clips)), np.asarray(labels)


def left_by(checkpoint: Path, config: dict) -> bool:
    """Whether a training of this very config was interrupted and can go on from `checkpoint`."""
    from tinyspeech import train

    try:
        return {**vars(train.TrainConfig()), **train.load_checkpoint(checkpoint)["config"]} == config
    except (UserError, KeyError, TypeError):
        return False


def run_row(name: str, config) -> dict:
    """Train one row with one seed and measure it; a finished one is read back, an interrupted one goes on.

    Returns {"seed", "float", "int", ...}; "seconds" are the processor's, of all epochs.
    """
    from tinyspeech import bench, export, prune, train, training_data
    from tinyspeech.models import count_macs, count_parameters

    out, report = RUNS / f"{name}.pt", RUNS / f"{name}.json"
    config_now = json.loads(json.dumps(vars(config)))
    for done in sorted(RUNS.glob("*.json")):
        if what_counts((row := json.loads(done.read_text()))["config"]) == what_counts(config_now):
            return row
    checkpoint = out.with_suffix(".checkpoint")
    metrics = train.train(config, _worker["bands"], out, resume=left_by(checkpoint, config_now), quiet=True)
    network = train.build_saved(train.load_checkpoint(out))
    row = {"seed": config.seed, "config": config_now, "float": metrics["float_accuracy"],
           "loss": metrics["history"][config.epochs - 1]["loss"], "parameters": count_parameters(network),
           "macs": count_macs(network, (49, 12)), "bytes": weight_bytes(network),
           "seconds": round(train.load_checkpoint(checkpoint)["progress"]["seconds"]) if checkpoint.exists() else None,
           "curves": {key: [round(epoch[key], 4 if key == "loss" else 2) for epoch in metrics["history"]]
                      for key in ("loss", "accuracy")}}
    features, labels = training_data.validation_set(_worker["bands"])
    row["n"] = len(labels)
    if config.prune:
        row["zeros_float"] = round(100 * prune.zeros(train.load_model(out.with_name(out.stem + "_float.pt")
                                                                      if config.qat_epochs else out)), 1)
    if config.qat_epochs:
        integer = export.quantised(train.load_model(out), name)
        guess = integer.run(features.numpy().astype(np.int8)).argmax(1)
        row["int"] = float(100 * (guess == labels.numpy()).mean())
        if config.start:
            row["formats"] = bench.network_formats(integer)
        if "speech" in _worker:
            features, labels = _worker["speech"]
            row["int_recordings"] = float(100 * (integer.run(features).argmax(1) == labels).mean())
    checkpoint.unlink(missing_ok=True)
    report.write_text(json.dumps(row))
    return row


def summary(label: str, rows: list[dict], curves: bool = False) -> dict:
    """One line of a table: counts, and each accuracy's values by seed, mean and standard deviation (n - 1).

    With `curves`, loss and accuracy after each epoch, of every seed, too.
    """
    first, seconds = rows[0], [row["seconds"] for row in rows if row["seconds"]]
    line: dict = {"label": label, "seeds": [row["seed"] for row in rows],
            **{key: first[key] for key in ("parameters", "macs", "bytes")}, "epochs": first["config"]["epochs"],
            "qat_epochs": first["config"]["qat_epochs"], "network": first["config"]["network"],
            "seconds": round(float(np.mean(seconds))) if seconds else None,
            "loss": round(sum(row["loss"] for row in rows) / len(rows), 4),
            **{key: first[key] for key in ("zeros_float", "formats") if key in first}}
    for key in ("float", "int", "int_recordings"):
        values = [row[key] for row in rows if key in row]
        if values:
            line[key] = {"values": [round(v, 2) for v in values], "mean": round(float(np.mean(values)), 2),
                         "sd": round(float(np.std(values, ddof=1)), 2) if len(values) > 1 else None}
    if curves:
        line["curves"] = [row["curves"] for row in rows]
    return line


def main(argv: list[str] | None = None) -> None:
    """Run what is not finished, print and record every group that was asked for."""
    from tinyspeech.results import record

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--logmel", required=True, help="the log-mel set, or a folder in Speech Commands layout")
    parser.add_argument("--speech", help="recordings in Speech Commands layout, for the integer networks")
    parser.add_argument("--only", nargs="*", help="groups to run (default: all)")
    parser.add_argument("--workers", type=int, default=2, help="trainings side by side, the cores shared among them")
    args = parser.parse_args(argv)
    listed = groups()
    unknown = set(args.only or ()) - set(listed)
    if unknown:
        raise UserError(f"no group {', '.join(sorted(unknown))}; there are {', '.join(listed)}")
    datasets.must_exist(args.logmel, args.speech)
    RUNS.mkdir(parents=True, exist_ok=True)
    threads = max(1, (os.cpu_count() or 1) // max(args.workers, 2))
    with ProcessPoolExecutor(args.workers, initializer=start_worker,
                             initargs=(args.logmel, args.speech, threads)) as pool:
        waiting = {name: {(label, seed): pool.submit(run_row, f"{name}-{i}-{seed}", row_config(group, label, seed))
                          for i, label in enumerate(group["rows"]) for seed in seeds_of(group, label)}
                   for name, group in listed.items() if name in (args.only or listed)}
        for name, jobs in waiting.items():
            group = listed[name]
            lines = []
            for label in group["rows"]:
                rows = [jobs[label, seed].result() for seed in seeds_of(group, label)]
                lines.append(summary(label, rows, group.get("curves", False)))
                shown = {k: v for k, v in lines[-1].items() if k not in ("network", "curves")}
                print(name, json.dumps(shown), flush=True)
            record(f"experiments.{name}", lines, "%", about=group["about"], n=rows[0]["n"],
                   data="Speech Commands v0.02 validation, log-mel set, 12 classes; int_recordings: the v0.01 subset's",
                   config=f"data/experiments.yaml over {group['base']}",
                   command="python -m tinyspeech.experiments --logmel FILE --speech FOLDER --only " + name)


if __name__ == "__main__":
    run_or_say(main)
