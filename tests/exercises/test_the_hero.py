"""TinySpeech-S as its reader writes it, in chapters 3 and 4: the notebooks' solutions, run as they stand there."""

import re

import pytest
import torch
from torch.nn.functional import conv1d, pad

from tinyspeech import paths
from tinyspeech.exercises.condensers import drawn
from tinyspeech.lowbit import saved
from tinyspeech.networks.streaming import StreamingConfig, TinySpeechS
from tinyspeech.pages.notebooks import code_cells, load

PARTS = ("causal", "causal_layer", "s_block", "leaking_mean", "frame_weights")
THIRD, FOURTH = (code_cells(load(paths.BOOK / name)) for name in ("03_attention_condensers.ipynb", "04_training.ipynb"))


def solution(cells, name: str) -> str:
    """A function's source, without the check behind it."""
    (source,) = (c.source for c in cells if f"def {name}(" in c.source and "    ...\n" not in c.source
                 and f"check({name})" in c.source)
    return source.partition(f"\n\ncheck({name})")[0]


WRITTEN = [*(solution(THIRD, name) for name in PARTS), solution(FOURTH, "my_tinyspeech")]


@pytest.fixture(scope="module")
def my_tinyspeech():
    known = {"torch": torch, "conv1d": conv1d, "pad": pad}
    exec("\n".join(WRITTEN), known)
    return known["my_tinyspeech"]


def test_it_has_forty_lines_at_most():
    assert 20 < sum(len(source.splitlines()) for source in WRITTEN) <= 40


def test_the_fourth_chapter_repeats_the_third():
    repeated = "\n".join(c.source for c in FOURTH)
    assert all(source in repeated for source in WRITTEN[:-1])


CONFIGS = {"as it ships": None, "a middle of 36": StreamingConfig(expansion=36, memory=5),
           "other kernels": StreamingConfig(16, 20, 4, (3, 4, 5, 2), (1, 2, 2, 1), 4, memory=2, flush=5, head=24)}


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_it_is_the_librarys_at_any_width(my_tinyspeech, config):
    net = (saved.load_model(paths.MODELS / "tinyspeech_s_float.pt") if config is None
           else drawn(TinySpeechS(config), 4))
    x = torch.randn(3, 49, 12, generator=torch.Generator().manual_seed(5))
    with torch.no_grad():
        theirs = net(x)
        mine = my_tinyspeech(x, net.state_dict(), net.config)
    assert mine.shape == theirs.shape == (3, 12)
    assert (mine - theirs).abs().max() < 1e-4 * theirs.abs().max()


def test_both_chapters_say_how_equal_it_is():
    said = "".join("".join(o.get("text", "")) for cells in (THIRD, FOURTH) for c in cells for o in c["outputs"]
                   if "my_tinyspeech(heard" in c.source or "s_block(into" in c.source)
    assert len(re.findall(r"at most 0\.000\d apart", said)) == 2
