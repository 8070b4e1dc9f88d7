"""Words of one's own, taught in five takes: the definition that firmware follows. Chapter "Your own words".

    from tinyspeech.integer import words
    lamp = words.teach("lamp", [words.take(model, samples) for samples in recordings])
    words.heard(model, samples, [lamp])       # [(frame of scores, 0), ...]

A word is a template: what four parts of it look like, each a quarter of its loudness. The network stays as it is; its
last block describes a frame for words that it never learned, too, and the front end's coefficients tell voices apart. A
frame here is one of scores, 40 ms, or two of features; two of ours are a batch. All arithmetic is integer, `>>` rounds
down, and nothing needs a multiplier: a weight is a power of two, a distance a sum of differences.

Listening, every frame (`Listener`); [bytes that the chip keeps]:

| step | computes |
| --- | --- |
| loudness | e: mean of the first coefficient over a frame's two of features |
| floor [2] | follows e down by half the way; rises by an eighth a frame, or by one while a word takes too long |
| peak [2] | e where that is louder; else falls by a sixteenth; at least `SPAN` above the floor |
| code | 0 .. 5, of c = e - (the louder of floor + 3/8 (peak - floor) and peak - 48); the weight is 0, 1, 2, 4, 8, 16 |
| history [4] | the last ten codes, three bits each; a word stands while one of the last `QUIET` is not 0 |
| length [1] | frames since a word's first with weight, up to 255 |
| line [25] | 10 coefficients of each of the last five batches, without the loudness: (sum of 4 + 16) >> 5, -8 .. 7 |
| vector | what was said `LAG` frames ago: the line's coefficients, and the last block's 32 values now, 0 .. 15 |
| distance | of a vector and a part: 2 abs(coefficients 1 to 7) + abs(8 to 10) + abs(block's values) (`distances`) |
| excess | distance - (distance from `USUAL` >> 2) - the word's threshold: how far, for sounds of this kind |
| cost [4 a word] | where the code of `LAG` frames ago is not 0: the less of this part's and the one before's, |
| | + (excess + (64 >> code)) >> (7 - code), clamped to int8; from the last part to the first |
| started [1] | all costs start from 127; before the first part stands 0 at a word's first frame, and then nothing |
| decision | when the last frame with weight was `QUIET` ago: heard where the last part's cost < 0, of several words |
| | the one with the least, the first of equals, if length <= `LONGEST` + `QUIET`; then all costs start again |

So a word stands alone: quiet before it and behind it. What is soft hardly counts, which is why nobody has to find where
a word begins. Running speech is rejected first of all since it does not pause, and then since it is usual.

Teaching, `TAKES` times (`Teaching`): on the chip where the network leaves room for it (`header.leaves_room`), and else
by a computer of what the board's microphone hears (`board/takes.py`). It is cut so that it fits the chip's RAM: while a
take is said the network does not run, whose memory holds all this:

| step | computes |
| --- | --- |
| ask | front end, floor and peak, history, and what is counted start from nothing; what was said before is not heard |
| every 20 ms | counts samples of at least `FULL_SCALE` in size, of the newest 160 of the window |
| every frame | e, floor, peak, code, history, length as above; the first, the least and the largest e |
| kept [7 a frame] | code, and 12 nibbles: (sum of the two frames' coefficients) >> 5 |
| room | before a frame is kept: if nothing stood, all but the last `LEAD` are dropped; `FRAMES` at most are kept |
| empty | nothing stands, and no word just ended, `PATIENCE` frames after the ask or later |
| long | what stands is `LONGEST_COUNT` frames long |
| a word ends | when the last frame with weight was `QUIET` ago: what is true first of the next four lines |
| clipped | `CLIPPED` samples or more |
| cut | first e > (least + largest) >> 1, and largest - least >= `SPAN` |
| long | length > `LONGEST` + `QUIET` |
| forgotten | less than `SHORTEST` frames have weight: no verdict, what follows may be the take |
| replay | else the network, from its reset, hears what is kept, as 16 * nibble + 8, each frame twice; half a batch at |
| | the end is filled up, with anything: the word's last frame waits for the block's values of the last kept |
| parts | of the word's vectors, as above: a frame has 4 * weight shares, a part as many as all weights add up to, so |
| | that some frames are of two parts: (sum of shares * value + (all >> 1)) // all |
| unlike | of n takes before: 2 abs(n * value - sum) and so on as for a distance, of all parts, > 4 n `UNLIKE`: it is |
| | refused; but if there was only one before, it takes its place, since either may be the wrong one |
| sums [168] | + parts, int8 |
| ok | and after `TAKES` the word: (sum + 2) // 5, the block's values to `LEVELS`; threshold `THRESHOLD`; its page |

After each verdict it asks again.

The choices were made on half of the words and speakers of Arabic Speech Commands, and running speech of speakers whom
training hears; what they are worth on the others is `words.owner` in data/results.json (`tinyspeech/measure/words.py`).
"""

