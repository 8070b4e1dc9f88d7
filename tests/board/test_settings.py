"""What a user sets on a board: the answer, what is kept across power loss, and what a power cut leaves."""

import pytest

from tinyspeech.board.protocol import ASK, Command, CommandStream, Settings, parse_settings, setting
from tinyspeech.board.virtual import VirtualBoard, shipped_image
from tinyspeech.errors import UserError

DEFAULT = Settings("normal", None)
ARMED = Settings("high", "yes")


@pytest.fixture
def board():
    board = VirtualBoard(shipped_image())
    board.advance(0.01)
    return board


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


@pytest.mark.parametrize("code", [0x3f, 0x41, 0x4c, 0x4f, 0x70, 0x7f, 0xff, 0x00])
def test_other_bytes_change_nothing(board, code):
    assert answer(board, setting("high", "yes")) == ARMED
    assert answer(board, bytes([code])) == ARMED


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
    assert parse_settings("settings") is None and parse_settings("word yes 3") is None
