"""Recordings of hours: found, read in blocks as in one piece, told apart by speaker, kind and place; rooms."""

import numpy as np
import pytest
import soundfile

from tinyspeech.errors import UserError
from tinyspeech.integer import frontend
from tinyspeech.sound import audio, recordings
from tinyspeech.sound.splits import speaker_split

DICE = np.random.default_rng(0)


def write(path, seconds=1.0, rate=16_000, channels=1):
    path.parent.mkdir(parents=True, exist_ok=True)
    sound = DICE.normal(0, 0.1, (int(seconds * rate), channels))
    soundfile.write(path, sound, rate)
    return path


def test_a_table_beside_a_folder_makes_it_a_corpus(tmp_path):
    names = ["a/1.flac", "a/deep/2.wav", "b/3.wav", "4.ogg"]
    for name in names:
        write(tmp_path / "set" / name)
    (tmp_path / "set" / "keywords_a.tsv").touch()
    (tmp_path / "keywords_set.tsv").touch()
    rest, a = recordings.corpora(tmp_path / "set")
    assert (a.name, [f.name for f in a.files], [t.name for t in a.tables]) == ("a", ["1.flac", "2.wav"],
                                                                              ["keywords_a.tsv"])
    assert (rest.name, len(rest.files), [t.name for t in rest.tables]) == ("set", 2, ["keywords_set.tsv"])
    assert [corpus.name for corpus in recordings.corpora(tmp_path / "set" / "a")] == ["a"]
    assert [t.name for t in recordings.corpora(tmp_path / "set" / "a")[0].tables] == ["keywords_a.tsv"]


def test_speakers_are_told_by_name(tmp_path):
    by = {who: next(str(i) for i in range(99) if speaker_split(str(i)) == who) for who in ("training", "validation")}
    write(tmp_path / f"{by['training']}.wav")
    with pytest.raises(UserError, match="no recordings of validation speakers"):
        recordings.corpora(tmp_path, "validation")
    write(tmp_path / f"{by['validation']}.wav")
    assert [f.stem for f in recordings.corpora(tmp_path, "validation")[0].files] == [by["validation"]]


@pytest.mark.parametrize("rate, channels", [(16_000, 1), (8_000, 1), (44_100, 2), (48_000, 1), (11_025, 1)])
def test_blocks_are_what_the_whole_is(rate, channels, tmp_path, monkeypatch):
    """To the sample, at every rate; the last block may be short."""
    monkeypatch.setattr(recordings, "BLOCK_S", 0.4)
    path = write(tmp_path / "x.wav", 2.03, rate, channels)
    whole = audio.resample(*audio.read(path))
    whole = whole if whole.dtype == np.int16 else audio.to_int16(whole)
    expected = frontend.to_8khz(whole[: len(whole) // 2 * 2])
    parts = list(recordings.blocks(path))
    assert len(parts) > 4 and np.array_equal(np.concatenate(parts), expected)


@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050, 44_100, 48_000, 96_000])
def test_pieces_of_any_length_are_what_the_whole_is(rate):
    """Empty ones and single samples too; none is later than the margin."""
    sound = DICE.normal(0, 0.1, round(0.6 * rate)).astype(np.float32)
    whole = audio.to_int16(audio.resample(sound, rate))
    expected = frontend.to_8khz(whole[: len(whole) // 2 * 2])
    pieces = np.split(sound, np.sort(np.concatenate([DICE.integers(0, len(sound), 12), [0, 1, 2]])))
    assert np.array_equal(np.concatenate(list(recordings.pieces_at_8khz(pieces, rate))), expected)
    first = recordings.pieces_at_8khz(iter([sound, sound]), rate)
    assert len(next(first)) >= len(expected) - (recordings.MARGIN_S + 0.04) * frontend.SAMPLE_RATE_HZ


@pytest.mark.parametrize("make, match", [
    (lambda folder: None, "does not exist"), (lambda folder: folder.touch(), "is a file"),
    (lambda folder: folder.mkdir(), "holds no recordings: .wav, .flac, .ogg, .opus"),
])
def test_a_folder_of_nothing_is_one_line(tmp_path, make, match):
    make(tmp_path / "x")
    with pytest.raises(UserError, match=match):
        recordings.corpora(tmp_path / "x")


def test_loudness():
    sound = np.array([100, -1000, 5], np.int16)
    assert recordings.scaled(sound, None) is sound
    assert recordings.scaled(sound, 0.5).tolist() == [1638, -16384, 82]
    assert recordings.scaled(np.array([-32768, 0], np.int16), 1.0).tolist() == [-32767, 0]
    assert not recordings.scaled(np.zeros(3, np.int16), 0.5).any()


def test_kinds_of_noise(tmp_path):
    for name in ("coffee-shop.wav", "song.wav", "hum.wav"):
        write(tmp_path / name, 0.1)
    (tmp_path / "noise.tsv").write_text("file\tkind\ncoffee-shop.wav\tambience\nsong.wav\tmusic\n")
    assert list(recordings.kinds(tmp_path).values()) == ["babble", "hum", "music"]
    (tmp_path / "noise.tsv").write_text("file\tsort\nsong.wav\tmusic\n")
    with pytest.raises(UserError, match="columns file and kind"):
        recordings.kinds(tmp_path)


def test_what_training_does_not_hear_is_the_end():
    sound = np.arange(10, dtype=np.int16)
    parts = {who: recordings.unheard(sound, who).tolist() for who in recordings.WHO}
    assert parts["validation"] == [8, 9] and parts["training"] + parts["validation"] == parts["all"] == list(range(10))


def test_a_room_keeps_a_words_end_and_its_loudness(tmp_path):
    """The direct path, the loudest sample, stands where the dry word stood; echoes only follow."""
    response = np.zeros(8_000)
    response[300], response[2_300] = 0.9, 0.3
    soundfile.write(tmp_path / "hall_ch1.wav", response, 16_000)
    (room,) = recordings.rooms(tmp_path)
    clip = np.zeros(16_000, np.int16)
    clip[4_000:5_000] = DICE.normal(0, 3_000, 1_000)
    wet = recordings.in_room(clip, room)
    assert len(wet) == 24_000 and not np.abs(wet[:3_999]).max() > 1e-6
    gain = wet[4_500] / clip[4_500]
    assert wet[4_000:5_000] == pytest.approx(gain * clip[4_000:5_000], abs=1e-6)
    assert wet[6_000:7_000] == pytest.approx(gain / 3 * clip[4_000:5_000], abs=1)
    assert (wet[:16_000] ** 2).mean() == pytest.approx((clip.astype(float) ** 2).mean())
    split = speaker_split("hall")
    assert len(recordings.rooms(tmp_path, split)) == 1
    with pytest.raises(UserError, match="no impulse response"):
        recordings.rooms(tmp_path, {"training": "validation", "validation": "training"}[split])
