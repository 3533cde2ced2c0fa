"""Net power behind a meter as a function of the price of one market time unit (docs/maths/bids.md).

All other prices held, only the steps of the unit change: before it the cost to arrive at an energy, after it the value
of that energy stay as they are. One pass forward and one backward serve all units; a price of a unit then costs the
dynamic programme of its own steps alone.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from podium.flex.kernel import (
    NO_ENERGY,
    NO_POWER,
    SOLVED,
    Columns,
    Groups,
    Stages,
    Values,
    _add_target,
    _at,
    _aux_stages,
    _backward,
    _backward_general,
    _convex_step,
    _grid_stages,
    _merge,
    _rest_stages,
    _scratch,
    _split,
    _store_stages,
)
from podium.flex.piecewise import Points, _clip, _earlier, _value, _with_target, general_step

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: Net powers closer than this, kW, are equal: no price between theirs is asked.
SAME = 1e-9


class Rungs(NamedTuple):
    """Prices of each unit at which the groups are asked."""

    first: Ints
    """First step of each unit, and last the number of steps. Shape (unit + 1,)."""
    change: Floats
    """Rising differences to the expected price, EUR/kWh. Shape (unit, rung)."""
    order: Ints
    """Rungs in the order in which they are asked, each with two asked before it that lie around it (-1: none)."""


@njit(cache=True)
def _merge_forward(
    slope: Floats, length: Floats, i: int, i_end: int, keep: float, st: Stages, t: int, cursor: float, low: float,
    high: float, out: int,
) -> tuple[int, float]:  # fmt: skip
    """Merge the cost to arrive (pieces i to i_end) with stage t from `cursor` on, clipped to [low, high].

    Appends at `out`; returns the number of pieces and their width.
    """
    j, made, width = 0, 0, 0.0
    while (i < i_end or j < st.pieces[t]) and cursor < high:
        if j >= st.pieces[t] or (i < i_end and slope[i] / keep <= st.slope[t, j]):
            s, size = slope[i] / keep, length[i] * keep
            i += 1
        else:
            s, size = st.slope[t, j], st.length[t, j]
            j += 1
        a, b = max(cursor, low), min(cursor + size, high)
        cursor += size
        if b > a:
            slope[out + made], length[out + made] = s, b - a
            width += b - a
            made += 1
    return made, width


@njit(cache=True)
def _arrivals(c: Columns, d: int, st: Stages, v: Values) -> Values:
    """Least cost to arrive at an energy before each step, as pieces. Returns the (grown) values."""
    slope, length = v.slope, v.length
    first, count, start, width = 0, 0, c.e_initial[d], 0.0
    for t in range(st.pieces.shape[0]):
        v.first[t], v.pieces[t], v.start[t], v.width[t] = first, count, start, width
        out = first + count
        if out + count + st.pieces[t] + 2 > slope.shape[0]:
            slope, length = np.concatenate((slope, slope)), np.concatenate((length, length))
        keep, low = _at(c.keep, d, t), _at(c.e_min, d, t)
        high = max(low, _at(c.e_max, d, t))
        begin = keep * start + _at(c.drift, d, t) + st.start[t]
        last = out if keep > 0.0 else first
        made, width = _merge_forward(slope, length, first, last, keep, st, t, begin, low, high, out)
        first, count, start = out, made, min(max(begin, low), high)
        penalty = _at(c.shortfall_cost, d, t)
        if penalty > 0.0:
            count = _add_target(slope, length, first, count, start, _at(c.e_target, d, t), penalty)
    return Values(slope, length, v.first, v.pieces, v.start, v.width)


@njit(cache=True)
def _put(v: Values, t: int, used: int, points: Points) -> tuple[Values, int]:
    """Keep points as those of step t. Returns the (grown) values and how much of them is used."""
    x, cost = points
    slope, length, end = v.slope, v.length, used + x.shape[0]
    while end > slope.shape[0]:
        slope, length = np.concatenate((slope, slope)), np.concatenate((length, length))
    slope[used:end], length[used:end] = x, cost
    v.first[t], v.pieces[t] = used, x.shape[0]
    return Values(slope, length, v.first, v.pieces, v.start, v.width), end


@njit(cache=True)
def _points(v: Values, t: int, convex: bool) -> Points:
    """The function of step t as points, whether it is kept as pieces or as points."""
    first, count = v.first[t], v.pieces[t]
    if not convex:
        return v.slope[first : first + count].copy(), v.length[first : first + count].copy()
    x, cost = np.empty(count + 1), np.empty(count + 1)
    x[0], cost[0] = v.start[t], 0.0
    for i in range(count):
        size = v.length[first + i]
        x[i + 1], cost[i + 1] = x[i] + size, cost[i] + size * v.slope[first + i]
    return x, cost


@njit(cache=True)
def _arrivals_general(c: Columns, d: int, st: Stages, v: Values, flat: float) -> Values:
    """As `_arrivals`, where a stage is not convex: points. Mirrored, a step forward is a step backward."""
    x, cost, used = np.array([c.e_initial[d]]), np.zeros(1), 0
    for t in range(st.pieces.shape[0]):
        v, used = _put(v, t, used, (x, cost))
        keep, drift = _at(c.keep, d, t), _at(c.drift, d, t)
        if keep == 0.0:
            x, cost = np.array([drift]), np.array([cost.min()])
        else:
            x = keep * x + drift
        count = st.pieces[t]
        left, least = _earlier(
            -x[::-1], cost[::-1].copy(), st.slope[t, :count], st.length[t, :count], st.below[t], st.start[t], flat
        )
        low = _at(c.e_min, d, t)
        x, cost = _clip(-left[::-1], least[::-1].copy(), low, max(low, _at(c.e_max, d, t)))
        penalty = _at(c.shortfall_cost, d, t)
        if penalty > 0.0:
            x, cost = _with_target(x, cost, _at(c.e_target, d, t), penalty)
    return v


@njit(cache=True)
def _unit_backward(
    c: Columns, d: int, a: int, b: int, st: Stages, after: Values, before: Values, w: Values
) -> tuple[Values, float]:
    """Value after each step of [a, b) at the unit's price, as pieces of `w`, and the best energy before the unit."""
    slope, length = w.slope, w.length
    first, count = 0, after.pieces[b - 1]
    if count >= slope.shape[0]:
        slope, length = np.empty(2 * count), np.empty(2 * count)
    source = after.first[b - 1]
    slope[:count], length[:count] = after.slope[source : source + count], after.length[source : source + count]
    start, width = after.start[b - 1], after.width[b - 1]
    for t in range(b - 1, a - 1, -1):
        penalty = _at(c.shortfall_cost, d, t)
        if t < b - 1 and penalty > 0.0:
            count = _add_target(slope, length, first, count, start, _at(c.e_target, d, t), penalty)
        w.first[t], w.pieces[t], w.start[t], w.width[t] = first, count, start, width
        low, high = before.start[a], before.start[a] + before.width[a]
        if t > a:
            low, high = _at(c.e_min, d, t - 1), _at(c.e_max, d, t - 1)
            high = max(low, high)
        elif high <= low:
            return Values(slope, length, w.first, w.pieces, w.start, w.width), low
        keep, drift, out = _at(c.keep, d, t), _at(c.drift, d, t), first + count
        if out + count + st.pieces[t] + 2 > slope.shape[0]:
            slope, length = np.concatenate((slope, slope)), np.concatenate((length, length))
        if keep == 0.0:
            slope[out], length[out] = 0.0, high - low
            count, start, width = 1, low, high - low
        else:
            begin, y_low, y_high = start - st.start[t] - st.width[t], keep * low + drift, keep * high + drift
            count, _, width = _merge(
                slope, length, first, first + count, st.slope, st.length, t, st.pieces[t], begin, y_low, y_high, keep,
                out,
            )  # fmt: skip
            start = (min(max(begin, y_low), y_high) - drift) / keep
        first = out
    place = before.first[a]
    mine = slope[first : first + count].reshape((1, count)), length[first : first + count].reshape((1, count))
    best = _convex_step(
        mine[0], mine[1], 0, count, before.slope, before.length, place, place + before.pieces[a], 0.0, start,
        start + width, before.start[a], before.start[a] + before.width[a],
    )  # fmt: skip
    return Values(slope, length, w.first, w.pieces, w.start, w.width), best


