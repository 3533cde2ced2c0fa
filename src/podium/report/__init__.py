"""The report of a run: one self-contained page and pictures of the main figures, from the results files alone."""

from __future__ import annotations

import os
from pathlib import Path

from podium.report.files import read_results
from podium.report.page import write_page
from podium.report.sold import read_sold

__all__ = ["PAGE", "write_report"]

PAGE = "report.html"


def write_report(results_dir: Path) -> list[Path]:
    """Write `report.html` and the PNG figures into a results folder; return their paths.

    Reads only what a run has left there (`summary.json`, `certificate.json`, `steps.parquet`, `pods.parquet`,
    `pod_summary.parquet`, `schedule.parquet`, and where they are `bids.parquet`, `reserve.parquet` and
    `shares.parquet`), so that a report can be made again at any time. Every file is written aside and renamed, so an
    interrupted report leaves the old one whole.

    Raises InputError when one of these files is missing or lacks a column.
    """
    from podium.report.pictures import draw_pictures  # matplotlib: 0.7 s that other commands need not wait for

    results = read_results(results_dir)
    sold = read_sold(results)
    written = []
    for name, picture in draw_pictures(results, sold).items():
        with _Aside(results_dir / name) as aside:
            picture.savefig(aside, format="png", dpi=144)
        written.append(results_dir / name)
    with _Aside(results_dir / PAGE) as aside:
        write_page(results, sold, aside)
    return [results_dir / PAGE, *written]


class _Aside:
    """A path to write to that takes the place of `target` only when all went well."""

    def __init__(self, target: Path) -> None:
        self.target = target
        self.aside = target.with_name(f".{target.name}.{os.getpid()}")

    def __enter__(self) -> Path:
        return self.aside

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if kind is None:
            self.aside.replace(self.target)
        else:
            self.aside.unlink(missing_ok=True)
