"""Taught words by the protocol of published few-shot spotters: ten words, ten shots each, by anybody; one or five of a
hundred other words may be taken for one of the ten. Chapter 12.

    from tinyspeech.measure import few_shot
    few_shot.over(few_shot.their_words(model, load_logmel(path)))["at_1_percent"]["percent"]

Rusci and Tuytelaars (arXiv 2306.02161) teach the ten official words of Speech Commands, shots drawn from its training
clips whoever says them, and let the test clips be heard, and those of twenty other words; EdgeSpot (arXiv 2601.16316)
is compared at 1 % of these. What differs here: `DIFFERS`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from scipy.stats import t as student
from tqdm import tqdm

from tinyspeech import KEYWORDS
from tinyspeech.errors import UserError
from tinyspeech.integer import frontend
from tinyspeech.integer import words as taught
from tinyspeech.integer.network import IntegerModel
from tinyspeech.measure import hours, words
from tinyspeech.sound import audio
from tinyspeech.sound.logmel import LogMelSet
from tinyspeech.training import data

WORDS, SHOTS, DRAWS = 10, 10, 10
"""Taught at once; of each; and how often all is drawn anew."""
FALSE_ACCEPTS = {"at_1_percent": 0.01, "at_5_percent": 0.05}
"""Shares of others that may be taken for any of the ten."""
OTHERS = ("bed", "bird", "cat", "dog", "eight", "five", "four", "happy", "house", "marvin", "nine", "one", "seven",
          "sheila", "six", "three", "tree", "two", "wow", "zero")
"""The twenty of Rusci and Tuytelaars."""
DIFFERS = (
    "the official test set is not touched: validation speakers are heard in its place",
    "their network was trained on other words, of another corpus; ours on all 35 of this one, the ten by name and the "
    "others as one class: to it no word here is new, and the ten are better known than a new word can be",
    "words are heard as a board hears them, standing alone in a quiet room; there a clip is heard as it is, and what "
    "is unknown is taught beside the ten, by five more words",
    "Speech Commands is read from pictures of its log-mel powers, of which the front end's coefficients are computed",
)
BEFORE, BEHIND = 52, 55
"""Frames of features, a second, of a quiet room around a clip: with its own 49 they are whole batches."""
PART = 256
"""Clips that the network hears at once."""


@dataclass(frozen=True)
class Take:
    """A clip of a second, as it is heard in a quiet room."""

    word: str
    features: np.ndarray
    """int8 [156, 12]."""
    segments: tuple[taught.Segment, ...]
    """What stands alone in it."""

    def taught(self, model: IntegerModel) -> list[taught.Segment]:
        """What it teaches: its heaviest segment, as `words.Row.takes` has it; none where no word is found."""
        long = [one for one in self.segments if np.count_nonzero(one.codes) >= taught.SHORTEST]
        heaviest = sorted(long, key=lambda one: one.weight)[-1:]
        return [taught.taken(model, self.features, one.begin, one.codes.tolist()) for one in heaviest]


@dataclass(frozen=True)
class Draw:
    """Shots by word; takes of the same words that are to be heard, and of others that are not."""

    shots: dict[str, list[taught.Segment]]
    own: list[Take]
    others: list[Take]


@cache
def room() -> np.ndarray:
    """Features of soft noise, int8 [107, 12]."""
    noise = np.random.default_rng(0).normal(0, audio.NOISE_UNITS, frontend.HOP * (BEFORE + BEHIND) + frontend.WINDOW)
    return hours.features_of(np.rint(noise).astype(np.int16))[: BEFORE + BEHIND]


def heard(model: IntegerModel, said: Sequence[str], features: np.ndarray) -> list[Take]:
    """Clips in the room. said : the word of each. features : int8 [n, 49, 12]"""
    first, last = BEFORE // 2, (BEFORE + features.shape[1]) // 2
    takes = []
    for at in range(0, len(features), PART):
        clips, record = features[at : at + PART], {}
        before, behind = (np.repeat(part[None], len(clips), axis=0) for part in np.split(room(), [BEFORE]))
        streams = np.concatenate([before, clips, behind], axis=1)
        model.run(streams, record)
        for word, stream, block in zip(said[at : at + PART], streams, record[taught.last_block(model)], strict=True):
            alone = taught.segments(*taught.from_block(stream, block))
            takes.append(Take(str(word), stream, tuple(one for one in alone if one.begin < last and one.end > first)))
    return takes


# ---------------------------------------------------------------- what is drawn


def their_words(model: IntegerModel, logmel: LogMelSet, draws: int = DRAWS) -> Iterator[Draw]:
    """The words of the papers, taught and others; only the shots are drawn. Raises `UserError` for a set without."""
    own, others = (_validation(model, logmel, some) for some in (KEYWORDS, OTHERS))
    for draw in range(draws):
        yield Draw(_shots(model, logmel, KEYWORDS, draw), own, others)


def drawn_words(model: IntegerModel, logmel: LogMelSet, draws: int = DRAWS) -> Iterator[Draw]:
    """Ten of the words that the network learned only to reject; the rest of these are the others."""
    names = sorted(set(logmel.words.tolist()) - set(KEYWORDS))
    takes = _validation(model, logmel, names)
    for draw in range(draws):
        ten = np.random.default_rng(draw).permutation(names)[:WORDS].tolist()
        yield Draw(_shots(model, logmel, ten, draw), [one for one in takes if one.word in ten],
                   [one for one in takes if one.word not in ten])


def _validation(model: IntegerModel, logmel: LogMelSet, names: Iterable[str]) -> list[Take]:
    chosen = np.flatnonzero((logmel.splits == "validation") & np.isin(logmel.words, list(names)))
    if not len(chosen):
        raise UserError(f"the log-mel set holds no validation clip of {', '.join(names)}")
    return heard(model, logmel.words[chosen], _coefficients(logmel, chosen))


def _shots(model: IntegerModel, logmel: LogMelSet, names: Sequence[str], draw: int) -> dict[str, list[taught.Segment]]:
    """Of training speakers, whoever they are."""
    dice, shots = np.random.default_rng([draw, SHOTS]), {}
    for name in names:
        clips = dice.permutation(np.flatnonzero((logmel.splits == "training") & (logmel.words == name)))[:SHOTS]
        shots[name] = _taught(model, name, heard(model, logmel.words[clips], _coefficients(logmel, clips)))
    return shots


def _taught(model: IntegerModel, name: str, takes: Iterable[Take]) -> list[taught.Segment]:
    found = [part for take in takes for part in take.taught(model)]
    if not found:
        raise UserError(f"no word is found in any clip that is to teach {name!r}")
    return found


def _coefficients(logmel: LogMelSet, chosen: np.ndarray) -> np.ndarray:
    """Of pictures, int8 [n, 49, 12]."""
    return data.Cepstrum()(data.bands_of_pixels(logmel.x[chosen])[:, 0::2].float()).numpy().astype(np.int8)


def other_language(model: IntegerModel, folder: Path, draws: int = DRAWS) -> Iterator[Draw]:
    """Words that the network never heard, of `words.Corpus`: those kept aside are taught, by a half of the speakers
    kept aside, and the other half says them; the words of development are the others.

    Raises `UserError` for data that is not there.
    """
    corpus = words.Corpus.open(folder)
    speakers, names = corpus.names("speaker", True), corpus.names("word", True)
    rows = [row for row in corpus.rows if row["speaker"] in speakers]
    read = {file: audio.to_int16(audio.resample(*audio.read(folder / file))) for file in {row["file"] for row in rows}}
    clips = np.stack([audio.fit_to_second(read[row["file"]][int(row["start_sample"]) :][: audio.CLIP_SAMPLES])
                      for row in rows])
    features = np.concatenate([frontend.features(frontend.to_8khz(part)) for part in np.array_split(
        clips, -(-len(clips) // PART))])
    takes = list(zip(heard(model, [row["word"] for row in rows], features), [row["speaker"] for row in rows],
                     strict=True))
    for draw in range(draws):
        dice, shots = np.random.default_rng(draw), {}
        teachers = dice.permutation(speakers)[: len(speakers) // 2].tolist()
        for name in names:
            known = [take for take, who in takes if take.word == name and who in teachers]
            shots[name] = _taught(model, name, [known[i] for i in dice.permutation(len(known))[:SHOTS]])
        rest = [take for take, who in takes if who not in teachers]
        yield Draw(shots, [one for one in rest if one.word in names], [one for one in rest if one.word not in names])


# ---------------------------------------------------------------- counting


def judged(draw: Draw) -> dict[str, float]:
    """Shares of own takes, in percent: `closed`, their own word is the closest of all; at each of `FALSE_ACCEPTS`, and
    that is near enough, by the largest threshold at which no more others are. At the threshold that `ships` the same,
    and how many `others` are taken for one of the words there."""
    names = list(draw.shots)
    templates = [words.taught_by(shots) for shots in draw.shots.values()]
    own = np.array([words.excess(take.segments, templates) for take in draw.own])
    right = np.isfinite(own.min(axis=1)) & (own.argmin(axis=1) == [names.index(take.word) for take in draw.own])
    others = np.sort([words.excess(take.segments, templates).min() for take in draw.others])

    def share(threshold: float) -> float:
        return 100 * float((right & (own.min(axis=1) <= threshold)).mean())

    return {"closed": share(np.inf),
            **{name: share(np.nextafter(others[int(part * len(others))], -np.inf))
               for name, part in FALSE_ACCEPTS.items()},
            "ships": share(taught.THRESHOLD), "others": 100 * float((others <= taught.THRESHOLD).mean())}


def over(draws: Iterable[Draw]) -> dict:
    """`judged`, over all draws: {what: percent, its interval of 95 % as draws differ, and each draw's}; and how many
    takes are heard, own and others, in the mean."""
    rows, counts = [], []
    for draw in tqdm(draws, "draws", disable=None):
        rows.append(judged(draw))
        counts.append((len(draw.own), len(draw.others)))
    own, others = np.mean(counts, axis=0).round().astype(int).tolist()
    return {**{name: _mean([row[name] for row in rows]) for name in rows[0]}, "n": own, "n_others": others}


def _mean(values: Sequence[float]) -> dict:
    """By Student's distribution; one draw has no interval."""
    mean, reach = float(np.mean(values)), np.inf
    if len(values) > 1:
        reach = float(student.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values)))
    low, high = max(0.0, mean - reach), min(100.0, mean + reach)
    return {"percent": round(mean, 1), "interval_95": [round(low, 1), round(high, 1)],
            "draws": [round(value, 1) for value in values]}
