"""Linear and mixed-integer programmes of PODs whose devices the meter couples (docs/maths/program.md).

One `Model` holds a batch of PODs of the same composition: the sparse pattern once, the numbers for all of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from podium.flexstore import FlexStore, Floats
from podium.portfolio import Meter

Ints = NDArray[np.int64]

#: Weight of a store's flows beside that of its energy, 1, so that among equals none charges and discharges at once.
AT_REST = 1e-3


@dataclass
class Model:
    """min cost.x, lower <= x <= upper, row_lower <= A x <= row_upper for each of a batch of PODs.

    Columns and rows come in blocks; `values` keeps every entry of A for every POD, (pod, entry).
    """

    batch: int
    costs: list[Floats] = field(default_factory=list)
    lowers: list[Floats] = field(default_factory=list)
    uppers: list[Floats] = field(default_factory=list)
    integer: list[NDArray[np.bool_]] = field(default_factory=list)
    weights: list[Floats] = field(default_factory=list)
    row_lowers: list[Floats] = field(default_factory=list)
    row_uppers: list[Floats] = field(default_factory=list)
    entry_rows: list[Ints] = field(default_factory=list)
    entry_columns: list[Ints] = field(default_factory=list)
    entries: list[Floats] = field(default_factory=list)
    column_count: int = 0
    row_count: int = 0

    def columns(
        self,
        size: int,
        lower: ArrayLike,
        upper: ArrayLike,
        cost: ArrayLike = 0.0,
        *,
        integer: bool = False,
        weight: float = 0.0,
    ) -> Ints:
        """New columns, with bounds and cost of shape (pod, size) or less; `weight` ranks equally cheap solutions."""
        shape = (self.batch, size)
        self.lowers.append(np.broadcast_to(np.asarray(lower, float), shape))
        self.uppers.append(np.broadcast_to(np.asarray(upper, float), shape))
        self.costs.append(np.broadcast_to(np.asarray(cost, float), shape))
        self.integer.append(np.full(size, integer))
        self.weights.append(np.full(size, weight))
        first, self.column_count = self.column_count, self.column_count + size
        return np.arange(first, self.column_count)

    def rows(self, size: int, lower: ArrayLike, upper: ArrayLike) -> Ints:
        """New rows with bounds of shape (pod, size) or less."""
        shape = (self.batch, size)
        self.row_lowers.append(np.broadcast_to(np.asarray(lower, float), shape))
        self.row_uppers.append(np.broadcast_to(np.asarray(upper, float), shape))
        first, self.row_count = self.row_count, self.row_count + size
        return np.arange(first, self.row_count)

    def add(self, rows: Ints, columns: Ints, values: ArrayLike) -> None:
        """Entries of A, one per pair of row and column, with values of shape (pod, entry) or less."""
        self.entry_rows.append(rows)
        self.entry_columns.append(columns)
        self.entries.append(np.broadcast_to(np.asarray(values, float), (self.batch, len(rows))))


@dataclass(frozen=True)
class Arrays:
    """A `Model` as HiGHS wants it: A by column. Numbers have a leading axis of PODs."""

    cost: Floats
    lower: Floats
    upper: Floats
    row_lower: Floats
    row_upper: Floats
    start: NDArray[np.int32]
    index: NDArray[np.int32]
    values: Floats
    integer: NDArray[np.bool_]
    weight: Floats

    def relaxed(self) -> Arrays:
        """The same without integers."""
        return replace(self, integer=np.zeros_like(self.integer))


def arrays(model: Model) -> Arrays:
    """Put the blocks of a model together."""
    rows, columns = np.concatenate(model.entry_rows), np.concatenate(model.entry_columns)
    order = np.lexsort((rows, columns))
    start = np.searchsorted(columns[order], np.arange(model.column_count + 1))
    weight = np.concatenate(model.weights)
    # Of square roots, since sums of a few multiples of one number coincide, and equal batteries would tie.
    generic = 1.0 + 0.1 * (97.0 * np.sqrt(np.arange(len(weight)) + np.pi) % 1.0)
    return Arrays(
        np.concatenate(model.costs, axis=1),
        np.concatenate(model.lowers, axis=1),
        np.concatenate(model.uppers, axis=1),
        np.concatenate(model.row_lowers, axis=1),
        np.concatenate(model.row_uppers, axis=1),
        start.astype(np.int32),
        rows[order].astype(np.int32),
        np.concatenate(model.entries, axis=1)[:, order],
        np.concatenate(model.integer),
        weight * generic,
    )


@dataclass(frozen=True)
class DeviceColumns:
    """Where a device's flows stand among the columns; None where it has no such flow."""

    row: Ints
    """Row of the device in the store, for each POD of the batch."""
    plus: Ints | None
    minus: Ints | None
    energy: Ints | None
    beyond: Ints | None
    aux: Ints | None
    spill: Ints | None
    on: Ints | None = None
    """1 while the device runs."""

    def power(self, x: Floats) -> Floats:
        """Net power, kW, from a solution (column,). Shape (step,)."""
        plus = x[self.plus] if self.plus is not None else 0.0
        minus = x[self.minus] if self.minus is not None else 0.0
        return np.asarray(plus - minus)


