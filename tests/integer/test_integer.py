"""The network in integers: numpy is the definition, and the firmware's C gives the same logits for any model."""

import ctypes
import itertools
import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tinyspeech import CLASSES, toolchain
from tinyspeech.chip.firmware import exported_hash
from tinyspeech.chip.native import Native
from tinyspeech.errors import UserError
from tinyspeech.integer import header, network, packing, words
from tinyspeech.integer import plan as integer_plan
from tinyspeech.integer.network import IntegerModel, Layer
from tinyspeech.integer.plan import WORK_BYTES, memory_plan
from tinyspeech.paths import FIRMWARE, MODELS
from tinyspeech.toolchain import compile as compiling

# --- random models ----------------------------------------------------------------------------------------------------


def random_model(seed: int, condenser: bool | None = None, frames: bool | None = None, **shape) -> IntegerModel:
    """A model of random shape and random integers, whose answers depend on what goes in.

    condenser: a gate of channels in each block; frames: a weight for each frame; both drawn where not given.
    shape: channels, expansion, head (multiples of 4), kernels, strides, stem_kernel, pool; what is not given is drawn.
    """
    features = features_of(seed)
    for attempt in itertools.count():
        model = draw_model(np.random.default_rng([seed, attempt]), condenser, frames, **shape)
        if len(np.unique(model.run(features), axis=0)) > len(features) // 2:
            return replace(model, name=f"random_{seed}", provenance={"seed": seed})


def draw_model(rng: np.random.Generator, condenser: bool | None, frames: bool | None, **shape) -> IntegerModel:
    four = [4, 8, 12, 16, 20, 24, 28, 32]
    blocks = len(shape.get("kernels", shape.get("strides", ()))) or int(rng.integers(1, 4))
    s = {"channels": int(rng.choice(four)), "expansion": int(rng.choice([*four, 48])), "head": int(rng.choice(four)),
         "squeezed": int(rng.choice([4, 8])), "stem_kernel": int(rng.integers(1, 5)), "pool": int(rng.integers(1, 4)),
         "kernels": rng.integers(1, 9, blocks).tolist(), "strides": rng.integers(1, 4, blocks).tolist(), **shape}
    condenser = bool(rng.integers(2)) if condenser is None else condenser
    frames = bool(rng.integers(2)) if frames is None else frames

    def layer(kind, name, source, target, inputs, outputs, kernel=1, stride=1, relu=True):
        wild = rng.random() < 0.3  # the ends of the range and nothing else
        size = (outputs, kernel if kind == "depthwise" else kernel * inputs)
        weight = rng.choice([-7, 7, -8], size) if wild else rng.integers(-7, 8, size)
        multiplier = rng.choice([128, 255], outputs) if wild else rng.integers(128, 256, outputs)
        gain = multiplier.mean() * 7 * np.sqrt(size[1]) / rng.uniform(0.5, 2)  # most results neither vanish nor clamp
        shift = np.clip(int(np.log2(gain)) + rng.integers(-1, 2, outputs), 8, 15)
        bias = rng.integers(-2048, 2048, outputs) if rng.random() < 0.1 else rng.integers(-500, 500, outputs)
        if kind.endswith("classifier"):
            shift = np.zeros(outputs)
        return Layer(kind, name, source, target, kernel, stride, 0 if relu else -128, weight.astype(np.int8),
                     bias.astype(np.int16), multiplier.astype(np.uint8), shift.astype(np.uint8))

    def embedding(name, source, inputs, outputs):
        memory, layers = s.get("memory", 0), []
        if not memory or s["pool"] > 1:  # without, as a network of this kind is lowered
            layers.append(Layer("pool", f"{name}_pool", source, "pooled", s["pool"]))
            source = "pooled"
        layers.append(layer("dense", f"{name}_squeeze", source, "squeezed", inputs, s["squeezed"]))
        if memory:
            layers.append(Layer("leak", f"{name}_leak", "squeezed", "squeezed", memory=memory))
        width = s["squeezed"] * (2 if memory else 1)
        return [*layers, layer("dense", f"{name}_excite", "squeezed", "pooled", width, outputs, relu=False)]

    c, e = s["channels"], s["expansion"]
    layers = [layer("dense", "stem", "stream", "stream", 12, c, s["stem_kernel"])]
    for i, (kernel, stride) in enumerate(zip(s["kernels"], s["strides"], strict=True)):
        layers += [layer("depthwise", f"b{i}_depthwise", "stream", "branch", c, c, kernel, stride, relu=False),
                   layer("dense", f"b{i}_expand", "branch", "wide", c, e),
                   layer("dense", f"b{i}_project", "wide", "branch", e, c, relu=False)]
        if condenser:
            scale = rng.choice([-128, 127], c) if rng.random() < 0.3 else rng.integers(-128, 128, c)
            embedded = embedding(f"b{i}", "branch", c, c)
            layers += [*embedded, Layer("gated_add", f"b{i}_gate", "branch", "stream", scale=scale.astype(np.int8))]
        else:
            layers.append(Layer("add", f"b{i}_add", "branch", "stream"))
    layers.append(layer("dense", "head", "stream", "wide", c, s["head"]))
    if frames:
        layers += embedding("frames", "wide", s["head"], 1)
    layers.append(layer("weighed_classifier" if frames else "classifier", "classifier", "wide", "wide", s["head"], 12))
    return IntegerModel("random", CLASSES, layers, 12, 0.001, flush=int(rng.integers(0, 10)))


