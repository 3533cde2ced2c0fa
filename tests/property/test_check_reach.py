"""Which levels can go on to the end: the backward sets of the check against a mixed-integer programme."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import Bounds, LinearConstraint, milp

from podium.checking.limits import StoreLimits
from podium.checking.reach import Gains, lack_kwh, lack_of_one_kwh

STEPS = 6
Row = np.ndarray[Any, np.dtype[np.float64]]


def store(low: Row, high: Row, keep: float) -> StoreLimits:
    """A store of one device, with limits of shape (step,) and nothing flowing in by itself."""
    nothing = np.zeros((1, 1))
    limits = (np.zeros(1), low[None, :], high[None, :], nothing, nothing, nothing)
    return StoreLimits("", "", *limits, keep=np.full((1, 1), keep))


def nearest(low: Row, high: Row, keep: float, gains: Gains, start: float) -> float:
    """Least distance from `start` to a level that can go on, inf where there is none.

    Columns: distance up and down, then for each step the level, the gain in the first range, that in the second, and
    whether it is the second.
    """
    second_low, second_high = np.nan_to_num(gains.second_low[0]), np.nan_to_num(gains.second_high[0])
    level, one, two, which = (2 + np.arange(STEPS) + STEPS * block for block in range(4))
    count = 2 + 4 * STEPS
    rows, lower, upper = [], [], []

    def add(entries: dict[int, float], least: float, most: float) -> None:
        row = np.zeros(count)
        row[list(entries)] = list(entries.values())
        rows.append(row)
        lower.append(least)
        upper.append(most)

    for step in range(STEPS):
        before = {0: -keep, 1: keep} if step == 0 else {level[step - 1]: -keep}
        first = keep * start if step == 0 else 0.0
        add({level[step]: 1, one[step]: -1, two[step]: -1, **before}, first, first)
        for flow, bound, sign, fixed in (
            (one, gains.low[0], 1, 1), (one, gains.high[0], -1, 1),
            (two, second_low, 1, 0), (two, second_high, -1, 0),
        ):  # fmt: skip
            change = float(sign * bound[step])
            add({flow[step]: sign, which[step]: change if fixed else -change}, change if fixed else 0.0, np.inf)
    least, most = np.full(count, -np.inf), np.full(count, np.inf)
    least[:2] = 0
    least[level], most[level] = low, high
    least[which], most[which] = 0, gains.broken[0]
    integer = np.zeros(count)
    integer[which] = 1
    cost = np.zeros(count)
    cost[:2] = 1
    solved = milp(
        cost,
        integrality=integer,
        bounds=Bounds(least, most),
        constraints=LinearConstraint(np.array(rows), np.array(lower), np.array(upper)),
    )
    return float(solved.fun) if solved.success else np.inf


@given(st.integers(0, 2**32 - 1), st.booleans())
def test_levels_that_can_go_on(seed: int, broken: bool) -> None:
    """The distance to the nearest such level is the programme's; with gaps in the gains the hull is a lower bound."""
    rng = np.random.default_rng(seed)
    low, keep = rng.uniform(0, 2, STEPS), float(rng.choice([1.0, 0.9]))
    high = low + rng.uniform(0, 3, STEPS)
    first = rng.uniform(-3, 0, STEPS)
    second = np.where(broken, first + rng.uniform(1, 3, STEPS), np.nan)
    gains = Gains(*(row[None, :] for row in (first, first + rng.uniform(0, 1), second, second + rng.uniform(0, 2))))
    start = float(rng.uniform(0, 4))
    limits = store(low, high, keep)
    expected = nearest(low, high, keep, gains, start)
    hull = float(lack_kwh(limits, gains, np.array([start]), 0)[0])
    one = lack_of_one_kwh(limits, gains, start, 0, 0)
    if np.isinf(expected):
        assert one > 1e-9
        assert broken or hull > 0
    else:
        assert one == pytest.approx(expected, abs=1e-6)
        assert max(hull, 0.0) <= expected + 1e-6
        if not broken:
            assert max(hull, 0.0) == pytest.approx(expected, abs=1e-6)
