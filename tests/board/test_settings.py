"""What a user sets on a board: the answer, what is kept across power loss, and what a power cut leaves."""

import re

import numpy as np
import pytest
from support.played import lines_heard

from tinyspeech import paths, toolchain
from tinyspeech.board.direct import Board
from tinyspeech.board.microphone import SIGNAL_HZ, as_volts
from tinyspeech.board.protocol import (
    ASK,
    Command,
    CommandStream,
    Settings,
    Word,
    first_words,
    parse_settings,
    setting,
    transcript,
)
from tinyspeech.board.virtual import VirtualBoard, shipped_image
from tinyspeech.chip.assumptions import Assumptions
from tinyspeech.chip.emulator import Chip
from tinyspeech.errors import UserError
from tinyspeech.integer import frontend, listening
from tinyspeech.integer.decision import SENSITIVITIES
from tinyspeech.integer.network import IntegerModel
from tinyspeech.measure import live
from tinyspeech.sound import audio, datasets, mulaw

DEFAULT = Settings("normal", None)
ARMED = Settings("high", "yes")


@pytest.fixture
def board():
    board = VirtualBoard(shipped_image())
    board.advance(0.01)
    return board


@pytest.fixture(scope="module")
def speech():
    """The model and half a minute of clips in a row, "go" among them, in mu-law."""
    x = datasets.load_task(paths.BUNDLED, "validation", limit=24).arrays()[0]
    row = audio.in_a_row(x, audio.SAMPLE_RATE_HZ)[0]
    codes = mulaw.mulaw_encode(frontend.to_8khz(row[: len(row) // 2 * 2]))
    return IntegerModel.load(paths.model_file(paths.SHIPPED, ".npz")), np.asarray(codes)


def answer(board: VirtualBoard, data: bytes) -> Settings | None:
    board.received()
    board.send(Command.SETTINGS + data)
    board.advance(0.05)
    assert board.fault is None
    return parse_settings(board.received().decode().strip())


@pytest.mark.parametrize("wanted", [DEFAULT, ARMED, Settings("low", "go"), Settings("low", None)], ids=str)
def test_a_setting_is_kept_across_power_loss(board, wanted):
    assert answer(board, ASK) == DEFAULT
    assert answer(board, setting(wanted.sensitivity, wanted.first_word)) == wanted
    board.power_cycle()
    board.advance(0.01)
    assert answer(board, ASK) == wanted


@pytest.mark.parametrize("code", [0x3f, 0x4d, 0x4c, 0x4f, 0x70, 0x7f, 0xff, 0x00])
def test_other_bytes_change_nothing(board, code):
    assert answer(board, setting("high", "yes")) == ARMED
    assert answer(board, bytes([code])) == ARMED
    assert answer(board, bytes([code, code ^ 0xff])) == ARMED


def test_a_setting_without_its_complement_changes_nothing(board):
    """Not within the second that the board waits for it, either; and the next command is a command."""
    board.send(Command.SETTINGS + setting("high", "yes")[:1])
    board.advance(0.9)
    assert board.received() == b""
    board.advance(0.2)
    assert board.received() == b"settings P\n"
    board.send(Command.SETTINGS + setting("high", "yes")[:1] + Command.VERSION + Command.VERSION)
    board.advance(0.1)
    assert re.fullmatch(rb"settings P\ntinyspeech .*\n", board.received())


ALL = [setting(sensitivity, word) for sensitivity in SENSITIVITIES for word in (None, *first_words())]
LETTERS = {command[0] for command in Command}


def asked(chip: Chip, data: bytes) -> list[int]:
    """The bytes of the lines `settings` with which the firmware answers, as fast as it takes what it is sent."""
    said = b""
    chip.send(data)
    while (why := chip.run()) != "starved":
        assert why == "transmit"
        said += chip.received()
    return [line[9] for line in said.splitlines() if line.startswith(b"settings ")]


def test_no_other_complement_keeps_a_setting():
    """Every setting with every wrong third byte, 9,180 of them."""
    chip = Board(toolchain.build_firmware().elf).chip
    assert len(ALL) == 36
    for code in ALL:
        wrong = [Command.SETTINGS + code[:1] + bytes([other]) for other in range(256) if other != code[1]]
        assert asked(chip, b"".join(wrong)) == [ord("P")] * 255
    assert asked(chip, Command.SETTINGS + ALL[-1]) == [ALL[-1][0]]


def test_random_lines_set_what_they_confirm_and_nothing_else():
    """5,000 lines of what comes near to a setting, against the rule: `S`, one of 36 bytes, its complement. Left out are
    bytes that are commands of their own, but for `V`."""
    rng = np.random.default_rng(0)
    chip, kept, confirmed, unconfirmed = Board(toolchain.build_firmware().elf).chip, ord("P"), 0, 0
    noise = [bytes([code]) for code in range(256) if code not in LETTERS]
    usable = [code for code in ALL if code[0] not in LETTERS]
    for _ in range(5_000):
        code, other = usable[rng.integers(len(usable))], noise[rng.integers(len(noise))]
        parts = (b"S", b"S", code[:1], code[:1], code[1:], code, b"S" + code[:1], b"S?", b"V", other)
        line = b"".join(parts[i] for i in rng.integers(0, len(parts), 6)) + b"???"
        expected, rest = [], line
        while rest:
            first, rest = rest[:1], rest[1:]
            if first == b"S":
                set_to = next((code for code in ALL if rest.startswith(code)), None)
                valid = any(rest.startswith(code[:1]) for code in ALL)
                kept = kept if set_to is None else set_to[0]
                confirmed, unconfirmed = confirmed + (set_to is not None), unconfirmed + (valid and set_to is None)
                rest = rest[2 if valid else 1 :]
                expected.append(kept)
        assert asked(chip, line) == expected, line
    assert confirmed > 500 and unconfirmed > 1_000


def test_a_power_cut_leaves_the_old_setting_the_new_one_or_the_default(board):
    seen = set()
    for step in range(1, 60):
        assert answer(board, setting("low", "no")) == Settings("low", "no")
        board.send(Command.SETTINGS + setting("high", "yes"))
        board.advance(0.00015 * step)
        board.power_cycle()
        board.advance(0.01)
        seen.add(answer(board, ASK))
    assert seen == {Settings("low", "no"), DEFAULT, ARMED}


def test_settings_that_there_are_not_are_refused():
    for wrong in (("loud", None), ("low", "silence"), ("low", "tree")):
        with pytest.raises(UserError, match="choose from"):
            setting(*wrong)


def test_the_byte_behind_the_letter_is_no_command():
    stream = CommandStream()
    assert stream.take(Command.SETTINGS + b"L" + Command.VERSION) == [Command.SETTINGS, Command.VERSION]


def test_lines_are_understood_as_they_are_written():
    for settings in (DEFAULT, ARMED):
        assert parse_settings(str(settings)) == settings
    for rest in ("", " ", " ?", " M", " L", " p", " PP", " normal"):
        assert parse_settings("settings" + rest) is None
    assert parse_settings("word yes 3") is None


@pytest.mark.parametrize("code", [0x4D, 0x4C, 0x7F, 0x30])
def test_what_another_firmware_kept_is_the_default(code):
    image = shipped_image()
    word = (~code << 8 | code) & 0xFFFFFFFF
    board = VirtualBoard(image.ljust(0x3FC0, b"\xff") + 16 * word.to_bytes(4, "little"))
    board.advance(0.01)
    assert answer(board, ASK) == DEFAULT


@pytest.mark.parametrize("wanted", [*(Settings(sensitivity, None) for sensitivity in SENSITIVITIES),
                                    *(Settings(sensitivity, "go") for sensitivity in SENSITIVITIES)], ids=str)
def test_a_board_hears_what_the_definition_hears_with_its_settings(board, speech, wanted):
    model, codes = speech
    assert answer(board, setting(wanted.sensitivity, wanted.first_word)) == wanted
    words = listening.words(model, mulaw.mulaw_decode(codes), **wanted.constants())
    assert words and lines_heard(board, codes) == transcript(words, listening.frame_count(len(codes)))


CUT_S = 21.2
"""In the middle of a word that would be reported at 21.38, after two others."""


@pytest.mark.parametrize("flash_us", [3_000, 6_000])
def test_a_setting_in_the_middle_of_a_word_of_the_microphone(speech, flash_us):
    """A command ends the listening before the core stands still: nothing samples then. What comes with it, while the
    board says that it stopped, is lost and sets nothing; it is sent again. The next listening begins anew, and hears
    what the definition does of the readings that it takes, from the first on."""
    model, codes = speech
    board = VirtualBoard(shipped_image(), assuming=Assumptions(flash_us=flash_us))
    board.advance(0.01)
    sound = mulaw.mulaw_decode(codes)
    cut = round(CUT_S * frontend.SAMPLE_RATE_HZ)
    board.send(Command.MICROPHONE)
    board.advance(0.005)
    board.chip.connect_microphone(as_volts(sound, frontend.SAMPLE_RATE_HZ), SIGNAL_HZ)
    board.advance(CUT_S)
    before, conversions = board.received().decode(), board.chip.state.conversions
    board.send(Command.SETTINGS + setting("low", None))
    board.advance(0.1)
    assert re.fullmatch(r"stopped 10[56]\d\n", board.received().decode())
    assert answer(board, ASK) == DEFAULT and answer(board, setting("low", None)) == Settings("low", None)
    assert before.startswith("listening\nword ") and board.chip.state.conversions - conversions < 20
    rest = live.listen(board, as_volts(sound[cut:], frontend.SAMPLE_RATE_HZ), SIGNAL_HZ)
    words = [str(Word(name, frame)) for frame, name in listening.words(model, rest.samples, sensitivity="low")]
    assert len(words) >= 2 and [line for _, line in rest.lines] == ["listening", *words]
    assert board.chip.state.resets == 1 and board.fault is None


@pytest.mark.parametrize("flash_us", [3_000, 6_000])
def test_a_setting_between_two_halves_of_a_word_over_the_port(speech, flash_us):
    """When the first has ended; the second's command comes while the core stands still, and is taken behind it."""
    model, codes = speech
    board = VirtualBoard(shipped_image(), assuming=Assumptions(flash_us=flash_us))
    board.advance(0.01)
    cut = round(CUT_S * frontend.SAMPLE_RATE_HZ)

    def play(part: np.ndarray) -> None:
        for at in range(0, len(part), 160):
            board.send(part[at : at + 160].tobytes())
            board.advance(0.02)

    board.send(Command.RECORDING)
    board.advance(0.005)
    play(codes[:cut])
    board.send(Command.STOP)
    board.advance(0.02)
    board.send(Command.SETTINGS + setting("low", None) + Command.RECORDING)
    board.advance(0.05)
    play(codes[cut:])
    board.send(Command.STOP)
    board.advance(0.1)
    first, second = (mulaw.mulaw_decode(part) for part in (codes[:cut], codes[cut:]))
    lines = [*transcript(listening.words(model, first), listening.frame_count(len(first))), "settings @",
             *transcript(listening.words(model, second, sensitivity="low"), listening.frame_count(len(second)))]
    assert board.received().decode().splitlines() == lines and len(lines) > 7
    assert board.chip.state.overruns == 0 and board.fault is None and board.chip.state.resets == 1


def test_settings_change_what_is_heard(speech):
    """Or the boards above were not told apart."""
    model, codes = speech
    heard = {wanted: {*listening.words(model, mulaw.mulaw_decode(codes), **wanted.constants())}
             for wanted in (Settings("low", None), Settings("high", None), Settings("high", "go"))}
    low, high, armed = heard.values()
    assert len(low) < len(high) and armed < high
