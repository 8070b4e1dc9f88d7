"""Figures of trained networks: accuracy on every engine, what engines differ in, counts, pruning (chapters 4, 6)."""

from __future__ import annotations

import datetime
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from tinyspeech import paths
from tinyspeech.errors import UserError
from tinyspeech.integer import frontend
from tinyspeech.integer.network import IntegerModel
from tinyspeech.integer.plan import memory_plan
from tinyspeech.lowbit import prune, saved
from tinyspeech.measure.engines import engine
from tinyspeech.measure.evaluate import evaluate
from tinyspeech.measure.figures import PICTURES, RECORDINGS, TEST_SET
from tinyspeech.measure.figures.training import CLIPS
from tinyspeech.measure.store import Figure, figure
from tinyspeech.networks.counting import count_macs, count_parameters
from tinyspeech.networks.family import FAMILY
from tinyspeech.networks.models import build_model
from tinyspeech.paths import model_file
from tinyspeech.sound import datasets, noise
from tinyspeech.training import data

OFFICIAL_CLIPS = 4890
"""Of the official test set, all classes together."""


def of_model(model: str) -> dict:
    """What belongs to every figure of a trained network."""
    integer = IntegerModel.load(model_file(model, ".npz"))
    config = saved.load_checkpoint(model_file(model, ".pt"))["config"]
    return {"seed": config["seed"], "config": f"data/configs/{model}.yaml", "model_hash": integer.digest}


def on_pictures(model: str, speech: Path, logmel: Path) -> Iterator[Figure]:
    """Accuracy on the complete validation set, as log-mel powers: no recording, so no C and no chip."""
    about = {"data": PICTURES, **of_model(model)}
    features, labels = data.validation_set(data.load(logmel, speech / noise.BACKGROUND))
    about["n"] = len(labels)
    for name, suffix in (("float", "_float.pt"), ("fake", ".pt")):
        score = saved.accuracy(saved.load_model(model_file(model, suffix)), features, labels)
        yield figure(f"{model}.accuracy_{name}_logmel", round(score, 2), "%", **about)
    logits = IntegerModel.load(model_file(model, ".npz")).run(features.numpy().astype(np.int8))
    score = 100 * (logits.argmax(1) == labels.numpy()).mean()
    yield figure(f"{model}.accuracy_int_logmel", round(float(score), 2), "%", **about)
    fake = saved.predict(saved.load_model(model_file(model, ".pt")), features).numpy()
    yield figure(f"{model}.mismatches_fake_int_argmax", int((fake.argmax(1) != logits.argmax(1)).sum()), "clips",
                 **about)


def keywords_by_split(model: str, speech: Path, logmel: Path) -> Iterator[Figure]:
    """The float network on the keywords of speakers that it was trained on, and of those that it was not."""
    about, bands = of_model(model), data.load(logmel, speech / noise.BACKGROUND)
    network = saved.load_model(model_file(model, "_float.pt"))
    for split, kept in (("training", ~bands.validation), ("validation", bands.validation)):
        words = torch.nonzero(kept & (bands.label > 1))[:, 0]
        clean = torch.cat([data.Cepstrum()(part[:, 0::2].float()) for part in bands.x[words].split(4096)])
        yield figure(f"{model}.accuracy_float_keywords_{split}",
                     round(saved.accuracy(network, clean, bands.label[words]), 2), "%", n=len(words),
                     data=f"the ten keywords of the {split} speakers, log-mel set, not augmented", **about)


def on_recordings(model: str, speech: Path) -> Iterator[Figure]:
    """Accuracy by every engine of this computer, and which word the firmware's C takes for which."""
    about = {"data": RECORDINGS, **of_model(model)}
    for name in ("float", "fake", "int", "c"):
        result = evaluate(model, name, speech, "validation")
        yield figure(f"{model}.accuracy_{name}_validation", round(100 * result["accuracy"], 2), "%", n=result["n"],
                     **about)
    yield figure(f"{model}.confusion_validation", result["confusion"], "clips", classes=result["classes"], **about)


