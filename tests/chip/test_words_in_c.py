"""Taught words in C and on the chip are those of the definition, integer by integer: state, costs and decisions."""

import re

import numpy as np
from support.words_in_c import InC, OnChip

from tinyspeech import paths
from tinyspeech.chip.native import Native
from tinyspeech.integer import frontend, trials, words
from tinyspeech.integer.network import IntegerModel
from tinyspeech.sound import datasets

ERASED = b"\xff" * words.PAGE_BYTES


def test_the_constants_of_the_c_are_those_of_the_definition():
    text = (paths.FIRMWARE / "words.h").read_text()
    numbers = {name: value for name, value in re.findall(r"#define WORDS?_?([A-Z_]*) ([^/\n]+)", text)}
    same = {"BYTES": "PAGE_BYTES", "NAME_BYTES": "NAME_BYTES", "PARTS": "PARTS", "COEFFICIENTS": "COEFFICIENTS",
            "BLOCK": "BLOCK", "USUAL_SHIFT": "USUAL_SHIFT", "LAG": "LAG", "QUIET": "QUIET", "LONGEST": "LONGEST",
            "SPAN": "SPAN", "STEEPEST": "STEEPEST", "LARGEST_CODE": "LARGEST_CODE", "COST_SHIFT": "COST_BITS",
            "START": "START", "": "MAX_WORDS"}
    assert {key: int(numbers[key]) for key in same} == {key: getattr(words, name) for key, name in same.items()}
    double = int(numbers["DOUBLE"])
    assert words.DISTANCE_WEIGHTS.tolist() == [2] * double + [1] * (words.VALUES - double)
    levels = int(numbers["LEVELS"], 16)
    assert [levels >> 4 * i & 15 for i in range(4)] == words.LEVELS.tolist()
    usual = words.Word("usual", np.tile(words.USUAL, (words.PARTS, 1)).astype(np.int8)).pack()
    assert bytes(int(byte, 16) for byte in numbers["USUAL"].split(",")) == usual[10:23] == usual[23:36]


def random_word(rng, name: str, threshold: int | None = None) -> words.Word:
    template = np.concatenate([rng.integers(-8, 8, (words.PARTS, words.COEFFICIENTS)),
                               words.LEVELS[rng.integers(0, 4, (words.PARTS, words.BLOCK))]], axis=1)
    return words.Word(name, template.astype(np.int8), int(rng.integers(256)) if threshold is None else threshold)


