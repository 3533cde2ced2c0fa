"""Energies with a way on, by hand: which a device can bear by itself, and which only behind a wide connection."""

from __future__ import annotations

import numpy as np
import pytest

from one_pod import at, half_hours, portfolio_of
from podium.devices import Battery, Chp, CurtailableLoad, Device, EvCharger, FixedLoad, HeatPump, Pv, ShiftableLoad
from podium.flex.reserve import Room, room_of

BATTERY = Battery(
    device="battery",
    charge_max_kw=3.0,
    discharge_max_kw=2.0,
    energy_max_kwh=8.0,
    energy_min_kwh=1.0,
    energy_initial_kwh=5.0,
    charge_efficiency=0.9,
    discharge_efficiency=0.8,
)
HEAT_PUMP = HeatPump(
    device="pump",
    electric_max_kw=2.0,
    cop=3.0,
    heat_profile="heat",
    heat_scale_kw=5.0,
    heat_store_min_kwh=1.0,
    heat_store_max_kwh=10.0,
    heat_store_initial_kwh=6.0,
    backup_heat_max_kw=1.0,
)
#: Of the heat pump's demand of 5 kW: none, 1.5 times, all, all.
HEAT = {"heat": [0.0, 1.5, 1.0, 1.0], "load": [4.0, 4.0, 4.0, 4.0]}


def car(wanted_kwh: float) -> EvCharger:
    return EvCharger(
        device="car",
        arrival=at("2018-05-14 00:30"),
        departure=at("2018-05-14 01:30"),
        charge_max_kw=4.0,
        energy_max_kwh=20.0,
        energy_arrival_kwh=2.0,
        energy_wanted_kwh=wanted_kwh,
        charge_efficiency=0.9,
    )


def room(*devices: Device, **pod: float) -> Room:
    """The room over two hours of half-hours at 0.3 EUR/kWh."""
    portfolio = portfolio_of(devices, half_hours(4), HEAT, buy_eur_per_kwh=0.3, sell_eur_per_kwh=0.1, **pod)
    return room_of(portfolio.store(), portfolio.meter(), 0.5)


def test_a_level_wanted_at_the_end_is_no_limit() -> None:
    """The battery must end with 5 kWh (what it began with), but may stand at its 1 kWh at any time."""
    found = room(BATTERY)
    assert found.low.tolist() == [[1.0] * 4]
    assert found.high.tolist() == [[8.0] * 4]
    assert found.kappa_up.tolist() == found.kappa_down.tolist() == [[1 / 0.8] * 4]
    assert (found.backs.tolist(), found.fills_up.any()) == ([True], False)


def test_losses_are_made_good_at_full_power() -> None:
    """10 % lost per hour: before the last step 1 kWh - 0.5 x 0.9 x 3 = -0.35 would do, so only the floor counts.

    With no power to charge it needs 1 / sqrt(0.9) a step earlier, 1 / 0.9 two steps earlier.
    """
    leaky = BATTERY.model_copy(update={"self_discharge_per_hour": 0.1})
    assert room(leaky).low.tolist() == [[1.0] * 4]
    weak = leaky.model_copy(update={"charge_max_kw": 0.0})
    np.testing.assert_allclose(room(weak).low, [[0.9**-1.5, 1 / 0.9, 0.9**-0.5, 1.0]])


def test_a_car_s_wish_counts_as_far_as_it_can_be_reached() -> None:
    """A step at full power brings 0.5 x 0.9 x 4 = 1.8 kWh: from 2 kWh to 5.6 at departure, whatever is wanted."""
    np.testing.assert_allclose(room(car(5.0)).low, [[0.0, 3.2, 5.0, 0.0]])
    np.testing.assert_allclose(room(car(19.0)).low, [[0.0, 3.8, 5.6, 0.0]])
    np.testing.assert_allclose(room(car(5.0)).high, [[0.0, 20.0, 20.0, 0.0]])


def test_a_tank_is_kept_by_pump_and_backup() -> None:
    """Pump and back-up give 7 kW of heat, the demand takes 7.5 in the second step: 0.25 kWh must be there before it.

    The other way: at rest the demand takes 3.75 kWh in the second step, so 10 + 3.75 would do before it; the tank
    holds 10 at any time. End level: none.
    """
    found = room(HEAT_PUMP)
    np.testing.assert_allclose(found.low, [[1.25, 1.0, 1.0, 1.0]])
    np.testing.assert_allclose(found.high, [[10.0] * 4])
    assert found.kappa_up.tolist() == [[3.0] * 4]


def test_an_engine_fills_its_store_when_it_gives_up_power() -> None:
    """Heat ratio 1.5. Up is more generation and more heat; at rest with its boiler of 4 kW it misses 1.75 kWh."""
    engine = Chp(
        device="chp",
        electric_max_kw=2.0,
        heat_ratio=1.5,
        heat_profile="heat",
        heat_scale_kw=5.0,
        heat_store_max_kwh=10.0,
        heat_store_initial_kwh=6.0,
        boiler_max_kw=4.0,
    )
    found = room(engine)
    assert found.fills_up.all()
    assert found.kappa_down.tolist() == [[1.5] * 4]
    np.testing.assert_allclose(found.low, [[0.25, 0.0, 0.0, 0.0]])
    assert not room(engine.model_copy(update={"ramp_kw_per_hour": 1.0})).backs.any()


def test_loads_keep_their_day() -> None:
    """What was shifted (half of 4 kW) is made good by the end; a day's allowance is never overdrawn."""
    shiftable = ShiftableLoad(device="moved", profile="load", shift_down_fraction=0.5, shift_up_fraction=0.5)
    cut = CurtailableLoad(device="cut", profile="load", curtailable_fraction=0.5, curtailable_energy_kwh_per_day=3.0)
    found = room(cut, shiftable)
    np.testing.assert_allclose(found.low, [[0.0] * 4, [-3.0, -2.0, -1.0, 0.0]])
    np.testing.assert_allclose(found.high, [[3.0] * 4, [3.0, 2.0, 1.0, 0.0]])


def test_devices_without_choice_back_nothing_and_without_a_store_no_energy() -> None:
    found = room(FixedLoad(device="load", profile="load"), Pv(device="pv", profile="load"))
    assert found.backs.tolist() == [False, True]
    for values in (found.low, found.high, found.kappa_up, found.kappa_down):
        assert not values.any()


@pytest.mark.parametrize(
    ("limit_kw", "backs"), [(9.0, [False, True, True]), (8.9, [False, True, True]), (5.9, [False] * 3)]
)
def test_behind_a_narrow_connection_nobody_counts_on_power(limit_kw: float, backs: list[bool]) -> None:
    """Load 4 kW, battery 3 kW, pump 2 kW. 9 kW hold them all; with 8.9 kW no device counts on its power.

    Load and pump without the battery need 6 kW: below that the battery is needed for the connection and backs
    nothing. The pump backs what its tank can do without: 1 kWh + 8.75 kWh of demand - 1.5 kWh of back-up heat must
    be there at the end of the first step.
    """
    narrow = FixedLoad(device="load", profile="load")
    found = room(narrow, BATTERY, HEAT_PUMP, withdrawal_max_kw=limit_kw)
    assert found.backs.tolist() == backs
    assert found.low[1].tolist() == [1.0] * 4
    assert found.low[2, 0] == pytest.approx(1.25 if limit_kw == 9.0 else 8.25)
