"""Profiles, prices and their sums as step 2 shows them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from podium.flexstore import Floats
from podium.horizon import Horizon
from podium.study.catalogue import Installed
from podium.study.forecast import Forecast
from podium.study.supply import Source
from podium.web import figures, parts
from podium.web.configure.sparkline import sparkline
from podium.web.tags import tag, words

#: Where a profile comes from -> word and look of its badge.
BADGES: dict[Source, tuple[str, str]] = {
    "given": ("yours", "pd-good"),
    "bundled": ("found", "pd-good"),
    "stand-in": ("stand-in", "pd-warn"),
    "missing": ("missing", "pd-bad"),
}
SHOWN_MAX = 100
"""Profiles that a page lists."""


@dataclass(frozen=True)
class Line:
    """A profile in the table."""

    name: str
    source: Source
    detail: str
    used_by: str
    values: Floats | None


def badge(source: Source) -> None:
    """Found, missing, ..."""
    parts.badge(*BADGES[source])


def profile_table(lines: Sequence[Line]) -> None:
    """Profiles, each with its source and its shape; the first of them where there are many."""
    with parts.listing("Profiles", "Profile", "State", "From", "Used by", "Shape"):
        for line in lines[:SHOWN_MAX]:
            with tag("tr"):
                words("td", line.name, "pd-strong pd-break")
                with tag("td"):
                    badge(line.source)
                words("td", line.detail, "pd-muted")
                words("td", line.used_by, "pd-muted")
                with tag("td"):
                    if line.values is not None:
                        most = figures.number(float(line.values.max()), 2)
                        sparkline(line.values, f"{line.name}: up to {most} kW per kW of size")
    _tell_more(len(lines))


def _tell_more(count: int) -> None:
    if count > SHOWN_MAX:
        words("p", f"{SHOWN_MAX} of {figures.count(count)} profiles are shown.", "pd-muted pd-more")


def study_profile_table(profiles: Sequence[tuple[str, str, Floats]]) -> None:
    """Names, users and values of the profiles of a study; the first of them where there are many."""
    with parts.listing(
        "Profiles of the study", "Profile", "Used by", "Mean", "Greatest", "Shape", numbers=("Mean", "Greatest")
    ):
        for name, users, values in profiles[:SHOWN_MAX]:
            mean, most = (figures.number(float(value), 3) for value in (values.mean(), values.max()))
            with tag("tr"):
                words("td", name, "pd-strong pd-break")
                words("td", users, "pd-muted")
                words("td", mean, "pd-num")
                words("td", most, "pd-num")
                with tag("td"):
                    sparkline(values, f"{name}: mean {mean}, greatest {most}")
    _tell_more(len(profiles))


def forecast_tiles(installed: Installed, found: Sequence[Forecast]) -> None:
    """What is installed, and what the profiles add up to: energy per day, peak and shape of each sort."""
    with parts.stats():
        parts.stat("PODs", figures.count(installed.pods), figures.counted(installed.devices, "device"))
        if installed.storage_kw:
            parts.stat("Batteries", figures.power_kw(installed.storage_kw), figures.energy_kwh(installed.storage_kwh))
        for forecast in found:
            energy, peak = figures.energy_kwh(forecast.energy_kwh_per_day), figures.power_kw(forecast.peak_kw)
            with parts.stat(f"{forecast.what} per day", energy, f"peak {peak}"):
                sparkline(forecast.power_kw, f"{forecast.what} over these days")


def forecast_lines(found: Sequence[Forecast]) -> None:
    """The shape of each sum, small; nothing where there is none."""
    if not found:
        return
    with tag("div", "pd-forecasts"):
        for forecast in found:
            peak, energy = figures.power_kw(forecast.peak_kw), figures.energy_kwh(forecast.energy_kwh_per_day)
            with tag("div"):
                words("span", f"{forecast.what}: {energy} per day, peak {peak}", "pd-muted pd-small")
                sparkline(forecast.power_kw, f"{forecast.what} over these days")


def price_panel(values: Floats | None, source: Source, detail: str, *, needed: bool = True) -> None:
    """Market prices with their shape, or why there are none."""
    with parts.panel("Market prices") as actions:
        with actions:
            if values is not None or needed:
                badge(source)
        words("p", parts.sentence(detail), "pd-muted")
        if values is not None:
            low, mean, high = (float(value) for value in (values.min(), values.mean(), values.max()))
            with tag("div", "pd-broad"):
                label = f"Prices from {figures.eur_per_mwh(low)} to {figures.eur_per_mwh(high)}"
                sparkline(values, label)
            spread = f"{figures.number(low, 2)} to {figures.eur_per_mwh(high)}, mean {figures.eur_per_mwh(mean)}"
            words("p", spread, "pd-small")
        elif not needed:
            words("p", "They are not needed: every POD has a tariff of its own.", "pd-small")


def horizon_words(horizon: Horizon) -> str:
    """The days of a study in words."""
    first, last = horizon.times[0], horizon.times[-1]
    span = f"{first:%Y-%m-%d}" if first.date() == last.date() else f"{first:%Y-%m-%d} to {last:%Y-%m-%d}"
    steps = f"{figures.counted(horizon.steps, 'step')} of {horizon.step_minutes} min"
    return f"{span}, {steps}, {horizon.time_zone}"
