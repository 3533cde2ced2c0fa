"""Reserve, attacked: whatever is called inside what devices back is delivered, and no device breaks a limit.

The judge is `podium.checking`, which reads the devices' fields and shares nothing with the dispatch. Only a level
wanted at the end of the horizon is taken out of it: recovering goes on after the horizon.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from numpy.typing import NDArray

from podium.checking import Schedule as CheckedSchedule
from podium.checking import check_schedule
from podium.dispatch import (
    Areas,
    Backing,
    Calls,
    Delivery,
    Fleet,
    Order,
    Reallocation,
    Reallocator,
    activate,
    by_cost,
    by_priority,
    greatest_backing,
    in_proportion,
    safe_backing,
)
from podium.dispatch.course import Course, promised_levels
from podium.flex.exact import Schedule
from podium.flex.exclusive import Limits
from podium.flex.solve import solve
from podium.portfolio import Portfolio
from random_pods import Case, random_case

Floats = NDArray[np.float64]
Random = np.random.Generator

CRUMBS = 1e-6
CHUNKS = 8
SEEDS_PER_CHUNK = 16
CALLS_PER_CASE = 10


@dataclass(frozen=True)
class Sold:
    """A portfolio with its plan and what backs its products."""

    case: Case
    fleet: Fleet
    schedule: Schedule
    backing: Backing


def planned(seed: int) -> tuple[Case, Fleet, Schedule] | None:
    """Some random PODs and their cheapest schedules; None where a POD has none."""
    random = np.random.default_rng(seed + 20_000)
    drawn = random_case(
        seed,
        int(random.integers(1, 4)),
        pods=int(random.integers(1, 5)),
        steps_max=24,
        on_off=random.random() < 0.5,
        coupled=random.random() < 0.5,
    )
    case = replace(drawn, store=drawn.portfolio.store())
    solution = solve(case.store, case.meter, case.step_hours, case.day, Limits(time_limit_seconds=2.0, mip_gap=1e-2))
    if solution.conflicts or solution.failures:
        return None
    return case, Fleet.of(case.store, case.meter, case.portfolio.horizon), solution.schedule


def sold(seed: int) -> Sold | None:
    """One to three products, each backed by a part of what the devices could, one after the other."""
    found = planned(seed)
    if found is None:
        return None
    case, fleet, schedule = found
    random = np.random.default_rng(seed + 30_000)
    backing = Backing.none(fleet.store.devices, fleet.store.steps)
    for product in range(int(random.integers(1, 4))):
        hours = case.step_hours * float(random.choice([0.7, 1, 2, 4, random.integers(1, 13)]))
        up, down = greatest_backing(fleet, schedule, hours, backing)
        share = random.choice([1.0, 0.5, random.random()])
        up, down = up * share * random.choice([0, 1, 1, 1]), down * share * random.choice([0, 1, 1, 1])
        backing = Backing(
            (*backing.products, f"product {product}"),
            np.append(backing.sustain_hours, hours),
            np.concatenate((backing.up_kw, up[None])),
            np.concatenate((backing.down_kw, down[None])),
        )
    return Sold(case, fleet, schedule, backing)


def random_calls(given: Sold, random: Random, kind: int) -> Calls:
    """Some products called at once, for at most the shortest of their sustains: in full, on and off, or in part."""
    steps = given.fleet.store.steps
    spans = given.backing.sustain_steps(given.case.step_hours)
    up, down = np.zeros((len(spans), steps)), np.zeros((len(spans), steps))
    chosen = np.flatnonzero(random.random(len(spans)) < 0.7)
    longest = min((int(spans[product]) for product in chosen), default=0)
    first = int(random.integers(steps))
    last = min(first + (longest if kind % 2 else int(random.integers(0, longest + 1))), steps)
    for product in chosen:
        share = np.ones(last - first)
        if kind % 3 == 1:
            share *= random.random(last - first) < 0.6
        if kind % 3 == 2:
            share *= random.random(last - first)
        side, backed = (up, given.backing.up_kw) if random.random() < 0.5 else (down, given.backing.down_kw)
        side[product, first:last] = share * backed[product, :, first:last].sum(axis=0)
    return Calls(up, down)


def limited(given: Sold, random: Random) -> tuple[Areas, ...]:
    """Limits of two groups and of the whole that hold the plan with everything called, and up to 4 kW more."""
    store, p, backing = given.fleet.store, given.schedule.p, given.backing
    found = []
    for of_device, count in ((store.pod % 2, 2), (np.zeros_like(store.pod), 1)):
        free = Areas(of_device, *(np.full((count, store.steps), np.inf) for _ in "wi"))
        net, up, down = (free.sum(values) for values in (p, backing.up_kw.sum(axis=0), backing.down_kw.sum(axis=0)))
        more = [random.uniform(0, 4, net.shape) * (random.random(net.shape) < 0.6) for _ in "wi"]
        found.append(Areas(of_device, net + down + more[0], up - net + more[1]))
    return tuple(found)


def beyond_limits(areas: tuple[Areas, ...], p: Floats, calls_kw: Floats) -> Floats:
    """By how much the net power of any area lies beyond its limits. Shape (step,)."""
    worst = np.zeros(p.shape[1])
    for area in areas:
        for number in range(len(area.withdrawal_max_kw)):
            mine = area.of_device == number
            net = p[mine].sum(axis=0)
            over = np.maximum(net - area.withdrawal_max_kw[number], -net - area.injection_max_kw[number])
            worst = np.maximum(worst, over)
    return np.where(calls_kw == 0, worst, 0.0)


def without_end_levels(portfolio: Portfolio) -> Portfolio:
    """The same devices, free to end at any level that they bear."""
    free = {
        "battery": ("energy_end_min_kwh", "energy_min_kwh"),
        "heat_pump": ("heat_store_end_min_kwh", "heat_store_min_kwh"),
        "chp": ("heat_store_end_min_kwh", None),
    }
    tables = dict(portfolio.devices)
    for kind, (end, least) in free.items():
        if kind in tables:
            table = tables[kind]
            level = np.zeros(len(table)) if least is None else table[least]
            tables[kind] = replace(table, columns={**table.columns, end: level})
    return replace(portfolio, devices=tables)


def accepted(case: Case, schedule: Schedule) -> None:
    levels = np.where(case.store.has_store[:, None], schedule.e, np.nan)
    checked = CheckedSchedule(case.store.ids, schedule.p, levels, schedule.aux, schedule.spill)
    report = check_schedule(without_end_levels(case.portfolio), checked)
    assert report.good, report


def promises_kept(given: Sold, calls: Calls, done: Delivery) -> None:
    """What devices can still keep at the end of the call they keep to the end.

    Where one of a POD cannot, the connection may leave less to the others. A cycle limit is spent once a day.
    """
    fleet, store = given.fleet, given.fleet.store
    called = np.flatnonzero((calls.up_kw + calls.down_kw).any(axis=0))
    if not len(called) or called[-1] + 1 == store.steps:
        return
    last = int(called[-1]) + 1
    later = given.backing.since(last)
    levels = promised_levels(fleet, Course.of(fleet, given.schedule), later)
    inside = (done.schedule.e > levels.low - CRUMBS) & (done.schedule.e < levels.high + CRUMBS)
    able = inside[:, last - 1]
    assert inside[able, last:].all()
    able = (fleet.pod_sum((~able).astype(float)) == 0)[store.pod] & np.isinf(store.discharge_day_max)
    np.testing.assert_allclose(done.kept.up_kw[:, able], later.up_kw[:, able], atol=1e-4)
    np.testing.assert_allclose(done.kept.down_kw[:, able], later.down_kw[:, able], atol=1e-4)


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_safe_backing_keeps_the_rules_and_leaves_alone_what_holds(chunk: int) -> None:
    """Any backing is shrunk to one that power, energy, windows and connection bear, rule by rule, in plain loops."""
    for seed in range(chunk * SEEDS_PER_CHUNK, (chunk + 1) * SEEDS_PER_CHUNK):
        found = planned(seed)
        if found is None:
            continue
        case, fleet, schedule = found
        random = np.random.default_rng(seed)
        shape = (2, case.store.devices, case.store.steps)
        hours = case.step_hours * np.array([0.6, float(random.integers(1, 7))])
        size = random.choice([0.1, 1.0, 5.0])
        asked = Backing(("a", "b"), hours, *(size * random.random(shape) * (random.random(shape) < 0.7) for _ in "ud"))
        safe = safe_backing(fleet, schedule, asked)
        for side, wanted in ((safe.up_kw, asked.up_kw), (safe.down_kw, asked.down_kw)):
            assert (side >= 0).all()
            assert (side <= wanted).all()
        borne(case, fleet, schedule, safe)
        again = safe_backing(fleet, schedule, safe)
        np.testing.assert_allclose(again.up_kw, safe.up_kw, atol=1e-8)
        np.testing.assert_allclose(again.down_kw, safe.down_kw, atol=1e-8)


def borne(case: Case, fleet: Fleet, schedule: Schedule, safe: Backing) -> None:
    """The rules of docs/maths/dispatch.md, one device and step at a time."""
    store, room, p, dt = case.store, fleet.room, schedule.p, case.step_hours
    up, down = safe.up_kw.sum(axis=0), safe.down_kw.sum(axis=0)
    assert (p - up >= np.minimum(store.full("p_min"), p) - CRUMBS).all()
    assert (p + down <= np.maximum(store.full("p_max"), p) + CRUMBS).all()
    for pod in range(len(case.portfolio)):
        mine = store.pod == pod
        net = p[mine].sum(axis=0)
        assert (net + down[mine].sum(axis=0) <= case.meter.withdrawal_max[pod] + CRUMBS).all()
        assert (net - up[mine].sum(axis=0) >= -case.meter.injection_max[pod] - CRUMBS).all()
    spans = [int(np.ceil(hours / dt - 1e-9)) for hours in safe.sustain_hours]
    for d in np.flatnonzero(store.has_store):
        begun = 0
        for i in range(store.steps):
            begun = i if store.full("keep")[d, i] == 0 else begun
            for side, kappa, empties in (
                (safe.up_kw, room.kappa_up, not room.fills_up[d, i]),
                (safe.down_kw, room.kappa_down, room.fills_up[d, i]),
            ):
                left = schedule.e[d, i] - room.low[d, i] if empties else room.high[d, i] - schedule.e[d, i]
                lasting = sum(hours * kappa[d, i] * side[k, d, i] for k, hours in enumerate(safe.sustain_hours))
                moved = sum(
                    dt * kappa[d, j] * side[k, d, j]
                    for k, span in enumerate(spans)
                    for j in range(max(begun, i - span + 1), i + 1)
                )
                assert max(lasting, moved) <= max(left, 0.0) + 1e-6


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_any_call_inside_the_backing_is_delivered(chunk: int) -> None:
    """Delivered exactly, every limit and every wish that the plan meets kept, and no later promise given away.

    A device whose energy after the call lets it keep all that it promised later keeps it to the end.
    """
    called_kwh = 0.0
    for seed in range(chunk * SEEDS_PER_CHUNK, (chunk + 1) * SEEDS_PER_CHUNK):
        given = sold(seed)
        if given is None:
            continue
        random = np.random.default_rng(seed)
        for kind in range(CALLS_PER_CASE):
            calls = random_calls(given, random, kind)
            done = activate(given.fleet, given.schedule, given.backing, calls)
            position = given.schedule.p.sum(axis=0)
            called = np.flatnonzero(calls.net_kw)
            assert done.undelivered_kw.max() <= CRUMBS, (seed, kind, done.undelivered_kw)
            moved = done.schedule.p.sum(axis=0)
            np.testing.assert_allclose(moved[called], (position + calls.net_kw)[called], atol=CRUMBS, err_msg=str(seed))
            np.testing.assert_allclose(moved, position + calls.net_kw + done.recovery_kw, atol=CRUMBS)
            accepted(given.case, done.schedule)
            wished = given.case.store.full("shortfall_cost") > 0
            reached = np.minimum(given.schedule.e, given.case.store.full("e_target"))
            assert (done.schedule.e >= reached - 1e-5)[wished].all(), (seed, kind)
            promises_kept(given, calls, done)
            called_kwh += given.case.step_hours * float(abs(calls.net_kw).sum())
    assert called_kwh > 20.0


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_recovery_keeps_the_limits_of_groups_and_of_the_whole(chunk: int) -> None:
    """What a call leaves to do is done within limits, or the excess is told; devices' own limits and wishes are first.

    From levels whose way on is paced no limit is exceeded at all. Of the calls after which a fleet that does not know
    the limits exceeds them, one that does keeps them after at least half.
    """
    exceeded = kept = 0
    for seed in range(chunk * SEEDS_PER_CHUNK, (chunk + 1) * SEEDS_PER_CHUNK):
        given = sold(seed)
        if given is None:
            continue
        random = np.random.default_rng(seed)
        areas = limited(given, random)
        fleet = replace(given.fleet, areas=areas)
        for kind in range(CALLS_PER_CASE):
            calls = random_calls(given, random, kind)
            done, blind = (activate(them, given.schedule, given.backing, calls) for them in (fleet, given.fleet))
            assert done.undelivered_kw.max() <= CRUMBS, (seed, kind)
            accepted(given.case, done.schedule)
            wished = given.case.store.full("shortfall_cost") > 0
            reached = np.minimum(given.schedule.e, given.case.store.full("e_target"))
            assert (done.schedule.e >= reached - 1e-5)[wished].all(), (seed, kind)
            found = beyond_limits(areas, done.schedule.p, calls.net_kw)
            told = np.where(calls.net_kw == 0, done.beyond_kw, 0.0)
            np.testing.assert_allclose(told, found, atol=CRUMBS, err_msg=f"{seed} {kind}")
            if paced_after(fleet, given, calls, done):
                assert found.max() <= CRUMBS, (seed, kind)
            unknowing = beyond_limits(areas, blind.schedule.p, calls.net_kw)
            exceeded += unknowing.max() > CRUMBS
            kept += found.max() <= CRUMBS < unknowing.max()
    assert exceeded >= 3
    assert kept >= exceeded / 2


def paced_after(fleet: Fleet, given: Sold, calls: Calls, done: Delivery) -> bool:
    """Whether all devices end the call at levels from which their parts of what limits leave suffice."""
    called = np.flatnonzero((calls.up_kw + calls.down_kw).any(axis=0))
    last = int(called[-1]) + 1 if len(called) else 0
    if last == 0:
        return True
    levels = promised_levels(fleet, Course.of(fleet, given.schedule), given.backing.since(last), paced=True)
    inside = (done.schedule.e >= levels.low) & (done.schedule.e <= levels.high)
    return bool(inside[:, last - 1].all())


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_who_takes_over_keeps_the_limits_of_groups(chunk: int) -> None:
    """Whatever is to be made good beside: groups stay within their limits, and all that is backed still holds."""
    for seed in range(chunk * SEEDS_PER_CHUNK, (chunk + 1) * SEEDS_PER_CHUNK):
        given = sold(seed)
        if given is None:
            continue
        random = np.random.default_rng(seed)
        groups, _ = limited(given, random)
        store, fleet = given.case.store, replace(given.fleet, areas=(groups,))
        live = Reallocator(fleet, given.schedule, given.backing)
        done = [live.step(beside_kw=float(random.uniform(-5.0, 5.0))) for _ in range(store.steps)]
        lived = Schedule(*(np.stack(values, axis=1) for values in zip(*map(columns, done), strict=True)))
        assert beyond_limits((groups,), lived.p, np.zeros(store.steps)).max() <= CRUMBS, seed
        kept, own = safe_backing(fleet, lived, given.backing), store.has_store
        np.testing.assert_allclose(kept.up_kw[:, own], given.backing.up_kw[:, own], atol=1e-4)
        np.testing.assert_allclose(kept.down_kw[:, own], given.backing.down_kw[:, own], atol=1e-4)


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_who_takes_over_keeps_limits_and_every_promise(chunk: int) -> None:
    """Random deviations, in every order of takeover: the rest is told, no limit broken, all that is backed still holds.

    PV, wind and given profiles behind free connections do what they like within their limits; a power of others, up
    to 5 kW, is to be made good beside.
    """
    for seed in range(chunk * SEEDS_PER_CHUNK, (chunk + 1) * SEEDS_PER_CHUNK):
        given = sold(seed)
        if given is None:
            continue
        random = np.random.default_rng(seed)
        store, plan, meter = given.case.store, given.schedule, given.case.meter
        unlimited = np.isinf(np.minimum(meter.withdrawal_max, meter.injection_max))[store.pod]
        for order in orders(given, random):
            live = Reallocator(given.fleet, plan, given.backing, order)
            done, beside = [], random.uniform(-5.0, 5.0, store.steps) * (random.random(store.steps) < 0.5)
            for t in range(store.steps):
                wild = ~store.has_store & unlimited & (random.random(store.devices) < 0.5)
                low, high = store.full("p_min")[:, t], store.full("p_max")[:, t]
                done.append(live.step(np.where(wild, random.uniform(low, high), np.nan), float(beside[t])))
            lived = Schedule(*(np.stack(values, axis=1) for values in zip(*map(columns, done), strict=True)))
            uncovered = np.array([step.uncovered_kw for step in done])
            np.testing.assert_allclose(lived.p.sum(axis=0) + beside - plan.p.sum(axis=0), uncovered, atol=CRUMBS)
            accepted(given.case, lived)
            kept = safe_backing(given.fleet, lived, given.backing)
            own = store.has_store
            np.testing.assert_allclose(kept.up_kw[:, own], given.backing.up_kw[:, own], atol=1e-4)
            np.testing.assert_allclose(kept.down_kw[:, own], given.backing.down_kw[:, own], atol=1e-4)


def orders(given: Sold, random: Random) -> list[Order]:
    store = given.case.store
    ids = random.permutation(store.ids)[: store.devices // 2]
    return [
        in_proportion(store.devices),
        by_cost(store, random.uniform(-0.1, 0.3, store.devices)),
        by_priority(store, ["?"] * store.devices, list(ids)),
    ]


def columns(step: Reallocation) -> tuple[Floats, Floats, Floats, Floats]:
    return step.p_kw, step.energy_kwh, step.aux_kw, step.spill_kw


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_after_an_outage_nobody_gives_what_is_not_there(chunk: int) -> None:
    """PODs drop out for some steps: batteries and cars stay within their cells, and what is missing is told."""
    for seed in range(chunk * SEEDS_PER_CHUNK, (chunk + 1) * SEEDS_PER_CHUNK):
        given = sold(seed)
        if given is None:
            continue
        random = np.random.default_rng(seed)
        store, plan = given.case.store, given.schedule
        tables = given.case.portfolio.devices
        cells = np.isin(
            store.ids, [name for kind in ("battery", "ev_charger") if kind in tables for name in tables[kind].ids]
        )
        live = Reallocator(given.fleet, plan, given.backing)
        for t in range(store.steps):
            absent = (random.random(len(given.case.portfolio)) < 0.3)[store.pod]
            step = live.step(np.where(absent, 0.0, np.nan))
            assert step.p_kw.sum() - plan.p[:, t].sum() == pytest.approx(step.uncovered_kw, abs=CRUMBS)
            low, high = store.full("e_floor")[:, t], store.full("e_max")[:, t]
            lost = store.full("keep")[:, t] ** 4 * low  # an absent battery still loses
            assert (step.energy_kwh >= np.minimum(low, lost) - 1e-5)[cells].all(), (seed, t)
            assert (step.energy_kwh <= high + 1e-5)[cells].all(), (seed, t)
