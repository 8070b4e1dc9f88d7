"""The ROM bootloader, as seen from its serial port: a model of the chip's side of flashing.

WCH's 1,920 bytes are neither ours to ship nor documented by WCH; this follows what Basil Hussain found out about them
(github.com/basilhussain/ch32v003-bootloader-docs): packets, commands, their order, and the quirks, such as a checksum
that skips one byte, a verification that stays failed, and an erase that always erases everything. How long erasing and
programming take is the datasheet's typical figure. Chapter 14.

    request  57 AB  command length 00 data...  sum of command, length and data
    reply    55 AA  command random length 00 data...  sum of all of those
"""

from __future__ import annotations

import struct

from tinyspeech.chip.emulator import FLASH_BYTES, LINE_BAUD, Chip

PASSPHRASE = b"MCU ISP & WCH.CN"
FAMILY = 0x21
VARIANTS = {0x30: "CH32V003F4P6", 0x31: "CH32V003F4U6", 0x32: "CH32V003A4M6", 0x33: "CH32V003J4M6"}
IDENTIFY, END, KEY, ERASE, PROGRAM, VERIFY, READ_CONFIG, WRITE_CONFIG = range(0xA1, 0xA9)
OK, BAD_PASSPHRASE, MISMATCH, REFUSED = 0x00, 0xF1, 0xF5, 0xFE
VERSION = bytes([0, 2, 3, 0])
"""02.30, a digit a byte."""
PAGE_BYTES = 64
TIMEOUT_S = 60.0
"""Without a valid packet for this long it leaves into the user's code."""
PROGRAM_S, ERASE_S = 0.003, 16 * 0.003
"""A page, and 16 sectors of 1 KB."""
BYTE_S = 10 / LINE_BAUD

INFO_CHIP_ID, INFO_UNIQUE_ID, INFO_OPTIONS = 0x44, 0x68, 128
"""Offsets of the vendor bytes that it reads and of the option bytes, from `emulator.INFO_BASE`."""


def key_of(seed: bytes, unique_id: bytes, variant: int) -> bytes:
    """The key that both sides make of a seed of 30 .. 60 bytes; 8 bytes."""
    a, b, s = len(seed) // 5, len(seed) // 7, sum(unique_id) & 0xFF
    key = [seed[i] ^ s for i in (4 * b, a, b, 6 * b, 3 * b, 3 * a, 5 * b)]
    return bytes([*key, (key[0] + variant) & 0xFF])


def xor(data: bytes, key: bytes) -> bytes:
    """Data under the key of 8 bytes, or back."""
    return bytes(byte ^ key[i & 7] for i, byte in enumerate(data))


