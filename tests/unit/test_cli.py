"""The command line: exit codes, words, and that a run which is stopped leaves the old results whole."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from podium import cli
from processes import PATIENCE_SECONDS, members, until
from unit.study_folders import one_home, write_files

PODIUM = [sys.executable, "-c", "from podium.cli import main; main()"]


def podium(*arguments: str | Path, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    """A command in a process of its own, as users start it."""
    return subprocess.run(
        [*PODIUM, *map(str, arguments)], capture_output=True, text=True, cwd=folder, timeout=300, check=False
    )


Say = Callable[..., tuple[int, str, str]]


@pytest.fixture
def say(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Say:
    """A command in this process: exit code, output, errors."""

    def run(*arguments: str | Path) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["podium", *map(str, arguments)])
        kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            cli.main()
            code = 0
        except SystemExit as end:
            code = int(end.code or 0)
        finally:
            for number, handler in kept.items():
                signal.signal(number, handler)
        out, errors = capsys.readouterr()
        return code, out, errors

    return run


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study of two PODs with its results, in a folder whose name has spaces."""
    folder = write_files(tmp_path_factory.mktemp("cli") / "my study", one_home())
    done = podium("run", folder, "--workers", "1")
    assert done.returncode == 0, done.stderr
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_a_run_prints_a_few_lines_and_nothing_else(home: Path, say: Say) -> None:
    """On a terminal there are bars on the error stream; in a pipe or a log there is nothing there."""
    code, out, errors = say("run", home, "--workers", "1")
    assert (code, errors) == (0, "")
    lines = out.splitlines()
    assert lines[0] == "One home: 2 PODs, 6 devices, 96 steps"
    starts = [line.split()[0] for line in lines[1:]]
    assert starts == ["level", "level", "reference", "check", "report"]
    assert lines[-1].endswith(str(home / "results" / "report.html"))


def test_one_is_no_plural() -> None:
    found = [cli._counted(count, "POD") for count in (0, 1, 2, 10_000)]
    assert found == ["0 PODs", "1 POD", "2 PODs", "10,000 PODs"]


def test_json_is_all_that_stands_on_the_output(home: Path, say: Say) -> None:
    code, out, errors = say("run", home, "--json", "--workers", "1")
    assert (code, errors) == (0, "")
    assert json.loads(out)["check"]["violations"] == 0
    code, out, errors = say("check", home, "--json")
    assert (code, errors) == (0, "")
    assert json.loads(out) == {"violations": 0, "max_violation_kw": pytest.approx(0, abs=1e-6), "found": []}


def test_the_method_can_be_chosen(home: Path, say: Say) -> None:
    code, out, _ = say("run", home, "--json", "--workers", "1", "--method", "virtus")
    assert code == 0
    assert json.loads(out)["level2"]["method"] == "virtus"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "nowhere"], "podium: nowhere: does not exist; expected a study folder (or its study.yaml)"),
        (["check", "nowhere"], "podium: nowhere: does not exist"),
        (["report", "nowhere"], "podium: nowhere/results/summary.json: no such file; expected the results of a run"),
        (["init", "new", "--example", "nope"], "podium: example: 'nope'; expected one of 'dst-days'"),
        (["import", "smard", "nowhere.csv"], "podium: nowhere.csv: No such file or directory; expected a SMARD"),
        (["run", "nowhere", "--workers", "0"], "--workers"),
        (["run", "nowhere", "--dask", "magic"], "address of a Dask cluster: 'magic'; expected 'local', or"),
        (["run", "nowhere", "--method", "magic"], "is not one of 'exact'"),
        (["fly"], "No such command 'fly'"),
        (["run"], "Missing argument 'DIR'"),
    ],
)
def test_bad_input_ends_with_2_and_says_what_was_expected(
    arguments: list[str], words: str, say: Say, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, errors = say(*arguments)
    assert (code, out) == (2, "")
    assert words in " ".join(errors.split())
    assert "Traceback" not in errors
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_line_of_a_table_is_named(tmp_path: Path, say: Say) -> None:
    files = one_home()
    files["battery.csv"] = files["battery.csv"].replace("0.92", "92")
    code, _, errors = say("run", write_files(tmp_path, files))
    assert code == 2
    assert errors.startswith("podium: battery.csv, line 2: charge_efficiency 92")
    assert "95 % is 0.95" in errors


def test_init_makes_a_study_and_never_touches_what_is_there(tmp_path: Path, say: Say) -> None:
    folder = tmp_path / "a home"
    code, out, errors = say("init", folder)
    assert (code, errors) == (0, "")
    assert out.endswith(f"Next: podium run '{folder}'\n")
    before = contents(folder)
    code, _, errors = say("init", folder)
    assert (code, contents(folder)) == (2, before)
    assert "is not empty; expected a new or empty folder" in errors
    (tmp_path / "file").touch()
    code, _, errors = say("init", tmp_path / "file" / "sub")
    assert code in (1, 2)
    assert str(tmp_path / "file") in errors
    assert "Traceback" not in errors


def test_examples_are_listed_without_a_folder(say: Say) -> None:
    code, out, _ = say("init", "--list")
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()] == ["one-home", "dst-days", "it-north-200", "it-north-afrr"]


