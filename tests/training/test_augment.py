"""Augmentation: each kind does what it says, by how much it says, and the same again from the same seed."""

import math

import pytest
import torch

from tinyspeech.errors import UserError
from tinyspeech.training.augment import (
    AugmentConfig,
    add_noise_audio,
    add_noise_power,
    augment_audio,
    augment_pixels,
    gain_audio,
    gain_power,
    mask,
    pixels_to_power,
    power_to_pixels,
    shift_audio,
    shift_frames,
    tilt_power,
    warp_power,
)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def clips(batch: int = 64) -> torch.Tensor:
    return torch.randint(1, 256, (batch, 98, 40), dtype=torch.uint8, generator=seeded(9))


def sounds(batch: int = 64, samples: int = 2000) -> torch.Tensor:
    return 0.1 * torch.randn(batch, samples, generator=seeded(8))


def decibels(ratio: torch.Tensor) -> torch.Tensor:
    return 10 * torch.log10(ratio)


def test_pixels_and_power_are_inverse():
    pixels = torch.arange(2, 256)
    torch.testing.assert_close(power_to_pixels(pixels_to_power(pixels)), pixels.float(), rtol=0, atol=0.05)
    assert pixels_to_power(torch.tensor([0, 1])).tolist() == [0.0, 0.0]
    assert pixels_to_power(torch.tensor(139.54)).item() == pytest.approx(1.0 - 1e-6)


def test_shift_frames():
    x = clips()
    moved = shift_frames(x, 10, seeded())
    assert moved.dtype == torch.uint8 and moved.shape == x.shape
    seen = set()
    for before, after in zip(x, moved, strict=True):
        offset = next(k for k in range(-10, 11)
                      if torch.equal(after[max(k, 0): 98 + min(k, 0)], before[max(-k, 0): 98 + min(-k, 0)]))
        left, right = after[: max(offset, 0)], after[98 + min(offset, 0):]
        assert torch.all(left == 0) and torch.all(right == 0)
        seen.add(offset)
    assert min(seen) < -5 and max(seen) > 5
    assert torch.equal(shift_frames(x, 0, seeded()), x)
    assert torch.equal(shift_frames(x[:, :3], 90, seeded()), shift_frames(x[:, :3], 90, seeded()))


def test_shift_audio():
    x = (sounds() * 32767).to(torch.int16)
    moved = shift_audio(x, 100, seeded())
    assert moved.dtype == torch.int16
    lost = (moved == 0).sum(dim=1)
    assert lost.max() > 50 and lost.float().mean() < 60
    assert torch.equal(shift_audio(x, 0, seeded()), x)


def test_gain():
    power = pixels_to_power(clips(200))
    gain = decibels(gain_power(power, (-12.0, 6.0), seeded()).sum((1, 2)) / power.sum((1, 2)))
    assert -12.01 <= gain.min() < -11 and 5 < gain.max() <= 6.01
    x = sounds(200)
    gain = decibels(gain_audio(x, (-12.0, 6.0), seeded()).square().sum(1) / x.square().sum(1))
    assert -12.01 <= gain.min() < -11 and 5 < gain.max() <= 6.01
    loud = torch.full((1, 4), 30000, dtype=torch.int16)
    assert torch.equal(gain_audio(loud, (20.0, 20.0), seeded()), torch.full((1, 4), 32767, dtype=torch.int16))
    assert torch.equal(gain_audio(-loud, (20.0, 20.0), seeded()), torch.full((1, 4), -32768, dtype=torch.int16))


def test_tilt():
    power = pixels_to_power(clips(200)).clamp(min=1e-3)
    tilt = decibels(tilt_power(power, 3.0, seeded()) / power)[:, 0]  # (B, bands)
    torch.testing.assert_close(tilt[:, 0], -tilt[:, -1], rtol=0, atol=1e-3)
    torch.testing.assert_close(tilt.diff(dim=1).std(dim=1), torch.zeros(200), rtol=0, atol=1e-3)
    assert 2.8 < tilt.abs().max() < 3.001


