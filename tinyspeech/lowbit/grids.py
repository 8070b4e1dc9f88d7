"""Grids for numbers of few bits, and the rules for their steps (chapter 5).

    grid = LearnedStep(-7, 7)
    y = grid(x)             # step * (the nearest whole number to x / step, -7 .. 7), of x's shape

A quantiser is a grid and a rule for its step: learned (`LearnedStep`), taken from the numbers at hand (`MeasuredStep`)
or written down (`FixedStep`). Gradients pass every rounding as if it were not there. Three more compute what the chip
does with sigmoids and means: `GateQuantizer`, `ReadoutQuantizer` and `MeanQuantizer`.
Not here: networks (`quant.py` attaches these to them).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from tinyspeech.integer.frontend import UNITS_PER_STD
from tinyspeech.integer.network import MEAN_BITS, SCALE_BITS, SIGMOID_BITS, SIGMOID_UNITS
from tinyspeech.networks.streaming import LEAST_WEIGHT

GATE_STEP = 1 / SIGMOID_UNITS
"""Step of the sigmoid's int8 argument."""
INPUT_STEP = 1 / UNITS_PER_STD
"""Step of the int8 features: 32 units are one standard deviation."""
CLIP_ITERATIONS = 20
"""Of `optimal_clip`; the clipping point of a layer's weights no longer moves after about ten."""


def round_half_up(x: Tensor) -> Tensor:
    """floor(x + 1/2), the chip's rounding, with the straight-through gradient of 1 (Bengio et al. 2013).

    The billionth decides ties in double precision, where x is a quotient that may fall a hair short of a half.
    """
    return x + (torch.floor(x + (0.5 + 1e-9)) - x).detach()


def nearest(ratio: Tensor, low: int, high: int, spacing: int = 1) -> Tensor:
    """The nearest of low, low + spacing, .. high: whole numbers, or the odd ones where spacing is 2 and low odd."""
    ratio = ratio.clamp(low, high)
    return round_half_up(ratio) if spacing == 1 else spacing * round_half_up((ratio - low) / spacing) + low


class _OnGrid(torch.autograd.Function):
    """step * nearest(x / step) with the gradients of LSQ in one pass over the tensor, not eleven.

    Without LSQ's factor on the step's gradient: Adam divides every gradient by its own size.
    """

    @staticmethod
    def forward(ctx, x: Tensor, step: Tensor, low: int, high: int, spacing: int) -> Tensor:
        ratio = x / step
        inside = (ratio >= low) & (ratio <= high)
        whole = nearest(ratio, low, high, spacing)
        ctx.save_for_backward(inside, torch.where(inside, whole - ratio, whole))
        ctx.shape = step.shape
        return whole * step

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor | None, ...]:
        inside, slope = ctx.saved_tensors
        return gradient * inside, (gradient * slope).sum_to_size(ctx.shape), None, None, None


class LearnedStep(nn.Module):
    """LSQ (Esser et al. 2020): y = step * nearest(x / step), with a trained step per tensor or channel.

    What is trained is the step's logarithm: an optimiser that moves every number by about its learning rate, as Adam
    does, then changes a step by a share of itself, however small it is, and cannot take it across zero.

    Parameters
    ----------
    low, high, spacing : of the grid's whole numbers, as for `nearest`
    channels : of the tensor's first axis, for a step each; 0 for one step
    axes : of the tensor
    """

    def __init__(self, low: int, high: int, channels: int = 0, spacing: int = 1, axes: int = 3):
        super().__init__()
        self.low, self.high, self.spacing = low, high, spacing
        self.log2_step = nn.Parameter(torch.zeros((channels, *[1] * (axes - 1)) if channels else ()))

    @property
    def step(self) -> Tensor:
        """The grid's step, positive: [channels, 1, ..] or a scalar."""
        return torch.exp2(self.log2_step)

    def step_of(self, x: Tensor) -> Tensor:
        """The step for these numbers: the learned one, whatever they are."""
        return self.step

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
            error = (nearest(flat / step, self.low, self.high, self.spacing) * step - flat).square().mean(1, True)
            best, best_error = torch.where(error < best_error, step, best), torch.minimum(error, best_error)
        self.set(best.reshape(self.log2_step.shape))

    def forward(self, x: Tensor) -> Tensor:
        return _OnGrid.apply(x, self.step, self.low, self.high, self.spacing)


def largest(x: Tensor, high: int, spacing: int = 1) -> Tensor:
    """The largest size in each row of x [rows, numbers] -> [rows, 1]: nothing is clipped."""
    return x.abs().amax(1, keepdim=True)


