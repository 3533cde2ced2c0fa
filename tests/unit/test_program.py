"""Programmes by hand: what couples devices or remembers more than energy."""

import numpy as np
import pytest

from formulation import cheapest as independent
from one_pod import cheapest, half_hours, portfolio_of
from podium.devices import Battery, FixedLoad, GivenProfile
from podium.flex.solve import Limits, solve
from podium.flexstore import FlexStore
from podium.portfolio import Meter

LOAD = FixedLoad(device="load", profile="load")


def battery(name: str, **changes: float | None) -> Battery:
    fields = {
        "charge_max_kw": 4.0,
        "discharge_max_kw": 4.0,
        "energy_max_kwh": 5.0,
        "energy_initial_kwh": 0.0,
        "charge_efficiency": 0.9,
        "discharge_efficiency": 0.8,
    }
    return Battery.model_validate({"device": name, **fields, **changes})


def test_peak_charge_is_levelled() -> None:
    """Loads of 1 and 3 kW, 0.72 kW out for each kW in: 1 + x = 3 - 0.72 x at x = 2 / 1.72."""
    peak = 1 + 2 / 1.72
    found = cheapest(
        [LOAD, battery("b")], half_hours(2), [0.2, 0.3], [0.1, 0.1], {"load": [1.0, 3.0]}, peak_eur_per_kw=1.0
    )
    assert found.solution.method[0] == "lp"
    assert found.power_kw("load") + found.power_kw("b") == pytest.approx([peak, peak])
    assert found.cost_eur == pytest.approx(0.5 * peak * 0.5 + peak)


def test_the_better_battery_serves_first() -> None:
    """1.8 kW for half an hour at 0.5 EUR: all by the one with less loss, bought at 0.1; the other stays at rest."""
    batteries = [battery("worse"), battery("better", discharge_efficiency=0.9)]
    found = cheapest([LOAD, *batteries], half_hours(2), [0.1, 0.5], [0.0, 0.0], {"load": [0.0, 1.8]})
    assert found.solution.method[0] == "lp"
    assert found.power_kw("worse") == pytest.approx([0, 0], abs=1e-9)
    assert found.power_kw("better") == pytest.approx([1 / 0.9 / 0.9 * 1.8, -1.8])


def test_a_connection_is_shared() -> None:
    """Two batteries and a load of 1 kW behind 5 kW: they charge 4 kW together, and 2.88 kW come back."""
    pair = [battery("one"), battery("two")]
    found = cheapest([LOAD, *pair], half_hours(2), [0.1, 0.5], [0.05, 0.4], {"load": [1.0, 1.0]}, withdrawal_max_kw=5.0)
    net = sum(found.power_kw(name) for name in ("load", "one", "two"))
    assert net == pytest.approx([5.0, 1 - 4 * 0.72])


def test_two_batteries_do_not_burn_energy() -> None:
    """Paid to withdraw with a spread: never charging and discharging in one step, and what branching finds."""
    pair = [battery("one", energy_max_kwh=1.0), battery("two", energy_max_kwh=2.0)]
    buy, sell = [-0.1, -0.3, -0.2, -0.1], [-0.15, -0.4, -0.25, -0.2]
    found = cheapest([LOAD, *pair], half_hours(4), buy, sell, {"load": [1.0, 0.2, 0.5, 0.1]})
    assert found.solution.method[0] == "milp"
    profiles = {"load": [1.0, 0.2, 0.5, 0.1], "buy": buy, "sell": sell}
    portfolio = portfolio_of([LOAD, *pair], half_hours(4), profiles, buy_profile="buy", sell_profile="sell")
    other = independent(portfolio.store(), portfolio.meter(), 0.5)
    assert other is not None
    assert other.whole
    assert found.cost_eur == pytest.approx(other.cost_eur, abs=1e-6)


