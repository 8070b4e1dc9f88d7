"""The shipped firmware under every assumption that no manual settles: each alone, and all hostile ones together.

The whole suite runs under any of them with `pytest --assumptions hostile`, or `--assumptions NAME=VALUE`.
"""

import numpy as np
import pytest

from tinyspeech import toolchain
from tinyspeech.board.direct import Board
from tinyspeech.board.microphone import SIGNAL_HZ, as_volts
from tinyspeech.board.protocol import Command
from tinyspeech.board.virtual import VirtualBoard
from tinyspeech.chip.assumptions import Assumptions, assuming, hostile, kind, single
from tinyspeech.chip.emulator import RESETS
from tinyspeech.chip.firmware import exported_hash
from tinyspeech.integer import frontend
from tinyspeech.integer.network import IntegerModel
from tinyspeech.paths import BUNDLED, model_file
from tinyspeech.sound import audio

VERSION = f"tinyspeech tinyspeech_s {exported_hash()}\n"
ALL = {"as shipped": Assumptions(), "kind": kind(), "hostile, slow": hostile()[0], "hostile, fast": hostile()[1],
       **{str(said): said for said in single()}}


@pytest.fixture(scope="module")
def spoken():
    """A clip of 'yes', int16 at 16 kHz, and its rate."""
    return audio.read(next((BUNDLED / "yes").glob("6156aa59*")))


@pytest.mark.parametrize("said", ALL.values(), ids=ALL)
def test_the_firmware_answers_listens_and_is_flashed(said, spoken):
    """Version, self-test, a second in silence, a word, the second listening, the ROM bootloader and back."""
    board = VirtualBoard(toolchain.build_firmware().bin.read_bytes(), assuming=said)
    board.advance(0.02)

    def say(data: bytes, seconds: float) -> str:
        board.send(data)
        board.advance(seconds)
        assert board.fault is None
        return board.received().decode("latin-1")

    assert say(Command.VERSION, 0.05) == VERSION
    assert say(Command.SELF_TEST, 0.8) == "test ok\n"
    silence = np.zeros(8000, spoken[0].dtype)
    volts = as_volts(np.concatenate([silence, spoken[0], silence]), spoken[1])
    for _ in range(2):
        board.chip.connect_microphone(volts, SIGNAL_HZ, waits=True)
        heard = say(Command.MICROPHONE, 2.0)
        assert heard.startswith("listening\n") and "word yes " in heard and "lost" not in heard
        assert say(Command.STOP, 0.1).startswith("stopped ")
    assert say(b"", 3.0) == ""  # longer than the watchdog waits
    assert board.chip.state.resets == 1
    board.send(Command.BOOTLOADER)
    board.advance(0.2)
    assert board.rom.active
    board.advance(5.9)  # as long as flashing takes
    assert board.rom.active
    board.press_reset()
    board.advance(0.02)
    board.received()
    assert say(Command.VERSION, 0.05) == VERSION and not board.chip.state.reset_flags & RESETS["watchdog"]


@pytest.mark.parametrize("said", ["as shipped", "hostile, slow", "hostile, fast"])
def test_a_clip_has_the_same_logits(said, spoken):
    x8k = frontend.to_8khz(audio.fit_to_second(spoken[0])[None])[0]
    defined = IntegerModel.load(model_file("tinyspeech_s", ".npz")).run(frontend.features(x8k[None]))[0]
    with assuming(ALL[said]):
        assert np.array_equal(Board(toolchain.build_firmware().elf).classify(x8k).logits, defined)
