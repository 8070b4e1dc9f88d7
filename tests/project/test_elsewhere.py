"""What can be known here of other systems: the library is importable without what POSIX alone has, its C compiles for
Windows and macOS, its files have names and texts that are the same there."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tinyspeech import toolchain
from tinyspeech.chip import emulator, native
from tinyspeech.paths import BUNDLED, FIRMWARE, ROOT
from tinyspeech.toolchain.compile import HOST

AS_ON_WINDOWS = """
import sys
for name in ("termios", "tty", "pty", "fcntl"):
    sys.modules[name] = None
from tinyspeech.__main__ import main
{then}
"""


def as_on_windows(then: str) -> subprocess.CompletedProcess:
    """A fresh Python in which an import of what Windows lacks fails, as it does there."""
    return subprocess.run([sys.executable, "-c", AS_ON_WINDOWS.format(then=then)], cwd=ROOT, capture_output=True,
                          text=True)


def test_all_that_needs_no_torch_is_importable():
    modules = [".".join(path.relative_to(ROOT).with_suffix("").parts) for room in
               ("board", "chip", "commands", "integer", "sound", "toolchain")
               for path in sorted((ROOT / "tinyspeech" / room).glob("*.py")) if path.stem != "__init__"]
    done = as_on_windows(f"import {', '.join(modules)}")
    assert len(modules) > 40 and done.returncode == 0, done.stderr


@pytest.mark.parametrize("engine", ["int", "chip"])
def test_a_recording_is_classified(engine):
    recording = BUNDLED / "yes" / "6156aa59_nohash_0.flac"
    done = as_on_windows(f"sys.exit(main(['classify', {str(recording)!r}, '--engine', {engine!r}]))")
    assert done.returncode == 0 and done.stdout.startswith("yes\n"), done.stderr


def test_the_virtual_board_says_in_a_line_what_it_needs():
    done = as_on_windows("sys.exit(main(['board']))")
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr == "error: this system has no pseudo-terminals: the virtual board needs Linux or macOS\n"


@pytest.mark.parametrize(("target", "first"), [
    ("x86_64-windows-gnu", b"MZ"), ("aarch64-macos", b"\xcf\xfa\xed\xfe"), ("aarch64-linux-gnu", b"\x7fELF")])
@pytest.mark.parametrize(("sources", "exported"), [
    (emulator.SOURCES, b"chip_run"), ([FIRMWARE / name for name in native.SOURCES], b"frontend_frame")],
    ids=["chip", "firmware"])
def test_the_c_compiles_for_other_systems_and_gives_its_functions_away(target, first, sources, exported, tmp_path):
    library = tmp_path / "library"
    toolchain.zig("cc", "-target", target, *HOST, "-O1", "-fno-sanitize=all", *sources, "-o", library)
    content = library.read_bytes()
    assert content.startswith(first) and exported in content


def text_without_encoding(source: str) -> list[int]:
    """Lines that read or write text in whatever encoding the system has."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        said = {keyword.arg for keyword in node.keywords}
        if name == "read_text" and not node.args and "encoding" not in said:
            found.append(node.lineno)
        if name == "write_text" and len(node.args) < 2 and "encoding" not in said:
            found.append(node.lineno)
        mode = node.args[1:2] if isinstance(node.func, ast.Name) else node.args[:1]
        if name == "open" and "encoding" not in said and mode and isinstance(mode[0], ast.Constant) and str(
                mode[0].value) in ("r", "w", "a", "rt", "wt"):
            found.append(node.lineno)
    return found


@pytest.mark.parametrize("path", sorted((ROOT / "tinyspeech").rglob("*.py")),
                         ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_text_has_its_encoding(path):
    assert text_without_encoding(path.read_text(encoding="utf-8")) == []


def test_a_text_without_one_is_found():
    source = ('a.read_text()\na.read_text("utf-8")\na.write_text(b)\na.write_text(b, encoding="utf-8")\n'
              'a.open("w")\nopen(a, "r")\nopen(a, "rb")')
    assert text_without_encoding(source) == [1, 3, 5, 6]


def tracked() -> list[str]:
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        pytest.skip("no git, or no clone")
    return done.stdout.split("\0")[:-1]


def test_names_are_possible_everywhere():
    """Windows and macOS take two names for one that differ in case, Windows some names for devices, and not all
    characters; 260 characters are its most by default, with the clone's own place in front."""
    names = tracked()
    assert len({name.lower() for name in names}) == len(names)
    devices = {"con", "prn", "aux", "nul", *(f"{kind}{i}" for kind in ("com", "lpt") for i in range(1, 10))}
    wrong = [name for name in names if set(name) & set('<>:"|?*\\') or len(name) > 150
             or any(Path(part).stem.lower() in devices or part.endswith((" ", ".")) for part in name.split("/"))]
    assert wrong == []
