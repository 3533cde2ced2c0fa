"""The command line: it parses, calls the library, and says what came out."""

from __future__ import annotations

import json
import os
import shlex
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from podium.bench.commands import bench
from podium.compute import Progress as Told
from podium.compute import Where, silent
from podium.errors import InputError, PodiumError, Problem
from podium.version import __version__

if TYPE_CHECKING:
    from podium.market.coordination import Round

app = typer.Typer(
    name="podium",
    help="Podium: simulate and optimise a virtual power plant. Start with `podium init DIR`, then `podium run DIR`.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
imports = typer.Typer(help="Make input from public data.", no_args_is_help=True)
app.add_typer(imports, name="import")
app.add_typer(bench, name="bench")
users = typer.Typer(help="Manage the users of the service.", no_args_is_help=True)
app.add_typer(users, name="user")

AS_JSON = Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")]
FOLDER = Annotated[Path, typer.Argument(help="The study folder.", metavar="DIR")]
DATA = Annotated[
    Path | None,
    typer.Option(help="Folder of the service's data.  [default: podium-data, or PODIUM_DATA]", metavar="DIR"),
]
EMAIL = Annotated[str, typer.Argument(help="E-mail address.", metavar="EMAIL")]
FAILED, BAD_INPUT, ENDED_BY_SIGNAL = 1, 2, 128
#: What is left of a run may take this long to tidy up after a signal, s.
GRACE_SECONDS = 10.0
#: How soon an end that was lost in a callback is tried again, s.
AGAIN_SECONDS = 0.02


class Method(StrEnum):
    """Level 2."""

    exact = "exact"
    virtus = "virtus"


class _Ended(BaseException):
    """The user, or the system, wants this process to end."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


def main() -> None:
    """Entry point. Exit code 0: all went well; 1: something failed; 2: bad input; 130: interrupted."""
    _listen()
    try:
        app()
    except InputError as error:
        _complain(str(error))
        sys.exit(BAD_INPUT)
    except PodiumError as error:
        _complain(str(error))
        sys.exit(FAILED)
    except OSError as error:
        about = f"{error.filename}: " if error.filename else ""
        _complain(f"{about}{error.strerror or error}")
        sys.exit(FAILED)
    except _Ended as error:
        _say_ended(error.number)
        sys.exit(ENDED_BY_SIGNAL + error.number)


def _listen() -> None:
    """Ctrl-C and a polite request to end become `_Ended`, once; signals that are ignored stay so."""

    def end(number: int, _frame: FrameType | None) -> None:
        for heard in listening:
            signal.signal(heard, signal.SIG_DFL)
        late = threading.Timer(GRACE_SECONDS, _end_at_once, (number,))
        late.daemon = True
        late.start()
        raise _Ended(number)

    def again(number: int, _frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        raise _Ended(number)

    def lost(what: sys.UnraisableHookArgs) -> None:
        """A callback, of a compiler for instance, cannot be left by `_Ended`: it is raised again once that is over."""
        if not isinstance(what.exc_value, _Ended):
            usual_hook(what)
            return
        signal.signal(what.exc_value.number, again)
        soon = threading.Timer(AGAIN_SECONDS, _wake, (what.exc_value.number,))
        soon.daemon = True
        soon.start()

    usual = (signal.SIG_DFL, signal.default_int_handler)
    listening = [number for number in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(number) in usual]
    usual_hook, sys.unraisablehook = sys.unraisablehook, lost
    for number in listening:
        signal.signal(number, end)


def _wake(number: int) -> None:
    """The signal, for the main thread: where it waits, it wakes up."""
    if hasattr(signal, "pthread_kill"):
        signal.pthread_kill(threading.main_thread().ident or 0, number)
    else:
        signal.raise_signal(number)


def _say_ended(number: int) -> None:
    how = "interrupted" if number == signal.SIGINT else f"ended by {signal.Signals(number).name}"
    _complain(f"{how}; results of earlier runs are as they were")


def _end_at_once(number: int) -> None:
    """End although `_Ended` was lost in somebody's callback; worker processes end when this one is gone."""
    _say_ended(number)
    sys.stderr.flush()
    os._exit(ENDED_BY_SIGNAL + number)


def _complain(text: str) -> None:
    typer.echo(f"podium: {text}", err=True)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    del version


def _examples(wanted: bool) -> None:
    if wanted:
        from podium.study.examples import EXAMPLES

        for name, what in EXAMPLES.items():
            typer.echo(f"{name:14} {what}")
        raise typer.Exit


@app.command()
def markets(as_json: AS_JSON = False) -> None:
    """List the presets of reserve markets, with their source and date."""
    from podium.study.presets import presets

    if as_json:
        content = {name: preset.model_dump(exclude_unset=True) for name, preset in presets().items()}
        typer.echo(json.dumps(content, indent=2))
        return
    for name, preset in presets().items():
        typer.echo(f"{name}: {preset.title}\n  products  {', '.join(preset.products)}")
        typer.echo(f"  since     {preset.as_of}\n  source    {preset.source}\n  note      {preset.note}\n")


@app.command()
def catalogue(as_json: AS_JSON = False) -> None:
    """List the plants that a study can be composed of, with what stands behind each."""
    from podium.study.catalogue import catalogue as templates
    from podium.study.catalogue import catalogue_content

    if as_json:
        typer.echo(json.dumps(catalogue_content(), indent=2))
        return
    for name, found in templates().items():
        typer.echo(f"{name:20} {found.title}")
        for device in found.devices:
            typer.echo(f"{'':20} {device.count} x {device.name} ({device.kind}): {device.what}")


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(help="A new or empty folder.", metavar="DIR")],
    example: Annotated[str, typer.Option(help="Which example; `--list` shows them.")] = "one-home",
    show: Annotated[
        bool, typer.Option("--list", callback=_examples, is_eager=True, help="List the examples and end.")
    ] = False,
    plants: Annotated[
        str | None,
        typer.Option(help='Compose of the catalogue instead: "3 x conf-4, 10 x home-pv-battery".', metavar="PLANTS"),
    ] = None,
    day: Annotated[str | None, typer.Option("--date", help="First day, YYYY-MM-DD.  [default: 2018-03-13]")] = None,
    days: Annotated[int | None, typer.Option(help="Number of days.  [default: 1]")] = None,
    variation: Annotated[float | None, typer.Option(help="Sizes vary by this share, 0 to 0.5.  [default: 0]")] = None,
    settlement: Annotated[str | None, typer.Option(help="market, retail or both.  [default: market]")] = None,
    zone: Annotated[str | None, typer.Option(help="Zone of the bundled prices.  [default: IT-North]")] = None,
    profiles: Annotated[
        Path | None, typer.Option(help="Profiles and prices of your own, a column each.", metavar="FILE")
    ] = None,
    nearest_days: Annotated[
        bool, typer.Option("--nearest-days", help="Where profiles lack a day, take the nearest of that weekday.")
    ] = False,
) -> None:
    """Make a study folder from an example, or compose one of the plant catalogue."""
    del show
    said = {"start": day, "days": days, "size_variation": variation, "price_zone": zone}
    given = {key: value for key, value in said.items() if value is not None}
    if plants is not None:
        market = {} if settlement is None else {"market": {"settlement": settlement}}
        told = _composed(folder, plants, {**given, **market, "nearest_days": nearest_days}, profiles)
    elif given or settlement or profiles or nearest_days:
        raise InputError(Problem("podium init", "options of a composition", "--plants with what it is composed of"))
    else:
        from podium.study.examples import EXAMPLES, write_example

        write_example(example, folder)
        told = EXAMPLES[example]
    typer.echo(f"{folder}: {told}. Next: podium run {shlex.quote(str(folder))}")


