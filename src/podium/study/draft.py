"""Example studies in the making: rows of PODs and devices on the bundled prices and profiles."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from podium.devices import KINDS
from podium.horizon import Horizon
from podium.portfolio import Pod
from podium.study.simbench_profiles import (
    bundled_profiles,
    charger_rows,
    ev_sessions,
    heat_pump_rows,
    padded,
    profiles_at,
)
from podium.study.smard import bundled_prices
from podium.study.write import StudyParts

TIME_ZONE = "Europe/Rome"
MARKET_ZONE = "IT-North"
PEAK_RATE_EUR_PER_KWH, OFF_PEAK_RATE_EUR_PER_KWH = 0.235, 0.205
"""Italian two-rate retail tariff: F1 is Monday to Friday from 08:00 to 19:00."""


@dataclass
class Draft:
    """A study in the making: rows of PODs and devices, and the series that they refer to."""

    name: str
    horizon: Horizon
    days: int
    pods: list[dict[str, Any]] = field(default_factory=list)
    devices: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    series: dict[str, pd.Series[float]] = field(default_factory=dict)
    """Profiles of the study's own; SimBench's are found by their names."""

    def pod(self, pod: str, **fields: Any) -> None:
        """A POD with the given fields."""
        self.pods.append({"pod": pod, **fields})

    def device(self, kind: str, device: str, pod: str, **fields: Any) -> None:
        """A device of a kind behind a POD."""
        self.devices.setdefault(kind, []).append({"device": device, "pod": pod, **fields})

    def heat_pump(self, device: str, pod: str, profile: str, kw: float) -> None:
        """A heat pump with the heat demand behind a SimBench profile (docs/importing.md)."""
        frame = pd.DataFrame({"device": [device], "pod": [pod], "profile": [profile], "kw": [kw]})
        self._extend("heat_pump", heat_pump_rows(frame))

    def charger(self, device: str, pod: str, kw: float, sessions: pd.DataFrame, **fields: Any) -> None:
        """A charger with sessions (columns arrival, departure, power, energy: per kW of the charger)."""
        frame = pd.DataFrame({"device": [device], "pod": [pod], "profile": ["own"], "kw": [kw]})
        self._extend("ev_charger", charger_rows(frame, sessions.assign(profile="own")).assign(**fields))

    def _extend(self, kind: str, rows: pd.DataFrame) -> None:
        records = [{str(name): value for name, value in row.items()} for row in rows.to_dict("records")]
        self.devices.setdefault(kind, []).extend(records)

    def parts(self) -> StudyParts:
        """The study with the profiles that it uses and the market prices of its days."""
        spec = {
            "name": self.name,
            "time_zone": TIME_ZONE,
            "start": self.horizon.times[0].date().isoformat(),
            "days": self.days,
            "step_minutes": self.horizon.step_minutes,
        }
        prices = market_prices(self.horizon).to_frame("price_eur_per_mwh")
        return StudyParts(spec, *self.tables(), self._profiles(), prices)

    def tables(self) -> tuple[pd.DataFrame, dict[str, pd.DataFrame]]:
        """The table of PODs, and the table of each kind of device."""
        devices = {
            kind: _in_order(pd.DataFrame(rows), ["device", "pod", *KINDS[kind].model_fields])
            for kind, rows in self.devices.items()
        }
        return _in_order(pd.DataFrame(self.pods), ["pod", *Pod.model_fields]), devices

    def _profiles(self) -> pd.DataFrame:
        rows = [row for table in (self.pods, *self.devices.values()) for row in table]
        named = {row[key] for row in rows for key in row if key.endswith("profile") and row[key] is not None}
        relative = bundled_profiles()
        known = [str(name) for name in relative.columns if name in named]
        return profiles_at(relative[known], self.horizon.times).assign(**self.series)


def _in_order(table: pd.DataFrame, fields: list[str]) -> pd.DataFrame:
    """The columns of a table in the order in which its fields are declared."""
    return table[[name for name in dict.fromkeys(fields) if name in table.columns]]


def market_prices(horizon: Horizon) -> pd.Series[float]:
    """Hourly day-ahead prices of Northern Italy over the horizon, EUR/MWh."""
    prices = bundled_prices(MARKET_ZONE, horizon.start, horizon.end)
    return prices.set_axis(pd.DatetimeIndex(prices.index).tz_convert(TIME_ZONE), axis="index")


def two_rate_tariff(horizon: Horizon) -> pd.Series[float]:
    """EUR/kWh: the peak rate in F1 (Monday to Friday, 08:00 to 19:00), the off-peak rate otherwise."""
    times = horizon.times
    peak = (times.day_of_week < 5) & (times.hour >= 8) & (times.hour < 19)
    rates = np.where(peak, PEAK_RATE_EUR_PER_KWH, OFF_PEAK_RATE_EUR_PER_KWH)
    return pd.Series(rates, index=times)


def home_charges(first_day: str, days: int) -> pd.DataFrame:
    """The charges of SimBench's home chargers on some days: `ev_sessions`, with `kwh` at the charger's own size."""
    relative = bundled_profiles().filter(like="HLS_")
    horizon = Horizon.days(first_day, days, 15, TIME_ZONE)
    sessions = ev_sessions(profiles_at(relative, padded(horizon).times), horizon)
    size_kw = sessions["profile"].str.rsplit("_").str[-1].astype(float)  # HLS_A_11.0: 11 kW
    return sessions.assign(kwh=sessions["energy"] * size_kw)
