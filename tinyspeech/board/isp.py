"""Flashing: the programmer's side of the ROM bootloader's protocol, and the first flash over a WCH-Link.

    python -m tinyspeech flash --port /dev/ttyUSB0

Sources: github.com/basilhussain/ch32v003-bootloader-docs; the other side is `chip/core/rom.c`. Chapter 14.

Whatever a bad cable does, two things hold: success is reported only after every byte was compared on the chip, and a
board that was left half flashed can be flashed again. Replies carry no number, so a late one could be taken for the
next; hence any doubt starts the whole session anew (erased, programmed, compared), nothing is repeated within one.

At the other end of a port may be anything: a printer, a board that logs. So every wait here has an end, whatever comes
or does not, and the line that is then said quotes what was heard.
"""

from __future__ import annotations

import contextlib
import importlib.util
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tinyspeech.board import protocol, rom
from tinyspeech.board.protocol import Command
from tinyspeech.chip.emulator import FLASH_BYTES, LINE_BAUD
from tinyspeech.errors import UserError
from tinyspeech.integer import frontend
from tinyspeech.outside import shown

try:
    from termios import error as TerminalError
except ImportError:  # Windows
    TerminalError = OSError

ATTEMPTS = 4
"""Sessions before it gives up."""
ANSWER_S, ERASE_ANSWER_S = 0.5, 2.0
"""Longest wait for a reply: the ROM needs 3 ms a page; the rest is for slow adapters and busy computers."""
QUIET_S = 0.6
"""A line that was silent for this long holds no late bytes; longer than any wait for a reply but the erasure's."""
HUSHES = 10
"""Whoever still talks after so many of these waits is no board of ours: it would stop at the first byte."""
VERSION_S = 2.0
"""Longest wait for each byte of the answer to 'V'."""
WRITE_S = 10.0
"""Longest wait for a port to take what is written: at this baud it is 115 KB."""
LINK_S = 120
"""Longest wait for rvprog: it flashes a whole chip in a few seconds."""
START_S = 0.05
"""From its reset our firmware needs a millisecond until it listens."""
REQUEST, REPLY = b"\x57\xab", b"\x55\xaa"
"""So packets begin, to the ROM and from it."""
LONGEST_PACKET = 2 + 3 + 255 + 1
BROKEN_CLIP_BYTES = 3 * frontend.CLIP_SAMPLES
"""Two bytes for each sample of a second, and half as much again for those that come while the firmware computes."""
CHATTER_BYTES = 400
"""So much may come before the answer to 'V': words that a listening board had still to say."""
QUOTED_BYTES = 60
"""Of what was heard at a port, in the line that says that it is no board of ours."""
SEED = bytes(range(60))
"""Of the key; any would do, secrecy is not the point."""
TEXTS = {
    "none": "no answer",
    "incomplete": "an incomplete answer",
    "garbled": "a garbled answer",
    "key": "another key",
    "different": "verification failed",
    "answer": "answer {answer}",
    "configuration": "another configuration",
    "lost": "{port} went away: plug the board in and {again}",
    "size": "an image has 1 .. {most:,} bytes, not {size:,}",
    "foreign": "the chip is no CH32V003 (family {family}, variant {variant})",
    "protected": "the chip is protected against reading or writing: `rvprog -u` over a WCH-Link unlocks it",
    "talks": "something at this port talks all the time: it is another device, or a program that only {link} replaces",
    "silent": "the board does not answer ({trouble}): it must run our firmware, which enters the ROM bootloader on "
              "'B'; a blank chip, or one with another program, cannot be entered over the serial port: "
              "use {link} first",
    "failed": "flashing failed {attempts} times, last with: {trouble}{left}",
    "nobody": "the board does not answer: is this its port, and does it run our firmware? Reset it, or flash it with "
              "{flash}",
    "waits": "the board waits in its ROM bootloader: {flash} brings its firmware",
    "left": "; the board holds no whole program now: {again}, or use {link} if it stays silent",
}
"""What goes wrong, in words: here, and in the page that flashes (`pages/widgets/isp.js`)."""
WORDS = {"again": "run the same command again", "link": "--link", "flash": "`python -m tinyspeech flash`"}
"""What the reader does, as it is called on the command line."""
RVPROG = "rvprog==1.11.0"
LINK_VENDOR, LINK_PRODUCT = 0x1A86, 0x8010
"""USB numbers of a WCH-Link in RISC-V mode, as rvprog has them; 0x8012 is one in ARM mode."""


