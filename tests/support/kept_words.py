"""Taught words of any kind, and the command that keeps them on a virtual board."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from support.taught_words import any_word

from tinyspeech.board import protocol
from tinyspeech.board.protocol import ERASED, FORGOTTEN, NO_WORD, Command
from tinyspeech.board.virtual import VirtualBoard
from tinyspeech.integer import words

NOTHING, NAMELESS = NO_WORD, FORGOTTEN
__all__ = ("ERASED", "NAMELESS", "NOTHING", "answer", "kept", "page", "request")


def page(seed: int, name: str = "") -> bytes:
    threshold = int(np.random.default_rng([seed, 1]).integers(256))
    return replace(any_word(name or f"word{seed}", seed), threshold=threshold).pack()


def request(data: bytes, slot: int) -> bytes:
    return Command.WORD + protocol.page(data, slot)


def answer(board: VirtualBoard, data: bytes, slot: int) -> bytes:
    board.received()
    board.send(request(data, slot))
    board.advance(0.03)
    assert board.fault is None
    return board.received()


def kept(board: VirtualBoard) -> list[bytes]:
    return [answer(board, NOTHING, slot) for slot in range(words.MAX_WORDS)]
