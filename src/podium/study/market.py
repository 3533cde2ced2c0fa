"""The key `market` of study.yaml becomes a `Market`, with every problem of it at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from podium.devices import KINDS
from podium.errors import InputError, Problem
from podium.market.prices import EnergyPrices
from podium.market.terms import GroupLimits, Market, PositionLimits
from podium.study.cells import read_numbers, read_text
from podium.study.file_ref import FileRef
from podium.study.market_schema import GroupFile, MarketFile
from podium.study.reserve import reserve_products
from podium.study.surroundings import Surroundings
from podium.study.tables import Table
from podium.study.wording import each, is_missing, one_of

Floats = NDArray[np.float64]
SIDES = ("withdrawal_max_kw", "injection_max_kw")


def market_of(said: MarketFile, around: Surroundings, prices: EnergyPrices | None) -> Market:
    """The market on the steps of the horizon; raises InputError with all that is wrong with it."""
    key = ("market",)
    limits = _limits(said, around, [around.said.where(*key, side) for side in SIDES])
    groups = _groups(said, around)
    reserves = reserve_products(said.reserve, around)
    around.problems += [*_unit_problems(said, around, prices), *_priority_problems(said, around)]
    if around.problems:
        raise InputError(around.problems)
    return Market(
        settlement=said.settlement,
        time_unit_minutes=said.time_unit_minutes,
        reserves=reserves,
        limits=limits,
        peak_eur_per_kw=said.peak_eur_per_kw,
        headroom_up_kw=said.headroom_up_kw,
        headroom_down_kw=said.headroom_down_kw,
        headroom_sustain_hours=said.headroom_sustain_hours,
        groups=groups,
        takeover=said.takeover,
        priority=said.priority,
    )


def _limits(said: MarketFile | GroupFile, around: Surroundings, where: list[str]) -> PositionLimits | None:
    """Limits of a portfolio or a group, None where there is none; `where` has the place of each side."""
    given = [getattr(said, side) for side in SIDES]
    if given == [None, None]:
        return None
    rows = []
    for side, value, place in zip(SIDES, given, where, strict=True):
        row = around.values(value, np.inf, place, side)
        if (row < 0).any():
            step = int(np.argmax(row < 0))
            at = around.horizon.times[step].isoformat(timespec="minutes")
            around.note(place, f"{side}: profile {value!r} is {row[step]:g} at {at}", "numbers at least 0")
        rows.append(row)
    return PositionLimits(rows[0], rows[1])


@dataclass(frozen=True)
class _Group:
    """A group with limits, and where the study says so."""

    said: GroupFile
    where: dict[str, str]


def _groups(market: MarketFile, around: Surroundings) -> tuple[GroupLimits, ...]:
    """Limits of groups; what is wrong is noted."""
    try:
        listed = list(_listed_groups(market, around))
    except InputError as error:
        around.refuse(error)
        return ()
    found: dict[str, GroupLimits] = {}
    for group in listed:
        name, where = group.said.group, group.where["group"]
        if name in found:
            around.note(where, f"group {name!r} stands twice", "each group once")
        if around.groups is not None and name not in around.groups:
            around.note(where, f"unknown group {name!r}", f"a group of the PODs: {one_of(name, around.groups)}")
        limits = _limits(group.said, around, [group.where[side] for side in SIDES])
        if limits is None:
            around.note(where, f"group {name!r} without limits", " or ".join(SIDES))
        else:
            found[name] = GroupLimits(name, limits)
    return tuple(found.values())


def _listed_groups(market: MarketFile, around: Surroundings) -> Iterator[_Group]:
    keys = tuple(GroupFile.model_fields)
    if isinstance(market.groups, FileRef):
        file = around.open(market.groups, "market", "groups")
        problems = [
            Problem(file.header, f"unknown column {name!r}", one_of(name, keys))
            for name in file.names
            if name not in keys
        ]
        if "group" not in file.names:
            problems.append(Problem(file.header, f"column {is_missing('group')}", "a group of PODs in each row"))
        if problems:
            raise InputError(problems)
        yield from _groups_of_table(file.read([name for name in keys if name in file.names]))
        return
    for place, group in enumerate(market.groups):
        yield _Group(group, {key: around.said.where("market", "groups", place, key) for key in keys})


def _groups_of_table(table: Table) -> Iterator[_Group]:
    """Rows of group, and numbers for its limits; raises InputError for cells that hold something else."""
    names, problems = read_text(table, "group", required=True)
    limits: dict[str, Floats] = {}
    for side in SIDES:
        if side in table.columns:
            limits[side], found = read_numbers(table, side, expected="a number at least 0")
            below = np.flatnonzero(limits[side] < 0)
            problems += [*found, *each(below, table.where, f"{side} below 0", "a number at least 0")]
    if problems:
        raise InputError(problems)
    for row, name in enumerate(names):
        given = {side: float(column[row]) for side, column in limits.items() if not np.isnan(column[row])}
        yield _Group(GroupFile(group=name, **given), dict.fromkeys(GroupFile.model_fields, table.where(row)))


def _unit_problems(said: MarketFile, around: Surroundings, prices: EnergyPrices | None) -> Iterator[Problem]:
    """A time unit that is not made of whole steps, or in which prices change."""
    unit, horizon = said.time_unit_minutes, around.horizon
    where = around.said.where("market", "time_unit_minutes")
    if unit is None:
        return
    step = horizon.step_minutes
    if unit % step:
        yield Problem(where, f"time_unit_minutes {unit}", f"a multiple of the step, {step} minutes")
        return
    if horizon.minute_of_day[0] % unit or horizon.steps * step % unit:
        value = f"time units of {unit} minutes in a horizon of {horizon.steps} steps from {horizon.times[0]:%H:%M}"
        yield Problem(where, value, "a horizon that begins and ends with a time unit")
        return
    if prices is not None:
        yield from _prices_within(prices, unit, around, where)


def _prices_within(prices: EnergyPrices, unit: int, around: Surroundings, where: str) -> Iterator[Problem]:
    """The first time unit in which a price changes."""
    each_unit = unit // around.horizon.step_minutes
    for name in ("buy", "sell"):
        by_unit = getattr(prices, name).reshape(-1, each_unit)
        changing = np.flatnonzero(by_unit.min(axis=1) != by_unit.max(axis=1))
        if changing.size:
            at = around.horizon.times[changing[0] * each_unit].isoformat(timespec="minutes")
            value = f"time_unit_minutes {unit}, and the price changes within the time unit of {at}"
            yield Problem(where, value, "one price per time unit, or a time unit as short as the prices'")
            return


def _priority_problems(said: MarketFile, around: Surroundings) -> Iterator[Problem]:
    """Names that are neither kinds nor devices, and a list that is missing or of no use."""
    where = around.said.where("market", "priority")
    if (said.takeover == "priority") != bool(said.priority):
        value = "priority without 'takeover: priority'" if said.priority else "'takeover: priority' without a list"
        yield Problem(where, value, "both or neither")
    for name in said.priority:
        if name not in KINDS and around.devices is not None and name not in around.devices:
            yield Problem(
                where, f"unknown name {name!r}", f"a kind or a device: {one_of(name, [*KINDS, *around.devices], 20)}"
            )
