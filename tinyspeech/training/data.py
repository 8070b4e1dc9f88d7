"""What the training loop eats: log2 mel-band powers of every clip, augmented on the fly, ending in the chip's int8.

A clip is kept as 98 frames (10 ms apart) x 20 bands of log2 power; the chip sees every second frame. `augment.py` acts
on the powers; then comes the same DCT, offset and int8 clamp as in `tinyspeech/integer/frontend.py`, so that
a network trained here meets nothing new on the chip. How near the log-mel set's features are to those of the same
recordings is `frontend.rmse_to_logmel_set` in `data/results.json`. What separates them: the set is JPEG, and its
windows are 30 ms against the chip's 32, centred 1 ms earlier; a coefficient of small variance feels that most.
Chapter 4.
"""

from __future__ import annotations

import contextlib
import hashlib
import math
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from tinyspeech import CLASSES
from tinyspeech.errors import UserError
from tinyspeech.integer import frontend
from tinyspeech.sound import audio, datasets
from tinyspeech.sound.corpora import open_corpus
from tinyspeech.sound.logmel import LOGMEL_SHAPE, load_logmel
from tinyspeech.sound.noise import noise_spans, read_noise
from tinyspeech.training.augment import AugmentConfig, augment_power, gain_factors, pixels_to_power, tilt_factors
from tinyspeech.training.features import PIXEL_FLOOR

FRAMES = LOGMEL_SHAPE[0]
SILENCE, UNKNOWN = CLASSES.index(datasets.SILENCE), CLASSES.index(datasets.UNKNOWN)
LOGMEL_TO_CHIP = 13.1
"""log2 of the chip's band power over the log-mel set's: 2**30 (int16 units) / 7.5 (length and rate of the transforms)
* 4 / 2**16 (`frontend.power`'s scale); 13.09 by this formula, 13.1 measured as the median over 400 clips."""
POWER_FLOOR = 2 * PIXEL_FLOOR * 2.0**LOGMEL_TO_CHIP
"""What the log-mel recipe adds to every pair of bands, in the chip's units."""


@dataclass
class Bands:
    """A corpus as log2 band powers in the chip's units (`frontend.log_mel` / 64)."""

    x: Tensor
    """float16 [N, 98, 20]."""
    label: Tensor
    """int64 [N], index into the classes; every word that is no keyword is `_unknown_`."""
    validation: Tensor
    """bool [N]; the rest is training."""
    noise: Tensor
    """float16 [M, 98, 20]: pieces of background noise to train on."""
    noise_validation: Tensor | None = None
    """The same, of parts that training never hears; left out, they are the last fifth of `noise`, taken out of it."""

    def __post_init__(self) -> None:
        if self.noise_validation is None:
            cut = len(self.noise) * 4 // 5
            self.noise, self.noise_validation = self.noise[:cut], self.noise[cut:]

    def to(self, device: str) -> Bands:
        return Bands(*(getattr(self, item.name).to(device) for item in fields(self)))


def label_of(words, classes: tuple[str, ...] = CLASSES) -> Tensor:
    """Words -> class indices; strangers are `_unknown_`."""
    index = {word: i for i, word in enumerate(classes)}
    return torch.tensor([index.get(str(word), UNKNOWN) for word in words])


def bands_of_pixels(pixels: np.ndarray, pairs: bool = True) -> Tensor:
    """Pictures of the log-mel set, uint8 [N, 98, 40] -> log2 band powers in the chip's units, float16 [N, 98, 20].

    pairs : add up neighbours, as the chip's bands are twice as wide; else there are 40
    """
    parts = []
    for part in torch.from_numpy(pixels).split(2048):
        power = pixels_to_power(part)  # (B, 98, 40)
        power = power[..., 0::2] + power[..., 1::2] + 2 * PIXEL_FLOOR if pairs else power + PIXEL_FLOOR
        parts.append((torch.log2(power) + LOGMEL_TO_CHIP).half())
    return torch.cat(parts)


