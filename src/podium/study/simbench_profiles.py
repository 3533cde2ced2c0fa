"""The relative profiles of SimBench: an extract that comes along, other years, and the plants behind them.

SimBench has a year of quarter-hours, 2016, in German local time, as kW per kW of size. docs/importing.md
says what is assumed about cars and heat pumps, of which SimBench gives the electric power only.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from importlib.resources import as_file, files
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from podium.errors import InputError, Problem
from podium.horizon import Horizon

TIME_ZONE = "Europe/Berlin"
YEAR = 2016
STEP_MINUTES = 15

AIR_COP, SOIL_COP = 3.0, 4.0
"""Seasonal coefficients of performance of heat pumps with air and with soil as the source."""
TANK_HOURS = 2.0
"""Size of a heat pump's tank, in hours of its greatest heat."""
TANK_LOSS_PER_HOUR = 0.005
BACKUP_HEAT_EUR_PER_KWH = 0.35
CAR_KWH = 50.0
"""Battery of a car, unless one charge needs more."""
CAR_LEVEL_AT_DEPARTURE = 0.9
CAR_CHARGE_EFFICIENCY = 0.92
HOME_DEPARTURE_MINUTE = 7 * 60
"""Cars that charge at home (`HLS_...`) leave at the next 07:00, or when the profile charges the next time."""
WORK_STAY_STEPS = 8 * 60 // STEP_MINUTES
"""Cars at work or in public (`APLS_...`) stay 8 hours, or as long as the charge takes."""


def bundled_profiles() -> pd.DataFrame:
    """The extract of SimBench's profiles that comes along: kW per kW, some weeks of 2016, indexed by UTC.

    EV and heat-pump profiles are electric power, PV and wind generation, all >= 0. ODbL 1.0, see
    DATA_LICENSES.md.
    """
    with as_file(files("podium.study") / "data" / "simbench" / "profiles.parquet") as path:
        table = pd.read_parquet(path)
    return table.astype(float).round(4)


def utc_index(stamps: pd.Series[str]) -> pd.DatetimeIndex:
    """SimBench's stamps (German wall clock, the repeated hour twice) as UTC."""
    wall = pd.DatetimeIndex(pd.to_datetime(stamps, format="%d.%m.%Y %H:%M"))
    return wall.tz_localize(TIME_ZONE, ambiguous=~wall.duplicated(keep="first")).tz_convert("UTC")


def source_day(day: date) -> date:
    """The day of 2016 that stands for `day`: the nearest one with the same weekday.

    >>> source_day(date(2018, 10, 28))  # both are the Sunday on which summer time ends
    datetime.date(2016, 10, 30)
    """
    same_date = date(YEAR, day.month, day.day)
    shift = (day.weekday() - same_date.weekday() + 3) % 7 - 3
    found = same_date + timedelta(days=shift)
    return found + timedelta(days=7 * ((found.year < YEAR) - (found.year > YEAR)))


def padded(horizon: Horizon) -> Horizon:
    """The days of the horizon with one before and two after: cars arrive before it and leave after it."""
    first = horizon.times[0].date() - timedelta(days=1)
    last = horizon.times[-1].date() + timedelta(days=2)
    return Horizon.days(first, (last - first).days + 1, STEP_MINUTES, horizon.time_zone)


def profiles_at(
    relative: pd.DataFrame, times: pd.DatetimeIndex, source_of: Callable[[date], date] = source_day
) -> pd.DataFrame:
    """Relative profiles of 2016 at local quarter-hours of any year, by wall clock on the day that stands for each.

    `times` are in the zone whose clock people live by. An hour that the source day skips has the values of
    the quarter-hour before it; one that it has twice, those of its first occurrence. Raises InputError
    where `relative` lacks a source day.
    """
    source = pd.DatetimeIndex(relative.index).tz_convert(TIME_ZONE)
    rows_of = pd.Series(np.arange(len(source))).groupby(np.asarray(source.date)).indices
    dates = np.asarray(times.date)
    rows = np.empty(len(times), dtype=np.int64)
    for day in dict.fromkeys(dates):
        if source_of(day) not in rows_of:
            raise InputError(Problem("SimBench profiles", f"no {source_of(day)} (for {day})", "another day"))
        found, wanted = rows_of[source_of(day)], np.flatnonzero(dates == day)
        rows[wanted] = found[_same_clock(_minutes(source[found]), _minutes(times[wanted]))]
    return relative.iloc[rows].set_axis(times, axis="index")


def _minutes(times: pd.Index[Any]) -> NDArray[np.int64]:
    local = pd.DatetimeIndex(times)
    return np.asarray(local.hour * 60 + local.minute, dtype=np.int64)


def _same_clock(source: NDArray[np.int64], wanted: NDArray[np.int64]) -> NDArray[np.int64]:
    """Positions in `source` (minutes of the day) of each wanted minute; the one before where it has none."""
    if np.array_equal(source, wanted):
        return np.arange(len(source))
    clock, first = np.unique(source, return_index=True)
    return np.asarray(first[np.searchsorted(clock, wanted, side="right") - 1], dtype=np.int64)


