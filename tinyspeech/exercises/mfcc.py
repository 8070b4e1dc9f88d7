"""Exercises of chapter 2, the MFCC front end: how many bytes, a window afterwards, and a microphone's colour.

    from tinyspeech.exercises.mfcc import check
"""

from __future__ import annotations

import numpy as np

from tinyspeech.exercises.trying import Exercise, checker
from tinyspeech.integer.frontend import N_COEFFICIENTS


def _frames(samples: int, window: int, hop: int) -> int:
    return 1 + (samples - window) // hop


def _windowed(spectrum: np.ndarray) -> np.ndarray:
    return spectrum / 2 - (np.roll(spectrum, 1, axis=-1) + np.roll(spectrum, -1, axis=-1)) / 4


def _without_corner(spectrum: np.ndarray) -> np.ndarray:
    """As if there were nothing beyond the first and the last."""
    padded = np.pad(spectrum, [(0, 0)] * (spectrum.ndim - 1) + [(1, 1)])
    return spectrum / 2 - (padded[..., :-2] + padded[..., 2:]) / 4


_CUTS = ((8_000, 256, 80), (8_000, 256, 160), (8_000, 400, 160), (256, 256, 160), (400, 256, 160))
_SPECTRA = (  # whole numbers, so that halves and quarters are exact
    np.array([4.0, 0, 0, 0, 0, 0, 0, 0]),
    np.array([8, 4j, -4, 12, 0, 12, -4, -4j]),
    np.array([[8, 4j, -4, -4j], [0, 4, 12, 4]]),
)
_FEATURES = (  # every column's mean is a whole number
    np.array([[1, 10, -5], [3, 30, -5], [2, 20, 1]]),
    np.array([[0, 8], [4, -8], [6, 4], [2, 0]]),
)

EXERCISES = {
    "feature_bytes": Exercise(
        examples=[(cut, N_COEFFICIENTS * _frames(*cut)) for cut in _CUTS],
        hints=["The first window begins at sample 0 and the last must still end within the sound; each gives 12 bytes.",
               "This chapter's own second: 49 frames.",
               "A longer window must begin earlier to end in time.",
               "A sound as long as the window holds one.",
               "What is left after the last whole hop gives no frame."],
        mistakes={
            "That counts every hop that begins within the sound; the last windows would hang over its end.":
                lambda samples, window, hop: N_COEFFICIENTS * (samples // hop),
            "One frame is missing: so many hops lead from the first frame to the last.":
                lambda samples, window, hop: N_COEFFICIENTS * ((samples - window) // hop),
            "Rounded up: that adds a frame whose window is not full.":
                lambda samples, window, hop: N_COEFFICIENTS * (1 - (window - samples) // hop),
            "Those are frames; each gives twelve bytes.": _frames,
            "Those are the samples under all windows; the network gets twelve bytes in place of a window.":
                lambda samples, window, hop: window * _frames(samples, window, hop),
        }),
    "windowed_after": Exercise(
        examples=[((spectrum,), _windowed(spectrum)) for spectrum in _SPECTRA],
        hints=["A wave moved up lands where the next one was; `np.roll` moves all. By what does each of them count?",
               "Before the first value stands the last.",
               "Several frames at once: roll along the last axis."],
        mistakes={
            "The neighbours are taken off, not added: the window is 0 at its first sample.":
                lambda spectrum: spectrum - _windowed(spectrum),
            "A quarter of each neighbour, not a half: the cosine is shared out to two waves.":
                lambda spectrum: 2 * _windowed(spectrum) - spectrum / 2,
            "The corner is missing: the frequency before 0 is the last one, and the one after the last is 0.":
                _without_corner,
            "Rolled without an axis: a frame's last value became the next frame's first.":
                lambda spectrum: _windowed(spectrum.ravel()).reshape(spectrum.shape),
            "One neighbour only. A cosine is two waves, one that moves up and one that moves down.":
                lambda spectrum: spectrum / 2 - np.roll(spectrum, 1, axis=-1) / 4,
        }),
    "colour_removed": Exercise(
        examples=[((features,), features - features.mean(axis=0)) for features in _FEATURES],
        hints=["The logarithm makes a constant of a factor, the same in every frame. What in a clip tells it?",
               "Rows are frames, columns coefficients: a mean for each column."],
        mistakes={
            "That takes off each frame's mean over its coefficients. What a microphone adds is the same in all frames.":
                lambda features: features - features.mean(axis=1, keepdims=True),
            "One mean for everything: each coefficient has its own.": lambda features: features - features.mean(),
            "The deviation was taken out, too. A fixed filter adds, it does not stretch.":
                lambda features: (features - features.mean(axis=0)) / features.std(axis=0),
            "The first frame was taken off. It holds the microphone and whatever was said in it.":
                lambda features: features - features[0],
            "That is what is to be taken off, not what is left.":
                lambda features: np.broadcast_to(features.mean(axis=0), features.shape),
        }),
}
"""What the reader writes, by name."""

check = checker(EXERCISES)
