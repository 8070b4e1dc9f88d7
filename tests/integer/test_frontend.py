"""The integer front end: what it promises about ranges, and that numpy and the firmware's C give the same bytes.

    python tests/integer/test_frontend.py   # rewrites golden/frontend.json: only when the definition is meant to change
"""

import json
import math
import platform
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinyspeech import __version__
from tinyspeech.errors import UserError
from tinyspeech.integer import frontend, tables
from tinyspeech.paths import FIRMWARE

GOLDEN = Path(__file__).parent / "golden" / "frontend.json"
INT16 = (-32768, 32767)
N = np.arange(256)


def lcg(count: int, seed: int) -> np.ndarray:
    """Noise that no library version changes: int64 [count] in -32768 .. 32767."""
    out = np.empty(count, np.int64)
    for i in range(count):
        seed = (seed * 1103515245 + 12345) % 2**31
        out[i] = (seed >> 15) - 32768
    return out


def adversarial() -> dict[str, np.ndarray]:
    """Windows int16 [M, 256] made to reach the ends of every range, by name."""
    rng = np.random.default_rng(1)
    phase = 2 * np.pi * np.arange(129)[:, None] * N / 256
    waves = [np.cos(phase + p) for p in (0.0, 0.3, np.pi / 4, np.pi / 2)]
    impulses = np.eye(256)
    kinds = {
        "silence": np.zeros((1, 256)),
        "constant": np.array([1, -1, 2, -2, 16383, 16384, -16384, -16385, 32767, -32768])[:, None] * np.ones(256),
        "square": np.concatenate([np.where(w >= 0, 32767, -32768) for w in waves]),
        "tone": np.concatenate([32767 * w for w in waves]),
        "two tones": np.where(np.cos(phase) + np.cos(phase[::-1]) >= 0, 32767, -32768),
        "impulse": np.concatenate([32767 * impulses, -32768 * impulses, impulses, -impulses]),
        "alternating": np.stack([np.where(N // run % 2, a, b) for run in (1, 2, 3, 4, 8, 64, 128)
                                 for a, b in (INT16, INT16[::-1], (0, 32767), (-32768, 0), (1, 0), (-1, 0))]),
        "random extremes": rng.choice(INT16, (400, 256)),
        "sweep": np.stack([32767 * np.cos(a * N**2 / 1000) for a in np.linspace(0.1, 12, 40)]),
        "one loud sample in noise": rng.normal(0, 3, (50, 256)) + 32767 * impulses[rng.integers(0, 256, 50)],
    }
    for bits in range(16):
        kinds[f"noise of {bits} bits"] = rng.normal(0, 2.0**bits, (60, 256))
        kinds[f"peak {bits} bits"] = rng.choice([-(2**bits), 2**bits - 1], (10, 256))
    return {name: np.clip(np.rint(x), *INT16).astype(np.int16) for name, x in kinds.items()}


@pytest.fixture(scope="module")
def windows() -> np.ndarray:
    return np.concatenate(list(adversarial().values()))


@pytest.fixture(scope="module")
def native():
    from tinyspeech.chip.native import Native

    return Native(sanitize=True)


# --- shapes, types, errors --------------------------------------------------------------------------------------------


def test_shapes_and_types():
    assert (frontend.N_FRAMES, frontend.N_COEFFICIENTS, frontend.WINDOW, frontend.HOP) == (49, 12, 256, 160)
    x = lcg(2 * 3 * 8000, 1).astype(np.int16)
    whole = frontend.features(x.reshape(2, 3, 8000))
    assert whole.shape == (2, 3, 49, 12) and whole.dtype == np.int8
    assert np.array_equal(whole[1, 2], frontend.features(x[-8000:]))
    eight = frontend.to_8khz(x.reshape(2, 3, 8000))
    assert eight.shape == (2, 3, 4000) and eight.dtype == np.int16
    assert np.array_equal(eight[1, 2], frontend.to_8khz(x[-8000:]))


def test_frame_t_sees_samples_from_160_t():
    x = lcg(8000, 2).astype(np.int16)
    whole = frontend.features(x)
    for t in (0, 1, 30, 48):
        assert np.array_equal(whole[t], frontend.cepstrum(frontend.log_mel(x[None, 160 * t : 160 * t + 256]))[0])
    changed = x.copy()
    changed[160 * 20 + 200] ^= 0x4000  # in the overlap of frames 20 and 21, and in no other
    assert np.flatnonzero((frontend.features(changed) != whole).any(axis=1)).tolist() == [20, 21]


def test_the_input_is_left_alone():
    x = lcg(8000, 3).astype(np.int16)
    before = x.copy()
    frontend.features(x)
    frontend.to_8khz(x)
    assert np.array_equal(x, before)


@pytest.mark.parametrize("x", [np.zeros(8000), np.zeros(8000, np.int32), np.zeros(8000, np.float32), [0] * 8000])
def test_other_types_are_refused(x):
    for function in (frontend.features, frontend.to_8khz):
        with pytest.raises(UserError, match="int16") as caught:
            function(x)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("shape", [(), (7999,), (8001,), (16000,), (0,), (3, 100)])
def test_other_lengths_are_refused(shape):
    with pytest.raises(UserError, match=r"8000 samples.*not an array"):
        frontend.features(np.zeros(shape, np.int16))


@pytest.mark.parametrize("x", [np.zeros((), np.int16), np.zeros(15999, np.int16)])
def test_halving_refuses_what_has_no_half(x):
    with pytest.raises(UserError, match="even"):
        frontend.to_8khz(x)


# --- half-band filter -------------------------------------------------------------------------------------------------


def response_db(frequency_hz: float) -> float:
    """Measured gain of `to_8khz` for a tone, away from the ends."""
    x = 30000 * np.sin(2 * np.pi * frequency_hz / 16000 * np.arange(16000) + 0.1)
    y = frontend.to_8khz(np.rint(x).astype(np.int16)).astype(float)
    return 10 * math.log10(2 * np.mean(y[100:-100] ** 2) / 30000**2 + 1e-12)


def test_halfband_passes_speech_and_stops_what_would_fold():
    for frequency in (100, 1000, 2000, 3000):
        assert abs(response_db(frequency)) < 0.1
    for frequency in (5000, 5500, 6000, 7000, 7900):
        assert response_db(frequency) < -50
    assert response_db(4000 - 1000 / 7) == pytest.approx(-3, abs=3)  # the edge lies at 4 kHz


def test_halfband_is_symmetric_and_every_second_tap_is_zero():
    taps = frontend.tables()["halfband"]
    assert taps.sum() == 32768 and np.array_equal(taps, taps[::-1])
    assert not np.delete(taps[1::2], 15).any()  # taps[31], the middle one, is the 15th of the odd ones
    assert np.abs(taps).sum() < 2**16.4


def test_halfband_by_the_direct_sum_and_saturation():
    x = np.concatenate([lcg(301, 4), np.sign(frontend.tables()["halfband"]) * 32767, np.full(100, -32768)])
    padded = np.pad(x, 31)
    taps = [int(t) for t in frontend.tables()["halfband"]]
    want = [sum(t * int(v) for t, v in zip(taps, padded[2 * n : 2 * n + 63], strict=True)) for n in range(len(x) // 2)]
    want = [max(-32768, min(32767, (v + 16384) >> 15)) for v in want]
    assert frontend.to_8khz(x.astype(np.int16)).tolist() == want
    assert 32767 in want


# --- ranges that the docstrings state ---------------------------------------------------------------------------------


def traced(function, *arguments):
    """Call a function and return (its result, {name: largest magnitude that a local array ever had})."""
    largest: dict[str, int] = {}

    def look(frame, event, _arg):
        for name, value in frame.f_locals.items():
            if isinstance(value, np.ndarray) and value.dtype.kind == "i" and value.size:
                largest[name] = max(largest.get(name, 0), int(value.max()), -int(value.min()))
        return look

    before = sys.gettrace()
    sys.settrace(lambda frame, *_: look if frame.f_code is function.__code__ else None)
    try:
        result = function(*arguments)
    finally:
        sys.settrace(before)
    return result, largest


def test_block_exponent_puts_the_peak_where_it_says(windows):
    exponent = frontend.block_exponent(windows.astype(np.int32))
    assert exponent.min() == -1 and exponent.max() == 8
    scaled = np.abs(windows.astype(np.float64) * 2.0 ** exponent[:, None]).max(axis=1)
    assert scaled.max() <= 2**14
    assert scaled[exponent < 8].min() >= 2**13
    # every magnitude alone: the shift is the largest that the contract allows
    for value in [*range(-40, 41), *(s * 2**b + d for b in range(5, 15) for s in (1, -1) for d in (-1, 0, 1))]:
        window = np.zeros((1, 256), np.int32)
        window[0, 7] = value
        e = int(frontend.block_exponent(window)[0])
        fits = [e for e in range(-1, 9) if -(2**14) <= value * 2.0**e < 2**14]
        assert e == max(fits), value


def test_no_intermediate_leaves_its_range(windows):
    frames = windows.astype(np.int32)
    exponent = frontend.block_exponent(frames)[:, None]
    scaled = np.where(exponent >= 0, frames << np.maximum(exponent, 0), frames >> 1)
    assert np.abs(scaled).max() == 2**14

    (x_re, x_im), largest = traced(frontend.fft, scaled)
    assert {"z_re", "t_re", "even_re", "x_re"} <= largest.keys()  # the trace did see the inside
    for name in ("z_re", "z_im", "p_re", "p_im", "q_re", "q_im", "b_re", "b_im"):
        assert largest[name] <= 23170 + 8, name  # int16, with the modulus' bound and a rounding a stage
    assert all(value < 2**27 for value in largest.values()), largest
    assert np.hypot(x_re, x_im).max() <= 23170 + 8

    bins, largest = traced(frontend.power, x_re, x_im)
    assert max(largest["y_re"], largest["y_im"]) < 2**16  # the C squares 16 unsigned bits by table
    assert bins.min() >= 0 and bins.sum(axis=1).max() < 2**30 and not bins[:, 0].any()

    energies, largest = traced(frontend.mel_energies, bins)
    assert bins.max() * 7 < 2**32 and largest["upper"] < 2**30
    assert energies.min() >= 0 and energies.sum(axis=1).max() < 2**30

    log_energies, largest = traced(frontend.log_mel, windows)
    assert largest["floor"] + largest["energies"] < 2**31
    result, largest = traced(frontend.cepstrum, log_energies)
    assert largest["total"] < 2**26
    assert result.min() == -128 and result.max() == 127  # the windows do reach both clamps


def test_mel_slopes_share_every_bin_between_two_neighbours():
    """Sum over bands is the sum over bins, but for what lies outside the first and the last band."""
    bins = np.zeros((128, 128), np.int64)
    np.fill_diagonal(bins, 8 * np.arange(128))
    energies = frontend.mel_energies(bins)
    inside = slice(3, 122)
    assert np.array_equal(energies[inside].sum(axis=1), 8 * np.arange(128)[inside])
    assert ((energies > 0).sum(axis=1) <= 2).all() and not energies[0].any()
    assert (energies > 0).any(axis=0).all()  # no band is deaf


@given(st.integers(1, 2**32 - 1))
@settings(max_examples=300, deadline=None)
def test_log2_is_right_to_a_table_step(e):
    got = int(frontend.log2_q6(np.array([e], np.int64))[0])
    assert abs(got - 64 * math.log2(e)) <= 1.2
    assert got >> 6 in (e.bit_length() - 1, e.bit_length())


def test_log2_never_falls_and_holds_at_every_power_of_two():
    e = np.unique(np.concatenate([np.arange(1, 70000), *(2**b + np.arange(-3, 4) for b in range(3, 32)), [2**32 - 1]]))
    values = frontend.log2_q6(e)
    assert np.all(np.diff(values) >= 0)
    assert frontend.log2_q6(np.int64(2) ** np.arange(32)).tolist() == [64 * b + 1 for b in range(32)]


def test_tables_fit_the_types_of_the_header():
    table = frontend.tables()
    half = table["dct"][:, :10]
    for name, kind, values in (("dct_sizes", np.uint8, abs(half)),
                               ("dct_rows", np.int32, tables.dct_rows(half, table["offset"]))):
        assert np.array_equal(values, values.astype(kind))
        assert f"{np.dtype(kind)}_t frontend_{name}[" in tables.c_header()


def test_the_steps_of_the_mel_table_fit_four_bits():
    steps = tables.nibbles(np.diff(frontend.tables()["mel"], prepend=0))
    assert np.array_equal(np.cumsum(np.stack([steps & 15, steps >> 4], axis=1)), frontend.tables()["mel"])
    assert "uint8_t frontend_mel_steps[64]" in tables.c_header()


def test_what_the_logarithm_is_above_a_straight_line_fits_four_bits():
    above = tables.nibbles(frontend.tables()["log2"] - np.arange(64))
    assert np.array_equal(np.stack([above & 15, above >> 4], axis=1).ravel() + np.arange(64), frontend.tables()["log2"])
    assert "uint8_t frontend_log2[32]" in tables.c_header()


def test_the_digits_of_a_turn_are_its_cosine_and_its_sine():
    """And a digit that is not there adds nothing to an even number of 32 bits."""
    cosine, turns = frontend.tables()["cosine"], frontend.turns()
    assert np.array_equal(turns, turns.astype(np.uint16)) and "uint16_t frontend_turn[33][3]" in tables.c_header()
    for k in range(33):
        shifts = [int(word) >> at & 31 for word in turns[k] for at in (0, 5, 10)]
        powers = np.array([(2 << s) % 2**32 // 2 for s in shifts])  # of 2 x, halved
        assert 256 - powers[:4] @ frontend.COSINE_SIGNS == cosine[k], k
        assert powers[4:] @ frontend.SINE_SIGNS == cosine[64 - k], k


def test_the_dct_table_keeps_the_contract_of_the_c_multiplication():
    dct = frontend.tables()["dct"]
    assert np.abs(dct).max() < 256
    assert np.array_equal(dct[:, 10:], dct[:, 9::-1] * (-1) ** np.arange(12)[:, None])


# --- what the features mean -------------------------------------------------------------------------------------------


def test_loudness_moves_the_first_coefficient_alone():
    """Twice the amplitude is two octaves of power in every band: c0 rises, the others hold, far above the floor."""
    x = (lcg(8000, 5) // 8).astype(np.int16)
    quiet, loud = frontend.features(x).astype(int), frontend.features(2 * x).astype(int)
    rise = 2 * math.sqrt(20) * 32 / frontend.COEFFICIENT_STD[0]
    assert np.all(np.abs(loud[:, 0] - quiet[:, 0] - rise) <= 1.5)
    assert np.abs(loud[:, 1:] - quiet[:, 1:]).max() <= 2


def test_a_higher_tone_moves_the_peak_to_a_higher_band():
    peaks = []
    for frequency in (200, 500, 900, 1500, 2300, 3300):
        x = (8000 * np.sin(2 * np.pi * frequency / 8000 * N)).astype(np.int16)
        peaks.append(int(frontend.log_mel(x[None])[0].argmax()))
        low, high = 700 * np.expm1(frontend.hz_to_mel(4000) * (2 * peaks[-1] + np.array([0, 3])) / 41 / 1127)
        assert low <= frequency <= high
    assert peaks == sorted(set(peaks))


def speech_like(seed: int) -> np.ndarray:
    """int16 [16000] at 16 kHz: pulses of a moving pitch through three moving resonances, with breath and room noise."""
    from scipy.signal import lfilter

    rng = np.random.default_rng(seed)
    t = np.arange(16000) / 16000
    pitch = rng.uniform(90, 230) * (1 + 0.1 * np.sin(2 * np.pi * rng.uniform(1, 4) * t))
    x = np.diff(np.floor(np.cumsum(pitch) / 16000), prepend=0) + rng.normal(0, 0.02, 16000)
    for _ in range(3):
        f, width = rng.uniform(250, 3400), rng.uniform(60, 200)
        r = math.exp(-math.pi * width / 16000)
        x = lfilter([1 - r], [1, -2 * r * math.cos(2 * math.pi * f / 16000), r * r], x)
    centre, length = rng.uniform(0.3, 0.7), rng.uniform(0.1, 0.25)
    x = x * np.exp(-(((t - centre) / length) ** 2))
    x = x / np.abs(x).max() * 10 ** (-rng.uniform(0, 30) / 20) + rng.normal(0, 10 ** rng.uniform(-4.5, -3), 16000)
    return np.rint(np.clip(x, -1, 1) * 32767).astype(np.int16)


def test_integers_agree_with_the_float_twin():
    """In int8 units, where 32 are one standard deviation over speech: the integers cost less than a tenth of one, RMS.

    These signals are harder than speech: noise-free resonances, whose valleys lie below the transform's rounding."""
    from tinyspeech.measure.engines import float_features

    x = frontend.to_8khz(np.stack([speech_like(seed) for seed in range(30)]))
    integers, floats = frontend.features(x).astype(float), np.clip(float_features(x), -128, 127)
    rmse = np.sqrt(np.mean((integers - floats) ** 2))
    correlation = [np.corrcoef(integers[..., k].ravel(), floats[..., k].ravel())[0, 1] for k in range(12)]
    print(f"RMSE {rmse:.3f} units, correlations {min(correlation):.5f} .. {max(correlation):.5f}")
    assert integers.std(axis=(0, 1)).min() > 10  # the signals do move every coefficient
    assert rmse < 2.7
    assert min(correlation) > 0.99 and max(correlation) > 0.999


# --- golden vectors ---------------------------------------------------------------------------------------------------


def golden_inputs() -> dict[str, np.ndarray]:
    """Clips int16 [8000], made of whole-number arithmetic only."""
    n = np.arange(8000, dtype=np.int64)
    return {
        "noise, 2 bits louder every 1000 samples": (lcg(8000, 6) >> np.repeat(np.arange(14, -1, -2), 1000)),
        "saw sweep, 0 to 4 kHz": ((n * n * 4 + 17) % 65536 - 32768) // 3,
        "full-scale square, 250 Hz, then silence": np.where(n < 6000, np.where(n // 16 % 2, -32768, 32767), 0),
    }


def golden_values() -> dict:
    clips = {name: x.astype(np.int16) for name, x in golden_inputs().items()}
    return {"features": {name: frontend.features(x).tolist() for name, x in clips.items()},
            "to_8khz of noise": frontend.to_8khz(lcg(400, 7).astype(np.int16)).tolist(),
            "tables": {name: int(sum(i * int(v) for i, v in enumerate(values.ravel(), 1)))
                       for name, values in frontend.tables().items()}}


def test_golden_vectors():
    golden, now = json.loads(GOLDEN.read_text()), golden_values()
    assert golden["tables"] == now["tables"], "a table of the front end changed: every trained network depends on it"
    assert golden["to_8khz of noise"] == now["to_8khz of noise"]
    for name, rows in golden["features"].items():
        assert np.array_equal(rows, now["features"][name]), f"the front end's definition changed: {name}"
    assert golden["features"].keys() == now["features"].keys()


def test_golden_vectors_in_c(native):
    golden = json.loads(GOLDEN.read_text())["features"]
    for name, x in golden_inputs().items():
        assert np.array_equal(native.features(x.astype(np.int16)), golden[name]), name


# --- the firmware's C -------------------------------------------------------------------------------------------------


def test_the_header_is_what_the_tables_say():
    text = (FIRMWARE / "frontend_tables.h").read_text()
    assert text == tables.c_header(), "run `python -m tinyspeech export --tables`"
    rows = dict(re.findall(r"frontend_(\w+)\S* = \{([^;]*)\};", text))
    sizes, packed = (np.array(re.findall(r"-?\d+", rows[name]), np.int64) for name in ("dct_sizes", "dct_rows"))
    negative = packed[:, None] >> np.arange(10) & 1
    assert np.array_equal(np.where(negative, -1, 1) * sizes.reshape(12, 10), frontend.tables()["dct"][:, :10])
    assert np.array_equal(packed >> 10, frontend.tables()["offset"])


def test_c_equals_python_in_every_window(native, windows):
    rng = np.random.default_rng(2)
    x = np.concatenate([windows, rng.integers(*INT16, (500, 256), endpoint=True),
                        np.rint(rng.normal(0, 2 ** rng.uniform(0, 14, (1000, 1)), (1000, 256))).clip(*INT16)])
    x = x.astype(np.int16)
    want = frontend.cepstrum(frontend.log_mel(x))
    mismatches = sum(not np.array_equal(native.frame(window), row) for window, row in zip(x, want, strict=True))
    print(f"{mismatches} mismatches in {len(x)} windows")
    assert len(x) >= 3000 and len(np.unique(want, axis=0)) > 2000
    assert mismatches == 0


def test_c_equals_python_in_whole_clips(native):
    x = frontend.to_8khz(np.stack([speech_like(seed) for seed in range(100, 108)]))
    got, want = native.features(x), frontend.features(x)
    print(f"{(got != want).sum()} mismatches in {want.shape[0] * want.shape[1]} frames")
    assert got.dtype == np.int8 and np.array_equal(got, want)
    assert native.features(x.reshape(2, 4, 8000)).shape == (2, 4, 49, 12)


@given(st.lists(st.integers(*INT16), min_size=256, max_size=256))
@settings(max_examples=60, deadline=None)
def test_c_equals_python_in_windows_that_hypothesis_finds(samples):
    from tinyspeech.chip.native import Native

    window = np.array(samples, np.int16)
    assert np.array_equal(Native(sanitize=True).frame(window), frontend.cepstrum(frontend.log_mel(window[None]))[0])


def test_native_refuses_other_shapes(native):
    with pytest.raises(UserError, match="256"):
        native.frame(np.zeros(255, np.int16))
    for x in (np.zeros(7999, np.int16), np.zeros((2, 4000), np.int16), np.zeros(8000)):
        with pytest.raises(UserError, match="a clip is int16"):
            native.features(x)


if __name__ == "__main__":
    GOLDEN.parent.mkdir(exist_ok=True)
    made_by = f"python tests/integer/test_frontend.py; tinyspeech {__version__}, numpy {np.__version__}, " \
              f"Python {platform.python_version()}; inputs: golden_inputs() there"
    GOLDEN.write_text(json.dumps({"made_by": made_by, **golden_values()}, separators=(",", ":")) + "\n")


# --- streaming --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sizes", [[1], [160], [7, 300, 1, 0, 999], [8000]])
def test_frames_do_not_depend_on_how_samples_are_cut(sizes):
    x = np.random.default_rng(3).integers(-9000, 9000, 2000 if sizes == [1] else 8000).astype(np.int16)
    stream, parts, at, turn = frontend.FrontendStream(), [], 0, 0
    while at < len(x):
        size = sizes[turn % len(sizes)]
        parts.append(stream.push(x[at : at + size]))
        at, turn = at + size, turn + 1
    whole = np.pad(x, (0, 8000 - len(x)))
    count = 1 + (len(x) - 256) // 160
    assert np.array_equal(np.concatenate(parts), frontend.features(whole)[:count])
    assert stream.ring.nbytes + 4 == frontend.FrontendStream.STATE_BYTES  # nothing else is remembered


def test_the_c_stream_equals_the_clip(native):
    x = np.random.default_rng(4).integers(-32768, 32768, 8000).astype(np.int16)
    assert np.array_equal(native.stream(x), frontend.features(x))
    assert native.stream(x[:255]).shape == (0, 12)
    with pytest.raises(UserError, match="int16"):
        native.stream(x.astype(np.int32))


def test_the_stream_refuses_other_types():
    for wrong in (np.zeros(10), np.zeros((2, 5), np.int16), np.zeros(10, np.int32)):
        with pytest.raises(UserError, match="int16"):
            frontend.FrontendStream().push(wrong)


def test_converter_readings_fill_the_range():
    assert frontend.from_adc(np.array([0, 512, 1023])).tolist() == [-32768, 0, 32704]
    for wrong in ([1024], [-1], [0.5]):
        with pytest.raises(UserError, match="10-bit"):
            frontend.from_adc(np.array(wrong))


def test_an_offset_and_hum_hardly_reach_the_features():
    """The lowest band copies its neighbour: 0.1 % of full scale of offset moves no coefficient by more than 3 units."""
    rng = np.random.default_rng(5)
    x = (rng.normal(0, 1, 8000) * 300).round().astype(np.int16)
    moved = np.abs(frontend.features((x + 33).astype(np.int16)).astype(int) - frontend.features(x))
    assert moved.max() <= 3


def test_c_writes_nothing_beside_its_two_arrays(native):
    """Hostile windows between canaries; reads and writes inside the C's own arrays trap in the sanitised build."""
    import ctypes

    from tinyspeech.integer.trials import hostile_windows

    memory = np.full(64 + 256 + 64, 0x5A5A, np.int16)
    out = np.full(64 + 12 + 64, 0x5A, np.int8)
    for window in hostile_windows(400, seed=9):
        memory[64:320] = window
        native.library.frontend_frame(
            ctypes.c_void_p(memory[64:].ctypes.data), ctypes.c_void_p(out[64:].ctypes.data)
        )
        assert (memory[:64] == 0x5A5A).all() and (memory[320:] == 0x5A5A).all()
        assert (out[:64] == 0x5A).all() and (out[76:] == 0x5A).all()
    assert (out[64:76] != 0x5A).any()


def test_hostile_windows_are_many_and_reach_the_ends():
    from tinyspeech.integer.trials import hostile_windows

    windows = hostile_windows()
    assert windows.shape == (10_000, 256) and windows.dtype == np.int16
    assert windows.min() == -32768 and windows.max() == 32767
    peaks = np.abs(windows.astype(int)).max(axis=1)
    assert all(((peaks >= 2**k) & (peaks < 2 ** (k + 1))).sum() > 50 for k in range(15))  # every level is there
