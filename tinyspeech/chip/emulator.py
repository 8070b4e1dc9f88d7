"""Python's side of the emulated chip in `core/`: a CH32V003 that runs any program.

    chip = Chip(toolchain.flat_image(elf))
    chip.run(max_cycles=24_000_000)       # why it stopped: "budget", "transmit", "starved" ...
    chip.received()                       # what it sent by its serial port

What speaks our firmware's protocol with it is `tinyspeech/board/direct.py`.

The interpreter enforces the core (16 registers, no multiplier), the memory map, alignment and flash speed; whatever
breaks a rule ends in a `ChipFault` with the place. Serial bytes take no time. Chapter 13.
"""

from __future__ import annotations

import ctypes
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tinyspeech import toolchain
from tinyspeech.chip import assumptions, registers
from tinyspeech.chip.assumptions import Assumptions
from tinyspeech.errors import UserError
from tinyspeech.toolchain.elf import SRAM_BASE

FLASH_BYTES, SRAM_BYTES = 16384, 2048
READ, WRITTEN, BY_DMA = 1, 2, 4
"""What `Chip.touched` says of a byte: loaded or stored by the program, stored by the DMA."""
SLOTS = FLASH_BYTES // 2 + 2 + SRAM_BYTES // 2 + 2
"""Halfwords of flash and of SRAM, each with a gap of two behind it, as in `rv32ec.c`."""
TICKS_PER_SECOND = 48_000_000
"""Of the signal at the analogue inputs."""
TICK_BITS = 16
"""The interpreter counts time outside the chip in ticks of that / 2^16."""
NEVER = 2**64 - 1
"""A time, in the interpreter."""
LINE_BAUD = 115200
"""What the other side of the serial port speaks: the ROM bootloader's rate and our firmware's."""
RUNAWAY_CYCLES = 2_000_000_000
"""A run without a byte sent for this long (40 s of the chip's time) is taken for a firmware that hangs."""

INFO_BASE, INFO_BYTES = 0x1FFF_F780, 192
"""Vendor bytes (chip id, unique id), and from 0x1FFFF800 the option bytes."""
RESETS = {"pin": 1 << 26, "power": 1 << 27, "software": 1 << 28, "watchdog": 1 << 29}
"""Bits of RCC_RSTSCKR: why the chip was reset."""

STOPS = ("running", "budget", "transmit", "starved", "fault", "break", "boot")
CORE = Path(__file__).with_name("core")
"""The emulated chip's C."""
FAULTS = ("", *re.findall(r'ROW\(FAULT_\w+, "([^"]+)"\)', (CORE / "faults.h").read_text(encoding="utf-8")))
"""Why the chip stops, by the number that it gives."""
NOT_HERE = ("access to a peripheral register that is not emulated", "setting of a register that is not emulated")


def slot(address: int) -> int:
    """Where the interpreter counts an address of flash or SRAM: see `SLOTS`."""
    return address // 2 if address < FLASH_BYTES else FLASH_BYTES // 2 + 2 + (address - SRAM_BASE) // 2


SOURCES = tuple(CORE / f"{name}.c" for name in (
    "bus", "events", "rcc", "gpio", "afio", "exti", "debug", "usart", "timer", "adc", "dma", "systick", "pfic",
    "watchdog", "flash", "rom", "board", "rv32ec"))
"""Of the chip and the board around it."""
SCRIPT = tuple(f"script_{name}" for name in (
    "buffer", "make", "send", "hear", "advance", "go_on", "received", "power", "reset", "pin", "drive", "read", "write",
    "watch", "unwatch", "seen", "reason", "value"))
"""What a web page's script calls of it."""


class ChipFault(RuntimeError):
    """The firmware broke a rule of the silicon. `pc`, `address` and `reason` say which and where."""

    def __init__(self, reason: str, pc: int, address: int, where: str = ""):
        super().__init__(f"{reason} at pc {pc:#010x}{f' in {where}' if where else ''}, address {address:#010x}")
        self.reason, self.pc, self.address = reason, pc, address