def test_noise_power_at_the_ratio_asked_for():
    power, noise = pixels_to_power(clips(100)), clips(7)
    added = add_noise_power(power, noise, (5.0, 5.0), seeded()) - power
    assert added.min() >= 0
    torch.testing.assert_close(decibels(power.mean((1, 2)) / added.mean((1, 2))), torch.full((100,), 5.0), rtol=0,
                               atol=0.01)
    torch.testing.assert_close(added, add_noise_power(power, pixels_to_power(noise), (5.0, 5.0), seeded()) - power)
    some = add_noise_power(power, noise, (5.0, 5.0), seeded(), probability=0.5)
    touched = (some != power).any(dim=2).any(dim=1).float().mean()
    assert 0.3 < touched < 0.7


def test_noise_audio_at_the_ratio_asked_for():
    x, noise = sounds(100), torch.randn(50_000, generator=seeded(3))
    added = add_noise_audio(x, noise, (5.0, 5.0), seeded()) - x
    torch.testing.assert_close(decibels(x.square().mean(1) / added.square().mean(1)), torch.full((100,), 5.0), rtol=0,
                               atol=0.01)
    shapes = added / added.square().mean(1, keepdim=True).sqrt()
    assert (shapes @ shapes.T / x.shape[1]).fill_diagonal_(0).abs().max() < 0.2  # from different places
    integers = (x * 32768).to(torch.int16)
    mixed = add_noise_audio(integers, (noise * 1000).to(torch.int16), (5.0, 5.0), seeded())
    assert mixed.dtype == torch.int16
    error = (mixed - integers).float().square().mean(1)
    torch.testing.assert_close(decibels(integers.float().square().mean(1) / error), torch.full((100,), 5.0), rtol=0,
                               atol=0.05)


def test_silence_and_silent_noise_stay_finite():
    power, noise = torch.zeros(2, 98, 40), torch.zeros(3, 98, 40)
    assert torch.equal(add_noise_power(power, noise, (0.0, 0.0), seeded()), power)
    assert torch.equal(add_noise_power(power, pixels_to_power(clips(3)), (0.0, 0.0), seeded()), power)
    assert torch.isfinite(add_noise_power(pixels_to_power(clips(2)), noise, (0.0, 0.0), seeded())).all()
    silent = torch.zeros(2, 100, dtype=torch.int16)
    assert torch.equal(add_noise_audio(silent, torch.zeros(100), (0.0, 0.0), seeded()), silent)


@pytest.mark.parametrize(("dim", "longest"), [(1, 12), (2, 6), (1, 98)])
def test_masks(dim, longest):
    x = torch.rand(300, 98, 40, generator=seeded(4)) + 1
    masked = mask(x, dim, 1, longest, seeded(), fill=0.0)
    hole = (masked == 0).all(dim=3 - dim)  # (B, T) or (B, bands)
    assert torch.equal(masked == 0, hole.unsqueeze(3 - dim).expand_as(x))
    assert (hole.int().diff(dim=1) == 1).sum(dim=1).max() == 1  # one piece
    width = hole.sum(dim=1)
    assert width.min() == 0 and width.max() == longest
    assert hole.any(dim=0).all()  # every place is hit
    mean = mask(x, dim, 1, longest, seeded())
    torch.testing.assert_close(mean, torch.where(masked == 0, x.mean((1, 2), keepdim=True), x))
    assert torch.equal(mask(x, dim, 0, longest, seeded()), x)


def test_whole_chain_is_seeded_and_changes_every_clip():
    x, noise = clips(), clips(5)
    before = x.clone()
    power = augment_pixels(x, noise, seeded())
    assert torch.equal(x, before)
    assert power.shape == x.shape and power.dtype == torch.float32 and torch.isfinite(power).all() and power.min() >= 0
    assert torch.equal(power, augment_pixels(x, noise, seeded()))
    assert not torch.equal(power, augment_pixels(x, noise, seeded(1)))
    assert (power != pixels_to_power(x)).any(dim=2).any(dim=1).all()
    sound = sounds()
    augmented = augment_audio(sound, 8000, torch.randn(9000, generator=seeded(2)), seeded())
    assert augmented.shape == sound.shape and not torch.equal(augmented, sound)


def test_nothing_switched_on_changes_nothing():
    off = AugmentConfig(shift_ms=0, gain_db=(0, 0), tilt_db=0, noise_probability=0, time_masks=0, band_masks=0)
    torch.testing.assert_close(augment_pixels(clips(), clips(3), seeded(), off), pixels_to_power(clips()))
    torch.testing.assert_close(augment_audio(sounds(), 8000, None, seeded(), off), sounds())


