"""HiGHS solving a batch of programmes of one pattern, reusing the solver and its basis."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import highspy
import numpy as np
from numpy.typing import NDArray

from podium.errors import SolverError
from podium.flex.program import Arrays
from podium.flexstore import Floats

Ints = NDArray[np.int64]

#: Reduced costs and duals above this, EUR per unit, hold a column or row where it is while ties are broken.
HELD = 1e-9
_OPTIMAL = highspy.HighsModelStatus.kOptimal
_LIMIT = highspy.HighsModelStatus.kTimeLimit
_EMPTY = (highspy.HighsModelStatus.kInfeasible, highspy.HighsModelStatus.kUnboundedOrInfeasible)


@dataclass(frozen=True)
class Solved:
    """A solution; `x` is None where there is none, and `infeasible` says whether that is proven."""

    x: Floats | None
    bound: float
    infeasible: bool = False
    time_limit: bool = False


class QuietHighs(highspy.Highs):
    """HiGHS on one thread that prints nothing: its banner comes out while the callbacks are set up, before any option.

    All of a thread share HiGHS' workers; whoever ran it first may have fixed another number of them. It then puts them
    away before and after it runs: results are those of one thread, and the other finds the number that it wants.
    """

    shared: ClassVar[bool] = False
    """Whether somebody else runs HiGHS in this process, on more threads."""

    def __init__(self) -> None:
        highspy.Highs.__init__(self)
        self.setOptionValue("threads", 1)
        self.setOptionValue("random_seed", 0)

    def run(self) -> highspy.HighsStatus:
        """Solve."""
        status = highspy.Highs.run(self)
        if status == highspy.HighsStatus.kError:
            QuietHighs.shared = True
            self.resetGlobalScheduler(True)
            status = highspy.Highs.run(self)
        if QuietHighs.shared:
            self.resetGlobalScheduler(True)
        return status

    def enableCallbacks(self) -> None:  # noqa: N802
        """Silence, and no callbacks: none is used."""
        self.silent()


class Solver:
    """One HiGHS instance for the PODs of a batch, one after the other."""

    def __init__(self, arrays: Arrays, time_limit_seconds: float, mip_gap: float) -> None:
        self.arrays = arrays
        self.highs = QuietHighs()
        self.highs.setOptionValue("presolve", "off")
        self.highs.setOptionValue("mip_rel_gap", mip_gap)
        self.time_limit_seconds = time_limit_seconds
        self.loaded = -1
        self.columns = np.arange(arrays.cost.shape[1], dtype=np.int32)
        self.rows = np.arange(arrays.row_lower.shape[1], dtype=np.int32)
        self.lower, self.upper = arrays.lower[0], arrays.upper[0]

    def solve(self, n: int, columns: Ints | None = None, values: Floats | None = None) -> Solved:
        """POD n of the batch, some columns held at given values.

        Among equally cheap solutions, the one with the least weight.
        """
        self.lower, self.upper = self.arrays.lower[n], self.arrays.upper[n]
        if columns is not None and values is not None:
            self.lower, self.upper = self.lower.copy(), self.upper.copy()
            self.lower[columns] = self.upper[columns] = values
        self._load(n)
        if self.arrays.integer.any():
            return self._integers(n)
        self.run("dual")
        status = self.highs.getModelStatus()
        if status != _OPTIMAL:
            return self.unsolved(status)
        bound = self.highs.getInfo().objective_function_value
        return Solved(self._least_weight(n), bound)

    def load(self, n: int) -> None:
        """Make programme n the one to be solved."""
        self.lower, self.upper = self.arrays.lower[n], self.arrays.upper[n]
        self._load(n)

    def _load(self, n: int) -> None:
        """Numbers of POD n; the matrix is passed only where it differs from the last one's."""
        a = self.arrays
        if self.loaded >= 0 and np.array_equal(a.values[n], a.values[self.loaded]):
            self._set_bounds(self.lower, self.upper, a.row_lower[n], a.row_upper[n])
            self.highs.changeColsCost(len(self.columns), self.columns, a.cost[n])
        else:
            basis = self.highs.getBasis() if self.loaded >= 0 else None
            self.highs.passModel(self._program(n))
            if basis is not None:
                self.highs.setBasis(basis)
        self.loaded = n

    def _set_bounds(self, lower: Floats, upper: Floats, row_lower: Floats, row_upper: Floats) -> None:
        self.highs.changeColsBounds(len(self.columns), self.columns, lower, upper)
        self.highs.changeRowsBounds(  # type: ignore[attr-defined]
            len(self.rows), self.rows, row_lower, row_upper
        )

    def _program(self, n: int) -> highspy.HighsLp:
        a = self.arrays
        program = highspy.HighsLp()
        program.num_col_, program.num_row_ = len(self.columns), len(self.rows)
        program.col_cost_, program.col_lower_, program.col_upper_ = a.cost[n], self.lower, self.upper
        program.row_lower_, program.row_upper_ = a.row_lower[n], a.row_upper[n]
        program.a_matrix_.format_ = highspy.MatrixFormat.kColwise
        program.a_matrix_.start_, program.a_matrix_.index_ = a.start, a.index
        program.a_matrix_.value_ = a.values[n]
        if a.integer.any():
            kinds = (highspy.HighsVarType.kContinuous, highspy.HighsVarType.kInteger)
            program.integrality_ = [kinds[int(whole)] for whole in a.integer]
        return program

    def run(self, strategy: str) -> None:
        """Solve what is loaded by `dual` or `primal` simplex, within the time limit.

        A basis to start from can lead the simplex astray for numerical reasons: then it starts once more without one.
        """
        self.highs.setOptionValue("simplex_strategy", 4 if strategy == "primal" else 1)
        self._run()
        if self.highs.getModelStatus() not in (_OPTIMAL, _LIMIT, *_EMPTY):
            self.highs.clearSolver()
            self.highs.setOptionValue("simplex_strategy", 1)
            self._run()

    def _run(self) -> None:
        self.highs.setOptionValue("time_limit", self.highs.getRunTime() + self.time_limit_seconds)
        self.highs.run()

    def unsolved(self, status: highspy.HighsModelStatus) -> Solved:
        """Why there is no solution; raises SolverError where the solver did not get to an end."""
        if status in _EMPTY:
            return Solved(None, np.inf, infeasible=True)
        if status == _LIMIT:
            return Solved(None, -np.inf, time_limit=True)
        raise SolverError(f"HiGHS ended with {self.highs.modelStatusToString(status)}")

    def _least_weight(self, n: int) -> Floats:
        """Stay on the optimal face (columns and rows with a price are held) and minimise the weights."""
        a = self.arrays
        solution = self.highs.getSolution()
        x, row = np.array(solution.col_value), np.array(solution.row_value)
        held, tight = abs(np.array(solution.col_dual)) > HELD, abs(np.array(solution.row_dual)) > HELD
        self._set_bounds(
            np.where(held, x, self.lower),
            np.where(held, x, self.upper),
            np.where(tight, row, a.row_lower[n]),
            np.where(tight, row, a.row_upper[n]),
        )
        self.highs.changeColsCost(len(self.columns), self.columns, a.weight)
        self.run("primal")
        if self.highs.getModelStatus() != _OPTIMAL:
            return x
        found: Floats = np.array(self.highs.getSolution().col_value)
        return np.asarray(np.clip(found, self.lower, self.upper))

    def _integers(self, n: int) -> Solved:
        """Branch and bound, then the linear programme with its integers held, for the same choice among equals."""
        self.highs.setOptionValue("presolve", "choose")
        self.run("dual")
        self.highs.setOptionValue("presolve", "off")
        status, info = self.highs.getModelStatus(), self.highs.getInfo()
        found = info.primal_solution_status == highspy.SolutionStatus.kSolutionStatusFeasible
        if not found:
            return self.unsolved(status)
        bound, late = info.mip_dual_bound, status == _LIMIT
        x = np.array(self.highs.getSolution().col_value)
        whole = np.flatnonzero(self.arrays.integer)
        held = Solver(self.arrays.relaxed(), self.time_limit_seconds, 0.0).solve(n, whole, np.round(x[whole]))
        return Solved(held.x if held.x is not None else x, bound, time_limit=late)


