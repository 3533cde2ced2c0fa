"""Re-allocation in real time: a day of a portfolio in which PODs drop out and the sun is not as forecast."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from podium.bench.measure import Found, measured
from podium.bench.mixed import KINDS
from podium.bench.synthetic import market_prices, portfolio_of
from podium.dispatch import (
    Backing,
    Fleet,
    Order,
    Reallocator,
    by_cost,
    by_priority,
    greatest_backing,
    in_proportion,
    safe_backing,
)
from podium.flex.exact import Schedule
from podium.flex.solve import net_power, solve
from podium.flexstore import FlexStore, Floats
from podium.portfolio import Portfolio

PRIORITY = ("battery", "heat_pump", "ev_charger")
DROPPED_OUT, SUN_ERROR = 0.01, 0.3
"""Share of PODs that are absent in a step, and the greatest error of the forecast of the sun."""
BACKED, SUSTAIN_HOURS = 0.5, 1.0
"""Share of what devices could back that is sold, and for how long."""
SPARE_KW = 10.0
"""Room of every connection beyond the greatest power planned."""


def run(pods: int = 10_000) -> Found:
    """CPU time of each step of a day, for each way to choose who takes over."""
    portfolio = portfolio_of(KINDS, pods, buy_profile="buy", sell_profile="sell")
    fleet, schedule = _planned(portfolio)
    sold = _sold(fleet, schedule)
    given = _given(portfolio, fleet.store, schedule)
    kinds = _kinds(portfolio, fleet.store)
    orders = {
        "proportional": in_proportion(fleet.store.devices),
        "cost": by_cost(fleet.store, market_prices().mean() / 1000.0),
        "priority": by_priority(fleet.store, kinds, PRIORITY),
    }
    return {
        "benchmark": "dispatch",
        "pods": pods,
        "devices": fleet.store.devices,
        "steps": fleet.store.steps,
        "backed_kw": float(sold.up_kw.sum(axis=1).mean() + sold.down_kw.sum(axis=1).mean()),
        "takeover": {name: _day(fleet, schedule, sold, given, order) for name, order in orders.items()},
    }


def _day(fleet: Fleet, schedule: Schedule, sold: Backing, given: Floats, order: Order) -> Found:
    """One day, step by step."""
    prepared = measured(lambda: Reallocator(fleet, schedule, sold, order))
    live = prepared.result
    steps = [measured(lambda: live.step(given[:, live.next_step])) for _ in range(fleet.store.steps)]
    milliseconds = np.array([1000.0 * step.cpu_seconds for step in steps])
    hours = fleet.horizon.step_hours
    missing = np.nansum(np.where(np.isnan(given), 0.0, schedule.p - given), axis=0)
    return {
        "cpu_ms_per_step": float(milliseconds.mean()),
        "cpu_ms_of_slowest_step": float(milliseconds.max()),
        "wall_ms_per_step": float(np.mean([1000.0 * step.wall_seconds for step in steps])),
        "prepare_cpu_seconds": prepared.cpu_seconds,
        "deviation_kwh": float(hours * abs(missing).sum()),
        "uncovered_kwh": float(hours * sum(abs(step.result.uncovered_kw) for step in steps)),
    }


def _planned(portfolio: Portfolio) -> tuple[Fleet, Schedule]:
    """Every device's answer to the market price, behind connections that are a little wider than it needs."""
    horizon, store = portfolio.horizon, portfolio.store()
    meter = portfolio.meter().at_price(market_prices(horizon) / 1000.0)
    schedule = solve(store, meter, horizon.step_hours, horizon.day).schedule
    net = net_power(store, schedule.p, len(portfolio))
    connected = replace(
        meter,
        withdrawal_max=np.maximum(net.max(axis=1), 0.0) + SPARE_KW,
        injection_max=np.maximum(-net.min(axis=1), 0.0) + SPARE_KW,
    )
    return Fleet.of(store, connected, horizon), schedule


def _sold(fleet: Fleet, schedule: Schedule) -> Backing:
    """A product up and one down."""
    up, down = greatest_backing(fleet, schedule, SUSTAIN_HOURS)
    nothing = np.zeros_like(up)
    hours = np.full(2, SUSTAIN_HOURS)
    sides = np.stack((BACKED * up, nothing)), np.stack((nothing, BACKED * down))
    return safe_backing(fleet, schedule, Backing(("up", "down"), hours, *sides))


def _given(portfolio: Portfolio, store: FlexStore, schedule: Schedule) -> Floats:
    """What the devices do that nobody can steer, kW; NaN elsewhere. Shape (device, step)."""
    random = np.random.default_rng(14)
    sun = np.isin(store.ids, portfolio.devices["pv"].ids)[:, None]
    absent = random.random((len(portfolio), store.steps)) < DROPPED_OUT
    shining = schedule.p * random.uniform(1.0 - SUN_ERROR, 1.0 + SUN_ERROR, store.steps)
    return np.where(absent[store.pod], 0.0, np.where(sun, shining, np.nan))


def _kinds(portfolio: Portfolio, store: FlexStore) -> list[str]:
    """The kind of each device."""
    kind = {name: table.kind.kind for table in portfolio.devices.values() for name in table.ids}
    return [kind[name] for name in store.ids]
