"""The curve of two passes against solving the whole problem again at each price, on random PODs."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from podium.flex.elastic import Elastic, Ladder, elastic
from podium.flex.offering import Offering
from podium.flex.reserve import room_of
from podium.flex.respond import Responder, Signal
from podium.flex.solve import net_power, solve
from random_pods import Case, random_case

SEEDS_PER_TEST = 12
SAME_KW = 1e-6
RUNGS = 6

Floats = NDArray[np.float64]


def responder_of(case: Case) -> Responder:
    """PODs that sell energy only, in one area."""
    pods, devices = len(case.meter.withdrawal_max), case.store.devices
    room = room_of(case.store, case.meter, case.step_hours)
    none = np.zeros((0, 2, case.store.steps), dtype=bool), np.zeros((0, devices), dtype=bool)
    offering = Offering(np.zeros(0), *none, room)
    area = np.zeros(pods, dtype=np.int64)
    return Responder(case.store, case.meter, case.step_hours, case.day, area, offering, np.zeros(pods, dtype=bool))


def drawn(seed: int, case: Case) -> tuple[Signal, Ladder]:
    """Units of one to three steps, and changes of price that now and then make a price negative."""
    random = np.random.default_rng(seed)
    steps = case.store.steps
    unit = np.arange(steps) // int(random.integers(1, 4))
    changes = random.uniform(-0.3, 0.3, (unit[-1] + 1, RUNGS - 1))
    with_none = np.hstack((changes, np.zeros((len(changes), 1))))
    signal = Signal(random.uniform(-0.02, 0.05, (1, steps)), np.zeros((1, 0, 2, steps)))
    return signal, Ladder(unit, np.sort(with_none, axis=1))


def solved_again(case: Case, signal: Signal, ladder: Ladder, unit: int, rung: int) -> float | None:
    """Mean net power of all PODs in a unit at the price of a rung; None where a POD has no schedule."""
    price = signal.energy.copy()
    price[0, ladder.unit == unit] += ladder.change_eur_per_kwh[unit, rung]
    pods = len(case.meter.withdrawal_max)
    priced = case.meter.plus(np.broadcast_to(price, (pods, case.store.steps)))
    solution = solve(case.store, priced, case.step_hours, case.day)
    if solution.conflicts or solution.failures:
        return None
    return float(net_power(case.store, solution.schedule.p, pods)[:, ladder.unit == unit].mean(axis=1).sum())


def answered(case: Case, signal: Signal, ladder: Ladder) -> Elastic:
    planned = np.full((len(case.meter.withdrawal_max), case.store.steps), 7.0)
    return elastic(responder_of(case), signal, ladder, planned)


@pytest.mark.parametrize("chunk", range(5))
def test_equals_solving_again(chunk: int) -> None:
    """Every unit and rung, one store at most behind two prices, limits and all: the same mean net power to 1e-6 kW.

    Prices before and after the change are of both signs, so that stages are convex and not; PODs without a schedule
    hold their plan. No quantity rises with the price.
    """
    for seed in range(chunk * SEEDS_PER_TEST, (chunk + 1) * SEEDS_PER_TEST):
        case = random_case(seed)
        signal, ladder = drawn(seed, case)
        found = answered(case, signal, ladder)
        if solved_again(case, signal, ladder, 0, 0) is None:
            assert found.held.tolist() == [0]
            assert (found.net_kw == 7.0).all()
            continue
        assert not len(found.held)
        assert (np.diff(found.net_kw, axis=2) <= SAME_KW).all(), seed
        for unit, rung in np.ndindex(*ladder.change_eur_per_kwh.shape):
            again = solved_again(case, signal, ladder, unit, rung)
            assert found.net_kw[0, unit, rung] == pytest.approx(again, abs=SAME_KW), (seed, unit, rung)
