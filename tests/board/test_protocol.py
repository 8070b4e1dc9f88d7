"""The serial protocol: the library's table against the firmware's C, its lines, and commands told from data."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyspeech import paths, toolchain
from tinyspeech.board import direct, protocol
from tinyspeech.board.protocol import Command, CommandStream, Lost, Stopped, Word
from tinyspeech.chip import emulator
from tinyspeech.integer import decision, frontend, listening
from tinyspeech.sound import mulaw

MAIN = (paths.FIRMWARE / "main.c").read_text()


def block(start: str) -> str:
    """The lines of main.c from the one that begins so to the end of its function."""
    return MAIN[MAIN.index(start) :].split("\n}", 1)[0]


def test_the_commands_are_the_cases_of_the_firmware():
    cases = re.findall(r"case (?:'(.)'|0x([0-9a-f]{2})):", block("int main(void)"))
    codes = [letter.encode() or bytes.fromhex(number) for letter, number in cases]
    end = re.search(r"#define HANDLER_END (0x[0-9a-f]{2})", (paths.FIRMWARE / "handler.h").read_text("utf-8"))
    codes.append(bytes([int(end.group(1), 16)]))  # to a board that does not listen it means nothing: no case
    assert len(codes) == len({*codes}) and {*codes} == {*Command}


def test_the_table_has_a_row_for_each_command():
    rows = re.findall(r"^\| (`(.)`|0x7f) \|", protocol.__doc__, re.M)
    assert [letter.encode() or b"\x7f" for _, letter in rows] == [*Command]


def test_the_lines_are_those_that_the_firmware_prints():
    """Its strings, in the order of the source."""
    strings = re.findall(r'usart_(?:text|say)\("((?:[^"\\]|\\.)*)"', MAIN)
    assert strings == [f"{protocol.TEST_OK}\\n", "test failed ", "settings ", "word ", " ", f"{protocol.LISTENING}\\n",
                       "lost ", "stopped ", protocol.VERSION_START]
    assert [str(line) for line in (Word("yes", 7), Lost(3), Stopped(9))] == ["word yes 7", "lost 3", "stopped 9"]


def test_the_lines_of_teaching_are_those_that_the_firmware_prints():
    text = (paths.FIRMWARE / "teach.S").read_text()
    strings = re.findall(r'"([^"]*)"', re.search(r"\.asciz (.*)", text).group(1))
    assert strings == [f"{what} " for what in protocol.TEACHING]
    header = (paths.FIRMWARE / "teach.h").read_text()
    numbers = {name: int(value) for name, value in re.findall(r"#define TEACH_([A-Z_]+) (\d+)", header)}
    names = ("TAKE", "OK", "EMPTY", "CUT", "LONG", "HARD", "UNLIKE_OTHERS", "FULL", "TAUGHT", "FORGOT")
    assert [numbers[name] for name in names] == [*range(len(protocol.TEACHING))]
    assert (numbers["HELD"], numbers["REFUSALS"]) == (protocol.HELD_S, protocol.REFUSALS)


def test_a_line_of_teaching_is_read_as_it_was_written():
    for i, what in enumerate(protocol.TEACHING):
        assert protocol.parse_teaching(f"{what} {i}") == protocol.Teaching(what, i)
        assert str(protocol.Teaching(what, i)) == f"{what} {i}" and protocol.parse(f"{what} {i}") is None
    for line in ("", "take", "take x", "take -1", "stopped 3", "lost 3", "ok 1 2", "takes 1"):
        assert protocol.parse_teaching(line) is None


def test_the_numbers_are_the_firmwares():
    """Of the serial line, the clock and the converter, as board.h, board.c and listen.h have them."""
    text = "".join((paths.FIRMWARE / name).read_text() for name in ("board.h", "board.c", "listen.h"))
    numbers = {name: int(value) for name, value in re.findall(r"\b([A-Z_]+) = (\d+)\b", text)}
    assert numbers["BAUD"] == emulator.LINE_BAUD and numbers["CLOCK_HZ"] == listening.CLOCK_HZ
    assert numbers["ADC_HZ"] == listening.ADC_HZ and numbers["CONVERSIONS"] == 2 * listening.CONVERSIONS


def test_the_esp32_speaks_the_same_protocol():
    text = (paths.FIRMWARE / "esp32" / "speech.py").read_text()
    assert f'STOP, START = b"\\x{Command.STOP[0]:02x}", b"{Command.RECORDING.decode()}"' in text


def test_no_sample_of_a_recording_is_the_byte_that_ends_it():
    every = mulaw.mulaw_encode(np.arange(-32768, 32768).astype(np.int16))
    assert Command.STOP[0] not in every and len({*every.tolist()}) == 255


@pytest.mark.parametrize("line", [Word("yes", 0), Word("my-word_", 12_345), Lost(1), Stopped(0)])
def test_a_line_is_read_as_it_was_written(line):
    assert protocol.parse(str(line)) == line


@pytest.mark.parametrize("line", ["", "listening", "word yes", "word yes -3", "word yes 3 4", "lost", "lost x",
                                  "stopped", "stopped 1.5", "Word yes 3", "stopped ²"])
def test_other_lines_are_none(line):
    assert protocol.parse(line) is None


@pytest.mark.parametrize("data, line", [
    (b"tinyspeech a b\n", "tinyspeech a b"), (b"tinyspeech a b\r\n", "tinyspeech a b"), (b"tinyspeech a b", None),
    (b"word yes 3\n", None), (b"xtinyspeech a\n", None),
])
def test_a_version_is_a_whole_line(data, line):
    assert protocol.version_line(data) == line


# --- commands and data ------------------------------------------------------------------------------------------------


CLIP = b"L" * protocol.CLIP_BYTES
"""All of whose bytes are a letter that is a command elsewhere."""


def test_a_clip_is_what_the_firmware_asks_for():
    board, wanted = direct.Board(toolchain.build_firmware().elf), []
    board.chip.send(Command.CLASSIFY)
    while board.chip.run() == "transmit" and (count := board.chip.received()[0]):
        wanted.append(count)
        board.chip.send(bytes(2 * count))
    assert tuple(wanted) == protocol.REQUESTS
    assert protocol.CLIP_BYTES == 15_872 == 2 * (frontend.WINDOW + (frontend.N_FRAMES - 1) * frontend.HOP)


@pytest.mark.parametrize("data, commands", [
    (b"V", "V"), (b"xV\x00T", "VT"), (b"LV", "LV"), (b"LL", "LL"), (b"C" + CLIP, "C"), (b"F" + CLIP + b"L", "FL"),
    (b"C" + CLIP[1:] + b"VL", "CL"), (b"UVTL\xff\x7fL", "U\x7fL"), (b"\x7fBMCU ISP & WCH.CNLL", "\x7fB"),
    (b"W" + 66 * b"L" + b"V", "WV"),
], ids=str)
@pytest.mark.parametrize("size", [1, 3, 100_000])
def test_commands_are_told_from_data_however_they_are_cut(data, commands, size):
    stream = CommandStream()
    found = [command for at in range(0, len(data), size) for command in stream.take(data[at : at + size])]
    assert b"".join(found).decode() == commands


def test_a_reset_ends_what_was_being_sent():
    for begun in (b"C" + CLIP[:99], b"U" + CLIP[:99], b"B", b"W" + CLIP[:9]):
        stream = CommandStream()
        assert stream.take(begun) and not stream.take(b"L")
        stream.restart()
        assert stream.take(b"L") == [Command.MICROPHONE]


SETTING_BYTES = {protocol.setting(sensitivity, word)[:1]
                 for sensitivity in decision.SENSITIVITIES for word in (None, *protocol.first_words())}


@given(st.lists(st.sampled_from([*Command, b"\x00", b"L", b"x" * 70, b"SP", b"SA", b"S?"]), max_size=30).map(b"".join))
def test_outside_of_data_every_letter_is_a_command(data):
    """The rule said in another way: a recording is all up to 0x7f, a clip 15,872 bytes, a word 66, a setting 1 or 2, B
    ends it."""
    rest, expected = data, []
    while rest:
        code, rest = rest[:1], rest[1:]
        if code in {*Command}:
            expected.append(code)
        if code in (b"C", b"F"):
            rest = rest[15_872:]
        if code == b"W":
            rest = rest[66:]
        if code == b"S":
            rest = rest[2 if rest[:1] in SETTING_BYTES else 1 :]
        if code == b"B":
            rest = b""
        if code == b"U":
            rest = rest[rest.find(b"\x7f") :] if b"\x7f" in rest else b""
    assert CommandStream().take(data) == expected
