"""Level 2: the exact plan against an independent programme, and the reference's plan on any prices."""

from __future__ import annotations

import numpy as np
import pytest

from formulation import cheapest
from one_pod import half_hours
from podium.devices import Battery, Chp, EvCharger, FixedLoad, HeatPump, Pv
from podium.errors import InputError
from podium.local import optimise_local
from podium.market.plan import Certificate, Plan, energy_profit_eur, optimise_portfolio, promise
from podium.market.prices import EnergyPrices
from podium.market.terms import Market, PositionLimits
from podium.portfolio import Pod, Portfolio
from podium.study import Options, Study
from random_pods import Maker, random_horizon, random_pod


def mixed(seed: int) -> tuple[Portfolio, EnergyPrices]:
    """Five random PODs with connection limits, on/off devices and cycle limits; prices of both signs."""
    random = np.random.default_rng(seed)
    maker = Maker(random, random_horizon(random, 14))
    listed = [random_pod(maker, f"pod{n}", 2, on_off=n % 2 == 0, coupled=True) for n in range(5)]
    price = np.round(random.uniform(-40 if seed % 2 else 5, 150, maker.horizon.steps))
    return Portfolio.of(listed, maker.horizon, maker.profiles), EnergyPrices.single(price)


def planned(portfolio: Portfolio, prices: EnergyPrices, method: str = "exact") -> Plan:
    return optimise_portfolio(Study("street", portfolio, prices).with_method(method), workers=1)


@pytest.mark.parametrize("seed", range(8))
def test_the_exact_profit_is_the_sum_of_independent_optima(seed: int) -> None:
    """Of every POD alone by another formulation, with its connection and without its tariff; the gap is 0."""
    portfolio, prices = mixed(seed)
    plan, horizon = planned(portfolio, prices), portfolio.horizon
    store, meter = portfolio.store(), portfolio.meter(prices.buy / 1000).at_price(prices.buy / 1000)
    failed = {failure.pod for failure in plan.failures}
    expected = {}
    for row, name in enumerate(portfolio.ids):
        other = cheapest(store, meter, horizon.step_hours, horizon.day, pod=row)
        assert (other is None) == (name in failed), name
        if other is not None:
            expected[row] = -other.cost_eur
    scale = max(1.0, abs(plan.profit_eur))
    assert plan.pod_profit_eur[list(expected)].sum() == pytest.approx(sum(expected.values()), abs=2e-6 * scale)
    assert plan.certificate is not None
    assert plan.certificate.bound_eur >= plan.certificate.profit_eur - 1e-6 * scale
    assert plan.certificate.gap == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("seed", range(4))
def test_set_points_sum_to_the_position_and_shares_to_the_profit(seed: int) -> None:
    """Market money of all steps less what the devices' use costs; PODs without a schedule hold their baseline."""
    portfolio, prices = mixed(seed)
    plan, store = planned(portfolio, prices), portfolio.store()
    net = np.zeros_like(plan.pod_kw)
    np.add.at(net, store.pod, plan.schedule.p)
    failed = np.isin(portfolio.ids, [failure.pod for failure in plan.failures])
    np.testing.assert_allclose(net[~failed], plan.pod_kw[~failed], rtol=0, atol=1e-9)
    np.testing.assert_array_equal(plan.position_kw, plan.pod_kw.sum(axis=0))
    assert plan.profit_eur == pytest.approx(plan.pod_profit_eur.sum(), rel=1e-12)
    use = -plan.pod_profit_eur - (plan.pod_kw * prices.buy / 1000).sum(axis=1) * portfolio.horizon.step_hours
    assert plan.energy_profit_eur.sum() - use.sum() == pytest.approx(plan.profit_eur, abs=1e-9)


