"""Reserve in a POD's linear programme: what backs an offer, row by row (docs/maths/reserve.md)."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from podium.flex.program import DeviceColumns, Model
from podium.flex.reserve import Room
from podium.flex.windows import window_sum
from podium.flexstore import FlexStore, Floats
from podium.portfolio import Meter

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

UP, DOWN = 0, 1
#: Less than this, kWh, beyond what a store holds is rounding.
OVERDRAWN = 1e-7


@dataclass(frozen=True)
class Offering:
    """Reserve products as devices see them."""

    sustain_hours: Floats
    """How long a call may last. Shape (product,)."""
    sold: Bools
    """Sides (0 up, 1 down) and steps in which a product is sold. Shape (product, 2, step)."""
    eligible: Bools
    """Devices that may back a product. Shape (product, device)."""
    room: Room
    windows: bool = True
    """Whether a call that lasts while the schedule goes on is held too, not only one from the end of each step."""

    @property
    def products(self) -> int:
        """Number of products."""
        return len(self.sustain_hours)

    def take(self, devices: Ints) -> Offering:
        """Only these devices."""
        return replace(self, eligible=self.eligible[:, devices], room=_room_of(self.room, devices))

    def spans(self, step_hours: float) -> Ints:
        """Steps that a call of each product may last. Shape (product,)."""
        return np.maximum(np.ceil(self.sustain_hours / step_hours - 1e-9), 1).astype(np.int64)

    def overdrawn(self, e: Floats, backing: Floats, fresh: Bools, step_hours: float) -> Bools:
        """Devices that a call up to the end of some step would move further than their energy `e` allows.

        For stores that giving up power empties. `backing` has shape (product, 2, device, step), `e`, kWh, and `fresh`,
        where a store starts anew, (device, step). Shape (device,).
        """
        room, spans = self.room, self.spans(step_hours)
        found = np.zeros(len(e), dtype=bool)
        for side, kappa, left in ((UP, room.kappa_up, e - room.low), (DOWN, room.kappa_down, room.high - e)):
            moved = step_hours * window_sum(backing[:, side] * kappa, spans, fresh).sum(axis=0)
            found |= (moved > np.maximum(left, 0.0) + OVERDRAWN).any(axis=1)
        return found


def _room_of(room: Room, devices: Ints) -> Room:
    return Room(**{field.name: getattr(room, field.name)[devices] for field in fields(room)})


@dataclass(frozen=True)
class BackingColumns:
    """Columns of a device's backing: [product][side], None where it backs nothing there."""

    place: int
    """Number of the device in the POD."""
    columns: list[list[Ints | None]]


def add_backing(
    model: Model, store: FlexStore, devices: list[DeviceColumns], offering: Offering, step_hours: float, day: Ints
) -> list[BackingColumns]:  # fmt: skip
    """Columns and rows of the backing of every device of a batch of PODs."""
    found = []
    for place, device in enumerate(devices):
        mine = offering.take(device.row)
        able = mine.eligible & mine.room.backs
        both_ways = device.plus is not None and device.minus is not None
        if (device.plus is None and device.minus is None) or not able.any() or (device.on is not None and both_ways):
            continue
        part = store.take(device.row)
        backing = BackingColumns(place, _columns(model, mine, able))
        _power_rows(model, part, device, backing)
        if device.energy is not None:
            _energy_rows(model, part, device, backing, mine, step_hours)
        if device.minus is not None and np.isfinite(part.discharge_day_max).any():
            _cycle_rows(model, part, device, backing, mine, step_hours, day)
        found.append(backing)
    return found


def _columns(model: Model, offering: Offering, able: Bools) -> list[list[Ints | None]]:
    """A column per product, side and step where the product is sold; at 0 for devices that may not back it."""
    columns: list[list[Ints | None]] = []
    for product in range(offering.products):
        sides: list[Ints | None] = []
        for side in (UP, DOWN):
            sold = offering.sold[product, side]
            most = np.where(able[product][:, None] & sold, np.inf, 0.0)
            sides.append(model.columns(len(sold), 0.0, most) if (most > 0).any() else None)
        columns.append(sides)
    return columns


def _of_side(backing: BackingColumns, side: int) -> list[tuple[int, Ints]]:
    return [(product, sides[side]) for product, sides in enumerate(backing.columns) if sides[side] is not None]  # type: ignore[misc]


def _power_rows(model: Model, part: FlexStore, device: DeviceColumns, backing: BackingColumns) -> None:
    """p - up >= p_min and p + down <= p_max; a device that is on or off backs nothing while off."""
    for side in (UP, DOWN):
        chosen = _of_side(backing, side)
        if not chosen:
            continue
        lower, upper = (part.full("p_min"), np.inf) if side == UP else (-np.inf, part.full("p_max"))
        rows = model.rows(part.steps, lower, upper)
        for flow, sign in ((device.plus, 1.0), (device.minus, -1.0)):
            if flow is not None:
                model.add(rows, flow, sign)
        for _, columns in chosen:
            model.add(rows, columns, -1.0 if side == UP else 1.0)
        if device.on is not None:
            _running_rows(model, part, device, device.on, chosen, side)


