"""A device that is no board of ours, on a pseudo-terminal: it says what it is given, again and again."""

import contextlib
import os
import pty
import threading
import time
import tty
from collections.abc import Iterator, Mapping


@contextlib.contextmanager
def talking(says: bytes, every_s: float = 0.01, reads: bool = True,
            answers: Mapping[bytes, bytes] | None = None) -> Iterator[str]:
    """The port of a device that says this so often; b"" is silence. reads : it takes what is sent to it, and answers
    some of it"""
    host, device = pty.openpty()
    tty.setraw(device)
    os.set_blocking(host, False)
    stop = threading.Event()

    def run() -> None:
        due = time.monotonic()
        while not stop.wait(0.002):
            if reads:
                with contextlib.suppress(BlockingIOError):
                    asked = os.read(host, 1 << 16)
                    for request, answer in (answers or {}).items():
                        if request in asked:
                            os.write(host, answer)
            if says and time.monotonic() >= due:
                due += every_s
                with contextlib.suppress(BlockingIOError):
                    os.write(host, says)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield os.ttyname(device)
    finally:
        stop.set()
        thread.join()
        os.close(host)
        os.close(device)
