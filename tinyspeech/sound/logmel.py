"""Speech Commands v0.02 as log-mel pictures: training and validation clips, decoded once and cached (chapter 4)."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import hashlib
import io
import lzma
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
from tqdm import tqdm

from tinyspeech.errors import UserError
from tinyspeech.outside import arrays, files
from tinyspeech.paths import cache_folder
from tinyspeech.sound.noise import BACKGROUND
from tinyspeech.sound.splits import hash_split

LOGMEL_SHAPE = (98, 40)
"""Frames and bands of one of its pictures."""

MOST_BYTES, MOST_CLIPS = 1 << 30, 250_000
"""Of an archive, unpacked, and of its pictures: the whole of Speech Commands has 106 thousand, in 415 MB."""


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
        except (UserError, OSError):
            with contextlib.suppress(OSError):
                cached.unlink()  # damaged: decode again
    s = _decode_logmel(path)
    files.keep(cached, lambda partial: np.savez_compressed(partial, x=s.x, word=s.words, name=s.names, split=s.splits,
                                                           noise=s.noise))
    return s


def _load_logmel_npz(path: Path) -> LogMelSet:
    wrong = "is not a log-mel set: arrays x [N, 98, 40], word, name, split [N] and noise [M, 98, 40] are needed"
    held = arrays.load(path, MOST_BYTES, wrong)
    with files.parsing(path, wrong):
        x, words, names, splits, noise = (held[key] for key in ("x", "word", "name", "split", "noise"))
    shapes_fit = (
        x.shape[1:] == noise.shape[1:] == LOGMEL_SHAPE and words.shape == names.shape == splits.shape == x.shape[:1]
    )
    if not shapes_fit or x.dtype != np.uint8 or noise.dtype != np.uint8 or any(
            text.dtype.kind != "U" for text in (words, names, splits)):
        raise UserError(f"{path} {wrong}")
    return LogMelSet(x, words, names, splits, noise)


class _Limited:
    """A stream that ends with an error where it gives more than it may. opened : what decompresses it"""

    def __init__(self, opened: IO[bytes], most: int):
        self._opened, self._left = opened, most

    def read(self, count: int) -> bytes:
        data = self._opened.read(min(count, self._left + 1))
        self._left -= len(data)
        if self._left < 0:
            raise ValueError(f"it unpacks to more than {MOST_BYTES:,} bytes")
        return data


def _unpacked(path: Path) -> IO[bytes]:
    """An archive's own bytes, whatever packs them."""
    with path.open("rb") as file:
        magic = file.read(6)
    for start, opener in ((b"\x1f\x8b", gzip.open), (b"BZh", bz2.open), (b"\xfd7zXZ\0", lzma.open)):
        if magic.startswith(start):
            return opener(path)
    return path.open("rb")


def _decode_logmel(path: Path) -> LogMelSet:
    from PIL import Image  # only the archive needs it

    clips, noise = {}, {}
    wrong = "is not an archive of log-mel pictures"
    try:
        with _unpacked(path) as opened, tarfile.open(fileobj=_Limited(opened, MOST_BYTES), mode="r|") as tar, \
                tqdm(desc=f"decoding {path.name}", unit=" clips", disable=None) as bar:
            for member in tar:
                if not member.isfile() or not member.name.endswith(".jpg"):
                    continue
                folder, file = member.name.removeprefix("./").split("/")[-2:]
                image = Image.open(io.BytesIO(tar.extractfile(member).read()), formats=("JPEG",))
                if image.size[::-1] != LOGMEL_SHAPE or image.mode != "L":  # before any memory is taken for it
                    raise ValueError(f"{member.name} has shape {image.size[::-1]} {image.mode}, not {LOGMEL_SHAPE} L")
                (noise if folder == BACKGROUND else clips)[folder, file.removesuffix(".jpg")] = np.asarray(image)
                if len(clips) + len(noise) > MOST_CLIPS:
                    raise ValueError(f"it holds more than {MOST_CLIPS:,} pictures")
                bar.update()
    except Exception as error:  # of five libraries; what is wrong is the archive
        if isinstance(error, OSError) and error.filename is not None:
            raise
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(f"{path} {wrong} ({reason}): give the .tar.gz or an .npz") from error
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
