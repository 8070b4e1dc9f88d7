"""Hours in which nothing is meant for the board: its reports by corpus, by word, behind a first word. Chapter 11.

    from tinyspeech.measure import negatives
    streams = negatives.speech(model, [Path("LibriSpeech/dev-clean")])
    negatives.rates(streams)["per_hour"]

Each file is a stream of its own, from silence. What was truly said there is counted apart (`sound/truth.py`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from tqdm import tqdm

from tinyspeech import CLASSES, KEYWORDS
from tinyspeech.board.microphone import SIGNAL_HZ, as_volts
from tinyspeech.board.protocol import Command, Word, parse, setting
from tinyspeech.board.virtual import VirtualBoard, shipped_image
from tinyspeech.errors import UserError
from tinyspeech.integer import decision, frontend, listening
from tinyspeech.integer.network import IntegerModel
from tinyspeech.measure import hours, live, rules
from tinyspeech.sound import recordings, truth

BOARD_S, QUIET_S = 60, 1
"""A recording is played to a virtual board, freshly started, in pieces of so many seconds; silence behind each lets its
last line arrive."""


@dataclass(frozen=True)
class Stream:
    """A recording, as the decision meets it."""

    name: str
    group: str
    """Its corpus, or the kind of noise that it is."""
    seconds: float
    scores: np.ndarray
    """int64 [T', 13]: `hours.scores_of`."""
    spans: tuple[truth.Span, ...] = ()
    """Where keywords are truly said."""
    constants: Mapping[str, int | None] = field(default_factory=dict)
    """`decision.constants_of` the network; without them, TinySpeech-S's."""


def listed(corpus: recordings.Corpus, transcripts: Sequence[Path]) -> dict[str, list[truth.Span]]:
    """What is said in a corpus: by the given tables, else by those that lie beside it."""
    return truth.read(transcripts or corpus.tables)


def speech(model: IntegerModel, folders: Sequence[Path], transcripts: Sequence[Path] = (), who: str = "all",
           level: float | None = None) -> list[Stream]:
    """Streams of running speech, `group` being the corpus. who, level: of `recordings.corpora` and `scaled`.

    Raises `UserError` for folders without recordings, and for recordings and tables that cannot be read.
    """
    corpora = [corpus for folder in folders for corpus in recordings.corpora(folder, who)]
    spans = {corpus: listed(corpus, transcripts) for corpus in corpora}
    streams = []
    for corpus, path in tqdm([(c, path) for c in corpora for path in c.files], "speech", disable=None, unit="file"):
        samples = recordings.scaled(recordings.at_8khz(path), level)
        streams.append(Stream(path.name, corpus.name, len(samples) / frontend.SAMPLE_RATE_HZ,
                              hours.scores_of(model, samples), tuple(spans[corpus].get(path.name, ())),
                              decision.constants_of(model)))
    return streams


def noise(model: IntegerModel, folder: Path, who: str = "all") -> list[Stream]:
    """Streams of noise, `group` being its kind; of each recording the part that is `who`'s.

    Raises `UserError` for a folder without recordings, and for recordings that cannot be read.
    """
    streams = []
    for path, kind in tqdm(recordings.kinds(folder).items(), "noise", disable=None, unit="file"):
        samples = recordings.unheard(recordings.at_8khz(path), who)
        streams.append(Stream(path.name, kind, len(samples) / frontend.SAMPLE_RATE_HZ, hours.scores_of(model, samples),
                              constants=decision.constants_of(model)))
    return streams


# ---------------------------------------------------------------- counting


def counted(stream: Stream, first: str | None = None, rule: Callable[..., rules.Judge] | None = None,
            **constants: int) -> dict:
    """`truth.count` of a stream's reports, or of the commands that a first word let in; `rule` decides in place of
    `decision.Decision`."""
    constants = {**stream.constants, **constants}
    found = [(row, CLASSES[label]) for row, label in rules.words(stream.scores, rule, **constants)]
    if first is not None:
        found = hours.armed(found, first)
    return truth.count([(live.seconds_of(row), word) for row, word in found], list(stream.spans), stream.seconds)


def rate(events: int, hours_heard: float) -> dict:
    """Events, what that is an hour, and the exact interval of 95 %."""
    low, high = hours.poisson(events, hours_heard)
    return {"events": events, "per_hour": round(events / hours_heard, 3),
            "interval_95": [round(low, 3), round(high, 3)]}


def rates(streams: Sequence[Stream], first: str | None = None, rule: Callable[..., rules.Judge] | None = None,
          **constants: int) -> dict:
    """False reports an hour of all these streams together, and by word.

    first : count commands behind this first word (`hours.armed`) in place of reports
    rule : what decides in place of `decision.Decision`
    constants : of either, in place of those that ship and of the network's own

    Returns `files`, `hours` that count, `events`, `most_of_a_file`, how many of them one recording has at most,
    `per_hour`, `interval_95`, `by_word`, and what is counted apart: `said`, keywords listed by themselves; `true`
    reports of them; `left_out`, other reports around them.
    """
    each = [counted(stream, first, rule, **constants) for stream in streams]
    time = sum(one["seconds"] for one in each) / 3600
    words = Counter(word for one in each for _, word in one["false"])
    return {"files": len(streams), "most_of_a_file": max((len(one["false"]) for one in each), default=0),
            "hours": round(time, 4), **rate(sum(words.values()), time),
            "by_word": {word: rate(words[word], time) for word in KEYWORDS},
            "said": sum(span.word is not None for stream in streams for span in stream.spans),
            "true": sum(len(one["true"]) for one in each), "left_out": sum(len(one["left_out"]) for one in each)}


def by_group(streams: Sequence[Stream], **options) -> dict[str, dict]:
    """`rates` for each corpus or kind, and, where there are several, `all`; options as there."""
    groups = {name: [s for s in streams if s.group == name] for name in sorted({s.group for s in streams})}
    each = {name: rates(group, **options) for name, group in groups.items()}
    return {**each, "all": rates(streams, **options)} if len(each) > 1 else each


def armed(streams: Sequence[Stream], firsts: Iterable[str] = KEYWORDS) -> dict[str, dict]:
    """False commands an hour behind each first word, {word: `rate`}."""
    found = {first: rates(streams, first) for first in firsts}
    return {first: {key: one[key] for key in ("events", "per_hour", "interval_95")} for first, one in found.items()}


# ---------------------------------------------------------------- on the board


MOST_HOURS = 10_000
"""Of sound that is played to the board."""


def board_seconds(board_hours: float) -> float:
    """Hours in seconds. Raises `UserError` for a time that is none."""
    if not 0 < board_hours <= MOST_HOURS:
        raise UserError(f"--board takes hours above 0, not {board_hours:g}: {MOST_HOURS:,} at most")
    return 3600 * board_hours


def pieces(folders: Sequence[Path], who: str, seconds: float) -> Iterator[np.ndarray]:
    """So much of the recordings, file after file, in pieces of at most `BOARD_S`, int16 at 8 kHz."""
    left, size = round(seconds * frontend.SAMPLE_RATE_HZ), BOARD_S * frontend.SAMPLE_RATE_HZ
    files = (path for folder in folders for corpus in recordings.corpora(folder, who) for path in corpus.files)
    for samples in (block[at : at + size] for path in files for block in recordings.blocks(path)
                    for at in range(0, len(block), size)):
        if left <= 0:
            return
        yield samples[:left]
        left -= len(samples)


def on_board(model: IntegerModel, folders: Sequence[Path], who: str = "all", board_hours: float = 1.0,
             image: bytes | None = None, sensitivity: str = decision.DEFAULT_SENSITIVITY) -> dict:
    """Play recordings to the virtual board, and compare its words with the definition's, line by line.

    The definition hears what the converter read (`live.listen`). image : the firmware, with the same network; by
    default the one that ships. sensitivity : to which the board is set. Returns `hours`, `lines` of the board, and
    `mismatches`: lines that only one of them has. Raises `UserError` for a time that is none.
    """
    seconds = board_seconds(board_hours)
    image, heard_s, lines, wrong = shipped_image() if image is None else image, 0.0, 0, 0
    with tqdm(total=round(seconds), desc="board", disable=None, unit="s") as bar:
        for samples in pieces(folders, who, seconds):
            board = VirtualBoard(image)
            board.advance(0.01)
            board.send(Command.SETTINGS + setting(sensitivity, None))
            board.advance(0.05)  # a page of flash
            played = np.pad(samples, (0, QUIET_S * frontend.SAMPLE_RATE_HZ))
            heard = live.listen(board, as_volts(played, frontend.SAMPLE_RATE_HZ), SIGNAL_HZ)
            said = {line for _, line in heard.lines if isinstance(parse(line), Word)}
            found = listening.words(model, heard.samples, sensitivity=sensitivity)
            expected = {str(Word(word, frame)) for frame, word in found}
            lines, wrong = lines + len(said), wrong + len(said ^ expected)
            heard_s += len(samples) / frontend.SAMPLE_RATE_HZ
            bar.update(len(samples) // frontend.SAMPLE_RATE_HZ)
    return {"hours": round(heard_s / 3600, 3), "lines": lines, "mismatches": wrong}
