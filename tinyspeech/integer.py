"""The network in integers only: the definition that the C and the chip follow, bit for bit (chapter 7).

An `IntegerModel` is a short program over a few slots of int8 activations. Its contract, in one place:

| quantity | type | range and proof |
| --- | --- | --- |
| activation | int8 | -128 .. 127; after a ReLU 0 .. 127 |
| weight | 4 bits | -7 .. 7 (the packing would hold -8) |
| accumulator | int32 | at most 128 * 7 * inputs + 2**15: with inputs <= 512 below 2**19 |
| requantise | int8 | clamp(((accumulator + bias) * multiplier + 2**(shift - 1)) >> shift); multiplier < 2**8: < 2**28 |
| sigmoid | Q7, 0 .. 128 | table by an int8 argument in 1/16 |
| gate | Q7 | (sigmoid * scale + 16) >> 5 with scale int8 in Q5: at most 512 in size |
| gated add | int8 | clamp(x + v + ((v * gate + 64) >> 7), 0, 127): below 2**17 |
| logit | int32 | sum over frames of (accumulator + bias) * multiplier; `IntegerModel.check` proves the model at hand |
| frame weight | 1 .. 129 | sigmoid + 1 |
| weighed logit | int32 | floor(sum of weight * score / sum of weight), score = (the summand above + 2**7) >> 8 |

`>>` is an arithmetic shift: all rounding is half up. Before the first frame every history holds zeros,
and `flush` frames of zeros follow the last one.
This file knows nothing of torch; `tinyspeech/export.py` makes an `IntegerModel` of a trained network.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
import zlib
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tinyspeech.errors import UserError

SIGMOID_BITS = 7
SCALE_BITS = 5
SCORE_SHIFT = 8
"""Bits that a frame's scores lose before they are weighed, so that the sums stay within 32 bits."""
SLOTS = ("stream", "branch", "wide", "pooled", "squeezed")
"""Names of the activation buffers; the chip keeps them side by side in its scratch memory."""
KINDS = ("dense", "depthwise", "pool", "gated_add", "add", "classifier", "weighed_classifier")


def sigmoid_table() -> np.ndarray:
    """round(128 sigmoid(a / 16)) for a = 0 .. 128, uint8; negative arguments give 128 - table[-a]."""
    return np.floor(128 / (1 + np.exp(-np.arange(129) / 16)) + 0.5).astype(np.uint8)


def sigmoid_q7(a: np.ndarray) -> np.ndarray:
    """128 sigmoid(a / 16) by the table, 0 .. 128, of int8 arguments."""
    table = sigmoid_table().astype(np.int64)
    return np.where(a >= 0, table[np.abs(a)], (1 << SIGMOID_BITS) - table[np.abs(a)])


