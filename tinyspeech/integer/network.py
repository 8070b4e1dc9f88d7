"""The network in integers only: the definition that the C and the chip follow, bit for bit (chapter 7).

An `IntegerModel` is a short program over a few slots of int8 activations. This is its contract, in one place. `>>` is
an arithmetic shift, which rounds down, so that `(x + half) >> shift` rounds half up; `//` is rounded down, too.

| operation | computes | operands and result |
| --- | --- | --- |
| flush | zeros stand in every history before the first frame; `flush` frames of zeros follow the last | |
| features, activations | | int8, -128 .. 127; at least `low` after a layer, and `low` is -128 .. 0 (0: a ReLU) |
| dense | sum of weight * value, over kernel frames of inputs, oldest first | weight -8 .. 7; int32 |
| depthwise | the same for each channel by itself; only every stride-th frame goes on, the first included | int32 |
| requantise (ends both) | clamp(((sum + bias) * multiplier + 2**(shift - 1)) >> shift, low, 127) | bias int16; int8 |
| | a classifier does not shift, so its shifts are 0 | multiplier uint8, shift 1 .. 15 in the firmware |
| pool | largest of kernel frames, channel by channel | int8 |
| add | clamp(target + source, 0, 127) | int8 |
| sigmoid | table: round(128 / (1 + exp(-a / 16))) | int8 a -> Q7, 0 .. 128 |
| gate | (sigmoid(pooled) * scale + 16) >> 5 | scale int8 in Q5 -> Q7, -512 .. 508 |
| gated_add | clamp(target + v + ((v * gate + 64) >> 7), 0, 127), v of source | int8 |
| leak | M += (256 * value - M) >> memory, channel by channel | M int16, 0 before the first frame |
| | M >> 8 stands behind the values, in their slot | int8 |
| classifier | logit = sum over frames of (sum + bias) * multiplier | int32; nothing is rounded |
| frame weight | sigmoid(first value of pooled) + 1 | 1 .. 129 |
| weighed_classifier | score = ((sum + bias) * multiplier + 2**7) >> 8, | |
| | logit = (sum over frames of weight * score) // (sum over frames of weight) | int32 |

Nothing saturates but where it says clamp, so no other step may overflow. That is proved by computing, not by trying:
`IntegerModel.worst` takes each layer by itself, lets every operand be anything that its type and its `low` allow, and
returns the largest size that each kind of number can reach: reach, not only stay below, since a sum over values that
are independent of one another is largest where each product is. `IntegerModel.check` refuses a model in which one does
not fit. Whatever the C holds on the way is covered by these: a running sum or product is never larger than the whole
(each addend's range includes 0, and a product grows from the multiplier's leading bits), except for two that have
bounds of their own: the sums of up to four activations in `kernel_dense`, which are int16, and 7 * 128 within one
product of `kernel_depthwise`, whose sign bit comes last. Where two frames' sums share a word, they are added modulo
2**32, and `plan.memory_plan` allows it only where each of them fits 16 bits.
This file knows nothing of torch; `tinyspeech/lowbit/lower.py` makes an `IntegerModel` of a trained network.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tinyspeech import CLASSES
from tinyspeech.errors import UserError
from tinyspeech.integer.frontend import N_FRAMES
from tinyspeech.outside import arrays, files

SIGMOID_BITS = 7
"""Fraction bits of the sigmoid's table and of the finished gate."""
SIGMOID_UNITS = 16
"""Units of the sigmoid's int8 argument in one: the table covers -8 .. 8."""
SCALE_BITS = 5
"""Fraction bits of the condenser's int8 scale S: -4 .. 4."""
MAX_SHIFT = 15
"""Of requantisation, on the chip: the firmware stores it in four bits."""
SCORE_SHIFT = 8
"""Bits that a frame's scores lose before they are weighed, so that the sums stay within 32 bits."""
SLOTS = ("stream", "branch", "wide", "pooled", "squeezed")
"""Names of the activation buffers; the chip keeps them side by side in its scratch memory."""
KINDS = ("dense", "depthwise", "pool", "gated_add", "add", "leak", "classifier", "weighed_classifier")
WITHOUT_WEIGHTS = ("pool", "gated_add", "add", "leak")
MEAN_BITS = 8
"""Fraction bits of a leaking mean. With them it lies between 256 times the least value and 256 times the largest: what
int16 holds, whatever int8 values come."""
LONGEST_MEMORY = 8
"""Bits of a leak; with more, a step of one in the value would no longer move its mean."""
LARGEST_WEIGHT = (1 << SIGMOID_BITS) + 1
"""Of a frame in the weighed average; the smallest is 1."""
WITHIN_PRODUCT = 7 * 128
"""How far a running sum of `kernel_depthwise` can be beyond the sums before and after one product."""
FORMER = ("bands", "span", "band_stride")
"""Keys of a layer in files from when frames could have bands; 1 is what a layer without any had, and means nothing."""
NAME = re.compile("[A-Za-z0-9_]{1,64}")
"""Of networks, layers and classes: they are written into C, and a board prints some of them."""
MOST_LAYERS, MOST_BYTES = 255, 16 << 20
"""Of a network, and of its file: the chip's flash has a thousandth of that."""
MOST_VALUES = 1 << 20
"""That a layer looks at in a clip, of all frames: the numpy here takes 8 MB for so many, ours need a twentieth."""
DTYPES = {"weight": np.int8, "bias": np.int16, "multiplier": np.uint8, "shift": np.uint8, "scale": np.int8}


