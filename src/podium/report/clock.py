"""The study's wall clock for axes: every step's local time, with both 02:00s of an autumn day told apart."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

TICK_MINUTES = (15, 30, 60, 120, 180, 360, 720, 1440, 2880, 10080)
"""Distances between ticks that read well on a wall clock."""

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class OffsetRun(NamedTuple):
    """From step `first` on, local time is `minutes` ahead of UTC and called `name`."""

    first: int
    minutes: int
    name: str


@dataclass(frozen=True)
class LocalClock:
    """Steps of `step_minutes` that start at `times` (time-zone aware). An axis counts steps: step k is [k, k + 1)."""

    times: pd.DatetimeIndex
    step_minutes: int

    @cached_property
    def edges(self) -> pd.DatetimeIndex:
        """Starts of all steps and the end of the last one. Shape (step + 1,)."""
        return pd.DatetimeIndex(self.times.append(self.times[-1:] + pd.Timedelta(minutes=self.step_minutes)))

    @cached_property
    def offset_runs(self) -> list[OffsetRun]:
        """Runs of edges with one offset from UTC; more than one where the clocks change."""
        ahead = self.edges.tz_localize(None) - self.edges.tz_convert("UTC").tz_localize(None)
        offsets = np.asarray(ahead.total_seconds() // 60, dtype=np.int64)
        firsts = np.flatnonzero(np.concatenate(([True], np.diff(offsets) != 0))).tolist()
        return [OffsetRun(k, int(offsets[k]), offset_name(self.edges[k])) for k in firsts]

    @property
    def changes(self) -> list[tuple[int, str]]:
        """The changes of the clocks within the horizon: first edge after it, and what they do."""
        pairs = zip(self.offset_runs, self.offset_runs[1:], strict=False)
        return [
            (new.first, _change_text(new.minutes - old.minutes)) for old, new in pairs if new.first < len(self.times)
        ]

    @cached_property
    def zone_text(self) -> str:
        """The zone, and what its time is called in the horizon: "Europe/Rome (CEST)"."""
        names = dict.fromkeys(run.name for run in self.offset_runs if run.first < len(self.times))
        return f"{self.times.tz} ({', then '.join(names)})"

    @cached_property
    def repeated(self) -> NDArray[np.bool_]:
        """Edges whose wall-clock time occurs twice. Shape (step + 1,)."""
        return np.asarray(self.edges.tz_localize(None).duplicated(keep=False), dtype=bool)

    def ticks(self, most: int) -> tuple[list[int], list[str]]:
        """At most about `most` edges at round wall-clock times, and their labels (a day's name under midnight)."""
        minute = np.asarray(self.edges.hour * 60 + self.edges.minute)
        ordinal = np.array([stamp.toordinal() for stamp in self.edges.date])
        of_axis = (ordinal - ordinal[0]) * 1440 + minute
        every = self._distance(len(self.times) * self.step_minutes / max(most, 1))
        at = np.flatnonzero(of_axis % every == 0).tolist()
        return at, [self._label(k, first=k == at[0]) for k in at]

    @staticmethod
    def _distance(least_minutes: float) -> int:
        return next((minutes for minutes in TICK_MINUTES if minutes >= least_minutes), TICK_MINUTES[-1])

    def _label(self, k: int, *, first: bool) -> str:
        stamp = self.edges[k]
        clock = f"{stamp:%H:%M}"
        if clock == "00:00" and k == len(self.times):
            return "24:00"
        if self.repeated[k]:
            return f"{clock}\n{offset_name(stamp)}"
        return f"{clock}\n{day_text(stamp)}" if first or clock == "00:00" else clock


def _change_text(minutes: int) -> str:
    return f"clocks {'back' if minutes < 0 else 'forward'} {abs(minutes)} min"


def day_text(stamp: pd.Timestamp, *, year: bool = False) -> str:
    """A day in words that no locale changes.

    >>> day_text(pd.Timestamp("2018-10-28T02:00+02:00"), year=True)
    'Sun 28 Oct 2018'
    """
    text = f"{_DAYS[stamp.weekday()]} {stamp.day} {_MONTHS[stamp.month - 1]}"
    return f"{text} {stamp.year}" if year else text


def offset_name(stamp: pd.Timestamp) -> str:
    """What the zone calls this moment's time ("CEST"), or its offset where it has only a number.

    >>> offset_name(pd.Timestamp("2018-05-14T00:00", tz="Asia/Dubai"))
    'UTC+04'
    """
    name = stamp.tzname() or ""
    return f"UTC{name}" if name[:1] in "+-" else name
