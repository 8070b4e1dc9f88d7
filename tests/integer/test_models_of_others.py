"""A network as somebody sends it: nothing in its file reaches a compiler, or an engine, that was not checked."""

import json

import numpy as np
import pytest

from tinyspeech import paths
from tinyspeech.errors import UserError
from tinyspeech.integer.header import c_header
from tinyspeech.integer.network import IntegerModel
from tinyspeech.outside import arrays

CODE = 'x"\nint evil(void) { return 1; }\n__attribute__((constructor)) static void run(void) { __builtin_trap(); }\n//'


def sent(path, change=lambda meta, held: None):
    """The shipped network, changed, as a file."""
    held = arrays.load(paths.model_file(paths.SHIPPED, ".npz"), 1 << 24, "")
    meta = json.loads(str(held.pop("meta")))
    change(meta, held)
    np.savez_compressed(path, meta=json.dumps(meta), **held)
    return path


def test_the_file_itself_loads(tmp_path):
    assert IntegerModel.load(sent(tmp_path / "x.npz")).digest


def put(*where, value):
    """A change: this value there, such as at layers, 0, name."""
    def change(meta, held):
        inside = meta
        for key in where[:-1]:
            inside = inside[key]
        inside[where[-1]] = value
    return change


@pytest.mark.parametrize("name", [CODE, "", "a b", "a-b", "ü", "../x", "a\\", "a" * 65, "x\n", 5, None, ["a"],
                                  "\x1b[2J"])
@pytest.mark.parametrize("where", [("name",), ("classes", 2), ("classes", 11), ("layers", 0, "name")],
                         ids=lambda where: where[0])
def test_names_are_words(tmp_path, where, name):
    with pytest.raises(UserError, match=r"letters and digits|a word, as in C|not an integer model"):
        IntegerModel.load(sent(tmp_path / "x.npz", put(*where, value=name)))


@pytest.mark.parametrize("key", ["source", "target", "kind"])
def test_so_are_slots_and_kinds(tmp_path, key):
    with pytest.raises(UserError, match=r"slots are|unknown kind"):
        IntegerModel.load(sent(tmp_path / "x.npz", put("layers", 1, key, value=CODE)))


@pytest.mark.parametrize("where", [("inputs",), ("flush",), *(("layers", 0, key) for key in
                                                              ("kernel", "stride", "low", "memory"))],
                         ids=lambda where: where[-1])
@pytest.mark.parametrize("value", ["1}; int evil(void) {", 1.5, True, [1], 10**30, -(10**30), float("nan")])
def test_numbers_are_whole_and_bounded(tmp_path, where, value):
    with pytest.raises(UserError):
        IntegerModel.load(sent(tmp_path / "x.npz", put(*where, value=value)))


@pytest.mark.parametrize("text", ["*/ int evil; /*", "*\\\n/ int evil;", "??/", "ü\u202e", "a\x00b\x1b",
                                  "*" + "/" * 300])
def test_what_a_header_quotes_stays_in_its_comment(tmp_path, text):
    model = IntegerModel.load(sent(tmp_path / "x.npz", put("provenance", value={text: text, "plain": "ok"})))
    header = c_header(model)
    comment, rest = header.removeprefix("/*").split("*/", 1)
    assert "plain: ok" in comment and rest.startswith("\n#ifndef TINYSPEECH_MODEL_H")
    assert "/*" not in comment and "\\" not in comment and header.isascii()


@pytest.mark.parametrize("step", [float("nan"), float("inf"), 0, -1.0, "1", None, True])
def test_a_step_is_a_number_above_0(tmp_path, step):
    with pytest.raises(UserError, match="step of the logits"):
        IntegerModel.load(sent(tmp_path / "x.npz", put("logit_step", value=step)))


@pytest.mark.parametrize("layers", [[], None, 5, {}, [None], [[]], [{}], [{"kind": "dense"}]])
def test_layers_are_there(tmp_path, layers):
    with pytest.raises(UserError):
        IntegerModel.load(sent(tmp_path / "x.npz", put("layers", value=layers)))


def first(held: dict, key: str) -> str:
    return next(name for name in held if name.endswith(f".{key}"))


@pytest.mark.parametrize("key", ["weight", "bias", "multiplier", "shift"])
@pytest.mark.parametrize("change", [
    lambda x: x.astype(float) * np.nan, lambda x: x[:0], lambda x: x[None], lambda x: x.astype(">i8"),
    lambda x: np.array("x"), lambda x: np.repeat(x, 2, axis=0), lambda x: np.zeros((0, 0), x.dtype)],
    ids=["nan", "none", "deeper", "int64", "text", "longer", "empty"])
def test_arrays_have_their_type_and_shape(tmp_path, key, change):
    def changed(meta, held):
        held[first(held, key)] = change(held[first(held, key)])

    with pytest.raises(UserError):
        IntegerModel.load(sent(tmp_path / "x.npz", changed))


@pytest.mark.parametrize("value", [8, -9, 127, -128])
def test_weights_have_four_bits(tmp_path, value):
    def changed(meta, held):
        held[first(held, "weight")].flat[0] = value

    with pytest.raises(UserError, match="4 bits"):
        IntegerModel.load(sent(tmp_path / "x.npz", changed))


def test_a_missing_array_is_a_line(tmp_path):
    def changed(meta, held):
        del held[first(held, "weight")]

    with pytest.raises(UserError, match="needs a weight"):
        IntegerModel.load(sent(tmp_path / "x.npz", changed))


@pytest.mark.parametrize("classes", [["_silence_"], [f"w{i}" for i in range(12)], [f"w{i}" for i in range(13)],
                                     None, 7])
def test_there_are_twelve_classes(tmp_path, classes):
    with pytest.raises(UserError):
        IntegerModel.load(sent(tmp_path / "x.npz", put("classes", value=classes)))
