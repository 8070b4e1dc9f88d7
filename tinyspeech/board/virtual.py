"""The virtual board: the emulated chip on a pseudo-terminal, for any program that opens a serial port.

    python -m tinyspeech board --wav yes.wav

The unchanged `firmware.bin` runs in real time, a byte takes the time of its ten bits, a recording lies on the analogue
inputs as a microphone's voltage, and the ROM bootloader answers when a reset leads there. What it is not: a debugger, a
USB device, or any other peripheral of the development board. Chapter 14.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import sys
import threading
import time
from pathlib import Path

import numpy as np

from tinyspeech import toolchain
from tinyspeech.board.microphone import SIGNAL_HZ
from tinyspeech.board.protocol import Command, CommandStream
from tinyspeech.chip.assumptions import Assumptions
from tinyspeech.chip.emulator import (
    FLASH_BYTES,
    LINE_BAUD,
    STOPS,
    TICK_BITS,
    TICKS_PER_SECOND,
    Chip,
    ChipFault,
    library,
)
from tinyspeech.chip.firmware import firmware_folder
from tinyspeech.errors import UserError
from tinyspeech.integer.frontend import SAMPLE_RATE_HZ
from tinyspeech.integer.network import IntegerModel
from tinyspeech.outside import files
from tinyspeech.paths import model_file

PATIENCE_S = 0.002
"""The pseudo-terminal is served this often."""
LAG_S = 0.25
"""A computer that falls behind real time by more gives up the difference."""
TICKS = TICKS_PER_SECOND << TICK_BITS
"""A second, as the board counts it."""
SLICE_TICKS = TICKS
"""The line, which holds more than it carries in a second, is filled this often, where more is to be sent."""
START_S = 0.02
"""Time for the firmware to come up before it gets a command."""
SAMPLES_AT_ONCE = 16
"""That come to a fast board as one piece; they take 1.4 ms on the line, of 2 ms."""
MOST_ELF_BYTES = 16 << 20
"""Of a firmware file: an ELF file brings much besides what goes into flash."""
STARVED, FULL = 1, 2
"""Why `board_advance` stops before the time is over, as in `board.h`."""


def _library() -> ctypes.CDLL:
    loaded, board = library(), ctypes.c_void_p
    loaded.board_size.restype = ctypes.c_size_t
    loaded.board_start.argtypes = (board, ctypes.c_void_p, ctypes.c_int)
    loaded.board_now.argtypes, loaded.board_now.restype = (board,), ctypes.c_uint64
    loaded.board_advance.argtypes = (board, ctypes.c_uint64)
    loaded.board_send.argtypes = (board, ctypes.c_char_p, ctypes.c_uint32)
    for name in ("go_on", "power", "reset", "in_rom", "rom_busy", "stopped"):
        getattr(loaded, f"board_{name}").argtypes = (board,)
    return loaded


class VirtualBoard:
    """A chip, its ROM bootloader and its serial port, on a clock of its own: time passes in `advance` only. All of it
    is `chip/core/board.c`; this is its face.

    image : flash from address 0; None is a blank chip, waiting in the ROM bootloader as only a WCH-Link can make it.
    timed : serial bytes, erasing and programming take their time. Without, a chip that waits for bytes stops the clock.
    assuming : what no manual settles, as for `Chip`. baud : of the other side of the serial port.
    """

    def __init__(self, image: bytes | None, timed: bool = True, assuming: Assumptions | None = None,
                 baud: int = LINE_BAUD):
        self.chip = Chip(image or b"", assuming, baud)
        self.timed = timed
        self.chip.take_time(timed)
        self._library = _library()
        self._memory = ctypes.create_string_buffer(self._library.board_size())
        self._address = ctypes.addressof(self._memory)
        self._library.board_start(self._address, self.chip.address, image is None)
        self.rom = Rom(self)
        self.fault: ChipFault | None = None
        """Why the core stands still, if it does; only power or the reset pin starts it again."""
        self._out, self._waiting = bytearray(), b""  # the latter for room on the line

    @property
    def now(self) -> float:
        """Seconds since the board was made."""
        return self._ticks() / TICKS

    def send(self, data: bytes) -> None:
        """Bytes onto the board's receiving line, behind those that are still on it."""
        self._waiting += data
        self._waiting = self._waiting[self._library.board_send(self._address, self._waiting, len(self._waiting)) :]

    def received(self) -> bytes:
        """What the board has sent since the last call."""
        out, self._out = bytes(self._out + self.chip.received()), bytearray()
        return out

    def advance(self, seconds: float) -> str:
        """Let time pass. Returns 'budget', or without timing 'starved' when the board waits for bytes before."""
        until = self._ticks() + max(0, round(seconds * TICKS))
        while True:
            self.send(b"")  # what waits and has room now
            left = max(0, until - self._ticks())
            stop = self._pass(min(left, SLICE_TICKS) if self._waiting else left)
            if not self._waiting or (left <= SLICE_TICKS and stop != STARVED):
                break
        stopped = STOPS[self._library.board_stopped(self._address)]
        if stopped == "fault" and not self.fault:
            self.fault = self.chip.fault()
        elif stopped == "break" and not self.fault:
            self.fault = ChipFault("breakpoint without a debugger", self.chip.state.pc, 0)
        return "starved" if stop == STARVED else "budget"

    def power_cycle(self) -> None:
        """Off and on. What the ROM bootloader was writing to flash stays half done; bytes on the line are lost."""
        self._waiting = b""
        self._library.board_power(self._address)
        self.fault = None

    def press_reset(self) -> None:
        """The reset pin."""
        if self.rom.active:
            self._waiting = b""
        self._library.board_reset(self._address)
        self.fault = None

    def _ticks(self) -> int:
        return self._library.board_now(self._address)

    def _pass(self, ticks: int) -> int:
        """Let ticks pass and collect what the board sends: 0, or `STARVED`."""
        stop = self._library.board_advance(self._address, ticks)
        while stop == FULL:
            self._out += self.chip.received()
            stop = self._library.board_go_on(self._address)
        self._out += self.chip.received()
        return stop


