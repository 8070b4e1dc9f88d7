"""Who is heard in training and who is not: the official rule of Speech Commands (Warden 2018), chapter 1."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from tinyspeech.outside import files

SPLITS = ("training", "validation", "testing", "all")
SUFFIXES = (".wav", ".flac")
VALIDATION_PERCENT, TESTING_PERCENT = 10, 10
MAX_CLIPS_PER_CLASS = 2**27 - 1
"""Modulus (less one) of the published split rule (Warden 2018)."""


def hash_split(name: str) -> str:
    """Split of a clip by its speaker: the published rule, so that a speaker never crosses splits.

    The part of the file name before `_nohash_` is hashed with SHA-1; the hash modulo 2**27, as a percentage, is below
    10 for validation, below 20 for testing, else training. (Warden 2018, arXiv:1804.03209.)

    Parameters
    ----------
    name : file name, with or without folder and suffix

    Returns
    -------
    "training", "validation" or "testing"
    """
    percent = _percent(speaker(name))
    if percent < VALIDATION_PERCENT:
        return "validation"
    return "testing" if percent < VALIDATION_PERCENT + TESTING_PERCENT else "training"


def _percent(who: str) -> float:
    """0 to 100, by a speaker's name alone: the number that the published rule compares."""
    number = int(hashlib.sha1(who.encode()).hexdigest(), 16) % (MAX_CLIPS_PER_CLASS + 1)
    return number * (100.0 / MAX_CLIPS_PER_CLASS)


def speaker_split(name: str, percent: int = 20) -> str:
    """Split of a long recording by its speaker, for running speech with one file a speaker (chapter 11).

    The same hash as `hash_split`, of the whole stem. Speech Commands' testing share is not kept apart here: what a
    model is judged by in the end are recordings that this repository does not hold.

    Parameters
    ----------
    name : the file's stem, which names the speaker
    percent : of the speakers that validation keeps

    Returns
    -------
    "training" or "validation"
    """
    return "validation" if _percent(name) < percent else "training"


def speaker(name: str) -> str:
    """Who speaks in a clip: the part of its file name before `_nohash_`, without folder and suffix."""
    return re.sub(r"_nohash_.*$", "", stem(Path(name).name))


def stem(name: str) -> str:
    """`name` without its sound suffixes: one clip has one split, as wav or flac (or `.wav.wav`, as some test sets)."""
    while name.lower().endswith(SUFFIXES):
        name = name[: name.rfind(".")]
    return name


def read_list(path: Path) -> set[str]:
    """Clips named in `validation_list.txt` or `testing_list.txt`, as `word/stem`. Raises `UserError` for no text."""
    text = files.text(path, "one clip a line is needed, as in yes/x_nohash_0.wav")
    return {stem(line.strip().replace("\\", "/").removeprefix("./")) for line in text.splitlines() if line.strip()}


def by_hash(names: list[str], *salt: object) -> list[str]:
    """`names` in an order that looks random but depends on the names and the salt alone."""
    salted = ":".join(map(str, salt))
    return sorted(names, key=lambda name: hashlib.sha256(f"{salted}:{name}".encode()).digest())
