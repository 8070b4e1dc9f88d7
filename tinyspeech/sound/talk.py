"""A radio talk by two speech engines, in which none of the ten words is said: `python -m tinyspeech data talk`.

    samples = recordings.at_8khz(talk.SOUND)        # int16 [n]
    talk.sentences()                                # [Sentence(0.50, 3.91, "joe", "Good evening, ..."), ...]

Whatever is reported in it is a false alarm, and it is full of words that nearly are one of ours: *note*, *often*,
*upper*. Two sound like ours altogether: no ear tells *write* from *right*, nor *know* from *no*. Like the clips of
`synthesis.py` it is no real speech, and no rate is claimed on it. data/README.md says what it needs and how far it
repeats bit for bit. Chapter 11.
"""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from tinyspeech import paths
from tinyspeech.errors import UserError
from tinyspeech.integer import frontend
from tinyspeech.sound import audio, synthesis, voices
from tinyspeech.sound.voices import Job

NAME = "talk"
SOUND, TABLE = paths.TALK / f"{NAME}.flac", paths.TALK / f"{NAME}.tsv"
RATE_HZ = frontend.SAMPLE_RATE_HZ
SPEAKERS = {"joe": ("piper", {"stretch": 1.0}), "heart": ("hibari", {"speed": 1.0, "seed": 0})}
"""Name of the engine's voice -> the engine, and how it speaks."""
RMS, NOISE_RMS = 0.07, 0.002
"""Of full scale: of each sentence, and of the white noise under all."""
PAUSES_S = {"same": 0.35, "other": 0.55}
"""Between two sentences of one speaker, and where the other goes on."""
EDGE_S = 0.5
"""Before the first sentence and after the last."""
COLUMNS = ("file", "start", "end", "text", "speaker", "engine", "version")
TALK = (
    ("joe", "Good evening, and welcome to another hour at the long wave"),
    ("joe", "My guest tonight has spent half her life with old radio sets"),
    ("joe", "How did it start"),
    ("heart", "With a note in a drawer"),
    ("heart", "My grandfather used to write numbers beside the stations that he could hear at night"),
    ("heart", "Often it was only music"),
    ("heart", "I wanted to know who was playing"),
    ("joe", "And then you opened the upper half of his cupboard"),
    ("heart", "There it stood, under a cloth"),
    ("heart", "Its bright little lamp still glowed"),
    ("heart", "I was alone in the house, so I turned the dial slowly, and a voice came in from very far away"),
    ("joe", "What did it say"),
    ("heart", "It was the weather for ships"),
    ("heart", "Gales in the north, fog over the coast"),
    ("heart", "I listened until the battery was gone"),
    ("joe", "Today you own eighty of them"),
    ("heart", "The last was a wedding present, although I was not the bride"),
    ("heart", "It plays in a shop downtown, and people keep stopping in the street"),
    ("joe", "Alright, is there one that you would never sell"),
    ("heart", "The small one with the crack"),
    ("heart", "It sounds like supper in the next room"),
    ("heart", "A spoon falls, somebody laughs, and you cannot make out what they are going to say"),
    ("joe", "Thank you, and good night"),
)
"""Who says what."""


@dataclass(frozen=True)
class Sentence:
    """What is said from begin to end, in seconds, and by whom."""

    begin_s: float
    end_s: float
    speaker: str
    text: str


def spoken(folder: Path) -> list[np.ndarray]:
    """Every sentence of `TALK`, float [n] at 16 kHz, equally loud; folder: an empty one for what engines write.

    Raises `UserError` where an engine fails.
    """
    sounds: dict[int, np.ndarray] = {}
    for speaker, (engine, manner) in SPEAKERS.items():
        own = [i for i, (who, _) in enumerate(TALK) if who == speaker]
        jobs = [Job(speaker, TALK[i][1], {**manner, "end": "."}) for i in own]
        for i, (samples, rate) in zip(own, voices.ENGINES[engine](jobs, folder), strict=True):
            sound = synthesis.trim(audio.resample(samples, rate))
            sounds[i] = sound * RMS / np.sqrt((sound**2).mean())
    return [sounds[i] for i in range(len(TALK))]


def in_a_row(sounds: Sequence[np.ndarray], speakers: Sequence[str]) -> tuple[np.ndarray, list[tuple[float, float]]]:
    """Sentences, float [n] at 16 kHz each, with pauses, in noise: int16 [N] at 8 kHz, and (begin, end) in seconds."""
    at, spans, parts = EDGE_S, [], [np.zeros(round(EDGE_S * audio.SAMPLE_RATE_HZ))]
    for i, sound in enumerate(sounds):
        spans.append((at, at + len(sound) / audio.SAMPLE_RATE_HZ))
        last = i == len(sounds) - 1
        pause = EDGE_S if last else PAUSES_S["same" if speakers[i + 1] == speakers[i] else "other"]
        parts += [sound, np.zeros(round(pause * audio.SAMPLE_RATE_HZ))]
        at = spans[-1][1] + round(pause * audio.SAMPLE_RATE_HZ) / audio.SAMPLE_RATE_HZ
    whole = audio.resample(np.concatenate(parts), audio.SAMPLE_RATE_HZ, RATE_HZ)
    noise = NOISE_RMS * np.random.default_rng(0).standard_normal(len(whole))
    return synthesis.coarse(whole + noise, NOISE_RMS), spans


def make(out: Path = paths.TALK) -> bool:
    """Make the talk and its table again; whether its samples are those that were there before.

    Raises `UserError` where an engine is missing or fails, and for a folder that cannot be written.
    """
    versions = voices.engine_versions(engine for engine, _ in SPEAKERS.values())
    with tempfile.TemporaryDirectory() as folder:
        samples, spans = in_a_row(spoken(Path(folder)), [speaker for speaker, _ in TALK])
    path = out / SOUND.name
    before = audio.read(path)[0] if path.exists() else None
    try:
        out.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, samples, RATE_HZ, subtype="PCM_16", format="FLAC", compression_level=1.0)
        with (out / TABLE.name).open("w", newline="", encoding="utf-8") as file:
            rows = csv.writer(file, delimiter="\t", lineterminator="\n", quoting=csv.QUOTE_NONE)
            rows.writerow(COLUMNS)
            for (speaker, text), (begin, end) in zip(TALK, spans, strict=True):
                engine = SPEAKERS[speaker][0]
                rows.writerow((SOUND.name, f"{begin:.3f}", f"{end:.3f}", text, speaker, engine, versions[engine]))
    except (OSError, soundfile.LibsndfileError) as error:
        raise UserError(f"{out} cannot be written ({error}): give a folder of yours") from error
    return before is not None and np.array_equal(before, samples)


def sentences(table: Path = TABLE) -> list[Sentence]:
    """What is said in the talk, sentence by sentence."""
    with table.open(encoding="utf-8", newline="") as file:
        return [Sentence(float(row["start"]), float(row["end"]), row["speaker"], row["text"])
                for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)]
