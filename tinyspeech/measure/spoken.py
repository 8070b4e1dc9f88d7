"""The words in one recording, of any length: which they are, and when (chapters 4 and 10).

    from tinyspeech.measure import spoken
    spoken.classify("evening.wav", "int")["words"]        # [{"word": "yes", "seconds": 3.14}, ...]

A clip of a second is judged as `evaluate` judges it. A longer recording is gone through as a board goes through what
it hears, by the definition of listening; its scores are of the second in which the surest of its words is surest.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tinyspeech import paths
from tinyspeech.errors import UserError
from tinyspeech.integer import decision, frontend, listening
from tinyspeech.integer import words as taught_words
from tinyspeech.integer.network import IntegerModel
from tinyspeech.integer.words import Word
from tinyspeech.measure import engines
from tinyspeech.sound import audio, recordings

LONGER_S = 1.5
"""A recording of more holds more than a word and the quiet around it."""
LONGEST_S = 2 * 3600
"""Of a recording that is gone through: an hour takes 2 GB of memory, and a minute of time."""
BEFORE_S, STEP_S = (1.6, 0.6), 0.1
"""A word's second begins so long before the board reports it, at the earliest and at the latest, in such steps."""


def known_words(model: str, files: Sequence[str | Path]) -> list[Word]:
    """The taught words of some files, for a network. Raises `UserError` for what is no such file, for words that were
    taught with another network, and for more than a board keeps."""
    if not files:
        return []
    network = IntegerModel.load(paths.model_file(model, ".npz"))
    known = [word for file in files for word in taught_words.load(file, network)]
    if len(known) > taught_words.MAX_WORDS:
        raise UserError(f"{len(known)} words are too many: a board keeps {taught_words.MAX_WORDS}")
    return known


def listener(model: str) -> IntegerModel | None:
    """The network that goes through a recording: the integers of `model`, or None where it has none that can listen."""
    if not (paths.MODELS / f"{model}.npz").exists():
        return None
    network = IntegerModel.load(paths.model_file(model, ".npz"))
    return network if network.layers[-1].kind == decision.LISTENS else None


def heard(network: IntegerModel, x8: np.ndarray, known: Sequence[Word] = ()) -> list[tuple[float, str]]:
    """(second, word) of what a board reports in a recording, int16 [n] at 8 kHz, and the quiet behind it. known : words
    that were taught to it."""
    sound = taught_words.with_silence(x8)
    found = taught_words.reported(network, sound, known) if known else listening.words(network, sound)
    return [(frame * frontend.HOP / frontend.SAMPLE_RATE_HZ, word) for frame, word in found]


def surest_second(network: IntegerModel, x8: np.ndarray, found: Sequence[tuple[float, str]]) -> int | None:
    """First sample of the second of a recording, int16 [n] at 8 kHz, in which a word that was found there leads most;
    None where the network itself found none."""
    begins, labels = [], []
    for seconds, word in found:
        if word in network.classes:
            for before in np.arange(*BEFORE_S, -STEP_S):
                begins.append(int(np.clip((seconds - before) * frontend.SAMPLE_RATE_HZ, 0,
                                          len(x8) - frontend.CLIP_SAMPLES)))
                labels.append(network.classes.index(word))
    if not begins:
        return None
    leads = []
    for begin, label in zip(begins, labels, strict=True):
        logits = network.run(frontend.features(x8[None, begin : begin + frontend.CLIP_SAMPLES]))[0].astype(np.int64)
        leads.append(logits[label] - np.delete(logits, label).max())
    return begins[int(np.argmax(leads))]


def classify(path: str | Path, engine: str = "chip", model: str = paths.SHIPPED, words: Sequence[str | Path] = (),
             second: bool = False) -> dict:
    """The word in one recording, and all words of a longer one: {"word", "scores" {class: 0 .. 1}, "logits", "engine",
    "model", "seconds", "cycles", "words" [{"word", "seconds"}], "begin", "length"}.

    words : files of taught words (`integer.words.save`): "word" is then the taught word that is heard in the recording,
        where there is one, and "taught" is it, or None
    second : judge the loudest second alone, however long the recording is

    Any rate, length and channel count goes in (`audio.second_of`). "begin" is that of the second that the scores are
    of, in a recording of "length" seconds. Of one longer than `LONGER_S`, "words" are what a board reports, and when;
    "word" is the surest of them. Where it reports none, and of a shorter one, it is what the loudest second sounds
    like, and if that is a word, the only one of "words". "seconds" is this computer's time from samples to answer;
    "cycles" the chip's, None on other engines.
    """
    clip, begin, length = audio.second_of(path)
    known = known_words(model, words)
    runner = engines.engine(engine, model)
    network = None if second or length <= LONGER_S else listener(model)
    if length > LONGEST_S and (network is not None or known):
        raise UserError(f"{path} is longer than {LONGEST_S // 3600} hours: cut it into parts, or add --second")
    x8 = recordings.at_8khz(Path(path)) if known or network is not None else None
    last = runner.heard([x8], known)[0] if known else []
    taught = known[last[-1][1]].name if last else None
    spoken = [] if network is None else heard(network, x8, known)
    judged = frontend.to_8khz(clip[None])
    at = None if network is None else surest_second(network, x8, spoken)
    if at is not None:
        judged, begin = x8[None, at : at + frontend.CLIP_SAMPLES], at / frontend.SAMPLE_RATE_HZ
    began = time.perf_counter()
    _, logits, cycles = runner.run(judged)
    seconds = time.perf_counter() - began
    word = taught or runner.classes[int(logits[0].argmax())]
    if not spoken and network is None and word not in runner.classes[: decision.REJECTED]:
        spoken = [(min(begin + 1, length), word)]
    return {"word": word, **({"taught": taught} if words else {}),
            "scores": dict(zip(runner.classes, map(float, runner.probabilities(logits)[0]), strict=True)),
            "logits": logits[0].tolist(), "engine": engine, "model": model, "seconds": seconds,
            "cycles": int(cycles[0]) if cycles is not None else None,
            "words": [{"word": one, "seconds": round(when, 2)} for when, one in spoken],
            "begin": round(begin, 3), "length": round(length, 3)}
