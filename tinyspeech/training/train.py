"""One training loop for every network: float first, then quantisation-aware at few bits (chapters 4 and 5).

    python -m tinyspeech train --config data/configs/tinyspeech_s_clips.yaml --data FOLDER_OR_ARCHIVE

AdamW with a one-cycle schedule, or what the config says, over augmented clips; a teacher's answers beside the labels
where the config names one; the weights that are kept are a running average. After each epoch a checkpoint (weights,
optimiser, generators) is written beside the result, so that `--resume` continues bit for bit on the CPU.
"""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import math
import random
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn, update_bn
from tqdm import tqdm

from tinyspeech import CLASSES, KEYWORDS, paths
from tinyspeech.errors import UserError
from tinyspeech.lowbit import grids, quant
from tinyspeech.lowbit.prune import Pruner, shrink
from tinyspeech.lowbit.saved import (
    accuracy,
    beside,
    bundle,
    check_writable,
    load_checkpoint,
    load_model,
    save_atomically,
)
from tinyspeech.networks.family import TinySpeech
from tinyspeech.networks.models import build_model
from tinyspeech.training import streams
from tinyspeech.training.config import TrainConfig
from tinyspeech.training.data import (
    SILENCE,
    UNKNOWN,
    VIEWS,
    Bands,
    Passes,
    epoch_order,
    training_batches,
    validation_set,
)

NORM_BATCHES = 32
"""Batches from which batch norm's statistics of averaged weights are measured."""


def pick_device(name: str) -> str:
    """'auto', 'cpu' or 'cuda'; asking for a GPU that is not there raises `UserError`."""
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if name not in ("cpu", "cuda"):
        raise UserError(f"unknown device '{name}': auto, cpu or cuda")
    if name == "cuda" and not torch.cuda.is_available():
        raise UserError("device cuda: no GPU found; use --device cpu")
    return name


def build(config: TrainConfig) -> nn.Module:
    """The untrained float network of a config."""
    return build_model(config.model, **config.network)


def named_network(name: str, key: str) -> Path:
    """The file of a trained float network that a config names under `key`: a file itself, or a name in data/models."""
    path = Path(name) if Path(name).suffix else paths.MODELS / f"{name}_float.pt"
    if not path.exists():
        raise UserError(f"config key '{key}': there is no {path}; train it first, or leave the key out")
    return path


def load_teacher(name: str, device: str) -> nn.Module:
    """The trained float network that a config names as its teacher."""
    return load_model(named_network(name, "teacher")).float().to(device)


def load_start(config: TrainConfig, model: nn.Module) -> None:
    """Give `model` the weights of the trained float network that a config names as its start, in place.

    Of a network that tells other words apart it gets all but the classifier: how speech sounds is known, and no word.
    """
    path = named_network(config.start, "start")
    try:
        weights = load_model(path).float().state_dict()
        if load_checkpoint(path)["config"].get("words", [*KEYWORDS]) != config.words:
            weights |= {key: value for key, value in model.state_dict().items() if key.startswith("classifier.")}
        key = "condenser.excite.weight"
        if key in weights and getattr(model.condenser, "memory", 0) and model.config.condenser == weights[key].shape[1]:
            weights[key] = F.pad(weights[key], (0, 0, 0, model.config.condenser))  # it remembers, and heeds it not yet
        model.load_state_dict(weights)
    except RuntimeError as error:
        raise UserError(f"config key 'start': {path} holds another network than this config's, in float") from error


def class_costs(config: TrainConfig, like: Tensor) -> Tensor:
    """What an error on each class costs, [12], where `like` is."""
    costs = torch.ones(len(CLASSES), device=like.device)
    costs[UNKNOWN] = config.unknown_weight
    return costs


