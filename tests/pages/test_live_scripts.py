"""The live panel's scripts without a page: resampler, voltage, and a board that is the virtual board bit for bit."""

import base64
import functools
import io

import numpy as np
import pytest
import soundfile
from support.panels import natively
from support.scripts import evaluate

from tinyspeech import CLASSES, paths
from tinyspeech.board import protocol
from tinyspeech.board.microphone import SIGNAL_HZ, as_volts
from tinyspeech.board.protocol import Command
from tinyspeech.integer import decision, frontend, listening, network
from tinyspeech.integer.network import IntegerModel
from tinyspeech.pages.widgets import live
from tinyspeech.sound import audio

RATES_HZ = (8_000, 16_000, 22_050, 44_100, 48_000, 96_000)


@functools.cache
def words_in_a_row() -> np.ndarray:
    """The panel's clips with pauses and soft noise, float32 at the signal's rate."""
    clips = [soundfile.read(io.BytesIO(file), dtype="int16")[0] for file in live.clips().values()]
    row, _ = audio.in_a_row(clips, audio.SAMPLE_RATE_HZ)
    wave = audio.resample(row / 32768, audio.SAMPLE_RATE_HZ, listening.ADC_HZ)
    return np.append(wave, np.zeros(listening.ADC_HZ)).astype(np.float32)


def volts_of(wave: np.ndarray) -> np.ndarray:
    return np.clip(np.floor(32768 * (1 + wave.astype(np.float64)) + 0.5), 0, 65535).astype(np.uint16)


def resampled(samples: np.ndarray, rate_hz: int, blocks: int = 1024) -> np.ndarray:
    expression = """(() => {
      const resampler = soundResampler(data.rate, data.to), out = [], all = Float32Array.from(data.samples);
      for (let at = 0; at < all.length; at += data.blocks)
        out.push(...resampler.push(all.subarray(at, at + data.blocks)));
      return [...out, ...resampler.end()];
    })()"""
    data = {"rate": rate_hz, "to": listening.ADC_HZ, "samples": samples.tolist(), "blocks": blocks}
    return np.array(evaluate(["microphone.js"], expression, data))


# ---------------------------------------------------------------- sound


