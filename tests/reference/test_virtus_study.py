"""The reference's own devices as a Podium study: the mapping gives back the golden numbers."""

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from podium.devices import (
    Battery,
    Chp,
    CurtailableLoad,
    Device,
    FixedLoad,
    GivenProfile,
    Pv,
    ShiftableLoad,
    Wind,
)
from podium.engine import run
from podium.flex.exact import Schedule
from podium.horizon import Horizon
from podium.local import Response
from podium.market.plan import promise
from podium.market.prices import EnergyPrices
from podium.market.virtus.study import ReferencePods, reference_level1
from podium.portfolio import Pod, Portfolio
from podium.study import Options, Study

MIXED = [f"p{number}" for number in range(1, 8)]
ALONE = [
    "p_bess1", "p_bess2", "p_chp1", "p_load1", "p_load2", "p_load3", "p_load4", "p_pontlab1", "p_pontlab2", "p_pv1",
    "p_pv2", "p_wind1", "p_wind2",
]  # fmt: skip
DAY = Horizon.days("2020-11-18", 1, 15, "Europe/Rome")
#: The reference multiplies the profile of a curtailable load by this, but not the allowance that it takes from it.
CURTAILABLE_SCALE = 1000.0


@pytest.fixture(scope="module")
def pods(shared: Path) -> dict[str, Any]:
    return json.loads((shared / "reference" / "pods.json").read_text())


@pytest.fixture(scope="module")
def prices(shared: Path) -> EnergyPrices:
    """The reference's prices, EUR/kWh, in EUR/MWh."""
    with (shared / "reference" / "prices.csv").open() as file:
        steps = list(csv.DictReader(file))
    return EnergyPrices(
        *(np.array([1000 * float(step[name]) for step in steps]) for name in ("buy", "sell", "production"))
    )


def row(value: Any) -> np.ndarray:
    return np.full(96, value["const"]) if isinstance(value, dict) else np.asarray(value, dtype=float)


class Conversion:
    """Golden devices as Podium's: W become kW, percentages become kWh, and profiles are collected."""

    def __init__(self) -> None:
        self.profiles: dict[str, np.ndarray] = {}

    def portfolio(self, entries: dict[str, dict[str, Any]]) -> Portfolio:
        pods = [
            Pod(pod=name, devices=[self.device(f"{name}-{n}", golden) for n, golden in enumerate(entry["devices"])])
            for name, entry in entries.items()
        ]
        return Portfolio.of(pods, DAY, self.profiles)

    def device(self, name: str, golden: dict[str, Any]) -> Device:
        kind = golden["type"]
        if kind == "STORAGE":
            return self.battery(name, golden)
        power = row(golden["profile"]) / 1000
        if kind in ("BESS", "PONTLAB"):
            self.profiles[name] = power
            return GivenProfile(device=name, profile=name, band_fraction=0.1)
        self.profiles[name] = abs(power)
        if kind in ("PV", "WIND", "LOAD_T1"):
            return {"PV": Pv, "WIND": Wind, "LOAD_T1": FixedLoad}[kind](device=name, profile=name)
        if kind == "CHP":
            return Chp(device=name, electric_max_kw=abs(power).max(), heat_ratio=0.0)
        return self.load(name, golden, power)

    def load(self, name: str, golden: dict[str, Any], power: np.ndarray) -> Device:
        first, last = window(row(golden["allowed_t"]))
        if golden["type"] == "LOAD_T3":
            loss = 0.25 * golden["total_shift"] / 1000
            return ShiftableLoad(
                device=name, profile=name, shift_down_fraction=0.2, shift_up_fraction=0.2,
                shiftable_from=first, shiftable_to=last, energy_loss_max_kwh=loss,
            )  # fmt: skip
        self.profiles[name] = power / CURTAILABLE_SCALE
        asked = golden["allowed_reduction_total"] * CURTAILABLE_SCALE / row(golden["profile"]).sum()
        return CurtailableLoad(
            device=name, profile=name, scale_kw=CURTAILABLE_SCALE, curtailable_fraction=1.0,
            curtailable_energy_kwh_per_day=asked * 0.25 * power.sum(),
        )  # fmt: skip

    def battery(self, name: str, golden: dict[str, Any]) -> Device:
        charge, discharge = (row(golden[f"max_delta_{side}"])[0] / 1000 for side in ("charge", "discharge"))
        return Battery(
            device=name, charge_max_kw=charge, discharge_max_kw=discharge,
            energy_max_kwh=golden["max_charge"] / 1000, energy_initial_kwh=golden["initial_charge"] / 1000,
            charge_efficiency=golden["charge_efficiency"], discharge_efficiency=golden["discharge_efficiency"],
        )  # fmt: skip


