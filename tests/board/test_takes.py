"""A word taught through the virtual board's microphone: it is the definition's, and what can go wrong meanwhile."""

import numpy as np
import pytest
from support.speaker import NOISE, Speaker, defined, take

from tinyspeech.board import isp, taught, takes
from tinyspeech.board.protocol import Command
from tinyspeech.errors import UserError
from tinyspeech.integer import words
from tinyspeech.integer.network import IntegerModel
from tinyspeech.paths import SHIPPED, model_file

LAMPS = [f"lamp_heart_0{i}" for i in range(1, 6)]
TO_M = 1


@pytest.fixture(scope="module")
def model():
    return IntegerModel.load(model_file(SHIPPED, ".npz"))


@pytest.fixture(scope="module")
def lamps():
    return [take(name) for name in LAMPS]


def teach(line: Speaker, model: IntegerModel) -> tuple[list[tuple[int, str]], words.Word, list[words.Segment]]:
    """Verdicts, each with the take's number, the word and its takes."""
    verdicts = []
    board = taught.Board(line, line.now)
    word, some = takes.teach(board.microphone(), model, "lamp", lambda number: None,
                             lambda *told: verdicts.append(told))
    return verdicts, word, some


def waits_for_commands(line: Speaker) -> bool:
    line.read(4096, 0.1)
    line.write(Command.VERSION)
    return line.read(4096, 0.1).decode() == f"{taught.Board(line, line.now).version}\n"


def test_five_takes_are_the_definitions_word(model, lamps):
    line = Speaker(*lamps)
    verdicts, word, some = teach(line, model)
    assert verdicts == [(i, "ok") for i in range(1, 6)]
    expected, same = defined(model, "lamp", line.heard)
    assert expected == ["ok"] * 5 and word.pack() == same.pack() == words.teach("lamp", some).pack()
    assert waits_for_commands(line) and line.board.chip.state.overruns == 0
    codes = words.heard(model, np.pad(take("lamp_heart_06"), (0, 4000)), [word])
    assert [index for _, index in codes] == [0]
