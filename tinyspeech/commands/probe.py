"""`probe`: what one chip is really like."""

from __future__ import annotations

import sys

from tinyspeech.commands._common import add_command, add_json, add_port, show


def add(commands) -> None:
    command = add_command(commands, "probe", "what no manual settles, tried on your chip: assumed, found, verdict")
    what = command.add_mutually_exclusive_group(required=True)
    add_port(what)
    what.add_argument("--table", action="store_true", help="no board: print what is assumed, and by which source")
    command.add_argument("--no-flash", action="store_true",
                         help="the image of the trials is there already: after it was flashed, unplug the board once")
    add_json(command, "print JSON, which we are glad to get")
    command.set_defaults(run=run)


def run(args) -> None:
    from tinyspeech.board import probe  # here, as the next one: they load numpy
    from tinyspeech.chip import assumptions

    if args.table:
        rows = {row.name: {"assumed": row.label(row.value), "choices": [*row.choices], "what": row.what,
                           "source": row.source} for row in assumptions.rows()}
        show(rows, args.json, assumptions.table())
        return
    found = probe.probe_port(args.port, not args.no_flash, progress=sys.stderr.isatty(),
                             notice=lambda text: print(text, file=sys.stderr))
    lines = [probe.table(found), f"Give the board its firmware back: python -m tinyspeech flash --port {args.port}"]
    show(probe.as_json(found), args.json, "\n\n".join(lines))
