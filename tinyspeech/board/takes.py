"""A word taught through a microphone, a board's own or the computer's: the definition judges each take. Chapter 12.

    with taught.connected("/dev/ttyUSB0") as board:
        word, takes = takes.teach(board.microphone(), board.model(), "lamp", print, print)
        board.keep(word)

Where the board teaches by itself, this only follows what it says (`by_itself`). Else a board sends what its front end
hears. It listens anew for each take, so the word is the one that `words.Teaching` makes of the same samples. How many
frames it heard it says at the end of each: of a take of which bytes are missing nothing is kept. Samples do not come,
and so nobody knows of a take that is clipped; of the computer's microphone (`sound/capture.py`) they do.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Protocol

import numpy as np

from tinyspeech.board import isp, protocol
from tinyspeech.board.lines import POLL_S, Lines
from tinyspeech.board.protocol import Command
from tinyspeech.errors import UserError
from tinyspeech.integer import frontend, words
from tinyspeech.integer.network import IntegerModel

ANSWER_S, SILENCE_S = 1.0, 3.0
"""Longest wait for the board's word that it listens or has stopped, and for two frames, which take it 40 ms: the rest
is for slow computers."""
BEGIN_S, LINE_S = 3.0, 30.0
"""Longest wait for the first line of a board that teaches by itself, which comes after a second, and for any other: of
a sound that does not end, it says so after 18 s at most."""
ATTEMPTS = 3
"""To begin, before the firmware is thought to be another."""
REFUSED = 10
"""Takes in a row after which it gives up."""
LOST = "lost"
"""A verdict beside those of `words.Teaching`."""
ADVICE = {
    "empty": "no word was heard: say it louder, or closer to the microphone",
    "cut": "cut: wait until you are asked, then a moment more, and only then say the word",
    "long": "too long: say one word of at most 1.1 s, then be quiet until you are asked again",
    "clipped": "too loud: say it more softly, or farther from the microphone",
    "unlike": "unlike the others: say the same word again, in the same way",
    LOST: "some of it was lost on its way from the microphone: say it again",
}
"""Why a take is not taken, and what to do."""
STOPPED = re.compile(rb"stopped (\d+)\n\Z")


class Listening(Protocol):
    """A microphone to which takes are said: a board's, or a computer's (`capture.Microphone`)."""

    whole: bool
    """Whether nothing was missing of what it heard when it last listened."""

    def listening(self) -> contextlib.AbstractContextManager[None]:
        """It listens, from nothing, until the block ends."""

    def judged(self, teaching: words.Teaching) -> str | None:
        """What the definition says of what it heard next: None while a take goes on."""


class Microphone:
    """A board's microphone, as its front end hears it. version : of the firmware, as it names itself"""

    def __init__(self, lines: Lines, version: str):
        self._lines, self._version = lines, version
        self._came = 0
        self.whole = False
        """Whether nothing was missing of what the board heard when it last listened."""

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """The board listens, from nothing, until the block ends. Raises `UserError` for one that does not do as
        described; however it ends, a board that can be reached waits for commands then."""
        try:
            self._begin()
            yield
            self._end()
        except BaseException:
            with contextlib.suppress(isp.PortLost):
                self._lines.line.write(Command.STOP)
            raise

    def hear(self) -> np.ndarray:
        """The next two frames of features, int8 [2, 12]."""
        size = 2 * frontend.N_COEFFICIENTS
        data = self._lines.take(size, SILENCE_S)
        if len(data) < size:
            raise UserError("the board no longer says what it hears: look at its cable and power, then try again")
        self._came += size
        return np.frombuffer(data, np.int8).reshape(2, -1)

    def judged(self, teaching: words.Teaching) -> str | None:
        """What the definition says of the next two frames."""
        return teaching.hear(self.hear())

    def _begin(self) -> None:
        answer = f"{protocol.LISTENING}\n".encode()
        for _ in range(ATTEMPTS):
            if self._lines.bytes(Command.COEFFICIENTS, len(answer), ANSWER_S) == answer:
                self._came = 0
                return
            isp.find_version(self._lines.line)  # so that it waits for commands, if it is still there
        raise UserError(f"the board's firmware ({self._version}) does not say what its microphone hears: flash ours "
                        "with `python -m tinyspeech flash`, or give recordings with --wav")

    def _end(self) -> None:
        self._lines.line.write(Command.STOP)
        until, rest = self._lines.now() + ANSWER_S, b""
        while not (stopped := STOPPED.search(rest)) and (left := until - self._lines.now()) > 0:
            rest += self._lines.line.read(isp.CHATTER_BYTES, min(left, POLL_S))
        if stopped is None:
            isp.find_version(self._lines.line)
        self.whole = stopped is not None and \
            self._came + stopped.start() == int(stopped[1]) * frontend.N_COEFFICIENTS


