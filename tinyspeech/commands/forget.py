"""`forget`: a word that was taught to a board, or all that was ever set on it."""

from __future__ import annotations

from tinyspeech.commands._common import add_command, add_json, add_port
from tinyspeech.commands.words import show_words


def add(commands) -> None:
    command = add_command(commands, "forget", "make a board forget a word that was taught to it, or all")
    add_port(command, required=True)
    what = command.add_mutually_exclusive_group(required=True)
    what.add_argument("--word", default=None, metavar="NAME", help="what it is called")
    what.add_argument("--all", action="store_true", help="all words and the settings, as if it were new")
    add_json(command, "print what it still knows as JSON")
    command.set_defaults(run=run)


def run(args) -> None:
    from tinyspeech.board import taught  # here: it loads numpy

    with taught.connected(args.port) as board:
        if args.all:
            board.reset()
        else:
            board.forget(args.word)
        show_words(board.names(), args.json)
