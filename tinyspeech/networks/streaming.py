"""TinySpeech-S, the network that ships: causal, streamed, designed backwards from 2 KB of RAM.

    12 coefficients -> stem -> 3 x [depthwise -> expand -> project -> + input] -> head -> 12 scores -> average
                                                                              └─► attention condenser ──┘

Frequency is the channel axis; time is the only axis that is convolved, and only into the past, so that a layer's memory
is its last `kernel - 1` inputs and feeding a clip frame by frame equals seeing it whole. What has to be remembered sits
on the narrow stream (32 channels); the weights sit in the wide middle (48), where nothing has to be remembered. The
attention condenser decides how much each frame counts in the average; `attention: channels` puts one that gates
channels into each block instead, as in the paper, `both` does both, and chapter 4 shows what each is worth.
`tinyspeech/lowbit/quant.py` attaches quantisers to the modules of this file; `tinyspeech/integer/network.py` is the
same network in integers.
Chapter 3 draws it and writes its blocks, chapter 4 designs it and puts it together; chapter 10 shows where its bytes
live.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tinyspeech import CLASSES
from tinyspeech.errors import UserError
from tinyspeech.integer.frontend import N_COEFFICIENTS
from tinyspeech.integer.network import LONGEST_MEMORY, SIGMOID_BITS

ATTENTIONS = ("frames", "channels", "both")
GATES = ("residual", "plain")
LEAST_WEIGHT = 2.0**-SIGMOID_BITS
"""Added to every frame's weight, so that no clip is left without any: one unit of the chip's Q7."""


@dataclass(frozen=True)
class StreamingConfig:
    """Shape of TinySpeech-S."""

    channels: int = 32
    """Width of the residual stream; every remembered frame costs this many bytes. A multiple of 4."""
    expansion: int = 48
    """Width in the middle of a block. A multiple of 4."""
    stem_kernel: int = 3
    """Frames that the first convolution sees (20 ms each)."""
    kernels: tuple[int, ...] = (5, 7, 9)
    """Frames under each block's depthwise convolution, at that block's rate."""
    strides: tuple[int, ...] = (2, 1, 1)
    """Each block keeps every n-th frame."""
    condenser: int = 8
    """Channels of the condensed embedding; 0 leaves the attention condensers out (for the ablation)."""
    attention: str = "frames"
    """What is attended to: `frames`, one condenser after the head that weighs each frame's scores in the final average;
    `channels`, one condenser in each block that gates each channel, as in the paper; or `both`."""
    pool: int = 1
    """Frames under the condenser's max pooling: this one and the `pool - 1` before it."""
    memory: int = 0
    """Bits of the leak with which a condenser remembers its condensed channels, 1 to 8; 0: it does not. The mean's time
    constant is 2**memory frames, at the condenser's own rate."""
    gate: str = "residual"
    """What a gate of channels begins as: `residual`, with V beside what it lets pass, as in the paper, or `plain`, with
    nothing beside it."""
    flush: int = 8
    """Frames of zeros (the features' mean) that follow a clip: a causal network has a word's last sound behind it
    only a while later."""
    head: int = 48
    """Width of the layer before the classifier. A multiple of 4."""

    def __post_init__(self):
        for name, value in vars(self).items():
            if name in ("attention", "gate"):
                continue
            several = name in ("kernels", "strides")
            if several and not (isinstance(value, tuple) and value):
                raise UserError(f"{name} must list a whole number for each block, not {value!r}")
            if any(type(number) is not int for number in (value if several else (value,))):
                raise UserError(f"{name} must be {'whole numbers' if several else 'a whole number'}, not {value!r}")
        if self.attention not in ATTENTIONS:
            raise UserError(f"attention must be one of {', '.join(ATTENTIONS)}, not {self.attention!r}")
        if len(self.kernels) != len(self.strides):
            raise UserError(f"kernels {self.kernels} and strides {self.strides} must name the same number of blocks")
        for name in ("channels", "expansion", "head", "condenser"):
            if getattr(self, name) % 4 or getattr(self, name) < (name != "condenser"):
                raise UserError(f"{name} must be a positive multiple of 4, not {getattr(self, name)}")
        if not 0 <= self.memory <= LONGEST_MEMORY or (self.memory and not self.condenser):
            raise UserError(f"memory must be 0, or 1 to {LONGEST_MEMORY} bits of a condenser, not {self.memory}")
        if self.gate not in GATES or (self.gate != GATES[0] and (self.attention == "frames" or not self.condenser)):
            raise UserError(f"gate must be {GATES[0]}, or {GATES[1]} for condensers of channels, not {self.gate!r}")
        if self.flush < 0:
            raise UserError(f"flush counts frames: 0 or more, not {self.flush}")
        if min(self.kernels + self.strides + (self.stem_kernel, self.pool)) < 1:
            raise UserError("kernels, strides and pool count frames: 1 or more")

    def to_dict(self) -> dict:
        """Plain values, as stored in checkpoints and YAML."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}

    @classmethod
    def from_dict(cls, values: dict) -> StreamingConfig:
        """The inverse of `to_dict`; an unknown key raises `UserError`."""
        known = cls.__dataclass_fields__
        for key in values:
            if key not in known:
                raise UserError(f"unknown key '{key}' in the network's config; known: {', '.join(known)}")
        return cls(**{key: tuple(value) if isinstance(value, list) else value for key, value in values.items()})


class _Depthwise(torch.autograd.Function):
    """Each channel convolved by itself, causally: x [B, T, C], weight [C, kernel] -> [B, ceil(T / stride), C].

    One pass over the tensor for each tap, with no copy for any; the gradients in the same way.
    """

    @staticmethod
    def forward(ctx, x: Tensor, weight: Tensor, stride: int) -> Tensor:
        taps = weight.t().contiguous()  # (kernel, C)
        padded = F.pad(x, (0, 0, len(taps) - 1, 0))  # (B, kernel - 1 + T, C)
        y = padded[:, : x.shape[1] : stride] * taps[0]
        for i in range(1, len(taps)):
            y.addcmul_(padded[:, i : i + x.shape[1] : stride], taps[i])
        ctx.save_for_backward(padded, taps)
        ctx.stride = stride
        return y

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor | None, ...]:
        padded, taps = ctx.saved_tensors
        time = padded.shape[1] - len(taps) + 1
        to_x, to_taps = torch.zeros_like(padded), torch.empty_like(taps)
        for i in range(len(taps)):
            to_x[:, i : i + time : ctx.stride].addcmul_(gradient, taps[i])
            to_taps[i] = (padded[:, i : i + time : ctx.stride] * gradient).sum((0, 1))
        return to_x[:, len(taps) - 1 :], to_taps.t(), None


def folded(
    weight: Tensor, bias: Tensor | None, norm: nn.Module, weight_quantizer: nn.Module
) -> tuple[nn.Parameter, nn.Parameter]:
    """Weight [outputs, ..] and bias of a layer with the batch norm behind it multiplied out.

    y = (w g / sd) x + (beta + (b - mean) g / sd), with g = 1 and beta = 0 where the norm has no parameters. A weight
    quantiser with a step takes the gain, in place; what is left for weights on its grid is the gain's sign.
    """
    scale, shift = (norm.weight, norm.bias) if norm.affine else (1.0, 0.0)
    gain = scale / torch.sqrt(norm.running_var + norm.eps)  # (outputs,)
    offset = ((0.0 if bias is None else bias) - norm.running_mean) * gain + shift
    gain = gain.reshape(-1, *[1] * (weight.ndim - 1))
    if hasattr(weight_quantizer, "set"):
        weight_quantizer.set(weight_quantizer.step * gain.abs())
    return nn.Parameter(weight * gain), nn.Parameter(offset)


class CausalConv(nn.Module):
    """Convolution over time that sees only the past, batch norm, optional ReLU; zeros stand before the first frame.

    `fold()` turns the batch norm into weights and a bias. `weight_quantizer` and `output_quantizer` are identities
    until `tinyspeech.lowbit.quant.prepare` replaces them.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int = 1, stride: int = 1, groups: int = 1, relu: bool = True):
        super().__init__()
        self.kernel, self.stride, self.groups, self.relu = kernel, stride, groups, relu
        conv = nn.Conv1d(inputs, outputs, kernel, groups=groups, bias=False)  # only for its initial weights
        self.weight = conv.weight  # (outputs, inputs / groups, kernel)
        self.bias: nn.Parameter | None = None
        self.norm: nn.BatchNorm1d | None = nn.BatchNorm1d(outputs)
        self.weight_quantizer: nn.Module = nn.Identity()
        self.output_quantizer: nn.Module = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Float [B, T, inputs] -> [B, ceil(T / stride), outputs].

        Channels come last, so that dense layers are plain products of matrices.
        """
        weight = self.weight_quantizer(self.weight)  # (outputs, inputs / groups, kernel)
        if self.groups > 1:
            y = _Depthwise.apply(x, weight[:, 0], self.stride)
        else:
            seen = [F.pad(x, (0, 0, i, 0))[:, : x.shape[1] : self.stride] for i in range(self.kernel - 1, -1, -1)]
            seen = torch.cat(seen, -1) if self.kernel > 1 else seen[0]
            y = F.linear(seen, weight.transpose(1, 2).reshape(len(weight), -1))
        if self.bias is not None:
            y = y + self.bias
        if self.norm is not None:
            y = self.norm(y.reshape(-1, y.shape[-1])).reshape(y.shape)  # (B, T / stride, outputs)
        if self.relu:
            y = F.relu(y)
        return self.output_quantizer(y)

    @torch.no_grad()
    def fold(self) -> None:
        """Make the batch norm's running statistics part of the weights: y = (w g / sd) x + (beta - mean g / sd).

        Weights on a grid stay where they are on it: their channel's step takes the gain, the weights its sign.
        """
        if self.norm is not None:
            self.weight, self.bias = folded(self.weight, self.bias, self.norm, self.weight_quantizer)
            self.norm = None


def causal_max(x: Tensor, frames: int) -> Tensor:
    """The largest of each frame and the `frames - 1` before it, zeros before the first: [B, T, C] -> [B, T, C]."""
    return torch.stack([F.pad(x, (0, 0, i, 0))[:, : x.shape[1]] for i in range(frames)]).amax(0) if frames > 1 else x


def leaking_mean(x: Tensor, bits: int) -> Tensor:
    """Of all frames so far, the last ones the most: m_t = m_{t-1} + (x_t - m_{t-1}) / 2**bits, m_{-1} = 0.

    x : float [B, T, C] -> the same shape. All frames at once: a triangular matrix of what each frame leaves of itself.
    """
    frames = torch.arange(x.shape[1], device=x.device)
    age = frames[:, None] - frames  # (T, T)
    share = torch.where(age >= 0, 2.0**-bits * (1 - 2.0**-bits) ** age.clamp(min=0), 0.0)
    return share.to(x.dtype) @ x


class _Condenser(nn.Module):
    """What both condensers share: condensation by a max over the last `pool` frames (the present one included), and the
    embedding, two 1x1 convolutions through `condensed` channels.

    With a `memory`, the second one also sees the leaking mean of the condensed channels: what was heard farther back
    than any convolution here reaches, for two bytes a condensed channel.
    """

    def __init__(self, channels: int, condensed: int, outputs: int, pool: int, memory: int):
        super().__init__()
        self.pool, self.memory = pool, memory
        self.squeeze = CausalConv(channels, condensed)
        self.mean_quantizer: nn.Module | None = None
        self.excite = CausalConv(condensed * (2 if memory else 1), outputs, relu=False)

    def attention(self, x: Tensor) -> Tensor:
        """A of x float [B, T, C] -> [B, T, outputs]."""
        squeezed = self.squeeze(causal_max(x, self.pool))  # (B, T, condensed)
        if self.memory:
            mean = leaking_mean(squeezed, self.memory)
            if self.mean_quantizer is not None:
                mean = self.mean_quantizer(mean, squeezed)
            squeezed = torch.cat([squeezed, mean], -1)  # (B, T, 2 * condensed)
        return self.excite(squeezed)


class StreamingCondenser(_Condenser):
    """Attention condenser over time: V' = V + V * sigmoid(A) * S (Wong et al. 2020, in one causal dimension).

    Expansion is implicit, since a causal maximum exists at every frame. Chapter 3.

    With S = -1 this is V' = V * sigmoid(-A), a `plain` gate, with nothing beside it. That is where S begins then, and
    not at 1; training may take it elsewhere.
    """

    def __init__(self, channels: int, condensed: int, pool: int, memory: int = 0, gate: str = GATES[0]):
        super().__init__(channels, condensed, channels, pool, memory)
        self.scale = nn.Parameter(torch.full((channels,), 1.0 if gate == "residual" else -1.0))
        self.gate_quantizer: nn.Module | None = None

    def forward(self, v: Tensor) -> Tensor:
        """Float [B, T, C] -> [B, T, C]."""
        gate = torch.sigmoid(self.attention(v))  # (B, T, C)
        if self.gate_quantizer is not None:
            return v + v * self.gate_quantizer(gate, self.scale)
        return v + v * gate * self.scale


class FrameCondenser(_Condenser):
    """Attention condenser over frames: V' = sum_t sigmoid(A_t) V_t / sum_t sigmoid(A_t).

    It condenses all channels into one number A_t. Expansion is implicit: one weight holds for all scores V of its
    frame. The weights add up to one, so that what a network says loudly depends on which frames it heard, not on how
    many. Frame-wise attention with such weights is the pooling of Kong et al. 2018 (arXiv 1711.00927).
    Chapters 3 and 4.

    With a memory, a frame counts for less where somebody has been talking: that lies seconds back. Chapter 11.
    """

    def __init__(self, channels: int, condensed: int, pool: int, memory: int = 0):
        super().__init__(channels, condensed, 1, pool, memory)
        self.readout_quantizer: nn.Module | None = None

    def weights(self, h: Tensor) -> Tensor:
        """How much each frame counts: h float [B, T, C] -> [B, T, 1], above 0."""
        return torch.sigmoid(self.attention(h)) + LEAST_WEIGHT

    def forward(self, scores: Tensor, h: Tensor) -> Tensor:
        """Scores [B, T, classes], weighed by what h [B, T, C] says, averaged: [B, classes]."""
        return self.average(scores, self.weights(h))

    def average(self, scores: Tensor, weights: Tensor) -> Tensor:
        """Scores [B, T, classes], weighed by [B, T, 1] -> [B, classes]."""
        if self.readout_quantizer is not None:
            return self.readout_quantizer(scores, weights)
        return (scores * weights).sum(1) / weights.sum(1)


class Block(nn.Module):
    """Depthwise convolution, expansion, projection, condenser; added to its own input and rectified."""

    def __init__(self, config: StreamingConfig, kernel: int, stride: int):
        super().__init__()
        width = config.channels
        self.stride = stride
        self.depthwise = CausalConv(width, width, kernel, stride, groups=width, relu=False)
        self.expand = CausalConv(width, config.expansion)
        self.project = CausalConv(config.expansion, width, relu=False)
        self.condenser = (
            StreamingCondenser(width, config.condenser, config.pool, config.memory, config.gate)
            if config.condenser and config.attention != "frames" else nn.Identity()
        )
        self.output_quantizer: nn.Module = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Float [B, T, C] -> [B, T / stride, C]."""
        v = self.project(self.expand(self.depthwise(x)))  # (B, T / stride, C)
        y = self.condenser(v) + x[:, :: self.stride]
        return self.output_quantizer(F.relu(y))


