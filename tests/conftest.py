"""What every test needs before torch is loaded."""

import os

# Threads that wait for each other on a busy computer are slower than one: test_quant took 61 s with two, 4 s with one.
os.environ.setdefault("OMP_NUM_THREADS", "1")
