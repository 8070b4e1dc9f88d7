r"""What a host and our firmware say to each other over the serial port: 115200 baud, 8N1. Source: `firmware/main.c`.

| command | then the host sends | the board answers | chapter |
| --- | --- | --- | --- |
| `V` | | `tinyspeech NAME HASH` | 13 |
| `C` | a clip: int16, 8 kHz, low byte first | requests; 0, 12 logits (int32, low byte first), the class | 13 |
| `F` | the same | the same, and after each 160 samples 12 coefficients (int8) | 13 |
| `T` | | `test ok` or `test failed CHECKSUM`, of a second that it makes up | 13 |
| `L` | | `listening`, then `word NAME FRAME`, `lost COUNT`; at the end `stopped FRAME` | 10, 14 |
| `U` | a byte a sample, 8 kHz, mu-law; 0x7f | the same | 10, 14 |
| `M` | | `listening`, 12 coefficients (int8) a frame; at the end `stopped FRAME`. Or it teaches, see below | 12 |
| `S` | `setting`: a byte and its complement; or `?` | `settings P`, the byte that is kept | 11 |
| `W` | `page`: a taught word, its place, the place's complement | 64 bytes: what the place holds then | 12 |
| `B` | packets (`rom.py`) | nothing: the ROM bootloader takes over | 14 |
| 0x7f | | nothing | 14 |

A request is a byte, the number of samples that the board takes next: 96, then 160, 49 times. Lines end with `\n`;
FRAME counts the frames of 20 ms since the board began to listen. Any byte ends `L`, and is then taken as a command;
0x7f is the one that asks for nothing more. Of what comes while the board says `stopped`, and in the 6 ms in which it
keeps a setting, a byte at most is not lost: a host waits for the answer. Every other byte is noise. Samples that do not
come for a second (or two, in the middle of one) end `C`, `F` and `U`. When nothing has come for a second after a reset,
noise or such an end, or for a minute after a command, the board listens to its microphone by itself.

Where the network leaves room for it (`MODEL_TEACHES` in model.h), the board teaches words by itself, after `M` and when
its button, PD4 to ground, is pressed while it listens to its microphone:

| what happens | the board says | LED, PD0 |
| --- | --- | --- |
| `M` came, or the button was pressed | nothing for a second, in which the button bounces and is let go | as before |
| the button is still held after `HELD_S` | `forgot 8`: all words are; and it listens again | as before |
| no place is free | `full 8`; and it listens again | as before |
| it listens for take N, as `words.Teaching` does, with nothing before it | `take N` | lit |
| the take is taken; it has N now | `ok N`; then a second's pause | dark |
| it is refused; it has N now | `cut N`, `long N`, `clipped N`, `unlike N` | stays lit |
| the eighth is refused | the same; nothing is taught, and it listens again | lit until then |
| nothing was said for 8 s | `empty N`; nothing is taught, and it listens again | lit until then |
| it has five | `taught P`: the word `wordP` is kept in place P, 1 to 8; and it listens again | dark |

Any byte ends it, nothing is kept then, and the byte is taken as a command; the button begins it anew. What was not
refused is in RAM only, and the word in flash whole or not at all.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum

from tinyspeech import CLASSES
from tinyspeech.errors import UserError
from tinyspeech.integer import decision, frontend, words


class Command(bytes, Enum):
    """A byte that tells the firmware what to do; it can be sent as it is."""

    VERSION = b"V"
    CLASSIFY = b"C"
    FEATURES = b"F"
    """Classify, and show the frames' coefficients."""
    SELF_TEST = b"T"
    MICROPHONE = b"L"
    """Listen to the microphone."""
    RECORDING = b"U"
    """Listen to samples that come over the serial port."""
    COEFFICIENTS = b"M"
    """Listen to the microphone, and say what the front end makes of it; or where the board can, teach a word."""
    SETTINGS = b"S"
    """Keep what `setting` has made, or with `ASK` only say what is kept."""
    WORD = b"W"
    """Keep what `page` has made, and say what is kept; with `NO_WORD` only say it."""
    BOOTLOADER = b"B"
    STOP = b"\x7f"
    """End listening, of either kind. mu-law never has it: it would be its second zero (`mulaw.mulaw_encode`)."""


