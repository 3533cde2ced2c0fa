"""What the profiles of a composition add up to, before anything is optimised: power, energy per day and peak."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from podium.flexstore import Floats
from podium.horizon import Horizon
from podium.portfolio import Portfolio
from podium.study.catalogue import Template
from podium.study.composition import Composition, size_factors
from podium.study.supply import Needs

_SUMS = {"pv": "PV", "wind": "Wind", "fixed_load": "Loads", "curtailable_load": "Loads", "shiftable_load": "Loads"}
"""Kind -> the sum that its profile counts in."""
HEAT = "Heat demand"


@dataclass(frozen=True)
class Forecast:
    """The power of one sort of plants together."""

    what: str
    """PV, Wind, Loads, or Heat demand (of CHP and heat pumps, kW of heat)."""
    power_kw: Floats
    """Never negative. Shape (step,)."""
    horizon: Horizon

    @property
    def peak_kw(self) -> float:
        """Greatest power."""
        return float(self.power_kw.max())

    @property
    def energy_kwh_per_day(self) -> float:
        """Mean energy of a local day."""
        return float(self.power_kw.sum() * self.horizon.step_hours / (self.horizon.day[-1] + 1))


def forecasts(composition: Composition, found: Needs, only: str | None = None) -> list[Forecast]:
    """The sums of a composition, or of the PODs of one template, as far as their profiles are there."""
    values = {supply.name: supply.values for supply in found.profiles}
    sums: dict[str, Floats] = {}
    for name, (template, count) in composition.templates().items():
        if only is not None and name != only:
            continue
        size = float(size_factors(count, composition.size_variation).sum())
        for what, profile, scale_kw in _scaled(template):
            relative = values.get(profile)
            if relative is not None:
                sums[what] = sums.get(what, np.zeros(found.horizon.steps)) + size * scale_kw * relative
    return _in_order(sums, found.horizon)


def portfolio_forecasts(portfolio: Portfolio) -> list[Forecast]:
    """The same sums of a study that is there already."""
    sums: dict[str, Floats] = {}
    for kind, table in portfolio.devices.items():
        named = [(_SUMS[kind], "profile", "scale_kw")] if kind in _SUMS else []
        named += [(HEAT, "heat_profile", "heat_scale_kw")] if "heat_profile" in table.columns else []
        for what, profile, scale in named:
            rows = table[profile]
            used = rows >= 0
            if used.any():
                values = table.profiles.values
                weights = np.bincount(rows[used], weights=table[scale][used], minlength=len(values))
                sums[what] = sums.get(what, np.zeros(portfolio.horizon.steps)) + weights @ values
    return _in_order(sums, portfolio.horizon)


def _in_order(sums: Mapping[str, Floats], horizon: Horizon) -> list[Forecast]:
    order = [*dict.fromkeys(_SUMS.values()), HEAT]
    return [Forecast(what, sums[what], horizon) for what in order if what in sums]


def _scaled(template: Template) -> Iterator[tuple[str, str, float]]:
    """What each profile of a POD counts as, its name, and its scale in kW."""
    for device in template.devices:
        fields = device.fields
        if device.kind in _SUMS:
            yield _SUMS[device.kind], str(fields["profile"]), device.count * float(fields.get("scale_kw", 1.0))
        if "heat_profile" in fields:
            yield HEAT, str(fields["heat_profile"]), device.count * float(fields.get("heat_scale_kw", 1.0))
