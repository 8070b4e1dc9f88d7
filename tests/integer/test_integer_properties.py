"""Whatever a network is and hears: fake-quantised torch, integers and the firmware's C agree in every logit.

The C is the shipped C, built once with every check on; only its program's table is filled at run time, through the
header below. Cases are drawn by hypothesis, with the ends of every range among them: more than 1,000 in all.
"""

import ctypes
import re
import shutil

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tinyspeech import CLASSES, toolchain
from tinyspeech.errors import UserError
from tinyspeech.integer import header, packing
from tinyspeech.integer import plan as integer_plan
from tinyspeech.integer.network import LONGEST_MEMORY, SLOTS, IntegerModel, Layer, gate_q7
from tinyspeech.lowbit import lower, quant
from tinyspeech.lowbit.grids import FixedStep, LearnedStep
from tinyspeech.lowbit.saved import predict
from tinyspeech.networks.streaming import CausalConv, StreamingCondenser, StreamingConfig, TinySpeechS
from tinyspeech.paths import FIRMWARE
from tinyspeech.toolchain import compile as compiling

MOST_LAYERS, MOST_STATE, MOST_WORDS, WIDTH = 40, 4096, 1 << 15, 48
HEADER = f"""#pragma once
#include "kernels.h"
#define MODEL_CLASSES {len(CLASSES)}
#define MODEL_INPUTS 12
#define MODEL_LAYERS {MOST_LAYERS}
#define MODEL_GATED 1
#define MODEL_POOLED 1
#define MODEL_WEIGHED model_weighed
#define MODEL_MEMORY model_memory
#define MODEL_LEAD_BITS 10
#define MODEL_CUT model_cut
#define MODEL_HELD_BYTES {WIDTH}
#define MODEL_WIDEST {WIDTH}
#define MODEL_STATE_BYTES {MOST_STATE}
#define MODEL_SLOT_BYTES model_slot_bytes
#define MODEL_GATE_SLOT model_gate_slot
#define MODEL_FLUSH model_flush
#define MODEL_FRONT model_front
#define MODEL_PHASES {MOST_LAYERS}
#define MODEL_FRONT_BYTES model_front_bytes
#define MODEL_WINDOW model_window
#define MODEL_TAP 0
#define MODEL_TEACHES 0
int model_weighed, model_cut, model_slot_bytes, model_gate_slot, model_flush, model_front, model_front_bytes;
int model_window, model_memory;
{header.LAYER_STRUCT}
struct layer model_layers[MODEL_LAYERS]; /* rows behind the last layer are of no kind, and do nothing */
uint16_t model_weights[{MOST_WORDS}];
"""
C = ("multiply.c", "kernels.c", "dense.c", "depthwise.c", "requantise.c")
WINDOWS = """#include "network.c"
#include "decision.c"
int32_t divide_for_test(int32_t n, int32_t d) { return divide(n, d); }
"""


class Row(ctypes.Structure):
    """struct layer of firmware/model.h."""

    _fields_ = (*((name, ctypes.c_uint8) for name in
                  ("kind", "source", "target", "inputs", "outputs", "kernel", "stride")),
                ("low", ctypes.c_int8), ("state", ctypes.c_uint16), ("table", ctypes.c_uint16))


def test_a_row_of_the_program_lies_in_memory_as_the_c_has_it(layout):
    layout.check(FIRMWARE / "model.h", layout.of("layer", Row) | {"sizeof(struct layer)": ctypes.sizeof(Row)})


@pytest.fixture(scope="module")
def c(tmp_path_factory):
    """{(frames in pairs, frames in a batch): the firmware's network and kernels, their program not yet filled in}."""
    ways = (0, 1), (1, 2), (1, 4)
    return {way: build(tmp_path_factory.mktemp("firmware"), *way) for way in ways}


def build(folder, paired: int, batch: int) -> ctypes.CDLL:
    """The shipped C with a table that is filled at run time."""
    for name in (*C, "network.c", "decision.c", "kernels.h", "multiply.h", "network.h", "decision.h", "sigmoid.h",
                 "words.h", "teach.h", "ch32v003.h"):
        shutil.copy(FIRMWARE / name, folder)
    way = {"PAIRED": paired, "BATCH": batch}
    (folder / "model.h").write_text(HEADER + "".join(f"#define MODEL_{key} {value}\n" for key, value in way.items()))
    (folder / "all.c").write_text(WINDOWS)
    cache, compiling.CACHE = compiling.CACHE, folder / "build"
    try:
        path = toolchain.build_host_library([folder / name for name in (*C, "all.c")],
                                            sanitize=True)
    finally:
        compiling.CACHE = cache
    return ctypes.CDLL(str(path))


