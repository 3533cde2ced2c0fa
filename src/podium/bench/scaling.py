"""The reference's table and figure: level 1 one POD after the other, and in parallel, for more and more PODs."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter

from podium.bench.big_study import Kind, write_big_study
from podium.bench.measure import Found
from podium.compute import available_workers
from podium.local import optimise_local
from podium.market.prices import KWH_PER_MWH
from podium.study import Study, load_study

SIZES = (10, 20, 30, 60, 100, 140, 200, 1_000, 10_000, 100_000)
PUBLISHED_SECONDS = {10: 0.072, 20: 3.29, 30: 3.63, 60: 8.68, 100: 14.92, 140: 27.75, 200: 31.65}
"""PODs -> what the reference published (with Gurobi)."""
RERUN_CPU_SECONDS = {10: 1.2, 20: 2.2, 30: 4.6, 60: 7.5, 100: 11.4, 140: 17.7, 200: 27.6}
"""PODs -> CPU seconds of the reference run again on two shared cores (with HiGHS)."""
#: Larger portfolios are optimised part after part, so that the results of one part are in memory at a time.
PART_PODS = 10_000


@dataclass(frozen=True)
class Row:
    """A line of the table. Seconds of level 1: baseline, least and greatest energy, and band."""

    pods: int
    sequential_seconds: float
    sequential_cpu_seconds: float
    parallel_seconds: float
    cpu_ms_per_pod: float
    reference_published_seconds: float | None
    reference_rerun_cpu_seconds: float | None


def run(sizes: Sequence[int] = SIZES, kind: Kind = "pv", workers: int | None = None) -> Found:
    """Measure all sizes. The worker processes are started before, as they are once per run."""
    count = available_workers() if workers is None else workers
    with tempfile.TemporaryDirectory(prefix="podium-bench-") as place:
        largest = min(max(sizes), PART_PODS)
        folder = Path(place) / "study"
        write_big_study(folder, largest, kind)
        study = load_study(folder)
        begun = perf_counter()
        _level1(study, min(2 * 64, largest), count)
        started = perf_counter() - begun
        rows = [_row(study, pods, count) for pods in sizes]
    return {
        "benchmark": "scaling",
        "kind": kind,
        "workers": count,
        "start_of_workers_seconds": started,
        "rows": [asdict(row) for row in rows],
    }


def _row(study: Study, pods: int, workers: int) -> Row:
    alone, cpu = _level1(study, pods, 1)
    together, _ = _level1(study, pods, workers)
    return Row(pods, alone, cpu, together, 1000 * cpu / pods, PUBLISHED_SECONDS.get(pods), RERUN_CPU_SECONDS.get(pods))


def _level1(study: Study, pods: int, workers: int) -> tuple[float, float]:
    """Wall and CPU seconds of level 1 of `pods` PODs, part after part."""
    if study.prices is None:
        raise AssertionError("the study is made with prices")
    wall = cpu = 0.0
    for first in range(0, pods, PART_PODS):
        part = study.portfolio.part(0, min(PART_PODS, pods - first, len(study.portfolio)))
        found = optimise_local(part, market_eur_per_kwh=study.prices.buy / KWH_PER_MWH, workers=workers)
        wall, cpu = wall + found.seconds, cpu + found.cpu_seconds
    return wall, cpu


def table(found: Found) -> str:
    """The rows as text."""
    head = ("PODs", "sequential s", "its CPU s", "parallel s", "CPU ms/POD", "reference s", "re-run CPU s")
    lines = ["  ".join(f"{name:>12}" for name in head)]
    for row in found["rows"]:
        names = ("sequential_seconds", "sequential_cpu_seconds", "parallel_seconds", "cpu_ms_per_pod")
        cells = [f"{row['pods']:,}", *(f"{row[name]:.3f}" for name in names)]
        known = (row["reference_published_seconds"], row["reference_rerun_cpu_seconds"])
        cells += ["" if seconds is None else f"{seconds:.2f}" for seconds in known]
        lines.append("  ".join(f"{cell:>12}" for cell in cells))
    return "\n".join(lines)
