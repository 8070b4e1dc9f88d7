"""`classify`: one recording, one word."""

from __future__ import annotations

from tinyspeech import ENGINES
from tinyspeech.commands._common import add_command, add_json, add_model, show


def add(commands) -> None:
    command = add_command(commands, "classify", "the word in one recording")
    command.add_argument("file", help="wav, flac or ogg, any rate and length")
    command.add_argument("--words", nargs="+", default=(), metavar="FILE.npz",
                         help="words that `teach` taught, each heard where it stands alone, with quiet around it")
    add_model(command)
    command.add_argument("--engine", default="chip", choices=ENGINES, help="who computes")
    add_json(command)
    command.set_defaults(run=run)


def run(args) -> None:
    from tinyspeech.measure.evaluate import classify  # here: it loads numpy, and torch for some engines

    result = classify(args.file, args.engine, args.model, args.words)
    best = sorted(result["scores"].items(), key=lambda item: -item[1])[:3]
    lines = [result["word"], "  " + "   ".join(f"{word} {100 * score:.1f} %" for word, score in best)]
    if result["cycles"] is not None:
        lines.append(f"  {result['cycles']:,} cycles on the chip")
    show(result, args.json, "\n".join(lines))
