"""`classify`: one recording, its word, or all words of a longer one and when they are said."""

from __future__ import annotations

from tinyspeech import ENGINES
from tinyspeech.commands._common import add_command, add_json, add_model, show


def add(commands) -> None:
    command = add_command(commands, "classify", "the word in one recording; of a longer one each word and its time")
    command.add_argument("file", help="wav, flac or ogg, any rate and length")
    command.add_argument("--words", nargs="+", default=(), metavar="FILE.npz",
                         help="words that `teach` taught, each heard where it stands alone, with quiet around it")
    add_model(command)
    command.add_argument("--engine", default="chip", choices=ENGINES, help="who computes")
    command.add_argument("--second", action="store_true",
                         help="judge the loudest second alone, however long the recording is")
    add_json(command)
    command.set_defaults(run=run)


def run(args) -> None:
    from tinyspeech.measure import evaluate, spoken  # here: it loads numpy, and torch for some engines

    result = evaluate.classify(args.file, args.engine, args.model, args.words, args.second)
    best = sorted(result["scores"].items(), key=lambda item: -item[1])[:3]
    scores = "   ".join(f"{word} {100 * score:.1f} %" for word, score in best)
    lines = [result["word"]]
    if result["length"] > 1:
        if result["length"] > spoken.LONGER_S and not args.second:
            lines += [f"{one['seconds']:8.2f} s  {one['word']}" for one in result["words"]] or \
                ["  no word is reported; what the loudest second sounds like:"]
        scores += f"   of the second from {result['begin']:.2f} s on, of {result['length']:.2f} s"
    lines.append(f"  {scores}")
    if result["cycles"] is not None:
        lines.append(f"  {result['cycles']:,} cycles on the chip")
    show(result, args.json, "\n".join(lines))
