"""The portfolio's programme and those of all its PODs as one, where PODs are few (docs/maths/coordination.md).

Its duals are prices at which the bound is as good as it can be without integers, and its solution is an answer of all
PODs that fits what the portfolio needs: rounds that do not come to their end by themselves end with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import highspy
import numpy as np
from numpy.typing import NDArray

from podium.flex.highs import QuietHighs, Solver
from podium.flex.respond import Programmes
from podium.market.master import Master

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


@dataclass
class _Rows:
    """A programme as it is put together: numbers of columns and rows by block, entries with numbers of their own."""

    cost: list[Floats] = field(default_factory=list)
    lower: list[Floats] = field(default_factory=list)
    upper: list[Floats] = field(default_factory=list)
    row_lower: list[Floats] = field(default_factory=list)
    row_upper: list[Floats] = field(default_factory=list)
    entries: list[tuple[Ints, Ints, Floats]] = field(default_factory=list)
    columns: int = 0
    rows: int = 0

    def add(
        self, cost: Floats, columns: tuple[Floats, Floats], rows: tuple[Floats, Floats],
        entries: tuple[Ints, Ints, Floats],
    ) -> int:  # fmt: skip
        """Columns with their bounds, rows with theirs, and entries; returns the number of the first column."""
        row, column, value = entries
        self.entries.append((row + self.rows, column + self.columns, value))
        self.cost.append(cost)
        self.lower.append(columns[0])
        self.upper.append(columns[1])
        self.row_lower.append(rows[0])
        self.row_upper.append(rows[1])
        first = self.columns
        self.columns += len(cost)
        self.rows += len(rows[0])
        return first

    def program(self) -> highspy.HighsLp:
        """As HiGHS wants it."""
        row, column, value = (np.concatenate([entry[n] for entry in self.entries]) for n in range(3))
        order = np.lexsort((row, column))
        program = highspy.HighsLp()
        program.num_col_, program.num_row_ = self.columns, self.rows
        program.col_cost_, program.col_lower_, program.col_upper_ = map(
            np.concatenate, (self.cost, self.lower, self.upper)
        )
        program.row_lower_, program.row_upper_ = np.concatenate(self.row_lower), np.concatenate(self.row_upper)
        program.a_matrix_.format_ = highspy.MatrixFormat.kColwise
        program.a_matrix_.start_ = np.searchsorted(column[order], np.arange(self.columns + 1)).astype(np.int32)
        program.a_matrix_.index_, program.a_matrix_.value_ = row[order].astype(np.int32), value[order]
        return program


def solve_direct(master: Master, parts: Parts, running: Sequence[Running], seconds: float) -> Direct | None:
    """The best that all PODs can do together, without integers; None where it is not found within the seconds.

    Integers of the PODs that `running` of their part knows are held at what it says.
    """
    rows, firsts = _together(master, parts, running)
    highs = QuietHighs()
    for name, value in (("solver", "ipm"), ("run_crossover", "off"), ("ipm_optimality_tolerance", TOLERANCE)):
        highs.setOptionValue(name, value)
    highs.setOptionValue("time_limit", max(seconds, 0.0))
    highs.passModel(rows.program())
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


def _together(master: Master, parts: Parts, running: Sequence[Running]) -> tuple[_Rows, list[list[int]]]:
    """All as one programme, and the first column of each pattern."""
    rows, layout = _Rows(), master.layout
    low, high = master.row_lower.copy(), master.row_upper.copy()
    low[layout.covered[layout.covered >= 0]] += OFFER_MARGIN * master.coupling.most_kw
    for limit in layout.limits:
        high[limit.rows] -= LIMIT_MARGIN * master.coupling.most_kw
    rows.add(
        master.cost, (master.lower, master.upper), (low, high),
        (master.entry_row.astype(np.int64), master.entry_column.astype(np.int64), master.entry),
    )  # fmt: skip
    firsts = [
        [_add_programmes(rows, master, mine, known) for mine in part]
        for part, known in zip(parts, running, strict=True)
    ]
    return rows, firsts


def _add_programmes(rows: _Rows, master: Master, mine: Programmes, running: Running) -> int:
    """Programmes of one pattern, and where they enter the portfolio's rows."""
    arrays, layout, coupling = mine.program.arrays, master.layout, master.coupling
    pods, columns = arrays.cost.shape
    count = arrays.row_lower.shape[1]
    number = np.arange(pods)[:, None]
    of_entry = np.repeat(np.arange(columns), np.diff(arrays.start))
    cost = np.array(arrays.cost)
    for column, sign in zip(mine.program.grid, (1.0, -1.0), strict=True):
        cost[:, column] += sign * coupling.step_hours * coupling.known_price
    lower, upper = np.array(arrays.lower), np.array(arrays.upper)
    for n, pod in enumerate(mine.pods.tolist()):
        if pod in running:
            lower[n, arrays.integer] = upper[n, arrays.integer] = running[pod]
    first = rows.add(
        cost.ravel(), (lower.ravel(), upper.ravel()),
        (arrays.row_lower.ravel(), arrays.row_upper.ravel()),
        ((arrays.index + count * number).ravel(), (of_entry + columns * number).ravel(), arrays.values.ravel()),
    )  # fmt: skip
    meets = [
        (layout.position[mine.area], grid, sign) for grid, sign in zip(mine.program.grid, (1.0, -1.0), strict=True)
    ]
    meets += [
        (layout.backing[mine.area, product, side], found, 1.0)
        for backing in mine.backing
        for product, sides in enumerate(backing.columns)
        for side, found in enumerate(sides)
        if found is not None
    ]
    for row, column, sign in meets:
        there = row >= 0
        at = np.broadcast_to(first + columns * number + column, there.shape)[there]
        rows.entries.append((row[there], at, np.full(len(at), sign)))
    return first
