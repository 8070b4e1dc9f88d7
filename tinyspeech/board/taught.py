"""The words that were taught to a board, over its serial port: list, keep, rename, forget. Chapter 12.

    with taught.connected("/dev/ttyUSB0") as board:
        board.names()                                  # {0: "lamp"}: places and names
        board.keep(words.load("tea.npz", board.model())[0])

What the two say to each other is in `protocol.py`, what a word is in `integer/words.py`. Nothing is given up before
what replaces it is there and was compared, as far as there is a free place: what is taught again or renamed goes there.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np

from tinyspeech import paths
from tinyspeech.board import isp, protocol, takes
from tinyspeech.board.lines import Lines
from tinyspeech.board.protocol import FORGOTTEN, NO_WORD, Command
from tinyspeech.board.takes import Microphone
from tinyspeech.board.virtual import VirtualBoard
from tinyspeech.errors import UserError
from tinyspeech.integer import decision, frontend, listening, words
from tinyspeech.integer.header import leaves_room
from tinyspeech.integer.network import IntegerModel
from tinyspeech.integer.words import Word

ANSWER_S = 1.0
"""Longest wait for an answer: a page takes 12 ms over the port, and 6 to be written."""
ATTEMPTS = 3
"""Before a line is thought to be bad."""
PLACES = 0x3DC0
"""Of the words, in flash: `WORDS_PAGES` in firmware/ch32v003.h."""
START_S, STOP_S = 0.01, 0.1
"""For a virtual board to begin and to end."""
GARBLED = "the board's answers do not arrive whole: look at its cable and power, then try again"


class NoWords(UserError):
    """Firmware from before words could be taught, or with a network to which none can be."""


class Board:
    """A board that runs our firmware, and its taught words. now : the clock by which it is waited for, in seconds

    Raises `UserError` where none answers, `NoWords` for firmware that keeps none.
    """

    def __init__(self, line: isp.Line, now: Callable[[], float] = time.monotonic):
        self.version = isp.find_version(line)
        self._line, self._lines = line, Lines(line, now)
        self._silent = True
        try:
            self._read(0)
        except isp.PortLost:
            raise
        except UserError:
            pass  # something answers, if not well: whoever asks for words is told
        if self._silent:
            raise NoWords(f"the board's firmware ({self.version}) knows no taught words: flash ours with "
                          "`python -m tinyspeech flash`")

    @property
    def network(self) -> str:
        """The hash of the one that it runs."""
        return self.version.rsplit(" ", 1)[-1]

    def model(self, name: str | None = None) -> IntegerModel:
        """The network that the board runs, of those in data/models.

        name : it has to be this one; None: it may be any
        Raises `UserError` for another, or one that is not there: a word taught with it would mean nothing here.
        """
        runs = [*self.version.split(" "), ""][1]
        if name is not None and name != runs:
            raise UserError(f"the board runs {runs}, not {name}: leave --model out, or flash the other")
        model = IntegerModel.load(paths.model_file(runs, ".npz"))
        if model.digest != self.network:
            raise UserError(f"the board runs another {runs} than data/models holds: flash it with "
                            "`python -m tinyspeech flash`")
        return model

    def words(self) -> dict[int, Word]:
        """All that are kept, by their places."""
        read = {slot: self._read(slot) for slot in range(words.MAX_WORDS)}
        return {slot: word for slot, word in read.items() if word is not None}

    def names(self) -> dict[int, str]:
        """Theirs."""
        return {slot: word.name for slot, word in self.words().items()}

    def microphone(self) -> Microphone:
        """The board's own, for `takes.teach`."""
        return Microphone(self._lines, self.version)

    def teach(self, model: IntegerModel, name: str, asked: Callable[[int], None],
              told: Callable[[int, str], None]) -> Word | None:
        """A word that the board teaches by itself, if it can: kept under this name, in place of one that had it. Else
        None.

        model : the network that it runs. asked, told : as for `takes.by_itself`, which says what is raised
        """
        words.check_name(name)
        if not leaves_room(model) or (place := takes.by_itself(self._lines, asked, told)) is None:
            return None
        known = self.words()
        if place not in known:
            raise UserError(GARBLED)
        word = replace(known[place], name=name)
        others = [slot for slot, one in known.items() if one.name == name and slot != place]
        if known[place].name != name:
            self._replace(known, [place], word)
        for slot in others:
            self._forget(slot)
        return word

    def check_room(self, name: str) -> None:
        """Raises `UserError` where `keep` of a word of this name would, for want of room."""
        known = self.words()
        if name not in [word.name for word in known.values()]:
            _free(known)

    def keep(self, word: Word) -> int:
        """Put a word on the board, in place of one of its name; returns where it is. Raises `UserError` where there is
        no room."""
        known = self.words()
        before = [slot for slot, one in known.items() if one.name == word.name]
        if before and known[before[0]].pack() == word.pack():
            return before[0]
        if not before:
            return self.put(_free(known), word)
        return self._replace(known, before, word)

    def keep_files(self, files: Sequence[str | Path]) -> None:
        """`keep` all words of some files. Raises `UserError` for what is no such file, before any is kept."""
        model, known = self.model(), self.words()
        new = [word for file in files for word in words.load(file, model)]
        if len({word.name for word in [*known.values(), *new]}) > words.MAX_WORDS:
            raise _full(known)
        for word in new:
            self.keep(word)

    def rename(self, old: str, new: str) -> None:
        """Raises `UserError` for a word that there is not, and for a name that is none or another word's."""
        words.check_name(new)
        known = self.words()
        slot = _find(known, old)
        if old == new:
            return
        if any(word.name == new for word in known.values()):
            raise UserError(f"the board knows a word {new!r} already: {_there(known)}")
        self._replace(known, [slot], replace(known[slot], name=new))

    def forget(self, name: str) -> None:
        """Raises `UserError` for a name that the board does not know."""
        known = self.words()
        _find(known, name)
        for slot, word in known.items():
            if word.name == name:
                self._forget(slot)

    def reset(self) -> None:
        """Forget all words, and the settings: as the board was when it was flashed."""
        for slot in self.words():
            self._forget(slot)
        request = Command.SETTINGS + protocol.setting(decision.DEFAULT_SENSITIVITY, None)
        answer = f"{protocol.Settings(decision.DEFAULT_SENSITIVITY, None)}\n".encode()
        if not any(self._lines.bytes(request, len(answer), ANSWER_S) == answer for _ in range(ATTEMPTS)):
            raise UserError(GARBLED)

    def _replace(self, known: dict[int, Word], before: list[int], word: Word) -> int:
        """Put a word for those in these places: they go when it is there. On a full board the first goes before, and
        comes back if that fails."""
        if len(known) < words.MAX_WORDS:
            slot = self.put(_free(known), word)
            for old in before:
                self._forget(old)
            return slot
        slot = before[0]
        self._forget(slot)
        try:
            return self.put(slot, word)
        except UserError:
            with contextlib.suppress(UserError):
                self.put(slot, known[slot])
            raise

    def _read(self, slot: int) -> Word | None:
        """The word in a place, if there is one: what is read twice, and is none, is none."""
        seen = {protocol.ERASED, FORGOTTEN}
        for _ in range(ATTEMPTS):
            if (page := self._exchange(slot, NO_WORD)) is None:
                continue
            with contextlib.suppress(UserError):
                return Word.unpack(page)
            if page in seen:
                return None
            seen.add(page)
        raise UserError(GARBLED)

    def put(self, slot: int, word: Word) -> int:
        """Put a word into a place and return that. The board refuses where there is a word already: `UserError`."""
        page = word.pack()
        if not any(self._exchange(slot, page) == page for _ in range(ATTEMPTS)):
            raise UserError(f"the board did not keep {word.name!r}: look at its cable and power, then try again")
        return slot

    def _forget(self, slot: int) -> None:
        if not any(self._exchange(slot, FORGOTTEN) == FORGOTTEN for _ in range(ATTEMPTS)):
            raise UserError(GARBLED)

    def _exchange(self, slot: int, page: bytes) -> bytes | None:
        """Send a page and take what the place holds then; None where that does not come whole."""
        answer = self._lines.bytes(Command.WORD + protocol.page(page, slot), words.PAGE_BYTES, ANSWER_S)
        self._silent = self._silent and not answer
        if len(answer) == words.PAGE_BYTES:
            return answer
        isp.find_version(self._line)  # or what it still waits for would be the next request's
        return None


