"""What the command line does with the service: serve, work, and manage users."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError
from starlette.types import ASGIApp

from podium.errors import InputError, Problem
from podium.service import accounts, backup
from podium.service import restore as restoring
from podium.service.accounts import Email, Name, Password, Role
from podium.service.installation import Installation, found, opened
from podium.service.settings import Settings

#: In place of a file's name: standard output or input.
PIPE = Path("-")


def serve(settings: Settings, create: Callable[[Installation], ASGIApp]) -> None:
    """Serve the app that `create` makes of an installation until the process is told to end."""
    import uvicorn

    from podium.service.logs import log_as_json
    from podium.service.routes.accounts import setup_code

    log_as_json()
    with opened(settings) as place:
        _tell_first_steps(place, setup_code(place))
        uvicorn.run(
            create(place),
            host=settings.host,
            port=settings.port,
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=True,
            forwarded_allow_ips=settings.proxies,
            timeout_graceful_shutdown=5,
        )


def _tell_first_steps(place: Installation, code: str) -> None:
    """Say on the error stream what a new service lacks."""
    settings = place.settings
    with place.database.reading() as session:
        if not accounts.is_set_up(session):
            hint = f" with the code {code}" if code else ""
            print(f"podium: make the first admin at {settings.url}/{hint}", file=sys.stderr)  # noqa: T201
    if not settings.local_only and settings.public_url is None:
        told = "others are answered once PODIUM_PUBLIC_URL says by which address they come"
        print(f"podium: {told}", file=sys.stderr)  # noqa: T201


@contextmanager
def users_of(settings: Settings) -> Iterator[Installation]:
    """The installation whose users are managed."""
    with opened(settings) as place:
        yield place


def add_user(place: Installation, email: str, name: str, password: str, role: Role) -> str:
    """Make a user; returns the address as it is kept. Raises InputError, or ConflictError where it has an account."""
    address = _checked("email", Email, email)
    word = _checked("password", Password, password)
    return accounts.add_user(place, address, _checked("name", Name, name), word, role).email


def set_password(place: Installation, email: str, password: str) -> None:
    """Give a user another password. Raises InputError where there is no such user."""
    word = _checked("password", Password, password)
    with place.database.reading() as session:
        user = accounts.user_by_email(session, _checked("email", Email, email))
    if user is None:
        raise InputError(Problem("email", repr(email), "the address of a user; `podium user list` shows them"))
    accounts.set_password(place, user.id, word)


def list_users(place: Installation) -> list[dict[str, Any]]:
    """Address, name, role and whether the account is open, of all users."""
    with place.database.reading() as session:
        found = accounts.users(session)
    return [{"email": user.email, "name": user.name, "role": user.role, "active": user.active} for user in found]


def back_up(settings: Settings, target: Path) -> str:
    """Write a backup, to the standard output where `target` is `-`; says what is in it."""
    with found(settings) as place:
        return _counted(backup.back_up(place, sys.stdout.buffer if target == PIPE else target))


def restore(settings: Settings, source: Path) -> str:
    """Make a service of a backup, from the standard input where `source` is `-`; says what is in it."""
    return _counted(restoring.restore(settings, sys.stdin.buffer if source == PIPE else source))


def _counted(manifest: backup.Manifest) -> str:
    names = {"user_account": "users", "study": "studies", "run": "runs"}
    counts = ", ".join(f"{manifest.rows[table]:,} {word}" for table, word in names.items())
    return f"{counts}, as of {manifest.made_at}"


def role_of(word: str) -> Role:
    """A role by its name; raises InputError where there is none."""
    if word not in list(Role):
        raise InputError(Problem("role", repr(word), " or ".join(Role)))
    return Role(word)


def _checked(what: str, kind: Any, value: str) -> str:
    """A value as it is kept; raises InputError where it is none."""
    try:
        return str(TypeAdapter(kind).validate_python(value))
    except ValidationError as error:
        shown = "(not shown)" if what == "password" else repr(value)
        raise InputError(Problem(what, shown, found["msg"]) for found in error.errors()) from None
