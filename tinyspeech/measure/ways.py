"""Ways to compute a dense layer on a chip that cannot multiply, raced on the emulated chip (chapter 9).

    from tinyspeech.measure.ways import multiplier_race
    multiplier_race()["halves"]["cycles_per_mac"]
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinyspeech.chip.program import Instruction, LayerRun, Program
from tinyspeech.integer import sparse
from tinyspeech.integer.network import IntegerModel
from tinyspeech.integer.packing import pack_dense, pack_nibbles
from tinyspeech.paths import SHIPPED, model_file


@dataclass(frozen=True)
class Way:
    """One way to compute a dense layer of 4-bit weights."""

    title: str
    """What the book calls it."""
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
    "mulsi3": Way("the compiler's product", "kernel_product(first, {inputs}, weights, {outputs}, out)",
                  "formats/multipliers.c", "rows"),
    "shift_add": Way("shift and add", "kernel_shift_add(first, {inputs}, weights, {outputs}, out)",
                     "formats/multipliers.c", "rows"),
    "halves": Way("shift and add, two frames", "kernel_halves(first, second, {inputs}, weights, {outputs}, out, work)",
                  "formats/multipliers.c", "rows", 2, 256),
    "multiples": Way("table of multiples", "kernel_multiples(first, {inputs}, weights, {outputs}, out)",
                     "formats/multipliers.c", "columns"),
    "runs": Way("zeros skipped", "kernel_runs(first, weights, {outputs}, out)", "formats/sparse.c", "runs"),
    "straight": Way("weights as code", "layer_straight(first, out)", ""),
    "subset_sums": Way("sums of subsets", "kernel_dense(first, {inputs}, weights, {outputs}, out)", "kernels.c",
                       "words"),
    "subset_sums_pair": Way("sums of subsets, two frames",
                            "kernel_dense_pair(first, second, {inputs}, weights, {outputs}, out, work)", "dense.S",
                            "words", 2, 64),
}
"""An addition for each bit that is set is BitNetMCU's way; the last, by hand, is what ships."""
RACED = ("multipliers.o", "sparse.o", "kernels.o", "dense.o", "compiler_rt")


MOST_CODE_IN_SRAM = 1024
"""Bytes: the rest is for the layer's input, output and stack."""


class WayOnChip(Program):
    """A dense layer, int8 [outputs, inputs], computed one way by a program of its own. in_sram : its code is copied to
    SRAM before it runs, what the compiler's product calls included. `bytes` of code, `table_bytes` of weights."""

    def __init__(self, weight: np.ndarray, name: str, in_sram: bool = False):
        self._way, (outputs, inputs) = WAYS[name], weight.shape
        text = ['#include "kernels.h"\n#include "formats/multipliers.h"\n#include "formats/sparse.h"\n',
                "static uint32_t work[64];"]
        self.table_bytes, self._outputs = 0, outputs
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
        super().__init__({"layer.c": "\n".join(text)}, [*filter(None, [self._way.source]), "multiply.c"], "way",
                         RACED if in_sram else (), runtime=name == "mulsi3")
        self.bytes = sum(self.sizes.get(symbol, 0)
                         for symbol in (self._way.function, *(["__mulsi3"] if name == "mulsi3" else [])))

    def run(self, first: np.ndarray, second: np.ndarray | None = None, mhz: int = 24) -> LayerRun:
        """int8 [inputs] twice (the second by default 0); where two vectors are computed together, their sums come as a
        pair, first + 2^16 * second modulo 2^32."""
        x = np.zeros(128, np.int8)
        x[: len(first)] = first
        if second is not None:
            x[64 : 64 + len(second)] = second
        return self.call(self._way.function, x, self._outputs, mhz)

    def listing(self, function: str = "") -> list[Instruction]:
        """The instructions of the way's function, or of another one, with their cycles in the last run."""
        return super().listing(function or self._way.function)


def multiplier_race(model: str = SHIPPED, layer: str = "block1_expand") -> dict[str, dict]:
    """{way: {"cycles_per_mac" at 24 MHz from flash, "cycles_per_mac_48_mhz", "cycles_per_mac_sram" and
    "cycles_per_mac_sram_48_mhz" (weights in flash; None where the code is larger than SRAM), "bytes" of code,
    "table_bytes", "ram_bytes"}}.

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
                              (True, 24, "cycles_per_mac_sram"), (True, 48, "cycles_per_mac_sram_48_mhz")):
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
