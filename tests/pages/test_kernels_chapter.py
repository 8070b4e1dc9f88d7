"""What chapter 9 counts on paper is what the chip takes, and its pictures and pages show what they are given."""

import re

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_hex

from tinyspeech import paths
from tinyspeech.chip import program
from tinyspeech.chip.emulator import ChipFault
from tinyspeech.errors import UserError
from tinyspeech.integer import listening, plan
from tinyspeech.integer.network import IntegerModel
from tinyspeech.measure import stages, ways
from tinyspeech.pages import plots, widgets
from tinyspeech.paths import model_file

NETWORK = IntegerModel.load(model_file("tinyspeech_s", ".npz"))
W = next(layer.weight for layer in NETWORK.layers if layer.name == "block1_expand")
X, Y = np.random.default_rng(9).integers(-128, 128, (2, 32))


@pytest.fixture(scope="module")
def kernel():
    """The shipped kernel on the layer of the chapter."""
    return ways.WayOnChip(W, "subset_sums_pair")


# ---------------------------------------------------------------- one function on the chip


def test_a_routine_returns_its_result_and_its_cycles():
    triple = program.Routine("triple", "    slli a1, a0, 1\n    add a0, a0, a1\n    ret")
    assert triple(14) == (42, 1 + 1 + 3) and triple(-5)[0] == -15
    assert triple(14, mhz=48) == (42, 1 + 1 + 5)  # slli to another register is long, and fetched ahead
    more = program.Routine("more", "    addi a0, a0, 1000\n" * 4 + "    ret")
    assert (more(2), more(2, mhz=48)) == ((4002, 4 + 3), (4002, 1 + 1 + 2 + 2 + 5))  # two are fetched ahead, two not
    assert [i.bytes for i in triple.listing("triple")] == [4, 2, 2]
    with pytest.raises(UserError, match="takes 1 numbers, not 2"):
        triple(1, 2)


def test_a_routine_that_does_not_return_is_stopped(monkeypatch):
    monkeypatch.setattr(program, "MOST_CYCLES", 10_000)
    with pytest.raises(UserError, match="forever has not returned after 10,000 cycles"):
        program.Routine("forever", "1:  j 1b")(1)


def test_the_core_refuses_a_multiplication():
    with pytest.raises(ChipFault, match="multiplication"):
        program.Routine("product", "    .word 0x02b50533", arguments=2)(6, 7)


@pytest.mark.parametrize("mhz", [24, 48])
def test_a_listing_adds_up_to_the_call(kernel, mhz):
    """`kernel_dense_pair` calls nothing, so all of its cycles are its own instructions'."""
    run = kernel.run(X, Y, mhz)
    listing = kernel.listing()
    assert sum(i.cycles for i in listing) == run.cycles
    assert sum(i.bytes for i in listing) == kernel.bytes


def test_the_compilers_product_takes_its_time_by_the_sign_of_one_factor():
    source = "#include <stdint.h>\nint32_t times(int32_t a, int32_t b) { return a * b; }"
    times = program.Routine("times", source, 2, "c")
    runs = {(a, b): times(a, b) for a in (100, -77) for b in (5, -5)}
    assert all(value == a * b for (a, b), (value, _) in runs.items())
    assert runs[100, -5][1] > 8 * runs[100, 5][1] and runs[-77, 5][1] == runs[100, 5][1]


BY_HAND = (paths.FIRMWARE / "requantise.S").read_text().split("multiply:\n")[1].split("    .size")[0]


@pytest.mark.parametrize("routine", [(BY_HAND, 2), ((paths.FIRMWARE / "multiply.c").read_text(), 2, "c")])
def test_the_firmwares_product_takes_the_same_time_for_all(routine):
    multiply = program.Routine("multiply", *routine)
    runs = {(a, m): multiply(a, m) for a in (0, 1, -15648, 16544) for m in (0, 1, 128, 240, 255)}
    assert all(value == a * m for (a, m), (value, _) in runs.items())
    assert len({cycles for _, cycles in runs.values()}) == 1


# ---------------------------------------------------------------- the kernel that ships


