"""What speakers and rooms do to a word, done to batches of clips: shift, loudness, tone, noise, and holes.

Two forms of each, because training data comes in two forms:

- the cached log-mel set: uint8 grey levels [B, 98, 40] -> mel power, where noise simply adds (`augment_pixels`);
- sound: int16 or float samples [B, N] (`augment_audio`).

Every random number comes from the torch.Generator that is passed in, one draw for the whole batch, no loop over clips.
Nothing here knows labels or networks. Chapter 4 listens to it.

    import torch; from tinyspeech.training.augment import *
    g = torch.Generator().manual_seed(0)
    power = augment_pixels(pixels, noise_pixels, g)      # uint8 [B, 98, 40], [M, 98, 40] -> float [B, 98, 40]
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from tinyspeech.errors import UserError
from tinyspeech.integer.frontend import MEL_CORNER_HZ
from tinyspeech.training.features import CACHED_RECIPE, PIXEL_FLOOR, PIXEL_OFFSET, PIXELS_PER_NEPER

MEL_TOP_HZ = CACHED_RECIPE.high_hz
"""The mel bands' upper end."""
FRAME_MS = CACHED_RECIPE.hop_ms
"""Time from one frame of the cached set to the next."""


@dataclass(frozen=True)
class AugmentConfig:
    """How strongly to augment. Ranges are (lowest, highest), drawn from evenly.

    Raises
    ------
    UserError
        Where a value is out of range.
    """

    shift_ms: float = 100.0
    """Clips move by up to this, earlier or later."""
    gain_db: tuple[float, float] = (-12.0, 6.0)
    """Loudness of the clip, before noise is added."""
    tilt_db: float = 3.0
    """Tone: up to this much more, or less, at the highest band and the opposite at the lowest. Log-mel form only."""
    speed: tuple[float, float] = (1.0, 1.0)
    """How much faster the clip goes by, about its middle (Ko et al. 2015). Log-mel form only."""
    tract: tuple[float, float] = (1.0, 1.0)
    """What frequencies are multiplied by, as by a shorter or longer vocal tract: other speakers (Jaitly and Hinton
    2013). Log-mel form only."""
    noise_probability: float = 0.8
    """Share of clips that get noise."""
    snr_db: tuple[float, float] = (0.0, 30.0)
    """Power of the clip over power of the noise, each averaged over the clip."""
    time_masks: int = 1
    """Holes in time for each clip. Log-mel form only, as are all masks."""
    time_mask_frames: int = 12
    """Longest hole in time, in frames of the input; lengths are drawn evenly from 0."""
    band_masks: int = 1
    """Holes in frequency for each clip."""
    band_mask_bands: int = 6
    """Widest hole in frequency, in bands of the input."""

    def __post_init__(self) -> None:
        for name in ("gain_db", "snr_db", "speed", "tract"):
            check_range(getattr(self, name), name)
        for name in ("speed", "tract"):
            if not 0.5 <= getattr(self, name)[0] <= getattr(self, name)[1] <= 2.0:
                raise UserError(f"{name} must lie in 0.5..2, it is {getattr(self, name)}")
        for name in ("shift_ms", "tilt_db", "time_masks", "time_mask_frames", "band_masks", "band_mask_bands"):
            if not getattr(self, name) >= 0:
                raise UserError(f"{name} must not be below 0, it is {getattr(self, name)}")
        if not 0.0 <= self.noise_probability <= 1.0:
            raise UserError(f"noise_probability must lie in 0..1, it is {self.noise_probability}")


# ---------------------------------------------------------------------------------------------------------------------
# Random numbers and checks
# ---------------------------------------------------------------------------------------------------------------------


def check_range(limits: tuple[float, float], name: str) -> None:
    """`UserError` unless limits is (lowest, highest)."""
    if not isinstance(limits, (tuple, list)) or len(limits) != 2 or not limits[0] <= limits[1]:
        raise UserError(f"{name} must be (lowest, highest), not {limits!r}")


