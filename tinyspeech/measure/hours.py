"""Hours of sound by the definition: what is reported, how often, and what that count can tell. Chapter 11.

    from tinyspeech.measure import hours
    scores = hours.scores_of(model, samples)      # int16 at 8 kHz, any length
    hours.reports(scores)                         # [(frame, word)], as `integer.listening.words` has them
    hours.poisson(3, 4.0)                         # (0.15, 2.19) reports an hour

The scores are computed once; each threshold then costs one pass of the decision.
"""

from __future__ import annotations

import numpy as np
from scipy.stats import chi2

from tinyspeech import CLASSES
from tinyspeech.errors import UserError
from tinyspeech.integer import decision, frontend
from tinyspeech.integer.listening import BATCH_FRAMES
from tinyspeech.integer.network import IntegerModel

BLOCK_FRAMES = 1500
"""Half a minute: features and scores of a recording are computed in blocks, so memory does not grow with hours."""
ARMED_FRAMES = decision.WINDOW_STEPS * decision.STEP_FRAMES
"""Frames of scores, 3.04 s, for which a first word opens."""


def poisson(events: int, hours: float, confidence: float = 0.95) -> tuple[float, float]:
    """Exact interval of a rate, events an hour, after Garwood 1936; no event still has an upper end.

    Raises `UserError` where no time was heard.
    """
    if hours <= 0:
        raise UserError("a rate needs time: no sound is left to count in")
    tail = (1 - confidence) / 2
    low = chi2.ppf(tail, 2 * events) / 2 if events else 0.0
    return float(low / hours), float(chi2.ppf(1 - tail, 2 * events + 2) / 2 / hours)


def context_frames(model: IntegerModel) -> int:
    """Frames before one that can change its scores, at most: each kernel's reach, at its distance. Without leaks."""
    reach, apart = 0, 1
    for layer in model.layers:
        reach += (layer.kernel - 1) * apart
        apart *= layer.stride
    return reach


def features_of(samples: np.ndarray) -> np.ndarray:
    """Features int8 [T, 12] of a stream, int16 [n] at 8 kHz. Raises `UserError` for samples of another type."""
    stream, size = frontend.FrontendStream(), BLOCK_FRAMES * frontend.HOP
    return np.concatenate([stream.push(samples[at : at + size]) for at in range(0, max(len(samples), 1), size)])


def scores_of(model: IntegerModel, samples: np.ndarray) -> np.ndarray:
    """`scores_from` the features of a stream, int16 [n] at 8 kHz."""
    return scores_from(model, features_of(samples))


def scores_from(model: IntegerModel, features: np.ndarray) -> np.ndarray:
    """Rows int64 [T', 13] of a stream's features, int8 [T, 12]: those on which the definition decides.

    Equal to the integer to `decision.frame_rows` of the whole, less the last ones, which a board would compute only
    with its next batch. Raises `UserError` for a network that does not weigh its frames.
    """
    apart = int(np.prod([layer.stride for layer in model.layers]))
    before, step = -(-context_frames(model) // apart) * apart, BLOCK_FRAMES // apart * apart
    if any(layer.kind == "leak" for layer in model.layers):  # it never quite forgets: in one piece
        step = max(step, len(features))
    scores = [np.empty((0, len(CLASSES)), np.int64)]
    for at in range(0, len(features), step):
        known = min(at, before)
        block = features[at - known : at + step]
        scores.append(decision.frame_scores(model, block)[known // apart :])
    batches = max(0, (len(features) - 1) // BATCH_FRAMES)
    return decision.frame_rows(np.concatenate(scores)[: batches * decision.STEP_FRAMES], features)


def reports(scores: np.ndarray, **constants: int) -> list[tuple[int, str]]:
    """(FRAME, word) of each report in `scores_of`, as `listening.words` has it. constants: of `decision.Decision`."""
    stride = BATCH_FRAMES // decision.STEP_FRAMES
    return [(stride * (row + 1) + 1, CLASSES[label]) for row, label in decision.words(scores, **constants)]


def armed(found: list[tuple[int, str]], first: str, window: int = ARMED_FRAMES) -> list[tuple[int, str]]:
    """The commands among open reports, (frame of scores, word): those that a first word let in.

    `first` opens for `window` frames of scores; the next report in them, whatever the word, is the command and closes.
    """
    commands, until = [], None
    for frame, word in found:
        if until is not None and frame <= until:
            commands.append((frame, word))
            until = None
        elif word == first:
            until = frame + window
        else:
            until = None
    return commands
