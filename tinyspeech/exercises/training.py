"""Exercises of chapter 4, training: TinySpeech-S put together, and three about designing and judging networks.

What is right of the network is computed by the library's own, with random weights (see the exercises of chapter 3).
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from tinyspeech.exercises.condensers import drawn, named
from tinyspeech.exercises.trying import Exercise, checker
from tinyspeech.integer.frontend import N_COEFFICIENTS
from tinyspeech.networks.streaming import LEAST_WEIGHT, StreamingConfig, TinySpeechS

STEM = 3
"""Frames that the stem of the second exercise sees."""

# ---------------------------------------------------------------- the network


def _network_example(config: StreamingConfig, seed: int) -> tuple[tuple, Tensor]:
    net = drawn(TinySpeechS(config), seed)
    x = torch.randint(-2, 3, (2, 9, N_COEFFICIENTS), generator=torch.Generator().manual_seed(seed)).float()
    return (x, named(net), config), net(x).detach()


@torch.no_grad()
def _network(x: Tensor, w: dict[str, Tensor], c: StreamingConfig, *, flush: int | None = None, strides=None,
             readout=lambda scores, weights: (scores * weights).sum(1) / weights.sum(1)) -> Tensor:
    """The library's network with these weights, read out in another way."""
    net = TinySpeechS(c).eval()
    net.load_state_dict(w)
    for block, stride in zip(net.blocks, strides or c.strides, strict=True):
        block.stride = block.depthwise.stride = stride
    scores, h = net.scores(F.pad(x, (0, 0, 0, c.flush if flush is None else flush)))
    return readout(scores, net.condenser.weights(h))


# ---------------------------------------------------------------- the others


def read_confusion(confusion: np.ndarray) -> tuple[float, float, int]:
    """Accuracy and the commonest class's share, in percent, and how often the two classes confused most were."""
    either_way = np.triu(confusion + confusion.T, 1)
    percent = 100 / confusion.sum()
    return float(percent * np.trace(confusion)), float(percent * confusion.sum(1).max()), int(either_way.max())


def state_and_reach(channels: int, kernels: tuple[int, ...], strides: tuple[int, ...]) -> tuple[int, int]:
    """Bytes that a network of blocks remembers, and frames that it reaches back, behind a stem of `STEM` frames."""
    return _counted(channels, kernels, strides)


def _counted(channels: int, kernels, strides, less: int = 1, before: bool = False, stem: int = STEM,
             grow=lambda pace, stride: pace * stride) -> tuple[int, int]:
    state, reach, pace = (stem - 1) * N_COEFFICIENTS, stem, 1
    for kernel, stride in zip(kernels, strides, strict=True):
        pace = grow(pace, stride) if before else pace
        state, reach = state + (kernel - less) * channels, reach + (kernel - less) * pace
        pace = pace if before else grow(pace, stride)
    return state, reach


def best_of(networks: int, clips: int, right: float) -> float:
    """Mean accuracy in percent of the best of some networks that are equally good, each tested on other clips.

    The best has at most k clips right if all have; and a mean is the sum of the probabilities of having more than k.
    """
    share = _share_of(clips, right).cumsum().clip(max=1.0)
    return 100 * float((1 - share[:-1] ** networks).sum()) / clips


def _share_of(clips: int, right: float) -> np.ndarray:
    """Probability of 0, 1, ... of the clips right, [clips + 1]."""
    k = np.arange(1, clips + 1)
    logs = np.concatenate([[0.0], np.cumsum(np.log((clips - k + 1) / k) + np.log(right / (1 - right)))])
    return np.exp(logs + clips * np.log(1 - right))


_CONFUSED = (np.array([[8, 2, 0], [1, 6, 3], [0, 4, 16]]), np.array([[5, 0], [5, 10]]),
             np.array([[30, 0, 9, 1], [0, 30, 0, 7], [0, 2, 20, 0], [0, 4, 0, 40]]))
_DESIGNS = (((8, (3, 3), (1, 1))), (16, (3, 5, 3), (2, 2, 1)), (32, (5, 7, 9), (2, 1, 1)), (24, (3, 3, 3), (1, 2, 3)))
_CONTESTS = ((1, 100, 0.5), (3, 10, 0.5), (20, 923, 0.94))

