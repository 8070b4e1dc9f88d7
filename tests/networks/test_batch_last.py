"""Networks computed with the batch as the last axis: all that comes out is what the plain form gives."""

import copy

import pytest
import torch
from torch import nn

from tinyspeech.networks import batch_last
from tinyspeech.networks.models import build_model

SETTINGS = [{}, {"pool": (3, 5)}, {"pool": 1}, {"scale": "learned", "residual": False, "selection": "tanh"},
            {"pool": [(24, 12), (2, 2), (4, 2), (8, 4), (12, 6), (16, 12)], "selection": "product"},
            {"selection": "hard_sigmoid", "norm": "none", "multiplier": 1},
            {"scale": "learned"}, {"scale": "learned", "selection": "tanh", "pool": (2, 3)},
            {"selection": "sum"}, {"selection": "sum", "scale": "learned", "pool": [2, 2, (3, 5), (3, 5), 2, 1]},
            {"kernel": 3}, {"kernel": (9, 1), "multiplier": 1}, {"kernel": (3, 25), "pool": (24, 6)},
            {"kernel": 3, "multiplier": 3, "selection": "sum", "norm": "none"},
            {"norm": "affine"}, {"norm": "affine", "kernel": 3, "multiplier": 1, "selection": "sum"}]


def network(name="Z", **settings) -> nn.Module:
    torch.manual_seed(0)
    model = build_model(name, **settings).double()
    for norm in model.modules():
        if isinstance(norm, nn.BatchNorm2d) and norm.affine:  # as if it were trained: they begin as 1 and 0
            nn.init.uniform_(norm.weight, 0.5, 1.5)
            nn.init.uniform_(norm.bias, -0.5, 0.5)
    return model


def features(batch: int = 16, frames: int = 49) -> torch.Tensor:
    x = torch.randn(batch, frames, 12, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    x[:, :10] = 1.5  # equal places: one of a window's equals takes the gradient
    return x


def both_ways(model: nn.Module, x: torch.Tensor, monkeypatch) -> list[tuple]:
    """Logits, gradients of weights and of x, and statistics: by batch_last, and by the plain form."""
    results = []
    for plain in (False, True):
        net, inputs = copy.deepcopy(model), x.clone().requires_grad_()
        with monkeypatch.context() as patch:
            if plain:
                patch.setattr(batch_last, "covers", lambda *_: False)
            else:
                assert batch_last.covers(net, x)
            logits = net(inputs)
            logits.square().sum().backward()
        results.append((logits.detach(), inputs.grad, [p.grad for p in net.parameters()], list(net.buffers())))
    return results


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("training", [True, False])
def test_same_as_the_plain_form(settings, training, monkeypatch):
    model = network(**settings).train(training)
    quick, plain = both_ways(model, features(), monkeypatch)
    assert plain[0].abs().max() > 0 and all(gradient.abs().max() > 0 for gradient in plain[2])
    torch.testing.assert_close(quick, plain, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("selection", ["sigmoid", "tanh"])
@pytest.mark.parametrize("residual", [True, False])
@pytest.mark.parametrize("scale", [-1.5, -0.5, 0.5, 1.5])
def test_scales_that_turn_the_order_of_a_window(selection, residual, scale, monkeypatch):
    """Where a gate may be negative the largest of a window is its largest no more: each condenser pools for itself."""
    model = network(scale="learned", selection=selection, residual=residual)
    with torch.no_grad():
        for condenser in model.condensers:
            condenser.scale.fill_(scale)
    quick, plain = both_ways(model, features(), monkeypatch)
    torch.testing.assert_close(quick, plain, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize(("name", "frames"), [("X", 50), ("Y", 7), ("M", 49)])
def test_other_networks_and_lengths(name, frames, monkeypatch):
    quick, plain = both_ways(network(name), features(frames=frames), monkeypatch)
    torch.testing.assert_close(quick, plain, rtol=1e-9, atol=1e-11)


def test_statistics_measured_anew(monkeypatch):
    """As `update_bn` does: without momentum, a mean over batches."""
    model = network()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None
    once = both_ways(model, features(), monkeypatch)
    torch.testing.assert_close(once[0][3], once[1][3])
    with torch.no_grad():
        model(features())
        quick, plain = copy.deepcopy(model), copy.deepcopy(model)
        quick(features(32))
        monkeypatch.setattr(batch_last, "covers", lambda *_: False)
        plain(features(32))
    torch.testing.assert_close(list(quick.buffers()), list(plain.buffers()))


def test_what_it_does_not_cover():
    x = features()
    assert batch_last.covers(network(), x)
    assert not batch_last.covers(network(), x[:4])
    for settings in ({"selection": "sum", "residual": False}, {"bias": True}):
        assert not batch_last.covers(network(**settings), x), settings
    model = network()
    model.condensers[1] = nn.Identity()
    assert not batch_last.covers(model, x)
    model = network()
    model.condensers[0].pointwise1.register_forward_hook(lambda *_: None)
    assert not batch_last.covers(model, x)
