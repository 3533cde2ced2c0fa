"""The key `market` of study.yaml: settlement, limits of the portfolio, and reserve products."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, Discriminator, Field, Tag, ValidationError

from podium.market.terms import Direction, Settlement, Takeover
from podium.study.file_ref import STRICT, FileRef

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


class BlockTable(FileRef):
    """A table with a row per block: `time` is its start, and a column has the value."""

    column: str | None = None
    """Column of the value; where absent, the one named as the product, else the one named as the key."""


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _number_or_profile(value: Any) -> Any:
    """A finite number or a name; a single message for anything else."""
    if (isinstance(value, str) and value) or (_number(value) and math.isfinite(value)):
        return value
    raise ValueError("a number, or the name of a profile")


def _not_negative(value: Any) -> Any:
    checked = _number_or_profile(value)
    if _number(checked) and checked < 0:
        raise ValueError("a number at least 0, or the name of a profile")
    return checked


def _number_or_table(value: Any) -> Any:
    """A number at least 0, or a table of blocks; a single message for anything else."""
    if isinstance(value, BlockTable) or (_number(value) and 0 <= value < math.inf):
        return value
    if isinstance(value, str | Mapping):
        try:
            return BlockTable.model_validate(value)
        except ValidationError:
            pass
    raise ValueError("a number at least 0, or a table such as afrr.csv or {file: afrr.csv, column: up}")


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Amount = Annotated[float | str, BeforeValidator(_not_negative)]
"""A number at least 0, or the name of a profile."""
Price = Annotated[float | str, BeforeValidator(_number_or_profile)]
"""A number, or the name of a profile."""
PerBlock = Annotated[
    float | BlockTable, BeforeValidator(_number_or_table, json_schema_input_type=float | str | BlockTable)
]
"""A number at least 0, or a table with a row per block."""
Texts = Annotated[tuple[str, ...], BeforeValidator(_as_list, json_schema_input_type=str | list[str])]
Finite = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class LimitKeys(BaseModel):
    """Limits on the net power of PODs together."""

    model_config = STRICT

    withdrawal_max_kw: Amount | None = None
    """Greatest net withdrawal, kW: a number, or the name of a profile."""
    injection_max_kw: Amount | None = None
    """Greatest net injection, kW: a number, or the name of a profile."""


class GroupKeys(LimitKeys):
    """PODs with limits of their own: a feeder, a zone, a price area."""

    group: str = Field(min_length=1)
    """The value of the PODs' column `group`."""


LIST, TABLE = "<list>", "<table>"
"""Forms of a key. Pydantic puts them into the place of an error, where they are no key."""


def _form(value: Any) -> str:
    named = isinstance(value, Mapping) and "file" in value
    return TABLE if named or isinstance(value, str | FileRef) else LIST


Groups = Annotated[
    Annotated[tuple[GroupKeys, ...], Tag(LIST)] | Annotated[FileRef, Tag(TABLE)],
    Discriminator(_form),
]
"""A list of groups, or a table with a row per group."""


