"""Cycles and bytes of every function of the firmware, counted on the emulated chip, next to other ways to multiply
(chapter 9), and of one dense layer in formats that do not store its zeros (chapter 6).

One second of audio is one clip: 8000 samples in over the serial port, 49 frames, the answer out.

    python -m tinyspeech.bench          # measures the formats and records them in data/results.json
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tinyspeech import export, frontend, sparse, toolchain
from tinyspeech.chip.emulator import SRAM_BASE, Board, Chip, worst_case_clip
from tinyspeech.evaluate import model_file
from tinyspeech.export import pack_dense, pack_nibbles
from tinyspeech.integer import IntegerModel

STAGES = {
    "frontend_push": "samples in", "usart_get": "samples in", "cepstrum": "log2 and cosine transform",
    "normalise": "block exponent",
    "transform": "Fourier transform", "untangle": "real spectrum", "mel_energies": "window, power, mel bands",
    "network_frame": "network bookkeeping", "kernel_dense_pair": "dense layers",
    "kernel_depthwise_pair": "depthwise layers",
    "kernel_requantise": "requantisation", "kernel_add": "residual additions", "remember": "histories",
}
"""Functions of the firmware that begin a stage; what they call counts as theirs."""
FRONT_END = ("log2 and cosine transform", "block exponent", "Fourier transform", "real spectrum",
             "window, power, mel bands")
"""The stages between samples and coefficients."""


def dense_macs(model: IntegerModel, frames: int = frontend.N_FRAMES) -> int:
    """Multiply-accumulates of the dense and classifier layers in one clip."""
    total, frames = 0, frames + model.flush
    for layer in model.layers:
        frames = -(-frames // layer.stride)
        if layer.weight is not None and layer.kind != "depthwise":
            total += frames * layer.bands * layer.weight.size
    return total


def bench(model: str = "tinyspeech_s", race: bool = False) -> dict:
    """{"cycles_per_audio_second", "front_end_cycles", "cycles_per_mac", "clock_hz", "stages" {name: cycles}, "kernels"
    {name: {"cycles_per_mac", "bytes"}}, "stage_bytes" {name: bytes of code}}, deterministic: one clip of seeded
    full-scale noise.

    A stage has its functions' cycles and those of the multiplications that they call. `cycles_per_mac` is the dense
    kernel's, which has nearly all of the network's products. `race` adds the other ways of `WAYS` to the kernels, and
    what they take elsewhere.
    """
    integer = IntegerModel.load(model_file(model, ".npz"))
    firmware = toolchain.build_firmware(export.firmware_folder(integer))
    board = Board(firmware.elf)
    clip = worst_case_clip()
    total = board.classify(clip).cycles
    stages = board.stages(clip, STAGES)
    per_mac = stages["dense layers"] / dense_macs(integer)
    sizes = toolchain.sizes(firmware.elf)["symbols"]
    others = multiplier_race() if race else {}
    return {
        "cycles_per_audio_second": total, "front_end_cycles": sum(stages[name] for name in FRONT_END),
        "cycles_per_mac": per_mac, "clock_hz": board.chip.state.clock_hz,
        "stages": stages,
        "kernels": {"shipped": {"cycles_per_mac": per_mac, "bytes": sizes["kernel_dense_pair"]}, **others},
        "stage_bytes": {stage: sum(sizes[function] for function, of in STAGES.items() if of == stage)
                        for stage in STAGES.values()},
    }


# ---------------------------------------------------------------- ways to multiply

CALLER_STACK = 16
"""Of `layer_run`, which saves its return address and puts a seventh argument on the stack: at most so many bytes."""


@dataclass(frozen=True)
class Way:
    """One way to compute a dense layer of 4-bit weights."""

    call: str
    """C: a call with first, second (int8 [inputs] each), weights, out, work and the layer's size."""
    source: str
    """The file with its function, or "" where it is made for the layer."""
    packed: str = ""
    """How its weights are stored: a key of `PACKED`."""
    vectors: int = 1
    """Computed together."""
    work_bytes: int = 0
    """Of RAM beside the stack."""

    @property
    def function(self) -> str:
        return self.call.split("(")[0]