def optimal_clip(x: Tensor, high: int, spacing: int = 1) -> Tensor:
    """Where to clip each row for the least mean squared error: x [rows, numbers] -> [rows, 1].

    The fixed-point iteration of OCTAV (Sakr et al. 2022). Below the clipping point s, errors are spread evenly over a
    gap of the grid, so their square is (spacing * s / high)**2 / 12 in the mean; above it they are |x| - s. The sum is
    least where s equals the sum of all |x| above s, over their count plus spacing**2 / (12 * high**2) of the others'.
    """
    size = x.abs()
    inner = spacing**2 / (12 * high**2)
    clip = size.mean(1, keepdim=True)
    for _ in range(CLIP_ITERATIONS):
        above = size >= clip
        count = above.sum(1, keepdim=True)
        better = (size * above).sum(1, keepdim=True) / (count + inner * (x.shape[1] - count))
        clip = torch.where(count > 0, better, size.amax(1, keepdim=True))
    return clip


class MeasuredStep(nn.Module):
    """The same grid with a step that the numbers at hand decide, anew each time; no gradient reaches it.

    Parameters
    ----------
    clip : `largest` or `optimal_clip`
    low, high, spacing : of the grid's whole numbers, as for `nearest`
    each : a step for each row of the first axis: an output channel of weights, a clip of activations
    """

    def __init__(self, clip: Callable[..., Tensor], low: int, high: int, spacing: int = 1, each: bool = True):
        super().__init__()
        self.clip, self.low, self.high, self.spacing, self.each = clip, low, high, spacing, each

    @torch.no_grad()
    def step_of(self, x: Tensor) -> Tensor:
        """[rows, 1, ..] or a scalar, positive."""
        rows = x.reshape(len(x) if self.each else 1, -1)
        step = (self.clip(rows, self.high, self.spacing) / self.high).clamp(min=1e-9)
        return step.reshape(-1, *[1] * (x.ndim - 1)) if self.each else step.squeeze()

    def forward(self, x: Tensor) -> Tensor:
        return _OnGrid.apply(x, self.step_of(x), self.low, self.high, self.spacing)


class FixedStep(nn.Module):
    """The same grid with a step that is written down, not learned."""

    def __init__(self, low: int, high: int, step: float):
        super().__init__()
        self.low, self.high, self.step = low, high, step

    def forward(self, x: Tensor) -> Tensor:
        return round_half_up(torch.clamp(x / self.step, self.low, self.high)) * self.step


class GateQuantizer(nn.Module):
    """sigmoid and S as the chip holds them: table in Q7, S in Q5, their product rounded to Q7."""

    def forward(self, gate: Tensor, scale: Tensor) -> Tensor:
        table = round_half_up(gate * 2**SIGMOID_BITS) / 2**SIGMOID_BITS
        s = round_half_up(torch.clamp(scale * 2**SCALE_BITS, -128, 127)) / 2**SCALE_BITS
        return round_half_up(table * s * 2**SIGMOID_BITS) / 2**SIGMOID_BITS


class MeanQuantizer(nn.Module):
    """The leaking mean as the chip holds it: M += (256 q - M) >> bits, and M >> 8 in steps of q.

    Rounded down twice, it lags behind the mean of real numbers, and no rounding of that one tells by how much; so it is
    computed anew, frame by frame. The gradient is that of the mean of real numbers.

    Parameters
    ----------
    grid : of q; its owner is the layer that gives q
    bits : of the leak
    """

    def __init__(self, grid: LearnedStep | MeasuredStep, bits: int):
        super().__init__()
        self.grid, self.bits = grid, bits

    @torch.no_grad()
    def on_chip(self, x: Tensor) -> Tensor:
        """Values on the grid [B, T, C] -> their means, on the grid, of the same shape."""
        step = self.grid.step_of(x)
        values = round_half_up(x / step) * 2**MEAN_BITS
        means, mean = [], torch.zeros_like(values[:, 0])  # (B, C)
        for value in values.unbind(1):
            mean = mean + torch.floor((value - mean) / 2**self.bits)
            means.append(torch.floor(mean / 2**MEAN_BITS))
        return torch.stack(means, 1) * step

    def forward(self, mean: Tensor, x: Tensor) -> Tensor:
        """Float mean [B, T, C] of values x [B, T, C] on the grid -> the chip's."""
        return mean + (self.on_chip(x) - mean).detach()


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
