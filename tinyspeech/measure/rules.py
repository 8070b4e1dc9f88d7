"""Rules that a decision might follow beside the least lead, each judged by what it buys in hours of speech. Chapter 11.

    from tinyspeech.measure import rules
    rules.RULES["leads for two steps"](least_lead=90_112).words(rows)

None of them is on the chip: `hours.rules` of data/results.json has each one's curve beside `decision.Decision`'s own.
A report that a rule refuses is none; the rest, and everything else, is the decision's own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from tinyspeech.integer import decision

LOUD_WINDOW, PEAK_WINDOW = 150, 8
"""Steps in which the softest tells what silence is here, 12 s, and the loudest how loud the word is, 0.64 s."""
NEVER = 1 << 62
"""A lead that nothing has."""
LOUD = 0.6
"""Of the way from one to the other: louder than this is sound."""


@dataclass
class Judge(decision.Decision):
    """A decision that may ask for another lead than the least one, step by step."""

    heard: list[tuple[int, int]] = field(default_factory=list)
    """Of each step so far, and of this one: what leads, and by how much; (0, 0) in the rest after a word."""
    loud: np.ndarray | None = None
    """int64 [steps]: `decision.loudness`."""

    def asks(self) -> int:
        """The lead with which a word is reported now."""
        return self.least_lead

    def _step(self) -> int | None:
        best = int(self.sums.argmax())
        lead = int(self.sums[best] - np.delete(self.sums, best).max())
        self.heard.append((0, 0) if self.refractory else (best, lead))
        least = self.least_lead
        self.least_lead = self.asks()
        word, self.least_lead = super()._step(), least
        return word

    def words(self, rows: np.ndarray) -> list[tuple[int, int]]:
        """(Row, class) of each report in `decision.frame_rows`, int64 [T', 13], as `decision.words`."""
        self.loud = rows[decision.STEP_FRAMES - 1 :: decision.STEP_FRAMES, -1]
        found = [self.push(row) for row in rows]
        return [(row, word) for row, word in enumerate(found) if word is not None]


@dataclass
class Lasting(Judge):
    """The same word must have led by as much for `more` steps before: the lead lasts."""

    more: int = 1

    def asks(self) -> int:
        last = self.heard[-self.more - 1 :]
        lasts = len(last) > self.more and all(w == last[-1][0] and lead >= self.least_lead for w, lead in last)
        return self.least_lead if lasts else NEVER


@dataclass
class SecondLook(Judge):
    """A large enough lead is looked at again `later` steps after: half of it must be left, and the word be the same."""

    later: int = 2

    def asks(self) -> int:
        if len(self.heard) <= self.later:
            return NEVER
        word, lead = self.heard[-self.later - 1]
        return self.least_lead // 2 if lead >= self.least_lead and word == self.heard[-1][0] else NEVER


@dataclass
class StandsAlone(Judge):
    """There must have been quiet before the word: of the steps from `begin` to `end` before the report, at most `share`
    louder than `LOUD` of the way from the softest of the last 12 s to the loudest of the last 0.64 s."""

    begin: int = 22
    end: int = 11
    share: float = 0.4

    def asks(self) -> int:
        now = len(self.heard) - 1
        before = self.loud[max(0, now - self.begin) : max(1, now - self.end)]
        soft = self.loud[max(0, now - LOUD_WINDOW) : now + 1].min()
        peak = self.loud[max(0, now - PEAK_WINDOW) : now + 1].max()
        return self.least_lead if (before > soft + LOUD * (peak - soft)).mean() <= self.share else NEVER


def words(rows: np.ndarray, rule: Callable[..., Judge] | None, **constants: int) -> list[tuple[int, int]]:
    """`decision.words` of int64 [T', 13], or what `rule` reports in its place."""
    return decision.words(rows, **constants) if rule is None else rule(**constants).words(rows)


RULES: dict[str, Callable[..., Judge]] = {
    "the least lead alone": Judge,
    "leads for two steps": partial(Lasting, more=1),
    "leads for three steps": partial(Lasting, more=2),
    "a second look after 0.16 s": partial(SecondLook, later=2),
    "stands alone: 40 % loud before it": partial(StandsAlone, share=0.4),
    "stands alone: 60 % loud before it": partial(StandsAlone, share=0.6),
}
"""Compared on running speech (`hours.rules`)."""
