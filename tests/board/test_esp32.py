"""The ESP32's script, by CPython and by MicroPython's unix port: its samples are the library's, bit for bit, and it
finds its board again whatever happens to it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tinyspeech import paths
from tinyspeech.integer import frontend
from tinyspeech.sound import datasets, mulaw

SCRIPTS = paths.FIRMWARE / "esp32"
LATE = 15
"""Samples at 8 kHz by which its filter answers after that of `frontend.to_8khz`."""
BLOCK = 320


@pytest.fixture(params=["cpython", "micropython"])
def python(request, tmp_path):
    """Run a program with these scripts on its path: what it prints. Skipped where the interpreter is missing."""
    interpreter = sys.executable
    if request.param == "micropython":
        beside = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
        interpreter = shutil.which("micropython", path=beside)
        if interpreter is None:
            pytest.skip("MicroPython's unix port is not installed")

    def run(program: str, *arguments) -> str:
        (tmp_path / "program.py").write_text(f"import sys\nsys.path.insert(0, {str(SCRIPTS)!r})\n{program}")
        done = subprocess.run([interpreter, "program.py", *map(str, arguments)], cwd=tmp_path, capture_output=True,
                              text=True, check=False, timeout=300)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


def microphone_words(x: np.ndarray, gain_bits: int) -> np.ndarray:
    """int16 samples as a microphone gives them that is quieter by so many bits: 24 bits on top of 32, and odd bits
    below."""
    low = np.random.default_rng(1).integers(0, 1 << 16 - gain_bits, len(x))
    return ((x.astype(np.int64) << 16 - gain_bits) + low).astype("<i4")


def heard(words: np.ndarray, gain_bits: int) -> np.ndarray:
    """The int16 samples that these words stand for."""
    return np.clip(words.astype(np.int64) >> 16 - gain_bits, -32768, 32767).astype(np.int16)


# --- samples ----------------------------------------------------------------------------------------------------------

CONVERT = """
from array import array
import speech
words = array("i", [0] * speech.BLOCK)
stream = speech.Stream(int(sys.argv[1]))
with open("words", "rb") as source, open("bytes", "wb") as target:
    while source.readinto(words):
        target.write(stream.push(words))
"""


def test_the_filter_is_the_front_ends():
    sys.path.insert(0, str(SCRIPTS))
    try:
        import speech
    finally:
        sys.path.remove(str(SCRIPTS))
    taps = frontend.tables()["halfband"]
    assert list(speech.TAPS) == taps[:31:2].tolist() == taps[:31:-2].tolist() and speech.MIDDLE == taps[31]
    assert not taps[1:31:2].any()
    assert np.abs(taps).sum() * 32768 + (1 << 14) < 2**31  # on the ESP32 an int has 32 bits in native code


@pytest.mark.parametrize("gain_bits", [0, 5, 8])
def test_samples_are_those_of_the_library(python, tmp_path, gain_bits):
    rng = np.random.default_rng(gain_bits)
    sign = np.repeat(np.sign(frontend.tables()["halfband"][::2]), 2)[:63]  # of the worst input for the filter
    x = np.concatenate([
        datasets.load_task(paths.BUNDLED, "validation", limit=1).arrays()[0][0],
        rng.integers(-32768, 32768, 6000).astype(np.int16), np.tile(np.int16([32767, -32768]), 300),
        np.where(np.tile(sign, 40) > 0, 32767, -32768), np.full(500, -32768), np.arange(-400, 400),
    ]).astype(np.int16)
    words = np.concatenate([microphone_words(x, gain_bits), rng.integers(-(2**31), 2**31, 4000).astype("<i4")])
    words = np.pad(words, (0, -len(words) % BLOCK + BLOCK))
    (tmp_path / "words").write_bytes(words.tobytes())
    python(CONVERT, gain_bits)
    got = np.frombuffer((tmp_path / "bytes").read_bytes(), np.uint8)
    want = mulaw.mulaw_encode(frontend.to_8khz(heard(words, gain_bits)))
    assert len(got) == len(want) == len(words) // 2 and not (got == 0x7F).any()
    assert np.array_equal(got[LATE:], want[:-LATE])
    assert len(np.unique(got)) == 255  # every code that there is


# --- the board --------------------------------------------------------------------------------------------------------

HARDWARE = """
class Clock:
    now = 1000

    @staticmethod
    def ticks_ms():
        Clock.now += 1
        return Clock.now

    @staticmethod
    def ticks_diff(a, b):
        return a - b