def street() -> Portfolio:
    """Two homes that take power, one that gives it, and one without any device."""
    profiles = {"load": [2.0, 1.0, 3.0], "sun": [1.0, 6.0, 3.5]}
    pods = [
        Pod(pod="a", devices=[FixedLoad(device="la", profile="load")]),
        Pod(pod="b", devices=[FixedLoad(device="lb", profile="load", scale_kw=0.5)]),
        Pod(pod="c", devices=[Pv(device="pv", profile="sun", curtailable=False)]),
        Pod(pod="empty"),
    ]
    return Portfolio.of(pods, half_hours(3), {name: np.array(row) for name, row in profiles.items()})


PRICES = EnergyPrices(np.array([100.0, 120.0, 140.0]), np.array([60.0, 50.0, 40.0]), np.zeros(3))


@pytest.mark.parametrize(("method", "closely"), [("exact", 1e-3), ("virtus", 1e-7)])
def test_different_prices_are_settled_on_the_net_position(method: str, closely: float) -> None:
    """Net 2, -4.5 and 1 kW for half an hour: 0.1 paid, 0.1125 received, 0.07 paid.

    All PODs meet the price of the net position (100, 50, 140 EUR/MWh), which rounds of prices come close to; the one
    without devices earns nothing.
    """
    portfolio = street()
    plan = planned(portfolio, PRICES, method)
    assert (plan.certificate is None) == (method == "virtus")
    np.testing.assert_allclose(plan.position_kw, [2, -4.5, 1])
    np.testing.assert_allclose(plan.energy_profit_eur, [-0.1, 0.1125, -0.07])
    price = np.array([0.1, 0.05, 0.14])
    np.testing.assert_allclose(plan.pod_profit_eur, [*(-0.5 * plan.pod_kw[:3] @ price), 0.0], rtol=closely)
    assert plan.profit_eur == pytest.approx(-0.0575)
    if plan.certificate is not None:
        assert -0.0575 <= plan.certificate.bound_eur <= -0.0575 * (1 - Options().gap)


def test_selling_above_buying_is_refused_by_exact_and_taken_by_the_reference() -> None:
    """As in half of the steps of the reference's own prices."""
    dear = EnergyPrices(PRICES.sell, PRICES.buy, PRICES.production)
    with pytest.raises(InputError, match=r"prices at 2018-05-14T00:00\+02:00: buying at 60 and selling at 100 EUR/MWh"):
        planned(street(), dear, "exact")
    plan = planned(street(), dear, "virtus")
    assert plan.profit_eur == pytest.approx(plan.energy_profit_eur.sum())
    local = optimise_local(street(), market_eur_per_kwh=dear.tariff_eur_per_kwh, workers=1)
    assert np.isfinite(promise(street(), dear, local).objective)


def test_device_costs_count_in_the_shares_of_the_reference_plan() -> None:
    """Wear of a battery that serves its home's tariff: the market never sees the tariff, but the wear is real."""
    horizon = half_hours(4)
    battery = Battery(
        device="b",
        charge_max_kw=2,
        discharge_max_kw=2,
        energy_max_kwh=5,
        energy_initial_kwh=1,
        charge_efficiency=0.9,
        discharge_efficiency=0.8,
        wear_eur_per_kwh=0.01,
    )
    profiles = {"buy": np.array([0.1, 0.1, 0.5, 0.5]), "load": np.full(4, 1.0)}
    devices = [battery, FixedLoad(device="l", profile="load")]
    home = Pod(pod="p", devices=devices, buy_profile="buy", sell_eur_per_kwh=0.0)
    portfolio = Portfolio.of([home], horizon, profiles)
    prices = EnergyPrices.single(np.full(4, 80.0))
    plan = planned(portfolio, prices, "virtus")
    discharged = 0.5 * np.maximum(-plan.schedule.p[list(portfolio.store().ids).index("b")], 0).sum()
    assert discharged == pytest.approx(1.0)
    assert plan.profit_eur == pytest.approx(plan.energy_profit_eur.sum() - 0.01 * discharged)