def _free(known: dict[int, Word]) -> int:
    """A free place. Raises `UserError` where there is none."""
    for slot in range(words.MAX_WORDS):
        if slot not in known:
            return slot
    raise _full(known)


def _full(known: dict[int, Word]) -> UserError:
    names = ", ".join(word.name for word in known.values())
    return UserError(f"the board keeps {words.MAX_WORDS} words and has no room for more ({names}): "
                     "`python -m tinyspeech forget --port PORT --word NAME` makes some")


def _find(known: dict[int, Word], name: str) -> int:
    """The place of a word."""
    for slot, word in known.items():
        if word.name == name:
            return slot
    raise UserError(f"the board knows no word {name!r}: {_there(known)}")


def _there(known: dict[int, Word]) -> str:
    return f"it knows {', '.join(word.name for word in known.values())}" if known else "none was taught to it"


@contextlib.contextmanager
def connected(port: str) -> Iterator[Board]:
    """A board at a serial port. Raises `UserError` where none answers, or one that keeps no words."""
    with contextlib.closing(isp.SerialLine(port)) as line:
        yield Board(line)


def flash_port(port: str, image: bytes, progress: bool = True) -> dict:
    """`isp.flash_port`, which erases all that a board keeps; its words come back, unless another network runs then.

    Adds `words`, how many there are then, and `file`: where those are that could not come back, or None. Raises
    `UserError` as it does; the line says where words are that were on the board.
    """
    before, file, spare = {}, None, paths.cache_folder() / "taught-words.npz"
    try:
        with connected(port) as board:
            network, before = board.network, board.words()
            if before:
                spare.parent.mkdir(parents=True, exist_ok=True)
                words.save(spare, board.model(), [*before.values()])
                file = str(spare)
    except isp.Talking:
        raise
    except (UserError, OSError):
        pass  # no words where another program runs; and where they cannot be kept in a file, they may come back still
    if not before:
        return {**isp.flash_port(port, image, progress), "words": 0, "file": None}
    try:
        result = isp.flash_port(port, image, progress)
    except UserError as error:
        where = "gone" if file is None else f"in {file}, for `listen --words`"
        raise type(error)(f"{error}; its taught words are {where}") from error
    with contextlib.suppress(UserError), connected(port) as board:
        if board.network == network:
            for slot, word in before.items():
                board.put(slot, word)
            return {**result, "words": len(before), "file": None}
    return {**result, "words": 0, "file": file}


