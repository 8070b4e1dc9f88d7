"""A board that teaches words by itself says, shows and keeps what the definition makes of the same samples."""

import ctypes
import hashlib
import re
from dataclasses import replace

import numpy as np
import pytest
from support.asked import BUTTON, Asked, defined
from support.kept_words import ERASED, NAMELESS, answer, kept, page
from support.narrow import TEACHES, narrow, teaching
from support.speaker import CUT, LAMPS, hiss, take

from tinyspeech import paths, toolchain
from tinyspeech.board import protocol
from tinyspeech.board.direct import report_firmware
from tinyspeech.board.protocol import Command
from tinyspeech.board.virtual import shipped_image
from tinyspeech.chip.emulator import FLASH_BYTES, SRAM_BYTES
from tinyspeech.integer import frontend, trials, words
from tinyspeech.integer.header import c_header, leaves_room
from tinyspeech.sound import datasets
from tinyspeech.toolchain import compile as compiling

SHIPPED_SHA256 = "dad3a1ae1f334a401729fa4f9dc8e01ea5e1261d016d5f8d18d922cbb4d58cd3"
"""Of the firmware with the network that leaves no room."""


DEEPEST_STACK = int(re.search(r"bss_end \+ (\d+) \+ 32 <= stack_top", (paths.FIRMWARE / "ch32v003.ld").read_text())[1])
"""Bytes that the linker's script leaves."""
GCCS_STACK = 164
"""It saves more registers; nothing is then to spare that must be, so that gcc's is no firmware for boards."""


@pytest.fixture(scope="module")
def model():
    return teaching()


def lit(board: Asked) -> bool:
    return board.chip.pin("PD0")


def differences(board: Asked, model, place: int = 1, deepest_stack: int = DEEPEST_STACK) -> int:
    """Between what a board said and kept, and the definition."""
    lines, word = defined(model, f"word{place}", board.heard)
    said = [line for line in board.lines if line.split(" ")[0] in ("take", words.OK, *words.REFUSALS)]
    assert board.fault is None and board.chip.state.overruns == 0 and board.chip.stack_bytes <= deepest_stack
    return int(said[: len(lines)] != lines) + int(board.page(place - 1) != (word or ERASED))


# ---------------------------------------------------------------- which firmware


def test_the_firmware_that_ships_keeps_its_bytes():
    assert hashlib.sha256(shipped_image()).hexdigest() == SHIPPED_SHA256


def test_it_fits_beside_a_network_that_leaves_room():
    """At least 256 bytes of flash are unused, and 32 of RAM below the deepest stack."""
    folder = toolchain.firmware_with(c_header(teaching()))
    report = report_firmware(folder)
    assert report["flash_bytes"] + (words.MAX_WORDS + 1) * words.PAGE_BYTES <= FLASH_BYTES - 256
    assert report["data_bytes"] + report["bss_bytes"] + report["stack_bytes"] <= SRAM_BYTES - 32


def test_which_network_leaves_room():
    assert [leaves_room(narrow(width)) for width in (48, TEACHES + 4, TEACHES, 32)] == [False, False, True, True]
    assert not leaves_room(replace(narrow(), name="tinyspeech_s2"))  # its firmware is a byte longer
    for width in (48, TEACHES):
        assert f"#define MODEL_TEACHES (MODEL_TAP && {int(width == TEACHES)})" in c_header(narrow(width))


# ---------------------------------------------------------------- teaching


def test_a_word_is_taught_with_the_button_alone(model):
    """No byte comes: it is pressed while the board listens by itself; then the board hears the word."""
    board = Asked(*LAMPS, take("lamp_heart_06"))
    board.advance(1.5)
    assert board.lines == [protocol.LISTENING]
    board.press(0.2)
    assert board.until("take") == "take 1"
    board.advance(0.001)
    assert lit(board)
    assert board.until("ok") == "ok 1"
    board.advance(0.01)
    assert not lit(board)
    assert board.until("taught") == "taught 1"
    assert differences(board, model) == 0 and len(board.heard) == 5
    assert words.Word.unpack(board.page(0)).name == "word1"
    while not board.until("word").startswith("word word1 "):  # first one of the ten may be reported
        assert board.now < 60


def test_takes_that_are_none_are_asked_for_again(model):
    """The LED stays lit then; the words are kept in places one after the other."""
    loud = np.clip(30.0 * LAMPS[1], -32768, 32767).astype(np.int16)
    board = Asked(CUT, LAMPS[0], hiss(1.8), loud, hiss(0.5), *LAMPS)
    board.send(Command.COEFFICIENTS)
    for what in ("cut", "long", "clipped", "unlike"):
        board.until(what)
        board.advance(0.01)
        assert lit(board)
    assert board.until("taught") == "taught 1"
    assert differences(board, model) == 0
    assert [line.split()[0] for line in board.lines if line[:4] != "take"] == [
        "cut", "ok", "long", "clipped", "unlike", "unlike", *["ok"] * 4, "taught"]  # of two, either may be wrong


