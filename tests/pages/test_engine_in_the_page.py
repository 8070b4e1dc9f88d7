"""The firmware's C in a page, without a chip: it answers as the integers do, and teaches as the definition does."""

import base64

import numpy as np
import pytest
from support.scripts import evaluate

from tinyspeech import paths
from tinyspeech.integer import frontend, trials, words
from tinyspeech.integer.network import IntegerModel
from tinyspeech.pages.widgets import engines
from tinyspeech.sound import datasets

TEACH = """(async () => {
  const bytes = Uint8Array.from(atob(data.wasm), (c) => c.charCodeAt(0));
  const out = { logits: [], verdicts: [], page: null };
  const engine = engineOf((await WebAssembly.instantiate(bytes, {})).instance.exports, data.verdicts);
  for (const clip of data.clips) out.logits.push(engine.logits(Int16Array.from(clip)));
  const teaching = engine.teaching("lamp", data.takes);
  for (const take of data.said) {
    let verdict = null, at = 0;
    for (; at < take.length && !verdict; at++) verdict = teaching.hear(Int8Array.from(take[at]), 0);
    out.verdicts.push([verdict, at, teaching.taken()]);
    if (teaching.done()) out.page = [...teaching.page()];
  }
  return out;
})()"""


@pytest.fixture(scope="module")
def model():
    return IntegerModel.load(paths.model_file(paths.SHIPPED, ".npz"))


@pytest.fixture(scope="module")
def clips():
    return frontend.to_8khz(datasets.load_task(paths.BUNDLED, "validation", limit=24).arrays()[0])


def in_a_page(clips=(), said=()) -> dict:
    wasm = base64.b64encode(engines.engine_wasm().read_bytes()).decode()
    return evaluate(["engine.js"], TEACH, {"wasm": wasm, "verdicts": engines.VERDICTS, "takes": words.TAKES,
                                           "clips": clips, "said": said})


def test_its_logits_are_those_of_the_definition(model, clips):
    want = model.run(frontend.features(clips))
    assert in_a_page(clips=clips.tolist())["logits"] == want.tolist()


def test_it_is_taught_what_the_definition_is(model, clips):
    """Takes said and hostile, up to a word: the verdicts, when they came, how many there are, and the page."""
    teaching, said, want = words.Teaching(model, "lamp"), [], []
    for sound in trials.takes(list(clips), 60, 4):
        teaching.ask()
        features = frontend.FrontendStream().push(sound)
        pairs = features[: len(features) // 2 * 2].reshape(-1, 2 * frontend.N_COEFFICIENTS).tolist()
        verdict = None
        for count, pair in enumerate(pairs, 1):
            if verdict := teaching.hear(np.array(pair, np.int8).reshape(2, -1)):
                said, want = [*said, pairs], [*want, [verdict, count, teaching.sums.count]]
                break
        if teaching.done:
            break
    got = in_a_page(said=said)
    assert teaching.done and len({row[0] for row in want}) > 2
    assert got["verdicts"] == want and bytes(got["page"]) == teaching.word().pack()
