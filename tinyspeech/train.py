"""One training loop for every network: float first, then quantisation-aware at few bits (chapters 4 and 5).

    python -m tinyspeech train --config data/configs/tinyspeech_s.yaml --data FOLDER_OR_ARCHIVE

AdamW with a one-cycle schedule, or what the config says, over augmented clips; a teacher's answers beside the labels
where the config names one; the weights that are kept are a running average. After each epoch a checkpoint (weights,
optimiser, generators) is written beside the result, so that `--resume` continues bit for bit on the CPU.
"""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import math
import os
import random
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
import yaml
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn, update_bn
from tqdm import tqdm

from tinyspeech import CLASSES, __version__, datasets, prune, quant
from tinyspeech.augment import AugmentConfig
from tinyspeech.errors import UserError
from tinyspeech.evaluate import MODELS
from tinyspeech.models import build_model
from tinyspeech.training_data import Bands, Passes, epoch_order, training_batches, validation_set

SILENCE, UNKNOWN = CLASSES.index(datasets.SILENCE), CLASSES.index(datasets.UNKNOWN)
NORM_BATCHES = 32
"""Batches from which batch norm's statistics of averaged weights are measured."""


@dataclass
class TrainConfig:
    """A training run; every key may stand in the YAML file."""

    model: str = "tinyspeech_s"
    network: dict = field(default_factory=dict)
    """Keys of the network's own config."""
    epochs: int = 90
    """Passes in float; 0 only with `start`."""
    qat_epochs: int = 40
    """Passes at `weight_bits`, from the float network; 0 leaves the network in float."""
    batch_size: int = 256
    lr: float = 6e-3
    """Peak learning rate of the one-cycle schedule, or the constant one."""
    qat_lr: float = 1.5e-3
    momentum: float = 0.9
    """AdamW's first beta, or SGD's momentum."""
    optimizer: str = "adamw"
    """`adamw`, `sgd` (Nesterov's momentum) or `heavy_ball` (SGD with Polyak's momentum, what most libraries mean by SGD
    with momentum); the learning rate of the one is not the other's."""
    schedule: str = "one_cycle"
    """`one_cycle`: the rate climbs to `lr` for 15 % of the steps and falls to nothing; `constant`: it is `lr`."""
    weight_decay: float = 0.02
    label_smoothing: float = 0.05
    weight_bits: int | str = 4
    """2 to 8, or `ternary`."""
    granularity: str = "channel"
    """Of the weights' steps: one per output `channel`, or one per `tensor`."""
    clipping: str = "learned"
    """Where the weights' grid ends: `max`, `optimum` or `learned`."""
    seed: int = 0
    unknown_share: float = 0.12
    """Clips of other words per keyword clip; a fresh draw each epoch."""
    silence_share: float = 0.10
    """Background-noise pieces per keyword clip."""
    unknown_weight: float = 1.0
    """What an error on a clip of another word costs, a keyword's being 1."""
    passes: int = 0
    """Augmented versions of the training set that are made once and used in turn; 0 makes a fresh one each epoch."""
    teacher: str = ""
    """A trained network whose answers are learned too: a name in data/models, or a file. Needs `passes`."""
    distill_weight: float = 0.7
    """Share of the loss that the teacher's answers get; the labels get the rest."""
    temperature: float = 2.0
    """Both answers are softened by it before they are compared (Hinton et al. 2015)."""
    average: float = 0.0
    """Decay, per step, of the running average of all weights, which is what is kept; 0 keeps the last ones."""
    mixup: float = 0.0
    """Beta(a, a) of mixing pairs of clips and of their labels (Zhang et al. 2018); 0 does not. Not with a teacher."""
    augment: dict = field(default_factory=dict)
    """Keys of `augment.AugmentConfig`."""
    start: str = ""
    """A trained float network to go on from: a name in data/models, or a file; by default random weights. `epochs` may
    be 0 then, which leaves it as it is until its bits are fewer."""
    prune: dict = field(default_factory=dict)
    """Keys of `prune.PruneConfig`; without any nothing is pruned."""

    def __post_init__(self):
        for item in fields(self):
            value = getattr(self, item.name)
            wanted = {"str": str, "dict": dict, "int": int, "float": (int, float),
                      "int | str": (int, str)}[item.type]
            if not isinstance(value, wanted) or isinstance(value, bool):
                raise UserError(f"config key '{item.name}' must be of type {item.type}, not {value!r}")
        if self.batch_size < 1:
            raise UserError(f"config key 'batch_size' must be 1 or more, not {self.batch_size}")
        if self.epochs < 1 and (self.epochs < 0 or not self.start or self.prune):
            raise UserError(f"config key 'epochs' must be 1 or more, not {self.epochs}; 0 with 'start' and no 'prune'")
        if self.qat_epochs < 0 or not 0 < self.lr <= 10 or not 0 < self.qat_lr <= 10:
            raise UserError("config keys 'lr' and 'qat_lr' must be above 0 and at most 10, 'qat_epochs' 0 or more")
        if not 0.05 <= self.momentum < 1 or not 0 <= self.label_smoothing < 1 or not 0 <= self.weight_decay <= 10:
            raise UserError("config keys 'momentum' must be 0.05 to below 1, 'label_smoothing' 0 to below 1, "
                            "'weight_decay' 0 to 10")
        self.quantisation()  # raises on a value that it does not know
        if not 0 <= self.seed < 2**32:
            raise UserError(f"config key 'seed' must be 0 to 4294967295, not {self.seed}")
        if not 0 <= self.unknown_share <= 10 or not 0 <= self.silence_share <= 10:
            raise UserError("config keys 'unknown_share' and 'silence_share' are clips per keyword clip: 0 to 10")
        if not 0 <= self.passes <= 1000:
            raise UserError(f"config key 'passes' must be 0 to 1000, not {self.passes}")
        if not 0 <= self.distill_weight <= 1 or not 0.1 <= self.temperature <= 100 or not 0 <= self.average < 1:
            raise UserError("config keys 'distill_weight' must be 0 to 1, 'temperature' 0.1 to 100, "
                            "'average' 0 to below 1")
        if not 0 <= self.mixup <= 10:
            raise UserError(f"config key 'mixup' must be 0 to 10, not {self.mixup}")
        if self.teacher and (not self.passes or self.mixup):
            raise UserError("config key 'teacher' needs 'passes' of 1 or more, and no 'mixup'")
        for key, known in (("optimizer", ("adamw", "sgd", "heavy_ball")), ("schedule", ("one_cycle", "constant"))):
            if getattr(self, key) not in known:
                raise UserError(f"config key '{key}' must be {', '.join(known[:-1])} or {known[-1]}, "
                                f"not {getattr(self, key)!r}")
        if not 0 <= self.unknown_weight <= 100:
            raise UserError(f"config key 'unknown_weight' must be 0 to 100, not {self.unknown_weight}")
        self.augmentation()  # raises on an unknown or senseless setting
        self.pruning()

    def pruning(self) -> prune.PruneConfig | None:
        """The pruning, checked; None where there is none."""
        return prune.PruneConfig.from_dict(self.prune) if self.prune else None

    def quantisation(self) -> quant.QuantConfig:
        """How the stage at few bits goes, checked."""
        try:
            return quant.QuantConfig("QAT", self.weight_bits, self.granularity, self.clipping)
        except UserError as error:
            raise UserError(f"config keys 'weight_bits', 'granularity', 'clipping': {error}") from error

    def augmentation(self) -> AugmentConfig:
        """The augmentation, checked."""
        known = {item.name: item.default for item in fields(AugmentConfig)}
        for key, value in self.augment.items():
            if key not in known:
                raise UserError(f"unknown key '{key}' under 'augment'; known: {', '.join(known)}")
            several = isinstance(known[key], tuple)
            numbers = value if several and isinstance(value, (list, tuple)) else [value]
            if not all(type(n) in ((int,) if isinstance(known[key], int) else (int, float)) and math.isfinite(n)
                       for n in numbers):
                wanted = "[lowest, highest]" if several else f"a number like {known[key]}"
                raise UserError(f"'{key}' under 'augment' must be {wanted}, not {value!r}")
        return AugmentConfig(**{key: tuple(value) if isinstance(value, list) else value
                                for key, value in self.augment.items()})


