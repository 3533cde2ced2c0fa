"""What is chosen on the page of step 1, and how it becomes a composition and comes back from one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from podium.errors import InputError, Problem
from podium.study.catalogue import Installed, catalogue
from podium.study.composition import Composition, composition_of
from podium.study.presets import presets

NO_RESERVE, AS_SAVED = "", "(as saved)"
"""Choices of the reserve market beside the presets: none, and terms that the page cannot show."""
_KEYS_SHOWN = {
    "preset",
    "availability_eur_per_mw_h",
    "activation_eur_per_mwh",
    "activated_share",
    "minimum_mw",
    "increment_mw",
}
#: Key of a composition -> field of the page, where it is another.
_FIELDS = {
    "market.settlement": "settlement",
    "market.reserve.0.availability_eur_per_mw_h": "availability_eur_per_mw_h",
    "market.reserve.0.activation_eur_per_mwh": "activation_eur_per_mwh",
    "market.reserve.0.activated_share": "activated_percent",
    "market.reserve.0.minimum_mw": "offer_mw",
    "market.reserve.0.increment_mw": "offer_mw",
    "market.reserve.0.preset": "preset",
    "options.method": "method",
    "options.gap": "gap_percent",
    "size_variation": "variation_percent",
}
#: Key of a reserve product -> field of the page, and what is expected in it where the preset needs it.
_NEEDED = {
    "availability_eur_per_mw_h": ("availability_eur_per_mw_h", "a price, EUR/MW/h; the preset has none"),
    "activation_eur_per_mwh": ("activation_eur_per_mwh", "a price, EUR/MWh; the preset has none"),
    "activated_share": ("activated_percent", "a share, %; calls alone are paid"),
}


@dataclass
class Choice:
    """The fields of the page. Numbers are None where a field is empty."""

    name: str = "My portfolio"
    start: str = "2018-03-13"
    days: float | None = 1
    step_minutes: int = 15
    time_zone: str = "Europe/Rome"
    price_zone: str = "IT-North"
    variation_percent: float | None = 0.0
    settlement: str = "market"
    preset: str = NO_RESERVE
    availability_eur_per_mw_h: float | None = None
    activation_eur_per_mwh: float | None = None
    activated_percent: float | None = None
    """Share of the offered energy that is called, %."""
    offer_mw: float | None = None
    """Least offer and step of reserve, MW; that of the preset where None."""
    method: str = "exact"
    gap_percent: float | None = 0.5
    quantities: dict[str, int] = field(default_factory=dict)
    """Template -> how many."""
    rest: dict[str, Any] = field(default_factory=dict)
    """The composition that was opened: what the page does not show of it is kept."""

    @property
    def installed(self) -> Installed:
        """What stands behind all plants together."""
        known = catalogue()
        return sum((known[name].installed.times(count) for name, count in self.quantities.items()), Installed())

    def composition(self) -> Composition:
        """What is chosen. Raises InputError, each problem at the name of its field."""
        problems = [Problem(at, "empty", expected) for at, expected in self._lacking()]
        try:
            found = composition_of(self._content())
        except InputError as error:
            problems += [
                Problem(_FIELDS.get(problem.where, problem.where), problem.value, problem.expected)
                for problem in error.problems
            ]
        if problems:
            raise InputError(problems)
        return found

    def _lacking(self) -> list[tuple[str, str]]:
        """Fields that are empty and that a product of the chosen preset needs, each with what is expected there."""
        products = presets()[self.preset].products.values() if self.preset in presets() else ()
        lacking = {key for product in products for key in product.model_copy(update=self._terms()).missing()}
        return [needed for key, needed in _NEEDED.items() if key in lacking]

    def _content(self) -> dict[str, Any]:
        kept = {key: value for key, value in self.rest.items() if key not in ("market", "options")}
        return kept | {
            "name": self.name.strip(),
            "start": self.start,
            "days": self.days,
            "step_minutes": self.step_minutes,
            "time_zone": self.time_zone,
            "price_zone": self.price_zone,
            "size_variation": None if self.variation_percent is None else self.variation_percent / 100,
            "plants": [{"template": name, "count": count} for name, count in self.quantities.items() if count],
            "market": {**self.rest.get("market", {}), "settlement": self.settlement, "reserve": self._reserve()},
            "options": {
                **self.rest.get("options", {}),
                "method": self.method,
                "gap": None if self.gap_percent is None else self.gap_percent / 100,
            },
        }

    def _reserve(self) -> list[dict[str, Any]]:
        if self.preset == AS_SAVED:
            return list(self.rest.get("market", {}).get("reserve", []))
        if self.preset == NO_RESERVE:
            return []
        return [{"preset": self.preset} | self._terms()]

    def _terms(self) -> dict[str, Any]:
        """Keys of the reserve beside the preset, of the fields that are not empty."""
        share = None if self.activated_percent is None else self.activated_percent / 100
        terms = {
            "availability_eur_per_mw_h": self.availability_eur_per_mw_h,
            "activation_eur_per_mwh": self.activation_eur_per_mwh,
            "activated_share": share,
            "minimum_mw": self.offer_mw,
            "increment_mw": self.offer_mw,
        }
        return {key: value for key, value in terms.items() if value is not None}


def choice_of(content: Mapping[str, Any]) -> Choice:
    """The fields that show a kept composition. Raises InputError where it is none any more."""
    composition = composition_of(content)
    market, options = composition.market, composition.options
    chosen = Choice(
        name=composition.name,
        start=composition.start.isoformat(),
        days=composition.days,
        step_minutes=composition.step_minutes,
        time_zone=composition.time_zone,
        price_zone=composition.price_zone,
        variation_percent=round(composition.size_variation * 100, 6),
        settlement=market.settlement,
        method=options.method,
        gap_percent=round(options.gap * 100, 6),
        quantities={name: count for name, (_, count) in composition.templates().items()} if composition.plants else {},
        rest=dict(content),
    )
    _show_reserve(chosen, list(dict(content).get("market", {}).get("reserve", [])))
    return chosen


def _show_reserve(chosen: Choice, reserve: list[dict[str, Any]]) -> None:
    """Show a single preset; anything else is kept as it is."""
    if not reserve:
        return
    first = reserve[0]
    same = first.get("minimum_mw") == first.get("increment_mw")
    prices = [first.get(key) for key in ("availability_eur_per_mw_h", "activation_eur_per_mwh")]
    named = any(isinstance(price, dict | str) for price in prices)
    if len(reserve) > 1 or set(first) - _KEYS_SHOWN or not same or named:
        chosen.preset = AS_SAVED
        return
    chosen.preset = str(first.get("preset", NO_RESERVE))
    chosen.availability_eur_per_mw_h, chosen.activation_eur_per_mwh = prices
    if (share := first.get("activated_share")) is not None:
        chosen.activated_percent = round(share * 100, 6)
    chosen.offer_mw = first.get("minimum_mw")
