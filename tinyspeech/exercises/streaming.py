"""Exercises of the chapter "Streaming in 2 KB": what waits, whose turn it is, and a lead for a rate of false alarms."""

from __future__ import annotations

import numpy as np

from tinyspeech.exercises.trying import Exercise, checker
from tinyspeech.integer import decision, frontend

HOP_MS = 1000 * frontend.HOP // frontend.SAMPLE_RATE_HZ


def waiting(frames: int, inputs: int) -> tuple[int, int]:
    return frames * inputs, (frames - 1) * HOP_MS


# ---------------------------------------------------------------- a layer that strides


def windows(frames: np.ndarray, kernel: int) -> np.ndarray:
    """[T] -> [T, kernel], oldest first, zeros before the first frame."""
    padded = np.pad(frames, (kernel - 1, 0))
    return np.stack([padded[t : t + len(frames)] for t in range(kernel)], axis=1)


def strided(frames: np.ndarray, kernel: int, stride: int) -> np.ndarray:
    return windows(frames, kernel)[::stride]


# ---------------------------------------------------------------- a threshold


def reported(leads: np.ndarray, least: int, rest: int = decision.REFRACTORY_STEPS) -> int:
    """How many words: a report, then `rest` looks without one."""
    count, free = 0, 0
    for look in np.flatnonzero(np.asarray(leads) >= least):
        if look >= free:
            count, free = count + 1, look + 1 + rest
    return count


def least_for(leads: np.ndarray, allowed: int, rest: int = decision.REFRACTORY_STEPS) -> int:
    """What may be chosen is 1, and what lies just above a lead."""
    return next(one for one in sorted({1, *(int(lead) + 1 for lead in leads)})
                if reported(leads, one, rest) <= allowed)


FEW = np.array([0, 50, 80, 60, 0, 0, 0, 0, 0, 0, 90, 90, 0])
LONG = np.array([70, 0, 0, 0, 0, 0, 0, 0, 60, 50, 0, 0, 0, 0, 0, 0, 0, 0, 40])
"""A second lead in the last look of the rest, and a third in the first behind it."""

EXERCISES = {
    "waiting": Exercise(
        examples=[(case, waiting(*case)) for case in ((4, 12), (8, 12), (1, 40), (6, 10))],
        hints=["A frame waits as `inputs` numbers of a byte each, and a new one is due every hop.",
               "The first waits until the last is there: how many hops lie between the two?"],
        mistakes={
            "Between the first and the last of n frames lie fewer than n hops.":
                lambda frames, inputs: (frames * inputs, frames * HOP_MS),
            "Windows overlap: the next frame is due after a hop of 160 samples, not after a window of 256.":
                lambda frames, inputs: (frames * inputs, (frames - 1) * 32),
            "A coefficient is an int8: samples take two bytes, coefficients one.":
                lambda frames, inputs: (2 * frames * inputs, (frames - 1) * HOP_MS),
            "The last frame comes into the buffer, too, since the batch is computed from there.":
                lambda frames, inputs: ((frames - 1) * inputs, (frames - 1) * HOP_MS),
        }),
    "strided": Exercise(
        examples=[((frames, kernel, stride), strided(frames, kernel, stride))
                  for frames, kernel, stride in ((np.arange(1, 7), 3, 2), (np.arange(1, 8), 1, 2),
                                                 (np.arange(11, 16), 4, 1), (np.arange(1, 9), 2, 3))],
        hints=["Make the windows as if every frame had a turn, kernel - 1 zeros before the first; then take some.",
               "The first frame has a turn, then every one that comes `stride` later."],
        mistakes={
            "A frame that gets no answer is remembered all the same: stride over the windows, not over the frames.":
                lambda frames, kernel, stride: windows(frames[::stride], kernel),
            "The first frame has a turn; yours begins with a later one.":
                lambda frames, kernel, stride: windows(frames, kernel)[stride - 1 :: stride],
            "The oldest frame stands first in a window.":
                lambda frames, kernel, stride: windows(frames, kernel)[::stride, ::-1],
            "Before the first frame there are zeros; yours waits until a window is full.":
                lambda frames, kernel, stride: windows(frames, kernel)[kernel - 1 :: stride],
            "The newest frame belongs to the window; yours ends one before.":
                lambda frames, kernel, stride: windows(np.pad(frames[:-1], (1, 0)), kernel)[::stride],
            "A row for each answer, a column for each place in the kernel: yours lies on its side.":
                lambda frames, kernel, stride: strided(frames, kernel, stride).T,
        }),
    "least_for": Exercise(
        examples=[((leads, allowed), least_for(leads, allowed))
                  for leads, allowed in ((FEW, 1), (FEW, 0), (LONG, 1), (LONG, 2), (FEW, 2))],
        hints=["First count: walk through the looks, report where the lead reaches the least one, skip the next eight.",
               "At what lies just above the largest lead nothing is reported any more.",
               "Fewer reports need a higher lead: try 1, and what is one more than each lead, from below.",
               "Fewer reports need a higher lead: try 1, and what is one more than each lead, from below.",
               "The smallest that may be chosen is 1."],
        mistakes={
            "After a report the board rests; you count every look that reaches the lead.":
                lambda leads, allowed: least_for(leads, allowed, rest=0),
            "A lead that equals the least one is reported: it must lie just above.":
                lambda leads, allowed: least_for(leads, allowed) - 1,
            "At most `allowed` reports may remain, not fewer.":
                lambda leads, allowed: least_for(leads, max(allowed - 1, 0)),
            "The board rests for eight looks behind the one that reported; yours wakes a look too early.":
                lambda leads, allowed: least_for(leads, allowed, rest=decision.REFRACTORY_STEPS - 1),
            "The board rests for eight looks behind the one that reported; yours wakes a look too late.":
                lambda leads, allowed: least_for(leads, allowed, rest=decision.REFRACTORY_STEPS + 1),
        }),
}
check = checker(EXERCISES)