def _running_rows(
    model: Model, part: FlexStore, device: DeviceColumns, on: Ints, chosen: list[tuple[int, Ints]], side: int
) -> None:
    """The flow stays between the least and the greatest while running, also when called."""
    withdraws = device.plus is not None
    flow = device.plus if device.plus is not None else device.minus
    if flow is None:
        return
    grows = (side == DOWN) == withdraws
    most = np.maximum(part.full("p_max") if withdraws else -part.full("p_min"), 0.0)
    bound = most if grows else np.minimum(part.full("p_on"), most)
    rows = model.rows(part.steps, -np.inf, 0.0) if grows else model.rows(part.steps, 0.0, np.inf)
    model.add(rows, flow, 1.0)
    model.add(rows, on, -bound)
    for _, columns in chosen:
        model.add(rows, columns, 1.0 if grows else -1.0)


def _energy_rows(
    model: Model, part: FlexStore, device: DeviceColumns, backing: BackingColumns, offering: Offering, dt: float
) -> None:
    """sum s kappa r <= room at the end of every step, and dt kappa sum over the window <= room."""
    room = offering.room
    for side, kappa in ((UP, room.kappa_up), (DOWN, room.kappa_down)):
        chosen = _of_side(backing, side)
        if not chosen:
            continue
        fills = bool(room.fills_up.any()) == (side == UP)
        sold = np.any([offering.sold[product, side] for product, _ in chosen], axis=0)
        level: ArrayLike = np.where(sold, room.high if fills else -room.low, np.inf)
        sign = 1.0 if fills else -1.0
        rows = _level_rows(model, device, level, sign)
        for product, columns in chosen:
            model.add(rows, columns, offering.sustain_hours[product] * kappa)
        spans = offering.spans(dt)
        if offering.windows and max(spans[product] for product, _ in chosen) > 1:
            _window_rows(model, part, device, chosen, spans, dt * kappa, (level, sign, sold))


def _level_rows(model: Model, device: DeviceColumns, level: ArrayLike, sign: float) -> Ints:
    """Rows +-e + ... <= level."""
    if device.energy is None:
        raise AssertionError("a device without a store has no level")
    rows = model.rows(len(device.energy), -np.inf, level)
    model.add(rows, device.energy, sign)
    if device.beyond is not None:
        model.add(rows, device.beyond, sign)
    return rows


def _window_rows(
    model: Model, part: FlexStore, device: DeviceColumns, chosen: list[tuple[int, Ints]], spans: Ints,
    moved: Floats, bound: tuple[ArrayLike, float, Bools],
) -> None:  # fmt: skip
    """What any call up to here may have moved since it began, or since the store began anew, fits the room."""
    level, sign, sold = bound
    fresh = (part.full("keep") == 0).any(axis=0)
    begun = np.maximum.accumulate(np.where(fresh, np.arange(part.steps), 0))
    longest = max(spans[product] for product, _ in chosen)
    near = np.convolve(sold, np.ones(longest))[: part.steps] > 0
    physical = np.where(near, np.where(np.isfinite(level), level, _loose(part, sign)), np.inf)
    rows = _level_rows(model, device, physical, sign)
    for product, columns in chosen:
        for back in range(min(spans[product], part.steps)):
            inside = np.arange(back, part.steps)
            inside = inside[inside - back >= begun[inside]]
            model.add(rows[inside], columns[inside - back], moved[:, inside])


def _loose(part: FlexStore, sign: float) -> Floats:
    """The physical level where no product is sold."""
    return np.asarray(part.full("e_max") if sign > 0 else -part.full("e_floor"))


def _cycle_rows(
    model: Model, part: FlexStore, device: DeviceColumns, backing: BackingColumns, offering: Offering, dt: float,
    day: Ints,
) -> None:  # fmt: skip
    """The day's discharge and one call of the step's whole backing fit the cycle limit."""
    chosen = _of_side(backing, UP)
    if not chosen or device.minus is None:
        return
    days = int(day[-1]) + 1
    discharged = model.columns(days, 0.0, part.discharge_day_max[:, None])
    sums = model.rows(days, 0.0, 0.0)
    model.add(sums[day], device.minus, dt)
    model.add(sums, discharged, -1.0)
    rows = model.rows(part.steps, -np.inf, part.discharge_day_max[:, None])
    model.add(rows, discharged[day], 1.0)
    for product, columns in chosen:
        model.add(rows, columns, offering.sustain_hours[product])


def backing_price(backing: BackingColumns, price: Floats, cost: Floats) -> None:
    """Write prices (product, 2, step), EUR per kW and step, into a row of costs."""
    for product, sides in enumerate(backing.columns):
        for side, columns in enumerate(sides):
            if columns is not None:
                cost[columns] = -price[product, side]


def connection_rows(
    model: Model, meter: Meter, pods: Ints, grid: tuple[Ints, Ints], backings: list[BackingColumns]
) -> None:
    """Withdrawal and injection keep the connection with all offers called."""
    for side, limit, sign in ((DOWN, meter.withdrawal_max, 1.0), (UP, meter.injection_max, -1.0)):
        columns = [column for backing in backings for _, column in _of_side(backing, side)]
        if not columns or not np.isfinite(limit[pods]).any():
            continue
        steps = len(grid[0])
        rows = model.rows(steps, -np.inf, limit[pods, None])
        model.add(rows, grid[0], sign)
        model.add(rows, grid[1], -sign)
        for column in columns:
            model.add(rows, column, 1.0)
