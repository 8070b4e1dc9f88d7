"""`data/results.json`: every measured figure that prose may quote, with what it was measured on and by which command.

    python -m tinyspeech.results --speech FOLDER --logmel FILE      # measures all of them again

FOLDER holds Speech Commands (or a part of it) in its official layout, FILE the log-mel set (or again a folder).
Chapters read the file by `load()`; nobody types a number.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import time
from pathlib import Path

import numpy as np

from tinyspeech import __version__
from tinyspeech.errors import run_or_say
from tinyspeech.paths import CONFIGS, RESULTS, SHIPPED, model_file


def load() -> dict:
    """All figures: {key: {"value", "unit", "data", "command", ...}}."""
    return json.loads(RESULTS.read_text()) if RESULTS.exists() else {}


def record(key: str, value, unit: str, **about) -> None:
    """Set one figure and write the file, keys sorted. about: data, seed, config, command, note, ..."""
    results = load()
    results[key] = {"value": value, "unit": unit, "version": __version__, **about}
    RESULTS.write_text(json.dumps(dict(sorted(results.items())), indent=2) + "\n")


REST_UNITS = round((1.23 / 3.3 - 0.5) * 2**16)
"""Where a microphone module with a rest of 1.23 V stands, in sample units, on a converter that ends at 3.3 V."""


def measure(speech: Path, logmel: Path, model: str = SHIPPED) -> None:
    """Accuracy on every engine, mismatches between integer, C and chip, and what the firmware costs."""
    import torch

    from tinyspeech import datasets, export, frontend, train, training_data
    from tinyspeech.bench import bench
    from tinyspeech.chip import report_firmware
    from tinyspeech.evaluate import Engine, evaluate
    from tinyspeech.integer import IntegerModel
    from tinyspeech.models import build_model, count_macs, count_parameters

    command = "python -m tinyspeech.results --speech FOLDER --logmel FILE"
    integer = IntegerModel.load(model_file(model, ".npz"))
    config = train.load_checkpoint(model_file(model, ".pt"))["config"]
    about = {"command": command, "seed": config["seed"], "config": f"data/configs/{model}.yaml",
             "model_hash": integer.digest}

    # The complete validation set of the ten keywords, as log-mel powers: no recording, so no C and no chip.
    bands = training_data.load(logmel, speech / datasets.BACKGROUND)
    features, labels = training_data.validation_set(bands)
    cached = "Speech Commands v0.02 validation, log-mel set, 12 classes"
    for engine, suffix in (("float", "_float.pt"), ("fake", ".pt")):
        score = train.accuracy(train.load_model(model_file(model, suffix)), features, labels)
        record(f"{model}.accuracy_{engine}_logmel", round(score, 2), "%", data=cached, n=len(labels), **about)
    network = train.load_model(model_file(model, "_float.pt"))
    for split, kept in (("training", ~bands.validation), ("validation", bands.validation)):
        words = torch.nonzero(kept & (bands.label > 1))[:, 0]
        clean = torch.cat([training_data.Cepstrum()(part[:, 0::2].float()) for part in bands.x[words].split(4096)])
        record(f"{model}.accuracy_float_keywords_{split}", round(train.accuracy(network, clean, bands.label[words]), 2),
               "%", data=f"the ten keywords of the {split} speakers, log-mel set, not augmented", n=len(words), **about)
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
    task = datasets.load_task(speech, split="validation")
    x8 = frontend.to_8khz(task.arrays()[0])
    engines, seconds = {}, {}
    for name in ("int", "c", "chip"):
        engine, began, busy = Engine(model, name), time.perf_counter(), time.process_time()
        engines[name] = engine.run(x8)
        seconds[name] = (time.perf_counter() - began, time.process_time() - busy)
    for name in ("c", "chip"):
        wrong_features = int((engines[name][0] != engines["int"][0]).any(axis=(1, 2)).sum())
        wrong_logits = int((engines[name][1] != engines["int"][1]).any(axis=1).sum())
        record(f"{model}.mismatches_int_{name}_features", wrong_features, "clips", data=spoken, n=len(x8), **about)
        record(f"{model}.mismatches_int_{name}_logits", wrong_logits, "clips", data=spoken, n=len(x8), **about)
    chip_score = 100 * float((engines["chip"][1].argmax(1) == task.labels).mean())
    record(f"{model}.accuracy_chip_validation", round(chip_score, 2), "%", data=spoken, n=len(x8), **about)
    record(f"{model}.clips_per_second_chip", round(len(x8) / seconds["chip"][0], 1), "clips a second", data=spoken,
           n=len(x8), cores=os.cpu_count(), per_processor_second=round(len(x8) / seconds["chip"][1], 1),
           note="features and logits; of the computer at hand, and of what else it does meanwhile", **about)
    record(f"{model}.cycles_per_clip_max", int(engines["chip"][2].max()), "cycles", data=spoken, n=len(x8), **about)

    report, figures = report_firmware(export.firmware_folder(integer)), bench(model)
    firmware = "firmware" if model == SHIPPED else f"{model}.firmware"
    for key in ("flash_bytes", "data_bytes", "bss_bytes", "stack_bytes"):
        record(f"{firmware}.{key}", report[key], "bytes", **about)
    ram = report["data_bytes"] + report["bss_bytes"] + report["stack_bytes"]
    record(f"{firmware}.ram_bytes", ram, "bytes", note=".data + .bss + deepest measured stack", **about)
    record(f"{firmware}.cycles_per_audio_second", figures["cycles_per_audio_second"], "cycles", **about)
    record(f"{firmware}.duty", round(100 * figures["cycles_per_audio_second"] / figures["clock_hz"], 1), "%",
           note=f"of {figures['clock_hz'] / 1e6:.0f} MHz", **about)
    record(f"{firmware}.cycles_per_mac", round(figures["cycles_per_mac"], 2), "cycles", **about)
    record(f"{model}.weights", integer.parameters, "weights", **about)
    dense = np.concatenate([x.weight.ravel() for x in integer.layers if x.weight is not None and x.kind != "depthwise"])
    record(f"{model}.zeros_dense", round(100 * float((dense == 0).mean()), 1), "%", note="of the dense layers' weights",
           n=len(dense), **about)
    record(f"{model}.parameters", count_parameters(network), "parameters", note="with batch norm's", **about)
    macs = count_macs(network, (frontend.N_FRAMES, frontend.N_COEFFICIENTS))
    record(f"{model}.macs", macs, "multiply-accumulates a clip", **about)
    plan = export.memory_plan(integer)
    for key, what in (("state_bytes", "histories"), ("scratch_bytes", "sums and activations of the frame at hand")):
        record(f"{model}.{key}", plan[key], "bytes", note=what, **about)
    torch.manual_seed(0)
    for name in ("tinyspeech_x", "tinyspeech_y", "tinyspeech_z", "tinyspeech_m"):
        record(f"{name}.parameters", count_parameters(build_model(name)), "parameters",
               command="python -m tinyspeech.models")


def hostile_windows(count: int = 10_000, seed: int = 0) -> np.ndarray:
    """Windows that look for trouble, int16 [count, 256]: noise at every level, squares, impulses, offsets, tones."""
    rng = np.random.default_rng(seed)
    n = np.arange(256)
    rows = [np.zeros(256), np.full(256, -32768), np.full(256, 32767), np.tile([32767, -32768], 128)]
    while len(rows) < count:
        level = 2.0 ** rng.uniform(0, 15)
        tone = np.cos(2 * np.pi * rng.uniform(0, 128) * n / 256 + rng.uniform(0, 7))
        rows += [
            rng.normal(0, level, 256), rng.uniform(-level, level, 256), np.sign(tone) * level, tone * level,
            np.where(n == rng.integers(256), level, 0), rng.choice([-32768, 32767], 256),
            tone * level + rng.normal(0, 3, 256), np.full(256, rng.uniform(-level, level)),
        ]
    return np.clip(np.rint(rows[:count]), -32768, 32767).astype(np.int16)


def measure_frontend(speech: Path, logmel: Path, model: str = "tinyspeech_s") -> None:
    """The integer front end against C, float, the log-mel set, and what a bad microphone does (chapter 8)."""
    import torch

    from tinyspeech import audio, datasets, frontend, toolchain, train, training_data
    from tinyspeech.bench import bench
    from tinyspeech.evaluate import Engine, float_features
    from tinyspeech.native import Native

    about = {"command": "python -m tinyspeech.results --speech FOLDER --logmel FILE"}
    native = Native(sanitize=True)
    windows = hostile_windows()
    expected = frontend.cepstrum(frontend.log_mel(windows))
    wrong = sum(bool((native.frame(w) != e).any()) for w, e in zip(windows, expected, strict=True))
    record("frontend.mismatches_c_windows", wrong, "windows", n=len(windows), data="random and hostile windows, seed 0",
           **about)

    names = [name for words in datasets.clips_of_split(speech, "all").values() for name in words]
    network = train.load_model(model_file(model, "_float.pt"))

    def guess(features: np.ndarray) -> np.ndarray:
        return train.predict(network, torch.from_numpy(features).float()).argmax(1).numpy()

    truth = training_data.label_of(name.split("/")[0] for name in names).numpy()
    wrong, errors, kept_names, right = 0, [], [], {"float": 0, "integer": 0}
    for start in range(0, len(names), 256):
        x8 = frontend.to_8khz(np.stack([audio.load_clip(speech / name) for name in names[start : start + 256]]))
        features = frontend.features(x8)
        wrong += int((native.features(x8) != features).any(axis=(1, 2)).sum())
        floats = float_features(x8)
        right["float"] += int((guess(floats) == truth[start : start + 256]).sum())
        right["integer"] += int((guess(features) == truth[start : start + 256]).sum())
        if len(kept_names) < 2048:
            kept_names += names[start : start + 256]
            errors.append((features, np.clip(floats, -128, 127)))
    record("frontend.mismatches_c_clips", wrong, "clips", n=len(names), data="every clip of the Speech Commands subset",
           **about)
    for kind, count in right.items():
        record(f"frontend.accuracy_{kind}_features_all_clips", round(100 * count / len(names), 2), "%", n=len(names),
               data="every clip of the Speech Commands subset, training speakers included",
               note="the float network on both front ends: the difference counts, not the level", **about)
    integers, floats = (np.concatenate(parts).reshape(-1, 12).astype(float) for parts in zip(*errors, strict=True))
    kept = {"n": len(kept_names), "data": "Speech Commands clips, in the order of their names", **about}
    rmse = np.sqrt(((integers - floats) ** 2).mean(axis=0))
    record("frontend.rmse_to_float", [round(float(v), 2) for v in rmse], "int8 units, per coefficient", **kept)
    record("frontend.correlation_with_float",
           [round(float(np.corrcoef(integers[:, k], floats[:, k])[0, 1]), 5) for k in range(12)], "1", **kept)

    if logmel.is_file():
        cached = datasets.load_logmel(logmel)
        place = {f"{word}/{name}": i for i, (word, name) in enumerate(zip(cached.words, cached.names, strict=True))}
        pairs = [(i, place[stem]) for i, name in enumerate(kept_names) if (stem := name.rsplit(".", 1)[0]) in place]
        ours = np.concatenate([part for part, _ in errors])[[i for i, _ in pairs]].astype(float)
        bands = training_data.bands_of_pixels(cached.x[[j for _, j in pairs]])
        theirs = training_data.Cepstrum()(bands[:, 0::2].float()).numpy()
        same = np.abs(ours - theirs).mean(axis=(1, 2)) < 12  # many names of the two versions hold different takes
        rmse = np.sqrt(((ours - theirs)[same] ** 2).mean(axis=(0, 1)))
        record("frontend.rmse_to_logmel_set", [round(float(v), 2) for v in rmse], "int8 units, per coefficient",
               n=int(same.sum()), pairs=len(pairs), data="recordings of v0.01 and their log-mel pictures in v0.02",
               note="pairs that differ by 12 units or more on average are different takes and left out", **about)
        said = truth[[i for i, _ in pairs]][same]
        for name, x in (("recordings", ours), ("logmel", theirs)):
            record(f"frontend.accuracy_same_takes_{name}", round(float(100 * (guess(x[same]) == said).mean()), 2), "%",
                   n=int(same.sum()), data="the pairs of rmse_to_logmel_set, training speakers included",
                   note="the float network: what training on pictures costs on recordings is the difference", **about)

    task = datasets.load_task(speech, "validation")
    x8 = frontend.to_8khz(task.arrays()[0])
    labels = np.asarray(task.labels)
    spoken = {"data": "Speech Commands v0.01 subset, validation speakers, 12 classes", "n": len(labels), **about}

    def float_accuracy(features: np.ndarray) -> float:
        return round(float(100 * (guess(features) == labels).mean()), 2)

    record("frontend.accuracy_float_network_float_features", float_accuracy(float_features(x8)), "%", **spoken)
    record("frontend.accuracy_float_network_integer_features", float_accuracy(frontend.features(x8)), "%", **spoken)

    measure_microphone(speech, model)
    figures = bench(model)
    record("frontend.cycles_per_audio_second", figures["front_end_cycles"], "cycles", **about)
    symbols = toolchain.sizes(toolchain.build_firmware().elf)["symbols"]
    own = ("frontend", "normalise", "transform", "turn", "butterfly", "rotate", "untangle", "square", "mel_energies",
           "cepstrum", "multiply")
    flash = sum(size for name, size in symbols.items() if name.startswith(own))
    record("frontend.flash_bytes", flash, "bytes", **about)
    record("frontend.ram_bytes", frontend.FrontendStream.STATE_BYTES + 2 * frontend.WINDOW, "bytes",
           note="samples and work buffer; the network's scratch shares the latter", **about)
    chip = Engine(model, "chip")
    chip_features = chip.run(x8[:300])[0]
    record("frontend.mismatches_chip_clips", int((chip_features != frontend.features(x8[:300])).any(axis=(1, 2)).sum()),
           "clips", **{**spoken, "n": 300})


def measure_microphone(speech: Path, model: str = SHIPPED) -> None:
    """What gain, offset, hum and clipping do to the network that ships, on integers (chapter 8)."""
    from tinyspeech import datasets, frontend
    from tinyspeech.integer import IntegerModel

    integer = IntegerModel.load(model_file(model, ".npz"))
    task = datasets.load_task(speech, "validation")
    x, labels = frontend.to_8khz(task.arrays()[0]).astype(float), np.asarray(task.labels)
    spoken = {"data": "Speech Commands v0.01 subset, validation speakers, 12 classes", "n": len(labels),
              "command": "python -m tinyspeech.results --speech FOLDER --logmel FILE"}

    def accuracy(samples: np.ndarray) -> float:
        samples = np.clip(np.rint(samples), -32768, 32767).astype(np.int16)
        return round(float(100 * (integer.run(frontend.features(samples)).argmax(1) == labels).mean()), 1)

    t = np.arange(frontend.CLIP_SAMPLES) / frontend.SAMPLE_RATE_HZ
    gains = (-30, -20, -10, 0, 10, 20)
    record("frontend.robustness_gain", {f"{g:+d} dB": accuracy(x * 10 ** (g / 20)) for g in gains}, "%",
           note="beyond full scale the samples clip", **spoken)
    record("frontend.robustness_offset", {str(d): accuracy(x + d) for d in (0, 30, 300, 3000, REST_UNITS)}, "%",
           note="added constant, in int16 units; the last: a microphone module that rests at 1.23 V of 3.3", **spoken)
    record("frontend.robustness_gain_offset", {f"{g:+d} dB": accuracy(x * 10 ** (g / 20) + REST_UNITS) for g in gains},
           "%", note=f"gain, and then {REST_UNITS:,} units added", **spoken)
    for hertz in (50, 60):
        hum = np.sin(2 * np.pi * hertz * t)
        record(f"frontend.robustness_hum_{hertz}", {str(a): accuracy(x + a * hum) for a in (0, 30, 300, 1000)}, "%",
               note="amplitude of a sine, in int16 units", **spoken)
    clipped = {str(c): accuracy(np.clip(x, -c, c)) for c in (32767, 8000, 4000, 2000, 1000)}
    record("frontend.robustness_clipping", clipped, "%", note="samples limited to +- this", **spoken)


def measure_choices(speech: Path) -> None:
    """What the precision of each table buys: RMSE of the integer features to the float twin's (chapter 8)."""
    from unittest.mock import patch

    from tinyspeech import datasets, frontend
    from tinyspeech.evaluate import float_features

    x8 = frontend.to_8khz(datasets.load_task(speech, "validation").arrays()[0])
    wanted = np.clip(float_features(x8), -128, 127)

    def rmse(**changed) -> float:
        with contextlib.ExitStack() as stack:
            for name, value in changed.items():
                stack.enter_context(patch.object(frontend, name, value))
            frontend.tables.cache_clear()
            got = frontend.features(x8)
        frontend.tables.cache_clear()
        return round(float(np.sqrt(((got - wanted) ** 2).mean())), 2)

    def coarse_log(entries: int, linear: bool = False):
        """log2 by a smaller table, or with the mantissa itself as the fraction (Mitchell 1962)."""
        def log2(energies: np.ndarray) -> np.ndarray:
            top = np.frexp(energies.astype(float))[1] - 1
            mantissa = energies / 2.0**top - 1
            step = np.floor(mantissa * entries)
            fraction = mantissa if linear else np.log2(1 + (step + 0.5) / entries)
            return (top << frontend.LOG_BITS) + np.round(fraction * (1 << frontend.LOG_BITS)).astype(np.int64)
        return log2

    about = {"command": "python -m tinyspeech.results --speech FOLDER --logmel FILE", "n": len(x8),
             "data": "Speech Commands v0.01 subset, validation speakers"}
    unit = "int8 units, RMSE to the float front end"
    record("frontend.attempts_twiddle_bits", {str(b): rmse(TWIDDLE_BITS=b) for b in (5, 6, 7, 8, 10)}, unit, **about)
    record("frontend.attempts_ramp_bits", {str(b): rmse(RAMP_BITS=b) for b in (1, 2, 3, 5)}, unit,
           note="fraction bits of the mel slopes", **about)
    logs = {f"table of {n}": rmse(log2_q6=coarse_log(n)) for n in (8, 16, 32, 64)}
    lines = rmse(log2_q6=coarse_log(1, linear=True))
    record("frontend.attempts_log2", {"straight lines": lines, **logs}, unit, **about)