def _composed(folder: Path, plants: str, given: dict[str, Any], profiles: Path | None) -> str:
    """Compose a study; says what it holds."""
    from podium.study.compose import compose
    from podium.study.composition import composition_of, parse_plants
    from podium.study.supply import read_given

    content = {"name": plants[:200], "start": "2018-03-13", **given, "plants": parse_plants(plants)}
    composition = composition_of(content)
    compose(composition, folder, None if profiles is None else read_given(profiles, composition.horizon))
    found = composition.installed()
    return f"{found.pods} PODs with {found.devices} devices on {composition.start}"


@app.command()
def run(
    folder: FOLDER,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes, all cores by default; with `--dask tcp://`, waited for.")
    ] = None,
    dask: Annotated[
        str | None,
        typer.Option(help="Run on a Dask cluster: tcp://HOST:PORT, or `local` to start one here.", metavar="ADDRESS"),
    ] = None,
    method: Annotated[Method | None, typer.Option(help="Level 2, instead of the study's.")] = None,
    as_json: AS_JSON = False,
) -> None:
    """Optimise a study on both levels, check it, and write DIR/results with a report."""
    from podium.engine import run as run_study
    from podium.results import RESULTS, ensure_writable
    from podium.study import load_study

    where = Where.of(workers) if dask is None else Where.dask(dask, workers)
    study = load_study(folder)
    if method is not None:
        study = study.with_method(method.value)
    out = (study.folder or folder) / RESULTS
    ensure_writable(out)
    with _progress(len(study.portfolio), quiet=as_json) as phase:
        result = run_study(study, where=where, phase=phase, told=phase.told)
        result.write(out, phase)
    summary = result.summary
    typer.echo(json.dumps(summary, indent=2, default=float) if as_json else _told(summary, out))
    if not result.ok:
        raise typer.Exit(FAILED)