def test_the_inner_loop_is_as_the_chapter_reads_it(kernel):
    kernel.run(X, Y)
    rounds = 8 * len(W)
    loop = [i for i in kernel.listing() if i.cycles >= rounds]
    assert len(loop) == 29 and sum(i.cycles for i in loop) == rounds * 38 - 8 * 2
    find, add, edge = [*3 * ["find"], "look up"], ["add"], 2 * ["edge"]
    roles = [*edge, *find, *add, *find, *2 * add, *find, *2 * add, *find, *add, *3 * ["sum"], *edge]
    first = [i.text.removeprefix("c.").split()[0] for i in loop]
    assert {name for name, role in zip(first, roles, strict=True) if role == "look up"} == {"lw"}
    assert {name for name, role in zip(first, roles, strict=True) if role == "add"} == {"slli", "add", "sub"}
    assert {name for name, role in zip(first, roles, strict=True) if role == "find"} == {"srli", "andi", "add", "slli"}


def test_the_table_is_built_in_the_order_of_grays_code():
    text = (paths.FIRMWARE / "dense.S").read_text()
    order = [int(bits, 2) for bits in re.findall(r"# ([01]{4})$", text, re.M)]
    assert order == [i ^ (i >> 1) for i in range(1, 16)]


def test_four_numbers_predict_the_dense_layers_of_a_clip_to_the_cycle():
    small = [(n, g) for n in (12, 24) for g in (4, 8)]
    taken = [ways.WayOnChip(W[:n, : 4 * g], "subset_sums_pair").run(X[: 4 * g]).cycles for n, g in small]
    price = np.linalg.solve([[1, n, g, g * n] for n, g in small], taken)
    predicted, frames = 0, -(-(49 + NETWORK.flush) // listening.BATCH_FRAMES) * listening.BATCH_FRAMES
    for layer in NETWORK.layers:
        frames //= layer.stride
        if layer.kind in ("dense", "weighed_classifier"):
            n, g = len(layer.weight), layer.weight.shape[1] // 4
            predicted += frames // 2 * (price @ [1, n, g, g * n])
    figures = stages.bench()
    assert round(predicted) == figures["stages"]["dense layers"]


def test_a_full_lane_spoils_its_neighbour():
    """The upper sum never overflows, and comes out one too large: the lower one's top bit is taken for a sign."""
    heavy, loud, quiet = np.full((2, 64), 7), np.full(64, 127), np.ones(64, int)
    pair = ways.WayOnChip(heavy, "subset_sums_pair").run(loud, quiet).accumulator.view(np.uint32)
    assert (pair & 0xFFFF == 7 * 64 * 127).all() and (pair >> 16 == 7 * 64).all()
    assert (pair[0] + 0x8000) >> 16 == 7 * 64 + 1


def test_groups_of_six_do_not_fit_the_work_buffer():
    assert plan.memory_plan(NETWORK)["scratch_bytes"] + 4 * (64 - 16) > plan.WORK_BYTES


# ---------------------------------------------------------------- Python beside C


def twice(values, count):
    total = 0
    for i in range(count):
        total += 2 * values[i]
    return total


C = """/* twice(x) { is told of here. */
static int32_t twice(const int8_t *values,
                     int count)
{
    int32_t total = 0; /* of all */

    /* two at a time */
    for (int i = 0; i < count; i++) {
        total += 2 * values[i];
    }
    return total;
}

int more(int x) { return twice(0, x); }
"""


def test_a_functions_lines_are_those_that_say_something():
    assert widgets.lines_of_c(C, "twice") == [
        "static int32_t twice(const int8_t *values, int count)", "    int32_t total = 0;",
        "    for (int i = 0; i < count; i++) {", "        total += 2 * values[i];", "    return total;"]
    assert widgets.lines_of_c(C, "twice", braces=True) == [
        "static int32_t twice(const int8_t *values, int count) {", "    int32_t total = 0;",
        "    for (int i = 0; i < count; i++) {", "        total += 2 * values[i];", "    }", "    return total;", "}"]
    for name in ("more", "less"):  # one in a line of its own, and none
        with pytest.raises(UserError, match=f"{name} is not defined there"):
            widgets.lines_of_c(C, name)


def test_python_stands_beside_its_c(tmp_path):
    (tmp_path / "two.c").write_text(C)
    cells = re.findall("<td style='--in:(.*?)'>(.*?)</td>", widgets.beside(twice, tmp_path / "two.c").data)
    assert len(cells) == 10
    assert cells[4:6] == [("4ch", "for i in range(count):"), ("4ch", "for (int i = 0; i &lt; count; i++) {")]
    (tmp_path / "two.c").write_text(C.replace("    return total;\n", ""))
    with pytest.raises(UserError, match=r"twice has 5 lines in Python and 4 in two\.c"):
        widgets.beside(twice, tmp_path / "two.c")


# ---------------------------------------------------------------- pictures


def test_ways_come_dearest_first_and_with_their_marks(figure):
    plots.ways({"a": 5.0, "b": 171.5, "c": 30.0}, "cycles", {"theirs": 25.8})
    ax = plt.gca()
    assert [t.get_text() for t in ax.get_yticklabels()] == ["b", "c", "a"]
    assert [bar.get_width() for bar in ax.patches] == [171.5, 30.0, 5.0] and ax.get_xscale() == "log"
    assert list(ax.lines[0].get_xdata()) == [25.8, 25.8]


def test_values_are_marked_and_not_joined(figure):
    plots.marked([-1, 0, 1], {"a": [1, 2, 3], "b": [4, np.nan, 6]}, "weight", "cycles")
    first, second = plt.gca().lines
    assert {first.get_linestyle(), second.get_linestyle()} == {"None"} and first.get_marker() != second.get_marker()
    assert list(first.get_ydata()) == [1, 2, 3]


def test_registers_show_their_bits_by_halves(figure):
    plots.registers({"a": 5 << 16, "b": 0xFFFFFFFD}, ["5, 0", "-1, -3"])
    ax = plt.gca()
    filled = [bar.get_x() for bar in ax.patches if bar.get_facecolor() != ax.patches[0].get_facecolor()]
    assert filled[:2] == [15, 13] and len(filled) == 2 + 31  # bits 16 and 18; all but one
    assert [t.get_text() for t in ax.texts] == ["5, 0", "-1, -3"]


def test_a_place_without_a_cost_has_no_bar(figure):
    plots.places({"a": {"flash": 3.0, "SRAM": 2.0}, "b": {"flash": 4.0, "SRAM": None}}, "cycles")
    assert sorted(bar.get_height() for bar in plt.gca().patches) == [2.0, 3.0, 4.0]


def test_each_cost_has_its_column_and_the_best_its_colour(figure):
    plots.columns({"a": {"cycles": 10, "bytes": 1000}, "b": {"cycles": 5.069, "bytes": 1200}}, best="b")
    left, right = plt.gcf().axes
    assert [bar.get_width() for bar in right.patches] == [1000, 1200]
    assert [t.get_text().strip() for t in [*left.texts, *right.texts]] == ["10", "5.07", "1,000", "1,200"]
    assert [to_hex(bar.get_facecolor()) for bar in left.patches] == [plots.PALETTE["green"], plots.PALETTE["vermilion"]]


def test_a_page_of_the_race_says_who_has_arrived():
    page = widgets.race_page({"slow": 48_000, "fast": 12_000, "code": None}, 24, 1, "1 ms")
    assert "aria-label='1 ms: slow 50 %; fast 0.50 ms; code does not fit.'" in page
    assert re.findall(r"<b>(.*?)</b>", page) == ["1 ms", "0.50 ms"] and "--ts-share:100.0'" in page


def test_the_race_has_a_page_for_each_time_and_place():
    row = {"cycles_per_mac": 10.0, "cycles_per_mac_48_mhz": 12.0, "cycles_per_mac_sram": None,
           "cycles_per_mac_sram_48_mhz": None}
    time, _, pages, _ = widgets.cycle_race({"a": row}, 1536).children
    assert len(time.options) == len(widgets.RACE_MS) == len(pages.children)
    assert "a 0.64 ms" in pages.children[-1].children[0].value  # 15,360 cycles at 24 MHz
    assert "a 0.38 ms" in pages.children[-1].children[1].value
    assert "a does not fit" in pages.children[-1].children[2].value