def batch_loss(model: nn.Module, config: TrainConfig, x: Tensor, y: Tensor, answers: Tensor, generator) -> Tensor:
    """Loss of one batch: labels, smoothed; a teacher's softened answers; or mixed pairs.

    x : float [B, T, 12] in int8 units; y : int64 [B]; answers : float [B, 12], or [B, 0] without a teacher.
    """
    x = x * grids.INPUT_STEP
    if config.mixup:
        costs = class_costs(config, x)
        share = torch.from_numpy(np.random.default_rng(int(torch.randint(2**31, (1,), generator=generator)))
                                 .beta(config.mixup, config.mixup, len(x))).to(x)
        other = torch.randperm(len(x), generator=generator, device=x.device)
        logits = model(share[:, None, None] * x + (1 - share)[:, None, None] * x[other])
        losses = [F.cross_entropy(logits, target, costs, label_smoothing=config.label_smoothing, reduction="none")
                  for target in (y, y[other])]
        return (share * losses[0] + (1 - share) * losses[1]).mean()
    return clip_loss(config, model(x), y, answers)


def clip_loss(config: TrainConfig, logits: Tensor, y: Tensor, answers: Tensor) -> Tensor:
    """Loss of a batch of clips of which a network says `logits`, [B, 12]: labels, smoothed, and a teacher's answers.

    y : int64 [B]; answers : float [B, 12], or [B, 0] without a teacher.
    """
    costs = class_costs(config, logits)
    if not answers.shape[1]:
        return F.cross_entropy(logits, y, costs, label_smoothing=config.label_smoothing)
    losses = F.cross_entropy(logits, y, costs, label_smoothing=config.label_smoothing, reduction="none")  # (B,)
    t = config.temperature
    distances = F.kl_div(F.log_softmax(logits / t, 1), F.log_softmax(answers / t, 1), reduction="none", log_target=True)
    share = config.distill_weight * (y != SILENCE)  # silence is so by construction: its label is all to learn
    return ((1 - share) * losses + share * t * t * distances.sum(1)).mean()


def joint_loss(run: Run, x: Tensor, y: Tensor, done: float) -> Tensor:
    """Loss of a batch of clips, float [B, 49, 12] in int8 units and int64 [B], and of as many streams behind them.

    done : how much of the float stage is, 0..1
    """
    settings, drawn = run.config.stream_settings(), run.sounds.draw(len(x), run.generator)
    logits, sums = streams.answers(run.model, streams.rows_of(run.model, x, drawn))
    answers = logits.new_empty(len(x), 0)
    if run.teacher is not None:
        with torch.no_grad():
            answers = run.teacher(x * grids.INPUT_STEP)
    clips = clip_loss(run.config, logits, y, answers)
    return clips + settings.share_in(run.progress.stage) * streams.loss(sums, drawn, y, settings.weight_at(done))


@dataclass
class Progress:
    """How far a run is. A checkpoint holds these values in a dictionary, by these names."""

    stage: str = "float"
    """`float`, then `qat`."""
    epoch: int = 0
    """Epochs of the stage that are done."""
    history: list[dict] = field(default_factory=list)
    """{"stage", "epoch", "loss", "accuracy"} of every epoch that is done."""
    float_accuracy: float | None = None
    """Of the float network on the validation set, in percent, once that stage is over."""
    seconds: float = 0.0
    """Processor time of all epochs that are done: on one thread, what they take on an idle core. A checkpoint from
    before it was counted has none."""
    network: dict | None = None
    """Keys of the network's own config, once pruning has taken channels out of it."""

    def as_dict(self) -> dict:
        """For a checkpoint; without `network` while that is the config's."""
        return {key: value for key, value in vars(self).items() if key != "network" or value is not None}


@dataclass
class Run:
    """A training between two of its steps: what it learns from, what it has learned, how far it is."""

    config: TrainConfig
    out: Path
    """The file of the finished network; its checkpoint and the float network stand beside it."""
    device: str
    quiet: bool
    data: Bands
    passes: Passes | None
    """Augmented versions of the clips that are made already; None where every epoch makes its own."""
    features: Tensor
    """[N, T, 12] in int8 units, of the validation set."""
    labels: Tensor
    """int64 [N], of the validation set."""
    steps: int
    """Batches in one epoch."""
    model: nn.Module
    """The network that learns; at the end of a stage, the one that is kept."""
    pruner: Pruner | None
    generator: torch.Generator
    """Of the order of clips, their augmentation and mixing, and of streams."""
    sounds: streams.Sounds | None = None
    """What streams are drawn from, where the config asks for any."""
    teacher: nn.Module | None = None
    """Asked about the clips before the streams as they come; where there are passes, it was asked when they were made.
    """
    progress: Progress = field(default_factory=Progress)

    @property
    def checkpoint(self) -> Path:
        """Where a run that was interrupted goes on."""
        return beside(self.out, ".checkpoint")

    def batches(self, epoch: int, generator: torch.Generator) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """(features [B, T, 12] in int8 units, labels [B], a teacher's answers [B, 12] or [B, 0]) of epoch 0, 1, ..."""
        config = self.config
        if self.passes is not None:
            return self.passes.batches(epoch, config.batch_size, generator)
        order = epoch_order(self.data, config.unknown_share, config.silence_share, generator)
        batches = training_batches(self.data, config.augmentation(), order, config.batch_size, generator,
                                   view=VIEWS[config.features])
        return ((x, y, x.new_empty(len(x), 0)) for x, y in batches)

    def accuracy(self, model: nn.Module) -> float:
        """Of a network on the validation set, in percent."""
        return accuracy(model, self.features, self.labels)


