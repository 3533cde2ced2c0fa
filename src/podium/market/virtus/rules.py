"""Which powers the reference method lets a device have, per kind (docs/maths/virtus.md, section 1).

Everything here follows the reference system with its defects; `podium.devices` holds the physical rules.
Power is in kW with the load convention (+ withdraws from the grid). Sums over steps are in kW too: the
reference has no step length, so a day's sum of 96 quarter-hours is four times the energy in kWh.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class ShiftTable:
    """Devices whose power is a forecast plus a shift with limits per step and on its sum.

    pod            (device,) index of the POD a device belongs to
    forecast_kw    (device, step)
    shift_min_kw, shift_max_kw  (device, step) limits of power - forecast
    sum_min_kw, sum_max_kw      (device,) limits of the shift's sum over the steps
    down_cost, up_cost          (device, step) charged whole wherever the shift is below or above zero
    priced         (device,) whether the device counts in the mean that the reference calls a POD's cost
    """

    pod: Ints
    forecast_kw: Floats
    shift_min_kw: Floats
    shift_max_kw: Floats
    sum_min_kw: Floats
    sum_max_kw: Floats
    down_cost: Floats
    up_cost: Floats
    priced: Bools

    def __len__(self) -> int:
        return len(self.pod)


@dataclass(frozen=True, slots=True)
class StorageTable:
    """The reference's storages. Levels are in kW: the reference adds power to them without a step length.

    pod, level_initial_kw, level_max_kw, charge_efficiency, discharge_efficiency  (device,)
    charge_max_kw, discharge_max_kw  (device, step)
    """

    pod: Ints
    level_initial_kw: Floats
    level_max_kw: Floats
    charge_max_kw: Floats
    discharge_max_kw: Floats
    charge_efficiency: Floats
    discharge_efficiency: Floats

    def __len__(self) -> int:
        return len(self.pod)


def stack(tables: list[ShiftTable]) -> ShiftTable:
    """All rows of several tables in one, in the given order. The tables must have equally many steps."""
    names = [field.name for field in fields(ShiftTable)]
    return ShiftTable(**{name: np.concatenate([getattr(table, name) for table in tables]) for name in names})


def fixed_loads(pod: ArrayLike, forecast_kw: ArrayLike) -> ShiftTable:
    """Type T1: no shift, no cost, and not counted in the POD's mean cost."""
    forecast = _rows(forecast_kw)
    none = np.zeros(len(forecast))
    return _table(pod, forecast, forecast * 0.0, forecast * 0.0, none, none, priced=False)


def curtailable_loads(
    pod: ArrayLike,
    forecast_kw: ArrayLike,
    allowed: ArrayLike,
    reduction_max_kw: ArrayLike,
    reduction_sum_max_kw: ArrayLike,
    cost_min: ArrayLike = 0.0,
    cost_max: ArrayLike = 0.0,
) -> ShiftTable:
    """Type T2: only less, by at most `reduction_max_kw` in the allowed steps and a sum per day.

    The reference takes the day's allowance from the unscaled profile (defect 5); give the number it uses.
    """
    forecast = _rows(forecast_kw)
    down = np.maximum(-_like(reduction_max_kw, forecast) * _like(allowed, forecast), -forecast)
    allowance = _column(reduction_sum_max_kw, forecast)
    open_end = np.full(len(forecast), np.inf)
    return _table(pod, forecast, down, forecast * 0.0, -allowance, open_end, cost_min, cost_max)


def shiftable_loads(
    pod: ArrayLike,
    forecast_kw: ArrayLike,
    allowed: ArrayLike,
    shift_min_kw: ArrayLike,
    shift_max_kw: ArrayLike,
    loss_sum_max_kw: ArrayLike,
    cost_min: ArrayLike = 0.0,
    cost_max: ArrayLike = 0.0,
) -> ShiftTable:
    """Type T3: shifts within limits in the allowed steps; their sum lies in [-loss_sum_max_kw, 0]."""
    forecast = _rows(forecast_kw)
    steps_on = _like(allowed, forecast)
    down = np.maximum(_like(shift_min_kw, forecast) * steps_on, -forecast)
    up = _like(shift_max_kw, forecast) * steps_on
    loss = _column(loss_sum_max_kw, forecast)
    return _table(pod, forecast, down, up, -loss, np.zeros(len(forecast)), cost_min, cost_max)


