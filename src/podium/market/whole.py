"""The whole portfolio as one mixed-integer programme, where it is small (docs/maths/coordination.md).

What devices do on or off, and which offers in steps, is chosen with all else: its bound knows what integers cost, which
that of prices does not, and its solution says what to hold.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from time import perf_counter

import highspy
import numpy as np
from numpy.typing import NDArray

from podium.flex.highs import QuietHighs
from podium.flex.interior import Block
from podium.market.coupling import Product, Programme
from podium.market.direct import Meets, Packed, Parts, Running, packed_of
from podium.market.master import Master, Mixed, linear_program

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: Programmes of more columns, or more integers, are left to rounds.
COLUMNS = 60_000
INTEGERS = 2_000
#: Nodes of branch and bound, the same on any machine, and seconds, where even few nodes take long.
NODES = 2_000
SECONDS = 60.0
#: Rows and integers are kept to this; what that may be worth is taken off the bound, as a part of all money that moves.
KEPT = 1e-7
SAFETY = 1e-7


@dataclass(frozen=True)
class Whole:
    """What branch and bound found."""

    least_eur: float
    """No plan costs less; where limits can be kept, none that keeps them."""
    cost_eur: float
    """Of the solution; inf where none was found."""
    offers: dict[tuple[int, int], float]
    """Offers that are sold in steps, kW, by product and block; empty where no solution was found."""
    running: list[Running]
    """Integers of PODs, by part; empty where no solution was found."""
    solutions: list[list[Floats]]
    """Of the programmes of each part, (pod, column) of each pattern; empty where no solution was found."""


@dataclass(frozen=True)
class _Model:
    """The programme, and where to find PODs and offers in it."""

    program: highspy.HighsLp
    packed: list[Packed]
    columns: list[Ints]
    """Of the programmes of each pack, (pod, column)."""
    offers: dict[tuple[int, int], int]
    """Columns of offers that are sold in steps."""
    integer: Ints
    """Columns that are integers."""


def solve_whole(
    master: Master, parts: Parts, gap: float, deadline: float, begin_with: tuple[Mixed, Sequence[Running]]
) -> Whole | None:  # fmt: skip
    """The best that all PODs can do together, integers and offers in steps included, to a relative `gap`.

    It ends early once it has cost too much, or at the deadline (of `perf_counter`). None where the programme is too
    large, or has no integers. It begins with the offers of a mix and what devices do in it, as far as that is known.
    """
    if sum(len(mine.pods) * mine.program.arrays.cost.shape[1] for part in parts for mine in part) > COLUMNS:
        return None
    model = _model(master, parts, _free_to_miss(master, begin_with[0]))
    if not 0 < len(model.integer) <= INTEGERS:
        return None
    highs = QuietHighs()
    highs.setOptionValue("mip_rel_gap", gap)
    highs.setOptionValue("mip_feasibility_tolerance", KEPT)
    highs.setOptionValue("mip_max_nodes", NODES)
    highs.setOptionValue("time_limit", max(min(SECONDS, deadline - perf_counter()), 0.0))
    highs.passModel(model.program)
    _begin(highs, master, model, parts, *begin_with)
    highs.run()
    return _read(highs, master, model, parts)


def _free_to_miss(master: Master, mixed: Mixed) -> Floats:
    """Upper limits of the portfolio's columns: nothing misses limits or backing where a mix shows that it need not.

    To miss a limit by a crumb would be cheaper than another engine.
    """
    upper = master.free[1].copy()
    if not master.misses(mixed):
        upper[master.missing] = 0.0
    return upper


def _model(master: Master, parts: Parts, upper: Floats) -> _Model:
    """All programmes as one: unlike those of rounds, with no margin, offers not held, and integers."""
    meets = Meets.of(master)
    packed = packed_of(meets, parts, [{}] * len(parts))
    programme = Programme()
    programme.add_rows(len(meets.rows), master.row_lower[meets.rows], master.row_upper[meets.rows])
    columns = [_add(programme, pack.block) for pack in packed]
    own = replace(
        meets.portfolio.arrays, lower=master.free[0][None], upper=upper[None],
        row_lower=master.row_lower[meets.own][None], row_upper=master.row_upper[meets.own][None],
    )  # fmt: skip
    (mine,) = _add(programme, replace(meets.portfolio, arrays=own))
    integers = [found[:, pack.block.arrays.integer].ravel() for pack, found in zip(packed, columns, strict=True)]
    offers: dict[tuple[int, int], int] = {}
    for k, product in enumerate(master.coupling.products):
        if product.required_kw > 0 or not (product.increment_kw > 0 or product.least_kw > 0):
            continue
        column = mine[master.layout.offers[k]]
        integers += _in_steps(programme, product, column, master.free[1][master.layout.offers[k]])
        offers |= {(k, b): int(c) for b, c in enumerate(column)}
    program = linear_program(programme)
    integer = np.sort(np.concatenate((np.zeros(0, dtype=np.int64), *integers)))
    kinds = np.zeros(program.num_col_, dtype=int)
    kinds[integer] = 1
    names = (highspy.HighsVarType.kContinuous, highspy.HighsVarType.kInteger)
    program.integrality_ = [names[kind] for kind in kinds]
    program.offset_ = master.held_eur + sum(float(mine.constant_eur.sum()) for part in parts for mine in part)
    return _Model(program, packed, columns, offers, integer)


def _add(programme: Programme, block: Block) -> Ints:
    """The programmes of a block. Returns their columns, (pod, column)."""
    a, meeting = block.arrays, block.meeting
    columns = programme.add_columns(a.cost.ravel(), a.lower.ravel(), a.upper.ravel()).reshape(a.cost.shape)
    rows = programme.add_rows(a.row_lower.size, a.row_lower.ravel(), a.row_upper.ravel()).reshape(a.row_lower.shape)
    entry_column = np.repeat(np.arange(a.cost.shape[1]), np.diff(a.start))
    programme.add(rows[:, a.index].ravel(), columns[:, entry_column].ravel(), a.values.ravel())
    meets = np.tile(block.meets[meeting.row], len(columns))
    programme.add(meets, columns[:, meeting.column].ravel(), np.tile(meeting.value, len(columns)))
    return columns


def _in_steps(programme: Programme, product: Product, offers: Ints, most_kw: Floats) -> list[Ints]:
    """Offers are multiples of the increment, and at least the least or nothing. Returns the integers."""
    blocks, increment, least = len(offers), product.increment_kw, product.least_kw
    integers = []
    if increment > 0:
        steps = programme.add_columns(np.zeros(blocks), np.zeros(1), np.floor(most_kw / increment + KEPT))
        rows = programme.add_rows(blocks, 0.0, 0.0)
        programme.add(rows, offers, 1.0)
        programme.add(rows, steps, -increment)
        integers.append(steps)
    if least > increment:
        sold = programme.add_columns(np.zeros(blocks), np.zeros(1), np.ones(1))
        rows = programme.add_rows(blocks, 0.0, np.inf)
        programme.add(rows, offers, 1.0)
        programme.add(rows, sold, -least)
        rows = programme.add_rows(blocks, -np.inf, 0.0)
        programme.add(rows, offers, 1.0)
        programme.add(rows, sold, -most_kw)
        integers.append(sold)
    return integers


def _begin(
    highs: QuietHighs, master: Master, model: _Model, parts: Parts, mixed: Mixed, running: Sequence[Running]
) -> None:  # fmt: skip
    """Begin with the offers of a mix, and integers of PODs where these are known."""
    known: dict[int, float] = {}
    for (k, b), column in model.offers.items():
        known[column] = float(mixed.own[master.layout.offers[k][b]])
    for pack, columns in zip(model.packed, model.columns, strict=True):
        integer = pack.block.arrays.integer
        for (part, pattern, n), mine in zip(pack.whose, columns, strict=True):
            held = running[part].get(int(parts[part][pattern].pods[n])) if running else None
            if held is not None:
                known |= dict(zip(mine[integer].tolist(), held.tolist(), strict=True))
    if known:
        highs.setSolution(len(known), np.array(list(known), dtype=np.int32), np.array(list(known.values())))


def _read(highs: QuietHighs, master: Master, model: _Model, parts: Parts) -> Whole:
    """Bound, offers and integers."""
    info = highs.getInfo()
    bound = float(info.mip_dual_bound)
    if info.primal_solution_status != highspy.SolutionStatus.kSolutionStatusFeasible:
        return Whole(bound - SAFETY * abs(bound), np.inf, {}, [], [])
    x = np.array(highs.getSolution().col_value)
    moved = float(abs(np.asarray(model.program.col_cost_) * x).sum())
    running: list[dict[int, Floats]] = [{} for _ in parts]
    solutions = [[np.empty(mine.program.arrays.cost.shape) for mine in part] for part in parts]
    for pack, columns in zip(model.packed, model.columns, strict=True):
        integer = pack.block.arrays.integer
        for (part, pattern, n), mine in zip(pack.whose, columns, strict=True):
            solutions[part][pattern][n] = x[mine]
            if integer.any():
                running[part][int(parts[part][pattern].pods[n])] = np.round(x[mine[integer]])
    offers = {(k, b): _sold(master.coupling.products[k], float(x[column])) for (k, b), column in model.offers.items()}
    return Whole(bound - SAFETY * moved, float(info.objective_function_value), offers, list(running), solutions)


def _sold(product: Product, kw: float) -> float:
    """The offer that is meant by one that is in steps but for a solver's rounding, kW."""
    if product.increment_kw > 0:
        return float(np.round(kw / product.increment_kw) * product.increment_kw)
    return max(kw, product.least_kw) if 2.0 * kw > product.least_kw else 0.0
