"""Programmes that meet in few rows, solved together by an interior point method (docs/maths/interior.md).

Each step of Newton's method eliminates every programme by itself, down to the rows in which they meet, so that the work
grows with the number of programmes and no faster.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from podium.flex.elimination import Elimination, Meeting, add_border, eliminate, factor, solve
from podium.flex.program import Arrays

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
#: Something for each of the two limits of a variable, lower and upper.
Pair = tuple[Floats, Floats]

#: Ranges narrower than this are one value; its weight is this many times that of others.
NARROW = 1e-9
FIXED = 1e12
#: Weights, relative, that keep systems solvable where columns are free or rows are equations.
FREE = 1e-6
EQUAL = 1e-10
#: First products of distance and dual, as parts of the dearest cost times the mean range.
FIRST = 4.0
#: How far a step goes towards the nearest limit.
STAY_INSIDE = 0.995
#: ... and how many there are at most.
STEPS = 120
#: Corrections of a step (Gondzio 1996), how much longer they should make it, and how far products may be from the mean.
CORRECTIONS = 3
LONGER = 0.08
WORTH = 0.02
SPREAD = 10.0


@dataclass(frozen=True)
class Block:
    """Programmes of one pattern that meet all others in the same rows."""

    arrays: Arrays
    meeting: Meeting
    meets: Ints
    """Number among all meeting rows of each of the block's own. Shape (meeting row of the block,)."""


@dataclass(frozen=True)
class Met:
    """A solution of all programmes together."""

    dual: Floats
    """Of the meeting rows. Shape (meeting row,)."""
    duals: list[Floats]
    """Of the rows of each block's programmes, (programme, row)."""
    solutions: list[Floats]
    """Of each block's programmes, (programme, column)."""
    cost: float
    bound: float
    """Cost of the duals, with which `cost` meets."""
    steps: int


@dataclass(frozen=True)
class Accuracy:
    """When a solution is good enough: its relative distance to its bound, and by how much it may miss rows."""

    gap: float
    miss: float
    deadline: float = np.inf
    """Of `perf_counter`; a solution that is not good enough by then is none."""


class Barrier:
    """Values between limits, and the duals of these. All arrays have shape (programme, variable)."""

    def __init__(self, lower: Floats, upper: Floats, near: float, product: float) -> None:
        self.lower, self.upper = lower, upper
        self.fixed: Bools = upper - lower <= NARROW
        self.has: tuple[Bools, Bools] = np.isfinite(lower) & ~self.fixed, np.isfinite(upper) & ~self.fixed
        inside = np.minimum(near, 0.25 * (upper - lower))
        inside[self.fixed] = 0.0
        self.v: Floats = np.clip(0.0, lower + inside, upper - inside)
        room = self.room(self.v)
        self.z: Pair = (self._where(0, product / room[0]), self._where(1, product / room[1]))
        self.count = int(self.has[0].sum() + self.has[1].sum())

    def _where(self, side: int, values: Floats) -> Floats:
        return np.where(self.has[side], values, 0.0)

    def room(self, v: Floats) -> Pair:
        """Distance to each limit; 1 where there is none."""
        return np.where(self.has[0], v - self.lower, 1.0), np.where(self.has[1], self.upper - v, 1.0)

    @property
    def products(self) -> float:
        """Sum of the products of distance and dual."""
        return sum(float((z * room).sum()) for z, room in zip(self.z, self.room(self.v), strict=True))

    def weight(self) -> Floats:
        """How strongly the limits hold each value."""
        low, high = self.room(self.v)
        return np.where(self.fixed, FIXED, self.z[0] / low + self.z[1] / high)

    def missing(self, product: float, second: Pair | None = None) -> Pair:
        """What products lack to be `product`, less those of second order."""
        low, high = (product - z * room for z, room in zip(self.z, self.room(self.v), strict=True))
        if second is not None:
            low, high = low - second[0], high - second[1]
        return self._where(0, low), self._where(1, high)

    def pull(self, missing: Pair) -> Floats:
        """What the limits pull with, for products to gain what they lack."""
        low, high = self.room(self.v)
        return np.asarray(missing[0] / low - missing[1] / high)

    def change(self, missing: Pair, dv: Floats) -> Pair:
        """Change of the duals with that of the values."""
        low, high = self.room(self.v)
        return (
            self._where(0, (missing[0] - self.z[0] * dv) / low),
            self._where(1, (missing[1] + self.z[1] * dv) / high),
        )

    def second(self, dv: Floats, dz: Pair) -> Pair:
        """Products of changes."""
        return self._where(0, dv * dz[0]), self._where(1, -dv * dz[1])

    def longest(self, dv: Floats, dz: Pair) -> tuple[float, float]:
        """Longest steps of values and of duals that keep all inside."""
        low, high = self.room(self.v)
        values = min(_longest(low, self._where(0, dv)), _longest(high, self._where(1, -dv)))
        duals = min(
            _longest(np.where(has, z, 1.0), change) for has, z, change in zip(self.has, self.z, dz, strict=True)
        )
        return values, duals

    def after(self, dv: Floats, dz: Pair, length: tuple[float, float]) -> Pair:
        """Products after a step; 0 where there is no limit."""
        low, high = self.room(self.v + length[0] * dv)
        return (
            self._where(0, (self.z[0] + length[1] * dz[0]) * low),
            self._where(1, (self.z[1] + length[1] * dz[1]) * high),
        )

    def move(self, dv: Floats, dz: Pair, length: tuple[float, float]) -> None:
        """Make a step."""
        self.v = self.v + length[0] * dv
        self.z = self.z[0] + length[1] * dz[0], self.z[1] + length[1] * dz[1]

    def bound(self, reduced: Floats) -> float:
        """What the limits add to the cost of the duals; `reduced` are reduced costs."""
        low, high, fixed = self.has[0], self.has[1], self.fixed
        held = (self.lower[low] * self.z[0][low]).sum() - (self.upper[high] * self.z[1][high]).sum()
        return float(held + (self.v[fixed] * reduced[fixed]).sum())


