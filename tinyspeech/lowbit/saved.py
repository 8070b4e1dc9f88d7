"""Trained networks as files: written atomically, read back with what they were trained by, and asked (chapter 4)."""

from __future__ import annotations

import contextlib
import os
import re
import zipfile
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from tinyspeech import CLASSES, KEYWORDS, __version__
from tinyspeech.errors import UserError
from tinyspeech.lowbit import grids, quant
from tinyspeech.networks.models import build_model
from tinyspeech.outside import files

PRINTED = "[a-z]{1,8}"
"""A word on the serial port, where a space ends it; the chip has some bytes for ten of them."""
MOST_BYTES = 1 << 30
"""Of a file, as it lies on the disk and as it is read: a checkpoint of the largest network has a hundredth."""


def save_atomically(content: dict, path: Path) -> None:
    """`torch.save` that leaves the old file alone until the new one is whole."""
    temporary = path.with_name(f"{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save(content, temporary)
        os.replace(temporary, path)
    except (OSError, RuntimeError) as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise UserError(f"cannot write {path}: {error}") from error


def check_writable(path: Path) -> None:
    """Raise `UserError` before a long run whose result could not be written to `path`."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir() or path.suffix == ".checkpoint" or not path.name:
            raise UserError(f"cannot write {path}: give the name of a file, as in runs/tinyspeech_s.pt")
        if not os.access(path.parent, os.W_OK):
            raise UserError(f"cannot write {path}: {path.parent} is read-only")
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}") from error


@torch.no_grad()
def predict(model: nn.Module, features: Tensor, batch_size: int = 1024) -> Tensor:
    """Logits [N, 12] of features [N, T, 12] in int8 units, in evaluation mode, in the model's own precision."""
    model.eval()
    features = features.to(next(model.parameters()).dtype) * grids.INPUT_STEP
    return torch.cat([model(part) for part in features.split(batch_size)])


def accuracy(model: nn.Module, features: Tensor, labels: Tensor) -> float:
    """Share of right answers, in percent."""
    return 100.0 * (predict(model, features).argmax(1) == labels).float().mean().item()


def evaluate_quantised(model: nn.Module, config: quant.QuantConfig, calibration: Tensor, features: Tensor,
                       labels: Tensor, norm_batches: Sequence[Tensor] = ()) -> float:
    """Accuracy in percent of a trained float network under `UN`, `DQ` or `SQ`: no training, the network stays as it is.

    calibration, features, norm_batches : [N, T, 12] in int8 units; SQ sets the steps of activations by the first of
    them, and measures batch norm's statistics anew on the last, if there are any
    """
    first, *others = (x.float() * grids.INPUT_STEP for x in (calibration, *norm_batches))
    return accuracy(quant.quantised(model, config, first, others), features, labels)


def bundle(config: dict, stage: str, model: nn.Module, metrics: dict, network: dict | None = None) -> dict:
    """What a finished network's file holds: `load_model` reads it.

    config : keys of `TrainConfig`
    network : keys of the network's own config where they are no longer those in `config`, since pruning changed it
    """
    shape = {} if network is None else {"network": network}
    return {"config": config, "stage": stage, "weight_bits": config["weight_bits"], "version": __version__,
            **shape, "metrics": metrics,
            "state_dict": {name: value.cpu() for name, value in model.state_dict().items()}}


def beside(out: Path, suffix: str) -> Path:
    """A file that belongs to the network in `out`, as `NAME.checkpoint` to `NAME.pt`: no two networks share one."""
    return out.with_name((out.stem if out.suffix == ".pt" else out.name) + suffix)


def load_checkpoint(path: Path) -> dict:
    """Read a file written by this module. Raises `UserError` for a missing or foreign one; nothing in it is executed,
    and none that unpacks to more than `MOST_BYTES` is read."""
    wrong = "is not a checkpoint of this program"
    try:
        files.regular(path, f"it {wrong}")
    except FileNotFoundError as error:
        raise UserError(f"{path} does not exist: train it first, without --resume") from error
    with files.parsing(path, wrong):
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            if sum(member.file_size for member in members) > MOST_BYTES or \
                    any(member.compress_type != zipfile.ZIP_STORED for member in members):
                raise UserError(f"{path} {wrong}: it is packed, or unpacks to more than {MOST_BYTES:,} bytes")
        return torch.load(path, map_location="cpu", weights_only=True)


def are_words(words: object) -> bool:
    """Whether these are as many different words as a network tells apart, as the chip can print them."""
    return isinstance(words, (list, tuple)) and len(words) == len(KEYWORDS) == len({*map(str, words)}) and all(
        isinstance(word, str) and re.fullmatch(PRINTED, word) for word in words)


def classes_of(words: Sequence[str] = KEYWORDS) -> tuple[str, ...]:
    """Silence, unknown and the words that a network tells apart; by default the ten of Speech Commands. Raises
    `UserError` where they are no such words."""
    if not are_words(words):
        raise UserError(f"a network tells {len(KEYWORDS)} words of 1 to 8 letters a to z apart, not {words!r}")
    return (*CLASSES[: -len(KEYWORDS)], *words)


def build_saved(content: dict) -> nn.Module:
    """The untrained float network of a finished network's file, without the channels that were pruned."""
    config = content["config"]
    return build_model(config["model"], **content.get("network", config["network"]))


def load_model(path: str | Path) -> nn.Module:
    """The trained network in a file, ready to evaluate: float, or with quantisers when it was trained at few bits.

    Raises `UserError` for a file that holds none, or one whose weights are not all numbers."""
    content = load_checkpoint(Path(path))
    if not isinstance(content, dict) or not {"config", "stage", "state_dict"} <= content.keys():
        raise UserError(f"{path} is not a trained network of this program")
    try:
        classes_of(content["config"].get("words", KEYWORDS))
        model = build_saved(content)
        if content["stage"] == "qat":
            quant.prepare(model, content["weight_bits"]).double()
            quant.fold(model)
        model.load_state_dict(content["state_dict"])
    except Exception as error:  # whatever a foreign file makes of any of these
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise UserError(f"{path} does not fit this version of the program ({reason}): train it again") from error
    for name, value in model.state_dict().items():
        if value.is_floating_point() and not torch.isfinite(value).all():
            raise UserError(f"{path} holds weights that are not numbers ({name}): train it again")
    return model.eval()
