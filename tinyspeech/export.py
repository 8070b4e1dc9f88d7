"""From a trained network to integers, and from integers to one C header (chapters 7 and 11).

    python -m tinyspeech export --model tinyspeech_s
    python -m tinyspeech export --model tinyspeech_s --dump

`quantised(model)` reads the steps that training has learned and returns an `IntegerModel`; `c_header` prints it for
`firmware/model.h`; `dump` prints it for people. All are deterministic: the same checkpoint gives the same bytes.
"""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING

import numpy as np

from tinyspeech import CLASSES, paths, toolchain
from tinyspeech.decision import REJECTED
from tinyspeech.errors import UserError
from tinyspeech.frontend import CLIP_SAMPLES, HOP, N_COEFFICIENTS, WINDOW, features
from tinyspeech.integer import (
    MAX_SHIFT,
    PAIR,
    SCALE_BITS,
    SCORE_SHIFT,
    SIGMOID_BITS,
    SLOTS,
    IntegerModel,
    Layer,
    Worst,
    sigmoid_table,
)

if TYPE_CHECKING:
    from torch import nn

WORK_BYTES = 2 * WINDOW
"""The firmware's one work buffer: the transform's int16 samples, then the network's sums and slots."""

TABLE_BYTES = 64
"""What `kernel_dense_pair` needs beside its sums: those of 16 subsets."""


