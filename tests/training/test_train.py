"""Training on a small synthetic corpus: it learns, repeats itself bit for bit, resumes, and refuses nonsense early."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from support.small_training import NETWORK, bands, config, interrupt, same, weights

from tinyspeech import CLASSES, KEYWORDS
from tinyspeech.__main__ import main
from tinyspeech.errors import UserError
from tinyspeech.integer import frontend
from tinyspeech.lowbit import grids, lower, quant, saved
from tinyspeech.lowbit.saved import load_model
from tinyspeech.paths import CONFIGS
from tinyspeech.training import train
from tinyspeech.training.config import TrainConfig, load_config
from tinyspeech.training.data import (
    POWER_FLOOR,
    VIEWS,
    Bands,
    Cepstrum,
    Passes,
    bands_of_audio,
    bands_of_pixels,
    draw_silence,
    epoch_order,
    load,
    training_batches,
    validation_set,
)
from tinyspeech.training.features import PIXEL_FLOOR


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """An uninterrupted run: (its file, what it returned)."""
    out = tmp_path_factory.mktemp("finished") / "net.pt"
    return out, train.train(config(), bands(), out, quiet=True)


# --- learning ---------------------------------------------------------------------------------------------------------


def test_loss_falls_and_accuracy_rises(tmp_path):
    metrics = train.train(config(epochs=12, qat_epochs=3), bands(), tmp_path / "net.pt", quiet=True)
    losses = [row["loss"] for row in metrics["history"]]
    print(losses, metrics["float_accuracy"], metrics["accuracy"])
    assert [row["stage"] for row in metrics["history"]] == ["float"] * 12 + ["qat"] * 3
    assert [row["epoch"] for row in metrics["history"]] == [*range(1, 13), 1, 2, 3]
    assert losses[11] < 0.7 * losses[0] and losses[14] < 0.7 * losses[0]
    assert metrics["float_accuracy"] > 60 and metrics["accuracy"] > 50  # of 12 classes: chance is 8


def test_the_files_hold_what_they_say(finished):
    out, metrics = finished
    assert {p.name for p in out.parent.iterdir()} == {"net.pt", "net_float.pt", "net.checkpoint"}
    features, labels = validation_set(bands())
    for name, stage, key in (("net.pt", "qat", "accuracy"), ("net_float.pt", "float", "float_accuracy")):
        content = torch.load(out.parent / name, weights_only=True)
        assert content["stage"] == stage and content["config"] == asdict(config()) and content["weight_bits"] == 4
        model = load_model(out.parent / name)
        assert not model.training
        assert saved.accuracy(model, features, labels) == metrics[key] == content["metrics"][key]


def test_a_trained_network_exports(finished):
    from tinyspeech.lowbit import lower

    integer = lower.integer_twin(load_model(finished[0]), "tiny")
    features, _ = validation_set(bands())
    want = saved.predict(load_model(finished[0]), features).numpy()
    got = integer.run(features.numpy().astype(np.int8))
    assert np.array_equal(np.rint(want / integer.logit_unit(49)), got)


def test_same_seed_same_weights_other_seed_others(finished, tmp_path):
    torch.rand(5)  # whatever was drawn before
    train.train(config(), bands(), tmp_path / "again.pt", quiet=True)
    assert same(tmp_path / "again.pt", finished[0])
    assert same(tmp_path / "again_float.pt", finished[0].with_name("net_float.pt"))
    train.train(config(seed=1), bands(), tmp_path / "other.pt", quiet=True)
    assert not same(tmp_path / "other.pt", finished[0])


# --- interruption and resuming ----------------------------------------------------------------------------------------

PLACES = {"inside float": "save 1", "after float": "save 2", "between the stages": "save 3", "inside qat": "save 4",
          "while writing the result": "save 6", "in mid-epoch of float": "step 13", "in mid-epoch of qat": "step 21",
          "in the first epoch of qat": "step 17"}


@pytest.fixture(scope="module")
def longer(tmp_path_factory):
    """2 + 2 epochs, uninterrupted: saves are 2 checkpoints, the float network, 2 checkpoints, the result."""
    out = tmp_path_factory.mktemp("longer") / "net.pt"
    return out, train.train(config(qat_epochs=2), bands(), out, quiet=True)


@pytest.mark.parametrize("place", PLACES)
def test_resuming_is_bit_for_bit(place, longer, tmp_path, monkeypatch):
    kind, number = PLACES[place].split()
    module, name = (train, "save_atomically") if kind == "save" else (train.F, "cross_entropy")
    original, calls = getattr(module, name), []

    def interrupted(*arguments, **keywords):
        calls.append(1)
        if kind == "step" and len(calls) == int(number):
            raise KeyboardInterrupt
        result = original(*arguments, **keywords)
        if kind == "save" and len(calls) == int(number):
            raise KeyboardInterrupt
        return result

    out = tmp_path / "net.pt"
    with monkeypatch.context() as patch:
        patch.setattr(module, name, interrupted)
        with pytest.raises(KeyboardInterrupt):
            train.train(config(qat_epochs=2), bands(), out, quiet=True)
    torch.manual_seed(7)  # a new process starts elsewhere
    metrics = train.train(config(qat_epochs=2), bands(), out, resume=True, quiet=True)
    assert same(out, longer[0]) and same(tmp_path / "net_float.pt", longer[0].with_name("net_float.pt"))
    assert {**metrics, "seconds": None} == {**longer[1], "seconds": None}


@pytest.mark.parametrize("attention", ["frames", "channels", "both"])
def test_a_network_with_a_memory_is_trained_resumed_saved_and_lowered(attention, tmp_path, monkeypatch):
    """What quantises the mean holds another layer's step, and a file gives both back."""
    settings = {"network": {**NETWORK, "memory": 3, "attention": attention}, "qat_epochs": 2}
    whole, out = tmp_path / "whole.pt", tmp_path / "net.pt"
    train.train(config(**settings), bands(), whole, quiet=True)
    save, calls = saved.save_atomically, []

    def interrupted(content, path):
        save(content, path)
        calls.append(path.name)
        if len(calls) == 4:  # two checkpoints, the float network, and in the middle of the quantised epochs
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(train, "save_atomically", interrupted)
        with pytest.raises(KeyboardInterrupt):
            train.train(config(**settings), bands(), out, quiet=True)
    train.train(config(**settings), bands(), out, resume=True, quiet=True)
    assert same(whole, out)
    model = load_model(out)
    condensers = [block.condenser for block in model.blocks if attention != "frames"]
    condensers += [model.condenser] if attention != "channels" else []
    for condenser in condensers:
        assert condenser.mean_quantizer.grid is condenser.squeeze.output_quantizer
    twin = lower.integer_twin(model, "net")
    features = np.random.default_rng(0).integers(-128, 128, (20, 49, 12)).astype(np.int8)
    units = saved.predict(model, torch.from_numpy(features)).numpy() / twin.logit_unit(49)
    assert [layer.memory for layer in twin.layers if layer.kind == "leak"] == [3] * len(condensers)
    assert np.array_equal(np.rint(units), twin.run(features))


