"""From scores that never end to words: the definition that `firmware/decision.c` follows (chapter 10).

A clip ends, and its answer is an average over its frames. A microphone does not: here the average leaks, so that what
was heard a second ago counts little, and a word is reported when one keyword leads it clearly.
All arithmetic is that of the chip: integers, `>>` rounds down. This file knows nothing of torch or of the front end.

| step | computes |
| --- | --- |
| every frame of scores | sum = sum - (sum >> `LEAK_BITS`) + weight * score |
| every `STEP_FRAMES` frames | the class that leads, and its lead over the next: best - second of the sums |
| rejected | silence or unknown leads; lead < `LEAST_LEAD`; or a word came just before |
| reported | the class that leads; then the sums are forgotten, and for `REFRACTORY_STEPS` nothing is reported |
| armed and closed | a word that is not the first word: all the same, only not reported |
| armed, the first word | reported; then it is open for `WINDOW_STEPS` |
| armed and open | whichever word comes next is reported and closes it |
| a taught word | (`words.py`) is reported where the board is open, and closes it; armed by `TAUGHT`, it opens it |

A word that an armed board keeps to itself costs what a reported one does: an armed stream reports a part of what an
open one reports, at the same frames.

A lead is not divided by the weights: what was hardly heard cannot lead by much, whatever it was like.

The constants were chosen on three hours of running speech of speakers that the network was trained on, and on rows of
their keywords (`python -m tinyspeech measure choose`; `hours.choice` in data/results.json). At as many false reports, a
leak of three bits hears more than one of two, in noise and in rooms most of all; one of four bits hears less, and
reports late. A sensitivity's least lead is the smallest that keeps to so many false reports an hour of that speech:
one, five or eight (`hours.chosen`). Rules beside it buy nothing in speech (`hours.rules`);
in music one would, at a price in noise (`hours.rules_in_music`).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from tinyspeech import CLASSES
from tinyspeech.errors import UserError
from tinyspeech.integer.network import IntegerModel

STEP_FRAMES = 2
"""The chip computes two frames of scores together."""
LEAK_BITS = 3
"""A frame's share falls to a third in 8 frames, 0.32 s at 25 frames a second."""
LEAST_LEADS = {"low": 149_504, "normal": 105_472, "high": 37_888}
"""By sensitivity, in weights times scores: normal is 103 * 2**10. A frame in the middle of a word weighs about 100."""
SENSITIVITIES = tuple(LEAST_LEADS)
DEFAULT_SENSITIVITY = "normal"
LEAST_LEAD = LEAST_LEADS[DEFAULT_SENSITIVITY]
WINDOW_STEPS = 38
"""3.04 s in which an armed board is open after the first word."""
REFRACTORY_STEPS = 8
"""0.64 s in which nothing is reported after a word."""
LISTENS = "weighed_classifier"
"""Kind of the last layer of networks with which a board can listen."""
REJECTED = 2
"""The first classes, silence and unknown, are no words."""
TAUGHT = 1
"""In place of a first word: taught words, all of them."""


@dataclass
class Decision:
    """Sums, a rest after a word and a window: 50 bytes on the chip, where the sums are the network's own of a clip.

    sensitivity : of `LEAST_LEADS`
    first_word : class that opens an armed board, or `TAUGHT`; None is a board that is always open
    least_lead : in place of the sensitivity's, to try others than those that ship

    Raises `UserError` for a sensitivity that there is not, and for a first word that is no word.
    """

    sums: np.ndarray = field(default_factory=lambda: np.zeros(len(CLASSES), np.int64))
    """int32 on the chip: |sum| < 2**LEAK_BITS times a frame's largest score."""
    frames: int = 0
    """Since the last step."""
    refractory: int = 0
    """Steps to go."""
    window: int = 0
    """Steps for which an armed board is still open."""
    leader: tuple[int, int] = (0, 0)
    """At the last step: the class that led, and its lead; (0, 0) in the rest after a word. Not on the chip."""
    leak_bits: int = field(default_factory=lambda: LEAK_BITS)
    least_lead: int | None = None
    sensitivity: str = DEFAULT_SENSITIVITY
    first_word: int | None = None

    def __post_init__(self):
        if self.sensitivity not in LEAST_LEADS:
            raise UserError(f"there is no sensitivity {self.sensitivity!r}: choose from {', '.join(SENSITIVITIES)}")
        if self.first_word not in (None, TAUGHT) and not REJECTED <= self.first_word < len(CLASSES):
            raise UserError(f"class {self.first_word} is no word that opens an armed board: "
                            f"choose from {REJECTED} to {len(CLASSES) - 1}")
        if self.least_lead is None:
            leads = {**LEAST_LEADS, DEFAULT_SENSITIVITY: LEAST_LEAD}  # chapter 10 tries others in place of `LEAST_LEAD`
            self.least_lead = leads[self.sensitivity]

    def push(self, scores: np.ndarray) -> int | None:
        """Take a frame's weighed scores, int [12]: the class of a word, or None."""
        self.sums += scores - (self.sums >> self.leak_bits)
        self.frames += 1
        if self.frames < STEP_FRAMES:
            return None
        self.frames = 0
        return self._step()

    def taught(self) -> bool:
        """Behind a step: a taught word is over. Whether it is reported."""
        is_open = self.first_word in (None, TAUGHT) or self.window > 0
        self.window = WINDOW_STEPS if self.first_word == TAUGHT else 0
        return is_open

    def _step(self) -> int | None:
        is_open = self.first_word is None or self.window > 0
        self.window = max(0, self.window - 1)
        self.leader = 0, 0
        if self.refractory:
            self.refractory -= 1
            return None
        best = int(self.sums.argmax())
        lead = self.sums[best] - np.delete(self.sums, best).max()
        self.leader = best, int(lead)
        if best < REJECTED or lead < self.least_lead:
            return None
        self.sums[:], self.refractory = 0, REFRACTORY_STEPS
        if is_open:
            self.window = 0
            return best
        if best != self.first_word:
            return None
        self.window = WINDOW_STEPS
        return best


def frame_scores(model: IntegerModel, features: np.ndarray) -> np.ndarray:
    """Weighed scores int64 [T', 12] of a stream, int8 [T, inputs], by the definition.

    Raises `UserError` for a network whose frames are not weighed: its scores have no common unit with `LEAST_LEAD`.
    """
    if model.layers[-1].kind != LISTENS:
        raise UserError(f"{model.name} does not weigh its frames, and the decision needs their weights")
    record: dict[str, np.ndarray] = {}
    model.run(features[None], record)
    count = -(-len(features) // int(np.prod([layer.stride for layer in model.layers])))  # without the flush
    return record[model.layers[-1].name][0, :count]


def words(scores: np.ndarray, **constants: int | str | None) -> list[tuple[int, int]]:
    """(frame, class) of every word that `Decision` reports in a stream of `frame_scores`. constants: of `Decision`, to
    try others than those that ship."""
    decision = Decision(**constants)
    heard = [decision.push(row) for row in scores]
    return [(frame, word) for frame, word in enumerate(heard) if word is not None]
