"""Taught words over a port: our firmware on the virtual board, and every way in which a cable may spoil it."""

import re

import pytest
from support.stand_in import Direct
from support.taught_words import any_word as word

from tinyspeech import paths, toolchain
from tinyspeech.board import isp, monitor, probe, taught
from tinyspeech.board.cable import Cable
from tinyspeech.board.protocol import FORGOTTEN, NO_WORD, Settings
from tinyspeech.board.virtual import VirtualBoard, shipped_image
from tinyspeech.chip.firmware import exported_hash, firmware_folder
from tinyspeech.errors import UserError
from tinyspeech.integer import words
from tinyspeech.integer.network import IntegerModel

VERSION = f"tinyspeech {paths.SHIPPED} {exported_hash()}"
PLACES = 0x3DC0
"""Of the words, in flash."""


def board_of(chip: VirtualBoard | None = None, **faults) -> taught.Board:
    """A board at the end of a cable. faults : of `Cable`, by way, such as to={3: "drop"}"""
    chip = chip or VirtualBoard(shipped_image())
    cable = Cable(chip, {("to" if way == "to" else "from", n): fault for way, some in faults.items()
                         for n, fault in some.items()})
    return taught.Board(cable, lambda: chip.now)


def pages(board: taught.Board) -> list[bytes]:
    """What lies in the board's flash."""
    flash = bytes(board._line.board.chip.state.flash)
    return [flash[at : at + words.PAGE_BYTES] for at in range(PLACES, PLACES + 512, words.PAGE_BYTES)]


@pytest.fixture
def board():
    return board_of()


def test_words_are_kept_found_and_read(board):
    assert board.names() == {}
    lamp, tea = word("lamp"), word("tea", 1)
    assert (board.keep(lamp), board.keep(tea)) == (0, 1)
    assert board.names() == {0: "lamp", 1: "tea"}
    assert [one.pack() for one in board.words().values()] == pages(board)[:2] == [lamp.pack(), tea.pack()]


def test_words_outlive_a_power_cut_and_other_programs_at_the_port(board):
    board.keep(word("lamp"))
    board._line.board.power_cycle()
    assert board_of(board._line.board).names() == {0: "lamp"}


def test_a_word_that_is_there_is_not_written_again(board):
    board.keep(word("lamp"))
    sent = len(board._line.log)
    assert board.keep(word("lamp")) == 0
    assert word("lamp").pack() not in bytes(byte for _, way, byte in board._line.log[sent:] if way == "to")


def test_a_word_is_replaced_by_way_of_a_free_place(board, monkeypatch):
    """So that there is no moment at which none of the two is whole."""
    board.keep(word("lamp"))
    seen, forget = [], board._forget
    monkeypatch.setattr(board, "_forget", lambda slot: (seen.append((slot, board.names())), forget(slot)))
    assert board.keep(word("lamp", 1)) == 1
    assert seen == [(0, {0: "lamp", 1: "lamp"})] and board.names() == {1: "lamp"}
    assert pages(board)[0] == FORGOTTEN


@pytest.fixture
def full(board):
    for i in range(words.MAX_WORDS):
        board.keep(word(f"word{i}", i))
    return board


def test_a_full_board_takes_no_other_word(full):
    before = pages(full)
    with pytest.raises(UserError, match=r"keeps 8 words .*word0, .*word7.*forget --port PORT --word NAME"):
        full.keep(word("lamp"))
    assert pages(full) == before


def test_a_full_board_replaces_and_renames(full):
    assert full.keep(word("word3", 99)) == 3 and pages(full)[3] == word("word3", 99).pack()
    full.rename("word5", "tea")
    assert pages(full)[5] == word("tea", 5).pack() and len(full.names()) == 8


def test_on_a_full_board_what_cannot_be_replaced_stays(full, monkeypatch):
    before, put = pages(full), full.put

    def fails(slot, one):
        if one.name == "tea":
            raise UserError("the board did not keep it")
        return put(slot, one)

    monkeypatch.setattr(full, "put", fails)
    with pytest.raises(UserError, match="did not keep"):
        full.rename("word5", "tea")
    assert pages(full) == before


def test_a_word_is_renamed(board):
    board.keep(word("lamp"))
    board.keep(word("tea", 1))
    board.rename("lamp", "light")
    assert board.names() == {1: "tea", 2: "light"} and pages(board)[2] == word("light").pack()
    sent = len(board._line.log)
    board.rename("light", "light")
    assert word("light").pack() not in bytes(byte for _, way, byte in board._line.log[sent:] if way == "to")


