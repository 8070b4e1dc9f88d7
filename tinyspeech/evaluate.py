"""One protocol for every engine: recordings in, accuracy and every integer out (chapter 4).

Engines: `float` (torchaudio's front end, float network), `fake` (integer features, quantisers in torch), `int`
(numpy), `c` (the firmware's C on this computer), `chip` (the firmware on the emulated CH32V003). The last three must
agree in every feature and logit.
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from tinyspeech import CLASSES, audio, frontend
from tinyspeech.errors import UserError

ENGINES = ("float", "fake", "int", "c", "chip")
MODELS = Path(__file__).resolve().parent.parent / "data" / "models"
"""Trained networks: NAME_float.pt, NAME.pt (quantised) and NAME.npz (integers)."""


def known_models() -> list[str]:
    """Names of the trained networks in `data/models`."""
    return sorted({path.stem.removesuffix("_float") for path in MODELS.glob("*.pt")})


def model_file(name: str, suffix: str) -> Path:
    """The file of a trained network; an unknown name raises `UserError` with the names there are."""
    path = MODELS / f"{name}{suffix}"
    if not path.exists():
        there = ", ".join(known_models()) or "none: run `python -m tinyspeech train`"
        raise UserError(f"no trained model '{name}' for this engine; trained models: {there}")
    return path


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
        if engine not in ("float", "fake") or (MODELS / f"{model}.npz").exists():
            from tinyspeech.integer import IntegerModel

            self.integer = IntegerModel.load(model_file(model, ".npz"))
            self.logit_step = self.integer.logit_step / self.integer.output_frames(frontend.N_FRAMES)
        if engine in ("float", "fake"):
            from tinyspeech import train

            self.network = train.load_model(model_file(model, "_float.pt" if engine == "float" else ".pt"))
            return
        if engine == "int":
            return
        from tinyspeech.native import Native, exported_hash

        if exported_hash() != self.integer.digest:
            raise UserError(
                f"firmware/model.h holds another network: run `python -m tinyspeech export --model {model}` first"
            )
        if engine == "c":
            self.native = Native()
        else:
            from tinyspeech.chip import Board
            from tinyspeech.toolchain import build_firmware

            self.board = Board(build_firmware().elf)

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
        results = [self.board.classify(clip, features=True) for clip in x8]
        return (np.stack([r.features for r in results]), np.stack([r.logits for r in results]),
                np.array([r.cycles for r in results]))

    def probabilities(self, logits: np.ndarray) -> np.ndarray:
        """Softmax of the mean logits [N, 12]."""
        z = logits * self.logit_step
        z = np.exp(z - z.max(axis=-1, keepdims=True))
        return z / z.sum(axis=-1, keepdims=True)


def evaluate(
    model: str, engine: str, data: str | Path, split: str = "validation", limit: int | None = None, seed: int = 0,
    dump: str | Path | None = None, progress: bool = False, batch: int = 64,
) -> dict:
    """Accuracy of a network on the 12-class task of a folder.

    Returns {"model", "engine", "n", "accuracy" (0 .. 1), "per_class" {class: recall or None}, "confusion" [12][12]
    (rows: truth), "classes"}, and on the chip "cycles_per_clip" {"mean", "max"}. With `dump`, an .npz keeps `name`,
    `label` (index into `classes`), `features` int8 [N, 49, 12], `logits` int32 [N, 12] and `classes`.
    """
    from tqdm import tqdm

    from tinyspeech.datasets import load_task

    if dump is not None and not Path(dump).resolve().parent.is_dir():
        raise UserError(f"cannot write {dump}: its folder does not exist")
    if dump is not None and Path(dump).is_dir():
        raise UserError(f"cannot write {dump}: it is a folder, give the name of a file")
    task = load_task(data, split=split, seed=seed, limit=limit)
    runner = Engine(model, engine)
    features, logits, cycles = [], [], []
    for start in tqdm(range(0, len(task), batch), disable=not progress, desc=engine, unit_scale=batch, unit="clip"):
        clips = np.stack([task.clip(i) for i in range(start, min(start + batch, len(task)))])
        f, z, c = runner.run(frontend.to_8khz(clips))
        features.append(f)
        logits.append(z)
        if c is not None:
            cycles.append(c)
    all_logits = np.concatenate(logits)
    labels = np.asarray(task.labels)
    guess = all_logits.argmax(axis=1)
    confusion = np.zeros((len(CLASSES), len(CLASSES)), int)
    np.add.at(confusion, (labels, guess), 1)
    if dump is not None:
        try:
            with open(dump, "wb") as file:
                np.savez_compressed(file, name=np.array(task.names), label=labels, features=np.concatenate(features),
                                    logits=all_logits, classes=np.array(CLASSES))
        except OSError as error:
            raise UserError(f"cannot write {dump}: {error.strerror}") from error
    result = {
        "model": model, "engine": engine, "n": len(labels), "accuracy": float((guess == labels).mean()),
        "per_class": {name: float(row[i] / row.sum()) if row.sum() else None
                      for i, (name, row) in enumerate(zip(CLASSES, confusion, strict=True))},
        "confusion": confusion.tolist(), "classes": list(CLASSES),
    }
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
