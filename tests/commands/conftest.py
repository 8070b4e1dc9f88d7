"""Commands in this process: what they print, or the one line with which they refuse; words to try them on."""

import re
import shutil
from pathlib import Path

import pytest

from tinyspeech import KEYWORDS
from tinyspeech.__main__ import main
from tinyspeech.measure import evaluate
from tinyspeech.paths import BUNDLED


@pytest.fixture
def run(capsys):
    """A command that works: what it prints."""
    def run(*arguments) -> str:
        code = main([str(a) for a in arguments])
        out, err = capsys.readouterr()
        assert (code, err) == (0, "")
        return out

    return run


@pytest.fixture
def refused(capsys):
    """A command that does not: one line that matches, and exit code 2."""
    def refused(match: str, *arguments) -> None:
        code = main([str(a) for a in arguments])
        out, err = capsys.readouterr()
        assert code == 2 and out == ""
        assert err.startswith("error: ") and err.endswith("\n") and err.count("\n") == 1, err
        assert re.search(match, err), err

    return refused


@pytest.fixture(scope="session")
def word() -> Path:
    """A bundled "yes" that the shipped network hears as one."""
    for path in sorted((BUNDLED / "yes").iterdir()):
        if evaluate.classify(path, "int")["word"] == "yes":
            return path
    pytest.fail("no bundled 'yes' is understood")


@pytest.fixture(scope="session")
def folder(tmp_path_factory) -> Path:
    """A small folder in Speech Commands layout, cut from the bundled clips; its every clip is validation."""
    root = tmp_path_factory.mktemp("words")
    names = []
    for name in [*KEYWORDS, "bed", "cat", "_background_noise_"]:
        (root / name).mkdir()
        for path in sorted((BUNDLED / name).iterdir())[:2]:
            shutil.copy(path, root / name)
            names.append(f"{name}/{path.name}")
    (root / "validation_list.txt").write_text("\n".join(names))
    return root

