"""How much a study may hold: no file, however it was made, takes all the memory."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Sizes above which a file is refused before it is read. Pass your own to `load_study` to change them."""

    yaml_bytes: int = 1 << 20
    """Size of study.yaml."""
    file_bytes: int = 4 << 30
    """Size of any other file."""
    rows: int = 50_000_000
    """Rows of a table."""
    cells: int = 1_000_000_000
    """Rows times the columns that are read."""
    excel_cells: int = 20_000_000
    """Cells of a sheet, the empty ones up to the last filled one of a row included."""
    unpacked_bytes: int = 2 << 30
    """Size of an Excel file (a zip archive) or a Parquet file once unpacked."""
    unpacked_ratio: int = 200
    """Unpacked size over packed size of an archive above `ratio_from_bytes`; real workbooks stay below 60."""
    ratio_from_bytes: int = 32 << 20
    """Unpacked size from which on the ratio counts."""


LIMITS = Limits()
