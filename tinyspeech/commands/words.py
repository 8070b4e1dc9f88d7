"""`words`: what was taught to a board, and other names for it."""

from __future__ import annotations

from tinyspeech.commands._common import add_command, add_json, add_port, show


def add(commands) -> None:
    command = add_command(commands, "words", "the words that were taught to a board")
    add_port(command, required=True)
    command.add_argument("--rename", nargs=2, default=None, metavar=("OLD", "NEW"), help="call a word otherwise")
    add_json(command)
    command.set_defaults(run=run)


def run(args) -> None:
    from tinyspeech.board import taught  # here: it loads numpy

    with taught.connected(args.port) as board:
        if args.rename is not None:
            board.rename(*args.rename)
        show_words(board.names(), args.json)


def show_words(names: dict[int, str], as_json: bool) -> None:
    """Print the words of a board, by place; places are counted from 1, as people do."""
    from tinyspeech.integer.words import MAX_WORDS  # as above

    free = MAX_WORDS - len(names)
    result = {"words": [{"word": name, "slot": slot} for slot, name in names.items()], "free": free}
    lines = [f"{slot + 1}  {name}" for slot, name in names.items()] or ["no word is taught"]
    show(result, as_json, "\n".join([*lines, f"room for {free} more" if free else "no room for more"]))
