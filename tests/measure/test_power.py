"""The estimate of current: the datasheet's figures at both ends, straight lines between, one line for anything else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyspeech.errors import UserError
from tinyspeech.measure import power
from tinyspeech.measure.stages import bench


@pytest.mark.parametrize("clock_hz, run_ma, sleep_ma", [(24_000_000, 3.1, 1.0), (48_000_000, 3.9, 1.8)])
def test_the_ends_are_the_datasheets_and_half_is_half_way(clock_hz, run_ma, sleep_ma):
    ends = {0: sleep_ma, clock_hz: run_ma, clock_hz // 2: (run_ma + sleep_ma) / 2}
    for cycles, milliamps in ends.items():
        result = power.estimate(cycles, clock_hz)
        assert result["duty"] == cycles / clock_hz and result["milliamps"] == pytest.approx(milliamps)
        assert result["milliwatts"] == pytest.approx(3.3 * milliamps)
        for name, hours in result["battery_hours"].items():
            assert hours * milliamps == pytest.approx(power.BATTERIES_MAH[name])


@given(st.integers(0, 24_000_000), st.integers(0, 24_000_000))
def test_more_work_takes_more_current(one, other):
    milliamps = [power.estimate(cycles, 24_000_000)["milliamps"] for cycles in sorted((one, other))]
    assert power.STANDBY_MA < milliamps[0] <= milliamps[1]


@pytest.mark.parametrize("cycles, clock_hz, match", [
    (1, 8_000_000, "at 8 MHz, only at 24 MHz and 48 MHz"), (24_000_001, 24_000_000, "24,000,001 cycles do not fit"),
    (-1, 24_000_000, "do not fit"), (float("nan"), 24_000_000, "do not fit"),
])
def test_what_cannot_be_estimated_is_one_line(cycles, clock_hz, match):
    with pytest.raises(UserError, match=match):
        power.estimate(cycles, clock_hz)


def test_a_microphone_adds_its_current_and_is_no_longer_left_out():
    alone, heard = (power.estimate(12_000_000, 24_000_000, ma) for ma in (0, power.MICROPHONE_MA))
    assert heard["milliamps"] == pytest.approx(alone["milliamps"] + power.MICROPHONE_MA)
    assert all(heard["battery_hours"][name] < hours / 2 for name, hours in alone["battery_hours"].items())
    assert "microphone" in alone["not_included"] and "microphone" not in heard["not_included"]
    assert heard["not_included"].endswith("LED, regulator")


def test_bench_estimates_the_shipped_network():
    figures = bench()
    assert figures["power"] == power.estimate(figures["cycles_per_audio_second"], figures["clock_hz"])
    assert figures["power"]["milliamps"] < (3.1 + 1.0) / 2  # asleep more than half the time
