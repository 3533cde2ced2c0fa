"""Combined heat and power."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from podium.devices.battery import level_rules
from podium.devices.device import (
    Broken,
    Device,
    DeviceTable,
    Flag,
    Fraction,
    NonNegative,
    Positive,
    ProfileName,
    broken,
    negative_profile,
)
from podium.flexstore import FlexStore
from podium.horizon import Horizon


class Chp(Device):
    """Engine that generates up to `electric_max_kw` and `heat_ratio` kWh of heat per kWh of electricity.

    Heat fills a store that the demand `heat_profile` x `heat_scale_kw` drains; a boiler adds up to `boiler_max_kw` at
    `boiler_eur_per_kwh` of heat, and up to `heat_spill_max_kw` may be vented. While running it generates at least
    `electric_min_kw`, runs for `min_up_hours` and rests for `min_down_hours` at least (what ran or rested before the
    horizon is taken to have done so long enough), and pays `start_eur` per start and `fuel_eur_per_kwh` of electricity.
    From one step to the next, starts and stops included, its power changes by `ramp_kw_per_hour` at most; the first
    step is free. Start cost and least times need an `electric_min_kw` above 0: at 0 kW nobody could see it run.
    """

    kind: ClassVar[str] = "chp"
    title: ClassVar[str] = "CHP"

    electric_max_kw: Positive
    electric_min_kw: NonNegative = 0.0
    heat_ratio: NonNegative = 1.0
    heat_profile: ProfileName | None = None
    heat_scale_kw: NonNegative = 1.0
    heat_store_max_kwh: NonNegative = 0.0
    heat_store_initial_kwh: NonNegative = 0.0
    heat_store_end_min_kwh: NonNegative | None = None
    heat_store_loss_per_hour: Fraction = 0.0
    boiler_max_kw: NonNegative = 0.0
    boiler_eur_per_kwh: NonNegative = 0.0
    heat_spill_max_kw: NonNegative = 0.0
    fuel_eur_per_kwh: NonNegative = 0.0
    start_eur: NonNegative = 0.0
    min_up_hours: NonNegative = 0.0
    min_down_hours: NonNegative = 0.0
    ramp_kw_per_hour: Positive | None = None
    on_initial: Flag = False

    @classmethod
    def rules(cls, table: DeviceTable, horizon: Horizon) -> Iterator[Broken]:
        """Levels inside the store; least power below the greatest, and above 0 where starts count."""
        yield from negative_profile(table, "heat_profile")
        high = table["heat_store_max_kwh"]
        yield from level_rules(table, 0 * high, high, "heat", "heat_store_initial_kwh", "heat_store_end_min_kwh")
        above = table["electric_min_kw"] > table["electric_max_kw"]
        yield from broken(table, above, "a least power below the greatest", "electric_min_kw", "electric_max_kw")
        switched = (table["start_eur"] > 0) | (table["min_up_hours"] > 0) | (table["min_down_hours"] > 0)
        unseen = switched & (table["electric_min_kw"] == 0)
        names = ("electric_min_kw", "start_eur", "min_up_hours", "min_down_hours")
        yield from broken(table, unseen, "electric_min_kw above 0 with a start cost or least times", *names)

    @classmethod
    def to_store(cls, table: DeviceTable, horizon: Horizon) -> FlexStore:
        """k_minus = -heat_ratio: injecting fills the heat store; drift = -heat demand; aux = boiler."""
        dt = horizon.step_hours
        least = np.zeros((len(table), horizon.steps))
        least[:, -1] = table.filled("heat_store_end_min_kwh", table["heat_store_initial_kwh"])
        return FlexStore.of(
            table.ids,
            table.pod,
            horizon.steps,
            p_min=-table["electric_max_kw"],
            p_on=table["electric_min_kw"],
            k_minus=-table["heat_ratio"],
            cost_minus=table["fuel_eur_per_kwh"],
            keep=(1.0 - table["heat_store_loss_per_hour"]) ** dt,
            drift=-dt * table.power_kw("heat_profile", "heat_scale_kw"),
            e_min=least,
            e_floor=0.0,
            e_max=table["heat_store_max_kwh"],
            e_initial=table["heat_store_initial_kwh"],
            aux_max=table["boiler_max_kw"],
            aux_cost=table["boiler_eur_per_kwh"],
            spill_max=table["heat_spill_max_kw"],
            ramp=table.filled("ramp_kw_per_hour", np.inf) * dt,
            start_cost=table["start_eur"],
            min_up=np.ceil(table["min_up_hours"] / dt - 1e-9),
            min_down=np.ceil(table["min_down_hours"] / dt - 1e-9),
            on_initial=table["on_initial"],
        )
