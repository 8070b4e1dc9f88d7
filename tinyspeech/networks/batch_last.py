"""The paper's networks computed with the batch as the last axis: the same numbers as `TinySpeech.forward`, sooner.

Maps of 7 to 15 channels and 49 x 12 places are small for a library's convolutions and poolings, which spend their time
on arranging data. With activations stored as [channels, time, frequency, batch] a place of all clips is one run in
memory: pooling is the maximum of slices, unpooling a broadcast, and a condenser's pair of 1 x 1 convolutions the one
matrix that it amounts to (`condenser.collapsed_weight`). Condensers with equal windows are pooled once (`runs`).
Results differ from the plain form's by the order of float additions only. Chapter 3 explains the plain form; it
computes what is not covered here: small batches, long kernels, F without a gate, hooks, quantisers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import reduce
from itertools import groupby

import torch
from torch import Tensor, nn

from tinyspeech.networks.condenser import SELECTIONS, AttentionCondenser, CondenserConfig, pair

LEAST_BATCH = 16
"""Clips from which it is faster."""
GATES = ("sigmoid", "hard_sigmoid", "tanh", "product")
"""Forms of F that multiply V by something that depends on A only."""


def covers(model: nn.Module, x: Tensor) -> bool:
    """Whether `forward` computes what a `TinySpeech` is asked for: float [B, T, F], already checked."""
    return (len(x) >= LEAST_BATCH
            and all(type(c) is AttentionCondenser and c.config.selection in GATES and not c.config.bias
                    and pair(c.config.kernel, "kernel") == (1, 1) for c in model.condensers)
            and all(not m._forward_hooks and not m._forward_pre_hooks
                    and (m is model or type(m) in (AttentionCondenser, nn.ModuleList, nn.Conv2d, nn.BatchNorm2d,
                                                   nn.MaxPool2d, nn.Identity, nn.Linear)) for m in model.modules()))


def forward(model: nn.Module, x: Tensor) -> Tensor:
    """Logits of a `tinyspeech.networks.family.TinySpeech` that `covers` accepts: float [B, T, F] -> [B, classes]."""
    batch, time, frequency = x.shape
    padded = nn.functional.pad(x.permute(1, 2, 0), (0, 0, 1, 1, 1, 1))  # (T + 2, F + 2, B)
    patches = torch.stack([padded[i : i + time, j : j + frequency] for i in range(3) for j in range(3)])
    v = model.conv1.weight.flatten(1) @ patches.flatten(1)  # (conv1, T * F * B)
    v = torch.relu(_normalise(model.norm1, v, 1)).view(-1, time, frequency, batch)
    for window, run in runs(model.condensers):
        q, gates = _Pool.apply(v, window), None  # (conv1, T / pool, F / pool, B)
        for condenser in run:
            gate = _gate(condenser, q)
            gates = gate if gates is None else gates * gate
            q = q * gate
        v = _Gate.apply(v, gates, window)  # (conv1, T, F, B)
    v = model.conv2(v.permute(3, 0, 1, 2).contiguous(memory_format=torch.channels_last))  # (B, conv2, T, F)
    v = v.permute(0, 2, 3, 1).reshape(batch * time * frequency, -1)  # (B * T * F, conv2)
    v = torch.relu(_normalise(model.norm2, v, 0))
    return model.linear(v.view(batch, time * frequency, -1).mean(1))


def runs(condensers: Iterable[AttentionCondenser]) -> Iterator[tuple[tuple[int, int], list[AttentionCondenser]]]:
    """(window, condensers in a row) that one pooling serves.

    A gate is one number for its window. Where it cannot be negative, the maximum of what it lets through is what it
    lets through of the maximum, and the next condenser with the same windows needs no pooling of its own: everything
    between the first pooling and the product of all gates happens at the size of the windows.
    """
    def key(item: tuple[int, AttentionCondenser]) -> tuple:
        number, config = item[0], item[1].config
        return pair(config.pool, "pool"), -1 if _never_negative(config) else number

    for (window, _), run in groupby(enumerate(condensers), key):
        yield window, [condenser for _, condenser in run]


def _never_negative(config: CondenserConfig) -> bool:
    return config.scale == "fixed" and (config.selection in ("sigmoid", "hard_sigmoid")
                                        or (config.selection == "tanh" and config.residual))


def _gate(condenser: AttentionCondenser, q: Tensor) -> Tensor:
    """What V is multiplied by in each window: [C, T / pool, F / pool, B], from the pooled V of the same shape."""
    config = condenser.config
    k = _pair_of_convolutions(condenser.grouped1, condenser.pointwise1) @ q.flatten(1)
    k = torch.relu(_normalise(condenser.norm1, k, 1))  # (squeeze, places * B)
    k = _pair_of_convolutions(condenser.grouped2, condenser.pointwise2) @ k
    a = _normalise(condenser.norm2, k, 1).view(q.shape)
    gate = SELECTIONS[config.selection](torch.ones_like(a), a)
    if config.scale == "learned":
        gate = condenser.scale * gate
    return gate + 1 if config.residual else gate


def _pair_of_convolutions(grouped: nn.Conv2d, pointwise: nn.Conv2d) -> Tensor:
    """`condenser.collapsed_weight` [O, C], by fewer and differentiable steps."""
    shape = (pointwise.out_channels, grouped.groups, -1)
    return (pointwise.weight.view(shape) * grouped.weight.view(shape[1:])).sum(2)


def _normalise(norm: nn.Module, x: Tensor, dim: int) -> Tensor:
    """Batch norm without parameters of its own, or nothing, on a matrix whose channels lie across `dim`."""
    if isinstance(norm, nn.Identity):
        return x
    if not norm.training:
        mean, var = (value.unsqueeze(dim) for value in (norm.running_mean, norm.running_var))
        return (x - mean) * torch.rsqrt(var + norm.eps)
    y, mean, var = _Normalise.apply(x, dim, norm.eps)
    with torch.no_grad():
        norm.num_batches_tracked.add_(1)
        share = norm.momentum if norm.momentum is not None else 1.0 / norm.num_batches_tracked.item()
        count = x.shape[dim]
        norm.running_mean.lerp_(mean, share)
        norm.running_var.lerp_(var * (count / max(count - 1, 1)), share)
    return y


class _Normalise(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: Tensor, dim: int, eps: float) -> tuple[Tensor, Tensor, Tensor]:
        mean = x.mean(dim, keepdim=True)
        y = x - mean
        var = _dot(y, y, dim) / x.shape[dim]
        rate = torch.rsqrt(var + eps)
        y.mul_(rate)
        ctx.dim = dim
        ctx.save_for_backward(y, rate)
        mean, var = mean.squeeze(dim), var.squeeze(dim)
        ctx.mark_non_differentiable(mean, var)
        return y, mean, var

    @staticmethod
    def backward(ctx, dy: Tensor, *_unused) -> tuple[Tensor, None, None]:
        y, rate = ctx.saved_tensors
        share = _dot(dy, y, ctx.dim) / y.shape[ctx.dim]
        dx = torch.addcmul(dy - dy.mean(ctx.dim, keepdim=True), y, share, value=-1)
        return dx.mul_(rate), None, None


def _dot(a: Tensor, b: Tensor, dim: int) -> Tensor:
    return (a * b).sum(dim, keepdim=True)


def _windows(v: Tensor, pooled: Tensor, window: tuple[int, int]):
    """(part of v as [C, n, time, m, frequency, B], the places of `pooled` that it shares, [C, n, m, B]): whole windows,
    and those that the end of the map cuts."""
    for rows, places, time in _cuts(v.shape[1], window[0]):
        for columns, places_f, frequency in _cuts(v.shape[2], window[1]):
            part = v[:, rows, columns]
            yield part.unflatten(2, (-1, frequency)).unflatten(1, (-1, time)), pooled[:, places, places_f]


def _cuts(length: int, size: int):
    whole = length // size
    if whole:
        yield slice(0, whole * size), slice(0, whole), size
    if length > whole * size:
        yield slice(whole * size, length), slice(whole, whole + 1), length - whole * size


class _Pool(torch.autograd.Function):
    """Maximum of each window, [C, T, F, B] -> [C, T', F', B]; the first of equals takes the gradient, as in torch."""

    @staticmethod
    def forward(ctx, v: Tensor, window: tuple[int, int]) -> Tensor:
        channels, time, frequency, batch = v.shape
        pooled = v.new_empty(channels, -(-time // window[0]), -(-frequency // window[1]), batch)
        later = []
        for part, place in _windows(v, pooled, window):
            for dim in (4, 2):  # along frequency, then along time
                part, *others = part.unbind(dim)
                for other in others:
                    later.append(other > part)
                    part = torch.maximum(part, other)
            place.copy_(part)
        ctx.window, ctx.shape = window, v.shape
        ctx.save_for_backward(*later)
        return pooled

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor, None]:
        v = grad.new_empty(ctx.shape)
        later = list(ctx.saved_tensors)
        for part, place in reversed(list(_windows(v, grad, ctx.window))):
            rows = _share_out(place, part.shape[2], later)  # of each window's rows: what its best place gets
            columns = _share_out(torch.stack(rows, 2), part.shape[4], later)
            for into, share in zip(part.unbind(4), columns, strict=True):
                into.copy_(share)
        return v, None


def _share_out(grad: Tensor, count: int, later: list[Tensor]) -> list[Tensor]:
    """What each of `count` places gets, the last mask first."""
    shares = []
    for _ in range(count - 1):
        shares.append(grad * later.pop())
        grad = grad - shares[-1]
    return [grad, *reversed(shares)]


class _Gate(torch.autograd.Function):
    """V times the gate of its window: [C, T, F, B] and [C, T', F', B] -> [C, T, F, B]."""

    @staticmethod
    def forward(ctx, v: Tensor, gate: Tensor, window: tuple[int, int]) -> Tensor:
        ctx.window = window
        ctx.save_for_backward(v, gate)
        return _Gate.times(v, gate, window)

    @staticmethod
    def times(v: Tensor, gate: Tensor, window: tuple[int, int]) -> Tensor:
        out = torch.empty_like(v)
        for (part, place), (into, _) in zip(_windows(v, gate, window), _windows(out, gate, window), strict=True):
            torch.mul(part, place[:, :, None, :, None], out=into)
        return out

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor, Tensor, None]:
        v, gate = ctx.saved_tensors
        product = grad * v
        total = torch.empty_like(gate)
        for part, place in _windows(product, total, ctx.window):
            place.copy_(reduce(torch.add, reduce(torch.add, part.unbind(2)).unbind(3)))
        return _Gate.times(grad, gate, ctx.window), total, None
