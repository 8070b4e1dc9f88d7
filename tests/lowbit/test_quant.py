"""Quantisation-aware training's parts, and TinySpeech-S itself: gradients, folding, causality, and integers = torch."""

import copy
import functools
from dataclasses import replace

import numpy as np
import pytest
import torch
from support.small_networks import CHANNELS, CONFIGS, GATES, SMALL, features_of, network
from torch import nn

from tinyspeech.errors import UserError
from tinyspeech.integer.header import c_header, dump
from tinyspeech.integer.network import MAX_SHIFT
from tinyspeech.integer.plan import WORK_BYTES, memory_plan
from tinyspeech.lowbit import fixed_point, grids, lower, quant
from tinyspeech.lowbit.grids import FixedStep, GateQuantizer, LearnedStep, round_half_up
from tinyspeech.lowbit.saved import predict
from tinyspeech.networks.streaming import (
    CausalConv,
    FrameCondenser,
    StreamingCondenser,
    StreamingConfig,
    TinySpeechS,
    leaking_mean,
)


def quantised(config: StreamingConfig, seed: int = 0, bits: int = 4) -> TinySpeechS:
    return copy.deepcopy(_quantised(config, seed, bits))


@functools.cache
def _quantised(config: StreamingConfig, seed: int, bits: int) -> TinySpeechS:
    model = quant.prepare(network(config, seed), bits)
    quant.calibrate(model, features_of(50, 16) * grids.INPUT_STEP)
    return model


# --- rounding and its gradients ---------------------------------------------------------------------------------------


def test_rounding_is_half_up_with_gradient_one():
    x = torch.tensor([-2.5, -1.5, -0.5, -0.1, 0.49, 0.5, 1.5, 2.5], dtype=torch.float64, requires_grad=True)
    y = round_half_up(x)
    assert y.tolist() == [-2, -1, 0, 0, 0, 1, 2, 3]
    y.sum().backward()
    assert torch.equal(x.grad, torch.ones(8, dtype=torch.float64))


def reference(x, step, low, high):
    """LSQ with numpy, not through autograd."""
    return np.clip(np.floor(x / step + 0.5), low, high) * step


@pytest.mark.parametrize("channels", [0, 3])
def test_learned_step_goes_to_the_grid(channels):
    q = LearnedStep(-7, 7, channels).double()
    q.set(torch.linspace(0.1, 0.3, max(channels, 1)).reshape(q.log2_step.shape))
    x = torch.randn(3, 5, 4, dtype=torch.float64)
    y = q(x).detach().numpy()
    np.testing.assert_allclose(y, reference(x.numpy(), q.step.detach().numpy(), -7, 7), atol=1e-12)
    whole = y / q.step.detach().numpy()
    assert np.abs(whole - np.rint(whole)).max() < 1e-9 and np.abs(whole).max() == pytest.approx(7)


def test_straight_through_gradient_is_one_inside_and_zero_beyond():
    q = LearnedStep(-7, 7).double()
    q.set(0.25)
    x = torch.tensor([-9.0, -1.7, -0.3, 0.0, 0.31, 1.74, 1.8, 9.0], dtype=torch.float64, requires_grad=True)
    q(x).sum().backward()
    assert x.grad.tolist() == [0, 1, 1, 1, 1, 1, 0, 0]