def _check_batch(x: Tensor, ndim: int, what: str) -> None:
    if not isinstance(x, Tensor) or x.ndim != ndim or x.is_complex():
        shape = list(x.shape) if isinstance(x, Tensor) else type(x).__name__
        raise UserError(f"{what}, not {shape}")


def _uniform(low: float, high: float, shape: tuple[int, ...], generator: Generator, like: Tensor) -> Tensor:
    """Even random numbers in low..high on like's device, drawn where the generator lives."""
    return (low + (high - low) * torch.rand(shape, generator=generator, device=generator.device)).to(like.device)


def _integers(low: int, high: int, shape: tuple[int, ...], generator: Generator, like: Tensor) -> Tensor:
    """Random whole numbers, low and high included."""
    return torch.randint(low, high + 1, shape, generator=generator, device=generator.device).to(like.device)


def _rows(x: Tensor, offset: Tensor) -> tuple[Tensor, Tensor]:
    """Time moved by offset [B]: indices into x flattened over (B, T), and whether each lies inside. Both [B, T]."""
    batch, time = x.shape[:2]
    source = torch.arange(time, device=x.device) - offset[:, None]  # (B, T)
    inside = (source >= 0) & (source < time)
    return source.clamp(0, time - 1) + time * torch.arange(batch, device=x.device)[:, None], inside


# ---------------------------------------------------------------------------------------------------------------------
# Mel power: the cached log-mel set
# ---------------------------------------------------------------------------------------------------------------------


def pixels_to_power(pixels: Tensor) -> Tensor:
    """Grey levels of the cached set to mel power, exp((pixel - 139.54) / 10.018) - 1e-6, at least 0: same shape."""
    if not isinstance(pixels, Tensor):
        raise UserError(f"pixels must be a tensor, not {type(pixels).__name__}")
    x = pixels.to(torch.float32, copy=True)
    return x.sub_(PIXEL_OFFSET).mul_(1.0 / PIXELS_PER_NEPER).exp_().sub_(PIXEL_FLOOR).clamp_(min=0.0)


def power_to_pixels(power: Tensor) -> Tensor:
    """Mel power to grey levels, not rounded: float 0..255, same shape."""
    return (torch.log(power + PIXEL_FLOOR) * PIXELS_PER_NEPER + PIXEL_OFFSET).clamp_(0.0, 255.0)


def shift_frames(x: Tensor, max_frames: int, generator: Generator, fill: float = 0) -> Tensor:
    """Each clip moved in time by a whole number of frames in -max_frames..max_frames.

    Parameters
    ----------
    x : [B, T, bands], any type
    max_frames : int
    generator : torch.Generator
    fill : number
        Goes where nothing is left of the clip. 0, for power and for pixels, is digital silence.
    """
    _check_batch(x, 3, "clips must be [batch, frames, bands]")
    if not isinstance(max_frames, int) or max_frames < 0:
        raise UserError(f"max_frames must be a whole number of at least 0, not {max_frames!r}")
    rows, inside = _rows(x, _integers(-max_frames, max_frames, (len(x),), generator, x))
    moved = x.reshape(-1, x.shape[-1]).index_select(0, rows.flatten()).reshape(x.shape)
    return moved.masked_fill_(~inside[..., None], fill)


def gain_factors(batch: int, gain_db: tuple[float, float], generator: Generator, like: Tensor) -> Tensor:
    """Power factors [B, 1, 1] for random gains in a range of dB."""
    check_range(gain_db, "gain_db")
    return torch.pow(10.0, _uniform(*gain_db, (batch, 1, 1), generator, like) / 10.0)


def tilt_factors(batch: int, bands: int, tilt_db: float, generator: Generator, like: Tensor) -> Tensor:
    """Power factors [B, 1, bands]: a straight line in dB over the bands, up to +-tilt_db at its ends."""
    line = torch.linspace(-1.0, 1.0, bands, device=like.device)
    return torch.pow(10.0, _uniform(-tilt_db, tilt_db, (batch, 1, 1), generator, like) * line / 10.0)


