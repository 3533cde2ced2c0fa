"""Sparse elimination of many systems of one pattern, down to the rows in which they meet (docs/maths/interior.md).

For a programme with the sparse matrix A, its columns and rows are the nodes of

    K = [ -D_columns   A^T    ]      D > 0,
        [  A           D_rows ]

which has factors L diag(d) L^T in any order (Vanderbei 1995, "Symmetric quasidefinite matrices"). The order is found
once for all systems of a pattern: nested dissection (George 1973) along the steps of the horizon, since what happens in
a step touches only the steps next to it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

#: Nodes with more neighbours than this, and than half of the steps, tie all steps together and come last.
CROWD = 24
#: Systems whose borders are summed in one product, how long borders are at least for that, and in how long pieces.
AT_ONCE = 16
LONG = 48
PANEL = 96


@dataclass(frozen=True)
class Meeting:
    """Where the columns of a programme enter the rows in which programmes meet."""

    row: Ints
    """Number of the meeting row of each entry, among those of this pattern. Shape (entry,)."""
    column: Ints
    """Shape (entry,)."""
    value: Floats
    """Shape (entry,)."""
    step: Ints
    """Step of each meeting row. Shape (meeting row,)."""


@dataclass(frozen=True)
class Elimination:
    """In which order the nodes of a pattern are eliminated, and what that leads to.

    Nodes are numbered in that order.
    """

    columns: int
    rows: int
    place: Ints
    """Number of each node: columns first, then rows. Shape (node,)."""
    upper_start: Ints
    upper_index: Ints
    upper_entry: Ints
    """Entries of A above the diagonal of K, by column of K: their row in K and their number in A."""
    start: Ints
    index: Ints
    """L by column, without its diagonal."""
    row_start: Ints
    row_column: Ints
    row_at: Ints
    """L by row: columns, rising, and where each entry lies in L by column."""
    low: Ints
    high: Ints
    """Border of each node: meeting rows from `low` to below `high`, in `order`, lead to it."""
    border_start: Ints
    """Where each node's border begins. Shape (node + 1,)."""
    order: Ints
    """Meeting rows in the order of their steps."""
    meet_rank: Ints
    meet_node: Ints
    meet_value: Floats
    """Entries of the meeting rows: rank in `order`, node, value."""
    group_start: Ints
    group_node: Ints
    """Nodes of one border next to each other. Shape (group + 1,) and (node with a border,)."""

    @property
    def nodes(self) -> int:
        """Columns and rows."""
        return self.columns + self.rows


