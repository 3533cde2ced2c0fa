"""The programmes of all PODs as one, and offers and engines next to its solution."""

from __future__ import annotations

from dataclasses import replace
from time import perf_counter

import numpy as np
import pytest
from numpy.typing import NDArray

from podium import Chp, Horizon, Pod, Portfolio
from podium.compute import Team
from podium.flex.respond import Programmes
from podium.market.coordination import Coordination, Round, answered, begin
from podium.market.coupling import Coupling, Product
from podium.market.direct import Direct, nearest_running, solve_direct
from podium.market.exact import Task
from podium.market.master import IDLE_ROUNDS, Master, Mixed
from podium.market.members import Part
from podium.market.plan import local_of
from podium.market.prices import EnergyPrices
from podium.market.search import Search
from podium.market.selling import hold_least, hold_nearest, lower_short
from podium.market.task import task_of
from podium.market.terms import Market
from podium.study import Study
from portfolio_physics import greatest_profit_eur
from random_markets import drawn, study_of


@pytest.mark.parametrize("seed", range(6))
def test_its_duals_bind_and_its_solution_mixes_to_the_optimum(seed: int) -> None:
    """One round at its duals: the bound is at least the greatest profit, and mix and bound meet within 0.1 %."""
    case = drawn(seed)
    study = study_of(case)
    task = task_of(study, local_of(study, 1))
    rows = np.arange(len(task.portfolio))
    part = Part(task.brief(task.portfolio, rows, len(rows), strict=True))
    state = begin(task.coupling, part.members.area, None)
    found = solve_direct(state.master, [part.programmes()], [{}], 1e-6, perf_counter() + 60.0)
    assert found is not None
    (solutions,) = found.solutions
    state.master.add(state.asked, part.take(solutions))
    state.asked += 1
    answered(state, part.answer, found.dual, None)
    greatest = greatest_profit_eur(case)
    assert -state.least_eur >= greatest - 1e-6 * max(1.0, abs(greatest))
    assert Round(1, -state.least_eur, -state.master.solve().cost_eur, 0.0).gap <= 1e-3


def test_without_time_there_is_none() -> None:
    study = study_of(drawn(0))
    task = task_of(study, local_of(study, 1))
    rows = np.arange(len(task.portfolio))
    part = Part(task.brief(task.portfolio, rows, len(rows), strict=True))
    begun = perf_counter()
    assert solve_direct(Master(task.coupling, part.members.area), [part.programmes()], [{}], 1e-6, begun - 1.0) is None
    assert perf_counter() - begun < 30.0


def test_an_engine_runs_next_to_what_is_wished_and_by_its_rules() -> None:
    """At least two hours on and off: wished for 0.9 of three half-hours of a day, it runs for two hours."""
    horizon = Horizon.days("2018-07-17", 1, 30, "Europe/Rome")
    engine = Chp(
        device="engine", electric_max_kw=100, electric_min_kw=50, heat_ratio=1.0, heat_profile="heat",
        heat_store_max_kwh=400, heat_store_initial_kwh=200, boiler_max_kw=200, boiler_eur_per_kwh=0.05,
        fuel_eur_per_kwh=0.08, start_eur=5.0, min_up_hours=2, min_down_hours=2, on_initial=False,
    )  # fmt: skip
    profiles = {"heat": np.full(horizon.steps, 60.0)}
    pod = Pod(pod="works", devices=[engine], buy_eur_per_kwh=0.2, sell_eur_per_kwh=0.05)
    study = Study("works", Portfolio.of([pod], horizon, profiles), market=Market(settlement="retail"))
    task = task_of(study, local_of(study, 1))
    part = Part(task.brief(task.portfolio, np.arange(1), 1, strict=True))
    (programmes,) = part.programmes()
    x = np.zeros((1, programmes.program.arrays.cost.shape[1]))
    on = np.flatnonzero(programmes.program.arrays.integer)
    x[0, on[10:13]] = 0.9
    (running,) = nearest_running([[programmes]], Direct(np.zeros(0), [[x]], np.zeros(0)), 10.0)
    found = running[0].astype(int)
    assert found.sum() == 4
    assert set(np.flatnonzero(found)) >= {10, 11, 12}
    assert np.ptp(np.flatnonzero(found)) == 3


