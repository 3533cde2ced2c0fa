"""Chargers of electric vehicles: one row per session, several sessions per charger and day."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import AwareDatetime

from podium.devices.device import (
    Broken,
    Column,
    Device,
    DeviceTable,
    Efficiency,
    NonNegative,
    Positive,
    broken,
)
from podium.flexstore import FlexStore
from podium.horizon import Horizon

Moment = Annotated[AwareDatetime, Column("moment")]


class EvCharger(Device):
    """One session of a charger (rows with the same `device` are its sessions; they may not overlap).

    The car holds `energy_arrival_kwh` at `arrival` and wants `energy_wanted_kwh` at `departure`; each kWh short costs
    `shortfall_eur_per_kwh`, so that a late car never makes a day infeasible. It charges at 0 or between `charge_min_kw`
    and `charge_max_kw`; with `discharge_max_kw` above 0 it can feed back (V2G), at `wear_eur_per_kwh` per kWh fed back
    at the meter. Only steps wholly inside the session count. A session that began before the horizon starts with
    `energy_arrival_kwh` at its first step; one that ends after it owes at the horizon's end what could no longer be
    charged later.
    """

    kind: ClassVar[str] = "ev_charger"
    title: ClassVar[str] = "EV charger"
    sessions: ClassVar[bool] = True

    arrival: Moment
    departure: Moment
    charge_max_kw: NonNegative
    charge_min_kw: NonNegative = 0.0
    discharge_max_kw: NonNegative = 0.0
    energy_max_kwh: Positive
    energy_arrival_kwh: NonNegative
    energy_wanted_kwh: NonNegative
    shortfall_eur_per_kwh: NonNegative = 1.0
    charge_efficiency: Efficiency = 0.95
    discharge_efficiency: Efficiency = 0.95
    wear_eur_per_kwh: NonNegative = 0.0

    @classmethod
    def rules(cls, table: DeviceTable, horizon: Horizon) -> Iterator[Broken]:
        """Levels inside the battery, departure after arrival, no overlap; a warning where a car stays short."""
        full = "a level of at most energy_max_kwh"
        for name in ("energy_arrival_kwh", "energy_wanted_kwh"):
            yield from broken(table, table[name] > table["energy_max_kwh"], full, name, "energy_max_kwh")
        above = table["charge_min_kw"] > table["charge_max_kw"]
        yield from broken(table, above, "a least power below the greatest", "charge_min_kw", "charge_max_kw")
        yield from _moment_rules(table, horizon)
        yield from _short_sessions(table, horizon)

    @classmethod
    def to_store(cls, table: DeviceTable, horizon: Horizon) -> FlexStore:
        """A battery that starts anew with each session: keep = 0, drift = energy at arrival (docs/maths/store.md)."""
        chargers, charger = _chargers(table)
        shape = (len(chargers), horizon.steps)
        step: dict[str, Any] = {
            name: np.zeros(shape) for name in ("p_min", "p_max", "p_on", "drift", "e_max", "e_target")
        }
        step |= {name: np.zeros(shape) for name in ("shortfall_cost", "cost_minus")}
        step |= {name: np.ones(shape) for name in ("k_plus", "k_minus", "keep")}
        fixed = np.zeros(len(chargers))
        first, last, target = session_steps(table, horizon)
        for row in np.flatnonzero((last > 0) & (first < horizon.steps)):
            if last[row] <= first[row]:
                short = max(0.0, table["energy_wanted_kwh"][row] - table["energy_arrival_kwh"][row])
                fixed[charger[row]] += table["shortfall_eur_per_kwh"][row] * short
                continue
            _place(step, int(charger[row]), slice(first[row], last[row]), table, int(row), target[row])
        return FlexStore.of(table.ids[chargers], table.pod[chargers], horizon.steps, cost_fixed=fixed, **step)


def session_steps(
    table: DeviceTable, horizon: Horizon
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """First step, one past the last step, and target [kWh] of each session within the horizon. Shape (row,)."""
    arrival = horizon.index_of(pd.DatetimeIndex(table["arrival"], tz="UTC"))
    departure = horizon.index_of(pd.DatetimeIndex(table["departure"], tz="UTC"))
    first = np.maximum(np.ceil(arrival - 1e-9), 0).astype(np.int64)
    last = np.minimum(np.floor(departure + 1e-9), horizon.steps).astype(np.int64)
    later_hours = np.maximum(np.floor(departure + 1e-9) - horizon.steps, 0) * horizon.step_hours
    later_kwh = later_hours * table["charge_max_kw"] * table["charge_efficiency"]
    return first, last, np.maximum(table["energy_wanted_kwh"] - later_kwh, 0.0)


def _place(
    step: dict[str, Any],
    charger: int,
    inside: slice,
    table: DeviceTable,
    row: int,
    target: float,
) -> None:
    """Write one session into its charger's columns."""
    step["p_max"][charger, inside] = table["charge_max_kw"][row]
    step["p_min"][charger, inside] = -table["discharge_max_kw"][row]
    step["p_on"][charger, inside] = table["charge_min_kw"][row]
    step["k_plus"][charger, inside] = table["charge_efficiency"][row]
    step["k_minus"][charger, inside] = 1.0 / table["discharge_efficiency"][row]
    step["cost_minus"][charger, inside] = table["wear_eur_per_kwh"][row]
    step["e_max"][charger, inside] = table["energy_max_kwh"][row]
    step["keep"][charger, inside.start] = 0.0
    step["drift"][charger, inside.start] = table["energy_arrival_kwh"][row]
    step["e_target"][charger, inside.stop - 1] = target
    step["shortfall_cost"][charger, inside.stop - 1] = table["shortfall_eur_per_kwh"][row]
    if inside.stop < step["keep"].shape[1]:
        step["keep"][charger, inside.stop] = 0.0


