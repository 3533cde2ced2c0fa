"""Studies of users: taken in, looked at, shared, deleted. Only valid ones are kept, and their files never change."""

from __future__ import annotations

import hashlib
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

import podium
from podium.service.accounts import Caller, user_by_email
from podium.service.database import take_turns
from podium.service.exports import row_count
from podium.service.installation import Installation
from podium.service.problems import ForbiddenError, NotFoundError, QuotaError
from podium.service.tables import Share, StudyRow, User
from podium.service.views import ShareView, StudyFacts, StudyView

INPUT, TABLES = "input", "tables"
NAME_MAX = 200
SHARES_MAX = 100
Fill = Callable[[Path], object]


@dataclass(frozen=True)
class Taken:
    """A valid study that lies in a folder of its own until it is kept."""

    folder: Path
    name: str
    digest: str
    facts: dict[str, Any]


@contextmanager
def taken_in(place: Installation, fill: Fill) -> Iterator[Taken]:
    """A study whose files `fill` writes into an empty folder; gone at the end unless it was kept.

    Raises InputError with everything wrong.
    """
    aside = place.uploads / secrets.token_hex(8)
    source = aside / INPUT
    source.mkdir(mode=0o700, parents=True)
    try:
        fill(source)
        study = podium.load_study(source, place.settings.study_limits)
        podium.write_study(study, aside / TABLES, "parquet")
        yield Taken(aside, study.name, _digest(source), _facts(study, aside / TABLES))
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _digest(folder: Path) -> str:
    """Digest of names and contents of all files."""
    total = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        total.update(f"{path.relative_to(folder).as_posix()}\0{content}\n".encode())
    return total.hexdigest()


def _facts(study: podium.Study, tables: Path) -> dict[str, Any]:
    horizon, portfolio = study.horizon, study.portfolio
    facts = StudyFacts(
        time_zone=horizon.time_zone,
        start=horizon.start,
        end=horizon.end,
        step_minutes=horizon.step_minutes,
        steps=horizon.steps,
        pods=len(portfolio),
        devices=portfolio.device_count,
        prices=study.prices is not None,
        options=study.options.model_dump(mode="json"),
        notices=list(study.notices),
        tables={path.stem: row_count(path) for path in sorted(tables.glob("*.parquet"))},
    )
    return facts.model_dump(mode="json")


def create(place: Installation, caller: Caller, fill: Fill, name: str | None = None) -> StudyView:
    """Take a study in and keep it. Raises InputError with everything wrong, QuotaError where there are too many."""
    with place.database.reading() as session:
        _refuse_too_many(session, place, caller)
    with taken_in(place, fill) as taken:
        return _keep(place, caller, taken, name)


def _keep(place: Installation, caller: Caller, taken: Taken, name: str | None) -> StudyView:
    row = StudyRow(
        id=uuid4(),
        owner_id=caller.user_id,
        name=(name or _shown(taken.name))[:NAME_MAX],
        digest=taken.digest,
        facts=taken.facts,
    )
    home = place.study_folder(row.id)
    taken.folder.rename(home)
    try:
        with place.database.writing() as session:
            take_turns(session, f"study\0{caller.user_id}")
            _refuse_too_many(session, place, caller)
            session.add(row)
    except BaseException:
        shutil.rmtree(home, ignore_errors=True)
        raise
    return _view(row, caller.email, caller)


def kept(place: Installation, caller: Caller, fill: Fill) -> StudyView:
    """The newest study of the caller's own with these files; taken in as by `create` where there is none."""
    with taken_in(place, fill) as taken:
        own = select(StudyRow).where(StudyRow.owner_id == caller.user_id, StudyRow.digest == taken.digest)
        with place.database.reading() as session:
            row = session.scalar(own.order_by(StudyRow.created_at.desc()).limit(1))
        return _keep(place, caller, taken, None) if row is None else _view(row, caller.email, caller)


def _shown(name: str) -> str:
    """A name from a file, without what cannot be shown."""
    return "".join(letter for letter in name if letter.isprintable()).strip() or "study"


def _refuse_too_many(session: Session, place: Installation, caller: Caller) -> None:
    count = session.scalar(select(func.count()).where(StudyRow.owner_id == caller.user_id)) or 0
    if count >= place.settings.studies_max:
        raise QuotaError(f"{place.settings.studies_max} studies are the most; delete one")


