"""The true joint set of a portfolio as a linear programme (docs/maths/virtus.md, section 3).

The canonical form with every limit it has; on/off decisions and "no charging and discharging in one step" are
relaxed, which can only make the set larger.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import highspy
import numpy as np
from numpy.typing import ArrayLike

from podium.errors import SolverError
from podium.flex.highs import QuietHighs
from podium.flexstore import FlexStore
from podium.market.virtus.rules import Bools, Floats, Ints


@dataclass(frozen=True, slots=True)
class JointSet:
    """All that holds for the devices together.

    store       the devices in canonical form
    step_hours  length of a step
    withdrawal_max_kw, injection_max_kw  (pod,) connection limits, inf where free; None: free everywhere
    day         (step,) number of the local day, for cycle limits; None: all steps are one day
    """

    store: FlexStore
    step_hours: float
    withdrawal_max_kw: Floats | None = None
    injection_max_kw: Floats | None = None
    day: Ints | None = None

    def limited_pods(self) -> Ints:
        """PODs whose connection limit its devices together can exceed."""
        store, pods = self.store, int(self.store.pod.max(initial=-1)) + 1
        exceeded = np.zeros(pods, dtype=bool)
        sides = ((self.withdrawal_max_kw, store.full("p_max")), (self.injection_max_kw, -store.full("p_min")))
        for limit, most in sides:
            if limit is not None:
                behind = np.flatnonzero(np.isfinite(limit[store.pod]))
                owners, place = np.unique(store.pod[behind], return_inverse=True)
                total = np.zeros((len(owners), store.steps))
                np.add.at(total, place, most[behind])
                exceeded[owners] |= total.max(axis=1, initial=0.0) > limit[owners]
        return np.flatnonzero(exceeded)

    def free(self) -> Bools:
        """Devices whose steps do not depend on each other or on another device. Shape (device,)."""
        return ~(self.store.has_store | self.store.memory | np.isin(self.store.pod, self.limited_pods()))

    def free_range_kw(self) -> tuple[Floats, Floats]:
        """Least and greatest sum of the free devices' power. Shapes (step,)."""
        chosen = self.free()
        return self.store.full("p_min")[chosen].sum(axis=0), self.store.full("p_max")[chosen].sum(axis=0)


def targets_as_limits(store: FlexStore, energy_kwh: Floats) -> FlexStore:
    """Wished-for levels (a car's) as limits, as far as a schedule with these levels (device, step) meets them.

    Without it the joint set may leave cars empty to keep a promise.
    """
    met = np.minimum(store.full("e_target"), energy_kwh - 1e-6)
    wanted = (store.full("shortfall_cost") > 0.0) & (met > store.full("e_min"))
    return replace(store, e_min=np.where(wanted, met, store.full("e_min")))


class Programme:
    """A linear programme, built by blocks of columns and rows of any shape, minimised by HiGHS."""

    def __init__(self) -> None:
        self._columns: list[tuple[Floats, Floats, Floats]] = []
        self._rows: list[tuple[Floats, Floats]] = []
        self._entries: list[tuple[Ints, Ints, Floats]] = []
        self._column_count = 0
        self._row_count = 0

    def columns(self, lower: Floats, upper: ArrayLike, cost: ArrayLike = 0.0) -> Ints:
        """New variables; returns their numbers in the shape of `lower`."""
        limits = np.broadcast_to(upper, lower.shape), np.broadcast_to(cost, lower.shape)
        self._columns.append((lower.ravel(), limits[0].ravel(), limits[1].ravel()))
        numbers = np.arange(self._column_count, self._column_count + lower.size).reshape(lower.shape)
        self._column_count += lower.size
        return numbers

    def rows(self, lower: Floats, upper: ArrayLike) -> Ints:
        """New constraints; returns their numbers in the shape of `lower`."""
        self._rows.append((lower.ravel(), np.broadcast_to(upper, lower.shape).ravel()))
        numbers = np.arange(self._row_count, self._row_count + lower.size).reshape(lower.shape)
        self._row_count += lower.size
        return numbers

    def put(self, rows: Ints, columns: Ints, values: ArrayLike) -> None:
        """Coefficients; the three shapes are broadcast to one."""
        row, column, value = np.broadcast_arrays(rows, columns, np.asarray(values, dtype=np.float64))
        self._entries.append((row.ravel(), column.ravel(), value.ravel()))

    def solver(self, *, interior: bool = False) -> highspy.Highs:
        """HiGHS with this programme, not yet run; `interior` suits large ones that are solved once."""
        solver = QuietHighs()
        if interior:
            solver.setOptionValue("solver", "ipm")
            solver.setOptionValue("run_crossover", "off")
        solver.passModel(self._model())
        return solver

    def _model(self) -> highspy.HighsLp:
        lower, upper, cost = (np.concatenate(part) for part in zip(*self._columns, strict=True))
        row_lower, row_upper = (np.concatenate(part) for part in zip(*self._rows, strict=True))
        row, column, value = (np.concatenate(part) for part in zip(*self._entries, strict=True))
        kept = value != 0.0
        row, column, value = row[kept], column[kept], value[kept]
        order = np.lexsort((row, column))
        model = highspy.HighsLp()
        model.num_col_, model.num_row_ = self._column_count, self._row_count
        model.col_lower_, model.col_upper_, model.col_cost_ = lower, upper, cost
        model.row_lower_, model.row_upper_ = row_lower, row_upper
        model.a_matrix_.format_ = highspy.MatrixFormat.kColwise
        counts = np.bincount(column, minlength=self._column_count)
        model.a_matrix_.start_ = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
        model.a_matrix_.index_ = row[order].astype(np.int32)
        model.a_matrix_.value_ = value[order]
        return model


