"""From a study to the task of level 2: what couples its PODs, and who answers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from podium.errors import InputError, Problem
from podium.flex.exclusive import Limits
from podium.local import LocalResult
from podium.market.coupling import LEAST_PENALTY, PENALTY, Coupling, products_of
from podium.market.exact import Task
from podium.market.prices import KWH_PER_MWH
from podium.market.terms import Market
from podium.portfolio import Portfolio
from podium.study import Study

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def task_of(study: Study, local: LocalResult) -> Task:
    """The task of a study; PODs that failed at level 1 keep their declared baseline.

    Raises InputError where the position is to be settled on a market without prices.
    """
    if study.prices is None and study.market.settlement != "retail":
        value = f"settlement {study.market.settlement!r} without market prices"
        raise InputError(Problem(f"study {study.name!r}", value, "prices, or settlement 'retail'"))
    portfolio, market = study.portfolio, study.market
    groups = [group for group in market.groups if group.limits.binding]
    names = portfolio.columns["group"].astype(str)
    area = np.full(len(portfolio), len(groups), dtype=np.int64)
    for number, group in enumerate(groups):
        area[names == group.name] = number
    absent = np.isin(portfolio.ids, [failure.pod for failure in local.baseline.failures])
    retail = market.settlement in ("retail", "both")
    tariff = None if study.prices is None else study.prices.tariff_eur_per_kwh
    options = study.options
    return Task(
        portfolio,
        coupling_of(study, local, area, absent),
        area,
        absent,
        retail,
        tariff if retail else None,
        Limits(options.time_limit_seconds, options.mip_gap),
    )


def coupling_of(study: Study, local: LocalResult, area: Ints, absent: NDArray[np.bool_]) -> Coupling:
    """What couples the PODs of a study."""
    portfolio, market, prices, horizon = study.portfolio, study.market, study.prices, study.horizon
    groups = [group for group in market.groups if group.limits.binding]
    unit = market.unit_of(horizon.steps, horizon.step_minutes)
    buy = sell = None
    dearest = 0.0
    if prices is not None and market.settlement != "retail":
        buy, sell = (_by_unit(row, unit) / KWH_PER_MWH for row in (prices.buy, prices.sell))
        dearest = float(max(abs(buy).max(), abs(sell).max()))
    areas = (*(group.limits for group in groups), None)
    held = np.zeros((len(areas), horizon.steps))
    np.add.at(held, area[absent], local.baseline.net_kw[absent])
    limits = market.limits if market.limits is not None and market.limits.binding else None
    return Coupling(
        horizon.step_hours, unit, buy, sell, products_of(market, prices, horizon), areas, limits,
        market.peak_eur_per_kw, held, max(PENALTY * dearest, LEAST_PENALTY), _most_kw(portfolio, market),
    )  # fmt: skip


def _by_unit(price: Floats, unit: Ints) -> Floats:
    """Mean price of each market time unit. Shape (unit,)."""
    return np.asarray(np.bincount(unit, price) / np.bincount(unit))


def _most_kw(portfolio: Portfolio, market: Market) -> float:
    """More than all PODs together withdraw, inject or back in any step, and than they lack of what they must hold."""
    store = portfolio.store()
    widest = np.maximum(abs(store.p_min), abs(store.p_max)).max(axis=1, initial=0.0)
    return 1.0 + 2.0 * float(widest.sum()) + market.headroom_up_kw + market.headroom_down_kw
