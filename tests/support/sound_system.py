"""A computer's sound system, as the package sounddevice shows it: somebody speaks whenever a stream is opened."""

from collections.abc import Sequence

import numpy as np
from support.speaker import NOISE

from tinyspeech.integer import frontend
from tinyspeech.sound import audio


def when_asked(take: np.ndarray) -> np.ndarray:
    """A take, int16 [n] at 8 kHz, of somebody who waits until the microphone has settled."""
    room = np.random.default_rng(2).normal(0, NOISE, frontend.SAMPLE_RATE_HZ // 2)
    return np.concatenate([np.rint(room).astype(np.int16), take])


class SoundSystem:
    """What `import sounddevice` finds in the tests.

    said : what is said each time that a stream is opened, int16 [n] at 8 kHz each, and then the last of it again and
    again. rate_hz : the only one that the device takes. lost : the numbers of the streams of which a piece is lost.
    devices : names of all there are, the first of them the system's choice; what begins with "speaker" hears nothing
    """

    class PortAudioError(Exception):
        """As the package has it."""

    def __init__(self, *said: np.ndarray, rate_hz: int = 48_000, lost: Sequence[int] = (),
                 devices: Sequence[str] = ("built-in", "speakers", "headset"), opens: bool = True):
        self.said, self.rate_hz, self.lost, self.devices, self.opens = list(said), rate_hz, lost, devices, opens
        self.streams: list[Stream] = []
        """All that were opened."""

    def query_devices(self, device: int | str | None = None, kind: str | None = None):
        known = [{"name": name, "index": i, "max_input_channels": 0 if name.startswith("speaker") else 1,
                  "default_samplerate": float(self.rate_hz)} for i, name in enumerate(self.devices)]
        if device is None and kind is None:
            return known
        if isinstance(device, str):
            known = [one for one in known if device in one["name"]]
            if len(known) != 1:
                raise ValueError(f"No input device matching {device!r}")
            return known[0]
        if not 0 <= (device or 0) < len(known):
            raise self.PortAudioError("Error querying device -1")
        if not known[device or 0]["max_input_channels"]:
            raise ValueError("Not an input device")
        return known[device or 0]

    def InputStream(self, **options):
        self.streams.append(Stream(self, len(self.streams), **options))
        return self.streams[-1]


class Stream:
    """Of one take: all of it comes at once, in pieces of uneven length."""

    def __init__(self, system: SoundSystem, number: int, *, samplerate: int, device: int | str | None, channels: int,
                 dtype: str, callback):
        assert (samplerate, channels, dtype) == (system.rate_hz, 1, "float32")
        self.system, self.number, self.device, self.callback = system, number, device, callback
        self.open = False
        self.pieces: list[np.ndarray] = []

    def __enter__(self):
        if not self.system.opens:
            raise self.system.PortAudioError("Error opening InputStream:\nDevice unavailable [PaErrorCode -9985]")
        self.open, system = True, self.system
        said = system.said.pop(0) if len(system.said) > 1 else system.said[0]
        if isinstance(said, BaseException):
            raise said
        sound = audio.resample(said, frontend.SAMPLE_RATE_HZ, system.rate_hz).astype(np.float32) / 32768
        ends = np.cumsum(np.random.default_rng(self.number).integers(1, system.rate_hz // 5, len(sound)))
        self.pieces = np.split(sound, ends[ends < len(sound)])
        for i, piece in enumerate(self.pieces):
            self.callback(piece[:, None], len(piece), None, Status(self.number in system.lost and i == 12))
        return self

    def __exit__(self, *_):
        self.open = False


class Status:
    """What was lost before a piece."""

    def __init__(self, input_overflow: bool):
        self.input_overflow = input_overflow
