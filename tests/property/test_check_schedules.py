"""The check on random schedules of every kind, steps of 5 to 60 minutes, days of 23, 24 and 25 hours.

Each device is made after its schedule, so that the schedule keeps every rule by construction and many rules are tight.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from podium.checking import Schedule, check_position, check_schedule, level1_cost_eur, replay
from podium.checking.schedule import parts
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
from podium.horizon import Horizon
from podium.portfolio import Pod, Portfolio

Rng = np.random.Generator
Row = np.ndarray[Any, np.dtype[np.float64]]
DAYS = ("2018-05-14", "2018-03-25", "2018-10-28")

horizons = st.builds(
    Horizon.days,
    st.sampled_from(DAYS),
    st.sampled_from([1, 2]),
    st.sampled_from([5, 15, 30, 60]),
    st.sampled_from(["Europe/Rome", "UTC"]),
)
seeds = st.integers(0, 2**32 - 1)


@dataclass
class Made:
    """Devices (sessions of one charger are several) with the schedule that they were made for. Rows (step,)."""

    devices: list[Device]
    power_kw: Row
    energy_kwh: Row
    aux_kw: Row | float = 0.0
    spill_kw: Row | float = 0.0


Make = Callable[[Rng, Horizon, dict[str, Row], str], Made]


def levels(first: float, keep: float, gain: Row) -> Row:
    """e' = keep e + gain, one step after the other."""
    found = []
    level = first
    for value in gain:
        level = keep * level + value
        found.append(level)
    return np.array(found)


def enough(keep: float, gain: Row) -> float:
    """A first level from which the store never falls below 0."""
    powers = keep ** np.arange(1, len(gain) + 1)
    return max(0.0, float((-levels(0.0, keep, gain) / powers).max()))


def by_day(horizon: Horizon, values: Row) -> list[Row]:
    return [values[horizon.day == day] for day in np.unique(horizon.day)]


def nothing(horizon: Horizon) -> Row:
    return np.full(horizon.steps, np.nan)


def fixed_load(rng: Rng, horizon: Horizon, profiles: dict[str, Row], name: str) -> Made:
    profiles[name] = rng.random(horizon.steps)
    return Made([FixedLoad(device=name, profile=name, scale_kw=3.5)], 3.5 * profiles[name], nothing(horizon))


def curtailable_load(rng: Rng, horizon: Horizon, profiles: dict[str, Row], name: str) -> Made:
    profiles[name] = rng.random(horizon.steps)
    first, last = (int(minute) for minute in rng.choice(np.arange(0, 1440, 30), 2, replace=False))
    minute = horizon.minute_of_day
    inside = (first <= minute) & (minute < last) if first < last else (first <= minute) | (minute < last)
    cut = 2 * profiles[name] * 0.6 * rng.random(horizon.steps) * inside
    days = [horizon.step_hours * np.cumsum(day) for day in by_day(horizon, cut)]
    allowance = max(day[-1] for day in days)
    device = CurtailableLoad(
        device=name, profile=name, scale_kw=2, curtailable_fraction=0.6, curtailable_max_kw=cut.max(),
        curtailable_from=f"{first // 60:02}:{first % 60:02}", curtailable_to=f"{last // 60:02}:{last % 60:02}",
        curtailable_energy_kwh_per_day=allowance, curtailment_eur_per_kwh=0.3,
    )  # fmt: skip
    return Made([device], 2 * profiles[name] - cut, np.concatenate([allowance - day for day in days]))


def shiftable_load(rng: Rng, horizon: Horizon, profiles: dict[str, Row], name: str) -> Made:
    profiles[name] = 0.5 + rng.random(horizon.steps)
    shift = 0.3 * profiles[name] * rng.uniform(-1, 1, horizon.steps)
    days = by_day(horizon, shift)
    days = [-day if day.sum() > 0 else day for day in days]
    advance = np.concatenate([horizon.step_hours * np.cumsum(day) for day in days])
    device = ShiftableLoad(
        device=name, profile=name, scale_kw=1, shift_down_fraction=0.3, shift_up_fraction=0.3,
        energy_loss_max_kwh=max(-horizon.step_hours * day.sum() for day in days),
        shift_energy_max_kwh=abs(advance).max(),
    )  # fmt: skip
    return Made([device], profiles[name] + np.concatenate(days), advance)


def pv(rng: Rng, horizon: Horizon, profiles: dict[str, Row], name: str) -> Made:
    profiles[name] = rng.random(horizon.steps)
    used = rng.random(horizon.steps)
    return Made([Pv(device=name, profile=name, scale_kw=5)], -5 * profiles[name] * used, nothing(horizon))