@pytest.mark.parametrize("old, new, match", [
    ("tree", "light", "no word 'tree': it knows lamp, tea"), ("lamp", "tea", "knows a word 'tea' already"),
    ("lamp", "a lamp", "1 to 8 letters"), ("lamp", "chandelier", "1 to 8 letters"), ("lamp", "", "1 to 8 letters")])
def test_names_that_cannot_be(board, old, new, match):
    board.keep(word("lamp"))
    board.keep(word("tea", 1))
    before = pages(board)
    with pytest.raises(UserError, match=match):
        board.rename(old, new)
    assert pages(board) == before


def test_words_are_forgotten(board):
    for i, name in enumerate(("lamp", "tea", "tree")):
        board.keep(word(name, i))
    board.forget("tea")
    assert board.names() == {0: "lamp", 2: "tree"} and board.keep(word("coffee", 3)) == 1
    with pytest.raises(UserError, match="no word 'tea': it knows lamp, coffee, tree"):
        board.forget("tea")


def test_everything_is_forgotten(board):
    board.keep(word("lamp"))
    screen = monitor.Monitor(board._line, print, print, lambda: board._line.board.now)
    screen.settings(lambda kept: Settings("high", "go"))
    board.reset()
    assert board.names() == {} and screen.settings() == Settings("normal", None)
    with pytest.raises(UserError, match="no word 'lamp': none was taught to it"):
        board.forget("lamp")


@pytest.mark.parametrize("half", [0, 1, 32, 63])
def test_what_a_power_cut_left_is_no_word_and_its_place_is_free(half):
    """Of an interrupted write: the page's first bytes, then what an erased one has."""
    page = word("lamp").pack()[:half].ljust(words.PAGE_BYTES, b"\xff")
    board = board_of(VirtualBoard(shipped_image().ljust(PLACES, b"\xff") + page))
    assert board.names() == {} and board.keep(word("tea")) == 0


class OtherFirmware:
    """It answers `V`, and says this to any other byte."""

    def __init__(self, version: str = VERSION, says: bytes = b""):
        self.version, self.says = version, says

    def take(self, byte: int) -> bytes:
        return self.version.encode() + b"\n" if byte == ord("V") else b"" if byte == 0x7F else self.says


def test_firmware_from_before_there_were_words():
    line = Direct(OtherFirmware())
    with pytest.raises(taught.NoWords, match=rf"firmware \({VERSION}\) knows no taught words: flash ours"):
        taught.Board(line, line.now)
    assert line.time < 10


def test_a_device_that_chatters():
    line = Direct(OtherFirmware(says=b"no"))
    with pytest.raises(UserError, match="did not keep"):
        taught.Board(line, line.now).keep(word("lamp"))


@pytest.mark.parametrize("at", [0, 5, 300, 650])
def test_a_board_that_is_unplugged(at):
    """Before it is asked, in the first question and in later ones."""
    with pytest.raises(isp.PortLost, match="went away"):
        board_of(to={at: "unplug"}).keep(word("lamp"))


def test_the_network_of_a_board(board):
    assert board.model().digest == exported_hash() and board.model(paths.SHIPPED).name == paths.SHIPPED
    with pytest.raises(UserError, match=f"runs {paths.SHIPPED}, not tinyspeech_xs"):
        board.model("tinyspeech_xs")
    board.version = f"tinyspeech {paths.SHIPPED} 0123456789ab"
    with pytest.raises(UserError, match="another tinyspeech_s than data/models"):
        board.model()
    board.version = "tinyspeech mine 0123456789ab"
    with pytest.raises(UserError, match="no trained model 'mine'"):
        board.model()


FIRST = 2
"""Bytes to the board before the first request: `STOP` and `V`."""
REQUEST = 67
WRITE = FIRST + REQUEST * (1 + words.MAX_WORDS)
"""Where the word itself is sent, behind a first look, and one at every place."""


@pytest.mark.parametrize("fault", ["drop", "double", 0x80])
@pytest.mark.parametrize("at", [FIRST, FIRST + 30, FIRST + 65, FIRST + 66, FIRST + 3 * REQUEST + 9,
                                *(WRITE + i for i in (0, 1, 9, 64, 65, 66))])
def test_a_byte_that_goes_wrong_on_the_way_to_the_board(at, fault):
    """The word is there, whole, in the end; and what was there before."""
    chip = VirtualBoard(shipped_image())
    board_of(chip).keep(word("tea"))
    board = board_of(chip, to={at: fault})
    assert board.keep(word("lamp")) == 1
    assert pages(board)[:2] == [word("tea").pack(), word("lamp").pack()] and pages(board)[2:] == [b"\xff" * 64] * 6