def trial(count: int, seed: int) -> tuple[int, dict[str, int], int]:
    """(Differences of so many takes said and hostile, how often each verdict, words that were taught)."""
    clips = list(frontend.to_8khz(datasets.load_task(paths.BUNDLED, "validation", limit=24).arrays()[0]))
    dice, model = np.random.default_rng(seed), teaching()
    wrong, verdicts, taught = 0, dict.fromkeys((words.OK, *words.REFUSALS), 0), 0
    sounds = list(trials.takes(clips, count, seed))
    while sounds:  # each other one is a lamp: or never a word would be taught
        said = [LAMPS[i % 5] if dice.integers(2) else sounds.pop(0) for i in range(12) if sounds]
        board = Asked(*said)
        board.send(Command.COEFFICIENTS)
        last = board.until("taught", "empty", protocol.LISTENING)  # the last behind eight refusals
        wrong, taught = wrong + differences(board, model), taught + (last == "taught 1")
        for line in board.lines:
            if line.split()[0] in verdicts:
                verdicts[line.split()[0]] += 1
    print(f"{sum(verdicts.values())} takes: {wrong} differences, {verdicts}, {taught} words")
    return wrong, verdicts, taught


def test_the_chip_is_taught_what_the_definition_is():
    wrong, verdicts, taught = trial(24, 1)
    assert wrong == 0 and verdicts["ok"] and taught


# ---------------------------------------------------------------- what ends it


def test_who_says_nothing_is_not_waited_for_twice(model):
    board = Asked()
    board.send(Command.COEFFICIENTS)
    assert board.until("empty") == "empty 0"
    assert board.until(protocol.LISTENING) and differences(board, model) == 0
    board.advance(0.3)
    assert not lit(board)


def test_the_eighth_refusal_ends_it(model):
    board = Asked(LAMPS[0], LAMPS[1], *[CUT] * 12)
    board.send(Command.COEFFICIENTS)
    assert board.until(protocol.LISTENING) and differences(board, model) == 0
    assert [line for line in board.lines if line[:4] != "take"] == ["ok 1", "ok 2", *["cut 2"] * 8, protocol.LISTENING]


@pytest.mark.parametrize("at", [0.01, 0.9, 1.5, 2.5, 3.0, 3.3, 3.6])
def test_any_byte_ends_it_and_nothing_is_kept(at):
    """Before the first ask, in a take, while the network hears it again, and in the pause behind it."""
    board = Asked(*LAMPS)
    board.send(Command.COEFFICIENTS)
    board.advance(at)
    board.send(Command.VERSION)
    board.advance(0.6)
    assert board.lines[-1].startswith(protocol.VERSION_START), board.lines
    assert kept(board) == [ERASED] * words.MAX_WORDS


def test_the_button_begins_anew(model):
    board = Asked(LAMPS[0], LAMPS[1], *LAMPS)
    board.send(Command.COEFFICIENTS)
    assert board.until("ok") == "ok 1"
    board.until("take")
    board.press(0.1)
    del board.heard[:], board.lines[:]
    board._play()
    assert board.until("taught") == "taught 1" and board.lines[0] == "take 1"
    assert differences(board, model) == 0


def test_no_place_is_free():
    board = Asked(*LAMPS)
    pages = [page(slot) for slot in range(words.MAX_WORDS)]
    for slot, one in enumerate(pages):
        board.put(slot, one)
    board.send(Command.COEFFICIENTS)
    assert board.until("full") == "full 8"
    board.advance(2.5)
    assert board.lines[-1] == protocol.LISTENING
    board.send(Command.STOP)
    board.advance(0.1)
    assert kept(board) == pages


@pytest.mark.parametrize("free", [0, 3, 7])
def test_the_first_free_place_is_taken(model, free):
    """What was forgotten is free, and what an interrupted write left."""
    board = Asked(*LAMPS)
    for slot in range(words.MAX_WORDS):
        if slot != free:
            board.put(slot, page(slot))
    before = NAMELESS if free == 3 else page(9)[:40] + ERASED[40:]
    board.put(free, before)
    board.send(Command.COEFFICIENTS)
    assert board.until("taught") == f"taught {free + 1}"
    assert differences(board, model, free + 1) == 0
    assert [board.page(slot) for slot in range(8) if slot != free] == [page(slot) for slot in range(8) if slot != free]


# ---------------------------------------------------------------- the button


