"""Sound files in, one second of 16 kHz int16 out; nothing here knows of labels or networks.

Decoding is libsndfile's (wav, flac, ogg, ...) and resampling is scipy's: neither is what this book teaches.
Chapter 1.

    from tinyspeech.sound import audio
    clip = audio.load_clip("data/bundled/yes/....flac")     # int16 [16000]
"""

from __future__ import annotations

import io
import os
import re
import sys
import warnings
from collections.abc import Iterable
from functools import cached_property
from math import gcd
from pathlib import Path

import numpy as np
import soundfile
from scipy.signal import resample_poly

from tinyspeech.errors import Notice, UserError

SAMPLE_RATE_HZ = 16_000
"""Rate of every clip in Speech Commands (Warden 2018) and of everything `load_clip` returns."""
SUFFIXES = (".wav", ".flac", ".ogg", ".opus", ".mp3")
"""Of long recordings that are looked for in a folder."""
NOISE_UNITS = 30
"""Deviation of the noise that `in_a_row` lays under its clips."""
CLIP_SAMPLES = SAMPLE_RATE_HZ
"""One second."""
RATES_HZ = (4_000, 192_000)
"""Lowest and highest rate accepted: below, speech is no longer intelligible; above, no recorder is known."""
GRIDS_PER_SECOND = 100
"""The loudest second of a long file is looked for at steps of 10 ms."""
BLOCK_SECONDS = 10
"""Long files are scanned in blocks of this length, so memory does not grow with duration."""
BLOCK_FRAMES = 1 << 20
"""Decoded at a time: a header may claim more than there is, and memory is taken only for what comes."""
LONGEST_S, MOST_CHANNELS = 24 * 3600, 64
"""Of a recording that is read as a whole, and of any: a day, at 16 kHz, is 2.8 GB."""
HEARD_HZ = 8_000
"""Rate of what the front end hears."""
QUIET_SHARE, LOUDNESS_UNITS = 1e-3, 1024
"""Of the loudest 10 ms, 30 dB below it: what is softer hardly counts. And of an octave, to which it is rounded."""
STRAIGHT = 1e-9
"""What the power of slopes counts beside that of their changes."""
LARGEST_FLOAT, CANCELLED = 16.0, 1e-3
"""Float samples may be beyond full scale, 1, after mixing, but not by 24 dB; the mean of channels may be softer than
one of them, but not by 30 dB."""
NOT_NUMBERS = "has samples that are not numbers (NaN or infinite): export it again as 16-bit"
UNKNOWN, STREAMED = (1 << 63) - 1, 0x7FFF0000
"""libsndfile's number of frames where a header has none; and from where on a length in a header means that there is
none: sox writes 0x7FFFFFFF, ffmpeg 0xFFFFFFFF, others what is near."""
OGG_LEEWAY_S = 0.1
"""Numbers of Ogg's samples may begin below 0, within the first packet; libsndfile counts those, too."""
CLAIM = re.compile(r"^ *(?:data|SSND|Data Size) *: (\d+) \(should be (\d+)\)", re.MULTILINE)
"""libsndfile's log of a header that says more than there is."""
HEADER_BYTES = 1 << 16
"""Looked at of a file, at its beginning or its end."""


def hidden(path: Path) -> bool:
    """Whether it is a file that no person put there, such as `._yes.wav`, which a Mac leaves beside each it copies."""
    return path.name.startswith(".")


