"""Trainings side by side: what `experiments.py` and `bits.py` share (chapters 3 to 6).

A process a training, of one thread, so that sums are added in one order, and with the data loaded once; a comparison is
a table whose rows come from a YAML file, and whose accuracies are of one seed each.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import torch

from tinyspeech.errors import UserError
from tinyspeech.integer import frontend
from tinyspeech.sound import datasets
from tinyspeech.sound.noise import BACKGROUND
from tinyspeech.training import data


def digest(bands: data.Bands, *more: np.ndarray) -> str:
    """First 12 hex digits of a SHA-256 of data, of the clips every 16th: a run on others is another run."""
    sha = hashlib.sha256()
    for part in (bands.x[::16], bands.label, bands.noise, bands.noise_validation, *more):
        sha.update(np.ascontiguousarray(part).tobytes())
    return sha.hexdigest()[:12]


class Loaded:
    """What a worker process loads once."""

    bands: data.Bands
    """To train on."""
    logmel: str
    """Where they are from."""
    speech: tuple[np.ndarray, np.ndarray] | None = None
    """Features int8 [N, 49, 12] and labels [N] of recordings of the validation speakers, where a folder was given."""
    trouble: UserError | None = None
    """Why there are no data."""

    def corpus(self, features: str) -> data.Bands:
        """What a network with these features trains on (`data.VIEWS`)."""
        return data.load(self.logmel, features=features) if features == "bands" else self.bands


LOADED = Loaded()
"""Of this process."""


def start(logmel: str, speech: str | None) -> None:
    """Runs once in each worker process, and fills its `LOADED`."""
    torch.set_num_threads(1)
    LOADED.logmel = logmel
    try:
        LOADED.bands = data.load(logmel, Path(speech) / BACKGROUND if speech else None)
        if speech:
            clips, labels, *_ = datasets.load_task(speech, "validation").arrays()
            LOADED.speech = frontend.features(frontend.to_8khz(clips)), np.asarray(labels)
    except UserError as error:
        LOADED.trouble = error  # an initialiser that raises breaks the pool, and its reason is lost


def ready() -> None:
    """Raises in the main process what kept a worker from loading its data."""
    if LOADED.trouble:
        raise LOADED.trouble


def pool(workers: int, logmel: str | Path, speech: str | Path | None) -> ProcessPoolExecutor:
    """So many processes, of one thread each, that load their data when they start.

    Raises `UserError` where there is no such data.
    """
    datasets.must_exist(logmel, speech)
    processes = ProcessPoolExecutor(workers, initializer=start, initargs=(str(logmel), str(speech) if speech else None))
    try:
        processes.submit(ready).result()
    except UserError:
        processes.shutdown()
        raise
    return processes


def reports(folder: Path) -> Iterator[dict]:
    """What finished runs left in a folder; a file that is no such report is passed over."""
    for path in sorted(folder.glob("*.json")):
        try:
            report = json.loads(path.read_text("utf-8"))
        except (OSError, ValueError):
            continue
        if isinstance(report, dict) and "config" in report:
            yield report


def chosen(listed: Iterable[str], only: Iterable[str] | None, what: str) -> list[str]:
    """The names asked for, all of them by default; `UserError` for one that is not listed."""
    listed = list(listed)
    only = list(only or listed)
    if unknown := set(only) - set(listed):
        raise UserError(f"no {what} {', '.join(sorted(unknown))}; there are {', '.join(listed)}")
    return only


def merged(base: dict, change: dict) -> dict:
    """`base` with `change` laid over it, dictionaries within too; null takes a key out. Neither is altered."""
    both = {**base, **{key: merged(base[key], value) if isinstance(base.get(key), dict) and isinstance(value, dict)
                       else value for key, value in change.items()}}
    return {key: value for key, value in both.items() if value is not None}


def spread(values: list[float]) -> dict:
    """{"values", "mean", "sd"} of accuracies in percent, one a seed; the deviation is of a sample (n - 1)."""
    return {"values": [round(v, 2) for v in values], "mean": round(float(np.mean(values)), 2),
            "sd": round(float(np.std(values, ddof=1)), 2) if len(values) > 1 else None}
