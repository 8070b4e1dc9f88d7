"""`probe`: what one chip is really like."""

from __future__ import annotations

import sys

from tinyspeech.commands._common import add_command, add_json, add_port, show


def add(commands) -> None:
    command = add_command(commands, "probe", "what no manual settles, tried on your chip: assumed, found, verdict")
    add_port(command, required=True)
    command.add_argument("--no-flash", action="store_true",
                         help="the image of the trials is there already: after it was flashed, unplug the board once")
    add_json(command, "print JSON, which we are glad to get")
    command.set_defaults(run=run)


def run(args) -> None:
    from tinyspeech.board import probe  # here: it loads numpy

    found = probe.probe_port(args.port, not args.no_flash, progress=sys.stderr.isatty())
    lines = [probe.table(found), f"Give the board its firmware back: python -m tinyspeech flash --port {args.port}"]
    show(probe.as_json(found), args.json, "\n\n".join(lines))
