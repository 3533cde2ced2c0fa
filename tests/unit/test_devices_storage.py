"""Batteries and EV chargers, by hand: half-hour steps, efficiencies 0.9 in and 0.8 out."""

from itertools import product

import numpy as np
import pytest

from one_pod import at, cheapest, half_hours, portfolio_of, store_of
from podium.devices import Battery, EvCharger, FixedLoad
from podium.errors import InputError

LOAD = FixedLoad(device="load", profile="load")


def battery(**changes: float | None) -> Battery:
    fields = {
        "charge_max_kw": 4.0,
        "discharge_max_kw": 4.0,
        "energy_max_kwh": 5.0,
        "energy_initial_kwh": 0.0,
        "charge_efficiency": 0.9,
        "discharge_efficiency": 0.8,
    }
    return Battery.model_validate({"device": "battery", **fields, **changes})


def session(arrival: str, departure: str, **changes: float | str) -> EvCharger:
    fields = {
        "charge_max_kw": 8.0,
        "energy_max_kwh": 40.0,
        "energy_arrival_kwh": 10.0,
        "energy_wanted_kwh": 30.0,
        "shortfall_eur_per_kwh": 2.0,
        "charge_efficiency": 0.9,
        "discharge_efficiency": 0.8,
    }
    return EvCharger.model_validate(
        {"device": "charger", "arrival": at(arrival), "departure": at(departure), **fields, **changes}
    )


def test_battery_pays_both_losses() -> None:
    """Buy cheap, use dear: 0.9 kWh out needs 1.25 kWh in at 0.9 x 0.8.

    Bought at 0.1 EUR/kWh the bill is 0.125 EUR; without the charge loss it would be 0.1125, without the discharge loss
    0.1, without both 0.09. The grid at 0.5 EUR/kWh would take 0.45.
    """
    found = cheapest([LOAD, battery()], half_hours(2), [0.1, 0.5], [0.0, 0.0], {"load": [0.0, 1.8]})
    assert found.cost_eur == pytest.approx(0.125)
    assert found.power_kw("battery") == pytest.approx([2.5, -1.8])
    assert found.energy_kwh("battery") == pytest.approx([1.125, 0.0])


def test_battery_stays_where_losses_eat_the_spread() -> None:
    """0.1 / (0.9 x 0.8) = 0.139: energy bought at 0.1 is not worth 0.138 a step later, and is worth 0.14."""
    for sell, power in ((0.138, [0.0, 0.0]), (0.14, [4.0, -2.88])):
        found = cheapest([battery()], half_hours(2), [0.1, 0.2], [0.05, sell])
        assert found.power_kw("battery") == pytest.approx(power, abs=1e-12)


def test_battery_wear_is_paid_per_kwh_discharged() -> None:
    """Of 0.9 kWh out, 0.9 x 0.03 = 0.027 EUR."""
    worn = battery(wear_eur_per_kwh=0.03)
    found = cheapest([LOAD, worn], half_hours(2), [0.1, 0.5], [0.0, 0.0], {"load": [0.0, 1.8]})
    assert found.cost_eur == pytest.approx(0.125 + 0.027)


def test_battery_discharges_itself_per_hour_whatever_the_step() -> None:
    """Of 4 kWh, 19 % an hour leaves 3.6 after half an hour and 3.24 after an hour."""
    idle = battery(self_discharge_per_hour=0.19, energy_initial_kwh=4.0, charge_max_kw=0.0, discharge_max_kw=0.0)
    found = cheapest([idle.model_copy(update={"energy_end_min_kwh": 0.0})], half_hours(2), [0.1, 0.2], [0.05, 0.1])
    assert found.energy_kwh("battery") == pytest.approx([3.6, 3.24])


def test_battery_cycles_count_what_leaves_the_cells_each_local_day() -> None:
    """Half a cycle of 5 kWh is 2.5 kWh from the cells, 2 kWh at the meter, before midnight and again after it."""
    free, limited = battery(energy_max_kwh=5.0), battery(cycles_max_per_day=0.5)
    horizon = half_hours(8, "2018-05-14 22:00")
    buy, sell = [0.1, 0.8] * 4, [0.0, 0.7] * 4
    assert cheapest([free], horizon, buy, sell).power_kw("battery")[1::2] == pytest.approx([-2.88] * 4)
    power = cheapest([limited], horizon, buy, sell).power_kw("battery")
    assert 0.5 * power.clip(max=0).reshape(2, 4).sum(axis=1) == pytest.approx([-2.0, -2.0])


