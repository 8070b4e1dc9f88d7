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
(`noise.BACKGROUND_SHARE`); silence and added noise obey it, and so does training (`data.noise_of`). One
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

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from tinyspeech import CLASSES
from tinyspeech.errors import UserError
from tinyspeech.integer import frontend
from tinyspeech.integer.decision import REJECTED
from tinyspeech.integer.words import Word
from tinyspeech.measure import engines, metrics, spoken
from tinyspeech.measure.spoken import known_words
from tinyspeech.sound import datasets
from tinyspeech.sound.mulaw import mulaw_decode, mulaw_encode
from tinyspeech.sound.noise import Noise, mix, noise_folder

NONE = -1
"""In place of a taught word: none was heard."""
classify = spoken.classify
"""One recording in place of a folder: the same engines, and no truth to compare with."""
SNR_LIMIT_DB = 100.0
"""Largest ratio, either way, that is taken for meant: int16 itself spans 96 dB."""


def check_dump(dump: str | Path | None) -> None:
    """`UserError` before a long run whose dump could not be written."""
    if dump is not None and not Path(dump).resolve().parent.is_dir():
        raise UserError(f"cannot write {dump}: its folder does not exist")
    if dump is not None and Path(dump).is_dir():
        raise UserError(f"cannot write {dump}: it is a folder, give the name of a file")


def check_noise(snr_db: float | None, noise: str | Path | None) -> None:
    """`UserError` for a ratio out of range, or for noise without one."""
    if snr_db is not None and not abs(snr_db) <= SNR_LIMIT_DB:  # written so that NaN is refused too
        raise UserError(f"a signal-to-noise ratio of {snr_db:g} dB is out of range: "
                        f"give -{SNR_LIMIT_DB:.0f} to {SNR_LIMIT_DB:.0f}")
    if noise is not None and snr_db is None:
        raise UserError("noise recordings are named but no ratio: give --snr too")


def noise_of(data: str | Path, noise: str | Path | None, split: str, seed: int) -> Noise:
    """The recordings of noise that a folder of clips brings, or those of the folder that is named instead."""
    folder = Path(data if noise is None else noise)
    inside = noise_folder(folder)  # a whole corpus may be named, too
    return Noise(inside if noise is None or inside.is_dir() else folder, split, seed)


@dataclass
class Mixer:
    """Puts the words of a task into noise, one clip after the other; without `source` they stay as they are."""

    task: datasets.Task
    source: Noise | None
    snr_db: float | None

    def __post_init__(self):
        self.heard: list[str | None] = []
        """The recording that was added to each clip so far; None where none was."""
        self.scaled_down = 0
        """Clips that were turned down to fit int16."""

    def clip(self, i: int) -> np.ndarray:
        """Clip i as the front end gets it, int16 [16000]. Silence has no word and stays, as do clips of zeros."""
        clip, recording = self.task.clip(i), None
        if self.source is not None and self.task.labels[i] != CLASSES.index(datasets.SILENCE) and clip.any():
            recording, piece = self.source.piece(self.task.names[i])
            clip, scaled = mix(clip, piece, self.snr_db)
            self.scaled_down += scaled
        self.heard.append(recording)
        return clip

    def by_recording(self, right: np.ndarray) -> dict[str, dict]:
        """{recording: {"n", "accuracy"}} of the words mixed with it; right : bool [N]."""
        count = Counter(name for name in self.heard if name is not None)
        hits = Counter(name for name, hit in zip(self.heard, right, strict=True) if name is not None and hit)
        return {name: {"n": count[name], "accuracy": hits[name] / count[name]} for name in sorted(count)}


def answers_of(runner: engines.Engine, mixer: Mixer, mulaw: bool, batch: int, progress: str | None,
               known: Sequence[Word] = ()) -> tuple[engines.Answers, np.ndarray]:
    """Every clip of the mixer's task through an engine, a batch at a time, and which of the taught words `known` is
    heard in it last: int64 [N], -1 for none. progress : what a bar says, None: no bar."""
    parts, taught = [], []
    for start in tqdm(range(0, len(mixer.task), batch), disable=progress is None, desc=progress, unit_scale=batch,
                      unit="clip"):
        clips = [mixer.clip(i) for i in range(start, min(start + batch, len(mixer.task)))]
        x8 = frontend.to_8khz(np.stack(clips))
        parts.append(runner.run(mulaw_decode(mulaw_encode(x8)) if mulaw else x8))
        taught += [found[-1][1] if found else NONE for found in runner.heard(x8, known)] if known else [NONE] * len(x8)
    features, logits, cycles = zip(*parts, strict=True)
    return engines.Answers(np.concatenate(features), np.concatenate(logits),
                           None if cycles[0] is None else np.concatenate(cycles)), np.array(taught, np.int64)


def write_dump(dump: str | Path, task: datasets.Task, answers: engines.Answers, **more: np.ndarray) -> None:
    """Keep features and logits of every clip, so that engines can be compared bit for bit."""
    try:
        with open(dump, "wb") as file:
            np.savez_compressed(file, name=np.array(task.names), label=np.asarray(task.labels),
                                features=answers.features, logits=answers.logits, classes=np.array(task.classes),
                                **more)
    except OSError as error:
        raise UserError(f"cannot write {dump}: {error.strerror}") from error


