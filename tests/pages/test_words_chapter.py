"""What the chapter "Your own words" rests on: pictures, functions by hand that are the library's, exercises, claims."""

import re
from functools import partial

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_hex
from support.chapters import functions, printed

from tinyspeech import paths
from tinyspeech.integer import words
from tinyspeech.measure import few_shot, store
from tinyspeech.pages import plots, widgets
from tinyspeech.pages.notebooks import code_cells, load, text_outputs
from tinyspeech.pages.plots.theme import PALETTE
from tinyspeech.pages.widgets.words import LEFT, WIDTH

(FILE,) = paths.BOOK.glob("*_your_own_words.ipynb")
CELLS = code_cells(load(FILE))


@pytest.fixture(scope="module")
def by_hand() -> dict:
    """The chapter's own functions."""
    return functions(CELLS, "follow|quarters|distance|excess|listen|crc", np=np, words=words)


output = partial(printed, CELLS)


# ---------------------------------------------------------------- pictures


@pytest.mark.usefixtures("figure")
def test_loudness_and_weight_share_their_time():
    plots.standing([0, 10, 40, 5], [0, 1, 2, 3], [24, 24, 40, 39], [0, 0, 8, 0])
    top, bottom = plt.gcf().axes
    assert [text.get_text() for text in top.get_legend().get_texts()] == ["loudness", "peak", "floor"]
    assert top.lines[0].get_xdata().tolist() == pytest.approx([0, 0.04, 0.08, 0.12])
    assert [bar.get_height() for bar in bottom.patches] == [0, 0, 8, 0]


@pytest.mark.usefixtures("figure")
def test_a_quarter_ends_where_its_share_of_the_weight_has_been():
    plots.quarters({"even": [1, 1, 1, 1], "late": [0, 0, 0, 4]})
    dots = [line for line in plt.gca().lines if line.get_marker() == "o"]
    assert dots[0].get_xdata().tolist() == [40, 80, 120] and dots[1].get_xdata().tolist() == [130, 140, 150]
    assert dots[0].get_ydata().tolist() == [25, 50, 75]


@pytest.mark.usefixtures("figure")
def test_a_template_is_drawn_in_two_with_a_row_for_each_part():
    rows = np.arange(4 * 42).reshape(4, 42) % 11
    plots.templates({"lamp": rows, "tea": rows + 1}, 10)
    axes = plt.gcf().axes
    assert [ax.images[0].get_array().shape for ax in axes] == [(4, 10), (4, 32)] * 2
    assert [axes[0].get_ylabel(), axes[2].get_ylabel()] == ["lamp", "tea"]


@pytest.mark.usefixtures("figure")
def test_the_way_lies_on_the_cells_that_it_goes_through():
    plots.way([[-5, 1, 1, 1], [-4, 1, 1, 1], [1, -9, 1, 1]], [0, 0, 1])
    ax = plt.gca()
    assert ax.lines[0].get_xydata().tolist() == [[1, 1], [2, 1], [3, 2]]
    assert ax.images[0].get_array()[1, 2] == -9 and ax.images[0].get_clim() == (-9, 9)
    assert ax.images[0].get_extent() == [0.5, 3.5, 0.5, 4.5]


@pytest.mark.usefixtures("figure")
def test_margins_are_counted_by_group_around_the_threshold():
    plots.margins({"own": [20, 21, 30], "other": [80]}, 50)
    ax = plt.gca()
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["own", "other"]
    counts = {}
    for bar in ax.patches:
        colour = to_hex(bar.get_facecolor())
        counts[colour] = counts.get(colour, 0) + bar.get_height()
    assert counts[PALETTE["green"]] == 3 and counts[PALETTE["amber"]] == 1
    assert ax.lines[0].get_xdata()[0] == 50


def test_what_lies_below_the_threshold_is_heard_and_coloured():
    page = widgets.threshold_page({"lamp": [20, 90], "others": [60, 100, np.inf]}, "lamp", 70, (0, 100))
    assert "aria-label='Threshold 70. lamp: 1 of 2 heard; others: 1 of 3 heard.'" in page
    assert page.count("1 of 2") == 2 and page.count("1 of 3") == 2
    green, red = (re.findall(rf"<path d='M(\d+) [^']*' stroke='{PALETTE[name]}'", page)
                  for name in ("green", "vermilion"))
    assert green == [str(round(LEFT + 0.2 * WIDTH))] and red == [str(round(LEFT + 0.6 * WIDTH))]
    assert page.count(f"M{LEFT + WIDTH} ") == 2  # 100, and what is never heard


# ---------------------------------------------------------------- by hand


def test_floor_peak_and_weight_by_hand_are_the_librarys(by_hand):
    loudness = np.random.default_rng(0).integers(-20, 60, 27)  # shorter than what makes the floor hurry
    rows, one = by_hand["follow"](loudness), words.Loudness()
    for e, (floor, peak, weight) in zip(loudness.tolist(), rows.tolist(), strict=True):
        assert words.weight(one.push(e)) == weight and (one.floor, one.peak) == (floor, peak)


