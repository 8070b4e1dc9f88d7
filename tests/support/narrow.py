"""Networks that leave the firmware room to teach: one that was trained so, and others by cutting the shipped one."""

import copy
import functools

from tinyspeech import toolchain
from tinyspeech.integer.header import c_header
from tinyspeech.integer.network import IntegerModel
from tinyspeech.paths import SHIPPED, TEACHES_ITSELF, model_file

TEACHES = 36
"""The widest middle beside which the firmware has room to teach."""


@functools.cache
def narrow(width: int = TEACHES) -> IntegerModel:
    """Of each block the first so many values of its middle."""
    model = copy.deepcopy(IntegerModel.load(model_file(SHIPPED, ".npz")))
    for layer in model.layers:
        if layer.name.endswith("_expand"):
            for name in ("weight", "bias", "multiplier", "shift"):
                setattr(layer, name, getattr(layer, name)[:width])
        elif layer.name.endswith("_project"):
            layer.weight = layer.weight[:, :width]
    return model


@functools.cache
def teaching() -> IntegerModel:
    """The network that was trained for it."""
    return IntegerModel.load(model_file(TEACHES_ITSELF, ".npz"))


def teaching_image() -> bytes:
    """The firmware that teaches."""
    return toolchain.build_firmware(toolchain.firmware_with(c_header(teaching()))).bin.read_bytes()