def test_gradients_are_those_of_the_smooth_part():
    """With the rounding frozen, y = step * (clamp(x / step) + r) is smooth: differences agree with autograd."""
    torch.manual_seed(1)
    q = LearnedStep(-7, 7, 2).double()
    q.set(torch.tensor([0.2, 0.35]).reshape(2, 1, 1))
    x = (torch.randn(2, 3, 6, dtype=torch.float64)).requires_grad_()
    weight = torch.randn(2, 3, 6, dtype=torch.float64)
    (q(x) * weight).sum().backward()

    step, values = q.step.detach().clone(), x.detach()
    clamped = (values / step).clamp(-7, 7)
    remainder = torch.floor(clamped + 0.5) - clamped

    def loss(step, x):
        return ((torch.clamp(x / step, -7, 7) + remainder) * step * weight).sum().item()

    h = 1e-6
    for channel in range(2):
        d = torch.zeros_like(step)
        d[channel] = h
        slope = (loss(step * 2**d, values) - loss(step / 2**d, values)) / (2 * h)  # over the step's logarithm
        assert q.log2_step.grad[channel].item() == pytest.approx(slope, rel=1e-5)
    for place in [(0, 0, 0), (1, 2, 5), (0, 1, 3)]:
        d = torch.zeros_like(values)
        d[place] = h
        slope = (loss(step, values + d) - loss(step, values - d)) / (2 * h)
        assert x.grad[place].item() == pytest.approx(slope, abs=1e-6)


def test_step_gradient_by_the_formula_of_lsq():
    """dy / dstep is round(x / step) - x / step inside, low or high beyond; over log2 of the step, step * ln 2 of it."""
    q = LearnedStep(-7, 7).double()
    q.set(0.5)
    x = torch.tensor([0.2, 0.9, -1.3, 40.0, -40.0], dtype=torch.float64)
    q(x).sum().backward()
    want = sum([0 - 0.4, 2 - 1.8, -3 + 2.6, 7, -7]) * 0.5 * np.log(2)
    assert q.log2_step.grad.item() == pytest.approx(want, rel=1e-9)


def test_a_step_stays_above_zero():
    q = LearnedStep(-7, 7, 2)
    q.set(torch.tensor([0.0, -3.0]).reshape(2, 1, 1))
    assert (q.step > 0).all() and torch.isfinite(q(torch.full((2, 1, 1), 0.6))).all()


def test_fit_is_never_worse_than_clipping_at_the_peak():
    torch.manual_seed(2)
    for spread in (0.1, 1.0, 3.0):
        x = torch.randn(6, 40, 3) * torch.exp(spread * torch.randn(6, 1, 1))
        q = LearnedStep(-7, 7, 6)
        q.fit(x)
        with torch.no_grad():
            error = (q(x) - x).square().mean((1, 2))
            q.set(x.abs().amax((1, 2), keepdim=True) / 7)
            at_peak = (q(x) - x).square().mean((1, 2))
        assert torch.all(error <= at_peak * (1 + 1e-5))
    q, x = LearnedStep(-7, 7), torch.randn(4000)
    q.fit(x)
    with torch.no_grad():
        assert q.step < 0.9 * x.abs().max() / 7  # rare peaks are given up for a finer grid
        assert (q(x) - x).square().mean() < 0.0135  # 0.0115 is the least for 16 even levels and a normal density


def test_fit_of_nothing_and_of_a_grid():
    q = LearnedStep(-7, 7, 2)
    q.fit(torch.zeros(2, 3, 1))
    assert torch.all(q.step > 0)
    grid = torch.arange(-7, 8).float().reshape(1, 15, 1).repeat(2, 1, 1) * torch.tensor([0.3, 0.02]).reshape(2, 1, 1)
    q.fit(grid)
    assert torch.allclose(q(grid), grid, atol=1e-5)


def test_gate_quantizer_is_the_fixed_point_gate():
    from tinyspeech.integer.network import gate_q7

    a = torch.arange(-128, 128, dtype=torch.float64)
    for scale in (-200, -128, -17, 0, 1, 33, 127, 200):  # in Q5; beyond int8 it saturates
        got = GateQuantizer()(torch.sigmoid(a / 16), torch.tensor(scale / 32, dtype=torch.float64)) * 128
        want = gate_q7(np.arange(-128, 128), np.int64(np.clip(scale, -128, 127)))
        assert np.array_equal(got.numpy(), want)


