"""The sound around every report and near miss, kept so that it can be listened to, counted and trained on. Chapter 11.

    python -m tinyspeech listen --port PORT --wav evening.wav --keep false-alarms

The folder is one of recordings: `--negatives FOLDER` takes it as it is. `log.csv` in it has a row a file.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np

from tinyspeech import CLASSES
from tinyspeech.errors import UserError
from tinyspeech.integer import decision, frontend, listening
from tinyspeech.integer.network import IntegerModel
from tinyspeech.sound import audio

BEFORE_S, AFTER_S = 1.5, 0.5
"""Kept before the decision and after it."""
COLUMNS = ("file", "start", "end", "word", "kind", "lead")


@dataclass(frozen=True)
class Event:
    """A word that was reported, or might have been."""

    frame: int
    """FRAME, as the board counts."""
    word: str
    lead: int
    """Over the next class, in the units of `decision.LEAST_LEAD`."""
    kind: str
    """report, or near."""

    @property
    def seconds(self) -> float:
        return self.frame * frontend.HOP / frontend.SAMPLE_RATE_HZ


def events(model: IntegerModel, samples: np.ndarray, **settings: int | str | None) -> Iterator[Event]:
    """The reports of `listening.words`, and the near misses: the largest lead of a word in each stretch of steps that
    reaches half of the least lead and ends without a report; no two within the rest after a word.

    samples : int16 [n] at 8 kHz
    settings : as for `listening.words`
    """
    decider = decision.Decision(**settings)
    rest = listening.BATCH_FRAMES * decision.REFRACTORY_STEPS
    near, last = None, -rest
    for frame, scores in listening.scored_frames(model, samples):
        word = decider.push(scores)
        if decider.frames:  # in the middle of a step
            continue
        label, lead = decider.leader
        if word is not None:
            near = None
            yield Event(frame, CLASSES[word], lead, "report")
        elif label >= decision.REJECTED and 2 * lead >= decider.least_lead:
            if near is None or lead > near.lead:
                near = Event(frame, CLASSES[label], lead, "near")
        elif near is not None:
            if near.frame - last >= rest:
                last = near.frame
                yield near
            near = None
    if near is not None and near.frame - last >= rest:
        yield near


class Keeper:
    """A folder that sounds are added to. Raises `UserError` where it cannot be written."""

    def __init__(self, folder: str | Path, now: datetime | None = None):
        self.folder = Path(folder)
        session = (now or datetime.now()).strftime("%Y%m%d-%H%M%S")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with (self.folder / "log.csv").open("a", newline="", encoding="utf-8") as file:
                if not file.tell():
                    csv.writer(file).writerow(COLUMNS)
            taken = {path.name.split("_", 1)[0] for path in self.folder.iterdir()}
        except OSError as error:
            raise self._refused(error) from error
        names = (f"{session}-{n}" if n else session for n in range(len(taken) + 1))
        self.session = next(name for name in names if name not in taken)

    def keep(self, samples: np.ndarray, event: Event) -> Path:
        """Write the sound around an event of samples, int16 [n] at 8 kHz, and its row; returns the file."""
        rate_hz = frontend.SAMPLE_RATE_HZ
        start = max(0, round((event.seconds - BEFORE_S) * rate_hz))
        end = min(len(samples), round((event.seconds + AFTER_S) * rate_hz))
        path = self.folder / f"{self.session}_{event.seconds:07.2f}s_{event.word}_{event.kind}.wav"
        row = (path.name, f"{start / rate_hz:.3f}", f"{end / rate_hz:.3f}", event.word, event.kind, event.lead)
        try:
            audio.write(path, samples[start:end], rate_hz)
            with (self.folder / "log.csv").open("a", newline="", encoding="utf-8") as file:
                csv.writer(file).writerow(row)
        except OSError as error:
            raise self._refused(error) from error
        return path

    def _refused(self, error: OSError) -> UserError:
        return UserError(f"cannot keep sounds in {self.folder} ({error.strerror}): give a folder that can be written, "
                         "on a disk with room")