def test_a_failed_pod_is_settled_at_what_it_declared() -> None:
    broken = Pod(
        pod="x",
        baseline_profile="load",
        devices=[HeatPump(device="h", electric_max_kw=1, heat_profile="load", heat_scale_kw=9, heat_store_max_kwh=1,
                          heat_store_initial_kwh=1)],
    )  # fmt: skip
    good = Pod(pod="g", devices=[FixedLoad(device="l", profile="load")])
    portfolio = Portfolio.of([broken, good], half_hours(3), {"load": np.array([2.0, 1.0, 3.0])})
    prices = EnergyPrices.single(np.full(3, 100.0))
    for method in ("exact", "virtus"):
        plan = planned(portfolio, prices, method)
        assert [failure.pod for failure in plan.failures] == ["x"]
        np.testing.assert_allclose(plan.pod_profit_eur, [-0.3, -0.3])
        np.testing.assert_allclose(plan.position_kw, [4, 2, 6])


def test_limits_that_cannot_be_kept_leave_no_bound() -> None:
    """4 kW of load behind 3 kW: what is missing is told, and no bound that penalties made."""
    pod = Pod(pod="g", devices=[FixedLoad(device="l", profile="load")])
    portfolio = Portfolio.of([pod], half_hours(3), {"load": np.array([2.0, 4.0, 3.0])})
    limits = PositionLimits(np.full(3, 3.0), np.full(3, np.inf))
    study = Study("street", portfolio, EnergyPrices.single(np.full(3, 100.0)), market=Market(limits=limits))
    plan = optimise_portfolio(study, workers=1)
    assert plan.certificate is None
    assert plan.profit_eur == pytest.approx(-0.45)
    assert "could not be kept: 1.0 kW are missing at most" in plan.notices[0]
    assert "no bound" in plan.notices[0]


def test_an_unknown_method_is_refused() -> None:
    with pytest.raises(InputError, match="method: 'magic'; expected 'exact' or 'virtus'"):
        planned(street(), EnergyPrices.single(np.full(3, 50.0)), "magic")


def test_money_of_a_step_by_hand() -> None:
    """10 kW for half an hour: 5 kWh, bought at 100 EUR/MWh; 4 kWh sold at 50."""
    np.testing.assert_allclose(energy_profit_eur(np.array([10.0, -8.0, 0.0]), PRICES, 0.5), [-0.5, 0.2, 0.0])


@pytest.mark.parametrize(
    ("profit", "bound", "gap"), [(10, 11, 0.1), (-10, -9, 0.1), (0, 0, 0), (0, 1, float("inf")), (5, 5, 0)]
)
def test_the_gap_is_relative_to_the_profit(profit: float, bound: float, gap: float) -> None:
    assert Certificate(profit, bound).gap == pytest.approx(gap)


def test_every_kind_answers_the_price_by_hand() -> None:
    """Prices 20, 200, 20 EUR/MWh, half-hours. PV gives 2 kW: 0.24 EUR less nothing.

    The engine runs where power is worth more than its fuel of 0.1 EUR/kWh: 3 kW at 200, 0.3 - 0.15 EUR. The car, which
    needs 1.8 kWh at 0.9, is charged with 2 kW in each cheap half-hour: 0.04 EUR.
    """
    horizon = half_hours(3)
    at = horizon.times.to_pydatetime()
    devices = [
        Pv(device="pv", profile="two"),
        Chp(device="chp", electric_max_kw=3, heat_ratio=0.0, fuel_eur_per_kwh=0.1),
        EvCharger(
            device="car", arrival=at[0], departure=horizon.end, charge_max_kw=2, energy_max_kwh=5, energy_arrival_kwh=1,
            energy_wanted_kwh=2.8, charge_efficiency=0.9,
        ),
    ]  # fmt: skip
    portfolio = Portfolio.of([Pod(pod="p", devices=devices)], horizon, {"two": np.full(3, 2.0)})
    plan = planned(portfolio, EnergyPrices.single(np.array([20.0, 200.0, 20.0])))
    assert plan.profit_eur == pytest.approx(0.24 + 0.15 - 0.04)
    np.testing.assert_allclose(plan.position_kw, [0, -5, 0], atol=1e-9)
