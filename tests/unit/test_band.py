"""Bands worked out by hand, kind by kind. Half-hours throughout; the margin of 1e-9 apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

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
from podium.flex.exact import Schedule
from podium.local.band import Band, band

Floats = NDArray[np.float64]
Rows = Sequence[Sequence[float]]
MARGIN = 1e-8

BATTERY = Battery(
    device="b",
    charge_max_kw=4,
    discharge_max_kw=4,
    energy_max_kwh=10,
    energy_initial_kwh=5,
    charge_efficiency=0.9,
    discharge_efficiency=0.8,
    energy_end_min_kwh=2,
)


def around(
    devices: Sequence[Device],
    power: Rows,
    sustain: int,
    profiles: Mapping[str, Sequence[float]] | None = None,
    aux: Rows | None = None,
    start: str = "2018-05-14 00:00",
    **pod: float,
) -> Band:
    """The band around given powers, kW (device, step) in the order of the store; levels follow from the powers."""
    p = np.asarray(power, dtype=float)
    portfolio = portfolio_of(devices, half_hours(p.shape[1], start), profiles, **pod)
    store, horizon = portfolio.store(), portfolio.horizon
    heat = np.zeros_like(p) if aux is None else np.asarray(aux, dtype=float)
    e, level = np.zeros_like(p), store.e_initial
    for t in range(horizon.steps):
        gain = store.full("k_plus")[:, t] * np.maximum(p[:, t], 0) - store.full("k_minus")[:, t] * np.maximum(
            -p[:, t], 0
        )
        level = store.full("keep")[:, t] * level + 0.5 * (gain + heat[:, t]) + store.full("drift")[:, t]
        e[:, t] = level = np.where(store.has_store, level, 0.0)
    schedule = Schedule(p, e, heat, np.zeros_like(p))
    return band(store, schedule, portfolio.meter(np.zeros(horizon.steps)), horizon.step_hours, sustain, horizon.day)


def same(found: Floats, expected: Sequence[float]) -> None:
    np.testing.assert_allclose(found, expected, rtol=0, atol=MARGIN)


def test_a_half_full_battery_at_rest_gives_what_its_cells_hold_over_the_time_it_must_hold_out() -> None:
    """5 kWh in the cells over 2 h: 2.5 kW, at the meter 2.0 kW (0.8); 5 kWh of room: 2.78 kW at the meter (0.9).

    It may end at 2 kWh and can take in 1.8 kWh in its last half-hour: until then 0.2 kWh must stay, at the end 2 kWh.
    """
    found = around([BATTERY], [[0.0] * 8], sustain=4)
    same(found.up_kw[0], [2.0, 2.0, 2.0, 4.8 / 2 * 0.8, *[3.0 / 2 * 0.8] * 4])
    same(found.down_kw[0], [5 / 2 / 0.9] * 8)


def test_power_limits_a_short_activation_and_energy_a_long_one() -> None:
    """One step: 4 kW each way, of the cells' 5 kWh it takes 2.5. Eight steps (4 h): 5 kWh / 4 h, and 3 at the end."""
    short = around([BATTERY], [[0.0] * 8], sustain=1)
    same(short.up_kw[0], [4.0] * 8)
    same(short.down_kw[0], [4.0] * 8)
    whole = around([BATTERY], [[0.0] * 8], sustain=8)
    same(whole.up_kw[0], [3 / 4 * 0.8] * 8)
    same(whole.down_kw[0], [5 / 4 / 0.9] * 8)


def test_a_charging_battery_first_stops_charging() -> None:
    """Charging at 1 kW it holds 1.95 kWh after 1 h: 1.95 kW less may go in, 0.9 of them by not charging (1 kW at 0.9).

    The other 1.05 kW come from the cells, 0.84 kW at the meter. Discharging, all its power fits: 0.8 kW and 4 kW.
    """
    battery = BATTERY.model_copy(update={"energy_initial_kwh": 1.05, "energy_end_min_kwh": 0.0})
    found = around([battery], [[1.0, 1.0, 1.0, 1.0]], sustain=2)
    same(found.up_kw[0, :1], [1.84])
    discharging = around([BATTERY], [[-0.8, -0.8]], sustain=2)
    same(discharging.down_kw[0, :1], [4.8])


