"""Arabic Speech Commands, made here in both of its layouts, and Speech Commands beside it."""

import csv
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tinyspeech import CLASSES
from tinyspeech.errors import UserError
from tinyspeech.integer.frontend import CLIP_SAMPLES
from tinyspeech.sound import audio, corpora, datasets
from tinyspeech.sound.splits import SPLITS

RATE = audio.SAMPLE_RATE_HZ
SPEAKERS = {"train": ("00000001", "00000002", "00000003"), "val": ("00000004",), "test": ("00000005", "00000006")}
WORDS = ("yes", "no", "stop", "zoom in")
TAKES = (1, 2)
NAMES = {"yes": "naam", "no": "la", "stop": "tawaqaf", "zoom in": "zoom in"}
CLASSES_HERE = ("_silence_", "_unknown_", "naam", "la")


def clips() -> list[tuple[str, str, str, int, int]]:
    """(split, word, speaker, take, value of all its samples)."""
    rows = [(split, word, speaker, take) for word in WORDS for split, who in SPEAKERS.items() for speaker in who
            for take in TAKES]
    return [(*row, 100 + i) for i, row in enumerate(rows)]


def sound(value: int) -> np.ndarray:
    return np.full(RATE, value, np.int16)


@pytest.fixture(scope="module")
def release(tmp_path_factory) -> Path:
    """As it is published."""
    root = tmp_path_factory.mktemp("release")
    lists = {split: [["file", "class"]] for split in SPEAKERS}
    for split, word, speaker, take, value in clips():
        path = root / "dataset" / word / f"{speaker}_NO_{take:02d}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, sound(value), RATE, subtype="PCM_16")
        lists[split].append([path.relative_to(root).as_posix(), word])
    for split, rows in lists.items():
        with (root / f"{split}.csv").open("w", newline="") as file:
            csv.writer(file).writerows(rows)
    (root / "background_noise").mkdir()
    ramp = (np.arange(20 * RATE) // 20).astype(np.int16)
    soundfile.write(root / "background_noise" / "fan.wav", ramp, RATE, subtype="PCM_16")
    return root


@pytest.fixture(scope="module")
def extract(tmp_path_factory) -> Path:
    """The same takes, a long recording a word."""
    root, rows, sounds = tmp_path_factory.mktemp("extract"), [], {}
    for split, word, speaker, take, value in clips():
        row = sounds.setdefault(word, [])
        rows.append([f"{word}.flac", len(row) * RATE, word, speaker, f"{take:02d}", split])
        row.append(sound(value))
    for word, row in sounds.items():
        soundfile.write(root / f"{word}.flac", np.concatenate(row), RATE, subtype="PCM_16")
    heading = ["file", "start_sample", "word", "speaker", "take", "split"]
    (root / "index.tsv").write_text("".join("\t".join(map(str, row)) + "\n" for row in [heading, *rows]))
    return root


@pytest.mark.parametrize("layout", ["release", "extract"])
def test_every_take_has_its_word_speaker_split_and_sound(layout, request):
    corpus = corpora.open_corpus(request.getfixturevalue(layout))
    assert isinstance(corpus, corpora.ArabicCommands)
    split_of = dict(zip(SPEAKERS, SPLITS, strict=False))
    wanted = {f"{NAMES[word]}/{speaker}_NO_{take:02d}.wav": (split_of[split], speaker, value)
              for split, word, speaker, take, value in clips()}
    found = {name: (corpus.split_of(name), corpus.speaker(name)) for names in corpus.by_word().values()
             for name in names}
    assert found == {name: row[:2] for name, row in wanted.items()}
    for name, (*_, value) in wanted.items():
        assert np.array_equal(corpus.clip(name), sound(value))


@pytest.mark.parametrize("layout", ["release", "extract"])
def test_no_speaker_is_in_two_splits(layout, request):
    corpus = corpora.open_corpus(request.getfixturevalue(layout))
    who = {split: {corpus.speaker(name) for names in corpus.of_split(split).values() for name in names}
           for split in SPLITS}
    assert [len(who[split]) for split in SPLITS] == [3, 1, 2, 6]
    assert not who["training"] & (who["validation"] | who["testing"]) and not who["validation"] & who["testing"]


def test_the_task_has_the_words_that_it_is_asked_for(release, extract):
    """Two of the four words are keywords, the others unknown; silence comes from the corpus's own noise."""
    task = datasets.load_task(release, "training", classes=CLASSES_HERE)
    assert task.classes == CLASSES_HERE and np.bincount(task.labels).tolist() == [2, 2, 6, 6]
    for name, label, samples in task:
        first = name.split("/")[0]
        assert CLASSES_HERE[label] == (first if first in CLASSES_HERE else "_unknown_")
        assert samples.dtype == np.int16 and samples.shape == (RATE,)
    assert all(name.startswith("_silence_/fan_") for name in task.names[:2])
    same = datasets.load_task(extract, "training", classes=CLASSES_HERE)
    assert same.names[2:] == task.names[2:] and same.names[0] == "_silence_/zeros_0000"  # it brings no noise


def test_its_words_are_not_english_ones(release):
    """A folder is called yes, and naam is said in it: an English network has no keyword there."""
    assert not set(CLASSES[2:]) & set(corpora.open_corpus(release).by_word())
    assert set(datasets.load_task(release, "testing").labels) == {CLASSES.index("_unknown_")}


def test_what_is_printed_of_its_words_can_be_printed():
    assert all(word.isascii() and word.islower() and len(word) <= 8 for word in corpora.ARABIC_WORDS.values())
    assert len({*corpora.ARABIC_WORDS.values()}) == len(corpora.ARABIC_WORDS)


def test_the_folder_of_words_does_as_well(release):
    whole, inner = corpora.open_corpus(release), corpora.open_corpus(release / "dataset")
    assert inner.by_word() == whole.by_word() and inner.noise == whole.noise == release / "background_noise"
    name = "naam/00000001_NO_01.wav"
    assert inner.split_of(name) == "training" and np.array_equal(inner.clip(name), whole.clip(name))


def test_info_counts_it(release):
    told = datasets.info(release)
    assert told["splits"] == {"training": 24, "validation": 8, "testing": 16} and told["split_rule"] == "lists"
    assert told["speakers"] == {"training": 3, "validation": 1, "testing": 2}
    assert told["per_word"]["naam"] == {"training": 6, "validation": 2, "testing": 4}
    assert told["background_noise_seconds"] == {"fan": 20.0}


def test_takes_without_their_lists_are_refused(tmp_path):
    """A hash of whole file names would put a speaker into two splits."""
    (tmp_path / "yes").mkdir()
    soundfile.write(tmp_path / "yes" / "00000001_NO_01.wav", sound(1), RATE)
    with pytest.raises(UserError, match="without its lists"):
        corpora.open_corpus(tmp_path).by_word()


@pytest.mark.parametrize(("rows", "needle"), [
    ([["word", "speaker"], ["yes", "1"]], "has no column file"),
    ([["file", "start_sample", "word", "speaker", "take", "split"], ["a.opus", "x", "yes", "1", "01", "val"]],
     "not understood"),
    ([["file", "start_sample", "word", "speaker", "take", "split"], ["a.opus", "0", "yes", "1", "01", "dev"]],
     "not understood"),
    ([["file", "start_sample", "word", "speaker", "take", "split"], ["a.opus", "0", "yes", "1", "01", "val"],
      ["a.opus", "0", "no", "1", "01", "train"]], "each speaker belongs to one split")])
def test_a_table_that_makes_no_sense_is_one_line(tmp_path, rows, needle):
    (tmp_path / "index.tsv").write_text("".join("\t".join(row) + "\n" for row in rows))
    with pytest.raises(UserError, match=needle) as refused:
        corpora.open_corpus(tmp_path).by_word()
    assert "\n" not in str(refused.value)


def test_a_folder_of_any_other_names_is_speech_commands(tmp_path):
    (tmp_path / "haus").mkdir()
    soundfile.write(tmp_path / "haus" / "ana_nohash_0.wav", sound(7), RATE)
    corpus = corpora.open_corpus(tmp_path)
    assert isinstance(corpus, corpora.SpeechCommands) and corpus.by_word() == {"haus": ["haus/ana_nohash_0.wav"]}
    assert corpus.speaker("haus/ana_nohash_0.wav") == "ana" and corpus.split_rule == "SHA-1 of the speaker"
    assert len(corpus.clip("haus/ana_nohash_0.wav")) == 2 * CLIP_SAMPLES