def load_config(path: str | Path, **overrides) -> TrainConfig:
    """Read a YAML file; `overrides` that are not None win. Unknown keys and unreadable files raise `UserError`."""
    try:
        values = yaml.safe_load(Path(path).read_text("utf-8")) or {}
    except OSError as error:
        raise UserError(f"cannot read config {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not a text file: give a YAML config") from error
    except yaml.YAMLError as error:
        raise UserError(f"{path} is not valid YAML: {str(error).splitlines()[0]}") from error
    if not isinstance(values, dict):
        raise UserError(f"{path} must hold 'key: value' lines")
    known = [item.name for item in fields(TrainConfig)]
    for key in values:
        if key not in known:
            raise UserError(f"unknown key '{key}' in {path}; known: {', '.join(known)}")
    return TrainConfig(**{**values, **{key: value for key, value in overrides.items() if value is not None}})


def pick_device(name: str) -> str:
    """'auto', 'cpu' or 'cuda'; asking for a GPU that is not there raises `UserError`."""
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if name not in ("cpu", "cuda"):
        raise UserError(f"unknown device '{name}': auto, cpu or cuda")
    if name == "cuda" and not torch.cuda.is_available():
        raise UserError("device cuda: no GPU found; use --device cpu")
    return name


def save_atomically(content: dict, path: Path) -> None:
    """`torch.save` that leaves the old file alone until the new one is whole."""
    temporary = path.with_suffix(".partial")
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
    features = features.to(next(model.parameters()).dtype) * quant.INPUT_STEP
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
    first, *others = (x.float() * quant.INPUT_STEP for x in (calibration, *norm_batches))
    return accuracy(quant.quantised(model, config, first, others), features, labels)


