"""Users, their sessions and tokens, and how a lost password is replaced."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import StringConstraints
from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from podium.service.database import take_turns
from podium.service.installation import Installation
from podium.service.passwords import fits, hashed
from podium.service.problems import ConflictError, NotFoundError, QuotaError, SignInError
from podium.service.seal import new_token
from podium.service.tables import ApiToken, Login, Once, PasswordReset, User, now

Email = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True,
        to_lower=True,
        max_length=254,
        pattern=r"^[^@\s<>\"',;:\\\x00-\x1f\x7f]+@[^@\s<>\"',;:\\\x00-\x1f\x7f]+$",
    ),
]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]
Password = Annotated[str, StringConstraints(min_length=10, max_length=200)]

RESET_HOURS = 1.0
TOKEN_PREFIX = "podium_"
TOKENS_MAX = 50
COOKIE, TOKEN, RESET = "cookie", "token", "reset"


class Role(StrEnum):
    """What a user may do: see; also make and run studies; also manage users."""

    viewer = "viewer"
    operator = "operator"
    admin = "admin"

    @property
    def rank(self) -> int:
        """Greater is more."""
        return list(Role).index(self)


class Scope(StrEnum):
    """What a token may do for its user."""

    studies_read = "studies:read"
    studies_write = "studies:write"
    runs_read = "runs:read"
    runs_write = "runs:write"


@dataclass(frozen=True)
class Caller:
    """Who sends a request. `scopes` is None for a session, which may do all that its user may."""

    user_id: UUID
    email: str
    name: str
    role: Role
    scopes: frozenset[str] | None = None
    login: str | None = None
    """Digest of the session's cookie."""


def caller_of(user: User, scopes: frozenset[str] | None = None, login: str | None = None) -> Caller:
    """The user as somebody who sends requests."""
    return Caller(user.id, user.email, user.name, Role(user.role), scopes, login)


# Users ----------------------------------------------------------------------------------------------------------------


def is_set_up(session: Session) -> bool:
    """Whether there is any user."""
    return session.scalar(select(User.id).limit(1)) is not None


def set_up(place: Installation, email: str, name: str, password: str) -> User:
    """Make the first admin; of two that try at once one succeeds. Raises ConflictError where there are users."""
    password_hash = hashed(password)
    try:
        with place.database.writing() as session:
            session.add(Once(name="first admin"))
            session.flush()
            if is_set_up(session):
                raise ConflictError("there are users already; sign in")
            return _added(session, email, name, password_hash, Role.admin)
    except IntegrityError:
        raise ConflictError("there are users already; sign in") from None


def add_user(place: Installation, email: str, name: str, password: str, role: Role) -> User:
    """Make a user. Raises ConflictError where the address has one."""
    password_hash = hashed(password)
    try:
        with place.database.writing() as session:
            return _added(session, email, name, password_hash, role)
    except IntegrityError:
        raise ConflictError(f"{email} has an account already") from None


def _added(session: Session, email: str, name: str, password_hash: str, role: Role) -> User:
    user = User(email=email, name=name, password_hash=password_hash, role=role.value)
    session.add(user)
    session.flush()
    return user


def user_by_email(session: Session, email: str) -> User | None:
    """The user of an address in lower case."""
    return session.scalar(select(User).where(User.email == email))


def users(session: Session) -> list[User]:
    """All users by address."""
    return list(session.scalars(select(User).order_by(User.email)))


def change_user(place: Installation, user_id: UUID, role: Role | None, active: bool | None) -> User:
    """Give a user another role, or lock or unlock the account; the last active admin stays one."""
    with place.database.writing() as session:
        user = session.get(User, user_id)
        if user is None:
            raise NotFoundError("no such user")
        user.role = user.role if role is None else role.value
        user.active = user.active if active is None else active
        session.flush()
        admins = select(User.id).where(User.role == Role.admin.value, User.active).limit(1)
        if session.scalar(admins) is None:
            raise ConflictError("the last admin must stay one")
        if not user.active:
            session.execute(delete(Login).where(Login.user_id == user.id))
        return user


def set_password(place: Installation, user_id: UUID, password: str, keep_login: str | None = None) -> None:
    """Set a password and end all sessions but the one to keep; letters under way no longer count."""
    password_hash = hashed(password)
    with place.database.writing() as session:
        user = session.get(User, user_id)
        if user is None:
            raise NotFoundError("no such user")
        user.password_hash = password_hash
        session.execute(delete(Login).where(Login.user_id == user_id, Login.digest != (keep_login or "")))
        session.execute(delete(PasswordReset).where(PasswordReset.user_id == user_id))


def rename_user(place: Installation, user_id: UUID, name: str) -> None:
    """Give a user another name."""
    with place.database.writing() as session:
        user = session.get(User, user_id)
        if user is not None:
            user.name = name


