"""The buttons that lead to Binder and Colab, and the first cells that make a page run there."""

import os
import re
import shutil
import subprocess
import sys

import nbformat
import pytest

from tinyspeech.errors import UserError
from tinyspeech.pages.notebooks import code_cells, dumps, load
from tinyspeech.pages.publish import first_cell as written
from tinyspeech.pages.publish import publish, settings
from tinyspeech.pages.site import notebook_files
from tinyspeech.paths import ROOT

ADDRESS = "https://github.com/somebody/ten-cent-speech"


def first_cell(path) -> str:
    return code_cells(load(path))[0].source


@pytest.fixture
def copy(tmp_path):
    """A repository of one short page, with the book's own configuration and first cell."""
    for name in ("_config.yml", "tinyspeech"):
        (tmp_path / name).symlink_to(ROOT / name) if name == "tinyspeech" else shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "book").mkdir()
    for name in ("vendor", "style", "images", "references.bib"):
        (tmp_path / "book" / name).symlink_to(ROOT / "book" / name)
    (tmp_path / "_toc.yml").write_text("format: jb-book\nroot: book/intro\nchapters: [{file: book/01_page}]\n")
    (tmp_path / "book" / "intro.md").write_text("# A book\n")
    page = load(ROOT / "book" / "01_sound_and_data.ipynb")
    cell = code_cells(page)[0]
    page.cells = [nbformat.v4.new_markdown_cell("# A page", id="title"), cell]
    page.metadata.pop("widgets", None)
    (tmp_path / "book" / "01_page.ipynb").write_text(dumps(page))
    return tmp_path


def test_an_address_turns_on_the_buttons(copy):
    assert {path.name for path in publish(ADDRESS + ".git", copy)} == {"_config.yml", "01_page.ipynb"}
    assert f"git clone -q --depth=1 {ADDRESS} book" in first_cell(copy / "book" / "01_page.ipynb")
    assert publish(ADDRESS, copy) == []  # again: nothing to change
    assert len(publish(f"{ADDRESS}-too", copy)) == 2 and len(publish(ADDRESS, copy)) == 2  # or something
    build = [sys.executable, "-c", "from jupyter_book.cli.main import main; main()", "build", "-n", "."]
    built = subprocess.run(build, cwd=copy, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    page = (copy / "_build" / "html" / "book" / "01_page.html").read_text()
    place = f"{ADDRESS.removeprefix('https://github.com/')}/blob/main/book/01_page.ipynb"
    assert f"https://colab.research.google.com/github/{place}" in page
    assert "https://mybinder.org/v2/gh/somebody/ten-cent-speech/main?urlpath=lab/tree/book/01_page.ipynb" in page
    assert f"{ADDRESS}/edit/main/book/01_page.ipynb" in page and f"{ADDRESS}/issues/new" in page


def test_other_hosts_have_no_colab():
    text = settings((ROOT / "_config.yml").read_text(), "https://gitlab.com/a/b")
    assert 'colab_url: ""' in text and "https://mybinder.org" in text and 'url: "https://gitlab.com/a/b"' in text


@pytest.mark.parametrize("address", ["", "github.com/a/b", "https://github.com/a", "git@a.com:b/c", "https://a b/c/d"])
def test_what_is_no_address_is_refused(address):
    with pytest.raises(UserError, match="give the repository's address"):
        publish(address)


def test_a_page_without_a_place_for_it_is_refused_and_nothing_changes(copy):
    path = copy / "book" / "01_page.ipynb"
    path.write_text(path.read_text().replace("import set_up", "import setup"))
    before = (copy / "_config.yml").read_text()
    with pytest.raises(UserError, match="its first cell"):
        publish(ADDRESS, copy)
    assert (copy / "_config.yml").read_text() == before


@pytest.mark.parametrize("path", notebook_files(), ids=lambda path: path.stem)
def test_every_page_begins_with_the_same_line(path):
    """Until somebody publishes."""
    cell = first_cell(path)
    assert cell == written("") and len(cell.splitlines()) == 1


WITHOUT_US = """
import sys
sys.meta_path = [f for f in sys.meta_path if "tinyspeech" not in getattr(f, "__module__", "")]
sys.path = [p for p in sys.path if p.startswith((sys.prefix, sys.base_prefix))]
sys.path.insert(0, "")  # a kernel's, too, begins where the page is
exec(sys.argv[1])
import tinyspeech
print(tinyspeech.__file__)
"""


def run_first_cell(cell: str, folder) -> subprocess.CompletedProcess:
    """In a Python that does not know this repository, in another folder."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run([sys.executable, "-c", WITHOUT_US, cell], cwd=folder, env=environment, capture_output=True,
                          text=True)


def test_the_first_cell_clones_what_is_missing(tmp_path):
    """As on Colab; from a folder in place of an address. What pip would install is there."""
    repository = tmp_path / "repository"
    shutil.copytree(ROOT / "tinyspeech", repository / "tinyspeech", ignore=shutil.ignore_patterns("__pycache__"))
    (repository / "book").mkdir()
    shutil.copy(ROOT / "book" / "set_up.py", repository / "book")
    git = ["git", "-C", repository, "-c", "user.name=a", "-c", "user.email=a@b"]
    for arguments in (["init", "-q"], ["add", "."], ["commit", "-qm", "a"]):
        subprocess.run([*git, *arguments], check=True)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    refused = run_first_cell(first_cell(ROOT / "book" / "00_one_word.ipynb"), elsewhere)
    assert refused.stderr.splitlines()[-1] == "ModuleNotFoundError: No module named 'set_up'"
    for _ in range(2):  # the second time, as after a restart, the clone is there
        done = run_first_cell(written(repository.as_uri()), elsewhere)
        assert done.stdout.strip() == str(elsewhere / "book" / "tinyspeech" / "__init__.py"), done.stderr


def test_the_first_cell_finds_the_clone_that_it_lies_in(tmp_path):
    """As on Binder, which installs the packages and not us; published or not."""
    (tmp_path / "tinyspeech").symlink_to(ROOT / "tinyspeech")
    (tmp_path / "book").mkdir()
    shutil.copy(ROOT / "book" / "set_up.py", tmp_path / "book")
    for cell in (written(""), written(ADDRESS)):
        done = run_first_cell(cell, tmp_path / "book")
        assert done.stdout.strip() == str(tmp_path / "tinyspeech" / "__init__.py"), done.stderr


def test_what_is_missing_is_installed_as_pinned(tmp_path):
    """Whatever pip is asked for: it is not asked here."""
    asked = """
import importlib.util, subprocess
there = importlib.util.find_spec
importlib.util.find_spec = lambda name: None if name in ("serial", "capstone") else there(name)
subprocess.run = lambda command, check: print(*command[1:])
import set_up
"""
    done = subprocess.run([sys.executable, "-c", asked], cwd=ROOT / "book", capture_output=True, text=True)
    pins = re.findall(r"^(?:capstone|pyserial)==\S+", (ROOT / "requirements.txt").read_text(), re.M)
    assert len(pins) == 2 and done.stdout.split() == ["-m", "pip", "install", "-q", *pins], done.stderr