def test_markets_are_listed_with_source_and_date(say: Say) -> None:
    code, out, _ = say("markets")
    assert code == 0
    for words in ("eu-afrr: Automatic", "products  afrr-up, afrr-down", "since     2021-05", "superseded by TIDE"):
        assert words in out
    code, out, _ = say("markets", "--json")
    assert code == 0
    assert json.loads(out)["eu-fcr"]["products"]["fcr"]["sustain_hours"] == 0.25


def test_check_without_results_says_how_to_make_them(tmp_path: Path, say: Say) -> None:
    code, _, errors = say("check", write_files(tmp_path, one_home()))
    assert code == 2
    assert "results: no such folder; expected the results of a run (`podium run` writes them)" in errors


def test_check_finds_results_that_were_changed(home: Path, tmp_path: Path, say: Say) -> None:
    folder = write_files(tmp_path / "spoiled", one_home())
    write_files(folder / "results", contents(home / "results"))
    assert say("check", folder)[0] == 0
    table = folder / "results" / "schedule.parquet"
    frame = pd.read_parquet(table)
    frame.loc[frame["device"] == "load-1", "power_kw"] += 0.5
    frame.to_parquet(table)
    code, out, _ = say("check", folder)
    assert code == 1
    assert "violations" in out
    assert "load-1" in out
    table.write_bytes(b"no parquet")
    code, _, errors = say("check", folder)
    assert code == 2
    assert "schedule.parquet" in errors


def test_explain_says_why_in_words_or_for_machines(home: Path, say: Say) -> None:
    """A battery at noon: the same numbers in words and as JSON; a wrong POD names the right one."""
    options = ["explain", home, "--pod", "home-1", "--at", "2018-05-14T12:05+02:00", "--device", "battery-1"]
    code, out, _ = say(*options)
    assert code == 0
    assert out.startswith("home-1, 2018-05-14T12:00:00+02:00, 15 min (local time, Europe/Rome)\n")
    assert "EUR/kWh at the meter, losses and wear included." in out
    code, machine, _ = say(*options, "--json")
    assert code == 0
    content = json.loads(machine)
    assert [each["device"] for each in content["devices"]] == ["battery-1"]
    assert "\n".join(content["lines"]) + "\n" == out
    code, _, errors = say("explain", home, "--pod", "hmoe-1", "--at", "2018-05-14T12:05+02:00")
    assert code == 2
    assert "POD: 'hmoe-1'; expected 'home-1'" in errors


def test_report_is_made_again_from_the_files(home: Path, say: Say) -> None:
    page = home / "results" / "report.html"
    page.unlink()
    code, out, _ = say("report", home)
    assert code == 0
    assert out.splitlines()[0] == str(page)
    assert page.stat().st_size > 100_000


def test_a_study_that_cannot_be_written_to_is_told_before_the_work(
    home: Path, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    monkeypatch.setattr("podium.engine.run", lambda *_, **__: pytest.fail("it ran"))
    code, _, errors = say("run", home)
    assert code == 2
    assert f"{home}: permission denied; expected a folder that results can be written to" in errors


def test_help_answers_at_once_and_names_every_command() -> None:
    """No heavy package is imported before it is needed."""
    done = podium("--help")
    assert done.returncode == 0
    for name in ("init", "markets", "run", "check", "explain", "report", "schema", "import", "bench", "warm-up"):
        assert f" {name} " in done.stdout
    script = "import sys, podium.cli; print([n for n in ('numpy', 'pandas', 'numba', 'loky') if n in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert loaded.stdout == "[]\n"


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory, home: Path) -> Path:
    """A study that takes long enough to be stopped, with old results."""
    folder = tmp_path_factory.mktemp("slow")
    assert podium("init", folder, "--example", "it-north-200").returncode == 0
    write_files(folder / "results", contents(home / "results"))
    return folder


TELLING = """
import sys
from pathlib import Path
from podium import cli, engine

some_done, usual = Path(sys.argv.pop(1)), engine.run

def run(study, *, phase, **given):
    def telling(name):
        progress = phase(name)
        def advanced(pods):
            progress(pods)
            some_done.touch()
        return advanced
    return usual(study, phase=telling, **given)

engine.run = run
cli.main()
"""
"""`podium` that makes a file once the first PODs are done."""


