"""A panel that flashes a board from the page, over the browser's Web Serial, and lets it listen. Chapter 14.

The protocol is `board/isp.py`'s, `rom.py`'s and `protocol.py`'s: their numbers and words go into the page as they are
(`spec`), and the script (`isp.js`) takes the same steps. Without a board a virtual one in the page takes its place:
the emulated chip with the ROM bootloader's model, blank as from the factory.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping

from IPython.display import HTML
from markupsafe import Markup

from tinyspeech.board import isp, lines, monitor, protocol, rom, taught
from tinyspeech.board.cable import Cable
from tinyspeech.board.protocol import Command
from tinyspeech.board.virtual import VirtualBoard
from tinyspeech.chip import emulator
from tinyspeech.chip.emulator import FLASH_BYTES, LINE_BAUD
from tinyspeech.integer import frontend, words
from tinyspeech.pages.widgets.markup import render, script
from tinyspeech.sound import audio

WORDS = {"again": "press the button again", "link": "`python -m tinyspeech flash --link` in a terminal",
         "flash": "the button Flash, or `python -m tinyspeech flash`,"}
"""In place of `isp.WORDS`: what the reader does, as it is called in the page."""
WITH_PYTHON = "With Python it is `python -m tinyspeech flash --port PORT`."
TEXTS = {
    "blank": "A virtual board: a blank chip that waits in its ROM bootloader, as a WCH-Link leaves one.",
    "own": "Your board: it must run our firmware, or wait in its ROM bootloader; a new one needs `python -m tinyspeech "
           "flash --link` once. The browser asks for its port.",
    "next_port": "The browser will ask for a port.",
    "no_serial": f"Your own board needs a browser with Web Serial: Chrome, Edge or Opera on a computer, or Firefox "
                 f"where it is turned on; Safari has none, and no phone. {WITH_PYTHON}",
    "insecure": f"This page came over plain http from another computer, and there a browser gives a page no serial "
                f"port: open it from a file, from this computer or over https. {WITH_PYTHON}",
    "unchosen": "no port was chosen: {again}, and choose the one of your board",
    "refused": "the browser gives this page no serial port ({why})",
    "busy": "the port cannot be opened: close the program that uses it, then {again}; on Linux you may have to be in "
            "its group, often dialout",
    "open": "the port is open already, in this page: stop listening there, then {again}",
    "other_words": "the board keeps taught words, {count}, which are another network's and mean nothing to this "
                   "firmware: `python -m tinyspeech flash` saves them in a file; to give them up, {again}",
    "kept_words": "; its taught words are kept as long as this page is open, and come back with the next flashing",
    "words_left": "Its taught words did not come back; they are kept as long as this page is open: {again}.",
    "runs": "It runs.",
    "unsaid": "Whether it runs the ROM bootloader did not say; it starts the program after a minute, or a reset.",
    "garbled_words": taught.GARBLED,
    "not_kept": "the board did not keep a taught word: look at its cable and power, then try again",
}
"""What else the page says. Those that are errors begin small, as `isp.TEXTS` do."""
SCRIPTS = ("board.js", "microphone.js", "isp.js", "flashing.js")


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
        "answer_s": isp.ANSWER_S, "erase_answer_s": isp.ERASE_ANSWER_S, "quiet_s": isp.QUIET_S, "hushes": isp.HUSHES,
        "start_s": isp.START_S,
        "version_s": isp.VERSION_S, "write_s": isp.WRITE_S, "poll_s": lines.POLL_S,
        "listen_answer_s": monitor.ANSWER_S, "frame_s": frontend.HOP / frontend.SAMPLE_RATE_HZ,
        "version_start": protocol.VERSION_START, "listening": protocol.LISTENING,
    }


def panel_data(image: bytes, clips: Mapping[str, bytes], pace: float) -> dict:
    """What the panel's scripts need; as of `flash_panel`."""
    board = VirtualBoard(image)
    encoded = {word: base64.b64encode(data).decode() for word, data in clips.items()}
    return {
        "spec": {**spec(WORDS), "image_version": isp.ask_version(Cable(board)) or ""}, "pace": pace,
        "wasm": base64.b64encode(emulator.wasm(small=True).read_bytes()).decode(),
        "image": base64.b64encode(image).decode(), "clips": encoded, "clip_hz": audio.SAMPLE_RATE_HZ,
    }


def flash_panel(image: bytes, clips: Mapping[str, bytes], pace: float = 1.0) -> HTML:
    """A panel that flashes a board from the page and lets it listen: the reader's, where the browser has Web Serial, or
    a virtual one. It needs no Python behind it, loads nothing and sends nothing. One a page.

    Parameters
    ----------
    image : flash from address 0
    clips : {word: sound file} that the virtual board can be played; of `live.clips`
    pace : so much faster than the reader's the virtual board's clock goes
    """
    text = json.dumps(panel_data(image, clips, pace), separators=(",", ":")).replace("</", "<\\/")
    return HTML(render("flash_panel.html", words=list(clips), size=f"{len(image):,}", json=Markup(text),
                       scripts=Markup("\n".join(map(script, SCRIPTS)))))