@pytest.mark.parametrize(
    ("changes", "least"),
    [
        ({}, 3.0),
        ({"energy_end_min_kwh": 1.5}, 1.5),
        ({"energy_end_eur_per_kwh": 0.01}, 0.5),
        ({"energy_end_eur_per_kwh": 0.01, "energy_end_min_kwh": 2.0}, 2.0),
    ],
)
def test_battery_end_level(changes: dict[str, float], least: float) -> None:
    """As at the start, unless a level is given, or a value; never below the least level. It sells all above."""
    found = cheapest(
        [battery(energy_initial_kwh=3.0, energy_min_kwh=0.5, **changes)], half_hours(4), [0.4] * 4, [0.3] * 4
    )
    assert found.energy_kwh("battery")[-1] == pytest.approx(least)


def test_battery_end_value_is_earned() -> None:
    """Bought at 0.1 a kWh in store costs 0.111; worth 0.12 it is bought, worth 0.11 it is not."""
    for value, level in ((0.12, 1.8), (0.11, 0.0)):
        found = cheapest([battery(energy_end_eur_per_kwh=value)], half_hours(1), [0.1], [0.0])
        assert found.energy_kwh("battery") == pytest.approx([level])
        assert found.cost_eur == pytest.approx(level / 0.9 * 0.1 - level * value)


def test_battery_never_burns_energy() -> None:
    """Paid 0.2 to take energy, it cannot charge and discharge at once; it fills 2 x 1.8 kWh, no more.

    An LP would charge 4 kW and discharge 2.88 kW for ever. Brute force on a grid of 0.4 kW agrees.
    """
    one = battery(energy_max_kwh=3.6, energy_end_min_kwh=0.0)
    buy, sell = [-0.2, -0.3, -0.1, -0.2], [-0.25, -0.35, -0.1, -0.22]
    found = cheapest([one], half_hours(4), buy, sell)
    best = np.inf
    for powers in product(np.arange(-10, 11) * 0.4, repeat=4):
        level, cost = 0.0, 0.0
        for p, paid, got in zip(powers, buy, sell, strict=True):
            level += 0.5 * (0.9 * p if p > 0 else p / 0.8)
            cost += 0.5 * p * (paid if p > 0 else got)
            if not -1e-9 <= level <= 3.6 + 1e-9:
                break
        else:
            best = min(best, cost)
    assert found.solution.method[0] == "kernel"
    assert found.cost_eur <= best + 1e-12
    assert found.cost_eur == pytest.approx(best, abs=0.02)


def test_car_charges_in_whole_steps_of_its_session() -> None:
    """From 00:10 to 02:20 the steps 00:30 to 02:00 are wholly inside: three of six."""
    store = store_of([session("2018-05-14 00:10", "2018-05-14 02:20")], half_hours(6))
    assert store.full("p_max")[0] == pytest.approx([0, 8, 8, 8, 0, 0])
    assert store.e_target[0] == pytest.approx([0, 0, 0, 30, 0, 0])
    assert store.keep[0] == pytest.approx([1, 0, 1, 1, 0, 1])


def test_car_pays_for_what_it_lacks() -> None:
    """10 + 3 x 0.5 x 8 x 0.9 = 20.8 of 30 kWh: 9.2 kWh short at 2 EUR, and 12 kWh bought at 0.3."""
    found = cheapest([session("2018-05-14 00:10", "2018-05-14 02:20")], half_hours(6), [0.3] * 6, [0.1] * 6)
    assert found.energy_kwh("charger") == pytest.approx([0, 13.6, 17.2, 20.8, 0, 0])
    assert found.cost_eur == pytest.approx(9.2 * 2 + 12 * 0.3)


def test_car_buys_in_the_cheapest_steps_only_what_it_wants() -> None:
    """8.1 kWh wanted: 3.6 in the cheapest steps (0.1, 0.2), 0.9 at 0.3, none at 0.4."""
    car = session("2018-05-14 00:00", "2018-05-14 02:00", energy_wanted_kwh=18.1)
    found = cheapest([car], half_hours(4), [0.4, 0.1, 0.3, 0.2], [0.0] * 4)
    assert found.power_kw("charger") == pytest.approx([0, 8, 2, 8])


def test_car_that_came_before_and_leaves_after_the_horizon() -> None:
    """It starts at its level, and owes what 2 steps after the horizon (7.2 kWh) cannot give: 30 - 7.2 = 22.8."""
    store = store_of([session("2018-05-13 22:00", "2018-05-14 03:10")], half_hours(4))
    assert store.drift[0] == pytest.approx([10, 0, 0, 0])
    assert store.keep[0] == pytest.approx([0, 1, 1, 1])
    assert store.e_target[0] == pytest.approx([0, 0, 0, 22.8])