def from_logmel(path: str | Path, pairs: bool = True, classes: tuple[str, ...] = CLASSES) -> Bands:
    """The cached log-mel set (`logmel.load_logmel`); its 40 mel powers are summed in `pairs`, or stay as they are.

    Its pictures of noise do not say from which place of which recording they are, so that the last fifth, which is for
    validation, holds sounds of recordings that training hears too. `load` with a folder of recordings does better.
    """
    logmel = load_logmel(path)
    validation = torch.from_numpy(np.asarray(logmel.splits) == "validation")
    return Bands(bands_of_pixels(logmel.x, pairs), label_of(logmel.words, classes), validation,
                 bands_of_pixels(logmel.noise, pairs))


def bands_of_audio(x: np.ndarray) -> np.ndarray:
    """int16 [N, 16000] at 16 kHz -> float16 [N, 98, 20], by the integer front end itself, a frame every 10 ms."""
    x8 = frontend.to_8khz(x)
    x8 = np.pad(x8, ((0, 0), (0, frontend.WINDOW)))
    start = frontend.HOP // 2 * np.arange(FRAMES)[:, None] + np.arange(frontend.WINDOW)
    frames = x8[:, start].reshape(-1, frontend.WINDOW)
    return (frontend.log_mel(frames) / (1 << frontend.LOG_BITS)).reshape(len(x), FRAMES, -1).astype(np.float16)


class Cepstrum:
    """log2 band powers [B, T, 20] -> int8-valued features [B, T, 12]: the last two stages of the integer front end."""

    def __init__(self, device: str = "cpu"):
        tables = frontend.tables()
        self.dct = torch.tensor(tables["dct"].T, dtype=torch.float32, device=device)  # (20, 12)
        self.offset = torch.tensor(tables["offset"], dtype=torch.float32, device=device)

    def __call__(self, log_power: Tensor) -> Tensor:
        units = torch.round(log_power[..., frontend.LOWEST_BANDS] * (1 << frontend.LOG_BITS))
        return torch.clamp(torch.floor((units @ self.dct + self.offset) / (1 << frontend.DCT_SHIFT)), -128, 127)


BAND_MEAN, BAND_STD = 5.4, 7.2
"""Of log2 power in the log-mel set's 40 bands, measured over 10,000 of its clips, pauses included."""


@dataclass(frozen=True)
class View:
    """What a network is shown of a clip's bands. The chip has the first of `VIEWS`; the others are for comparison."""

    step: int = 2
    """From one of the clip's frames to the next one shown; they are 10 ms apart."""
    cepstra: bool = True
    """The chip's 12 coefficients, or the bands themselves."""

    def __call__(self, log_power: Tensor) -> Tensor:
        """log2 powers of the frames that are shown, float [B, 98 / step, bands] -> features [B, 98 / step, 12 or
        bands] in int8 units."""
        if self.cepstra:
            return Cepstrum(log_power.device)(log_power)
        return ((log_power - BAND_MEAN) / BAND_STD * frontend.UNITS_PER_STD).round().clamp(-128, 127)


VIEWS = {"cepstra": View(), "cepstra_10_ms": View(step=1), "bands": View(cepstra=False)}
"""By the name that a config gives them (`features`). With `bands` there are 40 of them, and no chip."""


SILENCE_OCTAVES = 5.0
"""Standard deviation of the loudness of silence in training, in log2 of power (15 dB): a room may be any."""
SILENCE_TILT_DB = 6.0
"""Tone of silence in training, as `AugmentConfig.tilt_db`: six recordings stand for every room there is."""
SILENCE_MIX_DB = (-20.0, 0.0)
"""Loudness of the second piece of noise that is mixed into each."""