@njit(cache=True)
def _least_sum(x: Floats, v: Floats, z: Floats, u: Floats) -> float:
    """Where the sum of two functions is least; among equals the least place."""
    low, high = max(x[0], z[0]), min(x[-1], z[-1])
    best, best_cost = low, np.inf
    for n in range(x.shape[0] + z.shape[0]):
        at = x[n] if n < x.shape[0] else z[n - x.shape[0]]
        at = max(min(at, high), low)
        cost = _value(x, v, at) + _value(z, u, at)
        near = 1e-12 * (1.0 + abs(cost))
        if cost < best_cost - near or (cost <= best_cost + near and at < best):
            best, best_cost = at, min(cost, best_cost)
    return best


@njit(cache=True)
def _unit_backward_general(
    c: Columns, d: int, a: int, b: int, st: Stages, after: Values, before: Values, w: Values, convex: bool, flat: float
) -> tuple[Values, float]:
    """As `_unit_backward`, where a stage is not convex: points. `convex` tells whether the others are pieces."""
    x, cost = _points(after, b - 1, convex)
    z, u = _points(before, a, convex)
    used = 0
    for t in range(b - 1, a - 1, -1):
        penalty = _at(c.shortfall_cost, d, t)
        if t < b - 1 and penalty > 0.0:
            x, cost = _with_target(x, cost, _at(c.e_target, d, t), penalty)
        w, used = _put(w, t, used, (x, cost))
        low, high = z[0], z[-1]
        if t > a:
            low, high = _at(c.e_min, d, t - 1), _at(c.e_max, d, t - 1)
        elif high <= low:
            return w, low
        keep, drift, count = _at(c.keep, d, t), _at(c.drift, d, t), st.pieces[t]
        left, least = _earlier(
            x, cost, st.slope[t, :count], st.length[t, :count], st.below[t], st.start[t], flat
        )  # fmt: skip
        if keep == 0.0:
            x, cost = np.array([low, high]), np.full(2, _value(left, least, drift))
        else:
            x, cost = _clip((left - drift) / keep, least, low, high)
    return w, _least_sum(x, cost, z, u)


