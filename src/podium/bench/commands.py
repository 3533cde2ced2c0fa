"""`podium bench`: parses, calls a benchmark, prints what it found."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from time import process_time
from typing import Annotated, Any

import typer

from podium.bench.measure import as_json, as_text

bench = typer.Typer(help="Measure speed and memory (docs/benchmarks.md).", no_args_is_help=True)

PODS = Annotated[int, typer.Option(min=1, help="Number of PODs.")]
REPEATS = Annotated[int, typer.Option(min=1, help="Repeats; the one that took least CPU time counts.")]
AS_JSON = Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")]
WORKERS = Annotated[int | None, typer.Option(min=1, help="Processes; all cores by default.")]


class StudyKind(StrEnum):
    """What stands behind every POD of a large study: load and battery, and PV or a car."""

    pv = "pv"
    car = "car"


class TeamLoad(StrEnum):
    """What the workers of a team hold: benchmark A's PODs, or the ten kinds of mixed ones."""

    a = "a"
    mixed = "mixed"


def _show(found: dict[str, Any], json_wanted: bool) -> None:
    typer.echo(as_json(found) if json_wanted else as_text(found))


def _ready() -> dict[str, float]:
    """Import and compile first, so that neither is in what is measured. Their CPU seconds since the process began."""
    from podium.bench.warm_up import compile_kernels

    imported = process_time()
    compile_kernels()
    return {"import_seconds": imported, "compile_seconds": process_time() - imported}


@bench.command("a")
def bench_a(pods: PODS = 100, repeats: REPEATS = 7, as_json: AS_JSON = False) -> None:
    """Benchmark A: the cheapest day of PODs with load, PV and battery, from arrays to schedules, on one core."""
    taken = _ready()
    from podium.bench.benchmark_a import run

    _show(run(pods, repeats) | taken, as_json)


GAP = Annotated[float, typer.Option(min=0.0, help="Certified gap at which to stop, such as 0.005.")]


@bench.command("c")
def bench_c(pods: PODS = 100, gap: GAP = 0.003, as_json: AS_JSON = False) -> None:
    """Benchmark C: the PODs of benchmark A and reserve in 4-hour blocks, to a certified plan, on one core."""
    taken = _ready()
    from podium.bench.benchmark_c import run

    run(10, 0.05)
    _show(run(pods, gap) | taken, as_json)


@bench.command("peak")
def bench_peak(pods: PODS = 1000, gap: GAP = 0.001, as_json: AS_JSON = False) -> None:
    """Batteries behind one connection with a peak charge of 0.5 EUR/kW and day, on one core."""
    taken = _ready()
    from podium.bench.peak import run

    run(20, 0.05)
    _show(run(pods, gap) | taken, as_json)


@bench.command("fleet")
def bench_fleet(pods: PODS = 100_000, workers: WORKERS = None, as_json: AS_JSON = False) -> None:
    """The PODs of benchmark A on one market price: set points of all devices, on several threads."""
    taken = _ready()
    from podium.bench.fleet import run

    _show(run(pods, workers) | taken, as_json)


@bench.command("conf7")
def bench_conf7(pods: PODS = 100, repeats: REPEATS = 3, as_json: AS_JSON = False) -> None:
    """The reference's largest POD, 24 devices: least and greatest energy, on one core."""
    taken = _ready()
    from podium.bench.conf7 import run

    shared = os.environ.get("PODIUM_SHARED")
    _show(run(pods, repeats, Path(shared) if shared else _beside_repository()) | taken, as_json)


def _beside_repository() -> Path:
    """Where the reference's data lie beside a source tree."""
    return Path(__file__).resolve().parents[4] / "shared"


@bench.command("mixed")
def bench_mixed(pods: PODS = 1000, repeats: REPEATS = 2, as_json: AS_JSON = False) -> None:
    """Ten kinds of mixed PODs with tariff spread and connection limits: linear programmes, on one core."""
    taken = _ready()
    from podium.bench.mixed import run

    _show(run(pods, repeats) | taken, as_json)


@bench.command("dispatch")
def bench_dispatch(pods: PODS = 10_000, as_json: AS_JSON = False) -> None:
    """Re-allocation in real time: CPU time per step where PODs drop out and the sun falls short."""
    _ready()
    from podium.bench.dispatch import run

    _show(run(pods), as_json)


@bench.command("activations")
def bench_activations(
    pods: PODS = 200,
    count: Annotated[int, typer.Option(min=1, help="Number of activations.")] = 1000,
    as_json: AS_JSON = False,
) -> None:
    """Random calls of reserve on mixed PODs: what is not delivered, which limits break, CPU time."""
    _ready()
    from podium.bench.activations import run

    _show(run(pods, count), as_json)


@bench.command("team")
def bench_team(
    pods: PODS = 10_000,
    load: Annotated[TeamLoad, typer.Option(help="PODs of benchmark A, or mixed ones.")] = TeamLoad.a,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds; the fastest counts.")] = 5,
    workers: Annotated[int, typer.Option(min=1, help="Processes.")] = 2,
    dask: Annotated[str | None, typer.Option(help="On a Dask cluster: tcp://HOST:PORT or `local`.")] = None,
    as_json: AS_JSON = False,
) -> None:
    """Best responses to prices by workers that keep their PODs: speed-up against one process, bytes per round."""
    _ready()
    from podium.bench.team import run
    from podium.compute import Where

    where = Where.processes(workers) if dask is None else Where.dask(dask, workers)
    _show(run(pods, load.value, rounds, where), as_json)


@bench.command("run")
def bench_run(
    pods: PODS = 10_000,
    kind: Annotated[StudyKind, typer.Option(help="Third device of every POD.")] = StudyKind.pv,
    workers: WORKERS = None,
    as_json: AS_JSON = False,
) -> None:
    """A whole run, from files to report, of a study with three devices per POD: wall, CPU, memory."""
    _ready()
    from podium.bench.whole_run import run

    _show(run(pods, kind.value, workers), as_json)


@bench.command("scaling")
def bench_scaling(
    largest: Annotated[int, typer.Option(min=10, help="Largest number of PODs.")] = 100_000,
    kind: Annotated[StudyKind, typer.Option(help="Third device of every POD.")] = StudyKind.pv,
    workers: WORKERS = None,
    figure: Annotated[Path, typer.Option(help="The picture to write.")] = Path("scaling.png"),
    as_json: AS_JSON = False,
) -> None:
    """Level 1, one process against several, for 10 to 100,000 PODs, beside the reference's times."""
    _ready()
    from podium.bench.figure import draw_scaling
    from podium.bench.scaling import SIZES, run, table

    found = run([size for size in SIZES if size <= largest], kind.value, workers)
    draw_scaling(found, figure)
    if as_json:
        _show(found, as_json)
    else:
        typer.echo(f"{table(found)}\nfigure: {figure}")
