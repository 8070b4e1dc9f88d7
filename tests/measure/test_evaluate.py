"""The protocol of evaluation: which noise meets which clip, how loud, and that no split hears another's."""

import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tinyspeech import CLASSES, ENGINES, paths
from tinyspeech.errors import UserError
from tinyspeech.integer import frontend
from tinyspeech.measure import engines, evaluate
from tinyspeech.measure.figures import robustness
from tinyspeech.sound import audio, datasets, mulaw
from tinyspeech.sound import noise as sound_noise
from tinyspeech.sound.noise import Noise, mix

RATE = audio.SAMPLE_RATE_HZ
BUNDLED_NOISE = paths.BUNDLED / sound_noise.BACKGROUND


def power(x: np.ndarray) -> float:
    return float(np.mean(np.square(x, dtype=float)))


@pytest.fixture(scope="module")
def task() -> datasets.Task:
    return datasets.load_task(paths.BUNDLED, "validation", limit=48)


# --- the mixture ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("snr_db", [0, 5, 10, 15, 20])
def test_the_ratio_measured_back(task, snr_db):
    """Over bundled words: what was added, taken out again, has the power that was asked for."""
    noise = Noise(BUNDLED_NOISE, "validation")
    tried = 0
    for name, label, clip in task:
        if label:
            _, piece = noise.piece(name)
            mixture, scaled = mix(clip, piece, snr_db)
            if not scaled:
                added = mixture.astype(float) - clip
                assert 10 * math.log10(power(clip) / power(added)) == pytest.approx(snr_db, abs=0.1)
                assert np.corrcoef(added, piece)[0, 1] > 0.99
                tried += 1
    assert tried > 20


def test_a_mixture_that_does_not_fit_is_turned_down_and_keeps_its_ratio():
    rng = np.random.default_rng(0)
    clip = np.rint(32767 * np.sin(np.arange(RATE))).astype(np.int16)
    piece = rng.integers(-50, 50, RATE).astype(np.int16)  # its level does not matter
    mixture, scaled = mix(clip, piece, 3)
    assert scaled and np.abs(mixture.astype(int)).max() == 32767
    share, gain = np.linalg.lstsq(np.stack([clip, piece], 1).astype(float), mixture.astype(float), rcond=None)[0]
    assert 0 < share < 1
    assert 10 * math.log10(power(share * clip) / power(gain * piece)) == pytest.approx(3, abs=0.1)
    assert np.abs(mixture - share * clip - gain * piece).max() < 1  # nothing was cut off


def test_clips_and_noise_without_power():
    rng = np.random.default_rng(0)
    zeros, sound = np.zeros(RATE, np.int16), rng.integers(-99, 99, RATE).astype(np.int16)
    mixture, scaled = mix(zeros, sound, 0)
    assert not mixture.any() and not scaled
    with pytest.raises(ValueError, match="without power"):
        mix(sound, zeros, 0)


# --- which noise ------------------------------------------------------------------------------------------------------


def ramp(folder: Path, lengths: dict[str, int], rate: int = RATE) -> Path:
    """Recordings that tell, in every sample, at which second they are."""
    folder.mkdir(exist_ok=True)
    for name, seconds in lengths.items():
        soundfile.write(folder / f"{name}.flac", np.repeat(np.arange(1, seconds + 1), rate).astype(np.int16), rate)
    return folder