def checked_user(place: Installation, email: str, password: str) -> User:
    """The user whose password this is. Raises SignInError, the same whatever was wrong."""
    with place.database.reading() as session:
        user = user_by_email(session, email)
    if not fits(password, None if user is None else user.password_hash) or user is None or not user.active:
        raise SignInError("e-mail or password is wrong")
    return user


# Sessions and tokens --------------------------------------------------------------------------------------------------


def open_login(place: Installation, user_id: UUID) -> str:
    """A new session; returns the content of its cookie."""
    token = new_token()
    with place.database.writing() as session:
        session.execute(delete(Login).where(Login.expires_at < now()))
        until = now() + timedelta(hours=place.settings.session_hours)
        session.add(Login(digest=place.seal.digest(COOKIE, token), user_id=user_id, expires_at=until))
    return token


def close_login(place: Installation, digest: str) -> None:
    """End a session."""
    with place.database.writing() as session:
        session.execute(delete(Login).where(Login.digest == digest))


def caller_by_cookie(place: Installation, cookie: str) -> Caller | None:
    """Whose session this is; None where it is over."""
    return caller_by_login(place, place.seal.digest(COOKIE, cookie))


def caller_by_login(place: Installation, digest: str) -> Caller | None:
    """Whose session this is, by the digest of its cookie; None where it is over."""
    found = select(User).join(Login, Login.user_id == User.id)
    with place.database.reading() as session:
        user = session.scalar(found.where(Login.digest == digest, Login.expires_at > now(), User.active))
    return None if user is None else caller_of(user, login=digest)


def logins(session: Session, user_id: UUID) -> list[Login]:
    """The sessions of a user that are not over, newest first."""
    found = select(Login).where(Login.user_id == user_id, Login.expires_at > now())
    return list(session.scalars(found.order_by(Login.created_at.desc())))


def end_login(place: Installation, user_id: UUID, digest: str) -> None:
    """End a session of a user; raises NotFoundError where it is not one."""
    with place.database.writing() as session:
        login = session.get(Login, digest)
        if login is None or login.user_id != user_id:
            raise NotFoundError("no such session")
        session.delete(login)


def caller_by_token(place: Installation, token: str) -> Caller | None:
    """Whose token this is; None where it is over."""
    found = select(User, ApiToken.scopes).join(ApiToken, ApiToken.user_id == User.id)
    digest = place.seal.digest(TOKEN, token)
    with place.database.reading() as session:
        row = session.execute(found.where(ApiToken.digest == digest, ApiToken.expires_at > now(), User.active)).first()
    return None if row is None else caller_of(row[0], frozenset(row[1]))


def add_token(place: Installation, user_id: UUID, name: str, scopes: list[Scope], days: int) -> tuple[ApiToken, str]:
    """A new token, and its text, which is kept nowhere."""
    text = TOKEN_PREFIX + new_token()
    row = ApiToken(
        digest=place.seal.digest(TOKEN, text),
        user_id=user_id,
        name=name,
        scopes=sorted({scope.value for scope in scopes}),
        expires_at=now() + timedelta(days=days),
    )
    with place.database.writing() as session:
        session.execute(delete(ApiToken).where(ApiToken.expires_at < now()))
        take_turns(session, f"token\0{user_id}")
        if len(tokens(session, user_id)) >= TOKENS_MAX:
            raise QuotaError(f"{TOKENS_MAX} tokens are the most; delete one")
        session.add(row)
    return row, text


def tokens(session: Session, user_id: UUID) -> list[ApiToken]:
    """The tokens of a user."""
    return list(session.scalars(select(ApiToken).where(ApiToken.user_id == user_id).order_by(ApiToken.created_at)))


def drop_token(place: Installation, user_id: UUID, token_id: UUID) -> None:
    """Delete a token of a user; raises NotFoundError where it is not one."""
    with place.database.writing() as session:
        token = session.get(ApiToken, token_id)
        if token is None or token.user_id != user_id:
            raise NotFoundError("no such token")
        session.delete(token)


# Lost passwords -------------------------------------------------------------------------------------------------------


def open_reset(place: Installation, email: str) -> str | None:
    """A token by which the user of this address may set a password, once and soon; None where there is no user."""
    with place.database.writing() as session:
        user = user_by_email(session, email)
        session.execute(delete(PasswordReset).where(PasswordReset.expires_at < now()))
        if user is None or not user.active:
            return None
        token = new_token()
        until = now() + timedelta(hours=RESET_HOURS)
        session.add(PasswordReset(digest=place.seal.digest(RESET, token), user_id=user.id, expires_at=until))
    return token


def reset_password(place: Installation, token: str, password: str) -> None:
    """Set the password of the user whom a letter reached. Raises SignInError where the token no longer counts."""
    with place.database.writing() as session:
        row = session.get(PasswordReset, place.seal.digest(RESET, token))
        if row is None or row.expires_at < now():
            raise SignInError("this link is no longer valid; ask for a new one")
        user_id = row.user_id
        session.delete(row)
    set_password(place, user_id, password)
