"""Cycles and bytes of every function of the firmware, counted on the emulated chip, next to other ways to multiply
(chapter 9), and of one dense layer in formats that do not store its zeros (chapter 6).

One second of audio is one clip: 8000 samples in over the serial port, 49 frames, the answer out.

    python -m tinyspeech.bench          # measures the formats and records them in data/results.json
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from tinyspeech import export, frontend, power, sparse, toolchain
from tinyspeech.chip.emulator import SRAM_BASE, Board, Chip, slot, worst_case_clip
from tinyspeech.errors import UserError
from tinyspeech.export import pack_dense, pack_nibbles
from tinyspeech.integer import IntegerModel, Layer
from tinyspeech.paths import model_file

STAGES = {
    "frontend_push": "samples in", "usart_get": "samples in", "cepstrum": "log2 and cosine transform",
    "normalise": "block exponent",
    "transform": "Fourier transform", "untangle": "real spectrum", "mel_energies": "window, power, mel bands",
    "network_frame": "network bookkeeping", "kernel_dense_pair": "dense layers",
    "kernel_depthwise_pair": "depthwise layers",
    "kernel_requantise": "requantisation", "kernel_add": "residual additions", "remember": "histories",
}
"""Functions of the firmware that begin a stage; what they call counts as theirs."""
WITH_BANDS = {
    "bands_layer": "windows of bands", "bands_pool": "pooling of bands", "bands_add": "residual additions",
    "kernel_depthwise_lanes": "depthwise layers", "kernel_requantise_lanes": "requantisation",
    "kernel_dense": "dense layers", "kernel_depthwise": "depthwise layers",
}
"""The same for a network with bands (chapter 6), computed in pairs or one by one."""
FRONT_END = ("log2 and cosine transform", "block exponent", "Fourier transform", "real spectrum",
             "window, power, mel bands")
"""The stages between samples and coefficients."""

ACTIVITIES = {"listen_handler": "samples in", "frontend_frame": "front end", "network_frame": "network"}
"""What the chip is about while it listens, by the functions that begin it."""


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
    {name: {"cycles_per_mac", "bytes"}}, "stage_bytes" {name: bytes of code}, "power" (`power.estimate`, or None for a
    network that does not keep up)}, deterministic: one clip of seeded full-scale noise.

    A stage has its functions' cycles and those of the multiplications that they call. `cycles_per_mac` is the dense
    kernel's, which has nearly all of the network's products. `race` adds the other ways of `WAYS` to the kernels, and
    what they take elsewhere.
    """
    integer = IntegerModel.load(model_file(model, ".npz"))
    firmware = toolchain.build_firmware(export.firmware_folder(integer))
    board = Board(firmware.elf)
    clip = worst_case_clip()
    total = board.classify(clip).cycles
    sizes = toolchain.sizes(firmware.elf)["symbols"]
    functions = {name: stage for name, stage in {**STAGES, **WITH_BANDS}.items() if name in sizes}
    stages = board.stages(clip, functions)
    per_mac = stages["dense layers"] / dense_macs(integer)
    dense = next(name for name in ("kernel_dense_pair", "kernel_dense") if name in sizes)
    others = multiplier_race() if race else {}
    clock_hz = board.chip.state.clock_hz
    return {
        "cycles_per_audio_second": total, "front_end_cycles": sum(stages[name] for name in FRONT_END),
        "cycles_per_mac": per_mac, "clock_hz": clock_hz,
        "power": power.estimate(total, clock_hz) if total <= clock_hz else None,
        "stages": stages,
        "kernels": {"shipped": {"cycles_per_mac": per_mac, "bytes": sizes[dense]}, **others},
        "stage_bytes": {stage: sum(sizes[name] for name in functions if functions[name] == stage) for stage in stages
                        if stage != "other"},
    }


def firmware_at_48_mhz() -> toolchain.Firmware:
    """The shipped firmware, but with the clock doubled by the PLL and so with one wait state of the flash: chapter 11
    compares them."""
    changes = {"SET(RCC_CFGR0, 0)": "SET(FLASH_BASE, 1), SET(RCC_CFGR0, 2)",  # FLASH_ACTLR: one wait state
               "void board_start(void)\n{\n": "void board_start(void)\n{\n    REGISTER(RCC_BASE) = 1 << 24 | 0x83;\n",
               "CLOCK_HZ = 24000000": "CLOCK_HZ = 48000000"}  # RCC_CTLR: PLLON, HSI
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(shutil.copytree(toolchain.FIRMWARE, Path(folder) / "firmware"))
        for slow, fast in changes.items():
            setting = [path for path in copy.glob("*.[ch]") if slow in path.read_text()]
            if len(setting) != 1:
                raise AssertionError(f"the clock is set in {len(setting)} files by `{slow}`, not in one")
            setting[0].write_text(setting[0].read_text().replace(slow, fast))
        return toolchain.build_firmware(copy)