@dataclass(frozen=True)
class PodProgram:
    """The programme of a batch of PODs of one composition, and where to find their devices in its solution."""

    arrays: Arrays
    devices: list[DeviceColumns]
    grid: tuple[Ints, Ints]
    """Columns of withdrawal and injection at the meter."""


#: Adds columns and rows to a model, given the devices' columns and those of withdrawal and injection.
More = Callable[[Model, list[DeviceColumns], tuple[Ints, Ints]], None]


def composition(store: FlexStore, rows: slice | Ints, peak: bool) -> tuple[object, ...]:
    """What must agree for PODs to share a pattern: per device, the flows and rules it has."""
    part = store.take(np.arange(store.devices)[rows] if isinstance(rows, slice) else rows)
    flags = np.stack(
        [
            part.has_store,
            (part.p_max > 0).any(axis=1),
            (part.p_min < 0).any(axis=1),
            (part.p_max > part.p_min).any(axis=1),
            (part.aux_max > 0).any(axis=1),
            (part.spill_max > 0).any(axis=1),
            (part.shortfall_cost > 0).any(axis=1),
            np.isfinite(part.ramp),
            np.isfinite(part.discharge_day_max),
            part.on_off,
        ],
        axis=1,
    )
    limits = np.where(flags[:, 9:10], np.stack([part.min_up, part.min_down], axis=1), 0.0)
    return (peak, flags.tobytes(), limits.tobytes())


def build(
    store: FlexStore,
    members: Ints,
    meter: Meter,
    pods: Ints,
    step_hours: float,
    day: Ints,
    *,
    exclusive: bool,
    more: More | None = None,
) -> PodProgram:
    """The programme of PODs of one composition.

    `members` has shape (pod, device): rows of the store; `pods`: rows of the meter; `day`: local day of each step.
    `exclusive` adds the integers that forbid charging and discharging in one step. `more` adds columns and rows of its
    own to the model, given the devices' columns and those of the grid.
    """
    model = Model(len(pods))
    steps = store.steps
    balance = model.rows(steps, 0.0, 0.0)
    fixed = np.zeros((len(pods), steps))
    devices = []
    for position in range(members.shape[1]):
        part = store.take(members[:, position])
        if not part.has_store.any() and not (part.p_max > part.p_min).any():
            fixed += part.full("p_min")
            power = DeviceColumns(members[:, position], None, None, None, None, None, None)
        else:
            power = _device(model, part, members[:, position], balance, step_hours, day, exclusive)
        devices.append(power)
    model.row_lowers[0] = model.row_uppers[0] = -fixed
    grid = _grid(model, meter, pods, balance, step_hours)
    if more is not None:
        more(model, devices, grid)
    return PodProgram(arrays(model), devices, grid)


