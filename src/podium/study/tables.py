"""Tables from CSV, Parquet and Excel files: their columns as they stand there, and where each row stands."""

from __future__ import annotations

import csv
import warnings
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, time
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
from numpy.typing import NDArray

from podium.errors import InputError, Problem, listed
from podium.study.file_ref import FileRef, is_excel
from podium.study.limits import Limits
from podium.study.place import file_inside, megabytes
from podium.study.wording import each, one_of

_CSV_BLOCK_BYTES = 8 << 20
_UTF8_BOM, _UTF16_BOMS, _ZIP = b"\xef\xbb\xbf", (b"\xff\xfe", b"\xfe\xff"), b"PK\x03\x04"
_TIME_OF_DAY_END = 5  # characters of HH:MM


@dataclass(frozen=True)
class Table:
    """Some columns of a file. Cells of CSV and Excel files are text; those of Parquet files have types."""

    source: str
    """The file, as error messages name it."""
    columns: Mapping[str, Any]
    """Name -> pyarrow array of shape (row,); an empty cell is null."""
    places: Callable[[], NDArray[np.int64]]
    """Line (of text files and sheets) or number (of Parquet files) of each row, from 1."""
    place_word: str = "line"

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()))) if self.columns else 0

    @cached_property
    def _places(self) -> NDArray[np.int64]:
        return self.places()

    def place(self, row: int) -> str:
        """Place of a row, such as `line 7`."""
        return f"{self.place_word} {self._places[row]}"

    def where(self, row: int) -> str:
        """File and place of a row, such as `pv.csv, line 7`."""
        return f"{self.source}, {self.place(row)}"

    def take(self, rows: NDArray[np.int64] | slice) -> Table:
        """Only these rows, in this order."""
        if isinstance(rows, slice):
            columns = {name: column[rows] for name, column in self.columns.items()}
        else:
            columns = {name: column.take(pa.array(rows)) for name, column in self.columns.items()}
        return replace(self, columns=columns, places=lambda: self._places[rows])


class TableFile(ABC):
    """A file whose column names are known, and whose columns are read when asked for."""

    header_place = "line 1"

    def __init__(self, path: Path, source: str, limits: Limits) -> None:
        self.path, self.source, self.limits = path, source, limits
        self.names: Sequence[str] = ()

    @property
    def header(self) -> str:
        """Where the names of the columns stand."""
        return f"{self.source}, {self.header_place}"

    def read(self, names: Iterable[str] | None = None) -> Table:
        """These columns, or all. Raises InputError where the file cannot be read or is too large."""
        chosen = list(self.names if names is None else names)
        table = self._read(chosen)
        self._refuse_many(len(table), len(chosen))
        return table

    @abstractmethod
    def _read(self, names: list[str]) -> Table: ...

    def _refuse_many(self, rows: int, columns: int) -> None:
        if rows > self.limits.rows:
            raise InputError(Problem(self.source, f"{rows:,} rows", f"at most {self.limits.rows:,}"))
        if rows * columns > self.limits.cells:
            value = f"{rows:,} rows of {columns:,} columns"
            raise InputError(Problem(self.source, value, f"at most {self.limits.cells:,} cells"))

    def _refuse_header(self, names: Sequence[str]) -> None:
        """Raise InputError for names that are empty or stand twice."""
        problems = []
        for place, name in enumerate(names):
            if not name:
                problems.append(Problem(self.header, f"column {place + 1} has no name", "a name for each column"))
            elif name in names[:place]:
                problems.append(Problem(self.header, f"column {name!r} stands twice", "each column once"))
        if problems:
            raise InputError(problems)
        self.names = names


def open_table(folder: Path, ref: FileRef, where: str, limits: Limits) -> TableFile:
    """The file of a reference; `where` is the line of study.yaml that has it."""
    path = file_inside(folder, ref.file, where, limits)
    suffix = path.suffix.lower()
    if ref.sheet is not None and not is_excel(ref.file):
        raise InputError(Problem(where, f"sheet {ref.sheet!r} of {ref.file!r}", "a sheet only of an .xlsx file"))
    if is_excel(ref.file):
        return ExcelSheet(path, ref, limits)
    if suffix == ".csv":
        return CsvFile(path, ref.source, limits)
    if suffix == ".parquet":
        return ParquetFile(path, ref.source, limits)
    raise InputError(Problem(where, f"file {ref.file!r}", "a name that ends in .csv, .parquet or .xlsx"))


