"""Formats that do not store zeros: packing is exact, the C computes the layer, the chip takes what is recorded."""

import ctypes

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinyspeech import toolchain
from tinyspeech.errors import UserError
from tinyspeech.integer import sparse
from tinyspeech.integer.network import IntegerModel, Layer
from tinyspeech.measure import formats, store, ways
from tinyspeech.paths import FIRMWARE, model_file

SHIPPED = {layer.name: layer.weight for layer in IntegerModel.load(model_file("tinyspeech_s", ".npz")).layers
           if layer.weight is not None}


@st.composite
def layers(draw, widest=64):
    """int8 [outputs, inputs] of 4-bit weights, any share of them zero: none, most, whole rows, all."""
    outputs, inputs = draw(st.integers(1, widest)), 4 * draw(st.integers(1, 16))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    values = rng.choice(draw(st.sampled_from([[-8, 7], [-1, 1], [1], [*range(-8, 8)]])), (outputs, inputs))
    kept = rng.random((outputs, inputs)) < draw(st.sampled_from([0, 0.02, 0.1, 0.3, 0.6, 1]))
    return (values * kept * (rng.random((outputs, 1)) < draw(st.sampled_from([0.5, 1])))).astype(np.int8)


# --- packing ----------------------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(layers())
@pytest.mark.parametrize("name", sparse.FORMATS)
def test_weights_survive_every_format(name, weight):
    pack, unpack = sparse.FORMATS[name]
    back = unpack(pack(weight), *weight.shape)
    assert back.dtype == np.int8 and (back == weight).all()


def test_a_row_by_hand():
    row = np.zeros((1, 20), np.int8)
    row[0, [1, 18, 19]] = 3, -8, 7
    assert sparse.pack_bitmap(row).tolist() == [0b00000010, 0, 0b1100, 0x83, 0x07]
    assert sparse.pack_runs(row).tolist() == [4, 0x13, 0xF0, 0x08, 0x07]
    # four inputs a group: only groups 0 and 4 have a word, of one output
    words = sparse.pack_groups(row)
    assert words.tolist() == [1, 0b0000_0000_0010_0010, 0, 0, 0, 1, 0b0100_1000_1000_1000]


def test_a_row_of_zeros_costs_its_frame_only():
    nothing = np.zeros((2, 16), np.int8)
    assert sparse.pack_bitmap(nothing).tolist() == [0] * 4
    assert sparse.pack_runs(nothing).tolist() == [0, 0]
    assert sparse.pack_groups(nothing).tolist() == [0] * 4


@pytest.mark.parametrize("name", sparse.FORMATS)
@pytest.mark.parametrize("value", [-9, 8])
def test_five_bits_are_refused(name, value):
    with pytest.raises(UserError, match="4-bit"):
        sparse.FORMATS[name][0](np.full((1, 4), value, np.int8))


def test_a_row_too_long_to_count_is_refused():
    with pytest.raises(UserError, match="more entries than a byte"):
        sparse.pack_runs(np.ones((1, 256), np.int8))
    assert sparse.pack_runs(np.ones((1, 255), np.int8))[0] == 255


def test_digits_are_as_few_as_there_can_be():
    terms = {w: sparse.digits(w) for w in range(-8, 8)}
    assert all(sum(power * sign for power, sign in t.items()) == w for w, t in terms.items())
    assert {w: len(t) for w, t in terms.items()} == {
        w: 0 if w == 0 else 1 if abs(w) in (1, 2, 4, 8) else 2 for w in range(-8, 8)}
    assert all(set(t) <= {1, 2, 4, 8} for t in terms.values())


def test_straight_line_by_hand():
    text = sparse.straight_line(np.array([[0, 7, 0, -2], [0, 0, 0, 0], [-1, 0, 0, 0]]), "f")
    body = [line.strip() for line in text.splitlines()[3:-1]]
    assert body == ["total = in[1];", "total = total * 2;", "total = total * 2 - in[3];", "total = total * 2 - in[1];",
                    "accumulator[0] = total;", "accumulator[1] = 0;", "total = - in[0];", "accumulator[2] = total;"]


