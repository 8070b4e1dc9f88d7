"""A trained network, computed five ways, each behind the same three lines (chapter 4).

    from tinyspeech.measure import engines
    runner = engines.engine("int", "tinyspeech_s")
    features, logits, cycles = runner.run(x8)

| engine | front end | network |
| --- | --- | --- |
| `float` | torchaudio's, in float | float, in torch |
| `fake` | integers, numpy | quantisers in float, in torch |
| `int` | integers, numpy | integers, numpy: the definition |
| `c` | the firmware's C, on this computer | the same |
| `chip` | the firmware on the emulated CH32V003 | the same |

The last three must agree in every feature and logit, and hear the same taught words.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.special import softmax

from tinyspeech import ENGINES, KEYWORDS, paths, toolchain
from tinyspeech.board.direct import classify_many
from tinyspeech.board.taught import flash_of, heard_many
from tinyspeech.chip.firmware import firmware_folder
from tinyspeech.chip.native import Native
from tinyspeech.errors import UserError
from tinyspeech.integer import frontend, words
from tinyspeech.integer.network import IntegerModel
from tinyspeech.sound.mulaw import mulaw_decode, mulaw_encode
from tinyspeech.toolchain.compile import build_firmware

FLOAT_LOGIT_STEP = 2.0**-10
"""What a unit of the logits is worth for a float network that has no integer twin."""


class Answers(NamedTuple):
    """What an engine makes of N clips."""

    features: np.ndarray
    """int8 [N, 49, 12]."""
    logits: np.ndarray
    """int32 [N, 12], in units of the integer network's; `Engine.logit_step` is what one is worth."""
    cycles: np.ndarray | None
    """int64 [N] of the chip, None on other engines."""


class Engine(ABC):
    """A trained network on one engine. model : its name, a network in data/models."""

    name: str
    """Of the engine."""
    logit_step: float
    classes: tuple[str, ...]
    """What its scores are of: silence, unknown, and the network's own ten words."""

    @abstractmethod
    def run(self, x8: np.ndarray) -> Answers:
        """Features and scores of clips: int16 [N, 8000] at 8 kHz."""

    def heard(self, recordings: Sequence[np.ndarray], taught: Sequence[words.Word]) -> list[list[tuple[int, int]]]:
        """(FRAME, index) of every taught word in each of some recordings, int16 [n] at 8 kHz: as a board hears them
        over its serial port (`as_sent`). Raises `UserError` where they cannot be heard."""
        raise UserError(f"taught words are not heard by {self.name}: choose --engine int, c or chip")

    def probabilities(self, logits: np.ndarray) -> np.ndarray:
        """Softmax of the mean logits [N, 12]."""
        return softmax(logits * self.logit_step, axis=-1)


def float_features(x8: np.ndarray) -> np.ndarray:
    """int16 [N, 8000] -> float32 [N, 49, 12] by torchaudio's front end, in the units of the integer features."""
    import torch  # here, so that the engines of integers stay without it

    from tinyspeech.training.features import MFCC, FrontendConfig

    octaves = MFCC(FrontendConfig(copy_lowest=True))(torch.from_numpy(x8.astype(np.float32) / 32768)).numpy()
    mean = frontend.COEFFICIENT_MEAN.copy()
    mean[0] -= frontend.UNIT_OCTAVES * np.sqrt(frontend.N_BANDS)
    return ((octaves - mean) / frontend.COEFFICIENT_STD * frontend.UNITS_PER_STD).astype(np.float32)


def as_sent(x8: np.ndarray) -> np.ndarray:
    """A recording, int16 [n] at 8 kHz, as a board gets it over its serial port: mu-law, uint8, and silence behind it,
    in which its last word ends."""
    return mulaw_encode(words.with_silence(x8))


class TorchEngine(Engine):
    """What `float` and `fake` share: a network in torch, its logits rounded to the integer network's units."""

    suffix: str
    """Of the network's file."""

    def __init__(self, model: str):
        from tinyspeech.lowbit import saved  # here, so that the engines of integers stay without torch

        self.logit_step = FLOAT_LOGIT_STEP
        if (paths.MODELS / f"{model}.npz").exists():
            self.logit_step = IntegerModel.load(paths.model_file(model, ".npz")).logit_unit(frontend.N_FRAMES)
        path = self.file(model)
        self.network = saved.load_model(path)
        config = saved.load_checkpoint(path)["config"]
        self.classes = saved.classes_of(config.get("words", KEYWORDS))
        features = config.get("features", "cepstra")
        if features != "cepstra":
            raise UserError(f"{path} was trained on other features than the chip's ({features}): nothing here computes "
                            "them of recordings")

    def file(self, model: str) -> Path:
        """Of this name; `UserError` where there is none."""
        return paths.model_file(model, self.suffix)

    def _logits(self, features: np.ndarray) -> np.ndarray:
        """Features [N, 49, 12] -> int32 [N, 12]."""
        import torch  # here, so that the engines of integers stay without it

        from tinyspeech.lowbit import saved

        logits = saved.predict(self.network, torch.from_numpy(features).float()).numpy()
        return np.rint(logits / self.logit_step).astype(np.int32)


