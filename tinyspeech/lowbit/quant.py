"""Few bits: grids for weights and activations, fixed after training or trained with them (chapter 5).

    prepare(model, QuantConfig(weight_bits=4))       # QAT: calibrate, train on, finish
    quantised(model, QuantConfig("SQ", 4, clipping="optimum"), features)     # a copy at few bits, no training

A quantiser is a grid and a rule for its step: learned (`LearnedStep`), taken from the numbers at hand (`MeasuredStep`)
or written down (`FixedStep`). Gradients pass every rounding as if it were not there. `prepare` attaches quantisers to
any network of the library: weights of 8 to 2 bits or three values, with a step per output channel or per tensor, and
8-bit activations. In the networks of `ON_CHIP` they sit where the chip rounds, down to the gate in the fixed-point form
of `tinyspeech/integer/network.py`; in the others, which no chip runs, where an activation enters a layer.
With steps per channel, batch norm stays in place while training goes on: it follows rounded weights, and its gain is
one factor per output channel, as the step is; `finish` folds it into steps and biases in the end, which alters no
weight of the grid. One step per tensor cannot take a gain per channel, so there batch norm is folded beforehand.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import update_bn

from tinyspeech.errors import UserError
from tinyspeech.integer.frontend import UNITS_PER_STD
from tinyspeech.integer.network import MAX_SHIFT, SCALE_BITS, SCORE_SHIFT, SIGMOID_BITS, SIGMOID_UNITS
from tinyspeech.networks.causal import CausalTinySpeech
from tinyspeech.networks.streaming import LEAST_WEIGHT, CausalConv, StreamingCondenser, TinySpeechS, folded

GATE_STEP = 1 / SIGMOID_UNITS
"""Step of the sigmoid's int8 argument."""
INPUT_STEP = 1 / UNITS_PER_STD
"""Step of the int8 features: 32 units are one standard deviation."""
CLIP_ITERATIONS = 20
"""Of `optimal_clip`; the clipping point of a layer's weights no longer moves after about ten."""

# ---------------------------------------------------------------------------------------------------------------------
# What is asked for
# ---------------------------------------------------------------------------------------------------------------------

ON_CHIP = (TinySpeechS, CausalTinySpeech)
"""Networks with quantisers where the chip rounds; in others they sit where an activation enters a layer."""
MODES = ("UN", "DQ", "SQ", "QAT")
GRANULARITIES = ("channel", "tensor")
CLIPPINGS = ("max", "optimum", "learned")


@dataclass(frozen=True)
class QuantConfig:
    """How a network is brought to few bits.

    Raises
    ------
    UserError
        Where a value is none of those that there are, or two of them contradict each other.
    """

    mode: str = "QAT"
    """`UN` not at all; `DQ` dynamic: each clip's own range decides the steps of its activations; `SQ` static: steps are
    calibrated once, on data; `QAT` as SQ, and training goes on from there."""
    weight_bits: int | str = 4
    """2 to 8, or `ternary`."""
    granularity: str = "channel"
    """One step per output `channel`, or one per `tensor`."""
    clipping: str = "learned"
    """Where the weights' grid ends: at their `max`imum, at the `optimum` of the squared error, or where training
    moves it (`learned`, QAT only)."""

    def __post_init__(self) -> None:
        for name, choices in (("mode", MODES), ("granularity", GRANULARITIES), ("clipping", CLIPPINGS)):
            if getattr(self, name) not in choices:
                raise UserError(f"{name} must be one of {', '.join(choices)}, not {getattr(self, name)!r}")
        bits = self.weight_bits
        if bits != "ternary" and (type(bits) is not int or not 2 <= bits <= 8):
            raise UserError(f"weight bits must be 2 to 8, not {bits}, or 'ternary'")
        if self.clipping == "learned" and self.mode in ("DQ", "SQ"):
            raise UserError(f"clipping 'learned' needs training, which {self.mode} has none of: take max or optimum")

    @property
    def grid(self) -> tuple[int, int, int]:
        """(lowest, highest, spacing) of the weights' whole numbers, as many on either side of zero.

        Two bits hold four numbers. With zero among them there would be more on one side, so they are -3, -1, 1, 3.
        """
        if self.weight_bits in ("ternary", 2):
            return (-1, 1, 1) if self.weight_bits == "ternary" else (-3, 3, 2)
        highest = 2 ** (self.weight_bits - 1) - 1
        return -highest, highest, 1


# ---------------------------------------------------------------------------------------------------------------------
# Grids and their steps
# ---------------------------------------------------------------------------------------------------------------------


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


# ---------------------------------------------------------------------------------------------------------------------
# Networks on grids
# ---------------------------------------------------------------------------------------------------------------------


