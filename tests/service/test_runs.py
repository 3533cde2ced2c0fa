"""Runs: queued fairly, computed once, offered again, and equal to what the library computes."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pyarrow.parquet as pq
import pytest
from pydantic import SecretStr
from sqlalchemy import update

import podium
from podium import engine
from podium.client import Client, ProblemError
from podium.compute import KeptFiles, kept
from podium.engine import PHASES
from podium.service import accounts, housekeeping, jobs, level1, runs, worker
from podium.service.accounts import Role
from podium.service.installation import Installation
from podium.service.tables import RunRow, now
from podium.service.worker import beyond_limits, compute, memory_bytes
from service.conftest import PostgreSql, Visit
from unit.study_folders import one_home, write_files

TABLES = ("steps", "pods", "pod_summary", "schedule")
CLOCKS = ("seconds", "min_seconds", "max_seconds")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A study of two PODs."""
    return write_files(tmp_path / "study", one_home())


def refused(client: Client, code: str, *request: str) -> None:
    """A request that is refused so."""
    with pytest.raises(ProblemError) as caught:
        client.send(*request)
    assert caught.value.code == code


def work(place: Installation) -> None:
    """What a worker does once."""
    job = jobs.take(place)
    assert job is not None
    compute(place, job)


def pretend(place: Installation) -> None:
    """The same to all who watch, without computing."""
    job = jobs.take(place)
    assert job is not None
    for phase in PHASES:
        jobs.tell(place, job, phase, 0, [("phase", phase)])
    (place.run_folder(job.run) / job.attempt).mkdir(parents=True)
    assert jobs.end(place, job, "done", summary={})


def test_a_run_is_what_the_library_computes(visit: Visit, place: Installation, folder: Path, tmp_path: Path) -> None:
    """Every table and figure of the service equals those of `podium.run`, clocks apart; so do the exports."""
    client = visit("ada@example.org")
    study = client.upload_study(folder)
    run = client.start_run(study.id)
    assert (run.state, run.ahead, run.pods, run.phases) == ("queued", 0, 2, list(PHASES))
    refused(client, "conflict", "GET", f"/runs/{run.id}/results")
    work(place)
    done = client.run(run.id)
    assert (done.state, done.attempts, done.problem) == ("done", 1, None)
    assert [line.text for line in client.log(run.id)] == ["queued", "running", *PHASES, "done"]
    podium.run(podium.load_study(folder), workers=1).write(tmp_path / "expected")
    got, expected = client.download_results(run.id, tmp_path / "got"), tmp_path / "expected"
    assert {path.name for path in got.iterdir()} == {path.name for path in expected.iterdir()}
    for table in TABLES:
        ours, theirs = (pq.read_table(where / f"{table}.parquet") for where in (got, expected))
        clocks = [name for name in CLOCKS if name in theirs.column_names]
        assert ours.drop_columns(clocks).equals(theirs.drop_columns(clocks))
    summary = json.loads((expected / "summary.json").read_text(encoding="utf-8"))
    assert done.summary is not None
    assert done.summary["level2"]["profit_eur"] == summary["level2"]["profit_eur"]
    assert client.result_table(run.id, "pods", pod="home-2").total == 96
    report = client.http.get(f"/api/v1/runs/{run.id}/results/files/report.html")
    assert "sandbox allow-scripts" in report.headers["content-security-policy"]
    assert b"position_kw" in client.send("GET", f"/runs/{run.id}/results/tables/steps/csv").content
    for name in ("steps.parquet", "nothing.json", "%2e%2e"):
        refused(client, "not-found", "GET", f"/runs/{run.id}/results/files/{name}")


