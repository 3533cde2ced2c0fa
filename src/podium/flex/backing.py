"""Exact optimum of one store that sells energy and backs reserve, by dynamic programming (docs/maths/reserve.md).

In a step the store takes x kWh and ends at e. Its power leaves A_up = P(x) - p_min and A_down = p_max - P(x) for
reserve, its energy B_up = (e - low) / kappa_up and B_down = (high - e) / kappa_down. Products k with price m_k and
sustain s_k share both: h(A, B) = max sum m_k r_k with sum r_k <= A, sum s_k r_k <= B. h is linear in each of a few
*cones*, so stage and value together are a convex piecewise-linear function of (x, e). The value one step earlier is
its least along lines e - x = y; the walk follows the line on which the least lies while y grows.
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
    TINY,
    Columns,
    Groups,
    Stages,
    _at,
    _grid_stages,
    _rest_stages,
    _scratch,
    _spread,
    _store_stages,
)

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

#: The walk did not come to its end; the group needs a programme.
NO_WAY = 3
#: The walk looks this far ahead of a crossing, relative to the store, to tell the lines apart.
AHEAD = 1e-10
#: Derivatives closer to 0 than this, EUR/kWh, count as 0: the least stored energy is then taken.
FLAT = 1e-12
#: Kinds of lines: a break of the stage, a break of the value, a cone's border of up and of down reserve.
_X, _E, _UP, _DOWN = 0, 1, 2, 3
#: What is kept of a cone's border: dx/dy, shift, 1 / pace, 1 / (1 + pace).
_PACE, _SHIFT, _PER_PACE, _PER_CLOSING = 0, 1, 2, 3


class Reserve(NamedTuple):
    """What reserve is worth, and what a store may give to it."""

    up_price: Floats
    """EUR per kW and step. Shape (product, step)."""
    down_price: Floats
    sustain: Floats
    """h. Shape (product,)."""
    eligible: Bools
    """Shape (product, device)."""
    low: Floats
    """Energies from which a device can keep its limits, kWh. Shape (device, step)."""
    high: Floats
    kappa_up: Floats
    """kWh of store per kWh of up energy, worst case. Shape (device, step)."""
    kappa_down: Floats


class Backed(NamedTuple):
    """Answers: power and energy (device, step), backing (product, device, step), and how each group ended."""

    p: Floats
    e: Floats
    up: Floats
    down: Floats
    status: Ints
    step: Ints
    amount: Floats
    beyond: Floats
    """By how much the cost of a group's schedule lies above the least possible, EUR, at most. Shape (group,)."""


class Cones(NamedTuple):
    """h(A, B) = alpha[m] A + beta[m] B in cone m = 1 .. count + 1, between the ratios B / A = rho[m-1] and rho[m].

    Once a stage is prepared, B is counted in the store: rho in kWh of store per kW, beta in EUR per kWh of store.
    """

    rho: Floats
    value: Floats
    alpha: Floats
    beta: Floats
    who: Ints


@njit(cache=True)
def fill_cones(price: Floats, sustain: Floats, eligible: Bools, c: Cones) -> int:
    """The upper hull of (0, 0) and all (sustain, price). Returns the number of its corners after (0, 0)."""
    c.rho[0], c.value[0], c.who[0] = 0.0, 0.0, -1
    count = 0
    while True:
        best, steepest = -1, 0.0
        for k in range(price.shape[0]):
            if not eligible[k] or sustain[k] <= c.rho[count] or price[k] <= c.value[count]:
                continue
            slope = (price[k] - c.value[count]) / (sustain[k] - c.rho[count])
            if best < 0 or slope > steepest or (slope == steepest and sustain[k] > sustain[best]):
                best, steepest = k, slope
        if best < 0:
            break
        c.alpha[count + 1], c.beta[count + 1] = c.value[count] - steepest * c.rho[count], steepest
        count += 1
        c.rho[count], c.value[count], c.who[count] = sustain[best], price[best], best
    c.alpha[count + 1], c.beta[count + 1] = c.value[count], 0.0
    return count


