"""Training runs that are compared with each other, as `data/experiments.yaml` lists them (chapters 3 and 4).

    python -m tinyspeech measure experiments --logmel FILE --speech FOLDER [--only GROUP ...] [--workers 2]
    python -m tinyspeech measure experiments --logmel FILE --speech FOLDER --only GROUP --row LABEL --seed 0

A group is a table of one question: a base config and what each row changes. Every row is trained for each seed with
`train.train`, with one thread, `--workers` at a time; what is finished is skipped the next time. Accuracies are of the
complete validation set of the log-mel archive, and, where a row is trained to few bits, of the integer network on the
recordings of FOLDER too. The rows go into `data/results.json` as `experiments.GROUP`, with means and deviations.
A row by itself goes nowhere: it is told beside what is recorded of it (`again`).
Not here: training itself, and the figures of the network that ships (`figures/network.py`).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import yaml

from tinyspeech import paths
from tinyspeech.errors import UserError
from tinyspeech.lowbit import lower, prune, saved
from tinyspeech.measure import formats
from tinyspeech.measure.figures import PICTURES
from tinyspeech.measure.store import Figure, figure, load
from tinyspeech.measure.workers import LOADED, chosen, digest, merged, pool, reports, spread
from tinyspeech.networks.counting import count_macs, count_parameters, weight_bytes
from tinyspeech.networks.streaming import StreamingConfig
from tinyspeech.outside import files
from tinyspeech.paths import CONFIGS
from tinyspeech.training import data, train
from tinyspeech.training.config import TrainConfig

RUNS = paths.RUNS / "experiments"
MEASURED = ("float", "int", "int_recordings")
"""Accuracies of a run, in percent; the last two of networks at few bits alone."""
SECONDS = "of the processor, for all epochs of one seed"
"""What a row's seconds are, where its figure says so; figures from before have the seconds of a clock on the wall."""


def groups() -> dict:
    """{group: {"about", "base" (a config), "change" {...}, "seeds" [...], "rows" {label: {...}}}}.

    `curves`: true where loss and accuracy of each epoch are to be recorded, too. A row may have a `base` and `seeds` of
    its own.
    """
    return yaml.safe_load((paths.DATA / "experiments.yaml").read_text("utf-8"))


def seeds_of(group: dict, label: str) -> list[int]:
    """Seeds of a row: its own, or the group's."""
    return group["rows"][label].get("seeds", group["seeds"])


def row_config(group: dict, label: str, seed: int) -> TrainConfig:
    """The training of one row and seed."""
    change = {"base": group.get("base"), **group["rows"][label]}
    change.pop("seeds", None)  # a run has one
    base = yaml.safe_load((CONFIGS / change.pop("base")).read_text("utf-8"))
    values = merged(merged(base, group.get("change") or {}), change)
    return TrainConfig(**{**values, "seed": seed})


def what_counts(config: dict) -> dict:
    """A run's config without what it does not use: without epochs at few bits, how they would go is nothing.

    Keys that came later, the network's too, have their defaults, so that runs from before are not made again.
    """
    config = {**vars(TrainConfig()), **config}
    if config["model"] == "tinyspeech_s":
        config["network"] = StreamingConfig.from_dict(config["network"]).to_dict()
    of_few_bits = ("qat_lr", "weight_bits", "granularity", "clipping")
    return {key: value for key, value in config.items() if config["qat_epochs"] or key not in of_few_bits}


def left_by(checkpoint: Path, config: dict) -> bool:
    """Whether a training of this very config was interrupted and can go on from `checkpoint`."""
    try:
        return {**vars(TrainConfig()), **saved.load_checkpoint(checkpoint)["config"]} == config
    except (UserError, KeyError, TypeError):
        return False


def run_row(name: str, config: TrainConfig) -> dict:
    """Train one row with one seed and measure it; a finished one is read back, an interrupted one goes on.

    Returns {"seed", "float", "int", ...}; "seconds" are the processor's, of all epochs, and "read_back" is true of a
    run from before, of this config on these data (`data`; runs from before that was kept count as of these).
    """
    out, report = RUNS / f"{name}.pt", RUNS / f"{name}.json"
    config_now = json.loads(json.dumps(vars(config)))
    data_now = digest(LOADED.bands, *(LOADED.speech or ()))
    for row in reports(RUNS):
        if row.get("data", data_now) == data_now and what_counts(row["config"]) == what_counts(config_now):
            return {**row, "read_back": True}
    checkpoint = saved.beside(out, ".checkpoint")
    corpus = LOADED.corpus(config.features)
    metrics = train.train(config, corpus, out, resume=left_by(checkpoint, config_now), quiet=True)
    network = saved.build_saved(saved.load_checkpoint(out))
    features, labels = data.validation_set(corpus, view=data.VIEWS[config.features])
    row = {"seed": config.seed, "config": config_now, "data": data_now, "float": metrics["float_accuracy"],
           "loss": metrics["history"][config.epochs - 1]["loss"], "parameters": count_parameters(network),
           "macs": count_macs(network, features.shape[1:]), "bytes": weight_bytes(network),
           "seconds": round(saved.load_checkpoint(checkpoint)["progress"]["seconds"]) if checkpoint.exists() else None,
           "curves": {key: [round(epoch[key], 4 if key == "loss" else 2) for epoch in metrics["history"]]
                      for key in ("loss", "accuracy")}}
    row["n"] = len(labels)
    if config.prune:
        row["zeros_float"] = round(100 * prune.zeros(saved.load_model(saved.beside(out, "_float.pt")
                                                                      if config.qat_epochs else out)), 1)
    if config.qat_epochs:
        integer = lower.integer_twin(saved.load_model(out), name.replace("-", "_"))
        guess = integer.run(features.numpy().astype(np.int8)).argmax(1)
        row["int"] = float(100 * (guess == labels.numpy()).mean())
        if config.start:
            row["formats"] = formats.network_formats(integer)
        if LOADED.speech is not None:
            features, labels = LOADED.speech
            row["int_recordings"] = float(100 * (integer.run(features).argmax(1) == labels).mean())
    checkpoint.unlink(missing_ok=True)
    files.keep(report, lambda path: path.write_text(json.dumps(row), encoding="utf-8"))
    return row


