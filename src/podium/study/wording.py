"""Words that error messages of study files share."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import ArrayLike

from podium.errors import Problem, listed

SHOWN_ROWS = 5
"""Rows quoted for one and the same mistake in a column; the others are counted."""


def one_of(name: str, known: Iterable[str], most: int = 8) -> str:
    """What was expected instead of an unknown name: the nearest known one, or the list of them.

    >>> one_of("chagre_max_kw", ["charge_max_kw", "pod"])
    "'charge_max_kw'"
    >>> one_of("colour", ["charge_max_kw", "pod"])
    "one of 'charge_max_kw', 'pod'"
    """
    choices = list(known)
    folded = {choice.casefold(): choice for choice in choices}
    near = difflib.get_close_matches(name.casefold(), folded, n=1)
    if near:
        return repr(folded[near[0]])
    return f"one of {listed(choices, most)}" if choices else "none"


def each(
    rows: ArrayLike,
    where: Callable[[int], str],
    value: Callable[[int], str] | str,
    expected: str,
    most: int = SHOWN_ROWS,
) -> list[Problem]:
    """A problem for each of the first `most` rows; the last one counts the others."""
    bad = np.asarray(rows, dtype=np.int64)
    problems = [
        Problem(where(int(row)), value if isinstance(value, str) else value(int(row)), expected) for row in bad[:most]
    ]
    if len(bad) > most:
        last = problems.pop()
        more = len(bad) - most
        others = f"{more} more {'row' if more == 1 else 'rows'} like it"
        problems.append(Problem(last.where, f"{last.value} (and {others})", expected))
    return problems


def is_missing(name: str) -> str:
    """Value of a problem about a key or a column that is not there."""
    return f"{name!r} is missing"
