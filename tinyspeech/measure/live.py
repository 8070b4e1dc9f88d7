"""How a board listens: sounds to the virtual board's microphone, and its reports against what was said. Chapter 10.

    from tinyspeech.measure import live
    heard = live.listen(board, microphone.as_volts(sound, rate_hz), SIGNAL_HZ)
    live.rate([(t, word), ...], events)

`tinyspeech/integer/listening.py` defines what it should hear; `figures/listening.py` measures it on validation speech.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tinyspeech import CLASSES
from tinyspeech.board.protocol import Command
from tinyspeech.board.virtual import VirtualBoard
from tinyspeech.chip.emulator import Chip
from tinyspeech.errors import UserError
from tinyspeech.integer import decision, frontend
from tinyspeech.integer.listening import ADC_HZ, CLOCK_HZ, CONVERSIONS, SAMPLING_CYCLES, from_conversions
from tinyspeech.sound import audio

TICKS_HZ = 2 * CLOCK_HZ
"""Of the time in which signal and chip are compared: whole for either of the chip's clocks."""


@dataclass
class Heard:
    """What a board said while it listened to the microphone."""

    lines: list[tuple[float, str]]
    """Seconds since the signal began, and the line."""
    samples: np.ndarray
    """int16, at 8 kHz: what the converter read, by the definition, from the voltage alone."""
    cycles: int
    """While it listened, and how many of them `asleep`."""
    asleep: int
    longest_burst: int
    """Cycles between two sleeps, samples' interrupts included."""
    stack_bytes: int


CHUNK = 1 << 20
"""Samples at 8 kHz that are computed at a time."""
STEP_S = 0.001
"""A line's time is known to within so much, and the time that its last byte takes."""


