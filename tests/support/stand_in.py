"""Stand-ins for our firmware, which take bytes and answer, and ways to reach them: straight, or over a port."""

import os
import select
import threading


class Direct:
    """A line straight into a stand-in, on a clock of its own: reading takes all the time that it may."""

    def __init__(self, firmware):
        self.firmware, self.time, self.stall = firmware, 0.0, {}
        self.sent: list[tuple[float, int]] = []
        self._answer = bytearray()

    def now(self) -> float:
        return self.time

    def write(self, data: bytes) -> None:
        self.sent.append((self.time, len(data)))
        for byte in data:
            self._answer += self.firmware.take(byte)

    def read(self, count: int, seconds: float) -> bytes:
        out = bytes(self._answer[:count])
        del self._answer[:count]
        if len(out) < count:
            self.time += seconds + self.stall.pop(len(self.sent), 0.0)
        return out


class StandIn:
    """A stand-in on a pseudo-terminal, served by a thread."""

    def __init__(self, pty, firmware):
        import tty

        self.firmware = firmware
        self.host, self.device = pty.openpty()
        tty.setraw(self.device)
        self.port = os.ttyname(self.device)
        self._gone, self._stop = False, threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while not self._stop.is_set():
            if select.select([self.host], [], [], 0.01)[0]:
                for byte in os.read(self.host, 4096):
                    answer = self.firmware.take(byte)
                    if self._stop.is_set():
                        return
                    os.write(self.host, answer)

    def unplug(self) -> None:
        if not self._gone:
            self._gone = True
            self._stop.set()
            if threading.current_thread() is not self._thread:
                self._thread.join()
            os.close(self.device)
            os.close(self.host)
