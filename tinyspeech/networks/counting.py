"""Weights, multiply-accumulates and bytes of a network (chapters 3 and 5).

    python -m tinyspeech models         # the first two, next to the published ones
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from tinyspeech.errors import UserError
from tinyspeech.networks.condenser import AttentionCondenser
from tinyspeech.networks.streaming import CausalConv, StreamingCondenser


def count_parameters(model: nn.Module) -> int:
    """Numbers that training can change, every one of them: weights, biases, scales. Running statistics are not."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


def count_macs(model: nn.Module, input_shape: tuple[int, ...]) -> int:
    """Multiply-accumulates of one clip, counted by hooks while the model runs once on zeros.

    Counted: convolutions (padding included, as is usual) and linear layers, and two products for each element that a
    condenser's F gates and scales. Not counted: additions alone, comparisons, normalisation (it folds into weights).

    Parameters
    ----------
    model : nn.Module
    input_shape : (frames, coefficients)

    Returns
    -------
    int
    """
    if len(input_shape) != 2 or not all(isinstance(side, int) and side >= 1 for side in input_shape):
        raise UserError(f"input_shape must be (frames, coefficients), not {input_shape!r}")
    total = 0

    def count(module: nn.Module, _inputs, output: Tensor) -> None:
        nonlocal total
        if isinstance(module, CausalConv):
            total += output.numel() * module.weight[0].numel()
        elif isinstance(module, (nn.Conv1d, nn.Conv2d)):
            total += output.numel() * module.weight[0].numel()
        elif isinstance(module, nn.Linear):
            total += output.numel() * module.in_features
        elif isinstance(module, AttentionCondenser):
            products = (module.config.selection != "sum") + (module.config.scale == "learned")
            total += products * output.numel()

    hooks = [module.register_forward_hook(count) for module in model.modules()]
    was_training = model.training
    parameter = next(model.parameters())
    try:
        model.eval()
        with torch.no_grad():
            model(torch.zeros(1, *input_shape, device=parameter.device, dtype=parameter.dtype))
    finally:
        model.train(was_training)
        for hook in hooks:
            hook.remove()
    return total


def weight_bytes(model: nn.Module, bits: float = 4) -> int:
    """Bytes of a network's numbers in flash: weights at `bits`, and for each output channel 4 B of bias, multiplier and
    shift; a condenser's scale is one byte a channel. What `header.c_header` stores, for any network of the library."""
    total = 0
    for module in model.modules():
        if isinstance(module, (nn.Conv1d, nn.Conv2d, nn.Linear, CausalConv)):
            total += math.ceil(module.weight.numel() * bits / 8) + 4 * len(module.weight)
        if isinstance(module, StreamingCondenser):
            total += module.scale.numel()
    return total
