"""Value functions that are continuous and piecewise linear but not convex (docs/maths/kernel.md).

A battery facing a negative price would gain by charging and discharging at once, which it cannot: its stage cost has a
concave kink at x = 0. A value function is kept as points (energy, cost). Minimising over the energies on one side of
the kink is a sliding-window minimum of a piecewise-linear function, which is one too; the value is the lower envelope
of both sides. Exact, and free of integers.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Points = tuple[Floats, Floats]

#: Points closer than this to the line through their neighbours are left out, EUR (and relative to it).
EXACT = 1e-13
TINY = 1e-9


@njit(cache=True)
def _value(x: Floats, v: Floats, at: float) -> float:
    """Linear interpolation between points sorted by x; the nearest end outside."""
    if at <= x[0]:
        return v[0]
    last = x.shape[0] - 1
    if at >= x[last]:
        return v[last]
    k = np.searchsorted(x, at, side="right") - 1
    if x[k + 1] <= x[k]:
        return v[k]
    return v[k] + (v[k + 1] - v[k]) * (at - x[k]) / (x[k + 1] - x[k])


@njit(cache=True)
def _tidy(x: Floats, v: Floats, count: int, flat: float) -> Points:
    """Without points that coincide, and without those within `flat` (1 + |v|) of the line that replaces them.

    From each point kept, the slopes that pass near enough to all points since form a cone; the line goes on while the
    next point lies inside it.
    """
    kept, low, high = 0, -np.inf, np.inf
    for k in range(count):
        if kept > 0 and x[k] - x[kept - 1] <= 1e-12:
            v[kept - 1] = min(v[kept - 1], v[k])
            continue
        if kept > 1:
            span = x[k] - x[kept - 2]
            if low <= (v[k] - v[kept - 2]) / span <= high:
                kept -= 1
            else:
                low, high = -np.inf, np.inf
        if kept > 0:
            span, room = x[k] - x[kept - 1], flat * (1.0 + abs(v[k]))
            rise = v[k] - v[kept - 1]
            low, high = max(low, (rise - room) / span), min(high, (rise + room) / span)
        x[kept], v[kept] = x[k], v[k]
        kept += 1
    return x[:kept].copy(), v[:kept].copy()


@njit(cache=True)
def _crossing(a0: float, a1: float, b0: float, b1: float) -> float:
    """Where two lines over an interval cross, as a share of it; 2 where they do not."""
    gap0, gap1 = a0 - b0, a1 - b1
    return gap0 / (gap0 - gap1) if gap0 * gap1 < 0.0 and abs(gap0) < np.inf and abs(gap1) < np.inf else 2.0


@njit(cache=True)
def _lowest(
    x: Floats, v: Floats, made: int, left: float, right: float, l0: float, l1: float, r0: float, r1: float, c: float
) -> int:  # fmt: skip
    """Append the lower envelope on [left, right] of the lines l0-l1 and r0-r1 and the level c (any may be infinite)."""
    first, second, third = _crossing(l0, l1, r0, r1), _crossing(l0, l1, c, c), _crossing(r0, r1, c, c)
    first, second = min(first, second), max(first, second)
    second, third = min(second, third), max(second, third)
    first, second = min(first, second), max(first, second)
    x[made], v[made] = left, min(l0, r0, c)
    made += 1
    for share in (first, second, third):
        if share < 1.0:
            on_left = l0 + (l1 - l0) * share if l0 < np.inf else np.inf
            on_right = r0 + (r1 - r0) * share if r0 < np.inf else np.inf
            x[made], v[made] = left + share * (right - left), min(on_left, on_right, c)
            made += 1
    x[made], v[made] = right, min(l1, r1, c)
    return made + 1


@njit(cache=True)
def _events(x1: Floats, x2: Floats) -> Floats:
    """Two sorted lists as one."""
    merged = np.empty(x1.shape[0] + x2.shape[0])
    i = j = 0
    for k in range(merged.shape[0]):
        if j >= x2.shape[0] or (i < x1.shape[0] and x1[i] <= x2[j]):
            merged[k] = x1[i]
            i += 1
        else:
            merged[k] = x2[j]
            j += 1
    return merged


@njit(cache=True)
def _line(x: Floats, v: Floats, k: int, at: float) -> float:
    """The line of piece k at `at`."""
    return v[k] + (v[k + 1] - v[k]) * (at - x[k]) / (x[k + 1] - x[k])


@njit(cache=True)
def _advance(
    z: Floats, h: Floats, queue: Ints, head: int, tail: int, entering: int, left: float, right: float
) -> tuple[int, int, int]:
    """Move a window on: take in the points up to `right`, let go of those before `left` and of those never least."""
    while entering < z.shape[0] and z[entering] <= right:
        while tail > head and h[queue[tail - 1]] >= h[entering]:
            tail -= 1
        queue[tail] = entering
        tail += 1
        entering += 1
    while head < tail and z[queue[head]] < left:
        head += 1
    return head, tail, entering


@njit(cache=True)
def window_minimum(z: Floats, h: Floats, a: float, b: float, flat: float) -> Points:
    """m(y) = min of h over [y + a, y + b] within the domain of h, a < b. Returns points of m.

    The minimum is at an end of the window or at a point inside it; a queue keeps the points that may be least.
    """
    n = z.shape[0]
    events = _events(z - b, z - a)
    out_x, out_v = np.empty(5 * events.shape[0]), np.empty(5 * events.shape[0])
    queue = np.empty(n, np.int64)
    head = tail = entering = made = at_left = at_right = 0
    for k in range(events.shape[0] - 1):
        y0, y1 = events[k], events[k + 1]
        if y1 - y0 <= 1e-13:
            continue
        left, right = 0.5 * (y0 + y1) + a, 0.5 * (y0 + y1) + b
        head, tail, entering = _advance(z, h, queue, head, tail, entering, left, right)
        level = h[queue[head]] if head < tail else np.inf
        l0 = l1 = r0 = r1 = np.inf
        if left >= z[0]:
            while z[at_left + 1] < left:
                at_left += 1
            l0, l1 = _line(z, h, at_left, y0 + a), _line(z, h, at_left, y1 + a)
        if right <= z[n - 1]:
            while z[at_right + 1] < right:
                at_right += 1
            r0, r1 = _line(z, h, at_right, y0 + b), _line(z, h, at_right, y1 + b)
        made = _lowest(out_x, out_v, made, y0, y1, l0, l1, r0, r1, level)
    if made == 0:
        return z - a, h.copy()
    return _tidy(out_x, out_v, made, flat)


@njit(cache=True)
def _side(z: Floats, v: Floats, slope: Floats, length: Floats, sign: float, flat: float) -> Points:
    """min over x on one side of 0 of F(x) + V(y + x), F convex there: one window after the other."""
    for i in range(slope.shape[0]):
        s = slope[i]
        if length[i] <= 1e-13:
            continue
        low, high = (0.0, length[i]) if sign > 0 else (-length[i], 0.0)
        z, v = window_minimum(z, v + s * z, low, high, flat)
        v = v - s * z
    return z, v


@njit(cache=True)
def lower_envelope(x1: Floats, v1: Floats, x2: Floats, v2: Floats, flat: float) -> Points:
    """Pointwise minimum of two functions; outside its domain a function is infinite."""
    events = _events(x1, x2)
    out_x, out_v = np.empty(5 * events.shape[0]), np.empty(5 * events.shape[0])
    made = i = j = 0
    for k in range(events.shape[0] - 1):
        y0, y1 = events[k], events[k + 1]
        if y1 - y0 <= 1e-13:
            continue
        middle = 0.5 * (y0 + y1)
        a0 = a1 = b0 = b1 = np.inf
        if x1[0] <= middle <= x1[-1]:
            while x1[i + 1] < middle:
                i += 1
            a0, a1 = _line(x1, v1, i, y0), _line(x1, v1, i, y1)
        if x2[0] <= middle <= x2[-1]:
            while x2[j + 1] < middle:
                j += 1
            b0, b1 = _line(x2, v2, j, y0), _line(x2, v2, j, y1)
        made = _lowest(out_x, out_v, made, y0, y1, a0, a1, b0, b1, np.inf)
    if made == 0:
        return x1.copy(), v1.copy()
    return _tidy(out_x, out_v, made, flat)


@njit(cache=True)
def _clip(x: Floats, v: Floats, low: float, high: float) -> Points:
    """The function on [low, high] only (which meets its domain)."""
    low, high = max(low, x[0]), min(high, x[-1])
    inside = (x > low + 1e-12) & (x < high - 1e-12)
    middle_x, middle_v = x[inside], v[inside]
    ends_v = np.array([_value(x, v, low), _value(x, v, high)])
    if high - low <= 1e-12:
        return np.array([low]), ends_v[:1]
    new_x, new_v = np.empty(middle_x.shape[0] + 2), np.empty(middle_x.shape[0] + 2)
    new_x[0], new_v[0], new_x[-1], new_v[-1] = low, ends_v[0], high, ends_v[1]
    new_x[1:-1], new_v[1:-1] = middle_x, middle_v
    return new_x, new_v


@njit(cache=True)
def _with_target(x: Floats, v: Floats, target: float, cost: float) -> Points:
    """Add cost * max(0, target - x)."""
    if x[0] < target < x[-1]:
        k = np.searchsorted(x, target)
        if x[k] - target <= 1e-12 or target - x[k - 1] <= 1e-12:
            return x, v + cost * np.maximum(target - x, 0.0)
        at = _value(x, v, target)
        x = np.concatenate((x[:k], np.array([target]), x[k:]))
        v = np.concatenate((v[:k], np.array([at]), v[k:]))
    return x, v + cost * np.maximum(target - x, 0.0)


@njit(cache=True)
def _earlier(x: Floats, v: Floats, slope: Floats, length: Floats, below: int, start: float, flat: float) -> Points:
    """min over x of F(x) + V(y + x): both sides of a concave kink, or the whole of a convex F moved to its start."""
    if below < 0:
        moved_x, moved_v = _side(x - start, v, slope, length, 1.0, flat)
        return moved_x, moved_v
    left_x, left_v = _side(x, v, slope[:below][::-1].copy(), length[:below][::-1].copy(), -1.0, flat)
    right_x, right_v = _side(x, v, slope[below:], length[below:], 1.0, flat)
    return lower_envelope(left_x, left_v, right_x, right_v, flat)


@njit(cache=True)
def general_rows(
    slope: Floats, length: Floats, count: Ints, below: Ints, start: Floats, keep: Floats, drift: Floats,
    e_min: Floats, e_max: Floats, e_target: Floats, shortfall: Floats, e_value: float, e_initial: float,
    out_x: Floats, out_v: Floats, firsts: Ints, counts: Ints, flat: float,
) -> tuple[Floats, Floats, int, float]:  # fmt: skip
    """Value after each step as points. Returns the (grown) arrays and step and amount of a conflict (-1 where none)."""
    steps = count.shape[0]
    k_last = min(steps - 1, e_min.shape[0] - 1)
    low, high = e_min[k_last], e_max[min(steps - 1, e_max.shape[0] - 1)]
    if low > high + TINY:
        return out_x, out_v, steps - 1, low - high
    x = np.array([low, high]) if high > low + 1e-12 else np.array([low])
    v = -e_value * x
    used = 0
    for t in range(steps - 1, -1, -1):
        cost = shortfall[min(t, shortfall.shape[0] - 1)]
        if cost > 0.0:
            x, v = _with_target(x, v, e_target[min(t, e_target.shape[0] - 1)], cost)
        while used + x.shape[0] > out_x.shape[0]:
            out_x, out_v = np.concatenate((out_x, out_x)), np.concatenate((out_v, out_v))
        out_x[used : used + x.shape[0]], out_v[used : used + x.shape[0]] = x, v
        firsts[t], counts[t] = used, x.shape[0]
        used += x.shape[0]
        a, w = keep[min(t, keep.shape[0] - 1)], drift[min(t, drift.shape[0] - 1)]
        ux, uv = _earlier(x, v, slope[t, : count[t]], length[t, : count[t]], below[t], start[t], flat)
        if t == 0:
            low = high = e_initial
        else:
            low, high = e_min[min(t - 1, e_min.shape[0] - 1)], e_max[min(t - 1, e_max.shape[0] - 1)]
        if low > high + TINY:
            return out_x, out_v, t - 1, low - high
        if a * high + w < ux[0] - TINY:
            return out_x, out_v, t, a * high + w - ux[0]
        if a * low + w > ux[-1] + TINY:
            return out_x, out_v, t, a * low + w - ux[-1]
        if a == 0.0:
            x, v = np.array([low, high]), np.full(2, _value(ux, uv, w))
        else:
            x, v = _clip((ux - w) / a, uv, low, high)
    return out_x, out_v, -1, 0.0


@njit(cache=True)
def _stage_cost(slope: Floats, length: Floats, start: float, x: float) -> float:
    """Cost of storing x beyond that of storing `start`."""
    cost, left = 0.0, x - start
    for i in range(slope.shape[0]):
        size = min(left, length[i])
        if size <= 0.0:
            break
        cost += slope[i] * size
        left -= size
    return cost


@njit(cache=True)
def general_step(slope: Floats, length: Floats, start: float, x: Floats, v: Floats, y: float) -> float:
    """The best energy to store in a step, kWh; among equals the least. `x`, `v`: points of the value after it."""
    most = start + length.sum()
    low, high = max(start, x[0] - y), min(most, x[-1] - y)
    if low >= high:
        return max(min(low, high), start)
    best, best_cost, position = low, np.inf, start
    pieces = slope.shape[0]
    for n in range(pieces + 1 + x.shape[0]):
        if n <= pieces:
            candidate = position
            if n < pieces:
                position += length[n]
        else:
            candidate = x[n - pieces - 1] - y
        candidate = min(max(candidate, low), high)
        cost = _stage_cost(slope, length, start, candidate) + _value(x, v, y + candidate)
        better = cost < best_cost - 1e-12 * (1.0 + abs(cost))
        if better or (cost <= best_cost + 1e-12 * (1.0 + abs(cost)) and candidate < best):
            best, best_cost = candidate, min(cost, best_cost)
    return best
