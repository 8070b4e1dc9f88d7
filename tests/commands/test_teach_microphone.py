"""`teach --microphone`: a word said to this computer, into a file or onto a board; takes that are none are told."""

import json
import sys

import numpy as np
import pytest
from support import speaker
from support.sound_system import SoundSystem, when_asked
from support.speaker import hiss, take
from support.taught_words import any_word

from tinyspeech.__main__ import main
from tinyspeech.board import isp, takes, taught
from tinyspeech.board.cable import Cable
from tinyspeech.board.virtual import VirtualBoard, shipped_image
from tinyspeech.integer import words
from tinyspeech.integer.network import IntegerModel
from tinyspeech.paths import ROOT, SHIPPED, model_file
from tinyspeech.sound import audio, capture

LAMPS = [when_asked(lamp) for lamp in speaker.LAMPS]
CUT = np.concatenate([hiss(0.9)[4000:], LAMPS[1]])
"""Somebody speaks already when the microphone has settled."""
LONG = when_asked(hiss(1.8))
SOFT = np.concatenate([take("lamp_heart_02", gain=0.003)] * 6)
"""For longer than anybody waits."""


@pytest.fixture
def said(monkeypatch):
    """The sound system of this computer, to which somebody speaks: `SoundSystem`."""
    def said(*some, **options) -> SoundSystem:
        made = SoundSystem(*some, **options)
        monkeypatch.setitem(sys.modules, "sounddevice", made)
        monkeypatch.setattr(capture, "SILENCE_S", 0.01)
        return made

    return said


@pytest.fixture(scope="module")
def model():
    return IntegerModel.load(model_file(SHIPPED, ".npz"))


def teach(*arguments: object) -> list[str]:
    return ["teach", "--word", "lamp", *map(str, arguments)]


def verdicts(lines: list[str]) -> list[str]:
    """Of what `teach` prints: "ok" for a take, else why it is none."""
    why = {text: verdict for verdict, text in takes.ADVICE.items()}
    return ["ok" if line.startswith("take ") else why[line.removeprefix("not taken: ")] for line in lines
            if line.startswith(("take ", "not taken: ")) and "mean" not in line]


@pytest.mark.parametrize("rate", [44_100, 48_000])
def test_a_word_is_said_to_this_computer(run, said, model, tmp_path, rate):
    """What is heard is what was said: it is the word that recordings of the same takes teach, or next to it."""
    said(*LAMPS, rate_hz=rate)
    out = tmp_path / "lamp.npz"
    lines = run(*teach("--microphone", "--out", out)).splitlines()
    assert lines[:2] == ["say lamp (1 of 5)", "take 1 of 5"] and verdicts(lines) == ["ok"] * 5
    assert lines[-1] == f"lamp is taught, in 64 bytes: {out}"
    (word,) = words.load(out, model)
    same = words.teach("lamp", [words.take(model, one) for one in speaker.LAMPS])
    assert words.distances(word.template.astype(int), same.template.astype(int)).max() < 30
    for i in range(6, 11):
        assert len(words.heard(model, np.pad(take(f"lamp_heart_{i:02}"), (0, 4000)), [word])) == 1


def test_as_many_takes_as_are_asked_for(run, said, model, tmp_path):
    """Without a board there is no other microphone to ask."""
    there = said(*LAMPS)
    lines = run(*teach("--takes", 2, "--out", tmp_path / "two.npz")).splitlines()
    assert [line for line in lines if line.startswith("say ")] == ["say lamp (1 of 2)", "say lamp (2 of 2)"]
    assert len(there.streams) == 2 and not any(stream.open for stream in there.streams)
    (word,) = words.load(tmp_path / "two.npz", model)
    assert word.name == "lamp"


def test_takes_that_are_none_are_asked_for_again(run, said, tmp_path):
    """Cut, too soft to be heard, too long, too loud, a cough, and one of which the computer lost a part."""
    clipped = np.clip(40 * LAMPS[1].astype(int), -32768, 32767).astype(np.int16)
    there = said(CUT, LAMPS[0], SOFT, LAMPS[1], LONG, clipped, hiss(0.5), LAMPS[2], *LAMPS[2:], lost=[7],
                 rate_hz=16_000)
    lines = run(*teach("--microphone", "--out", tmp_path / "x.npz")).splitlines()
    assert verdicts(lines) == ["cut", "ok", "empty", "ok", "long", "clipped", "unlike", "lost", "ok", "ok", "ok"]
    assert len(there.streams) == 11 and lines[-1].startswith("lamp is taught")


