"""Project of the part Run: a word of the reader's own, and what a board makes of it.

    from tinyspeech.exercises.projects import word
    word.score("my_takes", "tea")                            # a folder of takes, a file each
    word.score("my_takes", "tea", teach=(1, 2, 4), threshold=80)

Files count in the order of their names. The last `HELD` are never taught: they are played to the board, in a row with
other words, clean and in noise. Of the others the reader says which teach the word, and up to which threshold it is
heard. The definition makes a word of them (`integer/words.py`), a virtual board keeps it, over its serial port, and
what it keeps hears the rows and a minute of talk, as mu-law over the same port. Whole numbers throughout: the same
recordings get the same score everywhere, but for those that have to be resampled to 8 kHz. Chapters 11 and 12.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

import numpy as np

from tinyspeech import paths
from tinyspeech.board.cable import Cable
from tinyspeech.board.taught import Board, heard_many
from tinyspeech.board.virtual import VirtualBoard, shipped_image
from tinyspeech.errors import UserError
from tinyspeech.exercises.projects.mixing import mixed
from tinyspeech.exercises.projects.scored import Figure, Refused, Score, scored
from tinyspeech.integer import frontend, words
from tinyspeech.integer.network import IntegerModel
from tinyspeech.sound import audio, datasets, recordings, takes, talk
from tinyspeech.sound.mulaw import mulaw_encode
from tinyspeech.sound.noise import noise_folder, read_noise

HELD, TEACH = 5, (1, 2, 3, 4, 5)
"""Takes that are played, and by number those that teach where nothing else is said."""
LONGEST_S, PAUSE_S, TALK_S = 4, 0.5, 30
"""Of a take, between two sounds of a row, and of the talk."""
HEARD, FALSE = 100, 200
"""Points for a take that is heard, and what a false report costs."""
WHERE = ("clean", "in noise", "in talk")
SAID, AGAIN, TALK = "said", "said, a second time", "talk"
"""What a report is about beside other words: a take, a take that was reported already, the talk."""
SNR, NOISE = 4, "babble"
"""Power of the takes that are played, quiet included, over that of the noise in the second row; and its recording."""
QUIET_S = 0.1
"""The softest so long of a take is the room in which it was said."""
OWN, OTHERS, SEED = 2, 5, 12
"""Takes of each bundled word in a row, and other words of other voices; what draws them and the order."""
HINTS = {
    words.REFUSALS["empty"]: "Say it louder, or closer to the microphone.",
    words.REFUSALS["cut"]: "Half a second of quiet belongs to a take, before the word and behind it.",
    words.REFUSALS["long"]: "One word, of at most 1.1 s: a pause of 0.28 s ends it.",
    words.REFUSALS["clipped"]: "Say it more softly, or turn the recording level down.",
}
"""For what `words.take` raises."""


@dataclass(frozen=True)
class Row:
    """Sounds in a row: what a board hears."""

    sound: np.ndarray
    """int16 [n] at 8 kHz."""
    parts: tuple[tuple[str, int, int], ...]
    """Of each sound its word, or `SAID`, and the frames of 20 ms in which a report is about it: from its beginning to
    the next one's."""

    def about(self, frames: Sequence[int]) -> list[str]:
        """What the reports at these frames are about; a second one about one take is about `AGAIN`."""
        found = [next(part for part in self.parts if frame < part[2] or part is self.parts[-1]) for frame in frames]
        return [AGAIN if part[0] == SAID and part in found[:i] else part[0] for i, part in enumerate(found)]


def score(folder: str | Path | Sequence[Path], name: str, teach: Sequence[int] = TEACH,
          threshold: int = words.THRESHOLD) -> Score:
    """What a word is worth.

    folder : of takes, or the files themselves; the last `HELD` are played. name : what the word is called: its own
    clips are not among the other words. teach : numbers of takes, from 1 on. threshold : 0 to 255
    """
    return scored(f"A word of your own: {name}", lambda: _judge(folder, name, teach, threshold))


def _judge(folder: str | Path | Sequence[Path], name: str, teach: Sequence[int],
           threshold: int) -> tuple[list[Figure], int]:
    about = _about(folder, name, teach, threshold)
    heard = {where: one.count(SAID) for where, one in about.items()}
    false = {where: len(one) - heard[where] for where, one in about.items()}
    figures = [Figure("takes that teach", len(teach)),
               *(Figure(f"heard, {where}", heard[where], f"of {HELD}") for where in WHERE[:2]),
               *(Figure(f"false reports, {where}", false[where]) for where in WHERE)]
    return figures, max(0, HEARD * sum(heard.values()) - FALSE * sum(false.values()))