def codes_at(volts: np.ndarray, rate_hz: int, ticks: np.ndarray) -> np.ndarray:
    """What the ADC reads of a signal, uint16 [n] at rate_hz, at times in 1/48 us since its beginning."""
    at = ticks.astype(np.int64) * rate_hz
    i, part = at // TICKS_HZ, at % TICKS_HZ
    inside = (ticks >= 0) & (i + 1 < len(volts))
    i = np.where(inside, i, 0)
    a, b = volts[i].astype(np.int64), volts[np.minimum(i + 1, len(volts) - 1)].astype(np.int64)
    level = np.where(inside, (a * (TICKS_HZ - part) + b * part) // TICKS_HZ, 32768)  # else at rest
    return level >> frontend.ADC_SHIFT


def converted(chip: Chip, volts: np.ndarray, rate_hz: int, count: int) -> np.ndarray:
    """What the converter read in its last `count` conversions of a signal, uint16 at rate_hz, by the definition and
    from the voltage alone: int16 samples at 8 kHz. Memory does not grow with hours."""
    every, found = CLOCK_HZ // ADC_HZ, [np.zeros(0, np.int16)]
    first = chip.state.converted_at - (count - 1) * every + SAMPLING_CYCLES
    for at in range(0, count // CONVERSIONS, CHUNK):
        rows = np.arange(at * CONVERSIONS, min(at + CHUNK, count // CONVERSIONS) * CONVERSIONS)
        found.append(from_conversions(codes_at(volts, rate_hz, chip.heard_at(first + every * rows))))
    return np.concatenate(found)


def listen(board: VirtualBoard, volts: np.ndarray, rate_hz: int) -> Heard:
    """Let a board, in command mode, listen to a signal, uint16 at rate_hz, to its end.

    Raises `UserError` where the chip stops or drops a trigger of its timer.
    """
    chip, state = board.chip, board.chip.state
    conversions, dropped = state.conversions, state.dropped_triggers
    board.received()
    board.send(Command.MICROPHONE)
    board.advance(0.002)
    chip.connect_microphone(volts, rate_hz)
    began, start, slept = board.now, state.cycles, state.slept
    heard, text = [], b""
    state.longest_awake = 0
    while board.now - began < len(volts) / rate_hz:
        board.advance(STEP_S)
        text += board.received()
        *whole, text = text.split(b"\n")
        heard += [(board.now - began, line.decode()) for line in whole]
        if board.fault or state.dropped_triggers > dropped:
            raise UserError(f"the board does not listen any more: {board.fault or 'the ADC is too slow'}")
    samples = converted(chip, volts, rate_hz, state.conversions - conversions)
    return Heard(heard, samples, state.cycles - start, state.slept - slept, state.longest_awake,
                 chip.stack_bytes)


# ---------------------------------------------------------------- words in a row

QUIET_DB = 25
"""A word is over where what follows is quieter than its loudest 10 ms by so much."""
SOFT_DB = 35
"""A last *n* or *t* may be softer than `QUIET_DB` allows; this counts it in, where the recording is quieter still."""
LATE_S = 0.6
"""A report that comes later after a word's end does not count for it."""
COMPUTING_S = 0.014
"""From the last sample of a batch to its report, about: the burst of work, and a line over the serial port."""


def seconds_of(row: int) -> float:
    """When the last sample of a row of scores is there, in seconds from the stream's beginning."""
    return (frontend.WINDOW + decision.STEP_FRAMES * frontend.HOP * (row + 1)) / frontend.SAMPLE_RATE_HZ


@dataclass
class Event:
    """A clip in a long recording."""

    label: int
    at_s: float
    """Where the clip begins."""
    begin_s: float
    end_s: float
    """Of the word in it."""

    @classmethod
    def of(cls, clip: np.ndarray, label: int, at_s: float, below_db: float = QUIET_DB) -> Event:
        """Of a clip, int16 [n] at 16 kHz, whose word is all that is at most so far below its loudest 10 ms."""
        first, last = audio.loud_part(clip, audio.SAMPLE_RATE_HZ, below_db)
        return cls(int(label), at_s, at_s + first, at_s + last)


def in_a_row(clips: np.ndarray, labels: Sequence[int], seed: int,
             noise: np.ndarray | None = None,
             pauses_s: tuple[float, float] = (0.5, 2.0)) -> tuple[np.ndarray, list[Event]]:
    """Clips, int16 [n, 16000] at 16 kHz, in a row with pauses, in noise: `audio.in_a_row`.

    Returns int16 at 16 kHz, and the clips' events.
    """
    sound, begins = audio.in_a_row(clips, audio.SAMPLE_RATE_HZ, seed, pauses_s, noise)
    return sound, [Event.of(*row) for row in zip(clips, labels, begins / audio.SAMPLE_RATE_HZ, strict=True)]


def rate(found: list[tuple[float, str]], events: list[Event]) -> dict:
    """Reports, (seconds, word), against what was said.

    Returns `keywords`, `detected` of them, `false` reports, `wrong` of these that came to a keyword in place of it or
    beside it, and `latencies` in seconds after the words' ends.
    """
    free, latencies = dict(enumerate(found)), []
    words = [event for event in events if event.label >= decision.REJECTED]
    for event in words:
        for i, (t, word) in free.items():
            if word == CLASSES[event.label] and event.begin_s <= t <= event.end_s + LATE_S:
                latencies.append(t - event.end_s)
                del free[i]
                break
    wrong = sum(any(event.begin_s <= t <= event.end_s + LATE_S for event in words) for t, _ in free.values())
    return {"keywords": len(words), "detected": len(latencies), "false": len(free), "wrong": wrong,
            "latencies": latencies}


def is_quiet(clip: np.ndarray) -> bool:
    """Whether the softest tenth of a clip, int16 [n] at 16 kHz, lies 5 dB below what `SOFT_DB` counts to a word."""
    step = audio.SAMPLE_RATE_HZ // audio.GRIDS_PER_SECOND
    power = (clip.astype(float) ** 2).reshape(-1, step).mean(axis=1)
    return bool(np.quantile(power, 0.1) < power.max() * 10 ** (-(SOFT_DB + 5) / 10))
