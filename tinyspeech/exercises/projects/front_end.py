"""Project "Your own front end": C that makes a few bytes of a window of sound, judged by how much of a word they keep.

    from tinyspeech.exercises.projects import front_end
    front_end.score(source, features=2)

The function is

    void front_end(int16_t *window, int8_t *features);

It is given a window of 256 samples at 8 kHz, fifty times a second, and may destroy it, as the firmware's own does. What
it leaves in `features` (so many bytes as the submission says) goes to a judge that is the same for all: ten words, a
linear classifier in whole numbers, fitted to some voices and asked about others. See chapters 2 and 8.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from tinyspeech import paths, toolchain
from tinyspeech.errors import UserError
from tinyspeech.exercises.projects import host
from tinyspeech.exercises.projects.on_chip import LENIENT, OnChip, not_built
from tinyspeech.exercises.projects.scored import Figure, Refused, Score, scored
from tinyspeech.integer import frontend
from tinyspeech.integer.trials import hostile_windows
from tinyspeech.sound.corpora import open_corpus

TITLE = "Your own front end"
WORDS = ("down", "go", "left", "no", "off", "on", "right", "stop", "up", "yes")
EACH = {"training": 120, "validation": 21, "testing": 21}
"""Clips of each word: the first are fitted, the others, of other voices, are asked about."""
FRAMES, STEP = 28, 2
"""Of a clip, around the middle of its word; so many together are added up for the classifier."""
FRAMES_A_SECOND = frontend.SAMPLE_RATE_HZ // frontend.HOP
MOST_CYCLES, MOST_FLASH, MOST_RAM, MOST_FEATURES = 12_000_000, 6144, 512, 16
"""A second; bytes of code and tables, of stack, and of features in a frame: half of the chip."""
CYCLES_OF_AN_ANSWER = 100_000
"""A second: what is taken off the points for one."""
ON_CHIP = 24
"""Windows of clips that the virtual chip computes as well, and as many hostile ones."""
SEED = 8
EPOCHS = 10
UNWRITTEN = 0x5A
"""In the features before a call, on the chip."""
MOST_SECONDS = 300
"""For all windows on this computer; the virtual chip, which comes first, has counted cycles by then."""
MAY_CALL = ("multiply.c", "requantise.S", "frontend.c")
"""Of the firmware; on this computer without the assembly."""
SHIPPED_SOURCE = """#include "frontend.h"
void front_end(int16_t *window, int8_t *features);
void front_end(int16_t *window, int8_t *features) { frontend_frame(window, features); }
"""
"""What ships, as a submission of 12 features."""


@dataclass(frozen=True)
class Clips:
    """What the judge listens to."""

    windows: np.ndarray
    """int16 [N, 28, 256]: fitted, asked about as recorded, and the same again softer and in noise."""
    labels: np.ndarray
    """int [N], indices into `WORDS`."""
    fitted: int
    """So many are fitted; half of the others are as recorded."""


def score(source: str, features: int) -> Score:
    """Judge a front end, in half a minute: on the virtual chip, and over a thousand clips compiled for this computer.

    source : C with `front_end`; it may include the firmware's multiply.h and frontend.h, and call what they declare
    features : bytes that it leaves, 1 .. 16

    The points are the right answers, less one for every 100,000 cycles a second.
    """
    def judge() -> tuple[list[Figure], int]:
        if not 1 <= features <= MOST_FEATURES:
            raise Refused(f"{features} features a frame, 1 to {MOST_FEATURES} are allowed",
                          "The chip keeps them for many frames: each byte counts.")
        chip = OnChip("front_end", source, buffers={"window": 2 * frontend.WINDOW, "features": features},
                      firmware=MAY_CALL)
        if chip.variables:
            raise Refused(f"the variable {next(iter(chip.variables))} outlives a call",
                          "A window is all that front_end knows: keep what it needs on the stack or in the window.")
        cycles = FRAMES_A_SECOND * _compared(chip, source, features)
        heard = clips()
        values = _computed(source, features, heard.windows.reshape(-1, frontend.WINDOW))
        clean, noisy = right_answers(values.reshape(*heard.windows.shape[:2], features), heard)
        asked = (len(heard.labels) - heard.fitted) // 2
        figures = [Figure("right, as recorded", clean, f"of {asked}"),
                   Figure("right, softer and in noise", noisy, f"of {asked}"),
                   Figure("cycles a second", cycles, "", MOST_CYCLES, hint="Which loop runs most often?"),
                   Figure("code and tables", chip.flash_bytes, "bytes", MOST_FLASH, hint="Tables of bytes are small."),
                   Figure("RAM", chip.ram_bytes(["window", "features"]), "bytes", MOST_RAM,
                          hint="The window's own memory is free to use."),
                   Figure("features a second", FRAMES_A_SECOND * features, "bytes")]
        return figures, clean + noisy - cycles // CYCLES_OF_AN_ANSWER

    return scored(TITLE, judge)


# ---------------------------------------------------------------- what is heard


@cache
def clips() -> Clips:
    """Of the bundled clips, which synthetic voices say. All of it is whole numbers, from a fixed seed."""
    corpus = open_corpus(paths.BUNDLED)
    by_word = corpus.by_word()
    order = [(name, label) for split, count in EACH.items() for label, word in enumerate(WORDS)
             for name in _spread([name for name in by_word[word] if corpus.split_of(name) == split], count)]
    sound = frontend.to_8khz(np.stack([corpus.clip(name) for name, _ in order])).astype(np.int64)
    labels, fitted = np.array([label for _, label in order]), EACH["training"] * len(WORDS)
    first = word_begins(sound)
    rng = np.random.default_rng(SEED)
    asked = sound[fitted:]
    noise = rng.integers(-400, 401, asked.shape) + rng.integers(-400, 401, asked.shape)
    softer = np.clip((asked * rng.integers(48, 257, (len(asked), 1)) + noise * 64) >> 8, -32768, 32767)
    at = (first[:, None, None] + np.arange(FRAMES)[:, None]) * frontend.HOP + np.arange(frontend.WINDOW)
    windows = np.concatenate([_cut(sound, at), _cut(softer, at[fitted:])])
    return Clips(windows, np.concatenate([labels, labels[fitted:]]), fitted)


def _spread(names: list[str], count: int) -> list[str]:
    """So many of the names, in equal steps: all voices are among them."""
    return names[:: len(names) // count][:count]


def _cut(sound: np.ndarray, at: np.ndarray) -> np.ndarray:
    """int16 [N, frames, samples] of clips int [N, n], at these places."""
    return np.take_along_axis(sound, at.reshape(len(sound), -1), 1).reshape(at.shape).astype(np.int16)


def word_begins(sound: np.ndarray) -> np.ndarray:
    """The first of the `FRAMES` frames around the middle of a word, int [N]: the middle of what is louder than
    twice the quiet third of a clip. sound : int [N, 8000]"""
    frames = np.arange(frontend.N_FRAMES)
    loud = np.abs(sound[:, frames[:, None] * frontend.HOP + np.arange(frontend.WINDOW)]).sum(-1)
    loud = np.maximum(loud - 2 * np.sort(loud, 1)[:, [frontend.N_FRAMES // 3]], 0)
    middle = (loud * frames).sum(1) // np.maximum(loud.sum(1), 1)
    return np.clip(middle - FRAMES // 2, 0, frontend.N_FRAMES - FRAMES)


# ---------------------------------------------------------------- the judge


def right_answers(features: np.ndarray, heard: Clips) -> tuple[int, int]:
    """How many clips are told right, as recorded and in noise. features : int8 [N, 28, F]

    Every second frame's features are added to the one's before, brought to like size by what the fitted clips have, and
    weighed by an averaged perceptron (Freund and Schapire, 1999): whole numbers throughout, the same on every machine.
    """
    x = features.astype(np.int64).reshape(len(features), FRAMES // STEP, STEP, -1).sum(2).reshape(len(features), -1)
    fitted = x[: heard.fitted]
    middle = fitted.sum(0) // len(fitted)
    spread = np.abs(fitted - middle).sum(0) // len(fitted) + 1
    x = np.clip((x - middle) * 64 // spread, -255, 255)
    weights = perceptron(x[: heard.fitted], heard.labels[: heard.fitted])
    right = (x[heard.fitted :] @ weights.T).argmax(1) == heard.labels[heard.fitted :]
    half = len(right) // 2
    return int(right[:half].sum()), int(right[half:].sum())


def perceptron(x: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The sum of a perceptron's weights after each of `EPOCHS` rounds, int [words, inputs]: where a clip is told wrong,
    it is added to the right word's weights and taken from the other's. x : int [N, inputs]"""
    weights = np.zeros((len(WORDS), x.shape[1]), np.int64)
    total, rng = weights.copy(), np.random.default_rng(SEED)
    for _ in range(EPOCHS):
        for i in np.argsort(rng.integers(0, 2**40, len(x)), kind="stable"):
            if (told := (weights @ x[i]).argmax()) != labels[i]:
                weights[labels[i]] += x[i]
                weights[told] -= x[i]
        total += weights
    return total


