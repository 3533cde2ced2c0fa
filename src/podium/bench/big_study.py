"""Study folders of any number of PODs with three devices each."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from podium.bench.synthetic import HORIZON, LOADS, ROOFS, market_prices, profiles
from podium.study.write import StudyParts, write_study

Kind = Literal["pv", "car"]
KINDS: dict[Kind, str] = {
    "pv": "load, PV and battery: one store, dynamic programme",
    "car": "load, battery and car: two stores behind one meter, linear programme",
}
"""What stands behind every POD, and how its baseline is found."""


def write_big_study(folder: Path, pods: int, kind: Kind) -> None:
    """A day of `pods` PODs with a tariff spread, on a market with one price."""
    random = np.random.default_rng(pods)
    ids = np.array([f"pod-{number:06}" for number in range(pods)], dtype=object)
    devices = {"fixed_load": _loads(ids, random), "battery": _batteries(ids, random)}
    devices |= {"pv": _roofs(ids, random)} if kind == "pv" else {"ev_charger": _cars(ids, random)}
    spec = {"name": f"{pods:,} PODs", "time_zone": HORIZON.time_zone, "start": "2018-03-13", "days": 1}
    parts = StudyParts(
        spec | {"step_minutes": HORIZON.step_minutes},
        pd.DataFrame({"pod": ids, "buy_profile": "buy", "sell_profile": "sell"}),
        devices,
        pd.DataFrame(profiles(), index=HORIZON.times),
        pd.DataFrame({"price_eur_per_mwh": market_prices()}, index=HORIZON.times),
    )
    write_study(parts, folder, "parquet")


def _loads(ids: np.ndarray, random: np.random.Generator) -> pd.DataFrame:
    names = [f"load_{number % LOADS}" for number in range(len(ids))]
    return pd.DataFrame(
        {"device": ids + " load", "pod": ids, "profile": names, "scale_kw": random.uniform(0.5, 3, len(ids)).round(2)}
    )


def _batteries(ids: np.ndarray, random: np.random.Generator) -> pd.DataFrame:
    energy = random.uniform(5, 15, len(ids)).round(2)
    return pd.DataFrame(
        {
            "device": ids + " battery",
            "pod": ids,
            "charge_max_kw": (energy / 2.5).round(2),
            "discharge_max_kw": (energy / 2.5).round(2),
            "energy_max_kwh": energy,
            "energy_initial_kwh": (0.4 * energy).round(2),
            "wear_eur_per_kwh": 0.01,
        }
    )


def _roofs(ids: np.ndarray, random: np.random.Generator) -> pd.DataFrame:
    names = [f"sun_{number % ROOFS}" for number in range(len(ids))]
    return pd.DataFrame(
        {"device": ids + " pv", "pod": ids, "profile": names, "scale_kw": random.uniform(2, 8, len(ids)).round(2)}
    )


def _cars(ids: np.ndarray, random: np.random.Generator) -> pd.DataFrame:
    """From the evening to the next morning, wanting 20 to 40 kWh."""
    begin = HORIZON.times[0]
    arrival = begin + pd.to_timedelta(15 * random.integers(60, 80, len(ids)), unit="min")
    return pd.DataFrame(
        {
            "device": ids + " car",
            "pod": ids,
            "arrival": arrival,
            "departure": begin + pd.Timedelta(hours=30),
            "charge_max_kw": 7.4,
            "energy_max_kwh": 60.0,
            "energy_arrival_kwh": 20.0,
            "energy_wanted_kwh": random.uniform(40, 58, len(ids)).round(1),
        }
    )
