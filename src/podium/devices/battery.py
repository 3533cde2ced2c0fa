"""Stationary batteries (BESS)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from podium.devices.device import (
    Broken,
    Device,
    DeviceTable,
    Efficiency,
    Fraction,
    NonNegative,
    Number,
    Positive,
    broken,
)
from podium.flexstore import FlexStore
from podium.horizon import Horizon


class Battery(Device):
    """Stationary battery behind a POD. Efficiencies are fractions, one way; it never charges and discharges at once.

    `wear_eur_per_kwh` is paid per kWh discharged (at the meter); `cycles_max_per_day` limits the energy taken from the
    cells per local day to that many times `energy_max_kwh`. At the end of the horizon it holds at least
    `energy_end_min_kwh` (default: what it held at the start; the least level where `energy_end_eur_per_kwh` values it).
    """

    kind: ClassVar[str] = "battery"
    title: ClassVar[str] = "Battery"

    charge_max_kw: NonNegative
    discharge_max_kw: NonNegative
    energy_max_kwh: Positive
    energy_min_kwh: NonNegative = 0.0
    energy_initial_kwh: NonNegative
    charge_efficiency: Efficiency = 0.95
    discharge_efficiency: Efficiency = 0.95
    self_discharge_per_hour: Fraction = 0.0
    wear_eur_per_kwh: NonNegative = 0.0
    cycles_max_per_day: NonNegative | None = None
    energy_end_min_kwh: NonNegative | None = None
    energy_end_eur_per_kwh: Number = 0.0

    @classmethod
    def rules(cls, table: DeviceTable, horizon: Horizon) -> Iterator[Broken]:
        """Initial and end level inside the limits."""
        low, high = table["energy_min_kwh"], table["energy_max_kwh"]
        yield from level_rules(table, low, high, "energy", "energy_initial_kwh", "energy_end_min_kwh")

    @classmethod
    def to_store(cls, table: DeviceTable, horizon: Horizon) -> FlexStore:
        """k_plus = charge efficiency, k_minus = 1 / discharge efficiency (docs/maths/store.md)."""
        valued = table["energy_end_eur_per_kwh"] != 0
        default_end = np.where(valued, table["energy_min_kwh"], table["energy_initial_kwh"])
        least = np.repeat(table["energy_min_kwh"][:, None], horizon.steps, axis=1)
        least[:, -1] = np.maximum(least[:, -1], table.filled("energy_end_min_kwh", default_end))
        cycles = table.filled("cycles_max_per_day", np.inf)
        return FlexStore.of(
            table.ids,
            table.pod,
            horizon.steps,
            p_min=-table["discharge_max_kw"],
            p_max=table["charge_max_kw"],
            k_plus=table["charge_efficiency"],
            k_minus=1.0 / table["discharge_efficiency"],
            cost_minus=table["wear_eur_per_kwh"],
            keep=(1.0 - table["self_discharge_per_hour"]) ** horizon.step_hours,
            e_min=least,
            e_floor=table["energy_min_kwh"],
            e_max=table["energy_max_kwh"],
            e_initial=table["energy_initial_kwh"],
            e_value=table["energy_end_eur_per_kwh"],
            discharge_day_max=cycles * table["energy_max_kwh"] * table["discharge_efficiency"],
        )


def level_rules(
    table: DeviceTable, low: np.ndarray, high: np.ndarray, what: str, initial: str, end: str
) -> Iterator[Broken]:
    """Rules on the levels of a store: low <= high, and both the initial and the end level between them."""
    prefix = initial.removesuffix("_initial_kwh")
    names = (f"{prefix}_min_kwh",) if f"{prefix}_min_kwh" in table.columns else ()
    yield from broken(table, low > high, f"a least {what} below the greatest", *names, f"{prefix}_max_kwh")
    sound, start, last = low <= high, table[initial], table[end]
    between = f"a level between the least and the greatest {what}"
    yield from broken(table, sound & ((start < low) | (start > high)), between, initial, *names, f"{prefix}_max_kwh")
    yield from broken(table, sound & ((last < low) | (last > high)), between, end, *names, f"{prefix}_max_kwh")