from __future__ import annotations

import binascii
import contextlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from tinyspeech.errors import UserError
from tinyspeech.integer import decision, frontend, listening
from tinyspeech.integer.network import IntegerModel
from tinyspeech.outside import arrays, files

PARTS = 4
"""Of a template. With 3 fewer words are heard, and with 5 no more, which would not fit a page (`words.tried` in
data/results.json)."""
COEFFICIENTS, BLOCK = 10, 32
"""Of the front end, from the second on, and of the last block."""
VALUES = COEFFICIENTS + BLOCK
"""Of a vector: 42, four bits each."""
LEVELS, BORDERS = np.array([0, 3, 6, 11]), np.array([2, 5, 9])
"""A template's values of the block have two bits each, and so a word fits a page; a border is of the level above it."""
BATCH = 2
"""Frames that the chip computes together, and whose coefficients are averaged: they take half the room."""
LAG = 7
"""Frames: so much later the last block's values, which look back over 0.7 s, say most of a frame."""
LEAD = 4
"""Frames before a word that is taught: the network hears them, too. Without them it describes the first parts worse."""
QUIET = 7
"""Frames, 0.28 s, without weight that end a word; a closed lip within one lasts less."""
LONGEST, SHORTEST = 28, PARTS
"""Frames of a word, from its first with weight to its last: 1.12 s; and with weight, of a take."""
LONGEST_COUNT = 255
"""A counter, uint8 on the chip, stays there."""
SPAN, STEEPEST = 24, 48
"""Of the first coefficient, of which 32 are 20 dB: the peak is thought at least so far above the floor; what lies so
far below it, 30 dB, has no weight: of 40 dB, soft ends of words count more than they are worth (`words.tried`)."""
FILE_BYTES = 1 << 20
"""Of a file of words, at most: a board keeps 512 bytes of them."""
LARGEST_CODE = 5
CODE_BITS, CODES_KEPT = 3, 10
COST_BITS, START = 6, 127
"""A weighed excess loses these bits, rounded half up; what a cost starts from, and the most that it can be."""
DISTANCE_WEIGHTS = np.repeat([2, 1, 1], [7, COEFFICIENTS - 7, BLOCK])
"""Powers of two."""
USUAL = np.array([1, -1, -2, -3, -2, -1, 0, -2, 0, -1, 3, 3, 0, 0, 3, 6, 3, 0, 6, 0, 3,
                  0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 6, 0, 3, 3, 3, 3, 3, 3, 3])
"""Weighed medians of the vectors of running speech, the block's values to `LEVELS` (`measure.words.usual`, of
development's; `words.development`)."""
USUAL_SHIFT = 2
"""What lies far from it lies far from every template, and may: in running speech fewer words are falsely heard
(`words.tried`)."""
VALUE_SHIFT = 3
"""A vector's unit is 8 of a coefficient's, and of the block's."""
THRESHOLD = 71
"""Of a word that is taught: one in a hundred other words of its owner is heard falsely, and one word in five hours of
running speech; of development's (`words.development`)."""
MAX_WORDS = 8
TAKES = 5
UNLIKE = 125
"""A take whose parts are farther than this from the mean of those before is refused."""
KEPT_SHIFT = 4
"""Bits that a coefficient of a take loses."""
FRAMES = LEAD + LONGEST + LAG
"""Of a take that are kept, at most."""
PATIENCE = 200
"""Frames, 8 s, that a take is waited for."""
FULL_SCALE, CLIPPED = 32_000, 16
"""So many samples as large as this are no longer the voice."""
SILENCE_SAMPLES = 4_000
"""Half a second behind a recording: there its last word ends, and the network looks back."""
OK = "ok"
REFUSALS = {
    "empty": "the take is empty: no word was found in it",
    "cut": "the take is cut: leave some quiet before the word and behind it",
    "long": "the take is too long: a word lasts at most 1.1 s, with quiet before it and behind it",
    "clipped": "the take is clipped: speak more softly, or farther away",
    "unlike": "the take is unlike the others: say the same word again",
}
"""Verdicts on a take, as the board says them, and what they mean."""
NAME_BYTES = 8
NAME = f"[A-Za-z0-9_-]{{1,{NAME_BYTES}}}"
"""How a word's name is spelled: a regular expression."""
PAGE_BYTES, VERSION, CRC_START = 64, 0, 0xFFFF
"""Of the chip's flash; of a word's page, 0 so that it ends the name before it; of its CRC-16 (polynomial 0x1021)."""
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


