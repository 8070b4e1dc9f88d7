"""The float front end: torchaudio's MFCC on the same settings, and the recipe of the cached log-mel set."""

import math
import subprocess
import sys

import pytest
import torch

from tinyspeech.errors import UserError
from tinyspeech.training.features import (
    MFCC,
    POWER_RATIO,
    FrontendConfig,
    hz_to_mel,
    log_mel,
    logmel_pixels,
    mel_filterbank,
)


def noise(*shape: int, seed: int = 0, level: float = 0.1) -> torch.Tensor:
    return level * torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_package_stays_light():
    code = "import sys, tinyspeech; sys.exit('torch' in sys.modules or 'torchaudio' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_default_shapes():
    config = FrontendConfig()
    assert (config.window_length, config.hop_length, config.n_frames, config.n_bins) == (256, 160, 49, 129)
    assert MFCC()(noise(8000)).shape == (49, 12)
    assert MFCC()(noise(2, 3, 8000)).shape == (2, 3, 49, 12)
    assert log_mel(noise(8000)).shape == (49, 20)
    assert mel_filterbank().shape == (129, 20)


def test_equals_torchaudio_mfcc_given_our_filters():
    """Everything but the form of the mel slopes is torchaudio's MFCC, to float rounding (in octaves, not nepers)."""
    from tinyspeech.training._torchaudio import transforms

    config = FrontendConfig(log_floor=1e-6)  # torchaudio's own
    theirs = transforms.MFCC(config.sample_rate_hz, config.n_mfcc, log_mels=True, melkwargs={
        "n_fft": 256, "win_length": 256, "hop_length": 160, "n_mels": 20, "center": False, "mel_scale": "htk"})
    theirs.MelSpectrogram.mel_scale.fb.copy_(mel_filterbank(config))
    x = noise(4, 8000)
    torch.testing.assert_close(MFCC(config)(x), theirs(x).transpose(-1, -2) / math.log(2.0), rtol=0, atol=1e-4)


def test_torchaudio_filters_differ_only_in_the_form_of_the_slopes():
    from tinyspeech.training._torchaudio import functional

    theirs = functional.melscale_fbanks(129, 0.0, 4000.0, 40, 8000, mel_scale="htk")
    ours = mel_filterbank(FrontendConfig(n_mels=40, triangles_per_band=1))
    difference = (ours - theirs).abs().max().item()
    assert 0.003 < difference < 0.006

    mfcc, x = MFCC(), noise(4, 8000)
    with_theirs = torch.log2(mfcc.spectrogram(x).transpose(-1, -2) @ theirs.unflatten(1, (20, 2)).sum(-1)
                             + mfcc.config.log_floor)
    assert (mfcc.log_mel(x) - with_theirs).abs().max() < 0.03  # octaves
    assert (mfcc(x) - with_theirs @ mfcc.dct).square().mean().sqrt() < 0.005


def test_filterbank_by_hand():
    bank = mel_filterbank()
    assert torch.all(bank[0] == 0) and bank.min() >= 0 and bank.max() <= 1
    # Neighbouring trapezoids add up to one, but for the outer slopes of the first and the last.
    total, mel = bank.sum(dim=1), hz_to_mel(torch.arange(129) * 31.25)
    step = hz_to_mel(4000.0) / 41
    inside = (mel >= step) & (mel <= 40 * step)
    torch.testing.assert_close(total[inside], torch.ones(int(inside.sum())))
    # One weight computed by hand: bin 100 is 3125 Hz, 1913.5 mel, 0.56 of the way from edge 36 to edge 37.
    position = float(mel[100] / step)
    assert int(position) == 36
    # Triangles peak at edges 1..40 and pair as (1, 2), (3, 4) ..: 35.. and 36 in band 17, 37 and 38 in band 18.
    assert bank[100, 18].item() == pytest.approx(position - 36, abs=1e-5)
    assert bank[100, 17].item() == pytest.approx(37 - position, abs=1e-5)


def test_spectrum_by_hand():
    """One frame with numpy-like steps, nothing of torchaudio."""
    x = noise(8000, seed=3)
    n = torch.arange(256)
    hann = 0.5 - 0.5 * torch.cos(2 * math.pi * n / 256)
    power = torch.fft.rfft(x[160 * 7: 160 * 7 + 256] * hann).abs() ** 2
    octaves = torch.log2(power @ mel_filterbank() + FrontendConfig().log_floor)
    k, j = torch.arange(12)[:, None], torch.arange(20)
    basis = math.sqrt(2 / 20) * torch.cos(math.pi * k * (j + 0.5) / 20)
    basis[0] /= math.sqrt(2)
    torch.testing.assert_close(MFCC()(x)[7], basis @ octaves, rtol=1e-4, atol=1e-4)


def test_silence_is_the_floor_and_loudness_moves_the_first_coefficient_only():
    config = FrontendConfig()
    silent = MFCC()(torch.zeros(8000))
    assert silent[0, 0].item() == pytest.approx(math.sqrt(20) * math.log2(config.log_floor), rel=1e-5)
    torch.testing.assert_close(silent[:, 1:], torch.zeros(49, 11), rtol=0, atol=1e-3)
    x = noise(8000, level=0.2)
    louder = MFCC()(2 * x) - MFCC()(x)
    torch.testing.assert_close(louder[:, 0], torch.full((49,), 2 * math.sqrt(20)), rtol=1e-3, atol=0)
    assert louder[:, 1:].abs().max() < 1e-2


