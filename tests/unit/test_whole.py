"""Small portfolios as one mixed-integer programme."""

from __future__ import annotations

from dataclasses import replace
from time import perf_counter

import numpy as np
import pytest

from podium import Battery, Chp, Horizon, Pod, Portfolio
from podium.market import whole
from podium.market.coordination import Coordination, begin
from podium.market.master import Mixed
from podium.market.members import Part
from podium.market.plan import local_of, optimise_portfolio
from podium.market.prices import EnergyPrices
from podium.market.task import task_of
from podium.market.terms import Market, ReserveProduct
from podium.market.whole import Whole, solve_whole
from podium.study import Study

HORIZON = Horizon.days("2018-07-17", 1, 30, "Europe/Rome")


def selling(increment_mw: float, minimum_mw: float = 0.0) -> Study:
    """Two batteries of 70 kW that sell up reserve at 10 EUR/MW h; to charge, so as to back more, is too dear."""
    horizon = replace(HORIZON, steps=2)
    batteries = [
        Battery(
            device=f"b{n}", charge_max_kw=70, discharge_max_kw=70, energy_max_kwh=280, energy_initial_kwh=140,
            charge_efficiency=0.9, discharge_efficiency=0.8,
        )
        for n in range(2)
    ]  # fmt: skip
    pods = [Pod(pod=f"pod {n}", devices=[battery]) for n, battery in enumerate(batteries)]
    product = ReserveProduct(
        "up", "up", np.zeros(2, dtype=np.int64), np.array([10.0]), np.zeros(2), sustain_hours=0.5,
        minimum_mw=minimum_mw, increment_mw=increment_mw, kinds=("battery",), maximum_mw=np.array([0.17]),
    )  # fmt: skip
    prices = EnergyPrices(np.full(2, 1000.0), np.zeros(2), np.zeros(2))
    return Study("selling", Portfolio.of(pods, horizon, {}), prices, market=Market(reserves=(product,)))


def running() -> Study:
    """An engine that is dearer than its power is worth but for three hours, where it may run once: 2 h at least."""
    engine = Chp(
        device="engine", electric_max_kw=100, electric_min_kw=60, heat_ratio=0.5, heat_profile="heat",
        heat_store_max_kwh=400, heat_store_initial_kwh=200, heat_store_end_min_kwh=0, boiler_max_kw=200,
        boiler_eur_per_kwh=0.0, fuel_eur_per_kwh=0.1, start_eur=4.0, min_up_hours=2, on_initial=False,
    )  # fmt: skip
    price = np.full(HORIZON.steps, 50.0)
    price[20:24], price[30:33] = 125.0, 140.0
    spread = np.where(np.arange(HORIZON.steps) < 40, 1.0, 2.0)
    prices = EnergyPrices(price + spread, price, np.zeros(HORIZON.steps))
    profiles = {"heat": np.full(HORIZON.steps, 20.0)}
    pods = [Pod(pod="works", devices=[engine])]
    return Study("running", Portfolio.of(pods, HORIZON, profiles), prices, market=Market(settlement="market"))


def asked(study: Study) -> tuple[Coordination, Part]:
    task = task_of(study, local_of(study, 1))
    rows = np.arange(len(task.portfolio))
    part = Part(task.brief(task.portfolio, rows, len(rows), strict=True))
    return begin(task.coupling, part.members.area, None), part


def solved(study: Study, seconds: float = 60.0) -> tuple[Whole | None, Part]:
    state, part = asked(study)
    nothing = Mixed(0.0, np.zeros(0), np.zeros(0), np.zeros(len(state.master.cost)))
    return solve_whole(state.master, [part.programmes()], 1e-6, perf_counter() + seconds, (nothing, [])), part


@pytest.mark.parametrize(
    ("increment_mw", "minimum_mw", "sold_kw"),
    [(0.05, 0.0, 100.0), (0.03, 0.09, 120.0), (0.05, 0.15, 0.0), (0.04, 0.1, 120.0), (0.0, 0.1, 140.0)],
)
def test_offers_are_what_can_be_sold(increment_mw: float, minimum_mw: float, sold_kw: float) -> None:
    """The batteries back 140 kW: in steps of 50 kW that are 100, and none where 150 is the least. 1 h at 10 EUR/MW."""
    found, _ = solved(selling(increment_mw, minimum_mw))
    assert found is not None
    assert found.offers == {(0, 0): pytest.approx(sold_kw)}
    assert found.cost_eur == pytest.approx(-sold_kw / 1000 * 10, abs=1e-9)
    assert found.least_eur == pytest.approx(found.cost_eur, abs=1e-5)
    assert found.least_eur <= found.cost_eur


def test_an_engine_runs_as_a_whole_or_not() -> None:
    """Two hours at 125 EUR/MWh earn 2 x 100 x 0.025 - 4 = 1 EUR; 1.5 h at 140, with half an hour at 50, 0.5 EUR.

    The latter: 1.5 x 100 x 0.04 = 6, less 0.5 h at 60 kW and 0.05 EUR/kWh below fuel, 1.5, and the start, 4.
    """
    found, part = solved(running())
    assert found is not None
    (programmes,) = part.given
    pod = int(programmes.pods[0])
    assert found.cost_eur == pytest.approx(-1.5, abs=1e-6)
    on = np.flatnonzero(found.running[0][pod]).tolist()
    assert on in ([20, 21, 22, 23, 29, 30, 31, 32], [20, 21, 22, 23, 30, 31, 32, 33])


def test_without_integers_there_is_none() -> None:
    assert solved(selling(0.0))[0] is None


def test_large_ones_are_left_to_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whole, "COLUMNS", 5)
    assert solved(selling(0.05))[0] is None


def test_a_pool_between_two_steps_is_certified() -> None:
    """140 kW in steps of 50: a plan of 100 kW is the best there is, which prices alone do not know."""
    plan = optimise_portfolio(selling(0.05), gap=1e-3, workers=1)
    assert plan.certificate is not None
    assert plan.profit_eur == pytest.approx(1.0, rel=1e-4)
    assert plan.certificate.gap <= 1e-3
    assert min(entry.bound_eur for entry in plan.certificate.rounds) == plan.certificate.bound_eur
