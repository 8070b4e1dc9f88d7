"""Windows of samples that look for trouble in the integer front end (chapter 8)."""

from __future__ import annotations

import numpy as np


def hostile_windows(count: int = 10_000, seed: int = 0) -> np.ndarray:
    """Windows that look for trouble, int16 [count, 256]: noise at every level, squares, impulses, offsets, tones."""
    rng = np.random.default_rng(seed)
    n = np.arange(256)
    rows = [np.zeros(256), np.full(256, -32768), np.full(256, 32767), np.tile([32767, -32768], 128)]
    while len(rows) < count:
        level = 2.0 ** rng.uniform(0, 15)
        tone = np.cos(2 * np.pi * rng.uniform(0, 128) * n / 256 + rng.uniform(0, 7))
        rows += [
            rng.normal(0, level, 256), rng.uniform(-level, level, 256), np.sign(tone) * level, tone * level,
            np.where(n == rng.integers(256), level, 0), rng.choice([-32768, 32767], 256),
            tone * level + rng.normal(0, 3, 256), np.full(256, rng.uniform(-level, level)),
        ]
    return np.clip(np.rint(rows[:count]), -32768, 32767).astype(np.int16)
