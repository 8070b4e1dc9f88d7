"""Arithmetic of evaluation: labels and probabilities in, plain values out. No torch, no files, no engines.

    from tinyspeech.measure import metrics
    metrics.confusion_matrix(labels, guesses, 12)       # int [12, 12], rows: truth

`evaluate.py` says which clips these figures are computed of. Chapter 4.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy.stats import binomtest

CALIBRATION_BINS = 15
"""Bins of equal width for the calibration error, as in Guo et al. (2017), arXiv:1706.04599."""
THRESHOLDS = (0.0, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
"""Where the rejection curve is read; at 0 the network's plain answer counts."""


def confusion_matrix(labels: np.ndarray, guesses: np.ndarray, classes: int) -> np.ndarray:
    """How often each class was taken for each: int [N] and int [N] -> int64 [classes, classes], rows: truth."""
    confusion = np.zeros((classes, classes), np.int64)
    np.add.at(confusion, (np.asarray(labels, int), np.asarray(guesses, int)), 1)
    return confusion


def per_class_recall(confusion: np.ndarray) -> list[float | None]:
    """Share of each class's clips that were recognised, 0 .. 1; None for a class without clips."""
    return [float(row[i] / row.sum()) if row.sum() else None for i, row in enumerate(np.asarray(confusion))]


def wilson_interval(right: int, n: int) -> list[float]:
    """95 % interval of a share, `right` of `n` (Wilson 1927): [lowest, highest], 0 .. 1.

    It takes clips as independent. Clips of one speaker are not quite, so the true interval is somewhat wider.
    """
    if n < 1:
        raise ValueError("an interval needs at least one clip")
    interval = binomtest(right, n).proportion_ci(confidence_level=0.95, method="wilson")
    return [float(interval.low), float(interval.high)]


def calibration(probabilities: np.ndarray, labels: np.ndarray, bins: int = CALIBRATION_BINS) -> dict:
    """How far confidence is from accuracy: the expected calibration error and the reliability diagram under it.

    Confidence is the probability of the winning class. Clips are sorted into `bins` bins of equal width over 0 .. 1
    (a bin's upper edge belongs to it); the error is the mean over all clips of |accuracy - confidence| of their bin.

    Parameters
    ----------
    probabilities : float [N, C], rows sum to 1
    labels : int [N]

    Returns
    -------
    {"ece" (0 .. 1), "bins", "count" [bins], "confidence" [bins], "accuracy" [bins]}; in an empty bin the means are None
    """
    probabilities, labels = np.asarray(probabilities, float), np.asarray(labels, int)
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == labels
    place = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    count = np.bincount(place, minlength=bins)
    sums = {"confidence": np.bincount(place, confidence, bins), "accuracy": np.bincount(place, right, bins)}
    ece = float(np.abs(sums["accuracy"] - sums["confidence"]).sum() / len(labels))
    means = {key: [float(s / n) if n else None for s, n in zip(total, count, strict=True)]
             for key, total in sums.items()}
    return {"ece": ece, "bins": bins, "count": count.tolist(), **means}


def rejection(confidence: np.ndarray, guesses: np.ndarray, labels: np.ndarray, keywords: Sequence[int],
              thresholds: Sequence[float] = THRESHOLDS) -> dict:
    """What a threshold on the confidence in a keyword rejects, and at what cost.

    The rule: a clip is accepted as a keyword if a keyword wins over all classes and the confidence is at least the
    threshold; else the answer is "no keyword". `right`, `confused` and `rejected` share out the keyword clips and sum
    to 1; `false_accept` is of the others (unknown words and silence). Choose the threshold on validation.

    Confidence is the winner's probability, or its `margins`, which a chip without exponentials has at hand.

    Parameters
    ----------
    confidence : [N], larger is surer
    guesses, labels : int [N], the winning class and the true one
    keywords : indices of the keyword classes
    thresholds : in the unit of `confidence`

    Returns
    -------
    {"threshold", "right", "confused", "rejected", "false_accept"}, each a list as long as `thresholds`; shares of no
    clips are None
    """
    confidence, guesses, labels = np.asarray(confidence), np.asarray(guesses, int), np.asarray(labels, int)
    spoken = np.isin(labels, keywords)
    curve: dict[str, list] = {key: [] for key in ("threshold", "right", "confused", "rejected", "false_accept")}
    for threshold in thresholds:
        accepted = np.isin(guesses, keywords) & (confidence >= threshold)
        curve["threshold"].append(threshold)
        for key, hit, among in (("right", accepted & (guesses == labels), spoken),
                                ("confused", accepted & (guesses != labels), spoken),
                                ("rejected", ~accepted, spoken), ("false_accept", accepted, ~spoken)):
            curve[key].append(float(hit[among].mean()) if among.any() else None)
    return curve


def margins(logits: np.ndarray) -> np.ndarray:
    """The highest logit less the second highest, what a chip compares: int [N, C] -> int64 [N], 0 or more."""
    top = np.sort(np.asarray(logits).astype(np.int64), axis=1)
    return top[:, -1] - top[:, -2]


def threshold_margin(threshold: float, logit_step: float) -> int:
    """The margin that belongs to a probability, were there no third class.

    The winner's p = 1 / (1 + sum of exp(z_j - z_top)) is at most 1 / (1 + exp(-margin)), so p >= threshold needs
    margin >= ln(threshold / (1 - threshold)). A test by margin accepts all that the probability accepts, and more
    where third classes matter: it has a rejection curve of its own, from which its threshold is to be chosen.

    Parameters
    ----------
    threshold : 0 .. 1, 1 excluded
    logit_step : what one unit of the integer logits is worth (`engines.Engine.logit_step`)

    Returns
    -------
    Least margin that is accepted, in units of the integer logits, 0 or more

    Raises
    ------
    ValueError : threshold out of range
    """
    if not 0 <= threshold < 1:
        raise ValueError(f"a threshold lies between 0 and 1, not at {threshold}")
    if threshold <= 0.5:
        return 0
    return math.ceil(math.log(threshold / (1 - threshold)) / logit_step)


def confusion_table(confusion: np.ndarray, classes: Sequence[str]) -> str:
    """The confusion matrix as text, at most 100 columns wide for 12 classes: rows truth, columns answers, 0 a dot."""
    def short(name: str) -> str:
        return name if len(name) <= 5 else f"{name[:4]}_" if name.startswith("_") else name[:5]

    width = max(6, 1 + len(str(np.max(confusion))))
    side = 1 + max(map(len, classes))
    lines = [" " * side + "".join(f"{short(name):>{width}}" for name in classes)]
    lines += [f"{name:{side}}" + "".join(f"{n or '.':>{width}}" for n in row)
              for name, row in zip(classes, np.asarray(confusion).tolist(), strict=True)]
    return "\n".join(lines)


def rejection_table(curve: dict) -> str:
    """A rejection curve as text, in percent."""
    heads = {"right": "right", "confused": "confused", "rejected": "rejected", "false_accept": "false accepts"}
    lines = ["threshold " + "".join(f"{head:>15}" for head in heads.values())]
    for i, threshold in enumerate(curve["threshold"]):
        cells = ("no clips" if curve[key][i] is None else f"{100 * curve[key][i]:.2f} %" for key in heads)
        mark = f"{threshold:9,}" if isinstance(threshold, int) else f"{threshold:9.2f}"
        lines.append(f"{mark} " + "".join(f"{cell:>15}" for cell in cells))
    return "\n".join(lines)
