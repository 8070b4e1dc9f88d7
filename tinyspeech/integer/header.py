"""An `IntegerModel` as one C header, `firmware/model.h`, and as text for people (chapter 13).

    python -m tinyspeech export --model tinyspeech_s
    python -m tinyspeech export --model tinyspeech_s --dump

Both are deterministic: the same integers give the same bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import fill

import numpy as np

from tinyspeech.errors import UserError
from tinyspeech.integer.decision import REJECTED, doubtful, lead_bits
from tinyspeech.integer.frontend import N_COEFFICIENTS
from tinyspeech.integer.network import SIGMOID_BITS, IntegerModel, Worst, sigmoid_table
from tinyspeech.integer.packing import layer_words, pack_requant, packed
from tinyspeech.integer.plan import WORK_BYTES, memory_plan
from tinyspeech.integer.trials import checksum
from tinyspeech.integer.words import last_block

CONTRACT = """   Contract, in full in tinyspeech/integer/network.py and proved there for any input (IntegerModel.worst):
   activations int8, at least 0 after a ReLU; weights -8 .. 7; sums int32; >> is arithmetic, all rounding half up.
     dense, depthwise  clamp(((sum + bias) * multiplier + 2^(shift - 1)) >> shift, low, 127)
     addition          clamp(target + v, 0, 127); gated: + ((v * gate + 64) >> 7), gate = (sigmoid * scale + 16) >> 5
     leak              M += (256 * v - M) >> MODEL_MEMORY, and M >> 8 behind the values v; M int16, at first 0
     logits            sum over frames of (sum + bias) * multiplier; or weighed: of weight * score, divided by the sum
                       of weights, rounded down; score = (... + 128) >> 8, weight = sigmoid + 1
   Before the first frame every history holds zeros; MODEL_FLUSH frames of zeros follow the last.
   Behind each layer of the program: the largest sum and the largest product that any input can give.
"""
KINDS = ("dense", "depthwise", "classifier", "weighed_classifier", "gated_add", "add", "pool", "leak")
"""Of layers, in the order of the C's LAYER_DENSE and so on: first those with weights."""
LAYER_STRUCT = f"""enum {{
{fill(", ".join(f"LAYER_{kind.upper()}" for kind in KINDS), 116, initial_indent="    ", subsequent_indent="    ")}
}};

struct layer {{
    uint8_t kind, source, target, inputs, outputs, kernel, stride; /* slots by offset */
    int8_t low;
    uint16_t state; /* offset of the layer's history, or of its means */
    uint16_t table; /* in model_weights: kernel_requant's, and behind it the weights; a gated addition's scale, int8 */
}};
"""


ROOM_TO_TEACH = 7_097
"""Bytes of a network's constants, program and names beside which the firmware has room to teach words by itself: 1,260
fewer than the network that ships has."""
LAYER_BYTES = 12
"""Of the chip's `struct layer`."""


def leaves_room(model: IntegerModel) -> bool:
    """Whether the firmware with this network teaches words by itself, without a computer (`firmware/teach.S`)."""
    used = sum(LAYER_BYTES + sum(words.nbytes for words in layer_words(layer)) for layer in model.layers)
    names = len(model.name) + sum(len(word) + 1 for word in model.classes[REJECTED:])
    return _tap(model) > 0 and used + names <= ROOM_TO_TEACH


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
    if len({layer.memory for layer in model.layers} - {None}) > 1:
        raise UserError("the firmware has one length of memory for all leaking means")
    for layer in model.layers:
        if max(layer.kernel, layer.stride) > 255:
            raise UserError(f"layer {layer.name}: kernel and stride must fit a byte")
        if layer.weight is not None:
            pack_requant(layer)  # refuses what does not fit
        if layer.kind != "depthwise" and layer.weight is not None and layer.weight.shape[1] % 4:
            raise UserError(f"layer {layer.name}: the firmware takes four inputs at once, not {layer.weight.shape[1]}")
    if sum(len(words) for layer in model.layers for words in layer_words(layer)) > 65535:
        raise UserError("the network's weights are too many for the firmware's numbers")


def _array(kind: str, name: str, parts: Mapping[str, Sequence[np.ndarray]]) -> str:
    """In C; each part begins on a line of its own, after a comment with its name, if it has one."""
    lines, count = [], 0
    for title, arrays in parts.items():
        if title:
            lines.append(f"    /* {title} */")
        for array in arrays:
            flat = [str(value) for value in array.reshape(-1)]
            count += len(flat)
            lines += ["    " + ", ".join(flat[i : i + 16]) + "," for i in range(0, len(flat), 16)]
    lines[-1] = lines[-1].removesuffix(",")
    return f"static const {kind} {name}[{count}] = {{\n" + "\n".join(lines) + "\n};\n"


