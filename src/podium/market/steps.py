"""Offers that are sold in steps: which, and a bound on what any of them could earn (docs/maths/coordination.md).

What the portfolio can earn is a concave function of its offers. Every set of prices that was asked with bounds it by a
plane; the best offers in steps under all these planes bound what any offers in steps can earn, and are tried next
(Geoffrion 1972, "Generalized Benders decomposition").
"""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter

import highspy
import numpy as np
from numpy.typing import NDArray

from podium.flex.highs import QuietHighs
from podium.market.coordination import Ask, Coordination, Until, go_on, refocus
from podium.market.coupling import Coupling
from podium.market.selling import sell

Floats = NDArray[np.float64]

#: So many offers are tried, with so many rounds of prices each.
TRIES = 80
ROUNDS_EACH = 3
SECONDS = 20.0


@dataclass(frozen=True)
class Steps:
    """Offers that are sold in steps."""

    places: tuple[tuple[int, int], ...]
    """Product and block."""
    least_kw: Floats
    increment_kw: Floats
    most_kw: Floats

    @classmethod
    def of(cls, coupling: Coupling) -> Steps:
        """The offers of a portfolio that have a least power or an increment."""
        places = tuple(
            (k, b)
            for k, product in enumerate(coupling.products)
            for b in range(product.blocks)
            if (product.increment_kw > 0 or product.least_kw > 0) and not product.required_kw
        )
        products = [coupling.products[k] for k, _ in places]
        return cls(
            places,
            np.array([product.least_kw for product in products]),
            np.array([product.increment_kw for product in products]),
            np.array([min(coupling.products[k].most_kw[b], coupling.most_kw) for k, b in places]),
        )


def search_steps(state: Coordination, ask: Ask, coupling: Coupling, until: Until) -> float:
    """Fix the best offers in steps that are found, and return what no offers in steps can cost less than, EUR.

    Where nothing is sold in steps, nothing changes.
    """
    steps, master = Steps.of(coupling), state.master
    if not steps.places:
        return state.least_eur
    columns = np.array([master.layout.offers[k][b] for k, b in steps.places])
    mixed = sell(master, coupling)
    best, taken = mixed.cost_eur, mixed.own[columns]
    lower = state.least_eur
    for _ in range(TRIES):
        found = _best_under_planes(state, steps, columns)
        if found is None:
            break
        lower, offers = max(lower, found[0]), found[1]
        if best - lower <= until.gap * abs(best) or perf_counter() > until.deadline:
            break
        _fix(state, steps, offers)
        refocus(state)
        go_on(state, ask, Until(until.gap / 2, ROUNDS_EACH, until.deadline))
        if state.mixed is not None and state.mixed.cost_eur < best - 1e-9 * abs(best):
            best, taken = state.mixed.cost_eur, offers
    _fix(state, steps, taken)
    return lower


def _fix(state: Coordination, steps: Steps, offers: Floats) -> None:
    for (k, b), kw in zip(steps.places, offers, strict=True):
        state.master.fix_offers(k, b, float(kw))


def _best_under_planes(state: Coordination, steps: Steps, columns: NDArray[np.int64]) -> tuple[float, Floats] | None:
    """Least cost under all planes over offers in steps, EUR, and these offers, kW; None where the search fails."""
    highs, count = QuietHighs(), len(columns)
    planes = [(least_eur, *state.master.slopes(dual)) for dual, least_eur in state.known]
    none, nothing = np.zeros(0, dtype=np.int32), np.zeros(0)
    highs.addCol(1.0, -highspy.kHighsInf, highspy.kHighsInf, 0, none, nothing)
    for most in steps.most_kw:
        highs.addCol(0.0, 0.0, float(most), 0, none, nothing)
    index = np.arange(count + 1, dtype=np.int32)
    for least_eur, rest_eur, reduced in planes:
        row = np.concatenate(([1.0], -reduced[columns]))
        highs.addRow(least_eur + rest_eur, highspy.kHighsInf, count + 1, index, row)
    for n in range(count):
        _in_steps(highs, n + 1, float(steps.least_kw[n]), float(steps.increment_kw[n]), float(steps.most_kw[n]))
    highs.setOptionValue("time_limit", SECONDS)
    highs.setOptionValue("mip_rel_gap", 1e-6)
    highs.run()
    if highs.getModelStatus() != highspy.HighsModelStatus.kOptimal:
        return None
    x = np.array(highs.getSolution().col_value)[1 : count + 1]
    increment = np.where(steps.increment_kw > 0, steps.increment_kw, 1.0)
    offers = np.where(steps.increment_kw > 0, np.round(x / increment) * increment, x)
    return float(highs.getInfo().mip_dual_bound), offers


def _in_steps(highs: QuietHighs, column: int, least_kw: float, increment_kw: float, most_kw: float) -> None:
    """An offer of 0, or of at least the least and a multiple of the increment."""
    none, nothing = np.zeros(0, dtype=np.int32), np.zeros(0)
    if increment_kw > 0:
        steps = highs.getNumCol()
        highs.addCol(0.0, 0.0, float(np.floor(most_kw / increment_kw + 1e-9)), 0, none, nothing)
        highs.changeColIntegrality(steps, highspy.HighsVarType.kInteger)
        highs.addRow(0.0, 0.0, 2, np.array([column, steps], dtype=np.int32), np.array([1.0, -increment_kw]))
    if least_kw > increment_kw:
        switch = highs.getNumCol()
        highs.addCol(0.0, 0.0, 1.0, 0, none, nothing)
        highs.changeColIntegrality(switch, highspy.HighsVarType.kInteger)
        pair = np.array([column, switch], dtype=np.int32)
        highs.addRow(-highspy.kHighsInf, 0.0, 2, pair, np.array([1.0, -most_kw]))
        highs.addRow(0.0, highspy.kHighsInf, 2, pair, np.array([1.0, -least_kw]))
