"""Speech Commands and everything laid out like it: the 12-class task, the cached log-mel set, the download.

What it is not: it knows no network and no features; augmentation is in `augment.py`, the making of the bundled clips
in `synthesis.py`. No torch. Introduced in the chapter on data.

    from tinyspeech import datasets
    for name, label, samples in datasets.load_task("data/bundled", split="validation"):
        ...                                            # str, index into CLASSES, int16 [16000]

Every draw (unknown words, pieces of silence, a limited subset) is made by hashing names together with the seed, so it
depends neither on the order in which a file system lists files nor on the version of a random generator.
"""

from __future__ import annotations

import hashlib
import http.client
import io
import math
import os
import random
import re
import shutil
import tarfile
import urllib.error
import urllib.request
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from tqdm import tqdm

from tinyspeech import CLASSES, KEYWORDS, audio
from tinyspeech.errors import UserError
from tinyspeech.paths import BUNDLED, ROOT, cache_folder  # noqa: F401 (the book still imports them from here)

# --- which clip is in which split -------------------------------------------------------------------------------------

SPLITS = ("training", "validation", "testing", "all")
SUFFIXES = (".wav", ".flac")
VALIDATION_PERCENT, TESTING_PERCENT = 10, 10
MAX_CLIPS_PER_CLASS = 2**27 - 1
"""Modulus (less one) of the published split rule (Warden 2018)."""


def hash_split(name: str) -> str:
    """Split of a clip by its speaker: the published rule, so that a speaker never crosses splits.

    The part of the file name before `_nohash_` is hashed with SHA-1; the hash modulo 2**27, as a percentage, is below
    10 for validation, below 20 for testing, else training. (Warden 2018, arXiv:1804.03209.)

    Parameters
    ----------
    name : file name, with or without folder and suffix

    Returns
    -------
    "training", "validation" or "testing"
    """
    number = int(hashlib.sha1(speaker(name).encode()).hexdigest(), 16) % (MAX_CLIPS_PER_CLASS + 1)
    percent = number * (100.0 / MAX_CLIPS_PER_CLASS)
    if percent < VALIDATION_PERCENT:
        return "validation"
    return "testing" if percent < VALIDATION_PERCENT + TESTING_PERCENT else "training"


def speaker(name: str) -> str:
    """Who speaks in a clip: the part of its file name before `_nohash_`, without folder and suffix."""
    return re.sub(r"_nohash_.*$", "", stem(Path(name).name))


def stem(name: str) -> str:
    """`name` without its sound suffixes: one clip has one split, as wav or flac (or `.wav.wav`, as some test sets)."""
    while name.lower().endswith(SUFFIXES):
        name = name[: name.rfind(".")]
    return name


def _read_list(path: Path) -> set[str]:
    """Clips named in `validation_list.txt` or `testing_list.txt`, as `word/stem`."""
    try:
        return {stem(line.strip().replace("\\", "/")) for line in path.read_text("utf-8").splitlines() if line.strip()}
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            f"{path} cannot be read ({error}): one clip a line is needed, as in yes/x_nohash_0.wav"
        ) from None


def by_hash(names: list[str], *salt: object) -> list[str]:
    """`names` in an order that looks random but depends on the names and the salt alone."""
    salted = ":".join(map(str, salt))
    return sorted(names, key=lambda name: hashlib.sha256(f"{salted}:{name}".encode()).digest())


def clips_by_split(folder: Path, by_word: dict[str, list[str]], split: str) -> dict[str, list[str]]:
    """The clips of one split, by word: the official lists if there are any, else the hash rule."""
    if split == "all":
        return by_word
    paths = {s: folder / f"{s}_list.txt" for s in ("validation", "testing")}
    lists = {s: _read_list(path) for s, path in paths.items() if path.exists()}

    def split_of(name: str) -> str:
        if not lists:
            return hash_split(name)
        return next((s for s, listed in lists.items() if stem(name) in listed), "training")

    return {word: [name for name in names if split_of(name) == split] for word, names in by_word.items()}


# --- recordings of noise ----------------------------------------------------------------------------------------------

BACKGROUND = "_background_noise_"
"""The folder of a corpus that holds them."""
BACKGROUND_SHARE = {"training": (0.0, 0.8), "validation": (0.8, 0.9), "testing": (0.9, 1.0), "all": (0.0, 1.0)}
"""Part of each noise recording, in time, from which a split's silence is cut: no sample serves two splits."""


