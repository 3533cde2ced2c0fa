"""Offers stay backed whatever devices do within the limits that keep them; the curve is their exact answer."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from numpy.typing import NDArray

from podium.checking import Backing as CheckedBacking
from podium.checking import Schedule as CheckedSchedule
from podium.checking import check_reserve
from podium.dispatch import Backing, Fleet, greatest_backing, safe_backing
from podium.dispatch.keeping import keeping
from podium.flex.exact import Schedule
from podium.flex.exclusive import Limits
from podium.flex.solve import Solution, solve
from podium.flexstore import FlexStore
from podium.horizon import Horizon
from podium.market.terms import Market, ReserveProduct
from podium.portfolio import Meter, Pod, Portfolio
from random_pods import Case, random_case

Floats = NDArray[np.float64]

SEEDS_PER_CHUNK = 20
CRUMBS = 1e-6
QUICKLY = Limits(time_limit_seconds=2.0, mip_gap=1e-2)


@dataclass(frozen=True)
class Planned:
    """A portfolio with its plan and what that backs."""

    case: Case
    plan: Solution
    fleet: Fleet
    backing: Backing


def solved(case: Case, store: FlexStore, meter: Meter) -> Solution | None:
    found = solve(store, meter, case.step_hours, case.day, QUICKLY)
    return None if found.conflicts or found.failures else found


def offered(fleet: Fleet, schedule: Schedule) -> Backing:
    """A part of what the devices could back for half an hour, and beside that for two hours."""
    random = np.random.default_rng(7)
    backing = Backing.none(fleet.store.devices, fleet.store.steps)
    for hours in (0.5, 2.0):
        up, down = (random.random() * side for side in greatest_backing(fleet, schedule, hours, backing))
        sustain = np.append(backing.sustain_hours, hours)
        sides = np.concatenate((backing.up_kw, up[None])), np.concatenate((backing.down_kw, down[None]))
        backing = Backing((*backing.products, f"{hours} h"), sustain, *sides)
    return safe_backing(fleet, schedule, backing)


def shifted(meter: Meter, random: np.random.Generator) -> Meter:
    return meter.plus(np.broadcast_to(random.uniform(-0.4, 0.4, meter.buy.shape[1]), meter.buy.shape))


def planned(seed: int, *, remembering: bool) -> Planned | None:
    """PODs with one or two stores, their cheapest schedule, and what it backs; None where there is none.

    `remembering`: with devices that are on or off, and cycle limits.
    """
    drawn = random_case(seed, 1 + seed % 2, pods=2, steps_max=24, on_off=remembering, coupled=remembering)
    case = replace(drawn, store=drawn.portfolio.store())
    plan = solved(case, case.store, case.meter)
    if plan is None:
        return None
    fleet = Fleet.of(case.store, case.meter, case.portfolio.horizon)
    return Planned(case, plan, fleet, offered(fleet, plan.schedule))


def asserted_kept(given: Planned, seed: int) -> None:
    """At three random prices `safe_backing`, which checks every rule, takes nothing off.

    The independent check does not find fault with any answer either, where it finds none with the plan. Without
    connection limits the plan keeps the narrower limits, so that there always is an answer. Of days, the tightest
    holds.
    """
    case, backing, kept = given.case, given.backing, keeping(given.fleet, given.plan.schedule, given.backing)
    store = replace(kept.store, discharge_day_max=kept.discharge_day_max.min(axis=1))
    random, sound = np.random.default_rng(seed), found_good(given, given.plan)
    for _ in range(3):
        answer = solved(case, store, shifted(kept.meter, random))
        limited = np.isfinite([case.meter.withdrawal_max, case.meter.injection_max]).any() or case.day[-1] > 0
        assert answer is not None or limited, seed
        if answer is not None:
            left = safe_backing(given.fleet, answer.schedule, backing)
            np.testing.assert_allclose(left.up_kw, backing.up_kw, atol=CRUMBS, err_msg=str(seed))
            np.testing.assert_allclose(left.down_kw, backing.down_kw, atol=CRUMBS, err_msg=str(seed))
            assert found_good(given, answer) or not sound, seed


def found_good(given: Planned, plan: Solution) -> bool:
    """Whether the independent check finds that devices can do what they back beside a schedule."""
    portfolio, backing, schedule = given.case.portfolio, given.backing, plan.schedule
    steps = portfolio.horizon.steps
    one_block, nothing = np.zeros(steps, dtype=np.int64), np.zeros(steps)
    products = tuple(
        ReserveProduct(name, "symmetric", one_block, np.zeros(1), nothing, sustain_hours=float(hours))
        for name, hours in zip(backing.products, backing.sustain_hours, strict=True)
    )
    ids = portfolio.store().ids
    levels = np.where(given.case.store.has_store[:, None], schedule.e, np.nan)
    judged = CheckedSchedule(ids, schedule.p, levels, schedule.aux, schedule.spill)
    sides = CheckedBacking(ids, backing.products, backing.up_kw, backing.down_kw)
    return not check_reserve(portfolio, judged, sides, Market(reserves=products), tolerance_kw=1e-5).violations


@pytest.mark.parametrize("chunk", range(4))
def test_whatever_the_price_the_offers_stay_backed(chunk: int) -> None:
    """Random portfolios of devices that remember nothing beside their energy."""
    backed = 0.0
    for seed in range(chunk * SEEDS_PER_CHUNK, (chunk + 1) * SEEDS_PER_CHUNK):
        given = planned(seed, remembering=False)
        if given is not None:
            backed += float(given.backing.up_kw.sum() + given.backing.down_kw.sum())
            asserted_kept(given, seed)
    assert backed > 10.0


@pytest.mark.parametrize("chunk", range(4))
def test_so_they_do_with_cycle_limits_and_devices_on_or_off(chunk: int) -> None:
    """Random portfolios whose engines, heat pumps and chargers are on or off, and whose batteries have cycles."""
    backed = 0.0
    for seed in range(chunk * SEEDS_PER_CHUNK, (chunk + 1) * SEEDS_PER_CHUNK):
        given = planned(seed, remembering=True)
        if given is not None:
            store = given.case.store
            remembers = store.on_off | np.isfinite(store.discharge_day_max)
            backed += float((given.backing.up_kw + given.backing.down_kw)[:, remembers].sum())
            asserted_kept(given, seed)
    assert backed > 1.0


@pytest.mark.parametrize("chunk", range(2))
def test_the_plan_keeps_the_narrower_limits(chunk: int) -> None:
    """Powers, energies, each day's discharge, and what each step's backing leaves of connections."""
    for seed in range(chunk * SEEDS_PER_CHUNK, (chunk + 1) * SEEDS_PER_CHUNK):
        given = planned(seed, remembering=True)
        if given is None:
            continue
        schedule, kept = given.plan.schedule, keeping(given.fleet, given.plan.schedule, given.backing)
        holds = given.case.store.has_store
        assert (schedule.p >= kept.store.p_min - CRUMBS).all(), seed
        assert (schedule.p <= kept.store.p_max + CRUMBS).all(), seed
        assert (schedule.e >= kept.store.e_min - CRUMBS)[holds].all(), seed
        assert (schedule.e <= kept.store.e_max + CRUMBS)[holds].all(), seed
        injected = given.case.step_hours * np.maximum(-schedule.p, 0.0)
        days = given.case.day == np.arange(given.case.day[-1] + 1)[:, None]
        assert (injected @ days.T <= kept.discharge_day_max + CRUMBS).all(), seed
        net = given.fleet.pod_sum(schedule.p)
        assert (net <= kept.withdrawal_max_kw + CRUMBS).all(), seed
        assert (-net <= kept.injection_max_kw + CRUMBS).all(), seed


def test_calls_of_a_day_are_taken_from_its_cycles() -> None:
    """A battery that may discharge 6 kWh a day, plans 2, and backs 1.5 kW up for two hours in the evening: 3 kWh.

    What is left for any price are 3 kWh. With 6.5 kWh planned of 8.5, 3 kWh beside that are too many. But where it
    charges 1 kW in one of these hours, giving that up comes first, so that a call takes 2 kWh: it keeps charging then,
    and the day's discharge stays at what is planned.
    """
    horizon = Horizon(Horizon.days("2018-07-17", 1, 60, "Europe/Rome").start, 60, 8, "Europe/Rome")
    for most, p, left, least in (
        (6.0, [0.0, 0.0, -2.0, 0.0, 0.0, 0.0, 0.0, 0.0], 3.0, -5.0),
        (8.5, [-2.0, -2.0, -2.5, 0.0, 0.0, 0.0, 1.0, 0.0], 6.5, 1.0),
    ):
        store = FlexStore.of(
            np.array(["b"], dtype=object), np.zeros(1, dtype=np.int64), 8, p_min=-5.0, p_max=5.0, k_plus=1.0,
            k_minus=1.0, e_max=30.0, e_initial=20.0, discharge_day_max=most,
        )  # fmt: skip
        power = np.array([p])
        schedule = Schedule(power, 20.0 + power.cumsum(axis=1), np.zeros((1, 8)), np.zeros((1, 8)))
        up = np.array([[[0.0] * 6 + [1.5, 1.5]]])
        backing = Backing(("up",), np.array([2.0]), up, np.zeros_like(up))
        meter = Portfolio.of([Pod(pod="home", devices=[])], horizon, {}).meter(np.zeros(8))
        kept = keeping(Fleet.of(store, meter, horizon), schedule, backing)
        np.testing.assert_allclose(kept.discharge_day_max, left)
        np.testing.assert_allclose(kept.store.p_min[0, 6], max(least, -3.5))


def test_an_engine_that_backs_keeps_running() -> None:
    """An engine of 3 to 6 kW that runs at 4 kW, backs 1 kW up and 0.5 kW down in its third of four hours, later rests.

    It may do what it likes before; then it gives 3.5 to 5 kW, and in the last hour rests as planned. If it ran on, its
    heat store (20 kWh, 2 kW drawn) would bear no call where it holds 19 kWh, though it may hold them.
    """
    horizon = Horizon(Horizon.days("2018-07-17", 1, 60, "Europe/Rome").start, 60, 4, "Europe/Rome")
    store = FlexStore.of(
        np.array(["engine"], dtype=object), np.zeros(1, dtype=np.int64), 4, p_min=-6.0, p_on=3.0, k_minus=-1.0,
        drift=-2.0, e_max=20.0, e_initial=10.0,
    )  # fmt: skip
    side = np.array([[[0.0, 0.0, 1.0, 0.0]]])
    backing = Backing(("held",), np.array([1.0]), side, 0.5 * side)
    meter = Portfolio.of([Pod(pod="works", devices=[])], horizon, {}).meter(np.zeros(4))
    fleet = Fleet.of(store, meter, horizon)
    rests, runs_on = (
        Schedule(power, 10.0 + (-power - 2.0).cumsum(axis=1), np.zeros((1, 4)), np.zeros((1, 4)))
        for power in (np.array([[-4.0, -4.0, -4.0, 0.0]]), np.array([[-6.0, -5.0, -4.0, -3.0]]))
    )
    kept = keeping(fleet, rests, backing)
    np.testing.assert_allclose(kept.store.p_min, [[-6.0, -6.0, -5.0, 0.0]], atol=1e-9)
    np.testing.assert_allclose(kept.store.p_max, [[0.0, 0.0, -3.5, 0.0]], atol=1e-9)
    np.testing.assert_allclose(kept.store.e_min, [[0.0, 0.0, 2.5, 0.0]], atol=1e-9)
    np.testing.assert_allclose(kept.store.e_max, [[20.0, 20.0, 19.0, 20.0]], atol=1e-9)
    assert (runs_on.p[:, :3] <= kept.store.p_max[:, :3]).all()
    assert (runs_on.e <= kept.store.e_max).all()
    assert safe_backing(fleet, rests, backing).up_kw.sum() == pytest.approx(1.0)
    assert safe_backing(fleet, runs_on, backing).up_kw.sum() == pytest.approx(0.0, abs=1e-9)