def run_in_c(libraries: dict[tuple, ctypes.CDLL], model: IntegerModel, features: np.ndarray) -> np.ndarray:
    """int8 [N, T, 12] -> int32 [N, 12] by the firmware's C, its table filled with what `export` packs; the same again
    where frames may be paired."""
    plan = integer_plan.memory_plan(model)
    single = {**plan, "window": plan["slot_bytes"], "cut": len(model.layers)}
    answer = fill_and_run(libraries[0, 1], model, single, features)
    if plan["paired"]:
        assert np.array_equal(fill_and_run(libraries[1, plan["batch"]], model, plan, features), answer)
    return answer


def fill_and_run(library: ctypes.CDLL, model: IntegerModel, plan: dict, features: np.ndarray) -> np.ndarray:
    """int8 [N, T, 12] -> int32 [N, 12] by one build."""
    assert plan["slot_bytes"] <= 256 and plan["state_bytes"] <= MOST_STATE and len(model.layers) <= MOST_LAYERS
    table = (Row * MOST_LAYERS).in_dll(library, "model_layers")
    ctypes.c_int.in_dll(library, "model_gate_slot").value = plan["slots"]["pooled"]
    ctypes.c_int.in_dll(library, "model_flush").value = model.flush
    ctypes.c_int.in_dll(library, "model_weighed").value = model.layers[-1].kind == "weighed_classifier"
    ctypes.c_int.in_dll(library, "model_memory").value = max(layer.memory or 0 for layer in model.layers)
    for key in ("slot_bytes", "front", "front_bytes", "window", "cut"):
        ctypes.c_int.in_dll(library, f"model_{key}").value = plan[key]
    weights, kept, width = (ctypes.c_uint16 * MOST_WORDS).in_dll(library, "model_weights"), [], {"stream": model.inputs}
    for i, row in enumerate(table):
        ctypes.memset(ctypes.byref(row), 0, ctypes.sizeof(Row))
        row.kind = 255
        if i >= len(model.layers):
            continue
        layer = model.layers[i]
        row.kind = header.KINDS.index(layer.kind)
        row.source, row.target = plan["slots"][layer.source], plan["slots"][layer.target]
        row.inputs, row.outputs = width[layer.source], layer.width(width[layer.source])
        row.kernel, row.stride, row.low, row.state = layer.kernel, layer.stride, layer.low, plan["state"][layer.name]
        width[layer.target] = layer.width(width[layer.source])
        row.table = len(kept)
        for words in packing.layer_words(layer):
            kept += words.tolist()
    weights[: len(kept)] = kept
    features = np.ascontiguousarray(features)
    scratch, out = (ctypes.c_int32 * 512)(), np.empty((len(features), len(CLASSES)), np.int32)
    for clip, answer in zip(features, out, strict=True):
        library.network_reset(0)
        for frame in clip:
            library.network_frame(ctypes.c_void_p(frame.ctypes.data), scratch)
        library.network_flush(scratch)
        library.network_logits(ctypes.c_void_p(answer.ctypes.data))
    return out


# --- what is drawn ----------------------------------------------------------------------------------------------------

SEED = st.integers(0, 2**32 - 1)
FOUR = st.integers(1, 6).map(lambda n: 4 * n)
EXTREMES = st.booleans()


def pick(rng: np.random.Generator, low: int, high: int, shape, ends: bool) -> np.ndarray:
    """Whole numbers low .. high, or only the two ends."""
    return rng.choice([low, high], shape) if ends else rng.integers(low, high + 1, shape)