def noise_spans(folder: str | Path, split: str) -> list[tuple[Path, int, int]]:
    """Where a second of a split's noise may begin, in each recording of a folder: only in that split's part of it.

    Parameters
    ----------
    folder : holds wav or flac recordings of noise; one that does not exist holds none
    split : one of `SPLITS`; `BACKGROUND_SHARE` says which part, in time, is its

    Returns
    -------
    [(recording, first, last)] by name, in samples at 16 kHz; recordings whose part is shorter than a second are left
    out

    Raises
    ------
    UserError : a recording that cannot be read
    """
    folder, (begin, end) = Path(folder), BACKGROUND_SHARE[split]
    spans = []
    try:
        files = sorted(f for f in folder.iterdir() if f.name.lower().endswith(SUFFIXES)) if folder.is_dir() else []
    except OSError as error:
        raise UserError(f"{folder} cannot be read ({error.strerror}): give a folder that you can open") from None
    for path in files:
        with audio.open_sound(path) as file:
            length = file.frames * audio.SAMPLE_RATE_HZ // file.samplerate
        first, last = round(begin * length), round(end * length) - audio.CLIP_SAMPLES
        if first <= last:
            spans.append((path, first, last))
    return spans


def read_noise(path: Path) -> np.ndarray:
    """A whole recording of noise: int16 [N] at 16 kHz."""
    samples = audio.resample(*audio.read(path))
    return samples if samples.dtype == np.int16 else audio.to_int16(samples)


# --- the 12-class task ------------------------------------------------------------------------------------------------

SILENCE, UNKNOWN = "_silence_", "_unknown_"
EXTRA_PERCENT = 10
"""Unknown words and silence: each this share of the number of keyword clips, rounded up (the official task)."""


@dataclass(frozen=True)
class Silence:
    """One second cut from a noise recording; `start` is in samples at 16 kHz. No recording means digital silence."""

    path: Path | None
    start: int
    gain: float


@dataclass(frozen=True)
class Task:
    """A list of clips with labels; the sound is read when it is asked for."""

    folder: Path
    """Where the clips are."""
    split: str
    """One of `SPLITS`; "testing" for a folder in the layout of the official test set."""
    names: list[str]
    """`word/file` below `folder`, or for silence `_silence_/recording_start_gain`; unique and stable."""
    labels: np.ndarray
    """int64 [N], indices into `tinyspeech.CLASSES`."""
    silence: dict[str, Silence] = field(repr=False, default_factory=dict)
    """Where the pieces of silence come from, by name."""

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, i: int) -> tuple[str, int, np.ndarray]:
        """Name, label and samples int16 [16000] of clip `i`."""
        return self.names[i], int(self.labels[i]), self.clip(i)

    def __iter__(self) -> Iterator[tuple[str, int, np.ndarray]]:
        return (self[i] for i in range(len(self)))

    def clip(self, i: int) -> np.ndarray:
        """Samples of clip `i`, int16 [16000] at 16 kHz."""
        name = self.names[i]
        if name not in self.silence:
            return audio.load_clip(self.folder / name)
        piece = self.silence[name]
        if piece.path is None:
            return np.zeros(audio.CLIP_SAMPLES, np.int16)
        noise = self._recordings.get(piece.path)
        if noise is None:
            noise = self._recordings[piece.path] = read_noise(piece.path)
        cut = noise[piece.start : piece.start + audio.CLIP_SAMPLES]
        return np.rint(cut * piece.gain).astype(np.int16)

    def arrays(self) -> tuple[np.ndarray, np.ndarray]:
        """Everything at once: samples int16 [N, 16000] and labels int64 [N]."""
        return np.stack([self.clip(i) for i in range(len(self))]), self.labels

    @cached_property
    def _recordings(self) -> dict[Path, np.ndarray]:
        return {}


