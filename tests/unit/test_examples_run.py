"""The examples, run as a user runs them and judged by the check."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import podium
from podium.engine import Result
from podium.local.batch import BOUND_GAP
from podium.study.examples import write_example

CASES = {"one-home": ".", "dst-days": ".", "dst-days autumn": "autumn", "it-north-200": "."}
HOURS = {"one-home": 24, "dst-days": 47, "dst-days autumn": 49, "it-north-200": 24}


class Ran:
    """An example with its result and its files."""

    def __init__(self, name: str, folder: Path) -> None:
        write_example(name.split(maxsplit=1)[0], folder)
        self.study = podium.load_study(folder / CASES[name])
        self.result: Result = podium.run(self.study, workers=1)
        self.files = folder / "results of a run"
        self.result.write(self.files)

    def table(self, name: str) -> pd.DataFrame:
        return pd.read_parquet(self.files / f"{name}.parquet")

    @property
    def summary(self) -> dict[str, Any]:
        return self.result.summary


@pytest.mark.parametrize("name", CASES)
def test_an_example_runs_and_is_judged_good(name: str, tmp_path: Path) -> None:
    """Once each, for the demo takes its time: all that is asked of it is asked here."""
    ran = Ran(name, tmp_path / "study")
    nothing_fails(ran)
    assert len(ran.table("steps")) * ran.study.horizon.step_hours == HOURS[name]
    results_hang_together(ran)
    if name == "it-north-200":
        every_solver_is_used(ran)
        every_kind_has_its_band(ran)


def nothing_fails(ran: Ran) -> None:
    """In memory and from the files alone; all that is planned is delivered; the plan is as good as can be."""
    assert ran.result.ok
    assert ran.summary["level1"]["failed"] == 0
    assert ran.summary["check"]["violations"] == 0
    assert ran.summary["undelivered_kwh"] == pytest.approx(0, abs=1e-6)
    assert ran.summary["level2"]["bound_eur"] >= ran.summary["level2"]["profit_eur"] - 1e-6
    assert ran.summary["level2"]["gap"] <= 1e-5
    found = podium.check(ran.study, ran.files)
    assert found.good, found


def results_hang_together(ran: Ran) -> None:
    """Nothing missing; sums agree; least energy <= any <= greatest; the plan earns at least what the baseline does."""
    steps, pods, rows = ran.table("steps"), ran.table("pods"), ran.table("pod_summary")
    for frame in (steps, pods, rows):
        assert not frame.isna().any(axis=None)
    by_time = pods.groupby("time", observed=True)[["plan_kw", "baseline_kw", "up_kw", "down_kw"]].sum()
    expected = steps[["position_kw", "baseline_kw", "up_kw", "down_kw"]].to_numpy()
    np.testing.assert_allclose(by_time.to_numpy(), expected, atol=1e-6)
    assert (pods[["up_kw", "down_kw"]] >= 0).all(axis=None)
    energy = pods.groupby("pod", observed=True)[["min_kw", "baseline_kw", "max_kw", "plan_kw"]].sum()
    slack = 2 * BOUND_GAP * energy.abs().max(axis=1) + 1e-2
    for between in ("baseline_kw", "plan_kw"):
        assert (energy["min_kw"] <= energy[between] + slack).all()
        assert (energy[between] <= energy["max_kw"] + slack).all()
    assert ran.study.prices is not None
    virtus = podium.optimise_portfolio(ran.study.with_method("virtus"), ran.result.local, workers=1)
    assert ran.summary["level2"]["profit_eur"] >= virtus.profit_eur - 1e-6
    assert rows["plan_profit_eur"].sum() == pytest.approx(ran.summary["level2"]["profit_eur"])


def every_solver_is_used(ran: Ran) -> None:
    solvers = ran.summary["level1"]["solvers"]
    assert sum(solvers.values()) == 200
    assert min(solvers["kernel"], solvers["lp"], solvers["milp"]) > 0


def every_kind_has_its_band(ran: Ran) -> None:
    """Sun and wind only down, fixed loads none, stores and movable loads both ways."""
    local, kinds = ran.result.local, ran.study.portfolio.devices
    kind_of = {name: kind for kind, table in kinds.items() for name in table.ids}
    found = np.array([kind_of[name] for name in local.baseline.device_ids])
    up, down = (
        {kind: side[found == kind].sum() > 0 for kind in kinds} for side in (local.device_up_kw, local.device_down_kw)
    )
    assert {kind for kind in kinds if not up[kind]} == {"fixed_load", "pv", "wind"}
    assert {kind for kind in kinds if not down[kind]} == {"fixed_load"}