def photovoltaics(
    pod: ArrayLike,
    forecast_kw: ArrayLike,
    shift_min_kw: ArrayLike,
    shift_max_kw: ArrayLike,
    shift_sum_kw: ArrayLike = 0.0,
    cost_min: ArrayLike = 0.0,
    cost_max: ArrayLike = 0.0,
) -> ShiftTable:
    """PV: power = forecast - s with the shift s of generation in its limits and of a given day's sum.

    The forecast is negative; s > 0 generates more. The reference's bound at zero, s <= -forecast, has the
    wrong sign (defect 6): it stops PV from doubling instead of from withdrawing.
    """
    forecast = _rows(forecast_kw)
    most = np.minimum(_like(shift_max_kw, forecast), -forecast)
    least = _like(shift_min_kw, forecast)
    return _generation(pod, forecast, least, most, _column(shift_sum_kw, forecast), cost_min, cost_max)


def wind_turbines(
    pod: ArrayLike,
    forecast_kw: ArrayLike,
    shift_min_kw: ArrayLike,
    shift_max_kw: ArrayLike,
    shift_sum_kw: ArrayLike = 0.0,
    cost_min: ArrayLike = 0.0,
    cost_max: ArrayLike = 0.0,
) -> ShiftTable:
    """Wind: as PV, but with the bound at zero the right way round, s >= forecast."""
    forecast = _rows(forecast_kw)
    least = np.maximum(_like(shift_min_kw, forecast), forecast)
    most = _like(shift_max_kw, forecast)
    return _generation(pod, forecast, least, most, _column(shift_sum_kw, forecast), cost_min, cost_max)


def combined_heat_and_power(
    pod: ArrayLike,
    forecast_kw: ArrayLike,
    allowed: ArrayLike,
    shift_min_kw: ArrayLike,
    shift_max_kw: ArrayLike,
    cost_min: ArrayLike = 0.0,
    cost_max: ArrayLike = 0.0,
) -> ShiftTable:
    """CHP: as PV, in the allowed steps only, and the day's sum of shifts is zero."""
    forecast = _rows(forecast_kw)
    steps_on = _like(allowed, forecast)
    least = _like(shift_min_kw, forecast) * steps_on
    most = np.minimum(_like(shift_max_kw, forecast) * steps_on, -forecast)
    return _generation(pod, forecast, least, most, np.zeros(len(forecast)), cost_min, cost_max)


def alone_band(
    kind: str, forecast_kw: ArrayLike, share_down: ArrayLike, share_up: ArrayLike, allowed: ArrayLike = 1.0
) -> tuple[Floats, Floats]:
    """(min, max) trajectories of a device that is alone in its POD: the reference does not optimise those.

    It shows a share of the forecast instead, by kind: PV, wind and CHP have the greater generation as `min`;
    given profiles (BESS, PONTLAB, `kind="given_profile"`) invert where they are negative; shiftable loads and
    CHP show zero outside the allowed steps; fixed and curtailable loads show zero everywhere (defect 7).
    """
    forecast = np.asarray(forecast_kw, dtype=np.float64)
    less, more = forecast - forecast * np.asarray(share_down), forecast + forecast * np.asarray(share_up)
    shown = np.broadcast_to(np.asarray(allowed, dtype=np.float64), forecast.shape)
    if kind in ("pv", "wind"):
        return more, less
    if kind == "chp":
        return more * shown, less * shown
    if kind == "shiftable_load":
        return less * shown, more * shown
    if kind == "given_profile":
        return less, more
    if kind in ("fixed_load", "curtailable_load"):
        return forecast * 0.0, forecast * 0.0
    raise ValueError(f"the reference has no band for a device of kind {kind!r} alone in its POD")


def _generation(
    pod: ArrayLike,
    forecast: Floats,
    least: Floats,
    most: Floats,
    total: Floats,
    cost_min: ArrayLike,
    cost_max: ArrayLike,
) -> ShiftTable:
    """The shift of generation with its sign turned to the load convention; so its costs swap sides too."""
    return _table(pod, forecast, -most, -least, -total, -total, down_cost=cost_max, up_cost=cost_min)


def _table(
    pod: ArrayLike,
    forecast: Floats,
    down: Floats,
    up: Floats,
    sum_min: Floats,
    sum_max: Floats,
    down_cost: ArrayLike = 0.0,
    up_cost: ArrayLike = 0.0,
    priced: bool = True,
) -> ShiftTable:
    index = np.broadcast_to(np.asarray(pod, dtype=np.int64), (len(forecast),)).copy()
    costs = _like(down_cost, forecast), _like(up_cost, forecast)
    return ShiftTable(index, forecast, down, up, sum_min, sum_max, *costs, np.full(len(forecast), priced))


def _rows(values: ArrayLike) -> Floats:
    return np.atleast_2d(np.asarray(values, dtype=np.float64))


def _like(values: ArrayLike, forecast: Floats) -> Floats:
    return np.broadcast_to(np.asarray(values, dtype=np.float64), forecast.shape)


def _column(values: ArrayLike, forecast: Floats) -> Floats:
    return np.broadcast_to(np.asarray(values, dtype=np.float64), (len(forecast),)).copy()