def test_a_button_that_is_held_forgets_all_words():
    board = Asked()
    for slot in (0, 5):
        board.put(slot, page(slot))
    board.send(Command.MICROPHONE)
    board.advance(1.0)
    board.press(2.9)  # not quite
    board.until("take")
    board.send(Command.STOP)
    board.advance(0.2)
    assert kept(board)[::5] == [page(0), page(5)]
    board.send(Command.MICROPHONE)
    board.advance(0.5)
    board.press(3.2)
    assert "forgot 8" in board.lines
    board.until(protocol.LISTENING)
    board.send(Command.STOP)
    board.advance(0.2)
    assert kept(board) == [ERASED] * words.MAX_WORDS


def test_the_button_does_not_end_a_recording_that_comes_over_the_port():
    board = Asked()
    board.send(Command.RECORDING)
    board.chip.drive(BUTTON, False)
    for _ in range(50):
        board.send(b"\xff" * 160)
        board.advance(0.02)
    board.send(Command.STOP)
    board.advance(0.1)
    board.chip.drive(BUTTON, None)
    assert board.lines[-1].startswith("stopped 4") and not any(protocol.parse_teaching(line) for line in board.lines)


# ---------------------------------------------------------------- power


class Moment:
    """A virtual board at a moment, to which it can be brought back."""

    def __init__(self, board: Asked):
        self.board, self.memory = board, [(whole, bytes(whole)) for whole in (board.chip._memory, board._memory)]
        self.fields = {name: getattr(board, name) for name in ("_waiting", "_text", "_before")}

    def again(self) -> None:
        for whole, data in self.memory:
            ctypes.memmove(whole, data, len(data))
        for name, value in self.fields.items():
            setattr(self.board, name, value)
        self.board.received()
        del self.board.lines[:]


@pytest.mark.parametrize("before", [ERASED, NAMELESS], ids=["erased", "forgotten"])
def test_a_power_cut_leaves_no_word_or_the_new_one(model, before):
    """At every tenth of a millisecond from before the page is erased until after it was programmed."""
    board = Asked(*LAMPS)
    board.put(1, page(2))
    board.put(0, before)
    board.send(Command.COEFFICIENTS)
    while board.until("ok") != "ok 5":
        pass
    word = defined(model, "word1", board.heard)[1]
    while board.page(0) == before:  # the second's pause, and the page
        moment = Moment(board)
        board.advance(0.002)
    found = set()
    for tenths in range(100):
        moment.again()
        board.advance(0.0001 * tenths)
        board.power_cycle()
        board.advance(0.02)
        assert answer(board, protocol.NO_WORD, 1) == page(2)
        data = answer(board, protocol.NO_WORD, 0)
        found.add("new" if data == word else "old" if data == before else "none")
        if data != word:
            with pytest.raises(words.UserError):
                words.Word.unpack(data)
    assert found == ({"old", "new"} if before == ERASED else {"old", "none", "new"})


def test_a_power_cut_while_words_are_forgotten_leaves_each_as_it_was_or_none():
    board = Asked()
    pages = [page(slot) for slot in range(words.MAX_WORDS)]
    for slot, one in enumerate(pages):
        board.put(slot, one)
    board.send(Command.MICROPHONE)
    board.advance(0.5)
    board.chip.drive(BUTTON, False)
    while board.page(0) == pages[0]:
        moment = Moment(board)
        board.advance(0.005)
    states = set()
    for half_ms in range(0, 130):
        moment.again()
        board.chip.drive(BUTTON, False)
        board.advance(0.0005 * half_ms)
        board.chip.drive(BUTTON, None)
        board.power_cycle()
        board.advance(0.02)
        left = [data for data, one in zip(kept(board), pages, strict=True) if data == one]
        states.add(len(left))
        for data in kept(board):
            assert data in pages or data == ERASED
    assert states == {*range(words.MAX_WORDS + 1)}


# ---------------------------------------------------------------- compilers


@pytest.mark.skipif(not toolchain.has_gcc(), reason="gcc-riscv64-unknown-elf is not installed")
def test_gccs_build_teaches_the_same(tmp_path, monkeypatch):
    """Beside a network that leaves even more room, since its code is larger."""
    model = narrow(24)
    monkeypatch.setattr(compiling, "CACHE", tmp_path)
    monkeypatch.setattr(compiling, "GCC_COMPILE", [flag for flag in compiling.GCC_COMPILE if "MODEL_TAP" not in flag])
    folder = toolchain.firmware_with(c_header(model))
    built = toolchain.build_firmware(folder, compiler="gcc")
    assert toolchain.forbidden_instructions(built.elf) == []
    pages = []
    for image in (built.bin, toolchain.build_firmware(folder, xw=False).bin):
        board = Asked(LAMPS[0], hiss(0.5), *LAMPS, image=image.read_bytes())
        board.send(Command.COEFFICIENTS)
        assert board.until("taught") == "taught 1" and differences(board, model, deepest_stack=GCCS_STACK) == 0
        pages.append(board.page(0))
    assert pages[0][:8] == pages[1][:8] == b"word1\0\0\0"