# --- folding, preparing -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_fold_leaves_the_outputs_equal(config):
    model = network(config)
    x = features_of(1) * grids.INPUT_STEP
    with torch.no_grad():
        before = model(x)
        convs = [m for m in model.modules() if isinstance(m, CausalConv)]
        for conv in convs:
            conv.fold()
            conv.fold()  # a second time changes nothing
        assert not any(isinstance(m, nn.BatchNorm1d) for m in model.modules())
        torch.testing.assert_close(model(x), before, atol=1e-5, rtol=1e-5)
    assert before.std() > 0.05


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_folding_a_quantised_network_moves_no_weight_on_its_grid(config):
    model = quantised(config).double()
    x = features_of(1).double() * grids.INPUT_STEP

    def on_grid():
        return [torch.round(m.weight_quantizer(m.weight) / m.weight_quantizer.step)
                for m in model.modules() if isinstance(m, CausalConv)]

    with torch.no_grad():
        before, logits = on_grid(), model(x)
        signs = [torch.sign(m.norm.weight) for m in model.modules() if isinstance(m, CausalConv)]
        quant.fold(model)
        for old, new, sign in zip(before, on_grid(), signs, strict=True):
            assert torch.equal(old * sign[:, None, None], new)
        torch.testing.assert_close(model(x), logits, atol=1e-6, rtol=1e-6)
    assert not any(isinstance(m, nn.BatchNorm1d) for m in model.modules())


@pytest.mark.parametrize("bits", [-4, 0, 1, 9, 32])
def test_weight_bits_out_of_range(bits):
    with pytest.raises(UserError, match=f"2 to 8, not {bits}"):
        quant.prepare(TinySpeechS(SMALL), bits)


def test_more_bits_come_closer_to_float():
    x = features_of(2)
    with torch.no_grad():
        want = predict(network(SMALL), x)
        errors = [(predict(quantised(SMALL, bits=bits), x) - want).square().mean().sqrt().item() for bits in (2, 4, 8)]
    print("RMS error of logits at 2, 4, 8 bits:", errors, "of", want.std().item())
    assert errors[0] > errors[1] > errors[2] and errors[2] < 0.1 * want.std()


@pytest.mark.parametrize("config", [SMALL, CONFIGS["memory"]], ids=["small", "memory"])
def test_every_parameter_of_the_quantised_network_learns(config):
    model = quantised(config).train()
    model(features_of(3, 32) * grids.INPUT_STEP).logsumexp(1).sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and torch.isfinite(parameter.grad).all(), name
        assert parameter.grad.abs().sum() > 0, name


def test_calibrate_leaves_no_hook_behind_and_no_clipping_of_most_values():
    model = quantised(StreamingConfig())
    assert not any(m._forward_hooks for m in model.modules())
    for module in model.modules():
        if isinstance(module, CausalConv) and isinstance(module.output_quantizer, LearnedStep):
            assert module.output_quantizer.step.item() != 1.0


# --- integers = torch -------------------------------------------------------------------------------------------------


def assert_integers_equal_torch(model: TinySpeechS, features: torch.Tensor) -> None:
    quant.finish(model)
    integer = lower.integer_twin(model.eval(), "test")
    with torch.no_grad():
        want = predict(model, features).numpy()
    got = integer.run(features.numpy().astype(np.int8))
    in_units = want / integer.logit_unit(features.shape[1])
    mismatches = int((np.rint(in_units) != got).sum())
    print(f"{mismatches} mismatches in {got.size} logits")
    assert mismatches == 0 and np.abs(in_units - got).max() < 1e-3
    assert np.array_equal(want.argmax(1), got.argmax(1))
    assert len(np.unique(got, axis=0)) > len(got) // 2


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_snapped_torch_equals_integers_in_every_logit(config, seed):
    assert_integers_equal_torch(quantised(config, seed), features_of(60 + seed, 24))


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_every_shape_becomes_one_header(config):
    """The same bytes each time, and a dump that names each layer."""
    model = quantised(config)
    quant.finish(model)
    integer = lower.integer_twin(model, "test", {"note": "ends a comment? */ no"})
    header = c_header(integer)
    assert header == c_header(lower.integer_twin(model, "test", {"note": "ends a comment? */ no"}))
    assert "ends a comment? * / no" in header and integer.digest in header
    assert all(f"/* {layer.name}" in header and f"\n{layer.name}: " in dump(integer) for layer in integer.layers)


