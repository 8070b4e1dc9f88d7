"""The emulated board that hears a reader's own microphone, in the page: a button, a light, and words. Chapter 10.

The firmware is the one that the chip runs, unchanged, and so is the board around it (`chip/core`, as WebAssembly).
Its sound goes from the browser's microphone to the emulated converter; what it says comes over its serial port, and
what it computes on the way is watched in its memory (`firmware.frame_watches`).
"""

from __future__ import annotations

import base64
import functools
import json
import re
from dataclasses import asdict
from itertools import product
from pathlib import Path

import numpy as np
from IPython.display import HTML
from markupsafe import Markup

from tinyspeech import CLASSES, KEYWORDS, toolchain
from tinyspeech.board import protocol, takes, virtual
from tinyspeech.board.protocol import Command
from tinyspeech.chip import emulator
from tinyspeech.chip.firmware import frame_watches
from tinyspeech.integer import decision, frontend, listening, words
from tinyspeech.integer.network import IntegerModel, sigmoid_q7
from tinyspeech.pages.widgets import engines
from tinyspeech.pages.widgets.markup import render, script
from tinyspeech.paths import BUNDLED, SHIPPED, model_file
from tinyspeech.sound import audio, datasets
from tinyspeech.sound import takes as said

FACTS = {"cycles": "cycles a second", "asleep": "asleep", "speed": "emulated here", "dropped": "sound left out",
         "firmware": "its firmware"}
"""What is said of the chip, in the page's order."""
GAINS, USUAL_GAIN = (1, 2, 4, 8, 16), 2
"""Of the amplifier behind a reader's microphone: an ordinary one, unregulated, gives speech a tenth of full scale."""
BEGINS_S, ENDS_S = (0.5, 0.513, 0.542, 0.563, 0.597, 0.625), 1.0
"""Of quiet before and behind a clip, where it is tried whether the board hears it: frames and batches of frames fall on
other places of the word each time, as they do for a reader."""
LEVELS = (1.0, 0.25)
"""And how loud it is tried."""
TAUGHT, SPEAKER = "lamp", "heart"
"""Of data/takes: a word that the board can be taught in the page, and who says it; once more than it takes."""
LED = "PD0"
OPEN_S = decision.WINDOW_STEPS * listening.BATCH_FRAMES * frontend.HOP / frontend.SAMPLE_RATE_HZ
"""For how long an armed board is open: there is a step of the decision for each batch."""
SCRIPTS = ("board.js", "engine.js", "microphone.js", "live_board.js", "live_view.js", "live_teach.js", "live.js")
"""Each uses what lies before it."""


