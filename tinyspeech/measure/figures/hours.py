"""Figures of hours of sound: false reports and commands an hour, keywords heard beside them, the board (chapter 11)."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from tqdm import tqdm

from tinyspeech.integer import decision
from tinyspeech.integer.network import IntegerModel
from tinyspeech.measure import evaluate, hours, positives, report, rules
from tinyspeech.measure import negatives as counting
from tinyspeech.measure.figures import RECORDINGS, SPEAKERS, robustness
from tinyspeech.measure.store import Figure, figure
from tinyspeech.paths import SHIPPED, model_file
from tinyspeech.sound import recordings
from tinyspeech.sound.noise import noise_spans

WHO = "validation"
"""Whose recordings, words, noise and rooms."""
LEVELS = (None, 0.1, 0.5)
SPEECH = ("running speech of speakers whom training does not hear, true occurrences and half a second around each left "
          "out")
QUIET = "the last fifth of each recording of noise, which training does not hear"
KEPT_ASIDE = "all recordings of Debian's packages warzone2100-music and nexuiz-music, of which no training hears any"
MUSIC = ("recordings of at least 15 s of the packages of Debian's that book/reproducing.md lists first, of which S "
         "heard none; what stands out, and which word is doubtful, was chosen on them")
OTHER_MUSIC = ("recordings of at least 15 s of the packages of Debian's that book/reproducing.md lists last, of which "
               "S heard none and by which nothing was chosen")
ROW = f"{SPEAKERS}: keywords in a row, pauses of 1 to 4 s; noise and rooms that are validation's"
BOARD_HOURS = 1.0
def _leads(least: int, count: int, octave: int) -> list[int]:
    """So many leads from the least on, `octave` of them to a doubling, in the 1,024ths that the chip keeps."""
    return [round(least * 2 ** (i / octave) / 1024) * 1024 for i in range(count)]


LEADS = {1: _leads(16_384, 8, 2), 2: _leads(16_384, 8, 2), 3: _leads(23_552, 24, 6), 4: _leads(23_552, 9, 2)}
"""Bits of the leak -> least leads that `choice` compares."""
RULE_LEADS = _leads(16_384, 9, 2)
ASKED: dict[str, dict[str, int | None]] = {
    "nothing": {"stands_out": None, "doubtful": None},
    "it rises": {"falls": 0, "doubtful": None},
    "it rises and falls": {"doubtful": None},
    "and of up's lead three quarters count": {},
    "all that, from a rise of 9 dB on": {"stands_out": 14},
    "all that, from a rise of 14 dB on": {"stands_out": 22},
}
"""What `standing_out` compares, as constants of `decision.Decision`; {} ships."""
WANTED = {"low": 1.0, "normal": 3.0, "high": 8.0}
"""Reports an hour of training speakers' running speech that a sensitivity may make at most; a lead is the least that
keeps to it. Training has heard these speakers: of others there are more."""
RATES = ("files", "hours", "events", "per_hour", "interval_95", "said", "true", "left_out")
"""Of `negatives.rates`, without its table by word."""


def _model() -> IntegerModel:
    return IntegerModel.load(model_file(SHIPPED, ".npz"))


def _figure(key: str, rates: dict, unit: str, **about) -> Figure:
    """A rate, with the hours, events and interval that it is worth."""
    return figure(key, rates["per_hour"], unit, **about,
                  **{key: rates[key] for key in ("hours", "events", "interval_95")})


def _without_words(groups: dict[str, dict]) -> dict[str, dict]:
    return {name: {key: one[key] for key in RATES} for name, one in groups.items()}


def _by_word(rates: dict) -> dict[str, int]:
    return {word: one["events"] for word, one in rates["by_word"].items() if one["events"]}


def in_speech(negatives: Sequence[Path]) -> Iterator[Figure]:
    """False reports an hour of running speech, and false commands behind each first word."""
    model = _model()
    about = {"data": SPEECH, "model_hash": model.digest}
    levels = {}
    for level in LEVELS:
        streams = counting.speech(model, negatives, who=WHO, level=level)
        groups = counting.by_group(streams)
        whole = list(groups.values())[-1]
        levels[report.level_name(level)] = {key: whole[key] for key in RATES}
        if level is None:
            yield _figure("hours.false_per_hour", whole, "reports an hour", **about,
                          **{key: whole[key] for key in ("files", "most_of_a_file")})
            yield figure("hours.by_corpus", _without_words(groups), "reports an hour, by corpus", **about)
            yield figure("hours.by_word", whole["by_word"], "reports an hour, by word", hours=whole["hours"], **about)
            armed = counting.armed(streams)
            yield figure("hours.armed", armed, "false commands an hour, by first word", hours=whole["hours"], **about,
                         note=f"a first word opens for {hours.ARMED_FRAMES} frames of scores, to the next report")
    yield figure("hours.by_level", levels, "reports an hour, by loudness", **about)


def in_noise(noise: Path) -> Iterator[Figure]:
    """False reports an hour of noise and music, by kind; then of all of each recording, training's part too."""
    model = _model()
    groups = counting.by_group(counting.noise(model, noise, WHO))
    about = {"data": QUIET, "model_hash": model.digest}
    yield _figure("hours.noise_per_hour", list(groups.values())[-1], "reports an hour", **about)
    yield figure("hours.noise_by_kind", _without_words(groups), "reports an hour, by kind", **about)
    groups = counting.by_group(counting.noise(model, noise))
    yield figure("hours.all_noise_by_kind", _without_words(groups), "reports an hour, by kind",
                 **{**about, "data": "recordings of noise, whole: training hears four fifths of each"})


