"""Inputs made on purpose: clips and windows that need no recording, the worst that there is among them.

The self-test on the chip plays one of them and compares a checksum (chapter 13).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from tinyspeech.integer.frontend import CLIP_SAMPLES, HOP, SAMPLE_RATE_HZ, WINDOW, features
from tinyspeech.integer.network import IntegerModel


def worst_case_clip() -> np.ndarray:
    """A loud, dense clip (full-scale noise, seeded): the longest arithmetic, the deepest stack. int16 [8000]."""
    return np.random.default_rng(0).integers(-32768, 32768, CLIP_SAMPLES).astype(np.int16)


def made_up_clip() -> np.ndarray:
    """The second that the chip makes up to test itself, int16 [8000]: xorshift32, quieter with every fourth frame."""
    noise, x = 1, np.empty(CLIP_SAMPLES, np.int16)
    for i in range(CLIP_SAMPLES):
        noise ^= noise << 13 & 0xFFFFFFFF
        noise ^= noise >> 17
        noise ^= noise << 5 & 0xFFFFFFFF
        x[i] = ((noise & 0xFFFF) ^ 0x8000) - 0x8000 >> ((i + 2 * HOP - WINDOW) // HOP >> 2)
    return x


def checksum(model: IntegerModel) -> int:
    """Of the logits for `made_up_clip`, 31 bits: what the chip's self-test must find."""
    total = 0
    for logit in model.run(features(made_up_clip())[None])[0].tolist():
        total = (total << 5 & 0xFFFFFFFF | total >> 27) ^ (logit & 0xFFFFFFFF)
    return total & 0x7FFFFFFF


def hostile_windows(count: int = 10_000, seed: int = 0) -> np.ndarray:
    """Windows that look for trouble, int16 [count, 256]: noise at every level, squares, impulses, offsets, tones."""
    rng = np.random.default_rng(seed)
    n = np.arange(WINDOW)
    rows = [np.zeros(WINDOW), np.full(WINDOW, -32768), np.full(WINDOW, 32767), np.tile([32767, -32768], WINDOW // 2)]
    while len(rows) < count:
        level = 2.0 ** rng.uniform(0, 15)
        tone = np.cos(2 * np.pi * rng.uniform(0, WINDOW // 2) * n / WINDOW + rng.uniform(0, 7))
        rows += [
            rng.normal(0, level, WINDOW), rng.uniform(-level, level, WINDOW), np.sign(tone) * level, tone * level,
            np.where(n == rng.integers(WINDOW), level, 0), rng.choice([-32768, 32767], WINDOW),
            tone * level + rng.normal(0, 3, WINDOW), np.full(WINDOW, rng.uniform(-level, level)),
        ]
    return np.clip(np.rint(rows[:count]), -32768, 32767).astype(np.int16)


def takes(recordings: Sequence[np.ndarray], count: int = 10_000, seed: int = 0) -> Iterator[np.ndarray]:
    """Takes of a word for a board that is taught, int16 [n] each at 8 kHz: said, and whatever else comes instead.

    One of `recordings`, int16 [n], between pauses: softer, louder, clipped, in noise, begun too late, ended too soon;
    bursts of noise and of tones as long, and as far apart, as just is a word, or is none; steps of an offset, knocks,
    full-scale noise, silence. One in forty is silence for so long that a board gives up.
    """
    dice = np.random.default_rng(seed)
    kinds = (_said, _said, _said_loud, _said_cut, _bursts, _bursts, _tones, _steps, _knocks, _full_scale)
    for i in range(count):
        sound = _silence(dice) if i % 40 == 39 else kinds[i % len(kinds)](dice, recordings)
        noise = dice.normal(0, 2.0 ** dice.uniform(-2, 6), len(sound)) * dice.integers(0, 2)
        yield np.clip(np.rint(sound + noise), -32768, 32767).astype(np.int16)


def _samples(dice: np.random.Generator, shortest_s: float, longest_s: float) -> int:
    return int(dice.uniform(shortest_s, longest_s) * SAMPLE_RATE_HZ)


def _said(dice: np.random.Generator, recordings: Sequence[np.ndarray]) -> np.ndarray:
    word = recordings[dice.integers(len(recordings))] * 2.0 ** dice.uniform(-5, 0.5)
    return np.pad(word, (_samples(dice, 0.1, 0.6), _samples(dice, 0.3, 0.6)))


def _said_loud(dice: np.random.Generator, recordings: Sequence[np.ndarray]) -> np.ndarray:
    return np.clip(_said(dice, recordings) * 2.0 ** dice.uniform(0, 5), -32768, 32767)


def _said_cut(dice: np.random.Generator, recordings: Sequence[np.ndarray]) -> np.ndarray:
    sound = _said(dice, recordings)
    middle = _samples(dice, 0.2, 0.9)
    return sound[middle:] if dice.integers(2) else sound[:middle]


def _lengths(dice: np.random.Generator) -> np.ndarray:
    """Of a pause and a burst, in turn, in samples: near a frame, four, seven and 28 of 40 ms, and anything."""
    frames = [dice.choice([1, 3, 4, 5, 6, 7, 8, 12, 20, 27, 28, 29, dice.integers(1, 45)]) for _ in range(6)]
    return np.maximum(1, (2 * np.array([dice.integers(3, 15), *frames, dice.integers(8, 12)]) * HOP
                          + dice.integers(-HOP, HOP, 8)))


def _bursts(dice: np.random.Generator, _: Sequence[np.ndarray]) -> np.ndarray:
    lengths = _lengths(dice)
    loud = np.where(np.arange(8) % 2, 2.0 ** dice.uniform(5, 13, 8), 2.0 ** dice.uniform(-2, 5))
    return np.repeat(loud, lengths) * dice.normal(0, 1, lengths.sum())


def _tones(dice: np.random.Generator, _: Sequence[np.ndarray]) -> np.ndarray:
    lengths = _lengths(dice)
    loud = np.where(np.arange(8) % 2, 2.0 ** dice.uniform(5, 15, 8), 0)
    phase = np.cumsum(np.repeat(dice.uniform(0, np.pi, 8), lengths))
    tone = np.cos(phase)
    return np.repeat(loud, lengths) * (np.sign(tone) if dice.integers(2) else tone)


def _steps(dice: np.random.Generator, _: Sequence[np.ndarray]) -> np.ndarray:
    return np.repeat(dice.uniform(-32768, 32767, 8), _lengths(dice))


def _knocks(dice: np.random.Generator, _: Sequence[np.ndarray]) -> np.ndarray:
    sound = np.zeros(_samples(dice, 0.5, 2.5))
    at = dice.integers(0, len(sound), dice.integers(1, 30))
    sound[at] = dice.choice([-32768, 32767, 32000, -31999, 3000], len(at))
    return sound


def _full_scale(dice: np.random.Generator, _: Sequence[np.ndarray]) -> np.ndarray:
    """Some of it just below, at and above what counts as clipped."""
    sound = dice.integers(-31999, 32000, _samples(dice, 0.3, 2.5)).astype(float)
    sound[dice.integers(0, len(sound), 16 + dice.integers(-2, 2))] = dice.choice([-32768, -32000, 32000, 32767])
    return np.pad(sound, (_samples(dice, 0.1, 0.4), _samples(dice, 0.3, 0.6)))


def _silence(dice: np.random.Generator) -> np.ndarray:
    return np.full(_samples(dice, 8, 9), float(dice.integers(-32768, 32768)))
