"""Words in noise: which second of which recording a clip meets, and how loud (chapter 4).

    from tinyspeech.sound.noise import Noise, mix
    recording, piece = Noise(folder, "validation").piece("yes/0a1b_nohash_0.wav")
    mixture, turned_down = mix(clip, piece, snr_db=10)

`tinyspeech/measure/evaluate.py` says when. Numpy and files, no networks.
"""

from __future__ import annotations

import math
import random
from pathlib import Path

import numpy as np

from tinyspeech.errors import UserError
from tinyspeech.sound import audio, splits

BACKGROUND = "_background_noise_"
"""The folder of a corpus that holds them."""
BACKGROUNDS = (BACKGROUND, "background_noise")
"""Its names: Speech Commands' own, and others'."""
BACKGROUND_SHARE = {"training": (0.0, 0.8), "validation": (0.8, 0.9), "testing": (0.9, 1.0), "all": (0.0, 1.0)}
"""Part of each noise recording, in time, from which a split's silence is cut: no sample serves two splits."""


def noise_folder(corpus: Path) -> Path:
    """Where a corpus keeps its recordings of noise: the first of `BACKGROUNDS` that is there, or the first."""
    there = next((corpus / name for name in BACKGROUNDS if (corpus / name).is_dir()), corpus / BACKGROUND)
    return inside if (inside := there / there.name).is_dir() else there  # some archives nest it


def noise_spans(folder: str | Path, split: str) -> list[tuple[Path, int, int]]:
    """Where a second of a split's noise may begin, in each recording of a folder: only in that split's part of it.

    Parameters
    ----------
    folder : holds recordings of noise; one that does not exist holds none
    split : one of `SPLITS`; `BACKGROUND_SHARE` says which part, in time, is its

    Returns
    -------
    [(recording, first, last)] by name, in samples at 16 kHz; recordings whose part is shorter than a second are left
    out

    Raises
    ------
    UserError : a recording that cannot be read
    """
    folder, (begin, end) = Path(folder), BACKGROUND_SHARE[split]
    spans = []
    for path in audio.sounds_in(folder):
        with audio.open_sound(path) as file:
            length = file.frames * audio.SAMPLE_RATE_HZ // file.samplerate
        first, last = round(begin * length), round(end * length) - audio.CLIP_SAMPLES
        if first <= last:
            spans.append((path, first, last))
    return spans


def read_noise(path: Path) -> np.ndarray:
    """A whole recording of noise: int16 [N] at 16 kHz."""
    samples = audio.resample(*audio.read(path))
    return samples if samples.dtype == np.int16 else audio.to_int16(samples)

NOISE_ATTEMPTS = 100
"""Draws after which a folder of noise counts as silent."""


def mix(clip: np.ndarray, noise: np.ndarray, snr_db: float) -> tuple[np.ndarray, bool]:
    """A clip in noise: int16 [N] and int16 [N] -> int16 [N], and whether the sum had to be turned down to fit.

    snr_db is 10 log10 of the mean square of the clip over that of the noise as added. A clip without power stays as it
    is; noise without power raises `ValueError`.
    """
    signal, added = clip.astype(np.float64), noise.astype(np.float64)
    power, noise_power = np.mean(signal**2), np.mean(added**2)
    if power == 0:
        return clip, False
    if noise_power == 0:
        raise ValueError("noise without power cannot be brought to a ratio")
    mixture = signal + added * math.sqrt(power / noise_power / 10 ** (snr_db / 10))
    peak = np.abs(mixture).max()
    if peak > 32767:
        mixture *= 32767 / peak
    return np.rint(mixture).astype(np.int16), bool(peak > 32767)


class Noise:
    """The noise that each clip of a split meets: `Noise(folder, split, seed).piece(name)`.

    Parameters
    ----------
    folder : holds recordings of noise, wav or flac
    split : whose part of each recording is used (`noise.BACKGROUND_SHARE`)
    seed : another seed, other places

    Raises
    ------
    UserError : no such folder, no recording in it, or none that gives the split a whole second
    """

    def __init__(self, folder: str | Path, split: str, seed: int = 0):
        self.folder, self.split, self.seed = Path(folder), split, seed
        hint = "name a folder of noise recordings with --noise"
        if not self.folder.is_dir():
            raise UserError(f"{folder} {'is a file' if self.folder.exists() else 'does not exist'}: {hint}")
        self.spans = noise_spans(self.folder, split)
        if not self.spans:
            begin, end = BACKGROUND_SHARE[split]
            raise UserError(f"{folder} holds no wav or flac recording whose {split} part ({100 * begin:.0f} to "
                            f"{100 * end:.0f} % of its time) lasts a second: {hint}")
        self._parts: dict[int, np.ndarray] = {}

    def place(self, name: str, attempt: int = 0) -> tuple[int, int]:
        """Which of `spans`, and the first sample in that recording, for the clip `word/file`, by hash alone."""
        stem = splits.stem(name)  # the same noise whether a clip is kept as wav or flac
        rng = random.Random(f"{self.seed}:{self.split}:noise:{stem}:{attempt}")  # a string: the same everywhere
        index = int(rng.random() * len(self.spans))
        _, first, last = self.spans[index]
        return index, first + int(rng.random() * (last - first + 1))

    def piece(self, name: str) -> tuple[str, np.ndarray]:
        """The recording's name and int16 [16000] for a clip; a piece without power is drawn again.

        Raises `UserError` where nothing but silence is found.
        """
        for attempt in range(NOISE_ATTEMPTS):
            index, start = self.place(name, attempt)
            path, first, last = self.spans[index]
            if index not in self._parts:
                self._parts[index] = read_noise(path)[first : last + audio.CLIP_SAMPLES].copy()
            piece = self._parts[index][start - first : start - first + audio.CLIP_SAMPLES]
            if piece.any():
                return path.stem, piece
        raise UserError(f"{self.folder} holds silence in its {self.split} part: give recordings of noise")
