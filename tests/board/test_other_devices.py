"""At the other end of a port may be anything that talks: every command ends, and says what it heard."""

import re
import subprocess

import pytest
from support.talking import talking

from tinyspeech.__main__ import main
from tinyspeech.board import isp, protocol, taught
from tinyspeech.board.lines import Lines
from tinyspeech.errors import UserError

PRINTER = b"PRINTER READY, NO PAPER\r\n"


class Endless:
    """A line that always has more to say, on a clock of its own: what waits for its silence waits for ever."""

    def __init__(self, says: bytes = PRINTER, every_s: float = 0.01):
        self.says, self.every_s = says, every_s
        self.time, self.last, self.heard, self.rest = 0.0, -every_s, b"", b""

    def now(self) -> float:
        return self.time

    def write(self, data: bytes) -> None:
        self.time += len(data) / 11_520

    def read(self, count: int, seconds: float) -> bytes:
        assert self.time < 120, "it waits for ever"
        due = max(self.time + 1e-4, self.last + self.every_s)
        if due > self.time + max(seconds, 1e-4):
            self.time += seconds
            return b""
        self.time = self.last = due
        data = self.rest[:count] or self.says[:count]
        self.rest = self.rest[count:] if self.rest else self.says[count:]
        self.heard = (self.heard + data)[-400:]
        return data


@pytest.mark.parametrize("says", [PRINTER, b"x", b"\0", b"\x55\xaa", b"\x55\xaa\xa1\0\2\0\x31\0\xd4", b"tinyspeech",
                                  b"word yes 5\n", b"listening\n", b"\xff" * 64])
def test_no_wait_is_for_ever(says):
    for work in (lambda line: isp.flash(line, bytes(64)), isp.find_version, taught.Board,
                 lambda line: Lines(line, line.now).clear()):
        line = Endless(says)
        try:
            work(line)
        except UserError as error:
            assert len(str(error).splitlines()) == 1


def test_what_was_heard_is_quoted():
    with pytest.raises(isp.Talking, match=r"does not stop to talk.*says 'PRINTER READY, NO PAPER'"):
        isp.flash(Endless(), bytes(64))
    with pytest.raises(isp.Talking, match="says bytes such as ff ff"):
        isp.find_version(Endless(b"\xff"))
    with pytest.raises(isp.Talking, match=re.escape(r"says '\\x1b]0;title\\x07")):
        isp.find_version(Endless(b"\x1b]0;title\x07 and more\n"))


@pytest.mark.parametrize("command", [["flash"], ["listen", "--seconds", "1"], ["words"], ["forget", "--all"],
                                     ["probe", "--no-flash"], ["teach", "--word", "tea"]], ids=lambda c: c[0])
def test_every_command_ends_at_a_printer(capsys, command):
    with talking(PRINTER) as port:
        assert main([*command, "--port", port]) == 2
    assert re.fullmatch(r"error: .*says '.*PRINTER READY, NO PAPER.*'.*\n", capsys.readouterr().err)


def test_a_device_that_takes_nothing_is_said(capsys, monkeypatch):
    monkeypatch.setattr(isp, "WRITE_S", 0.2)
    with talking(b"", reads=False) as port:
        line = isp.SerialLine(port)
        with pytest.raises(UserError, match="takes no bytes"):
            for _ in range(100):
                line.write(bytes(4096))
        line.close()


def test_a_device_that_speaks_now_and_then_is_quoted():
    """A receiver of satellites' time says a line a second, and is silent in between."""
    with pytest.raises(UserError, match=r"does not answer.*GPRMC,081836"):
        isp.flash(Endless(b"$GPRMC,081836,A,3751.65,S\r\n", every_s=1), bytes(64))
    with pytest.raises(UserError, match=r"does not answer.*GPRMC,081836"):
        isp.find_version(Endless(b"$GPRMC,081836,A,3751.65,S\r\n", every_s=1))


def test_rvprog_may_not_hang(monkeypatch):
    monkeypatch.setattr(isp.importlib.util, "find_spec", lambda name: True)

    def run(*_, timeout, **__):
        raise subprocess.TimeoutExpired("rvprog", timeout)

    monkeypatch.setattr(isp.subprocess, "run", run)
    with pytest.raises(UserError, match="did not end within"):
        isp.flash_link(bytes(64))


@pytest.mark.parametrize("line", ["word \x1b]0;title\x07 5", "word a\x9b 5", "word \ufffd 5", "word  5",
                                  "word yes \u0665", "word " + "a" * 200 + " 5", "word yes " + "9" * 5000,
                                  "word ../x 5", "word <b> 5",
                                  "lost \x1b", "lost " + "1" * 5000, "stopped -1", "word yes 5 6", "word yes\t5"])
def test_a_line_that_no_board_of_ours_says_is_not_understood(line):
    assert protocol.parse(line) is None


@pytest.mark.parametrize("data", [b"tinyspeech \x1b]0;x\x07 abc\n", b"tinyspeech a\x00\n", b"tinyspeech \xff\n",
                                  b"tinyspeech " + b"a" * 200 + b"\n", b"tinyspeech \x9b2J\n"])
def test_nor_is_such_a_version_one(data):
    assert protocol.version_line(data) is None


def test_what_a_device_says_is_printed_harmlessly(capsys):
    """It names itself as ours do, and then sends what would set a terminal's title."""
    answers = {b"V": b"tinyspeech tinyspeech_s 0123456789ab\n", b"S?": b"settings P\n", b"\x7f": b"stopped 9\n",
               b"L": b"listening\nword \x1b]0;x\x07 5\nword yes 7\n\x1b[2J\n"}
    with talking(b"", answers=answers) as port:
        assert main(["listen", "--port", port, "--seconds", "0.3"]) == 0
    out, err = capsys.readouterr()
    assert out == "    0.14 s  yes\n" and (out + err).replace("\n", "").isprintable()
    assert err.count(r"what is not understood: 'word \x1b]0;x\x07 5'") == 1


def test_a_probe_that_answers_nonsense_is_a_line(capsys):
    with talking(b"", answers={bytes([letter]): bytes([letter]) + b" 00000001\n" for letter in range(97, 123)}) as port:
        assert main(["probe", "--port", port, "--no-flash"]) == 2
    assert re.fullmatch(r"error: .*\n", capsys.readouterr().err)
