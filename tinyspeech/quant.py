"""Quantisation-aware training: learned steps, straight-through rounding, batch norm folded (chapter 5).

`prepare(model, bits)` turns a trained float TinySpeech-S into the same network on a grid: 4-bit weights with a step per
output channel, 8-bit activations with a step per tensor, the condenser's gate in the fixed-point form of
`tinyspeech/integer.py`. Training goes on from there; gradients pass every rounding as if it were not there. Batch norm
stays in place meanwhile: it follows rounded weights, and its gain is one factor per output channel, as the step is.
`snap` folds it into steps and biases in the end, which alters no weight of the grid.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from tinyspeech.errors import UserError
from tinyspeech.frontend import UNITS_PER_STD
from tinyspeech.integer import SCORE_SHIFT
from tinyspeech.streaming import LEAST_WEIGHT, CausalConv, StreamingCondenser, TinySpeechS

GATE_STEP = 1 / 16
"""Step of the sigmoid's int8 argument: the table covers -8 .. 8."""
INPUT_STEP = 1 / UNITS_PER_STD
"""Step of the int8 features: 32 units are one standard deviation."""
SIGMOID_BITS = 7
"""Fraction bits of the sigmoid's table and of the finished gate."""
SCALE_BITS = 5
"""Fraction bits of the condenser's int8 scale S: -4 .. 4."""


def round_half_up(x: Tensor) -> Tensor:
    """floor(x + 1/2), the chip's rounding, with the straight-through gradient of 1 (Bengio et al. 2013).

    The billionth decides ties in double precision, where x is a quotient that may fall a hair short of a half.
    """
    return x + (torch.floor(x + (0.5 + 1e-9)) - x).detach()


class _OnGrid(torch.autograd.Function):
    """step * round(clamp(x / step, low, high)) with the gradients of LSQ in one pass over the tensor, not eleven.

    Without LSQ's factor on the step's gradient: Adam divides every gradient by its own size.
    """

    @staticmethod
    def forward(ctx, x: Tensor, step: Tensor, low: int, high: int) -> Tensor:
        ratio = x / step
        inside = (ratio >= low) & (ratio <= high)
        whole = round_half_up(ratio.clamp(low, high))
        ctx.save_for_backward(inside, torch.where(inside, whole - ratio, whole))
        ctx.shape = step.shape
        return whole * step

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor | None, ...]:
        inside, slope = ctx.saved_tensors
        return gradient * inside, (gradient * slope).sum_to_size(ctx.shape), None, None


class LearnedStep(nn.Module):
    """LSQ (Esser et al. 2020): y = step * round(clamp(x / step, low, high)), with a trained step per tensor or channel.

    What is trained is the step's logarithm: an optimiser that moves every number by about its learning rate, as Adam
    does, then changes a step by a share of itself, however small it is, and cannot take it across zero.
    """

    def __init__(self, low: int, high: int, channels: int = 0):
        super().__init__()
        self.low, self.high = low, high
        self.log2_step = nn.Parameter(torch.zeros((channels, 1, 1) if channels else ()))

    @property
    def step(self) -> Tensor:
        """The grid's step, positive: [channels, 1, 1] or a scalar."""
        return torch.exp2(self.log2_step)

    @torch.no_grad()
    def set(self, step: Tensor | float) -> None:
        """Take these steps, of the parameter's shape or one for all; none becomes smaller than 1e-9."""
        self.log2_step.copy_(torch.log2(torch.as_tensor(step).clamp(min=1e-9)))

    @torch.no_grad()
    def fit(self, x: Tensor) -> None:
        """Set the step that loses least: the clipping point with the smallest mean squared error, of 60 tried."""
        flat = x.reshape(self.log2_step.numel(), -1)
        peak = flat.abs().amax(1, keepdim=True).clamp(min=1e-5)
        best, best_error = peak / self.high, torch.full_like(peak, torch.inf)
        for fraction in torch.linspace(0.2, 1.0, 60, device=x.device):
            step = peak * fraction / self.high
            error = (torch.clamp(torch.round(flat / step), self.low, self.high) * step - flat).square().mean(1, True)
            best, best_error = torch.where(error < best_error, step, best), torch.minimum(error, best_error)
        self.set(best.reshape(self.log2_step.shape))

    def forward(self, x: Tensor) -> Tensor:
        return _OnGrid.apply(x, self.step, self.low, self.high)


class FixedStep(nn.Module):
    """The same grid with a step that is written down, not learned."""

    def __init__(self, low: int, high: int, step: float):
        super().__init__()
        self.low, self.high, self.step = low, high, step

    def forward(self, x: Tensor) -> Tensor:
        return round_half_up(torch.clamp(x / self.step, self.low, self.high)) * self.step


class StreamStep(LearnedStep):
    """The residual stream's step, shared by all that is added to it. Signed; a ReLU before it leaves 0 .. 127."""

    def __init__(self):
        super().__init__(-128, 127)


class GateQuantizer(nn.Module):
    """sigmoid and S as the chip holds them: table in Q7, S in Q5, their product rounded to Q7."""

    def forward(self, gate: Tensor, scale: Tensor) -> Tensor:
        table = round_half_up(gate * 2**SIGMOID_BITS) / 2**SIGMOID_BITS
        s = round_half_up(torch.clamp(scale * 2**SCALE_BITS, -128, 127)) / 2**SCALE_BITS
        return round_half_up(table * s * 2**SIGMOID_BITS) / 2**SIGMOID_BITS