@pytest.mark.parametrize("bits", [2, 3])
def test_fewer_bits_than_four_go_the_same_way(bits):
    assert_integers_equal_torch(quantised(SMALL, bits=bits), features_of(70, 12))


def test_hardly_alive_channels_go_the_same_way():
    """Channels without weight, channels that live on their bias, channels whose batch norm turns the sign."""
    model = quantised(SMALL, 3)
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, CausalConv):
                module.weight[0] = 0
                module.weight_quantizer.log2_step[0] = -30
                module.norm.bias[0] = 0.7
                module.norm.weight[-1] *= -1
    assert_integers_equal_torch(model, features_of(71, 12))


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_snapping_moves_steps_but_no_weight_on_its_grid(config):
    """Weights half a hair from the middle between two places, where training leaves many, stay on their side."""
    model = quantised(config).double()
    convs = [m for m in model.modules() if isinstance(m, CausalConv)]
    quant.fold(model)
    with torch.no_grad():
        for conv in convs:
            step = conv.weight_quantizer.step
            side = torch.where(torch.arange(conv.weight.numel()).reshape(conv.weight.shape) % 2 == 0, 1e-4, -1e-4)
            conv.weight.copy_((torch.floor(conv.weight / step).clamp(-6, 5) + 0.5 + side) * step)
        before = [torch.round(c.weight_quantizer(c.weight) / c.weight_quantizer.step) for c in convs]
        steps = [c.weight_quantizer.step for c in convs]
        quant.finish(model)
        after = [torch.round(c.weight_quantizer(c.weight) / c.weight_quantizer.step) for c in convs]
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
    assert any(not torch.equal(c.weight_quantizer.step, step) for c, step in zip(convs, steps, strict=True))


def test_integers_are_int8_4bit_and_proved():
    model = quantised(StreamingConfig())
    quant.finish(model)
    integer = lower.integer_twin(model, "test")
    weights = np.concatenate([layer.weight.ravel() for layer in integer.layers if layer.weight is not None])
    assert weights.dtype == np.int8 and weights.min() == -7 and weights.max() == 7
    assert integer.parameters == weights.size
    assert c_header(integer) == c_header(lower.integer_twin(model, "test"))


@pytest.mark.parametrize("config", [SMALL, CHANNELS, GATES], ids=["frames", "channels", "gates"])
def test_zeroed_condensers_change_the_integers(config):
    plain, zeroed = quantised(config), quantised(config)
    with torch.no_grad():
        for module in zeroed.modules():
            if isinstance(module, (FrameCondenser, StreamingCondenser)):
                module.excite.weight.zero_()
                module.squeeze.weight.zero_()
    features = features_of(4).numpy().astype(np.int8)
    results = []
    for model in (plain, zeroed):
        quant.finish(model)
        results.append(lower.integer_twin(model, "test").run(features))
    assert not np.array_equal(*results)


def test_a_memory_in_the_shipped_shape_keeps_frames_in_pairs():
    """It costs two bytes a channel; what is twice as wide takes a place that is free by then."""
    twins = []
    for memory in (0, 4):
        model = quantised(StreamingConfig(memory=memory))
        quant.finish(model)
        twins.append(lower.integer_twin(model, "test"))
    before, plan = map(memory_plan, twins)
    assert before["paired"] and plan["paired"] and plan["scratch_bytes"] <= before["scratch_bytes"] <= WORK_BYTES
    assert plan["state_bytes"] == before["state_bytes"] + 2 * StreamingConfig().condenser
    headers = [c_header(twin) for twin in twins]
    assert "#define MODEL_MEMORY 0" in headers[0] and "#define MODEL_MEMORY 4" in headers[1]