def _longest(room: Floats, change: Floats) -> float:
    worst = float((-change / room).max(initial=0.0))
    return 1.0 / worst if worst > 0 else np.inf


class _Programmes:
    """A block on its way: values of columns and rows, and the rows' duals `y`."""

    def __init__(self, block: Block, steps: int, near: float, product: float) -> None:
        arrays, self.block = block.arrays, block
        self.start, self.index = arrays.start.astype(np.int64), arrays.index.astype(np.int64)
        self.columns, rows = arrays.cost.shape[1], arrays.row_lower.shape[1]
        self.plan: Elimination = eliminate(self.start, self.index, rows, block.meeting, steps)
        lower = np.concatenate((arrays.lower, arrays.row_lower), axis=1)
        upper = np.concatenate((arrays.upper, arrays.row_upper), axis=1)
        self.barrier = Barrier(lower, upper, near, product)
        self.y: Floats = np.zeros(arrays.row_lower.shape)
        self.factors = np.empty((len(lower), len(self.plan.index)))
        self.pivots = np.empty(lower.shape)

    @property
    def x(self) -> Floats:
        """Values of the columns."""
        return self.barrier.v[:, : self.columns]

    def met(self, x: Floats, rows: int) -> Floats:
        """B x, summed over the programmes. Shape (meeting row,)."""
        meeting, total = self.block.meeting, np.zeros(rows)
        sums = x.sum(axis=0)[meeting.column] * meeting.value
        total[self.block.meets] = np.bincount(meeting.row, sums, minlength=len(self.block.meets))
        return total

    def priced(self, dual: Floats) -> Floats:
        """B^T dual. Shape (column,)."""
        meeting = self.block.meeting
        value = meeting.value * dual[self.block.meets[meeting.row]]
        return np.asarray(np.bincount(meeting.column, value, minlength=self.columns))

    def look(self, dual: Floats) -> None:
        """What rows miss, reduced costs, and what these miss, where the programmes stand."""
        arrays, barrier = self.block.arrays, self.barrier
        own = arrays.cost - _transposed(self.start, self.index, arrays.values, self.y) - self.priced(dual)
        self.reduced = np.concatenate((own, self.y), axis=1)
        self.slope = np.where(barrier.fixed, 0.0, self.reduced - barrier.z[0] + barrier.z[1])
        product = _times(self.start, self.index, arrays.values, self.x, self.y.shape[1])
        self.miss = barrier.v[:, self.columns :] - product

    def factor(self, free: float, equal: float, total: Floats) -> None:
        """Eliminate all down to the meeting rows; what is left is added to `total`'s lower triangle."""
        self.weight = self.barrier.weight() + free
        diagonal = np.concatenate((-self.weight[:, : self.columns], 1.0 / self.weight[:, self.columns :] + equal), 1)
        factor(self.plan, self.block.arrays.values, diagonal, self.factors, self.pivots)
        add_border(self.plan, self.factors, self.pivots, self.block.meets, total)

    def begin(self, missing: Pair) -> Floats:
        """The step without a change of the meeting rows' duals. Shape (programme, column)."""
        self.missing = missing
        self.pull = np.where(self.barrier.fixed, 0.0, self.barrier.pull(missing) - self.slope)
        own, rows = self.pull[:, : self.columns], self.pull[:, self.columns :]
        right = np.concatenate((-own, self.miss + rows / self.weight[:, self.columns :]), axis=1)
        self.alone = solve(self.plan, self.factors, self.pivots, right)
        return self.alone[:, : self.columns]

    def step(self, change: Floats) -> _Step:
        """The whole step, with a change of the meeting rows' duals."""
        right = np.zeros_like(self.alone)
        right[:, : self.columns] = self.priced(change)
        found = self.alone - solve(self.plan, self.factors, self.pivots, right)
        dy = found[:, self.columns :]
        rows = (self.pull[:, self.columns :] - dy) / self.weight[:, self.columns :]
        dv = np.where(self.barrier.fixed, 0.0, np.concatenate((found[:, : self.columns], rows), axis=1))
        return _Step(dv, self.barrier.change(self.missing, dv), dy)


