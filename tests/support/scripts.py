"""Our JavaScript, run for a test: in node where that is installed, else in Chromium.

    evaluate(["painter.js"], "condenserGates(data.net, data.x).map((map) => [...map])", {"net": net, "x": x})

Data goes in and comes out as JSON; a script may call functions of the test while it runs.
"""

import json
import shutil
import subprocess
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tinyspeech.pages.widgets.markup import HERE

NODE = shutil.which("node")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
QUIET = ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
"""What Chromium is started with: it asks nobody for anything."""

_PROGRAM = """
const vm = require("vm"), lines = require("readline").createInterface({ input: process.stdin });
const waiting = [];
let began = false;
const say = (what, then) => process.stdout.write(JSON.stringify(what) + "\\n", then);
globalThis.call = (name, ...values) => new Promise((resolve, reject) => {
  waiting.push([resolve, reject]);
  say({ call: name, values });
});
lines.on("line", (line) => {
  const said = JSON.parse(line);
  if (began) {
    const [resolve, reject] = waiting.shift();
    if ("error" in said) reject(Object.assign(new Error(said.error), { name: said.kind }));
    else resolve(said.value);
    return;
  }
  began = true;
  globalThis.data = said.data;
  for (const [file, text] of said.scripts) vm.runInThisContext(text, { filename: file });
  Promise.resolve().then(() => vm.runInThisContext(`(async () => (${said.expression}))()`)).then(
    (value) => say({ value: value === undefined ? null : value }, process.exit),
    (error) => say({ error: String(error && error.stack || error) }, process.exit));
});
"""


class ScriptError(Exception):
    """What a script threw, with its stack."""


def evaluate(files: Iterable[str | Path], expression: str, data: Any = None,
             functions: Mapping[str, Callable] | None = None) -> Any:
    """The value of an expression, awaited, after these scripts have run, in their order. Skips the test where there is
    neither node nor Chromium.

    files : in tinyspeech/pages/widgets, if they have no folder of their own
    data : what the expression finds under this name
    functions : of the test, for scripts that call them: `await call("name", value, ...)`; what one raises is thrown
        there, under the exception's name
    """
    scripts = [(Path(file).name, (HERE / file).read_text(encoding="utf-8")) for file in files]
    if NODE:
        return _in_node(scripts, expression, data, functions or {})
    if CHROMIUM:  # in a thread of its own, where nobody else's Playwright is
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(_in_chromium, scripts, expression, data, functions or {}).result()
    pytest.skip("neither node nor Chromium is installed")


def _answer(functions: Mapping[str, Callable], name: str, values: list) -> dict:
    try:
        return {"value": functions[name](*values)}
    except Exception as error:
        return {"error": str(error), "kind": type(error).__name__}


def _in_node(scripts: list, expression: str, data: Any, functions: Mapping[str, Callable]) -> Any:
    with subprocess.Popen([NODE, "-e", _PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                          encoding="utf-8") as node:
        def say(what: dict) -> None:
            node.stdin.write(json.dumps(what) + "\n")
            node.stdin.flush()

        say({"scripts": scripts, "expression": expression, "data": data})
        for line in node.stdout:
            said = json.loads(line)
            if "call" in said:
                say(_answer(functions, said["call"], said["values"]))
            elif "error" in said:
                raise ScriptError(said["error"])
            else:
                return said["value"]
    raise ScriptError("node ended without an answer")


def _in_chromium(scripts: list, expression: str, data: Any, functions: Mapping[str, Callable]) -> Any:
    from playwright.sync_api import Error, sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        try:
            page = browser.new_page()
            page.expose_function("_call", lambda name, values: _answer(functions, name, values))
            page.evaluate("""() => {
                window.call = async (name, ...values) => {
                    const said = await window._call(name, values);
                    if ("error" in said) throw Object.assign(new Error(said.error), { name: said.kind });
                    return said.value;
                };
            }""")
            for _, text in scripts:
                page.add_script_tag(content=text)
            page.evaluate("(data) => { window.data = data; }", data)
            return page.evaluate(f"async () => ({expression})")
        except Error as error:
            raise ScriptError(error.message) from error
        finally:
            browser.close()
