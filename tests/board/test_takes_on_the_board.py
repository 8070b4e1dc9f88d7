"""A word taught through the virtual board's microphone: it is the definition's, and what can go wrong meanwhile."""

import numpy as np
import pytest
from support.speaker import CUT, LAMPS, Speaker, defined, hiss, take
from support.stand_in import Direct

from tinyspeech.board import isp, takes, taught
from tinyspeech.board.lines import Lines
from tinyspeech.board.protocol import Command
from tinyspeech.errors import UserError
from tinyspeech.integer import words
from tinyspeech.integer.network import IntegerModel
from tinyspeech.paths import SHIPPED, model_file


@pytest.fixture(scope="module")
def model():
    return IntegerModel.load(model_file(SHIPPED, ".npz"))


def teach(line: Speaker, model: IntegerModel) -> tuple[list[tuple[int, str]], words.Word, list[words.Segment]]:
    """Verdicts, each with the take's number, the word and its takes."""
    verdicts = []
    word, some = takes.teach(taught.Board(line, line.now).microphone(), model, "lamp", lambda number: None,
                             lambda *told: verdicts.append(told))
    return verdicts, word, some


def waits_for_commands(line: Speaker) -> bool:
    line.read(4096, 0.2)
    line.write(Command.VERSION)
    return line.read(4096, 0.1).startswith(b"tinyspeech ") and not line.read(4096, 0.2)


def test_five_takes_are_the_definitions_word(model):
    line = Speaker(*LAMPS)
    verdicts, word, some = teach(line, model)
    assert verdicts == [(i, "ok") for i in range(1, 6)]
    expected, same = defined(model, "lamp", line.heard)
    assert expected == ["ok"] * 5 and word.pack() == same.pack() == words.teach("lamp", some).pack()
    assert waits_for_commands(line) and line.board.chip.state.overruns == 0
    assert len(words.heard(model, np.pad(take("lamp_heart_06"), (0, 4000)), [word])) == 1


def test_takes_that_are_none_are_asked_for_again(model):
    """Cut, too soft to be heard, and too long; and another sound, once two were alike."""
    line = Speaker(CUT, LAMPS[0], take("lamp_heart_02", gain=0.003), LAMPS[1], hiss(1.8), hiss(0.5), *LAMPS[2:])
    verdicts, word, some = teach(line, model)
    assert verdicts == [(1, "cut"), (1, "ok"), (2, "empty"), (2, "ok"), (3, "long"), (3, "unlike"), (3, "ok"),
                        (4, "ok"), (5, "ok")]
    expected, same = defined(model, "lamp", line.heard)
    assert expected == [verdict for _, verdict in verdicts]
    assert word.pack() == same.pack() == words.teach("lamp", some).pack()


def test_a_second_take_unlike_the_first_takes_its_place(model):
    """And four more like it make the word."""
    line = Speaker(hiss(0.5), *LAMPS)
    verdicts, word, some = teach(line, model)
    assert verdicts == [(1, "ok"), (2, "unlike"), *((i, "ok") for i in range(2, 6))]
    assert word.pack() == defined(model, "lamp", line.heard)[1].pack() == words.teach("lamp", some).pack()


def test_there_is_advice_for_each_verdict():
    assert {*takes.ADVICE} == {*words.REFUSALS, takes.LOST}


# ---------------------------------------------------------------- what goes wrong


@pytest.fixture(scope="module")
def places(model):
    """{what: number of its byte} of the first take, to and from the board."""
    line = Speaker(LAMPS[0])
    microphone = taught.Board(line, line.now).microphone()
    with microphone.listening():
        one = words.Take()
        while not one.push(microphone.hear()):
            pass
    assert microphone.whole
    sent = [byte for _, way, byte in line.log if way == "to"]
    came = bytes(byte for _, way, byte in line.log if way == "from")
    begins, ends = came.index(b"listening\n"), came.index(b"stopped ")
    return {"M": ("to", sent.index(Command.COEFFICIENTS[0])), "stop": ("to", len(sent) - 1),
            "listening": ("from", begins + 4), "early": ("from", begins + 40), "middle": ("from", begins + 400),
            "last": ("from", ends - 2), "stopped": ("from", ends + 3), "frames": ("from", ends + 8)}


@pytest.mark.parametrize("where, again", [("M", False), ("listening", False), ("stop", True), ("early", True),
                                          ("middle", True), ("last", True), ("stopped", True), ("frames", True)])
@pytest.mark.parametrize("fault", ["drop", "double"])
def test_of_a_take_of_which_bytes_are_missing_nothing_is_kept(model, places, where, again, fault):
    """Or that has too many; where the board was only asked twice it may be whole."""
    line = Speaker(*LAMPS[:1], *LAMPS, faults={places[where]: fault})
    verdicts, word, some = teach(line, model)
    assert verdicts[0] == (1, "lost") if again and (where, fault) != ("stop", "double") else (1, "ok")
    assert [verdict for _, verdict in verdicts[-5:]] == ["ok"] * 5 and len(verdicts) <= 6
    assert word.pack() == words.teach("lamp", some).pack() and len(some) == 5
    assert waits_for_commands(line)


def test_a_board_that_is_reset_is_one_line(model, places):
    line = Speaker(*LAMPS, faults={places["middle"]: "power"})
    with pytest.raises(UserError, match="no longer says what it hears"):
        teach(line, model)
    assert waits_for_commands(line)


@pytest.mark.parametrize("where", ["M", "listening", "middle", "stop", "stopped"])
def test_a_board_that_is_unplugged(model, places, where):
    with pytest.raises(isp.PortLost):
        teach(Speaker(*LAMPS, faults={places[where]: "unplug"}), model)


def test_ctrl_c_leaves_the_board_waiting_for_commands(model):
    line = Speaker(*LAMPS)
    line.interrupt_at = 300
    with pytest.raises(KeyboardInterrupt):
        teach(line, model)
    assert waits_for_commands(line)


def test_it_gives_up(model):
    """After so many in a row; one that is taken begins a new row."""
    line, told = Speaker(*[CUT] * (takes.REFUSED - 1), LAMPS[0], CUT), []
    with pytest.raises(UserError, match=f"{takes.REFUSED} takes in a row were not taken.*nothing is taught.*cut: wait"):
        takes.teach(taught.Board(line, line.now).microphone(), model, "lamp", lambda number: None,
                    lambda *one: told.append(one))
    assert told == [(1, "cut")] * (takes.REFUSED - 1) + [(1, "ok")] + [(2, "cut")] * takes.REFUSED
    assert waits_for_commands(line)


class OtherFirmware:
    """It answers `V` alone."""

    def take(self, byte: int) -> bytes:
        return b"tinyspeech other 0123\n" if byte == Command.VERSION[0] else b""


def test_firmware_that_does_not_send_what_it_hears(model):
    line = Direct(OtherFirmware())
    with pytest.raises(UserError, match=r"firmware \(tinyspeech other 0123\) does not say what its microphone hears"):
        takes.teach(takes.Microphone(Lines(line, line.now), "tinyspeech other 0123"), model, "lamp", print, print)
