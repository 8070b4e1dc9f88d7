"""Figures of the integer front end: against C, chip, float twin and log-mel set; what it costs (chapter 8)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch

from tinyspeech import toolchain
from tinyspeech.chip.native import Native
from tinyspeech.integer import frontend
from tinyspeech.integer.trials import hostile_windows
from tinyspeech.lowbit import saved
from tinyspeech.measure.engines import engine, float_features
from tinyspeech.measure.figures import RECORDINGS, SPEAKERS
from tinyspeech.measure.stages import bench
from tinyspeech.measure.store import Figure, figure
from tinyspeech.paths import SHIPPED, model_file
from tinyspeech.sound import audio, datasets
from tinyspeech.sound.logmel import load_logmel
from tinyspeech.training import data

BATCH = 256
KEPT = 8 * BATCH
"""Clips, the first by name, on which integers and floats are compared value by value."""
CHIP_CLIPS = 300
OTHER_TAKE = 12
"""Pairs that differ by so many units on average are different takes: many names of the two versions hold them."""
OWN_SYMBOLS = ("frontend", "normalise", "transform", "turn", "butterfly", "rotate", "untangle", "square",
               "mel_energies", "cepstrum", "multiply")
"""What the names of the front end's functions and tables begin with."""


def against_c() -> Iterator[Figure]:
    """Windows that look for trouble, in Python and in C under the sanitiser."""
    native, windows = Native(sanitize=True), hostile_windows()
    expected = frontend.cepstrum(frontend.log_mel(windows))
    wrong = sum(bool((native.frame(w) != e).any()) for w, e in zip(windows, expected, strict=True))
    yield figure("frontend.mismatches_c_windows", wrong, "windows", n=len(windows),
                 data="random and hostile windows, seed 0")


def clip_names(speech: Path) -> list[str]:
    """Every clip of a corpus, as `word/file`, in the order of their names."""
    return [name for words in datasets.clips_of_split(speech, "all").values() for name in words]


def labels_of(names: list[str]) -> np.ndarray:
    """The class of each clip, int [N]."""
    return data.label_of(name.split("/")[0] for name in names).numpy()


def samples(speech: Path, names: list[str]) -> Iterator[np.ndarray]:
    """The clips at 8 kHz, int16 [`BATCH`, 8000] at a time."""
    for start in range(0, len(names), BATCH):
        yield frontend.to_8khz(np.stack([audio.load_clip(speech / name) for name in names[start : start + BATCH]]))


def guesser(model: str = SHIPPED) -> Callable[[np.ndarray], np.ndarray]:
    """The float network: features [N, 49, 12] -> int [N]."""
    network = saved.load_model(model_file(model, "_float.pt"))
    return lambda features: saved.predict(network, torch.from_numpy(features).float()).argmax(1).numpy()


def on_every_clip(speech: Path) -> Iterator[Figure]:
    """Integers in Python, in C, and floats, on every recording: mismatches, accuracy, and how far they are apart."""
    names, guess, native = clip_names(speech), guesser(), Native(sanitize=True)
    wrong, right, kept = 0, {"float": 0, "integer": 0}, []
    for i, x8 in enumerate(samples(speech, names)):
        features, floats = frontend.features(x8), float_features(x8)
        truth = labels_of(names[i * BATCH : (i + 1) * BATCH])
        wrong += int((native.features(x8) != features).any(axis=(1, 2)).sum())
        right["float"] += int((guess(floats) == truth).sum())
        right["integer"] += int((guess(features) == truth).sum())
        if i < KEPT // BATCH:
            kept.append((features, np.clip(floats, -128, 127)))
    yield figure("frontend.mismatches_c_clips", wrong, "clips", n=len(names),
                 data="every clip of the Speech Commands subset")
    for kind, count in right.items():
        yield figure(f"frontend.accuracy_{kind}_features_all_clips", round(100 * count / len(names), 2), "%",
                     n=len(names), data="every clip of the Speech Commands subset, training speakers included",
                     note="the float network on both front ends: the difference counts, not the level")
    integers, floats = (np.concatenate(parts).reshape(-1, 12).astype(float) for parts in zip(*kept, strict=True))
    about = {"n": min(KEPT, len(names)), "data": "Speech Commands clips, in the order of their names"}
    rmse = np.sqrt(((integers - floats) ** 2).mean(axis=0))
    yield figure("frontend.rmse_to_float", [round(float(v), 2) for v in rmse], "int8 units, per coefficient", **about)
    yield figure("frontend.correlation_with_float",
                 [round(float(np.corrcoef(integers[:, k], floats[:, k])[0, 1]), 5) for k in range(12)], "1", **about)


