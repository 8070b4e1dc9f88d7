"""The networks that the chip runs in its numbers: steps whose ratios are 8-bit multipliers and shifts (chapter 7).

`snap` takes a trained network's steps and biases to such numbers; `wiring` says which layer's output is whose input,
for this and for `lower.py`, which then reads the integers off.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from tinyspeech.integer.network import MAX_SHIFT, SCORE_SHIFT
from tinyspeech.lowbit.grids import GATE_STEP, INPUT_STEP
from tinyspeech.networks.streaming import CausalConv, StreamingCondenser, TinySpeechS

LARGEST_BIAS = 1950
"""In accumulator units: the firmware stores 12 bits, and the coarsest multiplier is off by 3 %."""


def wiring(model: TinySpeechS) -> list[tuple[str, CausalConv, float, float]]:
    """Every convolution of a prepared network in order, but for the classifier: (name, module, step in, step out)."""
    stream = model.stem.output_quantizer.step.item()
    rows = [("stem", model.stem, INPUT_STEP, stream)]
    for i, block in enumerate(model.blocks):
        middle, wide = block.depthwise.output_quantizer.step.item(), block.expand.output_quantizer.step.item()
        rows += [
            (f"block{i}_depthwise", block.depthwise, stream, middle),
            (f"block{i}_expand", block.expand, middle, wide),
            (f"block{i}_project", block.project, wide, stream),
        ]
        gate = block.condenser
        if isinstance(gate, StreamingCondenser):
            squeezed = gate.squeeze.output_quantizer.step.item()
            rows += [
                (f"block{i}_squeeze", gate.squeeze, stream, squeezed),
                (f"block{i}_excite", gate.excite, squeezed, GATE_STEP),
            ]
    head = model.head.output_quantizer.step.item()
    rows.append(("head", model.head, stream, head))
    if model.condenser is not None:
        squeezed = model.condenser.squeeze.output_quantizer.step.item()
        rows += [("frames_squeeze", model.condenser.squeeze, head, squeezed),
                 ("frames_excite", model.condenser.excite, squeezed, GATE_STEP)]
    return rows


def multiplier_and_shift(ratio: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The 8-bit form of positive ratios, of any shape: multiplier / 2**shift with multiplier 128 .. 255, off by 0.4 %
    at most. A ratio below 2**-8 has the multiplier that is next to it at the firmware's largest shift, 1 at least."""
    exponent = np.maximum(np.floor(np.log2(ratio)).astype(int), 7 - MAX_SHIFT)  # ratio = f * 2**exponent, f < 2
    multiplier = np.maximum(np.floor(ratio / 2.0**exponent * 128 + 0.5).astype(int), 1)
    shift = 7 - exponent
    return np.where(multiplier > 255, 128, multiplier), np.where(multiplier > 255, shift - 1, shift)


@torch.no_grad()
def move(conv: CausalConv, step: Tensor, coarser: Tensor) -> None:
    """Give a convolution's weights another step, in place: the whole numbers stay, but where it is much `coarser`."""
    whole = torch.round(conv.weight_quantizer(conv.weight) / conv.weight_quantizer.step)
    conv.weight_quantizer.set(step)
    conv.weight.copy_(torch.where(coarser, conv.weight, whole * conv.weight_quantizer.step))


@torch.no_grad()
def snap(model: TinySpeechS) -> None:
    """Move every weight step and bias to the nearest value that the chip can hold, in place. `quant.finish` does it, to
    a network that is in double precision, with its steps written down and without batch norm.

    After this the network computes what `tinyspeech/integer/network.py` does: ratios of steps are multiplier /
    2**shift, biases are whole accumulator units, and doubles tell every tie. Weights keep their places on the grid:
    training leaves many near the middle between two (Nagel et al. 2022), and a step that moves by a hair would send
    them across.
    """
    for _, conv, step_in, step_out in wiring(model):
        quantizer = conv.weight_quantizer
        # a channel that lives on its bias may have a step too small for the chip's numbers
        least = torch.clamp(conv.bias.abs()[:, None, None] / (LARGEST_BIAS * step_in),
                            min=2.0**-11 * step_out / step_in)
        ratio = (torch.maximum(quantizer.step, least) * step_in / step_out).cpu().numpy()
        multiplier, shift = multiplier_and_shift(ratio)
        move(conv, torch.from_numpy(multiplier / 2.0**shift * step_out / step_in), quantizer.step < least)
        unit = quantizer.step.reshape(-1) * step_in
        conv.bias.copy_(torch.floor(conv.bias / unit + 0.5) * unit)
    step = model.classifier.weight_quantizer.step
    largest = step.max()
    multiplier = torch.floor(step / largest * 255 + 0.5)
    unit = model.head.output_quantizer.step * largest / 255
    least = torch.ceil(model.classifier.bias.abs()[:, None, None] / (LARGEST_BIAS * unit)).clamp(1, 255)  # as above
    move(model.classifier, torch.maximum(multiplier, least) * largest / 255, multiplier < least)
    unit = model.classifier.weight_quantizer.step.reshape(-1) * model.head.output_quantizer.step
    model.classifier.bias.copy_(torch.floor(model.classifier.bias / unit + 0.5) * unit)
    if model.condenser is not None:
        model.condenser.readout_quantizer.unit.copy_(model.head.output_quantizer.step * largest / 255 * 2**SCORE_SHIFT)