def sounds_in(folder: Path, suffixes: tuple[str, ...] = SUFFIXES) -> list[Path]:
    """The sound files of a folder that are not hidden, by name; none where there is no such folder."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.name.lower().endswith(suffixes) and not hidden(path))


def to_int16(samples: np.ndarray) -> np.ndarray:
    """Float samples in [-1, 1) to int16: times 32768, rounded half to even, saturated.

    Parameters
    ----------
    samples : float [N]

    Returns
    -------
    int16 [N]
    """
    return np.clip(np.rint(np.asarray(samples, np.float64) * 32768.0), -32768, 32767).astype(np.int16)


def open_sound(path: str | Path) -> Sound:
    """Open a sound file; every way in which that can fail is one clear line."""
    path = Path(path)
    if path.is_dir():
        raise UserError(f"{path} is a folder: give one sound file (wav, flac or ogg)")
    if not path.exists():
        raise UserError(f"{path} does not exist: give a sound file (wav, flac or ogg)")
    if not path.is_file():
        raise UserError(f"{path} is not a regular file: give a sound file (wav, flac or ogg)")
    if path.stat().st_size == 0:
        raise UserError(f"{path} is empty (0 bytes): give a sound file (wav, flac or ogg)")
    return Sound(path)


class _Forward(soundfile.SoundFile):
    """A sound file that is only read from its beginning to its end: nothing else is asked of it, and so it may be of
    any length, and its header may say another, or none."""

    def seekable(self) -> bool:
        return False


class _Patched:
    """A file, some of whose bytes are read as others. at : where they begin"""

    def __init__(self, path: Path, at: int, data: bytes):
        self._file, self._at, self._data = path.open("rb"), at, data
        self.seek, self.tell, self.close = self._file.seek, self._file.tell, self._file.close

    def read(self, count: int = -1) -> bytes:
        begin = self._file.tell()
        got = bytearray(self._file.read(count))
        for i, byte in enumerate(self._data, self._at - begin):
            if 0 <= i < len(got):
                got[i] = byte
        return bytes(got)


class Sound:
    """A sound file, read forwards as mono; made by `open_sound`.

    What a recorder should have done otherwise is said (`errors.Notice`), and what it meant is taken:

    | what is found | what is done |
    | --- | --- |
    | no length in the header (of a pipe, or a recorder that was switched off) | all is read, to the end |
    | less than the header says | refused as damaged, whatever the format |
    | Ogg, which counts nothing, without its last page | what is there is taken |
    | Ogg, whose first samples have negative numbers; MP3, whose length is an estimate | what is there is taken |
    | float samples beyond `LARGEST_FLOAT` | taken in the units of 16, 24 or 32 bits |
    | channels that cancel each other | the loudest alone is taken |
    """

    def __init__(self, path: Path):
        self.path, self._files = path, []
        self._file = self._opened()
        self.samplerate, self.channels, self._told = self._file.samplerate, self._file.channels, self._file.frames
        if self._file.format == "MP3" and self._told:
            self._told = UNKNOWN  # what libsndfile tells is often but the file's size by the first frame's bit rate
        try:
            self._check()
            self._scale, self._channel = 1.0, None
            if self.channels > 1 or self._file.subtype in ("FLOAT", "DOUBLE"):
                self._survey()
        except BaseException:
            self.close()
            raise

    def _opened(self) -> soundfile.SoundFile:
        name = self.path if sys.platform == "win32" else os.fsencode(self.path)  # any bytes are a name
        try:
            if (patch := _length_left_out(self.path)) is not None:
                name = _Patched(self.path, *patch)
                if not self._files:
                    self._say("says in its header that it holds nothing, as a recorder that is switched off leaves "
                              "it: it is read to its end")
                self._files.append(name)
            self._files.append(_Forward(name))
            return self._files[-1]
        except (OSError, RuntimeError, TypeError, ValueError) as error:  # TypeError: headerless formats need a rate
            if isinstance(error, OSError) and error.filename is not None:
                raise
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise UserError(f"{self.path} cannot be read as sound ({reason}): give a wav, flac or ogg file") from error

    def _check(self) -> None:
        low, high = RATES_HZ
        if not low <= self.samplerate <= high:
            raise UserError(f"{self.path} is sampled at {self.samplerate} Hz: between {low} and {high} Hz is needed")
        if self.channels > MOST_CHANNELS:
            raise UserError(f"{self.path} has {self.channels} channels: at most {MOST_CHANNELS} are read")
        cut = self._file.format == "OGG" and not _ogg_ends(self.path)
        if self._told == 0:
            raise UserError(f"{self.path} is damaged (its last page is missing): give a file that plays to its end"
                            if cut else f"{self.path} holds 0 samples: give a recording with sound in it")
        if cut:
            self._say("does not end with its last page, as if it was cut off: what is there is taken")
        if (claim := CLAIM.search(self._file.extra_info)) and self._told != UNKNOWN:
            said, there = (int(number) for number in claim.groups())
            if there < said < STREAMED:
                raise UserError(f"{self.path} is damaged (it holds {there:,} bytes of sound of {said:,} that its "
                                "header says): give a file that plays to its end")

    def _survey(self) -> None:
        """Go through the file once: in which units it is, and whether its channels cancel."""
        peak, mono, power = 0.0, 0.0, np.zeros(self.channels)
        file = self._opened()
        while len(block := self._decoded(file, self.samplerate, "float32")):
            if not np.isfinite(block).all():
                raise UserError(f"{self.path} {NOT_NUMBERS}")
            peak = max(peak, float(np.abs(block).max()))
            block = block.astype(np.float64)
            power += np.square(block).sum(axis=0)
            mono += float(np.square(block.mean(axis=1)).sum())
        if peak > LARGEST_FLOAT:
            bits = next((bits for bits in (16, 24, 32) if peak <= 2.0 ** (bits - 1)), None)
            if bits is None:
                raise UserError(f"{self.path} has samples of up to {peak:g}, where 1 is full scale: export it again as "
                                "16-bit")
            self._scale = 2.0 ** (1 - bits)
            self._say(f"has float samples of up to {peak:g}, where 1 is full scale: they are taken as of {bits} bits")
        if power.max() > 0 and mono < CANCELLED * power.max():
            self._channel = int(power.argmax())
            self._say(f"has channels that cancel each other: channel {self._channel + 1} alone is taken")

    def _say(self, what: str) -> None:
        warnings.warn(f"{self.path} {what}", Notice, stacklevel=2)

    def _decoded(self, file: soundfile.SoundFile, frames: int, kind: str) -> np.ndarray:
        try:
            return file.read(frames, dtype=kind, always_2d=True)
        except (OSError, RuntimeError, ValueError) as error:
            raise UserError(f"{self.path} is damaged ({error}): give a file that plays from start to end") from error

    @cached_property
    def frames(self) -> int:
        """How many there are, at the file's own rate; where the header does not say it, by going through the file."""
        if self._told != UNKNOWN:
            return self._told
        count = 0
        with Sound(self.path) as again:
            while len(block := again.read(self.samplerate)):
                count += len(block)
        return count

    def read(self, frames: int) -> np.ndarray:
        """The next so many, or at the end as many as there are: int16 [n] where the file holds exactly that, else
        float32 [n], full scale 1. Raises `UserError` where the file is damaged."""
        exact = self._file.subtype == "PCM_16" and self.channels == 1
        parts, left = [], frames
        while left > 0:  # of a length that is claimed, but need not be there, no memory is taken at once
            block = self._decoded(self._file, min(left, BLOCK_FRAMES), "int16" if exact else "float32")
            parts.append(block[:, 0] if exact else self._mono(block))
            self._read += len(block)
            left -= len(block)
            if len(block) < min(left + len(block), BLOCK_FRAMES):
                break
        leeway = OGG_LEEWAY_S * self.samplerate if self._file.format == "OGG" else 0
        if left > 0 and self._told != UNKNOWN and self._read < self._told - leeway:
            raise UserError(f"{self.path} is damaged (it ends after {self._read / self.samplerate:.2f} s of "
                            f"{self._told / self.samplerate:.2f} s that its header says): give a file that plays to "
                            "its end")
        return np.concatenate(parts) if parts else np.zeros(0, np.int16 if exact else np.float32)

    _read = 0

    def _mono(self, block: np.ndarray) -> np.ndarray:
        mono = block.mean(axis=1, dtype=np.float32) if self._channel is None else block[:, self._channel]
        if not np.isfinite(mono).all():
            raise UserError(f"{self.path} {NOT_NUMBERS}")
        return mono if self._scale == 1 else mono * np.float32(self._scale)

    def close(self) -> None:
        for file in reversed(self._files):
            file.close()

    def __enter__(self) -> Sound:
        return self

    def __exit__(self, *_) -> None:
        self.close()


