"""From scores that never end to words: the definition that `firmware/decision.c` follows, and `decide.S` on the chip
(chapter 10).

A clip ends, and its answer is an average over its frames. A microphone does not: here the average leaks, so that what
was heard a second ago counts little, and a word is reported when one keyword leads it clearly.
All arithmetic is that of the chip: integers, `>>` rounds down. This file knows nothing of torch or of the front end.

| step | computes |
| --- | --- |
| every frame of scores | sum = sum - (sum >> `LEAK_BITS`) + weight * score |
| every `STEP_FRAMES` frames | the class that leads, and its lead over the next: best - second of the sums |
| doubtful | of the lead of the word `DOUBTFUL`, three quarters count: lead - (lead >> 2) |
| loudness | of a step: mean of the first coefficient over its batch of `BATCH_FRAMES` frames, + 129: 1 .. 256 |
| above | loudness - (mean >> `MEAN_BITS`), by which the mean then grows; the first loudness is the mean |
| peak | the largest of above, and of the peak before, of which each step takes one |
| stands out | peak >= `STANDS_OUT`, and above <= peak - `FALLS`: it rose, and has fallen |
| rejected | silence or unknown leads; lead < `LEAST_LEAD`; nothing stands out; or a word came just before |
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
one, three or eight (`hours.chosen`). What stands out, and what is doubtful, is asked because of music, which is loud
all the time, and of whose reports most are one word: chosen on 25 hours of it, judged by others (`hours.standing_out`,
`hours.other_music`). Other rules buy nothing in speech at as many false reports as `normal` makes there; at two or
fewer in those three hours some do, on counts too small to rank them (`hours.rules`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from tinyspeech import CLASSES
from tinyspeech.errors import UserError
from tinyspeech.integer.network import IntegerModel

STEP_FRAMES = 2
"""The chip computes two frames of scores together."""
BATCH_FRAMES = 4
"""Of features, in a step."""
MEAN_BITS = 7
"""A step moves the mean loudness by a 128th of the way: it looks back over some 10 s."""
STANDS_OUT = 18
"""Units of the first coefficient, of which 32 are 20 dB: 11 dB above the mean, and a unit more for each step since."""
FALLS = 8
"""5 dB: a word's loudest moment comes before its last."""
LOUDEST = 256
LEAK_BITS = 3
"""A frame's share falls to a third in 8 frames, 0.32 s at 25 frames a second."""
LEAST_LEADS = {"low": 149_504, "normal": 105_472, "high": 26_624}
"""By sensitivity, in weights times scores of TinySpeech-S: normal is 103 * 2**`LEAD_BITS`. A frame in the middle of a
word weighs about 100."""
LEAD_BITS = 10
LOGIT_STEP = 0.0063
"""What one unit of TinySpeech-S's scores is worth in logits; another network's leads are its own by `lead_bits`."""
MOST_LEAD_BITS = 20
"""With which every least lead is a sum that 32 bits hold."""
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
DOUBTFUL = "up"
"""Three in four of what music sets off and stands out: a beat, and then nothing."""


def doubtful(classes: Sequence[str]) -> int | None:
    """Which of a network's classes is `DOUBTFUL`, if any."""
    return classes.index(DOUBTFUL) if DOUBTFUL in classes else None


def lead_bits(model: IntegerModel) -> int:
    """`LEAD_BITS` of a network's own scores: two less where a unit of them is worth four times as many logits, and so
    on to the nearest power of four, so that networks like TinySpeech-S have the leads that were chosen on it; from 0
    to `MOST_LEAD_BITS`, for what a file of others may say."""
    return min(max(0, LEAD_BITS - 2 * round(math.log2(model.logit_step / LOGIT_STEP) / 2)), MOST_LEAD_BITS)