class Stage(NamedTuple):
    """One step of a store: pieces of the stage and of the value after it, cones, and what bounds the backing."""

    xb: Floats
    """Breaks of the stage in x, kWh. Of each piece: slope, made convex; true slope; dP/dx; P at the left break."""
    fs: Floats
    true: Floats
    pp: Floats
    px: Floats
    pu: Floats
    """dP/dx and P at the left break as up reserve sees them: a chord where the stage would not be convex."""
    pxu: Floats
    vb: Floats
    """Breaks of the value in e, kWh, and slopes."""
    vs: Floats
    up: Cones
    down: Cones
    size: Ints
    """Pieces of the stage and of the value, corners of the up and of the down cones."""
    room: Floats
    """p_min, p_max, low, high, kappa_up, kappa_down."""
    border: Floats
    """The cones' borders B = rho A in each piece: x = (y + shift) pace. Shape (2, piece, corner, 4)."""


class Values(NamedTuple):
    """Value after each step: pieces first[t] : first[t] + pieces[t] of `slope`, edges from first[t] + t on."""

    slope: Floats
    edge: Floats
    first: Ints
    pieces: Ints


@njit(cache=True)
def _fill_stage(c: Columns, d: int, t: int, dt: float, st: Stages, s: Stage) -> None:
    """The pieces of step t."""
    kp, km = _at(c.k_plus, d, t), _at(c.k_minus, d, t)
    x = st.start[t]
    s.xb[0] = x
    count = 0
    for i in range(st.pieces[t]):
        size = st.length[t, i]
        if size <= 1e-13:
            continue
        k = km if x + 0.5 * size < 0.0 else kp
        s.fs[count] = s.true[count] = st.slope[t, i]
        s.pp[count] = s.pu[count] = 1.0 / (dt * k)
        s.px[count] = s.pxu[count] = x / (dt * k)
        x += size
        count += 1
        s.xb[count] = x
    if count == 0:
        s.fs[0], s.true[0], s.pp[0], s.pu[0] = 0.0, 0.0, 1.0 / dt, 1.0 / dt
        s.px[0] = s.pxu[0] = x / dt
        s.xb[1] = x
        count = 1
    s.size[0] = count


@njit(cache=True)
def _make_convex(s: Stage) -> None:
    """Where a store would gain by charging and discharging at once, which it cannot, the stage is not convex.

    Its least convex bound from below takes its place: chords over falling slopes, and a chord of P for up reserve.
    """
    count, dear = s.size[0], s.up.value[s.size[2]]
    bent = False
    for i in range(1, count):
        bent = bent or s.fs[i] - dear * s.pu[i] < s.fs[i - 1] - dear * s.pu[i - 1] - FLAT
    if not bent:
        return
    first, last = s.px[0], s.px[count - 1] + s.pp[count - 1] * (s.xb[count] - s.xb[count - 1])
    slope = (last - first) / (s.xb[count] - s.xb[0])
    for i in range(count):
        s.pu[i], s.pxu[i] = slope, first + slope * (s.xb[i] - s.xb[0])
    i = 1
    while i < count:
        if s.fs[i] < s.fs[i - 1] - FLAT:
            k = i - 1
            total, width = s.fs[i] * (s.xb[i + 1] - s.xb[i]), s.xb[i + 1] - s.xb[i]
            while k >= 0 and s.fs[k] > total / width:
                total += s.fs[k] * (s.xb[k + 1] - s.xb[k])
                width += s.xb[k + 1] - s.xb[k]
                k -= 1
            s.fs[k + 1 : i + 1] = total / width
        i += 1


@njit(cache=True)
def _beyond(s: Stage, x: float, e: float) -> float:
    """By how much the true cost of a step, EUR, lies above that of the convex stage."""
    more, i = 0.0, 0
    for k in range(s.size[0]):
        size = min(x, s.xb[k + 1]) - s.xb[k]
        if size <= 0.0:
            break
        more += (s.true[k] - s.fs[k]) * size
        i = k
    if s.size[2] > 0:
        b = max(e - s.room[2], 0.0)
        seen = s.pxu[i] + s.pu[i] * (x - s.xb[i]) - s.room[0]
        there = s.px[i] + s.pp[i] * (x - s.xb[i]) - s.room[0]
        more += _worth(max(seen, 0.0), b, s.up, s.size[2]) - _worth(max(there, 0.0), b, s.up, s.size[2])
    return max(more, 0.0)


@njit(cache=True)
def _worth(a: float, b: float, c: Cones, count: int) -> float:
    """h(A, B), EUR."""
    m = _cone_of(a, b, c.rho, count)
    return c.alpha[m] * a + c.beta[m] * b