def wind(rng: Rng, horizon: Horizon, profiles: dict[str, Row], name: str) -> Made:
    profiles[name] = rng.random(horizon.steps)
    device = Wind(device=name, profile=name, scale_kw=2000, curtailable=False)
    return Made([device], -2000 * profiles[name], nothing(horizon))


def given_profile(rng: Rng, horizon: Horizon, profiles: dict[str, Row], name: str) -> Made:
    profiles[name] = rng.normal(size=horizon.steps)
    power = 4 * profiles[name] + 0.2 * 4 * abs(profiles[name]) * rng.uniform(-1, 1, horizon.steps)
    return Made([GivenProfile(device=name, profile=name, scale_kw=4, band_fraction=0.2)], power, nothing(horizon))


def battery(rng: Rng, horizon: Horizon, profiles: dict[str, Row], name: str) -> Made:  # noqa: ARG001
    charge, discharge, loss = rng.uniform(0.6, 0.99), rng.uniform(0.6, 0.99), rng.choice([0.0, 0.02])
    keep, hours = (1 - loss) ** horizon.step_hours, horizon.step_hours
    power = rng.normal(size=horizon.steps) * (rng.random(horizon.steps) < 0.7)
    gain = hours * np.where(power > 0, charge * power, power / discharge)
    first = enough(keep, gain) + 0.5
    energy = levels(first, keep, gain)
    taken = max(-np.minimum(day, 0).sum() for day in by_day(horizon, hours * power / discharge))
    device = Battery(
        device=name, charge_max_kw=max(power.max(), 0), discharge_max_kw=max(-power.min(), 0),
        energy_min_kwh=min(first, energy.min()), energy_max_kwh=max(first, energy.max()), energy_initial_kwh=first,
        charge_efficiency=charge, discharge_efficiency=discharge, self_discharge_per_hour=loss,
        cycles_max_per_day=taken / max(first, energy.max()), energy_end_min_kwh=energy[-1], wear_eur_per_kwh=0.03,
        energy_end_eur_per_kwh=0.05,
    )  # fmt: skip
    return Made([device], power, energy)


def ev_charger(rng: Rng, horizon: Horizon, profiles: dict[str, Row], name: str) -> Made:  # noqa: ARG001
    """Two to four sessions cut at random minutes, the first before and the last after the horizon now and then."""
    minutes = horizon.steps * horizon.step_minutes
    cuts = np.sort(rng.choice(np.arange(-120, minutes + 120), 2 * int(rng.integers(2, 5)), replace=False))
    power, energy = np.zeros(horizon.steps), np.zeros(horizon.steps)
    devices: list[Device] = []
    for arrival, departure in zip(cuts[::2], cuts[1::2], strict=True):
        arrives, leaves = (horizon.times[0] + timedelta(minutes=int(cut)) for cut in (arrival, departure))
        ends = horizon.times + timedelta(minutes=horizon.step_minutes)
        inside = np.flatnonzero((horizon.times >= arrives) & (ends <= leaves))
        flow = rng.uniform(-1, 7, len(inside)) * (rng.random(len(inside)) < 0.6)
        gain = horizon.step_hours * np.where(flow > 0, 0.9 * flow, flow / 0.8)
        first = enough(1.0, gain) if len(inside) else 3.0
        held = levels(first, 1.0, gain)
        power[inside], energy[inside] = flow, held
        most = max([first, 1.0, *held])
        devices.append(
            EvCharger(
                device=name,
                arrival=arrives,
                departure=leaves,
                charge_max_kw=max([0.0, *flow]),
                charge_min_kw=min([*flow[flow > 0], 99.0]) if (flow > 0).any() else 0.0,
                discharge_max_kw=-min([0.0, *flow]),
                energy_max_kwh=most,
                energy_arrival_kwh=first,
                energy_wanted_kwh=most * rng.random(),
                shortfall_eur_per_kwh=0.7,
                charge_efficiency=0.9,
                discharge_efficiency=0.8,
                wear_eur_per_kwh=0.02,
            )
        )
    return Made(devices, power, energy)


