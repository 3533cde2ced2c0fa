"""Whole runs: what is in the result and in the files, for ordinary studies and for odd ones."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

import podium
from one_pod import half_hours
from podium import engine
from podium.compute import Progress, silent
from podium.devices import Battery, FixedLoad, Pv
from podium.engine import PHASES, Result
from podium.errors import InputError
from podium.horizon import Horizon
from podium.market.bidding import Bids
from podium.market.prices import EnergyPrices
from podium.market.terms import Market, PositionLimits
from podium.portfolio import Pod, Portfolio
from podium.study import Study

HORIZON = half_hours(6)
PROFILES = {
    "load": np.array([1.0, 2.0, 1.5, 0.5, 3.0, 1.0]),
    "sun": np.array([0.0, 1.0, 4.0, 3.0, 1.0, 0.0]),
    "declared": np.full(6, 2.5),
}
PRICES = EnergyPrices.single(np.array([40.0, 60.0, -10.0, 20.0, 90.0, 50.0]))
TARIFF = {"buy_eur_per_kwh": 0.3, "sell_eur_per_kwh": 0.08}

SUMMARY_KEYS = {
    "study", "podium_version", "time_zone", "start", "end", "step_minutes", "steps", "pods", "devices", "level1",
    "level2", "virtus", "check", "undelivered_kwh", "worth", "notices",
}  # fmt: skip
TABLES = {
    "steps": {
        "time", "position_kw", "baseline_kw", "min_kw", "max_kw", "up_kw", "down_kw", "buy_eur_per_mwh",
        "sell_eur_per_mwh", "production_eur_per_mwh", "profit_eur", "virtus_max_kw", "virtus_min_kw",
        "virtus_sum_max_kw",
        "virtus_sum_min_kw",
        "virtus_profit_eur",
    },
    "pods": {"pod", "time", "baseline_kw", "min_kw", "max_kw", "up_kw", "down_kw", "plan_kw"},
    "pod_summary": {
        "pod", "name", "group", "composition", "solver", "seconds", "min_seconds", "max_seconds", "cost_eur",
        "bound_eur", "plan_profit_eur", "status", "message",
    },
    "schedule": {
        "pod", "device", "kind", "time", "power_kw", "energy_kwh", "aux_kw", "spill_kw", "baseline_kw",
    },
    "shadow": {"what", "group", "time", "eur_per_kwh"},
    "bids": {
        "market", "direction", "start", "end", "price_eur_per_mwh", "availability_eur_per_mw_h", "quantity_mw",
    },
}  # fmt: skip


def battery(name: str, **fields: float) -> Battery:
    return Battery.model_validate(
        {
            "device": name,
            "charge_max_kw": 2,
            "discharge_max_kw": 2,
            "energy_max_kwh": 6,
            "energy_initial_kwh": 2,
            "charge_efficiency": 0.9,
            "discharge_efficiency": 0.8,
            **fields,
        }
    )


def home(name: str, **fields: Any) -> Pod:
    devices = [
        FixedLoad(device=f"{name} load", profile="load"),
        Pv(device=f"{name} pv", profile="sun"),
        battery(f"{name} b"),
    ]
    return Pod.model_validate({"pod": name, "name": f"Home {name}", "devices": devices, **TARIFF, **fields})


def broken(name: str = "broken") -> Pod:
    devices = [battery(f"{name} b", energy_initial_kwh=0.2, energy_end_min_kwh=6)]
    return Pod.model_validate({"pod": name, "devices": devices, "baseline_profile": "declared", **TARIFF})


def study(*pods: Pod, prices: EnergyPrices | None = PRICES, horizon: Horizon = HORIZON) -> Study:
    return Study("Test", Portfolio.of(pods, horizon, PROFILES), prices)


def ran(given: Study) -> Result:
    return podium.run(given, workers=1)


def written(result: Result, folder: Path) -> Path:
    result.write(folder / "results")
    return folder / "results"


def test_a_run_leaves_the_files_of_the_contract(tmp_path: Path) -> None:
    """Every column and key; stamps in the study's zone; ids as dictionaries; the check accepts what it reads."""
    given = study(home("a"), home("b", group="north"))
    folder = written(ran(given), tmp_path)
    assert {path.name for path in folder.iterdir()} == {
        "summary.json", "certificate.json", "report.html", "flexibility.png", "profit.png", "price.png",
        "level1_times.png", *(f"{name}.parquet" for name in TABLES),
    }  # fmt: skip
    for name, columns in TABLES.items():
        schema = pq.read_schema(folder / f"{name}.parquet")
        assert set(schema.names) == columns, name
        if "time" in columns:
            assert str(schema.field("time").type) == "timestamp[ms, tz=Europe/Rome]"
    summary = json.loads((folder / "summary.json").read_text())
    assert set(summary) == SUMMARY_KEYS
    assert (summary["pods"], summary["devices"], summary["steps"], summary["step_minutes"]) == (2, 6, 6, 30)
    assert (summary["start"], summary["end"]) == ("2018-05-14T00:00:00+02:00", "2018-05-14T03:00:00+02:00")
    assert summary["level1"]["solvers"] == {"kernel": 2, "lp": 0, "milp": 0, "baseline": 0}
    assert set(json.loads((folder / "certificate.json").read_text())) == {
        "method", "profit_eur", "bound_eur", "gap", "rounds", "worth",
    }  # fmt: skip
    rows = pd.read_parquet(folder / "pod_summary.parquet").set_index("pod")
    assert rows.loc["b", ["name", "group", "composition", "solver", "status", "message"]].tolist() == [
        "Home b", "north", "1 fixed_load, 1 pv, 1 battery", "kernel", "ok", "",
    ]  # fmt: skip
    assert podium.check(given, folder).good


