"""The independent check, on two PODs with one device of each kind, worked out by hand.

Half-hour steps from 22:30 to 01:30 in Rome, so that a local day ends after the third step; no efficiency is 1.
"""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

from podium.checking import (
    CheckReport,
    Schedule,
    check_position,
    check_results,
    check_schedule,
    device_cost_eur,
    level1_cost_eur,
    market_profit_eur,
    replay,
)
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
    Wind,
)
from podium.errors import InputError
from podium.horizon import Horizon
from podium.market.prices import EnergyPrices
from podium.portfolio import Pod, Portfolio

ROME = ZoneInfo("Europe/Rome")
NAN = float("nan")
STEPS = 6


def at(clock: str, day: int = 14) -> datetime:
    hours, minutes = clock.split(":")
    return datetime(2018, 5, day, int(hours), int(minutes), tzinfo=ROME)


HORIZON = Horizon(at("22:30"), 30, STEPS, "Europe/Rome")
PROFILES = {
    "load": [2, 3, 2, 1, 1, 2],
    "sun": [0, 0.5, 1, 1, 0.5, 0],
    "wind": [0.5, 0.25, 0.75, 1, 0.5, 0.25],
    "plant": [2, -1, 3, 2, -2, 1],
    "heat": [1, 1, 1, 1, 1, 1],
    "cop": [3, 3, 3, 4, 4, 4],
    "buy": [0.3, 0.3, 0.2, 0.2, 0.1, 0.1],
}
SESSION = {
    "device": "ev", "charge_max_kw": 7, "charge_min_kw": 2, "discharge_max_kw": 3, "energy_max_kwh": 40,
    "shortfall_eur_per_kwh": 0.5, "charge_efficiency": 0.9, "discharge_efficiency": 0.8, "wear_eur_per_kwh": 0.1,
}  # fmt: skip
HOME: list[Device] = [
    FixedLoad(device="load", profile="load", scale_kw=1.5),
    CurtailableLoad(
        device="cut", profile="load", scale_kw=2, curtailable_fraction=0.5, curtailable_max_kw=2.5,
        curtailable_from="23:00", curtailable_to="01:00", curtailable_energy_kwh_per_day=2, curtailment_eur_per_kwh=0.4,
    ),
    ShiftableLoad(
        device="shift", profile="load", scale_kw=2, shift_down_fraction=0.25, shift_up_fraction=0.5,
        energy_loss_max_kwh=0.2, shift_energy_max_kwh=0.9,
    ),
    Pv(device="pv", profile="sun", scale_kw=2),
    Battery(
        device="battery", charge_max_kw=4, discharge_max_kw=5, energy_max_kwh=10, energy_min_kwh=1,
        energy_initial_kwh=4, charge_efficiency=0.9, discharge_efficiency=0.8, self_discharge_per_hour=0.19,
        wear_eur_per_kwh=0.05, cycles_max_per_day=0.3, energy_end_min_kwh=1.9, energy_end_eur_per_kwh=0.1,
    ),
    EvCharger(arrival=at("22:40"), departure=at("23:40"), energy_arrival_kwh=5, energy_wanted_kwh=8, **SESSION),
    EvCharger(
        arrival=at("00:00", 15), departure=at("02:00", 15), energy_arrival_kwh=10, energy_wanted_kwh=16, **SESSION
    ),
    HeatPump(
        device="heat", electric_max_kw=3, electric_min_kw=1, cop_profile="cop", heat_profile="heat", heat_scale_kw=4,
        heat_store_min_kwh=2, heat_store_max_kwh=9, heat_store_initial_kwh=5, heat_store_end_min_kwh=3,
        heat_store_loss_per_hour=0.19, backup_heat_max_kw=2, backup_heat_eur_per_kwh=0.3,
    ),
]  # fmt: skip
WORKS: list[Device] = [
    Wind(device="wind", profile="wind", scale_kw=4, curtailable=False),
    Chp(
        device="chp", electric_max_kw=10, electric_min_kw=4, heat_ratio=1.5, heat_profile="heat", heat_scale_kw=6,
        heat_store_max_kwh=12, heat_store_initial_kwh=5, heat_store_end_min_kwh=0.9, heat_store_loss_per_hour=0.19,
        boiler_max_kw=3, boiler_eur_per_kwh=0.15, heat_spill_max_kw=2, fuel_eur_per_kwh=0.2, start_eur=7,
        min_up_hours=1, min_down_hours=1, ramp_kw_per_hour=12,
    ),
    GivenProfile(device="plant", profile="plant", band_kw=0.5),
]  # fmt: skip
PODS = [
    Pod(pod="home", buy_profile="buy", sell_eur_per_kwh=0.05, peak_eur_per_kw=2, withdrawal_max_kw=19,
        injection_max_kw=6, devices=HOME),
    Pod(pod="works", buy_eur_per_kwh=0.25, sell_eur_per_kwh=0.08, injection_max_kw=9, devices=WORKS),
]  # fmt: skip
POWER = {
    "load": [3, 4.5, 3, 1.5, 1.5, 3],
    "cut": [4, 3.5, 2.5, 1, 1.5, 4],
    "shift": [5, 5, 3.6, 1.5, 3, 3.5],
    "pv": [0, -1, -1.5, -2, 0, 0],
    "battery": [2, -1.6, -2.4, 3, 1, -0.8],
    "ev": [0, 4, 0, 6, -1.6, 2],
    "heat": [1, 2, 0, 1.5, 1, 1.2],
    "wind": [-2, -1, -3, -4, -2, -1],
    "chp": [0, -5, -8, -4, 0, 0],
    "plant": [2.5, -1.5, 3, 2, -2, 0.5],
}
ENERGY = {
    "cut": [2, 0.75, 0, 1.5, 1.25, 1.25],
    "shift": [0.5, 0, -0.2, -0.25, 0.25, 0],
    "battery": [4.5, 3.05, 1.245, 2.4705, 2.67345, 1.906105],
    "ev": [0, 6.8, 0, 12.7, 11.7, 12.6],
    "heat": [4, 4.6, 2.64, 3.376, 3.0384, 3.13456],
    "chp": [2.5, 3, 5.2, 4.68, 2.712, 0.9408],
}
AUX = {"heat": [0, 0, 1, 0, 0, 0], "chp": [2, 0, 0, 0, 3, 3]}
SPILL = {"chp": [0, 0, 1, 0, 0, 0]}
NONE = {name: [NAN] * STEPS for name in POWER}
ZERO = {name: [0.0] * STEPS for name in POWER}


