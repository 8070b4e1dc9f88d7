"""Words of one's own, taught in five takes: the definition that firmware will follow. Chapter "Your own words".

    from tinyspeech.integer import words
    lamp = words.teach("lamp", [words.take(model, samples) for samples in recordings])
    words.heard(model, samples, [lamp])       # [(frame of scores, 0), ...]

A word is a template: what four parts of it look like, each a quarter of its loudness. The network stays as it is; its
last block describes a frame for words that it never learned, too, and the front end's coefficients tell voices apart. A
frame here is one of scores, 40 ms. All arithmetic is integer, `>>` rounds down, and nothing needs a multiplier but the
last comparison: a weight is a power of two, a distance a sum of differences.

| step | computes |
| --- | --- |
| loudness | e: mean of the first coefficient over a frame's two windows |
| floor | follows e down by half the way; rises by an eighth a frame, or by one while a word takes too long |
| peak | e where that is louder; else falls by a sixteenth; at least `SPAN` above the floor |
| weight | of c = e - (the louder of floor + 3/8 (peak - floor) and peak - 64): 0, 1, 2, 4, 8 or 16 (`weight_code`) |
| vector | 10 coefficients, -8 .. 7, without the loudness, and the last block's 32 values, 0 .. 15, `LAG` frames later |
| distance | of a vector and a part: 2 abs(coefficients 1 to 7) + abs(8 to 10) + abs(block's values) (`distances`) |
| cost | of the parts so far: the least of this part's and the one before's, + weight * distance >> 2; at most 65,535 |
| decision | after `QUIET` frames without weight: heard where the last part's cost <= threshold * sum of weights |

So a word stands alone: quiet before it and behind it, at most `LONGEST` frames. What is soft hardly counts, which is
why nobody has to find where a word begins. Running speech is rejected first of all since it does not pause.

The choices were made on half of the words and speakers of Arabic Speech Commands, and running speech of speakers whom
training hears; what they are worth on the others is `words.owner` in data/results.json (`tinyspeech/measure/words.py`).
"""

from __future__ import annotations

import binascii
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tinyspeech.errors import UserError
from tinyspeech.integer import frontend
from tinyspeech.integer.network import IntegerModel

PARTS = 4
"""Of a template. With 3 fewer words are heard; with 5 one to four in a hundred more, but they would not fit a page
(`words.tried` in data/results.json)."""
COEFFICIENTS, BLOCK = 10, 32
"""Of the front end, from the second on, and of the last block."""
VALUES = COEFFICIENTS + BLOCK
"""Of a vector: 42, four bits each."""
LEVELS, BORDERS = np.array([0, 3, 6, 11]), np.array([2, 5, 9])
"""A template's values of the block have two bits each, and so a word fits a page; a border is of the level above it."""
LAG = 7
"""Frames: so much later the last block's values, which look back over a second, say most of a frame."""
LEAD = 4
"""Frames before a word that is taught: the network hears them, too. Without them it describes the first parts worse."""
QUIET = 7
"""Frames, 0.28 s, without weight that end a word; a closed lip within one lasts less."""
LONGEST, SHORTEST = 32, PARTS
"""Frames of a word, from its first with weight to its last; and with weight."""
LONGEST_COUNT = 255
"""A counter, uint8 on the chip, stays there."""
SPAN, STEEPEST = 24, 64
"""Of the first coefficient, of which 32 are 20 dB: the peak is thought at least so far above the floor; what lies so
far below it has no weight."""
LARGEST_CODE = 5
COST_SHIFT, MOST = 2, 65_535
"""Bits that a frame's weighed distance loses before it is added to a cost, and the most that a cost can be, uint16 on
the chip: it stays there, above every threshold, since the weights of a word add up to 512 at most."""
DISTANCE_WEIGHTS = np.repeat([2, 1, 1], [7, COEFFICIENTS - 7, BLOCK])
"""Powers of two."""
VALUE_SHIFT = 3
"""A vector's unit is 8 of a coefficient's, and of the block's."""
MARGIN, LOOSENESS_SHIFT = 90, 2
"""A word's threshold: this margin, and a quarter of the mean distance of the takes from their template. At this margin
a word is falsely heard in one of a hundred other words of its owner, and once in two hours of running speech; of
development's (`words.development`)."""
MAX_WORDS = 8
UNLIKE = 125
"""A take farther than this from the template of the others is refused."""
FULL_SCALE, CLIPPED = 32_000, 16
"""So many samples as large as this are no longer the voice."""
EMPTY = "the take is empty: no word was found in it"
CUT = "the take is cut: leave some quiet before the word and behind it"
TOO_LONG = "the take is too long: a word lasts at most 1.2 s, with quiet before it and behind it"
NAME_BYTES = 8
PAGE_BYTES, VERSION, CRC_START = 64, 1, 0xFFFF
"""Of the chip's flash; of a word's page; of its CRC-16 (polynomial 0x1021)."""
LARGEST_THRESHOLD = 255


