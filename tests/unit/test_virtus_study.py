"""Any study in the reference's terms, by hand: half-hours, so that 1 kW for a step is 0.5 kWh."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from one_pod import at, half_hours, portfolio_of
from podium.devices import (
    Battery,
    Chp,
    CurtailableLoad,
    Device,
    EvCharger,
    FixedLoad,
    GivenProfile,
    HeatPump,
    Pv,
    ShiftableLoad,
)
from podium.horizon import Horizon
from podium.local import Response, optimise_local
from podium.market import EnergyPrices
from podium.market.plan import optimise_portfolio, promise
from podium.market.virtus import study
from podium.market.virtus.study import ReferencePods, reference_level1
from podium.portfolio import Pod, Portfolio
from podium.study import Study

LOAD = FixedLoad(device="load", profile="load")
BATTERY = Battery(
    device="battery", charge_max_kw=4.0, discharge_max_kw=3.0, energy_max_kwh=10.0, energy_initial_kwh=5.0,
    charge_efficiency=1.0, discharge_efficiency=0.8,
)  # fmt: skip


def answered(portfolio: Portfolio) -> Response:
    return optimise_local(portfolio, market_eur_per_kwh=np.full(portfolio.horizon.steps, 0.1), workers=1).baseline


def mapped(
    devices: Sequence[Device], profiles: dict[str, Sequence[float]], horizon: Horizon | None = None
) -> ReferencePods:
    """One POD through the reference's level 1."""
    portfolio = portfolio_of(devices, horizon or half_hours(4), profiles)
    return reference_level1(portfolio, answered(portfolio))


# --- storage -------------------------------------------------------------------------------------------------------


def test_a_battery_holds_as_many_kw_as_kwh_whatever_the_step() -> None:
    """5 kWh of room take 4 kW and 1 kW, and end, in half-hours (2.5 kWh) as in hours (5 kWh)."""
    for horizon in (half_hours(4), Horizon(at("2018-05-14 00:00"), 60, 4, "Europe/Rome")):
        found = mapped([LOAD, BATTERY], {"load": [0.0] * 4}, horizon)
        assert_allclose(found.max_kw, [[4.0, 1.0, 0.0, 0.0]], atol=1e-12)
        assert not found.baseline_kw.any()


def test_a_battery_is_used_above_its_least_level() -> None:
    kept = BATTERY.model_copy(update={"energy_min_kwh": 3.0})
    smaller = BATTERY.model_copy(update={"energy_max_kwh": 7.0, "energy_initial_kwh": 2.0})
    found, expected = (mapped([LOAD, battery], {"load": [0.0] * 4}) for battery in (kept, smaller))
    assert_allclose(found.min_kw, expected.min_kw)
    assert_allclose(found.max_kw, expected.max_kw)


def test_a_battery_alone_is_a_plant_with_a_band_around_its_plan() -> None:
    """As the reference's BESS: inverted where it discharges."""
    battery = BATTERY.model_copy(update={"energy_end_min_kwh": 0.0})
    portfolio = portfolio_of([battery], half_hours(2))
    baseline = answered(portfolio)
    power = np.array([[3.0, -2.0]])
    found = reference_level1(portfolio, replace(baseline, schedule=replace(baseline.schedule, p=power)))
    assert_allclose(found.baseline_kw, power)
    assert_allclose(found.min_kw, 0.9 * power)
    assert_allclose(found.max_kw, 1.1 * power)


# --- loads and generation ------------------------------------------------------------------------------------------


def test_curtailable_load_beside_another() -> None:
    """4 kWh a day are 8 kW summed over half-hours; of them the reference sees an eighth, 1 kW (scale_kw is 8)."""
    load = CurtailableLoad(
        device="cut", profile="cut", scale_kw=8.0, curtailable_max_kw=6.0, curtailable_energy_kwh_per_day=4.0,
        curtailable_from="00:30", curtailable_to="01:30", curtailment_eur_per_kwh=0.3,
    )  # fmt: skip
    found = mapped([LOAD, load], {"load": [1.0] * 4, "cut": [1.0] * 4})
    assert_allclose(found.baseline_kw, [[9.0] * 4])
    assert_allclose(found.min_kw, [[9.0, 8.5, 8.5, 9.0]])
    assert_allclose(found.max_kw, [[9.0] * 4])
    assert_allclose(found.min_cost, [[0.0, 0.3, 0.3, 0.0]])