def test_gates_with_a_memory_keep_frames_in_pairs_at_both_rates():
    """Two bytes a channel and block. Without pooling a condenser reads what it gates: no copy, no code for one."""
    twins = []
    for memory in (0, 3):
        model = quantised(StreamingConfig(channels=16, expansion=12, head=12, stem_kernel=1, kernels=(9, 9, 9),
                                          strides=(1, 2, 1), attention="channels", condenser=4, memory=memory))
        quant.finish(model)
        twins.append(lower.integer_twin(model, "test"))
    before, plan = map(memory_plan, twins)
    assert before["paired"] and plan["paired"] and plan["scratch_bytes"] <= WORK_BYTES
    assert plan["state_bytes"] == before["state_bytes"] + 2 * 4 * 3
    leaks = [i for i, layer in enumerate(twins[1].layers) if layer.kind == "leak"]
    assert leaks[0] < plan["front"] < plan["cut"] and leaks[1] > plan["front"] and leaks[2] >= plan["cut"]
    assert twins[1].parameters == twins[0].parameters + 3 * 4 * 16
    headers = [c_header(twin) for twin in twins]
    assert all("#define MODEL_POOLED 0" in header for header in headers)
    assert "#define MODEL_MEMORY 0" in headers[0] and "#define MODEL_MEMORY 3" in headers[1]
    assert dump(twins[1]).count("means of 8 frames") == 3


def test_calibration_sees_the_mean_of_float():
    """Not that on a grid whose step nobody has chosen yet: of small values it would be zero."""
    seen = []
    model = quant.prepare(network(GATES))
    for condenser in (block.condenser for block in model.blocks):
        condenser.excite.register_forward_pre_hook(lambda module, args: seen.append(args[0]))
    quant.calibrate(model, features_of(1) * grids.INPUT_STEP)
    assert len(seen) == 3
    for condenser, x in zip((block.condenser for block in model.blocks), seen, strict=True):
        values, mean = x.chunk(2, dim=-1)
        torch.testing.assert_close(mean, leaking_mean(values, condenser.memory))


def test_multiplier_and_shift_are_within_half_a_percent():
    ratio = np.exp(np.random.default_rng(0).uniform(np.log(2.0**-16), np.log(2.0**6), 5000))
    ratio = np.concatenate([ratio, 2.0 ** np.arange(-16, 6), 2.0 ** np.arange(-16, 6) * (1 - 1e-9)])
    multiplier, shift = fixed_point.multiplier_and_shift(ratio)
    coarse = ratio < 2.0**-8 * (1 - 1 / 512)
    assert multiplier[~coarse].min() >= 128 and multiplier.max() <= 255 and shift.max() == MAX_SHIFT
    assert np.abs(multiplier / 2.0**shift / ratio - 1)[~coarse].max() <= 1 / 256 + 1e-9
    assert np.abs(multiplier / 2.0**shift - ratio)[coarse].max() <= 2.0**-16 + 1e-9 and multiplier.min() == 1


def test_export_refuses_other_networks():
    from tinyspeech.networks.models import build_model

    with pytest.raises(UserError, match="only TinySpeech-S"):
        lower.integer_twin(build_model("printed_z"), "test")
    with pytest.raises(UserError, match="float"):
        lower.integer_twin(TinySpeechS(SMALL), "test")
    wide = quantised(SMALL, bits=8)
    quant.finish(wide)
    with pytest.raises(UserError, match="4 bits"):
        lower.integer_twin(wide, "test")


