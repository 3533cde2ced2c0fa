"""The band's promise, attacked: whatever is called inside it, limits hold and every POD can go on afterwards.

Two judges that share nothing with the band: the replay of `podium.checking`, device by device from the study's fields,
and an independent mixed-integer programme of the whole POD with its connection.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pytest
from numpy.typing import NDArray

from formulation import cheapest
from podium.checking import Schedule as CheckedSchedule
from podium.checking import replay
from podium.flex.exact import Schedule
from podium.flex.exclusive import Limits
from podium.flex.solve import solve
from podium.flexstore import FlexStore
from podium.local.band import Band, band
from random_pods import Case, random_case

Floats = NDArray[np.float64]
Random = np.random.Generator

#: What solvers leave, kW and kWh; limits are widened by it.
CRUMBS = 1e-6
CHUNKS = 8
SEEDS_PER_CHUNK = 16


@dataclass(frozen=True)
class Banded:
    """A POD with its schedule and the band around it."""

    case: Case
    schedule: Schedule
    band: Band
    sustain: int


def banded(seed: int) -> Banded | None:
    """A random POD; None where it has no schedule. `sustain` runs from one step to the whole horizon."""
    random = np.random.default_rng(seed + 10_000)
    drawn = random_case(
        seed, int(random.integers(1, 4)), steps_max=20, on_off=random.random() < 0.5, coupled=random.random() < 0.5
    )
    case = replace(drawn, store=drawn.portfolio.store())
    solution = solve(case.store, case.meter, case.step_hours, case.day, Limits(time_limit_seconds=2.0, mip_gap=1e-2))
    if solution.conflicts or solution.failures:
        return None
    steps = case.store.steps
    sustain = int(random.choice([1, min(2, steps), min(4, steps), random.integers(1, steps + 1), steps]))
    found = band(case.store, solution.schedule, case.meter, case.step_hours, sustain, case.day)
    return Banded(case, solution.schedule, found, sustain)


def activations(given: Banded, random: Random, count: int) -> Iterator[tuple[Floats, int, int]]:
    """Deltas (device, step) with their window: full, on and off, partial; of all devices or of some."""
    shape = given.schedule.p.shape
    for n in range(count):
        side = -given.band.up_kw if random.random() < 0.5 else given.band.down_kw
        first = int(random.integers(shape[1]))
        last = min(first + (given.sustain if n % 2 else int(random.integers(1, given.sustain + 1))), shape[1])
        called = np.zeros(shape)
        called[:, first:last] = 1.0
        if n % 3 == 1:
            called *= random.random(shape[1]) < 0.6
        if n % 3 == 2:
            called *= random.choice([0.0, 1.0, random.random()], shape)
        yield side * called, first, last


def largest(given: Banded) -> Iterator[tuple[Floats, int, int]]:
    """The windows with the most energy, up and down, called in full."""
    steps = given.schedule.p.shape[1]
    for side in (-given.band.up_kw, given.band.down_kw):
        total = np.concatenate(([0.0], np.cumsum(abs(side).sum(axis=0))))
        first = int(np.argmax(total[given.sustain :] - total[: len(total) - given.sustain]))
        last = min(first + given.sustain, steps)
        called = np.zeros(side.shape)
        called[:, first:last] = side[:, first:last]
        yield called, first, last


def judged(given: Banded, delta: Floats, first: int, last: int) -> None:
    schedule = given.schedule
    levels = np.where(given.case.store.has_store[:, None], schedule.e, np.nan)
    checked = CheckedSchedule(given.case.store.ids, schedule.p, levels, schedule.aux, schedule.spill)
    report = replay(given.case.portfolio, checked, delta, tolerance_kw=CRUMBS, window=(first, last))
    assert report.good, report


def can_go_on(given: Banded, delta: Floats, first: int, last: int) -> bool:
    """Whether the whole POD has a way on that keeps limits, connection, and the targets that the schedule meets."""
    case, schedule = given.case, given.schedule
    held = _followed(case.store, schedule, schedule.p + delta, first, last)
    meter = replace(
        case.meter,
        withdrawal_max=case.meter.withdrawal_max + 10 * CRUMBS,
        injection_max=case.meter.injection_max + 10 * CRUMBS,
        buy=np.zeros_like(case.meter.buy),
        sell=np.zeros_like(case.meter.sell),
        peak_cost=np.zeros_like(case.meter.peak_cost),
    )
    return cheapest(held, meter, case.step_hours, case.day) is not None


def _followed(store: FlexStore, schedule: Schedule, power: Floats, first: int, last: int) -> FlexStore:
    """The devices bound to the schedule before the window and to `power` within it, and to their targets; no costs."""
    low, high = np.array(store.full("p_min")), np.array(store.full("p_max"))
    low[:, :last], high[:, :last] = power[:, :last] - CRUMBS, power[:, :last] + CRUMBS
    met = np.where(store.shortfall_cost > 0, np.minimum(schedule.e, store.e_target), -np.inf)
    e_low = np.maximum(store.full("e_min"), met) - CRUMBS
    e_high = store.full("e_max") + CRUMBS
    if first:
        e_low[:, first - 1], e_high[:, first - 1] = schedule.e[:, first - 1] - CRUMBS, schedule.e[:, first - 1] + CRUMBS
    nothing = np.zeros((store.devices, 1))
    free = dict.fromkeys(("cost_plus", "cost_minus", "aux_cost", "shortfall_cost"), nothing)
    return replace(
        store,
        p_min=low,
        p_max=high,
        e_min=e_low,
        e_max=e_high,
        discharge_day_max=store.discharge_day_max + 10 * CRUMBS,
        ramp=store.ramp + 2 * CRUMBS,
        start_cost=nothing[:, 0],
        e_value=nothing[:, 0],
        **free,
    )


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_any_activation_inside_the_band_can_be_followed(chunk: int) -> None:
    """Devices of all kinds, steps of 5 to 60 minutes, days of 23 and 25 hours, prices of both signs, tight connections.

    Up and down, in windows of at most `sustain` steps (one step to the whole horizon): full, on and off at random,
    partial, all devices or some of them.
    """
    tried = 0
    for seed in range(chunk * SEEDS_PER_CHUNK, (chunk + 1) * SEEDS_PER_CHUNK):
        given = banded(seed)
        if given is None:
            continue
        tried += 1
        assert (given.band.up_kw >= 0).all(), seed
        assert (given.band.down_kw >= 0).all(), seed
        random = np.random.default_rng(seed)
        for delta, first, last in [*largest(given), *activations(given, random, 6)]:
            judged(given, delta, first, last)
        for delta, first, last in [*largest(given), *activations(given, random, 1)]:
            assert can_go_on(given, delta, first, last), (seed, first, last)
    assert tried >= SEEDS_PER_CHUNK // 3