def load_task(folder: str | Path, split: str = "validation", seed: int = 0, limit: int | None = None) -> Task:
    """The 12-class task of Warden (2018) over a folder of word folders.

    With the folder layout of the full set (`yes/`, `bed/`, ..., `_background_noise_/`) the split is what
    `validation_list.txt` and `testing_list.txt` say, or without them the SHA-1 of the speaker (`hash_split`). All
    keyword clips of the split are taken; to them come a tenth of their number of other words as `_unknown_` and a
    tenth of `_silence_`: seconds cut from the noise recordings at a random place, times a random gain in [0, 1)
    (the official procedure, input_data.py of TensorFlow's speech_commands example: silence is noise at a volume drawn
    from uniform(0, 1); without recordings it is zeros). We also divide the recordings in time: the first 80 % are
    training, then 10 % validation, then 10 % testing, so no split hears another's noise.

    With the layout of the official test set (a folder `_silence_/` or `_unknown_/` present) every file is used, its
    folder is its label, and `split` and `seed` choose nothing.

    Parameters
    ----------
    folder : holds one folder a word, of wav or flac files of any rate and length
    split : "training", "validation", "testing", or "all" for the three together
    seed : chooses the unknown words, the pieces of silence and the subset
    limit : at most this many clips, taken from the classes in turn

    Returns
    -------
    Task : clips ordered by class, then by name

    Raises
    ------
    UserError : no such folder, no words in it, unknown split, nothing in the split, limit below 1
    """
    folder = Path(folder)
    if split not in SPLITS:
        raise UserError(f"no split is called {split!r}: choose one of {', '.join(SPLITS)}")
    if seed < 0:
        raise UserError(f"a seed of {seed}: give 0 or more")
    if limit is not None and limit < 1:
        raise UserError(f"a limit of {limit} clips leaves nothing: give 1 or more")
    by_word = _scan(folder)

    silence: dict[str, Silence] = {}
    if SILENCE in by_word or UNKNOWN in by_word:
        split = "testing"
        by_class = {name: [] for name in CLASSES}
        for word, names in by_word.items():
            by_class[word if word in CLASSES else UNKNOWN] += names
    else:
        chosen = clips_by_split(folder, by_word, split)
        by_class = {word: chosen.get(word, []) for word in KEYWORDS}
        keywords = sum(map(len, by_class.values()))
        others = [name for word, names in chosen.items() if word not in KEYWORDS for name in names]
        if not keywords and not others:
            counts = {s: sum(map(len, clips_by_split(folder, by_word, s).values())) for s in SPLITS[:3]}
            there = ", ".join(f"{n} in {s}" for s, n in counts.items())
            raise UserError(f"{folder} has no clip in its {split} split ({there}): choose another --split")
        extra = math.ceil(keywords * EXTRA_PERCENT / 100)
        # Without any keyword the folder is a bag of other words: then all of them are the unknown class.
        by_class[UNKNOWN] = sorted(by_hash(others, seed, split, "unknown")[: extra if keywords else None])
        silence = _cut_silence(folder / BACKGROUND, split, seed, extra)
        by_class[SILENCE] = list(silence)

    if limit is not None:
        by_class = _limited(by_class, limit, seed)
    names = [name for word in CLASSES for name in by_class[word]]
    labels = [index for index, word in enumerate(CLASSES) for _ in by_class[word]]
    return Task(folder, split, names, np.array(labels, np.int64), {n: s for n, s in silence.items() if n in set(names)})


def _scan(folder: Path) -> dict[str, list[str]]:
    """Sound files below `folder`, as `word/file`, by word; both sorted; the noise recordings left out."""
    if not folder.exists():
        raise UserError(f"{folder} does not exist: give a folder with one folder a word (yes/, no/, ...)")
    if not folder.is_dir():
        raise UserError(f"{folder} is a file: give a folder with one folder a word (yes/, no/, ...)")
    by_word = {}
    try:
        for word in sorted(entry.name for entry in folder.iterdir() if entry.is_dir()):
            files = sorted(
                f.name
                for f in (folder / word).iterdir()
                if f.name.lower().endswith(SUFFIXES) and not f.name.startswith(".")
            )
            if files and word != BACKGROUND and not word.startswith("."):
                by_word[word] = [f"{word}/{file}" for file in files]
    except PermissionError as error:
        raise UserError(f"{error.filename} may not be read: give a folder that you can open") from None
    if not by_word:
        raise UserError(f"{folder} holds no word folder with wav or flac files: it should look like {folder}/yes/x.wav")
    return by_word


