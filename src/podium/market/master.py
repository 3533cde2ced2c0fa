"""The portfolio's programme over what PODs answered so far: new prices, and the best mix (docs/maths/coordination.md).

Dantzig and Wolfe (1960), "Decomposition principle for linear programs": every cluster of PODs takes a convex
combination of its answers; the duals of the sums are the next prices.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import highspy
import numpy as np
from numpy.typing import NDArray

from podium.errors import SolverError
from podium.flex.highs import QuietHighs
from podium.flex.respond import Signal
from podium.market.coupling import Coupling, Layout, Programme, layout_of

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


#: HiGHS' number for the primal simplex: answers are added, so the last basis stays feasible.
PRIMAL = 4
#: An answer that no mix took in so many rounds is forgotten.
IDLE_ROUNDS = 8
#: Limits that are missed by less, kW, are kept.
MISSING_KW = 1e-6


@dataclass(frozen=True)
class Sums:
    """Answers of clusters of PODs to one signal."""

    own_eur: Floats
    """Shape (cluster,)."""
    power_kw: Floats
    """Shape (cluster, step)."""
    backing_kw: Floats
    """Shape (cluster, product, 2, step)."""
    least_eur: float
    """Sum over all PODs of the least that they could pay, prices included."""


@dataclass(frozen=True)
class Mixed:
    """The best mix of answers."""

    cost_eur: float
    """Of the whole portfolio: minus its profit, and penalties for what is missing."""
    dual: Floats
    """Of the portfolio's rows. Shape (row,)."""
    weights: Floats
    """Of each answer, in the order in which they were added."""
    own: Floats
    """The portfolio's columns. Shape (column,)."""