def measure_one_shot(speech: Path, logmel: Path, model: str = "tinyspeech_s") -> None:
    """Accuracy of the float network with its smallest weights set to zero and no training after it (chapter 6)."""
    from tinyspeech import datasets, prune, train, training_data

    bands = training_data.load(logmel, speech / datasets.BACKGROUND)
    features, labels = training_data.validation_set(bands)
    rows = []
    for percent in (0, 10, 20, 30, 40, 50, 60, 70, 80, 90):
        rows.append({"label": f"{percent} %", "zeros": percent})
        for column, of, scope in (("weights", "weights", "global"), ("weights_by_layer", "weights", "layer"),
                                ("groups", "groups", "global")):
            network = train.load_model(model_file(model, "_float.pt"))
            prune.apply(network, prune.masks(network, percent / 100, of, scope))
            rows[-1][column] = round(train.accuracy(network, features, labels), 2)
    record("pruning.one_shot", rows, "%", data="Speech Commands v0.02 validation, log-mel set, 12 classes",
           n=len(labels), command="python -m tinyspeech.results --speech FOLDER --logmel FILE",
           note="the float network, pruned at once and not trained again")


def measure_formats(model: str = "tinyspeech_s") -> None:
    """Bytes and cycles of a block's two dense layers, and of all, in formats that do not store zeros (chapter 6)."""
    from tinyspeech import bench
    from tinyspeech.integer import IntegerModel

    about = {"model_hash": IntegerModel.load(model_file(model, ".npz")).digest, "command": "python -m tinyspeech.bench",
             "note": "shipped integer weights, pruned by magnitude, not retrained: for size and time, not for accuracy"}
    record("pruning.formats", bench.formats(model), "bytes, and cycles for one frame at 24 MHz", **about)
    record("pruning.clip", bench.clip_formats(model), "bytes, and cycles for one clip at 24 MHz", **about)


