"""Files of others: regular ones, of a bounded size, and one line for whatever a parser makes of what they hold."""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

from tinyspeech.errors import Notice, UserError

TEXT_BYTES = 64 << 20
"""Of a list, a table or a config: the largest that we know, the transcripts of a corpus, has 12 MB."""


def regular(path: str | Path, wanted: str) -> Path:
    """The path, if a file is there that can be read to an end. Raises `UserError` for a folder, a pipe or a device, and
    the system's own error where there is nothing, or nothing that may be opened.

    wanted : what would be right, as in "give a YAML config"
    """
    path = Path(path)
    if "\0" in str(path):
        raise UserError(f"{path} is no name of a file: {wanted}")
    path.stat()  # raises what `open` would
    if path.is_dir():
        raise UserError(f"{path} is a folder (a directory): {wanted}")
    if not path.is_file():
        raise UserError(f"{path} is not a regular file: {wanted}")
    return path


def content(path: str | Path, wanted: str, most: int) -> bytes:
    """All bytes of a file, at most so many. Raises as `regular`, and `UserError` for a larger one."""
    with regular(path, wanted).open("rb") as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise UserError(f"{path} has more than {most:,} bytes: {wanted}")
    return data


def text(path: str | Path, wanted: str, most: int = TEXT_BYTES) -> str:
    """A text in UTF-8, or as Windows' programs save it, with a byte-order mark. Raises as `content`."""
    data = content(path, wanted, most)
    try:
        return data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not a text file in UTF-8 (byte {error.start + 1}): {wanted}") from error


@contextlib.contextmanager
def parsing(path: str | Path, wrong: str) -> Iterator[None]:
    """Around what reads a file of others: whatever a parser raises is that the file is not what it should be.

    Libraries raise dozens of types for a damaged file, too deep a nesting and too large a number among them; nobody can
    list them all. Errors of the system about a path, and lines that are clear already, pass.

    wrong : the line, which follows the path
    """
    try:
        yield
    except UserError:
        raise
    except OSError as error:
        if error.filename is not None:
            raise
        raise UserError(f"{path} {wrong}") from error
    except Exception as error:
        raise UserError(f"{path} {wrong}") from error


def keep(path: Path, write: Callable[[Path], None]) -> None:
    """Put into a cache what can be made again: whole or not at all. A cache that cannot be written is no reason to
    stop: it is said.

    write : writes to the path that it is given, which has the same suffix
    """
    partial = path.with_name(f"{path.stem}.{os.getpid()}{path.suffix}")  # two runs at once do not write one file
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(partial)
        partial.replace(path)
    except (OSError, RuntimeError) as error:  # the latter are torch's
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
        reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
        warnings.warn(f"{path.parent} cannot be written ({reason}), and so this has to be made again next time: "
                      "TINYSPEECH_CACHE names another folder", Notice, stacklevel=2)