def flash_of(taught: Sequence[Word]) -> bytes:
    """All places of a board that keeps these words, at most `words.MAX_WORDS`: else `UserError`."""
    if len(taught) > words.MAX_WORDS:
        raise UserError(f"a board keeps at most {words.MAX_WORDS} words, not {len(taught)}")
    return b"".join(word.pack() for word in taught).ljust(words.MAX_WORDS * words.PAGE_BYTES, b"\xff")


class Ears:
    """A virtual board with our firmware and some words: what it hears in recordings, one after the other.

    image : the firmware. taught : at most `words.MAX_WORDS`, else `UserError`
    """

    def __init__(self, image: bytes, taught: Sequence[Word]):
        numbered = [replace(word, name=str(i)) for i, word in enumerate(taught)]  # as none of the ten is called
        self.board = VirtualBoard(image.ljust(PLACES, b"\xff") + flash_of(numbered))
        self.board.advance(START_S)

    def heard(self, codes: np.ndarray) -> list[tuple[int, int]]:
        """(FRAME, index) of every taught word in a recording, mu-law, uint8 [n]. Raises `UserError` for a board that
        does not hear all of it."""
        self.board.send(Command.RECORDING)
        self.board.advance(START_S)
        for at in range(0, len(codes), frontend.HOP):
            part = codes[at : at + frontend.HOP]
            self.board.send(part.tobytes())
            self.board.advance(len(part) / frontend.SAMPLE_RATE_HZ)
        self.board.send(Command.STOP)
        self.board.advance(STOP_S)
        lines = [protocol.parse(line) for line in self.board.received().decode().splitlines()]
        if self.board.fault or protocol.Stopped(listening.frame_count(len(codes))) not in lines:
            raise UserError(f"the virtual board does not hear all of the recording: {self.board.fault or lines}")
        return [(line.frame, int(line.name)) for line in lines
                if isinstance(line, protocol.Word) and line.name.isdecimal()]


def heard_many(image: bytes, codes: Sequence[np.ndarray], taught: Sequence[Word],
               workers: int | None = None) -> list[list[tuple[int, int]]]:
    """`Ears.heard` of several recordings, in their order. workers : boards side by side, by default one a core"""
    workers = max(1, min(workers or os.cpu_count() or 1, len(codes)))
    ears = [Ears(image, taught) for _ in range(workers)]
    with ThreadPoolExecutor(workers) as pool:
        shares = list(pool.map(lambda i: [ears[i].heard(one) for one in codes[i::workers]], range(workers)))
    return [shares[i % workers][i // workers] for i in range(len(codes))]