def native_of(model: IntegerModel) -> Native:
    """The firmware's C with the header of `model`, built with every check on."""
    return Native(toolchain.firmware_with(header.c_header(model)), sanitize=True)


def features_of(seed: int, count: int = 12) -> np.ndarray:
    """Random and extreme clips int8 [count + 7, 49, 12]."""
    rng = np.random.default_rng(seed)
    smooth = np.clip(np.cumsum(rng.normal(0, 12, (count // 2, 49, 12)), axis=1), -128, 127)
    ends = rng.choice([-128, 127], (2, 49, 12))
    impulse = np.zeros((2, 49, 12))
    impulse[0, 0], impulse[1, 48] = 127, -128
    constant = np.stack([np.full((49, 12), v) for v in (-128, 0, 127)])
    return np.concatenate([rng.integers(-128, 128, (count - count // 2, 49, 12)), smooth, ends, impulse,
                           constant]).astype(np.int8)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """Builds of random models do not fill the checkout."""
    monkeypatch.setattr(compiling, "CACHE", tmp_path / "build")
    return tmp_path


@pytest.fixture
def model() -> IntegerModel:
    return random_model(
        5, condenser=True, frames=False, channels=8, expansion=12, head=8, kernels=[3, 2], strides=[2, 1])


# --- C = Python -------------------------------------------------------------------------------------------------------

SHAPES = {
    "smallest": dict(condenser=False, channels=4, expansion=4, head=4, kernels=[1], strides=[1], stem_kernel=1),
    "the shipped shape": dict(condenser=False, frames=True, channels=32, expansion=48, head=48, kernels=[5, 7, 7],
                              strides=[2, 2, 1], stem_kernel=3, pool=1, squeezed=8),
    "both attentions": dict(condenser=True, frames=True, channels=16, expansion=24, head=20, kernels=[3, 3],
                            strides=[2, 1]),
    "gates of channels": dict(condenser=True, frames=False, channels=32, expansion=48, head=48, kernels=[5, 7, 7],
                              strides=[2, 2, 1], stem_kernel=3, pool=2),
    "without condenser": dict(condenser=False, frames=False, channels=24, expansion=32, head=16, kernels=[4, 3],
                              strides=[1, 3]),
    "slowest": dict(condenser=True, channels=8, expansion=8, head=8, kernels=[2, 9, 6], strides=[5, 3, 4]),
    "long pool": dict(condenser=True, channels=12, expansion=20, head=28, pool=7, kernels=[8], strides=[2]),
    "a memory in the shipped shape": dict(condenser=False, frames=True, channels=32, expansion=48, head=48,
                                          kernels=[5, 7, 9], strides=[2, 1, 1], stem_kernel=3, pool=1, squeezed=8,
                                          memory=4),
    **{f"a memory of {bits} bits": dict(frames=True, memory=bits) for bits in range(1, 9)},
    "gates with a memory in pairs": dict(condenser=True, frames=False, channels=16, expansion=12, head=12,
                                         kernels=[9, 9, 9], strides=[1, 2, 1], stem_kernel=1, pool=1, squeezed=4,
                                         memory=3),
    "gates with a memory": dict(condenser=True, frames=True, channels=16, strides=[2, 3], memory=2),
    "drawn": {},
}


@pytest.mark.parametrize("seed, shape", list(enumerate(SHAPES)), ids=str)
def test_c_equals_python_for_random_models(seed, shape, cache):
    model = random_model(seed, **SHAPES[shape])
    native = native_of(model)
    assert native.hash == model.digest
    features = features_of(seed)
    want = model.run(features)
    got = native.logits(features)
    print(f"{(got != want).sum()} mismatches in {want.size} logits")
    assert got.dtype == want.dtype == np.int32 and np.array_equal(got, want)


ON_CHIP = {
    "weighed frames": dict(condenser=False, frames=True, channels=16, expansion=24, head=20, kernels=[5, 3],
                           strides=[2, 1], pool=2),
    "gates of channels": dict(condenser=True, frames=False, channels=16, expansion=20, head=12, kernels=[3, 4],
                              strides=[1, 2], pool=3),
    "both": dict(condenser=True, frames=True, channels=12, expansion=16, head=16, kernels=[4], strides=[3]),
    "a memory": dict(condenser=False, frames=True, channels=32, expansion=48, head=48, kernels=[5, 7, 9],
                     strides=[2, 1, 1], stem_kernel=3, pool=1, squeezed=8, memory=3),
    "gates with a memory": dict(condenser=True, frames=False, channels=16, expansion=12, head=12, kernels=[9, 9, 9],
                                strides=[1, 2, 1], stem_kernel=1, pool=1, squeezed=4, memory=3),
}


@pytest.mark.parametrize("seed, shape", list(enumerate(ON_CHIP)), ids=str)
def test_the_chip_equals_python_for_random_models(seed, shape, cache):
    """Not only the network that ships: any header, compiled for RV32EC and run by the interpreter."""
    from tinyspeech.board.direct import Board
    from tinyspeech.integer import frontend

    model = random_model(40 + seed, **ON_CHIP[shape])
    board = Board(toolchain.build_firmware(toolchain.firmware_with(header.c_header(model))).elf)
    assert model.digest in board.version()
    rng = np.random.default_rng(seed)
    clips = np.stack([rng.integers(-32768, 32768, 8000), rng.choice([-32768, 32767], 8000),
                      rng.normal(0, 300, 8000).cumsum().clip(-32768, 32767)]).astype(np.int16)
    want = model.run(frontend.features(clips))
    got = np.stack([board.classify(clip).logits for clip in clips])
    print(f"{(got != want).sum()} mismatches in {want.size} logits")
    assert np.array_equal(got, want) and len(np.unique(want, axis=0)) > 1


def test_c_forgets_the_clip_before(cache, model):
    native = native_of(model)
    features = features_of(3)
    assert np.array_equal(native.logits(features[::-1]), native.logits(features)[::-1])
    assert np.array_equal(native.logits(features[:1, :5]), model.run(features[:1, :5]))  # stops in mid-stride
    assert np.array_equal(native.logits(features[:1]), model.run(features[:1]))


def test_native_refuses_other_features(cache, model):
    native = native_of(model)
    for bad in (np.zeros((1, 49, 13), np.int8), np.zeros((49, 12), np.int8), np.zeros((1, 49, 12), np.int16)):
        with pytest.raises(UserError, match="int8"):
            native.logits(bad)
        with pytest.raises(UserError, match="int8"):
            model.run(bad)


def test_shipped_model_in_c_and_in_python():
    shipped = IntegerModel.load(MODELS / "tinyspeech_s.npz")
    shipped.check()
    native = Native(sanitize=True)
    assert native.hash == shipped.digest == exported_hash(), "run `python -m tinyspeech export`"
    features = features_of(9, 60)
    want, got = shipped.run(features), native.logits(features)
    print(f"{(got != want).sum()} mismatches in {want.size} logits")
    assert np.array_equal(got, want) and len(np.unique(want, axis=0)) == len(want)


def test_the_memory_plan_is_what_the_firmware_holds():
    """Bytes computed from the graph against those of the compiled firmware's own arrays."""
    shipped = IntegerModel.load(MODELS / "tinyspeech_s.npz")
    plan = memory_plan(shipped)
    ram = toolchain.sizes(toolchain.build_firmware().elf)["ram_symbols"]
    between = max(plan["batch"] * shipped.inputs, 2 * plan["held_bytes"])
    sums, leaks, counters = 4 * (len(shipped.classes) + 2), 1, 3
    taught = (words.Listener.state_bytes(words.MAX_WORDS) + 4 + 1 + 4) // 4 * 4  # in words; a length that is over
    bytes_used = sums + leaks + plan["state_bytes"] + between + taught + counters
    assert ram["network"] == (bytes_used + 3) // 4 * 4
    assert ram["work"] == WORK_BYTES >= plan["scratch_bytes"]


def test_shipped_headers_are_what_the_model_gives():
    shipped = IntegerModel.load(MODELS / "tinyspeech_s.npz")
    assert (FIRMWARE / "model.h").read_text() == header.c_header(shipped)
    assert (FIRMWARE / "sigmoid.h").read_text() == header.sigmoid_header()


def test_shipped_condensers_are_alive():
    """Zeroing the condenser's weights changes the answers."""
    shipped = IntegerModel.load(MODELS / "tinyspeech_s.npz")
    features = features_of(10)
    before = shipped.run(features)
    assert shipped.layers[-1].kind == "weighed_classifier"
    for name in ("frames_squeeze", "frames_excite"):
        layers = [replace(old, weight=0 * old.weight) if old.name == name else old for old in shipped.layers]
        assert not np.array_equal(replace(shipped, layers=layers).run(features), before), name


# --- the definition, by hand ------------------------------------------------------------------------------------------


def by_hand(model: IntegerModel, clip: np.ndarray) -> list[int]:
    """The contract of tinyspeech/integer/network.py once more, in plain whole numbers, a frame at a time."""
    past = {layer.name: [] for layer in model.layers}
    means = {}
    count = dict.fromkeys(past, 0)
    logits, weights = [0] * len(model.classes), 0
    for frame in [*clip.tolist(), *[[0] * 12] * model.flush]:
        slots = {"stream": frame}
        for layer in model.layers:
            x = slots[layer.source]
            memory = past[layer.name]
            seen = [*(memory or [[0] * len(x)] * (layer.kernel - 1)), x]
            past[layer.name] = seen[1:]
            count[layer.name] += 1
            if layer.kind == "pool":
                slots[layer.target] = [max(values) for values in zip(*seen, strict=True)]
            elif layer.kind == "leak":
                old = means.get(layer.name, [0] * len(x))
                means[layer.name] = [m + (256 * v - m) // 2**layer.memory for m, v in zip(old, x, strict=True)]
                slots[layer.target] = [*x, *(m // 256 for m in means[layer.name])]
            elif layer.kind in ("add", "gated_add"):
                out = []
                for c, v in enumerate(x):
                    gated = 0
                    if layer.kind == "gated_add":
                        a = slots["pooled"][c]
                        sigmoid = int(128 / (1 + np.exp(-abs(a) / 16)) + 0.5)
                        sigmoid = sigmoid if a >= 0 else 128 - sigmoid
                        gated = (v * ((sigmoid * int(layer.scale[c]) + 16) // 32) + 64) // 128
                    out.append(min(max(slots[layer.target][c] + v + gated, 0), 127))
                slots[layer.target] = out
            else:
                if (count[layer.name] - 1) % layer.stride:
                    break
                out = []
                if layer.kind == "weighed_classifier":
                    a = slots["pooled"][0]
                    sigmoid = int(128 / (1 + np.exp(-abs(a) / 16)) + 0.5)
                    weight = (sigmoid if a >= 0 else 128 - sigmoid) + 1
                    weights += weight
                for o, row in enumerate(layer.weight.tolist()):
                    inputs = [f[o] for f in seen] if layer.kind == "depthwise" else [v for f in seen for v in f]
                    total = sum(w * v for w, v in zip(row, inputs, strict=True)) + int(layer.bias[o])
                    total *= int(layer.multiplier[o])
                    if layer.kind == "classifier":
                        logits[o] += total
                    elif layer.kind == "weighed_classifier":
                        logits[o] += weight * ((total + 128) // 256)
                    else:
                        shift = int(layer.shift[o])
                        out.append(min(max((total + 2 ** (shift - 1)) // 2**shift, layer.low), 127))
                slots[layer.target] = out
    return [total // weights for total in logits] if weights else logits


@pytest.mark.parametrize("frames", [True, False])
@pytest.mark.parametrize("condenser", [True, False])
@pytest.mark.parametrize("memory", [0, 2])
def test_run_is_the_contract(condenser, frames, memory):
    model = random_model(20 + condenser, condenser, frames, channels=8, expansion=8, head=4, kernels=[3, 4],
                         strides=[2, 3], memory=memory)
    features = features_of(4, 2)[:, :20]
    assert model.run(features).tolist() == [by_hand(model, clip) for clip in features]


@pytest.mark.parametrize("bits", [1, 4, 8])
def test_a_leaking_mean_is_the_contract_and_fits_int16(bits):
    model = random_model(30 + bits, False, True, channels=8, expansion=8, head=8, kernels=[3], strides=[2], memory=bits)
    features = features_of(4, 2)[:, :20]
    assert model.run(features).tolist() == [by_hand(model, clip) for clip in features]
    ends = np.repeat([-128, 127, -128], 3000)[None, :, None]
    layer = network.Layer("leak", "leak", "stream", "stream", memory=bits)
    mean = layer.means(ends)[0, :, 0]
    assert mean.min() == -128 and mean[5999] in (126, 127)  # rounded down twice
    assert np.array_equal(layer.means(ends[:, :50]), layer.means(ends)[:, :50])  # only the past counts


def test_a_memory_survives_saving_and_counts_in_the_digest(tmp_path):
    model = random_model(31, False, True, memory=5)
    model.save(tmp_path / "net.npz")
    again = IntegerModel.load(tmp_path / "net.npz")
    features = features_of(31)
    assert again.digest == model.digest and np.array_equal(again.run(features), model.run(features))
    other = changed(model, "frames_leak", memory=6)
    assert other.digest != model.digest and not np.array_equal(other.run(features), model.run(features))


def test_the_firmware_has_one_length_of_memory():
    model = random_model(9, False, True, memory=4)
    at = next(i for i, layer in enumerate(model.layers) if layer.name == "head")
    model.layers.insert(at, network.Layer("leak", "other", "branch", "branch", memory=5))
    model.check()
    with pytest.raises(UserError, match="one length of memory"):
        header.c_header(model)


def test_sigmoid_table_and_gate():
    table = network.sigmoid_table()
    assert table.shape == (129,) and table.dtype == np.uint8 and table[0] == 64 and table[128] == 128
    a = np.arange(-128, 128)
    for scale in (-128, -32, -1, 0, 1, 31, 32, 127):
        gate = network.gate_q7(a, np.int64(scale))
        assert np.abs(gate - 128 / (1 + np.exp(-a / 16)) * scale / 32).max() <= 0.5 + 0.5 * abs(scale) / 32 + 1e-9
        assert np.abs(gate).max() <= 512


def test_record_holds_every_layer_and_int8_holds_every_activation(model):
    record = {}
    model.run(features_of(6), record)
    assert record.keys() == {layer.name for layer in model.layers}
    for layer in model.layers[:-1]:
        assert record[layer.name].min() >= max(layer.low, -128) and record[layer.name].max() <= 127
    assert record["b0_depthwise"].shape[1] == -(-(49 + model.flush) // 2)
    assert model.output_frames(49) == record["classifier"].shape[1] == record["b0_depthwise"].shape[1]


def test_accumulators_stay_below_the_bound_that_check_proves(model):
    """The worst clip for each output, built from the signs of its weights, reaches what `check` computes, not more."""
    stem = replace(model.layers[0], kernel=1, weight=model.layers[0].weight[:, :12])
    for row, bias in zip(stem.weight.astype(int), stem.bias.astype(int), strict=True):
        worst = np.where(row * np.sign(bias or 1) >= 0, 127, -128) * 1
        assert abs(int(row @ worst) + bias) <= np.abs(row).sum() * 128 + abs(bias)


# --- check() ----------------------------------------------------------------------------------------------------------


def changed(model: IntegerModel, name: str, **arrays) -> IntegerModel:
    return replace(model, layers=[replace(x, **arrays) if x.name == name else x for x in model.layers])


@pytest.mark.parametrize("weight", [8, -9, 127, -128])
@pytest.mark.parametrize("name", ["stem", "b0_depthwise", "classifier"])
def test_check_refuses_weights_of_five_bits(model, name, weight):
    layer = next(x for x in model.layers if x.name == name)
    bad = layer.weight.copy()
    bad[-1, -1] = weight
    with pytest.raises(UserError, match=rf"{name}.*4 bits"):
        changed(model, name, weight=bad).check()
    with pytest.raises(UserError):
        header.c_header(changed(model, name, weight=bad))


def test_check_refuses_overflow(model):
    model.check()
    huge = np.full((4, 9000), 7, np.int8)
    full = np.full(4, 255, np.uint8)
    with pytest.raises(UserError, match=r"stem.*beyond 32 bits"):
        changed(model, "stem", weight=np.tile(huge, (1, 2)), multiplier=full, bias=np.zeros(4, np.int16),
                shift=full * 0 + 9).check()
    # the classifier sums over frames: a clip is fine, an hour is not
    model.check(frames=49)
    with pytest.raises(UserError, match=r"classifier.*beyond 32 bits"):
        model.check(frames=50 * 3600)


@pytest.mark.parametrize("shift", [0, 25, 32])
def test_check_refuses_shifts_that_c_does_not_define(model, shift):
    stem = model.layers[0]
    with pytest.raises(UserError, match=r"stem.*shift"):
        changed(model, "stem", shift=np.where(np.arange(len(stem.shift)) == 1, shift, stem.shift)).check()


def test_check_bounds_what_runs(model):
    """Nothing that passes `check` wraps: the sums in int64 are the sums in int32."""
    for seed in range(5):
        drawn = random_model(seed, condenser=True)
        drawn.check()
        record = {}
        total = drawn.run(features_of(seed), record)
        weight = network.sigmoid_q7(record["frames_excite"][..., 0]).sum(1) + len(record["frames_excite"][0]) if \
            drawn.layers[-1].kind == "weighed_classifier" else 1
        assert np.array_equal((record["classifier"].sum(axis=1).T // weight).T, total)


# --- packing ----------------------------------------------------------------------------------------------------------

WEIGHT = st.integers(-8, 7)


@given(hnp.arrays(np.int8, st.tuples(st.integers(1, 9), st.integers(1, 8).map(lambda n: 4 * n)), elements=WEIGHT))
@settings(deadline=None)
def test_dense_weights_survive_packing(weight):
    packed = packing.pack_dense(weight)
    assert packed.dtype == np.uint16 and packed.shape == (weight.shape[1] // 4, weight.shape[0])
    assert np.array_equal(packing.unpack_dense(packed), weight)


@given(hnp.arrays(np.int8, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=WEIGHT))
@settings(deadline=None)
def test_depthwise_weights_survive_packing(weight):
    packed = packing.pack_nibbles(weight)
    assert packed.dtype == np.uint8 and packed.shape == (len(weight), (weight.shape[1] + 1) // 2)
    assert np.array_equal(packing.unpack_nibbles(packed, weight.shape[1]), weight)


def test_packing_by_hand():
    # weights 1, -1, -8, 7 in two's complement: 0001, 1111, 1000, 0111; nibble b holds bit b of each
    assert packing.pack_dense(np.array([[1, -1, -8, 7]], np.int8)).tolist() == [[0b0110_1010_1010_1011]]
    assert packing.pack_nibbles(np.array([[1, -1, -8]], np.int8)).tolist() == [[0xF1, 0x08]]


@pytest.mark.parametrize("pack", [packing.pack_dense, packing.pack_nibbles])
def test_packing_refuses_five_bits(pack):
    for value in (8, -9):
        with pytest.raises(UserError, match="4-bit"):
            pack(np.array([[0, 0, 0, value]], np.int8))


def test_packing_refuses_a_width_that_is_no_multiple_of_four():
    with pytest.raises(UserError, match="multiple of 4"):
        packing.pack_dense(np.zeros((4, 6), np.int8))


# --- kernels alone ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def kernels():
    return Native(sanitize=True).library


def pointer(array: np.ndarray) -> ctypes.c_void_p:
    """To an array that the caller keeps alive."""
    assert array.flags.c_contiguous
    return ctypes.c_void_p(array.ctypes.data)


FIRST, SECOND, WHOLE = range(3)


def pair(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Two sums in one int32, as the C adds them up."""
    both = np.asarray(first, np.int64) + (np.asarray(second, np.int64) << 16)
    return (both & 0xFFFFFFFF).astype(np.uint32).view(np.int32)


@given(st.data())
@settings(max_examples=40, deadline=None)
def test_kernels_equal_numpy(kernels, data):
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    inputs, outputs = 4 * data.draw(st.integers(1, 36)), data.draw(st.integers(1, 20))
    ends = data.draw(st.booleans())
    x = (rng.choice([-128, 127], inputs) if ends else rng.integers(-128, 128, inputs)).astype(np.int8)
    w = (rng.choice([-8, 7], (outputs, inputs)) if ends else rng.integers(-8, 8, (outputs, inputs))).astype(np.int8)
    packed, total = np.ascontiguousarray(packing.pack_dense(w)), np.full(outputs, 77, np.int32)
    kernels.kernel_dense(pointer(x), inputs, pointer(packed), outputs, pointer(total))
    assert np.array_equal(total, w.astype(int) @ x)

    second = (rng.choice([-128, 127], inputs) if ends else rng.integers(-128, 128, inputs)).astype(np.int8)
    kernels.kernel_dense_pair(pointer(x), pointer(second), inputs, pointer(packed), outputs, pointer(total),
                              pointer(np.full(16, 77, np.uint32)))
    assert np.array_equal(total, pair(w.astype(int) @ x, w.astype(int) @ second))

    kernel = data.draw(st.integers(1, 9))
    w = rng.integers(-8, 8, (inputs, kernel)).astype(np.int8)
    past = rng.integers(-128, 128, (kernel - 1, inputs)).astype(np.int8)
    packed, total = packing.pack_nibbles(w.reshape(1, -1)), np.full(inputs, 77, np.int32)
    kernels.kernel_depthwise(pointer(past), pointer(x), inputs, kernel, pointer(packed), pointer(total))
    want = [(w.astype(int) * frames.T).sum(axis=1)
            for frames in (np.vstack([past, x]), np.vstack([past, x, second])[1:])]
    assert np.array_equal(total, want[0])
    kernels.kernel_depthwise_pair(pointer(past), pointer(x), pointer(second), inputs, kernel, pointer(packed),
                                  pointer(total))
    assert np.array_equal(total, pair(*want))

    total = rng.integers(-(2**19), 2**19, inputs).astype(np.int32)
    out, low = np.zeros(inputs, np.int8), data.draw(st.sampled_from([0, -128]))
    layer = Layer("dense", "x", "stream", "stream", low=low, bias=rng.integers(-2048, 2048, inputs).astype(np.int16),
                  multiplier=rng.integers(128, 256, inputs).astype(np.uint8),
                  shift=rng.integers(1, 16, inputs).astype(np.uint8))
    table = packing.pack_requant(layer)
    kernels.kernel_requantise(pointer(total), WHOLE, pointer(table), inputs, low, pointer(out))
    assert np.array_equal(out, layer.requantise(total.astype(np.int64)))
    both = rng.integers(-32768, 32768, (2, inputs))
    for lane in (FIRST, SECOND):
        total = pair(*both)
        kernels.kernel_requantise(pointer(total), lane, pointer(table), inputs, low, pointer(out))
        assert np.array_equal(out, layer.requantise(both[lane]))


def test_a_pair_gives_back_both_numbers(kernels):
    """Every number that fits int16 beside the ends and the neighbours of zero."""
    every = np.arange(-32768, 32768)
    for other in (-32768, -1, 0, 1, 32767):
        for value in every[:: 1 if other == -1 else 97].tolist():
            assert kernels.kernel_lane(int(pair(value, other)), FIRST) == value
            assert kernels.kernel_lane(int(pair(other, value)), SECOND) == value


def test_gated_add_over_its_whole_range(kernels):
    """Every argument and every scale, against values at the ends and the middle."""
    every = np.arange(-128, 128, dtype=np.int8)
    a, scale = np.repeat(every, 256), np.tile(every, 256)
    for v, stream in [(-128, 127), (127, 127), (-128, 0), (127, 0), (1, 64), (-1, 64)]:
        x, value = np.full(a.size, stream, np.int8), np.full(a.size, v, np.int8)
        kernels.kernel_gated_add(pointer(x), pointer(value), pointer(a), pointer(scale), a.size)
        gate = network.gate_q7(a.astype(int), scale.astype(int))
        assert np.array_equal(x, np.clip(stream + v + ((v * gate + 64) >> 7), 0, 127))


# --- files and digest -------------------------------------------------------------------------------------------------


def test_save_and_load(model, tmp_path):
    model.save(tmp_path / "m.npz")
    again = IntegerModel.load(tmp_path / "m.npz")
    features = features_of(7)
    assert again.digest == model.digest and again.parameters == model.parameters
    assert (again.name, again.classes, again.inputs) == (model.name, model.classes, model.inputs)
    assert (again.logit_step, again.provenance) == (model.logit_step, model.provenance)
    assert np.array_equal(again.run(features), model.run(features))
    assert header.c_header(again) == header.c_header(model)
    for ours, theirs in zip(model.layers, again.layers, strict=True):
        for key, value in vars(ours).items():
            assert np.array_equal(value, getattr(theirs, key)) and type(value) is type(getattr(theirs, key))


def test_a_file_from_when_frames_could_have_bands_loads_where_they_had_none(model, tmp_path):
    model.save(tmp_path / "now.npz")
    with np.load(tmp_path / "now.npz") as archive:
        content = dict(archive)
    for bands in (1, 2):
        meta = json.loads(str(content["meta"]))
        meta["layers"] = [row | {"bands": bands, "span": 1, "band_stride": 1} for row in meta["layers"]]
        np.savez(tmp_path / f"{bands}.npz", **{**content, "meta": json.dumps(meta)})
    assert IntegerModel.load(tmp_path / "1.npz").digest == model.digest
    with pytest.raises(UserError, match="not an integer model"):
        IntegerModel.load(tmp_path / "2.npz")


def test_damaged_files_are_one_line(model, tmp_path):
    model.save(tmp_path / "whole.npz")
    whole = (tmp_path / "whole.npz").read_bytes()
    files = {"empty": b"", "text": b"hello", "cut": whole[: len(whole) // 2], "head": b"PK\x03\x04",
             "flipped": whole[:200] + bytes([b ^ 0x55 for b in whole[200:400]]) + whole[400:]}
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    np.savez(tmp_path / "foreign.npz", x=np.zeros(3))
    np.savez(tmp_path / "hollow.npz", meta='{"layers": []}')
    np.savez(tmp_path / "newer.npz", meta='{"layers": [{"name": "a", "colour": 1}]}')
    (tmp_path / "folder").mkdir()
    for name in [*files, "foreign.npz", "hollow.npz", "newer.npz", "folder"]:
        with pytest.raises(UserError, match="not an integer model") as caught:
            IntegerModel.load(tmp_path / name)
        assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match="no integer model at"):
        IntegerModel.load(tmp_path / "none.npz")


def test_digest_sees_every_number(model):
    digests = {model.digest}
    count = 1
    for layer in model.layers:
        for key in ("weight", "bias", "multiplier", "shift", "scale"):
            array = getattr(layer, key)
            if array is None:
                continue
            ends = [(0,) * array.ndim, tuple(n - 1 for n in array.shape)]
            places = np.ndindex(array.shape) if array.size < 40 else ends
            for place in places:
                other = array.copy()
                other[place] ^= 1
                digests.add(changed(model, layer.name, **{key: other}).digest)
                count += 1
    for other in (replace(model, name="x"), changed(model, "b0_depthwise", stride=3), changed(model, "stem", low=-128),
                  changed(model, "b0_pool", kernel=9)):
        digests.add(other.digest)
        count += 1
    assert len(digests) == count
    assert len(model.digest) == 12 and model.digest == random_model(
        5, condenser=True, frames=False, channels=8, expansion=12, head=8, kernels=[3, 2], strides=[2, 1]).digest


# --- export -----------------------------------------------------------------------------------------------------------


def test_header_says_what_it_is_and_is_the_same_each_time(model):
    text = header.c_header(model)
    assert text == header.c_header(model)
    for wanted in (f'#define MODEL_HASH "{model.digest}"', f'#define MODEL_NAME "{model.name}"', "seed: 5",
                   "#define MODEL_CLASSES 12", "generated by"):
        assert wanted in text
    assert '"' + "\\0".join(CLASSES[2:]) + '"' in text


def test_slots_and_histories_do_not_overlap():
    for seed in range(10):
        model = random_model(seed)
        plan = memory_plan(model)
        width = {"stream": 12}
        spans = {}
        for layer in model.layers:
            inputs = width[layer.source]
            begin = plan["state"][layer.name]
            spans[layer.name] = (begin, begin + (layer.kernel - 1) * inputs)
            outputs = len(layer.weight) if layer.weight is not None else inputs
            if layer.kind != "classifier":
                width[layer.target] = outputs
                following = [o for o in plan["slots"].values() if o > plan["slots"][layer.target]]
                assert plan["slots"][layer.target] + outputs <= min(following, default=plan["slot_bytes"])
        ordered = sorted(span for span in spans.values() if span[1] > span[0])
        assert all(a[1] <= b[0] for a, b in itertools.pairwise(ordered))
        assert all(end <= plan["state_bytes"] for _, end in ordered)
        assert plan["scratch_bytes"] % 4 == 0 and not any(o % 4 for o in plan["slots"].values())


def test_slots_share_a_place_only_when_never_live_at_once():
    """And a gate's argument stays to its end."""
    live = {"stream": range(3), "branch": range(1, 4), "wide": range(3, 5), "pooled": range(2, 5)}
    sizes = {"stream": 12, "branch": 8, "wide": 12, "pooled": 4, "squeezed": 0}
    places = integer_plan._places(sizes, live)
    assert places["wide"] == places["stream"] == 0 and places["branch"] == 12 and places["pooled"] == 20
    layers = [Layer("dense", "a", "stream", "pooled"), Layer("dense", "b", "stream", "branch"),
              Layer("gated_add", "c", "branch", "stream"), Layer("weighed_classifier", "d", "stream", "stream")]
    model = IntegerModel("gated", CLASSES, layers, 12, 1.0)
    assert integer_plan._live(model) == {"stream": range(4), "pooled": range(4), "branch": range(1, 3)}


def test_export_refuses_what_the_chip_cannot_hold():
    wide = random_model(1, condenser=True, channels=80, expansion=80, head=80, kernels=[3], strides=[1])
    with pytest.raises(UserError, match="too wide"):
        header.c_header(wide)
    # scratch: 4 bytes for each output of the widest layer, the slots and the stem's window share 512 bytes
    deep = random_model(1, condenser=True, channels=44, expansion=76, head=12, kernels=[3], strides=[1], stem_kernel=9)
    plan = memory_plan(deep)
    assert plan["slot_bytes"] <= 255 and plan["scratch_bytes"] > 512
    with pytest.raises(UserError, match="512"):
        header.c_header(deep)


def test_exported_hash_of_a_foreign_folder(tmp_path):
    with pytest.raises(UserError, match="export"):
        exported_hash(tmp_path)
    (tmp_path / "model.h").write_text("int x;\n")
    with pytest.raises(UserError, match="export"):
        exported_hash(tmp_path)