class _State(ctypes.Structure):
    """The first part of `struct chip`."""

    _fields_ = (
        ("x", ctypes.c_uint32 * 16), ("pc", ctypes.c_uint32), ("fault", ctypes.c_uint32),
        ("fault_address", ctypes.c_uint32), ("cycles", ctypes.c_uint64), ("instructions", ctypes.c_uint64),
        ("lowest_sp", ctypes.c_uint32), ("clock_hz", ctypes.c_uint32), ("usart_brr", ctypes.c_uint32),
        ("receive", ctypes.c_char_p), ("receive_count", ctypes.c_uint32), ("receive_at", ctypes.c_uint32),
        ("transmit", ctypes.c_void_p),
        ("transmit_room", ctypes.c_uint32), ("transmit_count", ctypes.c_uint32), ("stages", ctypes.c_void_p),
        ("stage_of", ctypes.c_void_p), ("profile", ctypes.c_void_p), ("executed", ctypes.c_void_p),
        ("touched", ctypes.c_void_p), ("timed", ctypes.c_uint32), ("line_baud", ctypes.c_uint32),
        ("overruns", ctypes.c_uint32), ("in_boot", ctypes.c_uint32),
        ("analogue", ctypes.c_void_p), ("analogue_count", ctypes.c_uint32),
        ("analogue_hz", ctypes.c_uint32), ("analogue_start", ctypes.c_uint64), ("slept", ctypes.c_uint64),
        ("longest_awake", ctypes.c_uint64), ("converted_at", ctypes.c_uint64),
        ("reset_flags", ctypes.c_uint32), ("resets", ctypes.c_uint32),
        ("conversions", ctypes.c_uint32), ("dropped_triggers", ctypes.c_uint32),
        ("lowest_open_sp", ctypes.c_uint32), ("handler_stack", ctypes.c_uint32),
        ("said_count", ctypes.c_uint32), ("said", ctypes.c_uint8 * 256),
        ("departs", ctypes.c_int32 * len(assumptions.rows())),
        ("flash", ctypes.c_uint8 * FLASH_BYTES), ("sram", ctypes.c_uint8 * SRAM_BYTES),
        ("info", ctypes.c_uint8 * INFO_BYTES),
    )


@dataclass(frozen=True)
class Watch:
    """What a debugger keeps each time that execution comes to an address, before the instruction there."""

    at: int
    """Of the instruction, in flash or SRAM."""
    base: int = 0
    """A register, x0 .. x15. x0 is 0: with it the offset is the address."""
    offset: int = 0
    """The bytes lie at the register's value plus this."""
    count: int = 0
    """How many, at most 54; 0: the register itself, as 4 bytes."""


@dataclass(frozen=True)
class Seen:
    """What a watch saw once."""

    watch: int
    """Its number in the list."""
    cycle: int
    data: bytes
    """Empty where no memory was."""


class _Seen(ctypes.Structure):
    """`struct seen`."""

    _fields_ = (("cycle", ctypes.c_uint64), ("ticks", ctypes.c_uint64), ("watch", ctypes.c_uint8),
                ("count", ctypes.c_uint8), ("bytes", ctypes.c_uint8 * 54))


SEEN = 512
"""What the chip keeps of what its watches see, between two looks."""


def wasm(small: bool = False) -> Path:
    """The whole board as WebAssembly, for `pages/widgets/board.js`: it needs nothing from its host. small : rather than
    fast, for a page with little room"""
    return toolchain.build_wasm([CORE / "script.c", *SOURCES], SCRIPT, "board", "-Os" if small else "-O3")