def draw_silence(noise: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Seconds without speech, as no recording holds them: two pieces of noise mixed, of any tone and loudness.

    noise : power [M, 98, 20] -> power [count, 98, 20]
    """
    first, second = (noise[torch.randint(len(noise), (count,), generator=generator, device=noise.device)]
                     for _ in range(2))
    level = first.mean((1, 2), keepdim=True) / second.mean((1, 2), keepdim=True).clamp(min=1e-12)
    mixed = first + second * level * gain_factors(count, SILENCE_MIX_DB, generator, noise)
    loudness = torch.exp2(SILENCE_OCTAVES * (torch.randn(count, 1, 1, generator=generator, device=noise.device) - 0.5))
    return mixed * loudness * tilt_factors(count, noise.shape[-1], SILENCE_TILT_DB, generator, noise)


def epoch_order(data: Bands, unknown_share: float, silence_share: float, generator: torch.Generator) -> Tensor:
    """Indices of one epoch's clips, shuffled: all keywords, a fresh draw of other words, and -1 for silence."""
    device = data.x.device
    keywords = torch.nonzero(~data.validation & (data.label > UNKNOWN))[:, 0]
    unknown = torch.nonzero(~data.validation & (data.label == UNKNOWN))[:, 0]
    unknown = unknown[torch.randperm(len(unknown), generator=generator, device=device)]
    unknown = unknown[: int(len(keywords) * unknown_share)]
    silent = torch.full((int(len(keywords) * silence_share),), -1, device=device)
    order = torch.cat([keywords, unknown, silent])
    return order[torch.randperm(len(order), generator=generator, device=device)]


def training_batches(
    data: Bands, augment: AugmentConfig, order: Tensor, batch_size: int, generator: torch.Generator,
    whole: bool = True, view: View = VIEWS["cepstra"],
) -> Iterator[tuple[Tensor, Tensor]]:
    """One epoch in `order`: (features [B, 49, 12], labels [B]), augmented afresh; `whole` drops an incomplete batch."""
    noise = torch.exp2(data.noise.float())  # (M, 98, 20)
    for start in range(0, len(order) - (batch_size - 1 if whole else 0), batch_size):
        chosen = order[start : start + batch_size]
        power = augment_power(torch.exp2(data.x[chosen.clamp(min=0)].float()), noise, generator, augment)  # (B, 98, 20)
        silent = torch.nonzero(chosen < 0)[:, 0]
        power[silent] = draw_silence(noise, len(silent), generator)
        features = view(torch.log2(power[:, :: view.step] + POWER_FLOOR))
        yield features, torch.where(chosen >= 0, data.label[chosen.clamp(min=0)], SILENCE)


class Passes:
    """Augmented versions of the training set, made once and gone through in turn, with a teacher's answers.

    Making features anew each epoch is cheap; asking a large network for its answers to them is not. So `count` passes
    are drawn, each by a generator of its own number (the same for every training seed), the teacher answers each clip
    once, and epoch after epoch takes the next pass in an order of its own. With a `folder`, they are kept there for
    the next run, under a name made of all that they depend on.

    Parameters
    ----------
    data : Bands
    config
        What has `features`, `unknown_share`, `silence_share`, `augmentation()`: a `config.TrainConfig`.
    count : int
    teacher : nn.Module, optional
        In evaluation mode; takes features in standard deviations.
    folder : Path, optional
    """

    def __init__(self, data: Bands, config, count: int, teacher: torch.nn.Module | None = None,
                 folder: Path | None = None) -> None:
        self.data, self.config, self.count, self.teacher, self.folder = data, config, count, teacher, folder
        self.made: dict[int, tuple[Tensor, Tensor, Tensor]] = {}
        if folder is not None:
            made_by = (asdict(config.augmentation()), config.unknown_share, config.silence_share, SILENCE_OCTAVES,
                       SILENCE_TILT_DB, SILENCE_MIX_DB, torch.__version__, str(data.x.device))
            others = (config.features,) if config.features != "cepstra" else ()
            sha = hashlib.sha256(repr(made_by + others).encode())
            for tensor in (data.x, data.label, data.validation, data.noise,
                           *(teacher.state_dict().values() if teacher is not None else ())):
                sha.update(tensor.cpu().contiguous().numpy().tobytes())
            self.key = sha.hexdigest()[:16]

    def __getitem__(self, number: int) -> tuple[Tensor, Tensor, Tensor]:
        """Pass `number % count`: features int8 [N, 49, 12], labels int64 [N], the teacher's logits float16 [N, 12].

        Without a teacher the logits are empty, [N, 0]. Raises `UserError` where the folder cannot be written.
        """
        number %= self.count
        if number not in self.made:
            path = self.folder / f"pass-{self.key}-{number}.pt" if self.folder is not None else None
            self.made[number] = self._kept(path) or self._make(number)
            if path is not None and not path.exists():
                self._keep(path, number)
        return self.made[number]

    @torch.no_grad()
    def _make(self, number: int) -> tuple[Tensor, Tensor, Tensor]:
        generator = torch.Generator(self.data.x.device).manual_seed(number)
        order = epoch_order(self.data, self.config.unknown_share, self.config.silence_share, generator)
        parts = []
        for x, y in training_batches(self.data, self.config.augmentation(), order, 256, generator, whole=False,
                                     view=VIEWS[self.config.features]):
            answer = x.new_empty(len(x), 0) if self.teacher is None else self.teacher(x / frontend.UNITS_PER_STD)
            parts.append((x.to(torch.int8), y, answer.half()))
        features, labels, answers = (torch.cat(part) for part in zip(*parts, strict=True))
        return features, labels, answers

    def _kept(self, path: Path | None) -> tuple[Tensor, Tensor, Tensor] | None:
        """What lies in a file of the folder; nothing where it is not whole, and then it goes, to be made again."""
        if path is None or not path.exists():
            return None
        try:
            features, labels, answers = torch.load(path, weights_only=True)
            return tuple(t.to(self.data.x.device) for t in (features, labels, answers))
        except Exception:  # torch raises many types for what was half written
            with contextlib.suppress(OSError):
                path.unlink()
            return None

    def _keep(self, path: Path, number: int) -> None:
        partial = path.with_suffix(f".{os.getpid()}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            torch.save(tuple(t.cpu() for t in self.made[number]), partial)
            partial.replace(path)
        except (OSError, RuntimeError) as error:
            with contextlib.suppress(OSError):
                partial.unlink(missing_ok=True)
            raise UserError(f"cannot keep a training pass in {path.parent}: {error}") from error

    def batches(self, number: int, batch_size: int, generator: torch.Generator) -> Iterator[tuple[Tensor, ...]]:
        """Pass `number` in a fresh order, as (features float [B, 49, 12], labels [B], answers [B, 12 or 0])."""
        features, labels, answers = self[number]
        order = torch.randperm(len(labels), generator=generator, device=labels.device)
        for start in range(0, len(order) - batch_size + 1, batch_size):
            chosen = order[start : start + batch_size]
            yield features[chosen].float(), labels[chosen], answers[chosen].float()


def validation_set(data: Bands, seed: int = 0, view: View = VIEWS["cepstra"]) -> tuple[Tensor, Tensor]:
    """The 12-class validation set: every keyword clip, one tenth as many of unknown and of silence (drawn by `seed`).

    Returns features [N, 49, 12] and labels [N], clean: no shift, no added noise; silence has a uniform random gain.
    """
    generator = torch.Generator().manual_seed(seed)
    keywords = torch.nonzero(data.validation & (data.label > UNKNOWN))[:, 0]
    unknown = torch.nonzero(data.validation & (data.label == UNKNOWN))[:, 0]
    if not len(keywords) or not len(unknown):
        raise UserError("the validation split has no keywords or no other words")
    if not len(data.noise) or not len(data.noise_validation):
        raise UserError("two pieces of background noise are needed at least, one to train on and one to validate on")
    count = math.ceil(len(keywords) * datasets.EXTRA_PERCENT / 100)
    device = data.x.device
    unknown = unknown[torch.randperm(len(unknown), generator=generator)[:count].to(device)]
    gain = torch.rand(count, 1, 1, generator=generator).to(device)
    noise = data.noise_validation
    piece = torch.arange(count, device=device) % len(noise)
    quiet = torch.log2(torch.exp2(noise[piece, :: view.step].float()) * gain + POWER_FLOOR)
    words = torch.cat([data.x[keywords, :: view.step], data.x[unknown, :: view.step]]).float()
    silence = torch.full((count,), SILENCE, device=device)
    labels = torch.cat([data.label[keywords], data.label[unknown], silence])
    return view(torch.cat([words, quiet])), labels


def from_folder(folder: str | Path, noise: str | Path | None = None, classes: tuple[str, ...] = CLASSES) -> Bands:
    """Recordings in Speech Commands layout or another corpus, through the integer front end up to its logarithms.

    All words of the training and validation splits, and the background noise (`noise_of`), the corpus's own or that of
    the folder `noise`. Raises `UserError` where words or noise are missing.
    """
    corpus = open_corpus(folder)
    names, validation = [], []
    for split in ("training", "validation"):
        found = [name for words in corpus.of_split(split).values() for name in words]
        names += found
        validation += [split == "validation"] * len(found)
    if not names:
        raise UserError(f"{folder} has no clips to train on")
    chunks = [names[i : i + 256] for i in range(0, len(names), 256)]
    x = [bands_of_audio(np.stack([corpus.clip(name) for name in chunk])) for chunk in chunks]

    return Bands(torch.from_numpy(np.concatenate(x)), label_of((name.split("/")[0] for name in names), classes),
                 torch.tensor(validation), *noise_of(corpus.noise if noise is None else noise))


def noise_of(folder: str | Path) -> tuple[Tensor, Tensor]:
    """Recordings of noise as band powers, float16 [M, 98, 20]: for training, and for validation.

    Seconds that overlap by half, each split's from its own part of every recording (`noise.BACKGROUND_SHARE`), so
    that no sample serves both. Raises `UserError` where there is none.
    """
    parts, second = [], audio.CLIP_SAMPLES
    for split in ("training", "validation"):
        pieces = []
        for path, first, last in noise_spans(folder, split):
            samples = read_noise(path)
            pieces += [samples[i : i + second] for i in range(first, min(last, len(samples) - second) + 1, second // 2)]
        if not pieces:
            raise UserError(f"{folder} holds no recordings of noise long enough for {split}: silence cannot be trained")
        parts.append(torch.from_numpy(bands_of_audio(np.stack(pieces))))
    return parts[0], parts[1]


def load(path: str | Path, noise: str | Path | None = None, features: str = "cepstra",
         classes: tuple[str, ...] = CLASSES) -> Bands:
    """The log-mel set (.npz, .tar.gz) or a folder of recordings; anything else raises `UserError`.

    noise : a folder of recordings that takes the place of the set's own noise
    features : one of `VIEWS`; for `bands` all 40 are kept, which only the log-mel set has, and its own noise
    classes : silence, unknown and the words that are to be told apart
    """
    path = Path(path)
    if features == "bands":
        if path.is_dir():
            raise UserError("features 'bands' are the log-mel set's 40 bands: give that set, not recordings")
        return from_logmel(path, pairs=False, classes=classes)
    if path.is_dir():
        return from_folder(path, noise, classes)
    if not path.name.endswith((".npz", ".tar.gz")) or not path.exists():
        raise UserError(f"no training data at {path}: give a folder in Speech Commands layout or the log-mel set")
    data = from_logmel(path, classes=classes)
    if noise is not None:
        data.noise, data.noise_validation = noise_of(noise)
    return data
