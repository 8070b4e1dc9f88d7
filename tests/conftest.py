"""What every test needs before torch is loaded."""

import os

# Threads that wait for each other on a busy computer are slower than one: test_quant took 61 s with two, 4 s with one.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest


@pytest.fixture
def figure():
    """A fresh figure in the book's style, drawn to memory; everything is closed and undone behind it."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    from tinyspeech import plots

    with plt.rc_context():
        plots.style()
        yield plt.figure()
        plt.close("all")
