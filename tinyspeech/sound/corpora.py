"""Corpora of spoken words: which word each clip is, who is heard in which split, and where the noise lies. Chapter 1.

    from tinyspeech.sound import corpora
    corpus = corpora.open_corpus("data/bundled")
    corpus.of_split("validation")                       # {word: [name of a clip]}
    corpus.clip("yes/0a1b_nohash_0.flac")               # int16 [16000]

Your own recordings need nothing here: put them into the layout of Speech Commands, and write their ten words into a
config. A corpus that came with lists of its own needs a class like `ArabicCommands`: three methods, and its name in
`CORPORA`. What it is not: the 12-class task, which `datasets.py` makes of any of them.
"""

from __future__ import annotations

import csv
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path

import numpy as np

from tinyspeech import CLASSES, KEYWORDS
from tinyspeech.errors import Notice, UserError
from tinyspeech.outside import files
from tinyspeech.sound import audio
from tinyspeech.sound.audio import hidden
from tinyspeech.sound.noise import BACKGROUNDS, noise_folder
from tinyspeech.sound.splits import SPLITS, SUFFIXES, hash_split, read_list, speaker, stem

OTHER_SOUNDS = (".ogg", ".opus", ".oga", ".mp3", ".m4a", ".aac", ".aif", ".aiff", ".wma", ".webm", ".amr", ".au")
"""Which people may take for clips; wav and flac are."""
KNOWN_FOLDERS = frozenset({*KEYWORDS, *CLASSES, *BACKGROUNDS})


class Corpus(ABC):
    """A folder of recorded words. A corpus of another layout says the three things that are abstract here.

    A word is called as a network's classes call it and as the chip prints it: in ASCII. A clip's name is `word/file`,
    unique, and the same wherever the corpus lies, for what is drawn by chance is drawn by hashing names.
    """

    split_rule: str
    """How speakers are divided, in words."""

    def __init__(self, folder: Path):
        self.folder = folder

    @classmethod
    @abstractmethod
    def is_at(cls, folder: Path) -> bool:
        """Whether a folder, which is there, is laid out like this corpus."""

    @abstractmethod
    def by_word(self) -> dict[str, list[str]]:
        """{word: names of its clips}, both sorted. Raises `UserError` where there is none."""

    @abstractmethod
    def split_of(self, name: str) -> str:
        """"training", "validation" or "testing": all clips of a speaker are in one of them."""

    def speaker(self, name: str) -> str:
        """Who says a clip."""
        return speaker(name)

    def clip(self, name: str) -> np.ndarray:
        """The sound, int16 [16000] at 16 kHz."""
        return audio.load_clip(self.folder / name)

    @property
    def noise(self) -> Path:
        """The folder of recordings of noise, which need not be there."""
        return noise_folder(self.folder)

    def missing(self) -> dict[str, list[str]]:
        """{split: names of clips that its list has, and no file}, of corpora whose lists may name others."""
        return {}

    def of_split(self, split: str) -> dict[str, list[str]]:
        """{word: names of its clips} of one of `SPLITS`; every word is there, if only with an empty list."""
        words = self.by_word()
        if split == "all":
            return words
        return {word: [name for name in names if self.split_of(name) == split] for word, names in words.items()}


