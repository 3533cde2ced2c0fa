"""A backup made while a run computes becomes a service again, on the same database and on the other."""

from __future__ import annotations

import shutil
import stat
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select, text

import podium
from podium import engine
from podium.client import Client
from podium.compute import KeptFiles
from podium.errors import InputError
from podium.service import backup, commands, database, jobs
from podium.service.accounts import Role
from podium.service.installation import Installation, opened
from podium.service.restore import restore
from podium.service.settings import Settings
from podium.service.tables import Base
from podium.service.worker import compute
from processes import PATIENCE_SECONDS
from service.conftest import PASSWORD, Visit, new_database, serving
from service.test_runs import expire, work
from unit.study_folders import one_home, write_files


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A study of two PODs."""
    return write_files(tmp_path / "study", one_home())


@pytest.fixture
def elsewhere(request: pytest.FixtureRequest, tmp_path: Path, database_url: str | None) -> Iterator[Settings]:
    """An empty place: SQLite where the other is PostgreSQL and the other way round, or the same database anew."""
    given = {"data": tmp_path / "elsewhere", "workers": 0, "cores_per_run": 1}
    if (database_url is None) == (request.param == "same"):
        yield Settings.read(**given)
        return
    with new_database(request.getfixturevalue("postgresql")) as address:
        yield Settings.read(**given, database_url=address)


def rows(place: Installation) -> dict[str, list[tuple[Any, ...]]]:
    """Everything in the database."""
    with place.database.reading() as session:
        return {
            table.name: sorted((tuple(row) for row in session.execute(select(table))), key=repr)
            for table in Base.metadata.sorted_tables
        }


@pytest.mark.parametrize("elsewhere", ["same", "other"], indirect=True)
def test_a_backup_of_a_service_that_computes_is_a_service(
    visit: Visit,
    place: Installation,
    folder: Path,
    tmp_path: Path,
    elsewhere: Settings,
) -> None:
    """Users, tokens, shares, studies, results and the log are there; the run under way goes on where it was.

    New rows do not take the numbers of old ones, and a portfolio's run still starts from a local run.
    """
    ada = visit("ada@example.org")
    visit("bob@example.org", Role.admin)
    study = ada.upload_study(folder)
    ada.share_study(study.id, "bob@example.org")
    token = ada.make_token("program", ["studies:read", "runs:read", "runs:write"]).token
    done, local = ada.start_run(study.id), ada.start_run(study.id, kind="local")
    work(place)
    work(place)
    from_local = ada.start_run(study.id, kind="portfolio", local_run=local.id)
    under_way = ada.start_run(study.id, {"sustain_hours": 0.5})
    first, second = jobs.take(place), jobs.take(place)
    assert first is not None
    assert second is not None
    assert {first.run, second.run} == {from_local.id, under_way.id}
    loaded = podium.load_study(folder)
    options = loaded.options.model_copy(update={"sustain_hours": 0.5})
    engine.level1(podium.Study(loaded.name, loaded.portfolio, loaded.prices, options, market=loaded.market),
                  workers=1, kept=KeptFiles(place.kept_folder(under_way.id), pause_seconds=0))  # fmt: skip
    manifest = backup.back_up(place, tmp_path / "backup.tar.gz")
    before = rows(place)
    assert stat.S_IMODE((tmp_path / "backup.tar.gz").stat().st_mode) == 0o600
    assert manifest.rows["run"] == 4
    restore(elsewhere, tmp_path / "backup.tar.gz")
    with opened(elsewhere) as again, serving(again) as url:
        assert rows(again) == before
        assert stat.S_IMODE((elsewhere.data / "secret").stat().st_mode) == 0o600
        with Client(url, token=token) as program:
            assert [run.id for run in program.runs()] == [under_way.id, from_local.id, local.id, done.id]
            ours, theirs = (client.download_results(done.id, tmp_path / name) for client, name in (
                (program, "again"), (ada, "once")))  # fmt: skip
            assert {path.name: path.read_bytes() for path in ours.iterdir()} == {
                path.name: path.read_bytes() for path in theirs.iterdir()
            }
            expire(again)
            work(again)
            work(again)
            for run in (under_way, from_local):
                assert (program.run(run.id).state, program.run(run.id).attempts) == ("done", 2)
            log = [line.text for line in program.log(under_way.id)]
            assert "level 1: all of it done by an earlier attempt" in log
        with Client(http=httpx.Client(base_url=url, timeout=PATIENCE_SECONDS, trust_env=False)) as bob:
            bob.sign_in("bob@example.org", PASSWORD)
            assert [found.name for found in bob.studies()] == [study.name]


@pytest.mark.parametrize("elsewhere", ["same"], indirect=True)
def test_what_is_deleted_meanwhile_is_left_out(
    visit: Visit,
    place: Installation,
    folder: Path,
    tmp_path: Path,
    elsewhere: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A study, its runs, and a run of another are deleted after the rows were read: the backup has none of them."""
    ada = visit("ada@example.org")
    gone, stays = ada.upload_study(folder), ada.upload_study(folder)
    gone_run, deleted = ada.start_run(gone.id), ada.start_run(stays.id, again=True)
    local = ada.start_run(stays.id, kind="local", again=True)
    for _ in range(3):
        job = jobs.take(place)
        assert job is not None
        compute(place, job)
    kept_run = ada.start_run(stays.id, kind="portfolio", local_run=local.id)
    read = backup._files

    def deleting(*given: Any) -> Any:
        for number, path in enumerate(read(*given)):
            yield path
            if number == 0:
                ada.delete_study(gone.id)
                ada.delete_run(deleted.id)
                ada.delete_run(local.id)

    monkeypatch.setattr(backup, "_files", deleting)
    backup.back_up(place, tmp_path / "backup.tar")
    restore(elsewhere, tmp_path / "backup.tar")
    with opened(elsewhere) as again:
        found = rows(again)
        assert found == rows(place)
        assert [row[0] for row in found["study"]] == [stays.id]
        assert [row[0] for row in found["run"]] == [kept_run.id]
        assert gone_run.id not in {entry[1] for entry in found["run_entry"]}


