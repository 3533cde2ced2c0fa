"""What all kinds of devices share: fields with units, columns for many of them, and how input becomes columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Annotated, Any, ClassVar, Literal, Protocol, get_args

import annotated_types
import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from podium.flexstore import FlexStore
from podium.horizon import Horizon
from podium.profiles import Profiles

Role = Literal["number", "flag", "profile", "clock", "moment", "text"]


@dataclass(frozen=True)
class Column:
    """How a field is kept for many devices.

    number: float, NaN where absent; flag: bool; profile: row of the profiles, -1 where absent;
    clock: minute of the local day, -1 where absent; moment: UTC nanoseconds; text: str.
    """

    role: Role


def _clock_text(text: str) -> str:
    clock_minutes(text)
    return text


def clock_minutes(text: str) -> int:
    """Minutes after local midnight of 'HH:MM', from 00:00 to 24:00; raises ValueError."""
    hours, _, minutes = text.partition(":")
    if not (hours.isdigit() and minutes.isdigit() and int(minutes) < 60 and int(hours) * 60 + int(minutes) <= 1440):
        raise ValueError("a time of day such as 07:30")
    return int(hours) * 60 + int(minutes)


Positive = Annotated[float, Field(gt=0, allow_inf_nan=False), Column("number")]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False), Column("number")]
Number = Annotated[float, Field(allow_inf_nan=False), Column("number")]
Fraction = Annotated[float, Field(ge=0, le=1), Column("number")]
Efficiency = Annotated[float, Field(gt=0, le=1), Column("number")]
Flag = Annotated[bool, Column("flag")]
ProfileName = Annotated[str, Field(min_length=1), Column("profile")]
ClockTime = Annotated[str, AfterValidator(_clock_text), Column("clock")]


class Device(BaseModel):
    """A thing behind a POD. A kind adds its fields, its rules, and `to_store`."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: ClassVar[str]
    title: ClassVar[str]
    sessions: ClassVar[bool] = False
    """True where several rows of a table make one device (EV sessions of a charger)."""

    device: str = Field(min_length=1)

    @classmethod
    def rules(cls, table: DeviceTable, horizon: Horizon) -> Iterator[Broken]:
        """Rules between fields that rows of the table break."""
        yield from ()

    @classmethod
    def to_store(cls, table: DeviceTable, horizon: Horizon) -> FlexStore:
        """All devices of the table in canonical form."""
        raise TypeError(f"{cls.__name__} does not say how it becomes a FlexStore")


@dataclass(frozen=True)
class Broken:
    """A rule that a row breaks: what stands there and what was expected. A warning does not stop the study."""

    row: int
    value: str
    expected: str
    warning: bool = False


class Columns(Protocol):
    """Columns by name: a table of devices, or the fields of PODs."""

    def __getitem__(self, name: str, /) -> NDArray[Any]: ...


def broken(
    table: Columns, bad: NDArray[np.bool_], expected: str, *names: str, warning: bool = False
) -> Iterator[Broken]:
    """A `Broken` for each row where `bad`, quoting its numbers of these names."""
    for row in np.flatnonzero(bad):
        quoted = ", ".join(f"{name} {float(table[name][row]):g}" for name in names)
        yield Broken(int(row), quoted, expected, warning)


def negative_profile(table: DeviceTable, name: str = "profile") -> Iterator[Broken]:
    """Rows whose profile, a magnitude, has a value below 0."""
    least = table.profiles.values.min(axis=1) if len(table.profiles.names) else np.zeros(1)
    rows = table[name]
    for row in np.flatnonzero((rows >= 0) & (least[np.maximum(rows, 0)] < 0)):
        profile = rows[row]
        value = f"{name} {table.profiles.names[profile]!r} goes down to {least[profile]:g}"
        yield Broken(int(row), value, "values of at least 0; the sign comes from the kind of device")


@dataclass(frozen=True)
class Spec:
    """A field as its kind declares it."""

    name: str
    role: Role
    required: bool
    default: Any
    limits: tuple[tuple[str, float], ...]

    @property
    def expected(self) -> str:
        """The limits in words."""
        words = {"gt": "above", "ge": "at least", "lt": "below", "le": "at most"}
        return "a number " + " and ".join(f"{words[kind]} {limit:g}" for kind, limit in self.limits)


