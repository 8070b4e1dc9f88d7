"""`teach --port`, `words` and `forget`, on the virtual board: what they print, and what they refuse in one line."""

import json

import numpy as np
import pytest
from support.speaker import CUT, LAMPS, Speaker, defined
from support.stand_in import StandIn
from support.taught_words import any_word

from tinyspeech.__main__ import main
from tinyspeech.board import isp, taught
from tinyspeech.board import takes as takes_of_a_board
from tinyspeech.board.cable import Cable
from tinyspeech.board.microphone import as_volts
from tinyspeech.board.virtual import VirtualBoard, in_background, shipped_image
from tinyspeech.integer import frontend, words
from tinyspeech.integer.network import IntegerModel
from tinyspeech.paths import BUNDLED, SHIPPED, model_file
from tinyspeech.sound import audio


@pytest.fixture(scope="module")
def takes(tmp_path_factory):
    """Files of *marvin*, with quiet around it, and one that holds no word."""
    folder, dice = tmp_path_factory.mktemp("takes"), np.random.default_rng(0)
    marvin = audio.load_clip(sorted(BUNDLED.glob("marvin/*.flac"))[0])
    files = [folder / f"take{i}.wav" for i in range(3)]
    for file, gain in zip(files, (1, 0.7, 0.5), strict=True):
        audio.write(file, np.rint(gain * np.pad(marvin, 8000) + dice.normal(0, 3, 32_000)).astype(np.int16))
    audio.write(folder / "silence.wav", np.zeros(32_000, np.int16))
    return [*files, folder / "silence.wav"]


@pytest.fixture(scope="module")
def lamp(takes, tmp_path_factory):
    """A file of a word that was taught from the takes."""
    out = tmp_path_factory.mktemp("lamp") / "lamp.npz"
    assert main(["teach", "--word", "lamp", "--wav", *map(str, takes[:3]), "--out", str(out)]) == 0
    return out


@pytest.fixture(scope="module")
def port():
    """Of one virtual board for all tests here."""
    pytest.importorskip("pty")
    return in_background(VirtualBoard(shipped_image()))


class Kept:
    """What a board at a port keeps, looked up anew."""

    def __init__(self, port: str):
        self.port = port

    @property
    def pages(self) -> dict[str, bytes]:
        with taught.connected(self.port) as board:
            return {word.name: word.pack() for word in board.words().values()}

    def put(self, *some: words.Word) -> None:
        with taught.connected(self.port) as board:
            for word in some:
                board.keep(word)


@pytest.fixture
def board(port):
    """With nothing taught to it."""
    with taught.connected(port) as board:
        board.reset()
    return Kept(port)


def in_file(path) -> dict[str, bytes]:
    model = IntegerModel.load(model_file(SHIPPED, ".npz"))
    return {word.name: word.pack() for word in words.load(path, model)}


def test_a_board_with_nothing_taught(run, board):
    assert run("words", "--port", board.port) == "no word is taught\nroom for 8 more\n"
    assert json.loads(run("words", "--port", board.port, "--json")) == {"words": [], "free": 8}


def test_from_files_onto_the_board(run, board, takes, lamp):
    """The page that a file would hold; and it is listed, renamed and forgotten."""
    out = run("teach", "--port", board.port, "--word", "lamp", "--wav", *takes[:3])
    assert out.endswith("\nlamp is taught, in 64 bytes: place 1 of the board\n") and str(takes[0]) in out
    assert board.pages == in_file(lamp)
    run("teach", "--port", board.port, "--word", "tea", "--wav", takes[0])
    assert run("words", "--port", board.port) == "1  lamp\n2  tea\nroom for 6 more\n"
    listed = json.loads(run("words", "--port", board.port, "--rename", "lamp", "light", "--json"))
    assert listed == {"words": [{"word": "tea", "slot": 1}, {"word": "light", "slot": 2}], "free": 6}
    assert run("forget", "--port", board.port, "--word", "light") == "2  tea\nroom for 7 more\n"
    assert json.loads(run("forget", "--port", board.port, "--all", "--json")) == {"words": [], "free": 8}


def test_from_files_onto_the_board_and_into_a_file(run, board, takes, tmp_path):
    result = json.loads(run("teach", "--port", board.port, "--word", "lamp", "--wav", *takes[:2], "--json", "--out",
                            tmp_path / "x.npz"))
    assert list(result) == ["word", "takes", "threshold", "bytes", "milliseconds", "distances", "file", "slot"]
    assert (result["word"], result["takes"], result["slot"]) == ("lamp", 2, 0)
    assert board.pages == in_file(result["file"])