def portfolio(*pods: Pod) -> Portfolio:
    return Portfolio.of(pods or PODS, HORIZON, PROFILES)


def schedule() -> Schedule:
    """The good schedule, its devices in an order that is not the study's."""
    names = sorted(POWER)
    arrays = (POWER, NONE | ENERGY, ZERO | AUX, ZERO | SPILL)
    rows = (np.array([table[name] for name in names], dtype=float) for table in arrays)
    return Schedule(np.array(names, dtype=object), *rows)


def spoiled(array: str, device: str, step: int, value: float) -> Schedule:
    good = schedule()
    numbers = getattr(good, array).copy()
    numbers[list(good.device_ids).index(device), step] = value
    return replace(good, **{array: numbers})


def moved(power: dict[str, list[float]]) -> np.ndarray:
    """An activation (device, step), in the order of the schedule."""
    good = schedule()
    return np.array([power.get(name, ZERO[name]) for name in good.device_ids], dtype=float)


def lines(report: CheckReport) -> str:
    return "\n".join(map(str, report.violations))


def test_the_schedule_worked_out_by_hand_is_good() -> None:
    """Levels, allowances, cars and heat agree with ENERGY above; nothing is passed by more than rounding."""
    report = check_schedule(portfolio(), schedule())
    assert report.good, lines(report)
    assert report.violations == ()
    assert report.max_violation_kw < 1e-12


