"""Figures of listening: words in a row to the virtual board, what mu-law costs, which constants decide (chapter 10)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tinyspeech import toolchain
from tinyspeech.board.microphone import SIGNAL_HZ, as_volts
from tinyspeech.board.protocol import Lost, Word, parse
from tinyspeech.board.virtual import VirtualBoard, shipped_image
from tinyspeech.integer import frontend
from tinyspeech.integer.listening import CLOCK_HZ, words
from tinyspeech.integer.network import IntegerModel
from tinyspeech.measure import power
from tinyspeech.measure.engines import engine
from tinyspeech.measure.figures import RECORDINGS, SPEAKERS
from tinyspeech.measure.live import (
    QUIET_DB,
    SOFT_DB,
    Event,
    Heard,
    in_a_row,
    is_quiet,
    listen,
    rate,
)
from tinyspeech.measure.store import Figure, figure
from tinyspeech.paths import SHIPPED, model_file
from tinyspeech.sound import audio, datasets, mulaw
from tinyspeech.sound.noise import BACKGROUND

BOARD_CLIPS, BOARD_SEED = 700, 1
"""Of the recording that the board hears."""


def through_mulaw(speech: Path) -> Iterator[Figure]:
    """What 8 bits a sample on the serial port cost in accuracy."""
    runner, task = engine("int", SHIPPED), datasets.load_task(speech, "validation")
    x8 = frontend.to_8khz(task.arrays()[0])
    spoken = {"data": RECORDINGS, "n": len(x8),
              "model_hash": IntegerModel.load(model_file(SHIPPED, ".npz")).digest}
    answers = {"int16": runner.run(x8).logits.argmax(1),
               "mulaw": runner.run(mulaw.mulaw_decode(mulaw.mulaw_encode(x8))).logits.argmax(1)}
    for kind, answer in answers.items():
        score = 100 * float((answer == np.asarray(task.labels)).mean())
        yield figure(f"live.accuracy_{kind}_validation", round(score, 2), "%",
                     note="samples at 8 kHz; integers in Python", **spoken)
    changed = int((answers["mulaw"] != answers["int16"]).sum())
    yield figure("live.answers_changed_by_mulaw", changed, "clips", **spoken)


def background(speech: Path) -> np.ndarray:
    """The corpus's recordings of noise one after the other, int16 at 16 kHz."""
    return np.concatenate([audio.read(path)[0] for path in sorted((speech / BACKGROUND).glob("*.flac"))])


@dataclass
class Session:
    """A long recording, what a board said to it, and how its reports count."""

    sound: np.ndarray
    """int16 at 16 kHz."""
    clips: np.ndarray
    """Of which it is made, int16 [n, 16000]."""
    events: list[Event]
    heard: Heard
    result: dict
    """Of `live.rate`."""

    @property
    def seconds(self) -> float:
        return len(self.sound) / audio.SAMPLE_RATE_HZ

    @property
    def reports(self) -> list[tuple[float, str]]:
        """(Seconds, word)."""
        said = [(t, parse(line)) for t, line in self.heard.lines]
        return [(t, word.name) for t, word in said if isinstance(word, Word)]


def session(speech: Path, clips: int = BOARD_CLIPS, seed: int = BOARD_SEED) -> Session:
    """Play validation clips in a row to the virtual board."""
    x, labels = datasets.load_task(speech, "validation").arrays()[:2]
    chosen = np.random.default_rng(seed).permutation(len(x))[:clips]
    sound, events = in_a_row(x[chosen], labels[chosen], seed, background(speech))
    board = VirtualBoard(shipped_image())
    board.advance(0.01)
    played = Session(sound, x[chosen], events, listen(board, as_volts(sound, audio.SAMPLE_RATE_HZ), SIGNAL_HZ), {})
    played.result = rate(played.reports, events)
    return played


