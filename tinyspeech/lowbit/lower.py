"""From a trained network to integers (chapter 7): steps and weights out of torch, an `IntegerModel` out.

    integer = lowered("tinyspeech_s")                       # data/models/tinyspeech_s.pt, with its provenance
    integer = integer_twin(load_model("FILE.pt"), "name")   # any other

The same checkpoint gives the same integers. What they mean is defined in `tinyspeech/integer/network.py`.
"""

from __future__ import annotations

import numpy as np
from torch import nn

from tinyspeech import CLASSES, KEYWORDS, paths
from tinyspeech.errors import UserError
from tinyspeech.integer.frontend import N_COEFFICIENTS
from tinyspeech.integer.network import SCALE_BITS, SCORE_SHIFT, IntegerModel, Layer
from tinyspeech.lowbit.fixed_point import multiplier_and_shift, wiring
from tinyspeech.lowbit.grids import nearest
from tinyspeech.lowbit.saved import classes_of, load_checkpoint, load_model
from tinyspeech.networks.streaming import StreamingCondenser, TinySpeechS
from tinyspeech.outside import files


def _requantiser(ratio: np.ndarray, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Multiplier and shift as uint8; a ratio above 2**6 raises `UserError`."""
    multiplier, shift = multiplier_and_shift(ratio)
    if shift.min() < 1:
        raise UserError(f"layer {name}: a ratio of steps of {ratio.max():.3g} or {ratio.min():.3g} has no 8-bit form")
    return multiplier.astype(np.uint8), shift.astype(np.uint8)


def _grid(conv) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Integer weights [outputs, inputs, kernel], their steps [outputs] and the float bias [outputs] of a CausalConv."""
    quantizer = conv.weight_quantizer
    step = quantizer.step.detach().double()
    ratio = conv.weight.detach().double() / step
    whole = nearest(ratio, quantizer.low, quantizer.high, quantizer.spacing).numpy().astype(np.int8)
    return whole, step.numpy().reshape(-1), conv.bias.detach().double().numpy()


def _bias(bias: np.ndarray, step: np.ndarray, name: str) -> np.ndarray:
    whole = np.floor(bias / step + 0.5)
    if np.abs(whole).max() > 32767:
        raise UserError(f"layer {name}: a bias of {np.abs(whole).max():.0f} accumulator units does not fit int16")
    return whole.astype(np.int16)


def _layer(conv, name: str, source: str, target: str, step_in: float, step_out: float) -> Layer:
    """A CausalConv with quantisers as a dense or depthwise layer."""
    weight, step, bias = _grid(conv)
    multiplier, shift = _requantiser(step_in * step / step_out, name)
    depthwise = conv.groups > 1
    if depthwise and weight.shape[1] != 1:
        raise UserError(f"layer {name}: grouped convolutions other than depthwise are not supported")
    flat = weight[:, 0] if depthwise else weight.transpose(0, 2, 1).reshape(len(weight), -1)  # oldest frame first
    return Layer("depthwise" if depthwise else "dense", name, source, target, conv.kernel, conv.stride,
                 0 if conv.relu else -128, flat, _bias(bias, step_in * step, name), multiplier, shift)


def _layers(model) -> list[Layer]:
    """All layers of a TinySpeech-S but its classifier."""
    slots = {"stem": ("stream", "stream"), "depthwise": ("stream", "branch"), "expand": ("branch", "wide"),
             "project": ("wide", "branch"), "squeeze": ("pooled", "squeezed"), "excite": ("squeezed", "pooled"),
             "head": ("stream", "wide")}
    condensers = {f"block{i}": block.condenser for i, block in enumerate(model.blocks)} | {"frames": model.condenser}
    layers = []
    for layer_name, conv, step_in, step_out in wiring(model):
        owner, role = layer_name.split("_") if "_" in layer_name else (layer_name, layer_name)
        condenser = condensers.get(owner)
        source, target = slots[role]
        if role == "squeeze":
            seen = "wide" if owner == "frames" else "branch"
            if condenser.pool > 1:
                layers.append(Layer("pool", f"{owner}_pool", seen, source, kernel=condenser.pool))
            else:
                source = seen
        layers.append(_layer(conv, layer_name, source, target, step_in, step_out))
        if role == "squeeze" and condenser.memory:
            layers.append(Layer("leak", f"{owner}_leak", target, target, memory=condenser.memory))
        if role == "project" and not isinstance(condenser, StreamingCondenser):
            layers.append(Layer("add", f"{owner}_add", "branch", "stream"))
        if role == "excite" and owner != "frames":
            scale = np.floor(np.clip(condenser.scale.detach().double().numpy() * 2**SCALE_BITS, -128, 127) + 0.5)
            layers.append(Layer("gated_add", f"{owner}_gate", "branch", "stream", scale=scale.astype(np.int8)))
    return layers


def integer_twin(model: nn.Module, name: str, provenance: dict | None = None,
                 classes: tuple[str, ...] = CLASSES) -> IntegerModel:
    """The integer twin of a TinySpeech-S that `tinyspeech.lowbit.quant` prepared and trained.

    classes : what its answers mean

    Raises `UserError` for a network without quantisers, another architecture, weights of more than 4 bits, or an
    overflow risk.
    """
    if not isinstance(model, TinySpeechS):
        raise UserError(f"only TinySpeech-S can be exported, not {type(model).__name__}")
    if model.stem.norm is not None or not hasattr(model.stem.weight_quantizer, "step"):
        raise UserError("the network is still in float: train it with qat_epochs first")
    layers = _layers(model)
    weight, step, bias = _grid(model.classifier)
    step_in = model.head.output_quantizer.step.item()
    multiplier = np.floor(step / step.max() * 255 + 0.5).astype(np.uint8)
    weighed = model.condenser is not None
    layers.append(Layer("weighed_classifier" if weighed else "classifier", "classifier", "wide", "wide",
                        weight=weight[:, :, 0], bias=_bias(bias, step_in * step, "classifier"), multiplier=multiplier,
                        shift=np.zeros(len(step), np.uint8)))
    unit = float(step_in * step.max() / 255) * (2**SCORE_SHIFT if weighed else 1)
    integer = IntegerModel(name, classes, layers, N_COEFFICIENTS, unit, model.config.flush, provenance or {})
    integer.check()
    return integer


def lowered(name: str) -> IntegerModel:
    """The integer twin of the trained network data/models/NAME.pt, with what it was made from.

    Raises `UserError` for a file that is missing or foreign, and as `integer_twin` does.
    """
    path = paths.model_file(name, ".pt")
    trained, content = load_model(path), load_checkpoint(path)  # the first one refuses foreign files
    config = content["config"]
    classes = classes_of(config.get("words", KEYWORDS))
    judges = "the log-mel validation set it was chosen on" if classes == CLASSES else "its corpus's validation speakers"
    with files.parsing(path, "does not say what it was trained by: train it again"):
        provenance = {
            "accuracy": f"{content['metrics']['accuracy']:.2f} % on {judges}",
            "checkpoint": f"data/models/{path.name}",
            "seed": config["seed"], "epochs": f"{config['epochs']} float, {config['qat_epochs']} quantised",
            "weight_bits": content["weight_bits"], "version": content["version"],
            "config": ", ".join(f"{key} {value}" for key, value in sorted(config["network"].items()))
                      or "the defaults",
        }
    return integer_twin(trained, name, provenance, classes)