def test_the_tables_agree_with_each_other_and_with_the_result(tmp_path: Path) -> None:
    result = ran(study(home("a"), home("b")))
    folder = written(result, tmp_path)
    steps, pods, schedule, rows = (
        pd.read_parquet(folder / f"{name}.parquet") for name in ("steps", "pods", "schedule", "pod_summary")
    )
    by_time = schedule.groupby("time", observed=True)["power_kw"].sum().to_numpy()
    np.testing.assert_allclose(steps["position_kw"], by_time, atol=1e-12)
    np.testing.assert_allclose(steps["up_kw"], pods.groupby("time")["up_kw"].sum(), atol=1e-12)
    stores = schedule.groupby("kind", observed=True)["energy_kwh"].count()
    assert stores.to_dict() == {"battery": 12, "fixed_load": 0, "pv": 0}
    assert rows["plan_profit_eur"].sum() == pytest.approx(result.summary["level2"]["profit_eur"])
    assert (pods["min_kw"].sum(), pods["max_kw"].sum()) == pytest.approx(
        (result.local.min_kw.sum(), result.local.max_kw.sum())
    )
    assert result.summary["undelivered_kwh"] == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("headroom", [{"headroom_up_kw": 20.0}, {"headroom_up_kw": 5e3, "headroom_down_kw": 5e3}])
def test_a_run_judges_all_that_the_check_judges(headroom: dict[str, float], tmp_path: Path) -> None:
    """Limits that nothing can keep: both tell the same, and no bid contradicts the plan, which a notice speaks of."""
    limits = PositionLimits(np.full(6, 0.01), np.full(6, 0.01))
    given = replace(study(home("a"), home("b")), market=Market(limits=limits, **headroom))
    result = ran(given)
    again = podium.check(given, written(result, tmp_path))
    assert [str(found) for found in result.check.violations] == [str(found) for found in again.violations]
    assert result.check.count == again.count > 0
    assert result.check.max_violation_kw == again.max_violation_kw
    told = {found.what.split(" promises ")[0].split(" is ")[0] for found in again.violations}
    assert "the headroom" in told
    assert not any("bid" in what for what in told)
    assert "bids for energy reach as far as the plan" in result.summary["notices"][0]


