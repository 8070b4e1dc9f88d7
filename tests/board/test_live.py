"""Listening: what the board says of sounds that never end, against the definition, line by line and frame by frame."""

import re

import numpy as np
import pytest

from tinyspeech import CLASSES, paths, toolchain
from tinyspeech.board.microphone import SIGNAL_HZ, as_volts
from tinyspeech.board.protocol import Command, transcript
from tinyspeech.board.virtual import VirtualBoard, shipped_image
from tinyspeech.chip import firmware
from tinyspeech.chip.emulator import Chip
from tinyspeech.errors import UserError
from tinyspeech.integer import frontend, listening, trials
from tinyspeech.integer.network import IntegerModel
from tinyspeech.measure import live
from tinyspeech.paths import model_file
from tinyspeech.sound import datasets, mulaw
from tinyspeech.toolchain.elf import SRAM_BASE

FRAME_CYCLES = frontend.HOP * listening.CLOCK_HZ // frontend.SAMPLE_RATE_HZ
VERSION = f"tinyspeech tinyspeech_s {firmware.exported_hash()}\n"


@pytest.fixture(scope="module")
def model():
    return IntegerModel.load(model_file("tinyspeech_s", ".npz"))


@pytest.fixture(scope="module")
def image():
    return shipped_image()


@pytest.fixture
def board(image):
    """In command mode, a moment after power on."""
    board = VirtualBoard(image)
    board.advance(0.01)
    return board


@pytest.fixture(scope="module")
def row():
    """Two and a half minutes of bundled clips in a row in noise, int16 at 16 kHz, and their events."""
    x, labels = datasets.load_task(paths.BUNDLED, "validation", limit=64).arrays()[:2]
    return live.in_a_row(x, labels, seed=0)


@pytest.fixture(scope="module")
def heard(image, row):
    board = VirtualBoard(image)
    board.advance(0.01)
    return live.listen(board, as_volts(row[0], 16_000), SIGNAL_HZ)


def say(board: VirtualBoard, data: bytes, seconds: float) -> str:
    board.send(data)
    board.advance(seconds)
    assert board.fault is None
    return board.received().decode()


def itself() -> int:
    """The address of a jump to itself: the last instruction of `enter_bootloader`."""
    return next(end - 2 for _, end, name in toolchain.function_addresses(toolchain.build_firmware().elf)
                if name == "enter_bootloader")


def handler_offset(field: str) -> int:
    """Where the handler looks for a field of the firmware's `struct listening`."""
    text = (paths.FIRMWARE / "handler.h").read_text()
    return int(re.search(rf"#define HANDLER_{field} (\d+)", text)[1])


# --- the definition ---------------------------------------------------------------------------------------------------


def test_samples_are_sums_of_four_readings():
    codes = np.array([512, 512, 512, 512, 0, 0, 0, 0, 1023, 1023, 1023, 1023, 513, 512, 512, 512])
    assert listening.from_conversions(codes).tolist() == [0, -32768, 32704, 16]
    same = np.repeat(np.arange(1024), 4)
    assert np.array_equal(listening.from_conversions(same), frontend.from_adc(np.arange(1024)))


@pytest.mark.parametrize("codes", [[1, 2, 3], [0, 0, 0, 1024], [-1, 0, 0, 0], [0.5, 0, 0, 0]])
def test_other_readings_are_refused(codes):
    with pytest.raises(UserError, match="readings"):
        listening.from_conversions(np.array(codes))


def test_frames_are_counted():
    assert [listening.frame_count(n) for n in (0, 255, 256, 415, 416, 8000)] == [0, 0, 1, 1, 2, 49]


def test_words_need_their_whole_batch_and_a_frame_more(model):
    """However many samples follow, the words so far are the same."""
    x, labels = datasets.load_task(paths.BUNDLED, "validation").arrays()[:2]
    clips = frontend.to_8khz(x[np.flatnonzero(np.asarray(labels) >= 2)[:6]])
    sound = np.concatenate([np.pad(clip, (0, 4000)) for clip in clips])
    whole = listening.words(model, sound)
    assert len(whole) >= 4 and all(frame % listening.BATCH_FRAMES == 1 for frame, _ in whole)
    for frame, word in whole:
        enough = frontend.WINDOW + frontend.HOP * (frame - 1)
        assert listening.words(model, sound[:enough])[-1] == (frame, word)
        assert (frame, word) not in listening.words(model, sound[: enough - 1])


