"""The virtual board: on its own clock in-process, and on a pseudo-terminal as a user meets it."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import soundfile
from support.played import clips_in_a_row

from tinyspeech import paths, toolchain
from tinyspeech.__main__ import main
from tinyspeech.board import isp, monitor
from tinyspeech.board.direct import Board
from tinyspeech.board.microphone import SIGNAL_HZ, microphone
from tinyspeech.board.protocol import Command
from tinyspeech.board.virtual import VirtualBoard, in_background, load_image, shipped_image
from tinyspeech.chip import firmware
from tinyspeech.errors import UserError
from tinyspeech.integer import frontend, listening
from tinyspeech.integer.network import IntegerModel
from tinyspeech.sound import audio, datasets, mulaw


@pytest.fixture(scope="module")
def image():
    return shipped_image()


@pytest.fixture(scope="module")
def clip():
    return frontend.to_8khz(datasets.load_task(paths.BUNDLED, "validation", limit=1).arrays()[0])[0]


class Ear:
    """What a board has sent, on the board's clock."""

    def __init__(self, board: VirtualBoard):
        self.board, self._heard = board, b""

    def read(self, count: int, seconds: float = 1.0) -> bytes:
        """Up to count bytes, at most after so many seconds."""
        until, stop = self.board.now + seconds, ""
        while len(self._heard) < count and self.board.now < until - 1e-6 and stop != "starved":
            stop = self.board.advance(0.001)
            self._heard += self.board.received()
        out, self._heard = self._heard[:count], self._heard[count:]
        return out


def classify(send, receive, x8k: np.ndarray) -> tuple[np.ndarray, int]:
    """The firmware's protocol for a clip: int16 [8000] -> logits int32 [12], class."""
    data, at = x8k.astype("<i2").tobytes(), 0
    send(Command.CLASSIFY)
    while wanted := receive(1)[0]:
        send(data[at : at + 2 * wanted])
        at += 2 * wanted
    answer = receive(49)
    return np.frombuffer(answer[:48], "<i4"), answer[48]


# --- in-process -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("timed", [True, False])
def test_a_clip_over_the_line_has_the_logits_of_the_emulator(image, clip, timed):
    """With bytes that take time none is lost: the firmware asks for no more than it can take."""
    board = VirtualBoard(image, timed)
    board.advance(0.01)
    began = board.now
    logits, best = classify(board.send, Ear(board).read, clip)
    expected = Board(toolchain.build_firmware().elf).classify(clip)
    assert (logits == expected.logits).all() and best == expected.best
    assert board.chip.state.overruns == 0
    if timed:
        assert 16_000 * 10 / 115_200 < board.now - began < 2.5


@pytest.mark.usefixtures("the_table")  # what stops the chip is our stop: the silicon goes to its handler
def test_a_blank_chip_waits_in_its_rom_for_a_minute_and_then_has_nothing_to_run():
    board = VirtualBoard(None)
    assert board.rom.active
    board.advance(61)
    assert not board.rom.active and "illegal instruction" in str(board.fault)
    assert board.advance(1) == "budget" and board.now == pytest.approx(62, abs=1e-3)


def test_the_reset_pin_and_power_start_the_program_again(image):
    board = VirtualBoard(image)
    for action in (board.press_reset, board.power_cycle):
        action()
        board.advance(0.01)
        board.send(Command.VERSION)
        assert Ear(board).read(100, 0.05) == f"tinyspeech tinyspeech_s {firmware.exported_hash()}\n".encode()


@pytest.mark.usefixtures("the_table")  # what stops the chip is our stop: the silicon goes to its handler
def test_a_fault_stops_the_chip_and_a_reset_ends_it():
    board = VirtualBoard(b"\x00\x00")
    board.advance(0.1)
    assert board.fault and board.now == pytest.approx(0.1, abs=1e-3)
    board.press_reset()
    assert board.fault is None


