"""What condensers do: gates held at their mean and without weights, even frames, by hand; the figure and its command.

And the network of data/configs whose condensers are to do something: within the chip's budgets before it is trained.
"""

from dataclasses import replace

import numpy as np
import pytest
import torch
from support.small_networks import features_of
from support.small_training import NETWORK, bands, config
from torch import nn

from tinyspeech import paths, toolchain
from tinyspeech.__main__ import main
from tinyspeech.board.direct import Board
from tinyspeech.integer import frontend, header
from tinyspeech.integer.network import IntegerModel, gate_q7
from tinyspeech.integer.plan import memory_plan
from tinyspeech.lowbit import grids, lower, prune, quant, saved
from tinyspeech.measure import registry, store
from tinyspeech.measure.figures import condensers
from tinyspeech.paths import CONFIGS
from tinyspeech.toolchain import compile as compiling
from tinyspeech.training import data, train
from tinyspeech.training.config import load_config

NAME = "tinyspeech_gates"


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Files of a small network whose gates have a memory."""
    out = tmp_path_factory.mktemp("models") / f"{NAME}.pt"
    network = {**NETWORK, "attention": "channels", "memory": 2}
    train.train(config(network=network, epochs=3), bands(), out, quiet=True)
    lower.integer_twin(saved.load_model(out), NAME).save(out.with_suffix(".npz"))
    return out.parent


@pytest.fixture
def model(trained) -> IntegerModel:
    return IntegerModel.load(trained / f"{NAME}.npz")


@pytest.fixture
def clips():
    """Features int8 and labels of the validation speakers."""
    features, labels = data.validation_set(bands())
    return features.numpy().astype(np.int8), labels.numpy()


def recorded(model: IntegerModel, features: np.ndarray) -> list[np.ndarray]:
    """Every gate of every frame, [N, T, channels] in Q7."""
    model.run(features, record := {})
    scales = {layer.name: layer.scale.astype(int) for layer in model.layers if layer.kind == "gated_add"}
    return [gate_q7(record[name.replace("gate", "excite")], scale) for name, scale in scales.items()]


def test_gates_without_weights_are_those_of_zeroed_weights_and_biases(model, clips):
    layers = [replace(layer, weight=0 * layer.weight, bias=0 * layer.bias) if "excite" in layer.name else layer
              for layer in model.layers]
    by_hand = replace(model, layers=layers).run(clips[0])
    zeros = {f"block{i}_excite": np.zeros(8, np.int8) for i in range(2)}
    still = condensers.held(model, zeros)
    still.check()
    assert np.array_equal(still.run(clips[0]), by_hand)
    assert not np.array_equal(by_hand, model.run(clips[0]))


def test_gates_at_their_mean_stand_still_and_next_to_it(model, clips, monkeypatch):
    monkeypatch.setattr(condensers, "CLIPS", 7)  # more than one part, the last one smaller
    means = [gate.mean(axis=(0, 1)) for gate in recorded(model, clips[0])]
    for got, want in zip(condensers.mean_gates(model, clips[0]), means, strict=True):
        assert got == pytest.approx(want, abs=1e-9)
    still = condensers.held(model, condensers.at_mean(model, clips[0]))
    still.check()
    for gate, mean, (_, layer) in zip(recorded(still, clips[0]), means, condensers.gates(model), strict=True):
        assert (gate == gate[0, 0]).all()
        values = np.unique(gate_q7(np.arange(-128, 128)[:, None], layer.scale.astype(int)), axis=0)
        assert np.abs(gate[0, 0] - mean) == pytest.approx(np.abs(values - mean).min(axis=0))
    assert not np.array_equal(still.run(clips[0]), model.run(clips[0]))
    again = condensers.held(still, condensers.at_mean(still, clips[0]))
    assert np.array_equal(again.run(clips[0]), still.run(clips[0]))  # what stands still is at its mean


def test_gates_that_do_nothing_lose_nothing(model, clips):
    layers = [replace(layer, scale=0 * layer.scale) if layer.kind == "gated_add" else layer for layer in model.layers]
    rows = condensers.rows(replace(model, layers=layers), *clips)
    assert [row["lost"] for row in rows] == [0] * (3 + len(condensers.gates(model)))
    assert len({row["accuracy"] for row in rows}) == 1


def test_frames_that_all_weigh_the_same(tmp_path, clips):
    """Every argument of theirs is nought, and nothing else is touched."""
    train.train(config(network={**NETWORK, "attention": "both"}, epochs=3), bands(), tmp_path / "net.pt", quiet=True)
    model = lower.integer_twin(saved.load_model(tmp_path / "net.pt"), "both")
    assert condensers.weigher(model).name == "frames_excite"
    even = condensers.held(model, {"frames_excite": np.zeros(1, np.int8)})
    even.run(clips[0][:50], record := {})
    assert not record["frames_excite"].any()
    model.run(clips[0][:50], whole := {})
    assert all(np.array_equal(record[name], whole[name]) for name in whole if not name.startswith(("frames", "class")))
    rows = condensers.rows(model, *clips)
    assert [row["label"] for row in rows][-2:] == ["every frame weighs the same", "and every gate at its mean"]
    right = 100 * (even.run(clips[0]).argmax(1) == clips[1]).mean()
    assert rows[-2]["accuracy"] == pytest.approx(right, abs=0.006)


def test_each_condenser_of_a_float_network_alone(tmp_path, clips):
    """Gates at the mean of what they were, frames in an even average, both by hand; idle gates lose nothing."""
    train.train(config(network={**NETWORK, "attention": "both"}, epochs=3, qat_epochs=0), bands(), tmp_path / "net.pt",
                quiet=True)
    network, (features, labels) = saved.load_model(tmp_path / "net.pt").eval(), map(torch.tensor, clips)
    x = features.float() / 32
    with torch.no_grad():
        v = network.blocks[0].project(network.blocks[0].expand(network.blocks[0].depthwise(
            network.stem(nn.functional.pad(x, (0, 0, 0, network.config.flush))))))
        gate = torch.sigmoid(network.blocks[0].condenser.attention(v)).mean((0, 1))
        even = network.scores(nn.functional.pad(x, (0, 0, 0, network.config.flush)))[0].mean(1)
    still = condensers.standing_still(network, features)
    assert len(still) == 3 and torch.allclose(torch.sigmoid(still[network.blocks[0].condenser.excite]), gate, atol=1e-5)
    found = condensers.lost_alone(network, features, labels)
    assert found["accuracy"] == round(saved.accuracy(network, features, labels), 2) and len(found["blocks"]) == 2
    right = 100 * (even.argmax(1) == labels).float().mean().item()
    assert found["accuracy"] - found["frames"] == pytest.approx(right, abs=0.011)
    for block in network.blocks:
        block.condenser.scale.data.zero_()
    idle = condensers.lost_alone(network, features, labels)
    assert idle["blocks"] == [0, 0] and idle["all"] == idle["frames"]


def test_the_figure_is_measured_by_its_command(trained, clips, model, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(paths, "MODELS", trained)
    monkeypatch.setattr(paths, "RESULTS", tmp_path / "results.json")
    monkeypatch.setattr(registry, "MODELS", (NAME,))
    monkeypatch.setattr(condensers.data, "load", lambda *arguments: bands())
    for found in (registry.groups, registry.by_key):
        found.cache_clear()
    try:
        key = f"{NAME}.condensers_disconnected"
        words = ["measure", "--only", key, "--speech", str(tmp_path), "--logmel", str(tmp_path)]
        assert main(words) == 0
        capsys.readouterr()
        entry = store.load()[key]
        assert entry["command"] == f"python -m tinyspeech measure --only {key} --speech FOLDER --logmel FILE"
    finally:
        for found in (registry.groups, registry.by_key):
            found.cache_clear()
    assert entry["n"] == len(clips[1]) and entry["model_hash"] == model.digest
    scores = {row["label"]: row["accuracy"] for row in entry["value"]}
    alone = [f"of block {i} alone" for i in range(len(condensers.gates(model)))]
    assert list(scores) == ["as it is", "every gate at its mean", *alone, "gates without weights"]
    one = condensers.gates(model)[0][0].name
    held = condensers.held(model, {one: condensers.at_mean(model, clips[0])[one]})
    assert scores[alone[0]] == round(100 * (held.run(clips[0]).argmax(1) == clips[1]).mean(), 2)
    right = (model.run(clips[0]).argmax(1) == clips[1]).mean()
    assert scores["as it is"] == round(100 * right, 2)
    assert [row["lost"] for row in entry["value"]] == [
        pytest.approx(scores["as it is"] - score, abs=0.011) for score in scores.values()]


def test_networks_without_gates_have_no_such_figure():
    assert not condensers.has_gates("tinyspeech_s") and not condensers.has_gates("nothing")
    assert "tinyspeech_s.condensers_disconnected" not in registry.by_key()


def test_z_for_the_chip_is_within_its_budgets_on_the_board(tmp_path, monkeypatch):
    """From random weights, pruned as its config says: a third of all weights are zero, and the rest fits."""
    monkeypatch.setattr(compiling, "CACHE", tmp_path / "build")
    settings = load_config(CONFIGS / "tinyspeech_z.yaml")
    torch.manual_seed(0)
    network = train.build(settings)
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, torch.nn.BatchNorm1d):
                module.weight.uniform_(0.5, 2)
                module.bias.uniform_(-0.5, 0.5)
        for seed in range(20):
            network.train()(features_of(seed) * grids.INPUT_STEP)
    prune.Pruner(settings.pruning(), network.eval()).after_step(network, 1, 1)
    quant.prepare(network, settings.quantisation())
    quant.calibrate(network, features_of(50, 16) * grids.INPUT_STEP)
    model = lower.integer_twin(quant.finish(network), "z")
    weights = np.concatenate([layer.weight.ravel() for layer in model.layers if layer.weight is not None])
    assert len(weights) == model.parameters == 2676 <= 2720 and (weights == 0).mean() >= 0.3
    assert [layer.kind for layer in model.layers].count("gated_add") == 3 and memory_plan(model)["paired"]
    firmware = toolchain.build_firmware(toolchain.firmware_with(header.c_header(model)))
    board = Board(firmware.elf)
    rng = np.random.default_rng(0)
    clips = np.stack([rng.integers(-32768, 32768, 8000), rng.normal(0, 300, 8000).cumsum()]).astype(np.int16)
    answers = [board.classify(clip) for clip in clips]
    assert np.array_equal([answer.logits for answer in answers], model.run(frontend.features(clips)))
    sizes = toolchain.sizes(firmware.elf)
    assert max(answer.cycles for answer in answers) < 12_000_000 and sizes["flash_bytes"] < 16384
