"""Pruning: which weights go, when, that they stay away through training at few bits, and that channels really leave."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import prune as torch_prune

from tinyspeech.errors import UserError
from tinyspeech.integer import header
from tinyspeech.lowbit import lower, prune, saved
from tinyspeech.lowbit.prune import PruneConfig, Pruner
from tinyspeech.networks.models import build_model
from tinyspeech.networks.streaming import StreamingConfig, TinySpeechS
from tinyspeech.training import train
from tinyspeech.training.config import TrainConfig
from tinyspeech.training.data import Bands

NETWORK = {"channels": 8, "expansion": 16, "stem_kernel": 2, "kernels": [3, 3], "strides": [2, 2], "condenser": 4,
           "head": 8}


def network(seed: int = 0) -> TinySpeechS:
    torch.manual_seed(seed)
    return TinySpeechS(StreamingConfig.from_dict(NETWORK))


def bands(clips: int = 240) -> Bands:
    g = torch.Generator().manual_seed(0)
    label = torch.arange(clips) % 11 + 1
    pattern = torch.rand(12, 1, 20, generator=torch.Generator().manual_seed(99)).round() * 10 + 12
    x = pattern[label] + torch.randn(clips, 98, 20, generator=g)
    return Bands(x.half(), label, torch.arange(clips) % 5 == 0, (8 + torch.randn(10, 98, 20, generator=g)).half())


def config(**settings) -> TrainConfig:
    return TrainConfig(**{"network": NETWORK, "epochs": 2, "qat_epochs": 1, "batch_size": 32, "lr": 0.02, **settings})


# --- what goes --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", ["S", "Z", "M", "teacher"])
def test_every_dense_layer_can_be_pruned_and_no_depthwise_one(model):
    net = build_model(model)
    names = prune.prunable(net)
    parameters = dict(net.named_parameters())
    assert all(parameters[name] is weight for name, weight in names.items())
    others = {n for n, p in parameters.items() if p.ndim > 1 and n not in names}
    assert all("depthwise" in n or "grouped" in n for n in others)


@pytest.mark.parametrize("model", ["S", "Z"])
@pytest.mark.parametrize("scope", prune.SCOPES)
def test_masks_are_those_of_torch(model, scope):
    torch.manual_seed(1)
    net = build_model(model)
    ours = prune.masks(net, 0.37, scope=scope)
    modules = dict(net.named_modules())
    pairs = [(modules[name.removesuffix(".weight")], "weight") for name in prune.prunable(net)]
    if scope == "global":
        torch_prune.global_unstructured(pairs, torch_prune.L1Unstructured, amount=0.37)
    else:
        for module, name in pairs:
            torch_prune.l1_unstructured(module, name, amount=0.37)
    for (module, _), mask in zip(pairs, ours.values(), strict=True):
        assert (module.weight_mask.bool() == mask).all()


def test_counts_are_exact_and_ties_fall_in_order():
    assert prune.smallest(torch.tensor([[2.0, 1, 1], [1, 0, 3]]), 0.5).tolist() == [[False, True, True],
                                                                                    [False, True, False]]
    for share in (0, 0.1, 0.5, 0.99):
        assert prune.smallest(torch.ones(7, 9), share).sum() == round(share * 63)


def test_groups_are_four_inputs_at_one_place_of_the_kernel():
    net = network()
    found = prune.masks(net, 0.5, "groups")
    stem = found["stem.weight"]  # (8, 12, 2)
    by_group = stem.unflatten(1, (-1, 4))
    assert (by_group.all(2) == by_group.any(2)).all() and 0 < stem.sum() < stem.numel()
    flat = stem.permute(0, 2, 1).reshape(8, -1, 4)  # the chip's order: frame by frame
    assert (flat.all(2) == flat.any(2)).all()


def test_groups_need_inputs_by_four_and_channels_a_wide_middle():
    with pytest.raises(UserError, match="groups of 4 inputs"):
        prune.masks(build_model("Z"), 0.5, "groups")
    with pytest.raises(UserError, match="TinySpeech-S only"):
        Pruner(PruneConfig(0.5, "channels", "layer"), build_model("Z"))


@pytest.mark.parametrize("scope", prune.SCOPES)
def test_what_is_excepted_stays_and_the_others_give_more(scope):
    """As many go as without an exception, the smallest of what may go."""
    net = network()
    found = prune.masks(net, 0.3, scope=scope, excepted=("squeeze", "excite", "classifier"))
    weights = prune.prunable(net)
    assert set(weights) - set(found) == {"condenser.squeeze.weight", "condenser.excite.weight", "classifier.weight"}
    gone = sum(int((~mask).sum()) for mask in found.values())
    assert gone == pytest.approx(0.3 * sum(weight.numel() for weight in weights.values()), abs=len(found) / 2 + 0.5)
    if scope == "global":
        sizes = torch.cat([weights[name].detach().abs()[mask] for name, mask in found.items()])
        assert sizes.min() >= max(weights[name].detach().abs()[~mask].max() for name, mask in found.items())
    pruner = Pruner(PruneConfig.from_dict({"share": 0.3, "scope": scope, "except": ["condenser"]}), net)
    pruner.after_step(net, 10, 10)
    assert prune.zeros(net) == pytest.approx(0.3, abs=0.005)
    assert (net.condenser.squeeze.weight != 0).all() and (net.condenser.excite.weight != 0).all()


@pytest.mark.parametrize("values, match", [
    ({"share": 0.3, "except": ["squeezed"]}, "no dense layer is called 'squeezed'; there are blocks, classifier,"),
    ({"share": 0.9, "except": ["blocks"]}, r"not excepted have 0\.\d\d of all weights, not 0.9"),
    ({"share": 0.3, "except": ["blocks", "stem", "head", "classifier", "condenser"]}, "leaves no layer"),
])
def test_exceptions_that_the_network_does_not_have_are_one_line(values, match):
    with pytest.raises(UserError, match=match) as error:
        Pruner(PruneConfig.from_dict(values), network())
    assert "\n" not in str(error.value)


# --- channels ---------------------------------------------------------------------------------------------------------


def trained_a_little(seed=0):
    """A network whose batch norms have seen something and have gains of their own."""
    net = network(seed).train()
    with torch.no_grad():
        for module in net.modules():
            if isinstance(module, nn.BatchNorm1d):
                module.weight.uniform_(0.2, 2)
                module.bias.normal_()
    net(torch.randn(16, 49, 12))
    return net.eval()


def test_a_network_without_its_masked_channels_gives_the_same_answers():
    net, x = trained_a_little(), torch.randn(4, 49, 12)
    found = prune.masks(net, 0.5, "channels", "layer")
    small = prune.shrink(net, found)
    assert small.config.expansion == 8 and small.blocks[1].expand.weight.shape == (8, 8, 1)
    parameters = dict(net.named_parameters())
    with torch.no_grad():
        before = net(x)
        for name, mask in found.items():
            parameters[name].mul_(mask)
        masked = net(x)
    assert torch.allclose(small(x), masked, atol=1e-5) and not torch.allclose(before, masked, atol=1e-2)
    assert not small.training and prune.shrink(net.train(), found).training


def test_channels_that_stay_are_the_loudest():
    net = trained_a_little()
    block = net.blocks[0]
    gain, reads = block.expand.norm.weight.detach(), block.project.weight.detach()
    size = [abs(gain[c].item()) * reads[:, c].norm().item() for c in range(16)]
    stays = prune.masks(net, 0.75, "channels", "layer")["blocks.0.expand.weight"][:, 0, 0]
    assert sorted(np.argsort(size)[-4:]) == torch.nonzero(stays)[:, 0].tolist()


@pytest.mark.parametrize(("share", "kept"), [(0, 48), (0.3, 32), (0.5, 24), (0.7, 16), (0.9, 4), (0.99, 4)])
def test_a_multiple_of_four_channels_stays(share, kept):
    assert prune.kept_channels(48, share) == kept


# --- when -------------------------------------------------------------------------------------------------------------


def test_the_schedule_by_hand():
    assert [prune.cubic(p) for p in (-1, 0, 0.5, 1, 2)] == [0, 0, 0.875, 1, 1]
    net = network()
    pruner = Pruner(PruneConfig(0.8, begin=0.2, end=0.7, every=2), net)
    seen = []
    for step in range(1, 11):
        for weight in prune.prunable(net).values():  # an optimiser that makes everything large again
            weight.data += weight.data.sign() + (weight.data == 0)
        pruner.after_step(net, step, 10)
        seen.append(round(prune.zeros(net), 2))
    share = {4: 0.8 * (1 - 0.6**3), 6: 0.8 * (1 - 0.2**3)}
    four, six = round(share[4], 2), round(share[6], 2)
    assert seen == pytest.approx([0, 0, 0, four, four, six, 0.8, 0.8, 0.8, 0.8], abs=0.006)


def test_what_was_chosen_stays_chosen():
    net = network()
    pruner, gone = Pruner(PruneConfig(0.9, end=1.0, every=1), net), None
    for step in range(1, 21):
        with torch.no_grad():
            for weight in prune.prunable(net).values():
                weight += 0.01 * torch.randn_like(weight)
        pruner.after_step(net, step, 20)
        now = torch.cat([~mask.reshape(-1) for mask in pruner.masks.values()])
        assert gone is None or now[gone].all()
        gone = now
    assert pruner.reached == 0.9 and prune.zeros(net) == pytest.approx(0.9, abs=1e-3)


def test_at_once():
    net = network()
    Pruner(PruneConfig(0.5, end=0.0, every=100), net).after_step(net, 1, 1000)
    assert prune.zeros(net) == pytest.approx(0.5, abs=1e-3)


@pytest.mark.parametrize(("values", "match"), [
    ({"share": 1.0}, "at most 0.99"), ({"share": -0.1}, "from 0 to 1"), ({"share": "half"}, "from 0 to 1"),
    ({"share": True}, "from 0 to 1"), ({}, "needs 'share'"), ({"share": 0.5, "shares": 1}, "unknown key 'shares'"),
    ({"share": 0.5, "of": "rows"}, "'of' under 'prune' must be weights or groups or channels"),
    ({"share": 0.5, "scope": "block"}, "'scope' under 'prune' must be global or layer"),
    ({"share": 0.5, "of": "channels"}, "needs 'scope: layer'"), ({"share": 0.5, "begin": 0.7}, "'begin'"),
    ({"share": 0.5, "every": 0}, "'every'"), ({"share": 0.5, "every": 1.5}, "'every'"),
    ({"share": 0.5, "except": "stem"}, "'except' under 'prune' must list"), ({"share": 0.5, "except": [1]}, "'except'"),
    ({"share": 0.5, "of": "channels", "scope": "layer", "except": ["stem"]}, "goes without 'except'"),
    ({"share": 0.5, "excepted": ["stem"]}, "unknown key 'excepted'.*except"),
])
def test_bad_settings_are_one_line(values, match):
    with pytest.raises(UserError, match=match) as error:
        PruneConfig.from_dict(values)
    assert "\n" not in str(error.value)
    if values:
        with pytest.raises(UserError, match=match):
            config(prune=values)


# --- in training ------------------------------------------------------------------------------------------------------

KINDS = {"weights": {"share": 0.6, "every": 3}, "groups": {"share": 0.5, "of": "groups", "scope": "layer"},
         "channels": {"share": 0.5, "of": "channels", "scope": "layer", "every": 2},
         "exceptions": {"share": 0.4, "except": ["squeeze", "excite"], "every": 3}}


@pytest.fixture(scope="module", params=KINDS)
def pruned(request, tmp_path_factory):
    """An uninterrupted run of each kind, with an average: (kind, config, file)."""
    settings = config(prune=KINDS[request.param], average=0.9)
    out = tmp_path_factory.mktemp(request.param) / "net.pt"
    train.train(settings, bands(), out, quiet=True)
    return request.param, settings, out


def test_a_pruned_weight_is_an_integer_zero(pruned):
    kind, settings, out = pruned
    before = saved.load_model(out.with_name("net_float.pt"))
    integer = lower.integer_twin(saved.load_model(out), "net")
    layers = {layer.name: layer.weight for layer in integer.layers if layer.weight is not None}
    if kind == "channels":
        assert before.config.expansion == 8 and len(layers["block0_expand"]) == 8
        assert layers["block1_project"].shape == (8, 8)
        assert TrainConfig(**saved.load_checkpoint(out)["config"]).network == NETWORK  # what was asked for stays told
        ends = re.findall(r", (\d+)}, /\* block1_(?:expand|project):", header.c_header(integer))  # where each begins
        assert int(ends[1]) - int(ends[0]) == 28  # of 8 outputs 12 words and 2 groups of inputs
        return
    assert prune.zeros(before) == pytest.approx(settings.prune["share"], abs=0.005)
    for name, weight in prune.prunable(before).items():
        role = name.removesuffix(".weight").replace("blocks.", "block").replace("condenser.", "frames_")
        whole = layers[role.replace(".", "_")]
        flat = weight.detach().permute(0, 2, 1).reshape(len(weight), -1).numpy()
        assert not whole[flat == 0].any(), name
        if kind == "groups":
            by_word = whole.reshape(len(whole), -1, 4)
            assert (by_word == 0).all(2).mean() >= 0.5 - 2 / by_word[..., 0].size


@pytest.mark.parametrize("place", [1, 2, 3])
def test_resuming_is_bit_for_bit(pruned, place, tmp_path, monkeypatch):
    """Stop after each epoch in turn: while weights go, behind the float training, and at few bits."""
    _, settings, reference = pruned
    out, written, real = tmp_path / "net.pt", [], saved.save_atomically

    class Stopped(Exception):
        pass

    def stop(content, path: Path):
        real(content, path)
        written.append(path.suffix)
        if written.count(".checkpoint") == place and path.suffix == ".checkpoint":
            raise Stopped

    monkeypatch.setattr(train, "save_atomically", stop)
    with pytest.raises(Stopped):
        train.train(settings, bands(), out, quiet=True)
    monkeypatch.setattr(train, "save_atomically", real)
    train.train(settings, bands(), out, resume=True, quiet=True)
    one, two = (torch.load(path, weights_only=True) for path in (out, reference))
    assert one["state_dict"].keys() == two["state_dict"].keys()
    assert all(torch.equal(one["state_dict"][key], two["state_dict"][key]) for key in one["state_dict"])
    told = [{key: value for key, value in run["metrics"].items() if key != "seconds"} for run in (one, two)]
    assert one.get("network") == two.get("network") and told[0] == told[1]


def test_float_networks_alone_and_the_papers_too(tmp_path):
    settings = config(model="printed_z", network={}, qat_epochs=0, epochs=1, prune={"share": 0.5, "end": 0.5})
    train.train(settings, bands(), tmp_path / "z.pt", quiet=True)
    assert prune.zeros(saved.load_model(tmp_path / "z.pt")) == pytest.approx(0.5, abs=0.005)
    settings = config(qat_epochs=0, epochs=1, prune=KINDS["channels"])
    train.train(settings, bands(), tmp_path / "s.pt", quiet=True)
    assert saved.load_model(tmp_path / "s.pt").config.expansion == 8


def test_a_training_starts_from_a_named_network(pruned, tmp_path):
    kind, _, out = pruned
    start = out.with_name("net_float.pt")
    if kind == "channels":
        with pytest.raises(UserError, match=r"config key 'start': .* holds another network"):
            train.train(config(start=str(start)), bands(), tmp_path / "net.pt", quiet=True)
        return
    settings = config(start=str(start), epochs=1, qat_epochs=0, lr=1e-9, prune={"share": 0.8, "end": 0.0})
    train.train(settings, bands(), tmp_path / "net.pt", quiet=True)
    old, new = (dict(saved.load_model(path).named_parameters()) for path in (start, tmp_path / "net.pt"))
    stays = new["head.weight"] != 0
    assert torch.allclose(old["head.weight"][stays], new["head.weight"][stays], atol=1e-5)
    assert 0 < stays.sum() < (old["head.weight"] != 0).sum()


@pytest.mark.parametrize("name", ["nobody", "nowhere/net.pt"])
def test_a_start_that_is_not_there_is_one_line(name, tmp_path):
    with pytest.raises(UserError, match=f"config key 'start': there is no .*{Path(name).stem}"):
        train.train(config(start=name), bands(), tmp_path / "net.pt", quiet=True)


def test_a_start_at_few_bits_is_refused(pruned, tmp_path):
    with pytest.raises(UserError, match=r"config key 'start': .* in float"):
        train.train(config(start=str(pruned[2])), bands(), tmp_path / "net.pt", quiet=True)


def test_runs_without_pruning_are_found_again():
    from tinyspeech.measure.experiments import what_counts

    old = json.loads(json.dumps(vars(config())))
    new = dict(old)
    del old["start"], old["prune"]
    assert what_counts(old) == what_counts(new)
    assert what_counts({**new, "prune": {"share": 0.5}}) != what_counts(new)


def test_the_papers_networks_hold_their_zeros_through_few_bits(tmp_path):
    settings = config(model="printed_z", network={}, epochs=1, prune={"share": 0.5, "end": 0.5, "every": 2})
    train.train(settings, bands(), tmp_path / "z.pt", quiet=True)
    before = prune.prunable(saved.load_model(tmp_path / "z_float.pt"))
    after = prune.prunable(saved.load_model(tmp_path / "z.pt"))
    assert before.keys() == after.keys()
    for name, weight in before.items():
        assert not after[name][weight == 0].any(), name
    assert prune.zeros(saved.load_model(tmp_path / "z.pt")) >= 0.49
