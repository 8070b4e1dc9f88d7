"""The integer front end: 8000 samples in, 49 x 12 int8 coefficients out. This file is the definition; the C follows it.

    int16 samples -> block exponent -> FFT -> Hann -> power -> 20 mel bands -> log2 -> DCT -> int8

Every stage is exact integer arithmetic on arrays, so that `firmware/frontend.c` can give the same bytes without a
multiplier. The float twin, on torchaudio, is `tinyspeech/training/features.py`. Nothing here knows torch or networks.
Chapters 2 and 8 of the book build it step by step.

    python -m tinyspeech export --tables        # rewrites firmware/frontend_tables.h from the tables below
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tinyspeech.errors import UserError

SAMPLE_RATE_HZ = 8000
CLIP_SAMPLES = SAMPLE_RATE_HZ
"""One second."""
WINDOW = 256
"""Samples under one window (32 ms), and the length of the Fourier transform."""
HOP = 160
"""Samples from one window to the next (20 ms)."""
N_FRAMES = 1 + (CLIP_SAMPLES - WINDOW) // HOP
N_BANDS = 20
N_COEFFICIENTS = 12
LOWEST_BANDS = np.array([1, *range(1, N_BANDS)])
"""Which band each logarithm is taken from: the lowest is a copy of the next (see `log_mel`)."""

HALF = WINDOW // 2
TWIDDLE_BITS = 8
"""Fraction bits of the cosine table: more than eight change no coefficient visibly (chapter 8)."""
RAMP_BITS = 3
"""Fraction bits of the mel weights on the slope between two bands."""
LOG_BITS = 6
"""Fraction bits of log2: one unit is 1/64 octave of power, 0.047 dB."""
DCT_SHIFT = 11
"""Fraction bits of the scaled DCT: the largest entry is 8 bits long."""
MAX_EXPONENT = 8
"""Windows of less than 64 units peak are not scaled further: below that lies the recording's own quantisation."""
LOG_FLOOR = 143
"""Power added to every band, in squared int16 units of the unscaled 256-point transform: the twin of the 1e-6 that
the training features add (1e-6 * 2**30 / 7.5, where 7.5 is the ratio of the two transforms' powers)."""

UNIT_OCTAVES = 16
"""log2 of the chip's band power over that of samples in -1 .. 1: 2**30 for int16, times 4 / 2**16 (see `power`)."""

COEFFICIENT_MEAN = np.array([28.95, 7.39, 0.46, -0.24, 0.13, 0.15, -0.12, -0.02, -0.3, -0.16, -0.1, -0.15])
"""Mean of each DCT coefficient (in log2 units) over the training split; subtracted, so that int8 is used well."""
COEFFICIENT_STD = np.array([29.19, 8.16, 5.12, 4.05, 3.19, 2.46, 2.17, 1.87, 1.73, 1.55, 1.4, 1.3])
"""Standard deviation of each DCT coefficient over the training split; one of it becomes `UNITS_PER_STD`."""
UNITS_PER_STD = 32

MEL_SCALE, MEL_CORNER_HZ = 1127.0, 700.0
"""Of HTK's mel scale, in its form with the natural logarithm."""


def hz_to_mel(frequency_hz):
    """HTK's mel scale, natural-log form: 1127 ln(1 + f / 700). Scalars or arrays."""
    return MEL_SCALE * np.log1p(np.asarray(frequency_hz) / MEL_CORNER_HZ)


@dataclass(frozen=True)
class Precision:
    """How finely the front end computes; as it stands, what ships. Chapter 8 tries what else there is."""

    twiddle_bits: int = TWIDDLE_BITS
    """Fraction bits of the cosine table."""
    ramp_bits: int = RAMP_BITS
    """Fraction bits of the mel weights on a slope."""
    log2: Callable[[np.ndarray], np.ndarray] | None = None
    """Integers to 1/64 octaves, in place of `log2_q6`."""


SHIPS = Precision()


