"""What no manual settles about the chip, as switches: `core/assumptions.h` is their one table, for C and Python.

    python -m tinyspeech probe --table                        # the table
    Chip(image, Assumptions(watchdog_survives_reset="yes"))
    with assuming(hostile()[0]): ...                          # every chip that is made within

Whoever has a chip on the bench can settle a row; until then the firmware must live with either. Chapter 13.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tinyspeech.errors import UserError

TABLE = Path(__file__).with_name("core") / "assumptions.h"
VARIABLE = "TINYSPEECH_ASSUMPTIONS"
"""Of the environment: what all chips assume where nothing else is said, as `parse` reads it."""


@dataclass(frozen=True)
class Row:
    """One assumption."""

    name: str
    value: int
    """What is assumed unless something else is said."""
    choices: Mapping[str, int]
    """{label: value} of what may be true; of numbers the label is the number."""
    hostile: tuple[str, ...]
    """Labels of what hurts our firmware most; of two, either alone does."""
    what: str
    source: str

    def label(self, value: int) -> str:
        """The name of a value, where it has one."""
        return next((label for label, known in self.choices.items() if known == value), str(value))

    def value_of(self, said: int | str | bool) -> int:
        """A value by its label or itself; `UserError` for a label that is none."""
        if isinstance(said, bool):
            said = "yes" if said and "yes" in self.choices else "no" if not said and "no" in self.choices else int(said)
        if isinstance(said, int):
            return said
        if said in self.choices:
            return self.choices[said]
        try:
            if any(not re.fullmatch(r"-?\d+", label) for label in self.choices):
                raise ValueError
            return int(said)
        except ValueError:
            raise UserError(f"{self.name} is none of {', '.join(self.choices)}: '{said}'") from None


@cache
def rows() -> tuple[Row, ...]:
    """The table, in the order of the C."""
    text = TABLE.read_text("utf-8")
    text = re.sub(r"\\\n", "\n", text[text.index("#define ASSUMPTIONS(ROW)") :])
    string = r'((?:"[^"]*"\s*)+)'
    pattern = rf"ROW\((\w+), (-?\d+), {string}, {string},\s*{string},\s*{string}\)"
    found = []
    for name, value, *strings in re.findall(pattern, text):
        choices, worst, what, source = ("".join(re.findall(r'"([^"]*)"', part)) for part in strings)
        pairs = (choice.partition("=") for choice in choices.split())
        labels = {label: int(number or label) for label, _, number in pairs}
        found.append(Row(name, int(value), labels, tuple(worst.split()), what, source))
    return tuple(found)


class Assumptions(Mapping[str, int]):
    """What a chip assumes: {name: value} of every row, by default the table's. Cannot be changed.

    said : {name: value or label} of those that are otherwise; `True` and `False` mean "yes" and "no".

    Raises `UserError` for a name or a label that the table does not have.
    """

    def __init__(self, base: Mapping[str, int] | None = None, **said: int | str | bool):
        known = {row.name: row for row in rows()}
        if unknown := [name for name in said if name not in known]:
            raise UserError(f"no assumption is called {unknown[0]}; there are {', '.join(known)}")
        values = dict(base) if base is not None else {row.name: row.value for row in rows()}
        self._values = {**values, **{name: known[name].value_of(value) for name, value in said.items()}}

    def __getitem__(self, name: str) -> int:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __hash__(self) -> int:
        return hash(tuple(self._values.items()))

    def __str__(self) -> str:
        """What differs from the table, as `parse` reads it."""
        return ",".join(f"{row.name}={row.label(self[row.name])}" for row in rows() if self[row.name] != row.value)


def hostile() -> tuple[Assumptions, Assumptions]:
    """Everything that hurts, together; where a clock may be too fast or too slow, once each."""
    return tuple(Assumptions(**{row.name: row.hostile[min(i, len(row.hostile) - 1)] for row in rows()}) for i in (0, 1))


def kind() -> Assumptions:
    """Of every row with names the value that hurts least: the first that is not hostile; of clocks no error."""
    return Assumptions(**{row.name: next((label for label in row.choices if label not in row.hostile), row.value)
                          for row in rows() if len(row.hostile) == 1})


def single() -> list[Assumptions]:
    """Every row alone, thrown to each of its other choices."""
    return [Assumptions(**{row.name: label}) for row in rows() for label, value in row.choices.items()
            if value != row.value]


def parse(text: str) -> Assumptions:
    """`hostile`, `hostile2` (the other way off), `kind`, or name=value,name=value, also behind one of those."""
    first, *rest = [part.strip() for part in text.split(",") if part.strip()] or [""]
    sets = {"": Assumptions(), "hostile": hostile()[0], "hostile2": hostile()[1], "kind": kind()}
    if first not in sets:
        first, rest = "", [first, *rest]
    if wrong := [part for part in rest if "=" not in part]:
        raise UserError(f"'{wrong[0]}' is no assumption: say name=value, or first of all hostile, hostile2 or kind")
    return Assumptions(sets[first], **dict(part.split("=", 1) for part in rest))


def table() -> str:
    """All rows for people: what is assumed, what may be true as well, and who says so."""
    lines = []
    for row in rows():
        others = ", ".join(label for label, value in row.choices.items() if value != row.value)
        lines.append(f"{row.name} = {row.label(row.value)} (or {others}; worst: {' or '.join(row.hostile)})\n"
                     f"    {row.what}\n    source: {row.source}")
    return "\n".join(lines)


_assumed: list[Assumptions] = []


def assumed() -> Assumptions:
    """What a chip assumes where nothing else is said: of `assuming`, or the environment's, or the table's."""
    return _assumed[-1] if _assumed else parse(os.environ.get(VARIABLE, ""))


@contextmanager
def assuming(assumptions: Assumptions) -> Iterator[Assumptions]:
    """Every chip that is made within assumes this."""
    _assumed.append(assumptions)
    try:
        yield assumptions
    finally:
        _assumed.pop()
