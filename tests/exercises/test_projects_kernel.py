"""Scores of kernels, exactly; each kind of wrong submission told from the others; the judge cannot be changed."""

import numpy as np
import pytest
from support.submissions import submissions

from tinyspeech.exercises.projects import kernel
from tinyspeech.integer.packing import pack_dense, pack_nibbles
from tinyspeech.measure.stages import bench, dense_macs

PAGE = submissions("project_kernel")
BASELINE = PAGE["baseline"]


def replaced(old: str, new: str, source: str = BASELINE) -> str:
    assert old in source
    return source.replace(old, new)


def begun(more: str) -> str:
    """The baseline with more in its first line."""
    first = "const uint8_t *w = weights;"
    return replaced(first, f"{first} {more}")


def figures(score) -> tuple:
    return tuple(score[name] for name in ("cycles a second", "code and weights", "RAM")) + (score.points,)


@pytest.mark.parametrize(("name", "wanted"), [
    ("baseline", (70_373_790, 6636, 60, 3)), ("mine", (70_373_790, 6636, 60, 3)),
    ("shift_add", (14_941_140, 6688, 60, 14)), ("pairs", (8_439_450, 6648, 220, 25))])
def test_what_the_page_hands_in(name, wanted):
    assert figures(kernel.score(PAGE[name], PAGE["pack"])) == wanted


def test_what_ships_has_a_hundred_points_and_the_cycles_that_the_firmware_takes():
    score, measured = kernel.score(kernel.shipped_source(), pack_dense, "S"), bench()
    assert figures(score) == (2_175_705, 6704, 80, 100)
    assert score["cycles a second"] == measured["stages"]["dense layers"]
    assert score["cycles a product"] == measured["cycles_per_mac"]
    assert kernel.shipped()[1] == dense_macs(kernel.IntegerModel.load(kernel.model_file(kernel.SHIPPED, ".npz")))


IN_C = PAGE["HEAD"] + """{
    const uint16_t *w = weights;
    for (int o = 0; o < outputs; o++) out[o] = 0;
    for (int i = 0; i < inputs; i += 4) {
        work[0] = 0;
        for (int j = 0, size = 1; j < 4; j++, size <<= 1) {
            uint32_t both = (uint32_t)first[i + j] + ((uint32_t)second[i + j] << 16);
            for (int s = 0; s < size; s++) work[size + s] = work[s] + both;
        }
        for (int o = 0; o < outputs; o++, w++) {
            uint32_t total = work[*w >> 8 & 15] - 2 * work[*w >> 12];
            total = total * 2 + work[*w >> 4 & 15];
            out[o] += (int32_t)(total * 2 + work[*w & 15]);
        }
    }
}"""


def unrolled(turns: int) -> str:
    """The shipped loop with so many outputs a turn."""
    source = kernel.shipped_source()
    start = source.index("output:\n") + len("output:\n")
    step = source.index("    addi t0, t0, 4\n    bne t0, t2, output")
    once = source[start:step]
    more = f"{once}    addi t0, t0, 4\n    beq t0, t2, done\n" * (turns - 1)
    return (source[:start] + more + source[start:]).replace("    bne a0, a2, group", "done:\n    bne a0, a2, group")


def test_what_the_page_says_of_directions_that_were_tried():
    assert 80 < kernel.score(IN_C, pack_dense).points < 100
    two, four = (kernel.score(unrolled(turns), pack_dense, "S") for turns in (2, 4))
    assert four["cycles a second"] < two["cycles a second"] < 2_175_705 and four.points < two.points == 101