def _ogg_ends(path: Path) -> bool:
    """Whether the last page of an Ogg file says that it is the last one, and is whole (RFC 3533)."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - HEADER_BYTES))
        page = file.read().rpartition(b"OggS")[2]
    if len(page) < 23 or not page[1] & 4:
        return False
    segments = page[23 : 23 + page[22]]
    return len(page) >= 23 + page[22] + sum(segments)


def _length_left_out(path: Path) -> tuple[int, bytes] | None:
    """(place, bytes) of a length to be read in place of the 0 that a header has, with which nothing would be read: of
    a RIFF file that came from a pipe, or whose recorder did not come back to write it."""
    with path.open("rb") as file:
        head = file.read(HEADER_BYTES)
        size = path.stat().st_size
    if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
        at = 12
        while at + 8 <= len(head):
            name, length = head[at : at + 4], int.from_bytes(head[at + 4 : at + 8], "little")
            if name == b"data":
                rest = size - at - 8
                if length or not rest or _chunks_fill(head[at + 8 :], rest):
                    return None
                return at + 4, min(rest, STREAMED - 1).to_bytes(4, "little")
            at += 8 + length + length % 2
    return None


def _chunks_fill(data: bytes, rest: int) -> bool:
    """Whether what follows is chunks to the end, and no sound."""
    at = 0
    while at + 8 <= len(data) and data[at : at + 4].isalnum():
        at += 8 + int.from_bytes(data[at + 4 : at + 8], "little")
        at += at % 2
        if at >= rest:
            return at <= rest + 1
    return False


def read(path: str | Path) -> tuple[np.ndarray, int]:
    """A whole sound file as mono samples, at its own rate.

    Parameters
    ----------
    path : a file that libsndfile can decode; several channels are averaged (`Sound`).

    Returns
    -------
    samples : int16 [N] if the file is 16-bit mono (the stored samples, untouched), else float32 [N], full scale 1.0
    rate : Hz

    Raises
    ------
    UserError : missing, a folder, empty, 0 samples, corrupt, cut off, not finite, at a rate outside `RATES_HZ`, or
        longer than `LONGEST_S`.
    """
    with open_sound(path) as file:
        most = LONGEST_S * file.samplerate
        samples = file.read(most + 1)
        if len(samples) > most:
            raise UserError(f"{path} is longer than {LONGEST_S / 3600:g} hours: cut it into parts")
        if not len(samples):
            raise UserError(f"{path} holds 0 samples: give a recording with sound in it")
        return samples, file.samplerate


def resample(samples: np.ndarray, rate_hz: int, to_hz: int = SAMPLE_RATE_HZ) -> np.ndarray:
    """Change the rate with scipy's polyphase filter (Kaiser window, linear phase).

    Parameters
    ----------
    samples : int16 or float [N]
    rate_hz, to_hz : Hz

    Returns
    -------
    same dtype [ceil(N * to_hz / rate_hz)]; the samples themselves when the rates agree
    """
    if rate_hz == to_hz:
        return samples
    common = gcd(rate_hz, to_hz)
    integer = samples.dtype == np.int16
    floats = samples / 32768.0 if integer else samples.astype(np.float64)
    out = resample_poly(floats, to_hz // common, rate_hz // common)
    return to_int16(out) if integer else out.astype(samples.dtype)


def _loudest_start(energy: np.ndarray, frames: int, window: int, step: int) -> int:
    """First frame of the loudest window.

    `energy` float64 [ceil(frames / step)] is `heard_energy`'s. Candidates start at multiples of `step`, and the last
    one ends flush with the file; each is judged by the whole steps that it holds for certain. Each step counts by its
    octaves above `QUIET_SHARE` of the loudest one, as an ear hears: a word of half a second is more than a thump, which
    is louder and short. Of equals the earliest wins.
    """
    steps = window // step
    loudness = np.log2(1 + energy / (QUIET_SHARE * energy.max())) if energy.any() else energy
    sums = np.concatenate([[0.0], np.cumsum(np.rint(loudness * LOUDNESS_UNITS))])  # whole numbers: equals are equal
    starts = len(energy) - steps + 1
    if starts < 1:
        return 0
    best = int(np.argmax(sums[steps : steps + starts] - sums[:starts])) * step
    return min(best, frames - window)


def fit_to_second(samples: np.ndarray, rate_hz: int = SAMPLE_RATE_HZ) -> np.ndarray:
    """Exactly one second: shorter clips get zeros at the end, of longer ones the loudest second is kept.

    Zeros at the end are what the official Speech Commands code does. For longer recordings the second is taken in which
    there is most to hear for the chip's front end, which is deaf to a microphone's offset and nearly so to hum
    (`heard_energy`), on a grid of 10 ms, the earliest of equals: a word spoken anywhere in a ten-minute recording of
    silence is found.

    Parameters
    ----------
    samples : [N], any dtype
    rate_hz : Hz

    Returns
    -------
    same dtype [rate_hz]
    """
    if len(samples) <= rate_hz:
        return np.pad(samples, (0, rate_hz - len(samples)))
    step = rate_hz // GRIDS_PER_SECOND
    start = _loudest_start(heard_energy(samples, rate_hz), len(samples), rate_hz, step)
    return samples[start : start + rate_hz]


def heard_energy(samples: np.ndarray, rate_hz: int) -> np.ndarray:
    """What the front end hears of each 10 ms, float64 [ceil(N / step)]: the power of second differences of samples that
    are an 8,000th of a second apart, within the 10 ms. An offset, and the settling of one, give nothing; hum hardly;
    what only rises or falls is better than nothing.
    """
    step, lag = rate_hz // GRIDS_PER_SECOND, max(1, round(rate_hz / HEARD_HZ))
    if not len(samples):
        return np.zeros(0)
    padded = np.concatenate([np.full(2 * lag, samples[0], np.float64), samples])
    slopes = padded[lag:] - padded[:-lag]
    squares = np.square(slopes[lag:] - slopes[:-lag]) + STRAIGHT * np.square(slopes[lag:])
    inside = len(samples) - len(samples) % step  # the last step may be shorter than that
    squares[:inside].reshape(-1, step)[:, : 2 * lag] = 0
    return np.add.reduceat(squares, np.arange(0, len(squares), step))


def _step_energy(samples: np.ndarray, step: int) -> np.ndarray:
    """Sum of squares of each run of `step` samples, float64 [ceil(N / step)]."""
    squares = np.square(samples, dtype=np.float64)
    return np.add.reduceat(squares, np.arange(0, len(squares), step)) if len(squares) else squares


def load_clip(path: str | Path) -> np.ndarray:
    """One second of a recording, ready for the front end: `second_of` without its place."""
    return second_of(path)[0]


def second_of(path: str | Path) -> tuple[np.ndarray, float, float]:
    """One second of a recording, ready for the front end, where it begins, and how long the recording is, in seconds.

    A 16 kHz mono 16-bit file of at most one second passes through sample for sample, with zeros after it.
    Everything else is mixed to mono, cut to its loudest second (see `fit_to_second`; done block by block, so a file
    of hours needs no more memory than one of seconds) and resampled.

    Parameters
    ----------
    path : wav, flac, ogg, ...; 4 kHz to 192 kHz; any number of channels; any length from one sample.

    Returns
    -------
    int16 [16000], at 16 kHz; the second's begin; the length

    Raises
    ------
    UserError : missing, a folder, empty, 0 samples, corrupt, cut off, not finite, or at a rate outside `RATES_HZ`.
    """
    with open_sound(path) as file:
        rate = file.samplerate
        step = rate // GRIDS_PER_SECOND
        block = step * GRIDS_PER_SECOND * BLOCK_SECONDS  # a multiple of step, so blocks meet on the grid
        energy, length, samples = [], 0, file.read(block)
        first = samples
        while len(samples):
            energy.append(heard_energy(samples, rate))
            length += len(samples)
            samples = file.read(block) if length % block == 0 else samples[:0]
    if not length:
        raise UserError(f"{path} holds 0 samples: give a recording with sound in it")
    start = _loudest_start(np.concatenate(energy), length, rate, step) if length > rate else 0
    if start + rate <= len(first) or length <= rate:
        samples = first[start : start + rate]
    else:
        samples = _cut(path, start, rate)
    samples = resample(samples, rate)
    if samples.dtype != np.int16:
        samples = to_int16(samples)
    return fit_to_second(samples[:CLIP_SAMPLES]), start / rate, length / rate


def _cut(path: str | Path, start: int, count: int) -> np.ndarray:
    """So many frames from one on, of a file that is read forwards."""
    with open_sound(path) as file:
        while start > 0:
            start -= len(file.read(min(start, BLOCK_FRAMES)))
        return file.read(count)


def write(path: str | Path, samples: np.ndarray, rate_hz: int = SAMPLE_RATE_HZ) -> None:
    """Write mono sound as 16-bit; the suffix of `path` chooses the format (wav, flac, ogg).

    Parameters
    ----------
    samples : int16 [N], written as they are, or float [N] with full scale 1.0

    Raises
    ------
    UserError : unknown suffix, or a folder that does not exist.
    """
    path = Path(path)
    if not np.issubdtype(samples.dtype, np.integer):
        samples = to_int16(samples)
    kinds = {".wav": "PCM_16", ".flac": "PCM_16", ".ogg": "VORBIS"}
    if path.suffix.lower() not in kinds:
        raise UserError(f"{path} has no suffix of a sound format: end it in .wav, .flac or .ogg")
    try:
        soundfile.write(path, samples.astype(np.int16), rate_hz, subtype=kinds[path.suffix.lower()])
    except (OSError, RuntimeError) as error:
        raise UserError(f"{path} cannot be written ({error}): give a file in a folder that exists") from error


def as_wav(samples: np.ndarray, rate_hz: int = SAMPLE_RATE_HZ) -> bytes:
    """What `write` writes to a wav file of samples, int16 [N]."""
    data = io.BytesIO()
    soundfile.write(data, samples, rate_hz, format="WAV", subtype="PCM_16")
    return data.getvalue()


def in_a_row(clips: Iterable[np.ndarray], sample_rate_hz: int, seed: int = 0, pauses_s: tuple[float, float] = (0.2, 1),
             noise: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Clips with a pause before each and soft noise over all: one long recording (chapter 10).

    Parameters
    ----------
    clips : int16 [n] each
    pauses_s : the shortest and the longest
    noise : int16, any length, taken again as often as needed, from a place that is drawn; by default it is white

    Returns
    -------
    sound : int16 [samples]
    begins : int64 [clips], where each begins in it
    """
    dice = np.random.default_rng(seed)
    parts, begins, at = [], [], 0
    for clip in clips:
        pause = int(dice.uniform(*pauses_s) * sample_rate_hz)
        parts += [np.zeros(pause), clip]
        begins.append(at + pause)
        at += pause + len(clip)
    if noise is None:
        behind = dice.normal(0, NOISE_UNITS, at)
    else:
        behind = np.resize(np.roll(noise, -int(dice.integers(len(noise)))), at).astype(np.float64)
        behind *= NOISE_UNITS / np.sqrt((behind**2).mean())
    return np.clip(np.rint(np.concatenate(parts) + behind), -32768, 32767).astype(np.int16), np.array(begins)


def loud_part(samples: np.ndarray, sample_rate_hz: int, below_db: float = 25.0) -> tuple[float, float]:
    """First and last second of what is at most so far below the loudest 10 ms (chapter 10). samples : int16 [n]."""
    step = sample_rate_hz // GRIDS_PER_SECOND
    energy = _step_energy(samples[: len(samples) // step * step], step)
    loud = np.flatnonzero(energy >= energy.max() * 10 ** (-below_db / 10))
    return loud[0] / GRIDS_PER_SECOND, (loud[-1] + 1) / GRIDS_PER_SECOND


def overlap_add(windows: np.ndarray, hop_length: int) -> np.ndarray:
    """Windows int16 [frames, n], each faded in and out, laid over one another where they were cut: int16 [samples].

    Windows of one recording give that recording again, but for its very ends.
    """
    frames, n = windows.shape
    fade = np.hanning(n + 2)[1:-1]
    sound, weight = np.zeros((2, hop_length * (frames - 1) + n))
    for i, window in enumerate(windows):
        sound[i * hop_length :][:n] += fade * window
        weight[i * hop_length :][:n] += fade
    return np.clip(np.rint(sound / weight), -32768, 32767).astype(np.int16)
