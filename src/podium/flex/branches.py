"""The least cost of a POD at other prices of few steps, with its integers (docs/maths/bids.md).

A branch is the POD's linear programme with some decisions taken: on or off, never charging or never discharging in a
step. All branches together leave no schedule out. The least cost of a branch is concave in a price, so what is known of
it at some prices bounds it between them, and it is solved only where it may hold something better.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from time import perf_counter

import highspy
import numpy as np
from numpy.typing import NDArray

from podium.errors import SolverError
from podium.flex.exclusive import Limits, at_once, both_ways, one_direction
from podium.flex.highs import Solver
from podium.flex.program import DeviceColumns, Model, PodProgram, build
from podium.flexstore import FlexStore, Floats
from podium.portfolio import Meter

Ints = NDArray[np.int64]

#: Costs this close, relative above 1 EUR, are equal where nothing had to be decided.
SAME = 1e-9
#: A decision this close to 0 or 1 is taken.
TAKEN = 1e-6
#: With more branches than this a price is left to branch and bound.
BRANCHES_MAX = 40


@dataclass(frozen=True)
class Programmed:
    """What programmes need to know beside the devices."""

    day: Ints
    """Local day of each step. Shape (step,)."""
    limits: Limits
    """The time limit holds for all prices of a POD together."""
    withdrawal_max_kw: Floats
    """What the connections leave in each step. Shape (pod, step)."""
    injection_max_kw: Floats
    discharge_day_max: Floats
    """Greatest energy injected per local day, kWh; inf where free. Shape (device, day)."""

    @property
    def free(self) -> Programmed:
        """The same without connections."""
        nothing = np.full_like(self.withdrawal_max_kw, np.inf)
        return replace(self, withdrawal_max_kw=nothing, injection_max_kw=nothing)

    def after(self, seconds: float) -> Programmed:
        """The same with so much less time."""
        left = self.limits.time_limit_seconds - seconds
        return replace(self, limits=replace(self.limits, time_limit_seconds=left))


class UnansweredError(Exception):
    """A POD has no schedule within its limits, or its time limit came first."""


@dataclass(frozen=True)
class Branch:
    """A part of a POD's schedules, and bounds of its least cost at prices of one unit."""

    columns: Ints
    """Columns that decisions hold."""
    values: Floats
    change: Floats
    """Changes of the price for which there is a bound, rising, EUR/kWh."""
    least: Floats
    """What none of its schedules undercuts there, EUR."""
    undecided: Floats | None = None
    """The solution at the last change asked, where decisions are missing in it."""

    @classmethod
    def whole(cls) -> Branch:
        """All schedules."""
        return cls(np.zeros(0, dtype=np.int64), np.zeros(0), np.zeros(1), np.full(1, -np.inf))

    def lower(self, change: Floats, span: tuple[float, float]) -> Floats:
        """What none of its schedules undercuts at these changes, EUR.

        Chords between bounds; beyond them, as if the unit took its least or its greatest energy, `span`, kWh.
        """
        before, behind = np.minimum(change - self.change[0], 0.0), np.maximum(change - self.change[-1], 0.0)
        return np.asarray(np.interp(change, self.change, self.least) + before * span[1] + behind * span[0])

    def bounded(self, change: float, least: float, undecided: Floats | None) -> Branch:
        """With the bound of a solution."""
        place = int(np.searchsorted(self.change, change))
        before, bounds = self.change, self.least
        if place < len(before) and before[place] == change:
            least = max(least, float(bounds[place]))
            before, bounds = np.delete(before, place), np.delete(bounds, place)
        before, bounds = np.insert(before, place, change), np.insert(bounds, place, least)
        return replace(self, change=before, least=bounds, undecided=undecided)

    def decided(self, column: int, value: float) -> Branch:
        """The part of it in which a column is held."""
        columns, values = np.append(self.columns, column), np.append(self.values, value)
        return replace(self, columns=columns, values=values, undecided=None)


