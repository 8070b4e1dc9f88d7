"""TinySpeech-Z for a stream: the paper's network made causal, so that it fits into the chip's 2 KB (chapter 6).

    12 coefficients -> conv1: 6 bands of 7 -> 6 x [+ condenser] -> conv2: 6 bands of 17 -> 12 scores -> average

It is the reading of Z that learns (chapter 4): kernels of 3 x 3, one output a group, A added to V. Three things are
new, and each is there because of a byte. Kernels reach into the past only, so that a layer remembers two frames and not
a clip. Condensers pool over bands and not over frames, so that every frame has its own A at once. And conv1 takes every
second band, which halves all histories: 618 bytes of them, where TinySpeech-S has 600. Counts are those of the paper's
Z, but that biases and steps come with the integers.
Maps are [B, T, F, C], channels last, as the chip holds them. `tinyspeech/lowbit/quant.py` attaches quantisers;
`tinyspeech/integer/network.py` is the same network in integers.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tinyspeech import CLASSES
from tinyspeech.errors import UserError
from tinyspeech.integer.frontend import N_COEFFICIENTS
from tinyspeech.integer.network import PAIR
from tinyspeech.networks.streaming import CausalConv

Z_CONV1 = 7
"""Channels of Z's conv1 and of its condensers (Wong et al. 2020)."""
Z_CONDENSED = (3, 3, 2, 11, 14, 10)
"""Channels of each condenser's waist, o0 in the paper."""
Z_CONV2 = 17
"""Channels of Z's conv2."""


@dataclass(frozen=True)
class CausalConfig:
    """Shape of the causal Z; the defaults are the paper's."""

    channels: int = Z_CONV1
    """After conv1, and of every condenser."""
    condensed: tuple[int, ...] = Z_CONDENSED
    """Channels of the waist of each condenser."""
    head: int = Z_CONV2
    """Channels after conv2."""
    kernel: int = 3
    """Frames and bands under each kernel, odd."""
    band_stride: int = 2
    """conv1 keeps every n-th band; half of what is left must be a whole number, for the pooling."""
    flush: int = 8
    """Frames of zeros that follow a clip, as in TinySpeech-S."""

    def __post_init__(self):
        if not isinstance(self.condensed, tuple) or not self.condensed:
            raise UserError(f"condensed must list a whole number for each condenser, not {self.condensed!r}")
        for name, value in vars(self).items():
            numbers = value if name == "condensed" else (value,)
            if any(type(number) is not int or number < (name != "flush") for number in numbers):
                raise UserError(f"{name} must be {'0' if name == 'flush' else '1'} or more, not {value!r}")
        if self.kernel % 2 == 0:
            raise UserError(f"kernel must be odd, not {self.kernel}")
        if N_COEFFICIENTS % (self.band_stride * PAIR):
            raise UserError(f"band_stride must leave an even number of {N_COEFFICIENTS} bands, "
                            f"not {self.band_stride}")

    @classmethod
    def from_dict(cls, values: dict) -> CausalConfig:
        """Of plain values, as in checkpoints and YAML, with lists for tuples."""
        return cls(**{key: tuple(value) if isinstance(value, list) else value for key, value in values.items()})


class BandConv(CausalConv):
    """Convolution over frames, into the past, and over bands, with zeros around; batch norm, optional ReLU.

    Its weight is [outputs, inputs / groups, kernel * span]: oldest frame first, lowest band first within a frame.

    Parameters
    ----------
    kernel, span : frames and bands under the kernel
    band_stride : every n-th band is kept
    norm : whether batch norm follows
    """

    def __init__(self, inputs: int, outputs: int, kernel: int = 1, span: int = 1, band_stride: int = 1,
                 groups: int = 1, relu: bool = True, norm: bool = True):
        super().__init__(inputs, outputs, kernel * span, groups=groups, relu=relu)
        self.kernel, self.span, self.band_stride = kernel, span, band_stride
        if not norm:
            self.norm = None

    def convolve(self, x: Tensor, weight: Tensor) -> Tensor:
        """Float [B, T, F, inputs], weight -> [B, T, F / band_stride, outputs]."""
        sides = self.span // 2
        padded = F.pad(x.permute(0, 3, 1, 2), (sides, sides, self.kernel - 1, 0))  # (B, inputs, T + past, F + sides)
        kernel = weight.unflatten(-1, (self.kernel, self.span))
        return F.conv2d(padded, kernel, stride=(1, self.band_stride), groups=self.groups).permute(0, 2, 3, 1)

    @torch.no_grad()
    def fold(self) -> None:
        """Batch norm becomes weights and bias; where there is none, there is a bias of zero all the same."""
        super().fold()
        if self.bias is None:
            self.bias = nn.Parameter(self.weight.new_zeros(len(self.weight)))


class CausalCondenser(nn.Module):
    """Attention condenser with F: sum and the residual, V' = V + A, one A a frame (Wong et al. 2020, made causal)."""

    def __init__(self, channels: int, condensed: int, kernel: int):
        super().__init__()
        self.grouped1 = BandConv(channels, channels, kernel, kernel, groups=channels, relu=False, norm=False)
        self.pointwise1 = BandConv(channels, condensed)
        self.grouped2 = BandConv(condensed, condensed, kernel, kernel, groups=condensed, relu=False, norm=False)
        self.pointwise2 = BandConv(condensed, channels, relu=False)
        self.output_quantizer: nn.Module = nn.Identity()

    def forward(self, v: Tensor) -> Tensor:
        """Float [B, T, F, C] -> [B, T, F, C]."""
        q = v.unflatten(2, (-1, PAIR)).amax(3)  # (B, T, F / 2, C)
        a = self.pointwise2(self.grouped2(self.pointwise1(self.grouped1(q))))  # (B, T, F / 2, C)
        return self.output_quantizer(v + a.repeat_interleave(PAIR, dim=2))


class CausalTinySpeech(nn.Module):
    """Features [B, T, 12] in standard deviations (int8 units / 32) -> logits [B, 12], means over frames and bands."""

    condenser = None
    """Frames count alike: where TinySpeech-S has its condenser, there is none."""

    def __init__(self, config: CausalConfig | None = None):
        super().__init__()
        self.config = config or CausalConfig()
        c = self.config
        self.stem = BandConv(1, c.channels, c.kernel, c.kernel, c.band_stride)
        self.condensers = nn.ModuleList(CausalCondenser(c.channels, waist, c.kernel) for waist in c.condensed)
        self.head = BandConv(c.channels, c.head, c.kernel, c.kernel)
        self.classifier = BandConv(c.head, len(CLASSES), relu=False)

    def forward(self, features: Tensor) -> Tensor:
        v = self.stem(F.pad(features, (0, 0, 0, self.config.flush))[..., None])  # (B, T, F, C)
        for condenser in self.condensers:
            v = condenser(v)  # (B, T, F, C)
        return self.classifier(self.head(v)).mean((1, 2))  # (B, 12)