@dataclass
class Stage:
    """One of the two stages of a run, and what turns its batches into weights: both stages have their own."""

    name: str
    """`float` or `qat`."""
    epochs: int
    optimizer: torch.optim.Optimizer
    scheduler: torch.optim.lr_scheduler.LRScheduler
    average: AveragedModel | None
    """The running average of all weights, where one is kept."""


def train(
    config: TrainConfig, data: Bands, out: Path, device: str = "cpu", resume: bool = False, quiet: bool = False,
    sounds: streams.Sounds | None = None,
) -> dict:
    """Train as `config` says; write `out` (the network) and `out` + '.checkpoint' after each epoch.

    Returns {"float_accuracy", "accuracy", "history"}; accuracies in percent on the log-mel validation set of `data`.
    `out` holds config, stage ('float' or 'qat'), weight_bits, state_dict, metrics, version: plain values and tensors,
    so that `torch.load(weights_only=True)` reads it. Ctrl-C leaves the last epoch's checkpoint.
    """
    check_writable(out)
    keep_freed_memory()
    run = start_run(config, data, out, device, quiet, sounds)
    saved = take_up(run) if resume else None
    if run.progress.stage == "float":
        float_stage(run, saved)
    if config.qat_epochs:
        few_bits_stage(run, saved)
    return finish_run(run)


def start_run(
    config: TrainConfig, data: Bands, out: Path, device: str, quiet: bool, sounds: streams.Sounds | None = None
) -> Run:
    """Everything before the first step. The same config gives the same weights, order and augmentation.

    Raises `UserError` for a teacher, a start, a pruning or a batch size that does not fit, or for streams without
    sounds to draw them from.
    """
    torch.manual_seed(config.seed)
    random.seed(config.seed)
    np.random.seed(config.seed)
    data = data.to(device)
    generator = torch.Generator(device).manual_seed(config.seed)
    features, labels = validation_set(data, seed=0, view=VIEWS[config.features])
    model = build(config)
    if config.streams and not getattr(model, "condenser", None):
        raise UserError("streams need a network that weighs its frames: 'condenser' above 0, 'attention: frames'")
    if config.features == "bands" and not isinstance(model, TinySpeech):
        raise UserError(f"{config.model} takes 12 coefficients: features 'bands' are for the paper's networks, "
                        "printed_x to printed_m")
    if config.streams and sounds is None:
        raise UserError("this config trains on streams too: give recordings of running speech, noise and rooms "
                        "(--negatives, --ambience, --rooms)")
    if config.start:
        load_start(config, model)
    model.to(device)
    pruner = Pruner(config.pruning(), model) if config.prune else None
    passes, teacher = None, load_teacher(config.teacher, device) if config.teacher else None
    if config.passes:
        passes = Passes(data, config, config.passes, teacher, paths.cache_folder())
    clips = len(epoch_order(data, config.unknown_share, config.silence_share, torch.Generator(device)))
    steps = clips // config.batch_size
    if steps < 1:
        raise UserError(f"batch size {config.batch_size} is larger than the training set of {clips} clips")
    return Run(config, out, device, quiet, data, passes, features, labels, steps, model, pruner, generator,
               sounds.to(device) if config.streams else None, teacher if passes is None else None)


