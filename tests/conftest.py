"""What every test needs before torch is loaded."""

import ctypes
import os
import subprocess
import sys
from pathlib import Path

# Threads that wait for each other on a busy computer are slower than one: test_quant took 61 s with two, 4 s with one.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest

from tinyspeech import toolchain
from tinyspeech.paths import ROOT


def pytest_addoption(parser):
    parser.addoption("--assumptions", default="", metavar="WHAT",
                     help="what the emulated chips assume, such as hostile, hostile2 or name=value,name=value "
                          "(tinyspeech.chip.assumptions.parse)")


def pytest_configure(config):
    """All chips of this run, also in programs that tests start, assume what the option says."""
    if said := config.getoption("--assumptions"):
        from tinyspeech.chip import assumptions

        assumptions.parse(said)  # a wrong one ends the run here
        os.environ[assumptions.VARIABLE] = said


def pytest_sessionfinish(session):
    """Where `$TINYSPEECH_MOST_SKIPPED` is set, as .ci/run does, more skipped tests than that are a failure: something
    that ought to be installed is not, and nobody would notice."""
    most = os.environ.get("TINYSPEECH_MOST_SKIPPED")
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = len(reporter.stats.get("skipped", ())) if reporter else 0
    if most and skipped > int(most):
        reporter.write_line(f"\n{skipped} tests were skipped, {most} may be: see why below", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture
def the_table():
    """Chips assume what the table has, whatever the run's option says: for tests of the emulated chip itself."""
    from tinyspeech.chip.assumptions import Assumptions, assuming

    with assuming(Assumptions()) as said:
        yield said


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


class Layout:
    """What Python takes for the layout of the C's structures, and for its numbers, against the compiler."""

    def __init__(self, folder: Path):
        self.source = folder / "layout.c"

    def check(self, header: Path, numbers: dict[str, int | str], *target: str) -> None:
        """Let the compiler assert {C expression: number} for a target, by default this computer; the first that is
        another raises `UserError`, with the expression."""
        rows = "".join(f'_Static_assert({expression} == {number}, "{expression} is not {number}");\n'
                       for expression, number in numbers.items())
        self.source.write_text(f'#include <stddef.h>\n#include "{header}"\n{rows}')
        toolchain.zig("cc", *target, "-std=c99", "-ffreestanding", "-c", f"-I{header.parent}", self.source,
                      "-o", self.source.with_suffix(".o"))

    @staticmethod
    def of(name: str, mirror: type[ctypes.Structure]) -> dict[str, int]:
        """{C expression: number}: offset and size of every member of a mirror of `struct name`, in their order."""
        found = {}
        for field, _ in mirror._fields_:
            member = getattr(mirror, field)
            found[f"offsetof(struct {name}, {field})"] = member.offset
            found[f"sizeof(((struct {name} *)0)->{field})"] = member.size
        return found


@pytest.fixture
def layout(tmp_path) -> Layout:
    return Layout(tmp_path)


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """The book, built strictly, into a folder of its own."""
    out = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-c", "from jupyter_book.cli.main import main; main()", "build", "-W", "-n",
               "--keep-going", "--path-output", str(out), "."]
    build = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert build.returncode == 0, build.stdout[-3000:] + build.stderr[-3000:]
    return out / "_build" / "html"
