"""The key `market` of study.yaml becomes a `Market` on the steps of a horizon, with everything wrong in it."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from podium.devices import KINDS
from podium.errors import InputError, Problem
from podium.horizon import Horizon
from podium.market.prices import EnergyPrices
from podium.market.terms import BACKING_KINDS, GroupLimits, Market, PositionLimits, ReserveProduct
from podium.study.blocks import Blocks, Window, read_blocks, read_values
from podium.study.file_ref import FileRef
from podium.study.groups import Group, listed_groups, read_groups
from podium.study.market_schema import BlockTable, GroupKeys, LimitKeys, MarketKeys, ReserveKeys
from podium.study.moments import Clock
from podium.study.presets import products_of
from podium.study.tables import TableFile
from podium.study.wording import is_missing, one_of

Floats = NDArray[np.float64]
Key = tuple[str | int, ...]
RESULT_NAMES = ("energy", "headroom")
"""Names that result files use for what is no reserve product."""
AVAILABILITY, MAXIMUM = "availability_eur_per_mw_h", "maximum_mw"
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_HOURS = re.compile(r"(\d{1,2}):(\d\d)\s*-\s*(\d{1,2}):(\d\d)")


class Place(Protocol):
    """What the keys of the market need to know of the study that they stand in."""

    @property
    def horizon(self) -> Horizon:
        """The time axis."""

    def where(self, *key: str | int) -> str:
        """Place of a key of study.yaml."""

    def open(self, ref: FileRef, *key: str | int) -> TableFile:
        """The file of a key of study.yaml."""

    def clock(self, ref: FileRef) -> Clock:
        """How a file tells the time."""


def market_profiles(keys: MarketKeys, groups: Iterable[GroupKeys]) -> dict[str, Key]:
    """Names of the profiles that the market's keys refer to -> the first key that does."""
    found: dict[str, Key] = {}

    def note(value: object, *key: str | int) -> None:
        if isinstance(value, str):
            found.setdefault(value, ("market", *key))

    for name in LimitKeys.model_fields:
        note(getattr(keys.limits, name), "limits", name)
    for row, group in enumerate(groups):
        for name in LimitKeys.model_fields:
            note(getattr(group, name), "groups", row, name)
    for row, product in enumerate(keys.reserve):
        note(product.activation_eur_per_mwh, "reserve", row, "activation_eur_per_mwh")
    return found


def market_groups(keys: MarketKeys, place: Place) -> list[Group]:
    """The groups that have limits; raises InputError with everything wrong in their table."""
    if isinstance(keys.groups, FileRef):
        return read_groups(place.open(keys.groups, "market", "groups"))
    return listed_groups(keys.listed_groups, lambda row, key: place.where("market", "groups", row, key))


