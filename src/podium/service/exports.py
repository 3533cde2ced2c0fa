"""Tables out of Parquet files: pages for JSON, and CSV that no spreadsheet takes for formulas."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from podium.service.problems import NotFoundError
from podium.service.views import Page

_BATCH_ROWS = 50_000
#: A cell that begins so is a formula to a spreadsheet.
_FORMULA = r"^[=+\-@\t\r]"


def row_count(path: Path) -> int:
    """Rows of a Parquet file."""
    return int(pq.read_metadata(path).num_rows)


def page(path: Path, offset: int, limit: int, pod: str | None = None) -> Page:
    """Some rows, of one POD where it is named; times in ISO 8601, numbers that are not finite null."""
    if pod is not None:
        chosen = _of_pod(path, pod)
        part, total = chosen.slice(offset, limit), len(chosen)
    else:
        file = pq.ParquetFile(path)
        part, total = _rows(file, offset, limit), file.metadata.num_rows
    columns = [column.to_pylist() for column in part.columns]
    rows = [[_plain(value) for value in row] for row in zip(*columns, strict=True)]
    return Page(columns=part.column_names, rows=rows, offset=offset, total=total)


def _rows(file: Any, offset: int, limit: int) -> Any:
    """Rows of a file, of which only the groups are read that hold them."""
    groups, first, skipped = [], 0, None
    for number in range(file.metadata.num_row_groups):
        size = file.metadata.row_group(number).num_rows
        if first < offset + limit and first + size > offset:
            skipped = first if skipped is None else skipped
            groups.append(number)
        first += size
    if skipped is None:
        return file.schema_arrow.empty_table()
    return file.read_row_groups(groups).slice(offset - skipped, limit)


def _of_pod(path: Path, pod: str) -> Any:
    if "pod" not in pq.read_schema(path).names:
        raise NotFoundError("this table has no column 'pod'")
    return pq.read_table(path, filters=[("pod", "=", pod)])


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def csv_lines(path: Path) -> Iterator[bytes]:
    """A Parquet file as CSV, in pieces. Text that begins like a formula has an apostrophe before it."""
    file = pq.ParquetFile(path)
    names = [_guarded_word(name) for name in file.schema_arrow.names]
    header = True
    for batch in file.iter_batches(_BATCH_ROWS):
        yield _csv(pa.table([_cells(column) for column in batch.columns], names=names), header)
        header = False
    if header:
        yield _csv(pa.table([pa.array([], pa.string())] * len(names), names=names), True)


def _csv(table: Any, header: bool) -> bytes:
    target = io.BytesIO()
    pa.csv.write_csv(table, target, pa.csv.WriteOptions(include_header=header, quoting_style="needed"))
    return target.getvalue()


def _guarded_word(word: str) -> str:
    return f"'{word}" if word[:1] in "=+-@\t\r" and word else word


def _cells(column: Any) -> Any:
    """A column as CSV shows it."""
    if pa.types.is_timestamp(column.type):
        coded = column.dictionary_encode()
        words = [value.isoformat() for value in coded.dictionary.to_pylist()]
        return pa.DictionaryArray.from_arrays(coded.indices, pa.array(words, pa.string())).cast(pa.string())
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        text = column.cast(pa.string())
        return pc.if_else(pc.match_substring_regex(text, _FORMULA), pc.binary_join_element_wise("'", text, ""), text)
    return column
