"""Level 1 of the reference method on any study: which of its devices each of Podium's is (docs/maths/virtus.md, 4).

Every number goes where a user of the reference would have typed it, so that the promise has the reference's defects
and no others. Power is in kW; levels of storages and sums over steps too, for want of a step length.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from podium.devices.curtailable_load import daily_window
from podium.devices.device import DeviceTable
from podium.horizon import Horizon
from podium.local import Response
from podium.market.virtus.level1 import Level1, solve_level1, sum_by_pod
from podium.market.virtus.rules import (
    Bools,
    Floats,
    Ints,
    ShiftTable,
    StorageTable,
    alone_band,
    combined_heat_and_power,
    curtailable_loads,
    fixed_loads,
    photovoltaics,
    shiftable_loads,
    stack,
    wind_turbines,
)
from podium.portfolio import Portfolio

#: Shift of generation around its forecast, either way: what the reference takes for PV, wind and CHP.
PLANT_SHARE = 0.1
#: PODs in memory at once.
PART_PODS = 2000


@dataclass(frozen=True, slots=True)
class ReferencePods:
    """What the reference's level 1 hands to its level 2.

    min_kw, max_kw      (pod, step) the two trajectories
    baseline_kw         (pod, step) sum of the forecasts, in which a storage counts as 0
    min_cost, max_cost  (pod, step) what the reference calls the POD's cost; nothing depends on it
    failed              (pod,) PODs that stand at their baseline on both sides
    """

    min_kw: Floats
    max_kw: Floats
    baseline_kw: Floats
    min_cost: Floats
    max_cost: Floats
    failed: Bools


@dataclass(frozen=True, slots=True)
class Forecasts:
    """The devices of one kind: their PODs (device,) and their power without flexibility, kW (device, step)."""

    pod: Ints
    kw: Floats


def reference_level1(portfolio: Portfolio, baseline: Response) -> ReferencePods:
    """The reference's trajectories and baseline of every POD.

    `baseline` is Podium's own level 1; its powers are the forecasts of devices that have none (CHP, chargers, heat
    pumps). A POD that failed there stands at what replaced it, a POD that fails here at the sum of its forecasts.
    """
    row_of = {name: row for row, name in enumerate(baseline.device_ids)}
    parts = []
    for first in range(0, len(portfolio), PART_PODS):
        part = portfolio.part(first, min(first + PART_PODS, len(portfolio)))
        parts.append(_solved(part, forecasts(part, baseline.schedule.p, row_of)))
    found = ReferencePods(
        **{name: np.concatenate([getattr(part, name) for part in parts]) for name in ReferencePods.__slots__}
    )
    lost = np.unique(baseline.device_pod[np.isnan(baseline.schedule.p[:, 0])])
    found.failed[lost] = True
    for trajectory in (found.min_kw, found.max_kw, found.baseline_kw):
        trajectory[lost] = baseline.net_kw[lost]
    return found


def forecasts(portfolio: Portfolio, planned_kw: Floats, row_of: Mapping[str, int]) -> dict[str, Forecasts]:
    """Forecasts of all devices by kind; `row_of` gives the row of `planned_kw` (device, step) of a device's id.

    A kind that the reference does not know, or whose power is not an input, has its planned power as its forecast
    (0 where its POD has no plan). A battery beside other devices is a storage, with none.
    """
    found = {}
    for kind, table in portfolio.devices.items():
        if kind in ("fixed_load", "curtailable_load", "shiftable_load", "given_profile"):
            found[kind] = Forecasts(table.pod, table.power_kw())
        elif kind in ("pv", "wind"):
            found[kind] = Forecasts(table.pod, -table.power_kw())
        else:
            pod_of = dict(zip(table.ids, table.pod, strict=True))
            rows = np.array([row_of[name] for name in pod_of], dtype=np.int64)
            found[kind] = Forecasts(np.array(list(pod_of.values()), dtype=np.int64), np.nan_to_num(planned_kw[rows]))
    if "battery" in found:
        found["battery"].kw[devices_per_pod(found, len(portfolio))[found["battery"].pod] > 1] = 0.0
    return found


def devices_per_pod(known: Mapping[str, Forecasts], pods: int) -> Ints:
    """Number of devices behind each POD; one that is alone is not optimised by the reference. Shape (pod,)."""
    count = np.zeros(pods, dtype=np.int64)
    for own in known.values():
        count += np.bincount(own.pod, minlength=pods)
    return count


def shift_table(portfolio: Portfolio, known: Mapping[str, Forecasts]) -> ShiftTable:
    """All devices that shift around their forecast. Batteries and given profiles are not among them."""
    tables = [fixed_loads(0, np.zeros((0, portfolio.horizon.steps)))]
    for kind, own in known.items():
        if kind not in ("battery", "given_profile"):
            rule = _RULES.get(kind, _fixed)
            tables.append(rule(portfolio.devices[kind], own, portfolio.horizon))
    return stack(tables)


def storage_table(portfolio: Portfolio) -> StorageTable | None:
    """All batteries: the energy above the least level, in kWh, becomes a level in kW of the same number."""
    table, steps = portfolio.devices.get("battery"), portfolio.horizon.steps
    if table is None:
        return None
    least = table["energy_min_kwh"]
    return StorageTable(
        table.pod,
        table["energy_initial_kwh"] - least,
        table["energy_max_kwh"] - least,
        _every_step(table["charge_max_kw"], steps),
        _every_step(table["discharge_max_kw"], steps),
        table["charge_efficiency"],
        table["discharge_efficiency"],
    )


def _solved(portfolio: Portfolio, known: Mapping[str, Forecasts]) -> ReferencePods:
    pods = len(portfolio)
    baseline = np.zeros((pods, portfolio.horizon.steps))
    for own in known.values():
        baseline += sum_by_pod(own.kw, own.pod, pods)
    solved = solve_level1(shift_table(portfolio, known), storage_table(portfolio), pods)
    _show_alone(solved, portfolio, known, devices_per_pod(known, pods) == 1)
    for trajectory in (solved.min_kw, solved.max_kw):
        trajectory[solved.failed] = baseline[solved.failed]
    return ReferencePods(solved.min_kw, solved.max_kw, baseline, solved.min_cost, solved.max_cost, solved.failed)


def _show_alone(solved: Level1, portfolio: Portfolio, known: Mapping[str, Forecasts], alone: Bools) -> None:
    """Put the bands of devices that are `alone` in their POD (pod,) in place of what was optimised."""
    for kind, own in known.items():
        rows = np.flatnonzero(alone[own.pod])
        if len(rows):
            pod, kw = own.pod[rows], own.kw[rows]
            table = portfolio.devices[kind]
            chosen = table if table.kind.sessions else table.take(rows)
            solved.min_kw[pod], solved.max_kw[pod] = _band_alone(kind, chosen, kw, portfolio.horizon)
            solved.min_cost[pod] = solved.max_cost[pod] = 0.0


def _band_alone(kind: str, table: DeviceTable, kw: Floats, horizon: Horizon) -> tuple[Floats, Floats]:
    """(min, max) trajectories (device, step) of devices without another one in their POD."""
    if kind == "shiftable_load":
        down, up = table["shift_down_fraction"][:, None], table["shift_up_fraction"][:, None]
        return alone_band(kind, kw, down, up, daily_window(table, horizon, "shiftable_from", "shiftable_to"))
    if kind == "given_profile":
        band = table.filled("band_kw", 0.0)[:, None] + table.filled("band_fraction", 0.0)[:, None] * abs(kw)
        share = _ratio(band, abs(kw))
        return alone_band(kind, kw, share, share)
    known = "given_profile" if kind == "battery" else kind if kind in _RULES else "fixed_load"
    return alone_band(known, kw, PLANT_SHARE, PLANT_SHARE)


def _fixed(_table: DeviceTable, own: Forecasts, _horizon: Horizon) -> ShiftTable:
    return fixed_loads(own.pod, own.kw)


def _curtailable(table: DeviceTable, own: Forecasts, horizon: Horizon) -> ShiftTable:
    """The allowance is a share of the profile's sum, taken by the reference before `scale_kw` (defect 5)."""
    most = own.kw * table.filled("curtailable_fraction", 1.0)[:, None]
    most = np.minimum(most, table.filled("curtailable_max_kw", np.inf)[:, None])
    allowed = daily_window(table, horizon, "curtailable_from", "curtailable_to")
    asked_kwh = _days(horizon) * table.filled("curtailable_energy_kwh_per_day", np.inf)
    allowance = np.minimum(asked_kwh / horizon.step_hours, own.kw.sum(axis=1))
    unscaled = _ratio(allowance, table["scale_kw"])
    return curtailable_loads(own.pod, own.kw, allowed, most, unscaled, cost_min=_price(table, "curtailment"))


