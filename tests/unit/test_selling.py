"""Offers in steps that can be sold."""

from __future__ import annotations

import numpy as np
import pytest

from podium import Battery, Horizon, Pod, Portfolio, optimise_portfolio
from podium.market.coupling import Coupling, Product
from podium.market.prices import EnergyPrices
from podium.market.selling import reach_kw, sellable, unsellable, within_reach
from podium.market.terms import Market, ReserveProduct
from podium.study import Study


@pytest.mark.parametrize(
    ("backed_kw", "offered_kw"),
    [(249.9, 200.0), (299.9999997, 300.0), (99.9999997, 100.0), (99.9, 0.0), (912.0, 450.0)],
)
def test_a_solver_s_rounding_costs_no_step(backed_kw: float, offered_kw: float) -> None:
    """Steps of 50 kW from 100 to 450 kW: 0.3 mW less than a step is that step; anything that counts is not made up."""
    block = np.zeros(2, dtype=np.int64)
    product = Product("p", block, np.ones(1), (True, False), 1.0, ("battery",), 100.0, 50.0, np.full(1, 470.0))
    held = np.zeros((1, 2))
    coupling = Coupling(0.5, block, None, None, (product,), (None,), None, 0.0, held, 5.0, 1000.0)
    found = sellable(coupling, 0, 0, backed_kw)
    assert found == pytest.approx(offered_kw)


def test_no_bound_counts_on_offers_beyond_the_devices() -> None:
    """Steps of 50 kW from 100 kW: 260 kW in the weaker step of the first block sell 250, and 90 kW sell nothing.

    Without it a pool of 90 kW would be bound by what 90 kW earn, though it can offer none.
    """
    block = np.array([0, 0, 1, -1])
    product = Product("p", block, np.ones(2), (True, False), 1.0, ("battery",), 100.0, 50.0, np.full(2, np.inf))
    held = np.zeros((1, 4))
    coupling = Coupling(0.5, np.arange(4), None, None, (product,), (None,), None, 0.0, held, 5.0, 1000.0)
    reach = reach_kw(coupling, np.array([[310.0, 260.0, 90.0, 0.0]]))
    assert reach[0] == pytest.approx([260.0, 90.0])
    assert within_reach(coupling, reach).products[0].most_kw == pytest.approx([250.0, 0.0])
    assert unsellable(coupling, reach, [np.array([250.0, 0.0])]) == (
        "p: nothing is offered in block 2 of 2, since it would be 90.0 kW at most, and the least offer is 100 kW",
    )


def test_a_pool_below_the_least_offer_says_so_and_is_certified() -> None:
    """A battery of 40 kW cannot sell 100 kW: energy alone is its optimum, and the certificate has no gap.

    Bought at 20 and sold at 100 EUR/MWh, at 0.9 each way and 40 kW for half an hour: 20 kWh cost 0.40 EUR and give
    16.2 kWh for 1.62 EUR, so 1.22 EUR are earned. A bound that counted on 40 kW of reserve would add up to 0.77 EUR.
    """
    horizon = Horizon.days("2018-07-17", 1, 30, "Europe/Rome")
    battery = Battery(
        device="b", charge_max_kw=40, discharge_max_kw=40, energy_max_kwh=18, energy_initial_kwh=0,
        charge_efficiency=0.9, discharge_efficiency=0.9,
    )  # fmt: skip
    price = np.where(np.arange(horizon.steps) < 24, 20.0, 100.0)
    block = np.zeros(horizon.steps, dtype=np.int64)
    reserve = ReserveProduct(
        "p", "up", block, np.full(1, 0.8), np.zeros(horizon.steps), sustain_hours=0.5, minimum_mw=0.1, increment_mw=0.05
    )
    portfolio = Portfolio.of([Pod(pod="storage", devices=[battery])], horizon, {})
    study = Study("small", portfolio, EnergyPrices.single(price), market=Market(reserves=(reserve,)))
    plan = optimise_portfolio(study, gap=1e-4, workers=1)
    assert plan.offers_kw["p"] == pytest.approx([0.0])
    assert plan.profit_eur == pytest.approx(16.2 * 0.1 - 20.0 * 0.02, abs=1e-6)
    assert plan.certificate is not None
    assert plan.certificate.gap == pytest.approx(0.0, abs=1e-4)
    assert plan.notices == (
        "p: nothing is offered in block 1 of 1, since it would be 80.0 kW at most, and the least offer is 100 kW",
    )
