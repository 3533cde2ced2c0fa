"""Pages and CSV of tables: the numbers of the Parquet file, and no formulas."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from podium.service.exports import csv_lines, page, row_count
from podium.service.problems import NotFoundError


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """25 rows in groups of 7, with times, numbers of which one is not there, and two PODs."""
    times = [datetime(2018, 3, 25, tzinfo=UTC) + timedelta(minutes=15 * step) for step in range(25)]
    values = np.arange(25) / 3
    values[4] = np.nan
    columns = {
        "pod": pa.array(["b" if row % 5 else "a" for row in range(25)]).dictionary_encode(),
        "time": pa.array(times, pa.timestamp("ms", tz="Europe/Rome")),
        "kw": pa.array(values),
    }
    path = tmp_path / "table.parquet"
    pq.write_table(pa.table(columns), path, row_group_size=7)
    return path


@pytest.mark.parametrize(("offset", "limit"), [(0, 3), (5, 4), (6, 15), (20, 100), (24, 1), (25, 5), (1000, 5)])
def test_a_page_is_the_rows_it_says(table: Path, offset: int, limit: int) -> None:
    """Across groups of rows, at the end and beyond it: the same as slicing the whole table."""
    found = page(table, offset, limit)
    whole = pq.read_table(table).to_pandas()
    assert (found.total, found.columns) == (25, ["pod", "time", "kw"])
    expected = whole.iloc[offset : offset + limit]
    assert [row[0] for row in found.rows] == expected["pod"].tolist()
    assert [row[2] for row in found.rows] == [None if np.isnan(value) else value for value in expected["kw"]]


def test_times_keep_their_offset_across_the_change_of_clocks(table: Path) -> None:
    """Midnight UTC is 01:00+01:00; an hour later it is 03:00+02:00."""
    rows = page(table, 0, 5).rows
    assert [rows[0][1], rows[4][1]] == ["2018-03-25T01:00:00+01:00", "2018-03-25T03:00:00+02:00"]
    assert b"2018-03-25T03:00:00+02:00" in b"".join(csv_lines(table))


def test_a_page_of_one_pod(table: Path) -> None:
    found = page(table, 1, 2, pod="a")
    assert (found.total, [row[2] for row in found.rows]) == (5, [5 / 3, 10 / 3])
    assert page(table, 0, 2, pod="nobody").total == 0


def test_a_table_without_pods_says_so(tmp_path: Path) -> None:
    pq.write_table(pa.table({"x": [1]}), tmp_path / "x.parquet")
    with pytest.raises(NotFoundError):
        page(tmp_path / "x.parquet", 0, 1, pod="a")


def test_csv_holds_the_same_numbers(table: Path) -> None:
    read = pd.read_csv(io.BytesIO(b"".join(csv_lines(table))))
    whole = pq.read_table(table).to_pandas()
    np.testing.assert_array_equal(read["kw"], whole["kw"])
    assert (pd.to_datetime(read["time"], utc=True) == whole["time"].dt.tz_convert("UTC")).all()
    assert row_count(table) == len(read)


def test_csv_has_no_formulas(tmp_path: Path) -> None:
    """In cells, categories and headers; negative numbers stay numbers, and an empty table keeps its header."""
    words = ["=1+1", "+1", "-cmd", "@x", "\tx", "\rx", "plain", 'a"b,c', "", None]
    path = tmp_path / "bad.parquet"
    columns = {"=name": pa.array(words), "coded": pa.array(words).dictionary_encode(), "kw": pa.array([-1.5] * 10)}
    pq.write_table(pa.table(columns), path)
    read = pd.read_csv(io.BytesIO(b"".join(csv_lines(path))), keep_default_na=False, lineterminator="\n")
    assert read.columns.tolist() == ["'=name", "coded", "kw"]
    for column in ("'=name", "coded"):
        assert read[column].tolist() == ["'=1+1", "'+1", "'-cmd", "'@x", "'\tx", "'\rx", "plain", 'a"b,c', "", ""]
    assert (read["kw"] == -1.5).all()
    pq.write_table(pa.table({"a": pa.array([], pa.string())}), path)
    assert b"".join(csv_lines(path)) == b'"a"\n'
