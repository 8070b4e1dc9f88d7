"""Recordings of every shape come out as one second of int16, or as one clear line."""

import bisect

import numpy as np
import pytest
import soundfile
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tinyspeech.errors import UserError
from tinyspeech.sound import audio, mulaw


def tone(seconds: float, rate: int, hz: float = 440.0, amplitude: float = 0.5) -> np.ndarray:
    return (amplitude * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


def peak_hz(clip: np.ndarray) -> float:
    return float(np.argmax(np.abs(np.fft.rfft(clip.astype(float)))))  # 16000 samples at 16 kHz: bin = Hz


@pytest.mark.parametrize("suffix", ["wav", "flac"])
@pytest.mark.parametrize("length", [1, 159, 15_999, 16_000])
def test_16_khz_int16_passes_through_sample_for_sample(tmp_path, suffix, length):
    x = np.random.default_rng(length).integers(-32768, 32768, length).astype(np.int16)
    soundfile.write(tmp_path / f"a.{suffix}", x, 16_000, subtype="PCM_16")
    clip = audio.load_clip(tmp_path / f"a.{suffix}")
    assert clip.dtype == np.int16 and clip.shape == (16_000,)
    assert np.array_equal(clip[:length], x) and not clip[length:].any()


@pytest.mark.parametrize("rate", [4_000, 8_000, 11_025, 22_050, 44_100, 48_000, 96_000, 192_000])
def test_any_rate_keeps_pitch_length_and_level(tmp_path, rate):
    soundfile.write(tmp_path / "a.wav", tone(0.5, rate), rate)
    clip = audio.load_clip(tmp_path / "a.wav")
    assert peak_hz(clip) == pytest.approx(440, abs=1)
    middle = clip[1000:7000].astype(float)
    assert np.sqrt(np.mean(middle**2)) == pytest.approx(0.5 * 32768 / np.sqrt(2), rel=0.01)
    assert not clip[8100:].any()


def test_nothing_aliases_when_the_rate_falls(tmp_path):
    soundfile.write(tmp_path / "a.wav", tone(1, 44_100, hz=12_000), 44_100)  # would fold to 4 kHz
    assert np.abs(audio.load_clip(tmp_path / "a.wav")[200:-200]).max() < 0.5 * 32768 / 200  # 46 dB down


def test_stereo_is_averaged(tmp_path):
    left, right = tone(1, 16_000), tone(1, 16_000, hz=1000, amplitude=0.25)
    soundfile.write(tmp_path / "a.wav", np.stack([left, right], 1), 16_000, subtype="FLOAT")
    expected = audio.to_int16((left + right) / 2)
    assert np.abs(audio.load_clip(tmp_path / "a.wav").astype(int) - expected).max() <= 1


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"])
def test_other_sample_formats_keep_their_level(tmp_path, subtype):
    x = tone(1, 16_000)
    soundfile.write(tmp_path / "a.wav", x, 16_000, subtype=subtype)
    assert np.abs(audio.load_clip(tmp_path / "a.wav") / 32768 - x).max() < (1 / 100 if subtype == "PCM_U8" else 1e-4)


def test_ogg_is_read(tmp_path):
    soundfile.write(tmp_path / "a.ogg", tone(1, 16_000), 16_000)
    assert peak_hz(audio.load_clip(tmp_path / "a.ogg")) == pytest.approx(440, abs=1)


@pytest.mark.parametrize("at", [0, 3.33, 25.0, 598.99])
def test_ten_minutes_of_44100_hz_stereo_yield_the_second_with_the_word(tmp_path, at):
    rate, seconds = 44_100, 600
    x = np.zeros((rate * seconds, 2), np.int16)
    word = audio.to_int16(tone(1, rate))
    start = round(at * rate)
    x[start : start + rate] = word[:, None]
    soundfile.write(tmp_path / "long.wav", x, rate)
    clip = audio.load_clip(tmp_path / "long.wav").astype(float)
    whole = np.sum(audio.resample(word, rate).astype(float) ** 2)
    assert np.sum(clip**2) == pytest.approx(whole, rel=0.012)  # the grid of 10 ms may cost one hundredth


def test_of_equally_loud_seconds_the_first_is_taken():
    x = np.tile(np.arange(1, 161, dtype=np.int16), 300)
    x[:160] = 0
    assert np.array_equal(audio.fit_to_second(x), x[160 : 160 + 16_000])


def test_long_file_and_long_array_agree(tmp_path):
    x = (np.random.default_rng(0).standard_normal(16_000 * 25 + 77) * 1000).astype(np.int16)
    x[16_000 * 12 :] //= 2
    soundfile.write(tmp_path / "a.flac", x, 16_000)
    assert np.array_equal(audio.load_clip(tmp_path / "a.flac"), audio.fit_to_second(x))


@settings(max_examples=60, deadline=None)
@given(length=st.integers(0, 40_000), at=st.integers(0, 39_999), rate_hz=st.sampled_from((8_000, 11_025, 16_000)))
@example(length=39_841, at=39_840, rate_hz=16_000)  # the only sample of the last grid step
@example(length=21_995, at=21_994, rate_hz=11_025)  # a second is no whole number of steps
def test_fit_to_second_never_loses_the_only_sound(length, at, rate_hz):
    x = np.zeros(length, np.int16)
    if at < length:
        x[at] = 1000
    out = audio.fit_to_second(x, rate_hz)
    assert out.shape == (rate_hz,)
    assert out.sum() == x.sum()


def test_write_then_read_is_exact(tmp_path):
    x = np.random.default_rng(1).integers(-32768, 32768, 5000).astype(np.int16)
    for suffix in ("wav", "flac"):
        audio.write(tmp_path / f"a.{suffix}", x, 22_050)
        y, rate = audio.read(tmp_path / f"a.{suffix}")
        assert rate == 22_050 and y.dtype == np.int16 and np.array_equal(x, y)


def test_to_int16_saturates_and_rounds():
    x = np.array([-2.0, -1.0, 0.0, 0.4 / 32768, 0.6 / 32768, 1.0, 2.0])
    assert audio.to_int16(x).tolist() == [-32768, -32768, 0, 0, 1, 32767, 32767]


def bad_files(tmp_path):
    """Name of the fault, file that has it, and words that the message must hold."""
    flac = tmp_path / "whole.flac"
    soundfile.write(flac, (np.random.default_rng(0).standard_normal(16_000) * 3000).astype(np.int16), 16_000)
    made = {
        "empty.wav": b"",
        "text.wav": b"this is no sound\n" * 50,
        "header.wav": b"RIFF\x24\x00\x00\x00WAVE",
        "cut.flac": flac.read_bytes()[: flac.stat().st_size // 2],
        "noise.raw": bytes(1000),
    }
    for name, content in made.items():
        (tmp_path / name).write_bytes(content)
    soundfile.write(tmp_path / "zero.wav", np.zeros(0, np.int16), 16_000)
    soundfile.write(tmp_path / "slow.wav", np.zeros(100, np.int16), 3_999)
    soundfile.write(tmp_path / "nan.wav", np.array([0, np.nan, 0], np.float32), 16_000, subtype="FLOAT")
    long = np.zeros(40_000, np.float32)
    long[10] = np.inf
    soundfile.write(tmp_path / "inf.wav", long, 16_000, subtype="FLOAT")
    return {
        "missing.wav": "does not exist",
        ".": "is a folder",
        "empty.wav": "0 bytes",
        "text.wav": "cannot be read",
        "header.wav": "cannot be read|0 samples",
        "noise.raw": "cannot be read",
        "cut.flac": "damaged",
        "zero.wav": "0 samples",
        "slow.wav": "3999 Hz",
        "nan.wav": "not numbers",
        "inf.wav": "not numbers",
    }


def test_every_bad_file_is_one_clear_line(tmp_path):
    for name, words in bad_files(tmp_path).items():
        with pytest.raises(UserError, match=words) as caught:
            audio.load_clip(tmp_path / name)
        assert "\n" not in str(caught.value) and (name == "." or name in str(caught.value))


def test_write_says_what_is_wrong(tmp_path):
    with pytest.raises(UserError, match="suffix"):
        audio.write(tmp_path / "a.xyz", np.zeros(3, np.int16))
    with pytest.raises(UserError, match="cannot be written"):
        audio.write(tmp_path / "none" / "a.wav", np.zeros(3, np.int16))


# --- mu-law -----------------------------------------------------------------------------------------------------------

ALL_INT16 = np.arange(-32768, 32768).astype(np.int16)


def standard_intervals() -> tuple[list[int], list[int]]:
    """G.711's positive half by its own definition, times four for int16: where each interval begins, and its level.

    In the standard's 14 bits: an interval of 1 from zero, then intervals of 2, 4, 8 ... 256, each size up to the end
    of its segment; a level is the middle of its interval, but the first is 0.
    """
    begins, levels = [0], [0]
    at = 1
    for size, end in zip((2 << i for i in range(8)), (31, 95, 223, 479, 991, 2015, 4063, 8159), strict=True):
        while at < end:
            begins.append(4 * at)
            levels.append(4 * at + 2 * size)
            at += size
    return begins, levels


def test_mulaw_is_the_standards_in_every_sample():
    begins, levels = standard_intervals()
    assert len(begins) == 128 and levels[-1] == 32124
    for sample, code in zip(ALL_INT16.tolist(), mulaw.mulaw_encode(ALL_INT16).tolist(), strict=True):
        number = bisect.bisect(begins, abs(sample)) - 1  # of the interval, counted from zero
        assert code == (0xFF - number if sample >= 0 or number == 0 else 0x7F - number), sample
    decoded = mulaw.mulaw_decode(np.arange(256, dtype=np.uint8))
    assert decoded.dtype == np.int16
    assert decoded.tolist() == [-level for level in levels[::-1]] + levels[::-1]


def test_the_byte_that_ends_a_stream_is_no_sample():
    codes = mulaw.mulaw_encode(ALL_INT16)
    assert codes.dtype == np.uint8 and set(range(256)) - set(codes.tolist()) == {0x7F}
    assert mulaw.mulaw_encode(np.zeros(1, np.int16)) == mulaw.MULAW_ZERO


@given(st.lists(st.integers(-32768, 32767), max_size=50), st.sampled_from([(-1,), (1, -1), (-1, 1)]))
def test_mulaw_errs_by_half_a_step_at_most_and_only_once(values, shape):
    x = np.array(values, np.int16).reshape(shape)
    code = mulaw.mulaw_encode(x)
    y = mulaw.mulaw_decode(code)
    assert code.shape == y.shape == x.shape
    assert np.array_equal(mulaw.mulaw_encode(y), code)
    magnitude = np.abs(x.astype(int))
    error, loud = np.abs(y.astype(int) - x), magnitude >= mulaw.MULAW_CLIP
    assert (error[~loud] <= np.maximum(4, (magnitude[~loud] + 132) / 32)).all()  # a step is at most 1/16
    assert (error[loud] <= 32768 - 32124).all()
    assert ((x.astype(int) * y >= 0) & (np.abs(y.astype(int)) <= 32124)).all()


def test_mulaw_of_floats_is_refused():
    with pytest.raises(UserError, match="int16 samples, not float64"):
        mulaw.mulaw_encode(np.zeros(3))