@njit(cache=True)
def _fill_borders(s: Stage) -> None:
    """Where the lines B = rho A run in each piece: x = (y + shift) pace; pace 0 where they are never crossed."""
    for side in range(2):
        cones = s.up if side == 0 else s.down
        kappa, bound, level = s.room[4 + side], s.room[side], s.room[2 + side]
        for m in range(1, s.size[2 + side] + 2):
            cones.beta[m] /= kappa
            cones.rho[m] *= kappa
        pace, start = (s.pu, s.pxu) if side == 0 else (s.pp, s.px)
        for i in range(s.size[0]):
            for m in range(1, s.size[2 + side] + 1):
                ratio = cones.rho[m]
                slope = ratio * pace[i] - 1.0
                s.border[side, i, m, _PACE] = 0.0
                if slope > 1e-9:
                    s.border[side, i, m, _PACE], s.border[side, i, m, _PER_PACE] = 1.0 / slope, slope
                    s.border[side, i, m, _PER_CLOSING] = slope / (1.0 + slope)
                    s.border[side, i, m, _SHIFT] = ratio * (bound - start[i] + pace[i] * s.xb[i]) - level


@njit(cache=True)
def _cone_of(a: float, b: float, rho: Floats, count: int) -> int:
    m = 1
    while m <= count and b > rho[m] * a:
        m += 1
    return m


@njit(cache=True)
def _side_of(
    xb: Floats, vb: Floats, border: Floats, nu: int, nd: int, y: float, i: int, j: int, m: int, n: int, right: bool
) -> tuple[float, int]:
    """The nearest line on one side of a cell, and its kind."""
    sign, ahead = (1.0, 1) if right else (-1.0, 0)
    at, kind = xb[i + ahead], _X
    place = vb[j + ahead] - y
    if sign * (place - at) < 0.0:
        at, kind = place, _E
    corner = m - ahead
    if 1 <= corner <= nu and border[0, i, corner, _PACE] > 0.0:
        place = (y + border[0, i, corner, _SHIFT]) * border[0, i, corner, _PACE]
        if sign * (place - at) < 0.0:
            at, kind = place, _UP
    corner = n - 1 + ahead
    if 1 <= corner <= nd and border[1, i, corner, _PACE] > 0.0:
        place = (y + border[1, i, corner, _SHIFT]) * border[1, i, corner, _PACE]
        if sign * (place - at) < 0.0:
            at, kind = place, _DOWN
    return at, kind


@njit(cache=True, error_model="numpy")
def _border_meets(
    border: Floats, side: int, i: int, m: int, y: float, x: float, kind: int, own: float, right: bool
) -> float:
    """After how much y a line of a kind at x, moving at `own`, meets a border on one side of it."""
    pace = border[side, i, m, _PACE]
    if pace <= 0.0:
        return np.inf
    gap = (y + border[side, i, m, _SHIFT]) * pace - x
    if kind == _X:
        return np.inf if right else -gap * border[side, i, m, _PER_PACE]
    if kind == _E:
        return np.inf if right else -gap * border[side, i, m, _PER_CLOSING]
    closing = own - pace if right else pace - own
    return (gap if right else -gap) / closing if closing > 1e-9 else np.inf


@njit(cache=True, error_model="numpy")
def _meeting(
    xb: Floats, vb: Floats, border: Floats, nu: int, nd: int, y: float, x: float, kind: int,
    i: int, m: int, n: int, i2: int, j2: int, m2: int, n2: int,
) -> float:  # fmt: skip
    """After how much y the line at x meets a left bound of its left cell or a right bound of its right cell."""
    own = 0.0
    if kind == _X:
        soonest = vb[j2 + 1] - y - x
    elif kind == _E:
        own, soonest = -1.0, x - xb[i]
    else:
        side, k = (0, min(m, m2)) if kind == _UP else (1, min(n, n2))
        own = border[side, i, k, _PACE]
        to_x, to_e = xb[i2 + 1] - x, vb[j2 + 1] - y - x
        soonest = min(to_x * border[side, i, k, _PER_PACE], to_e * border[side, i, k, _PER_CLOSING])
    if m <= nu:
        soonest = min(soonest, _border_meets(border, 0, i, m, y, x, kind, own, False))
    if n > 1:
        soonest = min(soonest, _border_meets(border, 1, i, n - 1, y, x, kind, own, False))
    if kind >= _UP:
        if m2 > 1:
            soonest = min(soonest, _border_meets(border, 0, i2, m2 - 1, y, x, kind, own, True))
        if n2 <= nd:
            soonest = min(soonest, _border_meets(border, 1, i2, n2, y, x, kind, own, True))
    return max(soonest, 0.0)