def test_a_cycle_limit_leaves_what_the_day_has_not_used() -> None:
    """A quarter of a cycle of 20 kWh is 4 kWh at the meter (0.8); 1 kW for 1 h is planned, 3 kWh are left for 1 h.

    Charging at 0.5 kW it gives that up besides, which uses no cycle. Without the limit its power allows more.
    """
    battery = BATTERY.model_copy(
        update={"energy_max_kwh": 20.0, "energy_initial_kwh": 15.0, "energy_end_min_kwh": 0.0, "discharge_max_kw": 8.0}
    )
    power = [[-1.0, -1.0, 0.5, 0.0]]
    limited = battery.model_copy(update={"cycles_max_per_day": 0.25})
    same(around([limited], power, sustain=2).up_kw[0], [3.0, 3.0, 3.5, 3.0])
    same(around([battery], power, sustain=2).up_kw[0], [7.0, 7.0, 8.5, 8.0])


def test_a_cycle_limited_battery_recovers_by_charging_only() -> None:
    """It must end where it began, and a tenth of a cycle may be used: 0.8 kWh at the meter.

    Up: 0.8 kW for 1 h, made good by charging later, but not in the last steps. Down: nothing, for what it takes in it
    could not give back: discharging beyond the schedule is not counted on, and it is full.
    """
    battery = BATTERY.model_copy(
        update={"cycles_max_per_day": 0.1, "energy_initial_kwh": 10.0, "energy_end_min_kwh": 10.0}
    )
    found = around([battery], [[0.0] * 5], sustain=2)
    same(found.up_kw[0], [0.8, 0.8, 0.8, 0.0, 0.0])
    same(found.down_kw[0], [0.0] * 5)


@pytest.mark.parametrize(
    ("curtailable", "power", "up", "down"), [(True, -3, 0, 3), (True, -1, 2, 1), (True, 0, 3, 0), (False, -3, 0, 0)]
)
def test_pv_can_be_curtailed_and_never_gives_more_than_the_sun(
    curtailable: bool, power: float, up: float, down: float
) -> None:
    """Of 3 kW; without a store, however long it lasts. What is curtailed already can be given back."""
    found = around([Pv(device="pv", profile="sun", curtailable=curtailable)], [[power] * 3], 3, {"sun": [3, 3, 3]})
    same(found.up_kw[0], [up] * 3)
    same(found.down_kw[0], [down] * 3)


def test_a_fixed_load_gives_nothing_and_a_given_profile_its_band() -> None:
    devices = [FixedLoad(device="load", profile="day"), GivenProfile(device="plant", profile="day", band_kw=0.7)]
    found = around(devices, [[1, 2], [1.2, 1.3]], 2, {"day": [1, 2]})
    same(found.up_kw[0], [0, 0])
    same(found.down_kw[0], [0, 0])
    same(found.up_kw[1], [0.9, 0.0])
    same(found.down_kw[1], [0.5, 1.4])


def test_a_curtailable_load_spreads_its_allowance() -> None:
    """Load 2 kW, of which 1 may be cut, at most 0.6 kWh a day: over 1 h 0.6 kW; over half an hour all of it, 1 kW.

    What is cut already can be taken again.
    """
    load = CurtailableLoad(device="cool", profile="day", curtailable_fraction=0.5, curtailable_energy_kwh_per_day=0.6)
    hour = around([load], [[2.0] * 4], 2, {"day": [2.0] * 4})
    same(hour.up_kw[0], [0.6] * 4)
    same(hour.down_kw[0], [0.0] * 4)
    same(around([load], [[2.0] * 4], 1, {"day": [2.0] * 4}).up_kw[0], [1.0] * 4)
    cut = around([load], [[2.0, 1.6, 2.0, 2.0]], 2, {"day": [2.0] * 4})
    same(cut.up_kw[0], [0.4] * 4)
    same(cut.down_kw[0], [0.0, 0.4, 0.0, 0.0])


