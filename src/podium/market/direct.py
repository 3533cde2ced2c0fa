"""The portfolio's programme and those of all its PODs, solved at once (docs/maths/coordination.md).

Its duals are prices at which the bound is as good as it can be without integers, and its solution is an answer of all
PODs that fits what the portfolio needs: rounds that do not come to their end by themselves end with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import highspy
import numpy as np
from numpy.typing import NDArray

from podium.flex.elimination import Meeting
from podium.flex.highs import Solver
from podium.flex.interior import Accuracy, Block, solve_together
from podium.flex.program import Arrays
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
#: By how much the solution may miss rows, as a part of that.
MISS = 1e-10
#: PODs of a pattern that are worked on at once.
TOGETHER = 64


@dataclass(frozen=True)
class Direct:
    """A solution of the one programme."""

    dual: Floats
    """Of the portfolio's rows. Shape (row,)."""
    solutions: list[list[Floats]]
    """Of the programmes of each part of the portfolio: (pod, column) of each pattern."""
    own: Floats
    """The portfolio's columns. Shape (column,)."""


def solve_direct(
    master: Master, parts: Parts, running: Sequence[Running], gap: float, deadline: float, more_kw: Floats | None = None
) -> Direct | None:  # fmt: skip
    """The best that all PODs can do together, within a relative `gap`, without integers.

    None where that is not found by the deadline (of `perf_counter`): then rounds go on without it. Integers of the PODs
    that `running` of their part knows are held at what it says. Offers are covered and limits kept by `more_kw` (row,).
    """
    meets = Meets.of(master, more_kw)
    packed = packed_of(meets, parts, running)
    blocks = [*(pack.block for pack in packed), meets.portfolio]
    miss = MISS * master.coupling.most_kw
    found = solve_together(blocks, meets.lower, meets.upper, meets.steps, Accuracy(gap, miss, deadline))
    if found is None:
        return None
    dual = np.empty(master.rows)
    dual[meets.rows], dual[meets.own] = found.dual, found.duals[-1][0]
    solutions = [[np.empty(mine.program.arrays.cost.shape) for mine in part] for part in parts]
    for pack, values in zip(packed, found.solutions, strict=False):
        for (part, pattern, n), x in zip(pack.whose, values, strict=True):
            solutions[part][pattern][n] = x
    return Direct(dual, solutions, found.solutions[-1][0])


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


@dataclass(frozen=True)
class Meets:
    """The portfolio's rows: those in which PODs meet, and a programme of the others with the portfolio's columns."""

    rows: Ints
    """In which PODs meet, by step. Shape (meeting row,)."""
    own: Ints
    """The others. Shape (row,)."""
    rank: Ints
    """Number of each row among those in which PODs meet, -1 for others."""
    step: Ints
    """Of each of the rows in which PODs meet. Shape (meeting row,)."""
    lower: Floats
    upper: Floats
    """Of the rows in which PODs meet. Shape (meeting row,)."""
    portfolio: Block
    master: Master

    @property
    def steps(self) -> int:
        """Number of steps of the horizon."""
        return self.master.coupling.steps

    @classmethod
    def of(cls, master: Master, more_kw: Floats | None = None) -> Meets:
        """The rows of a master, with a margin where what is made real may miss them, and `more_kw` (row,) of it."""
        layout, most_kw = master.layout, master.coupling.most_kw
        more = np.zeros(master.rows) if more_kw is None else more_kw
        low, high, covered = master.row_lower.copy(), master.row_upper.copy(), layout.covered[layout.covered >= 0]
        low[covered] += OFFER_MARGIN * most_kw + more[covered]
        for limit in layout.limits:
            high[limit.rows] -= LIMIT_MARGIN * most_kw + more[limit.rows]
        found, steps = [], []
        for rows in (layout.position, layout.backing):
            found.append(rows[rows >= 0])
            steps.append(np.broadcast_to(np.arange(master.coupling.steps), rows.shape)[rows >= 0])
        step, meeting = np.concatenate(steps), np.concatenate(found)
        order = np.argsort(step, kind="stable")
        step, meeting = step[order], meeting[order]
        own = np.setdiff1d(np.arange(master.rows), meeting)
        rank = np.full(master.rows, -1)
        rank[meeting] = np.arange(len(meeting))
        portfolio = _portfolio(master, rank, step, own, (low[own], high[own]))
        return cls(meeting, own, rank, step, low[meeting], high[meeting], portfolio, master)