@pytest.mark.parametrize(
    ("array", "device", "step", "value", "found", "words", "amount", "unit"),
    [
        ("power_kw", "load", 1, 4.6, 1, "takes 4.6 kW, more than its load of 4.5 kW", 0.1, "kW"),
        ("power_kw", "load", 1, 4.4, 1, "takes 4.4 kW, less than its load of 4.5 kW", 0.1, "kW"),
        ("power_kw", "cut", 0, 3.9, 0, "after all that may be cut in this step 4 kW would remain", 0.1, "kW"),
        ("power_kw", "cut", 1, 3.4, 1, "after all that may be cut in this step 3.5 kW would remain", 0.1, "kW"),
        ("power_kw", "cut", 2, 1.9, 2, "after all that may be cut in this step 2 kW would remain", 0.1, "kW"),
        ("power_kw", "cut", 2, 2.4, 2, "has cut 0.05 kWh more than its allowance for this day", 0.05, "kWh"),
        ("power_kw", "cut", 4, 2.1, 4, "takes 2.1 kW, more than its load of 2 kW", 0.1, "kW"),
        ("power_kw", "shift", 0, 6.2, 0, "more than the 6 kW to which its load may be raised", 0.2, "kW"),
        ("power_kw", "shift", 3, 1.4, 3, "less than the 1.5 kW to which its load may be lowered", 0.1, "kW"),
        ("power_kw", "shift", 0, 5.9, 0, "taken 0.95 kWh in advance since the day began; 0.9 kWh", 0.05, "kWh"),
        ("power_kw", "shift", 2, 3.5, 2, "0.25 kWh behind its load since the day began; 0.2 kWh", 0.05, "kWh"),
        ("power_kw", "shift", 5, 3.6, 5, "taken 0.05 kWh in advance since the day began; 0 kWh", 0.05, "kWh"),
        ("power_kw", "pv", 1, -1.1, 1, "generates 1.1 kW, more than the 1 kW available", 0.1, "kW"),
        ("power_kw", "pv", 4, 0.1, 4, "at most 0 kW is allowed", 0.1, "kW"),
        ("power_kw", "wind", 2, -2.9, 2, "at most -3 kW is allowed", 0.1, "kW"),
        ("power_kw", "battery", 3, 4.2, 3, "charges with 4.2 kW, more than the 4 kW it can", 0.2, "kW"),
        ("power_kw", "battery", 1, -5.2, 1, "discharges with 5.2 kW, more than the 5 kW it can", 0.2, "kW"),
        ("power_kw", "battery", 2, -3.2, 2, "hold 0.745 kWh, less than the 1 kWh it must", 0.255, "kWh"),
        ("power_kw", "battery", 5, -0.96, 5, "hold 1.806105 kWh, less than the 1.9 kWh it must", 0.093895, "kWh"),
        ("power_kw", "battery", 2, -3.36, 0, "3.1 kWh are taken from the cells, more than the 3 kWh", 0.1, "kWh"),
        ("energy_kwh", "battery", 4, 2.68, 4, "reports 2.68 kWh in its store, but its powers make", 0.00655, "kWh"),
        ("power_kw", "ev", 0, 2, 0, "charges with 2 kW, more than the 0 kW possible", 2, "kW"),
        ("power_kw", "ev", 2, 2, 2, "charges with 2 kW, more than the 0 kW possible", 2, "kW"),
        ("power_kw", "ev", 2, -1, 2, "feeds back 1 kW, more than the 0 kW possible", 1, "kW"),
        ("power_kw", "ev", 3, 7.5, 3, "charges with 7.5 kW, more than the 7 kW possible", 0.5, "kW"),
        ("power_kw", "ev", 4, -3.2, 4, "feeds back 3.2 kW, more than the 3 kW possible", 0.2, "kW"),
        ("power_kw", "ev", 5, 1.5, 5, "runs at 1.5 kW, below its least power of 2 kW", 0.5, "kW"),
        ("energy_kwh", "ev", 2, 6.8, 2, "reports 6.8 kWh in its store, but its powers make 0 kWh", 6.8, "kWh"),
        ("power_kw", "heat", 1, 3.5, 1, "takes 3.5 kW, more than the 3 kW it can", 0.5, "kW"),
        ("power_kw", "heat", 2, -0.5, 2, "its net power is -0.5 kW, but it cannot inject", 0.5, "kW"),
        ("power_kw", "heat", 4, 0.9, 4, "runs at 0.9 kW, below its least power of 1 kW", 0.1, "kW"),
        ("power_kw", "heat", 5, 1.1, 5, "would hold 2.93456 kWh, less than the 3 kWh required", 0.06544, "kWh"),
        ("aux_kw", "heat", 2, 2.5, 2, "boiler or back-up is 2.5 kW; from 0 to 2 kW is possible", 0.5, "kW"),
        ("spill_kw", "heat", 2, 0.5, 2, "heat it vents is 0.5 kW; from 0 to 0 kW is possible", 0.5, "kW"),
        ("power_kw", "chp", 2, -10.5, 2, "generates 10.5 kW, more than the 10 kW it can", 0.5, "kW"),
        ("power_kw", "chp", 0, 0.5, 0, "its net power is 0.5 kW, but it cannot withdraw", 0.5, "kW"),
        ("power_kw", "chp", 3, -3.5, 3, "runs at 3.5 kW, below its least power of 4 kW", 0.5, "kW"),
        ("power_kw", "chp", 2, -11.5, 2, "changes by 6.5 kW from the step before; its ramp allows 6 kW", 0.5, "kW"),
        ("aux_kw", "chp", 5, 3.2, 5, "boiler or back-up is 3.2 kW; from 0 to 3 kW is possible", 0.2, "kW"),
        ("aux_kw", "chp", 0, -0.2, 0, "boiler or back-up is -0.2 kW; from 0 to 3 kW is possible", 0.2, "kW"),
        ("spill_kw", "chp", 2, 2.3, 2, "heat it vents is 2.3 kW; from 0 to 2 kW is possible", 0.3, "kW"),
        ("aux_kw", "chp", 5, 2.9, 5, "would hold 0.8908 kWh, less than the 0.9 kWh required", 0.0092, "kWh"),
        ("power_kw", "plant", 0, 2.6, 0, "above its band, which ends at 2.5 kW", 0.1, "kW"),
        ("power_kw", "plant", 1, -1.6, 1, "below its band, which begins at -1.5 kW", 0.1, "kW"),
        ("power_kw", "plant", 1, NAN, 1, "there is no finite number for its power", 1, "values"),
        ("power_kw", "battery", 1, float("inf"), 1, "there is no finite number for its power", 1, "values"),
        ("energy_kwh", "ev", 2, NAN, 2, "there is no finite number for its energy", 1, "values"),
        ("aux_kw", "chp", 3, NAN, 3, "there is no finite number for its boiler or back-up", 1, "values"),
        ("energy_kwh", "pv", 3, 2.5, 3, "reports 2.5 kWh in its store, but its powers make 0 kWh", 2.5, "kWh"),
    ],
)  # fmt: skip
def test_one_spoiled_number_is_named(
    array: str, device: str, step: int, value: float, found: int, words: str, amount: float, unit: str
) -> None:
    """One number of the good schedule is changed, and the check says which device, when, what and by how much."""
    report = check_schedule(portfolio(), spoiled(array, device, step, value))
    matching = [item for item in report.violations if words in item.what]
    assert matching, lines(report)
    first = matching[0]
    assert (first.device, first.step, first.unit) == (device, found, unit)
    assert first.time == HORIZON.times[found]
    assert first.amount == pytest.approx(amount, abs=1e-9)
    assert first.pod == ("works" if device in {"chp", "wind", "plant"} else "home")


def test_a_violation_reads_well() -> None:
    """POD, device, local time, what and by how much."""
    report = check_schedule(portfolio(), spoiled("power_kw", "pv", 1, -1.1))
    assert str(report.violations[0]) == (
        "POD 'home', 'pv', 2018-05-14T23:00:00+02:00: generates 1.1 kW, more than the 1 kW available (by 0.1 kW)"
    )
    assert str(report).startswith("1 violations, at most 0.1 kW")