def against_pictures(speech: Path, logmel: Path) -> Iterator[Figure]:
    """Recordings and the log-mel set's pictures of the same takes; nothing where `logmel` is a folder of recordings."""
    if not logmel.is_file():
        return
    names, cached = clip_names(speech)[:KEPT], load_logmel(logmel)
    place = {f"{word}/{name}": i for i, (word, name) in enumerate(zip(cached.words, cached.names, strict=True))}
    pairs = [(i, place[stem]) for i, name in enumerate(names) if (stem := name.rsplit(".", 1)[0]) in place]
    features = np.concatenate([frontend.features(x8) for x8 in samples(speech, names)])
    ours = features[[i for i, _ in pairs]].astype(float)
    bands = data.bands_of_pixels(cached.x[[j for _, j in pairs]])
    theirs = data.Cepstrum()(bands[:, 0::2].float()).numpy()
    same = np.abs(ours - theirs).mean(axis=(1, 2)) < OTHER_TAKE
    rmse = np.sqrt(((ours - theirs)[same] ** 2).mean(axis=(0, 1)))
    yield figure("frontend.rmse_to_logmel_set", [round(float(v), 2) for v in rmse], "int8 units, per coefficient",
                 n=int(same.sum()), pairs=len(pairs), data="recordings of v0.01 and their log-mel pictures in v0.02",
                 note=f"pairs that differ by {OTHER_TAKE} units or more on average are different takes and left out")
    guess, said = guesser(), labels_of(names)[[i for i, _ in pairs]][same]
    for name, x in (("recordings", ours), ("logmel", theirs)):
        yield figure(f"frontend.accuracy_same_takes_{name}", round(float(100 * (guess(x[same]) == said).mean()), 2),
                     "%", n=int(same.sum()), data="the pairs of rmse_to_logmel_set, training speakers included",
                     note="the float network: what training on pictures costs on recordings is the difference")


def on_validation(speech: Path) -> Iterator[Figure]:
    """The float network on either front end's features of the validation speakers."""
    task, guess = datasets.load_task(speech, "validation"), guesser()
    x8, labels = frontend.to_8khz(task.arrays()[0]), np.asarray(task.labels)
    for kind, features in (("float", float_features(x8)), ("integer", frontend.features(x8))):
        score = float(100 * (guess(features) == labels).mean())
        yield figure(f"frontend.accuracy_float_network_{kind}_features", round(score, 2), "%", data=RECORDINGS,
                     n=len(labels))


def costs() -> Iterator[Figure]:
    """Cycles, flash and RAM of the front end on the chip."""
    yield figure("frontend.cycles_per_audio_second", bench(SHIPPED)["front_end_cycles"], "cycles")
    symbols = toolchain.sizes(toolchain.build_firmware().elf)["symbols"]
    flash = sum(size for name, size in symbols.items() if name.startswith(OWN_SYMBOLS))
    yield figure("frontend.flash_bytes", flash, "bytes")
    yield figure("frontend.ram_bytes", frontend.FrontendStream.STATE_BYTES + 2 * frontend.WINDOW, "bytes",
                 note="samples and work buffer; the network's scratch shares the latter")


def on_chip(speech: Path) -> Iterator[Figure]:
    """Clips whose features differ between Python and the emulated chip."""
    x8 = frontend.to_8khz(datasets.load_task(speech, "validation").arrays()[0])[:CHIP_CLIPS]
    wrong = (engine("chip", SHIPPED).run(x8).features != frontend.features(x8)).any(axis=(1, 2))
    yield figure("frontend.mismatches_chip_clips", int(wrong.sum()), "clips", data=RECORDINGS, n=len(x8))


def coarse_log(entries: int, linear: bool = False) -> Callable[[np.ndarray], np.ndarray]:
    """A `Precision.log2`: by a smaller table, or with the mantissa itself as the fraction (Mitchell 1962)."""
    def log2(energies: np.ndarray) -> np.ndarray:
        top = np.frexp(energies.astype(float))[1] - 1
        mantissa = energies / 2.0**top - 1
        step = np.floor(mantissa * entries)
        fraction = mantissa if linear else np.log2(1 + (step + 0.5) / entries)
        return (top << frontend.LOG_BITS) + np.round(fraction * (1 << frontend.LOG_BITS)).astype(np.int64)
    return log2


def precision(speech: Path) -> Iterator[Figure]:
    """What the precision of each table buys: RMSE of the integer features to the float twin's."""
    x8 = frontend.to_8khz(datasets.load_task(speech, "validation").arrays()[0])
    wanted = np.clip(float_features(x8), -128, 127)

    def rmse(**changed) -> float:
        got = frontend.features(x8, frontend.Precision(**changed))
        return round(float(np.sqrt(((got - wanted) ** 2).mean())), 2)

    about = {"n": len(x8), "data": SPEAKERS}
    unit = "int8 units, RMSE to the float front end"
    yield figure("frontend.attempts_twiddle_bits", {str(b): rmse(twiddle_bits=b) for b in (5, 6, 7, 8, 10)}, unit,
                 **about)
    yield figure("frontend.attempts_ramp_bits", {str(b): rmse(ramp_bits=b) for b in (1, 2, 3, 5)}, unit,
                 note="fraction bits of the mel slopes", **about)
    tables = {f"table of {n}": rmse(log2=coarse_log(n)) for n in (8, 16, 32, 64)}
    lines = rmse(log2=coarse_log(1, linear=True))
    yield figure("frontend.attempts_log2", {"straight lines": lines, **tables}, unit, **about)
