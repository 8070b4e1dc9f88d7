"""A microphone's samples on their way to the board, and the board's words on their way back: what runs anywhere.

That is MicroPython on an ESP32, where `main.py` brings the hardware, and MicroPython's unix port and CPython, where
this is tested. The samples are those of tinyspeech/integer/frontend.py (`to_8khz`) and tinyspeech/sound/mulaw.py,
bit for bit; the protocol is that of tinyspeech/board/protocol.py. Chapter 14.
"""

from array import array

try:
    import micropython
except ImportError:  # CPython: the decorator does nothing

    class micropython:
        @staticmethod
        def viper(function):
            return function

    ptr8 = ptr16 = ptr32 = None

BLOCK = 320
"""Samples of the microphone that are taken together, at 16 kHz: 20 ms, half as many bytes on the line."""
GAIN_BITS = 5
"""The microphone is made louder by 30 dB: an INMP441 gives -26 dBFS at 94 dB of sound pressure (its data sheet, 1.1),
and speech at arm's length has 60 to 70 dB."""
TAPS = array("i", (-1, 4, -10, 21, -40, 70, -116, 182, -274, 404, -583, 840, -1228, 1892, -3357, 10390))
MIDDLE = 16380
"""The front end's half-band filter: its first 31 taps without the zeros, and the one in the middle."""
PAST = 61
"""Samples before the block at hand that the filter needs; it answers 15 samples (2 ms) late."""
STOP, START = b"\x7f", b"U"
ANSWER_MS = 1000
CHECK_MS = 60000
"""After so long without a word the board is told again to listen: one that was reset would say nothing, for ever."""
LONGEST_LINE = 100


@micropython.viper
def take(words: ptr32, samples: ptr16, count: int, gain_bits: int):
    """The microphone's words, 24 bits on top of 32, to int16 behind the `PAST` earlier samples; it saturates."""
    for i in range(count):
        sample = ((words[i] >> 8 & 0xFFFFFF ^ 0x800000) - 0x800000) >> (8 - gain_bits)
        if sample > 32767:
            sample = 32767
        if sample < -32768:
            sample = -32768
        samples[61 + i] = sample


@micropython.viper
def halve(samples: ptr16, taps: ptr32, out: ptr8, count: int):
    """`PAST` + 2 count samples at 16 kHz to count bytes of mu-law at 8 kHz; the last `PAST` move to the front.

    The taps' sizes add up to 55,204, so no sum leaves 32 bits. A pointer reads without a sign where words are longer.
    """
    middle = int(MIDDLE)
    for n in range(count):
        total = middle * ((samples[2 * n + 31] & 0xFFFF ^ 0x8000) - 0x8000)
        for i in range(16):
            first, last = samples[2 * (n + i)] & 0xFFFF ^ 0x8000, samples[2 * (n - i) + 62] & 0xFFFF ^ 0x8000
            total += ((taps[i] & 0xFFFF ^ 0x8000) - 0x8000) * (first + last - 0x10000)
        sample = (total + 0x4000) >> 15
        sign = 0
        if sample < 0:
            sign, sample = 0x80, 0 - sample
        if sample > 32635:
            sample = 32635
        sample += 132
        exponent = 0
        while sample >> (exponent + 8):
            exponent += 1
        code = (sign | exponent << 4 | (sample >> (exponent + 3)) & 15) ^ 0xFF
        if code == 0x7F:  # the second zero, which would end the stream
            code = 0xFF
        out[n] = code
    for i in range(61):
        samples[i] = samples[2 * count + i]


class Stream:
    """Blocks of 16 kHz in, mu-law at 8 kHz out."""

    def __init__(self, gain_bits=GAIN_BITS):
        self._gain_bits = gain_bits
        self._samples = array("h", [0] * (PAST + BLOCK))
        self._out = bytearray(BLOCK // 2)

    def push(self, words):
        """`BLOCK` words, array "i" -> their bytes; the same bytearray each time."""
        take(words, self._samples, BLOCK, self._gain_bits)
        halve(self._samples, TAPS, self._out, BLOCK // 2)
        return self._out


class Ears:
    """A microphone that a board listens with.

    i2s : fills an array, and so sets the pace: `readinto(words)` takes 20 ms
    uart : `write(data)`, and `read()`, which gives None or what has come
    clock : `ticks_ms()` and `ticks_diff(a, b)`, as in MicroPython's time
    tell : is told the board's words and what else happens, a line each
    backlog : blocks that i2s may hold back
    """

    def __init__(self, i2s, uart, clock, tell, backlog=0):
        self._i2s, self._uart, self._clock, self._tell, self._backlog = i2s, uart, clock, tell, backlog
        self._stream = Stream()
        self._words = array("i", [0] * BLOCK)
        self._rest = b""
        self._said = 0  # when the board last said something
        self.connected = False

    def connect(self):
        """Let the board listen to samples; True once it says that it does."""
        self.connected = False
        self._uart.write(STOP)
        self._uart.write(START)
        began = self._clock.ticks_ms()
        while self._clock.ticks_diff(self._clock.ticks_ms(), began) < ANSWER_MS:
            if "listening" in self._lines():
                self.connected = True
                for _ in range(self._backlog):  # the board would be sent it faster than it is spoken
                    self._i2s.readinto(self._words)
                return True
        return False

    def step(self):
        """20 ms: from the microphone to the board, and what the board says of it."""
        if not self.connected and not self.connect():
            self._tell("the board does not answer")
            return
        self._i2s.readinto(self._words)
        self._uart.write(self._stream.push(self._words))
        for line in self._lines():
            if line.startswith("word ") or line.startswith("lost "):
                self._tell(line)
            else:  # it was reset, and takes samples for commands
                self.connected = False
        if self._clock.ticks_diff(self._clock.ticks_ms(), self._said) > CHECK_MS:
            self.connected = False

    def _lines(self):
        """The whole lines that have come."""
        new = self._uart.read()
        if not new:
            return []
        self._said = self._clock.ticks_ms()
        lines = (self._rest + new).split(b"\n")
        self._rest = lines.pop()[-LONGEST_LINE:]
        return ["".join(chr(c) for c in line if 32 <= c < 127) for line in lines]  # a reset leaves odd bytes