def test_a_full_battery_takes_no_more() -> None:
    """0.9 x 4 + 0.5 x 0.9 x 4 = 5.4 kWh is more than 5.3."""
    small = HOME[4].model_copy(update={"energy_max_kwh": 5.3, "cycles_max_per_day": None, "energy_end_min_kwh": 1})
    power = np.array([[4.0, 0, 0, 0, 0, 0]])
    levels = np.array([[5.4, 4.86, 4.374, 3.9366, 3.54294, 3.188646]])
    only = Schedule(np.array(["battery"], dtype=object), power, levels, 0 * power, 0 * power)
    report = check_schedule(portfolio(Pod(pod="a", devices=[small])), only)
    assert report.count == 1
    assert "would hold 5.4 kWh, more than the 5.3 kWh it can" in lines(report)
    assert report.max_violation_kw == pytest.approx(0.1 / 0.5)


@pytest.mark.parametrize(("value", "end", "least"), [(0.0, None, 4.0), (0.1, None, 1.0), (0.0, 1.5, 1.5)])
def test_a_battery_ends_as_it_began_unless_said_or_valued(value: float, end: float | None, least: float) -> None:
    """At rest it holds 4 x 0.9^6 = 2.125764 kWh in the end."""
    update = {"energy_end_eur_per_kwh": value, "energy_end_min_kwh": end}
    idle = np.zeros((1, STEPS))
    levels = 4 * 0.9 ** np.arange(1, STEPS + 1)[None, :]
    only = Schedule(np.array(["battery"], dtype=object), idle, levels, idle, idle)
    report = check_schedule(portfolio(Pod(pod="a", devices=[HOME[4].model_copy(update=update)])), only)
    assert report.good == (least < 2.125764)


def chp_report(power: list[float], **fields: object) -> CheckReport:
    """A CHP without heat, of 10 kW, whose least times are 1.5 h (three steps) and 1 h (two)."""
    given: dict[str, object] = {"electric_min_kw": 4, "heat_ratio": 0, "min_up_hours": 1.5, "min_down_hours": 1}
    engine = Chp(device="chp", electric_max_kw=10, **(given | fields))
    numbers = -np.array([power], dtype=float)
    plan = Schedule(np.array(["chp"], dtype=object), numbers, 0 * numbers, 0 * numbers, 0 * numbers)
    return check_schedule(portfolio(Pod(pod="a", devices=[engine])), plan)


@pytest.mark.parametrize(
    ("power", "on_initial", "words"),
    [
        ([0, 5, 5, 5, 0, 0], False, ""),
        ([0, 5, 5, 0, 0, 0], False, "runs for 2 steps only before this one; it must for 3"),
        ([5, 0, 0, 5, 5, 5], True, ""),
        ([5, 0, 0, 5, 5, 5], False, "runs for 1 steps only before this one; it must for 3"),
        ([5, 0, 5, 5, 5, 5], True, "rests for 1 steps only before this one; it must for 2"),
        ([0, 5, 5, 5, 5, 5], True, "rests for 1 steps only before this one; it must for 2"),
        ([0, 0, 0, 0, 5, 5], False, ""),
        ([0, 0, 0, 0, 0, 0], True, ""),
    ],
)
def test_least_times(power: list[float], on_initial: bool, words: str) -> None:
    """What ran or rested before has done so long enough; the end of the horizon cuts no run short."""
    report = chp_report(power, on_initial=on_initial)
    assert report.good == (not words)
    assert words in lines(report)


def test_least_times_need_a_least_power() -> None:
    """At 0 kW an engine without a least power may be running, so nobody could judge its least times."""
    with pytest.raises(InputError, match="electric_min_kw above 0 with a start cost or least times"):
        chp_report([5, 0, 5, 0, 0, 5], electric_min_kw=0)
    assert not chp_report([5, 0, 5, 0, 0, 5], electric_min_kw=1).good


def test_the_ramp_does_not_bind_the_first_step() -> None:
    """What it gave before the horizon is not known; from 9 to 0 kW is more than 14 kW/h x 0.5 h."""
    free = {"min_up_hours": 0, "min_down_hours": 0, "ramp_kw_per_hour": 14}
    assert chp_report([9, 9, 9, 5, 0, 0], **free).good
    assert "changes by 9 kW from the step before; its ramp allows 7 kW" in lines(chp_report([9, 9, 9, 0, 0, 0], **free))


def test_the_connection_of_a_pod_limits_its_sum() -> None:
    """The home takes 18 kW at 23:00 where 16.4 were planned (1.6 more of the car): 19 kW allow it, 17.5 do not."""
    plan = spoiled("power_kw", "ev", 1, 5.6)
    net = sum(np.array(POWER[name]) for name in ("load", "cut", "shift", "pv", "battery", "ev", "heat"))
    assert net[1] == pytest.approx(16.4)
    assert "withdrawal" not in lines(check_schedule(portfolio(), plan))
    tight = portfolio(PODS[0].model_copy(update={"withdrawal_max_kw": 17.5}), PODS[1])
    report = check_schedule(tight, plan)
    assert "POD 'home', 2018-05-14T23:00:00+02:00: the POD's withdrawal is 18 kW, more than the 17.5 kW" in lines(
        report
    )
    weak = portfolio(PODS[0], PODS[1].model_copy(update={"injection_max_kw": 7.9}))
    assert "the POD's injection is 8 kW, more than the 7.9 kW" in lines(check_schedule(weak, schedule()))


