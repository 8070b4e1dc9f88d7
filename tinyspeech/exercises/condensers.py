"""Exercises of chapter 3, attention condensers: the parts of TinySpeech-S, and three about the paper's condenser.

What is right of the parts is computed by the library's own (`tinyspeech/networks/streaming.py`), of random numbers.
Tensors here are [clips, channels, frames], as in PyTorch's convolutions; the library's have their channels last.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tinyspeech.exercises.trying import Exercise, checker
from tinyspeech.networks import streaming
from tinyspeech.networks.condenser import collapsed_weight

LEAST = streaming.LEAST_WEIGHT

# ---------------------------------------------------------------- the library's answers


def turned(x: Tensor) -> Tensor:
    """[B, C, T] from [B, T, C], and back."""
    return x.detach().transpose(1, 2)


def drawn(module: nn.Module, seed: int) -> nn.Module:
    """A module with random weights and norms, ready to evaluate; the reader's random numbers stay what they were."""
    dice = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, value in module.state_dict().items():
            if value.is_floating_point():
                positive = "norm" in name and ("var" in name or "weight" in name)
                value.copy_(torch.rand(value.shape, generator=dice) + 0.5 if positive
                            else torch.randn(value.shape, generator=dice) * 0.7)
    return module.eval()


def named(module: nn.Module, name: str = "") -> dict[str, Tensor]:
    """Its numbers as a checkpoint names them, below `name`."""
    return {f"{name}.{key}" if name else key: value for key, value in module.state_dict().items()}


def sound(channels: int, frames: int, seed: int) -> Tensor:
    """Random whole numbers [1, channels, frames]."""
    return torch.randint(-3, 4, (1, channels, frames), generator=torch.Generator().manual_seed(seed)).float()


