"""`teach`: a word of one's own, from recordings of it, onto a board or into a file that other commands take."""

from __future__ import annotations

from pathlib import Path

from tinyspeech.commands._common import add_command, add_json, add_port, show
from tinyspeech.errors import UserError
from tinyspeech.paths import SHIPPED


def add(commands) -> None:
    command = add_command(commands, "teach", "a word of your own, from five recordings of it")
    command.add_argument("--word", required=True, metavar="NAME", help="what it is called")
    command.add_argument("--wav", default=(), nargs="+", metavar="FILE",
                         help="takes: each holds the word once, with quiet before it and behind it; five make a good "
                              "one")
    add_port(command)
    command.add_argument("--out", default=None, type=Path, metavar="FILE.npz",
                         help="put the word into this file, for `--words` of other commands; it keeps several words")
    command.add_argument("--model", default=None,
                         help=f"a network in data/models (default: the board's, without one {SHIPPED})")
    add_json(command)
    command.set_defaults(run=run)


def run(args) -> None:
    from tinyspeech.board import taught  # here, as all below: they load numpy, scipy and sound files
    from tinyspeech.integer import words

    if not args.wav:
        raise UserError("give takes with --wav: say the word five times to any recorder, a file each time, with half a "
                        "second of quiet before it and behind it")
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
    word, details, lines = _of_recordings(args.word, args.wav, model)
    slot = None if board is None else board.keep(word)
    if args.out is not None:
        words.save(args.out, model, [*before, word])
    places = [] if slot is None else [f"place {slot + 1} of the board"]
    places += [] if args.out is None else [str(args.out)]
    result = {"word": word.name, "takes": len(args.wav), "threshold": word.threshold, "bytes": words.PAGE_BYTES,
              **details, "file": None if args.out is None else str(args.out), "slot": slot}
    show(result, args.json,
         "\n".join([*lines, f"{word.name} is taught, in {words.PAGE_BYTES} bytes: {', '.join(places)}"]))


def _of_recordings(name: str, paths: list[str], model) -> tuple:
    """The word, and of its takes what is told of them: figures, and lines."""
    from tinyspeech.integer import words
    from tinyspeech.sound import recordings

    takes = []
    for path in paths:
        try:
            takes.append(words.take(model, recordings.at_8khz(Path(path))))
        except UserError as error:
            raise UserError(str(error) if path in str(error) else f"{path}: {error}") from None
    word, frame_ms = words.teach(name, takes), 40
    details = {"milliseconds": [frame_ms * (one.end - one.begin) for one in takes],
               "distances": [one.distance(word.template.astype(int)) for one in takes]}
    lines = [f"{path}: {long} ms, {far} from the others' mean" for path, long, far in
             zip(paths, *details.values(), strict=True)]
    return word, details, lines
