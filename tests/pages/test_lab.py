"""`make lab`: a chapter in JupyterLab, in headless Chromium, as its reader opens, restarts and runs it.

In a copy of the pages, for JupyterLab saves what it ran. Runs where a Chromium is installed, else says that it was
skipped.
"""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from time import monotonic, sleep

import pytest
from support.scripts import CHROMIUM, QUIET

from tinyspeech.pages import way
from tinyspeech.pages.notebooks import code_cells, dumps, load
from tinyspeech.paths import ROOT

PAGE = "02_mfcc.ipynb"
"""The chapter that runs fastest."""
PATIENCE_S = 300
"""A busy computer takes its time to start JupyterLab, and to run the page."""
RECIPE = re.search(r"^lab:.*\n\t\$\(BIN\)/python -m (jupyterlab .*)$",
                   (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)[1].split()


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@pytest.fixture(scope="module")
def clone(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("clone")


@pytest.fixture(scope="module")
def address(clone) -> Iterator[str]:
    """Of a JupyterLab that was started as the Makefile says, but with no browser, no password and nobody's settings."""
    (clone / "tinyspeech").symlink_to(ROOT / "tinyspeech")
    shutil.copytree(ROOT / "book" / "images", clone / "book" / "images")
    shutil.copytree(ROOT / "book" / "lab", clone / "book" / "lab")
    shutil.copy(ROOT / "book" / "set_up.py", clone / "book")
    page = load(ROOT / "book" / PAGE)
    for cell in code_cells(page):  # so that what is there afterwards comes from here
        cell.outputs, cell.execution_count = [], None
    page.metadata.pop("widgets", None)
    (clone / "book" / PAGE).write_text(dumps(page), encoding="utf-8")
    own = {f"JUPYTER{name}_DIR": str(clone / ".jupyter" / name) for name in
           ("_CONFIG", "_RUNTIME", "LAB_SETTINGS", "LAB_WORKSPACES")}
    port = free_port()
    command = [sys.executable, "-m", *RECIPE[:-1], "--no-browser", "--allow-root", f"--ServerApp.port={port}",
               "--ServerApp.port_retries=0", "--IdentityProvider.token="]
    with (clone / "log").open("w") as log, \
            subprocess.Popen(command, cwd=clone, env=os.environ | own, stdout=log, stderr=log) as lab:
        try:
            for _ in range(2 * PATIENCE_S):
                try:
                    urllib.request.urlopen(f"http://127.0.0.1:{port}/api", timeout=5).close()
                    break
                except OSError:
                    assert lab.poll() is None, (clone / "log").read_text()[-2000:]
                    sleep(0.5)
            yield f"http://127.0.0.1:{port}/lab/tree/book/{PAGE}"
        finally:
            lab.terminate()


@pytest.fixture(scope="module")
def notebook(address):
    """The page as it was opened, and all that it asked of others."""
    if not CHROMIUM:
        pytest.skip("no Chromium is installed")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        page, foreign = chromium.new_page(viewport={"width": 1280, "height": 1000}), []
        host = address.split("/lab")[0]
        page.on("request", lambda r: r.url.startswith((host, "data:", "blob:")) or foreign.append(r.url))
        page.set_default_timeout(1000 * PATIENCE_S)
        page.goto(address)
        page.wait_for_selector(".jp-Notebook .myst")
        page.wait_for_function("document.querySelector('.jp-Notebook img')?.naturalWidth")
        yield page, foreign
        chromium.close()


def test_it_opens_at_the_first_chapter():
    assert RECIPE[-1] == min(path.relative_to(ROOT).as_posix() for path in (ROOT / "book").glob("*.ipynb"))


def raw(text: str) -> list[str]:
    """Lines with markup that a reader should not see."""
    return [line for line in text.splitlines() if re.search(r"^:::|\{[\w:]+\}[`\s]|<!--", line)]


def test_the_text_is_rendered(notebook):
    """By jupyterlab_myst, where it is more than plain Markdown."""
    page, foreign = notebook
    text, ends = "", monotonic() + PATIENCE_S
    while not text or (raw(text) and monotonic() < ends):  # cell after cell, as the browser finds the time
        page.wait_for_timeout(200)
        text = "\n".join(page.locator(".jp-MarkdownCell").all_inner_texts())
    assert load(ROOT / "book" / PAGE).cells[0].source.startswith(f"# {text.strip().splitlines()[0]}")
    assert page.locator(".jp-Notebook blockquote").first.inner_text().startswith("You will learn to")
    assert page.locator(".jp-Notebook img").first.get_attribute("alt") == way.alt(way.number_of(Path(PAGE)))
    assert raw(text) == [] and foreign == []


def test_it_restarts_and_runs_all(notebook, clone):
    """As it saves it then: a cell that is folded shows no number."""
    page, foreign = notebook
    page.get_by_role("menuitem", name="Kernel").first.click()
    page.get_by_text("Restart Kernel and Run All Cells").first.click()
    page.locator(".jp-Dialog button.jp-mod-accept").click()
    page.wait_for_function("[...document.querySelectorAll('.jp-InputPrompt')].some((e) => e.textContent == '[*]:')")
    cells, ends = [], monotonic() + PATIENCE_S
    while not cells or [cell["execution_count"] for cell in cells] != list(range(1, len(cells) + 1)):
        assert monotonic() < ends
        page.wait_for_timeout(2_000)
        page.keyboard.press("Control+s")
        cells = code_cells(load(clone / "book" / PAGE))
    assert [cell.source for cell in cells] == [cell.source for cell in code_cells(load(ROOT / "book" / PAGE))]
    assert [o for cell in cells for o in cell.outputs if o.output_type == "error"] == []
    page.wait_for_selector(".jp-Notebook .jp-OutputArea .jupyter-widgets")
    assert foreign == []


def test_it_asks_nothing_of_its_reader(notebook):
    """JupyterLab's own question, whether it may fetch news, is answered by book/lab."""
    page, _ = notebook
    assert page.locator(".Toastify__toast").count() == 0
    assert json.loads((ROOT / "book" / "lab" / "overrides.json").read_text())