@njit(cache=True, error_model="numpy")
def _least(  # noqa: C901  one search, whose parts would each need all of its two dozen arrays
    xb: Floats, fs: Floats, pp: Floats, px: Floats, pu: Floats, pxu: Floats, vb: Floats, vs: Floats,
    alpha_u: Floats, beta_u: Floats, rho_u: Floats, alpha_d: Floats, beta_d: Floats, rho_d: Floats,
    border: Floats, size: Ints, room: Floats,
    y: float, x: float, i: int, j: int,
) -> tuple[float, int, int, int, int, int, int, int, int, int, float]:  # fmt: skip
    """The least of stage and value over x at y, searched from a point x; i and j are where its pieces are sought.

    Returns x, the kind of line it lies on, the cells to its left and to its right (the same where the domain ends),
    and the left cell's derivative by e.
    """
    nf, nv, nu, nd = size[0], size[1], size[2], size[3]
    while i < nf - 1 and x >= xb[i + 1]:
        i += 1
    while i > 0 and x < xb[i]:
        i -= 1
    while j < nv - 1 and y + x >= vb[j + 1]:
        j += 1
    while j > 0 and y + x < vb[j]:
        j -= 1
    p, seen = px[i] + pp[i] * (x - xb[i]), pxu[i] + pu[i] * (x - xb[i])
    m = _cone_of(max(seen - room[0], 0.0), max(y + x - room[2], 0.0), rho_u, nu)
    n = _cone_of(max(room[1] - p, 0.0), max(room[3] - y - x, 0.0), rho_d, nd)
    by_e = vs[j] - beta_u[m] + beta_d[n]
    right = fs[i] + pp[i] * alpha_d[n] - pu[i] * alpha_u[m] + by_e < -FLAT
    while True:
        at, kind = _side_of(xb, vb, border, nu, nd, y, i, j, m, n, right)
        x = max(x, at) if right else min(x, at)
        i2, j2, m2, n2 = i, j, m, n
        step = 1 if right else -1
        if kind == _X:
            i2 += step
        elif kind == _E:
            j2 += step
        elif kind == _UP:
            m2 -= step
        else:
            n2 += step
        if i2 < 0 or j2 < 0 or i2 >= nf or j2 >= nv:
            return x, kind, i, j, m, n, i, j, m, n, by_e
        e2 = vs[j2] - beta_u[m2] + beta_d[n2]
        falls = fs[i2] + pp[i2] * alpha_d[n2] - pu[i2] * alpha_u[m2] + e2 < -FLAT
        if right and not falls:
            return x, kind, i, j, m, n, i2, j2, m2, n2, by_e
        if falls and not right:
            return x, kind, i2, j2, m2, n2, i, j, m, n, e2
        i, j, m, n, by_e = i2, j2, m2, n2, e2


