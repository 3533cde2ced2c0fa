"""Compiling the kernels before they are needed."""

from __future__ import annotations

from time import perf_counter

import numpy as np

from podium.devices import Battery, FixedLoad, HeatPump
from podium.flex.elimination import Meeting
from podium.flex.interior import Accuracy, Block, solve_together
from podium.flex.program import Model, arrays
from podium.horizon import Horizon
from podium.local import optimise_local
from podium.market.bidding import bids_of
from podium.market.plan import optimise_portfolio
from podium.market.prices import EnergyPrices
from podium.market.terms import Market, ReserveProduct
from podium.market.virtus.storage import net_power
from podium.portfolio import Pod, Portfolio
from podium.study import Study


def compile_kernels() -> float:
    """Run every kernel once on a small study; they are kept on disk. Returns the seconds it took.

    Prices of both signs, so that value functions are convex for some PODs and general (`piecewise.py`) for others.
    """
    begun = perf_counter()
    horizon = Horizon.days("2018-03-25", 1, 60, "Europe/Rome")
    profiles = {"load": np.ones(horizon.steps)}
    battery = Battery(device="battery", charge_max_kw=2, discharge_max_kw=2, energy_max_kwh=5, energy_initial_kwh=2)
    heat_pump = HeatPump(
        device="heat pump",
        electric_max_kw=2,
        heat_profile="load",
        heat_store_max_kwh=5,
        heat_store_initial_kwh=2,
        backup_heat_max_kw=2,
    )
    pods = [
        Pod(pod="home", devices=[FixedLoad(device="load", profile="load"), battery]),
        Pod(pod="tank", devices=[heat_pump]),
    ]
    portfolio = Portfolio.of(pods, horizon, profiles)
    optimise_local(portfolio, market_eur_per_kwh=np.linspace(-0.1, 0.2, horizon.steps), workers=1)
    two, day = np.full(1, 2.0), np.full((1, horizon.steps), 2.0)
    net_power(two, 2.0 * two, day, day, 0.45 * two, 0.45 * two, 1.0)
    _level2(portfolio)
    _together()
    return perf_counter() - begun


def _level2(portfolio: Portfolio) -> None:
    """A plan that sells reserve and its bid curves, at prices above and below zero."""
    horizon = portfolio.horizon
    ones, block = np.ones(horizon.steps), np.zeros(horizon.steps, dtype=np.int64)
    price = np.linspace(-50.0, 100.0, horizon.steps)
    reserve = ReserveProduct("reserve", "up", block, np.full(1, 5.0), 80.0 * ones)
    study = Study("warm-up", portfolio, EnergyPrices.single(price), market=Market(reserves=(reserve,)))
    bids_of(study, optimise_portfolio(study, workers=1), workers=1)


def _together() -> None:
    """Two programmes that meet in two steps: one has too much, and one sells it."""
    model, steps = Model(2), np.arange(2)
    columns = model.columns(2, -1.0, 1.0, [[0.1, 0.2], [0.3, -0.1]])
    model.add(model.rows(1, -1.0, 1.0).repeat(2), columns, 1.0)
    block = Block(arrays(model), Meeting(steps, columns, np.ones(2), steps), steps)
    solve_together([block], np.zeros(2), np.zeros(2), 2, Accuracy(1e-6, 1e-6))