class PortLost(UserError):
    """The port does not work any more: unplugged, or its driver gave up."""


class Talking(UserError):
    """The device at the port says something of its own, and does not stop."""


class Line(Protocol):
    """A serial line: what the client needs of one, real or simulated."""

    def write(self, data: bytes) -> None:
        """Send. `PortLost` if that is impossible."""

    def read(self, count: int, seconds: float) -> bytes:
        """Up to count bytes, as soon as they are there, at most after so many seconds. `PortLost` as above."""


class SerialLine:
    """A serial port at `LINE_BAUD`, 8N1, ours alone. `UserError` if it cannot be opened."""

    def __init__(self, port: str):
        import serial  # only a real port needs it: the virtual board is flashed without

        self.port, self.heard = port, b""
        self._full = serial.SerialTimeoutException
        try:
            self._serial = serial.Serial(port, LINE_BAUD, timeout=0, write_timeout=WRITE_S, exclusive=True)
        except (OSError, ValueError, TypeError, TerminalError) as error:  # SerialException is an OSError
            raise UserError(_why_not(port, error)) from error

    def write(self, data: bytes) -> None:
        with self._errors():
            until = time.monotonic() + WRITE_S
            self._serial.write(data)
            while self._serial.out_waiting:  # as its own flush, which waits for ever
                if time.monotonic() > until:
                    raise self._full("nothing is taken")
                time.sleep(0.0005)

    def read(self, count: int, seconds: float) -> bytes:
        with self._errors():
            self._serial.timeout = seconds
            data = self._serial.read(count)
        self.heard = (self.heard + data)[-CHATTER_BYTES:]
        return data

    def close(self) -> None:
        with contextlib.suppress(Exception):  # a port that went away cannot be closed, and need not be
            self._serial.close()

    @contextlib.contextmanager
    def _errors(self):
        try:
            yield
        except self._full as error:
            raise UserError(f"{self.port} takes no bytes, so that no board of ours is there{said(self)}") from error
        except (OSError, TerminalError, TypeError) as error:  # TypeError: closed under pyserial's hands
            raise PortLost(_text("lost", port=self.port)) from error


def said(line: Line) -> str:
    """What was last heard on a line, to be put behind what is wrong; nothing where nothing was, or nobody listened."""
    heard = getattr(line, "heard", b"")
    if not heard:
        return ""
    lines = [one.strip() for one in heard.split(b"\n")]
    text = next((one for one in reversed(lines[:-1]) if one), lines[-1])[-QUOTED_BYTES:].decode("latin-1")
    legible = text.isascii() and sum(c.isprintable() for c in text) > len(text) // 2
    what = repr(shown.printable(text)) if legible else f"bytes such as {heard[-8:].hex(' ')}"
    return f"; what is there says {what}"


def _why_not(port: str, error: Exception) -> str:
    """One line for a port that cannot be opened."""
    text = str(error)
    if "exclusively lock" in text or "busy" in text:
        return f"{port} is in use by another program: close it and try again"
    if isinstance(error, FileNotFoundError) or "No such file" in text or "FileNotFound" in text:
        return f"no port {port}: plug the board in, or start one with `python -m tinyspeech board`, and give its port"
    if "ermission" in text:
        return f"no permission for {port}: add yourself to its group (often dialout) and log in again"
    return f"{port} is no serial port: give one such as /dev/ttyUSB0, COM3, or what `python -m tinyspeech board` prints"


def in_words(text: str, **values: object) -> str:
    """A text such as those of `TEXTS`, with these values and `WORDS` in it."""
    return text.format(**WORDS, **values)


def _text(key: str, **values: object) -> str:
    return in_words(TEXTS[key], **values)


class _Trouble(Exception):
    """The session cannot be trusted any more: a reply is missing, garbled, or says no."""


class _Different(_Trouble):
    """Bytes on the chip that are not the image's."""


@dataclass(frozen=True)
class Device:
    """What the ROM bootloader says of its chip."""

    variant: int
    """Its code; `rom.VARIANTS` has the names."""
    unique_id: bytes
    options: bytes
    """RDPR, nRDPR, USER, nUSER, DATA0, nDATA0, DATA1, nDATA1, WRPR0 .. 3."""
    version: str
    """Of the ROM bootloader."""