def take_up(run: Run) -> dict:
    """Go on where the checkpoint of an interrupted run stands: progress, masks, and a network without the channels
    that are gone. Returns the checkpoint; its weights are of use once its stage is prepared (`start_stage`).

    Raises `UserError` for a checkpoint that is not there, foreign, or of another config.
    """
    saved = load_checkpoint(run.checkpoint)
    if not isinstance(saved, dict) or not {"config", "progress", "optimizer", "generator"} <= saved.keys():
        raise UserError(f"{run.checkpoint} is not a checkpoint of this program: train without --resume first")
    if {**asdict(TrainConfig()), **saved["config"]} != asdict(run.config):
        raise UserError(f"{run.checkpoint} was made by another config; start anew or use the same one")
    run.progress = Progress(**saved["progress"])
    if run.pruner is not None and saved["pruner"] is not None:
        run.pruner.load_state_dict(saved["pruner"])
    if run.progress.network is not None:
        run.model, run.pruner = build_model(run.config.model, **run.progress.network).to(run.device), None
    return saved


def float_stage(run: Run, saved: dict | None) -> None:
    """Train in float; pruned channels are taken out in the end."""
    run_stage(run, start_stage(run, "float", run.config.epochs, run.config.lr, saved))
    if run.pruner is not None and run.config.prune.get("of") == "channels":
        run.model, run.pruner = shrink(run.model, run.pruner.masks), None
        run.progress.network = {**run.config.network, "expansion": run.model.config.expansion}
    run.progress.float_accuracy = run.accuracy(run.model)


def few_bits_stage(run: Run, saved: dict | None) -> None:
    """Go on at few bits: the float network is written to a file of its own, then gets its quantisers."""
    quantisation = run.config.quantisation()
    if run.progress.stage == "float":
        run.progress.stage, run.progress.epoch = "qat", 0
        save_atomically(finished(run, "float", run.progress.float_accuracy),
                        beside(run.out, "_float.pt"))
        quant.prepare(run.model, quantisation).to(run.device)
        quant.calibrate(run.model.eval(), next(run.batches(0, run.generator))[0] * grids.INPUT_STEP)
    else:  # taken up in this stage: the steps of the quantisers are in the checkpoint
        quant.prepare(run.model, quantisation).to(run.device)
    run_stage(run, start_stage(run, "qat", run.config.qat_epochs, run.config.qat_lr, saved))


def start_stage(run: Run, name: str, epochs: int, peak: float, saved: dict | None) -> Stage:
    """Optimiser, schedule and average of a stage, as they are in its checkpoint where `saved` is one."""
    config = run.config
    run.model.to(run.device)
    optimizer = make_optimizer(run.model, config, peak)
    scheduler = make_scheduler(optimizer, config, peak, max(epochs, 1) * run.steps + 1)
    average = None
    if config.average:
        average = AveragedModel(run.model, multi_avg_fn=get_ema_multi_avg_fn(config.average))
    if saved is not None and saved["progress"]["stage"] == name:
        run.model.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved["optimizer"])
        scheduler.load_state_dict(saved["scheduler"])
        run.generator.set_state(saved["generator"])
        if average is not None:
            average.load_state_dict(saved["average"])
    return Stage(name, epochs, optimizer, scheduler, average)


def run_stage(run: Run, stage: Stage) -> None:
    """The epochs of a stage that are left, each with its checkpoint; then the network that is kept is the run's."""
    kept = run.model if stage.average is None else stage.average.module
    for epoch in range(run.progress.epoch, stage.epochs):
        began = time.process_time()
        loss = learn(run, stage, epoch)
        if not math.isfinite(loss):
            raise UserError(f"the loss became {loss} in epoch {epoch + 1}: lower --lr; last checkpoint kept")
        if run.pruner is not None:
            run.pruner.apply(kept)
        if stage.average is not None:
            measure_norms(run, kept)
        score = run.accuracy(kept)
        run.progress.epoch = epoch + 1
        run.progress.seconds += time.process_time() - began
        run.progress.history.append({"stage": stage.name, "epoch": epoch + 1, "loss": loss, "accuracy": score})
        if not run.quiet:
            tqdm.write(f"{stage.name} epoch {epoch + 1}/{stage.epochs}  loss {loss:.3f}  validation {score:.2f} %")
        save_progress(run, stage)
    run.model = kept