@dataclass
class MarketReader:
    """Reads the market's keys; `problems` and `notices` grow."""

    keys: MarketKeys
    place: Place
    profiles: Mapping[str, Floats]
    """The profiles that the keys name and that are there; shape (step,) each."""
    limited: Iterable[Group]
    """Groups that have limits."""
    groups: Collection[str]
    """Groups that PODs name."""
    members: Collection[str]
    """Ids of devices."""
    problems: list[Problem] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)

    @property
    def _steps(self) -> int:
        return self.place.horizon.steps

    def market(self) -> Market:
        """The market; it is whole only where no problem was found."""
        keys = self.keys
        limits = self._limits(keys.limits, lambda key: self.place.where("market", "limits", key))
        return Market(
            settlement=keys.settlement,
            time_unit_minutes=self._time_unit(),
            reserves=tuple(self._reserves()),
            limits=limits if limits.binding else None,
            peak_eur_per_kw=keys.peak_eur_per_kw,
            headroom_up_kw=keys.headroom_up_kw,
            headroom_down_kw=keys.headroom_down_kw,
            headroom_sustain_hours=keys.headroom_sustain_hours,
            groups=tuple(self._groups()),
            takeover=keys.takeover,
            priority=self._priority(),
        )

    def _say(self, value: str, expected: str, *key: str | int) -> None:
        """Tell a problem; once where products of one preset share it."""
        problem = Problem(self.place.where("market", *key), value, expected)
        if problem not in self.problems:
            self.problems.append(problem)

    @contextmanager
    def _noting(self, *key: str | int) -> Iterator[None]:
        """Note problems and go on. Those without a file are of the key that their `where` names, if any."""
        try:
            yield
        except InputError as error:
            for found in error.problems:
                if found.where in ReserveKeys.model_fields or not found.where:
                    self._say(found.value, found.expected, *key, found.where)
                else:
                    self.problems.append(found)

    # ---- limits of the portfolio and of groups

    def _limits(self, keys: LimitKeys, where: Callable[[str], str]) -> PositionLimits:
        return PositionLimits(
            self._limit(keys.withdrawal_max_kw, where("withdrawal_max_kw")),
            self._limit(keys.injection_max_kw, where("injection_max_kw")),
        )

    def _limit(self, value: float | str | None, where: str) -> Floats:
        """A limit on the steps. Shape (step,)."""
        row = self._series(value, math.inf)
        if (row < 0).any():
            step = int(np.argmax(row < 0))
            time = self.place.horizon.times[step].isoformat(timespec="minutes")
            self.problems.append(Problem(where, f"profile {value!r} is {row[step]:g} at {time}", "numbers at least 0"))
        return row

    def _series(self, value: float | str | None, absent: float) -> Floats:
        """A number or a profile on the steps. Shape (step,)."""
        if not isinstance(value, str):
            return np.full(self._steps, absent if value is None else float(value))
        return self.profiles.get(value, np.zeros(self._steps))

    def _groups(self) -> Iterator[GroupLimits]:
        seen: set[str] = set()
        for group in self.limited:
            name, where = group.keys.group, group.where("group")
            if name not in self.groups:
                expected = f"a group that PODs name: {one_of(name, self.groups)}"
                self.problems.append(Problem(where, f"unknown group {name!r}", expected))
            if name in seen:
                self.problems.append(Problem(where, f"group {name!r} stands twice", "each group once"))
            seen.add(name)
            yield GroupLimits(name, self._limits(group.keys, group.where))

    def _priority(self) -> tuple[str, ...]:
        known = [*KINDS, *self.members]
        for row, name in enumerate(self.keys.priority):
            if name not in known:
                expected = f"a kind of device or the id of one: {one_of(name, known)}"
                self._say(f"priority {name!r}", expected, "priority", row)
        if self.keys.takeover == "priority" and not self.keys.priority:
            self._say("takeover 'priority' without a list", "'priority:' with kinds or ids of devices", "takeover")
        return self.keys.priority

    def _time_unit(self) -> int | None:
        """The market's time unit, of which the horizon holds whole ones."""
        unit, horizon = self.keys.time_unit_minutes, self.place.horizon
        if unit is None:
            return None
        at = "time_unit_minutes"
        if unit % horizon.step_minutes:
            value = f"a time unit of {unit} min and steps of {horizon.step_minutes} min"
            self._say(value, "a time unit of whole steps", at)
        elif int(horizon.minute_of_day[0]) % unit or horizon.steps * horizon.step_minutes % unit:
            value = f"a horizon that is cut within a time unit of {unit} min"
            self._say(value, "one that begins and ends with a time unit", at)
        return unit

    # ---- reserve

    def _reserves(self) -> Iterator[ReserveProduct]:
        seen: set[str] = set()
        for row, keys in enumerate(self.keys.reserve):
            with self._noting("reserve", row):
                products = products_of(keys)
                self._needed(products, row)
                for name, product in products.items():
                    if name in RESULT_NAMES:
                        self._say(f"product {name!r}", "another name; results use this one", "reserve", row)
                    if name and name in seen:
                        self._say(f"product {name!r} stands twice", "names that are unique", "reserve", row)
                    seen.add(name)
                    with self._noting("reserve", row):
                        yield from self._product(name, product, row)

    def _product(self, name: str, keys: ReserveKeys, row: int) -> Iterator[ReserveProduct]:
        before = len(self.problems)
        self._offers(keys, row)
        blocks = self._blocks(name, keys, row)
        if blocks is None:
            return
        availability = self._per_block(AVAILABILITY, keys.availability_eur_per_mw_h, 0.0, name, blocks, row)
        maximum = self._per_block(MAXIMUM, keys.maximum_mw, math.inf, name, blocks, row)
        activation = self._series(keys.activation_eur_per_mwh, 0.0)
        self._maximum_fits(keys, maximum, row)
        if len(self.problems) > before or keys.missing() or keys.direction is None:
            return
        yield ReserveProduct(
            name=name,
            direction=keys.direction,
            block=blocks.of_step,
            availability_eur_per_mw_h=availability,
            activation_eur_per_mwh=activation,
            activated_share=keys.activated_share or 0.0,
            sustain_hours=1.0 if keys.sustain_hours is None else keys.sustain_hours,
            minimum_mw=keys.minimum_mw or 0.0,
            increment_mw=keys.increment_mw or 0.0,
            maximum_mw=maximum,
            kinds=BACKING_KINDS if keys.kinds is None else keys.kinds,
        )

    def _needed(self, products: Mapping[str, ReserveKeys], row: int) -> None:
        """Keys that products cannot do without, each told once for all of a preset that lack it."""
        lacking: dict[str, list[str]] = {}
        for name, keys in products.items():
            for key in ([] if name else ["name"]) + keys.missing():
                lacking.setdefault(key, []).append(name)
        for key, names in lacking.items():
            told = " and ".join(repr(name) for name in names)
            of = f" in product{'s' if len(names) > 1 else ''} {told}" if names != [""] else " (or a preset)"
            self._say(is_missing(key) + of, f"a line '{key}: ...'", "reserve", row)
        if any(keys.only is not None for keys in products.values()):
            self._say("'only' without a preset", "'preset:' with it", "reserve", row, "only")

    def _offers(self, keys: ReserveKeys, row: int) -> None:
        """Kinds that exist."""
        for place, kind in enumerate(keys.kinds or ()):
            if kind not in KINDS:
                self._say(f"unknown kind of device {kind!r}", one_of(kind, KINDS, 20), "reserve", row, "kinds", place)

    def _maximum_fits(self, keys: ReserveKeys, maximum: Floats, row: int) -> None:
        """The greatest offer is one that may be made."""
        at = ("reserve", row, MAXIMUM)
        minimum, increment = keys.minimum_mw or 0.0, keys.increment_mw or 0.0
        greatest = maximum[np.isfinite(maximum)]
        if (small := greatest[greatest < minimum]).size:
            self._say(f"at most {small[0]:g} MW and at least {minimum:g} MW", "a maximum above the minimum", *at)
        if increment > 0:
            parts = greatest / increment
            if (odd := greatest[np.abs(parts - np.round(parts)) > 1e-9 * np.maximum(parts, 1)]).size:
                value = f"at most {odd[0]:g} MW in steps of {increment:g} MW"
                self._say(value, "a maximum that is a multiple of the increment", *at)

    def _blocks(self, name: str, keys: ReserveKeys, row: int) -> Blocks | None:
        """Where the product is sold; None where that cannot be said (a problem)."""
        table = keys.availability_eur_per_mw_h
        blocks = None
        self._held_long_enough(keys, row)
        with self._noting("reserve", row, "block_minutes"):
            if isinstance(table, BlockTable) and keys.block_minutes is None and keys.hours is None:
                file = self.place.open(table, "market", "reserve", row, AVAILABILITY)
                blocks = read_blocks(file, _columns(table, name, AVAILABILITY), self.place.horizon, self._clock(table))
                self._long_enough(keys, min(blocks.ends - blocks.starts, default=0) * self._step_hours, row)
            elif (window := self._window(keys, row)) is not None:
                self._long_enough(keys, window.block_minutes / 60, row)
                if not self._some_day(window, name, row):
                    return None
                blocks = window.blocks(self.place.horizon)
        if blocks is not None:
            self._remark(blocks, name, row)
        return blocks

    @property
    def _step_hours(self) -> float:
        return self.place.horizon.step_hours

    def _held_long_enough(self, keys: ReserveKeys, row: int) -> None:
        """An offer is held as long as the product asks for."""
        held = 1.0 if keys.sustain_hours is None else keys.sustain_hours
        if keys.least_hours is not None and held < keys.least_hours:
            self._say(f"held for {held:g} h", f"at least {keys.least_hours:g} h", "reserve", row, "sustain_hours")

    def _long_enough(self, keys: ReserveKeys, hours: float, row: int) -> None:
        """Blocks of these hours are as long as the product asks for."""
        if keys.least_hours is not None and hours < keys.least_hours:
            key = "hours" if keys.block_minutes is None else "block_minutes"
            self._say(f"offered for {hours:g} h", f"at least {keys.least_hours:g} h", "reserve", row, key)

    def _some_day(self, window: Window, name: str, row: int) -> bool:
        """Whether the product is sold on any day of the horizon; where not, that is worth knowing."""
        some = bool(np.isin(self.place.horizon.times.day_of_week, window.weekdays).any())
        if not some:
            where, days = (
                self.place.where("market", "reserve", row),
                ", ".join(WEEKDAYS[day] for day in window.weekdays),
            )
            self.notices.append(f"{where}: product {name!r} is sold on {days} alone, so nothing of it here")
        return some

    def _remark(self, blocks: Blocks, name: str, row: int) -> None:
        """A product that is sold nowhere is a problem, a block that the horizon cuts is worth knowing."""
        times = self.place.horizon.times
        cut = [times[int(step)].isoformat(timespec="minutes") for step in np.flatnonzero(blocks.cut)]
        if not len(blocks.starts):
            value = f"product {name!r} has no whole block between {times[0].isoformat(timespec='minutes')} and the end"
            self._say(value, "hours and days inside the horizon", "reserve", row)
        elif cut:
            where = self.place.where("market", "reserve", row)
            self.notices.append(
                f"{where}: product {name!r} is not sold in the blocks that the horizon holds in part, as at {cut[0]}"
            )

    def _window(self, keys: ReserveKeys, row: int) -> Window | None:
        """Hours and blocks; None where they do not fit (a problem)."""
        hours = _hours(keys.hours or "00:00-24:00")
        if hours is None:
            expected = "hours of one day such as 15:00-18:00, not past midnight (24:00)"
            self._say(f"hours {keys.hours!r}", expected, "reserve", row, "hours")
            return None
        days = tuple(WEEKDAYS.index(day) for day in keys.weekdays or WEEKDAYS)
        window = Window(*hours, keys.block_minutes or hours[1] - hours[0], days)
        if not window.divided:
            length = hours[1] - hours[0]
            value = f"blocks of {window.block_minutes} min in {length / 60:g} h"
            divide = "the day" if keys.hours is None else f"the hours {keys.hours}"
            self._say(value, f"a length that divides {divide}", "reserve", row, "block_minutes")
            return None
        return window

    def _per_block(
        self, key: str, value: float | BlockTable | None, absent: float, name: str, blocks: Blocks, row: int
    ) -> Floats:
        """A number or a table, per block. Shape (block,)."""
        if isinstance(value, BlockTable):
            with self._noting("reserve", row, key):
                file = self.place.open(value, "market", "reserve", row, key)
                columns = _columns(value, name, key)
                free = math.inf if key == MAXIMUM else None
                return read_values(file, columns, blocks, self.place.horizon, self._clock(value), free)
        return np.full(len(blocks.starts), value if isinstance(value, int | float) else absent, dtype=float)

    def _clock(self, ref: FileRef) -> Clock:
        return self.place.clock(ref)


