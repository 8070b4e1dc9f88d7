"""Formats of a dense layer in which a zero is not stored, and what they are worth (chapter 6).

    bitmap    one bit for every weight, then the weights that are not zero, a nibble each
    runs      for every weight that is not zero a byte: how many zeros come before it, and the weight
    groups    the dense format's words of four inputs, without those that are all zero, behind a bitmap of words
    straight  no table at all: C with a load and an addition for every binary digit of every weight

Packing and unpacking are exact for weights of -8 .. 7; the C that reads the tables is firmware/formats/sparse.c, and
`tinyspeech/measure/formats.py` counts its cycles on the chip. Not here: pruning itself (`tinyspeech/lowbit/prune.py`),
which makes the zeros, and the dense format that ships (`packing.pack_dense`). This file knows nothing of torch.
"""

from __future__ import annotations

import numpy as np

from tinyspeech.errors import UserError
from tinyspeech.integer.packing import pack_dense, pack_nibbles, unpack_dense, unpack_nibbles

LONGEST_RUN = 15
"""Zeros that one entry of the format `runs` can skip."""
WORD_BITS = 16
"""Outputs that one word of bitmap covers in the format `groups`."""


def _checked(weight: np.ndarray) -> np.ndarray:
    """The weights as int64; `UserError` unless they are 4-bit and [outputs, inputs]."""
    if weight.ndim != 2 or weight.min(initial=0) < -8 or weight.max(initial=0) > 7:
        raise UserError(f"a dense layer is [outputs, inputs] of 4-bit weights, not {list(weight.shape)}")
    return weight.astype(np.int64)


def pack_bitmap(weight: np.ndarray) -> np.ndarray:
    """int8 [outputs, inputs] -> uint8: for each output ceil(inputs / 8) bytes of bitmap, then its weights, 2 a byte."""
    rows = []
    for row in _checked(weight):
        values = row[row != 0]
        rows += [np.packbits(row != 0, bitorder="little"), pack_nibbles(values[None])[0]]
    return np.concatenate(rows).astype(np.uint8)