def test_every_device_is_there_exactly_once() -> None:
    """One device is named twice, one not at all, and one is not of this study."""
    good = schedule()
    names = good.device_ids.copy()
    names[list(names).index("pv")] = "load"
    names[list(names).index("wind")] = "windmill"
    text = lines(check_schedule(portfolio(), replace(good, device_ids=names)))
    assert "POD 'home', 'pv': the schedule does not name this device" in text
    assert "POD 'works', 'wind': the schedule does not name this device" in text
    assert "'load': the schedule names this device 2 times" in text
    assert "'windmill': the study has no such device" in text


def test_a_pod_that_failed_is_left_out() -> None:
    """Without the home's devices the works alone are judged."""
    good = schedule()
    works = np.isin(good.device_ids, ["chp", "wind", "plant"])
    arrays = (values[works] for values in (good.power_kw, good.energy_kwh, good.aux_kw, good.spill_kw))
    part = Schedule(good.device_ids[works], *arrays)
    assert check_schedule(portfolio(), part).count == 7
    assert check_schedule(portfolio(), part, without_pods=["home"]).good


def test_steps_must_be_those_of_the_study() -> None:
    """A schedule of five steps cannot be judged on six."""
    good = schedule()
    short = Schedule(good.device_ids, *(values[:, :5] for values in (good.power_kw,) * 4))
    with pytest.raises(InputError, match="5 steps; expected the 6 steps of the study"):
        check_schedule(portfolio(), short)
    with pytest.raises(InputError, match="energy_kwh"):
        replace(good, energy_kwh=good.energy_kwh[:, :5])


def test_a_tolerance_is_relative_for_great_devices() -> None:
    """A million kW may be wrong by 1 kW, 1 kW by a millionth."""
    for scale, error in ((1e6, 0.9), (1.0, 0.9e-6)):
        power = np.array([PROFILES["load"]], dtype=float) * scale + error
        plan = Schedule(np.array(["l"], dtype=object), power, np.full_like(power, NAN), 0 * power, 0 * power)
        study = portfolio(Pod(pod="a", devices=[FixedLoad(device="l", profile="load", scale_kw=scale)]))
        assert check_schedule(study, plan).good
        assert not check_schedule(study, replace(plan, power_kw=power + 4 * error)).good


def test_the_position_is_the_sum_of_the_devices() -> None:
    """Home and works together; one wrong number is named."""
    position = np.sum([POWER[name] for name in POWER], axis=0)
    assert check_position(portfolio(), schedule(), position).good
    position[3] += 0.5
    report = check_position(portfolio(), schedule(), position)
    assert [item.step for item in report.violations] == [3]
    assert "but the devices' powers make" in report.violations[0].what


#: Wear 0.05 x 0.5 x 4.8 less 0.1 x 1.906105 left; cars 0.1 x 0.5 x 1.6 and 0.5 x (1.2 + 0.25) short (8 - 6.8, and
#: 16 - 0.5 x 7 x 0.9 - 12.6); back-up 0.3 x 0.5 x 1; cut 0.4 x 0.5 x 5.5.
HOME_USE_EUR = 0.12 - 0.1906105 + 0.08 + 0.725 + 0.15 + 1.1
#: Fuel 0.2 x 0.5 x 17, boiler 0.15 x 0.5 x 8, one start.
WORKS_USE_EUR = 1.7 + 0.6 + 7
#: Net powers: home [15, 16.4, 5.2, 12.5, 6.4, 12.9], works [0.5, -7.5, -8, -6, -4, -0.5].
HOME_ENERGY_EUR = 0.5 * (0.3 * 31.4 + 0.2 * 17.7 + 0.1 * 19.3)
WORKS_ENERGY_EUR = 0.5 * (0.25 * 0.5 - 0.08 * 26)


def test_use_and_cost_of_level_1_by_hand() -> None:
    """Energy at the tariff, the peak of 16.4 kW at 2 EUR/kW, and the use of the devices."""
    assert device_cost_eur(portfolio(), schedule()) == pytest.approx([HOME_USE_EUR, WORKS_USE_EUR], abs=1e-12)
    cost = level1_cost_eur(portfolio(), schedule())
    expected = [HOME_ENERGY_EUR + 2 * 16.4 + HOME_USE_EUR, WORKS_ENERGY_EUR + WORKS_USE_EUR]
    assert cost == pytest.approx(expected, abs=1e-12)


def test_a_pod_without_tariff_pays_the_market() -> None:
    """The works at 0.04 EUR/kWh for buying and selling; without any price it says so."""
    bare = portfolio(PODS[0], PODS[1].model_copy(update={"buy_eur_per_kwh": None, "sell_eur_per_kwh": None}))
    cost = level1_cost_eur(bare, schedule(), np.full(STEPS, 0.04))
    assert cost[1] == pytest.approx(0.5 * 0.04 * (0.5 - 26) + WORKS_USE_EUR)
    with pytest.raises(InputError, match="POD 'works': no price for buying"):
        level1_cost_eur(bare, schedule())


PRICES = EnergyPrices(np.array([50.0, 40, 30, -10, 60, 80]), np.array([45.0, 40, 20, -20, 55, 70]), np.zeros(STEPS))
#: Net of both: [15.5, 8.9, -2.8, 6.5, 2.4, 12.4] kW; half an hour of kW at EUR/MWh is 1/2000 EUR.
MARKET_EUR = -(15.5 * 50 + 8.9 * 40 - 2.8 * 20 + 6.5 * -10 + 2.4 * 60 + 12.4 * 80) / 2000