@functools.cache
def clips() -> dict[str, bytes]:
    """{word: flac file} of a bundled clip of each word in which the board hears that word and nothing else, whenever it
    comes and whether it is loud: of voices that the network was not trained on, where there is one."""
    model = IntegerModel.load(model_file(SHIPPED, ".npz"))

    def heard(path: Path, begin_s: float, level: float) -> list[str]:
        quiet = [round(seconds * audio.SAMPLE_RATE_HZ) for seconds in (begin_s, ENDS_S)]
        sound = audio.resample(np.pad(audio.load_clip(path) / 32768, quiet), audio.SAMPLE_RATE_HZ, listening.ADC_HZ)
        codes = np.clip(np.rint(512 * (1 + level * sound)), 0, frontend.ADC_HIGHEST).astype(int)
        codes = codes[: len(codes) // listening.CONVERSIONS * listening.CONVERSIONS]
        return [word for _, word in listening.words(model, listening.from_conversions(codes))]

    splits = [datasets.clips_of_split(BUNDLED, split) for split in ("validation", "training")]

    def first(word: str) -> Path | None:
        paths, ways = (BUNDLED / name for split in splits for name in split[word]), [*product(BEGINS_S, LEVELS)]
        return next((path for path in paths if all(heard(path, *way) == [word] for way in ways)), None)

    return {word: path.read_bytes() for word in KEYWORDS if (path := first(word))}


def _settings() -> list[dict]:
    """Every setting that the board takes, with the bytes that `listen` sends for it."""
    return [{"sensitivity": sensitivity, "first": first, "bytes": [*protocol.setting(sensitivity, first)]}
            for sensitivity in decision.SENSITIVITIES for first in (None, *protocol.first_words())]


def second() -> dict:
    """How the page chooses a second of sound: `audio.fit_to_second`'s constants, at the chip's rate."""
    rate = frontend.SAMPLE_RATE_HZ
    return {"rate": rate, "grids": audio.GRIDS_PER_SECOND, "lag": max(1, round(rate / audio.HEARD_HZ)),
            "straight": audio.STRAIGHT, "quiet": audio.QUIET_SHARE, "units": audio.LOUDNESS_UNITS}


def live_data() -> dict:
    """What the panel's scripts need: firmware, WebAssembly, clips, protocol, what is watched."""
    firmware, model = toolchain.build_firmware(), IntegerModel.load(model_file(SHIPPED, ".npz"))
    watches = frame_watches(firmware.elf)

    def text(data: bytes) -> str:
        return base64.b64encode(data).decode()

    return {
        "wasm": text(emulator.wasm().read_bytes()),
        "image": text(firmware.bin.read_bytes()),
        "led": LED,
        "start_s": virtual.START_S,
        "signal_hz": listening.ADC_HZ,
        "rate": frontend.SAMPLE_RATE_HZ,
        "second": second(),
        "window": frontend.WINDOW,
        "hop": frontend.HOP,
        "classes": [name.strip("_") for name in CLASSES],
        "words": KEYWORDS,
        "rejected": decision.REJECTED,
        "least_leads": {name: decision.least_leads(model, name) for name in decision.SENSITIVITIES},
        "open_s": OPEN_S,
        "logit_step": model.logit_step,
        "watches": [asdict(watch) for watch in watches.values()],
        "watched": list(watches),
        "weight_one": int(sigmoid_q7(127)) + 1,
        "settings": _settings(),
        "commands": {"listen": [*Command.MICROPHONE], "stop": [*Command.STOP], "version": [*Command.VERSION],
                     "settings": [*Command.SETTINGS], "ask": [*protocol.ASK], "classify": [*Command.CLASSIFY],
                     "word": [*Command.WORD]},
        "lines": {"listening": protocol.LISTENING, "settings": protocol.SETTINGS_START,
                  "version": protocol.VERSION_START, "word": str(protocol.Word("", 0)).split(" ")[0],
                  "lost": str(protocol.Lost(0)).split(" ")[0], "stopped": str(protocol.Stopped(0)).split(" ")[0]},
        "clips": {word: text(file) for word, file in clips().items()},
        "clip_hz": audio.SAMPLE_RATE_HZ,
        "gains": GAINS,
        "teach": _teach(),
    }


def _teach() -> dict:
    """What `live_teach.js` needs: the firmware's C, what its verdicts mean, and recordings of a word."""
    return {
        "wasm": base64.b64encode(engines.engine_wasm().read_bytes()).decode(),
        "verdicts": engines.VERDICTS,
        "advice": {verdict: text for verdict, text in takes.ADVICE.items() if verdict in engines.VERDICTS},
        "takes": words.TAKES,
        "words": words.MAX_WORDS,
        "spelling": words.NAME,
        "forgotten": [*protocol.FORGOTTEN],
        "name": TAUGHT,
        "recordings": [base64.b64encode(path.read_bytes()).decode()
                       for path in said.files(TAUGHT, SPEAKER)[: words.TAKES + 1]],
    }


def live_page() -> HTML:
    """A panel in which the emulated board, its firmware unchanged, hears the reader's microphone, a clip or a file.

    It needs no Python behind it, loads nothing and sends nothing. One a page.
    """
    data = live_data()
    look = re.sub(r"/\*.*?\*/\s*", "", script("live.css"), flags=re.DOTALL)
    json_text = json.dumps(data, separators=(",", ":")).replace("</", "<\\/")
    return HTML(render(
        "live_page.html", look=Markup(look), scripts=Markup("\n".join(map(script, SCRIPTS))), json=Markup(json_text),
        words=list(data["clips"]), classes=data["classes"], facts=list(FACTS.items()), first_words=KEYWORDS,
        taught=TAUGHT, by_taught=protocol.TAUGHT, takes=words.TAKES, most_words=words.MAX_WORDS,
        page_bytes=words.PAGE_BYTES,
        sensitivities=decision.SENSITIVITIES, gains=GAINS, usual_gain=USUAL_GAIN))