class Pin:
    def __init__(self, number):
        self.number = number


class I2S:
    RX, MONO = "rx", "mono"

    def __init__(self, number, sck, ws, sd, mode, bits, format, rate, ibuf):
        assert (mode, bits, format, rate, len({sck.number, ws.number, sd.number})) == ("rx", 32, "mono", 16000, 3)
        self.blocks = 0

    def readinto(self, words):
        self.blocks += 1
        Clock.now += 70000 if self.blocks == PAUSE_AT else 20  # a pause in which no word is spoken
        if not SOURCE.readinto(words):
            raise KeyboardInterrupt


class UART:
    def __init__(self, number, baudrate, tx, rx, txbuf, rxbuf):
        assert baudrate == 115200 and tx != rx
        self.answer, self.mode, self.count, self.starts = b"", "", 0, 0
        Machine.board = self

    def write(self, data):
        if Clock.now < POWER_AT:
            return
        for byte in data:
            self.take(byte)

    def read(self):
        new, self.answer = self.answer[:5], self.answer[5:]  # in pieces
        return new or None

    def take(self, byte):
        if self.mode == "":
            if byte in b"LU":
                self.mode = chr(byte)
                self.starts += 1
                self.answer += b"listening\\n"
        elif byte == 0x7F:
            self.mode = ""
            self.answer += b"stopped %d\\n" % (self.count // 160)
        elif self.mode == "U":
            TARGET.write(bytes([byte]))
            self.count += 1
            self.answer += SAYS.get(self.count, b"")
            if self.count in RESETS:
                self.mode = ""


class Machine:
    I2S, UART, Pin = I2S, UART, Pin


sys.modules["machine"], sys.modules["time"] = Machine, Clock
SOURCE, TARGET = open("words", "rb"), open("bytes", "wb")
"""


def test_the_script_talks_to_its_board(python, tmp_path):
    """Power comes late; words and losses are printed; a reset amid speech and a long silence are survived."""
    x = np.concatenate(datasets.load_task(paths.BUNDLED, "validation", limit=8).arrays()[0])
    words = microphone_words(x, 5)
    (tmp_path / "words").write_bytes(words.tobytes())
    out = python(HARDWARE + """
POWER_AT, PAUSE_AT, RESETS = 3500, 350, {40000}
SAYS = {16000: b"word yes 99\\n", 24000: b"word no 149\\nlost 3\\n", 48000: b"word go 12\\n"}
import main
try:
    main.main()
except KeyboardInterrupt:
    pass
TARGET.close()
print(Machine.board.mode, Machine.board.starts)
""")
    lines = out.splitlines()
    assert lines[:3] == ["the board does not answer"] * 3
    assert lines[3:-1] == ["word yes 99", "word no 149", "lost 3", "word go 12"]
    assert lines[-1] == "U 4"  # at first; after the reset a sample does it, then the script; after the pause
    sent = np.frombuffer((tmp_path / "bytes").read_bytes(), np.uint8)
    want = mulaw.mulaw_encode(frontend.to_8khz(heard(words, 5)))
    dropped = 4 * BLOCK // 2  # what the driver may have held back while nobody listened
    assert np.array_equal(sent[LATE + 31 : 40000], want[dropped + 31 : 40000 + dropped - LATE])
    assert len(want) - len(sent) < 3 * dropped + 8000  # after the reset and after the pause a moment is lost
