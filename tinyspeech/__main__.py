"""The command line: `python -m tinyspeech COMMAND`. It assembles the commands and does nothing else.

Bad input of any kind ends in one line on standard error and exit code 2.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import warnings

from tinyspeech import __version__
from tinyspeech.commands import (
    bench,
    board,
    book,
    classify,
    data,
    evaluate,
    export,
    firmware,
    flash,
    forget,
    listen,
    measure,
    models,
    probe,
    sbom,
    teach,
    train,
    words,
)
from tinyspeech.commands._common import Parser
from tinyspeech.errors import Notice, UserError
from tinyspeech.outside import shown
from tinyspeech.paths import to_install

COMMANDS = (data, train, evaluate, classify, teach, words, forget, models, export, firmware, bench, board, flash,
            listen, probe, measure, book, sbom)
"""In the order of the way: from recordings over a network to a board, then what measures and tells of it."""


def build_parser() -> Parser:
    """All commands and flags; defaults are shown by --help."""
    parser = Parser(prog="python -m tinyspeech", description="Speech on a ten-cent chip.")
    parser.add_argument("--version", action="version", version=f"tinyspeech {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=Parser)
    for command in COMMANDS:
        command.add(commands)
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run one command; returns the exit code: 0, 2 for bad input, 130 for Ctrl-C, and 1 where a check failed."""
    with warnings.catch_warnings():
        _show_notices()
        return _main(argv)


def _main(argv: list[str] | None) -> int:
    try:
        _prepare_output()
        args = build_parser().parse_args(argv)
        code = args.run(args) or 0
        sys.stdout.flush()
        return code
    except UserError as error:
        return _refused(str(error))
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130
    except ModuleNotFoundError as error:
        package = (error.name or "").split(".")[0]
        if package == "tinyspeech":
            raise  # a mistake of ours, which no installation mends
        return _refused(f"the package {package} is missing: {to_install(package)}")
    except MemoryError:
        return _refused("there is not enough memory for this: give less at a time, or a smaller file")
    except OSError as error:
        if error.errno is None:
            raise  # not of the system: a library that does not load, say
        if error.errno not in (errno.EPIPE, errno.ENOSPC, errno.EIO) or error.filename is not None:
            return _refused(shown.os_error(error))
        _drop_output()  # or the flush at exit fails once more
        if error.errno == errno.EPIPE:  # its reader went away
            return 0
        return _refused(f"the output cannot be written: {error.strerror}")


def _show_notices() -> None:
    """Each `Notice` is a line on standard error, once; other warnings, which tell of mistakes of ours, stay as they
    are."""
    others = warnings.showwarning

    def show(message, category, *where) -> None:
        if not issubclass(category, Notice):
            others(message, category, *where)
        elif str(message) not in told:
            told.add(str(message))
            print(f"note: {shown.one_line(str(message))}", file=sys.stderr, flush=True)

    told: set[str] = set()
    warnings.simplefilter("always", Notice)
    warnings.showwarning = show


def _prepare_output() -> None:
    """What an encoding does not have is written as an escape; `UserError` where there is no output at all."""
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")
    if sys.stdout is None:
        raise UserError("standard output is closed: leave it open, or send it to a file")
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # not where a notebook or a test stands in for it
            stream.reconfigure(errors="backslashreplace")


def _drop_output() -> None:
    with contextlib.suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _refused(what: str) -> int:
    """One line on standard error, whatever it quotes."""
    with contextlib.suppress(OSError):  # nobody can be told
        print(f"error: {shown.one_line(what)}", file=sys.stderr, flush=True)
    return 2


if __name__ == "__main__":
    sys.exit(main())