def test_profit_on_the_market_by_hand() -> None:
    """The net of the portfolio is bought and sold at the market's prices; the use of the devices is taken off."""
    profit = market_profit_eur(portfolio(), schedule(), PRICES)
    assert profit == pytest.approx(MARKET_EUR - HOME_USE_EUR - WORKS_USE_EUR, abs=1e-12)


def test_a_session_between_two_steps_leaves_short() -> None:
    """From 23:05 to 23:20 no whole step fits: 3 kWh short at 0.5 EUR; the car that came before it is not concerned."""
    short = EvCharger(arrival=at("23:05"), departure=at("23:20"), energy_arrival_kwh=5, energy_wanted_kwh=8, **SESSION)
    early = short.model_copy(update={"arrival": at("20:00"), "departure": at("22:45")})
    idle = np.zeros((1, STEPS))
    only = Schedule(np.array(["ev"], dtype=object), idle, idle, idle, idle)
    study = portfolio(Pod(pod="a", devices=[early, short]))
    assert check_schedule(study, only).good
    assert device_cost_eur(study, only) == pytest.approx([1.5])


@pytest.mark.parametrize(("day", "steps"), [("2018-03-25", 92), ("2018-10-28", 100)])
def test_a_day_of_23_or_25_hours_has_one_allowance(day: str, steps: int) -> None:
    """2 kW cut in every quarter-hour of the window 01:00-04:00 are 4 kWh in spring and 8 kWh in autumn."""
    horizon = Horizon.days(day, 1, 15, "Europe/Rome")
    assert horizon.steps == steps
    hours = {92: 2, 100: 4}[steps]
    load = CurtailableLoad(
        device="c", profile="p", curtailable_max_kw=2, curtailable_from="01:00", curtailable_to="04:00",
        curtailable_energy_kwh_per_day=2 * hours,
    )  # fmt: skip
    inside = (horizon.minute_of_day >= 60) & (horizon.minute_of_day < 240)
    power = np.where(inside, 1.0, 3.0)[None, :]
    left = 2.0 * hours - 0.25 * np.cumsum(2.0 * inside)[None, :]
    study = Portfolio.of([Pod(pod="a", devices=[load])], horizon, {"p": np.full(steps, 3.0)})
    plan = Schedule(np.array(["c"], dtype=object), power, left, 0 * power, 0 * power)
    assert check_schedule(study, plan).good
    less = Portfolio.of(
        [Pod(pod="a", devices=[load.model_copy(update={"curtailable_energy_kwh_per_day": 2 * hours - 0.5})])],
        horizon,
        {"p": np.full(steps, 3.0)},
    )
    assert "has cut 0.5 kWh more" in lines(check_schedule(less, replace(plan, energy_kwh=left - 0.5)))


def test_a_battery_follows_an_activation_it_has_the_energy_for() -> None:
    """From 4.5 kWh at 23:00, 0.4 kW more for two steps: (4.05 - 1.25) x 0.9 - 1.75 = 0.77 kWh, below 1 kWh.

    0.2 kW more: (4.05 - 1.125) x 0.9 - 1.625 = 1.0075 kWh; but 3 kWh of cycles a day allow 2.75.
    """
    assert replay(portfolio(), schedule(), moved({"battery": [0, -0.2, -0.2, 0, 0, 0]})).good
    text = lines(replay(portfolio(), schedule(), moved({"battery": [0, -0.4, -0.4, 0, 0, 0]})))
    assert "'battery', 2018-05-14T23:00:00+02:00: with 4.5 kWh at the start of this step it cannot follow" in text


def test_an_activation_keeps_power_cycles_and_connection() -> None:
    """Each of these limits is judged within the window: 4 kW of charging, 3 kWh from the cells, 19 kW of the home."""
    over = lines(replay(portfolio(), schedule(), moved({"battery": [0, 0, 0, 1.5, 0, 0]})))
    assert "charges with 4.5 kW, more than the 4 kW it can" in over
    cells = lines(replay(portfolio(), schedule(), moved({"battery": [-2, -0.8, 0, 0, 0, 0]})))
    assert "3 kWh that the cycle limit allows" not in cells
    cells = lines(replay(portfolio(), schedule(), moved({"battery": [-5.4, -0.8, 0, 0, 0, 0]})))
    assert "3.625 kWh are taken from the cells, more than the 3 kWh" in cells
    net = lines(replay(portfolio(), schedule(), moved({"ev": [0, 3, 0, 0, 0, 0]})))
    assert "the POD's withdrawal is 19.4 kW, more than the 19 kW" in net


def test_the_way_on_after_an_activation_counts() -> None:
    """It must end with 1.9 kWh: what it gives at 00:30 it can charge at 01:00, what it gives at 01:00 it cannot."""
    assert replay(portfolio(), schedule(), moved({"battery": [0, 0, 0, 0, -0.8, 0]})).good
    assert not replay(portfolio(), schedule(), moved({"battery": [0, 0, 0, 0, 0, -0.8]})).good