@pytest.mark.parametrize(("source", "wrong", "hint"), [
    (replaced("uint32_t a = 0", "uint32_t a = none"), "yours.c:", "compiler's first error"),
    (replaced("void dense", "void dance"), "undefined symbol: dense", "is called dense"),
    (replaced("o < outputs", "o <= outputs"), "dense writes to byte 128 of out", "one step too far"),
    (replaced("o < outputs", "o < outputs - 1"), "out[31] is 1515870810", "not written"),
    (begun("work[64] = 1;"), "dense writes to byte 256 of work", "one step too far"),
    (begun("*(int8_t *)first = 1;"), "dense writes to byte 0 of first", "too far"),
    (begun("*(volatile int *)16 = 3;"), "write to flash", "Constants lie in flash"),
    (begun("work++; *(volatile int *)((char *)work + 2) = 3;"), "misaligned", "even address"),
    (begun("while (*(volatile uint32_t *)work) {}"), "has not returned after", "loop end"),
    (begun("static const char big[16000] = {1}; work[0] = (uint32_t)big[inputs];"), "does not fit",
     "16 KB"),
    (begun("static int n = 3; work[0] = (uint32_t)n++;"), "has a value before", "const"),
    (begun("volatile char x[1700]; x[inputs] = 1; work[0] = 0;"), "the stack of dense takes",
     "Use the memory"),
    (replaced("(b << 16)", "0 * b"), "out[0] is 1932, 3934092 is right (layer stem, frames with random activations)",
     "first frame alone"),
    (replaced("(a + (b << 16))", "((a & 65535) | b << 16)"), "is right (layer", "side by side"),
    (replaced("a + (b << 16)", "a + (b << 17)"), "is right (layer", "The second's is not"),
    (replaced("? 24 : 28)) >> 28", "? 24 : 28)) >> 28 & 15"), "is right (layer", "two's complement"),
])
def test_each_mistake_is_told_in_one_line_with_its_hint(source, wrong, hint):
    score = kernel.score(source)
    assert wrong in score.wrong and hint in score.hint and score.points == 0
    assert "\n" not in score.wrong and "/tmp" not in str(score)


def test_a_weight_of_minus_8_is_asked_for():
    """No shipped layer has one."""
    source = replaced("weight(w, i) * first[i]", "(weight(w, i) == -8 ? 8 : weight(w, i)) * first[i]")
    assert "(random weights, " in kernel.score(source).wrong


SAVED = "    addi s0, s0, 1\n    ret\n"


def test_registers_that_belong_to_the_caller():
    start = "    .text\n    .globl dense\n    .type dense, @function\ndense:\n"
    assert "dense changes s0" in kernel.score(start + SAVED, language="S").wrong
    assert "dense changes sp" in kernel.score(start + "    addi sp, sp, -4\n    ret\n", language="S").wrong


@pytest.mark.parametrize(("pack", "wrong"), [
    (lambda w: 1 / 0, "pack fails: ZeroDivisionError"), (lambda w: w / 2, "pack gives float64"),
    (lambda w: None, "pack gives object"), (lambda w: w[:0], "pack gives int8 [0, "),
    (lambda w: np.repeat(w.astype(np.int16), 2), "does not fit")])
def test_what_pack_may_not_give(pack, wrong):
    assert wrong in kernel.score(BASELINE, pack).wrong


def test_bytes_are_limited():
    score = kernel.score(BASELINE, lambda w: np.pad(pack_nibbles(w).ravel(), (0, 200)))
    assert score.wrong.startswith("code and weights: 8,8") and score.hint == "Weights of 4 bits are two in a byte."


def test_a_submission_cannot_change_its_judge():
    """It is given copies: what it does to them changes neither the next score nor the weights."""
    before = [layer.weight.copy() for layer, *_ in kernel.layers()]

    def emptied(weight: np.ndarray) -> np.ndarray:
        packed = pack_nibbles(weight)
        weight[:] = 0
        return packed

    zeros = kernel.score(replaced("(int32_t)(a + (b << 16))", "0"), emptied)
    assert "is right (layer stem" in zeros.wrong
    assert figures(kernel.score(BASELINE, emptied)) == figures(kernel.score(BASELINE))
    assert all((layer.weight == old).all() for (layer, *_), old in zip(kernel.layers(), before, strict=True))
