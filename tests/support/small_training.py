"""A synthetic corpus that can be learned in a few steps, and the shortest of runs."""

from pathlib import Path

import torch

from tinyspeech.training.config import TrainConfig
from tinyspeech.training.data import Bands

NETWORK = {"channels": 8, "expansion": 8, "stem_kernel": 2, "kernels": [3, 3], "strides": [2, 2], "condenser": 4,
           "head": 8}


def bands(seed: int = 0, clips: int = 360) -> Bands:
    """Words that differ in which bands are loud, with noise: learnable in a few steps."""
    g = torch.Generator().manual_seed(seed)
    label = torch.arange(clips) % 11 + 1
    pattern = torch.rand(12, 1, 20, generator=torch.Generator().manual_seed(99)).round() * 10 + 12
    x = pattern[label] + torch.randn(clips, 98, 20, generator=g)
    validation = torch.arange(clips) % 5 == 0
    noise = 8 + torch.randn(10, 98, 20, generator=g)
    return Bands(x.half(), label, validation, noise.half())


def config(**settings) -> TrainConfig:
    return TrainConfig(**{"network": NETWORK, "epochs": 2, "qat_epochs": 1, "batch_size": 32, "lr": 0.02,
                          "augment": {"time_mask_frames": 4, "band_mask_bands": 2}, **settings})


def weights(path: Path) -> dict[str, torch.Tensor]:
    return torch.load(path, weights_only=True)["state_dict"]


def same(a: Path, b: Path) -> bool:
    one, two = weights(a), weights(b)
    return one.keys() == two.keys() and all(torch.equal(one[key], two[key]) for key in one)


def interrupt(patch, module, name: str, number: int) -> None:
    """Ctrl-C right behind call `number` of a module's function. patch : pytest's monkeypatch"""
    original, calls = getattr(module, name), []

    def interrupted(*arguments):
        original(*arguments)
        calls.append(1)
        if len(calls) == number:
            raise KeyboardInterrupt

    patch.setattr(module, name, interrupted)