def warp_power(
    power: Tensor, speed: tuple[float, float], tract: tuple[float, float], generator: Generator,
) -> Tensor:
    """Each clip faster or slower, and spoken by a shorter or longer vocal tract: [B, T, bands] -> the same shape.

    Both axes are read between their points by straight lines. Beyond the clip's ends there is no power; bands are equal
    steps of HTK mel from 0 to 4000 Hz, and beyond the highest one stands its own value.
    """
    _check_batch(power, 3, "power must be [batch, frames, bands]")
    check_range(speed, "speed")
    check_range(tract, "tract")
    batch, time, bands = power.shape
    middle = (time - 1) / 2
    place = torch.arange(time, device=power.device) - middle  # (T,)
    place = middle + place * _uniform(*speed, (batch, 1), generator, power)  # (B, T), in frames of the clip
    inside = (place >= 0) & (place <= time - 1)
    low = place.clamp(0, time - 1).floor().clamp(max=max(time - 2, 0))
    share = (place.clamp(0, time - 1) - low)[..., None]
    rows = low.long() + time * torch.arange(batch, device=power.device)[:, None]
    flat = power.reshape(-1, bands)
    after = (rows + 1).clamp(max=batch * time - 1)
    power = torch.lerp(flat[rows], flat[after], share) * inside[..., None]

    top = math.log1p(MEL_TOP_HZ / MEL_CORNER_HZ)
    centre = torch.expm1(torch.arange(1, bands + 1, device=power.device) * (top / (bands + 1)))  # Hz / 700
    place = torch.log1p(centre * _uniform(*tract, (batch, 1), generator, power)) * ((bands + 1) / top) - 1
    place = place.clamp(0, bands - 1)  # (B, bands)
    low = place.floor().clamp(max=max(bands - 2, 0))
    share = (place - low)[:, None]
    left = low.long()[:, None].expand(-1, time, -1)
    return torch.lerp(power.gather(2, left), power.gather(2, (left + 1).clamp(max=bands - 1)), share)


def gain_power(power: Tensor, gain_db: tuple[float, float], generator: Generator) -> Tensor:
    """Each clip louder or quieter: power [B, T, bands] -> the same shape."""
    _check_batch(power, 3, "power must be [batch, frames, bands]")
    return power * gain_factors(len(power), gain_db, generator, power)


def tilt_power(power: Tensor, tilt_db: float, generator: Generator) -> Tensor:
    """Each clip brighter or darker, as another microphone would make it: power [B, T, bands] -> the same shape."""
    _check_batch(power, 3, "power must be [batch, frames, bands]")
    return power * tilt_factors(len(power), power.shape[-1], tilt_db, generator, power)


def add_noise_power(
    power: Tensor, noise: Tensor, snr_db: tuple[float, float], generator: Generator, probability: float = 1.0,
) -> Tensor:
    """Noise added to each clip, at a random ratio of the two mean powers. Powers of unrelated sounds add.

    A clip without any power stays as it is: there is no ratio to it.

    Parameters
    ----------
    power : float [B, T, bands]
    noise : float or uint8 [M, T, bands]
        Power, or grey levels where the type is uint8. Each clip gets one of the M at random.
    snr_db : (lowest, highest)
    generator : torch.Generator
    probability : float
        Share of clips that get noise.
    """
    _check_batch(power, 3, "power must be [batch, frames, bands]")
    _check_batch(noise, 3, "noise must be [recordings, frames, bands]")
    check_range(snr_db, "snr_db")
    if noise.shape[1:] != power.shape[1:] or len(noise) == 0:
        raise UserError(f"noise must be [recordings, {power.shape[1]}, {power.shape[2]}] like the clips, "
                        f"not {list(noise.shape)}")
    batch = len(power)
    chosen = noise.index_select(0, _integers(0, len(noise) - 1, (batch,), generator, noise)).to(power.device)
    if chosen.dtype == torch.uint8:
        chosen = pixels_to_power(chosen)
    ratio = torch.pow(10.0, -_uniform(*snr_db, (batch, 1, 1), generator, power) / 10.0)
    wanted = _uniform(0.0, 1.0, (batch, 1, 1), generator, power) < probability
    level = power.mean(dim=(1, 2), keepdim=True) / chosen.mean(dim=(1, 2), keepdim=True).clamp(min=1e-12)
    return torch.addcmul(power, chosen, level * ratio * wanted)


