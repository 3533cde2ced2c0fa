"""Numbers as text; doctests of the module show the rest."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podium.web import figures


@pytest.mark.parametrize(
    ("kilowatts", "shown"),
    [
        (999.94, "999.9 kW"),
        (999.95, "1.00 MW"),
        (-999.95, "−1.00 MW"),
        (-0.049, "0.0 kW"),
        (12_345_678, "12,345.68 MW"),
    ],
)
def test_mega_begins_where_kilo_would_need_a_fourth_digit(kilowatts: float, shown: str) -> None:
    """No "1,000.0 kW" and no "0.99 MW", and nothing is minus nothing."""
    assert figures.power_kw(kilowatts) == shown


@pytest.mark.parametrize("value", [None, math.nan, math.inf, -math.inf])
def test_what_is_absent_is_a_dash_without_unit(value: float | None) -> None:
    shown = {figures.power_kw(value), figures.energy_kwh(value), figures.eur(value), figures.percent(value)}
    assert shown | {figures.eur_per_mwh(value), figures.duration(value)} == {figures.ABSENT}


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0.9994, "999 ms"), (59.94, "59.9 s"), (59.96, "1 min 00 s"), (3599.4, "59 min 59 s"), (3600, "1 h 00 min")],
)
def test_a_duration_never_shows_sixty_seconds(seconds: float, shown: str) -> None:
    assert figures.duration(seconds) == shown


def test_a_moment_has_the_zone_of_its_season() -> None:
    """The same hour in UTC is another on the clock, and the zone's name says why."""
    for month, shown in ((1, "2018-01-15 13:00 CET"), (7, "2018-07-15 14:00 CEST")):
        assert figures.moment(datetime(2018, month, 15, 12, tzinfo=UTC), "Europe/Rome") == shown
    assert figures.day(datetime(2018, 7, 15, 22, tzinfo=UTC), "Europe/Rome") == "2018-07-16"


@given(st.floats(-1e12, 1e12))
def test_a_number_reads_back_to_its_decimals(value: float) -> None:
    text = figures.number(value, 2)
    assert float(text.replace(",", "").replace("−", "-")) == pytest.approx(value, abs=0.00501)
    assert text != "−0.00"
