"""From scores that never end to words: the definition that `firmware/decision.c` follows (chapter 10).

A clip ends, and its answer is an average over its frames. A microphone does not: here the average leaks, so that what
was heard a second ago counts little, and a word is reported when one keyword leads it clearly.
All arithmetic is that of the chip: integers, `>>` rounds down. This file knows nothing of torch or of the front end.

| step | computes |
| --- | --- |
| every frame of scores | sum = sum - (sum >> `LEAK_BITS`) + weight * score; the same for the weights themselves |
| every `STEP_FRAMES` frames | the class that leads, and its lead over the next: best - second of the sums |
| rejected | silence or unknown leads; weights < `LEAST_WEIGHT`; lead < `MARGIN` * weights; or a word came just before |
| reported | the class that leads; then the sums are forgotten, and for `REFRACTORY_STEPS` nothing is reported |

The constants were chosen on half an hour of speakers that the network was trained on: 800 clips of Speech Commands with
pauses and a little noise. With a leak of 4 bits and a margin of 200, 80 reports an hour were wrong there; now 10 are,
for one word in a hundred that is missed more.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from tinyspeech import CLASSES
from tinyspeech.errors import UserError
from tinyspeech.integer import IntegerModel, sigmoid_q7

STEP_FRAMES = 2
"""The chip computes two frames of scores together."""
LEAK_BITS = 3
"""A frame's share falls to 1/e in 8 frames, 0.32 s at 25 frames a second."""
LEAST_WEIGHT = 240
"""Below that too little has been heard: a frame in a word weighs about 100, one between words 1 to 3."""
MARGIN = 300
"""In units of the clip's answer; `multiply` on the chip takes up to 511."""
REFRACTORY_STEPS = 8
"""0.64 s in which nothing is reported after a word."""
REJECTED = 2
"""The first classes, silence and unknown, are no words."""


@dataclass
class Decision:
    """Sums, and a rest after a word: 53 bytes on the chip, where they are the network's own sums of a clip."""

    sums: np.ndarray = field(default_factory=lambda: np.zeros(len(CLASSES), np.int64))
    """int32 on the chip: |sum| < 2**LEAK_BITS times a frame's largest score."""
    weight: int = 0
    frames: int = 0
    """Since the last step."""
    refractory: int = 0
    """Steps to go."""

    def push(self, scores: np.ndarray, weight: int) -> int | None:
        """Take a frame's weighed scores, int [12], and its weight, 1 .. 129: the class of a word, or None."""
        self.sums += scores - (self.sums >> LEAK_BITS)
        self.weight += weight - (self.weight >> LEAK_BITS)
        self.frames += 1
        if self.frames < STEP_FRAMES:
            return None
        self.frames = 0
        return self._step()

    def _step(self) -> int | None:
        if self.refractory:
            self.refractory -= 1
            return None
        best = int(self.sums.argmax())
        lead = self.sums[best] - np.delete(self.sums, best).max()
        if best < REJECTED or self.weight < LEAST_WEIGHT or lead < MARGIN * self.weight:
            return None
        self.sums[:], self.weight, self.refractory = 0, 0, REFRACTORY_STEPS
        return best


def frame_scores(model: IntegerModel, features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weighed scores int64 [T', 12] and weights int64 [T'] of a stream, int8 [T, inputs], by the definition.

    Raises `UserError` for a network whose frames are not weighed: its scores have no common unit with `MARGIN`.
    """
    if model.layers[-1].kind != "weighed_classifier":
        raise UserError(f"{model.name} does not weigh its frames, and the decision needs their weights")
    record: dict[str, np.ndarray] = {}
    model.run(features[None], record)
    argument = next(layer.name for layer in reversed(model.layers) if layer.target == "pooled")
    count = -(-len(features) // int(np.prod([layer.stride for layer in model.layers])))  # without the flush
    weights = sigmoid_q7(record[argument][0, :count, 0]) + 1
    return record[model.layers[-1].name][0, :count], weights


def words(scores: np.ndarray, weights: Iterable[int]) -> list[tuple[int, int]]:
    """(frame, class) of every word that `Decision` reports in a stream of `frame_scores`."""
    decision = Decision()
    found = []
    for frame, (row, weight) in enumerate(zip(scores, weights, strict=True)):
        heard = decision.push(row, int(weight))
        if heard is not None:
            found.append((frame, heard))
    return found
