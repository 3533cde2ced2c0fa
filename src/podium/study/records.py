"""A study as records: tables as rows of plain values, as JSON has them, in place of files."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pydantic import BaseModel, Field

from podium.errors import InputError, Problem
from podium.study.file_ref import STRICT
from podium.study.load import Study
from podium.study.schema import SPEC_FILE, key_lines
from podium.study.series import TIME
from podium.study.wording import is_missing
from podium.study.write import StudyParts, parts_of, write_study

Cell = bool | int | float | str | None
Record = dict[str, Cell]
Lines = Mapping[int, str]
"""Line of study.yaml -> the key that stands there."""
_TABLE_NAME = re.compile(r"[A-Za-z0-9_-]{1,60}")
_PLACE = re.compile(r"\b([A-Za-z0-9_-]+)\.csv(?:, line (\d+))?")
_SPEC_LINE = re.compile(rf"{re.escape(SPEC_FILE)}(?:, line (\d+))?")
_OTHER_LINE = re.compile(r"\bin line (\d+)")


class StudyRecords(BaseModel):
    """A study as JSON: the keys of study.yaml, and each table as rows of column -> value.

    Columns are those of docs/study-files.md; an absent value is null or left out, times are text with an offset.
    """

    model_config = STRICT

    name: str
    time_zone: str
    start: str
    """First day (2018-05-14, from local midnight) or moment with an offset (2018-05-14T06:00:00+02:00)."""
    days: int | None = None
    """Length in local calendar days."""
    hours: float | None = None
    """Length in hours; instead of `days`."""
    step_minutes: int = 15
    market: dict[str, Any] = Field(default_factory=dict)
    """As the key `market` of study.yaml; where it names a file, one of `tables`."""
    options: dict[str, Any] = Field(default_factory=dict)
    """As the key `options` of study.yaml."""
    pods: list[Record]
    """Rows of PODs."""
    devices: dict[str, list[Record]] = Field(default_factory=dict)
    """Kind of device -> its rows."""
    profiles: list[Record] = Field(default_factory=list)
    """Rows of `time` and a column per profile."""
    prices: list[Record] = Field(default_factory=list)
    """Rows of `time` and market prices, EUR/MWh."""
    tables: dict[str, list[Record]] = Field(default_factory=dict)
    """Name -> rows of a table, of blocks or of groups, that `market` names as its file."""

    def named_tables(self) -> dict[str, list[Record]]:
        """All tables by name."""
        series = {"profiles": self.profiles, "prices": self.prices}
        return {"pods": self.pods, **self.devices, **series, **self.tables}


def write_records(content: StudyRecords, folder: Path) -> Lines:
    """Write the study folder of some records; returns which key stands in which line of its study.yaml.

    What is wrong with the tables shows when the folder is loaded: `in_records` says it in terms of records. Raises
    InputError for what cannot be written: wrong keys, text with line breaks, names of tables.
    """
    if problems := [*_wrong_names(content), *_wrong_rows(content)]:
        raise InputError(problems)
    spec = content.model_dump(
        include={"name", "time_zone", "start", "days", "hours", "step_minutes"}, exclude_none=True
    )
    spec |= {key: value for key in ("market", "options") if (value := getattr(content, key))}
    parts = StudyParts(
        spec,
        _frame(content.pods),
        {kind: _frame(rows) for kind, rows in content.devices.items() if rows},
        _frame(content.profiles) if content.profiles else None,
        _frame(content.prices) if content.prices else None,
        {name: _frame(rows) for name, rows in content.tables.items()},
    )
    write_study(parts, folder)
    return _keys_of_lines(folder / SPEC_FILE)


def _wrong_names(content: StudyRecords) -> Iterator[Problem]:
    taken = {"pods", "profiles", "prices", *content.devices}
    for name in content.tables:
        if name in taken or not _TABLE_NAME.fullmatch(name):
            yield Problem("tables", f"name {name!r}", "another name, of letters, digits, _ and -")


def _wrong_rows(content: StudyRecords) -> Iterator[Problem]:
    """What a CSV file could not hold, and series without times."""
    if not any(content.pods):
        yield Problem("pods", "no rows", "at least one POD")
    for name, rows in content.named_tables().items():
        if rows and name != "pods" and not any(rows):
            yield Problem(name, "rows without columns", "rows of column: value")
        for number, row in enumerate(rows, 1):
            if any(_breaks(cell) for cell in (*row, *row.values())):
                yield Problem(f"{name}, row {number}", "text with a line break", "text in one line")
    for name, rows in (("profiles", content.profiles), ("prices", content.prices)):
        if rows and not any(TIME in row for row in rows):
            yield Problem(name, is_missing(TIME), "the start of each row's step, with an offset")


def _breaks(cell: Cell) -> bool:
    return isinstance(cell, str) and any(mark in cell for mark in "\r\n\0")


def _frame(rows: Sequence[Record]) -> pd.DataFrame:
    """Rows as columns of text, in the order in which columns first occur."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    return pd.DataFrame({name: [_text(row.get(name)) for row in rows] for name in names}, dtype=object)


