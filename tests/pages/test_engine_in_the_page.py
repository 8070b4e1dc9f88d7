"""The firmware's C in a page, without a chip: it answers as the integers do, and teaches as the definition does."""

import json
import shutil
import subprocess

import numpy as np
import pytest

from tinyspeech import paths
from tinyspeech.integer import frontend, trials, words
from tinyspeech.integer.network import IntegerModel
from tinyspeech.pages.widgets import engines
from tinyspeech.pages.widgets.markup import script
from tinyspeech.sound import datasets

NODE = """
const [wasm, given] = process.argv.slice(1), input = JSON.parse(require("fs").readFileSync(given));
WebAssembly.instantiate(require("fs").readFileSync(wasm), {}).then(({ instance }) => {
  const engine = engineOf(instance.exports, input.verdicts), out = { logits: [], verdicts: [], page: null };
  for (const clip of input.clips) out.logits.push(engine.logits(Int16Array.from(clip)));
  const teaching = engine.teaching(input.name, input.takes);
  for (const take of input.said) {
    let verdict = null, at = 0;
    for (; at < take.length && !verdict; at++) {
      verdict = teaching.hear(Int8Array.from(take[at].features), take[at].clipped);
    }
    out.verdicts.push([verdict, at, teaching.taken()]);
    if (teaching.done()) out.page = [...teaching.page()];
  }
  console.log(JSON.stringify(out));
});
"""


@pytest.fixture(scope="module")
def model():
    return IntegerModel.load(paths.model_file(paths.SHIPPED, ".npz"))


@pytest.fixture(scope="module")
def clips():
    return frontend.to_8khz(datasets.load_task(paths.BUNDLED, "validation", limit=24).arrays()[0])


def in_node(tmp_path, **given) -> dict:
    if not (node := shutil.which("node")):
        pytest.skip("no node is installed")
    file = tmp_path / "given.json"
    file.write_text(json.dumps({"verdicts": engines.VERDICTS, "name": "lamp", "takes": words.TAKES, "clips": [],
                                "said": [], **given}))
    command = [node, "-e", str(script("engine.js")) + NODE, engines.engine_wasm(), file]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def test_its_logits_are_those_of_the_definition(model, clips, tmp_path):
    want = model.run(frontend.features(clips))
    assert in_node(tmp_path, clips=clips.tolist())["logits"] == want.tolist()


def test_it_is_taught_what_the_definition_is(model, clips, tmp_path):
    """Takes said and hostile, up to a word: the verdicts, when they came, how many there are, and the page."""
    teaching, said, want = words.Teaching(model, "lamp"), [], []
    for sound in trials.takes(list(clips), 60, 4):
        teaching.ask()
        features = frontend.FrontendStream().push(sound)
        pairs = [{"features": features[2 * t : 2 * t + 2].ravel().tolist(), "clipped": 0}
                 for t in range(len(features) // 2)]
        verdict = None
        for count, pair in enumerate(pairs, 1):
            if verdict := teaching.hear(np.array(pair["features"], np.int8).reshape(2, -1)):
                said, want = [*said, pairs], [*want, [verdict, count, teaching.sums.count]]
                break
        if teaching.done:
            break
    got = in_node(tmp_path, said=said)
    assert teaching.done and len({row[0] for row in want}) > 2
    assert got["verdicts"] == want and bytes(got["page"]) == teaching.word().pack()
