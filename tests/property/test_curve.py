"""The curve of two passes against solving the whole problem again at each price, on random PODs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from podium.flex.elastic import Bidders, Ladder, elastic
from podium.flex.respond import Signal
from podium.flex.solve import net_power, solve
from random_pods import Case, random_case

SEEDS_PER_TEST = 12
SAME_KW = 1e-6
RUNGS = 6

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def bidders_of(case: Case, area: Ints | None = None) -> Bidders:
    """PODs that sell energy only, in one area or several."""
    pods = len(case.meter.withdrawal_max)
    area = np.zeros(pods, dtype=np.int64) if area is None else area
    return Bidders.of(case.store, case.meter, case.step_hours, area, np.ones(pods, dtype=bool))


def drawn(seed: int, case: Case) -> tuple[Signal, Ladder]:
    """Units of one to three steps, and changes of price that now and then make a price negative."""
    random = np.random.default_rng(seed)
    steps = case.store.steps
    unit = np.arange(steps) // int(random.integers(1, 4))
    changes = random.uniform(-0.3, 0.3, (unit[-1] + 1, RUNGS - 1))
    with_none = np.hstack((changes, np.zeros((len(changes), 1))))
    signal = Signal(random.uniform(-0.02, 0.05, (1, steps)), np.zeros((1, 0, 2, steps)))
    return signal, Ladder(unit, np.sort(with_none, axis=1))


def solved_again(case: Case, energy: Floats, ladder: Ladder, unit: int, rung: int) -> Floats | None:
    """Mean net power of each POD in a unit at the price of a rung; None where one has no schedule.

    `energy` is the price that each POD sees otherwise, (pod, step).
    """
    steps = ladder.unit == unit
    price = energy + np.where(steps, ladder.change_eur_per_kwh[unit, rung], 0.0)
    solution = solve(case.store, case.meter.plus(price), case.step_hours, case.day)
    if solution.conflicts or solution.failures:
        return None
    net = net_power(case.store, solution.schedule.p, len(case.meter.withdrawal_max))
    return np.asarray(net[:, steps].mean(axis=1))


@pytest.mark.parametrize("chunk", range(5))
def test_equals_solving_again(chunk: int) -> None:
    """Every unit and rung, one store at most behind two prices, limits and all: the same mean net power to 1e-6 kW.

    Prices before and after the change are of both signs, so that stages are convex and not; PODs without a schedule
    hold their plan. No quantity rises with the price.
    """
    for seed in range(chunk * SEEDS_PER_TEST, (chunk + 1) * SEEDS_PER_TEST):
        case = random_case(seed)
        signal, ladder = drawn(seed, case)
        found = elastic(bidders_of(case), signal, ladder, np.full((1, case.store.steps), 7.0))
        if solved_again(case, signal.energy, ladder, 0, 0) is None:
            assert found.held.tolist() == [0]
            assert (found.net_kw == 7.0).all()
            continue
        assert not len(found.held)
        assert (np.diff(found.net_kw, axis=2) <= SAME_KW).all(), seed
        for unit, rung in np.ndindex(*ladder.change_eur_per_kwh.shape):
            again = solved_again(case, signal.energy, ladder, unit, rung)
            assert found.net_kw[0, unit, rung] == pytest.approx(again, abs=SAME_KW), (seed, unit, rung)


def test_several_stores_and_areas() -> None:
    """Three PODs of two stores each at one price, in two areas with prices of their own: each area's sum.

    PODs that need programmes, or whose connection is narrow, hold their plan of 7 kW, and are named.
    """
    area, moved, stayed = np.array([0, 1, 0]), 0, 0
    for seed in range(12):
        drawn_case = random_case(seed, 2, pods=3, steps_max=12)
        case = replace(drawn_case, meter=drawn_case.meter.at_price(0.05))
        signal, ladder = drawn(seed, case)
        energy = np.concatenate((signal.energy, signal.energy[:, ::-1] + 0.03))
        if solved_again(case, energy[area], ladder, 0, 0) is None:
            continue
        signal = Signal(energy, np.zeros((2, 0, 2, case.store.steps)))
        found = elastic(bidders_of(case, area), signal, ladder, np.full((3, case.store.steps), 7.0))
        holds = np.isin(np.arange(3), found.held)
        moved, stayed = moved + (~holds).sum(), stayed + holds.sum()
        for unit in range(0, len(ladder.change_eur_per_kwh), 3):
            again = solved_again(case, energy[area], ladder, unit, 2)
            each = np.where(holds, 7.0, again)
            np.testing.assert_allclose(found.net_kw[:, unit, 2], np.bincount(area, each), atol=SAME_KW)
    assert moved > 10
    assert stayed > 3
