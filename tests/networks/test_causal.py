"""TinySpeech-Z for the chip: causal, the paper's counts, histories that fit, and bands in plain whole numbers."""

import numpy as np
import pytest
import torch

from tinyspeech import CLASSES
from tinyspeech.errors import UserError
from tinyspeech.integer.header import c_header, dump
from tinyspeech.integer.network import IntegerModel, Layer
from tinyspeech.integer.plan import WORK_BYTES, memory_plan
from tinyspeech.lowbit import grids, lower, quant
from tinyspeech.networks.causal import BandConv, CausalTinySpeech
from tinyspeech.networks.counting import count_macs
from tinyspeech.networks.models import build_model
from tinyspeech.networks.streaming import CausalConv


def features_of(seed: int, count: int = 8, frames: int = 49) -> torch.Tensor:
    return torch.randint(-128, 128, (count, frames, 12), generator=torch.Generator().manual_seed(seed)).float()


def trained(seed: int = 0) -> CausalTinySpeech:
    """Batch norm has seen something, weights are on 4-bit grids, every step is one of the chip's."""
    torch.manual_seed(seed)
    model = CausalTinySpeech()
    for i in range(4):
        model(features_of(i, 8, 20) * grids.INPUT_STEP)
    quant.prepare(model, 4)
    quant.calibrate(model.eval(), features_of(9, 8, 20) * grids.INPUT_STEP)
    return quant.finish(model)


def test_it_has_the_weights_of_the_papers_z():
    """As many in each place as the reading that learns, but for batch norm's, which fold away."""
    causal = build_model("tinyspeech_z_causal")
    paper = build_model("printed_z", kernel=3, multiplier=1, selection="sum")
    convs = [module for module in causal.modules() if isinstance(module, CausalConv)]
    assert sum(conv.weight.numel() for conv in convs) == sum(p.numel() for p in paper.parameters()) == 2_705
    assert [conv.weight.numel() for conv in convs] == [p.numel() for p in paper.parameters()]
    assert 0 < count_macs(causal, (49, 12)) < 48e6


def test_what_comes_later_does_not_reach_back():
    """Streamed: the answer to a clip's first frames is the same, whatever follows."""
    model = trained()
    maps = {}
    model.head.register_forward_hook(lambda module, args, out: maps.update(head=out))
    x = features_of(3, 2).double() * grids.INPUT_STEP
    model(x)
    whole = maps["head"]
    for frames in (1, 7, 30):
        changed = x.clone()
        changed[:, frames:] += 1
        model(changed)
        assert torch.equal(maps["head"][:, :frames], whole[:, :frames])
        assert not torch.equal(maps["head"][:, frames:], whole[:, frames:])


def test_histories_are_what_the_file_says_and_all_fits():
    integer = lower.integer_twin(trained(), "test")
    width, histories = {"stream": 12}, 0
    for layer in integer.layers:
        histories += (layer.kernel - 1) * width[layer.source]
        width[layer.target] = layer.width(width[layer.source])
    assert histories == 618
    header = c_header(integer)  # refuses what does not fit
    assert "#define MODEL_BANDED 1" in header and "LAYER_ADD_BANDS, " in header
    plan = memory_plan(integer)
    assert 618 <= plan["state_bytes"] <= 640 and plan["scratch_bytes"] <= WORK_BYTES
    text = dump(integer)
    assert "condenser5_grouped2: depthwise pooled[10] -> squeezed[10], 3 frames, 3 bands, 3 under the kernel" in text


@pytest.mark.parametrize("i", range(6))
def test_every_condenser_is_missed(i):
    features = features_of(4).numpy().astype(np.int8)
    model, without = trained(), trained()
    with torch.no_grad():
        without.condensers[i].pointwise2.weight.zero_()
        without.condensers[i].pointwise2.bias.zero_()
    answers = [lower.integer_twin(m, "test").run(features) for m in (model, without)]
    assert not np.array_equal(*answers)