def test_resuming_twice(longer, tmp_path, monkeypatch):
    save, calls = saved.save_atomically, []

    def interrupted(content, path):
        save(content, path)
        calls.append(path.name)
        if calls[-1].endswith(".checkpoint"):
            raise KeyboardInterrupt

    out, resume = tmp_path / "net.pt", False
    with monkeypatch.context() as patch:
        patch.setattr(train, "save_atomically", interrupted)
        for _ in range(4):
            with pytest.raises(KeyboardInterrupt):
                train.train(config(qat_epochs=2), bands(), out, resume=resume, quiet=True)
            resume = True
    train.train(config(qat_epochs=2), bands(), out, resume=True, quiet=True)
    assert same(out, longer[0])


def test_a_checkpoint_holds_what_older_ones_do(finished):
    """By these names, so that a run which an older version began goes on; seconds came later."""
    content = torch.load(finished[0].with_name("net.checkpoint"), weights_only=True)
    assert content.keys() == {"config", "progress", "model", "average", "optimizer", "scheduler", "generator", "pruner"}
    assert content["progress"].pop("seconds") > 0
    assert content["progress"] == {"stage": "qat", "epoch": 1, "float_accuracy": finished[1]["float_accuracy"],
                                   "history": finished[1]["history"]}


def test_resume_needs_a_checkpoint_of_the_same_config(tmp_path, finished):
    out = tmp_path / "net.pt"
    with pytest.raises(UserError, match="without --resume"):
        train.train(config(), bands(), out, resume=True, quiet=True)
    (tmp_path / "net.checkpoint").write_bytes(finished[0].with_name("net.checkpoint").read_bytes())
    with pytest.raises(UserError, match="another config"):
        train.train(config(lr=0.01), bands(), out, resume=True, quiet=True)
    for content in (finished[0].read_bytes(), b"", b"hello"):
        (tmp_path / "net.checkpoint").write_bytes(content)
        with pytest.raises(UserError, match="not a checkpoint"):
            train.train(config(), bands(), out, resume=True, quiet=True)


def test_a_failed_write_keeps_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "net.pt"
    saved.save_atomically({"a": 1}, path)
    before = path.read_bytes()

    def full(_content, file):
        Path(file).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(torch, "save", full)
        with pytest.raises(UserError, match="No space left"):
            saved.save_atomically({"a": 2}, path)
    assert path.read_bytes() == before and [p.name for p in tmp_path.iterdir()] == ["net.pt"]


# --- passes, teacher, average, mixing ---------------------------------------------------------------------------------


