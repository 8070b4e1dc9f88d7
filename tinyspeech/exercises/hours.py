"""Exercises of the chapter "Hours of speech": how long to listen, bursts of alarms, a word that has to last."""

from __future__ import annotations

import numpy as np

from tinyspeech.exercises.trying import Exercise, checker
from tinyspeech.measure.leads import Track

RARE = 0.05
"""How likely silence may still be under the rate that is ruled out."""


def hours_needed(rate: float) -> float:
    return -np.log(RARE) / rate


def episodes(seconds: list[float], gap: float) -> int:
    return len(seconds) and 1 + int((np.diff(seconds) > gap).sum())


def from_their_begin(seconds: list[float], gap: float) -> int:
    """Episodes that last `gap` at most, counted from their first alarm."""
    count, begin = 0, -np.inf
    for at in seconds:
        if at - begin > gap:
            count, begin = count + 1, at
    return count


# ---------------------------------------------------------------- a word that has to last


def runs(track: Track, least: int, breaks: tuple[str, ...] = ("gap", "word", "lead")) -> list[int]:
    """How many looks in a row, up to each look, the same word has led by `least`."""
    lengths, last = [], None
    for step, word, lead in zip(track.step, track.word, track.lead, strict=True):
        goes_on = last is not None and ("gap" not in breaks or step == last[0] + 1)
        goes_on = goes_on and ("word" not in breaks or word == last[1])
        before = lengths[-1] if goes_on else 0
        lengths.append(before + 1 if lead >= least else before if "lead" not in breaks else 0)
        last = step, word
    return lengths


def lasting(track: Track, least: int, looks: int, breaks: tuple[str, ...] = ("gap", "word", "lead")) -> list[int]:
    return [i for i, length in enumerate(runs(track, least, breaks)) if length == looks]


def always_reported(track: Track, least: int, looks: int) -> list[int]:
    """Not for the first time in a run only."""
    return [i for i, length in enumerate(runs(track, least)) if length >= looks]


SMALL = Track(1.0, *np.array([[3, 4, 5, 9, 10, 11, 12, 13], [2, 2, 3, 5, 5, 5, 5, 5], [9, 5, 9, 9, 9, 3, 9, 9]]),
              np.zeros((0, 3)))
STEADY = Track(1.0, *np.array([[1, 2, 3, 4, 6, 7], [4, 4, 4, 4, 4, 4], [8, 8, 8, 8, 8, 8]]), np.zeros((0, 3)))

EXERCISES = {
    "hours_needed": Exercise(
        examples=[((rate,), hours_needed(rate)) for rate in (3.0, 1.0, 0.1, 1 / 24)],
        hints=["A rate r leaves T hours silent with probability exp(-r T).", "Solve exp(-r T) = 1/20 for T."],
        mistakes={
            "That is the mean time between two: it is silent for longer in more than a third of all cases.":
                lambda rate: 1 / rate,
            "One in twenty, not one in a hundred.": lambda rate: -np.log(0.01) / rate,
            "That leaves one in forty: you guard both sides, and only one was asked for.":
                lambda rate: -np.log(RARE / 2) / rate,
            "The lower the rate that you promise, the longer you must listen: divide by it.":
                lambda rate: -np.log(RARE) * rate,
            "You solved for the chance of 19 in 20 that it is silent: it should be hardly ever silent for so long.":
                lambda rate: -np.log(1 - RARE) / rate,
            "exp is undone by the natural logarithm, not by that to base ten.": lambda rate: -np.log10(RARE) / rate,
        }, rel=0.01),
    "episodes": Exercise(
        examples=[((seconds, gap), episodes(seconds, gap))
                  for seconds, gap in (([], 10), ([5.0], 10), ([1, 5, 30], 10), ([0, 8, 16, 24], 10),
                                       ([2, 12, 13, 40], 10), ([0, 4, 9, 14], 4))],
        hints=["No alarm, no episode.", "The first alarm always begins one.",
               "Compare each alarm with the one before it: np.diff.",
               "Compare each alarm with the one before it: np.diff.",
               "It takes more than `gap` to begin a new one.", "Compare each alarm with the one before it: np.diff."],
        mistakes={
            "The first alarm begins an episode, too.":
                lambda seconds, gap: int((np.diff(seconds) > gap).sum()),
            "Without any alarm there is no episode.":
                lambda seconds, gap: 1 + int((np.diff(seconds) > gap).sum()),
            "More than `gap` seconds must have passed; yours begins one after exactly `gap`.":
                lambda seconds, gap: len(seconds) and 1 + int((np.diff(seconds) >= gap).sum()),
            "Compare with the alarm before, not with the beginning of the episode.": from_their_begin,
            "That counts the alarms that annoy nobody anew; count where one begins.":
                lambda seconds, gap: int((np.diff(seconds) <= gap).sum()),
        }),
    "lasting": Exercise(
        examples=[((track, least, looks), lasting(track, least, looks))
                  for track, least, looks in ((SMALL, 5, 1), (SMALL, 5, 2), (SMALL, 5, 3), (STEADY, 8, 2),
                                              (STEADY, 8, 3))],
        hints=["A run ends where a step is missing, the word changes, or the lead is too small.",
               "Report when the run is exactly `looks` long."],
        mistakes={
            "A step is missing there: looks that follow each other in the list need not follow each other in time.":
                lambda track, least, looks: lasting(track, least, looks, ("word", "lead")),
            "There another word leads, and it has led for one look only.":
                lambda track, least, looks: lasting(track, least, looks, ("gap", "lead")),
            "A lead that is too small ends the run: the next one begins at 1.":
                lambda track, least, looks: lasting(track, least, looks, ("gap", "word")),
            "Once in a run, at the look at which it becomes long enough.": always_reported,
            "A lead that equals the least one reaches it.":
                lambda track, least, looks: lasting(track, least + 1, looks),
            "A word that leads for the first time has led for one look, not for none.":
                lambda track, least, looks: lasting(track, least, looks + 1),
        }),
}
check = checker(EXERCISES)
