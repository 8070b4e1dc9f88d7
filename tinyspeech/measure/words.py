"""How well taught words are heard: by their owner, by anyone, among other words and in hours of speech.

    from tinyspeech.measure import words
    people = words.people(model, takes, noise, aside=True)
    words.owner(people, words.other_speech(model, negatives, aside=True), range(1, 6))

Takes are played in a row, with pauses of 1 to 4 s, clean and in noise at 10 dB; the definition finds and tells them, as
a board would. Words and people are in two halves by their names' hash: all choices were made on the one, and the
thresholds of `at` come from there; the other is kept aside for the figures.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

from tinyspeech.errors import UserError
from tinyspeech.integer import frontend
from tinyspeech.integer import words as taught
from tinyspeech.integer.network import IntegerModel
from tinyspeech.measure import hours, metrics, positives
from tinyspeech.sound import audio, corpora, recordings

SNRS_DB = (None, 10)
CONDITIONS = {None: "clean", 10: "10 dB"}
FRAME_S = 2 * frontend.HOP / frontend.SAMPLE_RATE_HZ
LATE_S = 1.0
"""A report that comes later after a word's end does not count for it: it waits for 0.28 s of quiet."""
TEACHING, HEARING = range(1, 6), range(6, 11)
"""Takes of a word, by number: which five teach it, and which are to be heard."""
COUNTS = (1, 3, 5)
"""Takes that teach; ten leave none to be heard of the same owner, so five speakers' two are ten."""
DRAWS = 10
"""Five people of a half, drawn so often to teach the others."""
SHARE_OF_OTHERS, PER_HOUR = 0.01, (2.0, 0.5)
"""False accepts at which a threshold is read off: of other words, and an hour."""
DTW_COEFFICIENTS = slice(1, None)
"""Of the front end's: without the loudness, as the template has it."""


@dataclass(frozen=True)
class Said:
    """A take in a row."""

    word: str
    take: int
    begin_s: float
    end_s: float


@dataclass(frozen=True)
class Row:
    """One person's takes in a row, as the definition cuts them."""

    model: IntegerModel
    said: tuple[Said, ...]
    stream: tuple[np.ndarray, np.ndarray]
    """`taught.frames`: loudness and vectors."""
    segments: tuple[taught.Segment, ...]
    features: np.ndarray
    """int8 [T, 12]."""

    def of(self, said: Said) -> list[taught.Segment]:
        """What a report for this take could be about."""
        return [s for s in self.segments if s.end * FRAME_S > said.begin_s and s.begin * FRAME_S < said.end_s
                and s.decided * FRAME_S <= said.end_s + LATE_S]

    def takes(self, word: str, numbers: Iterable[int]) -> list[taught.Segment]:
        """Each of these takes as it is taught: its heaviest segment; those without one are left out."""
        found = [self.of(said) for said in self.said if said.word == word and said.take in numbers]
        long = [[s for s in segments if np.count_nonzero(s.codes) >= taught.SHORTEST] for segments in found]
        heaviest = [max(segments, key=lambda s: s.weight) for segments in long if segments]
        return [taught.taken(self.model, self.features, s.begin, s.codes.tolist()) for s in heaviest]


People = Mapping[str, Mapping[int | None, Row]]
"""{speaker: {SNR in dB, None of clean: row}}."""


def is_aside(kind: str, name: str) -> bool:
    """Whether a word or a speaker, by its kind and name, is of the half that is kept aside."""
    return bool(hashlib.sha1(f"{kind} {name}".encode()).digest()[-1] & 1)


@dataclass(frozen=True)
class Corpus:
    """Takes of words by several people, as a folder holds them: one file a word, and `index.tsv`."""

    folder: Path
    rows: tuple[dict[str, str], ...]
    """Of the table: file, start_sample, word, speaker, take; a take is a second at 16 kHz."""

    @classmethod
    def open(cls, folder: Path) -> Corpus:
        """Raises `UserError` where the folder is none, or its table cannot be read."""
        rows = corpora.index_of(folder, corpora.INDEX_COLUMNS - {"split"})
        if not rows:
            raise UserError(f"{folder / corpora.INDEX} lists no take")
        return cls(folder, tuple(rows))

    def names(self, kind: str, aside: bool) -> list[str]:
        """Words or speakers (the table's column) of one half, sorted."""
        return sorted(name for name in {row[kind] for row in self.rows} if is_aside(kind, name) == aside)