def _shiftable(table: DeviceTable, own: Forecasts, horizon: Horizon) -> ShiftTable:
    allowed = daily_window(table, horizon, "shiftable_from", "shiftable_to")
    down, up = (own.kw * table[f"shift_{side}_fraction"][:, None] for side in ("down", "up"))
    loss = _days(horizon) * table["energy_loss_max_kwh"] / horizon.step_hours
    return shiftable_loads(own.pod, own.kw, allowed, -down, up, loss)


def _pv(_table: DeviceTable, own: Forecasts, _horizon: Horizon) -> ShiftTable:
    return photovoltaics(own.pod, own.kw, PLANT_SHARE * own.kw, -PLANT_SHARE * own.kw)


def _wind(_table: DeviceTable, own: Forecasts, _horizon: Horizon) -> ShiftTable:
    return wind_turbines(own.pod, own.kw, PLANT_SHARE * own.kw, -PLANT_SHARE * own.kw)


def _chp(table: DeviceTable, own: Forecasts, _horizon: Horizon) -> ShiftTable:
    least, most = PLANT_SHARE * own.kw, -PLANT_SHARE * own.kw
    return combined_heat_and_power(own.pod, own.kw, 1.0, least, most, cost_max=_price(table, "fuel"))


_RULES: dict[str, Callable[[DeviceTable, Forecasts, Horizon], ShiftTable]] = {
    "fixed_load": _fixed,
    "curtailable_load": _curtailable,
    "shiftable_load": _shiftable,
    "pv": _pv,
    "wind": _wind,
    "chp": _chp,
}


def _price(table: DeviceTable, what: str) -> Floats:
    """EUR/kWh as the reference's cost: charged whole in every step with a shift, whatever its size."""
    return np.asarray(table[f"{what}_eur_per_kwh"][:, None])


def _days(horizon: Horizon) -> int:
    """Local days that the horizon touches. The reference knows one day only; its sums are over the whole horizon."""
    return int(horizon.day_starts.sum())


def _every_step(values: Floats, steps: int) -> Floats:
    return np.repeat(values[:, None], steps, axis=1)


def _ratio(part: Floats, whole: Floats) -> Floats:
    """part / whole, 0 where there is nothing of the whole."""
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0.0)
