"""What the database keeps."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import JSON, DateTime, Dialect, ForeignKey, Index, String, Text, TypeDecorator, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

#: Digits of a digest.
DIGEST = 64


def now() -> datetime:
    """This moment, aware of its zone."""
    return datetime.now(UTC)


class Moment(TypeDecorator[datetime]):
    """A moment in UTC; aware in Python with every database."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """To the database: in UTC."""
        del dialect
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """From the database: SQLite forgets the zone."""
        del dialect
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    """All tables."""

    type_annotation_map = {datetime: Moment, dict[str, Any]: JSON, list[str]: JSON}  # noqa: RUF012


class User(Base):
    """Somebody who may sign in. `email` is in lower case."""

    __tablename__ = "user_account"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    email: Mapped[str] = mapped_column(String(254), unique=True)
    name: Mapped[str] = mapped_column(String(200))
    password_hash: Mapped[str] = mapped_column(String(300))
    role: Mapped[str] = mapped_column(String(20))
    active: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime] = mapped_column(default=now)


class Once(Base):
    """Things that happen once, such as making the first admin; who writes the row does it."""

    __tablename__ = "once"

    name: Mapped[str] = mapped_column(String(50), primary_key=True)


class Login(Base):
    """A session of a browser, by the digest of its cookie."""

    __tablename__ = "login"

    digest: Mapped[str] = mapped_column(String(DIGEST), primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("user_account.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime] = mapped_column(default=now)
    expires_at: Mapped[datetime]


class ApiToken(Base):
    """A token for programs, by its digest."""

    __tablename__ = "api_token"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    digest: Mapped[str] = mapped_column(String(DIGEST), unique=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("user_account.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(200))
    scopes: Mapped[list[str]]
    created_at: Mapped[datetime] = mapped_column(default=now)
    expires_at: Mapped[datetime]


class PasswordReset(Base):
    """A letter under way by which a password may be set, by the digest of its token."""

    __tablename__ = "password_reset"

    digest: Mapped[str] = mapped_column(String(DIGEST), primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("user_account.id", ondelete="CASCADE"), index=True)
    expires_at: Mapped[datetime]


class Registration(Base):
    """Somebody who wants an account, until the address is confirmed, by the digest of the letter's token."""

    __tablename__ = "registration"

    digest: Mapped[str] = mapped_column(String(DIGEST), primary_key=True)
    email: Mapped[str] = mapped_column(String(254), index=True)
    name: Mapped[str] = mapped_column(String(200))
    password_hash: Mapped[str] = mapped_column(String(300))
    expires_at: Mapped[datetime]


class Failure(Base):
    """A failed login, by the digest of account or address."""

    __tablename__ = "login_failure"
    __table_args__ = (Index("ix_login_failure_key_at", "key", "at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(DIGEST))
    at: Mapped[datetime] = mapped_column(default=now)


class StudyRow(Base):
    """A valid study; its files lie in the data folder and never change."""

    __tablename__ = "study"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    owner_id: Mapped[UUID] = mapped_column(ForeignKey("user_account.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(200))
    digest: Mapped[str] = mapped_column(String(DIGEST))
    facts: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = mapped_column(default=now)


class Share(Base):
    """Somebody else who may read a study, run it, and copy it.

    Without a user where the address had no account: it is listed like others, so that it tells nothing, and opens
    nothing for whoever takes that address later.
    """

    __tablename__ = "share"
    __table_args__ = (UniqueConstraint("study_id", "email", name="uq_share_study_id_email"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    study_id: Mapped[UUID] = mapped_column(ForeignKey("study.id", ondelete="CASCADE"))
    email: Mapped[str] = mapped_column(String(254))
    user_id: Mapped[UUID | None] = mapped_column(ForeignKey("user_account.id", ondelete="CASCADE"), index=True)


class Configuration(Base):
    """What somebody composed of the catalogue and kept: a composition, and profiles of one's own as CSV."""

    __tablename__ = "configuration"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    owner_id: Mapped[UUID] = mapped_column(ForeignKey("user_account.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(200))
    composition: Mapped[dict[str, Any]]
    profiles: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(default=now)
    changed_at: Mapped[datetime] = mapped_column(default=now)


class RunRow(Base):
    """A run, from waiting to its end. `attempt` names the folder of the results that count."""

    __tablename__ = "run"
    __table_args__ = (
        UniqueConstraint("owner_id", "idempotency_key", name="uq_run_owner_id_idempotency_key"),
        Index("ix_run_state_created_at", "state", "created_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    owner_id: Mapped[UUID] = mapped_column(ForeignKey("user_account.id", ondelete="CASCADE"), index=True)
    study_id: Mapped[UUID] = mapped_column(ForeignKey("study.id", ondelete="CASCADE"), index=True)
    kind: Mapped[str] = mapped_column(String(20))
    local_run: Mapped[UUID | None] = mapped_column(ForeignKey("run.id", ondelete="SET NULL"))
    options: Mapped[dict[str, Any]]
    digest: Mapped[str] = mapped_column(String(DIGEST), index=True)
    idempotency_key: Mapped[str | None] = mapped_column(String(200))
    state: Mapped[str] = mapped_column(String(20), default="queued")
    phase: Mapped[str | None] = mapped_column(String(50))
    pods: Mapped[int]
    pods_done: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime] = mapped_column(default=now)
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(default=0)
    attempt: Mapped[str | None] = mapped_column(String(32))
    lease_until: Mapped[datetime | None]
    cancel_wanted: Mapped[bool] = mapped_column(default=False)
    problem: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    summary: Mapped[dict[str, Any] | None] = mapped_column(JSON)


class Entry(Base):
    """A line of a run's log."""

    __tablename__ = "run_entry"

    id: Mapped[int] = mapped_column(primary_key=True)
    run_id: Mapped[UUID] = mapped_column(ForeignKey("run.id", ondelete="CASCADE"), index=True)
    at: Mapped[datetime] = mapped_column(default=now)
    event: Mapped[str] = mapped_column(String(20))
    text: Mapped[str] = mapped_column(Text)