def build(config: TrainConfig) -> nn.Module:
    """The untrained float network of a config."""
    return build_model(config.model, **config.network)


def named_network(name: str, key: str) -> Path:
    """The file of a trained float network that a config names under `key`: a file itself, or a name in data/models."""
    path = Path(name) if Path(name).suffix else MODELS / f"{name}_float.pt"
    if not path.exists():
        raise UserError(f"config key '{key}': there is no {path}; train it first, or leave the key out")
    return path


def load_teacher(name: str, device: str) -> nn.Module:
    """The trained float network that a config names as its teacher."""
    return load_model(named_network(name, "teacher")).float().to(device)


def load_start(name: str, model: nn.Module) -> None:
    """Give `model` the weights of the trained float network that a config names as its start, in place."""
    path = named_network(name, "start")
    try:
        model.load_state_dict(load_model(path).float().state_dict())
    except RuntimeError as error:
        raise UserError(f"config key 'start': {path} holds another network than this config's, in float") from error


def batch_loss(model: nn.Module, config: TrainConfig, x: Tensor, y: Tensor, answers: Tensor, generator) -> Tensor:
    """Loss of one batch: labels, smoothed; a teacher's softened answers; or mixed pairs.

    x : float [B, T, 12] in int8 units; y : int64 [B]; answers : float [B, 12], or [B, 0] without a teacher.
    """
    x = x * quant.INPUT_STEP
    costs = torch.ones(len(CLASSES), device=x.device)
    costs[UNKNOWN] = config.unknown_weight
    if config.mixup:
        share = torch.from_numpy(np.random.default_rng(int(torch.randint(2**31, (1,), generator=generator)))
                                 .beta(config.mixup, config.mixup, len(x))).to(x)
        other = torch.randperm(len(x), generator=generator, device=x.device)
        logits = model(share[:, None, None] * x + (1 - share)[:, None, None] * x[other])
        losses = [F.cross_entropy(logits, target, costs, label_smoothing=config.label_smoothing, reduction="none")
                  for target in (y, y[other])]
        return (share * losses[0] + (1 - share) * losses[1]).mean()
    logits = model(x)
    if not answers.shape[1]:
        return F.cross_entropy(logits, y, costs, label_smoothing=config.label_smoothing)
    losses = F.cross_entropy(logits, y, costs, label_smoothing=config.label_smoothing, reduction="none")  # (B,)
    t = config.temperature
    distances = F.kl_div(F.log_softmax(logits / t, 1), F.log_softmax(answers / t, 1), reduction="none", log_target=True)
    share = config.distill_weight * (y != SILENCE)  # silence is so by construction: its label is all to learn
    return ((1 - share) * losses + share * t * t * distances.sum(1)).mean()