def counts_of(guesses: np.ndarray, labels: np.ndarray, classes: Sequence[str] = CLASSES) -> dict:
    """What was recognised, of answers int [N] and truth int [N]: a part of the answer of `evaluate`."""
    confusion = metrics.confusion_matrix(labels, guesses, len(classes))
    return {"n": len(labels), "accuracy": int(confusion.trace()) / len(labels),
            "per_class": dict(zip(classes, metrics.per_class_recall(confusion), strict=True)),
            "confusion": confusion.tolist(), "classes": list(classes)}


def confidence_of(runner: engines.Engine, logits: np.ndarray, labels: np.ndarray) -> dict:
    """How far scores int32 [N, 12] may be believed, of truth int [N] among the 12 classes: the other part."""
    guesses, probabilities = logits.argmax(axis=1), runner.probabilities(logits)
    keywords = list(range(REJECTED, logits.shape[1]))
    steps = sorted({metrics.threshold_margin(threshold, runner.logit_step) for threshold in metrics.THRESHOLDS})
    return {
        "calibration": metrics.calibration(probabilities, labels),
        "rejection": metrics.rejection(probabilities.max(axis=1), guesses, labels, keywords),
        "rejection_by_margin": metrics.rejection(metrics.margins(logits), guesses, labels, keywords, steps),
    }


def evaluate(
    model: str, engine: str, data: str | Path, split: str = "validation", limit: int | None = None, seed: int = 0,
    dump: str | Path | None = None, progress: bool = False, batch: int = 64, snr_db: float | None = None,
    noise: str | Path | None = None, mulaw: bool = False, words: Sequence[str | Path] = (),
) -> dict:
    """Accuracy of a network on the 12-class task of a folder, by the protocol above; its ten words are the keywords.

    Parameters
    ----------
    model, engine : a network in data/models, one of `tinyspeech.ENGINES`
    data, split, limit, seed : as in `datasets.load_task`
    dump : an .npz to write: `name`, `label` (index into `classes`), `features` int8 [N, 49, 12], `logits` int32
        [N, 12] and `classes`
    progress : show a bar
    batch : clips computed at a time; changes no figure
    snr_db : put every word into noise at this ratio, -100 .. 100; None: clean
    noise : folder of noise recordings, or one with a `_background_noise_` in it; None: that of `data`
    mulaw : let every sample at 8 kHz pass through the 8 bits of the serial port (`mulaw.mulaw_encode`); the result then
        has "mulaw": True
    words : files of taught words (`integer.words.save`): classes behind the 12, each with the folder of its name, but
        for a name that is one of the 12. A taught word that is heard in a clip is the answer, whatever the network
        says; it has to stand alone there, and is heard in mu-law, as by a board at a serial port.

    Returns
    -------
    {"model", "engine", "n", "accuracy" (0 .. 1), "per_class" {class: recall or None}, "confusion" [12][12] (rows:
    truth), "classes", "split", "snr_db", "interval_95" [2] of the accuracy, "calibration" (`metrics.calibration`),
    "rejection" (`metrics.rejection` by the winner's probability), "rejection_by_margin" (by the margin between the two
    highest integer logits, as the chip can test it)}; calibration and rejection are of the network's answers alone, to
    which a taught word is an unknown one; with noise also "per_noise" {recording: {"n", "accuracy"}}, of
    the words mixed with it, and "scaled_down", clips turned down to fit int16; on the chip "cycles_per_clip" {"mean",
    "max"}

    Raises
    ------
    UserError : what `load_task`, `engine` and `Noise` refuse, a ratio out of range, a dump that cannot be written
    """
    check_dump(dump)
    check_noise(snr_db, noise)
    known = known_words(model, words)
    runner = engines.engine(engine, model)
    own = len(runner.classes)
    task = datasets.load_task(data, split=split, seed=seed, limit=limit, classes=runner.classes,
                              taught=[*dict.fromkeys(word.name for word in known if word.name not in runner.classes)])
    source = None if snr_db is None else noise_of(data, noise, task.split, seed)
    mixer = Mixer(task, source, snr_db)
    answers, taught = answers_of(runner, mixer, mulaw, batch, engine if progress else None, known)
    labels = np.asarray(task.labels)
    class_of = np.array([*(task.classes.index(word.name) for word in known), NONE])
    guesses = np.where(taught == NONE, answers.logits.argmax(axis=1), class_of[taught])
    if dump is not None:
        write_dump(dump, task, answers, **({"taught": taught} if words else {}))
    network_labels = np.where(labels < own, labels, task.classes.index(datasets.UNKNOWN))
    result = {"model": model, "engine": engine, **counts_of(guesses, labels, task.classes), "split": task.split,
              "snr_db": snr_db, "interval_95": metrics.wilson_interval(int((guesses == labels).sum()), len(labels)),
              **confidence_of(runner, answers.logits, network_labels)}
    if source is not None:
        result["per_noise"] = mixer.by_recording(guesses == labels)
        result["scaled_down"] = mixer.scaled_down
    if mulaw:
        result["mulaw"] = True
    if answers.cycles is not None:
        result["cycles_per_clip"] = {"mean": float(answers.cycles.mean()), "max": int(answers.cycles.max())}
    return result