def test_the_microphone_is_biased_scaled_and_clipped(tmp_path):
    t = np.arange(16_000) / 16_000
    soundfile.write(tmp_path / "tone.wav", 0.5 * np.sin(2 * np.pi * 200 * t), 16_000)
    volts = microphone(tmp_path / "tone.wav")
    assert volts.dtype == np.uint16 and len(volts) == SIGNAL_HZ
    assert abs(volts.mean() - 32768) < 20 and int(volts[2000:-2000].max()) == pytest.approx(49152, abs=60)
    assert microphone(tmp_path / "tone.wav", gain=4).max() == 65535
    noisy = microphone(tmp_path / "tone.wav", noise_lsb=2) - volts.astype(float)
    assert noisy.std() / 64 == pytest.approx(2, rel=0.05)
    assert (microphone(tmp_path / "tone.wav", noise_lsb=2) == noisy + volts).all()  # seeded


@pytest.mark.usefixtures("the_table")  # bytes that take no time have no edges, and an assumption is about those
def test_only_the_command_to_listen_lets_the_microphones_recording_begin_anew(image, monkeypatch):
    """A clip has the byte of that command in it, too; so has what an ESP32 sends."""
    pytest.importorskip("pty")
    board, begun = VirtualBoard(image, timed=False), []
    monkeypatch.setattr(board.chip, "connect_microphone", lambda volts, *_, **__: begun.append(volts))
    line = isp.SerialLine(in_background(board, np.full(SIGNAL_HZ, 32768, np.uint16)))
    classify(line.write, lambda count: line.read(count, 20.0), np.full(frontend.CLIP_SAMPLES, 0x4C4C, np.int16))
    line.write(Command.RECORDING + Command.MICROPHONE * 200 + Command.STOP)
    assert line.read(len("listening\nstopped 0\n"), 20.0) == b"listening\nstopped 0\n"
    assert len(begun) == 1  # when the board was switched on
    line.write(Command.MICROPHONE)
    assert line.read(len("listening\n"), 20.0) == b"listening\n"
    assert len(begun) == 2
    line.write(Command.STOP + Command.COEFFICIENTS)
    while b"listening\n" not in line.read(4096, 0.1):
        pass
    assert len(begun) == 3  # a take
    line.close()


# --- as a process -----------------------------------------------------------------------------------------------------