def clips_of_split(folder: str | Path, split: str) -> dict[str, list[str]]:
    """Every clip of one split, {word: [`word/file`]}, all words, sorted. Raises `UserError` as `load_task` does."""
    return clips_by_split(Path(folder), _scan(Path(folder)), split)


def _cut_silence(folder: Path, split: str, seed: int, count: int) -> dict[str, Silence]:
    """`count` pieces of this split's part of the noise recordings, by name, in the order of names."""
    spans = noise_spans(folder, split)
    pieces = {}
    for i in range(count):
        rng = random.Random(f"{seed}:{split}:silence:{i}")  # a string seed: the same on every machine and version
        if spans:
            path, first, last = spans[int(rng.random() * len(spans))]
            start = first + int(rng.random() * (last - first + 1))
            gain = int(rng.random() * 1000) / 1000  # thousandths, so that the name says it exactly
            name, piece = f"{SILENCE}/{path.stem}_{start:07d}_{gain:.3f}", Silence(path, start, gain)
        else:
            name, piece = f"{SILENCE}/zeros_{i:04d}", Silence(None, 0, 0.0)
        pieces[name if name not in pieces else f"{name}_{i}"] = piece
    return dict(sorted(pieces.items()))


def _limited(by_class: dict[str, list[str]], limit: int, seed: int) -> dict[str, list[str]]:
    """At most `limit` names: one from each class in turn until the limit is met or all are taken."""
    queues = {word: by_hash(names, seed, "limit") for word, names in by_class.items()}
    depth = [(i, order, word) for order, word in enumerate(CLASSES) for i in range(len(queues[word]))]
    taken: dict[str, list[str]] = {word: [] for word in CLASSES}
    for i, _, word in sorted(depth)[:limit]:
        taken[word].append(queues[word][i])
    return {word: sorted(names) for word, names in taken.items()}


def info(folder: str | Path = BUNDLED) -> dict:
    """What is in a folder of Speech Commands layout: numbers of clips, by split and class, seconds of noise, bytes.

    Raises
    ------
    UserError : no such folder, or no words in it
    """
    folder = Path(folder)
    by_word = _scan(folder)
    noise = {}
    for path in sorted((folder / BACKGROUND).glob("*")):
        if path.name.lower().endswith(SUFFIXES):
            with audio.open_sound(path) as file:
                noise[path.stem] = round(file.frames / file.samplerate, 3)
    official_test = SILENCE in by_word or UNKNOWN in by_word
    splits = {s: clips_by_split(folder, by_word, s) for s in (("all",) if official_test else SPLITS[:3])}
    count = {s: Counter({w: len(n) for w, n in words.items() if n}) for s, words in splits.items()}
    return {
        "folder": str(folder),
        "clips": sum(map(len, by_word.values())),
        "words": len(by_word),
        "bytes": sum(f.stat().st_size for f in folder.rglob("*") if f.is_file()),
        "split_rule": "none: every file is used, its folder is its label"
        if official_test
        else "lists"
        if any((folder / f"{s}_list.txt").exists() for s in ("validation", "testing"))
        else "SHA-1 of the speaker",
        "splits": {s: sum(c.values()) for s, c in count.items()},
        "speakers": {
            s: len({speaker(name) for names in words.values() for name in names}) for s, words in splits.items()
        },
        "per_word": {word: {s: count[s][word] for s in count} for word in by_word},
        "background_noise_seconds": noise,
    }


def must_exist(*paths: str | Path | None) -> None:
    """Raises `UserError` for the first of these files and folders that is not there; None stands for none."""
    for path in paths:
        if path is not None and not Path(path).exists():
            raise UserError(f"{path} does not exist: `python -m tinyspeech data download` fetches the data")


# --- the cached log-mel set -------------------------------------------------------------------------------------------

LOGMEL_SHAPE = (98, 40)
"""Frames and bands of one of its pictures."""


@dataclass(frozen=True)
class LogMelSet:
    """Speech Commands v0.02 as grey pictures, training and validation only.

    A pixel is clip(round(10.018 ln(mel + 1e-6) + 139.54), 0, 255) of one of 40 HTK-mel power bands (0 to 4 kHz) in one
    30 ms frame, hop 10 ms, of a 16 kHz clip.
    """

    x: np.ndarray
    """uint8 [N, 98, 40]: clip, frame, mel band."""
    words: np.ndarray
    """str [N]: the word said, keyword or other."""
    names: np.ndarray
    """str [N]: `speaker_nohash_n`."""
    splits: np.ndarray
    """str [N]: "training" or "validation", by `hash_split`."""
    noise: np.ndarray
    """uint8 [M, 98, 40]: background noise, one second each."""


