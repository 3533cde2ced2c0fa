"""What a chart shows, apart from how it is drawn: an axis, series with units, and words for those who cannot see it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from podium.report.clock import LocalClock

_NS_PER_MS = 1_000_000
Floats = NDArray[np.float64]
#: `step`: constant over each step; `line`: from point to point; `bar`; `point`: marks alone.
Look = Literal["step", "line", "bar", "point"]


@dataclass(frozen=True)
class TimeAxis:
    """Steps of equal length from `start_ms` (of the Unix epoch) on; values belong to steps."""

    start_ms: int
    step_minutes: int
    steps: int
    zone: str
    """The zone and what its time is called: "Europe/Rome (CET, then CEST)"."""
    offsets: tuple[tuple[int, int, str], ...]
    """From a moment (ms of the epoch) on, local time is so many minutes ahead of UTC and called so."""
    changes: tuple[tuple[int, str], ...] = ()
    """Changes of the clocks: moment, and what they do."""

    @classmethod
    def of(cls, clock: LocalClock) -> TimeAxis:
        """The axis of a study's clock."""

        def ms(edge: int) -> int:
            return int(clock.edges[edge].value) // _NS_PER_MS

        return cls(
            ms(0),
            clock.step_minutes,
            len(clock.times),
            clock.zone_text,
            tuple((ms(run.first), run.minutes, run.name) for run in clock.offset_runs),
            tuple((ms(edge), text) for edge, text in clock.changes),
        )


@dataclass(frozen=True)
class NumberAxis:
    """Numbers, one for each value of the series; `decimals` where they are shown."""

    name: str
    unit: str
    values: Floats
    decimals: int = 2


@dataclass(frozen=True)
class NameAxis:
    """Names, one for each value of the series, from top to bottom."""

    name: str
    names: Sequence[str]


@dataclass(frozen=True)
class Series:
    """Values along the axis, NaN where there is none. Shape (step,) on a time axis."""

    name: str
    values: Floats
    colour: str
    """Name of a colour of the theme (`colours.py`)."""
    look: Look = "step"
    width: float = 1.5
    dashed: bool = False
    filled: bool = False
    right: bool = False
    """Whether the series belongs to the axis on the right."""
    asked_for: bool = False
    """Whether the series is drawn only once its entry in the legend is pressed."""


@dataclass(frozen=True)
class Band:
    """The area between two rows of values. Shape (step,) each."""

    name: str
    low: Floats
    high: Floats
    colour: str


@dataclass(frozen=True)
class Stack:
    """Values that lie upon each other, each at least 0. Shape (step,) each."""

    parts: Sequence[tuple[str, Floats, str]]
    """Name, values, and name of the colour."""


@dataclass(frozen=True)
class ValueAxis:
    """An axis of values. Power and energy are shown in MW and MWh where they are large."""

    title: str
    unit: str
    from_zero: bool = False
    logarithmic: bool = False


@dataclass(frozen=True)
class Figure:
    """A chart."""

    title: str
    description: str
    """What can be seen, in a sentence, for those who cannot."""
    x: TimeAxis | NumberAxis | NameAxis
    y: ValueAxis
    shown: Sequence[Series | Band | Stack]
    y_right: ValueAxis | None = None
    note: str = ""
    """A line under the title."""
    file_name: str = ""
    """Of exports, without ending; made from the title where absent."""
    zoom: bool = True
    """Whether an axis of time has a slider below."""

    def rows_of(self, *, right: bool) -> list[Floats]:
        """All values that belong to an axis."""
        found: list[Floats] = []
        for each in self.shown:
            if isinstance(each, Stack):
                found += [] if right or not each.parts else [np.nansum([row for _, row, _ in each.parts], axis=0)]
            elif isinstance(each, Band):
                found += [] if right else [each.low, each.high]
            elif each.right == right:
                found.append(each.values)
        return found
