"""Nothing that comes over the serial port leaves the board deaf: random bytes and gaps, then it answers and hears.

    python tests/board/test_undeaf.py 1000      # runs that pytest does not take the time for; it counts the failures

A run is some seconds of the chip's time: commands half begun, the probes of a modem manager, bytes of any value, bytes
at another rate, which are framing errors, and bytes faster than the chip fetches them. Then the line is silent for as
long as `firmware/main.c` states, and the board must know its name and hear a word.
"""

import re
import sys
from functools import cache

import numpy as np
import pytest

from tinyspeech import CLASSES, paths, toolchain
from tinyspeech.board.microphone import SIGNAL_HZ, as_volts
from tinyspeech.board.protocol import setting
from tinyspeech.board.virtual import VirtualBoard, shipped_image
from tinyspeech.chip.emulator import LINE_BAUD, SRAM_BASE, Chip
from tinyspeech.chip.firmware import exported_hash
from tinyspeech.integer.decision import REJECTED, SENSITIVITIES
from tinyspeech.sound import datasets

RUNS = 40
GIVEN_UP_S, BOOTLOADER_S, BY_ITSELF_S = 3.0, 61.0, 61.0
"""Seconds of silence after which samples are no longer waited for (behind a self-test that comes first), the ROM
bootloader has left, and it listens by itself."""
PROBES = (b"AT\r\n", b"ATE1 E0\r", b"AT+CGMI\r\n", b"AT+GCAP\r\n", b"ATI\r\nATI1\r\n", b"AT+CFUN?\r",
          b"\x7e\x00\x78\xf0\x7e", b"AT&F\r\nAT+CPIN?\r\n", b"+++", b"\x03AT\r")
"""Of programs that look for modems; the letters of our commands are among theirs."""
CONFIRMED = re.compile(b"|".join(re.escape(b"S" + setting(sensitivity, word))
                                 for sensitivity in SENSITIVITIES for word in (None, *CLASSES[REJECTED:])))
VERSION = f"tinyspeech tinyspeech_s {exported_hash()}\n"


@cache
def yes() -> np.ndarray:
    """A bundled clip and half a second of silence, as the microphone's voltage."""
    x, labels = datasets.load_task(paths.BUNDLED, "validation").arrays()[:2]
    return as_volts(np.pad(x[list(labels).index(CLASSES.index("yes"))], (0, 8_000)), 16_000)


def bytes_of(rng: np.random.Generator) -> bytes:
    """Something that may come."""
    some = rng.integers(0, 256, int(rng.integers(1, 60)), dtype=np.uint8).tobytes()
    many = rng.integers(0, 256, int(rng.integers(200, 4000)), dtype=np.uint8).tobytes()
    begun = bytes([rng.choice(list(b"CFU"))]) + many[: int(rng.integers(0, 3000))]
    return (some, begun, bytes([rng.choice(list(b"CFULTV\x7f\x00"))]), PROBES[rng.integers(len(PROBES))],
            many)[rng.choice(5, p=(0.3, 0.25, 0.25, 0.15, 0.05))]


def torment(board: VirtualBoard, seed: int, actions: int = 12) -> None:
    """Random bytes and gaps, but never the three that set the board. 'B' is rare: the minute in the ROM that it costs
    is one and the same."""
    rng = np.random.default_rng(seed)
    board.advance(float(rng.uniform(0.001, 1.5)))
    for _ in range(actions):
        data = bytes_of(rng)
        if rng.random() < 0.9:
            data = data.replace(b"B", b"b")
        data = CONFIRMED.sub(b"", data)
        board.chip.state.line_baud = int(rng.choice((9600, 100_000, 230_400))) if rng.random() < 0.15 else LINE_BAUD
        board.send(data)
        board.advance(float(10 ** rng.uniform(-4, 0.3)))
    while board.chip.state.receive_at < board.chip.state.receive_count and not board.rom.active:
        board.advance(0.01)  # all of it arrives
    board.chip.state.line_baud = LINE_BAUD


def say(board: VirtualBoard, data: bytes, seconds: float) -> str:
    board.send(data)
    board.advance(seconds)
    return board.received().decode("ascii", "replace")


def what_is_wrong(seed: int, image: bytes) -> str:
    """"" where the board answers and hears."""
    board = VirtualBoard(image)
    torment(board, seed)
    board.advance(GIVEN_UP_S)
    if board.rom.active:
        board.advance(BOOTLOADER_S)
    elif board.chip.state.resets != 1:
        return f"{board.chip.state.resets - 1} resets"
    board.received()
    if not (answer := say(board, b"V", 0.1)).endswith(VERSION):
        return f"V is answered with {answer!r}"
    if (answer := say(board, b"S?", 0.1)) != "settings P\n":
        return f"it is set otherwise, or does not say how: {answer!r}"
    if (answer := say(board, b"L", 0.1)) != "listening\n":
        return f"L is answered with {answer!r}"
    board.chip.connect_microphone(yes(), SIGNAL_HZ)
    if not re.match(r"word yes \d+\n", answer := say(board, b"", 1.5)):
        return f"a word is answered with {answer!r}"
    return str(board.fault or "")


@pytest.fixture(scope="module")
def image():
    return shipped_image()


@pytest.mark.parametrize("seed", range(RUNS))
def test_whatever_comes_it_answers_and_hears(image, seed):
    assert what_is_wrong(seed, image) == ""


