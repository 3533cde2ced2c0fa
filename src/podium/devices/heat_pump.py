"""Heat pumps and electric boilers with a tank or a building."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from podium.devices.battery import level_rules
from podium.devices.device import (
    Broken,
    Device,
    DeviceTable,
    Fraction,
    NonNegative,
    Positive,
    ProfileName,
    broken,
    negative_profile,
)
from podium.flexstore import FlexStore
from podium.horizon import Horizon


class HeatPump(Device):
    """Electric heat into a store (tank or building) that the heat demand drains.

    Heat is `cop_profile` (or the number `cop`; 1 is an electric boiler) times the electric power. The demand is
    `heat_profile` x `heat_scale_kw`, kW of heat. The store's limits are the comfort band; it loses
    `heat_store_loss_per_hour` of its content per hour. `electric_min_kw` is the least power while running. At the end
    of the horizon it holds at least `heat_store_end_min_kwh` (default: what it held at the start). A back-up heater
    gives up to `backup_heat_max_kw` of heat at `backup_heat_eur_per_kwh`.
    """

    kind: ClassVar[str] = "heat_pump"
    title: ClassVar[str] = "Heat pump"

    electric_max_kw: NonNegative
    electric_min_kw: NonNegative = 0.0
    cop: Positive = 3.0
    cop_profile: ProfileName | None = None
    heat_profile: ProfileName | None = None
    heat_scale_kw: NonNegative = 1.0
    heat_store_min_kwh: NonNegative = 0.0
    heat_store_max_kwh: NonNegative
    heat_store_initial_kwh: NonNegative
    heat_store_end_min_kwh: NonNegative | None = None
    heat_store_loss_per_hour: Fraction = 0.0
    backup_heat_max_kw: NonNegative = 0.0
    backup_heat_eur_per_kwh: NonNegative = 0.0

    @classmethod
    def rules(cls, table: DeviceTable, horizon: Horizon) -> Iterator[Broken]:
        """Levels inside the comfort band; COP above 0; least power below the greatest."""
        yield from negative_profile(table, "heat_profile")
        low, high = table["heat_store_min_kwh"], table["heat_store_max_kwh"]
        yield from level_rules(table, low, high, "heat", "heat_store_initial_kwh", "heat_store_end_min_kwh")
        above = table["electric_min_kw"] > table["electric_max_kw"]
        yield from broken(table, above, "a least power below the greatest", "electric_min_kw", "electric_max_kw")
        yield from _cop_rules(table)

    @classmethod
    def to_store(cls, table: DeviceTable, horizon: Horizon) -> FlexStore:
        """k_plus = COP per step, drift = -heat demand, e limits = comfort band (docs/maths/store.md)."""
        by_profile = table["cop_profile"] >= 0
        cop = np.repeat(table["cop"][:, None], horizon.steps, axis=1)
        cop[by_profile] = table.profiles.values[table["cop_profile"][by_profile]]
        least = np.repeat(table["heat_store_min_kwh"][:, None], horizon.steps, axis=1)
        end = table.filled("heat_store_end_min_kwh", table["heat_store_initial_kwh"])
        least[:, -1] = np.maximum(least[:, -1], end)
        return FlexStore.of(
            table.ids,
            table.pod,
            horizon.steps,
            p_max=table["electric_max_kw"],
            p_on=table["electric_min_kw"],
            k_plus=cop,
            keep=(1.0 - table["heat_store_loss_per_hour"]) ** horizon.step_hours,
            drift=-horizon.step_hours * table.power_kw("heat_profile", "heat_scale_kw"),
            e_min=least,
            e_floor=table["heat_store_min_kwh"],
            e_max=table["heat_store_max_kwh"],
            e_initial=table["heat_store_initial_kwh"],
            aux_max=table["backup_heat_max_kw"],
            aux_cost=table["backup_heat_eur_per_kwh"],
        )


def _cop_rules(table: DeviceTable) -> Iterator[Broken]:
    least = table.profiles.values.min(axis=1) if len(table.profiles.names) else np.ones(1)
    rows = table["cop_profile"]
    for row in np.flatnonzero((rows >= 0) & (least[np.maximum(rows, 0)] <= 0)):
        name = table.profiles.names[rows[row]]
        yield Broken(int(row), f"cop_profile {name!r} goes down to {least[rows[row]]:g}", "a COP above 0")