REQUESTS = (frontend.WINDOW - frontend.HOP, *[frontend.HOP] * frontend.N_FRAMES)
"""Samples that the firmware asks for in turn, after `C` and `F`: what its frames need of a clip."""
CLIP_BYTES = 2 * sum(REQUESTS)
"""7,936 samples, int16, of the 8,000 of a second."""
LISTENING = "listening"
TEST_OK = "test ok"
ASK = b"?"
SETTINGS_START = "settings "
"""So the answer to `S` begins."""
VERSION_START = "tinyspeech "
"""So the answer to `V` begins."""
LONGEST_VERSION = 120
"""Characters: a network's name has 64 at most, its hash 12."""
_WORD = re.compile(rf"[A-Za-z0-9_-]{{1,{words.NAME_BYTES}}}")
"""What a board calls a word: one of its network's, of at most 8 letters, or a taught one (`words.check_name`)."""
_COUNT = re.compile("[0-9]{1,12}")
NO_WORD = bytes(words.PAGE_BYTES)
"""In a word's place: the board sees that it is none and keeps what it has."""
TAUGHT = "taught"
"""In place of a first word: any taught one."""
ERASED = b"\xff" * words.PAGE_BYTES
"""What a place holds that was never used."""
_NAMELESS = bytes(words.PAGE_BYTES - 2)
FORGOTTEN = _NAMELESS + binascii.crc_hqx(_NAMELESS, words.CRC_START).to_bytes(2, "big")
"""A page that is whole, but has no name: it may take any word's place, and none is there then."""


@dataclass(frozen=True)
class Word:
    """The board heard a word."""

    name: str
    frame: int

    def __str__(self) -> str:
        return f"word {self.name} {self.frame}"


@dataclass(frozen=True)
class Lost:
    """Samples came faster than they were taken."""

    samples: int

    def __str__(self) -> str:
        return f"lost {self.samples}"


@dataclass(frozen=True)
class Stopped:
    """The board listens no more."""

    frames: int
    """That it heard."""

    def __str__(self) -> str:
        return f"stopped {self.frames}"


@dataclass(frozen=True)
class Settings:
    """What the user has set on a board. sensitivity : of `decision.SENSITIVITIES`."""

    sensitivity: str
    first_word: str | None
    """It opens an armed board, `TAUGHT`: any taught word does; None: the board is always open."""
    classes: tuple[str, ...] = field(default=CLASSES, compare=False, repr=False)
    """Of the network on the board."""

    def constants(self) -> dict[str, str | int | None]:
        """What `decision.Decision` and `listening.words` call them."""
        return {"sensitivity": self.sensitivity, "first_word": first_words(self.classes).get(self.first_word)}

    def __str__(self) -> str:
        return SETTINGS_START + chr(setting(self.sensitivity, self.first_word, self.classes)[0])


TEACHING = ("take", words.OK, *words.REFUSALS, "full", "taught", "forgot")
"""What a board says that teaches a word by itself: each with a number. In the firmware's order."""
REFUSALS = 8
"""Of takes of a word: then a board gives up."""
HELD_S = 3
"""The button for so long, and all words are forgotten."""


@dataclass(frozen=True)
class Teaching:
    """A line of a board that teaches."""

    what: str
    """One of `TEACHING`."""
    number: int
    """Of the take that is asked for, of takes so far, of the word's place, 1 .. 8; or of places."""

    def __str__(self) -> str:
        return f"{self.what} {self.number}"


def parse_teaching(line: str) -> Teaching | None:
    """What a line of a board that teaches says; None of any other."""
    match line.split(" "):
        case [what, number] if what in TEACHING and number.isdecimal() and number.isascii():
            return Teaching(what, int(number))
    return None


def page(word: bytes, slot: int) -> bytes:
    """What follows `W`: a page of 64 bytes, its place, 0 .. 7, and the place's complement.

    The board keeps a word whose CRC is right where there is none yet, and `FORGOTTEN` anywhere: so a word is lost to no
    power cut, and to no byte that is.
    """
    return word + bytes([slot, slot ^ 0xFF])


def first_words(classes: tuple[str, ...] = CLASSES) -> dict[str, int]:
    """What may open an armed board, and its number in `setting`. classes : of the network on the board"""
    return {name: number for number, name in enumerate(classes) if number >= decision.REJECTED} | {
        TAUGHT: decision.TAUGHT}


