"""The translations into the canonical form lose nothing and add nothing: the fields alone give the same least cost."""

import numpy as np
import pytest

from device_physics import least_cost_eur
from podium.checking import Schedule, check_schedule, level1_cost_eur
from podium.devices import KINDS
from podium.flex.solve import Limits, solve
from podium.portfolio import Pod, Portfolio
from random_pods import Maker, random_case, random_horizon, random_pod

SEEDS_PER_TEST = 20


def drawn(seed: int) -> tuple[Portfolio, Pod, Maker]:
    """A POD of one or two stores, behind them anything; every third with on/off devices."""
    random = np.random.default_rng(seed)
    maker = Maker(random, random_horizon(random, 14))
    pod = random_pod(maker, "pod", 1 + seed % 2, on_off=seed % 3 == 0, coupled=seed % 2 == 0)
    return Portfolio.of([pod], maker.horizon, maker.profiles), pod, maker


@pytest.mark.parametrize("chunk", range(6))
def test_least_cost_equals_that_of_the_fields(chunk: int) -> None:
    """cvxpy, with integers, from what each kind's docstring says; nothing of the canonical form is used."""
    for seed in range(chunk * SEEDS_PER_TEST, (chunk + 1) * SEEDS_PER_TEST):
        portfolio, pod, maker = drawn(seed)
        horizon = portfolio.horizon
        found = solve(portfolio.store(), portfolio.meter(), horizon.step_hours, horizon.day, Limits(mip_gap=1e-9))
        expected = least_cost_eur(pod, pod.devices, horizon, maker.profiles)
        assert bool(found.conflicts or found.failures) == (expected is None), seed
        if expected is not None:
            assert found.cost_eur[0] == pytest.approx(expected, rel=0, abs=1e-6), seed


def test_the_draws_hold_every_kind() -> None:
    """No kind is left out of the comparison above."""
    kinds = set()
    for seed in range(6 * SEEDS_PER_TEST):
        kinds |= set(drawn(seed)[0].devices)
    assert kinds == set(KINDS)


@pytest.mark.parametrize("seed", range(24))
def test_the_check_accepts_every_schedule_and_its_bill(seed: int) -> None:
    """Ten PODs of up to three stores: the independent check finds no fault and the same cost."""
    case = random_case(seed, seed % 4, pods=10, on_off=seed % 2 == 0, coupled=seed % 3 == 0)
    store = case.portfolio.store()
    found = solve(store, case.meter, case.step_hours, case.day)
    failed = sorted(found.conflicts | found.failures)
    kept = ~np.isin(store.pod, failed)
    levels = np.where(store.has_store[:, None], found.schedule.e, np.nan)
    flows = [part[kept] for part in (found.schedule.p, levels, found.schedule.aux, found.schedule.spill)]
    schedule, without = Schedule(store.ids[kept], *flows), case.portfolio.ids[failed].tolist()
    report = check_schedule(case.portfolio, schedule, without_pods=without)
    assert report.good, [str(each) for each in report.violations]
    cost = level1_cost_eur(case.portfolio, schedule, without_pods=without)
    good = np.setdiff1d(np.arange(10), failed)
    np.testing.assert_allclose(cost[good], found.cost_eur[good], rtol=0, atol=1e-7)
