"""Takes of words that are none of the ten, by two speech engines: `python -m tinyspeech data takes`.

    takes.files("lamp", "heart")[:5]        # five takes of one voice that teach it a word, five more that try it

Each is one file, as somebody would record it: a second and a half at 8 kHz, with quiet before the word and behind it. A
voice says a word faster and slower, as a statement, a question or a call; still a machine is more like itself than a
person is, and no rate is claimed on these. data/README.md says what they need and how far they repeat bit for bit.
Chapter "Your own words".
"""

from __future__ import annotations

import csv
import random
import tempfile
import zlib
from pathlib import Path

import numpy as np
import soundfile

from tinyspeech import paths
from tinyspeech.errors import UserError
from tinyspeech.integer import frontend
from tinyspeech.sound import audio, synthesis, voices
from tinyspeech.sound.talk import NOISE_RMS, RMS
from tinyspeech.sound.voices import Job

TAKES = {("heart", "lamp"): 10, ("heart", "coffee"): 10, ("heart", "garage"): 10, ("joe", "lamp"): 5}
"""(Who, which word): how often."""
ENGINES = {"heart": "hibari", "joe": "piper"}
RATES = 0.8, 1.2
"""Of normal: the slowest and the fastest that a word is said."""
BEFORE_S, BEHIND_S = 0.5, 0.55
TABLE = "takes.tsv"
COLUMNS = ("file", "word", "speaker", "engine", "version", "parameters")


def files(word: str, speaker: str, folder: Path = paths.TAKES) -> list[Path]:
    """The takes of a word by a speaker, in their order."""
    return sorted(folder.glob(f"{word}_{speaker}_*.flac"))


def jobs(speaker: str, word: str) -> list[Job]:
    """How each take is to be said, drawn from the word's and the speaker's own names."""
    dice, found = random.Random(f"{speaker} {word}"), []
    for _ in range(TAKES[speaker, word]):
        rate, end = dice.uniform(*RATES), dice.choice(".!?,")
        manner = {"speed": round(rate, 2), "seed": dice.randrange(1000)} if ENGINES[speaker] == "hibari" else \
            {"stretch": round(1 / rate, 2)}
        found.append(Job(speaker, word, {**manner, "end": end}))
    return found


def recorded(word: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A word, float [n] at 16 kHz, as a take: int16 at 8 kHz, as loud as the talk and in its noise."""
    sides = [round(seconds * audio.SAMPLE_RATE_HZ) for seconds in (BEFORE_S, BEHIND_S)]
    quiet = audio.resample(np.pad(word * RMS / np.sqrt((word**2).mean()), sides), audio.SAMPLE_RATE_HZ,
                           frontend.SAMPLE_RATE_HZ)
    return synthesis.coarse(quiet + NOISE_RMS * rng.standard_normal(len(quiet)), NOISE_RMS)


def make(out: Path = paths.TAKES) -> bool:
    """Make the takes and their table again; whether all samples are those that were there before.

    Raises `UserError` where an engine is missing or fails, and for a folder that cannot be written.
    """
    versions, same, rows = voices.engine_versions(ENGINES.values()), True, []
    try:
        out.mkdir(parents=True, exist_ok=True)
        for speaker, word in TAKES:
            said, rng = jobs(speaker, word), np.random.default_rng(zlib.crc32(f"{speaker} {word}".encode()))
            with tempfile.TemporaryDirectory() as folder:
                sounds = voices.ENGINES[ENGINES[speaker]](said, Path(folder))
            for i, (job, (samples, rate)) in enumerate(zip(said, sounds, strict=True), 1):
                path = out / f"{word}_{speaker}_{i:02}.flac"
                take = recorded(synthesis.trim(audio.resample(samples, rate)), rng)
                same = same and path.exists() and np.array_equal(audio.read(path)[0], take)
                soundfile.write(path, take, frontend.SAMPLE_RATE_HZ, subtype="PCM_16", format="FLAC")
                parameters = " ".join(f"{name}={value}" for name, value in job.parameters.items())
                rows.append((path.name, word, speaker, ENGINES[speaker], versions[ENGINES[speaker]], parameters))
        with (out / TABLE).open("w", newline="", encoding="utf-8") as file:
            csv.writer(file, delimiter="\t", lineterminator="\n").writerows([COLUMNS, *rows])
    except (OSError, soundfile.LibsndfileError) as error:
        raise UserError(f"{out} cannot be written ({error}): give a folder of yours") from error
    return same
