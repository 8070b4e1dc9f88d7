"""The bundled clips, made from nothing but offline speech engines: `python -m tinyspeech data synthesize`.

Ten keywords and 24 other words, spoken by the voices of `voices.py` with varied accent, pitch, speed, level, place in
the second and noise, laid out as Speech Commands is and split by voice. They serve the notebooks and the tests. What
they are not: real speech. No claim of accuracy is made on them.

Needs the engines: `apt-get install espeak-ng flite festival festvox-kallpc16k festvox-kdlpc16k festvox-us-slt-hts` and
`pip install -r data/requirements-synthesis.txt` (best in an environment of its own). data/README.md says how far the
result repeats bit for bit. Chapter 1.
"""

from __future__ import annotations

import csv
import hashlib
import math
import random
import shutil
import tempfile
from collections import Counter
from itertools import cycle, islice
from pathlib import Path

import numpy as np
import soundfile
from scipy.signal import butter, sosfilt

from tinyspeech import KEYWORDS
from tinyspeech.errors import UserError
from tinyspeech.paths import BUNDLED
from tinyspeech.sound import audio, voices
from tinyspeech.sound.noise import BACKGROUND, BACKGROUND_SHARE
from tinyspeech.sound.splits import SPLITS, hash_split
from tinyspeech.sound.voices import OTHERS, SOURCES, UNCLEAR, Job, Source

RATE = audio.SAMPLE_RATE_HZ
SECOND = audio.CLIP_SAMPLES
LOWEST_HZ = 60
"""What engines put below this is drift, not voice."""


def _coloured(rng: np.random.Generator, count: int, slope: float, lowest_hz: float = 30.0) -> np.ndarray:
    """Gaussian noise whose power falls as f to the `slope` above `lowest_hz`; 0 is white, 1 pink."""
    spectrum = np.fft.rfft(rng.standard_normal(count))
    hertz = np.maximum(np.fft.rfftfreq(count, 1 / RATE), lowest_hz)
    return np.fft.irfft(spectrum * hertz ** (-slope / 2), count)


def _hum(rng: np.random.Generator, count: int) -> np.ndarray:
    """Mains: 50 Hz and its harmonics, odd ones louder, over a little pink noise."""
    t = np.arange(count) / RATE
    wave = sum(rng.uniform(0.3, 1) / n * (1 if n % 2 else 0.4) * np.sin(2 * np.pi * (50 * n * t + rng.uniform()))
               for n in range(1, 25))  # fmt: skip
    return wave / wave.std() + 0.3 * _unit(_coloured(rng, count, 1.0))


def _fan(rng: np.random.Generator, count: int) -> np.ndarray:
    """Brown noise whose loudness turns with the blades."""
    t = np.arange(count) / RATE
    return _coloured(rng, count, 1.7, 60) * (1 + 0.4 * np.sin(2 * np.pi * 7.3 * t)) * (1 + 0.2 * np.sin(0.9 * t))