def mask(x: Tensor, dim: int, count: int, longest: int, generator: Generator, fill: float | str = "mean") -> Tensor:
    """Holes along one axis, each from 0 to `longest` wide, at a random place in each clip.

    Parameters
    ----------
    x : float [B, T, bands]
    dim : int
        1 for holes in time, 2 for holes in frequency.
    count, longest : int
        Holes for each clip, and how wide at most, in frames or bands.
    generator : torch.Generator
    fill : number or "mean"
        What goes into the hole; "mean" is the clip's own average, so that loudness does not give the hole away.
    """
    _check_batch(x, 3, "clips must be [batch, frames, bands]")
    if dim not in (1, 2):
        raise UserError(f"dim must be 1 (time) or 2 (frequency), not {dim!r}")
    if not 0 <= longest <= x.shape[dim]:
        raise UserError(f"holes of up to {longest} do not fit {x.shape[dim]}")
    if count < 0:
        raise UserError(f"count must not be below 0, it is {count}")
    width = _integers(0, longest, (len(x), count), generator, x)
    start = _uniform(0.0, 1.0, (len(x), count), generator, x) * (x.shape[dim] - width + 1)
    start = torch.minimum(start.floor(), (x.shape[dim] - width).float())
    place = torch.arange(x.shape[dim], device=x.device)[:, None]
    hole = ((place >= start[:, None]) & (place < (start + width)[:, None])).any(dim=-1)  # (B, T) or (B, bands)
    hole = hole.unsqueeze(3 - dim)  # (B, T, 1) or (B, 1, bands)
    return torch.where(hole, x.mean(dim=(1, 2), keepdim=True) if fill == "mean" else fill, x)


def augment_pixels(
    pixels: Tensor, noise: Tensor | None, generator: Generator, config: AugmentConfig | None = None,
) -> Tensor:
    """Everything at once on clips of the cached set, in the order of nature: shift, loudness and tone, holes, noise.

    Parameters
    ----------
    pixels : uint8 [B, 98, 40]
    noise : uint8 [M, 98, 40], or None for no noise
    generator : torch.Generator
    config : AugmentConfig, optional

    Returns
    -------
    float32 [B, 98, 40]
        Mel power; `tinyspeech.training.features.MFCC.from_cached` takes it.

    Raises
    ------
    UserError
        Where shapes or types do not fit.
    """
    _check_batch(pixels, 3, "pixels must be [batch, frames, bands]")
    if pixels.dtype != torch.uint8:
        raise UserError(f"pixels must be uint8, not {pixels.dtype}")
    return augment_power(pixels_to_power(pixels), noise, generator, config)


def augment_power(
    power: Tensor, noise: Tensor | None, generator: Generator, config: AugmentConfig | None = None,
) -> Tensor:
    """`augment_pixels` for clips that are mel power already: float [B, T, bands] -> float [B, T, bands].

    noise : power or grey levels [M, T, bands], or None. A frame is 10 ms, as in the cached set.
    """
    config = config or AugmentConfig()
    power = shift_frames(power, round(config.shift_ms / FRAME_MS), generator)  # (B, T, bands)
    if config.speed != (1.0, 1.0) or config.tract != (1.0, 1.0):
        power = warp_power(power, config.speed, config.tract, generator)
    batch, _, bands = power.shape
    power *= (gain_factors(batch, config.gain_db, generator, power)
              * tilt_factors(batch, bands, config.tilt_db, generator, power))
    if config.time_masks:  # holes lie in the word, not in the noise: what fills them is the room
        power = mask(power, 1, config.time_masks, config.time_mask_frames, generator, fill=0.0)
    if config.band_masks:
        power = mask(power, 2, config.band_masks, config.band_mask_bands, generator, fill=0.0)
    if noise is not None and config.noise_probability > 0:
        power = add_noise_power(power, noise, config.snr_db, generator, config.noise_probability)
    return power