def level_db(samples: np.ndarray) -> float:
    """Of the middle of a sound, against a sine of full scale."""
    middle = samples[len(samples) // 4 : -len(samples) // 4]
    return 10 * np.log10(2 * (middle**2).mean() + 1e-20)


@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_what_passes_passes_and_what_would_fold_does_not(rate_hz):
    """Up to 80 % of the lower Nyquist rate nothing is lost; what lies above it would come back as another tone."""
    lower, time = min(rate_hz, listening.ADC_HZ) / 2, np.arange(rate_hz // 2) / rate_hz
    for share in (0.01, 0.25, 0.5, 0.8):
        heard = resampled(np.sin(2 * np.pi * share * lower * time), rate_hz)
        assert abs(level_db(heard)) < 0.05, share
    if rate_hz > listening.ADC_HZ:
        for share in (1.01, 1.1, 1.3):
            if share * lower < rate_hz / 2:
                assert level_db(resampled(np.sin(2 * np.pi * share * lower * time), rate_hz)) < -70, share


@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_a_word_is_resampled_as_the_library_does_it(rate_hz):
    clip = audio.load_clip(next(iter((paths.BUNDLED / "yes").glob("*.flac")))) / 32768
    at_rate = audio.resample(audio.resample(clip, audio.SAMPLE_RATE_HZ, 6_000), 6_000, rate_hz)  # nothing near an edge
    ours, theirs = resampled(at_rate, rate_hz), audio.resample(at_rate, rate_hz, listening.ADC_HZ)
    assert len(ours) == len(theirs)
    assert ((ours - theirs) ** 2).mean() < 10 ** (-40 / 10) * (theirs**2).mean()


def test_blocks_leave_no_trace():
    noise = np.random.default_rng(0).normal(0, 0.2, 10_000)
    whole = resampled(noise, 44_100, blocks=len(noise))
    for blocks in (1, 128, 1024):
        np.testing.assert_array_equal(resampled(noise, 44_100, blocks), whole)


@pytest.mark.parametrize("gain", [1, 4])
def test_the_voltage_is_that_of_the_virtual_board(gain):
    samples = np.random.default_rng(1).normal(0, 0.3, 2_000)
    ours = evaluate(["microphone.js"], "[...microphoneVolts(data.samples, data.gain)]",
                    {"samples": samples.tolist(), "gain": gain})
    assert ours == as_volts(samples, SIGNAL_HZ, gain).tolist()
    assert {0, 65535} <= set(ours)


def test_a_saved_file_is_the_sound():
    samples = np.array([0, 0.5, -0.5, 1, -1, 2, -2, 0.25])
    bytes_ = evaluate(["microphone.js"], "wavFile(data, 16000).arrayBuffer().then((b) => [...new Uint8Array(b)])",
                      samples.tolist())
    read, rate_hz = soundfile.read(io.BytesIO(bytes(bytes_)), dtype="int16")
    assert rate_hz == 16000 and read.tolist() == audio.to_int16(samples).tolist()


def test_what_is_kept_is_what_the_converter_made_of_it_cut_as_the_library_cuts_it():
    volts = np.random.default_rng(2).integers(0, 65536, 2 * listening.ADC_HZ).astype(np.uint16)
    volts[: listening.ADC_HZ // 2] //= 3  # so that some seconds are louder
    samples = listening.from_conversions(volts >> 6)
    ours = evaluate(["live_board.js"], """(() => {
      const samples = liveSamples(Uint16Array.from(data.volts));
      return [[...samples], [...liveSecond(samples, data.second)]];
    })()""", {"volts": volts.tolist(), "second": live.second()})
    assert ours[0] == samples.tolist()
    assert ours[1] == audio.fit_to_second(samples, frontend.SAMPLE_RATE_HZ).tolist()


# ---------------------------------------------------------------- the board

HEARS = """(async () => {
  const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  data.panel.image = bytes(data.panel.image);
  const { instance } = await WebAssembly.instantiate(bytes(data.panel.wasm), {});
  const said = { lines: [], words: [], settings: [], frames: [] };
  const board = liveBoard(boardOf(instance.exports), data.panel, {
    line: (text) => said.lines.push(text),
    word: (word) => said.words.push(word),
    settings: ({ sensitivity, first }) => said.settings.push([sensitivity, first]),
    frame: ({ frame, coefficients, sums, weights, led }) =>
      said.frames.push([frame, [...coefficients], sums && [...sums], weights, led]),
  });
  board.begin();
  said.version = board.version();
  const volts = new Uint16Array(bytes(data.volts).buffer);
  for (let at = 0; at < volts.length; at += 997) {
    if (at === 997 * data.sets_at) board.set(data.panel.settings.find((s) => s.bytes[0] === data.setting));
    board.hear(volts.subarray(at, at + 997));
  }
  said.gaps = board.board.value("gaps");
  return said;
})()"""


def heard(volts: np.ndarray, **settings) -> dict:
    """What the panel's board says of a signal."""
    data = {"panel": live.live_data(), "volts": base64.b64encode(volts.tobytes()).decode(), "sets_at": -1, "setting": 0}
    return evaluate(["board.js", "live_board.js"], HEARS, {**data, **settings})


def test_the_panel_says_what_the_virtual_board_says():
    volts = volts_of(words_in_a_row())
    ours, theirs = heard(volts), natively(volts, Command.MICROPHONE).decode().splitlines()
    assert ours["version"].startswith(protocol.VERSION_START) and ours["gaps"] == 0
    assert ours["lines"][2:] == [protocol.LISTENING, *theirs]
    words = [protocol.parse(line) for line in theirs]
    assert ours["words"] == [{"name": word.name, "frame": word.frame} for word in words]
    assert len({word.name for word in words}) >= 8
    lit = [frame for frame, *_, led in ours["frames"] if led]
    assert {word.frame for word in words} <= set(lit) and len(lit) < len(ours["frames"]) / 2


def test_what_the_panel_shows_is_what_the_definition_computes():
    """Coefficients: of a board that sends them. Sums and weights: by the definition, of these coefficients."""
    volts, model = volts_of(words_in_a_row()), IntegerModel.load(paths.model_file(paths.SHIPPED, ".npz"))
    frames = heard(volts)["frames"]
    sent = np.frombuffer(natively(volts, Command.COEFFICIENTS), np.int8)
    features = sent[: len(sent) // model.inputs * model.inputs].reshape(-1, model.inputs)
    assert len(features) > 500 and abs(len(frames) - len(features)) <= 1
    assert [frame for frame, *_ in frames] == list(range(1, len(frames) + 1))
    both = min(len(frames), len(features))
    assert [coefficients for _, coefficients, *_ in frames[:both]] == features[:both].tolist()

    record = {}
    model.run(features[None], record)
    weights = (network.sigmoid_q7(record["frames_excite"][0, :, 0]) + 1) / (network.sigmoid_q7(127) + 1)
    scores, decider, done = decision.frame_scores(model, features), decision.Decision(), 0
    for _, _, sums, shown, _ in frames[:both]:
        assert bool(shown) == (sums is not None)
        if shown:
            assert shown == weights[done : done + len(shown)].tolist()
            for row in scores[done : done + len(shown)]:
                before = decider.sums + row - (decider.sums >> decision.LEAK_BITS)
                decider.push(row)  # forgets them, where it reports a word
            assert sums == before.tolist()
            done += len(shown)
    assert done >= len(scores) - 4 and weights.min() < 0.1 < 0.9 < weights.max()


def test_a_setting_is_what_listen_sends():
    wave = words_in_a_row()[: 3 * listening.ADC_HZ]
    setting = protocol.setting("high", "yes")
    said = heard(volts_of(wave), sets_at=10, setting=setting[0])
    normal = str(protocol.Settings("normal", None))
    assert said["lines"][1:3] == [normal, protocol.LISTENING]
    stopped = next(line for line in said["lines"] if isinstance(protocol.parse(line), protocol.Stopped))
    after = said["lines"][said["lines"].index(stopped) + 1 :]
    assert protocol.parse_settings(after[0]) == protocol.Settings("high", "yes") and after[1] == protocol.LISTENING
    assert said["settings"] == [["normal", None], ["high", "yes"]]
    again = [frame for frame, *_ in said["frames"]]
    assert again.count(1) == 2  # frames are counted from where it began to listen anew


def test_every_setting_of_a_board_can_be_chosen():
    settings = live.live_data()["settings"]
    assert len({tuple(setting["bytes"]) for setting in settings}) == len(settings) == 3 * (2 + 10)
    for setting in settings:
        line = protocol.SETTINGS_START + chr(setting["bytes"][0])
        assert protocol.parse_settings(line) == protocol.Settings(setting["sensitivity"], setting["first"])


@pytest.mark.parametrize("word", ["yes", "stop"])
def test_a_second_is_classified_by_the_chip(word):
    samples, _ = soundfile.read(io.BytesIO(live.clips()[word]), dtype="int16")
    clip = frontend.to_8khz(audio.fit_to_second(samples)[None])
    logits = evaluate(["board.js", "live_board.js"], """(async () => {
      const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
      data.panel.image = bytes(data.panel.image);
      const { instance } = await WebAssembly.instantiate(bytes(data.panel.wasm), {});
      return liveClassify(boardOf(instance.exports), data.panel, Int16Array.from(data.clip));
    })()""", {"panel": live.live_data(), "clip": clip[0].tolist()})
    model = IntegerModel.load(paths.model_file(paths.SHIPPED, ".npz"))
    assert logits == model.run(frontend.features(clip))[0].tolist()
    assert CLASSES[int(np.argmax(logits))] == word
