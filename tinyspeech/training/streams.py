"""Sounds that never end, to train on: words at any place, running speech, noise and rooms (chapter 11).

A clip holds one word in its middle, and a network that has only met clips takes whatever comes for one. Here it meets
what a board meets: some seconds in which a word may come, or two, after a silence or after talk; running speech in
which nothing is meant for it; noise and music alone. All as powers of mel bands, as in `data.py`: powers of unrelated
sounds add, and a room's echoes smear them in time.

    sounds = load(data, negatives=[FOLDER], noise=[FOLDER], rooms=FOLDER)
    streams = sounds.draw(64, generator)            # features [64, 160, 12], and what may be reported when
    logits, sums = answers(model, rows_of(model, clips, streams))
    loss(sums, streams, labels, false_weight=1.0)

What is asked of each 40 ms is asked of sums like the decision's (`tinyspeech/integer/decision.py`), which leak here
twice as fast, not of the scores.
"""

from __future__ import annotations

import hashlib
import math
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
from tinyspeech.networks.streaming import leaking_mean
from tinyspeech.outside import files
from tinyspeech.sound import audio, recordings, truth
from tinyspeech.sound.noise import noise_spans
from tinyspeech.training.augment import gain_factors, tilt_factors, warp_power
from tinyspeech.training.data import POWER_FLOOR, UNKNOWN, Bands, Cepstrum
from tinyspeech.training.features import mel_filterbank

SPAN = 320
"""Steps of 10 ms in a stream: 3.2 s, 160 of the chip's frames."""
SHARES = {"keyword": 0.45, "other word": 0.12, "running speech": 0.37, "noise": 0.06}
"""Of the streams."""
KEYWORD, OTHER, SPEECH, NOISE = range(4)
PLACES = (60, 165)
"""Steps in which a clip whose word is asked for may begin: nothing of it is cut."""
BEFORE, BEHIND = (150, 230), (130, 230)
"""Steps from another clip's beginning to it, and from it to one that follows."""
TALK_ENDS = (80, 130)
"""Steps before the clip in which talk before it ends."""
EARLY, LATE = -15, 30
"""Between them, in steps after its end, a word should be reported."""
HEARD_FROM, HEARD_TO = -60, 70
"""And between them, its report is no error."""
SPEED, TRACT = (0.9, 1.1), (0.92, 1.08)
"""As `augment.AugmentConfig` has them."""
GAIN_DB, TALK_GAIN_DB, TILT_DB, NOISE_TILT_DB = (-14.0, 8.0), (-8.0, 8.0), 3.0, 6.0
SNR_DB = (0.0, 28.0)
"""Of the loudest 0.4 s to the noise."""
LOUDEST = 40
NOISY, NOISY_TALK = 0.75, 0.35
IN_A_ROOM, TALK_IN_A_ROOM = 0.4, 0.15
"""Shares of the streams with noise, and in a room; and less of running speech. Where speech is hard to make out all
words are like each other; a network that must be sure there, too, hears none in noise at all."""
TALK_BEFORE, WORD_BEFORE, WORD_BEHIND = 0.15, 0.35, 0.3
"""Of the streams with a word in question, shares with something before it or behind it."""
LEAK_BITS = 2
"""Of the sums in training. What ships was chosen later, among others on these very sums, and leaks more slowly."""
LEAST = 5.0
"""How far the sums of a word must lead in training, in the scores' own unit; what ships is chosen on speech later."""
QUIET_OCTAVES = 8.3
"""25 dB: a word is over where what follows is quieter than its loudest by so much."""
ECHOES = 80
"""Steps in which a room's echoes come."""
AFTER_CLIP = 24
"""Frames of a stream in which the clip before it may still be reported."""
BLOCK = 20_000
"""Steps whose powers are computed at once."""


@dataclass
class Streams:
    """A batch of streams."""

    features: Tensor
    """float [B, 160, 12], in int8 units."""
    allowed: Tensor
    """bool [B, 160, 12]: the classes whose report at this frame is no error."""
    due: Tensor
    """bool [B, 160]: where the word that is asked for should be reported."""
    word: Tensor
    """int64 [B]: its class; -1 where none is."""


