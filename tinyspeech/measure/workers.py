"""Trainings side by side: what `experiments.py` and `bits.py` share (chapters 3 to 6).

A process a training, each with a share of the cores and with the data loaded once; a comparison is a table whose rows
come from a YAML file, and whose accuracies are of one seed each.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import torch

from tinyspeech.errors import UserError
from tinyspeech.integer import frontend
from tinyspeech.sound import datasets
from tinyspeech.sound.noise import BACKGROUND
from tinyspeech.training import data


class Loaded:
    """What a worker process loads once."""

    bands: data.Bands
    """To train on."""
    logmel: str
    """Where they are from."""
    speech: tuple[np.ndarray, np.ndarray] | None = None
    """Features int8 [N, 49, 12] and labels [N] of recordings of the validation speakers, where a folder was given."""


    def corpus(self, features: str) -> data.Bands:
        """What a network with these features trains on (`data.VIEWS`)."""
        return data.load(self.logmel, features=features) if features == "bands" else self.bands


LOADED = Loaded()
"""Of this process."""


def start(logmel: str, speech: str | None, threads: int) -> None:
    """Runs once in each worker process, and fills its `LOADED`."""
    torch.set_num_threads(threads)
    LOADED.logmel = logmel
    LOADED.bands = data.load(logmel, Path(speech) / BACKGROUND if speech else None)
    if speech:
        clips, labels, *_ = datasets.load_task(speech, "validation").arrays()
        LOADED.speech = frontend.features(frontend.to_8khz(clips)), np.asarray(labels)


def pool(workers: int, logmel: str | Path, speech: str | Path | None) -> ProcessPoolExecutor:
    """So many processes, the cores shared among them, that load their data when they start.

    Raises `UserError` where there is no such data.
    """
    datasets.must_exist(logmel, speech)
    threads = max(1, (os.cpu_count() or 1) // max(workers, 2))
    given = (str(logmel), str(speech) if speech else None, threads)
    return ProcessPoolExecutor(workers, initializer=start, initargs=given)


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
