"""`listen`: what a board hears."""

from __future__ import annotations

import json
import sys
from dataclasses import replace

from tinyspeech.commands._common import add_command, add_json, add_port
from tinyspeech.outside import shown


def add(commands) -> None:
    command = add_command(commands, "listen",
                          "what a board hears, real or virtual: each word as it comes, until Ctrl-C")
    add_port(command, required=True)
    command.add_argument("--wav", "--file", dest="wav", default=None, metavar="FILE",
                         help="send it this recording over the port, in real time, in place of its microphone")
    command.add_argument("--seconds", type=float, default=None,
                         help="listen no longer, or to no more of the recording")
    command.add_argument("--sensitivity", default=None, metavar="{low,normal,high}",
                         help="set how sure the board has to be of a word; it is kept across power loss")
    mode = command.add_mutually_exclusive_group()
    mode.add_argument("--armed", default=None, metavar="WORD",
                      help="set that this word has to come first, or with `taught` any taught word: it opens the board "
                           "for 3 seconds")
    mode.add_argument("--open", action="store_true", help="set that the board reports every word")
    command.add_argument("--keep", default=None, metavar="FOLDER",
                         help="keep two seconds of sound around every report and near miss (with --wav)")
    command.add_argument("--words", nargs="+", default=(), metavar="FILE.npz",
                         help="put words that `teach` taught on the board, which keeps them and hears them, too")
    add_json(command, "print each word as a line of JSON")
    command.set_defaults(run=run)


def run(args) -> None:
    from tinyspeech.board import monitor, protocol  # here: they load numpy

    if args.sensitivity is not None:  # refused before a port is opened; the words are the board's own
        protocol.setting(args.sensitivity, None)
    sets = args.sensitivity is not None or args.armed is not None or args.open

    def change(kept: protocol.Settings) -> protocol.Settings:
        first_word = None if args.open else args.armed or kept.first_word
        return replace(kept, sensitivity=args.sensitivity or kept.sensitivity, first_word=first_word)

    def told(settings: protocol.Settings) -> None:
        line = {"sensitivity": settings.sensitivity, "armed": settings.first_word}
        first = "any taught word" if settings.first_word == protocol.TAUGHT else settings.first_word
        mode = "open" if first is None else f"armed, first word {first}"
        print(json.dumps(line) if args.json else f"sensitivity {settings.sensitivity}, {mode}",
              file=sys.stdout if sets else sys.stderr, flush=True)

    def heard(word: monitor.Heard) -> None:
        line = {"word": word.word, "seconds": round(word.seconds, 2), "frame": word.frame}
        print(json.dumps(line) if args.json else f"{word.seconds:8.2f} s  {word.word}", flush=True)

    def notice(text: str) -> None:
        print(f"warning: {shown.one_line(text)}", file=sys.stderr, flush=True)

    monitor.listen_port(args.port, heard, notice, args.wav, args.seconds, change if sets else None, told,
                        args.keep, args.words)
