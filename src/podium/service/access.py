"""Who sends a request, and whether that one may: dependencies of the routes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import APIKeyCookie, HTTPAuthorizationCredentials, HTTPBearer

from podium.service.accounts import Caller, Role, Scope, caller_by_cookie, caller_by_token
from podium.service.installation import Installation
from podium.service.origins import foreign_sender
from podium.service.problems import ForbiddenError, ForgeryError, SignInError

COOKIE_NAME = "podium_session"
CSRF_HEADER = "X-CSRF-Token"
_CSRF = "csrf"
_SAFE = ("GET", "HEAD", "OPTIONS")
_cookie = APIKeyCookie(name=COOKIE_NAME, scheme_name="session", auto_error=False, description="The cookie of a login.")
_bearer = HTTPBearer(scheme_name="token", auto_error=False, description="An API token.")


def installation(request: Request) -> Installation:
    """The installation that the server was started with."""
    found = request.app.state.place
    if not isinstance(found, Installation):
        raise TypeError("the server is not set up")
    return found


Place = Annotated[Installation, Depends(installation)]


def csrf_token(place: Installation, login: str) -> str:
    """What a page must send in a header with each change: a foreign page cannot read it."""
    return place.seal.digest(_CSRF, login)


def client_address(request: Request) -> str:
    """Address of the client, as a trusted proxy tells it."""
    return "" if request.client is None else request.client.host


Address = Annotated[str, Depends(client_address)]


def own_page(request: Request, place: Place) -> None:
    """Raise ForgeryError where a browser says that a page of another site sends this."""
    if request.method in _SAFE or "authorization" in request.headers:
        return
    sender = foreign_sender(request.headers, place.settings)
    if sender is not None:
        raise ForgeryError(f"a page of {sender} sent this request")


def signed_in(
    request: Request,
    place: Place,
    cookie: Annotated[str | None, Depends(_cookie)],
    bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> Caller:
    """Who sends the request, by token or by session. Raises SignInError, and ForgeryError where a header is missing."""
    if "authorization" in request.headers:
        caller = None if bearer is None else caller_by_token(place, bearer.credentials)
    else:
        caller = None if cookie is None else caller_by_cookie(place, cookie)
    if caller is None:
        raise SignInError("sign in first, or send a valid token")
    if caller.login is not None and request.method not in _SAFE:
        given = request.headers.get(CSRF_HEADER, "")
        if not place.seal.matches(_CSRF, caller.login, given):
            raise ForgeryError(f"the header {CSRF_HEADER} is needed, with the token that the login gave")
    return caller


@dataclass(frozen=True)
class Needs:
    """What a route asks of a caller. Without a scope it is for sessions alone."""

    role: Role
    scope: Scope | None = None

    def __call__(self, caller: Annotated[Caller, Depends(signed_in)]) -> Caller:
        """The caller, where that one may; raises ForbiddenError otherwise."""
        if caller.scopes is not None and (self.scope is None or self.scope.value not in caller.scopes):
            raise ForbiddenError(f"the token lacks the scope {self.scope}" if self.scope else "tokens may not do this")
        if caller.role.rank < self.role.rank:
            raise ForbiddenError(f"this takes the role {self.role}")
        return caller


Anyone = Annotated[Caller, Depends(Needs(Role.viewer))]
Admin = Annotated[Caller, Depends(Needs(Role.admin))]
StudyReader = Annotated[Caller, Depends(Needs(Role.viewer, Scope.studies_read))]
StudyWriter = Annotated[Caller, Depends(Needs(Role.operator, Scope.studies_write))]
RunReader = Annotated[Caller, Depends(Needs(Role.viewer, Scope.runs_read))]
RunWriter = Annotated[Caller, Depends(Needs(Role.operator, Scope.runs_write))]
