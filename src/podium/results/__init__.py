"""What a run leaves behind: figures, tables, report and pictures, in a folder that is replaced as a whole."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from podium.checking import ResultsFolder
from podium.report import write_report
from podium.results import tables
from podium.results.files import RESULTS, ensure_writable, plain, replaced, write_json, write_table
from podium.results.market_tables import market_tables
from podium.results.outcome import Outcome, Promise
from podium.results.summary import certificate_of, summary_of

__all__ = [
    "RESULTS",
    "Outcome",
    "Promise",
    "certificate_of",
    "ensure_writable",
    "files_of",
    "replaced",
    "summary_of",
    "write_files",
    "write_report",
]


def write_files(outcome: Outcome, folder: Path) -> None:
    """Summary, certificate and tables of a run into an existing folder."""
    summary = summary_of(outcome)
    write_json(folder / "summary.json", summary)
    write_json(folder / "certificate.json", certificate_of(outcome, summary))
    for name, columns in _tables(outcome).items():
        write_table(folder / f"{name}.parquet", columns())


def files_of(outcome: Outcome) -> ResultsFolder:
    """What the check would read in the files of a run, before they are written."""
    summary, made = summary_of(outcome), _tables(outcome)

    def table(name: str, wanted: Sequence[str]) -> pd.DataFrame:
        columns = made[name]()
        return pd.DataFrame(pa.table({column: columns[column] for column in wanted}).to_pandas())

    return ResultsFolder.of(plain(summary), plain(certificate_of(outcome, summary)), made, table)


def _tables(outcome: Outcome) -> dict[str, Callable[[], dict[str, Any]]]:
    """Name -> what makes the columns of each table of a run."""
    always = (tables.steps, tables.pods, tables.pod_summary, tables.schedule)
    return {table.__name__: partial(table, outcome) for table in always} | market_tables(outcome)