def between(limits: tuple[float, float], count: int, g: torch.Generator) -> Tensor:
    """float [count], each anywhere between two limits."""
    return limits[0] + (limits[1] - limits[0]) * torch.rand(count, generator=g, device=g.device)


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
    """float32 [R, 80, 20]: power that comes 0, 10, .. ms later, of 1 in all."""

    def __post_init__(self):
        self.cepstrum = Cepstrum(self.clips.device)
        self.keywords = torch.nonzero(self.labels > UNKNOWN)[:, 0]
        self.others = torch.nonzero(self.labels == UNKNOWN)[:, 0]

    def to(self, device: str) -> Sounds:
        return Sounds(*(getattr(self, item.name).to(device) for item in fields(self)))

    def draw(self, count: int, g: torch.Generator) -> Streams:
        """So many streams, of the kinds in `SHARES`. The generator's device is the sounds' own."""
        kinds = torch.multinomial(torch.tensor([*SHARES.values()], device=g.device), count, True, generator=g)
        power = self.clips.new_zeros(count, SPAN, self.clips.shape[2], dtype=torch.float32)
        allowed = torch.zeros(count, SPAN, len(CLASSES), dtype=torch.bool, device=g.device)
        allowed[..., : decision.REJECTED] = True
        at = between(PLACES, count, g).long()
        spoken = kinds <= OTHER
        ids = self._clips(kinds == OTHER, g)
        ends = self._say(power, allowed, ids, at, spoken, g)
        for share, gaps, sign in ((WORD_BEFORE, BEFORE, -1), (WORD_BEHIND, BEHIND, 1)):
            another = self._clips(self._some(0.4, count, g), g)
            place = at + sign * between(gaps, count, g).long()
            self._say(power, allowed, another, place, spoken & self._some(share, count, g), g)
        before = spoken & self._some(TALK_BEFORE, count, g)
        until = torch.where(before, at - between(TALK_ENDS, count, g).long(), SPAN)
        self._talk(power, allowed, (kinds == SPEECH) | before, until, g)
        talk = kinds == SPEECH
        echoing = self._some(IN_A_ROOM, count, g) & (~talk | self._some(TALK_IN_A_ROOM / IN_A_ROOM, count, g))
        rows = torch.nonzero(echoing)[:, 0]
        power[rows] = reverberate(power[rows], self.rooms[self._index(len(self.rooms), len(rows), g)])
        power = power * gain_factors(count, GAIN_DB, g, power) * tilt_factors(count, power.shape[2], TILT_DB, g, power)
        noisy = self._some(NOISY, count, g) & (~talk | self._some(NOISY_TALK / NOISY, count, g))
        power += self._noise(power, noisy, kinds == NOISE, g)
        offset = int(torch.randint(2, (1,), generator=g, device=g.device))
        features = self.cepstrum(torch.log2(power[:, offset::2] + POWER_FLOOR))
        step = torch.arange(1, SPAN, 2, device=g.device)
        due = (step >= (ends + EARLY)[:, None]) & (step <= (ends + LATE)[:, None]) & (kinds == KEYWORD)[:, None]
        return Streams(features, allowed[:, step], due, torch.where(kinds == KEYWORD, self.labels[ids], -1))

    @staticmethod
    def _some(share: float, count: int, g: torch.Generator) -> Tensor:
        return between((0.0, 1.0), count, g) < share

    @staticmethod
    def _index(below: int, count: int, g: torch.Generator) -> Tensor:
        return torch.randint(below, (count,), generator=g, device=g.device)

    def _clips(self, other: Tensor, g: torch.Generator) -> Tensor:
        """A keyword's clip each, or another word's where `other` says so: int64 [B]."""
        keyword = self.keywords[self._index(len(self.keywords), len(other), g)]
        return torch.where(other, self.others[self._index(len(self.others), len(other), g)], keyword)

    def _say(
        self, power: Tensor, allowed: Tensor, ids: Tensor, at: Tensor, which: Tensor, g: torch.Generator
    ) -> Tensor:
        """Add clips `ids`, from step `at` on, to the streams that are chosen, in place: where words end, [B]."""
        rows = torch.nonzero(which)[:, 0]
        clip = warp_power(torch.exp2(self.clips[ids[rows]].float()), SPEED, TRACT, g)
        place = at[rows, None] + torch.arange(clip.shape[1], device=g.device)  # (n, 98)
        inside = (place >= 0) & (place < SPAN)
        power.view(-1, power.shape[2]).index_add_(0, (rows[:, None] * SPAN + place)[inside], clip[inside])
        ends, step = at + self.ends[ids], torch.arange(SPAN, device=g.device)
        here = (step >= (ends + HEARD_FROM)[:, None]) & (step <= (ends + HEARD_TO)[:, None]) & which[:, None]
        allowed |= here[..., None] & F.one_hot(self.labels[ids], len(CLASSES)).bool()[:, None]
        return ends

    def _talk(self, power: Tensor, allowed: Tensor, which: Tensor, until: Tensor, g: torch.Generator) -> None:
        """Add running speech, until a step, to the streams that are chosen, in place."""
        rows = torch.nonzero(which)[:, 0]
        step = torch.arange(SPAN, device=g.device)
        index = self._index(len(self.speech) - SPAN, len(rows), g)[:, None] + step
        talk = torch.exp2(self.speech[index].float())
        inside = step < until[rows, None]
        power[rows] += talk * gain_factors(len(rows), TALK_GAIN_DB, g, talk) * inside[..., None]
        allowed[rows] |= (self.free[index] & inside)[..., None]

    def _noise(self, power: Tensor, noisy: Tensor, alone: Tensor, g: torch.Generator) -> Tensor:
        """Noise to a stream's loudness where it is noisy, of any where it is alone: [B, 320, 20]."""
        count = len(power)
        index = self._index(len(self.noise) - SPAN, count, g)[:, None] + torch.arange(SPAN, device=g.device)
        noise = torch.exp2(self.noise[index].float())
        noise = noise * tilt_factors(count, noise.shape[2], NOISE_TILT_DB, g, noise)
        loud = power.mean(2).topk(LOUDEST, dim=1).values.mean(1)
        below = torch.where(noisy, between(SNR_DB, count, g), 60.0)
        octaves = 10 + 5 * torch.randn(count, generator=g, device=g.device)
        wanted = torch.where(alone, torch.exp2(octaves), loud * 10 ** (-below / 10))
        return noise * (wanted / noise.mean((1, 2)).clamp(min=1e-9))[:, None, None]


