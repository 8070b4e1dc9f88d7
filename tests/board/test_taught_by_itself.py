"""`teach --port` with a board that teaches by itself: the host follows, and gives the word its name."""

import json

import numpy as np
import pytest
from support.asked import Asked, defined
from support.kept_words import page
from support.narrow import teaching
from support.speaker import CUT, LAMPS, hiss

from tinyspeech import paths
from tinyspeech.__main__ import main
from tinyspeech.board import isp, takes, taught
from tinyspeech.board.cable import Cable
from tinyspeech.board.protocol import Command
from tinyspeech.errors import UserError
from tinyspeech.integer import words


class Line(Cable):
    """A cable on the board's own clock, which is all that a command needs of a port."""

    def now(self) -> float:
        return self.board.now

    def close(self) -> None:
        pass


@pytest.fixture(scope="module")
def model():
    return teaching()


def teach(board: Asked, model, name: str = "lamp", faults=None) -> tuple[words.Word | None, list]:
    line, told = Line(board, faults or {}), []
    one = taught.Board(line, line.now)
    return one.teach(model, name, lambda number: told.append(number), lambda *verdict: told.append(verdict)), told


def pages(board: Asked) -> list[bytes]:
    return [board.page(slot) for slot in range(words.MAX_WORDS)]


def test_the_host_is_told_and_names_the_word(model):
    board = Asked(CUT, *LAMPS)
    word, told = teach(board, model)
    page_of = words.Word("lamp", word.template, word.threshold).pack()
    assert told == [1, (1, "cut"), *(step for i in range(1, 6) for step in (i, (i, "ok")))]
    assert page_of == word.pack() and page_of[10:62] == defined(model, "word1", board.heard)[1][10:62]
    assert [words.Word.unpack(data).name for data in pages(board) if not data.startswith((b"\xff", b"\0"))] == ["lamp"]


def test_it_takes_the_place_of_one_of_its_name(model):
    """On a board that is full then, too."""
    board = Asked(*LAMPS)
    for slot in range(words.MAX_WORDS - 1):
        board.put(slot, page(slot, "lamp" if slot == 2 else ""))
    word, _ = teach(board, model)
    assert [slot for slot, data in enumerate(pages(board)) if data.startswith(b"lamp")] == [7]
    assert board.page(7) == word.pack()
    assert sum(not data.startswith((b"\xff", b"\0")) for data in pages(board)) == 7


def test_what_goes_wrong_is_a_line(model):
    with pytest.raises(UserError, match="nothing is taught: no word was heard"):
        teach(Asked(LAMPS[0]), model)
    full = Asked(*LAMPS)
    for slot in range(words.MAX_WORDS):
        full.put(slot, page(slot))
    with pytest.raises(UserError, match=r"keeps 8 words.*needs a free place"):
        teach(full, model)
    with pytest.raises(UserError, match="8 takes were not taken"):
        teach(Asked(*[hiss(1.8)] * 12), model)
    with pytest.raises(UserError, match="name is 1 to 8"):
        teach(Asked(), model, "a lamp")


def test_a_cable_that_is_pulled_is_a_line_and_the_board_ends_by_itself(model):
    board = Asked(LAMPS[0])
    with pytest.raises(isp.PortLost):
        teach(board, model, faults={("from", 115): "unplug"})
    board.advance(12)
    assert board.lines[-1] == "listening"


@pytest.mark.parametrize("byte, fault", [(("to", 68), "drop"), (("to", 68), "double"), (("from", 103), "drop"),
                                         (("from", 163), "drop")], ids=["no M", "two M", "ask", "taught"])
def test_a_byte_that_is_lost_does_no_harm(model, byte, fault):
    """Of the command, of an ask, and of the last line: then the word has its place's name."""
    board, word, name = Asked(*LAMPS, *LAMPS), None, "lamp"
    try:
        word, _ = teach(board, model, faults={byte: fault})
    except UserError:
        name = "word1"
    found = [words.Word.unpack(data).name for data in pages(board) if not data.startswith((b"\xff", b"\0"))]
    assert found == [name] and (word is None) == (byte == ("from", 163))


def test_firmware_that_does_not_teach_is_taught_as_before(model):
    """By the network it is known; and if that does not say it, by its answer."""
    from support.speaker import Speaker

    line = Speaker(*LAMPS)
    board = taught.Board(line, line.now)
    assert takes.by_itself(board._lines, print, print) is None
    line.write(Command.VERSION)
    assert line.read(4096, 0.1).startswith(b"tinyspeech ")


def test_the_command(model, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(paths, "MODELS", tmp_path)
    model.save(tmp_path / f"{model.name}.npz")
    board = Asked(CUT, *LAMPS)
    line = Line(board)
    monkeypatch.setattr(isp, "SerialLine", lambda port: line)
    monkeypatch.setattr("time.monotonic", lambda: board.now)
    out = tmp_path / "lamp.npz"
    assert main(["teach", "--word", "lamp", "--port", "here", "--out", str(out), "--json"]) == 0
    *told, result = [json.loads(text) for text in capsys.readouterr().out.splitlines()]
    assert [one["verdict"] for one in told] == ["cut", *["ok"] * 5]
    assert (result["word"], result["takes"], result["slot"], result["file"]) == ("lamp", 5, 1, str(out))
    (word,) = words.load(out, model)
    assert word.pack() == board.page(1) and np.array_equal(word.template, words.Word.unpack(board.page(1)).template)
