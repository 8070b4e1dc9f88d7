"""The book without Jupyter Book, whose first version is not developed any more: plain Sphinx makes the same pages of a
`conf.py` that it leaves behind (book/contributing.md says what to do with it on the day that it breaks)."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tinyspeech.pages.site import toc_files
from tinyspeech.paths import ROOT

WRAPPER = ("jupyter_book", "sphinx_jupyterbook_latex")
"""Of the extensions that it lists, those that are its own."""


def run(*arguments, cwd: Path) -> None:
    done = subprocess.run([sys.executable, *map(str, arguments)], cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> Path:
    """The book, built by Sphinx alone, strictly, in a copy of the clone: `conf.py` is not to stay in ours."""
    copy = tmp_path_factory.mktemp("plain")
    for name in ("book", "data", "firmware", "tinyspeech", "_config.yml", "_toc.yml"):
        (copy / name).symlink_to(ROOT / name)
    run("-c", "from jupyter_book.cli.main import main; main()", "config", "sphinx", ".", cwd=copy)
    conf = copy / "conf.py"
    text = conf.read_text(encoding="utf-8")
    for name in WRAPPER:
        assert f"'{name}'" in text
        text = re.sub(rf"'{name}',? ?", "", text)
    conf.write_text(text, encoding="utf-8")
    # the wrapper is not even there: whatever asks for it fails
    without = "import sys; sys.modules['jupyter_book'] = None; from sphinx.cmd.build import main; sys.exit(main())"
    run("-c", without, "-W", "-n", "--keep-going", "-q", "-b", "html", ".", "out", cwd=copy)
    return copy / "out"


def pages(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*.html") if "_static" not in path.parts}


def test_it_makes_the_same_pages(plain, site):
    assert pages(plain) == pages(site)
    assert {f"{name}.html" for name in toc_files()} <= pages(plain)


def article(page: Path) -> str:
    """What is read of a page."""
    found = re.search(r"<article.*?</article>", page.read_text(encoding="utf-8"), re.S)
    return found[0] if found else ""


def test_the_pages_say_the_same(plain, site):
    different = [name for name in pages(site) if article(plain / name) != article(site / name)]
    assert different == [] and len(article(plain / "book" / "intro.html")) > 1000


def test_its_settings_are_nothing_but_values(plain):
    """So that the file may be kept and edited by hand."""
    tree = ast.parse((plain.parent / "conf.py").read_text(encoding="utf-8"))
    assert all(isinstance(line, ast.Assign) for line in tree.body)
    assert not (ROOT / "conf.py").exists()