def test_what_a_beginner_types(refused, board, takes, tmp_path):
    """Nothing is lost by any of it."""
    port, take = ("--port", board.port), takes[0]
    board.put(any_word("lamp"))
    before = board.pages
    refused("takes with --wav: say the word five times", "teach", "--word", "lamp")
    refused("--out FILE.npz", "teach", "--word", "lamp", "--wav", take)
    refused("--port", "words")
    refused("--port", "forget", "--word", "lamp")
    refused("--word --all", "forget", *port)
    refused("not allowed with", "forget", *port, "--word", "lamp", "--all")
    refused("no port", "words", "--port", tmp_path / "none")
    refused("no serial port", "words", "--port", take)
    refused("1 to 8 letters", "teach", *port, "--word", "chandelier", "--wav", take)
    refused("1 to 8 letters", "words", *port, "--rename", "lamp", "my lamp")
    refused("expected 2 arguments", "words", *port, "--rename", "lamp")
    refused("no word 'tea': it knows lamp", "words", *port, "--rename", "tea", "coffee")
    refused("no word 'tea': it knows lamp", "forget", *port, "--word", "tea")
    refused("silence.wav: the take is empty", "teach", *port, "--word", "tea", "--wav", takes[3])
    refused("does not exist", "teach", *port, "--word", "tea", "--wav", tmp_path / "no.wav")
    refused("expected at least one", "teach", *port, "--word", "tea", "--wav")
    refused("not tinyspeech_xs", "teach", *port, "--word", "tea", "--wav", take, "--model", "tinyspeech_xs")
    refused("holds no taught words", "teach", *port, "--word", "tea", "--wav", take, "--out", take)
    assert board.pages == before


def test_a_full_board(refused, board, takes):
    board.put(*(any_word(f"word{i}", i) for i in range(words.MAX_WORDS)))
    before = board.pages
    refused("no room for more", "teach", "--port", board.port, "--word", "lamp", "--wav", takes[0])
    refused("no room for more", "teach", "--port", board.port, "--word", "lamp")
    assert board.pages == before


class OtherFirmware:
    """It answers `V` alone."""

    def __init__(self, version: str):
        self.version = version

    def take(self, byte: int) -> bytes:
        return self.version.encode() + b"\n" if byte == ord("V") else b""


@pytest.fixture
def other():
    pty = pytest.importorskip("pty")
    stand_in = StandIn(pty, OtherFirmware(f"tinyspeech {SHIPPED} 0123456789ab"))
    yield stand_in
    stand_in.unplug()


def test_a_firmware_from_before(refused, other, takes, monkeypatch):
    monkeypatch.setattr(taught, "ANSWER_S", 0.1)
    for arguments in (("words",), ("forget", "--all"), ("teach", "--word", "lamp", "--wav", takes[0])):
        refused("knows no taught words: flash ours", *arguments, "--port", other.port)


def test_a_board_with_another_network(refused, board, takes, monkeypatch):
    network = IntegerModel.load(model_file("tinyspeech_xs", ".npz"))
    monkeypatch.setattr(IntegerModel, "load", lambda path: network)
    refused("another tinyspeech_s", "teach", "--port", board.port, "--word", "lamp", "--wav", takes[0])
    assert not board.pages


def test_words_of_a_file_are_put_on_the_board_that_is_listened_to(board, lamp, capsys):
    """And stay there; one that is there already is not a second one."""
    for _ in range(2):
        assert main(["listen", "--port", board.port, "--words", str(lamp), "--seconds", "0.2"]) == 0
        assert capsys.readouterr().err == "sensitivity normal, open\n"
        assert board.pages == in_file(lamp)


@pytest.fixture
def cable(monkeypatch):
    """Any port is a cable to a board with its own clock, so that nothing is lost when this computer is busy."""
    line = Cable(VirtualBoard(shipped_image()))
    line.close = lambda: None
    monkeypatch.setattr(isp, "SerialLine", lambda port: line)


def test_a_taught_word_is_heard_on_the_port(cable, takes, lamp, tmp_path, capsys):
    """Then as the first word of a board that is armed by it, which is kept. Sounds around it are, too; and the board's
    reports are the definition's."""
    arguments = ["listen", "--port", "any", "--words", str(lamp), "--wav", str(takes[1]), "--json"]
    for flags, mode in (((), None), (("--armed", "taught"), "taught"), (("--keep", str(tmp_path / "kept")), "taught")):
        assert main([*arguments, *flags]) == 0
        lines = [json.loads(line) for line in "".join(capsys.readouterr()).splitlines()]
        assert {"sensitivity": "normal", "armed": mode} in lines
        assert [line["word"] for line in lines if line.get("word") == "lamp"] == ["lamp"]
    assert any("_lamp_report" in file.name for file in (tmp_path / "kept").iterdir())
    assert main(["listen", "--port", "any", "--seconds", "0.1"]) == 0
    assert capsys.readouterr().err == "sensitivity normal, armed, first word any taught word\n"


@pytest.fixture
def speaker(monkeypatch):
    """Any port is a cable to a board with its own clock, to which somebody says this."""
    def speaker(*said, **options) -> Speaker:
        line = Speaker(*said, **options)
        monkeypatch.setattr(isp, "SerialLine", lambda port: line)
        return line

    return speaker