def solved(solver: highspy.Highs) -> highspy.HighsSolution:
    """The optimum after running `solver`. Raises SolverError where there is none."""
    solver.run()
    if solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
        solver.setOptionValue("solver", "simplex")
        solver.run()
    status = solver.getModelStatus()
    if status != highspy.HighsModelStatus.kOptimal:
        raise SolverError(f"the devices together have no schedule: HiGHS says {status.name}")
    return solver.getSolution()


@dataclass(frozen=True, slots=True)
class Flows:
    """Numbers of the programme's power variables, (device, step): p = plus - minus."""

    plus: Ints
    minus: Ints

    def powers(self, values: Floats) -> Floats:
        """Net powers (device, step) in a solution."""
        powers: Floats = values[self.plus] - values[self.minus]
        return powers


def add_bound_devices(programme: Programme, devices: JointSet, plus_cost: ArrayLike, minus_cost: ArrayLike) -> Flows:
    """Put every device that is not free into the programme, at these costs (step,) per kW; returns their powers."""
    store = devices.store.take(~devices.free())
    low, high = store.full("p_min"), store.full("p_max")
    plus = programme.columns(np.maximum(low, 0.0), np.maximum(high, 0.0), plus_cost)
    minus = programme.columns(np.maximum(-high, 0.0), np.maximum(-low, 0.0), minus_cost)
    flows = Flows(plus, minus)
    _add_energy(programme, store, flows, devices.step_hours)
    _add_memory(programme, store, flows, devices)
    _add_connections(programme, store, flows, devices)
    return flows


def _add_energy(programme: Programme, store: FlexStore, flows: Flows, step_hours: float) -> None:
    """e[t+1] - keep e[t] - dt (k_plus pp - k_minus pm + aux - spill) = drift."""
    kept = np.flatnonzero(store.has_store)
    part = store.take(kept)
    energy = programme.columns(part.full("e_min"), part.full("e_max"))
    known = part.full("drift").copy()
    keep = part.full("keep")
    known[:, 0] += keep[:, 0] * part.e_initial
    rows = programme.rows(known, known)
    programme.put(rows, energy, 1.0)
    programme.put(rows[:, 1:], energy[:, :-1], -keep[:, 1:])
    programme.put(rows, flows.plus[kept], -step_hours * part.full("k_plus"))
    programme.put(rows, flows.minus[kept], step_hours * part.full("k_minus"))
    for name, sign in (("aux_max", -1.0), ("spill_max", 1.0)):
        used = np.flatnonzero(np.any(part.full(name) > 0.0, axis=1))
        flow = programme.columns(np.zeros((len(used), store.steps)), part.full(name)[used])
        programme.put(rows[used], flow, sign * step_hours)


def _add_memory(programme: Programme, store: FlexStore, flows: Flows, devices: JointSet) -> None:
    """Ramps, and energy injected per local day."""
    ramped = np.flatnonzero(np.isfinite(store.ramp))
    limit = np.broadcast_to(store.ramp[ramped, None], (len(ramped), store.steps - 1))
    change = programme.rows(-limit, limit)
    for flow, sign in ((flows.plus, 1.0), (flows.minus, -1.0)):
        programme.put(change, flow[ramped, 1:], sign)
        programme.put(change, flow[ramped, :-1], -sign)
    cycled = np.flatnonzero(np.isfinite(store.discharge_day_max))
    day = np.zeros(store.steps, dtype=np.int64) if devices.day is None else devices.day - devices.day.min()
    most = np.broadcast_to(store.discharge_day_max[cycled, None], (len(cycled), int(day.max()) + 1))
    per_day = programme.rows(np.full(most.shape, -np.inf), most)
    programme.put(per_day[:, day], flows.minus[cycled], devices.step_hours)


def _add_connections(programme: Programme, store: FlexStore, flows: Flows, devices: JointSet) -> None:
    """-injection_max <= sum of a POD's power <= withdrawal_max."""
    limited = np.intersect1d(devices.limited_pods(), store.pod)
    inside = np.flatnonzero(np.isin(store.pod, limited))
    position = np.searchsorted(limited, store.pod[inside])
    free = np.full(len(limited), np.inf)
    most = free if devices.withdrawal_max_kw is None else devices.withdrawal_max_kw[limited]
    least = -free if devices.injection_max_kw is None else -devices.injection_max_kw[limited]
    shape = (len(limited), store.steps)
    rows = programme.rows(np.broadcast_to(least[:, None], shape), np.broadcast_to(most[:, None], shape))
    programme.put(rows[position], flows.plus[inside], 1.0)
    programme.put(rows[position], flows.minus[inside], -1.0)