SNRS_DB = (0, 5, 10, 15, 20)
"""Ratios of speech to noise at which published networks are compared."""


def measure_interpreter() -> None:
    """How fast the emulated chip is on this computer (chapter 11)."""
    from tinyspeech.chip import speed

    rates = {"native": speed.native_mips(), "wasm": speed.wasm_mips()}
    record("chip.mips", {name: round(rate[0]) for name, rate in rates.items() if rate}, "million instructions a second",
           command="python -m tinyspeech.chip.speed", note="one core of the computer at hand; wasm: in node")


def measure_compilers(model: str = SHIPPED) -> None:
    """What each compiler makes of the firmware (chapter 11); one that is not installed is left out, and said so."""
    from tinyspeech import toolchain
    from tinyspeech.chip import report_firmware
    from tinyspeech.export import firmware_folder
    from tinyspeech.integer import IntegerModel

    integer = IntegerModel.load(model_file(model, ".npz"))
    there = [name for name in toolchain.COMPILERS if toolchain.compiler_version(name)]
    rows = {}
    for name in there:
        report = report_firmware(firmware_folder(integer), name)
        del report["symbols"]
        rows[name] = {"version": toolchain.compiler_version(name), **report}
    missing = [name for name in toolchain.COMPILERS if name not in there]
    note = f"not installed where this was measured: {', '.join(missing)}" if missing else "the same sources"
    if missing:
        print(f"firmware.compilers: {note}")
    record("firmware.compilers", rows, "bytes; cycles", note=note, model_hash=integer.digest,
           command="python -m tinyspeech firmware --compiler both")


