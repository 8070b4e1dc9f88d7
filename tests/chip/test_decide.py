"""decide.S on the emulated chip against decision.c on this computer, from any state that the firmware can be in."""

import ctypes

import numpy as np
import pytest

from tinyspeech import CLASSES, toolchain
from tinyspeech.board.direct import Board
from tinyspeech.integer import decision
from tinyspeech.paths import FIRMWARE

STATE = np.dtype([("sums", "<i4", len(CLASSES)), ("weight", "<i4"), ("refractory", "u1"), ("window", "u1"),
                  ("end", "u1", 2)])
"""struct decision of decision.h."""
RETURN, AT = 0x20000000, 0x20000040
EBREAK = b"\x02\x90"


def states(count: int) -> np.ndarray:
    """Some at rest, some armed and open; leads of all sizes, near the least ones too, and ties."""
    rng = np.random.default_rng(0)
    made = np.zeros(count, STATE)
    made["sums"] = rng.integers(-200_000, 200_000, (count, len(CLASSES)))
    best = rng.integers(0, len(CLASSES), count)
    leads = rng.choice([*decision.LEAST_LEADS.values(), 4 * decision.LEAST_LEAD // 3, 0], count)
    leads += rng.integers(-2, 3, count)
    made["sums"][np.arange(count), best] = made["sums"].max(axis=1) + leads
    made["weight"] = rng.integers(0, 1 << 20, count)
    made["refractory"] = rng.choice([0, 0, 0, 1, decision.REFRACTORY_STEPS], count)
    made["window"] = rng.choice([0, 0, 1, 2, decision.WINDOW_STEPS + 1], count)
    return made


@pytest.fixture(scope="module")
def chip():
    """(state, setting, doubtful) -> (what decision_step of the firmware's image returns, the state behind it)."""
    firmware = toolchain.build_firmware()
    chip, at = Board(firmware.elf).chip, toolchain.symbol_addresses(firmware.elf)["decision_step"]
    top = chip.state.x[2]
    saved = [chip.state.x[8], chip.state.x[9]]

    def write(address: int, data: bytes) -> None:
        chip.state.sram[address - RETURN : address - RETURN + len(data)] = data

    def step(state: np.ndarray, setting: int, doubtful: int) -> tuple[int, bytes]:
        write(RETURN, EBREAK)
        write(AT, state.tobytes())
        chip.state.pc, chip.state.x[1] = at, RETURN
        for i, argument in enumerate((AT, setting, doubtful)):
            chip.state.x[10 + i] = argument
        assert chip.run() == "break"
        assert [chip.state.x[2], chip.state.x[8], chip.state.x[9]] == [top, *saved]
        return int(np.uint32(chip.state.x[10]).astype(np.int32)), chip.read_memory(AT, STATE.itemsize)

    return step


def test_the_chip_decides_as_the_c(chip):
    library = ctypes.CDLL(str(toolchain.build_host_library([FIRMWARE / "decision.c"], sanitize=True)))
    rng, reported = np.random.default_rng(1), 0
    for state in states(3_000):
        setting, doubtful = 64 + int(rng.integers(3)) * 16 + int(rng.integers(len(CLASSES))), int(rng.choice([0, 4]))
        ours = np.array([state], STATE)
        word = library.decision_step(ctypes.c_void_p(ours.ctypes.data), setting, doubtful)
        assert chip(state, setting, doubtful) == (word, ours.tobytes()), (state, setting, doubtful)
        reported += word >= 0
    assert reported > 300
