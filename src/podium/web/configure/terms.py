"""The fields of step 1 beside the plants: days, market, reserve, and how it is optimised."""

from __future__ import annotations

from functools import cache
from zoneinfo import available_timezones

from nicegui import ui

from podium.study.presets import presets
from podium.study.smard import ZONES, bundled_years, bundled_zones
from podium.study.supply import bundled_weeks
from podium.web import parts
from podium.web.configure.choice import AS_SAVED, NO_RESERVE, Choice
from podium.web.runs.words import METHODS
from podium.web.tags import tag, words

Field = ui.input | ui.number | ui.select
SETTLEMENTS = {
    "market": "Market: all PODs together",
    "retail": "Retail: each POD at its tariff",
    "both": "Both are paid",
}
STEPS_MIN = (5, 10, 15, 30, 60)


def term_fields(chosen: Choice) -> dict[str, Field]:
    """All fields in their panels; their values are written into `chosen`. Name of the field -> field."""
    fields: dict[str, Field] = {}
    with parts.panel("Days"):
        fields |= _days(chosen)
    with parts.panel("Market"):
        fields |= _market(chosen)
    with parts.panel("Optimisation"):
        fields |= _method(chosen)
    for name, found in fields.items():
        written_to(found, chosen, name)
    return fields


def written_to(field: Field, chosen: Choice, name: str) -> None:
    """Show a value of the choice in a field, and write changes back; without a binding, which would be polled."""
    field.value = getattr(chosen, name)
    field.on_value_change(lambda event: setattr(chosen, name, event.value))


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
    choices = {NO_RESERVE: "None", **{name: f"{name}: {preset.title}" for name, preset in presets().items()}}
    if chosen.preset == AS_SAVED:
        choices[AS_SAVED] = "As saved"
    settlement = ui.select(SETTLEMENTS, label="Who is billed", value=chosen.settlement)
    zone = ui.select(_price_zones(chosen), label="Day-ahead prices", value=chosen.price_zone)
    preset = ui.select(choices, label="Reserve", value=chosen.preset)
    with tag("div", "pd-pair") as terms:
        availability = ui.number("Price, EUR/MW/h", min=0)
        offer = ui.number("Offers in steps of, MW", min=0)
    with tag("div", "pd-pair") as calls:
        activation = ui.number("Price of calls, EUR/MWh")
        activated = ui.number("Share called, %", min=0, max=100)
    for shown in (terms, calls):
        shown.bind_visibility_from(preset, "value", backward=lambda value: value not in (NO_RESERVE, AS_SAVED))
    note = words("p", "", "pd-hint")
    note.bind_text_from(preset, "value", backward=lambda name: presets()[name].note if name in presets() else "")
    return {
        "settlement": settlement,
        "price_zone": zone,
        "preset": preset,
        "availability_eur_per_mw_h": availability,
        "activation_eur_per_mwh": activation,
        "activated_percent": activated,
        "offer_mw": offer,
    }


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