def test_heat_after_an_activation_may_come_from_the_back_up() -> None:
    """Without its 1 kW at 00:30 the heat pump lacks 2 kWh: 1 comes from the back-up then, the rest later.

    Off at 01:00 too, it would end with (0.9 x 3.376 + 1 - 2) x 0.9 + 1 - 2 = 0.83456 kWh instead of 3.
    """
    assert replay(portfolio(), schedule(), moved({"heat": [0, 0, 0, 0, -1, 0]})).good
    report = replay(portfolio(), schedule(), moved({"heat": [0, 0, 0, 0, -1, -1.2]}))
    assert report.violations[0].amount * 0.9**2 == pytest.approx(3 - 0.83456)


def test_a_least_power_leaves_no_way_between_two_levels() -> None:
    """A full store of 1 kWh that gives 0.5 kWh a step; a pump that adds 2 kWh in a step, or nothing.

    Running it would overflow at any level, and at rest it is empty after two steps: there is no way on, though the
    0.5 kWh needed lie between 0 and 2. With a back-up of 0.5 kWh a step there is.
    """
    pump = HeatPump(
        device="h", electric_max_kw=2, electric_min_kw=2, cop=2, heat_profile="heat", heat_store_max_kwh=1,
        heat_store_initial_kwh=1, heat_store_end_min_kwh=0, backup_heat_max_kw=1,
    )  # fmt: skip
    idle = np.zeros((1, STEPS))
    plan = Schedule(np.array(["h"], dtype=object), idle, np.ones((1, STEPS)), idle + 1, idle)
    study = portfolio(Pod(pod="a", devices=[pump]))
    assert check_schedule(study, plan).good
    assert replay(study, plan, idle, window=(0, 1)).good
    without = portfolio(Pod(pod="a", devices=[pump.model_copy(update={"backup_heat_max_kw": 0})]))
    assert not replay(without, plan, idle, window=(0, 1)).good


Tables = dict[str, pd.DataFrame]
Documents = dict[str, dict[str, Any]]
Change = Callable[[Tables, Documents], None]


def unchanged(tables: Tables, documents: Documents) -> None:
    """Leave the results as they are."""


def write_results(folder: Path, change: Change) -> Path:
    """A folder of results of the good schedule, as a run writes it, after `change` has spoiled something."""
    good, study = schedule(), portfolio()
    names, times = list(good.device_ids), HORIZON.times
    pod_of = {name: "works" if name in {"chp", "wind", "plant"} else "home" for name in names}
    net = {pod: sum(np.array(POWER[n]) for n in names if pod_of[n] == pod) for pod in ("home", "works")}
    position = net["home"] + net["works"]
    cost, use = level1_cost_eur(study, good), device_cost_eur(study, good)
    profit = -position * np.where(position > 0, PRICES.buy, PRICES.sell) / 2000
    total = float(profit.sum() - use.sum())
    level2 = {"method": "exact", "profit_eur": total, "bound_eur": total + 0.25, "gap": 0.25 / abs(total)}
    tables = {
        "schedule": pd.DataFrame(
            {
                "pod": np.repeat([pod_of[n] for n in names], STEPS), "device": np.repeat(names, STEPS),
                "time": times.append([times] * (len(names) - 1)), "power_kw": good.power_kw.ravel(),
                "energy_kwh": good.energy_kwh.ravel(), "aux_kw": good.aux_kw.ravel(), "spill_kw": good.spill_kw.ravel(),
                "baseline_kw": good.power_kw.ravel(),
            }
        ),
        "pods": pd.DataFrame(
            {
                "pod": np.repeat(["home", "works"], STEPS), "time": times.append(times),
                "baseline_kw": np.concatenate(list(net.values())), "plan_kw": np.concatenate(list(net.values())),
            }
        ),
        "pod_summary": pd.DataFrame(
            {"pod": ["home", "works"], "status": "ok", "cost_eur": cost, "plan_profit_eur": [total - 1, 1.0]}
        ),
        "steps": pd.DataFrame(
            {
                "time": times, "position_kw": position, "baseline_kw": position, "buy_eur_per_mwh": PRICES.buy,
                "sell_eur_per_mwh": PRICES.sell, "profit_eur": profit,
            }
        ),
        "bids": pd.DataFrame(
            {
                "market": "energy", "direction": "net", "start": times,
                "end": times + pd.Timedelta(minutes=HORIZON.step_minutes), "price_eur_per_mwh": 50.0,
                "availability_eur_per_mw_h": np.nan, "quantity_mw": np.round(position / 1000, 1),
            }
        ),
    }  # fmt: skip
    summary = {
        "start": HORIZON.start.isoformat(), "end": HORIZON.end.isoformat(), "step_minutes": 30, "steps": STEPS,
        "pods": 2, "devices": 10, "level1": {"cost_eur": float(cost.sum()), "failed": 0}, "level2": dict(level2),
        "undelivered_kwh": 0.0, "worth": {"plan_eur": total, "alone_eur": -float(cost.sum())},
    }  # fmt: skip
    documents = {"summary": summary, "certificate": level2 | {"worth": summary["worth"]}}
    change(tables, documents)
    for name, table in tables.items():
        table.to_parquet(folder / f"{name}.parquet")
    for name, document in documents.items():
        (folder / f"{name}.json").write_text(json.dumps(document))
    return folder


def test_a_folder_of_results_is_judged_by_its_files(tmp_path: Path) -> None:
    """What the run wrote for the good schedule is good."""
    report = check_results(portfolio(), PRICES, write_results(tmp_path, unchanged))
    assert report.good, lines(report)


