"""The front end in float, on torchaudio: one second of sound in, 49 x 12 mel-frequency cepstral coefficients out.

    sound at 8 kHz -> Hann window -> power spectrum -> 20 mel bands -> log2 -> DCT-II -> 12 coefficients a frame

This is what the chip's front end would compute with unlimited precision: `tinyspeech/integer/frontend.py` does the
same in integers and is the definition; this file is its float twin, for learning and for measuring what they cost.
It knows nothing of integers, labels or networks. Chapter 2 builds it by hand.

    python -c "import torch; from tinyspeech.training.features import MFCC; print(MFCC()(torch.randn(8000) / 10).shape)"
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tinyspeech.errors import UserError
from tinyspeech.integer.frontend import (
    HOP,
    MEL_CORNER_HZ,
    MEL_SCALE,
    N_BANDS,
    N_COEFFICIENTS,
    SAMPLE_RATE_HZ,
    WINDOW,
)
from tinyspeech.training._torchaudio import functional, transforms

POWER_RATIO = 7.5
"""Mel power of the 16 kHz recipe (`CACHED_RECIPE`) over that of the 8 kHz front end, for the same sound.

By Parseval the power summed over bins is n_fft times the sum of the squared window, sum(hann**2) = 3/8 of its length:
`CACHED_POWER_SCALE` x 512 x 180 against 256 x 96. Measured in `tests/training/test_features.py`."""

PIXELS_PER_NEPER = 10.018
"""Grey levels per unit of natural log in the cached log-mel set."""
PIXEL_OFFSET = 139.54
"""Grey level of ln(mel power + floor) = 0 in the cached log-mel set."""
PIXEL_FLOOR = 1e-6
"""Power added to every one of the 40 bands before the logarithm in the cached log-mel set."""


@dataclass(frozen=True)
class FrontendConfig:
    """Settings of the front end. The defaults are the chip's.

    Raises
    ------
    UserError
        Where the settings do not fit each other.
    """

    sample_rate_hz: int = SAMPLE_RATE_HZ
    """Samples per second of the sound that goes in."""
    clip_ms: float = 1000.0
    """Length of a clip, and so of the speech that one decision is made on."""
    window_ms: float = 1000 * WINDOW / SAMPLE_RATE_HZ
    """Length of sound under one (periodic Hann) window."""
    hop_ms: float = 1000 * HOP / SAMPLE_RATE_HZ
    """Time from the start of one window to the start of the next."""
    n_fft: int = WINDOW
    """Points of the Fourier transform; windows shorter than this are padded with zeros."""
    low_hz: float = 0.0
    """Lower edge of the first mel band."""
    high_hz: float = SAMPLE_RATE_HZ / 2
    """Upper edge of the last mel band."""
    n_mels: int = N_BANDS
    """Mel bands after summing: each is `triangles_per_band` neighbouring triangles added up."""
    triangles_per_band: int = 2
    """Triangles in a band. One gives the usual mel bank; two give trapezoids with a flat top, the sum of two pixels of
    the cached 40-band set."""
    log_floor: float = PIXEL_FLOOR / POWER_RATIO
    """Power added to every band before log2, for samples in -1..1. The quietest sound that makes a difference; here
    the floor of the cached log-mel set, brought to this transform's scale."""
    n_mfcc: int = N_COEFFICIENTS
    """Coefficients kept of the cosine transform; the first follows loudness."""

    copy_lowest: bool = False
    """Let the lowest band take its neighbour's value, as the chip does: offset and hum lie there, and little speech."""

    def __post_init__(self) -> None:
        for name in ("sample_rate_hz", "clip_ms", "window_ms", "hop_ms", "n_fft", "n_mels", "triangles_per_band",
                     "log_floor", "n_mfcc"):
            if not getattr(self, name) > 0:
                raise UserError(f"{name} must be above 0, not {getattr(self, name)}")
        if self.window_length > self.n_fft:
            raise UserError(f"a window of {self.window_length} samples does not fit n_fft = {self.n_fft}")
        if self.hop_length < 1:
            raise UserError(f"hop_ms = {self.hop_ms} is less than one sample at {self.sample_rate_hz} Hz")
        if not 0 <= self.low_hz < self.high_hz <= self.sample_rate_hz / 2:
            raise UserError(f"mel bands must lie in 0 <= low_hz < high_hz <= {self.sample_rate_hz / 2:g} Hz, "
                            f"not {self.low_hz:g}..{self.high_hz:g}")
        if self.n_mfcc > self.n_mels:
            raise UserError(f"n_mfcc = {self.n_mfcc} must not exceed n_mels = {self.n_mels}")

    @property
    def window_length(self) -> int:
        """Samples under one window."""
        return round(self.window_ms * self.sample_rate_hz / 1000)

    @property
    def hop_length(self) -> int:
        """Samples from one window to the next."""
        return round(self.hop_ms * self.sample_rate_hz / 1000)

    @property
    def clip_samples(self) -> int:
        """Samples of one clip."""
        return round(self.clip_ms * self.sample_rate_hz / 1000)

    @property
    def n_frames(self) -> int:
        """Frames of one clip: windows that fit in it whole, nothing is padded."""
        return 1 + (self.clip_samples - self.window_length) // self.hop_length

    @property
    def n_bins(self) -> int:
        """Bins of the spectrum, 0 Hz and half the sample rate included."""
        return self.n_fft // 2 + 1


