"""The firmware's search for taught words, on this computer (matching.c) and on the emulated chip (matching.S)."""

from __future__ import annotations

import ctypes

import numpy as np

from tinyspeech import toolchain
from tinyspeech.board.direct import Board
from tinyspeech.chip.emulator import FLASH_BYTES
from tinyspeech.integer import words
from tinyspeech.paths import FIRMWARE

LINE_BATCHES = 5
LINE_BYTES = LINE_BATCHES * words.COEFFICIENTS // 2
STATE = np.dtype([("floor", "<i4"), ("peak", "<i4"), ("history", "<u4"), ("over", "u1"), ("started", "u1"),
                  ("length", "u1"), ("filler", "u1"), ("merit", "u1", (words.MAX_WORDS, words.PARTS)),
                  ("line", "u1", LINE_BYTES), ("end", "u1", 3)])
"""struct words of words.h."""
PAGES = FLASH_BYTES - 9 * words.PAGE_BYTES
"""Where the firmware keeps words; behind them what the user has set."""
EBREAK = b"\x02\x90"


class InC:
    """words.c and matching.c, with the compiler's checks of undefined behaviour."""

    def __init__(self):
        path = toolchain.build_host_library([FIRMWARE / name for name in ("words.c", "matching.c")], sanitize=True)
        self.library = ctypes.CDLL(str(path))
        self.pages = (ctypes.c_uint8 * (words.MAX_WORDS * words.PAGE_BYTES)).in_dll(self.library, "words_pages")
        self.state = np.zeros(1, STATE)
        self.work = np.zeros(words.VALUES, np.uint8)

    def keep(self, pages: bytes) -> None:
        """All pages, 512 bytes."""
        self.pages[:] = pages

    def batch(self, features: np.ndarray, blocks: np.ndarray) -> int:
        """int8 [4, 12] and [2, 32]: the slot of a word that is over, or -1."""
        at = ctypes.c_void_p
        features, blocks = np.ascontiguousarray(features, np.int8), np.ascontiguousarray(blocks, np.int8)
        state = at(self.state.ctypes.data)
        self.library.words_batch(state, at(features.ctypes.data))
        self.library.words_compare(state, at(blocks.ctypes.data), blocks.shape[1], at(self.work.ctypes.data))
        decide = self.library.words_decide
        decide.restype = at
        word = decide(state)
        return -1 if word is None else (word - ctypes.addressof(self.pages)) // words.PAGE_BYTES


class OnChip:
    """The same functions of the firmware's image."""

    def __init__(self):
        firmware = toolchain.build_firmware()
        self.chip, self.at = Board(firmware.elf).chip, toolchain.symbol_addresses(firmware.elf)
        self.top = self.chip.state.x[2] - 256
        self._write(0x20000000, EBREAK)
        self.state_at, self.work, self.features, self.blocks = (0x20000000 + at for at in (128, 256, 320, 384))
        self._write(self.state_at, bytes(STATE.itemsize))

    def _write(self, address: int, data: bytes) -> None:
        start = address - 0x20000000
        self.chip.state.sram[start : start + len(data)] = data

    def _call(self, name: str, *arguments: int) -> int:
        state = self.chip.state
        state.pc, state.x[1], state.x[2] = self.at[name], 0x20000000, self.top
        for i, argument in enumerate(arguments):
            state.x[10 + i] = argument
        assert self.chip.run() == "break"
        assert state.x[2] == self.top
        return state.x[10]

    @property
    def state(self) -> np.ndarray:
        return np.frombuffer(self.chip.read_memory(self.state_at, STATE.itemsize), STATE)

    def keep(self, pages: bytes) -> None:
        self.chip.state.flash[PAGES : PAGES + len(pages)] = pages

    def batch(self, features: np.ndarray, blocks: np.ndarray) -> int:
        self._write(self.features, features.astype(np.int8).tobytes())
        self._write(self.blocks, blocks.astype(np.int8).tobytes())
        self._call("words_batch", self.state_at, self.features)
        self._call("words_compare", self.state_at, self.blocks, blocks.shape[1], self.work)
        word = self._call("words_decide", self.state_at)
        return (word - PAGES) // words.PAGE_BYTES if word else -1
