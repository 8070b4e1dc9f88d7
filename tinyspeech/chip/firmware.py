"""The firmware from outside: its sources with another network in them, and what of it can be watched while it runs."""

from __future__ import annotations

import re
from pathlib import Path

from tinyspeech import paths, toolchain
from tinyspeech.chip import trace
from tinyspeech.chip.emulator import Watch
from tinyspeech.errors import UserError
from tinyspeech.integer import frontend
from tinyspeech.integer.header import c_header
from tinyspeech.integer.network import IntegerModel
from tinyspeech.paths import FIRMWARE


def firmware_folder(model: IntegerModel) -> Path:
    """The folder of the firmware that holds this network: the shipped one, or a copy of its sources with another
    `model.h` among the builds. Raises `UserError` for a network that the firmware cannot hold."""
    return paths.FIRMWARE if exported_hash() == model.digest else toolchain.firmware_with(c_header(model))


def exported_hash(firmware: Path = FIRMWARE) -> str:
    """The hash of the network in `model.h`; `UserError` where nothing has been exported."""
    try:
        return re.search(r'#define MODEL_HASH "(\w+)"', (firmware / "model.h").read_text("utf-8")).group(1)
    except (OSError, AttributeError) as error:
        raise UserError("firmware/model.h is missing or foreign: run `python -m tinyspeech export` first") from error


def frame_watches(elf: Path) -> dict[str, Watch]:
    """What to watch in our firmware while it listens, to see each frame of it unchanged (`Chip.watch`).

    elf : with symbols, as `toolchain.build_firmware` gives it

    Returns {"coefficients": int8 [12] of each frame of 20 ms, "sums": int32 [12] behind each frame that has scores, the
    weighed and leaking sums of the decision, "weight": that frame's own, int32 1 .. 129}.
    Raises `UserError` for a program that has no such functions, or other ones.
    """
    functions = {name: (start, end) for start, end, name in toolchain.function_addresses(elf)}
    memory = {name: (start, end) for start, end, name in toolchain.ram_objects(elf)}
    try:
        start, end = functions["kernel_weighed_scores"]
        sums, sums_end = memory["network.sums.sums"]
        frame = functions["network_frame"][0]
    except KeyError as missing:
        raise UserError(f"{elf.name} has no {missing.args[0]}: it is no firmware of ours that listens") from missing
    code = trace.disassemble(toolchain.flat_image(elf)[start:end], start)
    behind = [i.address for i in code if i.text == "c.addi sp, 8"]  # what it kept for itself is no longer needed
    if len(behind) != 1:
        raise UserError(f"{elf.name} adds its scores up another way: it cannot be watched")
    a0, sp = trace.REGISTERS.index("a0"), trace.REGISTERS.index("sp")
    return {"coefficients": Watch(frame, a0, 0, frontend.N_COEFFICIENTS),
            "sums": Watch(behind[0], 0, sums, sums_end - sums), "weight": Watch(behind[0], sp, 0, 4)}