@njit(cache=True)
def _walk(
    c: Columns, d: int, dt: float, a: int, b: int, st: Stages, w: Values, general: bool, with_aux: bool, e: float,
    power: Floats,
) -> None:  # fmt: skip
    """The store's power in each step of [a, b) from energy `e` on, as in `kernel._forward`."""
    for t in range(a, b):
        y = _at(c.keep, d, t) * e + _at(c.drift, d, t)
        first, count, pieces = w.first[t], w.pieces[t], st.pieces[t]
        if general:
            x = general_step(
                st.slope[t, :pieces], st.length[t, :pieces], st.start[t], w.slope[first : first + count],
                w.length[first : first + count], y,
            )  # fmt: skip
        else:
            x = _convex_step(
                st.slope, st.length, t, pieces, w.slope, w.length, first, first + count, y, st.start[t],
                st.start[t] + st.width[t], w.start[t], w.start[t] + w.width[t],
            )  # fmt: skip
        stored, aux, spill = x, 0.0, 0.0
        if with_aux:
            stored, aux, spill = _split(st, t, x, dt, _at(c.spill_max, d, t))
        low, high = _at(c.p_min, d, t), _at(c.p_max, d, t)
        injects = high <= 0.0 or (low < 0.0 and stored < 0.0)
        k = _at(c.k_minus, d, t) if injects else _at(c.k_plus, d, t)
        power[t] = min(max(st.p_free[t] if k == 0.0 else stored / (dt * k), low), high)
        e = y + dt * (k * power[t] + aux - spill)


@njit(cache=True)
def _mean_net(st: Stages, a: int, b: int, power: Floats, most: Floats) -> float:
    """Mean net power at the meter over [a, b). `most`: the greatest power of the devices without a store."""
    total = 0.0
    for t in range(a, b):
        left = power[t] - st.meter_start[t]
        total += power[t] + most[t]
        for i in range(st.meter_count[t]):
            size = min(left, st.meter_length[t, i])
            if size <= 0.0:
                break
            left -= size
            if st.meter_owner[t, i] >= 0:
                total -= size
    return total / (b - a)


@njit(cache=True)
def _stages(
    c: Columns, members: Ints, storing: int, buy: Floats, sell: Floats, w_max: float, i_max: float, dt: float,
    st: Stages, bounds: Floats,
) -> tuple[int, bool, bool]:  # fmt: skip
    """All stages of a group. Returns its status, whether they are convex, and whether the store has other flows."""
    _rest_stages(c, members, storing, st, bounds[0], bounds[1])
    step, _ = _grid_stages(buy, sell, w_max, i_max, st, bounds[0], bounds[1])
    if step >= 0:
        return NO_POWER, True, False
    if storing < 0:
        return SOLVED, True, False
    step, convex = _store_stages(c, storing, dt, st)
    if step >= 0:
        return NO_POWER, True, False
    for t in range(buy.shape[0]):
        bounds[1, t] -= _at(c.p_max, storing, t)
    return SOLVED, convex, _aux_stages(c, storing, dt, st)


