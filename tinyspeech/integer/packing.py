"""Integer weights as bytes, and back: the dense format's words and nibbles, requantisation tables (chapters 6 and 13).

Exact for weights of -8 .. 7. What the kernels in `firmware/` unpack is what this file packs.
"""

from __future__ import annotations

import numpy as np

from tinyspeech.errors import UserError
from tinyspeech.integer.network import MAX_SHIFT, Layer


def pack_dense(weight: np.ndarray) -> np.ndarray:
    """int8 [outputs, inputs], -8 .. 7 -> uint16 [inputs / 4, outputs]: nibble b holds bit b of four inputs' weights."""
    outputs, inputs = weight.shape
    if inputs % 4 or weight.min() < -8 or weight.max() > 7:
        raise UserError("dense weights must be 4-bit and their inputs a multiple of 4")
    bits = weight.astype(np.int64).reshape(outputs, inputs // 4, 4) & 15
    word = sum(((bits[..., j] >> b) & 1) << (4 * b + j) for b in range(4) for j in range(4))
    return word.T.astype(np.uint16)


def unpack_dense(packed: np.ndarray) -> np.ndarray:
    """The inverse of `pack_dense`: uint16 [inputs / 4, outputs] -> int8 [outputs, inputs]."""
    word = packed.T.astype(np.int64)[..., None]  # (outputs, groups, 1)
    j = np.arange(4)
    value = sum(((word >> (4 * b + j)) & 1) << b for b in range(4))
    return np.where(value > 7, value - 16, value).astype(np.int8).reshape(packed.shape[1], -1)


def pack_nibbles(weight: np.ndarray) -> np.ndarray:
    """int8 [channels, kernel], -8 .. 7 -> uint8 [channels, ceil(kernel / 2)], low nibble first."""
    if weight.min(initial=0) < -8 or weight.max(initial=0) > 7:
        raise UserError("depthwise weights must be 4-bit")
    padded = np.pad(weight.astype(np.int64), ((0, 0), (0, weight.shape[1] % 2))) & 15
    return (padded[:, 0::2] | padded[:, 1::2] << 4).astype(np.uint8)


def unpack_nibbles(packed: np.ndarray, kernel: int) -> np.ndarray:
    """The inverse of `pack_nibbles`: uint8 [channels, ceil(kernel / 2)] -> int8 [channels, kernel]."""
    value = np.stack([packed & 15, packed >> 4], axis=-1).reshape(len(packed), -1)[:, :kernel].astype(np.int8)
    return np.where(value > 7, value - 16, value).astype(np.int8)


def pack_requant(layer: Layer) -> np.ndarray:
    """Bias, multiplier and shift of a layer, uint16 [outputs + ceil(outputs / 2)]: see `kernel_requant` in kernels.h.

    A classifier, which does not shift, has 0 in the shift's place. Raises `UserError` for what does not fit.
    """
    bias, multiplier = layer.bias.astype(np.int64), layer.multiplier.astype(np.int64)
    last = layer.kind.endswith("classifier")
    shift = layer.shift.astype(np.int64)
    if bias.min() < -2048 or bias.max() > 2047 or shift.min() < (not last) or shift.max() > MAX_SHIFT:
        raise UserError(f"layer {layer.name}: the firmware takes biases of 12 bits and shifts of 1 to {MAX_SHIFT}")
    pairs = np.pad(multiplier, (0, len(bias) % 2)).reshape(-1, 2)
    return np.concatenate([(bias << 4 | shift) & 0xFFFF, pairs[:, 0] | pairs[:, 1] << 8]).astype(np.uint16)


def layer_words(layer: Layer) -> tuple[np.ndarray, ...]:
    """A layer's constants as they lie in the firmware, one behind the other: `pack_requant`, then `packed`; or a gated
    addition's scale. All are uint16: two bytes are a word, the first low. Other layers have none."""
    if layer.weight is not None:
        return pack_requant(layer), _words(packed(layer))
    return () if layer.scale is None else (_words(layer.scale),)


def _words(values: np.ndarray) -> np.ndarray:
    """uint16 [n] as they are; int8 or uint8 [n] in pairs, a last one with 0."""
    flat = values.ravel()
    return flat if flat.itemsize == 2 else np.pad(flat.view(np.uint8), (0, flat.size % 2)).view("<u2")


def packed(layer: Layer) -> np.ndarray:
    """A layer's weights as the firmware holds them: `pack_dense`; of a depthwise layer `pack_nibbles`, all channels in
    one row, since an odd kernel would leave half a byte of each unused."""
    return pack_nibbles(layer.weight.reshape(1, -1)) if layer.kind == "depthwise" else pack_dense(layer.weight)