def test_a_run_judges_its_bids_and_its_money(monkeypatch: pytest.MonkeyPatch) -> None:
    """A curve 1 MW off, and a summary that earns 1 EUR more, are told by the run itself."""
    given = study(home("a"))
    plain = engine.bids_of

    def moved(*arguments: Any) -> Bids:
        bids = plain(*arguments)
        return replace(bids, rows=bids.rows.assign(quantity_mw=bids.rows["quantity_mw"] + 1.0))

    monkeypatch.setattr(engine, "bids_of", moved)
    spoiled = ran(given)
    assert not spoiled.ok
    assert all(found.what.startswith("the energy bid from") for found in spoiled.check.violations)
    monkeypatch.setattr(engine, "bids_of", plain)
    monkeypatch.setattr("podium.market.plan.Money.profit_eur", property(lambda money: 1.0 + money.energy_eur))
    assert any("level2.profit_eur" in found.what for found in ran(given).check.violations)


def test_a_failing_pod_is_in_every_file_and_stops_nothing(tmp_path: Path) -> None:
    """It holds what it declares, in the position too, and has no set points; the run is not `ok`; the check is."""
    given = study(home("a"), broken(), home("c"))
    result = ran(given)
    assert not result.ok
    assert result.check.good
    folder = written(result, tmp_path)
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["level1"]["failed"] == 1
    assert summary["level1"]["failures"][0]["pod"] == "broken"
    assert "short of the 6.000 kWh it must hold" in summary["level1"]["failures"][0]["reason"]
    assert summary["level1"]["solvers"]["baseline"] == 1
    rows = pd.read_parquet(folder / "pod_summary.parquet").set_index("pod")
    assert rows["status"].to_dict() == {"a": "ok", "broken": "failed", "c": "ok"}
    assert rows.loc["broken", "message"] == summary["level1"]["failures"][0]["reason"]
    pods = pd.read_parquet(folder / "pods.parquet").set_index("pod").loc["broken"]
    assert (pods[["baseline_kw", "min_kw", "max_kw", "plan_kw"]] == 2.5).all(axis=None)
    assert (pods[["up_kw", "down_kw"]] == 0).all(axis=None)
    schedule = pd.read_parquet(folder / "schedule.parquet").set_index("device").loc["broken b"]
    assert schedule["power_kw"].isna().all()
    assert podium.check(given, folder).good
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "short of the 6.000 kWh it must hold" in page


ODD: dict[str, list[Pod]] = {
    "one POD": [home("a")],
    "a POD without devices": [Pod(pod="empty")],
    "one with and one without devices": [home("a"), Pod(pod="empty")],
    "all fail": [broken("x"), broken("y")],
}


@pytest.mark.parametrize("prices", [PRICES, None], ids=["market", "no market"])
@pytest.mark.parametrize("pods", ODD.values(), ids=ODD)
def test_odd_studies_run_and_are_judged_good(pods: list[Pod], prices: EnergyPrices | None, tmp_path: Path) -> None:
    tariffs = [pod if prices is not None else pod.model_copy(update=TARIFF) for pod in pods]
    given = study(*tariffs, prices=prices)
    result = ran(given)
    folder = written(result, tmp_path)
    assert podium.check(given, folder).good
    assert result.ok == (not result.local.baseline.failures)
    summary = json.loads((folder / "summary.json").read_text())
    assert (summary["virtus"] is None) == (prices is None)
    assert summary["level2"]["method"] == (None if prices is None else "exact")
    assert (folder / "report.html").stat().st_size > 10_000


def test_a_single_step_is_enough(tmp_path: Path) -> None:
    horizon = half_hours(1)
    load = Pod.model_validate({"pod": "p", "devices": [FixedLoad(device="l", profile="load")], **TARIFF})
    given = Study(
        "Step", Portfolio.of([load], horizon, {"load": np.array([2.0])}), EnergyPrices.single(np.array([50.0]))
    )
    result = ran(given)
    assert result.summary["level2"]["profit_eur"] == pytest.approx(-0.05)
    assert podium.check(given, written(result, tmp_path)).good


