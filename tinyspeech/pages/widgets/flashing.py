"""A panel that flashes a board from the page, over the browser's Web Serial, and lets it listen. Chapter 14.

The protocol is `board/isp.py`'s, `rom.py`'s and `protocol.py`'s: their numbers and words go into the page as they are
(`spec`), and the script (`isp.js`) takes the same steps. Without a board a virtual one in the page takes its place:
the emulated chip with the ROM bootloader's model, blank as from the factory.
"""

from __future__ import annotations

from tinyspeech.board import isp, lines, monitor, protocol, rom, taught
from tinyspeech.board.protocol import Command
from tinyspeech.chip.emulator import FLASH_BYTES, LINE_BAUD
from tinyspeech.integer import frontend, words

WORDS = {"again": "press Flash again", "link": "`python -m tinyspeech flash --link` in a terminal",
         "flash": "the button Flash, or `python -m tinyspeech flash`"}
"""In place of `isp.WORDS`: what the reader does, as it is called in the page."""
TEXTS = {"garbled_words": taught.GARBLED, "not_kept": "the board did not keep a word: look at its cable and power"}


def spec(reader: dict[str, str]) -> dict:
    """What `isp.js` has to know of the protocol, ready for JSON.

    reader : what the reader does, in words: `isp.WORDS` on a command line, `WORDS` in a page
    """
    roms = {"identify": rom.IDENTIFY, "end": rom.END, "key": rom.KEY, "erase": rom.ERASE, "program": rom.PROGRAM,
            "verify": rom.VERIFY, "read_config": rom.READ_CONFIG, "ok": rom.OK, "mismatch": rom.MISMATCH,
            "refused": rom.REFUSED, "family": rom.FAMILY, "passphrase": [*rom.PASSPHRASE], "variants": rom.VARIANTS,
            "page_bytes": rom.PAGE_BYTES}
    kept = {"page_bytes": words.PAGE_BYTES, "name_bytes": words.NAME_BYTES, "version": words.VERSION,
            "crc_start": words.CRC_START, "places": words.MAX_WORDS, "erased": [*protocol.ERASED],
            "forgotten": [*protocol.FORGOTTEN], "attempts": taught.ATTEMPTS, "answer_s": taught.ANSWER_S}
    return {
        "rom": roms, "taught": kept, "words": reader, "texts": {**isp.TEXTS, **monitor.TEXTS, **TEXTS},
        "commands": {command.name.lower(): command[0] for command in Command},
        "request": [*isp.REQUEST], "reply": [*isp.REPLY], "seed": [*isp.SEED], "flash_bytes": FLASH_BYTES,
        "baud": LINE_BAUD, "byte_s": rom.BYTE_S, "attempts": isp.ATTEMPTS, "longest_packet": isp.LONGEST_PACKET,
        "broken_clip_bytes": isp.BROKEN_CLIP_BYTES, "chatter_bytes": isp.CHATTER_BYTES, "legible": monitor.LEGIBLE,
        "answer_s": isp.ANSWER_S, "erase_answer_s": isp.ERASE_ANSWER_S, "quiet_s": isp.QUIET_S, "start_s": isp.START_S,
        "version_s": isp.VERSION_S, "write_s": isp.WRITE_S, "poll_s": lines.POLL_S,
        "listen_answer_s": monitor.ANSWER_S, "frame_s": frontend.HOP / frontend.SAMPLE_RATE_HZ,
        "version_start": protocol.VERSION_START, "listening": protocol.LISTENING,
    }