EXERCISES = {
    "my_tinyspeech": Exercise(
        examples=[_network_example(StreamingConfig(4, 8, 3, (3, 3), (1, 1), 4, memory=2, flush=2, head=8), 1),
                  _network_example(StreamingConfig(8, 4, 2, (3, 2, 3), (2, 1, 2), 4, memory=3, flush=4, head=12), 2)],
        hints=["Put c.flush frames of zeros behind the clip, and turn frames and channels round. Then come, in this "
               "order: the layer 'stem' and a ReLU; a block 'blocks.0', 'blocks.1' and so on for each of c.strides; "
               "the layer 'head' and a ReLU. The layer 'classifier' makes scores of it, and frame_weights weighs them.",
               "How many blocks there are, and which of them drop frames, c.strides says."],
        mistakes={
            "The zeros behind the clip are missing (c.flush).": lambda x, w, c: _network(x, w, c, flush=0),
            "That is the plain mean of the scores: the frame weights have no say in it.":
                lambda x, w, c: _network(x, w, c, readout=lambda s, g: s.mean(1)),
            "The weighed scores are added up, but not divided by the sum of their weights.":
                lambda x, w, c: _network(x, w, c, readout=lambda s, g: (s * g).sum(1)),
            "You divide by the number of frames. Divide by the sum of the weights: they do not add up to one.":
                lambda x, w, c: _network(x, w, c, readout=lambda s, g: (s * g).mean(1)),
            "Those are the scores of the last frame alone.":
                lambda x, w, c: _network(x, w, c, readout=lambda s, g: s[:, -1]),
            "No block drops any frame in yours: each has its stride in c.strides.":
                lambda x, w, c: _network(x, w, c, strides=[1] * len(c.strides)),
            "The least weight is missing, that frame_weights adds to each sigmoid.":
                lambda x, w, c: _network(x, w, c, readout=lambda s, g: (s * (g - LEAST_WEIGHT)).sum(1)
                                         / (g - LEAST_WEIGHT).sum(1))}),
    "read_confusion": Exercise(
        examples=[((table,), read_confusion(table)) for table in _CONFUSED],
        hints=["What is right stands on the diagonal: np.trace. A row is one class; its sum says how often it was "
               "said. For each pair of classes, add what stands at [i, j] and at [j, i].",
               "Percent, of all clips.",
               "Pairs, not single fields: a field and its mirror image belong together."],
        mistakes={
            "A column says how often a class was answered. How often it was said is the sum of its row.":
                lambda m: (read_confusion(m)[0], 100 * m.sum(0).max() / m.sum(), read_confusion(m)[2]),
            "You look at single fields; a pair of classes has two, one for either way of confusing them.":
                lambda m: (*read_confusion(m)[:2], (m - np.diag(np.diag(m))).max()),
            "The diagonal is not confusion: leave it out before you look for the largest.":
                lambda m: (*read_confusion(m)[:2], (m + m.T).max()),
            "Those are shares of one. Percent, please.":
                lambda m: (read_confusion(m)[0] / 100, read_confusion(m)[1] / 100, read_confusion(m)[2]),
            "Your accuracy is the mean over classes, each as much as any other. It is meant over clips.":
                lambda m: (100 * np.mean(np.diag(m) / m.sum(1)), *read_confusion(m)[1:])}),
    "state_and_reach": Exercise(
        examples=[(design, state_and_reach(*design)) for design in _DESIGNS],
        hints=["The stem keeps its last 2 frames of 12 coefficients and sees 3 frames. A block keeps kernel - 1 frames "
               "of all channels, and reaches as many further back.",
               "Behind a block of stride 2 a step back is two frames long; behind two such blocks, four."],
        mistakes={
            "A block need not remember the present frame: kernel - 1.":
                lambda c, k, s: _counted(c, k, s, less=0),
            "A block's own kernel still goes at the pace before its stride; only later blocks go at the slower one.":
                lambda c, k, s: _counted(c, k, s, before=True),
            "Strides count: behind a block that drops every second frame, kernels reach twice as far.":
                lambda c, k, s: _counted(c, k, [1] * len(s)),
            "Paces multiply. Behind two strides of 2 a step is four frames; yours add up.":
                lambda c, k, s: _counted(c, k, s, grow=lambda pace, stride: pace + stride - 1),
            "The pace is the product of all strides so far, not only the last of them.":
                lambda c, k, s: _counted(c, k, s, grow=lambda pace, stride: stride),
            "The stem's two frames of 12 coefficients are missing in the bytes.":
                lambda c, k, s: (_counted(c, k, s)[0] - (STEM - 1) * N_COEFFICIENTS, _counted(c, k, s)[1])}),
    "best_of": Exercise(
        examples=[(contest, best_of(*contest)) for contest in _CONTESTS],
        hints=["Draw it: dice.binomial(clips, right, (20_000, networks)) says how many clips each network has right, "
               "in 20,000 contests. Take the best of each contest, then the mean, in percent.",
               "Three networks and ten clips: a coin would have 5 right in the mean, the best of three coins more.",
               "The largest along the networks of one contest, axis 1."],
        mistakes={
            "That is what a network reaches on average, or on fresh clips. The best of several has been lucky besides.":
                lambda n, clips, right: 100 * right,
            "Those are shares of one. Percent, please.": lambda n, clips, right: best_of(n, clips, right) / 100,
            "You take the worst of each contest.":
                lambda n, clips, right: 100 - best_of(n, clips, 1 - right),
            "You add a standard error. What the best gains depends on how many there were, and one gains nothing.":
                lambda n, clips, right: 100 * (right + (right * (1 - right) / clips) ** 0.5),
            "That is how many clips are right; divide by how many there were.":
                lambda n, clips, right: best_of(n, clips, right) * clips / 100}, rel=5e-3),
}

check = checker(EXERCISES)
"""Tries what a reader writes."""
