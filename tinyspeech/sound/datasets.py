"""The 12-class task of Speech Commands, made of any corpus of words, and what a folder holds.

What it is not: it knows no network and no features. Beside it stand the corpora's layouts (`corpora.py`), the rule that
splits speakers (`splits.py`), noise (`noise.py`), the cached log-mel set (`logmel.py`), the download (`download.py`)
and the making of the bundled clips (`synthesis.py`). Chapter 1.

    from tinyspeech.sound import datasets
    for name, label, samples in datasets.load_task("data/bundled", split="validation"):
        ...                                            # str, index into CLASSES, int16 [16000]

Every draw (unknown words, pieces of silence, a limited subset) is made by hashing names together with the seed, so it
depends neither on the order in which a file system lists files nor on the version of a random generator.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from tinyspeech import CLASSES
from tinyspeech.errors import UserError
from tinyspeech.paths import BUNDLED
from tinyspeech.sound import audio
from tinyspeech.sound.corpora import Corpus, open_corpus
from tinyspeech.sound.noise import noise_spans, read_noise
from tinyspeech.sound.splits import SPLITS, by_hash

SILENCE, UNKNOWN = "_silence_", "_unknown_"
EXTRA_PERCENT = 10
"""Unknown words and silence: each this share of the number of keyword clips, rounded up (the official task)."""


@dataclass(frozen=True)
class Silence:
    """One second cut from a noise recording; `start` is in samples at 16 kHz. No recording means digital silence."""

    path: Path | None
    start: int
    gain: float


@dataclass(frozen=True)
class Task:
    """A list of clips with labels; the sound is read when it is asked for."""

    corpus: Corpus = field(repr=False)
    """Where the clips are."""
    split: str
    """One of `SPLITS`; "testing" for a folder in the layout of the official test set."""
    names: list[str]
    """`word/file` below `folder`, or for silence `_silence_/recording_start_gain`; unique and stable."""
    labels: np.ndarray
    """int64 [N], indices into `classes`."""
    classes: tuple[str, ...] = CLASSES
    """Of the network, and behind them the taught words."""
    silence: dict[str, Silence] = field(repr=False, default_factory=dict)
    """Where the pieces of silence come from, by name."""

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, i: int) -> tuple[str, int, np.ndarray]:
        """Name, label and samples int16 [16000] of clip `i`."""
        return self.names[i], int(self.labels[i]), self.clip(i)

    def __iter__(self) -> Iterator[tuple[str, int, np.ndarray]]:
        return (self[i] for i in range(len(self)))

    def clip(self, i: int) -> np.ndarray:
        """Samples of clip `i`, int16 [16000] at 16 kHz."""
        name = self.names[i]
        if name not in self.silence:
            return self.corpus.clip(name)
        piece = self.silence[name]
        if piece.path is None:
            return np.zeros(audio.CLIP_SAMPLES, np.int16)
        noise = self._recordings.get(piece.path)
        if noise is None:
            noise = self._recordings[piece.path] = read_noise(piece.path)
        cut = noise[piece.start : piece.start + audio.CLIP_SAMPLES]
        return np.rint(cut * piece.gain).astype(np.int16)

    def arrays(self) -> tuple[np.ndarray, np.ndarray]:
        """Everything at once: samples int16 [N, 16000] and labels int64 [N]."""
        return np.stack([self.clip(i) for i in range(len(self))]), self.labels

    @cached_property
    def _recordings(self) -> dict[Path, np.ndarray]:
        return {}


def load_task(folder: str | Path, split: str = "validation", seed: int = 0, limit: int | None = None,
              classes: tuple[str, ...] = CLASSES, noise: str | Path | None = None, taught: Sequence[str] = ()) -> Task:
    """The 12-class task of Warden (2018) over a folder of word folders, or over another corpus (`corpora.py`).

    With the folder layout of the full set (`yes/`, `bed/`, ..., `_background_noise_/`) the split is what
    `validation_list.txt` and `testing_list.txt` say, or without them the SHA-1 of the speaker (`hash_split`). All
    keyword clips of the split are taken; to them come a tenth of their number of other words as `_unknown_` and a
    tenth of `_silence_`: seconds cut from the noise recordings at a random place, times a random gain in [0, 1)
    (the official procedure, input_data.py of TensorFlow's speech_commands example: silence is noise at a volume drawn
    from uniform(0, 1); without recordings it is zeros). We also divide the recordings in time: the first 80 % are
    training, then 10 % validation, then 10 % testing, so no split hears another's noise.

    With the layout of the official test set (a folder `_silence_/` or `_unknown_/` present) every file is used, its
    folder is its label, and `split` and `seed` choose nothing.

    Parameters
    ----------
    folder : holds one folder a word, of wav or flac files of any rate and length
    split : "training", "validation", "testing", or "all" for the three together
    seed : chooses the unknown words, the pieces of silence and the subset
    limit : at most this many clips, taken from the classes in turn
    classes : silence, unknown and the words that are to be told apart: those of the network that is asked
    noise : folder of recordings that silence is cut from; by default the corpus's own
    taught : words that are classes of their own, behind these: all their clips of the split are taken

    Returns
    -------
    Task : clips ordered by class, then by name

    Raises
    ------
    UserError : no such folder, no words in it, unknown split, nothing in the split, limit below 1
    """
    folder = Path(folder)
    if split not in SPLITS:
        raise UserError(f"no split is called {split!r}: choose one of {', '.join(SPLITS)}")
    if seed < 0:
        raise UserError(f"a seed of {seed}: give 0 or more")
    if limit is not None and limit < 1:
        raise UserError(f"a limit of {limit} clips leaves nothing: give 1 or more")
    corpus = open_corpus(folder)
    by_word = corpus.by_word()
    every = (*classes, *taught)

    silence: dict[str, Silence] = {}
    if SILENCE in by_word or UNKNOWN in by_word:
        split = "testing"
        by_class = {name: [] for name in every}
        for word, names in by_word.items():
            by_class[word if word in every else UNKNOWN] += names
    else:
        noise = corpus.noise if noise is None else Path(noise)
        by_class, silence = _drawn(corpus, split, seed, classes, noise, taught)
    by_class = {word: by_class[word] for word in every}
    if limit is not None:
        by_class = _limited(by_class, limit, seed)
    names = [name for names in by_class.values() for name in names]
    labels = [index for index, names in enumerate(by_class.values()) for _ in names]
    left = set(names)
    return Task(corpus, split, names, np.array(labels, np.int64), every,
                {n: s for n, s in silence.items() if n in left})


def _drawn(corpus: Corpus, split: str, seed: int, classes: Sequence[str], noise: Path,
           taught: Sequence[str]) -> tuple[dict[str, list[str]], dict[str, Silence]]:
    """Names by class from the layout of the full set, the unknown and the silent ones drawn; and where silence is."""
    chosen = corpus.of_split(split)
    by_class = {word: chosen.get(word, []) for word in classes if word not in (SILENCE, UNKNOWN)}
    keywords = sum(map(len, by_class.values()))
    own = {word: chosen.get(word, []) for word in taught}
    others = [name for word, names in chosen.items() if word not in by_class and word not in own for name in names]
    if not keywords and not others and not any(own.values()):
        counts = {s: sum(map(len, corpus.of_split(s).values())) for s in SPLITS[:3]}
        there = ", ".join(f"{n} in {s}" for s, n in counts.items())
        raise UserError(f"{corpus.folder} has no clip in its {split} split ({there}): choose another --split")
    extra = math.ceil(keywords * EXTRA_PERCENT / 100)
    # Without any keyword the folder is a bag of other words: then all of them are the unknown class.
    by_class[UNKNOWN] = sorted(by_hash(others, seed, split, "unknown")[: extra if keywords else None])
    silence = _cut_silence(noise, split, seed, extra)
    by_class[SILENCE] = list(silence)
    return by_class | own, silence


def clips_of_split(folder: str | Path, split: str) -> dict[str, list[str]]:
    """Every clip of one split, {word: [`word/file`]}, all words, sorted. Raises `UserError` as `load_task` does."""
    return open_corpus(folder).of_split(split)


def _cut_silence(folder: Path, split: str, seed: int, count: int) -> dict[str, Silence]:
    """`count` pieces of this split's part of the noise recordings, by name, in the order of names."""
    spans = noise_spans(folder, split)
    pieces = {}
    for i in range(count):
        rng = random.Random(f"{seed}:{split}:silence:{i}")  # a string seed: the same on every machine and version
        if spans:
            path, first, last = spans[int(rng.random() * len(spans))]
            start = first + int(rng.random() * (last - first + 1))
            gain = int(rng.random() * 1000) / 1000  # thousandths, so that the name says it exactly
            name, piece = f"{SILENCE}/{path.stem}_{start:07d}_{gain:.3f}", Silence(path, start, gain)
        else:
            name, piece = f"{SILENCE}/zeros_{i:04d}", Silence(None, 0, 0.0)
        pieces[name if name not in pieces else f"{name}_{i}"] = piece
    return dict(sorted(pieces.items()))


