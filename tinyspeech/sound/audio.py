"""Sound files in, one second of 16 kHz int16 out; nothing here knows of labels or networks.

Decoding is libsndfile's (wav, flac, ogg, ...) and resampling is scipy's: neither is what this book teaches.
Chapter 1.

    from tinyspeech.sound import audio
    clip = audio.load_clip("data/bundled/yes/....flac")     # int16 [16000]
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterable
from math import gcd
from pathlib import Path

import numpy as np
import soundfile
from scipy.signal import resample_poly

from tinyspeech.errors import UserError

SAMPLE_RATE_HZ = 16_000
"""Rate of every clip in Speech Commands (Warden 2018) and of everything `load_clip` returns."""
SUFFIXES = (".wav", ".flac", ".ogg", ".opus")
"""Of long recordings that are looked for in a folder."""
NOISE_UNITS = 30
"""Deviation of the noise that `in_a_row` lays under its clips."""
CLIP_SAMPLES = SAMPLE_RATE_HZ
"""One second."""
RATES_HZ = (4_000, 192_000)
"""Lowest and highest rate accepted: below, speech is no longer intelligible; above, no recorder is known."""
GRIDS_PER_SECOND = 100
"""The loudest second of a long file is looked for at steps of 10 ms."""
BLOCK_SECONDS = 10
"""Long files are scanned in blocks of this length, so memory does not grow with duration."""


def to_int16(samples: np.ndarray) -> np.ndarray:
    """Float samples in [-1, 1) to int16: times 32768, rounded half to even, saturated.

    Parameters
    ----------
    samples : float [N]

    Returns
    -------
    int16 [N]
    """
    return np.clip(np.rint(np.asarray(samples, np.float64) * 32768.0), -32768, 32767).astype(np.int16)


def open_sound(path: str | Path) -> soundfile.SoundFile:
    """Open a sound file; every way in which that can fail is one clear line."""
    path = Path(path)
    if path.is_dir():
        raise UserError(f"{path} is a folder: give one sound file (wav, flac or ogg)")
    if not path.exists():
        raise UserError(f"{path} does not exist: give a sound file (wav, flac or ogg)")
    if not path.is_file():
        raise UserError(f"{path} is not a regular file: give a sound file (wav, flac or ogg)")
    try:
        if path.stat().st_size == 0:
            raise UserError(f"{path} is empty (0 bytes): give a sound file (wav, flac or ogg)")
        file = soundfile.SoundFile(path if sys.platform == "win32" else os.fsencode(path))  # any bytes are a name
    except (OSError, RuntimeError, TypeError, ValueError) as error:  # TypeError: headerless formats, which need a rate
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(f"{path} cannot be read as sound ({reason}): give a wav, flac or ogg file") from error
    if file.frames == 0:
        file.close()
        raise UserError(f"{path} holds 0 samples: give a recording with sound in it")
    low, high = RATES_HZ
    if not low <= file.samplerate <= high:
        rate = file.samplerate
        file.close()
        raise UserError(f"{path} is sampled at {rate} Hz: between {low} and {high} Hz is needed")
    return file


def read_next(file: soundfile.SoundFile, frames: int) -> np.ndarray:
    """The next `frames` frames as mono: int16 [n] where the file holds exactly that, else float32 [n].

    Raises `UserError` where the file is damaged.
    """
    exact = file.subtype == "PCM_16" and file.channels == 1
    try:
        samples = file.read(frames, dtype="int16" if exact else "float32", always_2d=True)
    except (OSError, RuntimeError) as error:
        raise UserError(f"{file.name} is damaged ({error}): give a file that plays from start to end") from error
    if len(samples) < frames:
        raise UserError(f"{file.name} is damaged (it ends before its header says): give a file that plays to its end")
    if exact:
        return samples[:, 0]
    mono = samples.mean(axis=1, dtype=np.float32)
    if not np.isfinite(mono).all():
        raise UserError(f"{file.name} has samples that are not numbers (NaN or infinite): export it again as 16-bit")
    return mono


def read(path: str | Path) -> tuple[np.ndarray, int]:
    """A whole sound file as mono samples, at its own rate.

    Parameters
    ----------
    path : a file that libsndfile can decode; several channels are averaged.

    Returns
    -------
    samples : int16 [N] if the file is 16-bit mono (the stored samples, untouched), else float32 [N], full scale 1.0
    rate : Hz

    Raises
    ------
    UserError : missing, a folder, empty, 0 samples, corrupt, not finite, or at a rate outside `RATES_HZ`.
    """
    with open_sound(path) as file:
        return read_next(file, file.frames), file.samplerate


def resample(samples: np.ndarray, rate_hz: int, to_hz: int = SAMPLE_RATE_HZ) -> np.ndarray:
    """Change the rate with scipy's polyphase filter (Kaiser window, linear phase).

    Parameters
    ----------
    samples : int16 or float [N]
    rate_hz, to_hz : Hz

    Returns
    -------
    same dtype [ceil(N * to_hz / rate_hz)]; the samples themselves when the rates agree
    """
    if rate_hz == to_hz:
        return samples
    common = gcd(rate_hz, to_hz)
    integer = samples.dtype == np.int16
    floats = samples / 32768.0 if integer else samples.astype(np.float64)
    out = resample_poly(floats, to_hz // common, rate_hz // common)
    return to_int16(out) if integer else out.astype(samples.dtype)


def _loudest_start(energy: np.ndarray, frames: int, window: int, step: int) -> int:
    """First frame of the loudest window.

    `energy` float64 [ceil(frames / step)] holds the energy of each 10 ms step. Candidates start at multiples of
    `step`, and the last one ends flush with the file; each is judged by the whole steps that it holds for certain. Of
    equals the earliest wins.
    """
    steps = window // step
    sums = np.concatenate([[0.0], np.cumsum(energy)])
    starts = len(energy) - steps + 1
    if starts < 1:
        return 0
    best = int(np.argmax(sums[steps : steps + starts] - sums[:starts])) * step
    return min(best, frames - window)


def fit_to_second(samples: np.ndarray, rate_hz: int = SAMPLE_RATE_HZ) -> np.ndarray:
    """Exactly one second: shorter clips get zeros at the end, of longer ones the loudest second is kept.

    Zeros at the end are what the official Speech Commands code does. For longer recordings the second with the
    greatest energy is taken, on a grid of 10 ms, the earliest of equals: a word spoken anywhere in a ten-minute
    recording of silence is found.

    Parameters
    ----------
    samples : [N], any dtype
    rate_hz : Hz

    Returns
    -------
    same dtype [rate_hz]
    """
    if len(samples) <= rate_hz:
        return np.pad(samples, (0, rate_hz - len(samples)))
    step = rate_hz // GRIDS_PER_SECOND
    start = _loudest_start(_step_energy(samples, step), len(samples), rate_hz, step)
    return samples[start : start + rate_hz]


def _step_energy(samples: np.ndarray, step: int) -> np.ndarray:
    """Sum of squares of each run of `step` samples, float64 [ceil(N / step)]."""
    squares = np.square(samples, dtype=np.float64)
    return np.add.reduceat(squares, np.arange(0, len(squares), step)) if len(squares) else squares


def load_clip(path: str | Path) -> np.ndarray:
    """One second of a recording, ready for the front end.

    A 16 kHz mono 16-bit file of at most one second passes through sample for sample, with zeros after it.
    Everything else is mixed to mono, cut to its loudest second (see `fit_to_second`; done block by block, so a file
    of hours needs no more memory than one of seconds) and resampled.

    Parameters
    ----------
    path : wav, flac, ogg, ...; 4 kHz to 192 kHz; any number of channels; any length from one sample.

    Returns
    -------
    int16 [16000], at 16 kHz

    Raises
    ------
    UserError : missing, a folder, empty, 0 samples, corrupt, not finite, or at a rate outside `RATES_HZ`.
    """
    with open_sound(path) as file:
        rate = file.samplerate
        if file.frames > rate:
            step = rate // GRIDS_PER_SECOND
            block = step * GRIDS_PER_SECOND * BLOCK_SECONDS  # a multiple of step, so blocks meet on the grid
            energy = [
                _step_energy(read_next(file, min(block, file.frames - start)), step)
                for start in range(0, file.frames, block)
            ]
            file.seek(_loudest_start(np.concatenate(energy), file.frames, rate, step))
        samples = read_next(file, min(rate, file.frames))
    samples = resample(samples, rate)
    if samples.dtype != np.int16:
        samples = to_int16(samples)
    return fit_to_second(samples[:CLIP_SAMPLES])


def write(path: str | Path, samples: np.ndarray, rate_hz: int = SAMPLE_RATE_HZ) -> None:
    """Write mono sound as 16-bit; the suffix of `path` chooses the format (wav, flac, ogg).

    Parameters
    ----------
    samples : int16 [N], written as they are, or float [N] with full scale 1.0

    Raises
    ------
    UserError : unknown suffix, or a folder that does not exist.
    """
    path = Path(path)
    if not np.issubdtype(samples.dtype, np.integer):
        samples = to_int16(samples)
    kinds = {".wav": "PCM_16", ".flac": "PCM_16", ".ogg": "VORBIS"}
    if path.suffix.lower() not in kinds:
        raise UserError(f"{path} has no suffix of a sound format: end it in .wav, .flac or .ogg")
    try:
        soundfile.write(path, samples.astype(np.int16), rate_hz, subtype=kinds[path.suffix.lower()])
    except (OSError, RuntimeError) as error:
        raise UserError(f"{path} cannot be written ({error}): give a file in a folder that exists") from error


def as_wav(samples: np.ndarray, rate_hz: int = SAMPLE_RATE_HZ) -> bytes:
    """What `write` writes to a wav file of samples, int16 [N]."""
    data = io.BytesIO()
    soundfile.write(data, samples, rate_hz, format="WAV", subtype="PCM_16")
    return data.getvalue()


def in_a_row(clips: Iterable[np.ndarray], sample_rate_hz: int, seed: int = 0, pauses_s: tuple[float, float] = (0.2, 1),
             noise: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Clips with a pause before each and soft noise over all: one long recording (chapter 10).

    Parameters
    ----------
    clips : int16 [n] each
    pauses_s : the shortest and the longest
    noise : int16, any length, taken again as often as needed, from a place that is drawn; by default it is white

    Returns
    -------
    sound : int16 [samples]
    begins : int64 [clips], where each begins in it
    """
    dice = np.random.default_rng(seed)
    parts, begins, at = [], [], 0
    for clip in clips:
        pause = int(dice.uniform(*pauses_s) * sample_rate_hz)
        parts += [np.zeros(pause), clip]
        begins.append(at + pause)
        at += pause + len(clip)
    if noise is None:
        behind = dice.normal(0, NOISE_UNITS, at)
    else:
        behind = np.resize(np.roll(noise, -int(dice.integers(len(noise)))), at).astype(np.float64)
        behind *= NOISE_UNITS / np.sqrt((behind**2).mean())
    return np.clip(np.rint(np.concatenate(parts) + behind), -32768, 32767).astype(np.int16), np.array(begins)


def loud_part(samples: np.ndarray, sample_rate_hz: int, below_db: float = 25.0) -> tuple[float, float]:
    """First and last second of what is at most so far below the loudest 10 ms (chapter 10). samples : int16 [n]."""
    step = sample_rate_hz // GRIDS_PER_SECOND
    energy = _step_energy(samples[: len(samples) // step * step], step)
    loud = np.flatnonzero(energy >= energy.max() * 10 ** (-below_db / 10))
    return loud[0] / GRIDS_PER_SECOND, (loud[-1] + 1) / GRIDS_PER_SECOND


def overlap_add(windows: np.ndarray, hop_length: int) -> np.ndarray:
    """Windows int16 [frames, n], each faded in and out, laid over one another where they were cut: int16 [samples].

    Windows of one recording give that recording again, but for its very ends.
    """
    frames, n = windows.shape
    fade = np.hanning(n + 2)[1:-1]
    sound, weight = np.zeros((2, hop_length * (frames - 1) + n))
    for i, window in enumerate(windows):
        sound[i * hop_length :][:n] += fade * window
        weight[i * hop_length :][:n] += fade
    return np.clip(np.rint(sound / weight), -32768, 32767).astype(np.int16)
