"""The serial monitor: starts a board listening and says what it hears, until it is stopped.

    python -m tinyspeech listen --port /dev/ttyUSB0                  # to its microphone
    python -m tinyspeech listen --port /dev/ttyUSB0 --wav yes.wav    # to a recording, over the same serial port

What the two say to each other is in `protocol.py`. Chapter 14.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tinyspeech import CLASSES, paths
from tinyspeech.board import isp, keeping, protocol, taught
from tinyspeech.board.lines import POLL_S, Lines
from tinyspeech.board.protocol import Command
from tinyspeech.errors import UserError
from tinyspeech.integer import decision, frontend, words
from tinyspeech.integer.network import IntegerModel
from tinyspeech.sound import audio, mulaw

ANSWER_S = 3.0
"""Longest wait for the board's word that it listens or has stopped: it needs milliseconds, slow computers more."""
SETTINGS_S = 1.0
"""Longest wait for its settings."""
PACE_S, BURST = 0.005, frontend.HOP // 2
"""Samples are sent this often, 40 at a time, and never more than half a frame of them, however late this computer is:
so no two frames are due as close as the line could bring them, 160 bytes, when the board may still be at work on the
first of them, above all with eight taught words; and to wait for samples does it no harm."""
LONGEST_S = 1e9
"""Of listening: three decades."""
LEGIBLE = 60
"""Characters that are shown of what is not understood."""
TEXTS = {
    "mute": "the board's firmware ({version}) cannot listen: flash ours with {flash}",
    "ended": "the board no longer answers: look at its cable and power, then reset it",
    "reset": "the board was reset while it listened, or its button pressed: look at its power, and start it again",
    "samples": "the board lost {samples:,} samples",
    "strange": "the board says what is not understood: {line}",
}
"""What goes wrong, in words, for `isp.in_words`: here, and in the page that listens (`pages/widgets/isp.js`)."""
RETURN_S, RETRY_S = 60.0, 0.25
"""So long a port that went away is waited for, and so often it is tried."""
QUIET_S = 0.5
"""Of silence follows a recording: a word at its end is reported a little later."""


Change = Callable[[protocol.Settings], protocol.Settings]
"""From what is set on a board to what shall be."""


class NoSettings(UserError):
    """Firmware from before there was a setting."""


@dataclass(frozen=True)
class Heard:
    """A word that the board reported."""

    word: str
    frame: int
    """Of 20 ms, counted since it began to listen."""

    @property
    def seconds(self) -> float:
        """Time of the board's decision, since it began to listen or from the start of the recording."""
        return self.frame * frontend.HOP / frontend.SAMPLE_RATE_HZ


def recording(path: str | Path, seconds: float | None = None) -> bytes:
    """A sound file as the board takes it over the serial port: 8 kHz, mu-law, a little silence behind it.

    seconds : no more of it than this
    Raises `UserError` as `audio.read` does.
    """
    samples, rate_hz = audio.read(path)
    if seconds is not None and seconds < len(samples) / rate_hz:
        samples = samples[: max(1, round(seconds * rate_hz))]
    samples = audio.resample(samples, rate_hz)
    if samples.dtype != np.int16:
        samples = audio.to_int16(samples)
    quiet = round(QUIET_S * audio.SAMPLE_RATE_HZ) + len(samples) % 2
    return mulaw.mulaw_encode(frontend.to_8khz(np.pad(samples, (0, quiet)))).tobytes()


def network_of(version: str) -> IntegerModel | None:
    """The network in data/models that a board says it runs, `tinyspeech NAME HASH`; None where it is not there."""
    name, digest = f"{version}  ".split(" ")[1:3]
    if name not in {path.stem for path in paths.MODELS.glob("*.npz")}:
        return None
    model = IntegerModel.load(paths.model_file(name, ".npz"))
    return model if model.digest == digest else None


