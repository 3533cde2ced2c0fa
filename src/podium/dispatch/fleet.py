"""The devices that a plan steers, with all that bounds them, and what they back."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from podium.dispatch.areas import Areas
from podium.flex.reserve import Room, room_of
from podium.flexstore import FlexStore, Floats
from podium.horizon import Horizon
from podium.portfolio import Meter

Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Fleet:
    """Devices behind their meters over a horizon."""

    store: FlexStore
    meter: Meter
    """Connections; rows: POD."""
    horizon: Horizon
    room: Room
    areas: tuple[Areas, ...] = ()
    """Limits of groups, and last of the whole, that what follows a call keeps."""

    @classmethod
    def of(cls, store: FlexStore, meter: Meter, horizon: Horizon, areas: tuple[Areas, ...] = ()) -> Fleet:
        """With the room that the devices have."""
        return cls(store, meter, horizon, room_of(store, meter, horizon.step_hours), areas)

    @cached_property
    def fresh(self) -> Bools:
        """Where a store starts anew and forgets what it did before. Shape (device, step)."""
        return np.asarray(self.store.full("keep") == 0)

    def pod_sum(self, values: Floats) -> Floats:
        """Sum over each POD's devices: (device, ...) to (pod, ...)."""
        total = np.zeros((len(self.meter.withdrawal_max), *values.shape[1:]))
        if values.ndim == 1:
            return np.asarray(np.bincount(self.store.pod, values, minlength=len(total)), dtype=float)
        if len(values):
            first = np.flatnonzero(np.concatenate(([True], np.diff(self.store.pod) != 0)))
            np.add.at(total, self.store.pod[first], np.add.reduceat(values, first, axis=0))
        return total


@dataclass(frozen=True)
class Backing:
    """Power that each device holds ready for each product, never negative."""

    products: tuple[str, ...]
    sustain_hours: Floats
    """How long a call may last, h. Shape (product,)."""
    up_kw: Floats
    """Shape (product, device, step)."""
    down_kw: Floats
    """Shape (product, device, step)."""

    @classmethod
    def none(cls, devices: int, steps: int) -> Backing:
        """Nothing is sold."""
        nothing = np.zeros((0, devices, steps))
        return cls((), np.zeros(0), nothing, nothing)

    def sustain_steps(self, step_hours: float) -> Ints:
        """Whole steps that a call may last. Shape (product,)."""
        return np.maximum(np.ceil(self.sustain_hours / step_hours - 1e-9), 1).astype(np.int64)

    def since(self, first: int) -> Backing:
        """Only what is promised for step `first` and later."""
        up, down = self.up_kw.copy(), self.down_kw.copy()
        up[:, :, :first], down[:, :, :first] = 0.0, 0.0
        return replace(self, up_kw=up, down_kw=down)
