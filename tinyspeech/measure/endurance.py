"""A board that listens for hours on end: words, noise, silence, what no microphone should give, and a busy serial port.

    python -m tinyspeech measure endurance --hours 24

The virtual board is powered on once. Then it listens, again and again, from seconds to an hour at a time, and between
two times the host asks it things, sets it, or sends it noise. Every line is held against the definition, and so is what
an engineer would look at in a device that came back from the field: samples lost, resets, the stack, the bytes of RAM
that nobody uses, the flash. Chapter 13.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path

import numpy as np

from tinyspeech import toolchain
from tinyspeech.board import protocol
from tinyspeech.board.protocol import Command
from tinyspeech.board.virtual import VirtualBoard
from tinyspeech.errors import UserError
from tinyspeech.integer import decision, frontend, listening, words
from tinyspeech.integer.network import IntegerModel
from tinyspeech.measure import hours as by_definition
from tinyspeech.measure import live
from tinyspeech.paths import BUNDLED, SHIPPED, model_file
from tinyspeech.sound import datasets, recordings
from tinyspeech.sound.noise import noise_folder
from tinyspeech.toolchain.elf import SRAM_BASE

RATE_HZ = frontend.SAMPLE_RATE_HZ
"""Of the microphone's signal; the ADC sees straight lines between its samples."""
SHORTEST_S, LONGEST_S = 2.0, 3600.0
"""Of a time that it listens: any length between, by its logarithm."""
PIECE_S = (0.5, 12.0)
"""Of one kind of sound."""
STEP_S = 0.5
"""Of the board's time between two looks at what it said: 58 lines fit its port's buffer."""
GUARD_BYTES, GUARD = 32, 0xA5
"""Of RAM that nobody may touch, between the variables and the deepest stack; what stands in them."""
MUST_BE_0 = ("lines_differ", "samples_lost", "answers_wrong", "resets", "guard_bytes_changed", "flash_bytes_changed")
"""Of what `endure` counts."""
SELF_START_S = 1.5
"""A second of quiet behind noise, and then it listens by itself."""


