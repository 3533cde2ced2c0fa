"""The results of a run as its pages read them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from uuid import UUID

import pandas as pd
import pyarrow.parquet as pq

from podium.report.files import Results, read_results
from podium.report.sold import Sold, read_sold
from podium.service import runs
from podium.service.accounts import Caller
from podium.service.installation import Installation
from podium.service.views import ResultFile, RunView
from podium.web.charts import TimeAxis

#: Runs whose results are kept in memory for those who look at them; results never change.
_KEPT = 4


@dataclass(frozen=True)
class Found:
    """What the files of a run say; None where it has left no such file."""

    results: Results
    sold: Sold
    limits: pd.DataFrame | None
    """Limits in the steps in which they bind."""
    shadow: pd.DataFrame | None
    """Prices that coordinate the PODs."""

    @property
    def axis(self) -> TimeAxis:
        """The steps of the run."""
        return TimeAxis.of(self.results.clock)


@dataclass(frozen=True)
class Shown:
    """A run that is done, its results, and the files that they lie in."""

    run: RunView
    found: Found
    files: list[ResultFile]


def shown(place: Installation, caller: Caller, run: UUID) -> Shown:
    """Read the results of a run; raises ConflictError while it is not done, InputError where a file is missing."""
    folder = runs.results_folder(place, caller, run)
    with place.database.reading() as session:
        view = runs.view(session, runs.owned_run(session, caller, run))
    return Shown(view, _found(folder), runs.result_files(folder))


@lru_cache(_KEPT)
def _found(folder: Path) -> Found:
    results = read_results(folder)
    return Found(results, read_sold(results), _table(folder, "limits"), _table(folder, "shadow"))


def _table(folder: Path, name: str) -> pd.DataFrame | None:
    path = folder / f"{name}.parquet"
    if not path.is_file():
        return None
    table: pd.DataFrame = pq.read_table(path).to_pandas()
    return table