def _columns(table: BlockTable, name: str, key: str) -> tuple[str, ...]:
    """Columns in which a value may stand."""
    return (table.column,) if table.column is not None else (name, key)


def _hours(text: str) -> tuple[int, int] | None:
    """First and last minute of hours of a day; None where they are none."""
    found = _HOURS.fullmatch(text.strip())
    if found is None:
        return None
    first_hour, first_minute, last_hour, last_minute = (int(part) for part in found.groups())
    first, last = 60 * first_hour + first_minute, 60 * last_hour + last_minute
    right = first < last <= 24 * 60 and max(first_minute, last_minute) < 60
    return (first, last) if right else None


def price_problems(prices: EnergyPrices, keys: MarketKeys, horizon: Horizon, where: str) -> list[Problem]:
    """Prices that change within a time unit of the market."""
    steps = (keys.time_unit_minutes or horizon.step_minutes) // horizon.step_minutes
    if steps <= 1 or horizon.steps % steps:
        return []
    rows = np.stack((prices.buy, prices.sell))
    units = rows.reshape(2, -1, steps)
    uneven = np.flatnonzero((units != units[:, :, :1]).any(axis=(0, 2)))
    if not uneven.size:
        return []
    time = horizon.times[uneven[0] * steps].isoformat(timespec="minutes")
    more = f" (and in {len(uneven) - 1} more)" if len(uneven) > 1 else ""
    value = f"prices change within the time unit of {keys.time_unit_minutes} min from {time}{more}"
    return [Problem(where, value, "one price per time unit")]