@functools.cache
def tables(precision: Precision = SHIPS) -> dict[str, np.ndarray]:
    """All constant tables, computed from their formulas. Keys:

    `halfband` [63] (Q15); `cosine` [65], quarter wave (Q8); `mel` [128], for each bin slot * 8 + ramp (`mel_energies`);
    `log2` [64]; `dct` [12, 20]; `offset` [12], with the rounding half included. All int64.
    """
    # Half-band low pass for 16 kHz -> 8 kHz: every second tap but the middle one is zero.
    n = np.arange(-31, 32)
    taps = np.round(0.5 * np.sinc(n / 2) * np.kaiser(63, 8.0) * 32768).astype(np.int64)
    taps[31] += 32768 - taps.sum()

    cosine = np.round((1 << precision.twiddle_bits) * np.cos(2 * np.pi * np.arange(65) / WINDOW)).astype(np.int64)

    # 40 HTK triangles summed in pairs are 20 trapezoids, and neighbouring trapezoids add to one: a bin either lies on
    # the flat top of one band or on the slope that it shares with the next.
    edges = np.linspace(0.0, hz_to_mel(SAMPLE_RATE_HZ / 2), 2 * N_BANDS + 2)
    mel = hz_to_mel(np.arange(HALF) * SAMPLE_RATE_HZ / WINDOW)
    position = (mel - edges[1]) / (edges[1] - edges[0])  # in triangles; band b is flat on [2b, 2b + 1]
    band = np.clip(np.floor(position / 2), -1, N_BANDS - 1).astype(np.int64)
    ramp = np.round(np.clip(position - 2 * band - 1, 0.0, 1.0) * (1 << precision.ramp_bits)).astype(np.int64)
    mel_table = ((band + 1) << precision.ramp_bits) + ramp  # a full ramp carries into the next slot, as it should

    log_table = np.round((1 << LOG_BITS) * np.log2(1 + (np.arange(64) + 0.5) / 64)).astype(np.int64)

    k, j = np.arange(N_COEFFICIENTS)[:, None], np.arange(N_BANDS)[None, :]
    basis = np.sqrt(2.0 / N_BANDS) * np.cos(np.pi * k * (j + 0.5) / N_BANDS)
    basis[0] /= np.sqrt(2.0)
    gain = UNITS_PER_STD / COEFFICIENT_STD
    dct = np.round(basis * gain[:, None] * (1 << (DCT_SHIFT - LOG_BITS))).astype(np.int64)
    dct[:, N_BANDS // 2 :] = dct[:, : N_BANDS // 2][:, ::-1] * (-1) ** k  # exactly symmetric: the chip keeps one half
    offset = np.round(-COEFFICIENT_MEAN * gain * (1 << DCT_SHIFT)).astype(np.int64) + (1 << (DCT_SHIFT - 1))
    return {"halfband": taps, "cosine": cosine, "mel": mel_table, "log2": log_table, "dct": dct, "offset": offset}


NO_DIGIT = 31
"""A shift that leaves nothing of an even 32-bit number: it stands for a digit that is not there."""
COSINE_SIGNS, SINE_SIGNS = (1, 1, -1, -1), (1, 1, 1, -1, -1)
"""Signs of the powers of two that add up to 256 - cos and to sin: found by trying, enough for an octant's 32 angles."""


def signed_digits(signs: tuple[int, ...]) -> dict[int, tuple[int, ...]]:
    """{value: shifts s with sum of sign * 2**s = value}, of shifts 0 .. 8, in as few digits as the value takes."""
    found: dict[int, tuple[int, ...]] = {}
    for shifts in itertools.product((NO_DIGIT, *range(TWIDDLE_BITS + 1)), repeat=len(signs)):
        value = sum(sign << shift for sign, shift in zip(signs, shifts, strict=True) if shift != NO_DIGIT)
        if value not in found or shifts.count(NO_DIGIT) > found[value].count(NO_DIGIT):
            found[value] = shifts
    return found


def turns() -> np.ndarray:
    """What the chip rotates with: int64 [33, 3], for each angle k of an octant nine shifts, three of 5 bits to a word.

    Four shifts give 256 - cos(2 pi k / 256), five give the sine, both in Q8.
    """
    cosine, rows = tables()["cosine"].tolist(), []
    of_cosine, of_sine = signed_digits(COSINE_SIGNS), signed_digits(SINE_SIGNS)
    for k in range(WINDOW // 8 + 1):
        shifts = *of_cosine[cosine[0] - cosine[k]], *of_sine[cosine[64 - k]]
        rows.append([shifts[i] | shifts[i + 1] << 5 | shifts[i + 2] << 10 for i in (0, 3, 6)])
    return np.array(rows, np.int64)


def to_8khz(x: np.ndarray) -> np.ndarray:
    """Halve the rate of a 16 kHz recording with a 63-tap half-band filter.

    x : int16 [..., N], N even (else `UserError`). Returns int16 [..., N / 2]; sample n is centred on x[2n], ends see
    zeros.
    Sum of |taps| < 2**16.4, so |accumulator| < 2**32: int64 here; rounded half up, saturated to int16.
    """
    x = np.asarray(x)
    if x.dtype != np.int16:
        raise UserError(f"to_8khz takes int16 samples, not {x.dtype}")
    if x.ndim == 0 or x.shape[-1] % 2:
        raise UserError(f"to_8khz halves an even number of samples, not an array of shape {list(x.shape)}")
    taps = tables()["halfband"]
    padded = np.concatenate([np.zeros((*x.shape[:-1], 31)), x, np.zeros((*x.shape[:-1], 31))], axis=-1).astype(np.int64)
    count = x.shape[-1] // 2
    total = np.zeros((*x.shape[:-1], count), np.int64)
    for i in np.flatnonzero(taps):
        total += taps[i] * padded[..., i : i + 2 * count : 2]
    return np.clip((total + (1 << 14)) >> 15, -32768, 32767).astype(np.int16)


def block_exponent(frames: np.ndarray) -> np.ndarray:
    """The shift e, -1..8, that brings a window's largest sample into 2**13..2**14 (less for near-silence).

    frames : int [F, 256]. The OR of all |x| (one's complement for negative x) has the top bit of the largest.
    """
    peak = np.bitwise_or.reduce(frames ^ (frames >> 31), axis=-1)
    top_bit = np.where(peak > 0, np.floor(np.log2(np.maximum(peak, 1))).astype(np.int32), 0)
    return np.where(peak > 0, np.clip(13 - top_bit, -1, MAX_EXPONENT), MAX_EXPONENT).astype(np.int32)


def fft(frames: np.ndarray, precision: Precision = SHIPS) -> tuple[np.ndarray, np.ndarray]:
    """Spectrum of real frames: int32 [F, 256], |x| <= 2**14 -> (real, imaginary) int32 [F, 129], scaled by 1 / 256.

    256 real samples are 128 complex ones; radix 2, decimation in time. Each of the 7 stages halves, with one rounding
    (half up), so no modulus ever exceeds the input's bound sqrt(2) * 2**14 = 23170 by more than the roundings, and
    every value fits int16. A product is below 2**15 * 2**10 and a sum of three below 2**27.
    """
    cosine, fraction_bits = tables(precision)["cosine"], precision.twiddle_bits
    index = np.arange(HALF + 1)
    cos = np.where(index <= 64, cosine[np.minimum(index, 64)], -cosine[np.minimum(HALF - index, 64)])
    sin = cosine[np.abs(64 - index)]
    reverse = np.array([int(f"{i:07b}"[::-1], 2) for i in range(HALF)])
    z_re, z_im = frames[:, 0::2][:, reverse].astype(np.int64), frames[:, 1::2][:, reverse].astype(np.int64)
    size = 2
    while size <= HALF:
        half = size // 2
        c, s = cos[: HALF : 2 * HALF // size][:half], sin[: HALF : 2 * HALF // size][:half]
        z_re, z_im = z_re.reshape(-1, HALF // size, size), z_im.reshape(-1, HALF // size, size)
        a_re, a_im = z_re[..., :half] << fraction_bits, z_im[..., :half] << fraction_bits
        b_re, b_im = z_re[..., half:], z_im[..., half:]
        t_re, t_im = b_re * c + b_im * s, b_im * c - b_re * s
        rounding = 1 << fraction_bits
        z_re = np.concatenate([a_re + t_re + rounding, a_re - t_re + rounding], -1) >> (fraction_bits + 1)
        z_im = np.concatenate([a_im + t_im + rounding, a_im - t_im + rounding], -1) >> (fraction_bits + 1)
        size *= 2
    z_re, z_im = z_re.reshape(-1, HALF), z_im.reshape(-1, HALF)

    # Two interleaved real sequences -> one: X[k] = (E[k] + W^k O[k]) / 2 with W = exp(-2 pi i / 256).
    k = np.arange(HALF + 1)
    p_re, p_im = z_re[:, k % HALF], z_im[:, k % HALF]
    q_re, q_im = z_re[:, (HALF - k) % HALF], -z_im[:, (HALF - k) % HALF]
    even_re, even_im = (p_re + q_re) << fraction_bits, (p_im + q_im) << fraction_bits
    odd_re, odd_im = p_im - q_im, q_re - p_re
    x_re = even_re + odd_re * cos + odd_im * sin
    x_im = even_im + odd_im * cos - odd_re * sin
    rounding = 1 << (fraction_bits + 1)
    return (x_re + rounding) >> (fraction_bits + 2), (x_im + rounding) >> (fraction_bits + 2)


def power(x_re: np.ndarray, x_im: np.ndarray) -> np.ndarray:
    """Power of the Hann-windowed spectrum, times 4: [F, 129] twice -> int64 [F, 128], each and their sum < 2**30.

    A periodic Hann window is -1/4, 1/2, -1/4 across neighbouring bins, so it costs no multiplication. Bin 0 is left
    out (mel weight zero). Parseval bounds the sum over all bins by sum(x**2) / 64 / 2 <= 2**27 times 4.
    """
    y_re = (2 * x_re[:, 1:-1] - x_re[:, :-2] - x_re[:, 2:]) >> 1
    y_im = (2 * x_im[:, 1:-1] - x_im[:, :-2] - x_im[:, 2:]) >> 1
    return np.concatenate([np.zeros((len(x_re), 1), np.int64), y_re * y_re + y_im * y_im], axis=-1)


def mel_energies(bins: np.ndarray, precision: Precision = SHIPS) -> np.ndarray:
    """20 trapezoids: int64 [F, 128] -> [F, 20]. On a slope, r/8 of the bin goes to the next band and the rest stays.

    Slot 0 catches what lies below the first band, slots 1 .. 20 are the bands, the rest what lies above the last.
    A product is below 2**29 * 7 and fits 32 unsigned bits; a sum is bounded by `power`'s.
    """
    mel, ramp_bits = tables(precision)["mel"], precision.ramp_bits
    slot, ramp = mel >> ramp_bits, mel & ((1 << ramp_bits) - 1)
    upper = (bins * ramp) >> ramp_bits
    weights = np.arange(N_BANDS + 3)
    energies = (bins - upper) @ (slot[:, None] == weights) + upper @ (slot[:, None] + 1 == weights)
    return energies[:, 1 : N_BANDS + 1]


def log2_q6(energies: np.ndarray) -> np.ndarray:
    """log2 in 1/64 octaves of integers 1 .. 2**32 - 1: the place of the top bit, then a table by the next 6 bits."""
    top_bit = np.floor(np.log2(energies)).astype(np.int64)
    top_bit -= (np.int64(1) << top_bit) > energies  # guard against a rounded-up float log2
    mantissa = (energies << 6 >> top_bit) & 63
    return (top_bit << LOG_BITS) + tables()["log2"][mantissa]


def log_mel(frames: np.ndarray, precision: Precision = SHIPS) -> np.ndarray:
    """int16 [F, 256] -> log2 band energies int64 [F, 20] in 1/64 octaves, referred to the unscaled samples.

    The lowest band takes its neighbour's value. Below 100 Hz there is little speech, but that is where a microphone's
    offset and the mains' hum lie: without this, an offset of 0.1 % of full scale costs a point of accuracy (chapter 8).
    """
    frames = frames.astype(np.int32)
    exponent = block_exponent(frames)[:, None]
    scaled = np.where(exponent >= 0, frames << np.maximum(exponent, 0), frames >> 1)
    energies = mel_energies(power(*fft(scaled, precision)), precision)
    # bins carry 4 * 2**(2e) / 2**16 of the unscaled power, and so must the floor
    floor = (LOG_FLOOR << (2 * exponent + 2).astype(np.int64)) >> 16
    log2 = precision.log2 or log2_q6
    logarithms = log2(np.maximum(energies + floor, 1)) - (exponent << (LOG_BITS + 1))
    return logarithms[:, LOWEST_BANDS]


def cepstrum(log_energies: np.ndarray) -> np.ndarray:
    """DCT-II, centred and scaled: [F, 20] in 1/64 octaves -> int8 [F, 12]. Accumulator below 2**26; rounds half up."""
    table = tables()
    total = log_energies @ table["dct"].T + table["offset"]
    return np.clip(total >> DCT_SHIFT, -128, 127).astype(np.int8)


def features(x: np.ndarray, precision: Precision = SHIPS) -> np.ndarray:
    """Features of whole clips: int16 [..., 8000] at 8 kHz -> int8 [..., 49, 12].

    Frame t sees samples 160 t .. 160 t + 255. Raises `UserError` on another type or length.
    """
    x = np.asarray(x)
    if x.dtype != np.int16:
        raise UserError(f"the integer front end takes int16 samples, not {x.dtype}")
    if x.ndim == 0 or x.shape[-1] != CLIP_SAMPLES:
        raise UserError(f"a clip is {CLIP_SAMPLES} samples at {SAMPLE_RATE_HZ} Hz, "
                        f"not an array of shape {list(x.shape)}")
    start = HOP * np.arange(N_FRAMES)[:, None] + np.arange(WINDOW)
    frames = x[..., start].reshape(-1, WINDOW)
    return cepstrum(log_mel(frames, precision)).reshape(*x.shape[:-1], N_FRAMES, N_COEFFICIENTS)


ADC_MIDPOINT = 512
ADC_HIGHEST = 2 * ADC_MIDPOINT - 1
"""Of its 10 bits."""
ADC_SHIFT = 6


def from_adc(codes: np.ndarray) -> np.ndarray:
    """The chip's 10-bit converter readings -> int16 samples: (code - 512) * 64, so 0 .. 1023 fill -32768 .. 32704.

    Raises `UserError` for readings outside 0 .. 1023.
    """
    codes = np.asarray(codes)
    if codes.dtype.kind not in "iu" or (codes.size and (codes.min() < 0 or codes.max() > ADC_HIGHEST)):
        raise UserError(f"readings of a 10-bit converter are whole numbers from 0 to {ADC_HIGHEST}")
    return ((codes.astype(np.int32) - ADC_MIDPOINT) << ADC_SHIFT).astype(np.int16)


class FrontendStream:
    """The front end fed piece by piece: `push` any number of samples, get the frames that became due.

    Its state is `ring`, the last 256 samples, and two counters: 516 bytes on the chip (`struct frontend_stream`).
    However the samples are cut, the frames are those of `features` on the whole.
    """

    STATE_BYTES = 2 * WINDOW + 4

    def __init__(self):
        self.ring = np.zeros(WINDOW, np.int16)
        self.at, self.missing = 0, WINDOW

    def push(self, samples: np.ndarray) -> np.ndarray:
        """int16 [n], n >= 0 -> int8 [frames, 12]. Raises `UserError` on another type or shape."""
        samples = np.asarray(samples)
        if samples.dtype != np.int16 or samples.ndim != 1:
            raise UserError(f"samples must be int16 [n], not {samples.dtype} {list(samples.shape)}")
        frames = []
        while len(samples) >= self.missing:
            frames.append(self._take(samples[: self.missing]))
            samples = samples[self.missing :]
            self.missing = HOP
        self._take(samples)
        self.missing -= len(samples)
        if not frames:
            return np.empty((0, N_COEFFICIENTS), np.int8)
        return cepstrum(log_mel(np.stack(frames)))

    def _take(self, samples: np.ndarray) -> np.ndarray:
        """Put at most 256 samples into the ring; returns its content, oldest first."""
        self.ring[(self.at + np.arange(len(samples))) % WINDOW] = samples
        self.at = (self.at + len(samples)) % WINDOW
        return np.roll(self.ring, -self.at)
