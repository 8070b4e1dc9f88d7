"""Pruning: the smallest weights are set to zero, a few more with every step, and whole channels go (chapter 6).

    pruner = Pruner(PruneConfig(share=0.5), network)
    pruner.after_step(network, step, steps)      # behind every step of the optimiser; steps: of the whole training

`masks` says which weights stay, for any network of the library: the largest of all dense layers together or of each
layer, one by one, in groups of four inputs (what one word of the chip's kernel holds), or in whole channels of the wide
middle of TinySpeech-S's blocks. `Pruner` lets their share rise along a cubic curve (Zhu and Gupta 2017, arXiv
1710.01878) and then holds the masks, through training at few bits as well. `shrink` takes channels out for real.
Not here: the training loop (`train.py`, config key `prune`) and what zeros are worth in memory (`sparse.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor, nn

from tinyspeech.errors import UserError
from tinyspeech.networks.streaming import CausalConv, TinySpeechS

UNITS = ("weights", "groups", "channels")
SCOPES = ("global", "layer")
GROUP = 4
"""Inputs in one word of the chip's dense kernel."""


@dataclass(frozen=True)
class PruneConfig:
    """What is pruned, how far, and when; the keys under `prune` in a training's YAML file."""

    share: float
    """Of the dense layers' weights that are zero in the end, 0 to 0.99; of channels, rounded so that a multiple of 4
    stays in each block."""
    of: str = "weights"
    """weights | groups (of four inputs) | channels (of the blocks' wide middle)."""
    scope: str = "global"
    """global: the smallest of the network go; layer: the same share of every layer. Channels go by layer only."""
    begin: float = 0.0
    """Share of the float training before the first weight goes."""
    end: float = 0.6
    """Share of the float training after which no more go."""
    every: int = 16
    """Steps from one choice of weights to the next."""
    excepted: tuple[str, ...] = ()
    """Key `except`: layers that keep all their weights, by any part of their names, as in [squeeze, excite]. The share
    is of all dense layers' weights even so: the others give more."""

    def __post_init__(self):
        numbers = {name: getattr(self, name) for name in ("share", "begin", "end")}
        for name, value in numbers.items():
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
                raise UserError(f"'{name}' under 'prune' must be a number from 0 to 1, not {value!r}")
        if self.share > 0.99:
            raise UserError(f"'share' under 'prune' is a part of one, at most 0.99, not {self.share}")
        if self.begin > self.end:
            raise UserError(f"'begin' under 'prune' must not be above 'end': {self.begin} > {self.end}")
        if type(self.every) is not int or self.every < 1:
            raise UserError(f"'every' under 'prune' counts steps, 1 or more, not {self.every!r}")
        for name, known in (("of", UNITS), ("scope", SCOPES)):
            if getattr(self, name) not in known:
                raise UserError(f"'{name}' under 'prune' must be {' or '.join(known)}, not {getattr(self, name)!r}")
        if self.of == "channels" and self.scope == "global":
            raise UserError("'of: channels' under 'prune' needs 'scope: layer': every block keeps as many")
        if not isinstance(self.excepted, tuple) or not all(isinstance(name, str) for name in self.excepted):
            raise UserError(f"'except' under 'prune' must list names of layers, not {self.excepted!r}")
        if self.of == "channels" and self.excepted:
            raise UserError("'of: channels' under 'prune' goes without 'except': all other layers stay as they are")

    @classmethod
    def from_dict(cls, values: Mapping) -> PruneConfig:
        """The settings of a YAML file; an unknown or missing key raises `UserError`."""
        names = {"except" if item.name == "excepted" else item.name: item.name for item in fields(cls)}
        for key in values:
            if key not in names:
                raise UserError(f"unknown key '{key}' under 'prune'; known: {', '.join(names)}")
        if "share" not in values:
            raise UserError("'prune' needs 'share', the part of the weights that goes, as in 0.5")
        return cls(**{names[key]: tuple(value) if isinstance(value, list) else value for key, value in values.items()})


def cubic(progress: float) -> float:
    """How much of the final share is pruned at this progress, both 0 .. 1: fast at first, while there is plenty."""
    return 1 - (1 - min(max(progress, 0.0), 1.0)) ** 3