def _view(row: StudyRow, owner: str, caller: Caller) -> StudyView:
    facts = StudyFacts.model_validate(row.facts)
    mine = row.owner_id == caller.user_id
    return StudyView(id=row.id, name=row.name, created_at=row.created_at, owner=owner, mine=mine, facts=facts)


def _seen_by(caller: Caller) -> Any:
    """The condition that a caller may read a study."""
    shared = select(Share.study_id).where(Share.user_id == caller.user_id)
    return or_(StudyRow.owner_id == caller.user_id, StudyRow.id.in_(shared))


def studies_of(session: Session, caller: Caller) -> list[StudyView]:
    """One's own studies and those shared with one, newest first."""
    found = select(StudyRow, User.email).join(User, User.id == StudyRow.owner_id).where(_seen_by(caller))
    return [_view(row, email, caller) for row, email in session.execute(found.order_by(StudyRow.created_at.desc()))]


def readable(session: Session, caller: Caller, study: UUID) -> StudyRow:
    """A study that the caller may read; raises NotFoundError where there is none."""
    row = session.scalar(select(StudyRow).where(StudyRow.id == study, _seen_by(caller)))
    if row is None:
        raise NotFoundError("no such study")
    return row


def owned(session: Session, caller: Caller, study: UUID) -> StudyRow:
    """A study of the caller's own; raises NotFoundError where it is none, ForbiddenError where it is another's."""
    row = readable(session, caller, study)
    if row.owner_id != caller.user_id:
        raise ForbiddenError("only its owner may do this with a study")
    return row


def view(session: Session, caller: Caller, study: UUID) -> StudyView:
    """A study that the caller may read."""
    row = readable(session, caller, study)
    owner = session.get_one(User, row.owner_id)
    return _view(row, owner.email, caller)


def copy(place: Installation, caller: Caller, study: UUID, name: str) -> StudyView:
    """A copy of one's own of a study that one may read."""
    source = input_folder(place, caller, study)
    return create(place, caller, lambda folder: shutil.copytree(source, folder, dirs_exist_ok=True), name)


def rename(place: Installation, caller: Caller, study: UUID, name: str) -> StudyView:
    """Give a study another name; its files stay as they are."""
    with place.database.writing() as session:
        row = owned(session, caller, study)
        row.name = name
        return _view(row, caller.email, caller)


def table_file(place: Installation, caller: Caller, study: UUID, table: str) -> Path:
    """Parquet file of a table of a study; raises NotFoundError where there is none."""
    with place.database.reading() as session:
        row = readable(session, caller, study)
    if table not in row.facts["tables"]:
        raise NotFoundError("no such table")
    return place.study_folder(row.id) / TABLES / f"{table}.parquet"


def input_folder(place: Installation, caller: Caller, study: UUID) -> Path:
    """The folder of a study's files, as they were given; for all who may read it."""
    with place.database.reading() as session:
        return place.study_folder(readable(session, caller, study).id) / INPUT


def share(place: Installation, caller: Caller, study: UUID, email: str) -> ShareView:
    """Let the user of an address read, run and copy a study. Does not tell whether there is one."""
    with place.database.writing() as session:
        row = owned(session, caller, study)
        user = user_by_email(session, email)
        found = session.scalar(select(Share).where(Share.study_id == row.id, Share.email == email))
        if found is None:
            count = session.scalar(select(func.count()).where(Share.study_id == row.id)) or 0
            if count >= SHARES_MAX:
                raise QuotaError(f"a study is shared with {SHARES_MAX} users at most")
            found = Share(study_id=row.id, email=email, user_id=None if user is None else user.id)
            session.add(found)
            session.flush()
        return ShareView(id=found.id, email=found.email)


def shares(place: Installation, caller: Caller, study: UUID) -> list[ShareView]:
    """With whom a study is shared; for its owner."""
    with place.database.reading() as session:
        row = owned(session, caller, study)
        found = select(Share).where(Share.study_id == row.id).order_by(Share.email)
        return [ShareView(id=row.id, email=row.email) for row in session.scalars(found)]


def unshare(place: Installation, caller: Caller, study: UUID, share_id: UUID) -> None:
    """End the sharing with somebody."""
    with place.database.writing() as session:
        row = owned(session, caller, study)
        found = session.get(Share, share_id)
        if found is None or found.study_id != row.id:
            raise NotFoundError("not shared so")
        session.delete(found)
