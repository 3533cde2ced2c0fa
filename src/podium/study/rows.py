"""Tables of PODs and of devices as columns, with everything wrong in them and where it stands."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pydantic import BaseModel

from podium.devices.device import Broken, Device, DeviceTable, Spec, limit_problems, specs
from podium.errors import InputError, Problem
from podium.horizon import Horizon
from podium.profiles import Profiles
from podium.study.cells import Names, Read, read_clock, read_flags, read_names, read_numbers, read_text, words_of
from podium.study.moments import NO_TIME, Clock, read_moments
from podium.study.tables import Table, TableFile
from podium.study.wording import each, is_missing, one_of

RULES_MOST = 200
"""Broken limits and rules listed per table."""


@dataclass
class Rows:
    """A table of PODs or of one kind of device; `problems` grows as it is looked at."""

    table: Table
    model: type[BaseModel]
    ids: NDArray[np.object_]
    columns: dict[str, NDArray[Any]] = field(default_factory=dict)
    named: dict[str, Names] = field(default_factory=dict)
    """Columns that name profiles; `resolve` writes them into `columns` as rows of the profiles."""
    problems: list[Problem] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def sound(self) -> bool:
        """True where nothing was found wrong so far."""
        return not self.problems

    def profile_names(self) -> set[str]:
        """Names of all profiles that the rows refer to."""
        return {name for column in self.named.values() for name in column.names}

    def resolve(self, profiles: Profiles, available: Collection[str], files: str) -> None:
        """Turn names of profiles into their rows; a name that is not `available` in the files is a problem."""
        row_of = {name: row for row, name in enumerate(profiles.names)}
        for field_name, column in self.named.items():
            rows = np.array([*(row_of.get(name, -1) for name in column.names), -1], dtype=np.int64)
            self.columns[field_name] = rows[column.codes]
            for code, name in enumerate(column.names):
                if name not in available:
                    value = f"{field_name} {name!r} is not among the profiles"
                    wanted = f"{files}: {one_of(name, available)}" if available else files
                    self.problems += each(np.flatnonzero(column.codes == code), self.table.where, value, wanted, 1)


def read_rows(file: TableFile, model: type[BaseModel], id_field: str, clock: Clock) -> Rows:
    """The rows of a table; raises InputError only where the file itself cannot be read."""
    keys = [id_field] if id_field == "pod" else [id_field, "pod"]
    known = [*keys, *(spec.name for spec in specs(model))]
    missing = _column_problems(file, keys, model, known)
    table = file.read(name for name in file.names if name in known)
    rows = Rows(table, model, np.full(len(table), "", dtype=object), problems=missing)
    if id_field in file.names:
        rows.ids, found = read_text(table, id_field, required=True)
        rows.problems += found
    for spec in specs(model):
        if spec.name in file.names:
            _read_field(rows, spec, clock)
        else:
            rows.columns[spec.name] = _absent(spec, len(table))
    return rows


def _column_problems(file: TableFile, keys: Iterable[str], model: type[BaseModel], known: list[str]) -> list[Problem]:
    """Columns that the kind does not have, and columns that it needs."""
    absent = [name for name in known if name not in file.names]
    unknown = [name for name in file.names if name not in known]
    needed = dict.fromkeys(keys, "an id") | {spec.name: words_of(spec) for spec in specs(model) if spec.required}
    return [
        *(Problem(file.header, f"unknown column {name!r}", one_of(name, absent, 30)) for name in unknown),
        *(
            Problem(file.header, f"column {is_missing(name)}", f"{words} in each row")
            for name, words in needed.items()
            if name in absent
        ),
    ]


def _absent(spec: Spec, rows: int) -> NDArray[Any]:
    """A column that the file does not have."""
    if spec.role == "text":
        return np.full(rows, "", dtype=object)
    if spec.role == "moment":
        return np.full(rows, NO_TIME, dtype=np.int64)
    if spec.role == "flag":
        return np.full(rows, bool(spec.default) and not spec.required)
    if spec.role == "number":
        return np.full(rows, np.nan if spec.required or spec.default is None else spec.default, dtype=float)
    return np.full(rows, -1, dtype=np.int64)


def _read_field(rows: Rows, spec: Spec, clock: Clock) -> None:
    """Read one column into `rows.columns`, or `rows.named` for profiles."""
    if spec.role == "profile":
        rows.named[spec.name], problems = read_names(rows.table, spec.name, required=spec.required)
    else:
        rows.columns[spec.name], problems = _read_column(rows.table, spec, clock)
    rows.problems += problems


def _read_column(table: Table, spec: Spec, clock: Clock) -> Read:
    """A column as its role keeps it, with defaults where it is empty."""
    name = spec.name
    if spec.role == "number":
        return _read_number(table, spec)
    if spec.role == "flag":
        return read_flags(table, name, bool(spec.default))
    if spec.role == "clock":
        return read_clock(table, name)
    if spec.role == "moment":
        return _read_moment(table, name, clock, spec.required)
    return read_text(table, name, required=spec.required)


def _read_number(table: Table, spec: Spec) -> Read:
    column, problems = read_numbers(table, spec.name, required=spec.required, expected=words_of(spec))
    if not spec.required and spec.default is not None:
        column[np.isnan(column)] = spec.default
    return column, problems


def _read_moment(table: Table, name: str, clock: Clock, required: bool) -> Read:
    try:
        found = read_moments(table, name, clock)
    except InputError as error:
        return np.full(len(table), NO_TIME, dtype=np.int64), list(error.problems)
    empty = np.flatnonzero(found == NO_TIME) if required else np.zeros(0, dtype=np.int64)
    return found, each(empty, table.where, f"{name} is empty", "a time")


def owners(rows: Rows, pods: Rows) -> NDArray[np.int64]:
    """Row of each device's POD, -1 where there is none (a problem). Shape (row,)."""
    if "pod" not in rows.table.columns:
        return np.full(len(rows), -1, dtype=np.int64)
    names, problems = read_names(rows.table, "pod")
    rows.problems += problems
    known = pa.array(pods.ids, pa.string())
    row_of_name = np.asarray(pc.fill_null(pc.index_in(pa.array(names.names, pa.string()), known), -1), dtype=np.int64)
    found = np.append(row_of_name, -1)[names.codes]
    unknown = np.flatnonzero((found < 0) & (names.codes >= 0))
    for row in unknown[:1]:
        wanted = one_of(names.names[names.codes[row]], pods.ids[:10_000])
        value = _unknown_pod(names)
        rows.problems += each(unknown, rows.table.where, value, f"a POD of {pods.table.source}: {wanted}")
    rows.problems += each(np.flatnonzero(names.codes < 0), rows.table.where, "pod is empty", "the id of a POD")
    return found


