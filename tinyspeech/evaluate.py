"""One protocol for every engine: recordings in, accuracy and every integer out (chapter 4).

    python -m tinyspeech evaluate --data FOLDER [--split validation] [--snr 10] [--engine int]

Engines: `float` (torchaudio's front end, float network), `fake` (integer features, quantisers in torch), `int`
(numpy), `c` (the firmware's C on this computer), `chip` (the firmware on the emulated CH32V003). The last three must
agree in every feature and logit.

The protocol
------------
*Task.* The 12 classes of Speech Commands (Warden 2018): ten keywords, `_unknown_`, `_silence_`. Each clip is one second
at 16 kHz, heard once, from its start; the answer is the class with the largest logit.

*Speakers.* The official lists of clips where the folder has them, else the official hash of the speaker's name, put
every speaker into one split: nobody is heard in two.

*Unknown.* Clips of other words, a tenth of the number of keyword clips, rounded up, drawn from the split's clips by a
hash of name and seed. They are other speakers' takes of words that training also called unknown: their recall does not
say how a never-heard word fares.

*Silence.* As many seconds of background noise, from the split's own part of each recording, at a gain drawn evenly
from 0 to 1.

*Noise* (`--snr`). Each word, keyword or unknown, is mixed with one second of noise before the front end; silence
stays as it is. Recording and place are chosen by a hash of the clip's name and the seed, so a clip meets the same
noise at every ratio, on every engine, alone or among others. The ratio is the mean square of the clip over the mean
square of the noise as added, both over the whole second at 16 kHz, in dB; zeros that fill up a short clip count, so
the word itself stands a little higher above the noise. A clip without any power stays as it is. Where the sum would
leave the range of int16, word and noise are turned down together until it fits, which leaves the ratio as it was;
`scaled_down` counts these clips.

*mu-law* (`--mulaw`). Every clip, at 8 kHz, is brought to 8 bits a sample and back before the front end, as samples
from a computer reach the listening chip.

*What is held out.* Each noise recording is divided in time: 80 % training, then 10 % validation, then 10 % testing
(`datasets.BACKGROUND_SHARE`); silence and added noise obey it, and so does training (`training_data.noise_of`). One
doubt is left where a network was trained on the log-mel set alone: that set brings its own second-long pieces of noise,
cut from anywhere in the six recordings, so `train --noise FOLDER` takes the recordings instead, as the training
of TinySpeech-S and XS did.

*Selection.* Every choice (architecture, epoch, bit width, threshold) is made on validation. The test split is run
once, on the finished network. A folder in the layout of the official test set (`_unknown_/`, `_silence_/`) is taken as
it is, every file under its own label; noise for it comes from the testing part of the recordings that `--noise` names.

*Figures.* `metrics.py` computes them: accuracy with a 95 % interval, recall by class, the confusion matrix, the
calibration error, and what a threshold on the winner's probability, or on its margin over the second, rejects.
"""

from __future__ import annotations

import math
import random
import time
from collections import Counter
from pathlib import Path

import numpy as np

from tinyspeech import CLASSES, KEYWORDS, audio, datasets, frontend, metrics, paths
from tinyspeech.errors import UserError
from tinyspeech.paths import MODELS, model_file  # noqa: F401 (the book still imports them from here)

ENGINES = ("float", "fake", "int", "c", "chip")


def float_features(x8: np.ndarray) -> np.ndarray:
    """int16 [N, 8000] -> float32 [N, 49, 12] by torchaudio's front end, in the units of the integer features."""
    import torch

    from tinyspeech.features import MFCC, FrontendConfig

    octaves = MFCC(FrontendConfig(copy_lowest=True))(torch.from_numpy(x8.astype(np.float32) / 32768)).numpy()
    mean = frontend.COEFFICIENT_MEAN.copy()
    mean[0] -= frontend.UNIT_OCTAVES * np.sqrt(frontend.N_BANDS)
    return ((octaves - mean) / frontend.COEFFICIENT_STD * frontend.UNITS_PER_STD).astype(np.float32)


