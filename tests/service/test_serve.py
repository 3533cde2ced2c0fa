"""`podium serve` as a process: from an empty folder, through kill -9, to its end."""

from __future__ import annotations

import json
import os
import re
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pyarrow.parquet as pq
import pytest
from sqlalchemy import NullPool, create_engine, text

import podium
from podium.bench.big_study import write_big_study
from podium.client import Client, is_ready
from podium.service.database import database_url as address_of
from processes import PATIENCE_SECONDS, alive, children, cpu_seconds, end, reserved_port, until
from service.conftest import PASSWORD

PODIUM = [sys.executable, "-c", "from podium.cli import main; main()"]
RUN_SECONDS = 600.0
"""Longest wait for a run of some seconds, whose worker is nicer than all else on a busy machine."""


class Server:
    """A server in a folder, started as users start it."""

    def __init__(self, folder: Path, database_url: str | None, port: int, log: IO[str]) -> None:
        self.url, self._folder, self._log = f"http://127.0.0.1:{port}", folder, log
        self.environment = os.environ | {
            "PODIUM_PORT": str(port),
            "PODIUM_LEASE_SECONDS": "2",
            "PODIUM_KEEP_SECONDS": "0.05",
        }
        if database_url is not None:
            self.environment["PODIUM_DATABASE_URL"] = database_url

    def start(self) -> None:
        """Start, and wait until it answers."""
        command = [*PODIUM, "serve"]
        self.process = subprocess.Popen(command, cwd=self._folder, env=self.environment, stderr=self._log)
        until(lambda: is_ready(self.url) or self.process.poll() is not None, "the server answers")
        assert self.process.poll() is None, self.said()
        until(self.workers, "a worker is there")

    def workers(self) -> list[int]:
        """The processes that compute."""
        return children(self.process.pid)

    def said(self) -> str:
        """The log so far."""
        self._log.seek(0)
        return self._log.read()

    def kill(self, *others: int) -> None:
        """kill -9, without a word to anybody."""
        for process in (self.process.pid, *others):
            os.kill(process, signal.SIGKILL)
        self.process.wait()

    def end(self) -> None:
        """Ask it to end; its workers end with it."""
        workers = self.workers()
        try:
            end(self.process)
            until(lambda: not any(map(alive, workers)), "the workers have ended")
        finally:
            for worker in filter(alive, workers):
                os.kill(worker, signal.SIGKILL)


@contextmanager
def serving(folder: Path, database_url: str | None = None) -> Iterator[Server]:
    """A server in an empty folder; no process of it is left."""
    with reserved_port() as port, (folder / "log").open("a+", encoding="utf-8") as log:
        found = Server(folder, database_url, port, log)
        try:
            found.start()
            yield found
        finally:
            found.end()


@contextmanager
def held(workers: list[int]) -> Iterator[None]:
    """Workers that compute nothing meanwhile."""
    try:
        for worker in workers:
            os.kill(worker, signal.SIGSTOP)
        yield
    finally:
        for worker in filter(alive, workers):
            os.kill(worker, signal.SIGCONT)


@pytest.fixture
def server(tmp_path: Path, database_url: str | None) -> Iterator[Server]:
    """A server of the test's own."""
    with serving(tmp_path, database_url) as found:
        yield found


@pytest.fixture
def many_homes(tmp_path: Path) -> Path:
    """A study of 640 PODs: ten batches of level 1 that take a while, without integers and their time limits."""
    write_big_study(tmp_path / "many-homes", 640, "car")
    return tmp_path / "many-homes"


