"""Offers stay backed whatever devices do within the limits that keep them; the curve is their exact answer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from podium.dispatch import Backing, Fleet, greatest_backing, safe_backing
from podium.dispatch.keeping import keeping
from podium.flex.exact import Schedule
from podium.flex.exclusive import Limits
from podium.flex.solve import Solution, solve
from podium.flexstore import FlexStore
from podium.portfolio import Meter
from random_pods import Case, random_case

Floats = NDArray[np.float64]

SEEDS_PER_CHUNK = 20
CRUMBS = 1e-6
QUICKLY = Limits(time_limit_seconds=2.0, mip_gap=1e-2)


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


@pytest.mark.parametrize("chunk", range(4))
def test_whatever_the_price_the_offers_stay_backed(chunk: int) -> None:
    """At three random prices per portfolio: `safe_backing`, which checks every rule, takes nothing off.

    Without connection limits the plan keeps the narrower limits, so that there always is an answer. Devices are not
    on or off: those hold their plan.
    """
    backed = 0.0
    for seed in range(chunk * SEEDS_PER_CHUNK, (chunk + 1) * SEEDS_PER_CHUNK):
        drawn = random_case(seed, 1 + seed % 2, pods=2, steps_max=24)
        case = replace(drawn, store=drawn.portfolio.store())
        plan = solved(case, case.store, case.meter)
        if plan is None:
            continue
        fleet = Fleet.of(case.store, case.meter, case.portfolio.horizon)
        backing = offered(fleet, plan.schedule)
        backed += float(backing.up_kw.sum() + backing.down_kw.sum())
        store, meter = keeping(fleet, plan.schedule, backing)
        random = np.random.default_rng(seed)
        for _ in range(3):
            answer = solved(case, store, shifted(meter, random))
            limited = np.isfinite([case.meter.withdrawal_max, case.meter.injection_max]).any()
            assert answer is not None or limited, seed
            if answer is not None:
                left = safe_backing(fleet, answer.schedule, backing)
                np.testing.assert_allclose(left.up_kw, backing.up_kw, atol=CRUMBS, err_msg=str(seed))
                np.testing.assert_allclose(left.down_kw, backing.down_kw, atol=CRUMBS, err_msg=str(seed))
    assert backed > 10.0


def test_nothing_backed_narrows_nothing() -> None:
    case = random_case(5, 2, pods=2, steps_max=24)
    fleet = Fleet.of(case.store, case.meter, case.portfolio.horizon)
    schedule = Schedule.empty(case.store.devices, case.store.steps)
    store, meter = keeping(fleet, schedule, Backing.none(case.store.devices, case.store.steps))
    for name in ("p_min", "p_max", "e_min", "e_max"):
        assert np.array_equal(getattr(store, name), case.store.full(name)), name
    assert np.array_equal(meter.withdrawal_max, case.meter.withdrawal_max)