def test_a_place_that_is_not_empty_is_left_as_it_is(
    visit: Visit, place: Installation, folder: Path, tmp_path: Path
) -> None:
    """Neither files nor rows are overwritten, nor a backup; what a failed restore made is taken away."""
    visit("ada@example.org").upload_study(folder)
    backup.back_up(place, tmp_path / "backup.tar")
    with pytest.raises(InputError, match="is there already"):
        backup.back_up(place, tmp_path / "backup.tar")
    before = rows(place)
    with pytest.raises(InputError, match="is not empty"):
        restore(place.settings, tmp_path / "backup.tar")
    if place.settings.database_url is not None:
        fresh = place.settings.model_copy(update={"data": tmp_path / "fresh"})
        with pytest.raises(InputError, match="rows in user_account"):
            restore(fresh, tmp_path / "backup.tar")
        assert not fresh.data.exists()
    assert rows(place) == before


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_archives_that_are_none_are_refused(
    visit: Visit, place: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that breaks off, of another version, something else; names that lead out of the folder are passed over."""
    visit("ada@example.org")
    whole = tmp_path / "backup.tar"
    backup.back_up(place, whole)
    target = Settings.read(data=tmp_path / "fresh")
    half = tmp_path / "half.tar"
    half.write_bytes(whole.read_bytes()[:3000])
    (tmp_path / "text").write_text("hello")
    for wrong, said in ((half, "backup"), (tmp_path / "text", "podium backup")):
        with pytest.raises(InputError, match=said):
            restore(target, wrong)
    with tarfile.open(whole, "a") as archive:
        for name in ("studies/../../escaped", "/escaped", "elsewhere/escaped"):
            backup._add_text(archive, name, "text")
        link = tarfile.TarInfo("studies/link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    restore(target, whole)
    assert not list(tmp_path.rglob("escaped"))
    assert not list(target.data.rglob("link"))
    shutil.rmtree(target.data)
    with monkeypatch.context() as patch:
        patch.setattr("podium.service.restore.newest_revision", lambda: "9999")
        with pytest.raises(InputError, match="then upgrade"):
            restore(target, whole)
    with place.database.writing() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    with pytest.raises(InputError, match="use the version that serves"):
        backup.back_up(place, tmp_path / "another.tar")
    assert not (tmp_path / "another.tar").exists()
    assert database.newest_revision() != "0001"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_backup_goes_through_a_pipe(visit: Visit, place: Installation, folder: Path, tmp_path: Path) -> None:
    """As `podium backup - | ssh ... podium restore -`; nothing else is left in the new place."""
    visit("ada@example.org").upload_study(folder)
    with (tmp_path / "pipe").open("wb") as out:
        backup.back_up(place, out)
    target = Settings.read(data=tmp_path / "new" / "data")
    target.data.mkdir(parents=True)
    with (tmp_path / "pipe").open("rb") as back:
        assert restore(target, back).rows["study"] == 1
    made = {path.name for path in target.data.iterdir() if not path.name.startswith((".", "podium.sqlite3"))}
    assert made == {"secret", "studies", "runs", "uploads"}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_commands_say_what_is_in_a_backup(visit: Visit, place: Installation, folder: Path, tmp_path: Path) -> None:
    """And that there is nothing to back up where no service is."""
    visit("ada@example.org").upload_study(folder)
    said = commands.back_up(place.settings, tmp_path / "backup.tar")
    assert said.startswith("1 users, 1 studies, 0 runs, as of 20")
    assert commands.restore(Settings.read(data=tmp_path / "fresh"), tmp_path / "backup.tar") == said
    with pytest.raises(InputError, match="no data of a service"):
        commands.back_up(Settings.read(data=tmp_path / "nothing"), tmp_path / "b.tar")
