"""The last mix: answers that are whole or not there, and offers in steps that can be sold."""

from __future__ import annotations

import highspy
import numpy as np
from numpy.typing import NDArray

from podium.errors import SolverError
from podium.flex.highs import QuietHighs
from podium.market.coupling import Coupling
from podium.market.master import Master, Mixed

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: The search for the best whole answers and offers ends after this time, s, or at this relative gap.
SECONDS = 20.0
GAP = 1e-4


def hold_whole(master: Master, coupling: Coupling, whole: Bools, left_out: int) -> None:
    """Hold one answer of each cluster that is `whole`, by a mixed-integer programme over the answers so far.

    Its first `left_out` answers left integers out, so they cannot be taken.
    """
    of_whole = [number for number, (cluster, _) in enumerate(master.answers) if whole[cluster]]
    chosen = np.array([number for number in of_whole if number >= left_out], dtype=np.int64)
    barred = np.array([number for number in of_whole if number < left_out], dtype=np.int64)
    master.hold_answers(barred, np.zeros(len(barred)))
    x = _searched(master, coupling, chosen, [])
    master.hold_answers(chosen, np.round(x[master.layout.programme.columns + chosen]))


def sell(master: Master, coupling: Coupling) -> Mixed:
    """The best mix whose offers are multiples of their increments and not below their least."""
    stepped = [
        (k, b)
        for k, product in enumerate(coupling.products)
        for b in range(product.blocks)
        if (product.increment_kw > 0 or product.least_kw > 0) and not product.required_kw
    ]
    if stepped:
        x = _searched(master, coupling, np.zeros(0, dtype=np.int64), stepped)
        for k, b in stepped:
            master.fix_offers(k, b, _rounded(coupling, k, b, x[master.layout.offers[k][b]]))
    return master.solve()


def _searched(master: Master, coupling: Coupling, whole: Ints, stepped: list[tuple[int, int]]) -> Floats:
    """Branch and bound over whole answers and offers in steps."""
    first = master.layout.programme.columns
    highs = QuietHighs()
    highs.passModel(master.highs.getLp())
    for number in whole:
        highs.changeColIntegrality(int(first + number), highspy.HighsVarType.kInteger)
        highs.changeColBounds(int(first + number), 0.0, 1.0)
    for k, b in stepped:
        _in_steps(highs, int(master.layout.offers[k][b]), coupling, k, b)
    highs.setOptionValue("time_limit", SECONDS)
    highs.setOptionValue("mip_rel_gap", GAP)
    highs.run()
    if highs.getInfo().primal_solution_status != highspy.SolutionStatus.kSolutionStatusFeasible:
        raise SolverError("no choice of whole answers and offers was found in time")
    return np.array(highs.getSolution().col_value)


def _in_steps(highs: QuietHighs, column: int, coupling: Coupling, k: int, b: int) -> None:
    """An offer of 0, or of at least the least and a multiple of the increment: semi-continuous or integer."""
    product = coupling.products[k]
    most = float(min(product.most_kw[b], coupling.most_kw))
    least = product.least_kw
    switch = highs.getNumCol()
    highs.addCol(0.0, 0.0, 1.0, 0, np.zeros(0, dtype=np.int32), np.zeros(0))
    highs.changeColIntegrality(switch, highspy.HighsVarType.kInteger)
    pair = np.array([column, switch], dtype=np.int32)
    highs.addRow(-highspy.kHighsInf, 0.0, 2, pair, np.array([1.0, -most]))
    highs.addRow(0.0, highspy.kHighsInf, 2, pair, np.array([1.0, -least]))
    if product.increment_kw > 0:
        steps = highs.getNumCol()
        highs.addCol(0.0, 0.0, np.floor(most / product.increment_kw), 0, np.zeros(0, dtype=np.int32), np.zeros(0))
        highs.changeColIntegrality(steps, highspy.HighsVarType.kInteger)
        pair = np.array([column, steps], dtype=np.int32)
        highs.addRow(0.0, 0.0, 2, pair, np.array([1.0, -product.increment_kw]))


def _rounded(coupling: Coupling, k: int, b: int, kw: float) -> float:
    increment = coupling.products[k].increment_kw
    return float(np.round(kw / increment) * increment) if increment > 0 else float(kw)