@pytest.mark.parametrize("seed", range(20))
def test_parts_distances_and_costs_by_hand_are_the_librarys(by_hand, seed):
    dice = np.random.default_rng(seed)
    codes = np.concatenate([[3], dice.integers(0, words.LARGEST_CODE + 1, 15)])
    vectors = np.concatenate([dice.integers(-8, 8, (16, 10)), dice.integers(0, 16, (16, 32))], axis=1)
    one = words.Segment(0, 16, codes, vectors)
    assert (by_hand["quarters"](np.array([words.weight(c) for c in codes.tolist()]), one.vectors) == one.parts()).all()
    word = words.Word("lamp", words.Sums(one.parts(), 1).template(), int(dice.integers(0, 150)))
    cost = one.cost(one.beyond(word.template[None].astype(int)), word.threshold).item()
    assert by_hand["listen"](one, word)[-1, -1] == cost
    assert by_hand["crc"](word.pack()) == 0 and by_hand["crc"](word.pack()[:-1]) != 0


def test_a_stub_gets_a_hint_and_a_solution_is_right():
    for name in ("template_bytes", "outlier", "warp"):
        stub, solution = [cell for cell in CELLS if cell.source.startswith(f"def {name}(")]
        assert "gives nothing yet.\nHint: " in "".join(text_outputs(stub)), name
        assert "".join(text_outputs(solution)).startswith(f"{name}: right, on all "), name
        assert "hide-cell" in solution["metadata"]["tags"] and "tags" not in stub["metadata"]


# ---------------------------------------------------------------- what the text says


def test_takes_are_judged_as_the_text_says():
    assert output("loud = np.clip").split() == "ok ok ok unlike clipped ok ok".split()
    by = dict(re.findall(r"by (\w+): (\d+)", output("for how, w in")))
    assert by["energy"] == "0" and int(by["time"]) > 20
    assert output("halves = ").splitlines() == ["halves: 0 of 64 pass", "whole pages: 1 of 1 pass"]
    names = [output(start) for start in ("with taught.connected(port) as there:\n    there.rename", "again = ")]
    assert "tea" in names[0] and "lamp" not in names[0] and names[0] == names[1]


def test_the_board_heard_what_the_definition_hears():
    lines = re.findall(r"[\d.]+ s: (\w+), the definition (\w+)", output("library = words.heard"))
    assert [mine for mine, _ in lines][:2] == ["lamp", "coffee"] and all(mine == same for mine, same in lines)


def test_what_people_get_is_as_it_was_measured():
    results = store.load()
    tried = {row["design"]: row for row in results["words.tried"]["value"]}
    bare, block, both = (tried[name] for name in ("coefficients alone", "the block alone", "as it is"))
    assert bare["anyone"] < block["anyone"] < both["anyone"]
    assert block["heard"]["0.5 an hour"] < bare["heard"]["0.5 an hour"] < both["heard"]["0.5 an hour"]
    assert abs(tried["5 parts"]["heard"]["0.5 an hour"] - both["heard"]["0.5 an hour"]) < 1  # "gives nothing"
    assert tried["in one bit"]["heard"]["0.5 an hour"] < both["heard"]["0.5 an hour"]
    heard = [row["at"]["heard"]["clean"]["percent"] for row in results["words.by_takes"]["value"].values()]
    assert heard[1] - heard[0] > heard[2] - heard[1] > 0
    warping, owner = results["words.warping"]["value"], results["words.owner"]["value"]["1% of other words"]
    assert results["words.owner_closed"]["value"]["clean"]["percent"] > warping["closed"]["clean"]["percent"]
    assert owner["heard"]["clean"]["percent"] > warping["heard"]["percent"]


def test_strangers_are_heard_as_badly_as_the_text_says():
    """Best with words that the network knows, and worst with twins: which words were drawn is drawn again here."""
    theirs, drawn, other = store.load()["words.published"]["value"].values()
    for row in (drawn, other):
        for share in few_shot.FALSE_ACCEPTS:
            assert row[share]["percent"] < theirs[share]["percent"]  # whose row "flatters us"
        assert row["at_1_percent"]["percent"] < row["closed"]["percent"] / 2  # "near enough does not" survive
    names = sorted({*few_shot.OTHERS, "backward", "follow", "forward", "learn", "visual"})
    tens = [np.random.default_rng(draw).permutation(names)[: few_shot.WORDS] for draw in range(few_shot.DRAWS)]
    one = np.array([("three" in ten) != ("tree" in ten) for ten in tens])
    heard = np.array(drawn["at_1_percent"]["draws"])
    assert 2 < one.sum() < 8 and heard[one].mean() < heard[~one].mean() / 2
