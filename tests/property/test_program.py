"""Linear and mixed-integer programmes of coupled devices, against an independent formulation."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from formulation import cheapest, violation
from podium.flex.solve import Limits, Solution, solve
from podium.flexstore import FlexStore
from podium.portfolio import Meter, Pod, Portfolio
from random_pods import Case, Maker, random_case, random_horizon

PRECISE = Limits(mip_gap=1e-9)
COST_EUR = 1e-6
#: HiGHS' own tolerance on rows is 1e-7.
FEASIBLE = 1e-6
SEEDS_PER_TEST = 40


@pytest.mark.parametrize("on_off", [False, True])
@pytest.mark.parametrize("chunk", range(4))
def test_cost_equals_an_independent_programme(chunk: int, on_off: bool) -> None:
    """Two or three stores with spread, connection limits, peak charge, cycle limits; then on/off, ramp, least times."""
    for seed in range(chunk * SEEDS_PER_TEST, (chunk + 1) * SEEDS_PER_TEST):
        case = random_case(seed, 2 + seed % 2, steps_max=12, coupled=True, on_off=on_off)
        solution = solve(case.store, case.meter, case.step_hours, case.day, PRECISE)
        other = cheapest(case.store, case.meter, case.step_hours, case.day)
        failed = bool(solution.conflicts or solution.failures)
        assert failed == (other is None), (seed, solution.conflicts, solution.failures)
        if other is not None:
            assert solution.cost_eur[0] == pytest.approx(other.cost_eur, rel=0, abs=COST_EUR), seed
            assert solution.bound_eur[0] <= solution.cost_eur[0] + COST_EUR, seed
            assert solution.bound_eur[0] == pytest.approx(other.cost_eur, rel=1e-6, abs=COST_EUR), seed
            assert broken_by(case, solution) <= FEASIBLE, seed


def broken_by(case: Case, solution: Solution) -> float:
    found = solution.schedule
    return violation(case.store, case.meter, case.step_hours, found.p, found.e, found.aux, found.spill)


def chosen(case: Case, order: NDArray[np.int64]) -> tuple[FlexStore, Meter, NDArray[np.int64]]:
    """The PODs of `order` alone, in that order, and the rows of their devices."""
    rows = np.concatenate([np.flatnonzero(case.store.pod == pod) for pod in order])
    rank = np.zeros(len(case.meter.buy), dtype=np.int64)
    rank[order] = np.arange(len(order))
    store = case.store.take(rows)
    meter = Meter(**{name: column[order] for name, column in vars(case.meter).items()})
    return replace(store, pod=rank[store.pod]), meter, rows


@pytest.mark.parametrize("seed", range(8))
def test_schedules_do_not_depend_on_order_or_batch(seed: int) -> None:
    """30 PODs, then the same or 11 of them in another order: equal schedules, from whatever basis HiGHS starts."""
    case = random_case(seed, 2 + seed % 2, pods=30, steps_max=14, coupled=True, on_off=seed % 2 == 0)
    first = solve(case.store, case.meter, case.step_hours, case.day)
    order = np.random.default_rng(seed).permutation(30)[: 11 if seed % 4 == 3 else 30]
    store, meter, rows = chosen(case, order)
    second = solve(store, meter, case.step_hours, case.day)
    np.testing.assert_array_equal(first.method[order], second.method)
    np.testing.assert_allclose(second.schedule.p, first.schedule.p[rows], rtol=0, atol=1e-7)
    np.testing.assert_allclose(second.schedule.e, first.schedule.e[rows], rtol=0, atol=1e-7)


@pytest.mark.parametrize("seed", range(8))
def test_equal_batteries_share_in_one_way_only(seed: int) -> None:
    """Twins and triplets at prices of three levels have many cheapest schedules; every order gives the same one."""
    random = np.random.default_rng(seed)
    maker, pods = Maker(random, random_horizon(random, 20)), []
    for n in range(10):
        battery, steps = maker.battery(), maker.horizon.steps
        twins = [battery.model_copy(update={"device": f"{n}-{i}"}) for i in range(2 + n % 2)]
        price = random.choice([0.1, 0.2, 0.3], steps) if n % 4 else np.full(steps, 0.2)
        maker.profiles |= {f"buy{n}": price, f"sell{n}": price - random.choice([0.0, 0.05])}
        tariff = {"buy_profile": f"buy{n}", "sell_profile": f"sell{n}", "peak_eur_per_kw": 0.1 * (n % 3)}
        pods.append(Pod.model_validate({"pod": f"{n}", "devices": [*twins, maker.fixed_load()], **tariff}))
    portfolio = Portfolio.of(pods, maker.horizon, maker.profiles)
    case = Case(portfolio, portfolio.store(), portfolio.meter())
    first = solve(case.store, case.meter, case.step_hours, case.day)
    store, meter, rows = chosen(case, random.permutation(10))
    second = solve(store, meter, case.step_hours, case.day)
    assert not first.late | second.late
    np.testing.assert_allclose(second.schedule.p, first.schedule.p[rows], rtol=0, atol=1e-7)
    np.testing.assert_allclose(second.schedule.e, first.schedule.e[rows], rtol=0, atol=1e-7)


def test_an_impossible_pod_stops_no_other() -> None:
    """Among 30 PODs some have no schedule: they are named, and the others are solved as without them."""
    case = random_case(0, 2, pods=30, steps_max=14, coupled=True)
    everyone = solve(case.store, case.meter, case.step_hours, case.day)
    failed = sorted(everyone.conflicts | everyone.failures)
    assert 0 < len(failed) < 30
    kept = np.setdiff1d(np.arange(30), failed)
    store, meter, rows = chosen(case, kept)
    others = solve(store, meter, case.step_hours, case.day)
    assert not others.conflicts
    assert not others.failures
    np.testing.assert_allclose(others.cost_eur, everyone.cost_eur[kept], rtol=0, atol=1e-9)
    np.testing.assert_allclose(others.schedule.p, everyone.schedule.p[rows], rtol=0, atol=1e-7)
