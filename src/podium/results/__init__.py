"""What a run leaves behind: figures, tables, report and pictures, in a folder that is replaced as a whole."""

from pathlib import Path

from podium.report import write_report
from podium.results import tables
from podium.results.files import RESULTS, ensure_writable, replaced, write_json, write_table
from podium.results.market_tables import market_tables
from podium.results.outcome import Outcome, Promise
from podium.results.summary import certificate_of, summary_of

__all__ = [
    "RESULTS",
    "Outcome",
    "Promise",
    "certificate_of",
    "ensure_writable",
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
    for table in (tables.steps, tables.pods, tables.pod_summary, tables.schedule):
        write_table(folder / f"{table.__name__}.parquet", table(outcome))
    for name, columns in market_tables(outcome).items():
        write_table(folder / f"{name}.parquet", columns)
