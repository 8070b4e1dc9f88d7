"""Any network at few bits: grids, clipping, the four modes, training and loading (TinySpeech-S's own: test_quant)."""

import copy
from dataclasses import asdict

import numpy as np
import pytest
import torch
from support.small_networks import SMALL, features_of, network
from support.small_training import bands, config, same
from torch import nn

from tinyspeech.errors import UserError
from tinyspeech.lowbit import grids, lower, quant, saved
from tinyspeech.lowbit.grids import LearnedStep, MeasuredStep, largest, optimal_clip
from tinyspeech.lowbit.quant import GridLayer, QuantConfig
from tinyspeech.networks.models import build_model
from tinyspeech.training import train
from tinyspeech.training.data import validation_set

IMPROVED = {"multiplier": 1, "kernel": 3, "selection": "sum"}
NETWORKS = {"X": {}, "Y": {}, "Z": {}, "M": {}, "Z improved": IMPROVED, "teacher": {"widths": [8, 12], "strides": [2]}}


def ready(name: str) -> nn.Module:
    """An untrained network in evaluation mode whose batch norms have seen something."""
    torch.manual_seed(0)
    model = build_model(name.split()[0], **NETWORKS[name]).train()
    with torch.no_grad():
        for i in range(4):
            model(features_of(i) * grids.INPUT_STEP)
    return model.eval()


def answers(model: nn.Module, x: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        return model(x.to(next(model.parameters()).dtype) * grids.INPUT_STEP).double()


# --- grids ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("bits", "levels"), [
    (8, range(-127, 128)), (4, range(-7, 8)), (3, range(-3, 4)), (2, (-3, -1, 1, 3)), ("ternary", (-1, 0, 1))])
def test_every_grid_is_symmetric_and_holds_what_its_bits_can(bits, levels):
    low, high, spacing = QuantConfig(weight_bits=bits).grid
    x = torch.linspace(-200, 200, 9001, dtype=torch.float64)
    y = grids.nearest(x, low, high, spacing)
    assert sorted(set(y.tolist())) == list(levels) and len(levels) <= (4 if bits == "ternary" else 2**bits)
    table = np.array(list(levels))
    want = table[np.abs(x.numpy()[:, None] - table).argmin(1)]
    ties = np.abs(np.abs(x.numpy() - want) - spacing / 2) < 1e-9
    assert np.array_equal(y.numpy()[~ties], want[~ties])


@pytest.mark.parametrize("bits", [8, 4, 2, "ternary"])
def test_gradients_of_every_grid_agree_with_differences(bits):
    """With the rounding frozen the grid is smooth: central differences give the gradients of weights and step."""
    low, high, spacing = QuantConfig(weight_bits=bits).grid
    torch.manual_seed(1)
    q = LearnedStep(low, high, 2, spacing, axes=4).double()
    q.set(torch.tensor([0.9, 1.4], dtype=torch.float64).reshape(2, 1, 1, 1) * 2 / high)
    x = (torch.randn(2, 3, 2, 2, dtype=torch.float64) * 2).requires_grad_()
    mask = torch.randn_like(x)
    (q(x) * mask).sum().backward()
    ratio = (x / q.step).detach()
    rest = grids.nearest(ratio, low, high, spacing) - ratio.clamp(low, high)

    def smooth(value, log2_step):
        step = torch.exp2(log2_step)
        return (step * ((value / step).clamp(low, high) + rest) * mask).sum()

    for parameter, gradient in ((x, x.grad), (q.log2_step, q.log2_step.grad)):
        for i in np.ndindex(*parameter.shape):
            ends = []
            for sign in (1, -1):
                moved = {id(p): p.detach().clone() for p in (x, q.log2_step)}
                moved[id(parameter)][i] += sign * 1e-6
                ends.append(smooth(*moved.values()).item())
            assert (ends[0] - ends[1]) / 2e-6 == pytest.approx(gradient[i].item(), abs=1e-5)


def test_two_bits_of_a_measured_step_train_straight_through():
    q = MeasuredStep(largest, -3, 3, spacing=2, each=False)
    x = torch.tensor([-3.0, -0.2, 0.2, 1.9, 2.1], requires_grad=True)
    y = q(x)
    assert y.tolist() == [-3.0, -1.0, 1.0, 1.0, 3.0]
    y.sum().backward()
    assert x.grad.tolist() == [1, 1, 1, 1, 1]  # nothing lies beyond the largest


# --- clipping ---------------------------------------------------------------------------------------------------------


