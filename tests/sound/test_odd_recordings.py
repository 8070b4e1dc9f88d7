"""Sound as recorders, pipes and editors leave it: what is meant is taken, and said; what is missing is refused."""

import struct
import warnings

import numpy as np
import pytest
import soundfile

from tinyspeech.errors import Notice, UserError
from tinyspeech.sound import audio, recordings

RATE = 16_000
X = (np.sin(np.arange(24_000) / 5) * np.hanning(24_000) * 9000).astype(np.int16)


def kept(path, data: bytes):
    path.write_bytes(data)
    return path


def flac(tmp_path, samples=X, rate=RATE) -> bytes:
    soundfile.write(tmp_path / "whole.flac", samples, rate)
    return (tmp_path / "whole.flac").read_bytes()


def wav(tmp_path, samples=X, **options) -> bytes:
    soundfile.write(tmp_path / "whole.wav", samples, RATE, **options)
    return (tmp_path / "whole.wav").read_bytes()


def piped_flac(data: bytes) -> bytes:
    """As an encoder writes it that cannot go back: 36 bits of the number of samples are 0."""
    return data[:21] + bytes([data[21] & 0xF0]) + bytes(4) + data[26:]


@pytest.mark.parametrize("samples", [X[:1], X[:16_000], X, np.tile(X, 20), np.stack([X, X], 1)],
                         ids=["one", "a second", "more", "thirty seconds", "stereo"])