def _drips(rng: np.random.Generator, count: int) -> np.ndarray:
    """Drops: short decaying tones at random moments over quiet pink noise."""
    wave = 0.05 * _unit(_coloured(rng, count, 1.0))
    for at in rng.integers(0, count - 1, count * 5 // RATE):
        t = np.arange(min(RATE // 8, count - at)) / RATE
        drop = np.sin(2 * np.pi * rng.uniform(500, 3500) * t * (1 + t)) * np.exp(-t * rng.uniform(40, 120))
        wave[at : at + len(t)] += rng.uniform(0.2, 1) * drop
    return wave


BABBLE = (
    "the garden behind the old house was full of roses that summer and nobody came to pick them",
    "bring me a cup of tea and a little bread with butter please before the train leaves",
    "many people walk along the river in the evening when the heat of the day is over",
    "she wrote a letter to her brother about the weather and the price of apples",
    "winter mornings are cold in the mountains but the sky is clear and very blue",
    "we measured the table again because the carpenter had lost his paper",
)  # fmt: skip
BABBLE_VOICES = ("boris", "belinda", "john", "aunty", "pablo", "sandro", "grandma", "norbert")
"""Voices of espeak-ng that speak no clip."""


def _babble(rng: np.random.Generator, count: int) -> np.ndarray:
    """Eight voices reading at once, each from another place in another text."""
    wave = np.zeros(count)
    with tempfile.TemporaryDirectory() as folder:
        for i, voice in enumerate(BABBLE_VOICES):
            text = ", ".join(BABBLE[(i + k) % len(BABBLE)] for k in range(len(BABBLE)))
            wav = Path(folder) / "voice.wav"
            voices.run(["espeak-ng", "-v", f"en-us+{voice}", "-s", str(140 + 8 * i), "-w", str(wav), text])
            samples, rate = voices.load(wav)
            read = _unit(audio.resample(samples, rate))
            wave += np.resize(np.roll(read, -int(rng.integers(len(read)))), count) * rng.uniform(0.6, 1)
    return wave


NOISES = {
    "white_noise": lambda rng, count: _coloured(rng, count, 0.0),
    "pink_noise": lambda rng, count: _coloured(rng, count, 1.0),
    "hum": _hum,
    "fan": _fan,
    "drips": _drips,
    "babble": _babble,
}
NOISE_SECONDS = 20
NOISE_RMS = 0.03
"""Of full scale, for the recordings in `_background_noise_`."""


def _unit(samples: np.ndarray) -> np.ndarray:
    return samples / np.sqrt(np.mean(np.square(samples)))


def _background(seed: int) -> dict[str, np.ndarray]:
    """The noise recordings by name, int16 [20 s]."""
    recordings = {}
    for index, (name, make) in enumerate(NOISES.items()):
        wave = NOISE_RMS * _unit(make(np.random.default_rng([seed, index]), NOISE_SECONDS * RATE))
        recordings[name] = coarse(wave, NOISE_RMS * 0.1 if name == "drips" else NOISE_RMS * 0.3)
    return recordings


def coarse(samples: np.ndarray, noise_rms: float) -> np.ndarray:
    """int16 in steps of a power of two, no coarser than twice the noise that is in the sound anyway.

    FLAC drops the low bits that are zero throughout, so noise does not have to be stored at 16 bits.
    """
    step = 2 ** max(0, math.floor(math.log2(max(1.0, 2 * noise_rms * 32768))))
    top = 32768 // step - 1
    return (np.clip(np.rint(samples * 32768 / step), -top, top) * step).astype(np.int16)


def trim(samples: np.ndarray, below_peak_db: float = 46.0, margin_s: float = 0.015) -> np.ndarray:
    """Cut off what is quieter than the loudest 10 ms by `below_peak_db`, at both ends; float [N] at 16 kHz."""
    step = RATE // 100
    frames = samples[: len(samples) // step * step].reshape(-1, step)
    power = np.mean(np.square(frames), axis=1)
    if not len(power) or power.max() == 0:
        return samples[:0]
    loud = np.flatnonzero(power > power.max() * 10 ** (-below_peak_db / 10))
    margin = round(margin_s * RATE)
    cut = samples[max(0, loud[0] * step - margin) : (loud[-1] + 1) * step + margin].copy()
    fade = np.sin(np.linspace(0, np.pi / 2, min(margin, len(cut) // 2))) ** 2
    cut[: len(fade)] *= fade
    cut[len(cut) - len(fade) :] *= fade[::-1]
    return cut


def _spoken(samples: np.ndarray, rate: int, tract: float) -> np.ndarray | None:
    """The bare word at 16 kHz without what is below the voice, or None if nothing usable was said."""
    whole = audio.resample(samples, round(rate * tract / 10) * 10)
    word = trim(sosfilt(butter(2, LOWEST_HZ, "highpass", fs=RATE, output="sos"), whole))
    return word if 0.12 * RATE <= len(word) <= 0.94 * RATE else None


def _clip(
    word: np.ndarray, rng: random.Random, noises: dict[str, np.ndarray], split: str
) -> tuple[np.ndarray, str, float]:
    """Place a word in a second of noise: int16 [16000], the noise's name and the signal-to-noise ratio in dB."""
    level = 10 ** (rng.uniform(-30, -17) / 20)
    word = _unit(word) * level
    word *= min(1.0, 0.9 / np.abs(word).max())
    start = rng.randrange(SECOND - len(word) + 1)
    name = rng.choice(sorted(noises))
    snr_db = round(rng.uniform(8, 25) if rng.random() < 0.2 else rng.uniform(28, 45), 1)
    begin, end = (round(share * NOISE_SECONDS * RATE) for share in BACKGROUND_SHARE[split])
    noise_start = rng.randrange(begin, end - SECOND + 1)
    noise = _unit(noises[name][noise_start : noise_start + SECOND].astype(np.float64))
    noise_rms = np.sqrt(np.mean(np.square(word))) * 10 ** (-snr_db / 20)
    clip = noise * noise_rms
    clip[start : start + len(word)] += word
    return coarse(clip, noise_rms), name, snr_db


def speaker_id(voice: str, split: str) -> str:
    """Eight hexadecimal digits for a voice, such that the hash rule of Speech Commands puts it into `split`."""
    ids = (hashlib.sha1(f"{voice}:{n}".encode()).hexdigest()[:8] for n in range(10_000))
    return next(i for i in ids if hash_split(i) == split)


def _plan() -> list[tuple[Source, str, int]]:
    """Every clip to be made: source, word, and its number among that voice's clips of that word."""
    chosen: list[tuple[Source, str]] = []
    for split in SPLITS[:3]:
        sources = [source for source in SOURCES if source.split == split]
        words = cycle(OTHERS)  # each split goes through the other words in turn
        for source in sources:
            chosen += [(source, word) for word in islice(words, source.other)]
        for word in KEYWORDS:
            clear = [source for source in sources if word not in UNCLEAR.get(source.model, ())]
            chosen += [(source, word) for source in clear for _ in range(source.per_keyword)]
            missing = sum(source.per_keyword for source in sources if source not in clear)
            chosen += [(source, word) for source in islice(cycle(clear), missing)]
    plan, numbers = [], Counter()
    for source, word in chosen:
        plan.append((source, word, numbers[source.voice, word]))
        numbers[source.voice, word] += 1
    return plan


def _speak(plan: list[tuple[Source, str, int]], seed: int, attempts: int = 5) -> list[tuple[np.ndarray, dict]]:
    """Every planned word as float [n] at 16 kHz, with the parameters it was spoken with."""
    spoken: dict[int, tuple[np.ndarray, dict]] = {}
    for attempt in range(attempts):
        todo: dict[str, list[int]] = {}
        for i, (source, _, _) in enumerate(plan):
            if i not in spoken:
                todo.setdefault(source.engine, []).append(i)
        for engine, indices in todo.items():
            jobs = []
            for i in indices:
                source, word, number = plan[i]
                rng = random.Random(f"{seed}:{source.engine}:{source.model}:{word}:{number}:{attempt}")
                jobs.append(Job(source.model, word, voices.draw(source, rng, attempt)))
            with tempfile.TemporaryDirectory() as folder:
                sounds = voices.ENGINES[engine](jobs, Path(folder))
            for i, job, (samples, rate) in zip(indices, jobs, sounds, strict=True):
                word = _spoken(samples, rate, job.parameters["tract"])
                if word is not None:
                    spoken[i] = word, job.parameters
    missing = [f"{s.model} {word}" for i, (s, word, _) in enumerate(plan) if i not in spoken]
    if missing:
        raise UserError(f"these words never fitted into a second: {', '.join(missing)}; check the engines' voices")
    return [spoken[i] for i in range(len(plan))]


COLUMNS = ("file", "word", "split", "voice", "engine", "model", "version", "parameters", "noise", "snr_db", "sha256")


def synthesize(out: str | Path = BUNDLED, seed: int = 0) -> dict:
    """Make the bundled clips again, and say how many differ from what was there.

    Parameters
    ----------
    out : folder to make; one made by this function before is replaced, once all is ready
    seed : chooses speed, pitch, accent, level, place and noise of every clip

    Returns
    -------
    dict : folder, clips, bytes, and by engine how many clips are `same` and `different` from the former manifest

    Raises
    ------
    UserError : an engine is missing or fails, or `out` holds something else
    """
    out = Path(out)
    if out.exists() and any(out.iterdir() if out.is_dir() else [out]) and not (out / "manifest.csv").is_file():
        raise UserError(f"{out} is in the way: give a folder that does not exist, or one made by this command")
    versions = voices.engine_versions()
    new = out.with_name(out.name + ".new")
    shutil.rmtree(new, ignore_errors=True)
    try:
        rows = _make(new, seed, versions)
        former = {row["file"]: row["sha256"] for row in read_manifest(out)} if out.exists() else {}
        shutil.rmtree(out, ignore_errors=True)
        new.replace(out)
    except OSError as error:
        raise UserError(f"{out} cannot be written ({error}): give a folder of yours with 20 MB of room") from error
    compared: dict[str, Counter] = {}
    for row in rows:
        if row["file"] in former:
            same = former[row["file"]] == row["sha256"]
            compared.setdefault(row["engine"], Counter(same=0, different=0))["same" if same else "different"] += 1
    return {
        "folder": str(out),
        "clips": sum(row["split"] != BACKGROUND for row in rows),
        "bytes": sum(f.stat().st_size for f in out.rglob("*") if f.is_file()),
        "compared": {engine: dict(counts) for engine, counts in compared.items()},
    }


def _make(folder: Path, seed: int, versions: dict[str, str]) -> list[dict]:
    """Write everything into a new folder; return the manifest's rows."""
    rows = []

    def keep(file: str, samples: np.ndarray, **columns) -> None:
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, samples, RATE, subtype="PCM_16", format="FLAC", compression_level=1.0)
        rows.append(dict.fromkeys(COLUMNS, "") | {"file": file, "sha256": samples_sha256(samples)} | columns)

    noises = _background(seed)
    for name, samples in noises.items():
        engine = "espeak-ng" if name == "babble" else "numpy"
        keep(f"{BACKGROUND}/{name}.flac", samples, split=BACKGROUND, engine=engine, noise=name)
    plan = _plan()
    for (source, word, number), (sound, parameters) in zip(plan, _speak(plan, seed), strict=True):
        rng = random.Random(f"{seed}:clip:{source.voice}:{word}:{number}")
        samples, noise, snr_db = _clip(sound, rng, noises, source.split)
        keep(
            f"{word}/{speaker_id(source.voice, source.split)}_nohash_{number}.flac",
            samples,
            word=word,
            split=source.split,
            voice=source.voice,
            engine=source.engine,
            model=source.model,
            version=versions[source.engine],
            parameters=" ".join(f"{key}={value}" for key, value in parameters.items()),
            noise=noise,
            snr_db=snr_db,
        )
    rows.sort(key=lambda row: row["file"])
    for split in ("validation", "testing"):
        listed = [row["file"] for row in rows if row["split"] == split]
        (folder / f"{split}_list.txt").write_text("\n".join(listed) + "\n", encoding="utf-8")
    with (folder / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return rows


def samples_sha256(samples: np.ndarray) -> str:
    """SHA-256 of int16 [N] as little-endian bytes: of the sound, whatever the version of FLAC that packs it."""
    return hashlib.sha256(samples.astype("<i2").tobytes()).hexdigest()


def read_manifest(folder: str | Path = BUNDLED) -> list[dict[str, str]]:
    """One dict a clip, with the keys `COLUMNS`.

    Raises
    ------
    UserError : no manifest in `folder`
    """
    path = Path(folder) / "manifest.csv"
    if not path.is_file():
        raise UserError(f"{path} does not exist: give a folder made by `tinyspeech data synthesize`")
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def verify(folder: str | Path = BUNDLED) -> list[str]:
    """Files whose samples are not those that the manifest names, or that are not there; [] if all is well."""
    folder = Path(folder)
    wrong = []
    for row in read_manifest(folder):
        try:
            samples, rate = audio.read(folder / row["file"])
        except UserError:
            wrong.append(row["file"])
            continue
        if rate != RATE or samples.dtype != np.int16 or samples_sha256(samples) != row["sha256"]:
            wrong.append(row["file"])
    return wrong