def right_causal(x: Tensor, weight: Tensor, stride: int = 1) -> Tensor:
    outputs, each, kernel = weight.shape
    conv = streaming.CausalConv(x.shape[1], outputs, kernel, stride, groups=x.shape[1] // each, relu=False)
    conv.weight, conv.norm = nn.Parameter(weight), None
    return turned(conv(turned(x)))


def _norm(y: Tensor, w: dict[str, Tensor], name: str) -> Tensor:
    gain, shift, mean, var = norms(w, name)
    return gain * (y - mean) / torch.sqrt(var + 1e-5) + shift


def norms(w: dict[str, Tensor], name: str) -> tuple[Tensor, ...]:
    """Gain, shift, mean and variance of a layer's batch normalisation, [channels, 1] each."""
    return tuple(w[f"{name}.norm.{key}"][:, None] for key in ("weight", "bias", "running_mean", "running_var"))


def right_layer(x: Tensor, w: dict[str, Tensor], name: str, stride: int = 1) -> Tensor:
    return _norm(right_causal(x, w[f"{name}.weight"], stride), w, name)


# ---------------------------------------------------------------- what goes wrong


def _padded(x: Tensor, weight: Tensor, stride: int, before: int, behind: int) -> Tensor:
    return F.conv1d(F.pad(x, (before, behind)), weight, stride=stride, groups=x.shape[1] // weight.shape[1])


def _variant(x: Tensor, w: dict[str, Tensor], name: str, stride: int, norm) -> Tensor:
    return norm(right_causal(x, w[f"{name}.weight"], stride), *norms(w, name))


def _block(x: Tensor, w: dict[str, Tensor], name: str, stride: int, *, first=lambda y: y, middle=torch.relu,
           last=lambda y: y, residual=True, end=torch.relu, late=0) -> Tensor:
    y = first(right_layer(x, w, f"{name}.depthwise", stride))
    y = last(right_layer(middle(right_layer(y, w, f"{name}.expand")), w, f"{name}.project"))
    return end(y + residual * x[..., late::stride][..., : y.shape[-1]])


def _means(q: Tensor, share: float, first: bool = False, keeps: float | None = None) -> Tensor:
    mean, means = q[..., 0] if first else torch.zeros_like(q[..., 0]), []
    for now in q.unbind(-1):
        mean = mean * (1 - share if keeps is None else keeps) + now * share
        means.append(mean)
    return torch.stack(means, -1)


def _attention(h: Tensor, w: dict[str, Tensor], bits: int, *, relu=torch.relu, swapped=False, of_both=None) -> Tensor:
    q = relu(right_layer(h, w, "condenser.squeeze"))
    both = [q, _means(q, 2.0**-bits) if of_both is None else of_both(q)]
    return right_layer(torch.cat(both[::-1] if swapped else both, 1), w, "condenser.excite")


def seen_from(windows: list[int], frame: int) -> tuple[int, int]:
    """First and last frame that a stack of condensers of 1 x 1 kernels sees from its output at `frame`."""
    first = last = frame
    for window in reversed(windows):
        first, last = first // window * window, last // window * window + window - 1
    return first, last


def _seen_forwards(windows: list[int], frame: int) -> tuple[int, int]:
    return seen_from(windows[::-1], frame)


def _sliding(windows: list[int], frame: int) -> tuple[int, int]:
    return frame - sum(window - 1 for window in windows), frame


# ---------------------------------------------------------------- examples

_LAYER = {"a.weight": torch.ones(1, 1, 1), "a.norm.weight": torch.tensor([3.0]), "a.norm.bias": torch.tensor([1.0]),
          "a.norm.running_mean": torch.tensor([3.0]), "a.norm.running_var": torch.tensor([4.0])}
_FAINT = {**_LAYER, "a.norm.running_var": torch.tensor([4e-4])}
_STEM = named(drawn(streaming.CausalConv(3, 2, 2, 2, relu=False), 1), "stem")
_DENSE = named(drawn(streaming.CausalConv(3, 2, relu=False), 2), "b")


def _block_example(name: str, stride: int, seed: int) -> tuple[tuple, Tensor]:
    config = streaming.StreamingConfig(channels=4, expansion=8)
    block, x = drawn(streaming.Block(config, 3, stride), seed), sound(4, 6, seed)
    return (x, named(block, name), name, stride), turned(block(turned(x)))


def _weights_example(memory: int, seed: int) -> tuple[tuple, Tensor]:
    condenser, h = drawn(streaming.FrameCondenser(8, 4, 1, memory), seed), sound(8, 6, seed)
    return (h, named(condenser, "condenser"), memory), turned(condenser.weights(turned(h)))


def _pair_example(channels: int, copies: int, outputs: int, seed: int) -> tuple[tuple, np.ndarray]:
    grouped = nn.Conv2d(channels, channels * copies, 1, groups=channels, bias=False)
    pointwise = nn.Conv2d(channels * copies, outputs, 1, bias=False)
    dice = np.random.default_rng(seed)
    g = dice.integers(1, 10, channels * copies).astype(float)
    p = dice.integers(1, 10, (outputs, channels * copies)).astype(float)
    with torch.no_grad():
        grouped.weight.copy_(torch.tensor(g)[:, None, None, None])
        pointwise.weight.copy_(torch.tensor(p)[:, :, None, None])
    return (g, p, channels), collapsed_weight(grouped, pointwise).detach().numpy()


_COUNTED = torch.tensor([[[1.0, 2.0, 3.0, 4.0]]])
_TWO = torch.tensor([[[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]]])
_CAUSAL = [(_COUNTED, torch.tensor([[[100.0, 10.0, 1.0]]]), 1), (_COUNTED, torch.tensor([[[100.0, 10.0, 1.0]]]), 2),
           (_TWO, torch.tensor([[[10.0, 1.0, 0.0], [20.0, 2.0, 0.0]]]), 1),
           (_TWO, torch.tensor([[[10.0, 1.0]], [[20.0, 2.0]]]), 1)]
_LAYERS = [(torch.tensor([[[5.0, 9.0]]]), _LAYER, "a", 1), (sound(3, 5, 3), _STEM, "stem", 2),
           (sound(3, 2, 4), _DENSE, "b", 1), (torch.tensor([[[3.1, 2.9]]]), _FAINT, "a", 1)]
_MEANS = [(torch.tensor([[[8.0, 0.0, 0.0, 16.0]]]), 1), (torch.tensor([[[32.0, 32.0, 0.0], [16.0, 0.0, 16.0]]]), 3),
          (torch.tensor([[[8.0, 0.0]], [[0.0, 4.0]]]), 1)]

EXERCISES = {
    "causal": Exercise(
        examples=[(arguments, right_causal(*arguments)) for arguments in _CAUSAL],
        hints=["The last of the kernel's numbers meets the present frame, the one before it the frame before. Put "
               "kernel - 1 frames of zeros in front (pad), and let conv1d do the rest.",
               "conv1d takes a stride itself; its first answer is that of frame 0.",
               "Here the weight has numbers for both channels, and gives one output.",
               "Here each output has numbers for one channel only: conv1d wants to know the number of such groups, "
               "the channels of x by those of each output."],
        mistakes={
            "Half of your zeros stand behind the last frame: it looks into the future.":
                lambda x, w, stride=1: _padded(x, w, stride, w.shape[2] // 2, (w.shape[2] - 1) // 2),
            "Your zeros stand behind the last frame, not before the first: every answer knows what comes later.":
                lambda x, w, stride=1: _padded(x, w, stride, 0, w.shape[2] - 1),
            "There are no zeros before the first frame: answers are missing at the beginning.":
                lambda x, w, stride=1: _padded(x, w, stride, 0, 0),
            "Your kernel is turned round: its last number must meet the present frame. (conv1d does not turn it.)":
                lambda x, w, stride=1: right_causal(x, w.flip(2), stride),
            "One zero too many: the answers come a frame late.":
                lambda x, w, stride=1: _padded(x, w, stride, w.shape[2], 0)[..., : -(-x.shape[2] // stride)],
            "You keep the last frame of each stride; the first is the one to keep.":
                lambda x, w, stride=1: right_causal(x, w)[..., stride - 1 :: stride]}),
    "causal_layer": Exercise(
        examples=[(arguments, right_layer(*arguments)) for arguments in _LAYERS],
        hints=["First causal with w[name + '.weight']. Then, with the four numbers of each channel: subtract the "
               "running mean, divide by the root of the running variance, times the norm's weight, plus its bias.",
               "There are more channels than one here, and a stride of 2: hand the stride on, and let the norm's "
               "numbers meet the channels, not the frames: [:, None]."],
        mistakes={
            "Something is missing under the root: 10⁻⁵.":
                lambda x, w, name, stride=1: _variant(
                    x, w, name, stride, lambda y, g, b, m, v: g * (y - m) / v.sqrt() + b),
            "You divide by the variance; its root is the deviation.":
                lambda x, w, name, stride=1: _variant(
                    x, w, name, stride, lambda y, g, b, m, v: g * (y - m) / (v + 1e-5) + b),
            "Your norm has no gain: its weight multiplies, its bias is added.":
                lambda x, w, name, stride=1: _variant(
                    x, w, name, stride, lambda y, g, b, m, v: (y - m) / (v + 1e-5).sqrt() + b),
            "Something is missing at the end: the norm's bias.":
                lambda x, w, name, stride=1: _variant(
                    x, w, name, stride, lambda y, g, b, m, v: g * (y - m) / (v + 1e-5).sqrt()),
            "This is the convolution alone, without its norm.":
                lambda x, w, name, stride=1: _variant(x, w, name, stride, lambda y, g, b, m, v: y),
            "You add the mean that is to be subtracted.":
                lambda x, w, name, stride=1: _variant(
                    x, w, name, stride, lambda y, g, b, m, v: g * (y + m) / (v + 1e-5).sqrt() + b),
            "You measure mean and variance on this clip; the chip will have no clip to measure, only the running ones.":
                lambda x, w, name, stride=1: _variant(
                    x, w, name, stride, lambda y, g, b, m, v: g * (y - y.mean(2, keepdim=True))
                    / (y.var(2, correction=0, keepdim=True) + 1e-5).sqrt() + b)}),
    "s_block": Exercise(
        examples=[_block_example("blocks.0", 1, 5), _block_example("blocks.1", 2, 6)],
        hints=["Three layers, one after another, named name + '.depthwise', '.expand' and '.project'; a ReLU behind "
               "the second; then what came in is added, and a last ReLU.",
               "The depthwise layer keeps every second frame here; so keep the same ones of what you add: "
               "x[:, :, ::stride]."],
        mistakes={
            "What came in is not added: that is the line on the left of the drawing.":
                lambda x, w, name, stride: _block(x, w, name, stride, residual=False),
            "There is no ReLU in the wide middle, so expand and project multiply out to one matrix.":
                lambda x, w, name, stride: _block(x, w, name, stride, middle=lambda y: y),
            "The last ReLU is missing: negative values go out.":
                lambda x, w, name, stride: _block(x, w, name, stride, end=lambda y: y),
            "A ReLU too many: between depthwise and expand there is none.":
                lambda x, w, name, stride: _block(x, w, name, stride, first=torch.relu),
            "Your last ReLU comes before the sum. Add first, and then rectify.":
                lambda x, w, name, stride: _block(x, w, name, stride, last=torch.relu, end=lambda y: y),
            "You add frames that the depthwise layer has dropped: it keeps those at 0, 2, 4 and so on.":
                lambda x, w, name, stride: _block(x, w, name, stride, late=stride - 1)}),
    "leaking_mean": Exercise(
        examples=[((q, bits), turned(streaming.leaking_mean(turned(q), bits))) for q, bits in _MEANS],
        hints=["Begin with a mean of 0. At each frame it moves towards the frame's value, by a share of 1 / 2**bits of "
               "the distance; and what it is then is the answer for this frame.",
               "Each channel has a mean of its own, and the share is 1 / 8 here.", "Each clip has means of its own."],
        mistakes={
            "Nothing leaks: a share of each frame is added, but the mean keeps all that it had.":
                lambda q, bits: _means(q, 2.0**-bits, keeps=1.0),
            "Your mean begins at the first frame's value. Nothing was heard before it, so begin at 0.":
                lambda q, bits: _means(q, 2.0**-bits, first=True),
            "The share is 1 / 2**bits, not 1 / (2 * bits).": lambda q, bits: _means(q, 1 / (2 * bits)),
            "The two shares are changed round: the mean keeps most of itself.":
                lambda q, bits: _means(q, 1 - 2.0**-bits),
            "You give the mean as it was before the frame; the frame itself belongs to it.":
                lambda q, bits: F.pad(_means(q, 2.0**-bits), (1, 0))[..., :-1],
            "That is the mean of all frames so far, each as much as any other: it never forgets.":
                lambda q, bits: q.cumsum(-1) / torch.arange(1, q.shape[-1] + 1)}),
    "frame_weights": Exercise(
        examples=[_weights_example(1, 7), _weights_example(3, 8)],
        hints=["q is the layer 'condenser.squeeze' with a ReLU. Put q and its leaking mean below one another "
               "(torch.cat, channels are axis 1), and let the layer 'condenser.excite' make one number A of them. Then "
               "the sigmoid of A, and 2**-7 so that no frame counts nothing.",
               "The leak is bits wide, as it was given."],
        mistakes={
            "The least weight is missing: a frame must never count quite nothing.":
                lambda h, w, bits: torch.sigmoid(_attention(h, w, bits)),
            "The mean comes first in yours; the weights of 'excite' were learned with q first.":
                lambda h, w, bits: torch.sigmoid(_attention(h, w, bits, swapped=True)) + LEAST,
            "There is no ReLU behind 'squeeze'.":
                lambda h, w, bits: torch.sigmoid(_attention(h, w, bits, relu=lambda y: y)) + LEAST,
            "Weights that add up to one over the frames are a softmax. Here each frame has a gate of its own.":
                lambda h, w, bits: torch.softmax(_attention(h, w, bits), -1) + LEAST,
            "Your second half is q once more. It ought to be its leaking mean.":
                lambda h, w, bits: torch.sigmoid(_attention(h, w, bits, of_both=lambda q: q)) + LEAST}),
    "gate_limits": Exercise(
        examples=[((scale,), sorted((1.0, 1.0 + scale))) for scale in (1.0, 2.5, -0.5, -1.5)],
        hints=["V' = V (1 + S gate), and the gate lies between 0 and 1. What is the bracket at either end?",
               "The smaller of the two comes first."],
        mistakes={
            "The smaller must come first, and with a negative S that is the open gate's.": lambda s: [1.0, 1.0 + s],
            "You forgot that V itself is added.": lambda s: sorted((0.0, s)),
            "A sigmoid is never below 0: an S of 1 cannot weaken.": lambda s: sorted((1.0 - s, 1.0 + s)),
            "A shut gate of a sigmoid is 0, not one half.": lambda s: sorted((1.0 + s / 2, 1.0 + s))}),
    "multiply_out": Exercise(
        examples=[_pair_example(*shape) for shape in ((2, 1, 2, 0), (2, 2, 1, 1), (3, 2, 2, 2), (2, 3, 3, 3))],
        hints=["From channel c to output o there is one path for each copy of c. What does a value meet on this path?",
               "Sum over the copies of each channel. They lie side by side, as in pair().",
               "So of each row of products, the first len(grouped) // channels are of channel 0, and so on."],
        mistakes={
            "That is pointwise, summed over copies. A value meets grouped before that.":
                lambda g, p, c: p.reshape(len(p), c, -1).sum(2),
            "Copies of one channel lie side by side; yours are a stride of all channels apart.":
                lambda g, p, c: (p * g).reshape(len(p), -1, c).sum(1),
            "Paths are added, not averaged.": lambda g, p, c: (p * g).reshape(len(p), c, -1).mean(2),
            "On its way a value is multiplied twice: so the two numbers are multiplied, not added.":
                lambda g, p, c: (p + g).reshape(len(p), c, -1).sum(2),
            "That is every path by itself. What the pair can do is the sum over the paths from one channel.":
                lambda g, p, c: p * g}),
    "seen_from": Exercise(
        examples=[((windows, frame), seen_from(windows, frame)) for windows, frame in
                  (([2], 24), ([2] * 6, 24), ([3, 4], 24), ([4, 3], 24), ([3, 4] * 3, 25))],
        hints=["A window of 2 begins at 0, 2, 4 and so on: which one holds the frame?",
               "Begin at the end of the stack, with the window that holds the frame.",
               "The last condenser sees a whole window of the one before it: first and last frame of it each lie in "
               "some window there, and that may begin earlier, or end later."],
        mistakes={
            "You go through the stack from its first condenser; begin at the last, and go back.": _seen_forwards,
            "Your windows slide with the frame. These lie on a grid, at multiples of their length.": _sliding,
            "You look up the frame itself in each window. Look up the first and the last frame seen so far.":
                lambda windows, frame: (min(frame // w * w for w in windows),
                                        max(frame // w * w + w - 1 for w in windows)),
            "A window of n frames ends n - 1 frames after it begins.":
                lambda windows, frame: (seen_from(windows, frame)[0], seen_from(windows, frame)[1] + 1)}),
}


check = checker(EXERCISES)
"""Tries what a reader writes."""
