"""The figure of `podium bench scaling`."""

from __future__ import annotations

from pathlib import Path

from podium.bench.measure import Found

_SERIES = {
    "reference_published_seconds": ("reference as published (Gurobi), s", "tab:red", "s--"),
    "reference_rerun_cpu_seconds": ("reference run again (HiGHS), CPU s", "tab:orange", "^--"),
    "sequential_cpu_seconds": ("Podium, one process, CPU s", "tab:blue", "o-"),
    "parallel_seconds": ("Podium, {workers} processes, s", "tab:green", "o-"),
}


def draw_scaling(found: Found, path: Path) -> None:
    """Time of level 1 over the number of PODs, both logarithmic, as PNG."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.add_subplot()
    for name, (label, colour, style) in _SERIES.items():
        rows = [row for row in found["rows"] if row[name] is not None]
        told = label.format(workers=found["workers"])
        axes.plot([row["pods"] for row in rows], [row[name] for row in rows], style, color=colour, label=told)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("PODs")
    axes.set_ylabel("level 1, s")
    axes.grid(visible=True, which="both", alpha=0.25)
    axes.legend()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)