class Rom:
    """The boot area of a chip, while a reset has led there. Times are seconds of the board's clock.

    instant : erasing and programming take no time.
    """

    def __init__(self, chip: Chip, instant: bool = False):
        self.chip, self.instant = chip, instant
        self.active = False

    def enter(self, now: float) -> None:
        """The boot area begins to run."""
        self.active, self.leave_at = True, now + TIMEOUT_S
        self.busy_until, self._held, self._work = now, None, None
        self._packet = bytearray()
        self._replies: list[tuple[float, int]] = []
        self._key, self._unique_id = bytes(8), bytes(8)
        self._page, self._page_at = bytearray(self.chip.state.sram[:PAGE_BYTES]), 0  # what RAM held
        self._identified = self._mismatch = False
        self._to_boot = False
        self._random = 0

    def receive(self, byte: int, now: float) -> None:
        """A byte is complete in the receiver. While a command is carried out one is held there, others are lost."""
        if now < self.busy_until:
            if self._held is None:
                self._held = byte
            return
        self._resume(now)
        self._take(byte, now)

    def sent(self, now: float) -> bytes:
        """What has left the transmitter by now."""
        self._resume(now)
        if not self._replies or self._replies[0][0] > now:
            return b""
        count = sum(at <= now for at, _ in self._replies)
        out, self._replies = bytes(byte for _, byte in self._replies[:count]), self._replies[count:]
        return out

    def leaves(self, now: float) -> bool:
        """It is time for the user's code: asked for with its answer sent, or after `TIMEOUT_S` of silence."""
        return now >= self.leave_at and not self._replies

    def power_lost(self, now: float) -> None:
        """An erasure or a page that was being programmed stays half done."""
        if now < self.busy_until and self._work:
            start, old = self._work
            half = start + len(old) // 2
            self.chip.state.flash[half : start + len(old)] = old[len(old) // 2 :]
        self.active = False

    def _resume(self, now: float) -> None:
        if self._held is not None and now >= self.busy_until:
            byte, self._held = self._held, None
            self._take(byte, self.busy_until)

    def _take(self, byte: int, now: float) -> None:
        packet = self._packet
        packet.append(byte)
        if not b"\x57\xab".startswith(packet[:2]):
            packet.clear()  # a stray byte is dropped, and so is what follows a first of the two
        if len(packet) < 5 or len(packet) < 6 + packet[3]:
            return
        command, data = packet[2], bytes(packet[5:-1])
        good = (command + packet[3] + sum(data)) & 0xFF == packet[-1]
        packet.clear()
        if good:
            self.leave_at = now + TIMEOUT_S
            self._reply(now, *self._execute(command, data, now))

    def _reply(self, now: float, command: int, data: bytes) -> None:
        self._random = (self._random * 37 + 11) & 0xFF
        body = bytes([command, self._random, len(data), 0]) + data
        packet = b"\x55\xaa" + body + bytes([sum(body) & 0xFF])
        at = max(now, self.busy_until, self._replies[-1][0] if self._replies else 0.0)
        step = 0.0 if self.instant else BYTE_S
        self._replies += [(at + (i + 1) * step, byte) for i, byte in enumerate(packet)]
        if command == END and self.leave_at <= now:
            self.leave_at = self._replies[-1][0]

    def _execute(self, command: int, data: bytes, now: float) -> tuple[int, bytes]:
        """Carry out a command: the code and the data of the reply."""
        actions = {IDENTIFY: self._identify, END: self._end, KEY: self._make_key, ERASE: self._erase,
                   PROGRAM: self._program, VERIFY: self._verify, READ_CONFIG: self._read, WRITE_CONFIG: self._write}
        if command not in actions:
            return command, bytes([REFUSED, self._random])
        return command, actions[command](data, now)

    def _busy(self, now: float, seconds: float) -> None:
        self.busy_until = now if self.instant else max(now, self.busy_until) + seconds

    def _identify(self, data: bytes, now: float) -> bytes:
        if data[2:] != PASSPHRASE:
            return bytes([BAD_PASSPHRASE, self._random])
        self._identified = True
        return bytes([self.chip.state.info[INFO_CHIP_ID + 2], FAMILY])

    def _end(self, data: bytes, now: float) -> bytes:
        if data[:1] == b"\x01":
            self.leave_at = now
        return bytes(2)

    def _make_key(self, data: bytes, now: float) -> bytes:
        if len(data) < 30:
            return bytes([REFUSED, self._random])
        self._key = key_of(data[:60], self._unique_id, self.chip.state.info[INFO_CHIP_ID + 2])
        return bytes([sum(self._key) & 0xFF, 0])

    def _erase(self, data: bytes, now: float) -> bytes:
        self._mismatch = False
        if self._identified:  # which unlocks the flash
            self._work = (0, bytes(self.chip.state.flash))
            self.chip.state.flash[:] = b"\xff" * FLASH_BYTES
            self._busy(now, ERASE_S)
        return bytes(2)

    def _program(self, data: bytes, now: float) -> bytes:
        """Bytes gather in RAM at their place within a page; its last one programs it, and so does a write of none, with
        what RAM held behind them."""
        self._to_boot = False
        if not self._identified or len(data) < 5:
            return bytes(2)
        if len(data) == 5 and self._page_at % PAGE_BYTES:
            self._program_page(self._page_at & -PAGE_BYTES, bytes(self._page), now)
            self._page_at = 0
        for at, byte in enumerate(xor(data[5:], self._key), struct.unpack_from("<I", data)[0]):
            self._page[at % PAGE_BYTES] = byte
            self._page_at = at + 1
            if self._page_at % PAGE_BYTES == 0:
                self._program_page(at & -PAGE_BYTES, bytes(self._page), now)
        return bytes(2)

    def _program_page(self, at: int, page: bytes, now: float) -> None:
        if at + PAGE_BYTES > FLASH_BYTES:
            return
        old = bytes(self.chip.state.flash[at : at + PAGE_BYTES])
        self._work = (at, old)
        self.chip.state.flash[at : at + PAGE_BYTES] = bytes(a & b for a, b in zip(old, page, strict=True))
        self._busy(now, PROGRAM_S)

    def _verify(self, data: bytes, now: float) -> bytes:
        """A mismatch stays until the next erasure: whatever is asked then is refused."""
        at, theirs = struct.unpack_from("<I", data)[0] if len(data) >= 5 else 1, data[5:69]
        if self._mismatch or at % 8 or len(theirs) % 8 or at + len(theirs) > FLASH_BYTES:
            return bytes([REFUSED, 0])
        if bytes(self.chip.state.flash[at : at + len(theirs)]) != xor(theirs, self._key):
            self._mismatch = True
            return bytes([MISMATCH, 0])
        return bytes([OK, 0])

    def _read(self, data: bytes, now: float) -> bytes:
        info = self.chip.state.info
        self._unique_id = bytes(info[INFO_UNIQUE_ID : INFO_UNIQUE_ID + 8])
        option = bytes(info[INFO_OPTIONS : INFO_OPTIONS + 16])
        return bytes([data[0] & 0x1F if data else 0, 0]) + option[:8] + option[8:16:2] + VERSION + self._unique_id

    def _write(self, data: bytes, now: float) -> bytes:
        """Option bytes, all or none; inverses are the model's, as they are the ROM's."""
        if not data or data[0] & 7 != 7 or len(data) < 14:
            return bytes([REFUSED, 0])
        option = self.chip.state.info
        if option[INFO_OPTIONS] != 0xA5 and data[2] == 0xA5:
            self._erase(data, now)
        for i, value in enumerate((*data[2:10:2], *data[10:14])):
            option[INFO_OPTIONS + 2 * i : INFO_OPTIONS + 2 * i + 2] = bytes([value, value ^ 0xFF])
        self._to_boot = True
        return bytes(2)

    @property
    def restarts_itself(self) -> bool:
        """Its end leads back into the boot area: option bytes were written, and nothing was programmed since."""
        return self._to_boot