class Rom:
    """The boot area of a virtual board: `chip/core/rom.c`, a model of what WCH's ROM says and does."""

    def __init__(self, board: VirtualBoard):
        self._board = board

    @property
    def active(self) -> bool:
        """Whether a reset has led there, and it has the chip."""
        return bool(self._board._library.board_in_rom(self._board._address))

    @property
    def busy(self) -> bool:
        """Whether it erases or programs right now: power that fails leaves that half done."""
        return bool(self._board._library.board_rom_busy(self._board._address))


def load_image(path: str | Path) -> bytes:
    """A firmware file as bytes of flash: an ELF file, or flat from address 0. `UserError` if it is neither."""
    path, wanted = Path(path), "give a firmware (.bin or .elf)"
    try:
        data = files.content(path, wanted, MOST_ELF_BYTES)
    except OSError as error:
        raise UserError(f"cannot read firmware {path}: {error.strerror}") from error
    if data.startswith(b"\x7fELF"):
        data = toolchain.flat_image(path)
    if not data:
        raise UserError(f"{path} is empty: {wanted}, as `python -m tinyspeech firmware` builds")
    if len(data) > FLASH_BYTES:
        raise UserError(f"{path} has {len(data):,} bytes, the flash {FLASH_BYTES:,}: {wanted}")
    return data


def shipped_image() -> bytes:
    """The firmware of this repository, built."""
    return our_image(None)


def our_image(model: str | None) -> bytes:
    """The firmware of this repository, built, with a network of data/models; None: with the one in its `model.h`.

    Raises `UserError` for a network that there is not, or that the firmware cannot hold.
    """
    folder = None if model is None else firmware_folder(IntegerModel.load(model_file(model, ".npz")))
    return toolchain.build_firmware(folder).bin.read_bytes()


class _Stop(Exception):
    """Ctrl-C or SIGTERM."""


def _open_terminal() -> tuple[int, int, str]:
    """A pseudo-terminal for a board: descriptors of the board's end and of the other end, and the latter's name."""
    try:
        import pty  # both for POSIX only: on Windows everything else here works
        import tty
    except ImportError as error:
        raise UserError("this system has no pseudo-terminals: the virtual board needs Linux or macOS") from error

    host, device = pty.openpty()
    tty.setraw(device)  # and it stays open here, so that a program that closes the port does not end the board
    os.set_blocking(host, False)
    return host, device, os.ttyname(device)


