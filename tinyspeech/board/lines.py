"""What a board says on its serial port, read line by line, or as bytes where it sends some. Chapter 14."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from tinyspeech.board import isp

POLL_S = 0.05
"""So late a line is read at most."""

CLEARED = 64
"""Reads of 4 KB at most: more than any system keeps of a port."""


class Lines:
    """The lines of a board at a serial line. now : the clock by which it is waited for, in seconds"""

    def __init__(self, line: isp.Line, now: Callable[[], float] = time.monotonic):
        self.line, self.now = line, now
        self._rest, self._whole = b"", deque[str]()

    def next(self, until: float) -> str | None:
        """The next line, or None if there is none by then."""
        while not self._whole and (left := until - self.now()) > 0:
            new = self.line.read(4096, min(left, POLL_S))
            *lines, self._rest = (self._rest + new).split(b"\n")
            self._rest = self._rest[-isp.CHATTER_BYTES :]  # of a device that never ends its line
            self._whole += [line.decode("ascii", "replace").strip() for line in lines]
        return self._whole.popleft() if self._whole else None

    def bytes(self, request: bytes, count: int, seconds: float) -> bytes:
        """Send a request that is answered with so many bytes: these, or as many as come within so long."""
        self.clear()
        self.line.write(request)
        return self.take(count, seconds)

    def take(self, count: int, seconds: float) -> bytes:
        """The next so many bytes, or as many as come within so long; where no line was begun."""
        until, found = self.now() + seconds, b""
        while len(found) < count and (left := until - self.now()) > 0:
            found += self.line.read(count - len(found), min(left, POLL_S))
        return found

    def clear(self) -> None:
        """Forget what has come: of a device that says more than can be read, as much as it says meanwhile."""
        for _ in range(CLEARED):
            if not self.line.read(4096, 0):
                break
        self._rest = b""
        self._whole.clear()
