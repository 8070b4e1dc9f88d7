"""What condensers do: the integer network as it is, and with condensers that no longer answer (chapter 6).

A gate that is always the same is a constant of its channel, however large; what a condenser knows is in the rest. So
two things are taken away: first what the gates answer to, each standing at its mean, then their level, too. Where a
condenser weighs the frames, they are also all given the same weight. Of the improved X, Y, Z and M, in float, each
condenser alone (chapter 4).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from tinyspeech import paths
from tinyspeech.integer.network import IntegerModel, Layer, gate_q7
from tinyspeech.lowbit import saved
from tinyspeech.measure.figures import PICTURES
from tinyspeech.measure.figures.network import of_model
from tinyspeech.measure.store import Figure, figure
from tinyspeech.networks.streaming import TinySpeechS
from tinyspeech.sound import noise
from tinyspeech.training import data

CLIPS = 512
"""That are run together: what every layer gives for them is held in memory."""
IMPROVED = {"X": "tinyspeech_x", "Y": "tinyspeech_y", "Z": "tinyspeech_z_whole", "M": "tinyspeech_m"}
"""The paper's names, and the networks of as many weights, in float."""
ARGUMENTS = np.arange(-128, 128)
"""Of a gate's sigmoid, int8."""


def gates(model: IntegerModel) -> list[tuple[Layer, Layer]]:
    """(what gives the argument, what gates by it), for every gate of channels."""
    found, excite = [], None
    for layer in model.layers:
        if layer.kind == "gated_add":
            found.append((excite, layer))
        excite = layer if layer.target == "pooled" else excite
    return found


def weigher(model: IntegerModel) -> Layer | None:
    """What gives the frames their weights, where they have any."""
    if model.layers[-1].kind != "weighed_classifier":
        return None
    return [layer for layer in model.layers if layer.target == "pooled"][-1]


def has_gates(name: str) -> bool:
    """Whether there is a network of this name, and condensers of channels in it."""
    path = paths.MODELS / f"{name}.npz"
    return path.exists() and bool(gates(IntegerModel.load(path)))


def held(model: IntegerModel, arguments: Mapping[str, np.ndarray]) -> IntegerModel:
    """The network with gates that stand still. Zeros are what the layer gives without weights and biases.

    arguments : {layer that gives them: int8 [channels]}
    """
    def still(layer: Layer) -> Layer:
        value = arguments[layer.name]
        return replace(layer, weight=np.zeros_like(layer.weight), bias=value.astype(np.int16),  # (bias * 2**7) >> 7
                       multiplier=np.full(len(value), 128, np.uint8), shift=np.full(len(value), 7, np.uint8), low=-128)

    return replace(model, layers=[still(layer) if layer.name in arguments else layer for layer in model.layers])


def mean_gates(model: IntegerModel, features: np.ndarray) -> list[np.ndarray]:
    """Of every gate the mean over all frames of all clips, flush included: float [channels] in units of Q7.

    features : int8 [N, T, inputs]
    """
    sums, frames = [0.0] * len(gates(model)), [0] * len(gates(model))
    for at in range(0, len(features), CLIPS):
        model.run(features[at : at + CLIPS], record := {})
        for i, (excite, gate) in enumerate(gates(model)):
            values = gate_q7(record[excite.name], gate.scale.astype(np.int64)).reshape(-1, len(gate.scale))
            sums[i], frames[i] = sums[i] + values.sum(axis=0), frames[i] + len(values)
    return [total / count for total, count in zip(sums, frames, strict=True)]


def at_mean(model: IntegerModel, features: np.ndarray) -> dict[str, np.ndarray]:
    """For `held`: what gives every gate the value next to its mean over these clips, of those that it can have."""
    arguments = {}
    for (excite, gate), mean in zip(gates(model), mean_gates(model, features), strict=True):
        reachable = gate_q7(ARGUMENTS[:, None], gate.scale.astype(np.int64))  # (arguments, channels)
        arguments[excite.name] = ARGUMENTS[np.abs(reachable - mean).argmin(axis=0)].astype(np.int8)
    return arguments


