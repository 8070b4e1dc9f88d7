"""Keywords that are meant for the board: in a row with pauses, clean and in noise, with and without a room. Chapter 11.

    from tinyspeech.measure import positives
    rows = positives.rows(model, speech, rooms=Path("rooms"))
    positives.result(rows["10 dB"])["heard"]

How many of these are heard is only worth something beside the false reports of `negatives.py` at the same setting.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from tqdm import tqdm

from tinyspeech import CLASSES
from tinyspeech.errors import UserError
from tinyspeech.integer import decision, frontend
from tinyspeech.integer.network import IntegerModel
from tinyspeech.measure import hours, live, metrics, negatives, rules
from tinyspeech.sound import audio, datasets, recordings
from tinyspeech.sound.noise import BACKGROUND, read_noise

KEYWORDS_HEARD, SEED = 560, 3
"""Keywords in each row, and what draws them, their pauses and their rooms."""
PAUSES_S = (1.0, 4.0)
SNRS_DB = (None, 20, 10)
FACTORS = tuple(2 ** (step / 4) for step in range(-6, 7))
"""Of the least lead that ships: from half of it to four times, for a DET curve."""


@dataclass(frozen=True)
class Row:
    """A condition's recording as the decision meets it, and what is said in it."""

    scores: np.ndarray
    """int64 [T', 13]: `hours.scores_of`."""
    events: list[live.Event]
    constants: Mapping[str, int | None] = field(default_factory=dict)
    """`decision.constants_of` the network; without them, TinySpeech-S's."""