def heat_pump(rng: Rng, horizon: Horizon, profiles: dict[str, Row], name: str) -> Made:
    profiles[name], profiles[f"{name} cop"] = rng.random(horizon.steps), rng.uniform(2, 5, horizon.steps)
    hours, keep = horizon.step_hours, 0.98**horizon.step_hours
    power = rng.uniform(0.5, 2, horizon.steps) * (rng.random(horizon.steps) < 0.5)
    aux = rng.random(horizon.steps) * (rng.random(horizon.steps) < 0.2)
    gain = hours * (profiles[f"{name} cop"] * power + aux - 3 * profiles[name])
    first = enough(keep, gain)
    energy = levels(first, keep, gain)
    device = HeatPump(
        device=name, electric_max_kw=power.max(), electric_min_kw=min([9.0, *power[power > 0]]) if power.any() else 0,
        cop_profile=f"{name} cop", heat_profile=name, heat_scale_kw=3,
        heat_store_min_kwh=min(first, max(0, energy.min())),
        heat_store_max_kwh=max(first, energy.max()), heat_store_initial_kwh=first,
        heat_store_end_min_kwh=max(0, energy[-1]), heat_store_loss_per_hour=0.02, backup_heat_max_kw=aux.max(),
        backup_heat_eur_per_kwh=0.2,
    )  # fmt: skip
    return Made([device], power, energy, aux)


def runs(on: Row, before: bool) -> tuple[int, int]:
    """Shortest run and shortest rest (in steps) that begin within the horizon and end within it."""
    states = np.concatenate(([before], on.astype(bool)))
    edges = np.flatnonzero(np.diff(states)) + 1
    shortest = {True: len(states), False: len(states)}
    for begin, end in pairwise(edges):
        shortest[bool(states[begin])] = min(shortest[bool(states[begin])], int(end - begin))
    return shortest[True], shortest[False]


def chp(rng: Rng, horizon: Horizon, profiles: dict[str, Row], name: str) -> Made:
    profiles[name] = rng.random(horizon.steps)
    hours, keep = horizon.step_hours, 0.97**horizon.step_hours
    on = np.repeat(rng.random(horizon.steps) < 0.5, rng.integers(1, 6, horizon.steps))[: horizon.steps]
    power = rng.uniform(3, 9, horizon.steps) * on
    aux, spill = rng.random((2, horizon.steps)) * (rng.random((2, horizon.steps)) < 0.3)
    gain = hours * (1.2 * power + aux - spill - 5 * profiles[name])
    first, before = enough(keep, gain), bool(rng.random() < 0.5)
    energy = levels(first, keep, gain)
    up, down = runs(on, before)
    device = Chp(
        device=name, electric_max_kw=max(power.max(), 1),
        electric_min_kw=min([9.0, *power[power > 0]]) if on.any() else 0.5,
        heat_ratio=1.2, heat_profile=name, heat_scale_kw=5, heat_store_max_kwh=max(first, energy.max()),
        heat_store_initial_kwh=first, heat_store_end_min_kwh=max(0, energy[-1]), heat_store_loss_per_hour=0.03,
        boiler_max_kw=aux.max(), boiler_eur_per_kwh=0.1, heat_spill_max_kw=spill.max(), fuel_eur_per_kwh=0.2,
        start_eur=3, min_up_hours=up * hours, min_down_hours=down * hours,
        ramp_kw_per_hour=max(abs(np.diff(power)).max() / hours, 0.1), on_initial=before,
    )  # fmt: skip
    return Made([device], -power, energy, aux, spill)


MAKERS: dict[str, Make] = {
    maker.__name__: maker
    for maker in (
        fixed_load, curtailable_load, shiftable_load, pv, wind, given_profile, battery, ev_charger, heat_pump, chp
    )
}  # fmt: skip


def study_of(makers: dict[str, Make], rng: Rng, horizon: Horizon, most: int = 3) -> tuple[Portfolio, Schedule]:
    """PODs of random devices with connections as tight as the schedule allows, and the schedule in random order."""
    profiles: dict[str, Row] = {}
    pods, rows = [], []
    for number in range(2):
        made = [
            maker(rng, horizon, profiles, f"{kind}-{number}-{copy}")
            for kind, maker in makers.items()
            for copy in range(int(rng.integers(1, most + 1)))
        ]
        net = sum(one.power_kw for one in made)
        devices = [device for one in made for device in one.devices]
        pods.append(
            Pod(pod=f"pod {number}", devices=devices, buy_eur_per_kwh=0.3, sell_eur_per_kwh=0.1, peak_eur_per_kw=1.5,
                withdrawal_max_kw=max(0.0, net.max()), injection_max_kw=max(0.0, -net.min()))
        )  # fmt: skip
        rows += made
    order = rng.permutation(len(rows))
    ids = np.array([rows[row].devices[0].device for row in order], dtype=object)
    arrays = (
        np.stack([np.broadcast_to(getattr(rows[row], name), horizon.steps) for row in order]).astype(float)
        for name in ("power_kw", "energy_kwh", "aux_kw", "spill_kw")
    )
    return Portfolio.of(pods, horizon, profiles), Schedule(ids, *arrays)