def on_board(speech: Path, clips: int = BOARD_CLIPS, seed: int = BOARD_SEED) -> Iterator[Figure]:
    """Everything that one long recording tells of the board: words, latencies, time, current, RAM."""
    played, model = session(speech, clips, seed), IntegerModel.load(model_file(SHIPPED, ".npz"))
    about = {"data": f"{SPEAKERS}: {clips} clips of 12 classes in a row, pauses "
                     f"of 0.5 to 2 s, background noise at {audio.NOISE_UNITS} of 32768; by the virtual board's ADC",
             "seed": seed, "n": played.result["keywords"], "model_hash": model.digest}
    yield figure("live.seconds", round(played.seconds, 1), "s", **about)
    yield from detections(played, about)
    yield from latencies(played, about)
    yield from agreement(played, model, about)
    yield from time_and_current(played, about)
    sizes, heard = toolchain.sizes(toolchain.build_firmware().elf), played.heard
    yield figure("live.ram_bytes", sizes["data_bytes"] + sizes["bss_bytes"] + heard.stack_bytes, "bytes", **about,
                 note="variables and the deepest stack, with the interrupt at the worst moment")
    yield figure("live.stack_bytes", heard.stack_bytes, "bytes", **about)


def detections(played: Session, about: dict) -> Iterator[Figure]:
    """Keywords that were reported, and reports of none."""
    result = played.result
    yield figure("live.detected", round(100 * result["detected"] / result["keywords"], 1), "% of keywords", **about)
    yield figure("live.false", result["false"], "reports", **about)


def latencies(played: Session, about: dict) -> Iterator[Figure]:
    """From a word's end to its report; then where the recording is quiet enough to hear a soft end."""
    taken = 1000 * np.array(played.result["latencies"])
    for name, value in (("median", np.median(taken)), ("p95", np.quantile(taken, 0.95)),
                        ("p99", np.quantile(taken, 0.99)), ("worst", taken.max())):
        yield figure(f"live.latency_{name}", round(float(value)), "ms", **about,
                     note=f"after the word's end, {QUIET_DB} dB below its loudest 10 ms")
    yield figure("live.latency_within_250_ms", round(100 * float((taken <= 250).mean()), 1), "% of the detected",
                 **about)
    soft = [Event.of(clip, event.label, event.at_s, SOFT_DB)
            for clip, event in zip(played.clips, played.events, strict=True) if is_quiet(clip)]
    taken = 1000 * np.array(rate(played.reports, soft)["latencies"])
    about = {**about, "n": len(taken), "note": f"of recordings that are quiet enough to tell a word's end {SOFT_DB} dB "
                                               "below its loudest 10 ms"}
    yield figure("live.latency_soft_worst", round(float(taken.max())), "ms", **about)
    yield figure("live.latency_soft_within_250_ms", round(100 * float((taken <= 250).mean()), 1),
                 "% of the detected", **about)


def agreement(played: Session, model: IntegerModel, about: dict) -> Iterator[Figure]:
    """Samples that were lost (none), and lines that the definition would not have sent (none)."""
    lines = [line for _, line in played.heard.lines]
    lost = [said for line in lines if isinstance(said := parse(line), Lost)]
    yield figure("live.lost_samples", sum(said.samples for said in lost), "samples", **about)
    expected = {str(Word(word, frame)) for frame, word in words(model, played.heard.samples)}
    said = {line for line in lines if line.startswith("word ")}
    yield figure("live.mismatches", len(expected ^ said), "lines", **about,
                 note="between the board and the definition, words and frames")


def time_and_current(played: Session, about: dict) -> Iterator[Figure]:
    """How long the chip is awake, and the current that the datasheet says of it."""
    heard = played.heard
    yield figure("live.cycles_per_second", round((heard.cycles - heard.asleep) / played.seconds), "cycles", **about)
    drawn = power.estimate(CLOCK_HZ * (1 - heard.asleep / heard.cycles), CLOCK_HZ)
    note = f"datasheet's typical currents and the measured duty; without {drawn['not_included']}"
    yield figure("live.duty", round(100 * drawn["duty"], 1), "%", **about, note=note)
    yield figure("live.milliamps", round(drawn["milliamps"], 2), "mA", **about, note=note)
    yield figure("live.milliwatts", round(drawn["milliwatts"], 1), "mW at 3.3 V", **about, note=note)
    hours = {name: round(hours) for name, hours in drawn["battery_hours"].items()}
    yield figure("live.battery_hours", hours, "hours at most", **about, note=note)
    yield figure("live.asleep", round(100 * heard.asleep / heard.cycles, 1), "% of the time", **about)
    yield figure("live.longest_burst", heard.longest_burst, "cycles", **about,
                 note="awake in a row, samples' interrupts included; a frame comes every 480,000")