# ---------------------------------------------------------------- one function by itself on the chip

CALLER_STACK = 16
"""Of `layer_run`, which saves its return address and puts a seventh argument on the stack: at most so many bytes."""
MOST_CYCLES = 20_000_000
"""What takes longer is taken for a loop without an end."""


@dataclass(frozen=True)
class LayerRun:
    """What one call of a layer's function gave and took."""

    accumulator: np.ndarray
    """int32 [outputs]."""
    cycles: int
    """From call to return."""
    stack_bytes: int
    """Below its caller's."""


@dataclass(frozen=True)
class Instruction:
    """One instruction of a listing."""

    text: str
    """As the disassembler writes it; c. in front marks those of two bytes."""
    bytes: int
    cycles: int
    """That it took in the last call, all its executions together."""


class Program:
    """A function by itself on the emulated chip: firmware/formats/layer_main.c with a `layer_run` that calls it.

    files : {name: text}, compiled beside layer_main.c; one of them has `layer_run`
    sources : of the firmware, by name
    name : under which the build is kept
    in_sram : objects whose code the startup copies to SRAM
    runtime : the program may call the compiler's own products
    """

    def __init__(self, files: Mapping[str, str], sources: Iterable[str], name: str, in_sram: Iterable[str] = (),
                 runtime: bool = False):
        given = [toolchain.FIRMWARE / source for source in ("startup.S", "formats/layer_main.c", *sources)]
        with tempfile.TemporaryDirectory() as folder:
            for file, text in files.items():
                (Path(folder) / file).write_text(text)
            script = None
            if in_sram:
                script = Path(folder) / "sram.ld"
                script.write_text(code_to_sram((toolchain.FIRMWARE / "ch32v003.ld").read_text(), in_sram))
            built = toolchain.build_firmware([*given, *(Path(folder) / file for file in files)], name, script,
                                             runtime)
        sizes = toolchain.sizes(built.elf)
        self.sizes = {**sizes["symbols"], **sizes["ram_symbols"]}
        self._at = toolchain.symbol_addresses(built.elf)
        self._chip = Chip(built.bin.read_bytes())
        self._chip.run()  # to the first breakpoint

    def call(self, function: str, x: np.ndarray, outputs: int, mhz: int, index: int = 0) -> LayerRun:
        """Let `layer_run(index, x, out)` run, and count what `function` takes in it. x: int8, at most 128. A function
        that does not return raises `UserError`, one that breaks a rule of the chip `ChipFault`."""
        chip, at, state = self._chip, self._at, self._chip.state
        for symbol, value in (("layer_format", np.int32(index).tobytes()), ("layer_mhz", np.int32(mhz).tobytes()),
                              ("layer_in", np.asarray(x, np.int8).tobytes())):
            start = at[symbol] - SRAM_BASE
            state.sram[start : start + len(value)] = value
        chip.start_profile({at[function]: 1})
        state.lowest_sp = state.x[2] - CALLER_STACK
        state.pc += 2  # over the breakpoint
        if chip.run(MOST_CYCLES) != "break":
            raise UserError(f"{function} has not returned after {MOST_CYCLES:,} cycles")
        out = np.frombuffer(chip.read_memory(at["layer_out"], 4 * outputs), "<i4").astype(np.int32)
        return LayerRun(out, int(chip.stage_cycles()[1]), state.x[2] - CALLER_STACK - state.lowest_sp)

    def listing(self, function: str) -> list[Instruction]:
        """The instructions of a function, with their cycles in the last call."""
        import capstone

        start, cycles = self._at[function], self._chip.profile()
        decoder = capstone.Cs(capstone.CS_ARCH_RISCV, capstone.CS_MODE_RISCV32 | capstone.CS_MODE_RISCVC)
        code = self._chip.read_memory(start, self.sizes[function])
        return [Instruction(f"{i.mnemonic} {i.op_str}".strip(), i.size, int(cycles[slot(i.address)]))
                for i in decoder.disasm(code, start)]