def _requantiser(ratio: np.ndarray, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Multiplier and shift as uint8; a ratio above 2**6 raises `UserError`."""
    from tinyspeech.quant import multiplier_and_shift

    multiplier, shift = multiplier_and_shift(ratio)
    if shift.min() < 1:
        raise UserError(f"layer {name}: a ratio of steps of {ratio.max():.3g} or {ratio.min():.3g} has no 8-bit form")
    return multiplier.astype(np.uint8), shift.astype(np.uint8)


def _grid(conv) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Integer weights [outputs, inputs, kernel], their steps [outputs] and the float bias [outputs] of a CausalConv."""
    from tinyspeech.quant import nearest

    quantizer = conv.weight_quantizer
    step = quantizer.step.detach().double()
    ratio = conv.weight.detach().double() / step
    whole = nearest(ratio, quantizer.low, quantizer.high, quantizer.spacing).numpy().astype(np.int8)
    return whole, step.numpy().reshape(-1), conv.bias.detach().double().numpy()


def _bias(bias: np.ndarray, step: np.ndarray, name: str) -> np.ndarray:
    whole = np.floor(bias / step + 0.5)
    if np.abs(whole).max() > 32767:
        raise UserError(f"layer {name}: a bias of {np.abs(whole).max():.0f} accumulator units does not fit int16")
    return whole.astype(np.int16)


def _layer(conv, name: str, source: str, target: str, step_in: float, step_out: float) -> Layer:
    """A CausalConv with quantisers as a dense or depthwise layer."""
    weight, step, bias = _grid(conv)
    multiplier, shift = _requantiser(step_in * step / step_out, name)
    depthwise = conv.groups > 1
    if depthwise and weight.shape[1] != 1:
        raise UserError(f"layer {name}: grouped convolutions other than depthwise are not supported")
    flat = weight[:, 0] if depthwise else weight.transpose(0, 2, 1).reshape(len(weight), -1)  # oldest frame first
    return Layer("depthwise" if depthwise else "dense", name, source, target, conv.kernel, conv.stride,
                 0 if conv.relu else -128, flat, _bias(bias, step_in * step, name), multiplier, shift)


def _layers(model) -> list[Layer]:
    """All layers of a TinySpeech-S but its classifier."""
    from tinyspeech.quant import wiring
    from tinyspeech.streaming import StreamingCondenser

    slots = {"stem": ("stream", "stream"), "depthwise": ("stream", "branch"), "expand": ("branch", "wide"),
             "project": ("wide", "branch"), "squeeze": ("pooled", "squeezed"), "excite": ("squeezed", "pooled"),
             "head": ("stream", "wide")}
    frames = model.condenser
    layers, blocks = [], iter(enumerate(model.blocks))
    for layer_name, conv, step_in, step_out in wiring(model):
        role = layer_name.split("_")[-1]
        source, target = slots[role]
        if layer_name == "frames_squeeze":
            if frames.pool > 1:
                layers.append(Layer("pool", "frames_pool", "wide", "pooled", kernel=frames.pool))
            else:
                source = "wide"
        layers.append(_layer(conv, layer_name, source, target, step_in, step_out))
        if role == "project":
            i, block = next(blocks)
            gate = block.condenser
            if isinstance(gate, StreamingCondenser):
                layers.append(Layer("pool", f"block{i}_pool", "branch", "pooled", kernel=gate.pool))
            else:
                layers.append(Layer("add", f"block{i}_add", "branch", "stream"))
        if role == "excite" and layer_name != "frames_excite":
            scale = np.floor(np.clip(gate.scale.detach().double().numpy() * 2**SCALE_BITS, -128, 127) + 0.5)
            layers.append(Layer("gated_add", f"block{i}_gate", "branch", "stream", scale=scale.astype(np.int8)))
    return layers


def _layers_with_bands(model) -> list[Layer]:
    """All layers of a causal TinySpeech-Z but its classifier. V stays in slot branch, beside the features."""
    from tinyspeech.quant import wiring

    slots = {"stem": ("stream", "branch"), "grouped1": ("pooled", "squeezed"), "pointwise1": ("squeezed", "pooled"),
             "grouped2": ("pooled", "squeezed"), "pointwise2": ("squeezed", "pooled"), "head": ("branch", "wide")}
    wide = N_COEFFICIENTS // model.config.band_stride  # bands of V
    layers = []
    for name, conv, step_in, step_out in wiring(model):
        role = name.split("_")[-1]
        bands = wide if role in ("stem", "head") else wide // PAIR
        if role == "grouped1":
            layers.append(Layer("pool_bands", name.replace(role, "pool"), "branch", "pooled", bands=bands))
        layer = _layer(conv, name, *slots[role], step_in, step_out)
        layers.append(replace(layer, bands=bands, span=conv.span, band_stride=conv.band_stride))
        if role == "pointwise2":
            layers.append(Layer("add_bands", name.replace(role, "add"), "pooled", "branch", bands=bands))
    return layers


def quantised(model: nn.Module, name: str, provenance: dict | None = None) -> IntegerModel:
    """The integer twin of a TinySpeech-S or a causal TinySpeech-Z that `tinyspeech.quant` prepared and trained.

    Raises `UserError` for a network without quantisers, another architecture, weights of more than 4 bits, or an
    overflow risk.
    """
    from tinyspeech.causal import CausalTinySpeech
    from tinyspeech.streaming import TinySpeechS

    if not isinstance(model, (TinySpeechS, CausalTinySpeech)):
        raise UserError(f"only TinySpeech-S and the causal TinySpeech-Z can be exported, not {type(model).__name__}")
    if model.stem.norm is not None or not hasattr(model.stem.weight_quantizer, "step"):
        raise UserError("the network is still in float: train it with qat_epochs first")
    layers = _layers(model) if isinstance(model, TinySpeechS) else _layers_with_bands(model)
    weight, step, bias = _grid(model.classifier)
    step_in = model.head.output_quantizer.step.item()
    multiplier = np.floor(step / step.max() * 255 + 0.5).astype(np.uint8)
    weighed = model.condenser is not None
    layers.append(Layer("weighed_classifier" if weighed else "classifier", "classifier", "wide", "wide",
                        weight=weight[:, :, 0], bias=_bias(bias, step_in * step, "classifier"), multiplier=multiplier,
                        shift=np.zeros(len(step), np.uint8),
                        bands=next(layer.bands for layer in layers if layer.name == "head")))
    unit = float(step_in * step.max() / 255) * (2**SCORE_SHIFT if weighed else 1)
    integer = IntegerModel(name, CLASSES, layers, N_COEFFICIENTS, unit, model.config.flush, provenance or {})
    integer.check()
    return integer


def pack_dense(weight: np.ndarray) -> np.ndarray:
    """int8 [outputs, inputs], -8 .. 7 -> uint16 [inputs / 4, outputs]: nibble b holds bit b of four inputs' weights."""
    outputs, inputs = weight.shape
    if inputs % 4 or weight.min() < -8 or weight.max() > 7:
        raise UserError("dense weights must be 4-bit and their inputs a multiple of 4")
    bits = weight.astype(np.int64).reshape(outputs, inputs // 4, 4) & 15
    word = sum(((bits[..., j] >> b) & 1) << (4 * b + j) for b in range(4) for j in range(4))
    return word.T.astype(np.uint16)


def unpack_dense(packed: np.ndarray) -> np.ndarray:
    """The inverse of `pack_dense`."""
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


def unpack_nibbles(packed: np.ndarray, kernel: int) -> np.ndarray:
    """The inverse of `pack_nibbles`."""
    value = np.stack([packed & 15, packed >> 4], axis=-1).reshape(len(packed), -1)[:, :kernel].astype(np.int8)
    return np.where(value > 7, value - 16, value).astype(np.int8)


def packed(layer: Layer) -> np.ndarray:
    """A layer's weights as the firmware holds them: `pack_nibbles` of a depthwise layer, otherwise `pack_dense`, with
    weights of zero up to a multiple of four inputs.

    Where there are bands, they come first in order and then the frames: neighbours' windows overlap in memory.
    """
    weight = layer.weight
    if layer.bands > 1:
        weight = weight.reshape(len(weight), layer.kernel, layer.span, -1).swapaxes(1, 2).reshape(len(weight), -1)
    if layer.kind == "depthwise":
        return pack_nibbles(weight)
    return pack_dense(np.pad(weight, ((0, 0), (0, -weight.shape[1] % 4))))


def _band_work(layer: Layer, inputs: int, pairs: int) -> int:
    """Bytes behind the slots for a layer with bands: its windows, which overlap, and the subsets' sums of a pair.

    A dense layer reads in fours, up to 3 bytes too far. A kernel that sees one band of one frame needs no windows.
    """
    columns = (layer.bands - 1) * layer.band_stride + layer.span if layer.kernel * layer.span > 1 else 0
    work = columns * layer.kernel * layer.inputs(inputs)
    if layer.kind != "depthwise":
        work += 3 + TABLE_BYTES * pairs
    return -(-work // 4) * 4


def _live(model: IntegerModel) -> dict[str, range]:
    """{slot: the layers, by number, from its first use to its last}; of those that are used."""
    live = {"stream": range(1)}
    for i, layer in enumerate(model.layers):
        gate = {"pooled"} if layer.kind in ("gated_add", "weighed_classifier") else set()
        for slot in {layer.source, layer.target} | gate:
            live[slot] = range(live.get(slot, range(i, i)).start, i + 1)
    return live


def _places(sizes: dict[str, int], live: dict[str, range]) -> dict[str, int]:
    """{slot: offset}, side by side; but two that are never live at once, as far as is known, may share a place."""
    places: dict[str, int] = {}
    for slot, size in sizes.items():
        taken = [range(at, at + sizes[other]) for other, at in places.items()
                 if not {slot, other} <= live.keys() or set(live[slot]) & set(live[other])]
        places[slot] = min(at for at in (0, *(other.stop for other in taken))
                           if all(at >= other.stop or at + size <= other.start for other in taken))
    return places


def has_bands(model: IntegerModel) -> bool:
    """Whether any layer reads or writes more than one band; two that are pooled to one are enough."""
    return any(layer.bands > 1 or layer.kind.endswith("_bands") for layer in model.layers)


def memory_plan(model: IntegerModel) -> dict[str, int | dict[str, int]]:
    """Bytes on the chip: `slots` {name: offset}, `slot_bytes`, `state` {layer: offset}, `state_bytes`, `widest`
    (outputs), `window` (offset from the slots), `scratch_bytes`; `paired` (1: two frames share each weight that is
    read), `band_pairs` (1: two bands do), `batch` (frames that are computed together), `front` (layers up to the last
    stride), `front_bytes` (of slots that these use), `cut` (the layer with which a batch goes on a frame later) and
    `held_bytes` (of slots that are kept until then). Everything is aligned to 4."""
    sizes = dict.fromkeys(SLOTS, 0)
    sizes["stream"] = model.inputs
    width, state, state_bytes, widest, window = {"stream": model.inputs}, {}, 0, 0, 0
    band_work = [0, 0]  # for layers with bands: one at a time, and in pairs
    for layer in model.layers:
        inputs = width[layer.source]
        state[layer.name] = state_bytes
        state_bytes += -(-(layer.kernel - 1) * inputs // 4) * 4
        if layer.weight is not None:
            widest = max(widest, len(layer.weight))
            if layer.bands > 1:
                band_work = [max(old, _band_work(layer, inputs, pairs)) for pairs, old in enumerate(band_work)]
            elif layer.kind == "dense" and layer.kernel > 1:
                window = max(window, -(-(layer.kernel + 1) * inputs // 4) * 4)  # two frames' windows overlap
        if not layer.kind.endswith("classifier"):
            width[layer.target] = layer.width(inputs)
            sizes[layer.target] = max(sizes[layer.target], -(-width[layer.target] // 4) * 4)
    banded = has_bands(model)
    slots = _places(sizes, _live(model) if banded else {})
    slot_bytes = max(slots[slot] + size for slot, size in sizes.items())
    front = max((i + 1 for i, layer in enumerate(model.layers) if layer.stride > 1), default=0)
    plan = {"slots": slots, "state": state, "state_bytes": max(state_bytes, 4), "widest": widest, "front": front}
    stride = math.prod(layer.stride for layer in model.layers)
    too_large = {row.layer for row in model.worst() if row.accumulator >= 1 << 15}  # for two sums in one word
    if stride <= 2 and not too_large and not banded:
        used = {slot for layer in model.layers[:front] for slot in (layer.source, layer.target)}
        used |= {"pooled" for layer in model.layers[:front] if layer.kind == "gated_add"}
        front_bytes = max((slots[slot] + sizes[slot] for slot in used), default=0)
        # in the front: a frame that has come through it and two that are in it; the table among the second's rest
        pair_bytes = max(slot_bytes, front_bytes + TABLE_BYTES) if front else slot_bytes
        at, end = front_bytes, 2 * pair_bytes + max(front_bytes, TABLE_BYTES)
        if front_bytes + window > pair_bytes or any(x.kernel > 1 and x.kind == "dense" for x in model.layers[front:]):
            at, end = end, end + window  # not among the first's
        if 4 * widest + end <= WORK_BYTES:
            cut, held_bytes = _cut(model, front)
            return {**plan, "paired": 1, "band_pairs": 0, "batch": 2 * stride, "cut": cut, "held_bytes": held_bytes,
                    "slot_bytes": pair_bytes, "front_bytes": front_bytes, "window": at,
                    "scratch_bytes": 4 * widest + end}
    in_halves = banded and not too_large & {layer.name for layer in model.layers if layer.bands > 1}
    band_pairs = int(in_halves and 4 * widest + slot_bytes + max(window, band_work[1]) <= WORK_BYTES)
    return {**plan, "paired": 0, "band_pairs": band_pairs, "batch": 1, "cut": len(model.layers), "held_bytes": 4,
            "slot_bytes": slot_bytes, "front_bytes": 0, "window": slot_bytes,
            "scratch_bytes": 4 * widest + slot_bytes + max(window, band_work[band_pairs])}


def _cut(model: IntegerModel, front: int) -> tuple[int, int]:
    """The layer with which a batch is best cut in two, and the bytes of its slots that are needed from there on.

    Cuts are where only slot `stream` is read again, the first one: of these, where the larger half has the fewest
    multiply-accumulates. A network without such a place is cut behind its last layer: (layers, 4).
    """
    work = [2 * (layer.weight.size if layer.weight is not None else 0) for layer in model.layers]
    work[:front] = [2 * macs for macs in work[:front]]  # the front runs on both pairs
    best, width = (sum(work), len(model.layers), 4), {"stream": model.inputs}
    for n, layer in enumerate(model.layers):
        width[layer.target] = layer.width(width[layer.source])
        if n + 1 > front and _read_again(model.layers[n + 1 :]) == {"stream"}:
            best = min(best, (max(sum(work[: n + 1]), sum(work[n + 1 :])), n + 1, -(-width["stream"] // 4) * 4))
    return best[1:]


def _read_again(layers: list[Layer]) -> set[str]:
    """Slots whose values these layers read before they write them."""
    read: set[str] = set()
    for layer in reversed(layers):
        read.discard(layer.target)
        read.add(layer.source)
        if layer.kind in ("add", "gated_add", "add_bands"):
            read.add(layer.target)
        if layer.kind in ("gated_add", "weighed_classifier"):
            read.add("pooled")
    return read


def tenants(model: IntegerModel) -> dict[str, list[tuple[int, int, str]]]:
    """Who has which bytes of the firmware's work buffer, (start, end, name), at three moments: while the transform
    works in it, while a second pair of frames is before the last stride, and behind it (chapter 10).

    Raises `UserError` for a network whose frames are not computed in pairs.
    """
    plan = memory_plan(model)
    if not plan["paired"] or not plan["front"]:
        raise UserError(f"{model.name} does not compute pairs of frames on both sides of a stride")
    sums, front, pair = 4 * plan["widest"], plan["front_bytes"], plan["slot_bytes"]
    stem, first, second = sums + plan["window"], sums + pair, sums + 2 * pair
    seen = (model.layers[0].kernel + 1) * model.inputs
    return {
        "transform": [(0, WORK_BYTES, "samples, then spectrum")],
        "before the stride": [
            (0, sums, "sums"), (sums, sums + front, "a frame that is through"),
            (stem, stem + seen, "frames of the stem"),
            (first, first + front, "first frame"), (first + front, first + front + TABLE_BYTES, "kernel's table"),
            (second, second + front, "second frame")],
        "behind it": [(0, sums, "sums"), (sums, first, "first frame"), (first, second, "second frame"),
                      (second, second + TABLE_BYTES, "kernel's table")],
    }


def made_up_clip() -> np.ndarray:
    """The second that the chip makes up to test itself, int16 [8000]: xorshift32, quieter with every fourth frame."""
    noise, x = 1, np.empty(CLIP_SAMPLES, np.int16)
    for i in range(CLIP_SAMPLES):
        noise ^= noise << 13 & 0xFFFFFFFF
        noise ^= noise >> 17
        noise ^= noise << 5 & 0xFFFFFFFF
        x[i] = ((noise & 0xFFFF) ^ 0x8000) - 0x8000 >> ((i + 2 * HOP - WINDOW) // HOP >> 2)
    return x


def checksum(model: IntegerModel) -> int:
    """Of the logits for `made_up_clip`, 31 bits: what the chip's self-test must find."""
    total = 0
    for logit in model.run(features(made_up_clip())[None])[0].tolist():
        total = (total << 5 & 0xFFFFFFFF | total >> 27) ^ (logit & 0xFFFFFFFF)
    return total & 0x7FFFFFFF


CONTRACT = """   Contract, in full in tinyspeech/integer.py and proved there for any input (IntegerModel.worst):
   activations int8, at least 0 after a ReLU; weights -8 .. 7; sums int32; >> is arithmetic, all rounding half up.
     dense, depthwise  clamp(((sum + bias) * multiplier + 2^(shift - 1)) >> shift, low, 127)
     addition          clamp(target + v, 0, 127); gated: + ((v * gate + 64) >> 7), gate = (sigmoid * scale + 16) >> 5
     bands             dense, depthwise, logits: for each band the same, zeros beyond either end; pooled in pairs by
                       the larger value; added to in pairs: clamp(target + v, -128, 127)
     logits            sum over frames and bands of (sum + bias) * multiplier; or weighed: of weight * score, divided by
                       the sum of weights, rounded down; score = (... + 128) >> 8, weight = sigmoid + 1
   Before the first frame every history holds zeros; MODEL_FLUSH frames of zeros follow the last.
   Behind each layer of the program: the largest sum and the largest product that any input can give.
"""
LAYER_STRUCT = """enum {
    LAYER_DENSE, LAYER_DEPTHWISE, LAYER_POOL, LAYER_GATED_ADD, LAYER_CLASSIFIER, LAYER_WEIGHED_CLASSIFIER,
    LAYER_POOL_BANDS, LAYER_ADD_BANDS
};

struct layer {
    uint8_t kind, source, target, inputs, outputs, kernel, stride; /* slots by offset; inputs, outputs: of a band */
    int8_t low;
    uint16_t state; /* offset of the layer's history */
    uint8_t bands; /* of what is written; 1 where a frame has none */
    uint8_t window; /* bands under the kernel, and 16 * those from one to the next */
    const void *weights;
    const uint16_t *requant; /* see kernel_requant */
};
"""


def check_fits(model: IntegerModel) -> None:
    """Raise `UserError` for a network that is proved (`IntegerModel.check`) but that the firmware cannot hold."""
    plan = memory_plan(model)
    if model.inputs != N_COEFFICIENTS:
        raise UserError(f"the front end gives {N_COEFFICIENTS} values a frame, the network takes {model.inputs}")
    if plan["slot_bytes"] > 255 or any(len(x.weight) > 255 for x in model.layers if x.weight is not None):
        raise UserError("the network is too wide for the firmware's byte-sized slot offsets")
    if plan["scratch_bytes"] > WORK_BYTES:
        raise UserError(f"the network needs {plan['scratch_bytes']} bytes at once, "
                        f"the firmware's work buffer has {WORK_BYTES}")
    if plan["state_bytes"] > 65535 or not 0 <= model.flush <= 32767:
        raise UserError("the network's histories or its flush are too long for the firmware's numbers")
    for layer in model.layers:
        if max(layer.kernel, layer.stride) > 255:
            raise UserError(f"layer {layer.name}: kernel and stride must fit a byte")
        if max(layer.span, layer.band_stride) > 15:
            raise UserError(f"layer {layer.name}: a span and a stride of bands must be at most 15")
        if layer.weight is not None:
            pack_requant(layer)  # refuses what does not fit
        if layer.kind != "depthwise" and layer.bands == 1 and layer.weight is not None and layer.weight.shape[1] % 4:
            raise UserError(f"layer {layer.name}: the firmware takes four inputs at once, not {layer.weight.shape[1]}")


def _array(kind: str, name: str, values: np.ndarray) -> str:
    flat = [str(v) for v in values.reshape(-1)]
    lines = ["    " + ", ".join(flat[i : i + 16]) for i in range(0, len(flat), 16)]
    return f"static const {kind} {name}[{len(flat)}] = {{\n" + ",\n".join(lines) + "\n};\n"


def c_header(model: IntegerModel) -> str:
    """The text of `firmware/model.h`: provenance, contract, sizes, packed weights and the program's table.

    Raises `UserError` for a network whose sums could overflow, or that the firmware cannot hold.
    """
    model.check()
    check_fits(model)
    source = "".join(_comment(f"{key}: {value}") for key, value in sorted(model.provenance.items()))
    out = [f"/* {model.name}: generated by `python -m tinyspeech export`; do not edit. Layout: tinyspeech/export.py.\n"
           f"   hash: {model.digest}\n{source}\n{CONTRACT}*/",
           "#ifndef TINYSPEECH_MODEL_H\n#define TINYSPEECH_MODEL_H\n#include <stdint.h>\n\n#include \"kernels.h\"\n",
           f'#define MODEL_NAME "{model.name}"\n#define MODEL_HASH "{model.digest}"',
           *(f"#define MODEL_{key} {value}" for key, value in _sizes(model).items()),
           "\n#ifdef MODEL_WITH_WORDS /* of classes 2 and up, each with a zero behind it */\n"
           "static const char model_words[] = " + '"' + "\\0".join(model.classes[REJECTED:]) + '";\n#endif\n',
           LAYER_STRUCT + "\n#ifdef MODEL_WITH_LAYERS"]
    arrays, rows = _program(model)
    return "\n".join([*out, *arrays, "static const struct layer model_layers[MODEL_LAYERS] = {\n" + "\n".join(rows)
                      + "\n};\n#endif\n\n#endif\n"])


def _sizes(model: IntegerModel) -> dict[str, int | str]:
    """{name: value} of what `model.h` defines as MODEL_name: counts, places in memory, and which code is needed."""
    plan, kinds = memory_plan(model), [layer.kind for layer in model.layers]
    return {
        "CLASSES": len(model.classes), "INPUTS": model.inputs, "FLUSH": model.flush,
        "CHECKSUM": f"{checksum(model):#010x}u", "LAYERS": len(kinds), "WIDEST": plan["widest"],
        "SLOT_BYTES": plan["slot_bytes"], "GATE_SLOT": plan["slots"]["pooled"],
        "BANDED": int(has_bands(model)), "BAND_PAIRS": plan["band_pairs"], "POOLED": int("pool" in kinds),
        "GATED": int("gated_add" in kinds), "WEIGHED": int(kinds[-1] == "weighed_classifier"),
        "PAIRED": plan["paired"], "BATCH": plan["batch"], "FRONT": plan["front"], "FRONT_BYTES": plan["front_bytes"],
        "CUT": plan["cut"], "HELD_BYTES": plan["held_bytes"], "PHASES": plan["front"] + 1, "WINDOW": plan["window"],
        "STATE_BYTES": plan["state_bytes"], "SCRATCH_BYTES": plan["scratch_bytes"],
    }


def _program(model: IntegerModel) -> tuple[list[str], list[str]]:
    """The program in C: arrays of packed weights, requantisers and scales, and a row of the table for every layer."""
    plan, worst = memory_plan(model), {row.layer: row for row in model.worst()}
    arrays, rows, width = [], [], {"stream": model.inputs}
    for layer in model.layers:
        inputs, outputs = layer.channels(width[layer.source])
        weights, table = "0", "0"
        if layer.weight is not None:
            weights, table = f"{layer.name}_weights", f"{layer.name}_requant"
            array = packed(layer)
            arrays += [_array(f"{array.dtype}_t", weights, array), _array("uint16_t", table, pack_requant(layer))]
        elif layer.scale is not None:
            weights = f"{layer.name}_scale"
            arrays.append(_array("int8_t", weights, layer.scale))
        kind = "GATED_ADD" if layer.kind == "add" else layer.kind.upper()
        rows.append(f"    {{LAYER_{kind}, {plan['slots'][layer.source]}, {plan['slots'][layer.target]}, {inputs}, "
                    f"{outputs}, {layer.kernel}, {layer.stride}, {layer.low}, {plan['state'][layer.name]}, "
                    f"{layer.bands}, {layer.span + 16 * layer.band_stride}, {weights}, {table}}}, "
                    f"/* {layer.name}{_worst_words(worst.get(layer.name))} */")
        if not layer.kind.endswith("classifier"):
            width[layer.target] = layer.width(width[layer.source])
    return arrays, rows


def _comment(text: str) -> str:
    """Lines of a C comment that no text can end."""
    text = " ".join(text.replace("*/", "* /").replace("/*", "/ *").split())
    return wrapped + "\n" if (wrapped := fill(text, 116, initial_indent="   ", subsequent_indent="      ")) else ""


def _worst_words(row: Worst | None) -> str:
    if row is None:
        return ""
    parts = {"sum": row.accumulator, "product": row.product, "over frames": row.total}
    return ": " + ", ".join(f"{name} {size:,}" for name, size in parts.items() if size)


def dump(model: IntegerModel, rows: int = 2, columns: int = 24) -> str:
    """Every layer in words: shape, bytes on the chip, ranges, the worst that its numbers can reach, first weights."""
    model.check()
    plan, worst = memory_plan(model), {row.layer: row for row in model.worst()}
    lines = [f"{model.name}, hash {model.digest}: {model.parameters:,} weights in {len(model.layers)} layers; "
             f"{plan['state_bytes']} bytes of histories, {plan['scratch_bytes']} of scratch, flush {model.flush}",
             *(f"  {key}: {value}" for key, value in sorted(model.provenance.items())),
             f"  one unit of an answer is {model.logit_step:.6g} logits"
             + ("" if model.layers[-1].kind == "weighed_classifier" else " times frames")]
    width = {"stream": model.inputs}
    for layer in model.layers:
        inputs, outputs = layer.channels(width[layer.source])
        if not layer.kind.endswith("classifier"):
            width[layer.target] = layer.width(width[layer.source])
        frames = f", {layer.kernel} frames" if layer.kernel > 1 else ""
        if layer.bands > 1:
            frames += f", {layer.bands} bands" + (f", {layer.span} under the kernel" if layer.span > 1 else "")
        stride = f", one in {layer.stride} goes on" if layer.stride > 1 else ""
        lines.append(f"{layer.name}: {layer.kind} {layer.source}[{inputs}] -> {layer.target}[{outputs}]"
                     + frames + stride)
        if layer.weight is not None:
            low = "" if layer.kind.endswith("classifier") else f", {layer.low} .. 127 out"
            lines.append(f"  {layer.weight.size} weights of 4 bits in {packed(layer).nbytes} bytes, "
                         f"{pack_requant(layer).nbytes} of biases, multipliers and shifts{low}")
            for key in ("weight", "bias", "multiplier", "shift"):
                values = getattr(layer, key)
                lines.append(f"  {key} {values.min()} .. {values.max()}, {len(np.unique(values))} different")
            lines += [f"  row {i}: " + " ".join(map(str, row[:columns])) + (" ..." if len(row) > columns else "")
                      for i, row in enumerate(layer.weight[:rows].tolist())]
        elif layer.scale is not None:
            lines.append(f"  scale {layer.scale.min()} .. {layer.scale.max()} in Q5, {layer.scale.nbytes} bytes")
        if layer.name in worst:
            lines.append("  at worst" + _worst_words(worst[layer.name]))
    return "\n".join(lines)


def sigmoid_header() -> str:
    """The text of `firmware/sigmoid.h`."""
    table = sigmoid_table()
    one = int(np.argmax(table == 1 << SIGMOID_BITS))
    return (f"/* round(128 sigmoid(a / 16)), a = 0 .. {one - 1}; from {one} on it is 128. "
            "Generated by `python -m tinyspeech export`; do not edit. */\n"
            "#ifndef TINYSPEECH_SIGMOID_H\n#define TINYSPEECH_SIGMOID_H\n#include <stdint.h>\n\n"
            f"#define SIGMOID_ONE {one}\n\n" + _array("uint8_t", "sigmoid_q7", table[:one]) + "\n#endif\n")


def firmware_folder(model: IntegerModel) -> Path:
    """The folder of the firmware that holds this network: the shipped one, or a copy of its sources with another
    `model.h` among the builds. Raises `UserError` for a network that the firmware cannot hold."""
    from tinyspeech.native import exported_hash

    return paths.FIRMWARE if exported_hash() == model.digest else toolchain.firmware_with(c_header(model))


def lowered(name: str) -> IntegerModel:
    """The integer twin of the trained network data/models/NAME.pt, with what it was made from.

    Raises `UserError` for a file that is missing or foreign, and as `quantised` does.
    """
    from tinyspeech.train import load_checkpoint, load_model

    path = paths.model_file(name, ".pt")
    trained, content = load_model(path), load_checkpoint(path)  # the first one refuses foreign files
    config = content["config"]
    provenance = {
        "accuracy": f"{content['metrics']['accuracy']:.2f} % on the log-mel validation set it was chosen on",
        "checkpoint": f"data/models/{path.name}",
        "seed": config["seed"], "epochs": f"{config['epochs']} float, {config['qat_epochs']} quantised",
        "weight_bits": content["weight_bits"], "version": content["version"],
        "config": ", ".join(f"{key} {value}" for key, value in sorted(config["network"].items())) or "the defaults",
    }
    return quantised(trained, name, provenance)


def export(name: str) -> IntegerModel:
    """Checkpoint data/models/NAME.pt -> data/models/NAME.npz, firmware/model.h and sigmoid.h; returns the model."""
    integer = lowered(name)
    header = c_header(integer)  # refuses before anything is written
    try:
        integer.save(paths.MODELS / f"{name}.npz")
        (paths.FIRMWARE / "model.h").write_text(header)
        (paths.FIRMWARE / "sigmoid.h").write_text(sigmoid_header())
    except OSError as error:
        raise UserError(f"cannot write {error.filename}: {error.strerror}") from error
    return integer