PACKED = {
    "rows": pack_nibbles, "columns": lambda weight: pack_nibbles(weight.T.copy()), "words": pack_dense,
    "runs": sparse.pack_runs,
}
WAYS = {
    "mulsi3": Way("kernel_product(first, {inputs}, weights, {outputs}, out)", "formats/multipliers.c", "rows"),
    "shift_add": Way("kernel_shift_add(first, {inputs}, weights, {outputs}, out)", "formats/multipliers.c", "rows"),
    "halves": Way("kernel_halves(first, second, {inputs}, weights, {outputs}, out, work)", "formats/multipliers.c",
                  "rows", 2, 256),
    "multiples": Way("kernel_multiples(first, {inputs}, weights, {outputs}, out)", "formats/multipliers.c", "columns"),
    "runs": Way("kernel_runs(first, weights, {outputs}, out)", "formats/sparse.c", "runs"),
    "straight": Way("layer_straight(first, out)", ""),
    "subset_sums": Way("kernel_dense(first, {inputs}, weights, {outputs}, out)", "kernels.c", "words"),
    "subset_sums_pair": Way("kernel_dense_pair(first, second, {inputs}, weights, {outputs}, out, work)", "dense.S",
                            "words", 2, 64),
}
"""The compiler's product; an addition for each bit that is set, as in BitNetMCU; the same for two vectors in the halves
of a register; a table of an input's multiples; zeros skipped; the weights as code; a table of sums of four inputs; and
that for two vectors, by hand, which ships."""
RACED = ("multipliers.o", "sparse.o", "kernels.o", "dense.o", "compiler_rt")


class WayOnChip:
    """A dense layer, int8 [outputs, inputs], computed one way by a program of its own. in_sram : its code is copied to
    SRAM by the startup code, what the compiler's product calls included. `bytes` of code, `table_bytes` of weights."""

    def __init__(self, weight: np.ndarray, name: str, in_sram: bool = False):
        self._way, (outputs, inputs) = WAYS[name], weight.shape
        text = ['#include "kernels.h"\n#include "formats/multipliers.h"\n#include "formats/sparse.h"\n',
                "static uint32_t work[64];"]
        self.table_bytes = 0
        if self._way.packed:
            table = PACKED[self._way.packed](weight)
            self.table_bytes = table.nbytes
            text.append(f"static const {table.dtype}_t weights[] = {{{', '.join(map(str, table.reshape(-1)))}}};")
        else:
            text.append("static " + sparse.straight_line(weight, "__attribute__((noinline)) layer_straight"))
        text.append("void layer_run(int format, const int8_t *in, int32_t *out);\n"
                    "void layer_run(int format, const int8_t *first, int32_t *out)\n{\n"
                    "    const int8_t *second = first + 64;\n    (void)format, (void)second, (void)work;\n"
                    f"    {self._way.call.format(inputs=inputs, outputs=outputs)};\n}}\n")
        names = ["startup.S", "formats/layer_main.c", *filter(None, [self._way.source]), "multiply.c"]
        with tempfile.TemporaryDirectory() as folder:
            layer, script = Path(folder) / "layer.c", None
            layer.write_text("\n".join(text))
            if in_sram:
                script = Path(folder) / "sram.ld"
                script.write_text(code_to_sram((toolchain.FIRMWARE / "ch32v003.ld").read_text()))
            built = toolchain.build_firmware([*(toolchain.FIRMWARE / name for name in names), layer], "way", script,
                                             runtime=name == "mulsi3")
        sizes = toolchain.sizes(built.elf)
        self.bytes = sum({**sizes["symbols"], **sizes["ram_symbols"]}.get(symbol, 0)
                         for symbol in (self._way.function, *(["__mulsi3"] if name == "mulsi3" else [])))
        self._at, self._outputs = toolchain.symbol_addresses(built.elf), outputs
        self._chip = Chip(built.bin.read_bytes())
        self._chip.run()  # to the first breakpoint

    def run(self, first: np.ndarray, second: np.ndarray, mhz: int) -> LayerRun:
        """int8 [inputs] twice; where two vectors are computed together, their sums come as a pair."""
        x = np.zeros(128, np.int8)
        x[: len(first)], x[64 : 64 + len(second)] = first, second
        return call_layer(self._chip, self._at, self._way.function, x, self._outputs, mhz)


def code_to_sram(script: str) -> str:
    """The linker script, with the code of the raced ways in .data."""
    files = " ".join(f"*{name}*" for name in RACED)
    moved = "".join(f"*{name}*(.text .text.*) " for name in RACED)
    script = script.replace("*(.text .text.*)", f"*(EXCLUDE_FILE({files}) .text EXCLUDE_FILE({files}) .text.*)")
    return script.replace("data_start = .;", f"data_start = .; {moved}")