class SpeechCommands(Corpus):
    """Speech Commands (Warden 2018), and every folder laid out like it: the one for recordings of your own.

    One folder a word, `SPEAKER_nohash_TAKE.wav` or .flac in it, and `_background_noise_`. The splits are what
    `validation_list.txt` and `testing_list.txt` say, or without them the SHA-1 of the speaker (`splits.hash_split`).
    """

    @classmethod
    def is_at(cls, folder: Path) -> bool:
        return True

    @cached_property
    def _lists(self) -> dict[str, set[str]]:
        paths = {s: self.folder / f"{s}_list.txt" for s in ("validation", "testing")}
        lists = {s: read_list(path) for s, path in paths.items() if path.exists()}
        for split, listed in lists.items():  # an extract comes with the whole list: it lacks most, and may
            if (lost := self._lost(listed)) and 2 * len(lost) <= len(listed):
                self._say(f"lists {len(lost):,} of {len(listed):,} clips in {split}_list.txt that no file has, such as "
                          f"{lost[0]}")
        return lists

    def _lost(self, listed: set[str]) -> list[str]:
        """Names of a list that no file has."""
        there = {stem(name) for names in self._words.values() for name in names}
        return sorted(name for name in listed - there
                      if not any((self.folder / f"{name}{suffix}").exists() for suffix in SUFFIXES))

    def missing(self) -> dict[str, list[str]]:
        return {split: lost for split, listed in self._lists.items() if (lost := self._lost(listed))}

    @property
    def split_rule(self) -> str:
        return "lists" if self._lists else "SHA-1 of the speaker"

    @cached_property
    def _words(self) -> dict[str, list[str]]:
        found, twice, left = {}, [], []
        for word in sorted(entry.name for entry in self.folder.iterdir() if entry.is_dir() and not hidden(entry)):
            if word in BACKGROUNDS:
                continue
            names: dict[str, str] = {}
            for file in sorted(entry.name for entry in (self.folder / word).iterdir() if not hidden(entry)):
                if not file.lower().endswith(SUFFIXES):
                    left += [f"{word}/{file}"] if file.lower().endswith(OTHER_SOUNDS) else []
                elif (of := stem(file)) in names:
                    twice.append(f"{word}/{file}")
                else:
                    names[of] = f"{word}/{file}"
            if names:
                found[word] = sorted(names.values())
        if not found:
            raise UserError(f"{self.folder} holds no word folder with wav or flac files: it should look like "
                            f"{self.folder}/yes/x.wav" + (f" ({left[0]} is neither)" if left else ""))
        if twice:
            self._say(f"holds {len(twice):,} clips in two formats, which count once, such as {twice[0]}")
        if left:
            self._say(f"holds {len(left):,} sounds that are neither wav nor flac and are left out, such as {left[0]}")
        for word in found:
            if (small := word.lower().strip()) != word and small in KNOWN_FOLDERS:
                self._say(f"holds a folder {word!r}, which counts as another word: {small!r} is meant?")
        return found

    def _say(self, what: str) -> None:
        warnings.warn(f"{self.folder} {what}", Notice, stacklevel=2)

    def by_word(self) -> dict[str, list[str]]:
        return self._words

    def split_of(self, name: str) -> str:
        if not self._lists:
            return hash_split(name)
        return next((s for s, listed in self._lists.items() if stem(name) in listed), "training")


ARABIC_LISTS = dict(zip(("train", "val", "test"), SPLITS, strict=False))
"""What Arabic Speech Commands calls the splits."""
ARABIC_WORDS = {
    "yes": "naam", "no": "la", "up": "aala", "down": "asfal", "left": "yasar", "right": "yamin", "start": "ibda",
    "stop": "tawaqaf", "forward": "amam", "backward": "khalf", "open": "fath", "close": "ighlaq", "enable": "tafeel",
    "disable": "taatil", "zero": "sifr", "one": "wahid", "two": "ithnan", "three": "thalatha", "four": "arbaa",
    "five": "khamsa",
}
"""Its folders have English names; what is said in them, in Latin letters. The other folders keep their names."""
INDEX, INDEX_COLUMNS = "index.tsv", frozenset({"file", "start_sample", "word", "speaker", "take", "split"})