def test_a_word_is_told_in_json(said, tmp_path, capsys):
    said(CUT, *LAMPS)
    assert main(teach("--microphone", "head", "--out", tmp_path / "x.npz", "--json")) == 0
    out, err = capsys.readouterr()
    *told, result = [json.loads(line) for line in out.splitlines()]
    assert [one["verdict"] for one in told] == ["cut", *["ok"] * 5] and {one["of"] for one in told} == {5}
    assert list(result) == ["word", "takes", "threshold", "bytes", "milliseconds", "distances", "file", "slot"]
    assert (result["word"], result["takes"], result["slot"]) == ("lamp", 5, None)
    assert err.splitlines() == [f"say lamp ({i} of 5)" for i in (1, 1, 2, 3, 4, 5)]


@pytest.fixture
def line(monkeypatch):
    """Any port is a cable to a board with its own clock."""
    line = Cable(VirtualBoard(shipped_image()))
    line.close = lambda: None
    monkeypatch.setattr(isp, "SerialLine", lambda port: line)
    return line


def test_a_word_is_said_to_this_computer_and_kept_by_a_board(run, refused, said, line, model, tmp_path):
    there = said(*LAMPS)
    lines = run(*teach("--microphone", 2, "--takes", 3, "--port", "any", "--out", tmp_path / "x.npz")).splitlines()
    assert lines[-1] == f"lamp is taught, in 64 bytes: place 1 of the board, {tmp_path / 'x.npz'}"
    assert {stream.device for stream in there.streams} == {2}
    with taught.connected("any") as board:
        assert [word.pack() for word in board.words().values()] == [
            word.pack() for word in words.load(tmp_path / "x.npz", model)]
        for i in range(words.MAX_WORDS - 1):
            board.keep(any_word(f"word{i}", i))
    refused("no room for more", "teach", "--word", "tea", "--microphone", "--port", "any")
    assert len(there.streams) == 3  # nobody was asked to speak in vain


def test_ctrl_c_leaves_nothing_taught(said, tmp_path, capsys):
    there = said(LAMPS[0], KeyboardInterrupt())
    assert main(teach("--microphone", "--out", tmp_path / "x.npz")) == 130
    assert capsys.readouterr() == ("say lamp (1 of 5)\ntake 1 of 5\n", "stopped\n")
    assert not (tmp_path / "x.npz").exists() and not there.streams[0].open


def test_it_gives_up(said, tmp_path, capsys):
    said(CUT)
    assert main(teach("--microphone", "--out", tmp_path / "x.npz")) == 2
    out, err = capsys.readouterr()
    assert out.count("not taken") == takes.REFUSED and err.count("\n") == 1
    assert "takes in a row were not taken" in err and not (tmp_path / "x.npz").exists()


def test_a_microphone_that_is_unplugged(said, tmp_path, capsys):
    said(LAMPS[0], LAMPS[1][:6000])
    assert main(teach("--microphone", "--out", tmp_path / "x.npz")) == 2
    out, err = capsys.readouterr()
    assert out == "say lamp (1 of 5)\ntake 1 of 5\nsay lamp (2 of 5)\n" and err.count("\n") == 1
    assert err.startswith("error: nothing comes from the microphone 'built-in'")
    assert not (tmp_path / "x.npz").exists()


def test_what_a_beginner_types(refused, said, monkeypatch, tmp_path):
    """Told before anybody speaks."""
    there, out, wav = said(LAMPS[0], devices=()), tmp_path / "x.npz", tmp_path / "take.wav"
    audio.write(wav, LAMPS[0])
    refused("this computer has no microphone", *teach("--microphone", "--out", out))
    refused("this computer has no microphone", *teach("--takes", 5, "--out", out))
    refused("'phone' is no microphone|no microphone", *teach("--microphone", "phone", "--out", out))
    refused("say where the word goes", *teach("--microphone"))
    refused("choose", *teach("--microphone", "--wav", wav, "--out", out))
    refused("choose", *teach("--takes", 3, "--wav", wav, "--out", out))
    refused("--takes must be 1 to 20, not 0", *teach("--takes", 0, "--out", out))
    refused("--takes must be 1 to 20, not 21", *teach("--microphone", "--takes", 21, "--out", out))
    refused("invalid int", *teach("--takes", "many", "--out", out))
    refused("1 to 8 letters", "teach", "--word", "a lamp", "--microphone", "--out", out)
    refused("--microphone", *teach())
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    refused("pip install sounddevice==.*or give recordings with --wav", *teach("--microphone", "--out", out))
    assert not there.streams and not out.exists()


def test_the_package_is_the_pinned_one():
    pins = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    assert capture.PACKAGE in [line.split(" #")[0] for line in pins]