def teach(microphone: Listening, model: IntegerModel, name: str, asked: Callable[[int], None],
          told: Callable[[int, str], None], count: int = words.TAKES) -> tuple[words.Word, list[words.Segment]]:
    """The word, and the takes that it is made of.

    model : the network that the board runs
    asked : told the number of the take, from 1 on, that is now listened for
    told : and what came of it: `words.OK`, or a key of `ADVICE`
    count : takes

    Raises `UserError` after `REFUSED` takes in a row that were none, and as the microphone does; for a name that is
    none as well.
    """
    teaching, takes, refused = words.Teaching(model, name, count), [], 0
    while not teaching.done:
        number, before, take = len(takes) + 1, replace(teaching.sums), teaching.take
        verdict = None
        with microphone.listening():
            asked(number)
            while verdict is None:
                verdict = microphone.judged(teaching)
        if not microphone.whole:
            verdict, teaching.sums = LOST, before
        elif verdict == words.OK or (verdict == "unlike" and teaching.sums.count == 1):  # then it takes the place
            takes = [*takes, take.segment(model)][-teaching.sums.count :]
        told(number, verdict)
        refused = 0 if verdict == words.OK else refused + 1
        if refused == REFUSED:
            raise UserError(f"{REFUSED} takes in a row were not taken, so nothing is taught; the last: "
                            f"{ADVICE[verdict]}")
    return teaching.word(), takes


def by_itself(lines: Lines, asked: Callable[[int], None], told: Callable[[int, str], None]) -> int | None:
    """Let the board teach, if it can do it by itself: the place, from 0 on, of the word that it has kept; else None.

    asked, told : as for `teach`

    Raises `UserError` after `protocol.REFUSALS` takes that were none, where nobody spoke, where no place is free, and
    for a board that says nothing; however it ends, a board that can be reached waits for commands or listens then.
    """
    try:
        for _ in range(ATTEMPTS):
            lines.clear()
            lines.line.write(Command.COEFFICIENTS)
            if (line := lines.next(lines.now() + BEGIN_S)) is not None:
                break
            isp.find_version(lines.line)
        if line in (None, protocol.LISTENING):
            isp.find_version(lines.line)  # which ends it
            return None
        return _followed(lines, line, asked, told)
    except BaseException:
        with contextlib.suppress(isp.PortLost):
            lines.line.write(Command.STOP)
        raise


def _followed(lines: Lines, line: str | None, asked: Callable[[int], None], told: Callable[[int, str], None]) -> int:
    """What comes of a board that teaches, from this line on: the place of the word."""
    number, refused = 1, 0
    while line not in (None, protocol.LISTENING):  # which it says again when it teaches no more
        match protocol.parse_teaching(line):
            case protocol.Teaching("taught", place):
                return place - 1
            case protocol.Teaching("take", number):
                asked(number)
            case protocol.Teaching("full", places):
                raise UserError(f"the board keeps {places} words, and to teach one more it needs a free place: "
                                "`python -m tinyspeech forget --port PORT --word NAME` makes some")
            case protocol.Teaching("forgot"):
                raise UserError("the board's button was held, and so it has forgotten all words: let go of it")
            case protocol.Teaching(verdict, _):
                told(number, verdict)
                refused += verdict != words.OK
                if verdict == "empty":
                    raise UserError(f"nothing is taught: {ADVICE[verdict]}")
                if refused == protocol.REFUSALS:
                    raise UserError(f"{refused} takes were not taken, so nothing is taught; the last: "
                                    f"{ADVICE[verdict]}")
        line = lines.next(lines.now() + LINE_S)
    raise UserError("the board no longer says what it does: look at its cable and power, then at `python -m tinyspeech "
                    "words --port PORT`")
