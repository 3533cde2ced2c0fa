"""Time series on the steps of a horizon: held where coarser, averaged where finer, never interpolated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from podium.errors import InputError, Problem
from podium.horizon import Horizon
from podium.study.cells import read_numbers
from podium.study.moments import NO_TIME, Clock, read_moments
from podium.study.tables import Table, TableFile
from podium.study.wording import each

TIME = "time"
_MINUTE = 60_000_000_000


@dataclass(frozen=True)
class _Axis:
    """The rows of a file that cover a horizon, in order: their starts [UTC ns] and their length [ns]."""

    table: Table
    starts: NDArray[np.int64]
    step: int


def read_series(
    file: TableFile, names: Sequence[str], horizon: Horizon, clock: Clock
) -> tuple[NDArray[np.float64], Table]:
    """Columns of a file on the steps of the horizon, and the rows used. Shape (name, step).

    Raises InputError for times or values that cannot be used, naming their lines.
    """
    table = file.read([TIME, *names])
    axis = _covering(table, horizon, clock)
    problems: list[Problem] = []
    values = np.empty((len(names), len(axis.starts)))
    for row, name in enumerate(names):
        values[row], found = read_numbers(axis.table, name, required=True)
        problems += found
    if problems:
        raise InputError(problems)
    return on_steps(values, axis.starts, axis.step, horizon), axis.table


def _covering(table: Table, horizon: Horizon, clock: Clock) -> _Axis:
    """The rows from the one that holds the horizon's start to the one that holds its end."""
    starts = read_moments(table, TIME, clock, series=True)
    if len(starts) == 0:
        raise InputError(Problem(table.source, "no rows", "a row for each step of the horizon"))
    if (empty := np.flatnonzero(starts == NO_TIME)).size:
        raise InputError(each(empty, table.where, f"{TIME} is empty", "a time in each row"))
    table, starts = _in_order(table, starts, clock)
    begin, end = _ends(horizon)
    first = max(int(np.searchsorted(starts, begin, side="right")) - 1, 0)
    last = max(int(np.searchsorted(starts, end, side="left")), first + 1)
    step = _step(starts, first, last, horizon)
    _refuse_uneven(table, starts[first:last], first, step, clock)
    if starts[first] > begin or starts[last - 1] + step < end:
        raise InputError(_not_covered(table, starts, step, (begin, end), clock))
    return _Axis(table.take(slice(first, last)), starts[first:last], step)


def _ends(horizon: Horizon) -> tuple[int, int]:
    begin = int(horizon.times.as_unit("ns").asi8[0])
    return begin, begin + horizon.steps * horizon.step_minutes * _MINUTE


def _in_order(table: Table, starts: NDArray[np.int64], clock: Clock) -> tuple[Table, NDArray[np.int64]]:
    """Rows sorted by time; raises InputError for a time that stands twice, or local times that go back."""
    gaps = np.diff(starts)
    if (gaps > 0).all():
        return table, starts
    order = np.argsort(starts, kind="stable")
    same = np.flatnonzero(np.diff(starts[order]) == 0)
    if same.size:
        earlier = {int(order[row + 1]): int(order[row]) for row in same}
        raise InputError(
            each(
                list(earlier),
                table.where,
                lambda row: f"{TIME} {clock.text(starts[row])} stands in {table.place(earlier[row])} too",
                "each time once",
            )
        )
    if clock.local_times:
        back = np.flatnonzero(gaps < 0) + 1
        expected = "local times in order"
        before = "is before the row above it"
        raise InputError(each(back, table.where, lambda row: f"{TIME} {clock.text(starts[row])} {before}", expected))
    return table.take(order), starts[order]


def _step(starts: NDArray[np.int64], first: int, last: int, horizon: Horizon) -> int:
    """Length of the rows, ns: the usual distance of those that cover the horizon."""
    gaps = np.diff(starts[first : last + 1])
    if len(gaps) == 0:
        gaps = np.diff(starts[max(first - 1, 0) : last])
    return int(np.median(gaps)) if len(gaps) else horizon.step_minutes * _MINUTE


def _refuse_uneven(table: Table, starts: NDArray[np.int64], first: int, step: int, clock: Clock) -> None:
    """Raise InputError where a row is missing, or the rows are not equally far apart."""
    bad = np.flatnonzero(np.diff(starts) != step) + 1
    if bad.size:
        next_due = {int(row): clock.text(starts[row - 1] + step) for row in bad}
        raise InputError(
            Problem(
                table.where(first + row),
                f"{TIME} {clock.text(starts[row])} follows {clock.text(starts[row - 1])}",
                f"{due} (a row every {_minutes(step)}, none left out)",
            )
            for row, due in list(next_due.items())[:5]
        )


def _not_covered(table: Table, starts: NDArray[np.int64], step: int, needed: tuple[int, int], clock: Clock) -> Problem:
    has = f"covers {clock.text(starts[0])} to {clock.text(starts[-1] + step)}"
    return Problem(table.source, has, f"the whole horizon, {clock.text(needed[0])} to {clock.text(needed[1])}")


def _minutes(nanoseconds: int) -> str:
    return f"{nanoseconds / _MINUTE:g} minutes"


def on_steps(
    values: NDArray[np.float64], starts: NDArray[np.int64], step: int, horizon: Horizon
) -> NDArray[np.float64]:
    """Mean over each step of the horizon of values that hold for `step` ns from `starts`. Shape (name, step).

    An hourly value is thus constant over its quarter-hours, and four quarter-hours give an hour their mean.
    """
    length = horizon.step_minutes * _MINUTE
    begin = horizon.times.as_unit("ns").asi8
    first = np.asarray(begin - starts[0]) // step
    if step % length == 0 and ((begin - starts[0]) % length == 0).all():
        return np.ascontiguousarray(values[:, first])
    whole = min(step, length)
    found = np.zeros((len(values), horizon.steps))
    for later in range(length // step + 2):
        row = np.minimum(first + later, len(starts) - 1)
        overlap = np.minimum(starts[row] + step, begin + length) - np.maximum(starts[row], begin)
        overlap[first + later > row] = 0
        found += values[:, row] * (np.maximum(overlap, 0) / whole)
    return found / (length / whole)
