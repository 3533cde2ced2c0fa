"""Every benchmark on a tiny size: what it prints, and that it solves what it says it solves."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from podium.bench import benchmark_a, scaling
from podium.bench.measure import as_text
from podium.bench.mixed import KINDS
from podium.bench.synthetic import portfolio_of
from podium.cli import app
from podium.flex.solve import structure


def printed(*arguments: str) -> dict[str, Any]:
    """What a benchmark prints as JSON."""
    result = CliRunner().invoke(app, ["bench", *arguments, "--json"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.mark.parametrize(("pods", "objective_eur"), [(10, -1.606537), (100, -60.743429)])
def test_benchmark_a_has_the_known_optimum(pods: int, objective_eur: float) -> None:
    found = printed("a", "--pods", str(pods), "--repeats", "1")
    assert found["objective_eur"] == pytest.approx(objective_eur, abs=1e-6)
    assert found["cpu_ms_per_pod"] == pytest.approx(1000 * found["cpu_seconds"] / pods)
    assert {"import_seconds", "compile_seconds", "wall_seconds", "repeats", "steps"} <= found.keys()


def test_benchmark_a_does_not_depend_on_its_batches() -> None:
    whole, parts = list(benchmark_a.batches(7)), list(benchmark_a.batches(7, size=3))
    assert [len(part.load) for part in parts] == [3, 3, 1]
    for name in ("load", "pv"):
        joined = np.concatenate([getattr(part, name) for part in parts])
        np.testing.assert_array_equal(joined, getattr(whole[0], name))
    costs = [benchmark_a.optimised(part).cost_eur for part in parts]
    np.testing.assert_array_equal(np.concatenate(costs), benchmark_a.optimised(whole[0]).cost_eur)


def test_benchmark_a_is_the_published_input(shared: Path) -> None:
    """The prototype's own generator draws the same PODs."""
    place = {"__name__": "work_a"}
    exec((shared / "prototypes" / "work_a.py").read_text(), place)
    theirs, ours = place["make"](5), next(benchmark_a.batches(5))
    for name in ("load", "pv", "buy", "sell"):
        np.testing.assert_array_equal(getattr(ours, name), theirs[name])


def test_conf7_has_24_devices_and_bounds_in_order() -> None:
    found = printed("conf7", "--pods", "2", "--repeats", "1")
    assert found["devices"] == 48
    assert found["min_energy_kwh"] < found["max_energy_kwh"]


def test_conf7_by_the_references_rules_has_the_golden_sums(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PODIUM_SHARED", str(shared))
    found = printed("conf7", "--pods", "2", "--repeats", "1")["reference_rules"]
    assert found["min_sum"] == pytest.approx(437069.434, rel=1e-5)
    assert found["max_sum"] == pytest.approx(647129.014, rel=1e-5)


def test_mixed_pods_take_the_path_of_linear_programmes() -> None:
    """Two to six devices each; none separates, none has one store only, none needs integers."""
    assert {len(kind) for kind in KINDS} == {2, 3, 4, 5, 6}
    portfolio = portfolio_of(KINDS, 10, buy_profile="buy", sell_profile="sell", withdrawal_max_kw=12.0)
    single, separable, coupled = structure(portfolio.store(), portfolio.meter())
    assert (len(single), len(separable), len(coupled)) == (0, 0, 10)
    found = printed("mixed", "--pods", "10", "--repeats", "1")
    assert found["solvers"] == {"lp": 10}


def test_dispatch_measures_every_order_of_takeover() -> None:
    """Who takes over does not change how much deviates."""
    found = printed("dispatch", "--pods", "20")
    assert (found["devices"], found["steps"]) == (80, 96)
    assert found["takeover"].keys() == {"proportional", "cost", "priority"}
    assert len({day["deviation_kwh"] for day in found["takeover"].values()}) == 1
    for day in found["takeover"].values():
        assert 0 < day["cpu_ms_per_step"] <= day["cpu_ms_of_slowest_step"]
        assert day["uncovered_kwh"] >= 0


def test_activations_are_delivered_and_break_nothing() -> None:
    """Of something, not of nothing."""
    found = printed("activations", "--pods", "10", "--count", "30")
    assert (found["devices"], found["activations"], found["checked"]) == (40, 30, 20)
    assert found["called_kwh"] > 1.0
    assert found["undelivered_kwh"] == pytest.approx(0.0, abs=1e-6)
    assert found["violations"] == 0


@pytest.mark.parametrize("load", ["a", "mixed"])
def test_a_team_gives_the_serial_answers_and_says_what_travels(load: str) -> None:
    """600 PODs are three parts, the last one smaller; a question is one price per step."""
    found = printed("team", "--pods", "600" if load == "a" else "260", "--load", load, "--rounds", "3")
    assert found["same_answers"]
    assert (found["parts"], found["workers"]) == (3 if load == "a" else 2, 2)
    assert 2 * 96 * 8 < found["bytes_sent_per_round"] < 4000
    assert found["parts"] * 96 * 8 < found["bytes_received_per_round"] < found["parts"] * 2000
    assert found["busiest_worker_cpu_seconds"] < found["serial_cpu_seconds"] * 2
    assert found["speed_up"] > 0


@pytest.mark.parametrize("kind", ["pv", "car"])
def test_whole_run_says_time_memory_and_that_all_went_well(kind: str) -> None:
    found = printed("run", "--pods", "3", "--kind", kind, "--workers", "1")
    assert found["devices"] == 9
    assert (found["failed"], found["violations"]) == (0, 0)
    assert found["solvers"]["kernel" if kind == "pv" else "lp"] == 3
    assert found["wall_seconds"] > 0
    assert found["cpu_seconds"] > 0
    assert found["peak_memory_gb"] >= 0


def test_scaling_prints_a_row_per_size_and_draws_them(tmp_path: Path) -> None:
    picture = tmp_path / "pictures" / "scaling.png"
    found = printed("scaling", "--largest", "20", "--workers", "1", "--figure", str(picture))
    assert [row["pods"] for row in found["rows"]] == [10, 20]
    assert found["rows"][0]["reference_published_seconds"] == 0.072
    assert picture.read_bytes()[:4] == b"\x89PNG"
    assert "sequential s" in scaling.table(found).splitlines()[0]


def test_findings_read_well_as_text() -> None:
    text = as_text({"pods": 10_000, "cpu_seconds": 0.123456789, "inside": {"lp": 3}})
    assert text.splitlines() == [
        "pods                         10000",
        "cpu_seconds                  0.123457",
        "inside",
        "  lp                         3",
    ]
