"""Programmes that meet in few rows, against HiGHS' simplex on one programme of them all."""

from __future__ import annotations

from time import perf_counter

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, milp

from podium.flex.elimination import Meeting
from podium.flex.interior import Accuracy, Block, solve_together
from podium.flex.program import Arrays, Model, arrays

Floats = NDArray[np.float64]

CLOSE = Accuracy(1e-7, 1e-6)


def batteries(random: np.random.Generator, count: int, steps: int, *, free: bool) -> Block:
    """Batteries of different sizes that buy and sell with the others in each step; some columns have no limits."""
    model = Model(count)
    size = random.uniform(1, 50, (count, 1))
    plus = model.columns(steps, 0.0, size, random.uniform(0, 0.02, (count, steps)))
    minus = model.columns(steps, 0.0, size, 0.01)
    energy = model.columns(steps, 0.0, 3 * size, 0.0)
    net = model.columns(steps, -np.inf if free else -2 * size, np.inf if free else 2 * size)
    level = model.rows(steps, 0.0, 0.0)
    model.add(level, energy, 1.0)
    model.add(level[1:], energy[:-1], -0.99)
    model.add(level, plus, -0.95)
    model.add(level, minus, 1.05)
    balance = model.rows(steps, random.uniform(-1, 1, (count, steps)), np.inf)
    model.row_uppers[-1] = model.row_lowers[-1]
    for columns, sign in ((net, 1.0), (plus, -1.0), (minus, 1.0)):
        model.add(balance, columns, sign)
    moved = model.rows(1, -np.inf, 2.5 * size)
    model.add(np.repeat(moved, steps), minus, 1.0)
    meeting = Meeting(np.arange(steps), net, np.ones(steps), np.arange(steps))
    return Block(arrays(model), meeting, np.arange(steps))


def market(random: np.random.Generator, steps: int) -> Block:
    """What all need is bought, at a price that may be negative, up to a limit; what is missing is dear."""
    model = Model(1)
    bought = model.columns(steps, -400.0, 60.0, random.uniform(-0.1, 0.3, (1, steps)))
    missing = model.columns(steps, 0.0, np.inf, 2.0)
    fixed = model.columns(1, 3.0, 3.0, 1.0)
    row = model.rows(1, -np.inf, 900.0)
    model.add(np.repeat(row, steps), bought, 1.0)
    model.add(row, fixed, 1.0)
    columns = np.concatenate((bought, missing))
    meeting = Meeting(np.tile(np.arange(steps), 2), columns, -np.ones(2 * steps), np.arange(steps))
    return Block(arrays(model), meeting, np.arange(steps))


def least_cost(blocks: list[Block], lower: Floats, upper: Floats) -> float:
    """By HiGHS, all as one."""
    columns = sum(block.arrays.cost.size for block in blocks)
    cost, lows, highs, rows = [], [], [], []
    meeting = np.zeros((len(lower), columns))
    sides: list[Floats] = []
    first = 0
    for block in blocks:
        a: Arrays = block.arrays
        width = a.cost.shape[1]
        for n in range(len(a.cost)):
            mine = np.zeros((a.row_lower.shape[1], columns))
            mine[a.index, first + np.repeat(np.arange(width), np.diff(a.start))] = a.values[n]
            np.add.at(meeting, (block.meets[block.meeting.row], first + block.meeting.column), block.meeting.value)
            rows.append(mine)
            sides.append(np.stack((a.row_lower[n], a.row_upper[n])))
            cost.append(a.cost[n])
            lows.append(a.lower[n])
            highs.append(a.upper[n])
            first += width
    side = np.concatenate([*sides, np.stack((lower, upper))], axis=1)
    found = milp(
        np.concatenate(cost), bounds=Bounds(np.concatenate(lows), np.concatenate(highs)),
        constraints=LinearConstraint(np.concatenate([*rows, meeting]), *side),
    )  # fmt: skip
    assert found.success
    return float(found.fun)


@pytest.mark.parametrize("seed", range(8))
def test_the_least_cost_is_that_of_one_programme(seed: int) -> None:
    random = np.random.default_rng(seed)
    steps = int(random.integers(2, 30))
    blocks = [batteries(random, int(random.integers(1, 6)), steps, free=bool(n)) for n in range(2)]
    blocks.append(market(random, steps))
    lower = np.where(random.random(steps) < 0.8, 0.0, -5.0)
    upper = np.where(lower == 0.0, 0.0, np.inf)
    found = solve_together(blocks, lower, upper, steps, CLOSE)
    expected = least_cost(blocks, lower, upper)
    assert found is not None
    assert found.cost == pytest.approx(expected, rel=1e-6, abs=1e-5)
    assert found.bound == pytest.approx(expected, rel=1e-6, abs=1e-5)


def test_its_solution_keeps_limits_and_rows_and_its_duals_their_signs() -> None:
    random = np.random.default_rng(11)
    blocks = [batteries(random, 4, 24, free=False), market(random, 24)]
    lower, upper = np.full(24, -np.inf), np.zeros(24)
    found = solve_together(blocks, lower, upper, 24, CLOSE)
    assert found is not None
    total = np.zeros(24)
    for block, x in zip(blocks, found.solutions, strict=True):
        a = block.arrays
        assert (x >= a.lower - 1e-9).all()
        assert (x <= a.upper + 1e-9).all()
        np.add.at(total, block.meeting.row, (x[:, block.meeting.column] * block.meeting.value).sum(axis=0))
    assert (total <= 1e-5).all()
    assert (found.dual <= 1e-9).all()


def test_scaled_powers_and_prices_scale_the_cost() -> None:
    """Batteries of a watt or a megawatt, euros or cents: as many steps, within a few."""
    steps = []
    for scale in (1e-3, 1.0, 1e3):
        random = np.random.default_rng(5)
        blocks = [batteries(random, 3, 12, free=False), market(random, 12)]
        scaled = []
        for block in blocks:
            a = block.arrays
            sides = {name: scale * getattr(a, name) for name in ("lower", "upper", "row_lower", "row_upper")}
            scaled.append(Block(Arrays(**(vars(a) | sides | {"cost": 100.0 * a.cost})), block.meeting, block.meets))
        found = solve_together(scaled, np.zeros(12), np.zeros(12), 12, Accuracy(1e-7, 1e-6 * scale))
        assert found is not None
        assert found.cost == pytest.approx(100 * scale * least_cost(blocks, np.zeros(12), np.zeros(12)), rel=1e-5)
        steps.append(found.steps)
    assert max(steps) <= min(steps) + 8


def test_without_time_or_a_solution_there_is_none() -> None:
    random = np.random.default_rng(2)
    blocks = [batteries(random, 2, 6, free=False), market(random, 6)]
    late = Accuracy(1e-7, 1e-6, perf_counter() - 1.0)
    assert solve_together(blocks, np.zeros(6), np.zeros(6), 6, late) is None
    impossible = np.full(6, 1e4)
    bounded = [block for block in blocks if len(block.arrays.cost) > 1]
    assert solve_together(bounded, impossible, impossible, 6, CLOSE) is None
