"""`data/results.json`: every measured figure that prose may quote, with what it was measured on and by which command.

    from tinyspeech.measure import store
    store.load()["tinyspeech_s.macs"]["value"]

Chapters read the file by `load`; nobody types a number. Who measures what is `registry.py`'s.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from filelock import FileLock, Timeout

from tinyspeech import __version__, paths
from tinyspeech.errors import UserError
from tinyspeech.outside import files

WRONG = "does not hold figures: bring it back from the repository, or remove it and measure anew"
PATIENCE_S = 60
"""For another program that records a figure: it takes milliseconds."""


@dataclass(frozen=True)
class Figure:
    """One measured figure, before it is written down."""

    key: str
    value: Any
    unit: str
    about: Mapping[str, Any] = field(default_factory=dict)
    """What it was measured on, of, and how: data, n, seed, config, note, ..."""


def figure(key: str, value: Any, unit: str, **about: Any) -> Figure:
    """A figure, with what belongs to it."""
    return Figure(key, value, unit, about)


def load() -> dict[str, dict]:
    """All figures: {key: {"value", "unit", "data", "command", ...}}. Raises `UserError` for a file that is none."""
    path = paths.RESULTS
    if not path.exists():
        return {}
    text = files.text(path, WRONG)
    with files.parsing(path, WRONG):
        results = json.loads(text)
        if not isinstance(results, dict) or not all(isinstance(entry, dict) and "value" in entry
                                                    for entry in results.values()):
            raise ValueError("no figures")
    return results


def record(key: str, value: Any, unit: str, **about: Any) -> None:
    """Set one figure and write the file, keys sorted. about: data, seed, config, command, note, ...

    Programs that measure side by side lose nothing: the file is read, changed and replaced under a lock, and whoever
    reads it meanwhile finds either the old file or the new one, whole. A figure that is there already leaves the file
    as it is, to the byte.

    Raises `UserError` where the file cannot be written, and where there is no clone that it belongs to.
    """
    paths.need_clone("data/results.json, where what is measured is kept,")
    entry = json.loads(json.dumps({"value": value, "unit": unit, "version": __version__, **about}))
    folder, name = paths.RESULTS.parent, paths.RESULTS.name
    try:
        with FileLock(folder / f"{name}.lock", timeout=PATIENCE_S):
            results = load()
            if results.get(key) == entry:
                return
            results[key] = entry
            new = folder / f"{name}.{os.getpid()}.new"
            try:
                new.write_text(json.dumps(dict(sorted(results.items())), indent=2) + "\n", encoding="utf-8")
                os.replace(new, paths.RESULTS)
            finally:
                new.unlink(missing_ok=True)  # half written, on a full disk
    except Timeout as error:
        raise UserError(f"cannot write {paths.RESULTS}: another program holds {name}.lock for {PATIENCE_S} s; end it, "
                        "or remove that file") from error
    except OSError as error:
        raise UserError(f"cannot write {paths.RESULTS}: {error.strerror}") from error
