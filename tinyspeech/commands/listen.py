"""`listen`: what a board hears."""

from __future__ import annotations

import json
import sys

from tinyspeech.commands._common import add_command, add_json, add_port


def add(commands) -> None:
    command = add_command(commands, "listen",
                          "what a board hears, real or virtual: each word as it comes, until Ctrl-C")
    add_port(command, required=True)
    command.add_argument("--wav", "--file", dest="wav", default=None, metavar="FILE",
                         help="send it this recording over the port, in real time, in place of its microphone")
    command.add_argument("--seconds", type=float, default=None,
                         help="listen no longer, or to no more of the recording")
    add_json(command, "print each word as a line of JSON")
    command.set_defaults(run=run)


def run(args) -> None:
    from tinyspeech.board import monitor  # here: it loads numpy

    def heard(word: monitor.Heard) -> None:
        line = {"word": word.word, "seconds": round(word.seconds, 2), "frame": word.frame}
        print(json.dumps(line) if args.json else f"{word.seconds:8.2f} s  {word.word}", flush=True)

    def notice(text: str) -> None:
        print(f"warning: {text}", file=sys.stderr, flush=True)

    monitor.listen_port(args.port, heard, notice, args.wav, args.seconds)
