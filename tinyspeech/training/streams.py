"""Sounds that never end, to train on: words at any place, running speech, noise and rooms (chapter 11).

A clip holds one word in its middle, and a network that has only met clips takes whatever comes for one. Here it meets
what a board meets: some seconds in which a word may come, or two, after a silence or after talk; running speech in
which nothing is meant for it; noise and music alone. All as powers of mel bands, as in `data.py`: powers of unrelated
sounds add, and a room's echoes smear them in time.

    sounds = load(data, speech=[FOLDER], noise=FOLDER, rooms=FOLDER)
    streams = sounds.draw(64, generator)            # features [64, 160, 12], and what may be reported when
    loss = stream_loss(model, streams, weight=1.0)

What is asked of each 40 ms is asked of the decision's own sums (`tinyspeech/integer/decision.py`), not of the scores.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tinyspeech import CLASSES
from tinyspeech.integer import decision, frontend
from tinyspeech.integer.network import SIGMOID_BITS
from tinyspeech.lowbit import grids
from tinyspeech.training.augment import gain_factors, tilt_factors, warp_power
from tinyspeech.training.data import POWER_FLOOR, UNKNOWN, Bands, Cepstrum

STEP_S = 0.01
"""Of the powers; the chip's frames are two apart, its scores four."""
SPAN = 320
"""Powers in a stream: 3.2 s, 160 of the chip's frames, 80 of its scores."""
LEAST = 5.0
"""How far the sums of a word must lead in training, in the scores' own unit; what ships is chosen on speech later."""
EARLY, LATE = -15, 30
"""Between them, in steps of 10 ms after its end, a word should be reported."""
AFTER = 70
"""And so long after its end its report is no error."""


@dataclass
class Streams:
    """A batch of streams."""

    features: Tensor
    """float [B, 160, 12], in int8 units."""
    allowed: Tensor
    """bool [B, 80, 12]: the classes whose report at this score is no error."""
    due: Tensor
    """bool [B, 80]: where the word that is asked for should be reported."""
    word: Tensor
    """int64 [B]: its class; -1 where none is."""