@st.composite
def layers_with_weights(draw, kind: str, inputs: int, outputs: int, name="x", source="stream", target="stream"):
    """A dense, depthwise or classifying layer; each array is of whole numbers anywhere, or at the ends."""
    rng = np.random.default_rng(draw(SEED))
    kernel = draw(st.integers(1, 5)) if not kind.endswith("classifier") else 1
    shape = (outputs, kernel if kind == "depthwise" else kernel * inputs)
    least = draw(st.sampled_from([0, 128])) if kind.endswith("classifier") else 128  # as the firmware's tables have it
    multiplier = pick(rng, least, 255, outputs, draw(EXTREMES))
    fit = int(np.log2(128 * 4 * np.sqrt(shape[1])))  # most results neither vanish nor clamp
    shift = rng.integers(1, 16, outputs) if draw(st.booleans()) else rng.integers(fit, fit + 5, outputs).clip(1, 15)
    size = draw(st.sampled_from([0, 500, 2047]))
    return Layer(kind, name, source, target, kernel, draw(st.integers(1, 3)) if kind == "depthwise" else 1,
                 draw(st.sampled_from([0, -128])), pick(rng, -8, 7, shape, draw(EXTREMES)).astype(np.int8),
                 pick(rng, -size - (size == 2047), size, outputs, draw(EXTREMES)).astype(np.int16),
                 multiplier.astype(np.uint8), (shift * (not kind.endswith("classifier"))).astype(np.uint8))


@st.composite
def models(draw) -> IntegerModel:
    """Any program that `check` allows: blocks in any order and number, slots read and written as they may be."""
    width, layers, memory = {"stream": 12}, [], draw(st.integers(1, LONGEST_MEMORY))

    def add(kind, source, target, outputs):
        layers.append(draw(layers_with_weights(kind, width[source], outputs, f"l{len(layers)}", source, target)))
        width[target] = outputs

    for _ in range(draw(st.integers(1, 6))):
        source = draw(st.sampled_from(sorted(width)))
        kind = draw(st.sampled_from(["dense", "dense", "depthwise", "pool", "add", "gated_add", "leak"]))
        target = draw(st.sampled_from(SLOTS))
        if kind == "leak":
            if width[source] <= WIDTH // 2:
                layers.append(Layer(kind, f"l{len(layers)}", source, source, memory=memory))
                width[source] *= 2
        elif kind == "dense":
            add(kind, source, target, draw(FOUR))
        elif kind == "depthwise":
            add(kind, source, target, width[source])
        elif kind == "pool":
            target = target if target != source else next(slot for slot in SLOTS if slot != source)
            layers.append(Layer(kind, f"l{len(layers)}", source, target, draw(st.integers(1, 4))))
            width[target] = width[source]
        else:
            if width.get(target) != width[source]:
                add("dense", source, target, width[source])
            scale = None
            if kind == "gated_add":
                if width.get("pooled") != width[source]:
                    add("dense", source, "pooled", width[source])
                ends, rng = draw(EXTREMES), np.random.default_rng(draw(SEED))
                scale = pick(rng, -128, 127, width[source], ends).astype(np.int8)
            if width[target] == width[source]:  # the line above may have written to the target
                layers.append(Layer(kind, f"l{len(layers)}", source, target, scale=scale))
    source = draw(st.sampled_from(sorted(width)))
    kind = draw(st.sampled_from(["classifier", "weighed_classifier"])) if "pooled" in width else "classifier"
    add(kind, source, source, len(CLASSES))
    return IntegerModel("drawn", CLASSES, layers, 12, 1.0, flush=draw(st.integers(0, 4)))


@st.composite
def clips(draw, most_frames: int = 9) -> np.ndarray:
    """int8 [2, T, 12]."""
    rng = np.random.default_rng(draw(SEED))
    return pick(rng, -128, 127, (2, draw(st.integers(1, most_frames)), 12), draw(EXTREMES)).astype(np.int8)


# --- integers = C -----------------------------------------------------------------------------------------------------


@given(models(), clips())
@settings(max_examples=300, deadline=None)
def test_c_equals_integers_for_any_program(c, model, features):
    model.check(features.shape[1])
    assert np.array_equal(run_in_c(c, model, features), model.run(features))


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_worst_case_is_reached_by_some_input_and_passed_by_none(c, data):
    """The witness of each bound, built from the signs of the weights, through numpy and through the C's kernel."""
    inputs, outputs = data.draw(FOUR), data.draw(st.integers(1, 9))
    layer = data.draw(layers_with_weights("dense", inputs, outputs))
    least = data.draw(st.sampled_from([0, -128]))
    row = IntegerModel._worst_sum(layer, least, 1)
    weight, bias = layer.weight.astype(np.int64), layer.bias.astype(np.int64)
    seen, kept = [], np.empty(outputs, np.int32)
    for high, low in ((127, least), (least, 127)):
        for line in weight:
            x = np.where(line > 0, high, low).astype(np.int8)
            packed = np.ascontiguousarray(packing.pack_dense(layer.weight))
            c[0, 1].kernel_dense(ctypes.c_void_p(x.ctypes.data), len(x), ctypes.c_void_p(packed.ctypes.data),
                                    outputs, ctypes.c_void_p(kept.ctypes.data))
            assert np.array_equal(kept, weight @ x)
            seen.append(kept.astype(np.int64))
    sums = np.stack(seen)
    reached = max(np.abs(sums).max(), np.abs(sums + bias).max())
    scaled = (sums + bias) * layer.multiplier.astype(np.int64)
    half = np.int64(1) << (layer.shift.astype(np.int64) - 1)
    assert reached == row.accumulator and max(np.abs(scaled).max(), np.abs(scaled + half).max()) == row.product
    x = np.random.default_rng(data.draw(SEED)).integers(least, 128, (50, weight.shape[1]))
    assert np.abs(x @ weight.T + bias).max() <= row.accumulator


