"""The example `it-north-200`: 200 PODs in Northern Italy on Tuesday 2018-03-13.

Prices of that day fell to 27 EUR/MWh before dawn and rose to 95 in the evening. Profiles are SimBench's of
2016-03-15, a sunny Tuesday on which heat pumps still run. Sizes are drawn with a fixed seed; every POD can
be run without any of its flexible devices moving, so none is infeasible.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from podium.horizon import Horizon
from podium.study.draft import TIME_ZONE, Draft, home_charges, market_prices, two_rate_tariff
from podium.study.simbench_profiles import bundled_profiles, profiles_at

DAY = "2018-03-13"
SEED = 20180313

HOMES: dict[tuple[str, ...], int] = {
    (): 28,
    ("pv",): 28,
    ("pv", "battery"): 26,
    ("ev",): 14,
    ("pv", "ev"): 8,
    ("pv", "battery", "ev"): 10,
    ("heat_pump",): 6,
    ("pv", "heat_pump"): 8,
    ("pv", "battery", "heat_pump"): 6,
    ("pv", "battery", "ev", "heat_pump"): 6,
}
"""What 140 homes have besides their household -> how many of them."""

HOUSEHOLDS = {"H0-A": 1222.0, "H0-B": 776.0, "H0-C": 1031.0, "H0-G": 611.0, "H0-L": 496.0}
"""Profile -> kWh per year and kW, which turns a home's yearly consumption into its size."""
ROOFS = ("PV1", "PV3", "PV5", "PV8")
HEAT_PUMPS = ("Air_Parallel_2", "Air_Semi-Parallel_2", "Soil_Alternative_2")
SHOPS = ("G0-A", "G1-A", "G4-A", "G4-B", "G5-A")
FACTORIES = ("G0-M", "G2-A", "G3-A", "G3-M")
TURBINES = ("WP4", "WP7", "WP10")
GAS_HEAT_EUR_PER_KWH = 0.035
GAS_POWER_EUR_PER_KWH = 0.085


def it_north_200() -> Draft:
    """The example's rows and series."""
    horizon = Horizon.days(DAY, 1, 15, TIME_ZONE)
    hourly_eur_per_kwh = (market_prices(horizon) / 1000).reindex(horizon.times, method="ffill").round(5)
    series = {"two_rates": two_rate_tariff(horizon), "hourly_market": hourly_eur_per_kwh}
    region = _Region(
        Draft("Northern Italy, 200 PODs", horizon, 1, series=series),
        np.random.default_rng(SEED),
        profiles_at(bundled_profiles(), horizon.times).max(),
        home_charges("2018-03-14", 14),
    )
    for number, features in enumerate(_each(HOMES), 1):
        region.home(f"home-{number:03}", features)
    for number in range(1, 26):
        region.shop(f"shop-{number:02}", number)
    for number in range(1, 16):
        region.factory(f"factory-{number:02}", number)
    for number in range(1, 8):
        region.solar_park(f"solar-park-{number}")
    for number in range(1, 6):
        region.wind_park(f"wind-park-{number}")
    for number in range(1, 9):
        region.storage(f"storage-{number}")
    return region.draft


def _each(counts: dict[tuple[str, ...], int]) -> Iterator[tuple[str, ...]]:
    for features, count in counts.items():
        yield from [features] * count