def test_an_allowance_comes_back_at_midnight() -> None:
    """At 23:00 all that is possible is cut, 0.5 of 0.6 kWh: at 23:30 0.1 kWh are left, 0.2 kW; then 0.6 kWh for 1 h."""
    load = CurtailableLoad(device="cool", profile="day", curtailable_fraction=0.5, curtailable_energy_kwh_per_day=0.6)
    found = around([load], [[1.0, 2.0, 2.0, 2.0]], 2, {"day": [2.0] * 4}, start="2018-05-14 23:00")
    same(found.up_kw[0], [0.0, 0.2, 0.6, 0.6])


def test_a_shiftable_load_gives_what_it_can_make_good_by_the_end_of_the_day() -> None:
    """Load 2 kW, a quarter either way: 0.5 kW in any step but the last; for 1 h, what the steps after it can repay."""
    load = ShiftableLoad(device="mill", profile="day", shift_down_fraction=0.25, shift_up_fraction=0.25)
    step = around([load], [[2.0] * 4], 1, {"day": [2.0] * 4})
    same(step.up_kw[0], [0.5, 0.5, 0.5, 0.0])
    same(step.down_kw[0], [0.5, 0.5, 0.5, 0.0])
    hour = around([load], [[2.0] * 4], 2, {"day": [2.0] * 4})
    same(hour.up_kw[0], [0.5, 0.25, 0.0, 0.0])
    lossy = load.model_copy(update={"energy_loss_max_kwh": 0.2})
    same(around([lossy], [[2.0] * 4], 2, {"day": [2.0] * 4}).up_kw[0], [0.5, 0.45, 0.2, 0.2])


def car(leaves: str, **fields: float) -> EvCharger:
    return EvCharger.model_validate(
        {
            "device": "car",
            "arrival": at("2018-05-14 00:00"),
            "departure": at(f"2018-05-14 {leaves}"),
            "charge_max_kw": 4,
            "energy_max_kwh": 20,
            "energy_arrival_kwh": 2,
            "energy_wanted_kwh": 5.6,
            "charge_efficiency": 0.9,
            **fields,
        }
    )


def test_a_car_gives_up_its_charging_where_it_can_still_be_filled() -> None:
    """It charges 4 kW in the first hour and has all it wants: the hour after it, until 02:00, makes all of that good.

    Held back for 1.5 h it has half an hour for what both half-hours share, and none where that begins at 00:30. Where
    it leaves at 01:00, it gives nothing. Down: 4 kW once idle.
    """
    late = around([car("02:00")], [[4.0, 4.0, 0.0, 0.0]], 2)
    same(late.up_kw[0], [4.0, 4.0, 0.0, 0.0])
    same(around([car("02:00")], [[4.0, 4.0, 0.0, 0.0]], 3).up_kw[0], [2.0, 0.0, 0.0, 0.0])
    same(late.down_kw[0], [0.0, 0.0, 4.0, 4.0])
    early = around([car("01:00")], [[4.0, 4.0]], 1)
    same(early.up_kw[0], [0.0, 0.0])