def prunable(model: nn.Module) -> dict[str, Tensor]:
    """{name: weight} of all dense layers: every convolution and linear layer in which an output adds up inputs.

    Left out are depthwise convolutions: they have few weights, and the chip's kernel cannot skip any. A layer that
    `quant.prepare` has wrapped keeps the name that it had in float.
    """
    found = {}
    for name, module in model.named_modules():
        convolution = isinstance(module, (CausalConv, nn.Conv1d, nn.Conv2d)) and module.groups == 1
        if convolution or isinstance(module, nn.Linear):
            found[f"{name.removesuffix('.layer')}.weight"] = module.weight
    return found


def sizes(weight: Tensor, of: str = "weights") -> Tensor:
    """What decides about each unit: the size of a weight, or the sum of the sizes in a group; in the weight's order.

    weight : float [outputs, inputs, ...]; groups are of four inputs next to one another, at one place of the kernel.
    """
    size = weight.detach().abs()
    if of == "weights":
        return size
    if size.shape[1] % GROUP:
        raise UserError(f"groups of {GROUP} inputs cannot be pruned in a layer with {size.shape[1]}")
    return size.unflatten(1, (-1, GROUP)).sum(2)  # (outputs, inputs / 4, ...)


def smallest(size: Tensor, share: float) -> Tensor:
    """True where a unit goes: exactly round(share * count) of them, the smallest, of equal ones the first."""
    flat = size.reshape(-1)
    gone = torch.zeros(len(flat), dtype=torch.bool, device=flat.device)
    gone[torch.argsort(flat, stable=True)[: round(share * len(flat))]] = True
    return gone.reshape(size.shape)


def without(weights: Mapping[str, Tensor], excepted: tuple[str, ...]) -> dict[str, Tensor]:
    """The weights of `prunable` but those of layers with such a word in their names; `UserError` where there is none of
    a word, or nothing left."""
    for word in excepted:
        if not any(word in name.split(".") for name in weights):
            known = sorted({part for name in weights for part in name.split(".")[:-1] if not part.isdecimal()})
            raise UserError(f"'except' under 'prune': no dense layer is called {word!r}; there are {', '.join(known)}")
    found = {name: weight for name, weight in weights.items() if not set(excepted) & set(name.split("."))}
    if not found:
        raise UserError("'except' under 'prune' leaves no layer that could be pruned")
    return found


def masks(model: nn.Module, share: float, of: str = "weights", scope: str = "global",
          excepted: tuple[str, ...] = ()) -> dict[str, Tensor]:
    """{name of a weight: bool of its shape}, True where a weight stays, with this share of all units gone, none of them
    from the layers `excepted`, which have no mask.

    Raises `UserError` for groups in a layer whose inputs are no multiple of 4, channels of another network than
    TinySpeech-S, and for a share that the layers which are not excepted do not have.
    """
    if of == "channels":
        return _channel_masks(model, share)
    weights = prunable(model)
    if excepted:
        total = sum(weight.numel() for weight in weights.values())
        weights = without(weights, excepted)
        there = sum(weight.numel() for weight in weights.values()) / total
        if share > there:
            raise UserError(f"'prune': the layers that are not excepted have {there:.2f} of all weights, not {share}")
        share /= there
    size = {name: sizes(weight, of) for name, weight in weights.items()}
    if scope == "layer":
        gone = {name: smallest(values, share) for name, values in size.items()}
    else:
        together = smallest(torch.cat([values.reshape(-1) for values in size.values()]), share)
        parts = together.split([values.numel() for values in size.values()])
        gone = {name: part.reshape(size[name].shape) for name, part in zip(size, parts, strict=True)}
    if of == "groups":
        gone = {name: part.repeat_interleave(GROUP, dim=1) for name, part in gone.items()}
    return {name: ~part for name, part in gone.items()}


@torch.no_grad()
def apply(model: nn.Module, found: Mapping[str, Tensor]) -> None:
    """Set to zero what `masks` found, in place."""
    weights = prunable(model)
    for name, mask in found.items():
        weights[name].mul_(mask)