def error(x, clip, high, spacing):
    step = clip / high
    return (grids.nearest(x / step, -high, high, spacing) * step - x).square().mean(1, True)


@pytest.mark.parametrize("bits", [8, 6, 4, 3, 2, "ternary"])
@pytest.mark.parametrize("draw", ["normal", "laplace"])
def test_the_fixed_point_is_close_to_the_least_error(bits, draw):
    _low, high, spacing = QuantConfig(weight_bits=bits).grid
    torch.manual_seed(0)
    x = torch.randn(3, 20000, dtype=torch.float64)
    x = x if draw == "normal" else x.sign() * -torch.rand_like(x).log()
    x = x * torch.tensor([[0.01], [1.0], [30.0]])
    tried = torch.stack([error(x, x.abs().amax(1, True) * f, high, spacing) for f in torch.linspace(0.02, 1, 300)])
    got = error(x, optimal_clip(x, high, spacing), high, spacing)
    assert (got <= 1.08 * tried.amin(0)).all()
    if bits != 8:
        assert (got < 0.9 * error(x, largest(x, high), high, spacing)).all()


def test_the_fixed_point_is_where_the_modelled_error_is_flat():
    torch.manual_seed(0)
    x = torch.randn(1, 5000, dtype=torch.float64)
    s = optimal_clip(x, 7)

    def modelled(s):
        size = x.abs()
        return torch.where(size >= s, (size - s) ** 2, s**2 / (12 * 49)).mean()

    # with who is beyond held fixed, as Newton's step holds it
    h = 1e-9
    assert abs(modelled(s + h) - modelled(s - h)) / (2 * h) < 1e-5
    assert modelled(s) < min(modelled(0.9 * s), modelled(1.1 * s))


@pytest.mark.parametrize("row", [[0.0, 0.0, 0.0], [0.5, -0.5, 0.5], [2.0], [0.0, 0.0, 3.0]])
def test_clipping_of_hardly_any_numbers(row):
    x = torch.tensor([row])
    for clip in (largest, optimal_clip):
        q = MeasuredStep(clip, -7, 7)
        assert torch.isfinite(q(x)).all() and (q.step_of(x) > 0).all()
        torch.testing.assert_close(q(x), x, atol=0.02, rtol=0.02)


def test_a_measured_step_looks_at_each_row_or_at_all():
    x = torch.tensor([[1.0, -7.0], [70.0, 3.0]])[..., None, None]
    each, one = MeasuredStep(largest, -7, 7), MeasuredStep(largest, -7, 7, each=False)
    assert each.step_of(x).shape == (2, 1, 1, 1) and each.step_of(x).flatten().tolist() == [1, 10]
    assert one.step_of(x).item() == 10 and one(x).flatten().tolist() == [0, -10, 70, 0]


# --- networks ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NETWORKS)
def test_wrapping_and_folding_leave_the_answers(name):
    model = ready(name)
    x = features_of(20)
    before = answers(model, x)
    count = sum(isinstance(m, (nn.Conv1d, nn.Conv2d, nn.Linear)) for m in model.modules())
    quant.wrap(model)
    assert len(quant.layers(model)) == count
    torch.testing.assert_close(answers(model, x), before)
    quant.fold(model)
    assert not any(isinstance(m, nn.modules.batchnorm._BatchNorm) for m in model.modules())
    torch.testing.assert_close(answers(model, x), before, atol=1e-5, rtol=1e-5)
    assert before.std() > 1e-3


@pytest.mark.parametrize("name", ["Z", "M", "Z improved", "teacher"])
@pytest.mark.parametrize("mode", ["DQ", "SQ"])
def test_more_bits_come_closer_and_eight_are_close(name, mode):
    model = ready(name)
    x = features_of(21)
    want = answers(model, x)
    off = []
    for bits in ("ternary", 4, 8):
        few = quant.quantised(model, QuantConfig(mode, bits, clipping="optimum"), x * grids.INPUT_STEP)
        off.append((answers(few, x) - want).square().mean().sqrt().item() / want.std().item())
    print("RMS error over deviation at ternary, 4, 8 bits:", off)
    assert off[0] > off[1] > off[2] and off[2] < 0.1


@pytest.mark.parametrize("settings", [
    {"granularity": "channel", "clipping": "max"}, {"granularity": "tensor", "clipping": "max"},
    {"granularity": "channel", "clipping": "optimum"}, {"granularity": "tensor", "clipping": "optimum"}])