def said(folder: Path, *words: str) -> str:
    """What `podium user` says, which reads the password from its input."""
    done = subprocess.run(
        [*PODIUM, "user", *words],
        input=PASSWORD + "\n",
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


only_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@only_sqlite
def test_from_an_empty_folder_to_a_result(server: Server, tmp_path: Path) -> None:
    """The first visitor signs up, opens the example, and sees it done after less than a minute of work.

    A run is cancelled in its midst, another worker takes the place of the one that ended with it; and the server ends
    when it is asked to, as do its workers.
    """
    with Client(server.url) as client:
        assert client.set_up("ada@example.org", "Ada", PASSWORD).role == "admin"
        study = client.make_example("one-home")
        worker = server.workers()
        run = client.wait(client.start_run(study.id).id, RUN_SECONDS)
        assert (run.state, run.attempts) == ("done", 1)
        assert sum(map(cpu_seconds, worker)) < 60
        long = client.start_run(client.make_example("it-north-200").id)
        until(lambda: client.run(long.id).phase, "the long run computes")
        client.cancel_run(long.id)
        assert client.wait(long.id, PATIENCE_SECONDS).state == "cancelled"
        until(lambda: not any(map(alive, worker)), "what computed the cancelled run has ended")
        until(lambda: [found for found in server.workers() if found not in worker], "another worker is there")
    data = tmp_path / "podium-data"
    assert stat.S_IMODE((data / "secret").stat().st_mode) == 0o600
    entries = [json.loads(line) for line in server.said().splitlines() if line.startswith("{")]
    assert {entry["run"] for entry in entries if "run" in entry} >= {str(run.id), str(long.id)}
    assert PASSWORD not in server.said()
    assert said(tmp_path, "add", "bob@example.org", "--role", "viewer") == "bob@example.org: viewer\n"
    users = json.loads(said(tmp_path, "list", "--json"))
    assert [(user["email"], user["role"]) for user in users] == [
        ("ada@example.org", "admin"),
        ("bob@example.org", "viewer"),
    ]
    with Client(server.url) as client:
        assert client.sign_in("bob@example.org", PASSWORD).role == "viewer"
    os.kill(server.process.pid, signal.SIGTERM)
    assert server.process.wait(PATIENCE_SECONDS) in (0, 128 + signal.SIGTERM)


def test_a_run_goes_on_after_kill_9_of_everything(
    server: Server, tmp_path: Path, many_homes: Path, database_url: str | None
) -> None:
    """Server and worker die in the midst of level 1; the next server finishes the run, once, from where it was.

    The log says which batches of PODs were there already. A file that the killed worker left half written is passed
    over. The result is that of an uninterrupted run.
    """
    with Client(server.url) as client:
        client.set_up("ada@example.org", "Ada", PASSWORD)
        run = client.start_run(client.upload_study(many_homes).id)
        kept = tmp_path / "podium-data" / "runs" / str(run.id) / "kept"
        until(lambda: any(kept.glob("*.kept")), "some batches are done")
        workers = server.workers()
        server.kill(*workers)
        assert state(tmp_path, database_url) == [("running", 1)]
        whole = next(kept.glob("*.kept")).read_bytes()
        (kept / "level-1-half.kept").write_bytes(whole[: len(whole) // 2])
        server.start()
        done = client.wait(run.id, RUN_SECONDS)
        assert (done.state, done.attempts) == ("done", 2)
        log = [line.text for line in client.log(run.id)]
        assert (log.count("done"), log.count("level 1")) == (1, 2)
        told = (
            re.fullmatch(r"level 1: batch(?:es)? ([\d, -]+) of 10 done by an earlier attempt", line) for line in log
        )
        assert [found[1] for found in told if found] not in ([], ["1-10"]), "some of them, not all"
        until(lambda: not kept.exists(), "what was kept is gone")
        results = client.download_results(run.id, tmp_path / "got")
    podium.run(podium.load_study(many_homes), workers=1).write(tmp_path / "expected")
    for table in ("steps", "pods", "schedule", "bids"):
        got, expected = (pq.read_table(folder / f"{table}.parquet") for folder in (results, tmp_path / "expected"))
        assert got.equals(expected)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_backup_of_a_server_at_work_is_a_server_at_work(server: Server, tmp_path: Path, many_homes: Path) -> None:
    """`podium backup - | podium restore -` in mid-run, from PostgreSQL into SQLite: both servers finish the run.

    The restored one goes on from the batches that were done, and both results are the same. The worker is held while
    the command reads, which may take longer to start than the run takes.
    """
    with Client(server.url) as client:
        client.set_up("ada@example.org", "Ada", PASSWORD)
        run = client.start_run(client.upload_study(many_homes).id)
        kept = tmp_path / "podium-data" / "runs" / str(run.id) / "kept"
        until(lambda: any(kept.glob("*.kept")), "some batches are done")
        command = [*PODIUM, "backup", "-"]
        with held(server.workers()):
            made = subprocess.run(
                command, cwd=tmp_path, env=server.environment, capture_output=True, timeout=PATIENCE_SECONDS, check=True
            )
        assert b"1 users, 1 studies, 1 runs" in made.stderr
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        command = [*PODIUM, "restore", "-"]
        subprocess.run(command, cwd=elsewhere, input=made.stdout, timeout=PATIENCE_SECONDS, check=True)
        assert client.wait(run.id, RUN_SECONDS).attempts == 1
        ours = client.download_results(run.id, tmp_path / "ours")
    with serving(elsewhere) as restored, Client(restored.url) as client:
        client.sign_in("ada@example.org", PASSWORD)
        done = client.wait(run.id, RUN_SECONDS)
        assert (done.state, done.attempts) == ("done", 2)
        assert any("done by an earlier attempt" in line.text for line in client.log(run.id))
        theirs = client.download_results(run.id, tmp_path / "theirs")
    for table in ("steps", "pods", "schedule", "bids"):
        assert pq.read_table(ours / f"{table}.parquet").equals(pq.read_table(theirs / f"{table}.parquet"))


def state(folder: Path, database_url: str | None) -> list[tuple[str, int]]:
    """State and attempts of all runs, in the order in which they were asked for, read from the database itself."""
    engine = create_engine(address_of(folder / "podium-data", database_url), poolclass=NullPool)
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT state, attempts FROM run ORDER BY created_at"))
        return [tuple(row) for row in rows]


@only_sqlite
def test_a_worker_outlives_its_server_until_its_run_is_done(server: Server, tmp_path: Path, many_homes: Path) -> None:
    """kill -9 of the server alone: the run is neither lost nor begun twice, and the worker without a server leaves."""
    with Client(server.url) as client:
        client.set_up("ada@example.org", "Ada", PASSWORD)
        study = client.upload_study(many_homes)
        first = client.start_run(study.id)
        client.start_run(study.id, again=True)
        until(lambda: client.run(first.id).phase, "the run computes")
        workers = server.workers()
        server.kill()
        assert state(tmp_path, None) == [("running", 1), ("queued", 0)]
        until(lambda: not any(map(alive, workers)), "the worker has finished its run and left", RUN_SECONDS)
        assert state(tmp_path, None) == [("done", 1), ("queued", 0)]
