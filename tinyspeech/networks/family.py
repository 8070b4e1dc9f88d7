"""The paper's family, TinySpeech-X, -Y, -Z and -M (Wong et al. 2020): two-dimensional networks of attention condensers.

Chapter 3 reads its counts, chapter 4 trains it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from tinyspeech import CLASSES
from tinyspeech.errors import UserError
from tinyspeech.networks import batch_last
from tinyspeech.networks.condenser import (
    NORMS,
    SCALES,
    AttentionCondenser,
    CondenserConfig,
    check_choice,
    normalisation,
    pair,
)


@dataclass(frozen=True)
class Published:
    """What the paper prints for a network of its family (Wong et al. 2020)."""

    parameters: int
    """Parameters, to two or three digits."""
    mult_adds: int
    """Multiply-adds for one clip, to two digits."""


@dataclass(frozen=True)
class FamilyConfig:
    """A network of the paper's family: conv1 -> condensers -> conv2 -> average -> linear."""

    conv1: int
    """Channels after the first 3 x 3 convolution, and of every condenser."""
    condensers: tuple[tuple[int, int, int, int], ...]
    """(m0, o0, m1, C) of each condenser, as printed: `CondenserConfig`'s expand, squeeze, regrow, channels."""
    conv2: int
    """Channels after the second 3 x 3 convolution."""
    norm: str = "batch"
    """One of `tinyspeech.networks.condenser.NORMS`, throughout the network. Only M is printed without."""
    published: Published = field(default=Published(0, 0))
    """The paper's figures, to compare with."""


FAMILY = {
    "printed_x": FamilyConfig(
        15, ((30, 6, 12, 15),) * 3 + ((30, 18, 36, 15), (30, 27, 54, 15), (30, 18, 36, 15)), 38,
        published=Published(10_800, 10_900_000)),
    "printed_y": FamilyConfig(  # conv2 is printed as 6; 26 is what the printed count needs
        10, ((20, 6, 12, 10),) * 3 + ((20, 18, 36, 10), (20, 26, 52, 10), (20, 18, 36, 10)), 26,
        published=Published(6_100, 6_500_000)),
    "printed_z": FamilyConfig(
        7, ((14, 3, 6, 7),) * 2 + ((14, 2, 4, 7), (14, 11, 22, 7), (14, 14, 28, 7), (14, 10, 20, 7)), 17,
        published=Published(2_700, 2_600_000)),
    "printed_m": FamilyConfig(
        9, ((18, 6, 12, 9), (18, 9, 18, 9), (18, 8, 16, 9)), 40, norm="none",
        published=Published(4_700, 4_400_000)),
}
"""The quadruples of the paper."""