@pytest.mark.parametrize("rate", [RATE, 8_000])
def test_no_split_hears_noise_of_another(tmp_path, rate):
    """Every sample of every piece, by its content, lies in its split's share of the recording's time."""
    folder = ramp(tmp_path / "noise", {"a": 40, "b": 70}, rate)
    heard = {}
    for split in ("training", "validation", "testing"):
        begin, end = sound_noise.BACKGROUND_SHARE[split]
        noise = Noise(folder, split)
        pieces = [noise.piece(f"yes/{i}.wav") for i in range(100)]
        for recording, piece in pieces:
            length = {"a": 40, "b": 70}[recording]
            assert len(piece) == RATE
            slack = 1 if rate != RATE else 0  # resampling rings around a step
            assert begin * length + 1 - slack <= piece.min() <= piece.max() <= end * length + slack
        heard[split] = {recording: {s for r, p in pieces if r == recording for s in np.unique(p)} for recording in "ab"}
    assert all(heard[split][recording] for split in heard for recording in "ab")
    if rate == RATE:
        for recording in "ab":
            for one, other in (("training", "validation"), ("training", "testing"), ("validation", "testing")):
                assert not heard[one][recording] & heard[other][recording]


def test_spans_of_splits_never_overlap():
    for seconds in range(10, 60):
        last = -1
        length = seconds * RATE + 37
        for split in ("training", "validation", "testing"):
            begin, end = sound_noise.BACKGROUND_SHARE[split]
            first, stop = round(begin * length), round(end * length)
            assert last <= first < stop <= length
            last = stop


def test_noise_depends_on_name_split_and_seed_alone(monkeypatch):
    """Not on order, on what was asked before, on how the folder is listed, on the format of the clip."""
    names = [f"{word}/{i}_nohash_0.flac" for word in ("yes", "bed") for i in range(20)]
    noise = Noise(BUNDLED_NOISE, "validation")
    forward = [noise.place(name) for name in names]
    listed = Path.iterdir
    monkeypatch.setattr(Path, "iterdir", lambda self: reversed(list(listed(self))))
    again = Noise(BUNDLED_NOISE, "validation")
    assert [again.place(name) for name in reversed(names)][::-1] == forward
    assert [again.place(name.replace(".flac", ".WAV.wav")) for name in names] == forward
    assert len(set(forward)) > 30 and {index for index, _ in forward} == set(range(6))
    assert [Noise(BUNDLED_NOISE, "validation", 1).place(name) for name in names] != forward
    assert [Noise(BUNDLED_NOISE, "testing").place(name) for name in names] != forward


def test_the_places_themselves():
    """Pinned: another machine or version draws the same noise."""
    noise = Noise(BUNDLED_NOISE, "validation")
    assert [noise.place(f"yes/{i}.wav") for i in range(3)] == [(2, 259009), (3, 256318), (3, 261763)]


def test_a_silent_stretch_is_drawn_again_and_a_silent_folder_refused(tmp_path):
    x = np.zeros(100 * RATE, np.int16)
    x[89 * RATE :] = 7  # of the validation part, 80 to 90 s, only the last second sounds
    soundfile.write(tmp_path / "n.wav", x, RATE)
    assert all(Noise(tmp_path, "validation").piece(f"yes/{i}.wav")[1].any() for i in range(30))
    with pytest.raises(UserError, match="silence in its training part"):
        Noise(tmp_path, "training").piece("yes/0.wav")


# --- evaluate ---------------------------------------------------------------------------------------------------------


def kept(tmp_path: Path, **options):
    path = tmp_path / f"{len(list(tmp_path.iterdir()))}.npz"
    options = {"engine": "int", "data": paths.BUNDLED, "limit": 24, **options}
    return evaluate.evaluate("tinyspeech_s", dump=path, **options), np.load(path)


def test_engines_are_made_by_their_names():
    assert tuple(engines.CLASSES_OF) == ENGINES
    for name, kind in engines.CLASSES_OF.items():
        assert type(engines.engine(name, "tinyspeech_s")) is kind
    with pytest.raises(UserError, match="unknown engine 'dsp'; there are float, fake, int, c, chip"):
        engines.engine("dsp", "tinyspeech_s")