def test_a_car_that_charges_at_a_least_power_stays_on() -> None:
    """At least 1.5 kW while charging: of 4 kW it gives the 2 kW that its second half-hour at 2 kW can make good.

    Where that has 3.5 kW to spare, it gives the 2.5 kW above its least power. Idle, it stays so.
    """
    spare = around([car("01:30", charge_min_kw=1.5, energy_wanted_kwh=4.7)], [[4.0, 2.0, 2.0]], 1)
    same(spare.up_kw[0, :1], [2.5])
    found = around([car("01:00", charge_min_kw=1.5, energy_wanted_kwh=4.7)], [[4.0, 2.0]], 1)
    same(found.up_kw[0], [2.0, 0.0])
    same(found.down_kw[0], [0.0, 2.0])
    idle = around([car("01:00", charge_min_kw=1.5, shortfall_eur_per_kwh=0.0)], [[0.0, 0.0]], 1)
    same(idle.up_kw[0], [0.0, 0.0])
    same(idle.down_kw[0], [0.0, 0.0])


def test_a_car_counts_on_no_more_than_the_connection_leaves_it() -> None:
    """Behind 5 kW, a load of 4 kW from 01:00 leaves the car 1 kW: only 2 x 0.45 kWh can be made good, 1 kW twice.

    Over half an hour, 0.9 kWh are 2 kW of charging.
    """
    devices = [FixedLoad(device="load", profile="day"), car("02:00")]
    found = around(devices, [[0, 0, 4, 4], [4.0, 4.0, 0.0, 0.0]], 1, {"day": [0, 0, 4, 4]}, withdrawal_max_kw=5)
    same(found.up_kw[1], [2.0, 2.0, 0.0, 0.0])
    same(found.down_kw[1], [0.0, 0.0, 1.0, 1.0])


def test_a_connection_is_shared_by_power() -> None:
    """8 kW free of both batteries' 8: with 6 kW of connection each has 3 kW; upwards 4 kW each of 10 kW injection."""
    two = [BATTERY, BATTERY.model_copy(update={"device": "c"})]
    found = around(two, [[0.0], [0.0]], 1, withdrawal_max_kw=6, injection_max_kw=10)
    same(found.down_kw[:, 0], [3.0, 3.0])
    same(found.up_kw[:, 0], [4.0, 4.0])


def heat_pump(**fields: float) -> HeatPump:
    return HeatPump.model_validate(
        {
            "device": "hp",
            "electric_max_kw": 3,
            "cop": 2.5,
            "heat_profile": "heat",
            "heat_store_max_kwh": 8,
            "heat_store_initial_kwh": 4,
            "heat_store_end_min_kwh": 0,
            **fields,
        }
    )


def test_a_heat_pump_lives_from_its_tank() -> None:
    """It makes what is used, 5 kW of heat at 2 kW. 4 kWh in the tank carry 4 kW of heat for 1 h: 1.6 kW up.

    Down: 1 kW to its greatest, 2.5 kWh of heat in 1 h, which the tank holds.
    """
    found = around([heat_pump()], [[2.0] * 4], 2, {"heat": [5.0] * 4})
    same(found.up_kw[0], [1.6] * 4)
    same(found.down_kw[0], [1.0] * 4)


def test_a_backup_heater_takes_over_at_once() -> None:
    """With 1 kW of back-up beside the tank's 4 kW: 5 kW of heat, all of the 2 kW. What runs already adds nothing."""
    found = around([heat_pump(backup_heat_max_kw=1.0)], [[2.0] * 4], 2, {"heat": [5.0] * 4})
    same(found.up_kw[0], [2.0] * 4)
    used = around([heat_pump(backup_heat_max_kw=1.0)], [[1.6] * 4], 2, {"heat": [5.0] * 4}, aux=[[1.0] * 4])
    same(used.up_kw[0], [1.6] * 4)
    full = heat_pump(backup_heat_max_kw=1.0, heat_store_initial_kwh=8.0)
    same(around([full], [[1.6] * 4], 2, {"heat": [5.0] * 4}, aux=[[1.0] * 4]).down_kw[0], [0.4] * 4)