# ---------------------------------------------------------------- loudness


@dataclass
class Loudness:
    """Floor and peak of a stream's loudness, in sixteenths of the first coefficient's units: int16 each on the chip."""

    floor: int | None = None
    """None before the first frame, which it starts from."""
    peak: int = 0

    def push(self, loudness: int, hurry: bool = False) -> int:
        """Take a frame's loudness, -128 .. 127: its weight's code. hurry : the floor rises faster."""
        e = loudness << 4
        if self.floor is None:
            self.floor = self.peak = e
        self.floor += (e - self.floor) >> 1 if e < self.floor else 16 if hurry else 2
        self.peak = max(e, self.peak - 1, self.floor + (SPAN << 4))
        above = self.peak - self.floor
        return weight_code((e - max(self.floor + (3 * above >> 3), self.peak - (STEEPEST << 4))) >> 4)


def weight_code(c: int) -> int:
    """0 where c <= 0, else 1 .. 5: one more than the place of c's top bit less one; 1 for 1 .. 3, 2 for 4 .. 7, ..."""
    return 0 if c <= 0 else min(max(1, c.bit_length() - 1), LARGEST_CODE)


def weight(code: int) -> int:
    """1, 2, 4, 8 or 16; 0 of code 0."""
    return 1 << code >> 1


# ---------------------------------------------------------------- frames


