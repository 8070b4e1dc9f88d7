"""Inputs made on purpose: clips and windows that need no recording, the worst that there is among them.

The self-test on the chip plays one of them and compares a checksum (chapter 12).
"""

from __future__ import annotations

import numpy as np

from tinyspeech.integer.frontend import CLIP_SAMPLES, HOP, WINDOW, features
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