@pytest.fixture
def cached(tmp_path, monkeypatch):
    """Passes are kept in a folder of the test's own."""
    monkeypatch.setenv("TINYSPEECH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def teacher(tmp_path):
    """The file of a small trained teacher."""
    path = tmp_path / "teacher.pt"
    train.train(config(model="teacher", network={"widths": [8, 8], "strides": [2]}, epochs=1, qat_epochs=0), bands(),
                path, quiet=True)
    return path


def test_passes_are_made_once_and_read_back(cached):
    asked = []

    class Counting(torch.nn.Module):
        def forward(self, x):
            asked.append(len(x))
            return x.sum((1, 2))[:, None].expand(-1, 12)

    first = Passes(bands(), config(), 2, Counting(), cached)
    features, labels, answers = first[0]
    assert features.dtype == torch.int8 and answers.shape == (len(labels), 12) and sum(asked) == len(labels)
    assert all(torch.equal(a, b) for a, b in zip(first[2], first[0], strict=True))  # in turn
    assert not torch.equal(first[1][0], features)
    before = len(asked)
    again = Passes(bands(), config(), 2, Counting(), cached)
    assert all(torch.equal(a, b) for a, b in zip(again[0], first[0], strict=True)) and len(asked) == before
    other = Passes(bands(seed=1), config(), 2, None, cached)
    assert other[0][2].shape[1] == 0 and not torch.equal(other[0][0], features) and len(list(cached.iterdir())) == 3
    x, y, z = next(iter(first.batches(0, 32, torch.Generator().manual_seed(0))))
    row = int((features.float() == x[0]).all((1, 2)).nonzero()[0])
    assert labels[row] == y[0] and torch.equal(answers[row].float(), z[0])


def test_a_folder_for_passes_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match="cannot keep a training pass"):
        Passes(bands(), config(), 1, None, tmp_path / "file" / "cache")[0]


def test_the_loss_of_a_batch_by_hand(monkeypatch):
    x, y = torch.zeros(3, 4, 12), torch.tensor([1, 2, 3])
    logits, answers = torch.randn(3, 12), torch.randn(3, 12)
    labels = torch.nn.functional.cross_entropy(logits, y, label_smoothing=0.05)
    model = lambda _x: logits  # noqa: E731
    none = torch.empty(3, 0)
    assert train.batch_loss(model, config(), x, y, none, None) == pytest.approx(labels.item())
    p, q = (answers / 3).softmax(1), (logits / 3).softmax(1)
    distance = 9 * (p * (p / q).log()).sum(1).mean()
    taught = config(passes=1, teacher="t", distill_weight=0.25, temperature=3.0)
    want = 0.75 * labels + 0.25 * distance
    assert train.batch_loss(model, taught, x, y, answers, None).item() == pytest.approx(want.item(), rel=1e-5)
    silent = torch.tensor([0, 2, 3])  # the teacher is not asked about silence
    each = torch.nn.functional.cross_entropy(logits, silent, label_smoothing=0.05, reduction="none")
    apart = torch.stack([each[0], *(0.75 * each[1:] + 0.25 * 9 * (p * (p / q).log()).sum(1)[1:])]).mean()
    assert train.batch_loss(model, taught, x, silent, answers, None).item() == pytest.approx(apart.item(), rel=1e-5)
    same = train.batch_loss(lambda _x: answers, config(passes=1, teacher="t", distill_weight=1.0), x, y, answers, None)
    assert same.item() == pytest.approx(0, abs=1e-6)


def test_mixing_mixes_features_and_labels_by_the_same_share():
    """With a network that answers with its input, an even mixture of two clips has both labels' losses."""
    x = torch.eye(12)[:, None].repeat(1, 2, 1) * 32
    y = torch.arange(12)
    seen = []

    def model(features):
        seen.append(features)
        return 5 * features.mean(1)

    g = torch.Generator().manual_seed(3)
    loss = train.batch_loss(model, config(mixup=1.0, label_smoothing=0.0), x, y, torch.empty(12, 0), g)
    share = seen[0][:, 0].sum(1)
    torch.testing.assert_close(share, torch.ones(12))  # shares of two clips add up to one
    own = seen[0][torch.arange(12), 0, y]
    other = (seen[0][:, 0] - own[:, None] * torch.eye(12)).argmax(1)
    log_p = (5 * seen[0].mean(1)).log_softmax(1)
    want = -(own * log_p[torch.arange(12), y] + (1 - own) * log_p[torch.arange(12), other]).mean()
    assert loss.item() == pytest.approx(want.item(), rel=1e-5) and 0 < own.min() < own.max() <= 1


def test_errors_on_other_words_cost_what_the_config_says():
    torch.manual_seed(3)
    x, nobody = torch.randn(40, 49, 12), torch.empty(40, 0)
    y = torch.arange(40) % 12
    model = train.build(config()).eval()
    with torch.no_grad():
        each = torch.nn.functional.cross_entropy(model(x / 32), y, reduction="none")
        other = train.batch_loss(model, config(label_smoothing=0.0, unknown_weight=50.0), x, y, nobody, None)
        plain = train.batch_loss(model, config(label_smoothing=0.0), x, y, nobody, None)
    cost = torch.where(y == CLASSES.index("_unknown_"), 50.0, 1.0)
    torch.testing.assert_close(other, (cost * each).sum() / cost.sum())
    torch.testing.assert_close(plain, each.mean())
    assert (other - plain).abs() > 1e-3


def test_sgd_is_nesterovs_and_steps_of_the_grid_do_not_decay():
    model = quant.prepare(train.build(config()), 4)
    optimizer = train.make_optimizer(model, config(optimizer="sgd", momentum=0.8, weight_decay=0.1), 0.5)
    assert isinstance(optimizer, torch.optim.SGD) and optimizer.defaults["nesterov"]
    assert optimizer.defaults["momentum"] == 0.8
    for each in (optimizer, train.make_optimizer(model, config(weight_decay=0.1), 0.5)):
        decay = {id(p): group["weight_decay"] for group in each.param_groups for p in group["params"]}
        assert len(decay) == len(list(model.parameters()))
        for name, parameter in model.named_parameters():
            assert decay[id(parameter)] == (0.0 if "log2_step" in name else 0.1)


