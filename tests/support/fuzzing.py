"""What is damaged at random, how often, and what may come of it. `TINYSPEECH_FUZZ=N` tries N times what CI tries."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterator

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from tinyspeech.errors import UserError

TIMES = int(os.environ.get("TINYSPEECH_FUZZ", "1"))
PATIENCE_S = 60
"""Of one example; all take less than a second, on an idle computer."""
BOUND_BYTES = 2 << 30
"""Of memory, for all that is tried here; what each parser takes at most is stated where it is."""


def often(examples: int):
    """A test's settings: so many examples in CI."""
    return settings(max_examples=examples * TIMES, deadline=None, derandomize=TIMES == 1, database=None,
                    suppress_health_check=[*HealthCheck])


@contextlib.contextmanager
def within(seconds: float) -> Iterator[None]:
    """What takes longer than that hangs, and fails."""
    def late(*_):
        raise AssertionError(f"it hangs: {seconds} s")

    if not hasattr(signal, "setitimer"):
        yield
        return
    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def only_a_line(work: Callable[[], object]) -> bool:
    """Do it: whether it works. It may be refused with one line; whatever else it raises is a failure, and so is a hang.
    """
    with within(PATIENCE_S):
        try:
            work()
        except UserError as error:
            assert len(str(error).split("\n")) == 1 and str(error), "not one line"
            return False
    return True


KINDS = ("flip", "set", "cut", "insert", "repeat", "number")
EDIT = st.tuples(st.floats(0, 1, exclude_max=True), st.sampled_from(KINDS), st.integers(0, 255), st.integers(1, 64))


def edited(data: bytes, edits: list[tuple[float, str, int, int]]) -> bytes:
    """Bytes with some damage: place, kind, value and length of each."""
    out = bytearray(data)
    for place, kind, value, length in edits:
        at = int(place * len(out))
        match kind:
            case "flip":
                out[at : at + 1] = bytes(byte ^ (1 << value % 8) for byte in out[at : at + 1])
            case "set":
                out[at : at + length] = bytes([value]) * len(out[at : at + length])
            case "cut":
                del out[at : at + length * (1 + value)]
            case "insert":
                out[at:at] = bytes([value]) * length
            case "repeat":
                out[at:at] = out[at : at + length]
            case "number":  # of four bytes, as they count lengths
                number = (0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0xFFFFFF)[value % 6]
                out[at : at + 4] = number.to_bytes(4, "little" if length % 2 else "big")
    return bytes(out)


def damage(data: bytes) -> st.SearchStrategy[bytes]:
    """What becomes of a file: damaged in places, mostly in its head, or anything at all."""
    head = EDIT.map(lambda edit: (edit[0] * min(1, 200 / max(1, len(data))), *edit[1:]))
    edits = st.lists(st.one_of(EDIT, head), min_size=1, max_size=6)
    return st.one_of(edits.map(lambda some: edited(data, some)),
                     st.binary(max_size=300).map(lambda new: new + data[:9]),
                     st.integers(0, len(data)).map(lambda size: data[:size]))


LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(), st.text(max_size=12),
    st.sampled_from(["\x1b[2J", "a\nb", "_silence_", "dense", "stream", "9" * 30]))
JSON = st.recursive(LEAVES, lambda inside: st.one_of(
    st.lists(inside, max_size=4), st.dictionaries(st.text(max_size=8), inside, max_size=4)), max_leaves=12)
"""Values as data files have them."""
