"""What the board of the live panel would say, by the virtual board."""

import numpy as np

from tinyspeech import toolchain
from tinyspeech.board import protocol, virtual
from tinyspeech.board.protocol import Command
from tinyspeech.integer import listening

WAIT_S = 0.005
"""How often the panel looks for an answer of the board before there is any sound."""


def natively(volts: np.ndarray, command: Command) -> bytes:
    """What the virtual board sends, asked the same at the same times, while it hears the same."""
    board, asked = virtual.VirtualBoard(toolchain.build_firmware().bin.read_bytes()), 0.0

    def advance(seconds: float) -> bytes:
        """As live_board.js and script.c do it, to the cycle: what an instruction took longer is not added up."""
        nonlocal asked
        until = board.now + seconds
        while (left := until - board.now) > 1e-6:
            asked += min(WAIT_S, left)
            board.advance(asked - board.now)
        return board.received()

    advance(virtual.START_S)
    for request, start in ((Command.VERSION, protocol.VERSION_START), (Command.SETTINGS + protocol.ASK,
                           protocol.SETTINGS_START), (command, protocol.LISTENING)):
        board.send(request)
        said = b""
        while not said.endswith(b"\n"):
            said += advance(WAIT_S)
        assert said.startswith(start.encode())
    silence = np.full(2, 32768, np.uint16)  # with which a signal begins
    board.chip.connect_microphone(np.append(silence, volts), listening.ADC_HZ)
    said, until = b"", board.now + len(volts) / listening.ADC_HZ
    while board.now < until - WAIT_S:
        said += advance(WAIT_S)
    return said
