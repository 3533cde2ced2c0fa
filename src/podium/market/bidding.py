"""From a plan to its bids: every POD's answer to the prices of each market time unit, summed (docs/maths/bids.md)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from podium.compute import Workers, each
from podium.dispatch import Backing, Fleet
from podium.dispatch.keeping import keeping
from podium.flex.branches import Programmed
from podium.flex.elastic import Bidders, Elastic, Ladder, elastic
from podium.flex.exact import Schedule
from podium.flex.exclusive import Limits
from podium.flex.respond import Signal
from podium.market.bids import (
    KW_PER_MW,
    EnergyCurve,
    Expected,
    bid_rows,
    energy_curve,
    joint_net_kw,
    mean_limits,
    price_ladder,
)
from podium.market.plan import Plan
from podium.market.prices import KWH_PER_MWH
from podium.portfolio import Portfolio
from podium.study import Study

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

PART_PODS = 64
#: Portfolios of at most so many PODs bid by programmes too, unless the study says otherwise.
EXACT_PODS = 256


@dataclass(frozen=True)
class Bids:
    """What a plan bids."""

    rows: pd.DataFrame
    """In the columns of bids.parquet."""
    curve: EnergyCurve | None
    """None where the portfolio is not settled on the market, or has nothing but level 1's baseline to offer there."""
    held: Ints
    """PODs that keep their plan at any price, by number; empty without a curve."""


@dataclass(frozen=True)
class _Share:
    """A part of the portfolio, with the plan of its PODs."""

    portfolio: Portfolio
    tariff_eur_per_kwh: Floats | None
    """Of PODs without one of their own; None where all are billed on the market alone."""
    area: Ints
    answers: Bools
    planned_kw: Floats
    schedule: Schedule
    backing: Backing | None
    limits: Limits | None
    """Of programmes; None where PODs that need one hold their plan."""


def bids_of(study: Study, plan: Plan, workers: Workers = None) -> Bids:
    """The energy curve of an exact plan and all its offers."""
    horizon, market = study.horizon, study.market
    unit = market.unit_of(horizon.steps, horizon.step_minutes)
    offers = [plan.offers_kw[product.name] / KW_PER_MW for product in market.reserves if product.name in plan.offers_kw]
    sold = [product for product in market.reserves if product.name in plan.offers_kw]
    if study.prices is None or market.settlement == "retail" or plan.method != "exact":
        return Bids(bid_rows(horizon, unit, None, sold, offers), None, np.zeros(0, dtype=np.int64))
    signal = _signal(study, plan)
    expected = _expected(study, plan, signal, unit)
    ladder = price_ladder(unit, expected.auction_eur_per_mwh)
    parts = _answers(study, plan, signal, ladder, workers)
    areas = (None,) if plan.coupling is None else plan.coupling.areas
    limits = mean_limits(market.limits, ladder, _called_kw(study, plan))
    curve = energy_curve(joint_net_kw(parts, areas, ladder), ladder, expected, *limits)
    held = np.concatenate([PART_PODS * number + part.held for number, part in enumerate(parts)])
    return Bids(bid_rows(horizon, unit, curve, sold, offers), curve, held)


def _signal(study: Study, plan: Plan) -> Signal:
    """Prices that the PODs answer in the plan."""
    if plan.prices is not None:
        return plan.prices
    if study.prices is None:
        raise ValueError("a plan without coordination answers market prices")
    return Signal(study.prices.buy[None] / KWH_PER_MWH, np.zeros((1, 0, 2, study.horizon.steps)))


def _expected(study: Study, plan: Plan, signal: Signal, unit: Ints) -> Expected:
    size = np.bincount(unit)
    prices = study.prices
    if prices is None:
        raise ValueError("bids for energy need its prices")
    rows = (prices.buy, prices.sell, KWH_PER_MWH * signal.energy[-1], plan.position_kw)
    return Expected(*(np.asarray(np.bincount(unit, row) / size) for row in rows))


def _called_kw(study: Study, plan: Plan) -> Floats:
    """All offers and the headroom, up and down, in each step. Shape (2, step)."""
    market = study.market
    called = np.zeros((2, study.horizon.steps))
    called[0], called[1] = market.headroom_up_kw, market.headroom_down_kw
    for product in market.reserves:
        sold = product.block >= 0
        kw = np.asarray(plan.offers_kw.get(product.name, np.zeros(product.blocks)))[product.block[sold]]
        called[0, sold] += kw * product.up
        called[1, sold] += kw * product.down
    return called


def _answers(study: Study, plan: Plan, signal: Signal, ladder: Ladder, workers: Workers) -> list[Elastic]:
    """The answers of all parts, in their order."""
    count = len(study.portfolio)
    owner = study.portfolio.store().pod
    shares = [
        partial(_share, study, plan, owner, first, min(first + PART_PODS, count))
        for first in range(0, count, PART_PODS)
    ]
    found = dict(each(partial(_answer, signal=signal, ladder=ladder), shares, workers))
    return [found[number] for number in range(len(shares))]


def _share(study: Study, plan: Plan, owner: Ints, first: int, last: int) -> _Share:
    devices = slice(*np.searchsorted(owner, [first, last]))
    schedule = Schedule(*(getattr(plan.schedule, name)[devices] for name in ("p", "e", "aux", "spill")))
    backing = plan.backing
    if backing is not None:
        sides = backing.up_kw[:, devices], backing.down_kw[:, devices]
        backing = Backing(backing.products, backing.sustain_hours, *sides)
    failed = [failure.pod for failure in plan.failures]
    tariff = study.prices.tariff_eur_per_kwh if study.prices and study.market.settlement == "both" else None
    area = np.zeros(last - first, dtype=np.int64) if plan.area is None else plan.area[first:last]
    answers = ~np.isin(study.portfolio.ids[first:last], failed)
    part = study.portfolio.part(first, last)
    options = study.options
    limits = Limits(options.time_limit_seconds, options.mip_gap) if _exact(study) else None
    return _Share(part, tariff, area, answers, plan.pod_kw[first:last], schedule, backing, limits)


def _exact(study: Study) -> bool:
    """Whether PODs that need a programme answer too."""
    curves = study.options.curves
    return curves == "exact" or (curves == "auto" and len(study.portfolio) <= EXACT_PODS)


def _answer(share: _Share, signal: Signal, ladder: Ladder) -> Elastic:
    """What a part's PODs withdraw at the rungs; what they back stays backed."""
    portfolio, horizon = share.portfolio, share.portfolio.horizon
    store = portfolio.store()
    meter = portfolio.meter(np.zeros(horizon.steps)).at_price(0.0)
    if share.tariff_eur_per_kwh is not None:
        meter = portfolio.meter(share.tariff_eur_per_kwh)
    bidders = Bidders.of(store, meter, horizon.step_hours, share.area, share.answers)
    backing = share.backing or Backing.none(store.devices, store.steps)
    kept = keeping(Fleet.of(store, meter, horizon), share.schedule, backing)
    programmed = None
    if share.limits is not None:
        programmed = Programmed(
            horizon.day, share.limits, kept.withdrawal_max_kw, kept.injection_max_kw, kept.discharge_day_max
        )
    return elastic(bidders.keeping(kept.store, kept.meter), signal, ladder, share.planned_kw, programmed)
