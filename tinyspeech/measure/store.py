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

from filelock import FileLock

from tinyspeech import __version__, paths
from tinyspeech.errors import UserError


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
    """All figures: {key: {"value", "unit", "data", "command", ...}}."""
    return json.loads(paths.RESULTS.read_text("utf-8")) if paths.RESULTS.exists() else {}


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
        with FileLock(folder / f"{name}.lock"):
            results = load()
            if results.get(key) == entry:
                return
            results[key] = entry
            new = folder / f"{name}.new"
            new.write_text(json.dumps(dict(sorted(results.items())), indent=2) + "\n", encoding="utf-8")
            os.replace(new, paths.RESULTS)
    except OSError as error:
        raise UserError(f"cannot write {paths.RESULTS}: {error.strerror}") from error