@cache
def specs(kind: type[BaseModel]) -> tuple[Spec, ...]:
    """The columns of a kind, in the order of its fields (ids apart)."""
    found = []
    for name, field in kind.model_fields.items():
        metadata = [*field.metadata, *_nested_metadata(field.annotation)]
        role = next((item.role for item in metadata if isinstance(item, Column)), None)
        if role is None:
            continue
        found.append(Spec(name, role, field.is_required(), field.default, tuple(_limits(metadata))))
    return tuple(found)


def _nested_metadata(annotation: Any) -> Iterator[Any]:
    for inner in get_args(annotation):
        for item in getattr(inner, "__metadata__", ()):
            yield item
            yield from getattr(item, "metadata", ())


def _limits(metadata: Sequence[Any]) -> Iterator[tuple[str, float]]:
    for item in metadata:
        for kind in ("gt", "ge", "lt", "le"):
            if isinstance(item, annotated_types.GroupedMetadata):
                continue
            if hasattr(item, kind):
                yield kind, float(getattr(item, kind))


@dataclass(frozen=True)
class DeviceTable:
    """Many devices of one kind, by column. Row r belongs to POD row `pod[r]`."""

    kind: type[Device]
    ids: NDArray[np.object_]
    pod: NDArray[np.int64]
    columns: Mapping[str, NDArray[Any]]
    profiles: Profiles

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self.columns[name]

    def filled(self, name: str, otherwise: NDArray[np.float64] | float) -> NDArray[np.float64]:
        """A number column with absent values replaced. Shape (row,)."""
        column = self.columns[name]
        return np.where(np.isnan(column), otherwise, column)

    def power_kw(self, name: str = "profile", scale: str = "scale_kw") -> NDArray[np.float64]:
        """A profile column times its scale. Shape (row, step)."""
        return self.profiles.scaled(self.columns[name], self.columns[scale])

    def take(self, rows: NDArray[np.int64]) -> DeviceTable:
        """Only these rows, in this order."""
        columns = {name: column[rows] for name, column in self.columns.items()}
        return replace(self, ids=self.ids[rows], pod=self.pod[rows], columns=columns)

    @classmethod
    def of(cls, devices: Sequence[Device], pod: NDArray[np.int64], profiles: Profiles) -> DeviceTable:
        """A table from device objects, all of one kind."""
        kind = type(devices[0])
        columns = {
            spec.name: column_of(spec, [getattr(device, spec.name) for device in devices], profiles)
            for spec in specs(kind)
        }
        return cls(kind, np.array([device.device for device in devices], dtype=object), pod, columns, profiles)


def column_of(spec: Spec, values: list[Any], profiles: Profiles) -> NDArray[Any]:
    """The values of a field as a column. Shape (row,)."""
    if spec.role == "text":
        return np.array(values, dtype=object)
    if spec.role == "number":
        return np.array([np.nan if value is None else value for value in values], dtype=float)
    if spec.role == "flag":
        return np.array(values, dtype=bool)
    if spec.role == "profile":
        named = [value for value in values if value is not None]
        rows = iter(profiles.rows(named, spec.name))
        return np.array([-1 if value is None else next(rows) for value in values], dtype=np.int64)
    if spec.role == "clock":
        return np.array([-1 if value is None else clock_minutes(value) for value in values], dtype=np.int64)
    return np.array([value.timestamp() * 1e9 for value in values], dtype=np.int64)


def range_problems(kind: type[Device], table: DeviceTable, horizon: Horizon) -> Iterator[Broken]:
    """Everything wrong with the numbers of a table: single fields first, then the kind's rules."""
    for spec in specs(kind):
        if spec.role == "number":
            yield from limit_problems(spec, table)
    yield from kind.rules(table, horizon)


def limit_problems(spec: Spec, table: Columns) -> Iterator[Broken]:
    """Numbers of a field outside its limits; an absent number (NaN) is inside."""
    column = table[spec.name]
    compare = {"gt": np.greater, "ge": np.greater_equal, "lt": np.less, "le": np.less_equal}
    absent = np.isnan(column)
    good = np.isfinite(column) | absent
    for kind, limit in spec.limits:
        good &= absent | compare[kind](column, limit)
    hint = ""
    if ("le", 1.0) in spec.limits and ((column > 1) & (column <= 100) & ~good).any():
        hint = "; a fraction, not per cent (95 % is 0.95)"
    yield from broken(table, ~good, (spec.expected if spec.limits else "a finite number") + hint, spec.name)