def summary(label: str, rows: list[dict], curves: bool = False) -> dict:
    """One line of a table: counts, and each accuracy's values by seed, mean and standard deviation (n - 1).

    With `curves`, loss and accuracy after each epoch, of every seed, too. Runs from before curves were kept have the
    seconds of a clock on the wall, which other programs stretched: those are not told.
    """
    first, seconds = rows[0], [row["seconds"] for row in rows if row["seconds"] and "curves" in row]
    line: dict = {"label": label, "seeds": [row["seed"] for row in rows],
            **{key: first[key] for key in ("parameters", "macs", "bytes")}, "epochs": first["config"]["epochs"],
            "qat_epochs": first["config"]["qat_epochs"], "network": first["config"]["network"],
            "seconds": round(float(np.mean(seconds))) if seconds else None,
            "loss": round(sum(row["loss"] for row in rows) / len(rows), 4),
            **{key: first[key] for key in ("zeros_float", "formats") if key in first}}
    for key in MEASURED:
        values = [row[key] for row in rows if key in row]
        if values:
            line[key] = spread(values)
    if curves:
        line["curves"] = [row["curves"] for row in rows]
    return line


def key_of(group: str) -> str:
    """Under which name a group's rows stand in data/results.json."""
    return f"experiments.{group}"


def again(logmel: str | Path, speech: str | Path | None, name: str, labels: Iterable[str],
          seeds: Iterable[int] | None = None, workers: int = 2) -> Iterator[dict]:
    """Rows of one group, without its others: for whoever doubts a line of a table, and has not hours for all of it.

    Nothing is recorded. Yields {"group", "row", "seed", "measured", "recorded", "read_back"}: measured and recorded
    {"float", ...}, the latter what data/results.json holds of that row and seed, which is nothing for a seed that was
    never trained; read_back, whether it was trained now or by a run whose report still lay there.

    Parameters
    ----------
    logmel, speech, workers : as of `measure`
    name : of a group
    labels : of its rows
    seeds : None: those of the table

    Raises
    ------
    UserError : no such group, row or data, a seed below 0
    """
    listed = groups()
    group = listed[chosen(listed, [name], "group")[0]]
    order = list(group["rows"])
    if unknown := [label for label in labels if label not in order]:
        raise UserError(f"no row {unknown[0]!r} in {name}; there are {', '.join(map(repr, order))}")
    configs = [(label, seed, row_config(group, label, seed))
               for label in labels for seed in (seeds or seeds_of(group, label))]
    tables = {line["label"]: line for line in load().get(key_of(name), {}).get("value", ())}
    with pool(workers, logmel, speech) as processes:
        RUNS.mkdir(parents=True, exist_ok=True)
        jobs = [processes.submit(run_row, f"{name}-{order.index(label)}-{seed}", config)
                for label, seed, config in configs]
        for (label, seed, _), job in zip(configs, jobs, strict=True):
            line, row = tables.get(label, {"seeds": []}), job.result()
            recorded = {key: line[key]["values"][line["seeds"].index(seed)] for key in MEASURED
                        if seed in line["seeds"] and key in line}
            yield {"group": name, "row": label, "seed": seed,
                   "measured": {key: round(row[key], 2) for key in MEASURED if key in row}, "recorded": recorded,
                   "read_back": row.get("read_back", False)}


def measure(logmel: str | Path, speech: str | Path | None = None, only: Iterable[str] | None = None,
            workers: int = 2) -> Iterator[Figure]:
    """Run what is not finished of the groups that are asked for; prints each row, yields each group.

    Parameters
    ----------
    logmel : the log-mel set, or a folder in Speech Commands layout
    speech : recordings in Speech Commands layout, for the integer networks
    only : groups of data/experiments.yaml; None: all
    workers : trainings side by side, the cores shared among them

    Raises
    ------
    UserError : no such group, no such data
    """
    listed = groups()
    only = chosen(listed, only, "group")
    with pool(workers, logmel, speech) as processes:
        RUNS.mkdir(parents=True, exist_ok=True)
        waiting = {name: {(label, seed): processes.submit(run_row, f"{name}-{i}-{seed}",
                                                            row_config(group, label, seed))
                          for i, label in enumerate(group["rows"]) for seed in seeds_of(group, label)}
                   for name, group in listed.items() if name in only}
        for name, jobs in waiting.items():
            group = listed[name]
            lines = []
            for label in group["rows"]:
                rows = [jobs[label, seed].result() for seed in seeds_of(group, label)]
                lines.append(summary(label, rows, group.get("curves", False)))
                shown = {k: v for k, v in lines[-1].items() if k not in ("network", "curves")}
                print(name, json.dumps(shown), file=sys.stderr, flush=True)
            yield figure(key_of(name), lines, "%", about=group["about"], n=rows[0]["n"],
                         data=f"{PICTURES}; int_recordings: the v0.01 subset's",
                         config=" over ".join(["data/experiments.yaml", *filter(None, [group.get("base")])]),
                         seconds=SECONDS)
