"""What was truly said in long recordings: lists of words or of utterances, and what a report counts as. Chapter 11.

    spoken = truth.read([Path("keywords_librispeech.tsv")])      # {"103.opus": [Span(9.14, 9.50, "down"), ...]}
    truth.count([(9.7, "down"), (30.1, "left")], spoken["103.opus"], seconds=60.0)

A file is named by the last part of its path: a list may stand beside its folder or in it.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from tinyspeech import KEYWORDS
from tinyspeech.errors import UserError
from tinyspeech.outside import files

LONGEST_S = 1e7
"""Of a recording: what ends later is no time."""
MARGIN_S = 0.5
"""Around a true occurrence: left out of the count and of the hours."""


@dataclass(frozen=True)
class Span:
    """Where a keyword was said: from begin to end, in seconds; `word` is None of an utterance that holds one."""

    begin_s: float
    end_s: float
    word: str | None


def read(tables: Iterable[Path]) -> dict[str, list[Span]]:
    """{file's name: its spans} of tab-separated tables, columns `file start end word` or `file start end text`.

    Raises `UserError` for a table that cannot be read, lacks a column, or has times that are no times.
    """
    spans: dict[str, list[Span]] = {}
    for table in tables:
        try:
            text = files.text(table, "give a tab-separated table")
            rows = list(csv.DictReader(text.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE))
        except (OSError, csv.Error) as error:
            raise UserError(f"{table} cannot be read ({error}): give a tab-separated table") from None
        for line, row in enumerate(rows, 2):
            what = row.get("word") or row.get("text")
            try:
                begin, end = float(row["start"]), float(row["end"])
                name = PurePosixPath(row["file"].replace("\\", "/")).name
            except (KeyError, TypeError, ValueError, AttributeError):
                begin, end, what = 0.0, -1.0, None
            if what is None or not 0 <= begin <= end < LONGEST_S:
                raise UserError(f"{table}, line {line}: needs the columns file, start, end, and word or text")
            if row.get("word") in KEYWORDS:
                spans.setdefault(name, []).append(Span(begin, end, row["word"]))
            elif not row.get("word") and set(re.findall(r"[a-z']+", what.lower())) & set(KEYWORDS):
                spans.setdefault(name, []).append(Span(begin, end, None))
    return spans


def count(found: Iterable[tuple[float, str]], spans: list[Span], seconds: float) -> dict:
    """Reports, (seconds, word), of one recording against what was said in it.

    Returns `false`: the reports outside of every span's margin; `true`: those of the word that was said there;
    `left_out`: other reports within a margin; `seconds` that count, without the margins.
    """
    out: dict = {"false": [], "true": [], "left_out": []}
    for at, word in found:
        near = [span for span in spans if span.begin_s - MARGIN_S <= at <= span.end_s + MARGIN_S]
        key = "false" if not near else "true" if any(span.word == word for span in near) else "left_out"
        out[key].append((at, word))
    covered, until = 0.0, 0.0
    for span in sorted(spans, key=lambda span: span.begin_s):
        begin, end = max(span.begin_s - MARGIN_S, until), min(span.end_s + MARGIN_S, seconds)
        covered += max(0.0, end - begin)
        until = max(until, end)
    return {**out, "seconds": seconds - covered}
