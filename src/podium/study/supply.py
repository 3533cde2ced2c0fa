"""Where the profiles and prices of a composition come from: the user, what comes with Podium, or nowhere."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cache, cached_property
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from podium.errors import InputError, Problem
from podium.flexstore import Floats
from podium.horizon import Horizon
from podium.study.composition import Composition
from podium.study.file_ref import FileRef
from podium.study.limits import LIMITS, Limits
from podium.study.load import BUY, PRICE, PRODUCTION, SELL
from podium.study.market import market_profiles
from podium.study.moments import Clock
from podium.study.series import TIME, on_steps, read_series
from podium.study.simbench_profiles import STEP_MINUTES, TIME_ZONE, bundled_profiles, profiles_at, source_day
from podium.study.smard import bundled_prices, bundled_years
from podium.study.tables import open_table
from podium.study.wording import is_missing

Source = Literal["given", "bundled", "stand-in", "missing"]
PRICES = "prices"
MARKET = "market"
_HOUR = 3_600_000_000_000


@dataclass(frozen=True)
class Supply:
    """A profile, or the market prices, and where it comes from."""

    name: str
    source: Source
    detail: str
    """Which days of what; or what is missing."""
    used_by: Mapping[str, int] = field(default_factory=dict)
    """Templates (or `market`) -> number of devices of one POD that use it."""
    values: Floats | None = None
    """On the steps; kW per kW of size, or EUR/MWh. Shape (step,); None where missing."""


@dataclass(frozen=True)
class Needs:
    """Everything that a composition needs for its days."""

    horizon: Horizon
    profiles: tuple[Supply, ...]
    prices: Supply
    prices_needed: bool
    unused: tuple[str, ...] = ()
    """Given columns that nothing uses."""
    price_columns: Mapping[str, Floats] = field(default_factory=dict)
    """Columns of the price table."""

    @property
    def missing(self) -> list[Supply]:
        """What has to be given before the study can be made."""
        found = [supply for supply in self.profiles if supply.source == "missing"]
        lacks_prices = self.prices_needed and self.prices.source == "missing"
        return [*found, self.prices] if lacks_prices else found

    def problems(self) -> list[Problem]:
        """The same in words."""
        return [
            Problem(
                supply.name if supply.name == PRICES else f"profile {supply.name!r}",
                supply.detail,
                f"a column {PRICE!r} among the given profiles, or other days"
                if supply.name == PRICES
                else f"a column {supply.name!r} among the given profiles, or 'nearest_days'",
            )
            for supply in self.missing
        ]


@dataclass(frozen=True)
class Given:
    """Profiles and prices of the user's own, on the steps of the composition."""

    columns: Mapping[str, Floats] = field(default_factory=dict)

    def updated(self, other: Given) -> Given:
        """These, and others that replace those of the same name."""
        return Given({**self.columns, **other.columns})

    def text(self, horizon: Horizon) -> str:
        """As CSV."""
        return pd.DataFrame(dict(self.columns), index=horizon.times.map(pd.Timestamp.isoformat)).to_csv(
            index_label=TIME, lineterminator="\n"
        )


def read_given(path: Path, horizon: Horizon, limits: Limits = LIMITS, local_times: bool = False) -> Given:
    """A table (CSV, Parquet or Excel) with `time` and a column per profile, on the steps of the horizon.

    Columns named as those of a price table are prices. Raises InputError with line, value and what was expected.
    """
    file = open_table(path.parent, FileRef(file=path.name, local_times=local_times), path.name, limits)
    names = [name for name in file.names if name != TIME]
    problems = [] if TIME in file.names else [Problem(file.header, f"column {is_missing(TIME)}", "the start of steps")]
    if not names:
        problems.append(Problem(file.header, "no profiles", "a column per profile"))
    if problems:
        raise InputError(problems)
    values, _ = read_series(file, names, horizon, Clock(horizon.time_zone, local_times))
    return Given(dict(zip(names, values, strict=True)))


def needs(composition: Composition, given: Given | None = None) -> Needs:
    """What a composition needs, each found or missing. Raises InputError where the composition itself is wrong."""
    own = given or Given()
    horizon = composition.horizon
    users = _users(composition)
    bundled = _Bundled(horizon, composition.nearest_days)
    profiles = tuple(
        Supply(name, "given", "given", used_by, own.columns[name])
        if name in own.columns
        else bundled.supply(name, used_by)
        for name, used_by in users.items()
    )
    prices, columns = _prices(composition, own)
    needed = composition.market.settlement != "retail" or any(
        template.at_market_price for template, _ in composition.templates().values()
    )
    unused = tuple(name for name in own.columns if name not in users and name not in (PRICE, BUY, SELL, PRODUCTION))
    return Needs(horizon, profiles, prices, needed, unused, columns)