@njit(cache=True, error_model="numpy")
def _walk(s: Stage, y: float, y_end: float, share: float, slope: Floats, edge: Floats, out: int, first: int) -> int:
    """Pieces of min over x of stage and value, as a function of y from `y` to `y_end`.

    Slopes are written from `out` on, edges from `first` on (the first of them stands there already). Each piece is
    stretched by `share` and its slope divided by it: in terms of the energy one step earlier. Returns
    their number, -1 where the walk does not come to its end.
    """
    xb, fs, pp, px, pu, pxu = s.xb, s.fs, s.pp, s.px, s.pu, s.pxu
    vb, vs, border, size, room = s.vb, s.vs, s.border, s.size, s.room
    rho_u, alpha_u, beta_u = s.up.rho, s.up.alpha, s.up.beta
    rho_d, alpha_d, beta_d = s.down.rho, s.down.alpha, s.down.beta
    nf, nv, nu, nd = size[0], size[1], size[2], size[3]
    ahead = AHEAD * max(1.0, vb[nv] - vb[0])
    made, i, j, keep = 0, 0, 0, 1.0 / share
    x = max(xb[0], vb[0] - y)
    for _ in range(40 * (nf + nv + 8)):
        if y >= y_end:
            return made
        near = y + ahead
        x = min(max(x - 1e-3 * ahead, xb[0], vb[0] - near), xb[nf], vb[nv] - near)
        x, kind, i, j, m, n, i2, j2, m2, n2, by_e = _least(
            xb, fs, pp, px, pu, pxu, vb, vs, alpha_u, beta_u, rho_u, alpha_d, beta_d, rho_d, border, size, room,
            near, x, i, j,
        )  # fmt: skip
        end = near + _meeting(xb, vb, border, nu, nd, near, x, kind, i, m, n, i2, j2, m2, n2)
        end = min(end, y_end)
        own = 0.0
        if kind == _E:
            own = -1.0
        elif kind != _X:
            own = border[0, i, min(m, m2), _PACE] if kind == _UP else border[1, i, min(n, n2), _PACE]
        by_x = fs[i] + pp[i] * alpha_d[n] - pu[i] * alpha_u[m]
        rise = (by_x * own + by_e * (1.0 + own)) * keep
        if made > 0 and rise <= slope[out + made - 1] + 1e-13:
            edge[first + made] += (end - y) * share
        else:
            slope[out + made] = rise
            edge[first + made + 1] = edge[first + made] + (end - y) * share
            made += 1
        x += own * (end - near)
        y = end
    return -1


@njit(cache=True)
def _limits(c: Columns, r: Reserve, d: int, t: int) -> tuple[float, float]:
    """Least and greatest energy at the end of step t, kWh; an offer must be backed where it is sold."""
    return max(_at(c.e_min, d, t), r.low[d, t]), min(_at(c.e_max, d, t), r.high[d, t])


@njit(cache=True)
def _prepare(c: Columns, r: Reserve, d: int, t: int, dt: float, st: Stages, s: Stage, bounds: Floats) -> None:
    """Fill the stage of step t and its cones."""
    s.size[2] = fill_cones(r.up_price[:, t], r.sustain, r.eligible[:, d], s.up)
    s.size[3] = fill_cones(r.down_price[:, t], r.sustain, r.eligible[:, d], s.down)
    _fill_stage(c, d, t, dt, st, s)
    _make_convex(s)
    s.room[0] = max(_at(c.p_min, d, t), bounds[0, t])
    s.room[1] = min(_at(c.p_max, d, t), bounds[1, t])
    s.room[2], s.room[3] = r.low[d, t], r.high[d, t]
    s.room[4], s.room[5] = r.kappa_up[d, t], r.kappa_down[d, t]
    _fill_borders(s)


@njit(cache=True)
def _load_value(s: Stage, v: Values, t: int) -> None:
    first, count = v.first[t], v.pieces[t]
    s.size[1] = count
    for k in range(count):
        s.vs[k], s.vb[k] = v.slope[first + k], v.edge[first + t + k]
    s.vb[count] = v.edge[first + t + count]


@njit(cache=True)
def _add_target(v: Values, first: int, edge: int, count: int, target: float, cost: float) -> int:
    """Below `target` each kWh less costs `cost` more. Returns the number of pieces."""
    for k in range(count):
        if v.edge[edge + k] >= target:
            break
        if v.edge[edge + k + 1] > target + 1e-12:
            for n in range(count, k, -1):
                v.slope[first + n], v.edge[edge + n + 1] = v.slope[first + n - 1], v.edge[edge + n]
            v.edge[edge + k + 1] = target
            v.slope[first + k] -= cost
            return count + 1
        v.slope[first + k] -= cost
    return count


