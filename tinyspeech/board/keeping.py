"""The sound around every report and near miss, kept so that it can be listened to, counted and trained on. Chapter 11.

    python -m tinyspeech listen --port PORT --wav evening.wav --keep false-alarms

The folder is one of recordings: `--negatives FOLDER` takes it as it is. `log.csv` in it has a row a file. A sound is
there as soon as its two seconds are over, whole or not at all, and stays there whatever happens to the board, its port
or the disk.
"""

from __future__ import annotations

import contextlib
import csv
import io
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np

from tinyspeech.errors import UserError
from tinyspeech.integer import decision, frontend, listening, words
from tinyspeech.integer.network import IntegerModel
from tinyspeech.integer.words import Word
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
    """What counts of it over the next class, in the units of `decision.LEAST_LEAD`; 0 of a taught word."""
    kind: str
    """report, or near."""

    @property
    def seconds(self) -> float:
        return self.frame * frontend.HOP / frontend.SAMPLE_RATE_HZ

    @property
    def start(self) -> int:
        """The first sample that is kept."""
        return max(0, round((self.seconds - BEFORE_S) * frontend.SAMPLE_RATE_HZ))

    @property
    def end(self) -> int:
        """And the one behind the last, where the recording goes on for so long."""
        return round((self.seconds + AFTER_S) * frontend.SAMPLE_RATE_HZ)


def events(model: IntegerModel, samples: np.ndarray, taught: Sequence[Word] = (),
           **settings: int | str | None) -> Iterator[Event]:
    """The reports of `words.reported`, and the near misses: the largest lead of a word in each stretch of steps that
    reaches half of the least lead and ends without a report; no two within the rest after a word.

    samples : int16 [n] at 8 kHz
    taught : words that the board keeps
    settings : as for `listening.words`
    """
    decider = decision.of_network(model, **settings)
    rest = listening.BATCH_FRAMES * decision.REFRACTORY_STEPS
    over = {words.report_frame(frame): taught[i].name for frame, i in words.heard(model, samples, taught)} if taught \
        else {}
    near, last = None, -rest
    for frame, scores in listening.scored_frames(model, samples):
        word = decider.push(scores)
        if decider.frames:  # in the middle of a step
            continue
        if frame in over and decider.taught():
            yield Event(frame, over[frame], 0, "report")
        label, lead = decider.leader
        if word is not None:
            near = None
            yield Event(frame, model.classes[word], lead, "report")
        elif label >= decision.REJECTED and 2 * lead >= decider.least_lead:
            if near is None or lead > near.lead:
                near = Event(frame, model.classes[label], lead, "near")
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
            self._log(None)
            taken = {path.name.split("_", 1)[0] for path in self.folder.iterdir()}
        except OSError as error:
            raise self._refused(error) from error
        names = (f"{session}-{n}" if n else session for n in range(len(taken) + 1))
        self.session = next(name for name in names if name not in taken)

    def keep(self, samples: np.ndarray, event: Event) -> Path:
        """Write the sound around an event of samples, int16 [n] at 8 kHz, and its row; returns the file."""
        rate_hz = frontend.SAMPLE_RATE_HZ
        start, end = event.start, min(len(samples), event.end)
        path = self.folder / f"{self.session}_{event.seconds:07.2f}s_{event.word}_{event.kind}.wav"
        row = (path.name, f"{start / rate_hz:.3f}", f"{end / rate_hz:.3f}", event.word, event.kind, event.lead)
        part = path.with_suffix(".part")
        try:
            part.write_bytes(audio.as_wav(samples[start:end], rate_hz))
            part.replace(path)
            self._log(row)
        except OSError as error:
            raise self._refused(error) from error
        finally:
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)
        return path

    def _log(self, row: tuple | None) -> None:
        """Put a row behind the others, or none: the heading, where there is no log. What does not get there whole, on a
        disk without room, does not stay there."""
        with (self.folder / "log.csv").open("ab", buffering=0) as file:
            length, text = file.tell(), io.StringIO(newline="")
            csv.writer(text).writerows(([] if length else [COLUMNS]) + ([] if row is None else [row]))
            data = text.getvalue().encode("utf-8")
            try:
                while data:
                    data = data[file.write(data) :]
            except OSError:
                with contextlib.suppress(OSError):
                    file.truncate(length)
                raise

    def _refused(self, error: OSError) -> UserError:
        return UserError(f"cannot keep sounds in {self.folder} ({error.strerror}): give a folder that can be written, "
                         "on a disk with room")


class Session:
    """A recording that is sent to a board, each of whose sounds is kept as soon as all of it was sent.

    sound : int16 [n] at 8 kHz
    taught : words that the board keeps
    settings : as for `listening.words`
    """

    def __init__(self, keeper: Keeper, model: IntegerModel, sound: np.ndarray, taught: Sequence[Word] = (),
                 **settings: int | str | None):
        self._keeper, self._sound = keeper, sound
        found = list(events(model, sound, taught, **settings))
        self._reports = [(event.frame, event.word) for event in found if event.kind == "report"]
        self._waiting = deque(found)

    def sent(self, samples: int) -> None:
        """So many are with the board by now."""
        while self._waiting and self._waiting[0].end <= samples:
            self._keeper.keep(self._sound, self._waiting[0])
            self._waiting.popleft()

    def heard(self, frames: int) -> list[tuple[int, str]]:
        """The board has heard so many frames, and the recording is over: keep what is left of them. Returns what the
        definition reports in them, as `words.reported` does."""
        sound = self._sound[: frontend.WINDOW + (frames - 1) * frontend.HOP]
        for event in self._waiting:
            if event.frame <= frames:
                self._keeper.keep(sound, event)
        self._waiting.clear()
        return [(frame, word) for frame, word in self._reports if frame <= frames]
