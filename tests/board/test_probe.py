"""The image of trials: on the virtual board it reports what the board assumes, whichever switch is thrown."""

import json

import numpy as np
import pytest

from tinyspeech.board import isp, probe
from tinyspeech.board.cable import Cable
from tinyspeech.board.microphone import SIGNAL_HZ
from tinyspeech.board.virtual import VirtualBoard, shipped_image
from tinyspeech.chip.assumptions import Assumptions, assumed, assuming, rows, single
from tinyspeech.errors import UserError

THROWN = [said for said in single()
          if all(row.name not in probe.UNTRIED for row in rows() if said[row.name] != row.value)]


@pytest.fixture(scope="module")
def image():
    return probe.build().bin.read_bytes()


@pytest.fixture(scope="module")
def entry_base():
    return int(probe.reference()["entry"])


def trials_on(image: bytes, said: Assumptions) -> probe.Trials:
    with assuming(said):
        line = Cable(VirtualBoard(image))
    line.board.advance(0.05)
    return probe.Trials(line, lambda: line.board.now)


def told(row, found: str, value: int) -> bool:
    """Whether the report says this value: by its label, or as near as it can be measured."""
    return found == row.label(value) or (row.name in probe.NEAR and found and probe._near(row.name, found, value))


@pytest.mark.parametrize("said", [assumed(), *THROWN], ids=str)
def test_the_report_says_what_the_chip_is(image, entry_base, said):
    found, _ = probe.measure(trials_on(image, said), entry_base)
    for row in rows():
        if row.name in probe.UNTRIED or (row.name == "wfe_latches" and not said["wfe_wakes"]) \
                or (row.name == "hardware_stacking_bytes" and row.name not in found):
            continue  # the last two: what cannot be told is left out, and the report says so
        assert told(row, found[row.name], said[row.name]), row.name
    assert found["wfi wakes"] == "yes"


def test_the_report_judges(image):
    with assuming(Assumptions(crystal="no", hsi_error_ppm=90_000 // 4)):
        report = {finding.name: finding for finding in probe.report(trials_on(image, assumed()))}
    assert report["crystal"].verdict.startswith("otherwise") and report["mtvec_granularity"].verdict == "as assumed"
    assert report["hsi_error_ppm"].verdict.startswith("unheard of")
    assert report["options_taken"].verdict.startswith("not tried")
    assert set(probe.UNTRIED) < {row.name for row in rows()}
    lines = probe.table([*report.values()]).splitlines()
    assert len(lines) == len(report) + 1 and lines[0].split() == ["what", "assumed", "found", "verdict"]
    assert json.loads(json.dumps(probe.as_json([*report.values()])))["rows"][0]["name"] == rows()[0].name


def test_noise_of_the_microphones_pin_is_measured(image):
    trials = trials_on(image, assumed())
    noise = np.random.default_rng(0).normal(40, 3, SIGNAL_HZ)  # steps of the ADC
    trials.line.board.chip.connect_microphone(np.clip(64 * noise, 0, 65535).astype(np.uint16), SIGNAL_HZ)
    total, squares, least, _ = trials.ask("a")
    mean, spread = total / 256, (squares / 256 - (total / 256 - least) ** 2) ** 0.5
    assert abs(mean - 39.5) < 1 and 2 < spread < 4


def test_the_board_is_flashed_with_it_and_back(image):
    """After the trials the chip may stand in one of them for good: what cannot be tried here must not keep it."""
    line = Cable(VirtualBoard(shipped_image()))
    assert isp.flash(line, image)["verified"]
    report = {finding.name: finding for finding in probe.report(probe.Trials(line, lambda: line.board.now))}
    assert probe.SWITCH_OFF in report["sram_at_power_on"].verdict  # there was none
    assert report["wfe_wakes"].verdict == "as assumed"
    line.board.power_cycle()
    assert isp.flash(line, shipped_image())["verified"] and isp.ask_version(line)


def test_another_program_is_no_probe():
    with pytest.raises(UserError, match="--no-flash"):
        trials_on(shipped_image(), assumed()).ask("b")
