"""Taught words by the published protocol: who teaches and who is heard, what the threshold lets in, and a small run."""

import numpy as np
import pytest
import torch

from tinyspeech import KEYWORDS
from tinyspeech.errors import UserError
from tinyspeech.integer import words as taught
from tinyspeech.integer.network import IntegerModel
from tinyspeech.measure import few_shot, words
from tinyspeech.measure.figures.words import published
from tinyspeech.paths import BUNDLED, SHIPPED, model_file
from tinyspeech.sound import audio
from tinyspeech.sound.logmel import LogMelSet
from tinyspeech.training.features import logmel_pixels

EACH = 4
"""Bundled voices of a word: two teach, two are heard."""


@pytest.fixture(scope="module")
def model():
    return IntegerModel.load(model_file(SHIPPED, ".npz"))


@pytest.fixture(scope="module")
def logmel():
    """Pictures of bundled clips: all words that are needed."""
    names = sorted({*KEYWORDS, *few_shot.OTHERS})
    files = [(word, i, path) for word in names for i, path in enumerate(sorted(BUNDLED.glob(f"{word}/*.flac"))[:EACH])]
    x = torch.tensor(np.stack([audio.load_clip(path) for *_, path in files])) / 32768
    pictures = logmel_pixels(x.float()).round().numpy().astype(np.uint8)
    return LogMelSet(pictures, np.array([word for word, *_ in files]), np.array([path.stem for *_, path in files]),
                     np.array(["training" if i % 2 else "validation" for _, i, _ in files]), pictures[:0])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Takes of words that are aside and of one that is not, by people aside: each the same bundled voice."""
    folder, table = tmp_path_factory.mktemp("takes"), ["file\tstart_sample\tword\tspeaker\ttake"]
    who = [str(number) for number in range(60) if words.is_aside("speaker", str(number))][:4]
    for word in ("bed", "cat", "house", "wow", "bird", "dog", "one", "five"):
        clips = [audio.load_clip(path) for path in sorted(BUNDLED.glob(f"{word}/*.flac"))[: len(who)]]
        audio.write(folder / f"{word}.wav", np.concatenate(clips))
        table += [f"{word}.wav\t{16_000 * i}\t{word}\t{name}\t01" for i, name in enumerate(who[: len(clips)])]
    (folder / "index.tsv").write_text("\n".join(table) + "\n")
    return folder


def test_a_clip_in_the_room_is_heard_as_it_is_alone(model, logmel):
    """What stands in the quiet before and behind is not of the clip."""
    takes = few_shot.heard(model, logmel.words[:40], few_shot._coefficients(logmel, np.arange(40)))
    assert [take.word for take in takes] == logmel.words[:40].tolist()
    assert sum(bool(take.segments) for take in takes) >= 38
    for take in takes:
        assert take.features.shape == (few_shot.BEFORE + 49 + few_shot.BEHIND, 12)
        again = taught.segments(*taught.frames(model, take.features))
        assert {(one.begin, one.end) for one in take.segments} <= {(one.begin, one.end) for one in again}
        for one in take.segments:
            same = next(other for other in again if other.begin == one.begin)
            assert np.array_equal(one.vectors, same.vectors) and np.array_equal(one.codes, same.codes)
            assert 2 * one.begin < few_shot.BEFORE + 49 and 2 * one.end > few_shot.BEFORE


def test_a_quiet_room_holds_no_word(model):
    quiet = np.repeat(few_shot.room()[None, :49], 3, axis=0)
    assert [take.segments for take in few_shot.heard(model, ["", "", ""], quiet)] == [()] * 3
    assert not few_shot.heard(model, [""], quiet[:1])[0].taught(model)


def test_the_papers_words(model, logmel):
    first, second = few_shot.their_words(model, logmel, draws=2)
    assert {take.word for take in first.own} == set(KEYWORDS) == set(first.shots)
    assert {take.word for take in first.others} == set(few_shot.OTHERS)
    assert len(first.own) == 10 * EACH // 2 and len(first.others) == 20 * EACH // 2
    assert first.own is second.own and all(0 < len(shots) <= EACH // 2 for shots in first.shots.values())


def test_shots_are_drawn_anew_and_never_of_those_who_are_heard(model, logmel, monkeypatch):
    chosen, coefficients = [], few_shot._coefficients
    monkeypatch.setattr(few_shot, "_coefficients",
                        lambda logmel, rows: chosen.append(rows) or coefficients(logmel, rows))
    monkeypatch.setattr(few_shot, "SHOTS", 1)
    list(few_shot.their_words(model, logmel, draws=3))
    own, others, *shots = chosen
    assert set(logmel.splits[np.concatenate([own, others])]) == {"validation"}
    assert set(logmel.splits[np.concatenate(shots)]) == {"training"} and len(shots) == 30
    assert len({tuple(np.concatenate(shots[at : at + 10])) for at in (0, 10, 20)}) == 3


def test_drawn_words_leave_the_rest(model, logmel):
    first, second = few_shot.drawn_words(model, logmel, draws=2)
    for draw in (first, second):
        assert len(draw.shots) == few_shot.WORDS and not set(draw.shots) & set(KEYWORDS)
        assert {take.word for take in draw.own} == set(draw.shots)
        assert {take.word for take in draw.others} == set(few_shot.OTHERS) - set(draw.shots)
    assert set(first.shots) != set(second.shots)


def test_people_who_teach_another_language_are_not_heard(model, folder):
    corpus = words.Corpus.open(folder)
    first, second = few_shot.other_language(model, folder, draws=2)
    for draw in (first, second):
        assert set(draw.shots) == set(corpus.names("word", True)) == {take.word for take in draw.own}
        assert {take.word for take in draw.others} == set(corpus.names("word", False))
        assert len(draw.own) == 2 * len(draw.shots) and all(len(shots) <= 2 for shots in draw.shots.values())
    assert len(corpus.names("word", True)) >= 2 and len(corpus.names("word", False)) >= 2


def test_data_that_is_not_there_is_one_line(model, logmel, tmp_path):
    with pytest.raises(UserError, match=r"index\.tsv"):
        next(few_shot.other_language(model, tmp_path))
    few = LogMelSet(logmel.x[:4], logmel.words[:4], logmel.names[:4], logmel.splits[:4], logmel.noise)
    with pytest.raises(UserError, match="no validation clip of yes, no, up"):
        next(few_shot.their_words(model, few))
    empty = LogMelSet(np.zeros_like(logmel.x), logmel.words, logmel.names, logmel.splits, logmel.noise)
    with pytest.raises(UserError, match="no word is found in any clip that is to teach 'yes'"):
        next(few_shot.their_words(model, empty))


def test_what_is_near_enough_and_the_right_one(model, logmel, monkeypatch):
    """By hand: of six own takes one is nearer to another word, one is no word at all, and four are right, if far."""
    far = {0: [10, 90], 1: [95, 60], 2: [60, 50], 3: [50, 30], 4: [250, 300], 5: [np.inf, np.inf]}
    others = [45, 55, 65, *[200] * 97]

    def excess(segments, templates):
        (number,) = segments
        return np.array(far[number] if number < 10 else [others[number - 10], np.inf], float)

    monkeypatch.setattr(words, "excess", excess)
    monkeypatch.setattr(words, "taught_by", lambda shots: None)
    own = [few_shot.Take(word, None, (i,)) for i, word in enumerate("ababab")]
    draw = few_shot.Draw({"a": [], "b": []}, own, [few_shot.Take("c", None, (10 + i,)) for i in range(100)])
    sixth = 100 / 6  # below 55 are two, below 200 three, up to 71 three
    assert few_shot.judged(draw) == pytest.approx({"closed": 4 * sixth, "at_1_percent": 2 * sixth,
                                                   "at_5_percent": 3 * sixth, "ships": 3 * sixth, "others": 3})
    told = few_shot.over([draw, draw])
    assert told["at_5_percent"] == {"percent": 50.0, "interval_95": [50.0, 50.0], "draws": [50.0, 50.0]}
    assert (told["n"], told["n_others"]) == (6, 100)


def test_an_interval_is_students():
    told = few_shot._mean([60.0, 70.0, 80.0])
    assert told["percent"] == 70 and told["interval_95"] == [45.2, 94.8]  # 4.303 * 10 / sqrt(3)
    assert few_shot._mean([99.0, 90.0])["interval_95"] == [37.3, 100.0]
    assert few_shot._mean([50.0])["interval_95"] == [0.0, 100.0]


def test_the_figure_of_it_all(logmel, folder, monkeypatch, tmp_path):
    monkeypatch.setattr(few_shot, "DRAWS", 2)
    for name in ("their_words", "drawn_words", "other_language"):
        monkeypatch.setattr(getattr(few_shot, name), "__defaults__", (2,))
    path = tmp_path / "set.npz"
    np.savez(path, x=logmel.x, word=logmel.words, name=logmel.names, split=logmel.splits,
             noise=np.zeros((1, 98, 40), np.uint8))
    (figure,) = published(path, folder)
    assert figure.key == "words.published" and len(figure.value) == 3
    for row in figure.value.values():
        assert [len(row[what]["draws"]) for what in ("closed", *few_shot.FALSE_ACCEPTS, "ships", "others")] == [2] * 5
        assert row["at_1_percent"]["percent"] <= row["at_5_percent"]["percent"] <= row["closed"]["percent"]
    assert figure.value["their_words"]["closed"]["percent"] > 50
    assert all(sentence in figure.about["note"] for sentence in few_shot.DIFFERS)
