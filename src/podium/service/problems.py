"""Errors as problem+json: one table from exceptions to HTTP codes."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, ClassVar

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict
from sqlalchemy.exc import OperationalError
from starlette.exceptions import HTTPException

from podium.errors import InputError, PodiumError, Problem

MEDIA_TYPE = "application/problem+json"
_log = logging.getLogger(__name__)


class ServiceError(PodiumError):
    """An error with a code of its own."""

    status: ClassVar[int] = HTTPStatus.BAD_REQUEST
    code: ClassVar[str] = "bad-request"


class SignInError(ServiceError):
    """Nobody has signed in, or not rightly."""

    status, code = HTTPStatus.UNAUTHORIZED, "not-signed-in"


class ForbiddenError(ServiceError):
    """Signed in, but not allowed."""

    status, code = HTTPStatus.FORBIDDEN, "forbidden"


class ForgeryError(ServiceError):
    """A request that a foreign page may have made."""

    status, code = HTTPStatus.FORBIDDEN, "csrf"


class NotFoundError(ServiceError):
    """Not there, or not for this user: the answer is the same."""

    status, code = HTTPStatus.NOT_FOUND, "not-found"


class ConflictError(ServiceError):
    """What is asked for does not fit the state of things."""

    status, code = HTTPStatus.CONFLICT, "conflict"


class TooManyError(ServiceError):
    """Too many tries, or too many of something."""

    status, code = HTTPStatus.TOO_MANY_REQUESTS, "too-many"

    def __init__(self, text: str, retry_seconds: int) -> None:
        super().__init__(text)
        self.retry_seconds = retry_seconds


class QuotaError(ServiceError):
    """A user has as many of something as a user may have."""

    status, code = HTTPStatus.CONFLICT, "quota"


class NotSetUpError(ServiceError):
    """The server lacks what this would need."""

    status, code = HTTPStatus.CONFLICT, "not-set-up"


class Where(BaseModel):
    """One thing wrong with the input: where it stands, what stands there, and what was expected."""

    where: str
    value: str
    expected: str


class ProblemDetails(BaseModel):
    """An error (RFC 9457). `code` is stable; `problems` lists everything wrong with the input."""

    model_config = ConfigDict(extra="forbid")

    type: str
    title: str
    status: int
    code: str
    detail: str
    problems: list[Where] = []


def details(status: int, code: str, detail: str, problems: Sequence[Problem] = ()) -> dict[str, Any]:
    """The content of a problem+json answer."""
    listed = [Where(where=found.where, value=found.value, expected=found.expected) for found in problems]
    return ProblemDetails(
        type=f"urn:podium:problem:{code}",
        title=HTTPStatus(status).phrase,
        status=status,
        code=code,
        detail=detail,
        problems=listed,
    ).model_dump()


#: Codes of errors of HTTP, where not the words of the status.
_CODES: dict[int, str] = {HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "too-large"}
#: Kind of error -> HTTP status, stable code, and what is said where the error itself is not for users.
TABLE: tuple[tuple[type[Exception], int, str, str | None], ...] = (
    (InputError, HTTPStatus.UNPROCESSABLE_ENTITY, "input", None),
    (PodiumError, HTTPStatus.UNPROCESSABLE_ENTITY, "engine", None),
    (RequestValidationError, HTTPStatus.UNPROCESSABLE_ENTITY, "request", "the request does not fit its schema"),
    (OperationalError, HTTPStatus.SERVICE_UNAVAILABLE, "database", "the database does not answer; try again later"),
    (Exception, HTTPStatus.INTERNAL_SERVER_ERROR, "internal", "an error of the server; its log says more"),
)


def told(error: Exception) -> dict[str, Any]:
    """What an error is to users. Those of the service and of HTTP bring their status; `TABLE` has the rest."""
    if isinstance(error, ServiceError):
        return details(error.status, error.code, str(error))
    if isinstance(error, HTTPException):
        code = _CODES.get(error.status_code) or HTTPStatus(error.status_code).phrase.lower().replace(" ", "-")
        return details(error.status_code, code, error.detail)
    status, code, detail = next(row[1:] for row in TABLE if isinstance(error, row[0]))
    return details(status, code, detail or str(error), _problems(error))


def _problems(error: Exception) -> Sequence[Problem]:
    if isinstance(error, RequestValidationError):
        return [_said(item) for item in error.errors()]
    return error.problems if isinstance(error, InputError) else ()


def _said(item: dict[str, Any]) -> Problem:
    """A pydantic error as a problem. What was given stands there only where it cannot be a secret."""
    where = ".".join(str(part) for part in item["loc"])
    secret = "password" in where or "token" in where
    given = "(not shown)" if secret else repr(item.get("input"))[:200]
    return Problem(where, given.encode("utf-8", "replace").decode(), item["msg"])


def answer(error: Exception) -> JSONResponse:
    """An error as the server answers it."""
    content = told(error)
    headers = dict(getattr(error, "headers", None) or {})
    if isinstance(error, TooManyError):
        headers["Retry-After"] = str(error.retry_seconds)
    if content["status"] == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse(content, content["status"], headers, media_type=MEDIA_TYPE)


def add_handlers(app: FastAPI) -> None:
    """All errors of an app become problem+json."""

    def answered(_request: Request, error: Exception) -> JSONResponse:
        return answer(error)

    def failed(_request: Request, error: Exception) -> JSONResponse:
        _log.error("unexpected error", exc_info=error)
        return answer(error)

    for kind in (PodiumError, RequestValidationError, HTTPException, OperationalError):
        app.add_exception_handler(kind, answered)
    app.add_exception_handler(Exception, failed)


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The errors of a route for OpenAPI; each route can meet 401, 403, 422 and 429."""
    schema = {"$ref": "#/components/schemas/ProblemDetails"}
    every = {400, 401, 403, 404, 409, 413, 422, 429, 503, *statuses}
    return {
        int(status): {"description": HTTPStatus(status).phrase, "content": {MEDIA_TYPE: {"schema": schema}}}
        for status in sorted(every)
    }