def test_integers_are_computed_without_torch():
    code = """import sys
from tinyspeech.measure import evaluate
from tinyspeech.paths import BUNDLED
evaluate.evaluate("tinyspeech_s", "int", BUNDLED, limit=3)
sys.exit("torch" in sys.modules)"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_engines_agree_in_noise(tmp_path):
    runs = {engine: kept(tmp_path, engine=engine, limit=120, snr_db=5) for engine in ("int", "c")}
    for key in ("name", "label", "features", "logits"):
        assert np.array_equal(runs["int"][1][key], runs["c"][1][key]), key
    results_of = [{**result, "engine": None} for result, _ in runs.values()]
    assert results_of[0] == results_of[1]


def test_the_chip_agrees_in_noise(tmp_path):
    (_, want), (result, got) = kept(tmp_path, limit=13, snr_db=5), kept(tmp_path, limit=13, snr_db=5, engine="chip")
    assert np.array_equal(got["features"], want["features"]) and np.array_equal(got["logits"], want["logits"])
    assert result["cycles_per_clip"]["max"] > 1_000_000


def test_words_change_silence_does_not_and_no_order_matters(tmp_path):
    _, clean = kept(tmp_path)
    result, noisy = kept(tmp_path, snr_db=0)
    changed = (clean["features"] != noisy["features"]).any(axis=(1, 2))
    assert np.array_equal(changed, clean["label"] != CLASSES.index("_silence_"))
    assert sum(row["n"] for row in result["per_noise"].values()) == changed.sum()
    _, in_fives = kept(tmp_path, snr_db=0, batch=5)
    assert np.array_equal(in_fives["logits"], noisy["logits"])
    _, fewer = kept(tmp_path, snr_db=0, limit=12)  # the same clips, fewer of them
    place = [noisy["name"].tolist().index(name) for name in fewer["name"]]
    assert np.array_equal(fewer["logits"], noisy["logits"][place])
    _, louder = kept(tmp_path, snr_db=100)  # noise far below the last bit
    assert (louder["features"] == clean["features"]).mean() > 0.99


def test_through_mulaw_the_samples_are_those_of_the_serial_port(tmp_path):
    result, arrays = kept(tmp_path, mulaw=True)
    clips = datasets.load_task(paths.BUNDLED, "validation", limit=24).arrays()[0]
    x8 = mulaw.mulaw_decode(mulaw.mulaw_encode(frontend.to_8khz(clips)))
    assert result["mulaw"] and np.array_equal(arrays["features"], frontend.features(x8))
    plain, exact = kept(tmp_path)
    assert "mulaw" not in plain and not np.array_equal(arrays["features"], exact["features"])
    assert (arrays["logits"].argmax(1) == exact["logits"].argmax(1)).mean() > 0.9


def test_figures_belong_together(tmp_path):
    result, arrays = kept(tmp_path, snr_db=10, limit=120)
    right = arrays["logits"].argmax(1) == arrays["label"]
    assert result["accuracy"] == right.mean() and result["n"] == 120 and result["split"] == "validation"
    assert result["interval_95"][0] < result["accuracy"] < result["interval_95"][1]
    assert sum(result["calibration"]["count"]) == 120
    words = arrays["label"] > 0
    among = sum(row["n"] * row["accuracy"] for row in result["per_noise"].values())
    assert among == pytest.approx(right[words].sum())
    keywords = arrays["label"] > 1
    for key in ("rejection", "rejection_by_margin"):
        curve = result[key]
        assert curve["threshold"][0] == 0 and curve["right"][0] == pytest.approx(right[keywords].mean())
    json.dumps(result)  # plain values


def test_a_test_set_takes_noise_from_the_testing_part(tmp_path, monkeypatch):
    data = tmp_path / "data"
    for word, source in (("_unknown_", "bed"), ("yes", "yes"), ("_silence_", "cat")):
        (data / word).mkdir(parents=True)
        for path in sorted((paths.BUNDLED / source).iterdir())[:2]:
            (data / word / path.name).write_bytes(path.read_bytes())
    splits = []
    monkeypatch.setattr(sound_noise, "noise_spans",
                        lambda folder, split, real=sound_noise.noise_spans: splits.append(split) or real(folder, split))
    (tmp_path / "out").mkdir()
    for noise in (BUNDLED_NOISE, paths.BUNDLED):  # the recordings, or a corpus that has them
        result, _ = kept(tmp_path / "out", data=data, snr_db=5, noise=noise)
        assert result["split"] == "testing" and sum(row["n"] for row in result["per_noise"].values()) == 4
    assert splits == ["testing"] * 2


# --- recorded figures -------------------------------------------------------------------------------------------------


def test_robustness_in_noise_and_confidence(monkeypatch):
    """Every figure of both, from the bundled clips."""
    real = evaluate.evaluate
    monkeypatch.setattr(evaluate, "evaluate", lambda *a, **k: real(*a, **k, limit=24))
    figures = {figure.key.removeprefix("tinyspeech_s."): figure for measure in (
        robustness.in_noise, robustness.confidence) for figure in measure(paths.BUNDLED)}
    assert figures.keys() == {
        "interval_95_int_validation", "accuracy_int_noise_validation", "accuracy_int_noise_by_recording",
        "accuracy_int_other_noise_validation", "accuracy_int_other_noise_by_recording", "calibration_error_validation",
        "rejection_validation", "rejection_by_margin_validation"}
    values = figures["accuracy_int_noise_validation"].value
    assert list(values) == ["clean", "0 dB", "5 dB", "10 dB", "15 dB", "20 dB"]
    for snr in (None, 0):
        want = real("tinyspeech_s", "int", paths.BUNDLED, limit=24, snr_db=snr)["accuracy"]
        assert values["clean" if snr is None else "0 dB"] == round(100 * want, 2)
    apart = {key: figures.pop(key) for key in [*figures] if key.endswith("by_recording")}
    assert all(figure.about["model_hash"] and figure.about["n"] == 24 for figure in figures.values())
    run = real("tinyspeech_s", "int", paths.BUNDLED, limit=24, snr_db=5, noise=paths.BUNDLED)
    for name, row in apart["accuracy_int_other_noise_by_recording"].value.items():
        part = run["per_noise"][name]
        assert (row["n"], row["5 dB"]) == (part["n"], round(100 * part["accuracy"], 1))
    silent = sum(run["confusion"][CLASSES.index(datasets.SILENCE)])
    assert {figure.about["n"] for figure in apart.values()} == {24 - silent}


def test_words_of_several_recordings_are_counted_together():
    """Three of four and one of two, two of four and none of two."""
    runs = {0: [{"n": 4, "accuracy": 0.5}, {"n": 2, "accuracy": 0}],
            5: [{"n": 4, "accuracy": 0.75}, {"n": 2, "accuracy": 0.5}]}
    assert robustness.of_words(runs) == {"n": 6, "0 dB": 33.3, "5 dB": 66.7}


def test_robustness_to_a_microphone(monkeypatch):
    """A constant that costs a loud voice little costs a soft one the bits that the block exponent would have given."""
    real = datasets.load_task
    monkeypatch.setattr(datasets, "load_task", lambda *a, **k: real(*a, **k, limit=96))
    figures = {figure.key.removeprefix("frontend.robustness_"): figure
               for figure in robustness.microphone(paths.BUNDLED)}
    assert set(figures) == {"gain", "offset", "gain_offset", "hum_50", "hum_60", "clipping"}
    values, rest = {key: figure.value for key, figure in figures.items()}, str(robustness.REST_UNITS)
    assert rest == "-8341" and values["offset"][rest] == values["gain_offset"]["+0 dB"]
    assert values["offset"]["0"] == values["gain"]["+0 dB"]
    lost = {gain: values["gain"][gain] - value for gain, value in values["gain_offset"].items()}
    assert lost["-30 dB"] > max(lost["+0 dB"], 0)
    assert all(figure.about["n"] == 96 for figure in figures.values())
