"""Portfolios of any size whose profiles are made up, so that a benchmark needs no data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from podium.devices import (
    Battery,
    CurtailableLoad,
    EvCharger,
    FixedLoad,
    HeatPump,
    Pv,
    ShiftableLoad,
    Wind,
)
from podium.devices.device import Device
from podium.flexstore import Floats
from podium.horizon import Horizon
from podium.portfolio import Pod, Portfolio

HORIZON = Horizon.days("2018-03-13", 1, 15, "Europe/Rome")
LOADS, ROOFS = 40, 10
"""Different profiles of loads and of PV."""


def profiles(horizon: Horizon = HORIZON) -> dict[str, Floats]:
    """Loads, sun, wind, heat demand and two tariffs (EUR/kWh), each (step,)."""
    random = np.random.default_rng(2018)
    hour = horizon.minute_of_day / 60
    evening = np.exp(-(((hour - 19) / 2) ** 2))
    sun = np.maximum(0.0, np.sin((hour - 6) / 12 * np.pi))
    found = {
        f"load_{n}": 0.3 + 0.5 * random.random(horizon.steps) + 0.8 * evening * random.random() for n in range(LOADS)
    }
    found |= {f"sun_{n}": sun * (0.6 + 0.4 * random.random(horizon.steps)) for n in range(ROOFS)}
    found["wind"] = 0.5 + 0.3 * np.sin(hour / 3) + 0.2 * random.random(horizon.steps)
    found["heat"] = 3.0 + 1.5 * np.cos((hour - 6) / 12 * np.pi)
    found["buy"] = np.where((hour >= 8) & (hour < 19), 0.26, 0.18)
    found["sell"] = np.full(horizon.steps, 0.08)
    return found


def market_prices(horizon: Horizon = HORIZON) -> Floats:
    """Day-ahead prices with two peaks, EUR/MWh. Shape (step,)."""
    random = np.random.default_rng(96)
    hour = horizon.minute_of_day / 60
    price = 50 + 20 * np.sin((hour - 7.5) / 6 * np.pi) + random.normal(0, 3, horizon.steps)
    return np.asarray(price.round(2))


@dataclass
class Maker:
    """Draws the devices of one POD after the other."""

    random: np.random.Generator = field(default_factory=lambda: np.random.default_rng(1))
    made: int = 0

    def between(self, low: float, high: float) -> float:
        """A number in this range, rounded as people write it."""
        return float(np.round(self.random.uniform(low, high), 2))

    def named(self, kind: str) -> str:
        """A new device's id."""
        self.made += 1
        return f"{kind} {self.made}"

    def load(self) -> FixedLoad:
        """A household or shop."""
        return FixedLoad(device=self.named("load"), profile=self._load(), scale_kw=self.between(0.5, 3))

    def pv(self) -> Pv:
        """A roof that may be curtailed."""
        profile = f"sun_{self.random.integers(ROOFS)}"
        return Pv(device=self.named("pv"), profile=profile, scale_kw=self.between(2, 8))

    def wind(self) -> Wind:
        """A small turbine that may be curtailed."""
        return Wind(device=self.named("wind"), profile="wind", scale_kw=self.between(1, 5))

    def battery(self) -> Battery:
        """A battery of two and a half hours."""
        energy = self.between(5, 15)
        power = round(energy / 2.5, 2)
        return Battery(
            device=self.named("battery"),
            charge_max_kw=power,
            discharge_max_kw=power,
            energy_max_kwh=energy,
            energy_initial_kwh=round(0.4 * energy, 2),
            wear_eur_per_kwh=0.01,
        )

    def car(self) -> EvCharger:
        """A car from the evening to the next morning."""
        arrival = HORIZON.times[0] + pd.Timedelta(minutes=15 * int(self.random.integers(60, 80)))
        return EvCharger(
            device=self.named("car"),
            arrival=arrival.to_pydatetime(),
            departure=(HORIZON.times[0] + pd.Timedelta(hours=30)).to_pydatetime(),
            charge_max_kw=7.4,
            energy_max_kwh=60,
            energy_arrival_kwh=20,
            energy_wanted_kwh=self.between(30, 50),
        )

    def heat_pump(self) -> HeatPump:
        """A heat pump with a tank of some hours."""
        return HeatPump(
            device=self.named("heat pump"),
            electric_max_kw=3.5,
            heat_profile="heat",
            heat_scale_kw=self.between(0.6, 1.2),
            heat_store_max_kwh=20,
            heat_store_initial_kwh=10,
        )

    def curtailable(self) -> CurtailableLoad:
        """A load of which a fifth may be cut, and a tenth over the day."""
        scale = self.between(0.5, 3)
        return CurtailableLoad(
            device=self.named("curtailable"),
            profile=self._load(),
            scale_kw=scale,
            curtailable_fraction=0.2,
            curtailable_energy_kwh_per_day=round(1.5 * scale, 2),
            curtailment_eur_per_kwh=0.2,
        )

    def shiftable(self) -> ShiftableLoad:
        """A load of which a fifth may move within the day."""
        return ShiftableLoad(
            device=self.named("shiftable"),
            profile=self._load(),
            scale_kw=self.between(0.5, 3),
            shift_down_fraction=0.2,
            shift_up_fraction=0.2,
        )

    def _load(self) -> str:
        return f"load_{self.random.integers(LOADS)}"


def portfolio_of(kinds: list[tuple[str, ...]], pods: int, **contract: Any) -> Portfolio:
    """`pods` PODs, whose devices are the methods of `Maker` that `kinds` names, in turn.

    `contract`: fields of every POD.
    """
    maker = Maker()
    listed = []
    for number in range(pods):
        makers: list[Callable[[], Device]] = [getattr(maker, name) for name in kinds[number % len(kinds)]]
        listed.append(Pod(pod=f"pod {number}", devices=[make() for make in makers], **contract))
    return Portfolio.of(listed, HORIZON, profiles())
