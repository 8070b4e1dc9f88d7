"""Figures of the shipped network in noise, by a bad microphone, behind a threshold; on integers (chapters 4, 8)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from tinyspeech import paths
from tinyspeech.integer import frontend
from tinyspeech.integer.network import IntegerModel
from tinyspeech.measure import evaluate
from tinyspeech.measure.figures import RECORDINGS
from tinyspeech.measure.store import Figure, figure
from tinyspeech.paths import SHIPPED, model_file
from tinyspeech.sound import datasets

SNRS_DB = (0, 5, 10, 15, 20)
"""Ratios of speech to noise at which published networks are compared."""
REST_UNITS = round((1.23 / 3.3 - 0.5) * 2**16)
"""Where a microphone module with a rest of 1.23 V stands, in sample units, on a converter that ends at 3.3 V."""


def about(n: int, model: str = SHIPPED) -> dict:
    """What belongs to every figure here but the microphone's."""
    return {"n": n, "data": RECORDINGS, "model_hash": IntegerModel.load(model_file(model, ".npz")).digest}


def rounded(values: list) -> list:
    """Four digits of each, None where there is none."""
    return [None if value is None else round(value, 4) for value in values]


def of_words(runs: Mapping[int, Sequence[Mapping]]) -> dict[str, float]:
    """{"n", "0 dB", ...}: words, and how many of them in % are understood at each ratio, of {ratio in dB: [{"n",
    "accuracy"}]}. Silence, which no noise is added to, is no word."""
    right = {snr: sum(part["n"] * part["accuracy"] for part in parts) for snr, parts in runs.items()}
    n = sum(part["n"] for part in next(iter(runs.values())))
    return {"n": n, **{f"{snr} dB": round(100 * count / n, 1) for snr, count in right.items()}}


def in_noise(speech: Path, model: str = SHIPPED) -> Iterator[Figure]:
    """Accuracy with every word in noise, of the kind that training knows and of another."""
    clean = evaluate.evaluate(model, "int", speech, "validation")
    for key, folder, what in (
        ("noise", speech, "part of the corpus's noise recordings that training does not hear"),
        ("other_noise", paths.BUNDLED, "the bundled noises, which no training on real speech uses"),
    ):
        runs = {snr: evaluate.evaluate(model, "int", speech, "validation", snr_db=snr, noise=folder)
                for snr in SNRS_DB}
        values = {"clean": round(100 * clean["accuracy"], 2),
                  **{f"{snr} dB": round(100 * run["accuracy"], 2) for snr, run in runs.items()}}
        yield figure(f"{model}.accuracy_int_{key}_validation", values, "%", note=what, **about(clean["n"], model))
        by_recording = {name: of_words({snr: [run["per_noise"][name]] for snr, run in runs.items()})
                        for name in runs[SNRS_DB[0]]["per_noise"]}
        yield figure(f"{model}.accuracy_int_{key}_by_recording", by_recording, "% of the n words mixed with it",
                     note=what, **about(sum(row["n"] for row in by_recording.values()), model))


def confidence(speech: Path, model: str = SHIPPED) -> Iterator[Figure]:
    """The accuracy's interval, the calibration error, and what a threshold rejects."""
    result = evaluate.evaluate(model, "int", speech, "validation")
    rest = about(result["n"], model)
    low, high = result["interval_95"]
    yield figure(f"{model}.interval_95_int_validation", [round(100 * low, 2), round(100 * high, 2)], "%",
                 note="Wilson's interval of the accuracy, clips taken as independent", **rest)
    calibration = {key: rounded(value) if isinstance(value, list) else value
                   for key, value in result["calibration"].items()}
    yield figure(f"{model}.calibration_error_validation", round(100 * calibration.pop("ece"), 2), "%", **calibration,
                 note="expected calibration error, bins of equal width; under it the reliability diagram", **rest)
    for key, unit in (("rejection", "probability"), ("rejection_by_margin", "units of the integer logits")):
        curve = {name: rounded(values) for name, values in result[key].items()}
        yield figure(f"{model}.{key}_validation", curve, f"threshold: {unit}; the rest: share of clips", **rest,
                     note="right, confused and rejected: of keyword clips; false_accept: of unknown words and silence")


def microphone(speech: Path, model: str = SHIPPED) -> Iterator[Figure]:
    """What gain, offset, hum and clipping do."""
    integer = IntegerModel.load(model_file(model, ".npz"))
    task = datasets.load_task(speech, "validation")
    x, labels = frontend.to_8khz(task.arrays()[0]).astype(float), np.asarray(task.labels)
    spoken = {"data": RECORDINGS, "n": len(labels)}

    def accuracy(samples: np.ndarray) -> float:
        samples = np.clip(np.rint(samples), -32768, 32767).astype(np.int16)
        return round(float(100 * (integer.run(frontend.features(samples)).argmax(1) == labels).mean()), 1)

    t = np.arange(frontend.CLIP_SAMPLES) / frontend.SAMPLE_RATE_HZ
    gains = (-30, -20, -10, 0, 10, 20)
    yield figure("frontend.robustness_gain", {f"{g:+d} dB": accuracy(x * 10 ** (g / 20)) for g in gains}, "%",
                 note="beyond full scale the samples clip", **spoken)
    yield figure("frontend.robustness_offset", {str(d): accuracy(x + d) for d in (0, 30, 300, 3000, REST_UNITS)}, "%",
                 note="added constant, in int16 units; the last: a microphone module that rests at 1.23 V of 3.3",
                 **spoken)
    yield figure("frontend.robustness_gain_offset",
                 {f"{g:+d} dB": accuracy(x * 10 ** (g / 20) + REST_UNITS) for g in gains}, "%",
                 note=f"gain, and then {REST_UNITS:,} units added", **spoken)
    for hertz in (50, 60):
        hum = np.sin(2 * np.pi * hertz * t)
        yield figure(f"frontend.robustness_hum_{hertz}", {str(a): accuracy(x + a * hum) for a in (0, 30, 300, 1000)},
                     "%", note="amplitude of a sine, in int16 units", **spoken)
    clipped = {str(c): accuracy(np.clip(x, -c, c)) for c in (32767, 8000, 4000, 2000, 1000)}
    yield figure("frontend.robustness_clipping", clipped, "%", note="samples limited to +- this", **spoken)