class Engine:
    """A trained network on one engine: `run(x8)` -> (features, logits)."""

    def __init__(self, model: str, engine: str):
        if engine not in ENGINES:
            raise UserError(f"unknown engine '{engine}'; there are {', '.join(ENGINES)}")
        self.model, self.engine = model, engine
        self.logit_step = 2.0**-10  # of a float network that has no integer twin
        if engine not in ("float", "fake") or (paths.MODELS / f"{model}.npz").exists():
            from tinyspeech.integer import IntegerModel

            self.integer = IntegerModel.load(model_file(model, ".npz"))
            self.logit_step = self.integer.logit_unit(frontend.N_FRAMES)
        if engine in ("float", "fake"):
            from tinyspeech import train

            self.network = train.load_model(model_file(model, "_float.pt" if engine == "float" else ".pt"))
            return
        if engine == "int":
            return
        from tinyspeech.export import firmware_folder

        folder = firmware_folder(self.integer)
        if engine == "c":
            from tinyspeech.native import Native

            self.native = Native(folder)
        else:
            from tinyspeech.toolchain import build_firmware

            self.elf = build_firmware(folder).elf

    def run(self, x8: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """int16 [N, 8000] -> features int8 [N, 49, 12], logits int32 [N, 12], cycles int64 [N] (chip only, else None).

        The float engines' features and logits are rounded to the integer network's units, to be comparable.
        """
        if self.engine in ("float", "fake"):
            import torch

            from tinyspeech import train

            features = float_features(x8) if self.engine == "float" else frontend.features(x8)
            logits = train.predict(self.network, torch.from_numpy(features).float()).numpy()
            if self.engine == "float":
                features = np.clip(np.rint(features), -128, 127).astype(np.int8)
            return features, np.rint(logits / self.logit_step).astype(np.int32), None
        if self.engine == "int":
            features = frontend.features(x8)
            return features, self.integer.run(features), None
        if self.engine == "c":
            features = self.native.features(x8)
            return features, self.native.logits(features), None
        from tinyspeech.chip import classify_many

        results = classify_many(self.elf, x8, features=True)
        return (np.stack([r.features for r in results]), np.stack([r.logits for r in results]),
                np.array([r.cycles for r in results]))

    def probabilities(self, logits: np.ndarray) -> np.ndarray:
        """Softmax of the mean logits [N, 12]."""
        z = logits * self.logit_step
        z = np.exp(z - z.max(axis=-1, keepdims=True))
        return z / z.sum(axis=-1, keepdims=True)


SNR_LIMIT_DB = 100.0
"""Largest ratio, either way, that is taken for meant: int16 itself spans 96 dB."""
NOISE_ATTEMPTS = 100
"""Draws after which a folder of noise counts as silent."""


def mix(clip: np.ndarray, noise: np.ndarray, snr_db: float) -> tuple[np.ndarray, bool]:
    """A clip in noise: int16 [N] and int16 [N] -> int16 [N], and whether the sum had to be turned down to fit.

    snr_db is 10 log10 of the mean square of the clip over that of the noise as added. A clip without power stays as it
    is; noise without power raises `ValueError`.
    """
    signal, added = clip.astype(np.float64), noise.astype(np.float64)
    power, noise_power = np.mean(signal**2), np.mean(added**2)
    if power == 0:
        return clip, False
    if noise_power == 0:
        raise ValueError("noise without power cannot be brought to a ratio")
    mixture = signal + added * math.sqrt(power / noise_power / 10 ** (snr_db / 10))
    peak = np.abs(mixture).max()
    if peak > 32767:
        mixture *= 32767 / peak
    return np.rint(mixture).astype(np.int16), bool(peak > 32767)


class Noise:
    """The noise that each clip of a split meets: `Noise(folder, split, seed).piece(name)`.

    Parameters
    ----------
    folder : holds recordings of noise, wav or flac
    split : whose part of each recording is used (`datasets.BACKGROUND_SHARE`)
    seed : another seed, other places

    Raises
    ------
    UserError : no such folder, no recording in it, or none that gives the split a whole second
    """

    def __init__(self, folder: str | Path, split: str, seed: int = 0):
        self.folder, self.split, self.seed = Path(folder), split, seed
        hint = "name a folder of noise recordings with --noise"
        if not self.folder.is_dir():
            raise UserError(f"{folder} {'is a file' if self.folder.exists() else 'does not exist'}: {hint}")
        self.spans = datasets.noise_spans(self.folder, split)
        if not self.spans:
            begin, end = datasets.BACKGROUND_SHARE[split]
            raise UserError(f"{folder} holds no wav or flac recording whose {split} part ({100 * begin:.0f} to "
                            f"{100 * end:.0f} % of its time) lasts a second: {hint}")
        self._parts: dict[int, np.ndarray] = {}

    def place(self, name: str, attempt: int = 0) -> tuple[int, int]:
        """Which of `spans`, and the first sample in that recording, for the clip `word/file`, by hash alone."""
        stem = datasets.stem(name)  # the same noise whether a clip is kept as wav or flac
        rng = random.Random(f"{self.seed}:{self.split}:noise:{stem}:{attempt}")  # a string: the same everywhere
        index = int(rng.random() * len(self.spans))
        _, first, last = self.spans[index]
        return index, first + int(rng.random() * (last - first + 1))

    def piece(self, name: str) -> tuple[str, np.ndarray]:
        """The recording's name and int16 [16000] for a clip; a piece without power is drawn again.

        Raises `UserError` where nothing but silence is found.
        """
        for attempt in range(NOISE_ATTEMPTS):
            index, start = self.place(name, attempt)
            path, first, last = self.spans[index]
            if index not in self._parts:
                self._parts[index] = datasets.read_noise(path)[first : last + audio.CLIP_SAMPLES].copy()
            piece = self._parts[index][start - first : start - first + audio.CLIP_SAMPLES]
            if piece.any():
                return path.stem, piece
        raise UserError(f"{self.folder} holds silence in its {self.split} part: give recordings of noise")


def check_dump(dump: str | Path | None) -> None:
    """`UserError` before a long run whose dump could not be written."""
    if dump is not None and not Path(dump).resolve().parent.is_dir():
        raise UserError(f"cannot write {dump}: its folder does not exist")
    if dump is not None and Path(dump).is_dir():
        raise UserError(f"cannot write {dump}: it is a folder, give the name of a file")


def evaluate(
    model: str, engine: str, data: str | Path, split: str = "validation", limit: int | None = None, seed: int = 0,
    dump: str | Path | None = None, progress: bool = False, batch: int = 64, snr_db: float | None = None,
    noise: str | Path | None = None, mulaw: bool = False,
) -> dict:
    """Accuracy of a network on the 12-class task of a folder, by the protocol above.

    Parameters
    ----------
    model, engine : a network in data/models, one of `ENGINES`
    data, split, limit, seed : as in `datasets.load_task`
    dump : an .npz to write: `name`, `label` (index into `classes`), `features` int8 [N, 49, 12], `logits` int32
        [N, 12] and `classes`
    progress : show a bar
    batch : clips computed at a time; changes no figure
    snr_db : put every word into noise at this ratio, -100 .. 100; None: clean
    noise : folder of noise recordings, or one with a `_background_noise_` in it; None: that of `data`
    mulaw : let every sample at 8 kHz pass through the 8 bits of the serial port (`audio.mulaw_encode`); the result then
        has "mulaw": True

    Returns
    -------
    {"model", "engine", "n", "accuracy" (0 .. 1), "per_class" {class: recall or None}, "confusion" [12][12] (rows:
    truth), "classes", "split", "snr_db", "interval_95" [2] of the accuracy, "calibration" (`metrics.calibration`),
    "rejection" (`metrics.rejection` by the winner's probability), "rejection_by_margin" (by the margin between the two
    highest integer logits, as the chip can test it)}; with noise also "per_noise" {recording: {"n", "accuracy"}}, of
    the words mixed with it, and "scaled_down", clips turned down to fit int16; on the chip "cycles_per_clip" {"mean",
    "max"}

    Raises
    ------
    UserError : what `load_task`, `Engine` and `Noise` refuse, a ratio out of range, a dump that cannot be written
    """
    from tqdm import tqdm

    check_dump(dump)
    if snr_db is not None and not abs(snr_db) <= SNR_LIMIT_DB:  # written so that NaN is refused too
        raise UserError(f"a signal-to-noise ratio of {snr_db:g} dB is out of range: "
                        f"give -{SNR_LIMIT_DB:.0f} to {SNR_LIMIT_DB:.0f}")
    if noise is not None and snr_db is None:
        raise UserError("noise recordings are named but no ratio: give --snr too")
    task = datasets.load_task(data, split=split, seed=seed, limit=limit)
    labels = np.asarray(task.labels)
    source, heard, scaled_down = None, [], 0  # heard: the recording added to each clip, None where none was
    if snr_db is not None:
        folder = Path(data if noise is None else noise)
        inside = folder / datasets.BACKGROUND  # a whole corpus may be named, too
        source = Noise(inside if noise is None or inside.is_dir() else folder, task.split, seed)
    runner = Engine(model, engine)
    features, logits, cycles = [], [], []
    silence = CLASSES.index(datasets.SILENCE)
    for start in tqdm(range(0, len(task), batch), disable=not progress, desc=engine, unit_scale=batch, unit="clip"):
        clips = []
        for i in range(start, min(start + batch, len(task))):
            clip, recording = task.clip(i), None
            if source is not None and labels[i] != silence and clip.any():
                recording, piece = source.piece(task.names[i])
                clip, scaled = mix(clip, piece, snr_db)
                scaled_down += scaled
            clips.append(clip)
            heard.append(recording)
        x8 = frontend.to_8khz(np.stack(clips))
        f, z, c = runner.run(audio.mulaw_decode(audio.mulaw_encode(x8)) if mulaw else x8)
        features.append(f)
        logits.append(z)
        if c is not None:
            cycles.append(c)
    all_logits = np.concatenate(logits)
    guesses = all_logits.argmax(axis=1)
    right = guesses == labels
    confusion = metrics.confusion_matrix(labels, guesses, len(CLASSES))
    if dump is not None:
        try:
            with open(dump, "wb") as file:
                np.savez_compressed(file, name=np.array(task.names), label=labels, features=np.concatenate(features),
                                    logits=all_logits, classes=np.array(CLASSES))
        except OSError as error:
            raise UserError(f"cannot write {dump}: {error.strerror}") from error
    probabilities = runner.probabilities(all_logits)
    keywords = [CLASSES.index(word) for word in KEYWORDS]
    steps = sorted({metrics.threshold_margin(threshold, runner.logit_step) for threshold in metrics.THRESHOLDS})
    result = {
        "model": model, "engine": engine, "n": len(labels), "accuracy": float(right.mean()),
        "per_class": dict(zip(CLASSES, metrics.per_class_recall(confusion), strict=True)),
        "confusion": confusion.tolist(), "classes": list(CLASSES), "split": task.split, "snr_db": snr_db,
        "interval_95": metrics.wilson_interval(int(right.sum()), len(labels)),
        "calibration": metrics.calibration(probabilities, labels),
        "rejection": metrics.rejection(probabilities.max(axis=1), guesses, labels, keywords),
        "rejection_by_margin": metrics.rejection(metrics.margins(all_logits), guesses, labels, keywords, steps),
    }
    if source is not None:
        count = Counter(name for name in heard if name is not None)
        hits = Counter(name for name, hit in zip(heard, right, strict=True) if name is not None and hit)
        result["per_noise"] = {name: {"n": count[name], "accuracy": hits[name] / count[name]}
                               for name in sorted(count)}
        result["scaled_down"] = scaled_down
    if mulaw:
        result["mulaw"] = True
    if cycles:
        counted = np.concatenate(cycles)
        result["cycles_per_clip"] = {"mean": float(counted.mean()), "max": int(counted.max())}
    return result


def classify(path: str | Path, engine: str = "chip", model: str = "tinyspeech_s") -> dict:
    """The word in one recording: {"word", "scores" {class: 0 .. 1}, "logits", "engine", "model", "seconds", "cycles"}.

    Any rate, length and channel count goes in (`audio.load_clip`). `seconds` is this computer's time from samples to
    answer; `cycles` the chip's, None on other engines.
    """
    clip = audio.load_clip(path)
    runner = Engine(model, engine)
    began = time.perf_counter()
    _, logits, cycles = runner.run(frontend.to_8khz(clip[None]))
    seconds = time.perf_counter() - began
    scores = runner.probabilities(logits)[0]
    return {"word": CLASSES[int(logits[0].argmax())], "scores": dict(zip(CLASSES, map(float, scores), strict=True)),
            "logits": logits[0].tolist(), "engine": engine, "model": model, "seconds": seconds,
            "cycles": int(cycles[0]) if cycles is not None else None}
