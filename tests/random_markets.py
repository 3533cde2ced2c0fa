"""Random studies in which everything that couples PODs is there at once."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np

from podium.devices import Battery, Chp, Device, EvCharger, FixedLoad, HeatPump, Pv
from podium.horizon import Horizon
from podium.market.prices import EnergyPrices
from podium.market.terms import GroupLimits, Market, PositionLimits, ReserveProduct, Settlement
from podium.portfolio import Pod, Portfolio
from podium.study import Study
from portfolio_physics import Case, Oracle
from random_pods import ZONE, Maker

SETTLEMENTS: tuple[Settlement, ...] = ("market", "retail", "both")


def devices_of(maker: Maker, *, only_batteries: bool) -> list[Device]:
    """A load, sun, a battery, and perhaps one more of what may be moved or left."""
    size = maker.between(3, 12)
    found: list[Device] = [
        FixedLoad(device=maker.name(), profile=maker.profile(), scale_kw=maker.between(0.5, 4)),
        Pv(device=maker.name(), profile=maker.profile(1, 0.5), scale_kw=maker.between(1, 6)),
    ]
    if maker.perhaps(0.8):
        found.append(
            Battery(
                device=maker.name(), charge_max_kw=maker.between(1, 5), discharge_max_kw=maker.between(1, 5),
                energy_max_kwh=size, energy_min_kwh=0.1 * size, energy_initial_kwh=maker.between(0.3, 0.8) * size,
                charge_efficiency=maker.between(0.85, 0.97), discharge_efficiency=maker.between(0.8, 0.97),
                wear_eur_per_kwh=maker.between(0.001, 0.02), energy_end_min_kwh=0.3 * size,
            )
        )  # fmt: skip
    draw = maker.random.integers(5)
    if only_batteries or draw == 4:
        return found
    makers = (maker.curtailable_load, maker.shiftable_load, lambda: warm(maker), lambda: car(maker))
    return [*found, makers[draw]()]


def car(maker: Maker) -> Device:
    """A car that stays for some hours and does not give back."""
    horizon, step = maker.horizon, timedelta(minutes=maker.horizon.step_minutes)
    first = int(maker.random.integers(horizon.steps // 2))
    last = int(maker.random.integers(first + 4, horizon.steps + 1))
    arrival, departure = (horizon.start + n * step for n in (first, last))
    return EvCharger(
        device=maker.name(), arrival=arrival, departure=departure, charge_max_kw=maker.between(2, 7),
        energy_max_kwh=40, energy_arrival_kwh=maker.between(5, 20), energy_wanted_kwh=maker.between(20, 35),
        charge_efficiency=maker.between(0.85, 0.95), shortfall_eur_per_kwh=maker.between(0.3, 1),
    )  # fmt: skip


def warm(maker: Maker) -> Device:
    """A heat pump without a least power, with back-up heat enough."""
    return HeatPump(
        device=maker.name(), electric_max_kw=maker.between(1, 3), cop=maker.between(2, 4),
        heat_profile=maker.profile(), heat_scale_kw=4, heat_store_max_kwh=8, heat_store_initial_kwh=4,
        heat_store_end_min_kwh=2, heat_store_loss_per_hour=0.02, backup_heat_max_kw=6, backup_heat_eur_per_kwh=0.2,
    )  # fmt: skip


def engine(maker: Maker) -> Device:
    """An engine that is on or off, with boiler enough to do without."""
    most, hours = maker.between(2, 6), maker.horizon.step_hours
    return Chp(
        device=maker.name(), electric_max_kw=most, electric_min_kw=maker.between(0.3, 0.8) * most, heat_ratio=1.2,
        heat_profile=maker.profile(), heat_scale_kw=4, heat_store_max_kwh=8, heat_store_initial_kwh=4,
        heat_store_end_min_kwh=2, boiler_max_kw=8, boiler_eur_per_kwh=0.08, fuel_eur_per_kwh=maker.between(0.08, 0.14),
        start_eur=maker.between(0.05, 0.3), min_up_hours=hours * float(maker.random.integers(4)),
        min_down_hours=hours * float(maker.random.integers(4)), on_initial=maker.perhaps(0.5),
    )  # fmt: skip


def horizon_of(random: np.random.Generator) -> Horizon:
    minutes = int(random.choice([15, 30]))
    start = Horizon.days("2018-05-14", 1, 60, ZONE).start
    return Horizon(start, minutes, int(random.integers(12, 25)) * 60 // minutes, ZONE)


def product(random: np.random.Generator, horizon: Horizon, number: int) -> ReserveProduct:
    """Sold in blocks of some hours, not all of the time."""
    per_block = int(random.integers(2, 5)) * 60 // horizon.step_minutes
    block = np.arange(horizon.steps) // per_block
    blocks = int(block[-1]) + 1
    if random.random() < 0.5:
        block = np.where(block == 1, -1, block)
    direction = ("up", "down", "symmetric")[number % 3]
    step = horizon.step_hours
    return ReserveProduct(
        f"product {number}", direction, block, random.uniform(0, 40, blocks),  # type: ignore[arg-type]
        random.uniform(20, 160, horizon.steps), activated_share=float(random.uniform(0, 0.3)),
        sustain_hours=float(random.choice([step, 2 * step, 1.0])), kinds=("battery",),
        maximum_mw=random.uniform(0.002, 0.02, blocks) if random.random() < 0.5 else np.zeros(0),
    )  # fmt: skip


def drawn(seed: int, *, whole: bool = False) -> Case:
    """Two to six PODs in two groups; limits halfway between the least peaks and those of a free plan.

    Where `whole`, eight hours without headroom, engines that are on or off, and offers in steps of 1 kW from 2 kW.
    """
    random = np.random.default_rng(seed)
    horizon = horizon_of(random)
    maker = Maker(random, replace(horizon, step_minutes=30, steps=16) if whole else horizon)
    headroom = seed % 4 == 3 and not whole
    pods = []
    for n in range(2 + seed % (3 if whole else 5)):
        devices = devices_of(maker, only_batteries=headroom)
        if whole and n < 2:
            devices.append(engine(maker))
        buy = random.uniform(0.1, 0.35, maker.horizon.steps)
        maker.profiles |= {f"buy {n}": buy, f"sell {n}": buy - random.uniform(0.02, 0.1)}
        pods.append(
            Pod(
                pod=f"pod {n}", group="north" if n % 2 else "south", devices=devices, buy_profile=f"buy {n}",
                sell_profile=f"sell {n}", peak_eur_per_kw=0.1 * (n % 2),
            )
        )  # fmt: skip
    price = random.uniform(20, 150, maker.horizon.steps)
    prices = EnergyPrices(price, price - random.uniform(2, 30), np.zeros_like(price))
    products = tuple(product(random, maker.horizon, seed + n) for n in range(1 + seed % 3))
    if whole:
        products = tuple(replace(found, minimum_mw=0.002, increment_mw=0.001) for found in products)
    market = Market(
        settlement=SETTLEMENTS[seed % 3],
        time_unit_minutes=60 if seed % 2 else None,
        reserves=products,
        peak_eur_per_kw=float(random.uniform(0.01, 0.1)),
        headroom_up_kw=0.3 * headroom,
        headroom_down_kw=0.2 * headroom,
        headroom_sustain_hours=0.5,
        groups=(GroupLimits("north", PositionLimits.free(maker.horizon.steps)),),
    )
    return pinched(Case(maker.horizon, maker.profiles, pods, prices, market))


def pinched(case: Case) -> Case:
    """Limits that bind and can be kept."""
    limits = {}
    for name in ("", "north"):
        oracle = Oracle(case.limited(limits.get(""), {"north": PositionLimits.free(case.horizon.steps)}))
        oracle.rules += oracle.limits()
        rows = [np.full(case.horizon.steps, (least + free) / 2) for least, free in oracle.peaks_kw(name)]
        limits[name] = PositionLimits(*rows)
    return case.limited(limits[""], {"north": limits["north"]})


def study_of(case: Case) -> Study:
    portfolio = Portfolio.of(case.pods, case.horizon, case.profiles)
    return Study("drawn", portfolio, case.prices, market=case.market)
