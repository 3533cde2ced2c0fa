"""The canonical form a second time, as a mixed-integer programme written from docs/maths/store.md alone.

It shares nothing with podium.flex but the columns it reads. Slow and plain: one POD at a time, a row per equation.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import highspy
import numpy as np
from numpy.typing import ArrayLike, NDArray

from podium.flexstore import FlexStore
from podium.portfolio import Meter

Floats = NDArray[np.float64]
Term = tuple[NDArray[np.int64], ArrayLike]

#: Both flows of a store above this, kW, are charging and discharging at once.
AT_ONCE = 1e-8


class Highs(highspy.Highs):
    """HiGHS with tight tolerances that prints nothing, its banner included."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        for tolerance in ("primal_feasibility_tolerance", "dual_feasibility_tolerance", "mip_feasibility_tolerance"):
            self.setOptionValue(tolerance, 1e-10)
        self.setOptionValue("mip_rel_gap", 0.0)
        self.setOptionValue("mip_abs_gap", 1e-10)
        self.setOptionValue("threads", 1)
        self.setOptionValue("time_limit", seconds)

    def enableCallbacks(self) -> None:  # noqa: N802
        self.silent()
        super().enableCallbacks()


@dataclass
class Programme:
    """min cost.x, low <= x <= high, row_low <= A x <= row_high."""

    cost: list[float] = field(default_factory=list)
    low: list[float] = field(default_factory=list)
    high: list[float] = field(default_factory=list)
    whole: list[bool] = field(default_factory=list)
    row_low: list[float] = field(default_factory=list)
    row_high: list[float] = field(default_factory=list)
    starts: list[int] = field(default_factory=lambda: [0])
    index: list[int] = field(default_factory=list)
    value: list[float] = field(default_factory=list)

    def columns(
        self, size: int, low: ArrayLike = 0.0, high: ArrayLike = np.inf, cost: ArrayLike = 0.0, *, whole: bool = False
    ) -> NDArray[np.int64]:
        first = len(self.cost)
        for kept, given in ((self.low, low), (self.high, high), (self.cost, cost)):
            kept.extend(np.broadcast_to(np.asarray(given, float), (size,)).tolist())
        self.whole.extend([whole] * size)
        return np.arange(first, first + size)

    def rows(self, terms: Iterable[Term], low: ArrayLike, high: ArrayLike) -> None:
        """A row per entry of the terms' columns: sum of value * column between low and high."""
        listed = list(terms)
        size = len(listed[0][0])
        lows, highs = (np.broadcast_to(np.asarray(bound, float), (size,)) for bound in (low, high))
        values = [np.broadcast_to(np.asarray(value, float), (size,)) for _, value in listed]
        for n in range(size):
            merged: dict[int, float] = {}
            for (columns, _), value in zip(listed, values, strict=True):
                merged[int(columns[n])] = merged.get(int(columns[n]), 0.0) + float(value[n])
            self.row(merged, lows[n], highs[n])

    def row(self, entries: dict[int, float], low: float, high: float) -> None:
        self.index.extend(entries)
        self.value.extend(entries.values())
        self.starts.append(len(self.index))
        self.row_low.append(low)
        self.row_high.append(high)

    def solved(self, seconds: float = 120.0) -> tuple[float, Floats] | None:
        """Optimum and x; None where infeasible. With integers, x is that of the programme with them held."""
        if any(low > high + 1e-12 for low, high in zip(self.low, self.high, strict=True)):
            return None
        found = self._run(self.whole, self.low, self.high, seconds)
        if found is None or not any(self.whole):
            return found
        held = np.where(self.whole, np.round(found[1]), np.nan)
        low, high = (np.where(self.whole, held, bound).tolist() for bound in (self.low, self.high))
        exact = self._run([False] * len(low), low, high, seconds)
        return found if exact is None else exact

    def _run(
        self, whole: list[bool], low: list[float], high: list[float], seconds: float
    ) -> tuple[float, Floats] | None:
        highs, lp = Highs(seconds), highspy.HighsLp()
        lp.num_col_, lp.num_row_ = len(self.cost), len(self.row_low)
        lp.col_cost_, lp.col_lower_ = np.array(self.cost), np.array(low)
        lp.col_upper_ = np.maximum(low, high)
        lp.row_lower_, lp.row_upper_ = np.array(self.row_low), np.array(self.row_high)
        lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
        lp.a_matrix_.start_, lp.a_matrix_.index_ = np.array(self.starts), np.array(self.index)
        lp.a_matrix_.value_ = np.array(self.value)
        if any(whole):
            kinds = (highspy.HighsVarType.kContinuous, highspy.HighsVarType.kInteger)
            lp.integrality_ = [kinds[int(each)] for each in whole]
        highs.passModel(lp)
        if highs.run() == highspy.HighsStatus.kError:  # another number of threads is fixed in this process
            highs.setOptionValue("threads", 0)
            highs.run()
        status = highs.getModelStatus()
        if status in (highspy.HighsModelStatus.kInfeasible, highspy.HighsModelStatus.kUnboundedOrInfeasible):
            return None
        assert status == highspy.HighsModelStatus.kOptimal, highs.modelStatusToString(status)
        return highs.getInfo().objective_function_value, np.array(highs.getSolution().col_value)


