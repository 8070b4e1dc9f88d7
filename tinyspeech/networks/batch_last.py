"""The paper's networks computed with the batch as the last axis: the same numbers as `TinySpeech.forward`, sooner.

Maps of 7 to 15 channels and 49 x 12 places are small for a library's convolutions and poolings, which spend their time
on arranging data. With activations stored as [channels, time, frequency, batch] a place of all clips is one run in
memory: pooling is the maximum of slices, unpooling a broadcast, a long kernel a sum of shifted maps, and a condenser's
pair of 1 x 1 convolutions the one matrix that it amounts to (`condenser.collapsed_weight`). Condensers with equal
windows are pooled once (`runs`). Results differ from the plain form's by the order of float additions only. Chapter 3
explains the plain form; it computes what is not covered here: small batches, biases, hooks, quantisers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import reduce
from itertools import groupby

import torch
from torch import Tensor, nn

from tinyspeech.networks.condenser import SELECTIONS, AttentionCondenser, pair

LEAST_BATCH = 16
"""Clips from which it is faster."""


def covers(model: nn.Module, x: Tensor) -> bool:
    """Whether `forward` computes what a `TinySpeech` is asked for: float [B, T, F], already checked."""
    return (len(x) >= LEAST_BATCH
            and all(type(c) is AttentionCondenser and not c.config.bias
                    and (c.config.selection != "sum" or c.config.residual) for c in model.condensers)
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
        by, on_windows = (torch.add, _Add) if run[0].config.selection == "sum" else (torch.mul, _Gate)
        q, changes = _Pool.apply(v, window), None  # (conv1, T / pool, F / pool, B)
        for condenser in run:
            change = _change(condenser, q)
            changes = change if changes is None else by(changes, change)
            q = by(q, change)
        v = on_windows.apply(v, changes, window)  # (conv1, T, F, B)
    v = model.conv2(v.permute(3, 0, 1, 2).contiguous(memory_format=torch.channels_last))  # (B, conv2, T, F)
    v = v.permute(0, 2, 3, 1).reshape(batch, time * frequency, -1)  # (B, T * F, conv2)
    if isinstance(model.norm2, nn.BatchNorm2d) and model.norm2.training and not model.norm2.affine:
        v, mean, var = _NormalisedMean.apply(v, model.norm2.eps)
        _keep_statistics(model.norm2, mean, var, batch * time * frequency)
    else:
        v = torch.relu(_normalise(model.norm2, v.flatten(0, 1), 0)).view(v.shape).mean(1)
    return model.linear(v)


def runs(condensers: Iterable[AttentionCondenser]) -> Iterator[tuple[tuple[int, int], list[AttentionCondenser]]]:
    """(window, condensers in a row) that one pooling serves.

    A gate is one number for its window. Where it cannot be negative, the maximum of what it lets through is what it
    lets through of the maximum, and what is added to a whole window is added to its maximum: the next condenser with
    the same windows needs no pooling of its own, and everything between the first pooling and the product or sum of
    all changes happens at the size of the windows.
    """
    def key(item: tuple[int, AttentionCondenser]) -> tuple:
        number, condenser = item
        config = condenser.config
        return pair(config.pool, "pool"), config.selection, -1 if _keeps_order(condenser) else number

    for (window, *_), run in groupby(enumerate(condensers), key):
        yield window, [condenser for _, condenser in run]


def _keeps_order(condenser: AttentionCondenser) -> bool:
    """Whether the largest of a window is still its largest after the condenser, whatever its A."""
    config, scale = condenser.config, float(condenser.scale.detach())
    if config.selection == "sum":
        return True
    if config.selection == "tanh":
        return config.residual and abs(scale) <= 1
    return config.selection != "product" and scale >= (-1 if config.residual else 0)


def _change(condenser: AttentionCondenser, q: Tensor) -> Tensor:
    """What V is multiplied by in each window, or where F is `sum` what is added to it: [C, T / pool, F / pool, B], from
    the pooled V of the same shape."""
    config = condenser.config
    k = _pair_of_convolutions(condenser.grouped1, condenser.pointwise1, q)
    k = torch.relu(_normalise(condenser.norm1, k, 1))  # (squeeze, places * B)
    k = _pair_of_convolutions(condenser.grouped2, condenser.pointwise2, k.view(-1, *q.shape[1:]))
    a = _normalise(condenser.norm2, k, 1).view(q.shape)
    change = SELECTIONS[config.selection](torch.ones_like(a), a)
    if config.scale == "learned":
        change = condenser.scale * change
    return change + 1 if config.residual and config.selection != "sum" else change


def _pair_of_convolutions(grouped: nn.Conv2d, pointwise: nn.Conv2d, x: Tensor) -> Tensor:
    """Both, one after the other: [C, T, F, B] -> [O, T * F * B].

    With kernels of 1 as the one matrix that they amount to (`condenser.collapsed_weight`, by fewer and differentiable
    steps).
    """
    if grouped.kernel_size == (1, 1):
        shape = (pointwise.out_channels, grouped.groups, -1)
        return (pointwise.weight.view(shape) * grouped.weight.view(shape[1:])).sum(2) @ x.flatten(1)
    outputs = grouped.weight.unflatten(0, (grouped.groups, -1)).unbind(1)  # of each input, one after the other
    y = torch.stack([_Depthwise.apply(x, weight[:, 0]) for weight in outputs], 1)  # (C, M / C, T, F, B)
    return pointwise.weight.flatten(1) @ y.view(len(pointwise.weight[0]), -1)


def _normalise(norm: nn.Module, x: Tensor, dim: int) -> Tensor:
    """Batch norm or nothing, on a matrix whose channels lie across `dim`."""
    if isinstance(norm, nn.Identity):
        return x
    if norm.training:
        y, mean, var = _Normalise.apply(x, dim, norm.eps)
        _keep_statistics(norm, mean, var, x.shape[dim])
    else:
        mean, var = (value.unsqueeze(dim) for value in (norm.running_mean, norm.running_var))
        y = (x - mean) * torch.rsqrt(var + norm.eps)
    return torch.addcmul(norm.bias.unsqueeze(dim), y, norm.weight.unsqueeze(dim)) if norm.affine else y


@torch.no_grad()
def _keep_statistics(norm: nn.BatchNorm2d, mean: Tensor, var: Tensor, count: int) -> None:
    norm.num_batches_tracked.add_(1)
    share = norm.momentum if norm.momentum is not None else 1.0 / norm.num_batches_tracked.item()
    norm.running_mean.lerp_(mean, share)
    norm.running_var.lerp_(var * (count / max(count - 1, 1)), share)


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


class _NormalisedMean(torch.autograd.Function):
    """Batch norm, ReLU and the mean over places in one: [B, P, C] -> [B, C], and mean and variance of the batch [C].

    What comes back is the same at all places of a clip where the ReLU is open, so that the two sums which a batch norm
    wants of it need no pass over the map: they are of means and of shares of open places.
    """

    @staticmethod
    def forward(ctx, x: Tensor, eps: float) -> tuple[Tensor, Tensor, Tensor]:
        flat = x.flatten(0, 1)
        mean = flat.mean(0)
        y = flat - mean
        var = _dot(y, y, 0)[0] / len(y)
        rate = torch.rsqrt(var + eps)
        y = y.mul_(rate).view(x.shape)
        out = y.relu().mean(1)  # (B, C)
        ctx.save_for_backward(y, rate, out)
        ctx.mark_non_differentiable(mean, var)
        return out, mean, var

    @staticmethod
    def backward(ctx, grad: Tensor, *_unused) -> tuple[Tensor, None]:
        y, rate, out = ctx.saved_tensors
        places = y.shape[1]
        dx = y.relu().sign_()  # 1.0 where it is open
        share = (grad * out).mean(0) / places  # of y
        mean = (grad * dx.mean(1)).mean(0) / places
        dx.mul_((grad * rate / places)[:, None]).sub_(mean * rate)
        return dx.addcmul_(y, share * rate, value=-1), None


class _Depthwise(torch.autograd.Function):
    """A kernel for each channel, zeros around the map: [C, T, F, B], weight [C, height, width] -> [C, T, F, B]."""

    @staticmethod
    def forward(ctx, x: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        return _Depthwise.sum_of_shifts(x, weight)

    @staticmethod
    def sum_of_shifts(x: Tensor, weight: Tensor) -> Tensor:
        y = torch.zeros_like(x)
        for row, column, here, there in _shifts(x, weight):
            y[here].addcmul_(x[there], weight[:, row, column, None, None, None])
        return y

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor, Tensor]:
        x, weight = ctx.saved_tensors
        of_weight = torch.zeros_like(weight)
        for row, column, here, there in _shifts(x, weight):
            of_weight[:, row, column] = (grad[here] * x[there]).sum((1, 2, 3))
        return _Depthwise.sum_of_shifts(grad, weight.flip(1, 2)), of_weight


def _shifts(x: Tensor, weight: Tensor):
    """(row, column of the kernel, the places whose sum it adds to, the places that it takes), where there are any."""
    height, width = weight.shape[1:]
    for row in range(height):
        for column in range(width):
            (here_t, there_t), (here_f, there_f) = (
                ((slice(max(0, -by), size - max(0, by)), slice(max(0, by), size + min(0, by))))
                for by, size in ((row - height // 2, x.shape[1]), (column - width // 2, x.shape[2])))
            if abs(row - height // 2) < x.shape[1] and abs(column - width // 2) < x.shape[2]:
                yield row, column, (slice(None), here_t, here_f), (slice(None), there_t, there_f)


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
                    later.append(torch.gt(other, part, out=torch.empty_like(part)))  # floats, for `_share_out`
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
    """What each of `count` places gets, the last mask first: 1.0 or 0.0, which is multiplied sooner than a truth."""
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
        return _by_window(torch.mul, v, gate, window)

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor, Tensor, None]:
        v, gate = ctx.saved_tensors
        return _by_window(torch.mul, grad, gate, ctx.window), _sums(grad * v, gate, ctx.window), None


class _Add(torch.autograd.Function):
    """V and what is added to its window: [C, T, F, B] and [C, T', F', B] -> [C, T, F, B]."""

    @staticmethod
    def forward(ctx, v: Tensor, added: Tensor, window: tuple[int, int]) -> Tensor:
        ctx.window = window
        ctx.save_for_backward(added)
        return _by_window(torch.add, v, added, window)

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor, Tensor, None]:
        return grad, _sums(grad, ctx.saved_tensors[0], ctx.window), None


def _by_window(operation: Callable, v: Tensor, values: Tensor, window: tuple[int, int]) -> Tensor:
    """`operation` of each place and the value of its window."""
    out = torch.empty_like(v)
    for (part, place), (into, _) in zip(_windows(v, values, window), _windows(out, values, window), strict=True):
        operation(part, place[:, :, None, :, None], out=into)
    return out


def _sums(v: Tensor, like: Tensor, window: tuple[int, int]) -> Tensor:
    """Of each window: [C, T, F, B] -> [C, T', F', B], the shape of `like`."""
    total = torch.empty_like(like)
    for part, place in _windows(v, total, window):
        place.copy_(reduce(torch.add, reduce(torch.add, part.unbind(2)).unbind(3)))
    return total
