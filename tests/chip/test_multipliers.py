"""Ways to multiply without a multiplier: the same sums on the chip at whatever cost; the one that ships is cheap."""

import re

import numpy as np
import pytest

from tinyspeech.errors import UserError
from tinyspeech.integer import packing
from tinyspeech.measure import ways
from tinyspeech.measure.stages import bench


@pytest.mark.parametrize("name", ways.WAYS)
def test_every_way_computes_the_layer_from_flash_and_from_sram(name):
    """`race_one` compares with numpy at random and at the ends; the weights hold every value."""
    rng = np.random.default_rng(3)
    weight = rng.integers(-8, 8, (10, 16)).astype(np.int8)
    weight[0], weight[1] = -8, 7
    row = ways.race_one(weight, name)
    assert row["bytes"] > 20 and row["ram_bytes"] >= ways.WAYS[name].work_bytes
    assert row["cycles_per_mac"] < row["cycles_per_mac_48_mhz"]
    assert row["cycles_per_mac_sram"] is None or row["cycles_per_mac_sram"] < row["cycles_per_mac_48_mhz"]


@pytest.mark.parametrize("name", ["shift_add", "subset_sums_pair"])
def test_its_stack_is_what_its_first_instructions_take(name):
    """By hand and without calls: what it moves the stack pointer down by, and nothing of its caller's."""
    weight = np.ones((4, 16), np.int8)
    on_chip = ways.WayOnChip(weight, name)
    run = on_chip.run(np.ones(16), np.ones(16) if ways.WAYS[name].vectors == 2 else None, 24)
    down = [int(text.rsplit(maxsplit=1)[1], 0) for text in (line.text for line in on_chip.listing())
            if re.match(r"(c\.)?addi(16sp)? sp, (sp, )?-", text)]
    assert len(down) == 1 and run.stack_bytes == -down[0]


def test_a_wrong_layer_is_noticed(monkeypatch):
    weight = np.ones((4, 8), np.int8)
    monkeypatch.setitem(ways.PACKED, "words", lambda w: packing.pack_dense(-w))
    with pytest.raises(AssertionError, match="another layer"):
        ways.race_one(weight, "subset_sums_pair")


def test_the_shipped_kernel_needs_six_cycles_at_most():
    assert bench()["cycles_per_mac"] <= 6


def test_weights_of_five_bits_are_refused():
    with pytest.raises(UserError, match="4-bit"):
        ways.race_one(np.full((2, 4), 8, np.int8), "subset_sums")