@app.command()
def check(folder: FOLDER, as_json: AS_JSON = False) -> None:
    """Judge the results in DIR/results by the study alone: limits, stores, sums, money, gap."""
    from podium.engine import check as judge
    from podium.study import load_study

    report = judge(load_study(folder))
    if as_json:
        found = [str(violation) for violation in report.violations]
        content = {"violations": report.count, "max_violation_kw": report.max_violation_kw, "found": found}
        typer.echo(json.dumps(content, indent=2))
    else:
        typer.echo(str(report))
    if not report.good:
        raise typer.Exit(FAILED)


@app.command()
def explain(
    folder: FOLDER,
    pod: Annotated[str, typer.Option(help="Which POD.", metavar="ID")],
    at: Annotated[str, typer.Option(help="A time in the step, with its offset: 2018-03-13T14:00+01:00.", metavar="T")],
    device: Annotated[str | None, typer.Option(help="Only this device of the POD.", metavar="ID")] = None,
    as_json: AS_JSON = False,
) -> None:
    """Say why a POD does what it does at a time: prices, value of stored energy, limits and what they are worth."""
    from podium.explaining import explain as explained
    from podium.study import load_study

    found = explained(load_study(folder), pod=pod, at=at, device=device)
    typer.echo(json.dumps(found.as_dict(), indent=2) if as_json else found.text)


@app.command()
def report(folder: FOLDER) -> None:
    """Make report.html and the pictures again from DIR/results."""
    from podium.report import write_report
    from podium.results import RESULTS

    for path in write_report(folder / RESULTS):
        typer.echo(str(path))


@app.command()
def schema() -> None:
    """Print the JSON Schema of study.yaml."""
    from podium.study import study_schema

    typer.echo(json.dumps(study_schema(), indent=2))


@app.command("warm-up")
def warm_up() -> None:
    """Compile the numerical kernels and keep them, so that the first run is as fast as any other."""
    from podium.bench.warm_up import compile_kernels

    seconds = compile_kernels()
    typer.echo(f"kernels ready after {seconds:.1f} s")


@app.command()
def serve(
    data: DATA = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.  [default: 127.0.0.1]")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.  [default: 8000]")] = None,
) -> None:
    """Serve the web app and the API to many users. Everything else is set by PODIUM_... variables (docs/service.md)."""
    with _service() as (commands, settings):
        from podium.web.app import create_site

        commands.serve(settings.read(data=data, host=host, port=port), create_site)


