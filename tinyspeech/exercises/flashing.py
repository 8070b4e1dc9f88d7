"""Exercises of the chapter "Flashing the board": the time on the line, pages that fill, and what a sum overlooks."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations

from tinyspeech.board import rom
from tinyspeech.exercises.trying import Exercise, checker

HEAD, REPLY = 11, 9
"""Bytes of a request to program beside its data: header, command, length, zero, address, one of no meaning, sum."""


def fastest(size: int, head: int = HEAD, reply: int = REPLY, bits: int = 10, closing: bool = True) -> float:
    pages = -(-size // rom.PAGE_BYTES)
    return bits * (size + (pages + closing) * (head + reply)) / 115_200


# ---------------------------------------------------------------- pages that fill


def sent(total: int, chunk: int) -> list[int]:
    """After each request with data."""
    return [min(at + chunk, total) for at in range(0, total, chunk)]


def in_flash(total: int, chunk: int) -> list[int]:
    return [count // rom.PAGE_BYTES * rom.PAGE_BYTES for count in sent(total, chunk)] + [total]


# ---------------------------------------------------------------- what a sum overlooks


def pairs(data: bytes, overlooked: Callable[[int, int, bool, bool], bool]) -> int:
    """How many pairs of bits are, by their places in their bytes and by what they are."""
    bits = [(place, bool(byte >> place & 1)) for byte in data for place in range(8)]
    return sum(overlooked(a, b, x, y) for (a, x), (b, y) in combinations(bits, 2))


def missed_pairs(data: bytes) -> int:
    return pairs(data, lambda a, b, x, y: a == b and (x != y or a == 7))


EXERCISES = {
    "fastest": Exercise(
        examples=[((size,), fastest(size)) for size in (64, 100, 6_400, 16_384)],
        hints=["A request has 64 data bytes and eleven others; its reply has nine; the last request has no data.",
               "The last page may be shorter, and so is its request.",
               "A byte is ten bits on the line: a start, eight, a stop."],
        mistakes={
            "A byte takes ten bits on the line: one to start and one to stop.": lambda size: fastest(size, bits=8),
            "Each request is answered, with nine bytes.": lambda size: fastest(size, reply=0),
            "A write of nothing closes it: one request and one reply more.":
                lambda size: fastest(size, closing=False),
            "A request has eleven bytes beside the data, the address and the one of no meaning among them.":
                lambda size: fastest(size, head=6),
            "The data alone do not make a packet: header, command, length, zero, address, sum come with them.":
                lambda size: 10 * size / 115_200,
            "What is left over makes a packet, too: round the number of pages up.":
                lambda size: fastest(size) - 10 * (HEAD + REPLY) / 115_200 * (size % rom.PAGE_BYTES > 0),
        }),
    "in_flash": Exercise(
        examples=[(case, in_flash(*case)) for case in ((200, 56), (192, 64), (60, 30), (100, 40))],
        hints=["A page is programmed when its 64 bytes are there; what is over waits for the next request.",
               "Where requests and pages are of a size, nothing waits; the last request still adds an entry.",
               "The request without data programs what waits, too: no more will come."],
        mistakes={
            "Those are the bytes that were sent; what does not fill a page yet waits in RAM.":
                lambda total, chunk: [*sent(total, chunk), total],
            "The request without data has an entry, too: then all is there.":
                lambda total, chunk: in_flash(total, chunk)[:-1],
            "The request without data programs what waits, though its page is not full.":
                lambda total, chunk: [*in_flash(total, chunk)[:-1], in_flash(total, chunk)[-2]],
            "Bytes wait for their page from one request to the next; yours begins anew with each.":
                lambda total, chunk: [count * (chunk == rom.PAGE_BYTES) for count in sent(total, chunk)] + [total],
            "A page is programmed when it is full, not when it is begun.":
                lambda total, chunk: [-(-count // rom.PAGE_BYTES) * rom.PAGE_BYTES for count in sent(total, chunk)]
                + [total],
            "Those are pages; a page is 64 bytes.":
                lambda total, chunk: [count // rom.PAGE_BYTES for count in in_flash(total, chunk)],
        }),
    "missed_pairs": Exercise(
        examples=[((data,), missed_pairs(data))
                  for data in (bytes([0, 127]), bytes([0, 128, 0]), bytes([1, 2, 3, 4]), b"\xa5speech")],
        hints=["Flip two bits: the sum stays where one adds what the other takes away.",
               "A sum of bytes is kept modulo 256: 128 and 128 more is nothing.",
               "Count by place in the byte: how many bits there are ones, and how many zeros?",
               "Count by place in the byte: how many bits there are ones, and how many zeros?"],
        mistakes={
            "Of the sum one byte is kept: two highest bits that both rise add 256, which is nothing.":
                lambda data: pairs(data, lambda a, b, x, y: a == b and x != y),
            "Two bits of one place that both rise change the sum, unless it is the highest place.":
                lambda data: pairs(data, lambda a, b, x, y: a == b),
            "A bit of one place does not make up for one of another: their worth differs.":
                lambda data: pairs(data, lambda a, b, x, y: x != y),
            "Each pair counts once: first and second is no other pair than second and first.":
                lambda data: 2 * missed_pairs(data),
            "Where one bit rises and the other falls, the sum stays; you counted those that both rise or both fall.":
                lambda data: pairs(data, lambda a, b, x, y: a == b and x == y),
            "All places count: the highest is one of eight.":
                lambda data: pairs(data, lambda a, b, x, y: a == b == 7),
        }),
}
check = checker(EXERCISES)