def test_flac_from_a_pipe_is_a_valid_file(tmp_path, samples):
    path = kept(tmp_path / "x.flac", piped_flac(flac(tmp_path, samples)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert (audio.read(path)[0] == audio.read(tmp_path / "whole.flac")[0]).all()
        assert (audio.load_clip(path) == audio.load_clip(tmp_path / "whole.flac")).all()
        assert (recordings.at_8khz(path) == recordings.at_8khz(tmp_path / "whole.flac")).all()
        with audio.open_sound(path) as file:
            assert file.frames == len(samples)


@pytest.mark.parametrize("length, notice", [(0, True), (0xFFFFFFFF, False), (0x7FFFFFFF, False), (0x80000000, False)])
def test_wav_from_a_pipe_or_a_recorder_that_was_switched_off(tmp_path, length, notice):
    data = bytearray(wav(tmp_path))
    data[4:8] = data[40:44] = struct.pack("<I", length)
    path = kept(tmp_path / "x.wav", data)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        assert (audio.read(path)[0] == X).all()
        assert (audio.load_clip(path) == audio.fit_to_second(X)).all()
    assert bool(told) == notice and all("holds nothing" in str(one.message) for one in told)


def test_a_file_that_holds_nothing_does(tmp_path):
    for more in (b"", b"LIST\x04\x00\x00\x00INFO"):
        path = kept(tmp_path / "x.wav", wav(tmp_path, X[:0]) + more)
        with pytest.raises(UserError, match="0 samples"):
            audio.load_clip(path)


@pytest.mark.parametrize("kind", ["wav", "flac", "aiff", "au"])
@pytest.mark.parametrize("part", [0.3, 0.7, 0.97])
def test_what_is_cut_off_is_damaged_in_any_format(tmp_path, kind, part):
    noise = (np.random.default_rng(0).normal(0, 3000, 48_000)).astype(np.int16)
    soundfile.write(tmp_path / f"x.{kind}", noise, RATE)
    data = (tmp_path / f"x.{kind}").read_bytes()
    path = kept(tmp_path / f"x.{kind}", data[: int(len(data) * part) // 2 * 2])
    for read in (audio.load_clip, audio.read, recordings.at_8khz):
        with pytest.raises(UserError, match="is damaged"):
            read(path)


@pytest.mark.parametrize("part", [0.3, 0.7, 0.97])
def test_ogg_that_is_cut_off_is_damaged_or_said(tmp_path, part):
    noise = (np.random.default_rng(0).normal(0, 3000, 48_000)).astype(np.int16)
    soundfile.write(tmp_path / "x.ogg", noise, RATE)
    assert said_of(tmp_path / "x.ogg") == []
    data = (tmp_path / "x.ogg").read_bytes()
    path = kept(tmp_path / "x.ogg", data[: int(len(data) * part)])
    try:
        assert "last page" in said_of(path)[0]
    except UserError as error:
        assert "damaged" in str(error)


@pytest.mark.parametrize("kind, more, whole", [("ogg", 104, True), ("ogg", 9_600, False), ("wav", 104, False)])
def test_ogg_whose_samples_begin_below_zero_is_whole(tmp_path, monkeypatch, kind, more, whole):
    """Vorbis of some cutters begins with sample -104, and libsndfile counts from there to its end; such a file does not
    come out of libsndfile itself, and so only its count is as it would be."""
    path = tmp_path / f"x.{kind}"
    soundfile.write(path, np.random.default_rng(0).normal(0, 0.1, 48_000), 48_000)
    monkeypatch.setattr(soundfile.SoundFile, "frames", property(lambda _: 48_000 + more))
    with audio.open_sound(path) as sound:
        if whole:
            assert len(sound.read(96_000)) == 48_000
        else:
            with pytest.raises(UserError, match="damaged"):
                sound.read(96_000)


def test_of_mp3_is_counted_what_is_there(tmp_path):
    """Its first frame's bit rate tells how long it would be."""
    path = tmp_path / "x.mp3"
    x = np.concatenate([np.zeros(96_000), np.random.default_rng(0).normal(0, 0.2, 96_000)])
    soundfile.write(path, x, 16_000, format="MP3", subtype="MPEG_LAYER_III", bitrate_mode="VARIABLE")
    path = kept(path, path.read_bytes().replace(b"Xing", bytes(4)).replace(b"Info", bytes(4)))
    with audio.open_sound(path) as sound, audio.open_sound(path) as again:
        assert again.frames == len(sound.read(len(x) * 2)) > 0


def said_of(path) -> list[str]:
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        audio.load_clip(path)
    assert all(issubclass(one.category, Notice) for one in told)
    return sorted({str(one.message) for one in told})


@pytest.mark.parametrize("kind, bits", [("FLOAT", 16), ("DOUBLE", 16), ("FLOAT", 24), ("FLOAT", 32)])
def test_float_samples_in_the_units_of_integers(tmp_path, kind, bits):
    soundfile.write(tmp_path / "x.wav", X.astype(float) * 2 ** (bits - 16), RATE, subtype=kind)
    said, = said_of(tmp_path / "x.wav")
    assert f"taken as of {bits} bits" in said
    with pytest.warns(Notice):
        clip = audio.load_clip(tmp_path / "x.wav")
    assert np.abs(clip.astype(int) - audio.fit_to_second(X)).max() <= 1


def test_a_little_beyond_full_scale_is_clipped_as_ever(tmp_path):
    soundfile.write(tmp_path / "x.wav", X / 9000 * 1.5, RATE, subtype="FLOAT")
    assert said_of(tmp_path / "x.wav") == [] and audio.load_clip(tmp_path / "x.wav").max() == 32767


def test_beyond_all_units_is_refused(tmp_path):
    soundfile.write(tmp_path / "x.wav", X * 1e20, RATE, subtype="DOUBLE")
    with pytest.raises(UserError, match="where 1 is full scale"):
        audio.load_clip(tmp_path / "x.wav")


@pytest.mark.parametrize("channels", [[X, -X], [X // 2, -X, X // 2], [0 * X, X, -X]],
                         ids=["two", "three", "and silence"])
def test_channels_that_cancel_each_other(tmp_path, channels):
    soundfile.write(tmp_path / "x.wav", np.stack(channels, 1), RATE)
    assert len(said_of(tmp_path / "x.wav")) == 1 and "cancel" in said_of(tmp_path / "x.wav")[0]
    with pytest.warns(Notice):
        assert np.abs(audio.load_clip(tmp_path / "x.wav")).max() > 8000


def test_other_channels_are_averaged_as_ever(tmp_path):
    for channels in ([X, X], [X, 0 * X], [X, -X // 2], [0 * X, 0 * X]):
        soundfile.write(tmp_path / "x.wav", np.stack(channels, 1), RATE)
        assert said_of(tmp_path / "x.wav") == []
        mean = np.mean(np.stack(channels).astype(float), axis=0)
        assert np.abs(audio.load_clip(tmp_path / "x.wav") - audio.fit_to_second(mean)).max() <= 1


def test_a_header_that_claims_hours_takes_no_memory_for_them(tmp_path):
    data = bytearray(flac(tmp_path))
    data[21:26] = bytes([data[21] | 15]) + b"\xff" * 4  # 2**36 - 1 samples
    with pytest.raises(UserError, match="is damaged"):
        audio.read(kept(tmp_path / "x.flac", data))


def test_the_command_says_it_in_one_line(capsys, tmp_path):
    from tinyspeech.__main__ import main

    soundfile.write(tmp_path / "x.wav", np.stack([X, -X], 1), RATE)
    assert main(["classify", str(tmp_path / "x.wav"), "--engine", "int"]) == 0
    assert capsys.readouterr().err.count("\n") == 1