class Branches:
    """Some devices of a POD: their programme, the schedules that prices have brought so far, and what bounds others."""

    def __init__(
        self, store: FlexStore, members: Ints, priced: Meter, pod: int, first: Ints, step_hours: float,
        known: Programmed,
    ) -> None:  # fmt: skip
        self.first, self.step_hours, self.limits = first, step_hours, known.limits
        self.deadline = perf_counter() + known.limits.time_limit_seconds
        self.store, self.priced, self.pod = store, priced, pod
        self.programme = partial(_programme, store, members, priced, pod, step_hours, known)
        self.program = self.programme(exclusive=False)
        self.whole = np.flatnonzero(self.program.arrays.integer)
        self.solver = Solver(self.program.arrays.relaxed(), known.limits.time_limit_seconds, 0.0)
        self.solver.load(0)
        self.loaded, self.moved = Branch.whole(), np.zeros(0, dtype=np.int32)
        self.schedules: list[tuple[float, Floats]] = []
        """Those known: the cost at no change, EUR, and the energy of each unit, kWh (unit,)."""
        self.lines = np.zeros((2, 0))
        """Cost at no change, EUR, and energy of the unit, kWh, of schedules that may be least. Shape (2, line)."""
        self.close = SAME
        self.span = _span(store.take(members), known, pod, first, step_hours)
        self.expected = self.proven(0, 0.0, [Branch.whole()])
        """Branches that prove the least cost at no change."""

    def turn_to(self, unit: int, changes: Floats) -> None:
        """Look at one unit: of all schedules known, keep those as lines that are least at one of these changes."""
        lines = np.array([(cost, energy[unit]) for cost, energy in self.schedules]).T
        self.lines = lines[:, np.unique((lines[0, :, None] + lines[1, :, None] * changes).argmin(axis=0))]

    def least(self, change: Floats) -> Floats:
        """Cost of the line that is least at each change of the unit's price, EUR."""
        return np.asarray((self.lines[0, :, None] + self.lines[1, :, None] * change).min(axis=0, initial=np.inf))

    def within(self, eur: Floats) -> Floats:
        """How far apart costs are equal, EUR."""
        return np.where(np.isfinite(eur), self.close * (1.0 + abs(eur)), 0.0)

    def lower(self, unit: int, change: Floats, branches: list[Branch]) -> Floats:
        """What no schedule undercuts, by branch. Shape (branch, change)."""
        return np.stack([branch.lower(change, self.span[unit]) for branch in branches])

    def proven(self, unit: int, change: float, branches: list[Branch]) -> list[Branch]:
        """Branches that prove the least cost at a change of a unit's price, whose schedule is then known.

        Raises UnansweredError where there is none, or no time left.
        """
        branches, here = list(branches), np.array([change])
        while branches:
            bounds = self.lower(unit, here, branches)[:, 0]
            place, upper = int(bounds.argmin()), self.least(here)
            if bounds[place] >= (upper - self.within(upper))[0]:
                return branches
            if len(branches) > BRANCHES_MAX:
                return self._by_search(unit, change, branches)
            branch = branches[place]
            if branch.undecided is not None and change in branch.change:
                branches[place : place + 1] = self._decided(branch, branch.undecided)
            else:
                solved = self._solved(branch, unit, change)
                branches[place : place + 1] = [] if solved is None else [solved]
        raise UnansweredError

    def _decided(self, branch: Branch, x: Floats) -> list[Branch]:
        """Two branches instead of one: by what is neither on nor off most of all, else by what flows both ways most."""
        self.close = max(self.close, self.limits.mip_gap)
        off = abs(x[self.whole] - np.round(x[self.whole]))
        if off.max(initial=0.0) > TAKEN:
            column = int(self.whole[off.argmax()])
            return [branch.decided(column, 0.0), branch.decided(column, 1.0)]
        ways = np.concatenate([np.stack(pair) for pair in both_ways(self.program).values()], axis=1)
        step = int(np.minimum(x[ways[0]], x[ways[1]]).argmax())
        return [branch.decided(int(column), 0.0) for column in ways[:, step]]

    def _solved(self, branch: Branch, unit: int, change: float) -> Branch | None:
        """A branch with its bound at a change of a unit's price; None where it holds no schedule."""
        strategy = self._load(branch)
        self._price(unit, change)
        self.solver.time_limit_seconds = self._seconds_left()
        self.solver.run(strategy)
        status = self.solver.highs.getModelStatus()
        if status != highspy.HighsModelStatus.kOptimal:
            self._ensure_empty(status)
            return None
        x = np.array(self.solver.highs.getSolution().col_value)
        possible = not self._missing(x)
        eur = self._paid(self.program, x, unit, change, kept=possible)
        return branch.bounded(change, eur, None if possible else x)

    def _paid(self, program: PodProgram, x: Floats, unit: int, change: float, *, kept: bool) -> float:
        """Cost of a solution at a change of a unit's price, EUR; where it is `kept`, it is a schedule known."""
        net = self.step_hours * (x[program.grid[0]] - x[program.grid[1]])
        energy, cost = np.add.reduceat(net, self.first[:-1]), float(program.arrays.cost[0] @ x)
        if kept:
            self.schedules.append((cost, energy))
            self.lines = np.column_stack((self.lines, (cost, energy[unit])))
        return cost + change * float(energy[unit])

    def _by_search(self, unit: int, change: float, branches: list[Branch]) -> list[Branch]:
        """One branch instead of many, bounded where they are, and here by a mixed-integer programme."""
        program = self.programme(exclusive=True)
        columns, prices = self._prices(program, unit, change)
        cost, moved = program.arrays.cost.copy(), np.zeros(self.priced.buy.shape)
        cost[0, columns] = prices
        moved[:, self.first[unit] : self.first[unit + 1]] = change
        priced = replace(program, arrays=replace(program.arrays, cost=cost))
        left = replace(self.limits, time_limit_seconds=self._seconds_left())
        found = one_direction(self.store, priced, self.priced.plus(moved), self.pod, self.step_hours, left)
        if found.x is None or found.time_limit:
            raise UnansweredError
        eur = self._paid(program, found.x, unit, change, kept=True)
        self.close = max(self.close, (eur - found.bound) / (1.0 + abs(eur)))
        known = np.unique(np.concatenate([branch.change for branch in branches]))
        all_of_them = replace(Branch.whole(), change=known, least=self.lower(unit, known, branches).min(axis=0))
        return [all_of_them.bounded(change, found.bound, None)]

    def _seconds_left(self) -> float:
        left = self.deadline - perf_counter()
        if left <= 0:
            raise UnansweredError
        return left

    def _ensure_empty(self, status: highspy.HighsModelStatus) -> None:
        try:
            found = self.solver.unsolved(status)
        except SolverError as error:
            raise UnansweredError from error
        if not found.infeasible:
            raise UnansweredError

    def _missing(self, x: Floats) -> bool:
        """Whether decisions are missing in a solution."""
        part = abs(x[self.whole] - np.round(x[self.whole])) > TAKEN
        return bool(part.any()) or at_once(self.program, x)

    def _load(self, branch: Branch) -> str:
        """Hold what the branch decides; returns the simplex to go on with."""
        last = self.loaded
        if np.array_equal(last.columns, branch.columns) and np.array_equal(last.values, branch.values):
            return "primal"
        bounds = self.program.arrays.lower[0].copy(), self.program.arrays.upper[0].copy()
        for bound in bounds:
            bound[branch.columns] = branch.values
        columns = np.union1d(last.columns, branch.columns).astype(np.int32)
        self.solver.highs.changeColsBounds(len(columns), columns, bounds[0][columns], bounds[1][columns])
        self.loaded = branch
        return "dual"

    def _price(self, unit: int, change: float) -> None:
        """Change the price of a unit, and of no other."""
        highs, back = self.solver.highs, self.moved
        highs.changeColsCost(len(back), back, self.program.arrays.cost[0, back])
        self.moved, prices = self._prices(self.program, unit, change)
        highs.changeColsCost(len(self.moved), self.moved, prices)

    def _prices(self, program: PodProgram, unit: int, change: float) -> tuple[NDArray[np.int32], Floats]:
        """Columns of a programme's grid in a unit, and what they cost at a change of its price."""
        steps = slice(self.first[unit], self.first[unit + 1])
        columns = np.concatenate([grid[steps] for grid in program.grid]).astype(np.int32)
        signs = np.repeat([1.0, -1.0], len(columns) // 2)
        return columns, program.arrays.cost[0, columns] + signs * self.step_hours * change


def _programme(
    store: FlexStore, members: Ints, priced: Meter, pod: int, step_hours: float, known: Programmed, *, exclusive: bool
) -> PodProgram:  # fmt: skip
    """The programme within what connections and days leave."""

    def cycles(model: Model, devices: list[DeviceColumns], _grid: tuple[Ints, Ints]) -> None:
        for device, most in zip(devices, known.discharge_day_max[members], strict=True):
            if device.minus is not None and np.isfinite(most).all():
                rows = model.rows(len(most), -np.inf, most)
                model.add(rows[known.day], device.minus, step_hours)

    pods = np.array([pod])
    program = build(store, members[None, :], priced, pods, step_hours, known.day, exclusive=exclusive, more=cycles)
    lower, upper = program.arrays.lower.copy(), program.arrays.upper.copy()
    part, (withdrawal, injection) = store.take(members), program.grid
    sides = (
        (withdrawal, injection, known.withdrawal_max_kw[pod], part.full("p_max").sum(axis=0)),
        (injection, withdrawal, known.injection_max_kw[pod], -part.full("p_min").sum(axis=0)),
    )
    for side, other, most, power in sides:
        upper[0, side], lower[0, other] = np.maximum(np.minimum(most, power), 0.0), np.maximum(-most, 0.0)
    return replace(program, arrays=replace(program.arrays, lower=lower, upper=upper))


def _span(part: FlexStore, known: Programmed, pod: int, first: Ints, step_hours: float) -> list[tuple[float, float]]:
    """Least and greatest energy that the devices' powers and the connection leave each unit, kWh."""
    low = np.maximum(part.full("p_min").sum(axis=0), -known.injection_max_kw[pod])
    high = np.minimum(part.full("p_max").sum(axis=0), known.withdrawal_max_kw[pod])
    sums = (step_hours * np.add.reduceat(side, first[:-1]) for side in (low, high))
    return list(zip(*(side.tolist() for side in sums), strict=True))