def _users(composition: Composition) -> dict[str, dict[str, int]]:
    """Profile -> template -> number of devices of one POD that use it; the market's own last."""
    users: dict[str, dict[str, int]] = {}
    for name, (template, _) in composition.templates().items():
        for profile, count in Counter(template.profiles()).items():
            users.setdefault(profile, {})[name] = count
    for profile in market_profiles(composition.market, composition.market.listed_groups):
        users.setdefault(profile, {})[MARKET] = 1
    return users


@dataclass(frozen=True)
class _Bundled:
    """The extract of SimBench's profiles on the days of a horizon."""

    horizon: Horizon
    nearest: bool

    def supply(self, name: str, used_by: Mapping[str, int]) -> Supply:
        """A profile of the extract, or why there is none."""
        if name not in _extract().columns:
            return Supply(name, "missing", "no bundled profile has this name", used_by)
        if self._lacking and not self.nearest:
            return Supply(name, "missing", _lacks(self._lacking), used_by)
        source: Source = "stand-in" if self._lacking else "bundled"
        return Supply(name, source, self._told, used_by, self._values[name])

    @cached_property
    def _days(self) -> list[date]:
        return list(dict.fromkeys(self.horizon.times.date))

    @cached_property
    def _lacking(self) -> list[date]:
        return [day for day in self._days if source_day(day) not in _extract_days()]

    @property
    def _source_of(self) -> Callable[[date], date]:
        return nearest_day if self._lacking else source_day

    @property
    def _told(self) -> str:
        first, last = (self._source_of(day) for day in (self._days[0], self._days[-1]))
        return f"SimBench {first}" if first == last else f"SimBench {first} to {last}"

    @cached_property
    def _values(self) -> Mapping[str, Floats]:
        """All profiles on the steps of the horizon."""
        quarters = Horizon.days(self._days[0], len(self._days), STEP_MINUTES, self.horizon.time_zone).times
        found = profiles_at(_extract(), quarters, self._source_of)
        starts = np.asarray(quarters.as_unit("ns").asi8)
        values = on_steps(found.to_numpy().T, starts, STEP_MINUTES * _HOUR // 60, self.horizon)
        return dict(zip(map(str, found.columns), values, strict=True))


@cache
def _extract() -> pd.DataFrame:
    return bundled_profiles()


@cache
def _extract_days() -> frozenset[date]:
    return frozenset(pd.DatetimeIndex(_extract().index).tz_convert(TIME_ZONE).date)


def nearest_day(day: date) -> date:
    """The day of the bundled extract that stands in for `day`: itself, or the nearest in the year on that weekday.

    >>> nearest_day(date(2018, 6, 13))  # a Wednesday in June; the extract has weeks of March and of July
    datetime.date(2016, 7, 13)
    """
    wanted = source_day(day)

    def distance(found: date) -> tuple[int, date]:
        days = abs((found - wanted).days)
        return min(days, 366 - days), found

    return min((found for found in _extract_days() if found.weekday() == wanted.weekday()), key=distance)


def _lacks(days: Iterable[date]) -> str:
    first, *others = days
    more = f" and {len(others)} more days" if others else ""
    return f"the bundled extract lacks {source_day(first)}, which stands for {first}{more}"


def bundled_weeks() -> list[tuple[date, date]]:
    """First and last day of each stretch of days that the bundled extract has, in 2016."""
    stretches: list[tuple[date, date]] = []
    for day in sorted(_extract_days()):
        if stretches and stretches[-1][1] + timedelta(days=1) == day:
            stretches[-1] = (stretches[-1][0], day)
        else:
            stretches.append((day, day))
    return stretches


def _prices(composition: Composition, given: Given) -> tuple[Supply, dict[str, Floats]]:
    own = {name: given.columns[name] for name in (PRICE, BUY, SELL, PRODUCTION) if name in given.columns}
    if own:
        first = own.get(PRICE, own.get(BUY, next(iter(own.values()))))
        return Supply(PRICES, "given", "given", values=first), own
    horizon = composition.horizon
    begin = pd.Timestamp(horizon.start).tz_convert("UTC").floor("h")
    try:
        found = bundled_prices(composition.price_zone, begin.to_pydatetime(), horizon.end)
    except InputError as error:
        return Supply(PRICES, "missing", _no_prices(error.problems[0], composition)), {}
    starts = np.asarray(pd.DatetimeIndex(found.index).as_unit("ns").asi8)
    values = on_steps(np.asarray(found, dtype=np.float64)[None, :], starts, _HOUR, horizon)[0]
    return Supply(PRICES, "bundled", f"SMARD day-ahead, {composition.price_zone}", values=values), {PRICE: values}


def _no_prices(problem: Problem, composition: Composition) -> str:
    """Why there are no bundled prices, in words."""
    years = bundled_years()
    if {stamp.year for stamp in composition.horizon.times} <= set(years):
        return f"{problem.value}; there is {problem.expected}" if "no zone" in problem.value else problem.value
    bundled = " and ".join(str(year) for year in years)
    return f"no bundled prices of {composition.start} and on; those of {bundled} come along"
