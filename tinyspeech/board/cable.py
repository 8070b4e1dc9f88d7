"""A serial cable to a virtual board, on the board's own clock: it notes when each byte passes, and can go wrong.

A session over it is the same in every run, to the microsecond, however busy the computer is; a pseudo-terminal, where
other programs meet the board, cannot promise that. Chapter 14.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from tinyspeech.board.isp import PortLost
from tinyspeech.board.rom import BYTE_S
from tinyspeech.board.virtual import VirtualBoard

USB_FRAME_S = 0.001
"""A full-speed USB device moves bytes once in a millisecond; so does this cable towards the computer."""
SHORTEST_S = 2e-6
"""Whoever waits for less waits for this long: or a program that waits for a moment of this clock waits for ever."""
PAUSE_S = 0.002
"""Silence of this length ends a frame: two frames of USB."""
Fault = str | int | float
"""`drop`, `double`, `unplug`, `power` (off and on), an integer that flips these bits, seconds as a float: late."""


@dataclass
class Cable:
    """A line (`isp.Line`) to a virtual board.

    faults : {("to" or "from", number of the byte on this way): what happens to it}
    """

    board: VirtualBoard
    faults: Mapping[tuple[str, int], Fault] = field(default_factory=dict)
    log: list[tuple[float, str, int]] = field(default_factory=list)
    """Board's time in seconds, "to" or "from" the board, byte: as the computer handed it over or took it."""
    usb_frame_s: float = USB_FRAME_S
    """The board's answers are looked for this often."""

    def __post_init__(self) -> None:
        self._count = {"to": 0, "from": 0}
        self._arriving: deque[tuple[float, int]] = deque()
        self._arrived = bytearray()
        self._free = 0.0
        self._unplugged = False

    def now(self) -> float:
        """Seconds on the board's clock, by which it is waited for here."""
        return self.board.now

    def write(self, data: bytes) -> None:
        """Send. `PortLost` once the cable is pulled."""
        for byte in data:
            self.log.append((self.board.now, "to", byte))
            self.board.send(self._through("to", byte))

    def read(self, count: int, seconds: float) -> bytes:
        """Up to count bytes; time passes on the board until they are there, at most so many seconds."""
        until = self.board.now + (max(seconds, SHORTEST_S) if seconds else 0.0)
        while True:
            for byte in self.board.received():
                self.log.append((self.board.now, "from", byte))
                for passed in self._through("from", byte):
                    self._free = max(self._free, self.board.now)
                    self._arriving.append((self._free, passed))
            while self._arriving and self._arriving[0][0] <= self.board.now + 1e-6:
                self._arrived.append(self._arriving.popleft()[1])
            left = until - self.board.now
            if len(self._arrived) >= count or left < SHORTEST_S / 2:
                break
            self.board.advance(min(left, self.usb_frame_s))
        out = bytes(self._arrived[:count])
        del self._arrived[:count]
        return out

    def _through(self, way: str, byte: int) -> bytes:
        """What becomes of a byte on its way."""
        fault = self.faults.get((way, self._count[way]))
        self._count[way] += 1
        if self._unplugged or fault == "unplug":
            self._unplugged = True
            raise PortLost("the port went away: plug the board in and run the same command again")
        if fault == "power":
            self.board.power_cycle()
        if isinstance(fault, float):  # late, and what follows is behind it
            if way == "to":
                self.board.advance(fault)
            else:
                self._free = self.board.now + fault
        flipped = fault if isinstance(fault, int) else 0
        return b"" if fault == "drop" else bytes([byte, byte]) if fault == "double" else bytes([byte ^ flipped])


@dataclass(frozen=True)
class Frame:
    """What one side said without a pause."""

    way: str
    """"to" or "from" the board."""
    start: float
    end: float
    """Seconds, on the board's clock: when its first bit was on the line, and when its last one was through."""
    data: bytes


def frames(log: list[tuple[float, str, int]]) -> list[Frame]:
    """The frames of a cable's log: a new one begins where the direction changes or `PAUSE_S` pass."""
    groups: list[list[tuple[float, str, int]]] = []
    for entry in log:
        if not groups or groups[-1][-1][1] != entry[1] or entry[0] > groups[-1][-1][0] + PAUSE_S:
            groups.append([])
        groups[-1].append(entry)
    out = []
    for group in groups:
        (first, way, _), last, time = group[0], group[-1][0], len(group) * BYTE_S
        start, end = (first, first + time) if way == "to" else (last - time, last)
        out.append(Frame(way, start, end, bytes(byte for _, _, byte in group)))
    return out