@pytest.mark.parametrize("fault", ["drop", 1])
@pytest.mark.parametrize("at", [len(VERSION) + 1 + i for i in (0, 63, 64, 200, 550, 576, 639, 640)])
def test_a_byte_that_goes_wrong_on_the_way_back(at, fault):
    chip = VirtualBoard(shipped_image())
    board_of(chip).keep(word("tea"))
    board = board_of(chip, back={at: fault})
    assert board.keep(word("lamp")) == 1 and board.names() == {0: "tea", 1: "lamp"}
    board.forget("tea")
    assert pages(board)[:2] == [FORGOTTEN, word("lamp").pack()]


def test_a_line_that_loses_every_tenth_byte():
    chip = VirtualBoard(shipped_image())
    board_of(chip).keep(word("tea"))
    board = board_of(chip)
    board._line.faults = {("from", n): "drop" for n in range(90, 100_000, 10)}
    for request in (lambda: board.keep(word("lamp")), lambda: board.forget("tea")):
        with pytest.raises(UserError, match=r"do not arrive whole|does not answer"):
            request()
    assert pages(board)[0] == word("tea").pack()


def test_the_power_fails_while_a_word_is_replaced():
    """At every step: the old one or the new, or both, whole."""
    seen = set()
    for step in range(0, 120, 3):
        chip = VirtualBoard(shipped_image())
        board = board_of(chip)
        board.keep(word("lamp"))
        chip.send(b"W" + word("lamp", 1).pack() + bytes([1, 254]))
        chip.send(b"W" + FORGOTTEN + bytes([0, 255]))
        chip.advance(0.0003 * step)
        chip.power_cycle()
        after = [page for page in pages(board)[:2] if page in (word("lamp").pack(), word("lamp", 1).pack())]
        assert after
        seen.add(len(after))
    assert seen == {1, 2} and NO_WORD not in pages(board)


# --- flashing, which erases all ---------------------------------------------------------------------------------------


@pytest.fixture
def flashed(monkeypatch, tmp_path):
    """Flash a board with two words over a cable without waiting: what came of it, and the board then."""
    monkeypatch.setattr(paths, "cache_folder", lambda: tmp_path / "cache")
    chip = VirtualBoard(shipped_image(), timed=False)

    def flash(image: bytes, unplugged_at: int | None = None, way=taught.flash_port) -> tuple[object, VirtualBoard]:
        board = board_of(chip)
        board.keep(word("lamp"))
        board.keep(word("tea", 1))
        board.forget("lamp")
        line = Cable(chip, {("to", unplugged_at): "unplug"})
        line.close = lambda: None
        monkeypatch.setattr(isp, "SerialLine", lambda port: line)
        try:
            return way("a port", image, progress=False), chip
        except UserError as error:
            return error, chip

    return flash


def test_words_outlive_flashing(flashed):
    result, chip = flashed(shipped_image())
    assert result["verified"] and (result["words"], result["file"]) == (1, None)
    assert board_of(chip).names() == {1: "tea"}


def test_words_of_another_network_are_kept_in_a_file(flashed):
    """Flashing is no error for that."""
    other = IntegerModel.load(paths.model_file("tinyspeech_xs", ".npz"))
    result, chip = flashed(toolchain.build_firmware(firmware_folder(other)).bin.read_bytes())
    assert result["verified"] and result["words"] == 0 and word("tea", 1).pack() not in bytes(chip.chip.state.flash)
    model = IntegerModel.load(paths.model_file(paths.SHIPPED, ".npz"))
    assert [one.pack() for one in words.load(result["file"], model)] == [word("tea", 1).pack()]


def test_words_of_a_board_that_is_probed_are_kept_in_a_file(flashed, monkeypatch, tmp_path):
    monkeypatch.setattr(probe, "report", lambda trials: [])
    told = []
    flashed(b"", way=lambda port, image, progress: probe.probe_port(port, True, progress, told.append))
    file = tmp_path / "cache" / "taught-words.npz"
    assert told == [f"the board's taught words are in {file}: afterwards, `listen --words` puts them on it again"]
    assert [one.name for one in words.load(file, IntegerModel.load(paths.model_file(paths.SHIPPED, ".npz")))] == ["tea"]


def test_words_of_a_board_that_is_unplugged_while_it_is_flashed_are_kept_in_a_file(flashed, tmp_path):
    error, _ = flashed(shipped_image(), 5_000)
    file = tmp_path / "cache" / "taught-words.npz"
    assert isinstance(error, isp.PortLost)
    assert re.search(rf"no whole program now.*its taught words are in {file}, for `listen --words`", str(error))
    model = IntegerModel.load(paths.model_file(paths.SHIPPED, ".npz"))
    assert [one.name for one in words.load(file, model)] == ["tea"]
