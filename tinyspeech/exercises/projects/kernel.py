"""Project "Your own kernel": the dense layer of 4-bit weights, two frames at once, judged by its cycles and bytes.

    from tinyspeech.exercises.projects import kernel
    kernel.score(source, pack)                # C
    kernel.score(source, pack, language="S")  # assembly

The function is

    void dense(const int8_t *first, const int8_t *second, int inputs, const void *weights, int outputs, int32_t *out,
               uint32_t *work);

with out[o] = sum of weight[o][i] * first[i], plus 2^16 times the same sum for second, modulo 2^32: what the firmware's
`kernel_dense_pair` gives (chapter 9). Python's `pack` makes the bytes that `weights` points at.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np

from tinyspeech import paths
from tinyspeech.exercises.projects.on_chip import OnChip
from tinyspeech.exercises.projects.scored import Figure, Refused, Score, scored
from tinyspeech.integer import frontend
from tinyspeech.integer.network import IntegerModel, Layer
from tinyspeech.integer.packing import pack_dense, pack_nibbles
from tinyspeech.paths import SHIPPED, model_file

TITLE = "Your own kernel"
MOST_FLASH, MOST_RAM = 8192, 320
"""Bytes: code and weights together; and stack, work space and variables. In the firmware there is no more room."""
MOST_INPUTS, MOST_OUTPUTS, WORK_BYTES = 48, 48, 256
RANDOM = 2
"""Pairs of random activations for each layer. Their cycles are what counts."""
SEED = 20
LOOKS = ("frames with random activations", "the other random activations", "activations of -128 all",
         "activations of 127 all", "activations that make the largest sums")
UNTOUCHED = 0x5A
"""What lies in `out` and `work` before a call."""


def shipped_source() -> str:
    """The kernel that ships, firmware/dense.S, under this project's name."""
    return (paths.FIRMWARE / "dense.S").read_text("utf-8").replace("kernel_dense_pair", "dense")


def score(source: str, pack: Callable[[np.ndarray], np.ndarray] = pack_nibbles, language: str = "c") -> Score:
    """Judge a kernel, in some seconds: right on every dense layer of the shipped network and on hostile ones.

    source : the file with `dense`
    pack : int8 [outputs, inputs], -8 .. 7, to an array of whole numbers, which lies in flash as its bytes do in memory
    language : "c", or "S" for assembly

    100 points are those of the kernel that ships; half its cycles, or half its bytes, would be 200.
    """
    def judge() -> tuple[list[Figure], int]:
        cycles, macs, flash, ram = _measured(source, pack, language)
        best_cycles, _, best_flash, best_ram = shipped()
        figures = [Figure("cycles a product", cycles / macs, digits=2),
                   Figure("cycles a second", cycles),
                   Figure("code and weights", flash, "bytes", MOST_FLASH, hint="Weights of 4 bits are two in a byte."),
                   Figure("RAM", ram, "bytes", MOST_RAM, hint="The stack counts, and so does what is kept in work.")]
        return figures, 100 * best_cycles * (best_flash + best_ram) // (cycles * (flash + ram))

    return scored(TITLE, judge)


@cache
def shipped() -> tuple[int, int, int, int]:
    """The kernel that ships: cycles a second, products a second, bytes of code and weights, bytes of RAM."""
    return _measured(shipped_source(), pack_dense, "S")


