"""Listening: from sounds that never end, by microphone or serial port, to the lines that the board sends. Chapter 10.

    python -m tinyspeech.live --speech FOLDER      # plays validation speech to the virtual board, records the figures

This is the definition that the firmware's 'L' and 'U' follow, bit for bit and frame by frame.

| step | what happens |
| --- | --- |
| 'L' | the ADC converts 32,000 times a second, first a 32,000th after the timer's start; four make a sample |
| 'U' | a byte is a sample at 8 kHz, mu-law (`audio.mulaw_decode`) |
| frame | due with sample 256, then with every 160th; `frontend.FrontendStream` |
| batch | of `BATCH_FRAMES` frames, each pair of which gives a frame of scores: the last scores come a frame later |
| decision | `decision.Decision`, after both of a batch's frames of scores; FRAME counts all frames so far |
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tinyspeech import CLASSES, decision, frontend
from tinyspeech.errors import UserError, run_or_say
from tinyspeech.integer import IntegerModel

if TYPE_CHECKING:
    from tinyspeech.chip.board import VirtualBoard

CONVERSIONS = 4
"""Of 10 bits in a sample of 12."""
ADC_HZ = CONVERSIONS * frontend.SAMPLE_RATE_HZ
SAMPLING_CYCLES = 43 * 2
"""From the start of a conversion until the ADC holds the voltage: 43 clocks of 12 MHz, at 24 MHz."""
CLOCK_HZ = 24_000_000
BATCH_FRAMES = 4


def from_conversions(codes: np.ndarray) -> np.ndarray:
    """Readings of the converter, int [4 n] of 0 .. 1023, to int16 samples [n]: (sum of four - 4 * 512) * 16.

    The same scale as `frontend.from_adc`, with two bits more. An offset stays: the front end does not hear it (chapter
    8). Raises `UserError` for other readings, or where a sample is incomplete.
    """
    codes = np.asarray(codes)
    if codes.dtype.kind not in "iu" or codes.ndim != 1 or len(codes) % CONVERSIONS:
        raise UserError(f"readings are whole numbers, {CONVERSIONS} to a sample, not {codes.dtype} {list(codes.shape)}")
    if codes.size and (codes.min() < 0 or codes.max() > 1023):
        raise UserError("readings of a 10-bit converter are from 0 to 1023")
    total = codes.reshape(-1, CONVERSIONS).astype(np.int64).sum(axis=1)
    return ((total - CONVERSIONS * frontend.ADC_MIDPOINT) * 16).astype(np.int16)


def words(model: IntegerModel, samples: np.ndarray) -> list[tuple[int, str]]:
    """(FRAME, word) of every word that the board reports for samples, int16 [n] at 8 kHz."""
    features = frontend.FrontendStream().push(samples)
    batches = max(0, (len(features) - 1) // BATCH_FRAMES)
    if not batches:
        return []
    scores = decision.frame_scores(model, features)
    known = batches * decision.STEP_FRAMES
    stride = BATCH_FRAMES // decision.STEP_FRAMES
    return [(stride * (row + 1) + 1, CLASSES[label]) for row, label in decision.words(scores[:known])]


def frame_count(samples: int) -> int:
    """Frames that so many samples make."""
    return max(0, (samples - frontend.WINDOW) // frontend.HOP + 1)


# ---------------------------------------------------------------- on the virtual board

@dataclass
class Heard:
    """What a board said while it listened to the microphone."""

    lines: list[tuple[float, str]]
    """Seconds since the signal began, and the line."""
    samples: np.ndarray
    """int16, at 8 kHz: what the converter read, by the definition, from the voltage alone."""
    cycles: int
    """While it listened, and how many of them `asleep`."""
    asleep: int
    longest_burst: int
    """Cycles between two sleeps, samples' interrupts included."""
    stack_bytes: int


STEP_S = 0.001
"""A line's time is known to within so much, and the time that its last byte takes."""