def load_logmel(path: str | Path) -> LogMelSet:
    """The log-mel set, from its archive of JPEGs (`.tar.gz`) or from the `.npz` decoded from it.

    Decoding takes about half a minute and is done once: the result is kept in `cache_folder()` under the archive's
    SHA-256.

    Parameters
    ----------
    path : `.npz` with arrays x, word, name, split, noise, or `.tar.gz` of `word/name.jpg`, 98 rows by 40 columns

    Returns
    -------
    LogMelSet

    Raises
    ------
    UserError : no such file, a folder, or not a log-mel set
    """
    path = Path(path)
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "does not exist"
        raise UserError(f"{path} {what}: give the log-mel set as .npz or .tar.gz")
    if path.suffix == ".npz":
        return _load_logmel_npz(path)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    cached = cache_folder() / f"logmel-{digest[:16]}.npz"
    if cached.is_file():
        try:
            return _load_logmel_npz(cached)
        except UserError:
            cached.unlink()  # damaged: decode again
    decoded = _decode_logmel(path)
    cached.parent.mkdir(parents=True, exist_ok=True)
    partial = cached.with_name(f"{cached.stem}.{os.getpid()}.npz")  # two runs at once do not write one file
    s = decoded
    np.savez_compressed(partial, x=s.x, word=s.words, name=s.names, split=s.splits, noise=s.noise)
    partial.replace(cached)
    return decoded


def _load_logmel_npz(path: Path) -> LogMelSet:
    wrong = f"{path} is not a log-mel set: arrays x [N, 98, 40], word, name, split [N] and noise [M, 98, 40] are needed"
    try:
        with np.load(path) as arrays:
            x, words, names, splits, noise = (arrays[key] for key in ("x", "word", "name", "split", "noise"))
    except (OSError, ValueError, KeyError, EOFError, TypeError, zipfile.BadZipFile, zipfile.zlib.error) as error:
        raise UserError(wrong) from error
    shapes_fit = (
        x.shape[1:] == noise.shape[1:] == LOGMEL_SHAPE and words.shape == names.shape == splits.shape == x.shape[:1]
    )
    if not shapes_fit or x.dtype != np.uint8 or noise.dtype != np.uint8:
        raise UserError(wrong)
    return LogMelSet(x, words, names, splits, noise)


def _decode_logmel(path: Path) -> LogMelSet:
    from PIL import Image  # only the archive needs it

    clips, noise = {}, {}
    try:
        with tarfile.open(path, "r:*") as tar, tqdm(desc=f"decoding {path.name}", unit=" clips", disable=None) as bar:
            for member in tar:
                if not member.isfile() or not member.name.endswith(".jpg"):
                    continue
                folder, file = member.name.removeprefix("./").split("/")[-2:]
                pixels = np.asarray(Image.open(io.BytesIO(tar.extractfile(member).read())))
                if pixels.shape != LOGMEL_SHAPE:
                    raise ValueError(f"{member.name} has shape {pixels.shape}, not {LOGMEL_SHAPE}")
                (noise if folder == BACKGROUND else clips)[folder, file.removesuffix(".jpg")] = pixels
                bar.update()
    except (OSError, EOFError, ValueError, tarfile.TarError, zipfile.zlib.error) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(
            f"{path} is not an archive of log-mel pictures ({reason}): give the .tar.gz or an .npz"
        ) from error
    if not clips:
        raise UserError(f"{path} holds no log-mel picture: word/name.jpg is needed, 98 rows by 40 columns")
    empty = np.zeros((0, *LOGMEL_SHAPE), np.uint8)
    return LogMelSet(
        x=np.stack([clips[key] for key in clips]),
        words=np.array([word for word, _ in clips]),
        names=np.array([name for _, name in clips]),
        splits=np.array([hash_split(name) for _, name in clips]),
        noise=np.stack(list(noise.values())) if noise else empty,
    )


