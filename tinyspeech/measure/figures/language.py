"""Figures of a network for another language, on speakers that it was not trained on ("Your language")."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from tinyspeech.board.microphone import SIGNAL_HZ, as_volts
from tinyspeech.board.protocol import Word, parse
from tinyspeech.board.virtual import VirtualBoard, our_image
from tinyspeech.integer import decision, frontend, listening
from tinyspeech.integer.network import IntegerModel
from tinyspeech.measure import hours, live, metrics, positives
from tinyspeech.measure import negatives as counting
from tinyspeech.measure.engines import engine
from tinyspeech.measure.evaluate import counts_of
from tinyspeech.measure.figures.hours import SPEECH, WHO
from tinyspeech.measure.figures.network import of_model
from tinyspeech.measure.store import Figure, figure
from tinyspeech.paths import model_file
from tinyspeech.sound import audio, datasets

MODELS = ("arabic", "arabic_streams")
TAKES = "Arabic Speech Commands, an extract of 20 words, validation speakers"
BOARD_WORDS = 60
"""Words of the row that the virtual board hears, by its converter: some three minutes."""


def task_of(integer: IntegerModel, takes: Path, noise: Path) -> datasets.Task:
    """The twelve classes of the corpus, silence cut from the validation part of recordings."""
    return datasets.load_task(takes, "validation", classes=integer.classes, noise=noise)


def on_takes(model: str, takes: Path, noise: Path) -> Iterator[Figure]:
    """One take at a time: how often the integers are right, and in how many takes C and chip differ from them."""
    runner = engine("int", model)
    task = task_of(runner.integer, takes, noise)
    x8 = frontend.to_8khz(task.arrays()[0])
    answers = runner.run(x8)
    told = counts_of(answers.logits.argmax(axis=1), task.labels, task.classes)
    speakers = len({task.corpus.speaker(name) for name in task.names if name not in task.silence})
    about = {"data": f"{TAKES}, 12 classes", "n": told["n"], "speakers": speakers, **of_model(model)}
    low, high = metrics.wilson_interval(round(told["accuracy"] * told["n"]), told["n"])
    yield figure(f"{model}.accuracy_int_validation", round(100 * told["accuracy"], 2), "%", **about,
                 interval_95=[round(100 * low, 2), round(100 * high, 2)],
                 note="the interval counts takes as if each had a speaker of its own")
    recall = {name: round(100 * share, 1) for name, share in told["per_class"].items() if share is not None}
    yield figure(f"{model}.per_class_validation", recall, "%", **about)
    yield figure(f"{model}.confusion_validation", told["confusion"], "clips", classes=told["classes"], **about)
    for name in ("c", "chip"):
        other = engine(name, model).run(x8)
        differ = ((other.features != answers.features).any(axis=(1, 2)) | (other.logits != answers.logits).any(axis=1))
        yield figure(f"{model}.mismatches_int_{name}", int(differ.sum()), "clips", **about,
                     note="in any feature or score")


def in_a_row(model: str, takes: Path, noise: Path) -> Iterator[Figure]:
    """Words in a row, as a board that listens hears them; and the virtual board's lines against the definition's."""
    integer = IntegerModel.load(model_file(model, ".npz"))
    task, quiet = task_of(integer, takes, noise), positives.noise_of(noise, "validation")
    words = np.flatnonzero(task.labels >= decision.REJECTED)
    words = words[np.random.default_rng(positives.SEED).permutation(len(words))]
    clips, labels = np.stack([task.clip(i) for i in words]), task.labels[words]
    about = {"data": f"{TAKES}: the ten words in a row, pauses of 1 to 4 s", **of_model(model)}
    heard, constants = {}, decision.constants_of(integer)
    for snr in positives.SNRS_DB:
        row, events = positives.sound(clips, labels, quiet, snr)
        scores = hours.scores_of(integer, frontend.to_8khz(row))
        heard["clean" if snr is None else f"{snr} dB"] = positives.result(positives.Row(scores, events, constants))
    yield figure(f"{model}.keywords", heard, "% of keywords", n=len(words), **about)
    row, events = positives.sound(clips[:BOARD_WORDS], labels[:BOARD_WORDS], quiet)
    board = VirtualBoard(our_image(model))
    board.advance(0.02)
    said = live.listen(board, as_volts(row, audio.SAMPLE_RATE_HZ), SIGNAL_HZ)
    lines = {line for _, line in said.lines if isinstance(parse(line), Word)}
    expected = {str(Word(word, frame)) for frame, word in listening.words(integer, said.samples)}
    yield figure(f"{model}.board", {"lines": len(lines), "differ": len(lines ^ expected),
                                    "words": sorted({line.split()[1] for line in lines})},
                 "lines of the virtual board, and those that only it or the definition has", n=len(events), **about)


def in_speech(model: str, negatives: Sequence[Path]) -> Iterator[Figure]:
    """False reports an hour of running speech, in which each report is one: it is English."""
    integer = IntegerModel.load(model_file(model, ".npz"))
    streams = [replace(stream, spans=()) for stream in counting.speech(integer, negatives, who=WHO)]
    rates = counting.rates(streams)
    yield figure(f"{model}.false_per_hour", rates["per_hour"], "reports an hour", data=SPEECH, **of_model(model),
                 **{key: rates[key] for key in ("hours", "events", "interval_95")},
                 note="English: none of its words is said")