class Asked:
    """Programmes of one pattern that are solved again and again at other costs, each from where it ended.

    Up to `INSTANCES` of them keep a solver of their own; beyond, all share one and each keeps its basis.
    """

    INSTANCES = 64

    def __init__(self, arrays: Arrays, time_limit_seconds: float) -> None:
        self.arrays, self.time_limit_seconds = arrays, time_limit_seconds
        self.relaxed = arrays.relaxed()
        self.own = len(arrays.cost) <= self.INSTANCES
        self.solvers: dict[int, Solver] = {}
        self.bases: dict[int, highspy.HighsBasis] = {}

    def solve(self, n: int, cost: Floats, mip_gap: float | None) -> Solved:
        """Programme n at this cost (column,).

        Integers to a relative `mip_gap`, or left out where that is None; the bound is a proven one.
        """
        if mip_gap is not None and self.arrays.integer.any():
            return self._whole(self.solvers.setdefault(-1 - n, self._solver(self.arrays)), n, cost, mip_gap)
        key = n if self.own else 0
        if key not in self.solvers:
            self.solvers[key] = self._solver(self.relaxed)
        return self._linear(self.solvers[key], n, cost)

    def _solver(self, arrays: Arrays) -> Solver:
        return Solver(arrays, self.time_limit_seconds, 0.0)

    def _linear(self, solver: Solver, n: int, cost: Floats) -> Solved:
        fresh = solver.loaded != n
        if fresh:
            solver.load(n)
            if n in self.bases:
                solver.highs.setBasis(self.bases[n])
        solver.highs.changeColsCost(len(cost), solver.columns, cost)
        solver.run("primal" if n in self.bases or not fresh else "dual")
        if solver.highs.getModelStatus() != _OPTIMAL:
            return solver.unsolved(solver.highs.getModelStatus())
        if not self.own:
            self.bases[n] = solver.highs.getBasis()
        bound = solver.highs.getInfo().objective_function_value
        return Solved(np.array(solver.highs.getSolution().col_value), bound)

    def _whole(self, solver: Solver, n: int, cost: Floats, mip_gap: float) -> Solved:
        if solver.loaded != n:
            solver.load(n)
            solver.highs.setOptionValue("presolve", "choose")
        solver.highs.changeColsCost(len(cost), solver.columns, cost)
        solver.highs.setOptionValue("mip_rel_gap", mip_gap)
        solver.run("dual")
        status, info = solver.highs.getModelStatus(), solver.highs.getInfo()
        if info.primal_solution_status != highspy.SolutionStatus.kSolutionStatusFeasible:
            return solver.unsolved(status)
        x = np.array(solver.highs.getSolution().col_value)
        return Solved(x, info.mip_dual_bound, time_limit=status == _LIMIT)
