"""The portfolio's programme and those of all its PODs as one, where PODs are few (docs/maths/coordination.md).

Its duals are prices at which the bound is as good as it can be without integers, and its solution is an answer of all
PODs that fits what the portfolio needs: rounds that do not come to their end by themselves end with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import highspy
import numpy as np
from numpy.typing import NDArray

from podium.flex.highs import QuietHighs, Solver
from podium.flex.respond import Programmes
from podium.market.coupling import Programme
from podium.market.master import Master, linear_program

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: Programmes of each part of the portfolio, by pattern.
Parts = Sequence[Sequence[Programmes]]
#: Values of the integers of PODs, by their number in the part.
Running = Mapping[int, Floats]
#: How closely integers next to a solution are sought, relative.
NEAREST_GAP = 1e-2
#: What limits and offers leave free, as parts of what no sum exceeds: a solution that is made real moves by less.
LIMIT_MARGIN = 1e-8
OFFER_MARGIN = 1e-6
#: How far the interior point method goes, relative: duals are proven by answers anyway, and the solution is mixed.
TOLERANCE = 1e-8


@dataclass(frozen=True)
class Direct:
    """A solution of the one programme."""

    dual: Floats
    """Of the portfolio's rows. Shape (row,)."""
    solutions: list[list[Floats]]
    """Of the programmes of each part of the portfolio: (pod, column) of each pattern."""


def solve_direct(master: Master, parts: Parts, running: Sequence[Running], seconds: float) -> Direct | None:
    """The best that all PODs can do together, without integers.

    None where the solver does not prove one within the seconds: then rounds go on without it. Integers of the PODs that
    `running` of their part knows are held at what it says.
    """
    programme, firsts = _together(master, parts, running)
    highs = QuietHighs()
    for name, value in (("solver", "ipm"), ("run_crossover", "off"), ("ipm_optimality_tolerance", TOLERANCE)):
        highs.setOptionValue(name, value)
    highs.setOptionValue("time_limit", max(seconds, 0.0))
    highs.passModel(linear_program(programme))
    highs.run()
    if highs.getModelStatus() != highspy.HighsModelStatus.kOptimal:
        return None
    solution = highs.getSolution()
    x = np.array(solution.col_value)
    found = [
        [_solutions(x, mine, first) for mine, first in zip(part, at, strict=True)]
        for part, at in zip(parts, firsts, strict=True)
    ]
    return Direct(np.array(solution.row_dual)[: master.rows], found)


def nearest_running(parts: Parts, found: Direct, seconds: float) -> list[Running]:
    """Integers of each POD that are next to those of a solution, by the sum of their distances; by part.

    Nothing where those of a POD are not found within the seconds.
    """
    running: list[Running] = []
    for part, solutions in zip(parts, found.solutions, strict=True):
        known: dict[int, Floats] = {}
        for mine, values in zip(part, solutions, strict=True):
            if not mine.program.arrays.integer.any():
                continue
            for n, pod in enumerate(mine.pods.tolist()):
                nearest = _nearest(mine, n, values[n], seconds)
                if nearest is None:
                    return []
                known[pod] = nearest
        running.append(known)
    return running


def _nearest(mine: Programmes, n: int, x: Floats, seconds: float) -> Floats | None:
    integer = mine.program.arrays.integer
    solver = Solver(mine.program.arrays, seconds, NEAREST_GAP)
    solver.load(n)
    solver.highs.changeColsCost(len(x), solver.columns, np.where(integer, 1.0 - 2.0 * x, 0.0))
    solver.highs.run()
    if solver.highs.getInfo().primal_solution_status != highspy.SolutionStatus.kSolutionStatusFeasible:
        return None
    return np.asarray(np.round(np.array(solver.highs.getSolution().col_value)[integer]))


def _solutions(x: Floats, mine: Programmes, first: int) -> Floats:
    """Solutions of the programmes of one pattern, (pod, column)."""
    cost = mine.program.arrays.cost
    return x[first : first + cost.size].reshape(cost.shape)


def _together(master: Master, parts: Parts, running: Sequence[Running]) -> tuple[Programme, list[list[int]]]:
    """All as one programme, and the first column of each pattern."""
    programme, layout, most_kw = Programme(), master.layout, master.coupling.most_kw
    low, high = master.row_lower.copy(), master.row_upper.copy()
    low[layout.covered[layout.covered >= 0]] += OFFER_MARGIN * most_kw
    for limit in layout.limits:
        high[limit.rows] -= LIMIT_MARGIN * most_kw
    programme.add_columns(master.cost, master.lower, master.upper)
    programme.add_rows(master.rows, low, high)
    programme.add(master.entry_row, master.entry_column, master.entry)
    firsts = [
        [_add(programme, master, mine, known) for mine in part] for part, known in zip(parts, running, strict=True)
    ]
    return programme, firsts


def _add(programme: Programme, master: Master, mine: Programmes, running: Running) -> int:
    """Programmes of one pattern, and where they enter the portfolio's rows; returns their first column."""
    arrays, layout, coupling = mine.program.arrays, master.layout, master.coupling
    cost, lower, upper = np.array(arrays.cost), np.array(arrays.lower), np.array(arrays.upper)
    for column, sign in zip(mine.program.grid, (1.0, -1.0), strict=True):
        cost[:, column] += sign * coupling.step_hours * coupling.known_price
    for n, pod in enumerate(mine.pods.tolist()):
        if pod in running:
            lower[n, arrays.integer] = upper[n, arrays.integer] = running[pod]
    columns = programme.add_columns(cost.ravel(), lower.ravel(), upper.ravel()).reshape(cost.shape)
    rows = programme.add_rows(arrays.row_lower.size, arrays.row_lower.ravel(), arrays.row_upper.ravel())
    of_entry = np.repeat(np.arange(cost.shape[1]), np.diff(arrays.start))
    at = rows.reshape(arrays.row_lower.shape)[:, arrays.index], columns[:, of_entry]
    programme.add(at[0].ravel(), at[1].ravel(), arrays.values.ravel())
    withdrawal, injection = mine.program.grid
    _meet(programme, layout.position[mine.area], columns[:, withdrawal], 1.0)
    _meet(programme, layout.position[mine.area], columns[:, injection], -1.0)
    for backing in mine.backing:
        for product, sides in enumerate(backing.columns):
            for side, found in enumerate(sides):
                if found is not None:
                    _meet(programme, layout.backing[mine.area, product, side], columns[:, found], 1.0)
    return int(columns[0, 0])


def _meet(programme: Programme, rows: Ints, columns: Ints, sign: float) -> None:
    """Columns (pod, step) enter rows of the portfolio, where there are such (-1: none)."""
    there = rows >= 0
    programme.add(rows[there], columns[there], sign)