def _text(cell: Cell) -> str | None:
    """A value as a file has it."""
    if cell is None or isinstance(cell, str):
        return cell
    return str(cell).lower() if isinstance(cell, bool) else repr(cell)


def _keys_of_lines(path: Path) -> dict[int, str]:
    """Line -> the outermost key that begins there."""
    found: dict[int, str] = {}
    for key, line in sorted(key_lines(path).items(), key=lambda entry: len(entry[0])):
        found.setdefault(line, ".".join(map(str, key)))
    return found | {1: "name"}


def in_records(error: InputError, lines: Lines) -> InputError:
    """The problems of a written folder in terms of its records: `pods, row 3` in place of `pods.csv, line 4`."""
    return InputError(
        Problem(*(_said(text, lines) for text in (problem.where, problem.value, problem.expected)))
        for problem in error.problems
    )


def _said(text: str, lines: Lines) -> str:
    text = _SPEC_LINE.sub(lambda match: lines.get(int(match[1] or 0), "study"), text)
    text = _PLACE.sub(lambda match: match[1] + _row(match[2]), text)
    return _OTHER_LINE.sub(lambda match: f"in{_row(match[1], ' row')}", text)


def _row(line: str | None, word: str = ", row") -> str:
    """The row of a line; nothing for the header."""
    return "" if line is None or int(line) == 1 else f"{word} {int(line) - 1}"


def records_of(study: Study) -> StudyRecords:
    """A study as records; `write_records` makes the same study of them."""
    parts = parts_of(study)
    return StudyRecords(
        **dict(parts.spec),
        pods=_records(parts.pods),
        devices={kind: _records(frame) for kind, frame in parts.devices.items()},
        tables={name: _records(frame) for name, frame in parts.tables.items()},
        profiles=_timed(parts.profiles),
        prices=_timed(parts.prices),
    )


def _timed(frame: pd.DataFrame | None) -> list[Record]:
    """Rows of a time series, of which the index may be the time."""
    if frame is None:
        return []
    return _records(frame if TIME in frame.columns else frame.rename_axis(TIME).reset_index())


def _records(frame: pd.DataFrame) -> list[Record]:
    """Rows without their absent values."""
    names = [str(name) for name in frame.columns]
    columns = [[_cell(value) for value in frame[name]] for name in frame.columns]
    return [
        {name: cell for name, cell in zip(names, row, strict=True) if cell is not None}
        for row in zip(*columns, strict=True)
    ]


def _cell(value: Any) -> Cell:
    if isinstance(value, pd.Timestamp):
        return None if value is pd.NaT else value.isoformat()
    plain = value.item() if isinstance(value, np.generic) else value
    if plain is None or plain is pd.NaT or (isinstance(plain, float) and not math.isfinite(plain)):
        return None
    return plain if isinstance(plain, bool | int | float | str) else str(plain)