@njit(cache=True)
def _backward(  # noqa: C901, PLR0911  each way to fail is a line
    c: Columns, r: Reserve, d: int, dt: float, st: Stages, s: Stage, v: Values, bounds: Floats
) -> tuple[int, int, float]:
    """Value after each step, from the last to the first. Returns status, and step and kWh of a conflict."""
    steps = st.pieces.shape[0]
    low, high = _limits(c, r, d, steps - 1)
    if low > high + TINY:
        return NO_ENERGY, steps - 1, low - high
    # The arrays are filled from their end's step on: value t lies behind that of t + 1.
    first, count = 0, 1
    v.slope[0], v.edge[steps - 1], v.edge[steps] = -c.e_value[d], low, max(high, low)
    for t in range(steps - 1, -1, -1):
        penalty = _at(c.shortfall_cost, d, t)
        if penalty > 0.0:
            count = _add_target(v, first, first + t, count, _at(c.e_target, d, t), penalty)
        v.first[t], v.pieces[t] = first, count
        _load_value(s, v, t)
        _prepare(c, r, d, t, dt, st, s, bounds)
        keep, drift = _at(c.keep, d, t), _at(c.drift, d, t)
        low = high = c.e_initial[d]
        if t > 0:
            low, high = _limits(c, r, d, t - 1)
            if low > high + TINY:
                return NO_ENERGY, t - 1, low - high
            high = max(low, high)
        y_low, y_high = keep * low + drift, keep * high + drift
        begin, end = s.vb[0] - s.xb[s.size[0]], s.vb[s.size[1]] - s.xb[0]
        if y_high < begin - TINY:
            return NO_ENERGY, t, y_high - begin
        if y_low > end + TINY:
            return NO_ENERGY, t, y_low - end
        if t == 0:
            break
        first += count + 2
        edge = first + t - 1
        if first + 4 * count + 64 >= v.slope.shape[0]:
            return NO_WAY, t, 0.0
        if keep == 0.0:
            v.slope[first], v.edge[edge], v.edge[edge + 1], count = 0.0, low, high, 1
            continue
        y_low, y_high = min(max(y_low, begin), end), max(min(y_high, end), begin)
        v.edge[edge] = (y_low - drift) / keep
        count = _walk(s, y_low, y_high, 1.0 / keep, v.slope, v.edge, first, edge)
        if count < 0:
            return NO_WAY, t, 0.0
        if count == 0:
            v.slope[first], v.edge[edge + 1], count = 0.0, v.edge[edge], 1
    return SOLVED, -1, 0.0


@njit(cache=True)
def _share_out(a: float, b: float, cone: int, c: Cones, count: int, out: Floats, d: int, t: int) -> None:
    """Backing of each product, kW, from power a, kW, and energy b of the store, kWh, in a cone."""
    if count == 0 or a <= 0.0:
        return
    if cone > count:
        out[c.who[count], d, t] = a
        return
    above = max(b - c.rho[cone - 1] * a, 0.0) / (c.rho[cone] - c.rho[cone - 1])
    above = min(above, a)
    out[c.who[cone], d, t] = above
    if cone > 1:
        out[c.who[cone - 1], d, t] = a - above


@njit(cache=True)
def _forward(
    c: Columns, r: Reserve, d: int, dt: float, st: Stages, s: Stage, v: Values, bounds: Floats, a: Backed
) -> float:
    """Follow the value functions from the initial energy. Returns how far the true cost lies above them, EUR."""
    e, beyond = c.e_initial[d], 0.0
    for t in range(st.pieces.shape[0]):
        _load_value(s, v, t)
        _prepare(c, r, d, t, dt, st, s, bounds)
        y = _at(c.keep, d, t) * e + _at(c.drift, d, t)
        least, most = max(s.xb[0], s.vb[0] - y), min(s.xb[s.size[0]], s.vb[s.size[1]] - y)
        x = min(max(least, s.xb[0]), s.xb[s.size[0]])
        if most > least:
            found = _least(
                s.xb, s.fs, s.pp, s.px, s.pu, s.pxu, s.vb, s.vs, s.up.alpha, s.up.beta, s.up.rho, s.down.alpha,
                s.down.beta, s.down.rho, s.border, s.size, s.room, y, x, 0, 0,
            )  # fmt: skip
            x = min(max(found[0], least), most)
        beyond += _beyond(s, x, y + x)
        k = _at(c.k_minus, d, t) if x < 0.0 else _at(c.k_plus, d, t)
        p = min(max(x / (dt * k), _at(c.p_min, d, t)), _at(c.p_max, d, t))
        e = y + dt * k * p
        a.p[d, t], a.e[d, t] = p, e
        up, down = max(p - s.room[0], 0.0), max(s.room[1] - p, 0.0)
        if s.size[2] > 0:
            b = max(e - s.room[2], 0.0)
            _share_out(up, b, _cone_of(up, b, s.up.rho, s.size[2]), s.up, s.size[2], a.up, d, t)
        if s.size[3] > 0:
            b = max(s.room[3] - e, 0.0)
            _share_out(down, b, _cone_of(down, b, s.down.rho, s.size[3]), s.down, s.size[3], a.down, d, t)
    return beyond