def ev_sessions(relative: pd.DataFrame, horizon: Horizon) -> pd.DataFrame:
    """The sessions behind EV profiles: each stretch of charging is a car that is plugged in when it begins.

    `relative` (kW per kW of charger) covers `padded(horizon)`. Columns: profile, arrival, departure, power
    (the greatest, kW per kW) and energy (at the meter, kWh per kW), of which what the profile charges
    before the horizon is left out, as are sessions that have nothing left to charge.
    """
    axis = padded(horizon)
    begin = int(axis.index_of(horizon.times[:1])[0])
    parts = [_sessions(relative[name].to_numpy(), str(name), axis, begin) for name in relative.columns]
    sessions = pd.concat(parts, ignore_index=True)
    return sessions[sessions["arrival"] < horizon.end]


def _sessions(power: NDArray[np.float64], profile: str, axis: Horizon, begin: int) -> pd.DataFrame:
    """Sessions that still charge at step `begin` or later; none of them arrives before it."""
    arrival, full = _runs(power > 1e-3)
    departure = _departures(profile, arrival, full, axis)
    charged = np.append(0.0, np.cumsum(power) * axis.step_hours)
    energy = charged[full] - charged[np.maximum(arrival, begin)]
    kept = np.flatnonzero((full > begin) & (energy > 1e-6) & (departure < axis.steps))
    return pd.DataFrame(
        {
            "profile": profile,
            "arrival": axis.times[np.maximum(arrival, begin)[kept]],
            "departure": axis.times[departure[kept]],
            "power": [power[arrival[row] : full[row]].max() for row in kept],
            "energy": energy[kept],
        }
    )


def _runs(on: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First step, and one past the last step, of every stretch of true values."""
    edges = np.diff(np.concatenate(([False], on, [False])).astype(np.int8))
    return np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)


def _departures(profile: str, arrival: NDArray[np.int64], full: NDArray[np.int64], axis: Horizon) -> NDArray[np.int64]:
    """Step in which each car leaves; never before it is full, nor after the next one arrives."""
    if profile.startswith("HLS"):
        mornings = np.append(np.flatnonzero(axis.minute_of_day == HOME_DEPARTURE_MINUTE), axis.steps)
        usual = mornings[np.searchsorted(mornings, arrival, side="right")]
    else:
        usual = arrival + WORK_STAY_STEPS
    following = np.append(arrival[1:], axis.steps)
    return np.asarray(np.maximum(np.minimum(usual, following), full), dtype=np.int64)


def charger_rows(chargers: pd.DataFrame, sessions: pd.DataFrame) -> pd.DataFrame:
    """Rows of an ev_charger table for `chargers` (columns device, pod, profile, kw), from `ev_sessions`.

    The car's battery is not known: it is taken as CAR_KWH, and as leaving at CAR_LEVEL_AT_DEPARTURE, so
    that it arrives with what then lacks the energy of its profile.
    """
    rows = chargers.merge(sessions, on="profile")
    needed = rows["energy"] * rows["kw"] * CAR_CHARGE_EFFICIENCY
    battery = np.maximum(CAR_KWH, needed / 0.8)
    return pd.DataFrame(
        {
            "device": rows["device"],
            "pod": rows["pod"],
            "arrival": [stamp.isoformat() for stamp in rows["arrival"]],
            "departure": [stamp.isoformat() for stamp in rows["departure"]],
            "charge_max_kw": np.ceil(1e3 * rows["power"] * rows["kw"]) / 1e3,
            "energy_max_kwh": battery.round(3),
            "energy_arrival_kwh": (CAR_LEVEL_AT_DEPARTURE * battery - needed).round(3),
            "energy_wanted_kwh": (CAR_LEVEL_AT_DEPARTURE * battery - 1e-3).round(3),
            "charge_efficiency": CAR_CHARGE_EFFICIENCY,
            "shortfall_eur_per_kwh": 1.0,
        }
    )


def heat_pump_rows(pumps: pd.DataFrame) -> pd.DataFrame:
    """Rows of a heat_pump table for `pumps` (columns device, pod, profile, kw).

    The heat demand is the profile's power times the coefficient of performance; a tank of TANK_HOURS lets
    the pump run at other times. A direct electric back-up keeps every day feasible.
    """
    cop = np.where(pumps["profile"].str.startswith("Soil"), SOIL_COP, AIR_COP)
    heat_kw = pumps["kw"] * cop
    return pd.DataFrame(
        {
            "device": pumps["device"],
            "pod": pumps["pod"],
            "electric_max_kw": pumps["kw"],
            "cop": cop,
            "heat_profile": pumps["profile"],
            "heat_scale_kw": heat_kw.round(4),
            "heat_store_max_kwh": (TANK_HOURS * heat_kw).round(3),
            "heat_store_initial_kwh": (TANK_HOURS / 2 * heat_kw).round(3),
            "heat_store_loss_per_hour": TANK_LOSS_PER_HOUR,
            "backup_heat_max_kw": heat_kw.round(4),
            "backup_heat_eur_per_kwh": BACKUP_HEAT_EUR_PER_KWH,
        }
    )
