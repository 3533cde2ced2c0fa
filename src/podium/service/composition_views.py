"""What requests and answers about the catalogue, compositions and configurations hold."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import Field, StringConstraints

from podium.service.accounts import Name
from podium.service.views import Answer, Request
from podium.study.catalogue import FieldValue, Installed, Stay, Template
from podium.study.composition import Composition
from podium.study.forecast import Forecast
from podium.study.supply import Needs, Source, Supply

PROFILES_MAX = 5_000_000
Profiles = Annotated[str, StringConstraints(min_length=1, max_length=PROFILES_MAX)]
"""Profiles and prices of the user's own as CSV: `time`, and a column for each."""


class CatalogueDevice(Answer):
    """A device of a template, or `count` equal ones."""

    kind: str
    name: str
    count: int
    what: str
    stay: Stay | None
    fields: dict[str, FieldValue]


class CatalogueEntry(Answer):
    """A template of the catalogue: a POD with its devices."""

    name: str
    title: str
    group: str
    description: str
    pod: dict[str, FieldValue]
    devices: list[CatalogueDevice]
    installed: Installed

    @classmethod
    def of(cls, found: Template) -> Self:
        """What is told of a template."""
        return cls.model_validate({**found.model_dump(), "installed": found.installed})


class NeedsWish(Request):
    """A composition whose profiles are asked about."""

    composition: Composition
    profiles: Profiles | None = None
    values: bool = False
    """Whether the answer has the values, a number per step."""


class SupplyView(Answer):
    """A profile, or the prices, and where it comes from."""

    name: str
    source: Source
    """`given` by the user, `bundled` with Podium, `stand-in` of another day, or `missing`."""
    detail: str
    used_by: dict[str, int]
    """Templates -> number of devices of one POD that use it."""
    unit: str
    values: list[float] | None

    @classmethod
    def of(cls, supply: Supply, values: bool, unit: str = "kW per kW") -> Self:
        """What is told of a supply."""
        numbers = supply.values.tolist() if values and supply.values is not None else None
        return cls(
            name=supply.name,
            source=supply.source,
            detail=supply.detail,
            used_by=dict(supply.used_by),
            unit=unit,
            values=numbers,
        )


class ForecastView(Answer):
    """What the profiles of one sort of plants add up to."""

    what: str
    peak_kw: float
    energy_kwh_per_day: float

    @classmethod
    def of(cls, forecast: Forecast) -> Self:
        """What is told of a forecast."""
        return cls(what=forecast.what, peak_kw=forecast.peak_kw, energy_kwh_per_day=forecast.energy_kwh_per_day)


class NeedsView(Answer):
    """What a composition needs, each found or missing."""

    complete: bool
    """True where nothing is missing, so that a study can be made."""
    steps: int
    profiles: list[SupplyView]
    prices: SupplyView
    prices_needed: bool
    unused: list[str]
    """Given columns that nothing uses."""
    installed: Installed
    forecasts: list[ForecastView]

    @classmethod
    def of(cls, found: Needs, installed: Installed, forecasts: list[Forecast], values: bool) -> Self:
        """What is told of the needs of a composition."""
        return cls(
            complete=not found.missing,
            steps=found.horizon.steps,
            profiles=[SupplyView.of(supply, values) for supply in found.profiles],
            prices=SupplyView.of(found.prices, values, "EUR/MWh"),
            prices_needed=found.prices_needed,
            unused=list(found.unused),
            installed=installed,
            forecasts=[ForecastView.of(forecast) for forecast in forecasts],
        )


class CompositionWish(Request):
    """A study to compose."""

    composition: Composition
    profiles: Profiles | None = None
    name: Name | None = None
    """Name of the study; that of the composition where absent."""


class NewConfiguration(Request):
    """A composition to keep."""

    name: Name
    composition: Composition
    profiles: Profiles | None = None


class ConfigurationChange(Request):
    """What changes of a configuration; what is absent stays."""

    name: Name | None = None
    composition: Composition | None = None
    profiles: Annotated[str, Field(max_length=PROFILES_MAX)] | None = None
    """Empty text drops the profiles."""


class ConfigurationView(Answer):
    """A kept composition."""

    id: UUID
    name: str
    composition: dict[str, Any]
    """As it was kept."""
    created_at: datetime
    changed_at: datetime


class ConfigurationWhole(ConfigurationView):
    """A kept composition with the profiles that came with it."""

    profiles: str | None