class Monitor:
    """Speaks with a board that runs our firmware.

    heard : told every word, as it comes
    notice : told in a line what else should be known: samples that were lost, lines that nobody understands
    sent : told how much of a recording has been sent, in samples
    now : the clock by which samples are paced, in seconds
    """

    def __init__(self, line: isp.Line, heard: Callable[[Heard], None], notice: Callable[[str], None],
                 now: Callable[[], float] = time.monotonic, sent: Callable[[int], None] = lambda samples: None):
        self.line, self._heard, self._notice, self._now, self._sent = line, heard, notice, now, sent
        self._lines = Lines(line, now)
        self._fed = self._lost = 0
        self.frames: int | None = None
        """How long the board listened; None until it has said that it stopped."""
        self.network: IntegerModel | None = None
        """What it runs, as far as `settings` found it in data/models."""

    def begin(self, command: Command) -> None:
        """Make sure of the firmware and start it listening; `UserError` says what answers instead."""
        version = isp.find_version(self.line)
        self.line.write(command)
        until = self._now() + ANSWER_S
        while (line := self._lines.next(until)) is not None:
            if line == protocol.LISTENING:
                return
        raise UserError(isp.in_words(TEXTS["mute"], version=version))

    def settings(self, change: Change = lambda kept: kept) -> protocol.Settings:
        """What is set on the board, after `change` of it. `NoSettings` for firmware that has none.

        It is asked first: to firmware that knows none, a setting's byte may be a command.
        """
        version = isp.find_version(self.line)
        self.network = network_of(version)
        classes = CLASSES if self.network is None else self.network.classes
        kept = self._answer_to(protocol.ASK, classes)
        if kept is None:
            raise NoSettings(f"the board's firmware ({version}) has no settings: flash ours with "
                             "`python -m tinyspeech flash`")
        wanted = change(kept)
        if wanted != kept:
            kept = self._answer_to(protocol.setting(wanted.sensitivity, wanted.first_word, classes), classes)
        if wanted != kept:
            raise UserError("the board did not keep the setting: look at its cable and power, then try again")
        return wanted

    def _answer_to(self, data: bytes, classes: tuple[str, ...]) -> protocol.Settings | None:
        self.line.write(Command.SETTINGS + data)
        until = self._now() + SETTINGS_S
        while (line := self._lines.next(until)) is not None:
            if (kept := protocol.parse_settings(line, classes)) is not None:
                return kept
        return None

    def wait(self, seconds: float | None) -> None:
        """Tell what is heard for so long; None: for ever."""
        until = math.inf if seconds is None else self._now() + seconds
        while (left := until - self._now()) > 0:
            self._tell(min(left, POLL_S))

    def feed(self, samples: bytes) -> None:
        """Send a recording in real time and tell what is heard."""
        began = self._now()
        while self._fed < len(samples):
            due = int((self._now() - began) * frontend.SAMPLE_RATE_HZ) - self._fed
            if due > BURST:
                began += (due - BURST) / frontend.SAMPLE_RATE_HZ
                due = BURST
            part = samples[self._fed : self._fed + due]
            self._fed += len(part)
            self.line.write(part)
            self._tell(PACE_S)
            self._sent(self._fed)

    def end(self) -> None:
        """Stop the board, which then waits for commands; tell what it heard until then."""
        self.line.write(Command.STOP)
        until = self._now() + ANSWER_S
        while self.frames is None:
            if (line := self._lines.next(until)) is None:
                raise UserError(isp.in_words(TEXTS["ended"]))
            self._understand(line)
        sent = max(0, 1 + (self._fed - self._lost - frontend.WINDOW) // frontend.HOP)
        if self._fed and abs(self.frames - sent) > (self._lost > 0):  # what it lost itself it has told
            self._notice(f"the board heard {self.frames:,} frames of {sent:,}: bytes were lost on the way to it")

    def _tell(self, seconds: float) -> None:
        """What comes within so long."""
        until = self._now() + seconds
        while (line := self._lines.next(until)) is not None:
            self._understand(line)
            if line == protocol.LISTENING or self.frames is not None:
                raise UserError(isp.in_words(TEXTS["reset"]))

    def _understand(self, line: str) -> None:
        match protocol.parse(line):
            case protocol.Word(word, frame):
                self._heard(Heard(word, frame))
            case protocol.Lost(samples):
                self._lost += samples
                self._notice(isp.in_words(TEXTS["samples"], samples=samples))
            case protocol.Stopped(frames):
                self.frames = frames
            case None if line != protocol.LISTENING:
                self._notice(isp.in_words(TEXTS["strange"], line=repr(line[:LEGIBLE])))


def listen(line: isp.Line, heard: Callable[[Heard], None], notice: Callable[[str], None],
           samples: bytes | None = None, seconds: float | None = None,
           now: Callable[[], float] = time.monotonic, sent: Callable[[int], None] = lambda samples: None) -> int:
    """Let a board listen to its microphone for so many seconds, or to a `recording`, and tell what it hears.

    heard, notice, now, sent : as in `Monitor`

    Ctrl-C ends it early. However it ends, a board that can be reached waits for commands then. Returns the frames that
    it heard. Raises `UserError` for a board that does not do as described, `PortLost` for a port that went away.
    """
    monitor = Monitor(line, heard, notice, now, sent)
    try:
        monitor.begin(Command.MICROPHONE if samples is None else Command.RECORDING)
        try:
            monitor.wait(seconds) if samples is None else monitor.feed(samples)
        except KeyboardInterrupt:
            pass
        monitor.end()
    except BaseException:
        with contextlib.suppress(isp.PortLost):
            line.write(Command.STOP)
        raise
    return monitor.frames


def _taught_to(line: isp.Line) -> list[words.Word]:
    """The words of a board; none where its firmware keeps none."""
    try:
        return [*taught.Board(line).words().values()]
    except taught.NoWords:
        return []


def _listen_on(port: str, line: isp.SerialLine, heard: Callable[[Heard], None], notice: Callable[[str], None],
               seconds: float | None) -> None:
    """`listen` to the microphone, and on when the board was unplugged and plugged in again, as often as that happens.
    Raises `PortLost` where it is not plugged in within `RETURN_S`."""
    until = math.inf if seconds is None else time.monotonic() + seconds
    try:
        while (left := until - time.monotonic()) > 0:
            try:
                listen(line, heard, notice, None, None if seconds is None else left)
                return
            except isp.PortLost:
                line.close()
                notice(f"{port} went away: plug the board in again within {RETURN_S:g} s, and it is listened to again")
                back = _back(port, min(until, time.monotonic() + RETURN_S))
                if back is None:
                    raise
                line = back
                notice(f"{port} is back, and time counts from 0 s again")
    except KeyboardInterrupt:  # while it is waited for
        pass
    finally:
        line.close()


def _back(port: str, until: float) -> isp.SerialLine | None:
    """The port again, once our firmware answers there; None where it does not until then."""
    while time.monotonic() < until:
        time.sleep(RETRY_S)
        with contextlib.suppress(UserError):  # not yet there, or not yet awake
            line = isp.SerialLine(port)
            try:
                isp.find_version(line)
                return line
            except UserError:
                line.close()
    return None


def listen_port(port: str, heard: Callable[[Heard], None], notice: Callable[[str], None],
                path: str | Path | None = None, seconds: float | None = None,
                change: Change | None = None,
                told: Callable[[protocol.Settings], None] = lambda settings: None,
                keep: str | Path | None = None, word_files: Sequence[str | Path] = ()) -> None:
    """`listen` over a serial port; path: a sound file in place of the board's microphone.

    change : of the board's settings, beforehand; None: they stay, and a board that has none is only a notice
    told : the settings
    keep : a folder for the sound around every report and near miss (`keeping.py`), which a recording has to be for
    word_files : files of taught words, which are put on the board and stay there
    """
    if seconds is not None and not 0 < seconds <= LONGEST_S:  # written so that NaN is refused too
        raise UserError(f"{seconds:g} seconds are no time to listen: give more than 0 and at most {LONGEST_S:g}, or "
                        "leave it out")
    if keep is not None and path is None:
        raise UserError("--keep needs the sound, which a board with a microphone does not send: record it with any "
                        "recorder, then give the file with --wav")
    samples = None if path is None else recording(path, seconds)
    keeper = None if keep is None else keeping.Keeper(keep)
    session: keeping.Session | None = None
    line = isp.SerialLine(port)
    reports: list[tuple[int, str]] = []

    def hear(word: Heard) -> None:
        reports.append((word.frame, word.word))
        heard(word)

    try:
        settings = protocol.Settings(decision.DEFAULT_SENSITIVITY, None)
        asked = Monitor(line, heard, notice)
        try:
            settings = asked.settings(change or (lambda kept: kept))
        except NoSettings as error:
            if change is not None:
                raise
            notice(str(error))
        else:
            told(settings)
        if word_files:
            taught.Board(line).keep_files(word_files)
        if keeper is not None:  # what the definition reports in the recording, and nearly reports
            model = asked.network or IntegerModel.load(paths.model_file(paths.SHIPPED, ".npz"))
            sound = mulaw.mulaw_decode(np.frombuffer(samples, np.uint8))
            session = keeping.Session(keeper, model, sound, _taught_to(line), **settings.constants())
        if samples is None:
            _listen_on(port, line, hear, notice, seconds)
            return
        frames = listen(line, hear, notice, samples, sent=session.sent if session else lambda samples: None)
    finally:
        line.close()
    if session is not None and frames and (different := {*session.heard(frames)} ^ {*reports}):
        notice(f"{len(different):,} of the board's reports and the definition's differ: does it run another network?")
