"""The teacher: a network far too large for the chip, whose answers the small ones learn from (chapter 4).

Residual blocks of dense convolutions along time, frequency as channels, after TC-ResNet (Choi et al. 2019, arXiv
1904.03814), with squeeze-and-excitation (Hu et al. 2018, arXiv 1709.01507) in each. It sees past and future of a clip,
has no budget of memory and is never quantised or exported; it eats the same features as TinySpeech-S, so that nothing
has to be computed twice.

    python -m tinyspeech train --config teacher.yaml --data FOLDER_OR_ARCHIVE
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from tinyspeech import CLASSES
from tinyspeech.errors import UserError
from tinyspeech.integer.frontend import N_COEFFICIENTS

KERNEL = 9
"""Frames under each convolution of a block, TC-ResNet's."""


class TeacherBlock(nn.Module):
    """Two convolutions over time, a gate per channel from the clip's mean, and the block's own input added."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(inputs, outputs, KERNEL, stride, KERNEL // 2, bias=False)
        self.norm1 = nn.BatchNorm1d(outputs)
        self.conv2 = nn.Conv1d(outputs, outputs, KERNEL, 1, KERNEL // 2, bias=False)
        self.norm2 = nn.BatchNorm1d(outputs)
        self.gate = nn.Sequential(nn.Linear(outputs, outputs // 4), nn.ReLU(), nn.Linear(outputs // 4, outputs),
                                  nn.Sigmoid())
        self.shortcut = (nn.Identity() if inputs == outputs and stride == 1 else
                         nn.Sequential(nn.Conv1d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm1d(outputs)))

    def forward(self, x: Tensor) -> Tensor:
        """Float [B, inputs, T] -> [B, outputs, T / stride]."""
        y = self.norm2(self.conv2(torch.relu(self.norm1(self.conv1(x)))))  # (B, outputs, T / stride)
        return torch.relu(y * self.gate(y.mean(-1))[..., None] + self.shortcut(x))


class Teacher(nn.Module):
    """Float features [B, T, 12] in standard deviations -> logits [B, 12].

    Parameters
    ----------
    widths : sequence of int
        Channels of the stem, then of each block.
    strides : sequence of int
        Of each block.
    dropout : float
        Share of the last features that training leaves out, 0 .. below 1.

    Raises
    ------
    UserError
        Where a value is out of range.
    """

    def __init__(self, widths: Sequence[int] = (32, 48, 64, 96), strides: Sequence[int] = (1, 2, 2),
                 dropout: float = 0.3) -> None:
        super().__init__()
        listed = isinstance(widths, (list, tuple)) and isinstance(strides, (list, tuple))
        numbers = [*widths, *strides] if listed else []
        if len(numbers) < 3 or len(widths) != len(strides) + 1 or not all(type(n) is int and n >= 1 for n in numbers):
            raise UserError(f"widths must list the stem's channels and each block's, strides one number a block, "
                            f"not {widths!r} and {strides!r}")
        if isinstance(dropout, bool) or not isinstance(dropout, (int, float)) or not 0 <= dropout < 1:
            raise UserError(f"dropout must be 0 to below 1, not {dropout!r}")
        self.stem = nn.Sequential(nn.Conv1d(N_COEFFICIENTS, widths[0], 3, padding=1, bias=False),
                                  nn.BatchNorm1d(widths[0]), nn.ReLU())
        self.blocks = nn.Sequential(*(TeacherBlock(a, b, s)
                                      for a, b, s in zip(widths[:-1], widths[1:], strides, strict=True)))
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(widths[-1], len(CLASSES))

    def forward(self, features: Tensor) -> Tensor:
        """Float [B, T, 12] -> [B, 12]."""
        x = self.blocks(self.stem(features.transpose(1, 2)))  # (B, widths[-1], T / strides)
        return self.classifier(self.dropout(x.mean(-1)))