def test_sessions_of_one_charger_follow_each_other() -> None:
    """Back to back at 01:00: the second car starts with its own 5 kWh, whatever the first one left with."""
    first = session("2018-05-14 00:00", "2018-05-14 01:00", energy_wanted_kwh=15.0)
    second = session("2018-05-14 01:00", "2018-05-14 02:00", energy_arrival_kwh=5.0, energy_wanted_kwh=6.8)
    horizon = half_hours(5)
    portfolio = portfolio_of([second, first], horizon)
    assert portfolio.device_count == 1
    found = cheapest([second, first], horizon, [0.3, 0.2, 0.1, 0.4, 0.2], [0.0] * 5)
    assert found.energy_kwh("charger") == pytest.approx([11.4, 15.0, 6.8, 6.8, 0.0])


def test_sessions_outside_the_horizon_do_not_count() -> None:
    """One that left before the first step, one that comes after the last."""
    outside = [session("2018-05-13 20:00", "2018-05-13 23:00"), session("2018-05-14 02:00", "2018-05-14 05:00")]
    found = cheapest(outside, half_hours(4), [0.2] * 4, [0.1] * 4)
    assert found.cost_eur == 0.0
    assert found.power_kw("charger") == pytest.approx([0, 0, 0, 0])


def test_a_session_too_short_for_a_step_pays_its_shortfall() -> None:
    """From 00:40 to 00:55 nothing can be charged: 20 kWh short at 2 EUR."""
    found = cheapest([session("2018-05-14 00:40", "2018-05-14 00:55")], half_hours(4), [0.2] * 4, [0.1] * 4)
    assert found.cost_eur == pytest.approx(40.0)


def test_car_feeds_back_where_it_may() -> None:
    """Sold at 0.9 and bought back at 0.1: 1.6 kWh out takes 2 kWh, which 2.222 kWh bring back; wear 0.05 per kWh."""
    car = session(
        "2018-05-14 00:00", "2018-05-14 01:00", energy_wanted_kwh=10.0, discharge_max_kw=3.2, wear_eur_per_kwh=0.05
    )
    found = cheapest([car], half_hours(2), [1.0, 0.1], [0.9, 0.05])
    assert found.power_kw("charger") == pytest.approx([-3.2, 2 / 0.9 / 0.5])
    assert found.cost_eur == pytest.approx(-1.6 * 0.9 + 1.6 * 0.05 + 2 / 0.9 * 0.1)


def test_car_charges_at_least_its_least_power_or_not_at_all() -> None:
    """4.05 kWh wanted, steps of at most 3.6 and at least 1.35: not 3.6 + 0.45, but 2.7 at 0.1 and 1.35 at 0.2."""
    car = session("2018-05-14 00:00", "2018-05-14 01:00", energy_wanted_kwh=14.05, charge_min_kw=3.0)
    found = cheapest([car], half_hours(2), [0.1, 0.2], [0.0, 0.0])
    assert found.solution.method[0] == "milp"
    assert found.power_kw("charger") == pytest.approx([6.0, 3.0])


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"energy_initial_kwh": 6.0}, "energy_initial_kwh 6, energy_min_kwh 0, energy_max_kwh 5"),
        ({"energy_end_min_kwh": 7.0}, "energy_end_min_kwh 7"),
        ({"energy_min_kwh": 5.5}, "a least energy below the greatest"),
    ],
)
def test_levels_outside_the_battery_are_refused(changes: dict[str, float], said: str) -> None:
    """The message names the device, the numbers and what was expected."""
    with pytest.raises(InputError, match=said):
        portfolio_of([battery(**changes)], half_hours(2))


def test_sessions_that_overlap_are_refused() -> None:
    """The second car comes at 01:00, the first leaves at 01:30."""
    cars = [session("2018-05-14 00:00", "2018-05-14 01:30"), session("2018-05-14 01:00", "2018-05-14 02:00")]
    with pytest.raises(InputError, match="the session before it has left"):
        portfolio_of(cars, half_hours(6))


def test_a_session_that_ends_before_it_begins_is_refused() -> None:
    """Departure at 01:00, arrival at 01:30."""
    with pytest.raises(InputError, match="after the arrival"):
        portfolio_of([session("2018-05-14 01:30", "2018-05-14 01:00")], half_hours(6))
