"""Exercises of chapter 7: one layer of TinySpeech-S, and what its multipliers, its rounding and its sums can bear."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinyspeech import paths
from tinyspeech.exercises.trying import Exercise, checker
from tinyspeech.integer import frontend
from tinyspeech.integer.network import IntegerModel
from tinyspeech.sound import audio

MODEL = IntegerModel.load(paths.model_file("tinyspeech_s", ".npz"))
WORD = paths.BUNDLED / "left" / "6156aa59_nohash_0.flac"
LAYERS = ("stem", "features", (20, 31)), ("block0_expand", "block0_depthwise", (12,)), \
    ("block0_project", "block0_expand", (12,))
"""Of the network: a layer, where its input comes from, and which frames of the word it is tried on."""

# ---------------------------------------------------------------- one layer

SMALL = (np.array([[10, -20, 30, 4]], np.int8),  # one frame
         np.array([[7, 7, 7, 7], [1, -1, 0, 0], [-7, 7, -7, 1], [7, -7, 7, 0]], np.int8), np.array([2, -33, 0, 5]),
         np.array([128, 128, 200, 255]), np.array([9, 8, 9, 5]))
"""A layer that can be followed on paper: its second answer is a tie, below zero, and its last one is too large for a
byte."""


def _layers() -> list[tuple]:
    """(arguments of `one_layer`, what the library makes of them): layers of the network on frames of a word."""
    seen: dict = {}
    features = frontend.features(frontend.to_8khz(audio.load_clip(WORD)))
    MODEL.run(features[None], seen)
    examples = []
    seen["features"] = features[None].astype(np.int64)
    for name, source, times in LAYERS:
        layer = next(one for one in MODEL.layers if one.name == name)
        for t in times:
            frames = layer.windows(seen[source])[0, t]  # (kernel, inputs)
            wanted = layer.requantise(frames.reshape(-1) @ layer.weight.astype(np.int64).T)
            constants = (one.astype(np.int64) for one in (layer.bias, layer.multiplier, layer.shift))
            examples.append(((frames.astype(np.int8), layer.weight, *constants, layer.low), wanted))
    return examples


def _layer(frames: np.ndarray, weight: np.ndarray, bias: np.ndarray, multiplier: np.ndarray, shift: np.ndarray,
           low: int, *, type_: Any = np.int64, most: float = 127, rule: Any = None, bias_first: bool = True,
           low_sum: float = -np.inf) -> np.ndarray:
    """As it should be; and with one thing otherwise, as it might be written."""
    sums = np.maximum(weight.astype(type_) @ frames.reshape(-1).astype(type_), low_sum).astype(np.int64)
    total = (sums + bias) * multiplier if bias_first else sums * multiplier + bias
    rounded = (total + (1 << (shift - 1))) >> shift if rule is None else rule(total, shift)
    return np.clip(rounded, low, most)


def _with(**otherwise: Any) -> Any:
    return lambda *arguments: _layer(*arguments, **otherwise)


ONE_LAYER = Exercise(
    examples=[((*SMALL, low), _layer(*SMALL, low)) for low in (-128, 0)] + _layers(),
    hints=["Frames side by side, oldest first; times the weights and added up; bias; multiplier; half of what the "
           "shift drops; shift; and both ends."],
    mistakes={
        "A sum of bytes does not fit a byte, and numpy says nothing: make whole numbers of the bytes first.":
            _with(type_=np.int8),
        "That rounds down. Half of what the shift drops has to be added before it.": _with(rule=lambda t, n: t >> n),
        "That rounds halves to the even neighbour, as Python does; the chip rounds them up.":
            _with(rule=lambda t, n: np.rint(t / 2.0**n).astype(np.int64)),
        "That cuts off towards zero, as a division in C does; a shift rounds down.":
            _with(rule=lambda t, n: np.trunc((t + (1 << (n - 1))) / 2.0**n).astype(np.int64)),
        "The bias is in the units of the sums: it is added before the multiplier.": _with(bias_first=False),
        "The lower end is the layer's own: with 0 it is a ReLU.":
            lambda *arguments: _layer(*arguments[:-1], -128),
        "What is above a byte's end becomes the largest byte, 127.": _with(most=np.inf),
        "The lower end is one of the bytes, after the shift, and not of the sums.":
            lambda *arguments: _layer(*arguments, low_sum=arguments[-1]),
        "The oldest frame comes first; there it is the last one.":
            lambda frames, *arguments: _layer(frames[::-1], *arguments),
        "The weights want the oldest frame whole, then the next; there the first value of every frame comes first.":
            lambda frames, *arguments: _layer(frames.T, *arguments),
    },
    rel=0)

# ---------------------------------------------------------------- what there is room for

RATIO_RANGE = Exercise(
    examples=[((bits, shift), (2 ** (bits - 1) / 2**shift, (2**bits - 1) / 2)) for bits, shift in (
        (8, 15), (4, 15), (8, 31), (6, 10))],
    hints=["The ratio is multiplier / 2**shift. Which multiplier and which shift make it least, which largest? The top "
           "bit of the multiplier is set."],
    mistakes={
        "A larger shift makes a smaller ratio: each end has the other's shift there.":
            lambda bits, shift: (2 ** (bits - 1) / 2, (2**bits - 1) / 2**shift),
        "The shift is at least 1: without any there would be nothing to round.":
            lambda bits, shift: (2 ** (bits - 1) / 2**shift, 2**bits - 1),
        "The top bit of the multiplier is set, so 1 is not among them.":
            lambda bits, shift: (1 / 2**shift, (2**bits - 1) / 2),
        "The largest number of so many bits is one less than a power of two.":
            lambda bits, shift: (2 ** (bits - 1) / 2**shift, 2**bits / 2),
        "The least multiplier is the power of two whose bit is the top one: one bit lower.":
            lambda bits, shift: (2**bits / 2**shift, (2**bits - 1) / 2),
    },
    rel=1e-9)


def _folded(sums: np.ndarray, bias: np.ndarray, multiplier: np.ndarray, shift: np.ndarray, *,
            half: Any = lambda m, n: np.floor(2.0 ** (n - 1) / m + 0.5)) -> np.ndarray:
    return ((sums + bias + half(multiplier, shift).astype(np.int64)) * multiplier) >> shift


def _half(half: Any) -> Any:
    return lambda *arguments: _folded(*arguments, half=half)


def _behind(sums: np.ndarray, bias: np.ndarray, multiplier: np.ndarray, shift: np.ndarray) -> np.ndarray:
    return ((sums + bias) * multiplier + (1 << (shift - 1))) >> shift


def _twice(sums: np.ndarray, bias: np.ndarray, multiplier: np.ndarray, shift: np.ndarray) -> np.ndarray:
    half = np.floor(2.0 ** (shift - 1) / multiplier + 0.5).astype(np.int64)
    return _behind(sums + half, bias, multiplier, shift)


CHANNELS = tuple(map(np.array, ([178, -48, 207, -91, 673, 1210], [-12, 30, 0, 7, 200, -9],
                                [149, 128, 255, 201, 180, 233], [13, 9, 12, 10, 12, 14])))
TELLING = tuple(map(np.array, ([-70, 249, -86, -52, -7, -87], [-12, 0, 7, 200, 5, 1], [149, 255, 201, 180, 131, 187],
                               [13, 12, 10, 12, 9, 9])))
"""Where a half that is not rounded, or rounded up, ends elsewhere."""
MORE = tuple(map(np.array, ([-3000, 3000, -1, 0], [5, -5, 1, 0], [131, 187, 255, 143], [9, 9, 11, 12])))

FOLDED = Exercise(
    examples=[(channels, _folded(*channels)) for channels in (CHANNELS, TELLING, MORE)],
    hints=["The half is 2**(shift − 1) behind the multiplier. In front of it, it is that divided by the multiplier, "
           "rounded to a whole number of units."],
    mistakes={
        "That is without any half: it rounds down.": _half(lambda m, n: 0 * m),
        "The half is still added behind the multiplier, too.": _twice,
        "The half is still behind the multiplier, or not rounded: in the bias it is a whole number of units.": _behind,
        "The half is rounded to the nearest unit, not up.": _half(lambda m, n: np.ceil(2.0 ** (n - 1) / m)),
        "In front of the multiplier the half is smaller, by the multiplier.": _half(lambda m, n: 2.0 ** (n - 1)),
        "The half is rounded to the nearest unit, not down.": _half(lambda m, n: np.floor(2.0 ** (n - 1) / m)),
        "2**shift is the whole of what the shift drops; the half has one bit less.":
            _half(lambda m, n: np.floor(2.0**n / m + 0.5)),
    },
    rel=0)


def _frames(each: int, stride: int, flush: int, most: int = 2**31 - 1) -> int:
    return most // each * stride - flush


LONGEST_CLIP = Exercise(
    examples=[((each, stride, flush), _frames(each, stride, flush)) for each, stride, flush in (
        (724_000, 2, 8), (2**16, 1, 0), (2**20, 4, 12), (999_983, 3, 5))],
    hints=["How many times does `each` go into the largest int32? Of so many frames scores are added; `stride` times "
           "as many come in, and the flush is among them."],
    mistakes={
        "The largest int32 is one less than 2**31.":
            lambda each, stride, flush: _frames(each, stride, flush, 2**31),
        "The sums have a sign: half of all 32 bits' numbers are below zero.":
            lambda each, stride, flush: _frames(each, stride, flush, 2**32 - 1),
        "Of `stride` frames that come in, one is scored: there are more of them in the clip.":
            lambda each, stride, flush: _frames(each, 1, flush),
        "The flush is made of frames, too: zeros after the clip, which are scored.":
            lambda each, stride, flush: _frames(each, stride, 0),
        "The flush takes away from the clip's frames; there it adds to them.":
            lambda each, stride, flush: _frames(each, stride, -flush),
        "Whole frames are scored: divide first, round down, and then count what comes in for them.":
            lambda each, stride, flush: (2**31 - 1) * stride // each - flush,
        "Fewer frames are scored than come in. There are `stride` times more in the clip, not less.":
            lambda each, stride, flush: (2**31 - 1) // each // stride - flush,
    },
    rel=0)

EXERCISES = {"one_layer": ONE_LAYER, "ratio_range": RATIO_RANGE, "folded": FOLDED, "longest_clip": LONGEST_CLIP}
check = checker(EXERCISES)