def people(model: IntegerModel, takes: Path, noise: Path, aside: bool) -> dict[str, dict[int | None, Row]]:
    """`People` of one half, saying the words of that half.

    takes : as `Corpus.open` wants it
    noise : folder of recordings; the part that training does not hear, where kept aside

    Raises `UserError` for data that is not there.
    """
    corpus = Corpus.open(takes)
    words, quiet = corpus.names("word", aside), positives.noise_of(noise, "validation" if aside else "training")
    sound = {row["file"]: row for row in corpus.rows if row["word"] in words}
    read = {file: audio.to_int16(audio.resample(*audio.read(takes / file))) for file in sound}
    found: dict[str, dict[int | None, Row]] = {}
    for speaker in tqdm(corpus.names("speaker", aside), "people", disable=None):
        rows = sorted((row for row in corpus.rows if row["speaker"] == speaker and row["word"] in words),
                      key=lambda row: (int(row["take"]), row["word"]))
        clips = np.stack([read[row["file"]][int(row["start_sample"]) :][: audio.SAMPLE_RATE_HZ] for row in rows])
        found[speaker] = {}
        for snr in SNRS_DB:
            row, events = positives.sound(clips, [0] * len(clips), quiet, snr, seed=zlib.crc32(speaker.encode()))
            features = hours.features_of(frontend.to_8khz(row))
            stream = small_frames(model, features)
            said = tuple(Said(row["word"], int(row["take"]), event.begin_s, event.end_s)
                         for row, event in zip(rows, events, strict=True))
            found[speaker][snr] = Row(model, said, stream, tuple(taught.segments(*stream)), features)
    return found


