"""Somebody who sits at a virtual board that teaches words by itself, presses its button and speaks when it asks."""

from __future__ import annotations

import numpy as np
from support.narrow import teaching_image

from tinyspeech.board import protocol
from tinyspeech.board.microphone import SIGNAL_HZ, as_volts
from tinyspeech.board.protocol import Command, CommandStream
from tinyspeech.board.taught import PLACES
from tinyspeech.board.virtual import VirtualBoard
from tinyspeech.integer import frontend, words
from tinyspeech.integer.network import IntegerModel
from tinyspeech.measure import live

BUTTON = "PD4"
STEP_S = 0.0003
"""Of a verdict's end the board begins to listen for the next take 0.7 ms later: by then that must be ready."""
LONGEST_S = 300.0
"""Of a teaching, in tests."""


class Asked(VirtualBoard):
    """said : what is said to it, int16 [n] at 8 kHz each, one for each take, and behind the last nothing."""

    def __init__(self, *said: np.ndarray, image: bytes | None = None):
        super().__init__(teaching_image() if image is None else image)
        self._said = [as_volts(one, frontend.SAMPLE_RATE_HZ) for one in said]
        self.heard: list[np.ndarray] = []
        """The samples that the converter read of each take, int16 at 8 kHz."""
        self.lines: list[str] = []
        self._text, self._before, self._watches, self._commands = b"", 0, False, CommandStream()
        super().advance(0.02)
        self._watches = True

    def send(self, data: bytes) -> None:
        if Command.COEFFICIENTS in self._commands.take(data):
            self._play()
        super().send(data)

    def press(self, seconds: float) -> None:
        self.chip.drive(BUTTON, False)
        self.advance(seconds)
        self.chip.drive(BUTTON, None)

    def advance(self, seconds: float) -> str:
        until, seen = self.now + seconds, "budget"
        while self._watches and self.now < until - 1e-7:
            count = len(self._out)
            seen = super().advance(min(STEP_S, until - self.now))
            self._look(bytes(self._out[count:]))
        return seen if self._watches else super().advance(seconds)

    def until(self, *whats: str) -> str:
        """Wait for one of these lines: it."""
        end, known = self.now + LONGEST_S, len(self.lines)
        while self.now < end:
            self.advance(STEP_S)
            for line in self.lines[known:]:
                if line.split(" ")[0] in whats:
                    return line
            known = len(self.lines)
        raise AssertionError(f"none of {whats} in {self.lines}: {self.fault}")

    def page(self, slot: int) -> bytes:
        return bytes(self.chip.state.flash[self._place(slot)])

    def put(self, slot: int, data: bytes) -> None:
        """As if that had been kept."""
        self.chip.state.flash[self._place(slot)] = data

    @staticmethod
    def _place(slot: int) -> slice:
        return slice(PLACES + words.PAGE_BYTES * slot, PLACES + words.PAGE_BYTES * (slot + 1))

    def _look(self, new: bytes) -> None:
        *whole, self._text = (self._text + new).split(b"\n")
        for line in (one.decode("ascii", "replace") for one in whole):
            self.lines.append(line)
            said = protocol.parse_teaching(line)
            if said is not None and said.what in (words.OK, *words.REFUSALS):
                self.heard.append(self._samples())
                self._play()
            elif isinstance(protocol.parse(line), protocol.Stopped):
                self._play()

    def _play(self) -> None:
        self._playing = self._said.pop(0) if self._said else as_volts(np.zeros(800, np.int16), frontend.SAMPLE_RATE_HZ)
        self.chip.connect_microphone(self._playing, SIGNAL_HZ, waits=True)
        self._before = self.chip.state.conversions

    def _samples(self) -> np.ndarray:
        return live.converted(self.chip, self._playing, SIGNAL_HZ, self.chip.state.conversions - self._before)


def defined(model: IntegerModel, name: str, heard: list[np.ndarray]) -> tuple[list[str], bytes | None]:
    """Lines of the definition for what was heard, a take each, and the word's page, once it is taught."""
    teaching, lines = words.Teaching(model, name), []
    for samples in heard:
        lines.append(str(protocol.Teaching("take", teaching.sums.count + 1)))
        verdict = teaching.push(samples)
        lines.append(str(protocol.Teaching(str(verdict), teaching.sums.count)))
    return lines, teaching.word().pack() if teaching.done else None
