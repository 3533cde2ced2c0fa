"""Teams and parts on a Dask cluster: a real scheduler, real worker processes, and what happens when they die."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from podium.compute import ClusterLostError, Progress, Where, WorkerLostError, dask_client, each, silent, team_of
from podium.engine import run
from podium.errors import PodiumError
from podium.study import load_study
from processes import PATIENCE_SECONDS, end, until
from teams import PRICES, answers, asking, failing, killing, killing_once, pids, team
from unit.study_folders import one_home, write_files

pytest.importorskip("distributed")

SERIAL, LOCAL = Where.serial(), Where.dask("local", 2)


@pytest.fixture(scope="module", autouse=True)
def _closed() -> Iterator[None]:
    yield
    dask_client.close_all()


@pytest.fixture
def far(tmp_path: Path) -> Iterator[tuple[Where, subprocess.Popen[bytes]]]:
    """A cluster of two workers that this process did not start, and its scheduler's process."""
    said = tmp_path / "scheduler.json"
    quiet = os.environ | {"DASK_LOGGING__DISTRIBUTED": "critical"}

    def dask(program: str, *options: str) -> subprocess.Popen[bytes]:
        code = f"from distributed.cli.dask_{program} import main; main()"
        command = [sys.executable, "-c", code, "--no-dashboard", "--scheduler-file", str(said), *options]
        return subprocess.Popen(command, env=quiet, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    scheduler = dask("scheduler", "--host", "127.0.0.1", "--port", "0", "--dashboard-address", "127.0.0.1:0")
    workers = dask("worker", "--nworkers", "2", "--nthreads", "1", "--memory-limit", "0", "--death-timeout", "60")
    try:
        until(lambda: _address(said), "the scheduler says where it is")
        yield Where.dask(_address(said)), scheduler
    finally:
        dask_client.close_all()
        end(workers)
        end(scheduler)


def _address(said: Path) -> str:
    """Where the scheduler is; nothing while its file is not there, or not whole."""
    try:
        return str(json.loads(said.read_text())["address"])
    except (OSError, ValueError):
        return ""


def test_dask_gives_the_serial_answers() -> None:
    for count in (0, 1, 7):
        assert answers(LOCAL, count) == answers(SERIAL, count)


def test_states_live_with_the_workers_until_the_team_ends() -> None:
    """Two processes other than this one hold them; both forget them, although the cluster stays."""

    def desks() -> int:
        from podium.compute import cluster

        return len(cluster._desks)

    client = dask_client.connection_to(LOCAL).client
    client.wait_for_workers(2, timeout=PATIENCE_SECONDS)  # also those that stand in for killed ones of other tests
    with team(LOCAL) as asked:
        first, second = asked.ask(pids()), asked.ask(pids())
        until(lambda: sorted(client.run(desks).values()) == [1, 1], "desks of this team alone")
        assert asked.bytes_sent[0] == asked.bytes_sent[1] < 4000
    assert first == second
    assert os.getpid() not in first
    assert sorted(first.count(pid) for pid in set(first)) == [3, 4]
    until(lambda: not any(client.run(desks).values()), "the team is forgotten")


def test_a_worker_killed_in_mid_round_costs_time_and_nothing_else(tmp_path: Path) -> None:
    """Others take over, and not a bit differs; so too where it is killed while nobody asks it."""
    found = answers(LOCAL, round_2=killing_once(3, tmp_path / "marker"))
    assert (tmp_path / "marker").exists()
    assert found == answers(SERIAL)
    with team(LOCAL) as asked, team(SERIAL) as alone:
        for price in PRICES[:3]:
            np.testing.assert_array_equal(asked.ask(asking(price)), alone.ask(asking(price)))
            os.kill(asked.ask(pids())[0], signal.SIGKILL)
            alone.ask(pids())


def test_a_part_that_kills_every_worker_is_named() -> None:
    with team(LOCAL) as asked:
        asked.ask(asking(0.1))
        with pytest.raises(WorkerLostError, match="part 4 of 7 ended its worker process 3 times"):
            asked.ask(asking(0.2, killing(3)))
    assert answers(LOCAL) == answers(SERIAL), "the cluster goes on"


def test_an_exception_comes_with_its_message_and_the_part() -> None:
    with team(LOCAL) as asked:
        with pytest.raises(ValueError, match="no price for 2") as caught:
            asked.ask(asking(0.2, failing(5, 2)))
        assert "in part 3 of 7" in caught.value.__notes__
        assert len(asked.ask(asking(0.3))) == 7


def test_each_part_runs_on_dask_as_here() -> None:
    def square(number: int) -> int:
        if number == 40:
            raise ValueError("part 40 is bad")
        return number * number

    parts = [partial(int, number) for number in range(30)]
    assert dict(each(square, parts, LOCAL)) == dict(each(square, parts, 1))
    assert list(each(square, [], LOCAL)) == []
    with pytest.raises(ValueError, match="part 40 is bad") as caught:
        list(each(square, [*parts, partial(int, 40)], LOCAL))
    assert "in part 31 of 31" in caught.value.__notes__


def test_parts_of_a_killed_worker_are_done_by_another(tmp_path: Path) -> None:
    trap = killing_once(3, tmp_path / "marker")

    def work(number: int) -> int:
        trap(number)
        return number

    assert dict(each(work, [partial(int, number) for number in range(9)], LOCAL)) == {n: n for n in range(9)}
    assert (tmp_path / "marker").exists()


def test_each_names_the_part_that_kills_every_worker() -> None:
    def work(number: int) -> int:
        killing(3)(number)
        return number

    with pytest.raises(WorkerLostError, match="part 4 of 5"):
        list(each(work, [partial(int, number) for number in range(5)], LOCAL))


def test_a_lost_scheduler_is_told_and_leaves_whole_files(
    far: tuple[Where, subprocess.Popen[bytes]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run on the cluster gives what one process gives. The scheduler is then killed between the levels of another.

    That run, a team, and parts that were under way then say so, and results are as they were.
    """
    where, scheduler = far
    study, out = load_study(write_files(tmp_path / "study", one_home())), tmp_path / "results"
    alone, result = run(study, workers=1), run(study, where=where)
    np.testing.assert_array_equal(result.local.baseline.schedule.p, alone.local.baseline.schedule.p)
    assert result.plan is not None
    assert alone.plan is not None
    assert result.plan.profit_eur == alone.plan.profit_eur
    out.mkdir()
    (out / "summary.json").write_text("as it was")

    def slow(number: int) -> int:
        time.sleep(0.05)
        return number

    asked, parts = team(where), each(slow, [partial(int, number) for number in range(200)], where)
    next(iter(parts))

    def killing_phase(name: str) -> Progress:
        if name == "level 2":
            scheduler.kill()
            scheduler.wait()
        return silent

    monkeypatch.setattr(dask_client, "CONNECT_SECONDS", 0.3)
    with pytest.raises(ClusterLostError, match="Dask scheduler"):
        run(study, where=where, phase=killing_phase).write(out)
    assert [path.read_text() for path in out.iterdir()] == ["as it was"]
    with pytest.raises(ClusterLostError, match=r"the Dask scheduler at tcp://127\.0\.0\.1:\d+ is gone"):
        asked.ask(asking(0.1))
    with pytest.raises(PodiumError, match="has ended"):
        asked.ask(asking(0.1))
    with pytest.raises(ClusterLostError, match="is gone"):
        list(parts)


def test_as_many_workers_as_were_asked_for_are_waited_for(
    far: tuple[Where, subprocess.Popen[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two come, and both are there before a team begins; of three that are asked for, one is missed by number."""
    where = replace(far[0], workers=2)
    with team(where) as asked:
        assert asked.workers == 2
    monkeypatch.setattr(dask_client, "WORKERS_SECONDS", 0.3)
    with pytest.raises(WorkerLostError, match=r"2 of 3 workers have joined the Dask cluster at tcp:.* in 0.3 s"):
        team(replace(where, workers=3))


def test_an_address_where_nobody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dask_client, "CONNECT_SECONDS", 0.3)
    with pytest.raises(ClusterLostError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:9"):
        team_of(int, [partial(int, 1)], Where.dask("tcp://127.0.0.1:9"))