class ReserveKeys(BaseModel):
    """A reserve product, or what differs from a preset."""

    model_config = STRICT

    preset: str | None = None
    """Rules to start from (`podium markets` lists them); every other key then replaces what the preset says."""
    only: Texts | None = None
    """Of a preset with several products, the names of those that are meant."""
    name: str | None = Field(default=None, min_length=1)
    """Name of the product; needed without a preset."""
    direction: Direction | None = None
    """`up` (less net withdrawal), `down` (more) or `symmetric`; needed without a preset."""
    hours: str | None = None
    """Hours of a local day in which it is sold, such as 15:00-18:00; all where absent."""
    weekdays: tuple[Weekday, ...] | None = None
    """Days on which it is sold, such as [mon, tue]; all where absent."""
    block_minutes: int | None = Field(default=None, ge=1, le=1440)
    """Length of a block on the local clock, min; divides the hours. Where absent, the hours of a day are one block,
    or the rows of the table of `availability_eur_per_mw_h` say with `time` and `end` what the blocks are."""
    availability_eur_per_mw_h: PerBlock | None = None
    """Paid for each MW offered and hour: a number, or a table with a row per block; needed unless the preset has it."""
    activation_eur_per_mwh: Price | None = None
    """Paid for up energy, or asked for down energy, when it is called: a number, or the name of a profile; needed
    where `activated_share` is above 0."""
    activated_share: float | None = Field(default=None, ge=0, le=1)
    """Expected share of the offered energy that is called; 0 where absent, needed where availability earns 0."""
    sustain_hours: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """How long an offer must be held once it is called, h; 1 where absent."""
    least_hours: float | None = Field(default=None, gt=0, le=24, allow_inf_nan=False)
    """How long a block lasts at least, and how long an offer must be held at least, h; any where absent."""
    minimum_mw: Finite | None = None
    """Least offer of a block, MW."""
    increment_mw: Finite | None = None
    """Offers are multiples of this, MW; any where absent."""
    maximum_mw: PerBlock | None = None
    """Greatest offer, MW: a number, or a table with a row per limited block; a multiple of the increment."""
    kinds: Texts | None = None
    """Kinds of devices that may back an offer; where absent, all that are there when it is called: batteries, CHP,
    loads that move or are cut, cars, heat pumps."""

    def missing(self) -> list[str]:
        """The keys that a product needs beside its name and that are not said."""
        needed = ["direction", "availability_eur_per_mw_h"]
        calls_alone = self.availability_eur_per_mw_h == 0 and self.activated_share is None
        if calls_alone:
            needed.append("activated_share")
        if calls_alone or self.activated_share:
            needed.append("activation_eur_per_mwh")
        return [key for key in needed if getattr(self, key) is None]


class MarketKeys(BaseModel):
    """Who is billed where, limits of the whole portfolio, and the reserve that it sells."""

    model_config = STRICT

    settlement: Settlement = "market"
    """`market`: the portfolio's net position is settled at the market prices; `retail`: each POD at its own tariff;
    `both`: both are paid."""
    time_unit_minutes: Literal[15, 30, 60] | None = None
    """Length of the time unit in which energy is traded and settled, min; a step where absent. Prices are constant in
    it."""
    limits: LimitKeys = LimitKeys()
    """Limits of the whole portfolio: `withdrawal_max_kw`, `injection_max_kw`; also with all offers called."""
    peak_eur_per_kw: Finite = 0.0
    """Paid on the portfolio's greatest net withdrawal of the horizon, EUR/kW."""
    headroom_up_kw: Finite = 0.0
    """Power that devices could give up at all times, beside all offers, kW."""
    headroom_down_kw: Finite = 0.0
    """Power that devices could take at all times, beside all offers, kW."""
    headroom_sustain_hours: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    """How long the headroom must last, h."""
    groups: Groups = ()
    """Limits of groups of PODs: a list of `group`, `withdrawal_max_kw`, `injection_max_kw`, or a table with these
    columns."""
    reserve: tuple[ReserveKeys, ...] = ()
    """Reserve products, see below."""
    takeover: Takeover = "proportional"
    """Who takes over what another device does not deliver: `proportional`, by `cost`, or by `priority`."""
    priority: Texts = ()
    """Kinds of devices, or device ids, in the order in which they take over; needed with `takeover: priority`."""

    @property
    def listed_groups(self) -> tuple[GroupKeys, ...]:
        """The groups of the list; none where a table has them."""
        return () if isinstance(self.groups, FileRef) else self.groups


def key_path(place: tuple[str | int, ...]) -> tuple[str | int, ...]:
    """The path of keys in the place of an error of pydantic."""
    return tuple(part for part in place if part not in (LIST, TABLE))


def part_of_market(at: tuple[str | int, ...]) -> type[BaseModel]:
    """The model of the keys at a place such as ("market", "reserve", 0)."""
    if at[1:] == ("groups",):
        return FileRef
    parts: dict[str | int, type[BaseModel]] = {"limits": LimitKeys, "groups": GroupKeys, "reserve": ReserveKeys}
    return parts[at[1]] if len(at) > 1 else MarketKeys
