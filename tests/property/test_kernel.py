"""The dynamic programme against an independent mixed-integer programme, on 1,200 random PODs with one store at most."""

from dataclasses import replace

import numpy as np
import pytest

from formulation import cheapest, violation
from podium.flex.solve import Solution, solve
from random_pods import Case, random_case

SEEDS_PER_TEST = 60
COST_EUR = 1e-7
FEASIBLE = 1e-9
#: Least energies are compared beyond this, kWh: the other side spends up to 1e-11 EUR on lowering its own.
LEAST_KWH = 2e-5


def seeds(chunk: int) -> range:
    return range(chunk * SEEDS_PER_TEST, (chunk + 1) * SEEDS_PER_TEST)


def solved(case: Case) -> Solution:
    solution = solve(case.store, case.meter, case.step_hours, case.day)
    assert not solution.failures, solution.failures
    return solution


def broken_by(case: Case, solution: Solution) -> float:
    found = solution.schedule
    return violation(case.store, case.meter, case.step_hours, found.p, found.e, found.aux, found.spill)


@pytest.mark.parametrize("chunk", range(20))
def test_cost_equals_an_independent_programme(chunk: int) -> None:
    """Equal cost, a feasible schedule, and agreement on which PODs have none.

    Batteries (self-discharge, wear, end level or value), EV sessions before, in and beyond the horizon, heat pumps with
    back-up, CHP with boiler and vent, curtailable and shiftable loads across midnight; prices of both signs; steps of
    5 to 60 minutes; days of 23, 24 and 25 hours; connection limits; prescribed powers and levels.
    """
    for seed in seeds(chunk):
        case = random_case(seed)
        solution, other = solved(case), cheapest(case.store, case.meter, case.step_hours, case.day)
        assert solution.method[0] == "kernel", seed
        assert bool(solution.conflicts) == (other is None), (seed, solution.conflicts)
        if other is not None:
            assert solution.cost_eur[0] == pytest.approx(other.cost_eur, rel=0, abs=COST_EUR), seed
            assert broken_by(case, solution) <= FEASIBLE, seed


def test_the_random_pods_are_worth_the_name() -> None:
    """Of the first 300, at least a few are impossible, need integers, or are days of 23 or 25 hours."""
    impossible = integers = clocks = 0
    for seed in range(300):
        case = random_case(seed)
        other = cheapest(case.store, case.meter, case.step_hours, case.day)
        impossible += other is None
        integers += other is not None and other.whole
        clocks += case.store.steps in (23, 25) and case.step_hours == 1.0
    assert impossible >= 15
    assert integers >= 10
    assert clocks >= 20


@pytest.mark.parametrize("chunk", range(4))
def test_no_equally_cheap_schedule_stores_less(chunk: int) -> None:
    """Among the cheapest schedules none has less energy in store, at any step where the optimum is convex.

    The optimal trajectories of one store form a lattice, so the least is the least at every step. With integers there
    may be no such trajectory, and only the first step that differs decides (docs/maths/kernel.md).
    """
    ties = 0
    for seed in seeds(chunk):
        case = random_case(seed, steps_max=12)
        solution = solved(case)
        if solution.conflicts:
            continue
        first = cheapest(case.store, case.meter, case.step_hours, case.day)
        most = float(solution.cost_eur[0]) + 1e-11
        least = cheapest(case.store, case.meter, case.step_hours, case.day, least_energy_at_eur=most)
        if first is None or least is None or first.whole or least.whole:
            continue
        ties += bool((first.energy > least.energy + LEAST_KWH).any())
        assert (solution.schedule.e <= least.energy + LEAST_KWH).all(), seed
    assert ties >= 1


@pytest.mark.parametrize("seed", range(6))
def test_a_batch_gives_what_its_pods_give_alone(seed: int) -> None:
    """40 PODs at once and one by one: equal to the last bit, whatever stood in memory before."""
    case = random_case(seed, pods=40)
    together = solved(case)
    for pod in range(40):
        rows = np.flatnonzero(case.store.pod == pod)
        alone = replace(case.store.take(rows), pod=np.zeros(len(rows), dtype=np.int64))
        meter = type(case.meter)(**{name: column[[pod]] for name, column in vars(case.meter).items()})
        single = solve(alone, meter, case.step_hours, case.day)
        assert bool(single.conflicts) == (pod in together.conflicts)
        if not single.conflicts:
            np.testing.assert_array_equal(single.schedule.p, together.schedule.p[rows])
            np.testing.assert_array_equal(single.schedule.e, together.schedule.e[rows])