@given(horizons, seeds)
def test_schedules_that_keep_the_rules_pass(horizon: Horizon, seed: int) -> None:
    """Every limit that a schedule could make tight is tight, and none is broken."""
    study, schedule = study_of(MAKERS, np.random.default_rng(seed), horizon)
    report = check_schedule(study, schedule)
    assert report.good, str(report)
    assert check_position(study, schedule, schedule.power_kw.sum(axis=0)).good


@given(horizons, seeds, st.sampled_from(["power_kw", "energy_kwh", "aux_kw"]), st.sampled_from([-1, 1]))
def test_any_number_that_is_changed_is_found(horizon: Horizon, seed: int, array: str, sign: int) -> None:
    """A change of 0.001 kW or kWh in any step of any device breaks a limit, or the level no longer follows the power.

    Only curtailable PV and given profiles are free to change a little without anyone noticing.
    """
    rng = np.random.default_rng(seed)
    kinds = {
        "aux_kw": ["chp", "heat_pump"],
        "power_kw": [kind for kind in MAKERS if kind not in {"pv", "given_profile"}],
    }
    kinds["energy_kwh"] = ["battery", "ev_charger", "heat_pump", "chp", "shiftable_load", "curtailable_load"]
    kind = str(rng.choice(kinds[array]))
    study, schedule = study_of({kind: MAKERS[kind]}, rng, horizon)
    numbers = getattr(schedule, array).copy()
    row, step = int(rng.integers(len(numbers))), int(rng.integers(horizon.steps))
    numbers[row, step] += sign * max(1e-3, 1e-2 * (kind == "wind")) / horizon.step_hours
    report = check_schedule(study, replace(schedule, **{array: numbers}))
    assert report.count
    assert schedule.device_ids[row] in {violation.device for violation in report.violations}


@settings(max_examples=50)
@given(horizons, seeds)
def test_the_sum_of_every_pod_is_limited(horizon: Horizon, seed: int) -> None:
    """A connection 0.1 % smaller than the greatest flow through it is passed, and only that is said."""
    study, schedule = study_of(MAKERS, np.random.default_rng(seed), horizon)
    for side in ("withdrawal", "injection"):
        name = f"{side}_max_kw"
        less = replace(study, columns={**study.columns, name: 0.999 * study.columns[name]})
        report = check_schedule(less, schedule)
        flows = (study.columns[name] > 0.01).sum()
        assert report.count >= flows
        assert all(side in violation.what for violation in report.violations)


@given(horizons, seeds)
def test_check_and_canonical_form_mean_the_same(horizon: Horizon, seed: int) -> None:
    """Two readings of the same fields: limits of power, levels and cost of the check against the canonical form.

    The canonical form bounds some stores more closely where no schedule could reach anyway, so that its limits lie
    within the check's.
    """
    study, schedule = study_of(MAKERS, np.random.default_rng(seed), horizon)
    store = study.store()
    row_of = {name: row for row, name in enumerate(store.ids)}
    cost = np.zeros(len(study))
    for part in parts(study, schedule):
        rows = np.array([row_of[name] for name in part.limits.ids])
        same = {"rtol": 1e-12, "atol": 1e-9}
        shape = part.power_kw.shape
        np.testing.assert_allclose(np.broadcast_to(part.limits.low_kw, shape), store.full("p_min")[rows], **same)
        np.testing.assert_allclose(np.broadcast_to(part.limits.high_kw, shape), store.full("p_max")[rows], **same)
        energy = canonical_levels(store, rows, part.power_kw, part.aux_kw, part.spill_kw, horizon.step_hours)
        np.testing.assert_allclose(part.levels_kwh(horizon), energy, rtol=1e-9, atol=1e-9)
        if part.limits.store is not None:
            assert (store.full("e_min")[rows] >= part.limits.store.low_kwh - 1e-9).all()
            assert (store.full("e_max")[rows] <= part.limits.store.high_kwh + 1e-9).all()
            assert (energy >= store.full("e_min")[rows] - 1e-6).all()
            assert (energy <= store.full("e_max")[rows] + 1e-6).all()
        on = -part.power_kw > 1e-6
        started = np.diff(on, axis=1, prepend=store.on_initial[rows, None] > 0) & on
        cost += np.bincount(
            store.pod[rows],
            canonical_cost(store, rows, part.power_kw, part.aux_kw, energy, horizon.step_hours)
            + store.start_cost[rows] * started.sum(axis=1),
            len(study),
        )
    net = np.zeros((len(study), horizon.steps))
    np.add.at(net, [int(name.split("-")[1]) for name in schedule.device_ids], schedule.power_kw)
    expected = study.meter().bill(net, horizon.step_hours) + cost
    np.testing.assert_allclose(level1_cost_eur(study, schedule), expected, rtol=1e-9, atol=1e-9)