@dataclass(frozen=True)
class _Step:
    """A step of a block, or of the meeting rows."""

    dv: Floats
    dz: Pair
    dy: Floats


@dataclass(frozen=True)
class _Direction:
    """Steps of all blocks, and last of the meeting rows, which lack `missing`."""

    steps: list[_Step]
    missing: list[Pair]
    length: tuple[float, float]


def solve_together(
    blocks: Sequence[Block], lower: Floats, upper: Floats, steps: int, wanted: Accuracy
) -> Met | None:  # fmt: skip
    """The least cost of all programmes that keeps the sums of the meeting rows within limits.

    `lower` and `upper` of the sums have shape (meeting row,), in the units of the programmes; `steps` is the number of
    steps of the horizon, along which programmes are eliminated. Integers are left out. None where no solution is found
    that is good enough.
    """
    ranges = np.concatenate([(block.arrays.upper - block.arrays.lower).ravel() for block in blocks])
    near = float(ranges[np.isfinite(ranges) & (ranges > NARROW)].mean()) if len(ranges) else 1.0
    dearest = max(float(abs(block.arrays.cost).max(initial=0.0)) for block in blocks) or 1.0
    count = sum(len(block.arrays.cost) for block in blocks)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):  # where there is no solution, values run away
        return _Together(blocks, lower, upper, steps, (near, dearest, max(1.0, 0.25 * count))).solved(wanted)


