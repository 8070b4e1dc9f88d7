"""`teach`: a word of one's own, from takes of it, onto a board or into a file that other commands take."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tinyspeech.commands._common import add_command, add_json, add_port, show
from tinyspeech.errors import UserError
from tinyspeech.paths import SHIPPED


def add(commands) -> None:
    command = add_command(commands, "teach",
                          "a word of your own, from five takes of it: recordings, or said to a board's microphone")
    command.add_argument("--word", required=True, metavar="NAME", help="what it is called")
    command.add_argument("--wav", default=(), nargs="+", metavar="FILE",
                         help="takes: each holds the word once, with quiet before it and behind it; five make a good "
                              "one; without, the board at --port asks for them and its own microphone hears them")
    add_port(command)
    command.add_argument("--out", default=None, type=Path, metavar="FILE.npz",
                         help="put the word into this file, for `--words` of other commands; it keeps several words")
    command.add_argument("--model", default=None,
                         help=f"a network in data/models (default: the board's, without one {SHIPPED})")
    add_json(command, "print JSON; without --wav a line of it for each take, and one for the word")
    command.set_defaults(run=run)


def run(args) -> None:
    from tinyspeech.board import taught  # here, as all below: they load numpy, scipy and sound files
    from tinyspeech.integer import words

    if not args.wav and args.port is None:
        raise UserError("give takes with --wav: say the word five times to any recorder, a file each time, with half a "
                        "second of quiet before it and behind it; or say it to a board's microphone, with --port")
    if args.out is None and args.port is None:
        raise UserError("say where the word goes: --port PORT for a board, --out FILE.npz for `classify --words`")
    words.check_name(args.word)
    if args.port is None:
        _teach(args, None)
    else:
        with taught.connected(args.port) as board:
            _teach(args, board)


def _teach(args, board) -> None:
    """board : to put the word on, `board.taught.Board`, or None"""
    from tinyspeech.integer import words
    from tinyspeech.integer.network import IntegerModel
    from tinyspeech.paths import model_file

    before = []
    if board is None:
        model = IntegerModel.load(model_file(args.model or SHIPPED, ".npz"))
    else:
        model = board.model(args.model)
    if args.out is not None and args.out.exists():
        before = [one for one in words.load(args.out, model) if one.name != args.word]
        if len(before) >= words.MAX_WORDS:
            raise UserError(f"{args.out} holds {len(before)} words, as many as a board keeps: give another file")
    if args.wav:
        word, takes = _of_recordings(args.word, args.wav, model)
    else:
        word, takes = _said(args, board, model)
    slot = None if board is None else board.keep(word)
    if args.out is not None:
        words.save(args.out, model, [*before, word])
    places = [] if slot is None else [f"place {slot + 1} of the board"]
    places += [] if args.out is None else [str(args.out)]
    details, lines = _told_of(word, takes, args.wav)
    result = {"word": word.name, "takes": len(takes) or words.TAKES, "threshold": word.threshold,
              "bytes": words.PAGE_BYTES, **details, "file": None if args.out is None else str(args.out), "slot": slot}
    if args.json and not args.wav:
        print(json.dumps(result))  # a line, as those before it
    else:
        show(result, args.json,
             "\n".join([*lines, f"{word.name} is taught, in {words.PAGE_BYTES} bytes: {', '.join(places)}"]))


def _of_recordings(name: str, paths: list[str], model) -> tuple:
    """The word, and its takes."""
    from tinyspeech.integer import words
    from tinyspeech.sound import recordings

    takes = []
    for path in paths:
        try:
            takes.append(words.take(model, recordings.at_8khz(Path(path))))
        except UserError as error:
            raise UserError(str(error) if path in str(error) else f"{path}: {error}") from None
    return words.teach(name, takes), takes


def _said(args, board, model) -> tuple:
    """The same, as said to the board's own microphone; it is told who has to speak, and what came of it. No takes where
    the board has taught by itself: they are there no more."""
    from tinyspeech.board import takes
    from tinyspeech.integer import words

    def asked(number: int) -> None:
        print(f"say {args.word} ({number} of {words.TAKES})", file=sys.stderr if args.json else sys.stdout, flush=True)

    def told(number: int, verdict: str) -> None:
        text = f"take {number} of {words.TAKES}" if verdict == words.OK else f"not taken: {takes.ADVICE[verdict]}"
        print(json.dumps({"take": number, "of": words.TAKES, "verdict": verdict}) if args.json else text, flush=True)

    board.check_room(args.word)
    if (word := board.teach(model, args.word, asked, told)) is not None:
        return word, []
    return takes.teach(board.microphone(), model, args.word, asked, told)


def _told_of(word, takes: list, paths: list[str]) -> tuple[dict, list[str]]:
    """What is told of takes: figures, and lines. paths : theirs, if they were recorded"""
    frame_ms = 40
    names = paths or [f"take {i + 1}" for i in range(len(takes))]
    details = {"milliseconds": [frame_ms * (one.end - one.begin) for one in takes],
               "distances": [one.distance(word.template.astype(int)) for one in takes]}
    return details, [f"{name}: {long} ms, {far} from the others' mean" for name, long, far in
                     zip(names, *details.values(), strict=True)]