@given(st.lists(st.integers(-128, 127), min_size=4, max_size=4), st.sampled_from([0, -128]), st.sampled_from([0, -128]))
@settings(max_examples=40, deadline=None)
def test_worst_gated_addition_is_the_worst_of_all(scale, least, target):
    """Against every value, argument and end of the target."""
    layers = small()
    layers[0].low, layers[1].low = target, least
    layers[3].scale = np.array(scale * 2, np.int8)
    row = next(row for row in IntegerModel("small", CLASSES, layers, 12, 1.0).worst() if row.layer == "add")
    v, a = np.arange(least, 128)[:, None, None], np.arange(-128, 128)[:, None]
    product = v * gate_q7(a, layers[3].scale.astype(int)) + 64
    sums = v + (product >> 7)
    assert row.product == np.abs(product).max() and row.accumulator == max(sums.max() + 127, -sums.min() - target)


@given(models(), clips())
@settings(max_examples=100, deadline=None)
def test_no_number_of_a_run_is_beyond_its_worst_case(model, features):
    record, worst = {}, {row.layer: row for row in model.worst(features.shape[1])}
    model.run(features, record)
    final = record[model.layers[-1].name]
    assert np.abs(final.cumsum(axis=1)).max() <= worst[model.layers[-1].name].total
    for layer in model.layers[:-1]:
        least = 0 if layer.kind in ("add", "gated_add") else -128
        assert record[layer.name].min() >= least and record[layer.name].max() <= 127


@given(st.integers(-(2**31), 2**31 - 1), st.integers(1, 2**31 - 1))
@settings(max_examples=200, deadline=None)
def test_the_division_rounds_down(c, n, d):
    for divisor in (d, d & 0xFFFF | 1, 1):
        assert c[0, 1].divide_for_test(n, divisor) == n // divisor


@given(st.integers(-255, 255), st.data())
@settings(max_examples=200, deadline=None)
def test_the_product_up_to_the_ends_of_32_bits(c, m, data):
    most = (2**31 - 1) // max(abs(m), 1)
    x = data.draw(st.one_of(st.integers(-most, most), st.sampled_from([-most, most, 0])))
    assert c[0, 1].multiply_signed(x, m) == x * m
    assert c[0, 1].multiply(x, abs(m)) == x * abs(m)


@given(st.one_of(st.integers(-65535, 65535), st.sampled_from([-65535, 0, 65535])))
@settings(max_examples=200, deadline=None)
def test_the_square_up_to_the_ends_of_32_bits(c, x):
    assert c[0, 1].square(x) % 2**32 == x * x


# --- formats ----------------------------------------------------------------------------------------------------------

NIBBLES = st.one_of(st.integers(-8, 7), st.sampled_from([-8, 7]))


@given(hnp.arrays(np.int8, st.tuples(st.integers(1, 12), FOUR), elements=NIBBLES))
@settings(max_examples=100, deadline=None)
def test_dense_weights_survive(weight):
    assert np.array_equal(packing.unpack_dense(packing.pack_dense(weight)), weight)


@given(hnp.arrays(np.int8, st.tuples(st.integers(1, 12), st.integers(1, 11)), elements=NIBBLES))
@settings(max_examples=100, deadline=None)
def test_depthwise_weights_survive(weight):
    assert np.array_equal(packing.unpack_nibbles(packing.pack_nibbles(weight), weight.shape[1]), weight)


@given(hnp.arrays(np.uint16, st.tuples(st.integers(1, 6), st.integers(1, 12))))
@settings(max_examples=60, deadline=None)
def test_every_word_is_some_four_weights(packed):
    assert np.array_equal(packing.pack_dense(packing.unpack_dense(packed)), packed)


