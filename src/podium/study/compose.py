"""A composition becomes a study folder: PODs and devices by the catalogue, on profiles that were found or given."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from podium.devices.device import clock_minutes
from podium.errors import InputError
from podium.horizon import Horizon
from podium.study.catalogue import FieldValue, Stay, TemplateDevice
from podium.study.composition import Composition, pod_ids, size_factors
from podium.study.draft import Draft
from podium.study.simbench import PRICE_NOTICE, PROFILE_NOTICE
from podium.study.supply import Given, Needs, needs
from podium.study.write import StudyParts, write_study

_SIZES = ("_kw", "_kwh", "_kwh_per_day", "_kw_per_hour")


def compose(composition: Composition, folder: Path | str, given: Given | None = None) -> Path:
    """Write the study of a composition into a new or empty folder; returns it.

    Raises InputError with everything wrong, profiles and prices that are missing included.
    """
    found = needs(composition, given)
    if problems := found.problems():
        raise InputError(problems)
    written = write_study(_parts(composition, found), folder)
    (written / "SOURCES.md").write_text(_sources(found), encoding="utf-8")
    return written


def _parts(composition: Composition, found: Needs) -> StudyParts:
    horizon = found.horizon
    draft = Draft(composition.name, horizon, composition.days)
    for name, (template, count) in composition.templates().items():
        rows = [(device, list(_sessions(device, horizon))) for device in template.devices]
        factors = size_factors(count, composition.size_variation)
        for pod, factor in zip(pod_ids(name, count), factors, strict=True):
            draft.pod(pod, name=template.title, group=template.group, **_sized(template.pod, float(factor)))
            for device, sessions in rows:
                _add(draft, device, sessions, pod, float(factor))
    profiles = {supply.name: supply.values for supply in found.profiles if supply.values is not None}
    prices = pd.DataFrame(dict(found.price_columns), index=horizon.times)
    pods, devices = draft.tables()
    return StudyParts(
        _spec(composition),
        pods,
        devices,
        pd.DataFrame(profiles, index=horizon.times) if profiles else None,
        prices if len(prices.columns) else None,
    )


def _spec(composition: Composition) -> dict[str, Any]:
    spec: dict[str, Any] = {
        "name": composition.name,
        "time_zone": composition.time_zone,
        "start": composition.start.isoformat(),
        "days": composition.days,
        "step_minutes": composition.step_minutes,
    }
    for key in ("market", "options"):
        if said := getattr(composition, key).model_dump(mode="json", exclude_defaults=True):
            spec[key] = said
    return spec


def _add(draft: Draft, device: TemplateDevice, sessions: list[dict[str, str]], pod: str, factor: float) -> None:
    """A device of a template behind a POD, or its equal ones, with sizes times `factor`; a row per session."""
    fields = _sized(device.fields, factor)
    for name in device.names:
        for session in sessions:
            draft.device(device.kind, f"{pod} {name}", pod, **session, **fields)


def _sized(fields: Mapping[str, FieldValue], factor: float) -> dict[str, FieldValue]:
    """Fields with sizes (kW, kWh) times `factor`; prices, shares and times as they are.

    Rounding to watts keeps the order of sizes, so that what fits keeps fitting.
    """
    return {
        name: round(value * factor, 3) if isinstance(value, float) and _is_size(name) else value
        for name, value in fields.items()
    }


def _is_size(name: str) -> bool:
    return name.endswith(_SIZES) and "_eur_per_" not in name


def _sessions(device: TemplateDevice, horizon: Horizon) -> Iterator[dict[str, str]]:
    """Columns that differ between the rows of a device: arrival and departure of each stay, or one row without."""
    if device.stay is None:
        yield {}
        return
    days = pd.date_range(horizon.times[0].date() - timedelta(days=1), horizon.times[-1].date(), freq="D")
    for day in days:
        arrival, departure = _stay(day.date(), device.stay, horizon.time_zone)
        if departure > horizon.start and arrival < departure:
            yield {"arrival": arrival.isoformat(), "departure": departure.isoformat()}


def _stay(day: date, stay: Stay, time_zone: str) -> tuple[pd.Timestamp, pd.Timestamp]:
    """Arrival and departure of the stay that begins on a day; a time that the clocks skip is the next there is."""
    arrives, departs = clock_minutes(stay.arrives), clock_minutes(stay.departs)
    minutes = (arrives, departs if departs > arrives else departs + 24 * 60)
    naive = pd.DatetimeIndex([pd.Timestamp(day) + pd.Timedelta(minutes=minute) for minute in minutes])
    first = np.ones(2, dtype=bool)
    local = naive.tz_localize(time_zone, ambiguous=first, nonexistent="shift_forward")
    return local[0], local[1]


def _sources(found: Needs) -> str:
    """Source and licence of what came along, and which day each profile is of."""
    sources = [supply.source for supply in found.profiles]
    text = PROFILE_NOTICE if "bundled" in sources or "stand-in" in sources else "# Sources\n"
    if found.prices.source == "bundled":
        text += PRICE_NOTICE
    rows = "".join(f"| {supply.name} | {supply.source} | {supply.detail} |\n" for supply in found.profiles)
    return f"{text}\n| profile | | of |\n|---|---|---|\n{rows}" if rows else text