class GridLayer(nn.Module):
    """A convolution or linear layer of torch, and the batch norm behind it, with weights and input on grids.

    What `CausalConv` is for TinySpeech-S, for layers that know nothing of quantisers.
    """

    def __init__(self, layer: nn.Conv1d | nn.Conv2d | nn.Linear, norm: nn.Module | None):
        super().__init__()
        self.layer, self.norm = layer, norm
        self.weight_quantizer: nn.Module = nn.Identity()
        self.input_quantizer: nn.Module = nn.Identity()

    @property
    def weight(self) -> Tensor:
        """[outputs, ..], as trained, on no grid."""
        return self.layer.weight

    def forward(self, x: Tensor) -> Tensor:
        """Float in and out, of the layer's own shapes."""
        on_grid = {"weight": self.weight_quantizer(self.layer.weight)}
        y = torch.func.functional_call(self.layer, on_grid, (self.input_quantizer(x),))
        return y if self.norm is None else self.norm(y)

    @torch.no_grad()
    def fold(self) -> None:
        """Make the batch norm's running statistics part of weights, bias and, where there is one, the grid's step."""
        if self.norm is not None:
            self.layer.weight, self.layer.bias = folded(self.weight, self.layer.bias, self.norm, self.weight_quantizer)
            self.norm = None


def layers(model: nn.Module) -> list[CausalConv | GridLayer]:
    """All layers with weights of a network that is or can be prepared, in order."""
    return [module for module in model.modules() if isinstance(module, (CausalConv, GridLayer))]


def wrap(model: nn.Module) -> None:
    """Make each of torch's own layers a `GridLayer`, in place, with the batch norm that stands right behind it."""
    for parent in [module for module in model.modules() if not isinstance(module, GridLayer)]:
        children = [*parent.named_children(), ("", None)]
        for (name, layer), (next_name, norm) in pairwise(children):
            if isinstance(layer, (nn.Conv1d, nn.Conv2d, nn.Linear)):
                follows = isinstance(norm, (nn.BatchNorm1d, nn.BatchNorm2d))
                setattr(parent, name, GridLayer(layer, norm if follows else None))
                if follows:
                    setattr(parent, next_name, nn.Identity())


def prepare(model: nn.Module, config: QuantConfig | int | str = 4) -> nn.Module:
    """Attach quantisers, in place. Learned steps are 1 until `calibrate` (or a checkpoint) sets them.

    Parameters
    ----------
    model : any network of the library, in float
    config : weight bits alone mean QAT with a learned step per channel

    Raises
    ------
    UserError
        For weight bits that are not 2 .. 8 or "ternary".
    """
    if not isinstance(config, QuantConfig):
        config = QuantConfig(weight_bits=config)
    if config.mode == "UN":
        return model
    low, high, spacing = config.grid
    per_channel = config.granularity == "channel"

    def activation() -> nn.Module:
        return MeasuredStep(largest, -128, 127) if config.mode == "DQ" else LearnedStep(-128, 127)

    if not isinstance(model, ON_CHIP):
        wrap(model)
    if not per_channel:
        fold(model)
    for layer in layers(model):
        if config.clipping == "learned":
            shape = len(layer.weight) if per_channel else 0
            layer.weight_quantizer = LearnedStep(low, high, shape, spacing, layer.weight.ndim)
        else:
            clip = largest if config.clipping == "max" else optimal_clip
            layer.weight_quantizer = MeasuredStep(clip, low, high, spacing, per_channel)
    if isinstance(model, ON_CHIP):
        _attach_as_on_chip(model, activation)
    else:
        for layer in layers(model)[1:]:  # the first one's input, the features, is 8-bit integers as it is
            layer.input_quantizer = activation()
    return model


def _attach_as_on_chip(model: TinySpeechS | CausalTinySpeech, activation: Callable[[], nn.Module]) -> None:
    """Quantisers of activations where the firmware rounds; the residual stream has one step, shared by all added."""
    for layer in layers(model):
        layer.output_quantizer = activation()
    stream = activation()
    model.stem.output_quantizer = stream
    for condenser in getattr(model, "condensers", ()):
        condenser.pointwise2.output_quantizer = stream
        condenser.output_quantizer = stream
    for block in getattr(model, "blocks", ()):
        block.project.output_quantizer = stream
        block.output_quantizer = stream
        if isinstance(block.condenser, StreamingCondenser):
            block.condenser.excite.output_quantizer = FixedStep(-128, 127, GATE_STEP)
            block.condenser.gate_quantizer = GateQuantizer()
    model.classifier.output_quantizer = nn.Identity()  # logits stay int32
    if model.condenser is not None:
        model.condenser.excite.output_quantizer = FixedStep(-128, 127, GATE_STEP)
        model.condenser.readout_quantizer = ReadoutQuantizer()


