"""Hours on end on the virtual board: an hour of them here, and each thing that is counted, made to happen."""

import numpy as np
import pytest

from tinyspeech.board.protocol import Command
from tinyspeech.errors import UserError
from tinyspeech.measure import endurance


def test_an_hour_of_everything_leaves_no_trace():
    figures = endurance.endure(1.0, seed=3)
    assert {key: figures[key] for key in endurance.MUST_BE_0} == dict.fromkeys(endurance.MUST_BE_0, 0)
    assert figures["hours"] == 1 and figures["times"] > 3 and figures["words"] > 3 and figures["queries"] > 3
    assert figures["stack_bytes"] <= 148 and set(figures["kinds"]) == set(endurance.KINDS)


@pytest.fixture
def device():
    return endurance._Device(0, [])


def wrong(device) -> set[str]:
    figures = device.figures()
    return {key for key in endurance.MUST_BE_0 if figures[key]}


def test_what_goes_wrong_is_counted(device):
    device.listen(4.0)
    assert wrong(device) == set() and device.counts["times"] == 1
    device._compare(["listening", "word yes 9", "lost 3", "stopped 24"], np.zeros(8000, np.uint16), 0)
    assert wrong(device) == {"lines_differ", "samples_lost"}


def test_a_wrong_answer_a_reset_and_a_touched_byte_are_counted(device):
    device._ask(Command.VERSION, b"another board\n")
    assert wrong(device) == {"answers_wrong"}
    device.board.press_reset()
    device._ram(device._free + 5, 1)[0] = 0
    device.board.chip.state.flash[100] ^= 1
    assert wrong(device) == {"answers_wrong", "resets", "guard_bytes_changed", "flash_bytes_changed"}


def test_every_question_has_the_answer_that_it_should(device):
    for what in endurance.CHATTER:
        for _ in range(3):
            getattr(device, f"_{what}")()
    assert wrong(device) == set()


@pytest.mark.parametrize("hours", [0, -1, float("nan"), 1e9])
def test_hours_that_are_none(hours):
    with pytest.raises(UserError, match="a board can listen for more than 0 hours"):
        endurance.endure(hours)