def eliminate(start: Ints, index: Ints, rows: int, meeting: Meeting, steps: int) -> Elimination:
    """The elimination of a pattern. A is given by column: `start` (column + 1,) and `index` (entry,)."""
    columns = len(start) - 1
    entry_column = np.repeat(np.arange(columns), np.diff(start))
    ends = np.concatenate((entry_column, columns + index)), np.concatenate((columns + index, entry_column))
    sort = np.argsort(ends[0], kind="stable")
    degree = np.bincount(ends[0], minlength=columns + rows)
    neighbour_start = np.concatenate(([0], np.cumsum(degree)))
    neighbour = ends[1][sort]
    crowded = degree > max(CROWD, steps // 2)
    step = _steps(neighbour_start, neighbour, crowded, meeting.column, meeting.step[meeting.row])
    place = _dissected(neighbour_start, neighbour, crowded, step, degree, steps)
    order = np.argsort(meeting.step, kind="stable")
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    at = place[entry_column], place[columns + index]
    low, high = np.minimum(*at), np.maximum(*at)
    by_column = np.lexsort((low, high))
    upper_start = np.searchsorted(high[by_column], np.arange(columns + rows + 1))
    upper_index = low[by_column]
    found = _symbolic(upper_start, upper_index)
    hulls = _hulls(found[0], rank[meeting.row], place[meeting.column], len(order))
    border_start = np.concatenate(([0], np.cumsum(hulls[1] - hulls[0])))
    bordered = np.flatnonzero(hulls[1] > hulls[0])
    bordered = bordered[np.lexsort((bordered, hulls[1][bordered], hulls[0][bordered]))]
    new = np.flatnonzero(np.diff(hulls[0][bordered], prepend=-1) | np.diff(hulls[1][bordered], prepend=-1))
    return Elimination(
        columns, rows, place, upper_start, upper_index, by_column, *found[1:], *hulls, border_start, order,
        rank[meeting.row], place[meeting.column], meeting.value, np.append(new, len(bordered)), bordered,
    )  # fmt: skip


@njit(nogil=True, cache=True)
def _steps(start: Ints, neighbour: Ints, crowded: Bools, source: Ints, source_step: Ints) -> Ints:
    """Step of each node: that of the nearest source; 0 where none is near."""
    step = np.full(len(start) - 1, -1)
    queue = np.empty(len(step), dtype=np.int64)
    last = 0
    for k in range(len(source)):
        if step[source[k]] < 0:
            step[source[k]] = source_step[k]
            queue[last] = source[k]
            last += 1
    first = 0
    while first < last:
        node = queue[first]
        first += 1
        for k in range(start[node], start[node + 1]):
            other = neighbour[k]
            if step[other] < 0 and not crowded[other]:
                step[other] = step[node]
                queue[last] = other
                last += 1
    return np.maximum(step, 0)


@njit(nogil=True, cache=True)
def _separators(start: Ints, neighbour: Ints, crowded: Bools, step: Ints, steps: int) -> tuple[Ints, Ints]:
    """Span of steps that a node separates: its end, and how often the horizon was halved to get there."""
    count = len(step)
    low, high, depth = np.zeros(count, dtype=np.int64), np.full(count, steps), np.full(count, -1)
    level = 0
    while ((depth < 0) & ~crowded & (high - low > 1)).any():
        for node in range(count):
            if (
                not crowded[node]
                and depth[node] < 0
                and _separates(node, level, start, neighbour, step, low, high, depth)
            ):
                depth[node] = level
        for node in range(count):
            if depth[node] < 0 and high[node] - low[node] > 1:
                middle = (low[node] + high[node]) // 2
                if step[node] < middle:
                    high[node] = middle
                else:
                    low[node] = middle
        level += 1
    high[crowded] = steps + 1
    depth[(depth < 0) & ~crowded] = level
    return high, depth


@njit(nogil=True, cache=True)
def _separates(
    node: int, level: int, start: Ints, neighbour: Ints, step: Ints, low: Ints, high: Ints, depth: Ints
) -> bool:  # fmt: skip
    """Whether a node of the first half of its span has a neighbour in the second."""
    middle = (low[node] + high[node]) // 2
    if high[node] - low[node] <= 1 or step[node] >= middle:
        return False
    for k in range(start[node], start[node + 1]):
        other = neighbour[k]
        same = low[other] == low[node] and high[other] == high[node]
        if same and (depth[other] < 0 or depth[other] == level) and step[other] >= middle:
            return True
    return False


def _dissected(start: Ints, neighbour: Ints, crowded: Bools, step: Ints, degree: Ints, steps: int) -> Ints:
    """Number of each node: both halves of a span come before what separates them."""
    high, depth = _separators(start, neighbour, crowded, step, steps)
    order = np.lexsort((degree, -depth, high))
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    return place


@njit(nogil=True, cache=True)
def _symbolic(upper_start: Ints, upper_index: Ints) -> tuple[Ints, Ints, Ints, Ints, Ints, Ints]:
    """Parent of each node, and L by column and by row (Liu 1990, "The role of elimination trees")."""
    count = len(upper_start) - 1
    parent, seen, size = np.full(count, -1), np.full(count, -1), np.zeros(count, dtype=np.int64)
    row_size = np.zeros(count, dtype=np.int64)
    for k in range(count):
        seen[k] = k
        for at in range(upper_start[k], upper_start[k + 1]):
            node = upper_index[at]
            while seen[node] != k:
                if parent[node] < 0:
                    parent[node] = k
                size[node] += 1
                row_size[k] += 1
                seen[node] = k
                node = parent[node]
    start, row_start = np.zeros(count + 1, dtype=np.int64), np.zeros(count + 1, dtype=np.int64)
    start[1:], row_start[1:] = np.cumsum(size), np.cumsum(row_size)
    index, row_column = np.empty(start[-1], dtype=np.int64), np.empty(start[-1], dtype=np.int64)
    row_at, filled = np.empty(start[-1], dtype=np.int64), start[:-1].copy()
    seen[:] = -1
    for k in range(count):
        seen[k] = k
        last = row_start[k]
        for at in range(upper_start[k], upper_start[k + 1]):
            node = upper_index[at]
            while seen[node] != k:
                row_column[last] = node
                last += 1
                seen[node] = k
                node = parent[node]
        mine = np.sort(row_column[row_start[k] : last])
        row_column[row_start[k] : last] = mine
        for n in range(len(mine)):
            row_at[row_start[k] + n] = filled[mine[n]]
            index[filled[mine[n]]] = k
            filled[mine[n]] += 1
    return parent, start, index, row_start, row_column, row_at


@njit(nogil=True, cache=True)
def _hulls(parent: Ints, rank: Ints, node: Ints, rows: int) -> tuple[Ints, Ints]:
    """First and last meeting row, plus one, that lead to each node."""
    low, high = np.full(len(parent), rows), np.zeros(len(parent), dtype=np.int64)
    for k in range(len(rank)):
        low[node[k]] = min(low[node[k]], rank[k])
        high[node[k]] = max(high[node[k]], rank[k] + 1)
    for k in range(len(parent)):
        if parent[k] >= 0 and high[k] > low[k]:
            low[parent[k]] = min(low[parent[k]], low[k])
            high[parent[k]] = max(high[parent[k]], high[k])
    return low, np.maximum(low, high)


def factor(plan: Elimination, values: Floats, diagonal: Floats, lower: Floats, inverse: Floats) -> None:
    """L and 1 / d of each system, written to `lower` (system, entry of L) and `inverse` (system, node).

    `values` are the entries of A, (system, entry); `diagonal` that of K by column and row, (system, node).
    """
    _factor(
        plan.upper_start, plan.upper_index, plan.upper_entry, plan.start, plan.index, plan.row_start, plan.row_column,
        plan.row_at, plan.place, values, diagonal, lower, inverse,
    )  # fmt: skip


@njit(nogil=True, cache=True, error_model="numpy", fastmath=True)
def _factor(
    upper_start: Ints, upper_index: Ints, upper_entry: Ints, start: Ints, index: Ints, row_start: Ints,
    row_column: Ints, row_at: Ints, place: Ints, values: Floats, diagonal: Floats, lower: Floats, inverse: Floats,
) -> None:  # fmt: skip
    count = len(place)
    work, filled = np.zeros(count), np.empty(count, dtype=np.int64)
    for n in range(len(values)):
        for node in range(count):
            inverse[n, place[node]] = diagonal[n, node]
            filled[node] = start[node]
        for k in range(count):
            pivot = inverse[n, k]
            for at in range(upper_start[k], upper_start[k + 1]):
                work[upper_index[at]] = values[n, upper_entry[at]]
            for at in range(row_start[k], row_start[k + 1]):
                j = row_column[at]
                y = work[j]
                work[j] = 0.0
                for entry in range(start[j], filled[j]):
                    work[index[entry]] -= lower[n, entry] * y
                scaled = y * inverse[n, j]
                pivot -= y * scaled
                lower[n, row_at[at]] = scaled
                filled[j] += 1
            inverse[n, k] = 1.0 / pivot


def solve(plan: Elimination, lower: Floats, inverse: Floats, right: Floats) -> Floats:
    """K^-1 of right-hand sides by column and row. Shape (system, node)."""
    return _solve(plan.start, plan.index, plan.place, lower, inverse, right)


@njit(nogil=True, cache=True, fastmath=True)
def _solve(start: Ints, index: Ints, place: Ints, lower: Floats, inverse: Floats, right: Floats) -> Floats:
    found, x = np.empty_like(right), np.empty(len(place))
    for n in range(len(right)):
        for node in range(len(place)):
            x[place[node]] = right[n, node]
        for j in range(len(place)):
            for entry in range(start[j], start[j + 1]):
                x[index[entry]] -= lower[n, entry] * x[j]
        for j in range(len(place) - 1, -1, -1):
            total = x[j] * inverse[n, j]
            for entry in range(start[j], start[j + 1]):
                total -= lower[n, entry] * x[index[entry]]
            x[j] = total
        for node in range(len(place)):
            found[n, node] = x[place[node]]
    return found


def add_border(plan: Elimination, lower: Floats, inverse: Floats, meets: Ints, total: Floats) -> None:
    """Add -B K^-1 B^T of all systems to the lower triangle of `total`, for the meeting rows B.

    `meets` has the row in `total` of each meeting row of the pattern.
    """
    found = _border(
        plan.start, plan.index, plan.low, plan.high, plan.border_start, plan.meet_rank, plan.meet_node,
        plan.meet_value, plan.group_start, plan.group_node, lower, inverse, len(plan.order),
    )  # fmt: skip
    _add_lower(found, meets[plan.order], total)


@njit(nogil=True, cache=True)
def _add_lower(found: Floats, at: Ints, total: Floats) -> None:
    for i in range(len(at)):
        for k in range(i + 1):
            total[max(at[i], at[k]), min(at[i], at[k])] += found[i, k]


@njit(nogil=True, cache=True, fastmath=True)
def _border(
    start: Ints, index: Ints, low: Ints, high: Ints, border_start: Ints, rank: Ints, node: Ints, value: Floats,
    group_start: Ints, group_node: Ints, lower: Floats, inverse: Floats, rows: int,
) -> Floats:  # fmt: skip
    found = np.zeros((rows, rows))
    width = border_start[-1]
    for first in range(0, len(lower), AT_ONCE):
        systems = min(AT_ONCE, len(lower) - first)
        borders = np.zeros((systems, width))
        for n in range(systems):
            _forward(start, index, low, high, border_start, rank, node, value, lower[first + n], borders[n])
        for g in range(len(group_start) - 1):
            _add_group(
                group_node[group_start[g] : group_start[g + 1]], low, high, border_start, borders,
                inverse[first : first + systems], found,
            )  # fmt: skip
    return found


@njit(nogil=True, cache=True, fastmath=True)
def _forward(
    start: Ints, index: Ints, low: Ints, high: Ints, border_start: Ints, rank: Ints, node: Ints, value: Floats,
    lower: Floats, borders: Floats,
) -> None:  # fmt: skip
    """L^-1 B^T, each node's row within its border."""
    for k in range(len(rank)):
        borders[border_start[node[k]] + rank[k] - low[node[k]]] += value[k]
    for j in range(len(low)):
        size = high[j] - low[j]
        if size == 0:
            continue
        mine = borders[border_start[j] : border_start[j + 1]]
        for entry in range(start[j], start[j + 1]):
            i = index[entry]
            at, factor = border_start[i] + low[j] - low[i], lower[entry]
            for k in range(size):
                borders[at + k] -= factor * mine[k]


@njit(nogil=True, cache=True, fastmath=True)
def _add_group(
    nodes: Ints, low: Ints, high: Ints, border_start: Ints, borders: Floats, inverse: Floats, found: Floats
) -> None:  # fmt: skip
    """What the nodes of one border add to the lower triangle, for all systems at once."""
    first, size = low[nodes[0]], high[nodes[0]] - low[nodes[0]]
    if size < LONG:
        for n in range(len(borders)):
            for node in nodes:
                at = border_start[node]
                for i in range(size):
                    scaled = inverse[n, node] * borders[n, at + i]
                    for k in range(i + 1):
                        found[first + i, first + k] -= scaled * borders[n, at + k]
        return
    plain, scaled_too = _panels(nodes, low, high, border_start, borders, inverse)
    for p in range(len(plain)):
        for q in range(p + 1):
            product = np.dot(plain[p].T, scaled_too[q])
            for i in range(min(PANEL, size - p * PANEL)):
                for k in range(min(PANEL, size - q * PANEL)):
                    found[first + p * PANEL + i, first + q * PANEL + k] -= product[i, k]


@njit(nogil=True, cache=True, fastmath=True)
def _panels(
    nodes: Ints, low: Ints, high: Ints, border_start: Ints, borders: Floats, inverse: Floats
) -> tuple[Floats, Floats]:  # fmt: skip
    """Borders of some nodes in pieces, as they are and divided by d. Shape (piece, system and node, meeting row)."""
    size = high[nodes[0]] - low[nodes[0]]
    shape = (-(-size // PANEL), len(borders) * len(nodes), PANEL)
    plain, scaled_too = np.zeros(shape), np.zeros(shape)
    for n in range(len(borders)):
        for m in range(len(nodes)):
            at, row = border_start[nodes[m]], n * len(nodes) + m
            for k in range(size):
                plain[k // PANEL, row, k % PANEL] = borders[n, at + k]
                scaled_too[k // PANEL, row, k % PANEL] = inverse[n, nodes[m]] * borders[n, at + k]
    return plain, scaled_too
