"""torchaudio's `functional` and `transforms`, also next to a torch that it was not linked for.

The Linux wheel of torchaudio 2.11 links its compiled extension to CUDA, so next to a CPU build of torch a plain
`import torchaudio` ends in an OSError about a missing libc10_cuda.so. Nothing that this project uses lives in that
extension: spectrograms, mel banks and the DCT are written in torch. So, and only after that error, a stand-in for the
extension is registered and the import is tried again.

    from tinyspeech.training._torchaudio import functional, transforms
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType

from tinyspeech.errors import UserError
from tinyspeech.paths import to_install


def _without_extension() -> ModuleType:
    """A module that answers every question torchaudio asks its extension at import: it is not there."""

    def unavailable(*_args, **_kwargs):
        raise RuntimeError("torchaudio's compiled extension is not loaded, see tinyspeech/training/_torchaudio.py")

    stand_in = ModuleType("torchaudio._extension", __doc__)
    stand_in._IS_TORCHAUDIO_EXT_AVAILABLE = False
    stand_in._IS_ALIGN_AVAILABLE = False
    stand_in._check_cuda_version = lambda: None
    stand_in.fail_if_no_align = lambda _function: unavailable  # a decorator
    return stand_in


def load() -> ModuleType:
    """The torchaudio package, with or without its compiled extension.

    Raises
    ------
    UserError
        Where torchaudio is not installed.
    """
    try:
        return importlib.import_module("torchaudio")
    except ModuleNotFoundError as error:
        raise UserError(f"the package {error.name} is missing: {to_install('torchaudio')}") from error
    except OSError:
        # A failed import leaves half-loaded parts behind; they would hide the stand-in.
        for name in [name for name in sys.modules if name.split(".")[0] == "torchaudio"]:
            del sys.modules[name]
        sys.modules["torchaudio._extension"] = _without_extension()
        return importlib.import_module("torchaudio")


_package = load()
functional: ModuleType = _package.functional
transforms: ModuleType = _package.transforms
