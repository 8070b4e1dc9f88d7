"""The tree of commands, and the program as a process: help, exit codes, output that cannot be written."""

import argparse
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tinyspeech import __version__
from tinyspeech.__main__ import COMMANDS, build_parser, main
from tinyspeech.commands._common import Parser
from tinyspeech.measure import engines
from tinyspeech.paths import BUNDLED, ROOT


def parsers() -> dict[tuple[str, ...], Parser]:
    """Every command and action of the tree, by its words; () is the program itself."""
    found = {}

    def walk(words, parser):
        found[words] = parser
        for action in parser._actions:
            if isinstance(action, argparse._SubParsersAction):
                for name, child in action.choices.items():
                    walk((*words, name), child)

    walk((), build_parser())
    return found


TREE = parsers()


HELP = """
import contextlib, io, json, sys
at_start = set(sys.modules)
import tinyspeech
from tinyspeech.__main__ import main
text = {}
for words in json.loads(sys.argv[1]):
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        try:
            main([*words, "--help"])
        except SystemExit as end:
            assert end.code == 0
    text[" ".join(words)] = out.getvalue()
packages = {name.split(".")[0] for name in set(sys.modules) - at_start} - sys.stdlib_module_names
print(json.dumps([text, sorted(packages)]))
"""


def python(*arguments, **options) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-m", "tinyspeech", *map(str, arguments)], cwd=ROOT, text=True,
                          capture_output=True, check=False, **options)


def test_as_a_process():
    done = python("--version")
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, f"tinyspeech {__version__}", "")
    done = python("classify", "no such file.wav", "--engine", "int")
    assert done.returncode == 2 and done.stdout == "" and done.stderr.count("\n") == 1
    assert done.stderr.startswith("error: ") and "does not exist" in done.stderr and "Traceback" not in done.stderr
    done = python()
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and "COMMAND" in done.stderr


def test_from_any_folder(tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-m", "tinyspeech", "data", "info", "--json"], cwd=tmp_path, text=True,
                          capture_output=True, check=False, env=environment)
    assert done.returncode == 0 and json.loads(done.stdout)["clips"] > 1000
    assert not list(tmp_path.iterdir())


def test_a_reader_that_goes_away_is_no_error():
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONUNBUFFERED"}
    process = subprocess.Popen([sys.executable, "-m", "tinyspeech", "data", "info"], cwd=ROOT, stderr=subprocess.PIPE,
                               stdout=subprocess.PIPE, text=True, env=environment)
    process.stdout.close()
    assert process.stderr.read() == ""
    assert process.wait() == 0


def files() -> dict[Path, tuple[int, int]]:
    """When each file of the repository was last written, and its size; what Python and builds keep for themselves, not.
    """
    kept = {".git", "__pycache__", "build", "_build", ".pytest_cache", ".ruff_cache", ".cache", ".venv"}
    found = {}
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [name for name in folders if name not in kept]
        found |= {path: (path.stat().st_mtime_ns, path.stat().st_size)
                  for path in (Path(folder, name) for name in names)}
    return found


def test_help_explains_and_does_nothing():
    """Of all commands: their usage, on standard output. No package is loaded, and no file is touched."""
    before = files()
    done = subprocess.run([sys.executable, "-c", HELP, json.dumps(list(TREE))], cwd=ROOT, text=True,
                          capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert files() == before
    texts, packages = json.loads(done.stdout)
    assert packages == ["tinyspeech"]
    for words, text in texts.items():
        assert text.startswith(f"usage: python -m tinyspeech {words}".rstrip()), words
        assert len(text.splitlines()) >= 4 and not re.search(r"\(default: (None|False|\(\))\)", text), words
    for name in COMMANDS:
        assert re.search(rf"^ +{name.__name__.split('.')[-1]} ", texts[""], re.M)


@pytest.mark.parametrize("words", TREE, ids=lambda words: " ".join(words) or "itself")
def test_every_flag_is_explained(words):
    parser = TREE[words]
    assert parser.description
    for action in parser._actions:
        assert action.dest in ("help", "version", "command", "action") or len(action.help or "") > 5, action.dest


def test_every_command_runs_something():
    """A word that ends a command has its function; one that does not asks for the next word. `measure --only` is both.
    """
    for words, parser in TREE.items():
        inner = any(isinstance(action, argparse._SubParsersAction) for action in parser._actions)
        assert words == ("measure",) or inner != callable(parser.get_default("run")), words


def test_there_is_one_program():
    """No other module runs by itself or reads arguments."""
    for file in (ROOT / "tinyspeech").rglob("*.py"):
        text, name = file.read_text(encoding="utf-8"), file.relative_to(ROOT / "tinyspeech").as_posix()
        assert ("__name__ ==" in text) == (name == "__main__.py"), name
        assert ("argparse" in text) == (name == "commands/_common.py"), name


def test_ctrl_c(word, monkeypatch, capsys):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(engines.IntegerEngine, "run", interrupted)
    assert main(["classify", str(word), "--engine", "int"]) == 130
    assert capsys.readouterr().err == "stopped\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_full_disk_is_one_line():
    word = next(BUNDLED.glob("yes/*.flac"))
    with open("/dev/full", "w") as full:
        done = subprocess.run([sys.executable, "-m", "tinyspeech", "classify", word, "--engine", "int"], stdout=full,
                              stderr=subprocess.PIPE, text=True, cwd=ROOT)
    assert done.returncode == 2 and done.stderr == "error: the output cannot be written: No space left on device\n"


def test_a_library_that_does_not_load_is_not_taken_for_a_full_disk(monkeypatch):
    def fails(*_):
        raise OSError("libc10_cuda.so: cannot open shared object file")

    monkeypatch.setattr("tinyspeech.measure.evaluate.classify", fails)
    with pytest.raises(OSError, match="libc10_cuda"):
        main(["classify", str(next(BUNDLED.glob("yes/*.flac")))])


def test_a_package_that_is_missing_is_one_line(refused, monkeypatch):
    monkeypatch.setitem(sys.modules, "serial", None)
    refused("the package serial is missing: pip install -r requirements.txt", "flash", "--port", "/dev/null")


def test_a_module_of_ours_that_is_missing_is_no_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "tinyspeech.networks.models", None)
    with pytest.raises(ModuleNotFoundError, match=r"tinyspeech\.networks\.models"):
        main(["models"])