@torch.no_grad()
def calibrate(model: nn.Module, features: Tensor) -> None:
    """Set every learned step: weights by their values, activations by what `features` [B, T, 12] make of each layer."""
    of_weights = [layer.weight_quantizer for layer in layers(model)]
    for layer in layers(model):
        if isinstance(layer.weight_quantizer, LearnedStep):
            layer.weight_quantizer.fit(layer.weight)
    seen: dict[LearnedStep, list[Tensor]] = {}
    quantizers = [q for q in model.modules() if isinstance(q, LearnedStep) and not any(q is w for w in of_weights)]
    hooks = [
        q.register_forward_hook(lambda q, args, out: (seen.setdefault(q, []).append(args[0].flatten()), args[0])[1])
        for q in quantizers
    ]
    model(features)
    for hook in hooks:
        hook.remove()
    for quantizer, values in seen.items():
        quantizer.fit(torch.cat(values))


def fold(model: nn.Module) -> None:
    """Make every batch norm part of its layer, in place."""
    for layer in layers(model):
        layer.fold()


@torch.no_grad()
def freeze(model: nn.Module) -> None:
    """Write down the weights' steps, in place: whatever decided them, each output channel holds its own from now on."""
    for layer in layers(model):
        old, channels = layer.weight_quantizer, len(layer.weight)
        if isinstance(old, LearnedStep) and old.log2_step.ndim:
            continue
        new = LearnedStep(old.low, old.high, channels, old.spacing, layer.weight.ndim).to(layer.weight)
        new.set(old.step_of(layer.weight))
        layer.weight_quantizer = new


@torch.no_grad()
def finish(model: nn.Module) -> nn.Module:
    """Fold batch norm and write every step down, in place, in double precision.

    A network of `ON_CHIP` goes to the chip's numbers on the way (`snap`). What leaves here has one form whatever the
    config was: a step per channel, no batch norm.
    """
    if isinstance(model, ON_CHIP):
        snap(model)
    else:
        model.double()
        freeze(model)
        fold(model)
    return model


def quantised(model: nn.Module, config: QuantConfig, features: Tensor,
              norm_batches: Sequence[Tensor] = ()) -> nn.Module:
    """A copy of a float network at few bits without any training (`UN`, `DQ`, `SQ`), ready to evaluate.

    Parameters
    ----------
    features : float [B, T, 12] in standard deviations, on which SQ sets the steps of activations
    norm_batches : more of these, on which SQ measures batch norm's statistics anew: rounded weights have others. One
        step per tensor has batch norm folded before there is a grid, and nothing left to measure.

    Raises
    ------
    UserError
        For mode QAT, which needs training: `tinyspeech.training.train` does it.
    """
    if config.mode == "QAT":
        raise UserError("QAT is a training: use tinyspeech.training.train; without training there are UN, DQ and SQ")
    model = prepare(copy.deepcopy(model).eval(), config)
    if config.mode == "SQ":
        calibrate(model, features)
        if norm_batches:
            update_bn(norm_batches, model)
            calibrate(model, features)
        finish(model)
    return model


# ---------------------------------------------------------------------------------------------------------------------
# The networks of `ON_CHIP` in the chip's numbers
# ---------------------------------------------------------------------------------------------------------------------


def wiring(model: TinySpeechS | CausalTinySpeech) -> list[tuple[str, CausalConv, float, float]]:
    """Every convolution of a prepared network in order, but for the classifier: (name, module, step in, step out)."""
    stream = model.stem.output_quantizer.step.item()
    rows = [("stem", model.stem, INPUT_STEP, stream)]
    for i, condenser in enumerate(getattr(model, "condensers", ())):
        step_in = stream
        for part in ("grouped1", "pointwise1", "grouped2", "pointwise2"):
            conv = getattr(condenser, part)
            step_out = conv.output_quantizer.step.item()
            rows.append((f"condenser{i}_{part}", conv, step_in, step_out))
            step_in = step_out
    for i, block in enumerate(getattr(model, "blocks", ())):
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


LARGEST_BIAS = 1950
"""In accumulator units: the firmware stores 12 bits, and the coarsest multiplier is off by 3 %."""


def multiplier_and_shift(ratio: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The 8-bit form of positive ratios, multiplier / 2**shift with multiplier 128 .. 255: off by 0.4 % at most. A
    ratio below 2**-8 has the multiplier that is next to it at the firmware's largest shift, 1 at least."""
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
def snap(model: TinySpeechS | CausalTinySpeech) -> None:
    """Fold batch norm, then move every weight step and bias to the nearest value that the chip can hold, in place, in
    double precision.

    After this the network computes what `tinyspeech/integer/network.py` does: ratios of steps are multiplier /
    2**shift, biases are whole accumulator units, and doubles tell every tie. Weights keep their places on the grid:
    training leaves many near the middle between two (Nagel et al. 2022), and a step that moves by a hair would send
    them across.
    """
    model.double()
    freeze(model)
    fold(model)
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