def hz_to_mel(frequency_hz: Tensor | float) -> Tensor:
    """HTK's mel scale, natural-log form: 1127 ln(1 + f / 700)."""
    return MEL_SCALE * torch.log1p(torch.as_tensor(frequency_hz, dtype=torch.float64) / MEL_CORNER_HZ)


def mel_filterbank(config: FrontendConfig | None = None) -> Tensor:
    """Weights from spectrum bins to mel bands.

    Triangles have unit peak, their edges and slopes are straight lines *in mel* (the form of TensorFlow's
    `linear_to_mel_weight_matrix`); the bin at 0 Hz has weight zero. torchaudio's `melscale_fbanks` has the same edges,
    but slopes straight in Hz: up to 0.006 away in a weight, 0.02 octaves in a band (`tests/training/test_features.py`).

    Parameters
    ----------
    config : FrontendConfig, optional
        Default: the chip's.

    Returns
    -------
    float32 [n_bins, n_mels], by default [129, 20], 0..1; columns are trapezoids where triangles_per_band is 2.
    """
    config = config or FrontendConfig()
    n_triangles = config.n_mels * config.triangles_per_band
    edges = torch.linspace(float(hz_to_mel(config.low_hz)), float(hz_to_mel(config.high_hz)), n_triangles + 2,
                           dtype=torch.float64)
    mel = hz_to_mel(torch.linspace(0.0, config.sample_rate_hz / 2, config.n_bins, dtype=torch.float64))[:, None]
    rising = (mel - edges[:-2]) / (edges[1:-1] - edges[:-2])  # (bins, triangles)
    falling = (edges[2:] - mel) / (edges[2:] - edges[1:-1])
    triangles = torch.minimum(rising, falling).clamp(min=0.0)
    triangles[0] = 0.0
    bands = triangles.reshape(config.n_bins, config.n_mels, config.triangles_per_band).sum(dim=-1)
    return bands.to(torch.float32)


def _check_waveform(x: Tensor, shortest: int) -> None:
    if not isinstance(x, Tensor) or not x.is_floating_point():
        kind = x.dtype if isinstance(x, Tensor) else type(x).__name__
        raise UserError(f"the float front end takes a float tensor in -1..1, not {kind} (int16: divide by 32768)")
    if x.ndim == 0 or x.shape[-1] < shortest:
        raise UserError(f"a window needs at least {shortest} samples, the sound has {x.shape[-1] if x.ndim else 0}")
    if not torch.isfinite(x).all():
        raise UserError("the sound holds values that are not finite numbers")


