"""Figures become options of ECharts: units, decimals, times and words, without a browser."""

from __future__ import annotations

import json
import time

import numpy as np
import pandas as pd
import pytest

from podium.horizon import Horizon
from podium.report.clock import LocalClock
from podium.web.charts import Band, Figure, NameAxis, NumberAxis, Series, Stack, TimeAxis, ValueAxis
from podium.web.charts.options import chart_of
from podium.web.charts.units import Scale, rounded, scale_of

TWO_STEPS = TimeAxis(0, 60, 2, "UTC", ((0, 0, "UTC"),))


def clock(start: str = "2018-07-17", days: int = 1, minutes: int = 15) -> LocalClock:
    return LocalClock(pd.DatetimeIndex(Horizon.days(start, days, minutes, "Europe/Rome").times), minutes)


def figure(shown: list[Series | Band | Stack], axis: TimeAxis | NumberAxis | NameAxis, unit: str = "kW") -> Figure:
    return Figure("Power", "What can be seen.", axis, ValueAxis("Power", unit), shown)


def test_power_is_shown_in_the_unit_that_fits_the_greatest_of_all_series() -> None:
    """One series of 1,500 kW puts both into MW; what is not a number becomes null."""
    axis = TWO_STEPS
    small = Series("small", np.array([3.25, np.nan]), "plan")
    chart = chart_of(figure([small, Series("large", np.array([-1500.0, 20.0]), "baseline")], axis))
    assert [column["unit"] for column in chart["columns"]] == ["MW", "MW"]
    assert chart["options"]["series"][0]["data"] == [pytest.approx(0.0033, abs=1e-4), None]
    assert chart["options"]["series"][1]["data"] == [-1.5, 0.02]
    assert chart["options"]["yAxis"][0]["name"] == "Power, MW"
    alone = chart_of(figure([small], axis))
    assert (alone["columns"][0]["unit"], alone["options"]["series"][0]["data"][0]) == ("kW", 3.25)


@pytest.mark.parametrize(
    ("peak", "decimals"), [(0.0, 2), (0.0412, 5), (7.2, 3), (52.0, 2), (999.0, 1), (1_000_000.0, 0)]
)
def test_decimals_show_four_digits(peak: float, decimals: int) -> None:
    assert scale_of("EUR", [np.array([peak])]).decimals == decimals


def test_values_are_sent_with_one_decimal_more_than_is_shown_and_without_minus_zero() -> None:
    assert rounded(np.array([1.23456, -1e-9]), Scale("EUR", 1.0, 2)) == [1.235, 0.0]
    assert str(rounded(np.array([-1e-9]), Scale("EUR", 1.0, 2))[0]) == "0.0"


def test_an_axis_of_time_knows_both_offsets_of_the_day_on_which_the_clocks_change() -> None:
    """100 quarter-hours from 22:00 UTC; from 01:00 UTC on, local time is one hour ahead instead of two."""
    axis = chart_of(figure([], TimeAxis.of(clock("2018-10-28"))))["axis"]
    assert (axis["steps"], axis["step_ms"], axis["zone"]) == (100, 900_000, "Europe/Rome (CEST, then CET)")
    assert axis["start_ms"] == pd.Timestamp("2018-10-27T22:00Z").timestamp() * 1000
    change = pd.Timestamp("2018-10-28T01:00Z").timestamp() * 1000
    assert axis["offsets"] == [[axis["start_ms"], 120, "CEST"], [change, 60, "CET"]]
    marks = chart_of(figure([Series("a", np.zeros(100), "plan")], TimeAxis.of(clock("2018-10-28"))))
    lines = marks["options"]["series"][-1]["markLine"]["data"]
    assert {"xAxis": change, "label": {"formatter": "clocks back 60 min"}}.items() <= lines[1].items()


def test_steps_are_drawn_as_steps_and_lines_as_lines() -> None:
    axis = TWO_STEPS
    values = np.array([1.0, 2.0])
    shown = [Series("steps", values, "plan"), Series("line", values, "plan", look="line", dashed=True)]
    steps, line = chart_of(figure(shown, axis))["options"]["series"][:2]
    assert steps["step"] == "end"
    assert "step" not in line
    assert line["lineStyle"]["type"] == "dashed"


def test_a_band_has_two_columns_and_one_entry_in_the_legend() -> None:
    axis = TWO_STEPS
    chart = chart_of(figure([Band("band", np.array([-1.0, 0.0]), np.array([2.0, 3.0]), "band")], axis))
    assert [(column["name"], column["part"]) for column in chart["columns"]] == [
        ("band, from", "low"),
        ("band, to", "high"),
    ]
    assert [column.get("legend") for column in chart["columns"]] == ["band", None]
    band = chart["options"]["series"][0]
    assert (band["low"], band["high"]) == ([-1.0, 0.0], [2.0, 3.0])


def test_parts_of_a_stack_lie_upon_each_other() -> None:
    """The axis must hold their sum: here 1.2 MW, though no part has more than 700 kW."""
    axis = TWO_STEPS
    stack = Stack([("a", np.array([500.0, np.nan]), "0"), ("b", np.array([700.0, 100.0]), "1")])
    chart = chart_of(figure([stack], axis))
    first, second = chart["options"]["series"][:2]
    assert (first["low"], first["high"]) == ([0.0, 0.0], [0.5, 0.0])
    assert (second["low"], second["high"]) == ([0.5, 0.0], [1.2, 0.1])
    assert {column["unit"] for column in chart["columns"]} == {"MW"}


def test_names_stand_at_the_side_and_bars_lie() -> None:
    chart = chart_of(
        figure([Series("profit", np.array([3.0, -1.0]), "plan", look="bar")], NameAxis("POD", ["a", "b"]), "EUR")
    )
    options = chart["options"]
    assert (options["yAxis"]["type"], options["yAxis"]["data"]) == ("category", ["a", "b"])
    assert (options["series"][0]["type"], options["dataZoom"]) == ("bar", [])
    assert chart["axis"] == {"kind": "names", "name": "POD", "names": ["a", "b"]}


def test_a_second_axis_has_a_unit_of_its_own() -> None:
    shown = [
        Series("power", np.array([2000.0, 1.0]), "plan"),
        Series("price", np.array([41.5, 60.0]), "bound", right=True),
    ]
    both = Figure("Both", "", TWO_STEPS, ValueAxis("Power", "kW"), shown, ValueAxis("Price", "EUR/MWh"))
    chart = chart_of(both)
    assert [axis["name"] for axis in chart["options"]["yAxis"]] == ["Power, MW", "Price, EUR/MWh"]
    assert [series["yAxisIndex"] for series in chart["options"]["series"][:2]] == [0, 1]
    assert [column["unit"] for column in chart["columns"]] == ["MW", "EUR/MWh"]


def test_what_can_be_seen_is_said_in_words() -> None:
    chart = chart_of(figure([], TimeAxis.of(clock())))
    assert chart["description"] == "What can be seen."
    assert chart["options"]["aria"] == {"enabled": True, "label": {"description": "What can be seen."}}


def test_a_year_of_quarter_hours_is_small_and_quick() -> None:
    """35,040 steps of four series: numbers without needless digits, times only once."""
    rng = np.random.default_rng(1)
    axis = TimeAxis.of(clock("2018-01-01", 365))
    rows = [Series(str(number), 5000 * rng.standard_normal(35_040), str(number)) for number in range(4)]
    begun = time.thread_time()
    text = json.dumps(chart_of(figure(list(rows), axis)), separators=(",", ":"))
    assert time.thread_time() - begun < 2.0
    assert len(text) < 4 * 35_040 * 9
