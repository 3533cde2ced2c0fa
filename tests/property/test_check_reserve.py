"""The check of reserve, held from two sides: what it accepts can be called, and what dispatch calls safe it accepts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from podium.checking import Backing, Calls, check_delivery, check_reserve, free_to_end, replay_calls
from podium.checking import Schedule as CheckedSchedule
from podium.checking.rooms import room_of
from podium.checking.schedule import parts
from podium.dispatch import Backing as Offered
from podium.dispatch import Calls as Called
from podium.dispatch import Fleet, activate, greatest_backing
from podium.flex.exact import Schedule
from podium.flex.exclusive import Limits
from podium.flex.reserve import room_of as canonical_room
from podium.flex.reserve import viable
from podium.flex.solve import solve
from podium.market.terms import Market, ReserveProduct
from random_pods import Case, random_case

Floats = NDArray[np.float64]
Random = np.random.Generator

CHUNKS = 4
SEEDS_PER_CHUNK = 12
KINDS = (
    "battery", "chp", "curtailable_load", "ev_charger", "heat_pump", "shiftable_load", "pv", "wind", "given_profile",
    "fixed_load",
)  # fmt: skip


def planned(seed: int, *, on_off: bool) -> tuple[Case, Schedule] | None:
    """Some random PODs and their cheapest schedules; None where a POD has none."""
    random = np.random.default_rng(seed + 70_000)
    drawn = random_case(seed, int(random.integers(1, 4)), pods=3, steps_max=20, on_off=on_off)
    case = replace(drawn, store=drawn.portfolio.store())
    limits = Limits(time_limit_seconds=2.0, mip_gap=1e-2)
    solution = solve(case.store, case.meter, case.step_hours, case.day, limits)
    return None if solution.conflicts or solution.failures else (case, solution.schedule)


def judged(case: Case, schedule: Schedule) -> CheckedSchedule:
    levels = np.where(case.store.has_store[:, None], schedule.e, np.nan)
    return CheckedSchedule(case.store.ids, schedule.p, levels, schedule.aux, schedule.spill)


def market_of(case: Case, names: tuple[str, ...], hours: Floats) -> Market:
    """Products that are sold at all steps and that any kind may back."""
    steps = case.portfolio.horizon.steps
    block = np.zeros(steps, dtype=np.int64)
    products = (
        ReserveProduct(name, "symmetric", block, np.ones(1), np.zeros(steps), sustain_hours=float(s), kinds=KINDS)
        for name, s in zip(names, hours, strict=True)
    )
    return Market(reserves=tuple(products))


def some_calls(random: Random, backing: Backing, span: int) -> Calls:
    """One side of each product in some steps, in full, on and off, or in part, for at most `span` steps."""
    steps = backing.up_kw.shape[2]
    first = int(random.integers(steps))
    window = slice(first, min(first + span, steps))
    up: dict[str, Floats] = {}
    down: dict[str, Floats] = {}
    for number, name in enumerate(backing.products):
        side, kw = (up, backing.up_kw) if random.random() < 0.5 else (down, backing.down_kw)
        share = random.choice([np.ones(steps), random.random(steps), np.round(random.random(steps))])
        called = np.zeros(steps)
        called[window] = (share * kw[number].sum(axis=0))[window]
        side[name] = called
    return Calls(up, down)


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_what_the_check_accepts_can_be_called(chunk: int) -> None:
    """Random backing, thinned device by device until it is accepted, follows any call of it by physics alone.

    On/off devices are left out: the replay lets them keep only their scheduled running.
    """
    called = 0
    for seed in range(chunk * SEEDS_PER_CHUNK, (chunk + 1) * SEEDS_PER_CHUNK):
        found = planned(seed, on_off=False)
        if found is None:
            continue
        case, schedule = found
        random = np.random.default_rng(seed)
        span = int(random.integers(1, 5))
        market = market_of(case, ("a", "b"), np.full(2, span * case.step_hours))
        plan, backing = judged(case, schedule), random_backing(random, case, schedule)
        backing = accepted_part(case, plan, backing, market)
        if not (backing.up_kw.any() or backing.down_kw.any()):
            continue
        called += 1
        for _ in range(6):
            report = replay_calls(case.portfolio, plan, backing, some_calls(random, backing, span), tolerance_kw=2e-6)
            assert report.good, (seed, report)
    assert called >= SEEDS_PER_CHUNK // 4


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_room_is_that_of_the_canonical_form(chunk: int) -> None:
    """Levels with a way on, read from the devices' fields, are those that the canonical form gives.

    For a shiftable load that form also leaves out what no powers of the whole horizon could shift.
    """
    compared = 0
    for seed in range(2000 + chunk * SEEDS_PER_CHUNK, 2000 + (chunk + 1) * SEEDS_PER_CHUNK):
        drawn = random_case(seed, 3, pods=3, steps_max=20, on_off=seed % 2 == 0)
        study = free_to_end(drawn.portfolio)
        store = study.store()
        low, high = viable(store, drawn.step_hours, np.asarray(store.full("p_min")), np.asarray(store.full("p_max")))
        nothing = np.zeros((store.devices, store.steps))
        row_of = {name: row for row, name in enumerate(store.ids)}
        for part in parts(study, CheckedSchedule(store.ids, nothing, nothing, nothing, nothing)):
            if part.limits.store is None:
                continue
            compared += 1
            room = room_of(part, part.limits.store, study.horizon, np.ones(len(part.limits.pod), dtype=bool))
            rows = [row_of[name] for name in part.limits.ids]
            mine_low, mine_high = room.low_kwh, room.high_kwh
            if part.name == "shiftable_load":
                load = part.table.power_kw()
                down, up = (
                    drawn.step_hours * abs(load - bound).sum(axis=1)
                    for bound in (part.limits.low_kw, part.limits.high_kw)
                )
                mine_low, mine_high = np.maximum(mine_low, -down[:, None]), np.minimum(mine_high, up[:, None])
            for mine, theirs in ((mine_low, low[rows]), (mine_high, high[rows])):
                np.testing.assert_allclose(mine, theirs, atol=1e-6, err_msg=f"{seed} {part.name}")
    assert compared


def random_backing(random: Random, case: Case, schedule: Schedule) -> Backing:
    """Shares of the power left on each side, so that energy is what binds."""
    room_up = np.maximum(schedule.p - case.store.full("p_min"), 0.0)
    room_down = np.maximum(case.store.full("p_max") - schedule.p, 0.0)
    shape = (2, *schedule.p.shape)
    shares = random.random((2, shape[0], shape[1], 1)) * 0.5 * (random.random((2, *shape)) < 0.7)
    return Backing(case.store.ids, ("a", "b"), shares[0] * room_up, shares[1] * room_down)


def accepted_part(case: Case, plan: CheckedSchedule, backing: Backing, market: Market) -> Backing:
    """The backing with that of devices halved, and at last dropped, that the check names."""
    for attempt in range(12):
        report = check_reserve(case.portfolio, plan, backing, market)
        if report.good:
            return backing
        named = {violation.device for violation in report.violations}
        pods = {violation.pod for violation in report.violations if not violation.device}
        owner = case.portfolio.ids[case.store.pod]
        faulty = np.isin(backing.device_ids, list(named)) | np.isin(owner, list(pods))
        share = np.where(faulty, 0.5 if attempt < 8 else 0.0, 1.0)[None, :, None]
        backing = replace(backing, up_kw=backing.up_kw * share, down_kw=backing.down_kw * share)
    raise AssertionError(str(report))


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_safe_backing_and_its_delivery_are_accepted(chunk: int) -> None:
    """What dispatch finds devices could back, in the canonical form, the check accepts from the devices' fields.

    Called, the set points keep every limit and are the plan and the call.
    """
    tried = 0
    for seed in range(1000 + chunk * SEEDS_PER_CHUNK, 1000 + (chunk + 1) * SEEDS_PER_CHUNK):
        found = planned(seed, on_off=seed % 2 == 0)
        if found is None:
            continue
        case, schedule = found
        random = np.random.default_rng(seed)
        fleet = Fleet.of(case.store, case.meter, case.portfolio.horizon)
        span = int(random.integers(1, 5))
        hours = span * case.step_hours
        up, down = greatest_backing(fleet, schedule, hours)
        backing = Backing(case.store.ids, ("a",), up[None], down[None])
        report = check_reserve(
            case.portfolio, judged(case, schedule), backing, market_of(case, ("a",), np.array([hours]))
        )
        assert report.good, (seed, report)
        tried += 1
        calls = some_calls(random, backing, span)
        nothing = np.zeros((1, case.store.steps))
        called = Called(
            *(np.array([side[name] for name in side]) if side else nothing for side in (calls.up_kw, calls.down_kw))
        )
        done = activate(fleet, schedule, Offered(("a",), np.array([hours]), up[None], down[None]), called)
        assert done.undelivered_kw.max() <= 1e-6
        report = check_delivery(case.portfolio, judged(case, schedule), judged(case, done.schedule), calls)
        assert report.good, (seed, report)
    assert tried >= SEEDS_PER_CHUNK // 4


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_a_backing_one_percent_greater_is_found(chunk: int) -> None:
    """Of a device that backs all that its power or energy bears, what is asked one percent more is found.

    Only devices behind wide connections, so that it is the device which binds; each is the only one that backs.
    """
    found_any = 0
    for seed in range(2000 + chunk * SEEDS_PER_CHUNK, 2000 + (chunk + 1) * SEEDS_PER_CHUNK):
        found = planned(seed, on_off=seed % 2 == 0)
        if found is None:
            continue
        case, schedule = found
        fleet = Fleet.of(case.store, case.meter, case.portfolio.horizon)
        hours = case.step_hours * int(np.random.default_rng(seed).integers(1, 5))
        sides = greatest_backing(fleet, schedule, hours)
        market = market_of(case, ("a",), np.array([hours]))
        powers = (schedule.p - case.store.full("p_min"), case.store.full("p_max") - schedule.p)
        for side, (kw, room) in enumerate(zip(sides, powers, strict=True)):
            binding = (kw > 0.5) & (abs(kw - room) <= 1e-9)
            for device, step in zip(*np.nonzero(binding), strict=True):
                given = np.zeros((2, 1, *kw.shape))
                given[side, 0, device, step] = kw[device, step]
                backing = Backing(case.store.ids, ("a",), given[0], given[1])
                assert check_reserve(case.portfolio, judged(case, schedule), backing, market).good
                more = replace(backing, up_kw=1.01 * given[0], down_kw=1.01 * given[1])
                report = check_reserve(case.portfolio, judged(case, schedule), more, market)
                assert any(v.device == case.store.ids[device] and v.step == step for v in report.violations)
                found_any += 1
                break
    assert found_any >= SEEDS_PER_CHUNK // 4


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_a_store_asked_one_percent_more_than_its_energy_is_found(chunk: int) -> None:
    """Where energy binds, by the room of the canonical form (b s kappa = room), one percent more is found.

    Shiftable loads are left out: the canonical form bounds them by what they can reach, not by what they may.
    """
    found_any = 0
    for seed in range(3000 + chunk * SEEDS_PER_CHUNK, 3000 + (chunk + 1) * SEEDS_PER_CHUNK):
        found = planned(seed, on_off=False)
        if found is None:
            continue
        case, schedule = found
        room = canonical_room(case.store, case.meter, case.step_hours)
        hours = case.step_hours * 12
        market = market_of(case, ("a",), np.array([hours]))
        empties = np.where(room.fills_up, room.high - schedule.e, schedule.e - room.low)
        loads = case.portfolio.devices.get("shiftable_load")
        shifts = np.isin(case.store.ids, [] if loads is None else list(loads.ids))
        able = (room.backs & ~shifts)[:, None] & (room.kappa_up > 0)
        kw = np.where(able, np.maximum(empties, 0.0) / np.where(able, hours * room.kappa_up, 1.0), 0.0)
        fits = (kw > 0.01) & (kw < 0.9 * (schedule.p - case.store.full("p_min")))
        for device, step in zip(*np.nonzero(fits), strict=True):
            up = np.zeros((1, *kw.shape))
            up[0, device, step] = 1.01 * kw[device, step] + 1e-4
            report = check_reserve(
                case.portfolio, judged(case, schedule), Backing(case.store.ids, ("a",), up, 0 * up), market
            )
            said = [v for v in report.violations if v.device == case.store.ids[device] and "sustaining" in v.what]
            assert said
            assert said[0].step == step
            found_any += 1
            break
    assert found_any >= SEEDS_PER_CHUNK // 10