def test_a_word_is_said_to_the_board(run, speaker, tmp_path):
    """What is not taken is asked for again; the page is the definition's, and the file's."""
    line = speaker(LAMPS[0], CUT, *LAMPS[1:])
    lines = run("teach", "--port", "any", "--word", "lamp", "--out", tmp_path / "x.npz").splitlines()
    assert lines[:6] == ["say lamp (1 of 5)", "take 1 of 5", "say lamp (2 of 5)",
                         f"not taken: {takes_of_a_board.ADVICE['cut']}", "say lamp (2 of 5)", "take 2 of 5"]
    assert [line for line in lines if line.startswith("take ") and "mean" not in line] == [
        f"take {i} of 5" for i in range(1, 6)]
    assert [line.split(": ")[0] for line in lines[-6:-1]] == [f"take {i}" for i in range(1, 6)]
    assert lines[-1] == f"lamp is taught, in 64 bytes: place 1 of the board, {tmp_path / 'x.npz'}"
    verdicts, word = defined(IntegerModel.load(model_file(SHIPPED, ".npz")), "lamp", line.heard)
    assert verdicts == ["ok", "cut", "ok", "ok", "ok", "ok"]
    assert Kept("any").pages == in_file(tmp_path / "x.npz") == {"lamp": word.pack()}


def test_a_word_is_said_to_the_board_and_told_in_json(speaker, capsys):
    """A line each on standard output; who has to speak is told on the other."""
    speaker(LAMPS[0], CUT, *LAMPS[1:])
    assert main(["teach", "--port", "any", "--word", "lamp", "--json"]) == 0
    out, err = capsys.readouterr()
    *told, result = [json.loads(line) for line in out.splitlines()]
    assert told == [{"take": number, "of": 5, "verdict": verdict} for number, verdict in
                    [(1, "ok"), (2, "cut"), (2, "ok"), (3, "ok"), (4, "ok"), (5, "ok")]]
    assert list(result) == ["word", "takes", "threshold", "bytes", "milliseconds", "distances", "file", "slot"]
    assert (result["word"], result["takes"], result["slot"], result["file"]) == ("lamp", 5, 0, None)
    assert len(result["milliseconds"]) == 5 and all(200 < long < 1200 for long in result["milliseconds"])
    assert err.splitlines() == [f"say lamp ({i} of 5)" for i in (1, 2, 2, 3, 4, 5)]


def test_as_many_takes_as_are_asked_for(run, speaker):
    """Of the board, too: it is where its own microphone is."""
    line = speaker(*LAMPS)
    lines = run("teach", "--port", "any", "--word", "lamp", "--takes", 2).splitlines()
    assert lines[:4] == ["say lamp (1 of 2)", "take 1 of 2", "say lamp (2 of 2)", "take 2 of 2"]
    assert len(line.heard) == 2 and list(Kept("any").pages) == ["lamp"]


def test_ctrl_c_while_a_word_is_said_leaves_nothing_taught(speaker, tmp_path, capsys):
    line = speaker(*LAMPS)
    line.interrupt_at = 300
    assert main(["teach", "--port", "any", "--word", "lamp", "--out", str(tmp_path / "x.npz")]) == 130
    assert capsys.readouterr() == ("say lamp (1 of 5)\n", "stopped\n")
    assert not Kept("any").pages and not (tmp_path / "x.npz").exists()


@pytest.mark.parametrize("said, faults, match", [
    (LAMPS[:1], {("from", 1000): "unplug"}, "the port went away"), ([CUT], {}, "takes in a row were not taken")])
def test_a_word_that_cannot_be_said_to_the_board(speaker, said, faults, match, capsys):
    speaker(*said, faults=faults)
    assert main(["teach", "--port", "any", "--word", "lamp"]) == 2
    out, err = capsys.readouterr()
    assert out.startswith("say lamp (1 of 5)\n") and "is taught" not in out
    assert err.startswith("error: ") and err.count("\n") == 1 and match in err


def test_a_virtual_boards_recording_is_said_for_each_take(run):
    """Over a pseudo-terminal."""
    pytest.importorskip("pty")
    port = in_background(VirtualBoard(shipped_image()), as_volts(LAMPS[0], frontend.SAMPLE_RATE_HZ))
    assert run("teach", "--port", port, "--word", "lamp").endswith("64 bytes: place 1 of the board\n")


def test_files_that_cannot_be_listened_for(board, other, takes, lamp, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(taught, "ANSWER_S", 0.1)
    for port, file, match in ((board.port, tmp_path / "no.npz", "no taught words at"),
                              (board.port, takes[0], "holds no taught words"), (other.port, lamp, "no taught words")):
        assert main(["listen", "--port", port, "--words", str(file), "--seconds", "0.1"]) == 2
        *_, line = capsys.readouterr().err.splitlines()
        assert line.startswith("error: ") and match in line
    assert not board.pages


def test_a_board_that_is_flashed_tells_that_its_words_came_back(run, board, lamp):
    board.put(any_word("lamp"))
    assert run("flash", "--port", board.port).endswith("\nits taught words are on it again, 1\n")
    assert board.pages == {"lamp": any_word("lamp").pack()}
