"""One dense layer, and a whole network's, in formats that do not store zeros: bytes and cycles on chip (chapter 6).

    from tinyspeech.measure.formats import format_costs
    format_costs(weight)["bitmap"]       # {"bytes", "code_bytes", "cycles"}

`tinyspeech/integer/sparse.py` defines the formats.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from tinyspeech.chip.program import Program
from tinyspeech.integer import frontend, sparse
from tinyspeech.integer.network import IntegerModel, Layer
from tinyspeech.paths import SHIPPED, model_file

FORMAT_CALLS = {
    "dense": "kernel_dense(in, {inputs}, dense, {outputs}, out)",
    "bitmap": "kernel_bitmap(in, {inputs}, bitmap, {outputs}, out)",
    "runs": "kernel_runs(in, runs, {outputs}, out)",
    "groups": "kernel_groups(in, {inputs}, groups, {outputs}, out)",
    "shipped": "kernel_dense_pair(in, in + 64, {inputs}, dense, {outputs}, out, sums)",
    "straight": "layer_straight(in, out)",
}
"""How the program of one layer calls each format's function. `shipped` is the firmware's own kernel, for two frames in
assembly, on the table of `dense`; all others are of one frame, in C."""
FORMAT_FUNCTIONS = {name: f"kernel_{name}" for name in sparse.FORMATS} | {
    "shipped": "kernel_dense_pair", "straight": "layer_straight"}
SPARSITIES = (0, 30, 50, 70, 90)
"""Percent of the weights that are pruned; at 0 the layer is as it ships, with the zeros that rounding made."""


class LayerOnChip(Program):
    """One dense layer on the emulated chip, in some of the formats of `tinyspeech.integer.sparse`.

    weight : int8 [outputs, inputs], -8 .. 7, inputs a multiple of 4 and at most 64, outputs at most 64.
    formats : of `FORMAT_CALLS`; all but `straight` fit the flash together, `straight` may need it for itself.

    `bytes` {format: of its table}, `code_bytes` {format: of its function}.
    """

    def __init__(self, weight: np.ndarray, formats: Iterable[str]):
        self.formats = tuple(formats)
        needed = dict.fromkeys("dense" if name == "shipped" else name for name in self.formats if name != "straight")
        tables = {name: sparse.FORMATS[name][0](weight) for name in needed}
        outputs, inputs = weight.shape
        text = ['#include "kernels.h"\n#include "formats/sparse.h"\n']
        if "shipped" in self.formats:
            text.append("static uint32_t sums[16];")
        text += [f"static const {table.dtype}_t {name}[] = {{{', '.join(map(str, table.reshape(-1)))}}};"
                 for name, table in tables.items()]
        if "straight" in self.formats:
            text.append("static " + sparse.straight_line(weight, "__attribute__((noinline)) layer_straight"))
        calls = [f"    case {i}: {FORMAT_CALLS[name].format(inputs=inputs, outputs=outputs)}; break;"
                 for i, name in enumerate(self.formats)]
        text += ["void layer_run(int format, const int8_t *in, int32_t *out);",
                 "void layer_run(int format, const int8_t *in, int32_t *out)\n{\n    switch (format) {", *calls,
                 "    }\n}\n"]
        sources = ["formats/sparse.c", "kernels.c", "multiply.c", *(["dense.S"] if "shipped" in self.formats else [])]
        super().__init__({"layer.c": "\n".join(text)}, sources, "layer")
        tables["shipped"] = tables.get("dense", np.array([]))
        self.bytes = {name: tables[name].nbytes if name in tables else 0 for name in self.formats}
        self.code_bytes = {name: self.sizes[FORMAT_FUNCTIONS[name]] for name in self.formats}
        self._outputs = outputs

    def run(self, name: str, x: np.ndarray, mhz: int = 24) -> tuple[np.ndarray, int]:
        """int8 [inputs] -> (accumulator int32 [outputs], cycles of the format's function from call to return).

        `shipped` computes two frames at once: here the second is of zeros, and the cycles are those of one, rounded up.
        """
        both = np.zeros(128, np.int8)
        both[: len(x)] = x
        run = self.call(FORMAT_FUNCTIONS[name], both, self._outputs, mhz, self.formats.index(name))
        return run.accumulator, -(-run.cycles // 2) if name == "shipped" else run.cycles


def format_costs(weight: np.ndarray) -> dict[str, dict[str, int]]:
    """{format: {"bytes": of the table, "code_bytes": of its function, "cycles": of the layer on one input, at 24 MHz}}.

    For `straight` the function is the layer. No format's cycles depend on the activations; every answer is checked
    against numpy on random and extreme inputs.
    """
    rng = np.random.default_rng(0)
    inputs = weight.shape[1]
    xs = [*rng.integers(-128, 128, (3, inputs)), np.full(inputs, -128), np.full(inputs, 127), np.zeros(inputs)]
    costs: dict[str, dict[str, int]] = {}
    for formats in ((*sparse.FORMATS, "shipped"), ("straight",)):
        layer = LayerOnChip(weight, formats)
        for name in formats:
            cycles = set()
            for x in xs:
                out, taken = layer.run(name, x)
                if (out != weight.astype(np.int64) @ x.astype(np.int64)).any():
                    raise AssertionError(f"format {name} computes another layer")
                cycles.add(taken)
            if len(cycles) > 1:
                raise AssertionError(f"format {name} takes {sorted(cycles)} cycles, by its activations")
            costs[name] = {"bytes": layer.bytes[name], "code_bytes": layer.code_bytes[name], "cycles": cycles.pop()}
    return costs


def network_formats(integer: IntegerModel, frames: int = frontend.N_FRAMES) -> dict:
    """All dense layers of a network: {"weights", "zeros" (%), then by format {"bytes": of the tables, "cycles": of a
    clip at 24 MHz}}; the table of `straight` is its code. Each layer is measured alone: together they may not fit the
    flash."""
    found: dict = {"weights": 0, "zeros": 0.0}
    frames += integer.flush
    for layer in integer.layers:
        frames = -(-frames // layer.stride)
        if layer.weight is None or layer.kind == "depthwise":
            continue
        found["weights"] += layer.weight.size
        found["zeros"] += int((layer.weight == 0).sum())
        for name, cost in format_costs(layer.weight).items():
            entry = found.setdefault(name, {"bytes": 0, "cycles": 0})
            entry["bytes"] += cost["bytes"] or cost["code_bytes"]
            entry["cycles"] += frames * cost["cycles"]
    found["zeros"] = round(100 * found["zeros"] / found["weights"], 1)
    return found


def fewer_channels(weight: np.ndarray, share: float, axis: int) -> np.ndarray:
    """The weights without this share of the channels along an axis, the smallest by the sum of their sizes; a multiple
    of four channels stays, and four at least."""
    from tinyspeech.lowbit.prune import kept_channels  # here: it loads torch, which a layer on the chip does without

    kept = kept_channels(weight.shape[axis], share)
    size = np.abs(weight.astype(np.int64)).sum(1 - axis)
    return weight.take(np.sort(np.argsort(-size, kind="stable")[:kept]), axis)


def formats(model: str = SHIPPED, layers: Iterable[str] = ("block1_expand", "block1_project"),
            sparsities: Iterable[int] = SPARSITIES) -> list[dict]:
    """Bytes and cycles of dense layers in every format, pruned by magnitude to each sparsity, as rows of a table.

    A row: {"label", "layer", "shape" [outputs, inputs], "pruned" (what: weights, groups of four inputs, or channels),
    "sparsity" (asked for, %), "zeros" (there are, %), "formats" {name: {"bytes", "code_bytes", "cycles"}}}. Channels
    are those of a block's wide middle, a multiple of four; what is left is a smaller dense layer.
    """
    integer = IntegerModel.load(model_file(model, ".npz"))
    weights = {layer.name: layer.weight for layer in integer.layers if layer.weight is not None}
    rows = []
    for name in layers:
        full = weights[name]
        for what in ("weights", "groups", "channels"):
            for sparsity in sparsities:
                if what != "weights" and not sparsity:
                    continue
                if what == "channels":
                    weight = fewer_channels(full, sparsity / 100, axis=int("project" in name))
                    zeros = 100 * (1 - weight.size / full.size)
                    costs = {name: cost for name, cost in format_costs(weight).items() if name in ("dense", "shipped")}
                else:
                    weight = sparse.prune_integers(full, sparsity / 100, 4 if what == "groups" else 1)
                    zeros, costs = 100 * float((weight == 0).mean()), format_costs(weight)
                rows.append({"label": f"{name}, {what}, {sparsity} %", "layer": name, "shape": list(weight.shape),
                             "pruned": what, "sparsity": sparsity, "zeros": round(zeros, 1), "formats": costs})
    return rows


CLIP_PRUNINGS = {"weights": (0, 30, 50, 70, 90), "groups": (30, 50), "channels": (33, 50)}
"""Of the networks that were trained again (`pruning` in data/experiments.yaml): what was pruned, and how much (%)."""


def clip_formats(model: str = SHIPPED) -> list[dict]:
    """What all dense layers of a network take for a clip, pruned as those that were trained again, as rows of a table.

    A row: {"label" (as in data/experiments.yaml), "formats": of `network_formats`}. Each layer gives the same share;
    channels are those of the blocks' wide middles, and the formats with a table of zeros are left out for them.
    """
    integer = IntegerModel.load(model_file(model, ".npz"))
    names = {"weights": "", "groups": "groups of four, ", "channels": "channels, "}

    def pruned(layer: Layer, what: str, share: float) -> Layer:
        weight = layer.weight
        if weight is None or layer.kind == "depthwise":
            return layer
        if what != "channels":
            return replace(layer, weight=sparse.prune_integers(weight, share, 4 if what == "groups" else 1))
        if not layer.name.endswith(("expand", "project")):
            return layer
        return replace(layer, weight=fewer_channels(weight, share, axis=int(layer.name.endswith("project"))))

    rows = []
    for what, shares in CLIP_PRUNINGS.items():
        for percent in shares:
            layers = [pruned(layer, what, percent / 100) for layer in integer.layers]
            costs = network_formats(replace(integer, layers=layers))
            if what == "channels":
                costs = {key: costs[key] for key in ("weights", "zeros", "dense", "shipped")}
            rows.append({"label": f"{names[what]}{percent} %", "formats": costs})
    return rows