def _unknown_pod(names: Names) -> Callable[[int], str]:
    return lambda row: f"unknown pod {names.names[names.codes[row]]!r}"


def id_problems(pods: Rows, devices: Mapping[str, Rows]) -> Iterator[Problem]:
    """Ids that occur twice, with both places."""
    yield from _twice([pods], [np.arange(len(pods))])
    tables = list(devices.values())
    yield from _twice(tables, [_first_sessions(rows) for rows in tables])


def _first_sessions(rows: Rows) -> NDArray[np.int64]:
    """Rows whose id counts: of a kind with sessions, the first row of each id."""
    if not getattr(rows.model, "sessions", False):
        return np.arange(len(rows))
    return np.flatnonzero(~pd.Series(rows.ids).duplicated())


def _twice(tables: list[Rows], counted: list[NDArray[np.int64]]) -> list[Problem]:
    ids = np.concatenate(
        [rows.ids[chosen] for rows, chosen in zip(tables, counted, strict=True)] or [np.zeros(0, object)]
    )
    codes = pd.factorize(ids)[0] if len(ids) else np.zeros(0, dtype=np.int64)
    repeated = np.flatnonzero(pd.Series(codes).duplicated() & (ids != ""))
    if not repeated.size:
        return []
    owner = np.concatenate([np.full(len(chosen), at) for at, chosen in enumerate(counted)])
    row = np.concatenate(counted)
    first = {int(code): at for at, code in reversed(list(enumerate(codes)))}

    def where(at: int) -> str:
        return tables[int(owner[at])].table.where(int(row[at]))

    def value(at: int) -> str:
        original = first[int(codes[at])]
        here = owner[original] == owner[at]
        other = tables[int(owner[original])].table.place(int(row[original])) if here else where(original)
        return f"id {ids[at]!r} stands in {other} too"

    return each(
        repeated,
        where,
        value,
        "ids that are unique in the study" if len(tables) > 1 else "ids that are unique",
    )