class ArabicCommands(Corpus):
    """Arabic Speech Commands (Ghandoura, Hjabo and Al Dakkak 2021, doi 10.5281/zenodo.4662481, CC BY 4.0): 40 words,
    each said ten times by 30 speakers, a second at 16 kHz.

    As it is published: `dataset/WORD/SPEAKER_NO_TAKE.wav`, `background_noise/`, and `train.csv`, `val.csv`, `test.csv`,
    which list the clips of each split. Also read is an extract with one long recording a word, whose `index.tsv` has
    the columns file, start_sample, word, speaker, take, split.
    """

    split_rule = "lists"

    @classmethod
    def is_at(cls, folder: Path) -> bool:
        named = (folder / "yes").glob("*_NO_[0-9][0-9].wav")  # whose lists are missing: no hash may divide its speakers
        return (folder / INDEX).exists() or bool(cls._lists(folder)) or any(named)

    @classmethod
    def _lists(cls, folder: Path) -> dict[str, Path]:
        """{split: its list}, of a release or of the folder of words in one."""
        root = folder.parent if folder.name == "dataset" else folder
        paths = {split: root / f"{name}.csv" for name, split in ARABIC_LISTS.items()}
        return {split: path for split, path in paths.items() if path.exists()}

    @cached_property
    def _clips(self) -> dict[str, tuple[str, Path, int | None]]:
        """{name: (split, file, its first sample in it or None for a file of its own)}."""
        clips = self._indexed() if (self.folder / INDEX).exists() else self._released()
        if not clips:
            raise UserError(f"{self.folder} holds Arabic Speech Commands without its lists: train.csv, val.csv and "
                            "test.csv are needed, with lines like dataset/yes/00000001_NO_01.wav")
        split_of: dict[str, str] = {}
        for name, (split, *_) in clips.items():
            if split_of.setdefault(self.speaker(name), split) != split:
                raise UserError(f"{self.folder} lists speaker {self.speaker(name)} under {split} and "
                                f"{split_of[self.speaker(name)]}: each speaker belongs to one split")
        return clips

    def _indexed(self) -> dict[str, tuple[str, Path, int | None]]:
        found = {}
        for row in index_of(self.folder, INDEX_COLUMNS):
            try:
                split, start = ARABIC_LISTS[row["split"]], int(row["start_sample"])
                name = f"{self.spelled(row['word'])}/{row['speaker']}_NO_{int(row['take']):02d}.wav"
                found[name] = split, self.folder / row["file"], start
            except (KeyError, ValueError) as error:
                raise UserError(f"{self.folder / INDEX} has a row that is not understood ({error}): "
                                f"{' '.join(row.values())}") from None
        return found

    def _released(self) -> dict[str, tuple[str, Path, int | None]]:
        found = {}
        for split, path in self._lists(self.folder).items():
            for row in _rows(path, ","):
                *_, word, file = ["", *row[0].replace("\\", "/").split("/")] if row else ("", "")
                if file.lower().endswith(SUFFIXES):  # what is none is the heading
                    found[f"{self.spelled(word)}/{file}"] = split, self._root / word / file, None
        return found

    @cached_property
    def _root(self) -> Path:
        """Where the words' folders are."""
        inside = (self.folder / "dataset", self.folder / "dataset" / "dataset")  # some archives nest it
        return next((path for path in reversed(inside) if path.is_dir()), self.folder)

    @classmethod
    def spelled(cls, folder: str) -> str:
        """What is said in the folder of a word, as it is printed."""
        return ARABIC_WORDS.get(folder, folder)

    def by_word(self) -> dict[str, list[str]]:
        words: dict[str, list[str]] = {}
        for name in sorted(self._clips):
            words.setdefault(name.split("/")[0], []).append(name)
        return dict(sorted(words.items()))

    def split_of(self, name: str) -> str:
        return self._clips[name][0]

    def speaker(self, name: str) -> str:
        return name.split("/")[1].split("_")[0]

    def clip(self, name: str) -> np.ndarray:
        _, path, start = self._clips[name]
        if start is None:
            return audio.load_clip(path)
        if path not in self._recordings:
            samples = audio.resample(*audio.read(path))
            self._recordings[path] = samples if samples.dtype == np.int16 else audio.to_int16(samples)
        cut = self._recordings[path][start : start + audio.CLIP_SAMPLES]
        return np.pad(cut, (0, audio.CLIP_SAMPLES - len(cut)))

    @cached_property
    def _recordings(self) -> dict[Path, np.ndarray]:
        return {}

    @property
    def noise(self) -> Path:
        return noise_folder(self.folder.parent if self.folder.name == "dataset" else self.folder)


CORPORA: tuple[type[Corpus], ...] = (ArabicCommands, SpeechCommands)
"""The first whose layout a folder has is taken; Speech Commands' is the last, since it has no lists of need."""


def open_corpus(folder: str | Path) -> Corpus:
    """The corpus in a folder. Raises `UserError` where there is no such folder."""
    folder = Path(folder)
    if not folder.exists():
        raise UserError(f"{folder} does not exist: give a folder with one folder a word (yes/, no/, ...)")
    if not folder.is_dir():
        raise UserError(f"{folder} is a file: give a folder with one folder a word (yes/, no/, ...)")
    return next(kind for kind in CORPORA if kind.is_at(folder))(folder)


def index_of(folder: Path, columns: Iterable[str]) -> list[dict[str, str]]:
    """The rows of an extract's table, by column. Raises `UserError` where it is not there or lacks one of these."""
    if not (folder / INDEX).exists():
        raise UserError(f"{folder / INDEX} does not exist: give an extract's folder, with its table")
    heads, *rows = _rows(folder / INDEX, "\t") or [[]]
    if missing := set(columns) - set(heads):
        raise UserError(f"{folder / INDEX} has no column {min(missing)}: it needs {', '.join(sorted(columns))}")
    return [dict(zip(heads, cells, strict=False)) for cells in rows]


def _rows(path: Path, delimiter: str) -> list[list[str]]:
    """All rows of a table, the heading too. Raises `UserError` where it cannot be read."""
    with files.parsing(path, "cannot be read: give the corpus with its lists"):
        text = files.text(path, "give the corpus with its lists")
        return list(csv.reader(text.splitlines(), delimiter=delimiter))