def mistaken(folder: str | Path | Sequence[Path], name: str, teach: Sequence[int] = TEACH,
             threshold: int = words.THRESHOLD) -> dict[str, list[str]]:
    """What is falsely reported as the word, {"clean": [...], ...}: the other words that are, each time. As `score`, but
    raises `UserError` for a submission that is wrong."""
    try:
        about = _about(folder, name, teach, threshold)
    except Refused as refused:
        raise UserError(f"{refused.wrong}: {refused.hint}") from refused
    return {where: [one for one in found if one != SAID] for where, found in about.items()}


def _about(folder: str | Path | Sequence[Path], name: str, teach: Sequence[int],
           threshold: int) -> dict[str, list[str]]:
    """What each report is about, for each of `WHERE`. Raises `Refused` for a submission that is wrong."""
    files = _files(folder)
    sounds = [_take(file) for file in files]
    model = IntegerModel.load(paths.model_file(paths.SHIPPED, ".npz"))
    kept = on_a_board(_taught(model, name, files[:-HELD], sounds[:-HELD], teach, threshold))
    clean = in_a_row(sounds[-HELD:], other_words(name.lower()))
    minute = recordings.at_8khz(talk.SOUND)[: TALK_S * frontend.SAMPLE_RATE_HZ]
    rows = clean, in_noise(clean, sounds[-HELD:]), Row(minute, ((TALK, 0, len(minute) // frontend.HOP),))
    heard = reports([row.sound for row in rows], kept)
    return {where: row.about(frames) for where, row, frames in zip(WHERE, rows, heard, strict=True)}


# ---------------------------------------------------------------- what is handed in


def _files(folder: str | Path | Sequence[Path]) -> list[Path]:
    """The takes, in their order. Raises `Refused` for too few, or for none."""
    try:
        files = recordings.found(Path(folder)) if isinstance(folder, str | Path) else [*map(Path, folder)]
    except UserError as error:
        raise Refused(str(error), "Record ten takes of your word, a file each.") from error
    if len(files) <= HELD:
        raise Refused(f"{len(files)} takes: the last {HELD} are played, and none is left to teach",
                      "Record ten takes of your word, a file each.")
    return files


def _take(file: Path) -> np.ndarray:
    """A take, int16 [n] at 8 kHz. Raises `Refused` for one that cannot be read, is empty or long."""
    try:
        sound = recordings.at_8khz(file)
    except (UserError, OSError) as error:
        raise Refused(str(error), "Take WAV or FLAC files, as a recorder writes them.") from error
    if not sound.any():
        raise Refused(f"{file.name} holds silence", "Look which microphone the recorder listens to.")
    if len(sound) > LONGEST_S * frontend.SAMPLE_RATE_HZ:
        raise Refused(f"{file.name} lasts {len(sound) / frontend.SAMPLE_RATE_HZ:.1f} s, at most {LONGEST_S} allowed",
                      "A file holds the word once, with half a second of quiet before it and behind it.")
    return sound


def _taught(model: IntegerModel, name: str, files: Sequence[Path], sounds: Sequence[np.ndarray],
            teach: Sequence[int], threshold: int) -> words.Word:
    """The word that these takes make. Raises `Refused` where they do not."""
    if not teach or len({*teach}) < len(teach) or not {*teach} <= {*range(1, len(sounds) + 1)}:
        raise Refused(f"takes {', '.join(map(str, teach)) or 'none'} cannot teach: there are 1 to {len(sounds)}",
                      f"The last {HELD} files are played, so that they may not teach; name each of the others once.")
    if threshold not in range(words.LARGEST_THRESHOLD + 1):
        raise Refused(f"a threshold of {threshold}: a byte holds 0 to {words.LARGEST_THRESHOLD}",
                      f"{words.THRESHOLD} is what a board takes.")
    try:
        words.check_name(name)
    except UserError as error:
        raise Refused(str(error), "Take a shorter name, as a serial monitor prints it.") from error
    sums = words.Sums()
    for number in teach:
        file = files[number - 1].name
        try:
            like = sums.add(words.take(model, sounds[number - 1]).parts())
        except UserError as error:
            raise Refused(f"{file}: {error}", HINTS[str(error)]) from error
        if not like:
            raise Refused(f"{file}: {words.REFUSALS['unlike']}", "Listen to it, or leave it out.")
    return words.Word(name, sums.template(), threshold)


# ---------------------------------------------------------------- what is played


def other_words(but: str) -> list[tuple[str, np.ndarray]]:
    """(word, int16 [n] at 8 kHz) of sounds among which the word is said: takes of the bundled words, and clips of
    testing voices. but : a word, in small letters, that is not among them"""
    own = [(other, recordings.at_8khz(file)) for other in ("lamp", "coffee", "garage") if other != but
           for file in takes.files(other, "heart")[-OWN:]]
    clips = datasets.clips_of_split(paths.BUNDLED, "testing")
    names = [(other, name) for other in sorted(clips) if other != but for name in sorted(clips[other])]
    return own + [(other, frontend.to_8khz(audio.load_clip(paths.BUNDLED / name)))
                  for other, name in random.Random(SEED).sample(names, OTHERS)]


def in_a_row(said: Sequence[np.ndarray], others: Sequence[tuple[str, np.ndarray]]) -> Row:
    """Takes and other sounds, int16 [n] each at 8 kHz, in an order that is drawn, with pauses between them. Under all
    lies a hiss as loud as the room of the loudest take: nobody records without any.
    """
    sounds = [*((SAID, sound) for sound in said), *others]
    random.Random(SEED).shuffle(sounds)
    pieces, parts = [_quiet()], []
    for word, sound in sounds:
        begin = sum(map(len, pieces))
        pieces += [sound, _quiet()]
        parts.append((word, begin // frontend.HOP, sum(map(len, pieces)) // frontend.HOP))
    row = np.concatenate(pieces).astype(np.int64)
    loudest = math.isqrt(3 * max(map(room, said)))  # of an even spread
    hiss = np.random.default_rng(SEED).integers(-loudest, loudest + 1, len(row))
    return Row(np.clip(row + hiss, -32768, 32767).astype(np.int16), tuple(parts))


def _quiet() -> np.ndarray:
    return np.zeros(int(PAUSE_S * frontend.SAMPLE_RATE_HZ), np.int16)


def room(take: np.ndarray) -> int:
    """Mean power of the softest tenth of a second of a take, int16 [n] at 8 kHz, without the silence of a recorder."""
    length = int(QUIET_S * frontend.SAMPLE_RATE_HZ)
    parts = take[: len(take) // length * length].astype(np.int64).reshape(-1, length)
    powers = ((parts**2).sum(axis=1) // length).tolist()
    return min((power for power in powers if power), default=0)


def in_noise(row: Row, said: Sequence[np.ndarray]) -> Row:
    """The same row in noise of a quarter of the mean power of `said`; in whole numbers."""
    noise = np.resize(_noise(), len(row.sound)).astype(np.int64)
    power = sum(int((one.astype(np.int64) ** 2).sum()) for one in said) // sum(map(len, said))
    return Row(mixed(row.sound, noise, power, SNR * (int((noise**2).sum()) // len(noise))), row.parts)


@cache
def _noise() -> np.ndarray:
    file = next(path for path in audio.sounds_in(noise_folder(paths.BUNDLED)) if NOISE in path.stem)
    noise = read_noise(file)
    return frontend.to_8khz(noise[: len(noise) // 2 * 2])


# ---------------------------------------------------------------- the board


def on_a_board(word: words.Word) -> words.Word:
    """The word as a virtual board with our firmware keeps it, put there and read back over its serial port."""
    line = Cable(VirtualBoard(shipped_image()))
    board = Board(line, line.now)
    place = board.keep(word)
    return board.words()[place]


def reports(sounds: Sequence[np.ndarray], word: words.Word) -> list[list[int]]:
    """FRAME of each report of a word by boards that keep it, for each sound, int16 [n] at 8 kHz, as mu-law over the
    port."""
    codes = tuple(mulaw_encode(words.with_silence(sound)).tobytes() for sound in sounds)
    return [[*frames] for frames in _heard(codes, word.pack())]


@lru_cache(maxsize=8)
def _heard(codes: tuple[bytes, ...], page: bytes) -> tuple[tuple[int, ...], ...]:
    """`reports` of bytes, so that nobody waits for the same sounds and the same word twice."""
    sounds = [np.frombuffer(one, np.uint8) for one in codes]
    return tuple(tuple(frame for frame, _ in heard)
                 for heard in heard_many(shipped_image(), sounds, [words.Word.unpack(page)]))