class FloatEngine(TorchEngine):
    """`float`: torchaudio's front end and the float network. Its features are rounded only to be shown."""

    name, suffix = "float", "_float.pt"

    def file(self, model: str) -> Path:
        """A network that was trained for no few bits has one file, NAME.pt."""
        from tinyspeech.lowbit import saved  # as above

        path, alone = paths.MODELS / f"{model}{self.suffix}", paths.MODELS / f"{model}.pt"
        if not path.exists() and alone.parent == paths.MODELS and alone.exists():
            content = saved.load_checkpoint(alone)
            if isinstance(content, dict) and content.get("stage") == "float":
                return alone
        return super().file(model)

    def run(self, x8: np.ndarray) -> Answers:
        features = float_features(x8)
        return Answers(np.clip(np.rint(features), -128, 127).astype(np.int8), self._logits(features), None)


class FakeEngine(TorchEngine):
    """`fake`: integer features, and a network of few bits whose quantisers compute in float."""

    name, suffix = "fake", ".pt"

    def run(self, x8: np.ndarray) -> Answers:
        features = frontend.features(x8)
        return Answers(features, self._logits(features), None)


class IntegerEngine(Engine):
    """`int`: the definition, in numpy. `integer` is the network."""

    name = "int"

    def __init__(self, model: str):
        self.integer = IntegerModel.load(paths.model_file(model, ".npz"))
        self.logit_step, self.classes = self.integer.logit_unit(frontend.N_FRAMES), self.integer.classes

    def run(self, x8: np.ndarray) -> Answers:
        features = frontend.features(x8)
        return Answers(features, self.integer.run(features), None)

    def heard(self, recordings: Sequence[np.ndarray], taught: Sequence[words.Word]) -> list[list[tuple[int, int]]]:
        return [[(words.report_frame(frame), index)
                 for frame, index in words.heard(self.integer, mulaw_decode(as_sent(x8)), taught)] for x8 in recordings]


class NativeEngine(IntegerEngine):
    """`c`: the firmware's C, compiled for this computer."""

    name = "c"

    @cached_property
    def native(self) -> Native:
        return Native(firmware_folder(self.integer))

    def run(self, x8: np.ndarray) -> Answers:
        features = self.native.features(x8)
        return Answers(features, self.native.logits(features), None)

    def heard(self, recordings: Sequence[np.ndarray], taught: Sequence[words.Word]) -> list[list[tuple[int, int]]]:
        pages = flash_of(taught)
        return [self.native.heard(self.native.stream(mulaw_decode(as_sent(x8))), pages) for x8 in recordings]


class ChipEngine(IntegerEngine):
    """`chip`: the firmware on the emulated CH32V003, samples in over its serial port."""

    name = "chip"

    @cached_property
    def elf(self) -> Path:
        return build_firmware(firmware_folder(self.integer)).elf

    def run(self, x8: np.ndarray) -> Answers:
        results = classify_many(self.elf, x8, features=True)
        return Answers(np.stack([r.features for r in results]), np.stack([r.logits for r in results]),
                       np.array([r.cycles for r in results]))

    def heard(self, recordings: Sequence[np.ndarray], taught: Sequence[words.Word]) -> list[list[tuple[int, int]]]:
        return heard_many(toolchain.flat_image(self.elf), [as_sent(x8) for x8 in recordings], taught)


CLASSES_OF: dict[str, type[Engine]] = {
    one.name: one for one in (FloatEngine, FakeEngine, IntegerEngine, NativeEngine, ChipEngine)}


def engine(name: str, model: str) -> Engine:
    """The engine of this name with a trained network; `UserError` for another name, or no such network."""
    if name not in CLASSES_OF:
        raise UserError(f"unknown engine '{name}'; there are {', '.join(ENGINES)}")
    return CLASSES_OF[name](model)
