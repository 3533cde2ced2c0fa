"""Elimination of systems of one pattern, against dense linear algebra."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from podium.flex.elimination import Meeting, add_border, eliminate, factor, solve

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SYSTEMS = 3


def chain(random: np.random.Generator, steps: int, *, crowded: bool) -> tuple[Ints, Ints, int, Meeting]:
    """A by column, its number of rows, and meetings: each step has a balance, and two stores go on to the next."""
    entries = set()
    columns = rows = 0
    sums: list[tuple[int, int, float]] = []
    for t in range(steps):
        first, balance = columns, rows
        columns, rows = columns + 4, rows + 3
        entries |= {(balance, first), (balance, first + 1), (balance + 1, first), (balance + 1, first + 2)}
        entries |= {(balance + 2, first + 1), (balance + 2, first + 3)}
        if t:
            entries |= {(balance + 1, first - 2), (balance + 2, first - 1)}
        sums += [(2 * t, first, 1.0), (2 * t, first + 1, -1.0), (2 * t + 1, first + 3, 1.0)]
    if crowded:
        entries |= {(rows, int(column)) for column in random.permutation(columns)[: 3 * columns // 4]}
        rows += 1
    at = np.array(sorted((column, row) for row, column in entries))
    start = np.searchsorted(at[:, 0], np.arange(columns + 1))
    row, column, value = (np.array(found) for found in zip(*sums, strict=True))
    step = np.repeat(np.arange(steps), 2)
    shuffled = random.permutation(2 * steps)
    return start, at[:, 1].copy(), rows, Meeting(shuffled[row], column, value.astype(float), step[np.argsort(shuffled)])


def dense(start: Ints, index: Ints, rows: int, values: Floats, diagonal: Floats) -> Floats:
    """K of one system."""
    columns = len(start) - 1
    a = np.zeros((rows, columns))
    a[index, np.repeat(np.arange(columns), np.diff(start))] = values
    return np.block([[np.diag(diagonal[:columns]), a.T], [a, np.diag(diagonal[columns:])]])


@given(seed=st.integers(0, 10**6), steps=st.integers(1, 40), crowded=st.booleans())
@settings(max_examples=40, deadline=None)
def test_solutions_and_borders_are_those_of_dense_systems(seed: int, steps: int, *, crowded: bool) -> None:
    random = np.random.default_rng(seed)
    start, index, rows, meeting = chain(random, steps, crowded=crowded)
    columns, count = len(start) - 1, len(meeting.step)
    values = random.normal(size=(SYSTEMS, len(index)))
    weights = 10 ** random.uniform(-2, 2, (SYSTEMS, columns + rows))
    diagonal = np.where(np.arange(columns + rows) < columns, -weights, weights)
    plan = eliminate(start, index, rows, meeting, steps)
    lower, inverse = np.empty((SYSTEMS, len(plan.index))), np.empty(weights.shape)
    factor(plan, values, diagonal, lower, inverse)
    right = random.normal(size=weights.shape)
    found = solve(plan, lower, inverse, right)
    b = np.zeros((count, columns + rows))
    np.add.at(b, (meeting.row, meeting.column), meeting.value)
    expected = np.zeros((count + 1, count + 1))
    for n in range(SYSTEMS):
        k = dense(start, index, rows, values[n], diagonal[n])
        assert found[n] == pytest.approx(np.linalg.solve(k, right[n]), rel=1e-7, abs=1e-7)
        expected[1:, 1:] -= b @ np.linalg.solve(k, b.T)
    total = np.zeros((count + 1, count + 1))
    add_border(plan, lower, inverse, np.arange(1, count + 1), total)
    assert total == pytest.approx(np.tril(expected), rel=1e-7, abs=1e-7)


def test_work_grows_with_the_steps_and_little_more() -> None:
    """Nested dissection: entries of L per step hardly grow, and each meeting row leads to few nodes."""
    random = np.random.default_rng(0)
    small, large = (eliminate(*chain(random, steps, crowded=False), steps) for steps in (24, 384))
    assert len(large.index) / 384 < 2.0 * len(small.index) / 24
    assert large.border_start[-1] < 12 * 2 * 384 * np.log2(384)


def test_what_ties_all_steps_together_comes_last() -> None:
    random = np.random.default_rng(1)
    start, index, rows, meeting = chain(random, 96, crowded=True)
    plan = eliminate(start, index, rows, meeting, 96)
    assert plan.place[-1] == plan.nodes - 1
    assert len(plan.index) < 4 * len(eliminate(*chain(random, 96, crowded=False), 96).index)
