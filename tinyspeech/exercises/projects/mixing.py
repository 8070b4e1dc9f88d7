"""Noise under a sound, in whole numbers: the same on every machine. Projects 3 and 4."""

from __future__ import annotations

import math

import numpy as np


def mixed(sound: np.ndarray, noise: np.ndarray, power: int, of_noise: int) -> np.ndarray:
    """`sound` and, under it, `noise` at sqrt(power / of_noise) times its own size: int16 [n] each."""
    gain = math.isqrt((power << 32) // of_noise)  # in 65,536ths
    return np.clip(sound + (noise.astype(np.int64) * gain >> 16), -32768, 32767).astype(np.int16)
