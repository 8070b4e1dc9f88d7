"""JavaScript: what the linter says of all of ours, and its functions alone, without a page around them."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from support import scripts

from tinyspeech import toolchain
from tinyspeech.chip import emulator
from tinyspeech.pages.widgets import markup
from tinyspeech.paths import ROOT

SCRIPTS = sorted([*markup.HERE.glob("*.js"), *(ROOT / "tinyspeech" / "measure").glob("*.js"),
                  *(ROOT / "book" / "style").glob("*.js")])
RULES = markup.HERE / ".oxlintrc.json"
OXLINT = shutil.which("oxlint", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]))


def findings(*files: Path) -> list[str]:
    """What the linter says of scripts: place, rule and words. Functions at a script's top, of which the linter sees no
    use, are looked for in the other scripts and in the templates."""
    assert OXLINT, "oxlint is missing: pip install -r requirements.txt"
    done = subprocess.run([OXLINT, "-c", RULES, "-f", "json", *files], capture_output=True, text=True)
    found = json.loads(done.stdout)["diagnostics"]
    others = {path: path.read_text(encoding="utf-8") for path in [*markup.HERE.glob("templates/*"), *SCRIPTS, *files]}
    said = []
    for one in found:
        file, line = Path(one["filename"]).resolve(), one["labels"][0]["span"]["line"]
        top = re.match(r"(?:async )?function (\w+)", file.read_text(encoding="utf-8").splitlines()[line - 1])
        if top and one["code"] == "eslint(no-unused-vars)" and f"'{top[1]}'" in one["message"] and any(
                re.search(rf"\b{top[1]}\(", text) for path, text in others.items() if path != file):
            continue
        said.append(f"{file.name}:{line} {one['code']}: {one['message']}")
    return said


def test_the_linter_finds_nothing():
    assert len(SCRIPTS) >= 4 and findings(*SCRIPTS) == []


@pytest.mark.parametrize(("line", "rule"), [
    ("const same = (a, b) => a == b; same();", "eqeqeq"),
    ("nowhere();", "no-undef"),
    ("fetch('x');", "no-restricted-globals"),
    ("function nobodyCallsThis() {}", "no-unused-vars"),
    ("function chipPage() {\n  const unused = 1;\n}", "no-unused-vars"),
])
def test_the_linter_would_find(tmp_path, line, rule):
    (tmp_path / "bad.js").write_text(f"{line}\n")
    (said,) = findings(tmp_path / "bad.js")
    assert rule in said


def test_scripts_are_written_like_the_rest():
    for file in SCRIPTS:
        text = file.read_text(encoding="utf-8")
        assert text.startswith("// ") and text.endswith("\n") and "\t" not in text and "</script" not in text, file.name
        lines = text.split("\n")
        assert [i + 1 for i, line in enumerate(lines) if len(line) > 132 or line != line.rstrip()] == [], file.name


@pytest.mark.parametrize("file", sorted(markup.HERE.glob("*.js")), ids=lambda file: file.name)
def test_a_script_may_stand_twice_on_a_page(file):
    """As with two widgets that need it: what lies at its top is no `let`, `const` or `class`."""
    assert scripts.evaluate([file, file], "1 + 1") == 2


def test_scripts_run_in_either_machine(monkeypatch):
    functions = {"twice": lambda x: 2 * x, "fails": lambda: json.loads("{")}
    kinds = "await call('fails').catch((error) => error.name)"
    for machine in ("NODE", "CHROMIUM"):
        if not getattr(scripts, machine):
            continue
        monkeypatch.setattr(scripts, "NODE", scripts.NODE if machine == "NODE" else None)
        assert scripts.evaluate([], "[data.a + await call('twice', 4)]", {"a": 3}, functions) == [11]
        assert scripts.evaluate([], kinds, None, functions) == "JSONDecodeError"
        with pytest.raises(scripts.ScriptError, match="nowhere"):
            scripts.evaluate([], "nowhere()")


# --- painter.js -------------------------------------------------------------------------------------------------------


def test_gates_of_a_condenser_by_hand():
    """Two channels on 3 x 2 places under windows of 2 x 2, of which the last is half outside."""
    one = {"time": 3, "bands": 2, "pool": 2,
           "stem": {"weights": [[0, 0, 0, 0, 1, 0, 0, 0, 0], [0, 1, 0, 0, 0, 0, 0, 0, 0]], "times": [1, 2],
                    "plus": [0, 0.5]},
           "squeeze": {"weights": [[1, -1]], "times": [1], "plus": [0]},
           "expand": {"weights": [[1], [-2]], "times": [1, 1], "plus": [0, 1]}}
    x = [1, 2, 3, -4, 5, 6]
    gates = scripts.evaluate(["painter.js"], "condenserGates(data.net, data.x).map((map) => [...map])",
                             {"net": one, "x": x})
    # the stem's maps: x itself, and twice x of the frame before + 0.5; the largest of theirs: 3, 6 and 4.5, 6.5
    waist = [max(0, 3 - 4.5), max(0, 6 - 6.5)]
    expected = [[1 / (1 + np.exp(-(w * waist[place // 4] + plus))) for place in range(6)]
                for w, plus in ((1, 0), (-2, 1))]
    np.testing.assert_allclose(gates, expected, rtol=1e-12)


# --- page.js ----------------------------------------------------------------------------------------------------------

FAKE = """(() => {
  const memory = { buffer: new ArrayBuffer(4096) }, log = [], sent = [];
  const machine = chipMachine({
    memory, page_image: () => 0, page_received: () => 2048,
    page_reset: (count) => log.push(["reset", count]),
    page_receive: (count) => log.push(["receive", ...new Uint8Array(memory.buffer, 2048, count)]),
    page_run: () => 0, page_value: (what) => what, page_sent: (i) => sent[i] ?? -1,
  });
  machine.load(Uint8Array.of(7, 8));
  machine.say(Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9, 10));
  for (const bytes of data) {
    sent.splice(0, sent.length, ...bytes);
    machine.run(1);
  }
  return [log, machine.logits()];
})()"""


def test_the_other_side_of_the_serial_port_gives_what_is_asked_for():
    """Two samples, then three, of two bytes each; a zero says that twelve logits follow."""
    logits = np.arange(-6, 6, dtype="<i4") * 1000
    answer = [*logits.tobytes(), 3]
    log, said = scripts.evaluate(["page.js"], FAKE, [[2], [3], [0, *answer[:20]]])
    assert log == [["reset", 2], ["receive", 0x43], ["receive", 1, 2, 3, 4], ["receive", 5, 6, 7, 8, 9, 10]]
    assert said is None  # not all of it yet
    assert scripts.evaluate(["page.js"], FAKE, [[2], [3], [0, *answer]])[1] == logits.tolist()


def test_a_chip_in_the_page_waits_for_its_first_command():
    """The WebAssembly itself: our firmware, until it asks the serial port."""
    names = ("image", "received", "reset", "receive", "run", "sent", "value")
    sources = [emulator.CORE / "page.c", *emulator.SOURCES]
    wasm = toolchain.build_wasm(sources, [f"page_{name}" for name in names], "page")
    run = """WebAssembly.instantiate(Uint8Array.from(data.wasm), {}).then(({ instance }) => {
        const machine = chipMachine(instance.exports);
        machine.load(Uint8Array.from(data.image));
        return machine.run(1e9);
    })"""
    image = toolchain.build_firmware().bin.read_bytes()
    stop = scripts.evaluate(["page.js"], run, {"wasm": list(wasm.read_bytes()), "image": list(image)})
    assert emulator.STOPS[stop] == "starved"
