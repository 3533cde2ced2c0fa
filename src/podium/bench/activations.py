"""A thousand random activations of a mixed portfolio: what is not delivered, and which limits break."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from podium.bench.dispatch import BACKED, SUSTAIN_HOURS
from podium.bench.measure import Found, measured
from podium.bench.mixed import KINDS, LIMITS_KW
from podium.bench.synthetic import portfolio_of
from podium.checking import Schedule as CheckedSchedule
from podium.checking import check_schedule
from podium.dispatch import Backing, Fleet, greatest_backing, try_activations
from podium.dispatch.trial import deliveries
from podium.flex.exact import Schedule
from podium.flex.solve import solve
from podium.portfolio import Portfolio

CHECKED = 20
"""Activations of which all set points are checked."""


def run(pods: int = 200, count: int = 1000) -> Found:
    """Cheapest schedules under a tariff, one product that goes up and down and one that lasts twice as long."""
    portfolio = portfolio_of(KINDS, pods, buy_profile="buy", sell_profile="sell", **LIMITS_KW)
    horizon, store, meter = portfolio.horizon, portfolio.store(), portfolio.meter()
    schedule = solve(store, meter, horizon.step_hours, horizon.day).schedule
    fleet = Fleet.of(store, meter, horizon)
    backing = _sold(fleet, schedule)
    taken = measured(lambda: try_activations(fleet, schedule, backing, count))
    return {
        "benchmark": "activations",
        "pods": pods,
        "devices": store.devices,
        "activations": count,
        "called_kwh": taken.result.called_kwh,
        "undelivered_kwh": taken.result.undelivered_kwh,
        "recovery_kwh": taken.result.recovery_kwh,
        "checked": min(CHECKED, count),
        "violations": _violations(portfolio, fleet, schedule, backing, min(CHECKED, count)),
        "cpu_ms_per_activation": 1000.0 * taken.cpu_seconds / count,
    }


def _sold(fleet: Fleet, schedule: Schedule) -> Backing:
    backing = Backing.none(fleet.store.devices, fleet.store.steps)
    for name, hours in (("short", SUSTAIN_HOURS), ("long", 2 * SUSTAIN_HOURS)):
        up, down = greatest_backing(fleet, schedule, hours, backing)
        backing = Backing(
            (*backing.products, name),
            np.append(backing.sustain_hours, hours),
            np.concatenate((backing.up_kw, BACKED * up[None])),
            np.concatenate((backing.down_kw, BACKED * down[None])),
        )
    return backing


def _violations(portfolio: Portfolio, fleet: Fleet, schedule: Schedule, backing: Backing, count: int) -> int:
    """Limits that the set points break, but for levels wanted at the end of the horizon."""
    portfolio, store = _free_at_the_end(portfolio), fleet.store
    found = 0
    for done in deliveries(fleet, schedule, backing, count):
        given = done.schedule
        levels = np.where(store.has_store[:, None], given.e, np.nan)
        checked = CheckedSchedule(store.ids, given.p, levels, given.aux, given.spill)
        found += check_schedule(portfolio, checked).count
    return found


def _free_at_the_end(portfolio: Portfolio) -> Portfolio:
    """The same portfolio with batteries and tanks that may end at their least level."""
    tables = dict(portfolio.devices)
    levels = {
        "battery": ("energy_end_min_kwh", "energy_min_kwh"),
        "heat_pump": ("heat_store_end_min_kwh", "heat_store_min_kwh"),
    }
    for kind, (end, least) in levels.items():
        table = tables[kind]
        tables[kind] = replace(table, columns={**table.columns, end: table[least]})
    return replace(portfolio, devices=tables)