# --- the download -----------------------------------------------------------------------------------------------------

URL = "http://download.tensorflow.org/data/speech_commands_v0.02.tar.gz"
SHA256 = "af14739ee7dc311471de98f5f9d2c9191b18aedfe957f4a6ff791c709868ff58"
"""Of the archive at `URL`, as published in the source of torchaudio.datasets.SPEECHCOMMANDS."""


def download(out: str | Path, url: str = URL, sha256: str = SHA256, timeout_s: float = 30.0) -> Path:
    """Fetch Speech Commands v0.02 (2.3 GB) and unpack it into the folder `out`.

    The archive grows beside it as `out.tar.gz.part`; called again after an interruption, it goes on where it stopped.
    Only an archive with the right SHA-256 is unpacked, and `out` appears only when it is complete.

    Parameters
    ----------
    out : folder to make; if it holds words already, nothing is done
    url, sha256 : of a gzipped tar of word folders
    timeout_s : seconds without an answer after which the network counts as absent

    Returns
    -------
    Path : `out`

    Raises
    ------
    UserError : no network, interrupted, wrong checksum, no room, or `out` is in the way
    """
    out = Path(out)
    if out.exists():
        if not out.is_dir() or (any(out.iterdir()) and not any(out.glob("*/*_nohash_*"))):
            raise UserError(f"{out} is in the way: give a folder that does not exist yet")
        if any(out.iterdir()):
            return out
    part = out.with_name(out.name + ".tar.gz.part")
    try:
        _fetch(url, part, timeout_s)
        with part.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if digest != sha256:
            part.unlink()
            raise UserError(
                f"{url} came with SHA-256 {digest}, not {sha256}: it was thrown away; run the command again"
            )
        _unpack(part, out)
        part.unlink()
    except tarfile.TarError as error:
        raise UserError(f"{part} cannot be unpacked ({error}): remove it and run the command again") from error
    except OSError as error:
        raise UserError(f"{out} cannot be written ({error}): 5 GB in a folder of yours are needed") from error
    return out


def _fetch(url: str, part: Path, timeout_s: float) -> None:
    """Append to `part` what is still missing of `url`; the server may or may not be able to resume."""
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    again = "run the command again" + (f" to go on from {part}" if have else "")
    try:
        with urllib.request.urlopen(request, timeout=timeout_s) as reply:
            if reply.status != 206:
                have = 0  # the server sends everything from the start
            part.parent.mkdir(parents=True, exist_ok=True)
            again = f"run the command again to go on from {part}"
            length = reply.headers.get("Content-Length")
            total = have + int(length) if length else None
            with (
                part.open("ab" if have else "wb") as file,
                tqdm(total=total, initial=have, desc=url.rsplit("/", 1)[-1], unit="B", unit_scale=True) as bar,
            ):
                while block := _read_block(reply, url, again):
                    file.write(block)
                    bar.update(len(block))
                if total is not None and file.tell() < total:
                    raise UserError(f"{url} stopped after {file.tell()} of {total} bytes: {again}")
    except urllib.error.HTTPError as error:
        if error.code != 416:  # 416: nothing is missing; the checksum will tell
            raise UserError(f"{url} answered {error.code} {error.reason}: try later, or give another address") from None
    except (urllib.error.URLError, TimeoutError, ConnectionError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise UserError(f"{url} cannot be reached ({reason}): a network connection is needed; then {again}") from None


def _read_block(reply: http.client.HTTPResponse, url: str, again: str) -> bytes:
    """The next part of an answer, b"" at its end. A lost connection must not be taken for a full disk."""
    try:
        return reply.read(1 << 20)
    except (OSError, http.client.HTTPException) as error:
        raise UserError(f"{url} broke off ({error}): {again}") from None


def _unpack(archive: Path, out: Path) -> None:
    """Unpack into a neighbouring folder and move it into place as the last step."""
    unpacked = out.with_name(out.name + ".unpacking")
    shutil.rmtree(unpacked, ignore_errors=True)
    with tarfile.open(archive) as tar:
        for member in tqdm(tar, desc="unpacking", unit=" files"):
            tar.extract(member, unpacked, filter="data")  # refuses links and paths that lead out of the folder
    if out.exists():
        out.rmdir()
    unpacked.replace(out)