def test_heavy_ball_is_plain_momentum():
    weight = torch.nn.Linear(1, 1, bias=False)
    weight.weight.data.fill_(1.0)
    optimizer = train.make_optimizer(weight, config(optimizer="heavy_ball", momentum=0.5, weight_decay=0.0), 0.1)
    for _ in range(3):  # a slope of 1 throughout: velocities 1, 1.5, 1.75
        weight.weight.grad = torch.ones(1, 1)
        optimizer.step()
    assert weight.weight.item() == pytest.approx(1 - 0.1 * (1 + 1.5 + 1.75))


@pytest.mark.parametrize(("schedule", "constant"), [("one_cycle", False), ("constant", True)])
def test_schedules(schedule, constant):
    settings = config(schedule=schedule, optimizer="heavy_ball", momentum=0.9)
    optimizer = train.make_optimizer(train.build(settings), settings, 0.3)
    scheduler = train.make_scheduler(optimizer, settings, 0.3, 21)
    rates, momenta = [], []
    for _ in range(20):
        rates.append(optimizer.param_groups[0]["lr"])
        momenta.append(optimizer.param_groups[0]["momentum"])
        optimizer.step()
        scheduler.step()
    assert max(rates) == pytest.approx(0.3, rel=0.02)
    assert (set(rates) == {0.3} and set(momenta) == {0.9}) is constant
    assert (rates[0] < 0.1 and rates[-1] < 0.01) is not constant


def test_a_constant_schedule_resumes(tmp_path, monkeypatch):
    settings, timeless = config(schedule="constant", optimizer="heavy_ball", epochs=3, qat_epochs=0), {"seconds": None}
    whole = train.train(settings, bands(), tmp_path / "whole.pt", quiet=True)
    with monkeypatch.context() as patch:
        interrupt(patch, train, "save_atomically", 2)
        with pytest.raises(KeyboardInterrupt):
            train.train(settings, bands(), tmp_path / "net.pt", quiet=True)
    interrupted_at = saved.load_checkpoint(tmp_path / "net.checkpoint")
    before = interrupted_at["progress"]["seconds"]
    assert train.train(settings, bands(), tmp_path / "net.pt", resume=True, quiet=True) | timeless == whole | timeless
    assert same(tmp_path / "net.pt", tmp_path / "whole.pt")
    assert saved.load_checkpoint(tmp_path / "net.checkpoint")["progress"]["seconds"] > before > 0
    del interrupted_at["progress"]["seconds"]  # as older versions wrote it
    saved.save_atomically(interrupted_at, tmp_path / "net.checkpoint")
    assert train.train(settings, bands(), tmp_path / "net.pt", resume=True, quiet=True) | timeless == whole | timeless
    assert same(tmp_path / "net.pt", tmp_path / "whole.pt")


def test_averaged_weights_get_statistics_of_their_own(tmp_path):
    """What is kept has batch norm measured on its own weights: measuring again changes nothing."""
    cfg = config(average=0.9, epochs=2, qat_epochs=0)
    data = bands()
    train.train(cfg, data, tmp_path / "a.pt", quiet=True)
    model = load_model(tmp_path / "a.pt")
    g = torch.Generator().manual_seed(0)
    order = epoch_order(data, cfg.unknown_share, cfg.silence_share, g)
    batches = list(training_batches(data, cfg.augmentation(), order, cfg.batch_size, g))
    before = {name: value.clone() for name, value in model.state_dict().items() if "running" in name}
    torch.optim.swa_utils.update_bn((x * grids.INPUT_STEP for x, _ in batches[: train.NORM_BATCHES]), model)
    for name, value in before.items():
        torch.testing.assert_close(model.state_dict()[name], value)



def test_what_is_kept_is_the_running_average(tmp_path, cached, monkeypatch):
    """One epoch by hand: the average of the weights after each step, decay 0.9."""
    seen, update = [], torch.optim.swa_utils.AveragedModel.update_parameters

    def watched(self, model):
        update(self, model)
        seen.append(model.classifier.weight.detach().clone())

    monkeypatch.setattr(torch.optim.swa_utils.AveragedModel, "update_parameters", watched)
    train.train(config(epochs=1, qat_epochs=0, average=0.9, passes=1), bands(), tmp_path / "net.pt", quiet=True)
    want = seen[0]
    for weight in seen[1:]:
        want = 0.9 * want + 0.1 * weight
    torch.testing.assert_close(weights(tmp_path / "net.pt")["classifier.weight"], want)
    assert not torch.allclose(want, seen[-1])