def test_global_seed_is_left_alone():
    torch.manual_seed(0)
    state = torch.get_rng_state()
    augment_pixels(clips(), clips(3), seeded())
    augment_audio(sounds(), 8000, torch.ones(4000), seeded())
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("settings", [
    {"shift_ms": -1}, {"gain_db": (1, 0)}, {"gain_db": 3}, {"snr_db": (1, 2, 3)}, {"noise_probability": 1.5},
    {"time_masks": -1}, {"tilt_db": float("nan")},
])
def test_bad_settings(settings):
    with pytest.raises(UserError):
        AugmentConfig(**settings)


@pytest.mark.parametrize("call", [
    lambda: augment_pixels(clips().float(), None, seeded()),
    lambda: augment_pixels(clips()[0], None, seeded()),
    lambda: augment_pixels(clips(), clips()[:, :50], seeded()),
    lambda: augment_pixels(clips(), clips()[:0], seeded()),
    lambda: pixels_to_power([1, 2]),
    lambda: shift_frames(clips(), -1, seeded()),
    lambda: shift_frames(clips(), 1.5, seeded()),
    lambda: mask(clips().float(), 0, 1, 1, seeded()),
    lambda: mask(clips().float(), 2, 1, 41, seeded()),
    lambda: mask(clips().float(), 2, -1, 4, seeded()),
    lambda: shift_audio(sounds().to(torch.int32), 1, seeded()),
    lambda: gain_audio(sounds()[0], (0, 0), seeded()),
    lambda: add_noise_audio(sounds(), torch.zeros(1999), (0, 0), seeded()),
    lambda: add_noise_audio(sounds(), torch.zeros(1, 2000), (0, 0), seeded()),
])
def test_bad_input(call):
    with pytest.raises(UserError):
        call()


# --- other speeds, other speakers ---


def spot(frame: int = 40, band: int = 10) -> torch.Tensor:
    power = torch.zeros(1, 98, 20)
    power[0, frame, band] = 1.0
    return power


def test_warping_by_one_is_nothing():
    power = torch.rand(5, 98, 20)
    torch.testing.assert_close(warp_power(power, (1, 1), (1, 1), torch.Generator()), power, atol=1e-5, rtol=0)


@pytest.mark.parametrize("speed, frame", [(0.5, 31.5), (2.0, 44.25)])
def test_speed_moves_frames_about_the_middle(speed, frame):
    """What stood 8.5 frames before the middle stands 17 before it at half speed, and 4.25 at twice the speed."""
    made = warp_power(spot(), (speed, speed), (1, 1), torch.Generator())
    place = (made.sum(2)[0] * torch.arange(98)).sum() / made.sum()
    assert place == pytest.approx(frame, abs=0.3)
    if speed == 2.0:  # the clip is over before its second is: silence is left
        assert warp_power(torch.ones(1, 98, 20), (2, 2), (1, 1), torch.Generator())[0, :24].sum() == 0


@pytest.mark.parametrize("tract", [0.9, 1.1])
def test_a_vocal_tract_multiplies_frequencies(tract):
    """Bands read at f * tract: a spot in band 10 is found where f * tract is band 10's frequency."""
    hertz = 700 * (torch.exp(torch.arange(1, 21) * math.log1p(4000 / 700) / 21) - 1)
    made = warp_power(spot(), (1, 1), (tract, tract), torch.Generator())[0, 40]
    place = (made * hertz).sum() / made.sum()
    assert place.item() == pytest.approx(hertz[10].item() / tract, rel=0.03)


def test_every_clip_is_warped_differently_and_stays_power():
    made = warp_power(torch.rand(1, 98, 20).repeat(6, 1, 1), (0.9, 1.1), (0.9, 1.1), torch.Generator().manual_seed(0))
    assert made.min() >= 0 and made.max() <= 1 and made.isfinite().all()
    assert all(not torch.allclose(made[i], made[j]) for i in range(6) for j in range(i))


@pytest.mark.parametrize("settings", [{"speed": (1.1, 0.9)}, {"speed": (0.1, 1)}, {"tract": (1, 3)}, {"tract": 1.0}])
def test_senseless_warps(settings):
    with pytest.raises(UserError):
        AugmentConfig(**settings)
