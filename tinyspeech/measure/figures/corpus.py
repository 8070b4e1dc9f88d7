"""Figures of the data themselves: what lies in the log-mel set and in the recordings, and whether either may be trained
on (chapter 1, and the page on reproducing)."""

from __future__ import annotations

import dataclasses
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from tinyspeech import KEYWORDS, paths
from tinyspeech.lowbit import saved
from tinyspeech.measure.figures.training import CLIPS
from tinyspeech.measure.store import Figure, figure
from tinyspeech.measure.workers import spread
from tinyspeech.sound import datasets, splits
from tinyspeech.sound.logmel import load_logmel
from tinyspeech.training import train
from tinyspeech.training.config import load_config
from tinyspeech.training.data import UNKNOWN, Bands, load, validation_set

ARCHIVE = 84_843 + 9_981
"""Training and validation clips of the public archive of v0.02, by its own lists."""
SHORT = {"epochs": 24, "qat_epochs": 0, "average": 0.0}
"""Of the config of clips: too few steps for its running average."""
SEEDS = (0, 1)


def pictures(logmel: Path) -> Iterator[Figure]:
    """Clips of the log-mel set by split, keywords and other words; nothing where `logmel` is a folder of recordings."""
    if not logmel.is_file():
        return
    cached = load_logmel(logmel)
    keyword = np.isin(cached.words, KEYWORDS)
    count = {kind: {split: int((kept & (cached.splits == split)).sum()) for split in splits.SPLITS[:2]}
             for kind, kept in (("keywords", keyword), ("others", ~keyword))}
    yield figure("data.pictures", {**count, "other_words": len(set(cached.words[~keyword])),
                                   "speakers": len({splits.speaker(name) for name in cached.names}),
                                   "noise": len(cached.noise)},
                 "clips", data="Speech Commands v0.02, log-mel set")


def recordings(speech: Path) -> Iterator[Figure]:
    """Clips of the recordings by split, keywords and other words, and the keyword with the fewest."""
    told = datasets.info(speech)
    count = {kind: {split: sum(n[split] for word, n in told["per_word"].items() if (word in KEYWORDS) == keyword)
                    for split in splits.SPLITS[:2]} for kind, keyword in (("keywords", True), ("others", False))}
    least = min(KEYWORDS, key=lambda word: told["per_word"].get(word, {}).get("training", 0))
    yield figure("data.recordings", {**count, "all": told["clips"], "least": told["per_word"][least]["training"]},
                 "clips", data="Speech Commands v0.01 subset", note=f"least: training clips of {least!r}")


def as_many(bands: Bands, like: Bands) -> Bands:
    """As many clips of `bands` in each class and split as `like` has, drawn by chance, with the noise of `like`."""
    generator, chosen = torch.Generator().manual_seed(0), []
    for label in range(UNKNOWN, len(KEYWORDS) + UNKNOWN + 1):
        for split in (False, True):
            there = torch.nonzero((bands.label == label) & (bands.validation == split))[:, 0]
            count = int(((like.label == label) & (like.validation == split)).sum())
            chosen.append(there[torch.randperm(len(there), generator=generator)[:count]])
    kept = torch.cat(chosen)
    return Bands(bands.x[kept], bands.label[kept], bands.validation[kept], like.noise, like.noise_validation)


def trained_on_either(speech: Path, logmel: Path, changes: dict | None = None) -> Iterator[Figure]:
    """TinySpeech-S in float, trained on recordings and on as many pictures, each judged on both; and how long the
    front end takes. Nothing where `logmel` is a folder of recordings.

    changes : of the config of clips; by default `SHORT`
    """
    if not logmel.is_file():
        return
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    began = time.process_time()
    heard = load(speech)
    seconds = (time.process_time() - began) / (len(heard.x) + len(heard.noise) + len(heard.noise_validation))
    sets = {"recordings": heard, "pictures": as_many(load(logmel), heard)}
    judged = {name: validation_set(bands) for name, bands in sets.items()}
    right: dict[str, dict[str, list[float]]] = {name: {other: [] for other in sets} for name in sets}
    config = dataclasses.replace(load_config(paths.CONFIGS / f"{CLIPS}.yaml"), **(changes or SHORT))
    with tempfile.TemporaryDirectory() as folder:
        for name, bands in sets.items():
            for seed in SEEDS:
                file = Path(folder) / f"{name}-{seed}.pt"
                train.train(dataclasses.replace(config, seed=seed), bands, file, quiet=True)
                for other, (features, labels) in judged.items():
                    right[name][other].append(saved.accuracy(saved.load_model(file), features, labels))
    torch.set_num_threads(threads)
    yield figure("reproduce.trained_on", {name: {other: spread(values) for other, values in row.items()}
                                          for name, row in right.items()}, "%",
                 n=len(judged["recordings"][1]), clips=int((~heard.validation).sum()), seeds=list(SEEDS),
                 epochs=config.epochs, config=f"data/configs/{CLIPS}.yaml",
                 data="recordings of the v0.01 subset; pictures of v0.02, as many of each class and split",
                 note="float; first what was trained on, then what was judged")
    yield figure("reproduce.front_end", {"clip_ms": round(1000 * seconds, 1),
                                         "archive_minutes": round(ARCHIVE * seconds / 60)},
                 "of the processor", note=f"archive: {ARCHIVE:,} clips of v0.02, training and validation")