@dataclass
class Sounds:
    """What the microphone hears: a generator of voltages, uint16 at `RATE_HZ`."""

    dice: np.random.Generator
    clips: np.ndarray
    """int16 [n, 8000] at 8 kHz: words."""
    beds: Sequence[np.ndarray]
    """int16 [n] at 8 kHz each: noise, and speech if there is some; played round and round."""
    seconds: Counter = field(default_factory=Counter)
    """Of each kind so far."""

    def play(self, seconds: float) -> np.ndarray:
        """So much of everything, uint16 [n]."""
        left, pieces = round(seconds * RATE_HZ), []
        while left > 0:
            kind = KINDS[int(self.dice.integers(len(KINDS)))]
            count = min(left, round(self.dice.uniform(*PIECE_S) * RATE_HZ))
            pieces.append(getattr(self, f"_{kind}")(count))
            self.seconds[kind] += count / RATE_HZ
            left -= count
        wave = np.concatenate(pieces) if pieces else np.zeros(0)
        return np.clip(np.rint(32768 + wave), 0, 65535).astype(np.uint16)

    def _words(self, count: int) -> np.ndarray:
        """One after the other, as loud as it comes, in some noise."""
        wave = self._noise(count) * self.dice.uniform(0, 0.2)
        at = int(self.dice.integers(RATE_HZ // 2))
        while at + self.clips.shape[1] < count:
            clip = self.clips[self.dice.integers(len(self.clips))]
            wave[at : at + len(clip)] += self.dice.uniform(0.1, 4) * clip
            at += len(clip) + int(self.dice.integers(RATE_HZ))
        return wave

    def _noise(self, count: int) -> np.ndarray:
        bed = self.beds[int(self.dice.integers(len(self.beds)))]
        return np.resize(np.roll(bed, -int(self.dice.integers(len(bed)))), count) * self.dice.uniform(0.1, 3)

    def _silence(self, count: int) -> np.ndarray:
        """Of an amplifier: not one step of the converter."""
        return np.zeros(count)

    def _hiss(self, count: int) -> np.ndarray:
        return self.dice.normal(0, self.dice.uniform(1, 3000), count)

    def _hum(self, count: int) -> np.ndarray:
        """Of the mains, with an offset that settles."""
        t, (hum, offset) = np.arange(count) / RATE_HZ, self.dice.uniform((0, -20_000), 20_000)
        return hum * np.sin(2 * np.pi * 50 * t) + offset * np.exp(-t / 0.3)

    def _loudest(self, count: int) -> np.ndarray:
        """From one rail to the other, as often as it can be: the most that the front end can be given."""
        return 40_000 * np.sign(self.dice.normal(size=count))

    def _thumps(self, count: int) -> np.ndarray:
        wave = np.zeros(count)
        wave[self.dice.integers(count, size=max(1, count // RATE_HZ))] = 32_000
        return wave


KINDS = ("words", "words", "noise", "noise", "silence", "hiss", "hum", "loudest", "thumps")
"""Of sound, as often as they are listed."""


def endure(hours: float, seed: int = 0, folders: Iterable[Path] = (),
           told: Callable[[float], None] = lambda seconds: None) -> dict:
    """Let a board listen for so many hours of its time, and count what went wrong.

    folders : recordings that sound among the rest, at any rate and of any length
    told : how many seconds of listening a time had, whenever one is over

    Returns, of the board: `hours` that it listened, `times`, `words` that it said, `kinds` (seconds of each kind of
    sound), `queries`, `stack_bytes`, the deepest; and `MUST_BE_0`: lines that differ from the definition's, samples
    lost, wrong answers on the port, resets behind the first, and bytes changed of `GUARD` and of flash but the
    settings. Raises `UserError` where the chip stops, and for hours that are none.
    """
    if not 0 < hours <= 24 * 365:
        raise UserError(f"a board can listen for more than 0 hours and at most a year, not {hours:g}")
    device = _Device(seed, folders)
    while device.listened < hours * 3600 - 1e-6:
        device.chat()
        seconds = np.exp(device.dice.uniform(np.log(SHORTEST_S), np.log(LONGEST_S)))
        seconds = min(seconds, hours * 3600 - device.listened)
        device.listen(seconds)
        told(seconds)
    return device.figures()


class _Device:
    """A board, who talks to it, and what was counted."""

    def __init__(self, seed: int, folders: Iterable[Path]):
        self.dice = np.random.default_rng(seed)
        self.model = IntegerModel.load(model_file(SHIPPED, ".npz"))
        noise = [recordings.at_8khz(path) for path in recordings.found(noise_folder(BUNDLED))]
        given = [recordings.at_8khz(path) for folder in folders for path in recordings.found(folder)]
        clips = frontend.to_8khz(datasets.load_task(BUNDLED, "validation").arrays()[0])
        self.sounds = Sounds(self.dice, clips, [*noise, *given])
        self.counts: Counter = Counter()
        self.settings = protocol.Settings("normal", None)
        firmware = toolchain.build_firmware()
        self.board = VirtualBoard(firmware.bin.read_bytes())
        self.board.advance(0.1)
        *_, (_, self._free, _) = toolchain.ram_objects(firmware.elf)
        self._ram(self._free, GUARD_BYTES)[:] = [GUARD] * GUARD_BYTES
        self._flash = self._flash_now()
        self.listened, self._resets = 0.0, self.board.chip.state.resets

    def chat(self) -> None:
        """Between two times: some of all that a host, or a bad line, may send; each answer is known."""
        for _ in range(int(self.dice.integers(6))):
            self.counts["queries"] += 1
            getattr(self, f"_{CHATTER[int(self.dice.integers(len(CHATTER)))]}")()

    def listen(self, seconds: float) -> None:
        """Once, for so long; or a little longer where it begins by itself."""
        volts, before = self.sounds.play(seconds), self.board.chip.state.conversions
        self.board.chip.connect_microphone(volts, RATE_HZ, waits=True)
        text = b""
        if self.dice.random() < 0.5:
            self.board.send(Command.MICROPHONE)
        else:
            self.board.send(b"\x00")  # noise
            text += self._wait(SELF_START_S)
        until = self.board.now + seconds
        while self.board.now < until - 1e-6:
            text += self._wait(min(STEP_S, until - self.board.now))
        self.board.send(Command.STOP)
        text += self._wait(STEP_S)
        self.listened += seconds
        self.counts["times"] += 1
        self._compare(text.decode("ascii", "replace").splitlines(), volts, before)

    def _compare(self, lines: list[str], volts: np.ndarray, before: int) -> None:
        chip = self.board.chip
        samples = live.converted(chip, volts, RATE_HZ, chip.state.conversions - before)
        stopped = protocol.parse(lines[-1]) if lines else None
        frames = stopped.frames if isinstance(stopped, protocol.Stopped) else 0
        scores = by_definition.scores_of(self.model, samples[: frontend.WINDOW + frames * frontend.HOP])
        said = by_definition.reports(scores, **self.settings.constants())
        want = protocol.transcript(said, listening.frame_count(len(samples)))
        self.counts["words"] += len(said)
        self.counts["samples_lost"] += sum(lost.samples for line in lines
                                           if isinstance(lost := protocol.parse(line), protocol.Lost))
        pairs = zip_longest(lines, want)
        self.counts["lines_differ"] += sum(got != defined for got, defined in pairs)

    def _wait(self, seconds: float) -> bytes:
        self.board.advance(seconds)
        if self.board.fault:
            raise UserError(f"the board does not listen any more: {self.board.fault}")
        return self.board.received()

    def _ask(self, request: bytes, answer: bytes, seconds: float = 0.1) -> None:
        self.board.send(request)
        self.counts["answers_wrong"] += self._wait(seconds) != answer

    def _version(self) -> None:
        self._ask(Command.VERSION, f"{protocol.VERSION_START}{self.model.name} {self.model.digest}\n".encode())

    def _test(self) -> None:
        self._ask(Command.SELF_TEST, f"{protocol.TEST_OK}\n".encode(), 1.0)

    def _set(self) -> None:
        """Sensitivity and first word, which are kept."""
        first = [None, *protocol.first_words(self.model.classes)]
        self.settings = protocol.Settings(str(self.dice.choice(decision.SENSITIVITIES)),
                                          first[int(self.dice.integers(len(first)))], self.model.classes)
        self._ask(Command.SETTINGS + protocol.setting(self.settings.sensitivity, self.settings.first_word),
                  f"{self.settings}\n".encode())

    def _half_set(self) -> None:
        """A setting without its complement changes nothing."""
        self._ask(Command.SETTINGS + protocol.setting("high", None)[:1] * 2, f"{self.settings}\n".encode())

    def _no_word(self) -> None:
        self._ask(Command.WORD + protocol.page(protocol.NO_WORD, int(self.dice.integers(8))), protocol.ERASED, 0.2)

    def _broken_clip(self) -> None:
        """Some samples, and then none for a second: it waits for commands again."""
        self.board.send(Command.CLASSIFY + self.dice.bytes(2 * int(self.dice.integers(1, 90))))
        self._ask(b"", bytes([protocol.REQUESTS[0]]), 1.2)
        self._ask(Command.STOP, b"", 0.05)

    def _noise(self) -> None:
        """Bytes that are no command; a byte is one afterwards, at once."""
        self._ask(self.dice.choice(NOISE, int(self.dice.integers(1, 40))).tobytes() + Command.STOP, b"", 0.1)

    def _ram(self, address: int, count: int) -> np.ndarray:
        """A view of the chip's RAM."""
        return np.frombuffer(self.board.chip.state.sram, np.uint8)[address - SRAM_BASE :][:count]

    def _flash_now(self) -> bytes:
        """But the last page, which keeps the settings."""
        return bytes(self.board.chip.state.flash[: -words.PAGE_BYTES])

    def figures(self) -> dict:
        """As `endure` returns them."""
        counts = {key: self.counts[key] for key in
                  ("times", "words", "queries", "lines_differ", "samples_lost", "answers_wrong")}
        return {"hours": round(self.listened / 3600, 3), **counts,
                "resets": self.board.chip.state.resets - self._resets,
                "guard_bytes_changed": int((self._ram(self._free, GUARD_BYTES) != GUARD).sum()),
                "flash_bytes_changed": sum(a != b for a, b in zip(self._flash, self._flash_now(), strict=True)),
                "stack_bytes": self.board.chip.stack_bytes,
                "kinds": {kind: round(seconds) for kind, seconds in sorted(self.sounds.seconds.items())}}


CHATTER = ("version", "test", "set", "half_set", "no_word", "broken_clip", "noise")
NOISE = np.setdiff1d(np.arange(256), [command[0] for command in Command]).astype(np.uint8)
