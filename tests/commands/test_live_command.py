"""`measure live` on anybody's recordings: what it prints, and what it refuses in one line."""

import json

import numpy as np
import pytest

from tinyspeech import KEYWORDS
from tinyspeech.measure import negatives, positives
from tinyspeech.paths import BUNDLED
from tinyspeech.sound import audio


@pytest.fixture(scope="module")
def talk(tmp_path_factory):
    """Two corpora, one with a table of what is said; noise."""
    folder = tmp_path_factory.mktemp("talk")
    clips = [audio.load_clip(path) for path in sorted(BUNDLED.glob("*/*.flac"))[::6][:8]]
    sound = audio.in_a_row(clips, audio.SAMPLE_RATE_HZ)[0]
    for name in ("a/one.wav", "b/two.flac", "noise/coffee.wav"):
        (folder / name).parent.mkdir(exist_ok=True)
        audio.write(folder / name, sound if "coffee" not in name else np.resize(sound // 50 + 1, 64_000))
    (folder / "keywords_a.tsv").write_text("file\tstart\tend\tword\na/one.wav\t0.5\t1.5\tyes\n")
    return folder


def test_json_has_every_part(run, talk, monkeypatch):
    monkeypatch.setattr(positives, "KEYWORDS_HEARD", 3)
    monkeypatch.setattr(positives, "FACTORS", (0.5, 1.0))
    monkeypatch.setattr(negatives, "on_board", lambda *a: {"hours": a[3], "lines": 2, "mismatches": 0})
    arguments = ["measure", "live", "--negatives", talk / "a", talk / "b", "--noise", talk / "noise",
                 "--speech", BUNDLED, "--levels", "recorded", "0.1", "--first", "go", "--board"]
    figures = json.loads(run(*arguments, "--json"))
    assert list(figures["speech"]) == ["as recorded", "peak at 0.1 of full scale"]
    assert list(figures["speech"]["as recorded"]) == ["a", "b", "all"]
    assert figures["speech"]["as recorded"]["a"]["said"] == 1 and figures["speech"]["as recorded"]["b"]["said"] == 0
    assert list(figures["speech"]["as recorded"]["all"]["by_word"]) == list(KEYWORDS)
    assert list(figures["armed"]) == ["go"] and list(figures["noise"]) == ["babble"]
    assert list(figures["keywords"]) == ["clean", "20 dB", "10 dB"] and figures["keywords"]["clean"]["keywords"] == 3
    assert [point["ships"] for point in figures["det"]] == [False, True]
    assert figures["board"] == {"hours": 1.0, "lines": 2, "mismatches": 0}
    table = run(*arguments)
    assert "virtual board: 1 h, 2 words, 0 lines differ" in table and table.count("\n*") == 1


def test_noise_alone(run, talk):
    assert "babble" in run("measure", "live", "--noise", talk / "noise")


@pytest.mark.parametrize("arguments, match", [
    (["--board"], "--board is of recordings: give --negatives"), (["--first", "go"], "--first is of recordings"),
    (["--transcripts", "t.tsv", "--noise", "."], "--transcripts is of recordings"),
    (["--negatives", "/nowhere"], "/nowhere"), (["--negatives", ".", "--board", "0"], "hours above 0, not 0"),
    (["--negatives", ".", "--transcripts", "/nowhere"], "/nowhere"), (["--noise", "/nowhere"], "/nowhere"),
    (["--rooms", "."], "--rooms is of words in a row: give --speech"),
    (["--speakers", "validation"], "nothing to listen"),
    (["--negatives", ".", "--levels", "2"], "at most 1, not 2"), (["--first", "dog"], "dog"),
    (["--negatives", ".", "--leads", "no/where.npz"], "there is no folder no"), ([], "give --speech FOLDER"),
], ids=lambda value: " ".join(value) or "nothing" if isinstance(value, list) else "")
def test_what_cannot_be_is_one_line(refused, arguments, match, monkeypatch):
    for name in ("speech", "noise", "on_board"):
        monkeypatch.setattr(negatives, name, lambda *_: pytest.fail("computed before all was checked"))
    refused(match, "measure", "live", *arguments)


def test_a_folder_without_sound_is_one_line(refused, tmp_path):
    refused("holds no recordings", "measure", "live", "--negatives", tmp_path)
