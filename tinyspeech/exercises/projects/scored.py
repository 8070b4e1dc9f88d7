"""The score of a project: its figures with their limits, what failed and why, and the points. All projects.

    def judge():
        if not right:
            raise Refused("output 3 is 12, 14 is right", "Bit 3 of a weight counts -8.")
        return [Figure("flash", 900, "bytes", limit=4096, hint="Constants count, too.")], 87

    scored("Your own kernel", judge)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tinyspeech.errors import UserError


class Refused(Exception):
    """A submission that breaks a rule: one line that says what is wrong, and a hint."""

    def __init__(self, wrong: str, hint: str):
        super().__init__(wrong)
        self.wrong, self.hint = wrong, hint


@dataclass(frozen=True)
class Figure:
    """One line of a score."""

    name: str
    value: int | float
    unit: str = ""
    limit: int | float | None = None
    """The most, or with `least` the least, that is allowed; None: no limit."""
    least: bool = False
    digits: int = 0
    """Behind the point."""
    hint: str = ""
    """What is told where the limit is broken."""

    @property
    def kept(self) -> bool:
        """Whether the value keeps its limit."""
        return self.limit is None or (self.value >= self.limit if self.least else self.value <= self.limit)

    @property
    def allowed(self) -> str:
        """The limit in words; "" where there is none."""
        if self.limit is None:
            return ""
        return f"at {'least' if self.least else 'most'} {self.limit:,.{self.digits}f}"

    @property
    def measured(self) -> str:
        """The value with its unit."""
        return f"{self.value:,.{self.digits}f} {self.unit}".strip()


@dataclass(frozen=True)
class Score:
    """What a submission is worth. It prints itself."""

    title: str
    figures: tuple[Figure, ...] = ()
    points: int = 0
    """0 where something is wrong."""
    wrong: str = ""
    """What is, in one line; "" where nothing is."""
    hint: str = ""

    @property
    def passed(self) -> bool:
        return not self.wrong

    def __getitem__(self, name: str) -> int | float:
        """A figure's value by its name; another name raises `KeyError`."""
        return {figure.name: figure.value for figure in self.figures}[name]

    def __str__(self) -> str:
        names, values = ([*column, ""] for column in ([f.name for f in self.figures],
                                                      [f.measured for f in self.figures]))
        wide, high = max(map(len, names)), max(map(len, values))
        lines = [f"  {name:{wide}}  {value:>{high}}  {figure.allowed}".rstrip() + ("" if figure.kept else "  BROKEN")
                 for figure, name, value in zip(self.figures, names, values, strict=False)]
        end = [f"  {self.points:,} points"] if self.passed else [f"  Wrong: {self.wrong}", f"  Hint: {self.hint}",
                                                                 "  0 points"]
        return "\n".join([self.title, *lines, *end])

    __repr__ = __str__


def scored(title: str, judge: Callable[[], tuple[Sequence[Figure], int]]) -> Score:
    """The score of a submission. judge : returns figures and points, or raises `Refused`, or `UserError` for what the
    library itself complains of; a figure beyond its limit takes all points."""
    try:
        figures, points = judge()
    except Refused as refused:
        return Score(title, wrong=one_line(refused.wrong), hint=refused.hint)
    except UserError as error:
        return Score(title, wrong=one_line(str(error)), hint="Read the page's rules again.")
    if broken := next((figure for figure in figures if not figure.kept), None):
        wrong = f"{broken.name}: {broken.measured}, {broken.allowed} allowed"
        return Score(title, tuple(figures), 0, wrong, broken.hint or "The limits stand on the page.")
    return Score(title, tuple(figures), points)


def one_line(text: str) -> str:
    """The first line of a text, without spaces around it, cut where it is very long."""
    line = next(iter(text.strip().splitlines()), "no reason given")
    return line if len(line) <= 200 else f"{line[:197]}..."
