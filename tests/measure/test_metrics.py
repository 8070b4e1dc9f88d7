"""The arithmetic of evaluation, against cases small enough to do by hand."""

import math

import numpy as np
import pytest

from tinyspeech import CLASSES
from tinyspeech.measure import metrics

PROBABILITIES = np.array([  # three classes: 0 is no keyword, 1 and 2 are
    [0.1, 0.8, 0.1],  # said 1, right
    [0.2, 0.2, 0.6],  # said 1, taken for 2
    [0.7, 0.2, 0.1],  # said 2, taken for none
    [0.05, 0.05, 0.9],  # said 2, right
    [0.9, 0.05, 0.05],  # said none, right
    [0.3, 0.4, 0.3],  # said none, taken for 1
])
LABELS = np.array([1, 1, 2, 2, 0, 0])


def test_confusion_matrix_and_recall():
    confusion = metrics.confusion_matrix([0, 0, 0, 2, 2], [0, 2, 2, 2, 0], 3)
    assert confusion.tolist() == [[1, 0, 2], [0, 0, 0], [1, 0, 1]]  # rows: truth
    assert metrics.per_class_recall(confusion) == [1 / 3, None, 1 / 2]


@pytest.mark.parametrize("right, n, low, high", [
    (0, 10, 0.0, 3.8415 / 13.8415), (10, 10, 10 / 13.8415, 1.0),  # z^2 / (n + z^2)
    (50, 100, 0.5 - 0.0962, 0.5 + 0.0962),  # z / 2 / sqrt(n + z^2)
])
def test_wilson_interval(right, n, low, high):
    """At the ends it stays within 0 .. 1 and has a width."""
    assert metrics.wilson_interval(right, n) == pytest.approx([low, high], abs=5e-5)


def test_wilson_interval_needs_clips():
    with pytest.raises(ValueError, match="at least one"):
        metrics.wilson_interval(0, 0)


def test_calibration_by_hand():
    """Confidences 0.8 0.6 0.7 0.9 0.9 0.4; right, wrong, wrong, right, right, wrong; bins of a fifth."""
    result = metrics.calibration(PROBABILITIES, LABELS, bins=5)
    assert result["bins"] == 5 and result["count"] == [0, 1, 1, 2, 2]  # an upper edge belongs to its bin
    assert result["confidence"] == [None, *map(pytest.approx, (0.4, 0.6, 0.75, 0.9))]
    assert result["accuracy"] == [None, 0.0, 0.0, 0.5, 1.0]
    assert result["ece"] == pytest.approx((1 * 0.4 + 1 * 0.6 + 2 * 0.25 + 2 * 0.1) / 6)


def test_a_calibrated_guesser_has_no_error_and_a_boaster_has():
    labels = np.repeat([0, 1], [70, 30])
    assert metrics.calibration(np.tile([0.7, 0.3], (100, 1)), labels)["ece"] == pytest.approx(0)
    assert metrics.calibration(np.tile([1.0, 0.0], (100, 1)), labels)["ece"] == pytest.approx(0.3)


def curve(thresholds):
    return metrics.rejection(PROBABILITIES.max(1), PROBABILITIES.argmax(1), LABELS, (1, 2), thresholds)


def test_rejection_by_hand():
    assert curve((0.0, 0.6, 0.85, 1.0)) == {
        "threshold": [0.0, 0.6, 0.85, 1.0],
        "right": [0.5, 0.5, 0.25, 0.0],
        "confused": [0.25, 0.25, 0.0, 0.0],  # 0.6 is accepted at 0.6
        "rejected": [0.25, 0.25, 0.75, 1.0],
        "false_accept": [0.5, 0.0, 0.0, 0.0],
    }


def test_rejection_of_no_clips_is_none():
    only_others = metrics.rejection(np.array([0.9]), np.array([1]), np.array([0]), (1, 2), (0.5,))
    assert only_others["right"] == only_others["confused"] == only_others["rejected"] == [None]
    assert only_others["false_accept"] == [1.0]


def test_rejection_shares_sum_to_one_and_accepts_only_fall():
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.full(12, 0.3), 500)
    result = metrics.rejection(p.max(1), p.argmax(1), rng.integers(0, 12, 500), range(2, 12))
    shares = np.array([result[key] for key in ("right", "confused", "rejected")])
    assert np.allclose(shares.sum(axis=0), 1)
    assert (np.diff(result["false_accept"]) <= 0).all() and (np.diff(result["rejected"]) >= 0).all()
    assert result["rejected"][0] < result["rejected"][-1]


def test_margins():
    assert metrics.margins(np.array([[5, 9, 2], [7, 7, -3]], np.int32)).tolist() == [4, 0]
    extremes = np.array([[-(2**31), 2**31 - 1, -(2**31)]], np.int32)
    assert metrics.margins(extremes).tolist() == [2**32 - 1]  # no overflow


def test_threshold_margin():
    assert metrics.threshold_margin(0.9, 0.01) == math.ceil(math.log(9) / 0.01) == 220
    assert metrics.threshold_margin(0.5, 0.01) == metrics.threshold_margin(0.0, 0.01) == 0
    for wrong in (1.0, -0.1, math.nan):
        with pytest.raises(ValueError, match="between 0 and 1"):
            metrics.threshold_margin(wrong, 0.01)


def test_the_margin_accepts_what_the_probability_accepts():
    """And of two classes, exactly that."""
    rng = np.random.default_rng(1)
    for classes in (2, 12):
        logits = rng.integers(-500, 500, (4000, classes))
        p = np.exp((logits - logits.max(1, keepdims=True)) * 0.01)
        p = p.max(1) / p.sum(1)
        for threshold in (0.6, 0.8, 0.95):
            by_probability = p >= threshold
            by_margin = metrics.margins(logits) >= metrics.threshold_margin(threshold, 0.01)
            assert by_margin[by_probability].all() and by_probability.any() and not by_probability.all()
            assert classes > 2 or np.array_equal(by_margin, by_probability)


def test_tables_are_narrow_and_complete():
    confusion = np.arange(144).reshape(12, 12)
    lines = metrics.confusion_table(confusion, CLASSES).splitlines()
    assert len(lines) == 13 and max(map(len, lines)) <= 100
    assert lines[0].split()[:3] == ["_sil_", "_unk_", "yes"]
    for i, (name, line) in enumerate(zip(CLASSES, lines[1:], strict=True)):
        assert line.split() == [name, *(str(n) if n else "." for n in confusion[i])]
    wide = metrics.confusion_table(np.full((12, 12), 1_000_000), CLASSES).splitlines()
    assert wide[1].split() == ["_silence_", *["1000000"] * 12]

    rows = metrics.rejection_table(curve((0.0, 0.6))).splitlines()
    assert rows[1].split() == "0.00 50.00 % 25.00 % 25.00 % 50.00 %".split()
    empty = metrics.rejection(np.array([9]), np.array([1]), np.array([0]), (1, 2), (1500,))
    assert "1,500" in metrics.rejection_table(empty) and metrics.rejection_table(empty).count("no clips") == 3
