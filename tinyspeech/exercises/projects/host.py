"""A reader's front end over many windows, in a process of its own: what it breaks there, the book's page outlives.

    compute(library, features)              # windows from standard input, features to standard output

The library has `front_end`; windows are int16 [256] each, features int8 [features]. Each window's features are written
before the next one's are computed, so that whoever started this sees where it ended. Project 1;
`front_end.py` starts it, by this file alone: nothing else of the library is loaded there.
"""

from __future__ import annotations

import ctypes
import os
import sys

WINDOW_BYTES = 512
UNWRITTEN = 0x25
"""In the features before a call; on the virtual chip something else lies there."""


def compute(library: str, count: int) -> None:
    """Read windows from standard input until it ends."""
    front_end = ctypes.CDLL(library).front_end
    front_end.restype = None
    out = ctypes.create_string_buffer(count)
    while len(data := sys.stdin.buffer.read(WINDOW_BYTES)) == WINDOW_BYTES:
        window = (ctypes.c_int16 * (WINDOW_BYTES // 2)).from_buffer_copy(data)
        ctypes.memset(out, UNWRITTEN, count)
        front_end(window, out)
        os.write(1, out.raw)
