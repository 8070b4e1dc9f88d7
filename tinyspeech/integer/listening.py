"""Listening: from sounds that never end, by microphone or serial port, to the lines that the board sends. Chapter 10.

    from tinyspeech.integer import listening
    listening.words(model, samples)      # [(frame, word)]

This is the definition that the firmware's 'L' and 'U' follow, bit for bit and frame by frame. How well a board listens
is measured by `tinyspeech/measure/live.py`.

| step | what happens |
| --- | --- |
| 'L' | the ADC converts 32,000 times a second, first a 32,000th after the timer's start; four make a sample |
| 'U' | a byte is a sample at 8 kHz, mu-law (`mulaw.mulaw_decode`) |
| frame | due with sample 256, then with every 160th; `frontend.FrontendStream` |
| batch | of `BATCH_FRAMES` frames, each pair of which gives a frame of scores: the last scores come a frame later |
| decision | `decision.Decision`, after both of a batch's frames of scores; FRAME counts all frames so far |
"""

from __future__ import annotations

import numpy as np

from tinyspeech.errors import UserError
from tinyspeech.integer import decision, frontend
from tinyspeech.integer.network import IntegerModel

CONVERSIONS = 4
"""Of 10 bits in a sample of 12."""
ADC_HZ = CONVERSIONS * frontend.SAMPLE_RATE_HZ
SAMPLING_CYCLES = 43 * 2
"""From the start of a conversion until the ADC holds the voltage: 43 clocks of 12 MHz, at 24 MHz."""
CLOCK_HZ = 24_000_000
BATCH_FRAMES = decision.BATCH_FRAMES
PIECE_SAMPLES = 60 * frontend.SAMPLE_RATE_HZ
"""The front end takes so much of a long recording at a time."""


def from_conversions(codes: np.ndarray) -> np.ndarray:
    """Readings of the converter, int [4 n] of 0 .. 1023, to int16 samples [n]: (sum of four - 4 * 512) * 16.

    The same scale as `frontend.from_adc`, with two bits more. An offset stays: the front end does not hear it (chapter
    8). Raises `UserError` for other readings, or where a sample is incomplete.
    """
    codes = np.asarray(codes)
    if codes.dtype.kind not in "iu" or codes.ndim != 1 or len(codes) % CONVERSIONS:
        raise UserError(f"readings are whole numbers, {CONVERSIONS} to a sample, not {codes.dtype} {list(codes.shape)}")
    if codes.size and (codes.min() < 0 or codes.max() > frontend.ADC_HIGHEST):
        raise UserError(f"readings of a 10-bit converter are from 0 to {frontend.ADC_HIGHEST}")
    total = codes.reshape(-1, CONVERSIONS).astype(np.int64).sum(axis=1)
    return (((total - CONVERSIONS * frontend.ADC_MIDPOINT) << frontend.ADC_SHIFT) // CONVERSIONS).astype(np.int16)


def words(model: IntegerModel, samples: np.ndarray, **settings: int | str | None) -> list[tuple[int, str]]:
    """(FRAME, word) of every word that the board reports for samples, int16 [n] at 8 kHz.

    settings : of `decision.Decision`, such as sensitivity and first_word; by default those of a board on which nothing
        was set, which is always open
    """
    decider = decision.of_network(model, **settings)
    heard = [(frame, decider.push(scores)) for frame, scores in scored_frames(model, samples)]
    return [(frame, model.classes[label]) for frame, label in heard if label is not None]


def scored_frames(model: IntegerModel, samples: np.ndarray) -> list[tuple[int, np.ndarray]]:
    """(FRAME, row of `decision.frame_rows` int64 [13]) of every frame that the decision takes, for samples as in
    `words`."""
    stream = frontend.FrontendStream()
    features = np.concatenate([stream.push(samples[at : at + PIECE_SAMPLES])
                               for at in range(0, max(1, len(samples)), PIECE_SAMPLES)])
    batches = max(0, (len(features) - 1) // BATCH_FRAMES)
    if not batches:
        return []
    scores = decision.frame_rows(decision.frame_scores(model, features), features)
    stride = BATCH_FRAMES // decision.STEP_FRAMES
    return [(stride * (row + 1) + 1, scores[row]) for row in range(batches * decision.STEP_FRAMES)]


def frame_count(samples: int) -> int:
    """Frames that so many samples make."""
    return max(0, (samples - frontend.WINDOW) // frontend.HOP + 1)
