"""Project of the part Learn: the best network for half a chip.

    from tinyspeech.exercises.projects import budget
    budget.cost({"channels": 12, "expansion": 16, "head": 16, "condenser": 4})   # before any training
    file = budget.train({"channels": 12, "expansion": 16, "head": 16, "condenser": 4}, "runs/mine.npz", epochs=30)
    budget.score(file)

The limits are half of the flash, half of the processor's time, and half of the RAM that front end, ring and stack
leave. Flash, RAM and cycles are those of the firmware with the network in it, without taught words, on the virtual
chip. Points come from the bundled clips of the testing voices, clean and in noise: the definition answers all of them
(`integer/network.py`), and the chip some, which must agree in every logit. A file gets the same score everywhere;
training it does not give the same file everywhere. Chapters 4 to 7 and 10.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

from tinyspeech import CLASSES, paths, toolchain
from tinyspeech.board.direct import classify_many, report_firmware
from tinyspeech.chip.emulator import ChipFault
from tinyspeech.errors import UserError
from tinyspeech.exercises.projects.mixing import mixed
from tinyspeech.exercises.projects.scored import Figure, Refused, Score, scored
from tinyspeech.integer import frontend
from tinyspeech.integer.header import c_header
from tinyspeech.integer.network import IntegerModel
from tinyspeech.lowbit import quant
from tinyspeech.lowbit.lower import integer_twin
from tinyspeech.lowbit.saved import load_model
from tinyspeech.networks.streaming import StreamingConfig, TinySpeechS
from tinyspeech.sound import datasets
from tinyspeech.sound.noise import Noise, noise_folder
from tinyspeech.training import data
from tinyspeech.training import train as training
from tinyspeech.training.config import TrainConfig

FLASH_BYTES, CYCLES = 8_192, 12_000_000
"""Half of the flash, and of the cycles in a second at 24 MHz."""
RAM_BYTES = 1_680
"""Front end, ring and stack have 1,312 of the 2,048 bytes, whatever the network is: half of the rest is 368."""
SNR, SEED = 10, 11
"""Power of a clip over that of the noise in which it is said again, and what draws the noise."""
ON_CHIP = 16
"""Every so many clips are heard by the chip, too."""
ALONE = "#define MODEL_TAP 0 /* no words are taught */\n"
RECIPE = {"batch_size": 64, "lr": 8e-3, "qat_lr": 3e-3, "weight_decay": 0.0, "average": 0.99,
          "augment": {"time_mask_frames": 6}}
"""Keys of `training.config.TrainConfig` that `train` starts from."""
SHAPES = {
    "narrow": {"channels": 12, "expansion": 16, "head": 16, "condenser": 4},
    "plain": {"channels": 16, "expansion": 24, "head": 24, "condenser": 0},
    "often": {"channels": 16, "expansion": 24, "head": 24, "condenser": 0, "kernels": (7, 9, 9), "strides": (1, 1, 1)},
}
"""Of the networks in data/projects: `make` trained them."""
SMALLER = ("The program around the network takes some 5,400 bytes, and 1,000 more with a condenser. A weight has half "
           "a byte, each output of a layer three more: take fewer or narrower layers.")
REMEMBERED = ("What is remembered costs RAM: a layer's kernel - 1 frames, as wide as the stream. Take fewer channels "
              "or shorter kernels.")
OTHERWISE = "Training went astray in this layer: train again with another seed, or with a lower lr."
RARER = "Every layer behind a stride of 2 runs half as often: move the stride forward, or take a larger one."


# ---------------------------------------------------------------- what a network costs


def _firmware(model: IntegerModel) -> Path:
    """The folder of the firmware with this network, to which no words are taught."""
    return toolchain.firmware_with(ALONE + c_header(model))


def _figures(model: IntegerModel) -> list[Figure]:
    """Flash, RAM and cycles, with their limits. Raises `Refused` for a network that the chip cannot run at all."""
    try:
        folder = _firmware(model)
    except UserError as error:
        if str(error).startswith("layer "):  # of whose numbers it speaks; all else is about the shape
            raise Refused(f"the firmware has no such numbers: {error}", OTHERWISE) from error
        raise Refused(f"the firmware cannot hold this network: {error}", SMALLER) from error
    try:
        needs = report_firmware(folder)
    except UserError as error:
        raise Refused(f"the firmware cannot hold this network: {error}", SMALLER) from error
    except ChipFault as fault:
        raise Refused(f"the chip stops: {fault}", REMEMBERED) from fault
    ram = needs["data_bytes"] + needs["bss_bytes"] + needs["stack_bytes"]
    return [Figure("flash", needs["flash_bytes"], "bytes", FLASH_BYTES, hint=SMALLER),
            Figure("RAM", ram, "bytes", RAM_BYTES, hint=REMEMBERED),
            Figure("time", needs["cycles_per_audio_second"], "cycles a second", CYCLES, hint=RARER)]


def cost(network: Mapping) -> dict[str, int]:
    """Flash and RAM in bytes and cycles a second of a network before it is trained: keys of `StreamingConfig`.

    Raises `UserError` for a shape that there is not, or that no chip holds.
    """
    try:
        return {figure.name: figure.value for figure in _figures(untrained(network))}
    except Refused as refused:
        raise UserError(f"{refused.wrong}: {refused.hint}") from refused


def untrained(network: Mapping) -> IntegerModel:
    """The integer twin of a network of this shape with random weights; the caller's random numbers stay as they were.

    Raises `UserError` for a shape that there is not.
    """
    dice = torch.random.get_rng_state()
    torch.manual_seed(SEED)
    try:
        model = quant.prepare(TinySpeechS(StreamingConfig.from_dict(dict(network))))
        quant.calibrate(model.eval(), torch.randn(8, frontend.N_FRAMES, frontend.N_COEFFICIENTS))
    finally:
        torch.random.set_rng_state(dice)
    return integer_twin(quant.finish(model), "untrained")


# ---------------------------------------------------------------- training


@cache
def _bands() -> data.Bands:
    return data.from_folder(paths.BUNDLED)


def train(network: Mapping, out: str | Path, epochs: int, few_bits: int | None = None, seed: int = 0,
          **settings) -> Path:
    """Train a network on the bundled training clips and write it in integers; returns the file, `out`.

    network : keys of `StreamingConfig`. epochs : in float; few_bits : at 4 bits, by default half as many
    settings : other keys of `training.config.TrainConfig`, in place of `RECIPE`'s
    Raises `UserError` for settings that there are not, a network that overflows, and a file that cannot be written.
    """
    out = Path(out)
    config = TrainConfig(network=dict(network), epochs=epochs, qat_epochs=(epochs + 1) // 2 if few_bits is None
                         else few_bits, seed=seed, **{**RECIPE, **settings})
    network = ", ".join(f"{key} {value}" for key, value in sorted(config.network.items()))
    made_by = {"epochs": f"{epochs} float, {config.qat_epochs} quantised", "seed": seed, "config": network}
    with TemporaryDirectory() as folder:
        file = Path(folder) / "mine.pt"
        training.train(config, _bands(), file, quiet=True)
        model = integer_twin(load_model(file), "mine", made_by)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        model.save(out)
    except OSError as error:
        raise UserError(f"cannot write {out}: {error.strerror}") from error
    return out


def make(folder: Path = paths.PROJECTS) -> None:
    """Train the networks of data/projects again. On another machine they come out a little different."""
    for name, network in SHAPES.items():
        train(network, folder / f"{name}.npz", epochs=30)


# ---------------------------------------------------------------- the score


@cache
def _clips(split: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Clips of a split's voices, first as they are, then in noise: int16 [2 n, 8000]; features int8 [2 n, 49, 12];
    labels [2 n]. Nobody can write to them."""
    task = datasets.load_task(paths.BUNDLED, split)
    clean, labels = task.arrays()
    noise = Noise(noise_folder(paths.BUNDLED), split, SEED)
    noisy = [clip if name in task.silence else in_noise(clip, noise.piece(name)[1])
             for name, clip in zip(task.names, clean, strict=True)]
    x8 = frontend.to_8khz(np.concatenate([clean, np.stack(noisy)]))
    found = x8, frontend.features(x8), np.concatenate([labels, labels])
    for array in found:
        array.setflags(write=False)
    return found


