"""What a study is composed of: templates of the catalogue with quantities, for some days, and the market they face."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, Field, ValidationError
from pydantic_core import ErrorDetails

from podium.errors import InputError, Problem
from podium.flexstore import Floats
from podium.horizon import Horizon
from podium.study.catalogue import Installed, Template, template
from podium.study.file_ref import STRICT
from podium.study.market_schema import MarketKeys, key_path
from podium.study.schema import Options

PODS_MAX = 10_000
"""PODs of a composition; larger portfolios are written as tables (docs/study-files.md)."""
DAYS_MAX = 31
_GOLDEN = (5**0.5 - 1) / 2
_QUANTITY = re.compile(r"(?:(?P<count>\d+)\s*[x×*]?\s+|(?P<tight>\d+)\s*[x×*]\s*)?(?P<name>[A-Za-z][\w -]*)")


class Plants(BaseModel):
    """So many PODs of a template."""

    model_config = STRICT

    template: str = Field(min_length=1, max_length=100)
    """Its name in the catalogue."""
    count: int = Field(default=1, ge=1, le=PODS_MAX)


class Composition(BaseModel):
    """A study to compose from the catalogue."""

    model_config = STRICT

    name: str = Field(min_length=1, max_length=200)
    """Title of the study."""
    start: Annotated[date, Field(ge=date(1970, 1, 1), le=date(2100, 12, 31))]
    """First local day."""
    days: int = Field(default=1, ge=1, le=DAYS_MAX)
    step_minutes: Literal[1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30, 60] = 15
    time_zone: str = Field(default="Europe/Rome", max_length=100)
    """IANA name."""
    plants: tuple[Plants, ...] = Field(default=(), max_length=200)
    size_variation: float = Field(default=0.0, ge=0, le=0.5)
    """Sizes of PODs of one template lie between 1 - this and 1 + this of the template's; always the same ones."""
    nearest_days: bool = False
    """Whether, where the bundled profiles lack a day, the nearest one with the same weekday stands in."""
    price_zone: str = Field(default="IT-North", max_length=100)
    """Zone of the bundled day-ahead prices."""
    market: MarketKeys = MarketKeys()
    """As the key `market` of study.yaml: settlement, limits, reserve."""
    options: Options = Options()
    """As the key `options` of study.yaml."""

    @property
    def horizon(self) -> Horizon:
        """The time axis; raises InputError where there is no such time zone."""
        return Horizon.days(self.start, self.days, self.step_minutes, self.time_zone)

    def templates(self) -> dict[str, tuple[Template, int]]:
        """Name -> template and how many of it, in order. Raises InputError with everything wrong."""
        found: dict[str, tuple[Template, int]] = {}
        problems: list[Problem] = []
        for row, plants in enumerate(self.plants, 1):
            try:
                chosen = template(plants.template, f"plants, row {row}")
            except InputError as error:
                problems += error.problems
                continue
            count = found[chosen.name][1] if chosen.name in found else 0
            found[chosen.name] = (chosen, count + plants.count)
        if not self.plants:
            problems.append(Problem("plants", "none", "at least one, such as 3 x conf-4"))
        elif (total := sum(count for _, count in found.values())) > PODS_MAX:
            problems.append(Problem("plants", f"{total:,} PODs", f"at most {PODS_MAX:,}"))
        if problems:
            raise InputError(problems)
        return found

    def installed(self) -> Installed:
        """What stands behind all PODs together, before sizes vary."""
        return sum((chosen.installed.times(count) for chosen, count in self.templates().values()), Installed())


def size_factors(count: int, variation: float) -> Floats:
    """Factor on the sizes of PODs number 1, 2, ... of a template: even over the range, and always the same.

    Number n has 1 + variation * (2 * frac(n * 0.618...) - 1): multiples of the golden ratio fill the range evenly,
    whatever the count. Shape (count,).

    >>> size_factors(3, 0.1).round(3).tolist()
    [1.024, 0.947, 1.071]
    """
    places = np.arange(1, count + 1) * _GOLDEN % 1.0
    return np.asarray(1.0 + variation * (2.0 * places - 1.0))


def pod_ids(name: str, count: int) -> list[str]:
    """Ids of the PODs of a template: conf-4-01, conf-4-02, ..."""
    width = max(2, len(str(count)))
    return [f"{name}-{number:0{width}}" for number in range(1, count + 1)]


def composition_of(content: Mapping[str, Any]) -> Composition:
    """A composition from plain values; raises InputError with everything wrong."""
    try:
        return Composition.model_validate(content)
    except ValidationError as error:
        raise InputError(_in_words(found) for found in error.errors()) from None


def _in_words(found: ErrorDetails) -> Problem:
    where = ".".join(str(part) for part in key_path(found["loc"]))
    expected = found["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    return Problem(where, repr(found["input"])[:200], expected)


def parse_plants(text: str, where: str = "--plants") -> tuple[Plants, ...]:
    """Quantities such as "3 x conf-4, 10 x home-pv-battery" (a name alone is one of it).

    Raises InputError with everything wrong.

    >>> [(plants.template, plants.count) for plants in parse_plants("3 x CONF_4, solar-park")]
    [('conf-4', 3), ('solar-park', 1)]
    """
    found: list[Plants] = []
    problems: list[Problem] = []
    for part in _parts(text):
        match = _QUANTITY.fullmatch(part)
        if match is None:
            problems.append(Problem(where, repr(part), "a quantity and a template, such as '3 x conf-4'"))
            continue
        count = int((match["count"] or match["tight"] or "1")[:9])
        if not 1 <= count <= PODS_MAX:
            problems.append(Problem(where, repr(part), f"a quantity from 1 to {PODS_MAX:,}"))
            continue
        try:
            found.append(Plants(template=template(match["name"], where).name, count=count))
        except InputError as error:
            problems += error.problems
    if not found and not problems:
        problems.append(Problem(where, repr(text), "plants, such as '3 x conf-4, 10 x home-pv-battery'"))
    if problems:
        raise InputError(problems)
    return tuple(found)


def _parts(text: str) -> Iterator[str]:
    for part in re.split(r"[,;\n]", text):
        if part.strip():
            yield part.strip()
