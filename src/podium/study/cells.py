"""Columns of tables as the columns of PODs and devices: numbers, yes and no, names, times of day."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from podium.devices.device import Spec, clock_minutes
from podium.errors import Problem
from podium.study.tables import Table
from podium.study.wording import each

_NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
_DECIMAL_COMMA = re.compile(r"[+-]?(\d{1,3}(\.\d{3})*|\d+),\d+")
_PER_CENT = re.compile(r"([+-]?\d+(\.\d+)?)\s*%")
_FLAGS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}

Read = tuple[NDArray[Any], list[Problem]]


@dataclass(frozen=True)
class Names:
    """A column of names that repeat: name number `codes[row]` (-1 where empty) of `names`."""

    names: tuple[str, ...]
    codes: NDArray[np.int64]


def read_text(table: Table, name: str, *, required: bool = False) -> Read:
    """Text, "" where empty. Shape (row,), of objects."""
    column = _as_text(table.columns[name])
    if column is None:
        kind = table.columns[name].type
        return np.full(len(table), "", dtype=object), [Problem(table.source, f"column {name!r} holds {kind}", "text")]
    text = column.to_numpy(zero_copy_only=False)
    if column.null_count == 0:
        return text, []
    problems = each(np.flatnonzero(column.is_null()), table.where, f"{name} is empty", "a name")
    return pc.fill_null(column, "").to_numpy(zero_copy_only=False), problems if required else []


def _as_text(column: Any) -> Any:
    """Text as it is, whole numbers as text; None for anything else."""
    kind = column.type
    if pa.types.is_string(kind):
        return column
    return column.cast(pa.string()) if pa.types.is_integer(kind) or pa.types.is_null(kind) else None


def read_names(table: Table, name: str, *, required: bool = False) -> tuple[Names, list[Problem]]:
    """Names, each kept once."""
    column = _as_text(table.columns[name])
    if column is None:
        kind = table.columns[name].type
        nothing = Names((), np.full(len(table), -1, dtype=np.int64))
        return nothing, [Problem(table.source, f"column {name!r} holds {kind}", "names")]
    coded = column.dictionary_encode()
    codes = np.asarray(pc.fill_null(coded.indices, -1), dtype=np.int64)
    problems = []
    if required and column.null_count:
        problems = each(np.flatnonzero(codes < 0), table.where, f"{name} is empty", "the name of a profile")
    return Names(tuple(coded.dictionary.to_pylist()), codes), problems


def read_numbers(
    table: Table, name: str, *, required: bool = False, expected: str = "a number"
) -> tuple[NDArray[np.float64], list[Problem]]:
    """Finite numbers, NaN where empty or wrong. Shape (row,)."""
    column = table.columns[name]
    kind = column.type
    if not (pa.types.is_string(kind) or _is_number(kind) or pa.types.is_null(kind)):
        nothing = np.full(len(table), np.nan)
        return nothing, [Problem(table.source, f"column {name!r} holds {kind}", "numbers")]
    try:
        numbers, wrong = pc.cast(column, pa.float64(), safe=False), np.zeros(0, dtype=np.int64)
    except pa.ArrowInvalid:
        numbers, wrong = _numbers_among_text(column)
    problems = _per_text(table, name, wrong, expected)
    found = np.array(pc.fill_null(numbers, np.nan), dtype=float)
    if not np.isfinite(found).all():
        problems += _not_finite(table, name, found, wrong, required, expected)
        found[~np.isfinite(found)] = np.nan
    return found, problems


def _is_number(kind: Any) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def _numbers_among_text(column: Any) -> tuple[Any, NDArray[np.int64]]:
    """The numbers of a column of text (null where it has none), and the rows that hold something else."""
    trimmed = pc.utf8_trim_whitespace(column)
    good = pc.match_substring_regex(trimmed, _NUMBER)
    wrong = np.flatnonzero(pc.fill_null(pc.invert(good), False))
    return pc.cast(pc.if_else(good, trimmed, None), pa.float64()), wrong


def _per_text(table: Table, name: str, rows: NDArray[np.int64], expected: str) -> list[Problem]:
    """Problems of cells with text, grouped by what is to be said about them."""
    column = table.columns[name]
    groups: dict[str, list[int]] = {}
    for row in rows:
        groups.setdefault(_advice(str(column[int(row)]), expected), []).append(int(row))
    return [
        problem
        for advice, group in groups.items()
        for problem in each(group, table.where, lambda row: f"{name} {str(column[row])!r}", advice)
    ]


def _advice(cell: str, expected: str) -> str:
    """What to write instead of a cell that is not a number."""
    cell = cell.strip()
    if _DECIMAL_COMMA.fullmatch(cell):
        return "a decimal point, not a decimal comma"
    if per_cent := _PER_CENT.fullmatch(cell):
        return f"a number without %, such as {float(per_cent[1]) / 100:g} for {per_cent[0]}"
    return expected


def _not_finite(
    table: Table,
    name: str,
    found: NDArray[np.float64],
    text: NDArray[np.int64],
    required: bool,
    expected: str,
) -> list[Problem]:
    """Problems of cells that are infinite, NaN, or empty where a number is needed."""
    column = table.columns[name]
    empty = np.asarray(column.is_null())
    wrong = np.setdiff1d(np.flatnonzero(~np.isfinite(found) & ~empty), text)
    problems = each(wrong, table.where, lambda row: f"{name} {column[row]}", f"{expected} that is finite")
    if required:
        problems += each(np.flatnonzero(empty), table.where, f"{name} is empty", expected)
    return problems


def read_amounts(table: Table, name: str) -> tuple[list[Any], list[Problem]]:
    """Numbers, or names where a cell holds another text; None where empty. One for each row."""
    column = table.columns[name]
    if pa.types.is_string(column.type):
        numbers, _ = _numbers_among_text(column)
        either = zip(numbers.to_pylist(), column.to_pylist(), strict=True)
        return [text if number is None else number for number, text in either], []
    if _is_number(column.type) or pa.types.is_null(column.type):
        return pc.cast(column, pa.float64(), safe=False).to_pylist(), []
    problem = Problem(table.source, f"column {name!r} holds {column.type}", "numbers, or names of profiles")
    return [None] * len(table), [problem]


def read_flags(table: Table, name: str, default: bool) -> tuple[NDArray[np.bool_], list[Problem]]:
    """True and false; the default where empty. Shape (row,)."""
    column = table.columns[name]
    if pa.types.is_boolean(column.type):
        return np.asarray(pc.fill_null(column, default), dtype=bool), []

    def flag(cell: str) -> bool:
        return _FLAGS[cell.strip().lower()]

    return _translated(table, name, flag, default, "true or false")


def read_clock(table: Table, name: str) -> Read:
    """Minutes of the local day, -1 where empty. Shape (row,)."""
    return _translated(table, name, clock_minutes, -1, "a time of day from 00:00 to 24:00, such as 07:30")


def _translated(
    table: Table, name: str, meaning: Callable[[str], Any], otherwise: Any, expected: str
) -> tuple[NDArray[Any], list[Problem]]:
    """A column of few different words, each translated once; `meaning` raises ValueError or KeyError."""
    named, problems = read_names(table, name)
    meanings, unknown = [], []
    for code, word in enumerate(named.names):
        try:
            meanings.append(meaning(word))
        except (ValueError, KeyError):
            meanings.append(otherwise)
            unknown.append(code)
    rows = np.flatnonzero(np.isin(named.codes, unknown))
    problems += each(rows, table.where, lambda row: f"{name} {named.names[named.codes[row]]!r}", expected)
    return np.array([*meanings, otherwise])[named.codes], problems


_CONTENT = {
    "flag": "true or false",
    "profile": "the name of a profile",
    "clock": "a time of day such as 07:30",
    "moment": "a time",
    "text": "text",
}


def words_of(spec: Spec) -> str:
    """What a cell of a field holds, in words."""
    return _CONTENT.get(spec.role) or (spec.expected if spec.limits else "a number")