def in_noise(clip: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """A clip in noise of a tenth of its power, both int16 [n]; in whole numbers, so that it is the same everywhere."""
    power, other = (sum(int(x) ** 2 for x in sound) for sound in (clip, noise))
    return mixed(clip, noise, power, SNR * other)


def score(file: str | Path, split: str = "testing") -> Score:
    """What a network is worth: a file of integers, as `train` and `python -m tinyspeech export` write them.

    split : "testing" for the score; "validation" asks other voices, to choose between networks by
    """
    return scored(f"Half a chip, {split} voices", lambda: _judge(file, split))


def _judge(file: str | Path, split: str) -> tuple[list[Figure], int]:
    model = _loaded(file)
    figures = _figures(model)
    x8, features, labels = _clips(split)
    logits = model.run(features)
    _compare(model, x8[::ON_CHIP], logits[::ON_CHIP])
    right = (logits.argmax(axis=1) == labels).reshape(2, -1).sum(axis=1).tolist()
    half = len(labels) // 2
    figures += [Figure(name, count, f"of {half} right") for name, count in zip(("clean", "in noise"), right,
                                                                              strict=True)]
    return figures, 1000 * sum(right) // len(labels)


def _loaded(file: str | Path) -> IntegerModel:
    """The network in a file. Raises `Refused` for another file, or another task."""
    try:
        model = IntegerModel.load(file)
    except (UserError, OSError) as error:
        raise Refused(str(error), "Hand in the .npz that budget.train has written.") from error
    if model.classes != CLASSES or model.inputs != frontend.N_COEFFICIENTS:
        raise Refused(f"it answers {', '.join(model.classes)}", f"The classes are {', '.join(CLASSES)}.")
    return model


def _compare(model: IntegerModel, x8: np.ndarray, logits: np.ndarray) -> None:
    """Raises `Refused` where the chip's logits are not these, int32 [n, 12], of clips int16 [n, 8000]."""
    elf = toolchain.build_firmware(_firmware(model)).elf
    try:
        on_chip = np.stack([result.logits for result in classify_many(elf, x8)])
    except ChipFault as fault:
        raise Refused(f"the chip stops: {fault}", REMEMBERED) from fault
    if (differs := np.argwhere(on_chip != logits)).size:
        clip, answer = differs[0].tolist()
        raise Refused(f"clip {clip} on the chip: score {answer} is {on_chip[clip, answer]}, "
                      f"{logits[clip, answer]} is right", "That is a fault of ours, not of your network: report it.")
