"""Rounds of level 2 as lines of a run's log, written and read back."""

from __future__ import annotations

import re
from dataclasses import dataclass

from podium.market.coordination import Round

_LINE = re.compile(r"round (\d+): bound (\S+) EUR, profit (\S+) EUR, gap (\S+)%")


@dataclass(frozen=True)
class ToldRound:
    """What a line of the log says of a round."""

    number: int
    bound_eur: float
    profit_eur: float
    gap: float


def round_text(done: Round) -> str:
    """A round as a line."""
    money = f"bound {done.bound_eur:.2f} EUR, profit {done.profit_eur:.2f} EUR"
    return f"round {done.number}: {money}, gap {done.gap:.2%}"


def round_of(text: str) -> ToldRound | None:
    """The round that a line tells of; None where it is about something else.

    >>> round_of("round 3: bound 12.50 EUR, profit 12.25 EUR, gap 2.00%")
    ToldRound(number=3, bound_eur=12.5, profit_eur=12.25, gap=0.02)
    """
    found = _LINE.fullmatch(text)
    if found is None:
        return None
    number, bound, profit, gap = found.groups()
    return ToldRound(int(number), float(bound), float(profit), float(gap) / 100)