def sigmoid_table() -> np.ndarray:
    """round(128 sigmoid(a / 16)) for a = 0 .. 128, uint8; negative arguments give 128 - table[-a]."""
    one = 1 << SIGMOID_BITS
    return np.floor(one / (1 + np.exp(-np.arange(129) / SIGMOID_UNITS)) + 0.5).astype(np.uint8)


def sigmoid_q7(a: np.ndarray) -> np.ndarray:
    """128 sigmoid(a / 16) by the table, 0 .. 128, of int8 arguments of any shape."""
    table = sigmoid_table().astype(np.int64)
    return np.where(a >= 0, table[np.abs(a)], (1 << SIGMOID_BITS) - table[np.abs(a)])


def gate_q7(a: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Gate in Q7 of int8 arguments a [..., C] and int8 scales [C] in Q5."""
    return (sigmoid_q7(a) * scale + (1 << (SCALE_BITS - 1))) >> SCALE_BITS


@dataclass
class Layer:
    """One step of the program: reads slot `source`, writes slot `target`."""

    kind: str
    """One of `KINDS`: a weighed_classifier takes each frame's weight from the first value of slot `pooled`."""
    name: str
    source: str
    target: str
    kernel: int = 1
    """Frames seen: this one and kernel - 1 before it (dense, depthwise, pool)."""
    stride: int = 1
    """Only every stride-th frame goes on (depthwise)."""
    low: int = -128
    """Lower clamp: 0 is a ReLU."""
    weight: np.ndarray | None = None
    """int8 [outputs, kernel * inputs] (dense, classifier) or [channels, kernel] (depthwise), oldest frame first."""
    bias: np.ndarray | None = None
    """int16 [outputs], in accumulator units."""
    multiplier: np.ndarray | None = None
    """uint8 [outputs]."""
    shift: np.ndarray | None = None
    """uint8 [outputs], 1 .. 24, of which the firmware takes 1 .. 15; 0 for a classifier, which does not shift."""
    scale: np.ndarray | None = None
    """int8 [channels], Q5 (gated_add)."""
    memory: int | None = None
    """Bits of the leak, 1 to 8: the mean's time constant is 2**memory frames (leak)."""

    def width(self, width: int) -> int:
        """Of what is written, where the source is `width` wide."""
        if self.kind == "leak":
            return 2 * width
        return width if self.weight is None else len(self.weight)

    def windows(self, x: np.ndarray) -> np.ndarray:
        """What the kernel sees: [N, T, channels] -> [N, T, kernel, channels], oldest frame first."""
        padded = np.pad(x, ((0, 0), (self.kernel - 1, 0), (0, 0)))
        return np.stack([padded[:, t : t + x.shape[1]] for t in range(self.kernel)], axis=2)

    def requantise(self, accumulator: np.ndarray) -> np.ndarray:
        """int [..., outputs] -> int8 range, rounding half up."""
        shift = self.shift.astype(np.int64)
        total = (accumulator + self.bias.astype(np.int64)) * self.multiplier.astype(np.int64)
        return np.clip((total + (1 << (shift - 1))) >> shift, self.low, 127)

    def means(self, x: np.ndarray) -> np.ndarray:
        """The leaking mean of all frames so far, rounded down: int8 range [N, T, channels] -> the same shape."""
        means, mean = np.empty_like(x), np.zeros_like(x[:, 0])  # (N, channels)
        for t in range(x.shape[1]):
            mean = mean + (((x[:, t] << MEAN_BITS) - mean) >> self.memory)
            means[:, t] = mean >> MEAN_BITS
        return means

    def check(self) -> None:
        """Raise `UserError` where a field is beyond the contract, whatever the layers around it are."""
        def need(holds: bool, what: str) -> None:
            if not holds:
                raise UserError(f"layer {self.name}: {what}")

        need(isinstance(self.name, str) and NAME.fullmatch(self.name) and self.name.isidentifier(),
             "its name must be a word, as in C")
        need(self.kind in KINDS, f"unknown kind '{self.kind}'; known: {', '.join(KINDS)}")
        numbers = [self.kernel, self.stride, self.low] + ([] if self.memory is None else [self.memory])
        need(all(type(number) is int for number in numbers), "kernel, stride, lower clamp and memory are whole numbers")
        need(self.source in SLOTS and self.target in SLOTS, f"slots are {', '.join(SLOTS)}")
        need(self.kernel >= 1 and self.stride >= 1, "kernel and stride count frames: 1 or more")
        need(-128 <= self.low <= 0, f"the lower clamp must be -128 to 0, not {self.low}")
        weighs = self.kind not in WITHOUT_WEIGHTS
        need(self.memory is None if self.kind != "leak" else self.memory in range(1, LONGEST_MEMORY + 1),
             f"a leak has a memory of 1 to {LONGEST_MEMORY} bits, and nothing else has one")
        for key, dtype in DTYPES.items():
            array, wanted = getattr(self, key), self.kind == "gated_add" if key == "scale" else weighs
            need((array is not None) == wanted, f"a {self.kind} needs {'a' if wanted else 'no'} {key}")
            if array is not None:
                need(array.dtype == dtype, f"{key} must be {np.dtype(dtype)}, not {array.dtype}")
                need(array.ndim == 1 + (key == "weight") and array.size > 0, f"{key} has {array.ndim} dimensions")
                need(key == "scale" or len(array) == len(self.weight), f"{key} must have one value for each output")
        if weighs:
            need(self.weight.min() >= -8 and self.weight.max() <= 7, "a weight does not fit 4 bits, -8 .. 7")
            need(self.kind.endswith("classifier") or (self.shift.min() >= 1 and self.shift.max() <= 24),
                 "shifts must be 1 to 24, and 0 leaves nothing to round")


@dataclass(frozen=True)
class Worst:
    """The largest sizes of the numbers in one layer, whatever its operands are. A field is 0 where there is no such."""

    layer: str
    four: int
    """Of a sum of up to four activations (dense layers; int16 in C)."""
    accumulator: int
    """Of a sum of products, with and without the bias; or of what an addition clamps."""
    product: int
    """Of what is shifted: (sum + bias) * multiplier with and without the rounding half; of a gate's product; of a
    leak's difference."""
    total: int
    """Of what a classifier adds up over all frames."""

    def check(self) -> None:
        """Raise `UserError` if one does not fit its type in C."""
        for what, size, bits in (("a sum of four activations", self.four, 16),
                                 ("an accumulator", self.accumulator + WITHIN_PRODUCT, 32),
                                 ("a product", self.product, 32), ("a sum over frames", self.total, 32)):
            if size >= 1 << (bits - 1):
                raise UserError(f"layer {self.layer}: {what} could reach {size:,}, beyond {bits} bits")


@dataclass
class IntegerModel:
    """A whole network in integers: `run(features)` gives the logits that the chip gives."""

    name: str
    classes: tuple[str, ...]
    layers: list[Layer]
    inputs: int
    """Features per frame."""
    logit_step: float
    """What one unit of the last layer's answer is worth: of a sum over frames, or of a weighed average."""
    flush: int = 0
    """Frames of zeros that follow a clip."""
    provenance: dict = field(default_factory=dict)

    def run(self, features: np.ndarray, record: dict | None = None) -> np.ndarray:
        """int8 [N, T, inputs] -> int32 logits [N, classes]; `record`, when given, receives every layer's output."""
        if features.dtype != np.int8 or features.ndim != 3 or features.shape[-1] != self.inputs:
            raise UserError(f"features must be int8 [N, T, {self.inputs}], not {features.dtype} {features.shape}")
        features = np.pad(features, ((0, 0), (0, self.flush), (0, 0)))
        slots, weight = {"stream": features.astype(np.int64)}, None
        for layer in self.layers:
            x = slots[layer.source]  # (N, T, C)
            if layer.kind == "dense":
                window = layer.windows(x)  # (N, T, kernel, C)
                y = layer.requantise(window.reshape(*x.shape[:2], -1) @ layer.weight.astype(np.int64).T)
            elif layer.kind == "depthwise":
                y = layer.requantise(np.einsum("ntkc,ck->ntc", layer.windows(x), layer.weight.astype(np.int64)))
                slots = {name: value[:, :: layer.stride] for name, value in slots.items()}
                y = y[:, :: layer.stride]
            elif layer.kind == "pool":
                y = layer.windows(x).max(axis=2)
            elif layer.kind == "gated_add":
                gate = gate_q7(slots["pooled"], layer.scale.astype(np.int64))
                y = np.clip(slots[layer.target] + x + ((x * gate + (1 << (SIGMOID_BITS - 1))) >> SIGMOID_BITS), 0, 127)
            elif layer.kind == "leak":
                y = np.concatenate([x, layer.means(x)], axis=-1)
            elif layer.kind == "add":
                y = np.clip(slots[layer.target] + x, 0, 127)
            else:
                y = x @ layer.weight.astype(np.int64).T  # (N, T, classes)
                y = (y + layer.bias.astype(np.int64)) * layer.multiplier.astype(np.int64)
                if layer.kind == "weighed_classifier":
                    weight = sigmoid_q7(slots["pooled"][..., :1]) + 1  # (N, T, 1)
                    y = ((y + (1 << (SCORE_SHIFT - 1))) >> SCORE_SHIFT) * weight
            slots[layer.target] = y
            if record is not None:
                record[layer.name] = y
        total = y.sum(axis=1)
        return (total if weight is None else total // weight.sum(axis=1)).astype(np.int32)

    def check(self, frames: int = N_FRAMES) -> None:
        """Prove that the program is one that the C can run and that nothing overflows, whatever a clip of `frames`
        holds; raises `UserError`, which names the layer, otherwise."""
        self._check_names()
        for layer in self.layers:
            layer.check()
        for row in self.worst(frames):
            row.check()
        self._check_wiring()

    def _check_names(self) -> None:
        """What belongs to no layer: names are words of ASCII, for they are written into C; numbers are numbers."""
        def need(holds: bool, what: str) -> None:
            if not holds:
                raise UserError(what)

        named = "is made of letters and digits of ASCII and '_'"
        need(isinstance(self.name, str) and NAME.fullmatch(self.name), f"a network's name {named}, not {self.name!r}")
        for word in self.classes:
            need(isinstance(word, str) and NAME.fullmatch(word), f"a class {named}, not {word!r}")
        need(len(set(self.classes)) == len(self.classes), "two classes have one name")
        need(len(self.layers) <= MOST_LAYERS, f"{len(self.layers):,} layers are too many: {MOST_LAYERS} at most")
        need(type(self.inputs) is int and 1 <= self.inputs <= 255, "a frame has 1 to 255 features")
        need(type(self.flush) is int and 0 <= self.flush < 1 << 31, "a flush is 0 frames or more")
        need(type(self.logit_step) in (int, float) and math.isfinite(self.logit_step) and self.logit_step > 0,
             f"a step of the logits is a number above 0, not {self.logit_step!r}")
        need(isinstance(self.provenance, dict), "the provenance is keys and values")

    def worst(self, frames: int = N_FRAMES) -> list[Worst]:
        """How large each layer's numbers can become, whatever its operands: the proof behind `check`."""
        low, rows = {"stream": -128}, []  # the smallest value of each slot; the largest is 127
        for layer in self.layers:
            least = low.get(layer.source, -128)  # `check` refuses a slot that nothing fills
            if layer.weight is not None:
                rows.append(self._worst_sum(layer, least, self.output_frames(frames)))
            elif layer.kind in ("add", "gated_add"):
                value, gate = np.array([[least], [127]]), np.zeros((1, 1), np.int64)
                if layer.kind == "gated_add":  # (arguments, channels)
                    gate = gate_q7(np.arange(-128, 128)[:, None], layer.scale.astype(np.int64))
                product = value[:, None] * np.stack([gate.min(axis=0), gate.max(axis=0)]) + 64  # (ends, ends, channels)
                ends = value[:, None] + (product >> SIGMOID_BITS)
                rows.append(Worst(layer.name, 0, max(int(ends.max()) + 127,
                                                     -int(ends.min()) - low.get(layer.target, -128)),
                                  int(np.abs(product).max()) if layer.kind == "gated_add" else 0, 0))
            elif layer.kind == "leak":  # the mean comes down to the least value, and only near the largest
                rows.append(Worst(layer.name, 0, 0, (127 - least) << MEAN_BITS, 0))
            low[layer.target] = {"pool": least, "leak": least, "add": 0, "gated_add": 0}.get(layer.kind, layer.low)
        return rows

    @staticmethod
    def _worst_sum(layer: Layer, least: int, frames: int) -> Worst:
        """Of a layer with weights, whose inputs are least .. 127; a classifier adds up over so many `frames`."""
        weight, multiplier = layer.weight.astype(np.int64), layer.multiplier.astype(np.int64)
        sums = np.stack([np.where(weight > 0, least, 127), np.where(weight > 0, 127, least)]) * weight
        sums = sums.sum(axis=-1)  # (smallest and largest, outputs)
        biased = sums + layer.bias.astype(np.int64)
        product, total, score = biased * multiplier, 0, None
        rounded = product
        if layer.kind == "classifier":
            total = frames * np.abs(product).max()
        elif layer.kind == "weighed_classifier":
            rounded = product + (1 << (SCORE_SHIFT - 1))
            score = np.abs(rounded >> SCORE_SHIFT).max()
            total = frames * max(LARGEST_WEIGHT * score, LARGEST_WEIGHT)  # or the sum of weights alone
        else:
            rounded = product + (np.int64(1) << (layer.shift.astype(np.int64) - 1))
        four = 0 if layer.kind == "depthwise" else 4 * max(127, -least)
        return Worst(layer.name, four, int(max(np.abs(sums).max(), np.abs(biased).max())),
                     int(max(np.abs(product).max(), np.abs(rounded).max())), int(total))

    def _check_wiring(self) -> None:
        """Every layer reads what has been written in the same frame, in the shape that it needs."""
        width = {"stream": self.inputs}
        names = [layer.name for layer in self.layers]
        for i, layer in enumerate(self.layers):
            last, inputs = i == len(self.layers) - 1, width.get(layer.source)

            def need(holds: bool, what: str, name: str = layer.name) -> None:
                if not holds:
                    raise UserError(f"layer {name}: {what}")

            need(inputs is not None, f"nothing has been written to its source, {layer.source}")
            need(names.count(layer.name) == 1, "two layers have this name")
            need((N_FRAMES + self.flush) * layer.kernel * inputs <= MOST_VALUES, "it looks at too many frames")
            need(layer.kernel == 1 or layer.kind in ("dense", "depthwise", "pool"), f"a {layer.kind} sees one frame")
            need(layer.stride == 1 or layer.kind == "depthwise", "only depthwise layers may leave frames out")
            need(layer.kind.endswith("classifier") == last, "the last layer, and no other, is a classifier")
            if layer.weight is not None:
                depthwise = layer.kind == "depthwise"
                shape = (inputs, layer.kernel) if depthwise else (len(layer.weight), layer.kernel * inputs)
                need(layer.weight.shape == shape, f"weights must be {shape}, not {layer.weight.shape}")
                width[layer.target] = shape[0]
            elif layer.kind == "pool":
                need(layer.kernel == 1 or layer.source != layer.target, "a maximum of frames cannot be in place")
                width[layer.target] = inputs
            elif layer.kind == "leak":
                need(layer.source == layer.target, "means stand behind their values, in the same slot")
                width[layer.target] = layer.width(inputs)
            else:
                need(width.get(layer.target) == inputs, "an addition needs two of the same width")
                need(layer.scale is None or (width.get("pooled"), *layer.scale.shape) == (inputs, inputs),
                     f"a gate needs an argument in slot pooled and a scale for each of {inputs} channels")
            if last:
                need(len(layer.weight) == len(self.classes), f"{len(self.classes)} classes need as many outputs")
                need(layer.kind == "classifier" or "pooled" in width, "frame weights need an argument in slot pooled")
        if not self.layers:
            raise UserError("a network without layers gives no answer")

    def output_frames(self, frames: int) -> int:
        """Frames that reach the classifier, of `frames` that go in and the zeros that follow."""
        frames += self.flush
        for layer in self.layers:
            frames = -(-frames // layer.stride)
        return frames

    def logit_unit(self, frames: int) -> float:
        """What one unit of `run`'s answer for a clip of `frames` is worth in logits, an average over frames."""
        last = self.layers[-1]
        return self.logit_step / (1 if last.kind == "weighed_classifier" else self.output_frames(frames))

    @property
    def parameters(self) -> int:
        """Weights, without biases and multipliers."""
        return sum(layer.weight.size for layer in self.layers if layer.weight is not None)

    @property
    def digest(self) -> str:
        """First 12 hex digits of the SHA-256 of every integer in the program, and of words of one's own."""
        sha = hashlib.sha256(f"{self.name} {self.flush}".encode())
        if self.classes != CLASSES:
            sha.update(" ".join(self.classes).encode())
        for layer in self.layers:
            sha.update(f"{layer.kind} {layer.source} {layer.target} {layer.kernel} {layer.stride} {layer.low}".encode())
            if layer.memory is not None:
                sha.update(f" memory {layer.memory}".encode())
            for array in (layer.weight, layer.bias, layer.multiplier, layer.shift, layer.scale):
                if array is not None:
                    sha.update(array.tobytes())
        return sha.hexdigest()[:12]

    def save(self, path: str | Path) -> None:
        """Write one .npz: `meta` (JSON text) and the arrays, named layer.array."""
        arrays, rows = {}, []
        for layer in self.layers:
            row = {}
            for key, value in vars(layer).items():
                if isinstance(value, np.ndarray):
                    arrays[f"{layer.name}.{key}"] = value
                elif value is not None:
                    row[key] = value
            rows.append(row)
        meta = {"name": self.name, "classes": list(self.classes), "inputs": self.inputs,
                "logit_step": self.logit_step, "flush": self.flush, "provenance": self.provenance, "layers": rows}
        np.savez_compressed(path, meta=json.dumps(meta), **arrays)

    @classmethod
    def load(cls, path: str | Path) -> IntegerModel:
        """Read what `save` wrote. Raises `UserError` for a missing or foreign file, and for a network that is not what
        `check` allows or has other than `CLASSES`' number of answers: so none gets to any engine."""
        try:
            held = arrays.load(path, MOST_BYTES, "is not an integer model of this program")
        except FileNotFoundError as error:
            raise UserError(f"no integer model at {path}: run `python -m tinyspeech export` first") from error
        with files.parsing(path, "is not an integer model of this program"):
            meta, layers = json.loads(str(held["meta"])), []
            for row in meta["layers"]:
                row = {key: value for key, value in row.items() if key not in FORMER or value != 1}
                own = {k.rsplit(".", 1)[1]: held[k] for k in held if k.rsplit(".", 1)[0] == row["name"]}
                layers.append(Layer(**row, **own))
            model = cls(meta["name"], tuple(meta["classes"]), layers, meta["inputs"], meta["logit_step"],
                        meta["flush"], meta["provenance"])
        try:
            model.check()
            if len(model.classes) != len(CLASSES) or model.classes[:2] != CLASSES[:2]:
                raise UserError(f"it must tell {len(CLASSES)} classes apart, {' and '.join(CLASSES[:2])} first")
        except UserError as error:
            raise UserError(f"{path} is not an integer model that the chip could compute: {error}") from error
        return model
