"""Speech Commands v0.02 as log-mel pictures: training and validation clips, decoded once and cached (chapter 4)."""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from tinyspeech.errors import UserError
from tinyspeech.paths import cache_folder
from tinyspeech.sound.noise import BACKGROUND
from tinyspeech.sound.splits import hash_split

LOGMEL_SHAPE = (98, 40)
"""Frames and bands of one of its pictures."""


@dataclass(frozen=True)
class LogMelSet:
    """Speech Commands v0.02 as grey pictures, training and validation only.

    A pixel is clip(round(10.018 ln(mel + 1e-6) + 139.54), 0, 255) of one of 40 HTK-mel power bands (0 to 4 kHz) in one
    30 ms frame, hop 10 ms, of a 16 kHz clip.
    """

    x: np.ndarray
    """uint8 [N, 98, 40]: clip, frame, mel band."""
    words: np.ndarray
    """str [N]: the word said, keyword or other."""
    names: np.ndarray
    """str [N]: `speaker_nohash_n`."""
    splits: np.ndarray
    """str [N]: "training" or "validation", by `hash_split`."""
    noise: np.ndarray
    """uint8 [M, 98, 40]: background noise, one second each."""


def load_logmel(path: str | Path) -> LogMelSet:
    """The log-mel set, from its archive of JPEGs (`.tar.gz`) or from the `.npz` decoded from it.

    Decoding takes about half a minute and is done once: the result is kept in `cache_folder()` under the archive's
    SHA-256.

    Parameters
    ----------
    path : `.npz` with arrays x, word, name, split, noise, or `.tar.gz` of `word/name.jpg`, 98 rows by 40 columns

    Returns
    -------
    LogMelSet

    Raises
    ------
    UserError : no such file, a folder, or not a log-mel set
    """
    path = Path(path)
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "does not exist"
        raise UserError(f"{path} {what}: give the log-mel set as .npz or .tar.gz")
    if path.suffix == ".npz":
        return _load_logmel_npz(path)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    cached = cache_folder() / f"logmel-{digest[:16]}.npz"
    if cached.is_file():
        try:
            return _load_logmel_npz(cached)
        except UserError:
            cached.unlink()  # damaged: decode again
    decoded = _decode_logmel(path)
    cached.parent.mkdir(parents=True, exist_ok=True)
    partial = cached.with_name(f"{cached.stem}.{os.getpid()}.npz")  # two runs at once do not write one file
    s = decoded
    np.savez_compressed(partial, x=s.x, word=s.words, name=s.names, split=s.splits, noise=s.noise)
    partial.replace(cached)
    return decoded


def _load_logmel_npz(path: Path) -> LogMelSet:
    wrong = f"{path} is not a log-mel set: arrays x [N, 98, 40], word, name, split [N] and noise [M, 98, 40] are needed"
    try:
        with np.load(path, allow_pickle=False) as arrays:
            x, words, names, splits, noise = (arrays[key] for key in ("x", "word", "name", "split", "noise"))
    except (OSError, ValueError, KeyError, EOFError, TypeError, zipfile.BadZipFile, zipfile.zlib.error) as error:
        raise UserError(wrong) from error
    shapes_fit = (
        x.shape[1:] == noise.shape[1:] == LOGMEL_SHAPE and words.shape == names.shape == splits.shape == x.shape[:1]
    )
    if not shapes_fit or x.dtype != np.uint8 or noise.dtype != np.uint8:
        raise UserError(wrong)
    return LogMelSet(x, words, names, splits, noise)


def _decode_logmel(path: Path) -> LogMelSet:
    from PIL import Image  # only the archive needs it

    clips, noise = {}, {}
    try:
        with tarfile.open(path, "r:*") as tar, tqdm(desc=f"decoding {path.name}", unit=" clips", disable=None) as bar:
            for member in tar:
                if not member.isfile() or not member.name.endswith(".jpg"):
                    continue
                folder, file = member.name.removeprefix("./").split("/")[-2:]
                pixels = np.asarray(Image.open(io.BytesIO(tar.extractfile(member).read())))
                if pixels.shape != LOGMEL_SHAPE:
                    raise ValueError(f"{member.name} has shape {pixels.shape}, not {LOGMEL_SHAPE}")
                (noise if folder == BACKGROUND else clips)[folder, file.removesuffix(".jpg")] = pixels
                bar.update()
    except (OSError, EOFError, ValueError, tarfile.TarError, zipfile.zlib.error) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(
            f"{path} is not an archive of log-mel pictures ({reason}): give the .tar.gz or an .npz"
        ) from error
    if not clips:
        raise UserError(f"{path} holds no log-mel picture: word/name.jpg is needed, 98 rows by 40 columns")
    empty = np.zeros((0, *LOGMEL_SHAPE), np.uint8)
    return LogMelSet(
        x=np.stack([clips[key] for key in clips]),
        words=np.array([word for word, _ in clips]),
        names=np.array([name for _, name in clips]),
        splits=np.array([hash_split(name) for _, name in clips]),
        noise=np.stack(list(noise.values())) if noise else empty,
    )
