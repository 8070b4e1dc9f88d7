"""Where things are: the repository's folders, the trained networks' files, the cache, the packages. No numpy.

In a clone these are the repository's own folders. A wheel brings `firmware/` and `data/` inside the package, in
`_shipped/` (pyproject.toml puts them there), without the book and the tests; what is written goes to the cache of the
user, or to where the user says.

Code that looks a folder up while it runs says `paths.MODELS`, not `from tinyspeech.paths import MODELS`: then a test
that puts another folder in its place is seen everywhere.
"""

from __future__ import annotations

import os
from pathlib import Path

from tinyspeech.errors import UserError

WHEEL = Path(__file__).resolve().with_name("_shipped")
"""What a wheel brings of the repository; not there in a clone, nor in an installation that points to one (`pip -e`)."""
ROOT = WHEEL if WHEEL.is_dir() else Path(__file__).resolve().parent.parent
"""The checkout, or what a wheel brings of one."""
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
PROJECTS = DATA / "projects"
"""Small trained networks of the page "Project: your own chip budget"."""
CONFIGS = DATA / "configs"
MODELS = Path(os.environ.get("TINYSPEECH_MODELS") or DATA / "models")
"""Trained networks: NAME_float.pt, NAME.pt (quantised) and NAME.npz (integers); `$TINYSPEECH_MODELS` names a folder of
one's own."""
RESULTS = DATA / "results.json"
"""Every measured figure that prose may quote."""
RUNS = Path("runs")
"""What trainings leave behind, below the folder that they are started in."""

SHIPPED = "tinyspeech_s"
"""The network that `firmware/model.h` holds."""
TEACHES_ITSELF = "tinyspeech_t"
"""The one beside which the firmware has room to teach itself words: `flash --model tinyspeech_t`."""

EXTRAS = {
    "train": ("torch", "torchaudio", "yaml", "filelock", "PIL"),
    "book": ("jupyter_book", "sphinx", "docutils", "sphinx_external_toc", "nbformat", "nbclient", "jupyter_client",
             "ipykernel", "matplotlib", "matplotlib_inline", "cycler", "ipywidgets", "traitlets", "IPython", "jinja2",
             "markupsafe"),
    "sbom": ("cyclonedx", "packageurl"),
    "microphone": ("sounddevice",),
}
"""Modules of what pyproject.toml lists under an extra: not needed to classify, build, flash, listen and teach."""


def is_clone() -> bool:
    """Whether the repository is here, with its book, and its files are the user's own."""
    return ROOT != WHEEL


def need_clone(what: str) -> None:
    """Raises `UserError` where only a wheel was installed."""
    if not is_clone():
        raise UserError(f"{what} is not in this installation: clone the repository")


def to_install(module: str) -> str:
    """What brings a package that is missing: a line for a shell."""
    extra = next((f"[{name}]" for name, modules in EXTRAS.items() if module in modules), "")
    if is_clone():
        return f"pip install -e '.{extra}'" if extra else "pip install -r requirements.txt"
    return f"pip install 'tinyspeech{extra}'"


def model_file(name: str, suffix: str) -> Path:
    """The file of a trained network; an unknown name raises `UserError` with the names there are of such files.

    suffix : `_float.pt`, `.pt` (quantised) or `.npz` (integers)
    """
    path = MODELS / f"{name}{suffix}"
    if path.parent != MODELS or not path.exists():
        if suffix == ".npz" and (trained := MODELS / f"{name}.pt").parent == MODELS and trained.exists():
            raise UserError(f"'{name}' is trained but has no integers yet: "
                            f"run `python -m tinyspeech export --model {name}`")
        if (trained := MODELS / f"{name}_float.pt").parent == MODELS and trained.exists():
            raise UserError(f"'{name}' is trained in float alone: "
                            "`evaluate --engine float` and `classify --engine float` run it")
        names = {file.name.removesuffix(suffix) for file in MODELS.glob(f"*{suffix}")}
        names = sorted(known for known in names if not known.endswith("_float"))  # *.pt are both
        there = ", ".join(names) or "none: run `python -m tinyspeech train`"
        raise UserError(f"no trained model '{name}' of this kind; there are: {there}")
    return path


def cache_folder() -> Path:
    """Where decoded sets are kept: `$TINYSPEECH_CACHE`, else `.cache` of the checkout, else `~/.cache/tinyspeech`.
    The variable moves all that is kept to be made again, builds too (`build_folder`)."""
    if os.environ.get("TINYSPEECH_CACHE"):
        return Path(os.environ["TINYSPEECH_CACHE"])
    return ROOT / ".cache" if is_clone() else Path.home() / ".cache" / "tinyspeech"


def build_folder() -> Path:
    """Where compiled programs are kept: with the cache, if `$TINYSPEECH_CACHE` says where that is or there is no
    checkout, else `build` of the checkout."""
    aside = os.environ.get("TINYSPEECH_CACHE") or not is_clone()
    return cache_folder() / "build" if aside else ROOT / "build"