def train(
    config: TrainConfig, data: Bands, out: Path, device: str = "cpu", resume: bool = False, quiet: bool = False
) -> dict:
    """Train as `config` says; write `out` (the network) and `out` + '.checkpoint' after each epoch.

    Returns {"float_accuracy", "accuracy", "history"}; accuracies in percent on the log-mel validation set of `data`.
    The checkpoint's progress says the processor time of all epochs, too: on one thread, what they take on an idle core.
    `out` holds config, stage ('float' or 'qat'), weight_bits, state_dict, metrics, version: plain values and tensors,
    so that `torch.load(weights_only=True)` reads it. Ctrl-C leaves the last epoch's checkpoint.
    """
    check_writable(out)
    keep_freed_memory()
    torch.manual_seed(config.seed)
    random.seed(config.seed)
    np.random.seed(config.seed)
    data = data.to(device)
    generator = torch.Generator(device).manual_seed(config.seed)
    features, labels = validation_set(data, seed=0)
    model = build(config)
    if config.start:
        load_start(config.start, model)
    model.to(device)
    pruner = prune.Pruner(config.pruning(), model) if config.prune else None
    passes = None
    if config.passes:
        teacher = load_teacher(config.teacher, device) if config.teacher else None
        passes = Passes(data, config, config.passes, teacher, datasets.cache_folder())

    def epoch(number: int, generator: torch.Generator = generator):
        if passes is not None:
            return passes.batches(number, config.batch_size, generator)
        order = epoch_order(data, config.unknown_share, config.silence_share, generator)
        batches = training_batches(data, config.augmentation(), order, config.batch_size, generator)
        return ((x, y, x.new_empty(len(x), 0)) for x, y in batches)

    def measure_norms(network: nn.Module) -> None:
        """Statistics of averaged weights: not the average of the statistics, where weights are rounded least of all."""
        some = itertools.islice(epoch(0, torch.Generator(device).manual_seed(0)), NORM_BATCHES)
        update_bn((x * quant.INPUT_STEP for x, *_ in some), network)

    clips = len(epoch_order(data, config.unknown_share, config.silence_share, torch.Generator(device)))
    steps = clips // config.batch_size
    if steps < 1:
        raise UserError(f"batch size {config.batch_size} is larger than the training set of {clips} clips")
    float_steps = config.epochs * steps
    checkpoint_path = out.with_suffix(".checkpoint")
    state: dict = {"stage": "float", "epoch": 0, "history": [], "float_accuracy": None, "seconds": 0.0}
    saved, saved_stage = None, None
    if resume:
        saved = load_checkpoint(checkpoint_path)
        if not isinstance(saved, dict) or not {"config", "progress", "optimizer", "generator"} <= saved.keys():
            raise UserError(f"{checkpoint_path} is not a checkpoint of this program: train without --resume first")
        if {**asdict(TrainConfig()), **saved["config"]} != asdict(config):
            raise UserError(f"{checkpoint_path} was made by another config; start anew or use the same one")
        state = saved["progress"]
        saved_stage = state["stage"]
        if pruner is not None and saved["pruner"] is not None:
            pruner.load_state_dict(saved["pruner"])
    if "network" in state:  # its channels are gone already
        model, pruner = build_model(config.model, **state["network"]).to(device), None

    for stage, epochs, peak in (("float", config.epochs, config.lr), ("qat", config.qat_epochs, config.qat_lr)):
        if stage == "qat" and epochs and state["stage"] == "float":
            # between the stages: remember the float network, calibrate
            state.update(stage="qat", epoch=0)
            save_atomically(bundle(config, "float", model, state), out.with_name(out.stem + "_float.pt"))
            quant.prepare(model, config.quantisation()).to(device)
            quant.calibrate(model.eval(), next(epoch(0))[0] * quant.INPUT_STEP)
        elif stage == saved_stage == "qat":
            quant.prepare(model, config.quantisation()).to(device)
        if stage != state["stage"]:
            continue
        model.to(device)
        optimizer = make_optimizer(model, config, peak)
        scheduler = make_scheduler(optimizer, config, peak, max(epochs, 1) * steps + 1)
        average = None
        if config.average:
            average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(config.average))
        kept = model if average is None else average.module
        if stage == saved_stage:
            model.load_state_dict(saved["model"])
            optimizer.load_state_dict(saved["optimizer"])
            scheduler.load_state_dict(saved["scheduler"])
            generator.set_state(saved["generator"])
            if average is not None:
                average.load_state_dict(saved["average"])
        for done in range(state["epoch"], epochs):
            began = time.process_time()
            model.train()
            total, right = torch.zeros((), device=device), score_of(state)
            bar = tqdm(epoch(done), total=steps, desc=f"{stage} {done + 1}/{epochs}", disable=quiet, leave=False)
            for count, (x, y, answers) in enumerate(bar, 1):
                loss = batch_loss(model, config, x, y, answers, generator)
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                optimizer.step()
                if pruner is not None:
                    pruner.after_step(model, done * steps + count if stage == "float" else float_steps, float_steps)
                scheduler.step()
                if average is not None:
                    average.update_parameters(model)
                total += loss.detach()
                if count % 20 == 0 and not quiet:
                    bar.set_postfix(loss=f"{total.item() / count:.3f}", validation=right)
            mean_loss = total.item() / steps
            if not math.isfinite(mean_loss):
                raise UserError(f"the loss became {mean_loss} in epoch {done + 1}: lower --lr; last checkpoint kept")
            if pruner is not None:
                pruner.apply(kept)
            if average is not None:
                measure_norms(kept)
            score = accuracy(kept, features, labels)
            state["epoch"] = done + 1
            state["seconds"] = state.get("seconds", 0.0) + time.process_time() - began
            state["history"].append({"stage": stage, "epoch": done + 1, "loss": mean_loss, "accuracy": score})
            if not quiet:
                tqdm.write(f"{stage} epoch {done + 1}/{epochs}  loss {mean_loss:.3f}  validation {score:.2f} %")
            save_atomically(
                {"config": asdict(config), "progress": state, "model": model.state_dict(),
                 "average": average.state_dict() if average is not None else None,
                 "optimizer": optimizer.state_dict(), "scheduler": scheduler.state_dict(),
                 "generator": generator.get_state(),
                 "pruner": pruner.state_dict() if pruner is not None else None},
                checkpoint_path,
            )
        model = kept
        if stage == "float" and pruner is not None and config.prune.get("of") == "channels":
            model, pruner = prune.shrink(model, pruner.masks), None
            state["network"] = {**config.network, "expansion": model.config.expansion}
        if stage == "float":
            state["float_accuracy"] = accuracy(model, features, labels)
    if state["stage"] == "qat":
        quant.finish(model)
        state["accuracy"] = accuracy(model, features, labels)
    final = bundle(config, state["stage"], model, state)
    save_atomically(final, out)
    return final["metrics"]