def test_weights_lie_on_the_grid_that_was_asked_for(settings):
    few = quant.quantised(ready("Z"), QuantConfig("SQ", 4, **settings), features_of(22) * grids.INPUT_STEP)
    for layer in quant.layers(few):
        q = layer.weight_quantizer
        step, weight = q.step.detach(), q(layer.weight).detach()
        whole = weight / step
        assert (whole - whole.round()).abs().max() < 1e-9 and whole.abs().max() < 7 + 1e-9
        assert len(step) == len(weight)
        if settings["granularity"] == "tensor":
            assert step.max() - step.min() < 1e-12
        if settings == {"granularity": "channel", "clipping": "max"}:
            assert (whole.abs().flatten(1).amax(1) > 6.999).all()


def test_a_network_is_copied_and_unchanged():
    model, x = ready("Z"), features_of(23)
    before = {k: v.clone() for k, v in model.state_dict().items()}
    for mode in ("UN", "DQ", "SQ"):
        few = quant.quantised(model, QuantConfig(mode, 4, clipping="max"), x * grids.INPUT_STEP)
        assert torch.equal(answers(few, x), answers(model, x)) == (mode == "UN")
    assert before.keys() == model.state_dict().keys()
    assert all(torch.equal(v, model.state_dict()[k]) for k, v in before.items())


def test_under_dq_a_clip_does_not_know_its_batch():
    x = features_of(24)
    for model in (ready("Z"), network(SMALL)):
        few = quant.quantised(model, QuantConfig("DQ", 4, clipping="max"), x * grids.INPUT_STEP)
        torch.testing.assert_close(answers(few, x)[:1], answers(few, x[:1]))
        assert not [m for m in few.modules() if isinstance(m, LearnedStep)]


@pytest.mark.parametrize("settings", [{"clipping": "max"}, {"clipping": "optimum", "granularity": "tensor"}])
@pytest.mark.parametrize("bits", [8, 4, 2, "ternary"])
def test_tiny_speech_s_by_sq_is_what_the_chip_computes(bits, settings):
    x = features_of(25, 12)
    few = quant.quantised(network(SMALL), QuantConfig("SQ", bits, **settings), x * grids.INPUT_STEP)
    if bits == 8:
        with pytest.raises(UserError, match="4 bits"):
            lower.integer_twin(few, "test")
        return
    integer = lower.integer_twin(few, "test")
    in_units = answers(few, x).numpy() / integer.logit_unit(49)
    got = integer.run(x.numpy().astype(np.int8))
    assert np.array_equal(np.rint(in_units), got) and np.abs(in_units - got).max() < 1e-3


@pytest.mark.parametrize(("settings", "match"), [
    ({"mode": "PTQ"}, "mode must be one of UN, DQ, SQ, QAT, not 'PTQ'"), ({"weight_bits": 1}, "2 to 8, not 1"),
    ({"weight_bits": 4.0}, "2 to 8"), ({"weight_bits": True}, "2 to 8"), ({"weight_bits": "binary"}, "ternary"),
    ({"granularity": "row"}, "channel, tensor"), ({"clipping": "hard"}, "max, optimum, learned"),
    ({"clipping": None}, "max, optimum, learned"), ({"mode": "SQ"}, "'learned' needs training, which SQ has none of"),
])
def test_nonsense_is_one_line(settings, match):
    with pytest.raises(UserError, match=match) as caught:
        QuantConfig(**settings)
    assert "\n" not in str(caught.value)


def test_qat_is_a_training():
    with pytest.raises(UserError, match="QAT is a training"):
        quant.quantised(ready("Z"), QuantConfig(), features_of(0))


# --- training ---------------------------------------------------------------------------------------------------------

RUNS = {
    "Z": {"model": "printed_z", "network": IMPROVED, "weight_bits": 2},
    "M per tensor": {"model": "printed_m", "network": {}, "weight_bits": "ternary", "granularity": "tensor"},
    "S per tensor": {"granularity": "tensor", "average": 0.9},
    "S by max": {"clipping": "max"},
    "Z by optimum": {"model": "printed_z", "network": {}, "clipping": "optimum", "average": 0.9},
    "teacher": {"model": "teacher", "network": NETWORKS["teacher"]},
}