@dataclass(frozen=True)
class Optimum:
    """The cheapest schedule of a POD. `p` and `energy` have shape (device, step)."""

    cost_eur: float
    p: Floats
    energy: Floats
    whole: bool
    """Whether integers were needed."""


@dataclass
class Flows:
    plus: NDArray[np.int64]
    minus: NDArray[np.int64]
    energy: NDArray[np.int64]


def cheapest(
    store: FlexStore,
    meter: Meter,
    step_hours: float,
    day: NDArray[np.int64] | None = None,
    *,
    pod: int = 0,
    least_energy_at_eur: float | None = None,
) -> Optimum | None:
    """The cheapest schedule of one POD, None where there is none.

    With `least_energy_at_eur`: the schedule that costs no more and whose stored energies sum to the least.
    """
    part = store.take(np.flatnonzero(store.pod == pod))
    days = np.zeros(store.steps, dtype=np.int64) if day is None else day
    constant = float(part.cost_fixed.sum())
    for exclusive in (False, True):
        programme, flows = formulated(part, meter, pod, step_hours, days, exclusive=exclusive)
        if least_energy_at_eur is not None:
            most = least_energy_at_eur - constant
            programme.row({n: cost for n, cost in enumerate(programme.cost) if cost}, -np.inf, most)
            programme.cost = [0.0] * len(programme.cost)
            for n in np.concatenate([flow.energy for flow in flows]):
                programme.cost[n] = 1.0
        found = programme.solved()
        if found is None:
            return None
        cost, x = found
        both = max(float(np.minimum(x[flow.plus], x[flow.minus]).max()) for flow in flows)
        if both <= AT_ONCE or exclusive:
            break
    p = np.stack([x[flow.plus] - x[flow.minus] for flow in flows])
    energy = np.stack([x[flow.energy] for flow in flows])
    return Optimum(cost + constant, p, energy, any(programme.whole))


def formulated(
    part: FlexStore, meter: Meter, pod: int, dt: float, day: NDArray[np.int64], *, exclusive: bool
) -> tuple[Programme, list[Flows]]:
    programme, steps = Programme(), part.steps
    withdrawal = programme.columns(steps, 0.0, meter.withdrawal_max[pod], dt * meter.buy[pod])
    injection = programme.columns(steps, 0.0, meter.injection_max[pod], -dt * meter.sell[pod])
    peak = programme.columns(1, cost=meter.peak_cost[pod])
    programme.rows([(np.repeat(peak, steps), 1.0), (withdrawal, -1.0)], 0.0, np.inf)
    flows = [_device(programme, part, d, dt, day, exclusive=exclusive) for d in range(part.devices)]
    sums: list[Term] = [(withdrawal, -1.0), (injection, 1.0)]
    for flow in flows:
        sums += [(flow.plus, 1.0), (flow.minus, -1.0)]
    programme.rows(sums, 0.0, 0.0)
    return programme, flows


def _device(
    programme: Programme, part: FlexStore, d: int, dt: float, day: NDArray[np.int64], *, exclusive: bool
) -> Flows:
    steps = part.steps
    low, high = part.full("p_min")[d], part.full("p_max")[d]
    plus = programme.columns(steps, np.maximum(low, 0), np.maximum(high, 0), dt * part.full("cost_plus")[d])
    minus = programme.columns(steps, np.maximum(-high, 0), np.maximum(-low, 0), dt * part.full("cost_minus")[d])
    flow = Flows(plus, minus, programme.columns(steps, -np.inf if part.has_store[d] else 0.0, np.inf))
    if part.has_store[d]:
        _store(programme, part, d, dt, flow)
        if exclusive:
            up, down = np.maximum(high, 0), np.maximum(-low, 0)
            charging = programme.columns(steps, 0, 1, whole=True)
            programme.rows([(plus, 1.0), (charging, -up)], -np.inf, 0.0)
            programme.rows([(minus, 1.0), (charging, down)], -np.inf, down)
    else:
        for n in flow.energy:
            programme.high[n] = 0.0
    if part.on_off[d]:
        _on_off(programme, part, d, plus if (high > 0).any() else minus)
    if np.isfinite(part.ramp[d]):
        terms = [(plus[1:], 1.0), (plus[:-1], -1.0), (minus[1:], -1.0), (minus[:-1], 1.0)]
        programme.rows(terms, -part.ramp[d], part.ramp[d])
    if np.isfinite(part.discharge_day_max[d]):
        for each in np.unique(day):
            programme.row(dict.fromkeys(minus[day == each].tolist(), dt), -np.inf, part.discharge_day_max[d])
    return flow


