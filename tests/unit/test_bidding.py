"""Bids of whole plans: against planning again at another price, and beside fees, limits and reserve."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from one_pod import half_hours
from podium.devices import Battery, Chp, FixedLoad, Pv
from podium.market.bidding import Bids, bids_of
from podium.market.bids import price_ladder
from podium.market.plan import Plan, optimise_portfolio
from podium.market.prices import EnergyPrices
from podium.market.terms import Market, PositionLimits, ReserveProduct
from podium.portfolio import Pod, Portfolio
from podium.study import Study

STEPS = 12
PRICE = np.array([40.0, 44.0, 38.0, 30.0, 90.0, 95.0, 20.0, 10.0, 120.0, 130.0, 60.0, 50.0])


def battery(name: str, size: float) -> Battery:
    return Battery(
        device=name,
        charge_max_kw=size / 2,
        discharge_max_kw=size / 1.5,
        energy_max_kwh=size,
        energy_initial_kwh=0.4 * size,
        charge_efficiency=0.9,
        discharge_efficiency=0.85,
    )


def study(market: Market, fee: float = 0.0) -> Study:
    """Three parks of some MW, one of them with an engine that is on or off and so holds its plan."""
    engine = Chp(
        device="engine",
        electric_max_kw=2000.0,
        electric_min_kw=1000.0,
        heat_ratio=1.2,
        heat_profile="heat",
        heat_scale_kw=1000.0,
        heat_store_max_kwh=4000.0,
        heat_store_initial_kwh=1000.0,
        boiler_max_kw=3000.0,
        boiler_eur_per_kwh=0.05,
        fuel_eur_per_kwh=0.06,
    )
    pods = [
        Pod(pod="one", devices=[battery("a", 6000.0), Pv(device="sun", profile="sun", scale_kw=3000)]),
        Pod(pod="two", devices=[battery("b", 9000.0), battery("c", 3000.0), FixedLoad(device="load", profile="heat")]),
        Pod(pod="works", devices=[engine]),
    ]
    profiles = {"sun": np.sin(np.arange(STEPS) / 4) ** 2, "heat": 0.5 + np.arange(STEPS) % 3 / 4}
    portfolio = Portfolio.of(pods, half_hours(STEPS), profiles)
    return Study("parks", portfolio, EnergyPrices(PRICE + fee, PRICE - fee, np.zeros(STEPS)), market=market)


def bid(given: Study) -> tuple[Plan, Bids]:
    plan = optimise_portfolio(given, workers=1)
    return plan, bids_of(given, plan, workers=1)


def by_hour(row: np.ndarray) -> np.ndarray:
    return row.reshape(-1, 2).mean(axis=1)


def test_the_curve_is_what_a_plan_at_that_price_would_take() -> None:
    """The whole portfolio planned again with the price of one hour changed to a rung: the same to 0.05 MW.

    The engine is left where it was. Hours of two half-hours, whose prices differ within the hour.
    """
    given = study(Market(time_unit_minutes=60))
    plan, bids = bid(replace(given, options=given.options.model_copy(update={"curves": "quick"})))
    assert bids.curve is not None
    assert bids.held.tolist() == [2]
    ladder = price_ladder(np.arange(STEPS) // 2, by_hour(PRICE))
    levels = set()
    for unit in range(STEPS // 2):
        for rung in (3, 12, 17, 23, 28, 37):
            change = ladder.change_eur_per_kwh[unit, rung] * 1000
            moved = PRICE + np.where(np.arange(STEPS) // 2 == unit, change, 0.0)
            again = optimise_portfolio(replace(given, prices=EnergyPrices.single(moved)), workers=1)
            wanted = by_hour(again.pod_kw[:2].sum(axis=0) + plan.pod_kw[2])[unit] / 1000
            found = bids.curve.at(unit, by_hour(PRICE)[unit] + change - 1e-9)
            assert found == pytest.approx(wanted, abs=0.05 + 1e-6), (unit, rung)
            levels.add(found)
    assert len(levels) > 10


def test_beside_fees_limits_and_reserve() -> None:
    """The plan at the expected price, the limits with the offer called, and the rows of both markets."""
    block = np.arange(STEPS) // 6
    product = ReserveProduct("up", "up", block, np.array([30.0, 5.0]), np.zeros(STEPS), sustain_hours=0.5)
    limits = PositionLimits(np.full(STEPS, 2500.0), np.full(STEPS, 6000.0))
    market = Market(time_unit_minutes=60, reserves=(product,), limits=limits)
    plan, bids = bid(study(market, fee=2.0))
    assert bids.curve is not None
    offer = plan.offers_kw["up"][block].reshape(-1, 2)[:, 0]
    assert offer.max() > 500.0
    flexible = 0
    for unit, planned in enumerate(by_hour(plan.position_kw) / 1000):
        price, mw = bids.curve.rows(unit)
        least = np.ceil(10 * (offer[unit] - 6000.0) / 1000 - 1e-6) / 10
        assert bids.curve.at(unit, by_hour(PRICE)[unit]) == pytest.approx(max(planned, least), abs=0.05 + 1e-6)
        assert (np.diff(price) > 0).all()
        assert (np.diff(mw) < 0).all()
        assert mw.max() <= 2.5
        assert mw.min() >= least
        flexible += len(mw) > 2
    assert flexible > 3
    assert bids.rows["market"].value_counts().to_dict() == {"energy": len(bids.curve.unit), "up": 2}
    np.testing.assert_allclose(bids.rows["quantity_mw"].iloc[-2:], plan.offers_kw["up"] / 1000)


def test_without_a_market_for_energy_only_reserve_is_bid() -> None:
    given = study(Market())
    plan = optimise_portfolio(given, workers=1)
    retail = replace(given, market=Market(settlement="retail"))
    bids = bids_of(retail, plan, workers=1)
    assert (bids.curve, len(bids.rows), len(bids.held)) == (None, 0, 0)


def test_by_exact_curves_the_engine_is_planned_again_too() -> None:
    """Nobody holds the plan: the whole portfolio planned again at a rung, the engine's starts and stops included."""
    given = study(Market(time_unit_minutes=60))
    plan, bids = bid(replace(given, options=given.options.model_copy(update={"curves": "exact"})))
    assert bids.curve is not None
    assert not len(bids.held)
    ladder = price_ladder(np.arange(STEPS) // 2, by_hour(PRICE))
    engine = set()
    for unit in range(STEPS // 2):
        for rung in (3, 17, 28):
            change = ladder.change_eur_per_kwh[unit, rung] * 1000
            moved = PRICE + np.where(np.arange(STEPS) // 2 == unit, change, 0.0)
            again = optimise_portfolio(replace(given, prices=EnergyPrices.single(moved)), workers=1)
            found = bids.curve.at(unit, by_hour(PRICE)[unit] + change - 1e-9)
            assert found == pytest.approx(by_hour(again.position_kw)[unit] / 1000, abs=0.05 + 1e-6), (unit, rung)
            engine.add(round(float(by_hour(again.pod_kw[2] - plan.pod_kw[2])[unit])))
    assert len(engine) > 3
