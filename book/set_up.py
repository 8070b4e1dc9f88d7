"""What the first cell of every page imports: it finds the library in this clone, and installs what the page needs.

In an environment that `make` filled it does nothing. On Colab, where most packages are there, it adds the others, each
in the version that `requirements.txt` pins.
"""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

CLONE = Path(__file__).resolve().parent.parent
NEEDED = {"ziglang": "ziglang", "pyelftools": "elftools", "capstone": "capstone", "pyserial": "serial",
          "soundfile": "soundfile", "ipywidgets": "ipywidgets"}
"""{package: module} of what Colab lacks, or may lack."""

if importlib.util.find_spec("tinyspeech") is None:
    sys.path.insert(0, str(CLONE))
missing = [package for package, module in NEEDED.items() if importlib.util.find_spec(module) is None]
if missing:
    pins = (CLONE / "requirements.txt").read_text(encoding="utf-8")
    versions = [re.search(rf"^{package}==\S+", pins, re.MULTILINE)[0] for package in missing]
    subprocess.run([sys.executable, "-m", "pip", "install", "-q", *versions], check=True)
