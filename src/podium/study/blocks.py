"""The blocks of a reserve product on a horizon: by the local clock, or as a table says."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from math import gcd

import numpy as np
from numpy.typing import NDArray

from podium.errors import InputError, Problem
from podium.horizon import Horizon
from podium.study.cells import read_numbers
from podium.study.moments import NO_TIME, Clock, read_moments
from podium.study.series import TIME
from podium.study.tables import Table, TableFile
from podium.study.wording import SHOWN_ROWS, each, is_missing, one_of

END = "end"
DAY_MINUTES = 1440
HOUR_MINUTES = 60
_MINUTE_NS = 60_000_000_000
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Blocks:
    """Where a product is sold."""

    of_step: Ints
    """Block of each step, from 0 in order of time; -1 where none. Shape (step,)."""
    cut: NDArray[np.bool_]
    """Steps of blocks that the horizon holds only in part: nothing is sold there. Shape (step,)."""

    @property
    def starts(self) -> Ints:
        """First step of each block. Shape (block,)."""
        first = np.flatnonzero((np.diff(self.of_step, prepend=-1) != 0) & (self.of_step >= 0))
        return np.asarray(first, dtype=np.int64)

    @property
    def ends(self) -> Ints:
        """Step after the last one of each block. Shape (block,)."""
        last = np.flatnonzero((np.diff(self.of_step, append=-1) != 0) & (self.of_step >= 0))
        return np.asarray(last + 1, dtype=np.int64)


@dataclass(frozen=True)
class Window:
    """Hours of a local day, and the week days, on which a product is sold in blocks."""

    first_minute: int = 0
    last_minute: int = DAY_MINUTES
    block_minutes: int = DAY_MINUTES
    weekdays: tuple[int, ...] = (0, 1, 2, 3, 4, 5, 6)
    """0 is Monday."""

    @property
    def divided(self) -> bool:
        """True where whole blocks fill the hours."""
        return (self.last_minute - self.first_minute) % self.block_minutes == 0

    def blocks(self, horizon: Horizon) -> Blocks:
        """Blocks on the local clock: the one in which the clocks change is an hour shorter or longer.

        Blocks of an hour and less are counted in absolute time, so that a repeated hour has its own. Raises
        InputError where a block begins or ends within a step.
        """
        wide = _with_neighbours(horizon)
        key, within = self._keys(wide)
        begins = np.diff(key, prepend=-2) != 0
        run = np.cumsum(begins) - 1
        outer = np.isin(run, run[[0, -1]])
        cut = (outer & (key >= 0))[1:-1]
        self._refuse_uneven(wide.minute_of_day[1:-1][within[1:-1]], horizon)
        key, run = key[1:-1], run[1:-1]
        sold = (key >= 0) & ~cut
        of_step = np.full(horizon.steps, -1, dtype=np.int64)
        of_step[sold] = np.unique(run[sold], return_inverse=True)[1]
        return Blocks(of_step, cut)

    def _keys(self, horizon: Horizon) -> tuple[Ints, NDArray[np.bool_]]:
        """A number per block, equal in neighbouring steps of one block only; -1 outside. And what is inside."""
        minute, times = horizon.minute_of_day, horizon.times
        within = (minute >= self.first_minute) & (minute < self.last_minute) & np.isin(times.day_of_week, self.weekdays)
        part = (minute - self.first_minute) // self.block_minutes
        key = horizon.day * DAY_MINUTES + part
        if HOUR_MINUTES % self.block_minutes == 0:
            summer = np.array([moment.utcoffset() != times[0].utcoffset() for moment in times], dtype=np.int64)
            key = 2 * key + summer
        return np.where(within, key, -1), within

    def _refuse_uneven(self, minutes: Ints, horizon: Horizon) -> None:
        off = (minutes - self.first_minute) % horizon.step_minutes
        if off.any() or self.block_minutes % horizon.step_minutes:
            value = f"blocks of {self.block_minutes} min from {_clock(self.first_minute)} begin or end within a step"
            expected = f"blocks of whole steps of {horizon.step_minutes} min"
            fitting = gcd(self.first_minute, self.block_minutes, HOUR_MINUTES)
            if fitting % horizon.step_minutes:
                expected += f", or step_minutes: {fitting}"
            raise InputError(Problem("", value, expected))


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


def _with_neighbours(horizon: Horizon) -> Horizon:
    """The horizon with a step more on each side."""
    before = horizon.times[0] - timedelta(minutes=horizon.step_minutes)
    return Horizon(before.to_pydatetime(), horizon.step_minutes, horizon.steps + 2, horizon.time_zone)


@dataclass(frozen=True)
class _Rows:
    """The rows of a table that have a value, with their positions on the axis, in steps from the start."""

    table: Table
    starts: Floats
    values: Floats


def read_values(
    file: TableFile,
    columns: tuple[str, ...],
    blocks: Blocks,
    horizon: Horizon,
    clock: Clock,
    absent: float | None = None,
) -> Floats:
    """The value of each block, from the first of `columns` that is there. Shape (block,).

    Rows outside the horizon, in blocks that it cuts, and without a value are left out; a block without a row has
    `absent`. Raises InputError for blocks without one where that is None, rows that are no block, and values below 0.
    """
    rows = _read(file, columns, horizon, clock)
    inside = (rows.starts >= 0) & (rows.starts < horizon.steps)
    at = np.floor(np.where(inside, rows.starts, 0)).astype(np.int64)
    wanted = inside & ~blocks.cut[at]
    begins = np.zeros(horizon.steps, dtype=bool)
    begins[blocks.starts] = True
    fits = wanted & (rows.starts == at) & begins[at]
    problems = each(np.flatnonzero(wanted & ~fits), rows.table.where, "no block starts here", "starts of blocks")
    found = np.full(len(blocks.starts), np.nan)
    for row in np.flatnonzero(fits):
        block = blocks.of_step[at[row]]
        if not np.isnan(found[block]):
            problems.append(Problem(rows.table.where(int(row)), "a second row for this block", "one row per block"))
        found[block] = rows.values[row]
    if absent is None:
        problems += _missing(file.source, blocks.starts[np.isnan(found)], horizon)
    if problems:
        raise InputError(problems)
    return found if absent is None else np.where(np.isnan(found), absent, found)


def _missing(source: str, steps: Ints, horizon: Horizon) -> list[Problem]:
    """Blocks without a value."""
    shown = ", ".join(horizon.times[step].isoformat(timespec="minutes") for step in steps[:SHOWN_ROWS])
    more = f" and {len(steps) - SHOWN_ROWS} more" if len(steps) > SHOWN_ROWS else ""
    text = f"no value for the {'block' if len(steps) == 1 else 'blocks'} from {shown}{more}"
    return [Problem(source, text, "a row for each block of the horizon")] if len(steps) else []


def _read(file: TableFile, columns: tuple[str, ...], horizon: Horizon, clock: Clock) -> _Rows:
    """Rows with a value; raises InputError where cells cannot be read or are below 0."""
    chosen = column_of(file, columns)
    table = file.read(dict.fromkeys([TIME, chosen]))
    values, problems = read_numbers(table, chosen, expected="a number at least 0")
    negative = np.flatnonzero(values < 0)
    problems += each(negative, table.where, lambda row: f"{chosen} {values[row]:g}", "a number at least 0")
    starts = read_moments(table, TIME, clock, series=True)
    filled = ~np.isnan(values)
    problems += each(np.flatnonzero(filled & (starts == NO_TIME)), table.where, f"{TIME} is empty", "a time")
    if problems:
        raise InputError(problems)
    kept = np.flatnonzero(filled)
    return _Rows(table.take(kept), _positions(starts[kept], horizon), values[kept])


def column_of(file: TableFile, columns: tuple[str, ...]) -> str:
    """The first of some columns that a file has; raises InputError where it has none, or no times."""
    if TIME not in file.names:
        raise InputError(Problem(file.header, f"column {is_missing(TIME)}", "the start of each block, with an offset"))
    for name in columns:
        if name in file.names:
            return name
    others = [name for name in file.names if name not in (TIME, END)]
    words = " or ".join(repr(name) for name in columns)
    raise InputError(Problem(file.header, f"no column {words}", f"'column:' with {one_of(columns[0], others)}"))


def _positions(moments: Ints, horizon: Horizon) -> Floats:
    begin = int(horizon.times.as_unit("ns").asi8[0])
    return np.asarray((moments - begin) / (horizon.step_minutes * _MINUTE_NS), dtype=float)


def read_blocks(file: TableFile, columns: tuple[str, ...], horizon: Horizon, clock: Clock) -> Blocks:
    """Blocks as the rows of a table say, from `time` to `end`, where the column has a value.

    Raises InputError for blocks that overlap, that are out of order, or that begin or end within a step.
    """
    chosen = column_of(file, columns)
    if END not in file.names:
        value = f"column {is_missing(END)}"
        raise InputError(Problem(file.header, value, "the end of each block, or 'block_minutes' in study.yaml"))
    table = file.read(dict.fromkeys([TIME, END, chosen]))
    values, _ = read_numbers(table, chosen)
    moments = [read_moments(table, name, clock, series=True) for name in (TIME, END)]
    kept = np.flatnonzero(~np.isnan(values) & (moments[0] != NO_TIME))
    table = table.take(kept)
    start, end = (_positions(found[kept], horizon) for found in moments)
    overlapping = (start < horizon.steps) & (end > 0)
    problems = each(np.flatnonzero(end <= start), table.where, "a block that ends before it begins", "time before end")
    uneven = overlapping & ((start % 1 != 0) | (end % 1 != 0))
    words = f"whole steps of {horizon.step_minutes} min"
    problems += each(np.flatnonzero(uneven), table.where, "a block that begins or ends within a step", words)
    early = np.flatnonzero(start[1:] < end[:-1]) + 1
    problems += each(early, table.where, "a block that begins before the one above it ends", "blocks in order")
    if problems:
        raise InputError(problems)
    return _placed(start, end, overlapping, horizon)


def _placed(start: Floats, end: Floats, overlapping: NDArray[np.bool_], horizon: Horizon) -> Blocks:
    of_step = np.full(horizon.steps, -1, dtype=np.int64)
    cut = np.zeros(horizon.steps, dtype=bool)
    block = 0
    for row in np.flatnonzero(overlapping):
        first, last = int(max(start[row], 0)), int(min(end[row], horizon.steps))
        if start[row] < 0 or end[row] > horizon.steps:
            cut[first:last] = True
        else:
            of_step[first:last] = block
            block += 1
    return Blocks(of_step, cut)