def _limited(by_class: dict[str, list[str]], limit: int, seed: int) -> dict[str, list[str]]:
    """At most `limit` names: one from each class in turn until the limit is met or all are taken."""
    queues = {word: by_hash(names, seed, "limit") for word, names in by_class.items()}
    depth = [(i, order, word) for order, word in enumerate(queues) for i in range(len(queues[word]))]
    taken: dict[str, list[str]] = {word: [] for word in queues}
    for i, _, word in sorted(depth)[:limit]:
        taken[word].append(queues[word][i])
    return {word: sorted(names) for word, names in taken.items()}


def info(folder: str | Path = BUNDLED) -> dict:
    """What is in a folder of Speech Commands layout, or another corpus: numbers of clips, by split and class, seconds
    of noise, bytes.

    Raises
    ------
    UserError : no such folder, or no words in it
    """
    corpus = open_corpus(folder)
    by_word, folder = corpus.by_word(), corpus.folder
    noise = {}
    for path in audio.sounds_in(corpus.noise):
        with audio.open_sound(path) as file:
            noise[path.stem] = round(file.frames / file.samplerate, 3)
    official_test = SILENCE in by_word or UNKNOWN in by_word
    splits = {s: corpus.of_split(s) for s in (("all",) if official_test else SPLITS[:3])}
    count = {s: Counter({w: len(n) for w, n in words.items() if n}) for s, words in splits.items()}
    return {
        "folder": str(folder),
        "clips": sum(map(len, by_word.values())),
        "words": len(by_word),
        "bytes": sum(f.stat().st_size for f in folder.rglob("*") if f.is_file()),
        "split_rule": "none: every file is used, its folder is its label" if official_test else corpus.split_rule,
        "listed_without_file": {split: len(names) for split, names in corpus.missing().items()},
        "splits": {s: sum(c.values()) for s, c in count.items()},
        "speakers": {
            s: len({corpus.speaker(name) for names in words.values() for name in names}) for s, words in splits.items()
        },
        "per_word": {word: {s: count[s][word] for s in count} for word in by_word},
        "background_noise_seconds": noise,
    }


def must_exist(*paths: str | Path | None) -> None:
    """Raises `UserError` for the first of these files and folders that is not there; None stands for none."""
    for path in paths:
        if path is not None and not Path(path).exists():
            raise UserError(f"{path} does not exist: `python -m tinyspeech data download` fetches the data")