@pytest.mark.parametrize("place", ["save 2", "save 5", "step 13", "step 23"])
def test_resuming_is_bit_for_bit_with_a_teacher_and_an_average(place, tmp_path, cached, teacher, monkeypatch):
    settings = config(qat_epochs=2, passes=2, teacher=str(teacher), average=0.9)
    train.train(settings, bands(), tmp_path / "whole.pt", quiet=True)
    kind, number = place.split()
    name = "save_atomically" if kind == "save" else "batch_loss"
    original, calls = getattr(train, name), []

    def interrupted(*arguments):
        calls.append(1)
        if len(calls) == int(number):
            raise KeyboardInterrupt
        return original(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(train, name, interrupted)
        with pytest.raises(KeyboardInterrupt):
            train.train(settings, bands(), tmp_path / "net.pt", quiet=True)
    train.train(settings, bands(), tmp_path / "net.pt", resume=True, quiet=True)
    assert same(tmp_path / "net.pt", tmp_path / "whole.pt")


def test_a_teacher_that_is_not_there_or_no_network(tmp_path, cached):
    with pytest.raises(UserError, match=r"'teacher': there is no .*nobody_float\.pt"):
        train.train(config(passes=1, teacher="nobody"), bands(), tmp_path / "net.pt", quiet=True)
    (tmp_path / "text.pt").write_text("hello")
    with pytest.raises(UserError, match="not a checkpoint"):
        train.train(config(passes=1, teacher=str(tmp_path / "text.pt")), bands(), tmp_path / "net.pt", quiet=True)


# --- what is refused --------------------------------------------------------------------------------------------------


def test_damaged_and_foreign_networks(tmp_path, finished):
    whole = finished[0].read_bytes()
    content = torch.load(finished[0], weights_only=True)
    files = {"empty": b"", "text": b"hello", "cut": whole[: len(whole) // 2]}
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    torch.save([1, 2], tmp_path / "list")
    torch.save({"config": {}}, tmp_path / "hollow")
    torch.save({**content, "config": {**content["config"], "network": {**NETWORK, "colour": 1}}}, tmp_path / "newer")
    torch.save({**content, "config": {"model": "tinyspeech_s"}}, tmp_path / "half a config")
    torch.save({**content, "config": {**content["config"], "network": {}}}, tmp_path / "other shape")
    torch.save({**content, "weight_bits": 99}, tmp_path / "bits")
    torch.save({"config": content["config"], "stage": "qat", "state_dict": {}}, tmp_path / "no weights")
    np.savez(tmp_path / "arrays.npz", x=np.zeros(3))
    (tmp_path / "folder").mkdir()
    for path in sorted(tmp_path.iterdir()):
        with pytest.raises(UserError, match=r"not a|does not fit") as caught:
            load_model(path)
        assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match="does not exist"):
        load_model(tmp_path / "none.pt")


@pytest.mark.parametrize("text, match", [
    ("colour: 3", "unknown key 'colour'"), ("epochs: many", "'epochs' must be of type int"),
    ("epochs: 2.5", "'epochs'"), ("epochs: true", "'epochs'"),
    ("epochs: 0", "1 or more"), ("batch_size: 0", "1 or more"), ("lr: fast", "'lr'"),
    ("lr: 0", "'lr'"), ("lr: -1", "'lr'"), ("lr: .nan", "'lr'"), ("lr: .inf", "'lr'"), ("qat_epochs: -1", "qat_epochs"),
    ("momentum: 1.5", "momentum"), ("momentum: -0.1", "momentum"), ("label_smoothing: 3", "label_smoothing"),
    ("weight_decay: -1", "weight_decay"), ("weight_bits: 9", "weight_bits"), ("weight_bits: 1", "weight_bits"),
    ("weight_bits: binary", "'weight_bits'.*2 to 8, not binary, or 'ternary'"), ("weight_bits: 4.0", "'weight_bits'"),
    ("granularity: row", "'granularity'.*channel, tensor, not 'row'"),
    ("granularity: 3", "'granularity' must be of type str"),
    ("clipping: hard", "'clipping'.*max, optimum, learned, not 'hard'"),
    ("seed: -1", "seed"), ("seed: 99999999999", "seed"), ("unknown_share: -1", "unknown_share"),
    ("silence_share: .nan", "silence_share"), ("network: 3", "'network' must be of type dict"), ("epochs:", "'epochs'"),
    ("augment: {colour: 1}", "unknown key 'colour' under 'augment'"), ("augment: {snr_db: 3}", "snr_db"),
    ("augment: {snr_db: [a, b]}", "snr_db"), ("augment: {shift_ms: long}", "shift_ms"),
    ("augment: {time_masks: 1.5}", "time_masks"), ("augment: {noise_probability: 2}", "noise_probability"),
    ("augment: {tilt_db: .nan}", "tilt_db"), ("augment: {gain_db: [6, -6]}", "gain_db"),
    ("epochs: [", "not valid YAML"), ("- 1\n- 2", "'key: value'"), ("just words", "'key: value'"),
    ("3: 4", "unknown key"), ("optimizer: adam", "adamw, sgd or heavy_ball"),
    ("schedule: step", "one_cycle or constant"), ("unknown_weight: -1", "unknown_weight"),
    ("passes: -1", "passes"), ("average: 1", "average"), ("mixup: -1", "mixup"),
    ("temperature: 0", "temperature"), ("distill_weight: 2", "distill_weight"),
    ("teacher: 3", "'teacher' must be of type str"),
    ("teacher: teacher", "needs 'passes'"), ("{teacher: teacher, passes: 1, mixup: 0.2}", "no 'mixup'"),
])
def test_bad_configs_are_one_line(text, match, tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=match) as caught:
        load_config(path)
    assert "\n" not in str(caught.value)


def test_unreadable_configs(tmp_path):
    (tmp_path / "binary.yaml").write_bytes(bytes(range(128, 256)))
    (tmp_path / "folder.yaml").mkdir()
    for name, match in (("none.yaml", "No such file"), ("folder.yaml", "directory"), ("binary.yaml", "not a text")):
        with pytest.raises(UserError, match=match):
            load_config(tmp_path / name)


def test_empty_config_is_the_default_and_flags_win(tmp_path):
    (tmp_path / "c.yaml").write_text("")
    assert load_config(tmp_path / "c.yaml") == TrainConfig()
    (tmp_path / "c.yaml").write_text("epochs: 7\nlr: 1")
    changed = load_config(tmp_path / "c.yaml", epochs=3, lr=None)
    assert (changed.epochs, changed.lr) == (3, 1)


def test_shipped_configs_load_and_name_every_key_of_their_network():
    folder = CONFIGS
    paths = sorted(folder.glob("*.yaml"))
    assert "tinyspeech_s.yaml" in [path.name for path in paths]
    for path in paths:
        loaded = load_config(path)
        train.build(loaded)
        assert path.stem == loaded.model or loaded.model == "tinyspeech_s"  # whose shape is in the config


@pytest.mark.parametrize("settings, match", [
    ({"batch_size": 10_000}, "larger than the training set of"), ({"model": "tinyspeech_q"}, "no model 'tinyspeech_q'"),
    ({"network": {"chanels": 8}}, "chanels"), ({"network": {"channels": 9}}, "channels"),
    ({"network": {"channels": "8"}}, "channels"),
    ({"model": "printed_z", "network": {"channels": 8}, "qat_epochs": 0}, "no setting 'channels'"),
])
def test_impossible_runs_are_refused_before_the_first_step(settings, match, tmp_path, monkeypatch):
    monkeypatch.setattr(train.F, "cross_entropy", lambda *_a, **_k: pytest.fail("a step was made"))
    with pytest.raises(UserError, match=match) as caught:
        train.train(config(**settings), bands(), tmp_path / "net.pt", quiet=True)
    assert "\n" not in str(caught.value)


def test_unwritable_results_are_refused_before_the_first_step(tmp_path, monkeypatch):
    monkeypatch.setattr(train.F, "cross_entropy", lambda *_a, **_k: pytest.fail("a step was made"))
    (tmp_path / "file").write_text("in the way")
    (tmp_path / "folder.pt").mkdir()
    for out in (tmp_path / "file" / "net.pt", tmp_path / "file" / "deeper" / "net.pt", tmp_path / "folder.pt",
                tmp_path / "net.checkpoint", Path("/proc/tinyspeech/net.pt")):
        with pytest.raises(UserError, match="cannot write") as caught:
            train.train(config(), bands(), out, quiet=True)
        assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match="cannot write"):
        saved.save_atomically({}, tmp_path / "file" / "net.pt")


@pytest.mark.parametrize("change, match", [
    (lambda b: Bands(b.x, b.label, b.validation | True, b.noise), "training set of 0 clips"),
    (lambda b: Bands(b.x, b.label, b.validation & False, b.noise), "validation split"),
    (lambda b: Bands(b.x, b.label.clamp(min=2), b.validation, b.noise), "no other words"),
    (lambda b: Bands(b.x, b.label, b.validation, b.noise[:0]), "background noise"),
    (lambda b: Bands(b.x, b.label, b.validation, b.noise[:1]), "background noise"),
])
def test_data_that_cannot_be_trained_on(change, match, tmp_path):
    with pytest.raises(UserError, match=match):
        train.train(config(), change(bands()), tmp_path / "net.pt", quiet=True)


def test_two_pieces_of_noise_are_enough(tmp_path):
    b = bands(clips=180)
    train.train(config(epochs=1, qat_epochs=0), Bands(b.x, b.label, b.validation, b.noise[:2]), tmp_path / "net.pt",
                quiet=True)


def test_a_loss_that_explodes_is_one_line(tmp_path, monkeypatch):
    original = train.F.cross_entropy
    monkeypatch.setattr(train.F, "cross_entropy", lambda *a, **k: original(*a, **k) * float("nan"))
    with pytest.raises(UserError, match=r"loss became nan.*lower --lr"):
        train.train(config(), bands(), tmp_path / "net.pt", quiet=True)
    assert not list(tmp_path.glob("*.pt"))


def test_devices(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert train.pick_device("auto") == train.pick_device("cpu") == "cpu"
    with pytest.raises(UserError, match="no GPU"):
        train.pick_device("cuda")
    with pytest.raises(UserError, match="unknown device 'tpu'"):
        train.pick_device("tpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert train.pick_device("auto") == train.pick_device("cuda") == "cuda"


# --- other networks, other data ---------------------------------------------------------------------------------------


def test_a_paper_network_trains(tmp_path):
    settings = config(model="printed_z", network={}, qat_epochs=0, epochs=1)
    metrics = train.train(settings, bands(clips=150), tmp_path / "z.pt", quiet=True)
    assert metrics["accuracy"] == metrics["float_accuracy"]
    assert torch.load(tmp_path / "z.pt", weights_only=True)["stage"] == "float"
    features, labels = validation_set(bands(clips=150))
    assert saved.accuracy(load_model(tmp_path / "z.pt"), features, labels) == metrics["accuracy"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Speech Commands layout: 10 keywords and two strangers as tones that rise or fall, with lists and noise."""
    root, rng = tmp_path_factory.mktemp("words"), np.random.default_rng(0)
    t = np.arange(16000) / 16000
    validation = []
    for i, word in enumerate([*KEYWORDS, "bed", "cat"]):
        (root / word).mkdir()
        for n in range(4):
            x = np.sin(2 * np.pi * (300 + 200 * i + (n - 2) * 20) * t) * 8000 + rng.normal(0, 100, 16000)
            soundfile.write(root / word / f"s{n}_nohash_0.wav", x.astype(np.int16), 16000)
        validation.append(f"{word}/s0_nohash_0.wav")
    (root / "validation_list.txt").write_text("\n".join(validation))
    (root / "testing_list.txt").write_text("\n".join(v.replace("s0", "s1") for v in validation))
    (root / "_background_noise_").mkdir()
    soundfile.write(root / "_background_noise_" / "hiss.wav", rng.normal(0, 500, 256000).astype(np.int16), 16000)
    return root


def test_a_folder_becomes_bands(folder):
    data = load(folder)
    assert data.x.shape == (36, 98, 20) and data.x.dtype == torch.float16  # 12 words, 2 training + 1 validation each
    assert data.validation.sum() == 12
    assert data.noise.shape == (24, 98, 20) and data.noise_validation.shape == (2, 98, 20)  # of 12.8 s and 1.6 s
    assert torch.bincount(data.label).tolist() == [0, 6] + [3] * 10


def test_features_trained_on_are_the_features_of_the_chip(folder):
    """Every second frame of the bands, through the DCT, is what the integer front end gives, to float16's rounding."""
    from tinyspeech.sound import audio

    x = np.stack([audio.load_clip(path) for path in sorted(folder.glob("[a-z]*/s0*.wav"))])
    want = frontend.features(frontend.to_8khz(x)).astype(int)
    bands_of = torch.from_numpy(bands_of_audio(x)).float()
    got = Cepstrum()(bands_of[:, ::2]).numpy()
    assert np.abs(got - want).max() <= 1 and (got == want).mean() > 0.9


def test_augmented_training_features_are_int8_and_the_batches_are_whole():
    data, g = bands(), torch.Generator().manual_seed(0)
    order = epoch_order(data, 0.5, 0.25, g)
    keywords = int((~data.validation & (data.label > 1)).sum())
    available = int((~data.validation & (data.label == 1)).sum())
    assert (order < 0).sum() == int(0.25 * keywords)
    assert len(order) == keywords + int(0.25 * keywords) + min(available, int(0.5 * keywords))
    assert not data.validation[order[order >= 0]].any() and len(order[order >= 0].unique()) == (order >= 0).sum()
    batches = list(training_batches(data, config().augmentation(), order, 32, g))
    assert len(batches) == len(order) // 32
    for x, y in batches:
        assert x.shape == (32, 49, 12) and y.shape == (32,)
        assert torch.equal(x, x.round()) and x.min() >= -128 and x.max() <= 127
    assert {0, 1, 2} <= {int(v) for _, y in batches for v in y}


def test_silence_is_no_recording_but_made_of_two():
    """Flat noise of two levels: pieces come at many levels and tones, none of them one that was recorded."""
    noise = torch.ones(2, 98, 20)
    noise[1] *= 100
    made = draw_silence(noise, 500, torch.Generator().manual_seed(0))
    assert made.shape == (500, 98, 20) and made.min() > 0 and made.isfinite().all()
    level = made.mean((1, 2)).log2()
    assert level.std() > 4 and len(level.unique()) == 500
    tone = 10 * (made[:, 0, -1] / made[:, 0, 0]).log10()
    assert -12.01 < tone.min() < -11 and 11 < tone.max() < 12.01  # +-6 dB at each end


def test_floor_of_the_training_power_is_that_of_the_log_mel_set():
    assert POWER_FLOOR == pytest.approx(2 * PIXEL_FLOOR * 2**13.1)


def test_training_from_a_folder_by_the_command_line(folder, tmp_path, capsys):
    config_file = tmp_path / "c.yaml"
    config_file.write_text(json.dumps({**asdict(config()), "epochs": 9, "batch_size": 8}))
    arguments = ["train", "--config", str(config_file), "--data", str(folder), "--epochs", "1", "--qat-epochs", "1",
                 "--seed", "3", "--device", "cpu", "--save-pth", str(tmp_path / "new" / "net.pt"), "--quiet", "--json"]
    assert main(arguments) == 0
    result = json.loads(capsys.readouterr().out)
    assert {"file", "accuracy", "float_accuracy"} <= result.keys()
    content = torch.load(tmp_path / "new" / "net.pt", weights_only=True)
    assert content["config"]["epochs"] == 1 and content["config"]["seed"] == 3
    assert main([*arguments, "--resume"]) == 0


def test_resuming_what_was_never_begun_is_refused_before_the_data_is_read(tmp_path, capsys):
    config_file, out = tmp_path / "c.yaml", tmp_path / "net.pt"
    config_file.write_text(json.dumps(asdict(config())))
    nowhere = ["--config", str(config_file), "--data", str(tmp_path / "none"), "--save-pth", str(out)]
    assert main(["train", *nowhere, "--resume"]) == 2
    assert f"{out.with_suffix('.checkpoint')} does not exist: train without --resume first" in capsys.readouterr().err


def test_ctrl_c_says_how_to_go_on(folder, tmp_path, capsys, monkeypatch):
    config_file, out = tmp_path / "c.yaml", tmp_path / "net.pt"
    config_file.write_text(json.dumps({**asdict(config()), "batch_size": 8}))
    arguments = ["train", "--config", str(config_file), "--data", str(folder), "--save-pth", str(out)]
    original, calls = train.batch_loss, []

    def interrupted(*arguments):
        calls.append(1)
        if len(calls) == 6:  # in the second epoch
            raise KeyboardInterrupt
        return original(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(train, "batch_loss", interrupted)
        assert main(arguments) == 130
    said = capsys.readouterr().err
    assert "net.checkpoint holds the last whole epoch: --resume" in said and said.endswith("stopped\n")
    assert main([*arguments, "--resume", "--quiet"]) == 0


@pytest.mark.parametrize("what, match", [
    ("none", "no training data"), ("empty", "no word folder"), ("file.txt", "no training data"),
    ("silent", "holds no recordings of noise"), ("short", "noise"), ("broken.npz", "not a log-mel set"),
    ("broken.tar.gz", "not an archive"),
])
def test_data_that_is_none(what, match, tmp_path, folder):
    path = tmp_path / what
    if "." in what:
        path.write_text("hello")
    elif what != "none":
        path.mkdir()
    if what in ("silent", "short"):
        for word in ("yes", "bed"):
            (path / word).symlink_to(folder / word)
    if what == "short":
        (path / "_background_noise_").mkdir()
        soundfile.write(path / "_background_noise_" / "x.wav", np.ones(20000, np.int16), 16000)
    with pytest.raises(UserError, match=match) as caught:
        train.train(config(batch_size=2), load(path), tmp_path / "net.pt", quiet=True)
    assert "\n" not in str(caught.value)


def test_views_of_a_clip():
    """Twice as many coefficients hold the chip's as every second; bands are octaves on one scale."""
    x = bands().x[:3].float()
    chip, fine = VIEWS["cepstra"](x[:, ::2]), VIEWS["cepstra_10_ms"](x)
    assert chip.shape == (3, 49, 12) and torch.equal(fine[:, ::2], chip) and not torch.equal(fine[:, 1::2], chip)
    assert (VIEWS["cepstra"].step, VIEWS["cepstra_10_ms"].step, VIEWS["bands"].step) == (2, 1, 2)
    octaves = torch.tensor([[[5.4, 12.6, -1.8, 100.0, -100.0]]])  # the mean, a deviation above and below, far out
    assert VIEWS["bands"](octaves).tolist() == [[[0, 32, -32, 127, -128]]]


@pytest.mark.parametrize("features, shape", [("cepstra_10_ms", (98, 12)), ("bands", (49, 20))])
@pytest.mark.parametrize("passes", [0, 2])
def test_networks_that_are_shown_something_else(tmp_path, monkeypatch, features, shape, passes):
    monkeypatch.setenv("TINYSPEECH_CACHE", str(tmp_path / "cache"))
    settings = config(model="printed_z", network={}, qat_epochs=0, epochs=2, features=features, passes=passes)
    metrics = train.train(settings, bands(clips=150), tmp_path / "z.pt", quiet=True)
    x, labels = validation_set(bands(clips=150), view=VIEWS[features])
    assert x.shape[1:] == shape
    assert saved.accuracy(load_model(tmp_path / "z.pt"), x, labels) == metrics["float_accuracy"]
    other = config(model="printed_z", network={}, qat_epochs=0, epochs=2, passes=passes)
    train.train(other, bands(clips=150), tmp_path / "chip.pt", quiet=True)
    assert not same(tmp_path / "z.pt", tmp_path / "chip.pt")


@pytest.mark.parametrize("settings", [
    {"features": "mfcc"}, {"features": "bands"}, {"features": "bands", "qat_epochs": 0, "teacher": "t", "passes": 1},
    {"features": "cepstra_10_ms", "qat_epochs": 0, "streams": {"share": 0.3}}])
def test_features_that_are_refused(settings):
    with pytest.raises(UserError, match="config key 'features'"):
        config(**settings)


def test_a_network_of_coefficients_is_not_shown_bands(tmp_path):
    with pytest.raises(UserError, match="12 coefficients: features 'bands' are for the paper's"):
        train.train(config(features="bands", qat_epochs=0), bands(), tmp_path / "s.pt", quiet=True)


def test_forty_bands_are_the_chips_twenty_taken_apart(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (2, 98, 40), dtype=np.uint8)
    forty, twenty = (torch.exp2(bands_of_pixels(pixels, pairs).double()) for pairs in (False, True))
    torch.testing.assert_close(forty[..., 0::2] + forty[..., 1::2], twenty, rtol=0.02, atol=0)
    with pytest.raises(UserError, match="give that set, not recordings"):
        load(tmp_path, features="bands")