@pytest.mark.parametrize("name", RUNS)
def test_any_network_trains_at_few_bits_and_is_read_back(name, tmp_path):
    settings, data = config(epochs=1, qat_epochs=1, **RUNS[name]), bands(clips=120)
    metrics = train.train(settings, data, tmp_path / "net.pt", quiet=True)
    content = torch.load(tmp_path / "net.pt", weights_only=True)
    assert content["stage"] == "qat" and content["config"] == asdict(settings)
    features, labels = validation_set(data)
    model = saved.load_model(tmp_path / "net.pt")
    assert saved.accuracy(model, features, labels) == metrics["accuracy"]
    low, high, spacing = settings.quantisation().grid
    for layer in quant.layers(model):
        q = layer.weight_quantizer
        assert isinstance(q, LearnedStep) and (q.low, q.high, q.spacing) == (low, high, spacing)
        assert len(q.step) == len(layer.weight) and layer.norm is None


@pytest.mark.parametrize("name", ["M per tensor", "S per tensor", "Z by optimum"])
@pytest.mark.parametrize("step", [4, 7])
def test_resuming_any_network_is_bit_for_bit(name, step, tmp_path, monkeypatch):
    settings, data = config(epochs=1, qat_epochs=2, **RUNS[name]), bands(clips=110)
    train.train(settings, data, tmp_path / "whole.pt", quiet=True)
    original, calls = train.batch_loss, []

    def interrupted(*arguments):
        calls.append(1)
        if len(calls) == step:
            raise KeyboardInterrupt
        return original(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(train, "batch_loss", interrupted)
        with pytest.raises(KeyboardInterrupt):
            train.train(settings, data, tmp_path / "net.pt", quiet=True)
    train.train(settings, data, tmp_path / "net.pt", resume=True, quiet=True)
    assert same(tmp_path / "net.pt", tmp_path / "whole.pt")


def test_a_float_network_that_is_there_takes_the_place_of_the_float_stage(tmp_path):
    data, there = bands(clips=120), tmp_path / "float.pt"
    train.train(config(epochs=2, qat_epochs=0), data, there, quiet=True)
    metrics = train.train(config(start=str(there), epochs=0, qat_epochs=1), data, tmp_path / "net.pt", quiet=True)
    assert [row["stage"] for row in metrics["history"]] == ["qat"]
    assert metrics["float_accuracy"] == torch.load(there, weights_only=True)["metrics"]["accuracy"]
    assert same(tmp_path / "net_float.pt", there)
    for settings in ({"start": ""}, {"start": str(there), "prune": {"share": 0.5}}):
        with pytest.raises(UserError, match="'epochs' must be 1 or more"):
            config(epochs=0, **settings)


def test_accuracy_without_training(tmp_path):
    data = bands(clips=240)
    train.train(config(epochs=6, qat_epochs=0), data, tmp_path / "net.pt", quiet=True)
    model = saved.load_model(tmp_path / "net.pt")
    features, labels = validation_set(data)
    weights = copy.deepcopy(model.state_dict())
    got = {key: saved.evaluate_quantised(model, QuantConfig(*key, clipping="max"), features[:64], features, labels)
           for key in (("UN", 8), ("DQ", 8), ("SQ", 8), ("SQ", "ternary"))}
    assert got["UN", 8] == saved.accuracy(model, features, labels)
    assert abs(got["DQ", 8] - got["UN", 8]) < 5 and abs(got["SQ", 8] - got["UN", 8]) < 5
    assert got["SQ", "ternary"] < got["SQ", 8]
    assert all(torch.equal(v, weights[k]) for k, v in model.state_dict().items())


def test_every_parameter_of_a_wrapped_network_learns():
    model = quant.prepare(ready("Z improved"), 4)
    quant.calibrate(model, features_of(26) * grids.INPUT_STEP)
    model.train()(features_of(27, 32) * grids.INPUT_STEP).logsumexp(1).sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name
    assert isinstance(model.conv1.input_quantizer, nn.Identity)  # features are 8-bit integers as they come
    assert all(isinstance(layer, GridLayer) for layer in quant.layers(model))


def test_measuring_norms_anew_changes_what_rounded_weights_answer():
    config, x = QuantConfig("SQ", 2, clipping="max"), [features_of(i, 16) * grids.INPUT_STEP for i in range(4)]
    old, new = (quant.quantised(network(SMALL), config, x[0], batches) for batches in ((), x))
    want = network(SMALL)(x[0])
    off = [((model(x[0].double()) - want) ** 2).mean().item() for model in (old, new)]
    assert off[0] != off[1] and not any(isinstance(m, torch.nn.BatchNorm1d) for m in new.modules())
