"""What Python takes for the layout of the C's structures, and for its numbers, is what the compiler makes of them.

Compiled for the machine on which Python relies on it: this computer, the chip, or WebAssembly. Mirrors that only a test
has are tested where they are: test_decision.py, test_integer_properties.py.
"""

import ctypes
import re

import pytest

from tinyspeech import CLASSES, paths, toolchain
from tinyspeech.board import rom, virtual
from tinyspeech.chip import emulator, native
from tinyspeech.errors import UserError
from tinyspeech.integer import frontend, plan
from tinyspeech.measure import speed

ALIKE = pytest.mark.parametrize("target", [(), toolchain.RV32EC], ids=["here", "chip"])
"""A structure without pointers lies the same on both, and Python relies on that."""
CHIP_H = emulator.CORE / "chip.h"
BOARD_JS = (paths.ROOT / "tinyspeech" / "pages" / "widgets" / "board.js").read_text("utf-8")


def test_the_interpreters_state(layout):
    numbers = layout.of("chip", emulator._State)
    assert len(numbers) > 70
    layout.check(CHIP_H, numbers)


def test_the_interpreters_numbers(layout):
    """Of the memories, of what the program did to them, and the names for why it stopped."""
    names = ("FLASH_BYTES", "SRAM_BYTES", "SRAM_BASE", "INFO_BASE", "INFO_BYTES", "SLOTS", "NEVER")
    numbers = {name: f"{getattr(emulator, name)}u" for name in names} | {"NEVER": f"{emulator.NEVER}ull"}
    numbers |= {f"RESET_{name.upper()}": value for name, value in emulator.RESETS.items()}
    numbers |= {"TOUCHED_READ": emulator.READ, "TOUCHED_WRITTEN": emulator.WRITTEN, "TOUCHED_DMA": emulator.BY_DMA}
    numbers |= {"RUNNING": 0} | {f"STOP_{stop.upper()}": i for i, stop in enumerate(emulator.STOPS) if i}
    numbers |= {"FAULT_FLASH_BUSY + 1": len(emulator.FAULTS), "STOP_BOOT + 1": len(emulator.STOPS)}
    numbers |= {"FLASH_ALIAS": toolchain.FLASH_ALIAS}
    layout.check(CHIP_H, numbers)


def test_the_boards_numbers(layout):
    """Of the ROM bootloader, whose language Python has as well, and of what the board says to Python and the page."""
    codes = ("IDENTIFY", "END", "KEY", "ERASE", "PROGRAM", "VERIFY", "READ_CONFIG", "WRITE_CONFIG", "OK",
             "BAD_PASSPHRASE", "MISMATCH", "REFUSED", "FAMILY")
    seconds = {"PROGRAM": rom.PROGRAM_S, "ERASE": rom.ERASE_S, "TIMEOUT": rom.TIMEOUT_S}
    numbers = {f"ROM_{name}": getattr(rom, name) for name in codes}
    numbers |= {f"ROM_{name}_TICKS": f"{round(value * virtual.TICKS)}ull" for name, value in seconds.items()}
    numbers |= {"PAGE_BYTES": rom.PAGE_BYTES, "UNIQUE_AT": rom.INFO_UNIQUE_ID, "LINE_BAUD": f"{emulator.LINE_BAUD}u",
                "TICKS_PER_SECOND": f"{virtual.TICKS}ull", "BOARD_STARVED": virtual.STARVED, "BOARD_FULL": virtual.FULL,
                "HEARD_TICKS * HEARD_HZ": f"{virtual.TICKS}ull"}
    layout.check(CHIP_H.with_name("board.h"), numbers)


def test_what_watches_see(layout):
    """For Python, and for the page's script."""
    numbers = layout.of("seen", emulator._Seen) | {"SEEN": emulator.SEEN}
    assert ctypes.sizeof(emulator._Seen) == int(re.search(r"SEEN_BYTES = (\d+)", BOARD_JS)[1])
    layout.check(CHIP_H, numbers)
    layout.check(CHIP_H, numbers, "-target", "wasm32-freestanding")


def test_the_offsets_in_the_script_that_measures_webassembly(layout):
    offsets = dict(zip(("receive", "receive_count", "instructions"),
                       map(int, re.findall(r"chip \+ (\d+)", speed.NODE)), strict=True))
    layout.check(CHIP_H, {f"offsetof(struct chip, {name})": at for name, at in offsets.items()},
                 "-target", "wasm32-freestanding")


@ALIKE
def test_the_state_of_the_front_end(layout, target):
    """`Native.stream` keeps it in so many bytes, and chapter 8 counts them."""
    layout.check(paths.FIRMWARE / "frontend.h", {
        "sizeof(struct frontend_stream)": frontend.FrontendStream.STATE_BYTES,
        "sizeof(((struct frontend_stream *)0)->ring)": 2 * frontend.WINDOW}, *target)


@ALIKE
def test_the_work_buffer_holds_the_networks_scratch(layout, target):
    """What `Native` gives the network to work in, and `export` lets a network need."""
    layout.check(paths.FIRMWARE / "network.h", {
        f"(MODEL_SCRATCH_BYTES <= {plan.WORK_BYTES})": 1, "MODEL_CLASSES": len(CLASSES)}, *target)
    assert ctypes.sizeof(native.Native()._scratch) == plan.WORK_BYTES


def test_a_wrong_layout_is_found(layout):
    class Stream(ctypes.Structure):
        _fields_ = (("missing", ctypes.c_uint16), ("at", ctypes.c_uint16), ("ring", ctypes.c_int16 * 256))

    with pytest.raises(UserError, match=r"missing\) is not 0"):
        layout.check(paths.FIRMWARE / "frontend.h", layout.of("frontend_stream", Stream))