def test_curtailable_load_without_an_allowance_may_be_cut_as_far_as_its_unscaled_profile() -> None:
    load = CurtailableLoad(device="cut", profile="cut", scale_kw=8.0, curtailable_fraction=0.25)
    found = mapped([LOAD, load], {"load": [0.0] * 4, "cut": [1.0] * 4})
    assert_allclose(found.min_kw, [[7.0] * 4])


def test_curtailable_load_without_any_scale_has_no_allowance() -> None:
    load = CurtailableLoad(device="cut", profile="cut", scale_kw=0.0, curtailable_fraction=1.0)
    assert not mapped([LOAD, load], {"load": [0.0] * 4, "cut": [1.0] * 4}).min_kw.any()


def test_allowances_of_a_day_count_once_per_local_day() -> None:
    """Two hours around midnight: 1 kWh of loss per day, 2 kWh in all, 4 kW summed over half-hours."""
    load = ShiftableLoad(
        device="move", profile="move", shift_down_fraction=0.5, shift_up_fraction=0.2, energy_loss_max_kwh=1.0
    )
    found = mapped([LOAD, load], {"load": [0.0] * 4, "move": [8.0] * 4}, half_hours(4, "2018-05-14 23:00"))
    assert_allclose(found.min_kw, [[7.0] * 4])
    assert_allclose(found.max_kw, [[8.0] * 4])


def test_generation_keeps_its_sum_and_so_does_chp() -> None:
    """PV of 2 kW and a CHP that runs for its heat stand at their forecasts on both sides."""
    chp = Chp(device="chp", electric_max_kw=5.0, heat_profile="heat", heat_scale_kw=1.0)
    found = mapped([Pv(device="pv", profile="pv"), chp], {"pv": [2.0] * 4, "heat": [3.0] * 4})
    assert_allclose(found.baseline_kw, [[-5.0] * 4])
    assert_allclose(found.min_kw, found.baseline_kw)
    assert_allclose(found.max_kw, found.baseline_kw)


def test_given_profiles_count_in_the_baseline_alone() -> None:
    plant = GivenProfile(device="plant", profile="plant", band_kw=1.0)
    found = mapped([LOAD, plant], {"load": [1.0] * 4, "plant": [-2.0] * 4})
    assert_allclose(found.baseline_kw, [[-1.0] * 4])
    assert_allclose(found.min_kw, [[1.0] * 4])


# --- kinds that the reference does not know --------------------------------------------------------------------------


def test_chargers_and_heat_pumps_are_fixed_loads_of_their_planned_power() -> None:
    sessions = [
        EvCharger(
            device="car",
            arrival=at(f"2018-05-14 {first}"),
            departure=at(f"2018-05-14 {last}"),
            charge_max_kw=4.0,
            energy_max_kwh=9.0,
            energy_arrival_kwh=1.0,
            energy_wanted_kwh=3.0,
            charge_efficiency=1.0,
            shortfall_eur_per_kwh=5.0,
        )
        for first, last in (("00:00", "00:30"), ("01:00", "01:30"))
    ]
    pump = HeatPump(
        device="pump", electric_max_kw=2.0, cop=3.0, heat_profile="heat", heat_store_max_kwh=0.0,
        heat_store_initial_kwh=0.0,
    )  # fmt: skip
    found = mapped([LOAD, *sessions, pump], {"load": [1.0] * 4, "heat": [3.0] * 4})
    for trajectory in (found.min_kw, found.max_kw, found.baseline_kw):
        assert_allclose(trajectory, [[6.0, 2.0, 6.0, 2.0]])


# --- devices alone in their POD --------------------------------------------------------------------------------------


def test_a_fixed_load_alone_shows_nothing_but_counts_in_the_baseline() -> None:
    found = mapped([LOAD], {"load": [2.0] * 4})
    assert not found.min_kw.any()
    assert not found.max_kw.any()
    assert_allclose(found.baseline_kw, [[2.0] * 4])


