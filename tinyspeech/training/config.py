"""A training run as a flat file of keys: every key with its type, its default and its reason (chapter 4)."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields
from pathlib import Path

import yaml

from tinyspeech import KEYWORDS
from tinyspeech.errors import UserError
from tinyspeech.lowbit import quant, saved
from tinyspeech.lowbit.prune import PruneConfig
from tinyspeech.outside import files
from tinyspeech.training.augment import AugmentConfig
from tinyspeech.training.data import VIEWS

MOST_EPOCHS, MOST_CLIPS = 1_000_000, 65_536
"""Slips of the finger beyond: of a run's passes, and of a batch."""
CONFIG_BYTES = 1 << 20


@dataclass(frozen=True)
class StreamSettings:
    """How a network is trained on streams, one behind each clip (chapter 11)."""

    share: tuple[float, float] = (0.3, 0.3)
    """Of their loss, beside the clips' of 1: in float, and at few bits. One number is both."""
    false_weight: tuple[float, float] = (0.3, 1.0)
    """What a frame of scores that reports what was not said costs, at first and from the end of the float stage on; a
    word that is missed costs 1."""

    @classmethod
    def from_dict(cls, values: dict) -> StreamSettings:
        """Raises `UserError` for an unknown key or a value out of range."""
        for key in values:
            if key not in cls.__dataclass_fields__:
                raise UserError(f"unknown key '{key}' under 'streams'; known: {', '.join(cls.__dataclass_fields__)}")
        pairs = {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}
        if "share" in pairs and not isinstance(pairs["share"], tuple):
            pairs["share"] = pairs["share"], pairs["share"]
        for pair in pairs.values():
            if not isinstance(pair, tuple) or len(pair) != 2 or not all(type(n) in (int, float) and 0 <= n <= 1000
                                                                        for n in pair):
                raise UserError("'share' and the two of 'false_weight' under 'streams' must be 0 to 1000")
        return cls(**pairs)

    def share_in(self, stage: str) -> float:
        """The share in stage `float` or `qat`."""
        return self.share[stage != "float"]

    def weight_at(self, done: float) -> float:
        """The weight of false reports when so much of the float stage is done, 0..1."""
        first, last = self.false_weight
        return first * (last / first) ** done if first else last * done


@dataclass
class TrainConfig:
    """A training run; every key may stand in the YAML file."""

    model: str = "tinyspeech_s"
    network: dict = field(default_factory=dict)
    """Keys of the network's own config."""
    words: list = field(default_factory=lambda: list(KEYWORDS))
    """The ten to be told apart, as the data call them and as the chip prints them; every other word is unknown."""
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
    features: str = "cepstra"
    """What is heard: the chip's `cepstra`; or, in float, `cepstra_10_ms` (twice as many) or `bands` (40 of them)."""
    passes: int = 0
    """Augmented versions of the training set that are made once and used in turn; 0 makes a fresh one each epoch."""
    teacher: str = ""
    """A trained network whose answers are learned too: a file, or a name in data/models. With `passes` or `streams`."""
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
    streams: dict = field(default_factory=dict)
    """Keys of `StreamSettings`; without any the network meets clips alone."""
    start: str = ""
    """A trained float network to go on from: a name in data/models, or a file; by default random weights. `epochs` may
    be 0 then, which leaves it as it is until its bits are fewer."""
    prune: dict = field(default_factory=dict)
    """Keys of `prune.PruneConfig`; without any nothing is pruned."""

    def __post_init__(self):
        for item in fields(self):
            value = getattr(self, item.name)
            wanted = {"str": str, "dict": dict, "list": list, "int": int, "float": (int, float),
                      "int | str": (int, str)}[item.type]
            if not isinstance(value, wanted) or isinstance(value, bool):
                raise UserError(f"config key '{item.name}' must be of type {item.type}, not {value!r}")
        if not saved.are_words(self.words):
            raise UserError(f"config key 'words' must be {len(KEYWORDS)} different words of 1 to 8 letters a to z, as "
                            f"the chip prints them, not {self.words!r}")
        if self.batch_size < 1:
            raise UserError(f"config key 'batch_size' must be 1 or more, not {self.batch_size}")
        for key, most in (("batch_size", MOST_CLIPS), ("epochs", MOST_EPOCHS), ("qat_epochs", MOST_EPOCHS)):
            if getattr(self, key) > most:
                raise UserError(f"config key '{key}' must be at most {most:,}, not {getattr(self, key)}")
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
        if self.teacher and (not (self.passes or self.streams) or self.mixup):
            raise UserError("config key 'teacher' needs 'passes' of 1 or more or 'streams', and no 'mixup'")
        for key, known in (("optimizer", ("adamw", "sgd", "heavy_ball")), ("schedule", ("one_cycle", "constant"))):
            if getattr(self, key) not in known:
                raise UserError(f"config key '{key}' must be {', '.join(known[:-1])} or {known[-1]}, "
                                f"not {getattr(self, key)!r}")
        if self.features not in VIEWS:
            raise UserError(f"config key 'features' must be one of {', '.join(VIEWS)}, not {self.features!r}")
        if self.features != "cepstra" and (self.qat_epochs or self.streams or self.teacher):
            raise UserError(f"config key 'features': {self.features} are for float networks, with 'qat_epochs' of 0 "
                            "and neither 'streams' nor 'teacher'")
        if self.streams and (self.passes or self.mixup):
            raise UserError("config key 'streams' goes with neither 'passes' nor 'mixup'")
        if not 0 <= self.unknown_weight <= 100:
            raise UserError(f"config key 'unknown_weight' must be 0 to 100, not {self.unknown_weight}")
        self.augmentation()  # raises on an unknown or senseless setting
        self.pruning()
        self.stream_settings()

    @property
    def classes(self) -> tuple[str, ...]:
        """What the network's twelve answers mean."""
        return saved.classes_of(self.words)

    def stream_settings(self) -> StreamSettings:
        """How it trains on streams, checked."""
        return StreamSettings.from_dict(self.streams)

    def pruning(self) -> prune.PruneConfig | None:
        """The pruning, checked; None where there is none."""
        return PruneConfig.from_dict(self.prune) if self.prune else None

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
        text = files.text(path, "give a YAML config", CONFIG_BYTES)
    except OSError as error:
        raise UserError(f"cannot read config {path}: {error.strerror}") from error
    with files.parsing(path, "is not valid YAML: it nests too deep, or holds a value that is none"):
        try:
            values = yaml.safe_load(text) or {}
        except yaml.YAMLError as error:
            raise UserError(f"{path} is not valid YAML: {str(error).splitlines()[0]}") from error
    if not isinstance(values, dict):
        raise UserError(f"{path} must hold 'key: value' lines")
    known = [item.name for item in fields(TrainConfig)]
    for key in values:
        if key not in known:
            raise UserError(f"unknown key '{key}' in {path}; known: {', '.join(known)}")
    with files.parsing(path, "holds a value that is none"):
        return TrainConfig(**{**values, **{key: value for key, value in overrides.items() if value is not None}})
