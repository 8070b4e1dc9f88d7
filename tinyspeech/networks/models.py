"""The networks by name: features in, twelve logits out. Every one takes float [B, T, F] (T frames of F coefficients).

    model = build_model("printed_z")         # or "Z"; MODELS lists the names
    logits = model(features)                 # [B, T, F] -> [B, 12]

Not here: training, data, quantisation. Chapter 3.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable

import torch
from torch import nn

from tinyspeech.errors import UserError
from tinyspeech.integer.frontend import N_COEFFICIENTS, N_FRAMES
from tinyspeech.networks.counting import count_macs, count_parameters
from tinyspeech.networks.family import FAMILY, TinySpeech
from tinyspeech.networks.streaming import StreamingConfig, TinySpeechS
from tinyspeech.networks.teacher import Teacher


def _family_builder(name: str) -> Callable[..., nn.Module]:
    def build(**settings) -> TinySpeech:
        return TinySpeech(FAMILY[name], **settings)

    build.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [p for p in inspect.signature(TinySpeech).parameters.values() if p.kind is p.KEYWORD_ONLY])
    return build


def _streaming(**settings) -> TinySpeechS:
    return TinySpeechS(StreamingConfig.from_dict(settings))


_streaming.__signature__ = inspect.signature(StreamingConfig)  # type: ignore[attr-defined]

MODELS: dict[str, Callable[..., nn.Module]] = {
    **{name: _family_builder(name) for name in FAMILY}, "tinyspeech_s": _streaming, "teacher": Teacher}
"""Every network by name: a function of keyword settings that returns it, freshly initialised from torch's seed."""


MOST_NUMBER, MOST_LISTED, MOST_PARAMETERS = 1024, 64, 20_000_000
"""In a network's settings, and of the network: the teacher, far too large for any chip here, has 260 thousand."""


def model_name(name: str) -> str:
    """The registered name that `name` means: case does not matter, and "Z" is "printed_z", the paper's.

    Raises
    ------
    UserError
        Where there is no such network; the text lists those there are.
    """
    key = str(name).lower().replace("-", "_")
    for candidate in (key, f"tinyspeech_{key}", f"printed_{key}"):
        if candidate in MODELS:
            return candidate
    raise UserError(f"no model {name!r}; there are {', '.join(sorted(MODELS))}")


def build_model(name: str, **settings) -> nn.Module:
    """A new network by name.

    Parameters
    ----------
    name : str
        A key of `MODELS`, or its last letter.
    **settings
        What the network's class takes besides its config, for instance `kernel=3`.

    Raises
    ------
    UserError
        Where the name or a setting is unknown, or a value is out of range.
    """
    key = model_name(name)
    known = inspect.signature(MODELS[key]).parameters
    for setting in settings:
        if setting not in known:
            raise UserError(f"{key} has no setting {setting!r}; there are {', '.join(known)}")
        _check_size(setting, settings[setting])
    with torch.device("meta"):  # counted before memory is taken for it
        parameters = count_parameters(MODELS[key](**settings))
    if parameters > MOST_PARAMETERS:
        raise UserError(f"{key} would have {parameters:,} parameters: at most {MOST_PARAMETERS:,} are built")
    return MODELS[key](**settings)


def _check_size(setting: str, value: object, depth: int = 0) -> None:
    """`UserError` for numbers and lists beyond what any network here needs; what they mean is checked elsewhere."""
    if isinstance(value, (list, tuple)):
        if len(value) > MOST_LISTED or depth > 2:
            raise UserError(f"{setting} lists too much: {MOST_LISTED} numbers at most")
        for one in value:
            _check_size(setting, one, depth + 1)
    elif isinstance(value, (int, float)) and not -MOST_NUMBER <= value <= MOST_NUMBER:
        raise UserError(f"{setting} must be at most {MOST_NUMBER}, not {value}")


def family_table(input_shape: tuple[int, int] = (N_FRAMES, N_COEFFICIENTS)) -> str:
    """The family's counts next to the published, as text."""
    lines = [f"{'network':<14}{'parameters':>12}{'published':>11}{'':>8}{'MACs ' + '{}x{}'.format(*input_shape):>14}"
             f"{'unpooled 40x26':>16}{'published':>11}"]
    for name, config in FAMILY.items():
        model, unpooled = build_model(name), build_model(name, pool=1)
        count, published = count_parameters(model), config.published
        lines.append(f"{name:<14}{count:>12,}{published.parameters:>11,}{count / published.parameters - 1:>+8.1%}"
                     f"{count_macs(model, input_shape):>14,}{count_macs(unpooled, (40, 26)):>16,}"
                     f"{published.mult_adds:>11,}")
    return "\n".join(lines)