def gate_q7(a: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Gate in Q7 of int8 arguments a [..., C] and int8 scales [C] in Q5."""
    return (sigmoid_q7(a) * scale + (1 << (SCALE_BITS - 1))) >> SCALE_BITS


@dataclass
class Layer:
    """One step of the program: reads slot `source`, writes slot `target`."""

    kind: str
    """dense | depthwise | pool | gated_add | add | classifier | weighed_classifier: the last one takes each frame's
    weight from the first value of slot `pooled`."""
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
    """int8 [outputs, kernel * inputs], oldest frame first (dense, classifier) or [channels, kernel] (depthwise)."""
    bias: np.ndarray | None = None
    """int16 [outputs], in accumulator units."""
    multiplier: np.ndarray | None = None
    """uint8 [outputs]."""
    shift: np.ndarray | None = None
    """uint8 [outputs], 1 .. 24; 0 for a classifier, which does not shift."""
    scale: np.ndarray | None = None
    """int8 [channels], Q5 (gated_add)."""

    def requantise(self, accumulator: np.ndarray) -> np.ndarray:
        """int [..., outputs] -> int8 range, rounding half up."""
        shift = self.shift.astype(np.int64)
        total = (accumulator + self.bias.astype(np.int64)) * self.multiplier.astype(np.int64)
        return np.clip((total + (1 << (shift - 1))) >> shift, self.low, 127)


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
                y = layer.requantise(_frames(x, layer.kernel) @ layer.weight.astype(np.int64).T)
            elif layer.kind == "depthwise":
                window = _frames(x, layer.kernel).reshape(*x.shape[:2], layer.kernel, -1)  # (N, T, K, C)
                y = layer.requantise(np.einsum("ntkc,ck->ntc", window, layer.weight.astype(np.int64)))
                slots = {name: value[:, :: layer.stride] for name, value in slots.items()}
                y = y[:, :: layer.stride]
            elif layer.kind == "pool":
                y = _frames(x, layer.kernel).reshape(*x.shape[:2], layer.kernel, -1).max(axis=2)
            elif layer.kind == "gated_add":
                gate = gate_q7(slots["pooled"], layer.scale.astype(np.int64))
                y = np.clip(slots[layer.target] + x + ((x * gate + 64) >> SIGMOID_BITS), 0, 127)
            elif layer.kind == "add":
                y = np.clip(slots[layer.target] + x, 0, 127)
            else:
                per_frame = x @ layer.weight.astype(np.int64).T + layer.bias.astype(np.int64)
                y = per_frame * layer.multiplier.astype(np.int64)  # (N, T, classes)
                if layer.kind == "weighed_classifier":
                    weight = sigmoid_q7(slots["pooled"][..., :1]) + 1  # (N, T, 1)
                    y = ((y + (1 << (SCORE_SHIFT - 1))) >> SCORE_SHIFT) * weight
            slots[layer.target] = y
            if record is not None:
                record[layer.name] = y
        total = y.sum(axis=1)
        return (total if weight is None else total // weight.sum(axis=1)).astype(np.int32)

    def check(self, frames: int = 49) -> None:
        """Prove that no accumulator can overflow for any input; raises `UserError` naming the layer otherwise."""
        for layer in self.layers:
            if layer.weight is None:
                continue
            if layer.weight.min(initial=0) < -8 or layer.weight.max(initial=0) > 7:
                raise UserError(f"layer {layer.name}: a weight does not fit 4 bits, -8 .. 7")
            bound = np.abs(layer.weight.astype(np.int64)).sum(axis=1) * 128 + np.abs(layer.bias.astype(np.int64))
            bound = bound * layer.multiplier.astype(np.int64)
            if layer.kind == "classifier":
                bound = bound * self.output_frames(frames)
            elif layer.kind == "weighed_classifier":
                largest = (1 << SIGMOID_BITS) + 1
                bound = np.maximum(bound, ((bound >> SCORE_SHIFT) + 1) * largest * self.output_frames(frames))
            elif layer.shift.min() < 1 or layer.shift.max() > 24:
                raise UserError(f"layer {layer.name}: shifts must be 1 to 24, and 0 leaves nothing to round")
            else:
                bound = bound + (np.int64(1) << (layer.shift.astype(np.int64) - 1))
            if bound.max() >= 1 << 31:
                raise UserError(f"layer {layer.name}: an accumulator could reach {bound.max()}, beyond 32 bits")

    def output_frames(self, frames: int) -> int:
        """Frames that reach the classifier, of `frames` that go in and the zeros that follow."""
        frames += self.flush
        for layer in self.layers:
            frames = -(-frames // layer.stride)
        return frames

    def logit_unit(self, frames: int) -> float:
        """What one unit of `run`'s answer for a clip of `frames` is worth in logits, the average over frames."""
        return self.logit_step / (1 if self.layers[-1].kind == "weighed_classifier" else self.output_frames(frames))

    @property
    def parameters(self) -> int:
        """Weights, without biases and multipliers."""
        return sum(layer.weight.size for layer in self.layers if layer.weight is not None)

    @property
    def digest(self) -> str:
        """First 12 hex digits of the SHA-256 of every integer in the program."""
        sha = hashlib.sha256(f"{self.name} {self.flush}".encode())
        for layer in self.layers:
            sha.update(f"{layer.kind} {layer.source} {layer.target} {layer.kernel} {layer.stride} {layer.low}".encode())
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
        """Read what `save` wrote; a missing or foreign file raises `UserError`."""
        try:
            with np.load(path, allow_pickle=False) as archive:
                meta = json.loads(str(archive["meta"]))
                layers = []
                for row in meta["layers"]:
                    own = {k.rsplit(".", 1)[1]: archive[k] for k in archive.files if k.rsplit(".", 1)[0] == row["name"]}
                    layers.append(Layer(**row, **own))
            return cls(meta["name"], tuple(meta["classes"]), layers, meta["inputs"], meta["logit_step"],
                       meta["flush"], meta["provenance"])
        except FileNotFoundError as error:
            raise UserError(f"no integer model at {path}: run `python -m tinyspeech export` first") from error
        except (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile, zlib.error) as error:
            raise UserError(f"{path} is not an integer model of this program") from error


def _frames(x: np.ndarray, kernel: int) -> np.ndarray:
    """[N, T, C] -> [N, T, kernel * C]: each frame after its kernel - 1 predecessors, oldest first, after zeros."""
    padded = np.pad(x, ((0, 0), (kernel - 1, 0), (0, 0)))
    return np.concatenate([padded[:, i : i + x.shape[1]] for i in range(kernel)], axis=-1)
