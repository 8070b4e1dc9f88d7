"""The command line: `python -m tinyspeech COMMAND`. It assembles the commands and does nothing else.

Bad input of any kind ends in one line on standard error and exit code 2.
"""

from __future__ import annotations

import errno
import os
import sys

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
from tinyspeech.errors import UserError
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
    try:
        args = build_parser().parse_args(argv)
        code = args.run(args) or 0
        sys.stdout.flush()
        return code
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130
    except ModuleNotFoundError as error:
        package = (error.name or "").split(".")[0]
        if package == "tinyspeech":
            raise  # a mistake of ours, which no installation mends
        print(f"error: the package {package} is missing: {to_install(package)}", file=sys.stderr)
        return 2
    except OSError as error:
        if error.errno not in (errno.EPIPE, errno.ENOSPC):
            raise  # not of our output: a library that does not load, say
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the flush at exit fails once more
        if error.errno == errno.EPIPE:  # its reader went away
            return 0
        print(f"error: the output cannot be written: {error.strerror}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
