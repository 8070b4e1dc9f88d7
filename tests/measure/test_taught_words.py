"""How taught words are measured: whose takes, what counts as heard and as falsely heard, and the yardstick."""

import numpy as np
import pytest

from tinyspeech.errors import UserError
from tinyspeech.integer import words as taught
from tinyspeech.integer.network import IntegerModel
from tinyspeech.measure import words
from tinyspeech.paths import BUNDLED, SHIPPED, model_file
from tinyspeech.sound import audio

HERE = ("happy", "three", "zero")
"""Bundled words of the half that choices were made on: what is said below."""
WHO = [str(number) for number in range(40) if not words.is_aside("speaker", str(number))][:6]


@pytest.fixture(scope="module")
def model():
    return IntegerModel.load(model_file(SHIPPED, ".npz"))


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Takes: six people, who are bundled voices; each says the words ten times, more and less loudly. And noise."""
    folder, noise = tmp_path_factory.mktemp("takes"), tmp_path_factory.mktemp("noise")
    table = ["file\tstart_sample\tword\tspeaker\ttake"]
    for word in HERE:
        sound = []
        for i, who in enumerate(WHO):
            clip = audio.load_clip(sorted(BUNDLED.glob(f"{word}/*.flac"))[i])
            for take in range(1, 11):
                table.append(f"{word}.wav\t{len(sound) * 16_000}\t{word}\t{who}\t{take:02}")
                sound.append(np.rint(clip * (0.4 + take / 20)).astype(np.int16))
        audio.write(folder / f"{word}.wav", np.concatenate(sound))
    (folder / "index.tsv").write_text("\n".join(table) + "\n")
    audio.write(noise / "hiss.wav", np.random.default_rng(0).normal(0, 0.02, 160_000))
    return folder, noise


@pytest.fixture(scope="module")
def people(model, corpus):
    return words.people(model, *corpus, aside=False)


def test_the_halves_are_apart(corpus):
    here = words.Corpus.open(corpus[0])
    assert here.names("speaker", False) == sorted(WHO) and here.names("speaker", True) == []
    assert here.names("word", False) == sorted(HERE) and len(HERE) >= 2
    names = [str(i) for i in range(400)]
    assert 150 < sum(words.is_aside("speaker", name) for name in names) < 250
    assert any(words.is_aside("speaker", name) != words.is_aside("word", name) for name in names)


@pytest.mark.parametrize("text", [None, "", "file\tword\n", "file\tstart_sample\tword\tspeaker\n",
                                  "file\tstart_sample\tword\tspeaker\ttake\n"])
def test_a_table_that_is_none_is_one_line(tmp_path, text):
    if text is not None:
        (tmp_path / "index.tsv").write_text(text)
    with pytest.raises(UserError, match=r"index\.tsv") as error:
        words.Corpus.open(tmp_path)
    assert "\n" not in str(error.value)


def test_takes_are_found_where_they_were_said(people):
    for rows in people.values():
        assert len(rows[None].said) == 10 * len(HERE)
        found = [rows[None].of(said) for said in rows[None].said]
        assert sum(map(bool, found)) >= 0.9 * len(found)
        for said, segments in zip(rows[None].said, found, strict=True):
            assert all(s.begin * words.FRAME_S < said.end_s < s.decided * words.FRAME_S for s in segments[-1:])


def test_owners_are_heard(people):
    trial, all_words = words.owners(people)
    closed = words.closed(trial)["clean"]
    assert closed["n"] == len(WHO) * len(HERE) * 5 and closed["percent"] >= 90
    assert len(all_words) == len(WHO) * len(HERE) and trial.offered >= 4 * len(all_words)
    assert len(trial.others) == closed["n"] * (len(HERE) - 1)


def test_five_people_teach_the_sixth(people):
    trial = words.anyone(people, draws=2)
    assert words.closed(trial)["clean"]["n"] == 2 * len(HERE) * 5
    assert 0 < words.closed(trial)["clean"]["percent"] <= 100


def test_a_take_unlike_the_others_is_not_taught(people, monkeypatch):
    monkeypatch.setattr(taught, "UNLIKE", 90)  # bundled voices are alike, and there is noise in each clip
    rows = people[WHO[0]][None]
    takes, other = rows.takes(HERE[0], range(1, 5)), rows.takes("zero", [1])
    trial = words.Trial({}, {}, [])
    word = words.teach([*takes, *other], trial)
    assert (word.template == words.teach(takes).template).all() and (trial.refused, trial.offered) == (1, 5)


def test_excess_is_what_the_definition_decides_by(people):
    """A segment is heard where its excess is at most the threshold, whichever that is."""
    rows = people[WHO[0]][None]
    word = words.teach(rows.takes(HERE[0], range(1, 6)))
    found = set()
    for threshold in (30, 45, taught.THRESHOLD, 90, 255):
        listener = taught.Listener([taught.Word("word", word.template, threshold)])
        answers = [listener.push(*row) for row in zip(rows.stream[0].tolist(), rows.stream[1].astype(int), strict=True)]
        heard = [t for t, answer in enumerate(answers) if answer is not None]
        assert heard == [s.decided for s in rows.segments if words.excess([s], [word])[0] <= threshold]
        found.add(len(heard))
    assert len(found) >= 3
    assert words.excess([], [word]).tolist() == [np.inf]


def test_of_two_words_at_one_threshold_the_cheaper_is_closer(people):
    rows = people[WHO[0]][None]
    known = [words.teach(rows.takes(name, range(1, 6))) for name in HERE]
    for segment in rows.segments:
        far = words.excess([segment], known)
        if np.isfinite(far).any():
            at = np.full(len(known), int(np.ceil(far.min())))
            cost = segment.cost(segment.beyond(np.stack([word.template for word in known]).astype(int)), at)
            assert cost.min() < 0 and cost[far.argmin()] == cost.min()


def test_thresholds_let_so_much_through():
    trial = words.Trial({"clean": [1.0, 2.0, np.inf]}, {"clean": [True, True, False]}, list(map(float, range(200))))
    speech = words.OtherSpeech((), (), 2.0)
    far = np.arange(60.0).reshape(12, 5)  # five words, ten hours of words
    margins = words.thresholds(trial, far, speech)
    assert set(margins) == {"1% of other words", "2 an hour", "0.5 an hour"}
    for name, count in (("2 an hour", 20), ("0.5 an hour", 5)):
        assert words.at(margins[name], trial, far, speech)["events"] == count
    assert words.thresholds(trial, far - 0.5, speech)["2 an hour"] == 19  # of what costs 128 less, the same
    found = words.at(margins["1% of other words"], trial, far, speech)
    assert found["of_others"]["percent"] == 1 and found["heard"]["clean"]["percent"] == pytest.approx(33.3)
    low, high = found["interval_95"]
    assert low < found["per_hour"] == 0.2 < high


def test_the_usual_is_a_median_by_weight():
    vectors = np.zeros((6, taught.VALUES), np.int64)
    vectors[:, 0], vectors[:, -1] = [-8, -8, -8, 2, 3, 4], [1, 1, 1, 10, 12, 15]
    segment = taught.Segment(0, 6, np.array([1, 1, 1, 2, 4, 5]), vectors)  # weights 1, 1, 1, 2, 8, 16
    found = words.usual(words.OtherSpeech((), (segment,), 1.0))
    assert (found[0], found[1], found[-1]) == (4, 0, 11)
    even = taught.Segment(0, 6, np.ones(6, int), vectors)
    assert words.usual(words.OtherSpeech((), (even,), 1.0))[[0, -1]].tolist() == [-8, 0]


def test_warping_ignores_tempo():
    line = np.array([[0.0], [1], [4], [9], [4]])
    slow = np.repeat(line, 2, axis=0)
    far = words.warped([slow, line, line[::-1], line + 1], line)
    assert far[:2].tolist() == [0, 0] and (far[2:] > 0).all() and far[3] <= 1
    assert words.warped([line], slow)[0] == 0


def test_the_yardstick_hears_owners(people):
    closed = words.closed(words.yardstick(people))
    assert closed["clean"]["n"] == len(WHO) * len(HERE) * 5 and closed["clean"]["percent"] > 80


def test_constants_come_back():
    before = taught.PARTS, taught.SHORTEST
    with pytest.raises(RuntimeError), words.constants(PARTS=3, SHORTEST=3):
        assert taught.PARTS == 3
        raise RuntimeError
    assert (taught.PARTS, taught.SHORTEST) == before


def test_other_designs_are_worse_at_something(people, monkeypatch):
    monkeypatch.setattr(words, "DESIGNS", {name: words.DESIGNS[name] for name in ("as it is", "3 parts")})
    quiet = np.full(1000, -100), np.zeros((1000, taught.VALUES), np.int8)
    ours, three = words.tried(people, words.OtherSpeech((quiet,), (), 40 / 3600))
    assert (ours["design"], three["design"]) == ("as it is", "3 parts")
    assert ours["closed"] == words.closed(words.owners(people)[0])["clean"]["percent"]
