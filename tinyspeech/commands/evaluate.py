"""`evaluate`: how many recordings an engine gets right, and which it takes for which."""

from __future__ import annotations

import sys

from tinyspeech import ENGINES
from tinyspeech.commands._common import add_command, add_json, add_model, show
from tinyspeech.paths import BUNDLED


def add(commands) -> None:
    command = add_command(commands, "evaluate", "accuracy on recordings, by any engine")
    add_model(command)
    command.add_argument("--engine", default="int", choices=ENGINES, help="who computes")
    command.add_argument("--data", default=str(BUNDLED), help="folder in Speech Commands or test-set layout")
    command.add_argument("--split", default="validation", help="training, validation, testing or all")
    command.add_argument("--limit", type=int, default=None, help="at most so many clips, spread over the classes")
    command.add_argument("--seed", type=int, default=0, help="chooses unknown words, silence and the subset")
    command.add_argument("--dump", default=None, metavar="FILE.npz", help="keep every clip's features and logits")
    command.add_argument("--snr", type=float, default=None, metavar="DB",
                         help="put every word into held-out noise at this signal-to-noise ratio, -100 to 100 dB")
    command.add_argument("--noise", default=None, metavar="FOLDER",
                         help="folder of noise recordings for --snr, if not the data folder's _background_noise_")
    command.add_argument("--mulaw", action="store_true",
                         help="bring every clip to 8-bit mu-law and back first, as the serial port carries it")
    command.add_argument("--words", nargs="+", default=(), metavar="FILE.npz",
                         help="words that `teach` taught, each a class more, whose clips lie in the folder of its name")
    command.add_argument("--confusion", action="store_true", help="print the confusion matrix, too")
    command.add_argument("--rejection", action="store_true",
                         help="print what thresholds on probability and margin reject, and the calibration error")
    add_json(command, "print JSON, which holds all of this")
    command.set_defaults(run=run)


def run(args) -> None:
    from tinyspeech.measure import metrics  # here: they load numpy, and torch for some engines
    from tinyspeech.measure.evaluate import evaluate

    result = evaluate(args.model, args.engine, args.data, args.split, args.limit, args.seed, args.dump,
                      progress=sys.stderr.isatty(), snr_db=args.snr, noise=args.noise, mulaw=args.mulaw,
                      words=args.words)
    noise = "" if result["snr_db"] is None else f", words in noise at {result['snr_db']:g} dB"
    noise += ", through 8-bit mu-law" if args.mulaw else ""
    lines = [f"{result['model']} on {result['engine']}: {100 * result['accuracy']:.2f} % of {result['n']} clips{noise}"]
    lines += [f"  {name:10} {'no clips' if recall is None else f'{100 * recall:6.2f} %'}"
              for name, recall in result["per_class"].items()]
    if "cycles_per_clip" in result:
        cycles = result["cycles_per_clip"]
        lines.append(f"cycles per clip: {cycles['mean']:,.0f} mean, {cycles['max']:,} most")
    if args.confusion:
        lines += ["", "rows: what was said; columns: what was heard",
                  metrics.confusion_table(result["confusion"], result["classes"])]
    if args.rejection:
        calibration = result["calibration"]
        lines += ["", "threshold on the winner's probability", metrics.rejection_table(result["rejection"]),
                  "", "threshold on its margin, in units of the integer logits",
                  metrics.rejection_table(result["rejection_by_margin"]), "",
                  f"calibration error {100 * calibration['ece']:.2f} % ({calibration['bins']} bins)"]
    show(result, args.json, "\n".join(lines))
