"""Where things are: the repository's folders, the trained networks' files, the cache. Nothing else, and no numpy.

Code that looks a folder up while it runs says `paths.MODELS`, not `from tinyspeech.paths import MODELS`: then a test
that puts another folder in its place is seen everywhere.
"""

from __future__ import annotations

import os
from pathlib import Path

from tinyspeech.errors import UserError

ROOT = Path(__file__).resolve().parent.parent
"""The checkout; of an installed package, the folder that it was installed into."""
FIRMWARE = ROOT / "firmware"
BOOK = ROOT / "book"
IMAGES = BOOK / "images"
DATA = ROOT / "data"
BUNDLED = DATA / "bundled"
"""The synthesised clips that come with the repository; made by `tinyspeech.sound.synthesis`."""
TALK = DATA / "talk"
"""A synthesised radio talk; made by `tinyspeech.sound.talk`."""
TAKES = DATA / "takes"
"""Synthesised takes of words that are none of the ten; made by `tinyspeech.sound.takes`."""
CONFIGS = DATA / "configs"
MODELS = DATA / "models"
"""Trained networks: NAME_float.pt, NAME.pt (quantised) and NAME.npz (integers)."""
RESULTS = DATA / "results.json"
"""Every measured figure that prose may quote."""
RUNS = Path("runs")
"""What trainings leave behind, below the folder that they are started in."""

SHIPPED = "tinyspeech_s"
"""The network that `firmware/model.h` holds."""


def model_file(name: str, suffix: str) -> Path:
    """The file of a trained network; an unknown name raises `UserError` with the names there are of such files.

    suffix : `_float.pt`, `.pt` (quantised) or `.npz` (integers)
    """
    path = MODELS / f"{name}{suffix}"
    if path.parent != MODELS or not path.exists():
        names = {file.name.removesuffix(suffix) for file in MODELS.glob(f"*{suffix}")}
        names = sorted(known for known in names if not known.endswith("_float"))  # *.pt are both
        there = ", ".join(names) or "none: run `python -m tinyspeech train`"
        raise UserError(f"no trained model '{name}' of this kind; there are: {there}")
    return path


def build_folder() -> Path:
    """Where builds are kept: in `$TINYSPEECH_CACHE`, else `build` of the checkout, else in `~/.cache/tinyspeech`."""
    if not os.environ.get("TINYSPEECH_CACHE") and (ROOT / "pyproject.toml").exists():
        return ROOT / "build"
    return cache_folder() / "build"


def cache_folder() -> Path:
    """Where decoded sets are kept: `$TINYSPEECH_CACHE`, else `.cache` of the checkout, else `~/.cache/tinyspeech`.
    The variable moves all that is kept to be made again, builds too (`build_folder`)."""
    if os.environ.get("TINYSPEECH_CACHE"):
        return Path(os.environ["TINYSPEECH_CACHE"])
    return ROOT / ".cache" if (ROOT / "pyproject.toml").exists() else Path.home() / ".cache" / "tinyspeech"