def kept_channels(channels: int, share: float) -> int:
    """How many of a block's channels stay: a multiple of four, and four at least."""
    return max(4, round(channels * (1 - share) / 4) * 4)


def channel_sizes(block: nn.Module) -> Tensor:
    """What each channel of a block's wide middle contributes, float [expansion]: the gain of its batch norm, times the
    norm of the weights that read it. The weights that make it say nothing, since batch norm rescales their sum."""
    gain = block.expand.norm.weight.detach().abs()
    return gain * block.project.weight.detach()[..., 0].norm(dim=0)


def _channel_masks(model: nn.Module, share: float) -> dict[str, Tensor]:
    if not isinstance(model, TinySpeechS):
        raise UserError(f"channels can be pruned in TinySpeech-S only, not in {type(model).__name__}")
    found = {}
    for i, block in enumerate(model.blocks):
        stays = ~smallest(channel_sizes(block), share)  # (expansion,)
        expand, project = block.expand.weight, block.project.weight
        found[f"blocks.{i}.expand.weight"] = stays[:, None, None].expand_as(expand).clone()
        found[f"blocks.{i}.project.weight"] = stays[None, :, None].expand_as(project).clone()
    return found


@torch.no_grad()
def shrink(model: TinySpeechS, found: Mapping[str, Tensor]) -> TinySpeechS:
    """The network without its masked channels, a smaller `TinySpeechS` of the same answers.

    found : of `masks(..., of="channels")`, with a multiple of four channels left in every block, as many in each.
    """
    stays = [found[f"blocks.{i}.expand.weight"][:, 0, 0] for i in range(len(model.blocks))]
    small = TinySpeechS(replace(model.config, expansion=int(stays[0].sum())))
    state = model.state_dict()
    for key, value in state.items():
        part = key.split(".")
        if part[0] == "blocks" and part[2] == "expand" and value.ndim:
            state[key] = value[stays[int(part[1])]]
        elif part[0] == "blocks" and part[2:] == ["project", "weight"]:
            state[key] = value[:, stays[int(part[1])]]
    small.load_state_dict(state)
    return small.to(next(model.parameters()).device).train(model.training)


class Pruner:
    """Masks that grow along the schedule and hold afterwards."""

    def __init__(self, config: PruneConfig, model: nn.Module):
        self.config = config
        self.final = config.share
        if config.of == "channels" and isinstance(model, TinySpeechS):
            wide = model.config.expansion
            self.final = 1 - kept_channels(wide, config.share) / wide
        self.reached = -1.0
        """Share of the masks at hand; below 0 before there are any."""
        for share in (self.final, 0.0):  # refuses what cannot be pruned before the first step
            self.masks = masks(model, share, config.of, config.scope, config.excepted)

    def after_step(self, model: nn.Module, step: int, steps: int) -> None:
        """Choose anew where that is due, then set to zero what is masked. step: 1 .. steps, of the float training.

        Chosen weights hardly ever come back: since they were set to zero, one step has moved them by little.
        """
        c = self.config
        first, last = round(c.begin * steps), round(c.end * steps)
        progress = 1.0 if step >= last else (step - first) / (last - first)
        target = self.final * cubic(progress)
        if target > self.reached and (step % c.every == 0 or progress >= 1):
            self.masks, self.reached = masks(model, target, c.of, c.scope, c.excepted), target
        self.apply(model)

    def apply(self, model: nn.Module) -> None:
        """Set to zero what is masked: in the network that learns, or in its running average."""
        apply(model, self.masks)

    def state_dict(self) -> dict:
        """What a training needs to go on."""
        return {"reached": self.reached, "masks": self.masks}

    def load_state_dict(self, state: Mapping) -> None:
        """The inverse of `state_dict`."""
        self.reached = state["reached"]
        self.masks = {name: mask.to(self.masks[name].device) for name, mask in state["masks"].items()}


def zeros(model: nn.Module) -> float:
    """Share of the dense layers' weights that are exactly zero, 0 .. 1."""
    weights = prunable(model).values()
    return sum(int((w == 0).sum()) for w in weights) / sum(w.numel() for w in weights)
