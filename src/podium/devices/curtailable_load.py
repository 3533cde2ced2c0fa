"""A load that may be cut (the reference's type T2)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from podium.devices.device import (
    Broken,
    ClockTime,
    Device,
    DeviceTable,
    Fraction,
    NonNegative,
    ProfileName,
    broken,
    negative_profile,
)
from podium.flexstore import FlexStore, Floats
from podium.horizon import Horizon


class CurtailableLoad(Device):
    """Consumption `profile` x `scale_kw`, kW, of which a part may be cut and is then lost.

    In each allowed step (`curtailable_from` to `curtailable_to`, local time, which may pass midnight) at most
    `curtailable_max_kw` and at most `curtailable_fraction` of the load; over a local day at most
    `curtailable_energy_kwh_per_day` (never more than the load of the horizon). Each kWh cut costs
    `curtailment_eur_per_kwh`. A daily window whose ends are equal is always open.
    """

    kind: ClassVar[str] = "curtailable_load"
    title: ClassVar[str] = "Curtailable load"

    profile: ProfileName
    scale_kw: NonNegative = 1.0
    curtailable_max_kw: NonNegative | None = None
    curtailable_fraction: Fraction | None = None
    curtailable_from: ClockTime | None = None
    curtailable_to: ClockTime | None = None
    curtailable_energy_kwh_per_day: NonNegative | None = None
    curtailment_eur_per_kwh: NonNegative = 0.0

    @classmethod
    def rules(cls, table: DeviceTable, horizon: Horizon) -> Iterator[Broken]:
        """Some limit of power; both ends of the daily window or none."""
        yield from negative_profile(table)
        neither = np.isnan(table["curtailable_max_kw"]) & np.isnan(table["curtailable_fraction"])
        yield from broken(
            table,
            neither,
            "curtailable_max_kw or curtailable_fraction",
            "curtailable_max_kw",
            "curtailable_fraction",
        )
        yield from half_window(table, "curtailable_from", "curtailable_to")

    @classmethod
    def to_store(cls, table: DeviceTable, horizon: Horizon) -> FlexStore:
        """load - allowed <= p <= load; the store is the day's remaining allowance: e' = e + dt (p - load)."""
        load = table.power_kw()
        allowed = np.minimum(load * table.filled("curtailable_fraction", 1.0)[:, None], load)
        allowed = np.minimum(allowed, table.filled("curtailable_max_kw", np.inf)[:, None])
        allowed = np.where(daily_window(table, horizon, "curtailable_from", "curtailable_to"), allowed, 0.0)
        dt = horizon.step_hours
        everything = dt * load.sum(axis=1)
        allowance = np.minimum(table.filled("curtailable_energy_kwh_per_day", np.inf), everything)
        price = table["curtailment_eur_per_kwh"]
        new_day = horizon.day_starts[None, :]
        return FlexStore.of(
            table.ids,
            table.pod,
            horizon.steps,
            p_min=load - allowed,
            p_max=load,
            p_usual=load,
            k_plus=1.0,
            k_minus=1.0,
            cost_plus=-price,
            cost_minus=price,
            cost_fixed=price * everything,
            keep=np.where(new_day, 0.0, np.ones((len(table), 1))),
            drift=-dt * load + np.where(new_day, allowance[:, None], 0.0),
            e_max=allowance,
        )


def daily_window(table: DeviceTable, horizon: Horizon, first: str, last: str) -> Floats | np.ndarray:
    """Steps inside each row's daily window; all of them where it has none. Shape (row, step)."""
    always = (table[first] < 0)[:, None]
    return always | horizon.within(table[first], table[last])


def half_window(table: DeviceTable, first: str, last: str) -> Iterator[Broken]:
    """Rows that give only one end of their daily window."""
    for row in np.flatnonzero((table[first] < 0) != (table[last] < 0)):
        given, absent = (last, first) if table[first][row] < 0 else (first, last)
        yield Broken(int(row), f"{given} without {absent}", "both ends of the daily window, or neither")