def window(allowed: np.ndarray) -> tuple[str | None, str | None]:
    """The allowed steps, of which one stretch is missing, as a daily window that may pass midnight."""
    closed = np.flatnonzero(allowed == 0)
    if not len(closed):
        return None, None
    first, last = closed[-1] + 1, closed[0] or 96
    return tuple(f"{15 * step // 60:02d}:{15 * step % 60:02d}" for step in (first, last))


def planned(portfolio: Portfolio, entries: dict[str, dict[str, Any]]) -> Response:
    """A level 1 in which every device runs as the golden file forecasts it."""
    store = portfolio.store()
    forecast = {
        f"{name}-{n}": row(golden.get("profile", {"const": 0.0})) / 1000
        for name, entry in entries.items()
        for n, golden in enumerate(entry["devices"])
    }
    power = np.array([forecast[name] for name in store.ids])
    nothing, pods = np.zeros_like(power), np.zeros(len(portfolio))
    schedule = Schedule(power, nothing, nothing, nothing)
    net, method = np.zeros((len(portfolio), 96)), np.full(len(portfolio), "lp", dtype=object)
    return Response(
        store.ids, store.pod, store.has_store, schedule, net, pods, pods, method, pods, failures=(), late=()
    )


def mapped(entries: dict[str, dict[str, Any]]) -> ReferencePods:
    portfolio = Conversion().portfolio(entries)
    return reference_level1(portfolio, planned(portfolio, entries))


@pytest.mark.parametrize("name", MIXED)
def test_objectives_of_all_configurations(pods: dict[str, Any], name: str) -> None:
    """A study in kW and kWh, with the percentages that the reference's user typed, meets all 14 objectives."""
    found = mapped({name: pods[name]})
    assert not found.failed.any()
    assert 1000 * found.min_kw.sum() == pytest.approx(pods[name]["objective_minimize"], rel=1e-5)
    assert 1000 * found.max_kw.sum() == pytest.approx(pods[name]["objective_maximize"], rel=1e-5)
    np.testing.assert_allclose(1000 * found.baseline_kw[0], row(pods[name]["baseline"]), rtol=1e-12, atol=1e-9)


def test_bands_of_devices_alone(pods: dict[str, Any]) -> None:
    """Unique in the reference, because they are not optimised."""
    entries = {name: pods[name] for name in ALONE}
    found = mapped(entries)
    for pod, entry in enumerate(entries.values()):
        np.testing.assert_allclose(1000 * found.min_kw[pod], row(entry["flex_minimized"]), rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(1000 * found.max_kw[pod], row(entry["flex_maximized"]), rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(1000 * found.baseline_kw[pod], row(entry["baseline"]), rtol=1e-12, atol=1e-12)


def test_chp_alone_shows_a_tenth_of_its_forecast(pods: dict[str, Any]) -> None:
    """The golden one may not move before 05:00; in Podium a CHP always may."""
    entry = pods["p_chp1_true"]
    found, open_steps = mapped({"chp": entry}), row(entry["devices"][0]["allowed_t"]) > 0
    np.testing.assert_allclose(1000 * found.min_kw[0, open_steps], row(entry["flex_minimized"])[open_steps], rtol=1e-12)
    np.testing.assert_allclose(1000 * found.max_kw[0, open_steps], row(entry["flex_maximized"])[open_steps], rtol=1e-12)


def test_a_whole_run_at_the_prices_of_the_reference(pods: dict[str, Any], prices: EnergyPrices) -> None:
    """Selling pays more than buying in 52 of its 96 steps: no exact optimum, but a promise of the reference."""
    assert (prices.sell > prices.buy).sum() == 52
    portfolio = Conversion().portfolio({name: pods[name] for name in [*MIXED, *ALONE]})
    result = run(Study("reference", portfolio, prices, Options(method="virtus")), workers=1)
    assert result.ok
    assert result.plan is not None
    assert result.plan.certificate is None
    again = promise(portfolio, prices, result.local)
    assert result.summary["virtus"]["profit_eur"] == pytest.approx(again.profit_eur)
    assert result.summary["virtus"]["undelivered_max_kwh"][0] > 0


def test_what_failed_stands_at_its_baseline(pods: dict[str, Any]) -> None:
    """Defect 10: the reference stops; here one POD does."""
    entries = {name: pods[name] for name in MIXED}
    portfolio = Conversion().portfolio(entries)
    plan = planned(portfolio, entries)
    lost = portfolio.store().pod == 4
    power = np.where(lost[:, None], np.nan, plan.schedule.p)
    net = np.full((len(portfolio), 96), 7.0)
    found = reference_level1(portfolio, replace(plan, net_kw=net, schedule=replace(plan.schedule, p=power)))
    assert found.failed.tolist() == [pod == 4 for pod in range(7)]
    for trajectory in (found.min_kw, found.max_kw, found.baseline_kw):
        np.testing.assert_array_equal(trajectory[4], 7.0)
    assert 1000 * found.min_kw[5].sum() == pytest.approx(pods["p6"]["objective_minimize"], rel=1e-5)
