"""What each lever of training gives in hours of speech: the rows of data/levers.yaml, trained (chapter 11)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import yaml
from tqdm import tqdm

from tinyspeech import paths
from tinyspeech.integer.network import IntegerModel
from tinyspeech.lowbit import lower, saved
from tinyspeech.measure import negatives as counting
from tinyspeech.measure import positives
from tinyspeech.measure.experiments import left_by
from tinyspeech.measure.figures.hours import ROW, SPEECH, WHO
from tinyspeech.measure.figures.training import data_of
from tinyspeech.measure.store import Figure, figure
from tinyspeech.measure.workers import merged
from tinyspeech.sound.noise import BACKGROUND
from tinyspeech.training import streams, train
from tinyspeech.training.config import TrainConfig
from tinyspeech.training.data import validation_set

TABLE = paths.DATA / "levers.yaml"
HEARD = 88.0
"""Percent of clean keywords: each network is judged at the largest lead at which it hears so many."""
LEADS = tuple(round(4096 * 2 ** (step / 4)) for step in range(32))


def configs() -> dict[str, TrainConfig]:
    """{label: config} of the table's rows."""
    table = yaml.safe_load(TABLE.read_text("utf-8"))
    base = merged(yaml.safe_load((paths.CONFIGS / table["base"]).read_text("utf-8")), table["change"])
    return {label: TrainConfig(**merged(base, change)) for label, change in table["rows"].items()}


def at_equal_hearing(model: IntegerModel, speech: Path, negatives: Sequence[Path], noise: Path, rooms: Path) -> dict:
    """False reports an hour of validation speakers at the largest of `LEADS` at which `HEARD` percent of clean keywords
    are heard, or at the least; and what is heard there in noise and in rooms."""
    rows = positives.rows(model, speech, noise, rooms, WHO)
    enough = [lead for lead in LEADS if positives.result(rows["clean"], least_lead=lead)["heard"] >= HEARD]
    lead = max(enough, default=LEADS[0])
    rate = counting.rates(counting.speech(model, negatives, who=WHO), least_lead=lead)
    heard = {name: positives.result(row, least_lead=lead)["heard"] for name, row in rows.items()}
    return {"least_lead": lead, "false_per_hour": rate["per_hour"], "events": rate["events"],
            "interval_95": rate["interval_95"], "heard": heard["clean"], "heard_10_db": heard["10 dB"],
            "heard_in_a_room": heard["clean, room"]}


def levers(speech: Path, logmel: Path, negatives: Sequence[Path], noise: Path, rooms: Path) -> Iterator[Figure]:
    """Train each row, then measure its integers. What is interrupted goes on, what is finished is not trained again."""
    data = data_of(speech, logmel)
    sounds = streams.load(data, negatives, [noise, speech / BACKGROUND], rooms)
    features, labels = validation_set(data)
    rows = []
    for i, (label, config) in enumerate(tqdm(configs().items(), "levers", disable=None, unit="network")):
        out = paths.RUNS / f"lever_{i}.pt"
        before = left_by(saved.beside(out, ".checkpoint"), json.loads(json.dumps(vars(config))))
        train.train(config, data, out, resume=before, quiet=True, sounds=sounds if config.streams else None)
        model = lower.integer_twin(saved.load_model(out), label)
        right = model.run(features.numpy().astype(np.int8)).argmax(1) == labels.numpy()
        rows.append({"label": label, "epochs": [config.epochs, config.qat_epochs],
                     "clips": round(100 * float(right.mean()), 2),
                     **at_equal_hearing(model, speech, negatives, noise, rooms)})
    yield figure("hours.levers", rows, "reports an hour; % of keywords; % of clips", data=f"{SPEECH}; {ROW}",
                 n=positives.KEYWORDS_HEARD, seed=config.seed, config="levers.yaml",
                 note=f"4-bit integers, each at the largest lead at which it hears {HEARD:.0f} % of clean keywords")