def measure_robustness(speech: Path, model: str = "tinyspeech_s") -> None:
    """Accuracy in noise, calibration error and what a threshold rejects, on integers (chapter 4)."""
    from tinyspeech import datasets, evaluate

    runs = {None: evaluate.evaluate(model, "int", speech, "validation")}
    about = {"command": "python -m tinyspeech.results --speech FOLDER --logmel FILE", "n": runs[None]["n"],
             "data": "Speech Commands v0.01 subset, validation speakers, 12 classes",
             "model_hash": evaluate.Engine(model, "int").integer.digest}

    def rounded(values: list) -> list:
        return [None if value is None else round(value, 4) for value in values]

    low, high = runs[None]["interval_95"]
    record(f"{model}.interval_95_int_validation", [round(100 * low, 2), round(100 * high, 2)], "%",
           note="Wilson's interval of the accuracy, clips taken as independent", **about)
    for key, folder, what in (
        ("noise", speech, "part of the corpus's noise recordings that training does not hear"),
        ("other_noise", datasets.BUNDLED, "the bundled noises, which no training on real speech uses"),
    ):
        for snr in SNRS_DB:
            runs[snr] = evaluate.evaluate(model, "int", speech, "validation", snr_db=snr, noise=folder)
        values = {"clean" if snr is None else f"{snr} dB": round(100 * run["accuracy"], 2) for snr, run in runs.items()}
        record(f"{model}.accuracy_int_{key}_validation", values, "%", note=what, **about)
        record(f"{model}.accuracy_int_{key}_by_recording", {
            name: {f"{snr} dB": round(100 * runs[snr]["per_noise"][name]["accuracy"], 1) for snr in SNRS_DB}
            for name in runs[SNRS_DB[0]]["per_noise"]}, "% of the words mixed with it", note=what, **about)
    calibration = {key: rounded(value) if isinstance(value, list) else value
                   for key, value in runs[None]["calibration"].items()}
    record(f"{model}.calibration_error_validation", round(100 * calibration.pop("ece"), 2), "%", **calibration,
           note="expected calibration error, bins of equal width; under it the reliability diagram", **about)
    for key, unit in (("rejection", "probability"), ("rejection_by_margin", "units of the integer logits")):
        curve = {name: rounded(values) for name, values in runs[None][key].items()}
        record(f"{model}.{key}_validation", curve, f"threshold: {unit}; the rest: share of clips", **about,
               note="right, confused and rejected: of keyword clips; false_accept: of unknown words and silence")


