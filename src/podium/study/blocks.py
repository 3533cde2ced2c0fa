"""Blocks of reserve products on the local clock: whole hours of the wall, whatever the change of clocks does."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from podium.errors import InputError, Problem
from podium.horizon import Horizon

Ints = NDArray[np.int64]
_MINUTE_NS = 60_000_000_000
MINUTES_PER_DAY = 1440


@dataclass(frozen=True)
class Calendar:
    """When a product is sold, in minutes of the local day."""

    first_minute: int
    last_minute: int
    block_minutes: float
    weekdays_only: bool = False


@dataclass(frozen=True)
class Blocks:
    """Blocks wholly inside a horizon."""

    starts: Ints
    """UTC nanoseconds. Shape (block,)."""
    ends: Ints
    of_step: Ints
    """Block of each step, -1 where there is none. Shape (step,)."""
    cut: int = 0
    """Blocks that the horizon's start or end cuts, and that are left out."""

    def __len__(self) -> int:
        return len(self.starts)


def ns_of(horizon: Horizon) -> tuple[int, int, int]:
    """Start, end and step of a horizon, UTC ns."""
    begin = int(horizon.times.as_unit("ns").asi8[0])
    step = horizon.step_minutes * _MINUTE_NS
    return begin, begin + horizon.steps * step, step


def calendar_blocks(calendar: Calendar, horizon: Horizon, where: str) -> Blocks:
    """The blocks of each local day; `where` is the place of the product's errors.

    The block over a change of clocks is an hour shorter or longer: an edge is the first moment at which the clock shows
    it, or would have. Raises InputError for blocks that do not divide the hours offered, or that steps do not meet.
    """
    count = _blocks_per_day(calendar, where)
    first, last = horizon.times[0].date(), pd.Timestamp(horizon.end).date()
    days = [first + timedelta(days=day) for day in range((last - first).days + 1)]
    sold = [day for day in days if not (calendar.weekdays_only and day.weekday() > 4)]
    minutes = calendar.first_minute + calendar.block_minutes * np.arange(count + 1)
    walls = [[pd.Timestamp(day) + pd.Timedelta(minutes=float(minute)) for minute in minutes] for day in sold]
    edges = np.array([_instants(row, horizon.time_zone) for row in walls], dtype=np.int64).reshape(len(sold), count + 1)
    return on_steps(edges[:, :-1].ravel(), edges[:, 1:].ravel(), horizon, where)


def _blocks_per_day(calendar: Calendar, where: str) -> int:
    window = calendar.last_minute - calendar.first_minute
    if window <= 0:
        raise InputError(Problem(where, "hours that end before they begin", "offered_from before offered_to"))
    count = window / calendar.block_minutes
    if abs(count - round(count)) > 1e-9 or round(count) < 1:
        value = f"blocks of {calendar.block_minutes / 60:g} h do not divide the {window / 60:g} h offered each day"
        raise InputError(Problem(where, value, f"block_hours that divides {window / 60:g}"))
    return round(count)


def _instants(walls: list[pd.Timestamp], zone: str) -> Ints:
    naive = pd.DatetimeIndex(walls).as_unit("ns")
    aware = naive.tz_localize(zone, ambiguous=np.ones(len(naive), dtype=bool), nonexistent="shift_forward")
    return np.asarray(aware.asi8)


def on_steps(starts: Ints, ends: Ints, horizon: Horizon, where: str) -> Blocks:
    """The blocks from starts to ends [UTC ns], in order, that lie in the horizon; raises InputError as above."""
    begin, end, step = ns_of(horizon)
    there = ends > starts  # the clocks skip some
    touched = there & (starts < end) & (ends > begin)
    whole = touched & (starts >= begin) & (ends <= end)
    starts, ends, cut = starts[whole], ends[whole], int(np.count_nonzero(touched & ~whole))
    off = np.flatnonzero(((starts - begin) % step != 0) | ((ends - begin) % step != 0))
    if off.size:
        at = pd.Timestamp(int(starts[off[0]]), tz="UTC").tz_convert(horizon.time_zone)
        value = f"the block of {at.isoformat(timespec='minutes')} does not begin and end with a step"
        raise InputError(Problem(where, value, f"blocks of whole steps of {horizon.step_minutes} minutes"))
    of_step = np.full(horizon.steps, -1, dtype=np.int64)
    for block, (first, last) in enumerate(zip((starts - begin) // step, (ends - begin) // step, strict=True)):
        of_step[first:last] = block
    return Blocks(starts, ends, of_step, cut)
