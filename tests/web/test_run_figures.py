"""Figures, tables and words of runs, from result files, without a browser."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from podium.horizon import Horizon
from podium.market.coordination import Round
from podium.report.clock import LocalClock
from podium.report.files import read_results
from podium.report.sold import read_sold
from podium.service.pods import Room
from podium.service.rounds import ToldRound, round_of, round_text
from podium.service.views import RunView
from podium.web.charts import Band, Stack, TimeAxis
from podium.web.paged import chosen_rows
from podium.web.runs import comparing, market_charts, pod_charts, portfolio_charts
from podium.web.runs.pod_table import pod_address, pod_rows
from podium.web.runs.sales import span_text
from podium.web.runs.watching import progress_text
from unit.synthetic_results import Case, write_results


def test_flexibility_bound_optimised_bound_and_plan_are_the_files_rows(tmp_path: Path) -> None:
    results = read_results(write_results(tmp_path / "r", Case(pods=8)))
    shown = portfolio_charts.flexibility(results).shown
    band = shown[0]
    assert isinstance(band, Band)
    assert np.array_equal(band.high, results.steps["virtus_sum_max_kw"].to_numpy(float))
    rows = {each.name: each.values for each in shown if not isinstance(each, Band | Stack)}
    assert list(rows) == ["optimised bound, greatest", "optimised bound, least", "baseline", "plan"]
    assert np.array_equal(rows["plan"], results.steps["position_kw"].to_numpy(float))


def test_the_mean_profit_is_that_of_the_steps(tmp_path: Path) -> None:
    results = read_results(write_results(tmp_path / "r", Case(pods=8)))
    figure = portfolio_charts.profit(results)
    assert figure is not None
    rows = {each.name: each.values for each in figure.shown if not isinstance(each, Band | Stack)}
    assert rows["its mean"][0] == pytest.approx(results.steps["profit_eur"].mean())


def test_what_backs_reserve_is_stacked_by_kind(tmp_path: Path) -> None:
    results = read_results(write_results(tmp_path / "r", Case(pods=8, sold=True)))
    backed = read_sold(results).backed
    assert backed
    figure = market_charts.backing(backed[0], TimeAxis.of(results.clock), market_charts.kind_colours(backed))
    stack = figure.shown[0]
    assert isinstance(stack, Stack)
    total = sum(values for _, values, _ in stack.parts)
    assert np.allclose(total, sum(backed[0].kinds.values()))


def told(*rows: tuple[float, float]) -> list[dict[str, Any]]:
    return [
        {"round": number, "bound_eur": bound, "profit_eur": profit, "gap": (bound - profit) / abs(profit)}
        for number, (bound, profit) in enumerate(rows, 1)
    ]


def test_first_rounds_that_are_far_off_are_left_out() -> None:
    """Where profit climbs from -10,000 to 99, the last rounds would be one line."""
    figure = market_charts.rounds(told((100, -10_000), (100, 50), (100, 90), (100, 99)))
    assert figure.note == "From round 3 on"
    assert market_charts.rounds(told((100, 95), (100, 96))).note == ""


def test_a_round_in_the_log_is_read_as_it_was_written() -> None:
    """Negative profits and great gaps of the first rounds, too."""
    text = round_text(Round(number=7, bound_eur=1234.567, profit_eur=-3.0, seconds=1.0))
    assert round_of(text) == ToldRound(7, 1234.57, -3.0, pytest.approx(1237.567 / 3.0, abs=1e-4))
    assert round_of("level 2") is None


@pytest.mark.parametrize(
    ("state", "more", "text"),
    [
        ("queued", {"ahead": 0}, "Next in the queue"),
        ("queued", {"ahead": 2}, "2 runs before this one"),
        ("running", {}, "Starting"),
        ("running", {"phase": "level 1", "pods_done": 1200}, "Level 1: 1,200 of 10,000 PODs"),
        ("running", {"phase": "check"}, "Check"),
        ("failed", {}, "Failed"),
    ],
)
def test_progress_is_told_in_a_line(state: str, more: dict[str, Any], text: str) -> None:
    run = {"phase": None, "pods": 10_000, "pods_done": 0, "ahead": None, "state": state} | more
    assert progress_text(RunView.model_construct(**run)) == text


def test_progress_tells_the_round_under_way() -> None:
    run = RunView.model_construct(state="running", phase="level 2", pods=5, pods_done=3, ahead=None)
    assert progress_text(run, ToldRound(4, 10.0, 9.0, 0.05)) == "Level 2, round 5, gap 5.00 %: 3 of 5 PODs"


def test_ten_thousand_pods_are_searched_at_once(tmp_path: Path) -> None:
    results = read_results(write_results(tmp_path / "r", Case(pods=10_000, step_minutes=60, failed=3)))
    rows = pod_rows(results, planned=True)
    lower = (rows["pod"] + " " + rows["composition"]).str.lower()
    begun = time.thread_time()
    found = chosen_rows(rows, lower, "chp 0999")
    assert time.thread_time() - begun < 0.5
    assert found["pod"].tolist() == [f"pod-{number:05d}" for number in (999, 9991, 9995, 9999)]
    assert len(chosen_rows(rows, lower, "", ("status", "failed"))) == 3


def test_a_pod_with_a_strange_name_has_an_address() -> None:
    assert pod_address("x", "a/b c%") == "/runs/x/pods/a%2Fb%20c%25"  # type: ignore[arg-type]


def test_differences_say_what_is_better() -> None:
    """More profit is better, a greater gap is worse, and more PODs are neither."""
    first = {"pods": 2, "level2": {"profit_eur": 10.0, "gap": 0.01}}
    second = {"pods": 3, "level2": {"profit_eur": 12.5, "gap": 0.02}}
    found = {fact.name: (fact.difference, fact.verdict) for fact in comparing.facts(first, second)}
    assert found == {"Profit of the plan": (2.5, 1), "Gap": (pytest.approx(0.01), -1), "PODs": (1.0, 0)}


def test_a_difference_that_nobody_sees_is_none() -> None:
    fact = comparing.facts({"undelivered_kwh": 0.0}, {"undelivered_kwh": 1e-12})[0]
    assert fact.verdict == 0


def test_charts_of_two_runs_leave_out_what_is_the_same(tmp_path: Path) -> None:
    a, b = (
        read_results(write_results(tmp_path / name, Case(pods=8, seed=seed))) for name, seed in (("a", 1), ("b", 2))
    )
    assert comparing.overlaid(a, a, ("A", "B")) == []
    figure = comparing.overlaid(a, b, ("A", "B"))[0]
    rows = {each.name: each.values for each in figure.shown if not isinstance(each, Band | Stack)}
    assert np.allclose(rows["difference, B less A"], rows["B"] - rows["A"])
    assert not comparing.same_steps(a, read_results(write_results(tmp_path / "c", Case(pods=8, days=2))))


def test_pods_of_two_runs_are_those_of_both_with_the_greatest_difference_first() -> None:
    def table(**cost: float) -> Any:
        pods = pd.DataFrame({"pod": list(cost), "cost_eur": list(cost.values())})
        return type("R", (), {"pods": pods.assign(composition="1 pv", plan_profit_eur=np.nan)})()

    both = comparing.pods_compared(table(a=1.0, b=2.0, c=3.0), table(b=2.5, c=1.0, d=9.0))
    assert both["pod"].tolist() == ["c", "b"]
    assert both["cost_eur_difference"].tolist() == [-2.0, 0.5]


def test_a_pod_that_failed_is_drawn_without_what_it_lacks() -> None:
    """Neither band nor plan nor level: the declared baseline alone, and no error."""
    axis = TimeAxis(0, 60, 2, "UTC", ((0, 0, "UTC"),))
    nothing = [np.nan, np.nan]
    pod = pd.DataFrame({"baseline_kw": [1.0, 2.0], "plan_kw": [1.0, 2.0]} | dict.fromkeys(
        ("up_kw", "down_kw", "min_kw", "max_kw"), nothing))  # fmt: skip
    names = [each.name for each in pod_charts.net_power(pod, axis, planned=True).shown if not isinstance(each, Stack)]
    assert names == ["baseline", "plan"]
    columns = dict.fromkeys(("power_kw", "energy_kwh", "aux_kw", "spill_kw", "baseline_kw"), nothing)
    device = pd.DataFrame({"device": ["b", "b"], "kind": ["battery", "battery"]} | columns)
    assert pod_charts.device_level(device, None, axis) is None
    assert "0.0 kW" in pod_charts.device_power(device, None, axis, planned=True).description


def test_a_store_is_drawn_within_its_limits_and_a_boiler_beside_its_chp() -> None:
    axis = TimeAxis(0, 60, 2, "UTC", ((0, 0, "UTC"),))
    device = pd.DataFrame(
        {"device": "c", "kind": "chp", "power_kw": [-5.0, 0.0], "baseline_kw": [0.0, 0.0], "energy_kwh": [3.0, 4.0],
         "aux_kw": [0.0, 2.0], "spill_kw": [0.0, 0.0]}
    )  # fmt: skip
    room = Room("c", np.array([-5.0, -5.0]), np.zeros(2), np.zeros(2), np.array([8.0, 8.0]))
    power = pod_charts.device_power(device, room, axis, planned=True)
    assert [each.name for each in power.shown if not isinstance(each, Stack)] == [
        "what it can do",
        "baseline",
        "plan",
        "auxiliary heat",
    ]
    level = pod_charts.device_level(device, room, axis)
    assert level is not None
    assert (level.title, level.y.title) == ("c: heat stored", "Heat stored")


@pytest.mark.parametrize(
    ("start", "minutes", "text"),
    [
        ("2018-10-28T02:45+02:00", 15, "02:45–03:00 CEST"),
        ("2018-10-28T02:00+01:00", 15, "02:00–02:15 CET"),
        ("2018-10-28T00:00+02:00", 300, "00:00–04:00 CEST"),
        ("2018-10-28T23:45+01:00", 15, "23:45–24:00 CET"),
    ],
)
def test_spans_follow_the_wall_clock_where_it_changes(start: str, minutes: int, text: str) -> None:
    """A short span ends by the clock of its start; a block of five hours that night is one from 0 to 4."""
    clock = LocalClock(pd.DatetimeIndex(Horizon.days("2018-10-28", 1, 15, "Europe/Rome").times), 15)
    first = pd.Timestamp(start)
    assert span_text(clock, first, first + pd.Timedelta(minutes=minutes)) == text