def unpack_bitmap(packed: np.ndarray, outputs: int, inputs: int) -> np.ndarray:
    """The inverse of `pack_bitmap`: int8 [outputs, inputs]."""
    weight, at, width = np.zeros((outputs, inputs), np.int8), 0, -(-inputs // 8)
    for row in weight:
        there = np.unpackbits(packed[at : at + width], bitorder="little")[:inputs].astype(bool)
        at, count = at + width, int(there.sum())
        row[there] = unpack_nibbles(packed[None, at : at + (count + 1) // 2], count)[0]
        at += (count + 1) // 2
    return weight


def pack_runs(weight: np.ndarray) -> np.ndarray:
    """int8 [outputs, inputs] -> uint8: for each output the number of entries, then a byte each: zeros skipped in the
    high nibble, the weight in the low one. Sixteen zeros or more take entries (15, 0), which pass over 16 inputs."""
    out: list[int] = []
    for row in _checked(weight):
        entries, at = [], 0
        for i in np.flatnonzero(row):
            while i - at > LONGEST_RUN:
                entries.append(LONGEST_RUN << 4)
                at += LONGEST_RUN + 1
            entries.append(int(i - at) << 4 | int(row[i]) & 15)
            at = i + 1
        if len(entries) > 255:
            raise UserError(f"a row of {len(entries)} weights has more entries than a byte can count")
        out += [len(entries), *entries]
    return np.array(out, np.uint8)


def unpack_runs(packed: np.ndarray, outputs: int, inputs: int) -> np.ndarray:
    """The inverse of `pack_runs`: int8 [outputs, inputs]."""
    weight, at = np.zeros((outputs, inputs), np.int8), 0
    for row in weight:
        count, i = int(packed[at]), 0
        for entry in packed[at + 1 : at + 1 + count].astype(int):
            i += entry >> 4
            row[i] = (entry & 15) - (16 if entry & 8 else 0)
            i += 1
        at += 1 + count
    return weight


def pack_groups(weight: np.ndarray) -> np.ndarray:
    """int8 [outputs, inputs] -> uint16: for each four inputs ceil(outputs / 16) words of bitmap over the outputs, then
    the words of `packing.pack_dense` that are not zero."""
    words = pack_dense(_checked(weight))  # (inputs / 4, outputs)
    out = []
    for row in words:
        there = np.pad(row != 0, (0, -len(row) % WORD_BITS))
        out += [np.packbits(there, bitorder="little").view("<u2"), row[row != 0]]
    return np.concatenate(out).astype(np.uint16)


def unpack_groups(packed: np.ndarray, outputs: int, inputs: int) -> np.ndarray:
    """The inverse of `pack_groups`: int8 [outputs, inputs]."""
    words, at, width = np.zeros((inputs // 4, outputs), np.uint16), 0, -(-outputs // WORD_BITS)
    for row in words:
        bitmap = packed[at : at + width].astype("<u2").view(np.uint8)
        there = np.unpackbits(bitmap, bitorder="little")[:outputs].astype(bool)
        at, count = at + width, int(there.sum())
        row[there] = packed[at : at + count]
        at += count
    return unpack_dense(words)


def digits(weight: int) -> dict[int, int]:
    """{power of two: +1 or -1} that add up to a weight, -8 .. 7, in as few terms as there can be: 7 = 8 - 1."""
    terms, power, rest = {}, 1, int(weight)
    while rest:
        if rest & 1:
            sign = 1 if rest == 3 else 2 - (rest & 3)  # -1 where the next digit is 1 too; but 3 is as well 2 + 1
            terms[power], rest = sign, rest - sign
        rest, power = rest >> 1, power * 2
    return terms


def straight_line(weight: np.ndarray, name: str) -> str:
    """The layer as C: a function `name(in, accumulator)` that adds and subtracts inputs, top digits first."""
    used = "int32_t total;" if weight.any() else "(void)in;"
    lines = [f"void {name}(const int8_t *in, int32_t *accumulator)\n{{\n    {used}"]
    for o, row in enumerate(_checked(weight)):
        terms = [digits(w) for w in row]
        started = False
        for power in (8, 4, 2, 1):
            signed = [(i, t[power]) for i, t in enumerate(terms) if power in t]
            text = "".join(f" {'-+'[sign > 0]} in[{i}]" for i, sign in signed)
            if started:
                lines.append(f"    total = total * 2{text};")
            elif signed:
                lines.append(f"    total ={text.removeprefix(' +')};")
                started = True
        lines.append(f"    accumulator[{o}] = {'total' if started else '0'};")
    return "\n".join(lines) + "\n}\n"


FORMATS = {
    "dense": (pack_dense, lambda packed, outputs, inputs: unpack_dense(packed)),
    "bitmap": (pack_bitmap, unpack_bitmap),
    "runs": (pack_runs, unpack_runs),
    "groups": (pack_groups, unpack_groups),
}
"""Format -> (pack, unpack): weights int8 [outputs, inputs] to a table, and (table, outputs, inputs) back."""


def prune_integers(weight: np.ndarray, share: float, group: int = 1) -> np.ndarray:
    """Weights int8 [outputs, inputs] with this share set to zero: those smallest in size, of equal ones the first.

    group : how many inputs in a row are kept or dropped together, by the sum of their sizes; 1 is every weight for
        itself. Zeros that were there before count among those to be dropped.
    """
    size = np.abs(weight.astype(np.int64)).reshape(len(weight), -1, group).sum(-1).reshape(-1)
    drop = np.argsort(size, kind="stable")[: round(share * len(size))]
    kept = np.ones(len(size), bool)
    kept[drop] = False
    return weight * kept.repeat(group).reshape(weight.shape)