def test_an_engine_that_may_idle_starts_once() -> None:
    """Without a least power an idle engine looks like one at rest; it pays one start for three runs."""
    engine = FlexStore.of(
        np.array(["engine"], dtype=object), np.zeros(1, dtype=np.int64), 5, has_store=False, p_min=-2.0,
        cost_minus=0.1, start_cost=0.3, min_up=2, min_down=2,
    )  # fmt: skip
    price, free = np.array([[0.4, 0.05, 0.4, 0.05, 0.4]]), np.array([np.inf])
    found = solve(engine, Meter(price, price - 0.01, free, free, np.zeros(1)), 0.5, np.zeros(5, dtype=np.int64))
    assert found.schedule.p[0] == pytest.approx([-2, 0, -2, 0, -2])
    assert found.cost_eur[0] == pytest.approx(0.3 - 3 * 0.5 * 2 * 0.29)
    assert found.bound_eur[0] == pytest.approx(found.cost_eur[0])


@pytest.mark.parametrize("seed", range(20))
def test_a_battery_with_other_flows_is_left_to_a_programme(seed: int) -> None:
    """Charge, discharge, a paid inflow and a vent, at prices of both signs: no kind has it, the form allows it."""
    random = np.random.default_rng(seed)
    store = FlexStore.of(
        np.array(["tank"], dtype=object), np.zeros(1, dtype=np.int64), 10, p_min=-random.uniform(0, 3, (1, 10)),
        p_max=random.uniform(0, 3, (1, 10)), k_plus=0.9, k_minus=1.2, e_max=4.0, e_initial=2.0,
        drift=-random.uniform(0, 0.3, (1, 10)), aux_max=1.5, aux_cost=0.1, spill_max=0.7,
    )  # fmt: skip
    buy, free = random.uniform(-0.2, 0.3, (1, 10)), np.array([np.inf])
    meter = Meter(buy, buy - 0.02, free, free, np.zeros(1))
    found, other = solve(store, meter, 0.25, np.zeros(10, dtype=np.int64)), independent(store, meter, 0.25)
    assert other is not None
    assert found.method[0] in ("lp", "milp")
    assert found.cost_eur[0] == pytest.approx(other.cost_eur, abs=1e-6)


def test_a_time_limit_returns_the_best_so_far_and_its_bound() -> None:
    """Three coupled on/off devices, a day, two seconds: whatever is found is feasible, and the bound lies below it."""
    steps, count = 96, 3
    random = np.random.default_rng(1)
    engines = FlexStore.of(
        np.array([f"e{n}" for n in range(count)], dtype=object), np.zeros(count, dtype=np.int64), steps,
        p_min=-random.uniform(1, 3, count), p_on=random.uniform(0.4, 0.9, count)[:, None],
        k_minus=-random.uniform(1, 2, count), drift=-0.25 * random.uniform(0, 2, (count, steps)), e_max=4.0,
        e_initial=2.0, aux_max=5.0, aux_cost=0.1, cost_minus=0.15, start_cost=random.uniform(0.1, 0.4, count),
        min_up=4, min_down=3,
    )  # fmt: skip
    price = random.uniform(0.05, 0.35, (1, steps))
    meter = Meter(price, price - 0.03, np.array([np.inf]), np.array([7.0]), np.array([0.0]))
    found = solve(engines, meter, 0.25, np.zeros(steps, dtype=np.int64), Limits(2.0, 1e-9))
    assert found.late == {0}
    assert not found.failures
    assert found.bound_eur[0] < found.cost_eur[0]
    assert found.schedule.p.sum(axis=0).min() >= -7.0 - 1e-6


def test_fixed_and_free_devices_ride_along() -> None:
    """A given profile beside two batteries moves within its band where that pays."""
    plant = GivenProfile(device="plant", profile="load", band_kw=0.5)
    found = cheapest(
        [plant, battery("one"), battery("two")], half_hours(2), [0.3, 0.31], [0.1, 0.12], {"load": [1.0, 2.0]}
    )
    assert found.power_kw("plant") == pytest.approx([0.5, 1.5])
