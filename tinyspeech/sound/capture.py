"""The computer's own microphone, as the chip would hear it: int16 at 8 kHz. Chapter 12.

    from tinyspeech.sound import capture
    microphone = capture.opened()
    with microphone.listening():
        samples = microphone.hear()                        # int16 [n], what came next

PortAudio records, by the package sounddevice, at the rate that the device has; that of the chip is made of it as of a
file (`recordings.pieces_at_8khz`). What is said is not kept.
"""

from __future__ import annotations

import contextlib
import queue
from collections.abc import Iterator
from types import ModuleType

import numpy as np

from tinyspeech.errors import UserError
from tinyspeech.integer import frontend, words
from tinyspeech.sound import recordings

PACKAGE = "sounddevice==0.5.6"
SETTLING_S = 0.3
"""Not heard after a microphone is switched on: many begin with zeros, or with a click."""
SILENCE_S, ZEROS_S = 3.0, 6.0
"""Longest wait for samples, and for one that is not 0: no room is that still, and no take is waited for much longer."""
OR_FILES = "or give recordings with --wav"


class Microphone:
    """A microphone of this computer. portaudio : the module sounddevice. name : the device's"""

    def __init__(self, portaudio: ModuleType, device: int | str | None, name: str, rate_hz: int):
        self._portaudio, self._device, self._name, self._rate_hz = portaudio, device, name, rate_hz
        self._came: queue.SimpleQueue[tuple[np.ndarray, bool]] = queue.SimpleQueue()
        self._heard: Iterator[np.ndarray] = iter(())
        self._zeros: int | None = 0
        """Samples so far, while all of them are 0."""
        self.whole = False
        """Whether nothing is missing of what was said since it last began to listen."""

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """It is switched on, and hears, until the block ends. Raises `UserError` where it cannot be."""
        self._came, self._zeros = queue.SimpleQueue(), 0
        self._heard = recordings.pieces_at_8khz(self._pieces(), self._rate_hz)
        try:
            with self._portaudio.InputStream(samplerate=self._rate_hz, device=self._device, channels=1,
                                             dtype="float32", callback=self._take):
                settling = round(SETTLING_S * frontend.SAMPLE_RATE_HZ)
                while settling > 0:
                    settling -= len(self.hear())
                self.whole = True
                yield
        except self._portaudio.PortAudioError as error:
            raise UserError(f"the microphone {self._name!r} cannot be used ({_line(error)}): see that it is plugged in "
                            f"and that no other program holds it, {OR_FILES}") from error

    def hear(self) -> np.ndarray:
        """What came next, int16 [n] at 8 kHz. Raises `UserError` where nothing comes, or nothing but zeros."""
        samples = next(self._heard)
        self._zeros = None if self._zeros is None or samples.any() else self._zeros + len(samples)
        if self._zeros is not None and self._zeros > ZEROS_S * frontend.SAMPLE_RATE_HZ:
            raise UserError(f"the microphone {self._name!r} gives zeros, no sound: switch it on, allow this program to "
                            f"use it in the system's settings, {OR_FILES}")
        return samples

    def judged(self, teaching: words.Teaching) -> str | None:
        """What `words.Teaching` says of what came next."""
        return teaching.push(self.hear())

    def _take(self, samples: np.ndarray, count: int, time: object, status) -> None:
        """PortAudio calls this, from its own thread. samples : float32 [count, 1]; status : what was lost before"""
        self._came.put((samples[:, 0].copy(), bool(status.input_overflow)))

    def _pieces(self) -> Iterator[np.ndarray]:
        while True:
            try:
                samples, lost = self._came.get(timeout=SILENCE_S)
            except queue.Empty:
                raise UserError(f"nothing comes from the microphone {self._name!r}: plug it in again, {OR_FILES}"
                                ) from None
            self.whole = self.whole and not lost
            yield samples


def opened(device: int | str | None = None) -> Microphone:
    """A microphone of this computer.

    device : its number, or a part of its name; None is the one that the system's settings name

    Raises `UserError` where there is none, or no PortAudio.
    """
    portaudio = _portaudio()
    try:
        known = portaudio.query_devices(device, "input")
    except (portaudio.PortAudioError, ValueError) as error:
        names = [f"{one['index']} {one['name']}" for one in portaudio.query_devices() if one["max_input_channels"]]
        if not names:
            raise UserError(f"this computer has no microphone: plug one in, {OR_FILES}") from error
        wanted = "no microphone is chosen" if device is None else f"{device!r} is no microphone, or several"
        raise UserError(f"{wanted}: there are {', '.join(names)}; give one's number with --microphone") from error
    return Microphone(portaudio, device, known["name"], round(known["default_samplerate"]))


def _portaudio() -> ModuleType:
    """The module sounddevice. Raises `UserError` where it, or the library that it loads, is missing."""
    try:
        import sounddevice  # here: only who speaks needs it, and it looks for the sound system when it is imported
    except ModuleNotFoundError:
        raise UserError(f"the computer's microphone needs the package sounddevice: pip install {PACKAGE}, {OR_FILES}"
                        ) from None
    except OSError:
        raise UserError("the computer's microphone needs PortAudio: install it (Debian and Ubuntu: apt install "
                        f"libportaudio2; Fedora: dnf install portaudio), {OR_FILES}") from None
    return sounddevice


def _line(error: Exception) -> str:
    """What PortAudio says, in one line."""
    return " ".join(str(error).split())