class ReadoutQuantizer(nn.Module):
    """The weighted average as the chip computes it: weights in Q7, scores in whole units, one division rounded down.

    `unit` is the scores' unit and 0 until `snap` knows it; until then only the weights are rounded.
    """

    def __init__(self):
        super().__init__()
        self.register_buffer("unit", torch.zeros(()))

    def forward(self, scores: Tensor, weights: Tensor) -> Tensor:
        """Scores [B, T, classes], weights [B, T, 1] -> [B, classes]."""
        q7 = round_half_up((weights - LEAST_WEIGHT) * 2**SIGMOID_BITS) + LEAST_WEIGHT * 2**SIGMOID_BITS
        if not self.unit:
            return (scores * q7).sum(1) / q7.sum(1)
        whole = round_half_up(scores / self.unit)
        return torch.floor((whole * q7).sum(1) / q7.sum(1)) * self.unit


def prepare(model: TinySpeechS, weight_bits: int = 4) -> TinySpeechS:
    """Attach quantisers, in place. Steps are 1 until `calibrate` (or a checkpoint) sets them.

    Raises `UserError` for weight_bits outside 2 .. 8.
    """
    if not 2 <= weight_bits <= 8:
        raise UserError(f"weight bits must be 2 to 8, not {weight_bits}")
    limit = 2 ** (weight_bits - 1) - 1
    for module in model.modules():
        if isinstance(module, CausalConv):
            module.weight_quantizer = LearnedStep(-limit, limit, module.weight.shape[0])
            module.output_quantizer = LearnedStep(-128, 127)
    stream = StreamStep()
    model.stem.output_quantizer = stream
    for block in model.blocks:
        block.project.output_quantizer = stream
        block.output_quantizer = stream
        if isinstance(block.condenser, StreamingCondenser):
            block.condenser.excite.output_quantizer = FixedStep(-128, 127, GATE_STEP)
            block.condenser.gate_quantizer = GateQuantizer()
    model.classifier.output_quantizer = nn.Identity()  # logits stay int32
    if model.condenser is not None:
        model.condenser.excite.output_quantizer = FixedStep(-128, 127, GATE_STEP)
        model.condenser.readout_quantizer = ReadoutQuantizer()
    return model


@torch.no_grad()
def calibrate(model: TinySpeechS, features: Tensor) -> None:
    """Set every learned step: weights by their values, activations by what `features` [B, T, 12] make of each layer."""
    for module in model.modules():
        if isinstance(module, CausalConv):
            module.weight_quantizer.fit(module.weight)
    seen: dict[LearnedStep, list[Tensor]] = {}
    owners = [m for m in model.modules() if isinstance(getattr(m, "output_quantizer", None), LearnedStep)]
    quantizers = {m.output_quantizer for m in owners}
    hooks = [
        q.register_forward_hook(lambda q, args, out: (seen.setdefault(q, []).append(args[0].flatten()), args[0])[1])
        for q in quantizers
    ]
    model(features)
    for hook in hooks:
        hook.remove()
    for quantizer, values in seen.items():
        quantizer.fit(torch.cat(values))


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
    """The 8-bit form of positive ratios, multiplier / 2**shift with multiplier 128 .. 255: off by 0.4 % at most."""
    exponent = np.floor(np.log2(ratio)).astype(int)  # ratio = f * 2**exponent, 1 <= f < 2
    multiplier = np.floor(ratio / 2.0**exponent * 128 + 0.5).astype(int)
    shift = 7 - exponent
    return np.where(multiplier > 255, 128, multiplier), np.where(multiplier > 255, shift - 1, shift)


def fold(model: nn.Module) -> None:
    """Make every batch norm part of its convolution, in place."""
    for module in model.modules():
        if isinstance(module, CausalConv):
            module.fold()


@torch.no_grad()
def snap(model: TinySpeechS) -> None:
    """Fold batch norm, then move every weight step and bias to the nearest value that the chip can hold, in place, in
    double precision.

    After this the network computes what `integer.py` computes: ratios of steps are multiplier / 2**shift, biases are
    whole accumulator units, and doubles tell every tie.
    """
    model.double()
    fold(model)
    for _, conv, step_in, step_out in wiring(model):
        quantizer = conv.weight_quantizer
        # a channel that lives on its bias may have a step too small for the chip's numbers
        least = torch.clamp(conv.bias.abs()[:, None, None] / (32000 * step_in), min=2.0**-16 * step_out / step_in)
        ratio = (torch.maximum(quantizer.step, least) * step_in / step_out).cpu().numpy()
        multiplier, shift = multiplier_and_shift(ratio)
        quantizer.set(torch.from_numpy(multiplier / 2.0**shift * step_out / step_in))
        unit = quantizer.step.reshape(-1) * step_in
        conv.bias.copy_(torch.floor(conv.bias / unit + 0.5) * unit)
    step = model.classifier.weight_quantizer.step
    largest = step.max()
    multiplier = torch.floor(step / largest * 255 + 0.5)
    unit = model.head.output_quantizer.step * largest / 255
    least = torch.ceil(model.classifier.bias.abs()[:, None, None] / (32000 * unit)).clamp(1, 255)  # as above
    model.classifier.weight_quantizer.set(torch.maximum(multiplier, least) * largest / 255)
    unit = model.classifier.weight_quantizer.step.reshape(-1) * model.head.output_quantizer.step
    model.classifier.bias.copy_(torch.floor(model.classifier.bias / unit + 0.5) * unit)
    if model.condenser is not None:
        model.condenser.readout_quantizer.unit.copy_(model.head.output_quantizer.step * largest / 255 * 2**SCORE_SHIFT)