STEPS = Product(
    "p", np.array([0, 0, 1, -1]), np.ones(2), (True, False), 1.0, ("battery",), 100.0, 50.0, np.full(2, np.inf)
)
COUPLING = Coupling(
    0.5, np.arange(4), None, None, (STEPS,), (None,), None, 0.0, np.zeros((1, 4)), 5.0, 1000.0
)  # fmt: skip


def mixed(master: Master, offers: list[float], short: dict[int, float]) -> Mixed:
    """A mix with these offers, kW, which lacks something in some steps."""
    own = np.zeros(len(master.cost))
    own[master.layout.offers[0]] = offers
    for step, kw in short.items():
        own[master.layout.short[0, 0, step]] = kw
    return Mixed(0.0, np.zeros(master.rows), np.zeros(0), own)


@pytest.mark.parametrize(
    ("wanted", "held"), [(130.0, 150.0), (120.0, 100.0), (60.0, 100.0), (40.0, 0.0), (0.0, 0.0), (200.0, 200.0)]
)
def test_offers_are_held_at_the_next_that_can_be_sold(wanted: float, held: float) -> None:
    """Steps of 50 kW from 100 kW."""
    master = Master(COUPLING, np.zeros(1, dtype=np.int64))
    assert hold_nearest(master, COUPLING, mixed(master, [wanted, 0.0], {}).own)[0, 0] == held
    assert master.lower[master.layout.offers[0][0]] == master.upper[master.layout.offers[0][0]] == held


def test_what_must_be_held_lacks_nothing_and_the_worst_step_goes_first() -> None:
    """Headroom that lacks 0.1 kW takes an offer of its block back, after one where more lacks."""
    headroom = Product(
        "headroom", np.arange(4), np.zeros(4), (True, False), 1.0, ("battery",), 0.0, 0.0, np.full(4, 10.0),
        required_kw=10.0,
    )  # fmt: skip
    coupling = replace(COUPLING, products=(STEPS, headroom))
    master = Master(coupling, np.zeros(1, dtype=np.int64))
    found = mixed(master, [150.0, 250.0], {})
    found.own[master.layout.short[1, 0, [0, 2]]] = 0.1, 0.2
    raised, columns = {(0, 0): 20.0, (0, 1): 10.0}, master.layout.offers[0]
    assert lower_short(master, coupling, found, raised)
    assert (master.upper[columns[0]], master.upper[columns[1]]) == (1000.0, 200.0)
    found.own[master.layout.short[1, 0, 2]] = 0.0
    assert lower_short(master, coupling, found, raised)
    assert (master.upper[columns[0]], master.upper[columns[1]]) == (100.0, 200.0)
    found.own[master.layout.short[1, 0, 0]] = 0.0
    assert not lower_short(master, coupling, found, raised)


@pytest.mark.parametrize(
    ("wanted", "held"),
    [(70.0, (100.0, 300.0)), (30.0, (0.0, 0.0)), (0.0, (0.0, 300.0)), (100.0, (0.0, 300.0)), (99.5, (0.0, 300.0))],
)
def test_offers_below_the_least_become_none_or_at_least_that(wanted: float, held: tuple[float, float]) -> None:
    """The others stay free, so that they can follow. What lacks less than 1 kW of the least is the least."""
    product = replace(STEPS, most_kw=np.full(2, 300.0))
    coupling = replace(COUPLING, products=(product,))
    master = Master(coupling, np.zeros(1, dtype=np.int64))
    found = hold_least(master, coupling, mixed(master, [wanted, 130.0], {}).own)
    columns = master.layout.offers[0]
    assert found == (held != (0.0, 300.0))
    assert (master.lower[columns[0]], master.upper[columns[0]]) == held
    assert (master.lower[columns[1]], master.upper[columns[1]]) == (0.0, 300.0)


def test_an_offer_that_lacks_something_is_lowered_by_a_step() -> None:
    """Less than 1 kW is left to be mended; the other block stays."""
    master = Master(COUPLING, np.zeros(1, dtype=np.int64))
    hold_nearest(master, COUPLING, mixed(master, [130.0, 230.0], {}).own)
    raised, columns = {(0, 0): 20.0, (0, 1): 20.0}, master.layout.offers[0]
    assert not lower_short(master, COUPLING, mixed(master, [150.0, 250.0], {0: 0.9}), raised)
    assert lower_short(master, COUPLING, mixed(master, [150.0, 250.0], {0: 0.9, 1: 3.0}), raised)
    assert master.upper[columns] == pytest.approx([100.0, 250.0])
    assert raised[0, 0] == pytest.approx(-30.0)
    assert lower_short(master, COUPLING, mixed(master, [100.0, 250.0], {1: 3.0}), raised)
    assert master.upper[columns] == pytest.approx([0.0, 250.0])


