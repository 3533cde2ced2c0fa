"""The key `market` of study.yaml: what the portfolio meets beside energy prices."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, Discriminator, Field, PlainValidator, Tag, ValidationError
from pydantic_core import PydanticCustomError

from podium.devices.device import clock_minutes
from podium.market.terms import BACKING_KINDS, Direction, Settlement, Takeover
from podium.study.file_ref import STRICT, FileRef

Number = Annotated[float, Field(allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]


def _clock_time(value: Any) -> str:
    """HH:MM; YAML reads 15:00 without quotes as the number 900, which are its minutes."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MINUTES_PER_DAY:
        return f"{value // 60:02}:{value % 60:02}"
    try:
        clock_minutes(str(value))
    except ValueError:
        raise PydanticCustomError("clock_time", "a time of day from 00:00 to 24:00, such as 07:30") from None
    return str(value)


ClockTime = Annotated[str, PlainValidator(_clock_time, json_schema_input_type=str)]

MINUTES_PER_DAY = 1440
LIST_TAG, TABLE_TAG = "<list>", "<table>"
"""Marks in the places of pydantic's errors that are no keys of the file."""


def _number_or(least: float, otherwise: str, other: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A reader of a finite number at least `least`, or of something `other`, which is `otherwise` in words."""
    words = "a number" if math.isinf(least) else f"a number at least {least:g}"

    def read(value: Any) -> Any:
        if isinstance(value, int | float) and not isinstance(value, bool):
            if math.isfinite(value) and value >= least:
                return float(value)
        elif isinstance(value, str | Mapping | FileRef) and value:
            try:
                return other(value)
            except (TypeError, ValidationError):
                pass
        raise PydanticCustomError("number_or", f"{words}, or {otherwise}")

    return read


def _name(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return value


Limit = Annotated[
    float | str,
    PlainValidator(_number_or(0.0, "the name of a profile", _name), json_schema_input_type=NonNegative | str),
]
Activation = Annotated[
    float | str,
    PlainValidator(_number_or(-math.inf, "the name of a profile", _name), json_schema_input_type=float | str),
]
Availability = Annotated[
    float | FileRef,
    PlainValidator(
        _number_or(-math.inf, "a table file", FileRef.model_validate), json_schema_input_type=float | FileRef
    ),
]


def _one_or_more(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Names = Annotated[tuple[str, ...], BeforeValidator(_one_or_more, json_schema_input_type=str | list[str])]


class GroupFile(BaseModel):
    """Limits of the PODs of one group together."""

    model_config = STRICT

    group: str = Field(min_length=1)
    """A value of the PODs' column `group`."""
    withdrawal_max_kw: Limit | None = None
    """Greatest net withdrawal, kW: a number or the name of a profile."""
    injection_max_kw: Limit | None = None
    """Greatest net injection, kW: a number or the name of a profile."""


def _form_of_groups(value: Any) -> str:
    return TABLE_TAG if isinstance(value, str | Mapping | FileRef) else LIST_TAG


Groups = Annotated[
    Annotated[tuple[GroupFile, ...], Tag(LIST_TAG)] | Annotated[FileRef, Tag(TABLE_TAG)],
    Discriminator(_form_of_groups),
]


class ReserveFile(BaseModel):
    """A reserve product, or a preset with what differs from it."""

    model_config = STRICT

    preset: str | None = None
    """A set of rules that comes with Podium (`podium markets` lists them); the other keys then change its products."""
    only: Names = ()
    """Names of the preset's products to take; all where absent."""
    name: str | None = Field(default=None, min_length=1)
    """Name of the product, unique in the study; needed without a preset."""
    direction: Direction | None = None
    """`up` (less net withdrawal), `down` or `symmetric`; needed without a preset."""
    offered_from: ClockTime = "00:00"
    """Local time of day from which it is sold."""
    offered_to: ClockTime = "24:00"
    """Local time of day until which it is sold."""
    weekdays_only: bool = False
    """True where it is sold from Monday to Friday only."""
    block_hours: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """Length of the blocks on the local clock, h; an offer is one power for a block. One block a day where absent."""
    blocks: FileRef | None = None
    """Instead of the five keys above and the maximum: a table of blocks, see below."""
    availability_eur_per_mw_h: Availability | None = None
    """Paid per MW offered and hour: a number, or a table with a row per block, see below."""
    activation_eur_per_mwh: Activation | None = None
    """Paid for up energy or asked for down energy that is called: a number or the name of a profile."""
    activated_share: float = Field(default=0.0, ge=0, le=1)
    """Expected share of the offered energy that is called."""
    sustain_hours: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    """How long an offer must be held once it is called, h."""
    minimum_mw: NonNegative = 0.0
    """Least offer of a block, MW; 0 where any is fine."""
    increment_mw: NonNegative = 0.0
    """Offers are multiples of this, MW; 0 where any is fine."""
    maximum_mw: NonNegative | None = None
    """Greatest offer of a block, MW."""
    kinds: tuple[str, ...] = BACKING_KINDS
    """Kinds of devices that may back an offer."""


class MarketFile(BaseModel):
    """What the portfolio meets beside energy prices."""

    model_config = STRICT

    settlement: Settlement = "market"
    """`market`: the net position at market prices; `retail`: each POD at its own tariff; `both`: both are paid."""
    time_unit_minutes: Literal[15, 30, 60] | None = None
    """Length of the energy market's time unit, min: the mean position of each is settled. A step where absent."""
    withdrawal_max_kw: Limit | None = None
    """Greatest net withdrawal of the portfolio, called offers included, kW: a number or the name of a profile."""
    injection_max_kw: Limit | None = None
    """Greatest net injection of the portfolio, called offers included, kW: a number or the name of a profile."""
    peak_eur_per_kw: NonNegative = 0.0
    """Paid on the greatest net withdrawal of the portfolio in the horizon."""
    headroom_up_kw: NonNegative = 0.0
    """Power that devices could give up, kept free at all times beside all offers, kW."""
    headroom_down_kw: NonNegative = 0.0
    """Power that devices could take, kept free at all times beside all offers, kW."""
    headroom_sustain_hours: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    """How long the headroom must last, h."""
    groups: Groups = ()
    """Limits of groups of PODs: a list, or a table with the same names as columns and numbers."""
    reserve: tuple[ReserveFile, ...] = ()
    """Reserve products: a list of presets and of products."""
    takeover: Takeover = "proportional"
    """Who takes over what another device does not deliver: `proportional`, by `cost`, or by `priority`."""
    priority: Names = ()
    """Kinds of devices, or device ids, in the order in which they take over."""


PARTS: dict[str, type[BaseModel]] = {"groups": GroupFile, "reserve": ReserveFile}
"""Keys of `market` that hold lists -> what the lists hold."""