def canonical_levels(store: Any, rows: Row, power: Row, aux: Row, spill: Row, hours: float) -> Row:
    """e' = keep e + dt (k_plus pp - k_minus pm + aux - spill) + drift."""
    flow = store.full("k_plus")[rows] * np.maximum(power, 0) - store.full("k_minus")[rows] * np.maximum(-power, 0)
    gain = hours * (flow + aux - spill) + store.full("drift")[rows]
    energy, level = np.empty_like(power), store.e_initial[rows]
    for step in range(power.shape[1]):
        level = store.full("keep")[rows, step] * level + gain[:, step]
        energy[:, step] = level
    return np.where(store.has_store[rows, None], energy, 0.0)


def canonical_cost(store: Any, rows: Row, power: Row, aux: Row, energy: Row, hours: float) -> Row:
    """What powers, boilers, missed targets and energy left cost, starts apart."""
    flow = store.full("cost_plus")[rows] * np.maximum(power, 0) + store.full("cost_minus")[rows] * np.maximum(-power, 0)
    flow = flow + store.full("aux_cost")[rows] * aux
    short = store.full("shortfall_cost")[rows] * np.maximum(store.full("e_target")[rows] - energy, 0)
    fixed = store.cost_fixed[rows] - store.e_value[rows] * energy[:, -1]
    return np.asarray((hours * flow + short).sum(axis=1) + fixed)


@settings(max_examples=50)
@given(horizons, seeds)
def test_an_activation_of_nothing_can_be_followed(horizon: Horizon, seed: int) -> None:
    """Whatever the window, the good schedule itself is a way on."""
    rng = np.random.default_rng(seed)
    study, schedule = study_of(MAKERS, rng, horizon, most=2)
    first = int(rng.integers(horizon.steps))
    report = replay(study, schedule, np.zeros_like(schedule.power_kw), window=(first, min(first + 3, horizon.steps)))
    assert report.good, str(report)


@pytest.mark.parametrize("kind", ["battery", "shiftable_load", "curtailable_load", "ev_charger"])
@settings(max_examples=50)
@given(horizons, seeds, st.sampled_from([1e-3, 1e-2, 1.0]))
def test_an_activation_to_the_end_is_a_schedule(kind: str, horizon: Horizon, seed: int, most_kw: float) -> None:
    """Up to the horizon's end nothing is left to choose: the replay says what the check says of the moved schedule."""
    rng = np.random.default_rng(seed)
    study, schedule = study_of({kind: roomy(MAKERS[kind])}, rng, horizon, most=1)
    delta = rng.uniform(-most_kw, most_kw, schedule.power_kw.shape)
    delta[:, : int(rng.integers(horizon.steps))] = 0
    moved = replace(schedule, power_kw=schedule.power_kw + delta)
    (part,) = parts(study, moved)
    levels_kwh = part.levels_kwh(horizon)[[list(part.limits.ids).index(name) for name in schedule.device_ids]]
    judged = check_schedule(study, replace(moved, energy_kwh=levels_kwh))
    followed = replay(study, schedule, delta, window=(0, horizon.steps))
    assert followed.good == judged.good


def roomy(maker: Make) -> Make:
    """Devices with some room around the schedule they were made for."""
    more = {"charge_max_kw", "discharge_max_kw", "energy_max_kwh", "cycles_max_per_day", "energy_loss_max_kwh"}
    more |= {"shift_energy_max_kwh", "curtailable_energy_kwh_per_day"}
    less = {"energy_min_kwh", "energy_end_min_kwh", "charge_min_kw"}

    def make(rng: Rng, horizon: Horizon, profiles: dict[str, Row], name: str) -> Made:
        made = maker(rng, horizon, profiles, name)
        factors = dict.fromkeys(more, 1.5) | dict.fromkeys(less, 0.5)
        made.devices = [
            device.model_copy(
                update={field: getattr(device, field) * by for field, by in factors.items() if hasattr(device, field)}
            )
            for device in made.devices
        ]
        return made

    return make