@app.command()
def worker(data: DATA = None) -> None:
    """Compute the runs of a service whose server has PODIUM_WORKERS=0, or help one that has more."""
    with _service() as (_, settings):
        from podium.service.logs import log_as_json
        from podium.service.worker import work

        log_as_json()
        work(settings.read(data=data))


@app.command()
def backup(
    file: Annotated[Path, typer.Argument(help="The archive to write, such as podium.tar.gz; - for standard output.")],
    data: DATA = None,
) -> None:
    """Back up the service: database, studies, results and secret in one archive, also while it serves."""
    with _service() as (commands, settings):
        typer.echo(f"{file}: {commands.back_up(settings.read(data=data), file)}", err=True)


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(help="An archive that `podium backup` made, your own; - for standard input.")],
    data: DATA = None,
) -> None:
    """Restore the service from a backup into an empty folder and an empty database."""
    with _service() as (commands, settings):
        chosen = settings.read(data=data)
        typer.echo(f"{chosen.data}: {commands.restore(chosen, file)}")


@users.command("add")
def add_user(
    email: EMAIL,
    name: Annotated[str | None, typer.Option(help="Name; the address by default.")] = None,
    role: Annotated[str, typer.Option(help="viewer, operator or admin.")] = "operator",
    data: DATA = None,
) -> None:
    """Make a user of the service; the password is asked for, or read from the input."""
    with _service() as (commands, settings), commands.users_of(settings.read(data=data)) as place:
        made = commands.add_user(place, email, name or email, _password(), commands.role_of(role))
        typer.echo(f"{made}: {role}")


@users.command("passwd")
def set_password(email: EMAIL, data: DATA = None) -> None:
    """Give a user of the service another password; it is asked for, or read from the input."""
    with _service() as (commands, settings), commands.users_of(settings.read(data=data)) as place:
        commands.set_password(place, email, _password())
        typer.echo(f"{email}: the password is set, and all sessions are over")


@users.command("list")
def list_users(data: DATA = None, as_json: AS_JSON = False) -> None:
    """List the users of the service."""
    with _service() as (commands, settings), commands.users_of(settings.read(data=data)) as place:
        found = commands.list_users(place)
    if as_json:
        typer.echo(json.dumps(found, indent=2))
    for user in found if not as_json else []:
        typer.echo(f"{user['email']:40} {user['role']:10} {'' if user['active'] else 'locked'}".rstrip())


def _password() -> str:
    """From the terminal, unseen and twice; else the first line of the input."""
    if sys.stdin.isatty():
        return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True))
    return sys.stdin.readline().rstrip("\r\n")


@contextmanager
def _service() -> Iterator[tuple[Any, Any]]:
    """The service's commands and settings; says what to install where they are not there."""
    try:
        from podium.service import commands
        from podium.service.settings import Settings
    except ModuleNotFoundError as error:
        raise PodiumError(f"the service needs {error.name!r}: pip install 'podium[service]'") from None
    yield commands, Settings


@imports.command("smard")
def import_smard(
    file: Annotated[Path, typer.Argument(help="Day-ahead prices as downloaded from SMARD.de (CSV).", metavar="FILE")],
    out: Annotated[Path, typer.Option(help="The price table to write: .csv or .parquet.")] = Path("prices.csv"),
    zone: Annotated[
        str | None, typer.Option(help="Bidding zone, such as IT-North; needed where there are several.")
    ] = None,
    start: Annotated[str | None, typer.Option(help="First day, YYYY-MM-DD.")] = None,
    days: Annotated[int | None, typer.Option(min=1, help="Number of days.")] = None,
) -> None:
    """Make a price table from a SMARD day-ahead file."""
    from podium.study.smard import import_smard as import_file

    typer.echo(str(import_file(file, out, zone, start, days)))


