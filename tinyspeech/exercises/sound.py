"""Exercises of chapter 1, sound and data: where a whistle folds to, who is in which split, and a stricter judge.

    from tinyspeech.exercises.sound import check
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np

from tinyspeech.exercises.trying import Exercise, checker
from tinyspeech.sound import splits

SPLITS = ("validation", "testing", "training")


def _shares(found: Iterable[str]) -> list[float]:
    found = list(found)
    return [found.count(split) / len(found) for split in SPLITS]


def _speaker(name: str) -> str:
    return name.split("_")[0]


def _speaker_shares(names: list[str]) -> list[float]:
    return _shares(splits.hash_split(f"{speaker}_nohash_0.wav") for speaker in {_speaker(name) for name in names})


def _by_whole_name(name: str) -> str:
    """The rule of Speech Commands, applied to too much."""
    percent = 100 * (int(hashlib.sha1(name.encode()).hexdigest(), 16) % 2**27) / (2**27 - 1)
    return "validation" if percent < 10 else "testing" if percent < 20 else "training"


def _right(distance: np.ndarray, said: np.ndarray, forbidden: np.ndarray) -> np.ndarray:
    """bool [N]: does the nearest that is allowed say the same word?"""
    return said[np.where(forbidden, np.inf, distance).argmin(axis=1)] == said


def _same(group: np.ndarray) -> np.ndarray:
    return group[:, None] == group


def _right_elsewhere(distance: np.ndarray, said: np.ndarray, group: np.ndarray) -> float:
    return _right(distance, said, _same(group)).mean()


def _clips(places: list[int], said: list[int], group: list[int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Clips that lie on a line: their distances, and what is said by whom."""
    place = np.array(places, float)
    return np.abs(place[:, None] - place), np.array(said), np.array(group)


_ONCE = [f"{speaker:08x}_nohash_0.wav" for speaker in range(40)]
_OFTEN = [f"{speaker:08x}_nohash_{take}.wav" for speaker in range(30) for take in range(1 + speaker % 7)]
_PLACES = (
    _clips([0, 1, 3, 7, 15, 31], [0, 0, 1, 1, 0, 1], [0, 0, 0, 1, 1, 1]),
    _clips([0, 2, 5, 9, 14, 20, 27, 35], [0, 0, 1, 1, 0, 0, 1, 1], [0, 0, 0, 0, 1, 1, 2, 2]),
    _clips([0, 1, 10, 12], [0, 1, 0, 1], [0, 1, 2, 3]),
)

EXERCISES = {
    "folds_to": Exercise(
        examples=[((7_000, 8_000), 1_000), ((11_000, 8_000), 3_000), ((3_000, 8_000), 3_000), ((16_000, 8_000), 0),
                  ((9_000, 16_000), 7_000)],
        hints=["A tone at the sample rate itself has the same value at every sample: it is heard as 0 Hz.",
               "Only the distance to the nearest multiple of the sample rate counts.",
               "Below half the sample rate nothing folds.",
               "Two periods between samples look the same as one, and as none.",
               "The border is half of `rate`, not 4 kHz for ever."],
        mistakes={
            "That leaves tones between half the sample rate and all of it where they are. They fold down as well.":
                lambda hz, rate: hz % rate,
            "That is the distance to the sample rate; the nearest of its multiples may be another one, or 0.":
                lambda hz, rate: abs(rate - hz),
            "A tone just above the border comes back just below it, not just above 0.":
                lambda hz, rate: hz % (rate // 2),
            "The sign is left over: a frequency below 0 is heard as the same one above.":
                lambda hz, rate: hz - rate * round(hz / rate),
            "Folded once. Tones above the sample rate go round again.":
                lambda hz, rate: hz if hz <= rate / 2 else rate - hz,
        }),
    "speaker_shares": Exercise(
        examples=[((names,), _speaker_shares(names)) for names in (_ONCE, _OFTEN, _ONCE[3:6])],
        hints=["The speaker is what stands before the first underscore; `split_of` gives the split.",
               "A speaker with seven clips is still one speaker.",
               "Three numbers, in the order validation, testing, training, even where one of them is 0."],
        mistakes={
            "Those are shares of clips. Somebody who records much would count much.":
                lambda names: _shares(map(splits.hash_split, names)),
            "The whole name went into the hash, and with it the clip's number: one voice, several splits.":
                lambda names: _shares(map(_by_whole_name, names)),
            "Those are numbers of speakers; asked for are shares of one.":
                lambda names: [round(share * len({*map(_speaker, names)})) for share in _speaker_shares(names)],
            "Those are per cent; asked for are shares of one.":
                lambda names: [100 * share for share in _speaker_shares(names)],
            "The order is another one: validation, testing, training are asked for.":
                lambda names: _speaker_shares(names)[::-1],
        }),
    "right_elsewhere": Exercise(
        examples=[(clips, _right_elsewhere(*clips)) for clips in _PLACES],
        hints=["Make the distance to every clip of the same group infinite; then look for the nearest, row by row.",
               "The answer of a clip is what its nearest neighbour says; count how often that is what it says itself.",
               "Where every clip is a group of its own, only the clip itself is forbidden."],
        mistakes={
            "Only the clip itself was forbidden; its group was still there.":
                lambda distance, said, group: _right(distance, said, _same(np.arange(len(said)))).mean(),
            "Nothing was forbidden: every clip found itself.":
                lambda distance, said, group: _right(distance, said, np.zeros_like(distance, bool)).mean(),
            "The most distant clip was asked, not the nearest.":
                lambda distance, said, group: _right(-distance, said, _same(group)).mean(),
            "What says the same word was forbidden, so nobody can be right.":
                lambda distance, said, group: _right(distance, said, _same(said)).mean(),
            "That is a number of clips; asked for is their share.":
                lambda distance, said, group: _right(distance, said, _same(group)).sum(),
        }),
}
"""What the reader writes, by name."""

check = checker(EXERCISES)