def measure_live(speech: Path, model: str = SHIPPED) -> None:
    """What 8 bits a sample on the serial port cost in accuracy, and how the virtual board listens (chapters 10, 12)."""
    from tinyspeech import audio, datasets, frontend, live
    from tinyspeech.evaluate import Engine

    engine, task = Engine(model, "int"), datasets.load_task(speech, "validation")
    x8 = frontend.to_8khz(task.arrays()[0])
    about = {"command": "python -m tinyspeech.results --speech FOLDER --logmel FILE",
             "model_hash": engine.integer.digest}
    spoken = {"data": "Speech Commands v0.01 subset, validation speakers, 12 classes", "n": len(x8), **about}
    answers = {"int16": engine.run(x8)[1].argmax(1),
               "mulaw": engine.run(audio.mulaw_decode(audio.mulaw_encode(x8)))[1].argmax(1)}
    for kind, answer in answers.items():
        score = 100 * float((answer == np.asarray(task.labels)).mean())
        record(f"live.accuracy_{kind}_validation", round(score, 2), "%", note="samples at 8 kHz; integers in Python",
               **spoken)
    changed = int((answers["mulaw"] != answers["int16"]).sum())
    record("live.answers_changed_by_mulaw", changed, "clips", **spoken)
    live.measure(speech)