@imports.command("simbench")
def import_simbench(
    code: Annotated[str, typer.Argument(help="A grid, such as 1-LV-rural1--2-sw.", metavar="CODE")],
    out: Annotated[Path, typer.Option(help="The study folder to make.")] = Path("simbench"),
    start: Annotated[str | None, typer.Option(help="First day of 2016, YYYY-MM-DD.")] = None,
    days: Annotated[int, typer.Option(min=1, help="Number of days.")] = 1,
) -> None:
    """Make a study from a SimBench grid (needs the extra `simbench`)."""
    from podium.study.simbench import import_simbench as import_grid

    typer.echo(str(import_grid(code, out, start, days)))


@contextmanager
def _progress(pods: int, *, quiet: bool) -> Iterator[_Phases]:
    """A bar per phase on the error stream where that is a terminal, so that output and logs stay clean."""
    console = Console(stderr=True, quiet=quiet)
    columns = (
        TextColumn("{task.description:18}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("PODs"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, disable=quiet or not console.is_terminal) as bars:
        phases = _Phases(bars, pods)
        yield phases
        phases.finish()


class _Phases:
    """Starts a bar when a phase begins, and ends the one before."""

    def __init__(self, bars: Progress, pods: int) -> None:
        self.bars, self.pods = bars, pods
        self.task: TaskID | None = None

    def __call__(self, name: str) -> Told:
        self.finish()
        self.task = task = self.bars.add_task(name, total=self.pods)
        if not name.startswith("level"):
            return silent

        def told(done: int) -> None:
            self.bars.advance(task, done)

        return told

    def told(self, found: Round) -> None:
        """Show how far the coordination has come."""
        if self.task is not None:
            self.bars.update(self.task, description=f"level 2 gap {found.gap:.2%}"[:18])

    def finish(self) -> None:
        """Fill the bar of the phase under way."""
        if self.task is not None:
            self.bars.update(self.task, completed=self.pods)


def _told(summary: dict[str, Any], out: Path) -> str:
    """A run in a few lines."""
    level1, level2, checked = summary["level1"], summary["level2"], summary["check"]
    lines = [
        f"{summary['study']}: {_counted(summary['pods'], 'POD')}, {_counted(summary['devices'], 'device')}, "
        f"{_counted(summary['steps'], 'step')}",
        f"level 1   cost {level1['cost_eur']:,.2f} EUR, {level1['failed']} failed, {level1['seconds']:.1f} s",
    ]
    if level2["method"] == "exact":
        proven = "no bound"
        if level2["gap"] is not None:
            rounds = _counted(level2["rounds"], "round")
            proven = f"bound {level2['bound_eur']:,.2f} EUR, gap {level2['gap']:.2%}, {rounds}"
        lines.append(f"level 2   profit {level2['profit_eur']:,.2f} EUR, {proven}, {level2['seconds']:.1f} s")
        lines += [f"reserve   {name}: {_blocks(offers)} MW by block" for name, offers in level2["offers_mw"].items()]
    elif level2["method"] is not None:
        lines.append(f"level 2   {level2['method']}: profit of the baseline {level2['profit_eur']:,.2f} EUR")
    if summary["virtus"]:
        missing = [summary["virtus"][f"undelivered_{side}_kwh"] for side in ("max", "min")]
        above, below = (f"{lower:,.1f} to {upper:,.1f} kWh" for lower, upper in missing)
        lines.append(
            f"reference promises {summary['virtus']['profit_eur']:,.2f} EUR; "
            f"devices cannot deliver {above} of its upper bound, {below} of its lower one"
        )
    lines.append(f"check     {checked['violations']} violations, at most {checked['max_violation_kw']:.2g} kW")
    lines += [f"failed    {failure['pod']}: {failure['reason']}" for failure in level1["failures"][:10]]
    lines += [f"note      {notice}" for notice in summary["notices"][:10]]
    more = max(len(summary["notices"]) - 10, 0) + max(level1["failed"] - 10, 0)
    lines += [f"          ... and {more} more, in the report"] if more else []
    return "\n".join([*lines, f"report    {out / 'report.html'}"])


def _blocks(offers: list[float]) -> str:
    return " ".join(f"{offer:.3g}" for offer in offers)


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"
