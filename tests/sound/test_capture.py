"""The computer's microphone: its samples at the chip's rate, whatever its own is; what it lacks in one line."""

import sys

import numpy as np
import pytest
from support.sound_system import SoundSystem
from support.speaker import LAMPS

from tinyspeech.errors import UserError
from tinyspeech.integer import frontend
from tinyspeech.sound import capture, recordings


@pytest.fixture
def system(monkeypatch):
    """The sound system of this computer, as it is to be."""
    def system(*said, **options) -> SoundSystem:
        made = SoundSystem(*(said or LAMPS), **options)
        monkeypatch.setitem(sys.modules, "sounddevice", made)
        monkeypatch.setattr(capture, "SILENCE_S", 0.01)
        return made

    return system


def heard(microphone: capture.Microphone, seconds: float) -> np.ndarray:
    parts = []
    with microphone.listening():
        while sum(map(len, parts)) < seconds * frontend.SAMPLE_RATE_HZ:
            parts.append(microphone.hear())
    return np.concatenate(parts)


def begin_of(sound: np.ndarray, there: SoundSystem, stream: int) -> int:
    """The sample of a whole stream, at 8 kHz, with which a part of it begins."""
    whole = recordings._halved(np.concatenate(there.streams[stream].pieces), there.rate_hz)
    return next(i for i in range(len(whole)) if np.array_equal(whole[i : i + len(sound)], sound))


@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100, 48_000, 96_000])
def test_it_hears_at_the_chips_rate_whatever_the_devices_is(system, rate):
    """From when it has settled, and the piece that came with that, on."""
    there = system(rate_hz=rate)
    microphone = capture.opened()
    sound = heard(microphone, 1.2)
    assert sound.dtype == np.int16 and microphone.whole and not there.streams[0].open
    begin = begin_of(sound, there, 0)
    assert capture.SETTLING_S <= begin / frontend.SAMPLE_RATE_HZ < capture.SETTLING_S + 0.3
    said = LAMPS[0][begin:][: len(sound)].astype(float)
    assert np.corrcoef(said, sound)[0, 1] > 0.95


def test_each_take_is_heard_from_nothing(system):
    there = system()
    microphone = capture.opened()
    for stream in (0, 1):
        assert begin_of(heard(microphone, 0.5), there, stream) < 0.6 * frontend.SAMPLE_RATE_HZ


def test_another_device_is_chosen_by_number_or_name(system):
    there = system()
    for device, same in ((None, None), (2, 2), ("head", "head")):
        heard(capture.opened(device), 0.1)
        assert there.streams[-1].device == same


def test_what_is_lost_is_known(system):
    system(lost=[0])
    microphone = capture.opened()
    heard(microphone, 1.8)
    assert not microphone.whole
    heard(microphone, 1.0)
    assert microphone.whole


@pytest.mark.parametrize("options, device, match", [
    ({"devices": ()}, None, "this computer has no microphone: plug one in"),
    ({"devices": ("speakers",)}, None, "this computer has no microphone: plug one in"),
    ({}, "phone", "'phone' is no microphone, or several: there are 0 built-in, 2 headset"),
    ({}, 1, "1 is no microphone"), ({}, 7, "7 is no microphone"),
    ({"devices": ("speakers", "headset")}, None, "no microphone is chosen: there are 1 headset")])
def test_no_such_microphone_is_one_line(system, options, device, match):
    system(**options)
    with pytest.raises(UserError, match=match) as error:
        capture.opened(device)
    assert "--" in str(error.value) and "\n" not in str(error.value)


def test_a_microphone_that_is_taken(system):
    system(opens=False)
    with pytest.raises(UserError, match=r"'built-in' cannot be used \(Error opening InputStream: Device") as error:
        heard(capture.opened(), 0.1)
    assert "\n" not in str(error.value)


def test_a_microphone_that_is_unplugged(system):
    there = system(LAMPS[0][:8000])
    with pytest.raises(UserError, match="nothing comes from the microphone 'built-in'"):
        heard(capture.opened(), 5)
    assert not there.streams[0].open


def test_zeros_are_no_sound(system):
    """From the beginning; a pause may be as still as that, once something was heard."""
    long = np.zeros(round((capture.ZEROS_S + 1) * frontend.SAMPLE_RATE_HZ), np.int16)
    system(long)
    with pytest.raises(UserError, match="gives zeros, no sound: switch it on, allow this program"):
        heard(capture.opened(), capture.ZEROS_S + 0.5)
    system(np.concatenate([LAMPS[0], long]))
    assert not heard(capture.opened(), capture.ZEROS_S + 0.5)[-8000:].any()


def test_without_the_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(UserError, match=f"pip install {capture.PACKAGE}, or give recordings with --wav"):
        capture.opened()


def test_without_portaudio(monkeypatch, tmp_path):
    (tmp_path / "sounddevice.py").write_text("raise OSError('PortAudio library not found')\n")
    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UserError, match=r"needs PortAudio: install it.*apt install libportaudio2"):
        capture.opened()