def measure_training(speech: Path, logmel: Path, model: str = "tinyspeech_s") -> None:
    """Seconds that an epoch takes on this computer, with one thread as `train`: the data alone, in float, and at few
    bits (chapter 4)."""
    import torch

    from tinyspeech import datasets, quant, train, training_data

    config = train.load_config(CONFIGS / f"{model}.yaml")
    data = training_data.load(logmel, speech / datasets.BACKGROUND)
    network, generator = train.build(config), torch.Generator().manual_seed(0)
    seconds, threads = {}, torch.get_num_threads()
    torch.set_num_threads(1)

    def batches():
        order = training_data.epoch_order(data, config.unknown_share, config.silence_share, generator)
        return training_data.training_batches(data, config.augmentation(), order, config.batch_size, generator)

    for stage in ("data", "float", "quantised"):
        if stage == "quantised":
            quant.prepare(network, config.weight_bits)
            quant.calibrate(network.eval(), next(batches())[0] * quant.INPUT_STEP)
        optimizer = torch.optim.AdamW(network.train().parameters(), 1e-3, fused=True)
        began, clips = time.perf_counter(), 0
        for x, y in batches():
            clips += len(x)
            if stage != "data":
                loss = train.batch_loss(network, config, x, y, x.new_empty(len(x), 0), generator)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
        seconds[stage] = round(time.perf_counter() - began, 1)
    torch.set_num_threads(threads)
    record(f"{model}.seconds_per_epoch", seconds, "s", clips=clips, threads=1,
           cores=os.cpu_count(), command="python -m tinyspeech.results --speech FOLDER --logmel FILE",
           note="of the computer at hand: another one will not repeat it")