def test_a_heat_pump_that_stands_still_stays_off() -> None:
    """Its least power of 1 kW cannot be had in part. While running it gives what is above 1 kW."""
    off = around([heat_pump(electric_min_kw=1.0)], [[0.0, 2.0]], 1, {"heat": [0.0, 5.0]})
    same(off.up_kw[0], [0.0, 1.0])
    same(off.down_kw[0], [0.0, 1.0])


def chp(**fields: float | bool) -> Chp:
    return Chp.model_validate(
        {
            "device": "chp",
            "electric_max_kw": 6,
            "heat_ratio": 1.25,
            "heat_profile": "heat",
            "heat_store_max_kwh": 3,
            "heat_store_initial_kwh": 0,
            "heat_store_end_min_kwh": 0,
            **fields,
        }
    )


def test_the_boiler_takes_over_from_an_engine() -> None:
    """4 kW make the 5 kW of heat that are used, nothing is stored. A boiler of 2 kW frees 1.6 kW; without it, nothing.

    Up: 2 kW to its greatest, 2.5 kWh of heat in 1 h for 3 kWh of room.
    """
    found = around([chp(boiler_max_kw=2.0)], [[-4.0] * 4], 2, {"heat": [5.0] * 4})
    same(found.down_kw[0], [1.6] * 4)
    same(found.up_kw[0], [2.0] * 4)
    same(around([chp()], [[-4.0] * 4], 2, {"heat": [5.0] * 4}).down_kw[0], [0.0] * 4)


def test_a_full_heat_store_needs_a_vent() -> None:
    """Nothing can be stored: up needs a vent; 1 kW of it takes 0.8 kW of electricity."""
    full = {"heat_store_initial_kwh": 3.0}
    same(around([chp(**full)], [[-4.0] * 2], 1, {"heat": [5.0] * 2}).up_kw[0], [0.0] * 2)
    same(around([chp(**full, heat_spill_max_kw=1.0)], [[-4.0] * 2], 1, {"heat": [5.0] * 2}).up_kw[0], [0.8] * 2)


def test_an_engine_stays_on_at_its_least_power() -> None:
    """Least power 3 kW: of 4 kW it takes back 1, with boiler enough for more. Off, it stays off."""
    engine = chp(electric_min_kw=3.0, boiler_max_kw=9.0, on_initial=True)
    found = around([engine], [[-4.0, 0.0]], 1, {"heat": [5.0, 5.0]}, aux=[[0.0, 5.0]])
    same(found.down_kw[0], [1.0, 0.0])
    same(found.up_kw[0], [2.0, 0.0])


def test_a_ramp_bounds_the_step_into_an_activation_and_the_step_out() -> None:
    """Ramp 2 kW per half-hour; 4, 5, 5 and 3 kW of generation.

    From 5 to 3 kW all of the ramp is used: neither may the third step rise nor the fourth fall. The first may fall
    by 1, as the second must not be more than 2 kW above it.
    """
    engine = chp(ramp_kw_per_hour=4.0, boiler_max_kw=20.0, heat_spill_max_kw=20.0)
    found = around([engine], [[-4.0, -5.0, -5.0, -3.0]], 1, {"heat": [5.0] * 4}, aux=[[0.0, 0.0, 0.0, 1.25]])
    same(found.down_kw[0], [1.0, 2.0, 2.0, 0.0])
    same(found.up_kw[0], [2.0, 1.0, 0.0, 3.0])


def test_a_device_with_a_ramp_must_be_able_to_return_to_its_schedule() -> None:
    """What it stores more stays: 0.5 kWh of room at the end, 0.8 kW. Less: nothing before anything is in store."""
    engine = chp(ramp_kw_per_hour=40.0, heat_store_max_kwh=3.0)
    found = around([engine], [[-4.0, -4.0, -6.0, -6.0]], 1, {"heat": [5.0] * 4})
    same(found.up_kw[0], [0.8, 0.8, 0.0, 0.0])
    same(found.down_kw[0], [0.0, 0.0, 2.0, 4.0])