def _grid(model: Model, meter: Meter, pods: Ints, balance: Ints, step_hours: float) -> tuple[Ints, Ints]:
    """Withdrawal and injection at the meter, and the peak charge."""
    steps = len(balance)
    withdrawal = model.columns(steps, 0.0, meter.withdrawal_max[pods, None], step_hours * meter.buy[pods])
    injection = model.columns(steps, 0.0, meter.injection_max[pods, None], -step_hours * meter.sell[pods])
    model.add(balance, withdrawal, -1.0)
    model.add(balance, injection, 1.0)
    if (meter.peak_cost[pods] > 0).any():
        peak = model.columns(1, 0.0, np.inf, meter.peak_cost[pods, None])
        below = model.rows(steps, -np.inf, 0.0)
        model.add(below, withdrawal, 1.0)
        model.add(below, np.repeat(peak, steps), -1.0)
    return withdrawal, injection


def _device(
    model: Model, part: FlexStore, row: Ints, balance: Ints, dt: float, day: Ints, exclusive: bool
) -> DeviceColumns:
    """Columns and rows of one device of every POD of the batch."""
    steps = part.steps
    plus = minus = None
    low, high = part.full("p_min"), part.full("p_max")
    up, down = (AT_REST, AT_REST) if part.has_store.any() else (1.0, -1.0)
    if (high > 0).any():
        plus = model.columns(steps, np.maximum(low, 0), np.maximum(high, 0), dt * part.cost_plus, weight=up)
        model.add(balance, plus, 1.0)
    if (low < 0).any():
        minus = model.columns(steps, np.maximum(-high, 0), np.maximum(-low, 0), dt * part.cost_minus, weight=down)
        model.add(balance, minus, -1.0)
    energy = beyond = aux = spill = None
    if part.has_store.any():
        energy, beyond, aux, spill = _store(model, part, plus, minus, dt)
    found = DeviceColumns(row, plus, minus, energy, beyond, aux, spill)
    if part.on_off.any():
        found = replace(found, on=_on_off(model, part, found))
    if np.isfinite(part.ramp).any():
        _ramp(model, part, found)
    if minus is not None and np.isfinite(part.discharge_day_max).any():
        rows = model.rows(int(day[-1]) + 1, -np.inf, part.discharge_day_max[:, None])
        model.add(rows[day], minus, dt)
    if exclusive and energy is not None and plus is not None and minus is not None:
        _one_direction(model, part, plus, minus)
    return found


def _store(
    model: Model, part: FlexStore, plus: Ints | None, minus: Ints | None, dt: float
) -> tuple[Ints, Ints | None, Ints | None, Ints | None]:
    """e[t+1] = keep e[t] + dt (k_plus pp - k_minus pm + aux - spill) + drift.

    Where a target counts, e = energy + beyond, and energy, up to the target, is worth the shortfall's price.
    """
    steps = part.steps
    target = np.where(part.full("shortfall_cost") > 0, part.full("e_target"), np.inf)
    below = np.clip(target, part.full("e_min"), part.full("e_max"))
    value = np.zeros((model.batch, steps))
    value[:, -1] = part.e_value
    at_end = model.rows(steps, 0.0, 0.0)
    drift = np.array(part.full("drift"))
    drift[:, 0] += part.full("keep")[:, 0] * part.e_initial
    model.row_lowers[-1] = model.row_uppers[-1] = drift
    energy = model.columns(steps, part.e_min, below, -part.shortfall_cost - value, weight=1.0)
    blocks = [energy]
    beyond = None
    if (part.shortfall_cost > 0).any():
        beyond = model.columns(steps, 0.0, part.full("e_max") - below, -value, weight=1.0)
        blocks.append(beyond)
    for block in blocks:
        model.add(at_end, block, 1.0)
        model.add(at_end[1:], block[:-1], -part.full("keep")[:, 1:])
    if plus is not None:
        model.add(at_end, plus, -dt * part.k_plus)
    if minus is not None:
        model.add(at_end, minus, dt * part.k_minus)
    aux = spill = None
    if (part.aux_max > 0).any():
        aux = model.columns(steps, 0.0, part.aux_max, dt * part.aux_cost, weight=AT_REST)
        model.add(at_end, aux, -dt)
    if (part.spill_max > 0).any():
        spill = model.columns(steps, 0.0, part.spill_max, weight=1.0)
        model.add(at_end, spill, dt)
    return energy, beyond, aux, spill


