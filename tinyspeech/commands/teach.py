"""`teach`: a word of one's own, from takes of it, onto a board or into a file that other commands take."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tinyspeech.commands._common import add_command, add_json, add_port, show
from tinyspeech.errors import UserError
from tinyspeech.paths import SHIPPED

MOST_TAKES = 20
"""That anybody will say in a row."""


def add(commands) -> None:
    command = add_command(commands, "teach",
                          "a word of your own, from five takes of it: recordings, or said to a microphone, a board's "
                          "or this computer's")
    command.add_argument("--word", required=True, metavar="NAME", help="what it is called")
    command.add_argument("--wav", default=(), nargs="+", metavar="FILE",
                         help="takes: each holds the word once, with quiet before it and behind it; five make a good "
                              "one; without, the board at --port asks for them and its own microphone hears them")
    command.add_argument("--microphone", nargs="?", const="", metavar="DEVICE",
                         help="say them to this computer's microphone: the one in the system's settings, or another by "
                              "its number or a part of its name; needs PortAudio")
    command.add_argument("--takes", type=int, metavar="N",
                         help=f"to say, 1 to {MOST_TAKES} (default: 5); without --port, to this computer's microphone")
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

    here = args.microphone is not None or (args.takes is not None and args.port is None)
    if args.wav and (here or args.takes is not None):
        raise UserError("--wav gives takes, a file each; --takes and --microphone ask for them: choose")
    if not args.wav and not here and args.port is None:
        raise UserError("give takes with --wav: say the word five times to any recorder, a file each time, with half a "
                        "second of quiet before it and behind it; or say it to this computer, with --microphone, or to "
                        "a board's microphone, with --port")
    if args.takes is not None and not 1 <= args.takes <= MOST_TAKES:
        raise UserError(f"--takes must be 1 to {MOST_TAKES}, not {args.takes}")
    if args.out is None and args.port is None:
        raise UserError("say where the word goes: --port PORT for a board, --out FILE.npz for `classify --words`")
    words.check_name(args.word)
    microphone = _of_this_computer(args.microphone or None) if here else None
    if args.port is None:
        _teach(args, None, microphone)
    else:
        with taught.connected(args.port) as board:
            _teach(args, board, microphone)


def _of_this_computer(device: str | None):
    """`capture.Microphone`. device : of `--microphone`"""
    from tinyspeech.sound import capture

    return capture.opened(int(device) if device and device.isdecimal() else device)


def _teach(args, board, microphone) -> None:
    """board : to put the word on, `board.taught.Board`, or None. microphone : this computer's, or None"""
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
        if board is not None:
            board.check_room(args.word)
        word, takes = _said(args, microphone, board, model)
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


def _said(args, microphone, board, model) -> tuple:
    """The same, as said to a microphone, this computer's or, where that is None, the board's; it is told who has to
    speak, and what came of it. No takes where the board has taught by itself: they are there no more."""
    from tinyspeech.board import takes
    from tinyspeech.integer import header, words

    count = args.takes or words.TAKES

    def asked(number: int) -> None:
        print(f"say {args.word} ({number} of {count})", file=sys.stderr if args.json else sys.stdout, flush=True)

    def told(number: int, verdict: str) -> None:
        text = f"take {number} of {count}" if verdict == words.OK else f"not taken: {takes.ADVICE[verdict]}"
        print(json.dumps({"take": number, "of": count, "verdict": verdict}) if args.json else text, flush=True)

    if microphone is None:
        if count != words.TAKES and header.leaves_room(model):
            raise UserError(f"this board teaches itself, from {words.TAKES} takes: leave --takes out, or say them to "
                            "this computer, with --microphone")
        if (word := board.teach(model, args.word, asked, told)) is not None:
            return word, []
        microphone = board.microphone()
    return takes.teach(microphone, model, args.word, asked, told, count)


def _told_of(word, takes: list, paths: list[str]) -> tuple[dict, list[str]]:
    """What is told of takes: figures, and lines. paths : theirs, if they were recorded"""
    frame_ms = 40
    names = paths or [f"take {i + 1}" for i in range(len(takes))]
    details = {"milliseconds": [frame_ms * (one.end - one.begin) for one in takes],
               "distances": [one.distance(word.template.astype(int)) for one in takes]}
    return details, [f"{name}: {long} ms, {far} from the others' mean" for name, long, far in
                     zip(names, *details.values(), strict=True)]
