"""`data/results.json`: every measured figure that prose may quote, with what it was measured on and by which command.

    python -m tinyspeech.results --speech FOLDER --logmel FILE      # measures all of them again

FOLDER holds Speech Commands (or a part of it) in its official layout, FILE the log-mel set (or again a folder).
Chapters read the file by `load()`; nobody types a number.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from tinyspeech import __version__

RESULTS = Path(__file__).resolve().parent.parent / "data" / "results.json"


def load() -> dict:
    """All figures: {key: {"value", "unit", "data", "command", ...}}."""
    return json.loads(RESULTS.read_text()) if RESULTS.exists() else {}


def record(key: str, value, unit: str, **about) -> None:
    """Set one figure and write the file, keys sorted. about: data, seed, config, command, note, ..."""
    results = load()
    results[key] = {"value": value, "unit": unit, "version": __version__, **about}
    RESULTS.write_text(json.dumps(dict(sorted(results.items())), indent=2) + "\n")


def measure(speech: Path, logmel: Path, model: str = "tinyspeech_s") -> None:
    """Accuracy on every engine, mismatches between integer, C and chip, and what the firmware costs."""
    import torch

    from tinyspeech import frontend, train, training_data
    from tinyspeech.bench import bench
    from tinyspeech.chip import report_firmware
    from tinyspeech.datasets import load_task
    from tinyspeech.evaluate import Engine, evaluate, model_file
    from tinyspeech.integer import IntegerModel
    from tinyspeech.models import build_model, count_parameters

    command = "python -m tinyspeech.results --speech FOLDER --logmel FILE"
    integer = IntegerModel.load(model_file(model, ".npz"))
    config = train.load_checkpoint(model_file(model, ".pt"))["config"]
    about = {"command": command, "seed": config["seed"], "config": f"data/configs/{model}.yaml",
             "model_hash": integer.digest}

    # The complete validation set of the ten keywords, as log-mel powers: no recording, so no C and no chip.
    features, labels = training_data.validation_set(training_data.load(logmel))
    cached = "Speech Commands v0.02 validation, log-mel set, 12 classes"
    for engine, suffix in (("float", "_float.pt"), ("fake", ".pt")):
        score = train.accuracy(train.load_model(model_file(model, suffix)), features, labels)
        record(f"{model}.accuracy_{engine}_logmel", round(score, 2), "%", data=cached, n=len(labels), **about)
    logits = integer.run(features.numpy().astype(np.int8))
    score = 100 * (logits.argmax(1) == labels.numpy()).mean()
    record(f"{model}.accuracy_int_logmel", round(float(score), 2), "%", data=cached, n=len(labels), **about)
    fake = train.predict(train.load_model(model_file(model, ".pt")), features).numpy()
    record(f"{model}.mismatches_fake_int_argmax", int((fake.argmax(1) != logits.argmax(1)).sum()), "clips", data=cached,
           n=len(labels), **about)

    # Recordings, through every engine.
    spoken = "Speech Commands v0.01 subset, validation speakers, 12 classes"
    for engine in ("float", "fake", "int", "c"):
        result = evaluate(model, engine, speech, "validation")
        record(f"{model}.accuracy_{engine}_validation", round(100 * result["accuracy"], 2), "%", data=spoken,
               n=result["n"], **about)
    record(f"{model}.confusion_validation", result["confusion"], "clips", data=spoken, classes=result["classes"],
           **about)
    task = load_task(speech, split="validation")
    x8 = frontend.to_8khz(task.arrays()[0])
    engines = {name: Engine(model, name).run(x8) for name in ("int", "c", "chip")}
    for name in ("c", "chip"):
        wrong_features = int((engines[name][0] != engines["int"][0]).any(axis=(1, 2)).sum())
        wrong_logits = int((engines[name][1] != engines["int"][1]).any(axis=1).sum())
        record(f"{model}.mismatches_int_{name}_features", wrong_features, "clips", data=spoken, n=len(x8), **about)
        record(f"{model}.mismatches_int_{name}_logits", wrong_logits, "clips", data=spoken, n=len(x8), **about)
    chip_score = 100 * float((engines["chip"][1].argmax(1) == task.labels).mean())
    record(f"{model}.accuracy_chip_validation", round(chip_score, 2), "%", data=spoken, n=len(x8), **about)
    record(f"{model}.cycles_per_clip_max", int(engines["chip"][2].max()), "cycles", data=spoken, n=len(x8), **about)

    report, figures = report_firmware(), bench(model)
    for key in ("flash_bytes", "data_bytes", "bss_bytes", "stack_bytes"):
        record(f"firmware.{key}", report[key], "bytes", **about)
    ram = report["data_bytes"] + report["bss_bytes"] + report["stack_bytes"]
    record("firmware.ram_bytes", ram, "bytes", note=".data + .bss + deepest measured stack", **about)
    record("firmware.cycles_per_audio_second", figures["cycles_per_audio_second"], "cycles", **about)
    record("firmware.duty_48_mhz", round(100 * figures["cycles_per_audio_second"] / 48e6, 1), "%", **about)
    record("firmware.cycles_per_mac", round(figures["cycles_per_mac"], 2), "cycles", **about)
    record(f"{model}.weights", integer.parameters, "weights", **about)
    torch.manual_seed(0)
    for name in ("tinyspeech_x", "tinyspeech_y", "tinyspeech_z", "tinyspeech_m"):
        record(f"{name}.parameters", count_parameters(build_model(name)), "parameters",
               command="python -m tinyspeech.models")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--speech", type=Path, required=True)
    parser.add_argument("--logmel", type=Path, required=True)
    options = parser.parse_args()
    measure(options.speech, options.logmel)