def test_an_engine_that_starts_in_part_pays_for_it_in_part() -> None:
    """Full power at dear hours, a fifth or less at cheap ones: always on, yet started in part each time.

    From its powers alone it would never start, so that mixes of rounds would earn more than their bound.
    """
    horizon = Horizon.days("2018-07-17", 1, 30, "Europe/Rome")
    engine = Chp(
        device="engine", electric_max_kw=100, electric_min_kw=50, heat_ratio=1.0, heat_profile="heat",
        heat_store_max_kwh=200, heat_store_initial_kwh=100, fuel_eur_per_kwh=0.08, start_eur=0.97, on_initial=True,
    )  # fmt: skip
    dear = np.arange(horizon.steps) // 4 % 2 == 0
    profiles = {"heat": np.full(horizon.steps, 60.0)}
    pod = Pod(pod="works", devices=[engine])
    price = np.where(dear, 150.0, 90.0)
    prices = EnergyPrices(price + 5.0, price - 5.0, np.zeros(horizon.steps))
    study = Study("works", Portfolio.of([pod], horizon, profiles), prices)
    task = task_of(study, local_of(study, 1))
    part = Part(task.brief(task.portfolio, np.arange(1), 1, strict=True))
    state = begin(task.coupling, part.members.area, None)
    found = solve_direct(state.master, [part.programmes()], [{}], 1e-6, perf_counter() + 60.0)
    assert found is not None
    taken = part.take(found.solutions[0])
    schedule = part.kept[-1]
    (programmes,) = part.given
    start_eur = float((programmes.program.arrays.cost[0] * found.solutions[0][0][0])[_starts(programmes)].sum())
    fuel_eur = 0.5 * 0.08 * float(-schedule.p.sum())
    assert start_eur > 1.0
    assert taken.own_eur.sum() == pytest.approx(fuel_eur + start_eur, abs=1e-4)
    state.master.add(state.asked, taken)
    answered(state, part.answer, found.dual, None)
    assert Round(1, -state.least_eur, -state.master.solve().cost_eur, 0.0).gap == pytest.approx(0.0, abs=1e-4)


def _starts(programmes: Programmes) -> NDArray[np.bool_]:
    """Columns that cost what a start does."""
    return np.asarray(programmes.program.arrays.cost[0] == 0.97)


def answers(count: int) -> tuple[Task, Part, Coordination]:
    """A small portfolio that was asked so many times."""
    study = study_of(drawn(0))
    task = task_of(study, local_of(study, 1))
    rows = np.arange(len(task.portfolio))
    part = Part(task.brief(task.portfolio, rows, len(rows), strict=True))
    state = begin(task.coupling, part.members.area, None)
    for _ in range(count):
        answered(state, part.answer, state.dual, None)
    return task, part, state


def test_a_crumb_of_an_answer_is_not_held() -> None:
    """Weights of 1 and 1e-13 in a cluster that is whole: one answer is held, or no mix could follow."""
    task, part, state = answers(2)
    mixed = state.master.solve()
    count = len(part.members.area)
    crumbs = replace(mixed, weights=np.repeat([1.0, 1e-13], count))
    state.master.solve = lambda: crumbs  # type: ignore[method-assign]
    nobody: Team[Part] = None  # type: ignore[assignment]
    search = Search(state, nobody, lambda _: None, 0.0, 0.0, part.members.whole, task.limits, few=True)
    assert search._held().answers == {(cluster, 0) for cluster in range(count)}


def test_an_answer_that_may_be_held_again_is_not_forgotten() -> None:
    """Of two answers that no mix takes for long, the one that is to be remembered stays."""
    _, _, state = answers(3)
    master = state.master
    first, second = ([n for n, (_, asked) in enumerate(master.answers) if asked == number] for number in (0, 1))
    master.hold_answers([*first, *second], [0.0] * (len(first) + len(second)))
    master.remembered = {master.answers[n] for n in second}
    for _ in range(IDLE_ROUNDS + 1):
        master.forget(master.solve())
    assert {number for _, number in master.answers} == {1, 2}
