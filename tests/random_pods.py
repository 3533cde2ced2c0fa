"""Random PODs for the property tests: real devices with odd numbers, then limits that pinch or contradict."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from podium.devices import (
    Battery,
    Chp,
    CurtailableLoad,
    Device,
    EvCharger,
    FixedLoad,
    GivenProfile,
    HeatPump,
    Pv,
    ShiftableLoad,
    Wind,
)
from podium.flexstore import FlexStore
from podium.horizon import Horizon
from podium.portfolio import Meter, Pod, Portfolio

Floats = NDArray[np.float64]
Random = np.random.Generator

ZONE = "Europe/Rome"
#: Days of 23, 25 and 24 hours.
DATES = ("2018-03-25", "2018-10-28", "2018-05-14")


@dataclass(frozen=True)
class Case:
    """PODs in canonical form with their meters."""

    portfolio: Portfolio
    store: FlexStore
    meter: Meter

    @property
    def step_hours(self) -> float:
        return self.portfolio.horizon.step_hours

    @property
    def day(self) -> NDArray[np.int64]:
        return self.portfolio.horizon.day


def random_horizon(random: Random, steps_max: int = 26) -> Horizon:
    """A whole day of any length in hours, or some steps of any size that pass midnight or a change of clocks."""
    date = str(random.choice(DATES))
    if random.random() < 0.25:
        return Horizon.days(date, 1, 60, ZONE)
    minutes = int(random.choice([5, 10, 12, 15, 20, 30, 60]))
    start = Horizon.days(date, 1, 60, ZONE).start.astimezone(UTC) - timedelta(
        minutes=minutes * int(random.integers(12))
    )
    return Horizon(start, minutes, int(random.integers(1, steps_max)), ZONE)


class Maker:
    """Draws devices over one horizon, and keeps the profiles that they use."""

    def __init__(self, random: Random, horizon: Horizon) -> None:
        self.random, self.horizon = random, horizon
        self.profiles: dict[str, Floats] = {}
        self.count = 0

    def between(self, low: float, high: float) -> float:
        return float(self.random.uniform(low, high))

    def perhaps(self, share: float) -> bool:
        return bool(self.random.random() < share)

    def name(self) -> str:
        self.count += 1
        return f"d{self.count}"

    def profile(self, high: float = 1.0, idle: float = 0.2, low: float = 0.0) -> str:
        """A new profile between low and high, 0 in a share `idle` of the steps."""
        values = self.random.uniform(low, high, self.horizon.steps)
        values[self.random.random(self.horizon.steps) < idle] = 0.0
        name = f"profile{len(self.profiles)}"
        self.profiles[name] = values
        return name

    def clock(self) -> str:
        return f"{self.random.integers(24):02d}:{self.random.choice([0, 30]):02d}"

    def window(self) -> tuple[str | None, str | None]:
        return (self.clock(), self.clock()) if self.perhaps(0.5) else (None, None)

    def fixed_load(self) -> Device:
        return FixedLoad(device=self.name(), profile=self.profile(), scale_kw=self.between(0.5, 4))

    def pv(self) -> Device:
        curtailable = self.perhaps(0.7)
        return Pv(
            device=self.name(), profile=self.profile(1, 0.5), scale_kw=self.between(1, 6), curtailable=curtailable
        )

    def wind(self) -> Device:
        return Wind(device=self.name(), profile=self.profile(), scale_kw=self.between(1, 6))

    def given_profile(self) -> Device:
        band = self.between(0, 2)
        return GivenProfile(device=self.name(), profile=self.profile(1, 0.1, -1), scale_kw=3.3, band_kw=band)

    def battery(self) -> Device:
        size = self.between(1, 12)
        valued = self.perhaps(0.3)
        lossless = self.perhaps(0.15)
        return Battery(
            device=self.name(),
            charge_max_kw=self.between(0.2, 5) * self.perhaps(0.95),
            discharge_max_kw=self.between(0.2, 5) * self.perhaps(0.9),
            energy_max_kwh=size,
            energy_min_kwh=self.between(0, 0.2) * size * self.perhaps(0.5),
            energy_initial_kwh=self.between(0.2, 0.8) * size,
            charge_efficiency=1.0 if lossless else self.between(0.7, 0.99),
            discharge_efficiency=1.0 if lossless else self.between(0.7, 0.99),
            self_discharge_per_hour=self.between(0, 0.02) * self.perhaps(0.4),
            wear_eur_per_kwh=self.between(0, 0.05) * self.perhaps(0.4),
            energy_end_min_kwh=0.2 * size if valued or self.perhaps(0.6) else None,
            energy_end_eur_per_kwh=self.between(-0.05, 0.3) if valued else 0.0,
        )

    def sessions(self, charge_min: bool = False) -> list[Device]:
        """One charger: sessions that may begin before the horizon, touch each other, or end after it."""
        name, found = self.name(), []
        step = timedelta(minutes=self.horizon.step_minutes)
        moment = self.horizon.start + step * self.between(-5, self.horizon.steps / 2)
        for _ in range(self.random.integers(1, 4)):
            departure = moment + step * self.between(0.5, 12)
            size = self.between(5, 60)
            most = self.between(1, 11)
            found.append(
                EvCharger(
                    device=name,
                    arrival=_minute(moment),
                    departure=_minute(departure) + timedelta(minutes=1),
                    charge_max_kw=most,
                    charge_min_kw=self.between(0.1, 0.9) * most if charge_min else 0.0,
                    discharge_max_kw=self.between(1, 8) * self.perhaps(0.4),
                    energy_max_kwh=size,
                    energy_arrival_kwh=self.between(0, 0.9) * size,
                    energy_wanted_kwh=self.between(0.3, 1) * size,
                    shortfall_eur_per_kwh=self.between(0, 1),
                    charge_efficiency=self.between(0.8, 0.99),
                    discharge_efficiency=self.between(0.8, 0.99),
                    wear_eur_per_kwh=self.between(0, 0.05) * self.perhaps(0.5),
                )
            )
            moment = departure + timedelta(minutes=1) + step * self.between(0, 4) * self.perhaps(0.6)
        return found

    def heat_pump(self, on_off: bool = False) -> Device:
        size = self.between(2, 12)
        most = self.between(1, 4)
        return HeatPump(
            device=self.name(),
            electric_max_kw=most,
            electric_min_kw=self.between(0.2, 0.8) * most if on_off else 0.0,
            cop=self.between(0.9, 4),
            cop_profile=self.profile(4, 0, 1.5) if self.perhaps(0.6) else None,
            heat_profile=self.profile(),
            heat_scale_kw=self.between(0.5, 5),
            heat_store_min_kwh=self.between(0, 0.2) * size,
            heat_store_max_kwh=size,
            heat_store_initial_kwh=self.between(0.2, 1) * size,
            heat_store_end_min_kwh=0.2 * size if self.perhaps(0.7) else None,
            heat_store_loss_per_hour=self.between(0, 0.05),
            backup_heat_max_kw=self.between(0, 4) * self.perhaps(0.7),
            backup_heat_eur_per_kwh=self.between(0.02, 0.3),
        )

    def chp(self, on_off: bool = False) -> Device:
        size = self.between(2, 20)
        most = self.between(1, 6)
        running = {}
        if on_off:
            hours = self.horizon.step_hours
            running = {
                "electric_min_kw": self.between(0.2, 0.7) * most,
                "start_eur": self.between(0, 0.5) * self.perhaps(0.7),
                "min_up_hours": hours * float(self.random.integers(0, 5)),
                "min_down_hours": hours * float(self.random.integers(0, 4)),
                "on_initial": self.perhaps(0.5),
            }
        return Chp(
            device=self.name(),
            electric_max_kw=most,
            heat_ratio=self.between(0.5, 2) * self.perhaps(0.95),
            heat_profile=self.profile(),
            heat_scale_kw=self.between(0.5, 5),
            heat_store_max_kwh=size,
            heat_store_initial_kwh=self.between(0.3, 1) * size,
            heat_store_end_min_kwh=0.0 if self.perhaps(0.6) else None,
            heat_store_loss_per_hour=self.between(0, 0.05),
            boiler_max_kw=self.between(0, 8) * self.perhaps(0.9),
            boiler_eur_per_kwh=self.between(0.03, 0.15),
            heat_spill_max_kw=self.between(0, 5) * self.perhaps(0.5),
            fuel_eur_per_kwh=self.between(0.03, 0.2),
            ramp_kw_per_hour=most / self.horizon.step_hours * self.between(0.2, 0.9)
            if on_off and self.perhaps(0.4)
            else None,
            **running,
        )

    def curtailable_load(self) -> Device:
        first, last = self.window()
        return CurtailableLoad(
            device=self.name(),
            profile=self.profile(),
            scale_kw=self.between(1, 5),
            curtailable_fraction=self.between(0.1, 1),
            curtailable_max_kw=self.between(0.1, 2) if self.perhaps(0.5) else None,
            curtailable_from=first,
            curtailable_to=last,
            curtailable_energy_kwh_per_day=self.between(0.1, 3) if self.perhaps(0.7) else None,
            curtailment_eur_per_kwh=self.between(0, 0.2) * self.perhaps(0.7),
        )

    def shiftable_load(self) -> Device:
        first, last = self.window()
        return ShiftableLoad(
            device=self.name(),
            profile=self.profile(),
            scale_kw=self.between(1, 5),
            shift_down_fraction=self.between(0, 1),
            shift_up_fraction=self.between(0, 1.5),
            shiftable_from=first,
            shiftable_to=last,
            energy_loss_max_kwh=self.between(0, 1) * self.perhaps(0.4),
            shift_energy_max_kwh=self.between(0.1, 3) if self.perhaps(0.4) else None,
        )


def _minute(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0)


def random_devices(maker: Maker, stores: int, *, on_off: bool = False) -> list[Device]:
    """A few devices without a store, and as many with one as asked for."""
    free: list[Callable[[], Device]] = [maker.fixed_load, maker.fixed_load, maker.pv, maker.wind, maker.given_profile]
    found = [free[n]() for n in maker.random.choice(len(free), maker.random.integers(0, 4), replace=False)]
    for _ in range(stores):
        switched = on_off and maker.perhaps(0.5)
        draw = maker.random.integers(8)
        if draw <= 2:
            found.append(maker.battery())
        elif draw == 3:
            found += maker.sessions(switched)
        elif draw == 4:
            found.append(maker.heat_pump(switched))
        elif draw == 5:
            found.append(maker.chp(switched))
        elif draw == 6:
            found.append(maker.curtailable_load())
        else:
            found.append(maker.shiftable_load())
    return found or [maker.fixed_load()]


def random_prices(random: Random, steps: int) -> tuple[Floats, Floats]:
    """Buying and selling price, EUR/kWh: of both signs, on a few levels (many ties), or equal throughout."""
    low = -0.15 if random.random() < 0.3 else 0.01
    buy = random.uniform(low, 0.4, steps)
    if random.random() < 0.3:
        buy = np.round(buy, 1)
    spread = random.uniform(0, 0.15, steps) * (random.random(steps) < 0.8) * (random.random() < 0.7)
    return buy, buy - spread


def random_case(
    seed: int, stores: int = 1, *, pods: int = 1, steps_max: int = 26, on_off: bool = False, coupled: bool = False
) -> Case:
    """PODs over one horizon. `coupled` adds connection limits, peak charges and cycle limits more often."""
    random = np.random.default_rng(seed)
    maker = Maker(random, random_horizon(random, steps_max))
    listed = [random_pod(maker, f"pod{n}", stores, on_off=on_off, coupled=coupled) for n in range(pods)]
    portfolio = Portfolio.of(listed, maker.horizon, maker.profiles)
    return Case(portfolio, pinched(random, portfolio.store()), portfolio.meter())


def random_pod(maker: Maker, name: str, stores: int, *, on_off: bool, coupled: bool) -> Pod:
    """A POD with its own tariff, which is added to the maker's profiles."""
    devices = random_devices(maker, stores, on_off=on_off)
    buy, sell = random_prices(maker.random, maker.horizon.steps)
    maker.profiles |= {f"{name} buy": buy, f"{name} sell": sell}
    limited = 0.4 if coupled else 0.25
    return Pod(
        pod=name,
        devices=[_cycled(maker.random, device) if coupled else device for device in devices],
        buy_profile=f"{name} buy",
        sell_profile=f"{name} sell",
        withdrawal_max_kw=maker.between(5, 12) if maker.perhaps(limited) else None,
        injection_max_kw=maker.between(0.5, 8) if maker.perhaps(limited) else None,
        peak_eur_per_kw=maker.between(0.05, 0.6) if coupled and maker.perhaps(0.3) else 0.0,
    )


def _cycled(random: Random, device: Device) -> Device:
    if isinstance(device, Battery) and random.random() < 0.4:
        return device.model_copy(update={"cycles_max_per_day": float(random.uniform(0.1, 1))})
    return device


def pinched(random: Random, store: FlexStore) -> FlexStore:
    """Now and then a power or an energy that is prescribed (range of length zero), or a level hard to reach."""
    changed = {}
    if random.random() < 0.15:
        low, high = np.array(store.full("p_min")), np.array(store.full("p_max"))
        fixed = random.random(low.shape) < 0.1
        low[fixed] = high[fixed] = (low + random.random() * (high - low))[fixed]
        changed |= {"p_min": low, "p_max": high}
    if random.random() < 0.3:
        low, high = np.array(store.full("e_min")), np.array(store.full("e_max"))
        fixed = (random.random(low.shape) < 0.1) & store.has_store[:, None]
        level = low + (high - low) * random.choice([0.0, 1.0, random.random()])
        low[fixed] = level[fixed]
        if random.random() < 0.5:
            high[fixed] = level[fixed]
        changed |= {"e_min": low, "e_max": high}
    return replace(store, **changed)