def _chargers(table: DeviceTable) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Row of each charger's first session, and each session's charger. Shapes (device,), (row,)."""
    codes, ids = pd.factorize(table.ids)
    first = np.zeros(len(ids), dtype=np.int64)
    first[codes[::-1]] = np.arange(len(table))[::-1]
    return first, codes


def _moment_rules(table: DeviceTable, horizon: Horizon) -> Iterator[Broken]:
    arrival, departure = table["arrival"], table["departure"]
    for row in np.flatnonzero(departure <= arrival):
        value = f"departure {_local(departure[row], horizon)}"
        yield Broken(int(row), value, f"a time after the arrival {_local(arrival[row], horizon)}")
    order = np.lexsort((arrival, pd.factorize(table.ids)[0]))
    earlier, later = order[:-1], order[1:]
    overlap = (table.ids[earlier] == table.ids[later]) & (arrival[later] < departure[earlier])
    for one, two in zip(earlier[overlap], later[overlap], strict=True):
        value = f"arrival {_local(arrival[two], horizon)} at charger {table.ids[two]!r}"
        gone = f"a time at which the session before it has left ({_local(departure[one], horizon)})"
        yield Broken(int(two), value, gone)


def _short_sessions(table: DeviceTable, horizon: Horizon) -> Iterator[Broken]:
    first, last, target = session_steps(table, horizon)
    hours = np.maximum(last - first, 0) * horizon.step_hours
    possible = table["energy_arrival_kwh"] + hours * table["charge_max_kw"] * table["charge_efficiency"]
    inside = (last > 0) & (first < horizon.steps)
    for row in np.flatnonzero(inside & (possible < target - 1e-9)):
        value = f"charger {table.ids[row]!r} can reach {possible[row]:.2f} kWh in the {hours[row]:g} h it has"
        wanted = f"{target[row]:.2f} kWh; it leaves short and the shortfall is paid for"
        yield Broken(int(row), value, wanted, warning=True)


def _local(nanoseconds: np.int64, horizon: Horizon) -> str:
    """A moment in words, in the zone of the horizon."""
    stamp = pd.Timestamp(int(nanoseconds), tz="UTC").tz_convert(horizon.time_zone)
    return stamp.isoformat(timespec="minutes" if stamp.second == 0 else "seconds")
