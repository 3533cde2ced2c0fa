"""What step 1 asks beside the plants: days, market, reserve, and how it is optimised."""

from __future__ import annotations

from functools import cache
from zoneinfo import available_timezones

from nicegui import ui

from podium.study.smard import ZONES, bundled_years, bundled_zones
from podium.study.supply import bundled_weeks
from podium.web import parts
from podium.web.configure.choice import Choice
from podium.web.configure.reserve_rows import ReserveRows
from podium.web.configure.written import Field, written_to
from podium.web.runs.words import METHODS
from podium.web.tags import tag, words

SETTLEMENTS = {
    "market": "Market: all PODs together",
    "retail": "Retail: each POD at its tariff",
    "both": "Both are paid",
}
STEPS_MIN = (5, 10, 15, 30, 60)


class Terms:
    """All fields in their panels; their values are written into `chosen`."""

    def __init__(self, chosen: Choice) -> None:
        self._fields: dict[str, Field] = {}
        with parts.panel("Days"):
            self._fields |= _days(chosen)
        with parts.panel("Market"):
            self._fields |= _market(chosen)
        with parts.panel("Reserve"):
            self._reserves = ReserveRows(chosen)
        with parts.panel("Optimisation"):
            self._fields |= _method(chosen)
        for name, found in self._fields.items():
            written_to(found, chosen, name)

    @property
    def fields(self) -> dict[str, Field]:
        """Name of a field -> field, as they are now: reserve markets come and go."""
        return {**self._fields, **self._reserves.fields}


def _days(chosen: Choice) -> dict[str, Field]:
    steps = {minutes: f"{minutes} min" for minutes in sorted({*STEPS_MIN, chosen.step_minutes})}
    with tag("div", "pd-pair"):
        start = ui.input("First day").props("type=date")
        days = ui.number("Days", min=1, max=31, precision=0)
    with tag("div", "pd-pair"):
        step_minutes = ui.select(steps, label="Step", value=chosen.step_minutes)
        variation = ui.number("Sizes vary by ± %", min=0, max=50)
    zone = ui.select(_time_zones(), label="Time zone", value=chosen.time_zone, with_input=True)
    words("p", _what_comes_along(), "pd-hint")
    return {
        "start": start,
        "days": days,
        "step_minutes": step_minutes,
        "variation_percent": variation,
        "time_zone": zone,
    }


def _market(chosen: Choice) -> dict[str, Field]:
    settlement = ui.select(SETTLEMENTS, label="Who is billed", value=chosen.settlement)
    zone = ui.select(_price_zones(chosen), label="Day-ahead prices", value=chosen.price_zone)
    return {"settlement": settlement, "price_zone": zone}


def _method(chosen: Choice) -> dict[str, Field]:
    method = ui.select(METHODS, label="Method", value=chosen.method)
    gap = ui.number("End at a proven gap of, %", min=0, max=100)
    gap.bind_visibility_from(method, "value", value="exact")
    return {"method": method, "gap_percent": gap}


@cache
def _what_comes_along() -> str:
    """For which days there are profiles and prices without an upload."""
    weeks = ", ".join(f"{first.day} {first:%b} to {last.day} {last:%b}" for first, last in bundled_weeks())
    years = " and ".join(str(year) for year in bundled_years())
    return (
        f"Profiles come along for {weeks} of any year (by SimBench's 2016), prices for {years}. For other days the "
        "nearest may stand in, or your own are uploaded in step 2."
    )


@cache
def _time_zones() -> list[str]:
    """Zones of places, those of Europe first."""
    named = sorted(name for name in available_timezones() if "/" in name and not name.startswith(("Etc/", "posix")))
    return sorted(named, key=lambda name: not name.startswith("Europe/"))


def _price_zones(chosen: Choice) -> dict[str, str]:
    found = {zone: f"{zone}: {ZONES[zone][0]}" if zone in ZONES else zone for zone in bundled_zones()}
    return {chosen.price_zone: chosen.price_zone} | found