def least_leads(model: IntegerModel, sensitivity: str) -> list[int]:
    """By how much each of a network's classes must lead to be reported, the doubtful one by more."""
    classes, least = model.classes, of_network(model, sensitivity=sensitivity).least_lead
    return [4 * (least - 1) // 3 + 1 if index == doubtful(classes) else least for index in range(len(classes))]


@dataclass
class Decision:
    """Sums, a rest after a word, a window and a loudness: 53 bytes on the chip, where the sums are the network's own of
    a clip.

    sensitivity : of `LEAST_LEADS`
    first_word : class that opens an armed board, or `TAUGHT`; None is a board that is always open
    lead_bits : of the network whose scores these are
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
    mean: int = 0
    """Of the loudness, in 2**-`MEAN_BITS`; 0 before the first step."""
    peak: int = 0
    """Of what the loudness was above the mean."""
    standing: bool = False
    """Whether a word may be reported. Where it may not, the chip has a step of rest."""
    leader: tuple[int, int] = (0, 0)
    """At the last step: the class that led, and what counts of its lead; (0, 0) in the rest after a word, and where
    nothing stands out. Not on the chip."""
    leak_bits: int = field(default_factory=lambda: LEAK_BITS)
    stands_out: int | None = STANDS_OUT
    """None asks for nothing, to see what it spares."""
    falls: int = FALLS
    doubtful: int | None = doubtful(CLASSES)
    """The class of whose lead less counts."""
    lead_bits: int = LEAD_BITS
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
            self.least_lead = leads[self.sensitivity] * 2**self.lead_bits >> LEAD_BITS

    def push(self, scores: np.ndarray) -> int | None:
        """Take a row of `frame_rows`, a frame's weighed scores and loudness, int [13]: the class of a word, or None.

        Scores alone, int [12], have no loudness, and of them nothing need stand out.
        """
        self.sums += scores[: len(CLASSES)] - (self.sums >> self.leak_bits)
        self.frames += 1
        if self.frames < STEP_FRAMES:
            return None
        self.frames = 0
        if len(scores) > len(CLASSES):
            self._listen(int(scores[len(CLASSES)]))
        else:
            self.standing = True
        return self._step()

    def _listen(self, loudness: int) -> None:
        """Take a step's loudness, 1 .. `LOUDEST`."""
        self.mean = self.mean or loudness << MEAN_BITS
        above = loudness - (self.mean >> MEAN_BITS)
        self.mean += above
        if self.stands_out is None:
            self.standing = True
            return
        peak = max(self.peak, above)
        self.standing = peak >= self.stands_out and above <= peak - self.falls
        if peak >= self.stands_out:  # and else it matters no more
            self.peak = peak - 1

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
        if not self.standing:
            return None
        best = int(self.sums.argmax())
        lead = int(self.sums[best] - np.delete(self.sums, best).max())
        if best == self.doubtful:
            lead -= lead >> 2
        self.leader = best, lead
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


def constants_of(model: IntegerModel) -> dict[str, int | None]:
    """Those of `Decision` that are a network's own: which of its words is doubtful, what its scores are worth."""
    return {"doubtful": doubtful(model.classes), "lead_bits": lead_bits(model)}


def of_network(model: IntegerModel, **settings: int | str | None) -> Decision:
    """A decision on what this network hears, with `constants_of` it."""
    return Decision(**{**constants_of(model), **settings})


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


def loudness(features: np.ndarray) -> np.ndarray:
    """Of each whole batch of a stream, int8 [T, 12] -> int64 [T / 4], 1 .. `LOUDEST`. The first coefficient is a mean
    of all bands' levels."""
    batches = len(features) // BATCH_FRAMES
    first = features[: batches * BATCH_FRAMES, 0].astype(np.int64)
    return (first.reshape(batches, BATCH_FRAMES).sum(axis=1) + 129 * BATCH_FRAMES) // BATCH_FRAMES


def frame_rows(scores: np.ndarray, features: np.ndarray) -> np.ndarray:
    """`frame_scores` [T', 12] of a stream's whole batches, and beside each frame's the loudness of its batch: int64
    [T', 13], what `Decision` takes. features : int8 [T, 12]"""
    loud = np.repeat(loudness(features), STEP_FRAMES)[: len(scores), None]
    return np.concatenate([scores[: len(loud)], loud], axis=1)


def words(scores: np.ndarray, **constants: int | str | None) -> list[tuple[int, int]]:
    """(frame, class) of every word that `Decision` reports in a stream of `frame_rows`, or of `frame_scores`.
    constants: of `Decision`, to try others than those that ship."""
    decision = Decision(**constants)
    heard = [decision.push(row) for row in scores]
    return [(frame, word) for frame, word in enumerate(heard) if word is not None]