def make_optimizer(model: nn.Module, config: TrainConfig, lr: float) -> torch.optim.Optimizer:
    """The config's optimiser. All parameters decay but the logarithms of steps, whose zero means nothing."""
    steps = [p for name, p in model.named_parameters() if name.endswith("log2_step")]
    others = [p for name, p in model.named_parameters() if not name.endswith("log2_step")]
    groups = [{"params": others, "weight_decay": config.weight_decay}, {"params": steps, "weight_decay": 0.0}]
    groups = [group for group in groups if group["params"]]
    if config.optimizer != "adamw":
        return torch.optim.SGD(groups, lr, momentum=config.momentum, nesterov=config.optimizer == "sgd")
    return torch.optim.AdamW(groups, lr, betas=(config.momentum, 0.999), fused=True)


def make_scheduler(optimizer: torch.optim.Optimizer, config: TrainConfig, peak: float, steps: int):
    """The config's schedule of learning rates, one step a batch."""
    if config.schedule == "constant":
        return torch.optim.lr_scheduler.ConstantLR(optimizer, factor=1.0)
    return torch.optim.lr_scheduler.OneCycleLR(
        optimizer, peak, total_steps=steps, pct_start=0.15,
        base_momentum=config.momentum - 0.05, max_momentum=config.momentum)