def library() -> ctypes.CDLL:
    """The C, built and loaded: chip_ functions take a `Chip.address`, board_ ones a board (`board/virtual.py`)."""
    library = ctypes.CDLL(str(toolchain.build_host_library(SOURCES, optimise="-O3")))
    library.chip_size.restype = ctypes.c_size_t
    library.chip_run.argtypes = (ctypes.c_void_p, ctypes.c_uint64)
    library.chip_reset.argtypes = (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_uint32)
    library.chip_ticks.argtypes, library.chip_ticks.restype = (ctypes.c_void_p,), ctypes.c_uint64
    library.chip_power_on.argtypes = (ctypes.c_void_p,)
    library.chip_restart.argtypes = (ctypes.c_void_p, ctypes.c_uint32)
    library.chip_ticks_per_cycle.argtypes, library.chip_ticks_per_cycle.restype = (ctypes.c_void_p,), ctypes.c_uint64
    library.chip_watchdog.argtypes, library.chip_watchdog.restype = (ctypes.c_void_p,), ctypes.c_uint64
    library.chip_pin.argtypes = (ctypes.c_void_p, ctypes.c_uint32, ctypes.c_uint32)
    library.chip_csr.argtypes, library.chip_csr.restype = (ctypes.c_void_p, ctypes.c_uint32), ctypes.c_uint32
    library.chip_watch.argtypes = (ctypes.c_void_p, *(ctypes.c_uint32,) * 4)
    library.chip_unwatch.argtypes = (ctypes.c_void_p,)
    library.chip_seen.argtypes = (ctypes.c_void_p, ctypes.c_void_p)
    library.chip_unseen.argtypes = (ctypes.c_void_p,)
    library.chip_stack.argtypes = (ctypes.c_void_p,)
    library.chip_memory.argtypes = (ctypes.c_void_p, ctypes.c_uint32, ctypes.c_uint32)
    library.chip_memory.restype = ctypes.c_void_p
    library.chip_drive.argtypes = (ctypes.c_void_p, ctypes.c_uint32, ctypes.c_uint32, ctypes.c_int)
    return library