class MFCC(nn.Module):
    """Mel-frequency cepstral coefficients, the float twin of the chip's front end.

    Any length of at least one window goes in; a frame comes out for every window that fits whole.

    Parameters
    ----------
    config : FrontendConfig, optional
        Default: the chip's, 8000 samples -> [49, 12].

    Raises
    ------
    UserError
        In `forward`, for tensors that are not float, too short, or not finite.
    """

    filterbank: Tensor
    dct: Tensor

    def __init__(self, config: FrontendConfig | None = None) -> None:
        super().__init__()
        self.config = config or FrontendConfig()
        self.spectrogram = transforms.Spectrogram(
            n_fft=self.config.n_fft, win_length=self.config.window_length, hop_length=self.config.hop_length,
            power=2.0, center=False)
        # torch centres a short window under the transform; that only turns phases, but with center=False it would
        # also need n_fft samples for the last frame, so windows and frames would not count alike.
        if self.config.window_length != self.config.n_fft:
            window = torch.zeros(self.config.n_fft)
            window[: self.config.window_length] = torch.hann_window(self.config.window_length)
            self.spectrogram.win_length = self.config.n_fft
            self.spectrogram.window = window
        self.register_buffer("filterbank", mel_filterbank(self.config), persistent=False)
        self.register_buffer("dct", functional.create_dct(self.config.n_mfcc, self.config.n_mels, norm="ortho"),
                             persistent=False)

    def mel_power(self, x: Tensor) -> Tensor:
        """Power in the mel bands: float [..., samples] in -1..1 -> [..., frames, n_mels]."""
        _check_waveform(x, self.config.window_length)
        missing = self.config.n_fft - self.config.window_length  # zeros, under which the last window has none
        spectrum = self.spectrogram(nn.functional.pad(x, (0, missing)))  # (..., bins, frames)
        return spectrum.transpose(-1, -2) @ self.filterbank  # (..., frames, n_mels)

    def log_mel(self, x: Tensor) -> Tensor:
        """log2 of the mel power over the floor: float [..., samples] in -1..1 -> [..., frames, n_mels], in octaves."""
        return self._logarithm(self.mel_power(x))

    def _logarithm(self, power: Tensor) -> Tensor:
        """log2 over the floor: float [..., n_mels] -> the same shape."""
        octaves = torch.log2(power + self.config.log_floor)
        if self.config.copy_lowest:
            octaves = torch.cat([octaves[..., 1:2], octaves[..., 1:]], dim=-1)
        return octaves

    def forward(self, x: Tensor) -> Tensor:
        """Coefficients in octaves: float [..., samples] in -1..1 -> [..., frames, n_mfcc], by default [..., 49, 12]."""
        return self.log_mel(x) @ self.dct  # (..., frames, n_mfcc)

    def from_power(self, power: Tensor) -> Tensor:
        """Coefficients of mel power that is already there: float [..., frames, n_mels] -> [..., frames, n_mfcc]."""
        return self._logarithm(power) @ self.dct

    def from_cached(self, power: Tensor) -> Tensor:
        """Coefficients from mel power of the cached log-mel set (augmented or not).

        Frame t of the 8 kHz front end starts where frame 2 t of the cached set starts; its band b is the sum of the
        cached bands 2 b and 2 b + 1; `POWER_RATIO` brings the two transforms to one scale. For the default config.

        Parameters
        ----------
        power : float [..., 98, 40], from `tinyspeech.training.augment.pixels_to_power`

        Returns
        -------
        float [..., 49, 12]
        """
        if power.shape[-1] != self.config.n_mels * self.config.triangles_per_band:
            raise UserError(f"the cached set has {self.config.n_mels * self.config.triangles_per_band} bands a frame, "
                            f"not {power.shape[-1]}")
        frames = power[..., ::2, :]  # (..., 49, 40)
        bands = frames.unflatten(-1, (self.config.n_mels, self.config.triangles_per_band)).sum(dim=-1)
        return self.from_power(bands / POWER_RATIO)


def log_mel(x: Tensor, config: FrontendConfig | None = None) -> Tensor:
    """log2 mel power of a sound: float [..., samples] in -1..1 -> [..., frames, n_mels]. See `MFCC.log_mel`."""
    return MFCC(config).to(x.device).log_mel(x)


CACHED_POWER_SCALE = 2.0
"""Factor on the 512-point power in the cached set's pixels."""
CACHED_RECIPE = FrontendConfig(sample_rate_hz=16000, window_ms=30.0, hop_ms=10.0, n_fft=512, n_mels=40,
                               triangles_per_band=1, log_floor=PIXEL_FLOOR / CACHED_POWER_SCALE, n_mfcc=12)
"""The front end that the cached log-mel set was made with: 98 frames of 40 bands.

The set's notes give a 1024-point transform. With 512 points and twice the power (the same level) recordings fit their
pixels better, above all in the lowest bands, where the bins matter: over 178 pairs the mean error of bands 2 to 7 falls
from up to 1.4 grey levels to 0.2, and the median RMSE, JPEG on both sides, from 2.41 to 2.18."""


def logmel_pixels(x: Tensor) -> Tensor:
    """The recipe of the cached log-mel set, before rounding to grey levels and JPEG.

    Parameters
    ----------
    x : float [..., 16000]
        Samples at 16 kHz in -1..1.

    Returns
    -------
    float [..., 98, 40]
        Grey levels, 10.018 ln(mel power + 1e-6) + 139.54, clipped to 0..255. JPEG of quality 75, as in the set, adds
        4.2 grey levels RMS to it.
    """
    octaves = log_mel(x, CACHED_RECIPE) + math.log2(CACHED_POWER_SCALE)
    return (PIXELS_PER_NEPER * math.log(2.0) * octaves + PIXEL_OFFSET).clamp(0.0, 255.0)