# --- torch = integers = C ---------------------------------------------------------------------------------------------


@st.composite
def configs(draw) -> StreamingConfig:
    blocks = draw(st.integers(1, 2))
    several = {"min_size": blocks, "max_size": blocks}
    condenser, attention = draw(st.sampled_from([0, 4, 8])), draw(st.sampled_from(["frames", "channels"]))
    memory = draw(st.integers(0, LONGEST_MEMORY)) if condenser else 0
    return StreamingConfig(
        channels=draw(FOUR), expansion=draw(FOUR), head=draw(FOUR), stem_kernel=draw(st.integers(1, 3)),
        kernels=tuple(draw(st.lists(st.integers(1, 4), **several))),
        strides=tuple(draw(st.lists(st.integers(1, 3), **several))),
        condenser=condenser, attention=attention, memory=memory,
        pool=draw(st.integers(1, 3)), flush=draw(st.integers(0, 4)))


def wild(config: StreamingConfig, bits: int, seed: int, spread: float) -> torch.nn.Module:
    """A network on a grid whose steps nobody has chosen with care: `spread` octaves of them clamp or vanish."""
    g = torch.Generator().manual_seed(seed)
    model = quant.prepare(TinySpeechS(config), bits)
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, CausalConv):
                module.weight.copy_(torch.randn(module.weight.shape, generator=g) * 0.3)
                module.norm.bias.copy_(torch.randn(module.norm.bias.shape, generator=g) * 0.5)
                module.norm.weight.copy_(torch.randn(module.norm.weight.shape, generator=g))
            if isinstance(module, StreamingCondenser):
                module.scale.copy_(torch.randn(module.scale.shape, generator=g) * 3)
        for module in model.modules():
            if isinstance(module, LearnedStep):
                octaves = -4.0 + spread * torch.randn(module.log2_step.shape, generator=g)
                module.log2_step.copy_(octaves)
    return model.eval()


@given(configs(), st.sampled_from([2, 3, 4]), SEED, st.sampled_from([0.3, 1.0, 2.0]), clips(12))
@settings(max_examples=120, deadline=None)
def test_torch_equals_integers_equals_c(c, config, bits, seed, spread, features):
    model = wild(config, bits, seed, spread)
    quant.finish(model)
    try:
        twin = lower.integer_twin(model, "drawn")
        for layer in twin.layers:
            if layer.weight is not None:
                packing.pack_requant(layer)
    except UserError as error:  # steps too far apart for eight bits and a shift, or a bias: refused, as it should be
        assert re.search("has no 8-bit form|takes biases of 12 bits", str(error)) and spread >= 1
        assume(False)
    want = twin.run(features)
    with torch.no_grad():
        units = predict(model, torch.tensor(features).double()).numpy() / twin.logit_unit(features.shape[1])
    assert np.array_equal(np.rint(units), want) and np.array_equal(run_in_c(c, twin, features), want)
    assert np.array_equal(want[np.arange(2), units.argmax(1)], want.max(1))  # where scores are equal, either is right
    if spread < 1:
        assert header.c_header(twin) == header.c_header(twin) and twin.digest in header.c_header(twin)


@given(SEED, st.integers(1, 12), st.booleans())
@settings(max_examples=60, deadline=None)
def test_the_grid_clamps_and_rounds_half_up(seed, exponent, learned):
    """Ties and both ends: steps are powers of two, so that torch's quotient is exact."""
    rng, step = np.random.default_rng(seed), 2.0**-exponent
    halves = np.concatenate([rng.integers(-600, 600, 200), [-257, -256, -255, 253, 254, 255, -1, 1]])
    grid = LearnedStep(-128, 127) if learned else FixedStep(-128, 127, step)
    if learned:
        grid.set(step)
    got = grid(torch.tensor(halves / 2 * step)).detach().numpy() / step
    assert np.array_equal(got, np.clip((halves + 1) >> 1, -128, 127))


# --- refusals ---------------------------------------------------------------------------------------------------------


def small() -> list[Layer]:
    """One layer of most kinds, right in every way."""
    def dense(name, source, target, inputs, outputs, kind="dense"):
        classifier = kind.endswith("classifier")
        return Layer(kind, name, source, target, weight=np.ones((outputs, inputs), np.int8),
                     bias=np.zeros(outputs, np.int16), multiplier=np.full(outputs, 200, np.uint8),
                     shift=np.full(outputs, 0 if classifier else 12, np.uint8))

    return [dense("stem", "stream", "stream", 12, 8), dense("branch", "stream", "branch", 8, 8),
            dense("gate", "stream", "pooled", 8, 8),
            Layer("gated_add", "add", "branch", "stream", scale=np.ones(8, np.int8)),
            Layer("pool", "pool", "stream", "wide", 2), dense("last", "wide", "wide", 8, 12, "weighed_classifier")]


