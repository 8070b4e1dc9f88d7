"""What leads, step by step, in hours of sound: all that a threshold needs, in a file of a few hundred kB. Chapter 11.

    python -m tinyspeech measure live --speech FOLDER --negatives FOLDER --leads evening.npz
    from tinyspeech.measure import leads
    tracks = leads.load(leads.FILE)                 # {"speech": Track, "noise": Track, "clean": Track, ...}

The decision looks at its sums once a step, 0.08 s. Here they are never forgotten, so that one pass serves every
threshold: what it reports is what rises above it, once in `decision.REFRACTORY_STEPS` and a step.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tinyspeech import CLASSES, paths
from tinyspeech.errors import UserError
from tinyspeech.integer import decision
from tinyspeech.measure import live, negatives, positives
from tinyspeech.outside import arrays, files

FILE = paths.DATA / "hours_leads.npz"
"""Of the network that ships, on speakers, noise and rooms that it did not train on."""
SPEECH, NOISE = "speech", "noise"
STEP_S = decision.STEP_FRAMES * (live.seconds_of(1) - live.seconds_of(0))
LEAST_SHARE = 4
"""Only leads of at least this part of the least lead that ships are kept."""
GAP_STEPS = 10
"""Between two recordings, so that a report in one does not rest in the next."""
MOST_BYTES = 1 << 28
"""Of a file of leads."""
NO_WORD = 255
"""In `spans`: an utterance that holds a keyword somewhere."""


@dataclass(frozen=True)
class Track:
    """A set of recordings one after the other."""

    hours: float
    """That count: without the margins around what is truly said."""
    step: np.ndarray
    """int32 [n]: steps at which a keyword leads, in order; the others are not there."""
    word: np.ndarray
    """uint8 [n]: its class."""
    lead: np.ndarray
    """int32 [n]."""
    spans: np.ndarray
    """float32 [m, 3]: begin and end in seconds, and the class, of every keyword that is truly said."""

    @property
    def seconds(self) -> np.ndarray:
        """float64 [n]: when the last sample of each step is there."""
        return seconds_of(self.step)


def seconds_of(step: np.ndarray) -> np.ndarray:
    """When the last sample of a step is there, in seconds from the beginning."""
    return live.seconds_of(np.asarray(step) * decision.STEP_FRAMES + decision.STEP_FRAMES - 1)


def leaders(scores: np.ndarray, constants: Mapping[str, int | None]) -> tuple[np.ndarray, np.ndarray]:
    """The class that leads at every step of int64 [T', 13], and what counts of its lead, int64 [T' / 2]
    each: by the decision itself, which is told to report nothing. constants : `decision.constants_of` the network."""
    judge = decision.Decision(**{**constants, "least_lead": 1 << 62})
    found = []
    for row in scores:
        judge.push(row)
        if not judge.frames:
            found.append(judge.leader)
    return tuple(np.array(found, np.int64).reshape(-1, 2).T)


def _track(parts: Iterable[tuple[negatives.Stream | positives.Row, Iterable[tuple[float, float, int]], float]]
           ) -> Track:
    """Of recordings, (as the decision meets it, what is truly said, seconds that count) each."""
    steps, words, leads, spans, begin, hours = [], [], [], [], 0, 0.0
    for one, said, seconds in parts:
        word, lead = leaders(one.scores, one.constants)
        least = decision.Decision(**one.constants).least_lead
        at = np.flatnonzero((word >= decision.REJECTED) & (lead * LEAST_SHARE >= least))
        steps.append(begin + at)
        words.append(word[at])
        leads.append(lead[at])
        spans += [(a + begin * STEP_S, b + begin * STEP_S, label) for a, b, label in said]
        begin += len(word) + GAP_STEPS
        hours += seconds / 3600
    return Track(hours, np.concatenate(steps).astype(np.int32), np.concatenate(words).astype(np.uint8),
                 np.concatenate(leads).astype(np.int32), np.array(spans, np.float32).reshape(-1, 3))


def of_streams(streams: Iterable[negatives.Stream]) -> Track:
    """Of running speech, or of noise."""
    return _track((one,
                   [(s.begin_s, s.end_s, NO_WORD if s.word is None else CLASSES.index(s.word)) for s in one.spans],
                   negatives.counted(one)["seconds"]) for one in streams)


def of_row(row: positives.Row) -> Track:
    """Of keywords in a row."""
    seconds = float(live.seconds_of(len(row.scores) - 1))
    return _track([(row, [(e.begin_s, e.end_s, e.label) for e in row.events], seconds)])


def save(tracks: Mapping[str, Track], path: Path) -> None:
    """Write them as one npz. Raises `UserError` where that cannot be written."""
    arrays = {f"{name}/{key}": value for name, track in tracks.items() for key, value in vars(track).items()}
    try:
        with path.open("wb") as file:
            np.savez_compressed(file, **arrays)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}") from error


def load(path: Path = FILE) -> dict[str, Track]:
    """Read them. Raises `UserError` for a file that is none of these, and the system's error where there is none."""
    wrong = "holds no leads: make it with measure live --leads FILE"
    held = arrays.load(path, MOST_BYTES, wrong)
    with files.parsing(path, wrong):
        names = dict.fromkeys(key.split("/")[0] for key in held)
        return {name: Track(float(held[f"{name}/hours"]),
                            *(held[f"{name}/{key}"] for key in ("step", "word", "lead", "spans")))
                for name in names}
