"""Who looks at a page, and what that one may do there."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from html import escape
from http import HTTPStatus
from typing import Any, TypeVar
from urllib.parse import quote

from fastapi import Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from nicegui import ui
from sqlalchemy.orm import Session

from podium.service import accounts
from podium.service.access import COOKIE_NAME, Needs, csrf_token
from podium.service.accounts import Caller, Role, caller_by_cookie, caller_by_login
from podium.service.installation import Installation
from podium.service.problems import ForbiddenError, NotFoundError, SignInError

#: Where a request's scope has the installation.
PLACE = "podium.place"
_SECONDS_TO_BUILD = 30.0
T = TypeVar("T")
Work = Callable[[Installation, Caller], T]
Query = Callable[[Session, Caller], T]
Build = Callable[..., Awaitable[None]]
OpenBuild = Callable[[Request], Awaitable[Response | None]]


@dataclass(frozen=True)
class Visitor:
    """Somebody who has signed in, on an open page.

    A page stays open for hours. So it asks by `read`, `query` and `change`, which look up the session each time:
    they raise SignInError once it is over, and ForbiddenError where the role does not suffice.
    """

    caller: Caller
    """Who it was when the page was opened."""
    place: Installation
    csrf: str
    """What the page sends with changes through the API, in the header X-CSRF-Token."""

    def may(self, role: Role) -> bool:
        """Whether to show what takes a role."""
        return self.caller.role.rank >= role.rank

    def checked(self, role: Role) -> Caller:
        """Who it is now, by the session. Raises SignInError and ForbiddenError. Reads the database."""
        now = caller_by_login(self.place, self.caller.login or "")
        if now is None:
            raise SignInError("the session is over; sign in again")
        return Needs(role)(now)

    async def check(self, role: Role = Role.viewer) -> Caller:
        """Who it is now, as `checked`, without keeping the server from other work."""
        return await run_in_threadpool(self.checked, role)

    async def read(self, work: Work[T], role: Role = Role.viewer) -> T:
        """What a function of the service gives, called in a thread."""
        return await run_in_threadpool(lambda: work(self.place, self.checked(role)))

    async def change(self, work: Work[T], role: Role = Role.operator) -> T:
        """As `read`, for what changes something: viewers may not."""
        return await self.read(work, role)

    async def query(self, ask: Query[T], role: Role = Role.viewer) -> T:
        """As `read`, for functions that take a session of the database."""

        def asked(place: Installation, caller: Caller) -> T:
            with place.database.reading() as session:
                return ask(session, caller)

        return await self.read(asked, role)


def place_of(request: Request) -> Installation:
    """The installation that a page belongs to."""
    found = request.scope[PLACE]
    if not isinstance(found, Installation):
        raise TypeError("the pages are not mounted on a service")
    return found


def visitor_of(request: Request) -> Visitor | None:
    """Who sends a request; None where nobody has signed in."""
    place, cookie = place_of(request), request.cookies.get(COOKIE_NAME)
    caller = None if cookie is None else caller_by_cookie(place, cookie)
    return None if caller is None else Visitor(caller, place, csrf_token(place, caller.login or ""))


def _wanted(request: Request) -> str:
    """The address that was asked for, on this server."""
    return own_address(request.url.path + (f"?{request.url.query}" if request.url.query else ""))


def _again(request: Request) -> Response | None:
    """Let the browser ask once more where another site led it here: only then it sends the cookie (SameSite=Strict)."""
    if request.headers.get("sec-fetch-site") not in ("cross-site", "same-site"):
        return None
    address = escape(_wanted(request), quote=True)
    refresh = f'<meta http-equiv="refresh" content="0;url={address}">'
    return HTMLResponse(f"<!doctype html><html lang=en><title>Podium</title>{refresh}</html>")


def _door(request: Request) -> str:
    """Where somebody who has not signed in is sent."""
    with place_of(request).database.reading() as session:
        if not accounts.is_set_up(session):
            return "/setup"
    wanted = _wanted(request)
    return "/sign-in" if wanted == "/" else f"/sign-in?next={quote(wanted, safe='')}"


def page(path: str, *, title: str, role: Role = Role.viewer) -> Callable[[Build], Build]:
    """Make `build(visitor, ...)` a page for those who have signed in; others are sent to sign in.

    Parameters behind `visitor` are those of the path and of the query. NotFoundError and ForbiddenError become pages
    that say so.
    """

    def registered(build: Build) -> Build:
        parameters = list(inspect.signature(build, eval_str=True).parameters.values())[1:]

        async def built(request: Request, **given: Any) -> Response | None:
            visitor = await run_in_threadpool(visitor_of, request)
            if visitor is None:
                return _again(request) or RedirectResponse(
                    await run_in_threadpool(_door, request), HTTPStatus.SEE_OTHER
                )
            try:
                Needs(role)(visitor.caller)
                await build(visitor, **given)
            except (NotFoundError, ForbiddenError) as error:
                _refuse(visitor, error)
            return None

        own = inspect.Parameter("request", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=Request)
        keyword_only = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in parameters]
        built.__signature__ = inspect.Signature([own, *keyword_only])  # type: ignore[attr-defined]
        ui.page(path, title=_titled(title), response_timeout=_SECONDS_TO_BUILD)(built)
        return build

    return registered


def open_page(path: str, *, title: str) -> Callable[[OpenBuild], OpenBuild]:
    """Make `build(request)` a page for everybody; it may return a response instead of building one."""

    def registered(build: OpenBuild) -> OpenBuild:
        ui.page(path, title=_titled(title), response_timeout=_SECONDS_TO_BUILD)(build)
        return build

    return registered


def _titled(title: str) -> str:
    return f"{title} · Podium"


def _refuse(visitor: Visitor, error: NotFoundError | ForbiddenError) -> None:
    """Show why there is nothing to see, instead of what was built so far."""
    from podium.web import shell

    client = ui.context.client
    client.content.clear()
    client.status_code = int(error.status)
    shell.nothing_here(visitor, str(error))


def own_address(wanted: str) -> str:
    """An address of this server to go to; its home where another was asked for.

    >>> own_address("/runs?study=1"), own_address("//evil.example"), own_address("https://evil.example")
    ('/runs?study=1', '/', '/')
    """
    is_own = wanted.startswith("/") and not wanted.startswith(("//", "/\\")) and wanted.isprintable()
    return wanted if is_own else "/"