@dataclass
class Sounds:
    """What streams are made of, as log2 band powers in the chip's units, 10 ms apart (`data.Bands`)."""

    clips: Tensor
    """float16 [N, 98, 20]."""
    labels: Tensor
    """int64 [N]."""
    ends: Tensor
    """int64 [N]: the step in a clip in which its word ends."""
    speech: Tensor
    """float16 [F, 20]: running speech, one recording after the other."""
    free: Tensor
    """bool [F]: whether a keyword is really said there, or about there."""
    noise: Tensor
    """float16 [G, 20]."""
    rooms: Tensor
    """float32 [R, K, 20]: power that comes 0, 10, .. ms later, of 1 in all."""

    def __post_init__(self):
        self.cepstrum = Cepstrum()
        self.keywords = torch.nonzero(self.labels > UNKNOWN)[:, 0]
        self.others = torch.nonzero(self.labels == UNKNOWN)[:, 0]

    def to(self, device: str) -> Sounds:
        return Sounds(*(getattr(self, item.name).to(device) for item in fields(self)))

    def draw(self, count: int, g: torch.Generator, shares=(0.45, 0.12, 0.37, 0.06)) -> Streams:
        """count streams, of keywords, other words, running speech, noise, in these shares."""
        kinds = torch.multinomial(torch.tensor(shares), count, replacement=True, generator=g)
        power = torch.zeros(count, SPAN, self.clips.shape[2])
        allowed = torch.zeros(count, SPAN, len(CLASSES), dtype=torch.bool)
        allowed[..., : decision.REJECTED] = True

        def uniform(low, high, n=count):
            return low + (high - low) * torch.rand(n, generator=g)

        # the word in question, and with luck one before and one after
        at = uniform(60, 165).long()
        ids = self._clips(kinds == 1, g)
        spoken = kinds < 2
        ends = self._place(power, allowed, ids, at, spoken, g, EARLY)
        gap = uniform(1.5, 2.3) * 100
        self._place(power, allowed, self._clips(uniform(0, 1) < 0.4, g), at - gap.long(),
                    spoken & (uniform(0, 1) < 0.35), g)
        self._place(power, allowed, self._clips(uniform(0, 1) < 0.4, g), at + (uniform(1.3, 2.3) * 100).long(),
                    spoken & (uniform(0, 1) < 0.3), g)
        # running speech: alone; or up to a second or so before the word
        before = spoken & (uniform(0, 1) < 0.15)
        rows = torch.nonzero((kinds == 2) | before)[:, 0]
        start = torch.randint(len(self.speech) - SPAN, (len(rows),), generator=g)
        index = start[:, None] + torch.arange(SPAN)
        talk = torch.exp2(self.speech[index].float())
        talk = talk * gain_factors(len(rows), (-8.0, 8.0), g, talk)
        until = torch.where(before[rows], at[rows] - uniform(80, 130, len(rows)).long(), SPAN)
        inside = torch.arange(SPAN) < until[:, None]
        power[rows] += talk * inside[..., None]
        allowed[rows] |= (self.free[index] & inside)[..., None]
        # a room
        rows = torch.nonzero(uniform(0, 1) < 0.3)[:, 0]
        room = self.rooms[torch.randint(len(self.rooms), (len(rows),), generator=g)]
        power[rows] = reverberate(power[rows], room)
        power = power * gain_factors(count, (-14.0, 8.0), g, power) * tilt_factors(count, power.shape[2], 3.0, g, power)
        # noise, at 0 to 40 dB below the loud part; alone at any loudness
        start = torch.randint(len(self.noise) - SPAN, (count,), generator=g)
        noise = torch.exp2(self.noise[start[:, None] + torch.arange(SPAN)].float())
        noise = noise * tilt_factors(count, noise.shape[2], 6.0, g, noise)
        level = noise.mean((1, 2)).clamp(min=1e-9)
        loud = power.mean(2).topk(40, dim=1).values.mean(1)
        wanted = torch.where(uniform(0, 1) < 0.75, uniform(0, 28), 60.0)
        alone = 2.0 ** (10 + 5 * torch.randn(count, generator=g))
        target = torch.where(kinds == 3, alone, loud * 10 ** (-wanted / 10))
        power += noise * (target / level)[:, None, None]
        offset = int(torch.randint(2, (1,), generator=g))
        power = power[:, offset::2]
        features = self.cepstrum(torch.log2(power + POWER_FLOOR))
        step = torch.arange(SPAN // 4) * 4 + 3
        due = (step >= (ends + EARLY)[:, None]) & (step <= (ends + LATE)[:, None]) & (kinds == 0)[:, None]
        return Streams(features, allowed[:, step], due, torch.where(kinds == 0, self.labels[ids], -1))

    def _clips(self, other: Tensor, g) -> Tensor:
        keyword = self.keywords[torch.randint(len(self.keywords), (len(other),), generator=g)]
        word = self.others[torch.randint(len(self.others), (len(other),), generator=g)]
        return torch.where(other, word, keyword)

    def _place(self, power: Tensor, allowed: Tensor, ids: Tensor, at: Tensor, which: Tensor, g, early=-40) -> Tensor:
        """Add clips, where `which` says so; returns the steps at which their words end."""
        rows = torch.nonzero(which)[:, 0]
        clip = torch.exp2(self.clips[ids[rows]].float())
        clip = warp_power(clip, (0.9, 1.1), (0.92, 1.08), g)
        length = clip.shape[1]
        where = at[rows, None] + torch.arange(length)  # (n, 98)
        ok = (where >= 0) & (where < SPAN)
        flat = power.view(-1, power.shape[2])
        index = (rows[:, None] * SPAN + where)[ok]
        flat.index_add_(0, index, clip[ok])
        ends = at + self.ends[ids]
        step = torch.arange(SPAN)
        here = (step >= (ends - 60)[:, None]) & (step <= (ends + AFTER)[:, None]) & which[:, None]
        labels = F.one_hot(self.labels[ids], len(CLASSES)).bool()
        allowed |= here[..., None] & labels[:, None]
        return ends


def reverberate(power: Tensor, room: Tensor) -> Tensor:
    """Echoes: power [B, T, 20], room [B, K, 20] -> [B, T, 20]."""
    b, t, c = power.shape
    n = t + room.shape[1]
    spectrum = torch.fft.rfft(power, n, dim=1) * torch.fft.rfft(room, n, dim=1)
    return torch.fft.irfft(spectrum, n, dim=1)[:, :t].clamp(min=0)


def sums(model: nn.Module, features: Tensor) -> Tensor:
    """The decision's sums after each frame of scores: features [B, T, 12] in int8 units -> float [B, T', 12]."""
    scores, h = model.scores(features * grids.INPUT_STEP)
    weights = model.condenser.weights(h)
    if model.condenser.readout_quantizer is not None:  # the chip's Q7
        weights = grids.round_half_up(weights * 2**SIGMOID_BITS) * 2.0**-SIGMOID_BITS
    weighed = scores * weights
    frames = torch.arange(scores.shape[1])
    age = frames[:, None] - frames
    leak = 1 - 2.0**-decision.LEAK_BITS
    return torch.where(age >= 0, leak ** age.clamp(min=0), 0.0) @ weighed


def stream_loss(model: nn.Module, s: Streams, false_weight: float, hard: float = 0.0) -> Tensor:
    d = sums(model, s.features)  # (B, T', 12)
    d = torch.cat([d[..., : decision.REJECTED], d[..., decision.REJECTED :] - LEAST], -1)
    nothing = d.new_zeros(*d.shape[:2], 1)
    log_p = F.log_softmax(torch.cat([d, nothing], -1), -1)[..., :-1]  # (B, T', 12)
    wrong = (log_p.exp() * ~s.allowed).sum(-1)  # (B, T')
    cost = -torch.log1p(-wrong.clamp(max=1 - 1e-4))
    false = cost.sum(1)
    asked = s.word >= 0
    hit = log_p[asked, :, s.word[asked]]  # (n, T')
    miss = -torch.where(s.due[asked], hit, -torch.inf).amax(1)
    return (false_weight * false.sum() + miss.sum()) / len(s.word)
