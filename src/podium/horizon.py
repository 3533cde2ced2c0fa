"""The time axis: equal steps in absolute time, labelled by their start, read in a local time zone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import cached_property
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from podium.errors import InputError, Problem


@dataclass(frozen=True)
class Horizon:
    """`steps` steps of `step_minutes` from `start` (time-zone aware); `time_zone` is an IANA name.

    A local day has 92, 96 or 100 quarter-hours, depending on the change of clocks.

    >>> Horizon.days("2018-03-25", 1, 15, "Europe/Rome").steps
    92
    """

    start: datetime
    step_minutes: int
    steps: int
    time_zone: str

    def __post_init__(self) -> None:
        where = "horizon"
        zone_of(self.time_zone)
        if self.start.tzinfo is None:
            raise InputError(Problem(where, f"start {self.start} has no time zone", "an offset such as +01:00"))
        if not 1 <= self.step_minutes <= 60 or 60 % self.step_minutes:
            raise InputError(
                Problem(where, f"step_minutes {self.step_minutes}", "a divisor of 60 from 1 to 60, such as 15")
            )
        if self.steps < 1:
            raise InputError(Problem(where, f"{self.steps} steps", "at least one step"))

    @classmethod
    def days(cls, start: str | date, days: int, step_minutes: int, time_zone: str) -> Horizon:
        """Whole local days from local midnight of `start`."""
        first = start if isinstance(start, date) else date.fromisoformat(start)
        zone = zone_of(time_zone)
        begin = datetime.combine(first, time(), zone)
        end = datetime.combine(first + timedelta(days=days), time(), zone)
        minutes = (end.timestamp() - begin.timestamp()) / 60
        return cls(begin, step_minutes, int(minutes // step_minutes), time_zone)

    @property
    def step_hours(self) -> float:
        """Length of a step, h."""
        return self.step_minutes / 60.0

    @cached_property
    def times(self) -> pd.DatetimeIndex:
        """Starts of the steps, in the local zone. Shape (step,)."""
        first = pd.Timestamp(self.start).tz_convert("UTC")
        utc = pd.date_range(first, periods=self.steps, freq=f"{self.step_minutes}min", unit="ns")
        return utc.tz_convert(self.time_zone).rename("time")

    @property
    def end(self) -> datetime:
        """End of the last step."""
        return (self.times[-1] + pd.Timedelta(minutes=self.step_minutes)).to_pydatetime()

    @cached_property
    def day(self) -> NDArray[np.int64]:
        """Index of each step's local day, from 0. Shape (step,)."""
        ordinals = np.array([stamp.toordinal() for stamp in self.times.date], dtype=np.int64)
        return np.asarray(ordinals - ordinals[0])

    @cached_property
    def day_starts(self) -> NDArray[np.bool_]:
        """True at the first step of each local day within the horizon. Shape (step,)."""
        return np.concatenate(([True], np.diff(self.day) > 0))

    @cached_property
    def minute_of_day(self) -> NDArray[np.int64]:
        """Local wall-clock minute of each step's start, from 0 to 1439. Shape (step,)."""
        return np.asarray(self.times.hour * 60 + self.times.minute, dtype=np.int64)

    def within(self, first_minute: NDArray[np.int64], last_minute: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Steps that start in the daily window [first, last), which may pass midnight. Shape (row, step)."""
        minute = self.minute_of_day[None, :]
        first, last = first_minute[:, None], last_minute[:, None]
        inside = (minute >= first) & (minute < last)
        return np.where(first < last, inside, (minute >= first) | (minute < last))

    def index_of(self, moments: pd.DatetimeIndex) -> NDArray[np.float64]:
        """Position of time-zone aware moments on the axis, in steps from the start (may lie outside)."""
        seconds = (moments.tz_convert("UTC") - pd.Timestamp(self.start).tz_convert("UTC")).total_seconds()
        return np.asarray(seconds, dtype=float) / (60.0 * self.step_minutes)


def zone_of(name: str) -> ZoneInfo:
    """The zone of an IANA name; raises InputError when there is none."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InputError(Problem("time_zone", repr(name), "an IANA name such as 'Europe/Rome'")) from None
