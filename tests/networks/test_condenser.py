"""The attention condenser: alive, connected, and shaped by every one of its settings."""

import pytest
import torch

from tinyspeech.errors import UserError
from tinyspeech.networks.condenser import (
    NORMS,
    SELECTIONS,
    AttentionCondenser,
    CondenserConfig,
    collapsed_weight,
    receptive_field,
)

QUADRUPLE = {"channels": 6, "expand": 12, "squeeze": 4, "regrow": 8}


def make(**settings) -> AttentionCondenser:
    torch.manual_seed(0)
    return AttentionCondenser(CondenserConfig(**{**QUADRUPLE, **settings}))


def activations(*shape: int) -> torch.Tensor:
    return torch.randn(*(shape or (4, 6, 49, 12)), generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("selection", SELECTIONS)
@pytest.mark.parametrize("residual", [True, False])
@pytest.mark.parametrize("norm", NORMS)
def test_attention_is_alive(selection, residual, norm):
    """Output differs from input, and every single weight gets a gradient."""
    condenser, v = make(selection=selection, residual=residual, norm=norm), activations()
    out = condenser(v)
    assert out.shape == v.shape
    assert (out - v).abs().mean() > 1e-2
    (out * activations(*out.shape).roll(1, 0)).sum().backward()
    for name, parameter in condenser.named_parameters():
        assert parameter.grad is not None, name
        assert torch.all(parameter.grad != 0), name


@pytest.mark.parametrize("selection", SELECTIONS)
@pytest.mark.parametrize("layer", ["grouped1", "pointwise1", "grouped2", "pointwise2"])
def test_every_layer_matters(selection, layer):
    condenser, v = make(selection=selection).eval(), activations()
    before = condenser(v)
    torch.nn.init.zeros_(getattr(condenser, layer).weight)
    assert (condenser(v) - before).abs().max() > 1e-3


def test_by_hand():
    """One channel, one pooling window: V' = V + V * sigmoid(A) * S with A from the largest value of the window."""
    condenser = AttentionCondenser(CondenserConfig(1, 1, 1, 1, norm="none"))
    for layer, weight in zip(("grouped1", "pointwise1", "grouped2", "pointwise2"), (0.5, 2.0, -1.0, 0.25), strict=True):
        torch.nn.init.constant_(getattr(condenser, layer).weight, weight)
    torch.nn.init.constant_(condenser.scale, 3.0)
    v = torch.tensor([[[[1.0, 2.0], [4.0, -3.0]]]])
    a = torch.tensor(0.25 * -1.0 * (2.0 * 0.5 * 4.0))
    torch.testing.assert_close(condenser(v), v + 3.0 * v * torch.sigmoid(a))
    torch.testing.assert_close(condenser(-v), -v + 3.0 * -v * torch.sigmoid(torch.tensor(0.25 * -1.0 * 3.0)))


def test_zero_weights_leave_half_open_gates():
    condenser, v = make(), activations()
    for parameter in condenser.parameters():
        if parameter.ndim:
            torch.nn.init.zeros_(parameter)
    torch.testing.assert_close(condenser.eval()(v), 1.5 * v)


@pytest.mark.parametrize(("pool", "kernel", "frames"), [(2, 1, 2), ((4, 3), 1, 4), (2, 3, 10)])
def test_reach_in_time(pool, kernel, frames):
    """A frame is answered for by its pooling window, and by its neighbours' where the kernel is wider than 1: twice
    one window to each side, once for each grouped convolution."""
    condenser = make(pool=pool, kernel=kernel).eval()
    v = activations(1, 6, 24, 12).requires_grad_()
    condenser(v)[0, :, 12].sum().backward()
    seen = torch.nonzero(v.grad[0].abs().sum(dim=(0, 2)) > 0).flatten()
    assert seen.max() - seen.min() + 1 <= frames
    assert seen.max() - seen.min() + 1 > frames // 2


@pytest.mark.parametrize("shape", [(1, 6, 1, 1), (2, 6, 7, 5), (3, 6, 98, 13)])
@pytest.mark.parametrize("pool", [1, 2, (12, 16)])
def test_shapes(shape, pool):
    assert make(pool=pool).eval()(activations(*shape)).shape == shape


def test_scale():
    assert "scale" in dict(make().named_parameters())
    fixed = make(scale="fixed")
    assert "scale" not in dict(fixed.named_parameters())
    torch.testing.assert_close(fixed.eval()(activations()), make().eval()(activations()))


@pytest.mark.parametrize("settings", [
    {"expand": 13}, {"regrow": 9}, {"squeeze": 0}, {"channels": -1}, {"channels": 6.0}, {"kernel": 2}, {"kernel": 0},
    {"kernel": (3, 3, 3)}, {"kernel": "3"}, {"pool": 0}, {"pool": (2, 0)}, {"pool": None}, {"selection": "relu"},
    {"norm": "layer"}, {"scale": "big"},
])
def test_bad_settings(settings):
    with pytest.raises(UserError):
        make(**settings)


@pytest.mark.parametrize("shape", [(6, 49, 12), (2, 5, 49, 12)])
def test_bad_activations(shape):
    with pytest.raises(UserError, match="condenser takes"):
        make()(activations(*shape))


def test_a_pair_collapses_into_one_matrix():
    condenser, v = make(norm="none"), activations()
    for grouped, pointwise in ((condenser.grouped1, condenser.pointwise1), (condenser.grouped2, condenser.pointwise2)):
        x = v[:, : grouped.in_channels]
        matrix = collapsed_weight(grouped, pointwise)
        assert matrix.shape == (pointwise.out_channels, grouped.in_channels)
        torch.testing.assert_close(torch.einsum("oc,bctf->botf", matrix, x), pointwise(grouped(x)))


@pytest.mark.parametrize("settings", [{"kernel": 3}, {"bias": True}])
def test_what_does_not_collapse_is_refused(settings):
    condenser = make(**settings)
    with pytest.raises(UserError, match="1 x 1 without bias"):
        collapsed_weight(condenser.grouped1, condenser.pointwise1)
    with pytest.raises(UserError, match="take all the channels"):
        collapsed_weight(make().grouped1, make().pointwise2)


def test_a_receptive_field_is_the_kernel_and_the_window():
    v = activations(32, 6, 12, 12)
    seen = receptive_field(torch.nn.Conv2d(6, 2, (3, 5), padding=(1, 2)), v, 4, 6).nonzero()
    assert seen.amin(0).tolist() == [3, 4] and seen.amax(0).tolist() == [5, 8] and len(seen) == 15
    seen = receptive_field(make(pool=(4, 3)).eval(), v, 5, 7).nonzero()
    assert seen.amin(0).tolist() == [4, 6] and seen.amax(0).tolist() == [7, 8] and len(seen) == 12