# ---------------------------------------------------------------- the reader's C


def _compared(chip: OnChip, source: str, features: int) -> int:
    """The cycles of the slowest window, where the chip gives the same features as this computer."""
    heard = clips().windows.reshape(-1, frontend.WINDOW)
    windows = np.concatenate([heard[:: len(heard) // ON_CHIP][:ON_CHIP], hostile_windows(ON_CHIP, SEED)])
    taken, given = [], []
    for window in windows:
        chip.put(chip.at["window"], window.astype("<i2").tobytes())
        chip.put(chip.at["features"], bytes([UNWRITTEN]) * features)
        taken.append(chip(chip.at["window"], chip.at["features"],
                          writes={"window": 2 * frontend.WINDOW, "features": features}))
        given.append(np.frombuffer(chip.read("features", features), np.int8))
    here = _computed(source, features, windows)
    for i, j in np.argwhere(np.array(given) != here).tolist():
        if (given[i][j], here[i][j]) == (UNWRITTEN, host.UNWRITTEN):
            raise Refused(f"features[{j}] is not written for window {i}", "Give as many as the score is asked for.")
        raise Refused(f"features[{j}] of window {i} is {given[i][j]} on the chip and {here[i][j]} on this computer",
                      "Is memory read before it is written, or an array's end passed?")
    return max(taken)


def _computed(source: str, features: int, windows: np.ndarray) -> np.ndarray:
    """int8 [n, features] of windows int16 [n, 256], by the C compiled for this computer."""
    library = _library(source)
    alone = f"import runpy; runpy.run_path({host.__file__!r})['compute']({str(library)!r}, {features})"
    command = [sys.executable, "-I", "-c", alone]
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as told:
        given.write(windows.astype("<i2").tobytes())
        given.seek(0)
        try:
            done = subprocess.run(command, stdin=given, stdout=told, stderr=subprocess.DEVNULL, check=False,
                                  timeout=MOST_SECONDS)
        except subprocess.TimeoutExpired as error:
            raise Refused("front_end does not return for some window", "Does every loop end?") from error
        told.seek(0)
        data = told.read()
    count = len(data) // features
    if done.returncode or count != len(windows):
        raise Refused(f"front_end breaks a rule of C at window {count} of {len(windows)}",
                      "An overflow, a shift by a negative number or by 32, or an index outside an array.")
    return np.frombuffer(data, np.int8).reshape(-1, features)


def _library(source: str) -> Path:
    """The submission with what it may call, built for this computer; undefined behaviour stops it."""
    with tempfile.TemporaryDirectory() as folder:
        for header in paths.FIRMWARE.glob("*.h"):
            shutil.copy(header, folder)
        mine = Path(folder) / "yours.c"
        mine.write_text(f"{LENIENT}{source}\n", encoding="utf-8")
        mine_and = [*(paths.FIRMWARE / name for name in MAY_CALL if name.endswith(".c")), mine]
        try:
            return toolchain.build_host_library(mine_and, sanitize=True)
        except UserError as error:
            raise not_built(str(error), "front_end") from error
