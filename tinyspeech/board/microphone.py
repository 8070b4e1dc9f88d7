"""A recording as the voltage of a microphone on the chip's analogue input (chapter 10)."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from tinyspeech.errors import UserError
from tinyspeech.sound import audio

SIGNAL_HZ = 192_000
"""Rate of the signal on the analogue input: 24 times the 8 kHz of the front end, 6 times an ADC at 32 kHz."""


def microphone(path: str | Path, gain: float = 1.0, noise_lsb: float = 0.0, seed: int = 0) -> np.ndarray:
    """A recording as the voltage behind a microphone's amplifier, biased to half the supply; uint16 at `SIGNAL_HZ`.

    gain : 1 lays full scale of the recording on the whole range of the ADC; more clips.
    noise_lsb : standard deviation of white noise at the ADC, in steps of its 10 bits.
    Raises `UserError` where the file cannot be read, or for a gain or a noise that is none.
    """
    return as_volts(*audio.read(path), gain, noise_lsb, seed)


def as_volts(samples: np.ndarray, rate_hz: int, gain: float = 1.0, noise_lsb: float = 0.0, seed: int = 0) -> np.ndarray:
    """`microphone` of a sound at rate_hz, int16 [n] or float [n] within -1 .. 1; uint16 at `SIGNAL_HZ`."""
    if not (math.isfinite(gain) and gain > 0 and math.isfinite(noise_lsb) and noise_lsb >= 0):
        raise UserError(f"gain {gain:g} must be above 0, noise {noise_lsb:g} at least 0")
    wave = audio.resample(samples / 32768 if samples.dtype == np.int16 else samples, rate_hz, SIGNAL_HZ)
    volts = 32768 * (1 + gain * wave) + 64 * noise_lsb * np.random.default_rng(seed).standard_normal(len(wave))
    return np.clip(np.rint(volts), 0, 65535).astype(np.uint16)
