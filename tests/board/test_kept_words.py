"""Taught words in the board's flash: read, kept, forgotten, across power loss, and what a power cut leaves of them."""

import binascii
import ctypes

import pytest
from support.kept_words import ERASED, NAMELESS, NOTHING, answer, kept, page, request

from tinyspeech import toolchain
from tinyspeech.board.direct import Board, report_firmware
from tinyspeech.board.protocol import ASK, Command, Settings, parse_settings, setting
from tinyspeech.board.virtual import VirtualBoard, shipped_image
from tinyspeech.chip.emulator import FLASH_BYTES, SRAM_BYTES
from tinyspeech.errors import UserError
from tinyspeech.integer import words
from tinyspeech.paths import FIRMWARE


@pytest.fixture
def board():
    board = VirtualBoard(shipped_image())
    board.advance(0.01)
    return board


def test_eight_words_are_kept_across_power_loss_and_forgotten(board):
    assert kept(board) == [ERASED] * words.MAX_WORDS
    pages = [page(slot) for slot in range(words.MAX_WORDS)]
    for slot in (3, 0, 7, 1, 2, 6, 5, 4):
        assert answer(board, pages[slot], slot) == pages[slot]
    board.power_cycle()
    board.advance(0.01)
    assert kept(board) == pages
    assert answer(board, NAMELESS, 5) == NAMELESS
    assert kept(board) == [*pages[:5], NAMELESS, *pages[6:]]
    assert answer(board, page(9), 5) == page(9)


def test_no_word_is_replaced(board):
    """Or none would be there, where the power fails in between."""
    assert answer(board, page(1), 2) == page(1)
    for other in (page(2), page(2, "word1")):
        assert answer(board, other, 2) == page(1)
    assert answer(board, NAMELESS, 2) == NAMELESS


def test_what_is_no_whole_word_is_not_kept(board):
    whole = page(1)
    version = whole[: words.NAME_BYTES] + b"\1" + whole[words.NAME_BYTES + 1 : -2]
    wrong = [whole[:at] + bytes([whole[at] ^ 1 << at % 8]) + whole[at + 1 :] for at in range(0, 64, 5)]
    wrong += [version + binascii.crc_hqx(version, words.CRC_START).to_bytes(2, "big"), ERASED]
    for data in wrong:
        assert answer(board, data, 1) == ERASED
    assert answer(board, whole, 1) == whole
    for data in wrong:
        assert answer(board, data, 1) == whole


def test_other_slots_and_complements_are_not_answered():
    """1,278 requests, of which none is obeyed."""
    chip = Board(toolchain.build_firmware().elf).chip
    before = bytes(chip.state.flash[:])
    for slot in (0, 7, 8, 0x47, 0xFF):
        chip.send(b"".join(Command.WORD + page(1) + bytes([slot, other]) for other in range(256)
                           if slot >= words.MAX_WORDS or other != slot ^ 0xFF))
        assert chip.run() == "starved" and chip.received() == b""
    assert bytes(chip.state.flash[:]) == before


def test_bytes_that_break_off_change_nothing_and_leave_no_one_deaf(board):
    for count in (1, 10, 64, 65, 66):
        board.send(request(page(1), 0)[:count])
        board.advance(1.1)
        assert board.received() == b""
    board.send(Command.VERSION)
    board.advance(0.01)
    assert board.received().startswith(b"tinyspeech ")
    assert answer(board, NOTHING, 0) == ERASED
    board.advance(2.5)
    assert not board.received()  # a minute after a command


def outcomes(board: VirtualBoard, before: bytes, data: bytes) -> set[bytes]:
    """What slot 3 may hold where the power fails while it is sent this; the rest must stay as it is."""
    others, wanted = [page(slot) for slot in (2, 4)], Settings("high", "yes")
    flash, found = board.chip.state.flash, set()
    assert answer(board, others[0], 2) == others[0] and answer(board, others[1], 4) == others[1]
    board.send(Command.SETTINGS + setting(wanted.sensitivity, wanted.first_word))
    board.advance(0.05)
    for tenths in range(55, 170):
        flash[0x3DC0 + 3 * 64 : 0x3DC0 + 4 * 64] = before
        board.send(request(data, 3))
        board.advance(0.0001 * tenths)
        board.power_cycle()
        board.advance(0.01)
        assert [answer(board, NOTHING, slot) for slot in (2, 4)] == others
        found.add(answer(board, NOTHING, 3))
    board.send(Command.SETTINGS + ASK)
    board.advance(0.05)
    assert parse_settings(board.received().decode().strip()) == wanted
    return found


def test_a_power_cut_leaves_the_old_state_or_the_new_one(board):
    """At every tenth of a millisecond from before the page is erased until after it was programmed."""
    new, old = page(7), page(8)
    assert outcomes(board, NAMELESS, new) == {NAMELESS, ERASED, new}  # two of them none: old; and new
    assert outcomes(board, old, NAMELESS) == {old, ERASED, NAMELESS}  # old; and forgotten, twice


@pytest.fixture(scope="module")
def word_whole():
    path = toolchain.build_host_library([FIRMWARE / name for name in ("words.c", "matching.c")], sanitize=True)
    function = ctypes.CDLL(str(path)).word_whole
    return lambda data: bool(function(ctypes.c_char_p(data)))


def understood(data: bytes) -> bool:
    try:
        words.Word.unpack(data)
    except UserError as error:
        return "half" not in str(error)
    return True


@pytest.mark.parametrize("before", [ERASED, NOTHING, page(2), NAMELESS], ids=["erased", "zero", "word", "none"])
def test_half_a_page_is_no_word(word_whole, before):
    """Whatever was there or is not yet written, and with every bit wrong."""
    whole = page(1)
    assert word_whole(whole) and understood(whole)
    for at in range(words.PAGE_BYTES):
        data = whole[:at] + before[at:]
        assert not word_whole(data) or data in (whole, before)
        assert word_whole(data) == understood(data)
        for bit in range(8):
            assert not word_whole(whole[:at] + bytes([whole[at] ^ 1 << bit]) + whole[at + 1 :])


def test_the_image_and_what_is_kept_leave_room():
    """At least 256 bytes of flash, and 32 of RAM below the deepest stack."""
    report = report_firmware()
    assert report["flash_bytes"] + (words.MAX_WORDS + 1) * words.PAGE_BYTES <= FLASH_BYTES - 256
    assert report["data_bytes"] + report["bss_bytes"] + report["stack_bytes"] <= SRAM_BYTES - 32