def _on_off(model: Model, part: FlexStore, device: DeviceColumns) -> Ints | None:
    """Columns of on/off, with least power, start cost, and least times on and off (three-variable form).

    Rajan and Takriti (2005), "Minimum up/down polytopes of the unit commitment problem with start-up costs".
    """
    steps = part.steps
    flow = device.minus if device.plus is None else device.plus
    if flow is None:
        return None
    most = np.maximum(part.full("p_max") if device.plus is not None else -part.full("p_min"), 0.0)
    must = (part.full("p_min") > 0) if device.plus is not None else (part.full("p_max") < 0)
    on = model.columns(steps, must, 1.0, integer=True)
    start = model.columns(steps, 0.0, 1.0, part.start_cost[:, None])
    stop = model.columns(steps, 0.0, 1.0)
    rows = model.rows(steps, -np.inf, 0.0)
    model.add(rows, flow, 1.0)
    model.add(rows, on, -most)
    rows = model.rows(steps, 0.0, np.inf)
    model.add(rows, flow, 1.0)
    model.add(rows, on, -np.minimum(part.full("p_on"), most))
    first = np.zeros((model.batch, steps))
    first[:, 0] = part.on_initial
    rows = model.rows(steps, first, first)
    model.add(rows, on, 1.0)
    model.add(rows[1:], on[:-1], -1.0)
    model.add(rows, start, -1.0)
    model.add(rows, stop, 1.0)
    _least_time(model, on, start, int(part.min_up[0]), up=True)
    _least_time(model, on, stop, int(part.min_down[0]), up=False)
    return on


def _least_time(model: Model, on: Ints, switch: Ints, least: int, *, up: bool) -> None:
    """Once switched, the state stays for `least` steps: the switches of the last `least` steps bound it."""
    if least <= 1:
        return
    steps = len(on)
    rows = model.rows(steps, -np.inf, 0.0 if up else 1.0)
    step, ago = (grid.ravel() for grid in np.meshgrid(np.arange(steps), np.arange(least), indexing="ij"))
    inside = step >= ago
    model.add(rows[step[inside]], switch[(step - ago)[inside]], 1.0)
    model.add(rows, on, -1.0 if up else 1.0)


def _ramp(model: Model, part: FlexStore, device: DeviceColumns) -> None:
    """|p[t] - p[t-1]| <= ramp from the second step on."""
    most = part.ramp[:, None]
    rows = model.rows(part.steps - 1, -most, most)
    for flow, sign in ((device.plus, 1.0), (device.minus, -1.0)):
        if flow is not None:
            model.add(rows, flow[1:], sign)
            model.add(rows, flow[:-1], -sign)


def _one_direction(model: Model, part: FlexStore, plus: Ints, minus: Ints) -> None:
    """Either charging or discharging: pp <= p_max z, pm <= -p_min (1 - z), z integer."""
    charging = model.columns(part.steps, 0.0, 1.0, integer=True)
    high, low = np.maximum(part.full("p_max"), 0.0), np.maximum(-part.full("p_min"), 0.0)
    rows = model.rows(part.steps, -np.inf, 0.0)
    model.add(rows, plus, 1.0)
    model.add(rows, charging, -high)
    rows = model.rows(part.steps, -np.inf, low)
    model.add(rows, minus, 1.0)
    model.add(rows, charging, low)