@pytest.mark.parametrize("left", [b"V", b"C", b"U\x01\x02", b"F" + bytes(300), b"AT\r\n", b"B"],
                         ids=["V", "C", "U", "F", "AT", "B"])
def test_left_alone_it_hears_by_itself(image, left):
    """Nobody sends anything any more, and a word is heard: at the latest a minute and a second later."""
    board = VirtualBoard(image)
    board.advance(0.01)
    say(board, left, BY_ITSELF_S + GIVEN_UP_S)
    board.chip.connect_microphone(yes(), SIGNAL_HZ)
    assert re.match(r"word yes \d+\n", say(board, b"", 1.5))


def test_bytes_with_errors_are_no_commands_and_do_not_stop_it(image):
    """A line that is low for too long, as when a cable is pulled or a slow sender is there: it listens on."""
    board = VirtualBoard(image)
    board.advance(0.01)
    assert say(board, b"L", 0.2) == "listening\n"
    board.chip.state.line_baud = 38_400
    assert say(board, bytes(200), 0.5) == ""
    board.chip.state.line_baud = LINE_BAUD
    assert re.fullmatch(r"stopped 3[345]\n" + VERSION, say(board, b"V", 0.1))


def test_an_overrun_is_no_stream_of_samples(image):
    """Bytes at twice the rate at which anything can fetch them while a command computes, then listening as ever."""
    board = VirtualBoard(image)
    board.advance(0.01)
    say(board, b"T" + b"\x7f" * 4000, 1.0)
    assert board.chip.state.overruns > 1000
    assert say(board, b"L", 1.0) == "listening\n"
    assert re.match(r"stopped (48|49|50|51)\n", say(board, b"V", 0.1))  # its clock may be 2 % off


def test_a_byte_right_behind_the_one_that_ends_it_waits(image):
    """Whatever the chip computes at that moment, and however many samples come until it has seen the first."""
    answer = rf"stopped \d+\n{VERSION}settings P\n"
    for pause in np.linspace(0.2, 0.28, 17):  # four frames are a batch
        board = VirtualBoard(image)
        board.advance(0.01)
        assert say(board, b"L", float(pause)) == "listening\n"
        assert re.fullmatch(answer, say(board, b"VS", 2.5)), pause


def test_the_second_listening_begins_as_the_first(image):
    """Wherever in a sample's 125 us the first was broken off, the first readings of the second are its own: nothing of
    the DMA's or the ADC's is left over."""
    conversions = toolchain.symbol_addresses(toolchain.build_firmware().elf)["listening"]
    for pause in np.linspace(0.1, 0.100125, 26):
        board = VirtualBoard(image)
        board.advance(0.01)
        board.chip.connect_microphone(np.full(SIGNAL_HZ, 65535, np.uint16), SIGNAL_HZ)
        say(board, b"L", float(pause))
        say(board, b"\x7f", 0.05)
        board.chip.connect_microphone(np.zeros(SIGNAL_HZ, np.uint16), SIGNAL_HZ)
        assert say(board, b"L", 0.05) == "listening\n"
        at = board.chip.read_memory(conversions + 24, 4 + 2 * 256)  # at, missing, ring
        samples = np.frombuffer(at, "<i2")[2 : 2 + int.from_bytes(at[:2], "little")]
        assert len(samples) > 100 and set(samples) == {-32768}


def waits_after(image: bytes, elf, cycles: int) -> int:
    """Cycles from the call of `listen_sleep` to its return, where it is called so many after an interrupt's end."""
    chip, where = Chip(image), {name: (start, end) for start, end, name in toolchain.function_addresses(elf)}
    chip.take_time()
    chip.run(240_000)
    chip.send(b"L")
    chip.run(240_000)
    assert chip.received() == b"listening\n"
    sleep, nowhere = where["listen_sleep"][0], where["enter_bootloader"][1] - 2  # a jump to itself
    while chip.state.pc != sleep:
        chip.run(1)
    missing = toolchain.symbol_addresses(elf)["listening"] + 26 - SRAM_BASE
    chip.state.sram[missing : missing + 2] = (1, 0)  # the next interrupt's sample makes a frame due
    chip.state.pc = nowhere
    chip.run(cycles)
    while chip.state.pc != nowhere:  # in the handler
        chip.run(1)
    began, chip.state.pc, back = chip.cycles, sleep, chip.state.x[1]
    while chip.state.pc != back and chip.cycles < began + 10_000:
        chip.run(1)
    return chip.cycles - began


def test_an_interrupt_between_the_last_look_and_the_sleep_is_not_slept_through(image):
    """At every distance to the interrupt that makes a frame due, in cycles. One whose handler does not look where it
    came is slept through at some, until the next sample, which is lost."""
    elf, distances = toolchain.build_firmware().elf, range(2_866, 2_888)
    waits = [waits_after(image, elf, n) for n in distances]
    assert max(waits) < 150 and min(waits) < 20  # the last ones come before the look
    moves_on = (0x34159073).to_bytes(4, "little")  # csrw mepc, a1
    assert image.count(moves_on) == 1
    careless = image.replace(moves_on, (0x13).to_bytes(4, "little"))
    assert max(waits_after(careless, elf, n) for n in distances) > 2_900


if __name__ == "__main__":
    firmware, bad = shipped_image(), 0
    for number in range(int(sys.argv[1])):
        if wrong := what_is_wrong(number, firmware):
            bad += 1
            print(f"run {number}: {wrong}", flush=True)
    print(f"{sys.argv[1]} runs: {bad} failures")