def test_without_a_market_a_pod_needs_a_tariff() -> None:
    with pytest.raises(InputError, match="POD 'bare': no buying price"):
        ran(study(Pod(pod="bare", devices=[FixedLoad(device="l", profile="load")]), prices=None))


def test_prices_that_exact_cannot_take_are_told_before_the_work() -> None:
    """Selling for more than buying costs; the reference method takes it."""
    pair = EnergyPrices(PRICES.buy, PRICES.buy + 5.0, PRICES.production)
    begun: list[str] = []

    def phase(name: str) -> Progress:
        begun.append(name)
        return lambda _done: None

    given = study(home("a"), prices=pair)
    with pytest.raises(InputError, match="profit would have no limit"):
        podium.run(given, workers=1, phase=phase)
    assert begun == []
    result = podium.run(given.with_method("virtus"), workers=1, phase=phase)
    assert result.ok
    assert result.summary["level2"]["gap"] is None
    assert result.summary["level2"]["profit_eur"] == pytest.approx(result.plan.profit_eur if result.plan else None)


def test_phases_are_told_in_order(tmp_path: Path) -> None:
    begun: list[str] = []
    done = [0]

    def phase(name: str) -> Progress:
        begun.append(name)

        def told(count: int) -> None:
            done[0] += count

        return told

    result = podium.run(study(home("a"), home("b")), workers=1, phase=phase)
    result.write(tmp_path / "results", phase)
    assert tuple(begun) == PHASES
    assert done == [4], "two PODs on both levels"


def test_a_run_from_a_known_level_1_is_the_same_run(tmp_path: Path) -> None:
    """Level 1 is not solved again, and neither schedule nor money differ; alone it is a result without a plan."""
    given, begun = study(home("a"), home("b")), []

    def phase(name: str) -> Progress:
        begun.append(name)
        return silent

    local = engine.level1(given, workers=1)
    whole, behind = ran(given), podium.run(given, workers=1, local=local, phase=phase)
    assert begun == ["level 2", "bids", "reference promise", "check"]
    assert behind.plan is not None
    assert whole.plan is not None
    np.testing.assert_array_equal(behind.plan.schedule.p, whole.plan.schedule.p)
    assert behind.plan.profit_eur == whole.plan.profit_eur
    alone = engine.level1_result(given, local)
    assert alone.ok
    assert alone.summary["level2"]["method"] is None
    assert alone.summary["level1"]["cost_eur"] == whole.summary["level1"]["cost_eur"]
    folder = written(alone, tmp_path)
    assert (folder / "report.html").is_file()
    assert podium.check(given, folder).good
    steps = pd.read_parquet(folder / "steps.parquet")
    steps.assign(profit_eur=1.0).to_parquet(folder / "steps.parquet")
    assert "names no method of level 2" in str(podium.check(given, folder))


def test_the_virtus_run_checks_good(tmp_path: Path) -> None:
    given = study(home("a"), broken(), Pod(pod="empty")).with_method("virtus")
    folder = written(ran(given), tmp_path)
    assert podium.check(given.with_method("virtus"), folder).good


def test_a_pod_that_ran_out_of_time_is_told_of(tmp_path: Path) -> None:
    """Its best schedule is used; the summary has a notice and its row says so."""
    given = study(home("a"), home("b"))
    result = ran(given)
    late = Result(
        result.study,
        type(result.local)(**{**vars(result.local), "baseline": _late(result)}),
        result.plan,
        result.promise,
        result.check,
    )
    assert late.ok
    assert late.summary["notices"] == ["POD 'b': time limit before the proof; the best schedule found is used"]
    rows = pd.read_parquet(written(late, tmp_path) / "pod_summary.parquet")
    assert rows["status"].tolist() == ["ok", "time limit"]


def _late(result: Result) -> Any:
    base = result.local.baseline
    return type(base)(**{**vars(base), "late": ("b",)})
