"""What every test needs before torch is loaded."""

import os
import subprocess
import sys
from pathlib import Path

# Threads that wait for each other on a busy computer are slower than one: test_quant took 61 s with two, 4 s with one.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest


@pytest.fixture
def figure():
    """A fresh figure in the book's style, drawn to memory; everything is closed and undone behind it."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    from tinyspeech.pages import plots

    with plt.rc_context():
        plots.style()
        yield plt.figure()
        plt.close("all")


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """The book, built strictly, into a folder of its own."""
    out = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-c", "from jupyter_book.cli.main import main; main()", "build", "-W", "-n",
               "--keep-going", "--path-output", str(out), "."]
    build = subprocess.run(command, cwd=Path(__file__).resolve().parent.parent, capture_output=True, text=True)
    assert build.returncode == 0, build.stdout[-3000:] + build.stderr[-3000:]
    return out / "_build" / "html"