def test_level_1_alone_and_the_portfolio_from_it_are_the_full_run(
    visit: Visit, place: Installation, folder: Path, tmp_path: Path
) -> None:
    """A local run has level 1 and no plan; the portfolio's run that starts from it has the tables of a full run."""
    client = visit("ada@example.org")
    study = client.upload_study(folder)
    local = client.start_run(study.id, kind="local")
    with pytest.raises(ProblemError, match="that is done"):
        client.start_run(study.id, kind="portfolio", local_run=local.id)
    work(place)
    found = client.run(local.id)
    assert found.summary is not None
    assert (found.state, found.summary["level2"]["method"], found.summary["check"]["violations"]) == ("done", None, 0)
    assert [line.text for line in client.log(local.id)] == ["queued", "running", *local.phases, "done"]
    portfolio = client.start_run(study.id, kind="portfolio", local_run=local.id)
    assert client.start_run(study.id, kind="portfolio", local_run=local.id).id == portfolio.id
    full = client.start_run(study.id)
    work(place)
    work(place)
    assert [line.text for line in client.log(portfolio.id)] == ["queued", "running", *PHASES[1:], "done"]
    ours, theirs = (client.download_results(run.id, tmp_path / run.kind) for run in (portfolio, full))
    for table in ("steps", "pods", "schedule"):
        assert pq.read_table(ours / f"{table}.parquet").equals(pq.read_table(theirs / f"{table}.parquet"))
    with pytest.raises(ProblemError, match="cannot differ"):
        client.start_run(study.id, {"sustain_hours": 0.25}, kind="portfolio", local_run=local.id)
    with pytest.raises(ProblemError, match="must be a run of kind 'local'"):
        client.start_run(study.id, kind="portfolio", local_run=full.id)
    wish = {"study": str(study.id), "kind": "portfolio"}
    assert client.http.post("/api/v1/runs", json=wish).status_code == 422
    assert not (place.run_folder(full.id) / "level1.pickle").exists()