def test_cached_recipe_by_hand():
    x = noise(16000, seed=1)
    pixels = logmel_pixels(x)
    assert pixels.shape == (98, 40)
    hann = 0.5 - 0.5 * torch.cos(2 * math.pi * torch.arange(480) / 480)
    power = torch.fft.rfft(x[160 * 97: 160 * 97 + 480] * hann, n=512).abs() ** 2
    bank = mel_filterbank(FrontendConfig(sample_rate_hz=16000, window_ms=30, hop_ms=10, n_fft=512, n_mels=40,
                                         triangles_per_band=1))
    expected = 10.018 * torch.log(2 * (power @ bank) + 1e-6) + 139.54
    torch.testing.assert_close(pixels[97], expected, rtol=1e-4, atol=1e-2)
    torch.testing.assert_close(logmel_pixels(torch.zeros(16000)), torch.full((98, 40), 1.137), rtol=0, atol=1e-2)


def test_features_from_the_cached_set_match_features_from_sound():
    """Same sound through both recipes: equal level on average, close in shape (30 ms against 32 ms windows)."""
    mask = torch.arange(8001) * 2 < 3400  # Hz: band-limited, so that halving the rate by dropping samples is exact
    spectrum = torch.complex(noise(16, 8001, seed=1, level=5.0), noise(16, 8001, seed=2, level=5.0)) * mask
    x = torch.fft.irfft(spectrum, n=16000)
    mfcc = MFCC()
    power = torch.exp((logmel_pixels(x) - 139.54) / 10.018) - 1e-6
    ratio = power[..., ::2, :].sum(-1).mean() / mfcc.mel_power(x[..., ::2]).sum(-1).mean()
    assert ratio.item() == pytest.approx(POWER_RATIO, rel=0.02)
    direct, cached = mfcc(x[..., ::2]), mfcc.from_cached(power)
    assert cached.shape == (16, 49, 12)
    assert (direct - cached).square().mean().sqrt() < 0.35
    for k in range(12):
        assert torch.corrcoef(torch.stack([direct[..., k].flatten(), cached[..., k].flatten()]))[0, 1] > 0.9


def test_integer_front_end_is_the_twin():
    """The chip's int8 features lie where this front end says, within a few of their 1/32 standard deviations."""
    frontend = pytest.importorskip("tinyspeech.integer.frontend")
    x = (noise(8, 8000, seed=5) * torch.logspace(-1.5, 0.5, 8)[:, None] * 32768).round().clamp(-32768, 32767)
    octaves = MFCC(FrontendConfig(copy_lowest=True))(x / 32768)
    octaves[..., 0] += 16 * math.sqrt(20)  # the integers take int16 units and drop 14 bits: log2(2**30 / 2**14)
    mean, deviation = torch.tensor(frontend.COEFFICIENT_MEAN), torch.tensor(frontend.COEFFICIENT_STD)
    expected = ((octaves - mean) / deviation * frontend.UNITS_PER_STD).clamp(-128, 127)
    error = expected - torch.from_numpy(frontend.features(x.to(torch.int16).numpy()))
    assert error.square().mean().sqrt() < 2.0
    assert error.abs().max() < 20


@pytest.mark.parametrize(("x", "message"), [
    (torch.zeros(8000, dtype=torch.int16), "int16"),
    ([0.0] * 8000, "list"),
    (torch.zeros(255), "256 samples"),
    (torch.zeros(0), "256 samples"),
    (torch.tensor(0.0), "256 samples"),
    (torch.full((8000,), math.nan), "finite"),
])
def test_bad_sounds(x, message):
    with pytest.raises(UserError, match=message):
        MFCC()(x)


@pytest.mark.parametrize("settings", [
    {"window_ms": 40.0}, {"high_hz": 5000.0}, {"low_hz": 4000.0}, {"n_mfcc": 21}, {"hop_ms": 0.0}, {"hop_ms": 0.01},
    {"n_mels": 0}, {"log_floor": 0.0}, {"log_floor": math.nan},
])
def test_bad_settings(settings):
    with pytest.raises(UserError):
        FrontendConfig(**settings)


def test_cached_power_of_the_wrong_shape():
    with pytest.raises(UserError, match="40 bands"):
        MFCC().from_cached(torch.zeros(98, 20))


def test_shim_after_a_broken_extension(tmp_path):
    """With a CUDA-linked wheel next to a CPU torch the import fails with OSError; the shim must get past it."""
    code = (
        "import importlib, sys\n"
        "real = importlib.import_module\n"
        "def broken(name, *a):\n"
        "    if name == 'torchaudio' and 'torchaudio._extension' not in sys.modules: raise OSError('libc10_cuda.so')\n"
        "    return real(name, *a)\n"
        "importlib.import_module = broken\n"
        "from tinyspeech.training.features import MFCC\n"
        "import torch, torchaudio\n"
        "assert torchaudio._extension._IS_TORCHAUDIO_EXT_AVAILABLE is False\n"
        "assert MFCC()(torch.zeros(8000)).shape == (49, 12)\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