@pytest.mark.parametrize("which, change, match", [
    ("branch", {"kind": "conv2d"}, "branch: unknown kind 'conv2d'.*depthwise"),
    ("branch", {"weight": np.ones((8, 8))}, "branch: weight must be int8"),
    ("branch", {"bias": np.zeros(8, np.int32)}, "branch: bias must be int16"),
    ("branch", {"bias": np.zeros(7, np.int16)}, "branch: bias must have one value for each output"),
    ("branch", {"low": 3}, "branch: the lower clamp"), ("branch", {"source": "wide"}, "nothing has been written.*wide"),
    ("branch", {"source": "nowhere"}, "slots are"), ("branch", {"name": "stem"}, "two layers"),
    ("branch", {"name": "a b"}, "its name"), ("branch", {"stride": 2}, "only depthwise"),
    ("branch", {"kernel": 0}, "1 or more"), ("branch", {"weight": np.ones((8, 4), np.int8)}, r"must be \(8, 8\)"),
    ("branch", {"kind": "classifier"}, "the last layer"), ("branch", {"kind": "pool"}, "pool needs no weight"),
    ("add", {"kernel": 2}, "sees one frame"), ("add", {"scale": np.ones(4, np.int8)}, "a gate needs.*each of 8"),
    ("gate", {"weight": np.ones((4, 8), np.int8)}, "gate: bias must have one value"),
    ("add", {"scale": None}, "a gated_add needs a scale"), ("last", {"bias": None}, "needs a bias"),
    ("branch", {"scale": np.ones(8, np.int8)}, "a dense needs no scale"),
    ("stem", {"weight": np.ones(8, np.int8)}, "dimens"),
    ("pool", {"memory": 4}, "nothing else has one"), ("add", {"kind": "leak", "scale": None}, "1 to 8 bits"),
    ("add", {"kind": "leak", "scale": None, "memory": 9}, "1 to 8 bits"),
    ("add", {"kind": "leak", "scale": None, "memory": 4}, "in the same slot"),
    ("pool", {"target": "stream"}, "in place"), ("last", {"kind": "dense"}, "last: shifts"),
])
def test_a_program_that_the_c_cannot_run_is_one_line(which, change, match):
    layers = small()
    model = IntegerModel("small", CLASSES, layers, 12, 1.0)
    model.check()
    layer = next(x for x in layers if x.name == which)
    for key, value in change.items():
        setattr(layer, key, value)
    with pytest.raises(UserError, match=match) as caught:
        model.check()
    assert "\n" not in str(caught.value)
    with pytest.raises(UserError):
        header.c_header(model)


def test_no_layers_and_no_gate():
    with pytest.raises(UserError, match="without layers"):
        IntegerModel("none", CLASSES, [], 12, 1.0).check()
    layers = [layer for layer in small() if layer.name not in ("gate", "add")]
    with pytest.raises(UserError, match="pooled"):
        IntegerModel("small", CLASSES, layers, 12, 1.0).check()
    layers = small()
    for key in ("weight", "bias", "multiplier", "shift"):
        setattr(layers[-1], key, getattr(layers[-1], key)[:10])
    with pytest.raises(UserError, match="12 classes"):
        IntegerModel("small", CLASSES, layers, 12, 1.0).check()


def test_what_the_firmware_cannot_hold_is_one_line():
    model = IntegerModel("small", CLASSES, small(), 12, 1.0)
    header.c_header(model)
    model.flush = -1
    with pytest.raises(UserError, match="flush"):
        header.c_header(model)
    layers = small()
    layers[0].weight = np.ones((8, 16), np.int8)
    with pytest.raises(UserError, match="the front end gives 12"):
        header.c_header(IntegerModel("small", CLASSES, layers, 16, 1.0))
    layers = small()
    layers[0].weight, layers[0].kernel = np.ones((8, 12 * 300), np.int8), 300
    with pytest.raises(UserError, match=r"bytes at once|fit a byte"):
        header.c_header(IntegerModel("small", CLASSES, layers, 12, 1.0))