def record_minutes(model: str = "tinyspeech_s") -> None:
    """Minutes that each group of experiments takes (appendix on reproducing): its epochs, those of stages that may be
    taken from an earlier run included, times the measured seconds of one."""
    figures, minutes = load(), {}
    epoch = figures[f"{model}.seconds_per_epoch"]["value"]
    for key, figure in figures.items():
        if key.startswith("experiments.") and "epochs" in figure["value"][0]:
            minutes[key.removeprefix("experiments.")] = round(sum(
                len(row["seeds"]) * (row["epochs"] * epoch["float"] + row["qat_epochs"] * epoch["quantised"])
                for row in figure["value"]) / 60)
    minutes["train"] = round((80 * epoch["float"] + 36 * epoch["quantised"]) / 60)
    record("reproduce.minutes", minutes, "minutes on one core", note="train: TinySpeech-S, 80 + 36 epochs",
           command="python -m tinyspeech.results --speech FOLDER --logmel FILE")


def main() -> None:
    """Measure everything here, one after the other."""
    from tinyspeech import datasets

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--speech", type=Path, required=True, help="folder in Speech Commands layout")
    parser.add_argument("--logmel", type=Path, required=True, help="the log-mel set, or such a folder")
    options = parser.parse_args()
    datasets.must_exist(options.speech, options.logmel)
    for name in (SHIPPED, "tinyspeech_z_causal"):
        measure(options.speech, options.logmel, name)
    measure_frontend(options.speech, options.logmel)
    measure_choices(options.speech)
    measure_training(options.speech, options.logmel)
    measure_robustness(options.speech)
    measure_live(options.speech)
    measure_one_shot(options.speech, options.logmel)
    measure_formats()
    measure_compilers()
    measure_interpreter()
    record_minutes()


if __name__ == "__main__":
    run_or_say(main)