@pytest.fixture
def start():
    """A board as a process: its port and the process; killed at the end."""
    pytest.importorskip("pty")
    processes = []

    def begin(*arguments):
        process = subprocess.Popen([sys.executable, "-m", "tinyspeech", "board", *map(str, arguments)],
                                   cwd=paths.ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        processes.append(process)
        line = process.stdout.readline()
        assert line.startswith("port: /dev/"), line + process.stderr.read()
        return line.removeprefix("port: ").strip(), process

    yield begin
    for process in processes:
        process.kill()
        process.communicate()


def test_flash_ask_and_classify_over_a_pseudo_terminal(start, capsys, clip):
    port, process = start()
    assert main(["flash", "--port", port, "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["verified"] and result["answer"] == f"tinyspeech tinyspeech_s {firmware.exported_hash()}"
    line = isp.SerialLine(port)
    logits, best = classify(line.write, lambda count: line.read(count, 20.0), clip)
    line.close()
    assert (logits == Board(toolchain.build_firmware().elf).classify(clip).logits).all() and best == logits.argmax()
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (0, "", "")


def test_a_blank_board_as_fast_as_it_goes(start, capsys):
    port, process = start("--blank", "--fast")
    assert main(["flash", "--port", port]) == 0
    out = capsys.readouterr().out
    assert "flashed and verified: CH32V003F4U6" in out and "it runs: tinyspeech" in out
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 0


def test_a_board_whose_program_faults_says_so_and_a_silent_port_is_one_line(start, capsys, tmp_path):
    (tmp_path / "bad.bin").write_bytes(b"\x00\x00")
    port, process = start("--fast", "--image", tmp_path / "bad.bin", "--assume", "faults=stop")
    assert "the chip stopped: illegal instruction" in process.stderr.readline()
    assert main(["flash", "--port", port]) == 2
    err = capsys.readouterr().err
    assert err.startswith("error: the board does not answer") and err.count("\n") == 1


def test_wrong_files_are_one_line(capsys, tmp_path):
    text = tmp_path / "text.wav"
    text.write_text("no sound")
    for arguments, match in ((["--wav", text], "text.wav"), (["--wav", tmp_path / "none.wav"], "does not exist"),
                             (["--image", tmp_path / "none.bin"], "cannot read"),
                             (["--blank", "--image", text], "exclude")):
        assert main(["board", *map(str, arguments)]) == 2
        out, err = capsys.readouterr()
        assert out == "" and err.startswith("error: ") and err.count("\n") == 1 and match in err


def test_an_image_that_does_not_fit_is_refused(tmp_path):
    (tmp_path / "big.bin").write_bytes(bytes(20_000))
    with pytest.raises(UserError, match="20,000"):
        load_image(tmp_path / "big.bin")


def test_an_image_that_never_ends_is_refused():
    with pytest.raises(UserError, match="/dev/zero is not a regular file: give a firmware"):
        load_image("/dev/zero")


def test_the_port_survives_programs_that_come_and_go(start):
    port, _ = start()
    for _ in range(3):
        line = isp.SerialLine(port)
        assert isp.ask_version(line, 10.0).startswith("tinyspeech")
        line.close()
    descriptor = os.open(port, os.O_RDWR | os.O_NOCTTY)
    os.write(descriptor, Command.VERSION)  # and goes away without reading
    os.close(descriptor)
    line = isp.SerialLine(port)
    assert isp.ask_version(line, 10.0).startswith("tinyspeech")
    line.close()


def test_a_recording_begins_anew_when_a_program_lets_the_board_listen(start, tmp_path):
    """`listen` needs a second to start, in which a board that listens by itself has heard a short recording."""
    clip = next((paths.BUNDLED / "yes").glob("6156aa59*"))
    port, _ = start("--wav", clip)
    time.sleep(2.5)
    done = subprocess.run([sys.executable, "-m", "tinyspeech", "listen", "--port", port, "--seconds", "8"],
                          cwd=paths.ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and done.stdout.split()[2:] == ["yes"], done


@pytest.mark.parametrize(("gain", "noise"), [(float("nan"), 0), (0, 0), (-1, 0), (1, -5), (1, float("inf"))])
def test_a_gain_or_a_noise_that_is_none_is_refused(gain, noise):
    with pytest.raises(UserError, match="must be above 0"):
        microphone(next((paths.BUNDLED / "yes").glob("6156aa59*")), gain, noise)


AT_9600 = """
    .option norelax
    li a0, 0x40021018 # RCC_APB2PCENR: port D, USART1
    li a1, 0x4020
    sw a1, 0(a0)
    li a0, 0x40011400 # GPIOD_CFGLR: PD5 sends
    li a1, 0x44b44444
    sw a1, 0(a0)
    li a0, 0x40013800 # USART1
    li a1, 833        # BRR: 8 MHz / 9600
    sw a1, 8(a0)
    li a1, 0x2008     # CTLR1: UE, TE
    sw a1, 12(a0)
    li a1, 'U'
    sw a1, 4(a0)
1:  j 1b
"""


@pytest.mark.parametrize(("baud", "understood"), [(9_600, True), (115_200, False)])
def test_a_firmware_with_another_baud_rate_is_understood_at_that_rate_only(baud, understood):
    board = VirtualBoard(toolchain.assemble(AT_9600), baud=baud)
    board.advance(0.01)
    assert (board.received() == b"U") == understood


def test_a_fast_board_hears_a_recording_of_the_host_whole(tmp_path):
    """Its bytes take no time, but samples have to, for it computes while they come: nothing is lost, or said to be."""
    path, words, notices = tmp_path / "row.wav", [], []
    audio.write(path, clips_in_a_row(12), frontend.SAMPLE_RATE_HZ)
    port = in_background(VirtualBoard(shipped_image(), timed=False))
    monitor.listen_port(port, lambda word: words.append((word.frame, word.word)), notices.append, path)
    model = IntegerModel.load(paths.model_file(paths.SHIPPED, ".npz"))
    sound = mulaw.mulaw_decode(np.frombuffer(monitor.recording(path), np.uint8))
    assert words == listening.words(model, sound) != [] and notices == []
    line = isp.SerialLine(port)
    assert isp.ask_version(line) is not None  # and it waits for commands, as before
    line.close()
