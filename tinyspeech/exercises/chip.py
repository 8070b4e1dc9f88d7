"""Exercises of the chapter "The CH32V003": short and long instructions, the cycles of a loop, and of a wait state."""

from __future__ import annotations

from collections.abc import Iterator

from tinyspeech.exercises.trying import Exercise, checker


def halves(code: bytes, order: str = "little") -> list[int]:
    return [int.from_bytes(code[at : at + 2], order) for at in range(0, len(code), 2)]


def is_long(half: int) -> bool:
    return half & 3 == 3


def firsts(halfwords: list[int]) -> Iterator[int]:
    """The first half of each instruction."""
    at = 0
    while at < len(halfwords):
        yield halfwords[at]
        at += 2 if is_long(halfwords[at]) else 1


def counted(longs: list[bool]) -> tuple[int, int]:
    return len(longs) - sum(longs), sum(longs)


def short_and_long(code: bytes) -> tuple[int, int]:
    return counted([is_long(half) for half in firsts(halves(code))])


def lowest_bit_alone(code: bytes) -> tuple[int, int]:
    longs, at, halfwords = [], 0, halves(code)
    while at < len(halfwords):
        longs.append(bool(halfwords[at] & 1))
        at += 1 + longs[-1]
    return counted(longs)


ADDING = bytes.fromhex("0d45 8145 aa95 7d15 75fd 0290")
SENDING = bytes.fromhex("b7450140 03a60580 13760608 65de 23a2a580 8280")
"""`usart_put`, as the chapter shows it."""
MIXED = bytes.fromhex("b7020000 83270303 0145 93050000 8545")
"""The second halves look like instructions of either kind."""


# ---------------------------------------------------------------- a loop's cycles


def clearing_cycles(words: int, stores: int, store: int = 2, add: int = 1, taken: int = 3, last: int = 1) -> int:
    """Of a loop whose first instruction stands at a multiple of four."""
    turns = words // stores
    return turns * (stores * store + add + taken) - taken + last


# ---------------------------------------------------------------- what a wait state costs

SLOW = (1, 1, 2, 2, 3)
FROM_FLASH = (1, 2, 2, 3, 5)
FROM_SRAM = (1, 1, 2, 3, 3)
"""Cycles: 16-bit and 32-bit arithmetic, a load from SRAM and from flash, a jump. At 24 MHz; at 48 MHz, with the program
in flash or in SRAM, while what it loads from flash stays there."""


def cycles(counts: tuple, costs: tuple) -> int:
    return sum(count * cost for count, cost in zip(counts, costs, strict=True))


def loop_ns(counts: tuple, mhz: int, in_sram: bool) -> float:
    costs = SLOW if mhz == 24 else FROM_SRAM if in_sram else FROM_FLASH
    return 1000 * cycles(counts, costs) / mhz


KERNEL = (10, 6, 5, 4, 2)
CASES = ((KERNEL, 24, False), (KERNEL, 48, False), (KERNEL, 48, True), (KERNEL, 24, True), ((3, 0, 0, 1, 1), 48, True))

EXERCISES = {
    "short_and_long": Exercise(
        examples=[((code,), short_and_long(code)) for code in (ADDING, SENDING, MIXED, SENDING + ADDING)],
        hints=["Take two bytes, the low one first. Where the lowest two bits are both 1, two more belong to it.",
               "Behind a long instruction go on four bytes further.",
               "The second half of a long one may look like anything: never look at it.",
               "Behind a long instruction go on four bytes further."],
        mistakes={
            "The second half of a long instruction is no instruction: go on four bytes further.":
                lambda code: counted([is_long(half) for half in halves(code)]),
            "The lower byte comes first: take int.from_bytes(…, \"little\").":
                lambda code: counted([is_long(half) for half in firsts(halves(code, "big"))]),
            "Both of the lowest two bits must be 1 in a long one.": lowest_bit_alone,
            "First the short ones, then the long ones.": lambda code: short_and_long(code)[::-1],
            "Those are bytes; count instructions.":
                lambda code: (2 * short_and_long(code)[0], 4 * short_and_long(code)[1]),
        }),
    "clearing_cycles": Exercise(
        examples=[(case, clearing_cycles(*case)) for case in ((64, 1), (64, 4), (1, 1), (128, 8))],
        hints=["A turn is its stores of 2 cycles, an addition of 1, and a branch back of 3.",
               "There are words / stores turns.", "The last branch is not taken."],
        mistakes={
            "The last branch is not taken, and costs less.":
                lambda words, stores: clearing_cycles(words, stores, last=3),
            "A branch that is taken is a jump: 3 cycles.":
                lambda words, stores: clearing_cycles(words, stores, taken=1),
            "A store takes 2 cycles.": lambda words, stores: clearing_cycles(words, stores, store=1),
            "The address has to be moved on: one addition a turn.":
                lambda words, stores: clearing_cycles(words, stores, add=0),
            "The address is moved on once a turn, not once a word.":
                lambda words, stores: clearing_cycles(words, stores, add=stores),
            "That is the firmware's, whose first instruction lies across two words: this one needs no fetch more.":
                lambda words, stores: clearing_cycles(words, stores, taken=4) + 1,
            "With more stores a turn there are fewer turns.":
                lambda words, stores: clearing_cycles(words * stores, stores),
        }),
    "loop_ns": Exercise(
        examples=[(case, loop_ns(*case)) for case in CASES],
        hints=["At f MHz a cycle takes 1000 / f ns. Without a wait state, the costs are the first column.",
               "At 48 MHz long instructions, loads from flash and jumps cost more, as the table says.",
               "A program in SRAM is fetched without wait state; the flash that it reads from has one.",
               "At 24 MHz there is no wait state, wherever the program is.",
               "A program in SRAM is fetched without wait state; the flash that it reads from has one."],
        mistakes={
            "A cycle at 48 MHz is half as long: divide by the clock.":
                lambda counts, mhz, in_sram: loop_ns(counts, mhz, in_sram) * mhz / 24,
            "The program is in SRAM, but the weights are still loaded from flash, and wait.":
                lambda counts, mhz, in_sram: 1000 * cycles(counts, SLOW if mhz == 24 or in_sram else FROM_FLASH) / mhz,
            "Code in SRAM has no wait state: it is fetched as fast as at 24 MHz.":
                lambda counts, mhz, in_sram: loop_ns(counts, mhz, False),
            "More clock costs wait states: at 48 MHz take the table's second column.":
                lambda counts, mhz, in_sram: 1000 * cycles(counts, SLOW) / mhz,
            "Those are microseconds: 1 / MHz is one of them.":
                lambda counts, mhz, in_sram: loop_ns(counts, mhz, in_sram) / 1000,
            "At 24 MHz the flash keeps up, and nothing waits.":
                lambda counts, mhz, in_sram: 1000 * cycles(counts, FROM_SRAM if in_sram else SLOW if mhz == 24
                                                           else FROM_FLASH) / mhz,
        }),
}
check = checker(EXERCISES)