def _portfolio(master: Master, rank: Ints, step: Ints, own: Ints, sides: tuple[Floats, Floats]) -> Block:
    """The portfolio's columns and its rows beside those in which PODs meet."""
    row, column, value = master.entry_row, master.entry_column, master.entry
    meets = rank[row] >= 0
    place = np.full(master.rows, -1)
    place[own] = np.arange(len(own))
    order = np.lexsort((place[row[~meets]], column[~meets]))
    mine = column[~meets][order]
    start = np.searchsorted(mine, np.arange(len(master.cost) + 1))
    arrays = Arrays(
        master.cost[None], master.lower[None], master.upper[None], sides[0][None], sides[1][None],
        start.astype(np.int32), place[row[~meets]][order].astype(np.int32), value[~meets][order][None],
        np.zeros(len(master.cost), dtype=bool), np.zeros(len(master.cost)),
    )  # fmt: skip
    meeting = Meeting(rank[row[meets]], column[meets], value[meets], step)
    return Block(arrays, meeting, np.arange(len(step)))


@dataclass(frozen=True)
class Packed:
    """PODs of one pattern and area, from all parts."""

    block: Block
    whose: list[tuple[int, int, int]]
    """Part, number of the pattern in it, and place among its PODs."""


def packed_of(meets: Meets, parts: Parts, running: Sequence[Running]) -> list[Packed]:
    """The programmes of all PODs; those that share a pattern together, up to so many."""
    alike: dict[bytes, list[tuple[int, int, int]]] = {}
    meeting_of: dict[bytes, tuple[Meeting, Ints]] = {}
    for p, part in enumerate(parts):
        for k, mine in enumerate(part):
            for area in np.unique(mine.area).tolist():
                meeting, rows = _meeting(meets, mine, area)
                key = b"|".join(
                    found.tobytes()
                    for found in (mine.program.arrays.start, mine.program.arrays.index, meeting.column, rows)
                )
                meeting_of[key] = meeting, rows
                alike.setdefault(key, []).extend((p, k, n) for n in np.flatnonzero(mine.area == area).tolist())
    packed = []
    for key, whose in alike.items():
        for first in range(0, len(whose), TOGETHER):
            some = whose[first : first + TOGETHER]
            packed.append(Packed(Block(_arrays(meets, parts, running, some), *meeting_of[key]), some))
    return packed


def _meeting(meets: Meets, mine: Programmes, area: int) -> tuple[Meeting, Ints]:
    """Where PODs of an area enter the rows in which PODs meet."""
    layout, (withdrawal, injection) = meets.master.layout, mine.program.grid
    entries = [(layout.position[area], withdrawal, 1.0), (layout.position[area], injection, -1.0)]
    for backing in mine.backing:
        for product, sides in enumerate(backing.columns):
            entries += [
                (layout.backing[area, product, side], columns, 1.0)
                for side, columns in enumerate(sides)
                if columns is not None
            ]
    row = np.concatenate([rows[rows >= 0] for rows, _, _ in entries])
    column = np.concatenate([columns[rows >= 0] for rows, columns, _ in entries])
    value = np.concatenate([np.full(int((rows >= 0).sum()), sign) for rows, _, sign in entries])
    mine_only, number = np.unique(meets.rank[row], return_inverse=True)
    return Meeting(number, column, value, meets.step[mine_only]), mine_only


def _arrays(meets: Meets, parts: Parts, running: Sequence[Running], whose: list[tuple[int, int, int]]) -> Arrays:
    """The programmes of PODs of one pattern, at the portfolio's price."""
    coupling = meets.master.coupling
    found = [parts[part][pattern] for part, pattern, _ in whose]
    like = found[0].program.arrays
    cost, lower, upper, row_lower, row_upper, values = (
        np.stack([getattr(mine.program.arrays, name)[n] for mine, (_, _, n) in zip(found, whose, strict=True)])
        for name in ("cost", "lower", "upper", "row_lower", "row_upper", "values")
    )
    for column, sign in zip(found[0].program.grid, (1.0, -1.0), strict=True):
        cost[:, column] += sign * coupling.step_hours * coupling.known_price
    for row, (mine, (part, _, n)) in enumerate(zip(found, whose, strict=True)):
        held = running[part].get(int(mine.pods[n]))
        if held is not None:
            lower[row, like.integer] = upper[row, like.integer] = held
    return Arrays(
        cost, lower, upper, row_lower, row_upper, like.start, like.index, values, like.integer, like.weight
    )  # fmt: skip