# ---------------------------------------------------------------------------------------------------------------------
# Sound
# ---------------------------------------------------------------------------------------------------------------------


def _like(x: Tensor, original: Tensor) -> Tensor:
    """Back to the type that came in: int16 is rounded and saturated, float stays."""
    if original.dtype == torch.int16:
        return x.round().clamp(-32768, 32767).to(torch.int16)
    return x


def _check_audio(x: Tensor) -> None:
    _check_batch(x, 2, "sound must be [batch, samples]")
    if x.dtype != torch.int16 and not x.is_floating_point():
        raise UserError(f"sound must be int16 or float, not {x.dtype}")


def shift_audio(x: Tensor, max_samples: int, generator: Generator) -> Tensor:
    """Each clip moved by up to max_samples, earlier or later; zeros come in: [B, N] -> the same shape and type."""
    _check_audio(x)
    if not isinstance(max_samples, int) or max_samples < 0:
        raise UserError(f"max_samples must be a whole number of at least 0, not {max_samples!r}")
    places, inside = _rows(x, _integers(-max_samples, max_samples, (len(x),), generator, x))
    return x.flatten().index_select(0, places.flatten()).reshape(x.shape).masked_fill_(~inside, 0)


def gain_audio(x: Tensor, gain_db: tuple[float, float], generator: Generator) -> Tensor:
    """Each clip louder or quieter by a random number of dB: [B, N] -> the same shape and type; int16 saturates."""
    _check_audio(x)
    check_range(gain_db, "gain_db")
    factor = torch.pow(10.0, _uniform(*gain_db, (len(x), 1), generator, x) / 20.0)
    return _like(x * factor, x)


def add_noise_audio(
    x: Tensor, noise: Tensor, snr_db: tuple[float, float], generator: Generator, probability: float = 1.0,
) -> Tensor:
    """Noise from random places of one long recording added to each clip, at a random ratio of mean powers.

    A clip without any power stays as it is.

    Parameters
    ----------
    x : int16 or float [B, N]
    noise : int16 or float [L], L >= N
        Its level does not matter.
    snr_db : (lowest, highest)
    generator : torch.Generator
    probability : float
        Share of clips that get noise.

    Returns
    -------
    The same shape and type as x; int16 saturates.
    """
    _check_audio(x)
    _check_batch(noise, 1, "noise must be one long recording [samples]")
    check_range(snr_db, "snr_db")
    batch, samples = x.shape
    if len(noise) < samples:
        raise UserError(f"noise must be at least as long as the clips, {samples} samples, not {len(noise)}")
    start = _integers(0, len(noise) - samples, (batch,), generator, noise)
    chosen = noise.unfold(0, samples, 1).index_select(0, start).to(x.device, torch.float32)  # (B, N)
    signal = x.to(torch.float32)
    ratio = torch.pow(10.0, -_uniform(*snr_db, (batch, 1), generator, x) / 10.0)
    wanted = _uniform(0.0, 1.0, (batch, 1), generator, x) < probability
    level = signal.square().mean(dim=1, keepdim=True) / chosen.square().mean(dim=1, keepdim=True).clamp(min=1e-12)
    return _like(torch.addcmul(signal, chosen, (level * ratio).sqrt() * wanted), x)


def augment_audio(
    x: Tensor, sample_rate_hz: int, noise: Tensor | None, generator: Generator, config: AugmentConfig | None = None,
) -> Tensor:
    """Shift, gain and noise on sound: int16 or float [B, N] -> the same shape and type. Noise is one recording [L]."""
    config = config or AugmentConfig()
    x = shift_audio(x, round(config.shift_ms * sample_rate_hz / 1000), generator)
    x = gain_audio(x, config.gain_db, generator)
    if noise is not None and config.noise_probability > 0:
        x = add_noise_audio(x, noise, config.snr_db, generator, config.noise_probability)
    return x
