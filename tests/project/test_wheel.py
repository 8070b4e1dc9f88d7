"""The library without a clone: an sdist, the wheel that is built from it, and its commands in an environment that has
the dependencies of that wheel and nothing else, started in an empty folder."""

import contextlib
import json
import os
import re
import select
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tinyspeech import __version__, toolchain
from tinyspeech.paths import BUNDLED, DATA, FIRMWARE, ROOT

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="links files, and starts a virtual board")

YES = BUNDLED / "yes" / "6156aa59_nohash_0.flac"
NOT_SHIPPED = {"requirements-synthesis.txt", "results.json.lock"}
"""Of data/: what makes the clips in a clone, and what this test finds there if something was just measured."""


def build(kind: str, source: Path, out: Path) -> Path:
    """Let setuptools make a wheel or an sdist of a folder, as pip does, with the versions that are here."""
    code = f"from setuptools import build_meta; print(build_meta.build_{kind}({str(out)!r}))"
    done = subprocess.run([sys.executable, "-c", code], cwd=source, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return out / done.stdout.splitlines()[-1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """Built from an sdist that was built from a copy of this clone: its top level as git has it."""
    folder = tmp_path_factory.mktemp("built")
    clone = folder / "clone"
    clone.mkdir()
    for name in ("tinyspeech", "firmware", "data"):
        shutil.copytree(ROOT / name, clone / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, clone)
    with tarfile.open(build("sdist", clone, folder)) as archive:
        archive.extractall(folder / "unpacked", filter="data")
    return build("wheel", folder / "unpacked" / f"tinyspeech-{__version__}", folder)


def needed(name: str, extras: frozenset[str] = frozenset()) -> set[str]:
    """A distribution of this environment, and all that it needs in turn."""
    found = {name}
    for line in metadata.requires(name) or ():
        one = Requirement(line)
        if one.marker is None or any(one.marker.evaluate({"extra": extra}) for extra in extras or ("",)):
            found |= needed(one.name, frozenset(one.extras))
    return found


def link(distribution: str, folder: Path) -> None:
    """Put a distribution of this environment into another's site-packages, without a copy."""
    for file in metadata.files(distribution):
        top = file.parts[0]
        place = Path(file.locate()).resolve()
        if top in ("..", "__pycache__") or (folder / top).exists():
            continue
        (folder / top).symlink_to(place.parents[len(file.parts) - 2] if len(file.parts) > 1 else place)


class Installed:
    """An environment with the wheel in it, and an empty folder to work in."""

    def __init__(self, wheel: Path, folder: Path):
        venv.create(folder / "venv", with_pip=False)
        self.bin, self.cwd = folder / "venv" / "bin", folder / "empty"
        self.cwd.mkdir()
        pip = [sys.executable, "-m", "pip", "--python", self.bin / "python", "install", "-q", "--no-deps", "--no-index"]
        subprocess.run([*pip, wheel], check=True)
        self.packages = next((folder / "venv").glob("lib/python*/site-packages"))
        self.requires = [Requirement(line) for line in next(self.packages.glob("tinyspeech-*/METADATA")).read_text(
            encoding="utf-8").splitlines() if line.startswith("Requires-Dist: ") for line in [line.split(": ", 1)[1]]]
        core = [one for one in self.requires if one.marker is None]
        for name in sorted(set().union(*(needed(one.name) for one in core))):
            link(name, self.packages)
        self.files = self.present()
        self.environment = {"HOME": str(folder / "home"), "PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1",
                            "ZIG_GLOBAL_CACHE_DIR": os.environ.get("ZIG_GLOBAL_CACHE_DIR",
                                                                   str(Path.home() / ".cache" / "zig"))}
        self.home = folder / "home"

    def present(self) -> set[Path]:
        return {path for path in (self.packages / "tinyspeech").rglob("*") if path.is_file()}

    def start(self, *arguments) -> subprocess.Popen:
        return subprocess.Popen([self.bin / "tinyspeech", *map(str, arguments)], cwd=self.cwd, env=self.environment,
                                text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def run(self, *arguments) -> str:
        """A command that works: what it prints."""
        process = self.start(*arguments)
        out, err = process.communicate()
        assert (process.returncode, err) == (0, "")
        return out

    def refused(self, *arguments) -> str:
        """One that does not: its line."""
        process = self.start(*arguments)
        out, err = process.communicate()
        assert process.returncode == 2 and out == "" and err.startswith("error: ") and err.count("\n") == 1, err
        return err


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    installed = Installed(wheel, tmp_path_factory.mktemp("installed"))
    yield installed
    assert installed.present() == installed.files  # no command wrote beside the library


def test_the_wheel_brings_all_that_commands_read(wheel):
    code = {path.relative_to(ROOT) for path in (ROOT / "tinyspeech").rglob("*") if path.is_file()
            and "__pycache__" not in path.parts and not path.name.startswith(".")}
    shipped = {Path("tinyspeech", "_shipped") / path.relative_to(ROOT) for folder in (FIRMWARE, DATA)
               for path in folder.rglob("*") if path.is_file() and path.name not in NOT_SHIPPED}
    with zipfile.ZipFile(wheel) as archive:
        names = {Path(name) for name in archive.namelist() if not name.split("/")[0].endswith(".dist-info")}
        licences = [name for name in archive.namelist() if name.endswith(".dist-info/licenses/LICENSE")]
    assert names == code | shipped and len(licences) == 1
    assert wheel.name == f"tinyspeech-{__version__}-py3-none-any.whl"


def test_what_is_installed_is_the_core_alone(installed):
    core = {one.name for one in installed.requires if one.marker is None}
    assert not core & {"torch", "torchaudio", "jupyter-book", "matplotlib", "pytest"}
    for module, there in (("numpy", True), ("ziglang", True), ("torch", False), ("matplotlib", False), ("yaml", False)):
        done = subprocess.run([installed.bin / "python", "-c", f"import {module}"], env=installed.environment,
                              capture_output=True, text=True)
        assert (done.returncode == 0) is there, module


def test_it_classifies_by_the_integers_the_c_and_the_chip(installed):
    scores = {engine: json.loads(installed.run("classify", YES, "--engine", engine, "--json"))["logits"]
              for engine in ("int", "c", "chip")}
    assert scores["int"] == scores["c"] == scores["chip"]
    assert installed.run("classify", YES, "--engine", "int").startswith("yes\n")


def test_it_builds_the_firmware_that_the_clone_builds(installed):
    flash = json.loads(installed.run("firmware", "--json"))["flash_bytes"]
    built, = (installed.home / ".cache" / "tinyspeech" / "build").glob("firmware-*/firmware.bin")
    assert built.read_bytes() == toolchain.build_firmware().bin.read_bytes() and len(built.read_bytes()) == flash


@contextlib.contextmanager
def board(installed: Installed, *arguments) -> Iterator[str]:
    """A virtual board in a process of its own; its port."""
    process = installed.start("board", *arguments)
    try:
        yield first_line(process).removeprefix("port: ")
    finally:
        process.terminate()  # Ctrl-C is ignored where tests run in the background
        process.communicate()


def first_line(process: subprocess.Popen) -> str:
    assert select.select([process.stdout], [], [], 120)[0], "no line within two minutes"
    return process.stdout.readline().strip()


def test_it_flashes_a_board_and_teaches_it(installed):
    lamps = sorted((DATA / "takes").glob("lamp_heart_0[1-5].flac"))
    with board(installed, "--blank", "--fast") as port:
        assert "bytes flashed and verified" in installed.run("flash", "--port", port)
        taught = installed.run("teach", "--word", "lamp", "--port", port, "--wav", *lamps)
        assert "lamp is taught, in 64 bytes: place 1" in taught
        assert "1  lamp" in installed.run("words", "--port", port)


def test_it_listens_to_a_board(installed):
    with board(installed, "--wav", YES) as port:
        listening = installed.start("listen", "--port", port, "--json")
        try:
            assert json.loads(first_line(listening))["word"] == "yes"
        finally:
            listening.terminate()
            listening.communicate()


def test_a_word_goes_into_a_file_of_the_users(installed):
    lamps = sorted((DATA / "takes").glob("lamp_heart_0[1-5].flac"))
    installed.run("teach", "--word", "lamp", "--wav", *lamps, "--out", "lamp.npz")
    heard = json.loads(installed.run("classify", lamps[0], "--engine", "int", "--words", "lamp.npz", "--json"))
    assert heard["word"] == "lamp"
    (installed.cwd / "lamp.npz").unlink()


@pytest.mark.parametrize(("extra", "arguments"), [
    ("train", ["train", "--config", "tinyspeech_s.yaml"]), ("train", ["models"]), ("train", ["export", "--out", "."]),
    ("train", ["classify", YES, "--engine", "float"]), ("train", ["evaluate", "--engine", "fake", "--limit", "12"]),
    ("train", ["measure", "all", "--speech", ".", "--logmel", "."]), ("sbom", ["sbom"])])
def test_what_needs_an_extra_says_which(installed, extra, arguments):
    assert installed.refused(*arguments).endswith(f"is missing: pip install 'tinyspeech[{extra}]'\n")


@pytest.mark.parametrize("arguments", [["book", "check"], ["book", "serve"]])
def test_what_needs_a_clone_says_so(installed, arguments):
    assert installed.refused(*arguments) == "error: the book is not in this installation: clone the repository\n"


@pytest.mark.parametrize("arguments", [["export"], ["export", "--tables"], ["data", "talk"]])
def test_nothing_is_written_beside_the_library_without_being_asked(installed, arguments):
    assert "say where to write, with --out FOLDER" in installed.refused(*arguments)


def test_a_file_is_written_where_the_user_says(installed):
    installed.run("export", "--tables", "--out", ".")
    written = installed.cwd / "frontend_tables.h"
    assert written.read_bytes() == (FIRMWARE / "frontend_tables.h").read_bytes()
    written.unlink()
    assert list(installed.cwd.iterdir()) == []


def test_help_names_every_command(installed):
    commands = re.findall(r"^    (\w+) ", installed.run("--help"), re.M)
    assert {"classify", "firmware", "flash", "listen", "teach", "words"} <= set(commands)
