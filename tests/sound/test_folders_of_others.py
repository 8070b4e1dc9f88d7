"""Corpora as Windows, Macs and people leave them: lists with a mark, hidden files, clips in two formats. It is said."""

import re
import shutil
import warnings

import numpy as np
import pytest

from tinyspeech.errors import Notice
from tinyspeech.paths import BUNDLED
from tinyspeech.sound import audio, corpora, datasets, noise, recordings, truth
from tinyspeech.sound.splits import read_list

CLIPS = {"yes": ("a", "b"), "no": ("a", "c"), "bed": ("a",)}


@pytest.fixture
def folder(tmp_path):
    for word, speakers in CLIPS.items():
        (tmp_path / word).mkdir()
        for who in speakers:
            audio.write(tmp_path / word / f"{who}_nohash_0.wav", np.ones(100, np.int16))
    (tmp_path / "_background_noise_").mkdir()
    shutil.copy(BUNDLED / "_background_noise_" / "hum.flac", tmp_path / "_background_noise_")
    return tmp_path


def said(folder) -> list[str]:
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        corpus = corpora.open_corpus(folder)
        corpus.by_word()
        corpus.of_split("validation")
    assert all(issubclass(one.category, Notice) for one in told)
    return [str(one.message) for one in told]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("start", ["", "./"])
def test_a_list_as_any_editor_saves_it(folder, encoding, end, start):
    names = ["yes/a_nohash_0.wav", "no\\c_nohash_0.wav"]
    (folder / "validation_list.txt").write_bytes(end.join(start + name for name in names).encode(encoding))
    assert said(folder) == []
    assert corpora.open_corpus(folder).of_split("validation") == {
        "bed": [], "no": ["no/c_nohash_0.wav"], "yes": ["yes/a_nohash_0.wav"]}


def test_what_is_listed_and_is_not_there_is_said(folder):
    listed = ["yes/a_nohash_0.wav", "yes/z_nohash_0.wav", "no/c_nohash_0.wav", "_background_noise_/hum.wav"]
    (folder / "validation_list.txt").write_text("\n".join(listed))
    line, = said(folder)
    assert re.search(r"lists 1 of 4 clips in validation_list\.txt that no file has, such as yes/z_nohash_0$", line)
    assert datasets.info(folder)["listed_without_file"] == {"validation": 1}


def test_an_extract_may_come_with_the_whole_list(folder):
    (folder / "testing_list.txt").write_text("\n".join(["yes/a_nohash_0.wav", *(f"yes/{i}.wav" for i in range(9))]))
    assert said(folder) == [] and datasets.info(folder)["listed_without_file"] == {"testing": 9}


def test_hidden_files_are_skipped_everywhere(folder):
    for path in (folder / "_background_noise_" / "._hum.flac", folder / "yes" / "._a_nohash_0.wav",
                 folder / "._yes.wav", folder / "_background_noise_" / ".DS_Store"):
        path.write_bytes(b"\0\5\x16\7 no sound")
    (folder / ".Trash").mkdir()
    (folder / ".Trash" / "x.wav").write_bytes(b"no sound")
    assert said(folder) == [] and corpora.open_corpus(folder).by_word().keys() == CLIPS.keys()
    assert {path.name for path, *_ in noise.noise_spans(folder / "_background_noise_", "all")} == {"hum.flac"}
    assert [*datasets.info(folder)["background_noise_seconds"]] == ["hum"]
    assert not any("/." in str(path.relative_to(folder)) or path.name[0] == "." for path in recordings.found(folder))


def test_a_folder_in_capitals_is_said(folder):
    (folder / "yes").rename(folder / "Yes")
    line, = said(folder)
    assert line.endswith("holds a folder 'Yes', which counts as another word: 'yes' is meant?")
    (folder / "no").rename(folder / "NO ")
    assert len(said(folder)) == 2


def test_a_clip_in_two_formats_counts_once(folder):
    audio.write(folder / "yes" / "a_nohash_0.flac", np.ones(100, np.int16))
    line, = said(folder)
    assert "1 clips in two formats, which count once, such as yes/a_nohash_0.wav" in line
    assert len(corpora.open_corpus(folder).by_word()["yes"]) == 2


@pytest.mark.parametrize("suffix", [".ogg", ".mp3", ".M4A", ".aiff"])
def test_other_sounds_are_left_out_and_that_is_said(folder, suffix):
    (folder / "yes" / f"d_nohash_0{suffix}").write_bytes(b"sound")
    line, = said(folder)
    assert f"1 sounds that are neither wav nor flac and are left out, such as yes/d_nohash_0{suffix}" in line


def test_tables_with_a_mark(tmp_path):
    (tmp_path / "t.tsv").write_text("file\tstart\tend\tword\nx.wav\t1\t2\tyes\n", "utf-8-sig")
    assert truth.read([tmp_path / "t.tsv"]) == {"x.wav": [truth.Span(1, 2, "yes")]}
    (tmp_path / "x.wav").write_bytes(b"")
    (tmp_path / "noise.tsv").write_text("file\tkind\nx.wav\train\n", "utf-8-sig")
    assert recordings.kinds(tmp_path) == {tmp_path / "x.wav": "rain"}
    assert read_list(tmp_path / "t.tsv")


def test_the_bundled_clips_need_no_word():
    assert said(BUNDLED) == []