def test_a_run_goes_on_where_it_was(
    visit: Visit, place: Installation, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first worker is lost behind level 2; the second takes what it kept and says so, and nothing is left of it.

    What a run keeps stays while it waits, also where a server starts anew.
    """
    object.__setattr__(place.settings, "keep_seconds", 0.0)
    monkeypatch.setattr(housekeeping, "_OLD_SECONDS", -1.0)
    client = visit("ada@example.org")
    run = client.start_run(client.upload_study(folder).id)
    assert jobs.take(place) is not None
    study, files = podium.load_study(folder), KeptFiles(place.kept_folder(run.id), pause_seconds=0)
    engine.run(study, workers=1, kept=files)
    expire(place)
    housekeeping.sweep(place)
    work(place)
    log = [line.text for line in client.log(run.id)]
    told = [line for phase in PHASES[:4] for line in (phase, f"{phase}: all of it done by an earlier attempt")]
    lost = ["worker lost; queued", "running again, attempt 2"]
    assert log == ["queued", "running", *lost, *told, *PHASES[4:], "done"]
    assert not place.kept_folder(run.id).exists()


def test_level_1_is_known_to_its_version_alone(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Level 1 of another version, or half written, is none."""
    level1.keep(tmp_path, engine.level1(podium.load_study(folder), workers=1))
    assert level1.kept(tmp_path) is not None
    monkeypatch.setattr(level1, "__version__", "another")
    assert level1.kept(tmp_path) is None
    monkeypatch.undo()
    path = tmp_path / level1.FILE
    path.write_bytes(path.read_bytes()[:1000])
    assert level1.kept(tmp_path) is None


def test_a_disk_that_takes_nothing_more_ends_no_run(
    visit: Visit, place: Installation, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is done cannot be kept; the results can."""
    object.__setattr__(place.settings, "keep_seconds", 0.0)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(kept, "_write", full)
    client = visit("ada@example.org")
    run = client.start_run(client.upload_study(folder).id)
    work(place)
    assert client.run(run.id).state == "done"


def test_the_same_run_is_offered_and_not_computed_again(visit: Visit, place: Installation, folder: Path) -> None:
    """While it waits and when it is done; for a copy of the study too; not with other options, nor when asked anew."""
    client = visit("ada@example.org")
    study = client.upload_study(folder)
    run = client.start_run(study.id)
    assert client.start_run(study.id, {}).id == run.id
    pretend(place)
    copied = client.copy_study(study.id, "Copy")
    response = client.send("POST", "/runs", json={"study": str(copied.id)})
    assert (response.status_code, response.json()["id"]) == (200, str(run.id))
    other = client.start_run(study.id, {"method": "virtus"})
    anew = client.start_run(study.id, again=True)
    assert len({run.id, other.id, anew.id}) == 3
    stranger = visit("bob@example.org")
    client.share_study(study.id, "bob@example.org")
    assert stranger.start_run(study.id).id not in {run.id, anew.id}, "another's runs are not shown"


def test_runs_are_chosen_by_study_state_and_kind(visit: Visit, place: Installation, folder: Path) -> None:
    """Each run has the name of its study; a state or kind that is none is refused."""
    client = visit("ada@example.org")
    first, second = client.upload_study(folder), client.copy_study(client.upload_study(folder).id, "Copy")
    done = client.start_run(first.id)
    pretend(place)
    local, waiting = client.start_run(first.id, kind="local"), client.start_run(second.id, again=True)

    def found(**query: str) -> set[str]:
        return {run["id"] for run in client.send("GET", "/runs", params=query).json()}

    assert found(study=str(first.id)) == {str(done.id), str(local.id)}
    assert found(state="done") == {str(done.id)}
    assert found(state="queued", kind="full") == {str(waiting.id)}
    assert found(kind="portfolio") == set()
    assert (client.run(waiting.id).study_name, client.run(done.id).study_name) == ("Copy", "One home")
    for wrong in ({"state": "lost"}, {"kind": "quick"}):
        assert client.http.get("/api/v1/runs", params=wrong).status_code == 422
    with place.database.reading() as session:
        user = accounts.user_by_email(session, "ada@example.org")
        assert user is not None
        caller = accounts.caller_of(user)
        assert runs.count_of(session, caller, runs.Chosen(state="queued")) == 2
        assert runs.studies_with_runs(session, caller) == {second.id: "Copy", first.id: "One home"}


def test_a_key_means_one_run(visit: Visit, folder: Path) -> None:
    """Ten requests at once with one key make one run; the key for something else is refused; keys are one's own."""
    client = visit("ada@example.org")
    study = client.upload_study(folder)
    with ThreadPoolExecutor(10) as pool:
        started = pool.map(lambda _: client.start_run(study.id, key="k", again=True).id, range(10))
    assert len(set(started)) == 1
    with pytest.raises(ProblemError, match="idempotency key"):
        client.start_run(study.id, {"method": "virtus"}, key="k")
    other = visit("bob@example.org")
    assert other.start_run(other.upload_study(folder).id, key="k").id != client.runs()[0].id


def test_options_change_the_run_and_not_the_study(visit: Visit, place: Installation, folder: Path) -> None:
    client = visit("ada@example.org")
    study = client.upload_study(folder)
    run = client.start_run(study.id, {"method": "virtus", "sustain_hours": 0.5})
    work(place)
    summary = client.run(run.id).summary
    assert summary is not None
    assert summary["level2"]["method"] == "virtus"
    assert client.study(study.id).facts.options["method"] == "exact"
    for wrong in ({"method": "magic"}, {"sustain_hours": -1}, {"speed": 9}):
        response = client.http.post("/api/v1/runs", json={"study": str(study.id), "options": wrong})
        assert (response.status_code, response.json()["code"]) == (422, "request")


def test_a_run_that_cannot_be_says_why(visit: Visit, place: Installation) -> None:
    """No tariff and no market: the engine's own words, with the POD at fault."""
    client = visit("ada@example.org")
    files = one_home()
    files["study.yaml"] = files["study.yaml"].replace("prices: prices.csv\n", "")
    files["pods.csv"] = "pod,name\nhome-1,One\nhome-2,Two\n"
    study = client.send("POST", "/studies/from-text", json={"files": files}).json()
    run = client.start_run(UUID(study["id"]))
    work(place)
    failed = client.run(run.id)
    assert failed.state == "failed"
    assert failed.problem is not None
    assert failed.problem["code"] == "input"
    assert failed.problem["problems"]
    assert not any(place.run_folder(run.id).glob("*"))
    assert client.start_run(UUID(study["id"])).id != run.id, "a failed run is not offered"


def test_users_are_served_in_turn(visit: Visit, place: Installation, folder: Path) -> None:
    """Ada queues four runs, then Bob two, then Eve one, and two workers take them.

    Each is served before Ada is again; then who waits longest. By arrival Bob and Eve would wait for all of Ada's.
    """
    names: dict[UUID, str] = {}
    for name, number in (("ada", 4), ("bob", 2), ("eve", 1)):
        client = visit(f"{name}@example.org")
        study = client.upload_study(folder)
        assert [run.ahead for run in client.runs()] == []
        names |= {client.start_run(study.id, again=True).id: f"{name}{place}" for place in range(number)}
    assert [run.ahead for run in client.runs()] == [6], "of all users"
    taken = []
    running: list[jobs.Job] = []
    while (job := jobs.take(place)) is not None:
        taken.append(names[job.run])
        running.append(job)
        if len(running) == 2:
            assert jobs.end(place, running.pop(0), "done")
    assert taken == ["ada0", "bob0", "eve0", "ada1", "bob1", "ada2", "ada3"]


def test_a_job_is_taken_once(visit: Visit, place: Installation, folder: Path) -> None:
    """Eight workers ask at once for five runs."""
    client = visit("ada@example.org")
    study = client.upload_study(folder)
    runs = {client.start_run(study.id, again=True).id for _ in range(5)}
    with ThreadPoolExecutor(8) as pool:
        taken = [job.run for job in pool.map(lambda _: jobs.take(place), range(8)) if job is not None]
    assert sorted(taken) == sorted(runs)


def expire(place: Installation) -> None:
    """Time passes without a word from any worker."""
    with place.database.writing() as session:
        session.execute(update(RunRow).where(RunRow.state == "running").values(lease_until=now() - timedelta(1)))


def test_a_run_whose_worker_is_lost_goes_on_in_another_and_ends_once(
    visit: Visit, place: Installation, folder: Path
) -> None:
    """The lost one, should it wake, can neither keep nor tell nor end it; and nothing of its files is left."""
    client = visit("ada@example.org")
    run = client.start_run(client.upload_study(folder).id)
    lost = jobs.take(place)
    expire(place)
    heir = jobs.take(place)
    assert lost is not None
    assert heir is not None
    assert (heir.run, heir.attempt == lost.attempt) == (run.id, False)
    assert not jobs.keep(place, lost)
    jobs.tell(place, lost, "nonsense", 99)
    assert client.run(run.id).phase is None
    compute(place, heir)
    assert not jobs.end(place, lost, "failed")
    done = client.run(run.id)
    assert (done.state, done.attempts) == ("done", 2)
    assert [path.name for path in place.run_folder(run.id).iterdir()] == [heir.attempt], "and nothing that was kept"
    assert [line.text for line in client.log(run.id)].count("done") == 1


def test_a_run_that_ends_is_not_taken_for_one_that_was_taken_away(
    visit: Visit, place: Installation, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who watches the lease every 10 ms looks after the end, too: results would be deleted, and the worker ended."""
    object.__setattr__(place.settings, "lease_seconds", 0.04)
    ended: list[str] = []
    usual = jobs.end

    def ending(place: Installation, job: jobs.Job, state: str, **values: Any) -> bool:
        found = usual(place, job, state, **values)
        time.sleep(0.3)
        return found

    monkeypatch.setattr(jobs, "end", ending)
    monkeypatch.setattr(worker, "end_group", lambda: ended.append("worker"))
    client = visit("ada@example.org")
    run = client.start_run(client.upload_study(folder).id)
    work(place)
    assert client.run(run.id).state == "done"
    assert ended == []
    assert "summary.json" in {found.name for found in client.results(run.id)}


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_run_goes_on_while_the_database_restarts(
    visit: Visit, place: Installation, folder: Path, postgresql: PostgreSql, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database is killed and started in the midst of a run: the run is neither lost nor begun again."""
    client = visit("ada@example.org")
    run = client.start_run(client.upload_study(folder).id)
    job = jobs.take(place)
    assert job is not None
    compute_level1 = engine.level1

    def restarting(*given: Any, **more: Any) -> Any:
        postgresql.control("restart", "-m", "immediate")
        return compute_level1(*given, **more)

    monkeypatch.setattr(engine, "level1", restarting)
    compute(place, job)
    done = client.run(run.id)
    assert (done.state, done.attempts) == ("done", 1)


def test_a_run_that_kills_its_workers_fails_in_the_end(visit: Visit, place: Installation, folder: Path) -> None:
    client = visit("ada@example.org")
    run = client.start_run(client.upload_study(folder).id)
    for _ in range(place.settings.attempts_max):
        assert jobs.take(place) is not None
        expire(place)
    assert jobs.take(place) is None
    failed = client.run(run.id)
    assert failed.problem is not None
    assert (failed.state, failed.problem["code"]) == ("failed", "worker-lost")


def test_a_worker_that_must_leave_gives_its_run_back(visit: Visit, place: Installation, folder: Path) -> None:
    """It costs no attempt."""
    client = visit("ada@example.org")
    run = client.start_run(client.upload_study(folder).id)
    job = jobs.take(place)
    assert job is not None
    jobs.give_back(place, job)
    assert (client.run(run.id).state, client.run(run.id).attempts) == ("queued", 0)
    assert jobs.take(place) is not None


def test_runs_are_cancelled_and_deleted(visit: Visit, place: Installation, folder: Path) -> None:
    """A waiting one at once; a running one when its worker, or the queue of a lost worker, hears of it."""
    client = visit("ada@example.org")
    study = client.upload_study(folder)
    waiting = client.start_run(study.id, again=True)
    refused(client, "conflict", "DELETE", f"/runs/{waiting.id}")
    assert client.cancel_run(waiting.id).state == "cancelled"
    refused(client, "conflict", "POST", f"/runs/{waiting.id}/cancel")
    running = client.start_run(study.id)
    job = jobs.take(place)
    assert job is not None
    assert jobs.keep(place, job)
    assert client.cancel_run(running.id).state == "running"
    assert not jobs.keep(place, job)
    assert client.start_run(study.id).id != running.id, "a run that is about to end is not offered"
    expire(place)
    jobs.take(place)
    assert client.run(running.id).state == "cancelled"
    client.delete_run(running.id)
    refused(client, "not-found", "GET", f"/runs/{running.id}")


def test_a_deleted_study_takes_its_runs_along(visit: Visit, place: Installation, folder: Path) -> None:
    """Also those under way: their workers hear that nobody waits."""
    client = visit("ada@example.org")
    study = client.upload_study(folder)
    done, running = client.start_run(study.id), client.start_run(study.id, again=True)
    pretend(place)
    job = jobs.take(place)
    assert job is not None
    client.delete_study(study.id)
    assert not jobs.keep(place, job)
    assert client.runs() == []
    assert not place.run_folder(done.id).exists()
    refused(client, "not-found", "GET", f"/runs/{running.id}")


def test_a_user_has_a_limited_number_of_waiting_runs(visit: Visit, place: Installation, folder: Path) -> None:
    object.__setattr__(place.settings, "queue_max", 2)
    client = visit("ada@example.org")
    study = client.upload_study(folder)
    for _ in range(2):
        client.start_run(study.id, again=True)
    with pytest.raises(ProblemError, match="too-many"):
        client.start_run(study.id, again=True)


def test_events_tell_a_run_from_start_to_end(visit: Visit, place: Installation, folder: Path) -> None:
    """Log lines in order, the run as it changes, the end last; from a number on, only what came after it."""
    client = visit("ada@example.org")
    run = client.start_run(client.upload_study(folder).id)
    with ThreadPoolExecutor(1) as pool:
        working = pool.submit(pretend, place)
        events = list(client.events(run.id))
        working.result()
    assert [content["text"] for kind, content in events if kind == "log"] == ["queued", "running", *PHASES, "done"]
    assert events[-1][0] == "end"
    assert events[-1][1]["state"] == "done"
    lines = client.log(run.id)
    again = list(client.events(run.id, after=lines[-2].id))
    assert [kind for kind, _ in again] == ["log", "run", "end"]


def test_the_queue_and_the_metrics_count(visit: Visit, place: Installation, folder: Path) -> None:
    """Admins see who waits, without what; figures are for this machine, or for who has the token."""
    client, admin = visit("ada@example.org"), visit("admin@example.org", Role.admin)
    client.start_run(client.upload_study(folder).id)
    queue = admin.send("GET", "/queue").json()
    assert queue == {"queued": 1, "running": 0, "workers": 0, "users": {"ada@example.org": {"queued": 1}}}
    assert 'podium_runs{state="queued"} 1.0' in client.http.get("/metrics").text
    assert 'route="/api/v1/runs"' in client.http.get("/metrics").text
    object.__setattr__(place.settings, "metrics_token", SecretStr("figures"))
    assert client.http.get("/metrics").status_code == 403
    assert client.http.get("/metrics", headers={"Authorization": "Bearer figures"}).status_code == 200
    for path in ("/health/live", "/health/ready"):
        assert client.http.get(path).json() == {"status": "ok"}


def test_limits_on_time_and_memory_are_noticed(place: Installation) -> None:
    assert 10_000_000 < memory_bytes() < 100_000_000_000
    assert beyond_limits(place.settings, 1.0) is None
    assert "longer than" in str(beyond_limits(place.settings, 1e9))
    object.__setattr__(place.settings, "run_bytes_max", 1000)
    assert "memory" in str(beyond_limits(place.settings, 1.0))