@njit(cache=True)
def _passes(
    c: Columns, d: int, st: Stages, after: Values, before: Values, convex: bool, flat: float
) -> tuple[Values, Values, bool]:
    """Value after and cost before each step; and whether there is a schedule."""
    if convex:
        after, step, _ = _backward(c, d, st, after)
        if step < 0:
            before = _arrivals(c, d, st, before)
    else:
        after, step, _ = _backward_general(c, d, st, after, flat)
        if step < 0:
            before = _arrivals_general(c, d, st, before, flat)
    return after, before, step < 0


@njit(cache=True)
def _bent(st: Stages, a: int, b: int) -> bool:
    """Whether a stage of [a, b) is not convex."""
    return bool((st.below[a:b] >= 0).any())


@njit(cache=True)
def _open(found: Floats, unit: int, order: Ints) -> bool:
    """Whether a rung must be asked; where its neighbours answer alike, it answers as they do."""
    rung, left, right = order
    if left >= 0 and right >= 0 and found[unit, left] - found[unit, right] <= SAME:
        found[unit, rung] = found[unit, right]
        return False
    return True


@njit(cache=True)
def _group(
    c: Columns, members: Ints, storing: int, prices: Floats, limits: tuple[float, float], rungs: Rungs, dt: float,
    flat: float, scratch: tuple[Stages, Values, Stages, Values, Values, Floats], found: Floats,
) -> tuple[int, Values, Values, Values]:  # fmt: skip
    """Mean net power of a group in every unit and at every rung. Returns its status and the (grown) values."""
    st, after, trial, before, w, bounds = scratch
    status, convex, with_aux = _stages(
        c, members, storing, prices[0], prices[1], limits[0], limits[1], dt, st, bounds
    )  # fmt: skip
    if status == SOLVED and storing >= 0:
        after, before, solved = _passes(c, storing, st, after, before, convex, flat)
        status = SOLVED if solved else NO_ENERGY
    if status != SOLVED:
        return status, after, before, w
    units, moved, power, asked = found.shape[0], np.empty_like(prices), np.zeros(prices.shape[1]), 0
    for n in range(rungs.order.shape[0]):
        rung, asked = rungs.order[n, 0], 0
        for unit in range(units):
            a, b = rungs.first[unit], rungs.first[unit + 1]
            if not _open(found, unit, rungs.order[n]):
                continue
            if asked == 0:
                for other in range(units):
                    i, k = rungs.first[other], rungs.first[other + 1]
                    moved[:, i:k] = prices[:, i:k] + rungs.change[other, rung]
                _stages(c, members, storing, moved[0], moved[1], limits[0], limits[1], dt, trial, bounds)
            asked += 1
            if storing >= 0:
                general = not convex or _bent(trial, a, b)
                if general:
                    w, e = _unit_backward_general(c, storing, a, b, trial, after, before, w, convex, flat)
                else:
                    w, e = _unit_backward(c, storing, a, b, trial, after, before, w)
                _walk(c, storing, dt, a, b, trial, w, general, with_aux, e, power)
            found[unit, rung] = _mean_net(trial, a, b, power, bounds[1])
    return status, after, before, w


@njit(cache=True, nogil=True)
def curve_groups(
    c: Columns, g: Groups, buy: Floats, sell: Floats, rungs: Rungs, dt: float, flat: float, net: Floats, status: Ints
) -> None:  # fmt: skip
    """Write the mean net power of every group, kW, into `net` (group, unit, rung); `status` as in the kernel.

    `buy` and `sell` have shape (price row, step), EUR/kWh.
    """
    widest, steps = 0, buy.shape[1]
    for n in range(g.storing.shape[0]):
        widest = max(widest, g.first[n + 1] - g.first[n])
    st, after = _scratch(steps, 2 * widest + 6)
    trial, before = _scratch(steps, 2 * widest + 6)
    _, w = _scratch(steps, 2 * widest + 6)
    bounds, prices = np.zeros((2, steps)), np.empty((2, steps))
    for n in range(g.storing.shape[0]):
        members = g.members[g.first[n] : g.first[n + 1]]
        prices[0], prices[1] = buy[g.price[n]], sell[g.price[n]]
        limits = (g.withdrawal_max[n], g.injection_max[n])
        status[n], after, before, w = _group(
            c, members, g.storing[n], prices, limits, rungs, dt, flat, (st, after, trial, before, w, bounds), net[n]
        )  # fmt: skip