def keep_freed_memory() -> None:
    """Tell glibc's allocator to keep what is freed, up to 32 MB at once, for the next tensor of that size.

    By default it hands large blocks back to the system, which clears them again, page by page, for the next layer: half
    of a training step of the small 2-D networks. Elsewhere than on glibc nothing happens.
    """
    with contextlib.suppress(OSError, AttributeError, TypeError):
        mallopt = ctypes.CDLL(None).mallopt
        for option, size in ((-3, 1 << 25), (-1, 1 << 30), (-2, 1 << 26)):  # mmap threshold, trim threshold, top pad
            mallopt(option, size)


def score_of(state: dict) -> str:
    """The last epoch's validation accuracy, for the progress bar."""
    return f"{state['history'][-1]['accuracy']:.2f} %" if state["history"] else "-"


def bundle(config: TrainConfig, stage: str, model: nn.Module, state: dict) -> dict:
    """What a finished network's file holds."""
    metrics = {"float_accuracy": state["float_accuracy"],
               "accuracy": state["accuracy"] if stage == "qat" else state["float_accuracy"],
               "history": state["history"]}
    shape = {"network": state["network"]} if "network" in state else {}  # where pruning changed it
    return {"config": asdict(config), "stage": stage, "weight_bits": config.weight_bits, "version": __version__,
            **shape, "metrics": metrics,
            "state_dict": {name: value.cpu() for name, value in model.state_dict().items()}}


def load_checkpoint(path: Path) -> dict:
    """Read a file written by this module; a missing or foreign one raises `UserError`."""
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise UserError(f"{path} does not exist: train it first, without --resume") from error
    except Exception as error:  # torch raises many types for a foreign file
        raise UserError(f"{path} is not a checkpoint of this program") from error


def build_saved(content: dict) -> nn.Module:
    """The untrained float network of a finished network's file, without the channels that were pruned."""
    config = TrainConfig(**content["config"])
    return build_model(config.model, **content.get("network", config.network))


def load_model(path: str | Path) -> nn.Module:
    """The trained network in a file, ready to evaluate: float, or with quantisers when it was trained at few bits."""
    content = load_checkpoint(Path(path))
    if not isinstance(content, dict) or not {"config", "stage", "state_dict"} <= content.keys():
        raise UserError(f"{path} is not a trained network of this program")
    try:
        model = build_saved(content)
        if content["stage"] == "qat":
            quant.prepare(model, content["weight_bits"]).double()
            quant.fold(model)
        model.load_state_dict(content["state_dict"])
    except (UserError, KeyError, TypeError, AttributeError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"{path} does not fit this version of the program ({reason}): train it again") from error
    return model.eval()