def learn(run: Run, stage: Stage, epoch: int) -> float:
    """One epoch: a step for every batch. Returns the mean loss."""
    run.model.train()
    total, right = torch.zeros((), device=run.device), score_of(run.progress.history)
    float_steps = run.config.epochs * run.steps
    bar = tqdm(run.batches(epoch, run.generator), total=run.steps, desc=f"{stage.name} {epoch + 1}/{stage.epochs}",
               disable=run.quiet, leave=False)
    for count, (x, y, answers) in enumerate(bar, 1):
        if run.sounds is None:
            loss = batch_loss(run.model, run.config, x, y, answers, run.generator)
        else:
            done = (epoch * run.steps + count) / float_steps if stage.name == "float" else 1.0
            loss = joint_loss(run, x, y, done)
        stage.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        stage.optimizer.step()
        if run.pruner is not None:
            step = epoch * run.steps + count if stage.name == "float" else float_steps
            run.pruner.after_step(run.model, step, float_steps)
        stage.scheduler.step()
        if stage.average is not None:
            stage.average.update_parameters(run.model)
        total += loss.detach()
        if count % 20 == 0 and not run.quiet:
            bar.set_postfix(loss=f"{total.item() / count:.3f}", validation=right)
    return total.item() / run.steps


def measure_norms(run: Run, network: nn.Module) -> None:
    """Statistics of averaged weights: not the average of the statistics, where weights are rounded least of all."""
    generator = torch.Generator(run.device).manual_seed(0)
    some = (x for x, *_ in itertools.islice(run.batches(0, generator), NORM_BATCHES))
    if run.sounds is not None:
        some = (streams.rows_of(network, x, run.sounds.draw(len(x), generator)) for x in some)
    update_bn((x * grids.INPUT_STEP for x in some), network)


def save_progress(run: Run, stage: Stage) -> None:
    """Write the checkpoint, with all that `take_up` and `start_stage` need to go on bit for bit."""
    save_atomically(
        {"config": asdict(run.config), "progress": run.progress.as_dict(), "model": run.model.state_dict(),
         "average": stage.average.state_dict() if stage.average is not None else None,
         "optimizer": stage.optimizer.state_dict(), "scheduler": stage.scheduler.state_dict(),
         "generator": run.generator.get_state(),
         "pruner": run.pruner.state_dict() if run.pruner is not None else None},
        run.checkpoint,
    )


def finish_run(run: Run) -> dict:
    """Fold what few bits have learned into the network, measure it and write its file. Returns its metrics."""
    score = run.progress.float_accuracy
    if run.progress.stage == "qat":
        quant.finish(run.model)
        score = run.accuracy(run.model)
    content = finished(run, run.progress.stage, score)
    save_atomically(content, run.out)
    return content["metrics"]


def finished(run: Run, stage: str, score: float) -> dict:
    """What the file of the run's network holds, with its accuracy `score` in percent."""
    metrics = {"float_accuracy": run.progress.float_accuracy, "accuracy": score, "history": run.progress.history,
               "seconds": round(run.progress.seconds)}
    return bundle(asdict(run.config), stage, run.model, metrics, run.progress.network)


def make_optimizer(model: nn.Module, config: TrainConfig, lr: float) -> torch.optim.Optimizer:
    """The config's optimiser. All parameters decay but the logarithms of steps, whose zero means nothing."""
    steps = [p for name, p in model.named_parameters() if name.endswith("log2_step")]
    others = [p for name, p in model.named_parameters() if not name.endswith("log2_step")]
    groups = [{"params": others, "weight_decay": config.weight_decay}, {"params": steps, "weight_decay": 0.0}]
    groups = [group for group in groups if group["params"]]
    if config.optimizer != "adamw":
        return torch.optim.SGD(groups, lr, momentum=config.momentum, nesterov=config.optimizer == "sgd")
    return torch.optim.AdamW(groups, lr, betas=(config.momentum, 0.999), fused=True)


def make_scheduler(
    optimizer: torch.optim.Optimizer, config: TrainConfig, peak: float, steps: int
) -> torch.optim.lr_scheduler.LRScheduler:
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


def score_of(history: list[dict]) -> str:
    """The last epoch's validation accuracy, for the progress bar."""
    return f"{history[-1]['accuracy']:.2f} %" if history else "-"
