"""The curve of two passes against solving the whole problem again at each price, on random PODs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from podium import Chp, Horizon, Pod, Portfolio
from podium.flex.elastic import Bidders, Ladder, elastic
from podium.flex.exclusive import Limits
from podium.flex.respond import Signal
from podium.flex.rungs import Programmed
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


def least_eur(case: Case, pod: int, energy: Floats, ladder: Ladder, unit: int, rung: int) -> float:
    """What a POD pays at the least where a unit has the price of a rung, prices of energy included."""
    price = energy + np.where(ladder.unit == unit, ladder.change_eur_per_kwh[unit, rung], 0.0)
    solution = solve(case.store, case.meter.plus(price), case.step_hours, case.day)
    assert pod not in solution.conflicts
    assert pod not in solution.failures
    return float(solution.bound_eur[pod])


@pytest.mark.parametrize("chunk", range(3))
def test_programmes_answer_by_slopes_of_the_least_cost(chunk: int) -> None:
    """PODs of two stores behind limits, two prices, peak charges and cycle limits, at prices that stay positive.

    The least cost over the price of a unit is concave, and what is withdrawn its slope: from every rung, no other rung
    costs more than along that slope. Costs are those of the whole problem solved again.
    """
    answered = 0
    for seed in range(8 * chunk, 8 * chunk + 8):
        case = random_case(seed, 2, pods=2, steps_max=12, coupled=True)
        dear = replace(case.meter, buy=abs(case.meter.buy) + 0.5, sell=np.minimum(abs(case.meter.sell), 0.4))
        case = replace(case, meter=dear)
        signal, ladder = drawn(seed, case)
        signal = replace(signal, energy=abs(signal.energy))
        programmed = Programmed(case.day, np.zeros((case.store.devices, case.store.steps)), Limits())
        planned = np.full((2, case.store.steps), 7.0)
        for pod in (0, 1):
            alone = replace(bidders_of(case), answers=np.arange(2) == pod)
            quick, found = (elastic(alone, signal, ladder, planned, known) for known in (None, programmed))
            if pod not in quick.held or pod in found.held:
                continue
            answered += 1
            net = found.net_kw[0] - 7.0
            assert (np.diff(net, axis=1) <= SAME_KW).all()
            for unit in range(0, len(net), 3):
                hours = case.step_hours * (ladder.unit == unit).sum()
                costs = [least_eur(case, pod, signal.energy, ladder, unit, rung) for rung in range(RUNGS)]
                change = ladder.change_eur_per_kwh[unit]
                for rung, cost in enumerate(costs):
                    for other, elsewhere in enumerate(costs):
                        along = cost + (change[other] - change[rung]) * hours * net[unit, rung]
                        assert elsewhere <= along + 1e-6 * max(1.0, abs(cost)), (seed, pod, unit, rung)
    assert answered >= 1


def test_what_is_on_or_off_keeps_running_as_planned() -> None:
    """An engine of 50 to 100 kW that was planned to run in two of four hours withdraws nothing and gives 50 to 100 kW.

    It gives all it can where a kWh earns more than the fuel of 0.1 EUR, and the least below.
    """
    horizon = Horizon(Horizon.days("2018-07-17", 1, 60, "Europe/Rome").start, 60, 4, "Europe/Rome")
    engine = Chp(
        device="engine", electric_max_kw=100, electric_min_kw=50, heat_ratio=1.0, heat_profile="heat",
        heat_store_max_kwh=1000, heat_store_initial_kwh=100, boiler_max_kw=0, boiler_eur_per_kwh=0.05,
        fuel_eur_per_kwh=0.1, start_eur=1.0, min_up_hours=2, min_down_hours=1, on_initial=False,
    )  # fmt: skip
    portfolio = Portfolio.of([Pod(pod="works", devices=[engine])], horizon, {"heat": np.full(4, 20.0)})
    store, meter = portfolio.store(), portfolio.meter(np.zeros(4)).at_price(0.0)
    bidders = Bidders.of(store, meter, 1.0, np.zeros(1, dtype=np.int64), np.ones(1, dtype=bool))
    ladder = Ladder(np.arange(4), np.tile([-0.2, -0.05, 0.0, 0.1], (4, 1)))
    signal = Signal(np.full((1, 4), 0.15), np.zeros((1, 0, 2, 4)))
    planned = np.array([[0.0, -100.0, -100.0, 0.0]])
    found = elastic(bidders, signal, ladder, planned, Programmed(horizon.day, planned, Limits()))
    assert not len(found.held)
    np.testing.assert_allclose(found.net_kw[0, [0, 3]], 0.0, atol=1e-6)
    np.testing.assert_allclose(found.net_kw[0, [1, 2]][:, [0, 3]], [[-50.0, -100.0]] * 2, atol=1e-6)
