"""The serial monitor: on a stand-in that speaks the protocol, what works and everything that can go wrong."""

import contextlib
import errno
import importlib
import json
import os
import signal
import subprocess
import sys
from array import array
from collections import deque
from pathlib import Path

import numpy as np
import pytest
import soundfile
from support.stand_in import Direct, StandIn

from tinyspeech import CLASSES, paths
from tinyspeech.__main__ import main
from tinyspeech.board import isp, keeping, monitor
from tinyspeech.board.microphone import SIGNAL_HZ, microphone
from tinyspeech.board.protocol import Command
from tinyspeech.board.virtual import VirtualBoard, shipped_image
from tinyspeech.chip.firmware import exported_hash
from tinyspeech.errors import UserError
from tinyspeech.integer import decision, frontend
from tinyspeech.integer.network import IntegerModel
from tinyspeech.paths import model_file
from tinyspeech.sound import audio, datasets, mulaw

VERSION = "tinyspeech tinyspeech_s 0123456789ab"


class Firmware:
    """The chip's side of the protocol. It takes any 20 ms that are loud, after some that are not, for "yes"."""

    def __init__(self, live: bool = True, hears: bytes = b"word go 31\nword stop 4711\n"):
        self.live, self.hears = live, hears
        self.mode, self.commands, self.samples = "", bytearray(), bytearray()
        self._loud, self.setting = False, ord("P")

    def take(self, byte: int) -> bytes:
        """A byte from the host; the answer."""
        if self.mode == "S":
            if byte != ord("?"):
                self.mode = chr(byte) + "S"
                return b""
            self.mode = ""
            return b"settings %c\n" % self.setting
        if self.mode.endswith("S"):  # a setting, whose complement this is, or not
            wanted = ord(self.mode[0])
            self.mode, self.setting = "", wanted if byte == wanted ^ 0xFF else self.setting
            return b"settings %c\n" % self.setting
        if self.mode == "U":
            if byte == 0x7F:
                return self._stop(max(0, (len(self.samples) - 96) // 160))
            self.samples.append(byte)
            return self._frame() if len(self.samples) % frontend.HOP == 0 else b""
        stopped = self._stop(5000) if self.mode == "L" else b""
        self.commands.append(byte)
        if byte == ord("V"):
            return stopped + VERSION.encode() + b"\n"
        if self.setting and byte == ord("S"):
            self.mode = "S"
            return stopped
        if self.live and byte in b"LU":
            self.mode, self._loud = chr(byte), False
            return stopped + b"listening\n" + (self.hears if byte == ord("L") else b"")
        return stopped

    def _stop(self, frames: int) -> bytes:
        self.mode = ""
        return b"stopped %d\n" % frames

    def _frame(self) -> bytes:
        was, levels = self._loud, mulaw.mulaw_decode(np.frombuffer(self.samples[-frontend.HOP :], np.uint8))
        self._loud = bool(np.abs(levels.astype(int)).max() > 3000)
        return b"word yes %d\n" % (len(self.samples) // frontend.HOP) if self._loud and not was else b""


def heard_by(line, **options) -> tuple[list[tuple[str, int]], list[str], int]:
    """What `listen` tells: words, notices, and the frames that it returns."""
    words, notices = [], []
    frames = monitor.listen(line, lambda word: words.append((word.word, word.frame)), notices.append, now=line.now,
                            **options)
    return words, notices, frames


@pytest.fixture
def beeps(tmp_path):
    """A file of 3 s at 16 kHz with beeps of 0.1 s at 1.0 s and at 2.9 s."""
    t = np.arange(48_000) / 16_000
    loud = ((t >= 1.0) & (t < 1.1)) | (t >= 2.9)
    soundfile.write(tmp_path / "beeps.wav", 0.5 * np.sin(2 * np.pi * 440 * t) * loud, 16_000)
    return tmp_path / "beeps.wav"


# --- on a clock of its own --------------------------------------------------------------------------------------------


def test_words_of_the_microphone_for_some_seconds():
    line = Direct(Firmware())
    assert heard_by(line, seconds=10.0) == ([("go", 31), ("stop", 4711)], [], 5000)
    assert bytes(line.firmware.commands) == b"\x7fVL\x7f" and line.firmware.mode == ""
    assert 10.0 < line.time < 10.5


def test_a_recording_goes_out_as_it_is_and_comes_back_as_words(beeps):
    line, samples = Direct(Firmware()), monitor.recording(beeps)
    words, notices, frames = heard_by(line, samples=samples)
    assert bytes(line.firmware.samples) == samples and line.firmware.mode == ""
    assert ([word for word, _ in words], notices, frames) == (["yes", "yes"], [], 1 + (len(samples) - 256) // 160)
    assert [frame * 0.02 for _, frame in words] == pytest.approx([1.0, 2.9], abs=0.021)


def test_a_recording_is_the_front_ends_8_khz_in_mulaw_with_silence_behind_it(beeps, tmp_path):
    x, _ = audio.read(beeps)
    sent = monitor.recording(beeps)
    assert len(sent) == 8000 * 3 + 4000 and 0x7F not in sent
    assert sent == mulaw.mulaw_encode(frontend.to_8khz(np.pad(x, (0, 8000)))).tobytes()
    assert set(sent[-3900:]) == {mulaw.MULAW_ZERO}
    assert monitor.recording(beeps, 1.5)[:11_900] == sent[:11_900] and len(monitor.recording(beeps, 1.5)) == 16_000
    soundfile.write(tmp_path / "odd.flac", np.stack([x[:999], x[:999]], 1), 44_100)
    assert len(monitor.recording(tmp_path / "odd.flac")) == 4000 + 182  # 999 / 44.1 kHz are 181.2 samples


@pytest.mark.parametrize("stall", [0.0, 0.03, 2.0])
def test_samples_are_never_sent_faster_than_they_are_spoken(beeps, stall):
    """Nor after a pause of the computer: what is late stays late, but for one frame."""
    line, samples = Direct(Firmware()), monitor.recording(beeps)
    line.stall = {100: stall, 300: stall}
    heard_by(line, samples=samples)
    bursts = [(at, count) for at, count in line.sent[3:-1] if count]
    assert sum(count for _, count in bursts) == len(samples) and max(count for _, count in bursts) <= 160
    for i, (begin, _) in enumerate(bursts):
        total = 0
        for at, count in bursts[i : i + 40]:
            total += count
            assert total <= 8000 * (at - begin) + 160 + 1
    assert bytes(line.firmware.samples) == samples
    late = max(0.0, stall - 0.02) * 2
    assert line.time == pytest.approx(len(samples) / 8000 + late, abs=0.2)


@pytest.mark.parametrize("mode", ["L", "U"])
def test_a_board_that_listens_already_is_taken_over(mode):
    line = Direct(Firmware())
    line.write(mode.encode())
    assert heard_by(line, seconds=0.1) == ([("go", 31), ("stop", 4711)], [], 5000)
    assert line.firmware.mode == "" and not line.firmware.samples


def test_losses_and_noise_on_the_line_are_told():
    garbage = b"wo\xffd yes 3\nword yes\nword yes -3\n\nword no 5\n" + b"x" * 9999 + b"\n"
    line = Direct(Firmware(hears=b"lost 1234\n" + garbage))
    words, notices, _ = heard_by(line, seconds=1.0)
    assert words == [("no", 5)] and notices[0] == "the board lost 1,234 samples"
    assert notices[1:5] == [f"the board says what is not understood: {text!r}"
                            for text in ("wo\ufffdd yes 3", "word yes", "word yes -3", "")]
    assert len(notices) == 6 and len(notices[5]) < 120


def test_bytes_that_the_cable_swallowed_are_told(beeps):
    class Thin(Direct):
        def write(self, data):
            super().write(data if len(self.sent) % 3 else data[1:])

    _, notices, frames = heard_by(Thin(Firmware()), samples=monitor.recording(beeps))
    assert frames < 174 and notices == [f"the board heard {frames} frames of 174: bytes were lost on the way to it"]


def test_a_word_with_which_it_stops_is_told():
    class Late(Firmware):
        def _stop(self, frames):
            return b"word off 4999\n" + super()._stop(frames)

    assert heard_by(Direct(Late(hears=b"")), seconds=1.0)[0] == [("off", 4999)]


@pytest.mark.parametrize("says", [b"listening\n", b"stopped 12\n"])
def test_a_board_that_was_reset_is_one_line(says, beeps):
    for options in ({"seconds": 5.0}, {"samples": monitor.recording(beeps)}):
        line = Direct(Firmware(hears=says))
        line.firmware._frame = lambda says=says: says
        with pytest.raises(UserError, match="was reset while it listened"):
            heard_by(line, **options)
        assert line.time < 1.0 and line.firmware.mode == ""


def test_firmware_that_cannot_listen_and_one_that_does_not_stop_are_told_apart():
    with pytest.raises(UserError, match=f"{VERSION}.*cannot listen.*flash"):
        heard_by(Direct(Firmware(live=False)), seconds=1.0)

    class Stuck(Firmware):
        def take(self, byte):
            return b"" if self.mode else super().take(byte)

    line = Direct(Stuck())
    with pytest.raises(UserError, match="no longer answers"):
        heard_by(line, seconds=1.0)
    assert line.sent[-1][1] == 1  # it tried once more


class Cable:
    """A line to a virtual board, on the board's clock."""

    def __init__(self, board: VirtualBoard):
        self.board, self._arrived = board, b""
        self.write = board.send

    def now(self) -> float:
        return self.board.now

    def read(self, count: int, seconds: float) -> bytes:
        until = self.board.now + max(seconds, 1e-5)
        while self.board.now < until - 1e-6 and len(self._arrived) < count:
            self.board.advance(min(until - self.board.now, 0.005))
            self._arrived += self.board.received()
        out, self._arrived = self._arrived[:count], self._arrived[count:]
        return out


def test_a_board_in_its_rom_and_a_silent_one_are_told_apart():
    with pytest.raises(UserError, match=r"ROM bootloader.*flash"):
        heard_by(Cable(VirtualBoard(None)), seconds=1.0)
    loop = bytes.fromhex("01a0")  # a program that says nothing: j .
    with pytest.raises(UserError, match=r"does not answer.*flash"):
        heard_by(Cable(VirtualBoard(loop)), seconds=1.0)


def test_an_error_and_ctrl_c_leave_the_board_waiting_for_commands(beeps):
    class Pipe(Exception):
        pass

    def raises(*errors):
        errors = deque(errors)

        def heard(word):
            if errors:
                raise errors.popleft()
        return heard

    line = Direct(Firmware())
    with pytest.raises(Pipe):
        monitor.listen(line, raises(Pipe), print, seconds=9.0, now=line.now)
    assert line.firmware.mode == ""
    for samples in (None, monitor.recording(beeps)):
        line = Direct(Firmware())
        notices = []
        frames = monitor.listen(line, raises(KeyboardInterrupt), notices.append, samples, now=line.now)
        assert line.firmware.mode == "" and line.time < 1.5 and frames > 0 and not notices


# --- on a pseudo-terminal, by the command line ------------------------------------------------------------------------


@pytest.fixture
def board():
    """Start stand-ins; they end with the test."""
    pty = pytest.importorskip("pty")
    boards = deque()

    def start(firmware: Firmware | None = None) -> StandIn:
        boards.append(StandIn(pty, firmware or Firmware()))
        return boards[-1]

    yield start
    for stand_in in boards:
        stand_in.unplug()


def refused(capsys, match: str, *arguments) -> None:
    code = main(["listen", *map(str, arguments)])
    out, err = capsys.readouterr()
    err = err.removeprefix("sensitivity normal, open\n")  # told before the listening, in which it may go wrong
    assert code == 2 and out == "" and err.startswith("error: ") and err.count("\n") == 1 and match in err, err


def test_words_and_json(board, capsys):
    stand_in = board(Firmware(hears=b"word go 31\nlost 7\n"))
    assert main(["listen", "--port", stand_in.port, "--seconds", "0.2"]) == 0
    assert capsys.readouterr() == ("    0.62 s  go\n", "sensitivity normal, open\nwarning: the board lost 7 samples\n")
    assert main(["listen", "--port", stand_in.port, "--seconds", "0.2", "--json"]) == 0
    out, _ = capsys.readouterr()
    assert json.loads(out) == {"word": "go", "seconds": 0.62, "frame": 31}


@pytest.mark.parametrize("flag", ["--wav", "--file"])
def test_a_recording_over_a_port(board, beeps, capsys, flag):
    stand_in = board()
    assert main(["listen", "--port", stand_in.port, flag, str(beeps), "--seconds", "1.2", "--json"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["word"] == "yes" and json.loads(out)["seconds"] == pytest.approx(1.0, abs=0.021)
    assert json.loads(err) == {"sensitivity": "normal", "armed": None}
    assert bytes(stand_in.firmware.samples) == monitor.recording(beeps, 1.2)


@pytest.mark.parametrize("flags, code, line", [
    (["--sensitivity", "high", "--armed", "yes"], b"b", {"sensitivity": "high", "armed": "yes"}),
    (["--armed", "go"], b"[", {"sensitivity": "normal", "armed": "go"}),
    (["--open"], b"P", {"sensitivity": "normal", "armed": None}),
    (["--sensitivity", "low"], b"B", {"sensitivity": "low", "armed": "yes"}),
])
def test_a_setting_is_set_and_printed(board, capsys, flags, code, line):
    """What no flag names stays: here the board is armed before."""
    stand_in = board()
    stand_in.firmware.setting = ord("R")
    assert main(["listen", "--port", stand_in.port, "--seconds", "0.1", "--json", *flags]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[0]) == line
    assert bytes([stand_in.firmware.setting]) == code


def test_settings_that_cannot_be_set_are_one_line(board, capsys, monkeypatch):
    monkeypatch.setattr(monitor, "SETTINGS_S", 0.1)
    stand_in = board()
    refused(capsys, "choose from low", "--port", stand_in.port, "--sensitivity", "loud")
    refused(capsys, "choose from yes", "--port", stand_in.port, "--armed", "silence")
    refused(capsys, "--armed", "--port", stand_in.port, "--armed", "go", "--open")
    stand_in.firmware.setting = None
    refused(capsys, "has no settings", "--port", stand_in.port, "--open")
    assert ord("P") not in stand_in.firmware.commands  # to such firmware a setting may be a command
    assert main(["listen", "--port", stand_in.port, "--seconds", "0.1"]) == 0
    assert "has no settings" in capsys.readouterr().err


def test_sounds_are_kept_and_a_board_that_differs_is_told(board, beeps, tmp_path, capsys):
    """The stand-in takes beeps for words; the definition does not."""
    assert main(["listen", "--port", board().port, "--wav", str(beeps), "--keep", str(tmp_path / "kept")]) == 0
    assert "reports and the definition's differ" in capsys.readouterr().err
    assert (tmp_path / "kept" / "log.csv").read_text().startswith("file,start,end,word,kind,lead")


@pytest.fixture
def spoken(tmp_path):
    """A file of a bundled "yes" between pauses, 4 s at 16 kHz, and what the definition reports in it, or nearly."""
    task = datasets.load_task(paths.BUNDLED, "validation")
    clip = task.clip(next(i for i, name in enumerate(task.names) if name.startswith("yes/")))
    soundfile.write(tmp_path / "spoken.wav", np.pad(clip, (8_000, 64_000 - 8_000 - len(clip))), 16_000)
    sound = mulaw.mulaw_decode(np.frombuffer(monitor.recording(tmp_path / "spoken.wav"), np.uint8))
    found = list(keeping.events(IntegerModel.load(model_file("tinyspeech_s", ".npz")), sound))
    assert found and found[0].end < 20_000
    return tmp_path / "spoken.wav", found


def test_sounds_are_kept_when_the_port_is_lost(board, spoken, tmp_path, capsys):
    """A second before the recording ends; what was complete is there."""
    class Unplugged(Firmware):
        def take(self, byte):
            if len(self.samples) > 24_000:
                boards[0].unplug()
            return super().take(byte)

    path, found = spoken
    boards = [board(Unplugged())]
    assert main(["listen", "--port", boards[0].port, "--wav", str(path), "--keep", str(tmp_path / "kept")]) == 2
    err = capsys.readouterr().err.splitlines()
    assert "went away" in err[-1] and not any("Traceback" in line for line in err)
    names = sorted(file.name for file in (tmp_path / "kept").iterdir())
    complete = [event.end - event.start for event in found if event.end <= 23_900]
    assert names[-1] == "log.csv" and complete
    assert [len(soundfile.read(tmp_path / "kept" / name)[0]) for name in names[:-1]] == complete
    assert len((tmp_path / "kept" / "log.csv").read_text().splitlines()) == len(names)


def test_ctrl_c_keeps_what_was_heard(board, spoken, tmp_path, monkeypatch):
    """Right behind the word's decision, before its two seconds are over."""
    path, found = spoken
    sent = keeping.Session.sent

    def interrupt(session, samples):
        sent(session, samples)
        if samples > found[0].frame * frontend.HOP + 800:
            raise KeyboardInterrupt

    monkeypatch.setattr(keeping.Session, "sent", interrupt)
    assert main(["listen", "--port", board().port, "--wav", str(path), "--keep", str(tmp_path / "kept")]) == 0
    kept, = (tmp_path / "kept").glob("*.wav")
    assert found[0].word in kept.name and 0 < found[0].end - found[0].start - len(soundfile.read(kept)[0]) < 4_000


def test_a_disk_that_fills_up_ends_it_in_one_line(board, spoken, tmp_path, capsys, monkeypatch):
    """And the board waits for commands."""
    path, _ = spoken
    stand_in = board()

    def full(self, data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", full)
    assert main(["listen", "--port", stand_in.port, "--wav", str(path), "--keep", str(tmp_path / "kept")]) == 2
    *_, line = capsys.readouterr().err.splitlines()
    assert line.startswith("error: cannot keep sounds") and "No space left on device" in line
    assert [file.name for file in (tmp_path / "kept").iterdir()] == ["log.csv"]
    stand_in.unplug()  # and all that was sent has been taken
    assert stand_in.firmware.mode == ""


def test_sounds_that_cannot_be_kept_are_one_line(board, beeps, tmp_path, capsys):
    refused(capsys, "record it with any recorder", "--port", board().port, "--keep", tmp_path / "kept")
    refused(capsys, "cannot keep sounds", "--port", board().port, "--wav", beeps, "--keep", beeps)


def test_ports_and_files_that_cannot_be_used_are_one_line(board, beeps, capsys, tmp_path):
    stand_in = board()
    refused(capsys, "no port", "--port", tmp_path / "none")
    refused(capsys, "no serial port", "--port", beeps)
    refused(capsys, "--port", "--wav", beeps)
    for seconds in ("0", "-1", "nan", "inf"):
        refused(capsys, "no time to listen", "--port", stand_in.port, "--seconds", seconds)
    (tmp_path / "text.wav").write_text("no sound")
    for path, match in ((tmp_path / "text.wav", "cannot be read as sound"), (tmp_path / "no.wav", "does not exist")):
        refused(capsys, match, "--port", stand_in.port, "--wav", path)
    assert not stand_in.firmware.commands
    line = isp.SerialLine(stand_in.port)
    refused(capsys, "in use", "--port", stand_in.port)
    line.close()


def test_a_board_that_is_unplugged_is_one_line(board, beeps, capsys, monkeypatch):
    class Unplugged(Firmware):
        def take(self, byte):
            if len(self.samples) > 3000 or (self.mode == "" and byte == ord("L")):
                boards[-1].unplug()
            return super().take(byte)

    boards = [board(Unplugged())]
    refused(capsys, "went away", "--port", boards[0].port, "--wav", beeps)
    monkeypatch.setattr(monitor, "RETURN_S", 0.3)
    boards.append(board(Unplugged()))
    assert main(["listen", "--port", boards[1].port]) == 2
    _, told, error = capsys.readouterr().err.splitlines()
    assert "went away: plug the board in again within 0.3 s" in told and error.startswith("error: ")
    assert "went away" in error


def test_a_board_that_is_plugged_in_again_is_listened_to_again(board, capsys, tmp_path):
    """As often as it happens; a port keeps its name, as a rule of udev or the system gives it."""
    port, boards = tmp_path / "ttyBoard", []

    class Pulled(Firmware):
        def take(self, byte):
            answer = super().take(byte)
            if byte == ord("L") and len(boards) < 3:
                plug_in()
            return answer

    def plug_in() -> None:
        if boards:
            boards[-1].unplug()
            port.unlink()
        boards.append(board(Pulled(hears=f"word {('go', 'yes', 'no')[len(boards)]} 31\n".encode())))
        port.symlink_to(boards[-1].port)

    plug_in()
    assert main(["listen", "--port", str(port), "--seconds", "6"]) == 0
    out, err = capsys.readouterr()
    assert out.split() == ["0.62", "s", "no"] and len(boards) == 3
    assert err.count("went away: plug the board in again") == err.count("is back, and time counts from 0 s") == 2


def heeds_ctrl_c() -> None:
    """Where tests run in the background of a shell, Ctrl-C is ignored, by what they start as well."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_ctrl_c_ends_it_well_and_a_reader_may_go_away(board):
    for how in ("SIGINT", "pipe"):
        stand_in = board(Firmware(hears=b"word go 31\n"))
        process = subprocess.Popen([sys.executable, "-m", "tinyspeech", "listen", "--port", stand_in.port], text=True,
                                   cwd=paths.ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   preexec_fn=heeds_ctrl_c)
        try:
            assert process.stdout.readline() == "    0.62 s  go\n"
            if how == "SIGINT":
                process.send_signal(signal.SIGINT)
            else:
                process.stdout.close()
                os.write(stand_in.host, b"word stop 99\n" * 2)
            assert process.stderr.read() == "sensitivity normal, open\n" and process.wait(30) == 0
        finally:
            process.kill()
            process.wait()
        assert stand_in.firmware.mode == "" and bytes(stand_in.firmware.commands) == b"\x7fVS\x7fVL\x7f"


# --- the firmware on the virtual board --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def image():
    return shipped_image()


@pytest.fixture(scope="module")
def speech(tmp_path_factory):
    """A file with three seconds of a room, then four bundled words with pauses; 16 kHz."""
    rng = np.random.default_rng(0)
    task = datasets.load_task(paths.BUNDLED, "validation")
    wanted = [next(i for i, name in enumerate(task.names) if name.startswith(f"{word}/")) for word in SPOKEN]
    x = [rng.normal(0, 20, 48_000).astype(np.int16)]
    for i in wanted:
        x += [task.clip(i), rng.normal(0, 20, 12_000).astype(np.int16)]
    path = tmp_path_factory.mktemp("speech") / "words.flac"
    audio.write(path, np.concatenate(x))
    return path


SPOKEN = ("yes", "right", "stop", "go")


def defined(samples: bytes) -> list[tuple[str, int]]:
    """Words, and the frames of 20 ms after which the chip says them, by the definitions in Python."""
    x8 = mulaw.mulaw_decode(np.frombuffer(samples, np.uint8))
    windows = np.lib.stride_tricks.sliding_window_view(x8, frontend.WINDOW)[:: frontend.HOP].astype(np.int32)
    features = frontend.cepstrum(frontend.log_mel(windows))
    scores = decision.frame_scores(IntegerModel.load(model_file("tinyspeech_s", ".npz")), features)
    return [(CLASSES[word], 2 * (frame + 1) + 1) for frame, word in decision.words(scores)]


def waits_for_commands(line: Cable) -> bool:
    line.write(Command.VERSION)
    return line.read(100, 0.1) == f"tinyspeech tinyspeech_s {exported_hash()}\n".encode()


def test_the_firmware_hears_in_a_recording_what_the_definitions_hear(image, speech):
    line, samples = Cable(VirtualBoard(image)), monitor.recording(speech)
    words, notices, frames = heard_by(line, samples=samples)
    assert words == defined(samples) and len(words) >= 2 and {word for word, _ in words} <= set(SPOKEN)
    assert not notices and frames == 1 + (len(samples) - 256) // 160
    assert waits_for_commands(line) and line.board.chip.state.overruns == 0


def test_the_firmware_hears_the_microphone(image, speech):
    line, samples = Cable(VirtualBoard(image)), monitor.recording(speech)
    line.board.chip.connect_microphone(microphone(speech), SIGNAL_HZ)
    words, notices, frames = heard_by(line, seconds=len(samples) / 8000)
    spoken = dict(defined(samples))
    assert len(words) >= 2 and not notices
    alike = [word for word, frame in words if abs(frame - spoken.get(word, -99)) < 15]
    assert len(alike) >= max(2, len(words) - 1)  # its samples are others: 10 bits, and another filter
    assert abs(frames - len(samples) / 160) < 5 + 0.02 * frames and waits_for_commands(line)


@pytest.mark.parametrize("left", [b"", Command.MICROPHONE, Command.RECORDING + bytes([200, 70]) * 300,
                                  Command.CLASSIFY + bytes(51), Command.FEATURES + bytes(10_001)],
                         ids=["by itself", "L", "U", "C", "F"])
def test_a_board_that_somebody_left_in_the_middle_is_listened_to_and_flashed(image, left):
    """Or that listens by itself, a second after its reset."""
    line = Cable(VirtualBoard(image))
    line.board.advance(0.01 if left else 1.5)
    line.write(left)
    line.board.advance(0.1)
    _, notices, frames = heard_by(line, seconds=0.5)
    assert not notices and 24 <= frames <= 27
    line.write(left or Command.MICROPHONE)
    line.board.advance(0.1)
    assert isp.flash(line, image)["verified"] and waits_for_commands(line)


def test_an_esp32_is_the_firmwares_microphone(image, speech, monkeypatch):
    """Its script, by CPython, between the samples of a microphone and the virtual board."""
    monkeypatch.syspath_prepend(paths.FIRMWARE / "esp32")
    script, line = importlib.import_module("speech"), Cable(VirtualBoard(image))
    line.board.advance(0.01)
    samples = audio.read(speech)[0].astype(np.int32) << 16 - script.GAIN_BITS
    blocks = iter(samples[: len(samples) // script.BLOCK * script.BLOCK].reshape(-1, script.BLOCK))
    sent = bytearray()

    class Hardware:
        def readinto(self, words):
            words[:] = array("i", next(blocks).tobytes())
            line.board.advance(0.02)

        def write(self, data):
            sent.extend(data)
            line.write(bytes(data))

        def read(self):
            return line.read(4096, 0.001)

        def ticks_ms(self):
            return int(1000 * line.board.now)

        def ticks_diff(self, one, other):
            return one - other

    hardware, told = Hardware(), []
    ears = script.Ears(hardware, hardware, hardware, told.append)
    with contextlib.suppress(StopIteration):
        while True:
            ears.step()
    words = defined(bytes(sent[2:]))
    assert told == [f"word {word} {frame}" for word, frame in words] and len(told) >= 2
    assert line.board.chip.state.overruns == 0


def test_over_a_pseudo_terminal_a_recording_and_the_microphone(speech, capsys):
    """With real clocks, so it is said which words come, and nearly when."""
    pytest.importorskip("pty")
    process = subprocess.Popen([sys.executable, "-m", "tinyspeech", "board", "--wav", speech], cwd=paths.ROOT,
                               stdout=subprocess.PIPE, text=True)
    try:
        port = process.stdout.readline().removeprefix("port: ").strip()
        words, notices = [], []

        def first(word):
            words.append(word.word)
            raise KeyboardInterrupt

        monitor.listen_port(port, first, notices.append, seconds=60)
        assert words == [SPOKEN[0]] and not notices
        assert main(["listen", "--port", port, "--wav", str(speech), "--json"]) == 0
        out, err = capsys.readouterr()
        rows, spoken = [json.loads(line) for line in out.splitlines()], defined(monitor.recording(speech))
        assert json.loads(err) == {"sensitivity": "normal", "armed": None}
        assert [row["word"] for row in rows] == [word for word, _ in spoken]
        for row, (_, frame) in zip(rows, spoken, strict=True):
            assert abs(row["frame"] - frame) < 5 and row["seconds"] == round(row["frame"] * 0.02, 2)
    finally:
        process.kill()
        process.communicate()