def small_frames(model: IntegerModel, features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`taught.frames`, the vectors as int8: hours of them stay in memory."""
    loudness, vectors = taught.frames(model, features)
    return loudness, vectors.astype(np.int8)


@dataclass(frozen=True)
class OtherSpeech:
    """What stands alone in running speech."""

    streams: tuple[tuple[np.ndarray, np.ndarray], ...]
    segments: tuple[taught.Segment, ...]
    hours: float


def other_speech(model: IntegerModel, folders: Sequence[Path], aside: bool) -> OtherSpeech:
    """Of speakers whom training does not hear, where kept aside. Raises `UserError` for folders without recordings."""
    files = [path for folder in folders for corpus in recordings.corpora(folder, "validation" if aside else "training")
             for path in corpus.files]
    streams, samples = [], 0
    for path in tqdm(files, "speech", disable=None, unit="file"):
        sound = recordings.at_8khz(path)
        samples += len(sound)
        streams.append(small_frames(model, hours.features_of(sound)))
    return OtherSpeech(tuple(streams), _cut(streams), samples / frontend.SAMPLE_RATE_HZ / 3600)


def _cut(streams: Iterable[tuple[np.ndarray, np.ndarray]]) -> tuple[taught.Segment, ...]:
    return tuple(segment for stream in streams for segment in taught.segments(*stream))


def usual(speech: OtherSpeech) -> np.ndarray:
    """What `taught.USUAL` is: each value's weighed median in running speech, the block's to a template's levels."""
    vectors = np.concatenate([segment.vectors for segment in speech.segments])
    weights = np.concatenate([1 << segment.codes >> 1 for segment in speech.segments])
    found = []
    for column in vectors.T:
        order = np.argsort(column)
        upto = np.cumsum(weights[order])
        found.append(int(column[order[np.searchsorted(upto, upto[-1] / 2)]]))
    return taught.to_levels(np.array(found))


# ---------------------------------------------------------------- other designs

BLOCK_ALONE = np.repeat([0, 1], [taught.COEFFICIENTS, taught.BLOCK])
DESIGNS: dict[str, dict[str, object]] = {
    "as it is": {},
    "3 parts": {"PARTS": 3, "SHORTEST": 3}, "5 parts": {"PARTS": 5, "SHORTEST": 5},
    "6 parts": {"PARTS": 6, "SHORTEST": 6},
    "the block's values at once": {"LAG": 0}, "3 frames later": {"LAG": 3}, "5 frames later": {"LAG": 5},
    "6 frames later": {"LAG": 6},
    "coefficients alone": {"DISTANCE_WEIGHTS": taught.DISTANCE_WEIGHTS * (1 - BLOCK_ALONE)},
    "the block alone": {"DISTANCE_WEIGHTS": BLOCK_ALONE},
    "the block's values in four bits": {"LEVELS": np.arange(16), "BORDERS": np.arange(1, 16)},
    "in one bit": {"LEVELS": np.array([0, 7]), "BORDERS": np.array([4])},
    "all values alike": {"DISTANCE_WEIGHTS": np.ones(taught.VALUES, np.int64)},
    "every frame alike": {"LARGEST_CODE": 1}, "soft ends count": {"STEEPEST": 64},
    "the usual as far as anything": {"USUAL_SHIFT": 16}, "half of its distance": {"USUAL_SHIFT": 1},
    "costs in 128ths": {"COST_BITS": 7}, "in 32nds": {"COST_BITS": 5},
    "takes in eight bits": {"KEPT_SHIFT": 0}, "no frames before a take": {"LEAD": 0},
    "no take refused": {"UNLIKE": 1000},
}
"""What was tried beside what ships: constants of `integer/words.py` in place of its own."""


@contextmanager
def constants(**others: object) -> Iterator[None]:
    """`integer/words.py` with other constants, for as long as it lasts."""
    before = {name: getattr(taught, name) for name in others}
    try:
        for name, value in others.items():
            setattr(taught, name, value)
        yield
    finally:
        for name, value in before.items():
            setattr(taught, name, value)


def tried(people: People, speech: OtherSpeech) -> list[dict]:
    """Each of `DESIGNS` on these words: its own thresholds are read off on them, too."""
    table = []
    for name, others in tqdm(DESIGNS.items(), "designs", disable=None):
        with constants(**others):
            again = {who: {snr: replace(row, segments=_cut([row.stream])) for snr, row in rows.items()}
                     for who, rows in people.items()}
            there = replace(speech, segments=_cut(speech.streams))
            trial, words = owners(again)
            limits = thresholds(trial, in_speech(words, there), there)
            table.append({"design": name, "closed": closed(trial)["clean"]["percent"],
                          "heard": {rate: share(sum(one <= limit for one in trial.own["clean"]),
                                                len(trial.own["clean"]))["percent"]
                                    for rate, limit in limits.items()},
                          "anyone": closed(anyone(again, draws=4))["clean"]["percent"]})
    return table


# ---------------------------------------------------------------- counting


def share(right: int, n: int) -> dict:
    """In percent, with Wilson's interval: takes of one person are not independent, so the true one is wider."""
    low, high = metrics.wilson_interval(right, n)
    return {"percent": round(100 * right / n, 1), "interval_95": [round(100 * low, 1), round(100 * high, 1)], "n": n}


def excess(segments: Sequence[taught.Segment], words: Sequence[taught.Word]) -> np.ndarray:
    """The least threshold at which each word is heard in the segment that comes closest: float [words].

    Less by a part of one where the cost is lower: of two words at one threshold, the board hears that. Infinite where
    no threshold, or no segment, is enough.
    """
    if not segments:
        return np.full(len(words), np.inf)
    templates = np.stack([word.template for word in words]).astype(np.int64)
    return np.min([_least(segment, templates) for segment in segments], axis=0)


def _least(segment: taught.Segment, templates: np.ndarray) -> np.ndarray:
    """`excess` of one segment, for templates int64 [words, PARTS, 42]: by halves, since a cost falls with it."""
    beyond, too_low = segment.beyond(templates), np.full(len(templates), -1)
    enough = np.full(len(templates), taught.LARGEST_THRESHOLD + 1)
    while (enough - too_low > 1).any():
        middle = (too_low + enough) >> 1
        heard = segment.cost(beyond, middle) < 0
        too_low, enough = np.where(heard, too_low, middle), np.where(heard, middle, enough)
    cost = segment.cost(beyond, enough) / (2 * (taught.START + 1))
    return np.where(enough <= taught.LARGEST_THRESHOLD, enough + cost, np.inf)


@dataclass
class Trial:
    """Takes that are to be heard against words that were taught; what others say, against the same words."""

    own: dict[str, list[float]]
    """{condition: each take's `excess` of its own word}."""
    right: dict[str, list[bool]]
    """{condition: whether its own word is the closest}."""
    others: list[float]
    """Clean: of all other words of that person."""
    refused: int = 0
    """Takes that `teach` would not have, of `offered`."""
    offered: int = 0


def teach(takes: Sequence[taught.Segment], trial: Trial | None = None) -> taught.Word:
    """A word of these takes, one after the other: without those that are refused."""
    sums = taught.Sums()
    refused = sum(not sums.add(one.parts()) for one in takes)
    if trial is not None:
        trial.refused, trial.offered = trial.refused + refused, trial.offered + len(takes)
    return taught.Word("word", sums.template())


def hear(trial: Trial, row: Row, condition: str, words: Mapping[str, taught.Word], numbers: Iterable[int]) -> None:
    """Add one person's takes of these words to a trial."""
    names = list(words)
    for said in row.said:
        if said.word in words and said.take in numbers:
            far, own = excess(row.of(said), list(words.values())), names.index(said.word)
            trial.own.setdefault(condition, []).append(float(far[own]))
            trial.right.setdefault(condition, []).append(bool(np.isfinite(far[own]) and far.argmin() == own))
            if condition == "clean":
                trial.others += np.delete(far, own).tolist()


def owners(people: People, teaching: Iterable[int] = TEACHING, hearing: Iterable[int] = HEARING
           ) -> tuple[Trial, list[taught.Word]]:
    """Everyone teaches their words and says them again: the trial, and all words taught."""
    trial, all_words = Trial({}, {}, []), []
    for rows in people.values():
        names = sorted({said.word for said in rows[None].said})
        takes = {name: rows[None].takes(name, teaching) for name in names}
        words = {name: teach(one, trial) for name, one in takes.items() if one}
        all_words += words.values()
        for snr, condition in CONDITIONS.items():
            hear(trial, rows[snr], condition, words, hearing)
    return trial, all_words


def anyone(people: People, draws: int = DRAWS, each: int = 1, hearing: Iterable[int] = HEARING) -> Trial:
    """Five people teach, with so many takes `each`, and the others say the words; so many draws of the five."""
    trial, names = Trial({}, {}, []), sorted({said.word for rows in people.values() for said in rows[None].said})
    for draw in range(draws):
        five = set(np.random.default_rng(draw).permutation(sorted(people))[:5].tolist())
        numbers = [1 + (draw + i) % max(TEACHING) for i in range(each)]
        words = {name: taught_by([t for who in sorted(five) for t in people[who][None].takes(name, numbers)])
                 for name in names}
        for who in sorted(set(people) - five):
            for snr, condition in CONDITIONS.items():
                hear(trial, people[who][snr], condition, words, hearing)
    return trial


def taught_by(takes: Sequence[taught.Segment]) -> taught.Word:
    """Of several people's takes, which are unlike each other: none is refused."""
    return taught.Word("word", taught.Sums(sum(one.parts() for one in takes), len(takes)).template())


def in_speech(words: Sequence[taught.Word], speech: OtherSpeech) -> np.ndarray:
    """`excess` of every word at each segment of running speech, float [segments, words]."""
    return np.array([excess([segment], words) for segment in speech.segments]).reshape(-1, len(words))


def thresholds(trial: Trial, far: np.ndarray, speech: OtherSpeech, whole: bool = True) -> dict[str, float]:
    """The largest thresholds with at most so many false accepts: of other words, and an hour for one word.

    far : of `in_speech`
    whole : as the board's are
    """
    others, time = np.sort(trial.others), speech.hours * far.shape[1]
    nearest = np.sort(far.ravel())
    found = {f"{SHARE_OF_OTHERS:.0%} of other words": others[int(SHARE_OF_OTHERS * len(others))]}
    for rate in PER_HOUR:
        count = int(rate * time)
        found[f"{rate:g} an hour"] = nearest[count] if count < len(nearest) else np.inf
    return {name: float(np.ceil(value) - 1 if whole else np.nextafter(value, -np.inf)) for name, value in found.items()}


def at(margin: float, trial: Trial, far: np.ndarray, speech: OtherSpeech) -> dict:
    """What is heard, and what falsely, where a word is heard up to this margin (`taught.THRESHOLD` ships).

    Returns `margin`, `heard` {condition: share}, `of_others` a share, `per_hour` of one word in running speech and its
    `interval_95`; speech of one hour is heard by every word taught, so that interval, too, is rather too narrow.
    """
    events, time = int((far <= margin).sum()), speech.hours * far.shape[1]
    low, high = hours.poisson(events, time)
    return {"margin": round(margin, 1),
            "heard": {name: share(sum(one <= margin for one in own), len(own)) for name, own in trial.own.items()},
            "of_others": share(sum(one <= margin for one in trial.others), len(trial.others)),
            "per_hour": round(events / time, 2), "interval_95": [round(low, 2), round(high, 2)], "events": events}


def closed(trial: Trial) -> dict[str, dict]:
    """{condition: share of takes whose own word is the closest of all}."""
    return {name: share(sum(right), len(right)) for name, right in trial.right.items()}


# ---------------------------------------------------------------- the yardstick


def warped(tests: Sequence[np.ndarray], reference: np.ndarray) -> np.ndarray:
    """Distance of each test, float [n, C], from a reference [m, C] by dynamic time warping in float (Sakoe and Chiba
    1978, symmetric steps): Euclidean, a diagonal step counts twice, divided by n + m. Returns float [tests]."""
    lengths = np.array([len(test) for test in tests])
    padded = np.stack([np.pad(test, ((0, lengths.max() - len(test)), (0, 0))) for test in tests])
    between = np.sqrt(((padded[:, :, None] - reference[None, None]) ** 2).sum(axis=-1))  # (tests, n, m)
    total = np.full((len(tests), lengths.max() + 1, len(reference) + 1), np.inf)
    total[:, 0, 0] = 0
    for i in range(lengths.max()):
        for j in range(len(reference)):
            here = between[:, i, j]
            total[:, i + 1, j + 1] = here + np.minimum(total[:, i, j] + here,
                                                       np.minimum(total[:, i, j + 1], total[:, i + 1, j]))
    return total[np.arange(len(tests)), lengths, len(reference)] / (lengths + len(reference))


def yardstick(people: People) -> Trial:
    """As `owners`, each word being its five takes, the nearest of which counts: 11 coefficients, 20 ms."""
    trial = Trial({}, {}, [])
    for rows in tqdm(people.values(), "warping", disable=None):
        def frames(row: Row, segment: taught.Segment) -> np.ndarray:
            return row.features[2 * segment.begin : 2 * segment.end, DTW_COEFFICIENTS].astype(float)

        names = sorted({said.word for said in rows[None].said})
        references = [[frames(rows[None], one) for one in rows[None].takes(name, TEACHING)] for name in names]
        for snr, condition in CONDITIONS.items():
            tests = [(said.word, rows[snr].takes(said.word, [said.take])) for said in rows[snr].said
                     if said.take in HEARING]
            there = [frames(rows[snr], found[0]) for _, found in tests if found]
            far = np.array([np.min([warped(there, one) for one in takes], axis=0) for takes in references]).T
            known = iter(far)
            for word, found in tests:
                one, own = next(known) if found else np.full(len(names), np.inf), names.index(word)
                trial.own.setdefault(condition, []).append(float(one[own]))
                trial.right.setdefault(condition, []).append(bool(found) and int(one.argmin()) == own)
                if condition == "clean":
                    trial.others += np.delete(one, own).tolist()
    return trial