class CsvFile(TableFile):
    """Text in UTF-8: a line of names, then rows; commas between cells, points in numbers."""

    def __init__(self, path: Path, source: str, limits: Limits) -> None:
        super().__init__(path, source, limits)
        self._refuse_other_formats()
        self._refuse_header(self._names())

    def _refuse_other_formats(self) -> None:
        with self.path.open("rb") as file:
            begin = file.read(4096)
        expected = "a CSV file: UTF-8 text, a line of names, then rows"
        if begin.startswith(_ZIP):
            raise InputError(Problem(self.source, "an Excel or zip file by its content", expected))
        if begin.startswith(_UTF16_BOMS) or b"\0" in begin:
            raise InputError(Problem(self.source, "not UTF-8 text", expected))
        if not begin.removeprefix(_UTF8_BOM).strip():
            raise InputError(Problem(self.source, "empty", expected))

    def _names(self) -> list[str]:
        for _, record in self._records():
            if len(record) == 1 and (";" in record[0] or "\t" in record[0]):
                mark = "semicolons" if ";" in record[0] else "tabs"
                value = f"columns separated by {mark}"
                raise InputError(Problem(self.header, value, "commas between columns, and points in numbers"))
            return record
        return []

    def _records(self) -> Iterable[tuple[int, list[str]]]:
        """Line and cells of each record, header included, blank lines left out."""
        with self.path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file)
            first = 1
            try:
                for record in reader:
                    if record:
                        yield first, record
                    first = reader.line_num + 1
            except UnicodeDecodeError as error:
                raise InputError(Problem(self.source, f"not UTF-8 text ({error.reason})", "UTF-8")) from None
            except csv.Error as error:
                raise InputError(
                    Problem(f"{self.source}, line {first}", f"not CSV ({error})", "a row of cells")
                ) from None

    def _read(self, names: list[str]) -> Table:
        if not names:
            return Table(self.source, {}, self._lines)
        try:
            found = pyarrow.csv.read_csv(
                self.path,
                read_options=pyarrow.csv.ReadOptions(block_size=_CSV_BLOCK_BYTES),
                parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True),
                convert_options=pyarrow.csv.ConvertOptions(
                    column_types=dict.fromkeys(names, pa.string()),
                    include_columns=names,
                    null_values=[""],
                    strings_can_be_null=True,
                ),
            )
        except (pa.ArrowInvalid, pa.ArrowKeyError) as error:
            raise InputError(self._uneven_rows() or Problem(self.source, str(error), "a CSV file")) from None
        return Table(self.source, {name: found[name].combine_chunks() for name in names}, self._lines)

    def _lines(self) -> NDArray[np.int64]:
        return np.array([line for line, _ in self._records()][1:], dtype=np.int64)

    def _uneven_rows(self) -> list[Problem]:
        """Rows with more or fewer cells than the header has names."""
        records = list(self._records())
        width = len(self.names)
        bad = [row for row, (_, record) in enumerate(records) if len(record) != width]
        comma = any(len(records[row][1]) > width for row in bad)
        hint = " (a decimal comma? numbers have a decimal point)" if comma else ""
        return each(
            bad,
            lambda row: f"{self.source}, line {records[row][0]}",
            lambda row: f"{len(records[row][1])} cells",
            f"{width}, one for each column of line 1{hint}",
        )


class ParquetFile(TableFile):
    """Columns with types; an absent value is null."""

    header_place = "columns"

    def __init__(self, path: Path, source: str, limits: Limits) -> None:
        super().__init__(path, source, limits)
        try:
            self._file = pq.ParquetFile(path)
        except (pa.ArrowException, OSError) as error:
            raise InputError(Problem(source, f"not a Parquet file ({_first_line(error)})", "a Parquet file")) from None
        self._refuse_header(self._file.schema_arrow.names)
        self._refuse_unpacked()

    def _refuse_unpacked(self) -> None:
        data = self._file.metadata
        self._refuse_many(data.num_rows, 1)
        size = sum(data.row_group(group).total_byte_size for group in range(data.num_row_groups))
        if size > self.limits.unpacked_bytes:
            value = f"{megabytes(size)} once unpacked"
            raise InputError(Problem(self.source, value, f"at most {megabytes(self.limits.unpacked_bytes)}"))

    def _read(self, names: list[str]) -> Table:
        rows = self._file.metadata.num_rows
        self._refuse_many(rows, len(names))
        try:
            found = self._file.read(columns=names)
        except (pa.ArrowException, OSError) as error:
            raise InputError(Problem(self.source, f"damaged ({_first_line(error)})", "a Parquet file")) from None
        columns = {name: _plain(found[name]) for name in names}
        return Table(self.source, columns, lambda: np.arange(1, rows + 1), "row")