def setting(sensitivity: str, first_word: str | None, classes: tuple[str, ...] = CLASSES) -> bytes:
    """What follows `S`: the byte 64 + 16 * sensitivity + class of the first word, 0 for an open board, 1 for one that
    taught words open; and its complement, without which the board changes nothing.

    classes : of the network on the board

    Raises `UserError` for a sensitivity or a word that there is not.
    """
    if sensitivity not in decision.SENSITIVITIES:
        raise UserError(f"there is no sensitivity {sensitivity!r}: choose from {', '.join(decision.SENSITIVITIES)}")
    names = first_words(classes)
    if first_word is not None and first_word not in names:
        raise UserError(f"{first_word!r} is no word that opens an armed board: choose from {', '.join(names)}")
    code = 64 + 16 * decision.SENSITIVITIES.index(sensitivity) + names.get(first_word, 0)
    return bytes([code, code ^ 0xFF])


def parse_settings(line: str, classes: tuple[str, ...] = CLASSES) -> Settings | None:
    """The answer to `S` of a board whose network has these classes, or None of any other line."""
    code = line.removeprefix(SETTINGS_START)
    return None if code == line or len(code) != 1 else _settings(ord(code), classes)


def _settings(code: int, classes: tuple[str, ...] = CLASSES) -> Settings | None:
    """What the byte means; None where it is no setting."""
    sensitivity, word = divmod(code - 64, 16)
    names = {number: name for name, number in first_words(classes).items()} | {0: None}
    if not 0 <= sensitivity < len(decision.SENSITIVITIES) or word not in names:
        return None
    return Settings(decision.SENSITIVITIES[sensitivity], names[word], classes)


def transcript(words: Iterable[tuple[int, str]], frames: int) -> list[str]:
    """All the lines of a board that heard these (FRAME, NAME), `frames` frames in all, and lost nothing."""
    return [LISTENING, *(str(Word(name, frame)) for frame, name in words), str(Stopped(frames))]


def parse(line: str) -> Word | Lost | Stopped | None:
    """What a line of a board that listens says; None of any other line, of `LISTENING` as well."""
    match line.split(" "):
        case ["word", name, frame] if _WORD.fullmatch(name) and _COUNT.fullmatch(frame):
            return Word(name, int(frame))
        case ["lost", samples] if _COUNT.fullmatch(samples):
            return Lost(int(samples))
        case ["stopped", frames] if _COUNT.fullmatch(frames):
            return Stopped(int(frames))
    return None


def version_line(data: bytes) -> str | None:
    """A line, its end included, if it is the answer to `V`; otherwise None: also for one that cannot be printed."""
    text = data.decode("latin-1").strip()
    whole = data.endswith(b"\n") and text.startswith(VERSION_START) and len(text) <= LONGEST_VERSION
    return text if whole and text.isascii() and text.isprintable() else None


class CommandStream:
    """Follows what a host sends, as the firmware does: which bytes are commands, and which are data."""

    def __init__(self):
        self.restart()

    def restart(self) -> None:
        """The firmware was reset, and waits for a command."""
        self._data_bytes = 0
        self._until_stop = self._for_bootloader = self._may_set = False

    @property
    def recording(self) -> bool:
        """Whether what comes next are samples of a recording, until it is stopped."""
        return self._until_stop

    def take(self, data: bytes) -> list[Command]:
        """The commands in the next bytes, in their order; noise is none. What follows `B` is not for the firmware."""
        found = []
        for code in data:
            if self._for_bootloader:
                break
            if self._may_set:
                self._may_set, self._data_bytes = False, 0 if _settings(code) is None else 1
                continue
            if self._data_bytes:
                self._data_bytes -= 1
                continue
            if self._until_stop and code != Command.STOP[0]:
                continue
            self._until_stop = False
            if (command := _BY_CODE.get(code)) is None:
                continue
            found.append(command)
            self._data_bytes = _DATA_BYTES.get(command, 0)
            self._until_stop = command is Command.RECORDING
            self._for_bootloader = command is Command.BOOTLOADER
            self._may_set = command is Command.SETTINGS
        return found


_DATA_BYTES = {Command.CLASSIFY: CLIP_BYTES, Command.FEATURES: CLIP_BYTES, Command.WORD: len(page(NO_WORD, 0))}
_BY_CODE = {command[0]: command for command in Command}
