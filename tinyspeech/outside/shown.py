"""Text of others on our terminal: names of files, words of devices, errors of the system. One line, and harmless."""

from __future__ import annotations

import errno
import os

LONGEST = 1000
"""Characters of a line; of a longer one the middle is left out."""
ADVICE = {
    errno.EACCES: "give one that you may open, or ask its owner",
    errno.EPERM: "give one that you may open, or ask its owner",
    errno.ENOENT: "give one that is there",
    errno.EEXIST: "give a name that is free",
    errno.ENOTDIR: "a part of its path is a file, no folder",
    errno.EISDIR: "give a file",
    errno.ENOSPC: "make room on its disk",
    errno.EDQUOT: "make room in your quota",
    errno.EROFS: "give a place that can be written",
    errno.ENAMETOOLONG: "give a shorter name",
    errno.ELOOP: "its links lead in a circle",
    errno.EMFILE: "close other programs, or raise the limit of open files",
    errno.ENFILE: "close other programs",
    errno.EIO: "look at the disk, or copy the file elsewhere",
    errno.EINVAL: "the system takes no such name",
}
"""What would be right, by what the system says was wrong."""


def printable(text: str, longest: int = LONGEST) -> str:
    """One line that does nothing to a terminal: what cannot be printed is written as an escape, such as `\\x1b`.

    Control characters go, those that turn the direction of writing, and what no encoding has (parts of file names that
    are not UTF-8); letters of all languages stay.
    """
    if len(text) > longest:
        text = f"{text[: longest * 2 // 3]} ... {text[-longest // 4 :]}"
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def one_line(text: str, longest: int = LONGEST) -> str:
    """`printable` of text whose lines are put into one."""
    return printable(" ".join(text.split()), longest)


def os_error(error: OSError) -> str:
    """What was wrong and what would be right, in a line: of any error of the system, about any path."""
    names = [os.fsdecode(name) for name in (error.filename, error.filename2) if isinstance(name, (str, bytes))]
    said = error.strerror or str(error) or type(error).__name__
    advice = ADVICE.get(error.errno, "")
    return (": ".join([" and ".join(name or "an empty name" for name in names), said]) if names else said) + (
        f" ({advice})" if advice else "")