@dataclass
class _Region:
    """Draws PODs of each sort."""

    draft: Draft
    random: np.random.Generator
    highest: pd.Series[float]
    """Greatest value of each relative profile on the day."""
    charges: pd.DataFrame
    """Charges at home in the same weeks, to draw from."""

    def home(self, pod: str, features: tuple[str, ...]) -> None:
        """A home with a contract of 3, 4.5 or 6 kW."""
        limit_kw = self._contract(features)
        profile = self._one_of(tuple(HOUSEHOLDS))
        yearly_kwh = self._between(1800, 3600)
        size_kw = min(yearly_kwh / HOUSEHOLDS[profile], 0.9 * limit_kw / self.highest[profile])
        self.draft.pod(pod, group="home", **self._home_tariff("pv" in features), withdrawal_max_kw=limit_kw)
        self.draft.device("fixed_load", f"{pod} household", pod, profile=profile, scale_kw=round(size_kw, 2))
        if "pv" in features:
            self._roof(pod, self._between(2.5, 6.0))
        if "battery" in features:
            self._home_battery(pod)
        if "heat_pump" in features:
            profile = self._one_of(HEAT_PUMPS)
            self.draft.heat_pump(f"{pod} heat pump", pod, profile, round(self._between(1.5, 2.5), 1))
        if "ev" in features:
            self._car(pod, 3.7 if limit_kw == 6.0 else 2.3, both_ways="battery" in features)

    def shop(self, pod: str, number: int) -> None:
        """A shop or office of 6 to 25 kW; every second has PV, every third cooling to cut, every fifth a battery."""
        profile = SHOPS[number % len(SHOPS)]
        size_kw = round(self._between(6, 25), 1)
        limit_kw = float(np.ceil(1.5 * size_kw * self.highest[profile] + 3))
        rate = {"buy_profile": "two_rates", "buy_scale": round(self._between(0.95, 1.0), 3)}
        peak = round(self._between(0.06, 0.12), 3)
        self.draft.pod(
            pod, group="shop", **rate, sell_eur_per_kwh=0.06, withdrawal_max_kw=limit_kw, peak_eur_per_kw=peak
        )
        cooling_kw = round(0.25 * size_kw, 1) if number % 3 == 0 else 0.0
        scale_kw = round(size_kw - cooling_kw, 1)
        self.draft.device("fixed_load", f"{pod} load", pod, profile=profile, scale_kw=scale_kw)
        if cooling_kw:
            self._cooling(pod, profile, cooling_kw)
        if number % 2:
            self._roof(pod, self._between(8, 30))
        if number % 5 == 0:
            self._battery(pod, self._between(8, 20), hours=2.0, wear=0.02)

    def factory(self, pod: str, number: int) -> None:
        """A factory of 150 to 700 kW; ten of 15 have CHP, four of these must run at half load or not at all."""
        profile = FACTORIES[number % len(FACTORIES)]
        size_kw = round(self._between(150, 700))
        limit_kw = float(np.ceil(1.4 * size_kw * self.highest[profile]))
        buy = round(self._between(0.145, 0.175), 3)
        self.draft.pod(
            pod,
            group="factory",
            buy_eur_per_kwh=buy,
            sell_profile="hourly_market",
            withdrawal_max_kw=limit_kw,
            injection_max_kw=limit_kw,
            peak_eur_per_kw=0.08,
        )
        self.draft.device("fixed_load", f"{pod} load", pod, profile=profile, scale_kw=round(0.6 * size_kw))
        self._moving(pod, profile, round(0.3 * size_kw), number)
        self._cutting(pod, profile, round(0.1 * size_kw))
        if number % 3:
            self._chp(pod, profile, size_kw, on_off=number % 3 == 1 and number <= 10)
        else:
            self._roof(pod, self._between(100, 400))

    def solar_park(self, pod: str) -> None:
        """0.5 to 3 MW of PV at the market price."""
        self.draft.pod(pod, group="park")
        self._roof(pod, self._between(500, 3000), name="field")

    def wind_park(self, pod: str) -> None:
        """2 to 6 MW of wind at the market price."""
        self.draft.pod(pod, group="park")
        size_kw = round(self._between(2000, 6000), -2)
        self.draft.device("wind", f"{pod} turbines", pod, profile=self._one_of(TURBINES), scale_kw=size_kw)

    def storage(self, pod: str) -> None:
        """A battery of 0.5 to 2 MW at the market price, at most one and a half cycles a day."""
        self.draft.pod(pod, group="storage")
        power_kw = round(self._between(500, 2000), -2)
        hours = float(self._one_of(("1", "2", "4")))
        self._battery(pod, power_kw, hours=hours, wear=0.006, cycles_max_per_day=1.5)

    # ---- devices

    def _roof(self, pod: str, size_kw: float, name: str = "roof") -> None:
        self.draft.device("pv", f"{pod} {name}", pod, profile=self._one_of(ROOFS), scale_kw=round(size_kw, 1))

    def _home_battery(self, pod: str) -> None:
        self._battery(pod, self._between(2.0, 4.0), hours=self._between(2.0, 3.0), wear=0.02)

    def _battery(self, pod: str, power_kw: float, *, hours: float, wear: float, **fields: Any) -> None:
        energy_kwh = round(power_kw * hours, 1)
        self.draft.device(
            "battery",
            f"{pod} battery",
            pod,
            charge_max_kw=round(power_kw, 1),
            discharge_max_kw=round(power_kw, 1),
            energy_max_kwh=energy_kwh,
            energy_min_kwh=round(0.1 * energy_kwh, 2),
            energy_initial_kwh=round(self._between(0.3, 0.6) * energy_kwh, 2),
            charge_efficiency=0.95,
            discharge_efficiency=0.95,
            self_discharge_per_hour=0.00005,
            wear_eur_per_kwh=wear,
            **fields,
        )

    def _car(self, pod: str, power_kw: float, *, both_ways: bool) -> None:
        """Still plugged in from the evening before, and back in the evening: two charges drawn from SimBench's."""
        drawn = self.charges.sample(2, random_state=self.random)
        midnight = self.draft.horizon.times[0]
        arrival = pd.DatetimeIndex(drawn["arrival"])
        evening = midnight + pd.Timedelta(minutes=int(max(arrival[1].hour * 60 + arrival[1].minute, 15 * 60)))
        sessions = pd.DataFrame(
            {
                "arrival": [midnight, evening],
                "departure": [midnight + pd.DateOffset(hours=7), midnight + pd.DateOffset(days=1, hours=7)],
                "power": 1.0,
                "energy": np.clip(drawn["kwh"].to_numpy() / power_kw, 0.5, 6.0),
            }
        )
        feeding = {"discharge_max_kw": power_kw, "wear_eur_per_kwh": 0.05} if both_ways else {}
        self.draft.charger(f"{pod} charger", pod, power_kw, sessions, **feeding)

    def _cooling(self, pod: str, profile: str, size_kw: float) -> None:
        self.draft.device(
            "curtailable_load",
            f"{pod} cooling",
            pod,
            profile=profile,
            scale_kw=size_kw,
            curtailable_fraction=0.5,
            curtailable_from="12:00",
            curtailable_to="20:00",
            curtailable_energy_kwh_per_day=round(0.5 * size_kw, 1),
            curtailment_eur_per_kwh=round(self._between(0.06, 0.12), 3),
        )

    def _moving(self, pod: str, profile: str, size_kw: float, number: int) -> None:
        window = {"shiftable_from": "06:00", "shiftable_to": "22:00"} if number % 2 else {}
        self.draft.device(
            "shiftable_load",
            f"{pod} mills",
            pod,
            profile=profile,
            scale_kw=size_kw,
            shift_down_fraction=0.4,
            shift_up_fraction=0.4,
            **window,
        )

    def _cutting(self, pod: str, profile: str, size_kw: float) -> None:
        self.draft.device(
            "curtailable_load",
            f"{pod} ventilation",
            pod,
            profile=profile,
            scale_kw=size_kw,
            curtailable_max_kw=round(0.3 * size_kw, 1),
            curtailable_energy_kwh_per_day=round(size_kw, 1),
            curtailment_eur_per_kwh=round(self._between(0.05, 0.1), 3),
        )

    def _chp(self, pod: str, profile: str, size_kw: float, *, on_off: bool) -> None:
        """Sized for the mean heat demand; the boiler alone covers the greatest."""
        power_kw = round(0.45 * size_kw)
        heat_kw = round(1.3 * power_kw / 0.6)
        running = {"electric_min_kw": round(0.5 * power_kw), "start_eur": 10.0, "min_up_hours": 2.0}
        resting = {"min_down_hours": 2.0, "on_initial": False}
        self.draft.device(
            "chp",
            f"{pod} CHP",
            pod,
            electric_max_kw=power_kw,
            heat_ratio=1.3,
            heat_profile=profile,
            heat_scale_kw=heat_kw,
            heat_store_max_kwh=round(3 * 1.3 * power_kw),
            heat_store_initial_kwh=round(1.5 * 1.3 * power_kw),
            heat_store_loss_per_hour=0.005,
            boiler_max_kw=round(1.1 * heat_kw * self.highest[profile] + 5),
            boiler_eur_per_kwh=GAS_HEAT_EUR_PER_KWH,
            fuel_eur_per_kwh=GAS_POWER_EUR_PER_KWH,
            **(running | resting if on_off else {}),
        )

    # ---- draws

    def _contract(self, features: tuple[str, ...]) -> float:
        """Contract power in Italy, kW: 3 is the most common; cars and heat pumps need more."""
        if "heat_pump" in features and ("ev" in features or "battery" in features):
            return 6.0
        if "ev" in features or "heat_pump" in features:
            return float(self.random.choice([4.5, 6.0], p=[0.6, 0.4]))
        return float(self.random.choice([3.0, 4.5, 6.0], p=[0.75, 0.15, 0.1]))

    def _home_tariff(self, sells: bool) -> dict[str, Any]:
        two_rates = self.random.random() < 0.5
        flat = round(self._between(0.20, 0.24), 3)
        bought = {"buy_profile": "two_rates"} if two_rates else {"buy_eur_per_kwh": flat}
        return bought | {"sell_eur_per_kwh": round(self._between(0.05, 0.08), 3) if sells else 0.05}

    def _between(self, low: float, high: float) -> float:
        return float(self.random.uniform(low, high))

    def _one_of(self, names: Sequence[str]) -> str:
        return str(self.random.choice(names))
