"""Networks at few bits, fixed after training or trained with them (chapter 5).

    prepare(model, QuantConfig(weight_bits=4))       # QAT: calibrate, train on, finish
    quantised(model, QuantConfig("SQ", 4, clipping="optimum"), features)     # a copy at few bits, no training

`prepare` attaches the quantisers of `grids.py` to any network of the library: weights of 8 to 2 bits or three values,
with a step per output channel or per tensor, and 8-bit activations. In TinySpeech-S they sit where the chip rounds,
down to the gate in the fixed-point form of `tinyspeech/integer/network.py`; in the others, which no chip runs, where an
activation enters a layer.
With steps per channel, batch norm stays in place while training goes on: it follows rounded weights, and its gain is
one factor per output channel, as the step is; `finish` folds it into steps and biases in the end, which alters no
weight of the grid. One step per tensor cannot take a gain per channel, so there batch norm is folded beforehand.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import update_bn

from tinyspeech.errors import UserError
from tinyspeech.lowbit.fixed_point import snap
from tinyspeech.lowbit.grids import (
    GATE_STEP,
    FixedStep,
    GateQuantizer,
    LearnedStep,
    MeanQuantizer,
    MeasuredStep,
    ReadoutQuantizer,
    largest,
    optimal_clip,
)
from tinyspeech.networks.streaming import CausalConv, FrameCondenser, StreamingCondenser, TinySpeechS, folded

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

    if not isinstance(model, TinySpeechS):
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
    if isinstance(model, TinySpeechS):
        _attach_as_on_chip(model, activation)
    else:
        for layer in layers(model)[1:]:  # the first one's input, the features, is 8-bit integers as it is
            layer.input_quantizer = activation()
    return model


def _attach_as_on_chip(model: TinySpeechS, activation: Callable[[], nn.Module]) -> None:
    """Quantisers of activations where the firmware rounds; the residual stream has one step, shared by all added."""
    for layer in layers(model):
        layer.output_quantizer = activation()
    stream = activation()
    model.stem.output_quantizer = stream
    for block in model.blocks:
        block.project.output_quantizer = stream
        block.output_quantizer = stream
        if isinstance(block.condenser, StreamingCondenser):
            block.condenser.excite.output_quantizer = FixedStep(-128, 127, GATE_STEP)
            block.condenser.gate_quantizer = GateQuantizer()
            _quantise_mean(block.condenser)
    model.classifier.output_quantizer = nn.Identity()  # logits stay int32
    if model.condenser is not None:
        model.condenser.excite.output_quantizer = FixedStep(-128, 127, GATE_STEP)
        model.condenser.readout_quantizer = ReadoutQuantizer()
        _quantise_mean(model.condenser)


def _quantise_mean(condenser: FrameCondenser | StreamingCondenser) -> None:
    """The mean on its values' grid, where the condenser has a memory."""
    if condenser.memory:
        condenser.mean_quantizer = MeanQuantizer(condenser.squeeze.output_quantizer, condenser.memory)


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
    means = [module for module in model.modules() if isinstance(module, MeanQuantizer)]  # of grids without a step yet
    hooks += [module.register_forward_hook(lambda module, args, out: args[0]) for module in means]
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

    TinySpeech-S goes to the chip's numbers on the way (`snap`). What leaves here has one form whatever the config was:
    a step per channel, no batch norm.
    """
    model.double()
    freeze(model)
    fold(model)
    if isinstance(model, TinySpeechS):
        snap(model)
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