class TinySpeech(nn.Module):
    """A network of the paper's family, float [B, T, F] -> [B, 12].

    Which tensors the published parameter counts include is not said. Nine questions about it make 768 readings; chapter
    3 tries them all. 24 of them are within 4 % for all four networks, and the next one is 7 % off. The 24 agree on five
    answers: kernels of 1, grouped convolutions that are grouped, no biases in the condensers, no scale and offset of
    batch normalisation (or none of it: Z learns far better without, chapter 4), and 26 for Y's conv2. They leave four
    open: biases of conv1 and conv2, bias of the linear layer, a scale S or none, 10 or 12 classes. Here there are 12
    classes and no biases, and S is 1, which gives 10,923 / 6,222 / 2,712 / 4,729 against 10.8 k / 6.1 k / 2.7 k /
    4.7 k; `scale="learned"` adds one number a condenser, as the paper's text has it.

    The published multiply-adds fit if every convolution runs at full resolution, as if nothing were pooled, at about
    1,040 places: 40 x 26 or 80 x 13 frames x coefficients give 10.9 / 6.1 / 2.6 / 4.4 M in the convolutions, against
    10.9 / 6.5 / 2.6 / 4.4 M. With 2 x 2 pooling no input shape fits all four.

    The condensers' default kernel is 1 and their default pooling window 2 x 2: the network then sees six frames at
    once before it averages, however many condensers there are. Kernel, windows, F, residual, norm, bias and scale are
    open to experiment.

    Parameters
    ----------
    config : FamilyConfig
    kernel : int or (int, int)
        Of the condensers' grouped convolutions (time, frequency), odd.
    pool : int, (int, int), or a sequence of these, one for each condenser
        Pooling windows (time, frequency). A tuple of two whole numbers is one window, for all.
    selection : str
        Form of F, a key of `tinyspeech.networks.condenser.SELECTIONS`.
    residual : bool
        Whether condensers add V to what they select.
    scale : str
        `fixed` (1) or `learned`.
    norm : str, optional
        `batch`, `affine` (with a gain and a shift for each channel) or `none`; by default what config says.
    bias : bool
        Whether convolutions and the linear layer have biases.
    multiplier : int, optional
        Outputs for each input of the condensers' grouped convolutions: m0 = multiplier * C, m1 = multiplier * o0. By
        default m0 and m1 are as printed, about 2. With kernels of 1 more outputs add nothing (the pointwise convolution
        behind them could do it all), so 1 and a long kernel is the same number of weights better spent.
    classes : int
        Logits.

    Raises
    ------
    UserError
        Where a value is out of range; in `forward`, where the features have another form.
    """

    def __init__(
        self,
        config: FamilyConfig,
        *,
        kernel: int | tuple[int, int] = 1,
        pool: int | tuple[int, int] | Sequence[int | tuple[int, int]] = 2,
        selection: str = "sigmoid",
        residual: bool = True,
        scale: str = "fixed",
        norm: str | None = None,
        bias: bool = False,
        multiplier: int | None = None,
        classes: int = len(CLASSES),
    ) -> None:
        super().__init__()
        norm = config.norm if norm is None else norm
        check_choice(norm, NORMS, "norm")
        check_choice(scale, SCALES, "scale")
        count = len(config.condensers)
        one_for_all = isinstance(pool, int) or (isinstance(pool, tuple) and len(pool) == 2
                                                and all(isinstance(side, int) for side in pool))
        pools = [pool] * count if one_for_all else list(pool) if isinstance(pool, Sequence) else []
        if len(pools) != count:
            raise UserError(f"pool must be one window or {count}, one for each condenser, not {pool!r}")
        for setting, value in (("classes", classes), ("multiplier", 1 if multiplier is None else multiplier)):
            if type(value) is not int or value < 1:
                raise UserError(f"{setting} must be a whole number of at least 1, not {value!r}")
        quadruples = [(channels, m0 if multiplier is None else multiplier * channels, o0,
                       m1 if multiplier is None else multiplier * o0) for m0, o0, m1, channels in config.condensers]

        self.config = config
        self.conv1 = nn.Conv2d(1, config.conv1, 3, padding=1, bias=bias)
        self.norm1 = normalisation(norm, config.conv1)
        self.condensers = nn.ModuleList(
            AttentionCondenser(CondenserConfig(
                *quadruple, kernel=kernel, pool=pair(window, "pool"), selection=selection, residual=residual,
                scale=scale, norm=norm, bias=bias))
            for quadruple, window in zip(quadruples, pools, strict=True))
        self.conv2 = nn.Conv2d(config.conv1, config.conv2, 3, padding=1, bias=bias)
        self.norm2 = normalisation(norm, config.conv2)
        self.linear = nn.Linear(config.conv2, classes, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """Logits: float [B, T, F] -> [B, classes], for any number of frames and of coefficients."""
        check_features(x)
        if batch_last.covers(self, x):  # the same, computed in another order of axes
            return batch_last.forward(self, x)
        v = torch.relu(self.norm1(self.conv1(x[:, None])))  # (B, conv1, T, F)
        for condenser in self.condensers:
            v = condenser(v)  # (B, conv1, T, F)
        v = torch.relu(self.norm2(self.conv2(v)))  # (B, conv2, T, F)
        return self.linear(v.mean(dim=(-2, -1)))  # (B, classes)


def check_features(x: Tensor) -> None:
    """`UserError` unless x is float [B, T, F] with nothing empty: what every network here takes."""
    if not isinstance(x, Tensor) or not x.is_floating_point() or x.ndim != 3 or 0 in x.shape:
        shape = f"{x.dtype} {list(x.shape)}" if isinstance(x, Tensor) else type(x).__name__
        raise UserError(f"a network takes float features [batch, frames, coefficients], not {shape}")
