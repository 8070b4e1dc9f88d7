"""A figure of the official test set is shown with the digest of its network, and never as that of another network."""

import json
import re
import shutil

import pytest

from tinyspeech import paths
from tinyspeech.integer.network import IntegerModel
from tinyspeech.pages import notebooks, numbers
from tinyspeech.pages.site import notebook_files
from tinyspeech.paths import ROOT

RIGHT = "<!-- results:tinyspeech_s.official_test -->95.56<!-- /results --> %"
WHOSE = "<!-- results:tinyspeech_s.official_test.whose -->of nobody<!-- /results -->"
DIGEST = IntegerModel.load(paths.model_file("tinyspeech_s", ".npz")).digest


@pytest.fixture
def book(tmp_path):
    """A repository with one network, whose README quotes its figure of the official test set."""
    (tmp_path / "data" / "models").mkdir(parents=True)
    shutil.copy(paths.model_file("tinyspeech_s", ".npz"), tmp_path / "data" / "models")
    (tmp_path / "_toc.yml").write_text("format: jb-book\nroot: README\n")
    (tmp_path / "README.md").write_text(f"Accuracy {WHOSE}: {RIGHT}\n")
    return tmp_path


def record(root, digest):
    figures = {"tinyspeech_s.official_test": {"value": 95.56, "n": 4890, "model_hash": digest}}
    (root / "data" / "results.json").write_text(json.dumps(figures))


@pytest.mark.parametrize("digest, words", [
    (DIGEST, f"of the network that is here (digest {DIGEST})"),
    ("0123456789ab", f"of the previous network (digest 0123456789ab; the one that is here has {DIGEST})"),
])
def test_the_digest_decides_which_network_a_page_names(digest, words, book):
    """A page that has it otherwise is stale: the figure of other integers is never that of the network that is here."""
    record(book, digest)
    assert len(numbers.renumber(book)) == 1
    numbers.renumber(book, write=True)
    assert (book / "README.md").read_text() == f"Accuracy {WHOSE.replace('of nobody', words)}: {RIGHT}\n"
    assert numbers.renumber(book) == []
    record(book, "0123456789ab" if digest == DIGEST else DIGEST)
    assert len(numbers.renumber(book)) == 1


def test_a_network_that_is_gone_has_its_figure_still(book):
    record(book, DIGEST)
    (book / "data" / "models" / "tinyspeech_s.npz").unlink()
    numbers.renumber(book, write=True)
    assert f"of the previous network (digest {DIGEST}; none is here now)" in (book / "README.md").read_text()


@pytest.mark.parametrize("text", [
    f"The network hears {RIGHT} of the test set.", f"{RIGHT}\n{WHOSE}",
    "from <!-- results:tinyspeech_s.official_test.interval_95.0 -->94.95<!-- /results --> on",
    f"{RIGHT} <!-- results:tinyspeech_xs.official_test.whose -->of nobody<!-- /results -->",
])
def test_a_figure_without_its_network_is_refused(text, book):
    record(book, DIGEST)
    complaint = "quotes tinyspeech_s.official_test without tinyspeech_s.official_test.whose in the same line"
    assert numbers.ownerless(text) == [complaint]
    assert numbers.ownerless(text.replace("\n", " ") + WHOSE) == []
    assert numbers.ownerless("on <!-- results:tinyspeech_s.official_test.date -->2026-11-28<!-- /results -->") == []
    figures = json.loads((book / "data" / "results.json").read_text())
    figures["tinyspeech_s.official_test"]["interval_95"] = [94.95, 96.1]
    figures["tinyspeech_xs.official_test"] = {"value": 92.39, "model_hash": "be"}
    (book / "data" / "results.json").write_text(json.dumps(figures))
    (book / "README.md").write_text(text)
    numbers.renumber(book, write=True)
    assert numbers.renumber(book) == [f"README.md: {complaint}"]


def test_no_page_types_such_a_figure_or_has_a_cell_print_it():
    """By marks alone is the digest compared."""
    results = json.loads(paths.RESULTS.read_text())
    values = {f"{results[key]['value']:.2f}" for key in results if key.endswith(numbers.TEST)}
    assert values
    texts = {page.name: page.read_text() for page in [ROOT / "README.md", *sorted((ROOT / "book").glob("*.md"))]}
    for file in notebook_files(ROOT):
        nb = notebooks.load(file)
        texts[file.name] = "\n".join(cell.source for cell in notebooks.markdown_cells(nb))
        assert not [cell.source for cell in notebooks.code_cells(nb) if "official_test" in cell.source], file.name
    for name, text in texts.items():
        bare = re.sub(r"<!-- results:.*?<!-- /results -->", "", text, flags=re.DOTALL)
        for line in bare.splitlines():
            if re.search(r"\btest (set|split|figure)", line):
                assert not [value for value in values if value in line], f"{name}: {line[:80]}"
