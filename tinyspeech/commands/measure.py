"""`measure`: figures of data/results.json, one alone, or all; each entry there names the command that makes it again.

What is measured how is `tinyspeech/measure/registry.py`'s; experiments and bits train networks, the rest does not.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from tinyspeech import KEYWORDS, paths
from tinyspeech.commands._common import Parser, add_command, add_json, show
from tinyspeech.errors import UserError

LONGEST = 90
"""Characters of a value that is printed; what is longer is a table, and counted."""
KEPT = "data/results.json, where what is measured is kept,"
"""Not in a wheel: said before minutes of measuring."""


def add(commands) -> None:
    command = add_command(commands, "measure", "figures of data/results.json, one or all, measured and recorded anew")
    command.add_argument("--only", nargs="+", metavar="NAME", help="these keys of data/results.json, and no other")
    _add_data(command, ("speech", "logmel", "negatives", "noise", "rooms", "takes", "music", "test_set"), ())
    add_json(command)
    command.set_defaults(run=run_only)
    actions = command.add_subparsers(dest="action", metavar="ACTION", parser_class=Parser)  # not with --only
    both = ("speech", "logmel")
    for name, text, run, data, required in (
            ("all", "everything that trains no network, and that the given data is enough for", run_all,
             (*both, "negatives", "noise", "rooms", "takes", "music"), both),
            ("live", "validation speech to the virtual board: words, latencies, current; with --negatives or --noise: "
                     "false reports in hours of sound, and what is heard beside them", run_live,
             ("speech", "negatives", "noise", "rooms"), ()),
            ("choose", "constants and rules of the decision compared on training speakers", run_choose,
             ("speech", "negatives", "noise", "rooms"), ("speech", "negatives", "noise", "rooms")),
            ("speed", "how fast the emulated chip is on this computer", run_speed, (), ()),
            ("endurance", "one virtual board listens for hours on end, its serial port busy between: what went wrong",
             run_endurance, ("negatives",), ()),
            ("experiments", "the trainings of data/experiments.yaml, what is finished left out", run_experiments, both,
             ("logmel",)),
            ("bits", "accuracy against bits, as data/bits.yaml lists it, what is finished left out", run_bits, both,
             both)):
        action = add_command(actions, name, text)
        _add_data(action, data, required)
        if name == "live":
            _add_hours(action)
        if name == "endurance":
            action.add_argument("--hours", type=float, default=24.0, help="of the board's time (default: 24)")
            action.add_argument("--seed", type=int, default=0, help="of what sounds and what is asked (default: 0)")
        if name in ("experiments", "bits"):
            what, rows = {"experiments": ("groups to run (default: all)", "rows of one group"),
                          "bits": ("networks to measure (default: all); the others' rows stay", "rows")}[name]
            action.add_argument("--only", nargs="*", metavar="NAME", help=what)
            action.add_argument("--workers", type=int, default=2,
                                help="processes side by side, the cores shared among them")
            action.add_argument("--row", nargs="+", metavar="LABEL",
                                help=f"these {rows} alone, told beside what is recorded of them, and not recorded")
        if name == "experiments":
            action.add_argument("--seed", nargs="+", type=int, metavar="N", help="of --row (default: the table's)")
        add_json(action)
        action.set_defaults(run=run)


def _add_data(parser: Parser, which: Iterable[str], required: Iterable[str]) -> None:
    """`--speech`, `--logmel` and the like."""
    text = {"speech": "folder in Speech Commands layout", "logmel": "the log-mel set, or such a folder",
            "negatives": "folders of recordings of any length in which nothing is meant for the board; keywords that "
                         "keywords_NAME.tsv in or beside them lists are counted apart",
            "noise": "folder of recordings of noise, their kinds in noise.tsv", "rooms": "folder of impulse responses",
            "takes": "folder of takes of words by several people, and their index.tsv",
            "music": "folder of music that no training heard",
            "test_set": "the official test set; for finished networks, once"}
    for name in which:
        several = {"nargs": "+", "metavar": "FOLDER"} if name == "negatives" else {}
        flag = f"--{name.replace('_', '-')}"
        parser.add_argument(flag, type=Path, required=name in required, help=text[name], **several)


def _add_hours(parser: Parser) -> None:
    """What `measure live` is told beside folders where it counts in hours of sound."""
    parser.add_argument("--transcripts", type=Path, nargs="+", metavar="TSV",
                        help="what is said in the recordings: file, start, end, and word or text")
    parser.add_argument("--board", type=float, nargs="?", const=1.0, metavar="HOURS",
                        help="also play so much of them, or an hour, to the virtual board, line by line")
    parser.add_argument("--speakers", choices=("all", "validation", "training"),
                        help="whose recordings; the file's name is the speaker's (default: all)")
    parser.add_argument("--levels", nargs="+", metavar="LEVEL",
                        help="loudness: `recorded`, or the peak as a part of full scale (default: recorded)")
    parser.add_argument("--first", choices=KEYWORDS, metavar="WORD",
                        help="count commands behind this first word alone (default: behind each)")
    parser.add_argument("--model", metavar="MODEL", help="whose integers listen (default: the network that ships)")
    parser.add_argument("--leads", type=Path, metavar="NPZ",
                        help="write there what leads at every step, as data/hours_leads.npz has it")


def _level(text: str) -> float | None:
    """A loudness of `--levels`; `UserError` for what is none."""
    if text == "recorded":
        return None
    try:
        level = float(text)
    except ValueError:
        level = 0.0
    if not 0 < level <= 1:
        raise UserError(f"--levels takes `recorded`, or a part of full scale above 0 and at most 1, not {text}")
    return level


def run_only(args) -> None:
    if not args.only:
        raise UserError("measure: give --only NAME, or one of the actions (see --help)")
    if left_out := _make(args, args.only):
        raise UserError(_left_out(left_out))


def run_all(args) -> None:
    from tinyspeech.measure import registry  # here: it loads all that is measured, torch too

    given = [name for name in registry.FLAGS if getattr(args, name, None) is not None]
    keys = registry.names(given=given)
    if left_out := _make(args, keys):
        print(_left_out(left_out), file=sys.stderr)
    if without := [key for key in registry.names() if key not in keys]:
        missing = " and ".join(flag for name, flag in registry.FLAGS.items()
                                if name not in given and hasattr(args, name))
        print(f"left out, for want of {missing}: {', '.join(without)}", file=sys.stderr)


def run_live(args) -> None:
    asked = ("negatives", "transcripts", "noise", "rooms", "board", "speakers", "levels", "first", "leads", "model")
    hours = {name: getattr(args, name) for name in asked if getattr(args, name) is not None}
    if hours:
        from tinyspeech.measure import report  # here: it loads scipy and what plays to the board

        if args.levels:
            hours["levels"] = [_level(level) for level in args.levels]
        figures = report.gather(report.Request(speech=args.speech, **hours))
        show(figures, args.json, report.text(figures))
        return
    from tinyspeech.measure import registry  # here: it loads all that is measured, torch too

    _make(args, registry.group_of("live.seconds").keys)


def run_choose(args) -> None:
    _make(args, ["hours.choice", "hours.chosen", "hours.rules"])


def run_speed(args) -> None:
    _make(args, ["chip.mips"])


def run_endurance(args) -> None:
    from tqdm import tqdm  # here: `--help` needs nobody else's package

    from tinyspeech.measure import endurance  # here: it loads scipy and what plays to the board

    form = "{l_bar}{bar}| {n:.2f}/{total:.2f} h [{elapsed}<{remaining}]"
    with tqdm(total=args.hours, bar_format=form, disable=None) as bar:
        figures = endurance.endure(args.hours, args.seed, args.negatives or (), lambda s: bar.update(s / 3600))
    show(figures, args.json, "\n".join(f"{key}: {value}" for key, value in figures.items()))
    if wrong := {key: figures[key] for key in endurance.MUST_BE_0 if figures[key]}:
        sys.exit("not sound: " + ", ".join(f"{key} {value}" for key, value in wrong.items()))


def run_experiments(args) -> None:
    from tinyspeech.measure import experiments, registry  # here: they load torch

    _check_workers(args)
    if args.row:
        if len(args.only or ()) != 1:
            raise UserError("--row names rows of one group: give it by --only")
        _print_rows(experiments.again(args.logmel, args.speech, args.only[0], args.row, args.seed, args.workers),
                    args.json)
        return
    if args.seed is not None:
        raise UserError("--seed is of --row: a table has the seeds of data/experiments.yaml")
    paths.need_clone(KEPT)
    keys = [experiments.key_of(name) for name in args.only or experiments.groups()]
    figures = experiments.measure(args.logmel, args.speech, args.only, args.workers)
    _print(registry.record(figures, keys), args.json)


def run_bits(args) -> None:
    from tinyspeech.measure import bits, registry  # here: they load torch

    _check_workers(args)
    if args.row:
        if args.only:
            raise UserError("--row names rows by themselves: leave --only out")
        _print_rows(bits.again(args.logmel, args.speech, args.row, args.workers), args.json)
        return
    paths.need_clone(KEPT)
    figures = bits.measure(args.logmel, args.speech, args.only, args.workers)
    _print(registry.record(figures, [bits.KEY]), args.json)


def _print_rows(rows: Iterator[dict], as_json: bool) -> None:
    done = []
    for row in rows:
        done.append(row)
        if not as_json:
            told = ", ".join(f"{key} {value:.2f} % ("
                             + (f"recorded: {row['recorded'][key]:.2f}" if key in row["recorded"] else "not recorded")
                             + ")" for key, value in row["measured"].items())
            seed = "" if row["seed"] is None else f", seed {row['seed']}"
            before = " (of an earlier run, read back from runs/experiments)" if row.get("read_back") else ""
            print(f"{row['group']}: {row['row']}{seed}: {told}{before}", flush=True)
    if as_json:
        print(json.dumps(done, indent=2))


def _check_workers(args) -> None:
    if args.workers < 1:
        raise UserError(f"--workers must be 1 or more, not {args.workers}")


def _make(args, keys: Iterable[str]) -> list[str]:
    """Measure, record and print; returns the keys that came to nothing."""
    from tinyspeech.measure import registry  # here: it loads all that is measured, torch too

    paths.need_clone(KEPT)
    keys = list(keys)
    data = {name: getattr(args, name, None) for name in registry.FLAGS}
    done = _print(registry.make(keys, **data), args.json)
    return [key for key in keys if key not in done]


def _left_out(keys: list[str]) -> str:
    return f"left out, for want of the log-mel set itself in place of a folder: {', '.join(keys)}"


def _print(recorded: Iterator[tuple[str, dict]], as_json: bool) -> dict[str, dict]:
    """A line for each figure as it comes, or all of them as JSON at the end; returns them."""
    done = {}
    for key, entry in recorded:
        done[key] = entry
        if not as_json:
            value = json.dumps(entry["value"])
            if len(value) > LONGEST:
                value = f"{len(entry['value'])} entries"
            print(f"{key}: {value} {entry['unit']}" + (f"; {entry['note']}" if "note" in entry else ""), flush=True)
    if as_json:
        print(json.dumps(done, indent=2))
    return done
