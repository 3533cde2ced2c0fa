"""The plant catalogue: named templates of PODs with their devices, a data file each (data/catalogue)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Annotated, Any, Self

import yaml
from pydantic import AfterValidator, BaseModel, Field, ValidationError, model_validator

from podium.devices import KINDS
from podium.devices.device import clock_minutes, specs
from podium.errors import InputError, Problem
from podium.portfolio import Pod
from podium.study.file_ref import STRICT
from podium.study.wording import one_of

FieldValue = bool | float | str
_POWER = {
    "pv": ("generation_kw", "scale_kw"),
    "wind": ("generation_kw", "scale_kw"),
    "chp": ("generation_kw", "electric_max_kw"),
    "battery": ("storage_kw", "discharge_max_kw"),
    "fixed_load": ("load_kw", "scale_kw"),
    "curtailable_load": ("load_kw", "scale_kw"),
    "shiftable_load": ("load_kw", "scale_kw"),
    "heat_pump": ("load_kw", "electric_max_kw"),
    "ev_charger": ("load_kw", "charge_max_kw"),
}
"""Kind -> what it is installed as, and the field that says how much."""


def _clock(text: str) -> str:
    clock_minutes(text)
    return text


class Stay(BaseModel):
    """When a car is plugged in, each day, on the local clock; `departs` is on the next day where it is not later."""

    model_config = STRICT

    arrives: Annotated[str, AfterValidator(_clock)]
    departs: Annotated[str, AfterValidator(_clock)]


class TemplateDevice(BaseModel):
    """A device of a template, or `count` equal ones."""

    model_config = STRICT

    kind: str
    name: str = Field(min_length=1)
    count: int = Field(default=1, ge=1)
    what: str = Field(min_length=1)
    """What it is, in one sentence."""
    stay: Stay | None = None
    """Of a charger: when its car is there."""
    fields: dict[str, FieldValue]
    """Fields of the kind (docs/study-files.md), with their units in their names."""

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Self:  # noqa: N804 - pydantic gives the model
        if self.kind not in KINDS:
            raise ValueError(f"unknown kind of device {self.kind!r}")
        model = KINDS[self.kind]
        if model.sessions != (self.stay is not None):
            raise ValueError("'stay' is needed for kinds with sessions, and for no other")
        day = {"arrival": "2018-01-01T00:00Z", "departure": "2018-01-02T00:00Z"} if model.sessions else {}
        model.model_validate({"device": self.name, **day, **self.fields})
        return self

    @property
    def names(self) -> list[str]:
        """The names of the equal ones."""
        return [self.name] if self.count == 1 else [f"{self.name} {number}" for number in range(1, self.count + 1)]

    def profiles(self) -> Iterator[str]:
        """The profiles that it needs."""
        for spec in specs(KINDS[self.kind]):
            if spec.role == "profile" and isinstance(name := self.fields.get(spec.name), str):
                yield name


class Installed(BaseModel):
    """What stands behind PODs together."""

    model_config = STRICT

    pods: int = 0
    devices: int = 0
    generation_kw: float = 0.0
    """Of PV, wind and CHP."""
    storage_kw: float = 0.0
    """Discharging power of batteries."""
    storage_kwh: float = 0.0
    load_kw: float = 0.0
    """Greatest power of loads, heat pumps and chargers."""

    def __add__(self, other: Installed) -> Installed:
        return Installed(**{name: getattr(self, name) + getattr(other, name) for name in Installed.model_fields})

    def times(self, count: float) -> Installed:
        """So many of the same."""
        return Installed(**{name: getattr(self, name) * count for name in Installed.model_fields})


class Template(BaseModel):
    """A POD as the catalogue offers it."""

    model_config = STRICT

    name: str
    """Its name in the catalogue: that of its file."""
    title: str
    group: str
    """The PODs' column `group`."""
    description: str
    pod: dict[str, float | str]
    """Tariff and connection: fields of a POD. Without a tariff it pays the market price."""
    devices: tuple[TemplateDevice, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _has_fields_of_a_pod(self) -> Self:  # noqa: N804 - pydantic gives the model
        Pod.model_validate({"pod": "x", **self.pod})
        return self

    @property
    def installed(self) -> Installed:
        """What stands behind one such POD."""
        found = dict.fromkeys(("generation_kw", "storage_kw", "storage_kwh", "load_kw"), 0.0)
        for device in self.devices:
            what, field = _POWER.get(device.kind, ("load_kw", "scale_kw"))
            found[what] += device.count * float(device.fields.get(field, 1.0))
            if device.kind == "battery":
                found["storage_kwh"] += device.count * float(device.fields["energy_max_kwh"])
        return Installed(pods=1, devices=sum(device.count for device in self.devices), **found)

    @property
    def at_market_price(self) -> bool:
        """True where it has no tariff of its own, so that nothing can be billed without market prices."""
        tariffs = ("buy_eur_per_kwh", "buy_profile"), ("sell_eur_per_kwh", "sell_profile")
        return not all(any(name in self.pod for name in names) for names in tariffs)

    def profiles(self) -> Iterator[str]:
        """The profiles that it needs, each as often as it is used."""
        for device in self.devices:
            for name in device.profiles():
                yield from [name] * device.count
        for spec in specs(Pod):
            if spec.role == "profile" and isinstance(named := self.pod.get(spec.name), str):
                yield named


@cache
def catalogue() -> Mapping[str, Template]:
    """Name -> template, sorted by name."""
    folder = files("podium.study") / "data" / "catalogue"
    found = {path.name.removesuffix(".yaml"): path for path in folder.iterdir() if path.name.endswith(".yaml")}
    return {name: _read(name, path.read_text(encoding="utf-8")) for name, path in sorted(found.items())}


def _read(name: str, text: str) -> Template:
    try:
        return Template.model_validate({"name": name, **yaml.safe_load(text)})
    except ValidationError as error:
        raise AssertionError(f"catalogue file {name}: {error}") from error


def plain_name(name: str) -> str:
    """A template's name as the catalogue has it.

    >>> plain_name("CONF_4")
    'conf-4'
    """
    return name.strip().lower().replace("_", "-").replace(" ", "-")


def template(name: str, where: str = "catalogue") -> Template:
    """A template by name (CONF_4 and conf-4 are the same); raises InputError, saying `where`, where there is none."""
    found = catalogue().get(plain_name(name))
    if found is None:
        raise InputError(Problem(where, f"no template {name!r}", one_of(plain_name(name), catalogue(), most=20)))
    return found


def catalogue_content() -> list[dict[str, Any]]:
    """The catalogue as plain values: what the files say, and what is installed."""
    return [
        found.model_dump(exclude_none=True) | {"installed": found.installed.model_dump()}
        for found in catalogue().values()
    ]
