"""`teach`: a word of one's own, from recordings of it, into a file that `classify --words` reads."""

from __future__ import annotations

from pathlib import Path

from tinyspeech.commands._common import add_command, add_json, add_model, show
from tinyspeech.errors import UserError


def add(commands) -> None:
    command = add_command(commands, "teach", "a word of your own, from five recordings of it")
    command.add_argument("--word", required=True, metavar="NAME", help="what it is called")
    command.add_argument("--wav", required=True, nargs="+", metavar="FILE",
                         help="takes: each holds the word once, with quiet before it and behind it; five make a good "
                              "one")
    command.add_argument("--out", required=True, type=Path, metavar="FILE.npz", help="where the taught word goes")
    add_model(command)
    add_json(command)
    command.set_defaults(run=run)


def run(args) -> None:
    from tinyspeech.integer import words  # here: they load numpy, scipy and sound files
    from tinyspeech.integer.network import IntegerModel
    from tinyspeech.paths import model_file
    from tinyspeech.sound import recordings

    words.check_name(args.word)
    model, takes = IntegerModel.load(model_file(args.model, ".npz")), []
    for path in args.wav:
        try:
            takes.append(words.take(model, recordings.at_8khz(Path(path))))
        except UserError as error:
            raise UserError(str(error) if path in str(error) else f"{path}: {error}") from None
    word = words.teach(args.word, takes)
    words.save(args.out, model, [word])
    frame_ms = 40
    result = {"word": word.name, "takes": len(takes), "threshold": word.threshold, "bytes": words.PAGE_BYTES,
              "milliseconds": [frame_ms * (one.end - one.begin) for one in takes],
              "distances": [one.distance(word.template.astype(int)) for one in takes], "file": str(args.out)}
    lines = [f"{path}: {long} ms, {far} from the others' mean" for path, long, far in
             zip(args.wav, result["milliseconds"], result["distances"], strict=True)]
    show(result, args.json, "\n".join([*lines, f"{word.name} is taught, in {words.PAGE_BYTES} bytes: {args.out}"]))
