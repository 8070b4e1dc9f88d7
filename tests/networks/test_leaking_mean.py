"""The condenser's memory in float: a leaking mean, its config, and networks that were saved before there was one."""

import pytest
import torch

from tinyspeech.errors import UserError
from tinyspeech.networks.streaming import StreamingCondenser, StreamingConfig, TinySpeechS, leaking_mean


@pytest.mark.parametrize("bits", range(1, 9))
def test_the_mean_is_that_of_a_plain_loop(bits):
    x = torch.randn(3, 40, 5, generator=torch.Generator().manual_seed(bits)).double()
    mean, want = torch.zeros(3, 5).double(), []
    for t in range(40):
        mean = mean + (x[:, t] - mean) / 2**bits
        want.append(mean)
    torch.testing.assert_close(leaking_mean(x, bits), torch.stack(want, 1))


def test_a_long_sound_converges_to_its_value():
    assert leaking_mean(torch.full((1, 100, 1), 3.0), 3)[0, -1, 0].item() == pytest.approx(3.0, abs=1e-3)


@pytest.mark.parametrize("wrong", [{"memory": 9}, {"memory": -1}, {"memory": 2.0}, {"memory": 4, "condenser": 0},
                                   {"memory": 4, "attention": "channels", "condenser": 0}])
def test_a_memory_that_no_condenser_can_have_is_one_line(wrong):
    with pytest.raises(UserError, match="memory") as caught:
        StreamingConfig(**wrong)
    assert "\n" not in str(caught.value)


def test_a_config_from_before_there_was_a_memory_has_none():
    values = StreamingConfig().to_dict()
    del values["memory"], values["gate"]
    config = StreamingConfig.from_dict(values)
    assert config.memory == 0 and config.gate == "residual" and config == StreamingConfig()
    TinySpeechS(config).load_state_dict(TinySpeechS(StreamingConfig()).state_dict())


def test_a_memory_hears_what_is_farther_back_than_any_convolution():
    torch.manual_seed(0)
    model, x = TinySpeechS(StreamingConfig(memory=6)).eval(), torch.randn(1, 200, 12)
    other = x.clone()
    other[:, :50] *= 5
    with torch.no_grad():
        frames = [model.condenser.weights(model.scores(sound)[1])[0, -1] for sound in (x, other)]
    assert not torch.equal(*frames)
    torch.manual_seed(0)
    plain = TinySpeechS(StreamingConfig()).eval()
    with torch.no_grad():
        frames = [plain.condenser.weights(plain.scores(sound)[1])[0, -1] for sound in (x, other)]
    torch.testing.assert_close(*frames)


def test_gates_of_channels_hear_it_too():
    """What block 0 adds to a frame depends on sounds that lie before its convolutions' reach, with a memory only."""
    x = torch.randn(1, 100, 12)
    other = x.clone()
    other[:, :50] *= 5
    equal = {}
    for memory in (0, 5):
        torch.manual_seed(0)
        model = TinySpeechS(StreamingConfig(attention="channels", memory=memory)).eval()
        with torch.no_grad():
            equal[memory] = torch.equal(*(model.blocks[0](model.stem(sound))[0, -1] for sound in (x, other)))
    assert equal == {0: True, 5: False}


def test_a_gate_sees_the_mean_beside_its_condensed_channels():
    """By hand: V' = V + V sigmoid(A) S, A from this frame's squeezed channels and their mean; one mean a block."""
    torch.manual_seed(0)
    condenser = StreamingCondenser(4, 8, 1, memory=2).double().eval()
    with torch.no_grad():
        v, mean = torch.randn(1, 6, 4, dtype=torch.float64), torch.zeros(1, 8, dtype=torch.float64)
        condenser.scale.uniform_(-2, 2)
        for t, squeezed in enumerate(condenser.squeeze(v).unbind(1)):
            mean = mean + (squeezed - mean) / 4
            gate = torch.sigmoid(condenser.excite(torch.cat([squeezed, mean], -1)[:, None]))[:, 0]
            want = v[:, t] + v[:, t] * gate * condenser.scale
            torch.testing.assert_close(condenser(v)[:, t], want)


def test_a_plain_gate_has_nothing_beside_it():
    torch.manual_seed(0)
    condenser = StreamingCondenser(4, 4, 1, gate="plain").double().eval()
    with torch.no_grad():
        v = torch.randn(1, 5, 4, dtype=torch.float64)
        torch.testing.assert_close(condenser(v), v * torch.sigmoid(-condenser.attention(v)))
        condenser.excite.norm.bias.fill_(1000)  # shut: nothing passes
        assert condenser(v).abs().max() < 1e-12


@pytest.mark.parametrize("wrong", [{"gate": "open"}, {"gate": 1}, {"gate": "plain"},
                                   {"gate": "plain", "attention": "channels", "condenser": 0}])
def test_a_gate_that_there_is_not_is_one_line(wrong):
    with pytest.raises(UserError, match="gate") as caught:
        StreamingConfig(**wrong)
    assert "\n" not in str(caught.value)
