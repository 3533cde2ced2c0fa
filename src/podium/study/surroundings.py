"""What the key `market` of study.yaml refers to in the rest of its study."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from podium.errors import InputError, Problem
from podium.horizon import Horizon
from podium.study.file_ref import FileRef
from podium.study.market_schema import MarketFile
from podium.study.moments import Clock
from podium.study.schema import SpecFile
from podium.study.tables import TableFile
from podium.study.wording import one_of

Floats = NDArray[np.float64]


@dataclass
class Surroundings:
    """Files, profiles and names around a market; `problems` and `notices` grow as it is read."""

    said: SpecFile
    open: Callable[..., TableFile]
    """File of a reference, and the key of study.yaml that has it."""
    clock: Callable[[FileRef], Clock]
    series: Mapping[str, Floats] | None = None
    """Profiles that the market names, each of shape (step,); None where they could not be read."""
    available: Collection[str] = ()
    """Names of all profiles."""
    groups: Collection[str] | None = None
    """Groups of PODs; None where PODs could not be read."""
    devices: Collection[str] | None = None
    """Ids of devices."""
    problems: list[Problem] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)

    @property
    def horizon(self) -> Horizon:
        """The time axis."""
        return self.said.horizon

    def note(self, where: str, value: str, expected: str) -> None:
        """Something wrong that does not keep the rest from being read."""
        self.problems.append(Problem(where, value, expected))

    def values(self, given: float | str | None, otherwise: float, where: str, field_name: str) -> Floats:
        """A number, or the profile of a name, on all steps. A name that there is not is noted."""
        steps = self.horizon.steps
        if not isinstance(given, str):
            return np.full(steps, otherwise if given is None else given)
        if self.series is not None and given not in self.series:
            value = f"{field_name} {given!r} is not among the profiles"
            wanted = f"a number, or a column of the files under 'profiles': {one_of(given, self.available)}"
            self.note(where, value, wanted)
        return (self.series or {}).get(given, np.full(steps, otherwise))

    def refuse(self, error: InputError) -> None:
        """Note the problems of a part that cannot be read."""
        self.problems.extend(error.problems)


def profile_names(market: MarketFile) -> Iterator[str]:
    """Names of the profiles that the key `market` itself refers to (its tables may name more)."""
    given = [market.withdrawal_max_kw, market.injection_max_kw]
    given += [product.activation_eur_per_mwh for product in market.reserve]
    for group in market.groups if isinstance(market.groups, tuple) else ():
        given += [group.withdrawal_max_kw, group.injection_max_kw]
    yield from (name for name in given if isinstance(name, str))
