"""What is chosen on the page of step 1, and how it becomes a composition and comes back from one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from podium.errors import InputError, Problem
from podium.study.catalogue import Installed, catalogue
from podium.study.composition import Composition, composition_of
from podium.web.configure.reserve import Reserve, reserve_of

#: Key of a composition -> field of the page, where it is another.
_FIELDS = {
    "market.settlement": "settlement",
    "options.method": "method",
    "options.gap": "gap_percent",
    "size_variation": "variation_percent",
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
    reserves: list[Reserve] = field(default_factory=list)
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
        problems = [
            problem for number, reserve in enumerate(self.reserves) for problem in reserve.problems(f"reserve.{number}")
        ]
        try:
            found = composition_of(self._content())
        except InputError as error:
            problems += [Problem(_field(problem.where), problem.value, problem.expected) for problem in error.problems]
        if problems:
            raise InputError(problems)
        return found

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
            "market": {
                **self.rest.get("market", {}),
                "settlement": self.settlement,
                "reserve": [reserve.keys() for reserve in self.reserves],
            },
            "options": {
                **self.rest.get("options", {}),
                "method": self.method,
                "gap": None if self.gap_percent is None else self.gap_percent / 100,
            },
        }


def _field(where: str) -> str:
    """The field of the page that a key of a composition stands in; those of reserve markets by their number."""
    return _FIELDS.get(where) or where.removeprefix("market.")


def choice_of(content: Mapping[str, Any]) -> Choice:
    """The fields that show a kept composition. Raises InputError where it is none any more."""
    composition = composition_of(content)
    market, options = composition.market, composition.options
    return Choice(
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
        reserves=[reserve_of(keys) for keys in content.get("market", {}).get("reserve", [])],
        rest=dict(content),
    )
