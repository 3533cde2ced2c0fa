"""The scripts of charts, run in a browser: wall clocks, thinning, files."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from playwright.sync_api import Page

from podium.horizon import Horizon
from podium.report.clock import LocalClock
from podium.web.charts import Band, Figure, Series, TimeAxis, ValueAxis
from podium.web.charts.figure import Floats
from podium.web.charts.options import chart_of


@pytest.fixture
def scripts(tab: Page) -> Page:
    """A page that can load the scripts."""
    tab.goto("/setup")
    return tab


def call(page: Page, name: str, *given: Any) -> Any:
    """The answer of one of the functions."""
    script = "async ([name, given]) => { const all = await import('podium-charts'); return all[name](...given); }"
    return page.evaluate(script, [name, list(given)])


def axis(start: str, days: int = 1, zone: str = "Europe/Rome", minutes: int = 15) -> dict[str, Any]:
    clock = LocalClock(pd.DatetimeIndex(Horizon.days(start, days, minutes, zone).times), minutes)
    found: dict[str, Any] = chart_of(Figure("", "", TimeAxis.of(clock), ValueAxis("", ""), []))["axis"]
    return found


def whole(axis: dict[str, Any]) -> tuple[int, int]:
    return axis["start_ms"], axis["start_ms"] + axis["steps"] * axis["step_ms"]


def local_ticks(page: Page, axis: dict[str, Any], most: int, zone: str = "Europe/Rome") -> list[str]:
    found = call(page, "ticks", axis, *whole(axis), most)
    return [f"{pd.Timestamp(ms, unit='ms', tz='UTC').tz_convert(zone):%d %H:%M %Z}" for ms in found]


def test_ticks_stand_at_round_hours_of_the_wall_clock_on_both_sides_of_a_change(scripts: Page) -> None:
    """In autumn 02:00 comes twice, and 04:00 still is a tick; in spring 02:00 does not come at all."""
    autumn = local_ticks(scripts, axis("2018-10-28"), 13)
    assert autumn[:4] == ["28 00:00 CEST", "28 02:00 CEST", "28 02:00 CET", "28 04:00 CET"]
    assert (autumn[-1], len(autumn)) == ("29 00:00 CET", 14)
    spring = local_ticks(scripts, axis("2018-03-25"), 12)
    assert spring[:3] == ["25 00:00 CET", "25 04:00 CEST", "25 06:00 CEST"]


def test_ticks_of_long_spans_are_days_weeks_and_months(scripts: Page) -> None:
    days = local_ticks(scripts, axis("2018-03-20", 10), 12)
    assert {tick[3:8] for tick in days} == {"00:00"}
    long = axis("2018-03-01", 60)
    weeks = call(scripts, "ticks", long, *whole(long), 12)
    assert {pd.Timestamp(ms, unit="ms", tz="UTC").tz_convert("Europe/Rome").day_name() for ms in weeks} == {"Monday"}
    months = local_ticks(scripts, axis("2018-01-01", 365), 13)
    assert [tick[:8] for tick in months] == ["01 00:00"] * 13


def test_the_zone_of_the_study_counts_and_not_that_of_the_browser(scripts: Page) -> None:
    """India is 5 h 30 min ahead of UTC: its round hours are half hours elsewhere."""
    found = local_ticks(scripts, axis("2018-07-17", zone="Asia/Kolkata"), 8, "Asia/Kolkata")
    assert found[:3] == ["17 00:00 IST", "17 03:00 IST", "17 06:00 IST"]


def test_a_step_is_named_with_its_zone_and_its_day(scripts: Page) -> None:
    autumn = axis("2018-10-28")
    spans = [call(scripts, "spanText", autumn, step) for step in (0, 11, 12, 99)]
    assert spans == [
        "Sun 28 Oct 2018, 00:00–00:15 CEST",
        "Sun 28 Oct 2018, 02:45–03:00 CEST",
        "Sun 28 Oct 2018, 02:00–02:15 CET",
        "Sun 28 Oct 2018, 23:45–24:00 CET",
    ]
    assert call(scripts, "stampText", autumn, 11) == "2018-10-28T02:45:00+02:00"
    assert call(scripts, "stampText", autumn, 12) == "2018-10-28T02:00:00+01:00"


def test_labels_tell_the_two_hours_apart_and_end_at_24(scripts: Page) -> None:
    autumn = axis("2018-10-28")
    found = call(scripts, "ticks", autumn, *whole(autumn), 13)
    labels = [
        call(scripts, "tickText", autumn, ms, number == 0, found[1] - found[0]) for number, ms in enumerate(found)
    ]
    assert labels[:4] == ["00:00\nSun 28 Oct", "02:00\nCEST", "02:00\nCET", "04:00"]
    assert labels[-1] == "24:00"


def test_long_rows_keep_their_extremes(scripts: Page) -> None:
    """35,040 steps on 900 places: few points, but each spike is among them, and gaps stay."""
    values: list[float | None] = [0.0] * 35_040
    values[17_001], values[20_003] = 9.0, -7.0
    values[:4000] = [None] * 4000
    found = call(scripts, "thinned", values, 0, 35_040, 900)
    assert len(found) < 1900
    assert [17_001, 9] in found
    assert [20_003, -7] in found
    assert found[0][1] is None
    near = call(scripts, "thinned", values, 17_000, 17_010, 900)
    assert near == [[step, 9 if step == 17_001 else 0] for step in range(17_000, 17_010)]


def test_numbers_are_written_as_everywhere(scripts: Page) -> None:
    assert [call(scripts, "fixed", *pair) for pair in ((-1234.5, 2), (-0.001, 2), (None, 2))] == [
        "−1,234.50",
        "0.00",
        "–",
    ]


def test_a_table_of_a_chart_has_units_offsets_and_no_formulas(scripts: Page) -> None:
    """A device may be called "=1+1"; a spreadsheet must not compute that."""
    clock = LocalClock(pd.DatetimeIndex(Horizon.days("2018-10-28", 1, 60, "Europe/Rome").times), 60)
    steps = len(clock.times)
    low: Floats = np.arange(steps, dtype=float)
    shown = [Series("=1+1", low / 8, "plan"), Band("band, both", low, low + 1.5, "band")]
    chart = chart_of(Figure("Power", "", TimeAxis.of(clock), ValueAxis("Power", "kW"), shown))
    lines = call(scripts, "csvText", chart).split("\r\n")
    assert lines[0] == 'time,\'=1+1 [kW],"band, both, from [kW]","band, both, to [kW]"'
    assert lines[3:5] == ["2018-10-28T02:00:00+02:00,0.25,2,3.5", "2018-10-28T02:00:00+01:00,0.375,3,4.5"]
    assert (len(lines), lines[-1]) == (steps + 2, "")