def accuracy(model: IntegerModel, features: np.ndarray, labels: np.ndarray) -> float:
    """In %, of int8 features [N, T, inputs]."""
    logits = [model.run(features[at : at + CLIPS]) for at in range(0, len(features), CLIPS)]
    return 100 * float((np.concatenate(logits).argmax(axis=1) == labels).mean())


def rows(model: IntegerModel, features: np.ndarray, labels: np.ndarray) -> list[dict]:
    """Accuracy in %, and the points lost, of the network as it is and of all ways to disconnect its condensers."""
    zeros = {excite.name: np.zeros(len(gate.scale), np.int8) for excite, gate in gates(model)}
    means = at_mean(model, features)
    gated = held(model, means)
    networks = {"as it is": model, "every gate at its mean": gated,
                **{f"of block {i} alone": held(model, {name: mean}) for i, (name, mean) in enumerate(means.items())},
                "gates without weights": held(model, zeros)}
    if frames := weigher(model):
        same = {frames.name: np.zeros(1, np.int8)}
        networks |= {"every frame weighs the same": held(model, same), "and every gate at its mean": held(gated, same)}
    scores = {label: accuracy(network, features, labels) for label, network in networks.items()}
    return [{"label": label, "accuracy": round(score, 2), "lost": round(scores["as it is"] - score, 2)}
            for label, score in scores.items()]


def disconnected(model: str, speech: Path, logmel: Path) -> Iterator[Figure]:
    """Of a trained network, on the complete validation set."""
    features, labels = data.validation_set(data.load(logmel, speech / noise.BACKGROUND))
    integer = IntegerModel.load(paths.model_file(model, ".npz"))
    value = rows(integer, features.numpy().astype(np.int8), labels.numpy())
    yield figure(f"{model}.condensers_disconnected", value, "%; points", data=PICTURES, n=len(labels),
                 note="integers; nothing trained after it", **of_model(model))


def standing_still(network: TinySpeechS, features: Tensor) -> dict[nn.Module, Tensor]:
    """Of every condenser what gives its argument, and an argument that tells nothing: of gates that of their mean over
    all frames, [channels]; of frames nought, so that all weigh the same.

    features : [N, T, 12] in int8 units
    """
    sums: dict[nn.Module, list[Tensor]] = {block.condenser.excite: [] for block in network.blocks}

    def keep(layer: nn.Module, _: tuple, out: Tensor) -> None:
        sums[layer].append(torch.sigmoid(out).mean((0, 1), dtype=torch.float64) * len(out))

    with ExitStack() as stack:
        for layer in sums:
            stack.enter_context(layer.register_forward_hook(keep))
        saved.predict(network, features)
    still = {layer: torch.logit(sum(parts) / len(features)).float() for layer, parts in sums.items()}
    return {**still, network.condenser.excite: torch.zeros(1)}


def lost_alone(network: TinySpeechS, features: Tensor, labels: Tensor) -> dict:
    """Accuracy in % as it is, and the points lost where one condenser, or all, stand still; in float.

    Returns `accuracy`, `blocks` [points], `frames`, `all`. features : as of `standing_still`
    """
    still = standing_still(network, features)

    def without(layers: Sequence[nn.Module]) -> float:
        with ExitStack() as stack:
            for layer in layers:
                stack.enter_context(layer.register_forward_hook(lambda layer, _, out: still[layer].expand_as(out)))
            return saved.accuracy(network, features, labels)

    as_it_is = without([])
    *blocks, frames = (round(as_it_is - without([layer]), 2) for layer in still)
    return {"accuracy": round(as_it_is, 2), "blocks": blocks, "frames": frames,
            "all": round(as_it_is - without(list(still)), 2)}


def alone(speech: Path, logmel: Path) -> Iterator[Figure]:
    """Each condenser of the improved networks alone, on the complete validation set."""
    features, labels = data.validation_set(data.load(logmel, speech / noise.BACKGROUND))
    rows = [{"label": label, **lost_alone(saved.load_model(paths.model_file(name, "_float.pt")),
                                          features, labels)} for label, name in IMPROVED.items()]
    yield figure("improved.condensers", rows, "%; points lost", data=PICTURES, n=len(labels),
                 note="float; gates at their mean, frames all alike; nothing trained after it")
