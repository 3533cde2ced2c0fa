"""A schedule as it comes, and the same schedule in the order of the study's tables."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from podium.checking import battery, chp, ev_charger, generation, heat_pump, loads
from podium.checking.limits import Floats, Limits, Use
from podium.checking.report import Findings
from podium.devices.device import DeviceTable
from podium.errors import InputError, Problem
from podium.horizon import Horizon
from podium.portfolio import Portfolio


@dataclass(frozen=True)
class Schedule:
    """What every device does, in any order. Power in the load convention: + withdraws, - injects.

    `energy_kwh` is the level at the end of the step, NaN where a device has no store: cells of a battery; heat of a
    store; the energy in the car, 0 while there is none; what may still be cut on this day; what a shiftable load took
    in advance (+) or left outstanding (-) since the day began.
    """

    device_ids: NDArray[np.object_]
    """Shape (device,)."""
    power_kw: Floats
    """Shape (device, step), as all below."""
    energy_kwh: Floats
    aux_kw: Floats
    """Heat of boiler or back-up, kW; 0 or NaN where there is none."""
    spill_kw: Floats
    """Heat vented, kW; 0 or NaN where that is not possible."""

    def __post_init__(self) -> None:
        shape = (len(self.device_ids), self.power_kw.shape[-1])
        for name in ("power_kw", "energy_kwh", "aux_kw", "spill_kw"):
            given = getattr(self, name).shape
            if given != shape:
                raise InputError(Problem(f"schedule, {name}", f"shape {given}", f"{shape}, device x step"))


Rule = Callable[[Findings, DeviceTable, Limits, Horizon, Floats], None]
Cost = Callable[[DeviceTable, Horizon, Use], Floats]


@dataclass(frozen=True)
class Kind:
    """What the check knows of a kind: its limits, a rule over several steps, and what its use costs."""

    limits: Callable[[DeviceTable, Horizon], Limits]
    rule: Rule | None = None
    cost_eur: Cost | None = None


KINDS: dict[str, Kind] = {
    "fixed_load": Kind(loads.fixed_load),
    "curtailable_load": Kind(loads.curtailable_load, cost_eur=loads.curtailment_eur),
    "shiftable_load": Kind(loads.shiftable_load),
    "pv": Kind(generation.renewable),
    "wind": Kind(generation.renewable),
    "chp": Kind(chp.chp, chp.check_running, chp.chp_eur),
    "battery": Kind(battery.battery, battery.check_cycles, battery.battery_eur),
    "ev_charger": Kind(ev_charger.ev_charger, cost_eur=ev_charger.ev_eur),
    "heat_pump": Kind(heat_pump.heat_pump, cost_eur=heat_pump.backup_eur),
    "given_profile": Kind(loads.given_profile),
}


@dataclass(frozen=True)
class Part:
    """The devices of one kind with their limits and their schedule. Arrays of shape (device, step)."""

    name: str
    table: DeviceTable
    limits: Limits
    scheduled: NDArray[np.bool_]
    """False where the schedule says nothing of the device, whose numbers are then NaN. Shape (device,)."""
    power_kw: Floats
    energy_kwh: Floats
    aux_kw: Floats
    spill_kw: Floats
    aux_max_kw: Floats
    """0 where there is no boiler or back-up. Shape (device,)."""
    spill_max_kw: Floats
    """0 where no heat can be vented. Shape (device,)."""

    @property
    def kind(self) -> Kind:
        """What the check knows of this kind."""
        return KINDS[self.name]

    def levels_kwh(self, horizon: Horizon) -> Floats:
        """What the powers make of the store; zeros where there is none. Shape (device, step)."""
        store = self.limits.store
        if store is None:
            return np.zeros(self.power_kw.shape)
        return store.levels_kwh(store.gain_kwh(self.power_kw, self.aux_kw, self.spill_kw, horizon.step_hours))

    def cost_eur(self, horizon: Horizon) -> Floats:
        """What the use of the devices costs, 0 where they are not scheduled. Shape (device,)."""
        if self.kind.cost_eur is None:
            return np.zeros(len(self.limits.ids))
        use = Use(self.limits, self.power_kw, self.levels_kwh(horizon), self.aux_kw)
        cost = self.kind.cost_eur(self.table, horizon, use)
        return np.where(self.scheduled, cost, 0.0)


def parts(portfolio: Portfolio, schedule: Schedule, without: Collection[str] = ()) -> Iterator[Part]:
    """The schedule by kind, in the order of the study's tables; `without` names PODs that have none.

    Of a device that the schedule names twice, the first row counts. Raises InputError where the steps are not those of
    the study.
    """
    steps = portfolio.horizon.steps
    if schedule.power_kw.shape[1] != steps:
        raise InputError(Problem("schedule", f"{schedule.power_kw.shape[1]} steps", f"the {steps} steps of the study"))
    codes, known = pd.factorize(np.asarray(schedule.device_ids, dtype=object))
    first = np.unique(codes, return_index=True)[1]
    absent = np.isin(portfolio.ids, list(without))
    for name, table in portfolio.devices.items():
        limits = KINDS[name].limits(table, portfolio.horizon)
        found = pd.Index(known).get_indexer(pd.Index(limits.ids))
        found[absent[limits.pod]] = -1
        rows = np.where(found >= 0, np.append(first, -1)[found], -1)
        yield _part(name, table, limits, rows, schedule)


def _part(name: str, table: DeviceTable, limits: Limits, rows: NDArray[np.int64], schedule: Schedule) -> Part:
    nothing = np.zeros(len(rows))
    aux_max = limits.store.aux_max_kw if limits.store and limits.store.aux_max_kw is not None else nothing
    spill_max = limits.store.spill_max_kw if limits.store and limits.store.spill_max_kw is not None else nothing
    return Part(
        name,
        table,
        limits,
        rows >= 0,
        _picked(schedule.power_kw, rows),
        _picked(schedule.energy_kwh, rows, none=nothing if limits.store is None else None),
        _picked(schedule.aux_kw, rows, none=aux_max),
        _picked(schedule.spill_kw, rows, none=spill_max),
        aux_max,
        spill_max,
    )


def _picked(values: Floats, rows: NDArray[np.int64], none: Floats | None = None) -> Floats:
    """Rows of `values`, NaN where no number stands; where `none` (device,) is 0, a missing number is 0."""
    found = np.full((len(rows), values.shape[1]), np.nan)
    there = rows >= 0
    found[there] = values[rows[there]]
    numbers = np.isfinite(found)
    if not numbers.all():
        found[~numbers] = np.nan
        if none is not None:
            found[there[:, None] & (none[:, None] == 0) & ~numbers] = 0.0
    return found