def by_hand(layers: list[Layer], clip: np.ndarray) -> list[int]:
    """Layers with bands once more, in plain whole numbers, a frame, a band and a channel at a time."""
    frames = [{"stream": frame} for frame in clip.tolist()]
    logits = [0] * len(CLASSES)
    for layer in layers:
        for t, slots in enumerate(frames):
            x = slots[layer.source]
            if layer.kind == "pool_bands":
                c = len(x) // (2 * layer.bands)
                y = [max(x[2 * b * c + i], x[(2 * b + 1) * c + i]) for b in range(layer.bands) for i in range(c)]
            elif layer.kind == "add_bands":
                c = len(x) // layer.bands
                y = [min(max(v + x[n // (2 * c) * c + n % c], -128), 127) for n, v in enumerate(slots[layer.target])]
            else:
                c, y = len(x) // (layer.bands * layer.band_stride), []
                for b in range(layer.bands):
                    for o, row in enumerate(layer.weight.tolist()):
                        total, taps = int(layer.bias[o]), iter(row)
                        for back in range(layer.kernel - 1, -1, -1):
                            for j in range(layer.span):
                                at = b * layer.band_stride + j - layer.span // 2
                                for i in [o] if layer.kind == "depthwise" else range(c):
                                    seen = t >= back and 0 <= at < layer.bands * layer.band_stride
                                    total += next(taps) * (frames[t - back][layer.source][at * c + i] if seen else 0)
                        total *= int(layer.multiplier[o])
                        if layer.kind == "classifier":
                            logits[o] += total
                        else:
                            shift = int(layer.shift[o])
                            y.append(min(max((total + 2 ** (shift - 1)) // 2**shift, layer.low), 127))
            slots["next"] = y
        for slots in frames:
            slots[layer.target] = slots.pop("next")
    return logits


def test_bands_are_the_contract():
    rng = np.random.default_rng(0)

    def layer(kind, name, source, target, inputs, outputs, bands, kernel=3, span=3, band_stride=1):
        taps = kernel * span * (1 if kind == "depthwise" else inputs)
        return Layer(kind, name, source, target, kernel, 1, -128, rng.integers(-7, 8, (outputs, taps)).astype(np.int8),
                     rng.integers(-99, 99, outputs).astype(np.int16), rng.integers(128, 256, outputs).astype(np.uint8),
                     np.full(outputs, 0 if kind == "classifier" else 11, np.uint8), bands=bands, span=span,
                     band_stride=band_stride)

    layers = [layer("dense", "stem", "stream", "branch", 1, 3, 6, band_stride=2),
              Layer("pool_bands", "pool", "branch", "pooled", bands=3),
              layer("depthwise", "grouped", "pooled", "squeezed", 3, 3, 3),
              layer("dense", "pointwise", "squeezed", "pooled", 3, 3, 3, kernel=1, span=1),
              Layer("add_bands", "add", "pooled", "branch", bands=3),
              layer("depthwise", "strided", "branch", "wide", 3, 3, 2, band_stride=3),
              layer("classifier", "last", "wide", "wide", 3, 12, 2, kernel=1, span=1)]
    model = IntegerModel("bands", CLASSES, layers, 12, 1.0)
    model.check()
    clips = features_of(5, 3, 11).numpy().astype(np.int8)
    assert model.run(clips).tolist() == [by_hand(layers, clip) for clip in clips]
    assert len(np.unique(model.run(clips), axis=0)) == 3


def test_a_layer_without_norm_gets_a_bias_of_zero():
    conv = BandConv(2, 2, 3, 3, groups=2, norm=False)
    x = torch.randn(1, 5, 4, 2)
    before = conv(x)
    conv.fold()
    assert torch.equal(conv.bias, torch.zeros(2)) and torch.equal(conv(x), before)


@pytest.mark.parametrize("settings, match", [
    ({"kernel": 2}, "odd"), ({"condensed": []}, "condensed"), ({"condensed": [0]}, "condensed must be 1"),
    ({"band_stride": 4}, "even number of 12"), ({"flush": -1}, "flush must be 0"), ({"channels": 2.5}, "channels"),
    ({"width": 3}, "no setting 'width'"),
])
def test_bad_settings_are_one_line(settings, match):
    with pytest.raises(UserError, match=match) as caught:
        build_model("tinyspeech_z_causal", **settings)
    assert "\n" not in str(caught.value)
