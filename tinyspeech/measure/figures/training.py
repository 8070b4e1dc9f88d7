"""Figures of training and of what reproducing takes: seconds of an epoch, minutes of a group of experiments, seconds of
short commands, a run with two threads (chapter 4)."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import torch

from tinyspeech import paths
from tinyspeech.lowbit import grids, quant
from tinyspeech.lowbit.saved import load_checkpoint
from tinyspeech.measure import store
from tinyspeech.measure.experiments import SECONDS
from tinyspeech.measure.figures import PICTURES, RECORDINGS
from tinyspeech.measure.store import Figure, figure
from tinyspeech.paths import SHIPPED, TEACHES_ITSELF
from tinyspeech.sound import noise
from tinyspeech.training import train
from tinyspeech.training.config import load_config
from tinyspeech.training.data import Bands, epoch_order, load, training_batches, validation_set

CLIPS = "tinyspeech_s_clips"
"""TinySpeech-S on clips alone, whose epochs are measured; what ships goes on from it."""
STAGES = ("data", "float", "quantised")


def data_of(speech: Path, logmel: Path) -> Bands:
    """What TinySpeech-S is trained on: the log-mel set, and noise of the recordings."""
    return load(logmel, speech / noise.BACKGROUND)


def seconds(speech: Path, logmel: Path, model: str = CLIPS) -> Iterator[Figure]:
    """Seconds that an epoch takes on this computer, with one thread as `train`: the data alone, in float, and at few
    bits."""
    config, data = load_config(paths.CONFIGS / f"{model}.yaml"), data_of(speech, logmel)
    network, generator = train.build(config), torch.Generator().manual_seed(0)
    taken, threads = {}, torch.get_num_threads()
    torch.set_num_threads(1)

    def batches():
        order = epoch_order(data, config.unknown_share, config.silence_share, generator)
        return training_batches(data, config.augmentation(), order, config.batch_size, generator)

    for stage in STAGES:
        if stage == "quantised":
            quant.prepare(network, config.weight_bits)
            quant.calibrate(network.eval(), next(batches())[0] * grids.INPUT_STEP)
        optimizer = torch.optim.AdamW(network.train().parameters(), 1e-3, fused=True)
        began, clips = time.perf_counter(), 0
        for x, y in batches():
            clips += len(x)
            if stage != "data":
                loss = train.batch_loss(network, config, x, y, x.new_empty(len(x), 0), generator)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
        taken[stage] = round(time.perf_counter() - began, 1)
    torch.set_num_threads(threads)
    yield figure(f"{model}.seconds_per_epoch", taken, "s", clips=clips, threads=1, cores=os.cpu_count(),
                 note="of the computer at hand: another one will not repeat it")


def minutes_of(entry: dict, epoch: dict) -> tuple[float, str]:
    """Minutes of a group of experiments, all rows and seeds, and how they are known: by the clock of the processor, by
    one on the wall, or from epochs for the rows whose seconds were not kept.

    entry : of data/results.json; epoch : seconds of one in float and quantised
    """
    by, total = "processor" if entry.get("seconds") == SECONDS else "wall", 0.0
    for row in entry["value"]:
        seconds = row["seconds"]
        if seconds is None:
            seconds, by = row["epochs"] * epoch["float"] + row["qat_epochs"] * epoch["quantised"], "epochs"
        total += len(row["seeds"]) * seconds / 60
    return total, by


def minutes(model: str = CLIPS) -> Iterator[Figure]:
    """Minutes that each group of experiments takes (page on reproducing): the seconds of its rows where they are
    recorded; else its epochs, those of stages that may be taken from an earlier run included, times the recorded
    seconds of one of `model`. Of the network that ships, the seconds that its file holds. `all` is the sum of the
    groups as they are shown."""
    figures, total, by = store.load(), {}, {}
    epoch = figures[f"{model}.seconds_per_epoch"]["value"]
    for key, entry in figures.items():
        if key.startswith("experiments.") and "epochs" in entry["value"][0]:
            group = key.removeprefix("experiments.")
            taken, by[group] = minutes_of(entry, epoch)
            total[group] = round(taken)
    total["all"] = sum(total.values())
    config = load_config(paths.CONFIGS / f"{model}.yaml")
    total["train_clips"] = round((config.epochs * epoch["float"] + config.qat_epochs * epoch["quantised"]) / 60)
    for name, trained in (("train", SHIPPED), ("train_t", TEACHES_ITSELF)):
        total[name] = round(load_checkpoint(paths.model_file(trained, ".pt"))["metrics"]["seconds"] / 60)
    yield figure("reproduce.minutes", total, "minutes on one core", by={**by, "train_clips": "epochs",
                                                                        "train": "processor", "train_t": "processor"},
                 note="train: the network that ships, from the floats of clips alone; train_t: TinySpeech-T, from "
                      "those of the network that ships; train_clips: clips alone, "
                      f"{config.epochs} + {config.qat_epochs} epochs; all: the groups' sum")


def commands(speech: Path) -> Iterator[Figure]:
    """Seconds of the processor that short commands take, their compilers' included."""
    taken = {}
    for name, words in (("firmware", ["firmware"]), ("bench", ["bench"]),
                        ("evaluate", ["evaluate", "--engine", "chip", "--data", str(speech)])):
        before = os.times()
        subprocess.run([sys.executable, "-m", "tinyspeech", *words], check=True, capture_output=True)
        after = os.times()
        taken[name] = round(after.children_user + after.children_system
                            - before.children_user - before.children_system)
    yield figure("reproduce.commands", taken, "s of the processor", cores=os.cpu_count(), data=RECORDINGS,
                 note="what was built before is not built again; evaluate: every validation clip of the recordings, on "
                      "the emulated chip")


def two_threads(speech: Path, logmel: Path, model: str = CLIPS) -> Iterator[Figure]:
    """TinySpeech-S on clips, trained from nothing with two threads: sums in another order end at another network."""
    config, data, threads = load_config(paths.CONFIGS / f"{model}.yaml"), data_of(speech, logmel), 2
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    metrics = train.train(config, data, paths.RUNS / f"{model}_two_threads.pt", quiet=True)
    torch.set_num_threads(before)
    yield figure(f"{model}.accuracy_two_threads", round(metrics["accuracy"], 2), "%", data=PICTURES,
                 n=len(validation_set(data)[1]), seed=config.seed, config=f"{model}.yaml",
                 note=f"4 bits, seed {config.seed}, trained with two threads in place of one")