def multiplier_race(model: str = "tinyspeech_s", layer: str = "block1_expand") -> dict[str, dict]:
    """{way: {"cycles_per_mac" at 24 MHz from flash, "cycles_per_mac_48_mhz", "cycles_per_mac_sram" (at 24 MHz, weights
    in flash; None where the code is larger than SRAM), "bytes" of code, "table_bytes", "ram_bytes"}}.

    Every way is checked against numpy, on random and extreme inputs, wherever it is measured. Cycles are the mean over
    the random ones: some ways take longer for other inputs.
    """
    integer = IntegerModel.load(model_file(model, ".npz"))
    weight = next(row.weight for row in integer.layers if row.name == layer)
    return {name: race_one(weight, name) for name in WAYS}


def race_one(weight: np.ndarray, name: str) -> dict:
    """One row of `multiplier_race`."""
    rng, way, inputs = np.random.default_rng(0), WAYS[name], weight.shape[1]
    pairs = [*rng.integers(-128, 128, (4, 2, inputs)), np.full((2, inputs), -128), np.full((2, inputs), 127),
             np.stack([np.where(weight[0] > 0, 127, -128), np.where(weight[0] > 0, -128, 127)])]
    row: dict = {}
    for in_sram, mhz, key in ((False, 24, "cycles_per_mac"), (False, 48, "cycles_per_mac_48_mhz"),
                              (True, 24, "cycles_per_mac_sram")):
        if in_sram and row["bytes"] + row["ram_bytes"] > MOST_CODE_IN_SRAM:
            row[key] = None
            continue
        if mhz == 24:
            on_chip = WayOnChip(weight, name, in_sram)
        runs = [on_chip.run(*pair, mhz) for pair in pairs]
        for (first, second), run in zip(pairs, runs, strict=True):
            want = weight.astype(np.int64) @ np.stack([first, second]).T  # (outputs, 2)
            if way.vectors == 2:
                want[:, 0] += want[:, 1] << 16
            if (run.accumulator != want[:, 0]).any():
                raise AssertionError(f"{name} computes another layer")
        if not in_sram:
            row.update(bytes=on_chip.bytes, table_bytes=on_chip.table_bytes,
                       ram_bytes=way.work_bytes + max(run.stack_bytes for run in runs))
        row[key] = float(np.mean([run.cycles for run in runs[:4]])) / (way.vectors * weight.size)
    return row


MOST_CODE_IN_SRAM = 1024
"""Bytes: the rest is for the layer's input, output and stack."""


# ---------------------------------------------------------------- formats of a dense layer

@dataclass(frozen=True)
class LayerRun:
    """What one call of a layer's function gave and took."""

    accumulator: np.ndarray
    """int32 [outputs]."""
    cycles: int
    """From call to return."""
    stack_bytes: int
    """Below its caller's."""


def call_layer(chip: Chip, at: dict[str, int], function: str, x: np.ndarray, outputs: int, mhz: int,
               index: int = 0) -> LayerRun:
    """Run formats/layer_main.c from its breakpoint to the next; `at` has the program's addresses, x is int8."""
    state = chip.state
    for symbol, value in (("layer_format", np.int32(index).tobytes()), ("layer_mhz", np.int32(mhz).tobytes()),
                          ("layer_in", np.asarray(x, np.int8).tobytes())):
        start = at[symbol] - SRAM_BASE
        state.sram[start : start + len(value)] = value
    chip.start_profile({at[function]: 1})
    state.lowest_sp = state.x[2] - CALLER_STACK
    state.pc += 2  # over the breakpoint
    chip.run()
    out = np.frombuffer(chip.read_memory(at["layer_out"], 4 * outputs), "<i4").astype(np.int32)
    return LayerRun(out, int(chip.stage_cycles()[1]), state.x[2] - CALLER_STACK - state.lowest_sp)


FORMAT_CALLS = {
    "dense": "kernel_dense(in, {inputs}, dense, {outputs}, out)",
    "bitmap": "kernel_bitmap(in, {inputs}, bitmap, {outputs}, out)",
    "runs": "kernel_runs(in, runs, {outputs}, out)",
    "groups": "kernel_groups(in, {inputs}, groups, {outputs}, out)",
    "straight": "layer_straight(in, out)",
}
"""How the program of one layer calls each format's C."""
FORMAT_FUNCTIONS = {name: f"kernel_{name}" for name in sparse.FORMATS} | {"straight": "layer_straight"}
SPARSITIES = (0, 30, 50, 70, 90)
"""Percent of the weights that are pruned; at 0 the layer is as it ships, with the zeros that rounding made."""