def stream(rng, batches: int, kind: str, said: list[words.Word]) -> tuple[np.ndarray, np.ndarray]:
    """Features int8 [4 batches, 12] and block values int8 [2 batches, 32]: `wild`, any numbers, or `calm`, words of any
    length between pauses, of which some are like those that are kept."""
    features = rng.integers(-128, 128, (4 * batches, 12))
    blocks = rng.integers(0, 128, (2 * batches, words.BLOCK))
    if kind == "calm":
        features[:, 0], t = -100, 0
        features[:, 1:] >>= rng.integers(0, 4)
        while t < 4 * batches:
            t += rng.integers(1, 60)
            length = rng.integers(1, 80)
            here = np.arange(t, min(t + length, 4 * batches))
            features[here, 0] += rng.integers(1, 200) + rng.integers(0, 12, len(here))
            if said and rng.integers(4):
                template = said[rng.integers(len(said))].template.astype(np.int64)
                noise = rng.integers(1, 20)
                rows = template[np.arange(len(here)) * words.PARTS // length]
                features[here, 1 : 1 + words.COEFFICIENTS] = 8 * rows[:, : words.COEFFICIENTS] + rng.integers(
                    -noise, noise, (len(here), words.COEFFICIENTS))
                late = here // 2 + words.LAG
                late, rows = late[late < len(blocks)], rows[late < len(blocks)]
                blocks[late] = 8 * rows[:, words.COEFFICIENTS :] + rng.integers(0, 2 * noise, (len(late), words.BLOCK))
            t += length
        features[:, 0] += rng.integers(-3, 4, len(features))
    return np.clip(features, -128, 127).astype(np.int8), np.clip(blocks, 0, 127).astype(np.int8)


def differences(engine, rng, kept: dict[int, words.Word], batches: int, kind: str) -> np.ndarray:
    """What is not the same in a stream, words that were over in it, and those of them that were heard."""
    features, blocks = stream(rng, batches, kind, list(kept.values()))
    pages = [kept[slot].pack() if slot in kept else ERASED for slot in range(words.MAX_WORDS)]
    engine.keep(b"".join(pages))
    slots = sorted(kept)
    listener = words.Listener([kept[slot] for slot in slots])
    loudness, vectors = words.from_block(features, blocks)
    wrong = over = heard = 0
    for n in range(batches):
        got, want = engine.batch(features[4 * n : 4 * n + 4], blocks[2 * n : 2 * n + 2]), -1
        for t in (2 * n, 2 * n + 1):
            answer = listener.push(int(loudness[t]), vectors[t])
            want = want if answer is None else slots[answer]
            over += listener.standing.ended
        heard += want >= 0
        state, standing = engine.state[0], listener.standing
        merit = 0 if listener.costs is None else words.START - listener.costs
        wrong += got != want
        wrong += (state["floor"], state["peak"]) != (standing.loudness.floor, standing.loudness.peak)
        wrong += int(state["history"]) & (1 << 30) - 1 != standing.history
        wrong += state["length"] != standing.length
        wrong += int((state["merit"][slots] != merit).sum())
    return np.array([wrong, over, heard])


def trial(engine_type, seed: int, streams: int, batches: int) -> tuple[int, int, int]:
    rng, total = np.random.default_rng(seed), np.zeros(3, int)
    for n in range(streams):
        slots = rng.permutation(words.MAX_WORDS)[: rng.integers(0, words.MAX_WORDS + 1)].tolist()
        kept = {slot: random_word(rng, f"word{slot}") for slot in slots}
        total += differences(engine_type(), rng, kept, batches, "wild" if n % 4 == 3 else "calm")
    print("{} differences, {} words, {} of them heard".format(*total))
    return tuple(total.tolist())


def test_c_hears_what_the_definition_hears():
    wrong, over, heard = trial(InC, 0, 24, 2_000)
    assert wrong == 0 and over > 1_000 and heard > 300


def test_the_chip_hears_what_the_definition_hears():
    wrong, over, heard = trial(OnChip, 1, 4, 250)
    assert wrong == 0 and over > 20 and heard > 5


def whole_takes(count: int, seed: int) -> tuple[int, int]:
    """(Words heard in one of the C and the definition only, heard in both) among takes said and hostile."""
    model = IntegerModel.load(paths.model_file(paths.SHIPPED, ".npz"))
    clips = frontend.to_8khz(datasets.load_task(paths.BUNDLED, "validation", limit=24).arrays()[0])
    taught = []
    for clip in clips:
        features = frontend.FrontendStream().push(words.with_silence(np.pad(clip, (4000, 0))))
        taught += [words.teach(f"own{len(taught)}", [one]) for one in words.segments(*words.frames(model, features))]
    taught = taught[: words.MAX_WORDS]
    native, pages = Native(sanitize=True), b"".join(word.pack() for word in taught)
    wrong = both = 0
    for sound in trials.takes(list(clips), count, seed):
        features = frontend.FrontendStream().push(words.with_silence(sound))
        got = [(count // 4 - 1, place) for count, place in native.heard(features, pages)]
        rows, listener, want = zip(*words.frames(model, features), strict=True), words.Listener(taught), []
        for t, (loudness, vector) in enumerate(rows):
            answer = listener.push(int(loudness), vector)
            want += [] if answer is None or 4 * (t // 2) + 4 >= len(features) else [(t // 2, answer)]
        wrong, both = wrong + len(set(got) ^ set(want)), both + len(set(got) & set(want))
    print(f"{count} takes: {wrong} differences, {both} words heard")
    return wrong, both


def test_the_whole_way_from_features_in_c():
    wrong, both = whole_takes(60, 0)
    assert wrong == 0 and both > 5