class TinySpeechS(nn.Module):
    """Features [B, T, 12] in standard deviations (int8 units / 32) -> logits [B, 12], an average over frames."""

    def __init__(self, config: StreamingConfig | None = None):
        super().__init__()
        self.config = config or StreamingConfig()
        c = self.config
        self.stem = CausalConv(N_COEFFICIENTS, c.channels, c.stem_kernel)
        self.blocks = nn.ModuleList(Block(c, k, s) for k, s in zip(c.kernels, c.strides, strict=True))
        self.head = CausalConv(c.channels, c.head)
        self.classifier = CausalConv(c.head, len(CLASSES), relu=False)
        self.condenser = (FrameCondenser(c.head, c.condenser, c.pool, c.memory)
                          if c.condenser and c.attention != "channels" else None)

    def scores(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Scores [B, T', 12] of each frame, not weighed, and what the head says of it, [B, T', head]."""
        x = self.stem(features)  # (B, T, C)
        for block in self.blocks:
            x = block(x)
        h = self.head(x)
        return self.classifier(h), h

    def forward(self, features: Tensor) -> Tensor:
        scores, h = self.scores(F.pad(features, (0, 0, 0, self.config.flush)))
        return scores.mean(1) if self.condenser is None else self.condenser(scores, h)  # (B, 12)