@njit(cache=True)
def _loose(c: Columns, r: Reserve, members: Ints, price: Floats, dt: float, a: Backed) -> None:
    """A device without a store, alone at the price: all in, at rest, or all out, whichever is cheapest."""
    for d in members:
        for t in range(price.shape[0]):
            up = down = 0.0
            best_up = best_down = -1
            for k in range(r.sustain.shape[0]):
                if r.eligible[k, d] and r.up_price[k, t] > up:
                    up, best_up = r.up_price[k, t], k
                if r.eligible[k, d] and r.down_price[k, t] > down:
                    down, best_down = r.down_price[k, t], k
            low, high = _at(c.p_min, d, t), _at(c.p_max, d, t)
            best, least = low, np.inf
            for p in (low, min(max(0.0, low), high), high):
                cost = dt * (
                    price[t] * p + _at(c.cost_plus, d, t) * max(p, 0.0) + _at(c.cost_minus, d, t) * max(-p, 0.0)
                )
                cost -= up * (p - low) + down * (high - p)
                if cost < least - FLAT:
                    best, least = p, cost
            a.p[d, t] = best
            if best_up >= 0:
                a.up[best_up, d, t] = best - low
            if best_down >= 0:
                a.down[best_down, d, t] = high - best


@njit(cache=True)
def _cones(products: int) -> Cones:
    size = products + 2
    return Cones(np.zeros(size), np.zeros(size), np.zeros(size), np.zeros(size), np.zeros(size, np.int64))


@njit(cache=True, nogil=True)
def back_groups(c: Columns, r: Reserve, g: Groups, buy: Floats, sell: Floats, dt: float, a: Backed) -> None:
    """The optimum of every group, reserve included. `buy`, `sell`: (price row, step), EUR/kWh; writes into `a`.

    A group has at most one store, without auxiliary flow or vent; only a group of one device may be without a store.
    Backing keeps within the group's connection where the other devices are fixed.
    """
    steps, products, widest = buy.shape[1], r.sustain.shape[0], 0
    for n in range(g.storing.shape[0]):
        widest = max(widest, g.first[n + 1] - g.first[n])
    wide = 2 * widest + 6
    st, _ = _scratch(steps, wide)
    size = 400 * steps
    v = Values(np.empty(size), np.empty(size + steps + 1), np.zeros(steps, np.int64), np.zeros(steps, np.int64))
    s = Stage(
        np.empty(wide + 1), np.empty(wide), np.empty(wide), np.empty(wide), np.empty(wide), np.empty(wide),
        np.empty(wide), np.empty(size), np.empty(size), _cones(products), _cones(products), np.zeros(4,
        np.int64), np.zeros(6), np.zeros((2, wide, products + 2, 4)),
    )  # fmt: skip
    bounds = np.zeros((2, steps))
    for n in range(g.storing.shape[0]):
        members, row, d = g.members[g.first[n] : g.first[n + 1]], g.price[n], g.storing[n]
        if d < 0:
            _loose(c, r, members, buy[row], dt, a)
            continue
        _rest_stages(c, members, d, st, bounds[0], bounds[1])
        step, amount = _grid_stages(
            buy[row], sell[row], g.withdrawal_max[n], g.injection_max[n], st, bounds[0], bounds[1]
        )
        a.status[n], a.step[n], a.amount[n] = NO_POWER, step, amount
        if step >= 0:
            continue
        step, _ = _store_stages(c, d, dt, st)
        a.step[n] = step
        if step >= 0:
            continue
        for t in range(steps):
            rest = 0.0
            for j in members:
                if j != d:
                    rest += _at(c.p_min, j, t)
            bounds[0, t], bounds[1, t] = -g.injection_max[n] - rest, g.withdrawal_max[n] - rest
        a.status[n], a.step[n], a.amount[n] = _backward(c, r, d, dt, st, s, v, bounds)
        if a.status[n] == SOLVED:
            a.beyond[n] = _forward(c, r, d, dt, st, s, v, bounds, a)
            _spread(c, members, d, st, a.p)
