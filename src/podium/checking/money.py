"""What a schedule costs and earns, worked out again from the study's tariffs, prices and device costs."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike

from podium.checking.judge import net_kw
from podium.checking.limits import Floats
from podium.checking.schedule import Part, Schedule, parts
from podium.errors import InputError, Problem
from podium.portfolio import Portfolio

KWH_PER_MWH = 1000.0

BuySell = tuple[ArrayLike, ArrayLike]
"""Prices for buying and for selling, each of shape (step,)."""


class MarketPrices(Protocol):
    """Prices of energy per step, EUR/MWh. Shapes (step,)."""

    @property
    def buy(self) -> Floats:
        """Paid for net withdrawal."""

    @property
    def sell(self) -> Floats:
        """Received for net injection."""


def level1_cost_eur(
    portfolio: Portfolio,
    schedule: Schedule,
    market_eur_per_kwh: ArrayLike | None = None,
    without_pods: Collection[str] = (),
) -> Floats:
    """Cost of each POD under its tariff: energy, peak charge and use of its devices, EUR. Shape (pod,).

    A POD without a tariff pays and receives `market_eur_per_kwh` (step,). NaN for `without_pods`. Raises InputError
    where a POD has no price.
    """
    placed = list(parts(portfolio, schedule, without_pods))
    market = None if market_eur_per_kwh is None else (market_eur_per_kwh, market_eur_per_kwh)
    return np.asarray(retail_eur(portfolio, net_kw(portfolio, placed), market) + _use_eur(portfolio, placed))


def retail_eur(portfolio: Portfolio, net_kw: Floats, market_eur_per_kwh: BuySell | None = None) -> Floats:
    """Bill of each POD for its net power (pod, step) under its tariff, peak charge included, EUR. Shape (pod,).

    A POD without a tariff pays and receives the buying and the selling price of `market_eur_per_kwh`. Raises
    InputError where a POD has no price.
    """
    buy_market, sell_market = (None, None) if market_eur_per_kwh is None else market_eur_per_kwh
    withdrawal, injection = np.maximum(net_kw, 0.0), np.maximum(-net_kw, 0.0)
    buy, sell = _tariff(portfolio, "buy", buy_market), _tariff(portfolio, "sell", sell_market)
    energy = portfolio.horizon.step_hours * (withdrawal * buy - injection * sell).sum(axis=1)
    return np.asarray(energy + portfolio.columns["peak_eur_per_kw"] * withdrawal.max(axis=1))


def device_cost_eur(portfolio: Portfolio, schedule: Schedule, without_pods: Collection[str] = ()) -> Floats:
    """What the use of each POD's devices costs, EUR, the energy through the meter apart. Shape (pod,).

    Wear, fuel, starts, boiler and back-up heat, what is cut and what cars lack at departure, less the value of energy
    left at the end. 0 for `without_pods`.
    """
    return _use_eur(portfolio, list(parts(portfolio, schedule, without_pods)))


def market_profit_eur(
    portfolio: Portfolio, schedule: Schedule, prices: MarketPrices, without_pods: Collection[str] = ()
) -> float:
    """What the market pays for the portfolio's net energy, less the use of the devices, EUR."""
    placed = list(parts(portfolio, schedule, without_pods))
    net = np.nansum(net_kw(portfolio, placed), axis=0)
    return float(energy_profit_eur(portfolio, net, prices).sum() - _use_eur(portfolio, placed).sum())


def energy_profit_eur(portfolio: Portfolio, position_kw: Floats, prices: MarketPrices) -> Floats:
    """What the market pays for a net power of `position_kw` (step,), EUR. Shape (step,)."""
    withdrawal, injection = np.maximum(position_kw, 0.0), np.maximum(-position_kw, 0.0)
    per_hour = injection * prices.sell - withdrawal * prices.buy
    return np.asarray(per_hour * portfolio.horizon.step_hours / KWH_PER_MWH)


def _use_eur(portfolio: Portfolio, placed: Sequence[Part]) -> Floats:
    cost = np.zeros(len(portfolio))
    for part in placed:
        np.add.at(cost, part.limits.pod, part.cost_eur(portfolio.horizon))
    return cost


def _tariff(portfolio: Portfolio, side: str, market: ArrayLike | None) -> Floats:
    """EUR/kWh for buying or selling: profile times scale where there is one, else the number, else the market's.

    Shape (pod, step).
    """
    shape = (len(portfolio), portfolio.horizon.steps)
    number, row = portfolio.columns[f"{side}_eur_per_kwh"], portfolio.columns[f"{side}_profile"]
    price = np.broadcast_to(np.nan if market is None else np.asarray(market, dtype=float), shape)
    price = np.where(np.isnan(number)[:, None], price, number[:, None])
    for pod in np.flatnonzero(row >= 0):
        price[pod] = portfolio.profiles.values[row[pod]] * portfolio.columns[f"{side}_scale"][pod]
    missing = np.flatnonzero(np.isnan(price).any(axis=1))
    if missing.size:
        where = f"POD {portfolio.ids[missing[0]]!r}"
        raise InputError(Problem(where, f"no price for {side}ing", "a tariff, or a market price"))
    return price
