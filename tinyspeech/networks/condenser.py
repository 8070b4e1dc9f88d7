"""The attention condenser: attention computed on a small, condensed copy of the activations.

    V ─┬─► max pool ──► Q ──► embedding ──► K ──► unpool ──► A ─┐
       │                                                       F ──► V'      V' = V * sigmoid(A) * S + V
       └───────────────────────────────────────────────────────┘

Pooling condenses (Q), two rounds of grouped and pointwise convolution embed (K), unpooling expands (A), and selective
attention F lets A decide how much of V passes; S is a learned scale (Wong et al. 2020, "TinySpeech"). The paper leaves
F, the kernels and the pooling windows open, so each is a parameter here. Also here: what a pair of its convolutions
amounts to (`collapsed_weight`) and what one place of a map sees (`receptive_field`). Not in this file: any network,
any training. Chapter 3 builds it by hand.

    python -c "import torch; from tinyspeech.networks.condenser import *; \\
               print(AttentionCondenser(CondenserConfig(7, 14, 3, 6))(torch.randn(1, 7, 49, 12)).shape)"
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tinyspeech.errors import UserError

SELECTIONS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "sigmoid": lambda v, a: v * torch.sigmoid(a),
    "hard_sigmoid": lambda v, a: v * nn.functional.hardsigmoid(a),
    "tanh": lambda v, a: v * torch.tanh(a),
    "product": lambda v, a: v * a,
    "sum": lambda v, a: a,
}
"""Forms of F before the scale S and the residual: what A does to V. `sum` adds A to V instead of gating V by it (it
wants the residual), the only form in which one channel of V can move into another."""

NORMS = ("batch", "affine", "none")
SCALES = ("fixed", "learned")


def pair(value: int | tuple[int, int], name: str) -> tuple[int, int]:
    """(time, frequency) of a size that may be given as one number; both at least 1, or `UserError`."""
    size = (value, value) if isinstance(value, int) else value
    if (not isinstance(size, (tuple, list)) or len(size) != 2
            or not all(isinstance(side, int) and side >= 1 for side in size)):
        raise UserError(f"{name} must be a whole number of at least 1, or two (time, frequency), not {value!r}")
    return size[0], size[1]


def check_choice(value: str, choices, name: str) -> None:
    """`UserError` that lists the choices, where value is none of them."""
    if value not in choices:
        raise UserError(f"{name} must be one of {', '.join(choices)}, not {value!r}")


def normalisation(kind: str, channels: int) -> nn.Module:
    """One of `NORMS`, for float [B, channels, T, F]: batch normalisation without or with gain and shift, or nothing."""
    return nn.Identity() if kind == "none" else nn.BatchNorm2d(channels, affine=kind == "affine")


@dataclass(frozen=True)
class CondenserConfig:
    """One attention condenser. The defaults are the reading of the paper that its parameter counts support.

    Raises
    ------
    UserError
        Where a value is out of range.
    """

    channels: int
    """C: channels of V, and of V'."""
    expand: int
    """m0: channels after the first grouped convolution, a multiple of `channels`."""
    squeeze: int
    """o0: channels after the first pointwise convolution, the waist of the condenser."""
    regrow: int
    """m1: channels after the second grouped convolution, a multiple of `squeeze`."""
    kernel: int | tuple[int, int] = 1
    """Size of the grouped convolutions' kernels (time, frequency); odd, so that a frame keeps its place."""
    pool: int | tuple[int, int] = 2
    """Pooling window and stride (time, frequency). The condenser sees this much at once where the kernel is 1."""
    selection: str = "sigmoid"
    """Form of F, a key of `SELECTIONS`."""
    residual: bool = True
    """Whether V is added to what F selects."""
    scale: str = "learned"
    """S: `learned` (one number a condenser, starting at 1) or `fixed` (1)."""
    norm: str = "batch"
    """After each pointwise convolution: `batch` normalisation without parameters of its own, `affine`, with a gain and
    a shift for each channel, or `none`. It costs nothing once folded into the weights."""
    bias: bool = False
    """Whether the four convolutions have biases."""

    def __post_init__(self) -> None:
        for name in ("channels", "expand", "squeeze", "regrow"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 1:
                raise UserError(f"{name} must be a whole number of at least 1, not {value!r}")
        if self.expand % self.channels:
            raise UserError(f"expand = {self.expand} must be a multiple of channels = {self.channels}")
        if self.regrow % self.squeeze:
            raise UserError(f"regrow = {self.regrow} must be a multiple of squeeze = {self.squeeze}")
        if any(side % 2 == 0 for side in pair(self.kernel, "kernel")):
            raise UserError(f"kernel must be odd, not {self.kernel!r}")
        pair(self.pool, "pool")
        check_choice(self.selection, SELECTIONS, "selection")
        check_choice(self.scale, SCALES, "scale")
        check_choice(self.norm, NORMS, "norm")


class AttentionCondenser(nn.Module):
    """V -> V', the same shape; see the drawing at the top of this file.

    The grouped and the pointwise convolution of a pair have nothing between them; a ReLU separates the pairs.

    Parameters
    ----------
    config : CondenserConfig
    """

    def __init__(self, config: CondenserConfig) -> None:
        super().__init__()
        self.config = config
        kernel = pair(config.kernel, "kernel")
        padding = (kernel[0] // 2, kernel[1] // 2)
        self.pool = nn.MaxPool2d(pair(config.pool, "pool"), ceil_mode=True)  # no frame is left out at the end
        self.grouped1 = nn.Conv2d(config.channels, config.expand, kernel, padding=padding, groups=config.channels,
                                  bias=config.bias)
        self.pointwise1 = nn.Conv2d(config.expand, config.squeeze, 1, bias=config.bias)
        self.norm1 = normalisation(config.norm, config.squeeze)
        self.grouped2 = nn.Conv2d(config.squeeze, config.regrow, kernel, padding=padding, groups=config.squeeze,
                                  bias=config.bias)
        self.pointwise2 = nn.Conv2d(config.regrow, config.channels, 1, bias=config.bias)
        self.norm2 = normalisation(config.norm, config.channels)
        if config.scale == "learned":
            self.scale = nn.Parameter(torch.ones(()))
        else:
            self.register_buffer("scale", torch.ones(()), persistent=False)

    def attention(self, v: Tensor) -> Tensor:
        """A, before F: float [B, C, T, F] -> [B, C, T, F], the same value all over a pooling window."""
        q = self.pool(v)  # (B, C, T / pool, F / pool), condensed
        k = torch.relu(self.norm1(self.pointwise1(self.grouped1(q))))  # (B, squeeze, T / pool, F / pool)
        k = self.norm2(self.pointwise2(self.grouped2(k)))  # (B, C, T / pool, F / pool), embedded
        time, frequency = pair(self.config.pool, "pool")
        a = nn.functional.interpolate(k, scale_factor=(time, frequency))  # nearest: the value of its window everywhere
        return a[..., : v.shape[-2], : v.shape[-1]]  # (B, C, T, F), expanded

    def forward(self, v: Tensor) -> Tensor:
        """V' = F(V, A, S): float [B, C, T, F] -> [B, C, T, F].

        Raises
        ------
        UserError
            Where V is not four-dimensional or has another number of channels.
        """
        if v.ndim != 4 or v.shape[1] != self.config.channels:
            raise UserError(f"the condenser takes [batch, {self.config.channels}, time, frequency], "
                            f"not {list(v.shape)}")
        selected = self.scale * SELECTIONS[self.config.selection](v, self.attention(v))
        return v + selected if self.config.residual else selected


def collapsed_weight(grouped: nn.Conv2d, pointwise: nn.Conv2d) -> Tensor:
    """The one matrix that a grouped and a pointwise convolution amount to where both kernels are 1 x 1 (chapter 3).

    Nothing stands between the two, so their weights multiply out: each input channel reaches each output channel by a
    few paths, and only the sum over these paths counts.

    Parameters
    ----------
    grouped : weight [M, C / groups, 1, 1]
    pointwise : weight [O, M, 1, 1]

    Returns
    -------
    Tensor : [O, C]

    Raises
    ------
    UserError
        Where a kernel is wider than 1, a convolution has a bias, or the channels do not meet.
    """
    if any(conv.kernel_size != (1, 1) or conv.bias is not None for conv in (grouped, pointwise)):
        raise UserError("only convolutions of 1 x 1 without bias collapse into one matrix")
    if pointwise.in_channels != grouped.out_channels or pointwise.groups != 1:
        raise UserError("a pointwise convolution must take all the channels that the grouped one gives")
    full = torch.block_diag(*grouped.weight[:, :, 0, 0].chunk(grouped.groups))  # (M, C)
    return pointwise.weight[:, :, 0, 0] @ full  # (O, C)


def receptive_field(layer: Callable[[Tensor], Tensor], v: Tensor, time: int, frequency: int) -> Tensor:
    """How strongly each place of the input moves one place of the output: the mean size of the gradients (chapter 3).

    Zero means that the place is not seen. A maximum has a gradient only where it is taken, so give many random maps:
    what one of them hides another shows. Batch normalisation must be in evaluation mode, or every map sees every other.

    Parameters
    ----------
    layer : float [B, C, T, F] -> [B, C', T', F']
    v : float [B, C, T, F], random maps
    time, frequency : the place of the output

    Returns
    -------
    Tensor : float [T, F]
    """
    v = v.detach().requires_grad_()
    here = layer(v)[:, :, time, frequency]  # (B, C')
    weights = torch.linspace(1, 2, here.shape[1], dtype=here.dtype)  # unequal, so that no two channels cancel
    (gradient,) = torch.autograd.grad((here * weights).sum(), v)  # (B, C, T, F)
    return gradient.abs().mean(dim=(0, 1))