def code_to_sram(script: str, objects: Iterable[str]) -> str:
    """The linker script, with the code of these objects in .data."""
    files = " ".join(f"*{name}*" for name in objects)
    moved = "".join(f"*{name}*(.text .text.*) " for name in objects)
    script = script.replace("*(.text .text.*)", f"*(EXCLUDE_FILE({files}) .text EXCLUDE_FILE({files}) .text.*)")
    return script.replace("data_start = .;", f"data_start = .; {moved}")


class Routine(Program):
    r"""A function of up to four whole numbers that returns one, written down where it is used.

        triple = Routine("triple", "slli a1, a0, 1\n add a0, a0, a1\n ret")
        triple(14)   # (42, 5): what it returns, and its cycles with its return

    source : assembly, which gets its arguments in a0, a1, a2, a3 and leaves its result in a0; or with language "c"
        the file that defines `int32_t name(int32_t, ...)`
    arguments : how many there are
    """

    def __init__(self, name: str, source: str, arguments: int = 1, language: str = "S"):
        if language == "S":
            source = (f"    .text\n    .globl {name}\n    .type {name}, @function\n    .balign 4\n{name}:\n"
                      f"{source}\n    .size {name}, . - {name}\n")
        harness = (f"#include <stdint.h>\nint32_t {name}({', '.join(['int32_t'] * arguments)});\n"
                   "void layer_run(int format, const int8_t *in, int32_t *out);\n"
                   "static int32_t word(const int8_t *in)\n{\n    uint32_t all = 0;\n"
                   "    for (int i = 3; i >= 0; i--) all = all << 8 | (uint8_t)in[i];\n    return (int32_t)all;\n}\n"
                   "void layer_run(int format, const int8_t *in, int32_t *out)\n{\n    (void)format;\n"
                   f"    out[0] = {name}({', '.join(f'word(in + {4 * i})' for i in range(arguments))});\n}}\n")
        super().__init__({f"routine.{language}": source, "layer.c": harness}, (), "routine",
                         runtime=language == "c")
        self._name, self._arguments = name, arguments

    def __call__(self, *arguments: int, mhz: int = 24) -> tuple[int, int]:
        """(What it returns, cycles from call to return)."""
        if len(arguments) != self._arguments:
            raise UserError(f"{self._name} takes {self._arguments} numbers, not {len(arguments)}")
        words = np.array(arguments, np.int64).astype("<i4").view(np.int8)
        run = self.call(self._name, words, 1, mhz)
        return int(run.accumulator[0]), run.cycles


# ---------------------------------------------------------------- ways to multiply


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


class WayOnChip(Program):
    """A dense layer, int8 [outputs, inputs], computed one way by a program of its own. in_sram : its code is copied to
    SRAM by the startup code, what the compiler's product calls included. `bytes` of code, `table_bytes` of weights."""

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


def multiplier_race(model: str = "tinyspeech_s", layer: str = "block1_expand") -> dict[str, dict]:
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


MOST_CODE_IN_SRAM = 1024
"""Bytes: the rest is for the layer's input, output and stack."""


# ---------------------------------------------------------------- formats of a dense layer

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
    """One dense layer on the emulated chip, in some of the formats of `tinyspeech.sparse`.

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
                    costs = {name: cost for name, cost in format_costs(weight).items() if name in ("dense", "shipped")}
                else:
                    weight = sparse.prune_integers(full, sparsity / 100, 4 if what == "groups" else 1)
                    zeros, costs = 100 * float((weight == 0).mean()), format_costs(weight)
                rows.append({"label": f"{name}, {what}, {sparsity} %", "layer": name, "shape": list(weight.shape),
                             "pruned": what, "sparsity": sparsity, "zeros": round(zeros, 1), "formats": costs})
    return rows


CLIP_PRUNINGS = {"weights": (0, 30, 50, 70, 90), "groups": (30, 50), "channels": (33, 50)}
"""Of the networks that were trained again (`pruning` in data/experiments.yaml): what was pruned, and how much (%)."""


def clip_formats(model: str = "tinyspeech_s") -> list[dict]:
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


if __name__ == "__main__":
    from tinyspeech.results import load, measure_formats

    measure_formats()
    for row in load()["pruning.formats"]["value"]:
        costs = (f"{name} {cost['bytes'] or cost['code_bytes']:,} B {cost['cycles']:,}"
                 for name, cost in row["formats"].items())
        print(f"{row['label']:<34} {row['zeros']:4.1f} % zeros:", "; ".join(costs))