def test_shiftable_load_and_given_profile_alone_show_their_own_bands() -> None:
    load = ShiftableLoad(
        device="move", profile="move", shift_down_fraction=0.5, shift_up_fraction=0.25,
        shiftable_from="00:30", shiftable_to="01:30",
    )  # fmt: skip
    found = mapped([load], {"move": [4.0] * 4})
    assert_allclose(found.min_kw, [[0.0, 2.0, 2.0, 0.0]])
    assert_allclose(found.max_kw, [[0.0, 5.0, 5.0, 0.0]])
    plant = GivenProfile(device="plant", profile="plant", band_kw=1.0)
    found = mapped([plant], {"plant": [4.0, -4.0, 0.0, 0.5]})
    assert_allclose(found.min_kw, [[3.0, -3.0, 0.0, -0.5]])
    assert_allclose(found.max_kw, [[5.0, -5.0, 0.0, 1.5]])


def test_pv_alone_may_give_more_than_the_sun_does() -> None:
    found = mapped([Pv(device="pv", profile="pv")], {"pv": [2.0] * 4})
    assert_allclose(found.min_kw, [[-2.2] * 4])
    assert_allclose(found.max_kw, [[-1.8] * 4])


# --- the whole portfolio ---------------------------------------------------------------------------------------------


def many_pods(count: int) -> tuple[Portfolio, Response]:
    """PODs of load, battery, and PV or curtailable load, with a plan that costs nothing to find."""
    horizon = Horizon.days("2018-05-14", 1, 15, "Europe/Rome")
    cut = CurtailableLoad(device="third", profile="p", curtailable_fraction=0.5)
    thirds: list[Device] = [Pv(device="third", profile="p"), cut]
    pods = [
        Pod(
            pod=f"{n}",
            devices=[
                device.model_copy(update={"device": f"{device.device} {n}"})
                for device in (FixedLoad(device="load", profile="p"), BATTERY, thirds[n % 2])
            ],
        )
        for n in range(count)
    ]
    portfolio = Portfolio.of(pods, horizon, {"p": np.linspace(1, 2, 96)})
    one = answered(portfolio.part(0, 1))
    store = portfolio.store()
    nothing = np.zeros((store.devices, 96))
    schedule = type(one.schedule)(nothing, nothing, nothing, nothing)
    plan = replace(one, device_ids=store.ids, device_pod=store.pod, schedule=schedule, net_kw=np.zeros((count, 96)))
    return portfolio, plan


def test_parts_make_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    portfolio, plan = many_pods(7)
    whole = reference_level1(portfolio, plan)
    monkeypatch.setattr(study, "PART_PODS", 2)
    parted = reference_level1(portfolio, plan)
    for name in ReferencePods.__slots__:
        assert_allclose(getattr(parted, name), getattr(whole, name), rtol=0, atol=1e-12)


def test_a_part_of_a_large_portfolio_has_the_same_promise() -> None:
    """Ten PODs promise alone what they promise among 3,000, which are worked through in several parts."""
    portfolio, plan = many_pods(3_000)
    few, many = reference_level1(portfolio.part(0, 10), plan), reference_level1(portfolio, plan)
    assert_allclose(many.max_kw[:10], few.max_kw)
    assert_allclose(many.min_kw[:10], few.min_kw)


def test_prices_that_pay_more_than_they_ask_have_a_promise_and_a_baseline() -> None:
    """Where selling pays more, a POD without a tariff gets what it pays; the portfolio gets the market's."""
    portfolio = portfolio_of(
        [LOAD, Pv(device="pv", profile="pv")], half_hours(2), {"load": [1.0, 1.0], "pv": [3.0, 3.0]}
    )
    prices = EnergyPrices(np.array([40.0, 50.0]), np.array([60.0, 30.0]), np.array([10.0, 10.0]))
    local = optimise_local(portfolio, market_eur_per_kwh=prices.tariff_eur_per_kwh, workers=1)
    assert local.baseline.cost_eur[0] == pytest.approx(-0.5 * (2 * 0.04 + 2 * 0.03))
    plan = optimise_portfolio(Study("dear", portfolio, prices).with_method("virtus"), local)
    assert plan.profit_eur == pytest.approx(0.5 * (2 * 0.06 + 2 * 0.03))
    assert plan.pod_profit_eur.sum() == pytest.approx(plan.profit_eur)
    promised = promise(portfolio, prices, local)
    assert_allclose(promised.baseline_kw, [-2.0, -2.0])