def layers() -> list[tuple[Layer, int, int]]:
    """The dense layers of the network that ships, each with its frames in a second of sound, and with how often it is
    called for them: two frames at once, and where a layer behind it takes every second frame, for two pairs at once."""
    model = IntegerModel.load(model_file(SHIPPED, ".npz"))
    frames, found, stride = frontend.N_FRAMES + model.flush, [], 1
    for layer in model.layers:
        frames, stride = -(-frames // layer.stride), stride * layer.stride
        if layer.weight is not None and layer.kind != "depthwise":
            found.append((layer, frames, stride))
    last = -(-frames // 2)
    return [(layer, frames, last * stride // before) for layer, frames, before in found]


def hostile() -> dict[str, np.ndarray]:
    """Weights that no training made, int8 [outputs, inputs]: all of 4 bits, from a fixed seed, and the extremes."""
    rng = np.random.default_rng(SEED)
    return {"random weights": rng.integers(-8, 8, (48, 32)).astype(np.int8),
            "weights of -8 all": np.full((32, 48), -8, np.int8), "weights of 7 all": np.full((12, 48), 7, np.int8),
            "one row of random weights": rng.integers(-8, 8, (1, 16)).astype(np.int8),
            "few weights that are not 0": (rng.integers(-8, 8, (8, 36)) * (rng.integers(0, 4, (8, 36)) == 0)).astype(
                np.int8)}


def _measured(source: str, pack: Callable, language: str) -> tuple[int, int, int, int]:
    """Cycles a second, products a second, bytes of code and weights, bytes of RAM; or `Refused`."""
    rng, parts = np.random.default_rng(SEED), layers()
    real = {f"layer {layer.name}": layer.weight for layer, *_ in parts}
    chip = _on_chip(source, pack, language, real)
    taken = [_right(chip, number, name, weight, rng) for number, (name, weight) in enumerate(real.items())]
    others = _on_chip(source, pack, language, hostile())
    for number, (name, weight) in enumerate(hostile().items()):
        _right(others, number, name, weight, rng)
    cycles = sum(calls * sum(one) for one, (*_, calls) in zip(taken, parts, strict=True))
    macs = sum(frames * layer.weight.size for layer, frames, _ in parts)
    return cycles // RANDOM, macs, chip.flash_bytes, max(one.ram_bytes(["out"]) for one in (chip, others))


def _on_chip(source: str, pack: Callable, language: str, weights: dict[str, np.ndarray]) -> OnChip:
    buffers = {"first": MOST_INPUTS, "second": MOST_INPUTS, "out": 4 * MOST_OUTPUTS, "work": WORK_BYTES}
    constants = {f"weights{number}": _packed(pack, weight) for number, weight in enumerate(weights.values())}
    return OnChip("dense", source, language, buffers, constants)


def _packed(pack: Callable, weight: np.ndarray) -> bytes:
    """What the reader's function makes of a copy of the weights."""
    try:
        table = np.asarray(pack(weight.copy()))
    except Exception as error:
        raise Refused(f"pack fails: {type(error).__name__}: {error}",
                      f"It is given int8 {list(weight.shape)}, -8 .. 7.") from error
    if table.dtype.kind not in "iu" or not table.size:
        raise Refused(f"pack gives {table.dtype} {list(table.shape)}, and not whole numbers",
                      "Return a numpy array of uint8, uint16 or uint32.")
    return table.astype(table.dtype.newbyteorder("<")).tobytes()


def _right(chip: OnChip, number: int, name: str, weight: np.ndarray, rng: np.random.Generator) -> list[int]:
    """The cycles of the random pairs, where all sums are right."""
    outputs, inputs = weight.shape
    largest = np.where(weight[0] > 0, 127, -128)
    pairs = [*rng.integers(-128, 128, (RANDOM, 2, inputs)), np.full((2, inputs), -128), np.full((2, inputs), 127),
             np.stack([largest, -1 - largest])]
    return [_call(chip, number, f"{name}, {look}", weight, pair)
            for look, pair in zip(LOOKS, pairs, strict=True)][:RANDOM]


def _call(chip: OnChip, number: int, name: str, weight: np.ndarray, pair: np.ndarray) -> int:
    (outputs, inputs), at = weight.shape, chip.at
    for buffer, vector in zip(("first", "second"), pair.astype(np.int8), strict=True):
        chip.put(at[buffer], vector.tobytes())
    chip.put(at["out"], bytes([UNTOUCHED]) * 4 * MOST_OUTPUTS)
    chip.put(at["work"], bytes([UNTOUCHED]) * WORK_BYTES)
    cycles = chip(at["first"], at["second"], inputs, at[f"weights{number}"], outputs, at["out"], at["work"],
                  writes={"out": 4 * outputs, "work": WORK_BYTES})
    got = np.frombuffer(chip.read("out", 4 * outputs), "<i4").astype(np.int64)
    first, second = weight.astype(np.int64) @ pair.T.astype(np.int64)[:, 0], weight.astype(np.int64) @ pair[1]
    wanted = (first + (second << 16) + 2**31) % 2**32 - 2**31
    if wrong := np.flatnonzero(got != wanted).tolist():
        o = wrong[0]
        raise Refused(f"out[{o}] is {got[o]}, {wanted[o]} is right ({name})",
                      _mistake(int(got[o]), int(first[o]), int(second[o])))
    return cycles


def _mistake(got: int, first: int, second: int) -> str:
    """What a wrong sum looks like."""
    if got == int.from_bytes(bytes([UNTOUCHED]) * 4, "little", signed=True):
        return "That is what lay there before: this output is not written."
    if got == first:
        return "That is the sum of the first frame alone: add the second's, times 2^16."
    if got == (second << 16) + (first & 0xFFFF):
        return "Add the two sums, and do not put them side by side: a first below 0 takes 1 from the upper half."
    if (got - first) % 2**16 == 0:
        return "The first frame's sum is right. The second's is not."
    return "A weight is a nibble in two's complement: its top bit counts -8. Does pack put them where dense looks?"
