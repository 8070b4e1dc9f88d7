"""Recordings of hours, as folders hold them: any file at 8 kHz, its loudness, kinds of noise, rooms. Chapter 11.

    from tinyspeech.sound import recordings
    for corpus in recordings.corpora(Path("negatives")):
        samples = recordings.at_8khz(corpus.files[0])      # int16 [n], of a minute or of a night

Decoding and resampling go in blocks, so an hour needs its 58 MB at 8 kHz and no more.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from math import gcd
from pathlib import Path

import numpy as np
from scipy.signal import fftconvolve

from tinyspeech.errors import UserError
from tinyspeech.integer import frontend
from tinyspeech.outside import files as outside
from tinyspeech.sound import audio
from tinyspeech.sound.noise import BACKGROUND_SHARE
from tinyspeech.sound.splits import speaker_split

BLOCK_S = 60
"""A file is decoded and resampled in blocks of this length."""
MARGIN_S = 0.05
"""Read before and behind each block: more than both filters reach, at any rate that is accepted."""
WHO = ("all", "validation", "training")
"""Whose recordings: `splits.speaker_split` tells by the file's name, which is the speaker's."""
HEARD_SHARE = BACKGROUND_SHARE["training"][1]
"""Training hears so much of each recording of noise, in time, from its beginning."""
BABBLE = ("babble", "coffee", "cafe", "crowd")
"""In the name of a recording of noise: many voices at once, whatever a table calls it."""
ECHO_S = 0.5
"""Behind a clip in a room."""


@dataclass(frozen=True)
class Corpus:
    """Recordings that are counted together."""

    name: str
    files: tuple[Path, ...]
    tables: tuple[Path, ...]
    """Where keywords are said in them, if anybody listed that."""


def found(folder: Path) -> list[Path]:
    """The sound files in a folder and below it, by name. Raises `UserError` where there is none, or no folder."""
    if not folder.is_dir():
        raise UserError(f"{folder} {'is a file' if folder.exists() else 'does not exist'}: give a folder of recordings")
    files = sorted(path for path in folder.rglob("*") if path.name.lower().endswith(audio.SUFFIXES)
                   and not any(part.startswith(".") for part in path.relative_to(folder).parts))
    if not files:
        raise UserError(f"{folder} holds no recordings: {', '.join(audio.SUFFIXES)} are looked for, in it and below")
    return files


def corpora(folder: Path, who: str = "all") -> list[Corpus]:
    """What a folder holds, in one corpus, or in several: `NAME` beside its own table `keywords_NAME.tsv` is one.

    who : of `WHO`; what it leaves empty is left out

    Raises `UserError` where there are no recordings, or none of those speakers.
    """
    files, own = found(folder), {}
    for table in sorted(folder.glob("keywords_*.tsv")):
        if (folder / (name := table.stem.removeprefix("keywords_"))).is_dir():
            own[name] = table
    groups: dict[str, list[Path]] = {}
    for path in files:
        if who == "all" or speaker_split(path.stem) == who:
            top = path.relative_to(folder).parts[0]
            groups.setdefault(top if top in own else "", []).append(path)
    if not groups:
        raise UserError(f"{folder} holds no recordings of {who} speakers, as the files' names tell them")
    whole = folder.resolve().name
    tables = [*(t for t in sorted(folder.glob("keywords_*.tsv")) if t not in own.values()),
              *folder.resolve().parent.glob(f"keywords_{whole}.tsv")]
    return [Corpus(name or whole, tuple(paths), (own[name],) if name else tuple(tables))
            for name, paths in sorted(groups.items())]


def _halved(samples: np.ndarray, rate_hz: int) -> np.ndarray:
    """To 16 kHz, to int16, and by the chip's half-band filter to 8 kHz."""
    samples = audio.resample(samples, rate_hz)
    samples = samples if samples.dtype == np.int16 else audio.to_int16(samples)
    return frontend.to_8khz(samples[: len(samples) // 2 * 2])


def blocks(path: Path) -> Iterator[np.ndarray]:
    """A recording at 8 kHz piece by piece, int16 [n] each; together what it is when resampled whole.

    Raises `UserError` for a file that cannot be read (`audio.read`).
    """
    with audio.open_sound(path) as file:
        rate = file.samplerate
        unit = 2 * (rate // gcd(rate, audio.SAMPLE_RATE_HZ))  # so many give whole samples at 16 and at 8 kHz
        margin, block = (-(-round(seconds * rate) // unit) * unit for seconds in (MARGIN_S, BLOCK_S))
        held, start, at = file.read(block + margin), 0, 0
        if not len(held):
            raise UserError(f"{path} holds 0 samples: give a recording with sound in it")
        ended = len(held) < block + margin
        while True:
            last = ended and at + block >= start + len(held)
            end = start + len(held) if last else at + block
            begin, stop = ((t - start) * frontend.SAMPLE_RATE_HZ // rate for t in (at, end))
            yield _halved(held, rate)[begin : None if last else stop]
            if last:
                return
            keep, more = max(start, end - margin), held[:0] if ended else file.read(block)
            ended = len(more) < block
            held, start, at = np.concatenate([held[keep - start :], more]), keep, end


def at_8khz(path: Path) -> np.ndarray:
    """A whole recording, int16 [n] at 8 kHz. Raises `UserError` as `blocks`, and for one of more than a day."""
    parts, length = [], 0
    for part in blocks(path):
        parts.append(part)
        length += len(part)
        if length > audio.LONGEST_S * frontend.SAMPLE_RATE_HZ:
            raise UserError(f"{path} is longer than {audio.LONGEST_S // 3600} hours: cut it into parts")
    return np.concatenate(parts)


def scaled(samples: np.ndarray, level: float | None) -> np.ndarray:
    """int16 [n] with its loudest sample at this part of full scale; None, and silence, stay as recorded."""
    peak = int(np.abs(samples.astype(np.int32)).max(initial=0))
    if level is None or not peak:
        return samples
    return np.clip(np.rint(samples * (level * 32767 / peak)), -32768, 32767).astype(np.int16)


# ---------------------------------------------------------------- noise and rooms


def unheard(samples: np.ndarray, who: str) -> np.ndarray:
    """The part of a recording of noise, int16 [n], that is validation's: what training does not hear; or training's."""
    border = round(HEARD_SHARE * len(samples))
    return {"all": samples, "validation": samples[border:], "training": samples[:border]}[who]


def kinds(folder: Path) -> dict[Path, str]:
    """{recording: its kind}: column `kind` of `noise.tsv` in the folder, `babble` by name, else the file's own name.

    Raises `UserError` where there are no recordings, or for a table that cannot be read.
    """
    listed, table = {}, folder / "noise.tsv"
    files = found(folder)
    if table.exists():
        try:
            rows = csv.DictReader(outside.text(table, "").splitlines(), delimiter="\t")
            listed = {row["file"]: row["kind"] for row in rows}
        except (KeyError, csv.Error) as error:
            raise UserError(f"{table} cannot be read ({error}): it needs the columns file and kind") from None
    return {path: "babble" if any(word in path.stem.lower() for word in BABBLE)
            else listed.get(path.name) or path.stem for path in files}


def rooms(folder: Path, who: str = "all") -> list[np.ndarray]:
    """Impulse responses, float [n] at 16 kHz each, from the direct path on; the loudest sample is taken for it.

    who : of `WHO`, by the place: what a file's name says before `_ch`

    Raises `UserError` where there is none.
    """
    responses = []
    for path in found(folder):
        if who == "all" or speaker_split(path.stem.split("_ch")[0]) == who:
            samples = audio.resample(*audio.read(path)).astype(np.float64)
            responses.append(samples[int(np.abs(samples).argmax()) :])
    if not any(response.any() for response in responses):
        raise UserError(f"{folder} holds no impulse response of {who} places")
    return [response for response in responses if response.any()]


def in_room(clip: np.ndarray, response: np.ndarray) -> np.ndarray:
    """A clip, int16 [n] at 16 kHz, in a room: float64 [n + half a second], as loud as before, its word's end in place.
    """
    wet = fftconvolve(clip.astype(np.float64), response)
    wet = np.pad(wet, (0, len(clip)))[: len(clip) + round(ECHO_S * audio.SAMPLE_RATE_HZ)]
    power = (wet[: len(clip)] ** 2).mean()
    return wet * np.sqrt((clip.astype(np.float64) ** 2).mean() / power) if power else wet
