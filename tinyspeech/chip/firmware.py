"""The firmware's sources with another network in them: a folder that the toolchain can build."""

from __future__ import annotations

import re
from pathlib import Path

from tinyspeech import paths, toolchain
from tinyspeech.errors import UserError
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