def _store(programme: Programme, part: FlexStore, d: int, dt: float, flow: Flows) -> None:
    """Dynamics, limits at the end of each step, soft targets, auxiliary flow, spill, value at the end."""
    steps = part.steps

    def column(name: str) -> Floats:
        return np.asarray(part.full(name)[d])

    for n, low, high in zip(flow.energy, column("e_min"), column("e_max"), strict=True):
        programme.low[n], programme.high[n] = low, high
    programme.cost[flow.energy[-1]] = -float(part.e_value[d])
    before = programme.columns(1, part.e_initial[d], part.e_initial[d])
    aux = programme.columns(steps, 0.0, column("aux_max"), dt * column("aux_cost"))
    spill = programme.columns(steps, 0.0, column("spill_max"))
    start = np.concatenate((before, flow.energy[:-1]))
    terms = [(flow.energy, 1.0), (start, -column("keep")), (flow.plus, -dt * column("k_plus"))]
    terms += [(flow.minus, dt * column("k_minus")), (aux, -dt), (spill, dt)]
    programme.rows(terms, column("drift"), column("drift"))
    short = programme.columns(steps, cost=column("shortfall_cost"))
    programme.rows([(short, 1.0), (flow.energy, 1.0)], column("e_target"), np.inf)


def _on_off(programme: Programme, part: FlexStore, d: int, flow: NDArray[np.int64]) -> None:
    """Off, or between least and greatest power; a start is paid; a state once taken is kept, pair by pair of steps."""
    steps = part.steps
    most = np.array([programme.high[n] for n in flow])
    on = programme.columns(steps, 0, 1, whole=True)
    programme.rows([(flow, 1.0), (on, -most)], -np.inf, 0.0)
    programme.rows([(flow, 1.0), (on, -np.minimum(part.full("p_on")[d], most))], 0.0, np.inf)
    was = programme.columns(1, part.on_initial[d], part.on_initial[d])
    before = np.concatenate((was, on[:-1]))
    start = programme.columns(steps, cost=part.start_cost[d])
    programme.rows([(start, 1.0), (on, -1.0), (before, 1.0)], 0.0, np.inf)
    for t in range(steps):
        for later in range(t + 1, min(t + int(part.min_up[d]), steps)):
            programme.row({int(on[t]): 1.0, int(before[t]): -1.0, int(on[later]): -1.0}, -np.inf, 0.0)
        for later in range(t + 1, min(t + int(part.min_down[d]), steps)):
            programme.row({int(before[t]): 1.0, int(on[t]): -1.0, int(on[later]): 1.0}, -np.inf, 1.0)


def violation(store: FlexStore, meter: Meter, dt: float, p: Floats, e: Floats, aux: Floats, spill: Floats) -> float:
    """By how much a schedule breaks limits, dynamics or connections at most, in kW or kWh."""
    worst = [0.0]

    def between(value: Floats, low: ArrayLike, high: ArrayLike) -> None:
        worst.append(float(np.maximum(low - value, value - np.asarray(high)).max(initial=0.0)))

    between(p, store.p_min, store.p_max)
    between(aux, 0.0, store.aux_max)
    between(spill, 0.0, store.spill_max)
    before = np.concatenate((store.e_initial[:, None], e[:, :-1]), axis=1)
    flow = store.k_plus * np.maximum(p, 0) - store.k_minus * np.maximum(-p, 0) + aux - spill
    rows = store.has_store
    between(e[rows], (store.full("e_min"))[rows], (store.full("e_max"))[rows])
    missed = e - store.keep * before - dt * flow - store.drift
    worst.append(float(abs(missed[rows]).max(initial=0.0)))
    net = np.zeros_like(meter.buy)
    np.add.at(net, store.pod, p)
    between(net, -meter.injection_max[:, None], meter.withdrawal_max[:, None])
    return max(worst)