def engines_compared(model: str, speech: Path) -> Iterator[Figure]:
    """Integers, C and chip on the same recordings: how often they differ (never), and what the chip takes."""
    task = datasets.load_task(speech, split="validation")
    x8 = frontend.to_8khz(task.arrays()[0])
    about = {"data": RECORDINGS, "n": len(x8), **of_model(model)}
    answers = {}
    for name in ("int", "c", "chip"):
        runner, began, busy = engine(name, model), time.perf_counter(), time.process_time()
        answers[name] = runner.run(x8)
        seconds, own = time.perf_counter() - began, time.process_time() - busy  # at the end those of the chip
    for name in ("c", "chip"):
        features = (answers[name].features != answers["int"].features).any(axis=(1, 2))
        logits = (answers[name].logits != answers["int"].logits).any(axis=1)
        yield figure(f"{model}.mismatches_int_{name}_features", int(features.sum()), "clips", **about)
        yield figure(f"{model}.mismatches_int_{name}_logits", int(logits.sum()), "clips", **about)
    score = 100 * float((answers["chip"].logits.argmax(1) == task.labels).mean())
    yield figure(f"{model}.accuracy_chip_validation", round(score, 2), "%", **about)
    yield figure(f"{model}.clips_per_second_chip", round(len(x8) / seconds, 1), "clips a second", cores=os.cpu_count(),
                 per_processor_second=round(len(x8) / own, 1),
                 note="features and logits; of the computer at hand, and of what else it does meanwhile", **about)
    yield figure(f"{model}.cycles_per_clip_max", int(answers["chip"].cycles.max()), "cycles", **about)


def commit() -> str:
    """The commit that is measured, with `-dirty` behind it where files differ; "unknown" outside a clone."""
    asked = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=paths.ROOT, capture_output=True, text=True)
    return asked.stdout.strip() or "unknown"


def on_test_set(model: str, test_set: Path) -> Iterator[Figure]:
    """Accuracy on the official test set, by the firmware's C: for a finished network, once. The figure is of the
    integers whose digest stands beside it, and pages say so (`pages/numbers.py`)."""
    if not (test_set / datasets.SILENCE).is_dir():
        raise UserError(f"{test_set} is not the official test set, which has a folder {datasets.SILENCE}: "
                        "`python -m tinyspeech data download --test-set` fetches it")
    if (found := sum(path.is_file() for path in test_set.glob("*/*"))) != OFFICIAL_CLIPS:
        raise UserError(f"{test_set} is not the official test set: it has {found:,} clips, not {OFFICIAL_CLIPS:,}")
    result = evaluate(model, "c", test_set, "testing")
    yield figure(f"{model}.official_test", round(100 * result["accuracy"], 2), "%", n=result["n"], data=TEST_SET,
                 interval_95=[round(100 * end, 2) for end in result["interval_95"]], engine="c",
                 date=datetime.date.today().isoformat(), commit=commit(), **of_model(model))


def counts(model: str) -> Iterator[Figure]:
    """Weights, zeros among them, parameters, products, and the RAM of the network's plan."""
    about, integer = of_model(model), IntegerModel.load(model_file(model, ".npz"))
    yield figure(f"{model}.weights", integer.parameters, "weights", **about)
    dense = np.concatenate([x.weight.ravel() for x in integer.layers if x.weight is not None and x.kind != "depthwise"])
    yield figure(f"{model}.zeros_dense", round(100 * float((dense == 0).mean()), 1), "%", n=len(dense),
                 note="of the dense layers' weights", **about)
    network = saved.load_model(model_file(model, "_float.pt"))
    yield figure(f"{model}.parameters", count_parameters(network), "parameters", note="with batch norm's", **about)
    macs = count_macs(network, (frontend.N_FRAMES, frontend.N_COEFFICIENTS))
    yield figure(f"{model}.macs", macs, "multiply-accumulates a clip", **about)
    plan = memory_plan(integer)
    for key, what in (("state_bytes", "histories"), ("scratch_bytes", "sums and activations of the frame at hand")):
        yield figure(f"{model}.{key}", plan[key], "bytes", note=what, **about)


def family() -> Iterator[Figure]:
    """Parameters of the paper's networks, as this library builds them."""
    for name in FAMILY:
        yield figure(f"{name}.parameters", count_parameters(build_model(name)), "parameters")


def one_shot(speech: Path, logmel: Path, model: str = CLIPS) -> Iterator[Figure]:
    """Accuracy of the float network of clips with its smallest weights set to zero and no training after it, beside
    those of `experiments.pruning`, which start from it too (chapter 6)."""
    features, labels = data.validation_set(data.load(logmel, speech / noise.BACKGROUND))
    rows = []
    for percent in (0, 10, 20, 30, 40, 50, 60, 70, 80, 90):
        rows.append({"label": f"{percent} %", "zeros": percent})
        for column, of, scope in (("weights", "weights", "global"), ("weights_by_layer", "weights", "layer"),
                                  ("groups", "groups", "global")):
            network = saved.load_model(model_file(model, "_float.pt"))
            prune.apply(network, prune.masks(network, percent / 100, of, scope))
            rows[-1][column] = round(saved.accuracy(network, features, labels), 2)
    yield figure("pruning.one_shot", rows, "%", data=PICTURES, n=len(labels),
                 note="the float network, pruned at once and not trained again")