class _Together:
    """All blocks, and the rows in which they meet."""

    def __init__(
        self, blocks: Sequence[Block], lower: Floats, upper: Floats, steps: int, scale: tuple[float, float, float]
    ) -> None:  # fmt: skip
        near, dearest, many = scale
        product = FIRST * near * dearest
        self.free, self.equal = FREE * dearest / near, EQUAL * near / dearest
        self.parts = [_Programmes(block, steps, near, product) for block in blocks]
        self.barrier = Barrier(lower[None], upper[None], near * many, product)
        self.dual = np.zeros(len(lower))
        self.barriers = [*(part.barrier for part in self.parts), self.barrier]
        self.count = max(1, sum(barrier.count for barrier in self.barriers))

    def solved(self, wanted: Accuracy) -> Met | None:
        """Steps until the solution is good enough."""
        for done in range(STEPS):
            self._look()
            cost = sum(float((part.block.arrays.cost * part.x).sum()) for part in self.parts)
            bound = sum(part.barrier.bound(part.reduced) for part in self.parts)
            bound += self.barrier.bound(self.dual[None])
            missed = max(float(abs(miss).max(initial=0.0)) for miss in (self.miss, *(part.miss for part in self.parts)))
            if not np.isfinite(cost + bound + missed):
                return None
            if abs(cost - bound) <= wanted.gap * (1.0 + abs(cost)) and missed <= wanted.miss:
                parts = self.parts
                return Met(self.dual, [part.y for part in parts], [part.x for part in parts], cost, bound, done)
            if perf_counter() > wanted.deadline or not self._go():
                return None
        return None

    def _look(self) -> None:
        for part in self.parts:
            part.look(self.dual)
        rows = len(self.dual)
        self.miss = self.barrier.v[0] - sum(part.met(part.x, rows) for part in self.parts)
        slope = self.dual - self.barrier.z[0][0] + self.barrier.z[1][0]
        self.slope = np.where(self.barrier.fixed[0], 0.0, slope)

    def _go(self) -> bool:
        """One step, predicted and corrected (Mehrotra 1992); whether there is one."""
        self.weight = self.barrier.weight()[0] + self.free
        try:
            self.factors = cho_factor(self._meeting(), lower=True, overwrite_a=True, check_finite=False)
        except LinAlgError:
            return False
        mean = sum(barrier.products for barrier in self.barriers) / self.count
        towards = self._direction([barrier.missing(0.0) for barrier in self.barriers])
        after = sum(float(low.sum() + high.sum()) for low, high in self._after(towards, towards.length)) / self.count
        aim = mean * min(1.0, (after / mean) ** 3)
        second = [
            barrier.missing(aim, barrier.second(step.dv, step.dz))
            for barrier, step in zip(self.barriers, towards.steps, strict=True)
        ]
        direction = self._corrected(self._direction(second), aim)
        length = STAY_INSIDE * direction.length[0], STAY_INSIDE * direction.length[1]
        for barrier, step in zip(self.barriers, direction.steps, strict=True):
            barrier.move(step.dv, step.dz, length)
        for part, step in zip(self.parts, direction.steps, strict=False):
            part.y = part.y + length[1] * step.dy
        self.dual = self.dual + length[1] * direction.steps[-1].dy
        return max(length) > 0

    def _meeting(self) -> Floats:
        """What is left when all programmes are eliminated. Lower triangle, (meeting row, meeting row)."""
        rows = len(self.dual)
        found = np.zeros((rows, rows))
        for part in self.parts:
            part.factor(self.free, self.equal, found)
        found[np.arange(rows), np.arange(rows)] += 1.0 / self.weight + self.equal
        return found

    def _direction(self, missing: list[Pair]) -> _Direction:
        """Newton's step towards products that gain what they lack."""
        rows = len(self.dual)
        pull = np.where(self.barrier.fixed, 0.0, self.barrier.pull(missing[-1]) - self.slope)[0]
        alone = sum(part.met(part.begin(mine), rows) for part, mine in zip(self.parts, missing, strict=False))
        change = cho_solve(self.factors, self.miss + pull / self.weight - alone, check_finite=False)
        steps = [part.step(change) for part in self.parts]
        dv = np.where(self.barrier.fixed, 0.0, (pull - change) / self.weight)
        steps.append(_Step(dv, self.barrier.change(missing[-1], dv), change))
        longest = [barrier.longest(s.dv, s.dz) for barrier, s in zip(self.barriers, steps, strict=True)]
        length = min(1.0, *(values for values, _ in longest)), min(1.0, *(duals for _, duals in longest))
        return _Direction(steps, missing, length)

    def _after(self, direction: _Direction, length: tuple[float, float]) -> list[Pair]:
        return [
            barrier.after(step.dv, step.dz, length)
            for barrier, step in zip(self.barriers, direction.steps, strict=True)
        ]

    def _corrected(self, direction: _Direction, aim: float) -> _Direction:
        """The step, turned as long as that makes it longer: products far from the others are brought nearer to them."""
        for _ in range(CORRECTIONS):
            trial = tuple(min(1.0, (1.0 + LONGER) * length + LONGER) for length in direction.length)
            missing = [
                (_turned(old[0], low, aim, has[0]), _turned(old[1], high, aim, has[1]))
                for old, (low, high), has in zip(
                    direction.missing,
                    self._after(direction, (trial[0], trial[1])),
                    [barrier.has for barrier in self.barriers],
                    strict=True,
                )
            ]
            turned = self._direction(missing)
            if sum(turned.length) < sum(direction.length) + WORTH:
                break
            direction = turned
        return direction


def _turned(missing: Floats, product: Floats, aim: float, has: Bools) -> Floats:
    """What products lack, and what those lack beside that are far from the aim."""
    more = np.maximum(np.clip(product, aim / SPREAD, aim * SPREAD) - product, -aim * SPREAD)
    return np.where(has, missing + more, 0.0)


@njit(nogil=True, cache=True)
def _times(start: Ints, index: Ints, values: Floats, x: Floats, rows: int) -> Floats:
    """A x of each programme. Shape (programme, row)."""
    found = np.zeros((len(x), rows))
    for n in range(len(x)):
        for j in range(len(start) - 1):
            for k in range(start[j], start[j + 1]):
                found[n, index[k]] += values[n, k] * x[n, j]
    return found


@njit(nogil=True, cache=True)
def _transposed(start: Ints, index: Ints, values: Floats, y: Floats) -> Floats:
    """A^T y of each programme. Shape (programme, column)."""
    found = np.zeros((len(y), len(start) - 1))
    for n in range(len(y)):
        for j in range(len(start) - 1):
            for k in range(start[j], start[j + 1]):
                found[n, j] += values[n, k] * y[n, index[k]]
    return found
