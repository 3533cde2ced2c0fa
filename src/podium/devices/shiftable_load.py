"""A load that may be moved within the day (the reference's type T3)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from podium.devices.curtailable_load import daily_window, half_window
from podium.devices.device import (
    Broken,
    ClockTime,
    Device,
    DeviceTable,
    Fraction,
    NonNegative,
    ProfileName,
    negative_profile,
)
from podium.flexstore import FlexStore
from podium.horizon import Horizon


class ShiftableLoad(Device):
    """Consumption `profile` x `scale_kw`, kW, that may be moved within each local day.

    In each allowed step it may fall by `shift_down_fraction` and rise by `shift_up_fraction` of the load. At the end
    of the day, and of the horizon, all that was left out has been made good, but for at most `energy_loss_max_kwh`
    that may be lost; nothing is left over. At no time is more than `shift_energy_max_kwh` outstanding or taken in
    advance. A daily window whose ends are equal is always open.
    """

    kind: ClassVar[str] = "shiftable_load"
    title: ClassVar[str] = "Shiftable load"

    profile: ProfileName
    scale_kw: NonNegative = 1.0
    shift_down_fraction: Fraction
    shift_up_fraction: NonNegative
    shiftable_from: ClockTime | None = None
    shiftable_to: ClockTime | None = None
    energy_loss_max_kwh: NonNegative = 0.0
    shift_energy_max_kwh: NonNegative | None = None

    @classmethod
    def rules(cls, table: DeviceTable, horizon: Horizon) -> Iterator[Broken]:
        """The profile is a magnitude; both ends of the daily window or none."""
        yield from negative_profile(table)
        yield from half_window(table, "shiftable_from", "shiftable_to")

    @classmethod
    def to_store(cls, table: DeviceTable, horizon: Horizon) -> FlexStore:
        """The store counts what was taken beyond the load: e' = e + dt (p - load), in [-loss, 0] at the day's end."""
        load, dt = table.power_kw(), horizon.step_hours
        movable = np.where(daily_window(table, horizon, "shiftable_from", "shiftable_to"), load, 0.0)
        down = movable * table["shift_down_fraction"][:, None]
        up = movable * table["shift_up_fraction"][:, None]
        most = table.filled("shift_energy_max_kwh", np.inf)[:, None]
        day_end = np.append(horizon.day_starts[1:], True)[None, :]
        least = np.maximum(-most, -dt * down.sum(axis=1, keepdims=True))
        return FlexStore.of(
            table.ids,
            table.pod,
            horizon.steps,
            p_min=load - down,
            p_max=load + up,
            p_usual=load,
            k_plus=1.0,
            k_minus=1.0,
            keep=np.where(horizon.day_starts[None, :], 0.0, np.ones((len(table), 1))),
            drift=-dt * load,
            e_min=np.where(day_end, np.maximum(least, -table["energy_loss_max_kwh"][:, None]), least),
            e_max=np.where(day_end, 0.0, np.minimum(most, dt * up.sum(axis=1, keepdims=True))),
        )
