"""The plan of the house, held by the code's own imports: one way, no circle, two wings, the definition at the bottom.

The plan itself is `tinyspeech/pages/house.py`, which draws it for README.md.
"""

import ast
import graphlib
import subprocess
import sys
from pathlib import Path

import pytest

from tinyspeech.pages import house
from tinyspeech.paths import ROOT

PACKAGE = ROOT / "tinyspeech"
ROOMS = {room.name: room for rooms in house.FLOORS for room in rooms}
HEIGHT = house.heights()
WING = {name: room.wing for name, room in ROOMS.items()}
WITHOUT_TORCH = ("paths", "errors", "toolchain", "integer", "chip", "board", "sound", "pages")
HEAVY = ("torch", "torchaudio", "scipy", "matplotlib", "soundfile", "pandas", "IPython")


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def room(module: str) -> str:
    """The part of `tinyspeech` that a module lies in; the package itself, with its constants, is the ground."""
    return module.split(".")[1] if "." in module else "tinyspeech"


def imported(node: ast.AST) -> list[str]:
    """The project's modules that an import statement names; [] for any other node."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names if alias.name in MODULES]
    if not isinstance(node, ast.ImportFrom) or node.module not in MODULES:
        return []
    whole = [f"{node.module}.{alias.name}" for alias in node.names]
    inside = [name for name in whole if name in MODULES]
    return inside + ([node.module] if len(inside) < len(whole) else [])


def imports_of(module: str) -> list[tuple[str, int, bool]]:
    """(module, line, whether it stands at the top of the file) of all project imports, those inside functions too."""
    tree = ast.parse(MODULES[module].read_text("utf-8"))
    top = {id(node) for node in tree.body}
    return [(name, node.lineno, id(node) in top) for node in ast.walk(tree) for name in imported(node)]


def test_every_room_has_a_floor():
    assert sorted({room(module) for module in MODULES}) == sorted(HEIGHT)


@pytest.mark.parametrize("module", MODULES)
def test_nothing_reaches_upward(module):
    here = HEIGHT[room(module)]
    wrong = [f"line {line}: {name}" for name, line, _ in imports_of(module)
             if room(name) != room(module) and HEIGHT[room(name)] >= here]
    assert wrong == []


@pytest.mark.parametrize("module", MODULES)
def test_the_wings_do_not_meet(module):
    mine = WING.get(room(module), "")
    assert not mine or [name for name, _, _ in imports_of(module) if WING.get(room(name), "") not in ("", mine)] == []


def test_there_is_no_circle():
    """Imports inside functions count: a circle that is only hidden is one."""
    graph = {module: {name for name, _, _ in imports_of(module)} - {module} for module in MODULES}
    for module in MODULES:  # a package is loaded before what lies in it, but says nothing of its own parts
        if MODULES[module].name == "__init__.py":
            graph[module] = {name for name in graph[module] if not name.startswith(module + ".")}
    list(graphlib.TopologicalSorter(graph).static_order())


@pytest.mark.parametrize("module", [name for name in MODULES if room(name) != "commands"])
def test_imports_stand_at_the_top(module):
    """Inside a function stands only what a comment on its line, or on the one above, says the reason for; commands keep
    theirs in `run`, as their room says."""
    source = MODULES[module].read_text("utf-8")
    lines = source.splitlines()
    bare, covered = [], 0
    inside = [node for function in ast.walk(ast.parse(source))
              if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef))
              for node in ast.walk(function) if isinstance(node, (ast.Import, ast.ImportFrom))]
    for node in sorted(inside, key=lambda node: node.lineno):
        said = "#" in lines[node.lineno - 1] or lines[node.lineno - 2].strip().startswith("#")
        between = lines[covered : node.lineno - 1]
        if said or (covered and not "".join(between).strip()):  # one reason covers the imports right below it
            covered = node.end_lineno
        else:
            bare.append(node.lineno)
    assert bare == []


def test_no_test_imports_another():
    """What several need lies in tests/support, or is a fixture: each file of tests runs by itself."""
    wrong = [f"{path.name}, line {node.lineno}" for path in (ROOT / "tests").rglob("*.py")
             for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, (ast.Import, ast.ImportFrom))
             for name in [getattr(node, "module", None) or "", *(alias.name for alias in node.names)]
             if name.split(".")[0] == "conftest" or name.split(".")[-1].startswith("test_")]
    assert wrong == []


def loaded_after(code: str, *names: str) -> list[str]:
    """Which of these modules a fresh Python has loaded after running `code`."""
    script = f"import sys\n{code}\nprint(*sorted(set(sys.modules) & set({names!r})), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stderr.split()


def test_the_chip_knows_no_torch():
    modules = [name for name in MODULES if room(name) in WITHOUT_TORCH]
    assert len(modules) > 20
    assert loaded_after("import " + ", ".join(modules), "torch", "torchaudio") == []


def test_the_package_is_light():
    assert loaded_after("import tinyspeech", *HEAVY, "numpy") == []


def test_the_picture_is_the_plan():
    assert house.PICTURE.read_text("utf-8") == house.picture()
    assert all(name in house.ALT for name in ROOMS)
