"""Groups of PODs with limits: a list in study.yaml, or a table with a row per group."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

from pydantic import ValidationError

from podium.errors import InputError, Problem
from podium.study.cells import read_amounts, read_text
from podium.study.market_schema import GroupKeys, LimitKeys
from podium.study.tables import Table, TableFile
from podium.study.wording import is_missing, one_of

GROUPS_MAX = 10_000
"""Rows of a table of groups: each is rows of the portfolio's programme."""
_COLUMNS = tuple(GroupKeys.model_fields)


@dataclass(frozen=True)
class Group:
    """A group as it is said."""

    keys: GroupKeys
    where: Callable[[str], str]
    """The place of one of its keys."""


def listed_groups(groups: Iterable[GroupKeys], where: Callable[[int, str], str]) -> list[Group]:
    """The groups of a list; `where` is the place of an entry's key."""
    return [Group(keys, partial(where, number)) for number, keys in enumerate(groups)]


def read_groups(file: TableFile) -> list[Group]:
    """The groups of a table; raises InputError with everything wrong in it."""
    if problems := _column_problems(file):
        raise InputError(problems)
    table = file.read(file.names)
    if len(table) > GROUPS_MAX:
        raise InputError(Problem(file.source, f"{len(table):,} groups", f"at most {GROUPS_MAX:,}"))
    names, problems = read_text(table, "group", required=True)
    cells: dict[str, list[object]] = {"group": list(names)}
    for name in LimitKeys.model_fields:
        if name in file.names:
            cells[name], found = read_amounts(table, name)
            problems += found
    groups = []
    for row in range(len(table)):
        if names[row]:
            try:
                groups.append(_group({name: column[row] for name, column in cells.items()}, table, row))
            except InputError as error:
                problems += error.problems
    if problems:
        raise InputError(problems)
    return groups


def _column_problems(file: TableFile) -> list[Problem]:
    """Columns that a group does not have, and the one that it needs."""
    absent = [name for name in _COLUMNS if name not in file.names]
    unknown = [name for name in file.names if name not in _COLUMNS]
    problems = [Problem(file.header, f"unknown column {name!r}", one_of(name, absent)) for name in unknown]
    if "group" in absent:
        problems.append(Problem(file.header, f"column {is_missing('group')}", "a group of PODs in each row"))
    return problems


def _group(cells: dict[str, object], table: Table, row: int) -> Group:
    """A row; raises InputError where it breaks a rule of the keys."""
    try:
        keys = GroupKeys.model_validate(cells)
    except ValidationError as error:
        raise InputError(
            Problem(table.where(row), f"{found['loc'][0]} {found['input']}", found["msg"].removeprefix("Value error, "))
            for found in error.errors()
        ) from None
    return Group(keys, lambda _: table.where(row))