def frames(model: IntegerModel, features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Loudness int64 [T'] and vectors int64 [T', 42] of a stream, int8 [T, 12]; T' = T // 2.

    A vector's block values are those of its own frame here: `Listener` and `segments` look for them `LAG` later.
    Raises `UserError` for a network without a block of 32 values at 40 ms.
    """
    record: dict[str, np.ndarray] = {}
    model.run(features[None], record)
    block = record[last_block(model)][0]
    return from_block(features, block)


def last_block(model: IntegerModel) -> str:
    """Name of the layer whose output describes a frame: what the head reads. Raises `UserError` where there is none."""
    before = [layer for layer in model.layers if layer.target == "stream"]
    strides = int(np.prod([layer.stride for layer in model.layers]))
    if not before or before[-1].kind not in ("add", "gated_add") or strides != 2 or _width(model) != BLOCK:
        raise UserError(f"{model.name} has no last block of {BLOCK} values every 40 ms: words cannot be taught to it")
    return before[-1].name


def _width(model: IntegerModel) -> int:
    return next((layer.weight.shape[1] for layer in model.layers if layer.source == "stream" and layer.target == "wide"
                 and layer.kind == "dense"), 0)


def from_block(features: np.ndarray, block: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """As `frames`, of features int8 [T, 12] and the last block's values, 0 .. 127, [at least T // 2, 32]."""
    count = len(features) // 2
    pair = features[: 2 * count].astype(np.int64).reshape(count, 2, -1).sum(axis=1) >> 1
    coefficients = np.clip((pair[:, 1 : 1 + COEFFICIENTS] + (1 << (VALUE_SHIFT - 1))) >> VALUE_SHIFT, -8, 7)
    return loudness_of(features), np.concatenate([coefficients, block[:count].astype(np.int64) >> VALUE_SHIFT], axis=1)


def loudness_of(features: np.ndarray) -> np.ndarray:
    """int64 [T // 2] of features int8 [T, 12]."""
    count = len(features) // 2
    return features[: 2 * count, 0].astype(np.int64).reshape(count, 2).sum(axis=1) >> 1


def distances(vector: np.ndarray, templates: np.ndarray) -> np.ndarray:
    """int64 [..., 42] and [..., 42], broadcast: 0 .. 735."""
    return np.abs(vector - templates) @ DISTANCE_WEIGHTS


def step(costs: np.ndarray | None, distance: np.ndarray, weight: int) -> np.ndarray:
    """Costs [..., PARTS] after a frame: each part goes on, or follows the one before. None before a word's first frame,
    which is of the first part."""
    least = np.full_like(distance, MOST)
    if costs is None:
        least[..., 0] = 0
    else:
        least[..., 1:] = costs[..., :-1]
        least = np.minimum(least, costs)
    return np.minimum(least + (weight * distance >> COST_SHIFT), MOST)


# ---------------------------------------------------------------- a word in a stream


@dataclass(frozen=True)
class Segment:
    """What stands alone in a stream."""

    begin: int
    end: int
    """Its first frame with weight, and the one behind its last."""
    codes: np.ndarray
    """int64 [end - begin]: of the weights."""
    vectors: np.ndarray
    """int64 [end - begin, 42]."""

    @property
    def decided(self) -> int:
        """The frame after which it is known."""
        return self.end - 1 + QUIET

    @property
    def weight(self) -> int:
        """Sum of all weights."""
        return sum(map(weight, self.codes.tolist()))

    def cost(self, templates: np.ndarray) -> np.ndarray:
        """Of the last part, int64 [n], for templates int64 [n, PARTS, 42]."""
        costs = None
        for code, vector in zip(self.codes.tolist(), self.vectors, strict=True):
            if code:
                costs = step(costs, distances(vector, templates), weight(code))
        return costs[..., -1]

    def distance(self, template: np.ndarray) -> int:
        """Mean distance of a frame from the parts: rounded down."""
        return (int(self.cost(template[None])[0]) << COST_SHIFT) // self.weight


def segments(loudness: np.ndarray, vectors: np.ndarray) -> list[Segment]:
    """All that stand alone in a stream and are no longer and no shorter than a word. Arguments: of `frames`."""
    return [segment_of(codes, vectors, begin) for begin, codes in standing(loudness)]


def standing(loudness: np.ndarray) -> list[tuple[int, list[int]]]:
    """(first frame, weights' codes) of each of `segments`: they are found by loudness alone.

    What the stream's end cuts off before `QUIET` frames are over is none.
    """
    found, state, codes, begin, last = [], Loudness(), [], None, 0
    for t, e in enumerate(loudness.tolist()):
        code = state.push(e, begin is not None and t - begin >= LONGEST)
        codes.append(code)
        if code:
            begin, last = t if begin is None else begin, t
        elif begin is not None and t - last >= QUIET:
            if last + 1 - begin <= LONGEST and np.count_nonzero(codes[begin:]) >= SHORTEST:
                found.append((begin, codes[begin : last + 1]))
            begin = None
    return found


def segment_of(codes: Sequence[int], vectors: np.ndarray, begin: int, before: int = 0) -> Segment:
    """The segment that begins at a frame of a stream, the vectors being those of the stream from frame `before` on."""
    rows = np.arange(begin - before, begin - before + len(codes))
    late = np.minimum(rows + LAG, len(vectors) - 1)
    joined = np.concatenate([vectors[rows, :COEFFICIENTS], vectors[late, COEFFICIENTS:]], axis=1)
    return Segment(begin, begin + len(codes), np.array(codes), joined)


def taken(model: IntegerModel, features: np.ndarray, begin: int, codes: Sequence[int]) -> Segment:
    """A word as it is taught: the network, from its reset, hears it alone, and `LEAD` frames before and `LAG` behind.

    So a board need not compute while the word is said: it keeps features, int8 [T, 12], and takes its time.

    begin, codes : of `standing`
    """
    before = max(0, begin - LEAD)
    alone = features[2 * before : 2 * (begin + len(codes) + LAG)]
    return segment_of(codes, frames(model, alone)[1], begin, before)


# ---------------------------------------------------------------- teaching


def parts(segment: Segment) -> np.ndarray:
    """Mean vectors of a segment's parts in eighths, int64 [PARTS, 42]: each holds a quarter of its weight.

    A frame on a border counts to both parts, as far as it reaches into each.
    """
    weights = np.array([weight(code) for code in segment.codes.tolist()])
    ends, total = PARTS * np.cumsum(weights), int(weights.sum())
    begins, borders = ends - PARTS * weights, total * np.arange(PARTS + 1)[:, None]
    overlap = np.clip(np.minimum(ends, borders[1:]) - np.maximum(begins, borders[:-1]), 0, None)  # (PARTS, n)
    return (8 * (overlap @ segment.vectors) + total // 2) // total


def template(segs: Sequence[Segment]) -> np.ndarray:
    """Mean of the takes' parts, rounded half up, the block's values to `LEVELS`: int64 [PARTS, 42]."""
    total = sum(parts(segment) for segment in segs)
    mean = (total + 4 * len(segs)) // (8 * len(segs))
    mean[:, COEFFICIENTS:] = LEVELS[np.searchsorted(BORDERS, mean[:, COEFFICIENTS:], side="right")]
    return mean


@dataclass(frozen=True)
class Word:
    """A word as the board keeps it: a page of flash."""

    name: str
    template: np.ndarray
    """int8 [PARTS, 42]: coefficients -8 .. 7, and values of `LEVELS`."""
    threshold: int
    """Mean distance up to which it is heard, 0 .. 255."""

    def __post_init__(self):
        check_name(self.name)

    def pack(self) -> bytes:
        """A page: version, threshold, name, the parts, CRC-16 of all before it, low byte first.

        A part is its coefficients, a nibble each, low first, then its values of the block, two bits each, low first.
        """
        nibbles = self.template[:, :COEFFICIENTS] & 15
        pairs = np.searchsorted(LEVELS, self.template[:, COEFFICIENTS:]).reshape(PARTS, -1, 4)
        rows = np.concatenate([nibbles[:, ::2] | nibbles[:, 1::2] << 4, (pairs << [0, 2, 4, 6]).sum(axis=-1)], axis=1)
        body = bytes([VERSION, self.threshold]) + self.name.encode().ljust(NAME_BYTES, b"\0")
        body += rows.astype(np.uint8).tobytes()
        return body + binascii.crc_hqx(body, CRC_START).to_bytes(2, "little")

    @classmethod
    def unpack(cls, page: bytes) -> Word:
        """What `pack` made. Raises `UserError` where it is not that, whole."""
        if (len(page) != PAGE_BYTES or page[0] != VERSION
                or binascii.crc_hqx(page[:-2], CRC_START).to_bytes(2, "little") != page[-2:]):
            raise UserError("these bytes hold no word, or only half of one: teach it again")
        rows = np.frombuffer(page, np.uint8)[2 + NAME_BYTES : -2].reshape(PARTS, -1)
        nibbles, pairs = rows[:, : COEFFICIENTS // 2, None] >> [0, 4] & 15, rows[:, COEFFICIENTS // 2 :, None]
        template = np.concatenate([(nibbles.reshape(PARTS, -1) ^ 8) - 8,
                                   LEVELS[pairs >> [0, 2, 4, 6] & 3].reshape(PARTS, -1)], axis=1)
        return cls(page[2 : 2 + NAME_BYTES].rstrip(b"\0").decode("ascii", "replace"), template.astype(np.int8), page[1])


def check_name(name: str) -> str:
    """The name itself. Raises `UserError` for one that the board cannot print in a line."""
    if not name or len(name) > NAME_BYTES or not name.isascii() or not all(c.isalnum() or c in "_-" for c in name):
        raise UserError(f"a word's name is 1 to {NAME_BYTES} letters and digits of ASCII, '-' or '_', not {name!r}")
    return name


def take(model: IntegerModel, samples: np.ndarray) -> Segment:
    """The word in a recording, int16 [n] at 8 kHz: what weighs most of all that stands alone in it.

    Raises `UserError` for a take that is clipped, empty, cut, too long, or of another type.
    """
    samples = np.asarray(samples)
    if samples.dtype != np.int16 or samples.ndim != 1:
        raise UserError(f"a take is int16 samples [n] at 8 kHz, not {samples.dtype} {list(samples.shape)}")
    if np.count_nonzero(np.abs(samples.astype(np.int32)) >= FULL_SCALE) >= CLIPPED:
        raise UserError("the take is clipped: speak more softly, or farther away")
    features = frontend.FrontendStream().push(samples)
    count = len(features) // 2
    if count <= SHORTEST:
        raise UserError(EMPTY)
    loudness = np.concatenate([loudness_of(features), np.full(QUIET + 1, -128)])
    low, high = int(loudness[:count].min()), int(loudness[:count].max())
    if high - low >= SPAN and loudness[0] > (low + high) >> 1:
        raise UserError(CUT)
    found, state = standing(loudness), Loudness()
    with_weight = sum(state.push(e) > 0 for e in loudness[:count].tolist())
    if not found:
        raise UserError(TOO_LONG if with_weight > LONGEST // 2 else EMPTY)
    begin, codes = max(found, key=lambda one: sum(map(weight, one[1])))
    if begin == 0 or begin + len(codes) >= count:
        raise UserError(CUT)
    return taken(model, features, begin, codes)


def with_silence(model: IntegerModel, features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`frames` of a recording, and of the silence behind it in which its last word ends and the network looks back."""
    loudness, vectors = frames(model, np.pad(features, ((0, 2 * (QUIET + 1)), (0, 0))))
    loudness[len(features) // 2 :] = -128
    return loudness, vectors


def teach(name: str, takes: Sequence[Segment]) -> Word:
    """A word of its takes. Raises `UserError` for none, for one unlike the others, and for a name that is none."""
    if not takes:
        raise UserError("a word needs at least one take; five make a good one")
    for i, one in enumerate(takes):
        others = [*takes[:i], *takes[i + 1 :]]
        if others and one.distance(template(others)) > UNLIKE:
            raise UserError(f"take {i + 1} is unlike the others: say the same word again")
    rows = template(takes)
    own = sum(one.distance(rows) for one in takes) // len(takes)
    return Word(check_name(name), rows.astype(np.int8), threshold(own))


def threshold(own: int) -> int:
    """Of a word whose takes are so far from their template, in the mean."""
    return min(MARGIN + (own >> LOOSENESS_SHIFT), LARGEST_THRESHOLD)


# ---------------------------------------------------------------- recognising


@dataclass
class Listener:
    """Hears taught words in a stream, frame by frame, as a chip would. Bytes on the chip: `state_bytes`.

    words : at most `MAX_WORDS`, else `UserError`
    """

    words: Sequence[Word]
    loudness: Loudness = field(default_factory=Loudness)
    line: list[tuple[int, np.ndarray]] = field(default_factory=list)
    """The last `LAG` frames: each its weight's code and 10 coefficients, 11 nibbles."""
    quiet: int = QUIET
    """Frames since the last with weight, up to `QUIET`: then nothing stands there."""
    length: int = 0
    """Frames since the first with weight, and how many with weight came out of the line."""
    count: int = 0
    total: int = 0
    """Of weights."""
    last: int = 0
    """Length at the last frame with weight."""
    costs: np.ndarray | None = None
    """uint16 [words, PARTS] on the chip."""
    margin: int | None = None
    """At the last decision, of the word that came closest; not on the chip."""

    def __post_init__(self):
        if len(self.words) > MAX_WORDS:
            raise UserError(f"a board keeps at most {MAX_WORDS} words, not {len(self.words)}")
        self.templates = np.stack([word.template for word in self.words]).astype(np.int64) if self.words else \
            np.zeros((0, PARTS, VALUES), np.int64)

    @staticmethod
    def state_bytes(words: int) -> int:
        """Of RAM: the line, `Loudness`, four counters and a sum, and costs."""
        return (LAG * (COEFFICIENTS + 1) + 1) // 2 + 4 + 4 + 2 + 2 * PARTS * words

    def push(self, loudness: int, vector: np.ndarray) -> int | None:
        """Take a frame of `frames`: the index of a word that ended `QUIET` frames ago, or None."""
        standing = self.quiet < QUIET
        code = self.loudness.push(loudness, standing and self.length >= LONGEST)
        if code:
            self.length = min(self.length + 1, LONGEST_COUNT) if standing else 1
            self.quiet, self.last = 0, self.length
        elif standing:
            self.length, self.quiet = min(self.length + 1, LONGEST_COUNT), self.quiet + 1
        self.line.append((code, vector[:COEFFICIENTS]))
        if len(self.line) > LAG:
            self._compare(*self.line.pop(0), vector[COEFFICIENTS:])
        return self._decide() if standing and self.quiet == QUIET else None

    def _compare(self, code: int, coefficients: np.ndarray, block: np.ndarray) -> None:
        if not code:
            return
        distance = distances(np.concatenate([coefficients, block]), self.templates)
        self.costs = step(self.costs if self.count else None, distance, weight(code))
        self.count = min(self.count + 1, LONGEST_COUNT)
        self.total = min(self.total + weight(code), MOST)

    def _decide(self) -> int | None:
        """Which word it was, if it was one; all is forgotten."""
        fits = self.last <= LONGEST and self.count >= SHORTEST and len(self.words)
        margins = [word.threshold * self.total - (int(cost[-1]) << COST_SHIFT)
                   for word, cost in zip(self.words, self.costs, strict=True)] if fits else []
        self.count = self.total = self.length = 0
        self.margin = max(margins, default=None)
        return margins.index(self.margin) if margins and self.margin >= 0 else None


def heard(model: IntegerModel, samples: np.ndarray, words: Sequence[Word]) -> list[tuple[int, int]]:
    """(frame, index) of every taught word heard in samples, int16 [n] at 8 kHz."""
    features = frontend.FrontendStream().push(samples)
    return _heard(words, *frames(model, features)) if len(features) > 1 else []


def heard_in_clip(model: IntegerModel, samples: np.ndarray, words: Sequence[Word]) -> int | None:
    """The last taught word in a recording, int16 [n] at 8 kHz, behind which there is silence; None where there is none.
    """
    features = frontend.FrontendStream().push(samples)
    found = _heard(words, *with_silence(model, features)) if len(features) > 1 else []
    return found[-1][1] if found else None


def _heard(words: Sequence[Word], loudness: np.ndarray, vectors: np.ndarray) -> list[tuple[int, int]]:
    listener = Listener(words)
    answers = [listener.push(*row) for row in zip(loudness.tolist(), vectors, strict=True)]
    return [(frame, index) for frame, index in enumerate(answers) if index is not None]


# ---------------------------------------------------------------- files


def save(path: str | Path, model: IntegerModel, words: Sequence[Word]) -> None:
    """Write words, as they lie in flash, and the network that they were taught with. Raises `UserError` where that
    may not be."""
    try:
        with open(path, "wb") as file:  # the name as it is given: numpy would add a suffix
            np.savez(file, network=model.digest, words=np.array([list(word.pack()) for word in words], np.uint8))
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}") from error


def load(path: str | Path, model: IntegerModel) -> list[Word]:
    """Words of a file that `save` wrote. Raises `UserError` for a missing or foreign file, and for words that were
    taught with another network."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            network, rows = str(archive["network"]), np.asarray(archive["words"], np.uint8).reshape(-1, PAGE_BYTES)
    except FileNotFoundError as error:
        raise UserError(f"no taught words at {path}: run `python -m tinyspeech teach` first") from error
    except (OSError, EOFError, ValueError, KeyError, TypeError, AttributeError, zipfile.BadZipFile,
            zlib.error) as error:
        raise UserError(f"{path} holds no taught words") from error
    if network != model.digest:
        raise UserError(f"{path} was taught with another network than {model.name}: teach its words again")
    return [Word.unpack(row.tobytes()) for row in rows]