@pytest.mark.skipif(os.name == "nt", reason="signals of Unix")
@pytest.mark.parametrize(
    ("number", "workers", "code", "words"),
    [
        (signal.SIGINT, 1, 130, "podium: interrupted; results of earlier runs are as they were"),
        (signal.SIGINT, 2, 130, "podium: interrupted; results of earlier runs are as they were"),
        (signal.SIGTERM, 2, 143, "podium: ended by SIGTERM; results of earlier runs are as they were"),
        (signal.SIGKILL, 2, -9, ""),
    ],
)
def test_a_run_that_is_stopped_leaves_old_results_whole_and_no_process(
    slow: Path, tmp_path: Path, number: signal.Signals, workers: int, code: int, words: str
) -> None:
    """Exit code as shells expect it and one line; killed outright it can say nothing, yet its workers end."""
    before, some_done = contents(slow / "results"), tmp_path / "some done"
    with subprocess.Popen(
        [sys.executable, "-c", TELLING, str(some_done), "run", str(slow), "--workers", str(workers)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=heed_signals,  # noqa: PLW1509
    ) as running:
        try:
            until(lambda: some_done.exists() or running.poll() is not None, "the first PODs are done")
            assert running.poll() is None
            running.send_signal(number)
            out, errors = running.communicate(timeout=PATIENCE_SECONDS)
        finally:
            running.kill()
    assert (running.returncode, out) == (code, "")
    assert errors.startswith(words), errors
    assert "Traceback" not in errors
    assert contents(slow / "results") == before
    assert not [path for path in slow.iterdir() if path.name.startswith(".")]
    until(lambda: not members(running.pid), "no process of the session is left")


LOST = """
import os, signal, time
from podium import cli, engine

class Finaliser:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT)
        for _ in range(1000):
            pass

def run(*_, **__):
    Finaliser()
    time.sleep(1000)

cli.GRACE_SECONDS = 1000
engine.run = run
cli.main()
"""
"""`podium` that is interrupted where Python drops exceptions."""


@pytest.mark.skipif(os.name == "nt", reason="signals of Unix")
def test_an_end_that_is_lost_in_a_callback_comes_soon_after(slow: Path) -> None:
    command = [sys.executable, "-c", LOST, "run", str(slow)]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False, preexec_fn=heed_signals
    )
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr.startswith("podium: interrupted; results of earlier runs are as they were")
    assert "ignored" not in done.stderr


def heed_signals() -> None:
    """A job in the background inherits an ignored Ctrl-C, which the command line then ignores too."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_the_catalogue_is_listed(say: Say) -> None:
    """Every template with its devices; the same as JSON, with sizes in fields that name their unit."""
    code, out, _ = say("catalogue")
    assert code == 0
    assert "home-pv-battery " in out
    assert "1 x battery (battery): A home battery of 2.5 hours" in out
    code, out, _ = say("catalogue", "--json")
    found = {template["name"]: template for template in json.loads(out)}
    assert code == 0
    assert found["grid-battery"]["installed"]["storage_kwh"] == 2000.0
    assert found["conf-7"]["installed"]["devices"] == 24


def test_init_composes_a_study(say: Say, tmp_path: Path) -> None:
    """Quantities, date, settlement and own prices; what it says is what the folder holds."""
    table = tmp_path / "own.csv"
    table.write_text(
        "time,price_eur_per_mwh\n"
        + "".join(
            f"{stamp.isoformat()},40\n" for stamp in pd.date_range("2019-03-13", periods=24, freq="h", tz="Europe/Rome")
        ),
        encoding="utf-8",
    )
    words = ("--plants", "3 x CONF_4, 2 home", "--date", "2019-03-13", "--profiles", table, "--settlement", "both")
    code, out, errors = say("init", tmp_path / "mine", *words, "--variation", "0.1")
    assert (code, errors) == (0, "")
    assert "5 PODs with 20 devices on 2019-03-13. Next: podium run" in out
    pods = pd.read_csv(tmp_path / "mine" / "pods.csv")["pod"]
    assert pods.tolist() == ["conf-4-01", "conf-4-02", "conf-4-03", "home-01", "home-02"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--plants", "3 x conf-44, 0 home"), "--plants: no template 'conf-44'; expected 'conf-4'"),
        (("--plants", "home", "--date", "13.3.2018"), "start: '13.3.2018'; expected a valid date"),
        (("--plants", "home", "--date", "2018-06-13"), "lacks 2016-06-15, which stands for 2018-06-13"),
        (("--plants", "home", "--settlement", "nobody"), "market.settlement: 'nobody'; expected 'market', 'retail' or"),
        (("--date", "2018-03-14"), "expected --plants with what it is composed of"),
    ],
)
def test_init_says_what_is_wrong_with_a_composition(
    say: Say, tmp_path: Path, words: tuple[str, ...], told: str
) -> None:
    code, _, errors = say("init", tmp_path / "mine", *words)
    assert code == cli.BAD_INPUT
    assert told in errors
    assert not (tmp_path / "mine").exists()
