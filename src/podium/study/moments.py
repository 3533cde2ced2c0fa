"""Times of tables as UTC: with an offset, or as wall-clock times of the study's zone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from podium.errors import InputError, Problem
from podium.study.tables import Table
from podium.study.wording import each

AWARE = "a time with an offset, such as 2018-05-14T00:00:00+02:00"
WALL = "a wall-clock time without an offset, such as 2018-05-14T00:00:00 (the study says local_times: true)"
NO_OFFSET = f"{AWARE}; or 'local_times: true' beside the file in study.yaml"
NO_TIME = int(np.iinfo(np.int64).min)
"""Nanoseconds of a time that is not there (NaT)."""


@dataclass(frozen=True)
class Clock:
    """How the times of one file are to be read."""

    time_zone: str
    local_times: bool = False

    def text(self, nanoseconds: int | np.int64) -> str:
        """A moment for a message, in the study's zone."""
        stamp = pd.Timestamp(int(nanoseconds), tz="UTC").tz_convert(self.time_zone)
        return stamp.isoformat(timespec="minutes" if stamp.second == 0 else "seconds")


def read_moments(table: Table, name: str, clock: Clock, *, series: bool = False) -> NDArray[np.int64]:
    """A column of times as UTC nanoseconds; NO_TIME where empty. Shape (row,).

    Of a `series` of local times, the hour that the clocks repeat in autumn is resolved by the order of its
    rows: first summer, then winter time. Elsewhere such a time is ambiguous. Raises InputError for every row
    that cannot be read.
    """
    column = table.columns[name]
    target = pa.timestamp("ns") if clock.local_times else pa.timestamp("ns", "UTC")
    if pa.types.is_date(column.type):
        column = column.cast(pa.timestamp("s"))
    if pa.types.is_timestamp(column.type):
        _refuse_other_kind(table, name, column, clock)
    elif not (pa.types.is_string(column.type) or pa.types.is_null(column.type)):
        raise InputError(Problem(table.source, f"column {name!r} holds {column.type}", "times"))
    try:
        nanoseconds = _nanoseconds(pc.cast(column, target))
    except pa.ArrowInvalid:
        nanoseconds = _row_by_row(table, name, column, clock)
    return _from_wall(nanoseconds, table, name, clock, series) if clock.local_times else nanoseconds


def _nanoseconds(column: Any) -> NDArray[np.int64]:
    return np.asarray(pc.fill_null(column.cast(pa.int64()), NO_TIME), dtype=np.int64)


def _refuse_other_kind(table: Table, name: str, column: Any, clock: Clock) -> None:
    """Raise InputError where times of a Parquet file have a zone and should not, or the other way round."""
    if clock.local_times and column.type.tz is not None:
        raise InputError(Problem(table.source, f"times in column {name!r} have a time zone", WALL))
    if not clock.local_times and column.type.tz is None:
        raise InputError(Problem(table.source, f"times in column {name!r} have no time zone", NO_OFFSET))


def _row_by_row(table: Table, name: str, column: Any, clock: Clock) -> NDArray[np.int64]:
    """Times that are not all in the usual form; raises InputError for those that are none."""
    cells = column.to_pylist()
    found = np.full(len(cells), NO_TIME, dtype=np.int64)
    wrong: dict[str, list[int]] = {}
    for row, cell in enumerate(cells):
        if cell is None:
            continue
        try:
            found[row] = _one(str(cell), clock)
        except ValueError as error:
            wrong.setdefault(str(error), []).append(row)
    if wrong:
        raise InputError(
            problem
            for expected, rows in wrong.items()
            for problem in each(rows, table.where, _quoting(name, cells), expected, most=1)
        )
    return found


def _one(cell: str, clock: Clock) -> int:
    """UTC (or wall-clock) nanoseconds of a text; a ValueError says what was expected."""
    usual = WALL if clock.local_times else AWARE
    try:
        moment = datetime.fromisoformat(cell.strip())
        stamp = pd.Timestamp(moment).as_unit("ns")
    except (ValueError, OverflowError):
        raise ValueError(usual) from None
    if clock.local_times and moment.tzinfo is not None:
        raise ValueError(WALL)
    if not clock.local_times and moment.tzinfo is None:
        raise ValueError(NO_OFFSET)
    return stamp.value


def _quoting(name: str, cells: list[Any]) -> Callable[[int], str]:
    return lambda row: f"{name} {cells[row]!r}"


def _from_wall(wall: NDArray[np.int64], table: Table, name: str, clock: Clock, series: bool) -> NDArray[np.int64]:
    """UTC of wall-clock times; raises InputError for a skipped hour and a doubtful one."""
    naive, zone = pd.DatetimeIndex(wall.view("M8[ns]")), clock.time_zone
    later = _localised(naive, zone, np.zeros(len(wall), dtype=bool))
    earlier = _localised(naive, zone, np.ones(len(wall), dtype=bool))

    def quoted(row: int) -> str:
        return f"{name} {naive[row].isoformat()}"

    if (skipped := np.flatnonzero((later == NO_TIME) & (wall != NO_TIME))).size:
        raise InputError(each(skipped, table.where, quoted, f"a time that exists; the clocks of {zone} skip it"))
    repeated = np.flatnonzero(earlier != later)
    if not series and repeated.size:
        expected = f"a time that occurs once; the clocks of {zone} repeat it (use times with an offset)"
        raise InputError(each(repeated, table.where, quoted, expected))
    if single := [row for row in repeated if (wall[repeated] == wall[row]).sum() != 2]:
        expected = f"both occurrences in order, as the clocks of {zone} repeat it; or times with an offset"
        raise InputError(each(single, table.where, lambda row: f"{quoted(row)} is ambiguous", expected))
    return _localised(naive, zone, ~naive.duplicated(keep="first"))


def _localised(naive: pd.DatetimeIndex, zone: str, first: NDArray[np.bool_]) -> NDArray[np.int64]:
    """UTC nanoseconds; of a repeated time the first occurrence where `first`; NO_TIME for a skipped one."""
    return np.asarray(naive.tz_localize(zone, ambiguous=first, nonexistent="NaT").asi8)
