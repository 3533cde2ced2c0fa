"""One POD, solved: a few lines for tests that are worked out by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from podium.devices import Device
from podium.flex.exact import Schedule
from podium.flex.solve import Solution, solve
from podium.flexstore import FlexStore
from podium.horizon import Horizon
from podium.portfolio import Pod, Portfolio

ROME = ZoneInfo("Europe/Rome")
Floats = NDArray[np.float64]


def at(text: str) -> datetime:
    """A moment in Rome, such as '2018-05-14 22:30'."""
    return datetime.fromisoformat(text).replace(tzinfo=ROME)


def half_hours(steps: int, start: str = "2018-05-14 00:00") -> Horizon:
    return Horizon(at(start), 30, steps, "Europe/Rome")


def portfolio_of(
    devices: Sequence[Device],
    horizon: Horizon,
    profiles: Mapping[str, Sequence[float]] | None = None,
    **pod: float | str,
) -> Portfolio:
    given = {name: np.asarray(values, dtype=float) for name, values in (profiles or {}).items()}
    return Portfolio.of([Pod.model_validate({"pod": "home", "devices": devices, **pod})], horizon, given)


def store_of(
    devices: Sequence[Device], horizon: Horizon, profiles: Mapping[str, Sequence[float]] | None = None
) -> FlexStore:
    return portfolio_of(devices, horizon, profiles).store()


@dataclass(frozen=True)
class Found:
    """The cheapest schedule of one POD."""

    cost_eur: float
    ids: list[str]
    schedule: Schedule
    solution: Solution

    def power_kw(self, device: str) -> Floats:
        return self.schedule.p[self.ids.index(device)]

    def energy_kwh(self, device: str) -> Floats:
        return self.schedule.e[self.ids.index(device)]


def cheapest(
    devices: Sequence[Device],
    horizon: Horizon,
    buy: Sequence[float],
    sell: Sequence[float],
    profiles: Mapping[str, Sequence[float]] | None = None,
    **pod: float,
) -> Found:
    """Solve at these prices, EUR/kWh per step; `pod` holds limits and peak charge."""
    portfolio = portfolio_of(
        devices, horizon, {**(profiles or {}), "buy": buy, "sell": sell}, buy_profile="buy", sell_profile="sell", **pod
    )
    store = portfolio.store()
    solution = solve(store, portfolio.meter(), horizon.step_hours, horizon.day)
    assert not solution.conflicts, solution.conflicts
    assert not solution.failures, solution.failures
    return Found(float(solution.cost_eur[0]), list(store.ids), solution.schedule, solution)