class LayerOnChip:
    """One dense layer on the emulated chip, in some of the formats of `tinyspeech.sparse`.

    weight : int8 [outputs, inputs], -8 .. 7, inputs a multiple of 4 and at most 64, outputs at most 64.
    formats : all but `straight` fit the flash together; `straight` may need it for itself.

    `bytes` {format: of its table}, `code_bytes` {format: of its function}.
    """

    def __init__(self, weight: np.ndarray, formats: Iterable[str]):
        self.formats = tuple(formats)
        tables = {name: sparse.FORMATS[name][0](weight) for name in self.formats if name != "straight"}
        outputs, inputs = weight.shape
        text = ['#include "kernels.h"\n#include "formats/sparse.h"\n']
        text += [f"static const {table.dtype}_t {name}[] = {{{', '.join(map(str, table.reshape(-1)))}}};"
                 for name, table in tables.items()]
        if "straight" in self.formats:
            text.append("static " + sparse.straight_line(weight, "__attribute__((noinline)) layer_straight"))
        calls = [f"    case {i}: {FORMAT_CALLS[name].format(inputs=inputs, outputs=outputs)}; break;"
                 for i, name in enumerate(self.formats)]
        text += ["void layer_run(int format, const int8_t *in, int32_t *out);",
                 "void layer_run(int format, const int8_t *in, int32_t *out)\n{\n    switch (format) {", *calls,
                 "    }\n}\n"]
        names = ("startup.S", "formats/layer_main.c", "formats/sparse.c", "kernels.c", "multiply.c")
        sources = [toolchain.FIRMWARE / name for name in names]
        with tempfile.TemporaryDirectory() as folder:
            layer = Path(folder) / "layer.c"
            layer.write_text("\n".join(text))
            built = toolchain.build_firmware([*sources, layer], "layer")
        sizes = toolchain.sizes(built.elf)["symbols"]
        self.bytes = {name: tables[name].nbytes if name in tables else 0 for name in self.formats}
        self.code_bytes = {name: sizes[FORMAT_FUNCTIONS[name]] for name in self.formats}
        self._at = toolchain.symbol_addresses(built.elf)
        self._outputs = outputs
        self._chip = Chip(built.bin.read_bytes())
        self._chip.run()  # to the first breakpoint

    def run(self, name: str, x: np.ndarray) -> tuple[np.ndarray, int]:
        """int8 [inputs] -> (accumulator int32 [outputs], cycles of the format's function from call to return)."""
        run = call_layer(self._chip, self._at, FORMAT_FUNCTIONS[name], x, self._outputs, 48, self.formats.index(name))
        return run.accumulator, run.cycles


def format_costs(weight: np.ndarray) -> dict[str, dict[str, int]]:
    """{format: {"bytes": of the table, "code_bytes": of its function, "cycles": of the layer on one input}}.

    For `straight` the function is the layer. No format's cycles depend on the activations; every answer is checked
    against numpy on random and extreme inputs.
    """
    rng = np.random.default_rng(0)
    inputs = weight.shape[1]
    xs = [*rng.integers(-128, 128, (3, inputs)), np.full(inputs, -128), np.full(inputs, 127), np.zeros(inputs)]
    costs: dict[str, dict[str, int]] = {}
    for formats in (tuple(sparse.FORMATS), ("straight",)):
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
    clip}}; the table of `straight` is its code. Each layer is measured alone: together they may not fit the flash."""
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
    from tinyspeech.prune import kept_channels

    kept = kept_channels(weight.shape[axis], share)
    size = np.abs(weight.astype(np.int64)).sum(1 - axis)
    return weight.take(np.sort(np.argsort(-size, kind="stable")[:kept]), axis)


def formats(model: str = "tinyspeech_s", layers: Iterable[str] = ("block1_expand", "block1_project"),
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
                    costs = {"dense": format_costs(weight)["dense"]}
                else:
                    weight = sparse.prune_integers(full, sparsity / 100, 4 if what == "groups" else 1)
                    zeros, costs = 100 * float((weight == 0).mean()), format_costs(weight)
                rows.append({"label": f"{name}, {what}, {sparsity} %", "layer": name, "shape": list(weight.shape),
                             "pruned": what, "sparsity": sparsity, "zeros": round(zeros, 1), "formats": costs})
    return rows


if __name__ == "__main__":
    from tinyspeech.results import load, measure_formats

    measure_formats()
    for row in load()["pruning.formats"]["value"]:
        costs = (f"{name} {cost['bytes'] or cost['code_bytes']:,} B {cost['cycles']:,}"
                 for name, cost in row["formats"].items())
        print(f"{row['label']:<34} {row['zeros']:4.1f} % zeros:", "; ".join(costs))