def c_header(model: IntegerModel) -> str:
    """The text of `firmware/model.h`: provenance, contract, sizes, packed weights and the program's table.

    Raises `UserError` for a network whose sums could overflow, or that the firmware cannot hold.
    """
    model.check()
    check_fits(model)
    source = "".join(_comment(f"{key}: {value}") for key, value in sorted(model.provenance.items()))
    out = [f"/* {model.name}: generated by `python -m tinyspeech export`; do not edit. "
           "Layout: tinyspeech/integer/header.py.\n"
           f"   hash: {model.digest}\n{source}\n{CONTRACT}*/",
           "#ifndef TINYSPEECH_MODEL_H\n#define TINYSPEECH_MODEL_H\n",
           f'#define MODEL_NAME "{model.name}"\n#define MODEL_HASH "{model.digest}"',
           *(f"#define MODEL_{key} {value}" for key, value in _sizes(model).items()),
           f"#ifndef MODEL_TAP /* 0: without taught words */\n#define MODEL_TAP {_tap(model)}\n#endif",
           f"#define MODEL_TEACHES (MODEL_TAP && {int(leaves_room(model))}) /* the board teaches itself: teach.h */",
           '\n#ifndef __ASSEMBLER__\n#include <stdint.h>\n\n#include "kernels.h"\n',
           "#ifdef MODEL_WITH_WORDS /* of classes 2 and up, each with a zero behind it */\n"
           "static const char model_words[] = " + '"' + "\\0".join(model.classes[REJECTED:]) + '";\n#endif\n',
           LAYER_STRUCT + "\n#ifdef MODEL_WITH_LAYERS"]
    weights, rows = _program(model)
    return "\n".join([*out, "static const struct layer model_layers[MODEL_LAYERS] = {\n" + "\n".join(rows) + "\n};\n",
                      weights + "#endif\n#endif\n\n#endif\n"])


def _sizes(model: IntegerModel) -> dict[str, int | str]:
    """{name: value} of what `model.h` defines as MODEL_name: counts, places in memory, and which code is needed."""
    plan, kinds = memory_plan(model), [layer.kind for layer in model.layers]
    return {
        "CLASSES": len(model.classes), "DOUBTFUL": doubtful(model.classes) or 0, "LEAD_BITS": lead_bits(model),
        "INPUTS": model.inputs, "FLUSH": model.flush,
        "CHECKSUM": f"{checksum(model):#010x}u", "LAYERS": len(kinds), "WIDEST": plan["widest"],
        "SLOT_BYTES": plan["slot_bytes"], "GATE_SLOT": plan["slots"]["pooled"],
        "POOLED": int("pool" in kinds), "GATED": int("gated_add" in kinds),
        "WEIGHED": int(kinds[-1] == "weighed_classifier"),
        "MEMORY": max(layer.memory or 0 for layer in model.layers),
        "PAIRED": plan["paired"], "BATCH": plan["batch"], "FRONT": plan["front"], "FRONT_BYTES": plan["front_bytes"],
        "CUT": plan["cut"], "HELD_BYTES": plan["held_bytes"], "PHASES": 0 if plan["paired"] else plan["front"] + 1,
        "WINDOW": plan["window"],
        "STATE_BYTES": plan["state_bytes"], "SCRATCH_BYTES": plan["scratch_bytes"],
    }


def _tap(model: IntegerModel) -> int:
    """Number of the layer before which the last block stands, which describes a frame of a taught word; 0 where words
    cannot be taught to the network."""
    try:
        block = last_block(model)
    except UserError:
        return 0
    tap = 1 + next(n for n, layer in enumerate(model.layers) if layer.name == block)
    return tap if memory_plan(model)["paired"] and memory_plan(model)["cut"] < tap else 0


def _program(model: IntegerModel) -> tuple[str, list[str]]:
    """The program in C: one array of all layers' requantisers, packed weights and scales, and a row of the table for
    every layer, which says where its own begin."""
    plan, worst = memory_plan(model), {row.layer: row for row in model.worst()}
    parts, rows, width, at = {}, [], {"stream": model.inputs}, 0
    for layer in model.layers:
        inputs = width[layer.source]
        outputs = layer.width(inputs)
        rows.append(f"    {{LAYER_{layer.kind.upper()}, {plan['slots'][layer.source]}, {plan['slots'][layer.target]}, "
                    f"{inputs}, {outputs}, {layer.kernel}, {layer.stride}, {layer.low}, {plan['state'][layer.name]}, "
                    f"{at}}}, /* {layer.name}{_worst_words(worst.get(layer.name))} */")
        if words := layer_words(layer):
            parts[layer.name] = words
            at += sum(map(len, words))
        if not layer.kind.endswith("classifier"):
            width[layer.target] = outputs
    return _array("uint16_t", "model_weights", parts), rows


def _comment(text: str) -> str:
    """Lines of a C comment that no text can end: of ASCII, without what could join two of them."""
    text = "".join(c if c.isspace() or (c.isascii() and c.isprintable() and c != "\\") else "?" for c in text)
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
        inputs = width[layer.source]
        outputs = layer.width(inputs)
        if not layer.kind.endswith("classifier"):
            width[layer.target] = outputs
        frames = f", {layer.kernel} frames" if layer.kernel > 1 else ""
        stride = f", one in {layer.stride} goes on" if layer.stride > 1 else ""
        frames += f", means of {2**layer.memory} frames" if layer.memory else ""
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
    """The text of `firmware/sigmoid.h`, which C and assembly read alike."""
    table = sigmoid_table()
    one = int(np.argmax(table == 1 << SIGMOID_BITS))
    steps = np.zeros(-(-one // 16) * 16, np.uint32)
    steps[:one] = np.diff(table[: one + 1])
    words = (steps.reshape(-1, 16) << np.arange(0, 32, 2, np.uint32)).sum(axis=1, dtype=np.uint32)
    return (f"/* round(128 sigmoid(a / 16)), a = 0 .. {one}: 64, and from one a to the next a step of two bits, the\n"
            "   first lowest. Generated by `python -m tinyspeech export`; do not edit. */\n"
            "#ifndef TINYSPEECH_SIGMOID_H\n#define TINYSPEECH_SIGMOID_H\n\n"
            f"#define SIGMOID_ONE {one} /* from there on it is 128 */\n"
            f"#define SIGMOID_STEPS {', '.join(f'{word:#010x}' for word in words)}\n\n#endif\n")