def in_music(music: Path) -> Iterator[Figure]:
    """False reports an hour of the music on which was chosen what stands out, every recording whole."""
    model = _model()
    whole = counting.rates(counting.noise(model, music))
    yield _figure("hours.music_per_hour", whole, "reports an hour", data=MUSIC, model_hash=model.digest,
                  files=whole["files"], by_word=_by_word(whole))


def another(name: str, speech: Path, negatives: Sequence[Path], noise: Path, rooms: Path,
            music: Path | None = None) -> Iterator[Figure]:
    """The same of another network, at the leads that were chosen for the one that ships, in units of its own scores."""
    model = IntegerModel.load(model_file(name, ".npz"))
    rates = {"speech": counting.rates(counting.speech(model, negatives, who=WHO))}
    if music is not None:
        rates["music"] = counting.rates(counting.noise(model, music))
    made = positives.rows(model, speech, noise, rooms, WHO)
    kept = ("hours", "events", "per_hour", "interval_95")
    yield figure(f"{name}.hours", {
        **{kind: {key: one[key] for key in kept} for kind, one in rates.items()},
        "keywords": {condition: positives.result(row)["heard"] for condition, row in made.items()}},
        "reports an hour; % of keywords", data="; ".join([SPEECH, *([KEPT_ASIDE] if music else []), ROW]),
        model_hash=model.digest)


def heard(speech: Path, noise: Path, rooms: Path, negatives: Sequence[Path]) -> Iterator[Figure]:
    """Keywords heard in each condition, and a curve of that against false reports, over the threshold."""
    model = _model()
    made = positives.rows(model, speech, noise, rooms, WHO)
    about = {"data": ROW, "seed": positives.SEED, "n": positives.KEYWORDS_HEARD, "model_hash": model.digest}
    yield figure("hours.keywords", {name: positives.result(row) for name, row in made.items()},
                 "% of keywords; reports; ms after a word's end", **about)
    streams = counting.speech(model, negatives, who=WHO)
    yield figure("hours.det", positives.det(streams, made), "reports an hour; % of keywords", **about,
                 negatives=SPEECH, hours=counting.rates(streams)["hours"])


def _training(speech: Path, noise: Path, rooms: Path, negatives: Sequence[Path]):
    """Streams and rows of the speakers, noise and rooms that training hears, and what a figure of them says."""
    model = _model()
    streams = counting.speech(model, negatives, who="training")
    made = positives.rows(model, speech, noise, rooms, "training")
    return streams, made, {"data": "running speech and keywords in a row of training speakers, with training's noise "
                                   "and rooms", "hours": counting.rates(streams)["hours"], "seed": positives.SEED,
                           "n": positives.KEYWORDS_HEARD, "model_hash": model.digest}


def _point(streams, made, **constants) -> dict:
    """False reports an hour and keywords heard, with some constants, or a rule."""
    false, heard = counting.rates(streams, **constants), {k: positives.result(row, **constants)
                                                          for k, row in made.items()}
    return {"per_hour": false["per_hour"], "events": false["events"],
            "heard": {name: one["heard"] for name, one in heard.items()}, "latency_p99": heard["clean"]["latency_p99"]}


def choice(speech: Path, noise: Path, rooms: Path, negatives: Sequence[Path]) -> Iterator[Figure]:
    """Leaks and least leads compared on training speakers; the leads of the three sensitivities by `WANTED`."""
    streams, made, about = _training(speech, noise, rooms, negatives)
    rows = [{"leak_bits": bits, "least_lead": lead, **_point(streams, made, leak_bits=bits, least_lead=lead)}
            for bits, lead in tqdm([(bits, lead) for bits, leads in LEADS.items() for lead in leads], "leads",
                                   disable=None)]
    yield figure("hours.choice", rows, "reports an hour; % of keywords; ms", **about)
    ours = [row for row in rows if row["leak_bits"] == decision.LEAK_BITS]
    chosen = {name: min((row["least_lead"] for row in ours if row["per_hour"] <= most), default=None)
              for name, most in WANTED.items()}
    yield figure("hours.chosen", chosen, "least lead, by sensitivity", **about, wanted=WANTED)