def test_pruning_integers_takes_the_smallest_and_of_equal_ones_the_first():
    weight = np.array([[1, -3, 0, 1], [5, 1, -2, 7]], np.int8)
    assert sparse.prune_integers(weight, 0.25).tolist() == [[0, -3, 0, 1], [5, 1, -2, 7]]
    assert sparse.prune_integers(weight, 0.5).tolist() == [[0, -3, 0, 0], [5, 0, -2, 7]]
    assert sparse.prune_integers(weight, 0.5, group=4).tolist() == [[0, 0, 0, 0], [5, 1, -2, 7]]
    assert sparse.prune_integers(weight, 0).tolist() == weight.tolist()
    assert not sparse.prune_integers(weight, 1).any()


# --- C on this computer -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def kernels():
    paths = [FIRMWARE / name for name in ("formats/sparse.c", "kernels.c", "multiply.c")]
    return ctypes.CDLL(str(toolchain.build_host_library(paths, sanitize=True)))


def pointer(array):
    return ctypes.c_void_p(array.ctypes.data)


def compute(library, name, weight, x):
    """int32 [outputs] by the format's C, in memory that ends where the arrays end."""
    outputs, inputs = weight.shape
    table = np.ascontiguousarray(sparse.FORMATS[name][0](weight))
    out = np.full(outputs, 99, np.int32)
    sizes = (pointer(table), outputs) if name == "runs" else (inputs, pointer(table), outputs)
    getattr(library, f"kernel_{name}")(pointer(x), *sizes, pointer(out))
    return out


@settings(deadline=None)
@given(layers(), st.data())
@pytest.mark.parametrize("name", sparse.FORMATS)
def test_c_computes_the_layer(kernels, name, weight, data):
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    x = rng.choice(data.draw(st.sampled_from([[-128], [127], [-128, 127], [*range(-128, 128)]])), weight.shape[1])
    x = x.astype(np.int8)
    assert (compute(kernels, name, weight, x) == weight.astype(int) @ x).all()


def test_straight_line_c_computes_the_layer(tmp_path):
    rng = np.random.default_rng(3)
    weight = rng.integers(-8, 8, (48, 64)).astype(np.int8)
    weight[5], weight[6], weight[7] = 0, -8, 7
    source = tmp_path / "layer.c"
    source.write_text("#include <stdint.h>\nvoid layer(const int8_t *in, int32_t *accumulator);\n"
                      + sparse.straight_line(weight, "layer"))
    library = ctypes.CDLL(str(toolchain.build_host_library([source], sanitize=True)))
    for x in (*rng.integers(-128, 128, (50, 64)), np.full(64, -128), np.full(64, 127)):
        x, out = x.astype(np.int8), np.empty(48, np.int32)
        library.layer(pointer(x), pointer(out))
        assert (out == weight.astype(int) @ x).all()


# --- the chip ---------------------------------------------------------------------------------------------------------


def test_recorded_formats_are_what_the_chip_takes():
    """Bytes and cycles of data/results.json again, for the layers and sparsities with the most different programs."""
    rows = {row["label"]: row for row in store.load()["pruning.formats"]["value"]}
    for layer, group, label in (("block1_expand", 1, "weights"), ("block1_project", 4, "groups")):
        weight = sparse.prune_integers(SHIPPED[layer], 0.7, group)
        row = rows[f"{layer}, {label}, 70 %"]
        assert formats.format_costs(weight) == row["formats"], "stale: run `measure --only pruning.formats`"
        assert row["zeros"] == round(100 * (weight == 0).mean(), 1)


def test_formats_on_layers_of_the_chips_extremes():
    """Nothing stored at all, and nothing but the largest weight: every answer is checked inside."""
    for weight in (np.zeros((4, 4), np.int8), np.full((8, 16), -8, np.int8)):
        costs = formats.format_costs(weight)
        assert set(costs) == {*formats.FORMAT_CALLS}
        assert costs["dense"]["bytes"] == costs["shipped"]["bytes"] == weight.size / 2
    assert costs["runs"]["bytes"] == 8 * 17


