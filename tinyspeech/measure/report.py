"""What `measure live` says of anybody's recordings: false reports an hour, keywords heard, both over the threshold.

    from tinyspeech.measure import report
    figures = report.gather(report.Request(negatives=[Path("LibriSpeech/dev-clean")]))
    print(report.text(figures))

Nothing is recorded in data/results.json: that is the registry's, on speech that this repository names. Chapter 11.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tinyspeech import KEYWORDS
from tinyspeech.board import virtual
from tinyspeech.errors import UserError
from tinyspeech.integer import decision
from tinyspeech.integer.network import IntegerModel
from tinyspeech.measure import leads, negatives, positives
from tinyspeech.paths import SHIPPED, model_file
from tinyspeech.sound import datasets


@dataclass(frozen=True)
class Request:
    """What is given, and what is asked; at least one of `negatives`, `noise` and `rooms` with `speech`."""

    negatives: Sequence[Path] = ()
    transcripts: Sequence[Path] = ()
    speech: Path | None = None
    noise: Path | None = None
    rooms: Path | None = None
    board: float | None = None
    """Hours to play to the virtual board."""
    speakers: str = "all"
    """Of the recordings, by `splits.speaker_split`; keywords are validation's unless this says `training`."""
    levels: Sequence[float | None] = (None,)
    first: str | None = None
    """The only first word to count behind; by default each of the ten."""
    leads: Path | None = None
    """A file to write: what leads at every step (`leads.py`), of all that is heard."""
    model: str = SHIPPED
    """Whose integers listen: a name in data/models, or a file."""

    def check(self) -> None:
        """Raises `UserError` where one thing is asked for and another, that it needs, is not given or not there."""
        for name in ("transcripts", "board", "first"):
            if getattr(self, name) is not None and getattr(self, name) != () and not self.negatives:
                raise UserError(f"--{name} is of recordings: give --negatives FOLDER")
        if self.rooms and not self.speech:
            raise UserError("--rooms is of words in a row: give --speech FOLDER")
        if not (self.negatives or self.noise or self.speech):
            raise UserError("nothing to listen to: give --negatives, --noise or --speech")
        if self.leads and not self.leads.parent.is_dir():
            raise UserError(f"--leads {self.leads}: there is no folder {self.leads.parent}")
        if self.board is not None:
            negatives.board_seconds(self.board)
        datasets.must_exist(self.speech)
        for path in (*self.negatives, *self.transcripts, self.noise, self.rooms):
            if path is not None and not path.exists():
                raise UserError(f"{path} does not exist: give what is there")


def level_name(level: float | None) -> str:
    """How a loudness is called."""
    return "as recorded" if level is None else f"peak at {level:g} of full scale"


def gather(request: Request) -> dict:
    """All that was asked for, as plain numbers and texts; `text` says what is what.

    Keys: `model`, `model_hash`, `least_lead`, `speakers`; `speech` {loudness: {corpus: `negatives.rates`}}, `armed`
    {first word: rate}, `noise` {kind: rates}, `keywords` {condition: `positives.result`}, `det`, `board`.
    Raises `UserError` for data that is not there or cannot be read.
    """
    request.check()
    tracks: dict[str, leads.Track] = {}
    model = IntegerModel.load(model_file(request.model, ".npz"))
    out = {"model": model.name, "model_hash": model.digest, "least_lead": decision.of_network(model).least_lead,
           "speakers": request.speakers}
    whose = "training" if request.speakers == "training" else "validation"
    streams: list[negatives.Stream] = []
    for level in request.levels if request.negatives else ():
        heard = negatives.speech(model, request.negatives, request.transcripts, request.speakers, level)
        out.setdefault("speech", {})[level_name(level)] = negatives.by_group(heard)
        if not streams:  # the first loudness is what all else is counted at
            streams = heard
            out["armed"] = negatives.armed(streams, [request.first] if request.first else KEYWORDS)
            tracks[leads.SPEECH] = leads.of_streams(streams)
    if request.noise:
        quiet = negatives.noise(model, request.noise, request.speakers)
        out["noise"] = negatives.by_group(quiet)
        tracks[leads.NOISE] = leads.of_streams(quiet)
    if request.speech:
        rows = positives.rows(model, request.speech, request.noise, request.rooms, whose)
        out["keywords"] = {name: positives.result(row) for name, row in rows.items()}
        tracks |= {name: leads.of_row(row) for name, row in rows.items()}
        if streams:
            out["det"] = positives.det(streams, rows)
    if request.leads is not None:
        leads.save(tracks, request.leads)
    if request.board is not None:
        image = virtual.our_image(None if request.model == SHIPPED else request.model)
        out["board"] = negatives.on_board(model, request.negatives, request.speakers, request.board, image)
    return out


# ---------------------------------------------------------------- as text


def _interval(rate: Mapping) -> str:
    low, high = rate["interval_95"]
    return f"{rate['per_hour']:8.2f}  {low:8.2f} to {high:.2f}"


def _rates(title: str, groups: Mapping[str, Mapping]) -> list[str]:
    lines = [title, f"  {'':24} {'hours':>7} {'false':>6} {'an hour':>8}  {'95 % interval':>16}  "
                    "said / true / left out"]
    for name, one in groups.items():
        lines.append(f"  {name:24.24} {one['hours']:7.2f} {one['events']:6} {_interval(one):26}  "
                     f"{one['said']} / {one['true']} / {one['left_out']}")
    return lines


def _words(rates: Mapping[str, Mapping], title: str) -> list[str]:
    return [title, *(f"  {word:8} {one['events']:6} {_interval(one)}" for word, one in rates.items())]


def text(figures: Mapping) -> str:
    """The tables, for people."""
    lines = [f"{figures['model']}, least lead {figures['least_lead']}; recordings of {figures['speakers']} speakers"]
    for level, groups in figures.get("speech", {}).items():
        lines += ["", *_rates(f"running speech, {level}: false reports", groups)]
        lines += _words(list(groups.values())[-1]["by_word"], "by word: events, an hour, 95 % interval")
    if "armed" in figures:
        lines += ["", *_words(figures["armed"], "armed, behind each first word: false commands, an hour, interval")]
    if "noise" in figures:
        lines += ["", *_rates("noise, by kind: false reports", figures["noise"])]
    if "keywords" in figures:
        lines += ["", "keywords in a row, pauses of 1 to 4 s",
                  f"  {'':12} {'n':>4} {'heard %':>8}  {'95 % interval':>14} {'wrong':>6} {'stray':>6}  median, p99 ms"]
        for name, one in figures["keywords"].items():
            low, high = one["interval_95"]
            took = "-" if one["latency_p99"] is None else f"{one['latency_median']}, {one['latency_p99']}"
            lines.append(f"  {name:12} {one['keywords']:4} {one['heard']:8.1f}  {low:6.1f} to {high:4.1f} "
                         f"{one['wrong']:6} {one['stray']:6}  {took}")
    if "det" in figures:
        lines += ["", "over the least lead: false an hour, 95 % interval; heard %: "
                  + " | ".join(figures["det"][0]["heard"])]
        for point in figures["det"]:
            lines.append(f"{'*' if point['ships'] else ' ':1} {point['least_lead']:8} {_interval(point):28}  "
                         + " | ".join(f"{heard:.1f}" for heard in point["heard"].values()))
    if "board" in figures:
        board = figures["board"]
        lines += ["", f"virtual board: {board['hours']:g} h, {board['lines']} words, "
                      f"{board['mismatches']} lines differ from the definition's"]
    return "\n".join(lines)
