"""The ROM bootloader's language: what both sides of flashing say, as bytes. Its model is `chip/core/rom.c`, on a board
`virtual.py`'s, and `isp.py` is the side of the computer.

After what Basil Hussain found out about it (github.com/basilhussain/ch32v003-bootloader-docs). Chapter 14.

    request  57 AB  command length 00 data...  sum of command, length and data
    reply    55 AA  command random length 00 data...  sum of all of those
"""

from __future__ import annotations

from tinyspeech.chip.emulator import LINE_BAUD

PASSPHRASE = b"MCU ISP & WCH.CN"
FAMILY = 0x21
VARIANTS = {0x30: "CH32V003F4P6", 0x31: "CH32V003F4U6", 0x32: "CH32V003A4M6", 0x33: "CH32V003J4M6"}
IDENTIFY, END, KEY, ERASE, PROGRAM, VERIFY, READ_CONFIG, WRITE_CONFIG = range(0xA1, 0xA9)
OK, BAD_PASSPHRASE, MISMATCH, REFUSED = 0x00, 0xF1, 0xF5, 0xFE
PAGE_BYTES = 64
TIMEOUT_S = 60.0
"""Without a valid packet for this long it leaves into the user's code."""
PROGRAM_S, ERASE_S = 0.003, 16 * 0.003
"""A page, and 16 sectors of 1 KB."""
BYTE_S = 10 / LINE_BAUD

INFO_UNIQUE_ID = 0x68
"""Offset of the 8 vendor bytes that make a chip's key, from `emulator.INFO_BASE`."""


def key_of(seed: bytes, unique_id: bytes, variant: int) -> bytes:
    """The key that both sides make of a seed of 30 .. 60 bytes; 8 bytes."""
    a, b, s = len(seed) // 5, len(seed) // 7, sum(unique_id) & 0xFF
    key = [seed[i] ^ s for i in (4 * b, a, b, 6 * b, 3 * b, 3 * a, 5 * b)]
    return bytes([*key, (key[0] + variant) & 0xFF])


def xor(data: bytes, key: bytes) -> bytes:
    """Data under the key of 8 bytes, or back."""
    return bytes(byte ^ key[i & 7] for i, byte in enumerate(data))