class Chip:
    """A CH32V003 with a flat binary in its flash, just after reset.

    image : bytes of flash from address 0, at most 16384 (else `UserError`).
    assuming : what no manual settles; by default `assumptions.assumed()`.
    baud : of the other side of the serial port, where bytes take time.
    """

    def __init__(self, image: bytes, assuming: Assumptions | None = None, baud: int = LINE_BAUD):
        if len(image) > FLASH_BYTES:
            raise UserError(f"the image has {len(image)} bytes, the flash {FLASH_BYTES}")
        self._library = library()
        self._memory = ctypes.create_string_buffer(self._library.chip_size())
        self.state = _State.from_buffer(self._memory)
        self.address = ctypes.addressof(self._memory)
        self._transmit = ctypes.create_string_buffer(4096)
        self.image, self.line_baud = image, baud
        self.assumptions = assuming if assuming is not None else assumptions.assumed()
        for i, row in enumerate(assumptions.rows()):
            self.state.departs[i] = self.assumptions[row.name] - row.value
        self.reset()

    def reset(self) -> None:
        """Power on: flash as loaded, option bytes as a WCH-Link leaves them, everything else as after a reset."""
        self.state.line_baud = self.line_baud
        self._library.chip_reset(self.address, self.image, len(self.image))
        self.state.transmit = ctypes.addressof(self._transmit)
        self.state.transmit_room = len(self._transmit)
        self.state.transmit_count = 0
        self._pending = b""

    def power_on(self) -> None:
        """Power off and on: flash and option bytes stay as they are."""
        self._library.chip_power_on(self.address)
        self._pending = b""

    def restart(self, cause: str) -> None:
        """Reset into the user's code. cause : 'pin', 'watchdog', or 'software', as the ROM bootloader ends."""
        self._library.chip_restart(self.address, RESETS[cause])

    def watchdog_left(self) -> float:
        """Seconds until the watchdog resets the chip unless it is fed; infinite where it does not run."""
        left = self._library.chip_watchdog(self.address)
        return math.inf if left == NEVER else left / (TICKS_PER_SECOND << TICK_BITS)

    def take_time(self, timed: bool = True) -> None:
        """Let serial bytes take the time of their ten bits; polling and sleeping then pass time instead of stopping."""
        self.state.timed = timed

    def connect_microphone(self, volts: np.ndarray, rate_hz: int, waits: bool = False) -> None:
        """Lay a signal on the analogue inputs, from now on; behind its end they hold half the supply.

        waits : it begins when the ADC next samples, not now.

        volts : uint16 [n], 0 .. 65535 for 0 V .. supply, at rate_hz; between them the ADC sees straight lines, so give
        several times the rate at which it samples. The ADC makes 10 bits of it.
        """
        if volts.dtype != np.uint16 or volts.ndim != 1:
            raise UserError(f"a microphone's signal is uint16 [n], not {volts.dtype} {list(volts.shape)}")
        self._volts = np.ascontiguousarray(volts)
        self.state.analogue_count, self.state.analogue_hz = len(volts), rate_hz
        self.state.analogue_start = NEVER if waits else self._library.chip_ticks(self.address)
        self.state.analogue = self._volts.ctypes.data

    def heard_at(self, cycles: np.ndarray) -> np.ndarray:
        """When in the microphone's signal these cycles are, in 1/48 us; int64 [n], of the clock as it is now."""
        now, per_cycle = self._library.chip_ticks(self.address), self._library.chip_ticks_per_cycle(self.address)
        return now - self.state.analogue_start + (cycles - self.state.cycles) * per_cycle >> TICK_BITS

    @property
    def seconds(self) -> float:
        """Time since power on, whatever the clock was."""
        return self._library.chip_ticks(self.address) / (TICKS_PER_SECOND << TICK_BITS)

    @property
    def cycles(self) -> int:
        """Clock cycles since reset."""
        return self.state.cycles

    @property
    def instructions(self) -> int:
        """Instructions since reset."""
        return self.state.instructions

    @property
    def baud(self) -> float:
        """Bits a second of the serial port as the firmware set it, from the clock and USART1_BRR; 0 before it did."""
        return self.state.clock_hz / self.state.usart_brr if self.state.usart_brr else 0.0

    @property
    def stack_bytes(self) -> int:
        """Deepest stack so far: the lowest value that the stack pointer took, or could have taken, had the interrupt
        with the most demanding handler come at the worst moment."""
        return self._library.chip_stack(self.address)

    def pin(self, name: str) -> bool | None:
        """Whether an output is high now, by its name, such as 'PD0'; None where the pin is no output. Of peripherals it
        knows the serial port, the timers' channels and the clock."""
        level = self._library.chip_pin(self.address, "ACD".index(name[1]), int(name[2]))
        return None if level < 0 else bool(level)

    def drive(self, name: str, high: bool | None) -> None:
        """Drive a pin from outside, by its name; None lets go of it."""
        level = -1 if high is None else int(high)
        self._library.chip_drive(self.address, "ACD".index(name[1]), int(name[2]), level)

    def watch(self, watches: Sequence[Watch]) -> None:
        """Keep from now on what these see, in place of all watches before; `seen` reads it. They cost the chip nothing.

        Raises `UserError` for more than 8, or where nothing can be executed or kept.
        """
        self._library.chip_unwatch(self.address)
        for watch in watches:
            if self._library.chip_watch(self.address, watch.at, watch.base, watch.offset, watch.count) < 0:
                raise UserError(f"cannot watch {watch}: of at most 8, each has an address of code, and up to 54 bytes")

    def seen(self) -> list[Seen]:
        """What the watches saw since the last call. Raises `UserError` where that was more than `SEEN` times."""
        rows = (_Seen * SEEN)()
        count = self._library.chip_seen(self.address, rows)
        if lost := self._library.chip_unseen(self.address):
            raise UserError(f"the watches saw {SEEN + lost} places since they were asked: ask more often")
        return [Seen(row.watch, row.cycle, bytes(row.bytes[: row.count])) for row in rows[:count]]

    def said(self) -> bytes:
        """What the program said to its debugger since the last call, as ch32fun's print does."""
        text, self.state.said_count = bytes(self.state.said[: self.state.said_count]), 0
        return text

    def registers(self) -> list[int]:
        """x0 .. x15."""
        return list(self.state.x)

    def control_registers(self) -> dict[str, int]:
        """{name: value} of those in `registers.CONTROL`."""
        return {name: self._library.chip_csr(self.address, number) for name, number in registers.CONTROL.items()}

    def read_memory(self, address: int, count: int) -> bytes:
        """Bytes of SRAM, flash, or vendor and option bytes, as a debugger sees them."""
        if at := self._library.chip_memory(self.address, address, count):
            return ctypes.string_at(at, count)
        raise UserError(f"no memory at {address:#x} .. {address + count:#x}")

    def send(self, data: bytes) -> None:
        """Put bytes into the serial port's receiver, behind what still waits there."""
        self._pending = self._pending[self.state.receive_at :] + data
        self.state.receive, self.state.receive_count, self.state.receive_at = self._pending, len(self._pending), 0

    def received(self) -> bytes:
        """What the chip has sent since the last call."""
        sent = self._transmit.raw[: self.state.transmit_count]
        self.state.transmit_count = 0
        return sent

    def run(self, max_cycles: int = RUNAWAY_CYCLES) -> str:
        """Run until something happens: 'transmit' (a byte was sent), 'starved' (it polls an empty receiver, or sleeps
        until a byte comes), 'break', 'boot' (a reset entered the boot area) or 'budget' (max_cycles went by). Where
        serial bytes take time, only the last three. A broken rule raises `ChipFault`."""
        stop = STOPS[self._library.chip_run(self.address, self.state.cycles + max_cycles)]
        if stop == "fault":
            raise self.fault()
        return stop

    def fault(self) -> ChipFault:
        """The rule that was broken last."""
        reason, address = FAULTS[self.state.fault], self.state.fault_address
        if name := registers.name_of(address):
            reason += f" ({name})"
        if reason.startswith(NOT_HERE):
            reason += "; tinyspeech/chip/core has what is, a file a peripheral,"
        return ChipFault(reason, self.state.pc, address)

    def start_profile(self, stages: dict[int, int] | None = None) -> None:
        """Count cycles and instructions by address from now on; `profile()` and `executed()` read them.

        stages : {address of a function: number 1 .. 255}; what such a function calls is counted as its own, unless it
        begins another stage. `stage_cycles()` reads them; 0 is everything else.
        """
        self._profile, self._executed = np.zeros(SLOTS, np.uint64), np.zeros(SLOTS, np.uint64)
        self.state.profile, self.state.executed = self._profile.ctypes.data, self._executed.ctypes.data
        self._stage_of, self._stages = np.zeros(SLOTS, np.uint8), np.zeros(256, np.uint64)
        for address, number in (stages or {}).items():
            self._stage_of[slot(address)] = number
        self.state.stage_of, self.state.stages = self._stage_of.ctypes.data, self._stages.ctypes.data

    def stage_cycles(self) -> np.ndarray:
        """Cycles per stage since `start_profile`; uint64 [256]."""
        return self._stages.copy()

    def watch_sram(self, stages: dict[int, int] | None = None) -> None:
        """Note from now on what is done to each byte of SRAM; `touched()` reads it. Starts a profile as well."""
        self.start_profile(stages)
        self._touched = np.zeros(SRAM_BYTES, np.uint8)
        self.state.touched = self._touched.ctypes.data

    def touched(self) -> np.ndarray:
        """What was done to each byte of SRAM since `watch_sram` or the last call: `READ`, `WRITTEN` and `BY_DMA`, added
        up; uint8 [2048]."""
        touched = self._touched.copy()
        self._touched[:] = 0
        return touched

    def profile(self) -> np.ndarray:
        """Cycles per halfword since `start_profile`: flash from index 0, SRAM from 8194; uint64 [`SLOTS`]."""
        return self._profile.copy()

    def executed(self) -> np.ndarray:
        """Instructions per halfword since `start_profile`, as in `profile`; uint64 [`SLOTS`]."""
        return self._executed.copy()