def test_a_layer_runs_again_and_again():
    layer = formats.LayerOnChip(SHIPPED["block1_expand"], ["dense", "runs"])
    x = np.arange(32, dtype=np.int8)
    first = [layer.run(name, x) for name in ("dense", "runs", "dense")]
    assert (first[0][0] == first[1][0]).all() and first[0][1] == first[2][1]


def test_the_shipped_kernel_alone_is_chapter_nines():
    """A format of its own here, a way to multiply there: the same cycles for two frames, at both clocks."""
    weight = SHIPPED["block1_expand"]
    layer, way = formats.LayerOnChip(weight, ["shipped"]), ways.WayOnChip(weight, "subset_sums_pair")
    x = np.arange(-16, 16)
    for mhz in (24, 48):
        out, cycles = layer.run("shipped", x, mhz)
        assert (out == weight @ x).all() and cycles == -(-way.run(x, x, mhz).cycles // 2)
    assert layer.bytes["shipped"] == way.table_bytes and layer.code_bytes["shipped"] == way.bytes


def test_a_clips_formats_are_of_the_networks_that_were_trained_again():
    trained = {row["label"]: row["formats"] for row in store.load()["experiments.pruning"]["value"]}
    clip = {row["label"]: row["formats"] for row in store.load()["pruning.clip"]["value"]}
    assert {*trained} - {*clip} == {"70 %, by layer"}
    remembers = 8  # of what ships the condenser does, a weight for each of its channels
    for label, costs in clip.items():
        assert costs["weights"] == trained[label]["weights"] + remembers
        assert costs["dense"]["bytes"] == costs["shipped"]["bytes"] == trained[label]["dense"]["bytes"] + remembers / 2
    whole = formats.network_formats(IntegerModel.load(model_file("tinyspeech_s", ".npz")))
    assert whole == clip["0 %"], "stale: run `measure --only pruning.clip`"


def test_channels_are_taken_out_whole():
    weight = np.arange(-8, 8, dtype=np.int8).repeat(6).reshape(8, 12)
    assert formats.fewer_channels(weight, 0.5, axis=0).shape == (4, 12)
    assert formats.fewer_channels(weight, 0.99, axis=1).shape == (8, 4)
    assert (formats.fewer_channels(weight, 0, axis=0) == weight).all()
    kept = formats.fewer_channels(weight, 0.5, axis=0)
    assert np.abs(kept.astype(int)).sum() == np.sort(np.abs(weight.astype(int)).sum(1))[-4:].sum()


def test_a_network_costs_its_dense_layers_by_their_frames():
    """Two dense layers, of which a stride halves the second's frames; the depthwise layer counts nothing."""
    rng = np.random.default_rng(0)

    def layer(kind, name, shape, stride=1):
        outputs = shape[0]
        return Layer(kind, name, "stream", "stream", 1, stride, 0, rng.integers(-7, 8, shape).astype(np.int8),
                     np.zeros(outputs, np.int16), np.full(outputs, 128, np.uint8), np.full(outputs, 8, np.uint8))

    layers_ = [layer("dense", "stem", (8, 12)), layer("depthwise", "middle", (8, 3), stride=2),
               layer("classifier", "last", (12, 8))]
    found = formats.network_formats(IntegerModel("small", (), layers_, 12, 1.0, flush=1), frames=9)
    first, last = (formats.format_costs(layers_[i].weight) for i in (0, 2))
    assert found["weights"] == 8 * 12 + 12 * 8
    assert found["zeros"] == round(100 * sum((layers_[i].weight == 0).sum() for i in (0, 2)) / 192, 1)
    for name in (*sparse.FORMATS, "shipped"):
        assert found[name] == {"bytes": first[name]["bytes"] + last[name]["bytes"],
                               "cycles": 10 * first[name]["cycles"] + 5 * last[name]["cycles"]}
    assert found["straight"]["bytes"] == first["straight"]["code_bytes"] + last["straight"]["code_bytes"]