class Client:
    """Speaks to the ROM bootloader over a line."""

    def __init__(self, line: Line):
        self.line = line

    def request(self, command: int, data: bytes, reply_bytes: int = 2, seconds: float = ANSWER_S) -> bytes:
        """Send a command, return its reply's data. `_Trouble` unless one came that is whole and belongs to it."""
        self.line.read(4096, 0)
        body = bytes([command, len(data), 0]) + data
        self.line.write(REQUEST + body + bytes([sum(body) & 0xFF]))
        size = 2 + 4 + reply_bytes + 1
        got = self.line.read(size, seconds)
        if (start := got.find(REPLY)) > 0:  # something else came before
            got = got[start:] + self.line.read(start, seconds)
        if len(got) < size:
            raise _Trouble(_text("incomplete" if got else "none"))
        if not got.startswith(REPLY) or sum(got[2:-1]) & 0xFF != got[-1] or got[2] != command \
                or got[4] != reply_bytes:
            raise _Trouble(_text("garbled"))
        return got[6:-1]

    def identify(self) -> int:
        """The chip's variant; `_Trouble` if nothing answers, `UserError` if it is no CH32V003."""
        variant, family = self.request(rom.IDENTIFY, bytes([0x31, rom.FAMILY]) + rom.PASSPHRASE)
        if family != rom.FAMILY or variant not in rom.VARIANTS:
            raise UserError(_text("foreign", family=f"{family:#04x}", variant=f"{variant:#04x}"))
        return variant

    def hush(self) -> None:
        """Wait until the line is silent, and forget what came. `Talking` where it never is."""
        for _ in range(HUSHES):
            if not self.line.read(4096, QUIET_S):
                return
        raise Talking(_text("talks") + said(self.line))

    def end_clip(self) -> None:
        """Fill up a clip that was broken off with silence."""
        for _ in range(BROKEN_CLIP_BYTES // 1000):
            self.line.write(bytes(1000))
            self.line.read(4096, 0)

    def enter(self) -> int:
        """Get the ROM bootloader to answer, from wherever the board is; returns the variant.

        Our firmware goes there on 'B'. First of all, because the passphrase has a 'C' in it, which the firmware takes
        for a clip. A clip that was broken off is filled up with silence, and listening to samples from the port is
        stopped; but only if 'B' alone did not help, for what is left of a half flashed program may know nothing else.
        In the ROM a packet that was broken off is filled up as well. Of what is no packet, 'B' among it, it drops byte
        after byte; in case one drops two by two, both an even and an odd number are tried.
        """
        for command in (Command.BOOTLOADER, Command.STOP + Command.BOOTLOADER):
            if command != Command.BOOTLOADER:
                self.end_clip()
            self.line.write(command)
            self.hush()
            for padding in (0, LONGEST_PACKET, LONGEST_PACKET + 1):
                self.line.write(bytes(padding))
                if padding:
                    self.hush()
                with contextlib.suppress(_Trouble):
                    return self.identify()
        raise _Trouble(_text("none"))

    def read_config(self, variant: int) -> Device:
        """Option bytes, version and unique id; the ROM needs this before it can make a key."""
        data = self.request(rom.READ_CONFIG, b"\x1f\x00", 26)
        return Device(variant, data[18:], data[2:14], f"{10 * data[14] + data[15]}.{data[16]}{data[17]}")

    def session(self, image: bytes, step: Callable[[int], None], erased: Callable[[], None],
                programmed: bool = False) -> Device:
        """Everything once, in the published order: identify, configuration, key, erase, program, the key again, verify.

        image : whole pages. programmed : a session before this one programmed them all, so they are only compared.

        step is told how many bytes were programmed or compared, erased that the old program is gone.
        """
        device = self.read_config(self.enter())
        if device.options[0] != 0xA5 or any(byte != 0xFF for byte in device.options[8:10]):
            raise UserError(_text("protected"))
        key = rom.key_of(SEED, device.unique_id, device.variant)
        self._agree_on(key)
        if not programmed:
            erased()
            self._expect_ok(rom.ERASE, struct.pack("<I", max(8, -(-len(image) // 1024))), ERASE_ANSWER_S)
        for command in (rom.VERIFY,) if programmed else (rom.PROGRAM, rom.VERIFY):
            for at in range(0, len(image), rom.PAGE_BYTES):
                page = image[at : at + rom.PAGE_BYTES]
                self._expect_ok(command, struct.pack("<IB", at, 0) + rom.xor(page, key))
                step(len(page))
            if command == rom.PROGRAM:
                self._expect_ok(command, struct.pack("<IB", len(image), 0))
                self._agree_on(key)
        self._confirm(struct.pack("<IB", at, 0) + rom.xor(page, key), device)
        return device

    def _agree_on(self, key: bytes) -> None:
        """Send the seed; the ROM's key must be ours."""
        if self.request(rom.KEY, SEED)[0] != sum(key) & 0xFF:
            raise _Trouble(_text("key"))

    def _expect_ok(self, command: int, data: bytes, seconds: float = ANSWER_S) -> None:
        if (answer := self.request(command, data, seconds=seconds)[0]) != rom.OK:
            if answer in (rom.MISMATCH, rom.REFUSED):
                raise _Different(_text("different"))
            raise _Trouble(_text("answer", answer=f"{answer:#04x}"))

    def _confirm(self, last_page: bytes, device: Device) -> None:
        """No answer was taken for another's: the line is silent, two different commands get each its own, and a
        mismatch anywhere would still be remembered."""
        self.hush()
        for _ in range(2):
            if self.read_config(device.variant) != device:
                raise _Trouble(_text("configuration"))
            self._expect_ok(rom.VERIFY, last_page)

    def run(self) -> bool:
        """Start the user's code; whether the ROM said that it does."""
        for _ in range(2):
            with contextlib.suppress(_Trouble):
                self.request(rom.END, b"\x01")
                return True
        return False


def flash(line: Line, image: bytes, progress: Callable[[int, int], None] = lambda done, total: None) -> dict:
    """Flash an image over a serial line and compare every byte on the chip.

    image : flash from address 0, at most 16,384 bytes.
    progress : told (bytes done, bytes to do); each byte is programmed and compared.

    Returns `variant`, `bootloader`, `bytes`, `verified` (always True), `sessions`, and `started`: the ROM's word that
    the program runs; without it, it does so after a minute. Raises `UserError` for everything else.
    """
    if not 0 < len(image) <= FLASH_BYTES:
        raise UserError(_text("size", most=FLASH_BYTES, size=len(image)))
    pages = image + b"\xff" * (-len(image) % rom.PAGE_BYTES)
    client, total, done, gone = Client(line), 2 * len(pages), 0, False

    def step(count: int) -> None:
        nonlocal done
        done += count
        progress(done, total)

    def erased() -> None:
        nonlocal gone
        gone = True

    trouble, programmed = _Trouble(_text("none")), False
    try:
        for sessions in range(1, ATTEMPTS + 1):
            done = len(pages) if programmed else 0
            try:
                device = client.session(pages, step, erased, programmed)
            except _Trouble as error:
                # What fell silent while it compared may have been ended by the firmware's watchdog, which runs on in
                # the ROM and cannot be fed there: comparing alone takes less than half of a session.
                silent = done >= len(pages) and not isinstance(error, _Different)
                trouble, programmed = error, silent and not programmed
                if not gone and sessions == 2:
                    break  # it never answered: more of the same does not help
                client.hush()
                continue
            return {"variant": rom.VARIANTS[device.variant], "bootloader": device.version, "bytes": len(image),
                    "verified": True, "sessions": sessions, "started": client.run()}
    except (PortLost, Talking) as lost:
        raise type(lost)(f"{lost}{_text('left') if gone else ''}") from lost
    if not gone:
        raise UserError(_text("silent", trouble=trouble) + said(line))
    raise UserError(_text("failed", attempts=ATTEMPTS, trouble=trouble, left=_text("left")))


def ask_version(line: Line, seconds: float = VERSION_S) -> str | None:
    """The line with which our firmware answers 'V', or None. A board that listens is stopped for that."""
    now = getattr(line, "now", time.monotonic)
    line.read(4096, START_S)
    line.write(Command.STOP + Command.VERSION)
    answer, until = bytearray(), now() + 2 * seconds
    for _ in range(CHATTER_BYTES):
        if not (new := line.read(1, max(0.0, min(seconds, until - now())))):
            break
        answer += new
        if new == b"\n":
            if text := protocol.version_line(answer):
                return text
            answer.clear()
    return None


def find_version(line: Line) -> str:
    """`ask_version`, also of a board that waits for the rest of a clip; `UserError` says what is there instead."""
    client = Client(line)
    if version := ask_version(line):
        return version
    try:
        client.identify()
    except _Trouble:
        client.hush()  # a printer shall not get what ends a clip
        client.end_clip()
        client.hush()
        if version := ask_version(line):
            return version
        raise UserError(_text("nobody") + said(line)) from None
    raise UserError(_text("waits"))


def find_board() -> str | None:
    """The serial port of a WCH-Link behind which our firmware answers; None without any WCH-Link. `UserError` if there
    is one, but no answer: a new board runs another program. Nothing else is spoken to.

    For whoever says that the attached board may be used: chapter 14 does not look for one by itself."""
    from serial.tools import list_ports  # as above

    silent = ""
    for port in sorted(list_ports.comports()):
        if (port.vid, port.pid) == (LINK_VENDOR, LINK_PRODUCT):
            try:
                with contextlib.closing(SerialLine(port.device)) as line:
                    if ask_version(line):
                        return port.device
            except UserError as error:
                silent = silent or str(error)
            silent = silent or (f"{port.device} is a WCH-Link, but our firmware does not answer behind it: a new board "
                                "needs it once, by `python -m tinyspeech flash --link` in a terminal")
    if silent:
        raise UserError(silent)
    return None


def flash_port(port: str, image: bytes, progress: bool = True) -> dict:
    """`flash` over a port, with a progress bar on standard error; adds `port` and `answer`, the program's words."""
    from tqdm import tqdm  # only people want a bar: `flash` itself shows none

    line = SerialLine(port)
    try:
        with tqdm(unit="B", unit_scale=True, desc="flash", disable=not progress) as bar:
            def show(done: int, total: int) -> None:
                bar.total = total
                bar.update(done - bar.n)

            result = flash(line, image, show)
        return {"port": port, **result, "answer": ask_version(line) if result["started"] else None}
    finally:
        line.close()


UNPLUG_ONCE = ("unplug the board and plug it in again, once: the option bytes that let `flash --port` and reset work "
               "count from the next power-on")
LINK_PROBLEMS = (
    ("No module named 'rvprog'", f"rvprog is not installed: pip install {RVPROG}"),
    ("No module named 'usb'", "pyusb is not installed: pip install pyusb"),
    ("No backend available", "libusb is missing: install it (Debian: apt install libusb-1.0-0; macOS: brew install "
                             "libusb; Windows: libusb-1.0.dll on the PATH)"),
    ("Access denied", "no permission for the WCH-Link: add a udev rule for USB vendor 1a86, products 8010 and 8012, "
                      "MODE=\"666\", and plug it in again"),
    ("WCH-Link not found", "no WCH-Link in RISC-V mode was found: plug it in; if its blue LED is on, run `rvprog -v`"),
)
"""What rvprog or Python says, and what it means."""


def flash_link(image: bytes) -> dict:
    """Flash over a WCH-Link with rvprog: also a blank chip. Lets PD7 be the reset pin, and with the same option byte
    (START_MODE) the ROM bootloader be entered from then on. `UserError` with what is missing."""
    if importlib.util.find_spec("rvprog") is None:
        raise UserError(LINK_PROBLEMS[0][1])
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "firmware.bin"
        file.write_bytes(image)
        try:
            done = subprocess.run([sys.executable, "-m", "rvprog.rvprog", "-f", str(file), "-R"], check=False,
                                  capture_output=True, text=True, errors="replace", timeout=LINK_S)
        except subprocess.TimeoutExpired as error:
            raise UserError(f"rvprog did not end within {LINK_S} s: unplug the WCH-Link and the board, plug them in "
                            "and try again") from error
    told = done.stdout + done.stderr
    if done.returncode == 0 and "written and verified" in told:
        return {"bytes": len(image), "verified": True}
    for sign, meaning in LINK_PROBLEMS:
        if sign in told:
            raise UserError(meaning)
    lines = [line for line in told.splitlines() if line.strip()] or ["nothing"]
    main = [line for line in lines if line.startswith("WARNING")]
    main += [line for line in lines if line.startswith("ERROR")] or lines[-1:]
    raise UserError(f"rvprog failed: {' '.join(main)}")