def moved_chargers(rows: Rows, pod: NDArray[np.int64]) -> list[Problem]:
    """Sessions of one charger at different PODs."""
    if not getattr(rows.model, "sessions", False) or not len(rows):
        return []
    codes, _ = pd.factorize(rows.ids)
    first = np.zeros(codes.max() + 1, dtype=np.int64)
    first[codes[::-1]] = np.arange(len(rows))[::-1]
    moved = np.flatnonzero((pod != pod[first[codes]]) & (pod >= 0))
    return each(
        moved,
        rows.table.where,
        lambda row: f"charger {rows.ids[row]!r} is at another POD in {rows.table.place(int(first[codes[row]]))}",
        "one POD per charger",
    )


def pod_rules(pods: Rows) -> list[Problem]:
    """Numbers outside their limits, and tariffs given twice."""
    found: list[Broken] = []
    for spec in specs(pods.model):
        if spec.role == "number":
            found += islice(limit_problems(spec, pods.columns), RULES_MOST)
    for side in ("buy", "sell"):
        number, profile = f"{side}_eur_per_kwh", f"{side}_profile"
        both = np.flatnonzero(~np.isnan(pods.columns[number]) & (pods.columns[profile] >= 0))
        expected = f"one of {number} and {profile}"
        found += [Broken(int(row), f"{number} and {profile}", expected) for row in both[:RULES_MOST]]
    return [Problem(pods.table.where(item.row), item.value, item.expected) for item in found]


def unpriced(pods: Rows) -> list[Problem]:
    """PODs without a tariff: what a study without market prices cannot be run with."""
    found: list[Problem] = []
    for side in ("buy", "sell"):
        number, profile = f"{side}_eur_per_kwh", f"{side}_profile"
        absent = np.flatnonzero(np.isnan(pods.columns[number]) & (pods.columns[profile] < 0))
        expected = f"{number}, {profile}, or market prices in the study"
        found += [
            Problem(pods.table.where(int(row)), f"POD {str(pods.ids[row])!r}: no {side}ing price", expected)
            for row in absent[:RULES_MOST]
        ]
    return found


@dataclass(frozen=True)
class Judged:
    """A table of devices in the order of the PODs, and what its rules say of it."""

    table: DeviceTable
    problems: list[Problem]
    notices: list[str]


def judged(rows: Rows, kind: type[Device], pod: NDArray[np.int64], profiles: Profiles, horizon: Horizon) -> Judged:
    """Sort devices by POD; check limits and rules where the cells themselves were sound."""
    order = np.argsort(pod, kind="stable")
    table = DeviceTable(kind, rows.ids, pod, rows.columns, profiles)
    if (np.diff(pod) < 0).any():
        table = table.take(order)
    verdict = Judged(table, [], [])
    found = _broken(table, horizon) if rows.sound else _limits_alone(table)
    for item in islice(found, RULES_MOST):
        where = rows.table.where(int(order[item.row]))
        if item.warning:
            verdict.notices.append(f"{where}: {item.value}; wanted {item.expected}")
        else:
            verdict.problems.append(Problem(where, item.value, item.expected))
    return verdict


def _broken(table: DeviceTable, horizon: Horizon) -> Iterator[Broken]:
    """Limits of single numbers, and rules between the numbers of rows that keep them."""
    outside = list(islice(_limits_alone(table), RULES_MOST))
    yield from outside
    rows = {item.row for item in outside}
    yield from (item for item in table.kind.rules(table, horizon) if item.row not in rows)


def _limits_alone(table: DeviceTable) -> Iterator[Broken]:
    """Limits of single numbers: what can be said although other cells are wrong."""
    for spec in specs(table.kind):
        if spec.role == "number":
            yield from limit_problems(spec, table)