@pytest.mark.parametrize("kernel, stride, groups", [(1, 1, 1), (3, 1, 1), (4, 2, 1), (1, 1, 6), (5, 1, 6), (4, 3, 6)])
def test_a_causal_convolution_and_its_gradients_are_torchs(kernel, stride, groups):
    torch.manual_seed(2)
    layer = CausalConv(6, 6, kernel, stride, groups=groups, relu=False).double()
    layer.fold()
    x = torch.randn(3, 11, 6, dtype=torch.float64, requires_grad=True)
    weight = layer.weight.detach().clone().requires_grad_()
    padded = nn.functional.pad(x.transpose(1, 2), (kernel - 1, 0))
    want = nn.functional.conv1d(padded, weight, layer.bias, stride, groups=groups).transpose(1, 2)
    mask = torch.randn_like(want)
    gradients = torch.autograd.grad((want * mask).sum(), (x, weight))
    got = layer(x)
    torch.testing.assert_close(got, want)
    for a, b in zip(torch.autograd.grad((got * mask).sum(), (x, layer.weight)), gradients, strict=True):
        torch.testing.assert_close(a, b)


# --- TinySpeech-S -----------------------------------------------------------------------------------------------------


def per_frame(model: TinySpeechS, x: torch.Tensor) -> torch.Tensor:
    """Scores of every frame that reaches the classifier, [B, T', 12], and its weight if it has one: [B, T', 13]."""
    layers = [model.classifier, *([model.condenser.excite] if model.condenser else [])]
    seen = []
    hooks = [layer.register_forward_hook(lambda _m, _i, out: seen.append(out)) for layer in layers]
    with torch.no_grad():
        mean = model(x)
    for hook in hooks:
        hook.remove()
    scores, weight = seen[0], torch.sigmoid(seen[1]) + 1 / 128 if model.condenser else torch.ones(1)
    torch.testing.assert_close((scores * weight).sum(1) / weight.expand(scores[..., :1].shape).sum(1), mean)
    return torch.cat(seen, -1)


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_streaming_a_prefix_gives_the_same_frames(config):
    model = network(replace(config, flush=0)).double()
    x = (features_of(5) * grids.INPUT_STEP).double()
    whole = per_frame(model, x)
    stride = int(np.prod(config.strides))
    assert whole.shape[1] == -(-49 // stride)
    for t in (1, 2, stride, stride + 1, 30, 48):
        part = per_frame(model, x[:, :t])
        assert part.shape[1] == -(-t // stride)
        torch.testing.assert_close(part, whole[:, : part.shape[1]], atol=1e-12, rtol=0)


def test_flushing_is_silence_after_the_clip():
    """Eight frames of zeros behind a clip, whoever puts them there."""
    with_flush, without = network(StreamingConfig(flush=8)), network(StreamingConfig(flush=0))
    without.load_state_dict(with_flush.state_dict())
    x = features_of(8) * grids.INPUT_STEP
    with torch.no_grad():
        assert torch.equal(with_flush(x), without(nn.functional.pad(x, (0, 0, 0, 8))))
        assert not torch.allclose(with_flush(x), without(x))


def test_the_future_does_not_reach_back_but_the_past_reaches_on():
    model = network(StreamingConfig(flush=0)).double()
    x = (features_of(6) * grids.INPUT_STEP).double()
    other = x.clone()
    other[:, 24:] = torch.randn_like(other[:, 24:])
    a, b = per_frame(model, x), per_frame(model, other)
    assert torch.equal(a[:, :12], b[:, :12])  # frames 0 .. 23 are outputs 0 .. 11
    assert not torch.equal(a[:, 12], b[:, 12])


@pytest.mark.parametrize("config", [SMALL, CHANNELS, GATES, StreamingConfig()],
                         ids=["small", "channels", "gates", "default"])
def test_condensers_are_alive(config):
    """Every weight gets a gradient, and each condenser's embedding changes the logits."""
    model = network(config)
    x = features_of(7, 16) * grids.INPUT_STEP
    model.train()(x).logsumexp(1).sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name
    model.eval()
    condensers = [m for m in model.modules() if isinstance(m, (FrameCondenser, StreamingCondenser))]
    assert len(condensers) == (len(config.kernels) if config.attention == "channels" else 1)
    with torch.no_grad():
        before = model(x)
        for condenser in condensers:
            kept = condenser.excite.weight.clone()
            condenser.excite.weight.zero_()
            assert (model(x) - before).abs().max() > 1e-4
            condenser.excite.weight.copy_(kept)
        assert torch.equal(model(x), before)


def test_a_frame_condenser_by_hand():
    """Weights sigmoid(A) + 1/128 from the maximum over this frame and the one before; scores averaged by them."""
    torch.manual_seed(0)
    condenser = FrameCondenser(4, 4, 2).double().eval()
    with torch.no_grad():
        h, scores = torch.rand(2, 5, 4, dtype=torch.float64), torch.randn(2, 5, 3, dtype=torch.float64)
        pooled = torch.maximum(h, torch.cat([torch.zeros(2, 1, 4), h[:, :-1]], 1))
        weight = torch.sigmoid(condenser.excite(condenser.squeeze(pooled))) + 1 / 128
        want = (scores * weight).sum(1) / weight.sum(1)
        torch.testing.assert_close(condenser(scores, h), want)
        condenser.excite.norm.bias.fill_(-1000)  # all gates shut: the plain average is left
        torch.testing.assert_close(condenser(scores, h), scores.mean(1))


def test_a_condenser_by_hand():
    """V' = V + V sigmoid(A) S, with A from the maximum over this frame and the one before."""
    torch.manual_seed(0)
    condenser = StreamingCondenser(4, 4, 2).double().eval()
    with torch.no_grad():
        condenser.scale.uniform_(-1, 1)
        v = torch.randn(1, 5, 4, dtype=torch.float64)
        before = torch.cat([torch.zeros(1, 1, 4), v[:, :-1]], 1)
        pooled = torch.maximum(v, before)
        gate = torch.sigmoid(condenser.excite(condenser.squeeze(pooled)))
        torch.testing.assert_close(condenser(v), v + v * gate * condenser.scale)


@pytest.mark.parametrize("settings, match", [
    ({"channels": 30}, "channels"), ({"channels": 0}, "channels"), ({"expansion": 5}, "expansion"),
    ({"head": -4}, "head"), ({"condenser": 6}, "condenser"), ({"kernels": (3, 3)}, "same number"),
    ({"kernels": (0, 3, 3)}, "1 or more"), ({"strides": (1, 1, 0)}, "1 or more"), ({"pool": 0}, "1 or more"),
    ({"stem_kernel": 0}, "1 or more"), ({"channels": "32"}, "channels"), ({"channels": 8.0}, "channels"),
    ({"kernels": 5}, "kernels"), ({"kernels": ["5", 7, 7]}, "kernels"), ({"pool": None}, "pool"),
    ({"kernels": [], "strides": []}, "kernels"),
    ({"attention": "words"}, "frames, channels"), ({"attention": 3}, "attention"),
    ({"flush": -1}, "flush"), ({"chanels": 8}, "unknown key 'chanels'"),
])
def test_bad_settings_are_one_line(settings, match):
    with pytest.raises(UserError, match=match) as caught:
        StreamingConfig.from_dict(settings)
    assert "\n" not in str(caught.value)


def test_config_survives_a_checkpoint():
    for config in CONFIGS.values():
        assert StreamingConfig.from_dict(config.to_dict()) == config


def test_fixed_step_is_the_same_grid_without_learning():
    q = FixedStep(-128, 127, 1 / 16)
    assert not list(q.parameters())
    x = torch.tensor([-9.0, -0.03125, 0.03125, 0.1, 9.0])
    assert q(x).tolist() == [-8.0, 0.0, 0.0625, 0.125, 7.9375]