def serve(board: VirtualBoard, announce=print, volts: np.ndarray | None = None) -> None:
    """Put a board on a pseudo-terminal and let it run until Ctrl-C or SIGTERM. announce is told the port's line.

    volts : of `microphone`; they begin when the chip first listens, and anew when a program at the port says so.
    """

    def stop(*_):
        raise _Stop

    host, device, name = _open_terminal()
    handlers = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        announce(f"port: {name}")
        _serve(board, host, volts)
    except _Stop:
        pass
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        os.close(host)
        os.close(device)


def in_background(board: VirtualBoard, volts: np.ndarray | None = None) -> str:
    """`serve` beside the program that calls this, for as long as it runs. Returns the port."""
    host, _, name = _open_terminal()
    threading.Thread(target=_serve, args=(board, host, volts), daemon=True).start()
    return name


def _serve(board: VirtualBoard, host: int, volts: np.ndarray | None = None) -> None:
    def play() -> None:
        if volts is not None:
            board.chip.connect_microphone(volts, SIGNAL_HZ, waits=True)

    play()
    commands, firmware = CommandStream(), (board.chip.state.resets, board.rom.active)
    began, told = time.monotonic() - board.now, None
    wait: float | None = 0.0
    while True:
        if select.select([host], [], [], wait)[0]:
            asked, sampled = os.read(host, 4096), commands.recording
            if (board.chip.state.resets, board.rom.active) != firmware:
                firmware = board.chip.state.resets, board.rom.active
                commands.restart()
            if not board.rom.active and {Command.MICROPHONE, Command.COEFFICIENTS} & {*commands.take(asked)}:
                play()
            if not board.timed and (sampled or commands.recording):
                _at_their_pace(board, asked)
                board.advance(0.0 if sampled else START_S)  # which it says that it listens in
            else:
                board.send(asked)
        if board.timed:
            behind = time.monotonic() - began - board.now
            if behind > LAG_S:
                began, behind = began + behind - LAG_S, LAG_S
            board.advance(max(behind, 0.0))
            wait = PATIENCE_S
        elif commands.recording:  # its time passes with the samples
            wait = None
        else:  # as fast as it goes; when it waits for bytes, so do we
            board.chip.take_time(False)
            wait = None if board.advance(0.05) == "starved" else 0.0
        if out := board.received():
            try:
                os.write(host, out)
            except BlockingIOError:
                pass  # nobody reads: as on a cable that hangs loose
        if board.fault is not told:
            told = board.fault
            if told:
                print(f"the chip stopped: {told}", file=sys.stderr, flush=True)


def _at_their_pace(board: VirtualBoard, samples: bytes) -> None:
    """Samples to a board whose bytes take no time: as fast as they sound, for it computes while they come."""
    board.chip.take_time()
    for at in range(0, len(samples), SAMPLES_AT_ONCE):
        part = samples[at : at + SAMPLES_AT_ONCE]
        board.send(part)
        board.advance(len(part) / SAMPLE_RATE_HZ)


POLL_S = 0.005
"""What a board says is looked for this often."""


def listening(volts: np.ndarray, seconds: float = START_S) -> VirtualBoard:
    """A board with our firmware and this signal at its microphone, told to listen, so many seconds after power on.

    volts : uint16 [n] at `SIGNAL_HZ`, as of `Chip.connect_microphone`; it begins with the power.
    """
    board = VirtualBoard(toolchain.build_firmware().bin.read_bytes())
    board.chip.connect_microphone(volts, SIGNAL_HZ)
    board.advance(START_S)
    board.send(Command.MICROPHONE)
    board.advance(seconds - START_S)
    return board


def lines(board: VirtualBoard, seconds: float) -> list[tuple[float, str]]:
    """(second since power on, line) of what a board says on its serial port in so many seconds; a line's time is that
    of its end, to the next `POLL_S`."""
    found, text, until = [], "", board.now + seconds
    while board.now < until:
        board.advance(POLL_S)
        text += board.received().decode()
        *whole, text = text.split("\n")
        found += [(board.now, line) for line in whole]
    return found
