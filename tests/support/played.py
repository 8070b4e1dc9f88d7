"""Sound that virtual boards are played over their port, and what they say to it."""

import numpy as np

from tinyspeech import paths
from tinyspeech.board.protocol import Command
from tinyspeech.board.virtual import VirtualBoard
from tinyspeech.integer import frontend
from tinyspeech.sound import audio, datasets


def clips_in_a_row(limit: int) -> np.ndarray:
    """So many bundled clips, unknown words among them, int16 at 8 kHz."""
    x = datasets.load_task(paths.BUNDLED, "validation", limit=limit).arrays()[0]
    row = audio.in_a_row(x, audio.SAMPLE_RATE_HZ)[0]
    return frontend.to_8khz(row[: len(row) // 2 * 2])


def lines_heard(board: VirtualBoard, codes: np.ndarray) -> list[str]:
    """The lines of a board that hears samples in mu-law, in real time, until it is stopped."""
    board.received()
    board.send(Command.RECORDING)
    board.advance(0.005)
    for at in range(0, len(codes), 160):
        board.send(codes[at : at + 160].tobytes())
        board.advance(0.02)
    board.send(Command.STOP)
    board.advance(0.1)
    assert board.fault is None and board.chip.state.overruns == 0
    return board.received().decode().splitlines()