def codes_at(volts: np.ndarray, rate_hz: int, ticks: np.ndarray) -> np.ndarray:
    """What the ADC reads of a signal, uint16 [n] at rate_hz, at times in 1/48 us since its beginning."""
    at = ticks.astype(np.int64) * rate_hz
    i, part = at // 48_000_000, at % 48_000_000
    inside = (ticks >= 0) & (i + 1 < len(volts))
    i = np.where(inside, i, 0)
    a, b = volts[i].astype(np.int64), volts[np.minimum(i + 1, len(volts) - 1)].astype(np.int64)
    return np.where(inside, (a * (48_000_000 - part) + b * part) // 48_000_000, 32768) >> 6


def listen(board: VirtualBoard, volts: np.ndarray, rate_hz: int) -> Heard:
    """Let a board, in command mode, listen to a signal, uint16 at rate_hz, to its end.

    Raises `UserError` where the chip stops or drops a trigger of its timer.
    """
    chip, state = board.chip, board.chip.state
    conversions, dropped = state.conversions, state.dropped_triggers
    board.received()
    board.send(b"L")
    board.advance(0.002)
    chip.connect_microphone(volts, rate_hz)
    began, start, slept = board.now, state.cycles, state.slept
    heard, text = [], b""
    state.longest_awake = 0
    while board.now - began < len(volts) / rate_hz:
        board.advance(STEP_S)
        text += board.received()
        *whole, text = text.split(b"\n")
        heard += [(board.now - began, line.decode()) for line in whole]
        if board.fault or state.dropped_triggers > dropped:
            raise UserError(f"the board does not listen any more: {board.fault or 'the ADC is too slow'}")
    count = state.conversions - conversions
    first = state.converted_at - (count - 1) * (CLOCK_HZ // ADC_HZ)
    cycles = first + SAMPLING_CYCLES + CLOCK_HZ // ADC_HZ * np.arange(count // CONVERSIONS * CONVERSIONS)
    samples = from_conversions(codes_at(volts, rate_hz, chip.heard_at(cycles)))
    return Heard(heard, samples, state.cycles - start, state.slept - slept, state.longest_awake,
                 chip.stack_bytes)


def as_volts(sound: np.ndarray, rate_hz: int = 16_000) -> np.ndarray:
    """A sound, int16 [n] at rate_hz, as the voltage of `board.microphone`: uint16 at `board.SIGNAL_HZ`."""
    from tinyspeech import audio
    from tinyspeech.chip.board import SIGNAL_HZ

    wave = audio.resample(sound / 32768, rate_hz, SIGNAL_HZ)
    return np.clip(np.rint(32768 * (1 + wave)), 0, 65535).astype(np.uint16)


# ---------------------------------------------------------------- words in a row

QUIET_DB = 25
"""A word is over where what follows is quieter than its loudest 10 ms by so much."""
SOFT_DB = 35
"""A last *n* or *t* may be softer than `QUIET_DB` allows; this counts it in, where the recording is quieter still."""
LATE_S = 0.6
"""A report that comes later after a word's end does not count for it."""


@dataclass
class Event:
    """A clip in a long recording."""

    label: int
    at_s: float
    """Where the clip begins."""
    begin_s: float
    end_s: float
    """Of the word in it."""

    @classmethod
    def of(cls, clip: np.ndarray, label: int, at_s: float, below_db: float = QUIET_DB) -> Event:
        """Of a clip, int16 [n] at 16 kHz, whose word is all that is at most so far below its loudest 10 ms."""
        from tinyspeech import audio

        first, last = audio.loud_part(clip, 16_000, below_db)
        return cls(int(label), at_s, at_s + first, at_s + last)


def in_a_row(clips: np.ndarray, labels: Sequence[int], seed: int,
             noise: np.ndarray | None = None) -> tuple[np.ndarray, list[Event]]:
    """Clips, int16 [n, 16000] at 16 kHz, in a row with pauses of 0.5 to 2 s, in noise: `audio.in_a_row`.

    Returns int16 at 16 kHz, and the clips' events.
    """
    from tinyspeech import audio

    sound, begins = audio.in_a_row(clips, 16_000, seed, (0.5, 2.0), noise)
    return sound, [Event.of(*row) for row in zip(clips, labels, begins / 16_000, strict=True)]


def rate(found: list[tuple[float, str]], events: list[Event]) -> dict:
    """Reports, (seconds, word), against what was said.

    Returns `keywords`, `detected` of them, `false` reports, and `latencies` in seconds after the words' ends.
    """
    free, latencies, keywords = dict(enumerate(found)), [], 0
    for event in events:
        if event.label < decision.REJECTED:
            continue
        keywords += 1
        for i, (t, word) in free.items():
            if word == CLASSES[event.label] and event.begin_s <= t <= event.end_s + LATE_S:
                latencies.append(t - event.end_s)
                del free[i]
                break
    return {"keywords": keywords, "detected": len(latencies), "false": len(free), "latencies": latencies}


def is_quiet(clip: np.ndarray) -> bool:
    """Whether the softest tenth of a clip, int16 [n] at 16 kHz, lies 5 dB below what `SOFT_DB` counts to a word."""
    power = (clip.astype(float) ** 2).reshape(-1, 160).mean(axis=1)
    return bool(np.quantile(power, 0.1) < power.max() * 10 ** (-(SOFT_DB + 5) / 10))


def measure(speech: Path, clips: int = 700, seed: int = 1) -> None:
    """Play validation speech to the virtual board and record what came of it under `live.` in data/results.json."""
    from tinyspeech import audio, datasets, power, toolchain
    from tinyspeech.chip.board import SIGNAL_HZ, VirtualBoard, shipped_image
    from tinyspeech.paths import SHIPPED, model_file
    from tinyspeech.results import record

    model = IntegerModel.load(model_file(SHIPPED, ".npz"))
    x, labels = datasets.load_task(speech, "validation").arrays()[:2]
    chosen = np.random.default_rng(seed).permutation(len(x))[:clips]
    noise = np.concatenate([audio.read(path)[0] for path in sorted((speech / datasets.BACKGROUND).glob("*.flac"))])
    sound, events = in_a_row(x[chosen], labels[chosen], seed, noise)
    board = VirtualBoard(shipped_image())
    board.advance(0.01)
    heard = listen(board, as_volts(sound), SIGNAL_HZ)
    found = [(t, line.split()[1]) for t, line in heard.lines if line.startswith("word ")]
    lost = sum(int(line.split()[1]) for _, line in heard.lines if line.startswith("lost "))
    expected = [f"word {word} {frame}" for frame, word in words(model, heard.samples)]
    said = [line for _, line in heard.lines if line.startswith("word ")]
    result, seconds = rate(found, events), len(sound) / 16000
    latencies = 1000 * np.array(result["latencies"])
    about = {"data": f"Speech Commands v0.01 subset, validation speakers: {clips} clips of 12 classes in a row, pauses "
                     f"of 0.5 to 2 s, background noise at {audio.NOISE_UNITS} of 32768; by the virtual board's ADC",
             "seed": seed, "n": result["keywords"], "command": "python -m tinyspeech.live --speech FOLDER",
             "model_hash": model.digest}
    record("live.seconds", round(seconds, 1), "s", **about)
    record("live.detected", round(100 * result["detected"] / result["keywords"], 1), "% of keywords", **about)
    record("live.false_per_hour", round(3600 * result["false"] / seconds, 1), "reports an hour", **about)
    for name, value in (("median", np.median(latencies)), ("p95", np.quantile(latencies, 0.95)),
                        ("p99", np.quantile(latencies, 0.99)), ("worst", latencies.max())):
        record(f"live.latency_{name}", round(float(value)), "ms", **about,
               note=f"after the word's end, {QUIET_DB} dB below its loudest 10 ms")
    record("live.latency_within_250_ms", round(100 * float((latencies <= 250).mean()), 1), "% of the detected", **about)
    soft = [Event.of(clip, event.label, event.at_s, SOFT_DB)
            for clip, event in zip(x[chosen], events, strict=True) if is_quiet(clip)]
    latencies = 1000 * np.array(rate(found, soft)["latencies"])
    about["n"] = len(latencies)
    about["note"] = f"of recordings that are quiet enough to tell a word's end {SOFT_DB} dB below its loudest 10 ms"
    record("live.latency_soft_worst", round(float(latencies.max())), "ms", **about)
    record("live.latency_soft_within_250_ms", round(100 * float((latencies <= 250).mean()), 1), "% of the detected",
           **about)
    del about["note"]
    about["n"] = result["keywords"]
    record("live.lost_samples", lost, "samples", **about)
    record("live.mismatches", len(set(expected) ^ set(said)), "lines", **about,
           note="between the board and the definition, words and frames")
    record("live.cycles_per_second", round((heard.cycles - heard.asleep) / seconds), "cycles", **about)
    drawn = power.estimate(CLOCK_HZ * (1 - heard.asleep / heard.cycles), CLOCK_HZ)
    about["note"] = f"datasheet's typical currents and the measured duty; without {drawn['not_included']}"
    record("live.duty", round(100 * drawn["duty"], 1), "%", **about)
    record("live.milliamps", round(drawn["milliamps"], 2), "mA", **about)
    record("live.milliwatts", round(drawn["milliwatts"], 1), "mW at 3.3 V", **about)
    hours = {name: round(hours) for name, hours in drawn["battery_hours"].items()}
    record("live.battery_hours", hours, "hours at most", **about)
    del about["note"]
    record("live.asleep", round(100 * heard.asleep / heard.cycles, 1), "% of the time", **about)
    record("live.longest_burst", heard.longest_burst, "cycles", **about,
           note="awake in a row, samples' interrupts included; a frame comes every 480,000")
    sizes = toolchain.sizes(toolchain.build_firmware().elf)
    record("live.ram_bytes", sizes["data_bytes"] + sizes["bss_bytes"] + heard.stack_bytes, "bytes", **about,
           note="variables and the deepest stack, with the interrupt at the worst moment")
    record("live.stack_bytes", heard.stack_bytes, "bytes", **about)


CHOICES = {1: (61_440, 65_536, 69_632, 73_728), 2: (73_728, 81_920, 90_112, 98_304),
           3: (90_112, 106_496, 122_880, 139_264)}
"""Bits of the leak -> least leads that `choose` compares."""
COMPUTING_S = 0.014
"""From the last sample of a batch to its report, about: the burst of work, and a line over the serial port."""


def choose(speech: Path, clips: int = 1500, seeds: Sequence[int] = (11, 12)) -> None:
    """Compare leaks and least leads on training speakers, by the definition, and record `live.choice` (chapter 10)."""
    from tinyspeech import audio, datasets
    from tinyspeech.paths import SHIPPED, model_file
    from tinyspeech.results import record

    model = IntegerModel.load(model_file(SHIPPED, ".npz"))
    x, labels = datasets.load_task(speech, "training").arrays()[:2]
    noise = np.concatenate([audio.read(path)[0] for path in sorted((speech / datasets.BACKGROUND).glob("*.flac"))])
    streams = []
    for seed in seeds:
        chosen = np.random.default_rng(seed).permutation(len(x))[:clips]
        sound, events = in_a_row(x[chosen], labels[chosen], seed, noise)
        eight = frontend.to_8khz(sound[: len(sound) // 2 * 2])
        scores = decision.frame_scores(model, frontend.FrontendStream().push(eight))
        streams.append((scores, events, len(sound) / 16_000))
    seconds, rows = sum(stream[2] for stream in streams), []
    for leak, leads in CHOICES.items():
        for lead in leads:
            rated = []
            for scores, events, _ in streams:
                found = decision.words(scores, leak_bits=leak, least_lead=lead)
                at = [(frontend.WINDOW + 2 * frontend.HOP * (row + 1)) / frontend.SAMPLE_RATE_HZ for row, _ in found]
                rated.append(rate([(t + COMPUTING_S, CLASSES[word]) for t, (_, word) in zip(at, found, strict=True)],
                                  events))
            keywords, detected, false = (sum(r[key] for r in rated) for key in ("keywords", "detected", "false"))
            latencies = 1000 * np.concatenate([r["latencies"] for r in rated])
            p99 = round(float(np.quantile(latencies, 0.99))) if detected else None
            rows.append({"label": f"{leak} bits, {lead}", "detected": round(100 * detected / keywords, 2),
                         "false_per_hour": round(3600 * false / seconds, 1), "p99": p99,
                         "within_250_ms": round(100 * float((latencies <= 250).sum()) / max(detected, 1), 2)})
    record("live.choice", rows, "%, reports an hour, ms", seeds=list(seeds), n=keywords, seconds=round(seconds),
           data=f"Speech Commands v0.01 subset, training speakers: {len(seeds)} rows of {clips} clips as in `live.*`",
           command="python -m tinyspeech.live --speech FOLDER --choose", model_hash=model.digest)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--speech", type=Path, required=True, help="folder in Speech Commands layout")
    parser.add_argument("--choose", action="store_true", help="compare constants of the decision on training speakers")
    options = parser.parse_args()
    (choose if options.choose else measure)(options.speech)


if __name__ == "__main__":
    run_or_say(main)
