"""Sounds that never end, to train on: words at any place, running speech, noise and rooms (chapter 11).

A clip holds one word in its middle, and a network that has only met clips takes whatever comes for one. Here it meets
what a board meets: some seconds in which a word may come, or two, after a silence or after talk; running speech in
which nothing is meant for it; noise and music alone. All as powers of mel bands, as in `data.py`: powers of unrelated
sounds add, and a room's echoes smear them in time.

    sounds = load(data, negatives=[FOLDER], noise=[FOLDER], rooms=FOLDER)
    streams = sounds.draw(64, generator)            # features [64, 160, 12], and what may be reported when
    logits, sums = answers(model, rows_of(clips, streams))
    loss(sums, streams, labels, false_weight=1.0)

What is asked of each 40 ms is asked of the decision's own sums (`tinyspeech/integer/decision.py`), not of the scores.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tinyspeech import CLASSES, paths
from tinyspeech.errors import UserError
from tinyspeech.integer import decision, frontend
from tinyspeech.integer.network import SIGMOID_BITS
from tinyspeech.lowbit import grids
from tinyspeech.sound import audio, truth
from tinyspeech.sound.noise import noise_spans, read_noise
from tinyspeech.sound.splits import speaker_split
from tinyspeech.training.augment import gain_factors, tilt_factors, warp_power
from tinyspeech.training.data import POWER_FLOOR, UNKNOWN, Bands, Cepstrum
from tinyspeech.training.features import mel_filterbank

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
QUIET_OCTAVES = 8.3
"""25 dB: a word is over where what follows is quieter than its loudest by so much."""
ECHOES = 80
"""Steps in which a room's echoes come."""
GAP, CLIP_SCORES, AFTER_CLIP = 9, 29, 12
"""Frames between a clip and the stream behind it; scores of a clip, what follows it included; scores of the stream in
which the clip may still be reported."""
BLOCK = 20_000
"""Steps whose powers are computed at once."""


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