def rules_compared(speech: Path, noise: Path, rooms: Path, negatives: Sequence[Path]) -> Iterator[Figure]:
    """The curve of each rule beside the least lead alone, on training speakers."""
    streams, made, about = _training(speech, noise, rooms, negatives)
    rows = [{"rule": name, "least_lead": lead, **_point(streams, made, rule=rule, least_lead=lead)}
            for name, rule, lead in tqdm([(*rule, lead) for rule in rules.RULES.items() for lead in RULE_LEADS],
                                         "rules", disable=None)]
    yield figure("hours.rules", rows, "reports an hour; % of keywords; ms", **about)


def standing_out(speech: Path, noise: Path, rooms: Path, music: Path) -> Iterator[Figure]:
    """What is asked of a word because of music: what each part spares in music and noise at the lead that ships, and
    what it costs in words."""
    model = _model()
    sounds = {"music": counting.noise(model, music), "noise": counting.noise(model, noise, WHO)}
    made = positives.rows(model, speech, noise, rooms, WHO)
    doubtful = decision.doubtful(model.classes)
    said = {kind: replace(row, events=[event for event in row.events if event.label == doubtful])
            for kind, row in made.items()}
    rows = []
    for asked, constants in tqdm(ASKED.items(), "asked", disable=None):
        rates = {kind: counting.rates(streams, **constants) for kind, streams in sounds.items()}
        rows.append({"asked": asked, "ships": not constants,
                     **{kind: {key: one[key] for key in ("events", "per_hour", "interval_95")}
                        for kind, one in rates.items()},
                     "heard": {kind: positives.result(row, **constants)["heard"] for kind, row in made.items()},
                     "doubtful_heard": {kind: positives.result(row, **constants)["heard"]
                                        for kind, row in said.items() if row.events}})
    yield figure("hours.standing_out", rows, "reports an hour; % of keywords", data=f"{MUSIC}; {QUIET}; {ROW}",
                 hours={kind: round(one["hours"], 2) for kind, one in rates.items()}, model_hash=model.digest)


def in_other_music(music: Path) -> Iterator[Figure]:
    """The same of music by which nothing was chosen: with nothing asked, and as it ships."""
    model = _model()
    streams = counting.noise(model, music)
    before, ships = (counting.rates(streams, **asked) for asked in (ASKED["nothing"], {}))
    yield _figure("hours.other_music", ships, "reports an hour", data=OTHER_MUSIC, model_hash=model.digest,
                  files=ships["files"], by_word=_by_word(ships),
                  before={key: before[key] for key in ("events", "per_hour", "interval_95")})


def on_board(negatives: Sequence[Path]) -> Iterator[Figure]:
    """Lines of the virtual board, over an hour, that are not the definition's, and lines that it lacks."""
    model = _model()
    played = counting.on_board(model, negatives, board_hours=BOARD_HOURS, sensitivity="high")
    yield figure("hours.mismatches", played["mismatches"], "lines", n=played["lines"], hours=played["hours"],
                 model_hash=model.digest,
                 data="running speech, all speakers, true occurrences too, by the virtual board's ADC; at high "
                      "sensitivity, so that there are lines")


def accuracy_by_kind(speech: Path, noise: Path) -> Iterator[Figure]:
    """Accuracy of clips in noise, each kind apart, every word in a second of it: babble and music are not the mean."""
    kinds = recordings.kinds(noise)
    table: dict[str, dict[str, float]] = {}
    for kind in sorted(set(kinds.values())):
        with tempfile.TemporaryDirectory() as folder:
            for path in (path for path, its in kinds.items() if its == kind):
                (Path(folder) / path.name).symlink_to(path.resolve())
            if noise_spans(folder, WHO):
                runs = {snr: evaluate.evaluate(SHIPPED, "int", speech, WHO, snr_db=snr, noise=folder)
                        for snr in robustness.SNRS_DB}
                table[kind] = robustness.of_words({snr: [*run["per_noise"].values()] for snr, run in runs.items()})
    yield figure(f"{SHIPPED}.accuracy_int_noise_by_kind", table, "% of n words", data=RECORDINGS,
                 note="every word mixed with the validation part of recordings of that kind",
                 model_hash=_model().digest)