class Master:
    """HiGHS with the portfolio's columns and rows, and a column for each answer of each cluster."""

    def __init__(self, coupling: Coupling, area: Ints) -> None:
        self.coupling, self.area = coupling, area
        self.layout: Layout = layout_of(coupling)
        self.highs = QuietHighs()
        self.held_eur = coupling.step_hours * float((coupling.held_kw * coupling.known_price).sum())
        self.highs.setOptionValue("simplex_strategy", PRIMAL)
        self.answers: list[tuple[int, int]] = []
        self.idle: Ints = np.zeros(0, dtype=np.int64)
        self.remembered: set[tuple[int, int]] = set()
        self._load()

    @property
    def rows(self) -> int:
        """Number of the portfolio's rows."""
        return self.layout.programme.rows

    def add(self, signal_number: int, sums: Sums) -> None:
        """Every cluster's answer to a signal as a column."""
        costs, starts, index, values = [], [0], [], []
        for cluster in range(len(self.area)):
            rows, entries = self._entries(cluster, sums)
            known = self.coupling.step_hours * float(self.coupling.known_price @ sums.power_kw[cluster])
            costs.append(sums.own_eur[cluster] + known)
            index.append(rows)
            values.append(entries)
            starts.append(starts[-1] + len(rows))
            self.answers.append((cluster, signal_number))
        count = len(self.area)
        self.idle = np.concatenate((self.idle, np.zeros(count, dtype=np.int64)))
        self.highs.addCols(
            count, np.array(costs), np.zeros(count), np.full(count, highspy.kHighsInf), starts[-1],
            np.array(starts[:-1], dtype=np.int32), np.concatenate(index).astype(np.int32), np.concatenate(values),
        )  # fmt: skip

    def solve(self) -> Mixed:
        """The best mix so far. Where the last basis leads the simplex astray, it starts without one."""
        self.highs.run()
        if self.highs.getModelStatus() == highspy.HighsModelStatus.kUnknown:
            self.highs.clearSolver()
            self.highs.run()
        if self.highs.getModelStatus() != highspy.HighsModelStatus.kOptimal:
            raise SolverError(
                f"the portfolio's programme ended with {self.highs.modelStatusToString(self.highs.getModelStatus())}"
            )
        solution = self.highs.getSolution()
        x, dual = np.array(solution.col_value), np.array(solution.row_dual)
        own = self.layout.programme.columns
        cost = float(self.highs.getInfo().objective_function_value)
        return Mixed(cost + self.held_eur, dual[: self.rows], x[own : own + len(self.answers)], x[:own])

    @property
    def missing(self) -> Ints:
        """Columns of what is missing from limits and from backing."""
        return np.concatenate((self.layout.misses, self.layout.short[self.layout.short >= 0]))

    def missing_kw(self, own: Floats) -> Floats:
        """What is missing from each row where the portfolio's columns are these, kW (row,)."""
        missing = np.zeros(len(self.cost), dtype=bool)
        missing[self.missing] = True
        there = missing[self.entry_column]
        kw: Floats = own[self.entry_column[there]]
        return np.bincount(self.entry_row[there], kw, minlength=self.rows).astype(np.float64)

    def misses(self, mixed: Mixed) -> bool:
        """Whether a mix misses limits, or reserve that must be held."""
        return bool(mixed.own[self.missing].max(initial=0.0) > MISSING_KW)

    def forget(self, mixed: Mixed) -> None:
        """Leave out answers that no mix has taken for long, unless they are to be remembered."""
        needed = np.array([answer in self.remembered for answer in self.answers], dtype=bool)
        self.idle = np.where((mixed.weights > 0) | needed, 0, self.idle + 1)
        old = np.flatnonzero(self.idle > IDLE_ROUNDS)
        if not len(old):
            return
        basis = self.highs.getBasis()
        kept = np.setdiff1d(np.arange(len(self.answers)), old)
        status = list(basis.col_status)
        first = self.layout.programme.columns
        self.highs.deleteCols(len(old), (first + old).astype(np.int32))
        basis.col_status = status[:first] + [status[first + number] for number in kept]
        self.highs.setBasis(basis)
        self.answers = [self.answers[number] for number in kept]
        self.idle = self.idle[kept]

    def signal_of(self, dual: Floats) -> Signal:
        """Prices that follow from duals of the portfolio's rows."""
        layout, c = self.layout, self.coupling
        energy = np.broadcast_to(c.known_price, (len(c.areas), c.steps)).copy()
        at = layout.position
        energy[at >= 0] = -dual[at[at >= 0]] / c.step_hours
        reserve = np.zeros(layout.backing.shape)
        there = layout.backing >= 0
        reserve[there] = np.maximum(dual[layout.backing[there]], 0.0)
        return Signal(energy, reserve)

    def dual_of(self, signal: Signal) -> Floats:
        """Duals of all the portfolio's rows for given prices: those that make the bound as good as it can be."""
        layout, c = self.layout, self.coupling
        dual = np.zeros(self.rows)
        dual[layout.position[layout.position >= 0]] = -c.step_hours * signal.energy[layout.position >= 0]
        there = layout.backing >= 0
        dual[layout.backing[there]] = signal.reserve[there]
        priced = np.zeros(self.rows, dtype=bool)
        priced[layout.position[layout.position >= 0]] = priced[layout.backing[there]] = True
        program = linear_program(layout.programme)
        met = np.bincount(self.entry_column, self.entry * dual[self.entry_row], minlength=len(self.cost))
        program.col_cost_ = self.cost - met
        program.row_lower_ = np.where(priced, -np.inf, self.row_lower)
        program.row_upper_ = np.where(priced, np.inf, self.row_upper)
        highs = QuietHighs()
        highs.passModel(program)
        highs.run()
        rest = np.array(highs.getSolution().row_dual)
        return np.where(priced, dual, rest)

    def rest_eur(self, dual: Floats, *, free: bool = False) -> float:
        """Least cost of the portfolio's own columns at these duals, and of its right-hand sides, EUR.

        Where `free`, also with offers that are held at other values.
        """
        dual = self.clean(dual)
        low, high = self.row_lower, self.row_upper
        with np.errstate(invalid="ignore"):
            sides = np.where(dual > 0, dual * low, np.where(dual < 0, dual * high, 0.0))
        reduced = self.cost - np.bincount(
            self.entry_column, self.entry * dual[self.entry_row], minlength=len(self.cost)
        )
        lower, upper = self.free if free else (self.lower, self.upper)
        own = np.where(reduced > 0, reduced * lower, reduced * upper)
        return float(sides.sum() + own.sum()) + self.held_eur

    def clean(self, dual: Floats) -> Floats:
        """Duals with the signs that their rows allow."""
        dual = np.where(np.isinf(self.row_lower), np.minimum(dual, 0.0), dual)
        return np.where(np.isinf(self.row_upper), np.maximum(dual, 0.0), dual)

    def fix_offers(self, product: int, block: int, kw: float) -> None:
        """Hold an offer at a value."""
        self.limit_offers(product, block, kw, kw)

    def limit_offers(self, product: int, block: int, least_kw: float, most_kw: float) -> None:
        """Hold an offer between two values."""
        column = int(self.layout.offers[product][block])
        self.lower[column], self.upper[column] = least_kw, most_kw
        self.highs.changeColBounds(column, least_kw, most_kw)

    def free_offers(self) -> None:
        """Hold offers no longer."""
        self.lower, self.upper = self.free[0].copy(), self.free[1].copy()
        for column in np.concatenate(self.layout.offers).tolist():
            self.highs.changeColBounds(column, float(self.lower[column]), float(self.upper[column]))

    def require_more(self, more_kw: Floats) -> None:
        """Backing beyond what goes to offers, kW (area, product, 2, step), that a mix has to have."""
        for row, kw in zip(self.layout.backing[more_kw > 0], more_kw[more_kw > 0], strict=True):
            if row >= 0:
                self.highs.changeRowBounds(int(row), float(kw), highspy.kHighsInf)

    def tighten(self, less_kw: Floats) -> None:
        """Limits that a mix has to keep by so much more, kW (row,)."""
        for row in np.flatnonzero(less_kw > 0).tolist():
            self.highs.changeRowBounds(row, float(self.row_lower[row]), float(self.row_upper[row] - less_kw[row]))

    def hold_answers(self, numbers: Sequence[int], values: Sequence[float]) -> None:
        """Hold the weights of some answers at given values."""
        first = self.layout.programme.columns
        for number, value in zip(numbers, values, strict=True):
            self.highs.changeColBounds(int(first + number), float(value), float(value))

    def _entries(self, cluster: int, sums: Sums) -> tuple[Ints, Floats]:
        area, layout = self.area[cluster], self.layout
        rows, values = [np.array([self.rows + cluster])], [np.ones(1)]
        if layout.position[area, 0] >= 0:
            rows.append(layout.position[area])
            values.append(sums.power_kw[cluster])
        there = layout.backing[area] >= 0
        rows.append(layout.backing[area][there])
        values.append(sums.backing_kw[cluster][there])
        index, entries = np.concatenate(rows), np.concatenate(values)
        kept = abs(entries) > 1e-11
        return index[kept], entries[kept]

    def _load(self) -> None:
        """The portfolio's columns and rows, and a row per cluster: its weights sum to one."""
        program, ones = linear_program(self.layout.programme), np.ones(len(self.area))
        self.cost = np.array(program.col_cost_)
        self.lower, self.upper = np.array(program.col_lower_), np.array(program.col_upper_)
        self.free: tuple[Floats, Floats] = (self.lower.copy(), self.upper.copy())
        self.row_lower, self.row_upper = np.array(program.row_lower_), np.array(program.row_upper_)
        matrix = program.a_matrix_
        self.entry_row, self.entry = np.array(matrix.index_), np.array(matrix.value_)
        self.entry_column = np.repeat(np.arange(len(self.cost)), np.diff(np.array(matrix.start_)))
        program.num_row_ += len(ones)
        program.row_lower_ = np.concatenate((self.row_lower, ones))
        program.row_upper_ = np.concatenate((self.row_upper, ones))
        self.highs.passModel(program)


def linear_program(programme: Programme) -> highspy.HighsLp:
    """As HiGHS wants it."""
    cost, lower, upper, row_lower, row_upper = (
        np.concatenate((np.zeros(0), *side))
        for side in (programme.cost, programme.lower, programme.upper, programme.row_lower, programme.row_upper)
    )
    none = np.zeros(0, dtype=np.int64)
    row, column, value = (np.concatenate((none, *(entry[n] for entry in programme.entries))) for n in range(3))
    order = np.lexsort((row, column))
    program = highspy.HighsLp()
    program.num_col_, program.num_row_ = programme.columns, programme.rows
    program.col_cost_, program.col_lower_, program.col_upper_ = cost, lower, upper
    program.row_lower_, program.row_upper_ = row_lower, row_upper
    program.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    program.a_matrix_.start_ = np.searchsorted(column[order], np.arange(len(cost) + 1)).astype(np.int32)
    program.a_matrix_.index_, program.a_matrix_.value_ = row[order].astype(np.int32), value[order].astype(float)
    return program