def sound(clips: np.ndarray, labels: Sequence[int], noise: np.ndarray, snr_db: float | None = None,
          rooms: Sequence[np.ndarray] = (), seed: int = SEED) -> tuple[np.ndarray, list[live.Event]]:
    """Keywords in a row, int16 at 16 kHz, and their events; where each begins does not depend on the condition.

    Parameters
    ----------
    clips : int16 [n, 16000] at 16 kHz
    noise : int16, softly under all as in `live.in_a_row`; with `snr_db` also that loud
    snr_db : all clips are then equally loud, their mean square so far above the noise's over the whole row
    rooms : impulse responses, of which one is drawn for each word; none is no room
    """
    behind, events = live.in_a_row(np.zeros_like(clips), labels, seed, noise, PAUSES_S)
    begins = [round(event.at_s * audio.SAMPLE_RATE_HZ) for event in events]
    dice, total = np.random.default_rng(seed), behind.astype(np.float64)
    powers = (clips.astype(np.float64) ** 2).mean(axis=1)
    power = float(np.median(powers[powers > 0])) if powers.any() else 0.0
    room = dice.integers(len(rooms), size=len(clips)) if rooms else None
    total = np.pad(total, (0, audio.SAMPLE_RATE_HZ))
    for i, (clip, at) in enumerate(zip(clips, begins, strict=True)):
        wet = recordings.in_room(clip, rooms[room[i]]) if room is not None else clip.astype(np.float64)
        if snr_db is not None and powers[i]:
            wet = wet * np.sqrt(power / powers[i])
        total[at : at + len(wet)] += wet
    if snr_db is not None:
        loud = np.resize(np.roll(noise, -int(dice.integers(len(noise)))), len(total)).astype(np.float64)
        total += loud * np.sqrt(power / (loud**2).mean() / 10 ** (snr_db / 10))
    total *= min(1.0, 32767 / np.abs(total).max(initial=1))
    row = np.rint(total[: len(total) // 2 * 2]).astype(np.int16)
    return row, [live.Event.of(clip, label, event.at_s)
                 for clip, label, event in zip(clips, labels, events, strict=True)]


def noise_of(folder: Path, who: str) -> np.ndarray:
    """All recordings of noise in a folder one after the other, equally loud, int16 at 16 kHz; the part that is `who`'s.

    Raises `UserError` where there is none, or nothing but silence.
    """
    parts = [recordings.unheard(read_noise(path), who).astype(np.float64) for path in recordings.found(folder)]
    parts = [part * 1000 / np.sqrt((part**2).mean()) for part in parts if part.any()]
    if not parts:
        raise UserError(f"{folder} holds silence: give recordings of noise")
    return np.clip(np.rint(np.concatenate(parts)), -32768, 32767).astype(np.int16)


def rows(model: IntegerModel, speech: Path, noise: Path | None = None, rooms: Path | None = None,
         who: str = "validation", count: int | None = None) -> dict[str, Row]:
    """{condition: `Row`}: clean, at 20 and at 10 dB, and where rooms are given each in a room too.

    Parameters
    ----------
    speech : folder in Speech Commands layout
    noise : folder of recordings; by default the corpus's own
    who : "validation" or "training": whose words, noise and rooms
    count : keywords in each row, by default `KEYWORDS_HEARD`

    Raises `UserError` for data that is not there.
    """
    x, labels = datasets.load_task(speech, who).arrays()[:2]
    words = np.flatnonzero(np.asarray(labels) >= decision.REJECTED)
    if not len(words):
        raise UserError(f"{speech} holds no keyword of {who} speakers")
    chosen = words[np.random.default_rng(SEED).permutation(len(words))[: count or KEYWORDS_HEARD]]
    quiet = noise_of(noise or speech / BACKGROUND, who)
    places = [(None, "")] + ([(recordings.rooms(rooms, who), ", room")] if rooms else [])
    conditions = {("clean" if snr is None else f"{snr} dB") + name: (snr, responses or ())
                  for responses, name in places for snr in SNRS_DB}
    made = {}
    for name, (snr, responses) in tqdm(conditions.items(), "words in a row", disable=None, unit="row"):
        row, events = sound(x[chosen], np.asarray(labels)[chosen], quiet, snr, responses)
        made[name] = Row(hours.scores_of(model, frontend.to_8khz(row)), events, decision.constants_of(model))
    return made


def result(row: Row, rule: Callable[..., rules.Judge] | None = None, **constants: int) -> dict:
    """What is heard of a row, by `rule` in place of `decision.Decision`. constants: of either, to try others.

    Returns `keywords`; `heard` in percent, with `interval_95` (Wilson's); reports that are `wrong` on a keyword, and
    `stray` ones between; `latency_median` and `latency_p99` in ms after a word's end, None where nothing is heard.
    """
    found = [(live.seconds_of(at) + live.COMPUTING_S, CLASSES[label])
             for at, label in rules.words(row.scores, rule, **{**row.constants, **constants})]
    rated = live.rate(found, row.events)
    taken = 1000 * np.array(rated["latencies"])
    low, high = metrics.wilson_interval(rated["detected"], rated["keywords"])
    return {"keywords": rated["keywords"], "heard": round(100 * rated["detected"] / rated["keywords"], 2),
            "interval_95": [round(100 * low, 2), round(100 * high, 2)],
            "wrong": rated["wrong"], "stray": rated["false"] - rated["wrong"],
            "latency_median": round(float(np.median(taken))) if len(taken) else None,
            "latency_p99": round(float(np.quantile(taken, 0.99))) if len(taken) else None}


def det(streams: Sequence[negatives.Stream], made: Mapping[str, Row]) -> list[dict]:
    """False reports an hour against what is heard in each condition, over the least lead; a row is a point of a curve.

    Returns `least_lead`, `ships` (whether it is that), `events`, `per_hour`, `interval_95`, `heard` {condition: %}.
    """
    table, ships = [], decision.Decision(**streams[0].constants).least_lead
    for factor in tqdm(FACTORS, "threshold", disable=None):
        lead = round(factor * ships)
        false = negatives.rates(streams, least_lead=lead)
        table.append({"least_lead": lead, "ships": lead == ships,
                      **{key: false[key] for key in ("events", "per_hour", "interval_95")},
                      "heard": {name: result(row, least_lead=lead)["heard"] for name, row in made.items()}})
    return table