def load(data: Bands, negatives: Iterable[Path], noise: Iterable[Path], rooms: Path) -> Sounds:
    """What streams are made of: the clips of a corpus, and recordings of speech, noise and rooms.

    Of running speech only the training speakers' are taken, and of rooms only training's places (`recordings.corpora`,
    `recordings.rooms`), of each recording of noise its training part (`noise.BACKGROUND_SHARE`). Tables beside the
    speech say where a keyword is truly said (`sound/truth.py`).

    data : the corpus
    negatives : folders of recordings without commands, searched through
    noise : folders of recordings of noise
    rooms : folder of impulse responses

    Raises `UserError` for a folder without recordings, or too little of them.
    """
    chosen = ~data.validation
    clips = data.x[chosen]
    speech, free = [], []
    for corpus in (corpus for folder in negatives for corpus in recordings.corpora(folder, "training")):
        spans = truth.read(corpus.tables)
        for path in corpus.files:
            bands = bands_of_file(path)
            speech.append(bands)
            free.append(said_there(spans.get(path.name, []), len(bands)))
    quiet = []
    for folder in noise:
        for path, first, last in noise_spans(folder, "training"):
            bands = bands_of_file(path)[first * 100 // audio.SAMPLE_RATE_HZ : last * 100 // audio.SAMPLE_RATE_HZ + 100]
            quiet.append(np.concatenate([bands] * -(-SPAN // len(bands))))
    echoes = [room_of(response) for response in recordings.rooms(rooms, "training")]
    for what, parts, where in (("running speech of training speakers", speech, negatives), ("noise", quiet, noise)):
        if sum(map(len, parts)) <= 2 * SPAN:
            raise UserError(f"{', '.join(map(str, where))}: no {what} to train on, {SPAN // 50} s at least")
    return Sounds(clips, data.label[chosen], word_ends(clips), torch.from_numpy(np.concatenate(speech)),
                  torch.from_numpy(np.concatenate(free)), torch.from_numpy(np.concatenate(quiet)),
                  torch.from_numpy(np.stack(echoes)))


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
        try:
            bands = np.load(kept, allow_pickle=False, mmap_mode=None)
            if bands.dtype == np.float16 and bands.shape[1:] == (frontend.N_BANDS,):
                return bands
        except (OSError, ValueError, EOFError):
            pass  # half written or foreign: it is made again
    sound = recordings.at_8khz(path)
    steps, half = (len(sound) - frontend.WINDOW) // (frontend.HOP // 2) + 1, frontend.HOP // 2
    parts = [frontend.log_mel(sound[half * np.arange(i, min(i + BLOCK, steps))[:, None] + np.arange(frontend.WINDOW)])
             for i in range(0, steps, BLOCK)]
    bands = (np.concatenate([np.zeros((0, frontend.N_BANDS)), *parts]) / (1 << frontend.LOG_BITS)).astype(np.float16)
    files.keep(kept, lambda partial: np.save(partial, bands))
    return bands


def room_of(response: np.ndarray) -> np.ndarray:
    """What of a sound's power arrives 0, 10, .. 790 ms after its direct path, of 1 in all: float32 [80, 20].

    response : float [n] at 16 kHz, of `recordings.rooms`
    """
    sound, step = audio.resample(response, audio.SAMPLE_RATE_HZ, frontend.SAMPLE_RATE_HZ), frontend.HOP // 2
    pieces = np.pad(sound[: ECHOES * step], (0, max(0, ECHOES * step - len(sound)))).reshape(ECHOES, step)
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


def clip_frames(model: nn.Module) -> int:
    """Frames from a clip's beginning to its last score, whole groups of the network's strides."""
    stride = math.prod(model.config.strides)
    return -(-(frontend.N_FRAMES + model.config.flush) // stride) * stride


def rows_of(model: nn.Module, clips: Tensor, streams: Streams) -> Tensor:
    """A clip before each stream, so that batch norm sees both at once: float [B, 49 + gap + 160, 12], in int8 units.

    Normalised each by its own statistics, clips and streams make two networks of one, and neither is the one that is
    kept. Between them lie zeros, the features' mean, as after a clip that is classified.
    """
    gap = clips.new_zeros(len(clips), clip_frames(model) - clips.shape[1], clips.shape[2])
    return torch.cat([clips, gap, streams.features], 1)


def answers(model: nn.Module, rows: Tensor) -> tuple[Tensor, Tensor]:
    """What a network says to `rows_of`: logits of the clips [B, 12], the decision's sums in the streams [B, T', 12].

    A clip's answer is as if nothing followed: no frame depends on later ones. The sums begin at nothing.
    """
    scores, h = model.scores(rows * grids.INPUT_STEP)  # (B, T', 12), (B, T', head)
    weights = model.condenser.weights(h)
    cut = clip_frames(model) // math.prod(model.config.strides)
    clip = model.condenser.average(scores[:, :cut], weights[:, :cut])
    if model.condenser.readout_quantizer is not None:  # the chip's Q7
        weights = grids.round_half_up(weights * 2**SIGMOID_BITS) * 2.0**-SIGMOID_BITS
    weighed = (scores * weights)[:, cut:]
    return clip, 2.0**LEAK_BITS * leaking_mean(weighed, LEAK_BITS)


def loss(sums: Tensor, streams: Streams, clip_labels: Tensor, false_weight: float) -> Tensor:
    """Mean cost of a stream: of reports that were not said, and of a word that is not reported where it is due.

    sums : float [B, T', 12]; clip_labels : int64 [B], of the clips before: an echo of those is no error
    """
    stride = streams.features.shape[1] // sums.shape[1]
    lead = torch.cat([sums[..., : decision.REJECTED], sums[..., decision.REJECTED :] - LEAST,
                      sums.new_zeros(*sums.shape[:2], 1)], -1)  # the last: no report at all
    log_p = F.log_softmax(lead, -1)[..., :-1]  # (B, T', 12)
    allowed, due = streams.allowed.clone(), streams.due[:, ::stride]
    allowed[:, :AFTER_CLIP] |= F.one_hot(clip_labels, len(CLASSES)).bool()[:, None]
    wrong = (log_p.exp() * ~allowed[:, ::stride]).sum(-1)
    false = -torch.log1p(-wrong.clamp(max=1 - 1e-4)).sum(1)  # (B,)
    asked = streams.word >= 0
    hits = log_p[asked, :, streams.word[asked]].masked_fill(~due[asked], -torch.inf)  # (n, T')
    return (false_weight * false.sum() - hits.amax(1).sum()) / len(sums)
