"""The curve of two passes against solving the whole problem again at each price, on random PODs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from formulation import cheapest
from podium import Battery, Chp, Horizon, Pod, Portfolio
from podium.flex.branches import Programmed
from podium.flex.elastic import Bidders, Ladder, elastic
from podium.flex.exclusive import Limits
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


def programmed_of(case: Case) -> Programmed:
    """What programmes know where nothing is backed."""
    limits = (
        np.repeat(limit[:, None], case.store.steps, axis=1)
        for limit in (case.meter.withdrawal_max, case.meter.injection_max)
    )
    days = np.tile(case.store.discharge_day_max[:, None], int(case.day[-1]) + 1)
    return Programmed(case.day, Limits(), *limits, days)


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
        programmed = programmed_of(case)
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


@pytest.mark.parametrize("chunk", range(3))
def test_on_or_off_answers_by_slopes_of_the_least_cost(chunk: int) -> None:
    """Engines, heat pumps and chargers that are on or off, beside other stores, at prices of both signs.

    Least costs are those of the independent formulation, a mixed-integer programme at each rung. No rung costs more
    than along the slope of any other: so each quantity is one of the exact answers.
    """
    switched = 0
    for seed in range(80 * chunk, 80 * chunk + 80):
        case = random_case(seed, 1 + seed % 2, steps_max=9, on_off=True, coupled=seed % 3 == 0)
        if not case.store.on_off.any() or case.store.steps > 12:
            continue
        signal, ladder = drawn(seed, case)
        found = elastic(bidders_of(case), signal, ladder, np.full((1, case.store.steps), 7.0), programmed_of(case))
        if cheapest(case.store, case.meter.plus(signal.energy), case.step_hours, case.day) is None:
            assert found.held.tolist() == [0]
            continue
        assert not len(found.held), seed
        switched += 1
        assert (np.diff(found.net_kw, axis=2) <= SAME_KW).all(), seed
        for unit in range(len(ladder.change_eur_per_kwh)):
            change = ladder.change_eur_per_kwh[unit]
            costs = [independent_eur(case, signal.energy, ladder, unit, rung) for rung in range(RUNGS)]
            hours = case.step_hours * (ladder.unit == unit).sum()
            for rung, cost in enumerate(costs):
                along = cost + (change - change[rung]) * hours * found.net_kw[0, unit, rung]
                assert (costs <= along + 1e-5 * np.maximum(1.0, abs(np.array(costs)))).all(), (seed, unit, rung)
    assert switched >= 5


def independent_eur(case: Case, energy: Floats, ladder: Ladder, unit: int, rung: int) -> float:
    """Least cost of the POD where a unit has the price of a rung, by the independent formulation."""
    price = energy + np.where(ladder.unit == unit, ladder.change_eur_per_kwh[unit, rung], 0.0)
    found = cheapest(case.store, case.meter.plus(price), case.step_hours, case.day)
    assert found is not None
    return found.cost_eur


def test_an_engine_starts_and_stops_as_the_price_wants() -> None:
    """An engine of 50 to 100 kW that earns 0.05 EUR/kWh for four hours, 1 EUR per start, two hours on at least.

    At 0.2 EUR less it loses 0.15 a kWh: it is off in that hour. At 0.08 less it loses 0.03, 1.5 EUR at its least. To
    be off in the first or the last hour costs nothing; in the third a second start, 1 EUR, as the last hour may be cut
    short by the end; in the second the first hour, 5 EUR, since it cannot run for one. At 0.04 less it earns yet.
    """
    horizon = Horizon(Horizon.days("2018-07-17", 1, 60, "Europe/Rome").start, 60, 4, "Europe/Rome")
    engine = Chp(
        device="engine", electric_max_kw=100, electric_min_kw=50, heat_ratio=1.0, heat_profile="heat",
        heat_store_max_kwh=1000, heat_store_initial_kwh=100, boiler_max_kw=0, boiler_eur_per_kwh=0.05,
        fuel_eur_per_kwh=0.1, start_eur=1.0, min_up_hours=2, min_down_hours=1, on_initial=False,
    )  # fmt: skip
    portfolio = Portfolio.of([Pod(pod="works", devices=[engine])], horizon, {"heat": np.full(4, 20.0)})
    case = Case(portfolio, portfolio.store(), portfolio.meter(np.zeros(4)).at_price(0.0))
    ladder = Ladder(np.arange(4), np.tile([-0.2, -0.08, -0.04, 0.0, 0.1], (4, 1)))
    signal = Signal(np.full((1, 4), 0.15), np.zeros((1, 0, 2, 4)))
    found = elastic(bidders_of(case), signal, ladder, np.zeros((1, 4)), programmed_of(case))
    assert not len(found.held)
    off_early = [0.0, 0.0, -100.0, -100.0, -100.0]
    stays = [0.0, -50.0, -100.0, -100.0, -100.0]
    np.testing.assert_allclose(found.net_kw[0], [off_early, stays, off_early, off_early], atol=1e-6)


def test_who_runs_out_of_time_holds_the_plan() -> None:
    """Without time no POD of a programme answers; those of the dynamic programme do."""
    case = random_case(3, 2, pods=3, steps_max=12, coupled=True)
    signal, ladder = drawn(3, case)
    planned = np.full((3, case.store.steps), 7.0)
    none = replace(programmed_of(case), limits=Limits(time_limit_seconds=0.0))
    quick, found = (elastic(bidders_of(case), signal, ladder, planned, known) for known in (None, none))
    assert len(found.held)
    np.testing.assert_array_equal(quick.held, found.held)
    np.testing.assert_array_equal(quick.net_kw, found.net_kw)


def test_a_connection_leaves_more_where_less_is_backed() -> None:
    """A battery of 4 kW behind a connection of 3 kW, of which 2 kW are promised in the first of two hours alone.

    Where energy costs nothing it charges 1 kW in the first, 3 kW in the second. Both hours are worth 0.2 EUR/kWh, and
    what is in store at the end 0.1 / 0.9; it is empty.
    """
    horizon = Horizon(Horizon.days("2018-07-17", 1, 60, "Europe/Rome").start, 60, 2, "Europe/Rome")
    battery = Battery(
        device="battery", charge_max_kw=4, discharge_max_kw=4, energy_max_kwh=10, energy_initial_kwh=0,
        charge_efficiency=0.9, discharge_efficiency=0.8, energy_end_eur_per_kwh=0.1 / 0.9,
    )  # fmt: skip
    portfolio = Portfolio.of([Pod(pod="home", devices=[battery], withdrawal_max_kw=3)], horizon, {})
    case = Case(portfolio, portfolio.store(), portfolio.meter(np.zeros(2)).at_price(0.0))
    known = replace(programmed_of(case), withdrawal_max_kw=np.array([[1.0, 3.0]]))
    bidders = bidders_of(case)
    narrow = bidders.keeping(case.store, replace(case.meter, withdrawal_max=np.array([1.0])))
    ladder = Ladder(np.arange(2), np.tile([-0.2, 0.0], (2, 1)))
    signal = Signal(np.full((1, 2), 0.2), np.zeros((1, 0, 2, 2)))
    found = elastic(narrow, signal, ladder, np.zeros((1, 2)), known)
    np.testing.assert_allclose(found.net_kw[0], [[1.0, 0.0], [3.0, 0.0]], atol=1e-6)