@dataclass
class Standing:
    """What stands alone in a stream, by its loudness: `Loudness`, a history of codes and a length."""

    loudness: Loudness = field(default_factory=Loudness)
    history: int = 0
    """The last `CODES_KEPT` codes, the newest lowest: 30 bits."""
    length: int = 0
    """Frames since the first with weight, that one included: of what stands, or stood last."""

    def push(self, loudness: int) -> int:
        """Take a frame's loudness, -128 .. 127: its code."""
        stood = self.stands
        code = self.loudness.push(loudness, stood and self.length >= LONGEST)
        self.history = (self.history << CODE_BITS | code) & (1 << CODE_BITS * CODES_KEPT) - 1
        if stood:
            self.length = min(self.length + 1, LONGEST_COUNT)
        elif code:
            self.length = 1
        return code

    def code(self, ago: int) -> int:
        """Of so many frames ago."""
        return self.history >> CODE_BITS * ago & (1 << CODE_BITS) - 1

    @property
    def stands(self) -> bool:
        """Whether one of the last `QUIET` frames has weight."""
        return self.history & (1 << CODE_BITS * QUIET) - 1 > 0

    @property
    def ended(self) -> bool:
        """Whether that which stood has just ended: its last frame with weight was `QUIET` frames ago."""
        return not self.stands and self.code(QUIET) > 0

    @property
    def fits(self) -> bool:
        """Whether what has just ended was no longer than a word."""
        return self.length <= LONGEST + QUIET


# ---------------------------------------------------------------- frames


