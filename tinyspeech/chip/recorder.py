"""RAM and processor over time: which bytes are read and written, and what the chip is busy with (chapter 10).

    recording = record(board.chip, elf, {"frontend_frame": "front end"}, steps=100, step_cycles=2400)

The emulated chip notes each load and store while it runs; nothing is sampled, and every run gives the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tinyspeech import toolchain
from tinyspeech.chip.emulator import SRAM_BYTES, Chip
from tinyspeech.errors import UserError
from tinyspeech.toolchain.elf import SRAM_BASE

ROLES = {
    "work": "work buffer", "ring": "ring of samples", "conversions": "converter's numbers", "state": "histories",
    "between": "between bursts", "words": "taught words",
    **dict.fromkeys(("sums", "weight", "refractory", "window"), "sums"),
    **dict.fromkeys(("at", "missing", "lost", "serial", "due", "ended", "command", "leaks", "phase", "waiting_bytes",
                     "holds", "alone", "mean"), "counters"),
}
"""What chapter 10 calls the firmware's variables, and members of structures; any other keeps its name."""


@dataclass(frozen=True)
class Recording:
    """What happened in equal steps of time."""

    step_cycles: int
    """Length of a step, in clock cycles."""
    touched: np.ndarray
    """uint8 [steps, 2048]: `READ`, `WRITTEN` and `BY_DMA`, added up, of each byte of SRAM."""
    busy: dict[str, np.ndarray]
    """{stage: int64 [steps]}, cycles; with `other`, and `asleep`. They add up to what the steps lasted."""


def record(chip: Chip, elf: Path, functions: Mapping[str, str], steps: int, step_cycles: int) -> Recording:
    """Run the chip on and write down what it does.

    functions : {name in the firmware: stage}; what they call counts as theirs (`Chip.start_profile`).

    Raises `UserError` where the firmware has no such function of its own, and where the chip does not go on.
    """
    addresses = {name: start for start, _, name in toolchain.function_addresses(elf)}
    missing = [name for name in functions if name not in addresses]
    if missing:
        raise UserError(f"the firmware has no function {missing[0]} of its own: stages cannot be told apart")
    names = [*dict.fromkeys(functions.values())]
    chip.watch_sram({addresses[function]: 1 + names.index(stage) for function, stage in functions.items()})
    touched = np.zeros((steps, SRAM_BYTES), np.uint8)
    cycles = np.zeros((steps, 2 + len(names)), np.int64)  # other, the stages, asleep
    began, before, slept = chip.cycles, np.zeros(1 + len(names), np.int64), chip.state.slept
    for i in range(steps):
        while (left := began + (i + 1) * step_cycles - chip.cycles) > 0:
            if (stop := chip.run(left)) not in ("budget", "transmit"):
                raise UserError(f"the chip came to a stop ({stop}) in step {i} of {steps}")
        now = chip.stage_cycles()[: 1 + len(names)].astype(np.int64)
        touched[i], cycles[i, :-1], cycles[i, -1] = chip.touched(), now - before, chip.state.slept - slept
        before, slept = now, chip.state.slept
    return Recording(step_cycles, touched, dict(zip(("other", *names, "asleep"), cycles.T, strict=True)))


def regions(elf: Path, stack_bytes: int, roles: Mapping[str, str] = ROLES) -> list[tuple[int, int, str]]:
    """(start, end, name) of all 2,048 bytes of SRAM, by address: every variable as the linker placed it, the stack as
    deep as it was measured, and between them what was `never used`. Bytes that nobody has, between variables and up to
    where the linker's last section ends, are `padding`.

    roles : {variable or member: a name for readers}; neighbours of one name are one region.

    Raises `UserError` where variables and stack do not fit together.
    """
    found: list[tuple[int, int, str]] = []
    sizes, at = toolchain.sizes(elf), SRAM_BASE
    top, used = SRAM_BASE + SRAM_BYTES, SRAM_BASE + sizes["data_bytes"] + sizes["bss_bytes"]
    for start, end, name in [*toolchain.ram_objects(elf), (used, used, "")]:
        if at < start:
            found.append((at, start, "padding"))
        at, name = end, roles.get(name, roles.get(name.split(".")[-1], name))
        if found and found[-1][2] == name:
            start = found.pop()[0]
        if start < end:
            found.append((start, end, name))
    if used > top - stack_bytes:
        raise UserError(f"{used - SRAM_BASE} bytes of variables and {stack_bytes} of stack do not fit {SRAM_BYTES}")
    return [*found, (used, top - stack_bytes, "never used"), (top - stack_bytes, top, "stack")]