def _plain(column: Any) -> Any:
    """One array, dictionaries decoded; text as text, times of day as HH:MM."""
    column = column.combine_chunks()
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_large_string(column.type) or column.type == pa.string_view():
        return column.cast(pa.string())
    if pa.types.is_time(column.type):
        return pa.array([None if value is None else f"{value:%H:%M}" for value in column.to_pylist()], pa.string())
    return column


class ExcelSheet(TableFile):
    """A sheet of a workbook: a row of names, then rows. Formulas count with the value they had when saved."""

    header_place = "row 1"

    def __init__(self, path: Path, ref: FileRef, limits: Limits) -> None:
        super().__init__(path, ref.source, limits)
        refuse_archive(path, ref.file, limits)
        self._rows = self._filled_rows(ref)
        if not self._rows:
            raise InputError(Problem(self.source, "an empty sheet", "a row of names, then rows"))
        first, header = self._rows[0]
        self.header_place = f"row {first}"
        self._refuse_header(["" if name is None else name for name in header])

    def _filled_rows(self, ref: FileRef) -> list[tuple[int, list[str | None]]]:
        """Row number and cells, as text, of each row that is not empty."""
        import openpyxl

        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # extensions that openpyxl leaves out
                book = openpyxl.load_workbook(self.path, read_only=True, data_only=True)
                try:
                    return self._cells(book[self._sheet_name(ref, book.sheetnames)])
                finally:
                    book.close()
        except InputError:
            raise
        except Exception as error:  # noqa: BLE001  openpyxl raises what its parts raise
            raise InputError(Problem(self.source, f"damaged ({_first_line(error)})", "an Excel file")) from None

    def _sheet_name(self, ref: FileRef, sheets: Sequence[str]) -> str:
        if ref.sheet in sheets:
            return str(ref.sheet)
        if ref.sheet is not None:
            raise InputError(Problem(ref.file, f"no sheet {ref.sheet!r}", one_of(ref.sheet, sheets)))
        if len(sheets) == 1:
            return sheets[0]
        raise InputError(Problem(ref.file, f"{len(sheets)} sheets", f"'{ref.file}#SHEET', SHEET of {listed(sheets)}"))

    def _cells(self, sheet: Any) -> list[tuple[int, list[str | None]]]:
        sheet.reset_dimensions()
        rows, seen = [], 0
        for number, cells in enumerate(sheet.iter_rows(values_only=True), start=1):
            seen += len(cells) + 1
            if seen > self.limits.excel_cells:
                expected = f"at most {self.limits.excel_cells:,}; larger tables as CSV or Parquet"
                raise InputError(Problem(self.source, f"more than {self.limits.excel_cells:,} cells", expected))
            text = [_cell_text(cell) for cell in cells]
            while text and text[-1] is None:
                text.pop()
            if text:
                rows.append((number, text))
        return rows

    def _read(self, names: list[str]) -> Table:
        width = len(self.names)
        body = self._rows[1:]
        long = [row for row, (_, cells) in enumerate(body) if len(cells) > width]
        if long:
            expected = f"at most {width}, one for each name"
            raise InputError(
                each(
                    long,
                    lambda row: f"{self.source}, row {body[row][0]}",
                    lambda row: f"{len(body[row][1])} cells",
                    expected,
                )
            )
        at = {name: self.names.index(name) for name in names}
        columns = {
            name: pa.array([cells[place] if place < len(cells) else None for _, cells in body], pa.string())
            for name, place in at.items()
        }
        return Table(self.source, columns, lambda: np.array([number for number, _ in body], dtype=np.int64), "row")


def refuse_archive(path: Path, name: str, limits: Limits) -> None:
    """Raise InputError where a zip archive (an Excel file) is none, or would unfold to more than it may."""
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
            packed = sum(entry.compress_size for entry in archive.infolist())
    except (zipfile.BadZipFile, OSError, NotImplementedError):
        raise InputError(Problem(name, "not an Excel file by its content", "an .xlsx workbook")) from None
    if unpacked > limits.unpacked_bytes:
        value = f"{megabytes(unpacked)} once unpacked"
        raise InputError(Problem(name, value, f"at most {megabytes(limits.unpacked_bytes)}"))
    if unpacked > limits.ratio_from_bytes and unpacked > limits.unpacked_ratio * max(packed, 1):
        value = f"{megabytes(unpacked)} once unpacked, {unpacked // max(packed, 1)} times its size (a zip bomb?)"
        raise InputError(Problem(name, value, f"at most {limits.unpacked_ratio} times its size"))


def _cell_text(cell: Any) -> str | None:
    """A cell as CSV would have it."""
    if cell is None or cell == "":
        return None
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, datetime | time):
        return cell.isoformat() if isinstance(cell, datetime) else cell.isoformat()[:_TIME_OF_DAY_END]
    return str(cell)


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