def load(data: Bands, negatives: Iterable[Path], noise: Iterable[Path], rooms: Path) -> Sounds:
    """What streams are made of: the clips of a corpus, and recordings of speech, noise and rooms.

    Of running speech only the training speakers' are taken (`splits.speaker_split`, by the files' names), and of each
    recording of noise its training part (`noise.BACKGROUND_SHARE`). Tables `keywords_*.tsv` in a folder of speech or
    beside it say where a keyword is truly said (`sound/truth.py`).

    data : the corpus
    negatives : folders of recordings without commands, searched through
    noise : folders of recordings of noise
    rooms : folder of impulse responses

    Raises `UserError` for a folder without recordings, or too little of them.
    """
    chosen = ~data.validation
    clips = data.x[chosen]
    speech, free = [], []
    for folder in negatives:
        for path in recordings(folder):
            if speaker_split(path.stem) == "training":
                bands = bands_of_file(path)
                speech.append(bands)
                free.append(said_there(truth.read(tables(folder)).get(path.name, []), len(bands)))
    quiet = []
    for folder in noise:
        for path, first, last in noise_spans(folder, "training"):
            bands = bands_of_file(path)[first * 100 // audio.SAMPLE_RATE_HZ : last * 100 // audio.SAMPLE_RATE_HZ + 100]
            quiet.append(np.concatenate([bands] * -(-SPAN // len(bands))))
    echoes = [room_of(*audio.read(path)) for path in recordings(rooms)]
    for what, parts, where in (("running speech of training speakers", speech, negatives), ("noise", quiet, noise)):
        if sum(map(len, parts)) <= 2 * SPAN:
            raise UserError(f"{', '.join(map(str, where))}: no {what} to train on, {SPAN // 50} s at least")
    return Sounds(clips, data.label[chosen], word_ends(clips), torch.from_numpy(np.concatenate(speech)),
                  torch.from_numpy(np.concatenate(free)), torch.from_numpy(np.concatenate(quiet)),
                  torch.from_numpy(np.stack(echoes)))


def recordings(folder: Path) -> list[Path]:
    """The sound files in a folder and below, by name; none raises `UserError`."""
    found = sorted(path for path in folder.rglob("*") if path.name.lower().endswith(audio.SUFFIXES))
    if not found:
        raise UserError(f"{folder} holds no recordings ({', '.join(audio.SUFFIXES)})")
    return found


def tables(folder: Path) -> list[Path]:
    """Where keywords are said in the recordings of a folder: the tables in it, or beside it under its name."""
    return sorted(folder.rglob("keywords_*.tsv")) or sorted(folder.parent.glob(f"keywords_{folder.name}.tsv"))


def said_there(spans: Iterable[truth.Span], steps: int) -> np.ndarray:
    """bool [steps of 10 ms]: whether the report of a keyword is no error, as one is said."""
    free = np.zeros(steps, bool)
    for span in spans:
        free[max(0, round(100 * span.begin_s) - 30) : round(100 * span.end_s) + 80] = True
    return free


def bands_of_file(path: Path) -> np.ndarray:
    """A recording of any length as log2 band powers in the chip's units, 10 ms apart: float16 [T, 20].

    By the integer front end; kept in the cache under the file's SHA-256. Raises `UserError` for no sound.
    """
    kept = paths.cache_folder() / f"bands-{hashlib.sha256(path.read_bytes()).hexdigest()[:16]}.npy"
    if kept.exists():
        return np.load(kept)
    sound = frontend.to_8khz(read_noise(path))
    steps, half = (len(sound) - frontend.WINDOW) // (frontend.HOP // 2) + 1, frontend.HOP // 2
    parts = [frontend.log_mel(sound[half * np.arange(i, min(i + BLOCK, steps))[:, None] + np.arange(frontend.WINDOW)])
             for i in range(0, steps, BLOCK)]
    bands = (np.concatenate([np.zeros((0, frontend.N_BANDS)), *parts]) / (1 << frontend.LOG_BITS)).astype(np.float16)
    partial = kept.with_suffix(f".{os.getpid()}.npy")
    kept.parent.mkdir(parents=True, exist_ok=True)
    np.save(partial, bands)
    partial.replace(kept)
    return bands


def room_of(samples: np.ndarray, rate_hz: int) -> np.ndarray:
    """What of a sound's power arrives 0, 10, .. 790 ms after its direct path, of 1 in all: float32 [80, 20].

    samples : a room's impulse response
    """
    sound = audio.resample(samples, rate_hz, frontend.SAMPLE_RATE_HZ).astype(np.float64)
    step = frontend.HOP // 2
    sound = sound[max(0, int(np.abs(sound).argmax()) - step // 10) :][: ECHOES * step]
    pieces = np.pad(sound, (0, ECHOES * step - len(sound))).reshape(ECHOES, step)
    power = np.abs(np.fft.rfft(pieces, frontend.WINDOW)) ** 2 @ mel_filterbank().numpy()  # (80, 20)
    return (power / (power.sum(0) + 1e-12)).astype(np.float32)


def word_ends(clips: Tensor) -> Tensor:
    """Where each clip's word ends, as `live.QUIET_DB` tells it: float16 [N, 98, 20] -> int64 [N], in steps of 10 ms."""
    level = torch.log2(torch.exp2(clips.float()).mean(2))
    loud = level > level.amax(1, keepdim=True) - QUIET_OCTAVES
    return clips.shape[1] - loud.flip(1).int().argmax(1)


def reverberate(power: Tensor, room: Tensor) -> Tensor:
    """Echoes: power [B, T, 20], room [B, K, 20] -> [B, T, 20]."""
    time = power.shape[1]
    n = time + room.shape[1]
    spectrum = torch.fft.rfft(power, n, dim=1) * torch.fft.rfft(room, n, dim=1)
    return torch.fft.irfft(spectrum, n, dim=1)[:, :time].clamp(min=0)


def rows_of(clips: Tensor, streams: Streams) -> Tensor:
    """A clip before each stream, so that batch norm sees both at once: float [B, 49 + 9 + 160, 12], in int8 units.

    Normalised each by its own statistics, clips and streams make two networks of one, and neither is the one that is
    kept. Between them lie zeros, the features' mean, as after a clip that is classified.
    """
    return torch.cat([clips, clips.new_zeros(len(clips), GAP, clips.shape[2]), streams.features], 1)


def answers(model: nn.Module, rows: Tensor) -> tuple[Tensor, Tensor]:
    """What a network says to `rows_of`: logits of the clips [B, 12], the decision's sums in the streams [B, 80, 12].

    A clip's answer is as if nothing followed: no frame depends on later ones. The sums begin at nothing.
    """
    scores, h = model.scores(rows * grids.INPUT_STEP)  # (B, T', 12), (B, T', head)
    weights = model.condenser.weights(h)
    clip = model.condenser.average(scores[:, :CLIP_SCORES], weights[:, :CLIP_SCORES])
    if model.condenser.readout_quantizer is not None:  # the chip's Q7
        weights = grids.round_half_up(weights * 2**SIGMOID_BITS) * 2.0**-SIGMOID_BITS
    weighed = (scores * weights)[:, CLIP_SCORES:]
    age = torch.arange(weighed.shape[1], device=rows.device)
    age = age[:, None] - age
    left = torch.where(age >= 0, (1 - 2.0**-decision.LEAK_BITS) ** age.clamp(min=0), 0.0)  # of a frame, later
    return clip, left @ weighed


def loss(sums: Tensor, streams: Streams, clip_labels: Tensor, false_weight: float) -> Tensor:
    """Mean cost of a stream: of reports that were not said, and of a word that is not reported where it is due.

    sums : float [B, 80, 12]; clip_labels : int64 [B], of the clips before: an echo of those is no error
    """
    lead = torch.cat([sums[..., : decision.REJECTED], sums[..., decision.REJECTED :] - LEAST,
                      sums.new_zeros(*sums.shape[:2], 1)], -1)  # the last: no report at all
    log_p = F.log_softmax(lead, -1)[..., :-1]  # (B, 80, 12)
    allowed = streams.allowed.clone()
    allowed[:, :AFTER_CLIP] |= F.one_hot(clip_labels, len(CLASSES)).bool()[:, None]
    wrong = (log_p.exp() * ~allowed).sum(-1)
    false = -torch.log1p(-wrong.clamp(max=1 - 1e-4)).sum(1)  # (B,)
    asked = streams.word >= 0
    hits = log_p[asked, :, streams.word[asked]].masked_fill(~streams.due[asked], -torch.inf)  # (n, 80)
    return (false_weight * false.sum() - hits.amax(1).sum()) / len(sums)