def frames(model: IntegerModel, features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Loudness int64 [T'] and vectors int64 [T', 42] of a stream, int8 [T, 12]; T' = T // 4 * 2, whole batches.

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
    batches = len(features) // (2 * BATCH)
    total = features[: 2 * BATCH * batches].astype(np.int64).reshape(batches, 2 * BATCH, -1).sum(axis=1)
    shift = BATCH + VALUE_SHIFT  # a mean of four, in units of 8
    coefficients = np.clip((total[:, 1 : 1 + COEFFICIENTS] + (1 << (shift - 1))) >> shift, -8, 7)
    values = block[: BATCH * batches].astype(np.int64) >> VALUE_SHIFT
    vectors = np.concatenate([np.repeat(coefficients, BATCH, axis=0), values], axis=1)
    return loudness_of(features)[: BATCH * batches], vectors


def loudness_of(features: np.ndarray) -> np.ndarray:
    """int64 [T // 2] of features int8 [T, 12]."""
    count = len(features) // 2
    return features[: 2 * count, 0].astype(np.int64).reshape(count, 2).sum(axis=1) >> 1


def distances(vector: np.ndarray, templates: np.ndarray) -> np.ndarray:
    """int64 [..., 42] and [..., 42], broadcast: 0 .. 735."""
    return np.abs(vector - templates) @ DISTANCE_WEIGHTS


def beyond_usual(vector: np.ndarray, templates: np.ndarray) -> np.ndarray:
    """int64 [..., 42] and [..., 42], broadcast: the distance, less a quarter of the vector's distance from `USUAL`."""
    return distances(vector, templates) - (distances(vector, USUAL) >> USUAL_SHIFT)


def step(costs: np.ndarray | None, excess: np.ndarray, code: int) -> np.ndarray:
    """Costs [..., PARTS] after a frame with weight: each part goes on, or follows the one before. None before a word's
    first frame, which is of the first part."""
    least = np.full_like(excess, START)
    if costs is None:
        least[..., 0] = 0
    else:
        least = np.minimum(costs, np.concatenate([least[..., :1], costs[..., :-1]], axis=-1))
    shift = COST_BITS + 1 - code
    return np.clip(least + ((excess + (1 << shift >> 1)) >> shift), -START - 1, START)


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

    def beyond(self, templates: np.ndarray) -> np.ndarray:
        """`beyond_usual` of its frames with weight, int64 [frames, n, PARTS], for templates int64 [n, PARTS, 42]."""
        return beyond_usual(self.vectors[self.codes > 0][:, None, None].astype(np.int64), templates)

    def cost(self, beyond: np.ndarray, thresholds: np.ndarray | int) -> np.ndarray:
        """Of the last part, int64 [n], of what `beyond` returned and thresholds int64 [n]: heard where it is below 0.
        """
        costs, less = None, np.asarray(thresholds)[..., None]
        for code, here in zip(self.codes[self.codes > 0].tolist(), beyond, strict=True):
            costs = step(costs, here - less, code)
        return costs[..., -1]

    def parts(self) -> np.ndarray:
        """Mean vectors of its parts, rounded half up, int64 [PARTS, 42]: each holds a quarter of its weight.

        A frame on a border counts to both parts, as far as it reaches into each.
        """
        weights = np.array([weight(code) for code in self.codes.tolist()])
        ends, total = PARTS * np.cumsum(weights), int(weights.sum())
        begins, borders = ends - PARTS * weights, total * np.arange(PARTS + 1)[:, None]
        overlap = np.clip(np.minimum(ends, borders[1:]) - np.maximum(begins, borders[:-1]), 0, None)  # (PARTS, n)
        return (overlap @ self.vectors + (total >> 1)) // total

    def distance(self, template: np.ndarray) -> int:
        """Mean distance of its parts from a template's."""
        return int(distances(self.parts(), template).sum()) // PARTS


def segments(loudness: np.ndarray, vectors: np.ndarray) -> list[Segment]:
    """All that stand alone in a stream and are no longer than a word. Arguments: of `frames`."""
    return [segment_of(codes, vectors, begin) for begin, codes in standing(loudness)]


def standing(loudness: np.ndarray) -> list[tuple[int, list[int]]]:
    """(first frame, weights' codes) of each of `segments`: they are found by loudness alone.

    What the stream's end cuts off before `QUIET` frames are over is none.
    """
    found, state, codes = [], Standing(), []
    for t, e in enumerate(loudness.tolist()):
        codes.append(state.push(e))
        if state.ended and state.fits:
            begin = t + 1 - state.length
            found.append((begin, codes[begin : t + 1 - QUIET]))
    return found


def segment_of(codes: Sequence[int], vectors: np.ndarray, begin: int, before: int = 0) -> Segment:
    """The segment that begins at a frame of a stream, the vectors being those of the stream from frame `before` on."""
    rows = np.arange(begin - before, begin - before + len(codes))
    late = np.minimum(rows + LAG, len(vectors) - 1)
    joined = np.concatenate([vectors[rows, :COEFFICIENTS], vectors[late, COEFFICIENTS:]], axis=1)
    return Segment(begin, begin + len(codes), np.array(codes), joined)


# ---------------------------------------------------------------- words


@dataclass(frozen=True)
class Word:
    """A word as the board keeps it: a page of flash."""

    name: str
    template: np.ndarray
    """int8 [PARTS, 42]: coefficients -8 .. 7, and values of `LEVELS`."""
    threshold: int = THRESHOLD
    """Excess of a frame, in the mean, up to which it is heard, 0 .. 255."""

    def __post_init__(self):
        check_name(self.name)

    def pack(self) -> bytes:
        """A page: name, version, threshold, the parts, CRC-16 of all before it, high byte first: that of the page is 0.

        A part is its coefficients, a nibble each, from -8 on, then its values of the block, two bits each; low first.
        """
        nibbles = self.template[:, :COEFFICIENTS] + 8
        pairs = np.searchsorted(LEVELS, self.template[:, COEFFICIENTS:]).reshape(PARTS, -1, 4)
        rows = np.concatenate([nibbles[:, ::2] | nibbles[:, 1::2] << 4, (pairs << [0, 2, 4, 6]).sum(axis=-1)], axis=1)
        body = self.name.encode().ljust(NAME_BYTES, b"\0") + bytes([VERSION, self.threshold])
        body += rows.astype(np.uint8).tobytes()
        return body + binascii.crc_hqx(body, CRC_START).to_bytes(2, "big")

    @classmethod
    def unpack(cls, page: bytes) -> Word:
        """What `pack` made. Raises `UserError` where it is not that, whole."""
        if len(page) != PAGE_BYTES or page[NAME_BYTES] != VERSION or binascii.crc_hqx(page, CRC_START):
            raise UserError("these bytes hold no word, or only half of one: teach it again")
        rows = np.frombuffer(page, np.uint8)[2 + NAME_BYTES : -2].reshape(PARTS, -1)
        nibbles, pairs = rows[:, : COEFFICIENTS // 2, None] >> [0, 4] & 15, rows[:, COEFFICIENTS // 2 :, None]
        template = np.concatenate([nibbles.reshape(PARTS, -1) - 8,
                                   LEVELS[pairs >> [0, 2, 4, 6] & 3].reshape(PARTS, -1)], axis=1)
        name = page[:NAME_BYTES].rstrip(b"\0").decode("ascii", "replace")
        return cls(name, template.astype(np.int8), page[NAME_BYTES + 1])


def check_name(name: str) -> str:
    """The name itself. Raises `UserError` for one that the board cannot print in a line."""
    if not re.fullmatch(NAME, name):
        raise UserError(f"a word's name is 1 to {NAME_BYTES} letters and digits of ASCII, '-' or '_', not {name!r}")
    return name


# ---------------------------------------------------------------- a take


@dataclass
class Take:
    """A take as it is said, frame by frame, from the ask on. Bytes on the chip: 7 a frame, and a dozen."""

    standing: Standing = field(default_factory=Standing)
    kept: list[tuple[int, np.ndarray]] = field(default_factory=list)
    """At most `FRAMES`: code and 12 nibbles, -8 .. 7."""
    frames: int = 0
    """Since the ask, up to `LONGEST_COUNT`."""
    clipped: int = 0
    """Samples, up to `CLIPPED`."""
    first: int | None = None
    """Loudness of the first frame; None before it."""
    least: int = 127
    largest: int = -128

    def push(self, features: np.ndarray, clipped: int = 0) -> str | None:
        """Take a frame, int8 [2, 12], and how many of its samples are clipped: None while it goes on, then a verdict,
        which is `OK` or one of `REFUSALS`; "unlike" is not this class's to say."""
        (loudness,) = loudness_of(features).tolist()
        if not self.standing.stands:
            del self.kept[: max(0, len(self.kept) - LEAD)]
        code = self.standing.push(loudness)
        if len(self.kept) < FRAMES:
            self.kept.append((code, nibbles_of(features)[0]))
        self.frames = min(self.frames + 1, LONGEST_COUNT)
        self.clipped = min(self.clipped + clipped, CLIPPED)
        self.first = loudness if self.first is None else self.first
        self.least, self.largest = min(self.least, loudness), max(self.largest, loudness)
        if self.standing.ended:
            return self._verdict()
        if self.standing.stands:
            return "long" if self.standing.length == LONGEST_COUNT else None
        return "empty" if self.frames >= PATIENCE else None

    def _verdict(self) -> str | None:
        """On what has just ended; None where it is forgotten."""
        if self.clipped >= CLIPPED:
            return "clipped"
        if self.cut:
            return "cut"
        if not self.standing.fits:
            return "long"
        return OK if self.heavy >= SHORTEST else None

    @property
    def heavy(self) -> int:
        """Frames with weight that are kept."""
        return sum(code > 0 for code, _ in self.kept)

    @property
    def cut(self) -> bool:
        """Whether it began in the middle of a word."""
        return self.largest - self.least >= SPAN and self.first > (self.least + self.largest) >> 1

    def segment(self, model: IntegerModel) -> Segment:
        """The word that has just ended. Frames count from the first that is kept."""
        return replayed(model, [code for code, _ in self.kept], np.stack([nibbles for _, nibbles in self.kept]))


def nibbles_of(features: np.ndarray) -> np.ndarray:
    """What is kept of features, int8 [2 n, 12]: int64 [n, 12], -8 .. 7."""
    return features.astype(np.int64).reshape(-1, 2, features.shape[-1]).sum(axis=1) >> 1 + KEPT_SHIFT


def replayed(model: IntegerModel, codes: Sequence[int], nibbles: np.ndarray) -> Segment:
    """The word among frames that were kept, the last `QUIET` of which are behind it, as the network hears it alone,
    from its reset on: it is quiet while the word is said."""
    begin = next(i for i, code in enumerate(codes) if code)
    heard = np.repeat((nibbles << KEPT_SHIFT) + (1 << KEPT_SHIFT >> 1), 2, axis=0).astype(np.int8)
    vectors = frames(model, np.concatenate([heard, heard[-2:]]))[1]  # half a batch is filled up
    return segment_of(codes[begin : len(codes) - QUIET], vectors, begin)


def taken(model: IntegerModel, features: np.ndarray, begin: int, codes: Sequence[int]) -> Segment:
    """A word in features, int8 [T, 12], as it is taught: `LEAD` frames before and `QUIET` behind belong to it.

    begin, codes : of `standing`
    """
    before = max(0, begin - LEAD)
    nibbles = nibbles_of(features[2 * before : 2 * (begin + len(codes) + QUIET)])
    segment = replayed(model, [0] * (begin - before) + list(codes) + [0] * QUIET, nibbles)
    return replace(segment, begin=begin, end=begin + len(codes))


def is_clipped(samples: np.ndarray) -> np.ndarray:
    """Which of int16 [n] are as large as `FULL_SCALE` in size."""
    return np.abs(samples.astype(np.int32)) >= FULL_SCALE


def refused(verdict: str) -> UserError:
    """The line for a take that is none."""
    return UserError(REFUSALS[verdict])


def take(model: IntegerModel, samples: np.ndarray) -> Segment:
    """The word in a recording, int16 [n] at 8 kHz: what weighs most of all that stands alone in it.

    Raises `UserError` for a take that is clipped, empty, cut, too long, or of another type.
    """
    samples = np.asarray(samples)
    if samples.dtype != np.int16 or samples.ndim != 1:
        raise UserError(f"a take is int16 samples [n] at 8 kHz, not {samples.dtype} {list(samples.shape)}")
    if np.count_nonzero(is_clipped(samples)) >= CLIPPED:
        raise refused("clipped")
    features, count = frontend.FrontendStream().push(with_silence(samples)), listening.frame_count(len(samples)) // 2
    one, found, verdicts, cut = Take(), None, set(), False
    for t in range(len(features) // 2):
        verdicts.add(one.push(features[2 * t : 2 * t + 2]))
        cut = one.cut if t < count else cut  # the silence behind is softer than any room
        if one.standing.ended and one.standing.fits and one.heavy >= SHORTEST:
            segment, end = one.segment(model), t + 1 - QUIET
            if found is None or segment.weight > found[0].weight:
                found = segment, end
    if cut or (found and found[1] >= count):
        raise refused("cut")
    if not found:
        raise refused("long" if "long" in verdicts else "empty")
    return found[0]


def with_silence(samples: np.ndarray) -> np.ndarray:
    """A recording, int16 [n], and behind it the silence in which its last word ends: its last sample stays."""
    return np.pad(samples, (0, SILENCE_SAMPLES), "edge" if len(samples) else "constant")


# ---------------------------------------------------------------- teaching


@dataclass
class Sums:
    """Parts of all takes so far, added up: int8 on the chip, which takes `TAKES`."""

    rows: np.ndarray = field(default_factory=lambda: np.zeros((PARTS, VALUES), np.int64))
    count: int = 0

    def add(self, parts: np.ndarray) -> bool:
        """Take parts int64 [PARTS, 42]: whether they are like those before. If not, they are refused, or, where there
        was one take before, take its place."""
        like = not self.count or self.unlikeness(parts) <= PARTS * UNLIKE * self.count
        if not like and self.count == 1:
            self.rows, self.count = np.zeros_like(self.rows), 0
        if like or not self.count:
            self.rows, self.count = self.rows + parts, self.count + 1
        return like

    def unlikeness(self, parts: np.ndarray) -> int:
        """`PARTS` times as many takes as there are times a mean distance."""
        return int(distances(self.count * parts, self.rows).sum())

    def template(self) -> np.ndarray:
        """Mean of the takes, rounded half up, the block's values to `LEVELS`: int8 [PARTS, 42]."""
        return to_levels((self.rows + (self.count >> 1)) // self.count).astype(np.int8)


def to_levels(values: np.ndarray) -> np.ndarray:
    """Vectors int64 [..., 42] as a template can hold them: the block's values are of `LEVELS`."""
    levels = LEVELS[np.searchsorted(BORDERS, values[..., COEFFICIENTS:], side="right")]
    return np.concatenate([values[..., :COEFFICIENTS], levels], axis=-1)


@dataclass
class Teaching:
    """A board that is taught a word: it asks for takes until it has `TAKES`.

        teaching = Teaching(model, "lamp")
        while not teaching.done:
            verdict = teaching.push(samples)       # None: more of the same take

    After a verdict it has asked anew: what is pushed next is heard from nothing.
    """

    model: IntegerModel
    name: str
    takes: int = TAKES
    sums: Sums = field(default_factory=Sums)
    stream: frontend.FrontendStream = field(default_factory=frontend.FrontendStream)
    take: Take = field(default_factory=Take)
    waiting: np.ndarray = field(default_factory=lambda: np.empty((0, frontend.N_COEFFICIENTS), np.int8))
    """Frames of features whose fellow has not come: at most one."""
    loud: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))
    """For each clipped sample since the ask, the frame of features that it is new in."""
    samples: int = 0
    """Since the ask, and frames of features."""
    frames: int = 0

    def __post_init__(self):
        check_name(self.name)

    @property
    def done(self) -> bool:
        return self.sums.count >= self.takes

    def push(self, samples: np.ndarray) -> str | None:
        """Take samples, int16 [n] at 8 kHz: a verdict, `OK` or one of `REFUSALS`, as soon as there is one, and then
        the rest of the samples is not heard; else None."""
        loud = np.flatnonzero(is_clipped(samples)) + self.samples - (frontend.WINDOW - frontend.HOP)
        self.loud, self.samples = np.concatenate([self.loud, loud // frontend.HOP]), self.samples + len(samples)
        features = np.concatenate([self.waiting, self.stream.push(samples)])
        for pair in features[: len(features) // 2 * 2].reshape(-1, 2, features.shape[1]):
            clipped = int(np.count_nonzero(self.loud // 2 == self.frames // 2))
            self.frames += 2
            if verdict := self.hear(pair, clipped):
                return verdict
        self.waiting = features[len(features) // 2 * 2 :]
        return None

    def hear(self, features: np.ndarray, clipped: int = 0) -> str | None:
        """Take a frame of features, int8 [2, 12], and how many of its samples are clipped: as `push` of its samples."""
        verdict = self.take.push(features, clipped)
        if verdict == OK and not self.sums.add(self.take.segment(self.model).parts()):
            verdict = "unlike"
        if verdict:
            self.ask()
        return verdict

    def ask(self) -> None:
        """Forget what was heard since the last verdict."""
        fresh = Teaching(self.model, self.name)
        self.stream, self.take, self.waiting = fresh.stream, fresh.take, fresh.waiting
        self.loud, self.samples, self.frames = fresh.loud, fresh.samples, fresh.frames

    def word(self) -> Word:
        """The word, once it is `done`; or of the takes so far, of which there must be one."""
        return Word(self.name, self.sums.template())


def teach(name: str, takes: Sequence[Segment]) -> Word:
    """A word of its takes. Raises `UserError` for none, for one unlike those before, and for a name that is none."""
    if not takes:
        raise UserError("a word needs at least one take; five make a good one")
    sums = Sums()
    for i, one in enumerate(takes):
        if not sums.add(one.parts()):
            raise UserError(f"take {i + 1} is unlike the others: say the same word again")
    return Word(name, sums.template())


# ---------------------------------------------------------------- recognising


@dataclass
class Listener:
    """Hears taught words in a stream, frame by frame, as a chip would. Bytes on the chip: `state_bytes`.

    words : at most `MAX_WORDS`, else `UserError`
    """

    words: Sequence[Word]
    standing: Standing = field(default_factory=Standing)
    line: list[np.ndarray] = field(default_factory=list)
    """Coefficients of the last `LAG` frames and this one: on the chip, of the batches that they are of."""
    costs: np.ndarray | None = None
    """int8 [words, PARTS] on the chip; None before a word's first frame."""
    lowest: int | None = None
    """Cost of the word that came closest, at the last decision; not on the chip."""

    def __post_init__(self):
        if len(self.words) > MAX_WORDS:
            raise UserError(f"a board keeps at most {MAX_WORDS} words, not {len(self.words)}")
        self.templates = np.stack([word.template for word in self.words]).astype(np.int64) if self.words else \
            np.zeros((0, PARTS, VALUES), np.int64)
        self.thresholds = np.array([[word.threshold] for word in self.words], np.int64).reshape(-1, 1)

    @staticmethod
    def state_bytes(words: int) -> int:
        """Of RAM: floor and peak, history, length, the line, whether a word has started, and costs."""
        batches = -(-LAG // BATCH) + 1
        return 4 + 4 + 1 + batches * COEFFICIENTS // 2 + 1 + PARTS * words

    def push(self, loudness: int, vector: np.ndarray) -> int | None:
        """Take a frame of `frames`: the index of a word that ended `QUIET` frames ago, or None."""
        self.standing.push(loudness)
        self.line.append(vector[:COEFFICIENTS])
        if len(self.line) > LAG:
            coefficients, code = self.line.pop(0), self.standing.code(LAG)
            if code:
                there = np.concatenate([coefficients, vector[COEFFICIENTS:]]).astype(np.int64)
                self.costs = step(self.costs, beyond_usual(there, self.templates) - self.thresholds, code)
        return self._decide() if self.standing.ended else None

    def _decide(self) -> int | None:
        """Which word it was, if it was one; all is forgotten."""
        last = self.costs[:, -1].tolist() if self.standing.fits else []
        self.costs, self.lowest = None, min(last, default=None)
        return last.index(self.lowest) if last and self.lowest < 0 else None


def heard(model: IntegerModel, samples: np.ndarray, words: Sequence[Word]) -> list[tuple[int, int]]:
    """(frame, index) of every taught word heard in samples, int16 [n] at 8 kHz."""
    features = frontend.FrontendStream().push(samples)
    if len(features) < 2 * BATCH:
        return []
    listener = Listener(words)
    answers = [listener.push(*row) for row in zip(*_rows(model, features), strict=True)]
    return [(frame, index) for frame, index in enumerate(answers) if index is not None]


def reported(model: IntegerModel, samples: np.ndarray, words: Sequence[Word],
             **settings: int | str | None) -> list[tuple[int, str]]:
    """(FRAME, name) of every word that a board reports to which these were taught, as `listening.words` of one to which
    none were; the ten first."""
    decider, listener = decision.of_network(model, **settings), Listener(words)
    found: list[tuple[int, str]] = []
    taught = None
    rows = zip(*_rows(model, frontend.FrontendStream().push(samples)), strict=True)
    for (frame, scores), row in zip(listening.scored_frames(model, samples), rows, strict=False):
        label, heard = decider.push(scores), listener.push(*row)
        taught = taught if heard is None else heard
        if decider.frames:
            continue  # the other frame of the batch is to come
        if label is not None:
            found.append((frame, model.classes[label]))
        if taught is not None and decider.taught():
            found.append((frame, words[taught].name))
        taught = None
    return found


def _rows(model: IntegerModel, features: np.ndarray) -> tuple[list[int], np.ndarray]:
    loudness, vectors = frames(model, features)
    return loudness.tolist(), vectors


def report_frame(frame: int) -> int:
    """FRAME, in frames of features so far, with which a board reports a word that ended at a frame: when the batch is
    computed, whose last scores come one later."""
    return 2 * BATCH * (frame // BATCH + 1) + 1


def heard_in_clip(model: IntegerModel, samples: np.ndarray, words: Sequence[Word]) -> int | None:
    """The last taught word in a recording, int16 [n] at 8 kHz, behind which there is silence; None where there is none.
    """
    found = heard(model, with_silence(samples), words)
    return found[-1][1] if found else None


# ---------------------------------------------------------------- files


def save(path: str | Path, model: IntegerModel, words: Sequence[Word]) -> None:
    """Write words, as they lie in flash, and the network that they were taught with: all or, where that may not be,
    nothing, and `UserError`."""
    part = Path(f"{path}.part")
    try:
        with part.open("wb") as file:  # the name as it is given: numpy would add a suffix
            np.savez(file, network=model.digest, words=np.array([list(word.pack()) for word in words], np.uint8))
        part.replace(path)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}") from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def load(path: str | Path, model: IntegerModel) -> list[Word]:
    """Words of a file that `save` wrote. Raises `UserError` for a missing or foreign file, and for words that were
    taught with another network."""
    try:
        held = arrays.load(path, FILE_BYTES, "holds no taught words")
    except FileNotFoundError as error:
        raise UserError(f"no taught words at {path}: run `python -m tinyspeech teach` first") from error
    with files.parsing(path, "holds no taught words"):
        network, rows = str(held["network"]), held["words"]
        if rows.dtype != np.uint8 or rows.ndim != 2 or rows.shape[1:] not in ((PAGE_BYTES,), (0,)):
            raise ValueError(f"a word is {PAGE_BYTES} bytes")
    if network != model.digest:
        raise UserError(f"{path} was taught with another network than {model.name}: teach its words again")
    return [Word.unpack(row.tobytes()) for row in rows]
