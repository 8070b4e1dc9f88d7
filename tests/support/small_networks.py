"""Small networks that train and quantise in a moment, and features for them."""

import copy
import functools

import torch
from torch import nn

from tinyspeech.lowbit import grids
from tinyspeech.networks.streaming import StreamingCondenser, StreamingConfig, TinySpeechS

SMALL = StreamingConfig(channels=8, expansion=12, stem_kernel=2, kernels=(3, 4), strides=(2, 3), condenser=4, head=8)
CHANNELS = StreamingConfig(channels=8, expansion=12, kernels=(3, 4), strides=(2, 3), attention="channels", pool=2,
                           head=8)
POOLED = StreamingConfig(channels=8, expansion=12, kernels=(3,), strides=(2,), pool=3, head=12)
MEMORY = StreamingConfig(channels=8, expansion=12, kernels=(3, 4), strides=(2, 1), condenser=4, memory=3, head=8)
GATES = StreamingConfig(channels=8, expansion=12, kernels=(3, 2, 4), strides=(1, 2, 1), attention="channels",
                        condenser=4, memory=3, gate="plain", head=8)
"""Condensers with a memory at both rates."""
NO_CONDENSER = StreamingConfig(channels=8, expansion=12, kernels=(3, 4), strides=(2, 1), condenser=0, head=8)
CONFIGS = {"default": StreamingConfig(), "small": SMALL, "channels": CHANNELS, "pooled frames": POOLED,
           "memory": MEMORY, "gates with a memory": GATES, "without condenser": NO_CONDENSER}


def features_of(seed: int, count: int = 8, frames: int = 49) -> torch.Tensor:
    """int8-valued [count, frames, 12]: some wander as speech does, some jump, two sit at the ends."""
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(count, frames, 12, generator=g).cumsum(1) * 15
    x[::3] = torch.randn(x[::3].shape, generator=g) * 60
    x[-1], x[-2] = 127, -128
    return x.clamp(-128, 127).round()


def network(config: StreamingConfig, seed: int = 0) -> TinySpeechS:
    """In evaluation mode, with batch norm that has seen something and condensers whose scale is not 1."""
    return copy.deepcopy(_network(config, seed))


@functools.cache
def _network(config: StreamingConfig, seed: int) -> TinySpeechS:
    torch.manual_seed(seed)
    model = TinySpeechS(config)
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.BatchNorm1d):
                module.weight.uniform_(0.5, 2.0)
                module.bias.uniform_(-0.5, 0.5)
            if isinstance(module, StreamingCondenser):
                module.scale.uniform_(-1.5, 1.5)
    model.train()
    with torch.no_grad():
        for i in range(20):  # running statistics as training leaves them
            model(features_of(100 + i, 8) * grids.INPUT_STEP)
    return model.eval()