def test_a_soft_last_sound_belongs_to_a_word_where_the_recording_is_quiet():
    """100 ms of a loud tone, a pause, 50 ms of it 30 dB softer; noise 50 dB below, or 20."""
    tone = 10_000 * np.sin(np.arange(16_000))
    clip = np.where(np.arange(16_000) // 1600 == 3, tone, 0) + np.where(np.arange(16_000) // 800 == 10, tone / 32, 0)
    noise = np.random.default_rng(0).normal(0, 1, 16_000)
    clean, noisy = ((clip + share * noise).astype(np.int16) for share in (22, 700))
    assert live.is_quiet(clean) and not live.is_quiet(noisy)
    hard, soft = live.Event.of(clean, 2, 1.0), live.Event.of(clean, 2, 1.0, live.SOFT_DB)
    assert (hard.at_s, hard.begin_s, soft.begin_s) == (1.0, 1.3, 1.3)
    assert abs(hard.end_s - 1.4) < 0.011 and abs(soft.end_s - 1.55) < 0.011


def test_reports_are_matched_with_what_was_said():
    events = [live.Event(2, 0.0, 0.0, 1.0), live.Event(3, 2.0, 2.0, 3.0), live.Event(1, 4.0, 4.0, 5.0)]
    found = [(1.1, CLASSES[2]), (1.2, CLASSES[2]), (3.0 + live.LATE_S + 0.01, CLASSES[3]), (4.5, CLASSES[4])]
    result = live.rate(found, events)
    assert (result["keywords"], result["detected"], result["false"]) == (2, 1, 3)
    assert result["latencies"] == pytest.approx([0.1])


# --- the microphone ---------------------------------------------------------------------------------------------------


def test_every_line_is_the_definitions(heard, model):
    """Minutes of words and noise through timer, ADC, DMA, handler, front end, network and decision: not a sample is
    lost, and every word and every frame number is that of the readings that the definition takes from the voltage."""
    lines = [line for _, line in heard.lines]
    expected = [f"word {word} {frame}" for frame, word in listening.words(model, heard.samples)]
    assert lines[0] == "listening" and len(heard.samples) > 140 * 8000
    frames = listening.frame_count(len(heard.samples))
    late = [line for line in expected if int(line.split()[2]) >= frames - 1]  # may still be on its way
    assert lines[1:] in (expected, expected[: len(expected) - len(late)]) and len(expected) > 20


def test_words_are_heard_soon_and_few_others(heard, row):
    found = [(t, line.split()[1]) for t, line in heard.lines if line.startswith("word ")]
    result = live.rate(found, row[1])
    latencies = np.array(result["latencies"])
    print(f"{result['detected']} of {result['keywords']} keywords, {result['false']} false; latency "
          f"{1000 * np.median(latencies):.0f} ms, at most {1000 * latencies.max():.0f}")
    assert result["detected"] >= 0.5 * result["keywords"] and result["false"] <= 6  # a clock 2 % off costs two words
    assert np.median(latencies) < 0.2 and latencies.max() < 0.5


def test_twelve_million_cycles_a_second_and_asleep_half_the_time(heard):
    seconds = heard.cycles / listening.CLOCK_HZ
    assert (heard.cycles - heard.asleep) / seconds <= 12_000_000
    assert heard.asleep >= heard.cycles / 2


def test_no_burst_is_as_long_as_a_frame(heard):
    """What is computed with a frame ends long before the next is due; samples' interrupts and words on the line
    included. A quarter is spare."""
    assert 100_000 < heard.longest_burst < 0.75 * FRAME_CYCLES


def test_loud_noise_takes_no_longer_and_no_sample_is_lost(board):
    """The dearest input: full-scale noise."""
    volts = np.random.default_rng(0).integers(0, 65536, 3 * SIGNAL_HZ).astype(np.uint16)
    noisy = live.listen(board, volts, SIGNAL_HZ)
    assert noisy.longest_burst < 0.75 * FRAME_CYCLES
    assert not [line for _, line in noisy.lines if line.startswith("lost")]


def test_ram_and_flash_are_kept_with_an_interrupt_at_the_worst_moment(board):
    """The deepest stack where interrupts are on plus the handler's, and the deepest of every other mode."""
    noise = np.random.default_rng(1).integers(0, 65536, SIGNAL_HZ).astype(np.uint16)
    live.listen(board, noise, SIGNAL_HZ)
    say(board, Command.SELF_TEST, 1.0)
    codes = np.random.default_rng(2).integers(128, 256, 8000).astype(np.uint8)
    board.send(Command.RECORDING + codes.tobytes() + Command.STOP)
    board.advance(1.5)
    state = board.chip.state
    assert state.handler_stack == 20 and state.lowest_open_sp < SRAM_BASE + 2048 - 100
    sizes = toolchain.sizes(toolchain.build_firmware().elf)
    assert sizes["data_bytes"] + sizes["bss_bytes"] + board.chip.stack_bytes <= 2048 - 32
    assert sizes["flash_bytes"] <= 16384 - 9 * 64 - 256  # pages of the settings and of eight taught words; and to spare


def test_samples_that_come_too_late_are_counted(board):
    """The sleeping main program is sent into an endless loop, and brought back 45 ms later."""
    assert say(board, Command.MICROPHONE, 1.0) == "listening\n"
    state = board.chip.state
    waits = next(range(start, end) for start, end, name in
                 toolchain.function_addresses(toolchain.build_firmware().elf) if name == "listen_sleep")
    while state.pc not in waits:
        board.advance(0.0001)
    registers, pc = list(state.x), state.pc
    state.pc = itself()
    board.advance(0.045)
    state.x[:], state.pc = registers, pc
    text = say(board, b"", 0.1)
    lost = int(re.fullmatch(r"lost (\d+)\n", text)[1])
    assert (45 - 20) * 8 <= lost <= 45 * 8
    assert re.match(r"stopped 5\d\n", say(board, Command.VERSION, 0.05))


def test_any_byte_ends_it_and_is_taken_as_a_command(board):
    assert say(board, Command.MICROPHONE, 0.5) == "listening\n"
    text = say(board, Command.VERSION, 0.05)
    assert re.fullmatch(r"stopped (\d+)\n" + VERSION, text) and 22 <= int(text.split()[1]) <= 26
    assert say(board, Command.VERSION, 0.05) == VERSION
    assert say(board, Command.MICROPHONE, 0.1) == "listening\n"  # and again, from the beginning
    assert re.fullmatch(r"stopped [345]\n" + VERSION, say(board, Command.STOP + Command.VERSION, 0.05))


@pytest.fixture(scope="module")
def yes():
    """A bundled clip and a second of silence, as the microphone's voltage."""
    x, labels = datasets.load_task(paths.BUNDLED, "validation").arrays()[:2]
    return as_volts(np.pad(x[list(labels).index(CLASSES.index("yes"))], (0, 16_000)), 16_000)


def test_a_recording_can_wait_until_the_chip_listens(image, yes):
    """As with `board --wav`: a second after power on, nothing of it is over."""
    board = VirtualBoard(image)
    board.chip.connect_microphone(yes, SIGNAL_HZ, waits=True)
    board.advance(3.0)
    said = re.fullmatch(r"listening\nword yes (\d+)\n", board.received().decode())
    assert said and int(said[1]) < 75


def test_the_led_is_on_after_a_word(board, yes):
    board.send(Command.MICROPHONE)
    board.advance(0.005)
    board.chip.connect_microphone(yes, SIGNAL_HZ)
    lit, led_at = [], []
    for _ in range(200):
        board.advance(0.01)
        lit.append(b"word yes" in board.received())
        led_at.append(board.chip.pin("PD0"))
    word = lit.index(True)
    assert not any(led_at[: word - 3]) and all(led_at[word : word + 50]) and not any(led_at[word + 75 :])


# --- the serial port --------------------------------------------------------------------------------------------------


def mulaw_of(sound: np.ndarray) -> np.ndarray:
    return mulaw.mulaw_encode(frontend.to_8khz(sound))


@pytest.mark.parametrize("chunk", [1, 160, 100_000])
def test_samples_over_the_port_are_the_definitions(board, model, row, chunk):
    """Paced byte by byte, in pieces of 20 ms, and as fast as the line carries them."""
    codes = mulaw_of(row[0][16000 * 40 : 16000 * 65])
    text = say(board, Command.RECORDING, 0.005)
    for at in range(0, len(codes), chunk) if chunk > 1 else range(0, len(codes), 8):
        piece = codes[at : at + max(chunk, 8)].tobytes()
        text += say(board, piece, max(len(piece) / 8000 if chunk < 1000 else 0, 10 * len(piece) / 115_000))
    text += say(board, Command.STOP, 0.1)
    expected = transcript(listening.words(model, mulaw.mulaw_decode(codes)), listening.frame_count(len(codes)))
    assert len(expected) > 4 and text.splitlines() == expected
    assert board.chip.state.overruns == 0
    assert say(board, Command.VERSION, 0.05) == VERSION


def test_the_handler_decodes_every_byte(board):
    """Read back from the ring; the first follows 'U' at once."""
    codes = np.array([code for code in range(256) if code != 0x7F], np.uint8)
    at = toolchain.symbol_addresses(toolchain.build_firmware().elf)["listening"] + handler_offset("RING")
    board.send(Command.RECORDING + codes.tobytes())
    board.advance(0.03)
    ring = np.frombuffer(board.chip.read_memory(at, 2 * len(codes)), "<i2")
    assert np.array_equal(ring, mulaw.mulaw_decode(codes))


def test_a_silent_sender_is_given_up_after_a_second(board):
    """And a second later, by its own clock, which may be 2 % off, the chip listens to its microphone."""
    assert say(board, Command.RECORDING, 0.97) == "listening\n"
    assert say(board, b"", 0.12) == "stopped 0\n"
    assert say(board, b"", 1.02) == "listening\n"
    assert board.chip.state.resets == 1


# --- the rest ---------------------------------------------------------------------------------------------------------


def test_it_listens_by_itself_a_second_after_a_reset(image):
    """By its own clock, which may be 2 % off."""
    board = VirtualBoard(image)
    board.advance(0.97)
    assert board.received() == b""
    board.advance(0.06)
    assert board.received() == b"listening\n"
    board.press_reset()
    board.advance(0.01)
    assert say(board, Command.VERSION, 0.5) == VERSION
    assert say(board, b"", 58.0) == ""  # a command came: for a minute it waits for the next
    assert say(board, b"", 3.4) == "listening\n"


@pytest.mark.parametrize("noise", [0x00, 0x0D, 0xFF])
def test_noise_on_the_line_does_not_make_it_deaf(board, yes, noise):
    assert say(board, Command.MICROPHONE, 0.3) == "listening\n"
    assert re.fullmatch(r"stopped \d+\n", say(board, bytes([noise]), 0.5))
    assert say(board, b"", 0.6) == "listening\n"
    board.chip.connect_microphone(yes, SIGNAL_HZ)
    assert say(board, b"", 2.0).startswith("word yes ")
    assert re.fullmatch(r"stopped \d+\n", say(board, Command.STOP, 3.0))  # who sends this means it


def test_the_self_test_knows_its_second(board, model):
    assert say(board, Command.SELF_TEST, 1.0) == "test ok\n"
    x = trials.made_up_clip()
    assert x.dtype == np.int16 and np.abs(x[:256].astype(int)).max() > 30_000
    assert np.abs(x[-160:].astype(int)).max() < 16


def test_a_damaged_weight_fails_the_self_test(image):
    """One bit of each of a few tables: of weights, of requantisation, of the front end."""
    addresses = toolchain.symbol_addresses(toolchain.build_firmware().elf)
    weights = [("model_weights", at) for at in (20, 4000, 7000)]
    for name, at in (*weights, ("frontend_dct_sizes", 20), ("frontend_log2", 20)):
        damaged = bytearray(image)
        damaged[addresses[name] + at] ^= 4
        board = VirtualBoard(bytes(damaged))
        board.advance(0.01)
        assert re.fullmatch(r"test failed [0-9a-f]{1,8}\n", say(board, Command.SELF_TEST, 1.0)), name


def test_a_program_that_hangs_is_reset(board):
    """The main program jumps onto its own place: two seconds later the watchdog starts it again."""
    say(board, Command.MICROPHONE, 0.5)
    chip = board.chip
    chip.state.pc = itself()
    board.advance(1.0)
    assert chip.state.resets == 1
    board.received()
    assert say(board, b"", 2.6) == "listening\n" and chip.state.resets == 2  # and a second later it listens
    assert chip.state.reset_flags & 1 << 29


def test_the_bootloader_is_reached_from_every_mode(image):
    for mode, after in ((b"", b""), (Command.MICROPHONE, b""), (Command.VERSION, b""),
                        (Command.RECORDING + b"\xff" * 500, Command.STOP)):
        board = VirtualBoard(image)
        board.advance(0.01)
        board.send(mode)
        board.advance(0.3)
        assert not board.rom.active
        board.send(after + Command.BOOTLOADER)
        board.advance(0.1)
        assert board.rom.active, mode


def test_the_vectors_stand_where_the_core_looks(image):
    handler = toolchain.symbol_addresses(toolchain.build_firmware().elf)["listen_handler"]
    for number in (22, 32):
        assert int.from_bytes(image[4 * number : 4 * number + 4], "little") == handler


def test_waiting_costs_the_untimed_chip_nothing(image):
    """Time stands still while an untimed chip waits for bytes: no watchdog, no listening by itself."""
    chip = Chip(image)
    for _ in range(2000):
        assert chip.run() == "starved"
    assert chip.seconds < 0.2 and chip.state.resets == 1 and chip.received() == b""
