"""The condenser's memory in float: a leaking mean, its config, and networks that were saved before there was one."""

import pytest
import torch

from tinyspeech.errors import UserError
from tinyspeech.networks.streaming import StreamingConfig, TinySpeechS, leaking_mean


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
                                   {"memory": 4, "attention": "channels"}])
def test_a_memory_that_no_condenser_can_have_is_one_line(wrong):
    with pytest.raises(UserError, match="memory") as caught:
        StreamingConfig(**wrong)
    assert "\n" not in str(caught.value)


def test_a_config_from_before_there_was_a_memory_has_none():
    values = StreamingConfig().to_dict()
    del values["memory"]
    config = StreamingConfig.from_dict(values)
    assert config.memory == 0 and config == StreamingConfig()
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