def cell(table: str, column: str, row: int, value: object) -> Change:
    def change(tables: Tables, documents: Documents) -> None:  # noqa: ARG001
        tables[table].loc[row, column] = value

    return change


def entry(document: str, *path: str, value: object) -> Change:
    def change(tables: Tables, documents: Documents) -> None:  # noqa: ARG001
        place = documents[document]
        for name in path[:-1]:
            place = place[name]
        place[path[-1]] = value

    return change


def dropped(table: str, row: int) -> Change:
    def change(tables: Tables, documents: Documents) -> None:  # noqa: ARG001
        tables[table] = tables[table].drop(index=row)

    return change


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (cell("schedule", "power_kw", 3, 3.4), "pods.parquet, plan_kw is"),
        (cell("schedule", "baseline_kw", 3, 3.4), "pods.parquet, baseline_kw is"),
        (dropped("schedule", 4), "schedule.parquet has no row for a step of the study, such as device 'battery'"),
        (cell("schedule", "time", 4, HORIZON.times[5]), "more than one row"),
        (cell("schedule", "time", 4, HORIZON.times[4] + pd.Timedelta("7min")), "no steps of the study"),
        (cell("pods", "pod", 3, "homestead"), "the study has no such POD, but pods.parquet has"),
        (cell("pods", "plan_kw", 2, 5.3), "POD 'home', 2018-05-14T23:30:00+02:00: pods.parquet, plan_kw is 5.3"),
        (cell("steps", "position_kw", 2, -2.7), "position_kw is -2.7 kW, but the PODs make -2.8 kW"),
        (cell("steps", "baseline_kw", 2, -2.7), "baseline_kw is -2.7 kW, but the PODs make -2.8 kW"),
        (cell("steps", "buy_eur_per_mwh", 1, 41.0), "buy_eur_per_mwh is 41 EUR/MWh, but the study's prices make 40"),
        (cell("steps", "profit_eur", 1, 0.0), "profit_eur is 0 EUR, but position and prices make -0.178 EUR"),
        (cell("pod_summary", "plan_profit_eur", 1, 2.0), "the sum of plan_profit_eur is"),
        (cell("pod_summary", "cost_eur", 1, 2.0), "level1.cost_eur is"),
        (entry("summary", "pods", value=3), "summary.json, pods is 3, but should be 2"),
        (entry("summary", "end", value="2018-05-15T01:30:00+01:00"), "summary.json, end of 2018-05-15T01:30:00+01:00"),
        (entry("summary", "level1", "failed", value=1), "level1.failed is 1, but should be 0"),
        (entry("summary", "level2", "profit_eur", value=1.0), "level2.profit_eur is 1.0, but should be -"),
        (entry("certificate", "gap", value=0.01), "certificate.json, gap is 0.01, but should be 0.0"),
        (entry("certificate", "bound_eur", value=-20.0), "the bound of -20 EUR is below the profit"),
    ],
)
def test_a_spoiled_file_is_named(tmp_path: Path, change: Change, words: str) -> None:
    """One cell or entry is changed after the run."""
    report = check_results(portfolio(), PRICES, write_results(tmp_path, change))
    assert words in lines(report)
    assert report.count >= 1


def test_a_missing_file_is_bad_input(tmp_path: Path) -> None:
    """The message names the file and what it should be."""
    write_results(tmp_path, unchanged)
    (tmp_path / "certificate.json").unlink()
    with pytest.raises(InputError, match=r"certificate\.json"):
        check_results(portfolio(), PRICES, tmp_path)


def test_a_failed_pod_keeps_its_declared_baseline(tmp_path: Path) -> None:
    """The works failed: their devices are gone, their declared 0.5 kW x the plant's profile stands in the sums."""
    declared = 0.5 * np.array(PROFILES["plant"])
    home = np.sum([POWER[n] for n in POWER if n not in {"chp", "wind", "plant"}], axis=0)

    def change(tables: Tables, documents: Documents) -> None:
        tables["schedule"] = tables["schedule"][tables["schedule"]["pod"] == "home"]
        tables["pods"].loc[STEPS:, ["plan_kw", "baseline_kw"]] = np.stack([declared, declared], axis=1)
        tables["pod_summary"].loc[1, ["status", "cost_eur"]] = ["failed", NAN]
        position = home + declared
        profit = -position * np.where(position > 0, PRICES.buy, PRICES.sell) / 2000
        tables["steps"] = tables["steps"].assign(position_kw=position, baseline_kw=position, profit_eur=profit)
        total = float(profit.sum() - HOME_USE_EUR)
        tables["pod_summary"]["plan_profit_eur"] = [total, 0.0]
        level2 = {"method": "exact", "profit_eur": total, "bound_eur": total, "gap": 0.0}
        cost = float(tables["pod_summary"]["cost_eur"][0])
        worth = documents["summary"]["worth"] = {"plan_eur": total, "alone_eur": -cost}
        documents["certificate"] = level2 | {"worth": worth}
        documents["summary"]["level2"] = level2
        documents["summary"]["level1"] = {"cost_eur": cost, "failed": 1}

    works = PODS[1].model_copy(update={"baseline_profile": "plant", "baseline_scale_kw": 0.5})
    report = check_results(portfolio(PODS[0], works), PRICES, write_results(tmp_path, change))
    assert report.good, lines(report)
