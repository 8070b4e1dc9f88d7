"""Somebody who says a take to a virtual board whenever it listens, and what the definition makes of what it heard."""

import numpy as np

from tinyspeech.board.cable import Cable
from tinyspeech.board.microphone import SIGNAL_HZ, as_volts
from tinyspeech.board.protocol import Command
from tinyspeech.board.virtual import VirtualBoard, shipped_image
from tinyspeech.integer import frontend, words
from tinyspeech.measure import live
from tinyspeech.paths import ROOT
from tinyspeech.sound import audio

TAKES = ROOT / "data" / "takes"
PAUSE = frontend.SAMPLE_RATE_HZ // 2
NOISE = 40
"""Of the room, in units of the samples."""


def take(name: str, gain: float = 1.0) -> np.ndarray:
    """A take of data/takes in a room with some noise, half a second of it before and behind; int16 at 8 kHz."""
    return _in_a_room(gain * audio.read(TAKES / f"{name}.flac")[0].astype(float))


def hiss(seconds: float) -> np.ndarray:
    """No word, but as loud as one, in the same room."""
    return _in_a_room(np.random.default_rng(1).normal(0, 3000, round(seconds * frontend.SAMPLE_RATE_HZ)))


def _in_a_room(samples: np.ndarray) -> np.ndarray:
    noise = np.random.default_rng(0).normal(0, NOISE, len(samples) + 2 * PAUSE)
    return np.rint(np.pad(samples, PAUSE) + noise).astype(np.int16)


LAMPS = [take(f"lamp_heart_0{i}") for i in range(1, 6)]
CUT = np.concatenate([LAMPS[0][9000:], LAMPS[1]])
"""From the middle of a word on."""


class Speaker(Cable):
    """A cable to a board with our firmware, behind whose microphone somebody sits. said : what they say, int16 [n] at
    8 kHz each, and then the last of it again and again. faults : of `Cable`"""

    def __init__(self, *said: np.ndarray, faults=None):
        super().__init__(VirtualBoard(shipped_image()), faults or {})
        self._volts = [as_volts(one, frontend.SAMPLE_RATE_HZ) for one in said]
        self.heard: list[np.ndarray] = []
        """The samples that the board's converter read, int16 at 8 kHz, each time that it was asked for features."""
        self.interrupt_at: int | None = None
        """Ctrl-C comes when so many bytes have come of a take."""
        self._listens, self._before, self._taken = False, 0, 0

    def now(self) -> float:
        return self.board.now

    def close(self) -> None:
        pass

    def write(self, data: bytes) -> None:
        if data == Command.COEFFICIENTS:
            self._listens, self._before, self._taken = True, self.board.chip.state.conversions, 0
            self._playing = self._volts.pop(0) if len(self._volts) > 1 else self._volts[0]
            self.board.chip.connect_microphone(self._playing, SIGNAL_HZ, waits=True)
        elif data == Command.STOP and self._listens:
            self._listens = False
            self.heard.append(self._samples())
        super().write(data)

    def read(self, count: int, seconds: float) -> bytes:
        data = super().read(count, seconds)
        self._taken += len(data)
        if self._listens and self.interrupt_at is not None and self._taken >= self.interrupt_at:
            self.interrupt_at = None
            raise KeyboardInterrupt
        return data

    def _samples(self) -> np.ndarray:
        chip = self.board.chip
        return live.converted(chip, self._playing, SIGNAL_HZ, chip.state.conversions - self._before)


def defined(model, name: str, heard: list[np.ndarray]) -> tuple[list[str], words.Word | None]:
    """Verdicts of the definition on what a board heard each time, and the word, once it is taught."""
    teaching = words.Teaching(model, name)
    verdicts = [teaching.push(samples) for samples in heard]
    return verdicts, teaching.word() if teaching.done else None
